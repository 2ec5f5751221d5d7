"""LinkWords: the words after `ip link add|set|delete` (and after a veth's `peer`), gathered into one link
message."""

from __future__ import annotations

from struct import pack

from ...uapi.if_ import (
    IFF_ALLMULTI,
    IFF_DYNAMIC,
    IFF_MULTICAST,
    IFF_NOARP,
    IFF_NOTRAILERS,
    IFF_PROMISC,
    IFF_UP,
)
from ...uapi.if_link import IFLA_IFALIAS
from ..command_error import CommandError, HelpError
from ..names import LINKMODES, OPERSTATES
from .filter import read_group, read_master, read_vrf
from .grammar import (
    U32,
    Words,
    check_altname,
    check_ifname,
    duplicate,
    garbage,
    matches,
    not_built,
    number,
    on_off,
    on_off_of,
    wrong,
)
from .inet import lladdr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...netns.handle import Netns
    from ...wire.attributes import Values
    from .session import Session

SWITCHES = {  # words that switch a flag; those marked False are named by what they switch off
    "multicast": (IFF_MULTICAST, True),
    "allmulticast": (IFF_ALLMULTI, True),
    "promisc": (IFF_PROMISC, True),
    "trailers": (IFF_NOTRAILERS, False),
    "arp": (IFF_NOARP, False),
    "dynamic": (IFF_DYNAMIC, True),
}
NUMBERS = {  # word -> (attribute, what may be written short)
    "mtu": ("mtu", False),
    "numtxqueues": ("num_tx_queues", True),
    "numrxqueues": ("num_rx_queues", True),
    "gso_max_size": ("gso_max_size", False),
    "gso_max_segs": ("gso_max_segs", False),
    "gro_max_size": ("gro_max_size", False),
}
ADDRESS_MODES = ("eui64", "none", "stable_secret", "random")  # IN6_ADDR_GEN_MODE_, linux/if_link.h
NOT_BUILT = {
    "vf": "virtual functions (vf)",
    "xdp": "XDP programs",
    "xdpgeneric": "XDP programs",
    "xdpdrv": "XDP programs",
    "xdpoffload": "XDP programs",
    "parentdev": "parentdev",
}


class LinkWords:
    """One link as the words describe it; values: its message. Close this object after that is sent: it may
    hold a namespace open.

    creating, deleting: whether the words follow add or delete; peer: they describe a veth's peer."""

    def __init__(
        self, session: Session, words: Words, *, creating: bool, deleting: bool = False, peer: bool = False
    ) -> None:
        self._session = session
        self._creating = creating
        self._peer = peer
        self._header: Values = {}
        self._attributes: Values = {}
        self._device: str | None = None
        self._name: str | None = None
        self._kind: str | None = None
        self._group: int | None = None
        self._lower: str | None = None
        self._reasons = (0, 0)  # mask, bits
        self._opened: list[Netns] = []
        self._parts: list[LinkWords] = []
        try:
            while words and self._kind is None:
                self._read(words, words.next())
            self._complete(creating=creating, deleting=deleting)
            if self._kind is not None:
                self._read_kind(words)
        except BaseException:
            self.close()
            raise

    @property
    def values(self) -> Values:
        """The message."""
        return {**self._header, **self._attributes}

    @property
    def verb(self) -> str:
        """The verb for errors."""
        return f"{'add' if self._creating else 'change'} link {self._device or self._name or ''}".rstrip()

    def close(self) -> None:
        """Close the namespaces that the words name."""
        for part in self._parts:
            part.close()
        for netns in self._opened:
            netns.close()

    # -- word by word
    # -------------------------------------------------------------------------------------------------

    def _read(self, words: Words, word: str) -> None:
        if word in ("up", "down"):
            self._flag(IFF_UP, word == "up")
        elif word == "name":
            self._read_name(words.next())
        elif word == "index":
            self._read_index(words.next())
        elif matches(word, "link"):
            self._lower = words.next()
        elif matches(word, "address"):
            self._attributes["address"] = lladdr(words.next())
        elif matches(word, "broadcast") or word == "brd":
            self._attributes["broadcast"] = lladdr(words.next())
        elif matches(word, "txqueuelen") or word in ("qlen", "txqlen"):
            self._once("txqlen", _signed(words.next(), "txqueuelen"), word)
        elif word in NUMBERS or any(short and matches(word, name) for name, (_, short) in NUMBERS.items()):
            self._read_number(words, word)
        elif word == "netns":
            self._read_netns(words.next())
        elif word in SWITCHES:
            bit, positive = SWITCHES[word]
            self._flag(bit, on_off(words, word) == positive)
        elif word in NOT_BUILT:
            raise not_built(NOT_BUILT[word])
        else:
            self._read_more(words, word)

    def _read_more(self, words: Words, word: str) -> None:
        if word == "carrier":
            self._attributes["carrier"] = int(on_off_of(words, word, 22))
        elif word == "protodown":
            self._attributes["proto_down"] = int(on_off_of(words, word, 22))
        elif word == "protodown_reason":
            self._read_protodown_reason(words)
        elif matches(word, "master"):
            self._attributes["master"] = read_master(self._session, words.next())
        elif word == "vrf":
            self._attributes["master"] = read_vrf(self._session, words.next())
        elif matches(word, "nomaster"):
            self._attributes["master"] = 0
        elif matches(word, "type"):
            self._kind = words.next()
        elif matches(word, "alias"):
            self._read_alias(words.next())
        elif word == "group":
            self._read_group(words.next())
        elif word == "mode":
            self._attributes["linkmode"] = _position(words.next(), LINKMODES, "Invalid link mode\n")
        elif word == "state":
            self._attributes["operstate"] = _position(words.next(), OPERSTATES, "Invalid operstate\n")
        elif matches(word, "addrgenmode"):
            self._read_addrgenmode(words.next())
        elif word == "link-netnsid":
            self._attributes["link_netnsid"] = number(
                words.next(), 'Invalid "link-netnsid" value\n', 0x7FFFFFFF, low=-0x80000000
            )
        elif matches(word, "link-netns"):
            self._read_link_netns(words.next())
        else:
            if matches(word, "help"):
                raise HelpError()
            if word == "dev":
                word = words.next()
            if self._device is not None:
                raise garbage("dev", word)
            check_altname(word, "dev")
            self._device = word

    def _flag(self, bit: int, on: bool) -> None:
        flags = self._header.get("ifi_flags", 0)
        self._header["ifi_flags"] = flags | bit if on else flags & ~bit
        self._header["ifi_change"] = self._header.get("ifi_change", 0) | bit

    def _once(self, attribute: str, value: int, word: str) -> None:
        if attribute in self._attributes:
            raise duplicate(word, word)
        self._attributes[attribute] = value

    def _read_name(self, word: str) -> None:
        if self._name is not None:
            raise duplicate("name", word)
        self._name = check_ifname(word, "name")

    def _read_index(self, word: str) -> None:
        if "ifi_index" in self._header:
            raise duplicate("index", word)
        self._header["ifi_index"] = number(word, 'Invalid "index" value', 0x7FFFFFFF, low=1)

    def _read_number(self, words: Words, word: str) -> None:
        name = next(
            name for name, (_, short) in NUMBERS.items() if word == name or (short and matches(word, name))
        )
        attribute = NUMBERS[name][0]
        if name.startswith("g"):
            self._attributes[attribute] = number(words.next(), f'Invalid "{name}" value\n')
        else:
            self._once(attribute, _signed(words.next(), name), name)

    def _read_netns(self, word: str) -> None:
        if "net_ns_fd" in self._attributes or "net_ns_pid" in self._attributes:
            raise duplicate("netns", word)
        netns = _open_named(word)
        if netns is not None:
            self._opened.append(netns)
            self._attributes["net_ns_fd"] = netns.fileno()
        else:
            self._attributes["net_ns_pid"] = number(word, 'Invalid "netns" value\n', 0x7FFFFFFF)

    def _read_link_netns(self, word: str) -> None:
        netns = _open_named(word)
        if netns is None:
            raise wrong(word, 'Invalid "link-netns" value\n')
        self._opened.append(netns)
        from ...uapi.rtnetlink import RTM_GETNSID
        from ...wire.rtnetlink.nsid import NSID

        found = self._session.socket.request(
            NSID, RTM_GETNSID, 0, {"fd": netns.fileno()}, verb="find namespace id"
        )
        self._attributes["link_netnsid"] = found[0]["nsid"]

    def _read_alias(self, word: str) -> None:
        if len(word.encode("utf-8", "surrogateescape")) > 255:
            raise wrong(word, "alias too long\n")
        # by its number: to clear it the kernel wants an empty attribute, and text would bring its NUL
        self._attributes[IFLA_IFALIAS] = word.encode("utf-8", "surrogateescape")

    def _read_group(self, word: str) -> None:
        if self._group is not None:
            raise duplicate("group", word)
        self._group = read_group(word)

    def _read_protodown_reason(self, words: Words) -> None:
        bit = 1 << number(words.next(), "invalid protodown reason\n", 31)
        mask, bits = self._reasons
        self._reasons = mask | bit, bits | bit if on_off_of(words, "protodown_reason", 22) else bits & ~bit
        # a nest: IFLA_PROTO_DOWN_REASON_MASK is 1, _VALUE 2
        self._attributes["proto_down_reason"] = pack(
            "=HHIHHI", 8, 1, self._reasons[0], 8, 2, self._reasons[1]
        )

    def _read_addrgenmode(self, word: str) -> None:
        if word not in ADDRESS_MODES:
            raise wrong(word, "Invalid address generation mode\n")
        self._attributes["af_spec"] = {"inet6": {"addr_gen_mode": ADDRESS_MODES.index(word)}}

    # -- the whole
    # ----------------------------------------------------------------------------------------------------

    def _complete(self, *, creating: bool, deleting: bool) -> None:
        """Add what is needed besides the words; raise CommandError if something is missing."""
        if self._group is not None:
            self._attributes["group"] = self._group
        if self._peer:
            self._attributes["ifname"] = self._name or self._device
        elif creating:
            if self._name is not None and self._device not in (None, self._name):
                why = 'both "name" and "dev" cannot be used when creating devices.'
                raise CommandError(why, 255, final=True)
            if self._kind is None:
                raise CommandError('Not enough information: "type" argument is required')
            self._attributes["ifname"] = self._name or self._device
            if self._lower is not None:
                self._attributes["link"] = self._session.index(self._lower)
        else:
            self._address_device()
            self._attributes["ifname"] = self._name

    def _address_device(self) -> None:
        self._device = self._device or self._name
        if self._device is None:
            if self._group is None:
                raise CommandError('Not enough information: "dev" argument is required.', 255, final=True)
            return
        if "ifi_index" in self._header:
            if "net_ns_fd" not in self._attributes and "net_ns_pid" not in self._attributes:
                why = "index can be used only when creating devices or when moving device to another netns."
                raise CommandError(why, 255, final=True)
            self._attributes["new_ifindex"] = self._header["ifi_index"]
        self._header["ifi_index"] = self._session.index(self._device)
        self._check_address_length()

    def _check_address_length(self) -> None:
        address = self._attributes.get("address")
        if address is None:
            return
        link = self._session.link(self._header["ifi_index"]) or {}
        length = len(link.get("address", b""))
        if length and len(address) != length:
            raise CommandError(f"Invalid address length {len(address)} - must be {length} bytes")

    def _read_kind(self, words: Words) -> None:
        from .kind import read_kind

        if self._peer:
            raise not_built("a type inside peer")
        if self._device is None and not self._creating:  # a group is of no kind; iproute2 leaves the type out
            if words:
                why = f'Garbage instead of arguments "{words.next()} ...". Try "ip link help".'
                raise CommandError(why, 255)
            return
        info, parts = read_kind(self._session, self._kind or "", words, creating=self._creating)
        self._parts = parts
        self._attributes["linkinfo"] = info


def _signed(word: str, name: str) -> int:
    """Return a number that may be negative as the unsigned one of the message."""
    return number(word, f'Invalid "{name}" value\n', 0x7FFFFFFF, low=-0x80000000) & U32


def _open_named(word: str) -> Netns | None:
    """Return the namespace of a name in /run/netns or of a path, None if there is none."""
    from ...netns.handle import Netns

    try:
        return Netns.open(word)
    except (OSError, ValueError):
        return None


def _position(word: str, names: tuple[str, ...], why: str) -> int:
    for position, name in enumerate(names):
        if word.lower() == name.lower():
            return position
    return number(word, why, 255)
