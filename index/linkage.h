/* Average linkage: which faces show one person. */
#ifndef DOPPEL_INDEX_LINKAGE_H
#define DOPPEL_INDEX_LINKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/score.h"

/* Two faces by their places, a < b. */
typedef struct dpli_edge {
    uint32_t a, b;
} dpli_edge;

/* What is to be linked, and how; all borrowed. */
typedef struct dpli_linking {
    size_t n;
    int32_t dim;
    const float *rows;               /* [n, dim] of unit length */
    const float *means, *deviations; /* [n] by dpli_cohort_stats; NULL without a cohort */
    const int64_t *photos;           /* [n] faces of one number are different people; NULL: none are
                                        known to be */
    const dpl_calibration *calibration;
    double level;           /* see dpli_linkage */
    const dpli_edge *edges; /* pairs that may begin a group, in any order, none twice */
    size_t n_edges;
    const dpli_edge *apart; /* pairs that never share one */
    size_t n_apart;
    const volatile int *cancel; /* NULL: nobody can */
} dpli_linking;

/**
 * Groups of faces that show one person each.
 *
 * Two groups are as alike as their photos are on average: the mean over all pairs of the score, and
 * of the score normalised, to evidence, and that to its strength (dpli_calibration_strength). Of
 * all pairs of groups that have an edge between them, the one that is furthest above what its sizes
 * ask for, level + DPLI_LINKAGE_SMALL / sqrt(n m), becomes one, until none is above. Single faces
 * are compared by one noisy pair, large groups by the mean of many: so small ones have to be more
 * alike.
 *
 * Means come of the groups' sums and are exact, whatever the edges are. With an edge for each pair
 * of a score from dpli_linkage_floor on, nothing is missed: a mean is no higher than the highest of
 * its pairs.
 *
 * @param[out] group  [n] of each face the first face of its group
 * @retval DPL_E_ARGUMENT  the calibration has fewer than two rates above 0
 * @retval DPL_E_CANCELLED
 * Memory: for each edge at most 56 bytes, for each group of several 2 x dim double, and some 100
 * bytes a face.
 * Numerics: sums in double, in an order that depends on what is merged only: the order of the faces
 * does not matter where no two pairs are exactly as much alike; of such, those of lower places come
 * first.
 */
dpl_status dpli_linkage(uint32_t *group, const dpli_linking *linking, dpl_error *err);

#define DPLI_LINKAGE_SMALL 2.0

/** The score that two faces need at least if groups of them are ever to be merged at this level. */
float dpli_linkage_floor(const dpl_calibration *calibration, double level);

#endif
