"""The framing of linux/netlink.h: the messages of a datagram, and the content of an NLMSG_ERROR or
NLMSG_DONE.

Used by wire/ and the pure twin of the shim. What does not fit raises ValueError."""

from __future__ import annotations

from struct import Struct

from netlinkpy.uapi.netlink import (
    MAX_ERRNO,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_ERROR,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NLMSGHDR = Struct("=IHHII")  # length, type, flags, sequence, port id
NLMSG_HDRLEN = NLMSGHDR.size

_ERRNO = Struct("=i")
_LENGTH = Struct("=I")  # nlmsg_len
_ATTRIBUTE_LENGTH = Struct("=H")  # nla_len
_ATTRIBUTE_HEADER = 4  # nlattr


def frame(type: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return a whole message: nlmsghdr and body (port id 0: the kernel fills in the sender's), padded to four
    bytes."""
    length = NLMSG_HDRLEN + len(body)
    return NLMSGHDR.pack(length, type, flags, sequence, 0) + body + bytes(-length & 3)


def messages(
    data: bytes | bytearray | memoryview, at: int, end: int
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield (start, end, type, flags, sequence, port id) of each message in `data[at:end]`; the last may lack
    its padding. Raise ValueError if a length is wrong."""
    read = NLMSGHDR.unpack_from
    while at < end:
        if end - at < NLMSG_HDRLEN:
            raise ValueError(f"{end - at} bytes are too short for a message")
        length, type, flags, sequence, port = read(data, at)
        if length < NLMSG_HDRLEN or length > end - at:
            raise ValueError(f"a message says it is {length} bytes of {end - at}")
        yield at, at + length, type, flags, sequence, port
        at += (length + 3) & ~3


def refusal(
    data: bytes | bytearray | memoryview, at: int, end: int, type: int, flags: int, limit: int | None = None
) -> tuple[int, bytes]:
    """Return (errno, extended ack) of the NLMSG_ERROR or NLMSG_DONE at `data[at:end]`.

    errno 0 is success; a DONE may hold a length in the place of the error number, or nothing. The extended
    ack consists of whole attributes (enum nlmsgerr_attrs), at most `limit` bytes; they begin 4 bytes into the
    body of a DONE, 20 into a capped error (NETLINK_CAP_ACK), and 4 + the echoed request into an uncapped one.
    Raise ValueError if the message is too short or holds no errno."""
    body = at + NLMSG_HDRLEN
    first = body + _ERRNO.size
    if type == NLMSG_ERROR:
        if first + NLMSG_HDRLEN > end:
            raise ValueError(f"an error of {end - at} bytes is too short")
    elif first > end:
        return 0, b""
    number: int = _ERRNO.unpack_from(data, body)[0]
    if number < -MAX_ERRNO or (number > 0 and type == NLMSG_ERROR):
        raise ValueError(f"{number} is no error number of the kernel")
    errno = -number if number < 0 else 0
    if not flags & NLM_F_ACK_TLVS:
        return errno, b""
    if type == NLMSG_ERROR:  # an ack is capped whatever its flags say
        capped = flags & NLM_F_CAPPED or not errno
        first += (NLMSG_HDRLEN if capped else _LENGTH.unpack_from(data, first)[0] + 3) & ~3
    at = first
    while end - at >= _ATTRIBUTE_HEADER:
        length = _ATTRIBUTE_LENGTH.unpack_from(data, at)[0]
        following = at + ((length + 3) & ~3)
        if length < _ATTRIBUTE_HEADER or following > end or (limit is not None and following - first > limit):
            break
        at = following
    return errno, bytes(data[first:at])
