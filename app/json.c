/*
 * json.c - JSON for programs: one object a line on stdout.
 */
#include "app/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/common.h"
#include "base/utf8.h"

json_t *json_answer(const char *command_name)
{
    json_t *object = text_need(json_object());
    char *schema = text_format("doppel.%s/1", command_name);

    json_put_text(object, "schema", schema);
    free(schema);
    return object;
}

void json_put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, text_need(value)) != 0)
        text_need(NULL);
}

void json_add(json_t *array, json_t *value)
{
    if (json_array_append_new(array, text_need(value)) != 0)
        text_need(NULL);
}

/** Copy bytes with each one that is not part of a UTF-8 character replaced by U+FFFD. */
static json_t *repaired(const char *bytes)
{
    char *text = text_need(malloc(3 * strlen(bytes) + 1)), *to = text;
    json_t *value;

    while (*bytes) {
        uint32_t point;
        size_t n = dpli_utf8_next(&point, bytes);

        to = mempcpy(to, n ? bytes : "\xef\xbf\xbd", n ? n : 3);
        bytes += n ? n : 1;
    }
    value = json_stringn(text, (size_t)(to - text));
    free(text);
    return value;
}

void json_put_text(json_t *object, const char *key, const char *bytes)
{
    json_t *value;

    if (!bytes)
        return;
    value = json_string(bytes);
    json_put(object, key, value ? value : repaired(bytes));
}

void json_put_real(json_t *object, const char *key, double v)
{
    if (isfinite(v))
        json_put(object, key, json_real(v));
}

void json_put_int(json_t *object, const char *key, int64_t v)
{
    json_put(object, key, json_integer((json_int_t)v));
}

void json_put_status(json_t *object, dpl_status status, const char *reason)
{
    json_put_text(object, "status", dpl_status_name(status));
    if (reason && reason[0])
        json_put_text(object, "reason", reason);
}

static void put_net(json_t *object, const char *key, const char *name, const char *hash)
{
    json_t *model = text_need(json_object());

    json_put_text(model, "name", name);
    json_put_text(model, "hash", hash);
    json_put(object, key, model);
}

void json_put_model(json_t *object, const dpl_pipeline *pipeline)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const dpl_detector *detector = dpl_pipeline_detector(pipeline);

    put_net(object, "model", common_model_name(dpl_encoder_net(encoder)),
            dpl_encoder_hash(encoder));
    if (detector)
        put_net(object, "detector", common_model_name(dpl_detector_net(detector)),
                dpl_net_hash(dpl_detector_net(detector)));
    json_put_text(object, "metric", dpl_head_name(dpl_pipeline_head(pipeline)));
    json_put_text(object, "direction", "higher");
}

void json_put_policy(json_t *object, const dpl_policy *policy)
{
    if (!policy->decides)
        return;
    json_put_real(object, "threshold", (double)policy->threshold);
    if (policy->reject < policy->threshold)
        json_put_real(object, "reject", (double)policy->reject);
    json_put_real(object, "wanted_fmr", policy->fmr);
}

void json_put_decision(json_t *object, dpl_decision decision)
{
    if (decision != DPL_DECISION_NONE)
        json_put_text(object, "decision", dpl_decision_words(decision));
}

void json_put_rate(json_t *object, dpl_rate rate)
{
    json_t *fmr;

    if (!isfinite(rate.rate))
        return;
    fmr = text_need(json_object());
    json_put_real(fmr, "rate", rate.rate);
    json_put_real(fmr, "low", rate.low);
    json_put_real(fmr, "high", rate.high);
    if (rate.beyond)
        json_put(fmr, "beyond", json_true());
    json_put(object, "fmr", fmr);
}

/** Hundredths of a pixel are more than a detector knows. */
static json_t *rounded(double v)
{
    return isfinite(v) ? json_real(round(v * 100) / 100) : json_null();
}

json_t *json_face(int32_t number, const dpl_face *face)
{
    const dpl_quality *q = &face->quality;
    const float box[] = {face->x_px, face->y_px, face->w_px, face->h_px};
    json_t *object = text_need(json_object()), *quality = text_need(json_object());
    json_t *array = text_need(json_array()), *points = text_need(json_array());

    json_put_int(object, "face", number);
    for (int i = 0; i < 4; i++)
        json_add(array, rounded((double)box[i]));
    json_put(object, "box", array);
    for (int i = 0; i < 5; i++) {
        json_t *point = text_need(json_array());
        json_add(point, rounded((double)face->landmarks[i].x_px));
        json_add(point, rounded((double)face->landmarks[i].y_px));
        json_add(points, point);
    }
    json_put(object, "landmarks", points);
    json_put_real(object, "detector_score", (double)face->score);
    json_put_real(quality, "overall", (double)q->overall);
    if (q->weakest[0])
        json_put_text(quality, "weakest", q->weakest);
    json_put_real(quality, "size_px", (double)q->size_px);
    json_put_real(quality, "sharpness", (double)q->sharpness);
    json_put_real(quality, "brightness", (double)q->brightness);
    json_put_real(quality, "contrast", (double)q->contrast);
    json_put_real(quality, "yaw_deg", (double)q->yaw_deg);
    json_put_real(quality, "pitch_deg", (double)q->pitch_deg);
    json_put_real(quality, "roll_deg", (double)q->roll_deg);
    json_put(object, "quality", quality);
    return object;
}

void json_print(json_t *object)
{
    /* Nine digits give a float32 back exactly. */
    if (json_dumpf(object, stdout, JSON_REAL_PRECISION(9)) != 0 && !ferror(stdout))
        text_need(NULL);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}
