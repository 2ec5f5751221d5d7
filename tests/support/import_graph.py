"""The imports between the modules of netlinkpy, read from their source, also those made by text.

An import by text is one whose module is known only at run time: `_PLACES`, a table of names that
`_lazy.fetch` imports when they are used, or `__import__(f"{__package__}.{name}")`, which may mean any module
of that package."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PACKAGE = "netlinkpy"
FETCHES_PLACES = f"{PACKAGE}._lazy"  # imports what other modules' _PLACES say


class Import(NamedTuple):
    """`importer` imports `imported`, both full names of modules; `when` is "module" (while the importer is
    imported), "call" (inside a function, or by text) or "typing" (for type checkers alone)."""

    importer: str
    imported: str
    when: str
    line: int


def modules(root: Path = ROOT / PACKAGE) -> dict[str, Path]:
    """Return every module of the package by its full name."""
    return {
        ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(root.rglob("*.py"))
    }


def imports(known: dict[str, Path]) -> list[Import]:
    """Return all imports of known modules by known modules."""
    return [one for name, path in known.items() for one in _Reader(name, path, known).read()]


class _Reader:
    def __init__(self, name: str, path: Path, known: dict[str, Path]) -> None:
        self.name, self.path, self.known = name, path, known
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def read(self) -> Iterator[Import]:
        tree = ast.parse(self.path.read_text())
        yield from self._inside(tree, "module")
        yield from self._places(tree)

    def _inside(self, node: ast.AST, when: str) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for module in self._imported(child):
                    yield Import(self.name, module, when, child.lineno)
            elif isinstance(child, ast.If) and _is_type_checking(child.test):
                yield from self._inside(ast.Module(child.body, []), "typing")
                yield from self._inside(ast.Module(child.orelse, []), when)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from self._inside(child, "typing" if when == "typing" else "call")
            else:
                if isinstance(child, ast.Call) and self._is_by_text(child):
                    for module in self._by_text(child):
                        yield Import(self.name, module, "call", child.lineno)
                yield from self._inside(child, when)

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in self.known)
            return
        base = node.module or ""
        if node.level:
            above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        if base not in self.known:
            return
        submodules = [f"{base}.{alias.name}" for alias in node.names]
        yield from (name for name in submodules if name in self.known)
        if not all(name in self.known for name in submodules):
            yield base

    def _is_by_text(self, call: ast.Call) -> bool:
        function = call.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        return name in ("__import__", "import_module") and self.name != FETCHES_PLACES

    def _by_text(self, call: ast.Call) -> Iterator[str]:
        """Yield every module that `__import__(f"{__package__}.{name}")` may mean."""
        text = ""
        assert isinstance(call.args[0], ast.JoinedStr), (
            f"{self.path}:{call.lineno}: cannot tell what is imported"
        )
        for part in call.args[0].values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
                text += {"__name__": self.name, "__package__": self.package}.get(part.value.id, "*")
            else:
                text += "*"
        package, _, last = text.rpartition(".")
        assert last == "*" and package in self.known, (
            f"{self.path}:{call.lineno}: cannot tell what is imported"
        )
        depth = package.count(".") + 1
        yield from (
            name
            for name in self.known
            if name.startswith(f"{package}.") and name.count(".") == depth and name != self.name
        )

    def _places(self, tree: ast.Module) -> Iterator[Import]:
        """Yield the modules that a module's _PLACES lead to: names, each with its module in the package ("":
        it is one itself), or with (module, class)."""
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if not any(isinstance(target, ast.Name) and target.id == "_PLACES" for target in targets):
                continue
            for name, place in importlib.import_module(self.name)._PLACES.items():
                module = f"{self.package}.{(place if isinstance(place, str) else place[0]) or name}"
                assert module in self.known, f"{self.path}:{node.lineno}: {name} leads to {module}"
                yield Import(self.name, module, "call", node.lineno)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def circles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the strongly connected groups of modules (Tarjan's algorithm), and modules that import
    themselves."""
    graph: dict[str, set[str]] = defaultdict(set)
    for importer, imported in edges:
        graph[importer].add(imported)
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        numbers[node] = lowest[node] = len(numbers)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in numbers:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], numbers[other])
        if lowest[node] == numbers[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1 or node in graph.get(node, ()):
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in numbers:
            visit(node)
    return found
