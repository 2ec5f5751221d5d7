"""The `cffi` backend: the shim by cffi's door. Every call of `lib` runs with the GIL released."""

from __future__ import annotations

from netlinkpy.backends.shared import (
    MAX_COLUMNS,
    MAX_FIELDS,
    MAX_NETNS,
    ExchangeError,
    Script,
    compile_plan,
    compile_script,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from typing_extensions import Buffer

    from netlinkpy.backends.interface import Column, Failure, Plan, Visited

    ffi: Any
    lib: Any
else:
    from netlinkpy.backends._shim import ffi, lib

NAME = "cffi"
U32 = 0xFFFFFFFF
MAX_SIZE = (1 << 63) - 1

_bytes_of = ffi.from_buffer
_new_unset = ffi.new_allocator(should_clear_after_alloc=False)  # for results, which the shim fills in


def _refuse(result: int, filename: str | bytes | None = None) -> None:
    """Raise what a negative result means."""
    if result < 0:
        sentence = lib.nlp_sentence(result)
        if sentence:
            raise ValueError(ffi.string(sentence).decode())
        import os

        raise OSError(-result, os.strerror(-result), filename)


def _natural(*numbers: int) -> None:
    if min(numbers) < 0 or max(numbers) > MAX_SIZE:
        raise ValueError("a length, offset or row is negative or too large")


def _path(path: str | bytes) -> bytes:
    """A path as C takes it, where a NUL would end it early."""
    from os import fsencode

    encoded = fsencode(path)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


def setns(fd: int, nstype: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.setns`."""
    _refuse(lib.nlp_setns(fd, nstype))


def unshare(flags: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.unshare`."""
    _refuse(lib.nlp_unshare(flags))


def mount(source: str | bytes, target: str | bytes, fstype: str | bytes | None, flags: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.mount`."""
    kind = ffi.NULL if fstype is None else _path(fstype)
    _refuse(lib.nlp_mount(_path(source), _path(target), kind, flags), target)


def umount(target: str | bytes, flags: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.umount`."""
    _refuse(lib.nlp_umount(_path(target), flags), target)


def prctl(option: int, second: int, third: int, fourth: int, fifth: int, /) -> int:
    """See `netlinkpy.backends.interface.Backend.prctl`."""
    result: int = lib.nlp_prctl(option, second, third, fourth, fifth)
    _refuse(result)
    return result


def capset(effective: int, permitted: int, inheritable: int, /) -> None:
    """See `netlinkpy.backends.interface.Backend.capset`."""
    _refuse(lib.nlp_capset(effective, permitted, inheritable))


def open_socket(netns_fd: int, family: int, type: int, protocol: int, /) -> int:
    """See `netlinkpy.backends.interface.Backend.open_socket`."""
    fd: int = lib.nlp_open_socket(netns_fd, family, type, protocol)
    _refuse(fd)
    return fd


def make_netns(count: int, /) -> list[int]:
    """See `netlinkpy.backends.interface.Backend.make_netns`."""
    if not 0 <= count <= MAX_NETNS:
        raise ValueError(f"a number of namespaces lies between 0 and {MAX_NETNS}")
    fds = _new_unset("int[]", count)
    _refuse(lib.nlp_make_netns(count, fds))
    return list(fds)


def make_netns_at(paths: Sequence[str | bytes], /) -> list[int]:
    """See `netlinkpy.backends.interface.Backend.make_netns_at`."""
    if len(paths) > MAX_NETNS:
        raise ValueError(f"a number of namespaces lies between 0 and {MAX_NETNS}")
    encoded = [ffi.new("char[]", _path(path)) for path in paths]
    errors = _new_unset("int[]", len(encoded))
    _refuse(lib.nlp_make_netns_at(len(encoded), ffi.new("char *[]", encoded), errors))
    return list(errors)


def _span(buffer: Buffer, writable: bool, held: list[Any]) -> tuple[Any, int]:
    """A buffer as struct nlp_span; `held` keeps it alive."""
    data = _bytes_of("uint8_t[]", buffer, writable)
    held.append(data)
    return data, len(data)


def _octets(array: Any, length: int) -> bytes:
    return bytes(ffi.buffer(array, length)) if length else b""


def stamp(
    out: Buffer, template: Buffer, columns: Sequence[Column], start: int, stop: int, sequence: int | None, /
) -> int:
    """See `netlinkpy.backends.interface.Backend.stamp`."""
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"there are more than {MAX_COLUMNS} columns")
    _natural(start, stop)
    held: list[Any] = []
    prepared = []
    for offset, width, data, stride, swap in columns:
        _natural(offset, width, stride)
        prepared.append((offset, width, *_span(data, False, held), stride, bool(swap)))
    rows: int = lib.nlp_stamp(
        _span(out, True, held),
        *_span(template, False, held),
        prepared,
        len(prepared),
        start,
        stop,
        sequence is not None,
        (sequence or 0) & U32,
    )
    _refuse(rows)
    return rows


def gather(
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
    """See `netlinkpy.backends.interface.Backend.gather`."""
    _natural(length, row, capacity, start)
    source = _bytes_of("uint8_t[]", data)
    if length > len(source) or len(columns) > MAX_FIELDS:
        raise ValueError("the datagram is shorter than its length, or there are too many columns")
    targets = [_bytes_of("uint8_t[]", column, True) for column in columns]
    marks = ffi.NULL if present is None else _bytes_of("uint8_t[]", present, True)
    told = ffi.new("struct nlp_gathered *", (start,))
    _refuse(
        lib.nlp_gather(
            source,
            length,
            plan,
            len(plan),
            [(target, len(target)) for target in targets],
            len(targets),
            (marks, 0 if present is None else len(marks)),
            row,
            capacity,
            told,
        )
    )
    return told.added, told.position, told.flags


def exchange(
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
    """See `netlinkpy.backends.interface.Backend.exchange`."""
    _natural(length, rows, chunk_bytes, chunk_rows)
    data = _bytes_of("uint8_t[]", buffer, True)
    if length > len(data):
        raise ValueError("the buffer is shorter than its length")
    state = ffi.new(
        "struct nlp_exchange *",
        (fd, data, length, rows, chunk_bytes, chunk_rows, first_sequence & U32, timeout_ns),
    )
    _refuse(lib.nlp_exchange_begin(state))
    room = min(rows, chunk_rows)
    failed = _new_unset("struct nlp_failure[]", room)
    count = ffi.new("size_t *")
    failures: list[Failure] = []
    more = 1
    while more == 1:  # Python serves its signals between the turns
        count[0] = 0
        more = lib.nlp_exchange_step(state, failed, room, count)
        if count[0]:
            for failure in failed[0 : count[0]]:
                failures.append((failure.row, failure.error, _octets(failure.tlvs, failure.tlv_length)))
    if more:
        raise ExchangeError(-more, state.rows_done, rows, failures)
    return failures


def open_ahead(netns_fd: int, /) -> Any:
    """See `netlinkpy.backends.interface.Backend.open_ahead`."""
    place = ffi.new("struct nlp_ahead **")
    _refuse(lib.nlp_open_ahead(netns_fd, place))
    return [ffi.gc(place[0], lib.nlp_discard)]


def opened(ahead: Any, /) -> int:
    """See `netlinkpy.backends.interface.Backend.opened`."""
    if not ahead:
        raise ValueError("its socket was given already")
    pointer = ahead.pop()
    ffi.gc(pointer, None)
    fd: int = lib.nlp_opened(pointer)
    _refuse(fd)
    return fd


def visit(
    script: Script,
    datagrams: Buffer,
    netns_fds: Buffer,
    sockets: Buffer | None,
    beside: int,
    timeout_ns: int,
    results: bytearray | None = None,
    /,
) -> list[Visited]:
    """See `netlinkpy.backends.interface.Backend.visit`."""
    data = _bytes_of("uint8_t[]", script.data)
    sent = _bytes_of("uint8_t[]", datagrams, True)
    fds = _bytes_of("uint8_t[]", netns_fds)
    kept = ffi.NULL if sockets is None else _bytes_of("uint8_t[]", sockets, True)
    if results is None:
        results = script.room(len(fds) // 4)
    told = _bytes_of("uint8_t[]", results)
    _refuse(
        lib.nlp_visit(
            (data, len(data)),
            (sent, len(sent)),
            (fds, len(fds)),
            (kept, 0 if sockets is None else len(kept)),
            beside,
            timeout_ns,
            (told, len(told)),
        )
    )
    return script.read(results)


__all__ = [
    "NAME",
    "capset",
    "compile_plan",
    "compile_script",
    "exchange",
    "gather",
    "make_netns",
    "make_netns_at",
    "mount",
    "open_ahead",
    "open_socket",
    "opened",
    "prctl",
    "setns",
    "stamp",
    "umount",
    "unshare",
    "visit",
]
