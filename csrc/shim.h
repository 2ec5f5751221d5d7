/* The shim: the few things of netlinkpy that must happen in C, each a plain function of C.
 *
 * It knows the framing of linux/netlink.h (nlmsghdr, nlattr, nlmsgerr) and no protocol. It has no global
 * state, keeps nothing between calls, and writes only into what the caller hands in, whose every bound is
 * checked first.
 *
 * Results: 0 or a count, or a negative number: either -errno or one of the NLP_BAD_ codes below, which mean
 * that the caller's arguments do not fit together (nothing was done then). nlp_sentence() puts the latter
 * into words.
 *
 * No call moves the thread that makes it into another namespace, save nlp_setns and nlp_unshare. Those that
 * visit other namespaces do so on a thread of their own, which blocks all signals, has a stack of 128 KiB,
 * and is gone when they return. All may be called by several threads at once, as long as these do not share a
 * writable buffer or a socket.
 */
#ifndef NETLINKPY_SHIM_H
#define NETLINKPY_SHIM_H

#include <stddef.h>
#include <stdint.h>

/* cffi reads from here ... */
#define NLP_BAD_TEMPLATE -10001  /* empty, no multiple of 4, or no room for an nlmsghdr to be numbered */
#define NLP_BAD_ROWS -10002      /* start beyond stop, or a row outside the capacity */
#define NLP_BAD_COLUMN -10003    /* a column outside the template */
#define NLP_BAD_DATA -10004      /* a buffer ends before its last row */
#define NLP_BAD_OVERLAP -10005   /* the output lies over an input */
#define NLP_BAD_PLAN -10006      /* not made by compile_plan, or not for this number of columns */
#define NLP_BAD_MESSAGE -10007   /* a message's length does not fit */
#define NLP_BAD_ATTRIBUTE -10008 /* an attribute's length does not fit */
#define NLP_BAD_HEADER -10009    /* a message shorter than its fixed header */
#define NLP_BAD_SEQUENCE -10010  /* a message whose sequence number is not that of its row */
#define NLP_BAD_CHUNK -10011     /* a message longer than a datagram may be */
#define NLP_BAD_COUNT -10012     /* another number of messages than was said */
#define NLP_BAD_SCRIPT -10013   /* not made by compile_script */

#define NLP_COLUMNS 64       /* columns of a stamp */
#define NLP_FIELDS 64        /* fields of a plan */
#define NLP_DEPTH 4          /* attribute types in a path */
#define NLP_STEPS 16         /* steps of a visit */
#define NLP_PUTS 64          /* puts of a step */
#define NLP_VALUES 32        /* values that a visit keeps of the replies */
#define NLP_VALUE 8          /* bytes of one at most */
#define NLP_FAILURE_TLVS 512 /* bytes of extended ack kept for a refused row */
#define NLP_VISITED_TLVS 256 /* the same for a visited namespace */

/* The sentence for an NLP_BAD_ code, or NULL. */
const char *nlp_sentence(int code);

/* setns(2), unshare(2), mount(2) without data, umount2(2), on the calling thread. 0 or -errno. fstype may be
 * NULL. */
int nlp_setns(int fd, int nstype);
int nlp_unshare(int flags);
int nlp_mount(const char *source, const char *target, const char *fstype, unsigned long flags);
int nlp_umount(const char *target, int flags);

/* prctl(2) on the calling thread: what it gives, or -errno. */
int nlp_prctl(int option, unsigned long second, unsigned long third, unsigned long fourth,
              unsigned long fifth);

/* capset(2) on the calling thread: a bit for each capability of linux/capability.h. 0 or -errno. */
int nlp_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);

/* Open a close-on-exec socket inside the network namespace of netns_fd. The descriptor, or -errno. */
int nlp_open_socket(int netns_fd, int family, int type, int protocol);

/* Make count network namespaces and put their close-on-exec descriptors into fds: all, or none and -errno.
 * Needs /proc. */
int nlp_make_netns(size_t count, int *fds);

/* Make a network namespace at each path: a new file with the namespace bind-mounted on it. errors[i] is 0 or
 * an errno; a failed one leaves no file, and the others go on. 0, or -errno when the thread cannot be had. */
int nlp_make_netns_at(size_t count, const char *const *paths, int *errors);

/* A run of bytes. */
struct nlp_span {
    uint8_t *data;
    size_t length;
};

/* Values for one place of a template: `width` bytes from data + row * stride go to `offset`. Stride 0 is one
 * value for all rows. */
struct nlp_column {
    size_t offset, width;
    const uint8_t *data;
    size_t length; /* of data */
    size_t stride;
    int swap; /* reverse the bytes of each value */
};

/* Copy the template once for each row from start to stop (stop itself not included) to out, one after the
 * other, and write the row's values into the copy. With `numbered`, nlmsg_seq of the first nlmsghdr in the
 * row is sequence + (row - start). The number of rows written: fewer than asked for when out is full; or
 * NLP_BAD_*. */
int64_t nlp_stamp(struct nlp_span out, const uint8_t *row_template, size_t template_length,
                  const struct nlp_column *columns, size_t count, uint64_t start, uint64_t stop, int numbered,
                  uint32_t sequence);

/* Where a gather begins, and then what it came to. */
struct nlp_gathered {
    size_t position; /* in the data: where to begin, and where it stopped */
    size_t added;    /* rows written */
    uint32_t flags;  /* the OR of the messages' nlmsg_flags */
};

/* Turn the messages in data[position .. length] into rows of columns, from `row` on, as the plan says.
 *
 * The plan is u16 words in host order: message type, size of the fixed header, number of nodes, number of
 * fields; then each node: attribute type, first child, children, first field, fields; then each field:
 * column, offset, width, kind. Node 0 is the message, and its fields are those of the fixed header; children
 * stand behind their parent. Kind 0 copies the payload from offset on (padded with zeros, or cut, to width),
 * kind 1 stores the payload's length as u16.
 *
 * A column is width bytes a row. present: one u64 a row, bit i for column i; or no data at all. A field that
 * is not there is zeros. Stops before NLMSG_DONE and NLMSG_ERROR, when row reaches capacity, and at the end. 0,
 * or NLP_BAD_*. */
int nlp_gather(const uint8_t *data, size_t length, const uint8_t *plan, size_t plan_length,
               const struct nlp_span *columns, size_t column_count, struct nlp_span present, size_t row,
               size_t capacity, struct nlp_gathered *gathered);

/* A refused row of an exchange. */
struct nlp_failure {
    size_t row;
    int error;
    uint32_t tlv_length;
    uint8_t tlvs[NLP_FAILURE_TLVS]; /* whole extended-ack attributes */
};

/* An exchange under way. The caller fills in the first part, nlp_exchange_begin the second. */
struct nlp_exchange {
    int fd;
    uint8_t *buffer; /* messages back to back; message i bears first_sequence + i */
    size_t length, rows, chunk_bytes, chunk_rows;
    uint32_t first_sequence;
    int64_t timeout_ns; /* for each datagram's answers */

    size_t rows_done; /* rows answered for sure */
    size_t done;      /* their bytes */
    size_t end_row, end;
    int64_t deadline;
    uint32_t port;
};

/* Check the messages and make ready. 0 or NLP_BAD_*. */
int nlp_exchange_begin(struct nlp_exchange *exchange);

/* Send the next datagram, at most chunk_bytes and chunk_rows messages with NLM_F_ACK on the last alone, and
 * read until that one is answered. Refused rows are added to failures, which must have room for chunk_rows
 * (or all rows, if fewer); *count is how many there are, and the caller takes them out after every call. 1
 * when there is more to do (also after a signal: serve it and call again), 0 when all is done, or -errno
 * (-ETIMEDOUT, -ENOBUFS when answers were lost, ...). */
int nlp_exchange_step(struct nlp_exchange *exchange, struct nlp_failure *failures, size_t capacity,
                      size_t *count);

/* What became of a row of a visit; behind it lie the row's values, NLP_VALUE bytes each, zeros where there is
 * none. */
struct nlp_visited {
    int32_t error;   /* 0 or an errno */
    int32_t step;    /* the failing step, -1: entering or opening; the number of steps when all is done */
    int32_t message; /* the refused message in its datagram, -1: none */
    uint32_t tlv_length;
    uint8_t tlvs[NLP_VISITED_TLVS]; /* whole extended-ack attributes */
};

/* For each row enter the network namespace netns_fds[row] (C ints; on a thread of its own), open an rtnetlink
 * socket there and, from the calling thread with all signals blocked, run the script's steps in order; the
 * first failing one ends the row. A step sends its datagram of the row. One whose last message bears
 * NLM_F_ACK is done when that is answered, another one when its reply has come whole. A step with a plan
 * keeps the values of the first reply in which all its fields are; where there is none it ends with ENODATA.
 * timeout_ns bounds each row.
 *
 * The script is u32 words in host order: steps, bytes of a row's datagrams, values; then each step: length of
 * its datagram, whether it is sent beside, values that it keeps, puts, bytes of its plan; then
 * its puts, each value, width, offset in the datagram, and its plan (as nlp_gather's). The values
 * are numbered through. A put writes a value of an earlier step into the datagram before it is sent.
 *
 * datagrams holds a row's datagrams back to back, row after row. sockets, unless it has no data, holds a C int
 * for each row: one that is not negative is talked through, its namespace is not entered, and it stays open; a
 * row with -1 that is done leaves its socket there, open, for the caller to close. When no row has to be
 * entered there is no thread. beside: the socket of the steps that are sent beside. results: a struct
 * nlp_visited and the values, for each row.
 *
 * 0, NLP_BAD_*, or -errno when the thread or memory cannot be had. */
int nlp_visit(struct nlp_span script, struct nlp_span datagrams, struct nlp_span netns_fds,
              struct nlp_span sockets, int beside, int64_t timeout_ns, struct nlp_span results);

/* Have a thread open a socket as nlp_visit's meanwhile. 0, or -errno when the thread or memory cannot be had.
 * netns_fd must stay open until nlp_opened, which waits for the thread and gives the descriptor, or -errno; or
 * nlp_discard, for a socket that nobody wants. One of the two must be called, once. */
struct nlp_ahead;
int nlp_open_ahead(int netns_fd, struct nlp_ahead **ahead);
int nlp_opened(struct nlp_ahead *ahead);
void nlp_discard(struct nlp_ahead *ahead);
/* ... to here. */

#endif
