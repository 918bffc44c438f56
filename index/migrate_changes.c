/*
 * migrate_changes.c - which decisions are others by another model, told before it takes over.
 *
 * Each reference is judged as a query would be (query.c): against the mean of its person's other
 * references, and against whom it is most like of all others, by the former model and by the new
 * one, each with its own calibration at the rate for so many people. Told are decisions about the
 * person that differ, and others who are matched by one of the two only. Where what decided by the
 * former model is not at hand, the scores still say who was the most like: told is then who is
 * another, and what the new model decides wrongly.
 */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/mem.h"
#include "index/gallery.h"
#include "index/migrate.h"
#include "index/pipeline.h"
#include "index/source.h"

enum {
    MAX_NUMBERS = 4 << 20,     /* of the people's means, which are 16 bytes each a model */
    MAX_COMPARISONS = 20000000 /* references with people: so many are a minute's work */
};

enum { BEFORE, AFTER, N_MODELS };

/* One of the two models, as it decides. */
typedef struct model {
    const dpl_pipeline *pipeline; /* NULL: not at hand */
    dpl_head *head;               /* owned; by the cosine */
    dpl_policy policy;
    dpli_judge judge;
    int32_t dim;
} model;

/* What a person is by one model: by fitness as person.c has it, the fair ones or else the poor. */
typedef struct side {
    double *sum[2]; /* [dim] of unit vectors; of fair ones, of poor ones */
    int64_t n[2];
} side;

typedef struct person {
    int64_t id;
    char *name;
    side sides[N_MODELS];
    float *means[N_MODELS]; /* [dim] borrowed from rows; zero without one */
} person;

typedef struct work {
    dpl_gallery *gallery;
    dpli_staged *staged;
    const dpl_migrate_options *options;
    dpl_migrate_report *report;
    const dpli_space *space;
    model models[N_MODELS];
    person *people; /* by id, once all are known */
    size_t n_people, cap_people, max_people;
    float *rows[N_MODELS]; /* [n_people, dim]: unit means */
    float *scores;         /* [n_people] */
    float *unit[N_MODELS]; /* [dim] the reference */
    float *rest;           /* [largest dim] mean of the person's others */
    int64_t n_seen, every; /* references; of which each every-th is looked at */
} work;

/* A reference, as the gallery has it. */
typedef struct reference {
    const dpli_template_record *record;
    dpl_face face;
} reference;

/* ------------------------------------------------------------------ models */

static dpl_status open_model(model *m, const dpl_pipeline *pipeline, int32_t dim, int64_t n_persons,
                             dpl_error *err)
{
    dpl_status status = dpl_head_new(&m->head, DPL_HEAD_COSINE, dim, NULL, 0, err);

    m->dim = dim;
    m->pipeline = pipeline;
    if (status == DPL_OK && pipeline) {
        status = dpl_policy_for_search(&m->policy, dpl_pipeline_calibration(pipeline),
                                       DPL_DEFAULT_FPIR, n_persons, err);
        m->judge = dpli_pipeline_judge(pipeline, &m->policy);
    } else {
        m->judge = (dpli_judge){m->head, NULL, NULL, NULL};
    }
    return status;
}

static bool is_by_cosine(const dpl_pipeline *pipeline)
{
    return dpl_head_get_kind(dpl_pipeline_head(pipeline)) == DPL_HEAD_COSINE;
}

/* ------------------------------------------------------------------ references */

/* 0 fair, 1 poor, 2 too poor. */
static int fitness_of(const model *m, const dpl_face *face)
{
    return (int)dpl_calibration_fitness(m->judge.calibration, face);
}

static bool make_unit(float *unit, const float *vector, int32_t dim)
{
    double norm = 0;

    for (int32_t i = 0; i < dim; i++)
        norm += (double)vector[i] * (double)vector[i];
    if (!(norm > 0) || !isfinite(norm))
        return false;
    for (int32_t i = 0; i < dim; i++)
        unit[i] = (float)((double)vector[i] / sqrt(norm));
    return true;
}

/* A person's reference of both models: unit vectors in w->unit. What is damaged is none. */
static bool read_both(reference *r, work *w, const dpli_template_record *record)
{
    const dpli_vector_record *v = &record->vector;
    const size_t n_bytes = (size_t)w->models[BEFORE].dim * sizeof(float);
    dpli_staged_row staged;
    size_t at;

    if (!v->owner.person_id || v->n_bytes != n_bytes || v->sum != dpli_vector_sum(v) ||
        v->owner.sum != dpli_owner_sum(&v->owner) || !dpli_staged_find(&at, w->staged, v->id) ||
        dpli_staged_read(&staged, w->staged, at, NULL) != DPL_OK ||
        strcmp(dpli_spaces[staged.space].name, w->space->name) != 0)
        return false;
    *r = (reference){.record = record};
    for (int i = 0; i < DPLI_N_FACE && record->has_face; i++)
        *dpli_face_at(&r->face, i) = (float)record->face[i];
    memcpy(w->unit[BEFORE], v->bytes, n_bytes);
    return make_unit(w->unit[BEFORE], w->unit[BEFORE], w->models[BEFORE].dim) &&
           make_unit(w->unit[AFTER], staged.vector, w->models[AFTER].dim);
}

static int by_person(const void *a, const void *b)
{
    const person *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static person *find_person(const work *w, int64_t id)
{
    const person key = {.id = id};

    return w->n_people > 0 ? bsearch(&key, w->people, w->n_people, sizeof key, by_person) : NULL;
}

static dpl_status add_person(void *ctx, const dpli_person_record *row, dpl_error *err)
{
    work *w = ctx;
    person *people, *p;

    if (row->n_templates == 0 || w->n_people == w->max_people)
        return DPL_OK;
    people = dpli_grow(w->people, &w->cap_people, w->n_people + 1, sizeof *people, err);
    if (!people)
        return DPL_E_MEMORY;
    w->people = people;
    p = &people[w->n_people++];
    *p = (person){.id = row->id, .name = dpli_strdup(row->name, err)};
    for (int m = 0; m < N_MODELS; m++)
        for (int k = 0; k < 2; k++) {
            p->sides[m].sum[k] =
                dpli_calloc((size_t)w->models[m].dim, sizeof *p->sides[m].sum[k], err);
            if (!p->sides[m].sum[k])
                return DPL_E_MEMORY;
        }
    return p->name ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status check_cancel(const work *w, dpl_error *err)
{
    return dpli_cancelled(w->options->cancel)
               ? dpli_fail(err, DPL_E_CANCELLED,
                           "interrupted; what was made is kept, and the gallery is as it was; run "
                           "it again to go on")
               : DPL_OK;
}

static dpl_status add_reference(void *ctx, const dpli_template_record *record, dpl_error *err)
{
    work *w = ctx;
    person *p = find_person(w, record->vector.owner.person_id);
    const dpl_status status = check_cancel(w, err);
    reference r;

    if (status != DPL_OK || !p || !read_both(&r, w, record))
        return status;
    w->n_seen++;
    for (int m = 0; m < N_MODELS; m++) {
        const int fitness = fitness_of(&w->models[m], &r.face);

        if (fitness > 1)
            continue;
        p->sides[m].n[fitness]++;
        for (int32_t i = 0; i < w->models[m].dim; i++)
            p->sides[m].sum[fitness][i] += (double)w->unit[m][i];
    }
    return DPL_OK;
}

/* Which of a person's references are compared by a model: 0 fair, 1 poor; and how many there are,
   without one of this fitness (2: with all). */
static int64_t compared(int *part, const side *s, int without)
{
    *part = s->n[0] - (without == 0) > 0 ? 0 : 1;
    return s->n[*part] - (without == *part);
}

static void make_rows(work *w, int m)
{
    const int32_t dim = w->models[m].dim;

    for (size_t i = 0; i < w->n_people; i++) {
        person *p = &w->people[i];
        double norm = 0;
        int part;

        p->means[m] = w->rows[m] + i * (size_t)dim;
        (void)compared(&part, &p->sides[m], 2);
        for (int32_t k = 0; k < dim; k++)
            norm += p->sides[m].sum[part][k] * p->sides[m].sum[part][k];
        for (int32_t k = 0; k < dim; k++)
            p->means[m][k] = norm > 0 ? (float)(p->sides[m].sum[part][k] / sqrt(norm)) : 0;
    }
}

/* ------------------------------------------------------------------ comparisons */

static dpl_comparison compare_mean(const work *w, int m, int fitness, const float *mean,
                                   int mean_fitness, int64_t n)
{
    const dpli_judge *judge = &w->models[m].judge;
    const dpli_side a = dpli_side_of(judge, w->unit[m], (dpl_fitness)fitness);
    const dpli_side b = dpli_side_of(judge, mean, (dpl_fitness)mean_fitness);
    const double times =
        n > 1 && judge->calibration ? dpl_calibration_mean_factor(judge->calibration) : 1;

    return dpli_compare(judge, &a, &b, times);
}

/* Against the person's others; false when there are none. */
static bool compare_own(dpl_comparison *c, const work *w, int m, const person *p, int fitness)
{
    const side *s = &p->sides[m];
    const int32_t dim = w->models[m].dim;
    double norm = 0;
    int part;
    const int64_t n = compared(&part, s, fitness);

    if (n < 1)
        return false;
    for (int32_t i = 0; i < dim; i++) {
        const double x = s->sum[part][i] - (part == fitness ? (double)w->unit[m][i] : 0);

        norm += x * x;
        w->rest[i] = (float)x;
    }
    if (!(norm > 0))
        return false;
    for (int32_t i = 0; i < dim; i++)
        w->rest[i] = (float)((double)w->rest[i] / sqrt(norm));
    *c = compare_mean(w, m, fitness, w->rest, part, n);
    return true;
}

static dpl_comparison compare_other(const work *w, int m, const person *p, int fitness)
{
    int part;
    const int64_t n = compared(&part, &p->sides[m], 2);

    return compare_mean(w, m, fitness, p->means[m], part, n);
}

/* The one of all others who is most like it by a model; NULL without any. */
static const person *most_like(const work *w, int m, const person *own)
{
    const person *best = NULL;
    float most = -INFINITY;

    dpl_head_scores(w->scores, w->models[m].head, w->unit[m], w->rows[m], w->n_people);
    for (size_t i = 0; i < w->n_people; i++)
        if (&w->people[i] != own && w->scores[i] > most) {
            most = w->scores[i];
            best = &w->people[i];
        }
    return best;
}

static void tell(work *w, const reference *r, const person *own, const person *other,
                 const dpl_comparison c[N_MODELS])
{
    char *path = NULL;
    const char *uri = r->record->photo.uri;
    const dpl_migrate_change change = {
        .template_id = r->record->vector.id,
        .photo = dpli_source_shown(&path, uri, NULL) == DPL_OK ? path : uri,
        .person = own->name,
        .other = other ? other->name : NULL,
        .before_is_known = w->models[BEFORE].pipeline != NULL,
        .before = c[BEFORE],
        .after = c[AFTER],
    };

    w->report->n_changed++;
    if (w->options->on_change)
        w->options->on_change(w->options->ctx, &change);
    free(path);
}

/* Whether a decision about somebody is one that people are to know of. */
static bool is_news(const work *w, const dpl_comparison c[N_MODELS], bool own, bool rank_changed)
{
    const bool matches = c[AFTER].decision == DPL_DECISION_MATCH;

    if (!w->models[BEFORE].pipeline)
        return rank_changed || (c[AFTER].decision != DPL_DECISION_NONE && matches != own);
    if (own)
        return c[BEFORE].decision != c[AFTER].decision;
    return (c[BEFORE].decision == DPL_DECISION_MATCH) != matches;
}

static dpl_status compare_reference(void *ctx, const dpli_template_record *record, dpl_error *err)
{
    work *w = ctx;
    const person *p = find_person(w, record->vector.owner.person_id), *others[N_MODELS];
    const dpl_status status = check_cancel(w, err);
    dpl_comparison own[N_MODELS], c[N_MODELS];
    bool first[N_MODELS] = {false, false}, has_own = true;
    int fitness[N_MODELS];
    reference r;

    if (status != DPL_OK || !p || !read_both(&r, w, record) || w->n_seen++ % w->every != 0)
        return status;
    w->report->n_references++;
    for (int m = 0; m < N_MODELS; m++) {
        fitness[m] = fitness_of(&w->models[m], &r.face);
        others[m] = most_like(w, m, p);
        has_own &= compare_own(&own[m], w, m, p, fitness[m]);
    }
    for (int m = 0; m < N_MODELS && has_own; m++)
        first[m] = !others[m] || own[m].score >= dpl_head_score(w->models[m].head, w->unit[m],
                                                                others[m]->means[m]);
    if (has_own && is_news(w, own, true, first[BEFORE] != first[AFTER]))
        tell(w, &r, p, NULL, own);
    for (int k = 0; k < N_MODELS; k++) {
        if (!others[k] || (k == AFTER && others[AFTER] == others[BEFORE]))
            continue;
        for (int m = 0; m < N_MODELS; m++)
            c[m] = compare_other(w, m, others[k], fitness[m]);
        if (is_news(w, c, false, has_own && first[BEFORE] != first[AFTER] && !first[k]))
            tell(w, &r, p, others[k], c);
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ the whole */

static dpl_status make_room(work *w, dpl_error *err)
{
    const int32_t most =
        w->models[BEFORE].dim > w->models[AFTER].dim ? w->models[BEFORE].dim : w->models[AFTER].dim;

    for (int m = 0; m < N_MODELS; m++) {
        const size_t dim = (size_t)w->models[m].dim;

        w->unit[m] = dpli_alloc(dim, sizeof *w->unit[m], err);
        w->rows[m] = dpli_alloc(w->n_people * dim, sizeof *w->rows[m], err);
        if (!w->unit[m] || !w->rows[m])
            return DPL_E_MEMORY;
    }
    w->rest = dpli_alloc((size_t)most, sizeof *w->rest, err);
    w->scores = dpli_alloc(w->n_people, sizeof *w->scores, err);
    return w->rest && w->scores ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status walk(work *w, dpl_error *err)
{
    const dpli_template_query all = {DPLI_ALL_TEMPLATES, 0, w->space->name};
    dpli_store *s = w->gallery->store;
    dpl_status status = s->ops->each_person(s, false, add_person, w, err);

    if (status != DPL_OK || w->n_people == 0)
        return status;
    qsort(w->people, w->n_people, sizeof *w->people, by_person);
    status = make_room(w, err);
    if (status == DPL_OK)
        status = s->ops->each_template(s, &all, add_reference, w, err);
    if (status != DPL_OK)
        return status;
    for (int m = 0; m < N_MODELS; m++)
        make_rows(w, m);
    w->report->n_references_all = w->n_seen;
    w->every = w->n_seen / (1 + MAX_COMPARISONS / (int64_t)w->n_people) + 1;
    w->n_seen = 0;
    return s->ops->each_template(s, &all, compare_reference, w, err);
}

static void clear(work *w)
{
    for (size_t i = 0; i < w->n_people; i++) {
        free(w->people[i].name);
        for (int m = 0; m < N_MODELS; m++)
            for (int k = 0; k < 2; k++)
                free(w->people[i].sides[m].sum[k]);
    }
    free(w->people);
    for (int m = 0; m < N_MODELS; m++) {
        dpl_head_free(w->models[m].head);
        free(w->rows[m]);
        free(w->unit[m]);
    }
    free(w->rest);
    free(w->scores);
}

dpl_status dpli_migrate_changes(dpl_migrate_report *report, dpl_gallery *gallery,
                                dpli_staged *staged, const dpl_pipeline *after,
                                const dpl_migrate_options *options, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(after);
    const dpl_pipeline *before = options->before;
    const dpli_space *space = dpli_space_find(dpl_encoder_space(encoder));
    work w = {
        .gallery = gallery, .staged = staged, .options = options, .report = report, .space = space};
    dpl_gallery_counts counts;
    dpli_bound bound;
    dpl_status status = dpli_bound_model(&bound, gallery, space, err);

    if (status == DPL_OK)
        status = dpl_gallery_count(&counts, gallery, err);
    if (status != DPL_OK || !bound.id || !bound.by_cosine || !is_by_cosine(after))
        return status;
    w.max_people = (size_t)(MAX_NUMBERS / (bound.dim + dpl_encoder_dim(encoder)));
    status = open_model(&w.models[BEFORE], before, bound.dim, counts.n_persons, err);
    if (status == DPL_OK)
        status =
            open_model(&w.models[AFTER], after, dpl_encoder_dim(encoder), counts.n_persons, err);
    if (status == DPL_OK)
        status = walk(&w, err);
    clear(&w);
    return status;
}
