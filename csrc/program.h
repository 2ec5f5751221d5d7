/* A script: what a visit does in every namespace, as compile_script made it (shim.h says how it lies). Internal to
 * the shim. */
#ifndef NETLINKPY_SCRIPT_H
#define NETLINKPY_SCRIPT_H

#include "shim.h"

#define NLP_SCRIPT_HEAD 12 /* bytes in front of the first step */

struct script {
    const uint8_t *data;
    size_t length;
    size_t steps, row_length, values;
};

/* One step. To walk through all: begin with next = NLP_SCRIPT_HEAD and zeros, then nlp_next_step for each. */
struct step {
    size_t number; /* from 1 */
    size_t start;  /* of its datagram in the row */
    size_t length;
    int beside;
    size_t first_value, fields; /* what its plan keeps */
    const uint8_t *plan;
    size_t plan_length;
    const uint8_t *puts;
    size_t puts_count;
    size_t next; /* where the step behind it lies */
};

struct put {
    size_t value, width, offset;
};

/* Read a script's head and check all of it: whatever nlp_next_step and nlp_put_of give then is in bounds. 0 or
 * NLP_BAD_SCRIPT. */
int nlp_open_script(struct script *script, const uint8_t *data, size_t length);

/* Go on to the next step. 0 when there is none, or it does not fit. */
int nlp_next_step(const struct script *script, struct step *step);

struct put nlp_put_of(const struct step *step, size_t number);

#endif
