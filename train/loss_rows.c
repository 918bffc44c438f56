/*
 * loss_rows.c - sums over rows of embeddings, and rows of unit length.
 */
#include "train/loss_rows.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/cpu.h"

/* ------------------------------------------------------------------ sums */

/* In the compiler's notation, passed by address only: see index/head.c. */
typedef float v16f __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

typedef enum sum_kind { SUM_DOT, SUM_L2, SUM_L1, SUM_WL1 } sum_kind;

INLINE void add16(v16f *s, const float *a, const float *b, const float *w, sum_kind kind)
{
    v16f x, y, z;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (kind == SUM_DOT) {
        *s += x * y;
        return;
    }
    x -= y;
    if (kind == SUM_L2) {
        *s += x * x;
        return;
    }
    x = (v16f)((v16i)x & INT32_MAX);
    if (kind == SUM_WL1) {
        memcpy(&z, w, sizeof z);
        x *= z;
    }
    *s += x;
}

/* Four vectors of sums hide the latency of an addition. */
INLINE double row_sum(const float *a, const float *b, const float *w, size_t n, sum_kind kind)
{
    v16f s[4] = {{0}};
    float ends[3][LANES] = {{0}};
    double sum = 0;
    size_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (size_t j = 0; j < 4; j++)
            add16(&s[j], a + i + j * LANES, b + i + j * LANES, w ? w + i + j * LANES : NULL, kind);
    for (; i + LANES <= n; i += LANES)
        add16(&s[0], a + i, b + i, w ? w + i : NULL, kind);
    if (i < n) {
        memcpy(ends[0], a + i, (n - i) * sizeof *a);
        memcpy(ends[1], b + i, (n - i) * sizeof *b);
        if (w)
            memcpy(ends[2], w + i, (n - i) * sizeof *w);
        add16(&s[1], ends[0], ends[1], ends[2], kind);
    }
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < LANES; k++)
            sum += (double)s[j][k];
    return sum;
}

DPLI_EACH_CPU(, double, dpli_row_dot, (const float *a, const float *b, size_t n), (a, b, n))
{
    return row_sum(a, b, NULL, n, SUM_DOT);
}

DPLI_EACH_CPU(, double, dpli_row_l2, (const float *a, const float *b, size_t n), (a, b, n))
{
    return row_sum(a, b, NULL, n, SUM_L2);
}

DPLI_EACH_CPU(, double, dpli_row_l1, (const float *a, const float *b, size_t n), (a, b, n))
{
    return row_sum(a, b, NULL, n, SUM_L1);
}

DPLI_EACH_CPU(, double, dpli_row_wl1, (const float *a, const float *b, const float *w, size_t n),
              (a, b, w, n))
{
    return row_sum(a, b, w, n, SUM_WL1);
}

float dpli_row_inverse(const float *x, size_t n)
{
    double square = dpli_row_dot(x, x, n);

    if (!isfinite(square))
        return NAN;
    return square == 0 ? 0 : (float)(1 / sqrt(square));
}

/* ------------------------------------------------------------------ unit rows */

typedef struct unit_run {
    float *out, *inverse;
    const float *in, *unit, *inverses;
    size_t dim;
} unit_run;

static void unit_rows(void *ctx, int worker, size_t from, size_t to)
{
    const unit_run *u = ctx;

    (void)worker;
    for (size_t r = from; r < to; r++) {
        const float *in = u->in + r * u->dim;
        float *out = u->out + r * u->dim;
        float inverse = dpli_row_inverse(in, u->dim);

        u->inverse[r] = inverse;
        for (size_t i = 0; i < u->dim; i++)
            out[i] = inverse * in[i];
    }
}

void dpli_rows_unit(float *unit, float *inverse, const float *rows, size_t n, size_t dim,
                    dpli_team *team)
{
    unit_run u = {.out = unit, .inverse = inverse, .in = rows, .dim = dim};

    dpli_team_run(team, n, unit_rows, &u);
}

static void unit_back(void *ctx, int worker, size_t from, size_t to)
{
    const unit_run *u = ctx;

    (void)worker;
    for (size_t r = from; r < to; r++) {
        const float *d = u->in + r * u->dim, *unit = u->unit + r * u->dim;
        float *out = u->out + r * u->dim, along = (float)dpli_row_dot(d, unit, u->dim);

        for (size_t i = 0; i < u->dim; i++)
            out[i] = u->inverses[r] * (d[i] - along * unit[i]);
    }
}

void dpli_rows_unit_back(float *grad, const float *d, const float *unit, const float *inverse,
                         size_t n, size_t dim, dpli_team *team)
{
    unit_run u = {.out = grad, .in = d, .unit = unit, .inverses = inverse, .dim = dim};

    dpli_team_run(team, n, unit_back, &u);
}
