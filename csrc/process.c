/* The plain part of the shim: its sentences, and the calls that are no more than their system call. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *nlp_sentence(int code)
{
    switch (code) {
    case NLP_BAD_TEMPLATE:
        return "the template is empty, no multiple of 4 bytes, or has no room for an nlmsghdr";
    case NLP_BAD_ROWS: return "rows run from start to stop, inside the capacity";
    case NLP_BAD_COLUMN: return "a column lies outside the template, or there are too many";
    case NLP_BAD_DATA: return "a buffer ends before its last row";
    case NLP_BAD_OVERLAP: return "the output shares memory with an input";
    case NLP_BAD_PLAN: return "the plan is not from compile_plan, or not for this number of columns";
    case NLP_BAD_MESSAGE: return "a message's length does not fit";
    case NLP_BAD_ATTRIBUTE: return "an attribute's length does not fit";
    case NLP_BAD_HEADER: return "a message is shorter than its fixed header";
    case NLP_BAD_SEQUENCE: return "a message's sequence number is not that of its row";
    case NLP_BAD_CHUNK: return "a message is longer than a datagram may be";
    case NLP_BAD_COUNT: return "the buffer does not hold the number of messages that was said";
    case NLP_BAD_SCRIPT: return "the script is not from compile_script";
    default: return NULL;
    }
}

int nlp_setns(int fd, int nstype)
{
    return setns(fd, nstype) ? -errno : 0;
}

int nlp_unshare(int flags)
{
    return unshare(flags) ? -errno : 0;
}

int nlp_mount(const char *source, const char *target, const char *fstype, unsigned long flags)
{
    return mount(source, target, fstype, flags, NULL) ? -errno : 0;
}

int nlp_umount(const char *target, int flags)
{
    return umount2(target, flags) ? -errno : 0;
}

int nlp_prctl(int option, unsigned long second, unsigned long third, unsigned long fourth,
              unsigned long fifth)
{
    int result = prctl(option, second, third, fourth, fifth);

    return result < 0 ? -errno : result;
}

int nlp_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct halves[2];

    for (int i = 0; i < 2; i++) {
        halves[i].effective = (uint32_t)(effective >> 32 * i);
        halves[i].permitted = (uint32_t)(permitted >> 32 * i);
        halves[i].inheritable = (uint32_t)(inheritable >> 32 * i);
    }
    return syscall(SYS_capset, &header, halves) ? -errno : 0;
}
