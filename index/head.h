/* What the search needs of a head beyond its public face. */
#ifndef DOPPEL_INDEX_HEAD_H
#define DOPPEL_INDEX_HEAD_H

#include <stdint.h>

#include "doppel/score.h"

/** A sum over kind, dim, weights and bias: two heads with the same sum rank alike. */
uint64_t dpli_head_sum(const dpl_head *head);

#endif
