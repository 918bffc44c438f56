/* What a run trains on and what it holds out. */
#ifndef DOPPEL_TRAIN_SPLIT_H
#define DOPPEL_TRAIN_SPLIT_H

#include "train/trainer.h"

/** What is trained on and what held out, from the towers' data. What could not be read is in
 * neither. */
dpl_status dpli_trainer_split(dpli_trainer *t, dpl_error *err);

#endif
