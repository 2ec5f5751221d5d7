"""engines: docker and podman, asked through their own API on their unix socket for what we need of them."""

from __future__ import annotations

from .container import names as names
from .container import resolve as resolve
