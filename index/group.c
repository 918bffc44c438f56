/*
 * group.c - nobody's faces to groups of one person each, with numbers that stay.
 *
 * Faces that are too poor to be claimed anything of stay out, and the same face in copies of a
 * photo counts once. Who is compared with whom comes of all pairs, or past a number of faces of an
 * index; who is put together, of average linkage (linkage.c) at a level that was measured. Where
 * the level comes from is in docs/groups.md, every figure in docs/accuracy-log.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "index/gallery.h"
#include "index/groups.h"
#include "index/linkage.h"
#include "index/neighbours.h"
#include "index/pipeline.h"

/* Most pairs that are looked at of a face. Where all pairs are compared, so many that what is left
   out is a person's five hundredth photo, whom the others hold together. */
enum { MOST_NEAR = 512, MOST_NEAR_BY_INDEX = 64 };

/* ------------------------------------------------------------------ the level */

/* What is asked of large groups among MEASURED_FACES faces for a precision. Strangers come as near
   in proportion to how many there are, so that the level, a logarithm of a rate, rises with the
   logarithm of the number of faces. */
#define MEASURED_FACES 3000
#define FEWEST_FACES   100 /* below, the law was not looked at */

static const struct {
    double precision, level;
} levels[] = {{0.90, 2.3}, {0.96, 2.65}, {0.98, 2.95}, {0.99, 3.4}, {0.995, 4.0}};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

/* Between two of them linear in the logarithm of the share that is wrong. */
double dpli_group_level(double precision, size_t n_faces)
{
    const double n = n_faces > FEWEST_FACES ? (double)n_faces : FEWEST_FACES;
    size_t at = 0;

    while (at + 2 < N_LEVELS && levels[at + 1].precision < precision)
        at++;
    const double a = log10(1 - levels[at].precision), b = log10(1 - levels[at + 1].precision);
    const double share = (log10(1 - precision) - a) / (b - a);
    return levels[at].level + share * (levels[at + 1].level - levels[at].level) +
           log10(n / MEASURED_FACES);
}

/* ------------------------------------------------------------------ the faces */

/* A face that takes part. */
typedef struct face {
    int64_t id, photo_id;
    uint8_t content[16]; /* the first half of the photo's SHA-256 */
    bool has_content, has_box;
    float box[4];  /* x, y, w, h */
    uint32_t item; /* what is linked: the face, or the one that it is a copy of */
} face;

typedef struct faces {
    const dpl_encoder *encoder;
    const dpl_calibration *calibration;
    dpl_group_report *report;
    int32_t dim;
    face *items; /* by rising id */
    size_t n, cap;
    float *rows; /* [n, dim] of unit length; then [n_linked, dim] */
    size_t cap_rows;
    size_t n_linked;
    int64_t *photos; /* [n_linked] numbers of contents */
    float *means, *deviations;
    const volatile int *cancel;
    dpl_error *err;
} faces;

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void take_content(face *f, const char *sha256)
{
    f->has_content = strlen(sha256) >= 2 * sizeof f->content;
    for (size_t i = 0; i < sizeof f->content && f->has_content; i++)
        f->content[i] = (uint8_t)(digit_of(sha256[2 * i]) << 4 | digit_of(sha256[2 * i + 1]));
}

static dpl_status take_face(void *ctx, const dpl_template_row *row)
{
    faces *all = ctx;
    const size_t dim = (size_t)all->dim;
    double norm = 0;
    face *items;
    float *rows;

    if (row->person_id || row->dim != all->dim ||
        strcmp(row->model_hash, dpl_encoder_hash(all->encoder)) != 0)
        return DPL_OK;
    if (dpli_cancelled(all->cancel))
        return dpli_fail(all->err, DPL_E_CANCELLED, "interrupted");
    all->report->n_faces++;
    for (size_t i = 0; i < dim; i++)
        norm += (double)row->vector[i] * (double)row->vector[i];
    if (dpl_calibration_fitness(all->calibration, &row->face) == DPL_FITNESS_TOO_POOR ||
        !(norm > 0)) {
        all->report->n_too_poor++;
        return DPL_OK;
    }
    items = dpli_grow(all->items, &all->cap, all->n + 1, sizeof *items, all->err);
    if (!items)
        return DPL_E_MEMORY;
    all->items = items;
    rows = dpli_grow(all->rows, &all->cap_rows, (all->n + 1) * dim, sizeof *rows, all->err);
    if (!rows)
        return DPL_E_MEMORY;
    all->rows = rows;
    for (size_t i = 0; i < dim; i++)
        rows[all->n * dim + i] = (float)((double)row->vector[i] / sqrt(norm));
    items[all->n] = (face){.id = row->id,
                           .photo_id = row->photo_id,
                           .has_box = row->face.w_px > 0 && row->face.h_px > 0,
                           .box = {row->face.x_px, row->face.y_px, row->face.w_px, row->face.h_px}};
    take_content(&items[all->n++], row->photo_sha256);
    return DPL_OK;
}

/* ------------------------------------------------------------------ copies */

static int by_content(const void *a, const void *b)
{
    const face *x = *(const face *const *)a, *y = *(const face *const *)b;
    const int order = memcmp(x->content, y->content, sizeof x->content);

    return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* Whether two faces in copies of a photo are at the same place. */
static bool is_copy(const faces *all, const face *a, const face *b)
{
    const size_t dim = (size_t)all->dim;
    const float *p = a->box, *q = b->box;

    if (a->photo_id == b->photo_id)
        return false;
    if (a->has_box && b->has_box) {
        const float w = fminf(p[0] + p[2], q[0] + q[2]) - fmaxf(p[0], q[0]);
        const float h = fminf(p[1] + p[3], q[1] + q[3]) - fmaxf(p[1], q[1]);
        const float both = w > 0 && h > 0 ? w * h : 0;

        return both > (p[2] * p[3] + q[2] * q[3] - both) / 2;
    }
    return memcmp(all->rows + (size_t)(a - all->items) * dim,
                  all->rows + (size_t)(b - all->items) * dim, dim * sizeof *all->rows) == 0;
}

/* Which faces are linked: each but copies. Numbers their contents: two of one number are of one
   photo, or of copies of it. */
static dpl_status choose(faces *all, dpl_error *err)
{
    const size_t dim = (size_t)all->dim;
    face **order = dpli_alloc(all->n, sizeof *order, err);
    int64_t *contents = order ? dpli_alloc(all->n, sizeof *contents, err) : NULL;
    size_t n = 0;

    all->photos = contents;
    if (!contents) {
        free(order);
        return DPL_E_MEMORY;
    }
    for (size_t i = 0; i < all->n; i++) {
        all->items[i].item = (uint32_t)i;
        if (all->items[i].has_content)
            order[n++] = &all->items[i];
        else /* known by its photo alone */
            contents[i] = -all->items[i].photo_id;
    }
    if (n > 0)
        qsort(order, n, sizeof *order, by_content);
    for (size_t i = 0, first = 0; i < n; i++) {
        if (memcmp(order[i]->content, order[first]->content, sizeof order[i]->content) != 0)
            first = i;
        contents[order[i] - all->items] = order[first]->id;
        for (size_t j = first; j < i; j++)
            if (order[j]->item == (uint32_t)(order[j] - all->items) &&
                is_copy(all, order[j], order[i])) {
                order[i]->item = order[j]->item;
                break;
            }
    }
    free(order);
    for (size_t i = 0; i < all->n; i++) {
        face *f = &all->items[i];

        if (f->item != i) { /* an earlier one, whose place is known by now */
            f->item = all->items[f->item].item;
            all->report->n_copies++;
            continue;
        }
        f->item = (uint32_t)all->n_linked;
        contents[all->n_linked] = contents[i];
        memmove(all->rows + all->n_linked * dim, all->rows + i * dim, dim * sizeof *all->rows);
        all->n_linked++;
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ statistics */

enum { AT_ONCE = 64 };

struct statistics {
    faces *all;
    const dpli_cohort *cohort;
};

static dpl_status make_statistics(void *ctx, int worker, size_t item, dpl_error *err)
{
    const struct statistics *s = ctx;
    faces *all = s->all;
    const size_t first = item * AT_ONCE;

    (void)worker;
    if (dpli_cancelled(all->cancel))
        return dpli_fail(err, DPL_E_CANCELLED, "interrupted");
    for (size_t i = first; i < first + AT_ONCE && i < all->n_linked; i++)
        dpli_cohort_stats(&all->means[i], &all->deviations[i], s->cohort,
                          all->rows + i * (size_t)all->dim);
    return DPL_OK;
}

static dpl_status see_by_cohort(faces *all, const dpli_cohort *cohort, int n_threads,
                                dpl_error *err)
{
    struct statistics s = {all, cohort};

    if (!cohort)
        return DPL_OK;
    all->means = dpli_alloc(2 * all->n_linked, sizeof *all->means, err);
    if (!all->means)
        return DPL_E_MEMORY;
    all->deviations = all->means + all->n_linked;
    return dpli_pool_run(n_threads, (all->n_linked + AT_ONCE - 1) / AT_ONCE, make_statistics, &s,
                         err);
}

/* ------------------------------------------------------------------ who is not who */

struct apart {
    const faces *all;
    dpli_edges edges;
};

/* What is linked for a template; UINT32_MAX: nothing. */
static uint32_t item_of(const faces *all, int64_t id)
{
    size_t low = 0, high = all->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (all->items[mid].id == id)
            return all->items[mid].item;
        if (all->items[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return UINT32_MAX;
}

static dpl_status take_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct apart *apart = ctx;
    dpli_edge *items;
    uint32_t a, b;

    if (!r->other_id || r->sum != dpli_refusal_sum(r))
        return DPL_OK;
    a = item_of(apart->all, r->template_id);
    b = item_of(apart->all, r->other_id);
    if (a == UINT32_MAX || b == UINT32_MAX || a == b)
        return DPL_OK;
    items =
        dpli_grow(apart->edges.items, &apart->edges.cap, apart->edges.n + 1, sizeof *items, err);
    if (!items)
        return DPL_E_MEMORY;
    apart->edges.items = items;
    items[apart->edges.n++] = a < b ? (dpli_edge){a, b} : (dpli_edge){b, a};
    return DPL_OK;
}

/* ------------------------------------------------------------------ linked */

static dpl_status link_faces(uint32_t *group, faces *all, dpl_gallery *gallery,
                             const dpli_judge *judge, const dpl_group_options *o, dpl_error *err)
{
    const double level = dpli_group_level(o->precision, all->n_linked);
    struct apart apart = {.all = all};
    dpli_edges edges = {0};
    dpli_store *s = gallery->store;
    const bool exact = (int64_t)all->n_linked <= o->exact_up_to;
    const dpli_looking looking = {
        .n = all->n_linked,
        .dim = all->dim,
        .rows = all->rows,
        .floor = dpli_linkage_floor(judge->calibration, level),
        .k = exact ? MOST_NEAR : MOST_NEAR_BY_INDEX,
        .n_threads = o->n_threads,
        .cancel = o->cancel,
        .on_progress = o->on_progress,
        .ctx = o->ctx,
    };
    double recall = 1;
    dpl_status status = s->ops->each_refusal(s, 0, take_refusal, &apart, err);

    if (status == DPL_OK)
        status = exact ? dpli_neighbours_all(&edges, &looking, err)
                       : dpli_neighbours_by_index(&edges, &recall, &looking, judge->head, err);
    if (status == DPL_OK) {
        const dpli_linking linking = {
            .n = all->n_linked,
            .dim = all->dim,
            .rows = all->rows,
            .means = all->means,
            .deviations = all->deviations,
            .photos = all->photos,
            .calibration = judge->calibration,
            .level = level,
            .edges = edges.items,
            .n_edges = edges.n,
            .apart = apart.edges.items,
            .n_apart = apart.edges.n,
            .cancel = o->cancel,
        };

        status = dpli_linkage(group, &linking, err);
    }
    all->report->exact = exact;
    all->report->recall = recall;
    all->report->level = level;
    free(apart.edges.items);
    free(edges.items);
    return status;
}

/* ------------------------------------------------------------------ numbers */

/* How many faces a group that was and one that is have in common. */
typedef struct shared {
    int64_t number;
    uint32_t group;
    size_t n;
} shared;

static int by_both(const void *a, const void *b)
{
    const shared *x = a, *y = b;

    if (x->number != y->number)
        return (x->number > y->number) - (x->number < y->number);
    return (x->group > y->group) - (x->group < y->group);
}

static int by_most(const void *a, const void *b)
{
    const shared *x = a, *y = b;

    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : by_both(a, b);
}

/* A group without a number yet. */
typedef struct nameless {
    uint32_t group;
    size_t n;
} nameless;

static int by_size(const void *a, const void *b)
{
    const nameless *x = a, *y = b;

    if (x->n != y->n)
        return (x->n < y->n) - (x->n > y->n);
    return (x->group > y->group) - (x->group < y->group);
}

/* The pairs with something in common, the most first. */
static size_t share(shared *pairs, const faces *all, const uint32_t *group, const size_t *sizes,
                    const dpli_groups *before)
{
    size_t n = 0, m = 0;

    for (size_t i = 0; i < all->n; i++) {
        const int64_t number = dpli_groups_of(before, all->items[i].id);
        const uint32_t g = group[all->items[i].item];

        if (number && sizes[g] > 1)
            pairs[n++] = (shared){number, g, 1};
    }
    if (n > 0)
        qsort(pairs, n, sizeof *pairs, by_both);
    for (size_t i = 0; i < n; i++)
        if (m > 0 && by_both(&pairs[m - 1], &pairs[i]) == 0)
            pairs[m - 1].n++;
        else
            pairs[m++] = pairs[i];
    if (m > 0)
        qsort(pairs, m, sizeof *pairs, by_most);
    return m;
}

/* Numbers that groups had, and whether one goes on with it. */
typedef struct known {
    int64_t number;
    bool goes_on;
} known;

static int by_known(const void *a, const void *b)
{
    const known *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

static size_t list_known(known *all, const dpli_groups *before)
{
    size_t n = 0;

    for (size_t i = 0; i < before->n; i++)
        all[i] = (known){before->numbers[i], false};
    if (before->n > 0)
        qsort(all, before->n, sizeof *all, by_known);
    for (size_t i = 0; i < before->n; i++)
        if (n == 0 || all[i].number != all[n - 1].number)
            all[n++] = all[i];
    return n;
}

/* Each group goes on with the number of the one that it has most faces of, which no other does;
   the others get new ones, the largest first. numbers [n_linked], by the group's first face. */
static dpl_status number(int64_t *numbers, int64_t *last, const faces *all, const uint32_t *group,
                         const size_t *sizes, const dpli_groups *before, dpl_error *err)
{
    shared *pairs = dpli_alloc(all->n, sizeof *pairs, err);
    nameless *rest = pairs ? dpli_alloc(all->n_linked, sizeof *rest, err) : NULL;
    known *old = rest ? dpli_alloc(before->n, sizeof *old, err) : NULL;
    size_t n, n_rest = 0, n_old, n_gone;

    if (!old) {
        free(pairs);
        free(rest);
        return DPL_E_MEMORY;
    }
    n = share(pairs, all, group, sizes, before);
    n_gone = n_old = list_known(old, before);
    for (size_t i = 0; i < n; i++) {
        const known key = {pairs[i].number, false};
        known *k = bsearch(&key, old, n_old, sizeof *old, by_known);

        if (!k || k->goes_on || numbers[pairs[i].group] != 0)
            continue;
        k->goes_on = true;
        numbers[pairs[i].group] = k->number;
        n_gone--;
    }
    for (uint32_t i = 0; i < all->n_linked; i++)
        if (sizes[i] > 1 && numbers[i] == 0)
            rest[n_rest++] = (nameless){i, sizes[i]};
    if (n_rest > 0)
        qsort(rest, n_rest, sizeof *rest, by_size);
    for (size_t i = 0; i < n_rest; i++)
        numbers[rest[i].group] = ++*last;
    all->report->n_new = (int64_t)n_rest;
    all->report->n_gone = (int64_t)n_gone;
    free(pairs);
    free(rest);
    free(old);
    return DPL_OK;
}

/* ------------------------------------------------------------------ kept */

/* The highest number that a group ever had. */
static dpl_status read_last(int64_t *last, dpl_gallery *gallery, const dpli_groups *before,
                            dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *text = NULL, *end;
    dpl_status status = s->ops->setting(s, &text, DPLI_LAST_GROUP, err);

    *last = 0;
    if (status == DPL_OK && text) {
        errno = 0;
        *last = strtoll(text, &end, 10);
        if (errno || end == text || *end || *last < 0 || *last > INT64_MAX / 2)
            status =
                dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: the setting \"%s\" is \"%.40s\"",
                          s->name, DPLI_LAST_GROUP, text);
    }
    /* A gallery that was imported without it. */
    for (size_t i = 0; i < before->n && status == DPL_OK; i++)
        if (before->numbers[i] > *last)
            *last = before->numbers[i];
    free(text);
    return status;
}

static dpl_status write_last(dpl_gallery *gallery, int64_t last, dpl_error *err)
{
    dpli_store *s = gallery->store;
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, last);
    return s->ops->set_setting(s, DPLI_LAST_GROUP, text, err);
}

static bool is_same(const dpli_groups *a, const dpli_groups *b)
{
    return a->n == b->n &&
           (a->n == 0 || (memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0 &&
                          memcmp(a->numbers, b->numbers, a->n * sizeof *a->numbers) == 0));
}

static dpl_status write_groups(dpl_gallery *gallery, const dpli_groups *groups, int64_t last,
                               dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = dpli_begin_change(gallery, "group faces", err);

    if (status != DPL_OK)
        return status;
    status = s->ops->drop_members(s, err);
    for (size_t i = 0; i < groups->n && status == DPL_OK; i++) {
        dpli_member_record r = {.template_id = groups->ids[i], .group_number = groups->numbers[i]};

        r.sum = dpli_member_sum(&r);
        status = s->ops->set_member(s, &r, err);
    }
    if (status == DPL_OK)
        status = write_last(gallery, last, err);
    return dpli_end_change(gallery, status, err);
}

/* ------------------------------------------------------------------ the whole */

/* Of what was linked, which template is in which group. */
static dpl_status make_groups(dpli_groups *out, int64_t *last, faces *all, const uint32_t *group,
                              const dpli_groups *before, dpl_error *err)
{
    dpl_group_report *report = all->report;
    size_t *sizes = dpli_calloc(all->n_linked, sizeof *sizes, err);
    int64_t *numbers = sizes ? dpli_calloc(all->n_linked, sizeof *numbers, err) : NULL;
    dpl_status status = numbers ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < all->n_linked && status == DPL_OK; i++)
        sizes[group[i]]++;
    if (status == DPL_OK)
        status = number(numbers, last, all, group, sizes, before, err);
    for (size_t i = 0; i < all->n_linked && status == DPL_OK; i++)
        report->n_groups += sizes[i] > 1;
    for (size_t i = 0; i < all->n && status == DPL_OK; i++) {
        const int64_t of = numbers[group[all->items[i].item]];

        report->n_grouped += of != 0;
        report->n_single += of == 0;
        if (of)
            status = dpli_groups_add(out, all->items[i].id, of, err);
    }
    free(sizes);
    free(numbers);
    return status;
}

static dpl_status check(const dpl_group_options *o, const dpli_judge *judge, dpl_error *err)
{
    if (!(o->precision >= DPL_GROUP_PRECISION_MIN && o->precision <= DPL_GROUP_PRECISION_MAX))
        return dpli_fail(err, DPL_E_ARGUMENT, "a precision of %g, %g to %g are possible",
                         o->precision, DPL_GROUP_PRECISION_MIN, DPL_GROUP_PRECISION_MAX);
    if (o->exact_up_to < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "all pairs of up to %" PRId64 " faces",
                         o->exact_up_to);
    if (!judge->calibration)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "grouping needs a calibration and the model has none");
    if (dpl_head_get_kind(judge->head) != DPL_HEAD_COSINE)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "faces are grouped by the cosine; the model's head is %s",
                         dpl_head_name(judge->head));
    return DPL_OK;
}

static dpl_status run(dpli_groups *groups, faces *all, dpl_gallery *gallery,
                      const dpli_judge *judge, const dpl_group_options *o, dpl_error *err)
{
    const int n_threads = o->n_threads > 0 ? o->n_threads : dpli_n_cores();
    dpli_groups before = {0};
    uint32_t *group = NULL;
    int64_t last = 0;
    dpl_status status = dpl_gallery_each_template(gallery, NULL, dpl_encoder_space(all->encoder),
                                                  take_face, all, err);

    if (status == DPL_OK)
        status = dpli_groups_read(&before, gallery, err);
    if (status == DPL_OK)
        status = read_last(&last, gallery, &before, err);
    if (status == DPL_OK)
        status = choose(all, err);
    if (status == DPL_OK)
        status = see_by_cohort(all, judge->cohort, n_threads, err);
    if (status == DPL_OK) {
        group = dpli_alloc(all->n_linked, sizeof *group, err);
        status = group ? link_faces(group, all, gallery, judge, o, err) : DPL_E_MEMORY;
    }
    if (status == DPL_OK)
        status = make_groups(groups, &last, all, group, &before, err);
    if (status == DPL_OK && dpli_cancelled(o->cancel))
        status = dpli_fail(err, DPL_E_CANCELLED, "interrupted");
    if (status == DPL_OK) {
        all->report->changed = !is_same(groups, &before);
        if (all->report->changed)
            status = write_groups(gallery, groups, last, err);
    }
    dpli_groups_clear(&before);
    free(group);
    return status;
}

dpl_status dpl_group(dpl_group_report *out, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                     const dpl_group_options *options, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const dpli_judge judge = dpli_pipeline_judge(pipeline, NULL);
    dpl_group_options o = DPL_GROUP_OPTIONS_INIT;
    dpl_group_report report = {0};
    dpli_groups groups = {0};
    faces all = {.encoder = encoder,
                 .calibration = judge.calibration,
                 .report = &report,
                 .dim = dpl_encoder_dim(encoder),
                 .err = err};
    dpl_status status = dpli_options(&o, sizeof o, options, "group", err);

    if (status == DPL_OK)
        status = check(&o, &judge, err);
    if (status == DPL_OK)
        status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = dpli_gallery_fits(gallery, encoder, err);
    if (status == DPL_OK) {
        all.cancel = o.cancel;
        status = run(&groups, &all, gallery, &judge, &o, err);
    }
    if (status == DPL_OK && o.on_group) {
        dpl_groups_options told = DPL_GROUPS_OPTIONS_INIT;

        told.min_faces = o.min_faces;
        told.limit = o.limit;
        status = dpli_groups_tell(&groups, gallery, pipeline, &told, NULL, o.on_group, o.ctx, err);
    }
    if (status == DPL_OK)
        *out = report;
    dpli_groups_clear(&groups);
    free(all.items);
    free(all.rows);
    free(all.photos);
    free(all.means);
    return status;
}
