/* The shim: the few things of netlinkpy that must be done in C. It knows the framing of linux/netlink.h
 * (nlmsghdr, nlattr, nlmsgerr) and no protocol. It has no global state, keeps nothing between calls but a
 * thread of open_ahead, and writes only into the caller's buffers, all bounds of which are checked first.
 *
 * All functions take their arguments in the same way: numbers, then buffers, then for two of them a list of
 * buffers. They return 0 or a count; or a negative number, which is -errno or one of the NLP_BAD_ codes: the
 * arguments do not fit together, and nothing was done. A number that does not fit a C int, if one is needed,
 * is taken as -1.
 *
 * No call moves the calling thread into another namespace, except setns and unshare. Those that enter other
 * namespaces do so on a thread of their own, which blocks all signals and has a stack of 128 KiB. Several
 * threads may make calls at once, as long as they share no writable buffer and no socket. */
#ifndef NETLINKPY_SHIM_H
#define NETLINKPY_SHIM_H

#include <stddef.h>
#include <stdint.h>

/* cffi reads from here ... */
#define NLP_BAD_TEMPLATE -10001  /* empty, no multiple of 4, or no room for an nlmsghdr to be numbered */
#define NLP_BAD_ROWS -10002      /* start beyond stop, or a row outside the capacity */
#define NLP_BAD_COLUMN -10003    /* a column outside the template */
#define NLP_BAD_DATA -10004      /* a buffer ends before its last row */
#define NLP_BAD_OVERLAP -10005   /* what is written shares memory with another buffer */
#define NLP_BAD_PLAN -10006      /* an invalid plan, or not for this number of columns */
#define NLP_BAD_MESSAGE -10007   /* a message's length does not fit */
#define NLP_BAD_ATTRIBUTE -10008 /* an attribute's length does not fit */
#define NLP_BAD_HEADER -10009    /* a message shorter than its fixed header */
#define NLP_BAD_SEQUENCE -10010  /* a message whose sequence number is not that of its row */
#define NLP_BAD_CHUNK -10011     /* a message longer than a datagram may be */
#define NLP_BAD_COUNT -10012     /* another number of messages than stated */
#define NLP_BAD_PROGRAM -10013   /* an invalid program */
#define NLP_BAD_PATH -10014      /* a path that does not end with its only NUL */
#define NLP_BAD_AHEAD -10015     /* opened already */

#define NLP_COLUMNS 64       /* columns of a stamp */
#define NLP_FIELDS 64        /* fields of a plan */
#define NLP_DEPTH 4          /* attribute types in a path */
#define NLP_STEPS 16         /* steps of a program */
#define NLP_PUTS 64          /* puts of a step */
#define NLP_VALUES 32        /* values that a visit keeps of the replies */
#define NLP_VALUE 8          /* bytes of one at most */
#define NLP_FAILURE_TLVS 512 /* bytes of extended ack kept for a refused row */
#define NLP_VISITED_TLVS 256 /* the same for a visited namespace */

/* A buffer. */
struct nlp_span {
    uint8_t *data; /* NULL: an optional one that was not given */
    size_t length;
};

/* A call by its name, and what it takes, one letter each: n a number, r a buffer that is read, w one that is
 * written, b a bytes object (immutable, so it stays as it was checked), o as w, but optional; R and W a list
 * of at most 64 buffers that are read or written. */
struct nlp_call {
    const char *name, *takes;
};
extern const struct nlp_call nlp_calls[]; /* the last one has no name */
/* ... to here, and the names of this list. */
#define NLP_CALLS(CALL)          \
    CALL(setns, "nn")            \
    CALL(unshare, "n")           \
    CALL(open_socket, "nnnnn")   \
    CALL(open_ahead, "nw")       \
    CALL(opened, "www")          \
    CALL(make_netns, "w")        \
    CALL(make_netns_at, "bw")    \
    CALL(stamp, "nnnnwrrR")      \
    CALL(gather, "nnnnrbowW")    \
    CALL(exchange, "nnnnnnnwww") \
    CALL(visit, "nnnbwrow")      \
    CALL(mount, "nbbb")          \
    CALL(umount, "nb")           \
    CALL(prctl, "nnnnn")         \
    CALL(capset, "nnn")

typedef int64_t nlp_function(const int64_t *numbers, const struct nlp_span *buffers,
                             const struct nlp_span *list, size_t count);

/* What a call's definition begins with. */
#define NLP_CALL(name)                                                         \
    int64_t nlp_##name(const int64_t *numbers __attribute__((unused)),         \
                       const struct nlp_span *buffers __attribute__((unused)), \
                       const struct nlp_span *list __attribute__((unused)),    \
                       size_t count __attribute__((unused)))

static inline int nlp_int(int64_t number)
{
    return number == (int)number ? (int)number : -1;
}

/* Return a length or a count as size_t, or SIZE_MAX if no buffer can have it. */
static inline size_t nlp_size(int64_t number)
{
    return number < 0 || number != (int64_t)(size_t)number ? SIZE_MAX : (size_t)number;
}

/* -- namespaces (netns.c) -- */

/* fd, nstype: setns(2) on the calling thread. */
NLP_CALL(setns);

/* flags: unshare(2) on the calling thread. */
NLP_CALL(unshare);

/* fd of a network namespace, family, type, protocol, fd: open a socket inside and put it in the place of the
 * last descriptor (dup3(2), close-on-exec), so that it has an owner from the start. */
NLP_CALL(open_socket);

/* fd of a network namespace; 8 bytes that identify the call: start a thread that opens a socket like those of
 * visit inside, and hushes advertisements there. The fd must stay open, and opened must be called once with the
 * same 8 bytes. */
NLP_CALL(open_ahead);

/* The 8 bytes of open_ahead, which become zeros; a C int; two more: wait for the thread, and write the
 * descriptor, or -1, to the int, and what is to be put back (netns.h) to the two. */
NLP_CALL(opened);

/* A buffer of C ints: make as many network namespaces and write their close-on-exec descriptors there, each as
 * soon as it is open; the caller closes them, also if a later one fails. Needs /proc. */
NLP_CALL(make_netns);

/* Paths, each ended by a NUL; a C int for each: make a network namespace at each path, a new file with the
 * namespace bind-mounted on it. Each int becomes 0 or an errno; a failed one leaves no file, and the others
 * go on. */
NLP_CALL(make_netns_at);

/* -- columns (columns.c) -- */

/* start, stop, numbered, sequence; out, template, columns; data of each column: copy the template once for
 * each row from start to stop (excluded) to out, one after the other, and write the row's values into the
 * copy. With `numbered`, nlmsg_seq of the first nlmsghdr in the row is sequence + (row - start). Return the
 * number of rows written: fewer than asked for if out is full.
 *
 * A column is four u64: offset, width, stride, swap. The `width` bytes at row * stride of its data are copied
 * to `offset` of the row. Stride 0 is one value for all rows; swap reverses the bytes of each value. */
NLP_CALL(stamp);

/* The result of a gather. */
struct nlp_gathered {
    uint64_t added;    /* rows written */
    uint64_t position; /* where in the data it stopped */
    uint64_t flags;    /* the OR of the messages' nlmsg_flags */
};

/* length, row, capacity, start; data, plan, present, a struct nlp_gathered; columns: turn the messages in
 * data[start .. length] into rows of columns, from `row` on, as the plan says.
 *
 * The plan is u16 words in host order: message type, size of the fixed header, number of nodes, number of
 * fields; then for each node: attribute type, first child, number of children, first field, number of fields;
 * then for each field: column, offset, width, kind. Node 0 is the message, and its fields are those of the
 * fixed header; children follow their parent. Kind 0 copies the payload from offset on (padded with zeros, or
 * cut, to width), kind 1 stores the payload's length as u16.
 *
 * A column has width bytes for each row. present, optional: one u64 for each row, bit i for column i. An
 * absent field is zeros. It stops before NLMSG_DONE and NLMSG_ERROR, when row reaches capacity, and at the
 * end. */
NLP_CALL(gather);

/* -- conversations (exchange.c, visit.c) -- */

/* A refused row of an exchange. */
struct nlp_failure {
    uint64_t row;
    int32_t error;
    uint32_t tlv_length;
    uint8_t tlvs[NLP_FAILURE_TLVS]; /* whole extended-ack attributes */
};

/* The progress of an exchange; initially zeros. */
struct nlp_progress {
    uint64_t rows_done; /* rows answered for sure */
    uint64_t done;      /* their bytes */
    uint64_t failures;  /* how many this call has told */
    uint64_t waiting;   /* the next datagram was sent */
    int64_t deadline;
};

/* fd, length, first sequence, rows, most bytes and rows of a datagram, timeout in ns for each datagram's
 * answers; messages, room for failures, a struct nlp_progress: send the next datagram of the messages, which
 * lie back to back and have the sequence numbers first sequence + i, with NLM_F_ACK on its last message
 * alone, and read until that is answered. Return 1 if there is more to do: take the failures out, serve
 * signals and call again with the same arguments; 0 if all is done. All messages are checked at the first
 * call. */
NLP_CALL(exchange);

/* The outcome of a row of a visit; it is followed by the row's values, NLP_VALUE bytes each, zeros for those
 * not kept. */
struct nlp_visited {
    int32_t error;   /* 0 or an errno */
    int32_t step;    /* the failing step, -1: entering or opening; else the number of steps that are done */
    int32_t message; /* the refused message in its datagram, -1: none */
    uint32_t tlv_length;
    uint8_t tlvs[NLP_VISITED_TLVS]; /* whole extended-ack attributes */
};

/* fd of the socket beside, timeout in ns for each row, whether to hush the namespaces entered (netns.h) until
 * their rows are done; program, datagrams, C ints of network namespaces, C
 * ints of sockets (optional), results: for each row enter the namespace (on a thread of its own), open an
 * rtnetlink socket there and, from the calling thread with all signals blocked, run the program's steps in
 * order; the first step that fails ends the row. A step sends its datagram of the row. If the last message
 * has NLM_F_ACK the step is done when that is answered, otherwise when the whole reply has come. A step with
 * a plan keeps the values of the first reply that has all its fields; if there is none it fails with ENODATA.
 *
 * The program is u32 words in host order: number of steps, bytes of a row's datagrams, number of values;
 * then for each step: length of its datagram, whether it is sent beside, the errno that is no refusal,
 * whether it keeps a digest, number of values of its plan, number of puts, bytes of its plan; then its puts,
 * each value, width, offset in the datagram; then its plan (as gather's). Values are numbered in order, a
 * step's digest after those of its plan: the 64-bit FNV-1a of the bodies of all replies, in their order, or 0
 * of an interrupted dump. A put writes a value of an earlier step into the datagram before it is sent.
 *
 * datagrams: those of a row back to back, row after row. sockets: one that is not negative is used, and its
 * namespace is not entered; in place of another the socket opened for the row is written as soon as it is
 * open, and the caller closes it, whatever becomes of the row. Without sockets each is closed when its row
 * has ended. If no row has to be entered there is no thread. results: a struct nlp_visited and the values,
 * for each row. Once answers from beside were left unread, later steps beside fail with ECANCELED. */
NLP_CALL(visit);

/* -- processes: what `netlinkpy run` needs beyond netlink (process.c) -- */

/* flags; source, target, type: mount(2) without data; an empty type is NULL. */
NLP_CALL(mount);

/* flags; target: umount2(2). */
NLP_CALL(umount);

/* option, four numbers: prctl(2) on the calling thread. Return what it returns. */
NLP_CALL(prctl);

/* effective, permitted, inheritable: capset(2) on the calling thread, a bit for each capability of
 * linux/capability.h. */
NLP_CALL(capset);

#endif
