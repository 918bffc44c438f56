/*
 * Memory that threads share out among themselves before they take it: what a photo needs to be read
 * and worked on. A thread waits until there is enough; one alone gets what it asks for.
 */
#ifndef DOPPEL_BASE_BUDGET_H
#define DOPPEL_BASE_BUDGET_H

#include <stddef.h>

#include "doppel/error.h"

typedef struct dpli_budget dpli_budget;

dpl_status dpli_budget_new(dpli_budget **out, size_t total, dpl_error *err);
void dpli_budget_free(dpli_budget *b);

/** Wait until n bytes of input may be held. Inputs have at most a quarter of it all, but one alone
 * may have more. */
void dpli_budget_hold(dpli_budget *b, size_t n);
/** Hold n more without waiting: an input has turned out to be longer. */
void dpli_budget_hold_more(dpli_budget *b, size_t n);
void dpli_budget_release(dpli_budget *b, size_t n);

/* What a thread keeps from one work for its next, so that others may have it dropped meanwhile. */
typedef struct dpli_kept {
    void (*drop)(void *what); /* free the memory; called by any thread, while what is not in use */
    void *what;
    dpli_budget *budget; /* that counts it; NULL: none does. The rest is the budget's, too */
    size_t n;
    struct dpli_kept *next;
} dpli_kept;

/** Wait until work may be done that takes n bytes beside what is held. It is for the work to use
 * what is kept, which may be dropped before this returns and not after. NULL: nothing is kept. Of
 * what was freed malloc keeps no more, then, than nobody has asked for. */
void dpli_budget_begin(dpli_budget *b, size_t n, dpli_kept *kept);
/** The work is done, and n_kept bytes stay. */
void dpli_budget_end(dpli_budget *b, size_t n, dpli_kept *kept, size_t n_kept);
/** Have what is kept for the caller alone: to use it outside of a budget, or to free it. */
void dpli_budget_forget(dpli_kept *kept);

#endif
