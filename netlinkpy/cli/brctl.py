"""brctl: bridge-utils' commands, its output and its exit codes, over netlink instead of ioctls and sysfs."""

from __future__ import annotations

from errno import EBUSY, ELOOP, EOPNOTSUPP
from os import strerror

from ..transport.socket import Socket
from ..uapi.if_ import IFF_UP
from ..uapi.netlink import NLM_F_CREATE, NLM_F_EXCL
from ..uapi.rtnetlink import RTM_DELLINK, RTM_NEWLINK
from .brctl_links import Bridges, is_bridge
from .command_error import CommandError, complain
from .output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..wire.attributes import Values

VERSION = "bridge-utils, 1.7"  # the release whose output this is
YES, NO = ("on", "yes", "1"), ("off", "no", "0")


def main(arguments: Sequence[str]) -> int:
    """Run `brctl ARGUMENTS`; return the exit code."""
    if not arguments:
        write(usage())
        return 1
    name, *rest = arguments
    if name in ("-h", "--help"):
        write(usage())
        return 0
    if name in ("-V", "--version"):
        write(f"{VERSION} (netlinkpy)\n")
        return 0
    command = COMMANDS.get(name)
    if command is None:
        complain(f"never heard of command [{name}]")
        write(usage())
        return 1
    least, function, words, does = command
    if len(rest) < least:
        write(f"Incorrect number of arguments for command\nUsage: brctl {name} {words}\t{does}\n")
        return 1
    try:
        with Socket() as socket:
            function(Bridges(socket), rest)
    except CommandError as error:
        if error.text:
            complain(error.text)
        return error.code
    return 0


def _failed(what: str) -> Callable[[int], str]:
    return lambda errno: f"{what}: {strerror(errno)}"


def _add_bridge(bridges: Bridges, words: Sequence[str]) -> None:
    name = (
        words[0].encode("utf-8", "surrogateescape")[:15].decode("utf-8", "surrogateescape")
    )  # cut, as brctl does
    if bridges.find(name) is not None:
        raise CommandError(f"device {name} already exists; can't create bridge with the same name")
    values = {"ifname": name, "linkinfo": {"kind": "bridge"}}
    if not name:
        raise CommandError("add bridge failed: Invalid argument")
    bridges.send(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, values, _failed("add bridge failed"))


def _delete_bridge(bridges: Bridges, words: Sequence[str]) -> None:
    name = words[0]
    link = bridges.find(name)
    if link is None:
        raise CommandError(f"bridge {name} doesn't exist; can't delete it")
    if not is_bridge(link):
        raise CommandError(f"can't delete bridge {name}: Operation not permitted")
    if link["ifi_flags"] & IFF_UP:
        raise CommandError(f"bridge {name} is still up; can't delete it")
    values = {"ifi_index": link["ifi_index"]}
    bridges.send(RTM_DELLINK, 0, values, _failed(f"can't delete bridge {name}"))


def _add_ports(bridges: Bridges, words: Sequence[str]) -> None:
    name = words[0]
    for port in words[1:]:
        bridge, link = _pair(bridges, name, port)

        def refusal(errno: int, port: str = port) -> str:
            if errno == EBUSY:
                return f"device {port} is already a member of a bridge; can't add it to bridge {name}."
            if errno == ELOOP:
                return (
                    f"device {port} is a bridge device itself; can't add a bridge device to a bridge device."
                )
            return f"can't add {port} to bridge {name}: {strerror(errno)}"

        # Netlink would take a port out of its bridge first, and then perhaps refuse to put it into the other.
        if not is_bridge(bridge):
            raise CommandError(refusal(EOPNOTSUPP))
        if link.get("master"):
            raise CommandError(refusal(EBUSY))
        values = {"ifi_index": link["ifi_index"], "master": bridge["ifi_index"]}
        bridges.send(RTM_NEWLINK, 0, values, refusal)


def _delete_ports(bridges: Bridges, words: Sequence[str]) -> None:
    name = words[0]
    for port in words[1:]:
        bridge, link = _pair(bridges, name, port)
        if link.get("master") != bridge["ifi_index"]:
            raise CommandError(f"device {port} is not a port of {name}")
        values = {"ifi_index": link["ifi_index"], "master": 0}
        bridges.send(RTM_NEWLINK, 0, values, _failed(f"can't delete {port} from {name}"))


def _pair(bridges: Bridges, name: str, port: str) -> tuple[Values, Values]:
    bridge, link = bridges.find(name), bridges.find(port)
    if bridge is None:
        raise CommandError(f"bridge {name} does not exist!")
    if link is None:
        raise CommandError(f"interface {port} does not exist!")
    return bridge, link


def _switch(word: str) -> int:
    if word not in YES + NO:
        raise CommandError("expect on/off for argument")
    return int(word in YES)


def _number(text: str, what: str) -> float:
    """Return a number as strtod() reads it, hexadecimal too."""
    try:
        number = float(int(text, 16)) if text.lower().startswith("0x") else float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 32:
        raise CommandError(f"bad {what}")
    return number


def _hundredths(text: str, what: str) -> int:
    return int(_number(text, what) * 100) & 0xFFFFFFFF


def _set(bridges: Bridges, name: str, what: str, **data: int) -> None:
    failed = f"set {what} failed"
    link = bridges.find(name)
    if link is None:
        raise CommandError(f"{failed}: No such device")
    if not is_bridge(link):
        raise CommandError(f"{failed}: Operation not supported")
    values = {"ifi_index": link["ifi_index"], "linkinfo": {"kind": "bridge", "data": data}}
    bridges.send(RTM_NEWLINK, 0, values, _failed(failed))


def _set_stp(bridges: Bridges, words: Sequence[str]) -> None:
    _set(bridges, words[0], "stp status", stp_state=_switch(words[1]))


def _set_ageing(bridges: Bridges, words: Sequence[str]) -> None:
    _set(bridges, words[0], "ageing time", ageing_time=_hundredths(words[1], "ageing time value"))


def _set_priority(bridges: Bridges, words: Sequence[str]) -> None:
    _set(bridges, words[0], "bridge priority", priority=int(_number(words[1], "priority")) & 0xFFFF)


def _set_forward_delay(bridges: Bridges, words: Sequence[str]) -> None:
    _set(bridges, words[0], "forward delay", forward_delay=_hundredths(words[1], "forward delay value"))


def _set_hello(bridges: Bridges, words: Sequence[str]) -> None:
    _set(bridges, words[0], "hello timer", hello_time=_hundredths(words[1], "hello timer value"))


def _set_max_age(bridges: Bridges, words: Sequence[str]) -> None:
    _set(bridges, words[0], "max age", max_age=_hundredths(words[1], "max age value"))


def _set_port(bridges: Bridges, words: Sequence[str], failed: str, **data: int) -> None:
    link = bridges.find(words[1])
    bridge = bridges.find(words[0])
    if link is None or bridge is None:
        raise CommandError(f"{failed}: No such device")
    if link.get("master") != bridge["ifi_index"]:
        raise CommandError(f"{failed}: No such file or directory")
    values = {"ifi_index": link["ifi_index"], "linkinfo": {"slave_kind": "bridge", "slave_data": data}}
    bridges.send(RTM_NEWLINK, 0, values, _failed(failed))


def _set_cost(bridges: Bridges, words: Sequence[str]) -> None:
    cost = int(_number(words[2], "path cost value")) & 0xFFFFFFFF
    _set_port(bridges, words, "set path cost failed", cost=cost)


def _set_port_priority(bridges: Bridges, words: Sequence[str]) -> None:
    priority = int(_number(words[2], "path priority value")) & 0xFFFF
    _set_port(bridges, words, "set port priority failed", priority=priority)


def _set_hairpin(bridges: Bridges, words: Sequence[str]) -> None:
    failed = f"can't set {words[1]} to hairpin on bridge {words[0]}"
    _set_port(bridges, words, failed, mode=_switch(words[2]))


def _show(bridges: Bridges, words: Sequence[str]) -> None:
    from .brctl_show import show

    show(bridges, words)


def _show_macs(bridges: Bridges, words: Sequence[str]) -> None:
    from .brctl_show import show_macs

    show_macs(bridges, words[0])


def _show_stp(bridges: Bridges, words: Sequence[str]) -> None:
    from .brctl_show import show_stp

    show_stp(bridges, words[0])


# name -> (least number of arguments, function, arguments, what it does)
COMMANDS: dict[str, tuple[int, Callable[[Bridges, Sequence[str]], None], str, str]] = {
    "addbr": (1, _add_bridge, "<bridge>\t", "add bridge"),
    "delbr": (1, _delete_bridge, "<bridge>\t", "delete bridge"),
    "addif": (2, _add_ports, "<bridge> <device>", "add interface to bridge"),
    "delif": (2, _delete_ports, "<bridge> <device>", "delete interface from bridge"),
    "hairpin": (3, _set_hairpin, "<bridge> <port> {on|off}", "turn hairpin on/off"),
    "setageing": (2, _set_ageing, "<bridge> <time>\t", "set ageing time"),
    "setbridgeprio": (2, _set_priority, "<bridge> <prio>\t", "set bridge priority"),
    "setfd": (2, _set_forward_delay, "<bridge> <time>\t", "set bridge forward delay"),
    "sethello": (2, _set_hello, "<bridge> <time>\t", "set hello time"),
    "setmaxage": (2, _set_max_age, "<bridge> <time>\t", "set max message age"),
    "setpathcost": (3, _set_cost, "<bridge> <port> <cost>", "set path cost"),
    "setportprio": (3, _set_port_priority, "<bridge> <port> <prio>", "set port priority"),
    "show": (0, _show, "[ <bridge> ]\t", "show a list of bridges"),
    "showmacs": (1, _show_macs, "<bridge>\t", "show a list of mac addrs"),
    "showstp": (1, _show_stp, "<bridge>\t", "show bridge stp info"),
    "stp": (2, _set_stp, "<bridge> {on|off}", "turn stp on/off"),
}


def usage() -> str:
    """Return the table of all commands."""
    lines = [f"\t{name:<10}\t{words}\t{does}" for name, (_, _, words, does) in COMMANDS.items()]
    return "\n".join(["Usage: brctl [commands]", "commands:", *lines]) + "\n"
