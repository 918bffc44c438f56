/*
 * Calibration: a score to evidence, evidence to a false match rate, a wanted rate to thresholds.
 *
 * Tables measured on impostor pairs, from a model's facts or from `calibrate`. Between a table's
 * points the rate's logarithm is linear in the evidence; past its ends nothing is known but that
 * more evidence is not more common, so the rate there is a bound and says so.
 *
 * Does not read (calibration_read.c), decide (policy.c) or measure.
 */
#include "index/calibration.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"

uint64_t dpl_calibration_pairs(const dpl_calibration *calibration)
{
    return calibration->pairs;
}

const char *dpl_calibration_source(const dpl_calibration *calibration)
{
    return calibration->source;
}

int dpl_calibration_version(const dpl_calibration *calibration)
{
    return calibration->version;
}

uint64_t dpl_calibration_people(const dpl_calibration *calibration)
{
    return calibration->people;
}

bool dpl_calibration_has_cohort(const dpl_calibration *calibration)
{
    return calibration->top > 0;
}

bool dpl_calibration_has_poor(const dpl_calibration *calibration)
{
    return calibration->poor.n > 0;
}

bool dpl_calibration_range(dpl_range *out, const dpl_calibration *calibration)
{
    *out = calibration->has_range ? calibration->range : (dpl_range){0, 180, 0};
    return calibration->has_range;
}

double dpl_calibration_mean_factor(const dpl_calibration *calibration)
{
    return calibration->mean_factor;
}

size_t dpl_calibration_n_strata(const dpl_calibration *calibration)
{
    return calibration->n_strata;
}

const dpl_stratum *dpl_calibration_stratum(const dpl_calibration *calibration, size_t i)
{
    return i < calibration->n_strata ? &calibration->strata[i] : NULL;
}

void dpl_calibration_ends(float *low, float *high, const dpl_calibration *calibration)
{
    *low = calibration->fair.points[0].at;
    *high = calibration->fair.points[calibration->fair.n - 1].at;
}

uint64_t dpl_calibration_genuine_pairs(const dpl_calibration *calibration)
{
    return calibration->genuine_pairs;
}

/* ------------------------------------------------------------------ evidence to rate */

/* Between a and b <= a; where b is 0 there is no logarithm, and the lower of the two is taken. */
static double between(double a, double b, double t)
{
    if (t <= 0.0 || a == b)
        return a;
    return b > 0.0 ? exp(log(a) + t * (log(b) - log(a))) : b;
}

/* The last point at or below x, which is not below the first. */
static size_t find(const dpli_table *table, float x)
{
    size_t low = 0, high = table->n;

    while (high - low > 1) { /* points[low].at <= x, and below points[high].at where there is one */
        size_t mid = low + (high - low) / 2;

        if (table->points[mid].at <= x)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static dpl_rate rate_of(const dpli_table *table, float x)
{
    const dpli_point *p = table->points;
    size_t at;

    if (!isfinite(x))
        return (dpl_rate){1.0, 0.0, 1.0, 1};
    if (x < p[0].at)
        return (dpl_rate){1.0, p[0].low, 1.0, 1};
    at = find(table, x);
    p += at;
    if (at + 1 < table->n_known) {
        double t = ((double)x - (double)p->at) / ((double)p[1].at - (double)p->at);

        return (dpl_rate){between(p->rate, p[1].rate, t), between(p->low, p[1].low, t),
                          between(p->high, p[1].high, t), 0};
    }
    if (at + 1 == table->n_known && x == p->at)
        return (dpl_rate){p->rate, p->low, p->high, 0};
    return (dpl_rate){p->high, 0.0, p->high, 1};
}

dpl_rate dpl_calibration_fmr(const dpl_calibration *calibration, float evidence)
{
    return rate_of(&calibration->fair, evidence);
}

dpl_rate dpl_calibration_poor_fmr(const dpl_calibration *calibration, float evidence)
{
    if (calibration->poor.n == 0)
        return (dpl_rate){(double)NAN, (double)NAN, (double)NAN, 0};
    return rate_of(&calibration->poor, evidence);
}

double dpl_calibration_fnmr(const dpl_calibration *calibration, float evidence)
{
    const dpli_table *table = &calibration->genuine;
    const dpli_point *p = table->points;
    size_t at;

    if (table->n == 0 || !isfinite(evidence))
        return (double)NAN;
    if (evidence <= p[0].at)
        return p[0].rate;
    at = find(table, evidence);
    p += at;
    if (at + 1 == table->n)
        return p->rate;
    return p->rate + (p[1].rate - p->rate) * ((double)evidence - (double)p->at) /
                         ((double)p[1].at - (double)p->at);
}

double dpli_calibration_strength(const dpl_calibration *calibration, float evidence)
{
    const dpli_table *table = &calibration->fair;
    const dpli_point *p = table->points;
    size_t at;

    if (table->n_known < 2 || !isfinite(evidence))
        return (double)NAN;
    at = evidence < p[0].at ? 0 : find(table, evidence);
    p += at + 1 < table->n_known ? at : table->n_known - 2;
    const double a = -log10(p->rate), b = -log10(p[1].rate);
    return a + (b - a) * (((double)evidence - (double)p->at) / ((double)p[1].at - (double)p->at));
}

/* ------------------------------------------------------------------ faces */

const char *dpl_fitness_words(dpl_fitness fitness)
{
    return fitness == DPL_FITNESS_FAIR ? "fair" : fitness == DPL_FITNESS_POOR ? "poor" : "too poor";
}

dpl_fitness dpl_calibration_fitness(const dpl_calibration *calibration, const dpl_face *face)
{
    const dpl_quality *q = &face->quality;

    /* Without a word on what is weakest nobody has looked: a whole picture, an old row. */
    if (!calibration || !calibration->has_range || !q->weakest[0])
        return DPL_FITNESS_FAIR;
    if (!(q->overall >= calibration->range.too_poor))
        return DPL_FITNESS_TOO_POOR;
    return q->overall >= calibration->range.quality &&
                   fabsf(q->yaw_deg) <= calibration->range.yaw_deg
               ? DPL_FITNESS_FAIR
               : DPL_FITNESS_POOR;
}

/* ------------------------------------------------------------------ score to evidence */

/* -log10 of a marginal table's rate, gone on with the first and the last slope past its ends. */
static double evidence_by(const dpli_table *table, float x)
{
    const dpli_point *p = table->points;
    size_t at = x < p[0].at ? 0 : find(table, x);
    double a, b;

    p += at + 1 < table->n ? at : table->n - 2;
    a = p->bar;
    b = p[1].bar;
    return a + (b - a) * (((double)x - (double)p->at) / ((double)p[1].at - (double)p->at));
}

float dpl_calibration_evidence(const dpl_calibration *calibration, float score, float normalised)
{
    float least;

    if (calibration->top == 0)
        return score;
    if (!isfinite(score) || !isfinite(normalised))
        return NAN;
    least = (float)fmin(evidence_by(&calibration->score, score),
                        evidence_by(&calibration->normalised, normalised));
    return isfinite(least) ? least : NAN;
}

/* ------------------------------------------------------------------ rate to evidence */

/* Floats as whole numbers in the same order, so that a bisection ends at neighbours. */
static int64_t rank_of(float x)
{
    int32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? (int64_t)INT32_MIN - bits : bits;
}

static float float_of(int64_t rank)
{
    int32_t bits = (int32_t)(rank < 0 ? (int64_t)INT32_MIN - rank : rank);
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x rounded up to two digits, so that what a message offers is accepted. */
static double two_digits_up(double x)
{
    double unit = pow(10.0, floor(log10(x)) - 1.0);

    return ceil(x / unit) * unit;
}

double dpl_calibration_lowest_fmr(const dpl_calibration *calibration)
{
    return calibration->fair.points[calibration->fair.n - 1].bar;
}

/* The rate that decides, as rate_of has the others. */
static double bar_of(const dpli_table *table, float x)
{
    const size_t at = find(table, x);
    const dpli_point *p = table->points + at;

    if (at + 1 >= table->n_known)
        return p->bar;
    return between(p->bar, p[1].bar,
                   ((double)x - (double)p->at) / ((double)p[1].at - (double)p->at));
}

/* The lowest evidence whose bar is within fmr, of a table whose last is. */
static float accept_from(const dpli_table *table, double fmr)
{
    int64_t low = rank_of(table->points[0].at), high = rank_of(table->points[table->n - 1].at);

    while (low < high) {
        int64_t mid = low + (high - low) / 2;

        if (bar_of(table, float_of(mid)) <= fmr)
            high = mid;
        else
            low = mid + 1;
    }
    return float_of(high);
}

float dpli_calibration_poor_threshold(const dpl_calibration *calibration, double fmr)
{
    const dpli_table *table = &calibration->poor;

    return table->n > 0 && table->points[table->n - 1].bar <= fmr ? accept_from(table, fmr) : NAN;
}

dpl_status dpl_calibration_threshold(float *accept, float *reject,
                                     const dpl_calibration *calibration, double fmr, dpl_error *err)
{
    const dpli_table *table = &calibration->fair;
    const dpli_point *first = table->points, *last = first + table->n - 1;
    int64_t low, high;

    if (!(fmr > 0.0 && fmr < 1.0))
        return dpli_fail(err, DPL_E_ARGUMENT, "a false match rate of %g is not between 0 and 1",
                         fmr);
    if (last->bar > fmr)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a false match rate of %g is lower than the calibration's %" PRIu64
                         " pairs support, lowest is %.2g",
                         fmr, calibration->pairs, two_digits_up(last->bar));

    *accept = accept_from(table, fmr);

    /* A table that begins below the wanted rate cannot say of any score that it is too low. */
    if (first->low < fmr) {
        *reject = -FLT_MAX;
        return DPL_OK;
    }
    low = rank_of(first->at);
    high = rank_of(*accept); /* no further: where both bounds equal the rate, it is a match */
    while (low < high) {
        int64_t mid = low + (high - low + 1) / 2;

        if (rate_of(table, float_of(mid)).low >= fmr)
            low = mid;
        else
            high = mid - 1;
    }
    *reject = float_of(low);
    return DPL_OK;
}

dpl_status dpli_calibration_check(const dpl_calibration *calibration, const char *hash,
                                  const char *head, dpl_error *err)
{
    if (calibration->model[0] && strcmp(calibration->model, hash) != 0)
        return dpli_fail(err, DPL_E_MISMATCH,
                         "the calibration is of another model (%.12s, this is %.12s); "
                         "\"doppel migrate\" re-encodes a gallery for another model, \"doppel "
                         "calibrate\" measures anew",
                         calibration->model, hash);
    /* Version 1 never said it for certain. */
    if (calibration->version > 1 && strcmp(calibration->metric, head) != 0)
        return dpli_fail(err, DPL_E_MISMATCH,
                         "the calibration is of the metric \"%.40s\", the model's is \"%s\"",
                         calibration->metric, head);
    return DPL_OK;
}
