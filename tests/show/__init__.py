"""show: what is seen of a host, and how it is drawn."""
