/* A thread for one piece of work in another namespace: no signals, a small stack, ends with the work. */
#ifndef NETLINKPY_THREAD_H
#define NETLINKPY_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#define STACK_LENGTH (128 * 1024) /* what musl gives as well; nothing here needs a tenth of it */

/* Begin work(argument) on a new thread. Return 0, or -errno if no thread can be started. */
static inline int start_thread(pthread_t *thread, void *(*work)(void *), void *argument)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int bad = pthread_attr_init(&attributes);

    if (bad)
        return -bad;
    bad = pthread_attr_setstacksize(&attributes, STACK_LENGTH);
    if (!bad) {
        /* A new thread inherits the mask of its creator. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        bad = pthread_create(thread, &attributes, work, argument);
        if (bad == EINVAL) /* glibc puts thread-local storage on the stack: ours may be too small */
            bad = pthread_create(thread, NULL, work, argument);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return -bad;
}

/* Run work(argument) on a new thread and wait for its end. Return 0, or -errno if none can be started. */
static inline int run_thread(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    int bad = start_thread(&thread, work, argument);

    if (!bad)
        pthread_join(thread, NULL);
    return bad;
}

#endif
