/* exchange: many messages on one socket, in datagrams of which only the last message is acked. */
#include "shim.h"

#include <errno.h>
#include <stdlib.h>

#include "talk.h"

int nlp_exchange_begin(struct nlp_exchange *exchange)
{
    size_t at = 0, row = 0, next;

    exchange->rows_done = exchange->done = exchange->end_row = exchange->end = 0;
    if (!exchange->chunk_rows)
        return NLP_BAD_CHUNK;
    while (at < exchange->length) {
        struct message message;
        if (!read_message(exchange->buffer + at, exchange->length - at, &message))
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
static int cut_chunk(struct nlp_exchange *exchange)
{
    size_t at = exchange->done, row = exchange->rows_done, last = at, next;
    struct message message;

    while (row < exchange->rows && row - exchange->rows_done < exchange->chunk_rows) {
        if (!read_message(exchange->buffer + at, exchange->length - at, &message))
            return -EBADMSG; /* somebody wrote to the buffer meanwhile */
        next = following(at, message.length, exchange->length);
        if (row > exchange->rows_done && next - exchange->done > exchange->chunk_bytes)
            break;
        store16(exchange->buffer + at + 6, message.flags & ~NLM_F_ACK);
        last = at;
        row++;
        at = next;
    }
    store16(exchange->buffer + last + 6, load16(exchange->buffer + last + 6) | NLM_F_ACK);
    exchange->end_row = row;
    exchange->end = at;
    return 0;
}

/* A row is answered once: what comes after that is late. */
static int is_known(const struct nlp_failure *failures, size_t count, size_t row)
{
    while (count)
        if (failures[--count].row == row)
            return 1;
    return 0;
}

/* Take the answers out of one datagram. 1 when the last message of the chunk is answered, 0 when not, or
 * -errno. */
static int read_answers(const struct nlp_exchange *exchange, const uint8_t *data, size_t length,
                        struct nlp_failure *failures, size_t capacity, size_t *count)
{
    size_t at = 0, rows = exchange->end_row - exchange->rows_done;

    while (at < length) {
        struct message message;
        struct refusal refusal;
        uint32_t number;
        int bad;
        if (!read_message(data + at, length - at, &message))
            return -EBADMSG;
        number = message.sequence - (exchange->first_sequence + (uint32_t)exchange->rows_done);
        if (message.port != exchange->port || number >= rows)
            number = UINT32_MAX; /* it answers nothing asked here */
        else if (message.type == NLMSG_OVERRUN)
            return -ENOBUFS;
        if ((message.type == NLMSG_ERROR || message.type == NLMSG_DONE) && number < rows) {
            bad = nlp_read_refusal(data + at, &message, NLP_FAILURE_TLVS, &refusal);
            if (bad)
                return bad;
            if (refusal.error && *count < capacity &&
                !is_known(failures, *count, exchange->rows_done + number)) {
                struct nlp_failure *failure = &failures[(*count)++];
                failure->row = exchange->rows_done + number;
                failure->error = refusal.error;
                failure->tlv_length = (uint32_t)refusal.tlv_length;
                if (refusal.tlv_length)
                    memcpy(failure->tlvs, refusal.tlvs, refusal.tlv_length);
            }
            if (number == rows - 1)
                return 1;
        }
        at = following(at, message.length, length);
    }
    return 0;
}

int nlp_exchange_step(struct nlp_exchange *exchange, struct nlp_failure *failures, size_t capacity,
                      size_t *count)
{
    uint8_t *room;
    int result = 0;

    if (exchange->rows_done == exchange->rows)
        return 0;
    room = malloc(NLP_RECEIVE_LENGTH);
    if (!room)
        return -ENOMEM;
    if (exchange->end_row == exchange->rows_done) {
        result = cut_chunk(exchange);
        exchange->deadline = nlp_deadline_after(exchange->timeout_ns);
        if (!result)
            result = nlp_send(exchange->fd, exchange->buffer + exchange->done, exchange->end - exchange->done,
                              exchange->deadline);
        exchange->port = nlp_port(exchange->fd); /* the first message sent binds a socket that is not */
    }
    while (!result) {
        int64_t got = nlp_receive(exchange->fd, room, exchange->deadline);
        result = got < 0 ? (int)got : read_answers(exchange, room, (size_t)got, failures, capacity, count);
    }
    free(room);
    if (result == 1) {
        exchange->rows_done = exchange->end_row;
        exchange->done = exchange->end;
        return exchange->rows_done < exchange->rows;
    }
    return result == -EINTR ? 1 : result;
}
