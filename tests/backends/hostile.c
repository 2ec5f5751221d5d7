/* The shim from plain C, under the sanitizers and valgrind: hostile dumps, plans, answers and messages, then
 * the real kernel.
 *
 * Every buffer is allocated to the byte, so an overrun of one byte ends the program. Usage: hostile ROUNDS */
#define _GNU_SOURCE
#include "hostile.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* Several messages with that many bytes of fixed header. */
static size_t put_dump(uint8_t *to, size_t left, size_t header)
{
    size_t used = 0;

    memset(to, 0, left);
    for (uint32_t i = 1 + any(6); i && left - used > 16 + header + 300; i--) {
        size_t length = 16 + aligned(header);
        length += put_attributes(to + used + length, 250, 0);
        put_header(to + used, length, any(8) ? 24 : (uint16_t)any(5), (uint16_t)any(65536), any(4));
        used += length;
    }
    return used;
}

/* A plan as compile_plan makes it: a chain of nests, two attributes beside it, and some of everything to
 * keep. */
static size_t put_plan(uint8_t *to, size_t header, uint16_t *widths, size_t *fields)
{
    const uint16_t nodes[6][5] = {{0, 1, 2, 0, 1}, {1, 0, 0, 1, 2}, {2, 3, 1, 3, 1},
                                  {3, 4, 1, 4, 1}, {1, 5, 1, 5, 1}, {6, 0, 0, 6, 1}};
    uint16_t head[4] = {24, (uint16_t)header, 6, 7};

    *fields = 7;
    memcpy(to, head, 8);
    memcpy(to + 8, nodes, sizeof nodes);
    for (uint16_t i = 0; i < 7; i++) {
        uint16_t field[4] = {i, any(3) ? 0 : (uint16_t)any(6), (uint16_t)(1 + any(17)), 0};
        if (any(6) == 0) {
            field[2] = 2;
            field[3] = 1;
        }
        widths[i] = field[2];
        memcpy(to + 8 + sizeof nodes + i * 8, field, 8);
    }
    return 8 + sizeof nodes + 7 * 8;
}

static void hostile_gather(void)
{
    uint8_t dump_room[4096], plan_room[200];
    uint16_t widths[NLP_FIELDS];
    size_t header = any(3) * 4, fields, capacity = any(6), row = any((uint32_t)capacity + 1);
    size_t dump_length = put_dump(dump_room, sizeof dump_room, header);
    size_t plan_length = put_plan(plan_room, header, widths, &fields);
    struct nlp_span columns[NLP_FIELDS], present = {NULL, 0};
    struct nlp_gathered gathered = {0};
    uint8_t *dump, *plan;
    int result;

    spoil(dump_room, dump_length, any(3) ? any(6) : 0);
    if (any(4) == 0)
        dump_length = any((uint32_t)dump_length + 1);
    if (any(4) == 0)
        spoil(plan_room, plan_length, 1 + any(3));
    dump = exact(dump_room, dump_length);
    plan = exact(plan_room, plan_length);
    for (size_t i = 0; i < fields; i++) {
        columns[i].length = widths[i] * capacity;
        columns[i].data = room(columns[i].length);
    }
    if (any(2)) {
        present.length = 8 * capacity;
        present.data = room(present.length);
    }
    result =
        nlp_gather(dump, dump_length, plan, plan_length, columns, fields, present, row, capacity, &gathered);
    REQUIRE(result == 0 || nlp_sentence(result));
    REQUIRE(gathered.position <= dump_length && gathered.added <= capacity - row);
    for (size_t i = 0; i < fields; i++)
        free(columns[i].data);
    free(present.data);
    free(plan);
    free(dump);
}

static void hostile_stamp(void)
{
    size_t template_length = any(10) ? 4 * any(20) : any(80), out_length = any(800), count = any(4);
    uint64_t start = any(5), stop = any(20) ? start + any(12) : any(5);
    struct nlp_column columns[4];
    struct nlp_span out = {room(out_length), out_length};
    uint8_t *row_template = room(template_length);
    int64_t rows;

    memset(row_template, 7, template_length);
    for (size_t i = 0; i < count; i++) {
        struct nlp_column *column = &columns[i];
        column->width = any(20) ? any(9) : any(100);
        column->offset = any(20) ? any((uint32_t)template_length + 1) : SIZE_MAX - any(8);
        column->stride = any(20) ? any(12) : SIZE_MAX / (1 + any(4));
        column->length = any(200);
        column->data = memset(room(column->length), 9, column->length);
        column->swap = (int)any(2);
    }
    rows = nlp_stamp(out, row_template, template_length, columns, count, start, stop, (int)any(2), any(1000));
    REQUIRE(rows < 0 ? nlp_sentence((int)rows) != NULL : (uint64_t)rows <= stop - start);
    for (size_t i = 0; i < count; i++)
        free((void *)columns[i].data);
    free(row_template);
    free(out.data);
}

static void *fake_kernel(void *socket)
{
    uint8_t data[4096];
    int fd = *(int *)socket;

    while (recv(fd, data, sizeof data, 0) > 0)
        for (uint32_t i = any(3); i; i--) {
            size_t length = put_answers(data, sizeof data);
            if (send(fd, data, length, MSG_NOSIGNAL) < 0)
                break;
        }
    return NULL;
}

static void hostile_exchange(void)
{
    size_t rows = any(6), length = rows * 20, capacity, count = 0, chunk_rows = any(4);
    struct nlp_exchange exchange = {
        .length = length, .rows = any(8) ? rows : any(9), .chunk_rows = chunk_rows};
    struct nlp_failure *failures;
    pthread_t thread;
    int ends[2], result;

    exchange.buffer = memset(room(length), 0, length);
    for (uint32_t i = 0; i < rows; i++)
        put_header(exchange.buffer + i * 20, 20, 24, (uint16_t)any(8), i);
    if (any(4) == 0)
        spoil(exchange.buffer, length, 1 + any(3));
    exchange.chunk_bytes = any(4) ? 1000 : any(70);
    exchange.timeout_ns = 300000;
    result = nlp_exchange_begin(&exchange);
    REQUIRE(result == 0 || nlp_sentence(result));
    if (!result) {
        REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
        REQUIRE(!pthread_create(&thread, NULL, fake_kernel, &ends[1]));
        exchange.fd = ends[0];
        capacity = rows < chunk_rows ? rows : chunk_rows;
        failures = (struct nlp_failure *)room(capacity * sizeof *failures);
        while ((result = nlp_exchange_step(&exchange, failures, capacity, &count)) == 1) {
            REQUIRE(count <= capacity);
            count = 0;
        }
        REQUIRE(result <= 0 && exchange.rows_done <= exchange.rows);
        free(failures);
        close(ends[0]);
        pthread_join(thread, NULL);
        close(ends[1]);
    }
    free(exchange.buffer);
}

/* lo up by a visit, routes stamped and exchanged, every third one refused; then dumped and gathered. */
static void real_kernel(void)
{
    enum { ROWS = 300, ROW = 48 };
    const uint8_t route[ROW] = {ROW, 0, 0,        0, 24, 0, 1,        4, [16] = 2, 32, [20] = 254, 4,
                                253, 1, [28] = 8, 0, 1,  0, [36] = 8, 0, 4,        0,  1};
    uint8_t up[32], *addresses = room(ROWS * 4), *lengths = room(ROWS), *kept, data[65536];
    uint8_t script[32];
    struct nlp_visited visited;
    struct nlp_column columns[2] = {{32, 4, addresses, ROWS * 4, 4, 1}, {17, 1, lengths, ROWS, 1, 0}};
    struct nlp_exchange exchange = {
        .length = ROWS * ROW, .rows = ROWS, .chunk_bytes = 8192, .chunk_rows = 64};
    struct nlp_failure failures[64];
    struct nlp_span out = {room(ROWS * ROW), ROWS * ROW}, column;
    const uint16_t plan[4 + 10 + 4] = {24, 12, 2, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 4, 0};
    size_t count = 0, refused = 0, row = 0;
    struct nlp_gathered gathered;
    int netns, fd, more;

    REQUIRE(nlp_make_netns(1, &netns) == 0);
    put_up(up, 1);
    put_plain_script(script, sizeof up);
    REQUIRE(nlp_visit(SPAN(script), SPAN(up), (struct nlp_span){(uint8_t *)&netns, 4}, NONE, -1, 1000000000,
                      (struct nlp_span){(uint8_t *)&visited, sizeof visited}) == 0);
    REQUIRE(visited.error == 0 && visited.step == 1);
    REQUIRE((fd = nlp_open_socket(netns, AF_NETLINK, SOCK_RAW, 0)) >= 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        store32(addresses + 4 * i, 0x0a000001 + i);
        lengths[i] = i % 3 ? 32 : 33;
    }
    REQUIRE(nlp_stamp(out, route, ROW, columns, 2, 0, ROWS, 1, 5) == ROWS);
    exchange.fd = fd;
    exchange.buffer = out.data;
    exchange.first_sequence = 5;
    exchange.timeout_ns = 1000000000;
    REQUIRE(nlp_exchange_begin(&exchange) == 0);
    do {
        more = nlp_exchange_step(&exchange, failures, 64, &count);
        for (size_t i = 0; i < count; i++)
            REQUIRE(failures[i].row % 3 == 0 && failures[i].error == EINVAL);
        refused += count;
        count = 0;
    } while (more == 1);
    REQUIRE(more == 0 && refused == ROWS / 3);

    column = (struct nlp_span){kept = room(ROWS * 4), ROWS * 4};
    put_header(data, 28, 26, NLM_F_REQUEST | NLM_F_DUMP, 9);
    memset(data + 16, 0, 12);
    data[16] = AF_INET;
    REQUIRE(send(fd, data, 28, 0) == 28);
    do {
        ssize_t got = recv(fd, data, sizeof data, 0);
        REQUIRE(got > 0);
        gathered.position = 0;
        REQUIRE(nlp_gather(data, (size_t)got, (const uint8_t *)plan, sizeof plan, &column, 1,
                           (struct nlp_span){NULL, 0}, row, ROWS, &gathered) == 0);
        row += gathered.added;
        more = gathered.position == (size_t)got;
    } while (more);
    REQUIRE(row >= ROWS - ROWS / 3);
    free(kept);
    free(out.data);
    free(lengths);
    free(addresses);
    close(fd);
    close(netns);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000;

    for (long i = 0; i < rounds; i++) {
        hostile_gather();
        hostile_stamp();
        if (i % 50 == 0)
            hostile_exchange();
    }
    real_kernel();
    hostile_visits(rounds);
    printf("%ld rounds and the real kernel: nothing amiss\n", rounds);
    return 0;
}
