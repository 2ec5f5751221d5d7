"""cli: the commands: `netlinkpy VERB ...`, and `ip` and `brctl` if a link of that name leads here."""

from __future__ import annotations

import codecs
import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERBS = {  # verb -> the module whose main() takes the words after it and returns the exit code
    "attach": "attach",
    "detach": "detach",
    "network": "network",
    "run": "run",
    "ps": "ps",
    "exec": "exec",
    "port": "port",
    "show": "show",
    "stop": "stop",
    "kill": "kill",
    "bench": "bench",
    "brctl": "brctl",
    "completion": "completion",
}


def command() -> int:
    """Be this process's program: main(). When all is done and told, no signal changes the exit code any more,
    while the interpreter ends."""
    from .interrupt import ignore_interrupts

    code = main()
    ignore_interrupts()
    return code


def main() -> int:
    """Run the command line of this process; return the exit code."""
    gc.set_threshold(20_000)  # what a command makes as it starts is no garbage: looking for it costs 2 ms
    program = sys.argv[0].rpartition("/")[2]
    arguments = sys.argv[1:]
    try:
        if sys.stdin is None or sys.stdout is None or sys.stderr is None:
            _open_streams()
        _make_printable()
        code = _run(program, arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads on: that is the reader's choice, and no error
        from .tell import discard_output

        discard_output()
        return 141
    except Exception as error:
        from .command_error import CommandError, complain

        if isinstance(error, CommandError):
            complain(error.text)
            code = error.code
        elif isinstance(error, (OSError, ValueError, TypeError, ImportError)):
            complain(f"{program or 'netlinkpy'}: {_sentence(error)}")
            code = 1
        else:
            raise
        _write_the_rest()
        return code


def _make_printable() -> None:
    """Let nothing that is printed make a terminal obey, and no letter that its encoding lacks be an error."""
    for stream in (sys.stdout, sys.stderr):
        if not hasattr(stream, "reconfigure"):
            continue
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(errors=_AS_BYTES)
    if sys.stdout.isatty():
        from .output import Terminal

        sys.stdout = Terminal(sys.stdout)


def _as_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Let names go into a pipe as the bytes that they are, whatever its encoding."""
    if not isinstance(error, UnicodeEncodeError):  # who reads what was written
        return codecs.lookup_error("surrogateescape")(error)
    return error.object[error.start : error.end].encode("utf-8", "surrogateescape"), error.end


_AS_BYTES = "netlinkpy.bytes"
codecs.register_error(_AS_BYTES, _as_bytes)


def _open_streams() -> None:
    """Open standard streams that were closed, to /dev/null: else the first socket would get their number, and
    what is written there."""
    import os

    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115  # for good
            setattr(sys, name, stream)


def _write_the_rest() -> None:
    """Write what Python still holds for standard output. Where that fails, as it did before, discard it."""
    try:
        sys.stdout.flush()
    except OSError:
        from .tell import discard_output

        discard_output()


def _run(program: str, arguments: Sequence[str]) -> int:
    if program in ("ip", "brctl"):
        return _load(program)(arguments)
    verb = arguments[0] if arguments else "--help"
    if verb in ("--version", "-V", "version"):
        return _say_version()
    if verb in ("--help", "-h", "help"):
        return _help(arguments[1] if len(arguments) > 1 else "")
    if len(arguments) > 1 and arguments[1] in ("--help", "-h") and not verb.startswith("-"):
        return _help(verb)
    if verb in VERBS:
        return _load(VERBS[verb])(arguments[1:])
    from .ip import knows, main

    if not verb.startswith("-") and not knows(verb):
        return _no_verb(verb)
    return main(arguments)


def _no_verb(verb: str) -> int:
    from .command_error import complain

    complain(f"netlinkpy has no verb {verb!r}; see netlinkpy --help")
    return 1


def _load(module: str) -> Callable[[Sequence[str]], int]:
    loaded = __import__(f"{__name__}.{module}", fromlist=["main"])
    main: Callable[[Sequence[str]], int] = loaded.main
    return main


def _help(verb: str) -> int:
    from .help import text
    from .output import write

    found = text(verb)
    if found is None:
        return _no_verb(verb)
    write(found)
    return 0


def _say_version() -> int:
    from .. import __version__
    from ..backends import backend
    from .output import write

    write(f"netlinkpy {__version__} (backend {backend()})\n")
    return 0


def _sentence(error: Exception) -> str:
    """Return an error in one line; an OSError of the system says what it was about."""
    if isinstance(error, OSError) and error.strerror:
        from .. import wire

        own = type(error).__module__.startswith(wire.__name__)
        about = (
            f"{error.filename}: "
            if error.filename
            and not isinstance(error.filename, int)
            and not own
            and str(error.filename) not in error.strerror
            else ""
        )
        return f"{about}{error.strerror}".replace("\n", " ")
    return str(error).replace("\n", " ")
