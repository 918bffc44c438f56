/* Searching an index in memory by a head: which vectors are most like a probe. */
#ifndef DOPPEL_INDEX_RETRIEVE_H
#define DOPPEL_INDEX_RETRIEVE_H

#include <stdbool.h>

#include "index/flat.h"
#include "index/gallery.h"
#include "index/snapshot.h"

/* How a search wishes to be answered: dpl_search_options without k. */
typedef struct dpli_wish {
    int64_t exact_up_to;
    double min_recall;
} dpli_wish;

/**
 * Make the index that a wish asks for: flat up to exact_up_to vectors (and below what an
 * approximate index can learn from), beyond that an approximate one tuned to min_recall; flat again
 * where no tuning reaches it.
 *
 * @param vectors  ids, owners and photos move into *out, rows are freed; emptied in any case
 */
dpl_status dpli_index_make(dpli_index *out, dpli_vectors *vectors, const dpl_head *head,
                           dpli_wish wish, dpl_error *err);

/** Whether an index, were it fresh, is one that dpli_index_make could have made for this head. */
int dpli_index_serves(const dpli_index *index, const dpl_head *head, dpli_wish wish);

/**
 * Code the rows of a flat index for a head, if that makes its searches faster and has not been
 * done.
 */
dpl_status dpli_index_code(dpli_index *index, const dpl_head *head, dpl_error *err);

/**
 * Append rows [n, dim], whose ids and so on the caller sets afterwards. *done is 0, and nothing was
 * changed, when the index would no longer be what it was tuned to be: make it anew then.
 */
dpl_status dpli_index_extend(bool *done, dpli_index *index, const dpl_head *head, const float *rows,
                             size_t n, dpl_error *err);

/**
 * The k vectors that score highest against each probe, best first; ties by lower row.
 *
 *     found   [n_probes, k]    padded with DPLI_NOWHERE; at is the row, whose id is ids[at]
 *     probes  [n_probes, dim]  finite
 *
 * Exact of a flat index. Of an approximate one, scores are the head's (of a normalised row: to
 * 1e-6), but a vector may be missed.
 */
dpl_status dpli_index_search(dpli_found *found, const dpli_index *index, const dpl_head *head,
                             const float *probes, size_t n_probes, size_t k, dpl_error *err);

#endif
