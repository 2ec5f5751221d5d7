"""The capabilities that a container keeps: it may not reconfigure the network, unless it is privileged."""

from __future__ import annotations

import errno

from ..backends import load
from ..uapi.prctl import PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAPBSET_DROP

#: What Docker leaves a container by default (linux/capability.h): neither CAP_NET_ADMIN (12) nor
#: CAP_SYS_ADMIN (21) nor one that gives them back (CAP_SYS_PTRACE, CAP_SYS_MODULE, CAP_SYS_RAWIO ...).
DEFAULT = {
    0: "chown",
    1: "dac_override",
    3: "fowner",
    4: "fsetid",
    5: "kill",
    6: "setgid",
    7: "setuid",
    8: "setpcap",
    10: "net_bind_service",
    13: "net_raw",
    18: "sys_chroot",
    27: "mknod",
    29: "audit_write",
    31: "setfcap",
}
_BITS = 64  # of a capability set; the kernel has fewer, and says so


def drop() -> None:
    """Leave the calling thread, and whatever it starts, no capability but the default ones: out of the
    bounding set, so that not even a set-user-ID program or a file with capabilities brings one back (which is
    why PR_SET_NO_NEW_PRIVS is not set: as in Docker, `su` and `ping` go on working), and out of the
    effective, permitted, inheritable and ambient ones. Raise OSError (EPERM) without CAP_SETPCAP."""
    backend = load()
    for number in range(_BITS):
        if number in DEFAULT:
            continue
        try:
            backend.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: the kernel has no such capability, nor any above
                raise
            break
    backend.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    kept = permitted() & sum(1 << number for number in DEFAULT)
    backend.capset(kept, kept, 0)


def permitted() -> int:
    """Return the permitted set of the calling thread, a bit for each capability (proc(5))."""
    with open("/proc/thread-self/status", "rb") as status:
        for line in status:
            if line.startswith(b"CapPrm:"):
                return int(line.split()[1], 16)
    raise OSError(errno.ENODATA, "/proc/thread-self/status tells no capabilities")
