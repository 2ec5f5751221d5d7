"""Settings of a link by number (linux/ip.h)."""

IPV4_DEVCONF_FORWARDING = 1
