/*
 * batchnorm.c - BatchNormalization.
 *
 *     y = (x - mean[c]) / sqrt(variance[c] + epsilon) gamma[c] + beta[c]
 *
 * Training takes mean and variance of the batch, over n, h, w (the variance divided by their number
 * here, by one less for the running average), and moves the running averages: r = momentum r +
 * (1 - momentum) batch. With a frozen scale the running averages stay and are used.
 *
 * A PRelu or Relu behind it is computed in the same passes (dpli_tape_step.join): what lies between
 * them is made anew on the way back, as these passes wait for memory and not for the processor.
 *
 * For inference the running averages make it y = x scale[c] + shift[c], which fuse.c takes into the
 * product before it; one that nothing took in is a depthwise 1x1 convolution.
 * Source: ONNX BatchNormalization-15; Ioffe and Szegedy 2015.
 */
#include "net/ops/batchnorm.h"

#include <math.h>
#include <string.h>

#include "net/ops/activation.h"
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

#define SUMS 3

/* What is behind it in the same pass. */
typedef enum behind { NOTHING, PRELU, RELU } behind;

/* kept is [mean, 1 / standard deviation][c]; scratch is SUMS a worker and channel in double, then
 * factors[3], scale and slope[c]. */
typedef struct batchnorm_state {
    bool batch; /* forward used the batch's own statistics */
    behind behind;
} batchnorm_state;

static bool join(dpli_tape_step *s, const dpli_tape_step *next)
{
    batchnorm_state *state = s->state;

    switch (dpli_act_trained_kind(next)) {
    case DPLI_ACT_PRELU: state->behind = PRELU; break;
    case DPLI_ACT_RELU: state->behind = RELU; break;
    default: return false;
    }
    return true;
}

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
    s->join = join;
    s->kept_floats = 2 * c;
    s->scratch_floats = (2 * SUMS * (size_t)dpli_team_size(s->team) + 5) * c;
    return DPL_OK;
}

/* Constants of a channel. What is behind the norm, of y = d scale + shift, is y where y is kept,
 * else slope y. */
typedef struct channels {
    const float *mean, *scale, *shift, *slope;
} channels;

#define ALWAYS static inline __attribute__((always_inline))

/* The rest is as of the activations by themselves: at a kink PRelu's slope is 1, Relu's 0. */
ALWAYS float act_of(behind how, float y, float slope)
{
    return how == RELU ? (0.0f > y ? 0.0f : y) : how == PRELU && y < 0.0f ? slope * y : y;
}

ALWAYS float back_of(behind how, float g, float y, float slope)
{
    return how == RELU    ? g * (y > 0.0f ? 1.0f : 0.0f)
           : how == PRELU ? g * (y < 0.0f ? slope : 1.0f)
                          : g;
}

ALWAYS float slope_part(behind how, float g, float y)
{
    return how == PRELU && y < 0.0f ? g * y : 0.0f;
}

/* sum[0][i] += d, sum[1][i] += d d over rows of c, where d = x - at.
 * Four rows at a time: pairs of pairs in float lose next to nothing, and the sums in double are
 * touched a fourth as often. */
DPLI_EACH_CPU(static, void, sum_moments,
              (double *restrict sum, const float *restrict x, const float *restrict at, size_t c,
               size_t n_rows),
              (sum, x, at, c, n_rows))
{
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4) {
        const float *x0 = x + r * c, *x1 = x0 + c, *x2 = x1 + c, *x3 = x2 + c;

        for (size_t i = 0; i < c; i++) {
            float d0 = x0[i] - at[i], d1 = x1[i] - at[i], d2 = x2[i] - at[i], d3 = x3[i] - at[i];

            sum[i] += (double)((d0 + d1) + (d2 + d3));
            sum[c + i] += (double)((d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3));
        }
    }
    for (; r < n_rows; r++) {
        for (size_t i = 0; i < c; i++) {
            float d = x[r * c + i] - at[i];

            sum[i] += (double)d;
            sum[c + i] += (double)(d * d);
        }
    }
}

/* sum[0][i] += t, sum[1][i] += t d, where t is the gradient before what is behind; of PRelu
 * sum[2][i]
 * += what its slope is told. As many rows at a time as above. */
ALWAYS void sum_rows(behind how, double *restrict sum, const float *restrict g,
                     const float *restrict x, const channels *by, size_t c, size_t n_rows)
{
    const float *restrict mean = by->mean, *restrict scale = by->scale;
    const float *restrict shift = by->shift, *restrict slope = by->slope;
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4) {
        const float *x0 = x + r * c, *x1 = x0 + c, *x2 = x1 + c, *x3 = x2 + c;
        const float *g0 = g + r * c, *g1 = g0 + c, *g2 = g1 + c, *g3 = g2 + c;

        for (size_t i = 0; i < c; i++) {
            float d0 = x0[i] - mean[i], d1 = x1[i] - mean[i];
            float d2 = x2[i] - mean[i], d3 = x3[i] - mean[i];
            float y0 = d0 * scale[i] + shift[i], y1 = d1 * scale[i] + shift[i];
            float y2 = d2 * scale[i] + shift[i], y3 = d3 * scale[i] + shift[i];
            float t0 = back_of(how, g0[i], y0, slope[i]), t1 = back_of(how, g1[i], y1, slope[i]);
            float t2 = back_of(how, g2[i], y2, slope[i]), t3 = back_of(how, g3[i], y3, slope[i]);

            sum[i] += (double)((t0 + t1) + (t2 + t3));
            sum[c + i] += (double)((t0 * d0 + t1 * d1) + (t2 * d2 + t3 * d3));
            if (how == PRELU)
                sum[2 * c + i] +=
                    (double)((slope_part(how, g0[i], y0) + slope_part(how, g1[i], y1)) +
                             (slope_part(how, g2[i], y2) + slope_part(how, g3[i], y3)));
        }
    }
    for (; r < n_rows; r++) {
        for (size_t i = 0; i < c; i++) {
            float d = x[r * c + i] - mean[i], y = d * scale[i] + shift[i];
            float t = back_of(how, g[r * c + i], y, slope[i]);

            sum[i] += (double)t;
            sum[c + i] += (double)(t * d);
            if (how == PRELU)
                sum[2 * c + i] += (double)slope_part(how, g[r * c + i], y);
        }
    }
}

DPLI_EACH_CPU(static, void, sum_gradients,
              (behind how, double *sum, const float *g, const float *x, const channels *by,
               size_t c, size_t n_rows),
              (how, sum, g, x, by, c, n_rows))
{
    switch (how) {
    case NOTHING: sum_rows(NOTHING, sum, g, x, by, c, n_rows); break;
    case PRELU: sum_rows(PRELU, sum, g, x, by, c, n_rows); break;
    case RELU: sum_rows(RELU, sum, g, x, by, c, n_rows); break;
    }
}

ALWAYS void normalize_rows(behind how, float *restrict out, const float *restrict x,
                           const channels *by, size_t c, size_t n_rows)
{
    const float *restrict mean = by->mean, *restrict scale = by->scale;
    const float *restrict shift = by->shift, *restrict slope = by->slope;

    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < c; i++)
            out[r * c + i] = act_of(how, (x[r * c + i] - mean[i]) * scale[i] + shift[i], slope[i]);
    }
}

DPLI_EACH_CPU(static, void, normalize,
              (behind how, float *out, const float *x, const channels *by, size_t c, size_t n_rows),
              (how, out, x, by, c, n_rows))
{
    switch (how) {
    case NOTHING: normalize_rows(NOTHING, out, x, by, c, n_rows); break;
    case PRELU: normalize_rows(PRELU, out, x, by, c, n_rows); break;
    case RELU: normalize_rows(RELU, out, x, by, c, n_rows); break;
    }
}

/* dx = f[0] t + f[1] (x - mean) + f[2], t as of the sums. */
ALWAYS void back_rows(behind how, bool add, float *restrict dx, const float *restrict g,
                      const float *restrict x, const channels *by, const float *restrict f,
                      size_t c, size_t n_rows)
{
    const float *restrict mean = by->mean, *restrict scale = by->scale;
    const float *restrict shift = by->shift, *restrict slope = by->slope;

    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < c; i++) {
            float d = x[r * c + i] - mean[i];
            float t = back_of(how, g[r * c + i], d * scale[i] + shift[i], slope[i]);
            float to = f[i] * t + (f[c + i] * d + f[2 * c + i]);

            dx[r * c + i] = add ? dx[r * c + i] + to : to;
        }
    }
}

DPLI_EACH_CPU(static, void, back,
              (behind how, float *dx, const float *g, const float *x, const channels *by,
               const float *f, size_t c, size_t n_rows, bool add),
              (how, dx, g, x, by, f, c, n_rows, add))
{
    switch (how) {
    case NOTHING:
        if (add)
            back_rows(NOTHING, true, dx, g, x, by, f, c, n_rows);
        else
            back_rows(NOTHING, false, dx, g, x, by, f, c, n_rows);
        break;
    case PRELU:
        if (add)
            back_rows(PRELU, true, dx, g, x, by, f, c, n_rows);
        else
            back_rows(PRELU, false, dx, g, x, by, f, c, n_rows);
        break;
    case RELU:
        if (add)
            back_rows(RELU, true, dx, g, x, by, f, c, n_rows);
        else
            back_rows(RELU, false, dx, g, x, by, f, c, n_rows);
        break;
    }
}

static double *sums_of(const dpli_tape_step *s)
{
    return (double *)(void *)s->scratch;
}

static float *factors_of(const dpli_tape_step *s)
{
    return s->scratch + 2 * SUMS * (size_t)dpli_team_size(s->team) * (size_t)s->out->c;
}

/* Where the result goes and its gradient comes from: of what is behind, where that is joined. */
static const dpli_tensor *result_of(const dpli_tape_step *s)
{
    return s->joined ? s->joined->out : s->out;
}

/* Scale and slope lie behind the three factors of the way back. */
static channels channels_of(const dpli_tape_step *s)
{
    const batchnorm_state *state = s->state;
    const float *scale = factors_of(s) + 3 * (size_t)s->out->c;

    return (channels){s->kept, scale, s->param[2]->value,
                      state->behind == PRELU ? scale + s->out->c : scale};
}

static void moments_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    sum_moments(sums_of(s) + SUMS * c * (size_t)worker, s->in[0]->value + from * c, s->in[0]->value,
                c, to - from);
}

static void gradients_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const batchnorm_state *state = s->state;
    const channels by = channels_of(s);
    const size_t c = (size_t)s->out->c;

    sum_gradients(state->behind, sums_of(s) + SUMS * c * (size_t)worker,
                  result_of(s)->grad + from * c, s->in[0]->value + from * c, &by, c, to - from);
}

static void normalize_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const batchnorm_state *state = s->state;
    const channels by = channels_of(s);
    const size_t c = (size_t)s->out->c;

    (void)worker;
    normalize(state->behind, result_of(s)->value + from * c, s->in[0]->value + from * c, &by, c,
              to - from);
}

static void back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const batchnorm_state *state = s->state;
    const channels by = channels_of(s);
    const size_t c = (size_t)s->out->c;

    (void)worker;
    back(state->behind, s->in[0]->grad + from * c, result_of(s)->grad + from * c,
         s->in[0]->value + from * c, &by, factors_of(s), c, to - from, s->add[0]);
}

/* The workers' sums, in their order, in the first one's. */
static void sum_all(dpli_tape_step *s, size_t n_rows, void (*fn)(void *, int, size_t, size_t))
{
    const size_t n = SUMS * (size_t)s->out->c, size = (size_t)dpli_team_size(s->team);
    double *sum = sums_of(s);

    memset(sum, 0, size * n * sizeof *sum);
    dpli_team_run(s->team, n_rows, fn, s);
    for (size_t w = 1; w < size; w++) {
        for (size_t i = 0; i < n; i++)
            sum[i] += sum[w * n + i];
    }
}

/* The constants that neither the parameters nor kept hold as they are read: scale, and a slope a
 * channel. */
static void make_channels(const dpli_tape_step *s)
{
    const batchnorm_state *state = s->state;
    const size_t c = (size_t)s->out->c;
    const float *inverse = s->kept + c;
    float *scale = factors_of(s) + 3 * c, *slope = scale + c;

    for (size_t i = 0; i < c; i++)
        scale[i] = s->param[1]->value[i] * inverse[i];
    for (size_t i = 0; i < c && state->behind == PRELU; i++)
        slope[i] = s->joined->param[1]->value[s->joined->param[1]->n == 1 ? 0 : i];
}

static void forward_batchnorm(dpli_tape_step *s)
{
    const batchnorm_params *params = s->node->params;
    batchnorm_state *state = s->state;
    const size_t c = (size_t)s->out->c, n_rows = dpli_tensor_floats(s->out) / c;
    const double n = (double)n_rows, m = (double)params->momentum;
    float *mean = s->kept, *inverse = mean + c;
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
    }
    make_channels(s);
    dpli_team_run(s->team, n_rows, normalize_range, s);
}

/* The slopes' gradient, from the third sums. */
static void gather_slopes(const dpli_tape_step *s)
{
    const dpli_param *slope = s->joined->param[1];
    const size_t c = (size_t)s->out->c;
    const double *sum = sums_of(s) + 2 * c;
    double all = 0.0;

    for (size_t i = 0; i < c; i++) {
        all += sum[i];
        slope->grad[slope->n == 1 ? 0 : i] = (float)(slope->n == 1 ? all : sum[i]);
    }
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
    const bool slopes = state->behind == PRELU && s->joined->param[1]->grad;
    const bool sums = state->batch || s->param[1]->grad || s->param[2]->grad || slopes;

    make_channels(s);
    if (sums)
        sum_all(s, n_rows, gradients_range);
    if (slopes)
        gather_slopes(s);
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
