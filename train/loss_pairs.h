/* Losses of pairs of rows: contrastive, weighted L1, Manhattan, cosine. */
#ifndef DOPPEL_TRAIN_LOSS_PAIRS_H
#define DOPPEL_TRAIN_LOSS_PAIRS_H

#include "train/loss_state.h"

/** Weighted L1's own parameters: weights and bias. */
dpl_status dpli_loss_l1_start(dpli_loss *loss, dpl_error *err);

dpl_status dpli_loss_pairs_check_batch(const dpli_loss *loss, const dpli_loss_batch *batch,
                                       dpl_error *err);
dpl_status dpli_loss_pairs_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                               dpli_team *team, size_t *n_correct, dpl_error *err);

#endif
