"""The namespaces of a container: made, or another's entered, as root or as an ordinary user."""

from __future__ import annotations

import errno
import os
from fcntl import ioctl

from ..backends import load
from ..uapi.nsfs import NS_GET_USERNS
from ..uapi.sched import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS


def unshare(*, network: bool) -> None:
    """Give the caller a mount, UTS and IPC namespace, a PID namespace for its children, and a network
    namespace if it is wanted; an ordinary user gets a user namespace as well, in which he is root
    (user_namespaces(7))."""
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | (CLONE_NEWNET if network else 0)
    try:
        load().unshare(flags)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        load().unshare(flags | CLONE_NEWUSER)
        for name, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)


def enter_user(fd: int) -> None:
    """Enter a user namespace, as its root; do nothing if we are in it already."""
    own = os.stat("/proc/self/ns/user")
    if os.path.samestat(own, os.fstat(fd)):
        return
    load().setns(fd, CLONE_NEWUSER)
    os.setgid(0)
    os.setuid(0)


def enter_network(fd: int) -> None:
    """Enter a network namespace; if we may not, by way of the user namespace that it belongs to."""
    setns = load().setns
    try:
        setns(fd, CLONE_NEWNET)
    except PermissionError:
        owner = ioctl(fd, NS_GET_USERNS)
        try:
            enter_user(owner)
            setns(fd, CLONE_NEWNET)
        except OSError as error:
            sentence = "not permitted to share that network: it belongs to another user namespace"
            raise OSError(error.errno or errno.EPERM, sentence) from None
        finally:
            os.close(owner)
