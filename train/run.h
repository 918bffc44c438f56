/* A run's folder: its lock, its log, its models. */
#ifndef DOPPEL_TRAIN_RUN_H
#define DOPPEL_TRAIN_RUN_H

#include "train/trainer.h"

/** Make or find the run's folder and lock it; *config: config.json's text when resumed, to be
 * freed, else NULL. */
dpl_status dpli_run_open(dpli_trainer *t, char **config, const dpl_train_options *options,
                         dpl_error *err);
/** Path of a file in the run's folder, freed by free(). */
char *dpli_run_path(const dpli_trainer *t, const char *name, dpl_error *err);
/** A tower's file: "best" gives best.onnx, of two towers best.a.onnx and best.b.onnx. */
char *dpli_run_model(const dpli_trainer *t, const char *stem, int32_t tower, dpl_error *err);
/** Append a line to log.jsonl. */
dpl_status dpli_run_log(const dpli_trainer *t, const dpl_train_event *event, dpl_error *err);
/** Drop what the log says of steps after the one resumed from. */
dpl_status dpli_run_cut_log(const dpli_trainer *t, dpl_error *err);
/** The towers as they are, as ONNX with their facts, to stem's files. */
dpl_status dpli_run_export(dpli_trainer *t, const char *stem, dpl_error *err);

#endif
