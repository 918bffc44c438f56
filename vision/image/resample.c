/*
 * resample.c - pictures larger and smaller.
 *
 * Separable, in float: rows first, because that runs along memory and leaves the awkward axis with
 * less to do. For an output row
 *
 *     row[i]    = sum over r of wy[r] in[first_y + r][i]          i over the 3 n_in values of a row
 *     out[x][c] = round(sum over t of wx[t] row[3 (first_x + t) + c])
 *
 * Weights sum to 1 within float's precision and values are at most 255, so the sum of a constant
 * picture is off by less than 1e-3 before rounding: it stays constant exactly.
 */
#include "vision/image/resample.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"
#include "doppel/image.h"

typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef uint8_t v16b __attribute__((vector_size(16)));

/* Four bytes of a v16b, in front; what is behind them says nothing. clang does not have GCC's way,
 * and GCC before version 12 not clang's. */
#if defined(__clang__)
#define BYTES_AT(x, a, b, c, d)                                                                    \
    __builtin_shufflevector(x, x, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
#else
#define BYTES_AT(x, a, b, c, d) __builtin_shuffle(x, (v16b){a, b, c, d})
#endif

/* The inputs of one output. */
struct taps {
    int32_t first, n;
};

struct filter {
    struct taps *taps; /* [n_out] */
    float *weights;    /* [n_out, n_most], 0 past an output's taps */
    int32_t n_most;
};

static void filter_clear(struct filter *filter)
{
    free(filter->taps);
    free(filter->weights);
}

/* On failure too, what filter holds is for filter_clear. */
static dpl_status filter_init(struct filter *filter, const dpli_axis *axis, dpl_error *err)
{
    const int32_t n_most = axis->step > 1 ? (int32_t)ceil(axis->step) + 1 : 2;
    const int32_t last = axis->n_in - 1;
    size_t n_weights;

    *filter = (struct filter){.n_most = n_most};
    if (!dpli_mul(&n_weights, (size_t)n_most, (size_t)axis->n_out))
        return dpli_fail(err, DPL_E_ARGUMENT, "cannot resample to %d pixels", axis->n_out);
    filter->taps = dpli_alloc((size_t)axis->n_out, sizeof *filter->taps, err);
    filter->weights = dpli_calloc(n_weights, sizeof *filter->weights, err);
    if (!filter->taps || !filter->weights)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < axis->n_out; i++) {
        float *weights = filter->weights + (size_t)i * (size_t)n_most;
        struct taps *taps = &filter->taps[i];

        if (axis->step > 1) {
            const double from = axis->start + i * axis->step;
            const double to = axis->start + (i + 1) * axis->step;
            const int32_t begin = (int32_t)fmin(fmax(floor(from), 0), axis->n_in);
            const int32_t end = (int32_t)fmin(fmax(ceil(to), begin), axis->n_in);

            taps->first = begin;
            taps->n = end - begin;
            for (int32_t k = begin; k < end; k++)
                weights[k - begin] = (float)((fmin(to, k + 1) - fmax(from, k)) / axis->step);
        } else {
            const double centre = axis->start + (i + 0.5) * axis->step - 0.5;
            const double at_least = fmin(fmax(centre, 0), last);
            const int32_t begin = (int32_t)at_least;

            taps->first = begin;
            taps->n = begin < last ? 2 : 1;
            weights[0] = taps->n == 2 ? (float)(1 - (at_least - begin)) : 1;
            if (taps->n == 2)
                weights[1] = (float)(at_least - begin);
        }
    }
    return DPL_OK;
}

/* row [n] = weighted sum of the n_rows rows of in that begin stride bytes apart. */
static inline __attribute__((always_inline)) void blend_rows(float *row, const uint8_t *in,
                                                             size_t stride, const float *weights,
                                                             int32_t n_rows, size_t n)
{
    /* A part of the row at a time, which stays in the first cache while the rows pass by. */
    enum { PART = 2048 };

    for (size_t begin = 0; begin < n; begin += PART) {
        const size_t m = n - begin < PART ? n - begin : PART;
        const uint8_t *restrict from = in + begin;
        float *restrict to = row + begin;
        int32_t r = n_rows % 2;

        for (size_t i = 0; i < m; i++)
            to[i] = r ? weights[0] * (float)from[i] : 0;
        for (; r < n_rows; r += 2) {
            const uint8_t *restrict a = from + (size_t)r * stride, *restrict b = a + stride;
            const float wa = weights[r], wb = weights[r + 1];

            for (size_t i = 0; i < m; i++)
                to[i] += wa * (float)a[i] + wb * (float)b[i];
        }
    }
}

/* One output row of outputs that have n_taps each, some of them without a weight: what row has no
 * pixel for is 0, and there are 3 n_most zeros behind and one more, so that four floats can be
 * loaded at any. */
static inline __attribute__((always_inline)) void blend_columns_by(uint8_t *out, const float *row,
                                                                   const struct filter *filter,
                                                                   int32_t n_out, int32_t n_taps,
                                                                   bool has_shuffle)
{
    for (int32_t x = 0; x < n_out; x++) {
        const float *weights = filter->weights + (size_t)x * (size_t)filter->n_most;
        const float *from = row + 3 * (size_t)filter->taps[x].first;
        v4 sum = {0.5f, 0.5f, 0.5f, 0.5f};
        v4i rounded;

        for (int32_t t = 0; t < n_taps; t++) {
            v4 pixel;

            memcpy(&pixel, from + 3 * t, sizeof pixel);
            sum += weights[t] * pixel;
        }
        rounded = __builtin_convertvector(sum, v4i);
        if (has_shuffle && x + 1 < n_out) {
            /* The fourth byte is the next pixel's. */
            const v16b bytes = BYTES_AT((v16b)rounded, 0, 4, 8, 12);

            memcpy(out + 3 * (size_t)x, &bytes, 4);
        } else {
            for (int c = 0; c < 3; c++)
                out[3 * (size_t)x + (size_t)c] = (uint8_t)rounded[c];
        }
    }
}

/* The usual numbers are constants in a copy of the loop each. */
static inline __attribute__((always_inline)) void blend_columns(uint8_t *out, const float *row,
                                                                const struct filter *filter,
                                                                int32_t n_out, bool has_shuffle)
{
    switch (filter->n_most) {
    case 2: blend_columns_by(out, row, filter, n_out, 2, has_shuffle); break;
    case 3: blend_columns_by(out, row, filter, n_out, 3, has_shuffle); break;
    case 4: blend_columns_by(out, row, filter, n_out, 4, has_shuffle); break;
    case 5: blend_columns_by(out, row, filter, n_out, 5, has_shuffle); break;
    default: blend_columns_by(out, row, filter, n_out, filter->n_most, has_shuffle);
    }
}

/* The pixels of an input row that any output asks for: a part of a wide picture needs few of them.
 */
static void pixels_needed(int32_t *first, int32_t *n, const struct filter *filter, int32_t n_out)
{
    int32_t begin = INT32_MAX, end = 0;

    for (int32_t i = 0; i < n_out; i++) {
        const struct taps *taps = &filter->taps[i];

        if (taps->n > 0 && taps->first < begin)
            begin = taps->first;
        if (taps->n > 0 && taps->first + taps->n > end)
            end = taps->first + taps->n;
    }
    *first = end > 0 ? begin : 0;
    *n = end > 0 ? end - begin : 0;
}

static inline __attribute__((always_inline)) void resample_rows(
    uint8_t *out, const uint8_t *in, const dpli_axis *x, const dpli_axis *y,
    const struct filter *fx, const struct filter *fy, float *row, bool has_shuffle)
{
    const size_t stride = 3 * (size_t)x->n_in;
    int32_t first, n;

    pixels_needed(&first, &n, fx, x->n_out);
    for (int32_t i = 0; i < y->n_out; i++) {
        const struct taps *taps = &fy->taps[i];

        blend_rows(row + 3 * (size_t)first, in + (size_t)taps->first * stride + 3 * (size_t)first,
                   stride, fy->weights + (size_t)i * (size_t)fy->n_most, taps->n, 3 * (size_t)n);
        blend_columns(out + 3 * (size_t)i * (size_t)x->n_out, row, fx, x->n_out, has_shuffle);
    }
}

static void resample_baseline(uint8_t *out, const uint8_t *in, const dpli_axis *x,
                              const dpli_axis *y, const struct filter *fx, const struct filter *fy,
                              float *row)
{
    resample_rows(out, in, x, y, fx, fy, row, false);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void resample_avx2(uint8_t *out, const uint8_t *in,
                                                              const dpli_axis *x,
                                                              const dpli_axis *y,
                                                              const struct filter *fx,
                                                              const struct filter *fy, float *row)
{
    resample_rows(out, in, x, y, fx, fy, row, true);
}

#define AVX512 target("avx512f,avx512bw,avx512vl,fma")

/* blend_rows with the sums of 64 values in registers while all rows pass by. */
__attribute__((AVX512)) static void blend_rows_avx512(float *row, const uint8_t *in, size_t stride,
                                                      const float *weights, int32_t n_rows,
                                                      size_t n)
{
    enum { AT_ONCE = 4, LANES = 16 };
    size_t i = 0;

    for (; i + AT_ONCE * LANES <= n; i += AT_ONCE * LANES) {
        __m512 sum[AT_ONCE] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                               _mm512_setzero_ps()};

        for (int32_t r = 0; r < n_rows; r++) {
            const __m512 weight = _mm512_set1_ps(weights[r]);
            const uint8_t *from = in + (size_t)r * stride + i;

            for (int k = 0; k < AT_ONCE; k++) {
                const __m128i bytes = _mm_loadu_si128((const void *)(from + k * LANES));

                sum[k] = _mm512_fmadd_ps(weight, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)),
                                         sum[k]);
            }
        }
        for (int k = 0; k < AT_ONCE; k++)
            _mm512_storeu_ps(row + i + k * LANES, sum[k]);
    }
    for (; i < n; i += LANES) {
        const __mmask16 there = (__mmask16)(n - i < LANES ? (1u << (n - i)) - 1 : 0xFFFF);
        __m512 sum = _mm512_setzero_ps();

        for (int32_t r = 0; r < n_rows; r++) {
            const __m128i bytes = _mm_maskz_loadu_epi8(there, in + (size_t)r * stride + i);

            sum = _mm512_fmadd_ps(_mm512_set1_ps(weights[r]),
                                  _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), sum);
        }
        _mm512_mask_storeu_ps(row + i, there, sum);
    }
}

__attribute__((AVX512)) static void resample_avx512(uint8_t *out, const uint8_t *in,
                                                    const dpli_axis *x, const dpli_axis *y,
                                                    const struct filter *fx,
                                                    const struct filter *fy, float *row)
{
    const size_t stride = 3 * (size_t)x->n_in;
    int32_t first, n;

    pixels_needed(&first, &n, fx, x->n_out);
    for (int32_t i = 0; i < y->n_out; i++) {
        const struct taps *taps = &fy->taps[i];

        blend_rows_avx512(row + 3 * (size_t)first,
                          in + (size_t)taps->first * stride + 3 * (size_t)first, stride,
                          fy->weights + (size_t)i * (size_t)fy->n_most, taps->n, 3 * (size_t)n);
        blend_columns(out + 3 * (size_t)i * (size_t)x->n_out, row, fx, x->n_out, true);
    }
}
#endif

dpl_status dpli_resample(uint8_t *out, const uint8_t *in, const dpli_axis *x, const dpli_axis *y,
                         dpl_error *err)
{
    struct filter fx = {0}, fy = {0};
    float *row = NULL;
    dpl_status status;
    size_t n_row;

    status = filter_init(&fx, x, err);
    if (status)
        goto done;
    status = filter_init(&fy, y, err);
    if (status)
        goto done;
    n_row = 3 * ((size_t)x->n_in + (size_t)fx.n_most) + 1;
    row = dpli_alloc_aligned(n_row, sizeof *row, err);
    if (!row) {
        status = DPL_E_MEMORY;
        goto done;
    }
    memset(row, 0, n_row * sizeof *row);
#if defined(__x86_64__)
    if (dpli_cpu_level() >= DPLI_CPU_AVX512)
        resample_avx512(out, in, x, y, &fx, &fy, row);
    else if (dpli_cpu_level() >= DPLI_CPU_AVX2)
        resample_avx2(out, in, x, y, &fx, &fy, row);
    else
#endif
        resample_baseline(out, in, x, y, &fx, &fy, row);
done:
    free(row);
    filter_clear(&fx);
    filter_clear(&fy);
    return status;
}

dpl_status dpl_image_resize(dpl_image *out, const dpl_image *in, int32_t width_px,
                            int32_t height_px, dpl_error *err)
{
    const dpl_image empty = DPL_IMAGE_INIT;
    dpl_image image = *in;
    dpl_status status;

    *out = empty;
    if (width_px < 1 || height_px < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "cannot resize to %dx%d pixels", width_px, height_px);
    if (!in->pixels)
        return dpli_fail(err, DPL_E_ARGUMENT, "image has no pixels");
    image.pixels = dpli_alloc((size_t)width_px * (size_t)height_px, 3, err);
    if (!image.pixels)
        return DPL_E_MEMORY;
    image.width_px = width_px;
    image.height_px = height_px;
    status = dpli_resample(
        image.pixels, in->pixels,
        &(dpli_axis){in->width_px, width_px, 0, (double)in->width_px / width_px},
        &(dpli_axis){in->height_px, height_px, 0, (double)in->height_px / height_px}, err);
    if (status)
        dpl_image_clear(&image);
    else
        *out = image;
    return status;
}
