/* What makes network namespaces or opens a socket in one, each on a throw-away thread. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "thread.h"

#define THREAD_NETNS "/proc/thread-self/ns/net" /* /proc/self would be the main thread's */

struct opening {
    int netns_fd, family, type, protocol, result;
};

static void *open_there(void *argument)
{
    struct opening *opening = argument;

    if (setns(opening->netns_fd, CLONE_NEWNET))
        opening->result = -errno;
    else if ((opening->result = socket(opening->family, opening->type | SOCK_CLOEXEC, opening->protocol)) < 0)
        opening->result = -errno;
    return NULL;
}

int nlp_open_socket(int netns_fd, int family, int type, int protocol)
{
    struct opening opening = {netns_fd, family, type, protocol, 0};
    int bad = run_thread(open_there, &opening);

    return bad ? bad : opening.result;
}

struct making {
    size_t count;
    int *fds;                 /* without paths */
    const char *const *paths; /* with errors */
    int *errors;
    int result;
};

static void *make_here(void *argument)
{
    struct making *making = argument;
    size_t made = 0;

    while (made < making->count) {
        int fd;
        if (unshare(CLONE_NEWNET) || (fd = open(THREAD_NETNS, O_RDONLY | O_CLOEXEC)) < 0) {
            making->result = -errno;
            while (made)
                close(making->fds[--made]);
            break;
        }
        making->fds[made++] = fd;
    }
    return NULL;
}

int nlp_make_netns(size_t count, int *fds)
{
    struct making making = {.count = count, .fds = fds};
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

    for (size_t i = 0; i < making->count; i++)
        making->errors[i] = make_at(making->paths[i]);
    return NULL;
}

int nlp_make_netns_at(size_t count, const char *const *paths, int *errors)
{
    struct making making = {.count = count, .paths = paths, .errors = errors};

    return run_thread(make_at_paths, &making);
}
