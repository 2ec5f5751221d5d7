"""Poller: descriptors, and what to call when one is ready. Pump: bytes copied between two of them."""

from __future__ import annotations

import os
import select
from select import POLLIN, POLLOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 4096  # bytes copied at a time: a terminal that stands still must not block us for long


class Poller:
    """Watched descriptors, each with one call."""

    __slots__ = ("_calls", "_poll")

    def __init__(self) -> None:
        self._poll = select.poll()
        self._calls: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, call: Callable[[], None], events: int = POLLIN) -> None:
        """Call a function whenever the descriptor is ready (or hung up)."""
        self._poll.register(fd, events)
        self._calls[fd] = call

    def forget(self, fd: int) -> None:
        """Stop watching it; harmless if it is not watched."""
        if self._calls.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def turn(self, seconds: float | None = None) -> None:
        """Wait until something is ready (so many seconds at most), and call its function."""
        for fd, _ in self._poll.poll(None if seconds is None else seconds * 1000):
            call = self._calls.get(fd)
            if call is not None:
                call()


class Pump:
    """Copies from one descriptor to another by a poller, until the source ends. It holds one chunk at most,
    and reads no more while that cannot be written."""

    __slots__ = ("_held", "_poller", "_sink", "_source")

    def __init__(self, poller: Poller, source: int, sink: int) -> None:
        self._poller, self._source, self._sink = poller, source, sink
        self._held = b""
        poller.watch(source, self._read)

    def stop(self) -> None:
        """Stop copying."""
        self._poller.forget(self._source)
        self._poller.forget(self._sink)

    def drain(self) -> None:
        """Copy only what the source holds now, waiting for nothing but the sink."""
        self.stop()
        os.set_blocking(self._source, False)
        while self._held or self._fill():
            try:
                self._held = self._held[os.write(self._sink, self._held) :]
            except OSError:
                return

    def _fill(self) -> bool:
        try:
            self._held = os.read(self._source, CHUNK)
        except OSError:  # EIO: the last process has closed its side of a pseudo-terminal; EAGAIN: drained
            self._held = b""
        return bool(self._held)

    def _read(self) -> None:
        self._poller.forget(self._source)
        if self._fill():
            self._poller.watch(self._sink, self._write, POLLOUT)

    def _write(self) -> None:
        try:
            self._held = self._held[os.write(self._sink, self._held) :]
        except BlockingIOError:  # somebody else set the sink to non-blocking
            return
        except OSError:  # nobody takes it any more: the source must not be held up
            self._held = b""
        if not self._held:
            self._poller.forget(self._sink)
            self._poller.watch(self._source, self._read)
