/* What `train` tells as JSON: an object an event, and one at the end. NULL when there is no memory.
 */
#ifndef DOPPEL_APP_ANSWER_TRAIN_H
#define DOPPEL_APP_ANSWER_TRAIN_H

#include <jansson.h>

#include "doppel/doppel.h"

/** doppel.train/1 of an event. */
json_t *train_event_json(const dpl_train_event *event);

/** doppel.train/1 of the end. run: the run's folder. */
json_t *train_report_json(const dpl_train_report *report, const char *run);

#endif
