/*
 * scan.c - exact search in two steps: bounds on every score from codes of 8 bits, then the head on
 * what they leave.
 *
 * A search of many vectors waits for memory, and codes are a quarter of it. Each thread keeps, of
 * the rows that it saw, the k best lower bounds; a row whose upper bound is below the worst of
 * these is not among the k best and is left out. What is left is scored by the head, best upper
 * bound first, until the next one's is below the k-th score. A row that ties with the last one has
 * an upper bound no lower, so ties are settled as flat.c settles them.
 *
 * Where the bounds leave too many (vectors that are all nearly alike), the probe goes to flat.c.
 */
#include "index/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "net/rows8.h"

enum {
    BLOCK = 256,           /* rows at once: their codes stay in the second cache */
    ITEM_BLOCKS = 32,      /* blocks that a thread takes at once */
    PROBES = 64,           /* of one pass over the codes */
    K_MAX = 1024,          /* beyond, the bounds' own heaps cost more than they save */
    ROWS_MIN = 64,         /* rows a wanted one below which there is nothing to leave out */
    LEFT_MIN = 1024,       /* rows that may always be left */
    LEFT_SHARE = 8,        /* of all rows, beyond which comparing all is no slower */
    ALONE_BELOW = 1 << 22, /* products below which starting threads costs more than it saves */
    AHEAD = 4              /* rows that are fetched before they are compared */
};

/* A row that may be among the best. */
typedef struct left {
    float high;
    uint32_t at;
} left;

/* What one thread has of one probe. */
typedef struct kept {
    dpli_top lows; /* the k best lower bounds */
    left *items;
    size_t n, cap;
    bool too_many;
} kept;

typedef struct pass {
    const dpli_scanned *in;
    const dpli_coded_probe *probes;
    size_t n_probes, most; /* most rows that a probe may leave */
    kept *kept;            /* [n_threads, n_probes] */
} pass;

/* No row that scores less is wanted. */
static float floor_of(const dpli_top *lows)
{
    return lows->n == lows->k ? lows->best[0].score : -INFINITY;
}

static void drop_below(kept *k, float floor)
{
    size_t n = 0;

    for (size_t i = 0; i < k->n; i++)
        if (k->items[i].high >= floor)
            k->items[n++] = k->items[i];
    k->n = n;
}

static dpl_status keep(kept *k, left item, size_t most, dpl_error *err)
{
    if (k->n == k->cap) {
        drop_below(k, floor_of(&k->lows));
        if (k->n > most) {
            k->too_many = true;
            k->n = 0;
            return DPL_OK;
        }
        if (k->n > k->cap / 2) {
            left *items = dpli_grow(k->items, &k->cap, k->n + 1, sizeof *items, err);

            if (!items)
                return DPL_E_MEMORY;
            k->items = items;
        }
    }
    k->items[k->n++] = item;
    return DPL_OK;
}

static dpl_status look_at_block(const pass *p, kept *k, const dpli_coded_probe *probe, size_t at,
                                size_t n, dpl_error *err)
{
    const dpli_code_shape *shape = &p->in->shape;
    const int8_t *records = p->in->records + at * shape->stride;
    int32_t dots[BLOCK];
    dpli_bounds bounds[BLOCK];
    dpl_status status = DPL_OK;
    float floor = floor_of(&k->lows);

    dpli_rows8_dot(dots, probe->code, records, shape->stride, n, shape->width);
    dpli_code_bounds(bounds, shape, probe, records, dots, n);
    for (size_t r = 0; r < n && status == DPL_OK; r++) {
        if (!(bounds[r].high >= floor))
            continue;
        dpli_top_offer(&k->lows, bounds[r].low, at + r);
        floor = floor_of(&k->lows);
        status = keep(k, (left){bounds[r].high, (uint32_t)(at + r)}, p->most, err);
        if (k->too_many)
            break;
    }
    return status;
}

static dpl_status look(void *ctx, int worker, size_t item, dpl_error *err)
{
    const pass *p = ctx;
    kept *mine = p->kept + (size_t)worker * p->n_probes;
    size_t at = item * BLOCK * ITEM_BLOCKS, end = at + (size_t)BLOCK * ITEM_BLOCKS;
    dpl_status status = DPL_OK;

    if (end > p->in->n)
        end = p->in->n;
    for (; at < end && status == DPL_OK; at += BLOCK)
        for (size_t i = 0; i < p->n_probes && status == DPL_OK; i++)
            if (!mine[i].too_many)
                status = look_at_block(p, &mine[i], &p->probes[i], at,
                                       end - at < BLOCK ? end - at : BLOCK, err);
    return status;
}

/* ------------------------------------------------------------------ what was left */

static int by_high(const void *a, const void *b)
{
    const left *x = a, *y = b;

    return x->high != y->high ? (x->high < y->high) - (x->high > y->high)
                              : (x->at > y->at) - (x->at < y->at);
}

/* All threads' rows of one probe in the first one's, in order. */
static dpl_status gather(kept *first, size_t n_threads, size_t n_probes, dpl_error *err)
{
    for (size_t t = 1; t < n_threads; t++) {
        const kept *k = first + t * n_probes;

        first->too_many |= k->too_many;
        for (size_t j = 0; j < k->lows.n; j++)
            dpli_top_offer(&first->lows, k->lows.best[j].score, k->lows.best[j].at);
    }
    drop_below(first, floor_of(&first->lows));
    for (size_t t = 1; t < n_threads && !first->too_many; t++) {
        kept *k = first + t * n_probes;
        left *items;

        drop_below(k, floor_of(&first->lows));
        items = dpli_grow(first->items, &first->cap, first->n + k->n, sizeof *items, err);
        if (!items)
            return DPL_E_MEMORY;
        first->items = items;
        memcpy(items + first->n, k->items, k->n * sizeof *items);
        first->n += k->n;
    }
    if (!first->too_many)
        qsort(first->items, first->n, sizeof *first->items, by_high);
    return DPL_OK;
}

static dpl_status score(dpli_found *found, const dpl_head *head, const dpli_scanned *in,
                        const float *probe, const kept *k, size_t wanted, dpl_error *err)
{
    const size_t dim = (size_t)in->shape.dim;
    const float *all = dpli_rows_all(in->rows);
    dpli_top top = {.best = found, .k = wanted};
    float *room = dpli_alloc(dim, sizeof *room, err);
    dpl_status status = room ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < k->n && status == DPL_OK; i++) {
        const float *row;

        if (top.n == top.k && k->items[i].high < top.best[0].score)
            break;
        if (all && i + AHEAD < k->n)
            for (size_t j = 0; j < dim; j += 16)
                __builtin_prefetch(all + k->items[i + AHEAD].at * dim + j);
        row = dpli_rows_at(in->rows, k->items[i].at, room, err);
        if (row)
            dpli_top_offer(&top, dpl_head_score(head, probe, row), k->items[i].at);
        else
            status = DPL_E_INPUT;
    }
    free(room);
    if (status == DPL_OK)
        dpli_top_sort(&top);
    return status;
}

/* ------------------------------------------------------------------ search */

bool dpli_scan_serves(const dpli_scanned *in, const dpl_head *head, size_t k)
{
    return in->records && in->n < UINT32_MAX && k <= K_MAX && k <= in->n / ROWS_MIN &&
           dpli_code_serves(&in->shape, head);
}

static void clear(kept *all, size_t n)
{
    for (size_t i = 0; all && i < n; i++)
        free(all[i].items);
    free(all);
}

dpl_status dpli_scan_search(dpli_found *found, const dpl_head *head, const dpli_scanned *in,
                            const float *probes, size_t n_probes, size_t k, dpl_error *err)
{
    const size_t dim = (size_t)in->shape.dim, width = (size_t)in->shape.width;
    const size_t n_items = in->n / ((size_t)BLOCK * ITEM_BLOCKS) + 1;
    const size_t group = n_probes < PROBES ? n_probes : PROBES;
    const bool alone = (double)in->n * (double)group * (double)dim < ALONE_BELOW;
    const size_t n_cores = alone ? 1 : (size_t)dpli_n_cores();
    const size_t n_threads = n_cores < n_items ? n_cores : n_items, n_kept = n_threads * group;
    dpli_coded_probe coded[PROBES];
    kept *all = NULL;
    dpli_found *lows = NULL;
    int16_t *codes = NULL;
    dpl_status status = DPL_E_MEMORY;

    if (n_probes == 0)
        return DPL_OK;
    all = dpli_calloc(n_kept, sizeof *all, err);
    if (!all)
        goto done;
    lows = dpli_alloc(n_kept * k, sizeof *lows, err);
    if (!lows)
        goto done;
    codes = dpli_alloc_aligned(group * width, sizeof *codes, err);
    if (!codes)
        goto done;
    for (size_t i = 0; i < n_kept; i++) {
        all[i].items = dpli_grow(NULL, &all[i].cap, LEFT_MIN, sizeof *all[i].items, err);
        if (!all[i].items)
            goto done;
    }
    status = DPL_OK;
    for (size_t at = 0; at < n_probes && status == DPL_OK; at += group) {
        pass p = {.in = in,
                  .probes = coded,
                  .n_probes = n_probes - at < group ? n_probes - at : group,
                  .most = in->n / LEFT_SHARE > LEFT_MIN ? in->n / LEFT_SHARE : LEFT_MIN,
                  .kept = all};

        for (size_t i = 0; i < p.n_probes; i++) {
            coded[i].code = codes + i * width;
            dpli_code_probe(&coded[i], &in->shape, probes + (at + i) * dim);
        }
        for (size_t i = 0; i < n_threads * p.n_probes; i++) {
            all[i].lows = (dpli_top){.best = lows + i * k, .k = k};
            all[i].n = 0;
            all[i].too_many = false;
        }
        status = dpli_pool_run((int)n_threads, n_items, look, &p, err);
        for (size_t i = 0; i < p.n_probes && status == DPL_OK; i++) {
            const float *probe = probes + (at + i) * dim;

            status = gather(&all[i], n_threads, p.n_probes, err);
            if (status != DPL_OK)
                break;
            if (all[i].too_many)
                status = dpli_rows_search(found + (at + i) * k, head, in->rows, in->gone, probe, 1,
                                          k, err);
            else
                status = score(found + (at + i) * k, head, in, probe, &all[i], k, err);
        }
    }
done:
    clear(all, n_kept);
    free(lows);
    free(codes);
    return status;
}
