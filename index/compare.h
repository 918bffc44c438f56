/* The one way in which two vectors are compared, rated and judged. */
#ifndef DOPPEL_INDEX_COMPARE_H
#define DOPPEL_INDEX_COMPARE_H

#include "doppel/score.h"
#include "index/cohort.h"

/* What comparisons of one kind go by; all borrowed. */
typedef struct dpli_judge {
    const dpl_head *head;
    const dpl_calibration *calibration; /* NULL: no evidence and no rates */
    const dpli_cohort *cohort;          /* NULL: none */
    const dpl_policy *policy;           /* NULL: no decisions */
} dpli_judge;

/* One side of a comparison, made once for as many as it is compared with. */
typedef struct dpli_side {
    const float *vector;   /* [dim], borrowed */
    float mean, deviation; /* dpli_cohort_stats; NaN without a cohort */
    dpl_fitness fitness;
} dpli_side;

dpli_side dpli_side_of(const dpli_judge *judge, const float *vector, dpl_fitness fitness);

/**
 * Compare, rate, judge.
 *
 * @param times  how many times as often a stranger comes so far as against a single template: the
 *               rate wanted is divided by it, the rate stated multiplied; at least 1
 * Threads: any number at once.
 */
dpl_comparison dpli_compare(const dpli_judge *judge, const dpli_side *a, const dpli_side *b,
                            double times);

/** Whether the judge's policy goes by a rate, and so by the calibration's range; else by a
 * threshold, or by nothing. */
bool dpli_by_rate(const dpli_judge *judge);
/** What it looks at: by a rate the evidence, else the score. */
float dpli_decisive(const dpli_judge *judge, const dpl_comparison *comparison);

#endif
