"""The rtnetlink messages described a second time: from bytes to commented lines and to values.

Independent of netlinkpy.wire on purpose (attribute numbers are read out of /usr/include/linux), so that the
two can be held against each other. Used by capture.py only; the tests read the files that it wrote.
"""

from __future__ import annotations

import functools
import pathlib
import re
import struct

HEADERS = "rtnetlink.h if_link.h if_addr.h neighbour.h fib_rules.h net_namespace.h netlink.h veth.h"

# Newer than Debian 12's headers, told by newer kernels (include/uapi/linux/if_link.h of Linux 6.18): opaque.
NEWER = {
    "IFLA_DEVLINK_PORT": 62,
    "IFLA_GSO_IPV4_MAX_SIZE": 63,
    "IFLA_GRO_IPV4_MAX_SIZE": 64,
    "IFLA_DPLL_PIN": 65,
    "IFLA_MAX_PACING_OFFLOAD_HORIZON": 66,
    "IFLA_NETNS_IMMUTABLE": 67,
    "IFLA_HEADROOM": 68,
    "IFLA_TAILROOM": 69,
    "IFLA_BR_FDB_N_LEARNED": 48,
    "IFLA_BR_FDB_MAX_LEARNED": 49,
    "IFLA_BRPORT_MAB": 40,
    "IFLA_BRPORT_MCAST_N_GROUPS": 41,
    "IFLA_BRPORT_MCAST_MAX_GROUPS": 42,
    "IFLA_BRPORT_NEIGH_VLAN_SUPPRESS": 43,
    "IFLA_BRPORT_BACKUP_NHID": 44,
}

# (struct members as (name, format)), family of the attributes after it
Layout = tuple[tuple[str, str], ...]
IFINFOMSG: Layout = (
    ("ifi_family", "B"), ("", "x"), ("ifi_type", "H"), ("ifi_index", "i"), ("ifi_flags", "I"),
    ("ifi_change", "I"),
)  # fmt: skip
IFADDRMSG: Layout = (
    ("ifa_family", "B"), ("ifa_prefixlen", "B"), ("ifa_flags", "B"), ("ifa_scope", "B"), ("ifa_index", "I"),
)  # fmt: skip
RTMSG: Layout = (
    ("rtm_family", "B"), ("rtm_dst_len", "B"), ("rtm_src_len", "B"), ("rtm_tos", "B"), ("rtm_table", "B"),
    ("rtm_protocol", "B"), ("rtm_scope", "B"), ("rtm_type", "B"), ("rtm_flags", "I"),
)  # fmt: skip
NDMSG: Layout = (
    ("ndm_family", "B"), ("", "3x"), ("ndm_ifindex", "i"), ("ndm_state", "H"), ("ndm_flags", "B"),
    ("ndm_type", "B"),
)  # fmt: skip
RTGENMSG: Layout = (("rtgen_family", "B"), ("", "3x"))
FIB_RULE_HDR: Layout = (
    ("family", "B"), ("dst_len", "B"), ("src_len", "B"), ("tos", "B"), ("table", "B"), ("", "2x"),
    ("action", "B"), ("flags", "I"),
)  # fmt: skip
RTNEXTHOP: Layout = (("rtnh_len", "H"), ("rtnh_flags", "B"), ("rtnh_hops", "B"), ("rtnh_ifindex", "i"))

FAMILIES: dict[str, tuple[Layout, str]] = {
    "LINK": (IFINFOMSG, "IFLA_"),
    "LINKPROP": (IFINFOMSG, "IFLA_"),
    "ADDR": (IFADDRMSG, "IFA_"),
    "ROUTE": (RTMSG, "RTA_"),
    "NEIGH": (NDMSG, "NDA_"),
    "NSID": (RTGENMSG, "NETNSA_"),
    "RULE": (FIB_RULE_HDR, "FRA_"),
}

STRUCTS = {"u8": "<B", "u16": "<H", "be16": ">H", "be32": ">I", "u32": "<I", "s32": "<i", "u64": "<Q"}
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
INFO_DATA = {"veth": "VETH_INFO_", "bridge": "IFLA_BR_", "vlan": "IFLA_VLAN_", "vxlan": "IFLA_VXLAN_"}
NESTS = ("IFLA_INFO_", "IFLA_BRPORT_", "IFLA_INET_", "IFLA_INET6_", *INFO_DATA.values())
AF_SPECS = {2: ("inet", "IFLA_INET_"), 10: ("inet6", "IFLA_INET6_")}


@functools.cache
def constants() -> dict[str, int]:
    """Every constant of the headers' enums, by name."""
    found: dict[str, int] = {}
    for header in HEADERS.split():
        text = pathlib.Path("/usr/include/linux", header).read_text()
        text = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*$", "", text, flags=re.S | re.M)
        for body in re.findall(r"\benum\s*\w*\s*\{(.*?)\}", text, flags=re.S):
            number = -1
            for item in body.split(","):
                name, _, value = (part.strip() for part in item.partition("="))
                if re.fullmatch(r"\w+", name):
                    if value in found:
                        number = found[value]
                    else:
                        number = int(value, 0) if re.fullmatch(r"[0-9xa-fA-F]+", value) else number + 1
                    found[name] = number
    found.update((name, int(number)) for name, number in NEWER.items())
    return found


@functools.cache
def kinds() -> dict[str, str]:
    """kinds.txt: attribute name to kind."""
    table = dict.fromkeys(NEWER, "opaque")
    text = re.sub(r"^#.*\n|\n +", " ", pathlib.Path(__file__).with_name("kinds.txt").read_text(), flags=re.M)
    for line in text.split("\n"):
        kind, _, names = line.strip().partition(": ")
        table.update(dict.fromkeys(names.split(), kind))
    return table


def attribute_name(prefix: str, number: int) -> str:
    """The kernel's name of an attribute."""
    return attribute_names(prefix).get(number, f"{prefix}{number}")


@functools.cache
def attribute_names(prefix: str) -> dict[int, str]:
    """By number, the constants with a prefix, but not those of nests that begin alike (IFLA_, IFLA_BR_)."""
    longer = tuple(p for p in NESTS if p.startswith(prefix) and p != prefix)
    names: dict[int, str] = {}
    for name, number in constants().items():
        if name.startswith(prefix) and not name.startswith(longer):
            names.setdefault(number, name)  # the first one: other enums with the prefix come later
    return names


class Writer:
    """The lines written so far: hex on the left, what it is on the right."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def put(self, data: bytes, comment: str, depth: int = 0) -> None:
        """One field; past 16 bytes it goes on in further lines."""
        for at in range(0, len(data), 16) or [0]:
            text = "  " * depth + data[at : at + 16].hex(" ")
            self.lines.append(f"{text:<51} # {comment}" if at == 0 and comment else text)

    def layout(self, layout: Layout, data: bytes, depth: int = 0) -> dict[str, object]:
        values: dict[str, object] = {}
        at = 0
        for name, form in layout:
            size = struct.calcsize("<" + form)
            field = data[at : at + size]
            if name:
                (values[name],) = struct.unpack("<" + form, field)
            self.put(field, f"{name} {values[name]}" if name else "padding", depth)
            at += size
        return values

    def attributes(self, prefix: str, data: bytes, depth: int = 0) -> dict[str, object]:
        """A run of attributes; opaque ones are written and not listed."""
        values: dict[str, object] = {}
        at = 0
        while at < len(data):
            length, number = struct.unpack_from("<HH", data, at)
            name = attribute_name(prefix, number & 0x3FFF)
            flags = " | NLA_F_NESTED" if number & 0x8000 else ""
            self.put(data[at : at + 4], f"rta_len {length}, {name}{flags}", depth)
            payload = data[at + 4 : at + length]
            kind = kinds().get(name, "raw")
            value = self.value(name, kind, payload, depth + 1, values)
            padding = data[at + length : at + (length + 3 & ~3)]
            if padding:
                self.put(padding, "alignment", depth + 1)
            if kind != "opaque":
                key = name.removeprefix(prefix).lower()
                if name == "FRA_TABLE":  # the header has a member of the same name
                    key = "table_id"
                if name == "IFLA_ALT_IFNAME" and depth:  # the one attribute that comes several times
                    several = values.setdefault(key, [])
                    assert isinstance(several, list)
                    several.append(value)
                else:
                    values[key] = value
            at += length + 3 & ~3
        return values

    def value(self, name: str, kind: str, data: bytes, depth: int, beside: dict[str, object]) -> object:
        if kind in STRUCTS:
            (number,) = struct.unpack(STRUCTS[kind], data)
            self.put(data, str(number), depth)
            return number
        if kind == "flag":
            return True
        if kind == "str":
            text = data.rstrip(b"\0").decode()
            self.put(data, repr(text) + ("" if data.endswith(b"\0") else ", no NUL"), depth)
            return text
        if kind.startswith("bits "):
            return self.layout(tuple((member, "I") for member in kind.split()[1:]), data, depth)
        if kind == "range":
            low, high = struct.unpack(">HH", data)
            self.put(data, f"{low} to {high}", depth)
            return {"low": low, "high": high}
        if kind == "pairs":
            return self.pairs(data, depth)
        if kind == "lifetimes":
            layout = (("ifa_prefered", "I"), ("ifa_valid", "I"), ("cstamp", "I"), ("tstamp", "I"))
            return self.layout(layout, data, depth)
        if kind == "nexthops":
            return self.nexthops(data, depth)
        if kind == "peer":
            return self.layout(IFINFOMSG, data[:16], depth) | self.attributes("IFLA_", data[16:], depth)
        if kind == "families":
            return self.families(data, depth)
        if kind == "data":
            prefix = INFO_DATA.get(str(beside["kind"]), "IFLA_BRPORT_")
            return self.attributes(prefix, data, depth)
        if kind.startswith("nest "):
            values = self.attributes(kind.removeprefix("nest "), data, depth)
            # iproute2 names the master's kind in another attribute: without it, we keep the bytes
            return data if name == "IFLA_INFO_SLAVE_DATA" and "slave_kind" not in beside else values
        if data:
            self.put(data, "", depth)
        return data

    def pairs(self, data: bytes, depth: int) -> dict[int, int]:
        """A nest of attributes of one type, each two numbers."""
        values: dict[int, int] = {}
        while data:
            self.put(data[:4], "rta_len 12, IFLA_VLAN_QOS_MAPPING", depth)
            one, two = self.layout((("from", "I"), ("to", "I")), data[4:12], depth + 1).values()
            assert isinstance(one, int) and isinstance(two, int)
            values[one] = two
            data = data[12:]
        return values

    def nexthops(self, data: bytes, depth: int) -> list[dict[str, object]]:
        hops = []
        while data:
            (length,) = struct.unpack_from("<H", data)
            hop = self.layout(RTNEXTHOP, data[:8], depth) | self.attributes("RTA_", data[8:length], depth + 1)
            del hop["rtnh_len"]
            hops.append(hop)
            data = data[length + 3 & ~3 :]
        return hops

    def families(self, data: bytes, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        while data:
            length, number = struct.unpack_from("<HH", data)
            name, prefix = AF_SPECS[number & 0x3FFF]
            self.put(data[:4], f"rta_len {length}, AF_{name.upper()}", depth)
            values[name] = self.attributes(prefix, data[4:length], depth + 1)
            data = data[length + 3 & ~3 :]
        return values

    def header(self, data: bytes, depth: int = 0) -> tuple[str, int]:
        """struct nlmsghdr; gives the type's name and the flags."""
        length, number, flags = struct.unpack_from("<IHH", data)
        name = message_name(number)
        self.put(data[0:4], f"nlmsg_len {length}", depth)
        self.put(data[4:6], f"nlmsg_type {name}", depth)
        self.put(data[6:8], f"nlmsg_flags {flags:#x}", depth)
        self.put(data[8:12], "nlmsg_seq", depth)
        self.put(data[12:16], "nlmsg_pid", depth)
        return name, flags


def message_name(number: int) -> str:
    if number in (2, 3):
        return ("NLMSG_ERROR", "NLMSG_DONE")[number - 2]
    verbs = ("RTM_NEW", "RTM_DEL", "RTM_GET", "RTM_SET")
    return next(name for name, n in constants().items() if n == number and name.startswith(verbs))


def describe(message: bytes) -> tuple[str, list[str], dict[str, object]]:
    """One whole message: its type's name, the commented lines, the values (header and attributes)."""
    writer = Writer()
    name, flags = writer.header(message)
    body = message[16:]
    if name in ("NLMSG_ERROR", "NLMSG_DONE"):
        return name, writer.lines, answer(writer, name, flags, body) if body else {}
    layout, prefix = FAMILIES[name.removeprefix("RTM_")[3:]]
    size = sum(struct.calcsize("<" + form) for _, form in layout)
    values = writer.layout(layout, body[:size])
    return name, writer.lines, values | writer.attributes(prefix, body[size:])


def answer(writer: Writer, name: str, flags: int, body: bytes) -> dict[str, object]:
    """struct nlmsgerr, or the status in a NLMSG_DONE, and the extended ack after it (linux/netlink.h)."""
    error = struct.unpack_from("<i", body)[0]
    writer.put(body[:4], f"error {error}")
    at = 4
    if name == "NLMSG_ERROR":
        writer.header(body[4:20], 1)
        capped = flags & NLM_F_CAPPED  # only the header of the message is echoed
        echoed = 16 if capped else struct.unpack_from("<I", body, 4)[0]
        at += echoed
        if echoed > 16:
            writer.put(body[20:at], "the rest of the message refused", 1)
    values: dict[str, object] = {"error": error}
    return values | (writer.attributes("NLMSGERR_ATTR_", body[at:]) if flags & NLM_F_ACK_TLVS else {})
