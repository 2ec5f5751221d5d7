"""The table of cases: what was asked, the datagrams that come, the outcome. Every implementation of the
conversation is held against it: wire's (test_answers.py), the shim's and the pure twin's (tests/backends)."""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4
REQUEST, MULTI, ACK, DUMP_INTR, DUMP = 0x1, 0x2, 0x4, 0x10, 0x300
CAPPED, ACK_TLVS = 0x100, 0x200
ASKED_TYPE, REPLY_TYPE = 18, 16  # RTM_GETLINK, RTM_NEWLINK
INDEX_TOLD = 7
LINK = struct.pack("=BxHiII", 0, 0, INDEX_TOLD, 0, 0)  # the body of a reply: an ifinfomsg
OWN, OTHER = 0, 4711  # port ids; the seam through which the backends are fed has none


# -- what is asked: the flags of the messages of one datagram, numbered from 1 -----------------------

ONE = (ACK,)
THREE = (0, 0, ACK)  # only the last is acknowledged
GET = (0,)
DUMP_ONE = (DUMP,)


# -- what comes ------------------------------------------------------------------------------------------


def message(type: int, flags: int, sequence: int, body: bytes, *, port: int = OWN) -> bytes:
    head = struct.pack("=IHHII", 16 + len(body), type, flags, sequence, port)
    return head + body + bytes(-len(body) & 3)


def ack(
    sequence: int = 1,
    number: int = 0,
    *,
    flags: int = CAPPED,
    tlvs: bytes = b"",
    echo: bytes = b"",
    port: int = OWN,
) -> bytes:
    """An NLMSG_ERROR with the number as it lies there; echo: the request's body, where it is not capped."""
    flags |= ACK_TLVS if tlvs else 0
    echoed = struct.pack("=IHHII", 16 + len(echo), ASKED_TYPE, 0, sequence, 0) + echo + bytes(-len(echo) & 3)
    return message(NLMSG_ERROR, flags, sequence, struct.pack("=i", number) + echoed + tlvs, port=port)


def done(sequence: int = 1, number: int = 0, *, flags: int = MULTI, tlvs: bytes = b"") -> bytes:
    flags |= ACK_TLVS if tlvs else 0
    return message(NLMSG_DONE, flags, sequence, struct.pack("=i", number) + tlvs)


def reply(sequence: int = 1, body: bytes = LINK, *, flags: int = 0, port: int = OWN) -> bytes:
    return message(REPLY_TYPE, flags, sequence, body, port=port)


def part(sequence: int = 1, *, flags: int = 0) -> bytes:
    return reply(sequence, flags=MULTI | flags)


def with_length(length: int, data: bytes) -> bytes:
    """The message, saying that it has that length."""
    return struct.pack("=I", length) + data[4:]


TEXT = struct.pack("=HH8s", 12, 1, b"because\0")  # NLMSGERR_ATTR_MSG
OFFSET = struct.pack("=HHI", 8, 2, 20)  # NLMSGERR_ATTR_OFFS
THREE_BYTES = struct.pack("=HH", 3, 1)
CUT = struct.pack("=HH", 40, 1)  # an attribute that says it is longer than what is there


class Refused(NamedTuple):
    """A request that was refused: its place in the datagram, the errno, the ack's whole attributes."""

    place: int
    errno: int
    tlvs: bytes = b""


class Case(NamedTuple):
    """errno: what ended the conversation before it was complete (ETIMEDOUT: nothing more comes), 0 for none;
    replies: how many of them are answers; interrupted: changes came while the kernel dumped; late: messages
    that answer what is no longer open; events: messages that answer nothing asked here (both up to the
    end, behind which nothing is looked at)."""

    name: str
    asked: tuple[int, ...]
    come: tuple[bytes, ...]
    errno: int = 0
    refused: tuple[Refused, ...] = ()
    replies: int = 0
    interrupted: bool = False
    late: int = 0
    events: int = 0


PERM, INVAL, BAD, NEVER = errno.EPERM, errno.EINVAL, errno.EBADMSG, errno.ETIMEDOUT
DENIED, INVALID, EXPLAINED = (Refused(0, PERM),), (Refused(0, INVAL),), (Refused(0, INVAL, TEXT),)


def error(number: int, rest: bytes, flags: int = CAPPED) -> bytes:
    """An NLMSG_ERROR with anything behind its number."""
    return message(NLMSG_ERROR, flags, 1, struct.pack("=i", number) + rest)


def header(length: int) -> bytes:
    """The echoed nlmsghdr of a request that says it had that length."""
    return struct.pack("=IHHII", length, ASKED_TYPE, 0, 1, 0)


CASES = [
    # -- as it should be
    Case("an ack", ONE, (ack(),)),
    Case("a refusal", ONE, (ack(1, -PERM),), refused=DENIED),
    Case("an echo, then its ack", ONE, (reply(), ack()), replies=1),
    Case("an echo and its ack in one datagram", ONE, (reply() + ack(),), replies=1),
    Case("the ack of the last of three", THREE, (ack(3),)),
    Case("a refusal before the ack of the last", THREE, (ack(1, -PERM) + ack(3),), refused=DENIED),
    Case("the last is refused", THREE, (ack(3, -INVAL),), refused=(Refused(2, INVAL),)),
    Case("a reply to a GET", GET, (reply(),), replies=1),
    Case("a GET is refused", GET, (ack(1, -PERM),), refused=DENIED),
    Case("a GET is only acknowledged", GET, (ack(),)),
    Case("a GET that is answered in parts", GET, (part() + part(), done()), replies=2),
    Case("a dump of nothing", DUMP_ONE, (done(),)),
    Case("a dump in two datagrams", DUMP_ONE, (part() + part(), part() + done()), replies=3),
    Case("a dump is refused", DUMP_ONE, (ack(1, -PERM),), refused=DENIED),
    Case("a dump that fails at its end", DUMP_ONE, (part(), done(1, -INVAL)), refused=INVALID, replies=1),
    Case("a dump whose parts do not say so", DUMP_ONE, (reply() + reply(), done()), replies=2),
    # -- numbers
    Case("DONE with a length", DUMP_ONE, (part(), done(1, 20)), replies=1),
    Case("DONE with the largest length", DUMP_ONE, (done(1, 0x7FFFFFFF),)),
    Case("DONE without a number", DUMP_ONE, (message(NLMSG_DONE, MULTI, 1, b""),)),
    Case("DONE with half a number", DUMP_ONE, (message(NLMSG_DONE, MULTI, 1, b"\xff\xff\xff"),)),
    Case("DONE with the largest errno", DUMP_ONE, (done(1, -4095),), refused=(Refused(0, 4095),)),
    Case("DONE with an error beyond 4095", DUMP_ONE, (done(1, -4096),), BAD),
    Case("DONE with the smallest number", DUMP_ONE, (done(1, -(1 << 31)),), BAD),
    Case("the largest errno", ONE, (ack(1, -4095),), refused=(Refused(0, 4095),)),
    Case("an error beyond 4095", ONE, (ack(1, -4096),), BAD),
    Case("the smallest error", ONE, (ack(1, -(1 << 31)),), BAD),
    Case("a positive error", ONE, (ack(1, 1),), BAD),
    # -- who is answered
    Case("an ack for nobody", ONE, (ack(0), ack(2), ack(0xFFFFFFFF), ack()), late=2, events=1),
    Case("only an ack for nobody", ONE, (ack(2),), NEVER, late=1),
    Case("a refusal for nobody", ONE, (ack(2, -PERM) + ack(0, -PERM) + ack(),), late=1, events=1),
    Case("an error for nobody that is none", ONE, (ack(2, 77), ack()), late=1),
    Case("another's ack", ONE, (ack(1, port=OTHER), ack()), events=1),
    Case("only another's ack", ONE, (ack(1, port=OTHER),), NEVER, events=1),
    Case("another's refusal", THREE, (ack(1, -PERM, port=OTHER) + ack(3),), events=1),
    Case("another's reply", GET, (reply(1, port=OTHER), reply()), replies=1, events=1),
    Case("only another's reply", GET, (reply(1, port=OTHER),), NEVER, events=1),
    Case("news", GET, (reply(0) + reply(9, port=OTHER), reply()), replies=1, events=2),
    Case("a reply after its refusal", THREE, (ack(1, -PERM), reply(1), ack(3)), refused=DENIED, late=1),
    Case("a refusal twice", THREE, (ack(1, -PERM) + ack(1, -PERM), ack(3)), refused=DENIED, late=1),
    Case("two acks", ONE, (ack() + ack(1, -PERM),)),
    Case("a reply after its ack", ONE, (ack() + reply(),)),
    Case("two DONEs", DUMP_ONE, (part() + done() + done(1, -PERM),), replies=1),
    Case("an error after the DONE", DUMP_ONE, (part(), done(), ack(1, -PERM)), replies=1),
    Case("a DONE in place of an ack", ONE, (done(),)),
    # -- no end
    Case("nothing comes", ONE, (), NEVER),
    Case("an empty datagram", ONE, (b"", ack())),
    Case("only an empty datagram", ONE, (b"",), NEVER),
    Case("a reply without its ack", ONE, (reply(),), NEVER, replies=1),
    Case("MULTI without an end", DUMP_ONE, (part(), part() + part()), NEVER, replies=3),
    Case("a GET answered in parts without an end", GET, (part(),), NEVER, replies=1),
    Case("a refusal, and the last is never answered", THREE, (ack(1, -PERM),), NEVER, refused=DENIED),
    # -- control messages that are no answers
    Case("NOOP", GET, (message(NLMSG_NOOP, 0, 1, b"") + reply(),), replies=1),
    Case("a control message that is reserved", GET, (message(15, 0, 1, b""), reply()), replies=1),
    Case("OVERRUN", ONE, (message(NLMSG_OVERRUN, 0, 1, b""), ack()), errno.ENOBUFS),
    Case("OVERRUN in a dump", DUMP_ONE,
         (part(), message(NLMSG_OVERRUN, 0, 1, b"")), errno.ENOBUFS, replies=1),
    Case("OVERRUN of nobody", ONE, (message(NLMSG_OVERRUN, 0, 2, b""), ack()), late=1),
    # -- interrupted
    Case("a part says interrupted", DUMP_ONE,
         (part(1, flags=DUMP_INTR) + part(), done()), replies=2, interrupted=True),
    Case("the DONE says interrupted", DUMP_ONE,
         (part(), done(flags=MULTI | DUMP_INTR)), replies=1, interrupted=True),
    Case("another's dump was interrupted", DUMP_ONE, (part(2, flags=DUMP_INTR), done()), late=1),
    # -- extended acks
    Case("capped", ONE, (ack(1, -INVAL, tlvs=TEXT + OFFSET),), refused=(Refused(0, INVAL, TEXT + OFFSET),)),
    Case("uncapped", ONE, (ack(1, -INVAL, flags=0, echo=b"x" * 40, tlvs=TEXT),), refused=EXPLAINED),
    Case("uncapped, odd", ONE, (ack(1, -INVAL, flags=0, echo=b"x" * 41, tlvs=TEXT),), refused=EXPLAINED),
    Case("uncapped, no TLVs", ONE, (ack(1, -INVAL, flags=0, echo=b"x" * 40),), refused=INVALID),
    Case("capped, and no flag", ONE, (error(-INVAL, header(16) + TEXT),), refused=INVALID),
    Case("an echo longer than the message", ONE,
         (error(-INVAL, header(1 << 30) + TEXT, ACK_TLVS),), refused=INVALID),
    Case("an echo of all bytes", ONE, (error(-INVAL, header(0xFFFFFFFF) + TEXT, ACK_TLVS),), refused=INVALID),
    Case("an echo of no bytes", ONE, (error(-INVAL, header(0) + TEXT, ACK_TLVS),), refused=INVALID),
    Case("a TLV that is cut", ONE, (ack(1, -INVAL, tlvs=TEXT + CUT),), refused=EXPLAINED),
    Case("a TLV of three bytes", ONE, (ack(1, -INVAL, tlvs=TEXT + THREE_BYTES),), refused=EXPLAINED),
    Case("a TLV of length 0", ONE, (ack(1, -INVAL, tlvs=bytes(4) + TEXT),), refused=INVALID),
    Case("DONE with TLVs", DUMP_ONE, (done(1, -INVAL, tlvs=TEXT),), refused=EXPLAINED),
    Case("DONE with a length and TLVs", DUMP_ONE, (done(1, 20, tlvs=TEXT),)),
    Case("DONE with something that is no TLV", DUMP_ONE,
         (message(NLMSG_DONE, MULTI, 1, done(1, -INVAL)[16:] + TEXT),), refused=INVALID),
    Case("an ack with a warning", ONE, (ack(tlvs=TEXT),)),
    # -- lengths
    *[
        Case(f"length {length}", asked, (with_length(length, right),), BAD)
        for asked, right in ((ONE, ack()), (GET, reply()), (DUMP_ONE, part()))
        for length in (0, 3, 15, 37, 0x7FFFFFFF, 0xFFFFFFFF)
    ],
    *[Case(f"a datagram of {length} bytes", ONE, (ack()[:length],), BAD) for length in (1, 3, 15, 35)],
    Case("a few bytes left over", ONE, (reply() + b"\1\0\0",), BAD, replies=1),
    Case("a whole header left over", ONE, (reply() + bytes(16),), BAD, replies=1),
    Case("garbage behind the end", ONE, (ack() + b"garbage",)),
    Case("an odd length", GET, (reply(1, LINK + b"!"),), replies=1),
    Case("odd lengths in a dump", DUMP_ONE,
         (reply(1, LINK + b"!", flags=MULTI) + part() + done(),), replies=2),
    Case("an odd length, and no padding", GET, (reply(1, LINK + b"!")[:-3],), replies=1),
    Case("an error without a number", ONE, (message(NLMSG_ERROR, 0, 1, b""),), BAD),
    Case("an error with half a number", ONE, (message(NLMSG_ERROR, 0, 1, b"\xff\xff"),), BAD),
    Case("an error without an echo", ONE, (error(-PERM, b""),), BAD),
    Case("an error with half an echo", ONE, (error(-PERM, bytes(15)),), BAD),
    Case("an error for nobody that is too short", ONE, (message(NLMSG_ERROR, 0, 2, b""), ack()), late=1),
    Case("a lie behind a refusal", THREE, (ack(1, -PERM) + bytes(16),), BAD, refused=DENIED),
]  # fmt: skip
