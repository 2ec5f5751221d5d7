"""ip: iproute2's options, objects and commands, and its sentences and exit codes for errors."""

from __future__ import annotations

from ..command_error import CommandError, HelpError, complain
from .grammar import Words, choose, matches, not_built
from .session import GlobalOptions, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from ...wire.errors import NetlinkError

    #: (command, (module, function)); a word selects the first command that it abbreviates. No module: not
    #: built yet.
    Commands: TypeAlias = Sequence[tuple[str, tuple[str, str]]]

_LINK_SHOW, _ADDRESS_SHOW, _ROUTE_SHOW = (
    ("link_show", "show"),
    ("address_show", "show"),
    ("route_show", "show"),
)

_NETNS_SHOW, _NEIGH_SHOW, _RULE_SHOW = ("netns", "show"), ("neighbour", "show"), ("rule_show", "show")
NOTHING = ("", "")
HELP = ("", "help")

COMMANDS: dict[str, Commands] = {
    "link": (
        ("add", ("link_set", "add")),
        ("set", ("link_set", "change")),
        ("change", ("link_set", "change")),
        ("replace", ("link_set", "replace")),
        ("delete", ("link_set", "delete")),
        ("show", _LINK_SHOW),
        ("lst", _LINK_SHOW),
        ("list", _LINK_SHOW),
        ("xstats", NOTHING),
        ("afstats", NOTHING),
        ("property", ("link_set", "change_properties")),
        ("help", HELP),
    ),
    "address": (
        ("add", ("address_set", "add")),
        ("change", ("address_set", "change")),
        ("chg", ("address_set", "change")),
        ("replace", ("address_set", "replace")),
        ("delete", ("address_set", "delete")),
        ("show", _ADDRESS_SHOW),
        ("lst", _ADDRESS_SHOW),
        ("list", _ADDRESS_SHOW),
        ("flush", ("address_set", "flush")),
        ("save", NOTHING),
        ("showdump", NOTHING),
        ("restore", NOTHING),
        ("help", HELP),
    ),
    "route": (
        ("list", _ROUTE_SHOW),
        ("show", _ROUTE_SHOW),
        ("lst", _ROUTE_SHOW),
        ("get", ("route_get", "get")),
        ("add", ("route_set", "add")),
        ("change", ("route_set", "change")),
        ("chg", ("route_set", "change")),
        ("replace", ("route_set", "replace")),
        ("prepend", ("route_set", "prepend")),
        ("append", ("route_set", "append")),
        ("test", ("route_set", "test")),
        ("delete", ("route_set", "delete")),
        ("flush", ("route_show", "flush")),
        ("save", NOTHING),
        ("restore", NOTHING),
        ("showdump", NOTHING),
        ("help", HELP),
    ),
    "neigh": (
        ("add", ("neighbour", "add")),
        ("change", ("neighbour", "change")),
        ("chg", ("neighbour", "change")),
        ("replace", ("neighbour", "replace")),
        ("delete", ("neighbour", "delete")),
        ("get", NOTHING),
        ("show", _NEIGH_SHOW),
        ("lst", _NEIGH_SHOW),
        ("list", _NEIGH_SHOW),
        ("flush", ("neighbour", "flush")),
        ("help", HELP),
    ),
    "rule": (
        ("list", _RULE_SHOW),
        ("lst", _RULE_SHOW),
        ("show", _RULE_SHOW),
        ("add", NOTHING),
        ("delete", NOTHING),
        ("flush", NOTHING),
        ("save", NOTHING),
        ("restore", NOTHING),
        ("help", HELP),
    ),
    "netns": (
        ("list", _NETNS_SHOW),
        ("show", _NETNS_SHOW),
        ("lst", _NETNS_SHOW),
        ("list-id", ("netns", "show_ids")),
        ("help", HELP),
        ("add", ("netns", "add")),
        ("set", ("netns", "set_id")),
        ("delete", ("netns", "delete")),
        ("identify", ("netns", "identify")),
        ("pids", ("netns", "pids")),
        ("exec", ("netns_exec", "execute")),
        ("monitor", ("netns", "monitor")),
        ("attach", ("netns", "attach")),
        ("prune", ("netns", "prune")),
    ),
}
OBJECTS: Sequence[tuple[str, str]] = [  # in the order in which iproute2 tries them
    ("address", "address"), ("addrlabel", ""), ("maddress", ""), ("route", "route"), ("rule", "rule"),
    ("neighbor", "neigh"), ("neighbour", "neigh"), ("ntable", ""), ("ntbl", ""), ("link", "link"),
    ("l2tp", ""), ("fou", ""), ("ila", ""), ("macsec", ""), ("tunnel", ""), ("tunl", ""), ("tuntap", ""),
    ("tap", ""), ("token", ""), ("tcpmetrics", ""), ("monitor", ""), ("xfrm", ""), ("mroute", ""),
    ("mrule", ""), ("netns", "netns"), ("netconf", ""), ("vrf", ""), ("sr", ""), ("nexthop", ""),
    ("mptcp", ""), ("ioam", ""), ("help", "help"), ("stats", ""), ("amt", ""),
]  # fmt: skip
SHOWS = (_LINK_SHOW, _ADDRESS_SHOW, _ROUTE_SHOW, _NEIGH_SHOW, _RULE_SHOW, ("route_get", "get"))


def main(arguments: Sequence[str]) -> int:
    """Run `ip ARGUMENTS`; return the exit code."""
    from .global_options import read_options

    words = Words(arguments)
    session: Session | None = None
    try:
        options, namespace = read_options(words)
        if options is None:
            return 0
        session = Session(options)
        if namespace is not None:
            from .netns import open_named

            session.netns = open_named(namespace)
        if options.batch is not None:
            from .batch import run_file

            return run_file(session, options.batch)
        if not words:
            raise HelpError()
        return run(session, words.rest())
    except CommandError as error:
        return report(error, "ip")
    finally:
        if session is not None:
            session.close()


def knows(word: str) -> bool:
    """Return whether a word is, or abbreviates, an object of ip."""
    return choose(word, [(name, name) for name, _ in OBJECTS]) is not None


def run(session: Session, arguments: Sequence[str]) -> int:
    """Run one command, OBJECT COMMAND ...; return its exit code. Raise a CommandError that is final."""
    from ...wire.errors import NetlinkError

    topic = "ip"
    try:
        words = Words(arguments)
        word = words.next()
        name = choose(word, [(name, name) for name, _ in OBJECTS])
        if name is None:
            raise CommandError(f'Object "{word}" is unknown, try "ip help".')
        topic = dict(OBJECTS)[name]
        if topic == "help":
            topic = "ip"
            raise HelpError()
        if not topic:
            raise not_built(f"ip {name}")
        _command(session, topic, words)(session, words)
    except NetlinkError as error:
        complain(kernel_message(error))
        return 2
    except HelpError:
        from .usage import usage

        complain(usage(topic))
        raise CommandError("", 255, final=True) from None
    except CommandError as error:
        if error.final:
            raise
        return report(error, topic)
    return 0


def _command(session: Session, topic: str, words: Words) -> Callable[[Session, Words], Any]:
    commands = COMMANDS[topic]
    word = words.next() if words else "show"
    found = choose(word, commands)
    if found is None:
        raise CommandError(f'Command "{word}" is unknown, try "ip {topic} help".', 255, final=True)
    if found == HELP:
        raise HelpError()
    if found == NOTHING:
        raise not_built(f"ip {topic} {next(name for name, _ in commands if matches(word, name))}")
    if found in SHOWS:
        _refuse_options(session.options, found)
    module, function = found
    loaded = __import__(f"{__name__}.{module}", fromlist=[function])
    command: Callable[[Session, Words], Any] = getattr(loaded, function)
    return command


def _refuse_options(options: GlobalOptions, command: tuple[str, str]) -> None:
    """Refuse options that would show more than is built yet, rather than leave something out in silence."""
    if options.brief and command in (_LINK_SHOW, _ADDRESS_SHOW):
        return
    if options.details and command not in (_LINK_SHOW, _ADDRESS_SHOW):
        raise not_built("details (-d)")
    if options.statistics:
        raise not_built("statistics (-s)")
    if options.resolve and command != _LINK_SHOW:
        raise not_built("the resolving of addresses to names (-r)")


def report(error: CommandError, topic: str) -> int:
    """Print what is wrong; return the exit code."""
    if isinstance(error, HelpError):
        from .usage import usage

        complain(usage(topic))
    elif error.text:
        complain(error.text)
    return error.code


def kernel_message(error: NetlinkError) -> str:
    """Return a refusal of the kernel in iproute2's words, with a second line if those say too little."""
    from errno import EEXIST
    from os import strerror

    if error.text:
        line = f"Error: {error.text.rstrip('.')}."
        hint = (
            f"attribute {error.path}"
            if error.path and error.path.rpartition(".")[2] not in error.text
            else ""
        )
    else:
        from ...wire.errors import meaning

        line = f"RTNETLINK answers: {strerror(error.errno or 0)}"
        hint = error.hint or meaning(error.errno or 0)
        if hint in (strerror(error.errno or 0), meaning(EEXIST)):
            hint = ""
        if error.path:
            hint += f" (attribute {error.path})"
    return f"{line}\n  hint: {hint}" if hint else line
