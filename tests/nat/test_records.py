"""Networks and ports as elements of sets: any of them come back as they went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlinkpy.nat.port_names import decode, encode
from netlinkpy.nat.records import NETWORK_SETS, NatNetwork, Port, networks_of, placed, ports_of
from netlinkpy.rtnl.values import check_altname, format_ip
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
        NatNetwork.checked(row + 1, [subnet], internal=False, isolate=False, masquerade=masquerade)
        for row, subnet in enumerate(subnets)
    ]
    found: dict[str, list[Element]] = {name: [] for name in NETWORK_SETS}
    for one in networks:
        for name, elements in one.elements().items():
            found[name] = elements + found[name]
    assert networks_of(found) == {one.index: one for one in networks}


NOT_LOOPBACK = ADDRESSES4.filter(lambda text: not text.startswith("127."))
PORTS = (
    st.builds(Port, PROTOCOLS, NUMBERS, ADDRESSES4, NUMBERS, st.just("") | NOT_LOOPBACK, st.just(False))
    | st.builds(
        Port, PROTOCOLS, NUMBERS, ADDRESSES4, NUMBERS, st.sampled_from(["", "127.0.0.1"]), st.just(True)
    )
    | st.builds(
        Port,
        PROTOCOLS,
        NUMBERS,
        ADDRESSES6,
        NUMBERS,
        st.just("") | ADDRESSES6.filter(lambda text: text != "::1"),
        st.just(False),
    )
)


@given(PORTS)
def test_ports(port: Port) -> None:
    found = {map: [Element(*one) for one in data.items()] for map, data in placed([port]).items()}
    assert ports_of(found) == [port]


@given(st.lists(PORTS))
def test_ports_as_names(ports: list[Port]) -> None:
    names = encode(ports)
    assert all(len(check_altname(name)) < 128 for name in names)
    assert set(decode([*names, "ip:7:172.17.0.2", "port:", "port:x"])) == set(ports)
    assert encode(decode(names)) == names


def test_ports_side_by_side_are_one_name() -> None:
    each = [Port("tcp", 8000 + n, "172.17.0.2", 80 + n) for n in range(1000)]
    one = [Port("udp", 8000 + n, "fd00::2", 53, "2001:db8::1") for n in range(1000)]
    assert encode([*each, *one, *each]) == [
        "port:tcp:0.0.0.0:8000-8999:172.17.0.2:80-1079",
        "port:udp:[2001:db8::1]:8000-8999:[fd00::2]:53",
    ]
    assert set(decode(encode([*each, *one]))) == {*each, *one}


@pytest.mark.parametrize(
    "name",
    [
        "port:tcp:0.0.0.0:0:172.17.0.2:80",
        "port:tcp:0.0.0.0:80:172.17.0.2:65536",
        "port:tcp:0.0.0.0:9-1:172.17.0.2:80",
        "port:tcp:0.0.0.0:1-99999999999:172.17.0.2:80",
        "port:tcp:0.0.0.0:1-3:172.17.0.2:1-2",
        "port:tcp:0.0.0.0:-5:172.17.0.2:80",
        "port:tcp:[::1:80:172.17.0.2:80",
        "port:tcp:0.0.0.0:80:nowhere:80",
        "port:tcp",
    ],
)
def test_a_name_that_says_no_port_is_passed_over(name: str) -> None:
    assert decode([name]) == []
