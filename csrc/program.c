/* Reading the program of a visit. */
#include "program.h"

#include "columns.h"
#include "framing.h"

enum { WORD = 4, STEP = 7 * WORD, PUT = 3 * WORD };

int nlp_next_step(const struct program *program, struct step *step)
{
    uint8_t *at = program->data.data + step->next;
    size_t left = program->data.length - step->next, puts;

    if (step->number == program->steps || left < STEP)
        return 0;
    step->number++;
    step->start += step->length;
    step->length = load32(at);
    step->beside = load32(at + WORD) != 0;
    step->tolerated = load32(at + 2 * WORD);
    step->first_value += step->fields + (size_t)step->digest;
    step->digest = load32(at + 3 * WORD) != 0;
    step->fields = load32(at + 4 * WORD);
    step->puts_count = load32(at + 5 * WORD);
    step->plan.length = load32(at + 6 * WORD);
    puts = step->puts_count * PUT;
    left -= STEP;
    if (step->puts_count > NLP_PUTS || left < puts || step->plan.length > left - puts)
        return 0;
    step->puts = at + STEP;
    step->plan.data = at + STEP + puts;
    step->next += STEP + puts + step->plan.length;
    return 1;
}

struct put nlp_put_of(const struct step *step, size_t number)
{
    const uint8_t *at = step->puts + number * PUT;

    return (struct put){load32(at), load32(at + WORD), load32(at + 2 * WORD)};
}

static int check_step(const struct program *program, const struct step *step)
{
    struct nlp_span cells[NLP_VALUES];

    if (step->length < HEADER_LENGTH || step->length > program->row_length - step->start ||
        step->fields > NLP_VALUES ||
        step->fields + (size_t)step->digest > program->values - step->first_value)
        return NLP_BAD_PROGRAM;
    for (size_t i = 0; i < step->puts_count; i++) {
        struct put put = nlp_put_of(step, i);
        if (put.value >= step->first_value || !put.width || put.width > NLP_VALUE ||
            put.width > step->length || put.offset > step->length - put.width)
            return NLP_BAD_PROGRAM;
    }
    for (size_t i = 0; i < step->fields; i++)
        cells[i] = (struct nlp_span){NULL, NLP_VALUE};
    if (step->fields ? nlp_check_plan(step->plan, cells, step->fields, 1) != 0 : step->plan.length != 0)
        return NLP_BAD_PROGRAM;
    return 0;
}

int nlp_open_program(struct program *program, struct nlp_span data)
{
    struct step step = {.next = NLP_PROGRAM_HEAD};

    if (data.length < NLP_PROGRAM_HEAD)
        return NLP_BAD_PROGRAM;
    *program =
        (struct program){data, load32(data.data), load32(data.data + WORD), load32(data.data + 2 * WORD)};
    if (!program->steps || program->steps > NLP_STEPS || program->values > NLP_VALUES)
        return NLP_BAD_PROGRAM;
    while (nlp_next_step(program, &step))
        if (check_step(program, &step))
            return NLP_BAD_PROGRAM;
    return step.number == program->steps && step.next == data.length &&
                   step.start + step.length == program->row_length &&
                   step.first_value + step.fields + (size_t)step.digest == program->values
               ? 0
               : NLP_BAD_PROGRAM;
}
