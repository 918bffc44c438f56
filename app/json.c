/*
 * json.c - answers as JSON objects, from the public API's results.
 */
#include "app/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/model_name.h"
#include "app/text.h"
#include "base/utf8.h"

json_t *json_answer(const char *command)
{
    json_t *object = json_object();
    char schema[64];

    snprintf(schema, sizeof schema, "doppel.%s/1", command);
    json_put_text(&object, "schema", schema);
    return object;
}

json_t *json_error(const char *command, dpl_status status, const char *message)
{
    json_t *object = json_answer("error");

    json_put_text(&object, "command", command);
    json_put_text(&object, "status", dpl_status_name(status));
    json_put_int(&object, "exit", dpl_status_exit_code(status));
    json_put_text(&object, "message", message);
    return object;
}

json_t *json_failure(const char *command, const dpl_error *err)
{
    return json_error(command, err->status, err->message);
}

static void let_go(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

void json_put(json_t **object, const char *key, json_t *value)
{
    if (!*object)
        json_decref(value);
    else if (json_object_set_new(*object, key, value) != 0) /* which takes the value all the same */
        let_go(object);
}

void json_add(json_t **array, json_t *value)
{
    if (!*array)
        json_decref(value);
    else if (json_array_append_new(*array, value) != 0)
        let_go(array);
}

/* Copy bytes with each one that is not part of a UTF-8 character replaced by U+FFFD. */
static json_t *repaired(const char *bytes)
{
    char *text = malloc(3 * strlen(bytes) + 1), *to = text;
    json_t *value = NULL;

    while (text && *bytes) {
        uint32_t point;
        const size_t n = dpli_utf8_next(&point, bytes);

        to = mempcpy(to, n ? bytes : "\xef\xbf\xbd", n ? n : 3);
        bytes += n ? n : 1;
    }
    if (text)
        value = json_stringn(text, (size_t)(to - text));
    free(text);
    return value;
}

void json_put_text(json_t **object, const char *key, const char *bytes)
{
    char *public = bytes ? text_public(bytes) : NULL;

    if (public)
        bytes = public;
    if (bytes)
        json_put(object, key, dpli_is_utf8(bytes) ? json_string(bytes) : repaired(bytes));
    free(public);
}

void json_put_real(json_t **object, const char *key, double v)
{
    if (isfinite(v))
        json_put(object, key, json_real(v));
}

void json_put_int(json_t **object, const char *key, int64_t v)
{
    json_put(object, key, json_integer((json_int_t)v));
}

void json_put_bool(json_t **object, const char *key, bool v)
{
    json_put(object, key, json_boolean(v));
}

void json_put_status(json_t **object, dpl_status status, const char *reason)
{
    json_put_text(object, "status", dpl_status_name(status));
    if (reason && reason[0])
        json_put_text(object, "reason", reason);
}

void json_put_net(json_t **object, const char *key, const dpl_net *net, const char *vectors)
{
    json_t *model = json_object(), *hashes = json_object();

    json_put_text(&hashes, "file", dpl_net_file_hash(net));
    json_put_text(&hashes, "net", dpl_net_hash(net));
    json_put_text(&hashes, "vectors", vectors);
    json_put_text(&model, "name", model_name(net));
    json_put(&model, "hashes", hashes);
    json_put(object, key, model);
}

void json_put_encoder(json_t **object, const char *key, const dpl_encoder *encoder)
{
    json_put_net(object, key, dpl_encoder_net(encoder), dpl_encoder_hash(encoder));
}

void json_put_model(json_t **object, const dpl_pipeline *pipeline)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const dpl_detector *detector = dpl_pipeline_detector(pipeline);

    json_put_encoder(object, "model", encoder);
    if (detector)
        json_put_net(object, "detector", dpl_detector_net(detector), NULL);
    json_put_text(object, "metric", dpl_head_name(dpl_pipeline_head(pipeline)));
    json_put_text(object, "direction", "higher");
}

void json_put_policy(json_t **object, const dpl_policy *policy)
{
    if (!policy->decides)
        return;
    json_put_real(object, "threshold", (double)policy->threshold);
    if (policy->reject < policy->threshold)
        json_put_real(object, "reject", (double)policy->reject);
    json_put_real(object, "wanted_fmr", policy->fmr);
    if (policy->calibration && dpl_calibration_has_cohort(policy->calibration))
        json_put_text(object, "threshold_of", isnan(policy->fmr) ? "score" : "evidence");
}

void json_put_measured(json_t **object, const dpl_calibration *calibration, const char *from)
{
    json_t *facts = json_object();

    json_put_text(&facts, "from", from);
    json_put_text(&facts, "source", dpl_calibration_source(calibration));
    json_put_int(&facts, "pairs", (int64_t)dpl_calibration_pairs(calibration));
    if (dpl_calibration_people(calibration) > 0)
        json_put_int(&facts, "people", (int64_t)dpl_calibration_people(calibration));
    json_put(object, "calibration", facts);
}

void json_put_calibration(json_t **object, const dpl_pipeline *pipeline)
{
    const dpl_calibration *calibration = dpl_pipeline_calibration(pipeline);

    if (calibration)
        json_put_measured(object, calibration,
                          dpl_pipeline_calibration_is_given(pipeline) ? "gallery" : "model");
}

void json_put_comparison(json_t **object, const dpl_calibration *calibration,
                         const dpl_comparison *comparison)
{
    json_put_real(object, "score", (double)comparison->score);
    if (calibration && dpl_calibration_has_cohort(calibration)) {
        json_put_real(object, "normalised", (double)comparison->normalised);
        json_put_real(object, "evidence", (double)comparison->evidence);
    }
    if (comparison->fitness != DPL_FITNESS_FAIR)
        json_put_text(object, "faces", dpl_fitness_words(comparison->fitness));
    if (comparison->times > 1)
        json_put_real(object, "times", comparison->times);
    json_put_rate(object, comparison->rate);
    if (calibration)
        json_put_real(object, "fnmr", dpl_calibration_fnmr(calibration, comparison->evidence));
}

void json_put_decision(json_t **object, dpl_decision decision)
{
    if (decision != DPL_DECISION_NONE)
        json_put_text(object, "decision", dpl_decision_words(decision));
}

void json_put_rate(json_t **object, dpl_rate rate)
{
    json_t *fmr;

    if (!isfinite(rate.rate))
        return;
    fmr = json_object();
    json_put_real(&fmr, "rate", rate.rate);
    json_put_real(&fmr, "low", rate.low);
    json_put_real(&fmr, "high", rate.high);
    if (rate.beyond)
        json_put_bool(&fmr, "beyond", true);
    json_put(object, "fmr", fmr);
}

void json_put_statuses(json_t **object, const char *key, const int64_t *n_by_status)
{
    static const dpl_status statuses[] = {
#define STATUS(number, name, words, exit_code) DPL_##name,
        DPL_STATUS_LIST(STATUS)
#undef STATUS
    };
    json_t *counts = json_object();

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i] != DPL_OK && n_by_status[statuses[i]])
            json_put_int(&counts, dpl_status_name(statuses[i]), n_by_status[statuses[i]]);
    json_put(object, key, counts);
}

/* Hundredths of a pixel are more than a detector knows. */
static json_t *rounded(double v)
{
    return isfinite(v) ? json_real(round(v * 100) / 100) : json_null();
}

json_t *json_face(int32_t number, const dpl_face *face)
{
    const dpl_quality *q = &face->quality;
    const float box[] = {face->x_px, face->y_px, face->w_px, face->h_px};
    json_t *object = json_object(), *quality = json_object();
    json_t *sides = json_array(), *points = json_array();

    json_put_int(&object, "face", number);
    for (int i = 0; i < 4; i++)
        json_add(&sides, rounded((double)box[i]));
    json_put(&object, "box", sides);
    for (int i = 0; i < 5; i++) {
        json_t *point = json_array();
        json_add(&point, rounded((double)face->landmarks[i].x_px));
        json_add(&point, rounded((double)face->landmarks[i].y_px));
        json_add(&points, point);
    }
    json_put(&object, "landmarks", points);
    json_put_real(&object, "detector_score", (double)face->score);
    json_put_real(&quality, "overall", (double)q->overall);
    if (q->weakest[0])
        json_put_text(&quality, "weakest", q->weakest);
    json_put_real(&quality, "size_px", (double)q->size_px);
    json_put_real(&quality, "sharpness", (double)q->sharpness);
    json_put_real(&quality, "brightness", (double)q->brightness);
    json_put_real(&quality, "contrast", (double)q->contrast);
    json_put_real(&quality, "yaw_deg", (double)q->yaw_deg);
    json_put_real(&quality, "pitch_deg", (double)q->pitch_deg);
    json_put_real(&quality, "roll_deg", (double)q->roll_deg);
    json_put(&object, "quality", quality);
    return object;
}

/* ------------------------------------------------------------------ as text */

typedef struct text {
    char *bytes;
    size_t n, cap;
    bool failed;
} text;

/* Kept in mind, as jansson does not look at each return (2.14, do_dump). */
static int take(const char *bytes, size_t n, void *ctx)
{
    text *t = ctx;
    char *longer;

    if (!t->failed && t->cap - t->n <= n) {
        const size_t cap = 2 * t->cap > t->n + n + 1 ? 2 * t->cap : t->n + n + 64;

        longer = realloc(t->bytes, cap);
        t->failed = !longer;
        t->bytes = longer ? longer : t->bytes;
        t->cap = longer ? cap : t->cap;
    }
    if (t->failed)
        return -1;
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = '\0';
    return 0;
}

char *json_text(const json_t *json, size_t flags)
{
    text t = {0};

    if (json && json_dump_callback(json, take, &t, flags) == 0 && !t.failed)
        return t.bytes;
    free(t.bytes);
    return NULL;
}
