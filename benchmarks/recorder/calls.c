/* The recorder: the kernel's part of a netlink conversation, recorded once and played back, so that the time left is that
 * of the program. It is preloaded (LD_PRELOAD) into any program that uses netlink through the C library's calls, in
 * whatever language, and driven by the replay_ functions of tape.c, which benchmarks/replayed.py calls.
 *
 * While recording, every call goes through, and for each datagram sent it notes the datagram and what was received on its
 * socket until the next. While playing, no netlink call reaches the kernel: sockets are numbers that no descriptor has; what
 * is sent is compared with what was recorded (number, types and lengths of its messages) and dropped; and what was
 * received then is received again, with its sequence numbers and port ids adapted. A program that sends something else
 * gets ECONNABORTED, and replay_trouble() says what differed. No namespace is entered, and a thread that one of the
 * program's libraries starts (to enter one) is a plain call. Random numbers are the same each time in both modes, so that
 * names and groups are.
 *
 * Build: gcc -O2 -Wall -Wextra -Werror -pthread -shared -fPIC -o recorder.so calls.c tape.c
 */
#define _GNU_SOURCE
#include "tape.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAT = 4 * 65536 }; /* bytes of a datagram that is sent in pieces */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define IN_KERNEL(call) \
    ({ \
        uint64_t start_ = enter_kernel(); \
        __typeof__(call) result_ = (call); \
        leave_kernel(start_); \
        result_; \
    })

static void from_the_kernel(struct sockaddr *address, socklen_t *length)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (!address || !length)
        return;
    memcpy(address, &kernel, *length < sizeof kernel ? *length : sizeof kernel);
    *length = sizeof kernel;
}

int socket(int family, int type, int protocol)
{
    REAL(socket);
    int fd;
    if (family == AF_NETLINK && mode == PLAY) {
        uint64_t start = enter();
        fd = open_unreal(protocol, type & SOCK_NONBLOCK);
        leave(start);
        return fd;
    }
    fd = real(family, type, protocol);
    if (family == AF_NETLINK)
        note_opened(fd, protocol, type & SOCK_NONBLOCK);
    return fd;
}

int close(int fd)
{
    REAL(close);
    if (is_unreal(fd)) {
        uint64_t start = enter();
        close_unreal(fd);
        leave(start);
        return 0;
    }
    note_closed(fd);
    return IN_KERNEL(real(fd));
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    REAL(bind);
    uint64_t start;
    uint32_t port;
    if (!is_played(fd))
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
    if (!is_unreal(fd))
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
    if (!is_unreal(fd))
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
    if (!is_unreal(fd))
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

static ssize_t note_after_send(int fd, const void *data, ssize_t sent)
{
    if (mode == RECORD && sent >= 0 && line_of(fd)) {
        uint64_t start = enter();
        note_sent(line_of(fd), data, (size_t)sent);
        leave(start);
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
    return is_played(fd) ? played_send(fd, data, length) : note_after_send(fd, data, real(fd, data, length, flags));
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    REAL(sendto);
    return is_played(fd) ? played_send(fd, data, length)
                      : note_after_send(fd, data, real(fd, data, length, flags, to, to_length));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    static uint8_t flat[FLAT];
    size_t length = 0;
    if (mode != OFF && line_of(fd))
        for (size_t i = 0; i < message->msg_iovlen && length + message->msg_iov[i].iov_len <= sizeof flat; i++) {
            memcpy(flat + length, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
            length += message->msg_iov[i].iov_len;
        }
    return is_played(fd) ? played_send(fd, flat, length) : note_after_send(fd, flat, real(fd, message, flags));
}

static ssize_t note_after_receive(int fd, const void *room, size_t length, int flags, ssize_t got)
{
    if (mode == RECORD && got > 0 && !(flags & MSG_PEEK) && line_of(fd)) {
        uint64_t start = enter();
        note_received(line_of(fd), room, (size_t)got < length ? (size_t)got : length);
        leave(start);
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
    return is_played(fd) ? played_receive(fd, room, length, flags, NULL, NULL)
                      : note_after_receive(fd, room, length, flags, real(fd, room, length, flags));
}

ssize_t recvfrom(int fd, void *restrict room, size_t length, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_length)
{
    REAL(recvfrom);
    return is_played(fd) ? played_receive(fd, room, length, flags, from, from_length)
                      : note_after_receive(fd, room, length, flags, real(fd, room, length, flags, from, from_length));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    const struct iovec *first = message->msg_iov;
    ssize_t got;
    if (!is_played(fd))
        return note_after_receive(fd, first->iov_base, first->iov_len, flags, real(fd, message, flags));
    got = played_receive(fd, first->iov_base, first->iov_len, flags, message->msg_name, &message->msg_namelen);
    message->msg_controllen = 0;
    message->msg_flags = 0;
    return got;
}

/* The calls of programs built with _FORTIFY_SOURCE. */
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

static int played_poll(struct pollfd *polled)
{
    uint64_t start = enter();
    bool ready = polled->events & POLLOUT || play_wait(line_of(polled->fd));
    polled->revents = ready ? polled->events & (POLLOUT | (line_of(polled->fd)->next ? POLLIN : 0)) : 0;
    leave(start);
    return ready ? 1 : -1;
}

int poll(struct pollfd *polled, nfds_t count, int timeout)
{
    REAL(poll);
    return count == 1 && is_played(polled->fd) ? played_poll(polled) : real(polled, count, timeout);
}

int __poll_chk(struct pollfd *polled, nfds_t count, int timeout, size_t size);
int __poll_chk(struct pollfd *polled, nfds_t count, int timeout, size_t size)
{
    return count * sizeof *polled > size ? (abort(), -1) : poll(polled, count, timeout);
}

int ppoll(struct pollfd *polled, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    REAL(ppoll);
    return count == 1 && is_played(polled->fd) ? played_poll(polled) : real(polled, count, timeout, mask);
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
    if (request == FIONBIO && line_of(fd))
        line_of(fd)->nonblocking = *(const int *)argument;
    return is_unreal(fd) ? 0 : IN_KERNEL(real(fd, request, argument));
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
    return is_unreal(fd) ? played_fcntl(command) : real(fd, command, argument);
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
    return is_unreal(fd) ? played_fcntl(command) : real(fd, command, argument);
}

/* ---- What is not netlink's, and is only timed -------------------------------------------------------------------- */

/* open, open64: the mode is given if a file may be made. */
#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        static int (*real)(const char *, int, ...); \
        va_list arguments; \
        mode_t permissions; \
        if (!real) \
            real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_start(arguments, flags); \
        permissions = va_arg(arguments, mode_t); \
        va_end(arguments); \
        return IN_KERNEL(real(path, flags, permissions)); \
    }

OPEN(open)
OPEN(open64)

int fstat64(int fd, struct stat64 *status)
{
    REAL(fstat64);
    return IN_KERNEL(real(fd, status));
}

/* ------------------------------------------------------------------------------------------------------------------ */

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
    play_random(room, length);
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
        return IN_KERNEL(real(thread, attributes, work, argument));
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
