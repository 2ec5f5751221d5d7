"""Ten thousand ports, and sixteen processes at once."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
from functools import partial

import pytest

from netlinkpy.nat import Nat, Port
from tests.support.forked import fork
from tests.support.nat_testbed import TCP, UPLINK, Testbed, bridges, claim, connect_time, passes, serving

PROCESSES, ROUNDS = 16, 12


@pytest.mark.needs("nft")
def test_ten_thousand_ports_are_one_transaction_and_two_rules(testbed: Testbed) -> None:
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", ["172.17.0.0/16"])
    one, two = testbed.container("br0", "172.17.0.2/16"), testbed.container("br0", "172.17.0.3/16")
    many = [Port("tcp", 10000 + row, "172.17.0.2", 80) for row in range(5000)]
    many += [Port("tcp", 15000 + row, "172.17.0.3", 80) for row in range(5000)]
    generation = testbed.nat._tables.generation()
    testbed.nat.publish(many)
    assert testbed.nat._tables.generation() == generation + 1
    assert testbed.nat.ports() == many
    listed = subprocess.run(
        ["nft", "list", "chain", "inet", "netlinkpy", "published"], check=True, capture_output=True
    )
    assert listed.stdout.count(b"dnat") == 4  # two look-ups for each version
    with serving(one, TCP, "172.17.0.2", 80) as first, serving(two, TCP, "172.17.0.3", 80) as second:
        for number, listener in ((10000, first), (14999, first), (15000, second), (19999, second)):
            assert passes(testbed.internet, (UPLINK[0], number), listener)
        assert not passes(testbed.internet, (UPLINK[0], 20000), second)
        assert testbed.nat.forget(["172.17.0.2"]) and testbed.nat.ports() == many[5000:]
        assert not passes(testbed.internet, (UPLINK[0], 14999), first)
        assert passes(testbed.internet, (UPLINK[0], 15000), second)
    assert sorted(testbed.nat.unpublish(many), key=lambda port: port.port) == many[5000:]
    assert testbed.nat.ports() == []


def test_ten_thousand_ports_cost_packets_what_one_does(testbed: Testbed) -> None:
    testbed.bridge("br0", "172.17.0.1/16")
    testbed.nat.add_network("br0", ["172.17.0.0/16"])
    one = testbed.container("br0", "172.17.0.2/16")
    many = [Port("tcp", 10000 + row, "172.17.0.2", 80) for row in range(10000)]
    with serving(one, TCP, "172.17.0.2", 80) as inside:
        ratios = []
        for _ in range(3):
            testbed.nat.publish(many[:1], check=False)
            alone = connect_time(testbed.internet, (UPLINK[0], 10000), inside)
            testbed.nat.publish(many, check=False)
            ratios.append(connect_time(testbed.internet, (UPLINK[0], 19999), inside) / alone)
            testbed.nat.unpublish(many)
    assert statistics.median(ratios) < 1.5  # a chain of as many rules: a hundredfold


def test_sixteen_processes_change_the_table_at_once(nat: Nat) -> None:
    """Each has a network of its own, which comes and goes, and ports in it and in one that all share; in the
    end there is exactly what each left."""
    bridges("shared", *(f"br{number}" for number in range(PROCESSES)))
    nat.add_network("shared", ["10.0.0.0/8"], internal=True)
    claim("shared", *(f"10.0.0.{number + 1}" for number in range(PROCESSES)))
    for number in range(PROCESSES):
        claim(f"br{number}", f"172.{16 + number}.0.2")

    def work(number: int) -> None:
        pick = random.Random(number)
        bridge, address = f"br{number}", f"10.0.0.{number + 1}"
        with Nat(timeout=60) as mine:
            for turn in range(ROUNDS):
                mine.add_network(bridge, [f"172.{16 + number}.0.0/16"], internal=True)
                ports = [
                    Port("tcp", 1000 * (number + 1) + row, address, 80)
                    for row in range(pick.randrange(1, 20))
                ]
                mine.publish([*ports, Port("udp", number + 1, f"172.{16 + number}.0.2", 53)], check=False)
                if pick.random() < 0.5:
                    assert len(mine.unpublish(ports[:1])) == 1
                assert {port.address for port in mine.forget([address])} <= {address}
                if turn < ROUNDS - 1:
                    mine.remove_network(bridge)
            mine.publish([Port("tcp", 1000 * (number + 1), address, 80)], check=False)

    children = [fork(partial(work, number)) for number in range(PROCESSES)]
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * PROCESSES
    networks = {f"br{number}": f"172.{16 + number}.0.0/16" for number in range(PROCESSES)}
    networks["shared"] = "10.0.0.0/8"
    assert {one.bridge: one.subnets[0] for one in nat.networks()} == networks
    ports = [Port("tcp", 1000 * (n + 1), f"10.0.0.{n + 1}", 80) for n in range(PROCESSES)]
    assert nat.ports() == ports + [Port("udp", n + 1, f"172.{16 + n}.0.2", 53) for n in range(PROCESSES)]


def test_of_two_who_want_a_port_one_gets_it(nat: Nat) -> None:
    bridges("br0")
    claim("br0", *(f"10.0.0.{number + 1}" for number in range(4)))
    nat.add_network("br0", ["10.0.0.0/8"], internal=True)
    reading, writing = os.pipe()

    def work(number: int) -> None:
        with Nat() as mine:
            for port in range(1, 51):
                try:
                    mine.publish([Port("tcp", port, f"10.0.0.{number + 1}", 80)], check=False)
                except OSError:
                    continue
                os.write(writing, bytes([number]))

    children = [fork(partial(work, number)) for number in range(4)]
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    os.close(writing)
    won = os.read(reading, 1000)
    os.close(reading)
    ports = nat.ports()
    assert len(won) == len(ports) == 50
    addresses = [port.address for port in ports]
    assert all(won.count(number) == addresses.count(f"10.0.0.{number + 1}") for number in range(4))
