"""Published ports as a command line says them: "8080:80", "127.0.0.1:8080:80/udp",
"[2001:db8::1]:8080:80"."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nat import Port

PROTOCOLS = ("tcp", "udp", "sctp")


class PublishedPort(Record):
    """A port of the host (at its address `host`, at all that it has if that is empty) that leads to port
    `target` of the container."""

    host: str
    port: int
    target: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        host = f"[{self.host}]:" if ":" in self.host else f"{self.host}:" if self.host else ""
        return f"{host}{self.port}/{self.protocol}"

    @property
    def on_loopback(self) -> bool:
        """Whether its host address is 127.0.0.0/8 or ::1: the relay alone serves it (held_ports.py)."""
        return is_loopback(self.host)

    @classmethod
    def parse(cls, text: str) -> PublishedPort:
        """Read [ADDRESS:]PORT:TARGET[/PROTOCOL], an IPv6 address in brackets. Raise ValueError if it is not
        that."""
        rest, slash, protocol = text.partition("/")
        front, colon, target = rest.rpartition(":")
        host, _, port = front.rpartition(":")
        if not colon or (slash and protocol not in PROTOCOLS) or not (_is_port(port) and _is_port(target)):
            raise ValueError(
                f"{text!r} is no published port: [ADDRESS:]HOST-PORT:CONTAINER-PORT[/udp], as 8080:80"
            )
        if host:
            from ..rtnl.values import format_ip, parse_ip

            host = format_ip(parse_ip(host.removeprefix("[").removesuffix("]")))
        return cls(host, int(port), int(target), protocol or "tcp")


def shown(port: Port) -> str:
    """Return a port as docker shows it: "0.0.0.0:8080->80/tcp"."""
    host = port.host or ("::" if ":" in port.address else "0.0.0.0")
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port.port}->{port.target}/{port.protocol}"


def leading_to(texts: Iterable[str], addresses: Iterable[str]) -> list[Port]:
    """Return the ports as records of the packet filter: each leads to every address of the container that is
    of the family of its host address. addresses: with prefix lengths. Raise ValueError if there is none of
    that family."""
    from ..nat import Port

    plain = [address.partition("/")[0] for address in addresses]
    ports = []
    for text in texts:
        one = PublishedPort.parse(text)
        fitting = [address for address in plain if not one.host or (":" in address) == (":" in one.host)]
        if not fitting and one.on_loopback:
            fitting = plain[:1]  # the relay does not mind
        if not fitting:
            raise ValueError(f"port {text} cannot lead to the container: it has no address of that family")
        ports += [Port(one.protocol, one.port, address, one.target, one.host) for address in fitting]
    return ports


def is_loopback(host: str) -> bool:
    """Return whether an address, as format_ip() writes it, is 127.0.0.0/8 or ::1."""
    return host.startswith("127.") or host == "::1"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
