/*
 * strangers.c - all pairs among faces of known people: scored, counted, and drawn anew.
 *
 * Between vectors and a calibration's tables (calibrate.c). Scores are the head's own, and never
 * kept: faces lie in the order of their people, a block of one person's is scored against all that
 * come after, and what is wanted of it is counted. Each pair is handled once a walk, for all edges
 * at the same time.
 *
 * The bootstrap over people (of pairs it would be wrong: a person's are not independent) needs, for
 * every draw w, the sum of w_a w_b over the pairs that reach an edge. A block of person a adds for
 * each person b how many pairs lie between two edges times w_b, for all draws in one pass, and at
 * its end a's own w_a. Sums are of whole numbers: they do not depend on the order, nor on threads.
 *
 * Source: bootstrap of two-way data by vertices, Snijders and Borgatti 1999.
 */
#include "index/strangers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "index/binomial.h"

enum {
    BLOCK = 16, /* faces of one person at once */
    DRAWS = DPL_CALIBRATE_DRAWS,
    PAIRS_A_LOOK = 4 << 20 /* between two looks at the caller's wishes */
};

/* ------------------------------------------------------------------ faces */

static dpl_status allot(dpli_faces *f, size_t n, int32_t dim, dpl_error *err)
{
    size_t floats;

    if (!dpli_mul(&floats, n, (size_t)dim))
        return dpli_fail(err, DPL_E_LIMIT, "%zu vectors of %d numbers", n, (int)dim);
    f->dim = dim;
    f->rows = dpli_alloc(floats, sizeof *f->rows, err);
    f->mean = dpli_alloc(n, sizeof *f->mean, err);
    f->deviation = dpli_alloc(n, sizeof *f->deviation, err);
    f->strata = dpli_alloc(n, sizeof *f->strata, err);
    f->is_fair = dpli_alloc(n, sizeof *f->is_fair, err);
    f->person = dpli_alloc(n, sizeof *f->person, err);
    f->first = dpli_alloc(n + 1, sizeof *f->first, err);
    f->sample = dpli_alloc(n, sizeof *f->sample, err);
    return f->rows && f->mean && f->deviation && f->strata && f->is_fair && f->person && f->first &&
                   f->sample
               ? DPL_OK
               : DPL_E_MEMORY;
}

/* Faces come in the order of their people. */
static void add_face(dpli_faces *f, const float *row, uint64_t strata, bool is_fair, size_t sample,
                     bool is_new)
{
    if (is_new)
        f->first[f->n_people++] = f->n;
    memcpy(f->rows + f->n * (size_t)f->dim, row, (size_t)f->dim * sizeof *row);
    f->strata[f->n] = strata;
    f->is_fair[f->n] = is_fair;
    f->person[f->n] = f->n_people - 1;
    f->sample[f->n] = sample;
    f->first[f->n_people] = ++f->n;
}

typedef struct placed {
    int32_t person;
    size_t sample;
} placed;

static int by_person(const void *a, const void *b)
{
    const placed *x = a, *y = b;

    if (x->person != y->person)
        return x->person < y->person ? -1 : 1;
    return x->sample < y->sample ? -1 : 1;
}

dpl_status dpli_faces_make(dpli_faces *out, const dpl_samples *samples, const dpl_head *head,
                           const dpli_cohort *cohort, const bool *keep, const bool *is_fair,
                           dpl_error *err)
{
    placed *order = dpli_alloc(samples->n, sizeof *order, err);
    size_t n = 0;
    dpl_status status = DPL_E_MEMORY;

    *out = (dpli_faces){.head = head, .cohort = cohort};
    if (!order)
        goto done;
    for (size_t i = 0; i < samples->n; i++)
        if (keep[i])
            order[n++] = (placed){samples->people[i], i};
    qsort(order, n, sizeof *order, by_person);
    status = allot(out, n, samples->dim, err);
    if (status != DPL_OK)
        goto done;
    out->first[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t at = order[i].sample;
        add_face(out, samples->vectors + at * (size_t)samples->dim,
                 samples->strata ? samples->strata[at] : 1, is_fair[at], at,
                 i == 0 || order[i].person != order[i - 1].person);
        if (cohort)
            dpli_cohort_stats(&out->mean[i], &out->deviation[i], cohort,
                              out->rows + i * (size_t)out->dim);
    }
done:
    free(order);
    if (status != DPL_OK)
        dpli_faces_clear(out);
    return status;
}

dpl_status dpli_faces_of(dpli_faces *out, const dpli_faces *faces, int stratum, dpl_error *err)
{
    const uint64_t bit = (uint64_t)1 << stratum;
    int32_t last = -1;
    dpl_status status;

    *out =
        (dpli_faces){.head = faces->head, .cohort = faces->cohort, .marginals = faces->marginals};
    status = allot(out, faces->n, faces->dim, err);
    if (status != DPL_OK) {
        dpli_faces_clear(out);
        return status;
    }
    out->first[0] = 0;
    for (size_t i = 0; i < faces->n; i++)
        if (faces->strata[i] & bit) {
            out->mean[out->n] = faces->mean[i];
            out->deviation[out->n] = faces->deviation[i];
            add_face(out, faces->rows + i * (size_t)faces->dim, bit, faces->is_fair[i],
                     faces->sample[i], faces->person[i] != last);
            last = faces->person[i];
        }
    return DPL_OK;
}

void dpli_faces_clear(dpli_faces *faces)
{
    free(faces->rows);
    free(faces->mean);
    free(faces->deviation);
    free(faces->strata);
    free(faces->is_fair);
    free(faces->person);
    free(faces->first);
    free(faces->sample);
    *faces = (dpli_faces){0};
}

int64_t dpli_faces_work(const dpli_faces *faces)
{
    return (int64_t)(faces->n * (faces->n - (faces->n > 0)) / 2);
}

/* Scores of face i with those from j on, n of them. */
static void score_rows(float *out, const dpli_faces *f, size_t i, size_t j, size_t n)
{
    const size_t dim = (size_t)f->dim;

    dpl_head_scores(out, f->head, f->rows + i * dim, f->rows + j * dim, n);
}

/* Scores with the faces from j on become evidence. */
static void weigh(float *scores, const dpli_faces *f, float mean, float deviation, size_t j,
                  size_t n)
{
    for (size_t k = 0; f->marginals && k < n; k++)
        scores[k] = dpl_calibration_evidence(
            f->marginals, scores[k],
            dpli_normalised(scores[k], mean, deviation, f->mean[j + k], f->deviation[j + k]));
}

float dpli_faces_raw(const dpli_faces *faces, size_t a, size_t b)
{
    float score;

    score_rows(&score, faces, a, b, 1);
    return score;
}

float dpli_faces_score(const dpli_faces *faces, size_t a, size_t b)
{
    float score = dpli_faces_raw(faces, a, b);

    weigh(&score, faces, faces->mean[a], faces->deviation[a], b, 1);
    return score;
}

static inline bool is_pair(const dpli_faces *f, size_t i, size_t j)
{
    return (f->strata[i] & f->strata[j]) != 0;
}

/* ------------------------------------------------------------------ walking */

/* At most BLOCK faces of one person. */
typedef struct block {
    size_t from, to;
} block;

typedef struct walk {
    const dpli_faces *faces;
    block *blocks;
    size_t n_blocks, at; /* the first of those now being walked */
    float **scores;      /* [n_threads] [BLOCK, n]: of the block's face i with face j, j > i */
    void (*visit)(void *ctx, int worker, const block *b, const float *scores);
    void *ctx;
} walk;

static dpl_status walk_block(void *ctx, int worker, size_t item, dpl_error *err)
{
    const walk *w = ctx;
    const block *b = &w->blocks[w->at + item];
    const size_t n = w->faces->n;
    float *scores = w->scores[worker];

    (void)err;
    for (size_t i = b->from; i < b->to; i++) {
        float *row = scores + (i - b->from) * n + i + 1;

        score_rows(row, w->faces, i, i + 1, n - i - 1);
        weigh(row, w->faces, w->faces->mean[i], w->faces->deviation[i], i + 1, n - i - 1);
    }
    w->visit(w->ctx, worker, b, scores);
    return DPL_OK;
}

static dpl_status cut_blocks(walk *w, dpl_error *err)
{
    const dpli_faces *f = w->faces;

    w->blocks = dpli_alloc(f->n, sizeof *w->blocks, err);
    if (!w->blocks)
        return DPL_E_MEMORY;
    for (int32_t p = 0; p < f->n_people; p++)
        for (size_t from = f->first[p]; from < f->first[p + 1]; from += BLOCK) {
            const size_t left = f->first[p + 1] - from;
            w->blocks[w->n_blocks++] = (block){from, from + (left < BLOCK ? left : BLOCK)};
        }
    return DPL_OK;
}

/* Show every block with its scores to visit(ctx, worker, …). */
static dpl_status walk_pairs(const dpli_faces *faces, dpli_walking *how,
                             void (*visit)(void *ctx, int worker, const block *b,
                                           const float *scores),
                             void *ctx, dpl_error *err)
{
    const size_t n_threads = (size_t)how->n_threads;
    walk w = {.faces = faces, .visit = visit, .ctx = ctx};
    dpl_status status = cut_blocks(&w, err);

    if (status == DPL_OK) {
        w.scores = dpli_calloc(n_threads, sizeof *w.scores, err);
        status = w.scores ? DPL_OK : DPL_E_MEMORY;
    }
    for (size_t t = 0; t < n_threads && status == DPL_OK; t++) {
        w.scores[t] = dpli_alloc(BLOCK * faces->n, sizeof(float), err);
        status = w.scores[t] ? DPL_OK : DPL_E_MEMORY;
    }
    while (w.at < w.n_blocks && status == DPL_OK) {
        int64_t n_pairs = 0;
        size_t to = w.at;

        for (; to < w.n_blocks && n_pairs < PAIRS_A_LOOK; to++)
            for (size_t i = w.blocks[to].from; i < w.blocks[to].to; i++)
                n_pairs += (int64_t)(faces->n - i - 1);
        if (dpli_cancelled(how->cancel)) {
            status = dpli_fail(err, DPL_E_CANCELLED, "interrupted");
            break;
        }
        status = dpli_pool_run(how->n_threads, to - w.at, walk_block, &w, err);
        w.at = to;
        how->n_done += n_pairs;
        if (status == DPL_OK && how->on_progress)
            how->on_progress(how->ctx, how->n_done, how->n_total);
    }
    for (size_t t = 0; w.scores && t < n_threads; t++)
        free(w.scores[t]);
    free(w.scores);
    free(w.blocks);
    return status;
}

/* ------------------------------------------------------------------ distributions */

typedef struct tallying {
    const dpli_faces *faces;
    dpli_tally (*of)[DPLI_N_KINDS]; /* [n_threads] */
} tallying;

static void tally_block(void *ctx, int worker, const block *b, const float *scores)
{
    const tallying *t = ctx;
    const dpli_faces *f = t->faces;
    dpli_tally *of = t->of[worker];

    for (size_t i = b->from; i < b->to; i++) {
        const float *row = scores + (i - b->from) * f->n;

        for (size_t j = i + 1; j < f->n; j++) {
            const bool fair = f->is_fair[i] && f->is_fair[j];

            if (!is_pair(f, i, j))
                continue;
            if (f->person[j] != f->person[i])
                dpli_tally_add(&of[fair ? DPLI_FAIR : DPLI_POOR], row[j]);
            else if (fair)
                dpli_tally_add(&of[DPLI_GENUINE], row[j]);
        }
    }
}

/* The first two are the scores and the normalised ones. */
static void tally_marginals(void *ctx, int worker, const block *b, const float *scores)
{
    const tallying *t = ctx;
    const dpli_faces *f = t->faces;
    dpli_tally *of = t->of[worker];

    for (size_t i = b->from; i < b->to; i++) {
        const float *row = scores + (i - b->from) * f->n;

        for (size_t j = f->is_fair[i] ? f->first[f->person[i] + 1] : f->n; j < f->n; j++)
            if (f->is_fair[j] && is_pair(f, i, j)) {
                dpli_tally_add(&of[0], row[j]);
                dpli_tally_add(&of[1], dpli_normalised(row[j], f->mean[i], f->deviation[i],
                                                       f->mean[j], f->deviation[j]));
            }
    }
}

static dpl_status tally_all(dpli_tally *tallies, int n_kinds, const dpli_faces *faces,
                            void (*visit)(void *ctx, int worker, const block *b,
                                          const float *scores),
                            dpli_walking *walking, dpl_error *err)
{
    const size_t n_threads = (size_t)walking->n_threads;
    tallying t = {faces, dpli_calloc(n_threads, sizeof *t.of, err)};
    dpl_status status = t.of ? DPL_OK : DPL_E_MEMORY;

    for (int k = 0; k < n_kinds; k++)
        tallies[k] = (dpli_tally){0};
    for (size_t i = 0; i < n_threads && status == DPL_OK; i++)
        for (int k = 0; k < n_kinds && status == DPL_OK; k++)
            status = dpli_tally_init(&t.of[i][k], err);
    if (status == DPL_OK)
        status = walk_pairs(faces, walking, visit, &t, err);
    for (size_t i = 1; i < n_threads && status == DPL_OK; i++)
        for (int k = 0; k < n_kinds; k++)
            dpli_tally_merge(&t.of[0][k], &t.of[i][k]);
    for (int k = 0; k < n_kinds && status == DPL_OK; k++) {
        tallies[k] = t.of[0][k];
        dpli_tally_close(&tallies[k]);
        t.of[0][k] = (dpli_tally){0};
    }
    for (size_t i = 0; t.of && i < n_threads; i++)
        for (int k = 0; k < n_kinds; k++)
            dpli_tally_clear(&t.of[i][k]);
    free(t.of);
    return status;
}

dpl_status dpli_strangers_tally(dpli_tally *tallies, const dpli_faces *faces, dpli_walking *walking,
                                dpl_error *err)
{
    return tally_all(tallies, DPLI_N_KINDS, faces, tally_block, walking, err);
}

dpl_status dpli_strangers_marginals(dpli_tally *tallies, const dpli_faces *faces,
                                    dpli_walking *walking, dpl_error *err)
{
    return tally_all(tallies, 2, faces, tally_marginals, walking, err);
}

/* ------------------------------------------------------------------ draws */

/* How often each person is in each draw: [n_people, DRAWS]. */
static dpl_status draw_people(uint8_t **out, int32_t n_people, uint64_t seed, dpl_error *err)
{
    uint8_t *times = dpli_calloc((size_t)n_people * DRAWS, 1, err);
    dpli_rng rng;

    *out = times;
    if (!times)
        return DPL_E_MEMORY;
    dpli_rng_seed(&rng, seed);
    for (size_t r = 0; r < DRAWS; r++)
        for (int32_t i = 0; i < n_people; i++) {
            uint8_t *one = &times[dpli_rng_below(&rng, (uint64_t)n_people) * DRAWS + r];
            *one = (uint8_t)(*one + (*one < UINT8_MAX));
        }
    return DPL_OK;
}

/* Faces of one person that have the same strata. */
typedef struct cell {
    size_t kind; /* of strata, from 0 */
    double n_fair, n;
} cell;

/* What pairs there are at all: by person, how many faces of which strata. */
typedef struct census {
    size_t n_kinds;
    uint64_t *kinds; /* [n_kinds] distinct sets of strata, rising */
    cell *cells;
    size_t *first; /* [n_people + 1] in cells */
} census;

static int rising(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void clear_census(census *c)
{
    free(c->kinds);
    free(c->cells);
    free(c->first);
}

static dpl_status take_census(census *c, const dpli_faces *f, dpl_error *err)
{
    size_t n = 0;

    *c = (census){.kinds = dpli_alloc(f->n, sizeof *c->kinds, err),
                  .cells = dpli_alloc(f->n, sizeof *c->cells, err),
                  .first = dpli_alloc((size_t)f->n_people + 1, sizeof *c->first, err)};
    if (!c->kinds || !c->cells || !c->first)
        return DPL_E_MEMORY;
    memcpy(c->kinds, f->strata, f->n * sizeof *c->kinds);
    qsort(c->kinds, f->n, sizeof *c->kinds, rising);
    for (size_t i = 0; i < f->n; i++)
        if (i == 0 || c->kinds[i] != c->kinds[c->n_kinds - 1])
            c->kinds[c->n_kinds++] = c->kinds[i];
    for (int32_t p = 0; p < f->n_people; p++) {
        c->first[p] = n;
        for (size_t i = f->first[p]; i < f->first[p + 1]; i++) {
            const uint64_t *kind =
                bsearch(&f->strata[i], c->kinds, c->n_kinds, sizeof *kind, rising);
            size_t k = c->first[p];

            while (k < n && c->cells[k].kind != (size_t)(kind - c->kinds))
                k++;
            if (k == n)
                c->cells[n++] = (cell){(size_t)(kind - c->kinds), 0, 0};
            c->cells[k].n++;
            c->cells[k].n_fair += f->is_fair[i];
        }
    }
    c->first[f->n_people] = n;
    return DPL_OK;
}

/* Pairs of strangers, fair and all, when person p is there weights[p * stride] times; one time with
 * weights NULL. sums is [2 * n_kinds]. */
static void count_drawn(double out[2], const census *c, int32_t n_people, const uint8_t *weights,
                        double *sums)
{
    double within[2] = {0, 0}, all[2] = {0, 0};

    memset(sums, 0, 2 * c->n_kinds * sizeof *sums);
    for (int32_t p = 0; p < n_people; p++) {
        const double w = weights ? (double)weights[(size_t)p * DRAWS] : 1;
        const cell *from = c->cells + c->first[p], *to = c->cells + c->first[p + 1];

        for (const cell *x = from; x < to; x++) {
            sums[2 * x->kind] += w * x->n_fair;
            sums[2 * x->kind + 1] += w * x->n;
            for (const cell *y = from; y < to; y++)
                if (c->kinds[x->kind] & c->kinds[y->kind]) {
                    within[0] += w * w * x->n_fair * y->n_fair;
                    within[1] += w * w * x->n * y->n;
                }
        }
    }
    for (size_t x = 0; x < c->n_kinds; x++)
        for (size_t y = 0; y < c->n_kinds; y++)
            if (c->kinds[x] & c->kinds[y])
                for (int k = 0; k < 2; k++)
                    all[k] += sums[2 * x + k] * sums[2 * y + k];
    for (int k = 0; k < 2; k++)
        out[k] = (all[k] - within[k]) / 2;
}

/* ------------------------------------------------------------------ counting */

/* One thread's. */
typedef struct counter {
    uint64_t hits[DPLI_N_KINDS][DPLI_MAX_EDGES]; /* between an edge and the next */
    uint32_t *block; /* [2, DPLI_MAX_EDGES, DRAWS]: of this block, with the others' weights */
    uint64_t *drawn; /* the same of all blocks, with both weights */
    dpli_top top;
} counter;

typedef struct counting {
    const dpli_faces *faces;
    const dpli_edges *edges;
    const uint8_t *weights;
    counter *counters; /* [n_threads] */
} counting;

/* How many edges it reaches. NaN reaches none. */
static inline size_t edges_reached(const dpli_edges *e, float score)
{
    size_t low = 0, high = e->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (score >= e->at[mid])
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void add_weighted(uint32_t *restrict sums, uint32_t n, const uint8_t *restrict weights)
{
    for (size_t r = 0; r < DRAWS; r++)
        sums[r] += n * weights[r];
}

static void count_genuine(const counting *c, counter *of, const block *b, const float *scores)
{
    const dpli_faces *f = c->faces;

    for (size_t i = b->from; i < b->to; i++)
        for (size_t j = i + 1; j < f->first[f->person[i] + 1]; j++) {
            size_t n;

            if (!f->is_fair[i] || !f->is_fair[j] || !is_pair(f, i, j))
                continue;
            n = edges_reached(&c->edges[DPLI_GENUINE], scores[(i - b->from) * f->n + j]);
            if (n > 0)
                of->hits[DPLI_GENUINE][n - 1]++;
        }
}

static void count_block(void *ctx, int worker, const block *b, const float *scores)
{
    const counting *c = ctx;
    const dpli_faces *f = c->faces;
    counter *of = &c->counters[worker];
    const int32_t person = f->person[b->from];
    uint32_t touched[2] = {0, 0}; /* edges of this block */

    memset(of->block, 0, (size_t)2 * DPLI_MAX_EDGES * DRAWS * sizeof *of->block);
    count_genuine(c, of, b, scores);
    for (int32_t other = person + 1; other < f->n_people; other++) {
        uint32_t n[2][DPLI_MAX_EDGES], now[2] = {0, 0};

        for (size_t i = b->from; i < b->to; i++)
            for (size_t j = f->first[other]; j < f->first[other + 1]; j++) {
                const float score = scores[(i - b->from) * f->n + j];
                const int kind = f->is_fair[i] && f->is_fair[j] ? DPLI_FAIR : DPLI_POOR;
                const dpli_edges *edges = &c->edges[kind];

                if (edges->n == 0 || !(score >= edges->at[0]) || !is_pair(f, i, j))
                    continue;
                const size_t at = edges_reached(edges, score) - 1;
                if (!(now[kind] >> at & 1))
                    n[kind][at] = 0;
                now[kind] |= UINT32_C(1) << at;
                n[kind][at]++;
                if (kind == DPLI_FAIR)
                    dpli_top_offer(&of->top, score, i * f->n + j);
            }
        for (size_t kind = 0; kind < 2; kind++)
            for (uint32_t left = now[kind]; left; left &= left - 1) {
                const size_t at = (size_t)__builtin_ctz(left);

                of->hits[kind][at] += n[kind][at];
                add_weighted(of->block + (kind * DPLI_MAX_EDGES + at) * DRAWS, n[kind][at],
                             c->weights + (size_t)other * DRAWS);
            }
        touched[0] |= now[0];
        touched[1] |= now[1];
    }
    for (size_t kind = 0; kind < 2; kind++)
        for (uint32_t left = touched[kind]; left; left &= left - 1) {
            const size_t row = (kind * DPLI_MAX_EDGES + (size_t)__builtin_ctz(left)) * DRAWS;

            for (size_t r = 0; r < DRAWS; r++)
                of->drawn[row + r] +=
                    (uint64_t)of->block[row + r] * c->weights[(size_t)person * DRAWS + r];
        }
}

static int rising_rates(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The share-th quantile of DRAWS sorted numbers, between two of them linearly. */
static double quantile(const double *sorted, double share)
{
    const double at = share * (DRAWS - 1);
    const size_t i = (size_t)at;

    return i + 1 < DRAWS ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

/* Sums between edges to sums from an edge on, and what the draws say of each. */
static void bound_rates(dpli_counts *out, counter *all, const double (*totals)[2])
{
    double rates[DRAWS];

    for (size_t kind = 0; kind < 2; kind++)
        for (size_t at = DPLI_MAX_EDGES; at-- > 0;) {
            uint64_t *row = all->drawn + (kind * DPLI_MAX_EDGES + at) * DRAWS;
            const double n = (double)out->n_pairs[kind];
            double low, high, rate = n > 0 ? (double)out->hits[kind][at] / n : 0;

            for (size_t r = 0; r < DRAWS; r++) {
                const double total = kind == DPLI_FAIR ? totals[r][0] : totals[r][1] - totals[r][0];

                if (at + 1 < DPLI_MAX_EDGES)
                    row[r] += row[DRAWS + r];
                rates[r] = total > 0 ? (double)row[r] / total : 0;
            }
            if (n < 1)
                continue;
            qsort(rates, DRAWS, sizeof *rates, rising_rates);
            dpli_binomial_bounds(&low, &high, rate, n);
            out->low[kind][at] = fmin(fmin(low, quantile(rates, 0.025)), rate);
            out->high[kind][at] = fmax(fmax(high, quantile(rates, 0.975)), rate);
        }
}

/* People and pairs of each kind. */
static dpl_status count_all(dpli_counts *out, double (*totals)[2], const dpli_faces *f,
                            const uint8_t *weights, dpl_error *err)
{
    census c = {0};
    double *sums = NULL, n[2];
    dpl_status status = take_census(&c, f, err);

    if (status == DPL_OK) {
        sums = dpli_alloc(2 * c.n_kinds, sizeof *sums, err);
        status = sums ? DPL_OK : DPL_E_MEMORY;
    }
    if (status != DPL_OK)
        goto done;
    for (size_t r = 0; r < DRAWS; r++)
        count_drawn(totals[r], &c, f->n_people, weights + r, sums);
    count_drawn(n, &c, f->n_people, NULL, sums);
    out->n_pairs[DPLI_FAIR] = (uint64_t)n[0];
    out->n_pairs[DPLI_POOR] = (uint64_t)(n[1] - n[0]);
    for (int32_t p = 0; p < f->n_people; p++) {
        size_t n_fair = 0, n_poor = 0;
        const size_t from = f->first[p], to = f->first[p + 1];

        for (size_t i = from; i < to; i++) {
            n_fair += f->is_fair[i];
            n_poor += !f->is_fair[i];
            for (size_t j = i + 1; j < to; j++)
                out->n_pairs[DPLI_GENUINE] += f->is_fair[i] && f->is_fair[j] && is_pair(f, i, j);
        }
        out->n_people[DPLI_FAIR] += n_fair > 0;
        out->n_people[DPLI_POOR] += n_poor > 0;
        out->n_people[DPLI_GENUINE] += n_fair > 1;
    }
done:
    clear_census(&c);
    free(sums);
    return status;
}

static dpl_status new_counter(counter *c, size_t k, dpl_error *err)
{
    c->block = dpli_alloc((size_t)2 * DPLI_MAX_EDGES * DRAWS, sizeof *c->block, err);
    c->drawn = dpli_calloc((size_t)2 * DPLI_MAX_EDGES * DRAWS, sizeof *c->drawn, err);
    c->top = (dpli_top){dpli_calloc(k + 1, sizeof(dpli_found), err), 0, k};
    return c->block && c->drawn && c->top.best ? DPL_OK : DPL_E_MEMORY;
}

static void add_counter(counter *to, const counter *from)
{
    for (int k = 0; k < DPLI_N_KINDS; k++)
        for (size_t at = 0; at < DPLI_MAX_EDGES; at++)
            to->hits[k][at] += from->hits[k][at];
    for (size_t i = 0; i < (size_t)2 * DPLI_MAX_EDGES * DRAWS; i++)
        to->drawn[i] += from->drawn[i];
    for (size_t i = 0; i < from->top.n; i++)
        dpli_top_offer(&to->top, from->top.best[i].score, from->top.best[i].at);
}

dpl_status dpli_strangers_count(dpli_counts *out, dpli_top *top, const dpli_faces *faces,
                                const dpli_edges *edges, uint64_t seed, dpli_walking *walking,
                                dpl_error *err)
{
    const size_t n_threads = (size_t)walking->n_threads;
    uint8_t *weights = NULL;
    double(*totals)[2] = dpli_alloc(DRAWS, sizeof *totals, err);
    counting c = {faces, edges, NULL, dpli_calloc(n_threads, sizeof *c.counters, err)};
    dpl_status status =
        totals && c.counters ? draw_people(&weights, faces->n_people, seed, err) : DPL_E_MEMORY;

    *out = (dpli_counts){0};
    c.weights = weights;
    for (size_t t = 0; t < n_threads && status == DPL_OK; t++)
        status = new_counter(&c.counters[t], top ? top->k : 0, err);
    if (status == DPL_OK)
        status = count_all(out, totals, faces, weights, err);
    if (status == DPL_OK)
        status = walk_pairs(faces, walking, count_block, &c, err);
    if (status != DPL_OK)
        goto done;
    for (size_t t = 1; t < n_threads; t++)
        add_counter(&c.counters[0], &c.counters[t]);
    for (int k = 0; k < DPLI_N_KINDS; k++)
        for (size_t at = DPLI_MAX_EDGES; at-- > 0;)
            out->hits[k][at] =
                c.counters[0].hits[k][at] + (at + 1 < DPLI_MAX_EDGES ? out->hits[k][at + 1] : 0);
    bound_rates(out, &c.counters[0], totals);
    for (size_t i = 0; top && i < c.counters[0].top.n; i++)
        dpli_top_offer(top, c.counters[0].top.best[i].score, c.counters[0].top.best[i].at);
done:
    for (size_t t = 0; c.counters && t < n_threads; t++) {
        free(c.counters[t].block);
        free(c.counters[t].drawn);
        free(c.counters[t].top.best);
    }
    free(c.counters);
    free(totals);
    free(weights);
    return status;
}

/* ------------------------------------------------------------------ several photos */

enum { MIN_REACHED = 100, MAX_MEMBERS = 32 };

/* Strangers against a person's faces one by one, and against their mean. */
typedef struct meeting {
    uint64_t n_people, n_single, n_mean;
    uint64_t single[DPLI_MAX_EDGES], mean[DPLI_MAX_EDGES];
} meeting;

typedef struct meetings {
    const dpli_faces *faces;
    const dpli_edges *edges;
    meeting *of;    /* [n_threads] */
    float **scores; /* [n_threads] [n] */
    float **means;  /* [n_threads] [dim] */
    int32_t at;
} meetings;

/* A person's fair faces that are in the same strata as the first of them. */
static size_t list_members(size_t members[MAX_MEMBERS], const dpli_faces *f, int32_t person)
{
    size_t n = 0;

    for (size_t i = f->first[person]; i < f->first[person + 1] && n < MAX_MEMBERS; i++)
        if (f->is_fair[i] && (n == 0 || f->strata[i] == f->strata[members[0]]))
            members[n++] = i;
    return n;
}

static void meet(uint64_t *n, uint64_t hits[DPLI_MAX_EDGES], const meetings *m, int worker,
                 const float *vector, int32_t person, uint64_t strata)
{
    const dpli_faces *f = m->faces;
    float *scores = m->scores[worker], mean = NAN, deviation = NAN;

    dpl_head_scores(scores, f->head, vector, f->rows, f->n);
    if (f->cohort)
        dpli_cohort_stats(&mean, &deviation, f->cohort, vector);
    weigh(scores, f, mean, deviation, 0, f->n);
    for (size_t j = 0; j < f->n; j++)
        if (f->person[j] != person && f->is_fair[j] && (f->strata[j] & strata)) {
            const size_t reached = edges_reached(m->edges, scores[j]);

            ++*n;
            if (reached > 0)
                hits[reached - 1]++;
        }
}

static dpl_status meet_person(void *ctx, int worker, size_t item, dpl_error *err)
{
    const meetings *m = ctx;
    const dpli_faces *f = m->faces;
    const int32_t person = m->at + (int32_t)item;
    const size_t dim = (size_t)f->dim;
    meeting *of = &m->of[worker];
    float *mean = m->means[worker];
    size_t members[MAX_MEMBERS], n = list_members(members, f, person);

    (void)err;
    if (n < 2)
        return DPL_OK;
    of->n_people++;
    memset(mean, 0, dim * sizeof *mean);
    for (size_t k = 0; k < n; k++) {
        const float *row = f->rows + members[k] * dim;
        double square = 0;

        meet(&of->n_single, of->single, m, worker, row, person, f->strata[members[0]]);
        for (size_t i = 0; i < dim; i++)
            square += (double)row[i] * (double)row[i];
        for (size_t i = 0; i < dim; i++)
            mean[i] += (float)((double)row[i] / sqrt(square));
    }
    meet(&of->n_mean, of->mean, m, worker, mean, person, f->strata[members[0]]);
    return DPL_OK;
}

static double worst_factor(meeting *all, const dpli_edges *edges)
{
    uint64_t single = 0, mean = 0;
    double worst = 1;

    if (all->n_people < DPL_CALIBRATE_MIN_PEOPLE)
        return NAN;
    for (size_t at = edges->n; at-- > 0;) {
        single += all->single[at];
        mean += all->mean[at];
        /* Of few, chance says more than the mean does; where many pass, nothing is decided. */
        if (single >= MIN_REACHED && mean >= MIN_REACHED &&
            (double)single <= 0.01 * (double)all->n_single)
            worst = fmax(worst, (double)mean / (double)all->n_mean /
                                    ((double)single / (double)all->n_single));
    }
    return worst;
}

dpl_status dpli_strangers_mean_factor(double *out, const dpli_faces *faces, const dpli_edges *edges,
                                      dpli_walking *walking, dpl_error *err)
{
    enum { PEOPLE_A_LOOK = 64 };
    const size_t n_threads = (size_t)walking->n_threads;
    meetings m = {faces,
                  edges,
                  dpli_calloc(n_threads, sizeof *m.of, err),
                  dpli_calloc(n_threads, sizeof *m.scores, err),
                  dpli_calloc(n_threads, sizeof *m.means, err),
                  0};
    dpl_status status = m.of && m.scores && m.means ? DPL_OK : DPL_E_MEMORY;

    *out = NAN;
    for (size_t t = 0; t < n_threads && status == DPL_OK; t++) {
        m.scores[t] = dpli_alloc(faces->n, sizeof(float), err);
        m.means[t] = dpli_alloc((size_t)faces->dim, sizeof(float), err);
        status = m.scores[t] && m.means[t] ? DPL_OK : DPL_E_MEMORY;
    }
    while (m.at < faces->n_people && status == DPL_OK) {
        const int32_t left = faces->n_people - m.at;
        const int32_t n = left < PEOPLE_A_LOOK ? left : PEOPLE_A_LOOK;

        if (dpli_cancelled(walking->cancel))
            status = dpli_fail(err, DPL_E_CANCELLED, "interrupted");
        if (status == DPL_OK)
            status = dpli_pool_run(walking->n_threads, (size_t)n, meet_person, &m, err);
        m.at += n;
        walking->n_done += (int64_t)n * (int64_t)faces->n;
        if (status == DPL_OK && walking->on_progress)
            walking->on_progress(walking->ctx, walking->n_done, walking->n_total);
    }
    for (size_t t = 1; t < n_threads && status == DPL_OK; t++) {
        m.of[0].n_people += m.of[t].n_people;
        m.of[0].n_single += m.of[t].n_single;
        m.of[0].n_mean += m.of[t].n_mean;
        for (size_t at = 0; at < DPLI_MAX_EDGES; at++) {
            m.of[0].single[at] += m.of[t].single[at];
            m.of[0].mean[at] += m.of[t].mean[at];
        }
    }
    if (status == DPL_OK)
        *out = worst_factor(&m.of[0], edges);
    for (size_t t = 0; t < n_threads; t++) {
        if (m.scores)
            free(m.scores[t]);
        if (m.means)
            free(m.means[t]);
    }
    free(m.of);
    free(m.scores);
    free(m.means);
    return status;
}
