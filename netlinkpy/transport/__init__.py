"""transport: sockets that carry netlink messages to the kernel and back."""
