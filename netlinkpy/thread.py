"""Thread: a throw-away thread whose end is always known."""

from __future__ import annotations

import errno
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK = 0.2  # seconds between two looks at whether it is still there


class Thread:
    """A thread for one piece of work. start() it once, and wait() for its end.

    Without memory a thread may end before its first line, so no line can tell of every end: what also tells
    is that the bound method is gone, which nothing but the thread holds."""

    __slots__ = ("_ended", "_held", "_there", "_work")

    def __init__(self, work: Callable[[], None]) -> None:
        from _thread import allocate_lock
        from _weakref import ref

        self._work = work
        self._ended = allocate_lock()
        self._ended.acquire()
        self._held = [self._run]
        self._there = ref(self._held[0])

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._ended.release()

    def start(self) -> None:
        """Start it. Raise OSError (EAGAIN) if no thread can be had."""
        from _thread import start_new_thread

        try:
            start_new_thread(self._held.pop(), ())
        except RuntimeError as error:
            self._ended.release()  # the error may hold the method
            raise OSError(errno.EAGAIN, str(error)) from None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most timeout seconds; not at all if it was not started. Return whether
        it has ended. What a signal handler raises meanwhile is raised at once; then wait again."""
        self._held.clear()
        deadline = None if timeout is None else monotonic() + timeout
        while self._there() is not None:
            left = _LOOK if deadline is None else min(_LOOK, deadline - monotonic())
            if left <= 0:
                return False
            if self._ended.acquire(timeout=left):
                self._ended.release()
                return True
        return True
