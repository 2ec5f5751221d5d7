"""How fast `run -p` relays from 127.0.0.1, beside the same container's own address, in turns.

python benchmarks/relay.py [ROUNDS]
"""

from __future__ import annotations

import socket
import sys
from statistics import median
from time import perf_counter

import netlinkpy as nl
from netlinkpy import run
from netlinkpy.bench.testbed import enter_own_host
from netlinkpy.networks import Network

SIZE = 1 << 28  # bytes each time
SINK = (
    "import socket\n"
    "sock = socket.create_server(('', 8000))\n"
    "while True:\n"
    "    one, room = sock.accept()[0], bytearray(1 << 18)\n"
    "    while one.recv_into(room): pass\n"
    "    one.send(b'.'); one.close()\n"
)


def rate(host: str, port: int) -> float:
    """Return the MB/s at which a port takes data."""
    part = bytes(1 << 18)
    with socket.create_connection((host, port)) as sock:
        begin = perf_counter()
        for _ in range(SIZE // len(part)):
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
        return SIZE / (perf_counter() - begin) / 1e6


def main(rounds: int) -> None:
    enter_own_host()
    with nl.RTNetlink() as host:
        host.links.set("lo", up=True)
    Network.create("blue", subnets="172.30.0.0/16")
    with run.start(sys.executable, "-c", SINK, net="blue", ip="172.30.0.5", ports="8080:8000"):
        while True:
            try:
                rate("172.30.0.5", 8000)
                break
            except OSError:
                continue
        pairs = [(rate("127.0.0.1", 8080), rate("172.30.0.5", 8000)) for _ in range(rounds)]
    relayed, direct = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    print(f"relayed {relayed:.0f} MB/s, direct {direct:.0f} MB/s: {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
