/*
 * compare.c - two vectors to score, evidence, rate and decision.
 *
 * What verification, claims and queries have in common, in the order in which it is done: the
 * head's score, normalised by the cohort; evidence from both; the rate by the table of the faces
 * compared; the policy's decision. The only place that normalises. Does not accept: policy.c does.
 */
#include "index/compare.h"

#include <math.h>

dpli_side dpli_side_of(const dpli_judge *judge, const float *vector, dpl_fitness fitness)
{
    dpli_side side = {.vector = vector, .mean = NAN, .deviation = NAN, .fitness = fitness};

    if (judge->cohort)
        dpli_cohort_stats(&side.mean, &side.deviation, judge->cohort, vector);
    return side;
}

static dpl_rate rate_of(const dpl_calibration *calibration, dpl_fitness fitness, float evidence,
                        double times)
{
    dpl_rate rate = {(double)NAN, (double)NAN, (double)NAN, 0};

    if (!calibration || fitness == DPL_FITNESS_TOO_POOR)
        return rate;
    rate = fitness == DPL_FITNESS_FAIR ? dpl_calibration_fmr(calibration, evidence)
                                       : dpl_calibration_poor_fmr(calibration, evidence);
    /* The low bound stays: of several chances, one alone may be all. NaN stays NaN. */
    rate.rate = times * rate.rate > 1 ? 1 : times * rate.rate;
    rate.high = times * rate.high > 1 ? 1 : times * rate.high;
    return rate;
}

/* The policy for what strangers reach so many times as often. */
static dpl_policy policy_for(const dpl_policy *policy, double times)
{
    dpl_policy stricter = *policy;

    if (!policy->decides || isnan(policy->fmr) || times == 1)
        return stricter;
    /* A rate below what the table supports: nothing is enough, yet what would have been is not
       refused for it. */
    if (dpl_policy_make(&stricter, policy->calibration, policy->fmr / times, (double)NAN, NULL) !=
        DPL_OK) {
        stricter = *policy;
        stricter.threshold = stricter.poor_threshold = NAN;
    }
    return stricter;
}

dpl_comparison dpli_compare(const dpli_judge *judge, const dpli_side *a, const dpli_side *b,
                            double times)
{
    const dpl_calibration *calibration = judge->calibration;
    dpl_comparison c = {
        .score = dpl_head_score(judge->head, a->vector, b->vector),
        .normalised = NAN,
        .evidence = NAN,
        .fitness = a->fitness > b->fitness ? a->fitness : b->fitness,
        .times = times,
        .threshold = NAN,
        .reject = NAN,
    };

    if (judge->cohort)
        c.normalised = dpli_normalised(c.score, a->mean, a->deviation, b->mean, b->deviation);
    if (calibration)
        c.evidence = dpl_calibration_evidence(calibration, c.score, c.normalised);
    c.rate = rate_of(calibration, c.fitness, c.evidence, times);
    if (judge->policy && judge->policy->decides) {
        const dpl_policy policy = policy_for(judge->policy, times);

        c.threshold = c.fitness == DPL_FITNESS_FAIR ? policy.threshold : policy.poor_threshold;
        c.reject = policy.reject;
        c.decision = dpl_decide_faces(&policy, c.fitness, dpli_decisive(judge, &c));
    }
    return c;
}

bool dpli_by_rate(const dpli_judge *judge)
{
    return judge->policy && judge->policy->decides && !isnan(judge->policy->fmr);
}

float dpli_decisive(const dpli_judge *judge, const dpl_comparison *comparison)
{
    return dpli_by_rate(judge) ? comparison->evidence : comparison->score;
}
