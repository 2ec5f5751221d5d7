/* visit: a few prepared datagrams inside each of many network namespaces. A throw-away thread opens the sockets
 * there; the talking is done by the thread that called, whose caches are warm. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "script.h"
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
    uint32_t port; /* 0: not asked yet */
};

struct visiting {
    struct script script;
    const uint8_t *netns_fds;
    size_t rows;
    uint8_t *datagrams, *results;
    uint8_t *sockets; /* as given, or NULL */
    int64_t timeout_ns;
    struct line *lines; /* of the rows, and the one beside */
    uint8_t *room;
};

/* What is known of a row while it is under way. */
struct row {
    struct nlp_visited visited;
    uint8_t values[NLP_VALUES * NLP_VALUE];
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
    const struct step *step;
    struct row *row;
    uint32_t port;
    int kept; /* its values */
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

/* Keep the values of a reply, if it has all. 0 or -EBADMSG. */
static int note_reply(struct hearing *hearing, const uint8_t *at, const struct message *message)
{
    const struct step *step = hearing->step;
    struct nlp_span cells[NLP_VALUES];
    uint8_t *first = hearing->row->values + step->first_value * NLP_VALUE;
    uint64_t present = 0;
    struct nlp_gathered gathered = {0};
    int bad;

    if (hearing->kept || !step->fields || message->type != load16(step->plan))
        return 0;
    for (size_t i = 0; i < step->fields; i++)
        cells[i] = (struct nlp_span){first + i * NLP_VALUE, NLP_VALUE};
    bad = nlp_gather(at, message->length, step->plan, step->plan_length, cells, step->fields,
                     (struct nlp_span){(uint8_t *)&present, sizeof present}, 0, 1, &gathered);
    hearing->kept = !bad && gathered.added && present == ((uint64_t)1 << step->fields) - 1;
    if (!hearing->kept)
        memset(first, 0, step->fields * NLP_VALUE);
    return bad ? -EBADMSG : 0;
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
        number = find_message(hearing->datagram, hearing->step->length, message.sequence, &last, &last_flags);
        if (number >= 0 && message.port == hearing->port) {
            if (message.type == NLMSG_OVERRUN)
                return -ENOBUFS;
            done = number == last;
            if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
                if (nlp_read_refusal(data + at, &message, NLP_VISITED_TLVS, &refusal))
                    return -EBADMSG;
                note_refusal(&hearing->row->visited, &refusal, number);
            } else if (message.type < NLMSG_MIN_TYPE) {
                done = 0;
            } else {
                done = done && !(last_flags & NLM_F_ACK) && (last_flags & NLM_F_DUMP) != NLM_F_DUMP &&
                       !(message.flags & NLM_F_MULTI);
                if (note_reply(hearing, data + at, &message))
                    return -EBADMSG;
            }
            if (done)
                return 1;
        }
        at = following(at, message.length, length);
    }
    return 0;
}

/* 0 or an errno. */
static int run_step(const struct visiting *visiting, const struct step *step, uint8_t *datagram,
                    struct line *line, int64_t deadline, struct row *row)
{
    struct hearing hearing = {.datagram = datagram, .step = step, .row = row};
    int result;

    for (size_t i = 0; i < step->puts_count; i++) {
        struct put put = nlp_put_of(step, i);
        memcpy(datagram + put.offset, row->values + put.value * NLP_VALUE, put.width);
    }
    result = nlp_send(line->fd, datagram, step->length, deadline);
    if (!line->port) /* the first message sent binds a socket that is not */
        line->port = nlp_port(line->fd);
    hearing.port = line->port;
    while (!result) {
        int64_t got = nlp_receive(line->fd, visiting->room, deadline);
        if (got == -EINTR)
            continue;
        result = got < 0 ? (int)got : hear(&hearing, visiting->room, (size_t)got);
    }
    if (row->visited.error) /* the first refusal says more than what came of waiting for the rest */
        return row->visited.error;
    if (result < 0)
        return -result;
    return step->fields && !hearing.kept ? ENODATA : 0;
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

struct nlp_ahead {
    pthread_t thread;
    int netns_fd, fd;
};

static void *open_one(void *argument)
{
    struct nlp_ahead *ahead = argument;

    ahead->fd = open_route_socket(ahead->netns_fd);
    return NULL;
}

int nlp_open_ahead(int netns_fd, struct nlp_ahead **ahead)
{
    int bad;

    *ahead = malloc(sizeof **ahead);
    if (!*ahead)
        return -ENOMEM;
    (*ahead)->netns_fd = netns_fd;
    bad = start_thread(&(*ahead)->thread, open_one, *ahead);
    if (bad)
        free(*ahead);
    return bad;
}

int nlp_opened(struct nlp_ahead *ahead)
{
    int fd;

    pthread_join(ahead->thread, NULL);
    fd = ahead->fd;
    free(ahead);
    return fd;
}

void nlp_discard(struct nlp_ahead *ahead)
{
    int fd = nlp_opened(ahead);

    if (fd >= 0)
        close(fd);
}

static size_t result_length(const struct script *script)
{
    return sizeof(struct nlp_visited) + script->values * NLP_VALUE;
}

static void run_row(const struct visiting *visiting, size_t number, struct row *row)
{
    const struct script *script = &visiting->script;
    struct step step = {.next = NLP_SCRIPT_HEAD};
    struct nlp_visited *visited = &row->visited;
    uint8_t *datagrams = visiting->datagrams + number * script->row_length;
    int64_t deadline = nlp_deadline_after(visiting->timeout_ns);
    struct line *line = &visiting->lines[number];

    memset(row, 0, sizeof *row);
    visited->step = visited->message = -1;
    if (line->fd < 0) {
        visited->error = -line->fd;
        return;
    }
    while (!visited->error && nlp_next_step(script, &step)) {
        visited->step = (int)step.number - 1;
        visited->error = run_step(visiting, &step, datagrams + step.start,
                                  step.beside ? &visiting->lines[visiting->rows] : line, deadline, row);
    }
    if (!visited->error)
        visited->step = (int)script->steps;
}

static void run_all(const struct visiting *visiting)
{
    struct row row;
    size_t length = result_length(&visiting->script);

    for (size_t number = 0; number < visiting->rows; number++) {
        const struct line *line = &visiting->lines[number];
        run_row(visiting, number, &row);
        if (line->fd >= 0 && !line->given) {
            if (visiting->sockets && !row.visited.error)
                store32(visiting->sockets + number * 4, (uint32_t)line->fd);
            else
                close(line->fd);
        }
        memcpy(visiting->results + number * length, &row, length);
    }
}

/* Whether every datagram of every row is whole messages. 0 or NLP_BAD_MESSAGE. */
static int check_datagrams(const struct visiting *visiting)
{
    const struct script *script = &visiting->script;

    for (size_t row = 0; row < visiting->rows; row++) {
        const uint8_t *datagrams = visiting->datagrams + row * script->row_length;
        struct step step = {.next = NLP_SCRIPT_HEAD};
        while (nlp_next_step(script, &step))
            for (size_t at = 0; at < step.length;) {
                struct message message;
                if (!read_message(datagrams + step.start + at, step.length - at, &message))
                    return NLP_BAD_MESSAGE;
                at = following(at, message.length, step.length);
            }
    }
    return 0;
}

static int check(struct visiting *visiting, struct nlp_span script, struct nlp_span datagrams,
                 struct nlp_span netns_fds, struct nlp_span sockets, struct nlp_span results)
{
    size_t needed, rows = netns_fds.length / 4;
    int bad = nlp_open_script(&visiting->script, script.data, script.length);

    if (bad)
        return bad;
    if (netns_fds.length % 4 || (sockets.data && sockets.length != netns_fds.length) ||
        __builtin_mul_overflow(rows, visiting->script.row_length, &needed) || datagrams.length != needed ||
        __builtin_mul_overflow(rows, result_length(&visiting->script), &needed) || results.length != needed)
        return NLP_BAD_DATA;
    visiting->netns_fds = netns_fds.data;
    visiting->rows = rows;
    visiting->datagrams = datagrams.data;
    visiting->results = results.data;
    visiting->sockets = sockets.data;
    return check_datagrams(visiting);
}

int nlp_visit(struct nlp_span script, struct nlp_span datagrams, struct nlp_span netns_fds,
              struct nlp_span sockets, int beside, int64_t timeout_ns, struct nlp_span results)
{
    struct visiting visiting = {.timeout_ns = timeout_ns};
    int bad = check(&visiting, script, datagrams, netns_fds, sockets, results), enters = 0;
    sigset_t all, before;

    if (bad || !visiting.rows)
        return bad;
    visiting.room = malloc(NLP_RECEIVE_LENGTH);
    visiting.lines = calloc(visiting.rows + 1, sizeof *visiting.lines);
    bad = visiting.room && visiting.lines ? 0 : -ENOMEM;
    for (size_t row = 0; row < visiting.rows && !bad; row++) {
        struct line *line = &visiting.lines[row];
        line->fd = visiting.sockets ? (int)load32(visiting.sockets + row * 4) : -1;
        line->given = line->fd >= 0;
        enters |= !line->given;
    }
    if (!bad)
        visiting.lines[visiting.rows].fd = beside;
    if (!bad && enters)
        bad = run_thread(open_all, &visiting);
    if (!bad) {
        sigfillset(&all); /* a signal is served when all rows are done */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        run_all(&visiting);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    free(visiting.lines);
    free(visiting.room);
    return bad;
}
