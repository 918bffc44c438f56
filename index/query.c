/*
 * query.c - a photo to answers: who each face is, and what looks like it.
 *
 * The search finds the photos most like a face. They only propose: of a person with many photos one
 * is always a little more like a stranger, so it is the people of these photos that are compared,
 * each as a whole (person.c), and the best of them decides. The photos are shown.
 *
 * Whole pictures are found by their vectors, and the first few are looked at: what is the same
 * picture, edited, comes before what is only alike.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/overlay.h"
#include "index/people.h"
#include "index/pipeline.h"

enum {
    MAX_PEOPLE = 5,  /* that are compared; the right one is rarely not among the first few */
    MIN_PEOPLE = 3,  /* for so many it is searched deeper, where one has many photos */
    FETCH_TIMES = 4, /* photos fetched for one wanted */
    FETCH_MIN = 20,
    FETCH_MAX = 2048 /* deeper than this it is not searched */
};

dpl_status dpl_policy_for_search(dpl_policy *out, const dpl_calibration *calibration, double fpir,
                                 int64_t n_persons, dpl_error *err)
{
    double fmr, lowest;

    if (!(fpir > 0 && fpir < 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "a rate must lie between 0 and 1, not at %g", fpir);
    if (!calibration)
        return dpl_policy_make(out, NULL, (double)NAN, (double)NAN, err);
    /* What a comparison with several photos divides by the factor must be supported, too. */
    lowest = dpl_calibration_lowest_fmr(calibration) * dpl_calibration_mean_factor(calibration);
    fmr = fmin(DPL_DEFAULT_FMR, fpir / (double)(n_persons > 0 ? n_persons : 1));
    return dpl_policy_make(out, calibration, fmin(fmax(fmr, lowest), 0.5), (double)NAN, err);
}

/* One kind of search: which vectors, judged how. */
typedef struct search {
    dpl_gallery *gallery;
    const dpl_encoder *encoder;
    dpli_judge judge;
    bool by_person; /* faces: the people decide; else each photo by itself */
    const dpl_search_options *options;
    const dpl_sketch *sketch;    /* of the picture asked about; NULL: of a face, or not to be had */
    dpli_people *people;         /* NULL: by its head each photo is compared */
    dpli_person_templates alone; /* of the person compared last, where they are not kept */
} search;

/* ------------------------------------------------------------------ photos */

/* A hit being filled from its row; failed is set when memory runs out. */
typedef struct filling {
    const search *s;
    const dpli_side *probe;
    dpl_answer_hit *hit;
    bool is_proposed; /* to be laid over */
    int failed;
} filling;

/* The picture asked about, on one that was found; where no thumbnail of that is left, nothing is
 * told. */
static dpl_status lay_over(dpl_answer_hit *h, const search *s, const dpl_template_row *row)
{
    const dpl_policy *policy = s->judge.policy;
    const bool by_threshold = policy && policy->decides && isnan(policy->fmr);
    dpl_image thumb = DPL_IMAGE_INIT;
    dpl_sketch found;
    dpl_status status;

    if (row->n_thumb == 0 || row->photo_width_px < 1 || row->photo_height_px < 1)
        return DPL_OK;
    status = dpl_image_decode(&thumb, row->thumb, row->n_thumb, NULL, NULL);
    thumb.full_width_px = row->photo_width_px;
    thumb.full_height_px = row->photo_height_px;
    if (status == DPL_OK)
        status = dpl_sketch_make(&found, &thumb, NULL);
    dpl_image_clear(&thumb);
    if (status != DPL_OK)
        return status;
    dpl_sketch_compare(&h->overlay, &found, s->sketch);
    h->is_copy = dpl_overlay_is_copy(&h->overlay);
    if (h->is_copy)
        h->rate = dpl_copy_rate(&h->overlay);
    if (h->is_copy && !by_threshold)
        h->decision = DPL_DECISION_MATCH;
    return DPL_OK;
}

static dpl_status fill_hit(void *ctx, const dpl_template_row *row)
{
    filling *f = ctx;
    dpl_answer_hit *h = f->hit;
    const dpli_judge *judge = &f->s->judge;
    const dpl_fitness fitness = dpl_calibration_fitness(judge->calibration, &row->face);
    const dpli_side side = dpli_side_of(judge, row->vector, fitness);
    const dpl_comparison c = dpli_compare(judge, f->probe, &side, 1);

    h->rate = c.rate;
    h->decision = c.decision;
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
    if (f->is_proposed)
        f->failed |= lay_over(h, f->s, row) == DPL_E_MEMORY;
    return DPL_OK;
}

/* Append a hit, unless another process has forgotten it since the search. */
static dpl_status add_hit(dpl_answer *a, const search *s, const dpli_side *probe,
                          const dpl_hit *hit, dpl_error *err)
{
    dpl_answer_hit *h = &a->hits[a->n_hits];
    filling f = {s, probe, h, s->sketch && dpli_is_proposed(a->n_hits, hit->score), 0};
    dpl_status status = dpl_gallery_get_template(s->gallery, hit->template_id, fill_hit, &f, err);

    if (status == DPL_E_NOT_FOUND)
        return DPL_OK;
    if (status == DPL_OK && f.failed)
        status = dpli_fail(err, DPL_E_MEMORY, "no memory for the answer");
    a->n_hits++; /* counted also when it failed, so that what it holds is freed */
    h->hit = *hit;
    return status;
}

/* The best k, and what is laid over; with room for one more. */
static dpl_status add_hits(dpl_answer *a, const search *s, const dpli_side *probe,
                           const dpl_hit *hits, size_t n, dpl_error *err)
{
    const size_t k = (size_t)s->options->k, most = s->sketch ? DPLI_MOST_PROPOSED : 0;
    dpl_status status = DPL_OK;

    a->hits = dpli_calloc((k > most ? k : most) + 1, sizeof *a->hits, err);
    if (!a->hits)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        if (a->n_hits < k || (s->sketch && dpli_is_proposed(a->n_hits, hits[i].score)))
            status = add_hit(a, s, probe, &hits[i], err);
    return status;
}

static void clear_hit(dpl_answer_hit *h)
{
    free(h->person);
    free(h->photo_path);
    free(h->thumb);
}

/* Copies before what is only alike, those that agree best first; no more are left than were asked
 * for. */
static void sort_copies(dpl_answer *a, const search *s)
{
    for (size_t i = 0; i < a->n_hits; i++) {
        const dpl_answer_hit h = a->hits[i];
        size_t to = i;

        if (!h.is_copy)
            continue;
        for (; to > 0 &&
               !(a->hits[to - 1].is_copy && a->hits[to - 1].overlay.score >= h.overlay.score);
             to--)
            a->hits[to] = a->hits[to - 1];
        a->hits[to] = h;
    }
    while (a->n_hits > (size_t)s->options->k)
        clear_hit(&a->hits[--a->n_hits]);
}

/* Bring the best photo of whom it is, or may be, before all others, and let the people decide. */
static dpl_status lead(dpl_answer *a, const search *s, const dpli_side *probe, const dpl_hit *hits,
                       size_t n, dpl_error *err)
{
    const dpl_candidate *first = a->candidates;
    size_t at = 0, from = 0;
    dpl_answer_hit best;

    for (size_t i = 0; i < a->n_hits; i++)
        for (size_t j = 0; j < a->n_candidates; j++)
            if (a->candidates[j].person_id == a->hits[i].hit.person_id)
                a->hits[i].decision = a->candidates[j].comparison.decision;
    if (a->n_candidates == 0 || (first->comparison.decision != DPL_DECISION_MATCH &&
                                 first->comparison.decision != DPL_DECISION_INCONCLUSIVE))
        return DPL_OK;
    while (at < a->n_hits && a->hits[at].hit.person_id != first->person_id)
        at++;
    while (from < n && hits[from].person_id != first->person_id)
        from++;
    if (at == a->n_hits &&
        from < n) { /* further down than was asked for: in the last one's place */
        dpl_status status = add_hit(a, s, probe, &hits[from], err);
        if (status != DPL_OK)
            return status;
        if (at == a->n_hits) /* forgotten meanwhile */
            return DPL_OK;
        a->hits[at].decision = first->comparison.decision;
        if (a->n_hits > (size_t)s->options->k) {
            clear_hit(&a->hits[at - 1]);
            a->hits[at - 1] = a->hits[at];
            a->n_hits--;
            at--;
        }
    }
    if (at == a->n_hits)
        return DPL_OK;
    best = a->hits[at];
    memmove(&a->hits[1], &a->hits[0], at * sizeof best);
    a->hits[0] = best;
    return DPL_OK;
}

/* ------------------------------------------------------------------ people */

static dpl_status take_name(void *ctx, const dpl_template_row *row)
{
    char **name = ctx;

    *name = row->person ? dpli_strdup(row->person, NULL) : NULL;
    return row->person && !*name ? DPL_E_MEMORY : DPL_OK;
}

/* The name of a hit's person, freed by free(); NULL when they have been forgotten since the search.
 */
static dpl_status name_of(char **name, const search *s, const dpl_answer *a, const dpl_hit *hit,
                          dpl_error *err)
{
    dpl_status status;

    *name = NULL;
    for (size_t i = 0; i < a->n_hits; i++)
        if (a->hits[i].person && a->hits[i].hit.person_id == hit->person_id) {
            *name = dpli_strdup(a->hits[i].person, err);
            return *name ? DPL_OK : DPL_E_MEMORY;
        }
    status = dpl_gallery_get_template(s->gallery, hit->template_id, take_name, name, err);
    if (status == DPL_E_MEMORY)
        dpli_fail(err, status, "no memory for the answer");
    return status == DPL_E_NOT_FOUND ? DPL_OK : status;
}

/* What a hit's person is compared as; *out NULL when they have been forgotten since the search, or
 * have nothing to compare. Borrowed until the next call. */
static dpl_status know(const dpli_person_templates **out, search *s, const char *name,
                       const dpl_hit *hit, const float *probe, dpl_error *err)
{
    dpl_status status;

    *out = s->people ? dpli_people_find(s->people, hit->person_id) : NULL;
    if (*out)
        return DPL_OK;
    dpli_person_templates_clear(&s->alone);
    status = dpli_person_templates_read(&s->alone, s->gallery, &s->judge, name,
                                        dpl_encoder_space(s->encoder), dpl_encoder_hash(s->encoder),
                                        dpl_encoder_dim(s->encoder), s->people ? NULL : probe, err);
    if (status != DPL_OK || s->alone.n_compared == 0)
        return status;
    *out = &s->alone;
    if (s->people) {
        dpli_people_keep(s->people, hit->person_id, &s->alone);
        *out = dpli_people_find(s->people, hit->person_id);
    }
    return DPL_OK;
}

/* Of decisions, which says more. */
static int weight(dpl_decision decision)
{
    switch (decision) {
    case DPL_DECISION_MATCH: return 4;
    case DPL_DECISION_INCONCLUSIVE: return 3;
    case DPL_DECISION_NO_MATCH:
    case DPL_DECISION_NONE: return 2;
    case DPL_DECISION_TOO_POOR: break;
    }
    return 1;
}

static bool is_before(const search *s, const dpl_comparison *a, const dpl_comparison *b)
{
    const float x = dpli_decisive(&s->judge, a), y = dpli_decisive(&s->judge, b);

    if (weight(a->decision) != weight(b->decision))
        return weight(a->decision) > weight(b->decision);
    return isfinite(x) && (!isfinite(y) || x > y);
}

/* The people of the hits, in their order at most as many as are compared, each once. */
static size_t people_of(size_t first[MAX_PEOPLE], const dpl_hit *hits, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < n && hits[i].template_id >= 0 && found < MAX_PEOPLE; i++) {
        bool seen = hits[i].person_id == 0;

        for (size_t j = 0; j < found && !seen; j++)
            seen = hits[first[j]].person_id == hits[i].person_id;
        if (!seen)
            first[found++] = i;
    }
    return found;
}

static dpl_status compare_people(dpl_answer *a, search *s, const dpli_side *probe,
                                 const dpl_hit *hits, size_t n, dpl_error *err)
{
    size_t first[MAX_PEOPLE];
    const size_t n_people = people_of(first, hits, n);

    a->candidates = dpli_calloc(n_people, sizeof *a->candidates, err);
    if (!a->candidates)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n_people; i++) {
        const dpl_hit *hit = &hits[first[i]];
        const dpli_person_templates *templates = NULL;
        dpl_candidate c = {.person_id = hit->person_id};
        size_t at = a->n_candidates;
        dpl_status status = name_of(&c.person, s, a, hit, err);

        if (status == DPL_OK && c.person)
            status = know(&templates, s, c.person, hit, probe->vector, err);
        if (status != DPL_OK || !templates)
            free(c.person);
        if (status != DPL_OK)
            return status;
        if (!templates)
            continue;
        c.comparison = dpli_compare_person(&s->judge, probe, templates);
        c.n_templates = (size_t)templates->n_templates;
        c.n_compared = (size_t)templates->n_compared;
        c.by_mean = templates->mean != NULL && c.n_compared > 1;
        for (; at > 0 && is_before(s, &c.comparison, &a->candidates[at - 1].comparison); at--)
            a->candidates[at] = a->candidates[at - 1];
        a->candidates[at] = c;
        a->n_candidates++;
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ answers */

/* Of a picture, the first hit that has a name decides; a copy of nobody's is one, too. */
static void decide_picture(dpl_answer *a)
{
    for (size_t i = 0; i < a->n_hits; i++)
        if (a->hits[i].person && a->decision == DPL_DECISION_NONE) {
            a->decision = a->hits[i].decision;
            a->person = a->decision == DPL_DECISION_MATCH ? a->hits[i].person : NULL;
        }
    for (size_t i = 0; i < a->n_hits; i++)
        if (a->hits[i].decision == DPL_DECISION_MATCH)
            a->decision = DPL_DECISION_MATCH;
}

static void decide(dpl_answer *a, const search *s, const dpli_side *probe)
{
    const dpl_policy *policy = s->judge.policy;

    if (!s->by_person)
        decide_picture(a);
    if (!policy || !policy->decides)
        return;
    if (s->by_person && a->n_candidates > 0) {
        a->decision = a->candidates[0].comparison.decision;
        a->person = a->decision == DPL_DECISION_MATCH ? a->candidates[0].person : NULL;
    }
    /* Nobody there to compare with, or only people whose photos tell nothing. */
    if (a->decision == DPL_DECISION_NONE || a->decision == DPL_DECISION_TOO_POOR)
        a->decision = DPL_DECISION_NO_MATCH;
    if (dpli_by_rate(&s->judge) && probe->fitness == DPL_FITNESS_TOO_POOR)
        a->decision = DPL_DECISION_TOO_POOR;
}

static size_t count_hits(const dpl_hit *hits, size_t n)
{
    size_t found = 0;

    while (found < n && hits[found].template_id >= 0)
        found++;
    return found;
}

/* Where a few people take up all that was fetched, search again for more. *out is the caller's,
 * NULL when the hits that there are will do. */
static dpl_status fetch_more(dpl_hit **out, size_t *n, const search *s, const float *probe,
                             const dpl_hit *hits, dpl_error *err)
{
    dpl_search_options options = *s->options;
    size_t fetched = *n, first[MAX_PEOPLE];

    *out = NULL;
    while (s->by_person && count_hits(hits, fetched) == fetched && fetched < FETCH_MAX &&
           people_of(first, hits, fetched) < MIN_PEOPLE) {
        dpl_hit *more;
        dpl_status status;

        fetched = 4 * fetched < FETCH_MAX ? 4 * fetched : FETCH_MAX;
        more = dpli_realloc(*out, fetched, sizeof *more, err);
        if (!more)
            return DPL_E_MEMORY;
        *out = more;
        options.k = (int32_t)fetched;
        status = dpl_gallery_search(more, s->gallery, s->judge.head, dpl_encoder_space(s->encoder),
                                    probe, 1, dpl_encoder_dim(s->encoder), &options, NULL, err);
        if (status != DPL_OK)
            return status;
        hits = more;
        *n = fetched;
    }
    return DPL_OK;
}

static dpl_status answer_one(dpl_answer *a, search *s, const dpli_side *probe, const dpl_hit *hits,
                             size_t n, dpl_error *err)
{
    dpl_hit *more = NULL;
    dpl_status status = fetch_more(&more, &n, s, probe->vector, hits, err);

    hits = more ? more : hits;
    n = count_hits(hits, n);
    if (status == DPL_OK)
        status = add_hits(a, s, probe, hits, n, err);
    if (status == DPL_OK && s->by_person)
        status = compare_people(a, s, probe, hits, n, err);
    if (status == DPL_OK && s->by_person)
        status = lead(a, s, probe, hits, n, err);
    if (status == DPL_OK && s->sketch)
        sort_copies(a, s);
    if (status == DPL_OK)
        decide(a, s, probe);
    free(more);
    return status;
}

/* @param faces  of the probes; NULL: they are none's */
static dpl_status answer_all(dpl_answer *answers, search *s, const float *probes,
                             const dpl_face *faces, size_t n, dpl_error *err)
{
    dpl_search_options options = *s->options;
    const int32_t dim = dpl_encoder_dim(s->encoder);
    dpl_search_info info = {0};
    dpl_hit *hits = NULL;
    size_t n_hits, fetch;
    dpl_status status = dpli_gallery_fits(s->gallery, s->encoder, err);

    if (status != DPL_OK)
        return status;
    if (options.k < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "k must be positive, not %d", (int)options.k);
    fetch = (size_t)options.k;
    if (s->by_person)
        fetch = fetch * FETCH_TIMES > FETCH_MIN ? fetch * FETCH_TIMES : FETCH_MIN;
    else if (s->sketch && fetch < DPLI_MOST_PROPOSED)
        fetch = DPLI_MOST_PROPOSED;
    if (fetch > FETCH_MAX) /* what was asked for is fetched in any case */
        fetch = (size_t)options.k > FETCH_MAX ? (size_t)options.k : FETCH_MAX;
    if (!dpli_mul(&n_hits, n, fetch))
        return dpli_fail(err, DPL_E_ARGUMENT, "k is too large: %d", (int)options.k);
    hits = dpli_alloc(n_hits, sizeof *hits, err);
    if (!hits)
        return DPL_E_MEMORY;
    options.k = (int32_t)fetch;
    status = dpl_gallery_search(hits, s->gallery, s->judge.head, dpl_encoder_space(s->encoder),
                                probes, n, dim, &options, &info, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        const dpl_fitness fitness =
            faces ? dpl_calibration_fitness(s->judge.calibration, &faces[i]) : DPL_FITNESS_FAIR;
        const dpli_side probe = dpli_side_of(&s->judge, probes + i * (size_t)dim, fitness);

        answers[i].search = info;
        status = answer_one(&answers[i], s, &probe, hits + i * fetch, fetch, err);
    }
    free(hits);
    return status;
}

/* A face's rate says nothing of a picture: by the pictures' own, one is a copy or is not. */
static dpl_status judge_pictures(search *s, dpl_policy *of_copies, const dpl_pipeline *pipeline,
                                 const dpl_policy *policy, dpl_error *err)
{
    int64_t n;
    dpl_status status;

    s->judge.calibration = dpl_pipeline_image_calibration(pipeline);
    s->judge.policy = policy && isnan(policy->fmr) && policy->decides ? policy : NULL;
    if (s->judge.policy || !s->judge.calibration)
        return DPL_OK;
    status = dpli_count_space(&n, s->gallery, DPLI_IMAGE_SPACE, err);
    if (status == DPL_OK)
        status = dpl_policy_for_search(of_copies, s->judge.calibration, DPL_DEFAULT_FPIR, n, err);
    s->judge.policy = of_copies;
    return status;
}

dpl_status dpl_query(dpl_answer **out, size_t *n_out, dpl_gallery *gallery,
                     const dpl_pipeline *pipeline, const dpl_policy *policy, const dpl_photo *photo,
                     dpl_query_by by, const dpl_search_options *options, dpl_error *err)
{
    dpl_search_options known = DPL_SEARCH_OPTIONS_INIT;
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(pipeline);
    dpl_head *image_head = NULL;
    dpl_policy of_copies;
    dpl_sketch sketch;
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
        s.judge = dpli_pipeline_judge(pipeline, policy);
        s.by_person = true;
        if (dpl_head_get_kind(s.judge.head) == DPL_HEAD_COSINE)
            status = dpli_people_open(&s.people, gallery, &s.judge, s.encoder, err);
        for (size_t i = 0; i < n; i++)
            answers[i].face = (int32_t)i;
        if (status == DPL_OK)
            status = answer_all(answers, &s, photo->vectors, photo->faces, n, err);
    } else {
        s.encoder = image_encoder;
        answers[0].face = -1;
        status = dpl_head_open(&image_head, image_encoder, err);
        if (status == DPL_OK)
            status = judge_pictures(&s, &of_copies, pipeline, policy, err);
        s.judge.head = image_head;
        if (status == DPL_OK && photo->image.pixels) {
            status = dpl_sketch_make(&sketch, &photo->image, err);
            s.sketch = &sketch;
        }
        if (status == DPL_OK)
            status = answer_all(answers, &s, photo->image_vector, NULL, 1, err);
    }
    dpli_person_templates_clear(&s.alone);
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
        for (size_t j = 0; j < answers[i].n_hits; j++)
            clear_hit(&answers[i].hits[j]);
        for (size_t j = 0; j < answers[i].n_candidates; j++)
            free(answers[i].candidates[j].person);
        free(answers[i].candidates);
        free(answers[i].hits);
    }
    free(answers);
}
