/*
 * loss_rows.c - sums over rows of embeddings, rows of unit length, and the loss that compares a row
 * with a teacher's row: distillation.
 *
 * Distillation: the mean over rows and teachers of 1 - cos(y, t), y being the row itself or, where
 * the teacher's vectors have another length, a linear map of it (no bias) that is learned along and
 * thrown away after: after Hinton, Vinyals, Dean 2015 and Romero et al. 2015 ("regressor"), with
 * the cosine in place of a squared error since only directions are compared in the end.
 */
#include <math.h>
#include <string.h>

#include "net/kernels.h"
#include "train/loss_internal.h"

/* ------------------------------------------------------------------ sums */

/* In the compiler's notation, passed by address only: see index/head.c. */
typedef float v16f __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

/* Once more for processors with wider vectors. Nothing is contracted: all agree to the bit. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) &&   \
    !defined(__SANITIZE_THREAD__)
#define FOR_EACH_CPU __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define FOR_EACH_CPU
#endif

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

FOR_EACH_CPU
double dpli_row_dot(const float *a, const float *b, size_t n)
{
    return row_sum(a, b, NULL, n, SUM_DOT);
}

FOR_EACH_CPU
double dpli_row_l2(const float *a, const float *b, size_t n)
{
    return row_sum(a, b, NULL, n, SUM_L2);
}

FOR_EACH_CPU
double dpli_row_l1(const float *a, const float *b, size_t n)
{
    return row_sum(a, b, NULL, n, SUM_L1);
}

FOR_EACH_CPU
double dpli_row_wl1(const float *a, const float *b, const float *w, size_t n)
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

/* ------------------------------------------------------------------ distillation */

typedef struct distil_run {
    const dpli_loss_batch *batch;
    const dpli_param *map;
    const float *teacher; /* [n, td] */
    size_t dim, td;
    double scale;  /* of a row's part in the mean */
    double *parts; /* [n] */
    float *y;      /* [n, td]: the mapped rows, then their gradient */
    bool add;      /* to the gradient: another teacher's is in it */
} distil_run;

static void distil_rows(void *ctx, int worker, size_t from, size_t to)
{
    const distil_run *k = ctx;
    const float *x = k->batch->embeddings + from * k->dim;
    float *grad = k->batch->grad ? k->batch->grad + from * k->dim : NULL;

    (void)worker;
    if (k->map)
        dpli_gemm(0, 1, to - from, k->td, k->dim, 1, x, k->dim, k->map->value, k->dim, 0,
                  k->y + from * k->td, k->td);
    for (size_t r = from; r < to; r++) {
        const float *t = k->teacher + r * k->td;
        const float *y = k->map ? k->y + r * k->td : x + (r - from) * k->dim;
        double yi = dpli_row_inverse(y, k->td), ti = dpli_row_inverse(t, k->td);
        double cosine = dpli_row_dot(y, t, k->td) * yi * ti;
        float by_t = (float)(-k->scale * yi * ti), by_y = (float)(k->scale * cosine * yi * yi);

        k->parts[r] += k->scale * (1 - cosine);
        if (!grad)
            continue;
        /* -(t / |t| - cos y / |y|) / |y| */
        if (k->map) {
            float *d = k->y + r * k->td;
            for (size_t i = 0; i < k->td; i++)
                d[i] = by_t * t[i] + by_y * d[i];
        } else {
            float *d = grad + (r - from) * k->dim;
            for (size_t i = 0; i < k->td; i++)
                d[i] = (k->add ? d[i] : 0) + (by_t * t[i] + by_y * y[i]);
        }
    }
    if (grad && k->map)
        dpli_gemm(0, 0, to - from, k->dim, k->td, 1, k->y + from * k->td, k->td, k->map->value,
                  k->dim, k->add ? 1 : 0, grad, k->dim);
}

static void distil_map(void *ctx, int worker, size_t from, size_t to)
{
    const distil_run *k = ctx;

    (void)worker;
    dpli_gemm(1, 0, to - from, k->dim, (size_t)k->batch->n, 1, k->y + from, k->td,
              k->batch->embeddings, k->dim, 0, k->map->grad + from * k->dim, k->dim);
}

dpl_status dpli_loss_run_distil(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                dpli_team *team, size_t *n_correct, dpl_error *err)
{
    const size_t n = (size_t)batch->n;
    const int32_t n_teachers = loss->options.n_teachers;
    distil_run k = {.batch = batch, .dim = (size_t)loss->options.dim};
    size_t widest = 0;
    char *at;
    dpl_status status;

    for (int32_t i = 0; i < n_teachers; i++)
        if (loss->maps[i] && (size_t)loss->teacher_dims[i] > widest)
            widest = (size_t)loss->teacher_dims[i];
    status = dpli_loss_room(
        &at, loss, dpli_loss_bytes(n, sizeof *k.parts) + dpli_loss_bytes(n * widest, sizeof *k.y),
        err);
    if (status != DPL_OK)
        return status;
    k.parts = dpli_loss_take(&at, n, sizeof *k.parts);
    k.y = dpli_loss_take(&at, n * widest, sizeof *k.y);
    k.scale = 1 / ((double)n * n_teachers);
    memset(k.parts, 0, n * sizeof *k.parts);
    for (int32_t i = 0; i < n_teachers; i++) {
        k.map = loss->maps[i];
        k.teacher = batch->teachers[i];
        k.td = (size_t)loss->teacher_dims[i];
        k.add = i > 0;
        dpli_team_run(team, n, distil_rows, &k);
        if (batch->grad && k.map)
            dpli_team_run(team, k.td, distil_map, &k);
    }
    for (size_t r = 0; r < n; r++)
        *out += k.parts[r];
    *n_correct = 0;
    return DPL_OK;
}
