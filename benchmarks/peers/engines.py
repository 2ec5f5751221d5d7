"""The network programs of container engines as contenders: the CNI bridge plugin with host-local, and
netavark.

They run one or more processes for each container, as under an engine. Masquerading is off for CNI; netavark
always writes firewall rules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ground import Contender, Place, Wiring, run

CNI_PATH = "/usr/lib/cni"
NETAVARK = "/usr/lib/podman/netavark"
CNI_CONFIG = {
    "cniVersion": "0.4.0",
    "name": "bench",
    "type": "bridge",
    "bridge": "br0",
    "ipam": {
        "type": "host-local",
        "dataDir": "/run/host-local",
        "ranges": [[{"subnet": "172.17.0.0/16", "gateway": "172.17.42.1"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    },
}
NETAVARK_NETWORK = {
    "name": "bench",
    "id": "b" * 64,
    "driver": "bridge",
    "network_interface": "br0",
    "subnets": [{"subnet": "172.17.0.0/16", "gateway": "172.17.42.1"}],
    "ipv6_enabled": False,
    "internal": False,
    "dns_enabled": False,
}


def cni(command: str, place: Place) -> None:
    environment = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": place.name,
        "CNI_NETNS": place.path,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": CNI_PATH,
        "PATH": os.environ["PATH"],
    }
    subprocess.run(
        [f"{CNI_PATH}/bridge"],
        input=json.dumps(CNI_CONFIG).encode(),
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def netavark(verb: str, place: Place) -> None:
    options = {
        "container_id": place.name.ljust(64, "0"),
        "container_name": place.name,
        "networks": {
            "bench": {"interface_name": "eth0", "static_ips": [place.address], "static_mac": place.mac}
        },
        "network_info": {"bench": NETAVARK_NETWORK},
    }
    subprocess.run(
        [NETAVARK, "--config", "/run", verb, place.path],
        input=json.dumps(options).encode(),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def for_each(one: Callable[[str, Place], None], verb: str) -> Wiring:
    def work(places: list[Place]) -> None:
        for place in places:
            one(verb, place)

    return work


CONTENDERS = {
    "cni": Contender(for_each(cni, "ADD"), for_each(cni, "DEL"), named=True),
    "netavark": Contender(for_each(netavark, "setup"), for_each(netavark, "teardown"), named=True),
}

if __name__ == "__main__":
    run(CONTENDERS[sys.argv[1]], sys.argv[2:])
