"""The seam to the networks: a container's first process gets its interface."""

from __future__ import annotations

import errno

from ..wiring.attach import attach
from ..wiring.endpoint import Endpoint
from .line import start_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wiring.attachment import Attachment
    from .options import Options


def connect(network: str, pid: int, options: Options) -> Attachment:
    """Wire process `pid` to a network, or to options.bridge in its place. OSError or ValueError says why it
    cannot be; then nothing of it is left."""
    if options.bridge is None:
        raise start_error(errno.ENOENT, f"there is no network {network}: name a bridge by --bridge")
    if options.ports:
        raise start_error(
            errno.EOPNOTSUPP, "ports cannot be published on a bridge that is no network of ours"
        )
    addresses = [address for address in (options.ip, options.ip6) if address is not None]
    if not addresses:
        raise start_error(
            errno.EINVAL, f"bridge {options.bridge} has no addresses to give: choose one by --ip"
        )
    return attach(
        Endpoint(
            netns=pid,
            bridge=options.bridge,
            addresses=addresses,
            gateways=options.gateways or None,
            mac=options.mac,
        )
    )
