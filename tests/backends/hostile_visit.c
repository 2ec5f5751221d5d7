/* A visit from plain C: programs that no wire/program.py made, answers that no kernel gave, and sockets of
 * every kind; see hostile.c. */
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
#include "../../csrc/netns.c"
#include "../../csrc/visit.c" /* for its static functions: answers can be forged only behind its back */
#undef calloc
#undef pthread_create

#include <fcntl.h>

#include "hostile.h"

/* So often it came to pass: what never does shows nothing. */
static long kept, digested, tolerated, refused, all_done, not_opened;

/* Whole messages, numbered from 0, that fill the datagram. */
static void put_messages(uint8_t *to, size_t length)
{
    size_t at = 0;

    memset(to, 0, length);
    for (uint32_t i = 0; at < length; i++) {
        size_t left = length - at, size = left < 36 || any(3) == 0 ? left : 16;
        put_header(to + at, size, 16, any(2) ? NLM_F_ACK : 0, i % 6);
        at += size;
    }
}

static int only(const uint8_t *data, size_t length, uint8_t byte)
{
    while (length && data[length - 1] == byte)
        length--;
    return !length;
}

/* What was heard goes into the values of its own step and nowhere else, and there are either all or none. */
void hostile_answers(void)
{
    uint8_t answers[4096], program_room[PROGRAM_ROOM];
    size_t length = put_answers(answers, sizeof answers), program_length = put_program(program_room);
    uint8_t *answer = exact(answers, length), *data = exact(program_room, program_length), *datagram;
    struct program program;
    struct step step = {.next = NLP_PROGRAM_HEAD};
    struct row *row = (struct row *)room(sizeof *row);
    struct hearing hearing = {.step = &step, .row = row};
    uint8_t *own;
    size_t before, own_length;
    int result;

    REQUIRE(nlp_open_program(&program, (struct nlp_span){data, program_length}) == 0);
    for (uint32_t i = 1 + any((uint32_t)program.steps); i; i--)
        REQUIRE(nlp_next_step(&program, &step));
    hearing.datagram = datagram = room(step.length);
    put_messages(datagram, step.length);
    if (any(4) == 0)
        spoil(datagram, step.length, 2);
    before = step.first_value * NLP_VALUE;
    own = row->values + before;
    own_length = step.fields * NLP_VALUE;
    memset(&row->visited, 0, sizeof row->visited);
    memset(row->values, 0xee, sizeof row->values);
    memset(own, 0, own_length);

    result = hear(&hearing, answer, length);
    REQUIRE(result == 0 || result == 1 || result == -EBADMSG || result == -ENOBUFS);
    REQUIRE(row->visited.tlv_length <= NLP_VISITED_TLVS && row->visited.error >= 0);
    REQUIRE(hearing.kept || only(own, own_length, 0));
    REQUIRE(only(row->values, before, 0xee));
    REQUIRE(only(own + own_length, sizeof row->values - before - own_length, 0xee));
    REQUIRE(!row->visited.error || (uint32_t)row->visited.error != step.tolerated);
    kept += hearing.kept;
    digested += hearing.digest != FNV_BASIS;
    tolerated += step.tolerated && !row->visited.error && result == 1;
    refused += row->visited.error != 0;
    free(row);
    free(datagram);
    free(data);
    free(answer);
}

/* A socket whose answers are there already: forged ones, as many as the other end holds. */
static void make_pair(int *ends)
{
    uint8_t answers[4096];

    REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends));
    for (uint32_t i = any(12); i; i--)
        if (send(ends[1], answers, put_answers(answers, sizeof answers), MSG_NOSIGNAL) < 0)
            break;
}

/* Rows of any kind for a program that was accepted. */
static void run_program(struct nlp_span data, const struct program *program)
{
    enum { MOST = 3 };
    size_t rows = any(MOST + 1), stride = result_length(program);
    int ends[MOST + 1][2], given[MOST], beside = any(5) ? MOST : -1;
    int64_t bad;
    struct nlp_span *short_of;
    struct nlp_span datagrams = {room(rows * program->row_length), rows * program->row_length};
    struct nlp_span netns_fds = {room(rows * 4), rows * 4}, sockets = {room(rows * 4), rows * 4};
    struct nlp_span results = {room(rows * stride), rows * stride},
                    *spans[] = {&datagrams, &netns_fds, &sockets, &results};

    for (size_t i = 0; i <= MOST; i++)
        make_pair(ends[i]);
    for (size_t i = 0; i < rows; i++) {
        struct step step = {.next = NLP_PROGRAM_HEAD};
        given[i] = any(10) ? ends[i][0] : any(4) ? 0x7fffffff : -1;
        store32(netns_fds.data + i * 4, (uint32_t)-1);
        store32(sockets.data + i * 4, (uint32_t)given[i]);
        while (nlp_next_step(program, &step))
            put_messages(datagrams.data + i * program->row_length + step.start, step.length);
    }
    if (any(8) == 0)
        spoil(datagrams.data, datagrams.length, 1 + any(2));
    short_of = rows && any(10) == 0 ? spans[any(4)] : NULL;
    if (short_of)
        short_of->length -= 1 + any(4);
    bad = nlp_visit(NUMBERS(beside < 0 ? -1 : ends[beside][0], any(8) ? 0 : 300000, any(2)),
                    BUFFERS(data, datagrams, netns_fds, sockets, results), NULL, 0);
    REQUIRE(short_of ? bad == NLP_BAD_DATA : bad == 0 || bad == NLP_BAD_MESSAGE);
    for (size_t i = 0; i < rows && !bad; i++) {
        struct nlp_visited visited;
        const uint8_t *values = results.data + i * stride + sizeof visited;
        struct step step = {.next = NLP_PROGRAM_HEAD};
        memcpy(&visited, results.data + i * stride, sizeof visited);
        REQUIRE((int)load32(sockets.data + i * 4) == given[i]);
        REQUIRE(visited.step >= -1 && visited.step <= (int)program->steps && visited.error >= 0);
        REQUIRE((visited.step == (int)program->steps) == !visited.error);
        REQUIRE((visited.step == -1) == (given[i] == -1));
        REQUIRE(visited.message >= -1 && visited.tlv_length <= NLP_VISITED_TLVS);
        while (nlp_next_step(program, &step)) {
            int number = (int)step.number - 1;
            int empty = visited.error == ENODATA && visited.message < 0 && number == visited.step;
            REQUIRE((!empty && number <= visited.step) ||
                    only(values + step.first_value * NLP_VALUE, step.fields * NLP_VALUE, 0));
            REQUIRE(!step.digest || number <= visited.step ||
                    only(values + (step.first_value + step.fields) * NLP_VALUE, NLP_VALUE, 0));
        }
        all_done += !visited.error;
        not_opened += visited.step == -1;
    }
    for (size_t i = 0; i <= MOST; i++)
        REQUIRE(!close(ends[i][0]) && !close(ends[i][1]));
    free(results.data);
    free(sockets.data);
    free(netns_fds.data);
    free(datagrams.data);
}

/* A program that was spoiled is refused, or runs like any other. */
void hostile_program(void)
{
    uint8_t program_room[PROGRAM_ROOM], nothing[1];
    size_t length = put_program(program_room);
    int spoiled = any(4) != 0, bad;
    struct program program;
    struct nlp_span data;

    if (spoiled && any(4) == 0)
        length = any((uint32_t)length + 1);
    else if (spoiled)
        spoil(program_room, any(2) ? length : 40, 1 + any(3));
    data = (struct nlp_span){exact(program_room, length), length};
    bad = nlp_open_program(&program, data);
    REQUIRE(bad == NLP_BAD_PROGRAM || bad == 0);
    REQUIRE(spoiled || !bad);
    if (bad)
        REQUIRE(nlp_visit(NUMBERS(-1, 0, 0), BUFFERS(data, {nothing, 0}, {nothing, 0}, NONE, {nothing, 0}),
                          NULL, 0) == NLP_BAD_PROGRAM);
    else if (program.row_length < 1 << 16 && any(4) == 0)
        run_program(data, &program);
    free(data.data);
}

/* -- the real kernel -- */

static int descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int open_in(int netns)
{
    int fd = socket(AF_NETLINK, SOCK_RAW, 0);

    REQUIRE(fd >= 0 && nlp_open_socket(NUMBERS(netns, AF_NETLINK, SOCK_RAW, 0, fd), NULL, NULL, 0) == 0);
    return fd;
}

static int make_one(void)
{
    int netns;

    REQUIRE(nlp_make_netns(NULL, BUFFERS({(uint8_t *)&netns, 4}), NULL, 0) == 0);
    return netns;
}

/* A plain program (put_plain_program) of 32 bytes a row. */
static int visit_plainly(uint8_t *program, uint8_t *datagrams, uint8_t *netns_fds, uint8_t *sockets,
                         struct nlp_visited *visited, size_t rows)
{
    return (int)nlp_visit(NUMBERS(-1, 1000000000, 1),
                          BUFFERS({program, PLAIN}, {datagrams, rows * 32}, {netns_fds, rows * 4},
                                  {sockets, rows * 4}, {(uint8_t *)visited, rows * sizeof *visited}),
                          NULL, 0);
}

/* How a row of a visit with sockets may begin. */
enum row_kind { GIVEN, GIVEN_REFUSED, GIVEN_CLOSED, OPENED, OPENED_REFUSED, NOWHERE, ROW_KINDS };

/* Rows of every kind in every mixture: what is given stays open, what is opened is the caller's, whatever
 * became of the row. The array lies at an odd address. */
static void real_sockets(int netns)
{
    enum { MOST = 8 };
    size_t rows = 1 + any(MOST);
    enum row_kind kinds[MOST];
    uint8_t *room_of_sockets = room(rows * 4 + 1), *sockets = room_of_sockets + 1, *before,
            *netns_fds = room(rows * 4), *datagrams = room(rows * 32);
    uint8_t program_room[PLAIN], *program = (put_plain_program(program_room, 32), exact(program_room, PLAIN));
    struct nlp_visited *visited = (struct nlp_visited *)room(rows * sizeof *visited);
    static uint8_t nowhere[4];
    int open_before, enters = 0, left_open = 0, bad = 0;
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
            store32(sockets + i * 4, (uint32_t)open_in(netns));
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
    REQUIRE(visit_plainly(program, datagrams, netns_fds, sockets, visited, rows) == bad);
    REQUIRE(threads == (enters && !without_memory));
    without_memory = without_threads = 0;
    for (size_t i = 0; i < rows && !bad; i++) {
        static const int errors[ROW_KINDS] = {0, ENODEV, EBADF, 0, ENODEV, EBADF};
        REQUIRE(visited[i].error == errors[kinds[i]]);
        REQUIRE(visited[i].step == (kinds[i] == NOWHERE ? -1 : !visited[i].error));
        if (kinds[i] != OPENED && kinds[i] != OPENED_REFUSED)
            continue;
        REQUIRE((int)load32(sockets + i * 4) >= 0);
        left_open++;
    }
    REQUIRE(descriptors() == open_before + left_open);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    REQUIRE(!sigismember(&mask, SIGINT) && !sigismember(&mask, SIGTERM));
    if (left_open) /* through what was kept it goes on, without a thread */
        for (size_t i = 0; i < rows; i++)
            if (kinds[i] == OPENED || kinds[i] == OPENED_REFUSED) {
                REQUIRE(visit_plainly(program, datagrams + i * 32, nowhere, sockets + i * 4, visited, 1) ==
                        0);
                REQUIRE(visited->error == (kinds[i] == OPENED ? 0 : ENODEV) && threads == 1);
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
    free(program);
    free(datagrams);
    free(netns_fds);
    free(room_of_sockets);
}

/* RTM_GETLINK of lo. */
static void put_ask(uint8_t *at, uint32_t sequence)
{
    memset(at, 0, 32);
    put_header(at, 32, 18, NLM_F_REQUEST, sequence);
    store32(at + 20, 1);
}

struct told {
    struct nlp_visited visited;
    uint32_t index, zeros, flags, change;
    uint64_t digest;
};

/* Every buffer to the byte, two namespaces: lo comes up in the one beside, by its index inside. The digests
 * tell apart what differs, and only that. The second row's link is not there, which is tolerated. */
static void real_values(int netns)
{
    uint8_t program_room[ASK_AND_RAISE], *program, *datagrams = room(3 * 64), *netns_fds = room(12);
    struct told *results = (struct told *)room(3 * sizeof *results);
    int other = make_one(), beside = open_in(other);

    put_ask_and_raise(program_room);
    program = exact(program_room, ASK_AND_RAISE);
    REQUIRE(beside >= 0);
    for (size_t i = 0; i < 3; i++) {
        put_ask(datagrams + i * 64, 1);
        put_up(datagrams + i * 64 + 32, 2);
        store32(datagrams + i * 64 + 32 + 20, 99);
        store32(netns_fds + i * 4, (uint32_t)(i ? other : netns));
    }
    store32(datagrams + 64 + 20, 0);
    REQUIRE(nlp_visit(NUMBERS(beside, 1000000000, 1),
                      BUFFERS({program, ASK_AND_RAISE}, {datagrams, 3 * 64}, {netns_fds, 12}, NONE,
                              {(uint8_t *)results, 3 * sizeof *results}),
                      NULL, 0) == 0);
    REQUIRE(results[1].visited.error == EINVAL && !results[1].visited.step && !results[1].digest);
    for (size_t i = 0; i < 3; i += 2) {
        REQUIRE(!results[i].visited.error && results[i].visited.step == 2);
        REQUIRE(results[i].index == 1 && !results[i].zeros && load32(datagrams + i * 64 + 32 + 20) == 1);
        REQUIRE(results[i].flags & 8); /* IFF_LOOPBACK */
        REQUIRE(results[i].digest && results[i].digest != FNV_BASIS);
    }
    REQUIRE(results[2].flags & 1 && !results[2].change); /* IFF_UP: the first row raised it */
    REQUIRE(results[0].digest != results[2].digest);
    close(beside);
    close(other);
    free(results);
    free(netns_fds);
    free(datagrams);
    free(program);
}

/* An array of sockets that lies in the datagrams, where a value is put, or in the results: it is refused, so
 * no descriptor is lost by it. */
static void real_overlap(int netns)
{
    uint8_t program[ASK_AND_RAISE], datagrams[64], netns_fds[4];
    struct told results;
    struct nlp_span places[] = {{datagrams + 60, 4}, {(uint8_t *)&results, 4}};
    int before = descriptors();

    put_ask_and_raise(program);
    put_ask(datagrams, 1);
    put_up(datagrams + 32, 2);
    store32(netns_fds, (uint32_t)netns);
    for (size_t i = 0; i < 2; i++)
        REQUIRE(nlp_visit(NUMBERS(-1, 1000000000, 1),
                          BUFFERS(SPAN(program), SPAN(datagrams), SPAN(netns_fds), places[i],
                                  {(uint8_t *)&results, sizeof results}),
                          NULL, 0) == NLP_BAD_OVERLAP);
    REQUIRE(descriptors() == before);
}

/* A timeout as far back as can be, and answers that nobody asked for. */
static void real_deadlines(int netns)
{
    uint8_t quiet[32], strange[32], sockets[4], program[PLAIN];
    struct nlp_visited visited;
    struct sockaddr_nl port = {.nl_family = AF_NETLINK};
    socklen_t port_length = sizeof port;
    int fd = open_in(netns), stranger = open_in(netns), left = 0;

    REQUIRE(fd >= 0 && stranger >= 0);
    put_up(quiet, 1);
    store16(quiet + 6, NLM_F_REQUEST);
    store32(sockets, (uint32_t)fd);
    REQUIRE(!bind(fd, (struct sockaddr *)&port, sizeof port));
    REQUIRE(!getsockname(fd, (struct sockaddr *)&port, &port_length));
    for (int i = 0; i < 20; i++)
        REQUIRE(sendto(stranger, quiet, 32, 0, (struct sockaddr *)&port, sizeof port) == 32);
    put_plain_program(program, sizeof quiet);
    REQUIRE(nlp_visit(NUMBERS(-1, INT64_MIN, 0),
                      BUFFERS(SPAN(program), SPAN(quiet), SPAN(sockets), SPAN(sockets),
                              {(uint8_t *)&visited, sizeof visited}),
                      NULL, 0) == 0);
    REQUIRE(visited.error == ETIMEDOUT && visited.step == 0 && visited.message == -1);
    while (recv(fd, strange, sizeof strange, MSG_DONTWAIT) == 32)
        left++;
    REQUIRE(left == 19); /* the first one was read, and then it was late */
    close(stranger);
    close(fd);
}

/* Sockets that are opened meanwhile: all at once, one not to be had, none a second time. */
static void real_ahead(int netns)
{
    struct {
        uint8_t known_by[8];
        int fd, hush[2];
    } ahead[4];
    int before = descriptors();

    for (size_t i = 0; i < 4; i++)
        REQUIRE(nlp_open_ahead(NUMBERS(i == 3 ? -1 : netns), BUFFERS(SPAN(ahead[i].known_by)), NULL, 0) == 0);
    for (size_t i = 0; i < 4; i++) {
        const struct nlp_span spans[] = {
            SPAN(ahead[i].known_by), {(uint8_t *)&ahead[i].fd, 4}, {(uint8_t *)ahead[i].hush, 8}};
        REQUIRE(nlp_opened(NULL, spans, NULL, 0) == (i == 3 ? -EBADF : 0));
        REQUIRE(i == 3 ? ahead[i].fd == -1 : ahead[i].fd >= 0);
        REQUIRE(nlp_opened(NULL, spans, NULL, 0) == NLP_BAD_AHEAD);
    }
    for (size_t i = 0; i < 4; i++) { /* -1: another hushed it first, or there is no IPv6 */
        int fd = ahead[i].hush[0];
        REQUIRE(fd < 0 || (i < 3 && ahead[i].hush[1] == '1' && pwrite(fd, "1", 1, 0) == 1 && !close(fd)));
    }
    REQUIRE(descriptors() == before + 3);
    for (size_t i = 0; i < 3; i++)
        REQUIRE(!close(ahead[i].fd));
    without_threads = 1;
    REQUIRE(nlp_open_ahead(NUMBERS(netns), BUFFERS(SPAN(ahead[0].known_by)), NULL, 0) == -EAGAIN);
    without_threads = 0;
}

/* Paths that are none, and as many as are said; nothing is made of a lie. */
static void hostile_paths(void)
{
    static const struct {
        const char *paths;
        size_t length, count;
    } lies[] = {{"", 0, 1},
                {"a", 1, 1},
                {"/nowhere/a", 10, 1},
                {"/nowhere/a\0b", 12, 1},
                {"/nowhere/a\0", 11, 2},
                {"/nowhere/a\0\0", 12, 1}};
    int errors[2];

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t *paths = exact((const uint8_t *)lies[i].paths, lies[i].length);
        REQUIRE(nlp_make_netns_at(
                    NULL,
                    BUFFERS({paths, lies[i].length}, {(uint8_t *)errors, lies[i].count * sizeof *errors}),
                    NULL, 0) == NLP_BAD_PATH);
        if (lies[i].length != 11)
            REQUIRE(nlp_umount(NUMBERS(0), BUFFERS({paths, lies[i].length}), NULL, 0) == NLP_BAD_PATH);
        free(paths);
    }
}

void hostile_visits(long rounds)
{
    int netns = make_one();

    refused_programs();
    hostile_paths();
    for (long i = 0; i < rounds; i++) {
        hostile_answers();
        hostile_program();
    }
    REQUIRE(rounds < 5000 || (kept && digested && tolerated && refused && all_done && not_opened));
    for (long i = 0; i < rounds / 50; i++)
        real_sockets(netns);
    real_values(netns);
    real_overlap(netns);
    real_deadlines(netns);
    real_ahead(netns);
    close(netns);
}
