"""wire: netlink messages as bytes in and bytes out; nothing here opens a socket."""
