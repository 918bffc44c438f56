/* What the search needs of a head beyond its public face. */
#ifndef DOPPEL_INDEX_HEAD_H
#define DOPPEL_INDEX_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "doppel/score.h"

/** A sum over kind, dim, weights and bias: two heads with the same sum rank alike. */
uint64_t dpli_head_sum(const dpl_head *head);

/** A number that orders pairs as their scores do, without the sigmoid's or the exponential's end,
 * where different pairs round to one score; NaN where the score is. */
double dpli_head_rank(const dpl_head *head, const float *a, const float *b);

/** Whether a head has this name. */
bool dpli_head_is_name(const char *name);

#endif
