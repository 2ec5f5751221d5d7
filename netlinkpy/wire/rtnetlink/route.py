"""The route message: struct rtmsg, the RTA_ attributes, metrics and nexthops (linux/rtnetlink.h)."""

from __future__ import annotations

import struct
from struct import Struct

from ..attributes import Attributes
from ..codecs import BE16, IP, RAW, STRING, U8, U16, U32, Codec, Fields, Sized
from ..errors import MalformedError
from ..message import Header, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attributes import Placed, Values
    from .typed_values import RouteValues


METRICS = Attributes(  # RTAX_
    lock=(1, U32),
    mtu=(2, U32),
    window=(3, U32),
    rtt=(4, U32),
    rttvar=(5, U32),
    ssthresh=(6, U32),
    cwnd=(7, U32),
    advmss=(8, U32),
    reordering=(9, U32),
    hoplimit=(10, U32),
    initcwnd=(11, U32),
    features=(12, U32),
    rto_min=(13, U32),
    initrwnd=(14, U32),
    quickack=(15, U32),
    cc_algo=(16, STRING),
    fastopen_no_cookie=(17, U32),
)
CACHEINFO = Fields("=IIiIIIII", "clntref lastuse expires error used id ts tsage")

_RTNEXTHOP = Struct("=HBBi")  # length, flags, hops (the weight less one), ifindex


class Nexthops(Codec):
    """RTA_MULTIPATH: nexthops one after the other, each a struct rtnexthop and attributes; its value is a
    list of dicts."""

    __slots__ = ()

    def pack(self, value: list[Values]) -> bytes:
        out = bytearray()
        for hop in value:
            start = len(out)
            out += bytes(_RTNEXTHOP.size)
            for name, item in hop.items():
                if item is not None and name not in _MEMBERS:
                    ROUTE.attributes.put_one(out, name, item, hop, None)
            members = [hop.get(name, 0) for name in _MEMBERS]
            try:
                _RTNEXTHOP.pack_into(out, start, len(out) - start, *members)
            except struct.error as error:
                raise ValueError(f"{', '.join(_MEMBERS)}: {error}") from None
        return bytes(out)

    def parse(self, payload: bytes, around: Values) -> list[Values]:
        hops = []
        at, end = 0, len(payload)
        while end - at >= _RTNEXTHOP.size:
            length, *members = _RTNEXTHOP.unpack_from(payload, at)
            if length < _RTNEXTHOP.size or length > end - at:
                raise MalformedError(f"a nexthop says it is {length} bytes of {end - at}")
            hop: Values = dict(zip(_MEMBERS, members, strict=True))
            ROUTE.attributes.parse_into(hop, payload[at + _RTNEXTHOP.size : at + length], 0)
            hops.append(hop)
            at += (length + 3) & ~3
        return hops

    def put(self, out: bytearray, value: list[Values], around: Values, slots: list[Placed] | None) -> None:
        out += self.pack(value)


_MEMBERS = ("rtnh_flags", "rtnh_hops", "rtnh_ifindex")

RTMSG = Header(
    "=BBBBBBBBI",
    "rtm_family rtm_dst_len rtm_src_len rtm_tos rtm_table rtm_protocol rtm_scope rtm_type rtm_flags",
)
ROUTE: Message[RouteValues] = Message(
    "route",
    RTMSG,
    Attributes(
        dst=(1, IP),
        src=(2, IP),
        iif=(3, U32),
        oif=(4, U32),
        gateway=(5, IP),
        priority=(6, U32),
        prefsrc=(7, IP),
        metrics=(8, METRICS),
        multipath=(9, Nexthops()),
        protoinfo=(10, RAW),
        flow=(11, U32),
        cacheinfo=(12, CACHEINFO),
        session=(13, RAW),
        mp_algo=(14, RAW),
        table=(15, U32),
        mark=(16, U32),
        mfc_stats=(17, RAW),
        via=(18, Sized(6, 18)),  # struct rtvia: u16 family, address
        newdst=(19, RAW),
        pref=(20, U8),
        encap_type=(21, U16),
        encap=(22, RAW),
        expires=(23, U32),
        uid=(25, U32),
        ttl_propagate=(26, U8),
        ip_proto=(27, U8),
        sport=(28, BE16),
        dport=(29, BE16),
        nh_id=(30, U32),
    ),
)
