/* A program: what a visit does in every namespace (shim.h gives its layout). Internal to the shim. */
#ifndef NETLINKPY_PROGRAM_H
#define NETLINKPY_PROGRAM_H

#include "shim.h"

#define NLP_PROGRAM_HEAD 12 /* bytes before the first step */

struct program {
    struct nlp_span data;
    size_t steps, row_length, values;
};

/* One step. To walk through all of them start with next = NLP_PROGRAM_HEAD and zeros, and call nlp_next_step
 * for each. */
struct step {
    size_t number; /* from 1 */
    size_t start;  /* of its datagram in the row */
    size_t length;
    int beside;
    uint32_t tolerated;
    size_t first_value, fields; /* what its plan keeps */
    int digest;                 /* whether one more value is kept behind them */
    struct nlp_span plan;
    const uint8_t *puts;
    size_t puts_count;
    size_t next; /* where the step behind it lies */
};

struct put {
    size_t value, width, offset;
};

/* Read a program's head and check all of it, so that whatever nlp_next_step and nlp_put_of return is in
 * bounds. Return 0 or NLP_BAD_PROGRAM. */
int nlp_open_program(struct program *program, struct nlp_span data);

/* Go on to the next step. Return 0 if there is none, or it does not fit. */
int nlp_next_step(const struct program *program, struct step *step);

struct put nlp_put_of(const struct step *step, size_t number);

#endif
