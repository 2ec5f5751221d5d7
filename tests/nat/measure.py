"""What ten thousand published ports cost: to publish, and each new connection; beside nft and iptables.

python -m tests.nat.measure       as root; needs nft and iptables"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable

import netlinkpy as nl
from netlinkpy.nat import Nat, Port
from tests.nat.capture import IN, bare
from tests.support import namespaces
from tests.support.namespaces import Container
from tests.support.nat_testbed import TCP, UPLINK, Testbed, connect_time, listen

COUNT, ADDRESS = 10000, "172.17.0.2"
PORTS = [Port("tcp", 10000 + row, ADDRESS, 80) for row in range(COUNT)]


def milliseconds(work: Callable[[], object], clean: Callable[[], object], times: int = 5) -> str:
    """The median time of a work that is cleaned up after each time."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
        clean()
    return f"{statistics.median(taken):9.2f} ms"


def run(command: str, text: str = "") -> None:
    subprocess.run(command.split(), input=text, text=True, check=True, capture_output=True)


def report(what: str, figure: str) -> None:
    print(f"{what:60} {figure}", flush=True)


def main() -> None:
    namespaces.isolate()
    namespaces.raise_loopback()
    made: list[Container] = []

    def make(count: int, **options: bool) -> list[Container]:
        made.extend(Container(**options) for _ in range(count))
        return made[-count:]

    try:
        with nl.RTNetlink() as host, Nat() as nat:
            measure(Testbed(host, nat, make))
    finally:
        for one in made:
            one.kill()


def measure(testbed: Testbed) -> None:
    nat = testbed.nat
    testbed.bridge("br0", "172.17.0.1/16")
    nat.add_network("br0", ["172.17.0.0/16"])
    one = testbed.container("br0", f"{ADDRESS}/16")
    listener = listen(one, TCP, ADDRESS, 80)

    def connection(port: int, count: int = 300) -> str:
        return f"{connect_time(testbed.internet, (UPLINK[0], port), listener, count):9.1f} us"

    single = [Port("tcp", 80, ADDRESS, 80)]
    report("publish one port", milliseconds(lambda: nat.publish(single), lambda: nat.unpublish(single)))
    report("forget an address, nothing published", milliseconds(lambda: nat.forget(["172.17.0.9"]), str))
    nat.publish(single)
    report("connect through the only port", connection(80))
    publish = "publish 10 000 ports"
    report(publish, milliseconds(lambda: nat.publish(PORTS), lambda: nat.unpublish(PORTS)))
    unchecked = milliseconds(lambda: nat.publish(PORTS, check=False), lambda: nat.unpublish(PORTS))
    report(f"{publish}, check=False", unchecked)
    nat.publish(PORTS)
    report("connect through the last of them", connection(PORTS[-1].port))
    report(
        "forget an address to which none of them leads", milliseconds(lambda: nat.forget(["172.17.0.9"]), str)
    )
    report("list them", milliseconds(nat.ports, str))
    report(
        "withdraw them", milliseconds(lambda: nat.forget([ADDRESS]), lambda: nat.publish(PORTS, check=False))
    )
    nat.remove_network("br0")

    elements = ", ".join(f"tcp . {port.port} : {ADDRESS} . 80" for port in PORTS)
    run("nft -f -", bare())
    whole = f"add element {IN} ports4 {{ {elements} }}"
    flush = f"nft flush map {IN} ports4"
    report(
        "nft: the same elements by one command",
        milliseconds(lambda: run("nft -f -", whole), lambda: run(flush)),
    )
    run("nft flush ruleset")

    rule = "PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp --dport {0} -j DNAT --to-destination {1}:80"
    rules = "\n".join(f"-A {rule.format(port.port, ADDRESS)}" for port in PORTS)
    clear = "iptables -t nat -F PREROUTING"
    restore = milliseconds(
        lambda: run("iptables-restore -n", f"*nat\n{rules}\nCOMMIT\n"), lambda: run(clear), times=1
    )
    report("iptables-restore: 10 000 rules", restore)
    add = f"iptables -t nat -A {rule.format(80, ADDRESS)}"
    report("iptables: one rule, alone", milliseconds(lambda: run(add), str))
    report("iptables: connect through the only rule", connection(80))
    run("iptables-restore -n", f"*nat\n{rules}\nCOMMIT\n")
    report("iptables: one rule beside 10 000", milliseconds(lambda: run(add), str))
    report("iptables: connect through the last of 10 000", connection(PORTS[-1].port, 50))
    listener.close()


if __name__ == "__main__":
    main()
