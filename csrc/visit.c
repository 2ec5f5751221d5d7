/* visit: a few prepared datagrams inside each of many network namespaces. A throw-away thread opens the sockets
 * there; the talking is done by the thread that called, whose caches are warm. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "talk.h"
#include "thread.h"

#ifndef NETLINK_GET_STRICT_CHK /* linux/netlink.h before 4.20 */
#define NETLINK_GET_STRICT_CHK 12
#endif
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* Whose a socket is, is decided once: what another thread writes to `sockets` meanwhile makes nobody close a
 * descriptor that is not ours. */
struct line {
    int fd;    /* or -errno */
    int given; /* the caller's, to be left open */
};

struct visiting {
    const uint8_t *netns_fds;
    size_t rows;
    const struct nlp_step *steps;
    size_t count;
    int64_t timeout_ns;
    struct nlp_visited *visited;
    uint8_t *sockets; /* as given, or NULL */
    struct line *lines;
    uint8_t *room;
};

/* The number of the message with that sequence number in the datagram, or -1; *last is the number of the last
 * message. */
static int find_message(const uint8_t *datagram, size_t length, uint32_t sequence, int *last,
                        uint16_t *last_flags)
{
    struct message message;
    int found = -1;

    *last = -1;
    for (size_t at = 0; at < length && read_message(datagram + at, length - at, &message);) {
        ++*last;
        if (message.sequence == sequence)
            found = *last;
        *last_flags = message.flags;
        at = following(at, message.length, length);
    }
    return found;
}

/* What one step has heard so far. */
struct hearing {
    const uint8_t *datagram;
    size_t length, row;
    const struct nlp_step *step;
    struct nlp_visited *visited;
    int taken;
};

static void note_refusal(struct nlp_visited *visited, const struct refusal *refusal, int number)
{
    if (!refusal->error || visited->error)
        return;
    visited->error = refusal->error;
    visited->message = number;
    visited->tlv_length = (uint32_t)refusal->tlv_length;
    if (refusal->tlv_length)
        memcpy(visited->tlvs, refusal->tlvs, refusal->tlv_length);
}

static void note_reply(struct hearing *hearing, const uint8_t *at, const struct message *message)
{
    const struct nlp_step *step = hearing->step;

    if (!hearing->taken && step->take_type == message->type && message->length >= 4 &&
        step->take_offset <= message->length - 4) {
        hearing->visited->kept = load32(at + step->take_offset);
        hearing->taken = 1;
    }
    if (step->replies.data)
        memcpy(step->replies.data + hearing->row * step->stride, at,
               message->length < step->stride ? message->length : step->stride);
}

/* Read one datagram of answers. 1 when the step is done, 0 when not, or -errno. */
static int hear(struct hearing *hearing, const uint8_t *data, size_t length)
{
    size_t at = 0;

    while (at < length) {
        struct message message;
        struct refusal refusal;
        uint16_t last_flags = 0;
        int number, last, done;
        if (!read_message(data + at, length - at, &message))
            return -EBADMSG;
        number = find_message(hearing->datagram, hearing->length, message.sequence, &last, &last_flags);
        if (number >= 0) {
            done = number == last;
            if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
                if (nlp_read_refusal(data + at, &message, NLP_VISITED_TLVS, &refusal))
                    return -EBADMSG;
                note_refusal(hearing->visited, &refusal, number);
            } else {
                done = done && !(last_flags & NLM_F_ACK) && !(message.flags & NLM_F_MULTI);
                note_reply(hearing, data + at, &message);
            }
            if (done)
                return 1;
        }
        at = following(at, message.length, length);
    }
    return 0;
}

static int run_step(const struct visiting *visiting, const struct nlp_step *step, size_t row, int fd,
                    int64_t deadline)
{
    struct nlp_visited *visited = &visiting->visited[row];
    uint8_t *datagram = step->datagrams.data + row * step->length;
    struct hearing hearing = {datagram, step->length, row, step, visited, 0};
    int result;

    for (size_t i = 0; i < step->puts_count; i++)
        store32(datagram + step->puts[i], visited->kept);
    result = nlp_send(fd, datagram, step->length, deadline);
    while (!result) {
        int64_t got = nlp_receive(fd, visiting->room, deadline);
        if (got == -EINTR)
            continue;
        result = got < 0 ? (int)got : hear(&hearing, visiting->room, (size_t)got);
    }
    if (visited->error) /* the first refusal says more than what came of waiting for the rest */
        return visited->error;
    if (result < 0)
        return -result;
    return step->take_type >= 0 && !hearing.taken ? ENODATA : 0;
}

static int open_route_socket(int netns_fd)
{
    static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
    const int on = 1;
    int fd;

    if (setns(netns_fd, CLONE_NEWNET))
        return -errno;
    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (setsockopt(fd, SOL_NETLINK, options[i], &on, sizeof on)) {
            int error = errno;
            close(fd);
            return -error;
        }
    return fd;
}

static void *open_all(void *argument)
{
    const struct visiting *visiting = argument;

    for (size_t row = 0; row < visiting->rows; row++)
        if (!visiting->lines[row].given)
            visiting->lines[row].fd = open_route_socket((int)load32(visiting->netns_fds + row * 4));
    return NULL;
}

static void talk_to_all(const struct visiting *visiting)
{
    for (size_t row = 0; row < visiting->rows; row++) {
        struct nlp_visited *visited = &visiting->visited[row];
        int64_t deadline = nlp_deadline_after(visiting->timeout_ns);
        int fd = visiting->lines[row].fd;

        visited->error = 0;
        visited->step = visited->message = -1;
        visited->kept = visited->tlv_length = 0;
        if (fd < 0) {
            visited->error = -fd;
            continue;
        }
        for (size_t i = 0; i < visiting->count && !visited->error; i++) {
            visited->step = (int)i;
            visited->error = run_step(visiting, &visiting->steps[i], row, fd, deadline);
        }
        if (!visited->error)
            visited->step = (int)visiting->count;
        if (visiting->lines[row].given)
            continue;
        if (visiting->sockets && !visited->error)
            store32(visiting->sockets + row * 4, (uint32_t)fd);
        else
            close(fd);
    }
}

static int check_step(const struct nlp_step *step, size_t rows)
{
    size_t needed;

    if (step->length < HEADER_LENGTH)
        return NLP_BAD_MESSAGE;
    if (__builtin_mul_overflow(step->length, rows, &needed) || step->datagrams.length < needed)
        return NLP_BAD_DATA;
    if (step->replies.data && (!step->stride || __builtin_mul_overflow(step->stride, rows, &needed) ||
                               step->replies.length < needed))
        return NLP_BAD_DATA;
    if (step->puts_count > NLP_PUTS)
        return NLP_BAD_PUT;
    for (size_t i = 0; i < step->puts_count; i++)
        if (step->puts[i] > step->length - 4)
            return NLP_BAD_PUT;
    for (size_t row = 0; row < rows; row++)
        for (size_t at = 0; at < step->length;) {
            struct message message;
            if (!read_message(step->datagrams.data + row * step->length + at, step->length - at, &message))
                return NLP_BAD_MESSAGE;
            at = following(at, message.length, step->length);
        }
    return 0;
}

int nlp_visit(const uint8_t *netns_fds, size_t rows, const struct nlp_step *steps, size_t count,
              int64_t timeout_ns, uint8_t *sockets, struct nlp_visited *visited)
{
    struct visiting visiting = {netns_fds, rows, steps, count, timeout_ns, visited, sockets, NULL, NULL};
    int bad, takes = 0, enters = 0;
    sigset_t all, before;

    if (!count || count > NLP_STEPS)
        return NLP_BAD_STEP;
    for (size_t i = 0; i < count; i++) {
        bad = check_step(&steps[i], rows);
        if (bad)
            return bad;
        if (steps[i].puts_count && !takes)
            return NLP_BAD_PUT;
        takes |= steps[i].take_type >= 0;
    }
    if (!rows)
        return 0;
    visiting.room = malloc(NLP_RECEIVE_LENGTH);
    visiting.lines = calloc(rows, sizeof *visiting.lines);
    bad = visiting.room && visiting.lines ? 0 : -ENOMEM;
    for (size_t row = 0; row < rows && !bad; row++) {
        struct line *line = &visiting.lines[row];
        line->fd = sockets ? (int)load32(sockets + row * 4) : -1;
        line->given = line->fd >= 0;
        enters |= !line->given;
    }
    if (!bad && enters)
        bad = run_thread(open_all, &visiting);
    if (!bad) {
        sigfillset(&all); /* a signal is served when all rows are done */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        talk_to_all(&visiting);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    free(visiting.lines);
    free(visiting.room);
    return bad;
}
