"""`netlinkpy --help` and `netlinkpy VERB --help`."""

from __future__ import annotations

_OVERVIEW = """\
Usage: netlinkpy VERB ...
       netlinkpy [ OPTIONS OF ip ] { link | address | route | netns | neigh | rule } ...

Wires containers, and does what ip and brctl do, without them. A link to netlinkpy that is named ip or brctl
is that program.

  attach      give a container an interface wired to a bridge
                netlinkpy attach 2778 --bridge docker0 --ip 172.17.42.99/16 --default-gateway 172.17.42.1
                netlinkpy attach --from endpoints.jsonl
  detach      take it away again
                netlinkpy detach 2778
  link        network interfaces, in ip's grammar
                netlinkpy link add A type veth peer name B netns blue
                netlinkpy link set A master br0 up
                netlinkpy -br link
  address     their addresses
                netlinkpy address add 172.17.42.99/16 dev eth0
                netlinkpy -n blue -j -p address
  route       routes
                netlinkpy route add default via 172.17.42.1
                netlinkpy route get 8.8.8.8
  netns       named namespaces
                netlinkpy netns add blue
                netlinkpy netns exec blue ping -c1 172.17.42.1
                netlinkpy netns prune
  neigh       neighbours: which hardware address an IP address has
                netlinkpy neigh replace 172.17.42.99 lladdr 02:42:ac:11:2a:63 dev docker0
  rule        rules: which table a packet is looked up in
                netlinkpy rule
  brctl       bridges, in bridge-utils' grammar
                netlinkpy brctl addif br0 A
                netlinkpy brctl show
  network     networks with automatic addresses, masqueraded to the outside
                netlinkpy network create blue --subnet 172.30.0.0/16
                netlinkpy network connect blue 2778
  run         a command in namespaces of its own; ps, exec, port, stop and kill go with it
                netlinkpy run -d --name web --net=bridge -- python3 -m http.server
                netlinkpy exec web ip address
  show        a picture of the host: bridges, containers and what connects them
                netlinkpy show
  bench       wire many containers in namespaces of its own, prove it with packets, tear down
                netlinkpy bench --containers 200
  completion  print the completion of a shell
                eval "$(netlinkpy completion bash)"

netlinkpy VERB --help tells more; netlinkpy --version names the backend in use.
"""

_COMPLETION = """\
Usage: netlinkpy completion bash

Prints a completion for bash, for netlinkpy and for links to it that are named ip or brctl.

Examples:
  eval "$(netlinkpy completion bash)"
  netlinkpy completion bash > /etc/bash_completion.d/netlinkpy
"""

_OBJECTS = {
    "link": "link",
    "address": "address",
    "addr": "address",
    "route": "route",
    "netns": "netns",
    "neigh": "neigh",
    "rule": "rule",
    "ip": "ip",
}


def text(verb: str) -> str | None:
    """Return the help of a verb ("": of netlinkpy itself), None if there is no such verb."""
    if not verb:
        return _OVERVIEW
    if verb == "completion":
        return _COMPLETION
    if verb in _OBJECTS:
        from .ip.usage import usage

        return usage(_OBJECTS[verb]) + "\n"
    if verb == "brctl":
        from .brctl import usage as brctl_usage

        return (
            brctl_usage() + "\nExamples: brctl addbr br0\n          brctl addif br0 A\n          brctl show\n"
        )
    from . import VERBS

    if verb not in VERBS:
        return None
    module = __import__(f"{__package__}.{VERBS[verb]}", fromlist=["COMMAND"])
    return str(module.COMMAND.help()) + "\n"
