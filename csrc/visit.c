/* visit: run a program inside each of many network namespaces. A throw-away thread opens the sockets there, ahead
 * of the calling thread, which sends and receives. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "netns.h"
#include "program.h"
#include "talk.h"
#include "thread.h"

/* Who owns a socket is decided once: whatever another thread writes to `sockets` meanwhile, only descriptors
 * of ours are closed. */
struct line {
    int fd;        /* or -errno */
    int given;     /* the caller's, to be left open */
    int broken;    /* answers were left unread */
    uint32_t port; /* 0: not asked yet */
    uint8_t hush[NLP_HUSH];
};

struct visiting {
    struct program program;
    size_t rows;
    uint8_t *datagrams, *netns_fds, *sockets, *results; /* as given */
    int64_t timeout_ns;
    struct line *lines; /* of the rows, and the one beside */
    int hush;           /* whether namespaces that are entered are hushed while their rows run */
    sem_t opened, done; /* how many of the rows that are not given a line, in their order */
    uint8_t *room;
};

/* The state of a row in progress. */
struct row {
    struct nlp_visited visited;
    uint8_t values[NLP_VALUES * NLP_VALUE];
};

/* Return the number of the message with that sequence number in the datagram, or -1; set *last to the number
 * of the last message. */
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

/* What one step has received so far. */
struct hearing {
    const uint8_t *datagram;
    const struct step *step;
    struct row *row;
    uint32_t port;
    int kept; /* its values */
    int interrupted;
    uint64_t digest;
};

#define FNV_BASIS 0xcbf29ce484222325u /* 64-bit FNV-1a */
#define FNV_PRIME 0x100000001b3u

static void digest_reply(struct hearing *hearing, const uint8_t *at, const struct message *message)
{
    uint64_t digest = hearing->digest;

    for (size_t i = HEADER_LENGTH; i < message->length; i++)
        digest = (digest ^ at[i]) * FNV_PRIME;
    hearing->digest = digest;
}

static void note_refusal(struct hearing *hearing, const struct refusal *refusal, int number)
{
    struct nlp_visited *visited = &hearing->row->visited;

    if (!refusal->error || (uint32_t)refusal->error == hearing->step->tolerated || visited->error)
        return;
    visited->error = refusal->error;
    visited->message = number;
    visited->tlv_length = (uint32_t)refusal->tlv_length;
    if (refusal->tlv_length)
        memcpy(visited->tlvs, refusal->tlvs, refusal->tlv_length);
}

/* Keep the values of a reply, if it has them all or need not. Return 0 or -EBADMSG. */
static int note_reply(struct hearing *hearing, uint8_t *at, const struct message *message)
{
    const struct step *step = hearing->step;
    struct nlp_span cells[NLP_VALUES];
    uint8_t *first = hearing->row->values + step->first_value * NLP_VALUE;
    uint64_t present = 0;
    struct nlp_gathered gathered = {0};
    int bad;

    if (step->digest)
        digest_reply(hearing, at, message);
    if (hearing->kept || !step->fields || message->type != load16(step->plan.data))
        return 0;
    for (size_t i = 0; i < step->fields; i++)
        cells[i] = (struct nlp_span){first + i * NLP_VALUE, NLP_VALUE};
    bad = nlp_gather_rows((struct nlp_span){at, message->length}, step->plan, cells,
                          (struct nlp_span){(uint8_t *)&present, sizeof present}, 0, 1, &gathered);
    hearing->kept = !bad && gathered.added &&
                    (present == ((uint64_t)1 << step->fields) - 1 || step->tolerated == ENODATA);
    if (!hearing->kept)
        memset(first, 0, step->fields * NLP_VALUE);
    return bad ? -EBADMSG : 0;
}

/* Read one datagram of answers. Return 1 if the step is done, 0 if not, or -errno. */
static int hear(struct hearing *hearing, uint8_t *data, size_t length)
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
            hearing->interrupted |= message.flags & NLM_F_DUMP_INTR;
            if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
                if (nlp_read_refusal(data + at, &message, NLP_VISITED_TLVS, &refusal))
                    return -EBADMSG;
                note_refusal(hearing, &refusal, number);
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
    struct hearing hearing = {.datagram = datagram, .step = step, .row = row, .digest = FNV_BASIS};
    int result, sent;

    for (size_t i = 0; i < step->puts_count; i++) {
        struct put put = nlp_put_of(step, i);
        memcpy(datagram + put.offset, row->values + put.value * NLP_VALUE, put.width);
    }
    if (line->broken)
        return ECANCELED;
    result = nlp_send(line->fd, datagram, step->length, deadline);
    sent = !result;
    if (!result && !line->port) /* an unbound socket is bound by its first message */
        result = nlp_port(line->fd, &line->port);
    hearing.port = line->port;
    while (!result) {
        int64_t got = nlp_receive(line->fd, visiting->room, deadline);
        if (got == -EINTR)
            continue;
        result = got < 0 ? (int)got : hear(&hearing, visiting->room, (size_t)got);
        if (!result)
            result = nlp_late(deadline);
    }
    /* What is still to come could pass for answers to the next row. */
    line->broken = sent && result < 0;
    if (row->visited.error) /* the first refusal says more than a failure to read the rest */
        return row->visited.error;
    if (result < 0)
        return -result;
    if (step->digest && !hearing.interrupted)
        memcpy(row->values + (step->first_value + step->fields) * NLP_VALUE, &hearing.digest, NLP_VALUE);
    return step->fields && !hearing.kept && step->tolerated != ENODATA ? ENODATA : 0;
}

static void wait_for(sem_t *count)
{
    while (sem_wait(count))
        ; /* EINTR */
}

static void *open_all(void *argument)
{
    struct visiting *visiting = argument;

    for (size_t row = 0; row < visiting->rows; row++) {
        struct line *line = &visiting->lines[row];
        if (line->given)
            continue;
        memset(line->hush, 0xff, sizeof line->hush);
        line->fd = nlp_open_route_socket((int)load32(visiting->netns_fds + row * 4),
                                         visiting->hush ? line->hush : NULL);
        if (visiting->sockets && line->fd >= 0)
            store32(visiting->sockets + row * 4, (uint32_t)line->fd);
        sem_post(&visiting->opened);
    }
    for (size_t row = 0; row < visiting->rows && visiting->hush; row++)
        if (!visiting->lines[row].given) {
            wait_for(&visiting->done);
            nlp_unhush(visiting->lines[row].hush);
        }
    return NULL;
}

static size_t result_length(const struct program *program)
{
    return sizeof(struct nlp_visited) + program->values * NLP_VALUE;
}

static void run_row(const struct visiting *visiting, size_t number, struct row *row)
{
    const struct program *program = &visiting->program;
    struct step step = {.next = NLP_PROGRAM_HEAD};
    struct nlp_visited *visited = &row->visited;
    uint8_t *datagrams = visiting->datagrams + number * program->row_length;
    int64_t deadline = nlp_deadline_after(visiting->timeout_ns);
    struct line *line = &visiting->lines[number];

    memset(row, 0, sizeof *row);
    visited->step = visited->message = -1;
    if (line->fd < 0) {
        visited->error = -line->fd;
        return;
    }
    while (!visited->error && nlp_next_step(program, &step)) {
        visited->step = (int)step.number - 1;
        visited->error = run_step(visiting, &step, datagrams + step.start,
                                  step.beside ? &visiting->lines[visiting->rows] : line, deadline, row);
    }
    if (!visited->error)
        visited->step = (int)program->steps;
}

static void run_all(struct visiting *visiting)
{
    struct row row;
    size_t length = result_length(&visiting->program);

    for (size_t number = 0; number < visiting->rows; number++) {
        const struct line *line = &visiting->lines[number];
        if (!line->given)
            wait_for(&visiting->opened);
        run_row(visiting, number, &row);
        if (!line->given)
            sem_post(&visiting->done);
        if (line->fd >= 0 && !line->given && !visiting->sockets)
            close(line->fd);
        memcpy(visiting->results + number * length, &row, length);
    }
}

/* Check that every datagram of every row is whole messages. Return 0 or NLP_BAD_MESSAGE. */
static int check_datagrams(const struct visiting *visiting)
{
    const struct program *program = &visiting->program;

    for (size_t row = 0; row < visiting->rows; row++) {
        const uint8_t *datagrams = visiting->datagrams + row * program->row_length;
        struct step step = {.next = NLP_PROGRAM_HEAD};
        while (nlp_next_step(program, &step))
            for (size_t at = 0; at < step.length;) {
                struct message message;
                if (!read_message(datagrams + step.start + at, step.length - at, &message))
                    return NLP_BAD_MESSAGE;
                at = following(at, message.length, step.length);
            }
    }
    return 0;
}

static int check(struct visiting *visiting, const struct nlp_span *buffers)
{
    struct nlp_span datagrams = buffers[1], netns_fds = buffers[2], sockets = buffers[3],
                    results = buffers[4];
    size_t needed, rows = netns_fds.length / 4;
    int bad = nlp_open_program(&visiting->program, buffers[0]);

    if (bad)
        return bad;
    if (netns_fds.length % 4 || (sockets.data && sockets.length != netns_fds.length) ||
        __builtin_mul_overflow(rows, visiting->program.row_length, &needed) || datagrams.length != needed ||
        __builtin_mul_overflow(rows, result_length(&visiting->program), &needed) || results.length != needed)
        return NLP_BAD_DATA;
    if (overlap(sockets, datagrams) || overlap(sockets, results) || overlap(datagrams, results))
        return NLP_BAD_OVERLAP;
    visiting->rows = rows;
    visiting->datagrams = datagrams.data;
    visiting->netns_fds = netns_fds.data;
    visiting->sockets = sockets.data;
    visiting->results = results.data;
    return check_datagrams(visiting);
}

NLP_CALL(visit)
{
    struct visiting visiting = {.timeout_ns = numbers[1], .hush = numbers[2] != 0};
    int bad = check(&visiting, buffers), enters = 0;
    sigset_t all, before;
    pthread_t thread;

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
        visiting.lines[visiting.rows].fd = nlp_int(numbers[0]);
    sem_init(&visiting.opened, 0, 0);
    sem_init(&visiting.done, 0, 0);
    if (!bad && enters)
        bad = start_thread(&thread, open_all, &visiting);
    if (!bad) {
        sigfillset(&all); /* signals are served when all rows are done */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        run_all(&visiting);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (enters)
            pthread_join(thread, NULL);
    }
    sem_destroy(&visiting.opened);
    sem_destroy(&visiting.done);
    free(visiting.lines);
    free(visiting.room);
    return bad;
}
