/*
 * metrics.c - scored pairs to figures: ROC, AUC, EER, TAR at FAR, accuracy over folds.
 *
 * The last step of an evaluation. Everything is read off the pairs sorted by score, equal scores as
 * one step of the ROC. A pair without a score sorts below all others and is never accepted.
 *
 * Sources: DeLong, DeLong, Clarke-Pearson 1988 (variance of the AUC); Huang, Ramesh, Berg,
 * Learned-Miller 2007 (folds); Efron and Tibshirani 1993, chapter 13 (percentile intervals).
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/rng.h"
#include "doppel/eval.h"
#include "doppel/score.h"
#include "index/binomial.h"

static const double z95 = 1.959963984540054; /* 97.5 % quantile of the normal distribution */

dpl_share dpl_share_of(int64_t n, int64_t of)
{
    dpl_share s = {n, of, NAN, NAN, NAN};

    if (of > 0) {
        s.rate = (double)n / (double)of;
        dpli_binomial_bounds(&s.low, &s.high, s.rate, (double)of);
    }
    return s;
}

/* ------------------------------------------------------------------ sorted pairs */

typedef struct scored {
    double score; /* -infinity: none */
    uint32_t pair;
    uint8_t same;
} scored;

static int by_score(const void *a, const void *b)
{
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;

    return (x < y) - (x > y);
}

/* Highest first; NULL and err on failure. */
static scored *sort_pairs(const float *scores, const uint8_t *same, size_t n, dpl_error *err)
{
    scored *s;

    if (n > UINT32_MAX) {
        dpli_fail(err, DPL_E_LIMIT, "%zu pairs, limit is %u", n, UINT32_MAX);
        return NULL;
    }
    s = dpli_alloc(n, sizeof *s, err);
    for (size_t i = 0; s && i < n; i++)
        s[i] = (scored){isfinite(scores[i]) ? (double)scores[i] : -INFINITY, (uint32_t)i,
                        same[i] != 0};
    if (s)
        qsort(s, n, sizeof *s, by_score);
    return s;
}

/* Pairs with one score. */
typedef struct step {
    double score;
    int64_t genuine, impostor;
} step;

/* Merge equal scores; steps has room for n. */
static size_t make_steps(step *steps, const scored *s, size_t n)
{
    size_t n_steps = 0;

    for (size_t i = 0; i < n; i++) {
        if (n_steps == 0 || steps[n_steps - 1].score != s[i].score)
            steps[n_steps++] = (step){s[i].score, 0, 0};
        steps[n_steps - 1].genuine += s[i].same;
        steps[n_steps - 1].impostor += !s[i].same;
    }
    return n_steps;
}

/* ------------------------------------------------------------------ AUC */

/* Mann and Whitney's statistic, and its variance by DeLong's components: of each genuine pair the
 * share of impostors below it, of each impostor the share of genuine pairs above it. */
static void measure_auc(dpl_metrics *m, const step *steps, size_t n_steps)
{
    const double ng = (double)m->n_genuine, ni = (double)m->n_impostor;
    double genuine_above = 0, impostor_above = 0, sum = 0, var_g = 0, var_i = 0;

    for (size_t k = 0; k < n_steps; k++) {
        const double g = (double)steps[k].genuine, i = (double)steps[k].impostor;
        sum += g * (ni - impostor_above - i / 2);
        impostor_above += i;
    }
    m->auc = sum / (ng * ni);
    impostor_above = 0;
    for (size_t k = 0; k < n_steps; k++) {
        const double g = (double)steps[k].genuine, i = (double)steps[k].impostor;
        const double v10 = (ni - impostor_above - i / 2) / ni - m->auc;
        const double v01 = (genuine_above + g / 2) / ng - m->auc;
        var_g += g * v10 * v10;
        var_i += i * v01 * v01;
        genuine_above += g;
        impostor_above += i;
    }
    const double se = sqrt((ng > 1 ? var_g / (ng - 1) / ng : 0) + //
                           (ni > 1 ? var_i / (ni - 1) / ni : 0));
    if (m->auc > 0 && m->auc < 1) {
        const double logit = log(m->auc / (1 - m->auc)), half = z95 * se / (m->auc * (1 - m->auc));
        m->auc_low = 1 / (1 + exp(half - logit));
        m->auc_high = 1 / (1 + exp(-half - logit));
    } else {
        const double least = fmin(ng, ni);
        dpli_binomial_bounds(&m->auc_low, &m->auc_high, m->auc, least);
    }
}

/* ------------------------------------------------------------------ EER */

/* Where FMR meets FNMR on the lines from step to step; *at is how far down the steps it lies. */
static double equal_error(size_t *at, const step *steps, size_t n_steps, double ng, double ni)
{
    double accepted = 0, falsely = 0, fmr = 0, fnmr = 1;

    for (size_t k = 0; k < n_steps; k++) {
        accepted += (double)steps[k].genuine;
        falsely += (double)steps[k].impostor;
        const double next_fmr = falsely / ni, next_fnmr = 1 - accepted / ng;
        if (next_fmr >= next_fnmr) {
            const double gap = fnmr - fmr, next_gap = next_fmr - next_fnmr;
            const double t = gap + next_gap > 0 ? gap / (gap + next_gap) : 0;
            *at = k;
            return fmr + t * (next_fmr - fmr);
        }
        fmr = next_fmr;
        fnmr = next_fnmr;
    }
    *at = n_steps - 1;
    return 0.5; /* not reached: the last step accepts everything */
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Percentile interval of resamples, either kind of pair drawn by itself. */
static dpl_status bootstrap_eer(dpl_metrics *m, const step *steps, size_t n_steps, uint64_t seed,
                                dpl_error *err)
{
    const size_t ng = (size_t)m->n_genuine, ni = (size_t)m->n_impostor;
    /* Bounded in time: a hundred are enough for percentiles of a million pairs, which scatter
       little. */
    const double affordable = 2e8 / (double)(ng + ni);
    const size_t n_draws = affordable > 1000 ? 1000 : affordable < 100 ? 100 : (size_t)affordable;
    uint32_t *step_of = dpli_alloc(ng + ni, sizeof *step_of, err);
    step *drawn = dpli_alloc(n_steps, sizeof *drawn, err);
    double *rates = dpli_alloc(n_draws, sizeof *rates, err);
    dpl_status status = DPL_E_MEMORY;
    size_t g = 0, i = ng, at;
    dpli_rng rng;

    if (!step_of || !drawn || !rates)
        goto done;
    for (size_t k = 0; k < n_steps; k++) {
        for (int64_t j = 0; j < steps[k].genuine; j++)
            step_of[g++] = (uint32_t)k;
        for (int64_t j = 0; j < steps[k].impostor; j++)
            step_of[i++] = (uint32_t)k;
    }
    dpli_rng_seed(&rng, seed);
    for (size_t r = 0; r < n_draws; r++) {
        memset(drawn, 0, n_steps * sizeof *drawn);
        for (size_t j = 0; j < ng; j++)
            drawn[step_of[dpli_rng_below(&rng, ng)]].genuine++;
        for (size_t j = 0; j < ni; j++)
            drawn[step_of[ng + dpli_rng_below(&rng, ni)]].impostor++;
        rates[r] = equal_error(&at, drawn, n_steps, (double)ng, (double)ni);
    }
    qsort(rates, n_draws, sizeof *rates, by_value);
    m->eer_low = fmin(m->eer, rates[(size_t)(0.025 * (double)(n_draws - 1) + 0.5)]);
    m->eer_high = fmax(m->eer, rates[(size_t)(0.975 * (double)(n_draws - 1) + 0.5)]);
    /* Resamples of no error have none either. */
    if (m->eer <= 0)
        m->eer_high =
            dpl_share_of(0, m->n_genuine < m->n_impostor ? m->n_genuine : m->n_impostor).high;
    status = DPL_OK;
done:
    free(step_of);
    free(drawn);
    free(rates);
    return status;
}

/* ------------------------------------------------------------------ all of it */

/* A threshold that accepts what the step has and all above it: halfway to the next step, so that
 * rounding a printed one does not move a pair. */
static double threshold_after(const step *steps, size_t n_steps, size_t k)
{
    if (k + 1 < n_steps && isfinite(steps[k + 1].score))
        return steps[k].score / 2 + steps[k + 1].score / 2;
    return steps[k].score;
}

static void measure_tar(dpl_tar *tar, double far, const dpl_metrics *m, const step *steps,
                        size_t n_steps)
{
    int64_t accepted = 0, falsely = 0, true_accepts = 0, false_accepts = 0;

    *tar = (dpl_tar){.far = far, .threshold = nextafter(steps[0].score, DBL_MAX)};
    for (size_t k = 0; k < n_steps && isfinite(steps[k].score); k++) {
        accepted += steps[k].genuine;
        falsely += steps[k].impostor;
        /* 0.1 times 30 is a little above 3, and 1e-3 times 3000 may be a little below. */
        if ((double)falsely > far * (double)m->n_impostor * (1 + 1e-12))
            break;
        tar->threshold = threshold_after(steps, n_steps, k);
        true_accepts = accepted;
        false_accepts = falsely;
    }
    tar->tar = dpl_share_of(true_accepts, m->n_genuine);
    tar->reached = dpl_share_of(false_accepts, m->n_impostor);
}

static void draw_roc(dpl_metrics *m, const step *steps, size_t n_steps)
{
    int64_t accepted = 0, falsely = 0;

    m->roc[m->n_roc++] = (dpl_roc_point){INFINITY, 0, 1};
    for (size_t k = 0; k < n_steps && isfinite(steps[k].score); k++) {
        accepted += steps[k].genuine;
        falsely += steps[k].impostor;
        m->roc[m->n_roc++] =
            (dpl_roc_point){steps[k].score, (double)falsely / (double)m->n_impostor,
                            1 - (double)accepted / (double)m->n_genuine};
    }
}

dpl_status dpl_metrics_make(dpl_metrics *out, const float *scores, const uint8_t *same, size_t n,
                            uint64_t seed, dpl_error *err)
{
    static const double rates[DPL_N_TAR] = {1e-1, 1e-2, 1e-3, 1e-4};
    dpl_metrics m = {0};
    scored *sorted = NULL;
    step *steps = NULL;
    dpl_status status;
    size_t n_steps, at;

    *out = m;
    for (size_t i = 0; i < n; i++) {
        m.n_genuine += same[i] != 0;
        m.n_unscored += !isfinite(scores[i]);
    }
    m.n_impostor = (int64_t)n - m.n_genuine;
    if (m.n_genuine == 0 || m.n_impostor == 0)
        return dpli_fail(err, DPL_E_INPUT, "there is no pair of %s",
                         m.n_genuine == 0 ? "one and the same" : "two");
    status = DPL_E_MEMORY;
    sorted = sort_pairs(scores, same, n, err);
    steps = dpli_alloc(n, sizeof *steps, err);
    m.roc = dpli_alloc(n + 1, sizeof *m.roc, err);
    if (!sorted || !steps || !m.roc)
        goto done;
    n_steps = make_steps(steps, sorted, n);
    measure_auc(&m, steps, n_steps);
    m.eer = equal_error(&at, steps, n_steps, (double)m.n_genuine, (double)m.n_impostor);
    m.eer_threshold = isfinite(steps[at].score) ? steps[at].score : NAN;
    for (int i = 0; i < DPL_N_TAR; i++)
        measure_tar(&m.tar[i], rates[i], &m, steps, n_steps);
    draw_roc(&m, steps, n_steps);
    status = bootstrap_eer(&m, steps, n_steps, seed, err);
    if (status == DPL_OK) {
        *out = m;
        m.roc = NULL;
    }
done:
    free(m.roc);
    free(sorted);
    free(steps);
    return status;
}

void dpl_metrics_clear(dpl_metrics *metrics)
{
    if (!metrics)
        return;
    free(metrics->roc);
    *metrics = (dpl_metrics){0};
}

/* ------------------------------------------------------------------ accuracy */

dpl_share dpl_accuracy_at(const float *scores, const uint8_t *same, size_t n, double threshold)
{
    int64_t right = 0;

    for (size_t i = 0; i < n; i++)
        right += dpl_accepts((double)scores[i], threshold) == (same[i] != 0);
    return dpl_share_of(right, (int64_t)n);
}

/* The cut that judges most pairs rightly, of those not in the fold left out (-1: of all); of
 * equally good ones the highest. */
static double best_cut(const scored *s, size_t n, const int32_t *folds, int32_t left_out)
{
    double threshold = 0, above = INFINITY;
    int64_t gain = 0, most = INT64_MIN;

    for (size_t i = 0;; i++) {
        if (i < n && folds && folds[s[i].pair] == left_out)
            continue;
        /* A cut above s[i]: everything before it is accepted. */
        const double here = i < n ? s[i].score : -INFINITY;
        if (here != above && gain > most) {
            most = gain;
            threshold = !isfinite(above) ? nextafter(here, DBL_MAX)
                        : isfinite(here) ? above / 2 + here / 2
                                         : above;
        }
        if (!isfinite(here))
            return threshold;
        above = here;
        gain += s[i].same ? 1 : -1;
    }
}

dpl_status dpl_best_threshold(double *out, const float *scores, const uint8_t *same, size_t n,
                              dpl_error *err)
{
    scored *sorted = n > 0 ? sort_pairs(scores, same, n, err) : NULL;

    *out = NAN;
    if (n == 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "no pairs to choose a threshold by");
    if (!sorted)
        return DPL_E_MEMORY;
    *out = best_cut(sorted, n, NULL, -1);
    free(sorted);
    return DPL_OK;
}

dpl_status dpl_folds_make(dpl_folds *out, const float *scores, const uint8_t *same,
                          const int32_t *folds, size_t n, int32_t n_folds, dpl_error *err)
{
    int64_t right[DPL_MAX_FOLDS] = {0}, of[DPL_MAX_FOLDS] = {0};
    scored *sorted;
    double spread = 0;

    *out = (dpl_folds){.n = n_folds, .mean = 0};
    if (n_folds < 2 || n_folds > DPL_MAX_FOLDS)
        return dpli_fail(err, DPL_E_ARGUMENT, "%d folds, 2 to %d can be", (int)n_folds,
                         DPL_MAX_FOLDS);
    for (size_t i = 0; i < n; i++) {
        if (folds[i] < 0 || folds[i] >= n_folds)
            return dpli_fail(err, DPL_E_ARGUMENT, "pair %zu is in fold %d of %d", i, (int)folds[i],
                             (int)n_folds);
        of[folds[i]]++;
    }
    for (int32_t f = 0; f < n_folds; f++)
        if (of[f] == 0)
            return dpli_fail(err, DPL_E_ARGUMENT, "fold %d of %d is empty", (int)f, (int)n_folds);
    sorted = sort_pairs(scores, same, n, err);
    if (!sorted)
        return DPL_E_MEMORY;
    for (int32_t f = 0; f < n_folds; f++)
        out->thresholds[f] = best_cut(sorted, n, folds, f);
    free(sorted);
    for (size_t i = 0; i < n; i++)
        right[folds[i]] +=
            dpl_accepts((double)scores[i], out->thresholds[folds[i]]) == (same[i] != 0);
    for (int32_t f = 0; f < n_folds; f++) {
        out->accuracies[f] = dpl_share_of(right[f], of[f]);
        out->mean += out->accuracies[f].rate / n_folds;
    }
    for (int32_t f = 0; f < n_folds; f++)
        spread += (out->accuracies[f].rate - out->mean) * (out->accuracies[f].rate - out->mean);
    out->standard_error = sqrt(spread / (n_folds - 1) / n_folds);
    return DPL_OK;
}
