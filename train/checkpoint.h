/* A run's state in one file. */
#ifndef DOPPEL_TRAIN_CHECKPOINT_H
#define DOPPEL_TRAIN_CHECKPOINT_H

#include "train/trainer.h"

/** checkpoint.bin, the one before it kept as checkpoint.prev.bin. Refused when a parameter is not
 * finite: err names its layer. */
dpl_status dpli_checkpoint_save(dpli_trainer *t, dpl_error *err);
/** @retval DPL_E_MODEL  damaged, of another version or another run; err names the one before it */
dpl_status dpli_checkpoint_load(dpli_trainer *t, dpl_error *err);

#endif
