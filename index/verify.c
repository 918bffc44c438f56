/*
 * verify.c - two photos, or a photo and a claim, to a verdict.
 */
#include <math.h>

#include "base/fail.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/person.h"
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

/* A face that is too poor is no side of a comparison by a rate. */
static dpl_status check_fitness(dpl_fitness *out, const dpli_judge *judge, const dpl_photo *photo,
                                const char *which, size_t face, dpl_error *err)
{
    const dpl_quality *q = &photo->faces[face].quality;
    dpl_range range;

    *out = dpl_calibration_fitness(judge->calibration, &photo->faces[face]);
    if (*out != DPL_FITNESS_TOO_POOR || !dpli_by_rate(judge))
        return DPL_OK;
    dpl_calibration_range(&range, judge->calibration);
    return dpli_fail_in(err,
                        dpli_fail(err, DPL_E_QUALITY,
                                  "the face is too poor to tell by a rate: %s (quality %.2f, at "
                                  "least %.2f is needed)",
                                  q->weakest, (double)q->overall, (double)range.too_poor),
                        photo->name ? photo->name : which);
}

static void keep(dpl_verdict *v, const dpl_comparison *c)
{
    v->score = c->score;
    v->normalised = c->normalised;
    v->evidence = c->evidence;
    v->fitness = c->fitness;
    v->times = c->times;
    v->rate = c->rate;
    v->threshold = c->threshold;
    v->reject = c->reject;
    v->decision = c->decision;
}

dpl_status dpl_verify(dpl_verdict *out, const dpl_pipeline *pipeline, const dpl_policy *policy,
                      const dpl_photo *a, const dpl_photo *b, const dpl_verify_options *options,
                      dpl_error *err)
{
    const size_t dim = (size_t)dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    const dpli_judge judge = dpli_pipeline_judge(pipeline, policy);
    dpl_verify_options o = DPL_VERIFY_OPTIONS_INIT;
    dpl_verdict v = {.best_score = NAN};
    dpl_fitness fitness_a, fitness_b;
    dpl_status status = dpli_options(&o, sizeof o, options, "verify", err);

    if (status == DPL_OK)
        status = choose_face(&v.face_a, a, "photo a", o.face_a, err);
    if (status == DPL_OK)
        status = choose_face(&v.face_b, b, "photo b", o.face_b, err);
    if (status == DPL_OK)
        status = check_fitness(&fitness_a, &judge, a, "photo a", v.face_a, err);
    if (status == DPL_OK)
        status = check_fitness(&fitness_b, &judge, b, "photo b", v.face_b, err);
    if (status != DPL_OK)
        return status;
    const dpli_side side_a = dpli_side_of(&judge, a->vectors + v.face_a * dim, fitness_a);
    const dpli_side side_b = dpli_side_of(&judge, b->vectors + v.face_b * dim, fitness_b);
    const dpl_comparison c = dpli_compare(&judge, &side_a, &side_b, 1);
    keep(&v, &c);
    *out = v;
    return DPL_OK;
}

/* Of a vector that comes from outside. */
static dpl_status check_vector(const float *vector, int32_t dim, const char *which, dpl_error *err)
{
    bool any = false;

    for (int32_t i = 0; i < dim; i++) {
        if (!isfinite(vector[i]))
            return dpli_fail(err, DPL_E_NUMERIC, "vector %s: number %d is not finite", which,
                             (int)i + 1);
        any = any || vector[i] != 0;
    }
    return any ? DPL_OK : dpli_fail(err, DPL_E_NUMERIC, "vector %s is all zero", which);
}

dpl_status dpl_compare_vectors(dpl_comparison *out, const dpl_pipeline *pipeline,
                               const dpl_policy *policy, const float *a, const float *b,
                               const dpl_face *face_a, const dpl_face *face_b, dpl_error *err)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    const dpli_judge judge = dpli_pipeline_judge(pipeline, policy);
    const dpl_fitness fitness_a =
        face_a ? dpl_calibration_fitness(judge.calibration, face_a) : DPL_FITNESS_FAIR;
    const dpl_fitness fitness_b =
        face_b ? dpl_calibration_fitness(judge.calibration, face_b) : DPL_FITNESS_FAIR;
    dpl_status status = check_vector(a, dim, "a", err);

    if (status == DPL_OK)
        status = check_vector(b, dim, "b", err);
    if (status != DPL_OK)
        return status;
    const dpli_side side_a = dpli_side_of(&judge, a, fitness_a);
    const dpli_side side_b = dpli_side_of(&judge, b, fitness_b);
    *out = dpli_compare(&judge, &side_a, &side_b, 1);
    return DPL_OK;
}

/* ------------------------------------------------------------------ claims */

/* Whether there is something to compare with, in words where there is not. */
static dpl_status check_templates(const dpli_person_templates *t, const dpli_judge *judge,
                                  const dpl_gallery *gallery, const char *person, dpl_error *err)
{
    if (t->n_templates == 0 && t->foreign)
        return dpli_fail(err, DPL_E_MISMATCH,
                         "the gallery's templates of \"%s\" are another model's; " DPLI_WAY_OUT,
                         person);
    if (t->n_templates == 0)
        return dpli_fail(err, DPL_E_NO_PERSON, "the gallery \"%s\" holds no template of \"%s\"",
                         dpl_gallery_dir(gallery), person);
    if (t->side.fitness == DPL_FITNESS_TOO_POOR && dpli_by_rate(judge))
        return dpli_fail(err, DPL_E_QUALITY,
                         "every photo of \"%s\" in the gallery is too poor to tell by a rate",
                         person);
    return DPL_OK;
}

dpl_status dpl_verify_claim(dpl_verdict *out, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                            const dpl_policy *policy, const dpl_photo *photo, const char *person,
                            const dpl_verify_options *options, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const int32_t dim = dpl_encoder_dim(encoder);
    const dpli_judge judge = dpli_pipeline_judge(pipeline, policy);
    dpl_verify_options o = DPL_VERIFY_OPTIONS_INIT;
    dpl_verdict v = {.best_score = NAN};
    dpli_person_templates templates;
    dpl_fitness fitness;
    dpl_status status = dpli_options(&o, sizeof o, options, "verify", err);

    if (status == DPL_OK)
        status = choose_face(&v.face_a, photo, "the photo", o.face_a, err);
    if (status == DPL_OK)
        status = check_fitness(&fitness, &judge, photo, "the photo", v.face_a, err);
    if (status == DPL_OK)
        status = dpli_gallery_fits(gallery, encoder, err);
    if (status != DPL_OK)
        return status;
    const dpli_side probe = dpli_side_of(&judge, photo->vectors + v.face_a * (size_t)dim, fitness);
    status =
        dpli_person_templates_read(&templates, gallery, &judge, person, dpl_encoder_space(encoder),
                                   dpl_encoder_hash(encoder), dim, probe.vector, err);
    if (status == DPL_OK)
        status = check_templates(&templates, &judge, gallery, person, err);
    if (status == DPL_OK) {
        const dpl_comparison c = dpli_compare_person(&judge, &probe, &templates);

        keep(&v, &c);
        v.n_templates = (size_t)templates.n_templates;
        v.n_compared = (size_t)templates.n_compared;
        v.by_mean = templates.mean != NULL && templates.n_compared > 1;
        v.template_id = templates.best_id;
        v.best_score = templates.best_score;
        *out = v;
    }
    dpli_person_templates_clear(&templates);
    return status;
}

/* ------------------------------------------------------------------ two people */

dpl_status dpl_compare_people(dpl_comparison *out, dpl_gallery *gallery,
                              const dpl_pipeline *pipeline, const dpl_policy *policy, const char *a,
                              const char *b, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const dpli_judge judge = dpli_pipeline_judge(pipeline, policy);
    const char *const people[2] = {a, b};
    dpli_person_templates templates[2] = {0};
    dpl_status status = dpli_gallery_fits(gallery, encoder, err);

    for (int i = 0; i < 2 && status == DPL_OK; i++) {
        status = dpli_person_templates_read(&templates[i], gallery, &judge, people[i],
                                            dpl_encoder_space(encoder), dpl_encoder_hash(encoder),
                                            dpl_encoder_dim(encoder), NULL, err);
        if (status == DPL_OK && templates[i].n_compared == 0)
            status =
                dpli_fail(err, DPL_E_NO_PERSON, "the gallery \"%s\" holds no template of \"%s\"",
                          dpl_gallery_dir(gallery), people[i]);
    }
    if (status == DPL_OK)
        *out = dpli_compare_people(&judge, &templates[0], &templates[1]);
    for (int i = 0; i < 2; i++)
        dpli_person_templates_clear(&templates[i]);
    return status;
}
