"""Numbers and layouts held against the kernel's own headers, by a compiled C program that prints them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from netlinkpy.framing import NLMSGHDR
from netlinkpy.wire.attributes import Attributes
from netlinkpy.wire.codecs import Fields
from netlinkpy.wire.extack import EXTACK, POLICY
from netlinkpy.wire.message import Header
from netlinkpy.wire.rtnetlink import address, kinds, link, neighbour, nsid, route, rule
from netlinkpy.wire.rtnetlink.kinds import bridge

HEADERS = (
    "stddef.h",
    "stdio.h",
    "sys/socket.h",
    "linux/netlink.h",
    "linux/rtnetlink.h",
    "linux/if.h",
    "linux/if_link.h",
    "linux/if_addr.h",
    "linux/if_bridge.h",
    "linux/veth.h",
    "linux/neighbour.h",
    "linux/net_namespace.h",
    "linux/fib_rules.h",
)
TABLES: dict[str, Attributes] = {
    "IFLA_": link.LINK_ATTRIBUTES,
    "IFLA_INFO_": link.LINKINFO,
    "IFLA_BRPORT_": bridge.PORT.attributes,
    "IFLA_INET_": link.INET,
    "IFLA_INET6_": link.INET6,
    "IFA_": address.ADDRESS.attributes,
    "RTA_": route.ROUTE.attributes,
    "RTAX_": route.METRICS,
    "NDA_": neighbour.NEIGHBOUR.attributes,
    "NETNSA_": nsid.NSID.attributes,
    "FRA_": rule.RULE.attributes,
    "NLMSGERR_ATTR_": EXTACK,
    "NL_POLICY_TYPE_ATTR_": POLICY,
}
for _file in Path(kinds.__file__).parent.glob("[a-z]*.py"):
    _prefix = {"veth": "VETH_INFO_", "bridge": "IFLA_BR_"}.get(_file.stem, f"IFLA_{_file.stem.upper()}_")
    _kind = kinds.find(_file.stem)
    assert _kind is not None
    TABLES[_prefix] = _kind.attributes
STRUCTS: dict[str, Header | Fields] = {
    "ifinfomsg": link.IFINFOMSG,
    "ifaddrmsg": address.IFADDRMSG,
    "ifa_cacheinfo": address.CACHEINFO,
    "rtmsg": route.RTMSG,
    "rta_cacheinfo": route.CACHEINFO,
    "ndmsg": neighbour.NDMSG,
    "nda_cacheinfo": neighbour.CACHEINFO,
    "fib_rule_hdr": rule.FIB_RULE_HDR,
}


def expected() -> dict[str, int]:
    """Every C expression with the number that we have for it."""
    found: dict[str, int] = {}
    for prefix, table in TABLES.items():
        for name, (number, _) in table._by_name.items():
            found[prefix + name.upper()] = number
    for name, layout in STRUCTS.items():
        if isinstance(layout, Header):
            found[f"sizeof(struct {name})"] = layout.struct.size
            for member, offset in zip(layout.names, layout.offsets, strict=True):
                found[f"offsetof(struct {name}, {member})"] = offset
        else:
            found[f"sizeof(struct {name})"] = layout.width
    found["sizeof(struct nlmsghdr)"] = NLMSGHDR.size
    return found


def ask_compiler(expressions: list[str], folder: Path) -> dict[str, int]:
    """What the C compiler says of those that its headers know."""
    names = list(expressions)
    for _ in range(3):
        lines = [f"#include <{header}>" for header in HEADERS]
        lines += ["int main(void) {"]
        lines += [f'printf("%s=%lld\\n", "{name}", (long long)({name}));' for name in names]
        lines += ["return 0; }"]
        source, program = folder / "numbers.c", folder / "numbers"
        source.write_text("\n".join(lines))
        done = subprocess.run(
            ["cc", "-w", "-o", program, source],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode == 0:
            printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
            return {
                name: int(value) for name, _, value in (line.rpartition("=") for line in printed.splitlines())
            }
        missing = set(re.findall(r"'(\w+)' undeclared", done.stderr))
        assert missing, done.stderr
        names = [name for name in names if name not in missing]
    raise AssertionError(done.stderr)


@pytest.mark.needs("cc")
@pytest.mark.skipif(
    not Path("/usr/include/linux/rtnetlink.h").exists(), reason="needs the kernel's headers, not here"
)
def test_numbers_and_layouts_are_the_kernels(tmp_path: Path) -> None:
    ours = expected()
    theirs = ask_compiler(sorted(ours), tmp_path)
    assert {name: ours[name] for name in theirs} == theirs
    unknown = sorted(set(ours) - set(theirs))
    print(f"{len(theirs)} held against the headers, {len(unknown)} not in them: {', '.join(unknown)}")
    assert len(theirs) > 340
    assert len(unknown) <= len(ours) // 50, (
        unknown
    )  # newer than the headers; a misspelt one would be among them
