"""Links, addresses, routes, neighbours and the rest, on the real kernel."""
