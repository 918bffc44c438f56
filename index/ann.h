/*
 * The index that FAISS keeps: vectors in the order they were added, found by Euclidean distance.
 *
 * One metric serves every head: what FAISS finds are candidates, which the search scores by the
 * head. For unit vectors the order by distance is the order by cosine.
 */
#ifndef DOPPEL_INDEX_ANN_H
#define DOPPEL_INDEX_ANN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "doppel/error.h"

typedef enum dpli_ann_kind {
    DPLI_ANN_FLAT = 0, /* all vectors, compared one by one; the rows can be read in place */
    DPLI_ANN_IVF = 1   /* in lists around centroids, of which a search visits the nearest */
} dpli_ann_kind;

typedef struct dpli_ann dpli_ann;

/**
 * Make an index of rows [n, dim] (copied).
 *
 * @param n         for DPLI_ANN_IVF at least DPLI_ANN_IVF_MIN
 * @param held_out  [n], nonzero for the rows that an IVF must not learn from, so that they can
 * stand for probes it has not seen; NULL: none. At most a fifth of them
 * @retval DPL_E_MEMORY  out of memory
 * @retval DPL_E_SYSTEM  FAISS failed; err has its message
 * Threads: FAISS uses OpenMP inside as the process has set it.
 */
dpl_status dpli_ann_new(dpli_ann **out, dpli_ann_kind kind, const float *rows, size_t n,
                        int32_t dim, const char *held_out, dpl_error *err);
#define DPLI_ANN_IVF_MIN 1000
dpl_status dpli_ann_copy(dpli_ann **out, const dpli_ann *ann, dpl_error *err);
void dpli_ann_free(dpli_ann *ann);

dpli_ann_kind dpli_ann_get_kind(const dpli_ann *ann);
size_t dpli_ann_size(const dpli_ann *ann);
int32_t dpli_ann_dim(const dpli_ann *ann);
/** Lists of an IVF; 1 when flat. */
size_t dpli_ann_n_lists(const dpli_ann *ann);
/** The rows [n, dim] of a flat index, valid until it is added to; NULL of an IVF. */
const float *dpli_ann_rows(const dpli_ann *ann);
/** Row at, [dim]. */
dpl_status dpli_ann_row(float *out, const dpli_ann *ann, size_t at, dpl_error *err);

/** Append rows [n, dim] (copied). */
dpl_status dpli_ann_add(dpli_ann *ann, const float *rows, size_t n, dpl_error *err);

/**
 * The k nearest rows of each probe, nearest first.
 *
 *     at        [n_probes, k]  -1 where fewer were found
 *     distance  [n_probes, k]  squared Euclidean, in float32: of two near vectors inexact
 *
 * @param n_visit  lists to visit, of an IVF
 * Threads: any number at once, which those of an IVF wait for whenever n_visit is another than the
 * last one's.
 */
dpl_status dpli_ann_search(int64_t *at, float *distance, dpli_ann *ann, const float *probes,
                           size_t n_probes, size_t k, size_t n_visit, dpl_error *err);

/** Write to an open file, from where it stands. */
dpl_status dpli_ann_write(dpli_ann *ann, FILE *file, dpl_error *err);
/**
 * Read what dpli_ann_write wrote.
 *
 * FAISS trusts the file's numbers: only a file whose sum has been found right may come here.
 * @retval DPL_E_INPUT  not an index of this kind, n and dim
 */
dpl_status dpli_ann_read(dpli_ann **out, FILE *file, dpli_ann_kind kind, size_t n, int32_t dim,
                         dpl_error *err);

#endif
