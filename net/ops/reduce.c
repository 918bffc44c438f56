/*
 * reduce.c - ReduceMean, ReduceSum, ReduceL2 and ArgMax of floats, ReduceSum and ArgMax of
 * integers.
 *
 * Sums are taken in double: a mean over a whole picture has 10^5 terms and more.
 * Source: ONNX ReduceMean-18, ReduceSum-13, ReduceL2-18, ArgMax-13.
 */
#include "net/ops/reduce.h"

#include <math.h>
#include <string.h>

#include "net/ops/axes.h"
#include "net/ops/binary.h"
#include "net/ops/pool.h"
#include "net/ops/train.h"
#include "net/planner.h"

typedef enum reduce_kind { REDUCE_MEAN, REDUCE_SUM, REDUCE_L2 } reduce_kind;

typedef struct reduce_params {
    int64_t axes[DPL_MAX_RANK];
    int32_t n_axes; /* -1: not given */
    int64_t keep_dims, noop_when_empty;
} reduce_params;

typedef struct reduce_step {
    reduce_kind kind;
    /* The dimensions that stay, in the order of the result's memory, and those that go. */
    int32_t n_kept, n_gone;
    int64_t kept[DPL_MAX_RANK], kept_step[DPL_MAX_RANK];
    int64_t gone[DPL_MAX_RANK], gone_step[DPL_MAX_RANK];
    double count;
} reduce_step;

static dpl_status load_reduce(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    reduce_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->n_axes = -1;
    params->keep_dims = 1;
    status = dpli_attr_ints(g, node, "axes", params->axes, DPL_MAX_RANK, &params->n_axes, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "keepdims", &params->keep_dims, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "noop_with_empty_axes", &params->noop_when_empty, err);
    return status;
}

/* The next index below dims, moving *at by steps; false after the last. */
static bool advance(int32_t n, const int64_t *dims, const int64_t *steps, int64_t *index,
                    int64_t *at)
{
    for (int32_t i = n - 1; i >= 0; i--) {
        *at += steps[i];
        if (++index[i] < dims[i])
            return true;
        *at -= steps[i] * dims[i];
        index[i] = 0;
    }
    return false;
}

static void run_reduce(const dpli_step *step)
{
    const reduce_step *s = step->params;
    int64_t kept_index[DPL_MAX_RANK] = {0}, at = 0;
    const float *in = step->in[0];
    float *y = step->out;

    do {
        int64_t gone_index[DPL_MAX_RANK] = {0}, from = at;
        double sum = 0.0;

        do {
            double x = (double)in[from];

            sum += s->kind == REDUCE_L2 ? x * x : x;
        } while (advance(s->n_gone, s->gone, s->gone_step, gone_index, &from));
        *y++ = (float)(s->kind == REDUCE_MEAN ? sum / s->count
                       : s->kind == REDUCE_L2 ? sqrt(sum)
                                              : sum);
    } while (advance(s->n_kept, s->kept, s->kept_step, kept_index, &at));
}

static void run_int_sum(const dpli_step *step)
{
    const reduce_step *s = step->params;
    int64_t kept_index[DPL_MAX_RANK] = {0}, at = 0;
    const int64_t *in = step->in[0];
    int64_t *y = step->out;

    do {
        int64_t gone_index[DPL_MAX_RANK] = {0}, from = at;
        uint64_t sum = 0; /* wraps, as ONNX's integers do */

        do {
            sum += (uint64_t)in[from];
        } while (advance(s->n_gone, s->gone, s->gone_step, gone_index, &from));
        *y++ = (int64_t)sum;
    } while (advance(s->n_kept, s->kept, s->kept_step, kept_index, &at));
}

static dpl_status axes_of(dpli_planner *p, const dpli_node *node, int32_t rank, uint32_t *mask,
                          bool *none, dpl_error *err)
{
    const reduce_params *params = node->params;
    const int64_t *axes = params->axes;
    int64_t n = params->n_axes;

    if (dpli_plan_in(p, node, 1)) {
        dpl_status status = dpli_plan_ints(p, node, 1, &axes, &n, err);

        if (status != DPL_OK)
            return status;
    }
    *none = n <= 0;
    return dpli_axes_mask(p, node, axes, n, rank, mask, err);
}

static dpl_status plan_kind(dpli_planner *p, const dpli_node *node, reduce_kind kind,
                            dpl_error *err)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    const reduce_params *params = node->params;
    int64_t strides[DPL_MAX_RANK];
    dpl_shape shape = {0};
    dpli_planned *x;
    dpli_order order;
    dpli_ref in, out;
    dpli_step *step;
    reduce_step *s;
    uint32_t mask;
    bool none;
    int64_t count = 1;
    dpl_status status = DPL_OK;

    x = dpli_plan_in(p, node, 0);
    if (kind != REDUCE_SUM || x->type != DPLI_I64 || dpli_shape_elements(&x->shape) < 1)
        status = dpli_plan_float(p, node, 0, &x, err);

    if (status == DPL_OK)
        status = axes_of(p, node, x->shape.rank, &mask, &none, err);
    if (status != DPL_OK)
        return status;
    if (none && params->noop_when_empty)
        return dpli_plan_alias(p, node, 0, x, dpli_plan_order(x), &x->shape, dpli_plan_order(x),
                               err);
    if (none)
        mask = (1u << x->shape.rank) - 1;
    for (int32_t i = 0; i < x->shape.rank; i++) {
        if (mask >> i & 1)
            count *= x->shape.dims[i];
        if (!(mask >> i & 1) || params->keep_dims)
            shape.dims[shape.rank++] = mask >> i & 1 ? 1 : x->shape.dims[i];
    }
    /* Over height and width of a picture it is pooling. */
    if (kind == REDUCE_MEAN && x->shape.rank == 4 && mask == 0xc && params->keep_dims &&
        dpli_plan_order(x) == DPLI_NHWC) {
        dpli_pool pool = dpli_pool_whole(&x->shape);

        return dpli_plan_pool(p, node, x, &pool, &shape, err);
    }
    /* So is the mean of a sentence, but it is no link of a chain of pictures. */
    if (kind == REDUCE_MEAN && x->shape.rank == 3 && mask == 0x2) {
        dpli_pool pool = dpli_pool_whole(
            &(dpl_shape){4, {x->shape.dims[0], x->shape.dims[2], 1, x->shape.dims[1]}});

        status = dpli_plan_pool(p, node, x, &pool, &shape, err);
        if (status == DPL_OK)
            p->steps[p->n_steps - 1].link = NULL;
        return status;
    }
    order = shape.rank == 4 && x->shape.rank == 4 ? dpli_plan_order(x) : DPLI_PLAIN;
    status = dpli_plan_use(p, node, x, dpli_plan_order(x), &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out_of(p, node, 0, x->type, &shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, x->type == DPLI_I64 ? run_int_sum : run_reduce, sizeof *s,
                          &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->kind = kind;
    s->count = (double)count;
    dpli_strides(&x->shape, dpli_plan_order(x), strides);
    for (int32_t i = 0; i < x->shape.rank; i++) {
        int32_t d = order == DPLI_NHWC ? nhwc[i] : i;

        if (mask >> d & 1) {
            s->gone[s->n_gone] = x->shape.dims[d];
            s->gone_step[s->n_gone++] = strides[d];
        } else {
            s->kept[s->n_kept] = x->shape.dims[d];
            s->kept_step[s->n_kept++] = strides[d];
        }
    }
    step->macs = (double)dpli_shape_elements(&x->shape);
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_mean(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_kind(p, node, REDUCE_MEAN, err);
}

static dpl_status plan_sum(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_kind(p, node, REDUCE_SUM, err);
}

static dpl_status plan_l2(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_kind(p, node, REDUCE_L2, err);
}

/* ------------------------------------------------------------------ ArgMax */

typedef struct arg_params {
    int64_t axis, keep_dims, last;
} arg_params;

/* n values stride apart, for each of outer * stride places. */
typedef struct arg_step {
    int64_t outer, n, stride;
    dpli_type type;
    bool last;
} arg_step;

static dpl_status load_argmax(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    arg_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->keep_dims = 1;
    status = dpli_attr_int(g, node, "axis", &params->axis, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "keepdims", &params->keep_dims, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "select_last_index", &params->last, err);
    return status;
}

#define ARGMAX(type)                                                                               \
    static int64_t argmax_##type(const type *x, const arg_step *s)                                 \
    {                                                                                              \
        int64_t best = 0;                                                                          \
                                                                                                   \
        for (int64_t i = 1; i < s->n; i++) {                                                       \
            if (x[i * s->stride] > x[best * s->stride] ||                                          \
                (s->last && x[i * s->stride] == x[best * s->stride]))                              \
                best = i;                                                                          \
        }                                                                                          \
        return best;                                                                               \
    }

ARGMAX(float)
ARGMAX(int64_t)

static void run_argmax(const dpli_step *step)
{
    const arg_step *s = step->params;
    int64_t *y = step->out;

    for (int64_t o = 0; o < s->outer * s->stride; o++) {
        const int64_t at = o / s->stride * s->stride * s->n + o % s->stride;

        y[o] = s->type == DPLI_F32 ? argmax_float((const float *)step->in[0] + at, s)
                                   : argmax_int64_t((const int64_t *)step->in[0] + at, s);
    }
}

static dpl_status plan_argmax(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const arg_params *params = node->params;
    dpli_planned *x = dpli_plan_in(p, node, 0);
    arg_step s = {.outer = 1, .stride = 1, .type = x->type, .last = params->last != 0};
    int64_t axis = params->axis;
    dpl_shape shape = {0};
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status;

    if (!dpli_axis(&axis, x->shape.rank) || dpli_shape_elements(&x->shape) < 1)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "axis %lld does not fit rank %d, or input 0 is empty",
                              (long long)params->axis, (int)x->shape.rank);
    for (int32_t i = 0; i < x->shape.rank; i++) {
        s.outer *= i < axis ? x->shape.dims[i] : 1;
        s.stride *= i > axis ? x->shape.dims[i] : 1;
        if (i != axis || params->keep_dims)
            shape.dims[shape.rank++] = i == axis ? 1 : x->shape.dims[i];
    }
    s.n = x->shape.dims[axis];
    status = dpli_plan_use(p, node, x, DPLI_PLAIN, &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out_of(p, node, 0, DPLI_I64, &shape, DPLI_PLAIN, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_argmax, sizeof s, &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    memcpy(step->params, &s, sizeof s);
    step->macs = (double)dpli_shape_elements(&x->shape);
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

/* ------------------------------------------------------------------ training */

/* The mean over height and width of pictures, and that of a sentence, over the middle dimension of
 * three, are pooling. All other sums and means go an element at a time; never over the batch. */
typedef struct trained_state {
    dpli_pool pool;   /* first: what pooling takes for its state */
    dpli_items items; /* by the input, by the result */
    bool pools;
    float scale;
} trained_state;

static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const reduce_params *params = s->node->params;
    const dpli_value *given = dpli_graph_input(g, s->node, 1);
    const bool mean = s->node->op->plan == plan_mean;
    trained_state *state = s->state;
    const dpli_tensor *x = s->in[0];
    const int64_t *axes = params->axes;
    int64_t n = params->n_axes, own[DPL_MAX_RANK], strides[2][DPL_MAX_RANK];
    int32_t batch_axis = 0, at = 0;
    double count = 1.0;
    uint32_t mask = 0;
    bool fits = true;
    dpl_shape shape = {0};
    dpl_status status = mean ? dpli_tape_need(g, s, 0, err) : dpli_train_need_any(g, s, err);

    if (status != DPL_OK)
        return status;
    if (given) {
        n = given->data && given->type == DPLI_I64 ? dpli_shape_elements(&given->shape) : -1;
        axes = given->data;
    }
    for (int64_t i = 0; i < n && fits; i++) {
        int64_t axis = axes[i];

        fits = dpli_axis(&axis, x->shape.rank) && !(mask >> axis & 1) && axis != x->batch_axis;
        mask |= fits ? 1u << axis : 0;
    }
    if (!fits || mask == 0)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained over constant axes that are not the batch");
    for (int32_t i = 0; i < x->shape.rank; i++) {
        const bool gone = mask >> i & 1;

        batch_axis = i == x->batch_axis ? shape.rank : batch_axis;
        count *= gone ? (double)x->shape.dims[i] : 1.0;
        if (!gone || params->keep_dims)
            shape.dims[shape.rank++] = gone ? 1 : x->shape.dims[i];
    }
    state->scale = mean ? (float)(1.0 / count) : 1.0f;
    state->pools = mean && x->batch_axis == 0 &&
                   ((x->picture && mask == 0xc) || (x->shape.rank == 3 && mask == 0x2));
    if (state->pools)
        state->pool = dpli_pool_whole(&(dpl_shape){4, {x->n, x->c, x->h, x->w}});
    if (!(x->picture && shape.rank == 4 ? dpli_tensor_shape(s->out, &shape)
                                        : dpli_tensor_shape_at(s->out, &shape, batch_axis)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    s->out->type = x->type;
    dpli_tensor_strides(x, strides[0]);
    dpli_tensor_strides(s->out, own);
    for (int32_t i = 0; i < x->shape.rank; i++) {
        strides[1][i] = mask >> i & 1 ? 0 : own[at];
        at += !(mask >> i & 1) || params->keep_dims;
    }
    dpli_items_make(&state->items, x, 2, (const int64_t(*)[DPL_MAX_RANK])strides);
    return DPL_OK;
}

static void sum_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const trained_state *state = s->state;
    const dpli_walk *w = &state->items.walk;
    const int64_t n = dpli_walk_row(w), sx = dpli_walk_step(w, 0), sy = dpli_walk_step(w, 1);
    const size_t item = dpli_tensor_item(s->out);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const float *x = s->in[0]->value + (int64_t)k * state->items.batch[0];
        float *y = s->out->value + k * item;
        dpli_place at = {0};

        memset(y, 0, item * sizeof *y);
        do {
            for (int64_t i = 0; i < n; i++)
                y[at.at[1] + i * sy] += x[at.at[0] + i * sx];
        } while (dpli_walk_next(w, &at));
        for (size_t i = 0; i < item; i++)
            y[i] *= state->scale;
    }
}

static void int_sum_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const trained_state *state = s->state;
    const dpli_walk *w = &state->items.walk;
    const int64_t n = dpli_walk_row(w), sx = dpli_walk_step(w, 0), sy = dpli_walk_step(w, 1);
    const size_t item = dpli_tensor_item(s->out);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const int64_t *x = s->in[0]->ids + (int64_t)k * state->items.batch[0];
        int64_t *y = s->out->ids + k * item;
        dpli_place at = {0};

        memset(y, 0, item * sizeof *y);
        do {
            for (int64_t i = 0; i < n; i++)
                y[at.at[1] + i * sy] =
                    (int64_t)((uint64_t)y[at.at[1] + i * sy] + (uint64_t)x[at.at[0] + i * sx]);
        } while (dpli_walk_next(w, &at));
    }
}

static void spread_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const trained_state *state = s->state;
    const dpli_walk *w = &state->items.walk;
    const int64_t n = dpli_walk_row(w), sx = dpli_walk_step(w, 0), sy = dpli_walk_step(w, 1);
    const size_t item = dpli_tensor_item(s->out);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const float *dy = s->out->grad + k * item;
        float *dx = s->in[0]->grad + (int64_t)k * state->items.batch[0];
        dpli_place at = {0};

        do {
            for (int64_t i = 0; i < n; i++) {
                float *x = &dx[at.at[0] + i * sx];

                *x = (s->add[0] ? *x : 0.0f) + dy[at.at[1] + i * sy] * state->scale;
            }
        } while (dpli_walk_next(w, &at));
    }
}

static void forward_sum(dpli_tape_step *s)
{
    const trained_state *state = s->state;

    if (state->pools)
        dpli_train_pool_forward(s);
    else
        dpli_team_run(s->team, (size_t)s->out->n,
                      s->out->type == DPLI_I64 ? int_sum_range : sum_range, s);
}

static void backward_sum(dpli_tape_step *s)
{
    const trained_state *state = s->state;

    if (state->pools)
        dpli_train_pool_backward(s);
    else if (s->in[0]->grad)
        dpli_team_run(s->team, (size_t)s->out->n, spread_range, s);
}

static const dpli_trained trained = {sizeof(trained_state), plan_trained, forward_sum,
                                     backward_sum};

const dpli_op dpli_ops_reduce[] = {
    {"ReduceMean", DPLI_ROLE_OTHER, 1, 2, 1, false, load_reduce, NULL, plan_mean, &trained},
    {"ReduceSum", DPLI_ROLE_OTHER, 1, 2, 1, false, load_reduce, NULL, plan_sum, &trained},
    {"ArgMax", DPLI_ROLE_OTHER, 1, 1, 1, false, load_argmax, NULL, plan_argmax, NULL},
    {"ReduceL2", DPLI_ROLE_LENGTH, 1, 2, 1, false, load_reduce, NULL, plan_l2, NULL},
    {0},
};
