"""Router advertisements: nothing that we make listens to them, for whoever is behind a link could become the
default route of all who do (CVE-2020-13401).

A container's end is made with accept_ra 0: the shim hushes the namespace while it is made (csrc/netns.h). If
that did not take (another attach put the default back at the same moment, /proc/sys is read-only), the end's
own setting is written. Settings of IPv6 cannot be written by netlink, and /proc/sys shows those of the
namespace of the thread that opens them. Source: Documentation/networking/ip-sysctl.rst of the kernel."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..netns.handle import Netns

_NO_LINKS = ("all", "default")  # directories that are no link's, whatever a link is called


def refuse(ifname: str, *, ipv6: bool = True) -> str:
    """Keep a link of the calling thread's namespace from heeding advertisements and redirects of IPv6, or
    (ipv6=False) keep IPv6 off it. Return "" if that is so now, also because it has no IPv6; else why not."""
    wanted = {"accept_ra": "0", "accept_redirects": "0"} if ipv6 else {"accept_ra": "0", "disable_ipv6": "1"}
    for setting, value in wanted.items():
        try:
            if ifname in _NO_LINKS:
                raise OSError(errno.EINVAL, f"a link called {ifname} has no settings")
            with open(f"/proc/sys/net/ipv6/conf/{ifname}/{setting}", "r+") as file:
                if file.read().strip() != value:
                    file.seek(0)
                    file.write(value)
        except FileNotFoundError:
            return ""
        except OSError as error:
            what = "it heeds router advertisements" if ipv6 else "it has IPv6, which its network has not"
            return f"{what}: cannot set net.ipv6.conf.{ifname}.{setting}: {error.strerror}"
    return ""


def refuse_inside(netns: Netns, ifname: str, *, ipv6: bool = True) -> str:
    """refuse() for a link of a container."""
    from ..netns.processes import call

    try:
        return call(netns, lambda: refuse(ifname, ipv6=ipv6))
    except OSError as error:
        return f"it heeds router advertisements: cannot enter the container: {error.strerror}"
