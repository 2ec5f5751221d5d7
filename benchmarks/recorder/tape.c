/* The tapes: record them, play them, and the functions that drive this. */
#define _GNU_SOURCE
#include "tape.h"

#include <errno.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DESCRIPTORS = 65536,
    FIRST_UNREAL = 1 << 20, /* the kernel gives no such descriptor: fs.nr_open is 1 048 576 */
    TAPES = 4096,
    BUFFER_ROOM = 212992, /* net.core.rmem_default */
    PIPELINE = 4,         /* datagrams sent on one socket before the first is answered */
};

struct answer {
    struct answer *next;
    size_t length;
    uint8_t bytes[];
};

struct request {
    uint16_t type;
    uint32_t length, sequence;
    uint32_t sequence_now;
};

struct sent {
    struct sent *next, *earlier; /* earlier: on the same socket, when it was last played */
    struct answer *answers, **end;
    size_t count;
    struct request requests[];
};

struct tape {
    struct sent *first, **end;
};

enum mode mode;
static struct tape tapes[TAPES];
static struct tape *tape;
static struct sent *next_sent;
static struct line real_lines[DESCRIPTORS], unreal_lines[DESCRIPTORS];
static int lowest_free;
static uint64_t random_state, spent, in_kernel;
static unsigned sends, receives;
static char trouble[256];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t enter(void)
{
    uint64_t start = now();
    pthread_mutex_lock(&lock);
    return start;
}

void leave(uint64_t start)
{
    int error = errno;
    spent += now() - start;
    pthread_mutex_unlock(&lock);
    errno = error;
}

uint64_t enter_kernel(void)
{
    return mode == PLAY ? now() : 0;
}

void leave_kernel(uint64_t start)
{
    int error = errno;
    if (start)
        __atomic_add_fetch(&in_kernel, now() - start, __ATOMIC_RELAXED);
    errno = error;
}

void complain(const char *format, ...)
{
    va_list arguments;
    if (trouble[0])
        return;
    va_start(arguments, format);
    vsnprintf(trouble, sizeof trouble, format, arguments);
    va_end(arguments);
}

struct line *line_of(int fd)
{
    struct line *line = NULL;
    if (fd >= FIRST_UNREAL && fd < FIRST_UNREAL + DESCRIPTORS)
        line = &unreal_lines[fd - FIRST_UNREAL];
    else if (fd >= 0 && fd < DESCRIPTORS)
        line = &real_lines[fd];
    return line && line->used ? line : NULL;
}

bool is_unreal(int fd)
{
    return fd >= FIRST_UNREAL && line_of(fd);
}

bool is_played(int fd)
{
    return is_unreal(fd) || (mode == PLAY && line_of(fd));
}

int open_unreal(int protocol, bool nonblocking)
{
    int number = lowest_free;
    while (number < DESCRIPTORS && unreal_lines[number].used)
        number++;
    if (number == DESCRIPTORS) {
        errno = EMFILE;
        return -1;
    }
    lowest_free = number + 1;
    unreal_lines[number] = (struct line){.used = true, .nonblocking = nonblocking, .protocol = protocol,
                                         .port = 0x80000000u + number, .send_room = BUFFER_ROOM,
                                         .receive_room = BUFFER_ROOM};
    return FIRST_UNREAL + number;
}

void close_unreal(int fd)
{
    unreal_lines[fd - FIRST_UNREAL].used = false;
    if (fd - FIRST_UNREAL < lowest_free)
        lowest_free = fd - FIRST_UNREAL;
}

void note_opened(int fd, int protocol, bool nonblocking)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        real_lines[fd] = (struct line){.used = true, .nonblocking = nonblocking, .protocol = protocol};
}

void note_closed(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        real_lines[fd].used = false;
}

static size_t count_messages(const uint8_t *data, size_t length)
{
    size_t count = 0, at = 0;
    while (at + sizeof(struct nlmsghdr) <= length) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)(data + at);
        if (header->nlmsg_len < sizeof *header)
            break;
        count++;
        at += NLMSG_ALIGN(header->nlmsg_len);
    }
    return count;
}

void note_sent(struct line *line, const uint8_t *data, size_t length)
{
    size_t count = count_messages(data, length), at = 0;
    struct sent *sent = calloc(1, sizeof *sent + count * sizeof sent->requests[0]);
    if (!sent)
        abort();
    sent->end = &sent->answers;
    sent->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)(data + at);
        sent->requests[i] = (struct request){header->nlmsg_type, header->nlmsg_len, header->nlmsg_seq, 0};
        at += NLMSG_ALIGN(header->nlmsg_len);
    }
    *tape->end = sent;
    tape->end = &sent->next;
    line->sent = sent;
}

void note_received(struct line *line, const void *data, size_t length)
{
    struct answer *answer;
    if (!line->sent || !length)
        return;
    answer = malloc(sizeof *answer + length);
    if (!answer)
        abort();
    *answer = (struct answer){.length = length};
    memcpy(answer->bytes, data, length);
    *line->sent->end = answer;
    line->sent->end = &answer->next;
}

ssize_t play_send(struct line *line, const uint8_t *data, size_t length)
{
    struct sent *sent = next_sent;
    size_t count = count_messages(data, length), at = 0;
    sends++;
    if (!sent) {
        complain("send %u: nothing more was sent when this was recorded", sends);
        errno = ECONNABORTED;
        return -1;
    }
    if (count != sent->count) {
        complain("send %u: %zu messages, where %zu were recorded", sends, count, sent->count);
        errno = ECONNABORTED;
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)(data + at);
        struct request *request = &sent->requests[i];
        if (header->nlmsg_type != request->type || header->nlmsg_len != request->length) {
            complain("send %u, message %zu: type %u of %u bytes, where type %u of %u was recorded", sends, i,
                     header->nlmsg_type, header->nlmsg_len, request->type, request->length);
            errno = ECONNABORTED;
            return -1;
        }
        request->sequence_now = header->nlmsg_seq;
        at += NLMSG_ALIGN(header->nlmsg_len);
    }
    next_sent = sent->next;
    sent->earlier = line->sent;
    line->sent = sent;
    line->next = sent->answers;
    return (ssize_t)length;
}

static const struct request *request_of(const struct sent *sent, uint32_t sequence)
{
    for (int back = 0; sent && back < PIPELINE; back++, sent = sent->earlier) {
        size_t guess = sent->count ? sequence - sent->requests[0].sequence : 0;
        if (guess < sent->count && sent->requests[guess].sequence == sequence)
            return &sent->requests[guess];
        for (size_t i = 0; i < sent->count; i++)
            if (sent->requests[i].sequence == sequence)
                return &sent->requests[i];
    }
    return NULL;
}

ssize_t play_receive(struct line *line, uint8_t *room, size_t length, int flags)
{
    const struct answer *answer = line->next;
    size_t given;
    if (!answer) {
        if (!(flags & MSG_DONTWAIT) && !line->nonblocking)
            complain("receive after send %u: nothing more was received when this was recorded", sends);
        errno = EAGAIN;
        return -1;
    }
    given = answer->length < length ? answer->length : length;
    memcpy(room, answer->bytes, given);
    for (size_t at = 0; at + sizeof(struct nlmsghdr) <= given;) {
        struct nlmsghdr *header = (struct nlmsghdr *)(room + at);
        const struct request *request = request_of(line->sent, header->nlmsg_seq);
        if (header->nlmsg_len < sizeof *header)
            break;
        if (request) {
            header->nlmsg_seq = request->sequence_now;
            if (header->nlmsg_pid && line->port)
                header->nlmsg_pid = line->port;
            if (header->nlmsg_type == NLMSG_ERROR && at + 36 <= given) /* the request's header, after the errno */
                ((struct nlmsghdr *)(room + at + 20))->nlmsg_seq = request->sequence_now;
        }
        at += NLMSG_ALIGN(header->nlmsg_len);
    }
    if (!(flags & MSG_PEEK)) {
        line->next = answer->next;
        receives++;
    }
    return (ssize_t)(flags & MSG_TRUNC ? answer->length : given);
}

bool play_wait(const struct line *line)
{
    if (line->next)
        return true;
    complain("wait after send %u: nothing more was received when this was recorded", sends);
    errno = ECONNABORTED;
    return false;
}

void play_random(uint8_t *room, size_t length)
{
    for (size_t i = 0; i < length; i++) { /* splitmix64 */
        uint64_t z = random_state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        room[i] = (uint8_t)(z ^ (z >> 31));
    }
}

/* ---- What drives it ---------------------------------------------------------------------------------------------- */

static void begin(unsigned number, enum mode wanted)
{
    tape = &tapes[number % TAPES];
    random_state = number + 1;
    trouble[0] = 0;
    spent = in_kernel = sends = receives = 0;
    for (int fd = 0; fd < DESCRIPTORS && wanted == RECORD; fd++)
        real_lines[fd].sent = NULL;
    mode = wanted;
}

/* Record onto that tape (of TAPES) from now on. */
void replay_record(unsigned number)
{
    tapes[number % TAPES] = (struct tape){0};
    tapes[number % TAPES].end = &tapes[number % TAPES].first;
    begin(number, RECORD);
}

/* Play that tape from now on. */
void replay_play(unsigned number)
{
    next_sent = tapes[number % TAPES].first;
    begin(number, PLAY);
}

/* Stop recording or playing. */
void replay_stop(void)
{
    if (mode == PLAY && next_sent)
        complain("after send %u: more was sent when this was recorded", sends);
    mode = OFF;
}

/* Return the nanoseconds of this library in the last play. */
uint64_t replay_spent(void)
{
    return spent;
}

/* Return those of calls that reached the kernel (files opened, looked at and closed; threads made). */
uint64_t replay_in_kernel(void)
{
    return in_kernel;
}

/* Return what was not as it was recorded, or "". */
const char *replay_trouble(void)
{
    return trouble;
}

/* Return how many datagrams were sent (the first) and received since play began. */
unsigned replay_sends(void)
{
    return sends;
}

unsigned replay_receives(void)
{
    return receives;
}

/* Cool the caches, as the kernel does while it wires. */
void replay_chill(size_t length)
{
    static volatile uint8_t room[64 << 20];
    for (size_t i = 0; i < length && i < sizeof room; i += 64)
        room[i]++;
}
