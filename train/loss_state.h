/* A loss at work: what the kinds of losses share, their parameters and the arrays of a run. */
#ifndef DOPPEL_TRAIN_LOSS_STATE_H
#define DOPPEL_TRAIN_LOSS_STATE_H

#include "base/rng.h"
#include "train/loss.h"

#define DPLI_LOSS_MAX_CLASSES  100000
#define DPLI_LOSS_MAX_TEACHERS 16

struct dpli_loss {
    dpli_loss_options options; /* margin and scale filled in, teacher_dims ours */
    int32_t teacher_dims[DPLI_LOSS_MAX_TEACHERS];
    int32_t n_params;
    dpli_param params[DPLI_LOSS_MAX_TEACHERS];
    char names[DPLI_LOSS_MAX_TEACHERS][24];
    dpli_param *maps[DPLI_LOSS_MAX_TEACHERS]; /* by teacher; NULL where lengths are equal */
    char *room;                               /* of a run */
    size_t room_bytes;
};

/* ------------------------------------------------------------------ parameters */

/** The next parameter, [rows, columns], zeroed. */
dpl_status dpli_loss_add_param(dpli_param **out, dpli_loss *loss, const char *name,
                               dpli_param_kind kind, int32_t rows, int32_t columns, dpl_error *err);

/** Normal values of variance 1 / columns. */
void dpli_loss_start_normal(dpli_param *p, dpli_rng *rng);

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

#endif
