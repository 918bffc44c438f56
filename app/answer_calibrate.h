/* What `doppel calibrate` says. */
#ifndef DOPPEL_APP_ANSWER_CALIBRATE_H
#define DOPPEL_APP_ANSWER_CALIBRATE_H

#include <jansson.h>

#include "app/calibrate_data.h"

/** doppel.calibrate/1. written: where it was kept, NULL: nowhere. */
json_t *calibrate_json(const calibration_run *r, const dpl_calibrated *c, const char *written);

void calibrate_tell(const calibration_run *r, const dpl_calibrated *c, const char *written);

#endif
