/* What the hostile drivers share: numbers that are the same in every run, or a fuzzer's; buffers allocated to
 * the byte, and bytes that look like netlink. */
#ifndef NETLINKPY_HOSTILE_H
#define NETLINKPY_HOSTILE_H

#include <stdio.h>
#include <stdlib.h>

#include "../../csrc/framing.h"
#include "../../csrc/shim.h"

#define REQUIRE(what)                                                          \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

/* The calls, by their definitions' names. */
#define DECLARE(name, takes) NLP_CALL(name);
NLP_CALLS(DECLARE)
#define NUMBERS(...) ((const int64_t[]){__VA_ARGS__})
#define BUFFERS(...) ((const struct nlp_span[]){__VA_ARGS__})
#define IS_CODE(result) ((result) <= NLP_BAD_TEMPLATE && (result) >= NLP_BAD_AHEAD)

#define SPAN(array) ((struct nlp_span){(uint8_t *)(array), sizeof(array)})
#define NONE ((struct nlp_span){NULL, 0})

/* Where a thread's numbers come from: what a fuzzer gives, if it does, and zeros behind that; or xorshift64. */
struct source {
    uint64_t state;
    const uint8_t *given;
    size_t left;
};
extern _Thread_local struct source source;

static inline uint32_t any(uint32_t below)
{
    uint32_t number = 0;

    if (source.given) {
        for (uint32_t room = below - 1; source.left && room; room >>= 8) {
            number = number << 8 | *source.given++;
            source.left--;
        }
    } else {
        source.state ^= source.state << 13;
        source.state ^= source.state >> 7;
        source.state ^= source.state << 17;
        number = (uint32_t)(source.state >> 33);
    }
    return below ? number % below : 0;
}

static inline uint8_t *room(size_t length)
{
    uint8_t *data = malloc(length ? length : 1);

    REQUIRE(data);
    return data;
}

static inline uint8_t *exact(const uint8_t *from, size_t length)
{
    return memcpy(room(length), from, length);
}

static inline void spoil(uint8_t *data, size_t length, uint32_t times)
{
    while (length && times--)
        data[any((uint32_t)length)] = any(4) ? (uint8_t)any(256) : any(2) ? 0xff : 0;
}

/* Attributes within attributes, most of them well formed. The length written. */
static inline size_t put_attributes(uint8_t *to, size_t left, int depth)
{
    size_t used = 0;

    for (uint32_t i = any(5); i && left - used >= 4 + 24; i--) {
        size_t payload;
        if (depth < 5 && any(2))
            payload = put_attributes(to + used + 4, left - used - 4 - 24 < 200 ? left - used - 4 - 24 : 200,
                                     depth + 1);
        else
            for (payload = any(20), memset(to + used + 4, (int)any(256), payload); payload % 4 && any(2);)
                payload--;
        store16(to + used, (uint16_t)(4 + payload));
        store16(to + used + 2, (uint16_t)(any(8) | (any(4) ? 0 : 0x8000)));
        used += aligned(4 + payload);
    }
    return used;
}

static inline void put_header(uint8_t *at, size_t length, uint16_t type, uint16_t flags, uint32_t sequence)
{
    store32(at, (uint32_t)length);
    store16(at + 4, type);
    store16(at + 6, flags);
    store32(at + 8, sequence);
    store32(at + 12, 0);
}

/* Answers that were never any kernel's. */
static inline size_t put_answers(uint8_t *to, size_t left)
{
    size_t used = 0;

    memset(to, 0, left);
    for (uint32_t i = 1 + any(4); i && left - used > 700; i--) {
        size_t length = any(6) ? 36 : 16 + any(8);
        if (any(2) && length == 36) {
            store32(to + used + 20, any(3) ? 16 : any(0x7fffffff));
            length += put_attributes(to + used + 36, 600, 3);
        }
        store32(to + used + 16, any(3) ? (uint32_t)-(int)any(130) : any(0x7fffffff));
        put_header(to + used, length,
                   any(2)   ? 16
                   : any(4) ? NLMSG_ERROR
                            : NLMSG_DONE,
                   (uint16_t)any(0x400), any(4));
        used += aligned(length);
    }
    spoil(to, used, any(3) ? any(3) : 0);
    return used;
}

static inline uint8_t *put32(uint8_t *at, uint32_t value)
{
    store32(at, value);
    return at + 4;
}

/* A program of one step, which sends so many bytes inside and keeps nothing. */
enum { PLAIN = 12 + 28 };
static inline void put_plain_program(uint8_t *to, uint32_t length)
{
    to = put32(put32(put32(to, 1), length), 0);
    memset(put32(to, length), 0, 24);
}

/* RTM_NEWLINK that raises lo. */
static inline void put_up(uint8_t *at, uint32_t sequence)
{
    put_header(at, 32, 16, NLM_F_REQUEST | NLM_F_ACK, sequence);
    memset(at + 16, 0, 16);
    store32(at + 20, 1);
    store32(at + 24, 1);
    store32(at + 28, 1);
}

/* hostile_program.c: a program as wire/program.py makes it, put together at random. The length written, of at
 * most PROGRAM_ROOM. */
enum { PROGRAM_ROOM = 4096 };
size_t put_program(uint8_t *to);

/* A program: ask inside for the index of lo (4 bytes), its flags (8, from where they are on) and a digest of
 * all that is told; put the index into a request to raise it, which goes beside and tolerates ENODEV. */
enum { ASK_AND_RAISE = 12 + 28 + 34 + 28 + 12 };
void put_ask_and_raise(uint8_t *to);

/* Nothing that does not hold together is a program, whatever it would have done. */
void refused_programs(void);

/* hostile.c: one round each, then the real kernel. */
void hostile_gather(void);
void hostile_stamp(void);
void hostile_exchange(void);
void real_kernel(void);

/* hostile_visit.c: one round each; so many, then the real kernel. */
void hostile_answers(void);
void hostile_program(void);
void hostile_visits(long rounds);

#endif
