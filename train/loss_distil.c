/*
 * loss_distil.c - the loss that compares a row with a teacher's row: distillation.
 *
 * The mean over rows and teachers of 1 - cos(y, t), y being the row itself or, where the teacher's
 * vectors have another length, a linear map of it (no bias) that is learned along and thrown away
 * after: after Hinton, Vinyals, Dean 2015 and Romero et al. 2015 ("regressor"), with the cosine in
 * place of a squared error since only directions are compared in the end.
 */
#include "train/loss_distil.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "net/blas.h"
#include "train/loss_rows.h"

dpl_status dpli_loss_distil_check(const dpli_loss_options *o, dpl_error *err)
{
    if (o->n_teachers < 1 || o->n_teachers > DPLI_LOSS_MAX_TEACHERS)
        return dpli_fail(err, DPL_E_ARGUMENT, "distillation from %d teachers, wanted is 1 to %d",
                         (int)o->n_teachers, DPLI_LOSS_MAX_TEACHERS);
    for (int32_t i = 0; i < o->n_teachers; i++)
        if (o->teacher_dims[i] < 1 || o->teacher_dims[i] > DPL_MAX_DIM)
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "teacher %d has vectors of length %d, limit is %d", (int)i,
                             (int)o->teacher_dims[i], DPL_MAX_DIM);
    return DPL_OK;
}

dpl_status dpli_loss_distil_start(dpli_loss *loss, dpl_error *err)
{
    const dpli_loss_options *o = &loss->options;
    dpli_rng rng;

    dpli_rng_seed(&rng, o->seed);
    for (int32_t i = 0; i < o->n_teachers; i++) {
        char name[24];
        dpl_status status;

        if (o->teacher_dims[i] == o->dim)
            continue;
        snprintf(name, sizeof name, "loss.map.%d", (int)i);
        status = dpli_loss_add_param(&loss->maps[i], loss, name, DPLI_PARAM_DENSE,
                                     o->teacher_dims[i], o->dim, err);
        if (status != DPL_OK)
            return status;
        dpli_loss_start_normal(loss->maps[i], &rng);
    }
    return DPL_OK;
}

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

dpl_status dpli_loss_distil_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
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
