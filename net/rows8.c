/*
 * rows8.c - products of whole numbers, for searches that look at 8 bits a number first.
 *
 * A plain loop, of which the compiler makes what the processor has for products of 16 bits added in
 * pairs. Out of the second cache it runs as fast as one with AVX512-VNNI by hand, for it waits for
 * memory (docs/speed-log.md). ARM's NEON has no such product: where there is its dot product of
 * bytes, the vector's words are taken in halves, two instructions for 16 numbers instead of six.
 */
#include "net/rows8.h"

#include <stdbool.h>

#include "base/cpu.h"

#if defined(__AARCH64EL__) && defined(__linux__)
#include <arm_neon.h>
#include <string.h>
#define HAS_SDOT 1
#endif

static inline __attribute__((always_inline)) int32_t dot(const int16_t *a, const int8_t *b,
                                                         int32_t width)
{
    int32_t sum = 0;

    width &= ~31;
    for (int32_t i = 0; i < width; i++)
        sum += (int32_t)a[i] * (int32_t)b[i];
    return sum;
}

#if defined(HAS_SDOT)

/* Of a vector so many at once in its two halves. */
enum { PART = 512 };

/* a = 256 high + low; false where a number is too large for that. */
static bool halve(int8_t *high, int8_t *low, const int16_t *a, int32_t n)
{
    int16_t most = 0;

    for (int32_t i = 0; i < n; i++) {
        most = a[i] > most ? a[i] : most;
        low[i] = (int8_t)((a[i] & 0xff) - ((a[i] & 0x80) << 1));
        high[i] = (int8_t)((a[i] - low[i]) >> 8);
    }
    return most < 127 * 256 + 128;
}

static __attribute__((target("arch=armv8.2-a+dotprod"))) int32_t dot_halves(const int8_t *high,
                                                                            const int8_t *low,
                                                                            const int8_t *b,
                                                                            int32_t n)
{
    int32x4_t sums[4] = {vdupq_n_s32(0)};

    for (int32_t i = 0; i < n; i += 32) {
        const int8x16_t b0 = vld1q_s8(b + i), b1 = vld1q_s8(b + i + 16);

        sums[0] = vdotq_s32(sums[0], b0, vld1q_s8(high + i));
        sums[1] = vdotq_s32(sums[1], b0, vld1q_s8(low + i));
        sums[2] = vdotq_s32(sums[2], b1, vld1q_s8(high + i + 16));
        sums[3] = vdotq_s32(sums[3], b1, vld1q_s8(low + i + 16));
    }
    /* What 256 times the one is too large for is gone when both are added. */
    return (int32_t)(((uint32_t)vaddvq_s32(sums[0] + sums[2]) << 8) +
                     (uint32_t)vaddvq_s32(sums[1] + sums[3]));
}

/* As dpli_rows8_dot_at, and of all rows without at; false where it cannot. */
static bool dot_by_halves(int32_t *out, const int16_t *a, const int8_t *rows, size_t stride,
                          const uint32_t *at, size_t n, int32_t width)
{
    int8_t high[PART], low[PART];

    if (dpli_cpu_bytes() < DPLI_BYTES_DOTPROD)
        return false;
    width &= ~31;
    memset(out, 0, n * sizeof *out);
    for (int32_t from = 0; from < width; from += PART) {
        const int32_t many = width - from < PART ? width - from : PART;

        if (!halve(high, low, a + from, many))
            return false;
        for (size_t r = 0; r < n; r++)
            out[r] += dot_halves(high, low, rows + (at ? at[r] : r) * stride + from, many);
    }
    return true;
}

#else

static bool dot_by_halves(int32_t *out, const int16_t *a, const int8_t *rows, size_t stride,
                          const uint32_t *at, size_t n, int32_t width)
{
    (void)out, (void)a, (void)rows, (void)stride, (void)at, (void)n, (void)width;
    return false;
}

#endif

DPLI_EACH_CPU(, void, dpli_rows8_dot,
              (int32_t * out, const int16_t *a, const int8_t *rows, size_t stride, size_t n,
               int32_t width),
              (out, a, rows, stride, n, width))
{
    if (dot_by_halves(out, a, rows, stride, NULL, n, width))
        return;
    for (size_t r = 0; r < n; r++)
        out[r] = dot(a, rows + r * stride, width);
}

DPLI_EACH_CPU(, void, dpli_rows8_dot_at,
              (int32_t * out, const int16_t *a, const int8_t *rows, size_t stride,
               const uint32_t *at, size_t n, int32_t width),
              (out, a, rows, stride, at, n, width))
{
    if (dot_by_halves(out, a, rows, stride, at, n, width))
        return;
    for (size_t r = 0; r < n; r++)
        out[r] = dot(a, rows + at[r] * stride, width);
}
