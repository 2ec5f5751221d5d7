"""rtnl: the objects of rtnetlink (links, addresses, routes ...), one file for each: its record and its
verbs."""
