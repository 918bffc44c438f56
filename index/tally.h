/* How very many numbers (up to 4 thousand million) are distributed, in bounded memory. */
#ifndef DOPPEL_INDEX_TALLY_H
#define DOPPEL_INDEX_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_tally {
    uint64_t n;        /* numbers, those that are NaN included */
    uint32_t *buckets; /* how many are in each */
    float *top;        /* the highest, at least DPLI_TALLY_TOP of them when there are so many */
    size_t n_top;
    float floor; /* what is no higher is none of them any more */
} dpli_tally;

enum { DPLI_TALLY_TOP = 1 << 17 };

dpl_status dpli_tally_init(dpli_tally *tally, dpl_error *err);
void dpli_tally_clear(dpli_tally *tally);

/** NaN counts as lower than every number. */
void dpli_tally_add(dpli_tally *tally, float x);
void dpli_tally_merge(dpli_tally *into, const dpli_tally *from);

/** The end of adding. */
void dpli_tally_close(dpli_tally *tally);

/** The least number that no more than this share of them reach: exact as far as the highest
 * DPLI_TALLY_TOP go, below that the next higher end of a bucket, each of which is a thousandth of
 * its numbers wide. false when there is none. */
bool dpli_tally_point(float *at, const dpli_tally *tally, double share);

/** How many of them reach a number that dpli_tally_point gave. */
uint64_t dpli_tally_count(const dpli_tally *tally, float at);

#endif
