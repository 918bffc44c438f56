/* The loss that compares a row with a teacher's row. */
#ifndef DOPPEL_TRAIN_LOSS_DISTIL_H
#define DOPPEL_TRAIN_LOSS_DISTIL_H

#include "train/loss_state.h"

dpl_status dpli_loss_distil_check(const dpli_loss_options *o, dpl_error *err);
/** A map for each teacher whose vectors have another length. */
dpl_status dpli_loss_distil_start(dpli_loss *loss, dpl_error *err);
dpl_status dpli_loss_distil_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                dpli_team *team, size_t *n_correct, dpl_error *err);

#endif
