"""vxlan: Ethernet frames in UDP packets (RFC 7348; IFLA_VXLAN_ of linux/if_link.h)."""

from __future__ import annotations

from ...codecs import BE16, BE32, FLAG, IPV4, IPV6, U8, U32, Fields, Integer
from ..kind import IFINDEX, WITH_NO, Kind, Option


class _Inherit(Integer):
    """An attribute that is sent as a flag and told as a number."""

    __slots__ = ()

    def pack(self, value: int) -> bytes:
        return b""

    def parse(self, payload: bytes, around: object) -> int:
        return int(payload[:1] != b"\0")


KIND = Kind(
    "vxlan",
    Option("id", 1, U32, high=0xFFFFFF, word="id vni"),
    Option("group", 2, IPV4, other="group6", word="group remote"),
    Option("link", 3, IFINDEX, word="dev"),  # vxlan has no IFLA_LINK
    Option("local", 4, IPV4, other="local6"),
    Option("ttl", 5, U8, word="ttl hoplimit"),
    Option("tos", 6, U8, word="tos dsfield"),
    Option("learning", 7, U8, words=WITH_NO),
    Option("ageing", 8, U32),  # seconds
    Option("limit", 9, U32, word="maxaddress"),
    Option("port_range", 10, Fields(">HH", "low high"), word="port srcport"),
    Option("proxy", 11, U8, words=WITH_NO),
    Option("rsc", 12, U8, words=WITH_NO),
    Option("l2miss", 13, U8, words=WITH_NO),
    Option("l3miss", 14, U8, words=WITH_NO),
    Option("port", 15, BE16, word="dstport"),
    Option("group6", 16, IPV6, word=""),
    Option("local6", 17, IPV6, word=""),
    Option("udp_csum", 18, U8, words=WITH_NO, word="udpcsum"),
    Option("udp_zero_csum6_tx", 19, U8, words=WITH_NO, word="udp6zerocsumtx"),
    Option("udp_zero_csum6_rx", 20, U8, words=WITH_NO, word="udp6zerocsumrx"),
    Option("remcsum_tx", 21, U8, words=WITH_NO, word="remcsumtx"),
    Option("remcsum_rx", 22, U8, words=WITH_NO, word="remcsumrx"),
    Option("gbp", 23, FLAG),
    Option("remcsum_nopartial", 24, FLAG, word=""),
    Option("collect_metadata", 25, U8, words=WITH_NO, word="external", key="external"),
    Option("label", 26, BE32, high=0xFFFFF, word="label flowlabel"),
    Option("gpe", 27, FLAG),
    Option("ttl_inherit", 28, _Inherit("=B"), word=""),
    Option("df", 29, U8, words={"unset": 0, "set": 1, "inherit": 2}),
    Option("vnifilter", 30, U8, words=WITH_NO),
    Option("localbypass", 31, U8, words=WITH_NO, word=""),
    shown="collect_metadata vnifilter id group group6 local local6 link port_range port learning proxy rsc"
    " l2miss l3miss tos ttl_inherit ttl df label ageing limit udp_csum udp_zero_csum6_tx udp_zero_csum6_rx"
    " remcsum_tx remcsum_rx gbp gpe",
)
