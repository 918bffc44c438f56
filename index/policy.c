/*
 * Policy: a score, or evidence, to a decision.
 *
 * dpl_accepts is the one place where the program accepts. Every other part hands it its scores, or
 * hands them to dpl_decide, and compares none itself. Does not know heads or models.
 */
#include "index/calibration.h"

#include <math.h>
#include <stdbool.h>

#include "base/fail.h"

dpl_status dpl_policy_make(dpl_policy *out, const dpl_calibration *calibration, double fmr,
                           double threshold, dpl_error *err)
{
    const dpl_policy none = {
        .threshold = NAN, .reject = NAN, .poor_threshold = NAN, .fmr = (double)NAN};
    dpl_policy policy = none;

    policy.calibration = calibration;
    *out = none; /* on failure: decides nothing */
    if (!isnan(fmr) && !isnan(threshold))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a false match rate and a threshold were given, one decides");
    if (!isnan(threshold)) {
        if (!isfinite((float)threshold))
            return dpli_fail(err, DPL_E_ARGUMENT, "the threshold %g is not a score", threshold);
        policy.decides = true;
        policy.threshold = policy.reject = policy.poor_threshold = (float)threshold;
    } else if (calibration) {
        dpl_status status;

        policy.decides = true;
        policy.fmr = isnan(fmr) ? DPL_DEFAULT_FMR : fmr;
        status = dpl_calibration_threshold(&policy.threshold, &policy.reject, calibration,
                                           policy.fmr, err);
        if (status != DPL_OK)
            return status;
        /* Not even a table that says so makes a poor face easier to match than a fair one. */
        policy.poor_threshold = dpli_calibration_poor_threshold(calibration, policy.fmr);
        if (policy.poor_threshold < policy.threshold)
            policy.poor_threshold = policy.threshold;
    } else if (!isnan(fmr)) {
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a false match rate needs a calibration and the model has none");
    }
    *out = policy;
    return DPL_OK;
}

bool dpl_accepts(double score, double threshold)
{
    return isfinite(score) && score >= threshold;
}

dpl_decision dpl_decide(const dpl_policy *policy, float score)
{
    if (!policy->decides)
        return DPL_DECISION_NONE;
    if (dpl_accepts((double)score, (double)policy->threshold))
        return DPL_DECISION_MATCH;
    if (isfinite(score) && score > policy->reject)
        return DPL_DECISION_INCONCLUSIVE;
    return DPL_DECISION_NO_MATCH;
}

dpl_decision dpl_decide_faces(const dpl_policy *policy, dpl_fitness fitness, float score)
{
    const dpl_decision as_fair = dpl_decide(policy, score);

    if (!policy->decides || isnan(policy->fmr) || fitness == DPL_FITNESS_FAIR)
        return as_fair;
    if (fitness == DPL_FITNESS_TOO_POOR)
        return DPL_DECISION_TOO_POOR;
    if (dpl_accepts((double)score, (double)policy->poor_threshold))
        return DPL_DECISION_MATCH;
    return as_fair == DPL_DECISION_NO_MATCH ? as_fair : DPL_DECISION_INCONCLUSIVE;
}

const char *dpl_decision_words(dpl_decision decision)
{
    switch (decision) {
    case DPL_DECISION_MATCH: return "match";
    case DPL_DECISION_NO_MATCH: return "no match";
    case DPL_DECISION_INCONCLUSIVE: return "inconclusive";
    case DPL_DECISION_TOO_POOR: return "too poor";
    case DPL_DECISION_NONE: break;
    }
    return "none";
}
