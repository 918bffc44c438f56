/* What a calibration holds. */
#ifndef DOPPEL_INDEX_CALIBRATION_H
#define DOPPEL_INDEX_CALIBRATION_H

#include "doppel/score.h"

/* At this score or evidence, this rate. */
typedef struct dpli_point {
    float at;
    double rate, low, high;
    double bar; /* the rate that decides: one wanted is reached where this is no more; of a marginal
                   -log10 of its rate, which every comparison asks for */
} dpli_point;

typedef struct dpli_table {
    size_t n;       /* 0: there is none */
    size_t n_known; /* of them, from the first, those with a rate above 0 */
    dpli_point *points;
} dpli_table;

#define DPLI_CALIBRATION_MAX_BYTES ((size_t)16 << 20)

struct dpl_calibration {
    int version;
    char *metric; /* the head's name */
    uint64_t people, pairs;
    char *source;
    char model[65];               /* the encoder's hash, "" when it is not said */
    int32_t top;                  /* of the cohort; 0: there is none */
    char cohort_sha256[65];       /* of the text of the cohort's fact */
    dpli_table score, normalised; /* the marginals, with a cohort; no bounds in them */
    dpli_table fair, poor;        /* over the evidence */
    bool has_range;
    dpl_range range;
    double mean_factor;
    dpl_stratum *strata;
    size_t n_strata;
    uint64_t genuine_pairs;
    dpli_table genuine; /* rates rise; no bounds in them */
};

/** Whether it is of the model of this hash and head, where it says of which it is: DPL_E_MISMATCH.
 */
dpl_status dpli_calibration_check(const dpl_calibration *calibration, const char *hash,
                                  const char *head, dpl_error *err);

/** The lowest evidence that the table for poor faces allows at this rate; NaN when it allows none.
 */
float dpli_calibration_poor_threshold(const dpl_calibration *calibration, double fmr);

/** -log10 of the rate at which strangers with fair faces come to this evidence, gone on past the
 * table's ends with its first and last slope, so that it rises everywhere: for what is compared in
 * great numbers and only put in order. NaN without two rates above 0, and of what is not finite. */
double dpli_calibration_strength(const dpl_calibration *calibration, float evidence);

#endif
