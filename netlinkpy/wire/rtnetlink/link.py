"""The link message: struct ifinfomsg and the IFLA_ attributes (linux/if_link.h)."""

from __future__ import annotations

from ...uapi.if_link import IFLA_ALT_IFNAME
from ...uapi.socket import AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC
from ..attributes import Attributes, Repeated
from ..codecs import LLADDR, RAW, S32, STRING, U8, U32, Codec, Select
from ..message import Header, Message
from .kinds import find, find_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .kind import Kind
    from .typed_values import LinkValues

IFINFOMSG = Header("=BxHiII", "ifi_family ifi_type ifi_index ifi_flags ifi_change")

INET = Attributes(conf=(1, RAW))
INET6 = Attributes(
    flags=(1, U32),
    conf=(2, RAW),
    stats=(3, RAW),
    mcast=(4, RAW),
    cacheinfo=(5, RAW),
    icmp6stats=(6, RAW),
    token=(7, RAW),
    addr_gen_mode=(8, U8),
    ra_mtu=(9, U32),
)


class _ByKind(dict[object, Attributes]):
    """The attributes of kinds by name, found when first used."""

    def __init__(self, find: Callable[[object], Kind | None]) -> None:
        self._find = find

    def __missing__(self, name: object) -> Attributes | None:
        kind = self._find(name)
        if kind is None:
            return None
        self[name] = kind.attributes
        return kind.attributes


_data = _ByKind(find)
_port = _ByKind(find_port)


def _protinfo(family: object) -> Codec | None:
    return _port["bridge"] if family == AF_BRIDGE else INET6 if family == AF_INET6 else None


AF_SPEC = Select(  # on a bridge's own messages (AF_BRIDGE) the same number holds other things, kept as bytes
    "ifi_family",
    {AF_UNSPEC: Attributes(inet=(AF_INET, INET), inet6=(AF_INET6, INET6))}.get,
)
# flagged: without NLA_F_NESTED the kernel reads the first byte as a port state (br_setlink() in br_netlink.c)
PROTINFO = Select("ifi_family", _protinfo, flagged=True)
PROPERTIES = Attributes(flagged=True, alt_ifname=(IFLA_ALT_IFNAME, Repeated(STRING)))

LINKINFO = Attributes(
    kind=(1, STRING),
    data=(2, Select("kind", _data.__getitem__)),
    xstats=(3, RAW),
    slave_kind=(4, STRING),
    slave_data=(5, Select("slave_kind", _port.__getitem__)),
)

LINK_ATTRIBUTES = Attributes(
    address=(1, LLADDR),
    broadcast=(2, LLADDR),
    ifname=(3, STRING),
    mtu=(4, U32),
    link=(5, U32),
    qdisc=(6, STRING),
    stats=(7, RAW),
    cost=(8, U32),
    priority=(9, U32),
    master=(10, U32),
    wireless=(11, RAW),
    protinfo=(12, PROTINFO),
    txqlen=(13, U32),
    map=(14, RAW),
    weight=(15, U32),
    operstate=(16, U8),
    linkmode=(17, U8),
    linkinfo=(18, LINKINFO),
    net_ns_pid=(19, U32),
    ifalias=(20, STRING),
    num_vf=(21, U32),
    vfinfo_list=(22, RAW),
    stats64=(23, RAW),
    vf_ports=(24, RAW),
    port_self=(25, RAW),
    af_spec=(26, AF_SPEC),
    group=(27, U32),
    net_ns_fd=(28, U32),
    ext_mask=(29, U32),
    promiscuity=(30, U32),
    num_tx_queues=(31, U32),
    num_rx_queues=(32, U32),
    carrier=(33, U8),
    phys_port_id=(34, RAW),
    carrier_changes=(35, U32),
    phys_switch_id=(36, RAW),
    link_netnsid=(37, S32),
    phys_port_name=(38, STRING),
    proto_down=(39, U8),
    gso_max_segs=(40, U32),
    gso_max_size=(41, U32),
    xdp=(43, RAW),
    event=(44, U32),
    new_netnsid=(45, S32),
    if_netnsid=(46, RAW),
    carrier_up_count=(47, U32),
    carrier_down_count=(48, U32),
    new_ifindex=(49, S32),
    min_mtu=(50, U32),
    max_mtu=(51, U32),
    prop_list=(52, PROPERTIES),
    alt_ifname=(IFLA_ALT_IFNAME, STRING),
    perm_address=(54, LLADDR),
    proto_down_reason=(55, RAW),
    parent_dev_name=(56, STRING),
    parent_dev_bus_name=(57, STRING),
    gro_max_size=(58, U32),
    tso_max_size=(59, U32),
    tso_max_segs=(60, U32),
    allmulti=(61, U32),
)
LINK: Message[LinkValues] = Message("link", IFINFOMSG, LINK_ATTRIBUTES)
