/* Whether a call is to stop. */
#ifndef DOPPEL_BASE_CANCEL_H
#define DOPPEL_BASE_CANCEL_H

#include <stdbool.h>

/** Whether somebody has raised the flag (dpl_cancel); NULL: nobody can. */
bool dpli_cancelled(const volatile int *flag);

#endif
