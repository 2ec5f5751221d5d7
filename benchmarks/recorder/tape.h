/* A tape: every datagram that was sent in one recording, each with what was received then; and the sockets used. */
#ifndef RECORDER_TAPE_H
#define RECORDER_TAPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#pragma GCC visibility push(hidden) /* a preloaded library's names come before the program's */

enum mode { OFF, RECORD, PLAY };

/* A netlink socket: one of the kernel's, or an unreal one. */
struct line {
    bool used, nonblocking;
    int protocol, send_room, receive_room;
    uint32_t port;
    struct sent *sent;   /* the last */
    struct answer *next; /* to be received */
};

extern enum mode mode;

/* Return the socket of a descriptor, real or not; NULL if it is no netlink socket. */
struct line *line_of(int fd);
bool is_unreal(int fd);
/* Return whether we answer a call on this descriptor. */
bool is_played(int fd);

/* Make a socket that the kernel does not know; return its number, or -1 if there are too many. */
int open_unreal(int protocol, bool nonblocking);
void close_unreal(int fd);
void note_opened(int fd, int protocol, bool nonblocking);
void note_closed(int fd);

void note_sent(struct line *line, const uint8_t *data, size_t length);
void note_received(struct line *line, const void *data, size_t length);

/* As send(2) and recv(2). */
ssize_t play_send(struct line *line, const uint8_t *data, size_t length);
ssize_t play_receive(struct line *line, uint8_t *room, size_t length, int flags);
/* Return whether there is something to receive; waiting for what will not come fails with ECONNABORTED. */
bool play_wait(const struct line *line);
/* Fill the room with random bytes, the same after each begin. */
void play_random(uint8_t *room, size_t length);

/* Around every call that is played: one at a time, and timed, since that time is not the program's. */
uint64_t enter(void);
void leave(uint64_t start);

/* Around a call that reaches the kernel while others are played: its time is counted apart. */
uint64_t enter_kernel(void);
void leave_kernel(uint64_t start);

/* Keep the first thing that was not as it was recorded. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#pragma GCC visibility pop

#endif
