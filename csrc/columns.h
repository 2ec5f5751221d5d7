/* What a script needs of gather. Internal to the shim. */
#ifndef NETLINKPY_BULK_H
#define NETLINKPY_BULK_H

#include "shim.h"

/* Whether a plan holds together and its fields fit `capacity` rows of these columns: 0 or NLP_BAD_*. */
int nlp_check_plan(const uint8_t *plan, size_t plan_length, const struct nlp_span *columns,
                   size_t column_count, size_t capacity);

#endif
