/*
 * Retrieve, then score: an index in memory searched by a head.
 *
 * Exactly: codes of 8 bits bound every score and the head scores what they leave (scan.c). Where
 * there are too few vectors for that to be worth it, FAISS's float32 takes a few candidates more
 * than wanted; what it left out lies no nearer than its last candidate, and if even that would
 * score below the last one wanted, rounding included, the answer is proven complete. What neither
 * settles, and the heads that codes say nothing of, go to flat.c: every row by the head.
 *
 * Approximately: a walk through a graph of codes proposes, the head scores. The answer may miss a
 * vector. How often was measured when the index was made, by this head, on vectors of the gallery
 * that were held out of the graph meanwhile; what the walk keeps was widened until it was rare
 * enough. Scores are the head's own in any case.
 */
#include "index/retrieve.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "index/head.h"
#include "index/scan.h"

enum {
    BATCH_FROM = 20,         /* probes from which FAISS takes a matrix product, on all cores */
    ONE_CORE_UP_TO = 100000, /* rows that one core compares in some milliseconds */
    CANDIDATES_K_MAX = 1024, /* beyond, its candidates cost more than comparing everything */
    FAISS_UP_TO = 1 << 16,   /* rows for which it may be wanted: codes serve so many a wanted one */
    SPARE = 32,              /* candidates more than wanted */
    RECALL_AT = 10,
    N_TUNE = 200,     /* probes to tune with */
    N_TRUTH = 64,     /* of the rows, the best to find ten in that were not held out */
    LEAST_WIDTH = 10, /* that a walk keeps */
    WORTH = 6,        /* a code found by a link costs as much as so many in a row */
    WORTH_FULL = 2,   /* the same where full vectors are compared in a row */
    WALKS = 16,       /* that a thread makes at once */
    GONE_SHARE = 3,   /* of all, beyond which what is left is better made anew */
    STALE_SHARE = 20, /* of all, after whose coming or going recall is measured again */
    SURE = 6          /* deviations of an error that nobody need expect */
};

/* How far from 1 a norm may be for distance to order as cosine does. */
static const double unit_slack = 1e-3;

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------ norms */

static double norm_of(const float *row, size_t dim)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)row[i] * row[i];
    return sqrt(sum);
}

static void widen_norms(double *min, double *max, const float *rows, size_t n, size_t dim)
{
    for (size_t r = 0; r < n; r++) {
        double norm = norm_of(rows + r * dim, dim);
        *min = fmin(*min, norm);
        *max = fmax(*max, norm);
    }
}

static int are_unit(double min, double max)
{
    return min >= 1 - unit_slack && max <= 1 + unit_slack;
}

/* To unit norm; a vector of zeros, which has no direction, stays. */
static void normalise(float *to, const float *from, size_t n, size_t dim)
{
    for (size_t r = 0; r < n; r++) {
        double norm = norm_of(from + r * dim, dim);
        for (size_t i = 0; i < dim; i++)
            to[r * dim + i] = norm > 0 ? (float)(from[r * dim + i] / norm) : 0.0f;
    }
}

/* The probes as FAISS must see them for its order to be the head's; *made is freed by the caller.
 */
static dpl_status probes_for(const float **out, float **made, const dpl_head *head,
                             const float *probes, size_t n, size_t dim, dpl_error *err)
{
    *made = NULL;
    *out = probes;
    if (dpl_head_get_kind(head) != DPL_HEAD_COSINE)
        return DPL_OK;
    *made = dpli_alloc(n * dim, sizeof **made, err);
    if (!*made)
        return DPL_E_MEMORY;
    normalise(*made, probes, n, dim);
    *out = *made;
    return DPL_OK;
}

/* ------------------------------------------------------------------ exact */

/* No row at a squared distance of at least d2 from the (normalised) probe scores higher than this.
 */
static double best_beyond(const dpli_index *index, const dpl_head *head, double probe_norm,
                          double d2)
{
    double scale = probe_norm + index->max_norm;
    /* Both squares and their product, each a float32 sum over dim terms. */
    double error = (double)index->dim * FLT_EPSILON * scale * scale;
    double best = -INFINITY;

    d2 = fmax(d2 - error, 0);
    if (dpl_head_get_kind(head) == DPL_HEAD_EUCLIDEAN)
        return -sqrt(d2);
    /* cos = (1 + r^2 - d^2) / 2r for a row of norm r: highest at one end of the norms. */
    for (int end = 0; end < 2; end++) {
        double r = end ? index->max_norm : index->min_norm;
        best = fmax(best, (1 + r * r - d2) / (2 * r));
    }
    return best + 4 * FLT_EPSILON;
}

static int may_prove(const dpli_index *index, const dpl_head *head, size_t n_probes, size_t k)
{
    dpl_head_kind kind = dpl_head_get_kind(head);

    return index->vectors.ann && (n_probes >= BATCH_FROM || index->n <= ONE_CORE_UP_TO) &&
           k <= CANDIDATES_K_MAX && k + SPARE <= index->n / 2 &&
           (kind == DPL_HEAD_EUCLIDEAN ||
            (kind == DPL_HEAD_COSINE && are_unit(index->min_norm, index->max_norm)));
}

static dpl_status search_proven(dpli_found *found, const dpli_index *index, const dpl_head *head,
                                const float *rows, const float *probes, size_t n_probes, size_t k,
                                dpl_error *err)
{
    size_t dim = (size_t)index->dim, wide = k + SPARE;
    const float *asked = NULL;
    float *made = NULL, *distance = NULL;
    int64_t *at = NULL;
    dpl_status status = probes_for(&asked, &made, head, probes, n_probes, dim, err);

    if (status != DPL_OK)
        goto done;
    status = DPL_E_MEMORY;
    distance = dpli_alloc(n_probes * wide, sizeof *distance, err);
    if (!distance)
        goto done;
    at = dpli_alloc(n_probes * wide, sizeof *at, err);
    if (!at)
        goto done;
    status = dpli_ann_search(at, distance, index->vectors.ann, asked, n_probes, wide, err);
    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < n_probes; i++) {
        const float *probe = probes + i * dim;
        dpli_top top = {.best = found + i * k, .k = k};
        double last = distance[i * wide + wide - 1];

        for (size_t j = 0; j < wide; j++) {
            size_t row = (size_t)at[i * wide + j];
            if (at[i * wide + j] >= 0)
                dpli_top_offer(&top, dpl_head_score(head, probe, rows + row * dim), row);
        }
        dpli_top_sort(&top);
        /* Not a number, or too few, or not proven: compare everything. */
        if (!(top.n == k && isfinite(last) &&
              top.best[k - 1].score >
                  best_beyond(index, head, norm_of(asked + i * dim, dim), last))) {
            status = dpli_flat_search(top.best, head, rows, index->n, probe, 1, k, err);
            if (status != DPL_OK)
                goto done;
        }
    }
done:
    free(made);
    free(distance);
    free(at);
    return status;
}

/* ------------------------------------------------------------------ approximate */

typedef struct walks {
    dpli_found *found;
    const dpli_index *index;
    const dpl_head *head;
    const float *probes;
    size_t n_probes, k, width, take; /* take: candidates to score where no bound tells */
    dpli_walker **walkers;           /* a thread each */
    int16_t *codes;                  /* [n_threads, width of a code] */
    float *rooms;                    /* [n_threads, dim] */
    uint64_t *n_compared;            /* [n_threads] */
} walks;

/* The most that a node's score can surely be. The error of a code is a vector of some direction;
   only one that points along the probe would cost all of it. */
static float likely_high(const walks *w, const dpli_coded_probe *probe, const dpli_near *near)
{
    const dpli_index *index = w->index;
    const int8_t *record = (const int8_t *)index->records.at + near->at * index->shape.stride;
    const dpli_code_end *end = dpli_code_end_of(record, &index->shape);
    const float share = fminf(1, SURE / sqrtf((float)index->dim));
    const float off = share * (end->error + (float)probe->error);

    if (index->shape.unit)
        return -near->distance + off;
    return -(sqrtf(fmaxf(near->distance, 0)) - off);
}

/* Best proposed first, until the next one is surely no better than the last one wanted. */
static dpl_status score_proposed(dpli_top *top, const walks *w, const dpli_coded_probe *coded,
                                 const float *probe, const dpli_near *near, size_t n, float *room,
                                 dpl_error *err)
{
    enum { AHEAD = 4 };
    const dpli_index *index = w->index;
    const size_t dim = (size_t)index->dim;
    const float *all = dpli_rows_all(&index->vectors), *row;
    const bool bounded = dpli_code_serves(&index->shape, w->head);

    for (size_t j = 0; j < n && (bounded || j < w->take); j++) {
        const size_t at = near[j].at;

        if (all && j + AHEAD < n)
            for (size_t i = 0; i < dim; i += 16)
                __builtin_prefetch(all + near[j + AHEAD].at * dim + i);
        if (bounded && top->n == top->k && likely_high(w, coded, &near[j]) < top->best[0].score)
            break;
        row = dpli_rows_at(&index->vectors, at, room, err);
        if (!row)
            return DPL_E_INPUT;
        dpli_top_offer(top, dpl_head_score(w->head, probe, row), at);
    }
    return DPL_OK;
}

static dpl_status walk_one(const walks *w, int worker, size_t number, dpl_error *err)
{
    const dpli_index *index = w->index;
    const float *probe = w->probes + number * (size_t)index->dim;
    const dpli_coded coded = {index->records.at, index->shape};
    const size_t n_there = index->n - index->n_gone;
    dpli_coded_probe code = {.code = w->codes + (size_t)worker * (size_t)index->shape.width};
    dpl_status status = DPL_OK;

    dpli_code_probe(&code, &index->shape, probe);
    for (size_t width = w->width;; width *= 4) {
        dpli_top top = {.best = w->found + number * w->k, .k = w->k};
        size_t n;
        const dpli_near *near = dpli_hnsw_search(&n, &index->graph, &coded, &code, width,
                                                 w->walkers[worker], &w->n_compared[worker], err);

        if (!near)
            return DPL_E_MEMORY;
        status = score_proposed(&top, w, &code, probe, near, n,
                                w->rooms + (size_t)worker * (size_t)index->dim, err);
        dpli_top_sort(&top);
        /* Fewer than there could be: some that were met have no score, or the walk ended early. */
        if (status != DPL_OK || top.n >= min_size(w->k, n_there) || width >= index->n)
            return status;
    }
}

static dpl_status walk_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    const walks *w = ctx;
    dpl_status status = DPL_OK;

    for (size_t i = item * WALKS; i < w->n_probes && i < (item + 1) * WALKS && status == DPL_OK;
         i++)
        status = walk_one(w, worker, i, err);
    return status;
}

/* *n_compared: codes looked at for all probes; may be NULL. */
static dpl_status search_graph(dpli_found *found, uint64_t *n_compared, const dpli_index *index,
                               const dpl_head *head, const float *probes, size_t n_probes, size_t k,
                               size_t width, size_t wide, dpl_error *err)
{
    const size_t n_items = (n_probes + WALKS - 1) / WALKS;
    const size_t n_threads = min_size(n_items, (size_t)dpli_n_cores());
    const size_t wanted = k > RECALL_AT ? k : RECALL_AT, take = 2 * wanted * wide;
    walks w = {.found = found,
               .index = index,
               .head = head,
               .probes = probes,
               .n_probes = n_probes,
               .k = k,
               .width = width > k ? width : k,
               .take = take};
    dpl_status status = DPL_E_MEMORY;

    if (!dpli_code_serves(&index->shape, head) && w.width < take)
        w.width = take;
    w.walkers = dpli_calloc(n_threads, sizeof *w.walkers, err);
    w.n_compared = dpli_calloc(n_threads, sizeof *w.n_compared, err);
    w.codes = dpli_alloc_aligned(n_threads * (size_t)index->shape.width, sizeof *w.codes, err);
    w.rooms = dpli_alloc(n_threads * (size_t)index->dim, sizeof *w.rooms, err);
    if (!w.walkers || !w.n_compared || !w.codes || !w.rooms)
        goto done;
    for (size_t i = 0; i < n_threads; i++)
        if (dpli_walker_new(&w.walkers[i], err) != DPL_OK)
            goto done;
    status = dpli_pool_run((int)n_threads, n_items, walk_some, &w, err);
    for (size_t i = 0; n_compared && i < n_threads; i++)
        *n_compared += w.n_compared[i];
done:
    for (size_t i = 0; w.walkers && i < n_threads; i++)
        dpli_walker_free(w.walkers[i]);
    free(w.walkers);
    free(w.n_compared);
    free(w.codes);
    free(w.rooms);
    return status;
}

dpl_status dpli_index_search(dpli_found *found, const dpli_index *index, const dpl_head *head,
                             const float *probes, size_t n_probes, size_t k, dpl_error *err)
{
    const dpli_scanned scanned = {index->records.at, index->shape, &index->vectors, index->gone,
                                  index->n};

    if (index->n == 0 || n_probes == 0) {
        for (size_t i = 0; i < n_probes * k; i++)
            found[i] = (dpli_found){NAN, DPLI_NOWHERE};
        return DPL_OK;
    }
    if (dpli_index_is_approximate(index)) {
        /* Tuned for the first ten; the more are wanted, the further away they lie. */
        const size_t times = k > RECALL_AT ? (k - 1) / RECALL_AT + 1 : 1;

        return search_graph(found, NULL, index, head, probes, n_probes, k, index->width * times,
                            index->wide, err);
    }
    if (dpli_scan_serves(&scanned, head, k))
        return dpli_scan_search(found, head, &scanned, probes, n_probes, k, err);
    if (may_prove(index, head, n_probes, k))
        return search_proven(found, index, head, dpli_rows_all(&index->vectors), probes, n_probes,
                             k, err);
    return dpli_rows_search(found, head, &index->vectors, index->gone, probes, n_probes, k, err);
}

/* ------------------------------------------------------------------ tuning */

typedef struct tuning {
    const dpli_index *index;
    const dpl_head *head;
    size_t n;          /* probes */
    float *probes;     /* [n, dim] */
    dpli_found *truth; /* [n, RECALL_AT], exact, of the rows that are in the graph */
    dpli_found *found; /* the same, approximate */
    char *held_out;    /* [index->n] nonzero for those that are probes */
} tuning;

/* Share of the truth that is found, and a standard error below it: a probe's answers are found or
   missed together, so it is the probes that scatter. A row that scores as high as the last true one
   is as good as it: among equals the truth is arbitrary. *n_compared: codes a probe. */
static dpl_status measure(double *recall, double *surely, double *n_compared, const tuning *t,
                          size_t width, size_t wide, dpl_error *err)
{
    double sum = 0, squares = 0, n = 0;
    uint64_t compared = 0;
    dpl_status status = search_graph(t->found, &compared, t->index, t->head, t->probes, t->n,
                                     RECALL_AT, width, wide, err);

    if (status != DPL_OK)
        return status;
    *n_compared = (double)compared / (double)t->n;
    for (size_t i = 0; i < t->n; i++) {
        const dpli_found *truth = t->truth + i * RECALL_AT, *found = t->found + i * RECALL_AT;
        size_t n_true = 0, n_found = 0;

        while (n_true < RECALL_AT && truth[n_true].at != DPLI_NOWHERE)
            n_true++;
        for (size_t j = 0; j < RECALL_AT && n_found < n_true; j++)
            n_found += found[j].at != DPLI_NOWHERE && found[j].score >= truth[n_true - 1].score;
        if (n_true > 0) {
            double share = (double)n_found / (double)n_true;
            sum += share;
            squares += share * share;
            n++;
        }
    }
    *recall = n > 0 ? sum / n : 0;
    *surely = n > 1 ? *recall - sqrt(fmax(squares / n - *recall * *recall, 0) / (n - 1)) : 0;
    return DPL_OK;
}

/* The narrowest walk, with the fewest candidates, that surely reaches the wish; no narrower than it
   has been, for what is measured scatters. *recall is what it reaches, or below the wish the most
   that any surely did. */
static dpl_status climb(dpli_index *index, const tuning *t, double min_recall, dpl_error *err)
{
    const bool bounded = dpli_code_serves(&index->shape, t->head);
    const double worth = bounded ? WORTH : WORTH_FULL;
    double best = 0, surely, n_compared = 0;
    dpl_status status;

    if (index->wide < 1)
        index->wide = 1;
    for (; index->wide <= (bounded ? 1 : 64); index->wide *= 4) {
        /* Where no bound tells, a walk keeps what is taken in any case. */
        size_t width = bounded ? LEAST_WIDTH : 2 * RECALL_AT * index->wide;

        if (width < index->width)
            width = index->width;
        for (;; width += width / 4 + 1) {
            status = measure(&index->recall, &surely, &n_compared, t, width, index->wide, err);
            if (status != DPL_OK)
                return status;
            best = fmax(best, surely);
            /* Costlier than comparing everything. */
            if (n_compared * worth > (double)index->n)
                break;
            if (surely >= min_recall) {
                index->width = width;
                index->n_compared = n_compared;
                return DPL_OK;
            }
        }
    }
    index->recall = fmin(best, nextafter(min_recall, 0));
    return DPL_OK;
}

/* The first ten of the truth that are in the graph. */
static dpl_status find_truth(tuning *t, dpl_error *err)
{
    const size_t k = min_size(N_TRUTH, t->index->n);
    dpli_found *all = dpli_alloc(t->n * k, sizeof *all, err);
    const dpli_scanned scanned = {t->index->records.at, t->index->shape, &t->index->vectors,
                                  t->index->gone, t->index->n};
    dpl_status status;

    if (!all)
        return DPL_E_MEMORY;
    status =
        dpli_scan_serves(&scanned, t->head, k)
            ? dpli_scan_search(all, t->head, &scanned, t->probes, t->n, k, err)
            : dpli_rows_search(all, t->head, scanned.rows, scanned.gone, t->probes, t->n, k, err);
    for (size_t i = 0; i < t->n && status == DPL_OK; i++) {
        dpli_found *truth = t->truth + i * RECALL_AT;
        size_t n = 0;

        for (size_t j = 0; j < k && n < RECALL_AT && all[i * k + j].at != DPLI_NOWHERE; j++)
            if (!t->held_out[all[i * k + j].at])
                truth[n++] = all[i * k + j];
        for (; n < RECALL_AT; n++)
            truth[n] = (dpli_found){NAN, DPLI_NOWHERE};
    }
    free(all);
    return status;
}

/* All nodes in an order that their vectors do not have; those held out last. */
static uint32_t *shuffle(const dpli_index *index, const char *held_out, size_t n_held_out,
                         dpl_error *err)
{
    uint32_t *order = dpli_alloc(index->n, sizeof *order, err);
    size_t first = 0, last = index->n - n_held_out;
    dpli_rng rng;

    if (!order)
        return NULL;
    for (uint32_t i = 0; i < index->n; i++)
        order[held_out[i] ? last++ : first++] = i;
    dpli_rng_seed(&rng, 3);
    for (size_t i = first; i > 1; i--) {
        const size_t j = (size_t)dpli_rng_below(&rng, i);
        const uint32_t at = order[i - 1];

        order[i - 1] = order[j];
        order[j] = at;
    }
    return order;
}

static void clear_tuning(tuning *t)
{
    free(t->probes);
    free(t->truth);
    free(t->found);
    free(t->held_out);
}

/* Some of the vectors as probes, the same for the same vectors, with what an exact search finds. */
static dpl_status make_tuning(tuning *t, const dpli_index *index, const dpl_head *head,
                              dpl_error *err)
{
    const size_t dim = (size_t)index->dim, n = min_size(N_TUNE, (index->n - index->n_gone) / 5);
    dpl_status status = DPL_OK;
    dpli_rng rng;

    *t = (tuning){.index = index, .head = head};
    t->held_out = dpli_calloc(index->n, 1, err);
    t->probes = dpli_alloc(n * dim, sizeof *t->probes, err);
    t->truth = dpli_alloc(n * RECALL_AT, sizeof *t->truth, err);
    t->found = dpli_alloc(n * RECALL_AT, sizeof *t->found, err);
    if (!t->held_out || !t->probes || !t->truth || !t->found)
        return DPL_E_MEMORY;
    dpli_rng_seed(&rng, 2);
    while (t->n < n && status == DPL_OK) {
        const size_t at = (size_t)dpli_rng_below(&rng, index->n);

        if (t->held_out[at] || (index->gone && index->gone[at]))
            continue;
        t->held_out[at] = 1;
        status = dpli_rows_read(t->probes + t->n++ * dim, &index->vectors, at, 1, err);
    }
    return status == DPL_OK ? find_truth(t, err) : status;
}

/* Milliseconds of a search on average, one probe after the other as they are asked. */
static dpl_status time_searches(double *ms, const tuning *t, bool exactly, dpl_error *err)
{
    enum { N_TIMED = 20 };
    const dpli_index *index = t->index;
    const dpli_scanned scanned = {index->records.at, index->shape, &index->vectors, index->gone,
                                  index->n};
    const size_t n = min_size(N_TIMED, t->n);
    const double start = dpli_now();
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        const float *probe = t->probes + i * (size_t)index->dim;

        if (!exactly)
            status = search_graph(t->found, NULL, index, t->head, probe, 1, RECALL_AT, index->width,
                                  index->wide, err);
        else if (dpli_scan_serves(&scanned, t->head, RECALL_AT))
            status = dpli_scan_search(t->found, t->head, &scanned, probe, 1, RECALL_AT, err);
        else
            status = dpli_rows_search(t->found, t->head, &index->vectors, index->gone, probe, 1,
                                      RECALL_AT, err);
    }
    *ms = n > 0 ? (dpli_now() - start) * 1e3 / (double)n : 0;
    return status;
}

/* Tune and tell what it costs; the probes are not in the graph. */
static dpl_status tune(dpli_index *index, const tuning *t, double min_recall, dpl_error *err)
{
    dpl_status status = climb(index, t, min_recall, err);

    if (status == DPL_OK && index->recall >= min_recall)
        status = time_searches(&index->search_ms, t, false, err);
    if (status == DPL_OK)
        status = time_searches(&index->exact_ms, t, true, err);
    index->head_sum = dpli_head_sum(t->head);
    index->n_changed = 0;
    return status;
}

/* Link all but some, tune with those as probes from outside, then link them too. */
static dpl_status make_and_tune(dpli_index *index, const dpl_head *head, double min_recall,
                                dpl_error *err)
{
    const dpli_coded coded = {index->records.at, index->shape};
    uint32_t *order = NULL;
    tuning t;
    dpl_status status = make_tuning(&t, index, head, err);

    if (status == DPL_OK) {
        order = shuffle(index, t.held_out, t.n, err);
        status = order ? dpli_hnsw_grow(&index->graph, index->n, err) : DPL_E_MEMORY;
    }
    if (status == DPL_OK)
        status = dpli_hnsw_link(&index->graph, &coded, order, index->n - t.n, err);
    if (status == DPL_OK)
        status = tune(index, &t, min_recall, err);
    if (status == DPL_OK && index->recall >= min_recall)
        status = dpli_hnsw_link(&index->graph, &coded, order + index->n - t.n, t.n, err);
    free(order);
    clear_tuning(&t);
    return status;
}

/* ------------------------------------------------------------------ codes */

typedef struct coding {
    const dpli_index *index;
    size_t first;
} coding;

enum { CODED = 4096 /* rows that a thread codes at once */ };

static dpl_status code_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    const coding *c = ctx;
    const dpli_index *index = c->index;
    const size_t at = c->first + item * CODED;

    (void)worker;
    (void)err;
    dpli_code_rows((int8_t *)index->records.at + at * index->shape.stride, &index->shape,
                   dpli_rows_rest(&index->vectors) +
                       (at - index->vectors.n_filed) * (size_t)index->dim,
                   min_size(CODED, index->n - at));
    return DPL_OK;
}

/* Codes of the rows from first on, which are in memory; those before are there. */
static dpl_status code_from(dpli_index *index, size_t first, dpl_error *err)
{
    const size_t n = index->n - first;
    coding c = {index, first};
    size_t n_bytes;
    dpl_status status;

    if (!dpli_mul(&n_bytes, index->n, index->shape.stride))
        return dpli_fail(err, DPL_E_MEMORY, "codes of %zu vectors", index->n);
    status = dpli_span_resize(&index->records, n_bytes, err);
    if (status != DPL_OK)
        return status;
    return dpli_pool_run(n > CODED ? 0 : 1, (n + CODED - 1) / CODED, code_some, &c, err);
}

/* ------------------------------------------------------------------ making */

static int wants_exact(size_t n, dpli_wish wish)
{
    return n < DPLI_APPROXIMATE_FROM || (wish.exact_up_to >= 0 && n <= (uint64_t)wish.exact_up_to);
}

int dpli_index_serves(const dpli_index *index, const dpl_head *head, dpli_wish wish)
{
    if (wants_exact(index->n - index->n_gone, wish))
        return !dpli_index_is_approximate(index);
    if (index->head_sum != dpli_head_sum(head))
        return 0;
    return dpli_index_is_approximate(index) ? index->recall >= wish.min_recall
                                            : index->recall < wish.min_recall;
}

dpl_status dpli_index_make(dpli_index *out, dpli_vectors *vectors, const dpl_head *head,
                           dpli_wish wish, dpl_error *err)
{
    const bool exact = wants_exact(vectors->n, wish);
    dpli_index index = {.ids = vectors->ids,
                        .owners = vectors->owners,
                        .photos = vectors->photos,
                        .n = vectors->n,
                        .dim = vectors->dim,
                        .generation = vectors->generation,
                        .min_norm = INFINITY};
    dpl_status status = DPL_OK;

    memset(out, 0, sizeof *out);
    vectors->ids = vectors->owners = vectors->photos = NULL;
    vectors->n = 0;
    widen_norms(&index.min_norm, &index.max_norm, vectors->rows, index.n, (size_t)index.dim);
    status = dpli_rows_take(&index.vectors, &vectors->rows, index.n, index.dim,
                            exact && index.n <= FAISS_UP_TO, err);
    index.shape = dpli_code_shape_of(index.dim, dpl_head_get_kind(head) == DPL_HEAD_COSINE);
    if (status == DPL_OK && index.n > 0 && (!exact || dpli_code_serves(&index.shape, head)))
        status = code_from(&index, 0, err);
    if (status == DPL_OK && !exact)
        status = make_and_tune(&index, head, wish.min_recall, err);
    if (status == DPL_OK && !exact && index.recall < wish.min_recall)
        dpli_hnsw_clear(&index.graph);
    if (status == DPL_OK) {
        *out = index;
        memset(&index, 0, sizeof index);
    }
    dpli_index_clear(&index);
    return status;
}

/* ------------------------------------------------------------------ changing */

/* An exact one is the same however it came to be, in its file, too: it was not tuned. */
static void note_changed(dpli_index *index, size_t n)
{
    index->n_unsaved += n;
    if (dpli_index_is_approximate(index))
        index->n_changed += n;
}

dpl_status dpli_index_extend(bool *done, dpli_index *index, const float *rows, size_t n,
                             dpl_error *err)
{
    const size_t n_old = index->n;
    dpl_status status;

    *done = false;
    if (n_old == 0)
        return DPL_OK;
    status = dpli_rows_add(&index->vectors, rows, n, err);
    if (status != DPL_OK)
        return status;
    widen_norms(&index->min_norm, &index->max_norm, rows, n, (size_t)index->dim);
    index->n += n;
    note_changed(index, n);
    if (index->gone) {
        char *gone = dpli_realloc(index->gone, index->n, 1, err);

        if (!gone)
            return DPL_E_MEMORY;
        memset(gone + n_old, 0, n);
        index->gone = gone;
    }
    if (index->records.at)
        status = code_from(index, n_old, err);
    if (status == DPL_OK && dpli_index_is_approximate(index)) {
        const dpli_coded coded = {index->records.at, index->shape};
        uint32_t *nodes = dpli_alloc(n, sizeof *nodes, err);

        status = nodes ? dpli_hnsw_grow(&index->graph, index->n, err) : DPL_E_MEMORY;
        for (size_t i = 0; i < n && nodes; i++)
            nodes[i] = (uint32_t)(n_old + i);
        if (status == DPL_OK)
            status = dpli_hnsw_link(&index->graph, &coded, nodes, n, err);
        free(nodes);
    }
    *done = status == DPL_OK;
    return status;
}

dpl_status dpli_index_take_out(bool *done, dpli_index *index, const char *is_gone, size_t n,
                               dpl_error *err)
{
    dpl_status status = DPL_OK;

    *done = false;
    if (index->n_gone + n > index->n / GONE_SHARE)
        return DPL_OK;
    if (!index->gone)
        index->gone = dpli_calloc(index->n, 1, err);
    if (!index->gone)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < index->n; i++)
        index->gone[i] |= is_gone[i];
    index->n_gone += n;
    note_changed(index, n);
    if (dpli_index_is_approximate(index)) {
        const dpli_coded coded = {index->records.at, index->shape};

        status = dpli_hnsw_unlink(&index->graph, &coded, index->gone, err);
    }
    /* What scores nothing is never found; and nothing is left of it. */
    for (size_t i = 0; i < index->n && status == DPL_OK; i++) {
        if (!is_gone[i])
            continue;
        dpli_rows_wipe(&index->vectors, i);
        if (index->records.at)
            dpli_code_wipe((int8_t *)index->records.at + i * index->shape.stride, &index->shape);
    }
    *done = status == DPL_OK;
    return status;
}

bool dpli_index_is_stale(const dpli_index *index)
{
    return dpli_index_is_approximate(index) &&
           index->n_changed > (index->n - index->n_gone) / STALE_SHARE;
}

dpl_status dpli_index_retune(bool *done, dpli_index *index, const dpl_head *head, double min_recall,
                             dpl_error *err)
{
    const dpli_coded coded = {index->records.at, index->shape};
    char *outside = NULL;
    uint32_t *nodes = NULL;
    size_t n = 0;
    tuning t;
    dpl_status status = make_tuning(&t, index, head, err);

    *done = false;
    if (status != DPL_OK)
        goto done;
    outside = dpli_calloc(index->n, 1, err);
    nodes = outside ? dpli_alloc(t.n, sizeof *nodes, err) : NULL;
    if (!nodes) {
        status = DPL_E_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < index->n; i++) {
        outside[i] = t.held_out[i] || (index->gone && index->gone[i]);
        if (t.held_out[i])
            nodes[n++] = (uint32_t)i;
    }
    status = dpli_hnsw_unlink(&index->graph, &coded, outside, err);
    if (status == DPL_OK)
        status = tune(index, &t, min_recall, err);
    *done = index->recall >= min_recall;
    if (status == DPL_OK && *done)
        status = dpli_hnsw_link(&index->graph, &coded, nodes, n, err);
done:
    free(outside);
    free(nodes);
    clear_tuning(&t);
    return status;
}
