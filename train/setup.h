/* From settings to everything that a step needs. */
#ifndef DOPPEL_TRAIN_SETUP_H
#define DOPPEL_TRAIN_SETUP_H

#include "train/trainer.h"

/** All of it, from settings to loader; a new run's folder gets its config.json and start.onnx. */
dpl_status dpli_trainer_open(dpli_trainer *t, const dpl_train_options *options, dpl_error *err);
void dpli_trainer_close(dpli_trainer *t);

#endif
