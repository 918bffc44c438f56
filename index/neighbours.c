/*
 * neighbours.c - pairs of faces that are alike, from all pairs or from an index.
 *
 * Memory is what is found, at most k pairs a face, and some hundred KiB a thread.
 */
#include "index/neighbours.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"
#include "index/retrieve.h"

enum {
    PROBES = 32,            /* faces that a thread looks for at once */
    BLOCK_FLOATS = 1 << 15, /* rows that stay in the second cache while they do */
    ITEMS = 64,             /* of PROBES between two words on how far it is */
    SEARCHED = 4096         /* faces that an index is asked for at once */
};

#define SLACK 1e-4F /* of float32 sums below the double ones that decide */

/* ------------------------------------------------------------------ what was found */

static dpl_status add(dpli_edges *edges, size_t a, size_t b, dpl_error *err)
{
    dpli_edge *items = dpli_grow(edges->items, &edges->cap, edges->n + 1, sizeof *items, err);

    if (!items)
        return DPL_E_MEMORY;
    edges->items = items;
    items[edges->n++] =
        a < b ? (dpli_edge){(uint32_t)a, (uint32_t)b} : (dpli_edge){(uint32_t)b, (uint32_t)a};
    return DPL_OK;
}

static int by_place(const void *a, const void *b)
{
    const dpli_edge *x = a, *y = b;

    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

/* In an order that threads do not change, and each once. */
static void tidy(dpli_edges *edges)
{
    size_t n = 0;

    if (edges->n > 0)
        qsort(edges->items, edges->n, sizeof *edges->items, by_place);
    for (size_t i = 0; i < edges->n; i++)
        if (n == 0 || by_place(&edges->items[i], &edges->items[n - 1]) != 0)
            edges->items[n++] = edges->items[i];
    edges->n = n;
}

static dpl_status check(const dpli_looking *l, dpl_error *err)
{
    if (l->n >= UINT32_MAX)
        return dpli_fail(err, DPL_E_LIMIT, "%zu faces are to be grouped, limit is %u", l->n,
                         (unsigned)UINT32_MAX - 1);
    return DPL_OK;
}

/* ------------------------------------------------------------------ all pairs */

typedef struct walk {
    const dpli_looking *l;
    size_t n_block, first; /* rows at once; the first item's first face */
    dpli_found *found;     /* [n_threads, PROBES, k] */
    float *scores;         /* [n_threads, n_block] */
    dpli_edges *edges;
    pthread_mutex_t lock;
} walk;

/* Products of a row with n others. */
DPLI_EACH_CPU(static, void, products,
              (float *out, const float *a, const float *rows, size_t n, size_t dim),
              (out, a, rows, n, dim))
{
    for (size_t r = 0; r < n; r++) {
        const float *b = rows + r * dim;
        float sums[16] = {0}, sum = 0;
        size_t i = 0;

        for (; i + 16 <= dim; i += 16)
            for (size_t j = 0; j < 16; j++)
                sums[j] += a[i + j] * b[i + j];
        for (; i < dim; i++)
            sum += a[i] * b[i];
        for (size_t j = 0; j < 16; j++)
            sum += sums[j];
        out[r] = sum;
    }
}

static dpl_status keep(walk *w, size_t first, const dpli_top *tops, size_t n, dpl_error *err)
{
    dpl_status status = DPL_OK;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < tops[i].n && status == DPL_OK; j++)
            status = add(w->edges, first + i, tops[i].best[j].at, err);
    pthread_mutex_unlock(&w->lock);
    return status;
}

static dpl_status look(void *ctx, int worker, size_t item, dpl_error *err)
{
    walk *w = ctx;
    const dpli_looking *l = w->l;
    const size_t dim = (size_t)l->dim, first = w->first + item * PROBES;
    const size_t n = l->n - first < PROBES ? l->n - first : PROBES;
    float *scores = w->scores + (size_t)worker * w->n_block;
    dpli_top tops[PROBES];

    if (dpli_cancelled(l->cancel))
        return dpli_fail(err, DPL_E_CANCELLED, "interrupted");
    for (size_t i = 0; i < n; i++)
        tops[i] = (dpli_top){w->found + ((size_t)worker * PROBES + i) * l->k, 0, l->k};
    for (size_t at = 0; at < l->n; at += w->n_block) {
        const size_t m = l->n - at < w->n_block ? l->n - at : w->n_block;

        for (size_t i = 0; i < n; i++) {
            products(scores, l->rows + (first + i) * dim, l->rows + at * dim, m, dim);
            for (size_t r = 0; r < m; r++)
                if (scores[r] >= l->floor - SLACK && at + r != first + i)
                    dpli_top_offer(&tops[i], scores[r], at + r);
        }
    }
    return keep(w, first, tops, n, err);
}

dpl_status dpli_neighbours_all(dpli_edges *out, const dpli_looking *looking, dpl_error *err)
{
    const int n_threads = looking->n_threads > 0 ? looking->n_threads : dpli_n_cores();
    walk w = {.l = looking, .edges = out};
    dpl_status status;

    *out = (dpli_edges){0};
    status = check(looking, err);
    if (status != DPL_OK)
        return status;
    w.n_block = BLOCK_FLOATS / (size_t)looking->dim;
    w.n_block += w.n_block == 0;
    w.found = dpli_alloc((size_t)n_threads * PROBES * looking->k, sizeof *w.found, err);
    w.scores = w.found ? dpli_alloc((size_t)n_threads * w.n_block, sizeof *w.scores, err) : NULL;
    status = w.scores ? DPL_OK : DPL_E_MEMORY;
    pthread_mutex_init(&w.lock, NULL);
    while (w.first < looking->n && status == DPL_OK) {
        const size_t left = looking->n - w.first;
        const size_t n = left < ITEMS * PROBES ? left : ITEMS * PROBES;

        status = dpli_pool_run(n_threads, (n + PROBES - 1) / PROBES, look, &w, err);
        w.first += n;
        if (status == DPL_OK && looking->on_progress)
            looking->on_progress(looking->ctx, (int64_t)w.first, (int64_t)looking->n);
    }
    pthread_mutex_destroy(&w.lock);
    free(w.found);
    free(w.scores);
    if (status == DPL_OK) {
        tidy(out);
    } else {
        free(out->items);
        *out = (dpli_edges){0};
    }
    return status;
}

/* ------------------------------------------------------------------ by an index */

static dpl_status make_index(dpli_index *index, const dpli_looking *l, const dpl_head *head,
                             dpl_error *err)
{
    const size_t dim = (size_t)l->dim;
    dpli_vectors v = {.n = l->n, .dim = l->dim};
    dpl_status status = DPL_E_MEMORY;

    v.ids = dpli_alloc(l->n, sizeof *v.ids, err);
    v.owners = v.ids ? dpli_calloc(l->n, sizeof *v.owners, err) : NULL;
    v.photos = v.owners ? dpli_calloc(l->n, sizeof *v.photos, err) : NULL;
    v.rows = v.photos ? dpli_alloc_aligned(l->n * dim, sizeof *v.rows, err) : NULL;
    if (v.rows) {
        for (size_t i = 0; i < l->n; i++)
            v.ids[i] = (int64_t)i;
        memcpy(v.rows, l->rows, l->n * dim * sizeof *v.rows);
        status = dpli_index_make(index, &v, head, (dpli_wish){0, 0.99}, err);
    }
    dpli_vectors_clear(&v);
    return status;
}

dpl_status dpli_neighbours_by_index(dpli_edges *out, double *recall, const dpli_looking *looking,
                                    const dpl_head *head, dpl_error *err)
{
    const size_t dim = (size_t)looking->dim;
    const size_t k = looking->k + 1 < looking->n ? looking->k + 1 : looking->n; /* and itself */
    dpli_index index = {0};
    dpli_found *found = NULL;
    dpl_status status;

    *out = (dpli_edges){0};
    *recall = 1;
    status = check(looking, err);
    if (status == DPL_OK)
        status = make_index(&index, looking, head, err);
    if (status != DPL_OK)
        return status;
    if (dpli_index_is_approximate(&index))
        *recall = index.recall;
    found = dpli_alloc(SEARCHED * k, sizeof *found, err);
    status = found ? DPL_OK : DPL_E_MEMORY;
    for (size_t at = 0; at < looking->n && status == DPL_OK; at += SEARCHED) {
        const size_t n = looking->n - at < SEARCHED ? looking->n - at : SEARCHED;

        if (dpli_cancelled(looking->cancel)) {
            status = dpli_fail(err, DPL_E_CANCELLED, "interrupted");
            break;
        }
        status = dpli_index_search(found, &index, head, looking->rows + at * dim, n, k, err);
        for (size_t i = 0; i < n * k && status == DPL_OK; i++)
            if (found[i].at != DPLI_NOWHERE && found[i].at != at + i / k &&
                found[i].score >= looking->floor - SLACK)
                status = add(out, at + i / k, found[i].at, err);
        if (status == DPL_OK && looking->on_progress)
            looking->on_progress(looking->ctx, (int64_t)(at + n), (int64_t)looking->n);
    }
    free(found);
    dpli_index_clear(&index);
    if (status == DPL_OK) {
        tidy(out);
    } else {
        free(out->items);
        *out = (dpli_edges){0};
    }
    return status;
}
