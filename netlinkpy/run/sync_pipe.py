"""SyncPipe: messages between the two sides of a spawn, and why one of them failed."""

from __future__ import annotations

import errno
import os
from _socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    SCM_RIGHTS,
    SOCK_CLOEXEC,
    SOCK_SEQPACKET,
    SOL_SOCKET,
    socket,
    socketpair,
)
from sys import byteorder

OURS, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # exit codes, as docker's
_MOST = 4096  # bytes of a word


class StartError(OSError):
    """A container, or a command in one, could not be started; nothing of it is left.

    exit_code: what a command line ends with: 127 the command was not found, 126 it cannot be executed, 125
    everything else."""

    exit_code: int = OURS


def start_error(code: int, why: str, exit_code: int = OURS) -> StartError:
    """Return a StartError with errno, sentence and exit code."""
    error = StartError(code, why)
    error.exit_code = exit_code
    return error


def sentence(error: BaseException) -> str:
    """Return what an error says, in one line, without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error) or type(error).__name__
    about = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    return error.strerror if not about or about in error.strerror else f"{about}: {error.strerror}"


class SyncPipe:
    """One end of a pipe in both directions. exec closes it: so end of file means that the command runs."""

    __slots__ = ("_socket",)

    def __init__(self, end: socket) -> None:
        end.settimeout(None)  # whatever socket.setdefaulttimeout() says
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[SyncPipe, SyncPipe]:
        """Return both ends."""
        one, other = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return self._socket.fileno()

    def say(self, word: str) -> None:
        """Send a word. Raise BrokenPipeError if the other end is closed."""
        self._socket.send(word.encode("utf-8", "surrogateescape")[:_MOST])

    def fail(self, error: BaseException, exit_code: int = OURS) -> None:
        """Tell the other end why this one gives up; harmless if that is closed."""
        number = (isinstance(error, OSError) and error.errno) or errno.EIO
        try:
            self.say(f"!{exit_code} {number} {sentence(error)}")
        except OSError:
            return

    def hand(self, fd: int) -> None:
        """Send a copy of a descriptor (SCM_RIGHTS, unix(7))."""
        self._socket.sendmsg([b"fd"], [(SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(4, byteorder))])

    def take(self) -> int:
        """Hear until the other end is closed; return the descriptor that it handed over, -1 if none. Raise
        StartError if it says that it failed."""
        taken = -1
        try:
            while True:
                word, more, _, _ = self._socket.recvmsg(_MOST, CMSG_SPACE(4), MSG_CMSG_CLOEXEC)
                if more:
                    taken = int.from_bytes(more[0][2], byteorder)
                if not self._understand(word):
                    return taken
        except BaseException:
            if taken >= 0:
                os.close(taken)
            raise

    def hear(self) -> str:
        """Return the next word, "" if the other end is closed. Raise StartError if it says that it failed."""
        return self._understand(self._socket.recv(_MOST))

    def _understand(self, said: bytes) -> str:
        word = said.decode("utf-8", "surrogateescape")
        if word.startswith("!"):
            exit_code, number, why = word[1:].split(" ", 2)
            raise start_error(int(number), why, int(exit_code))
        return word

    def expect(self, wanted: str) -> None:
        """Wait for a word. Raise StartError (EPIPE) if the other end closes without it."""
        if self.hear() != wanted:
            raise start_error(errno.EPIPE, "the first process of the container died while it was made")

    def close(self) -> None:
        """Close this end; a second time does nothing."""
        self._socket.close()
