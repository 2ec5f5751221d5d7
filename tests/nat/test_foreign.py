"""Beside others: forward chains of theirs that drop are named, with rules that do help; both work side by
side."""

from __future__ import annotations

import subprocess
from pathlib import Path

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


@pytest.mark.needs("iptables")
def test_a_cure_names_a_chain_of_that_table(plain: Testbed) -> None:
    """dockerd without IPv6 has DOCKER-USER in one of the two tables `filter`."""
    shell("iptables -N DOCKER-USER", "ip6tables -P FORWARD DROP")
    (found,) = plain.nat.foreign_drops(["br9"])
    assert found.commands == tuple(f"ip6tables -I FORWARD {way} br9 -j ACCEPT" for way in ("-i", "-o"))


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


# -- rejected, dropped at the end, accepted too late -------------------------------------------------------

FIREWALLD = """\
nft 'add table inet firewalld
add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; policy accept ; }
add chain inet firewalld filter_FORWARD_POLICIES
add chain inet firewalld filter_FWD_trusted
add chain inet firewalld filter_FWD_public
add rule inet firewalld filter_FORWARD ct state { established, related } accept
add rule inet firewalld filter_FORWARD ct status dnat accept
add rule inet firewalld filter_FORWARD iifname "lo" accept
add rule inet firewalld filter_FORWARD ct state invalid drop
add rule inet firewalld filter_FORWARD ip6 daddr { ::/96, 2002::/24 } reject with icmpv6 addr-unreachable
add rule inet firewalld filter_FORWARD jump filter_FORWARD_POLICIES
add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited
add rule inet firewalld filter_FWD_trusted accept
add rule inet firewalld filter_FWD_public tcp dport 22 accept
add rule inet firewalld filter_FORWARD_POLICIES jump filter_FWD_public'
"""
FIREWALLD_CURE = (
    'nft insert rule inet firewalld filter_FORWARD_POLICIES iifname "br0" goto filter_FWD_trusted'
)
ADDED = "--zone=trusted --add-interface=br0"
UFW = [
    *(f"iptables -N {chain}" for chain in ("ufw-before-forward", "ufw-user-forward", "ufw-reject-forward")),
    "iptables -A FORWARD -j ufw-before-forward",
    "iptables -A FORWARD -j ufw-reject-forward",
    "iptables -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "iptables -A ufw-before-forward -p icmp --icmp-type echo-request -j ACCEPT",
    "iptables -A ufw-before-forward -j ufw-user-forward",
    "iptables -A ufw-reject-forward -j REJECT",
]
RHEL = ["iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited"]
LAST = [*NFTABLES[:1], "nft add chain inet fw passing { type filter hook forward priority 10 ; }"]
FINAL_DROP = [*LAST, "nft add rule inet fw passing ct state established,related accept", *[
    "nft add rule inet fw passing counter drop"]]  # fmt: skip
TOO_LATE = [*FINAL_DROP, *(
    f'nft add rule inet fw passing {word} "br0" accept' for word in ("iifname", "oifname"))]  # fmt: skip
KNOWN = "nft add rule inet fw passing ct state established,related accept"
FROM_BR0 = ('nft insert rule inet fw passing iifname "br0" accept',)
TO_AND_FRO = (*FROM_BR0, 'nft insert rule inet fw passing oifname "br0" accept')
OF_OTHERS = [*LAST, KNOWN, 'nft add rule inet fw passing iifname != { "eth9", "br1" } drop']
BOTH = ("iifname", "oifname")
NAMES = 'nft add set inet fw names { type ifname ; flags interval ; elements = { "br*", "eth9" } ; }'
CHAIN = [*LAST, "nft add chain inet fw ours", KNOWN]


@pytest.mark.needs("iptables", "nft")
@pytest.mark.parametrize(
    "rules, commands, cure",
    [
        ([FIREWALLD], (f"firewall-cmd {ADDED}", f"firewall-cmd --permanent {ADDED}"), [FIREWALLD_CURE]),
        (UFW, ("ufw route allow in on br0", "ufw route allow out on br0"), [
            f"iptables -A ufw-user-forward {way} br0 -j ACCEPT" for way in ("-i", "-o")]),
        (RHEL, (*(f"iptables -I FORWARD {way} br0 -j ACCEPT" for way in ("-i", "-o")),), None),
        (FINAL_DROP, (*(f'nft insert rule inet fw passing {word} "br0" accept' for word in BOTH),), None),
        (TOO_LATE, (*(f'nft insert rule inet fw passing {word} "br0" accept' for word in BOTH),), None),
        (OF_OTHERS, TO_AND_FRO, None),
        ([*CHAIN, "nft add rule inet fw ours drop",
          "nft add rule inet fw passing ct state vmap { invalid : accept, new : jump ours }"],
         TO_AND_FRO, None),
        ([*CHAIN, 'nft add rule inet fw passing iifname vmap { "eth9" : accept, "br0" : drop }'],
         FROM_BR0, None),
        ([*CHAIN, 'nft add rule inet fw passing iifname vmap { "eth9" : accept, "up0" : accept, * : drop }'],
         FROM_BR0, None),
        ([*CHAIN, 'nft add rule inet fw passing iifname . oifname { "up0" . "br0", "br0" . "br*" } accept',
          "nft add rule inet fw passing tcp dport vmap { 22 : drop }", *FINAL_DROP[-1:]], FROM_BR0, None),
        ([*CHAIN, NAMES, "nft add rule inet fw passing iifname @names counter drop"], FROM_BR0, None),
        ([*CHAIN, "nft add rule inet fw passing iif br0 reject comment ours"], FROM_BR0, None),
        ([*CHAIN, "nft add rule inet fw passing iif 2-4000 iif { 2-4000 } meta mark set 7 drop"],
         TO_AND_FRO, None),
        (["iptables -A FORWARD -i br0 -m conntrack --ctstate NEW -m comment --comment why -j DROP"],
         ("iptables -I FORWARD -i br0 -j ACCEPT",), None),
    ],
    ids=["firewalld", "ufw", "rhel", "final drop", "accept too late", "a set of others", "jump of a map",
         "map", "map's rest", "concatenations", "wildcard in a set", "by index", "in a range",
         "of iptables' states"],
)  # fmt: skip
def test_what_rejects_is_named_with_its_own_cure(
    plain: Testbed, rules: list[str], commands: tuple[str, ...], cure: list[str] | None
) -> None:
    one = plain.container("br0", "172.17.0.2/16")
    with serving(plain.internet, TCP, INTERNET[0], 7000) as there:
        assert passes(one, (INTERNET[0], 7000), there)
        for rule in rules:
            simple = rule.startswith("nft ") and not rule.startswith("nft '")
            subprocess.run(f"nft '{rule[4:]}'" if simple else rule, shell=True, check=True)
        assert not passes(one, (INTERNET[0], 7000), there)
        (found,) = plain.nat.foreign_drops()
        assert found.commands == commands
        for command in found.commands if cure is None else cure:
            nft = command.startswith("nft ")
            subprocess.run(f"nft '{command[4:]}'" if nft else command, shell=True, check=True)
        assert plain.nat.foreign_drops() == []
        assert passes(one, (INTERNET[0], 7000), there)


@pytest.mark.needs("iptables", "nft")
@pytest.mark.parametrize(
    "rules",
    [
        [*LAST, "nft add rule inet fw passing ip saddr 198.51.100.0/24 drop"],
        [*LAST, "nft add rule inet fw passing tcp dport 25 reject"],
        [*LAST, 'nft add rule inet fw passing iifname "br*" accept', *FINAL_DROP[-1:],
         'nft insert rule inet fw passing oifname { "br0", "br1" } counter accept'],
        ["iptables -A FORWARD -i br+ -j ACCEPT", "iptables -A FORWARD -o br+ -j ACCEPT", *RHEL],
        ["iptables -N inner", "iptables -A inner -j RETURN", "iptables -A FORWARD -j inner"],
        [*LAST, "nft add chain inet fw a", "nft add rule inet fw passing jump a",
         "nft add rule inet fw passing goto a"],
        [*CHAIN, NAMES, "nft add rule inet fw passing iifname @names accept",
         "nft add rule inet fw passing oifname @names log accept", *FINAL_DROP[-1:]],
        [*CHAIN, 'nft add rule inet fw passing iifname vmap { "br0" : goto ours, "eth9" : drop }',
         'nft add rule inet fw passing oifname vmap { "br0" : jump ours, "eth9" : drop }',
         'nft add rule inet fw passing oifname "br0" accept', *FINAL_DROP[-1:]],
        [*CHAIN, 'nft add rule inet fw passing iifname vmap { "up0" : accept, "br*" : accept, * : drop }'],
        [*CHAIN, 'nft add rule inet fw passing iifname . tcp dport { "br0" . 1-65535, "up0" . 25 } accept',
         'nft add rule inet fw passing iifname . tcp dport vmap { "eth*" . 1-65535 : drop }'],
        [*CHAIN, "nft add rule inet fw passing iif br0 accept", "nft add rule inet fw passing oif br0 accept",
         *FINAL_DROP[-1:]],
        [*CHAIN, "nft add rule inet fw passing ct state vmap { new : accept, invalid : drop }",
         *FINAL_DROP[-1:]],
        ["iptables -A FORWARD -m conntrack --ctstate NEW -m comment --comment why -j ACCEPT",
         "iptables -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP"],
        [*CHAIN, "nft add rule inet fw passing oifname up0 accept",
         "nft add rule inet fw passing iif { up0, br0 } accept", *FINAL_DROP[-1:]],
        ["ip6tables -P FORWARD DROP", *LAST, "nft add rule inet fw passing meta nfproto ipv6 drop"],
    ],
    ids=["of an address", "of a port", "let pass", "wildcards", "returns", "to nowhere", "wildcards in a set",
         "map", "map's rest", "concatenations", "by index", "of states",
         "of iptables' states", "by the way out", "of another IP version"],
)  # fmt: skip
def test_no_false_alarm(plain: Testbed, rules: list[str]) -> None:
    one = plain.container("br0", "172.17.0.2/16")
    for rule in rules:
        subprocess.run(f"nft '{rule[4:]}'" if rule.startswith("nft") else rule, shell=True, check=True)
    with serving(plain.internet, TCP, INTERNET[0], 7000) as there:
        assert plain.nat.foreign_drops() == []
        assert passes(one, (INTERNET[0], 7000), there)


@pytest.mark.needs("iptables", "br_netfilter")
@pytest.mark.parametrize("handed", ["1", "0"])
@pytest.mark.parametrize("internal", [True, False])
def test_what_drops_from_container_to_container(testbed: Testbed, handed: str, internal: bool) -> None:
    """Where br_netfilter hands such packets over; nothing else of an internal network passes anyway."""
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    switch.write_text(handed)
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", ["172.17.0.0/16"], internal=internal)
    one, other = testbed.container("br0", "172.17.0.2/16"), testbed.container("br0", "172.17.0.3/16")
    with serving(other, TCP, "172.17.0.3", 80) as inside:
        assert passes(one, ("172.17.0.3", 80), inside)
        shell("iptables -A FORWARD -m physdev --physdev-is-bridged -j DROP")
        drops = testbed.nat.foreign_drops()
        assert [drop.commands for drop in drops] == [("iptables -I FORWARD -i br0 -j ACCEPT",)] * int(handed)
        assert passes(one, ("172.17.0.3", 80), inside) == (handed == "0")
        shell(*(command for drop in drops for command in drop.commands))
        assert testbed.nat.foreign_drops() == []
        assert passes(one, ("172.17.0.3", 80), inside)
