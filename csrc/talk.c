/* What exchange and visit do on a netlink socket. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_ERRNO 4095 /* linux/err.h */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t nlp_deadline_after(int64_t timeout_ns)
{
    int64_t deadline;
    return __builtin_add_overflow(now_ns(), timeout_ns, &deadline) ? INT64_MAX : deadline;
}

int nlp_late(int64_t deadline)
{
    return deadline <= now_ns() ? -ETIMEDOUT : 0;
}

/* Wait for the socket a while. Return 0 (then try again), -ETIMEDOUT, -EINTR ... */
static int wait_for(int fd, short event, int64_t deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = event};
    int64_t now = now_ns(), left_ms;
    int ready;

    if (deadline <= now) /* compared before subtracting: a deadline may be as early as can be */
        return -ETIMEDOUT;
    left_ms = (deadline - now) / 1000000 + 1;
    ready = poll(&poll_fd, 1, left_ms > 3600000 ? 3600000 : (int)left_ms);
    return ready < 0 ? -errno : 0;
}

int nlp_send(int fd, const uint8_t *data, size_t length, int64_t deadline)
{
    for (;;) {
        int bad;
        if (send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno == ENOBUFS) /* which says, where one receives, that answers were lost */
            return -ENOMEM;
        if (errno != EAGAIN)
            return -errno;
        bad = wait_for(fd, POLLOUT, deadline);
        if (bad && bad != -EINTR)
            return bad;
    }
}

int64_t nlp_receive(int fd, uint8_t *room, int64_t deadline)
{
    for (;;) {
        struct sockaddr_nl sender = {0};
        socklen_t sender_length = sizeof sender;
        ssize_t got = recvfrom(fd, room, NLP_RECEIVE_LENGTH, MSG_DONTWAIT | MSG_TRUNC,
                               (struct sockaddr *)&sender, &sender_length);
        int bad;
        if (got >= 0) /* a process may write to our port too, but only the kernel answers from port 0 */
            return sender.nl_family == AF_NETLINK && sender.nl_pid ? 0
                   : got > NLP_RECEIVE_LENGTH                      ? -EMSGSIZE
                                                                   : got;
        if (errno != EAGAIN)
            return -errno;
        bad = wait_for(fd, POLLIN, deadline);
        if (bad)
            return bad;
    }
}

int nlp_port(int fd, uint32_t *port)
{
    struct sockaddr_nl own = {0};
    socklen_t length = sizeof own;

    if (getsockname(fd, (struct sockaddr *)&own, &length))
        return -errno;
    *port = own.nl_family == AF_NETLINK ? own.nl_pid : 0;
    return 0;
}

int nlp_read_refusal(const uint8_t *at, const struct message *message, size_t limit, struct refusal *refusal)
{
    size_t position = HEADER_LENGTH + 4, echoed, first;
    int32_t number;

    memset(refusal, 0, sizeof *refusal);
    if (message->type == NLMSG_ERROR && message->length < position + HEADER_LENGTH)
        return -EBADMSG;
    if (message->length < position)
        return 0;
    number = (int32_t)load32(at + HEADER_LENGTH);
    if (number < -MAX_ERRNO || (number > 0 && message->type == NLMSG_ERROR))
        return -EBADMSG;
    if (number >= 0)
        return 0;
    refusal->error = -number;
    if (!(message->flags & NLM_F_ACK_TLVS))
        return 0;
    /* A capped error echoes only the nlmsghdr of the request, another one the whole request. */
    if (message->type == NLMSG_ERROR) {
        echoed = message->flags & NLM_F_CAPPED ? HEADER_LENGTH : load32(at + position);
        if (echoed > message->length - position)
            return 0;
        position += aligned(echoed);
    }
    first = position;
    while (position <= message->length && message->length - position >= ATTRIBUTE_LENGTH) {
        size_t length = load16(at + position), next = position + aligned(length);
        if (length < ATTRIBUTE_LENGTH || next > message->length || next - first > limit)
            break;
        position = next;
    }
    if (position > first) {
        refusal->tlvs = at + first;
        refusal->tlv_length = position - first;
    }
    return 0;
}
