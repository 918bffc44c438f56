/*
 * retrieval.c - how far down an answer's list the right one stands: recall at K and ranks.
 *
 * Every question is asked of all candidates. A candidate that is not right and exactly as near
 * stands before the right one: what cannot be told apart is not found.
 *
 * Source: Karpathy and Li 2015, section 4.2: of several right answers the first counts.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "doppel/eval.h"

#define BLOCK 16 /* questions a work item */
#define CHUNK 64 /* work items between two looks at the caller's wishes */

typedef struct answer {
    int32_t asked, right; /* items */
} answer;

/* Everything that the ranks are made of; read by all threads. */
typedef struct ranking {
    const dpl_head *head;
    const dpl_embeddings *probes, *rows;
    bool shared; /* both are the same items: none is an answer to itself */
    int32_t first_probe, first_row;
    const int32_t *asked; /* [n] items, each with its answers from starts[i] to starts[i + 1] */
    const size_t *starts;
    const answer *answers;
    int32_t *ranks;
    size_t n, first; /* first: of this chunk, in blocks */
    float **scores;  /* [n rows] a worker */
} ranking;

static int by_asked(const void *a, const void *b)
{
    const answer *x = a, *y = b;

    return x->asked != y->asked ? (x->asked > y->asked) - (x->asked < y->asked)
                                : (x->right > y->right) - (x->right < y->right);
}

/* The rank of the nearest right answer to question q, from 1; 0 when there is no vector. */
static int32_t rank_of(const ranking *r, size_t q, float *scores)
{
    const size_t dim = (size_t)r->rows->dim;
    const size_t probe = (size_t)(r->asked[q] - r->first_probe);
    float best = -INFINITY;
    int32_t rank = 1;

    if (r->probes->errors[probe])
        return 0;
    dpl_head_scores(scores, r->head, r->probes->vectors + probe * dim, r->rows->vectors,
                    r->rows->n);
    if (r->shared)
        scores[probe] = NAN;
    for (size_t i = r->starts[q]; i < r->starts[q + 1]; i++) {
        float *right = &scores[r->answers[i].right - r->first_row];
        if (isfinite(*right) && *right > best)
            best = *right;
        *right = NAN; /* right answers do not stand in each other's way */
    }
    if (!isfinite(best))
        return 0;
    for (size_t i = 0; i < r->rows->n; i++)
        rank += scores[i] >= best;
    return rank;
}

static dpl_status rank_block(void *ctx, int worker, size_t item, dpl_error *err)
{
    const ranking *r = ctx;
    const size_t from = (r->first + item) * BLOCK;

    (void)err;
    for (size_t q = from; q < from + BLOCK && q < r->n; q++)
        r->ranks[q] = rank_of(r, q, r->scores[worker]);
    return DPL_OK;
}

/* Questions in order, each once, with all of its right answers. */
static size_t gather(int32_t *asked, size_t *starts, const answer *answers, size_t n)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        if (i == 0 || answers[i - 1].asked != answers[i].asked) {
            asked[m] = answers[i].asked;
            starts[m++] = i;
        }
    starts[m] = n;
    return m;
}

static dpl_status rank_all(ranking *r, const dpl_embed_options *o, dpl_error *err)
{
    const size_t n_threads = (size_t)(o->n_threads > 0 ? o->n_threads : dpli_n_cores());
    const size_t n_blocks = (r->n + BLOCK - 1) / BLOCK;
    dpl_status status = DPL_OK;

    r->scores = dpli_calloc(n_threads, sizeof *r->scores, err);
    for (size_t t = 0; r->scores && t < n_threads && status == DPL_OK; t++) {
        r->scores[t] = dpli_alloc(r->rows->n, sizeof **r->scores, err);
        status = r->scores[t] ? DPL_OK : DPL_E_MEMORY;
    }
    if (!r->scores)
        status = DPL_E_MEMORY;
    for (r->first = 0; r->first < n_blocks && status == DPL_OK; r->first += CHUNK) {
        const size_t left = n_blocks - r->first, done = (r->first + CHUNK) * BLOCK;
        if (dpli_cancelled(o->cancel)) {
            status = dpli_fail(err, DPL_E_CANCELLED, "interrupted");
            break;
        }
        status = dpli_pool_run((int)n_threads, left < CHUNK ? left : CHUNK, rank_block, r, err);
        if (status == DPL_OK && o->on_progress)
            o->on_progress(o->ctx, (int64_t)(done < r->n ? done : r->n), (int64_t)r->n);
    }
    for (size_t t = 0; r->scores && t < n_threads; t++)
        free(r->scores[t]);
    free(r->scores);
    return status;
}

static int by_rank(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Ranks to figures; what has none stands behind all candidates. */
static dpl_status measure(dpl_retrieval *out, const int32_t *ranks, size_t n, size_t n_rows,
                          dpl_error *err)
{
    static const int32_t at[DPL_N_RECALL] = {1, 5, 10};
    double *sorted = dpli_alloc(n, sizeof *sorted, err), sum = 0;

    if (!sorted)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        out->n_failed += ranks[i] == 0;
        sorted[i] = ranks[i] == 0 ? (double)n_rows : (double)ranks[i];
        sum += sorted[i];
    }
    for (int k = 0; k < DPL_N_RECALL; k++) {
        int64_t found = 0;
        for (size_t i = 0; i < n; i++)
            found += ranks[i] > 0 && ranks[i] <= at[k];
        out->at[k] = at[k];
        out->recall[k] = dpl_share_of(found, (int64_t)n);
    }
    qsort(sorted, n, sizeof *sorted, by_rank);
    out->median_rank = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    out->mean_rank = sum / (double)n;
    free(sorted);
    return DPL_OK;
}

dpl_status dpl_retrieval_make(dpl_retrieval *out, const dpl_dataset *dataset, int asked_side,
                              const dpl_head *head, const dpl_embeddings *asked,
                              const dpl_embeddings *answers, const dpl_embed_options *options,
                              dpl_error *err)
{
    const int32_t n_pairs = dpl_dataset_n_pairs(dataset);
    dpl_embed_options o = DPL_EMBED_OPTIONS_INIT;
    dpl_retrieval r = {0};
    answer *pairs = NULL;
    size_t n = 0, *starts = NULL;
    int32_t n_items;
    dpl_status status;

    *out = r;
    status = dpli_options(&o, sizeof o, options, "embed", err);
    if (status != DPL_OK)
        return status;
    pairs = dpli_alloc((size_t)n_pairs, sizeof *pairs, err);
    starts = dpli_alloc((size_t)n_pairs + 1, sizeof *starts, err);
    r.items = dpli_alloc((size_t)n_pairs, sizeof *r.items, err);
    r.ranks = dpli_alloc((size_t)n_pairs, sizeof *r.ranks, err);
    if (!pairs || !starts || !r.items || !r.ranks) {
        status = DPL_E_MEMORY;
        goto done;
    }
    for (int32_t i = 0; i < n_pairs; i++) {
        const dpl_given_pair *p = dpl_dataset_pair(dataset, i);
        if (p->grade >= 1 && p->a != p->b)
            pairs[n++] = asked_side == 0 ? (answer){p->a, p->b} : (answer){p->b, p->a};
    }
    if (n == 0) {
        status = dpli_fail(err, DPL_E_INPUT, "there is no pair of one and the same");
        goto done;
    }
    qsort(pairs, n, sizeof *pairs, by_asked);
    r.n = gather(r.items, starts, pairs, n);
    r.n_candidates = answers->n;
    ranking all = {
        .head = head,
        .probes = asked,
        .rows = answers,
        .first_probe = dpl_dataset_side_items(dataset, asked_side, &n_items),
        .first_row = dpl_dataset_side_items(dataset, 1 - asked_side, &n_items),
        .shared = dpl_dataset_side_kind(dataset, 0) == dpl_dataset_side_kind(dataset, 1),
        .asked = r.items,
        .starts = starts,
        .answers = pairs,
        .ranks = r.ranks,
        .n = r.n,
    };
    status = rank_all(&all, &o, err);
    if (status == DPL_OK)
        status = measure(&r, r.ranks, r.n, answers->n, err);
    if (status == DPL_OK) {
        *out = r;
        r = (dpl_retrieval){0};
    }
done:
    free(pairs);
    free(starts);
    dpl_retrieval_clear(&r);
    return status;
}

void dpl_retrieval_clear(dpl_retrieval *retrieval)
{
    if (!retrieval)
        return;
    free(retrieval->items);
    free(retrieval->ranks);
    *retrieval = (dpl_retrieval){0};
}
