/* `doppel eval pairs`. */
#ifndef DOPPEL_APP_EVAL_PAIRS_H
#define DOPPEL_APP_EVAL_PAIRS_H

#include "app/eval_shared.h"

/** Read or draw pairs, score them and tell. 0, or an exit code after a message. */
int eval_pairs(evaluation *e);

#endif
