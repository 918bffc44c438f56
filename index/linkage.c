/*
 * linkage.c - average linkage over a graph of faces.
 *
 * The best pair of groups first, from a heap whose entries carry how often both groups had changed
 * when they were made; what has changed since is passed over. Evidence is the lesser of two means'
 * and so not what nearest-neighbour chains need (merging A and B may make them more like C than
 * either was), which is why there is none here.
 *
 * The mean score of two groups is the product of the sums of their unit vectors over n m. A
 * normalised score is linear in the score once the statistics of both faces are known, so its mean
 * is had from sums, too: with t the sum of the vectors over their deviations, and c that of mean
 * over deviation,
 *
 *     mean of s' = ((t_A . s_B + s_A . t_B) / (n m) - c_A / n - c_B / m) / 2.
 *
 * Source: average linkage (UPGMA): Sokal and Michener 1958; we differ in the level, which falls
 * with the sizes, and in the graph.
 */
#include "index/linkage.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"
#include "index/calibration.h"
#include "index/cohort.h"

#define NO_FACE UINT32_MAX

/* A group, kept at the place of its first face. */
typedef struct cluster {
    double *s, *t; /* [dim] sums; NULL while it is one face, and t without a cohort */
    double c;
    uint32_t n;       /* faces; 0: it is in another one */
    uint32_t n_times; /* that it has changed */
    uint32_t *near;   /* groups that it has an edge to, as they were called when it last changed */
    uint32_t n_near;
    int64_t *photos; /* [n] rising; NULL while it is one face */
    uint32_t last;   /* face of it, in the order of links.next */
} cluster;

/* A pair of groups that may be merged. */
typedef struct pair {
    double above; /* how far it is above what its sizes ask for */
    uint32_t a, b, a_times, b_times;
} pair;

typedef struct links {
    const dpli_linking *l;
    size_t dim;
    float floor;
    cluster *clusters; /* [n] */
    uint32_t *parent;  /* [n] */
    uint32_t *next;    /* [n] the next face of the same group */
    uint32_t *near;    /* the first edges of all, [2 n_edges] */
    size_t *apart_at;  /* [n + 1] */
    uint32_t *apart;   /* [2 n_apart] */
    pair *heap;
    size_t n_heap, cap_heap;
    double *of_one[2]; /* [2, dim]: s and t of a face */
} links;

/* ------------------------------------------------------------------ heap */

/* Whether x is to be merged before y. */
static bool before(const pair *x, const pair *y)
{
    if (x->above != y->above)
        return x->above > y->above;
    return x->a != y->a ? x->a < y->a : x->b < y->b;
}

static dpl_status push(links *k, const pair *p, dpl_error *err)
{
    pair *heap = dpli_grow(k->heap, &k->cap_heap, k->n_heap + 1, sizeof *heap, err);
    size_t i = k->n_heap;

    if (!heap)
        return DPL_E_MEMORY;
    k->heap = heap;
    k->n_heap++;
    for (; i > 0 && before(p, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = *p;
    return DPL_OK;
}

static pair pop(links *k)
{
    const pair first = k->heap[0], last = k->heap[--k->n_heap];
    size_t i = 0, child;

    for (; (child = 2 * i + 1) < k->n_heap; i = child) {
        if (child + 1 < k->n_heap && before(&k->heap[child + 1], &k->heap[child]))
            child++;
        if (!before(&k->heap[child], &last))
            break;
        k->heap[i] = k->heap[child];
    }
    k->heap[i] = last;
    return first;
}

/* ------------------------------------------------------------------ sums */

/* Eight sums, so that it is the same on every processor and has the width of none. */
DPLI_EACH_CPU(static, double, dot, (const double *a, const double *b, size_t n), (a, b, n))
{
    double sums[8] = {0};
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += a[i + j] * b[i + j];
    for (size_t j = 0; i + j < n; j++)
        sums[j] += a[i + j] * b[i + j];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* A group's sums; those of one face into to. */
static void sums_of(const double **s, const double **t, const links *k, uint32_t at, double *to)
{
    const cluster *c = &k->clusters[at];
    const float *row = k->l->rows + (size_t)at * k->dim;

    *s = c->s;
    *t = c->t;
    if (c->s)
        return;
    *s = to;
    *t = k->l->means ? to + k->dim : NULL;
    for (size_t i = 0; i < k->dim; i++)
        to[i] = (double)row[i];
    for (size_t i = 0; i < k->dim && *t; i++)
        to[k->dim + i] = (double)row[i] / (double)k->l->deviations[at];
}

/* How far two groups are above what they need; -INFINITY when they are not. a's sums are given. */
static double above(const links *k, uint32_t a, const double *s_a, const double *t_a, uint32_t b)
{
    const cluster *x = &k->clusters[a], *y = &k->clusters[b];
    const double n = x->n, m = y->n;
    const double *s_b, *t_b;
    double score, normalised = (double)NAN, rest;

    sums_of(&s_b, &t_b, k, b, k->of_one[1]);
    score = dot(s_a, s_b, k->dim) / (n * m);
    if (!(score >= (double)k->floor))
        return -INFINITY;
    if (t_a)
        normalised =
            ((dot(t_a, s_b, k->dim) + dot(s_a, t_b, k->dim)) / (n * m) - (x->c / n + y->c / m)) / 2;
    rest = dpli_calibration_strength(
               k->l->calibration,
               dpl_calibration_evidence(k->l->calibration, (float)score, (float)normalised)) -
           (k->l->level + DPLI_LINKAGE_SMALL / sqrt(n * m));
    return rest >= 0 ? rest : -INFINITY;
}

/* ------------------------------------------------------------------ what must not be */

static bool has_photo(const links *k, uint32_t at, int64_t photo)
{
    const cluster *c = &k->clusters[at];
    size_t low = 0, high = c->n;

    if (!c->photos)
        return k->l->photos[at] == photo;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (c->photos[mid] == photo)
            return true;
        if (c->photos[mid] < photo)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static uint32_t root_of(const links *k, uint32_t at)
{
    while (k->parent[at] != at) {
        k->parent[at] = k->parent[k->parent[at]];
        at = k->parent[at];
    }
    return at;
}

/* Whether two groups show two people for certain. */
static bool are_apart(const links *k, uint32_t a, uint32_t b)
{
    const uint32_t few = k->clusters[a].n < k->clusters[b].n ? a : b, many = few == a ? b : a;

    if (k->l->photos)
        for (uint32_t i = few; i != NO_FACE; i = k->next[i])
            if (has_photo(k, many, k->l->photos[i]))
                return true;
    if (k->l->n_apart > 0)
        for (uint32_t i = few; i != NO_FACE; i = k->next[i])
            for (size_t j = k->apart_at[i]; j < k->apart_at[i + 1]; j++)
                if (root_of(k, k->apart[j]) == many)
                    return true;
    return false;
}

/* ------------------------------------------------------------------ merging */

static dpl_status weigh(links *k, uint32_t a, const double *s, const double *t, uint32_t b,
                        dpl_error *err)
{
    const uint32_t low = a < b ? a : b, high = a < b ? b : a;
    const pair p = {above(k, a, s, t, b), low, high, k->clusters[low].n_times,
                    k->clusters[high].n_times};

    return isfinite(p.above) && !are_apart(k, a, b) ? push(k, &p, err) : DPL_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The groups that either has an edge to, as they are called now. */
static dpl_status join_near(links *k, uint32_t a, uint32_t b, dpl_error *err)
{
    cluster *x = &k->clusters[a], *y = &k->clusters[b];
    const size_t most = (size_t)x->n_near + y->n_near;
    uint32_t *near = dpli_alloc(most, sizeof *near, err);
    uint32_t n = 0;

    if (!near)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < most; i++)
        near[i] = root_of(k, i < x->n_near ? x->near[i] : y->near[i - x->n_near]);
    qsort(near, most, sizeof *near, by_number);
    for (size_t i = 0; i < most; i++)
        if (near[i] != a && (n == 0 || near[i] != near[n - 1]))
            near[n++] = near[i];
    if (x->n > 1) /* a single one's are within the first edges of all */
        free(x->near);
    if (y->n > 1)
        free(y->near);
    x->near = near;
    x->n_near = n;
    y->near = NULL;
    y->n_near = 0;
    return DPL_OK;
}

static dpl_status join_photos(links *k, uint32_t a, uint32_t b, dpl_error *err)
{
    cluster *x = &k->clusters[a], *y = &k->clusters[b];
    const int64_t *from_x = x->photos ? x->photos : &k->l->photos[a];
    const int64_t *from_y = y->photos ? y->photos : &k->l->photos[b];
    const size_t n = (size_t)x->n + y->n;
    int64_t *photos = dpli_alloc(n, sizeof *photos, err);

    if (!photos)
        return DPL_E_MEMORY;
    for (size_t i = 0, j = 0; i + j < n;) {
        const bool is_x = j == y->n || (i < x->n && from_x[i] < from_y[j]);

        photos[i + j] = is_x ? from_x[i] : from_y[j];
        i += is_x;
        j += !is_x;
    }
    free(x->photos);
    free(y->photos);
    x->photos = photos;
    y->photos = NULL;
    return DPL_OK;
}

static dpl_status join_sums(links *k, uint32_t a, uint32_t b, dpl_error *err)
{
    cluster *x = &k->clusters[a], *y = &k->clusters[b];
    const double *s_a, *t_a, *s_b, *t_b;
    const size_t n = k->l->means ? 2 * k->dim : k->dim;
    double *sums = dpli_alloc(n, sizeof *sums, err);

    if (!sums)
        return DPL_E_MEMORY;
    sums_of(&s_a, &t_a, k, a, k->of_one[0]);
    sums_of(&s_b, &t_b, k, b, k->of_one[1]);
    for (size_t i = 0; i < k->dim; i++)
        sums[i] = s_a[i] + s_b[i];
    for (size_t i = 0; i < k->dim && t_a; i++)
        sums[k->dim + i] = t_a[i] + t_b[i];
    free(x->s);
    free(y->s);
    x->s = sums;
    x->t = t_a ? sums + k->dim : NULL;
    x->c += y->c;
    y->s = y->t = NULL;
    return DPL_OK;
}

/* b is in a from now on; a is the lower. */
static dpl_status merge(links *k, uint32_t a, uint32_t b, dpl_error *err)
{
    cluster *x = &k->clusters[a], *y = &k->clusters[b];
    dpl_status status;

    k->parent[b] = a;
    status = join_sums(k, a, b, err);
    if (status == DPL_OK && k->l->photos)
        status = join_photos(k, a, b, err);
    if (status == DPL_OK)
        status = join_near(k, a, b, err);
    if (status != DPL_OK)
        return status;
    k->next[x->last] = b;
    x->last = y->last;
    x->n += y->n;
    x->n_times++;
    y->n = 0;
    for (uint32_t i = 0; i < x->n_near && status == DPL_OK; i++)
        status = weigh(k, a, x->s, x->t, x->near[i], err);
    return status;
}

static dpl_status run(links *k, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (uint32_t a = 0; a < k->l->n && status == DPL_OK; a++) {
        const double *s, *t;

        if (dpli_cancelled(k->l->cancel))
            return dpli_fail(err, DPL_E_CANCELLED, "interrupted");
        sums_of(&s, &t, k, a, k->of_one[0]);
        for (uint32_t i = 0; i < k->clusters[a].n_near && status == DPL_OK; i++)
            if (k->clusters[a].near[i] > a)
                status = weigh(k, a, s, t, k->clusters[a].near[i], err);
    }
    while (k->n_heap > 0 && status == DPL_OK) {
        const pair p = pop(k);

        if (k->clusters[p.a].n == 0 || k->clusters[p.b].n == 0 ||
            k->clusters[p.a].n_times != p.a_times || k->clusters[p.b].n_times != p.b_times)
            continue;
        if (dpli_cancelled(k->l->cancel))
            return dpli_fail(err, DPL_E_CANCELLED, "interrupted");
        status = merge(k, p.a, p.b, err);
    }
    return status;
}

/* ------------------------------------------------------------------ beginning */

/* Both ends of edges, by face: those of face i are ends[at[i]] to ends[at[i + 1]]. */
static dpl_status ends_of(size_t **at, uint32_t **ends, const dpli_edge *edges, size_t n_edges,
                          size_t n, dpl_error *err)
{
    size_t *to;

    *at = dpli_calloc(n + 2, sizeof **at, err);
    *ends = *at ? dpli_alloc(2 * n_edges, sizeof **ends, err) : NULL;
    if (!*ends)
        return DPL_E_MEMORY;
    to = *at + 2; /* one further, so that filling leaves each at its beginning */
    for (size_t i = 0; i < n_edges; i++) {
        to[edges[i].a]++;
        to[edges[i].b]++;
    }
    for (size_t i = 2; i < n + 2; i++)
        (*at)[i] += (*at)[i - 1];
    to = *at + 1;
    for (size_t i = 0; i < n_edges; i++) {
        (*ends)[to[edges[i].a]++] = edges[i].b;
        (*ends)[to[edges[i].b]++] = edges[i].a;
    }
    return DPL_OK;
}

static dpl_status begin(links *k, dpl_error *err)
{
    const dpli_linking *l = k->l;
    const size_t n = l->n;
    size_t *near_at = NULL;
    dpl_status status = DPL_E_MEMORY;

    k->clusters = dpli_calloc(n, sizeof *k->clusters, err);
    k->parent = k->clusters ? dpli_alloc(n, sizeof *k->parent, err) : NULL;
    k->next = k->parent ? dpli_alloc(n, sizeof *k->next, err) : NULL;
    k->of_one[0] = k->next ? dpli_alloc(4 * k->dim, sizeof *k->of_one[0], err) : NULL;
    if (!k->of_one[0])
        return DPL_E_MEMORY;
    k->of_one[1] = k->of_one[0] + 2 * k->dim;
    status = ends_of(&near_at, &k->near, l->edges, l->n_edges, n, err);
    if (status == DPL_OK)
        status = ends_of(&k->apart_at, &k->apart, l->apart, l->n_apart, n, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        k->parent[i] = (uint32_t)i;
        k->next[i] = NO_FACE;
        k->clusters[i] =
            (cluster){.c = l->means ? (double)l->means[i] / (double)l->deviations[i] : 0,
                      .n = 1,
                      .near = k->near + near_at[i],
                      .n_near = (uint32_t)(near_at[i + 1] - near_at[i]),
                      .last = (uint32_t)i};
    }
    free(near_at);
    return status;
}

static void end(links *k)
{
    for (size_t i = 0; i < k->l->n && k->clusters; i++) {
        cluster *c = &k->clusters[i];

        free(c->s);
        free(c->photos);
        if (c->n > 1)
            free(c->near);
    }
    free(k->clusters);
    free(k->parent);
    free(k->next);
    free(k->near);
    free(k->apart_at);
    free(k->apart);
    free(k->heap);
    free(k->of_one[0]);
}

dpl_status dpli_linkage(uint32_t *group, const dpli_linking *linking, dpl_error *err)
{
    links k = {.l = linking, .dim = (size_t)linking->dim};
    dpl_status status;

    if (isnan(dpli_calibration_strength(linking->calibration, 0)))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the calibration has no two rates above 0 to group faces by");
    k.floor = dpli_linkage_floor(linking->calibration, linking->level);
    status = begin(&k, err);
    if (status == DPL_OK)
        status = run(&k, err);
    for (uint32_t i = 0; i < linking->n && status == DPL_OK; i++)
        group[i] = root_of(&k, i);
    end(&k);
    return status;
}

float dpli_linkage_floor(const dpl_calibration *calibration, double level)
{
    float low = -1, high = 1;

    /* Below: no normalised score, however high, makes it enough. */
    while (low < high) {
        const float mid = low + (high - low) / 2;
        const float evidence = dpl_calibration_evidence(calibration, mid, 1e6F);

        if (mid == low || mid == high)
            break;
        if (dpli_calibration_strength(calibration, evidence) >= level)
            high = mid;
        else
            low = mid;
    }
    return low;
}
