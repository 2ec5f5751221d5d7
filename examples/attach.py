"""Gives the container with this process id an eth0 on a new bridge, shows it, and takes it away again.

As root; or, as anyone: unshare -rn sh -c 'unshare -n sleep 60 & sleep 1; python examples/attach.py $!'
"""

from __future__ import annotations

import sys

import netlinkpy as nl

pid = int(sys.argv[1])
with nl.RTNetlink() as host, nl.RTNetlink(netns=pid) as container:
    host.links.add("example0", kind="bridge", up=True)
    host.addresses.add("172.17.42.1/16", dev="example0")
    one = nl.attach(nl.Endpoint(netns=pid, bridge="example0", addresses="172.17.42.99/16"))
    print(*container.links.list(), *container.addresses.list(), *container.routes.list(), sep="\n")
    nl.detach(one)
    host.links.delete("example0")
