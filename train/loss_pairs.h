/* Losses of pairs of rows: contrastive, weighted L1, Manhattan, cosine. */
#ifndef DOPPEL_TRAIN_LOSS_PAIRS_H
#define DOPPEL_TRAIN_LOSS_PAIRS_H

#include "train/loss_state.h"

/** Parameters: weights and bias, of differences, of similarities, or of a distance. */
dpl_status dpli_loss_l1_start(dpli_loss *loss, dpl_error *err);
dpl_status dpli_loss_distance_start(dpli_loss *loss, dpl_error *err);

dpl_status dpli_loss_pairs_check_batch(const dpli_loss *loss, const dpli_loss_batch *batch,
                                       dpl_error *err);
dpl_status dpli_loss_pairs_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                               dpli_team *team, size_t *n_correct, dpl_error *err);

#endif
