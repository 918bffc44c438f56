/* `doppel eval retrieval`. */
#ifndef DOPPEL_APP_EVAL_RETRIEVAL_H
#define DOPPEL_APP_EVAL_RETRIEVAL_H

#include "app/eval_shared.h"

/** 0, or an exit code after a message. */
int eval_retrieval(evaluation *e);

#endif
