/*
 * query.c - a photo to answers: who each face is, and what looks like it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/pipeline.h"

#define NO_RATE ((dpl_rate){(double)NAN, (double)NAN, (double)NAN, 0})

dpl_status dpl_policy_for_search(dpl_policy *out, const dpl_calibration *calibration, double fpir,
                                 int64_t n_persons, dpl_error *err)
{
    double fmr;

    if (!(fpir > 0 && fpir < 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "a rate must lie between 0 and 1, not at %g", fpir);
    if (!calibration)
        return dpl_policy_make(out, NULL, (double)NAN, (double)NAN, err);
    fmr = fmin(DPL_DEFAULT_FMR, fpir / (double)(n_persons > 0 ? n_persons : 1));
    fmr = fmax(fmr, dpl_calibration_lowest_fmr(calibration));
    return dpl_policy_make(out, calibration, fmr, (double)NAN, err);
}

/* One kind of search: which vectors, judged how. */
typedef struct search {
    dpl_gallery *gallery;
    const dpl_encoder *encoder;
    const dpl_head *head;
    const dpl_calibration *calibration; /* NULL: no rates */
    const dpl_policy *policy;           /* NULL: no decisions */
    const dpl_search_options *options;
} search;

/* A hit being filled from its row; failed is set when memory runs out. */
typedef struct filling {
    dpl_answer_hit *hit;
    int failed;
} filling;

static dpl_status fill_hit(void *ctx, const dpl_template_row *row)
{
    filling *f = ctx;
    dpl_answer_hit *h = f->hit;

    h->face = row->face;
    h->photo_path = dpli_strdup(row->photo_path, NULL);
    h->person = row->person ? dpli_strdup(row->person, NULL) : NULL;
    f->failed = !h->photo_path || (row->person && !h->person);
    if (row->thumb && row->n_thumb > 0) {
        h->thumb = dpli_alloc(row->n_thumb, 1, NULL);
        if (h->thumb) {
            memcpy(h->thumb, row->thumb, row->n_thumb);
            h->n_thumb = row->n_thumb;
        }
        f->failed |= !h->thumb;
    }
    return DPL_OK;
}

static dpl_status answer_one(dpl_answer *a, const search *s, const dpl_hit *hits, int32_t k,
                             dpl_error *err)
{
    a->hits = dpli_calloc((size_t)k, sizeof *a->hits, err);
    if (!a->hits)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < k && hits[i].template_id >= 0; i++) {
        dpl_answer_hit *h = &a->hits[a->n_hits];
        filling f = {h, 0};
        dpl_status status =
            dpl_gallery_get_template(s->gallery, hits[i].template_id, fill_hit, &f, err);
        if (status == DPL_E_NOT_FOUND) /* forgotten by another process since the search */
            continue;
        if (status == DPL_OK && f.failed)
            status = dpli_fail(err, DPL_E_MEMORY, "no memory for the answer");
        a->n_hits++; /* counted also when it failed, so that what it holds is freed */
        if (status != DPL_OK)
            return status;
        h->hit = hits[i];
        h->rate = s->calibration ? dpl_calibration_fmr(s->calibration, h->hit.score) : NO_RATE;
        h->decision = s->policy ? dpl_decide(s->policy, h->hit.score) : DPL_DECISION_NONE;
        /* Hits come best first: the first that has a name decides who it is. */
        if (h->person && a->decision == DPL_DECISION_NONE) {
            a->decision = h->decision;
            if (h->decision == DPL_DECISION_MATCH)
                a->person = h->person;
        }
    }
    if (a->decision == DPL_DECISION_NONE && s->policy && s->policy->decides)
        a->decision = DPL_DECISION_NO_MATCH;
    return DPL_OK;
}

static dpl_status answer_all(dpl_answer *answers, const search *s, const float *probes, size_t n,
                             dpl_error *err)
{
    const int32_t k = s->options->k;
    dpl_search_info info = {0};
    dpl_hit *hits;
    size_t n_hits;
    dpl_status status = dpli_gallery_fits(s->gallery, s->encoder, err);

    if (status != DPL_OK)
        return status;
    if (k < 1 || !dpli_mul(&n_hits, n, (size_t)k))
        return dpli_fail(err, DPL_E_ARGUMENT, "k must be positive, not %d", (int)k);
    hits = dpli_alloc(n_hits, sizeof *hits, err);
    if (!hits)
        return DPL_E_MEMORY;
    status = dpl_gallery_search(hits, s->gallery, s->head, dpl_encoder_space(s->encoder), probes, n,
                                dpl_encoder_dim(s->encoder), s->options, &info, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        answers[i].search = info;
        status = answer_one(&answers[i], s, hits + i * (size_t)k, k, err);
    }
    free(hits);
    return status;
}

dpl_status dpl_query(dpl_answer **out, size_t *n_out, dpl_gallery *gallery,
                     const dpl_pipeline *pipeline, const dpl_policy *policy, const dpl_photo *photo,
                     dpl_query_by by, const dpl_search_options *options, dpl_error *err)
{
    dpl_search_options known = DPL_SEARCH_OPTIONS_INIT;
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(pipeline);
    dpl_head *image_head = NULL;
    search s = {.gallery = gallery, .options = &known};
    dpl_answer *answers;
    size_t n;
    dpl_status status;

    *out = NULL;
    *n_out = 0;
    status = dpli_options(&known, sizeof known, options, "search", err);
    if (status != DPL_OK)
        return status;
    if (by == DPL_QUERY_AUTO)
        by = photo->n_faces > 0 || !image_encoder ? DPL_QUERY_FACE : DPL_QUERY_IMAGE;
    if (by == DPL_QUERY_IMAGE && !image_encoder)
        return dpli_fail(err, DPL_E_MODEL, "searching by picture needs an image encoder");
    if (by == DPL_QUERY_FACE && photo->n_faces == 0)
        return dpli_no_face(photo, err);

    n = by == DPL_QUERY_FACE ? photo->n_faces : 1;
    answers = dpli_calloc(n, sizeof *answers, err);
    if (!answers)
        return DPL_E_MEMORY;
    if (by == DPL_QUERY_FACE) {
        s.encoder = dpl_pipeline_encoder(pipeline);
        s.head = dpl_pipeline_head(pipeline);
        s.calibration = dpl_pipeline_calibration(pipeline);
        s.policy = policy;
        for (size_t i = 0; i < n; i++)
            answers[i].face = (int32_t)i;
        status = answer_all(answers, &s, photo->vectors, n, err);
    } else {
        s.encoder = image_encoder;
        /* A face's rate says nothing of a picture. */
        s.policy =
            isnan(policy->fmr) || dpli_space_find(dpl_encoder_space(image_encoder))->has_rates
                ? policy
                : NULL;
        answers[0].face = -1;
        status = dpl_head_open(&image_head, image_encoder, err);
        s.head = image_head;
        if (status == DPL_OK)
            status = answer_all(answers, &s, photo->image_vector, 1, err);
    }
    dpl_head_free(image_head);
    if (status != DPL_OK) {
        dpl_answers_free(answers, n);
        return status;
    }
    *out = answers;
    *n_out = n;
    return DPL_OK;
}

void dpl_answers_free(dpl_answer *answers, size_t n)
{
    if (!answers)
        return;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < answers[i].n_hits; j++) {
            dpl_answer_hit *h = &answers[i].hits[j];
            free(h->person);
            free(h->photo_path);
            free(h->thumb);
        }
        free(answers[i].hits);
    }
    free(answers);
}
