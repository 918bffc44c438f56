/* A run's curves as a page. */
#ifndef DOPPEL_APP_TRAIN_PAGE_H
#define DOPPEL_APP_TRAIN_PAGE_H

#include "app/common.h"

/**
 * Draw report.html in a run's folder, from its log.jsonl and config.json: the whole run, also one
 * that was resumed.
 * @param step, n_steps  done, and of the whole run
 * @return 0, or 5 after a message
 */
int train_page_write(const command *self, const common *o, const char *run, int64_t step,
                     int64_t n_steps);

#endif
