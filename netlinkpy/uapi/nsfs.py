"""linux/nsfs.h: what a namespace's descriptor tells (ioctl_ns(2))."""

from __future__ import annotations

NS_GET_USERNS, NS_GET_NSTYPE = 0xB701, 0xB703

THREAD_NETNS = "/proc/thread-self/ns/net"  # of the calling thread; /proc/self is the main thread's (proc(5))
