"""Backend: what the layers above call; and Ahead, the owner of a socket that is being opened.

Below it is a *door*: the functions of csrc/shim.h by name, through cffi, through the shim's own module, or
written again in Python (pure/). Each takes numbers, buffers and perhaps a list of buffers, and returns an
integer; a negative one becomes an exception here.

Conventions. All offsets and lengths are bytes. A *buffer* is any C-contiguous object of the buffer protocol
(raise BufferError for another one, or for one that must be writable and is not). Every bound is checked
before anything is written: arguments that do not fit together raise ValueError, and nothing is overrun.
Refusals of the kernel are raised as OSErrors with their errno. The GIL is released, so several threads may
call at once, as long as they share no writable buffer and no socket. No function moves the calling thread
into another namespace, except `setns` and `unshare`.

Integers inside buffers are in the host's byte order unless said otherwise. The framing (nlmsghdr, nlattr,
nlmsgerr) is that of linux/netlink.h; nothing here knows what a message means."""

from __future__ import annotations

import os
from struct import Struct, error

from netlinkpy.closing import Closing, close_owned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Sequence
    from typing import Any

    from typing_extensions import Buffer

    #: (offset in the template, width, data, stride in data, swap). Stride 0 broadcasts the value at the
    #: start of data to all rows; swap reverses the bytes of the value (host to network order).
    Column = tuple[int, int, Buffer, int, bool]

    #: (row, errno, tlvs): see `Backend.exchange`.
    Failure = tuple[int, int, bytes]

MAX_NETNS = 65536
U32 = 0xFFFFFFFF

_COLUMN = Struct("=4Q").pack
_GATHERED = Struct("=3Q")  # struct nlp_gathered
_FAILURE = Struct("=QiI512s")  # struct nlp_failure
_PROGRESS = Struct("=4Qq")  # struct nlp_progress
_UNKNOWN = bytes(8)  # what open_ahead is known by once it is over
_FD = Struct("=i")
_NO_SOCKET = _FD.pack(-1)
_HUSH = Struct("=ii")
_NO_HUSH = _HUSH.pack(-1, -1)
_NOTHING: list[int | None] = []

#: The sentences of the NLP_BAD_ codes of csrc/shim.h.
SENTENCES = {
    -10001: "the template is empty, no multiple of 4 bytes, or has no room for an nlmsghdr",
    -10002: "rows run from start to stop, inside the capacity",
    -10003: "a column lies outside the template, or there are too many",
    -10004: "a buffer ends before its last row",
    -10005: "what is written shares memory with another buffer",
    -10006: "the plan is invalid, or not for this number of columns",
    -10007: "a message's length does not fit",
    -10008: "an attribute's length does not fit",
    -10009: "a message is shorter than its fixed header",
    -10010: "a message's sequence number is not that of its row",
    -10011: "a message is longer than a datagram may be",
    -10012: "the buffer does not hold the stated number of messages",
    -10013: "the program is invalid",
    -10014: "a path does not end with its only NUL",
    -10015: "its socket was opened already",
}


class ExchangeError(OSError):
    """An exchange failed before every row was answered.

    rows_done: how many rows were answered for certain; failures: the refused ones among them, and those
    already read of the datagram that failed. What became of the other rows of that datagram only the kernel
    knows; later rows were not sent.
    """

    def __init__(self, code: int, rows_done: int, rows: int, failures: list[Failure]) -> None:
        super().__init__(code, f"{os.strerror(code)}: {rows_done} of {rows} messages were answered")
        self.rows_done = rows_done
        self.failures = failures


def checked(result: int, filename: str | bytes | None = None) -> int:
    """Return what a door returned, or raise the exception that it stands for."""
    if result >= 0:
        return result
    if result in SENTENCES:
        raise ValueError(SENTENCES[result])
    raise OSError(-result, os.strerror(-result), filename)


def _path(path: str | bytes) -> bytes:
    """Return a path as C takes it, ended by a NUL. Raise ValueError if it holds one."""
    from os import fsencode

    encoded = fsencode(path)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded + b"\0"


class Descriptors(Closing):
    """Descriptors in a buffer that a call of the shim fills: they have an owner the instant they exist.

    numbers: C ints, -1 for none. close(), or the end of this object, closes them."""

    numbers, _doomed = bytearray(), _NOTHING  # of one not made

    def __init__(self, count: int) -> None:
        self._doomed = []
        self.numbers = bytearray(_NO_SOCKET * count)

    def close(self) -> None:
        """Close them; a second time does nothing."""
        if self.numbers:
            close_owned(self.numbers, self._doomed)

    __del__ = close


class Hush(Closing):
    """The default of a namespace that open_ahead changed, so that interfaces made there accept no router
    advertisement (net.ipv6.conf.default.accept_ra).

    numbers: two C ints: an open descriptor of the setting, -1 if it was not changed, and the character that
    it had. close(), or the end of this object, puts it back."""

    numbers, _doomed = bytearray(_NO_HUSH), _NOTHING  # of one not made

    def __init__(self) -> None:
        self._doomed = []
        self.numbers = bytearray(_NO_HUSH)

    def close(self) -> None:
        """Put back what was changed, and close the descriptor; a second time does nothing."""
        fd, character = _HUSH.unpack(self.numbers)
        if fd >= 0:
            _write_back(fd, character)
        if fd >= 0 or self._doomed:
            close_owned(memoryview(self.numbers)[: _FD.size], self._doomed)

    __del__ = close


def _write_back(fd: int, character: int) -> None:
    try:
        os.pwrite(fd, bytes((character,)), 0)
    except OSError:
        return  # the namespace is gone


class Ahead(Closing):
    """A socket like those of `Backend.visit`, which a throw-away thread opens inside the namespace of
    `netns_fd` while the caller does other things.

    This object owns it from the start. sockets: a C int, -1 until wait(); it may be passed to a visit as its
    `sockets`. hush: of the namespace. `netns_fd` must stay open until wait() or
    close()."""

    _known_by, sockets, hush = bytearray(_UNKNOWN), bytearray(_NO_SOCKET), Hush()  # of one not made
    _doomed = _NOTHING

    def __init__(self, door: Any, netns_fd: int) -> None:
        """Raise OSError if the thread cannot be started."""
        self._door = door
        self._known_by = bytearray(_UNKNOWN)
        self._doomed = []
        self.sockets = bytearray(_NO_SOCKET)
        self.hush = Hush()
        checked(door.open_ahead(netns_fd, self._known_by))

    def wait(self) -> None:
        """Wait until it is open. Raise OSError if it could not be opened, ValueError the second time."""
        checked(self._door.opened(self._known_by, self.sockets, self.hush.numbers))

    def close(self) -> None:
        """Close the socket, if there still is one; a second time does nothing."""
        if self._known_by != _UNKNOWN:
            self._door.opened(self._known_by, self.sockets, self.hush.numbers)
        self.hush.close()
        if self.sockets != _NO_SOCKET or self._doomed:
            close_owned(self.sockets, self._doomed)

    __del__ = close


class Backend:
    """What load() returns. NAME: "cffi", "native" or "python"."""

    def __init__(self, name: str, door: Any) -> None:
        self.NAME = name
        self._door = door

    # -- namespaces --------------------------------------------------------------------------------------

    def setns(self, fd: int, nstype: int, /) -> None:
        """Move the calling thread into the namespace of `fd` (setns(2)). nstype: 0 or a CLONE_NEW* constant.
        Raise OSError if the kernel refuses."""
        checked(self._door.setns(fd, nstype))

    def unshare(self, flags: int, /) -> None:
        """Give the calling thread namespaces of its own (unshare(2)). flags: CLONE_NEW* bits. Raise OSError
        if the kernel refuses."""
        checked(self._door.unshare(flags))

    def open_socket(self, netns_fd: int, family: int, type: int, protocol: int, /) -> socket:
        """Open a close-on-exec socket inside the namespace of `netns_fd`, where it stays for life. Raise
        OSError if setns or socket fails.

        A throw-away thread enters, opens and ends, so there is no way back that could fail. The family may be
        any that the kernel has (AF_NETLINK, AF_INET with SOCK_RAW ...), if the caller may open one here too:
        the socket takes the place of one that is opened here, so it has an owner from the start.
        """
        from _socket import SOCK_CLOEXEC, socket

        opened = socket(family, type | SOCK_CLOEXEC, protocol)
        try:
            checked(self._door.open_socket(netns_fd, family, type, protocol, opened.fileno()))
        except BaseException:
            opened.close()
            raise
        return opened

    def open_ahead(self, netns_fd: int, /) -> Ahead:
        """Begin to open a socket for a visit; see Ahead. Raise OSError if the thread cannot be started."""
        return Ahead(self._door, netns_fd)

    def make_netns(self, count: int, /) -> list[int]:
        """Make `count` anonymous network namespaces, all or none; return their close-on-exec descriptors.

        This takes about 0.5 ms each, during which Python serves no signals: ask for some 64 at a time. Needs
        /proc. The loopback interface is left as the kernel makes it: down. Raise ValueError unless `count` is
        0 to 65536, OSError if one fails (then none is left open).
        """
        if not 0 <= count <= MAX_NETNS:
            raise ValueError(f"a number of namespaces lies between 0 and {MAX_NETNS}")
        made = Descriptors(count)
        try:
            checked(self._door.make_netns(made.numbers))
            numbers, made.numbers = made.numbers, bytearray()
        except BaseException:  # also if a signal handler raises
            made.close()
            raise
        return memoryview(numbers).cast("i").tolist()

    def make_netns_at(self, paths: Sequence[str | bytes], outcomes: Buffer, /) -> None:
        """Make a network namespace at each path: a new file (O_EXCL, mode 0) with the namespace
        bind-mounted on it.

        `outcomes` (writable) holds a C int for each path; it becomes an errno once the path was tried, 0 if
        it is done. A failed one leaves neither file nor mount, and the others go on; a path that exists is
        EEXIST and untouched. The directory must exist; a mount that is to be seen elsewhere needs shared
        propagation, which the caller sets up. As with make_netns(), pass some 64 at a time. Raise OSError
        only if the throw-away thread cannot be started.
        """
        checked(self._door.make_netns_at(b"".join([_path(path) for path in paths]), outcomes))

    # -- columns -----------------------------------------------------------------------------------------

    def stamp(
        self,
        out: Buffer,
        template: Buffer,
        columns: Sequence[Column],
        start: int,
        stop: int,
        sequence: int | None,
        /,
    ) -> int:
        """Write rows `start` to `stop` (excluded) of `columns` to the front of `out`, each a copy of
        `template` with values written into it.

        `template` is one row: packed message(s), a multiple of 4 bytes. For row r the column (offset,
        width, data, stride, swap) copies `width` bytes from `data[r * stride:]` to `offset` of the
        row's copy. With a `sequence`, the first nlmsghdr of row r gets nlmsg_seq = sequence + (r - start),
        modulo 2**32; with None all keep the template's.

        Return the number of rows written: fewer than asked for if `out` is full, so go on from `start` + that
        many (0 means that `out` does not hold even one row). Nothing of `out` is touched beyond the rows
        written. Columns, at most 64, are applied in order. Raise ValueError if the template is empty or no
        multiple of 4, a column lies outside the template, data is too short for row `stop` - 1, or a number
        is negative. `out` may share no memory with an input: the shim raises ValueError; the pure twin cannot
        detect it and reads such an input first.
        """
        numbered, first = (False, 0) if sequence is None else (True, sequence & U32)
        data = []
        words = []
        try:
            for offset, width, values, stride, swap in columns:
                words.append(_COLUMN(offset, width, stride, bool(swap)))
                data.append(values)
        except error:
            raise ValueError("an offset, a width or a stride is negative or too large") from None
        return checked(self._door.stamp(start, stop, numbered, first, out, template, b"".join(words), data))

    def gather(
        self,
        data: Buffer,
        length: int,
        plan: bytes,
        columns: Sequence[Buffer],
        present: Buffer | None,
        row: int,
        capacity: int,
        start: int = 0,
        /,
    ) -> tuple[int, int, int]:
        """Turn the messages in `data[start:length]` (one received datagram) into rows of `columns`.

        plan: compile_plan() of wire/columns.py makes it. columns: one writable buffer for each of its fields,
        of at least width * `capacity` bytes; the value of row r is at r * width. present: None or a writable
        buffer of `capacity` u64: bit i of a row's word says that field i was there (an absent field's value
        is zeros). Rows are written from row `row` on; messages of other types are skipped.

        It stops at the end, when `capacity` is reached, and BEFORE an NLMSG_DONE or NLMSG_ERROR, which the
        caller reads. Return (rows added, offset in `data` where it stopped, OR of the nlmsg_flags of all
        messages passed). If it stopped at the capacity, make room and call again with that offset as `start`.
        Look for NLM_F_DUMP_INTR in the flags.

        One to three bytes left over after the last attribute are ignored, as the kernel does. Raise
        ValueError if the length of a message or attribute does not fit (rows from `row` on are then
        undefined), or a buffer is too small or (the pure twin cannot see it) shares memory with `data`.
        """
        told = bytearray(_GATHERED.size)
        checked(self._door.gather(length, row, capacity, start, data, plan, present, told, columns))
        return _GATHERED.unpack(told)

    # -- conversations -----------------------------------------------------------------------------------

    def exchange(
        self,
        fd: int,
        buffer: Buffer,
        length: int,
        first_sequence: int,
        rows: int,
        chunk_bytes: int,
        chunk_rows: int,
        timeout_ns: int,
        /,
    ) -> list[Failure]:
        """Send `rows` messages, back to back in `buffer[:length]`, and collect the kernel's refusals.

        Row i must have nlmsg_seq = first_sequence + i, modulo 2**32. They are sent in datagrams of at most
        `chunk_bytes` bytes and `chunk_rows` messages; in `buffer` (writable) NLM_F_ACK is set on the last
        message of each datagram and cleared on the others. The next datagram is sent when that ack, or an
        error in its place, has come. Choose the chunk to fit the socket: the default receive buffer holds 256
        answers, and a datagram beyond the send buffer is EMSGSIZE.

        Return the refused rows only, ascending: (row, errno, extended-ack TLVs of at most 512 bytes, b"" if
        there are none). Messages that answer none of the rows, or that the kernel did not send, are ignored.
        `fd` may be blocking or not; nothing else may read from it meanwhile. Signals are served between
        chunks and while waiting: what a handler raises is raised here.

        `timeout_ns` bounds the wait for each datagram's answers. Raise ExchangeError with ETIMEDOUT, ENOBUFS
        (answers were lost) or any other errno of send and recv; ENOBUFS of a send is ENOMEM. Raise ValueError
        if the messages do not fill `length` exactly, a sequence number is wrong, or a message is longer than
        `chunk_bytes`; then nothing was sent.
        """
        told: list[Failure] = []
        failures = bytearray(_FAILURE.size * (rows if rows < chunk_rows else chunk_rows))
        progress = bytearray(_PROGRESS.size)
        first = first_sequence & U32
        more = 1
        while more == 1:  # Python serves its signals between the turns
            more = self._door.exchange(
                fd, length, first, rows, chunk_bytes, chunk_rows, timeout_ns, buffer, failures, progress
            )
            rows_done, _, count, _, _ = _PROGRESS.unpack(progress)
            for number in range(count):
                row, code, size, tlvs = _FAILURE.unpack_from(failures, number * _FAILURE.size)
                told.append((row, code, tlvs[:size]))
        if more:
            if more in SENTENCES:
                raise ValueError(SENTENCES[more])
            raise ExchangeError(-more, rows_done, rows, told)
        return told

    def visit(
        self,
        program: bytes,
        datagrams: Buffer,
        netns_fds: Buffer,
        sockets: Buffer | None,
        beside: int,
        timeout_ns: int,
        results: Buffer,
        hush: bool = False,
        /,
    ) -> None:
        """Run a program inside many network namespaces. wire/program.py makes programs and reads the results.

        netns_fds: a C int (4 bytes) for each row. A throw-away thread enters each of these namespaces and
        opens an AF_NETLINK/NETLINK_ROUTE socket there (extended and capped acks, strict checking). Through
        these sockets the calling thread, which stays where it is, runs the program's steps row by row, in
        order. The first step that fails ends its row, and the next row goes on. datagrams: writable, the
        datagrams of each row back to back, row after row. beside: the descriptor of the socket for steps that
        are sent beside, -1 if the program has none. All rows use the same sequence numbers: once answers on
        it were left unread, each later row that comes to it ends with ECANCELED.

        results: writable, filled row by row, so that its owner knows what was done even if a signal handler
        raises.

        sockets: None or a writable buffer with a C int for each row. One that is not negative is used, and
        the row's namespace is not entered. In place of a -1 the socket opened for the row is written as soon
        as it is open, and the caller closes it whatever becomes of the row; -1 stays if none could be opened.
        Without `sockets` all sockets are closed. If no row has to be entered there is no thread. Close a
        socket on which a row failed: a late answer could pass for that of a later request.

        hush: interfaces made in the namespaces that are entered accept no router advertisement (Hush), until
        the row is done.

        timeout_ns: for each row, which then ends with ETIMEDOUT; ENOBUFS: answers were lost (that of a
        send is ENOMEM); EBADMSG: an answer was malformed. No signal is served before it returns: pass some 64
        rows a call. Raise ValueError if a buffer has not the length that the rows need, a datagram is not
        whole messages, or buffers share memory; OSError only if the thread cannot be started.
        """
        result = self._door.visit(
            beside, timeout_ns, int(hush), program, datagrams, netns_fds, sockets, results
        )
        if result:
            checked(result)

    # -- processes ---------------------------------------------------------------------------------------

    def mount(
        self, source: str | bytes, target: str | bytes, fstype: str | bytes | None, flags: int, /
    ) -> None:
        """mount(2) without data. fstype: None for none. Raise OSError with `target` as its file name if the
        kernel refuses."""
        kind = b"" if fstype is None else _path(fstype)
        checked(self._door.mount(flags, _path(source), _path(target), kind), target)

    def umount(self, target: str | bytes, flags: int, /) -> None:
        """umount2(2). Raise OSError with `target` as its file name if the kernel refuses."""
        checked(self._door.umount(flags, _path(target)), target)

    def prctl(self, option: int, second: int, third: int, fourth: int, fifth: int, /) -> int:
        """prctl(2) on the calling thread; unused arguments are 0. Return what it returns. Raise OSError if
        the kernel refuses."""
        _unsigned(second, third, fourth, fifth)
        return checked(self._door.prctl(option, second, third, fourth, fifth))

    def capset(self, effective: int, permitted: int, inheritable: int, /) -> None:
        """Set the calling thread's capabilities (capset(2)), a bit for each by its number in
        linux/capability.h. Raise OSError if the kernel refuses (EPERM: one is not permitted now)."""
        _unsigned(effective, permitted, inheritable)
        checked(self._door.capset(effective, permitted, inheritable))


def _unsigned(*numbers: int) -> None:
    if min(numbers) < 0 or max(numbers) >= 1 << 63:
        raise OverflowError("a number of prctl() and capset() is not negative, and below 2**63")
