/*
 * calibrate_pairs.c - from pairs of which somebody has said whether they are the same, to a table
 * that decides: for sentences, of which there is no person whose photos could be paired.
 *
 * The rate at a score is the share of pairs of two that come to it; its bounds are those of as many
 * independent pairs (Clopper and Pearson 1934), which pairs that share a sentence are not quite.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/calibrate.h"
#include "index/binomial.h"
#include "net/json_text.h"

/* Points a decade of rates, and all of the genuine pairs' table. */
enum { PER_DECADE = 20, N_GENUINE = 100 };

static int rising(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void add_point(json_t *points, float at, double rate)
{
    json_t *point = json_array();

    json_array_append_new(point, json_real((double)at));
    json_array_append_new(point, json_real(rate));
    json_array_append_new(points, point);
}

/* Rates of two, from 1 down to the last that 10 pairs exceed; scores [n] rise. *lowest: its upper
 * bound. */
static size_t put_points(json_t *points, double *lowest, const float *scores, size_t n)
{
    const double step = pow(10, -1.0 / PER_DECADE);
    size_t n_points = 0, last = 0, put = 0;
    double low;

    for (size_t i = 0; n - i >= DPL_CALIBRATE_MIN_ABOVE; i++) {
        if (i > 0 && scores[i] == scores[i - 1])
            continue;
        last = n - i;
        if (n_points > 0 && (double)last > (double)put * step)
            continue;
        add_point(points, scores[i], (double)last / (double)n);
        put = last;
        n_points++;
    }
    if (last != put) {
        add_point(points, scores[n - last], (double)last / (double)n);
        n_points++;
    }
    dpli_binomial_bounds(&low, lowest, (double)last / (double)n, (double)n);
    return n_points;
}

/* Shares of one that come to a score or less. */
static void put_genuine(json_t *points, const float *scores, size_t n)
{
    float last = 0;
    size_t n_points = 0;

    for (size_t k = 1; k <= N_GENUINE; k++) {
        size_t i = (n * k + N_GENUINE - 1) / N_GENUINE - 1;

        while (i + 1 < n && scores[i + 1] == scores[i])
            i++;
        if (n_points && scores[i] == last)
            continue;
        add_point(points, scores[i], (double)(i + 1) / (double)n);
        last = scores[i];
        n_points++;
    }
}

static dpl_status check(const float *scores, size_t n, size_t n_two, dpl_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scores[i]))
            return dpli_fail(err, DPL_E_INPUT, "the score of pair %zu is not finite", i + 1);
    if (n_two < DPL_CALIBRATE_MIN_PEOPLE)
        return dpli_fail(
            err, DPL_E_INPUT,
            "a calibration needs %d pairs or more that are not the same, there are %zu",
            DPL_CALIBRATE_MIN_PEOPLE, n_two);
    return DPL_OK;
}

dpl_status dpl_calibrate_pairs(dpl_calibrated_pairs *out, const float *scores, const bool *same,
                               size_t n, const dpl_head *head, double fmr, const char *source,
                               dpl_error *err)
{
    float *two = dpli_alloc(n, sizeof *two, err), *one = dpli_alloc(n, sizeof *one, err);
    json_t *object = NULL, *points = json_array(), *genuine = json_array(), *of = json_object();
    dpl_status status = two && one ? DPL_OK : DPL_E_MEMORY;

    *out = (dpl_calibrated_pairs){0};
    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < n; i++) {
        if (same[i])
            one[out->n_same++] = scores[i];
        else
            two[out->n_pairs++] = scores[i];
    }
    status = check(scores, n, out->n_pairs, err);
    if (status != DPL_OK)
        goto done;
    qsort(two, out->n_pairs, sizeof *two, rising);
    qsort(one, out->n_same, sizeof *one, rising);
    out->n_points = put_points(points, &out->lowest_fmr, two, out->n_pairs);
    if (out->n_points < 2 || out->lowest_fmr > fmr) {
        const double needed = ceil(18.4 / fmr);
        status =
            (double)out->n_pairs >= needed
                ? dpli_fail(err, DPL_E_INPUT,
                            "%zu pairs that are not the same are enough for a false match rate of "
                            "%g, but too many of the highest have one and the same score: they "
                            "support %.2g; a higher --fmr, or a model that tells them apart",
                            out->n_pairs, fmr, out->lowest_fmr)
                : dpli_fail(
                      err, DPL_E_INPUT,
                      "for a false match rate of %g about %.0f pairs that are not the same are "
                      "needed, the %zu here support %.2g: a longer list, or a higher --fmr",
                      fmr, needed, out->n_pairs, out->lowest_fmr);
        goto done;
    }
    object =
        json_pack("{s:i, s:s, s:I, s:s, s:O}", "version", 1, "metric", dpl_head_name(head), "pairs",
                  (json_int_t)out->n_pairs, "source", source ? source : "", "points", points);
    if (object && out->n_same > 0) {
        put_genuine(genuine, one, out->n_same);
        json_object_set_new(of, "pairs", json_integer((json_int_t)out->n_same));
        json_object_set(of, "points", genuine);
        json_object_set(object, "genuine", of);
    }
    out->json = object ? dpli_json_write(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (!out->json)
        status = source && !object ? dpli_fail(err, DPL_E_ARGUMENT,
                                               "what the calibration says of its data is not "
                                               "UTF-8")
                                   : dpli_fail(err, DPL_E_MEMORY, "no memory for the calibration");
done:
    json_decref(object);
    json_decref(points);
    json_decref(genuine);
    json_decref(of);
    free(two);
    free(one);
    if (status != DPL_OK)
        dpl_calibrated_pairs_clear(out);
    return status;
}

void dpl_calibrated_pairs_clear(dpl_calibrated_pairs *calibrated)
{
    if (!calibrated)
        return;
    free(calibrated->json);
    *calibrated = (dpl_calibrated_pairs){0};
}
