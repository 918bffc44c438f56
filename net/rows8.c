/*
 * rows8.c - products of whole numbers, for searches that look at 8 bits a number first.
 *
 * A plain loop, of which the compiler makes what the processor has for products of 16 bits added in
 * pairs. Out of the second cache it runs as fast as one with AVX512-VNNI by hand, for it waits for
 * memory (docs/speed-log.md).
 */
#include "net/rows8.h"

#include "base/cpu.h"

static inline __attribute__((always_inline)) int32_t dot(const int16_t *a, const int8_t *b,
                                                         int32_t width)
{
    int32_t sum = 0;

    width &= ~31;
    for (int32_t i = 0; i < width; i++)
        sum += (int32_t)a[i] * (int32_t)b[i];
    return sum;
}

DPLI_EACH_CPU(, void, dpli_rows8_dot,
              (int32_t * out, const int16_t *a, const int8_t *rows, size_t stride, size_t n,
               int32_t width),
              (out, a, rows, stride, n, width))
{
    for (size_t r = 0; r < n; r++)
        out[r] = dot(a, rows + r * stride, width);
}

DPLI_EACH_CPU(, void, dpli_rows8_dot_at,
              (int32_t * out, const int16_t *a, const int8_t *rows, size_t stride,
               const uint32_t *at, size_t n, int32_t width),
              (out, a, rows, stride, at, n, width))
{
    for (size_t r = 0; r < n; r++)
        out[r] = dot(a, rows + at[r] * stride, width);
}
