/*
 * groups.c - groups of nobody's faces: read, told with whom they look like, named, put right.
 *
 * Does not make them: see group.c.
 */
#include "index/groups.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/people.h"
#include "index/pipeline.h"

enum {
    MAX_PEOPLE = 5,   /* that a group is compared with */
    SEARCH_MORE = 64, /* photos searched beyond the group's own */
    SEARCH_MAX = 4096
};

/* ------------------------------------------------------------------ kept */

void dpli_groups_clear(dpli_groups *groups)
{
    free(groups->ids);
    free(groups->numbers);
    *groups = (dpli_groups){0};
}

dpl_status dpli_groups_add(dpli_groups *groups, int64_t id, int64_t number, dpl_error *err)
{
    size_t cap = groups->cap;
    int64_t *ids = dpli_grow(groups->ids, &cap, groups->n + 1, sizeof *ids, err), *numbers;

    if (!ids)
        return DPL_E_MEMORY;
    groups->ids = ids;
    numbers = dpli_grow(groups->numbers, &groups->cap, groups->n + 1, sizeof *numbers, err);
    if (!numbers)
        return DPL_E_MEMORY;
    groups->numbers = numbers;
    ids[groups->n] = id;
    numbers[groups->n++] = number;
    return DPL_OK;
}

int64_t dpli_groups_of(const dpli_groups *groups, int64_t id)
{
    size_t low = 0, high = groups->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (groups->ids[mid] == id)
            return groups->numbers[mid];
        if (groups->ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}

struct reading {
    dpli_groups *groups;
    const dpl_gallery *gallery;
};

static dpl_status take_member(void *ctx, const dpli_member_record *r, dpl_error *err)
{
    struct reading *reading = ctx;
    dpli_groups *g = reading->groups;

    if (r->sum != dpli_member_sum(r) || r->group_number < 1 ||
        (g->n > 0 && r->template_id <= g->ids[g->n - 1]))
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: the group of template %" PRId64
                         " is not what was written",
                         reading->gallery->store->name, r->template_id);
    return dpli_groups_add(g, r->template_id, r->group_number, err);
}

/* Of those that have a person by now, nothing is said. */
static dpl_status drop_owned(dpli_groups *groups, dpl_gallery *gallery, dpl_error *err)
{
    const dpli_space *space = &dpli_spaces[DPLI_FACE_SPACE];
    dpli_vectors v = {0};
    dpli_bound bound;
    size_t n = 0, at = 0;
    dpl_status status = dpli_bound_model(&bound, gallery, space, err);

    if (status == DPL_OK)
        status = dpli_gallery_load(&v, gallery, space->name, bound.dim, false, err);
    for (size_t i = 0; i < groups->n && status == DPL_OK; i++) {
        while (at < v.n && v.ids[at] < groups->ids[i])
            at++;
        if (at < v.n && v.ids[at] == groups->ids[i] && v.owners[at] == 0) {
            groups->ids[n] = groups->ids[i];
            groups->numbers[n++] = groups->numbers[i];
        }
    }
    groups->n = n;
    dpli_vectors_clear(&v);
    return status;
}

dpl_status dpli_groups_read(dpli_groups *out, dpl_gallery *gallery, dpl_error *err)
{
    struct reading reading = {out, gallery};
    dpli_store *s = gallery->store;
    dpl_status status;

    *out = (dpli_groups){0};
    gallery->walking++;
    status = s->ops->each_member(s, take_member, &reading, err);
    gallery->walking--;
    if (status == DPL_OK && out->n > 0)
        status = drop_owned(out, gallery, err);
    if (status != DPL_OK)
        dpli_groups_clear(out);
    return status;
}

/* ------------------------------------------------------------------ refused */

struct refused {
    dpl_gallery *gallery;
    int64_t template_id;
    dpl_status (*fn)(void *ctx, int64_t person_id, dpl_error *err);
    void *ctx;
    int64_t *others; /* templates, whose person it is */
    size_t n, cap;
};

static dpl_status take_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct refused *w = ctx;
    int64_t *others;

    if (r->sum != dpli_refusal_sum(r))
        return DPL_OK; /* said of whom is not known any more */
    if (r->person_id)
        return r->template_id == w->template_id ? w->fn(w->ctx, r->person_id, err) : DPL_OK;
    others = dpli_grow(w->others, &w->cap, w->n + 1, sizeof *others, err);
    if (!others)
        return DPL_E_MEMORY;
    w->others = others;
    others[w->n++] = r->template_id == w->template_id ? r->other_id : r->template_id;
    return DPL_OK;
}

static dpl_status take_owner(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    (void)err;
    *(int64_t *)ctx = r->vector.owner.person_id;
    return DPL_OK;
}

dpl_status dpli_each_refused(dpl_gallery *gallery, int64_t template_id,
                             dpl_status (*fn)(void *ctx, int64_t person_id, dpl_error *err),
                             void *ctx, dpl_error *err)
{
    struct refused w = {gallery, template_id, fn, ctx, NULL, 0, 0};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_refusal(s, template_id, take_refusal, &w, err);

    for (size_t i = 0; i < w.n && status == DPL_OK; i++) {
        const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, w.others[i], NULL};
        int64_t person_id = 0;

        status = s->ops->each_template(s, &query, take_owner, &person_id, err);
        if (status == DPL_OK && person_id)
            status = fn(ctx, person_id, err);
    }
    free(w.others);
    return status;
}

/* ------------------------------------------------------------------ one group */

/* A group being told. */
typedef struct group {
    dpl_gallery *gallery;
    const dpl_pipeline *pipeline;
    dpl_policy policy;
    dpli_judge judge;
    int32_t dim;
    dpl_group_member *members;
    size_t n, cap;
    int64_t *photos; /* [n] for counting them */
    double *sums[2]; /* [dim] of the fair faces, of the poor ones */
    size_t n_sums[2];
    float *mean;      /* [dim] */
    int64_t *refused; /* people that it is not */
    size_t n_refused, cap_refused;
    dpl_error *err;
} group;

static dpl_status take_face(void *ctx, const dpl_template_row *row)
{
    group *g = ctx;
    dpl_group_member *m = &g->members[g->n];
    const dpl_fitness fitness = dpl_calibration_fitness(g->judge.calibration, &row->face);
    double norm = 0;

    *m = (dpl_group_member){.template_id = row->id, .photo_id = row->photo_id, .face = row->face};
    m->photo_path = dpli_strdup(row->photo_path, g->err);
    if (!m->photo_path)
        return DPL_E_MEMORY;
    g->n++;
    if (!g->mean || row->dim != g->dim || fitness == DPL_FITNESS_TOO_POOR)
        return DPL_OK;
    for (int32_t i = 0; i < g->dim; i++)
        norm += (double)row->vector[i] * (double)row->vector[i];
    for (int32_t i = 0; i < g->dim && norm > 0; i++)
        g->sums[fitness][i] += (double)row->vector[i] / sqrt(norm);
    g->n_sums[fitness] += norm > 0;
    return DPL_OK;
}

struct numbering {
    int64_t template_id;
    int32_t number;
};

static dpl_status count_face(void *ctx, const dpl_template_row *row)
{
    struct numbering *n = ctx;

    n->number += row->is_face && row->id <= n->template_id;
    return DPL_OK;
}

static dpl_status add_refused(void *ctx, int64_t person_id, dpl_error *err)
{
    group *g = ctx;
    int64_t *refused =
        dpli_grow(g->refused, &g->cap_refused, g->n_refused + 1, sizeof *refused, err);

    if (!refused)
        return DPL_E_MEMORY;
    g->refused = refused;
    refused[g->n_refused++] = person_id;
    return DPL_OK;
}

static dpl_status read_faces(group *g, const int64_t *ids, size_t n, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        struct numbering numbering = {ids[i], 0};

        status = dpl_gallery_get_template(g->gallery, ids[i], take_face, g, err);
        if (status == DPL_OK)
            status = dpl_gallery_each_template_of(g->gallery, g->members[g->n - 1].photo_id,
                                                  count_face, &numbering, err);
        if (status == DPL_OK)
            g->members[g->n - 1].number = numbering.number;
        if (status == DPL_OK && g->pipeline)
            status = dpli_each_refused(g->gallery, ids[i], add_refused, g, err);
    }
    return status;
}

static int by_quality(const void *a, const void *b)
{
    const dpl_group_member *x = a, *y = b;
    const float p = x->face.quality.overall, q = y->face.quality.overall;

    if (p != q)
        return (p < q) - (p > q);
    return (x->template_id > y->template_id) - (x->template_id < y->template_id);
}

static int by_id(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t count_photos(group *g)
{
    int64_t n = 0;

    for (size_t i = 0; i < g->n; i++)
        g->photos[i] = g->members[i].photo_id;
    qsort(g->photos, g->n, sizeof *g->photos, by_id);
    for (size_t i = 0; i < g->n; i++)
        n += i == 0 || g->photos[i] != g->photos[i - 1];
    return n;
}

/* ------------------------------------------------------------------ whom it looks like */

static bool is_refused(const group *g, int64_t person_id)
{
    for (size_t i = 0; i < g->n_refused; i++)
        if (g->refused[i] == person_id)
            return true;
    return false;
}

/* With one person, named already or not. */
static dpl_status compare_with(char **name, dpl_comparison *c, group *g, const dpli_side *side,
                               double times, int64_t person_id, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(g->pipeline);
    const dpli_person_templates *known;
    dpli_people *people;
    dpl_status status = dpli_people_open(&people, g->gallery, &g->judge, encoder, err);

    *name = NULL;
    if (status == DPL_OK)
        status = dpli_name_of(name, g->gallery, person_id, err);
    if (status != DPL_OK || !*name)
        return status;
    known = dpli_people_find(people, person_id);
    if (!known) {
        dpli_person_templates read;

        status = dpli_person_templates_read(&read, g->gallery, &g->judge, *name,
                                            dpl_encoder_space(encoder), dpl_encoder_hash(encoder),
                                            g->dim, NULL, err);
        if (status == DPL_OK && read.n_compared > 0) {
            dpli_people_keep(people, person_id, &read);
            known = dpli_people_find(people, person_id);
        }
        dpli_person_templates_clear(&read);
    }
    *c = (dpl_comparison){.decision = DPL_DECISION_NO_MATCH};
    if (status == DPL_OK && known) {
        if (known->n_compared > 1)
            times *= dpl_calibration_mean_factor(g->judge.calibration);
        *c = dpli_compare(&g->judge, side, &known->side, times);
    }
    return status;
}

/* Whether a person is who the group is most like so far. */
static dpl_status see(dpl_group_row *row, group *g, const dpli_side *side, double times,
                      int64_t person_id, dpl_error *err)
{
    const bool is_first = !row->like;
    dpl_comparison c;
    char *name;
    dpl_status status = compare_with(&name, &c, g, side, times, person_id, err);

    if (status == DPL_OK && name && c.decision == DPL_DECISION_MATCH &&
        (is_first || c.evidence > row->comparison.evidence)) {
        free((char *)row->like);
        row->like = name;
        row->like_id = person_id;
        name = NULL;
    }
    if (status == DPL_OK && (row->like_id == person_id || is_first))
        row->comparison = c;
    free(name);
    return status;
}

/* The known person whom the group's mean matches by the decision that a search makes; of several
 * the one it is most like. A mean of several faces on either side is reached more often by
 * strangers, as the calibration has measured of one; of both it is taken twice. */
static dpl_status find_like(dpl_group_row *row, group *g, int64_t only_id, dpl_error *err)
{
    const dpl_fitness fitness = g->n_sums[0] > 0 ? DPL_FITNESS_FAIR : DPL_FITNESS_POOR;
    const size_t n_faces = g->n_sums[fitness];
    const dpl_encoder *encoder = dpl_pipeline_encoder(g->pipeline);
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    int64_t seen[MAX_PEOPLE];
    size_t n_seen = 0;
    double norm = 0;
    dpl_hit *hits;
    dpl_status status;

    for (int32_t i = 0; i < g->dim; i++)
        norm += g->sums[fitness][i] * g->sums[fitness][i];
    if (n_faces == 0 || !(norm > 0))
        return DPL_OK;
    for (int32_t i = 0; i < g->dim; i++)
        g->mean[i] = (float)(g->sums[fitness][i] / sqrt(norm));
    const dpli_side side = dpli_side_of(&g->judge, g->mean, fitness);
    const double times = n_faces > 1 ? dpl_calibration_mean_factor(g->judge.calibration) : 1;
    if (only_id)
        return see(row, g, &side, times, only_id, err);
    options.k = (int32_t)(g->n + SEARCH_MORE < SEARCH_MAX ? g->n + SEARCH_MORE : SEARCH_MAX);
    hits = dpli_alloc((size_t)options.k, sizeof *hits, err);
    if (!hits)
        return DPL_E_MEMORY;
    status = dpl_gallery_search(hits, g->gallery, g->judge.head, dpl_encoder_space(encoder),
                                g->mean, 1, g->dim, &options, NULL, err);
    for (int32_t i = 0; i < options.k && n_seen < MAX_PEOPLE && status == DPL_OK; i++) {
        const int64_t id = hits[i].template_id < 0 ? 0 : hits[i].person_id;
        bool skip = id == 0 || is_refused(g, id);

        for (size_t j = 0; j < n_seen && !skip; j++)
            skip = seen[j] == id;
        if (skip)
            continue;
        seen[n_seen++] = id;
        status = see(row, g, &side, times, id, err);
    }
    free(hits);
    return status;
}

/* ------------------------------------------------------------------ told */

/* A group's place in an order by size. */
typedef struct sized {
    int64_t number;
    size_t n, first; /* members, from this one of those sorted by group */
} sized;

static int by_size(const void *a, const void *b)
{
    const sized *x = a, *y = b;

    if (x->n != y->n)
        return (x->n < y->n) - (x->n > y->n);
    return (x->number > y->number) - (x->number < y->number);
}

typedef struct numbered {
    int64_t number, id;
} numbered;

static int by_number(const void *a, const void *b)
{
    const numbered *x = a, *y = b;

    if (x->number != y->number)
        return (x->number > y->number) - (x->number < y->number);
    return (x->id > y->id) - (x->id < y->id);
}

static dpl_status prepare(group *g, dpl_gallery *gallery, const dpl_pipeline *pipeline, size_t most,
                          dpl_error *err)
{
    int64_t n_persons = 0;
    dpl_status status;

    *g = (group){.gallery = gallery, .err = err};
    g->members = dpli_calloc(most, sizeof *g->members, err);
    g->photos = g->members ? dpli_alloc(most, sizeof *g->photos, err) : NULL;
    if (!g->photos)
        return DPL_E_MEMORY;
    if (!pipeline)
        return DPL_OK;
    g->judge = dpli_pipeline_judge(pipeline, &g->policy);
    if (!g->judge.calibration || dpl_head_get_kind(g->judge.head) != DPL_HEAD_COSINE)
        return DPL_OK; /* there is no decision, or no mean */
    status = dpli_gallery_fits(gallery, dpl_pipeline_encoder(pipeline), err);
    if (status == DPL_OK)
        status = dpl_gallery_count_people(&n_persons, gallery, err);
    if (status == DPL_OK)
        status = dpl_policy_for_search(&g->policy, g->judge.calibration, DPL_DEFAULT_FPIR,
                                       n_persons, err);
    if (status != DPL_OK || n_persons == 0)
        return status;
    g->dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    g->sums[0] = dpli_alloc(2 * (size_t)g->dim, sizeof *g->sums[0], err);
    g->mean = g->sums[0] ? dpli_alloc((size_t)g->dim, sizeof *g->mean, err) : NULL;
    if (!g->mean)
        return DPL_E_MEMORY;
    g->sums[1] = g->sums[0] + g->dim;
    g->pipeline = pipeline;
    return DPL_OK;
}

static void forget_faces(group *g)
{
    for (size_t i = 0; i < g->n; i++)
        free((char *)g->members[i].photo_path);
    g->n = 0;
    g->n_refused = 0;
    g->n_sums[0] = g->n_sums[1] = 0;
    if (g->mean)
        memset(g->sums[0], 0, 2 * (size_t)g->dim * sizeof *g->sums[0]);
}

static void finish(group *g)
{
    forget_faces(g);
    free(g->members);
    free(g->photos);
    free(g->sums[0]);
    free(g->mean);
    free(g->refused);
}

static dpl_status tell(group *g, const sized *which, const int64_t *ids, int64_t only_id,
                       dpl_status (*fn)(void *ctx, const dpl_group_row *row), void *ctx,
                       dpl_error *err)
{
    dpl_group_row row = {.number = which->number, .n_faces = (int64_t)which->n};
    dpl_status status;

    forget_faces(g);
    status = read_faces(g, ids, which->n, err);
    if (status == DPL_OK && g->pipeline)
        status = find_like(&row, g, only_id, err);
    if (status == DPL_OK) {
        qsort(g->members, g->n, sizeof *g->members, by_quality);
        row.n_photos = count_photos(g);
        row.members = g->members;
        g->gallery->walking++;
        status = fn(ctx, &row);
        g->gallery->walking--;
    }
    free((char *)row.like);
    return status;
}

/* The groups in the order in which they are told, and the ids of their members, group by group. */
static dpl_status sort(sized **out, size_t *n_out, int64_t **ids, const dpli_groups *groups,
                       dpl_error *err)
{
    numbered *all = dpli_alloc(groups->n, sizeof *all, err);
    sized *sizes = all ? dpli_alloc(groups->n, sizeof *sizes, err) : NULL;
    size_t n = 0;

    *out = NULL;
    *n_out = 0;
    *ids = sizes ? dpli_alloc(groups->n, sizeof **ids, err) : NULL;
    if (!*ids) {
        free(all);
        free(sizes);
        return DPL_E_MEMORY;
    }
    for (size_t i = 0; i < groups->n; i++)
        all[i] = (numbered){groups->numbers[i], groups->ids[i]};
    qsort(all, groups->n, sizeof *all, by_number);
    for (size_t i = 0; i < groups->n; i++) {
        (*ids)[i] = all[i].id;
        if (i == 0 || all[i].number != all[i - 1].number)
            sizes[n++] = (sized){all[i].number, 0, i};
        sizes[n - 1].n++;
    }
    qsort(sizes, n, sizeof *sizes, by_size);
    free(all);
    *out = sizes;
    *n_out = n;
    return DPL_OK;
}

dpl_status dpli_groups_tell(const dpli_groups *groups, dpl_gallery *gallery,
                            const dpl_pipeline *pipeline, const dpl_groups_options *options,
                            int64_t *n_groups,
                            dpl_status (*fn)(void *ctx, const dpl_group_row *row), void *ctx,
                            dpl_error *err)
{
    group g = {0};
    sized *sizes;
    size_t n;
    int64_t *ids, told = 0, counted = 0, only_id = 0;
    dpl_status status = sort(&sizes, &n, &ids, groups, err);

    if (status == DPL_OK && options->person)
        status = dpli_find_person(&only_id, gallery, options->person, err);
    if (status == DPL_OK && options->person && !only_id)
        status = dpli_fail(err, DPL_E_NO_PERSON, "there is no person \"%s\"", options->person);

    if (status == DPL_OK && n > 0)
        status = prepare(&g, gallery, pipeline, sizes[0].n, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        if (options->number ? sizes[i].number != options->number
                            : (int64_t)sizes[i].n < options->min_faces)
            continue;
        counted++;
        if (options->limit == 0 || told < options->limit)
            status = tell(&g, &sizes[i], ids + sizes[i].first, only_id, fn, ctx, err);
        told++;
    }
    if (n_groups)
        *n_groups = counted;
    finish(&g);
    free(sizes);
    free(ids);
    return status;
}

dpl_status dpl_gallery_each_group(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                                  const dpl_groups_options *options, int64_t *n_groups,
                                  dpl_status (*fn)(void *ctx, const dpl_group_row *row), void *ctx,
                                  dpl_error *err)
{
    dpl_groups_options o = DPL_GROUPS_OPTIONS_INIT;
    dpli_groups groups = {0};
    dpl_status status = dpli_options(&o, sizeof o, options, "groups", err);

    if (n_groups)
        *n_groups = 0;
    if (status == DPL_OK)
        status = dpli_groups_read(&groups, gallery, err);
    if (status == DPL_OK)
        status = dpli_groups_tell(&groups, gallery, pipeline, &o, n_groups, fn, ctx, err);
    dpli_groups_clear(&groups);
    return status;
}

/* ------------------------------------------------------------------ named */

static dpl_status no_group(const dpli_groups *groups, const dpl_gallery *gallery, int64_t number,
                           dpl_error *err)
{
    int64_t last = 0;

    for (size_t i = 0; i < groups->n; i++)
        last = groups->numbers[i] > last ? groups->numbers[i] : last;
    if (last == 0)
        return dpli_fail(err, DPL_E_NOT_FOUND,
                         "gallery \"%s\" has no groups (dpl_group makes them)", gallery->dir);
    return dpli_fail(err, DPL_E_NOT_FOUND,
                     "there is no group %" PRId64 "; the highest number is %" PRId64, number, last);
}

struct sought {
    int64_t person_id;
    bool found;
};

static dpl_status find_refused(void *ctx, int64_t person_id, dpl_error *err)
{
    struct sought *s = ctx;

    (void)err;
    s->found |= person_id == s->person_id;
    return DPL_OK;
}

static dpl_status name_inside(dpl_name_report *out, dpl_gallery *gallery, const dpli_groups *groups,
                              int64_t number, const char *name, dpl_error *err)
{
    struct sought sought = {0};
    dpl_status status = dpli_find_person(&sought.person_id, gallery, name, err);

    for (size_t i = 0; i < groups->n && status == DPL_OK; i++) {
        if (groups->numbers[i] != number)
            continue;
        sought.found = false;
        if (sought.person_id)
            status = dpli_each_refused(gallery, groups->ids[i], find_refused, &sought, err);
        if (status == DPL_OK && !sought.found)
            status = dpli_assign(gallery, groups->ids[i], name, err);
        out->n_refused += sought.found;
        out->n_named += !sought.found;
    }
    return status;
}

dpl_status dpl_gallery_name_group(dpl_name_report *out, dpl_gallery *gallery, int64_t number,
                                  const char *name, dpl_error *err)
{
    dpli_groups groups = {0};
    dpl_name_report report = {0};
    char *what = NULL;
    size_t i = 0;
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = dpli_check_string("person's name", name, false, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_groups_read(&groups, gallery, err);
    while (i < groups.n && groups.numbers[i] != number)
        i++;
    if (status == DPL_OK && (i == groups.n || number < 1))
        status = no_group(&groups, gallery, number, err);
    if (status == DPL_OK) {
        what = dpli_asprintf(err, "name group %" PRId64 " \"%s\"", number, name);
        status = what ? dpli_begin_change(gallery, what, err) : DPL_E_MEMORY;
        if (status == DPL_OK)
            status = dpli_end_change(
                gallery, name_inside(&report, gallery, &groups, number, name, err), err);
    }
    if (status == DPL_OK)
        *out = report;
    dpli_groups_clear(&groups);
    free(what);
    return status;
}

/* ------------------------------------------------------------------ put right */

/* A face's content, by which its copies are known. */
static dpl_status take_content(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    char **content = ctx;

    free(*content);
    *content = dpli_strdup(r->photo.sha256, err);
    return *content ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status content_of(char **content, dpl_gallery *gallery, int64_t id, dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, id, NULL};
    dpli_store *s = gallery->store;

    return s->ops->each_template(s, &query, take_content, content, err);
}

/* Two faces of one content that are in one group are copies: those of one photo never are. */
static dpl_status split(bool *is_out, dpl_gallery *gallery, const dpli_groups *groups,
                        int64_t template_id, int64_t number, dpl_error *err)
{
    char *content = NULL, *other = NULL;
    dpl_status status = content_of(&content, gallery, template_id, err);

    for (size_t i = 0; i < groups->n && status == DPL_OK; i++) {
        if (groups->numbers[i] != number)
            continue;
        status = content_of(&other, gallery, groups->ids[i], err);
        is_out[i] = groups->ids[i] == template_id || (status == DPL_OK && content && other &&
                                                      *content && strcmp(content, other) == 0);
    }
    free(content);
    free(other);
    return status;
}

static dpl_status reject_inside(dpl_gallery *gallery, const dpli_groups *groups, const bool *is_out,
                                int64_t number, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < groups->n && status == DPL_OK; i++) {
        const dpli_member_record none = {.template_id = groups->ids[i]};

        if (!is_out[i])
            continue;
        status = s->ops->set_member(s, &none, err);
        for (size_t j = 0; j < groups->n && status == DPL_OK; j++) {
            dpli_refusal_record r = {.template_id = groups->ids[i], .other_id = groups->ids[j]};
            int64_t id = 0;

            if (groups->numbers[j] != number || is_out[j])
                continue;
            r.sum = dpli_refusal_sum(&r);
            status = s->ops->add_refusal(s, &id, &r, err);
        }
    }
    return status;
}

static dpl_status nothing(void *ctx, const dpl_template_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

dpl_status dpl_gallery_reject_from_group(dpl_gallery *gallery, int64_t template_id, int64_t *number,
                                         dpl_error *err)
{
    dpli_groups groups = {0};
    bool *is_out = NULL;
    int64_t of = 0;
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = dpl_gallery_get_template(gallery, template_id, nothing, NULL, err);
    if (status == DPL_OK)
        status = dpli_groups_read(&groups, gallery, err);
    if (status == DPL_OK) {
        of = dpli_groups_of(&groups, template_id);
        is_out = dpli_calloc(groups.n, sizeof *is_out, err);
        status = !is_out ? DPL_E_MEMORY
                 : of    ? DPL_OK
                         : dpli_fail(err, DPL_E_NOT_FOUND, "template %" PRId64 " is in no group",
                                     template_id);
    }
    if (status == DPL_OK)
        status = split(is_out, gallery, &groups, template_id, of, err);
    if (status == DPL_OK)
        status = dpli_begin_change(gallery, "a face taken out of its group", err);
    if (status == DPL_OK)
        status = dpli_end_change(gallery, reject_inside(gallery, &groups, is_out, of, err), err);
    if (status == DPL_OK && number)
        *number = of;
    dpli_groups_clear(&groups);
    free(is_out);
    return status;
}
