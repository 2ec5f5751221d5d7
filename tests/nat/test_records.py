"""Networks and ports as elements of sets: any of them come back as they went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netlinkpy.nat.records import NETWORK_SETS, NatNetwork, Port, networks_of, placed, port_of
from netlinkpy.rtnl.values import format_ip
from netlinkpy.wire.netfilter.elements import Element

ADDRESSES4 = st.binary(min_size=4, max_size=4).filter(any).map(format_ip)
ADDRESSES6 = st.binary(min_size=16, max_size=16).filter(any).map(format_ip)
NUMBERS = st.integers(1, 65535)
PROTOCOLS = st.sampled_from(["tcp", "udp", "sctp"])


@given(
    st.lists(
        (
            st.integers(0, 255).map(lambda n: f"{n}.0.0.0/8")
            | st.integers(0, 255).map(lambda n: f"fd{n:02x}::/16")
        ),
        unique=True,
        max_size=12,
    ),
    st.booleans(),
)
def test_subnets_side_by_side(subnets: list[str], masquerade: bool) -> None:
    """Where one ends at the address where the next begins, in whatever order the kernel tells them."""
    networks = [
        NatNetwork.checked(f"br{row}", [subnet], internal=False, isolate=False, masquerade=masquerade)
        for row, subnet in enumerate(subnets)
    ]
    found: dict[str, list[Element]] = {name: [] for name in NETWORK_SETS}
    for one in networks:
        for name, elements in one.elements().items():
            found[name] = elements + found[name]
    assert networks_of(found) == sorted(networks, key=lambda one: one.bridge)


@given(
    st.builds(Port, PROTOCOLS, NUMBERS, ADDRESSES4, NUMBERS, st.sampled_from(["", "0.0.0.0"]) | ADDRESSES4)
    | st.builds(Port, PROTOCOLS, NUMBERS, ADDRESSES6, NUMBERS, st.sampled_from(["", "::"]) | ADDRESSES6)
)
def test_ports(port: Port) -> None:
    ((_, data),) = placed([port]).items()
    ((key, value),) = data.items()
    host = "" if port.host in ("0.0.0.0", "::") else port.host
    assert port_of(Element(key, value)) == port.replace(host=host)
