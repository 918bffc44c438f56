/* `doppel eval oneshot`. */
#ifndef DOPPEL_APP_EVAL_ONESHOT_H
#define DOPPEL_APP_EVAL_ONESHOT_H

#include "app/eval_shared.h"

/** Read or draw trials, answer them and tell. 0, or an exit code after a message. */
int eval_oneshot(evaluation *e);

#endif
