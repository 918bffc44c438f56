/*
 * fuzz_calibration.c - any text as a calibration, or when it does not begin as one, as a cohort: it
 * is refused with a reason, or all that it says is a rate, whatever it is asked about.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/score.h"
#include "fuzz/file.h"
#include "index/cohort.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { DIM = 6, TOP = 4 };

static void check_rate(dpl_rate r)
{
    fuzz_require(isnan(r.rate) ||
                 (0 <= r.low && r.low <= r.rate && r.rate <= r.high && r.high <= 1));
}

static void try_calibration(const char *text)
{
    static const float asked[] = {-FLT_MAX, -1, 0, 0.3F, 1, 2.5F, 4, 9, FLT_MAX, NAN, INFINITY};
    dpl_error err = {DPL_OK, ""};
    dpl_calibration *c;
    dpl_policy policy;
    double fmr = 0.5;

    if (dpl_calibration_parse(&c, text, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0' && !c);
        return;
    }
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const float e = dpl_calibration_evidence(c, asked[i], 3 * asked[i]);
        const double f = dpl_calibration_fnmr(c, asked[i]);

        check_rate(dpl_calibration_fmr(c, asked[i]));
        check_rate(dpl_calibration_poor_fmr(c, asked[i]));
        fuzz_require(isnan(f) || (f >= 0 && f <= 1));
        fuzz_require(!isinf(e) || !dpl_calibration_has_cohort(c));
    }
    for (int i = 0; i < 10; i++, fmr /= 7)
        if (dpl_policy_make(&policy, c, fmr, (double)NAN, NULL) == DPL_OK) {
            const dpl_rate r = dpl_calibration_fmr(c, policy.threshold);

            /* The table may say at which rate below the bound it decides; rounded once more. */
            fuzz_require(r.beyond || r.rate <= fmr * (1 + 1e-12));
            fuzz_require(policy.reject <= policy.threshold);
            fuzz_require(!(policy.poor_threshold < policy.threshold));
            fuzz_require(dpl_decide_faces(&policy, DPL_FITNESS_POOR, NAN) == DPL_DECISION_NO_MATCH);
        }
    dpl_calibration_free(c);
}

static void try_cohort(const char *text)
{
    static const float vectors[][DIM] = {{1}, {0}, {-1, 2, -3, 4, -5, 6}, {1, NAN}, {1e30F, 1e30F}};
    dpl_error err = {DPL_OK, ""};
    dpli_cohort *c;

    if (dpli_cohort_parse(&c, text, DIM, TOP, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0' && !c);
        return;
    }
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        float mean, deviation;

        dpli_cohort_stats(&mean, &deviation, c, vectors[i]);
        fuzz_require(isnan(mean) == isnan(deviation));
        fuzz_require(isnan(mean) ||
                     (fabsf(mean) <= 1.001F && deviation >= 0 && deviation <= 1.001F));
    }
    dpli_cohort_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *text = malloc(n_bytes + 1);

    fuzz_require(text != NULL);
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    if (text[0] == '{')
        try_calibration(text);
    else
        try_cohort(text);
    free(text);
    return 0;
}
