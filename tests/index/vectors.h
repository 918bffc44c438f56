/* Made-up vectors for the search tests: people as clusters of unit vectors, as an encoder gives
 * them. */
#ifndef DOPPEL_TESTS_INDEX_VECTORS_H
#define DOPPEL_TESTS_INDEX_VECTORS_H

#include <math.h>
#include <stddef.h>

#include "base/rng.h"

/** n rows [n, dim], each near one of n_centres random directions, of unit norm times scale. */
static inline void make_clusters(float *rows, size_t n, size_t dim, size_t n_centres, double scale,
                                 dpli_rng *rng)
{
    dpli_rng centre;

    for (size_t r = 0; r < n; r++) {
        double sum = 0;

        dpli_rng_seed(&centre, 1000 + dpli_rng_below(rng, n_centres));
        for (size_t i = 0; i < dim; i++) {
            double x = dpli_rng_normal(&centre) + 0.7 * dpli_rng_normal(rng);
            rows[r * dim + i] = (float)x;
            sum += x * x;
        }
        for (size_t i = 0; i < dim; i++)
            rows[r * dim + i] = (float)(rows[r * dim + i] * scale / sqrt(sum));
    }
}

#endif
