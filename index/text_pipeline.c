/*
 * text_pipeline.c - two sentences to an answer: encoded, compared, rated and judged, the way faces
 * are, by the same heads, tables and policies.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "doppel/job.h"
#include "index/calibration.h"
#include "index/compare.h"

struct dpl_text_pipeline {
    dpl_text_encoder *encoder;
    dpl_text_encoder *second; /* NULL: the same is for both sides */
    dpl_head *head;
    dpl_calibration *calibration; /* NULL: none */
};

/* Both sides' vectors are compared: they are as long, and of sides that say so, of two. */
static dpl_status open_second(dpl_text_pipeline *p, const dpl_text_pipeline_options *o,
                              dpl_error *err)
{
    dpl_text_encoder_options encoder = DPL_TEXT_ENCODER_OPTIONS_INIT;
    const char *a = dpl_text_encoder_fact(p->encoder, "side"), *b;
    dpl_status status;

    encoder.net = o->net;
    status = dpl_text_encoder_open(&p->second, o->second_path, &encoder, err);
    if (status != DPL_OK)
        return status;
    b = dpl_text_encoder_fact(p->second, "side");
    if (dpl_text_encoder_dim(p->encoder) != dpl_text_encoder_dim(p->second))
        return dpli_fail(err, DPL_E_MISMATCH, "\"%.150s\" gives %d numbers and \"%.150s\" %d",
                         o->encoder_path, (int)dpl_text_encoder_dim(p->encoder), o->second_path,
                         (int)dpl_text_encoder_dim(p->second));
    if (!a || !b || strcmp(a, "a") != 0 || strcmp(b, "b") != 0)
        return dpli_fail(err, DPL_E_MISMATCH,
                         "\"%.150s\" and \"%.150s\" are not the sides a and b of a pair",
                         o->encoder_path, o->second_path);
    return DPL_OK;
}

static dpl_status open_calibration(dpl_text_pipeline *p, dpl_error *err)
{
    const char *table = dpl_text_encoder_fact(p->encoder, "calibration");
    dpl_status status;

    if (!table)
        return DPL_OK;
    status = dpl_calibration_parse(&p->calibration, table, err);
    if (status == DPL_OK)
        status = dpli_calibration_check(p->calibration, dpl_text_encoder_hash(p->encoder),
                                        dpl_head_name(p->head), err);
    if (status == DPL_OK && dpl_calibration_has_cohort(p->calibration))
        status = dpli_fail(err, DPL_E_MODEL, "a calibration of sentences has no cohort");
    return status;
}

dpl_status dpl_text_pipeline_open(dpl_text_pipeline **out, const dpl_text_pipeline_options *options,
                                  dpl_error *err)
{
    dpl_text_pipeline_options o = DPL_TEXT_PIPELINE_OPTIONS_INIT;
    dpl_text_encoder_options encoder = DPL_TEXT_ENCODER_OPTIONS_INIT;
    dpl_text_pipeline *p = NULL;
    dpl_status status = dpli_options(&o, sizeof o, options, "text pipeline", err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    if (!o.encoder_path)
        return dpli_fail(err, DPL_E_ARGUMENT, "a text pipeline needs an encoder");
    p = dpli_calloc(1, sizeof *p, err);
    if (!p)
        return DPL_E_MEMORY;
    encoder.merges_path = o.merges_path;
    encoder.net = o.net;
    status = dpl_text_encoder_open(&p->encoder, o.encoder_path, &encoder, err);
    if (status == DPL_OK && o.second_path)
        status = open_second(p, &o, err);
    if (status != DPL_OK)
        goto done;
    status = dpl_head_open_text(&p->head, p->encoder, err);
    if (status == DPL_OK)
        status = open_calibration(p, err);
    if (status != DPL_OK) {
        dpli_fail_in(err, status, o.encoder_path);
        goto done;
    }
    *out = p;
    p = NULL;
done:
    dpl_text_pipeline_close(p);
    return status;
}

void dpl_text_pipeline_close(dpl_text_pipeline *pipeline)
{
    if (!pipeline)
        return;
    dpl_calibration_free(pipeline->calibration);
    dpl_head_free(pipeline->head);
    dpl_text_encoder_close(pipeline->encoder);
    dpl_text_encoder_close(pipeline->second);
    free(pipeline);
}

const dpl_text_encoder *dpl_text_pipeline_encoder(const dpl_text_pipeline *pipeline)
{
    return pipeline->encoder;
}

const dpl_text_encoder *dpl_text_pipeline_second(const dpl_text_pipeline *pipeline)
{
    return pipeline->second ? pipeline->second : pipeline->encoder;
}

const dpl_head *dpl_text_pipeline_head(const dpl_text_pipeline *pipeline)
{
    return pipeline->head;
}

const dpl_calibration *dpl_text_pipeline_calibration(const dpl_text_pipeline *pipeline)
{
    return pipeline->calibration;
}

dpl_status dpl_verify_texts(dpl_comparison *out, dpl_sentence *about,
                            const dpl_text_pipeline *pipeline, const dpl_policy *policy,
                            const char *a, const char *b, dpl_error *err)
{
    const char *const texts[] = {a, b};
    const char *side = dpl_text_encoder_fact(pipeline->encoder, "side");
    const size_t dim = (size_t)dpl_text_encoder_dim(pipeline->encoder);
    const dpli_judge judge = {pipeline->head, pipeline->calibration, NULL, policy};
    float *vectors;
    dpl_status status;

    if (side && !pipeline->second)
        return dpli_fail(
            err, DPL_E_MODEL,
            "\"%.300s\" is the model of side %.10s of a pair, and the other side's is not "
            "given",
            dpl_text_encoder_path(pipeline->encoder), side);
    vectors = dpli_alloc(2 * dim, sizeof *vectors, err);
    if (!vectors)
        return DPL_E_MEMORY;
    if (pipeline->second) {
        status = dpl_text_encode(vectors, about, pipeline->encoder, &texts[0], 1, 1, err);
        if (status == DPL_OK)
            status = dpl_text_encode(vectors + dim, about ? about + 1 : NULL, pipeline->second,
                                     &texts[1], 1, 1, err);
    } else {
        status = dpl_text_encode(vectors, about, pipeline->encoder, texts, 2, 1, err);
    }

    if (status == DPL_OK) {
        const dpli_side left = dpli_side_of(&judge, vectors, DPL_FITNESS_FAIR);
        const dpli_side right = dpli_side_of(&judge, vectors + dim, DPL_FITNESS_FAIR);

        *out = dpli_compare(&judge, &left, &right, 1);
    }
    free(vectors);
    return status;
}
