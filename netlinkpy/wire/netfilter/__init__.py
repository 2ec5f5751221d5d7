"""The messages of NETLINK_NETFILTER: nf_tables and conntrack, one file for each subject."""
