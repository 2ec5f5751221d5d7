/* script: the reading of what compile_script made. */
#include "script.h"

#include "bulk.h"
#include "framing.h"

enum { WORD = 4, STEP = 5 * WORD, PUT = 3 * WORD };

int nlp_next_step(const struct script *script, struct step *step)
{
    const uint8_t *at = script->data + step->next;
    size_t left = script->length - step->next, puts;

    if (step->number == script->steps || left < STEP)
        return 0;
    step->number++;
    step->start += step->length;
    step->length = load32(at);
    step->beside = load32(at + WORD) != 0;
    step->first_value += step->fields;
    step->fields = load32(at + 2 * WORD);
    step->puts_count = load32(at + 3 * WORD);
    step->plan_length = load32(at + 4 * WORD);
    puts = step->puts_count * PUT;
    left -= STEP;
    if (step->puts_count > NLP_PUTS || left < puts || step->plan_length > left - puts)
        return 0;
    step->puts = at + STEP;
    step->plan = step->puts + puts;
    step->next += STEP + puts + step->plan_length;
    return 1;
}

struct put nlp_put_of(const struct step *step, size_t number)
{
    const uint8_t *at = step->puts + number * PUT;

    return (struct put){load32(at), load32(at + WORD), load32(at + 2 * WORD)};
}

static int check_step(const struct script *script, const struct step *step)
{
    struct nlp_span cells[NLP_VALUES];

    if (step->length < HEADER_LENGTH || step->length > script->row_length - step->start ||
        step->fields > script->values - step->first_value)
        return NLP_BAD_SCRIPT;
    for (size_t i = 0; i < step->puts_count; i++) {
        struct put put = nlp_put_of(step, i);
        if (put.value >= step->first_value || !put.width || put.width > NLP_VALUE || put.width > step->length ||
            put.offset > step->length - put.width)
            return NLP_BAD_SCRIPT;
    }
    for (size_t i = 0; i < step->fields; i++)
        cells[i] = (struct nlp_span){NULL, NLP_VALUE};
    if (step->fields ? nlp_check_plan(step->plan, step->plan_length, cells, step->fields, 1) != 0
                     : step->plan_length != 0)
        return NLP_BAD_SCRIPT;
    return 0;
}

int nlp_open_script(struct script *script, const uint8_t *data, size_t length)
{
    struct step step = {.next = NLP_SCRIPT_HEAD};

    if (length < NLP_SCRIPT_HEAD)
        return NLP_BAD_SCRIPT;
    *script = (struct script){data, length, load32(data), load32(data + WORD), load32(data + 2 * WORD)};
    if (!script->steps || script->steps > NLP_STEPS || script->values > NLP_VALUES)
        return NLP_BAD_SCRIPT;
    while (nlp_next_step(script, &step))
        if (check_step(script, &step))
            return NLP_BAD_SCRIPT;
    return step.number == script->steps && step.next == length &&
                   step.start + step.length == script->row_length &&
                   step.first_value + step.fields == script->values
               ? 0
               : NLP_BAD_SCRIPT;
}
