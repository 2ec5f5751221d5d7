"""What an import costs and brings: no heavy module, every public name, and words that say what it is."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import netlinkpy
from netlinkpy import netns

ROOT = Path(__file__).parent.parent
# Each of them costs more than all of netlinkpy, or is missing in the barest Python.
HEAVY = {
    "argparse",
    "json",
    "ipaddress",
    "ctypes",
    "dataclasses",
    "typing",
    "enum",
    "socket",
    "threading",
    "logging",
    "collections",
    "functools",
    "re",
    "subprocess",
    "asyncio",
    "contextlib",
    "inspect",
    "tempfile",
    "random",
    "hashlib",
    "datetime",
    "pathlib",
    "shutil",
    "selectors",
    "traceback",
    "weakref",
    "operator",
    "copy",
    "pickle",
    "_cffi_backend",
}
VERBS = ("links", "addresses", "routes", "neighbours", "fdb", "nsids")


def bare(code: str, **environment: str) -> str:
    """What code prints in an interpreter with nothing else: -I -S, no site, no environment but this."""
    line = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", line], text=True, capture_output=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded(code: str) -> set[str]:
    """The modules that code loads beyond those of the bare interpreter."""
    return set(bare(f"{code}; print(*sys.modules)").split()) - set(bare("print(*sys.modules)").split())


# -- light -------------------------------------------------------------------------------------------------


def test_the_bare_import_loads_next_to_nothing() -> None:
    found = loaded("import netlinkpy")
    assert found.isdisjoint(HEAVY)
    assert found <= {"netlinkpy", "__future__", "netlinkpy._lazy"}


@pytest.mark.parametrize("name", [name for name in netlinkpy.__all__ if name not in ("netns", "__version__")])
def test_a_name_brings_no_heavy_module(name: str) -> None:
    found = loaded(f"import netlinkpy; netlinkpy.{name}")
    assert found.isdisjoint(HEAVY)


def modules() -> list[str]:
    """All modules of the core."""
    folders = ("wire", "transport", "netns", "rtnl", "wiring")
    files = [ROOT / "netlinkpy" / f"{name}.py" for name in ("record", "_lazy", "closing")]
    for folder in folders:
        files += sorted((ROOT / "netlinkpy" / folder).rglob("*.py"))
    return [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]


def test_no_module_of_the_core_brings_a_heavy_module() -> None:
    names = modules()
    assert len(names) > 40
    assert loaded(f"import {', '.join(names)}").isdisjoint(HEAVY)


@pytest.mark.parametrize("name", netns.__all__)
def test_names_of_netns_bring_no_heavy_module(name: str) -> None:
    assert loaded(f"import netlinkpy.netns; netlinkpy.netns.{name}").isdisjoint(HEAVY)


def test_a_whole_attach_needs_no_heavy_module(fresh_namespace: None) -> None:
    """In the test's own namespace, up to the first refusal; ctypes is what the pure backend calls by."""
    code = (
        "import netlinkpy as nl\n"
        "name = nl.backend(); rt = nl.RTNetlink(); rt.links.add(name, kind='bridge', up=True)\n"
        "rt.addresses.add('10.0.0.1/24', dev=name); rt.routes.list(); rt.links.list(); rt.addresses.list()\n"
        "try: nl.attach(nl.Endpoint(netns='gone', bridge=name, addresses='10.0.0.2/24'))\n"
        "except nl.AttachError as error: assert error.errno == 2\n"
        "else: raise SystemExit('attached to nothing')\n"
        "rt.close()\n"
        "print(*sys.modules)"
    )
    for backend, module in (("native", "native"), ("python", "pure")):
        line = f"import os; os.environ['NETLINKPY_BACKEND'] = {backend!r}\n{code}"
        found = set(bare(line).split()) - set(bare("print(*sys.modules)").split())
        assert not found & (HEAVY - {"ctypes"}), backend
        assert f"netlinkpy.backends.{module}" in found


# -- whole -------------------------------------------------------------------------------------------------


def test_every_public_name_resolves() -> None:
    for name in netlinkpy.__all__:
        assert getattr(netlinkpy, name) is not None
        assert getattr(netlinkpy, name) is getattr(netlinkpy, name)
    assert netlinkpy.__version__.count(".") == 2
    assert bare("from netlinkpy import *; print(attach.__name__, Endpoint.__name__)").split() == [
        "attach",
        "Endpoint",
    ]


@pytest.mark.parametrize("module", [netlinkpy, netns], ids=lambda module: module.__name__)
def test_an_unknown_name_is_an_attribute_error(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'colour'"):
        module.colour  # noqa: B018
    assert not hasattr(module, "__wrapped__")


def test_what_type_checkers_see_is_what_there_is() -> None:
    """The names under `if TYPE_CHECKING` are those that resolve."""
    for module, places in ((netlinkpy, netlinkpy._PLACES), (netns, netns._PLACES)):
        text = Path(str(module.__file__)).read_text()
        seen = {
            line.split(" as ")[1].strip()
            for line in text.splitlines()
            if line.startswith("    from .") and " as " in line
        }
        assert seen == set(places), module.__name__


def test_dir_names_what_may_be_asked_for() -> None:
    assert set(netlinkpy.__all__) <= set(dir(netlinkpy))
    assert {"create", "bind", "run", "list", "Netns"} <= set(dir(netns))


# -- said --------------------------------------------------------------------------------------------------


def public() -> Iterator[tuple[str, Any]]:
    """Every public object: names of the package and of netns, and the public members of their classes."""
    places: list[tuple[str, object]] = [("netlinkpy", netlinkpy), ("netlinkpy.netns", netns)]
    names = {"netlinkpy": netlinkpy.__all__, "netlinkpy.netns": list(netns._PLACES)}
    for place, module in places:
        for name in names[place]:
            if name == "__version__":
                continue
            found = getattr(module, name)
            yield f"{place}.{name}", found
            if inspect.isclass(found):
                yield from members(f"{place}.{name}", found)
    with netlinkpy.RTNetlink() as rt:
        for verb in VERBS:
            objects = getattr(rt, verb)
            yield f"rt.{verb}", type(objects)
            yield from members(f"rt.{verb}", type(objects))


def members(place: str, kind: type) -> Iterator[tuple[str, Any]]:
    fields = getattr(kind, "_fields", ())
    for name, value in vars(kind).items():
        if (
            not name.startswith("_")
            and name not in fields
            and (callable(value) or isinstance(value, (property, classmethod)))
        ):
            yield f"{place}.{name}", getattr(value, "__func__", value)


def test_everything_public_says_what_it_is() -> None:
    found = dict(public())
    assert [name for name, one in found.items() if len(inspect.getdoc(one) or "") < 15] == []
    assert len(found) > 80


def test_records_tell_of_every_field() -> None:
    """help(Endpoint) says what each of its fields is."""
    for kind in (netlinkpy.Endpoint, netlinkpy.Attachment):
        text = inspect.getdoc(kind) or ""
        plural = text.replace("s", "")
        for field in kind._fields:
            assert field in text or field.replace("_", " ") in text or field.replace("s", "") in plural, (
                kind,
                field,
            )


def test_every_module_says_its_subject() -> None:
    silent = [
        name for name in modules() if not (inspect.getdoc(__import__(name, fromlist=["x"])) or "").strip()
    ]
    assert silent == []
