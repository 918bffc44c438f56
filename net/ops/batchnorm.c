/*
 * batchnorm.c - BatchNormalization.
 *
 *     y = (x - mean[c]) / sqrt(variance[c] + epsilon) gamma[c] + beta[c]
 *
 * Training takes mean and variance of the batch, over n, h, w (the variance divided by their number
 * here, by one less for the running average), and moves the running averages: r = momentum r +
 * (1 - momentum) batch. With a frozen scale the running averages stay and are used.
 *
 * For inference the running averages make it y = x scale[c] + shift[c], which fuse.c takes into the
 * product before it; one that nothing took in is a depthwise 1x1 convolution.
 * Source: ONNX BatchNormalization-15; Ioffe and Szegedy 2015.
 */
#include "net/ops/batchnorm.h"

#include <math.h>
#include <string.h>

#include "net/ops/conv.h"
#include "net/ops/train.h"
#include "net/planner.h"

typedef struct batchnorm_params {
    float epsilon;
    float momentum; /* of training only */
} batchnorm_params;

static dpl_status load_batchnorm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    batchnorm_params *params = dpli_node_params(node, sizeof *params, err);
    int64_t training = 0, spatial = 1;
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->epsilon = 1e-5f;
    params->momentum = 0.9f;
    status = dpli_attr_float(g, node, "epsilon", &params->epsilon, err);
    if (status == DPL_OK)
        status = dpli_attr_float(g, node, "momentum", &params->momentum, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "training_mode", &training, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "spatial", &spatial, err);
    if (status != DPL_OK)
        return status;
    if (training != 0 || spatial != 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "training mode and spatial 0 are not supported");
    return DPL_OK;
}

dpl_status dpli_batchnorm_settle(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    float epsilon = ((const batchnorm_params *)node->params)->epsilon;
    const float *in[5];
    float *made[2];
    dpl_shape shape[5];
    int32_t ids[2];

    for (int32_t i = 1; i < 5; i++) {
        in[i] = dpli_graph_floats(g, node, i, &shape[i]);
        if (!in[i])
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "input %d is not a float constant",
                                  (int)i);
        if (shape[i].rank != 1 || !dpli_shape_equal(&shape[i], &shape[1]) || shape[i].dims[0] < 1 ||
            shape[i].dims[0] > INT32_MAX)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "constants do not fit together");
    }
    for (int32_t i = 0; i < 2; i++) {
        ids[i] = dpli_graph_constant(g, i ? "shift" : "scale", DPLI_F32, &shape[1], err);
        if (ids[i] < 0)
            return DPL_E_MEMORY;
        g->values[ids[i]].n_uses = 1;
        made[i] = g->values[ids[i]].data;
    }
    for (int64_t c = 0; c < shape[1].dims[0]; c++) {
        double scale = (double)in[1][c] / sqrt((double)in[4][c] + (double)epsilon);

        made[0][c] = (float)scale;
        made[1][c] = (float)((double)in[2][c] - (double)in[3][c] * scale);
        if (!isfinite(made[0][c]) || !isfinite(made[1][c]))
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "channel %lld is not finite",
                                  (long long)c);
    }
    node->inputs[1] = ids[0];
    node->inputs[2] = ids[1];
    node->n_inputs = 3;
    return DPL_OK;
}

static dpl_status prepare_batchnorm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_shape shape;
    const float *scale = dpli_graph_floats(g, node, 1, &shape);
    dpli_conv c = {.in_c = (int32_t)shape.dims[0],
                   .out_c = (int32_t)shape.dims[0],
                   .kernel_h = 1,
                   .kernel_w = 1,
                   .stride_h = 1,
                   .stride_w = 1,
                   .dilation_h = 1,
                   .dilation_w = 1,
                   .groups = (int32_t)shape.dims[0]};

    return dpli_conv_prepare(g, node, &c, scale, err);
}

static dpl_status plan_batchnorm(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_graph *g = dpli_plan_graph(p);
    int32_t channels = (int32_t)g->values[node->inputs[1]].shape.dims[0];
    dpli_planned *x;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);
    dpli_conv c = {.in_c = channels,
                   .out_c = channels,
                   .kernel_h = 1,
                   .kernel_w = 1,
                   .stride_h = 1,
                   .stride_w = 1,
                   .dilation_h = 1,
                   .dilation_w = 1,
                   .groups = channels};

    if (status != DPL_OK)
        return status;
    if ((x->shape.rank != 4 && x->shape.rank != 2) || x->shape.dims[1] != channels) {
        char words[DPLI_SHAPE_TEXT];

        return dpli_node_fail(g, node, DPL_E_ARGUMENT, err,
                              "input of %s is not of rank 2 or 4 with %d channels",
                              dpli_shape_text(&x->shape, words), (int)channels);
    }
    c.n = (int32_t)x->shape.dims[0];
    c.in_h = c.out_h = x->shape.rank == 4 ? (int32_t)x->shape.dims[2] : 1;
    c.in_w = c.out_w = x->shape.rank == 4 ? (int32_t)x->shape.dims[3] : 1;
    return dpli_plan_conv(p, node, x, &c, &x->shape, dpli_graph_floats(g, node, 2, NULL), err);
}

/* ------------------------------------------------------------------ training */

/* kept is [mean, 1 / standard deviation][c]; scratch is two sums a worker and channel in double,
 * then factors[3][c]. */
typedef struct batchnorm_state {
    bool batch; /* forward used the batch's own statistics */
} batchnorm_state;

static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    static const dpli_param_kind kinds[5] = {DPLI_PARAM_OTHER, DPLI_PARAM_SCALE, DPLI_PARAM_SHIFT,
                                             DPLI_PARAM_RUNNING, DPLI_PARAM_RUNNING};
    const batchnorm_params *params = s->node->params;
    const size_t c = s->in[0] ? (size_t)s->in[0]->c : 0;
    dpl_status status = dpli_tape_need(g, s, 0, err);

    for (int32_t i = 1; i < 5 && status == DPL_OK; i++) {
        status = dpli_tape_claim(g, s, i, kinds[i], 0, 0, err);
        if (status == DPL_OK && (s->param[i]->shape.rank != 1 || s->param[i]->n != c))
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                                  "constants do not fit an input of %d channels", (int)c);
    }
    if (status != DPL_OK)
        return status;
    if ((s->in[0]->shape.rank != 2 || s->in[0]->batch_axis != 0) && !s->in[0]->picture)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained on vectors and pictures, not on rank %d",
                              (int)s->in[0]->shape.rank);
    if (!(params->epsilon >= 0.0f && params->momentum >= 0.0f && params->momentum <= 1.0f))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "epsilon or momentum is out of range");
    dpli_train_as(s->out, s->in[0]);
    s->kept_floats = 2 * c;
    s->scratch_floats = (4 * (size_t)dpli_team_size(s->team) + 3) * c;
    return DPL_OK;
}

/* sum[0][i] += t, sum[1][i] += t d over rows of c, where d = x - at and t is d itself without g.
 * Four rows at a time: pairs of pairs in float lose next to nothing, and the sums in double are
 * touched a fourth as often. */
static inline __attribute__((always_inline)) void sum_rows(bool has_g, double *restrict sum,
                                                           const float *restrict g,
                                                           const float *restrict x,
                                                           const float *restrict at, size_t c,
                                                           size_t n_rows)
{
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4) {
        const float *x0 = x + r * c, *x1 = x0 + c, *x2 = x1 + c, *x3 = x2 + c;
        const float *g0 = g + r * c, *g1 = g0 + c, *g2 = g1 + c, *g3 = g2 + c;

        for (size_t i = 0; i < c; i++) {
            float d0 = x0[i] - at[i], d1 = x1[i] - at[i], d2 = x2[i] - at[i], d3 = x3[i] - at[i];
            float t0 = has_g ? g0[i] : d0, t1 = has_g ? g1[i] : d1;
            float t2 = has_g ? g2[i] : d2, t3 = has_g ? g3[i] : d3;

            sum[i] += (double)((t0 + t1) + (t2 + t3));
            sum[c + i] += (double)((t0 * d0 + t1 * d1) + (t2 * d2 + t3 * d3));
        }
    }
    for (; r < n_rows; r++) {
        for (size_t i = 0; i < c; i++) {
            float d = x[r * c + i] - at[i], t = has_g ? g[r * c + i] : d;

            sum[i] += (double)t;
            sum[c + i] += (double)(t * d);
        }
    }
}

DPLI_EACH_CPU(static, void, sum_moments,
              (double *sum, const float *x, const float *at, size_t c, size_t n_rows),
              (sum, x, at, c, n_rows))
{
    sum_rows(false, sum, x, x, at, c, n_rows);
}

DPLI_EACH_CPU(static, void, sum_gradients,
              (double *sum, const float *g, const float *x, const float *at, size_t c,
               size_t n_rows),
              (sum, g, x, at, c, n_rows))
{
    sum_rows(true, sum, g, x, at, c, n_rows);
}

/* y = (x - mean) scale + shift */
DPLI_EACH_CPU(static, void, normalize,
              (float *restrict y, const float *restrict x, const float *restrict mean,
               const float *restrict scale, const float *restrict shift, size_t c, size_t n_rows),
              (y, x, mean, scale, shift, c, n_rows))
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < c; i++)
            y[r * c + i] = (x[r * c + i] - mean[i]) * scale[i] + shift[i];
    }
}

/* dx = f[0] g + f[1] (x - mean) + f[2] */
DPLI_EACH_CPU(static, void, back,
              (float *restrict dx, const float *restrict g, const float *restrict x,
               const float *restrict mean, const float *restrict f, size_t c, size_t n_rows,
               bool add),
              (dx, g, x, mean, f, c, n_rows, add))
{
    for (size_t r = 0; r < n_rows; r++) {
        float *row = dx + r * c;
        const float *gr = g + r * c, *xr = x + r * c;

        if (add) {
            for (size_t i = 0; i < c; i++)
                row[i] += f[i] * gr[i] + (f[c + i] * (xr[i] - mean[i]) + f[2 * c + i]);
        } else {
            for (size_t i = 0; i < c; i++)
                row[i] = f[i] * gr[i] + (f[c + i] * (xr[i] - mean[i]) + f[2 * c + i]);
        }
    }
}

static double *sums_of(const dpli_tape_step *s)
{
    return (double *)(void *)s->scratch;
}

static float *factors_of(const dpli_tape_step *s)
{
    return s->scratch + 4 * (size_t)dpli_team_size(s->team) * (size_t)s->out->c;
}

static void moments_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    sum_moments(sums_of(s) + 2 * c * (size_t)worker, s->in[0]->value + from * c, s->in[0]->value, c,
                to - from);
}

static void gradients_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    sum_gradients(sums_of(s) + 2 * c * (size_t)worker, s->out->grad + from * c,
                  s->in[0]->value + from * c, s->kept, c, to - from);
}

static void normalize_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    (void)worker;
    normalize(s->out->value + from * c, s->in[0]->value + from * c, s->kept, factors_of(s),
              s->param[2]->value, c, to - from);
}

static void back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    (void)worker;
    back(s->in[0]->grad + from * c, s->out->grad + from * c, s->in[0]->value + from * c, s->kept,
         factors_of(s), c, to - from, s->add[0]);
}

/* The workers' sums, in their order, in the first one's. */
static void sum_all(dpli_tape_step *s, size_t n_rows, void (*fn)(void *, int, size_t, size_t))
{
    const size_t n = 2 * (size_t)s->out->c, size = (size_t)dpli_team_size(s->team);
    double *sum = sums_of(s);

    memset(sum, 0, size * n * sizeof *sum);
    dpli_team_run(s->team, n_rows, fn, s);
    for (size_t w = 1; w < size; w++) {
        for (size_t i = 0; i < n; i++)
            sum[i] += sum[w * n + i];
    }
}

static void forward_batchnorm(dpli_tape_step *s)
{
    const batchnorm_params *params = s->node->params;
    batchnorm_state *state = s->state;
    const size_t c = (size_t)s->out->c, n_rows = dpli_tensor_floats(s->out) / c;
    const double n = (double)n_rows, m = (double)params->momentum;
    float *mean = s->kept, *inverse = mean + c, *scale = factors_of(s);
    float *running[2] = {s->param[3]->value, s->param[4]->value};
    const double *sum = sums_of(s);

    state->batch = s->training && !s->param[1]->frozen;
    if (state->batch)
        sum_all(s, n_rows, moments_range);
    for (size_t i = 0; i < c; i++) {
        double variance = (double)running[1][i];

        mean[i] = running[0][i];
        if (state->batch) {
            /* Moments about the first value, which is no further off than the others: about zero,
             * a mean far from it would drown the variance. */
            double off = sum[i] / n, square = sum[c + i] / n - off * off;

            mean[i] = (float)((double)s->in[0]->value[i] + off);
            variance = square > 0.0 ? square : 0.0;
            running[0][i] = (float)(m * (double)running[0][i] + (1.0 - m) * (double)mean[i]);
            running[1][i] = (float)(m * (double)running[1][i] +
                                    (1.0 - m) * variance * (n_rows > 1 ? n / (n - 1.0) : 1.0));
        }
        inverse[i] = (float)(1.0 / sqrt(variance + (double)params->epsilon));
        scale[i] = s->param[1]->value[i] * inverse[i];
    }
    dpli_team_run(s->team, n_rows, normalize_range, s);
}

/* With d = x - mean and z = d / deviation:
 *     d gamma = sum(g z), d beta = sum(g),
 *     d x = gamma / deviation (g - mean(g) - z mean(g z)), the means 0 with running averages. */
static void backward_batchnorm(dpli_tape_step *s)
{
    const batchnorm_state *state = s->state;
    const size_t c = (size_t)s->out->c, n_rows = dpli_tensor_floats(s->out) / c;
    const float *inverse = s->kept + c;
    const double *sum = sums_of(s);
    float *f = factors_of(s);
    const bool sums = state->batch || s->param[1]->grad || s->param[2]->grad;

    if (sums)
        sum_all(s, n_rows, gradients_range);
    for (size_t i = 0; i < c; i++) {
        double k = (double)s->param[1]->value[i] * (double)inverse[i];
        double r = (double)inverse[i], n = (double)n_rows;

        f[i] = (float)k;
        f[c + i] = state->batch ? (float)(-k * r * r * sum[c + i] / n) : 0.0f;
        f[2 * c + i] = state->batch ? (float)(-k * sum[i] / n) : 0.0f;
        if (s->param[1]->grad)
            s->param[1]->grad[i] = (float)(r * sum[c + i]);
        if (s->param[2]->grad)
            s->param[2]->grad[i] = (float)sum[i];
    }
    if (s->in[0]->grad)
        dpli_team_run(s->team, n_rows, back_range, s);
}

static const dpli_trained trained = {sizeof(batchnorm_state), plan_trained, forward_batchnorm,
                                     backward_batchnorm};

const dpli_op dpli_ops_batchnorm[] = {
    {"BatchNormalization", DPLI_ROLE_NORM, 5, 5, 1, true, load_batchnorm, prepare_batchnorm,
     plan_batchnorm, &trained},
    {0},
};
