/* `doppel verify --text`: two sentences. */
#ifndef DOPPEL_APP_VERIFY_TEXT_H
#define DOPPEL_APP_VERIFY_TEXT_H

#include "app/common.h"

/** Compare them and tell. 0 when that was done, whatever the decision; else an exit code after a
 * message. */
int verify_text(dpl_decision *decision, const command *self, const common *o, double fmr,
                double threshold, const char *const texts[2]);

#endif
