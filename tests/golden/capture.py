"""(Re)make the golden files: run iproute2 under strace, pick one message of each run, write it with comments.

    python -m tests.golden.capture [NAME ...]      as root; needs iproute2, strace and linux-libc-dev

Every command of commands.txt runs in namespaces of its own (network, mounts, pids), made ready as it says.
Sequence number (the time of day) and port id are written as zeros, so a second run gives the same files, but
for what the kernel counts and times.
"""

from __future__ import annotations

import pathlib
import pprint
import re
import subprocess
import sys
import tempfile

from . import description

HERE = pathlib.Path(__file__).parent
ISOLATED = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
STRACE = "strace -e trace=sendmsg,sendto,recvmsg -e write=all -e read=all -o {trace} "


def read_commands() -> tuple[str, list[tuple[str, str, str]]]:
    """The set-up script, and (file name, what to pick, command) of each message wanted."""
    setup: list[str] = []
    wanted: list[tuple[str, str, str]] = []
    for line in (HERE / "commands.txt").read_text().splitlines():
        if line.startswith("+ "):
            setup.append(line[2:])
        elif line and not line.startswith("#"):
            name, pick, command = re.split(r"  +", line, maxsplit=2)
            wanted.append((name, pick, command))
    return "\n".join(setup), wanted


def trace(setup: str, command: str) -> list[tuple[str, bytes]]:
    """Run the set-up, then the command under strace: its messages ("sent" or "got", bytes) in order."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "trace")
        *before, last = command.split(" && ")
        script = "\n".join([setup, *before, STRACE.format(trace=path) + last])
        subprocess.run([*ISOLATED, "sh", "-c", script], capture_output=True)
        text = path.read_text()
    messages: list[tuple[str, bytes]] = []
    for call in re.split(r"^(?=\w+\()", text, flags=re.M)[1:]:
        way = "got" if call.startswith("recv") else "sent"
        dump = b"".join(bytes.fromhex(line[10:59]) for line in call.splitlines() if line.startswith(" | "))
        while (length := int.from_bytes(dump[:4], "little")) >= 16:  # ip sends zeros after some requests
            messages.append((way, dump[:length]))
            dump = dump[length + 3 & ~3 :]
    return messages


def without_numbers(message: bytes) -> bytes:
    """Sequence number and port id zeroed, in the message that an ack echoes too."""
    kind = int.from_bytes(message[4:6], "little")
    message = message[:8] + bytes(8) + message[16:]
    if kind == 2 and len(message) >= 36:
        message = message[:28] + bytes(8) + message[36:]
    return message


def picked(messages: list[tuple[str, bytes]], pick: str) -> bytes:
    """The message that `pick` means: see the head of commands.txt."""
    kind, _, which = pick.partition(":")
    way = "got" if kind.startswith("<") else "sent"
    numbers = {"ERROR": 2, "DONE": 3}
    number = numbers.get(kind.strip("<"), description.constants().get("RTM_" + kind.strip("<")))
    fitting = [m for w, m in messages if w == way and int.from_bytes(m[4:6], "little") == number]
    # ip asks whether RTM_NEWLINK is there at all by an empty one, sequence number 0
    fitting = [m for m in fitting if m[8:12] != bytes(4) and not (kind == "<ERROR" and m[28:32] == bytes(4))]
    if which.isdigit():
        return fitting[int(which)]
    return next(m for m in fitting if which.encode() in m) if which else fitting[-1]


def main(only: list[str]) -> None:
    """Write the files asked for, or all; say which could not be had."""
    setup, wanted = read_commands()
    version = subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout.split(",")[1].strip()
    for name, pick, command in wanted:
        if only and name not in only:
            continue
        try:
            message = without_numbers(picked(trace(setup, command), pick))
        except (StopIteration, IndexError):
            print(f"{name}: no {pick} in {command!r}", file=sys.stderr)
            continue
        kind, lines, values = description.describe(message)
        way = f"what the kernel answered to {version}" if pick.startswith("<") else f"as {version} sends it"
        text = [f"# {command}", f"# {kind}, {way}", "", *lines, "", "values:"]
        text.append(pprint.pformat(values, width=100, sort_dicts=False))
        path = HERE / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
