/* Losses that know the class of each row: triplets, and softmax with an angular margin. */
#ifndef DOPPEL_TRAIN_LOSS_CLASSES_H
#define DOPPEL_TRAIN_LOSS_CLASSES_H

#include "train/loss_state.h"

dpl_status dpli_loss_triplet_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                 dpli_team *team, size_t *n_correct, dpl_error *err);

dpl_status dpli_loss_arc_check(const dpli_loss_options *o, dpl_error *err);
/** The classes' centres. */
dpl_status dpli_loss_arc_start(dpli_loss *loss, dpl_error *err);
dpl_status dpli_loss_arc_check_batch(const dpli_loss *loss, const dpli_loss_batch *batch,
                                     dpl_error *err);
dpl_status dpli_loss_arc_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                             dpli_team *team, size_t *n_correct, dpl_error *err);

#endif
