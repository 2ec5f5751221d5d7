"""Names of numbers: kinds of hardware, states, and the tables that people may extend in /etc/iproute2."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORIES = ("/usr/share/iproute2", "/usr/lib/iproute2", "/etc/iproute2")  # the later ones win

# ARPHRD_ of linux/if_arp.h
HARDWARE = {
    0: "netrom", 1: "ether", 2: "eether", 3: "ax25", 4: "pronet", 5: "chaos", 6: "ieee802", 7: "arcnet",
    8: "atalk", 15: "dlci", 19: "atm", 23: "metricom", 24: "ieee1394", 27: "eui64", 32: "infiniband",
    256: "slip", 257: "cslip", 258: "slip6", 259: "cslip6", 260: "rsrvd", 264: "adapt", 270: "rose",
    271: "x25", 280: "can", 512: "ppp", 513: "hdlc", 516: "lapb", 517: "ddcmp", 518: "rawhdlc", 519: "rawip",
    768: "ipip", 769: "tunnel6", 770: "frad", 771: "skip", 772: "loopback", 773: "ltalk", 774: "fddi",
    775: "bif", 776: "sit", 777: "ip/ddp", 778: "gre", 779: "pimreg", 780: "hippi", 781: "ash", 782: "econet",
    783: "irda", 784: "fcpp", 785: "fcal", 786: "fcpl", 787: "fcfb/0", 800: "tr", 801: "ieee802.11",
    802: "ieee802.11/prism", 803: "ieee802.11/radiotap", 804: "ieee802.15.4", 805: "ieee802.15.4/monitor",
    820: "phonet", 821: "phonet_pipe", 822: "caif", 823: "gre6", 824: "netlink", 825: "6lowpan",
    65534: "none", 65535: "void",
}  # fmt: skip
IPV4_HARDWARE, IPV6_HARDWARE = (768, 776, 778), (769, 823)  # tunnels: their hardware addresses are IP ones

OPERSTATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")  # RFC 2863
LINKMODES = ("DEFAULT", "DORMANT")

LINK_FLAGS = (  # linux/if.h, in the order in which `ip` shows them
    (0x8, "LOOPBACK"), (0x2, "BROADCAST"), (0x10, "POINTOPOINT"), (0x1000, "MULTICAST"), (0x80, "NOARP"),
    (0x200, "ALLMULTI"), (0x100, "PROMISC"), (0x400, "MASTER"), (0x800, "SLAVE"), (0x4, "DEBUG"),
    (0x8000, "DYNAMIC"), (0x4000, "AUTOMEDIA"), (0x2000, "PORTSEL"), (0x20, "NOTRAILERS"), (0x1, "UP"),
    (0x10000, "LOWER_UP"), (0x20000, "DORMANT"), (0x40000, "ECHO"),
)  # fmt: skip

FAMILIES = {2: "inet", 10: "inet6", 17: "link", 28: "mpls", 7: "bridge"}  # linux/socket.h

# the protocols that rules and route look-ups may name (IANA protocol numbers)
IP_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp", 132: "sctp"}

ROUTE_TYPES = (
    "none", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit",
    "throw", "nat", "xresolve",
)  # fmt: skip


class NameTable:
    """A table of names: the built-in ones, and what the files of that name say (`number name` lines)."""

    def __init__(self, file: str, **built_in: int) -> None:
        self._file = file
        self._numbers = built_in
        self._names: dict[int, str] | None = None

    def _load(self) -> dict[int, str]:
        if self._names is None:
            self._names = {number: name for name, number in self._numbers.items()}
            for directory in DIRECTORIES:
                self._names.update(_lines(f"{directory}/{self._file}"))
            # Of two numbers with one name the lower counts: frr's files call 196 static too.
            self._numbers = {self._names[number]: number for number in sorted(self._names, reverse=True)}
        return self._names

    def name(self, number: int) -> str:
        """Return the name of a number, or the number."""
        return self._load().get(number) or str(number)

    def number(self, name: str) -> int | None:
        """Return the number of a name, None if there is no such name."""
        self._load()
        return self._numbers.get(name)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield the entries of one table and of the NAME.d/*.conf files beside it; what cannot be read is passed
    over."""
    import os

    files = [path]
    if os.path.isdir(f"{path}.d"):
        files += [f"{path}.d/{name}" for name in sorted(os.listdir(f"{path}.d")) if name.endswith(".conf")]
    for file in files:
        try:
            with open(file, errors="surrogateescape") as stream:
                lines = stream.read().splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.split("#", 1)[0].split()
            if len(words) == 2:
                try:
                    yield int(words[0], 0), words[1]
                except ValueError:
                    continue


GROUPS = NameTable("group", default=0)
TABLES = NameTable("rt_tables", default=253, main=254, local=255)
PROTOCOLS = NameTable(
    "rt_protos", unspec=0, redirect=1, kernel=2, boot=3, static=4, gated=8, ra=9, mrt=10, zebra=11, bird=12,
    dnrouted=13,
    xorp=14, ntk=15, dhcp=16, keepalived=18, babel=42, bgp=186, isis=187, ospf=188, rip=189, eigrp=192,
)  # fmt: skip
SCOPES = NameTable("rt_scopes", **{"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255})
REALMS = NameTable("rt_realms", cosmos=0)
DSFIELDS = NameTable("rt_dsfield")
