/*
 * conv_train.c - Conv forward for training, and its gradients.
 *
 *     dx[n, j, i] = sum_{o, k} dy[n, (j + pad - k) / stride, o] w[o, i, k]
 *     dw[o, i, k] = sum_{n, a} dy[n, a, o] x[n, a stride + k - pad, i]
 *     db[o]       = sum_{n, a} dy[n, a, o]
 *
 * Forward is the engine's own convolution (conv.c), with weights packed anew each step. With stride
 * 1 so is dx, a convolution of dy with the kernel turned round; with larger strides its taps are
 * one product, added up where they belong. dw is a product over the positions of tiles of unfolded
 * input. Large kernels go through net/ops/spectral.h instead.
 *
 * In bfloat16 (dpli_tape_options) all three are such products, of the pictures as they lie or of
 * tiles; a depthwise convolution, which is none, stays as it is.
 */
#include "net/ops/conv_train.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "net/ops/conv_shape.h"
#include "net/ops/spectral.h"
#include "net/ops/train.h"

/* Floats of unfolded input at a time: with the product's other operands it stays in the L2 cache.
 */
#define TILE_FLOATS 98304

typedef enum how { DIRECT, DEPTHWISE, SPECTRAL } how;

typedef struct conv_state {
    dpli_conv conv;   /* n is the batch */
    dpli_conv turned; /* dx from dy, where that is a convolution */
    bool is_turned;
    how how;
    dpli_spectral *spectral;
    /* Floats of scratch: weights in another order, packed or not; then each worker's own. */
    size_t weight_floats, worker_floats;
    size_t product_at; /* in a worker's */
    /* For the job at hand. */
    dpli_tape_step *s;
} conv_state;

static size_t group_in(const dpli_conv *c)
{
    return (size_t)(c->in_c / c->groups);
}

static size_t group_out(const dpli_conv *c)
{
    return (size_t)(c->out_c / c->groups);
}

static size_t taps(const dpli_conv *c)
{
    return (size_t)c->kernel_h * (size_t)c->kernel_w;
}

/* Floats of one row of unfolded input: what a group's output reads. */
static size_t row_floats(const dpli_conv *c)
{
    return taps(c) * group_in(c);
}

/* Output lines that are unfolded at a time. */
static int32_t tile_lines(const dpli_conv *c)
{
    size_t line = (size_t)c->out_w * row_floats(c);
    size_t lines = TILE_FLOATS / (line ? line : 1);

    return lines < 1 ? 1 : lines > (size_t)c->out_h ? c->out_h : (int32_t)lines;
}

static size_t round_up(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* ------------------------------------------------------------------ planning */

static dpli_conv turn_round(const dpli_conv *c)
{
    dpli_conv t = *c;

    t.in_h = c->out_h;
    t.in_w = c->out_w;
    t.in_c = c->out_c;
    t.out_h = c->in_h;
    t.out_w = c->in_w;
    t.out_c = c->in_c;
    t.pad_top = (c->kernel_h - 1) * c->dilation_h - c->pad_top;
    t.pad_left = (c->kernel_w - 1) * c->dilation_w - c->pad_left;
    return t;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void plan_scratch(conv_state *state, dpli_tape_step *s)
{
    const dpli_conv *c = &state->conv;
    const size_t weights = (size_t)c->out_c * row_floats(c);
    /* Backward: sums of db in double, dw, and a tile. */
    size_t own = 2 * (size_t)c->out_c + 16 + round_up(weights) +
                 (size_t)tile_lines(c) * (size_t)c->out_w * row_floats(c);

    state->weight_floats = larger(round_up(dpli_conv_packed_floats(c)), round_up(weights));
    own = larger(own, dpli_conv_scratch_bytes(c) / sizeof(float));
    if (state->is_turned) {
        state->weight_floats =
            larger(state->weight_floats,
                   round_up(dpli_conv_packed_floats(&state->turned)) + round_up(weights));
        own = larger(own, dpli_conv_scratch_bytes(&state->turned) / sizeof(float));
    }
    state->product_at = round_up(own);
    state->worker_floats = state->product_at + dpli_train_product_floats(s);
    s->scratch_floats =
        state->weight_floats + (size_t)dpli_team_size(s->team) * state->worker_floats;
    if (state->how != SPECTRAL)
        return;
    s->kept_floats = dpli_spectral_kept_floats(state->spectral);
    s->scratch_floats = larger(
        s->scratch_floats, dpli_spectral_scratch_floats(state->spectral, dpli_team_size(s->team)));
}

static dpl_status plan(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    conv_state *state;
    const dpli_tensor *x = s->in[0];
    dpl_shape shape;
    dpli_conv c;
    size_t taps_in, taps_out;
    dpl_status status = dpli_tape_need(g, s, 0, err);

    if (status != DPL_OK)
        return status;
    shape = x->shape;
    if (shape.rank == 4 && !x->picture)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "input is no picture");
    status = dpli_conv_check(g, s->node, err);
    if (status == DPL_OK)
        status = dpli_conv_fit(g, s->node, &c, &shape, err);
    if (status != DPL_OK)
        return status;
    taps_in = row_floats(&c);
    taps_out = taps(&c) * group_out(&c);
    status = dpli_tape_claim(g, s, 1, DPLI_PARAM_CONV, taps_in, taps_out, err);
    if (status == DPL_OK && s->n_in > 2 && s->param[2])
        status = dpli_tape_claim(g, s, 2, DPLI_PARAM_BIAS, 0, 0, err);
    if (status != DPL_OK)
        return status;
    dpli_tensor_shape(s->out, &(dpl_shape){4, {x->n, c.out_c, c.out_h, c.out_w}});
    state = s->state;
    state->how = c.groups > 1 && c.groups == c.in_c && c.in_c == c.out_c ? DEPTHWISE
                 : dpli_spectral_pays(&c)                                ? SPECTRAL
                                                                         : DIRECT;
    if (state->how == SPECTRAL) {
        const size_t head = (sizeof *state + 15) / 16 * 16;
        char *grown = dpli_realloc(s->state, head + dpli_spectral_bytes(&c), 1, err);

        if (!grown)
            return DPL_E_MEMORY;
        s->state = state = (conv_state *)(void *)grown;
        state->spectral = dpli_spectral_init(grown + head, &c);
    }
    state->conv = c;
    state->turned = turn_round(&c);
    state->is_turned = c.stride_h == 1 && c.stride_w == 1 && state->turned.pad_top >= 0 &&
                       state->turned.pad_left >= 0;
    plan_scratch(state, s);
    return DPL_OK;
}

/* ------------------------------------------------------------------ forward */

static float *worker_scratch(const conv_state *state, int worker)
{
    return state->s->scratch + state->weight_floats + (size_t)worker * state->worker_floats;
}

static void product(const conv_state *state, int worker, const dpli_product *p)
{
    dpli_train_product(state->s, p, worker_scratch(state, worker) + state->product_at);
}

/* Whether the input, as it lies, is the matrix. */
static bool is_itself(const dpli_conv *c)
{
    return taps(c) == 1 && c->groups == 1 && c->stride_h == 1 && c->stride_w == 1 &&
           c->out_h == c->in_h && c->out_w == c->in_w;
}

static const float *bias_of(const dpli_tape_step *s)
{
    return s->n_in > 2 && s->param[2] ? s->param[2]->value : NULL;
}

static void forward_part(void *ctx, int worker, size_t from, size_t to)
{
    const conv_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const dpli_epilogue epilogue = {.bias = bias_of(s)};
    dpli_conv c = state->conv;

    c.n = (int32_t)(to - from);
    dpli_conv_run(&c, s->out->value + from * dpli_tensor_item(s->out),
                  s->in[0]->value + from * dpli_tensor_item(s->in[0]), s->scratch, &epilogue,
                  worker_scratch(state, worker));
}

static void bias_part(void *ctx, int worker, size_t from, size_t to)
{
    const conv_state *state = ctx;
    const dpli_epilogue epilogue = {.bias = bias_of(state->s)};
    const size_t c = (size_t)state->conv.out_c;

    (void)worker;
    dpli_epilogue_run(&epilogue, state->s->out->value + from * c, to - from, c);
}

/* ------------------------------------------------------------------ unfolded input */

/* Where window (y, x) begins in a picture, before padding is taken off. */
static int32_t line_of(const dpli_conv *c, int32_t y, int32_t ky)
{
    return y * c->stride_h + ky * c->dilation_h - c->pad_top;
}

static int32_t column_of(const dpli_conv *c, int32_t x, int32_t kx)
{
    return x * c->stride_w + kx * c->dilation_w - c->pad_left;
}

/* rows [lines, out_w, kernel_h, kernel_w, channels of the group] of the picture at in. */
static void unfold(const dpli_conv *c, float *rows, const float *in, int32_t group, int32_t from,
                   int32_t lines)
{
    const size_t channels = group_in(c), in_c = (size_t)c->in_c;
    const bool is_whole = c->groups == 1 && c->dilation_w == 1;

    in += (size_t)group * channels;
    for (int32_t y = from; y < from + lines; y++) {
        for (int32_t x = 0; x < c->out_w; x++) {
            const int32_t left = column_of(c, x, 0);

            for (int32_t ky = 0; ky < c->kernel_h; ky++) {
                const int32_t at_y = line_of(c, y, ky);
                const bool is_in = at_y >= 0 && at_y < c->in_h;

                if (is_in && is_whole && left >= 0 && left + c->kernel_w <= c->in_w) {
                    memcpy(rows, in + ((size_t)at_y * (size_t)c->in_w + (size_t)left) * in_c,
                           (size_t)c->kernel_w * channels * sizeof *rows);
                    rows += (size_t)c->kernel_w * channels;
                    continue;
                }
                for (int32_t kx = 0; kx < c->kernel_w; kx++, rows += channels) {
                    const int32_t at_x = column_of(c, x, kx);

                    if (is_in && at_x >= 0 && at_x < c->in_w)
                        memcpy(rows, in + ((size_t)at_y * (size_t)c->in_w + (size_t)at_x) * in_c,
                               channels * sizeof *rows);
                    else
                        memset(rows, 0, channels * sizeof *rows);
                }
            }
        }
    }
}

/* The way back: rows added up where they were taken from. */
static void fold(const dpli_conv *c, float *in, const float *rows, int32_t group, int32_t from,
                 int32_t lines)
{
    const size_t channels = group_in(c), in_c = (size_t)c->in_c;

    in += (size_t)group * channels;
    for (int32_t y = from; y < from + lines; y++) {
        for (int32_t x = 0; x < c->out_w; x++) {
            for (int32_t ky = 0; ky < c->kernel_h; ky++) {
                const int32_t at_y = line_of(c, y, ky);

                for (int32_t kx = 0; kx < c->kernel_w; kx++, rows += channels) {
                    const int32_t at_x = column_of(c, x, kx);
                    float *to;

                    if (at_y < 0 || at_y >= c->in_h || at_x < 0 || at_x >= c->in_w)
                        continue;
                    to = in + ((size_t)at_y * (size_t)c->in_w + (size_t)at_x) * in_c;
                    for (size_t i = 0; i < channels; i++)
                        to[i] += rows[i];
                }
            }
        }
    }
}

/* ------------------------------------------------------------------ forward, run */

/* w[o, i, k] as w[o, k, i]. */
static void order_weight(const dpli_conv *c, float *ordered, const float *weight)
{
    const size_t in = group_in(c), k = taps(c);

    for (size_t o = 0; o < (size_t)c->out_c; o++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t j = 0; j < k; j++)
                ordered[(o * k + j) * in + i] = weight[(o * in + i) * k + j];
        }
    }
}

/* Whether the step's products are of bfloat16. */
static bool is_narrow(const conv_state *state)
{
    return state->s->narrow && state->how == DIRECT;
}

static void narrow_part(void *ctx, int worker, size_t from, size_t to)
{
    const conv_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;
    const size_t row = row_floats(c), out = group_out(c), out_c = (size_t)c->out_c;
    const size_t item = dpli_tensor_item(s->out), in_item = dpli_tensor_item(s->in[0]);
    const int32_t lines = tile_lines(c);
    float *tile = worker_scratch(state, worker);

    if (is_itself(c)) {
        product(state, worker,
                &(dpli_product){.trans_b = true,
                                .m = (to - from) * item / out_c,
                                .n = out_c,
                                .k = row,
                                .a = s->in[0]->value + from * in_item,
                                .lda = row,
                                .b = s->scratch,
                                .ldb = row,
                                .c = s->out->value + from * item,
                                .ldc = out_c});
        return;
    }
    for (size_t n = from; n < to; n++) {
        for (int32_t g = 0; g < c->groups; g++) {
            for (int32_t y = 0; y < c->out_h; y += lines) {
                const int32_t n_lines = c->out_h - y < lines ? c->out_h - y : lines;

                unfold(c, tile, s->in[0]->value + n * in_item, g, y, n_lines);
                product(state, worker,
                        &(dpli_product){.trans_b = true,
                                        .m = (size_t)n_lines * (size_t)c->out_w,
                                        .n = out,
                                        .k = row,
                                        .a = tile,
                                        .lda = row,
                                        .b = s->scratch + (size_t)g * out * row,
                                        .ldb = row,
                                        .c = s->out->value + n * item +
                                             (size_t)y * (size_t)c->out_w * out_c + (size_t)g * out,
                                        .ldc = out_c});
            }
        }
    }
}

static void forward(dpli_tape_step *s)
{
    conv_state *state = s->state;
    const dpli_tensor *out = s->out;

    state->s = s;
    if (state->how == SPECTRAL) {
        dpli_spectral_forward(state->spectral, s->team, out->n, out->value, s->in[0]->value,
                              s->param[1]->value, s->kept, s->scratch);
        if (bias_of(s))
            dpli_team_run(s->team, dpli_tensor_floats(out) / (size_t)out->c, bias_part, state);
        return;
    }
    if (is_narrow(state)) {
        order_weight(&state->conv, s->scratch, s->param[1]->value);
        dpli_team_run(s->team, (size_t)out->n, narrow_part, state);
        if (bias_of(s))
            dpli_team_run(s->team, dpli_tensor_floats(out) / (size_t)out->c, bias_part, state);
        return;
    }
    dpli_conv_pack(s->scratch, &state->conv, s->param[1]->value);
    dpli_team_run(s->team, (size_t)out->n, forward_part, state);
}

/* ------------------------------------------------------------------ gradient of the input */

/* w[o, i, k] as w[i, o, -k], by group. */
static void turn_weight(const dpli_conv *c, float *turned, const float *weight)
{
    const size_t in = group_in(c), out = group_out(c), k = taps(c);

    for (size_t g = 0; g < (size_t)c->groups; g++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t o = 0; o < out; o++) {
                const float *from = weight + ((g * out + o) * in + i) * k;
                float *to = turned + ((g * in + i) * out + o) * k;

                for (size_t j = 0; j < k; j++)
                    to[j] = from[k - 1 - j];
            }
        }
    }
}

static void turned_part(void *ctx, int worker, size_t from, size_t to)
{
    const conv_state *state = ctx;
    const dpli_tape_step *s = state->s;
    float *dx = s->in[0]->grad + from * dpli_tensor_item(s->in[0]);
    const dpli_epilogue epilogue = {.after = s->add[0] ? dx : NULL};
    dpli_conv c = state->turned;

    c.n = (int32_t)(to - from);
    dpli_conv_run(&c, dx, s->out->grad + from * dpli_tensor_item(s->out), s->scratch, &epilogue,
                  worker_scratch(state, worker));
}

/* out[i] += a[i] * b[i], the loop of everything depthwise. */
DPLI_EACH_CPU(static, void, add_product,
              (float *restrict out, const float *restrict a, const float *restrict b, size_t n),
              (out, a, b, n))
{
    for (size_t i = 0; i < n; i++)
        out[i] += a[i] * b[i];
}

/* One picture, depthwise: dw += dy x where dw is wanted, else dx += dy w, the weight lying in the
 * scratch as [taps, channels]. */
static void depthwise_picture(const conv_state *state, size_t picture, float *dw)
{
    const dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;
    const size_t channels = (size_t)c->in_c, before = picture * dpli_tensor_item(s->in[0]);
    const float *dy = s->out->grad + picture * dpli_tensor_item(s->out);

    for (int32_t y = 0; y < c->out_h; y++) {
        for (int32_t x = 0; x < c->out_w; x++, dy += channels) {
            for (int32_t k = 0; k < c->kernel_h * c->kernel_w; k++) {
                const int32_t at_y = line_of(c, y, k / c->kernel_w);
                const int32_t at_x = column_of(c, x, k % c->kernel_w);
                const size_t tap = (size_t)k * channels;
                size_t at;

                if (at_y < 0 || at_y >= c->in_h || at_x < 0 || at_x >= c->in_w)
                    continue;
                at = before + ((size_t)at_y * (size_t)c->in_w + (size_t)at_x) * channels;
                if (dw)
                    add_product(dw + tap, dy, s->in[0]->value + at, channels);
                else
                    add_product(s->in[0]->grad + at, dy, s->scratch + tap, channels);
            }
        }
    }
}

static void folded_part(void *ctx, int worker, size_t from, size_t to)
{
    const conv_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;
    const size_t row = row_floats(c), out = group_out(c), out_c = (size_t)c->out_c;
    const int32_t lines = tile_lines(c);
    float *tile = worker_scratch(state, worker);

    if (state->how == DIRECT && is_itself(c)) {
        product(state, worker,
                &(dpli_product){.add = s->add[0],
                                .m = (to - from) * dpli_tensor_item(s->out) / out_c,
                                .n = row,
                                .k = out_c,
                                .a = s->out->grad + from * dpli_tensor_item(s->out),
                                .lda = out_c,
                                .b = s->scratch,
                                .ldb = row,
                                .c = s->in[0]->grad + from * dpli_tensor_item(s->in[0]),
                                .ldc = row});
        return;
    }
    for (size_t n = from; n < to; n++) {
        float *dx = s->in[0]->grad + n * dpli_tensor_item(s->in[0]);
        const float *dy = s->out->grad + n * dpli_tensor_item(s->out);

        if (!s->add[0])
            memset(dx, 0, dpli_tensor_item(s->in[0]) * sizeof *dx);
        if (state->how == DEPTHWISE) {
            depthwise_picture(state, n, NULL);
            continue;
        }
        for (int32_t g = 0; g < c->groups; g++) {
            for (int32_t y = 0; y < c->out_h; y += lines) {
                const int32_t n_lines = c->out_h - y < lines ? c->out_h - y : lines;

                product(state, worker,
                        &(dpli_product){.m = (size_t)n_lines * (size_t)c->out_w,
                                        .n = row,
                                        .k = out,
                                        .a = dy + (size_t)y * (size_t)c->out_w * out_c +
                                             (size_t)g * out,
                                        .lda = out_c,
                                        .b = s->scratch + (size_t)g * out * row,
                                        .ldb = row,
                                        .c = tile,
                                        .ldc = row});
                fold(c, dx, tile, g, y, n_lines);
            }
        }
    }
}

static void input_gradient(conv_state *state)
{
    dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;

    if (state->is_turned && !is_narrow(state)) {
        float *turned = s->scratch + round_up(dpli_conv_packed_floats(&state->turned));

        turn_weight(c, turned, s->param[1]->value);
        dpli_conv_pack(s->scratch, &state->turned, turned);
        dpli_team_run(s->team, (size_t)s->out->n, turned_part, state);
        return;
    }
    if (state->how == DEPTHWISE) {
        for (size_t i = 0; i < (size_t)c->in_c; i++) {
            for (size_t k = 0; k < taps(c); k++)
                s->scratch[k * (size_t)c->in_c + i] = s->param[1]->value[i * taps(c) + k];
        }
    } else {
        order_weight(c, s->scratch, s->param[1]->value);
    }
    dpli_team_run(s->team, (size_t)s->out->n, folded_part, state);
}

/* ------------------------------------------------------------------ gradients of the weights */

/* A worker's sums: db in double, then dw by [out_c, taps, in_c], or [taps, channels] if depthwise.
 */
static float *own_dw(const conv_state *state, int worker)
{
    return worker_scratch(state, worker) + round_up(2 * (size_t)state->conv.out_c);
}

DPLI_EACH_CPU(static, void, add_rows,
              (float *restrict sums, const float *restrict rows, size_t n_rows, size_t n),
              (sums, rows, n_rows, n))
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n; i++)
            sums[i] += rows[r * n + i];
    }
}

static void dense_weight(const conv_state *state, int worker, float *dw, size_t picture)
{
    const dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;
    const size_t row = row_floats(c), out = group_out(c), out_c = (size_t)c->out_c;
    const float *in = s->in[0]->value + picture * dpli_tensor_item(s->in[0]);
    const float *dy = s->out->grad + picture * dpli_tensor_item(s->out);
    const int32_t lines = tile_lines(c);
    float *tile = dw + round_up(out_c * row);

    if (is_itself(c)) {
        product(state, worker,
                &(dpli_product){.trans_a = true,
                                .add = true,
                                .m = out_c,
                                .n = row,
                                .k = (size_t)c->out_h * (size_t)c->out_w,
                                .a = dy,
                                .lda = out_c,
                                .b = in,
                                .ldb = row,
                                .c = dw,
                                .ldc = row});
        return;
    }
    for (int32_t g = 0; g < c->groups; g++) {
        for (int32_t y = 0; y < c->out_h; y += lines) {
            const int32_t n_lines = c->out_h - y < lines ? c->out_h - y : lines;

            unfold(c, tile, in, g, y, n_lines);
            product(
                state, worker,
                &(dpli_product){.trans_a = true,
                                .add = true,
                                .m = out,
                                .n = row,
                                .k = (size_t)n_lines * (size_t)c->out_w,
                                .a = dy + (size_t)y * (size_t)c->out_w * out_c + (size_t)g * out,
                                .lda = out_c,
                                .b = tile,
                                .ldb = row,
                                .c = dw + (size_t)g * out * row,
                                .ldc = row});
        }
    }
}

static void weight_part(void *ctx, int worker, size_t from, size_t to)
{
    const conv_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;
    const bool want_dw = s->param[1]->grad && state->how != SPECTRAL;
    const bool want_db = bias_of(s) && s->param[2]->grad;
    const size_t rows = dpli_tensor_item(s->out) / (size_t)c->out_c;
    double *db = (double *)(void *)worker_scratch(state, worker);
    float *dw = own_dw(state, worker), *line = dw;

    /* float32 within a picture, double between pictures. The line of sums lies where dw will. */
    memset(db, 0, (size_t)c->out_c * sizeof *db);
    for (size_t n = from; n < to && want_db; n++) {
        memset(line, 0, (size_t)c->out_c * sizeof *line);
        add_rows(line, s->out->grad + n * dpli_tensor_item(s->out), rows, (size_t)c->out_c);
        for (int32_t o = 0; o < c->out_c; o++)
            db[o] += (double)line[o];
    }
    if (!want_dw)
        return;
    memset(dw, 0, (size_t)c->out_c * row_floats(c) * sizeof *dw);
    for (size_t n = from; n < to; n++) {
        if (state->how == DEPTHWISE)
            depthwise_picture(state, n, dw);
        else
            dense_weight(state, worker, dw, n);
    }
}

/* The workers' sums in their order, so that they repeat to the bit. */
static void gather(const conv_state *state)
{
    const dpli_tape_step *s = state->s;
    const dpli_conv *c = &state->conv;
    const int size = dpli_team_size(s->team), n_workers = s->out->n < size ? s->out->n : size;
    const size_t k = taps(c), in = group_in(c), out_c = (size_t)c->out_c;

    if (bias_of(s) && s->param[2]->grad) {
        for (size_t o = 0; o < out_c; o++) {
            double sum = 0;

            for (int w = 0; w < n_workers; w++)
                sum += ((const double *)(const void *)worker_scratch(state, w))[o];
            s->param[2]->grad[o] = (float)sum;
        }
    }
    if (!s->param[1]->grad || state->how == SPECTRAL)
        return;
    for (size_t o = 0; o < out_c; o++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t j = 0; j < k; j++) {
                const size_t at = state->how == DEPTHWISE ? j * out_c + o : (o * k + j) * in + i;
                float sum = 0;

                for (int w = 0; w < n_workers; w++)
                    sum += own_dw(state, w)[at];
                s->param[1]->grad[(o * in + i) * k + j] = sum;
            }
        }
    }
}

static void backward(dpli_tape_step *s)
{
    conv_state *state = s->state;
    float *dx = s->in[0]->grad, *dw = s->param[1]->grad;

    state->s = s;
    if (dw || (bias_of(s) && s->param[2]->grad)) {
        dpli_team_run(s->team, (size_t)s->out->n, weight_part, state);
        gather(state);
    }
    if (state->how == SPECTRAL)
        dpli_spectral_backward(state->spectral, s->team, s->out->n, dx, s->add[0], dw, s->out->grad,
                               s->param[1]->value, s->kept, s->scratch);
    else if (dx)
        input_gradient(state);
}

const struct dpli_trained dpli_conv_trained = {
    .state_bytes = sizeof(conv_state), .plan = plan, .forward = forward, .backward = backward};
