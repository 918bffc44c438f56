/*
 * warp.c - part of a picture through an affine map: how a face becomes a chip.
 *
 * Backward: every output pixel asks the input, so there are no holes. For an output pixel whose
 * centre maps to p (in pixel indices, the input's pixel i at i),
 *
 *     out = sum_ij t((i - p.x) / r) t((j - p.y) / r) in[j][i] / sum_ij t(..) t(..)
 *     t(d) = max(0, 1 - |d|)
 *
 * with pixels outside of the input black but their weights counted. With r = 1 that is bilinear
 * interpolation; r grows with the reduction, so there is no scale at which the filter changes. A
 * strong reduction would make it slow, so blocks of f x f pixels are averaged first; they lie on
 * multiples of f, wherever the face is; vision/image/warp.h states r and f.
 */
#include "vision/image/warp.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/resample.h"

enum {
    AVERAGE_FROM = 4,      /* the reduction from which on blocks are averaged first */
    MOST_REDUCTION = 65536 /* a picture's largest side */
};

/* A picture [h, w, 3], read at x = m[0] i + m[1] j + m[2], y = m[3] i + m[4] j + m[5] (indices) for
 * output pixel i, j, with a tent of the given radius. */
struct source {
    const uint8_t *pixels;
    int32_t w, h;
    double m[6];
    double radius;
};

/* A tent around p along an axis of n_in pixels: the first pixel and the number of those that exist,
 * p counted from the first, and the sum of its weights, those of pixels that do not exist included.
 */
struct tent {
    int32_t first, n;
    float centre, sum;
};

/* Wanted is that p + radius > 0 and radius < 4, so that p - radius > -8: conversion to an integer
 * cuts towards zero, which is down for what is positive. */
static inline __attribute__((always_inline)) void tent_at(struct tent *tent, double p,
                                                          double radius, int32_t n_in)
{
    const int32_t begin = (int32_t)(p - radius + 8) - 7, below = (int32_t)(p + radius);
    const int32_t end = below + (p + radius > below);
    /* Of the n taps, the first n_left lie at or left of p: distances p - k, then k - p. */
    const float n = (float)(end - begin), n_left = (float)((int32_t)(p + 8) - 7 - begin);
    const float at = (float)(p - begin);
    const float distances =
        n_left * at - (n - n_left) * at + n * (n - 1) / 2 - n_left * (n_left - 1);

    tent->first = begin > 0 ? begin : 0;
    tent->n = (end < n_in ? end : n_in) - tent->first;
    tent->centre = (float)(p - tent->first);
    tent->sum = n - distances / (float)radius;
}

typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));

/* weights[k] = max(0, 1 - |position[k] - centre| / radius), k = 0 .. n - 1, n a multiple of 4. In
 * the compiler's vectors, because it leaves a loop of so few turns in single values. */
static inline __attribute__((always_inline)) void tent_weights(float *weights,
                                                               const float *position, int n,
                                                               float centre, float by_radius)
{
    for (int k = 0; k < n; k += 4) {
        v4 d, w;

        memcpy(&d, position + k, sizeof d);
        d -= centre;
        w = 1 - by_radius * (v4)((v4i)d & 0x7FFFFFFF);
        w = (v4)((v4i)w & (w > 0));
        memcpy(weights + k, &w, sizeof w);
    }
}

/* A row of pixels under a tent is taken as 3 times as many values, of which n_values, a multiple of
 * 8, hold them all: rows are added up first, then each value is weighted by its pixel's distance.
 */
static inline __attribute__((always_inline)) void warp_rows(uint8_t *out, int32_t out_w,
                                                            int32_t out_h,
                                                            const struct source *source,
                                                            int n_values)
{
    static const float pixels[24] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3,
                                     4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7};
    static const float rows[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const double r = source->radius, *m = source->m;
    const float by_radius = (float)(1 / r);
    const int32_t w = source->w, h = source->h;

    for (int32_t j = 0; j < out_h; j++)
        for (int32_t i = 0; i < out_w; i++, out += 3) {
            const double x = m[0] * i + m[1] * j + m[2], y = m[3] * i + m[4] * j + m[5];
            float sum[24] = {0}, wx[24], wy[8], rgb[3] = {0, 0, 0}, by_sum;
            struct tent tx, ty;
            bool at_edge;

            if (!(x > -r && x < w - 1 + r && y > -r && y < h - 1 + r)) {
                memset(out, 0, 3);
                continue;
            }
            tent_at(&tx, x, r, w);
            tent_at(&ty, y, r, h);
            tent_weights(wx, pixels, n_values, tx.centre, by_radius);
            tent_weights(wy, rows, 8, ty.centre, by_radius);
            at_edge = 3 * tx.first + n_values > 3 * w;
            for (int32_t b = 0; b < ty.n; b++) {
                const uint8_t *from =
                    source->pixels + 3 * ((size_t)(ty.first + b) * (size_t)w + (size_t)tx.first);
                uint8_t padded[24];

                if (at_edge) {
                    memset(padded, 0, sizeof padded);
                    for (int32_t k = 0; k < 3 * tx.n; k++)
                        padded[k] = from[k];
                    from = padded;
                }
                for (int k = 0; k < n_values; k++)
                    sum[k] += wy[b] * (float)from[k];
            }
            for (int k = 0; k < n_values; k += 4) {
                v4 a, b;

                memcpy(&a, wx + k, sizeof a);
                memcpy(&b, sum + k, sizeof b);
                a *= b;
                for (int c = 0; c < 4; c++)
                    rgb[(k + c) % 3] += a[c];
            }
            by_sum = 1 / (tx.sum * ty.sum);
            for (int c = 0; c < 3; c++)
                out[c] = (uint8_t)(int32_t)(rgb[c] * by_sum + 0.5f);
        }
}

/* n_values is a constant in each copy of the loop. */
static inline __attribute__((always_inline)) void warp_any(uint8_t *out, int32_t out_w,
                                                           int32_t out_h,
                                                           const struct source *source)
{
    /* What rounding puts just above a whole number would be a tap of no weight. */
    const int most_taps = (int)ceil(2 * source->radius - 1e-5);

    if (3 * most_taps <= 8)
        warp_rows(out, out_w, out_h, source, 8);
    else if (3 * most_taps <= 16)
        warp_rows(out, out_w, out_h, source, 16);
    else
        warp_rows(out, out_w, out_h, source, 24);
}

static void warp_baseline(uint8_t *out, int32_t out_w, int32_t out_h, const struct source *source)
{
    warp_any(out, out_w, out_h, source);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void warp_avx2(uint8_t *out, int32_t out_w,
                                                          int32_t out_h,
                                                          const struct source *source)
{
    warp_any(out, out_w, out_h, source);
}
#endif

/* Along one axis of n_in pixels, the blocks of f that outputs between low and high (indices of the
 * input) can ask for: *begin and their number, 0 when they lie outside. */
static int32_t blocks_needed(int32_t *begin, double low, double high, int32_t f, int32_t n_in)
{
    const int32_t n_blocks = (n_in - 1) / f + 1;
    /* Three blocks of tent radius at most, and one for rounding. */
    const double from = fmax(floor(low / f) - 4, 0);
    const double to = fmin(floor(high / f) + 5, n_blocks);

    if (!(from < to))
        return 0;
    *begin = (int32_t)from;
    return (int32_t)(to - from);
}

/* Average blocks of f x f pixels of in where an output of out_w x out_h needs them, and point
 * source at what came of it; *blocks is the memory under it. */
static dpl_status average_blocks(uint8_t **blocks, struct source *source, const dpl_image *in,
                                 int32_t f, int32_t out_w, int32_t out_h, dpl_error *err)
{
    int32_t begin[2] = {0, 0}, n[2];

    for (int axis = 0; axis < 2; axis++) {
        double *m = source->m + 3 * axis;
        const double dx = m[0] * (out_w - 1), dy = m[1] * (out_h - 1);

        n[axis] = blocks_needed(&begin[axis], m[2] + fmin(dx, 0) + fmin(dy, 0),
                                m[2] + fmax(dx, 0) + fmax(dy, 0), f,
                                axis == 0 ? in->width_px : in->height_px);
        /* Block b of what is kept has its centre at input index (begin + b + 1/2) f - 1/2. */
        m[0] /= f;
        m[1] /= f;
        m[2] = (m[2] + 0.5) / f - 0.5 - begin[axis];
    }
    source->radius /= f;
    source->w = n[0];
    source->h = n[1];
    if (n[0] == 0 || n[1] == 0) {
        source->w = source->h = 0;
        return DPL_OK;
    }
    *blocks = dpli_alloc((size_t)n[0] * (size_t)n[1], 3, err);
    if (!*blocks)
        return DPL_E_MEMORY;
    source->pixels = *blocks;
    return dpli_resample(*blocks, in->pixels,
                         &(dpli_axis){in->width_px, n[0], (double)begin[0] * f, f},
                         &(dpli_axis){in->height_px, n[1], (double)begin[1] * f, f}, err);
}

dpl_status dpli_warp_affine(uint8_t *out, int32_t out_w, int32_t out_h, const dpl_image *in,
                            const float m[6], dpl_error *err)
{
    struct source source = {.pixels = in->pixels, .w = in->width_px, .h = in->height_px};
    const double s = sqrt(fabs((double)m[0] * m[4] - (double)m[1] * m[3]));
    uint8_t *blocks = NULL;
    dpl_status status = DPL_OK;

    if (out_w < 1 || out_h < 1 || !in->pixels)
        return dpli_fail(err, DPL_E_ARGUMENT, "cannot warp to %dx%d pixels", out_w, out_h);
    for (int i = 0; i < 6; i++)
        if (!isfinite(m[i]))
            return dpli_fail(err, DPL_E_ARGUMENT, "warp is not finite");
    /* From corners to centres: x_index = m (i + 1/2, j + 1/2) - 1/2. */
    for (int i = 0; i < 6; i++)
        source.m[i] = m[i];
    source.m[2] += (source.m[0] + source.m[1]) / 2 - 0.5;
    source.m[5] += (source.m[3] + source.m[4]) / 2 - 0.5;
    if (s > MOST_REDUCTION)
        return dpli_fail(err, DPL_E_ARGUMENT, "warp reduces %g times, limit is %d", s,
                         MOST_REDUCTION);
    source.radius = fmax(1, s);
    if (s >= AVERAGE_FROM) {
        const double f = floor(s / 2);

        source.radius = sqrt(s * s - f * f / 2);
        status = average_blocks(&blocks, &source, in, (int32_t)f, out_w, out_h, err);
    }
    if (status == DPL_OK) {
#if defined(__x86_64__)
        if (dpli_cpu_level() >= DPLI_CPU_AVX2)
            warp_avx2(out, out_w, out_h, &source);
        else
#endif
            warp_baseline(out, out_w, out_h, &source);
    }
    free(blocks);
    return status;
}
