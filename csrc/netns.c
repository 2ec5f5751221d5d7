/* Namespaces: enter one; make some, and open sockets inside, on a throw-away thread. */
#define _GNU_SOURCE
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim.h"
#include "thread.h"

#ifndef NETLINK_GET_STRICT_CHK /* linux/netlink.h before 4.20 */
#define NETLINK_GET_STRICT_CHK 12
#endif
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define THREAD_NETNS "/proc/thread-self/ns/net" /* /proc/self would be the main thread's */

NLP_CALL(setns)
{
    return setns(nlp_int(numbers[0]), nlp_int(numbers[1])) ? -errno : 0;
}

NLP_CALL(unshare)
{
    return unshare(nlp_int(numbers[0])) ? -errno : 0;
}

static int open_socket(int netns_fd, int family, int type, int protocol)
{
    int fd;

    if (setns(netns_fd, CLONE_NEWNET))
        return -errno;
    fd = socket(family, type | SOCK_CLOEXEC, protocol);
    return fd < 0 ? -errno : fd;
}

struct opening {
    int netns_fd, family, type, protocol, place, result;
};

static void *open_there(void *argument)
{
    struct opening *opening = argument;
    int fd = open_socket(opening->netns_fd, opening->family, opening->type, opening->protocol);

    opening->result = fd < 0 ? fd : dup3(fd, opening->place, O_CLOEXEC) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return NULL;
}

NLP_CALL(open_socket)
{
    struct opening opening = {nlp_int(numbers[0]), nlp_int(numbers[1]), nlp_int(numbers[2]),
                              nlp_int(numbers[3]), nlp_int(numbers[4]), 0};
    int bad = run_thread(open_there, &opening);

    return bad ? bad : opening.result;
}

/* An advertisement may come as soon as an interface is up, so the default that it is made with is changed: its
 * own setting does not exist before. */
static void hush_advertisements(uint8_t *hush)
{
    int fd = open("/proc/sys/net/ipv6/conf/default/accept_ra", O_RDWR | O_CLOEXEC), before;
    char was;

    if (fd < 0)
        return;
    if (pread(fd, &was, 1, 0) != 1 || was == '0' || pwrite(fd, "0", 1, 0) != 1) {
        close(fd);
        return;
    }
    before = was;
    memcpy(hush + sizeof fd, &before, sizeof before);
    memcpy(hush, &fd, sizeof fd);
}

void nlp_unhush(const uint8_t *hush)
{
    int fd, before;
    char was;

    memcpy(&fd, hush, sizeof fd);
    memcpy(&before, hush + sizeof fd, sizeof before);
    was = (char)before;
    if (fd < 0)
        return;
    if (pwrite(fd, &was, 1, 0) != 1)
        errno = 0; /* the namespace is gone, and the setting with it */
    close(fd);
}

int nlp_open_route_socket(int netns_fd, uint8_t *hush)
{
    static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
    const int on = 1;
    int fd = open_socket(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

    for (size_t i = 0; fd >= 0 && i < sizeof options / sizeof *options; i++)
        if (setsockopt(fd, SOL_NETLINK, options[i], &on, sizeof on)) {
            int error = errno;
            close(fd);
            return -error;
        }
    if (fd >= 0 && hush)
        hush_advertisements(hush);
    return fd;
}

struct ahead {
    pthread_t thread;
    int netns_fd, fd;
    uint8_t hush[NLP_HUSH];
};

static void *open_one(void *argument)
{
    struct ahead *ahead = argument;

    ahead->fd = nlp_open_route_socket(ahead->netns_fd, ahead->hush);
    return NULL;
}

NLP_CALL(open_ahead)
{
    struct ahead *ahead;
    uint64_t known_by;
    int bad;

    if (buffers[0].length != sizeof known_by)
        return NLP_BAD_DATA;
    ahead = malloc(sizeof *ahead);
    if (!ahead)
        return -ENOMEM;
    ahead->netns_fd = nlp_int(numbers[0]);
    ahead->fd = -ECANCELED; /* what a child made by fork() finds: it has no such thread */
    memset(ahead->hush, 0xff, sizeof ahead->hush);
    bad = start_thread(&ahead->thread, open_one, ahead);
    known_by = (uintptr_t)ahead;
    if (bad)
        free(ahead);
    else
        memcpy(buffers[0].data, &known_by, sizeof known_by);
    return bad;
}

NLP_CALL(opened)
{
    struct ahead *ahead;
    uint64_t known_by;
    int fd, kept;

    if (buffers[0].length != sizeof known_by || buffers[1].length != sizeof kept ||
        buffers[2].length != sizeof ahead->hush)
        return NLP_BAD_DATA;
    memcpy(&known_by, buffers[0].data, sizeof known_by);
    if (!known_by)
        return NLP_BAD_AHEAD;
    memset(buffers[0].data, 0, sizeof known_by);
    ahead = (struct ahead *)(uintptr_t)known_by;
    pthread_join(ahead->thread, NULL);
    fd = ahead->fd;
    memcpy(buffers[2].data, ahead->hush, sizeof ahead->hush);
    free(ahead);
    kept = fd < 0 ? -1 : fd;
    memcpy(buffers[1].data, &kept, sizeof kept);
    return fd < 0 ? fd : 0;
}

struct making {
    size_t count;
    uint8_t *numbers;  /* C ints, at any address: descriptors, or errors where there are paths */
    const char *paths; /* back to back */
    int result;
};

static void *make_here(void *argument)
{
    struct making *making = argument;
    int fd;

    for (size_t i = 0; i < making->count && !making->result; i++) {
        if (unshare(CLONE_NEWNET) || (fd = open(THREAD_NETNS, O_RDONLY | O_CLOEXEC)) < 0)
            making->result = -errno;
        else
            memcpy(making->numbers + i * sizeof fd, &fd, sizeof fd);
    }
    return NULL;
}

NLP_CALL(make_netns)
{
    struct making making = {.count = buffers[0].length / sizeof(int), .numbers = buffers[0].data};
    int bad = run_thread(make_here, &making);

    return bad ? bad : making.result;
}

static int make_at(const char *path)
{
    int error = 0, fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    close(fd);
    if (unshare(CLONE_NEWNET) || mount(THREAD_NETNS, path, NULL, MS_BIND, NULL)) {
        error = errno;
        unlink(path);
    }
    return error;
}

static void *make_at_paths(void *argument)
{
    struct making *making = argument;
    const char *path = making->paths;

    for (size_t i = 0; i < making->count; i++) {
        int error = make_at(path);
        memcpy(making->numbers + i * sizeof error, &error, sizeof error);
        path += strlen(path) + 1;
    }
    return NULL;
}

NLP_CALL(make_netns_at)
{
    struct nlp_span paths = buffers[0], errors = buffers[1];
    struct making making = {
        .count = errors.length / sizeof(int), .numbers = errors.data, .paths = (const char *)paths.data};
    size_t ends = 0;

    for (size_t i = 0; i < paths.length; i++)
        ends += !paths.data[i];
    if (ends != making.count || (ends && paths.data[paths.length - 1]))
        return NLP_BAD_PATH;
    return run_thread(make_at_paths, &making);
}
