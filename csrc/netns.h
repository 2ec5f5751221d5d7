/* What a visit needs of namespaces. Internal to the shim. */
#ifndef NETLINKPY_NETNS_H
#define NETLINKPY_NETNS_H

#include <stdint.h>

#define NLP_HUSH 8 /* bytes of what nlp_open_route_socket() leaves to be put back */

/* Move the calling thread into a network namespace and open an rtnetlink socket there, with extended and
 * capped acks and strict checking. Return the descriptor, or -errno.
 *
 * hush: NULL, or two C ints: interfaces made from now on accept no router advertisements, until the second is
 * written as a character to the descriptor in the first (-1: nothing was changed). */
int nlp_open_route_socket(int netns_fd, uint8_t *hush);

/* Put back what was hushed, if anything was. */
void nlp_unhush(const uint8_t *hush);

#endif
