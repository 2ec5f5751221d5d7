/* exchange: many messages on one socket, in datagrams of which only the last message is acked. */
#include "shim.h"

#include <errno.h>
#include <stdlib.h>

#include "talk.h"

struct exchange {
    uint8_t *messages;
    size_t length, rows, chunk_bytes, chunk_rows;
    uint32_t first_sequence;
    struct nlp_progress progress;
    size_t end_row, end; /* of the datagram under way */
    uint32_t port;
    uint8_t *refused; /* its rows: each is answered once, what comes after that is late */
};

static int check_messages(const struct exchange *exchange)
{
    size_t at = 0, row = 0, next;

    while (at < exchange->length) {
        struct message message;
        if (!read_message(exchange->messages + at, exchange->length - at, &message))
            return NLP_BAD_MESSAGE;
        if (message.sequence != exchange->first_sequence + (uint32_t)row)
            return NLP_BAD_SEQUENCE;
        row++;
        next = following(at, message.length, exchange->length);
        if (next - at > exchange->chunk_bytes)
            return NLP_BAD_CHUNK;
        at = next;
    }
    return row == exchange->rows ? 0 : NLP_BAD_COUNT;
}

/* Find the end of the next datagram and set NLM_F_ACK on its last message alone. */
static int cut_chunk(struct exchange *exchange)
{
    size_t at = exchange->progress.done, row = exchange->progress.rows_done, last = at, next;
    struct message message;

    while (row < exchange->rows && row - exchange->progress.rows_done < exchange->chunk_rows) {
        if (!read_message(exchange->messages + at, exchange->length - at, &message))
            return -EBADMSG; /* another thread wrote to the buffer */
        next = following(at, message.length, exchange->length);
        if (row > exchange->progress.rows_done && next - exchange->progress.done > exchange->chunk_bytes)
            break;
        store16(exchange->messages + at + 6, (uint16_t)(message.flags & ~NLM_F_ACK));
        last = at;
        row++;
        at = next;
    }
    store16(exchange->messages + last + 6, load16(exchange->messages + last + 6) | NLM_F_ACK);
    exchange->end_row = row;
    exchange->end = at;
    return 0;
}

/* Read the answers in one datagram. Return 1 if the last message of the chunk is answered, 0 if not, or
 * -errno. */
static int read_answers(struct exchange *exchange, const uint8_t *data, size_t length,
                        struct nlp_span failures)
{
    struct nlp_progress *progress = &exchange->progress;
    size_t at = 0, rows = exchange->end_row - progress->rows_done;

    while (at < length) {
        struct message message;
        struct refusal refusal;
        const uint8_t *start = data + at;
        uint32_t number;
        if (!read_message(data + at, length - at, &message))
            return -EBADMSG;
        number = message.sequence - (exchange->first_sequence + (uint32_t)progress->rows_done);
        at = following(at, message.length, length);
        if (message.port != exchange->port || number >= rows)
            continue; /* it answers no message of ours */
        if (message.type == NLMSG_OVERRUN)
            return -ENOBUFS;
        if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
            if (nlp_read_refusal(start, &message, NLP_FAILURE_TLVS, &refusal))
                return -EBADMSG;
            if (refusal.error && !exchange->refused[number] &&
                progress->failures < failures.length / sizeof(struct nlp_failure)) {
                uint8_t *to = failures.data + progress->failures++ * sizeof(struct nlp_failure);
                struct nlp_failure failure = {.row = progress->rows_done + number,
                                              .error = refusal.error,
                                              .tlv_length = (uint32_t)refusal.tlv_length};
                memcpy(to, &failure, offsetof(struct nlp_failure, tlvs));
                if (refusal.tlv_length)
                    memcpy(to + offsetof(struct nlp_failure, tlvs), refusal.tlvs, refusal.tlv_length);
                exchange->refused[number] = 1;
            }
            if (number == rows - 1)
                return 1;
        }
    }
    return 0;
}

/* Send the next datagram, unless it was sent, and read until it is answered. Return 1, or -errno. */
static int run_chunk(struct exchange *exchange, int fd, int64_t timeout_ns, struct nlp_span failures)
{
    struct nlp_progress *progress = &exchange->progress;
    int result = cut_chunk(exchange);
    uint8_t *room;
    size_t rows;

    if (result)
        return result;
    rows = exchange->end_row - progress->rows_done;
    room = malloc(NLP_RECEIVE_LENGTH + rows);
    if (!room)
        return -ENOMEM;
    exchange->refused = memset(room + NLP_RECEIVE_LENGTH, 0, rows);
    if (!progress->waiting) {
        progress->deadline = nlp_deadline_after(timeout_ns);
        result = nlp_send(fd, exchange->messages + progress->done, exchange->end - progress->done,
                          progress->deadline);
        progress->waiting = !result;
    }
    if (!result) /* an unbound socket is bound by its first message */
        result = nlp_port(fd, &exchange->port);
    while (!result) {
        int64_t got = nlp_receive(fd, room, progress->deadline);
        result = got < 0 ? (int)got : read_answers(exchange, room, (size_t)got, failures);
        if (!result)
            result = nlp_late(progress->deadline);
    }
    free(room);
    return result;
}

NLP_CALL(exchange)
{
    struct nlp_span messages = buffers[0], state = buffers[2];
    struct exchange exchange = {.messages = messages.data,
                                .length = nlp_size(numbers[1]),
                                .first_sequence = (uint32_t)numbers[2],
                                .rows = nlp_size(numbers[3]),
                                .chunk_bytes = nlp_size(numbers[4]),
                                .chunk_rows = nlp_size(numbers[5])};
    struct nlp_progress *progress = &exchange.progress;
    int result = 0;

    if (exchange.length > messages.length || state.length != sizeof *progress)
        return NLP_BAD_DATA;
    if (numbers[4] < 0 || numbers[5] <= 0)
        return NLP_BAD_CHUNK;
    memcpy(progress, state.data, sizeof *progress);
    if (progress->done > exchange.length || progress->rows_done > exchange.rows)
        return NLP_BAD_DATA;
    if (!progress->done && !progress->waiting)
        result = check_messages(&exchange);
    if (result || progress->rows_done == exchange.rows)
        return result;
    progress->failures = 0;
    result = run_chunk(&exchange, nlp_int(numbers[0]), numbers[6], buffers[1]);
    if (result == 1) {
        progress->rows_done = exchange.end_row;
        progress->done = exchange.end;
        progress->waiting = 0;
        result = progress->rows_done < exchange.rows;
    }
    memcpy(state.data, progress, sizeof *progress);
    return result == -EINTR ? 1 : result;
}
