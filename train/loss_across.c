/*
 * loss_across.c - losses between rows and vectors of another kind that are given with them:
 * sentences, and their pictures' vectors by an encoder that is not trained. All pairs of a batch
 * are compared, each row with each row's vector; those of one class belong together.
 *
 * With unit rows u_i, unit vectors v_j, cosines c_ij = u_i v_j, and k_i rows of row i's class:
 *
 * InfoNCE: z = s c; the mean over all rows and all columns of the softmax's cross-entropy, the
 * target being spread evenly over what belongs together:
 *     1/2n (sum_i (log sum_j exp z_ij - mean_(j of i's class) z_ij) + the same of columns)
 * after van den Oord, Li, Vinyals 2018, in both directions as Radford et al. 2021 have it, with
 * several of a class as in Khosla et al. 2020 (their L_out). The scale s is 1 / temperature: given,
 * or learnt by its logarithm, from 1 / 0.07 on and never over 100 (Radford, section 2.4).
 *
 * Ranking: max(0, m - c_ii + c_ij) for one j of another class a row, and the same of columns, the
 * mean over rows of both. j is the most alike that is less alike than row i's own; where all are
 * more alike, the least (as the triplets of loss_classes.c, after Schroff et al. 2015). The hardest
 * of all, as Faghri et al. 2018 (VSE++) have it, collapse the embedding in large batches; of the
 * sum over all, as Kiros, Salakhutdinov, Zemel 2014 have it, easy ones take most.
 *
 * The vectors get no gradient. Matrix products are cut by rows of their result, one part a thread.
 */
#include "train/loss_across.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "net/blas.h"
#include "train/loss_rows.h"

#define FIRST_TEMPERATURE 0.07
#define MAX_SCALE         100.0

dpl_status dpli_loss_ranking_check(const dpli_loss_options *o, dpl_error *err)
{
    if (o->n_teachers != 1)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a loss that compares with one encoder's vectors, not with %d encoders'",
                         (int)o->n_teachers);
    if (o->teacher_dims[0] != o->dim)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "vectors of length %d cannot be compared with vectors of length %d",
                         (int)o->dim, (int)o->teacher_dims[0]);
    return DPL_OK;
}

dpl_status dpli_loss_info_nce_check(const dpli_loss_options *o, dpl_error *err)
{
    if (!isnan(o->temperature) && !(o->temperature >= 1e-3f && o->temperature <= 10))
        return dpli_fail(err, DPL_E_ARGUMENT, "a temperature of %g, wanted is 0.001 to 10",
                         (double)o->temperature);
    return dpli_loss_ranking_check(o, err);
}

dpl_status dpli_loss_info_nce_start(dpli_loss *loss, dpl_error *err)
{
    dpli_param *scale;
    dpl_status status;

    if (!isnan(loss->options.temperature))
        return DPL_OK;
    /* a bias: no penalty draws it to 0 */
    status = dpli_loss_add_param(&scale, loss, "loss.scale", DPLI_PARAM_BIAS, 1, 1, err);
    if (status == DPL_OK)
        scale->value[0] = (float)-log(FIRST_TEMPERATURE);
    return status;
}

/* ------------------------------------------------------------------ what both have in common */

typedef struct across_run {
    const int32_t *labels;
    size_t n, dim;
    double margin, scale;
    float *unit, *inverse;            /* [n, dim], [n] */
    float *target, *target_inverse;   /* [n, dim], [n] */
    float *cosines;                   /* [n, n] */
    float *slopes;                    /* [n, n], of the loss by the cosines */
    double *row_log, *column_log;     /* [n], log of the sum of exp z */
    size_t *row_rival, *column_rival; /* [n]; n where nothing pulls */
    double *parts, *scale_parts;      /* [n], of the loss; of its slope by log s */
    uint8_t *right;                   /* [n] */
    float *grad;                      /* [n, dim] */
} across_run;

static dpl_status make_room(across_run *k, dpli_loss *loss, dpl_error *err)
{
    const size_t n = k->n, dim = k->dim;
    char *at;
    const dpl_status status = dpli_loss_room(
        &at, loss,
        2 * (dpli_loss_bytes(n * dim, sizeof(float)) + dpli_loss_bytes(n, sizeof(float)) +
             dpli_loss_bytes(n * n, sizeof(float)) + dpli_loss_bytes(n, sizeof(size_t))) +
            4 * dpli_loss_bytes(n, sizeof(double)) + dpli_loss_bytes(n, sizeof(uint8_t)),
        err);

    if (status != DPL_OK)
        return status;
    k->unit = dpli_loss_take(&at, n * dim, sizeof(float));
    k->target = dpli_loss_take(&at, n * dim, sizeof(float));
    k->inverse = dpli_loss_take(&at, n, sizeof(float));
    k->target_inverse = dpli_loss_take(&at, n, sizeof(float));
    k->cosines = dpli_loss_take(&at, n * n, sizeof(float));
    k->slopes = dpli_loss_take(&at, n * n, sizeof(float));
    k->row_rival = dpli_loss_take(&at, n, sizeof(size_t));
    k->column_rival = dpli_loss_take(&at, n, sizeof(size_t));
    k->row_log = dpli_loss_take(&at, n, sizeof(double));
    k->column_log = dpli_loss_take(&at, n, sizeof(double));
    k->parts = dpli_loss_take(&at, n, sizeof(double));
    k->scale_parts = dpli_loss_take(&at, n, sizeof(double));
    k->right = dpli_loss_take(&at, n, sizeof(uint8_t));
    return DPL_OK;
}

static void cosine_rows(void *ctx, int worker, size_t from, size_t to)
{
    const across_run *k = ctx;

    (void)worker;
    dpli_gemm(0, 1, to - from, k->n, k->dim, 1, k->unit + from * k->dim, k->dim, k->target, k->dim,
              0, k->cosines + from * k->n, k->n);
    for (size_t i = from; i < to; i++) {
        const float *c = k->cosines + i * k->n;
        size_t nearest = 0;

        for (size_t j = 1; j < k->n; j++)
            if (c[j] > c[nearest])
                nearest = j;
        k->right[i] = k->labels[nearest] == k->labels[i];
        k->parts[i] = 0;
    }
}

static dpl_status compare(across_run *k, dpli_loss *loss, const dpli_loss_batch *batch,
                          dpli_team *team, dpl_error *err)
{
    dpl_status status;

    *k = (across_run){.labels = batch->labels,
                      .n = (size_t)batch->n,
                      .dim = (size_t)loss->options.dim,
                      .margin = loss->options.margin,
                      .grad = batch->grad};
    status = make_room(k, loss, err);
    if (status != DPL_OK)
        return status;
    dpli_rows_unit(k->unit, k->inverse, batch->embeddings, k->n, k->dim, team);
    dpli_rows_unit(k->target, k->target_inverse, batch->teachers[0], k->n, k->dim, team);
    dpli_team_run(team, k->n, cosine_rows, k);
    return DPL_OK;
}

static void sum_up(double *out, size_t *n_correct, const across_run *k)
{
    for (size_t i = 0; i < k->n; i++) {
        /* a row that is not finite may be nobody's rival: it counts as well */
        *out += k->parts[i] + 0 * (double)k->inverse[i];
        *n_correct += k->right[i];
    }
}

/* d unit = slopes target */
static void back_rows(void *ctx, int worker, size_t from, size_t to)
{
    const across_run *k = ctx;

    (void)worker;
    dpli_gemm(0, 0, to - from, k->dim, k->n, 1, k->slopes + from * k->n, k->n, k->target, k->dim, 0,
              k->grad + from * k->dim, k->dim);
}

static void go_back(const across_run *k, dpli_team *team)
{
    dpli_team_run(team, k->n, back_rows, (void *)(uintptr_t)k);
    dpli_rows_unit_back(k->grad, k->grad, k->unit, k->inverse, k->n, k->dim, team);
}

/* ------------------------------------------------------------------ InfoNCE */

/* log sum_j exp(s c_j), less the mean of s c_j over those of the class; c_j is at c[j * step]. */
static double entropy(double *log_sum, const across_run *k, const float *c, size_t step,
                      int32_t label)
{
    double most = (double)c[0], sum = 0, own = 0;
    size_t n_own = 0;

    for (size_t j = 1; j < k->n; j++)
        most = fmax(most, (double)c[j * step]);
    for (size_t j = 0; j < k->n; j++) {
        const double z = (double)c[j * step];
        sum += exp(k->scale * (z - most));
        own += k->labels[j] == label ? z : 0;
        n_own += k->labels[j] == label;
    }
    *log_sum = log(sum) + k->scale * most;
    return *log_sum - k->scale * own / (double)n_own;
}

static void entropies(void *ctx, int worker, size_t from, size_t to)
{
    const across_run *k = ctx;

    (void)worker;
    for (size_t i = from; i < to; i++)
        k->parts[i] = (entropy(&k->row_log[i], k, k->cosines + i * k->n, 1, k->labels[i]) +
                       entropy(&k->column_log[i], k, k->cosines + i, k->n, k->labels[i])) /
                      (2 * (double)k->n);
}

/* dL/dz_ij = (exp(z - row's log) + exp(z - column's log) - 2 / k_i of the class) / 2n */
static void entropy_slopes(void *ctx, int worker, size_t from, size_t to)
{
    const across_run *k = ctx;
    const double share = 1 / (2 * (double)k->n);

    (void)worker;
    for (size_t i = from; i < to; i++) {
        const float *c = k->cosines + i * k->n;
        float *slopes = k->slopes + i * k->n;
        size_t n_own = 0;

        for (size_t j = 0; j < k->n; j++)
            n_own += k->labels[j] == k->labels[i];
        k->scale_parts[i] = 0;
        for (size_t j = 0; j < k->n; j++) {
            const double z = k->scale * (double)c[j];
            double d = exp(z - k->row_log[i]) + exp(z - k->column_log[j]);
            d = share * (d - (k->labels[j] == k->labels[i] ? 2 / (double)n_own : 0));
            slopes[j] = (float)(k->scale * d);
            k->scale_parts[i] += d * z;
        }
    }
}

dpl_status dpli_loss_info_nce_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                  dpli_team *team, size_t *n_correct, dpl_error *err)
{
    dpli_param *learnt = loss->n_params > 0 ? &loss->params[0] : NULL;
    across_run k;
    dpl_status status = compare(&k, loss, batch, team, err);

    if (status != DPL_OK)
        return status;
    k.scale = learnt ? exp((double)learnt->value[0]) : 1 / (double)loss->options.temperature;
    const bool at_limit = learnt && k.scale > MAX_SCALE;
    k.scale = at_limit ? MAX_SCALE : k.scale;
    dpli_team_run(team, k.n, entropies, &k);
    sum_up(out, n_correct, &k);
    if (!batch->grad)
        return DPL_OK;
    dpli_team_run(team, k.n, entropy_slopes, &k);
    if (learnt) {
        double slope = 0;
        for (size_t i = 0; i < k.n; i++)
            slope += k.scale_parts[i];
        learnt->grad[0] = at_limit ? 0 : (float)slope;
    }
    go_back(&k, team);
    return DPL_OK;
}

/* ------------------------------------------------------------------ ranking */

/* What a row, or a column, lies short of its margin before a rival; who that is. */
static double shortfall(size_t *rival, const across_run *k, const float *c, size_t step, size_t own)
{
    const float mine = c[own * step];
    size_t below = k->n, least = k->n;
    double part;

    *rival = k->n;
    for (size_t j = 0; j < k->n; j++) {
        const float other = c[j * step];

        if (k->labels[j] == k->labels[own])
            continue;
        if (other < mine && (below == k->n || other > c[below * step]))
            below = j;
        if (least == k->n || other < c[least * step])
            least = j;
    }
    below = below < k->n ? below : least;
    if (below == k->n)
        return 0;
    part = k->margin - (double)mine + (double)c[below * step];
    if (part <= 0)
        return 0;
    *rival = below;
    return part;
}

static void shortfalls(void *ctx, int worker, size_t from, size_t to)
{
    const across_run *k = ctx;

    (void)worker;
    for (size_t i = from; i < to; i++)
        k->parts[i] = (shortfall(&k->row_rival[i], k, k->cosines + i * k->n, 1, i) +
                       shortfall(&k->column_rival[i], k, k->cosines + i, k->n, i)) /
                      (double)k->n;
}

dpl_status dpli_loss_ranking_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                 dpli_team *team, size_t *n_correct, dpl_error *err)
{
    across_run k;
    dpl_status status = compare(&k, loss, batch, team, err);

    if (status != DPL_OK)
        return status;
    const float share = 1 / (float)k.n;
    dpli_team_run(team, k.n, shortfalls, &k);
    sum_up(out, n_correct, &k);
    if (!batch->grad)
        return DPL_OK;
    memset(k.slopes, 0, k.n * k.n * sizeof *k.slopes);
    for (size_t i = 0; i < k.n; i++) {
        if (k.row_rival[i] < k.n) {
            k.slopes[i * k.n + i] -= share;
            k.slopes[i * k.n + k.row_rival[i]] += share;
        }
        if (k.column_rival[i] < k.n) {
            k.slopes[i * k.n + i] -= share;
            k.slopes[k.column_rival[i] * k.n + i] += share;
        }
    }
    go_back(&k, team);
    return DPL_OK;
}
