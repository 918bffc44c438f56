/* Losses of rows and the vectors that they shall come to lie at, all pairs of a batch. */
#ifndef DOPPEL_TRAIN_LOSS_ACROSS_H
#define DOPPEL_TRAIN_LOSS_ACROSS_H

#include "train/loss_state.h"

dpl_status dpli_loss_info_nce_check(const dpli_loss_options *o, dpl_error *err);
dpl_status dpli_loss_ranking_check(const dpli_loss_options *o, dpl_error *err);
/** The scale, where it is learnt. */
dpl_status dpli_loss_info_nce_start(dpli_loss *loss, dpl_error *err);
dpl_status dpli_loss_info_nce_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                  dpli_team *team, size_t *n_correct, dpl_error *err);
dpl_status dpli_loss_ranking_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                 dpli_team *team, size_t *n_correct, dpl_error *err);

#endif
