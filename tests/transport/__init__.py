"""The blocking socket, before a kernel that misbehaves and before the real one."""
