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

/* Fewer are always searched exactly. */
#define DPLI_APPROXIMATE_FROM 1000

/**
 * Make the index that a wish asks for: exact up to exact_up_to vectors, beyond that an approximate
 * one tuned to min_recall; exact again where no tuning reaches that at less than exactness costs.
 *
 * @param vectors  ids, owners and photos move into *out, rows are freed; emptied in any case
 */
dpl_status dpli_index_make(dpli_index *out, dpli_vectors *vectors, const dpl_head *head,
                           dpli_wish wish, dpl_error *err);

/** Whether an index, were it fresh, is one that dpli_index_make could have made for this head. */
int dpli_index_serves(const dpli_index *index, const dpl_head *head, dpli_wish wish);

/**
 * Append rows [n, dim], whose ids and so on the caller sets afterwards. *done is 0, and nothing was
 * changed, when there is nothing to append to. After a failure the index is of no use.
 */
dpl_status dpli_index_extend(bool *done, dpli_index *index, const float *rows, size_t n,
                             dpl_error *err);

/**
 * Take out vectors: they are found no more, and nothing is left of them in memory. Their ids stay
 * where they are, until the index is written.
 *
 * @param is_gone  [index->n] nonzero for n that are to go and have not
 * @param[out] done  0, and nothing was changed: so many have gone that it is to be made anew
 */
dpl_status dpli_index_take_out(bool *done, dpli_index *index, const char *is_gone, size_t n,
                               dpl_error *err);

/** Whether so much has come and gone that what was measured need not hold. */
bool dpli_index_is_stale(const dpli_index *index);
/**
 * Measure again, and widen what a walk keeps as it is needed.
 *
 * @param[out] done  0: it no longer reaches min_recall and is to be made anew
 */
dpl_status dpli_index_retune(bool *done, dpli_index *index, const dpl_head *head, double min_recall,
                             dpl_error *err);

/**
 * The k vectors that score highest against each probe, best first; ties by lower row.
 *
 *     found   [n_probes, k]    padded with DPLI_NOWHERE; at is the row, whose id is ids[at]
 *     probes  [n_probes, dim]  finite
 *
 * Of an approximate index scores are the head's, too, but a vector may be missed.
 *
 * @retval DPL_E_INPUT  the index came from a file, and that has been damaged since it was written
 */
dpl_status dpli_index_search(dpli_found *found, const dpli_index *index, const dpl_head *head,
                             const float *probes, size_t n_probes, size_t k, dpl_error *err);

#endif
