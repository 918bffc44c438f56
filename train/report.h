/* A run's curves as one page. */
#ifndef DOPPEL_TRAIN_REPORT_H
#define DOPPEL_TRAIN_REPORT_H

#include "train/trainer.h"

/** report.html, from log.jsonl. */
dpl_status dpli_report_write(const dpli_trainer *t, dpl_error *err);

#endif
