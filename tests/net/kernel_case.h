/* What the kernels' tests share: numbers drawn, and naive references in double precision. */
#ifndef DOPPEL_TESTS_NET_KERNEL_CASE_H
#define DOPPEL_TESTS_NET_KERNEL_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/kernels.h"

/* ------------------------------------------------------------------ numbers */

static uint64_t rng_state = 1;

static inline uint64_t rng(void)
{
    /* xorshift64*, Vigna 2016 */
    rng_state ^= rng_state >> 12;
    rng_state ^= rng_state << 25;
    rng_state ^= rng_state >> 27;
    return rng_state * UINT64_C(2685821657736338717);
}

static inline int32_t pick(const int32_t *list, size_t n)
{
    return list[(rng() >> 33) % n];
}
#define PICK(...) pick((const int32_t[]){__VA_ARGS__}, sizeof(int32_t[]){__VA_ARGS__} / 4)

static inline float uniform(void)
{
    return (float)(int32_t)(rng() >> 32) * 0x1p-31f;
}

static inline float *floats(size_t n)
{
    float *p = malloc(n > 0 ? n * sizeof *p : 1);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = uniform();
    return p;
}

static inline void *aligned(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);

    assert_non_null(p);
    memset(p, 0xff, bytes); /* NaN: scratch that is read before it is written shows */
    return p;
}

/* got within tolerance[i] of want[i] everywhere; NaN where and only where want is. */
static inline void check(const char *what, const float *got, const double *want,
                         const double *tolerance, size_t n)
{
    size_t worst = 0;
    double excess = 0;

    for (size_t i = 0; i < n; i++) {
        double e;

        if (isnan(want[i]) || isnan((double)got[i]))
            e = isnan(want[i]) && isnan((double)got[i]) ? 0 : INFINITY;
        else if (want[i] == (double)got[i])
            e = 0;
        else if (isinf(want[i]) || isinf((double)got[i]))
            e = INFINITY;
        else
            e = fabs((double)got[i] - want[i]) / tolerance[i];
        if (e > excess) {
            excess = e;
            worst = i;
        }
    }
    if (excess > 1)
        fail_msg("%s: [%zu] of %zu is %.9g, want %.9g, tolerance %.3g", what, worst, n,
                 (double)got[worst], want[worst], tolerance[worst]);
}

/* ------------------------------------------------------------------ activations */

#define EPS 0x1p-24 /* half an ulp of 1: the relative error of one rounding */

static inline double act_double(const dpli_act *act, double x, size_t channel)
{
    switch (act->kind) {
    case DPLI_ACT_NONE: return x;
    case DPLI_ACT_RELU: return x < 0 ? 0 : x;
    case DPLI_ACT_PRELU: return x < 0 ? x * (double)act->slope[channel] : x;
    case DPLI_ACT_LEAKY: return x < 0 ? x * (double)act->a : x;
    case DPLI_ACT_CLIP: return x < (double)act->a ? act->a : x > (double)act->b ? act->b : x;
    case DPLI_ACT_SIGMOID: return 1 / (1 + exp(-x));
    case DPLI_ACT_HARDSIGMOID: {
        const double y = (double)act->a * x + (double)act->b;

        return y < 0 ? 0 : y > 1 ? 1 : y;
    }
    case DPLI_ACT_HARDSWISH: {
        const double y = x / 6 + 0.5;

        return x * (y < 0 ? 0 : y > 1 ? 1 : y);
    }
    case DPLI_ACT_TANH: return tanh(x);
    case DPLI_ACT_EXP: return exp(x);
    case DPLI_ACT_SQRT: return sqrt(x);
    case DPLI_ACT_ABS: return fabs(x);
    case DPLI_ACT_ERF: return erf(x);
    case DPLI_ACT_GELU: return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case DPLI_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
    }
    return NAN;
}

/* How much an error in x grows: the slope's bound. */
static inline double act_gain(const dpli_act *act, double x)
{
    switch (act->kind) {
    case DPLI_ACT_PRELU:
    case DPLI_ACT_LEAKY: return 2; /* slopes drawn are below that */
    case DPLI_ACT_HARDSWISH: return 1.5;
    case DPLI_ACT_EXP: return exp(x) * 1.01;
    default: return 1;
    }
}

/* The error of the activation itself: a few roundings of the result; those that go through 1 + ...
 * or end at 1 round at that scale. */
static inline double act_error(const dpli_act *act, double y)
{
    switch (act->kind) {
    case DPLI_ACT_SIGMOID:
    case DPLI_ACT_EXP: return 8 * EPS * fabs(y) + FLT_MIN; /* vf_exp: 2 ulp; denormals may flush */
    case DPLI_ACT_HARDSIGMOID:
    case DPLI_ACT_HARDSWISH: return 4 * EPS * (1 + fabs(y));
    case DPLI_ACT_ERF: return 4e-7;
    default: return 4 * EPS * fabs(y) + FLT_MIN;
    }
}

#define N_ACTS 15

/* Parameters of kind: slope [channels] is used by PReLU. */
static inline dpli_act make_act(dpli_act_kind kind, const float *slope)
{
    switch (kind) {
    case DPLI_ACT_PRELU: return (dpli_act){kind, 0, 0, slope};
    case DPLI_ACT_LEAKY: return (dpli_act){kind, 0.1f, 0, NULL};
    case DPLI_ACT_CLIP: return (dpli_act){kind, -0.25f, 0.75f, NULL};
    case DPLI_ACT_HARDSIGMOID: return (dpli_act){kind, 0.2f, 0.5f, NULL};
    default: return (dpli_act){kind, 0, 0, NULL};
    }
}

/* ------------------------------------------------------------------ convolution */

typedef struct conv_case {
    dpli_conv c;
    dpli_act_kind act;
    int bias, before, after;
} conv_case;

static inline size_t in_size(const dpli_conv *c)
{
    return (size_t)c->n * (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;
}

static inline size_t out_size(const dpli_conv *c)
{
    return (size_t)c->n * (size_t)c->out_h * (size_t)c->out_w * (size_t)c->out_c;
}

static inline size_t weight_size(const dpli_conv *c)
{
    return (size_t)c->out_c * (size_t)(c->in_c / c->groups) * (size_t)c->kernel_h *
           (size_t)c->kernel_w;
}

/* want and the bound of a float sum in any order: n roundings of the sum of magnitudes. */
static inline void conv_double(const dpli_conv *c, double *want, double *tolerance, const float *in,
                               const float *weight, const dpli_epilogue *e)
{
    const int32_t gi = c->in_c / c->groups, go = c->out_c / c->groups;
    size_t at = 0;

    for (int32_t n = 0; n < c->n; n++)
        for (int32_t oy = 0; oy < c->out_h; oy++)
            for (int32_t ox = 0; ox < c->out_w; ox++)
                for (int32_t oc = 0; oc < c->out_c; oc++, at++) {
                    double sum = e->bias ? e->bias[oc] : 0, size = fabs(sum), y;

                    for (int32_t ic = 0; ic < gi; ic++)
                        for (int32_t ky = 0; ky < c->kernel_h; ky++)
                            for (int32_t kx = 0; kx < c->kernel_w; kx++) {
                                const int32_t iy =
                                    oy * c->stride_h - c->pad_top + ky * c->dilation_h;
                                const int32_t ix =
                                    ox * c->stride_w - c->pad_left + kx * c->dilation_w;
                                double term;

                                if (iy < 0 || iy >= c->in_h || ix < 0 || ix >= c->in_w)
                                    continue;
                                term =
                                    (double)in[((n * c->in_h + iy) * c->in_w + ix) * c->in_c +
                                               oc / go * gi + ic] *
                                    (double)
                                        weight[((oc * gi + ic) * c->kernel_h + ky) * c->kernel_w +
                                               kx];
                                sum += term;
                                size += fabs(term);
                            }
                    if (e->before) {
                        sum += (double)e->before[at];
                        size += fabs((double)e->before[at]);
                    }
                    y = act_double(&e->act, sum, (size_t)oc);
                    tolerance[at] =
                        (gi * c->kernel_h * c->kernel_w + 3) * EPS * size * act_gain(&e->act, sum) +
                        act_error(&e->act, y);
                    if (e->after) {
                        y += (double)e->after[at];
                        tolerance[at] += EPS * (fabs(y) + tolerance[at]);
                    }
                    want[at] = y;
                }
}

static inline void conv_name(char *name, size_t size, const conv_case *k)
{
    const dpli_conv *c = &k->c;

    snprintf(name, size,
             "conv %dx%dx%dx%d to %dx%dx%d kernel %dx%d stride %d,%d dilation %d,%d pad %d,%d "
             "groups %d act %d%s%s%s",
             c->n, c->in_h, c->in_w, c->in_c, c->out_h, c->out_w, c->out_c, c->kernel_h,
             c->kernel_w, c->stride_h, c->stride_w, c->dilation_h, c->dilation_w, c->pad_top,
             c->pad_left, c->groups, (int)k->act, k->bias ? " bias" : "",
             k->before ? " before" : "", k->after ? " after" : "");
}

/* What a window of `kernel` covers, from `size` with pads: the output's size, 0 when it does not
 * fit. */
static inline int32_t fit(int32_t size, int32_t pads, int32_t kernel, int32_t stride,
                          int32_t dilation)
{
    const int32_t covers = (kernel - 1) * dilation + 1;

    return size + pads < covers ? 0 : (size + pads - covers) / stride + 1;
}

static inline double conv_work(const dpli_conv *c)
{
    return (double)out_size(c) * (double)weight_size(c) / (double)c->out_c;
}

/* A convolution by chance, of the kinds that the kernels of narrow numbers have: dense, or a filter
 * a channel. False: it has no output, or more work than that. */
static inline bool draw_narrow_conv(conv_case *k, double most_work)
{
    dpli_conv *c = &k->c;
    const bool depthwise = rng() >> 62 == 0;

    *k = (conv_case){0};
    c->n = PICK(1, 1, 2, 3);
    c->in_h = PICK(1, 2, 3, 5, 7, 8, 12, 15, 23);
    c->in_w = PICK(1, 2, 3, 5, 7, 8, 12, 15, 17, 23, 31, 37);
    c->in_c = PICK(1, 2, 3, 4, 5, 16, 17, 32, 37, 64, 80, 112);
    c->out_c = depthwise ? c->in_c : PICK(1, 3, 4, 5, 10, 16, 17, 32, 33, 48, 64, 100);
    c->groups = depthwise ? c->in_c : 1;
    c->kernel_h = PICK(1, 1, 2, 3, 3, 5, 7, 10);
    c->kernel_w = rng() >> 62 ? c->kernel_h : PICK(1, 2, 3, 5);
    c->stride_h = PICK(1, 1, 2, 3);
    c->stride_w = rng() >> 62 ? c->stride_h : PICK(1, 2, 3);
    c->dilation_h = PICK(1, 1, 1, 2, 3);
    c->dilation_w = rng() >> 62 ? c->dilation_h : PICK(1, 2);
    c->pad_top = PICK(0, 0, 1, 1, 2, 4);
    c->pad_left = PICK(0, 0, 1, 1, 2, 4);
    c->out_h = fit(c->in_h, c->pad_top + PICK(0, 1, 2), c->kernel_h, c->stride_h, c->dilation_h);
    c->out_w = fit(c->in_w, c->pad_left + PICK(0, 1, 2), c->kernel_w, c->stride_w, c->dilation_w);
    k->act = (dpli_act_kind)PICK(DPLI_ACT_NONE, DPLI_ACT_RELU, DPLI_ACT_PRELU, DPLI_ACT_LEAKY,
                                 DPLI_ACT_CLIP, DPLI_ACT_SIGMOID, DPLI_ACT_HARDSWISH);
    k->bias = (int)(rng() >> 63);
    k->before = (rng() >> 62) == 0;
    k->after = (rng() >> 62) == 0;
    return c->out_h >= 1 && c->out_w >= 1 && conv_work(c) <= most_work;
}

/* A filter a channel of side x side over w columns, padded to as many outputs as inputs at stride
 * 1: the shapes whose output pixels are computed several at once, with each activation that has
 * code of its own, and one that has not. */
static inline conv_case depthwise_case(int32_t side, int32_t stride, int32_t w)
{
    static const dpli_act_kind acts[] = {DPLI_ACT_NONE, DPLI_ACT_RELU, DPLI_ACT_PRELU,
                                         DPLI_ACT_CLIP, DPLI_ACT_HARDSWISH};
    const int32_t h = w % 7 + 1, channels = w % 35 + 1;
    const dpli_conv c = {.n = w % 2 + 1,
                         .in_h = h,
                         .in_w = w,
                         .in_c = channels,
                         .out_h = fit(h, side / 2 * 2, side, stride, 1),
                         .out_w = fit(w, side / 2 * 2, side, stride, 1),
                         .out_c = channels,
                         .kernel_h = side,
                         .kernel_w = side,
                         .stride_h = stride,
                         .stride_w = stride,
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .pad_top = side / 2,
                         .pad_left = side / 2,
                         .groups = channels};

    return (conv_case){c, acts[w % 5], w % 3 > 0, w % 4 == 0, w % 4 == 2};
}

/* ------------------------------------------------------------------ pooling */

static inline void pool_double(const dpli_pool *p, double *want, const float *in)
{
    for (int32_t n = 0; n < p->n; n++)
        for (int32_t oy = 0; oy < p->out_h; oy++)
            for (int32_t ox = 0; ox < p->out_w; ox++)
                for (int32_t c = 0; c < p->channels; c++) {
                    double sum = 0, max = -INFINITY;
                    int32_t real = 0, padded = 0;

                    for (int32_t ky = 0; ky < p->kernel_h; ky++)
                        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                            const int32_t y = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
                            const int32_t x = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
                            double v;

                            padded += y < p->in_h + p->pad_bottom && x < p->in_w + p->pad_right;
                            if (y < 0 || y >= p->in_h || x < 0 || x >= p->in_w)
                                continue;
                            v = in[((n * p->in_h + y) * p->in_w + x) * p->channels + c];
                            sum += v;
                            max = isnan(max) || max > v ? max : v;
                            real++;
                        }
                    *want++ = p->kind == DPLI_POOL_MAX
                                  ? max
                                  : sum / (p->count_include_pad ? padded : real);
                }
}

#endif
