/*
 * rows.c - a vector compared with each of many: what heads make scores of, searching and training.
 *
 * One pass over each row, in double precision, with a fixed order of summation: 16 partial sums,
 * element i in sum i mod 16, then pairwise. So a pair has the same number, to the bit, alone or
 * among others and on every processor. With AVX-512 the loops are slower (docs/speed-log.md).
 */
#include "net/rows.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"

/* Vectors in the compiler's notation: it lowers them to what the processor has. They are passed by
   address only, for how they are passed by value depends on that processor. */
typedef float v4f __attribute__((vector_size(16)));
typedef double v4d __attribute__((vector_size(32)));
typedef int64_t v4i __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

/* Four vectors of four: enough sums at once to hide the latency of an addition. */
#define LANES 16

/* The 16 elements at p as x[0..3]; at a row's end what is left of them, and zeros. */
INLINE void load16(v4d x[4], const float *p, int32_t left)
{
    float padded[LANES];

    if (left < LANES) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, p, (size_t)left * sizeof *p);
        p = padded;
    }
    for (int j = 0; j < 4; j++) {
        v4f f;
        memcpy(&f, p + 4 * j, sizeof f);
        x[j] = __builtin_convertvector(f, v4d);
    }
}

#define ABS4(x) ((v4d)((v4i)(x)&INT64_MAX))

INLINE double sum16(const v4d s[4])
{
    v4d t = (s[0] + s[1]) + (s[2] + s[3]);

    return (t[0] + t[1]) + (t[2] + t[3]);
}

/* sum_i a_i b_i / (|a| |b|), the score itself */
DPLI_EACH_CPU_TO_AVX2(, void, dpli_rows_cosine,
                      (float *out, const float *a, const float *rows, size_t n, int32_t dim),
                      (out, a, rows, n, dim))
{
    v4d x[4], y[4], aa[4] = {{0}};
    double norm_a;

    for (int32_t i = 0; i < dim; i += LANES) {
        load16(x, a + i, dim - i);
        for (int j = 0; j < 4; j++)
            aa[j] += x[j] * x[j];
    }
    norm_a = sqrt(sum16(aa));
    for (size_t r = 0; r < n; r++) {
        const float *b = rows + r * (size_t)dim;
        v4d ab[4] = {{0}}, bb[4] = {{0}};

        for (int32_t i = 0; i < dim; i += LANES) {
            load16(x, a + i, dim - i);
            load16(y, b + i, dim - i);
            for (int j = 0; j < 4; j++) {
                ab[j] += x[j] * y[j];
                bb[j] += y[j] * y[j];
            }
        }
        out[r] = (float)(sum16(ab) / (norm_a * sqrt(sum16(bb))));
    }
}

/* sum_i (a_i - b_i)^2 */
DPLI_EACH_CPU_TO_AVX2(, void, dpli_rows_l2,
                      (double *sums, const float *a, const float *rows, size_t n, int32_t dim),
                      (sums, a, rows, n, dim))
{
    v4d x[4], y[4];

    for (size_t r = 0; r < n; r++) {
        const float *b = rows + r * (size_t)dim;
        v4d s[4] = {{0}};

        for (int32_t i = 0; i < dim; i += LANES) {
            load16(x, a + i, dim - i);
            load16(y, b + i, dim - i);
            for (int j = 0; j < 4; j++)
                s[j] += (x[j] - y[j]) * (x[j] - y[j]);
        }
        sums[r] = sum16(s);
    }
}

/* sum_i |a_i - b_i| */
DPLI_EACH_CPU_TO_AVX2(, void, dpli_rows_l1,
                      (double *sums, const float *a, const float *rows, size_t n, int32_t dim),
                      (sums, a, rows, n, dim))
{
    v4d x[4], y[4];

    for (size_t r = 0; r < n; r++) {
        const float *b = rows + r * (size_t)dim;
        v4d s[4] = {{0}};

        for (int32_t i = 0; i < dim; i += LANES) {
            load16(x, a + i, dim - i);
            load16(y, b + i, dim - i);
            for (int j = 0; j < 4; j++)
                s[j] += ABS4(x[j] - y[j]);
        }
        sums[r] = sum16(s);
    }
}

/* sum_i w_i |a_i - b_i| */
DPLI_EACH_CPU_TO_AVX2(, void, dpli_rows_weighted_l1,
                      (double *sums, const float *a, const float *rows, size_t n, int32_t dim,
                       const float *w),
                      (sums, a, rows, n, dim, w))
{
    v4d x[4], y[4], z[4];

    for (size_t r = 0; r < n; r++) {
        const float *b = rows + r * (size_t)dim;
        v4d s[4] = {{0}};

        for (int32_t i = 0; i < dim; i += LANES) {
            load16(x, a + i, dim - i);
            load16(y, b + i, dim - i);
            load16(z, w + i, dim - i);
            for (int j = 0; j < 4; j++)
                s[j] += z[j] * ABS4(x[j] - y[j]);
        }
        sums[r] = sum16(s);
    }
}
