/* `doppel calibrate --text`: a model of sentences, by a list of pairs. */
#ifndef DOPPEL_APP_CALIBRATE_TEXT_H
#define DOPPEL_APP_CALIBRATE_TEXT_H

#include "app/calibrate_data.h"

/** The whole command; its exit code. */
int calibrate_text(const command *self, const calibrate_options *o, const char *list);

#endif
