/* The shim from plain C, under the sanitizers and valgrind: hostile dumps, plans, answers and messages, then
 * the real kernel.
 *
 * Every buffer is allocated to the byte, so an overrun of one byte ends the program. Usage: hostile ROUNDS */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* What a visit cannot have when we say so. */
static int without_threads, without_memory, threads;

static int make_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                       void *argument)
{
    threads++;
    return without_threads ? EAGAIN : pthread_create(thread, attributes, work, argument);
}

static void *find_memory(size_t count, size_t size)
{
    return without_memory ? NULL : calloc(count, size);
}

#define pthread_create make_thread
#define calloc find_memory
#include "../../csrc/visit.c" /* for its static functions: a visit's answers can be forged only behind its back */
#undef calloc
#undef pthread_create

#include <fcntl.h>
#include <stdio.h>

#define REQUIRE(what)                                                                                        \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                               \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static uint64_t state = 88172645463325252u;

/* xorshift64: the same numbers in every run. */
static uint32_t any(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below ? (uint32_t)(state >> 33) % below : 0;
}

static uint8_t *room(size_t length)
{
    uint8_t *data = malloc(length ? length : 1);

    REQUIRE(data);
    return data;
}

static uint8_t *exact(const uint8_t *from, size_t length)
{
    return memcpy(room(length), from, length);
}

static void spoil(uint8_t *data, size_t length, uint32_t times)
{
    while (length && times--)
        data[any((uint32_t)length)] = any(4) ? (uint8_t)any(256) : any(2) ? 0xff : 0;
}

/* Attributes within attributes, most of them well formed. The length written. */
static size_t put_attributes(uint8_t *to, size_t left, int depth)
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

static void put_header(uint8_t *at, size_t length, uint16_t type, uint16_t flags, uint32_t sequence)
{
    store32(at, (uint32_t)length);
    store16(at + 4, type);
    store16(at + 6, flags);
    store32(at + 8, sequence);
    store32(at + 12, 0);
}

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
    size_t header = any(3) * 4, fields, capacity = any(6), row = any((uint32_t)capacity + 1), position = 0,
           added;
    size_t dump_length = put_dump(dump_room, sizeof dump_room, header);
    size_t plan_length = put_plan(plan_room, header, widths, &fields);
    struct nlp_span columns[NLP_FIELDS], present = {NULL, 0};
    uint8_t *dump, *plan;
    uint32_t flags;
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
    result = nlp_gather(dump, dump_length, &position, plan, plan_length, columns, fields, present, row,
                        capacity, &added, &flags);
    REQUIRE(result == 0 || nlp_sentence(result));
    REQUIRE(position <= dump_length && added <= capacity - row);
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

/* Answers that were never any kernel's. */
static size_t put_answers(uint8_t *to, size_t left)
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
                   any(4)   ? NLMSG_ERROR
                   : any(2) ? NLMSG_DONE
                            : 16,
                   (uint16_t)any(0x400), any(6));
        used += aligned(length);
    }
    spoil(to, used, any(3) ? any(3) : 0);
    return used;
}

static void hostile_answers(void)
{
    uint8_t answers[4096];
    size_t length = put_answers(answers, sizeof answers), datagram_length = 0, stride = 1 + any(50);
    uint8_t *answer = exact(answers, length), datagram_room[80], *datagram;
    struct nlp_visited visited = {0};
    struct nlp_step step = {.take_type = any(2) ? 16 : -1,
                            .take_offset = any(3) ? any(40) : SIZE_MAX - any(5)};
    struct hearing hearing = {.step = &step, .visited = &visited};
    int result;

    for (uint32_t i = 0; i <= any(3); i++, datagram_length += 16)
        put_header(datagram_room + datagram_length, 16, 16, any(2) ? NLM_F_ACK : 0, i);
    if (any(4) == 0)
        spoil(datagram_room, datagram_length, 2);
    datagram = exact(datagram_room, datagram_length);
    hearing.datagram = datagram;
    hearing.length = datagram_length;
    if (any(2))
        step.replies = (struct nlp_span){room(stride), stride};
    step.stride = stride;
    result = hear(&hearing, answer, length);
    REQUIRE(result == 0 || result == 1 || result == -EBADMSG);
    REQUIRE(visited.tlv_length <= NLP_VISITED_TLVS);
    free(step.replies.data);
    free(datagram);
    free(answer);
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

/* RTM_NEWLINK that raises lo. */
static void put_up(uint8_t *at, uint32_t sequence)
{
    put_header(at, 32, 16, NLM_F_REQUEST | NLM_F_ACK, sequence);
    memset(at + 16, 0, 16);
    store32(at + 20, 1);
    store32(at + 24, 1);
    store32(at + 28, 1);
}

/* lo up by a visit, routes stamped and exchanged, every third one refused; then dumped and gathered. */
static void real_kernel(void)
{
    enum { ROWS = 300, ROW = 48 };
    const uint8_t route[ROW] = {ROW, 0, 0,        0, 24, 0, 1,        4, [16] = 2, 32, [20] = 254, 4,
                                253, 1, [28] = 8, 0, 1,  0, [36] = 8, 0, 4,        0,  1};
    uint8_t up[32], *addresses = room(ROWS * 4), *lengths = room(ROWS), *kept, data[65536];
    struct nlp_step step = {.datagrams = {up, sizeof up}, .length = sizeof up, .take_type = -1};
    struct nlp_visited visited;
    struct nlp_column columns[2] = {{32, 4, addresses, ROWS * 4, 4, 1}, {17, 1, lengths, ROWS, 1, 0}};
    struct nlp_exchange exchange = {
        .length = ROWS * ROW, .rows = ROWS, .chunk_bytes = 8192, .chunk_rows = 64};
    struct nlp_failure failures[64];
    struct nlp_span out = {room(ROWS * ROW), ROWS * ROW}, column;
    const uint16_t plan[4 + 10 + 4] = {24, 12, 2, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 4, 0};
    size_t count = 0, refused = 0, row = 0, position, added;
    uint32_t flags;
    int netns, fd, more;

    REQUIRE(nlp_make_netns(1, &netns) == 0);
    put_up(up, 1);
    REQUIRE(nlp_visit((uint8_t *)&netns, 1, &step, 1, 1000000000, NULL, &visited) == 0);
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
        position = 0;
        REQUIRE(nlp_gather(data, (size_t)got, &position, (const uint8_t *)plan, sizeof plan, &column, 1,
                           (struct nlp_span){NULL, 0}, row, ROWS, &added, &flags) == 0);
        row += added;
        more = position == (size_t)got;
    } while (more);
    REQUIRE(row >= ROWS - ROWS / 3);
    free(kept);
    free(out.data);
    free(lengths);
    free(addresses);
    close(fd);
    close(netns);
}

static int descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* How a row of a visit with sockets may begin. */
enum row_kind { GIVEN, GIVEN_REFUSED, GIVEN_CLOSED, OPENED, OPENED_REFUSED, NOWHERE, ROW_KINDS };

/* Rows of every kind in every mixture: what is given stays open, what is done is kept, and nothing else is. The
 * array lies at an odd address. */
static void real_sockets(int netns)
{
    enum { MOST = 8 };
    size_t rows = 1 + any(MOST);
    enum row_kind kinds[MOST];
    uint8_t *room_of_sockets = room(rows * 4 + 1), *sockets = room_of_sockets + 1, *before,
            *netns_fds = room(rows * 4), *datagrams = room(rows * 32);
    struct nlp_step step = {.datagrams = {datagrams, rows * 32}, .length = 32, .take_type = -1};
    struct nlp_visited *visited = (struct nlp_visited *)room(rows * sizeof *visited);
    int open_before, enters = 0, kept = 0, bad = 0;
    sigset_t mask;

    for (size_t i = 0; i < rows; i++) {
        int given;
        kinds[i] = (enum row_kind)any(rows % 2 ? ROW_KINDS : OPENED); /* in half of the runs all are given */
        given = kinds[i] < OPENED;
        enters |= !given;
        store32(netns_fds + i * 4, (uint32_t)(given || kinds[i] == NOWHERE ? -1 : netns));
        store32(sockets + i * 4, (uint32_t)-1);
        if (kinds[i] == GIVEN_CLOSED)
            store32(sockets + i * 4, 0x7fffffff);
        else if (given)
            store32(sockets + i * 4, (uint32_t)nlp_open_socket(netns, AF_NETLINK, SOCK_RAW, 0));
        put_up(datagrams + i * 32, 1);
        if (kinds[i] == GIVEN_REFUSED || kinds[i] == OPENED_REFUSED)
            store32(datagrams + i * 32 + 20, 99); /* no such link */
    }
    before = exact(sockets, rows * 4);
    open_before = descriptors();
    without_memory = any(6) == 0;
    without_threads = any(6) == 0;
    threads = 0;
    if (without_memory)
        bad = -ENOMEM;
    else if (without_threads && enters)
        bad = -EAGAIN;
    REQUIRE(nlp_visit(netns_fds, rows, &step, 1, 1000000000, sockets, visited) == bad);
    REQUIRE(threads == (enters && !without_memory));
    without_memory = without_threads = 0;
    for (size_t i = 0; i < rows && !bad; i++) {
        static const int errors[ROW_KINDS] = {0, ENODEV, EBADF, 0, ENODEV, EBADF};
        REQUIRE(visited[i].error == errors[kinds[i]]);
        REQUIRE(visited[i].step == (kinds[i] == NOWHERE ? -1 : !visited[i].error));
        if (kinds[i] != OPENED)
            continue;
        REQUIRE((int)load32(sockets + i * 4) >= 0);
        kept++;
    }
    REQUIRE(descriptors() == open_before + kept);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    REQUIRE(!sigismember(&mask, SIGINT) && !sigismember(&mask, SIGTERM));
    if (kept) /* through what was kept it goes on, without a thread */
        for (size_t i = 0; i < rows; i++)
            if (kinds[i] == OPENED) {
                REQUIRE(nlp_visit((uint8_t[4]){0}, 1, &(struct nlp_step){.datagrams = {datagrams + i * 32, 32},
                                                                        .length = 32,
                                                                        .take_type = -1},
                                  1, 1000000000, sockets + i * 4, visited) == 0);
                REQUIRE(!visited->error && threads == 1);
                close((int)load32(sockets + i * 4));
                store32(sockets + i * 4, (uint32_t)-1);
            }
    REQUIRE(!memcmp(before, sockets, rows * 4));
    REQUIRE(descriptors() == open_before);
    for (size_t i = 0; i < rows; i++)
        if (kinds[i] == GIVEN || kinds[i] == GIVEN_REFUSED)
            REQUIRE(!close((int)load32(sockets + i * 4)));
    free(before);
    free(visited);
    free(datagrams);
    free(netns_fds);
    free(room_of_sockets);
}

/* Replies that fall on the array of sockets: no descriptor is lost by it, and none but ours is closed. */
static void real_overlap(int netns)
{
    uint8_t asks[64], netns_fds[8], sockets[8];
    struct nlp_step step = {.datagrams = {asks, sizeof asks}, .length = 32, .take_type = -1};
    struct nlp_visited visited[2];
    int fd = nlp_open_socket(netns, AF_NETLINK, SOCK_RAW, 0), before;

    for (size_t i = 0; i < 2; i++) {
        memset(asks + i * 32, 0, 32);
        store32(asks + i * 32 + 20, 1);
        put_header(asks + i * 32, 32, 18, NLM_F_REQUEST, 1); /* RTM_GETLINK */
        store32(netns_fds + i * 4, (uint32_t)netns);
    }
    step.replies = (struct nlp_span){sockets, sizeof sockets};
    step.stride = 4;
    store32(sockets, (uint32_t)-1);
    store32(sockets + 4, (uint32_t)fd);
    before = descriptors();
    REQUIRE(nlp_visit(netns_fds, 2, &step, 1, 1000000000, sockets, visited) == 0);
    REQUIRE(!visited[0].error && !visited[1].error && descriptors() == before + 1);
    close((int)load32(sockets));
    REQUIRE(!close(fd) && descriptors() == before - 1);
}

/* A timeout as far back as can be, and answers that nobody asked for. */
static void real_deadlines(int netns)
{
    uint8_t quiet[32], strange[32], sockets[4];
    struct nlp_step step = {.datagrams = {quiet, sizeof quiet}, .length = sizeof quiet, .take_type = -1};
    struct nlp_visited visited;
    struct sockaddr_nl port = {.nl_family = AF_NETLINK};
    socklen_t port_length = sizeof port;
    int fd = nlp_open_socket(netns, AF_NETLINK, SOCK_RAW, 0),
        stranger = nlp_open_socket(netns, AF_NETLINK, SOCK_RAW, 0), left = 0;

    REQUIRE(fd >= 0 && stranger >= 0);
    put_up(quiet, 1);
    store16(quiet + 6, NLM_F_REQUEST);
    store32(sockets, (uint32_t)fd);
    REQUIRE(!bind(fd, (struct sockaddr *)&port, sizeof port));
    REQUIRE(!getsockname(fd, (struct sockaddr *)&port, &port_length));
    for (int i = 0; i < 20; i++)
        REQUIRE(sendto(stranger, quiet, 32, 0, (struct sockaddr *)&port, sizeof port) == 32);
    REQUIRE(nlp_visit(sockets, 1, &step, 1, INT64_MIN, sockets, &visited) == 0);
    REQUIRE(visited.error == ETIMEDOUT && visited.step == 0 && visited.message == -1);
    while (recv(fd, strange, sizeof strange, MSG_DONTWAIT) == 32)
        left++;
    REQUIRE(left == 19); /* the first one was read, and then it was late */
    close(stranger);
    close(fd);
}

int main(int argc, char **argv)
{
    int netns;

    long rounds = argc > 1 ? atol(argv[1]) : 1000;

    for (long i = 0; i < rounds; i++) {
        hostile_gather();
        hostile_stamp();
        hostile_answers();
        if (i % 50 == 0)
            hostile_exchange();
    }
    real_kernel();
    REQUIRE(nlp_make_netns(1, &netns) == 0);
    for (long i = 0; i < rounds / 50; i++)
        real_sockets(netns);
    real_overlap(netns);
    real_deadlines(netns);
    close(netns);
    printf("%ld rounds and the real kernel: nothing amiss\n", rounds);
    return 0;
}
