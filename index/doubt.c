/*
 * doubt.c - references of a person that look like somebody else's.
 *
 * A photo is compared with the mean of the person's others. When strangers come so far more often
 * than once in a hundred pairs, it is told; then it is left out and the rest is looked at again, so
 * that one wrong photo throws no doubt on the right ones. The rate, not a score, is the rule, so
 * that it holds for every encoder with a calibration; docs/accuracy-log.md has what it finds and
 * what it tells wrongly. By other heads than the cosine a mean says nothing, and nothing is told.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/compare.h"
#include "index/pipeline.h"

#define DOUBTED_FROM 1e-2 /* strangers come so far more often than this */

enum {
    MAX_TEMPLATES = 4096, /* of a person; the rest is not looked at */
    MAX_TOLD = 8          /* of a person: more, and it is not the photos that are wrong */
};

typedef struct reference {
    int64_t id;
    bool by_hand; /* somebody has said that it is right */
    char *photo;
    float *vector; /* [dim] of unit length */
    dpl_fitness fitness;
    bool out; /* told, and of the person no more */
} reference;

typedef struct doubting {
    dpl_gallery *gallery;
    dpli_judge judge;
    const char *person, *model_hash;
    int32_t dim;
    reference *items;
    size_t n, cap;
    double *sum; /* [dim] of those that are in */
    float *mean; /* [dim] of all but one */
    void (*fn)(void *ctx, const dpl_doubt *doubt);
    void *ctx;
} doubting;

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    doubting *d = ctx;
    const dpl_fitness fitness = dpl_calibration_fitness(d->judge.calibration, &row->face);
    double norm = 0;
    reference *items, *r;

    if (row->dim != d->dim || strcmp(row->model_hash, d->model_hash) != 0 ||
        fitness == DPL_FITNESS_TOO_POOR || d->n == MAX_TEMPLATES)
        return DPL_OK;
    for (int32_t i = 0; i < d->dim; i++)
        norm += (double)row->vector[i] * (double)row->vector[i];
    if (!(norm > 0))
        return DPL_OK;
    items = dpli_grow(d->items, &d->cap, d->n + 1, sizeof *items, NULL);
    if (!items)
        return DPL_E_MEMORY;
    d->items = items;
    r = &items[d->n++]; /* counted also when it failed, so that what it holds is freed */
    *r = (reference){.id = row->id, .by_hand = row->by_hand, .fitness = fitness};
    r->photo = dpli_strdup(row->photo_path, NULL);
    r->vector = dpli_alloc((size_t)d->dim, sizeof *r->vector, NULL);
    if (!r->photo || !r->vector)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < d->dim; i++)
        r->vector[i] = (float)((double)row->vector[i] / sqrt(norm));
    return DPL_OK;
}

/* ------------------------------------------------------------------ unlike the others */

/* Cosine of one with the sum of the others, which is that with their mean. */
static double with_others(const doubting *d, const float *x)
{
    double dot = 0, norm = 0;

    for (int32_t i = 0; i < d->dim; i++) {
        const double rest = d->sum[i] - (double)x[i];
        dot += rest * (double)x[i];
        norm += rest * rest;
    }
    return norm > 0 ? dot / sqrt(norm) : 0;
}

/* The one least like the others that may be wrong, NULL when fewer than three are in. */
static reference *least_alike(doubting *d, size_t *n_in)
{
    reference *least = NULL;
    double lowest = INFINITY;

    *n_in = 0;
    memset(d->sum, 0, (size_t)d->dim * sizeof *d->sum);
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i].out)
            continue;
        ++*n_in;
        for (int32_t j = 0; j < d->dim; j++)
            d->sum[j] += (double)d->items[i].vector[j];
    }
    for (size_t i = 0; i<d->n && * n_in> 2; i++) {
        const reference *r = &d->items[i];
        const double score = r->out || r->by_hand ? INFINITY : with_others(d, r->vector);
        if (score < lowest) {
            lowest = score;
            least = &d->items[i];
        }
    }
    return least;
}

static dpl_comparison compare_with_others(doubting *d, const reference *r, dpl_fitness others)
{
    const dpli_side a = dpli_side_of(&d->judge, r->vector, r->fitness);
    double norm = 0;

    for (int32_t i = 0; i < d->dim; i++) {
        const double rest = d->sum[i] - (double)r->vector[i];
        norm += rest * rest;
    }
    for (int32_t i = 0; i < d->dim; i++)
        d->mean[i] = norm > 0 ? (float)((d->sum[i] - (double)r->vector[i]) / sqrt(norm)) : 0;
    const dpli_side b = dpli_side_of(&d->judge, d->mean, others);
    return dpli_compare(&d->judge, &a, &b, 1);
}

static bool is_doubted(const dpl_comparison *c)
{
    return c->rate.rate > DOUBTED_FROM;
}

static void tell_unlike(doubting *d)
{
    size_t n_in;

    for (int told = 0; told < MAX_TOLD; told++) {
        reference *r = least_alike(d, &n_in);
        if (!r)
            return;
        const dpl_comparison c = compare_with_others(d, r, DPL_FITNESS_FAIR);
        if (!is_doubted(&c))
            return;
        r->out = true;
        const dpl_doubt doubt = {.kind = DPL_DOUBT_UNLIKE,
                                 .person = d->person,
                                 .photo = r->photo,
                                 .template_id = r->id,
                                 .n_others = (int64_t)n_in - 1,
                                 .score = c.score,
                                 .rate = c.rate};
        d->fn(d->ctx, &doubt);
    }
}

/* Of two nobody can say which is wrong. */
static void tell_pair(doubting *d)
{
    const reference *a = &d->items[0], *b = &d->items[1];
    const dpli_side x = dpli_side_of(&d->judge, a->vector, a->fitness);
    const dpli_side y = dpli_side_of(&d->judge, b->vector, b->fitness);
    const dpl_comparison c = dpli_compare(&d->judge, &x, &y, 1);

    if (!is_doubted(&c) || (a->by_hand && b->by_hand))
        return;
    const dpl_doubt doubt = {.kind = DPL_DOUBT_PAIR,
                             .template_id = a->id,
                             .other_id = b->id,
                             .person = d->person,
                             .photo = a->photo,
                             .other_photo = b->photo,
                             .n_others = 1,
                             .score = c.score,
                             .rate = c.rate};
    d->fn(d->ctx, &doubt);
}

static dpl_status find_unlike(doubting *d, const char *space, dpl_error *err)
{
    dpl_status status;

    d->sum = dpli_alloc((size_t)d->dim, sizeof *d->sum, err);
    d->mean = d->sum ? dpli_alloc((size_t)d->dim, sizeof *d->mean, err) : NULL;
    if (!d->mean)
        return DPL_E_MEMORY;
    status = dpl_gallery_each_template(d->gallery, d->person, space, take_template, d, err);
    if (status == DPL_E_MEMORY) /* the callback's, which cannot word it */
        return dpli_fail(err, status, "no memory for the photos of \"%s\"", d->person);
    if (status != DPL_OK)
        return status;
    if (d->n == 2)
        tell_pair(d);
    else
        tell_unlike(d);
    return DPL_OK;
}

/* ------------------------------------------------------------------ somebody else's, too */

/* A face of a photo: whose, and where. */
typedef struct whose {
    int64_t id, person_id;
    char *person;
    dpl_face face;
} whose;

/* The faces of a photo that have a person. */
typedef struct faces {
    whose *items;
    size_t n, cap;
    int64_t n_all; /* those of nobody's, too */
} faces;

typedef struct shared {
    doubting *doubting;
    int64_t photo_id;
    const char *photo;
    faces faces;
    dpl_error *err;
} shared;

static dpl_status take_face(void *ctx, const dpl_template_row *row)
{
    faces *f = ctx;
    whose *items;

    f->n_all += row->is_face;
    if (!row->is_face || !row->person)
        return DPL_OK;
    items = dpli_grow(f->items, &f->cap, f->n + 1, sizeof *items, NULL);
    if (!items)
        return DPL_E_MEMORY;
    f->items = items;
    items[f->n] = (whose){row->id, row->person_id, dpli_strdup(row->person, NULL), row->face};
    return items[f->n++].person ? DPL_OK : DPL_E_MEMORY;
}

static void clear_faces(faces *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->items[i].person);
    free(f->items);
    *f = (faces){0};
}

/* Whether two faces of one picture are the same: their boxes are more alike than not. Where it is
   not known where they are, they are. */
static bool is_same_place(const dpl_face *a, const dpl_face *b)
{
    const float w = fminf(a->x_px + a->w_px, b->x_px + b->w_px) - fmaxf(a->x_px, b->x_px);
    const float h = fminf(a->y_px + a->h_px, b->y_px + b->h_px) - fmaxf(a->y_px, b->y_px);
    const float both = w > 0 && h > 0 ? w * h : 0;

    if (!(a->w_px > 0) || !(b->w_px > 0))
        return true;
    return both > 0.5F * (a->w_px * a->h_px + b->w_px * b->h_px - both);
}

static void tell_shared(const shared *s, const dpl_photo_row *row, const whose *mine,
                        const whose *other)
{
    const dpl_doubt doubt = {.kind = DPL_DOUBT_SHARED,
                             .person = s->doubting->person,
                             .photo = s->photo,
                             .other_person = other ? other->person : row->person,
                             .other_photo = row->path,
                             .template_id = mine ? mine->id : 0,
                             .other_id = other ? other->id : 0,
                             .score = NAN,
                             .rate = {(double)NAN, (double)NAN, (double)NAN, 0}};

    s->doubting->fn(s->doubting->ctx, &doubt);
}

/* A photo of the same content: a face of the person's that is somebody else's there. One without
   faces is whosever the photo is. */
static dpl_status take_same(void *ctx, const dpl_photo_row *row)
{
    const shared *s = ctx;
    const char *person = s->doubting->person;
    faces theirs = {0};
    dpl_status status;

    if (row->id == s->photo_id)
        return DPL_OK;
    status =
        dpl_gallery_each_template_of(s->doubting->gallery, row->id, take_face, &theirs, s->err);
    if (status == DPL_OK && theirs.n_all == 0 && s->faces.n_all == 0 && row->person &&
        strcmp(row->person, person) != 0)
        tell_shared(s, row, NULL, NULL);
    for (size_t i = 0; i < s->faces.n && status == DPL_OK; i++)
        for (size_t j = 0; j < theirs.n; j++)
            if (strcmp(s->faces.items[i].person, person) == 0 &&
                s->faces.items[i].person_id != theirs.items[j].person_id &&
                is_same_place(&s->faces.items[i].face, &theirs.items[j].face))
                tell_shared(s, row, &s->faces.items[i], &theirs.items[j]);
    clear_faces(&theirs);
    return status;
}

static dpl_status count(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

static dpl_status take_photo(void *ctx, const dpl_photo_row *row)
{
    shared *s = ctx;
    int found;
    dpl_status status;

    if (row->status != DPL_OK || !row->sha256[0])
        return DPL_OK;
    status = dpl_gallery_find_photo(s->doubting->gallery, NULL, row->sha256, count, NULL, &found,
                                    s->err);
    if (status != DPL_OK || found < 2)
        return status;
    s->photo = row->path;
    s->photo_id = row->id;
    status =
        dpl_gallery_each_template_of(s->doubting->gallery, row->id, take_face, &s->faces, s->err);
    if (status == DPL_OK)
        status = dpl_gallery_find_photo(s->doubting->gallery, NULL, row->sha256, take_same, s,
                                        &found, s->err);
    clear_faces(&s->faces);
    return status;
}

dpl_status dpl_gallery_doubts(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                              const char *person, void (*fn)(void *ctx, const dpl_doubt *doubt),
                              void *ctx, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    doubting d = {.gallery = gallery,
                  .judge = dpli_pipeline_judge(pipeline, NULL),
                  .person = person,
                  .model_hash = dpl_encoder_hash(encoder),
                  .dim = dpl_encoder_dim(encoder),
                  .fn = fn,
                  .ctx = ctx};
    shared s = {.doubting = &d, .err = err};
    dpl_status status = dpl_gallery_each_photo(gallery, person, take_photo, &s, err);

    if (status == DPL_E_MEMORY) /* perhaps a callback's, which cannot word it */
        dpli_fail(err, status, "no memory for the photos of \"%s\"", person);
    if (status == DPL_OK && d.judge.calibration &&
        dpl_head_get_kind(d.judge.head) == DPL_HEAD_COSINE)
        status = find_unlike(&d, dpl_encoder_space(encoder), err);
    for (size_t i = 0; i < d.n; i++) {
        free(d.items[i].photo);
        free(d.items[i].vector);
    }
    free(d.items);
    free(d.sum);
    free(d.mean);
    return status;
}
