/* Exact search: every row compared by the head itself. */
#ifndef DOPPEL_INDEX_FLAT_H
#define DOPPEL_INDEX_FLAT_H

#include <stddef.h>

#include "doppel/score.h"

/* A row found: its score, and where it is. */
typedef struct dpli_found {
    float score;
    size_t at; /* DPLI_NOWHERE: none */
} dpli_found;
#define DPLI_NOWHERE SIZE_MAX

/* The k best of what is offered. best [k] is the caller's; a heap, the worst first, until
 * dpli_top_sort. */
typedef struct dpli_top {
    dpli_found *best;
    size_t n, k;
} dpli_top;

/** Take it if it is among the k best so far: higher score first, then lower row. NaN never is. */
void dpli_top_offer(dpli_top *top, float score, size_t at);
/** Best first, and DPLI_NOWHERE (with a score of NaN) from n to k. The end of offering. */
void dpli_top_sort(dpli_top *top);

/**
 * The k rows that score highest against each probe, best first; ties by lower row.
 *
 *     found   [n_probes, k]  padded with DPLI_NOWHERE where fewer rows have a score
 *     rows    [n_rows, dim]  dim is the head's
 *     probes  [n_probes, dim]
 *
 * Threads: any number at once; uses all cores itself when there is enough to do. The result does
 * not depend on how many.
 */
dpl_status dpli_flat_search(dpli_found *found, const dpl_head *head, const float *rows,
                            size_t n_rows, const float *probes, size_t n_probes, size_t k,
                            dpl_error *err);

#endif
