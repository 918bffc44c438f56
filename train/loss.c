/*
 * loss.c - a loss: the table of its kinds, making one, checking and running a batch.
 *
 * The kinds themselves are in loss_pairs.c (what compares pairs), loss_classes.c (what knows each
 * row's class), loss_distil.c (what has teachers) and loss_across.c (what has both); loss_rows.c
 * has sums over rows, loss_state.c what they all work with.
 *
 * Starts. Weighted L1: score.h's head is sigmoid(sum w_i |a_i - b_i| + bias) with higher for more
 * alike, so the weights start below 0: -6 / dim each, bias 1. Equal vectors then have a logit of 1,
 * vectors of independent uniform numbers in 0..1 (|a - b| is 1/3 in the mean) one of -1, opposite
 * corners of the cube one of -5: nothing is saturated, at any dim. Similarities start at the same
 * head; a distance at 2 - 4 d, whose middle is contrastive's, 1/2. Class centres and maps are
 * normal with variance 1 / dim, which gives centres a length of about 1 and keeps the length of
 * what is mapped.
 */
#include "train/loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "train/loss_across.h"
#include "train/loss_classes.h"
#include "train/loss_distil.h"
#include "train/loss_pairs.h"

#define MAX_ROWS 65536

/* A kind of loss. What is NULL has nothing of its own to do there. */
typedef struct loss_kind {
    const char *head;
    bool pairs, teachers;     /* takes them */
    double margin, low, high; /* usual, and what makes sense */
    dpl_status (*check)(const dpli_loss_options *o, dpl_error *err);
    dpl_status (*start)(dpli_loss *loss, dpl_error *err); /* its parameters */
    dpl_status (*check_batch)(const dpli_loss *loss, const dpli_loss_batch *batch, dpl_error *err);
    /* *out and *n_correct are 0 before. */
    dpl_status (*run)(double *out, dpli_loss *loss, const dpli_loss_batch *batch, dpli_team *team,
                      size_t *n_correct, dpl_error *err);
} loss_kind;

/* Of pairs: what is learned along differs, how a batch is checked and run does not. */
#define OF_PAIRS(head_, margin_, low_, high_, start_)                                              \
    {                                                                                              \
        .head = head_, .pairs = true, .margin = margin_, .low = low_, .high = high_,               \
        .start = start_, .check_batch = dpli_loss_pairs_check_batch, .run = dpli_loss_pairs_run    \
    }

static const loss_kind kinds[] = {
    [DPLI_LOSS_CONTRASTIVE] = OF_PAIRS("euclidean", 1, 1e-6, 1e6, NULL),
    [DPLI_LOSS_L1_SIGMOID] = OF_PAIRS("l1-sigmoid", 0, 0, 0, dpli_loss_l1_start),
    [DPLI_LOSS_MANHATTAN_CE] = OF_PAIRS("exp-manhattan", 0, 0, 0, NULL),
    [DPLI_LOSS_MANHATTAN_SE] = OF_PAIRS("exp-manhattan", 0, 0, 0, NULL),
    [DPLI_LOSS_L1_SIMILARITY] = OF_PAIRS("l1-sigmoid", 0, 0, 0, dpli_loss_l1_start),
    [DPLI_LOSS_DISTANCE_SIGMOID] = OF_PAIRS("euclidean", 0, 0, 0, dpli_loss_distance_start),
    [DPLI_LOSS_COSINE_SE] = OF_PAIRS("cosine", 0, 0, 0, NULL),
    [DPLI_LOSS_COSINE] = OF_PAIRS("cosine", 0.5, -1, 1, NULL),
    [DPLI_LOSS_TRIPLET] =
        {.head = "cosine", .margin = 0.2, .low = 0, .high = 4, .run = dpli_loss_triplet_run},
    [DPLI_LOSS_ARC] = {.head = "cosine",
                       .margin = 0.5,
                       .low = 0,
                       .high = 3.14,
                       .check = dpli_loss_arc_check,
                       .start = dpli_loss_arc_start,
                       .check_batch = dpli_loss_arc_check_batch,
                       .run = dpli_loss_arc_run},
    [DPLI_LOSS_DISTIL] = {.head = "cosine",
                          .teachers = true,
                          .check = dpli_loss_distil_check,
                          .start = dpli_loss_distil_start,
                          .run = dpli_loss_distil_run},
    [DPLI_LOSS_INFO_NCE] = {.head = "cosine",
                            .teachers = true,
                            .check = dpli_loss_info_nce_check,
                            .start = dpli_loss_info_nce_start,
                            .run = dpli_loss_info_nce_run},
    [DPLI_LOSS_RANKING] = {.head = "cosine",
                           .teachers = true,
                           .margin = 0.2,
                           .low = 0,
                           .high = 2,
                           .check = dpli_loss_ranking_check,
                           .run = dpli_loss_ranking_run},
};
#define N_KINDS ((int)(sizeof kinds / sizeof kinds[0]))

bool dpli_loss_takes_pairs(dpli_loss_kind kind)
{
    return kinds[kind].pairs;
}

bool dpli_loss_takes_teachers(dpli_loss_kind kind)
{
    return kinds[kind].teachers;
}

const char *dpli_loss_head(dpli_loss_kind kind)
{
    return kinds[kind].head;
}

/* ------------------------------------------------------------------ making one */

static dpl_status check(const dpli_loss_options *o, dpl_error *err)
{
    const loss_kind *kind;

    if ((int)o->kind < 0 || (int)o->kind >= N_KINDS)
        return dpli_fail(err, DPL_E_ARGUMENT, "no loss has the number %d", (int)o->kind);
    kind = &kinds[o->kind];
    if (o->dim < 1 || o->dim > DPL_MAX_DIM)
        return dpli_fail(err, DPL_E_ARGUMENT, "a loss of vectors of length %d, limit is %d",
                         (int)o->dim, DPL_MAX_DIM);
    if (!isnan(o->margin) && kind->low < kind->high &&
        !((double)o->margin >= kind->low && (double)o->margin <= kind->high))
        return dpli_fail(err, DPL_E_ARGUMENT, "the loss's margin is %g, wanted is %g to %g",
                         (double)o->margin, kind->low, kind->high);
    return kind->check ? kind->check(o, err) : DPL_OK;
}

dpl_status dpli_loss_new(dpli_loss **out, const dpli_loss_options *options, dpl_error *err)
{
    const loss_kind *kind;
    dpli_loss *loss = NULL;
    dpl_status status = check(options, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    loss = dpli_calloc(1, sizeof *loss, err);
    if (!loss)
        return DPL_E_MEMORY;
    kind = &kinds[options->kind];
    loss->options = *options;
    if (isnan(options->margin))
        loss->options.margin = (float)kind->margin;
    if (isnan(options->scale))
        loss->options.scale = 64;
    if (kind->teachers)
        memcpy(loss->teacher_dims, options->teacher_dims,
               (size_t)options->n_teachers * sizeof *loss->teacher_dims);
    loss->options.teacher_dims = loss->teacher_dims;
    status = kind->start ? kind->start(loss, err) : DPL_OK;
    if (status == DPL_OK) {
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

dpl_status dpli_loss_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                         dpli_team *team, size_t *n_correct, dpl_error *err)
{
    const loss_kind *kind = &kinds[loss->options.kind];
    dpl_status status = DPL_OK;
    size_t unused;

    if (batch->n < 0 || batch->n > MAX_ROWS)
        return dpli_fail(err, DPL_E_ARGUMENT, "a batch of %d rows, limit is %d", (int)batch->n,
                         MAX_ROWS);
    if (kind->check_batch)
        status = kind->check_batch(loss, batch, err);
    if (status != DPL_OK)
        return status;
    n_correct = n_correct ? n_correct : &unused;
    *out = 0;
    *n_correct = 0;
    return kind->run(out, loss, batch, team, n_correct, err);
}
