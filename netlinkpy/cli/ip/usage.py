"""The texts of `ip help` and `ip OBJECT help`."""

from __future__ import annotations

_IP = """\
Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
       ip [ -force ] -batch FILE

OBJECT  := { link | address | route | netns | neigh | rule }
OPTIONS := { -4 | -6 | -0 | -f[amily] FAMILY | -n[etns] NAME | -j[son] | -p[retty] | -br[ief] |
             -d[etails] | -o[neline] | -N[umeric] | -c[olor][=always|auto|never] | -s[tatistics] |
             -l[oops] COUNT | -a[ll] | -V[ersion] }
FILE    := a file of commands, one a line; - is standard input

Objects and commands may be shortened: ip a, ip l, ip -br a, ip r l"""

_LINK = """\
Usage: ip link [ show ] [ DEVICE ] [ up ] [ master DEVICE | nomaster ] [ type TYPE ] [ group GROUP ]
       ip link add [ link DEVICE ] [ name ] NAME [ SETTINGS ] type KIND [ OPTION VALUE ]...
       ip link add [ name ] NAME [ SETTINGS ] type veth [ peer [ name ] NAME [ SETTINGS ] ]
       ip link set { DEVICE | group GROUP } [ up | down ] [ name NAME ] [ SETTINGS ]
                   [ type { KIND | bridge_slave } [ OPTION VALUE ]... ]
       ip link delete { DEVICE | group GROUP }
       ip link property { add | del } dev DEVICE [ altname NAME ]...

SETTINGS := [ address MAC ] [ broadcast MAC ] [ mtu BYTES ] [ index NUMBER ] [ txqueuelen PACKETS ]
            [ group GROUP ] [ numtxqueues COUNT ] [ numrxqueues COUNT ] [ master DEVICE | nomaster ]
            [ netns { NAME | PID } ] [ alias TEXT ]
            [ { arp | multicast | allmulticast | promisc | dynamic | trailers } { on | off } ]
            [ addrgenmode { eui64 | none | stable_secret | random } ]
OPTION   := ip link add type bridge help, ip link set DEVICE type bridge_slave help

Examples: ip link add br0 type bridge
          ip link add A type veth peer name B netns blue
          ip link set A master br0 up"""

_ADDRESS = """\
Usage: ip address [ show ] [ DEVICE ] [ up ] [ to PREFIX ] [ scope SCOPE ] [ label PATTERN ] [ FLAG ]...
       ip address { add | change | replace } ADDRESS[/LENGTH] dev DEVICE [ peer ADDRESS ]
                  [ broadcast { ADDRESS | + | - } ] [ label LABEL ] [ scope SCOPE ] [ metric METRIC ]
                  [ valid_lft TIME ] [ preferred_lft TIME ] [ FLAG ]...
       ip address delete ADDRESS[/LENGTH] dev DEVICE
       ip address flush [ dev DEVICE ] [ to PREFIX ] [ scope SCOPE ] [ label PATTERN ] [ FLAG ]...

SCOPE := { host | link | global | NUMBER }
TIME  := { forever | SECONDS }
FLAG  := { home | nodad | mngtmpaddr | noprefixroute | autojoin }; show and flush also take
         { permanent | dynamic | secondary | primary | temporary | [-]tentative | [-]deprecated |
           [-]dadfailed }

Examples: ip address add 172.17.42.99/16 dev eth0
          ip -4 -br address"""

_ROUTE = """\
Usage: ip route [ show ] [ [ root | match | exact ] PREFIX ] [ table TABLE ] [ dev DEVICE ]
                [ via PREFIX ] [ src PREFIX ] [ proto PROTOCOL ] [ type TYPE ] [ scope SCOPE ]
                [ metric METRIC ] [ tos TOS ]
       ip route flush SELECTOR, as for show
       ip route get ADDRESS [ from ADDRESS iif DEVICE ] [ oif DEVICE ] [ mark NUMBER ] [ uid NUMBER ]
                [ fibmatch ]
       ip route { add | append | prepend | change | replace | delete | test } [ TYPE ] PREFIX
                [ via [ FAMILY ] ADDRESS ] [ dev DEVICE ] [ onlink ] [ metric METRIC ] [ table TABLE ]
                [ src ADDRESS ] [ scope SCOPE ] [ proto PROTOCOL ] [ tos TOS ] [ mtu [ lock ] BYTES ]
                [ METRICS ] [ nexthop NEXTHOP ]...

NEXTHOP := [ via [ FAMILY ] ADDRESS ] [ dev DEVICE ] [ weight NUMBER ] [ onlink ]
TYPE    := { unicast | local | broadcast | multicast | anycast | blackhole | unreachable |
             prohibit | throw }
TABLE   := { main | local | default | all | NUMBER }

Examples: ip route add default via 172.17.42.1
          ip route show table all"""

_NETNS = """\
Usage: ip netns [ list ]
       ip netns add NAME
       ip netns attach NAME PID
       ip [ -all ] netns delete [ NAME ]
       ip [ -all ] netns exec [ NAME ] COMMAND ...
       ip netns identify [ PID ]
       ip netns pids NAME
       ip netns set NAME { auto | ID }
       ip netns list-id [ target-nsid ID ] [ nsid ID ]
       ip netns prune                              removes what dangles in /run/netns

Examples: ip netns add blue
          ip netns exec blue ip address"""

_NEIGH = """\
Usage: ip neigh [ show ] [ proxy ] [ to PREFIX ] [ dev DEVICE ] [ nud STATE ] [ master DEVICE | nomaster ]
       ip neigh { add | change | replace | delete } ADDRESS dev DEVICE [ lladdr MAC ] [ nud STATE ]
                [ router ] [ extern_learn ] [ protocol PROTOCOL ]
       ip neigh flush [ to PREFIX ] [ dev DEVICE ] [ nud STATE ]

STATE := { permanent | reachable | stale | noarp | delay | probe | incomplete | failed | none }

Examples: ip neigh add 172.17.42.99 lladdr 02:42:ac:11:2a:63 dev docker0"""

_RULE = """\
Usage: ip rule [ show ] [ from PREFIX ] [ to PREFIX ] [ table TABLE ] [ priority NUMBER ]
                [ iif DEVICE ] [ oif DEVICE ]

Examples: ip rule show table main"""

_TEXTS = {
    "ip": _IP,
    "link": _LINK,
    "address": _ADDRESS,
    "route": _ROUTE,
    "netns": _NETNS,
    "neigh": _NEIGH,
    "rule": _RULE,
}


def usage(topic: str) -> str:
    """Return the usage of an object, or of `ip` itself."""
    return _TEXTS.get(topic, _IP)
