/* The shim from plain C: hostile dumps, plans, answers and messages, then the real kernel; see hostile_main.c.
 *
 * Every buffer is allocated to the byte, so an overrun of one byte ends the program. */
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

/* A plan as wire/columns.py makes it: a chain of nests, two attributes beside it, and some of everything to
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

void hostile_gather(void)
{
    uint8_t dump_room[4096], plan_room[200];
    uint16_t widths[NLP_FIELDS];
    size_t header = any(3) * 4, fields, capacity = any(6), row = any((uint32_t)capacity + 1);
    size_t dump_length = put_dump(dump_room, sizeof dump_room, header);
    size_t plan_length = put_plan(plan_room, header, widths, &fields);
    struct nlp_span columns[NLP_FIELDS], present = {NULL, 0};
    uint8_t *dump, *plan, *told = room(sizeof(struct nlp_gathered));
    struct nlp_gathered gathered = {0};
    int64_t result;

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
    memcpy(told, &gathered, sizeof gathered);
    result = nlp_gather(NUMBERS((int64_t)dump_length, (int64_t)row, (int64_t)capacity, 0),
                        BUFFERS({dump, dump_length}, {plan, plan_length}, present, {told, sizeof gathered}),
                        columns, fields);
    REQUIRE(result == 0 || IS_CODE(result));
    memcpy(&gathered, told, sizeof gathered);
    REQUIRE(gathered.position <= dump_length && gathered.added <= capacity - row);
    free(told);
    for (size_t i = 0; i < fields; i++)
        free(columns[i].data);
    free(present.data);
    free(plan);
    free(dump);
}

void hostile_stamp(void)
{
    size_t template_length = any(10) ? 4 * any(20) : any(80), out_length = any(800), count = any(4);
    int64_t start = any(5), stop = any(20) ? start + any(12) : any(5), rows;
    uint64_t words[4][4];
    struct nlp_span data[4], out = {room(out_length), out_length};
    uint8_t *row_template = room(template_length), *columns;

    memset(row_template, 7, template_length);
    for (size_t i = 0; i < count; i++) {
        words[i][0] = any(20) ? any((uint32_t)template_length + 1) : SIZE_MAX - any(8);
        words[i][1] = any(20) ? any(9) : any(100);
        words[i][2] = any(20) ? any(12) : SIZE_MAX / (1 + any(4));
        words[i][3] = any(2);
        data[i].length = any(200);
        data[i].data = memset(room(data[i].length), 9, data[i].length);
    }
    if (any(30) == 0)
        start = -1 - start;
    columns = exact((uint8_t *)words, count * sizeof *words);
    rows = nlp_stamp(NUMBERS(start, stop, any(2), any(1000)),
                     BUFFERS(out, {row_template, template_length},
                             {columns, count * sizeof *words - (count && any(30) == 0)}),
                     data, count);
    REQUIRE(rows < 0 ? IS_CODE(rows) : rows <= stop - start);
    for (size_t i = 0; i < count; i++)
        free(data[i].data);
    free(columns);
    free(row_template);
    free(out.data);
}

struct kernel {
    int socket;
    uint64_t state;
};

static void *fake_kernel(void *argument)
{
    uint8_t data[4096];
    const struct kernel *kernel = argument;
    int fd = kernel->socket;

    source.state = kernel->state;
    while (recv(fd, data, sizeof data, 0) > 0)
        for (uint32_t i = any(3); i; i--) {
            size_t length = put_answers(data, sizeof data);
            if (send(fd, data, length, MSG_NOSIGNAL) < 0)
                break;
        }
    return NULL;
}

/* One call after the other, as Python makes them; whatever lies in the state is no way to an overrun. */
void hostile_exchange(void)
{
    size_t rows = any(6), length = rows * 20, chunk_rows = any(4);
    size_t capacity = rows < chunk_rows ? rows : chunk_rows;
    struct nlp_span messages = {memset(room(length), 0, length), length},
                    failures = {room(capacity * sizeof(struct nlp_failure)),
                                capacity * sizeof(struct nlp_failure)},
                    state = {room(sizeof(struct nlp_progress)), sizeof(struct nlp_progress)};
    int64_t numbers[7] = {0,
                          (int64_t)length,
                          0,
                          any(8) ? (int64_t)rows : any(9),
                          any(4) ? 1000 : any(70),
                          (int64_t)chunk_rows,
                          300000};
    int64_t result;
    struct nlp_progress progress = {0};
    pthread_t thread;
    struct kernel kernel;
    int ends[2], forged = any(4) == 0;

    for (uint32_t i = 0; i < rows; i++)
        put_header(messages.data + i * 20, 20, 24, (uint16_t)any(8), i);
    if (any(4) == 0)
        spoil(messages.data, length, 1 + any(3));
    if (forged) {
        progress.rows_done = any(8);
        progress.done = any(2) ? progress.rows_done * 20 : any(130);
        progress.waiting = any(2);
        progress.deadline = any(2) ? 0 : INT64_MIN;
    }
    memcpy(state.data, &progress, sizeof progress);
    REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    kernel = (struct kernel){ends[1], 1 + any(UINT32_MAX)};
    REQUIRE(!pthread_create(&thread, NULL, fake_kernel, &kernel));
    numbers[0] = ends[0];
    do {
        result = nlp_exchange(numbers, BUFFERS(messages, failures, state), NULL, 0);
        memcpy(&progress, state.data, sizeof progress);
        REQUIRE(IS_CODE(result) || progress.failures <= capacity || forged);
    } while (result == 1);
    REQUIRE(result <= 0 && (IS_CODE(result) || progress.rows_done <= (uint64_t)numbers[3]));
    close(ends[0]);
    pthread_join(thread, NULL);
    close(ends[1]);
    free(state.data);
    free(failures.data);
    free(messages.data);
}

/* lo up by a visit, routes stamped and exchanged, every third one refused; then dumped and gathered. */
void real_kernel(void)
{
    enum { ROWS = 300, ROW = 48 };
    const uint8_t route[ROW] = {ROW, 0, 0,        0, 24, 0, 1,        4, [16] = 2, 32, [20] = 254, 4,
                                253, 1, [28] = 8, 0, 1,  0, [36] = 8, 0, 4,        0,  1};
    uint8_t up[32], *addresses = room(ROWS * 4), *lengths = room(ROWS), *kept, data[65536];
    uint8_t program[PLAIN];
    struct nlp_visited visited;
    const uint64_t columns[2][4] = {{32, 4, 4, 1}, {17, 1, 1, 0}};
    struct nlp_progress progress = {0};
    struct nlp_failure failures[64];
    struct nlp_span out = {room(ROWS * ROW), ROWS * ROW}, column;
    const uint16_t plan[4 + 10 + 4] = {24, 12, 2, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 4, 0};
    size_t refused = 0, row = 0;
    struct nlp_gathered gathered;
    int netns, fd, more;

    REQUIRE(nlp_make_netns(NULL, BUFFERS({(uint8_t *)&netns, 4}), NULL, 0) == 0);
    put_up(up, 1);
    put_plain_program(program, sizeof up);
    REQUIRE(nlp_visit(NUMBERS(-1, 1000000000, 1),
                      BUFFERS(SPAN(program), SPAN(up), {(uint8_t *)&netns, 4}, NONE,
                              {(uint8_t *)&visited, sizeof visited}),
                      NULL, 0) == 0);
    REQUIRE(visited.error == 0 && visited.step == 1);
    REQUIRE((fd = socket(AF_NETLINK, SOCK_RAW, 0)) >= 0);
    REQUIRE(nlp_open_socket(NUMBERS(netns, AF_NETLINK, SOCK_RAW, 0, fd), NULL, NULL, 0) == 0);
    REQUIRE(nlp_open_socket(NUMBERS(netns, AF_NETLINK, SOCK_RAW, 0, -1), NULL, NULL, 0) == -EBADF);
    for (uint32_t i = 0; i < ROWS; i++) {
        store32(addresses + 4 * i, 0x0a000001 + i);
        lengths[i] = i % 3 ? 32 : 33;
    }
    REQUIRE(nlp_stamp(NUMBERS(0, ROWS, 1, 5),
                      BUFFERS(out, {(uint8_t *)route, ROW}, {(uint8_t *)columns, sizeof columns}),
                      BUFFERS({addresses, ROWS * 4}, {lengths, ROWS}), 2) == ROWS);
    do {
        more =
            (int)nlp_exchange(NUMBERS(fd, ROWS * ROW, 5, ROWS, 8192, 64, 1000000000),
                              BUFFERS(out, SPAN(failures), {(uint8_t *)&progress, sizeof progress}), NULL, 0);
        for (size_t i = 0; i < progress.failures; i++)
            REQUIRE(failures[i].row % 3 == 0 && failures[i].error == EINVAL);
        refused += progress.failures;
    } while (more == 1);
    REQUIRE(more == 0 && refused == ROWS / 3 && progress.rows_done == ROWS);

    column = (struct nlp_span){kept = room(ROWS * 4), ROWS * 4};
    put_header(data, 28, 26, NLM_F_REQUEST | NLM_F_DUMP, 9);
    memset(data + 16, 0, 12);
    data[16] = AF_INET;
    REQUIRE(send(fd, data, 28, 0) == 28);
    do {
        ssize_t got = recv(fd, data, sizeof data, 0);
        REQUIRE(got > 0);
        REQUIRE(nlp_gather(NUMBERS(got, (int64_t)row, ROWS, 0),
                           BUFFERS({data, (size_t)got}, {(uint8_t *)plan, sizeof plan}, NONE,
                                   {(uint8_t *)&gathered, sizeof gathered}),
                           &column, 1) == 0);
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
