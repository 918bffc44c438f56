/*
 * look.c - who is in a photo, is it who they say, what looks like it: the routes that only read.
 *
 * The photo becomes vectors before any row is looked at, so that whoever forgets somebody waits for
 * no network. Answers are those of `doppel verify` and `doppel query`.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_query.h"
#include "app/answer_verify.h"
#include "app/doubt.h"
#include "app/json.h"
#include "serve/server.h"

#define DEFAULT_K 5

/* What decides, as asked for. */
typedef struct wish {
    double fmr, fpir, threshold, min_fmr;
    int64_t k, face_a, face_b;
    int by;
    bool doubts;
} wish;

static dpl_status read_wish(wish *w, const http_request *r, dpl_error *err)
{
    static const char *const by[] = {"auto", "face", "image", NULL};
    dpl_status status;

    *w = (wish){.fmr = NAN, .fpir = NAN, .threshold = NAN, .min_fmr = NAN, .k = DEFAULT_K};
    status = ask_real(&w->fmr, r, "fmr", 0, 1, err);
    if (status == DPL_OK)
        status = ask_real(&w->fpir, r, "fpir", 0, 1, err);
    if (status == DPL_OK)
        status = ask_real(&w->threshold, r, "threshold", -1e6, 1e6, err);
    if (status == DPL_OK)
        status = ask_real(&w->min_fmr, r, "min_fmr", 0, 1, err);
    if (status == DPL_OK)
        status = ask_int(&w->k, r, "k", 1, 1000, err);
    if (status == DPL_OK)
        status = ask_int(&w->face_a, r, "face_a", 1, 1000, err);
    if (status == DPL_OK)
        status = ask_int(&w->face_b, r, "face_b", 1, 1000, err);
    if (status == DPL_OK)
        status = ask_choice(&w->by, r, "by", by, err);
    if (status == DPL_OK)
        status = ask_bool(&w->doubts, r, "doubts", err);
    if (status == DPL_OK && !isnan(w->fmr) + !isnan(w->fpir) + !isnan(w->threshold) > 1)
        status = failed(err, DPL_E_ARGUMENT, "fmr, fpir and threshold exclude each other");
    return status;
}

/* Those who have to know who was asked about get their line before the answer goes. */
static dpl_status note_question(desk *d, const char *what, int64_t n, dpl_error *err)
{
    return d->s->o->audit ? dpl_gallery_audit_query(d->gallery, what, n, err) : DPL_OK;
}

/* ------------------------------------------------------------------ query */

/* Doubts as they are told. */
typedef struct doubts {
    json_t *array; /* NULL: none */
    bool is_short;
} doubts;

static void take_doubt(void *ctx, const dpl_doubt *doubt)
{
    doubts *all = ctx;

    if (!all->array && !all->is_short)
        all->array = json_array();
    json_add(&all->array, doubt_json(doubt));
    all->is_short |= !all->array;
}

/* Of one person more. */
static dpl_status add_doubts(doubts *out, desk *d, const char *person, dpl_error *err)
{
    const dpl_status status =
        dpl_gallery_doubts(d->gallery, d->s->pipeline, person, take_doubt, out, err);

    return status == DPL_OK && out->is_short ? failed(err, DPL_E_MEMORY, "out of memory") : status;
}

static dpl_status look_for_doubts(doubts *out, desk *d, const dpl_answer *answers, size_t n,
                                  dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < query_n_matches(&answers[i]) && status == DPL_OK; j++)
            status = add_doubts(out, d, answers[i].candidates[j].person, err);
    return status;
}

static void query_by(desk *d, http_request *r, int by)
{
    dpl_search_options search = DPL_SEARCH_OPTIONS_INIT;
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_answer *answers = NULL;
    doubts told = {0};
    dpl_policy policy;
    size_t n = 0;
    dpl_error err;
    wish w;
    dpl_status status = read_wish(&w, r, &err);

    if (status == DPL_OK)
        status = open_photo(&photo, NULL, d, r, NULL, &err);
    if (status == DPL_OK) {
        search.k = (int32_t)w.k;
        pthread_rwlock_rdlock(&d->s->rows);
        status = query_policy(&policy, NULL, d->gallery, d->s->pipeline, w.fmr, w.fpir, w.threshold,
                              w.min_fmr, &err);
        if (status == DPL_OK)
            status = dpl_query(&answers, &n, d->gallery, d->s->pipeline, &policy, &photo,
                               (dpl_query_by)(by >= 0 ? by : w.by), &search, &err);
        if (status == DPL_OK && w.doubts)
            status = look_for_doubts(&told, d, answers, n, &err);
        if (status == DPL_OK)
            status = note_question(d, "query", 1, &err);
        pthread_rwlock_unlock(&d->s->rows);
    }
    if (status == DPL_OK) {
        const query_facts facts = {
            .pipeline = d->s->pipeline,
            .policy = &policy,
            .judges_pictures = !isnan(w.threshold),
            .min_fmr = w.min_fmr,
            .name = photo.name,
            .photo = &photo,
            .answers = answers,
            .n = n,
            .doubts = told.array,
        };

        say_json(r, 200, query_json(&facts));
    } else {
        say_failure(r, &err);
    }
    json_decref(told.array);
    dpl_answers_free(answers, n);
    dpl_photo_clear(&photo);
}

void answer_query(desk *d, http_request *r)
{
    query_by(d, r, -1);
}

void answer_image_search(desk *d, http_request *r)
{
    const char *text = http_get(r, "text");

    if (text)
        answer_sentence(d, r, text);
    else
        query_by(d, r, DPL_QUERY_IMAGE);
}

/* ------------------------------------------------------------------ verify */

typedef struct claim {
    const char *as;
    char *person, *photo, *rival; /* each freed by free() */
    bool is_own;                  /* the photo is one of the person's own */
} claim;

static dpl_status keep_template(void *ctx, const dpl_template_row *row)
{
    claim *c = ctx;

    c->photo = strdup(row->photo_path);
    c->person = row->person ? strdup(row->person) : NULL;
    return c->photo && (c->person || !row->person) ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status see_same(void *ctx, const dpl_photo_row *row)
{
    claim *c = ctx;

    c->is_own |= row->person && strcmp(row->person, c->person ? c->person : c->as) == 0;
    return DPL_OK;
}

/* Somebody else whom the face matches, too. */
static dpl_status look_for_rival(claim *c, desk *d, const dpl_policy *policy,
                                 const dpl_photo *photo, size_t face, dpl_error *err)
{
    dpl_answer *answers;
    size_t n;
    dpl_status status = dpl_query(&answers, &n, d->gallery, d->s->pipeline, policy, photo,
                                  DPL_QUERY_FACE, NULL, err);

    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0;
             (size_t)answers[i].face == face && k < query_n_matches(&answers[i]) && !c->rival; k++)
            if (strcmp(answers[i].candidates[k].person, c->person ? c->person : c->as) != 0) {
                c->rival = strdup(answers[i].candidates[k].person);
                if (!c->rival)
                    status = failed(err, DPL_E_MEMORY, "out of memory");
            }
    dpl_answers_free(answers, n);
    return status;
}

static dpl_status judge_claim(dpl_verdict *v, claim *c, doubts *told, desk *d, const wish *w,
                              const dpl_policy *policy, const dpl_photo *photo, dpl_error *err)
{
    dpl_verify_options which = DPL_VERIFY_OPTIONS_INIT;
    int n_same;
    dpl_status status;

    *err = (dpl_error){DPL_E_MEMORY, "out of memory"}; /* of a callback, which cannot word it */
    which.face_a = (int32_t)w->face_a - 1;
    status = dpl_verify_claim(v, d->gallery, d->s->pipeline, policy, photo, c->as, &which, err);
    if (status == DPL_OK && v->template_id > 0)
        status = dpl_gallery_get_template(d->gallery, v->template_id, keep_template, c, err);
    if (status == DPL_OK)
        status = dpl_gallery_find_photo(d->gallery, NULL, photo->sha256, see_same, c, &n_same, err);
    if (status == DPL_OK && w->doubts)
        status = add_doubts(told, d, c->as, err);
    if (status == DPL_OK && v->decision == DPL_DECISION_MATCH)
        status = look_for_rival(c, d, policy, photo, v->face_a, err);
    return status;
}

void answer_verify(desk *d, http_request *r)
{
    dpl_photo a = DPL_PHOTO_INIT, b = DPL_PHOTO_INIT;
    claim c = {.as = http_get(r, "as")};
    doubts told = {0};
    dpl_verdict verdict;
    dpl_policy policy;
    dpl_error err;
    wish w;
    dpl_status status = read_wish(&w, r, &err);

    if (status == DPL_OK)
        status = dpl_policy_make(&policy, dpl_pipeline_calibration(d->s->pipeline), w.fmr,
                                 w.threshold, &err);
    if (status == DPL_OK)
        status = open_photo(&a, NULL, d, r, c.as ? NULL : "a", &err);
    if (status == DPL_OK && !c.as)
        status = open_photo(&b, NULL, d, r, "b", &err);
    if (status == DPL_OK && !c.as) {
        dpl_verify_options which = DPL_VERIFY_OPTIONS_INIT;

        which.face_a = (int32_t)w.face_a - 1;
        which.face_b = (int32_t)w.face_b - 1;
        status = dpl_verify(&verdict, d->s->pipeline, &policy, &a, &b, &which, &err);
    } else if (status == DPL_OK) {
        pthread_rwlock_rdlock(&d->s->rows);
        status = judge_claim(&verdict, &c, &told, d, &w, &policy, &a, &err);
        if (status == DPL_OK)
            status = note_question(d, "verify", 1, &err);
        pthread_rwlock_unlock(&d->s->rows);
    }
    if (status == DPL_OK) {
        const verify_facts facts = {
            .pipeline = d->s->pipeline,
            .policy = &policy,
            .verdict = &verdict,
            .name_a = a.name,
            .name_b = c.as ? c.as : b.name,
            .a = &a,
            .b = c.as ? NULL : &b,
            .template_photo = c.photo,
            .doubts = told.array,
            .rival = c.rival,
            .same_file = c.as ? c.is_own : strcmp(a.sha256, b.sha256) == 0,
        };

        say_json(r, 200, verify_json(&facts));
    } else {
        say_failure(r, &err);
    }
    free(c.person);
    free(c.photo);
    free(c.rival);
    json_decref(told.array);
    dpl_photo_clear(&a);
    dpl_photo_clear(&b);
}
