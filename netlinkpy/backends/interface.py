"""The surface that every backend (cffi, native, python) has: one Protocol, described here once.

Conventions. All offsets and lengths are bytes. A *buffer* is any C-contiguous object of the buffer
protocol (another one, or one that is not writable where it must be, is a BufferError). Every bound is checked
before anything is written: a lie is a ValueError, never an overrun. Kernel refusals are OSErrors with their
errno. Whatever can block or is long runs with the GIL released, so several threads may call at once, as long
as they share no writable buffer and no socket. No function moves the thread that calls it into another
namespace, save `setns` and `unshare`, whose purpose that is.

Integers inside buffers are in the host's byte order, unless said otherwise. The framing (nlmsghdr, nlattr,
nlmsgerr) is that of linux/netlink.h; nothing here knows what a message means.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from typing_extensions import Buffer

    #: (offset in the template, width, data, stride in data, swap). Stride 0 broadcasts the value at the
    #: start of data to all rows; swap reverses the bytes of the value (host to network order).
    Column = tuple[int, int, Buffer, int, bool]

    #: (path of attribute types, offset, width, kind): see `Backend.compile_plan`.
    Field = tuple[tuple[int, ...], int, int, int]

    #: (length, beside, plan, puts): see `Backend.compile_script`.
    Step = tuple[int, bool, "Plan | None", Sequence[tuple[int, int]]]

    #: (errno, step, message, tlvs, values): see `Backend.visit`.
    Visited = tuple[int, int, int, bytes, tuple[int, ...]]

    #: (row, errno, tlvs): see `Backend.exchange`.
    Failure = tuple[int, int, bytes]

    #: What `compile_plan` of a backend gives and `gather` of the same backend takes. Immutable, may be kept
    #: for ever.
    Plan = Any

    #: What `compile_script` of a backend gives and `visit` of the same backend takes. Immutable, may be kept
    #: for ever.
    Script = Any

    #: What `open_ahead` of a backend gives and `opened` of the same backend takes.
    Ahead = Any

    class Backend(Protocol):
        """The module that `netlinkpy.backends.load()` returns."""

        #: 'cffi', 'native' or 'python'.
        NAME: str

        # -- thin calls --------------------------------------------------------------------------------

        def setns(self, fd: int, nstype: int, /) -> None:
            """Move the calling thread into the namespace of `fd` (setns(2)); `nstype` is 0 or a CLONE_NEW*
            constant. OSError."""

        def unshare(self, flags: int, /) -> None:
            """Give the calling thread namespaces of its own (unshare(2)). OSError."""

        def mount(
            self, source: str | bytes, target: str | bytes, fstype: str | bytes | None, flags: int, /
        ) -> None:
            """mount(2) without data. OSError with `target` as its file name."""

        def umount(self, target: str | bytes, flags: int, /) -> None:
            """umount2(2). OSError with `target` as its file name."""

        def prctl(self, option: int, second: int, third: int, fourth: int, fifth: int, /) -> int:
            """prctl(2) on the calling thread, unused arguments 0; gives what it gives. OSError."""

        def capset(self, effective: int, permitted: int, inheritable: int, /) -> None:
            """Set the calling thread's capabilities (capset(2)): a bit for each, by its number in
            linux/capability.h. OSError, EPERM for one that is not permitted now."""

        # -- namespaces by throw-away threads ----------------------------------------------------------

        def open_socket(self, netns_fd: int, family: int, type: int, protocol: int, /) -> int:
            """Open a socket (close-on-exec) inside the namespace of `netns_fd`; it stays there for life.

            A throw-away thread enters, opens and ends, so there is no way back that could fail. Any family
            that the kernel has (AF_NETLINK, AF_INET with SOCK_RAW ...). Gives the descriptor. OSError from
            setns or socket.
            """

        def make_netns(self, count: int, /) -> list[int]:
            """Make `count` anonymous network namespaces; gives their descriptors (close-on-exec), all or
            nothing.

            About 0.5 ms each, during which Python serves no signals: ask for some 64 at a time. ValueError
            outside 0..65536; OSError when one fails (then none is left open). Needs /proc. The loopback
            interface is left as the kernel makes it: down.
            """

        def make_netns_at(self, paths: Sequence[str | bytes], /) -> list[int]:
            """Make a network namespace at each path: a new file (O_EXCL, mode 0) with the namespace
            bind-mounted on it.

            Gives an errno for each path, 0 where it is done. A failed one leaves neither file nor mount,
            and the others go on; a path that exists is EEXIST and untouched. The directory must exist, and
            a mount meant to be seen elsewhere needs shared propagation, which is the caller's affair. Same
            advice on the count as `make_netns`. Raises OSError only if the throw-away thread itself cannot
            be had.
            """

        # -- bulk: bytes -------------------------------------------------------------------------------

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
            """Write rows `start`..`stop` of `columns`, each a copy of `template` with values written into
            it, to the front of `out`.

            `template` is one row: packed message(s), a multiple of 4 bytes. For row r the column (offset,
            width, data, stride, swap) copies `width` bytes from `data[r * stride:]` to `offset` of the
            row's copy. With a `sequence`, the first nlmsghdr of row r gets nlmsg_seq = sequence + (r -
            start), modulo 2**32; with None it keeps the template's.

            Gives the number of rows written: fewer than asked for when `out` is full, so go on from `start`
            + that many (a 0 where rows were asked for means that `out` does not hold even one). Of `out`
            nothing is touched beyond the rows written. ValueError: template empty or not a multiple of 4, a
            column outside the template, data too short for row `stop` - 1, negative numbers. At
            most 64 columns, applied in their order. `out` may share no memory with an input: a ValueError
            from the shim; the pure twin cannot see it and reads such an input first.
            """

        def compile_plan(self, message_type: int, header_size: int, fields: Sequence[Field], /) -> Plan:
            """Prepare `gather` for messages of `message_type` with a fixed header of `header_size` bytes
            after the nlmsghdr.

            A field is (path, offset, width, kind). `path` is the attribute types from the outermost in, at
            most 4; () is the fixed header. Kind 0 copies the payload's bytes from `offset` on: `width` of
            them, padded with zeros where the payload is shorter, cut where it is longer. Kind 1 stores the
            payload's whole length as u16 (`width` 2, `offset` 0), so that a 4-byte address can be told from
            a 16-byte one. A field is absent when its attribute is, or (kind 0) when `offset` is not 0 and
            the payload ends at or before it. An attribute that comes twice: the last one that holds the
            field counts.

            1 to 64 fields, widths 1 to 65535, attribute types 0 to 0x3fff, message type below 65536; else
            ValueError. Of a nest only its types are looked at: the flags NLA_F_NESTED and
            NLA_F_NET_BYTEORDER are masked off.
            """

        def gather(
            self,
            data: Buffer,
            length: int,
            plan: Plan,
            columns: Sequence[Buffer],
            present: Buffer | None,
            row: int,
            capacity: int,
            start: int = 0,
            /,
        ) -> tuple[int, int, int]:
            """Turn the messages in `data[start:length]` (one received datagram) into rows of `columns`.

            `columns` holds one writable buffer for each field of `plan`, of at least width * `capacity`
            bytes; the value of row r is at r * width. `present`, if given, is a writable buffer of
            `capacity` u64: bit i of a row's word says that field i was there (an absent field's value is
            zeros). Rows are written from row `row` on, and messages of other types are passed over.

            It stops at the end, when `capacity` is reached, and BEFORE an NLMSG_DONE or NLMSG_ERROR, which
            is the caller's to read. Gives (rows added, offset in `data` where it stopped, OR of the
            nlmsg_flags of all messages passed). Where it stopped for capacity: make room, and call again
            with that offset as `start`. Look for NLM_F_DUMP_INTR in the flags.

            ValueError: a message or attribute length that does not fit (rows after `row` are then
            undefined), buffers too small. One to three bytes left over behind the last attribute are passed
            over, as the kernel does.
            """

        # -- bulk: conversations -----------------------------------------------------------------------

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

            Row i must bear nlmsg_seq first_sequence + i, modulo 2**32. They go out in datagrams of at most
            `chunk_bytes` and `chunk_rows` messages; in `buffer` (writable) NLM_F_ACK is set on the last
            message of each datagram and cleared on the others. The next one goes out when that ack, or its
            error, has come. Bound a chunk by the socket: the default receive buffer holds 256 answers, and
            a datagram beyond the send buffer is EMSGSIZE.

            Gives the refused rows only, ascending: (row, errno, extended-ack TLVs, at most 512 bytes, b""
            where there are none). Messages that answer none of the rows, or that the kernel did not send,
            are passed over. `fd` may be blocking or not; nothing else may read from it meanwhile. Signals
            are served between chunks and while waiting: what a handler raises comes out of here.

            `timeout_ns` bounds the wait for each datagram's answers. ETIMEDOUT, ENOBUFS (answers were lost)
            or whatever else send and recv say is raised as `netlinkpy.backends.shared.ExchangeError`, an
            OSError with `.rows_done` (rows answered for sure: those of the datagrams before) and
            `.failures` (what was refused up to then). ValueError: messages that do not fill `length`
            exactly, a wrong sequence number, a message beyond `chunk_bytes`; then nothing was sent.
            """

        def compile_script(self, steps: Sequence[Step], /) -> Script:
            """Prepare `visit`: what is done in every namespace.

            A step is (length, beside, plan, puts).
            - It sends a datagram of `length` bytes: one or several messages with sequence numbers all
              different within the step. (Let those of its steps differ as well.) If the last message bears
              NLM_F_ACK, the step is done when it is acked or refused; otherwise when its reply has come
              whole (a single message, or a dump with its NLMSG_DONE). Errors of earlier messages are read
              too, and the first one is the result.
            - `beside`: through the socket beside, which all rows share, not through the row's own.
            - `plan`: of the first reply that holds all the fields of this plan (of `compile_plan`, each 1,
              2, 4 or 8 bytes wide) they are kept as values, numbered through over all steps. No such reply
              when the step is done: the row ends with ENODATA, so nothing is ever sent with a value that
              was not kept. None: keep nothing.
            - `puts` = (value, offset), each: the value of that number, kept by an earlier step, is written
              to the datagram before it is sent.

            ValueError: no steps or more than 16, a datagram below 16 bytes or above 1 MiB, more than 32
            values, more than 64 puts in a step, a put outside the datagram or of a value that is not kept
            yet.
            """

        def visit(
            self,
            script: Script,
            datagrams: Buffer,
            netns_fds: Buffer,
            sockets: Buffer | None,
            beside: int,
            timeout_ns: int,
            results: Any = None,
            /,
        ) -> list[Visited]:
            """Run a script inside many network namespaces.

            `netns_fds` is a buffer of C ints (4 bytes each), one for each row. A throw-away thread enters
            each of these namespaces and opens an AF_NETLINK/NETLINK_ROUTE socket there (extended and capped
            acks, strict checking). Through them the calling thread, which goes nowhere, runs the script's
            steps row by row, in order. The first step that fails ends the row; the next row goes on all the
            same. `datagrams` (writable) holds the datagrams of a row back to back, row after row; `beside`
            is the descriptor of the socket beside, -1 where the script has no use for it.

            Gives for each row (errno, step, message, TLVs, values): errno 0 = all done, and then step is
            the number of steps. Otherwise step is the failing one (-1: entering the namespace or opening
            the socket), message the number of the refused message in the datagram (-1: no message is to
            blame), TLVs its extended-ack attributes, at most 256 bytes. `values` are those kept, also of a
            row that failed later; the others are 0.

            `sockets`, if given, is a writable buffer of C ints, one for each row: a socket (not negative) is
            talked through, and its namespace is not entered; it stays open and the caller's whatever
            becomes of the row. A row with -1 that is done leaves its socket there, open, for the caller to
            close; one that fails leaves -1. When no row has to be entered there is no thread. A socket on
            which a row timed out is best closed: an answer that comes late could pass for a later one's.

            `results`, if given, is what `script.room(rows)` makes. It is filled in, and
            `script.read(results)` gives what this function does, as far as it is known: for a caller whom a
            signal's handler, which raises, keeps from getting it.

            `timeout_ns` bounds each row (ETIMEDOUT). ENOBUFS: answers were lost. EBADMSG: an answer was
            malformed. No signal is served before it returns: pass at most some 64 rows a call. ValueError:
            buffers of another length than the rows have, a datagram that is not whole messages. Raises
            OSError only if the thread cannot be had.
            """

        def open_ahead(self, netns_fd: int, /) -> Ahead:
            """Have a throw-away thread open a socket as `visit` does, inside the namespace of `netns_fd`,
            while other things are done. The descriptor must stay open until `opened`. OSError when the
            thread cannot be had.
            """

        def opened(self, ahead: Ahead, /) -> int:
            """The socket that `open_ahead` began to open, for a visit; it is the caller's to close. OSError
            where it could not be opened, ValueError the second time. What nobody asks for is closed with
            `ahead`.
            """
