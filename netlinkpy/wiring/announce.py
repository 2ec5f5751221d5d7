"""Announcements: tell the neighbours the MAC of an address that may have had another one, from inside the
container.

The MAC normally follows from the address (CheckedEndpoint.tells_mac), so no neighbour's cache is stale,
whoever holds the address. If the MAC differs, an ARP announcement (RFC 5227, section 3) or an unsolicited
neighbour advertisement (RFC 4861, section 7.2.6), sent once, updates the caches of those who talked to the
address before."""

from __future__ import annotations

import _socket
import errno
from struct import Struct

from ..backends import load
from ..os_error import reason
from ..uapi.socket import AF_PACKET
from .errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..netns.handle import Netns
    from .errors import Failures
    from .row import Row

ETH_P_ARP, ETH_P_IPV6 = b"\x08\x06", b"\x86\xdd"  # linux/if_ether.h
_ARP_REQUEST = bytes.fromhex("0001 0800 06 04 0001")  # Ethernet, IPv4, lengths, operation (RFC 826)
_BROADCAST = b"\xff" * 6
_ALL_NODES, _ALL_NODES_MAC = bytes.fromhex("ff02" + "00" * 13 + "01"), bytes.fromhex("333300000001")
_ICMPV6, _HOP_LIMIT = 58, 255
_ADVERTISEMENT = bytes.fromhex("8800 0000 20000000")  # type 136, checksum to come, flag override
_TARGET_LINK_LAYER_ADDRESS = bytes((2, 1))  # an option of 8 bytes
_IPV6_HEADER = Struct("!IHBB16s16s")


def announce(rows: list[Row], handles: Sequence[Netns | None], failures: Failures) -> None:
    """Announce every address of the rows, which must be ready. Note failures; CAP_NET_RAW in the container's
    namespace is required."""
    for row, handle in zip(rows, handles, strict=True):
        assert handle is not None
        try:
            _announce(row, handle)
        except OSError as error:
            number = error.errno or errno.EIO
            right = "not permitted: this needs CAP_NET_RAW there"
            text = right if number == errno.EPERM else reason(number)
            verb = f"announce the addresses of {row.wanted.ifname}"
            failures.add(failure(row, number, verb, text=text))


def _announce(row: Row, handle: Netns) -> None:
    receives_nothing = 0  # as protocol
    socket = load().open_socket(handle.fileno(), AF_PACKET, _socket.SOCK_RAW, receives_nothing)
    try:
        for packed, _ in row.wanted.addresses:
            frame = arp_announcement if len(packed) == 4 else neighbour_advertisement
            socket.sendto(frame(packed, row.wanted.mac), (row.wanted.ifname, 0))
    finally:
        socket.close()


def arp_announcement(packed: bytes, mac: bytes) -> bytes:
    """Return the Ethernet frame of an ARP request for the sender's own address."""
    return _BROADCAST + mac + ETH_P_ARP + _ARP_REQUEST + mac + packed + bytes(6) + packed


def neighbour_advertisement(packed: bytes, mac: bytes) -> bytes:
    """Return the Ethernet frame of an unsolicited neighbour advertisement to all nodes."""
    message = bytearray(_ADVERTISEMENT + packed + _TARGET_LINK_LAYER_ADDRESS + mac)
    pseudo = packed + _ALL_NODES + len(message).to_bytes(4, "big") + _ICMPV6.to_bytes(4, "big")
    message[2:4] = _checksum(pseudo + message)
    header = _IPV6_HEADER.pack(6 << 28, len(message), _ICMPV6, _HOP_LIMIT, packed, _ALL_NODES)
    return _ALL_NODES_MAC + mac + ETH_P_IPV6 + header + message


def _checksum(data: bytes) -> bytes:
    """Return the internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
