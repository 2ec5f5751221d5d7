/* Programs for the hostile drivers, and those that are refused; see hostile.c. */
#include "hostile.h"

#include "../../csrc/program.h"

enum { PLAN_ROOM = 8 + 4 * 10 + 4 * 8 };

/* A plan for messages of type 16 as wire/columns.py makes it: of the fixed header, of attributes 1 and 2, and
 * of 1 within the latter, so many fields in all, at most 4. The length written. */
static size_t put_small_plan(uint8_t *to, uint16_t fields, uint32_t *widths)
{
    uint16_t nodes[4][5] = {{0, 1, 2}, {1}, {2, 3, 1}, {1}};
    uint16_t head[4] = {16, any(2) ? 20 : (uint16_t)(4 * any(5)), 4, fields}, shift = (uint16_t)any(fields);

    for (int i = 0; i < fields; i++)
        nodes[any(2) ? 0 : any(4)][4]++;
    for (int i = 1; i < 4; i++)
        nodes[i][3] = nodes[i - 1][3] + nodes[i - 1][4];
    memcpy(to, head, 8);
    memcpy(to + 8, nodes, sizeof nodes);
    for (uint16_t i = 0; i < fields; i++) {
        uint16_t field[4] = {(uint16_t)((i + shift) % fields), any(3) ? 0 : (uint16_t)any(6),
                             (uint16_t)(1 << any(4)), 0};
        if (any(6) == 0) {
            field[1] = 0;
            field[2] = 2;
            field[3] = 1;
        }
        widths[field[0]] = field[2];
        memcpy(to + 8 + sizeof nodes + i * 8, field, 8);
    }
    return 8 + sizeof nodes + (size_t)fields * 8;
}

size_t put_program(uint8_t *to)
{
    uint32_t steps = any(20) ? 1 + any(4) : NLP_STEPS, row_length = 0, values = 0, widths[NLP_VALUES];
    uint8_t *at = to + NLP_PROGRAM_HEAD, plan[PLAN_ROOM];

    for (uint32_t i = 0; i < steps; i++) {
        uint32_t length = any(8) ? 16 * (1 + any(4)) : 16 + any(50), puts = values ? any(4) : 0,
                 known = values;
        uint32_t fields = any(2) && values + 5 <= NLP_VALUES ? 1 + any(4) : 0;
        uint32_t digest = values + fields < NLP_VALUES ? any(2) : 0;
        size_t plan_length = fields ? put_small_plan(plan, (uint16_t)fields, widths + values) : 0;
        at = put32(put32(put32(put32(at, length), any(3) == 0), any(4) ? 0 : any(130)), digest);
        at = put32(put32(put32(at, fields), puts), (uint32_t)plan_length);
        while (puts--) {
            uint32_t value = any(known);
            at = put32(put32(put32(at, value), widths[value]), any(length - widths[value] + 1));
        }
        memcpy(at, plan, plan_length);
        at += plan_length;
        row_length += length;
        values += fields;
        if (digest)
            widths[values++] = NLP_VALUE;
    }
    put32(put32(put32(to, steps), row_length), values);
    return (size_t)(at - to);
}

void put_ask_and_raise(uint8_t *to)
{
    const uint16_t plan[] = {16, 16, 1, 2, 0, 0, 0, 0, 2, 0, 4, 4, 0, 1, 8, 8, 0};
    const uint32_t words[] = {2, 64, 3, 32, 0, 0, 1, 2, 0, sizeof plan},
                   then[] = {32, 1, 19, 0, 0, 1, 0, 0, 4, 20};

    memcpy(to, words, sizeof words);
    memcpy(to + sizeof words, plan, sizeof plan);
    memcpy(to + sizeof words + sizeof plan, then, sizeof then);
}

/* Lies about that program, one or two words of it each; at its places the text of put_ask_and_raise. */
static const struct lie {
    uint32_t at, value, also_at, also;
} lies[] = {
    {0, 0, 0, 0},
    {0, 1, 0, 1},
    {0, 1, 4, 32}, /* the second step is left over */
    {0, 3, 0, 3},  /* and here a third one is missing */
    {0, UINT32_MAX, 0, UINT32_MAX},
    {4, 63, 4, 63}, /* bytes of a row */
    {4, 65, 4, 65},
    {4, UINT32_MAX, 4, UINT32_MAX},
    {8, 2, 8, 2}, /* values */
    {8, 4, 8, 4},
    {8, NLP_VALUES + 1, 8, NLP_VALUES + 1},
    {12, 15, 4, 47}, /* bytes of the first datagram */
    {12, 0, 4, 32},
    {12, 33, 12, 33},
    {12, UINT32_MAX, 4, 31},
    {24, 0, 24, 0}, /* its digest */
    {28, 1, 8, 2},  /* values of its plan */
    {28, 3, 8, 4},
    {28, UINT32_MAX, 8, 2},
    {32, 1, 32, 1}, /* its puts */
    {32, UINT32_MAX, 32, UINT32_MAX},
    {36, 0, 36, 0}, /* bytes of its plan */
    {36, 33, 36, 33},
    {36, 74, 36, 74}, /* as many as there are */
    {36, UINT32_MAX, 36, UINT32_MAX},
    {44, 2 << 16, 44, 2 << 16}, /* a plan of no nodes */
    {44, 1 | 1 << 16, 44, 1 | 1 << 16},
    {70, 9, 70, 9}, /* a value of 9 bytes */
    {74, 31, 74, 31},
    {86, 1, 86, 1}, /* a digest of the second step that is not counted */
    {90, 1, 8, 4},  /* values of it, and no plan */
    {94, 0, 94, 0},
    {94, 2, 94, 2},
    {98, 1, 98, 1},
    {102, 3, 102, 3}, /* what is put: which value */
    {102, UINT32_MAX, 102, UINT32_MAX},
    {106, 0, 106, 0}, /* how wide */
    {106, 9, 106, 9},
    {106, UINT32_MAX, 106, UINT32_MAX},
    {110, 29, 110, 29}, /* and where */
    {110, UINT32_MAX, 110, UINT32_MAX},
};

static int open_exactly(const uint8_t *from, size_t length)
{
    struct program program;
    uint8_t *data = exact(from, length);
    int bad = nlp_open_program(&program, (struct nlp_span){data, length});

    free(data);
    return bad;
}

/* So many steps of 16 bytes: the first keeps a value of 4 bytes, the last has so many puts. */
static int open_long(uint32_t steps, uint32_t puts)
{
    const uint16_t plan[] = {16, 16, 1, 1, 0, 0, 0, 0, 1, 0, 4, 4, 0};
    uint8_t data[PROGRAM_ROOM], *at = put32(put32(put32(data, steps), 16 * steps), 1);

    for (uint32_t i = 0; i < steps; i++) {
        int is_last = i + 1 == steps;
        at = put32(put32(put32(put32(at, 16), 0), 0), 0);
        at = put32(put32(put32(at, !i), is_last ? puts : 0), i ? 0 : sizeof plan);
        for (uint32_t j = 0; is_last && j < puts; j++)
            at = put32(put32(put32(at, 0), 4), 12);
        if (!i)
            memcpy(at, plan, sizeof plan);
        at += i ? 0 : sizeof plan;
    }
    return open_exactly(data, (size_t)(at - data));
}

void refused_programs(void)
{
    uint8_t whole[ASK_AND_RAISE + 4] = {0}, one[ASK_AND_RAISE + 4], *at;
    const size_t second = 12 + 28 + 34;

    put_ask_and_raise(whole);
    REQUIRE(open_exactly(whole, ASK_AND_RAISE) == 0);
    for (size_t length = 0; length < ASK_AND_RAISE; length++)
        REQUIRE(open_exactly(whole, length) == NLP_BAD_PROGRAM);
    REQUIRE(open_exactly(whole, ASK_AND_RAISE + 1) == NLP_BAD_PROGRAM);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy(one, whole, sizeof one);
        store32(one + lies[i].at, lies[i].value);
        store32(one + lies[i].also_at, lies[i].also);
        REQUIRE(open_exactly(one, ASK_AND_RAISE) == NLP_BAD_PROGRAM);
    }
    memcpy(one, whole, sizeof one);
    store32(one + 98, 4); /* a plan where nothing is kept */
    REQUIRE(open_exactly(one, ASK_AND_RAISE + 4) == NLP_BAD_PROGRAM);
    memcpy(one, whole, sizeof one);
    store32(one + 106, 8); /* the widest value at the last place */
    store32(one + 110, 24);
    REQUIRE(open_exactly(one, ASK_AND_RAISE) == 0);
    /* The other way round the value is put before it is kept. */
    memcpy(one, whole, 12);
    at = memcpy(one + 12, whole + second, ASK_AND_RAISE - second);
    memcpy(at + ASK_AND_RAISE - second, whole + 12, second - 12);
    REQUIRE(open_exactly(one, ASK_AND_RAISE) == NLP_BAD_PROGRAM);
    REQUIRE(open_long(NLP_STEPS, NLP_PUTS) == 0);
    REQUIRE(open_long(NLP_STEPS + 1, 0) == NLP_BAD_PROGRAM);
    REQUIRE(open_long(2, NLP_PUTS + 1) == NLP_BAD_PROGRAM);
}
