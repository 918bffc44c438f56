/* A cohort: unit vectors of nobody in particular, by which scores are normalised. */
#ifndef DOPPEL_INDEX_COHORT_H
#define DOPPEL_INDEX_COHORT_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_cohort dpli_cohort;

enum {
    DPLI_COHORT_MAX = 65536, /* members */
    DPLI_COHORT_MAX_TOP = 1024
};

/**
 * Read the fact "doppel.cohort": base64 of, little-endian, uint32 n, uint32 dim, float32 scale and
 * int8 [n, dim]; a member is its row times the scale, brought to unit length.
 *
 * @param dim  the encoder's
 * @param top  how many of the members most like a vector make its statistics
 * @retval DPL_E_MODEL  not a cohort, or not one of these numbers; err says why
 */
dpl_status dpli_cohort_parse(dpli_cohort **out, const char *text, int32_t dim, int32_t top,
                             dpl_error *err);

/** The same from rows int8 [n, dim] in memory, which are copied. */
dpl_status dpli_cohort_new(dpli_cohort **out, const int8_t *rows, size_t n, int32_t dim,
                           int32_t top, dpl_error *err);
void dpli_cohort_free(dpli_cohort *cohort);
size_t dpli_cohort_n(const dpli_cohort *cohort);

/**
 * Mean and standard deviation (of the whole, not of a sample) of the cosines of a vector [dim] with
 * the members most like it; both NaN when it is not finite or has no direction.
 *
 * Threads: any number at once.
 * Numerics: the vector's direction is rounded to 16 bits and the products are whole numbers, so the
 * result is the same to the bit on every processor; a cosine is within 1.6e-5 * sqrt(dim) of the
 * exact one, mostly within 3e-5.
 */
void dpli_cohort_stats(float *mean, float *deviation, const dpli_cohort *cohort,
                       const float *vector);

/** A score normalised symmetrically: the mean of (score - mean) / deviation over both sides; NaN
 * when any of them is not finite or a deviation is 0. */
float dpli_normalised(float score, float mean_a, float deviation_a, float mean_b,
                      float deviation_b);

#endif
