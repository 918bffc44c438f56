/* What the files of the losses share: train/loss*.c. */
#ifndef DOPPEL_TRAIN_LOSS_INTERNAL_H
#define DOPPEL_TRAIN_LOSS_INTERNAL_H

#include "train/loss.h"

#define DPLI_MAX_TEACHERS 16

struct dpli_loss {
    dpli_loss_options options; /* margin and scale filled in, teacher_dims ours */
    int32_t teacher_dims[DPLI_MAX_TEACHERS];
    int32_t n_params;
    dpli_param params[DPLI_MAX_TEACHERS];
    char names[DPLI_MAX_TEACHERS][24];
    dpli_param *maps[DPLI_MAX_TEACHERS]; /* by teacher; NULL where lengths are equal */
    char *room;                          /* of a run */
    size_t room_bytes;
};

/* ------------------------------------------------------------------ arrays of a run */

/** Bytes of n things in the room. Within the limits of dpli_loss_run no sum of these overflows. */
static inline size_t dpli_loss_bytes(size_t n, size_t size)
{
    return (n * size + 63) / 64 * 64;
}

/** Make the room at least this large, and *at its beginning; what was in it is lost. */
dpl_status dpli_loss_room(char **at, dpli_loss *loss, size_t bytes, dpl_error *err);

/** The next n things of the room. */
static inline void *dpli_loss_take(char **at, size_t n, size_t size)
{
    char *p = *at;

    *at += dpli_loss_bytes(n, size);
    return p;
}

/* ------------------------------------------------------------------ rows (loss_rows.c) */

/* Sums over n numbers in float32 by 64 partial sums, which are added in double in a fixed order:
 * the same bits on every processor. */
double dpli_row_dot(const float *a, const float *b, size_t n);                 /* a b */
double dpli_row_l2(const float *a, const float *b, size_t n);                  /* (a - b)^2 */
double dpli_row_l1(const float *a, const float *b, size_t n);                  /* |a - b| */
double dpli_row_wl1(const float *a, const float *b, const float *w, size_t n); /* w |a - b| */

/** 1 / |x|; 0 of a zero row, which so has a cosine of 0 with all and no gradient; NaN of a row that
 * is not finite. */
float dpli_row_inverse(const float *x, size_t n);

/** unit [n, dim] = rows / |row|, inverse [n] = 1 / |row| as above. */
void dpli_rows_unit(float *unit, float *inverse, const float *rows, size_t n, size_t dim,
                    dpli_team *team);

/** grad = d rows, from the gradient d unit of the unit rows: (d - (d u) u) / |row|. grad may be
 * d. */
void dpli_rows_unit_back(float *grad, const float *d, const float *unit, const float *inverse,
                         size_t n, size_t dim, dpli_team *team);

/* ------------------------------------------------------------------ kinds */

dpl_status dpli_loss_run_pairs(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                               dpli_team *team, size_t *n_correct, dpl_error *err);
dpl_status dpli_loss_run_triplet(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                 dpli_team *team, size_t *n_correct, dpl_error *err);
dpl_status dpli_loss_run_arc(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                             dpli_team *team, size_t *n_correct, dpl_error *err);
dpl_status dpli_loss_run_distil(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                dpli_team *team, size_t *n_correct, dpl_error *err);

#endif
