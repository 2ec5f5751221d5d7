"""nft: nf_tables and conntrack by hand-built messages: reads, atomic transactions, and the few rules that NAT
needs."""
