"""The library in ten lines: a bridge, a container, its eth0. Run it as root, or: unshare -rnm python examples/attach.py"""

from __future__ import annotations

import subprocess

import netlinkpy as nl

with nl.RTNetlink() as rt:
    rt.links.add("example0", kind="bridge", up=True)
    rt.addresses.add("172.17.42.1/16", dev="example0")
    nl.netns.create("blue")
    one = nl.attach(nl.Endpoint(netns="blue", bridge="example0", addresses="172.17.42.99/16"))
    print(one)
    nl.netns.run("blue", ["ping", "-c", "1", "172.17.42.1"])
    nl.detach(one)
    nl.netns.delete("blue")
    rt.links.delete("example0")
