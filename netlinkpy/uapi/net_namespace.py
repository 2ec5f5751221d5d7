"""linux/net_namespace.h: ids of namespaces."""

from __future__ import annotations

NETNSA_NSID_NOT_ASSIGNED = -1
