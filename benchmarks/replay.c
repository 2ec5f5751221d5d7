/* replay.c: the kernel's part of a netlink conversation, recorded once and played back, so that what is left of the time
 * is that of the program. To be preloaded (LD_PRELOAD) into any program that talks netlink through the C library's
 * calls, whatever it is made of; driven by the functions at the end, which benchmarks/replayed.py calls.
 *
 * Recording, everything passes through, and of each datagram sent is noted what it was and what was received on its
 * socket until the next. Playing, no netlink call reaches the kernel: sockets are numbers that no descriptor has, what is
 * sent is compared with what was sent then (number, types and lengths of its messages) and swallowed, and what
 * was received then is received again, its sequence numbers and port ids put right. A program that sends something else is
 * told so by ECONNABORTED, and replay_trouble() says what. Nobody enters a namespace, and a thread that a library of the
 * program's own begins (to enter one) is a plain call. Random numbers are the same each time in both modes, so that
 * names and groups are.
 *
 * Build: gcc -O2 -Wall -Wextra -Werror -pthread -shared -fPIC -o replay.so replay.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DESCRIPTORS = 65536,
    FIRST_UNREAL = 1 << 20,    /* the kernel gives no such descriptor: fs.nr_open is 1 048 576 */
    TAPES = 4096,
    DATAGRAM = 65536,
    BUFFER_ROOM = 212992,      /* net.core.rmem_default */
    PIPELINE = 4,              /* datagrams sent on one socket before the first is answered */
};

enum mode { OFF, RECORD, PLAY };

/* ---- Tapes: what was sent in one recording, each with what was received then ------------------------------------- */

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

/* A netlink socket: one of the kernel's, or an unreal one. */
struct line {
    bool used, bound;
    int protocol, send_room, receive_room;
    uint32_t port;
    struct sent *sent;         /* the last */
    struct answer *next;       /* to be received */
};

static enum mode mode;
static struct tape tapes[TAPES];
static struct tape *tape;
static struct sent *next_sent;
static struct line real_lines[DESCRIPTORS], unreal_lines[DESCRIPTORS];
static int lowest_free;
static uint64_t random_state, spent;
static unsigned sends, receives;
static char trouble[256];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Every call that is played is timed: that time is ours, not the program's. */
static uint64_t enter(void)
{
    uint64_t start = now();
    pthread_mutex_lock(&lock);
    return start;
}

static void leave(uint64_t start)
{
    int error = errno;
    spent += now() - start;
    pthread_mutex_unlock(&lock);
    errno = error;
}

static void complain(const char *format, ...)
{
    va_list arguments;
    if (trouble[0])
        return;
    va_start(arguments, format);
    vsnprintf(trouble, sizeof trouble, format, arguments);
    va_end(arguments);
}

static struct line *line_of(int fd)
{
    struct line *line = NULL;
    if (fd >= FIRST_UNREAL && fd < FIRST_UNREAL + DESCRIPTORS)
        line = &unreal_lines[fd - FIRST_UNREAL];
    else if (fd >= 0 && fd < DESCRIPTORS)
        line = &real_lines[fd];
    return line && line->used ? line : NULL;
}

static bool unreal(int fd)
{
    return fd >= FIRST_UNREAL && line_of(fd);
}

/* Whether a call on this descriptor is ours to answer. */
static bool played(int fd)
{
    return unreal(fd) || (mode == PLAY && line_of(fd));
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

static void note_sent(struct line *line, const uint8_t *data, size_t length)
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

static void note_received(struct line *line, const void *data, size_t length)
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

static ssize_t play_send(struct line *line, const uint8_t *data, size_t length)
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

static ssize_t play_receive(struct line *line, uint8_t *room, size_t length, int flags)
{
    const struct answer *answer = line->next;
    size_t given;
    if (!answer) {
        if (!(flags & MSG_DONTWAIT))
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

static void from_the_kernel(struct sockaddr *address, socklen_t *length)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (!address || !length)
        return;
    memcpy(address, &kernel, *length < sizeof kernel ? *length : sizeof kernel);
    *length = sizeof kernel;
}

/* ---- The calls --------------------------------------------------------------------------------------------------- */

int socket(int family, int type, int protocol)
{
    REAL(socket);
    int fd;
    if (family != AF_NETLINK)
        return real(family, type, protocol);
    if (mode == PLAY) {
        uint64_t start = enter();
        int number = lowest_free;
        while (number < DESCRIPTORS && unreal_lines[number].used)
            number++;
        if (number == DESCRIPTORS) {
            fd = -1;
            errno = EMFILE;
        } else {
            lowest_free = number + 1;
            unreal_lines[number] = (struct line){.used = true, .protocol = protocol, .port = 0x80000000u + number,
                                                 .send_room = BUFFER_ROOM, .receive_room = BUFFER_ROOM};
            fd = FIRST_UNREAL + number;
        }
        leave(start);
        return fd;
    }
    fd = real(family, type, protocol);
    if (fd >= 0 && fd < DESCRIPTORS)
        real_lines[fd] = (struct line){.used = true, .protocol = protocol, .send_room = BUFFER_ROOM,
                                       .receive_room = BUFFER_ROOM};
    return fd;
}

int close(int fd)
{
    REAL(close);
    if (unreal(fd)) {
        uint64_t start = enter();
        unreal_lines[fd - FIRST_UNREAL].used = false;
        if (fd - FIRST_UNREAL < lowest_free)
            lowest_free = fd - FIRST_UNREAL;
        leave(start);
        return 0;
    }
    if (fd >= 0 && fd < DESCRIPTORS)
        real_lines[fd].used = false;
    return real(fd);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    REAL(bind);
    uint64_t start;
    uint32_t port;
    if (!played(fd))
        return real(fd, address, length);
    start = enter();
    port = ((const struct sockaddr_nl *)address)->nl_pid;
    if (port)
        line_of(fd)->port = port;
    leave(start);
    return 0;
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    REAL(getsockname);
    uint64_t start;
    if (!unreal(fd))
        return real(fd, address, length);
    start = enter();
    from_the_kernel(address, length);
    ((struct sockaddr_nl *)address)->nl_pid = line_of(fd)->port;
    leave(start);
    return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    REAL(setsockopt);
    uint64_t start;
    if (!unreal(fd))
        return real(fd, level, option, value, length);
    start = enter();
    if (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_RCVBUFFORCE))
        line_of(fd)->receive_room = 2 * *(const int *)value;
    if (level == SOL_SOCKET && (option == SO_SNDBUF || option == SO_SNDBUFFORCE))
        line_of(fd)->send_room = 2 * *(const int *)value;
    leave(start);
    return 0;
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict length)
{
    REAL(getsockopt);
    uint64_t start;
    int found = 0;
    if (!unreal(fd))
        return real(fd, level, option, value, length);
    start = enter();
    if (level == SOL_SOCKET)
        found = option == SO_TYPE       ? SOCK_RAW
                : option == SO_DOMAIN   ? AF_NETLINK
                : option == SO_PROTOCOL ? line_of(fd)->protocol
                : option == SO_RCVBUF   ? line_of(fd)->receive_room
                : option == SO_SNDBUF   ? line_of(fd)->send_room
                                        : 0;
    memcpy(value, &found, *length < sizeof found ? *length : sizeof found);
    leave(start);
    return 0;
}

static ssize_t after_send(int fd, const void *data, ssize_t sent)
{
    if (mode == RECORD && sent >= 0 && line_of(fd)) {
        pthread_mutex_lock(&lock);
        note_sent(line_of(fd), data, (size_t)sent);
        pthread_mutex_unlock(&lock);
    }
    return sent;
}

static ssize_t played_send(int fd, const void *data, size_t length)
{
    uint64_t start = enter();
    ssize_t sent = play_send(line_of(fd), data, length);
    leave(start);
    return sent;
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
    REAL(send);
    return played(fd) ? played_send(fd, data, length) : after_send(fd, data, real(fd, data, length, flags));
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    REAL(sendto);
    return played(fd) ? played_send(fd, data, length)
                      : after_send(fd, data, real(fd, data, length, flags, to, to_length));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    static uint8_t flat[4 * DATAGRAM];
    size_t length = 0;
    if (mode != OFF && line_of(fd))
        for (size_t i = 0; i < message->msg_iovlen && length + message->msg_iov[i].iov_len <= sizeof flat; i++) {
            memcpy(flat + length, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
            length += message->msg_iov[i].iov_len;
        }
    return played(fd) ? played_send(fd, flat, length) : after_send(fd, flat, real(fd, message, flags));
}

static ssize_t after_receive(int fd, const void *room, size_t length, int flags, ssize_t got)
{
    if (mode == RECORD && got > 0 && !(flags & MSG_PEEK) && line_of(fd)) {
        pthread_mutex_lock(&lock);
        note_received(line_of(fd), room, (size_t)got < length ? (size_t)got : length);
        pthread_mutex_unlock(&lock);
    }
    return got;
}

static ssize_t played_receive(int fd, void *room, size_t length, int flags, struct sockaddr *from,
                              socklen_t *from_length)
{
    uint64_t start = enter();
    ssize_t got = play_receive(line_of(fd), room, length, flags);
    if (got >= 0)
        from_the_kernel(from, from_length);
    leave(start);
    return got;
}

ssize_t recv(int fd, void *room, size_t length, int flags)
{
    REAL(recv);
    return played(fd) ? played_receive(fd, room, length, flags, NULL, NULL)
                      : after_receive(fd, room, length, flags, real(fd, room, length, flags));
}

ssize_t recvfrom(int fd, void *restrict room, size_t length, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_length)
{
    REAL(recvfrom);
    return played(fd) ? played_receive(fd, room, length, flags, from, from_length)
                      : after_receive(fd, room, length, flags, real(fd, room, length, flags, from, from_length));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    const struct iovec *first = message->msg_iov;
    ssize_t got;
    if (!played(fd))
        return after_receive(fd, first->iov_base, first->iov_len, flags, real(fd, message, flags));
    got = played_receive(fd, first->iov_base, first->iov_len, flags, message->msg_name, &message->msg_namelen);
    message->msg_controllen = 0;
    message->msg_flags = 0;
    return got;
}

/* What programs built with _FORTIFY_SOURCE call. */
ssize_t __recv_chk(int fd, void *room, size_t length, size_t size, int flags);
ssize_t __recv_chk(int fd, void *room, size_t length, size_t size, int flags)
{
    return length > size ? (abort(), -1) : recv(fd, room, length, flags);
}

ssize_t __recvfrom_chk(int fd, void *room, size_t length, size_t size, int flags, struct sockaddr *from,
                       socklen_t *from_length);
ssize_t __recvfrom_chk(int fd, void *room, size_t length, size_t size, int flags, struct sockaddr *from,
                       socklen_t *from_length)
{
    return length > size ? (abort(), -1) : recvfrom(fd, room, length, flags, from, from_length);
}

/* Ready, where there is something to be received; nobody waits for what will not come. */
static int played_poll(struct pollfd *polled)
{
    uint64_t start = enter();
    const struct line *line = line_of(polled->fd);
    polled->revents = polled->events & (POLLOUT | (line->next ? POLLIN : 0));
    if (!polled->revents) {
        complain("wait after send %u: nothing more was received when this was recorded", sends);
        errno = ECONNABORTED;
    }
    leave(start);
    return polled->revents ? 1 : -1;
}

int poll(struct pollfd *polled, nfds_t count, int timeout)
{
    REAL(poll);
    return count == 1 && played(polled->fd) ? played_poll(polled) : real(polled, count, timeout);
}

int __poll_chk(struct pollfd *polled, nfds_t count, int timeout, size_t size);
int __poll_chk(struct pollfd *polled, nfds_t count, int timeout, size_t size)
{
    return count * sizeof *polled > size ? (abort(), -1) : poll(polled, count, timeout);
}

int ppoll(struct pollfd *polled, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    REAL(ppoll);
    return count == 1 && played(polled->fd) ? played_poll(polled) : real(polled, count, timeout, mask);
}

/* Python asks FIONBIO and FIOCLEX of a socket. */
int ioctl(int fd, unsigned long request, ...)
{
    REAL(ioctl);
    va_list arguments;
    void *argument;
    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return unreal(fd) ? 0 : real(fd, request, argument);
}

static int played_fcntl(int command)
{
    complain("fcntl(%d) on a netlink socket cannot be replayed", command);
    errno = EINVAL;
    return -1;
}

int fcntl(int fd, int command, ...)
{
    static int (*real)(int, int, ...);
    va_list arguments;
    void *argument;
    if (!real)
        real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl");
    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return unreal(fd) ? played_fcntl(command) : real(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    static int (*real)(int, int, ...);
    va_list arguments;
    void *argument;
    if (!real)
        real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return unreal(fd) ? played_fcntl(command) : real(fd, command, argument);
}

int setns(int fd, int type)
{
    REAL(setns);
    return mode == PLAY ? 0 : real(fd, type);
}

ssize_t getrandom(void *room, size_t length, unsigned flags)
{
    REAL(getrandom);
    uint64_t start;
    if (mode == OFF)
        return real(room, length, flags);
    start = enter();
    for (size_t i = 0; i < length; i++) { /* splitmix64 */
        uint64_t z = random_state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        ((uint8_t *)room)[i] = (uint8_t)(z ^ (z >> 31));
    }
    leave(start);
    return (ssize_t)length;
}

/* ---- Threads: a plain call, where a library of the program's begins one (one of Python's own would wait for a lock
 * that its maker holds) ---------------------------------------------------------------------------------------------- */

static const pthread_t no_thread = (pthread_t)&mode;
static void *called_result;

static bool is_pythons(void *function)
{
    Dl_info info;
    const char *name;
    if (!dladdr(function, &info) || !info.dli_fname)
        return true;
    name = strrchr(info.dli_fname, '/');
    name = name ? name + 1 : info.dli_fname;
    return strncmp(name, "libpython", 9) == 0 || strncmp(name, "python", 6) == 0;
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*work)(void *),
                   void *restrict argument)
{
    REAL(pthread_create);
    static void *(*known)(void *);
    uint64_t start;
    bool called;
    if (mode != PLAY)
        return real(thread, attributes, work, argument);
    start = enter();
    called = work == known || !is_pythons((void *)work);
    if (called)
        known = work;
    leave(start);
    if (!called)
        return real(thread, attributes, work, argument);
    *thread = no_thread;
    called_result = work(argument);
    return 0;
}

int pthread_join(pthread_t thread, void **result)
{
    REAL(pthread_join);
    if (thread != no_thread)
        return real(thread, result);
    if (result)
        *result = called_result;
    return 0;
}

/* ---- What drives it ---------------------------------------------------------------------------------------------- */

static void begin(unsigned number, enum mode wanted)
{
    tape = &tapes[number % TAPES];
    random_state = number + 1;
    trouble[0] = 0;
    spent = sends = receives = 0;
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

/* Neither any more. */
void replay_stop(void)
{
    if (mode == PLAY && next_sent)
        complain("after send %u: more was sent when this was recorded", sends);
    mode = OFF;
}

/* The nanoseconds that were ours, of what was last played. */
uint64_t replay_spent(void)
{
    return spent;
}

/* What was not as it was recorded, or "". */
const char *replay_trouble(void)
{
    return trouble;
}

/* How many datagrams were sent (the first) and received, since play began. */
unsigned replay_sends(void)
{
    return sends;
}

unsigned replay_receives(void)
{
    return receives;
}

/* Take the caches away, as the kernel does while it wires. */
void replay_chill(size_t length)
{
    static volatile uint8_t room[64 << 20];
    for (size_t i = 0; i < length && i < sizeof room; i += 64)
        room[i]++;
}
