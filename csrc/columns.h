/* What a visit needs of columns. Internal to the shim. */
#ifndef NETLINKPY_COLUMNS_H
#define NETLINKPY_COLUMNS_H

#include "shim.h"

/* Return whether two buffers share memory. */
static inline int overlap(struct nlp_span one, struct nlp_span other)
{
    return one.length && other.length && (uintptr_t)one.data < (uintptr_t)other.data + other.length &&
           (uintptr_t)other.data < (uintptr_t)one.data + one.length;
}

/* Check that a plan is valid and its fields fit `capacity` rows of these columns. Return 0 or NLP_BAD_*. */
int nlp_check_plan(struct nlp_span plan, const struct nlp_span *columns, size_t count, size_t capacity);

/* Turn the messages in data, from gathered->position on, into rows as gather does, by a plan that was checked
 * with these columns. Return 0 or NLP_BAD_*. */
int nlp_gather_rows(struct nlp_span data, struct nlp_span plan, const struct nlp_span *columns,
                    struct nlp_span present, size_t row, size_t capacity, struct nlp_gathered *gathered);

#endif
