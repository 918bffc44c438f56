/*
 * loss_pairs.c - losses of pairs of rows.
 *
 *     contrastive    t D^2 / 2 + (1 - t) max(0, m - D)^2 / 2, D the Euclidean distance:
 *                    Hadsell, Chopra, LeCun 2006, equation 4 (there Y = 1 - t)
 *     weighted L1    cross-entropy of sigmoid(z), z = sum w_i |a_i - b_i| + bias: Koch et al. 2015
 *     Manhattan      s = exp(-sum |a_i - b_i|): cross-entropy of s, or (s - t)^2, Mueller and
 *                    Thyagarajan 2016
 *     similarity     z = sum w_i (1 - |a_i - b_i|) + bias: the same functions as weighted L1, but
 *                    where vectors agree is what moves the weights
 *     distance       z = w D + bias
 *     cosine         t (1 - cos) + (1 - t) max(0, cos - m); or (cos - t)^2
 *
 * First the pairs, in parallel: each pair's loss and its derivative by what it measures. Then the
 * rows, in parallel: each gathers from the pairs that it is in, so that no two threads write to one
 * place and the order of additions is that of the list, whoever does it. Both passes go through
 * rows as they are: a product of all rows with all would lose small distances to cancellation, and
 * the absolute differences have no such form.
 */
#include "train/loss_pairs.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/fail.h"
#include "train/loss_rows.h"

/* All pairs of 16384 rows. */
#define MAX_PAIRS ((size_t)1 << 27)

/* Squares of distances below this count as this: nearer than that, rounding says in which direction
 * two vectors lie. As Keras' epsilon. */
#define NEAR 1e-7

/* Floats of a row gathered at once: two such pieces stay in the first level of cache. */
#define PIECE 1024

typedef struct pair_run {
    const dpli_loss *loss;
    const dpli_loss_batch *batch;
    size_t dim;
    const float *weights;
    double bias;
    double sum_weights; /* of similarities */
    double *parts;      /* [n_pairs], weighted losses */
    double *factors;    /* [n_pairs], their derivatives by what is gathered */
    double *slopes;     /* [n_pairs], their derivatives by z, where there is one */
    double *cosines;    /* [n_pairs] */
    uint8_t *right;     /* [n_pairs] */
    float *inverse;     /* [n], 1 / length; the cosine only */
    size_t *first;      /* [n + 1], into list, by row */
    uint32_t *list;     /* [2 n_pairs], pairs */
    dpli_param *weights_param;
} pair_run;

/* ------------------------------------------------------------------ pairs */

/* A pair's loss, its derivative (by what the gather below says), and whether it is on its side. */
typedef struct verdict {
    double loss, factor;
    bool same;
} verdict;

/* sum is (a - b)^2; the factor is of (a - b). */
static verdict judge_contrastive(double sum, double t, double margin)
{
    const bool near = sum < NEAR;
    double d = near ? sqrt(NEAR) : sqrt(sum), lack = fmax(0, margin - d);

    return (verdict){.loss = 0.5 * (t * sum + (1 - t) * lack * lack),
                     /* Equal vectors have no direction to part in. */
                     .factor = t - (near ? 0 : (1 - t) * lack / d),
                     .same = d < 0.5 * margin};
}

static verdict judge_sigmoid(double z, double t)
{
    double e = exp(-fabs(z)); /* never overflows */

    return (verdict){.loss = fmax(z, 0) - z * t + log1p(e),
                     .factor = (z >= 0 ? 1 / (1 + e) : e / (1 + e)) - t,
                     .same = z > 0};
}

/* log(1 - exp(-d)) is without bound at d = 0. A score in float32 cannot be told from 1 below this
 * distance, 2^-24, so that there the loss of a pair of different things stays at its value, 16.6,
 * rather than end a run for two equal pictures with different labels. */
#define LEAST 5.9604644775390625e-8

static verdict judge_cross_entropy(double d, double t)
{
    bool near = d < LEAST;

    return (verdict){.loss = t * d - (1 - t) * log(-expm1(-(near ? LEAST : d))),
                     .factor = t - (near ? 0 : (1 - t) / expm1(d)),
                     .same = d < 0.6931471805599453};
}

static verdict judge_squared_error(double d, double t)
{
    double s = exp(-d);

    /* A distance that is not finite is no score of 0: 0 d makes it show. */
    return (verdict){.loss = (s - t) * (s - t) + 0 * d,
                     .factor = -2 * (s - t) * s,
                     .same = d < 0.6931471805599453};
}

static verdict judge_cosine(double cosine, double t, double margin)
{
    double excess = fmax(0, cosine - margin);

    return (verdict){.loss = t * (1 - cosine) + (1 - t) * excess,
                     .factor = (excess > 0 ? 1 - t : 0) - t,
                     .same = cosine > 0.5 * (1 + margin)};
}

static verdict judge_graded_cosine(double cosine, double t)
{
    return (verdict){
        .loss = (cosine - t) * (cosine - t), .factor = 2 * (cosine - t), .same = cosine > 0.5};
}

static void judge_pairs(void *ctx, int worker, size_t from, size_t to)
{
    const pair_run *k = ctx;
    const double margin = k->loss->options.margin;

    (void)worker;
    for (size_t i = from; i < to; i++) {
        const dpli_pair *p = &k->batch->pairs[i];
        const float *a = k->batch->embeddings + (size_t)p->a * k->dim;
        const float *b = k->batch->embeddings + (size_t)p->b * k->dim;
        verdict v = {0};
        double way = 1, d; /* z by what is gathered */

        switch (k->loss->options.kind) {
        case DPLI_LOSS_CONTRASTIVE:
            v = judge_contrastive(dpli_row_l2(a, b, k->dim), p->target, margin);
            break;
        case DPLI_LOSS_L1_SIGMOID:
            v = judge_sigmoid(dpli_row_wl1(a, b, k->weights, k->dim) + k->bias, p->target);
            break;
        case DPLI_LOSS_L1_SIMILARITY:
            v = judge_sigmoid(k->sum_weights - dpli_row_wl1(a, b, k->weights, k->dim) + k->bias,
                              p->target);
            way = -1;
            break;
        case DPLI_LOSS_DISTANCE_SIGMOID:
            d = dpli_row_l2(a, b, k->dim);
            way = d < NEAR ? 0 : (double)k->weights[0] / sqrt(d);
            d = d < NEAR ? sqrt(NEAR) : sqrt(d);
            v = judge_sigmoid((double)k->weights[0] * d + k->bias, p->target);
            k->cosines[i] = d;
            break;
        case DPLI_LOSS_MANHATTAN_CE:
            v = judge_cross_entropy(dpli_row_l1(a, b, k->dim), p->target);
            break;
        case DPLI_LOSS_MANHATTAN_SE:
            v = judge_squared_error(dpli_row_l1(a, b, k->dim), p->target);
            break;
        default:
            k->cosines[i] =
                dpli_row_dot(a, b, k->dim) * (double)k->inverse[p->a] * (double)k->inverse[p->b];
            v = k->loss->options.kind == DPLI_LOSS_COSINE
                    ? judge_cosine(k->cosines[i], p->target, margin)
                    : judge_graded_cosine(k->cosines[i], p->target);
            break;
        }
        k->parts[i] = p->weight * v.loss;
        k->slopes[i] = p->weight * v.factor;
        k->factors[i] = way * k->slopes[i];
        k->right[i] = v.same == (p->target > 0.5f);
    }
}

static void invert_rows(void *ctx, int worker, size_t from, size_t to)
{
    const pair_run *k = ctx;

    (void)worker;
    for (size_t r = from; r < to; r++)
        k->inverse[r] = dpli_row_inverse(k->batch->embeddings + r * k->dim, k->dim);
}

/* ------------------------------------------------------------------ rows */

/* Which pairs each row is in, in the order of the list. */
static void list_pairs(const pair_run *k)
{
    const size_t n = (size_t)k->batch->n;
    const dpli_pair *pairs = k->batch->pairs;

    memset(k->first, 0, (n + 1) * sizeof *k->first);
    for (size_t i = 0; i < k->batch->n_pairs; i++) {
        k->first[pairs[i].a]++;
        k->first[pairs[i].b]++;
    }
    /* Ends first; filling from the back turns them into beginnings. */
    for (size_t r = 0; r < n; r++)
        k->first[r + 1] += k->first[r];
    for (size_t i = k->batch->n_pairs; i-- > 0;) {
        k->list[--k->first[pairs[i].a]] = (uint32_t)i;
        k->list[--k->first[pairs[i].b]] = (uint32_t)i;
    }
}

/* acc += f sign(x - y): of |x - y| by x */
DPLI_EACH_CPU(static, void, gather_signs,
              (float *restrict acc, const float *restrict x, const float *restrict y, size_t n,
               float f),
              (acc, x, y, n, f))
{
    for (size_t i = 0; i < n; i++) {
        float d = x[i] - y[i];
        acc[i] += (d > 0 ? f : 0.0f) - (d < 0 ? f : 0.0f);
    }
}

/* acc += f (x - y): of (x - y)^2 / 2 by x */
DPLI_EACH_CPU(static, void, gather_differences,
              (float *restrict acc, const float *restrict x, const float *restrict y, size_t n,
               float f),
              (acc, x, y, n, f))
{
    for (size_t i = 0; i < n; i++)
        acc[i] += f * (x[i] - y[i]);
}

/* acc += f y */
DPLI_EACH_CPU(static, void, gather_others,
              (float *restrict acc, const float *restrict y, size_t n, float f), (acc, y, n, f))
{
    for (size_t i = 0; i < n; i++)
        acc[i] += f * y[i];
}

/* The cosine by x: (y / |y| - cos x / |x|) / |x|; the part along x of all pairs together. */
static void gather_own(const pair_run *k, size_t r, float *acc, const float *x)
{
    double along = 0, inverse = k->inverse[r];

    for (size_t j = k->first[r]; j < k->first[r + 1]; j++)
        along += k->factors[k->list[j]] * k->cosines[k->list[j]];
    gather_others(acc, x, k->dim, (float)(-along * inverse * inverse));
}

static bool is_cosine(dpli_loss_kind kind)
{
    return kind == DPLI_LOSS_COSINE || kind == DPLI_LOSS_COSINE_SE;
}

static void gather_rows(void *ctx, int worker, size_t from, size_t to)
{
    const pair_run *k = ctx;
    const dpli_loss_batch *batch = k->batch;
    const dpli_loss_kind kind = k->loss->options.kind;
    const bool cosine = is_cosine(kind);

    (void)worker;
    for (size_t r = from; r < to; r++) {
        const float *x = batch->embeddings + r * k->dim;
        float *acc = batch->grad + r * k->dim;

        memset(acc, 0, k->dim * sizeof *acc);
        for (size_t at = 0; at < k->dim; at += PIECE) {
            size_t n = k->dim - at < PIECE ? k->dim - at : PIECE;

            for (size_t j = k->first[r]; j < k->first[r + 1]; j++) {
                const dpli_pair *p = &batch->pairs[k->list[j]];
                size_t other = (size_t)p->a == r ? (size_t)p->b : (size_t)p->a;
                const float *y = batch->embeddings + other * k->dim;
                double f = k->factors[k->list[j]];

                if (cosine)
                    gather_others(acc + at, y + at, n,
                                  (float)(f * (double)k->inverse[r] * (double)k->inverse[other]));
                else if (kind == DPLI_LOSS_CONTRASTIVE || kind == DPLI_LOSS_DISTANCE_SIGMOID)
                    gather_differences(acc + at, x + at, y + at, n, (float)f);
                else
                    gather_signs(acc + at, x + at, y + at, n, (float)f);
            }
        }
        if (cosine)
            gather_own(k, r, acc, x);
    }
}

/*
 * The weighted L1 head's weights, columns from..to-1: sum over pairs of f |a - b| is the sum over
 * rows of x times what that row gathered, since |a - b| = sign(a - b) a + sign(b - a) b: the pairs
 * need not be passed over again. All rows' gathered parts cancel, so any row may be taken off x;
 * taking the first off keeps what is far from 0 from drowning small differences.
 */
DPLI_EACH_CPU(static, void, weigh_columns, (void *ctx, int worker, size_t from, size_t to),
              (ctx, worker, from, to))
{
    const pair_run *k = ctx;
    const size_t n = (size_t)k->batch->n;
    const float *restrict first = k->batch->embeddings, *restrict w = k->weights;
    float *restrict out = k->weights_param->grad;

    (void)worker;
    memset(out + from, 0, (to - from) * sizeof *out);
    for (size_t r = 0; r < n; r++) {
        const float *restrict x = k->batch->embeddings + r * k->dim;
        float *restrict acc = k->batch->grad + r * k->dim;

        for (size_t i = from; i < to; i++) {
            out[i] += acc[i] * (x[i] - first[i]);
            acc[i] *= w[i];
        }
    }
}

/* ------------------------------------------------------------------ the kinds */

static dpl_status start_linear(dpli_loss *loss, int32_t dim, float weight, float first,
                               dpl_error *err)
{
    dpli_param *weights, *bias;
    dpl_status status =
        dpli_loss_add_param(&weights, loss, "loss.weights", DPLI_PARAM_DENSE, 1, dim, err);

    if (status == DPL_OK)
        status = dpli_loss_add_param(&bias, loss, "loss.bias", DPLI_PARAM_BIAS, 1, 1, err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < weights->n; i++)
        weights->value[i] = weight;
    bias->value[0] = first;
    return DPL_OK;
}

dpl_status dpli_loss_l1_start(dpli_loss *loss, dpl_error *err)
{
    const int32_t dim = loss->options.dim;
    const bool similarity = loss->options.kind == DPLI_LOSS_L1_SIMILARITY;

    /* sum w (1 - d) + bias is sum w - sum w d + bias. */
    return start_linear(loss, dim, (similarity ? 6.0f : -6.0f) / (float)dim,
                        similarity ? -5.0f : 1.0f, err);
}

dpl_status dpli_loss_distance_start(dpli_loss *loss, dpl_error *err)
{
    return start_linear(loss, 1, -4.0f, 2.0f, err);
}

bool dpli_loss_l1_head(float *weights, float *bias, dpli_loss *loss)
{
    const bool similarity = loss->options.kind == DPLI_LOSS_L1_SIMILARITY;
    double sum = 0;

    if (!similarity && loss->options.kind != DPLI_LOSS_L1_SIGMOID)
        return false;
    for (size_t i = 0; i < loss->params[0].n; i++) {
        const float w = loss->params[0].value[i];

        weights[i] = similarity ? -w : w;
        sum += similarity ? (double)w : 0;
    }
    *bias = (float)(sum + (double)loss->params[1].value[0]);
    return true;
}

void dpli_loss_l1_turn(dpli_loss *loss)
{
    double sum = 0;

    for (size_t i = 0; i < loss->params[0].n; i++) {
        sum += (double)loss->params[0].value[i];
        loss->params[0].value[i] = -loss->params[0].value[i];
    }
    loss->params[1].value[0] = (float)((double)loss->params[1].value[0] + sum);
}

dpl_status dpli_loss_pairs_check_batch(const dpli_loss *loss, const dpli_loss_batch *b,
                                       dpl_error *err)
{
    (void)loss;
    if (b->n_pairs > MAX_PAIRS)
        return dpli_fail(err, DPL_E_ARGUMENT, "a batch of %zu pairs, limit is %zu", b->n_pairs,
                         MAX_PAIRS);
    for (size_t i = 0; i < b->n_pairs; i++)
        if (b->pairs[i].a < 0 || b->pairs[i].a >= b->n || b->pairs[i].b < 0 ||
            b->pairs[i].b >= b->n)
            return dpli_fail(err, DPL_E_ARGUMENT, "pair %zu is of rows %d and %d, there are %d", i,
                             (int)b->pairs[i].a, (int)b->pairs[i].b, (int)b->n);
    return DPL_OK;
}

dpl_status dpli_loss_pairs_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                               dpli_team *team, size_t *n_correct, dpl_error *err)
{
    const size_t n = (size_t)batch->n, n_pairs = batch->n_pairs;
    pair_run k = {.loss = loss, .batch = batch, .dim = (size_t)loss->options.dim};
    char *at;
    dpl_status status = dpli_loss_room(
        &at, loss,
        4 * dpli_loss_bytes(n_pairs, sizeof *k.parts) + dpli_loss_bytes(n_pairs, sizeof *k.right) +
            dpli_loss_bytes(n, sizeof *k.inverse) + dpli_loss_bytes(n + 1, sizeof *k.first) +
            dpli_loss_bytes(2 * n_pairs, sizeof *k.list),
        err);

    if (status != DPL_OK)
        return status;
    k.parts = dpli_loss_take(&at, n_pairs, sizeof *k.parts);
    k.factors = dpli_loss_take(&at, n_pairs, sizeof *k.factors);
    k.slopes = dpli_loss_take(&at, n_pairs, sizeof *k.slopes);
    k.cosines = dpli_loss_take(&at, n_pairs, sizeof *k.cosines);
    k.right = dpli_loss_take(&at, n_pairs, sizeof *k.right);
    k.inverse = dpli_loss_take(&at, n, sizeof *k.inverse);
    k.first = dpli_loss_take(&at, n + 1, sizeof *k.first);
    k.list = dpli_loss_take(&at, 2 * n_pairs, sizeof *k.list);
    if (loss->n_params > 0) {
        k.weights_param = &loss->params[0];
        k.weights = loss->params[0].value;
        k.bias = loss->params[1].value[0];
    }
    for (size_t i = 0; loss->options.kind == DPLI_LOSS_L1_SIMILARITY && i < k.dim; i++)
        k.sum_weights += (double)k.weights[i];

    if (is_cosine(loss->options.kind))
        dpli_team_run(team, n, invert_rows, &k);
    dpli_team_run(team, n_pairs, judge_pairs, &k);
    for (size_t i = 0; i < n_pairs; i++) {
        *out += k.parts[i];
        *n_correct += k.right[i];
    }
    if (!batch->grad)
        return DPL_OK;
    list_pairs(&k);
    dpli_team_run(team, n, gather_rows, &k);
    if (k.weights_param) {
        double sum = 0, along = 0;

        for (size_t i = 0; i < n_pairs; i++) {
            sum += k.slopes[i];
            along += k.slopes[i] * k.cosines[i];
        }
        loss->params[1].grad[0] = (float)sum;
        if (loss->options.kind == DPLI_LOSS_DISTANCE_SIGMOID)
            k.weights_param->grad[0] = (float)along;
        else
            dpli_team_run(team, k.dim, weigh_columns, &k);
        for (size_t i = 0; loss->options.kind == DPLI_LOSS_L1_SIMILARITY && i < k.dim; i++)
            k.weights_param->grad[i] += (float)sum;
    }
    return DPL_OK;
}
