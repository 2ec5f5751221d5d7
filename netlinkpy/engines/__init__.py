"""engines: docker and podman, asked through their own API on their unix socket for what we need of them."""

from __future__ import annotations

from .container_pid import names as names
from .container_pid import resolve as resolve
