"""netlinkpy's own time in an attach: the kernel's answers are recorded once and played back (recorder/).

    LD_PRELOAD=recorder.so python replayed.py [profile-]one|many N
                                            (in network and mount namespaces of its own: replay.py starts it)

The figure is CPU time of the whole process, which the kernel counts exactly (its user part alone it samples
at 250 Hz), less the time spent in the recorder. So it includes the interpreter, the shim, and the system
calls that are not netlink: a namespace opened, looked at and closed (`kernel` is their part). It does not
include what the kernel does for netlink, nor the thread that enters a namespace to open a socket, except with
the backend python, whose thread is one of the interpreter's.

It is the least of several plays, with warm caches: what else the machine does can only add to it. In real use
the kernel's work in between leaves the caches cold, and the same calls take two to three times as long;
`cold` is the figure after 16 MiB of memory were written, and varies with the machine. Compare it with that of
another tree in the same run, not with another machine's.

Calls are those that sys.setprofile sees on the calling thread: of functions in Python, and of ones in C.
"""

from __future__ import annotations

import cProfile
import ctypes
import json
import pstats
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from ground import Place, prepare
from ours import ROOT, attach

WARM_UP = 5  # attaches, before any is recorded
PASSES = {"one": 20, "many": 30}  # how often a recording is played
COLD_PASSES = 5
CACHES = 16 << 20  # bytes that are written to cool them

Work = Callable[[], object]


class Recorder:
    """The functions of the library that is preloaded."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.replay_spent.restype = ctypes.c_uint64
        self._library.replay_in_kernel.restype = ctypes.c_uint64
        self._library.replay_trouble.restype = ctypes.c_char_p

    def record(self, number: int, work: Work) -> None:
        self._library.replay_record(number)
        try:
            work()
        finally:
            self._library.replay_stop()

    def play(self, number: int, work: Work) -> None:
        """Do work() again without the kernel. Raise RuntimeError if it makes other requests than were
        recorded."""
        self._library.replay_play(number)
        try:
            work()
        except OSError as error:
            self._library.replay_stop()
            raise RuntimeError(f"{self.trouble() or 'it failed when it was played'} ({error})") from None
        self._library.replay_stop()
        if self.trouble():
            raise RuntimeError(self.trouble())

    def seconds(self, number: int, work: Work, chill: int = 0) -> tuple[float, float, float]:
        """Play a tape. Return its seconds of CPU, and by the wall clock those of the library, and of the
        calls that reach the kernel. chill: bytes of memory to write first, to cool the caches."""
        taken = 0

        def timed() -> None:
            nonlocal taken
            start = time.process_time_ns()
            work()
            taken = time.process_time_ns() - start

        if chill:
            self._library.replay_chill(chill)
        self.play(number, timed)
        return taken / 1e9, self._library.replay_spent() / 1e9, self._library.replay_in_kernel() / 1e9

    def trouble(self) -> str:
        text: bytes = self._library.replay_trouble()
        return text.decode()

    @property
    def datagrams(self) -> tuple[int, int]:
        """The numbers of datagrams sent and received in the last play."""
        return self._library.replay_sends(), self._library.replay_receives()


def count_calls(work: Work) -> Counter[str]:
    """Return the numbers of calls of Python functions ("call") and of C ones ("c_call"), without the
    benchmark's own."""
    counted: Counter[str] = Counter()
    own = {count_calls.__code__.co_filename, attach.__code__.co_filename}

    def note(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_filename not in own:
            counted[event] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


def recorded(task: str, count: int, recorder: Recorder) -> list[Work]:
    """Record; return the work on each tape: one attach for each, or one of all."""
    places = prepare(count + WARM_UP)
    for place in places[:WARM_UP]:
        attach([place])
    groups: list[list[Place]] = [[place] for place in places[WARM_UP:]]
    if task == "many":
        groups = [places[WARM_UP:]]
    works = [partial(attach, group) for group in groups]
    for number, work in enumerate(works):
        recorder.record(number, work)
    return list(works)


def measure(task: str, count: int) -> dict[str, object]:
    recorder = Recorder()
    works = recorded(task, count, recorder)
    each = count // len(works)

    def quietest(passes: int, chill: int = 0) -> tuple[float, float]:
        """Return the median over the recordings of the least time that each took, less the least of the
        library (what else the machine does can only add to either); and the kernel's part of it."""
        plays = [
            [recorder.seconds(tape, work, chill) for tape, work in enumerate(works)] for _ in range(passes)
        ]
        left, kernels = [], []
        for of_one in zip(*plays, strict=True):
            taken, library, kernel = map(min, zip(*of_one, strict=True))
            left.append((taken - library) / each)
            kernels.append(kernel / each)
        return statistics.median(left), statistics.median(kernels)

    (warm, kernel), (cold, _) = quietest(PASSES[task]), quietest(COLD_PASSES, CACHES)
    counts = []
    for tape, work in enumerate(works[:10]):
        recorder.play(tape, lambda work=work: counts.append(count_calls(work)))  # type: ignore[misc]
    sends, receives = recorder.datagrams
    return {
        "replayed": warm,
        "kernel": kernel,
        "cold": cold,
        "python calls": statistics.median(counted["call"] for counted in counts) / each,
        "c calls": statistics.median(counted["c_call"] for counted in counts) / each,
        "sends": sends / each,
        "receives": receives / each,
    }


def profile(task: str, count: int) -> None:
    """Print the functions of an attach by their own time: calls and microseconds (by a profiler, which makes
    functions with many calls appear slower than they are)."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as others who print tables, into `head` say
    recorder = Recorder()
    works = recorded(task, count, recorder)
    profiler = cProfile.Profile()
    for _ in range(PASSES[task]):
        for number, work in enumerate(works):
            recorder.play(number, partial(profiler.runcall, work))
    attaches = PASSES[task] * count
    package = f"{ROOT}/netlinkpy/"
    found: dict[tuple[str, int, str], Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    rows = []
    for (path, line, name), (_, calls, own, whole, _) in found.items():
        where = "" if path == "~" else f"{path.removeprefix(package)}:{line} "
        rows.append((own, whole, calls, where + name))
    print(f"{'calls':>8}{'own us':>9}{'all us':>9}   of each attach")
    for own, whole, calls, name in sorted(rows, reverse=True):
        if calls / attaches >= 0.005:
            print(f"{calls / attaches:8.2f}{own / attaches * 1e6:9.2f}{whole / attaches * 1e6:9.2f}   {name}")


if __name__ == "__main__":
    task, count = sys.argv[1], int(sys.argv[2])
    if task.startswith("profile-"):
        profile(task.removeprefix("profile-"), count)
    else:
        print(json.dumps({"what": task, "n": count, **measure(task, count)}))
