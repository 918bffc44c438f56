/*
 * Stopping a call that takes long. Such a call's options have a pointer to an int, 0 while it is
 * to go on: dpl_enroll_options, dpl_embed_options, dpl_train_options.
 */
#ifndef DOPPEL_CANCEL_H
#define DOPPEL_CANCEL_H

#include "doppel/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Raise the flag, for good. Threads: from any, and from a signal handler. */
DPL_API void dpl_cancel(volatile int *flag);

#ifdef __cplusplus
}
#endif

#endif
