/*
 * loss.c - a loss: its kind, its parameters and where they start.
 *
 * The kinds themselves are in loss_pairs.c (what compares pairs), loss_classes.c (what knows each
 * row's class) and loss_rows.c (distillation, and sums over rows).
 *
 * Starts. Weighted L1: score.h's head is sigmoid(sum w_i |a_i - b_i| + bias) with higher for more
 * alike, so the weights start below 0: -6 / dim each, bias 1. Equal vectors then have a logit of 1,
 * vectors of independent uniform numbers in 0..1 (|a - b| is 1/3 in the mean) one of -1, opposite
 * corners of the cube one of -5: nothing is saturated, at any dim. Class centres and maps are
 * normal with variance 1 / dim, which gives centres a length of about 1 and keeps the length of
 * what is mapped.
 */
#include "train/loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "train/loss_internal.h"

/* As index/head.c. */
#define MAX_DIM     65536
#define MAX_CLASSES 100000
#define MAX_ROWS    65536
/* All pairs of 16384 rows. */
#define MAX_PAIRS ((size_t)1 << 27)

static const struct {
    const char *head;
    bool pairs;
    double margin, low, high; /* usual, and what makes sense */
} kinds[] = {
    [DPLI_LOSS_CONTRASTIVE] = {"euclidean", true, 1, 1e-6, 1e6},
    [DPLI_LOSS_L1_SIGMOID] = {"l1-sigmoid", true, 0, 0, 0},
    [DPLI_LOSS_MANHATTAN_CE] = {"exp-manhattan", true, 0, 0, 0},
    [DPLI_LOSS_MANHATTAN_SE] = {"exp-manhattan", true, 0, 0, 0},
    [DPLI_LOSS_COSINE] = {"cosine", true, 0.5, -1, 1},
    [DPLI_LOSS_TRIPLET] = {"cosine", false, 0.2, 0, 4},
    [DPLI_LOSS_ARC] = {"cosine", false, 0.5, 0, 3.14},
    [DPLI_LOSS_DISTIL] = {"cosine", false, 0, 0, 0},
};
#define N_KINDS ((int)(sizeof kinds / sizeof kinds[0]))

bool dpli_loss_takes_pairs(dpli_loss_kind kind)
{
    return kinds[kind].pairs;
}

const char *dpli_loss_head(dpli_loss_kind kind)
{
    return kinds[kind].head;
}

/* ------------------------------------------------------------------ making one */

static dpl_status check(const dpli_loss_options *o, dpl_error *err)
{
    if ((int)o->kind < 0 || (int)o->kind >= N_KINDS)
        return dpli_fail(err, DPL_E_ARGUMENT, "no loss has the number %d", (int)o->kind);
    if (o->dim < 1 || o->dim > MAX_DIM)
        return dpli_fail(err, DPL_E_ARGUMENT, "a loss of vectors of length %d, limit is %d",
                         (int)o->dim, MAX_DIM);
    if (!isnan(o->margin) && kinds[o->kind].low < kinds[o->kind].high &&
        !((double)o->margin >= kinds[o->kind].low && (double)o->margin <= kinds[o->kind].high))
        return dpli_fail(err, DPL_E_ARGUMENT, "the loss's margin is %g, wanted is %g to %g",
                         (double)o->margin, kinds[o->kind].low, kinds[o->kind].high);
    if (o->kind == DPLI_LOSS_ARC && (o->n_classes < 2 || o->n_classes > MAX_CLASSES))
        return dpli_fail(err, DPL_E_ARGUMENT, "a loss of %d classes, wanted is 2 to %d",
                         (int)o->n_classes, MAX_CLASSES);
    if (o->kind == DPLI_LOSS_ARC && !isnan(o->scale) && !(o->scale > 0 && o->scale <= 1e4f))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the loss's scale is %g, wanted is above 0, at most 10000",
                         (double)o->scale);
    if (o->kind != DPLI_LOSS_DISTIL)
        return DPL_OK;
    if (o->n_teachers < 1 || o->n_teachers > DPLI_MAX_TEACHERS)
        return dpli_fail(err, DPL_E_ARGUMENT, "distillation from %d teachers, wanted is 1 to %d",
                         (int)o->n_teachers, DPLI_MAX_TEACHERS);
    for (int32_t i = 0; i < o->n_teachers; i++)
        if (o->teacher_dims[i] < 1 || o->teacher_dims[i] > MAX_DIM)
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "teacher %d has vectors of length %d, limit is %d", (int)i,
                             (int)o->teacher_dims[i], MAX_DIM);
    return DPL_OK;
}

/* The next parameter, [rows, columns], zeroed; NULL for want of memory. */
static dpli_param *add_param(dpli_loss *loss, const char *name, dpli_param_kind kind, int32_t rows,
                             int32_t columns, dpl_error *err)
{
    dpli_param *p = &loss->params[loss->n_params];

    snprintf(loss->names[loss->n_params], sizeof loss->names[0], "%s", name);
    *p = (dpli_param){.name = loss->names[loss->n_params++],
                      .layer = "loss",
                      .value_id = -1,
                      .kind = kind,
                      .shape = {.rank = 2, .dims = {rows, columns}},
                      .n = (size_t)rows * (size_t)columns,
                      .fan_in = (size_t)columns,
                      .fan_out = (size_t)rows};
    p->value = dpli_calloc(p->n, sizeof *p->value, err);
    p->grad = p->value ? dpli_calloc(p->n, sizeof *p->grad, err) : NULL;
    return p->grad ? p : NULL;
}

static void start_normal(dpli_param *p, dpli_rng *rng)
{
    double scale = 1 / sqrt((double)p->fan_in);

    for (size_t i = 0; i < p->n; i++)
        p->value[i] = (float)(scale * dpli_rng_normal(rng));
}

static dpl_status make_params(dpli_loss *loss, dpl_error *err)
{
    const dpli_loss_options *o = &loss->options;
    dpli_param *p, *bias;
    dpli_rng rng;

    dpli_rng_seed(&rng, o->seed);
    if (o->kind == DPLI_LOSS_L1_SIGMOID) {
        if (!(p = add_param(loss, "loss.weights", DPLI_PARAM_DENSE, 1, o->dim, err)) ||
            !(bias = add_param(loss, "loss.bias", DPLI_PARAM_BIAS, 1, 1, err)))
            return DPL_E_MEMORY;
        for (size_t i = 0; i < p->n; i++)
            p->value[i] = -6.0f / (float)o->dim;
        bias->value[0] = 1;
    } else if (o->kind == DPLI_LOSS_ARC) {
        if (!(p = add_param(loss, "loss.centres", DPLI_PARAM_DENSE, o->n_classes, o->dim, err)))
            return DPL_E_MEMORY;
        start_normal(p, &rng);
    } else if (o->kind == DPLI_LOSS_DISTIL) {
        for (int32_t i = 0; i < o->n_teachers; i++) {
            char name[24];

            if (o->teacher_dims[i] == o->dim)
                continue;
            snprintf(name, sizeof name, "loss.map.%d", (int)i);
            if (!(p = add_param(loss, name, DPLI_PARAM_DENSE, o->teacher_dims[i], o->dim, err)))
                return DPL_E_MEMORY;
            start_normal(p, &rng);
            loss->maps[i] = p;
        }
    }
    return DPL_OK;
}

dpl_status dpli_loss_new(dpli_loss **out, const dpli_loss_options *options, dpl_error *err)
{
    dpli_loss *loss = NULL;
    dpl_status status = check(options, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    if (!(loss = dpli_calloc(1, sizeof *loss, err)))
        return DPL_E_MEMORY;
    loss->options = *options;
    if (isnan(options->margin))
        loss->options.margin = (float)kinds[options->kind].margin;
    if (isnan(options->scale))
        loss->options.scale = 64;
    if (options->kind == DPLI_LOSS_DISTIL)
        memcpy(loss->teacher_dims, options->teacher_dims,
               (size_t)options->n_teachers * sizeof *loss->teacher_dims);
    loss->options.teacher_dims = loss->teacher_dims;
    if ((status = make_params(loss, err)) == DPL_OK) {
        *out = loss;
        loss = NULL;
    }
    dpli_loss_free(loss);
    return status;
}

void dpli_loss_free(dpli_loss *loss)
{
    if (!loss)
        return;
    for (int32_t i = 0; i < loss->n_params; i++) {
        free(loss->params[i].value);
        free(loss->params[i].grad);
    }
    free(loss->room);
    free(loss);
}

int32_t dpli_loss_n_params(const dpli_loss *loss)
{
    return loss->n_params;
}

dpli_param *dpli_loss_param(dpli_loss *loss, int32_t i)
{
    return &loss->params[i];
}

/* ------------------------------------------------------------------ running one */

dpl_status dpli_loss_room(char **at, dpli_loss *loss, size_t bytes, dpl_error *err)
{
    if (bytes > loss->room_bytes) {
        free(loss->room);
        loss->room_bytes = 0;
        if (!(loss->room = dpli_alloc_aligned(bytes, 1, err)))
            return DPL_E_MEMORY;
        loss->room_bytes = bytes;
    }
    *at = loss->room;
    return DPL_OK;
}

static dpl_status check_batch(const dpli_loss *loss, const dpli_loss_batch *b, dpl_error *err)
{
    if (b->n < 0 || b->n > MAX_ROWS)
        return dpli_fail(err, DPL_E_ARGUMENT, "a batch of %d rows, limit is %d", (int)b->n,
                         MAX_ROWS);
    if (kinds[loss->options.kind].pairs) {
        if (b->n_pairs > MAX_PAIRS)
            return dpli_fail(err, DPL_E_ARGUMENT, "a batch of %zu pairs, limit is %zu", b->n_pairs,
                             MAX_PAIRS);
        for (size_t i = 0; i < b->n_pairs; i++)
            if (b->pairs[i].a < 0 || b->pairs[i].a >= b->n || b->pairs[i].b < 0 ||
                b->pairs[i].b >= b->n)
                return dpli_fail(err, DPL_E_ARGUMENT, "pair %zu is of rows %d and %d, there are %d",
                                 i, (int)b->pairs[i].a, (int)b->pairs[i].b, (int)b->n);
    }
    if (loss->options.kind == DPLI_LOSS_ARC)
        for (int32_t i = 0; i < b->n; i++)
            if (b->labels[i] < 0 || b->labels[i] >= loss->options.n_classes)
                return dpli_fail(err, DPL_E_ARGUMENT, "row %d is of class %d, there are %d", (int)i,
                                 (int)b->labels[i], (int)loss->options.n_classes);
    return DPL_OK;
}

dpl_status dpli_loss_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                         dpli_team *team, size_t *n_correct, dpl_error *err)
{
    size_t unused;
    dpl_status status = check_batch(loss, batch, err);

    if (status != DPL_OK)
        return status;
    n_correct = n_correct ? n_correct : &unused;
    *out = 0;
    *n_correct = 0;
    switch (loss->options.kind) {
    case DPLI_LOSS_TRIPLET: return dpli_loss_run_triplet(out, loss, batch, team, n_correct, err);
    case DPLI_LOSS_ARC: return dpli_loss_run_arc(out, loss, batch, team, n_correct, err);
    case DPLI_LOSS_DISTIL: return dpli_loss_run_distil(out, loss, batch, team, n_correct, err);
    default: return dpli_loss_run_pairs(out, loss, batch, team, n_correct, err);
    }
}
