/* libFuzzer's way into the shim. NETLINKPY_FUZZ names what is tried: a hostile round, whose numbers the fuzzer
 * gives; or whole_dump and whole_program, whose bytes it gives, made of the kernel's and of our own. */
#include "hostile.h"

#include "../../csrc/program.h"

_Thread_local struct source source;

static const uint8_t *whole;
static size_t whole_length;

static uint16_t word(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

/* The length of a plan, the plan, the dump. */
static void whole_dump(void)
{
    enum { CAPACITY = 4 };
    struct nlp_span columns[NLP_FIELDS], present;
    struct nlp_gathered gathered;
    size_t plan_length, fields = 0, at;
    uint8_t *plan, *dump;

    if (whole_length < 2)
        return;
    plan_length = word(whole);
    if (plan_length > whole_length - 2)
        plan_length = whole_length - 2;
    plan = exact(whole + 2, plan_length);
    whole_length -= 2 + plan_length;
    dump = exact(whole + 2 + plan_length, whole_length);
    if (plan_length >= 8)
        fields = word(plan + 6) > NLP_FIELDS ? NLP_FIELDS : word(plan + 6);
    for (size_t i = 0; i < fields; i++)
        columns[i] = (struct nlp_span){NULL, 0};
    for (size_t i = 0; i < fields; i++) {
        at = 8 + (size_t)word(plan + 4) * 10 + i * 8;
        if (at + 8 <= plan_length && word(plan + at) < fields)
            columns[word(plan + at)].length = (size_t)word(plan + at + 4) * CAPACITY;
    }
    for (size_t i = 0; i < fields; i++)
        columns[i].data = room(columns[i].length);
    present = (struct nlp_span){room(8 * CAPACITY), 8 * CAPACITY};
    nlp_gather(NUMBERS((int64_t)whole_length, 0, CAPACITY, 0),
               BUFFERS({dump, whole_length}, {plan, plan_length}, present, SPAN(&gathered)), columns, fields);
    for (size_t i = 0; i < fields; i++)
        free(columns[i].data);
    free(present.data);
    free(plan);
    free(dump);
}

static void whole_program(void)
{
    struct program program;
    struct step step = {.next = NLP_PROGRAM_HEAD};
    struct nlp_span data = {exact(whole, whole_length), whole_length};

    if (nlp_open_program(&program, data) == 0)
        while (nlp_next_step(&program, &step))
            REQUIRE(step.length <= program.row_length);
    free(data.data);
}

static const struct {
    const char *name;
    void (*round)(void);
} rounds[] = {
    {"gather", hostile_gather},       {"stamp", hostile_stamp},     {"exchange", hostile_exchange},
    {"answers", hostile_answers},     {"program", hostile_program}, {"whole_dump", whole_dump},
    {"whole_program", whole_program},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static void (*chosen)(void);
    const char *name = getenv("NETLINKPY_FUZZ");

    for (size_t i = 0; !chosen && i < sizeof rounds / sizeof *rounds; i++)
        if (name && !strcmp(name, rounds[i].name))
            chosen = rounds[i].round;
    REQUIRE(chosen);
    source.given = data;
    source.left = length;
    whole = data;
    whole_length = length;
    chosen();
    return 0;
}
