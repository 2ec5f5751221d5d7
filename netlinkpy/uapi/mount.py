"""linux/mount.h: flags of mount(2) and umount2(2)."""

from __future__ import annotations

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC = 0x20, 0x1000, 0x2000, 0x4000
MS_SLAVE, MS_SHARED = 0x80000, 0x100000
MNT_DETACH, UMOUNT_NOFOLLOW = 0x2, 0x8  # in no header that user space gets (umount2(2))
