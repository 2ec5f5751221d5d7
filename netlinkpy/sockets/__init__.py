"""Local sockets by objects, as the kernel tells of them (sock_diag(7)): whose a name or a number is."""
