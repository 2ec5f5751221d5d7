"""linux/ipv6.h: the settings of a link by number (IFLA_INET6_CONF)."""

from __future__ import annotations

DEVCONF_FORWARDING, DEVCONF_HOPLIMIT, DEVCONF_MTU6, DEVCONF_ACCEPT_RA, DEVCONF_ACCEPT_REDIRECTS = range(5)
DEVCONF_FORCE_FORWARDING = 59  # since Linux 6.17
