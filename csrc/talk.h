/* What exchange and visit do on a netlink socket: send, receive, wait, and read a refusal. Internal to the
 * shim. */
#ifndef NETLINKPY_TALK_H
#define NETLINKPY_TALK_H

#include "framing.h"

#define NLP_RECEIVE_LENGTH 131072 /* a link with all the alternative names that it may have is 67 KB */

struct refusal {
    int error;
    const uint8_t *tlvs;
    size_t tlv_length;
};

/* Return the moment timeout_ns from now. */
int64_t nlp_deadline_after(int64_t timeout_ns);

/* Send one datagram, on a blocking or non-blocking socket. Return 0 or -errno: ENOMEM for ENOBUFS. */
int nlp_send(int fd, const uint8_t *data, size_t length, int64_t deadline);

/* Read one datagram into room (NLP_RECEIVE_LENGTH). Return its length, 0 if the kernel did not send it, or
 * -errno, also -EINTR. */
int64_t nlp_receive(int fd, uint8_t *room, int64_t deadline);

/* Return 0, or -ETIMEDOUT after the deadline. Ask after each datagram that did not end the wait: a sender that
 * never stops must not block us. */
int nlp_late(int64_t deadline);

/* Learn the port id in answers to this socket; 0 if it is no netlink socket. Return 0 or -errno. */
int nlp_port(int fd, uint32_t *port);

/* Read an NLMSG_ERROR or NLMSG_DONE: its errno (0: none; a DONE may hold a length in its place) and as many
 * whole extended-ack attributes as fit limit. Return 0 or -EBADMSG. */
int nlp_read_refusal(const uint8_t *at, const struct message *message, size_t limit, struct refusal *refusal);

#endif
