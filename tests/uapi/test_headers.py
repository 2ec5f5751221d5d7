"""Every constant of uapi/ is the kernel's: a compiled C program prints what its header says."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
from pathlib import Path

import pytest

import netlinkpy

FILES = sorted(Path(str(netlinkpy.__file__)).parent.glob("uapi/[!_]*.py"))
SPELT = {"SO_ACCEPTCON": "__SO_ACCEPTCON"}
NOT_IN_IT = {  # of the kernel's own headers, which user space does not get
    "MNT_DETACH",
    "UMOUNT_NOFOLLOW",
    "CTA_FILTER_F_IP_SRC",
    "BR_MAX_PORTS",
    "MAX_ERRNO",
    "INFINITY_LIFE_TIME",
    "DEVCONF_FORCE_FORWARDING",  # newer than Debian's
    "SO_PEERPIDFD",
}


@pytest.mark.needs("cc")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_constants_are_those_of_the_header(file: Path, tmp_path: Path) -> None:
    module = importlib.import_module(f"netlinkpy.uapi.{file.stem}")
    named = re.match(r"(linux/[\w/]+\.h): ", module.__doc__ or "")
    assert named, "its first line names its header"
    header = named[1]
    if not Path("/usr/include/linux/netlink.h").exists():
        pytest.skip("needs the kernel's headers, not here")
    ours = {
        name: value
        for name, value in vars(module).items()
        if type(value) is int and name not in NOT_IN_IT and not name.startswith("_")
    }
    assert ours
    included = ("stdio.h", "sys/socket.h", "linux/netlink.h", header)
    lines = [*(f"#include <{one}>" for one in included), "int main(void) {"]
    lines += [f'printf("{name}=%lld\\n", (long long)({SPELT.get(name, name)}));' for name in ours]
    source, program = tmp_path / "constants.c", tmp_path / "constants"
    source.write_text("\n".join([*lines, "return 0; }"]))
    build = ["cc", "-w", "-o", str(program), str(source)]
    subprocess.run(build, check=True, env={**os.environ, "LC_ALL": "C"})
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert {name: int(value) for name, _, value in (line.partition("=") for line in printed.split())} == ours
