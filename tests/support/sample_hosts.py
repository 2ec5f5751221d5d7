"""Hosts to draw, made of records, without a kernel."""

from __future__ import annotations

from netlinkpy.nat.records import Port
from netlinkpy.show.model import End, Host, HostContainer, HostNetwork, HostPort, Interface

WEB = HostContainer("web", "docker", 1001, pid=2778, command="nginx -g daemon off;")
BLUE = HostContainer("blue", "netns", 1002, names=("blue",))
LONE = HostContainer("sleep", "process", 1003, pid=2780, command="sleep 1000")


def interface(index: int, name: str, kind: str = "veth", *addresses: str, **more: object) -> Interface:
    values: dict[str, object] = {"up": True, "mac": "02:42:ac:11:00:02", "mtu": 1500, **more}
    return Interface(index=index, name=name, kind=kind, addresses=addresses, **values)  # type: ignore[arg-type]


def host() -> Host:
    """Return a host with something of everything."""
    bridge = interface(3, "docker0", "bridge", "172.17.42.1/16")
    web = End(
        WEB,
        interface(2, "eth0", "veth", "172.17.0.2/16", "fd00::2/64", gateways=("172.17.42.1",)),
        (Port("tcp", 8080, "172.17.0.2", 80), Port("udp", 53, "fd00::2", 53, "2001:db8::1")),
    )
    ports = (
        HostPort(interface(4, "veth0000000a"), "forwarding", ("172.17.0.2",), ends=(web,)),
        HostPort(interface(5, "veth0000000b"), "learning", ends=(End(BLUE, interface(2, "eth0", up=False)),)),
        HostPort(interface(6, "eth1", ""), "forwarding"),
        HostPort(interface(7, "veth0000000c", up=False), "disabled", hidden=True),
    )
    made = interface(8, "br-1a2b3c", "bridge", "10.9.0.1/24", up=False)
    parent = HostPort(
        interface(9, "eth0", "", "192.168.1.5/24", gateways=("192.168.1.1",)),
        ends=(
            End(WEB, interface(3, "mac0", "macvlan", "192.168.1.6/24")),
            End(BLUE, interface(3, "mac0", "macvlan", "192.168.1.7/24")),
        ),
    )
    return Host(
        name="alpha",
        networks=(
            HostNetwork("docker0", bridge, (), ports),
            HostNetwork("backend", made, ("network", "internal", "isolate"), ()),
        ),
        links=(parent, HostPort(interface(10, "vpn0", "tun", "10.8.0.2/32"), peer="eth0")),
        unwired=(LONE,),
        astray=(Port("tcp", 9000, "172.17.0.9", 90),),
    )


def crowd(count: int) -> Host:
    """Return a network with `count` containers."""
    ports = []
    for number in range(count):
        address = f"10.0.{number // 250}.{number % 250 + 2}"
        leads = tuple(Port("tcp", 8000 + number * 8 + one, address, 80) for one in range(number % 7))
        end = End(
            HostContainer(
                f"container-{number}", "docker", 5000 + number, pid=9000 + number, command="sleep 1000"
            ),
            interface(2, "eth0", "veth", f"{address}/16", gateways=("10.0.0.1",)),
            leads,
        )
        ports.append(HostPort(interface(100 + number, f"veth{number:08x}"), "forwarding", ends=(end,)))
    bridge = interface(3, "br0", "bridge", "10.0.0.1/16")
    return Host("beta", networks=(HostNetwork("br0", bridge, (), tuple(ports)),))


def hostile(text: str) -> Host:
    """Return a host in which everything that others may name is this text."""
    container = HostContainer(text, "process", 1, names=(text,), pid=7, command=text)
    port = HostPort(interface(4, text), ends=(End(container, interface(2, text)),))
    named = HostNetwork(
        text, interface(3, text, "bridge"), ("network",), (port, HostPort(interface(5, text, text)))
    )
    return Host(text, (named,), (HostPort(interface(6, text), peer=text),), (container,))
