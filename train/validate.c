/*
 * validate.c - how good the net is on what it was not trained on.
 *
 * After Lake's protocol: a round takes up to `ways` classes of one group, one picture of each by
 * one drawer and one by another; every picture of the first is to be found among those of the
 * second. A round of 20 classes is 20 one-shot trials, 20 pairs of the same class and 380 of
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

enum { SALT_ROUND = 21 };

/** A round's pictures are `ways` of the first kind, then as many of the second. */
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
    }
    return NAN;
}

bool dpli_figure_better(double a, double b, dpli_best which)
{
    if (!isfinite(a) || !isfinite(b))
        return isfinite(a);
    return which == DPLI_BEST_EER ? a < b : a > b;
}

const char *dpli_figure_name(dpli_best which)
{
    static const char *const names[] = {"oneshot", "auc", "accuracy", "eer", "tar"};

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

typedef struct conversion {
    float *out;
    const dpli_intake *intake;
    const dpli_pixels *pixels;
    const int32_t *items;
    size_t item_floats;
} conversion;

static void convert(void *ctx, int worker, size_t from, size_t to)
{
    const conversion *c = ctx;

    (void)worker;
    for (size_t i = from; i < to; i++)
        dpli_intake_run(c->out + i * c->item_floats, c->intake,
                        dpli_pixels_at(c->pixels, c->items[i]));
}

/** Embeddings of n items, stride floats between them, by a tower. */
static dpl_status embed(dpli_trainer *t, int32_t tower, const int32_t *items, size_t n, float *out,
                        dpl_error *err)
{
    dpli_tape *tape = t->towers[tower].tape;
    dpli_tensor *in = dpli_tape_input(tape);
    const dpli_pixels *pixels = t->held_pixels ? t->held_pixels : t->towers[tower].pixels;
    const size_t rows = (size_t)t->rows, dim = (size_t)t->dim;

    for (size_t at = 0; at < n; at += rows) {
        const size_t m = n - at < rows ? n - at : rows;
        conversion c = {in->value, &t->towers[tower].intake, pixels, items + at,
                        dpli_tensor_item(in)};
        dpli_team_run(t->team, m, convert, &c);
        dpli_tape_forward(tape, (int32_t)m, false, 0);
        const float *values = dpli_tape_output(tape)->value;
        for (size_t i = 0; i < m * dim; i++)
            if (!isfinite(values[i])) {
                const char *layer = dpli_tape_not_finite(tape, false);
                return dpli_fail(err, DPL_E_NUMERIC,
                                 "validation at step %lld: layer \"%s\" gives a value that is not "
                                 "finite",
                                 (long long)t->step, layer ? layer : "output");
            }
        memcpy(out + at * dim, values, m * dim * sizeof *out);
    }
    return DPL_OK;
}

static dpl_status embed_rounds(rounds *r, dpli_trainer *t, dpl_error *err)
{
    const size_t dim = (size_t)t->dim, half = (size_t)r->ways;
    dpl_status status = DPL_OK;

    r->embeddings = dpli_alloc(r->n_items, dim * sizeof(float), err);
    if (!r->embeddings)
        return DPL_E_MEMORY;
    if (t->n_towers == 1)
        return embed(t, 0, r->items, r->n_items, r->embeddings, err);
    for (size_t k = 0; k < 2 * (size_t)r->n && status == DPL_OK; k++)
        status = embed(t, (int32_t)(k % 2), r->items + k * half, half,
                       r->embeddings + k * half * dim, err);
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

/** The learned weights of the head, the loss's only dense parameter of the embedding's length. */
static const float *head_weights(const dpli_trainer *t)
{
    for (int32_t i = 0; i < dpli_loss_n_params(t->loss); i++) {
        const dpli_param *p = dpli_loss_param(t->loss, i);
        if (t->settings.loss == DPLI_LOSS_L1_SIGMOID && p->kind == DPLI_PARAM_DENSE)
            return p->value;
    }
    return NULL;
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

dpl_status dpli_validate(dpl_train_figures *out, dpli_trainer *t, dpl_error *err)
{
    rounds r = {0};
    scoring s = {.r = &r, .head = dpli_loss_head(t->settings.loss), .dim = (size_t)t->dim};
    dpl_status status = draw_rounds(&r, t, err);

    *out = (dpl_train_figures){NAN, NAN, NAN, NAN, NAN, 0, 0, 0, 0};
    if (status == DPL_OK)
        status = embed_rounds(&r, t, err);
    if (status != DPL_OK)
        goto done;
    s.weights = head_weights(t);
    s.scores = dpli_alloc((size_t)r.n * (size_t)r.ways, (size_t)r.ways * sizeof *s.scores, err);
    if (!s.scores) {
        status = DPL_E_MEMORY;
        goto done;
    }
    dpli_team_run(t->team, (size_t)r.n, score_rounds, &s);
    status = judge(out, &r, s.scores, err);
done:
    free(s.scores);
    free(r.items);
    free(r.embeddings);
    return status;
}
