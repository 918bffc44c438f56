/*
 * pool.c - MaxPool, AveragePool, GlobalAveragePool (two dimensions).
 *
 * Source: ONNX MaxPool-12, AveragePool-11 with the divisor of a window that hangs over the padding
 * as in opset 19: only what lies within the padded picture counts.
 */
#include "net/ops/pool.h"

#include <string.h>

#include "net/kernels.h"
#include "net/ops/train.h"
#include "net/ops/window.h"
#include "net/place.h"

typedef struct pool_params {
    dpli_window window;
    int64_t count_include_pad;
} pool_params;

static dpl_status load_pool(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    pool_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    status = dpli_window_load(g, node, &params->window, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "ceil_mode", &params->window.ceil_mode, err);
    if (status != DPL_OK)
        return status;
    if (!params->window.has_kernel)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no kernel_shape");
    return DPL_OK;
}

static dpl_status load_maxpool(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t storage_order = 0;
    dpl_status status = load_pool(g, node, err);

    /* It says how the second output, refused elsewhere, counts. */
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "storage_order", &storage_order, err);
    return status;
}

static dpl_status load_averagepool(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_status status = load_pool(g, node, err);

    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "count_include_pad",
                               &((pool_params *)node->params)->count_include_pad, err);
    return status;
}

bool dpli_pool_take_pads(dpli_node *node, const int64_t pads[4])
{
    pool_params *params = node->params;
    const int64_t *own = params->window.pads;

    if (params->window.auto_pad == 1 || params->window.auto_pad == 2 || params->window.ceil_mode)
        return false;
    for (int32_t i = 0; i < 4; i++) {
        if (own[i] != 0 && !params->count_include_pad)
            return false;
        if (pads[i] < 0 || own[i] + pads[i] >= params->window.kernel[i % 2])
            return false;
    }
    for (int32_t i = 0; i < 4; i++)
        params->window.pads[i] += pads[i];
    params->window.auto_pad = 0;
    params->count_include_pad = 1;
    return true;
}

static void run_pool_part(const dpli_step *step, void *scratch, size_t from, size_t end)
{
    const dpli_link link = {.pool = step->params, .numbers = step->numbers};

    (void)scratch;
    dpli_chain_run_part(&link, 1, step->out, step->in[0], NULL, from, end);
}

static void run_pool(const dpli_step *step)
{
    run_pool_part(step, NULL, 0, step->n_pieces);
}

static void link_pool(const dpli_step *step, dpli_link *link)
{
    *link = (dpli_link){.pool = step->params, .numbers = step->numbers};
}

dpl_status dpli_plan_pool(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_pool *pool, const dpl_shape *shape, dpl_error *err)
{
    dpli_ref in, out;
    dpli_step *step;
    const bool narrow = x == dpli_plan_in(p, node, 0) && dpli_narrow_suits(p, node, 1);
    dpl_status status = narrow ? dpli_narrow_use(p, node, x, &in, err)
                               : dpli_plan_use(p, node, x, DPLI_NHWC, &in, err);

    if (status == DPL_OK)
        status = narrow ? dpli_narrow_out(p, node, 0, shape, &out, err)
                        : dpli_plan_out(p, node, 0, shape, DPLI_NHWC, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_pool, sizeof *pool, shape, err);
    if (!step)
        return DPL_E_MEMORY;
    step->link = link_pool;
    step->numbers = narrow ? dpli_plan_graph(p)->numbers : DPLI_FLOATS;
    *(dpli_pool *)step->params = *pool;
    if (narrow)
        ((dpli_pool *)step->params)->channels = dpli_narrow_channels(pool->channels);
    step->run_part = run_pool_part;
    step->n_pieces = dpli_chain_units(&(dpli_link){.pool = step->params}, 1);
    step->in_ref[0] = in;
    step->out_ref = out;
    step->macs = (double)dpli_shape_elements(shape) * pool->kernel_h * pool->kernel_w;
    return DPL_OK;
}

static dpl_status want_rank_4(dpli_planner *p, const dpli_node *node, dpli_planned **x,
                              dpl_error *err)
{
    dpl_status status = dpli_plan_float(p, node, 0, x, err);
    char words[DPLI_SHAPE_TEXT];

    if (status == DPL_OK && (*x)->shape.rank != 4)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "input of %s is not of rank 4", dpli_shape_text(&(*x)->shape, words));
    return status;
}

/* The geometry over a picture of shape, which becomes the result's. */
static dpl_status fit_windows(const dpli_graph *g, const dpli_node *node, dpli_pool_kind kind,
                              dpl_shape *shape, dpli_pool *pool, dpl_error *err)
{
    const pool_params *params = node->params;
    const dpli_window *w = &params->window;
    int64_t in[2] = {shape->dims[2], shape->dims[3]}, out[2], pads[4];
    dpl_status status = dpli_window_fit(g, node, w, in, out, pads, err);

    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < 2; i++) {
        /* A window of nothing but padding has no maximum and no mean. Without dilation, padding
         * smaller than the kernel is enough; with it, each window must be looked at. */
        bool empty = pads[i] >= w->kernel[i] * w->dilation[i] ||
                     pads[i + 2] >= w->kernel[i] * w->dilation[i];

        for (int64_t o = 0; !empty && w->dilation[i] > 1 && o < out[i]; o++) {
            int64_t first = o * w->stride[i] - pads[i], k = 0;

            if (first < 0)
                k = (-first + w->dilation[i] - 1) / w->dilation[i];
            empty = k >= w->kernel[i] || first + k * w->dilation[i] >= in[i];
        }
        if (empty ||
            (w->dilation[i] == 1 && (pads[i] >= w->kernel[i] || pads[i + 2] >= w->kernel[i])))
            return dpli_node_fail(g, node, DPL_E_ARGUMENT, err,
                                  "padding leaves windows without a pixel");
    }
    shape->dims[2] = out[0];
    shape->dims[3] = out[1];
    *pool = (dpli_pool){.kind = kind,
                        .n = (int32_t)shape->dims[0],
                        .in_h = (int32_t)in[0],
                        .in_w = (int32_t)in[1],
                        .channels = (int32_t)shape->dims[1],
                        .out_h = (int32_t)out[0],
                        .out_w = (int32_t)out[1],
                        .kernel_h = (int32_t)w->kernel[0],
                        .kernel_w = (int32_t)w->kernel[1],
                        .stride_h = (int32_t)w->stride[0],
                        .stride_w = (int32_t)w->stride[1],
                        .dilation_h = (int32_t)w->dilation[0],
                        .dilation_w = (int32_t)w->dilation[1],
                        .pad_top = (int32_t)pads[0],
                        .pad_left = (int32_t)pads[1],
                        .pad_bottom = (int32_t)pads[2],
                        .pad_right = (int32_t)pads[3],
                        .count_include_pad = params->count_include_pad != 0};
    return DPL_OK;
}

static dpl_status plan_windows(dpli_planner *p, const dpli_node *node, dpli_pool_kind kind,
                               dpl_error *err)
{
    dpli_pool pool;
    dpl_shape shape;
    dpli_planned *x;
    dpl_status status = want_rank_4(p, node, &x, err);

    if (status != DPL_OK)
        return status;
    shape = x->shape;
    status = fit_windows(dpli_plan_graph(p), node, kind, &shape, &pool, err);
    return status == DPL_OK ? dpli_plan_pool(p, node, x, &pool, &shape, err) : status;
}

static dpl_status plan_maxpool(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_windows(p, node, DPLI_POOL_MAX, err);
}

static dpl_status plan_averagepool(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_windows(p, node, DPLI_POOL_AVERAGE, err);
}

dpli_pool dpli_pool_whole(const dpl_shape *shape)
{
    return (dpli_pool){.kind = DPLI_POOL_AVERAGE,
                       .n = (int32_t)shape->dims[0],
                       .in_h = (int32_t)shape->dims[2],
                       .in_w = (int32_t)shape->dims[3],
                       .channels = (int32_t)shape->dims[1],
                       .out_h = 1,
                       .out_w = 1,
                       .kernel_h = (int32_t)shape->dims[2],
                       .kernel_w = (int32_t)shape->dims[3],
                       .stride_h = 1,
                       .stride_w = 1,
                       .dilation_h = 1,
                       .dilation_w = 1};
}

static dpl_status plan_global(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpl_shape shape;
    dpli_pool pool;
    dpli_planned *x;
    dpl_status status = want_rank_4(p, node, &x, err);

    if (status != DPL_OK)
        return status;
    shape = x->shape;
    pool = dpli_pool_whole(&shape);
    shape.dims[2] = shape.dims[3] = 1;
    return dpli_plan_pool(p, node, x, &pool, &shape, err);
}

/* ------------------------------------------------------------------ training */

static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpli_pool_kind kind,
                               dpl_error *err)
{
    dpl_status status = dpli_tape_need(g, s, 0, err);
    dpli_pool *pool = s->state;
    const dpli_tensor *x = s->in[0];
    dpl_shape shape;

    if (status != DPL_OK)
        return status;
    if (!x->picture)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "input is not of rank 4");
    shape = x->shape;
    status = fit_windows(g, s->node, kind, &shape, pool, err);
    if (status != DPL_OK)
        return status;
    dpli_tensor_shape(s->out, &shape);
    return DPL_OK;
}

static dpl_status plan_trained_max(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    return plan_trained(g, s, DPLI_POOL_MAX, err);
}

static dpl_status plan_trained_average(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    return plan_trained(g, s, DPLI_POOL_AVERAGE, err);
}

static dpl_status plan_trained_global(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    dpl_status status = dpli_tape_need(g, s, 0, err);
    const dpli_tensor *x = s->in[0];

    if (status != DPL_OK)
        return status;
    if (!x->picture)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "input is not of rank 4");
    *(dpli_pool *)s->state = dpli_pool_whole(&x->shape);
    dpli_tensor_shape(s->out, &(dpl_shape){4, {x->n, x->c, 1, 1}});
    return DPL_OK;
}

static void forward_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    dpli_pool pool = *(const dpli_pool *)s->state;

    (void)worker;
    pool.n = (int32_t)(to - from);
    dpli_pool2d_run(&pool, s->out->value + from * dpli_tensor_item(s->out),
                    s->in[0]->value + from * dpli_tensor_item(s->in[0]));
}

void dpli_train_pool_forward(dpli_tape_step *s)
{
    dpli_team_run(s->team, (size_t)s->out->n, forward_range, s);
}

/* The first of the four pixels a, b, c, d that is the maximum gets the gradient. */
DPLI_EACH_CPU(static, void, back_max4,
              (float *restrict da, float *restrict db, float *restrict dc, float *restrict dd,
               const float *restrict a, const float *restrict b, const float *restrict c,
               const float *restrict d, const float *restrict y, const float *restrict g, size_t n,
               bool add),
              (da, db, dc, dd, a, b, c, d, y, g, n, add))
{
#define TO_FIRST(op)                                                                               \
    for (size_t i = 0; i < n; i++) {                                                               \
        float left = g[i], t;                                                                      \
                                                                                                   \
        t = a[i] == y[i] ? left : 0.0f;                                                            \
        left = a[i] == y[i] ? 0.0f : left;                                                         \
        da[i] op t;                                                                                \
        t = b[i] == y[i] ? left : 0.0f;                                                            \
        left = b[i] == y[i] ? 0.0f : left;                                                         \
        db[i] op t;                                                                                \
        t = c[i] == y[i] ? left : 0.0f;                                                            \
        left = c[i] == y[i] ? 0.0f : left;                                                         \
        dc[i] op t;                                                                                \
        dd[i] op d[i] == y[i] ? left : 0.0f;                                                       \
    }
    if (add) {
        TO_FIRST(+=)
    } else {
        TO_FIRST(=)
    }
#undef TO_FIRST
}

/* One pixel of a window: what is left of the gradient goes to it where it is the maximum. */
DPLI_EACH_CPU(static, void, back_max1,
              (float *restrict dx, const float *restrict x, const float *restrict y,
               float *restrict left, size_t n),
              (dx, x, y, left, n))
{
    for (size_t i = 0; i < n; i++) {
        dx[i] += x[i] == y[i] ? left[i] : 0.0f;
        left[i] = x[i] == y[i] ? 0.0f : left[i];
    }
}

DPLI_EACH_CPU(static, void, back_mean1,
              (float *restrict dx, const float *restrict g, float share, size_t n),
              (dx, g, share, n))
{
    for (size_t i = 0; i < n; i++)
        dx[i] += g[i] * share;
}

/* How many of the taps from start lie in 0 .. size - 1. */
static int32_t taps_within(int64_t start, int32_t taps, int32_t dilation, int64_t size)
{
    int32_t n = 0;

    for (int32_t k = 0; k < taps; k++) {
        int64_t at = start + (int64_t)k * dilation;

        n += at >= 0 && at < size;
    }
    return n;
}

static float share_of(const dpli_pool *p, int64_t top, int64_t left)
{
    const bool pad = p->count_include_pad != 0;
    int32_t rows = taps_within(top + (pad ? p->pad_top : 0), p->kernel_h, p->dilation_h,
                               p->in_h + (pad ? (int64_t)p->pad_top + p->pad_bottom : 0));
    int32_t columns = taps_within(left + (pad ? p->pad_left : 0), p->kernel_w, p->dilation_w,
                                  p->in_w + (pad ? (int64_t)p->pad_left + p->pad_right : 0));

    return 1.0f / ((float)rows * (float)columns);
}

/* The pixel of the output at y, whose gradient at g is used up by a maximum. */
static void back_window(const dpli_pool *p, float *dx, const float *x, int64_t top, int64_t left,
                        const float *y, float *g)
{
    const size_t c = (size_t)p->channels;
    const float share = p->kind == DPLI_POOL_MAX ? 1.0f : share_of(p, top, left);

    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        int64_t iy = top + (int64_t)ky * p->dilation_h;

        for (int32_t kx = 0; iy >= 0 && iy < p->in_h && kx < p->kernel_w; kx++) {
            int64_t ix = left + (int64_t)kx * p->dilation_w;
            size_t at;

            if (ix < 0 || ix >= p->in_w)
                continue;
            at = ((size_t)iy * (size_t)p->in_w + (size_t)ix) * c;
            if (p->kind == DPLI_POOL_MAX)
                back_max1(dx + at, x + at, y, g, c);
            else
                back_mean1(dx + at, g, share, c);
        }
    }
}

/* One picture whose windows are 2x2 side by side, what networks pool by most: each pixel is written
 * once. */
static void back_side_by_side(const dpli_pool *p, float *dx, const float *x, const float *y,
                              const float *g, bool add)
{
    const size_t c = (size_t)p->channels, line = (size_t)p->in_w * c;
    const size_t used = 2 * (size_t)p->out_w * c;

    for (int32_t oy = 0; oy < p->out_h; oy++) {
        float *d0 = dx + 2 * (size_t)oy * line, *d1 = d0 + line;
        const float *x0 = x + 2 * (size_t)oy * line, *x1 = x0 + line;

        for (size_t at = 0; at < used; at += 2 * c, y += c, g += c)
            back_max4(d0 + at, d0 + at + c, d1 + at, d1 + at + c, x0 + at, x0 + at + c, x1 + at,
                      x1 + at + c, y, g, c, add);
        if (!add && used < line) {
            memset(d0 + used, 0, (line - used) * sizeof *d0);
            memset(d1 + used, 0, (line - used) * sizeof *d1);
        }
    }
    if (!add && 2 * p->out_h < p->in_h)
        memset(dx + 2 * (size_t)p->out_h * line, 0,
               (size_t)(p->in_h - 2 * p->out_h) * line * sizeof *dx);
}

static bool is_side_by_side(const dpli_pool *p)
{
    return p->kind == DPLI_POOL_MAX && p->kernel_h == 2 && p->kernel_w == 2 && p->stride_h == 2 &&
           p->stride_w == 2 && p->dilation_h == 1 && p->dilation_w == 1 && p->pad_top == 0 &&
           p->pad_left == 0 && 2 * p->out_h <= p->in_h && 2 * p->out_w <= p->in_w;
}

static void back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const dpli_pool *p = s->state;
    const size_t c = (size_t)p->channels, in = dpli_tensor_item(s->in[0]);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        float *dx = s->in[0]->grad + k * in, *g = s->out->grad + k * dpli_tensor_item(s->out);
        const float *x = s->in[0]->value + k * in;
        const float *y = s->out->value + k * dpli_tensor_item(s->out);

        if (is_side_by_side(p)) {
            back_side_by_side(p, dx, x, y, g, s->add[0]);
            continue;
        }
        if (!s->add[0])
            memset(dx, 0, in * sizeof *dx);
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            for (int32_t ox = 0; ox < p->out_w; ox++, y += c, g += c)
                back_window(p, dx, x, (int64_t)oy * p->stride_h - p->pad_top,
                            (int64_t)ox * p->stride_w - p->pad_left, y, g);
        }
    }
}

void dpli_train_pool_backward(dpli_tape_step *s)
{
    if (s->in[0]->grad)
        dpli_team_run(s->team, (size_t)s->out->n, back_range, s);
}

static const dpli_trained trained_max = {sizeof(dpli_pool), plan_trained_max,
                                         dpli_train_pool_forward, dpli_train_pool_backward};
static const dpli_trained trained_average = {sizeof(dpli_pool), plan_trained_average,
                                             dpli_train_pool_forward, dpli_train_pool_backward};
static const dpli_trained trained_global = {sizeof(dpli_pool), plan_trained_global,
                                            dpli_train_pool_forward, dpli_train_pool_backward};

const dpli_op dpli_ops_pool[] = {
    {"MaxPool", DPLI_ROLE_POOL, 1, 1, 1, false, load_maxpool, NULL, plan_maxpool, &trained_max},
    {"AveragePool", DPLI_ROLE_MEAN, 1, 1, 1, false, load_averagepool, NULL, plan_averagepool,
     &trained_average},
    {"GlobalAveragePool", DPLI_ROLE_POOL, 1, 1, 1, false, NULL, NULL, plan_global, &trained_global},
    {0},
};
