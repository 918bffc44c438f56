/*
 * verify.c - two photos, or a photo and a claim, to a verdict.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/pipeline.h"

/* @param which  what a photo without a name is called */
static dpl_status choose_face(size_t *out, const dpl_photo *photo, const char *which,
                              int32_t wanted, dpl_error *err)
{
    const char *name = photo->name ? photo->name : which;

    if (photo->n_faces == 0)
        return dpli_fail_in(err, dpli_no_face(photo, err), name);
    if (wanted >= 0 && (size_t)wanted >= photo->n_faces)
        return dpli_fail_in(err,
                            dpli_fail(err, DPL_E_ARGUMENT,
                                      "face %d was asked for, the photo has %zu", (int)wanted + 1,
                                      photo->n_faces),
                            name);
    *out = wanted >= 0 ? (size_t)wanted : dpli_main_face(photo);
    return DPL_OK;
}

static void judge(dpl_verdict *v, const dpl_pipeline *pipeline, const dpl_policy *policy)
{
    const dpl_calibration *calibration = dpl_pipeline_calibration(pipeline);

    v->decision = dpl_decide(policy, v->score);
    v->rate = calibration ? dpl_calibration_fmr(calibration, v->score)
                          : (dpl_rate){(double)NAN, (double)NAN, (double)NAN, 0};
}

dpl_status dpl_verify(dpl_verdict *out, const dpl_pipeline *pipeline, const dpl_policy *policy,
                      const dpl_photo *a, const dpl_photo *b, const dpl_verify_options *options,
                      dpl_error *err)
{
    const size_t dim = (size_t)dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    dpl_verify_options o = DPL_VERIFY_OPTIONS_INIT;
    dpl_verdict v = {.mean_score = NAN};
    dpl_status status = dpli_options(&o, sizeof o, options, "verify", err);

    if (status == DPL_OK)
        status = choose_face(&v.face_a, a, "photo a", o.face_a, err);
    if (status == DPL_OK)
        status = choose_face(&v.face_b, b, "photo b", o.face_b, err);
    if (status != DPL_OK)
        return status;
    v.score = dpl_head_score(dpl_pipeline_head(pipeline), a->vectors + v.face_a * dim,
                             b->vectors + v.face_b * dim);
    judge(&v, pipeline, policy);
    *out = v;
    return DPL_OK;
}

/* What a walk over a person's templates gathers. */
typedef struct claim {
    const dpl_head *head;
    const char *model_hash;
    const float *probe;
    int32_t dim;
    double *sum; /* [dim] */
    dpl_verdict *verdict;
    bool foreign; /* a template of another model was seen */
} claim;

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    claim *c = ctx;

    if (row->dim != c->dim || strcmp(row->model_hash, c->model_hash) != 0) {
        c->foreign = true;
        return DPL_OK;
    }
    const float score = dpl_head_score(c->head, c->probe, row->vector);
    /* A score that is not a number is passed over: kept, it would be above every other. */
    if (isfinite(score) && !(score <= c->verdict->score)) {
        c->verdict->score = score;
        c->verdict->template_id = row->id;
    }
    for (int32_t i = 0; i < c->dim; i++)
        c->sum[i] += (double)row->vector[i];
    c->verdict->n_templates++;
    return DPL_OK;
}

/* Score against the mean of the templates: of unit length when the vectors are. */
static float score_mean(const claim *c, bool unit, dpl_error *err)
{
    float *mean = dpli_alloc((size_t)c->dim, sizeof *mean, err);
    double norm = 0;
    float score;

    if (!mean)
        return NAN;
    for (int32_t i = 0; i < c->dim; i++)
        norm += c->sum[i] * c->sum[i];
    const double scale = unit ? 1 / sqrt(norm) : 1 / (double)c->verdict->n_templates;
    for (int32_t i = 0; i < c->dim; i++)
        mean[i] = (float)(c->sum[i] * scale);
    score = dpl_head_score(c->head, c->probe, mean);
    free(mean);
    return score;
}

dpl_status dpl_verify_claim(dpl_verdict *out, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                            const dpl_policy *policy, const dpl_photo *photo, const char *person,
                            const dpl_verify_options *options, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const char *normalize = dpl_encoder_fact(encoder, "normalize");
    dpl_verify_options o = DPL_VERIFY_OPTIONS_INIT;
    dpl_verdict v = {.mean_score = NAN, .score = NAN};
    claim c = {dpl_pipeline_head(pipeline),
               dpl_encoder_hash(encoder),
               NULL,
               dpl_encoder_dim(encoder),
               NULL,
               &v,
               0};
    dpl_status status = dpli_options(&o, sizeof o, options, "verify", err);

    if (status == DPL_OK)
        status = choose_face(&v.face_a, photo, "the photo", o.face_a, err);
    if (status == DPL_OK)
        status = dpli_gallery_fits(gallery, encoder, err);
    if (status != DPL_OK)
        return status;
    c.probe = photo->vectors + v.face_a * (size_t)c.dim;
    c.sum = dpli_calloc((size_t)c.dim, sizeof *c.sum, err);
    if (!c.sum)
        return DPL_E_MEMORY;
    status = dpl_gallery_each_template(gallery, person, dpl_encoder_space(encoder), take_template,
                                       &c, err);
    if (status == DPL_OK && v.n_templates == 0)
        status =
            c.foreign
                ? dpli_fail(err, DPL_E_MISMATCH,
                            "the gallery's templates of \"%s\" are another model's", person)
                : dpli_fail(err, DPL_E_NO_PERSON, "the gallery \"%s\" holds no template of \"%s\"",
                            dpl_gallery_dir(gallery), person);
    if (status == DPL_OK) {
        v.mean_score = score_mean(&c, !normalize || strcmp(normalize, "none") != 0, err);
        judge(&v, pipeline, policy);
        *out = v;
    }
    free(c.sum);
    return status;
}
