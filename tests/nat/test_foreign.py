"""Beside others: forward chains of theirs that drop are named, with rules that do help; both work side by
side."""

from __future__ import annotations

import subprocess

import pytest

from netlinkpy.nat import ForeignDrop, Port
from tests.support.nat_testbed import INTERNET, TCP, UPLINK, Testbed, bridges, passes, serving

IPTABLES = ["iptables -P FORWARD DROP"]
DOCKER = [  # what dockerd 20.10 sets up, cut down to what meets forwarded packets
    "iptables -t nat -N DOCKER",
    "iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    "iptables -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
    "iptables -t nat -A POSTROUTING -s 172.20.0.0/16 ! -o docker0 -j MASQUERADE",
    "iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 9090 -j DNAT --to-destination 172.20.0.2:80",
    "iptables -N DOCKER",
    "iptables -N DOCKER-USER",
    "iptables -P FORWARD DROP",
    "iptables -A FORWARD -j DOCKER-USER",
    "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "iptables -A FORWARD -o docker0 -j DOCKER",
    "iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
    "iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT",
    "iptables -A DOCKER-USER -j RETURN",
    "iptables -A DOCKER -d 172.20.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
]
NFTABLES = [
    "nft add table inet fw",
    "nft add chain inet fw passing { type filter hook forward priority 10 ; policy drop ; }",
    "nft add rule inet fw passing iifname lo counter accept",
]


def shell(*commands: str) -> None:
    for command in commands:
        subprocess.run(command if '"' in command else command.split(), shell='"' in command, check=True)


@pytest.fixture
def plain(testbed: Testbed) -> Testbed:
    """br0 is a network."""
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", ["172.17.0.0/16"])
    return testbed


@pytest.mark.needs("iptables", "nft")
@pytest.mark.parametrize(
    "rules, expected",
    [
        (IPTABLES, ForeignDrop("ip", "filter", "FORWARD", (
            "iptables -I FORWARD -i br0 -j ACCEPT", "iptables -I FORWARD -o br0 -j ACCEPT"))),
        (DOCKER, ForeignDrop("ip", "filter", "FORWARD", (
            "iptables -I DOCKER-USER -i br0 -j ACCEPT", "iptables -I DOCKER-USER -o br0 -j ACCEPT"))),
        (NFTABLES, ForeignDrop("inet", "fw", "passing", (
            'nft insert rule inet fw passing iifname "br0" accept',
            'nft insert rule inet fw passing oifname "br0" accept'))),
    ],
    ids=["iptables", "docker", "nft"],
)  # fmt: skip
def test_what_drops_is_named_and_the_rules_help(
    plain: Testbed, rules: list[str], expected: ForeignDrop
) -> None:
    one = plain.container("br0", "172.17.0.2/16")
    plain.nat.publish([Port("tcp", 8080, "172.17.0.2", 80)])
    with (
        serving(plain.internet, TCP, INTERNET[0], 7000) as there,
        serving(one, TCP, "172.17.0.2", 80) as inside,
    ):

        def both_ways() -> list[bool]:
            return [
                passes(one, (INTERNET[0], 7000), there),
                passes(plain.internet, (UPLINK[0], 8080), inside),
            ]

        assert plain.nat.foreign_drops() == []
        assert both_ways() == [True, True]
        shell(*rules)
        assert both_ways() == [False, False]
        (found,) = plain.nat.foreign_drops()
        assert found == expected
        assert str(found).startswith(
            f"chain {found.chain} of table {found.family} {found.table} drops what it"
        )
        shell(found.commands[0])
        assert [drop.commands for drop in plain.nat.foreign_drops()] == [expected.commands[1:]]
        shell(found.commands[1])
        assert plain.nat.foreign_drops() == []
        assert both_ways() == [True, True]


@pytest.mark.needs("nft")
def test_only_the_bridges_asked_for(plain: Testbed) -> None:
    bridges("br1")
    plain.nat.add_network("br1", ["172.18.0.0/16"])
    shell(*NFTABLES)
    (found,) = plain.nat.foreign_drops()
    assert len(found.commands) == 4
    (found,) = plain.nat.foreign_drops(["br9"])
    assert found.commands == (
        'nft insert rule inet fw passing iifname "br9" accept',
        'nft insert rule inet fw passing oifname "br9" accept',
    )
    assert plain.nat.foreign_drops([]) == []


@pytest.mark.needs("iptables", "nft")
def test_beside_docker_both_publish_ports(plain: Testbed) -> None:
    shell(*DOCKER)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:  # as dockerd does
        file.write("1")
    plain.bridge("docker0", "172.20.0.1/16")
    theirs = plain.container("docker0", "172.20.0.2/16")
    ours = plain.container("br0", "172.17.0.2/16")
    shell(*(command for drop in plain.nat.foreign_drops() for command in drop.commands))
    plain.nat.publish([Port("tcp", 8080, "172.17.0.2", 80, localhost=True)])
    with serving(theirs, TCP, "172.20.0.2", 80) as there, serving(ours, TCP, "172.17.0.2", 80) as here:
        assert passes(plain.internet, (UPLINK[0], 9090), there)
        assert passes(plain.internet, (UPLINK[0], 8080), here)
        assert passes(None, (UPLINK[0], 9090), there)
        assert passes(None, ("127.0.0.1", 8080), here)
    for one in (theirs, ours):
        with serving(plain.internet, TCP, INTERNET[0], 7000) as outside:
            assert passes(one, (INTERNET[0], 7000), outside)
