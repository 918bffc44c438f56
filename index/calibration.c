/*
 * Calibration: a score to a false match rate, a wanted rate to thresholds.
 *
 * A table measured on impostor pairs, from a model's facts or from `calibrate`. Between its points
 * the rate's logarithm is linear in the score; past its ends nothing is known but that a higher
 * score is not more common, so the rate there is a bound and says so. A table is a stranger's word
 * until parsed: every number is checked.
 *
 * Does not decide (policy.c) and does not measure.
 */
#include "doppel/score.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/binomial.h"

#define MAX_TEXT_BYTES ((size_t)16 << 20)
#define MAX_POINTS     4096
#define MAX_PAIRS      1000000000000 /* up to where the bounds' arithmetic is good */

typedef struct point {
    float score;
    double rate, low, high;
} point;

struct dpl_calibration {
    uint64_t pairs;
    char *source;
    size_t n;       /* points, at least 1 */
    size_t n_known; /* of them, from the first, those with a rate above 0 */
    point points[];
};

/* ------------------------------------------------------------------ reading */

static dpl_status read_point(point *p, const json_t *json, size_t i, double pairs, dpl_error *err)
{
    double v[4];
    size_t n = json_array_size(json); /* 0 when it is not an array */

    if (n != 2 && n != 4)
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu is not [score, fmr] or [score, fmr, low, high]",
                         i + 1);
    for (size_t j = 0; j < n; j++) {
        const json_t *number = json_array_get(json, j);

        v[j] = json_number_value(number);
        if (!json_is_number(number) || !isfinite(v[j]))
            return dpli_fail(err, DPL_E_MODEL,
                             "calibration: point %zu holds something not a number", i + 1);
    }
    p->score = (float)v[0];
    p->rate = v[1];
    if (!isfinite(p->score))
        return dpli_fail(err, DPL_E_MODEL, "calibration: point %zu has a score out of range",
                         i + 1);
    if (!(p->rate >= 0.0 && p->rate <= 1.0))
        return dpli_fail(err, DPL_E_MODEL, "calibration: point %zu has a rate outside 0..1", i + 1);
    if (n == 4) {
        p->low = v[2];
        p->high = v[3];
    } else {
        dpli_binomial_bounds(&p->low, &p->high, p->rate, pairs);
    }
    /* An upper bound of 0 would claim that something cannot happen: no measurement shows that. */
    if (!(p->low >= 0.0 && p->low <= p->rate && p->rate <= p->high && p->high <= 1.0 &&
          p->high > 0.0))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu has bounds that do not hold its rate", i + 1);
    return DPL_OK;
}

static dpl_status read_table(dpl_calibration **out, const json_t *root, dpl_error *err)
{
    const json_t *version = json_object_get(root, "version");
    const json_t *metric = json_object_get(root, "metric");
    const json_t *pairs = json_object_get(root, "pairs");
    const json_t *source = json_object_get(root, "source");
    const json_t *points = json_object_get(root, "points");
    size_t n = json_array_size(points);
    dpl_calibration *c;

    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"version\" is not 1");
    if (!json_is_string(metric))
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"metric\" is not a string");
    if (!json_is_integer(pairs) || json_integer_value(pairs) < 1 ||
        json_integer_value(pairs) > MAX_PAIRS)
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"pairs\" is not a number of pairs");
    if (source && !json_is_string(source))
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"source\" is not a string");
    if (n < 1 || n > MAX_POINTS)
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: \"points\" is not an array of 1 to %d points", MAX_POINTS);

    c = dpli_calloc(1, sizeof *c + n * sizeof c->points[0], err);
    if (!c)
        return DPL_E_MEMORY;
    *out = c;
    c->pairs = (uint64_t)json_integer_value(pairs);
    c->n = n;
    c->source = dpli_strdup(source ? json_string_value(source) : "", err);
    if (!c->source)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        point *p = c->points + i;
        dpl_status status = read_point(p, json_array_get(points, i), i, (double)c->pairs, err);

        if (status != DPL_OK)
            return status;
        if (p->rate > 0.0)
            c->n_known = i + 1;
        if (i == 0)
            continue;
        if (!(p->score > p[-1].score))
            return dpli_fail(err, DPL_E_MODEL,
                             "calibration: point %zu has no higher score than the one before",
                             i + 1);
        if (!(p->rate <= p[-1].rate && p->low <= p[-1].low && p->high <= p[-1].high))
            return dpli_fail(err, DPL_E_MODEL,
                             "calibration: point %zu has a higher rate than the one before", i + 1);
    }
    return DPL_OK;
}

dpl_status dpl_calibration_parse(dpl_calibration **out, const char *json, dpl_error *err)
{
    dpl_calibration *c = NULL;
    json_t *root = NULL;
    json_error_t where;
    size_t n = strnlen(json, MAX_TEXT_BYTES + 1);
    dpl_status status;

    *out = NULL;
    if (n > MAX_TEXT_BYTES)
        return dpli_fail(err, DPL_E_MODEL, "calibration: longer than the limit of %zu MiB",
                         MAX_TEXT_BYTES >> 20);
    root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return dpli_fail(err, DPL_E_MODEL, "calibration: line %d, column %d: %s", where.line,
                         where.column, where.text);
    status = read_table(&c, root, err);
    if (status == DPL_OK) {
        *out = c;
        c = NULL;
    }
    dpl_calibration_free(c);
    json_decref(root);
    return status;
}

void dpl_calibration_free(dpl_calibration *calibration)
{
    if (!calibration)
        return;
    free(calibration->source);
    free(calibration);
}

uint64_t dpl_calibration_pairs(const dpl_calibration *calibration)
{
    return calibration->pairs;
}

const char *dpl_calibration_source(const dpl_calibration *calibration)
{
    return calibration->source;
}

/* ------------------------------------------------------------------ score to rate */

/* Between a and b <= a; where b is 0 there is no logarithm, and the lower of the two is taken. */
static double between(double a, double b, double t)
{
    if (t <= 0.0 || a == b)
        return a;
    return b > 0.0 ? exp(log(a) + t * (log(b) - log(a))) : b;
}

dpl_rate dpl_calibration_fmr(const dpl_calibration *calibration, float score)
{
    const point *p = calibration->points;
    size_t low = 0, high = calibration->n;

    if (!isfinite(score))
        return (dpl_rate){1.0, 0.0, 1.0, 1};
    if (score < p[0].score)
        return (dpl_rate){1.0, p[0].low, 1.0, 1};
    while (high - low > 1) { /* p[low].score <= score, and below p[high].score where there is one */
        size_t mid = low + (high - low) / 2;

        if (p[mid].score <= score)
            low = mid;
        else
            high = mid;
    }
    p += low;
    if (low + 1 < calibration->n_known) {
        double t = ((double)score - p->score) / ((double)p[1].score - p->score);

        return (dpl_rate){between(p->rate, p[1].rate, t), between(p->low, p[1].low, t),
                          between(p->high, p[1].high, t), 0};
    }
    if (low + 1 == calibration->n_known && score == p->score)
        return (dpl_rate){p->rate, p->low, p->high, 0};
    return (dpl_rate){p->high, 0.0, p->high, 1};
}

/* ------------------------------------------------------------------ rate to score */

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
    return calibration->points[calibration->n - 1].high;
}

dpl_status dpl_calibration_threshold(float *accept, float *reject,
                                     const dpl_calibration *calibration, double fmr, dpl_error *err)
{
    const point *first = calibration->points, *last = first + calibration->n - 1;
    int64_t low = rank_of(first->score), high = rank_of(last->score);

    if (!(fmr > 0.0 && fmr < 1.0))
        return dpli_fail(err, DPL_E_ARGUMENT, "a false match rate of %g is not between 0 and 1",
                         fmr);
    if (last->high > fmr)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a false match rate of %g is lower than the calibration's %" PRIu64
                         " pairs support, lowest is %.2g",
                         fmr, calibration->pairs, two_digits_up(last->high));

    while (low < high) {
        int64_t mid = low + (high - low) / 2;

        if (dpl_calibration_fmr(calibration, float_of(mid)).high <= fmr)
            high = mid;
        else
            low = mid + 1;
    }
    *accept = float_of(high);

    /* A table that begins below the wanted rate cannot say of any score that it is too low. */
    if (first->low < fmr) {
        *reject = -FLT_MAX;
        return DPL_OK;
    }
    low = rank_of(first->score);
    high = rank_of(*accept); /* no further: where both bounds equal the rate, it is a match */
    while (low < high) {
        int64_t mid = low + (high - low + 1) / 2;

        if (dpl_calibration_fmr(calibration, float_of(mid)).low >= fmr)
            low = mid;
        else
            high = mid - 1;
    }
    *reject = float_of(low);
    return DPL_OK;
}
