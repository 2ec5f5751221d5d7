"""netlinkpy run: a command in namespaces of its own, its network in one of Docker's four modes."""

from __future__ import annotations

import os

from ..os_error import explained
from .command import Command, Option
from .command_error import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..run.networking import Connected
    from ..run.options import Options

COMMAND = Command(
    usage="netlinkpy run [OPTIONS] [--net=MODE] [--] COMMAND [ARGUMENT]...",
    summary="""Run a command in namespaces of its own (network, processes, mounts, host name, IPC), wired
before its first instruction. When it ends, or netlinkpy is killed, everything of it is gone. The file
system is the host's.

MODE: bridge, or the name of a network; none: lo alone; host: the host's network itself, which is no
isolation; container:TARGET: the network of another one: a run by its name, pid:N, netns:NAME,
docker:NAME, podman:NAME.""",
    options=(
        Option(("-i", "--interactive"), "", "pass standard input on"),
        Option(("-t", "--tty"), "", "give it a terminal of its own"),
        Option(("-d", "--detach"), "", "go on in the background, and print the name"),
        Option(("--rm",), "", "leave nothing behind: always so, taken for docker's sake"),
        Option(("--network", "--net"), "MODE", "its network (default: bridge)", default="bridge"),
        Option(("--bridge",), "BRIDGE", "this bridge in place of a network's; needs --ip"),
        Option(("--name",), "NAME", "for ps, exec, port and container:NAME"),
        Option(("--ip",), "IP", "its IPv4 address (with --bridge: with its prefix length)"),
        Option(("--ip6",), "IP", "its IPv6 address (the same)"),
        Option(("--mac-address",), "MAC", "its MAC, or random (default: 02:42 and the IPv4 address)"),
        Option(("--default-gateway",), "IP", "of the default route (default: the bridge's)", many=True),
        Option(("-p", "--publish"), "[ADDR:]HOST:PORT[/udp]", "a port of the host that leads in", many=True),
        Option(("--dns",), "IP", "a name server, in a resolv.conf of its own; may be given again", many=True),
        Option(("--hostname",), "NAME", "its host name (default: its name)"),
        Option(("--privileged",), "", "keep every capability: it may then reconfigure the network"),
    ),
    least=1,
    most=None,
    examples=(
        "netlinkpy run -i -t --rm --net=none -- /bin/bash",
        "netlinkpy run -d --name web -p 8080:8000 -- python3 -m http.server",
        "netlinkpy run --net=container:web -- wget -O - http://127.0.0.1:8000/",
    ),
    stop_at_argument=True,
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Exit codes: the command's, or 128 and the number of the signal that ended it; 127 no such command, 126
    it cannot be executed, 125 it was not started for another reason; 2 the words do not fit."""
    parsed = COMMAND.parse(arguments)
    if parsed is None:
        return 0
    values, words = parsed
    try:
        options = _options(values, words)
        _warn_of_host(options)
        if values["detach"]:
            return _detached(options)
        from ..run.supervisor import supervise
        from .interrupt import interrupt_on_terminate

        interrupt_on_terminate()  # until the supervisor takes the signals
        return supervise(options, lambda _, connected: say(_notes(connected)))
    except (OSError, ValueError) as error:
        sentence, code = complaint(error)
        say(sentence)
        return code


def _options(values: dict[str, Any], words: list[str]) -> Options:
    from ..run.options import Options, checked

    options = Options(
        command=tuple(words),
        net=values["net"],
        name=values["name"],
        bridge=values["bridge"],
        ip=values["ip"],
        ip6=values["ip6"],
        mac=values["mac_address"],
        gateways=tuple(values["default_gateway"]),
        ports=tuple(values["publish"]),
        dns=tuple(values["dns"]),
        hostname=values["hostname"],
        privileged=values["privileged"],
        interactive=values["interactive"],
        tty=values["tty"],
    )
    return checked(options)


def _notes(connected: Connected | None) -> str:
    """Return what the user should know, a line each."""
    return "".join(f"netlinkpy: {note}\n" for note in connected.notes) if connected is not None else ""


def _warn_of_host(options: Options) -> None:
    """Warn that --net=host is no isolation."""
    if options.mode == "host":
        more = " and, privileged, may reconfigure its network" if options.privileged else ""
        say(
            "netlinkpy: warning: --net=host is no isolation: the command reaches everything that listens on "
            f"the host, D-Bus for one{more}\n"
        )


def say(text: str) -> None:
    """Write lines to standard error, if there are any."""
    if text:
        complain(text.removesuffix("\n"))


def complaint(error: Exception) -> tuple[str, int]:
    """Return one sentence, and the exit code that goes with it."""
    from ..run.sync_pipe import OURS, sentence

    return f"netlinkpy: {sentence(error)}\n", int(getattr(error, "exit_code", OURS))


def _detached(options: Options) -> int:
    """Supervise it in a process and a session of its own; print its name when it runs."""
    from ..run.signals import SIGTERM, exit_code

    told, teller = os.pipe()
    with open(told, encoding="utf-8", errors="surrogateescape") as pipe:
        try:
            supervisor = os.fork()
        except OSError as error:
            os.close(teller)
            raise explained(error, "start the supervisor of the container") from None
        if not supervisor:
            try:
                os.close(told)
                _supervise_in_background(options, teller)
            finally:  # nothing may run on into the caller's code
                os._exit(125)
        try:
            os.close(teller)
            running, text = pipe.read(1), pipe.read()
        except BaseException:
            os.kill(supervisor, SIGTERM)
            os.waitpid(supervisor, 0)
            raise
    say(text)
    if running != "+":
        code = exit_code(os.waitpid(supervisor, 0)[1])
        if not text:
            say(f"netlinkpy: the supervisor of container {options.name} ended before that ran ({code})\n")
        return code

    def end() -> None:
        os.kill(supervisor, SIGTERM)
        os.waitpid(supervisor, 0)

    from .tell import discard_output, tell

    try:
        tell(lambda: print(options.name), end)
    except BrokenPipeError:
        discard_output()
        return 141
    return 0


def _supervise_in_background(options: Options, teller: int) -> None:
    """Be the other process, and never return. Tell "+" and the warnings, or "-" and the complaint."""
    code, heard = 125, True

    def tell(text: str) -> None:
        nonlocal heard
        if heard:
            heard = False
            os.write(teller, text.encode("utf-8", "surrogateescape"))
            os.close(teller)

    try:
        from ..run.supervisor import supervise
        from .interrupt import interrupt_on_terminate

        interrupt_on_terminate()  # until the supervisor takes the signals
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        if options.tty:
            options = options.replace(interactive=False)  # nobody types
        elif options.interactive:
            os.dup2(os.pipe()[0], 0)  # nobody writes, and it does not end
        code = supervise(options, lambda _, connected: tell("+" + _notes(connected)))
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # whatever it is, the caller hears of it
        sentence, code = complaint(error)
        tell("-" + sentence)
    finally:
        os._exit(code)
