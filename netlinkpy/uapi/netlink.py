"""linux/netlink.h: message types, flags, socket options, and what an NLMSG_ERROR bears."""

AF_NETLINK, SOL_NETLINK = 16, 270  # linux/socket.h

# protocols of a socket
NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER = 0, 4, 12

# options of a socket, at SOL_NETLINK
NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP = 1, 2
NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 10, 11, 12

# message types that all protocols share; a protocol's own begin at NLMSG_MIN_TYPE
NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN, NLMSG_MIN_TYPE = 1, 2, 3, 4, 16

# message flags
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP_INTR = 0x1, 0x2, 0x4, 0x8, 0x10
NLM_F_ROOT, NLM_F_MATCH, NLM_F_DUMP = 0x100, 0x200, 0x300  # of GET requests
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800  # of NEW requests
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200  # of acks

MAX_ERRNO = 4095  # linux/err.h: an NLMSG_ERROR bears 0 to -MAX_ERRNO
