/*
 * Vectors that FAISS keeps, in the order they were added, found by Euclidean distance.
 *
 * What FAISS finds are candidates, which the search scores by the head. For unit vectors the order
 * by distance is the order by cosine.
 */
#ifndef DOPPEL_INDEX_ANN_H
#define DOPPEL_INDEX_ANN_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_ann dpli_ann;

/**
 * Keep rows [n, dim] (copied).
 *
 * @retval DPL_E_MEMORY  out of memory
 * @retval DPL_E_SYSTEM  FAISS failed; err has its message
 * Threads: FAISS uses OpenMP inside as the process has set it.
 */
dpl_status dpli_ann_new(dpli_ann **out, const float *rows, size_t n, int32_t dim, dpl_error *err);
dpl_status dpli_ann_copy(dpli_ann **out, const dpli_ann *ann, dpl_error *err);
void dpli_ann_free(dpli_ann *ann);

size_t dpli_ann_size(const dpli_ann *ann);
int32_t dpli_ann_dim(const dpli_ann *ann);
/** The rows [n, dim], valid until there are more. */
float *dpli_ann_rows(const dpli_ann *ann);

/** Append rows [n, dim] (copied). */
dpl_status dpli_ann_add(dpli_ann *ann, const float *rows, size_t n, dpl_error *err);

/**
 * The k nearest rows of each probe, nearest first.
 *
 *     at        [n_probes, k]  -1 where fewer were found
 *     distance  [n_probes, k]  squared Euclidean, in float32: of two near vectors inexact
 *
 * Threads: any number at once.
 */
dpl_status dpli_ann_search(int64_t *at, float *distance, const dpli_ann *ann, const float *probes,
                           size_t n_probes, size_t k, dpl_error *err);

#endif
