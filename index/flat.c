/*
 * Exact search: every row compared with every probe by the head itself.
 *
 * What small galleries and heads that no index knows are searched with, and the oracle that recall
 * is measured against. Knows neither FAISS nor files. Rows are taken in blocks that stay in cache
 * while all probes pass over them; each thread keeps the best of what it saw, and because the order
 * of the best is total (score, then row), what the threads kept merges into one answer.
 */
#include "index/flat.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"

/* ------------------------------------------------------------------ the k best */

static int worse(dpli_found a, dpli_found b)
{
    return a.score < b.score || (a.score == b.score && a.at > b.at);
}

/* Let x sink from the root of a heap of n whose root is empty. */
static void sink(dpli_found *heap, size_t n, dpli_found x)
{
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n)
            break;
        if (child + 1 < n && worse(heap[child + 1], heap[child]))
            child++;
        if (!worse(heap[child], x))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
}

void dpli_top_offer(dpli_top *top, float score, size_t at)
{
    dpli_found x = {score, at};

    if (isnan(score))
        return;
    if (top->n < top->k) {
        size_t i = top->n++;

        while (i > 0 && worse(x, top->best[(i - 1) / 2])) {
            top->best[i] = top->best[(i - 1) / 2];
            i = (i - 1) / 2;
        }
        top->best[i] = x;
    } else if (top->k > 0 && worse(top->best[0], x)) {
        sink(top->best, top->n, x);
    }
}

void dpli_top_sort(dpli_top *top)
{
    for (size_t n = top->n; n > 1; n--) {
        dpli_found last = top->best[n - 1];

        top->best[n - 1] = top->best[0];
        sink(top->best, n - 1, last);
    }
    for (size_t i = top->n; i < top->k; i++)
        top->best[i] = (dpli_found){NAN, DPLI_NOWHERE};
}

/* ------------------------------------------------------------------ search */

enum {
    BLOCK_FLOATS = 1 << 15, /* rows taken at once: 128 KiB, within the second cache */
    ITEM_BLOCKS = 32,       /* blocks that a thread takes at once */
    MAX_KEPT = 1 << 20,     /* results that the threads keep at once, 16 MiB: bounds the probes of a
                               pass, if not below one */
    ALONE_BELOW = 1 << 20   /* products below which starting threads costs more than it saves */
};

typedef struct pass {
    const dpl_head *head;
    const float *rows, *probes;
    size_t n_rows, n_probes, dim, n_block;
    float *scores;  /* [n_threads, n_block] */
    dpli_top *tops; /* [n_threads, n_probes] */
} pass;

static dpl_status scan(void *ctx, int worker, size_t item, dpl_error *err)
{
    const pass *p = ctx;
    float *scores = p->scores + (size_t)worker * p->n_block;
    dpli_top *tops = p->tops + (size_t)worker * p->n_probes;
    size_t at = item * p->n_block * ITEM_BLOCKS, end = at + p->n_block * ITEM_BLOCKS;

    (void)err;
    if (end > p->n_rows)
        end = p->n_rows;
    for (; at < end; at += p->n_block) {
        size_t n = end - at < p->n_block ? end - at : p->n_block;

        for (size_t i = 0; i < p->n_probes; i++) {
            dpl_head_scores(scores, p->head, p->probes + i * p->dim, p->rows + at * p->dim, n);
            for (size_t r = 0; r < n; r++)
                dpli_top_offer(&tops[i], scores[r], at + r);
        }
    }
    return DPL_OK;
}

dpl_status dpli_flat_search(dpli_found *found, const dpl_head *head, const float *rows,
                            size_t n_rows, const float *probes, size_t n_probes, size_t k,
                            dpl_error *err)
{
    size_t dim = (size_t)dpl_head_dim(head), keep = k < n_rows ? k : n_rows;
    size_t n_block = BLOCK_FLOATS / dim ? BLOCK_FLOATS / dim : 1;
    size_t n_items = n_rows / (n_block * ITEM_BLOCKS) + 1;
    int n_threads =
        (double)n_rows * (double)n_probes * (double)dim < ALONE_BELOW ? 1 : dpli_n_cores();
    size_t threads = (size_t)n_threads < n_items ? (size_t)n_threads : n_items;
    size_t group = MAX_KEPT / (keep + 1) / threads, n_kept;
    dpli_found *kept = NULL;
    dpli_top *tops = NULL;
    float *scores = NULL;
    dpl_status status = DPL_E_MEMORY;

    if (group > n_probes)
        group = n_probes;
    if (group < 1)
        group = 1;
    if (!dpli_mul(&n_kept, threads * group, keep))
        goto done;
    kept = dpli_alloc(n_kept, sizeof *kept, err);
    if (!kept)
        goto done;
    tops = dpli_alloc(threads * group, sizeof *tops, err);
    if (!tops)
        goto done;
    scores = dpli_alloc(threads * n_block, sizeof *scores, err);
    if (!scores)
        goto done;
    status = DPL_OK;
    for (size_t at = 0; at < n_probes; at += group) {
        pass p = {.head = head,
                  .rows = rows,
                  .probes = probes + at * dim,
                  .n_rows = n_rows,
                  .n_probes = n_probes - at < group ? n_probes - at : group,
                  .dim = dim,
                  .n_block = n_block,
                  .scores = scores,
                  .tops = tops};

        for (size_t i = 0; i < threads * p.n_probes; i++)
            tops[i] = (dpli_top){.best = kept + i * keep, .k = keep};
        status = dpli_pool_run((int)threads, n_items, scan, &p, err);
        if (status != DPL_OK)
            goto done;
        for (size_t i = 0; i < p.n_probes; i++) {
            dpli_top all = {.best = found + (at + i) * k, .k = k};

            for (size_t t = 0; t < threads; t++) {
                const dpli_top *top = &tops[t * p.n_probes + i];
                for (size_t j = 0; j < top->n; j++)
                    dpli_top_offer(&all, top->best[j].score, top->best[j].at);
            }
            dpli_top_sort(&all);
        }
    }
done:
    free(kept);
    free(tops);
    free(scores);
    return status;
}
