/* What a visit needs of namespaces. Internal to the shim. */
#ifndef NETLINKPY_NETNS_H
#define NETLINKPY_NETNS_H

/* Move the calling thread into a network namespace and open an rtnetlink socket there, with extended and
 * capped acks and strict checking. Return the descriptor, or -errno. */
int nlp_open_route_socket(int netns_fd);

#endif
