/*
 * Reading a calibration: JSON text to tables.
 *
 * Version 1 has one table, over the score. Version 2 has its tables over the evidence, one for fair
 * and one for poor faces, and says what evidence is: with a cohort, the less of what the score and
 * the normalised score say by their own tables. A table is a stranger's word until parsed: every
 * number is checked.
 *
 * Sources: index/cohort.c for the normalisation; docs/decisions.md for why both scores must pass.
 */
#include "index/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/binomial.h"
#include "index/cohort.h"
#include "net/json_text.h"

#define MAX_POINTS 4096
#define MAX_STRATA 4096
#define MAX_PAIRS  1000000000000 /* up to where the bounds' arithmetic is good */
#define MAX_FACTOR 100

/* What a table's points must be like. */
typedef enum table_kind {
    OF_RATES,   /* rates and bounds fall; without bounds those of a count out of pairs */
    OF_BOUNDS,  /* the same, and the bounds are there */
    OF_MARGIN,  /* [at, rate] only; rates fall, none is 0, the last less than the one before */
    OF_GENUINE, /* [at, rate] only; rates rise */
} table_kind;

/* ------------------------------------------------------------------ numbers */

/* A number that is there and within; NaN and infinities are not, as JSON has none. */
static dpl_status read_number(double *out, const json_t *object, const char *what, const char *key,
                              double low, double high, dpl_error *err)
{
    const json_t *value = json_object_get(object, key);
    const double number = json_number_value(value);

    if (!json_is_number(value) || !isfinite(number) || !(number >= low && number <= high))
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"%s\" in \"%s\" is not a number %g to %g",
                         key, what, low, high);
    *out = number;
    return DPL_OK;
}

/* @param what  "" when object is the whole */
static dpl_status read_count(uint64_t *out, const json_t *object, const char *what, const char *key,
                             dpl_error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > MAX_PAIRS)
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"%s\"%s%s is not a number of %s", key,
                         what[0] ? " in " : "", what, key);
    *out = (uint64_t)json_integer_value(value);
    return DPL_OK;
}

/* 64 lower-case hex digits. */
static dpl_status read_sha256(char out[65], const json_t *value, const char *what, dpl_error *err)
{
    const char *text = json_string_value(value); /* NULL when it is not a string */

    if (!text || strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
        return dpli_fail(err, DPL_E_MODEL, "calibration: %s is not 64 hexadecimal digits", what);
    memcpy(out, text, 65);
    return DPL_OK;
}

/* ------------------------------------------------------------------ tables */

static dpl_status read_point(dpli_point *p, const json_t *json, table_kind kind, const char *name,
                             size_t i, double pairs, dpl_error *err)
{
    const bool bare = kind == OF_MARGIN || kind == OF_GENUINE;
    double v[5];
    size_t n = json_array_size(json); /* 0 when it is not an array */

    if (!(n == 2 && kind != OF_BOUNDS) && !((n == 4 || n == 5) && !bare))
        return dpli_fail(err, DPL_E_MODEL, "calibration: point %zu of \"%s\" is not %s", i + 1,
                         name,
                         bare                ? "[score, rate]"
                         : kind == OF_BOUNDS ? "[score, fmr, low, high]"
                                             : "[score, fmr] or [score, fmr, low, high]");
    for (size_t j = 0; j < n; j++) {
        const json_t *number = json_array_get(json, j);

        v[j] = json_number_value(number);
        if (!json_is_number(number) || !isfinite(v[j]))
            return dpli_fail(err, DPL_E_MODEL,
                             "calibration: point %zu of \"%s\" holds something not a number", i + 1,
                             name);
    }
    p->at = (float)v[0];
    p->rate = v[1];
    if (!isfinite(p->at))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has a score out of range", i + 1, name);
    if (!(p->rate >= 0.0 && p->rate <= 1.0))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has a rate outside 0..1", i + 1, name);
    if (kind == OF_MARGIN && !(p->rate > 0.0))
        return dpli_fail(err, DPL_E_MODEL, "calibration: point %zu of \"%s\" has a rate of 0",
                         i + 1, name);
    if (bare) {
        p->low = p->high = p->rate;
        p->bar = kind == OF_MARGIN ? -log10(p->rate) : p->rate;
        return DPL_OK;
    }
    if (n >= 4) {
        p->low = v[2];
        p->high = v[3];
    } else {
        dpli_binomial_bounds(&p->low, &p->high, p->rate, pairs);
    }
    /* An upper bound of 0 would claim that something cannot happen: no measurement shows that. */
    if (!(p->low >= 0.0 && p->low <= p->rate && p->rate <= p->high && p->high <= 1.0 &&
          p->high > 0.0))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has bounds that do not hold its rate",
                         i + 1, name);
    p->bar = n == 5 ? v[4] : p->high;
    if (!(p->bar >= p->rate && p->bar <= p->high))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has a deciding rate that is not between "
                         "its rate and its upper bound",
                         i + 1, name);
    return DPL_OK;
}

/* Whether a point goes on as it must from the one before. */
static dpl_status check_step(const dpli_point *p, table_kind kind, const char *name, size_t i,
                             dpl_error *err)
{
    if (!(p->at > p[-1].at))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has no higher score than the one before",
                         i + 1, name);
    if (kind == OF_GENUINE && !(p->rate >= p[-1].rate))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has a lower rate than the one before",
                         i + 1, name);
    if (kind != OF_GENUINE &&
        !(p->rate <= p[-1].rate && p->low <= p[-1].low && p->high <= p[-1].high &&
          (kind == OF_MARGIN || p->bar <= p[-1].bar)))
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: point %zu of \"%s\" has a higher rate than the one before",
                         i + 1, name);
    return DPL_OK;
}

static dpl_status read_table(dpli_table *out, const json_t *points, table_kind kind,
                             const char *name, double pairs, dpl_error *err)
{
    const size_t n = json_array_size(points), least = kind == OF_MARGIN ? 2 : 1;

    if (n < least || n > MAX_POINTS)
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: \"%s\" is not an array of %zu to %d points", name, least,
                         MAX_POINTS);
    out->points = dpli_calloc(n, sizeof *out->points, err);
    if (!out->points)
        return DPL_E_MEMORY;
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        dpli_point *p = out->points + i;
        dpl_status status = read_point(p, json_array_get(points, i), kind, name, i, pairs, err);

        if (status == DPL_OK && i > 0)
            status = check_step(p, kind, name, i, err);
        if (status != DPL_OK)
            return status;
        if (p->rate > 0.0)
            out->n_known = i + 1;
    }
    /* Past its end it goes on as it ended: flat, no score would be enough. */
    if (kind == OF_MARGIN && !(out->points[n - 1].rate < out->points[n - 2].rate))
        return dpli_fail(err, DPL_E_MODEL, "calibration: the last rate of \"%s\" does not fall",
                         name);
    return DPL_OK;
}

/* ------------------------------------------------------------------ parts */

static dpl_status read_cohort(dpl_calibration *c, const json_t *root, dpl_error *err)
{
    const json_t *cohort = json_object_get(root, "cohort");
    const json_t *score = json_object_get(root, "score");
    const json_t *normalised = json_object_get(root, "normalised");
    double top = 0;
    dpl_status status;

    if (!cohort && !score && !normalised)
        return DPL_OK;
    if (!cohort || !score || !normalised)
        return dpli_fail(err, DPL_E_MODEL,
                         "calibration: \"cohort\", \"score\" and \"normalised\" "
                         "go together, some are missing");
    status = read_number(&top, cohort, "cohort", "top", 2, DPLI_COHORT_MAX_TOP, err);
    if (status == DPL_OK && top != floor(top))
        status = dpli_fail(err, DPL_E_MODEL, "calibration: \"top\" in \"cohort\" is not whole");
    if (status == DPL_OK)
        status = read_sha256(c->cohort_sha256, json_object_get(cohort, "sha256"),
                             "\"sha256\" in \"cohort\"", err);
    if (status == DPL_OK)
        status = read_table(&c->score, score, OF_MARGIN, "score", 0, err);
    if (status == DPL_OK)
        status = read_table(&c->normalised, normalised, OF_MARGIN, "normalised", 0, err);
    if (status == DPL_OK)
        c->top = (int32_t)top;
    return status;
}

static dpl_status read_range(dpl_calibration *c, const json_t *root, dpl_error *err)
{
    const json_t *range = json_object_get(root, "range");
    double quality = 0, yaw = 0, too_poor = 0;
    dpl_status status;

    if (!range)
        return DPL_OK;
    status = read_number(&quality, range, "range", "quality", 0, 1, err);
    if (status == DPL_OK)
        status = read_number(&yaw, range, "range", "yaw_deg", 0, 180, err);
    if (status == DPL_OK)
        status = read_number(&too_poor, range, "range", "too_poor", 0, quality, err);
    if (status != DPL_OK)
        return status;
    c->has_range = true;
    c->range = (dpl_range){(float)quality, (float)yaw, (float)too_poor};
    return DPL_OK;
}

static dpl_status read_strata(dpl_calibration *c, const json_t *root, dpl_error *err)
{
    const json_t *strata = json_object_get(root, "strata");
    const size_t n = json_array_size(strata);

    if (!strata)
        return DPL_OK;
    if (!json_is_array(strata) || n > MAX_STRATA)
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"strata\" is not an array of up to %d",
                         MAX_STRATA);
    c->strata = dpli_calloc(n, sizeof *c->strata, err);
    if (!c->strata)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(strata, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        char where[64];
        dpl_status status;

        if (!name || !name[0])
            return dpli_fail(err, DPL_E_MODEL, "calibration: stratum %zu has no \"name\"", i + 1);
        snprintf(where, sizeof where, "stratum %zu", i + 1);
        status = read_count(&c->strata[i].people, one, where, "people", err);
        if (status == DPL_OK)
            status = read_count(&c->strata[i].pairs, one, where, "pairs", err);
        if (status != DPL_OK)
            return status;
        c->strata[i].name = dpli_strdup(name, err);
        if (!c->strata[i].name)
            return DPL_E_MEMORY;
        c->n_strata = i + 1;
    }
    return DPL_OK;
}

static dpl_status read_genuine(dpl_calibration *c, const json_t *root, dpl_error *err)
{
    const json_t *genuine = json_object_get(root, "genuine");
    dpl_status status;

    if (!genuine)
        return DPL_OK;
    status = read_count(&c->genuine_pairs, genuine, "\"genuine\"", "pairs", err);
    if (status == DPL_OK)
        status = read_table(&c->genuine, json_object_get(genuine, "points"), OF_GENUINE, "genuine",
                            0, err);
    return status;
}

/* What only version 2 has. */
static dpl_status read_second(dpl_calibration *c, const json_t *root, dpl_error *err)
{
    const json_t *poor = json_object_get(root, "poor"), *model = json_object_get(root, "model");
    dpl_status status = read_count(&c->people, root, "", "people", err);

    if (status == DPL_OK && model)
        status = read_sha256(c->model, model, "\"model\"", err);
    if (status == DPL_OK)
        status = read_cohort(c, root, err);
    if (status == DPL_OK)
        status = read_range(c, root, err);
    if (status == DPL_OK && poor && !c->has_range)
        status = dpli_fail(err, DPL_E_MODEL,
                           "calibration: \"poor\" needs a \"range\" that says which faces are");
    if (status == DPL_OK && poor)
        status = read_table(&c->poor, poor, OF_BOUNDS, "poor", 0, err);
    if (status == DPL_OK && json_object_get(root, "mean_factor"))
        status =
            read_number(&c->mean_factor, root, "calibration", "mean_factor", 1, MAX_FACTOR, err);
    if (status == DPL_OK)
        status = read_strata(c, root, err);
    return status;
}

/* ------------------------------------------------------------------ the whole */

static dpl_status read_all(dpl_calibration *c, const json_t *root, dpl_error *err)
{
    const json_t *version = json_object_get(root, "version");
    const json_t *metric = json_object_get(root, "metric");
    const json_t *source = json_object_get(root, "source");
    dpl_status status;

    if (!json_is_integer(version) ||
        (json_integer_value(version) != 1 && json_integer_value(version) != 2))
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"version\" is not 1 or 2");
    c->version = (int)json_integer_value(version);
    c->mean_factor = 1;
    if (!json_is_string(metric))
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"metric\" is not a string");
    status = read_count(&c->pairs, root, "", "pairs", err);
    if (status != DPL_OK)
        return status;
    if (source && !json_is_string(source))
        return dpli_fail(err, DPL_E_MODEL, "calibration: \"source\" is not a string");
    c->source = dpli_strdup(source ? json_string_value(source) : "", err);
    c->metric = dpli_strdup(json_string_value(metric), err);
    if (!c->source || !c->metric)
        return DPL_E_MEMORY;
    status = read_table(&c->fair, json_object_get(root, "points"), OF_RATES, "points",
                        (double)c->pairs, err);
    if (status == DPL_OK)
        status = read_genuine(c, root, err);
    if (status == DPL_OK && c->version == 2)
        status = read_second(c, root, err);
    return status;
}

dpl_status dpl_calibration_parse(dpl_calibration **out, const char *json, dpl_error *err)
{
    dpl_calibration *c = NULL;
    json_t *root = NULL;
    json_error_t where;
    size_t n = strnlen(json, DPLI_CALIBRATION_MAX_BYTES + 1);
    dpl_status status;
    bool is_short;

    *out = NULL;
    if (n > DPLI_CALIBRATION_MAX_BYTES)
        return dpli_fail(err, DPL_E_MODEL, "calibration: longer than the limit of %zu MiB",
                         DPLI_CALIBRATION_MAX_BYTES >> 20);
    root = dpli_json_read(&is_short, json, n, &where);
    if (is_short)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory reading the calibration");
    if (!root)
        return dpli_fail(err, DPL_E_MODEL, "calibration: line %d, column %d: %s", where.line,
                         where.column, where.text);
    c = dpli_calloc(1, sizeof *c, err);
    status = c ? read_all(c, root, err) : DPL_E_MEMORY;
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
    for (size_t i = 0; i < calibration->n_strata; i++)
        free((char *)calibration->strata[i].name);
    free(calibration->strata);
    free(calibration->score.points);
    free(calibration->normalised.points);
    free(calibration->fair.points);
    free(calibration->poor.points);
    free(calibration->genuine.points);
    free(calibration->source);
    free(calibration->metric);
    free(calibration);
}
