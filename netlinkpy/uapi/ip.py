"""linux/ip.h: the settings of a link by number (IFLA_INET_CONF)."""

from __future__ import annotations

IPV4_DEVCONF_FORWARDING = 1
IPV4_DEVCONF_ACCEPT_REDIRECTS = 4
