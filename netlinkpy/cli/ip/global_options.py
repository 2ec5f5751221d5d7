"""The options before the object: `ip -j -n blue link`."""

from __future__ import annotations

from ..command_error import CommandError, HelpError
from .grammar import Words, c_number, choose, wrong
from .session import GlobalOptions

FAMILIES = {"inet": 2, "inet6": 10, "link": 17, "mpls": 28, "bridge": 7}
SHORT_FAMILIES = {"-4": 2, "-6": 10, "-0": 17, "-M": 28, "-B": 7}
NAMES = [  # in the order in which iproute2 tries them: -h is no help, -b a batch
    (name, name)
    for name in (
        "-loops", "-family", "-human-readable", "-iec", "-stats", "-statistics", "-details", "-resolve",
        "-oneline", "-timestamp", "-tshort", "-Version", "-force", "-batch", "-brief", "-json", "-pretty",
        "-rcvbuf", "-color", "-help", "-netns", "-Numeric", "-all",
    )
]  # fmt: skip
SWITCHES = {"-oneline": "oneline", "-force": "force", "-brief": "brief", "-json": "json", "-pretty": "pretty",
            "-Numeric": "numeric", "-all": "all", "-resolve": "resolve"}  # fmt: skip
IGNORED = ("-human-readable", "-iec", "-timestamp", "-tshort")  # they change only what is not built yet


def read_options(words: Words) -> tuple[GlobalOptions | None, str | None]:
    """Return the options and the namespace of -n. No options: the version was printed, and nothing else is to
    be done."""
    options = GlobalOptions()
    namespace: str | None = None
    while words.peek().startswith("-"):
        written = words.next()
        if written == "--":
            break
        word = written[1:] if written.startswith("--") else written
        name = choose(word.partition("=")[0], NAMES)
        if word in SHORT_FAMILIES:
            options.family = SHORT_FAMILIES[word]
        elif name is None or ("=" in word and name != "-color"):
            raise _unknown(written)
        elif name == "-color":
            options.colour = _colour(written, word.partition("=")[2] if "=" in word else "always")
        elif name in SWITCHES:
            setattr(options, SWITCHES[name], True)
        elif name in ("-stats", "-statistics"):
            options.statistics += 1
        elif name == "-details":
            options.details += 1
        elif name == "-Version":
            _say_version()
            return None, None
        elif name == "-help":
            raise HelpError()
        elif name not in IGNORED:
            if not words and name != "-netns":
                raise HelpError()
            if not words:
                raise CommandError(f'Option "{written}" needs the name of a namespace', 255, final=True)
            value = words.next()
            if name == "-netns":
                namespace = value
            elif name == "-batch":
                options.batch = value
            else:
                _read_value(options, name, value)
    return options, namespace


def _read_value(options: GlobalOptions, name: str, value: str) -> None:
    if name == "-family":
        if value == "help":
            raise HelpError()
        if value not in FAMILIES:
            raise wrong(value, "invalid protocol family")
        options.family = FAMILIES[value]
    elif name == "-loops":
        options.loops = c_number(value) or 0
    elif c_number(value) is None:  # -rcvbuf: our socket reads before it can fill
        raise CommandError(f"Invalid rcvbuf size '{value}'", 255, final=True)


def _unknown(word: str) -> CommandError:
    return CommandError(f'Option "{word}" is unknown, try "ip -help".', 255, final=True)


def _colour(word: str, value: str) -> str:
    if value not in ("always", "auto", "never"):
        raise _unknown(word)
    return value


def _say_version() -> None:
    from ... import __version__
    from ..output import write

    write(f"ip utility, netlinkpy-{__version__}\n")
