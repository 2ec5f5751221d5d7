"""The values of the six messages as type checkers see them, so that they find a misspelt attribute.

Made from the tables by tests/wire/typed_values.py. A stub alone: there is no such module to run."""

from typing import Any, TypedDict

class LinkInfo(TypedDict, total=False):
    """Attributes of a nest: LinkInfo."""

    kind: str
    data: Any
    xstats: bytes
    slave_kind: str
    slave_data: Any

class LinkProperties(TypedDict, total=False):
    """Attributes of a nest: LinkProperties."""

    alt_ifname: list[str]

class RouteMetrics(TypedDict, total=False):
    """Attributes of a nest: RouteMetrics."""

    lock: int
    mtu: int
    window: int
    rtt: int
    rttvar: int
    ssthresh: int
    cwnd: int
    advmss: int
    reordering: int
    hoplimit: int
    initcwnd: int
    features: int
    rto_min: int
    initrwnd: int
    quickack: int
    cc_algo: str
    fastopen_no_cookie: int

class LinkValues(TypedDict, total=False):
    """The link message: its header, then its attributes."""

    ifi_family: int
    ifi_type: int
    ifi_index: int
    ifi_flags: int
    ifi_change: int
    address: bytes
    broadcast: bytes
    ifname: str
    mtu: int
    link: int
    qdisc: str
    stats: bytes
    cost: int
    priority: int
    master: int
    wireless: bytes
    protinfo: Any
    txqlen: int
    map: bytes
    weight: int
    operstate: int
    linkmode: int
    linkinfo: LinkInfo
    net_ns_pid: int
    ifalias: str
    num_vf: int
    vfinfo_list: bytes
    stats64: bytes
    vf_ports: bytes
    port_self: bytes
    af_spec: Any
    group: int
    net_ns_fd: int
    ext_mask: int
    promiscuity: int
    num_tx_queues: int
    num_rx_queues: int
    carrier: int
    phys_port_id: bytes
    carrier_changes: int
    phys_switch_id: bytes
    link_netnsid: int
    phys_port_name: str
    proto_down: int
    gso_max_segs: int
    gso_max_size: int
    xdp: bytes
    event: int
    new_netnsid: int
    if_netnsid: bytes
    carrier_up_count: int
    carrier_down_count: int
    new_ifindex: int
    min_mtu: int
    max_mtu: int
    prop_list: LinkProperties
    alt_ifname: str
    perm_address: bytes
    proto_down_reason: bytes
    parent_dev_name: str
    parent_dev_bus_name: str
    gro_max_size: int
    tso_max_size: int
    tso_max_segs: int
    allmulti: int

class AddressValues(TypedDict, total=False):
    """The address message: its header, then its attributes."""

    ifa_family: int
    ifa_prefixlen: int
    ifa_flags: int
    ifa_scope: int
    ifa_index: int
    address: bytes
    local: bytes
    label: str
    broadcast: bytes
    anycast: bytes
    cacheinfo: dict[str, int]
    multicast: bytes
    flags: int
    rt_priority: int
    target_netnsid: int
    proto: int

class RouteValues(TypedDict, total=False):
    """The route message: its header, then its attributes."""

    rtm_family: int
    rtm_dst_len: int
    rtm_src_len: int
    rtm_tos: int
    rtm_table: int
    rtm_protocol: int
    rtm_scope: int
    rtm_type: int
    rtm_flags: int
    dst: bytes
    src: bytes
    iif: int
    oif: int
    gateway: bytes
    priority: int
    prefsrc: bytes
    metrics: RouteMetrics
    multipath: list[dict[str, Any]]
    protoinfo: bytes
    flow: int
    cacheinfo: dict[str, int]
    session: bytes
    mp_algo: bytes
    table: int
    mark: int
    mfc_stats: bytes
    via: bytes
    newdst: bytes
    pref: int
    encap_type: int
    encap: bytes
    expires: int
    uid: int
    ttl_propagate: int
    ip_proto: int
    sport: int
    dport: int
    nh_id: int

class NeighbourValues(TypedDict, total=False):
    """The neighbour message: its header, then its attributes."""

    ndm_family: int
    ndm_ifindex: int
    ndm_state: int
    ndm_flags: int
    ndm_type: int
    dst: bytes
    lladdr: bytes
    cacheinfo: dict[str, int]
    probes: int
    vlan: int
    port: int
    vni: int
    ifindex: int
    master: int
    link_netnsid: int
    src_vni: int
    protocol: int
    nh_id: int
    fdb_ext_attrs: bytes
    flags_ext: int
    ndm_state_mask: int
    ndm_flags_mask: int

class NsidValues(TypedDict, total=False):
    """The namespace id message: its header, then its attributes."""

    rtgen_family: int
    nsid: int
    pid: int
    fd: int
    target_nsid: int
    current_nsid: int

class RuleValues(TypedDict, total=False):
    """The rule message: its header, then its attributes."""

    family: int
    dst_len: int
    src_len: int
    tos: int
    table: int
    action: int
    flags: int
    dst: bytes
    src: bytes
    iifname: str
    goto: int
    priority: int
    fwmark: int
    flow: int
    tun_id: bytes
    suppress_ifgroup: int
    suppress_prefixlen: int
    table_id: int
    fwmask: int
    oifname: str
    l3mdev: int
    uid_range: bytes
    protocol: int
    ip_proto: int
    sport_range: bytes
    dport_range: bytes
