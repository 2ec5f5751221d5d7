"""rtnl: what rtnetlink keeps (links, addresses, routes ...), one file an object: its record and its verbs."""
