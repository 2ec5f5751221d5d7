/* The system calls of `netlinkpy run` that Python does not have; and the table of all calls. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROW(name, takes) {#name, takes},
const struct nlp_call nlp_calls[] = {NLP_CALLS(ROW){NULL, NULL}};

static int is_path(struct nlp_span path)
{
    return path.length && memchr(path.data, 0, path.length) == path.data + path.length - 1;
}

NLP_CALL(mount)
{
    struct nlp_span source = buffers[0], target = buffers[1], type = buffers[2];

    if (!is_path(source) || !is_path(target) || (type.length && !is_path(type)))
        return NLP_BAD_PATH;
    return mount((char *)source.data, (char *)target.data, type.length ? (char *)type.data : NULL,
                 (unsigned long)numbers[0], NULL)
               ? -errno
               : 0;
}

NLP_CALL(umount)
{
    if (!is_path(buffers[0]))
        return NLP_BAD_PATH;
    return umount2((char *)buffers[0].data, nlp_int(numbers[0])) ? -errno : 0;
}

NLP_CALL(prctl)
{
    int result = prctl(nlp_int(numbers[0]), (unsigned long)numbers[1], (unsigned long)numbers[2],
                       (unsigned long)numbers[3], (unsigned long)numbers[4]);

    return result < 0 ? -errno : result;
}

NLP_CALL(capset)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct halves[2];

    for (int i = 0; i < 2; i++) {
        halves[i].effective = (uint32_t)(numbers[0] >> 32 * i);
        halves[i].permitted = (uint32_t)(numbers[1] >> 32 * i);
        halves[i].inheritable = (uint32_t)(numbers[2] >> 32 * i);
    }
    return syscall(SYS_capset, &header, halves) ? -errno : 0;
}
