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

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

/* ------------------------------------------------------------------ row by row, for any processor
 */

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

/* What rounding puts just above a whole number would be a tap of no weight. */
static int most_taps(const struct source *source)
{
    return (int)ceil(2 * source->radius - 1e-5);
}

/* n_values is a constant in each copy of the loop. */
static void warp_baseline(uint8_t *out, int32_t out_w, int32_t out_h, const struct source *source)
{
    const int n_taps = most_taps(source);

    if (3 * n_taps <= 8)
        warp_rows(out, out_w, out_h, source, 8);
    else if (3 * n_taps <= 16)
        warp_rows(out, out_w, out_h, source, 16);
    else
        warp_rows(out, out_w, out_h, source, 24);
}

/* ------------------------------------------------------------------ eight pixels at once */

#if defined(__x86_64__)

/* So many output pixels at a time, each a lane. */
enum { LANES = 8, MOST_TAPS = 8 };

typedef float v8 __attribute__((vector_size(32)));
typedef int32_t v8i __attribute__((vector_size(32)));
typedef uint32_t v8u __attribute__((vector_size(32)));

/* The taps of one axis for all lanes: which pixel each is, and its weight, 0 where there is no
 * pixel (and the nearest is read); the weights' sum counts those of pixels that do not exist. */
struct lane_taps {
    v8i pixel[MOST_TAPS];
    v8 weight[MOST_TAPS], sum;
};

/* The lanes lie step apart. Whole pixels are counted from the first lane's, so that float32 is
 * enough for what is left. */
static inline __attribute__((always_inline, target("avx2,fma"))) void lane_tents(
    struct lane_taps *taps, double start, float step, float radius, int32_t n_in, int n_taps)
{
    const v8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    const float by_radius = 1 / radius;
    const int32_t base = (int32_t)floor(fmin(fmax(start, -1e8), 1e8));
    const v8 p = (float)fmin(fmax(start - base, 0), 1) + lane * step;
    /* What makes p - radius positive: conversion to an integer cuts towards zero. */
    const int32_t above = MOST_TAPS + (int32_t)(LANES * fabsf(step));
    const v8i first = __builtin_convertvector(p + ((float)above - radius), v8i) - (above - 1);
    const v8 centre = p - __builtin_convertvector(first, v8);

    taps->sum = (v8){0};
    for (int t = 0; t < n_taps; t++) {
        const v8 d = (float)t - centre;
        const v8 tent = 1 - by_radius * (v8)((v8i)d & 0x7FFFFFFF);
        const v8 w = (v8)((v8i)tent & (tent > 0));
        const v8i at = first + (base + t), low = at & ~(at >> 31), past = low > n_in - 1;
        const v8i inside = (past & (n_in - 1)) | (~past & low);

        taps->sum += w;
        taps->weight[t] = (v8)((v8i)w & (inside == at));
        taps->pixel[t] = inside;
    }
}

/* Eight output pixels at once, tap by tap. A pixel is read as four bytes; of the picture's last one
 * they begin a byte before. */
static inline __attribute__((always_inline, target("avx2,fma"))) void warp_lanes(
    uint8_t *out, int32_t out_w, int32_t out_h, const struct source *source, int n_taps)
{
    const double *m = source->m;
    const int32_t w = source->w, h = source->h, last = 3 * w * h - 4;
    const float radius = (float)source->radius;

    for (int32_t j = 0; j < out_h; j++)
        for (int32_t i = 0; i < out_w; i += LANES) {
            const int32_t n = out_w - i < LANES ? out_w - i : LANES;
            v8 rgb[3] = {{0}};
            struct lane_taps x, y;

            lane_tents(&x, m[0] * i + m[1] * j + m[2], (float)m[0], radius, w, n_taps);
            lane_tents(&y, m[3] * i + m[4] * j + m[5], (float)m[3], radius, h, n_taps);
            for (int b = 0; b < n_taps; b++)
                for (int a = 0; a < n_taps; a++) {
                    const v8 weight = x.weight[a] * y.weight[b];
                    const v8i at = 3 * (y.pixel[b] * w + x.pixel[a]);
                    const v8i past = at > last; /* by one byte */
                    const v8i from = at + past;
                    const v8i bytes = (v8i)_mm256_i32gather_epi32(
                        (const int *)(const void *)source->pixels, (__m256i)from, 1);
                    const v8i pixel = (v8i)((v8u)bytes >> (v8u)(past & 8));
                    for (int c = 0; c < 3; c++)
                        rgb[c] += weight * __builtin_convertvector(pixel >> (8 * c) & 255, v8);
                }
            const v8 by_sum = 1 / (x.sum * y.sum);
            for (int c = 0; c < 3; c++) {
                const v8i value = __builtin_convertvector(rgb[c] * by_sum + 0.5f, v8i);

                for (int l = 0; l < n; l++)
                    out[3 * l + c] = (uint8_t)value[l];
            }
            out += 3 * n;
        }
}

/* n_taps is a constant in each copy of the loop. */
__attribute__((target("avx2,fma"))) static void warp_avx2(uint8_t *out, int32_t out_w,
                                                          int32_t out_h,
                                                          const struct source *source)
{
    const int n_taps = most_taps(source);

    if (n_taps <= 2)
        warp_lanes(out, out_w, out_h, source, 2);
    else if (n_taps <= 3)
        warp_lanes(out, out_w, out_h, source, 3);
    else if (n_taps <= 4)
        warp_lanes(out, out_w, out_h, source, 4);
    else if (n_taps <= 6)
        warp_lanes(out, out_w, out_h, source, 6);
    else
        warp_lanes(out, out_w, out_h, source, MOST_TAPS);
}

#endif

/* ------------------------------------------------------------------ blocks, and what is common */

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

/* Of axis 0 or 1, with outputs to out_w x out_h. */
static int32_t needed_along(int32_t *begin, const double m[3], int32_t f, int32_t n_in,
                            int32_t out_w, int32_t out_h)
{
    const double dx = m[0] * (out_w - 1), dy = m[1] * (out_h - 1);

    return blocks_needed(begin, m[2] + fmin(dx, 0) + fmin(dy, 0), m[2] + fmax(dx, 0) + fmax(dy, 0),
                         f, n_in);
}

/* Leave out the rows of a picture that no output asks for, where its bytes are too many for an
 * index. */
static dpl_status only_rows_needed(struct source *source, int32_t out_w, int32_t out_h,
                                   dpl_error *err)
{
    int32_t begin = 0;

    source->h = needed_along(&begin, source->m + 3, 1, source->h, out_w, out_h);
    source->m[5] -= begin;
    source->pixels += 3 * (size_t)begin * (size_t)source->w;
    return (int64_t)source->w * source->h <= INT32_MAX / 3
               ? DPL_OK
               : dpli_fail(err, DPL_E_LIMIT, "%dx%d pixels are too many for one chip", source->w,
                           source->h);
}

/* Average blocks of f x f pixels of in where an output of out_w x out_h needs them, and point
 * source at what came of it; *blocks is the memory under it. */
static dpl_status average_blocks(uint8_t **blocks, struct source *source, const dpl_image *in,
                                 int32_t f, int32_t out_w, int32_t out_h, dpl_error *err)
{
    int32_t begin[2] = {0, 0}, n[2];

    for (int axis = 0; axis < 2; axis++) {
        double *m = source->m + 3 * axis;

        n[axis] = needed_along(&begin[axis], m, f, axis == 0 ? in->width_px : in->height_px, out_w,
                               out_h);
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
    uint8_t *blocks = NULL, alone[4] = {0};
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
    if (status == DPL_OK && (int64_t)source.w * source.h > INT32_MAX / 3)
        status = only_rows_needed(&source, out_w, out_h, err);
    if (status == DPL_OK && source.w == 1 && source.h == 1) {
        memcpy(alone + 1, source.pixels, 3);
        source.pixels = alone + 1;
    }
    if (status == DPL_OK && (source.w == 0 || source.h == 0)) {
        memset(out, 0, 3 * (size_t)out_w * (size_t)out_h);
    } else if (status == DPL_OK) {
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
