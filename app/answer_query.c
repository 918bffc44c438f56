/*
 * answer_query.c - the answer of `query` as JSON.
 */
#include "app/answer_query.h"

#include <math.h>
#include <stdlib.h>

#include "app/copy_words.h"
#include "app/json.h"
#include "app/text.h"

dpl_status query_policy(dpl_policy *out, int64_t *n_persons, dpl_gallery *gallery,
                        const dpl_pipeline *pipeline, double fmr, double fpir, double threshold,
                        double min_fmr, dpl_error *err)
{
    const dpl_calibration *calibration = dpl_pipeline_calibration(pipeline);
    int64_t n;
    dpl_status status = dpl_gallery_count_people(&n, gallery, err);

    if (status != DPL_OK)
        return status;
    if (n_persons)
        *n_persons = n;
    if (!calibration && (!isnan(fpir) || !isnan(min_fmr))) {
        *err = (dpl_error){DPL_E_ARGUMENT, "a rate needs a calibration, and the model has none; a "
                                           "threshold decides without"};
        return DPL_E_ARGUMENT;
    }
    return isnan(fmr) && isnan(threshold)
               ? dpl_policy_for_search(out, calibration, isnan(fpir) ? DPL_DEFAULT_FPIR : fpir, n,
                                       err)
               : dpl_policy_make(out, calibration, fmr, threshold, err);
}

/* What half of all strangers reach says nothing of anybody. */
#define COMMON_RATE 0.5

static bool is_common(double rate, double min_fmr)
{
    return isnan(min_fmr) ? rate >= COMMON_RATE : !(rate <= min_fmr);
}

/* What decides is shown, however common: a threshold may have been given. */
static bool is_kept(dpl_decision decision, double rate, double min_fmr)
{
    return decision == DPL_DECISION_MATCH || decision == DPL_DECISION_INCONCLUSIVE ||
           !is_common(rate, min_fmr);
}

size_t query_n_kept(const dpl_answer *answer, double min_fmr)
{
    size_t n = 0;

    while (n < answer->n_hits &&
           is_kept(answer->hits[n].decision, answer->hits[n].rate.rate, min_fmr))
        n++;
    return n;
}

size_t query_n_candidates(const dpl_answer *answer, double min_fmr)
{
    size_t n = 0;

    while (n < answer->n_candidates && is_kept(answer->candidates[n].comparison.decision,
                                               answer->candidates[n].comparison.rate.rate, min_fmr))
        n++;
    return n;
}

char *query_copied(const dpl_answer_hit *h)
{
    char *list = copy_words(&h->overlay, "the one found");
    char *words =
        list ? text_try_format("same picture: %s", list[0] ? list : "all of it at the same size")
             : NULL;

    free(list);
    return words;
}

size_t query_n_matches(const dpl_answer *answer)
{
    size_t n = 0;

    while (n < answer->n_candidates &&
           answer->candidates[n].comparison.decision == DPL_DECISION_MATCH)
        n++;
    return n;
}

static json_t *copy_json(const dpl_answer_hit *h)
{
    char *words = query_copied(h);
    json_t *copy = words ? json_object() : NULL;

    json_put_text(&copy, "evidence", words);
    copy_put_json(&copy, &h->overlay, "found_shown");
    free(words);
    return copy;
}

static json_t *hit_json(const dpl_answer_hit *h)
{
    json_t *hit = json_object();

    json_put_text(&hit, "person", h->person);
    json_put_text(&hit, "photo", h->photo_path);
    json_put_real(&hit, "score", (double)h->hit.score);
    json_put_rate(&hit, h->rate);
    json_put_decision(&hit, h->decision);
    json_put_int(&hit, "template", h->hit.template_id);
    if (h->is_copy)
        json_put(&hit, "copy", copy_json(h));
    return hit;
}

static json_t *candidate_json(const query_facts *f, const dpl_candidate *c)
{
    json_t *candidate = json_object();

    json_put_text(&candidate, "person", c->person);
    json_put_decision(&candidate, c->comparison.decision);
    json_put_comparison(&candidate, f->policy->calibration, &c->comparison);
    json_put_real(&candidate, "threshold", (double)c->comparison.threshold);
    json_put_int(&candidate, "n_templates", (int64_t)c->n_templates);
    json_put_int(&candidate, "n_compared", (int64_t)c->n_compared);
    json_put_text(&candidate, "compared",
                  c->by_mean          ? "mean"
                  : c->n_compared > 1 ? "best"
                                      : "only");
    return candidate;
}

static json_t *answer_json(const query_facts *f, const dpl_answer *answer)
{
    const size_t n = query_n_kept(answer, f->min_fmr);
    json_t *candidates = json_array(), *hits = json_array();
    json_t *object = answer->face >= 0 ? json_face(answer->face + 1, &f->photo->faces[answer->face])
                                       : json_object();

    json_put_decision(&object, answer->decision);
    if (answer->face < 0 && !f->judges_pictures && answer->decision != DPL_DECISION_NONE)
        json_put_bool(&object, "copy", answer->decision == DPL_DECISION_MATCH);
    if (answer->decision == DPL_DECISION_MATCH)
        json_put_text(&object, "person", answer->person);
    if (query_n_matches(answer) > 1)
        json_put_bool(&object, "two_people_match", true);
    for (size_t i = 0; i < query_n_candidates(answer, f->min_fmr); i++)
        json_add(&candidates, candidate_json(f, &answer->candidates[i]));
    if (answer->face >= 0)
        json_put(&object, "candidates", candidates);
    else
        json_decref(candidates);
    for (size_t i = 0; i < n; i++)
        json_add(&hits, hit_json(&answer->hits[i]));
    json_put(&object, "hits", hits);
    return object;
}

static json_t *search_json(const dpl_search_info *info)
{
    json_t *search = json_object();

    json_put_bool(&search, "exact", info->exact);
    json_put_real(&search, "recall", info->recall);
    json_put_text(&search, "index", info->index);
    json_put_int(&search, "n", info->n_templates);
    return search;
}

json_t *query_json(const query_facts *f)
{
    const bool by_picture = f->n == 1 && f->answers[0].face < 0;
    json_t *object = json_answer("query"), *faces = json_array();

    json_put_text(&object, "photo", f->name);
    json_put_text(&object, "sha256", f->photo->sha256);
    json_put_status(&object, DPL_OK, NULL);
    if (f->photo->image.warning[0])
        json_put_text(&object, "warning", f->photo->image.warning);
    json_put_text(&object, "by", by_picture ? "image" : "face");
    if (by_picture) {
        const dpl_encoder *encoder = dpl_pipeline_image_encoder(f->pipeline);
        json_put_encoder(&object, "model", encoder);
        json_put_text(&object, "direction", "higher");
    } else {
        json_put_calibration(&object, f->pipeline);
        json_put_model(&object, f->pipeline);
    }
    if (!by_picture || f->judges_pictures)
        json_put_policy(&object, f->policy);
    if (f->n > 0)
        json_put(&object, "search", search_json(&f->answers[0].search));
    for (size_t i = 0; i < f->n && !by_picture; i++)
        json_add(&faces, answer_json(f, &f->answers[i]));
    json_put(&object, "faces", faces);
    if (f->doubts)
        json_put(&object, "doubts", json_incref(f->doubts));
    if (by_picture)
        json_put(&object, "picture", answer_json(f, &f->answers[0]));
    return object;
}

json_t *query_person_json(const char *person, const char *photo)
{
    json_t *object = json_answer("query");

    json_put_text(&object, "photo", photo);
    json_put_status(&object, DPL_OK, NULL);
    json_put_text(&object, "person", person);
    return object;
}

json_t *query_failure_json(const char *name, const dpl_error *err)
{
    json_t *object = json_answer("query");

    json_put_text(&object, "photo", name);
    json_put_status(&object, err->status, err->message);
    return object;
}
