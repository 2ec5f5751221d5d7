/* The framing of linux/netlink.h, read and written byte by byte so that no buffer needs to be aligned. */
#ifndef NETLINKPY_FRAMING_H
#define NETLINKPY_FRAMING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/netlink.h>

#define HEADER_LENGTH 16 /* nlmsghdr */
#define ATTRIBUTE_LENGTH 4

static inline uint16_t load16(const uint8_t *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t load32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void store16(uint8_t *to, uint16_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline void store32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

static inline size_t aligned(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

struct message {
    size_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
};

/* Read the nlmsghdr at `at`, where `left` bytes are left. Return 0 if it does not fit. */
static inline int read_message(const uint8_t *at, size_t left, struct message *message)
{
    if (left < HEADER_LENGTH)
        return 0;
    message->length = load32(at);
    message->type = load16(at + 4);
    message->flags = load16(at + 6);
    message->sequence = load32(at + 8);
    message->port = load32(at + 12);
    return message->length >= HEADER_LENGTH && message->length <= left;
}

/* Return where the message after one of `length` bytes begins; the last one may lack its padding. */
static inline size_t following(size_t position, size_t length, size_t end)
{
    size_t next = position + aligned(length);
    return next < end ? next : end;
}

#endif
