/*
 * validate.c - how good the net is on what it was not trained on.
 *
 * Pairs that the data gives are asked as they are; sentences, where their pictures are among all.
 * Classes after Lake's protocol: a round takes up to `ways` classes of one group, one picture of
 * each by one drawer and one by another; every picture of the first is to be found among those of
 * the second. A round of 20 classes is 20 one-shot trials, 20 pairs of the same class and 380 of
 * different ones, from 40 pictures. Rounds depend on the run's seed only, so every validation asks
 * the same.
 *
 * Scores are the head's (index/head.c) up to a monotone map, which none of the figures sees.
 */
#include "train/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/rows.h"
#include "train/feed_captions.h"
#include "train/ranks.h"
#include "train/tower.h"

enum { SALT_ROUND = 21 };

/* A round's pictures are `ways` of the first kind, then as many of the second. */
typedef struct rounds {
    int32_t n, ways;
    int32_t *items; /* [n, 2, ways] */
    size_t n_items;
    float *embeddings; /* [n, 2, ways, dim] */
} rounds;

/* ------------------------------------------------------------------ figures */

double dpli_figure(const dpl_train_figures *figures, dpli_best which)
{
    switch (which) {
    case DPLI_BEST_ONESHOT: return figures->oneshot;
    case DPLI_BEST_AUC: return figures->auc;
    case DPLI_BEST_ACCURACY: return figures->accuracy;
    case DPLI_BEST_EER: return figures->eer;
    case DPLI_BEST_TAR: return figures->tar;
    case DPLI_BEST_CORRECT: return figures->correct;
    case DPLI_BEST_PEARSON: return figures->pearson;
    case DPLI_BEST_SPEARMAN: return figures->spearman;
    case DPLI_BEST_R1: return figures->recall_1;
    case DPLI_BEST_R5: return figures->recall_5;
    case DPLI_BEST_R10: return figures->recall_10;
    case DPLI_BEST_RANK: return figures->median_rank;
    }
    return NAN;
}

bool dpli_figure_better(double a, double b, dpli_best which)
{
    if (!isfinite(a) || !isfinite(b))
        return isfinite(a);
    return which == DPLI_BEST_EER || which == DPLI_BEST_RANK ? a < b : a > b;
}

const char *dpli_figure_name(dpli_best which)
{
    static const char *const names[] = {"oneshot", "auc",      "accuracy", "eer", "tar", "correct",
                                        "pearson", "spearman", "r1",       "r5",  "r10", "rank"};

    return names[which];
}

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

/* Down both sorted lists at once: with the threshold just below a value, how many of each are at
 * or above it. */
void dpli_pair_figures(dpl_train_figures *out, float *same, size_t n_same, float *different,
                       size_t n_different, double far)
{
    double area = 0, least_gap = 2;
    size_t s = 0, d = 0;

    out->n_same = (int64_t)n_same;
    out->n_different = (int64_t)n_different;
    out->auc = out->accuracy = out->eer = out->tar = NAN;
    if (n_same == 0 || n_different == 0)
        return;
    qsort(same, n_same, sizeof *same, descending);
    qsort(different, n_different, sizeof *different, descending);
    out->accuracy = 0.5;
    out->tar = 0;
    while (s < n_same || d < n_different) {
        const float at = s == n_same        ? different[d]
                         : d == n_different ? same[s]
                                            : fmaxf(same[s], different[d]);
        const size_t s_before = s, d_before = d;
        while (s < n_same && same[s] >= at)
            s++;
        while (d < n_different && different[d] >= at)
            d++;
        /* ties count one half: the trapezoid */
        area += (double)(d - d_before) * ((double)s + (double)s_before) / 2;
        const double tar = (double)s / (double)n_same, fa = (double)d / (double)n_different;
        out->accuracy = fmax(out->accuracy, (tar + 1 - fa) / 2);
        if (fa <= far)
            out->tar = tar;
        if (fabs(1 - tar - fa) < least_gap) {
            least_gap = fabs(1 - tar - fa);
            out->eer = (1 - tar + fa) / 2;
        }
    }
    out->auc = area / ((double)n_same * (double)n_different);
}

/* ------------------------------------------------------------------ rounds */

static int32_t least_items(const dpli_draws *pool, const int32_t *classes, int32_t n, int tower)
{
    int32_t least = INT32_MAX;

    for (int32_t i = 0; i < n; i++)
        if (pool->classes[classes[i]].n[tower] < least)
            least = pool->classes[classes[i]].n[tower];
    return least;
}

static dpl_status draw_rounds(rounds *r, const dpli_trainer *t, dpl_error *err)
{
    const dpli_draws *pool = &t->held;
    const int32_t second = t->n_towers > 1;
    int32_t *order = dpli_alloc((size_t)pool->n_classes, sizeof *order, err);

    r->ways = t->settings.o.validate_ways < pool->n_classes ? t->settings.o.validate_ways
                                                            : pool->n_classes;
    r->n = (t->settings.o.validate_trials + r->ways - 1) / r->ways;
    r->n_items = (size_t)r->n * 2 * (size_t)r->ways;
    r->items = dpli_alloc(r->n_items, sizeof *r->items, err);
    if (!order || !r->items) {
        free(order);
        return DPL_E_MEMORY;
    }
    for (int32_t k = 0; k < r->n; k++) {
        int32_t *items = r->items + (size_t)k * 2 * (size_t)r->ways;
        dpli_rng rng;
        dpli_seed_at(&rng, (uint64_t)t->settings.o.seed, SALT_ROUND, (uint64_t)k, 0);
        int32_t n =
            dpli_draws_group(order, pool, (int32_t)dpli_rng_below(&rng, (uint64_t)pool->n_classes));
        if (n < r->ways) /* too small a group: all classes */
            for (n = 0; n < pool->n_classes; n++)
                order[n] = n;
        dpli_draw_front(order, n, r->ways, &rng);
        /* the same two drawers for all classes of the round */
        const int32_t n_a = least_items(pool, order, r->ways, 0);
        const int32_t n_b = least_items(pool, order, r->ways, second);
        const int32_t a = (int32_t)dpli_rng_below(&rng, (uint64_t)n_a);
        int32_t b = (int32_t)dpli_rng_below(&rng, (uint64_t)(second ? n_b : n_b - 1));
        b += !second && b >= a;
        for (int32_t i = 0; i < r->ways; i++) {
            items[i] = pool->classes[order[i]].items[0][a];
            items[r->ways + i] = pool->classes[order[i]].items[second][b];
        }
    }
    free(order);
    return DPL_OK;
}

/* ------------------------------------------------------------------ embedding */

/* A worker's part of filling in a batch. */
typedef struct part {
    void *hand;
    dpl_error err;
} part;

typedef struct filling {
    const dpli_feed *feed;
    dpli_tower *tower;
    char *inputs; /* of a batch */
    int n_parts;
    part *parts; /* [n_parts], the team's */
    const int32_t *items;
} filling;

static void fill_some(void *ctx, int worker, size_t from, size_t to)
{
    const filling *f = ctx;
    char *input = f->inputs;
    part *p = &f->parts[worker];

    for (size_t i = from; i < to && p->err.status == DPL_OK; i++) {
        const dpli_row row = {.item = f->items[i]};
        f->feed->fill(p->hand, input + i * f->feed->item_bytes, &row, NULL, &p->err);
    }
}

static void filling_clear(filling *f)
{
    for (int i = 0; i < f->n_parts; i++)
        f->feed->close(f->parts[i].hand);
    free(f->parts);
    free(f->inputs);
}

static dpl_status filling_init(filling *f, dpli_trainer *t, int32_t tower, dpl_error *err)
{
    const int n = dpli_team_size(t->team);
    dpl_status status = DPL_OK;

    *f = (filling){.feed = t->held_feeds[tower] ? t->held_feeds[tower] : t->towers[tower].feed,
                   .tower = &t->towers[tower]};
    f->parts = dpli_calloc((size_t)n, sizeof *f->parts, err);
    f->inputs = dpli_alloc_aligned((size_t)t->rows, f->feed->item_bytes, err);
    if (!f->parts || !f->inputs)
        return DPL_E_MEMORY;
    while (f->n_parts < n && status == DPL_OK)
        status = f->feed->open(&f->parts[f->n_parts++].hand, f->feed, err);
    return status;
}

/* Embeddings of n items, at most a batch. */
static dpl_status embed_batch(const dpli_trainer *t, filling *f, size_t n, float *out,
                              dpl_error *err)
{
    const size_t n_values = n * (size_t)t->dim;
    const float *values;

    dpli_team_run(t->team, n, fill_some, f);
    for (int i = 0; i < f->n_parts; i++)
        if (f->parts[i].err.status != DPL_OK) {
            if (err)
                *err = f->parts[i].err;
            return f->parts[i].err.status;
        }
    dpli_tower_forward(f->tower, f->inputs, (int32_t)n, false, 0);
    values = dpli_tape_output(f->tower->at)->value;
    for (size_t i = 0; i < n_values; i++)
        if (!isfinite(values[i])) {
            const char *layer = dpli_tape_not_finite(f->tower->at, false);
            return dpli_fail(err, DPL_E_NUMERIC,
                             "validation at step %lld: layer \"%s\" gives a value that is not "
                             "finite",
                             (long long)t->step, layer ? layer : "output");
        }
    memcpy(out, values, n_values * sizeof *out);
    return DPL_OK;
}

/* Embeddings of n items, [n, dim] to out. */
static dpl_status embed(const dpli_trainer *t, filling *f, const int32_t *items, size_t n,
                        float *out, dpl_error *err)
{
    const size_t rows = (size_t)t->rows;
    dpl_status status = DPL_OK;

    for (size_t at = 0; at < n && status == DPL_OK; at += rows) {
        f->items = items + at;
        status = embed_batch(t, f, n - at < rows ? n - at : rows, out + at * (size_t)t->dim, err);
    }
    return status;
}

static dpl_status embed_rounds(rounds *r, dpli_trainer *t, dpl_error *err)
{
    const size_t dim = (size_t)t->dim, half = (size_t)r->ways;
    const size_t n_halves = 2 * (size_t)r->n, n_towers = (size_t)t->n_towers;
    dpl_status status = DPL_OK;

    r->embeddings = dpli_alloc(r->n_items, dim * sizeof(float), err);
    if (!r->embeddings)
        return DPL_E_MEMORY;
    for (size_t w = 0; w < n_towers && status == DPL_OK; w++) {
        filling f;
        status = filling_init(&f, t, (int32_t)w, err);
        if (status == DPL_OK && n_towers == 1)
            status = embed(t, &f, r->items, r->n_items, r->embeddings, err);
        for (size_t k = w; n_towers > 1 && k < n_halves && status == DPL_OK; k += n_towers)
            status = embed(t, &f, r->items + k * half, half, r->embeddings + k * half * dim, err);
        filling_clear(&f);
    }
    return status;
}

/* ------------------------------------------------------------------ scores */

typedef struct scoring {
    const rounds *r;
    const char *head;
    const float *weights; /* of l1-sigmoid */
    size_t dim;
    float *scores; /* [n, ways (first), ways (second)] */
} scoring;

static float score(const scoring *s, const float *a, const float *b)
{
    const int32_t dim = (int32_t)s->dim;
    double sum = 0;

    if (strcmp(s->head, "cosine") == 0) {
        float cosine;

        dpli_rows_cosine(&cosine, a, b, 1, dim);
        return isfinite(cosine) ? cosine : -1;
    }
    if (strcmp(s->head, "euclidean") == 0)
        dpli_rows_l2(&sum, a, b, 1, dim);
    else if (!s->weights)
        dpli_rows_l1(&sum, a, b, 1, dim);
    else
        dpli_rows_weighted_l1(&sum, a, b, 1, dim, s->weights);
    return (float)(s->weights ? sum : -sum);
}

static void score_rounds(void *ctx, int worker, size_t from, size_t to)
{
    const scoring *s = ctx;
    const size_t ways = (size_t)s->r->ways;

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const float *first = s->r->embeddings + k * 2 * ways * s->dim;
        for (size_t i = 0; i < ways; i++)
            for (size_t j = 0; j < ways; j++)
                s->scores[(k * ways + i) * ways + j] =
                    score(s, first + i * s->dim, first + (ways + j) * s->dim);
    }
}

static dpl_status judge(dpl_train_figures *out, const rounds *r, const float *scores,
                        dpl_error *err)
{
    const size_t ways = (size_t)r->ways, n = (size_t)r->n * ways;
    float *same = dpli_alloc(n, sizeof *same, err);
    float *different = dpli_alloc(n * (ways - 1), sizeof *different, err);
    size_t n_right = 0, n_different = 0;

    if (!same || !different) {
        free(same);
        free(different);
        return DPL_E_MEMORY;
    }
    for (size_t row = 0; row < n; row++) {
        const float *s = scores + row * ways;
        const size_t right = row % ways;
        bool best = true; /* a tie is not found */
        same[row] = s[right];
        for (size_t j = 0; j < ways; j++)
            if (j != right) {
                best = best && s[right] > s[j];
                different[n_different++] = s[j];
            }
        n_right += best;
    }
    out->oneshot = (double)n_right / (double)n;
    out->n_trials = (int32_t)n;
    out->n_ways = r->ways;
    dpli_pair_figures(out, same, n, different, n_different, 1e-2);
    free(same);
    free(different);
    return DPL_OK;
}

static dpl_status validate_rounds(dpl_train_figures *out, dpli_trainer *t, scoring *s,
                                  dpl_error *err)
{
    rounds r = {0};
    dpl_status status = draw_rounds(&r, t, err);

    s->r = &r;
    if (status == DPL_OK)
        status = embed_rounds(&r, t, err);
    if (status != DPL_OK)
        goto done;
    s->scores = dpli_alloc((size_t)r.n * (size_t)r.ways, (size_t)r.ways * sizeof *s->scores, err);
    if (!s->scores) {
        status = DPL_E_MEMORY;
        goto done;
    }
    dpli_team_run(t->team, (size_t)r.n, score_rounds, s);
    status = judge(out, &r, s->scores, err);
done:
    free(s->scores);
    free(r.items);
    free(r.embeddings);
    return status;
}

/* ------------------------------------------------------------------ given pairs */

/* Pairs that are alike in length go together; the figures see no order. */
static int by_steps(const void *a, const void *b)
{
    const dpli_given *p = a, *q = b;

    return (p->steps > q->steps) - (p->steps < q->steps);
}

/* From 0 to 1 where the head has such a score, as a grade has. */
static double as_grade(const scoring *s, float score, float bias)
{
    if (s->weights)
        return 1 / (1 + exp(-(double)score - (double)bias));
    return strcmp(s->head, "exp-manhattan") == 0 ? exp((double)score) : (double)score;
}

typedef struct graded {
    float value;
    int32_t at;
} graded;

static int by_value(const void *a, const void *b)
{
    const graded *p = a, *q = b;

    return (p->value > q->value) - (p->value < q->value);
}

/* Ranks from 1, of ties the mean of theirs. */
static void rank(double *ranks, graded *sorted, size_t n)
{
    qsort(sorted, n, sizeof *sorted, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && sorted[end].value == sorted[i].value;)
            end++;
        for (size_t k = i; k < end; k++)
            ranks[sorted[k].at] = ((double)i + 1 + (double)end) / 2;
    }
}

static double correlation(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xy = 0, xx = 0, yy = 0;

    for (size_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

static dpl_status judge_given(dpl_train_figures *out, const dpli_given *pairs, const float *scores,
                              const double *grades, size_t n, bool graded_head, dpl_error *err)
{
    float *same = dpli_alloc(n, sizeof *same, err), *other = dpli_alloc(n, sizeof *other, err);
    double *x = dpli_alloc(n, sizeof *x, err), *y = dpli_alloc(n, sizeof *y, err);
    graded *sorted = dpli_alloc(n, sizeof *sorted, err);
    size_t n_same = 0, n_other = 0;
    dpl_status status = DPL_E_MEMORY;

    if (!same || !other || !x || !y || !sorted)
        goto done;
    status = DPL_OK;
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].target > 0.5f)
            same[n_same++] = scores[i];
        else
            other[n_other++] = scores[i];
        y[i] = (double)pairs[i].target;
    }
    dpli_pair_figures(out, same, n_same, other, n_other, 1e-2);
    out->pearson = correlation(grades, y, n);
    /* A distance is on no scale of grades. */
    out->squared_error = graded_head ? 0 : (double)NAN;
    for (size_t i = 0; i < n; i++)
        out->squared_error += (grades[i] - y[i]) * (grades[i] - y[i]) / (double)n;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (graded){scores[i], (int32_t)i};
    rank(x, sorted, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (graded){pairs[i].target, (int32_t)i};
    rank(y, sorted, n);
    out->spearman = correlation(x, y, n);
    out->n_pairs = (int64_t)n;
done:
    free(same);
    free(other);
    free(x);
    free(y);
    free(sorted);
    return status;
}

/* Pairs first to first + n - 1: embedded, [2 or 1 tower's rows]; their loss and scores. */
static dpl_status ask_some(dpl_train_figures *out, dpli_trainer *t, filling *fillings,
                           const dpli_given *pairs, size_t n, const scoring *s, int32_t *items,
                           dpli_pair *list, float *scores, dpl_error *err)
{
    const size_t dim = (size_t)t->dim, block = (size_t)t->rows;
    const bool two = t->n_towers > 1;
    const dpli_loss_batch batch = {
        .n = t->rows * t->n_towers, .embeddings = t->embeddings, .pairs = list, .n_pairs = n};
    size_t n_correct;
    double loss;
    dpl_status status = DPL_OK;

    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++) {
        for (size_t i = 0; i < n; i++) {
            if (!two)
                items[2 * i] = pairs[i].a;
            items[two ? i : 2 * i + 1] = w || !two ? pairs[i].b : pairs[i].a;
        }
        fillings[w].items = items;
        status = embed_batch(t, &fillings[w], two ? n : 2 * n,
                             t->embeddings + (size_t)w * block * dim, err);
    }
    for (size_t i = 0; i < n; i++) {
        const int32_t a = (int32_t)(two ? i : 2 * i), b = (int32_t)(two ? block + i : 2 * i + 1);

        list[i] = (dpli_pair){a, b, pairs[i].target, 1.0f};
        if (status == DPL_OK)
            scores[i] = score(s, t->embeddings + (size_t)a * dim, t->embeddings + (size_t)b * dim);
    }
    if (status == DPL_OK)
        status = dpli_loss_run(&loss, t->loss, &batch, t->team, &n_correct, err);
    if (status == DPL_OK) {
        out->loss += loss;
        out->correct += (double)n_correct;
    }
    return status;
}

static dpl_status validate_given(dpl_train_figures *out, dpli_trainer *t, scoring *s, float bias,
                                 dpl_error *err)
{
    const size_t n = (size_t)t->held.n_pairs;
    const size_t most = (size_t)(t->n_towers > 1 ? t->rows : t->rows / 2);
    dpli_given *pairs = dpli_alloc(n, sizeof *pairs, err);
    float *scores = dpli_alloc(n, sizeof *scores, err);
    double *grades = dpli_alloc(n, sizeof *grades, err);
    int32_t *items = dpli_alloc(2 * most, sizeof *items, err);
    dpli_pair *list = dpli_alloc(most, sizeof *list, err);
    filling fillings[DPLI_TOWERS] = {{0}};
    dpl_status status = pairs && scores && grades && items && list ? DPL_OK : DPL_E_MEMORY;

    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++)
        status = filling_init(&fillings[w], t, w, err);
    if (status != DPL_OK)
        goto done;
    memcpy(pairs, t->held.pairs, n * sizeof *pairs);
    qsort(pairs, n, sizeof *pairs, by_steps);
    out->loss = out->correct = 0;
    for (size_t at = 0; at < n && status == DPL_OK; at += most)
        status = ask_some(out, t, fillings, pairs + at, n - at < most ? n - at : most, s, items,
                          list, scores + at, err);
    if (status != DPL_OK)
        goto done;
    out->loss /= (double)n;
    out->correct /= (double)n;
    for (size_t i = 0; i < n; i++)
        grades[i] = as_grade(s, scores[i], bias);
    status = judge_given(out, pairs, scores, grades, n, strcmp(s->head, "euclidean") != 0, err);
done:
    for (int32_t w = 0; w < t->n_towers; w++)
        if (fillings[w].feed)
            filling_clear(&fillings[w]);
    free(pairs);
    free(scores);
    free(grades);
    free(items);
    free(list);
    return status;
}

/* ------------------------------------------------------------------ pictures with sentences */

/* Each sentence asks for its picture among all that are held out. */
static dpl_status validate_captions(dpl_train_figures *out, dpli_trainer *t, dpl_error *err)
{
    const size_t n = (size_t)t->held.n_items, n_pictures = (size_t)t->held.n_classes;
    const size_t dim = (size_t)t->dim;
    float *sentences = dpli_alloc(n, dim * sizeof *sentences, err);
    float *pictures = dpli_alloc(n_pictures, dim * sizeof *pictures, err);
    int32_t *items = dpli_alloc(n, sizeof *items, err), *own = dpli_alloc(n, sizeof *own, err);
    filling f = {0};
    size_t at = 0;
    dpl_status status = sentences && pictures && items && own ? DPL_OK : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = filling_init(&f, t, 0, err);
    for (size_t c = 0; c < n_pictures && status == DPL_OK; c++) {
        const dpli_draw_class *k = &t->held.classes[c];

        memcpy(pictures + c * dim, dpli_caption_feed_vector(f.feed, k->cls),
               dim * sizeof *pictures);
        for (int32_t i = 0; i < k->n[0]; i++) {
            items[at] = k->items[0][i];
            own[at++] = (int32_t)c;
        }
    }
    if (status == DPL_OK)
        status = embed(t, &f, items, n, sentences, err);
    if (status == DPL_OK)
        status = dpli_ranks(out, sentences, own, n, pictures, n_pictures, dim, t->team, err);
    if (f.feed)
        filling_clear(&f);
    free(sentences);
    free(pictures);
    free(items);
    free(own);
    return status;
}

dpl_status dpli_validate(dpl_train_figures *out, dpli_trainer *t, dpl_error *err)
{
    float *weights = dpli_alloc((size_t)t->dim, sizeof *weights, err), bias = 0;
    scoring s = {.head = dpli_loss_head(t->settings.loss), .dim = (size_t)t->dim};
    dpl_status status = DPL_E_MEMORY;

    *out = (dpl_train_figures){NAN, NAN, NAN, NAN, NAN, 0,   0,   0,   0, NAN, NAN,
                               NAN, NAN, NAN, 0,   NAN, NAN, NAN, NAN, 0, 0};
    if (!weights)
        return status;
    s.weights = dpli_loss_l1_head(weights, &bias, t->loss) ? weights : NULL;
    status = t->captions ? validate_captions(out, t, err)
             : t->given  ? validate_given(out, t, &s, bias, err)
                         : validate_rounds(out, t, &s, err);
    free(weights);
    return status;
}
