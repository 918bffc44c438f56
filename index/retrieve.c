/*
 * Retrieve, then score: an index in memory searched by a head.
 *
 * FAISS finds candidates by Euclidean distance; the head scores them, and its order is the
 * answer's.
 *
 * From a flat index the answer is exact. By cosine and Euclidean, FAISS's float32 takes a few
 * candidates more than wanted, in a third of the processor time that the head needs for all rows (a
 * fifth for a hundred probes at once). What it left out lies no nearer than its last candidate; if
 * even that would score below the last one wanted, rounding included, the answer is proven
 * complete, and otherwise that probe goes to flat.c. There also go the other heads, and few probes
 * of a large gallery: FAISS takes one core a probe, flat.c all of them.
 *
 * From an approximate index the answer may miss a vector. How often was measured when the index was
 * made, by this head, on vectors of the gallery itself with each one's own row left out; lists to
 * visit and candidates to take were raised until it was rare enough.
 */
#include "index/retrieve.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "index/head.h"
#include "index/scan.h"

enum {
    BATCH_FROM = 20,         /* probes from which FAISS takes a matrix product, on all cores */
    ONE_CORE_UP_TO = 100000, /* rows that one core compares in some milliseconds */
    CANDIDATES_K_MAX = 1024, /* beyond, its candidates cost more than comparing everything */
    SPARE = 32,              /* candidates more than wanted */
    RECALL_AT = 10,
    N_TUNE = 200,            /* probes to tune with */
    MAX_CANDIDATES = 1 << 20 /* held at once */
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

    return (n_probes >= BATCH_FROM || index->n <= ONE_CORE_UP_TO) && k <= CANDIDATES_K_MAX &&
           k + SPARE <= index->n / 2 &&
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
    status = dpli_ann_search(at, distance, index->ann, asked, n_probes, wide, 1, err);
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

/* One probe's candidates, scored; returns how many there were. */
static dpl_status score_candidates(dpli_top *top, const dpli_index *index, const dpl_head *head,
                                   const float *probe, const int64_t *at, size_t n, float *row,
                                   dpl_error *err)
{
    for (size_t j = 0; j < n && at[j] >= 0; j++) {
        dpl_status status = dpli_ann_row(row, index->ann, (size_t)at[j], err);

        if (status != DPL_OK)
            return status;
        dpli_top_offer(top, dpl_head_score(head, probe, row), (size_t)at[j]);
    }
    dpli_top_sort(top);
    return DPL_OK;
}

/* Candidates to take where k are wanted: as many times k whatever k is, so that what was tuned for
   ten serves more. */
static size_t candidates(const dpli_index *index, size_t k, size_t wide)
{
    return min_size(2 * k * wide, index->n);
}

static dpl_status search_lists(dpli_found *found, const dpli_index *index, const dpl_head *head,
                               const float *probes, size_t n_probes, size_t k, size_t n_visit,
                               size_t take, dpl_error *err)
{
    size_t dim = (size_t)index->dim, n_lists = dpli_ann_n_lists(index->ann), group;
    const float *asked = NULL;
    float *made = NULL, *distance = NULL, *row = NULL;
    int64_t *at = NULL;
    dpl_status status = DPL_E_MEMORY;

    group = min_size(n_probes, MAX_CANDIDATES / take + 1);
    distance = dpli_alloc(group * take, sizeof *distance, err);
    if (!distance)
        goto done;
    at = dpli_alloc(group * take, sizeof *at, err);
    if (!at)
        goto done;
    row = dpli_alloc(dim, sizeof *row, err);
    if (!row)
        goto done;
    status = probes_for(&asked, &made, head, probes, n_probes, dim, err);
    for (size_t first = 0; status == DPL_OK && first < n_probes; first += group) {
        size_t n = min_size(group, n_probes - first);

        status =
            dpli_ann_search(at, distance, index->ann, asked + first * dim, n, take, n_visit, err);
        for (size_t i = 0; status == DPL_OK && i < n; i++) {
            dpli_top top = {.best = found + (first + i) * k, .k = k};
            const float *probe = probes + (first + i) * dim;
            const int64_t *theirs = at + i * take;

            /* Lists can hold less than is wanted: visit more of them for this one. */
            for (size_t visit = n_visit;
                 status == DPL_OK && theirs[min_size(k, take) - 1] < 0 && visit < n_lists;) {
                visit = min_size(visit * 4, n_lists);
                status = dpli_ann_search(at + i * take, distance + i * take, index->ann,
                                         asked + (first + i) * dim, 1, take, visit, err);
            }
            if (status == DPL_OK)
                status = score_candidates(&top, index, head, probe, theirs, take, row, err);
        }
    }
done:
    free(made);
    free(distance);
    free(at);
    free(row);
    return status;
}

dpl_status dpli_index_search(dpli_found *found, const dpli_index *index, const dpl_head *head,
                             const float *probes, size_t n_probes, size_t k, dpl_error *err)
{
    const float *rows;
    dpli_scanned scanned;

    if (index->n == 0) {
        for (size_t i = 0; i < n_probes * k; i++)
            found[i] = (dpli_found){NAN, DPLI_NOWHERE};
        return DPL_OK;
    }
    if (dpli_ann_get_kind(index->ann) == DPLI_ANN_IVF) {
        /* Tuned for the first ten; the more are wanted, the further away they lie. */
        size_t times = k > RECALL_AT ? (k - 1) / RECALL_AT + 1 : 1;
        size_t n_lists = dpli_ann_n_lists(index->ann);
        size_t n_visit = times < n_lists / index->n_visit ? index->n_visit * times : n_lists;

        return search_lists(found, index, head, probes, n_probes, k, n_visit,
                            candidates(index, k > RECALL_AT ? k : RECALL_AT, index->wide), err);
    }
    rows = dpli_ann_rows(index->ann);
    scanned = (dpli_scanned){index->records, index->shape, rows, index->n};
    if (dpli_scan_serves(&scanned, head, k))
        return dpli_scan_search(found, head, &scanned, probes, n_probes, k, err);
    if (may_prove(index, head, n_probes, k))
        return search_proven(found, index, head, rows, probes, n_probes, k, err);
    return dpli_flat_search(found, head, rows, index->n, probes, n_probes, k, err);
}

/* ------------------------------------------------------------------ tuning */

typedef struct tuning {
    const dpli_index *index;
    const dpl_head *head;
    size_t n; /* probes */
    size_t *own;
    float *probes;     /* [n, dim] */
    dpli_found *truth; /* [n, RECALL_AT + 1], exact */
    dpli_found *found; /* the same, approximate */
} tuning;

/* Share of the truth that is found, own rows left out, and a standard error below it: a probe's
   answers are found or missed together, so it is the probes that scatter. A row that scores as high
   as the last true one is as good as it: among equals the truth is arbitrary. */
static dpl_status measure(double *recall, double *surely, const tuning *t, size_t n_visit,
                          size_t wide, dpl_error *err)
{
    enum { N = RECALL_AT + 1 };
    double sum = 0, squares = 0, n = 0;
    dpl_status status = search_lists(t->found, t->index, t->head, t->probes, t->n, N, n_visit,
                                     candidates(t->index, RECALL_AT, wide), err);

    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < t->n; i++) {
        const dpli_found *truth = t->truth + i * N, *found = t->found + i * N;
        size_t n_true = 0, n_found = 0;
        float last = INFINITY;

        for (size_t j = 0; j < N && n_true < RECALL_AT; j++) {
            if (truth[j].at == DPLI_NOWHERE || truth[j].at == t->own[i])
                continue;
            last = truth[j].score;
            n_true++;
        }
        for (size_t j = 0; j < N && n_found < n_true; j++)
            n_found +=
                found[j].at != DPLI_NOWHERE && found[j].at != t->own[i] && found[j].score >= last;
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

/* The fewest lists, at the least width, that surely reach the wish. *recall is what they reach, or
   below the wish the most that any surely did. */
static dpl_status climb(double *recall, size_t *n_visit, size_t *wide, const tuning *t,
                        double min_recall, dpl_error *err)
{
    /* Visiting half of the lists is hardly faster than comparing everything. */
    size_t most = dpli_ann_n_lists(t->index->ann) / 2 + 1;
    double best = 0, surely;
    dpl_status status;

    for (*wide = 1; *wide <= 64; *wide *= 4) {
        status = measure(recall, &surely, t, most, *wide, err);
        if (status != DPL_OK)
            return status;
        best = fmax(best, surely);
        if (surely < min_recall)
            continue;
        for (*n_visit = 1; *n_visit < most; *n_visit += *n_visit / 4 + 1) {
            status = measure(recall, &surely, t, *n_visit, *wide, err);
            if (status != DPL_OK)
                return status;
            if (surely >= min_recall)
                return DPL_OK;
        }
        *n_visit = most;
        return measure(recall, &surely, t, most, *wide, err);
    }
    *recall = best;
    return DPL_OK;
}

/* Make the index of rows without letting it learn from those it is then tuned with: their
   neighbours would lie in their own lists more often than those of a probe from outside. */
static dpl_status make_and_tune(dpli_index *index, const dpl_head *head, const float *rows,
                                double min_recall, dpl_error *err)
{
    size_t dim = (size_t)index->dim, n = min_size(N_TUNE, index->n / 5);
    tuning t = {.index = index, .head = head, .n = n};
    char *held_out = NULL;
    dpl_status status = DPL_E_MEMORY;
    dpli_rng rng;

    t.own = dpli_alloc(n, sizeof *t.own, err);
    if (!t.own)
        goto done;
    t.probes = dpli_alloc(n * dim, sizeof *t.probes, err);
    if (!t.probes)
        goto done;
    t.truth = dpli_alloc(n * (RECALL_AT + 1), sizeof *t.truth, err);
    if (!t.truth)
        goto done;
    t.found = dpli_alloc(n * (RECALL_AT + 1), sizeof *t.found, err);
    if (!t.found)
        goto done;
    held_out = dpli_calloc(index->n, 1, err);
    if (!held_out)
        goto done;
    dpli_rng_seed(&rng, 2);
    for (size_t i = 0; i < n; i++) {
        t.own[i] = (size_t)dpli_rng_below(&rng, index->n);
        held_out[t.own[i]] = 1;
        memcpy(t.probes + i * dim, rows + t.own[i] * dim, dim * sizeof *rows);
    }
    status = dpli_ann_new(&index->ann, DPLI_ANN_IVF, rows, index->n, index->dim, held_out, err);
    if (status == DPL_OK)
        status = dpli_flat_search(t.truth, head, rows, index->n, t.probes, n, RECALL_AT + 1, err);
    if (status != DPL_OK)
        goto done;
    status = climb(&index->recall, &index->n_visit, &index->wide, &t, min_recall, err);
    index->head_sum = dpli_head_sum(head);
    index->n_tuned = index->n;
done:
    free(t.own);
    free(t.probes);
    free(t.truth);
    free(t.found);
    free(held_out);
    return status;
}

/* ------------------------------------------------------------------ codes */

typedef struct coding {
    const dpli_index *index;
    const float *rows;
    size_t first, n;
} coding;

enum { CODED = 4096 /* rows that a thread codes at once */ };

static dpl_status code_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    const coding *c = ctx;
    const size_t at = item * CODED, n = min_size(CODED, c->n - at);

    (void)worker;
    (void)err;
    dpli_code_rows(c->index->records + (c->first + at) * c->index->shape.stride, &c->index->shape,
                   c->rows + at * (size_t)c->index->dim, n);
    return DPL_OK;
}

/* Codes of the rows from first on; what was there before stays. */
static dpl_status code_from(dpli_index *index, size_t first, dpl_error *err)
{
    coding c = {index, dpli_ann_rows(index->ann) + first * (size_t)index->dim, first,
                index->n - first};
    int8_t *records = dpli_alloc_aligned(index->n, index->shape.stride, err);

    if (!records)
        return DPL_E_MEMORY;
    if (first > 0)
        memcpy(records, index->records, first * index->shape.stride);
    free(index->records);
    index->records = records;
    return dpli_pool_run(c.n > CODED ? 0 : 1, (c.n + CODED - 1) / CODED, code_some, &c, err);
}

dpl_status dpli_index_code(dpli_index *index, const dpl_head *head, dpl_error *err)
{
    const bool unit = dpl_head_get_kind(head) == DPL_HEAD_COSINE;

    if (index->records || !index->ann || dpli_ann_get_kind(index->ann) != DPLI_ANN_FLAT)
        return DPL_OK;
    index->shape = dpli_code_shape_of(index->dim, unit);
    return dpli_code_serves(&index->shape, head) ? code_from(index, 0, err) : DPL_OK;
}

/* ------------------------------------------------------------------ making */

static int wants_exact(size_t n, dpli_wish wish)
{
    return n < DPLI_ANN_IVF_MIN || (wish.exact_up_to >= 0 && n <= (uint64_t)wish.exact_up_to);
}

int dpli_index_serves(const dpli_index *index, const dpl_head *head, dpli_wish wish)
{
    bool flat = !index->ann || dpli_ann_get_kind(index->ann) == DPLI_ANN_FLAT;

    if (wants_exact(index->n, wish))
        return flat;
    if (index->head_sum != dpli_head_sum(head))
        return 0;
    return flat ? index->recall < wish.min_recall : index->recall >= wish.min_recall;
}

/* *index becomes approximate; without ann where no tuning reached min_recall. */
static dpl_status make_tuned(dpli_index *index, const dpl_head *head, const float *rows,
                             double min_recall, dpl_error *err)
{
    size_t dim = (size_t)index->dim;
    float *unit = NULL;
    dpl_status status;

    if (dpl_head_get_kind(head) == DPL_HEAD_COSINE && !are_unit(index->min_norm, index->max_norm)) {
        unit = dpli_alloc(index->n * dim, sizeof *unit, err);
        if (!unit)
            return DPL_E_MEMORY;
        normalise(unit, rows, index->n, dim);
        rows = unit;
        index->normalised = true;
    }
    status = make_and_tune(index, head, rows, min_recall, err);
    if (status == DPL_OK && index->recall < min_recall) {
        dpli_ann_free(index->ann);
        index->ann = NULL;
        index->normalised = false;
    }
    free(unit);
    return status;
}

dpl_status dpli_index_make(dpli_index *out, dpli_vectors *vectors, const dpl_head *head,
                           dpli_wish wish, dpl_error *err)
{
    dpli_index index = {.ids = vectors->ids,
                        .owners = vectors->owners,
                        .photos = vectors->photos,
                        .n = vectors->n,
                        .dim = vectors->dim,
                        .generation = vectors->generation,
                        .min_norm = INFINITY};
    float *rows = vectors->rows;
    dpl_status status = DPL_OK;

    memset(out, 0, sizeof *out);
    vectors->ids = vectors->owners = vectors->photos = NULL;
    vectors->n = 0;
    widen_norms(&index.min_norm, &index.max_norm, rows, index.n, (size_t)index.dim);
    if (!wants_exact(index.n, wish))
        status = make_tuned(&index, head, rows, wish.min_recall, err);
    if (status == DPL_OK && index.n > 0 && !index.ann)
        status = dpli_ann_new(&index.ann, DPLI_ANN_FLAT, rows, index.n, index.dim, NULL, err);
    if (status == DPL_OK)
        status = dpli_index_code(&index, head, err);
    if (status == DPL_OK) {
        *out = index;
        memset(&index, 0, sizeof index);
    }
    dpli_index_clear(&index);
    free(vectors->rows);
    vectors->rows = NULL;
    return status;
}

dpl_status dpli_index_extend(bool *done, dpli_index *index, const dpl_head *head, const float *rows,
                             size_t n, dpl_error *err)
{
    size_t dim = (size_t)index->dim;
    double min = index->min_norm, max = index->max_norm;
    float *unit = NULL;
    dpl_status status = DPL_OK;

    *done = false;
    if (!index->ann)
        return DPL_OK;
    widen_norms(&min, &max, rows, n, dim);
    if (dpli_ann_get_kind(index->ann) == DPLI_ANN_IVF) {
        /* A tenth more vectors in the same lists: what was measured still holds. */
        if (index->n + n > index->n_tuned + index->n_tuned / 10)
            return DPL_OK;
        if (dpl_head_get_kind(head) == DPL_HEAD_COSINE && !index->normalised && !are_unit(min, max))
            return DPL_OK;
        if (index->normalised) {
            unit = dpli_alloc(n * dim, sizeof *unit, err);
            if (!unit)
                return DPL_E_MEMORY;
            normalise(unit, rows, n, dim);
            rows = unit;
        }
    }
    status = dpli_ann_add(index->ann, rows, n, err);
    if (status == DPL_OK) {
        index->n += n;
        index->min_norm = min;
        index->max_norm = max;
        if (index->records)
            status = code_from(index, index->n - n, err);
        *done = status == DPL_OK;
    }
    free(unit);
    return status;
}
