/* Which faces are so alike that a group may begin with them. */
#ifndef DOPPEL_INDEX_NEIGHBOURS_H
#define DOPPEL_INDEX_NEIGHBOURS_H

#include "index/linkage.h"

/* What is looked through, and how; all borrowed. */
typedef struct dpli_looking {
    size_t n;
    int32_t dim;
    const float *rows;          /* [n, dim] of unit length */
    float floor;                /* pairs of less are not wanted */
    size_t k;                   /* nor are more of a face, unless they come from the other one */
    int n_threads;              /* 0: as many as there are cores */
    const volatile int *cancel; /* NULL: nobody can */
    /* May be NULL; faces whose others have been found. In the caller's thread. */
    void (*on_progress)(void *ctx, int64_t n_done, int64_t n_total);
    void *ctx;
} dpli_looking;

/* Pairs by place, none twice; freed with free(). */
typedef struct dpli_edges {
    dpli_edge *items;
    size_t n, cap;
} dpli_edges;

/**
 * All pairs of a cosine from the floor on; of a face that has more than k, its k most alike.
 *
 * @retval DPL_E_CANCELLED
 * Numerics: in float32; a pair within 1e-4 below the floor is among them.
 */
dpl_status dpli_neighbours_all(dpli_edges *out, const dpli_looking *looking, dpl_error *err);

/** The k most alike of each face that are above the floor, by an index that finds the share *recall
 * of them. @param head  of the rows, by cosine */
dpl_status dpli_neighbours_by_index(dpli_edges *out, double *recall, const dpli_looking *looking,
                                    const dpl_head *head, dpl_error *err);

#endif
