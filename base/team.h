/* Threads that stay together: one range of work, cut into the same parts every time. */
#ifndef DOPPEL_BASE_TEAM_H
#define DOPPEL_BASE_TEAM_H

#include <stddef.h>

#include "doppel/error.h"

#define DPLI_MAX_TEAM 256

typedef struct dpli_team dpli_team;

/** n_threads of 0: dpli_n_cores; more than DPLI_MAX_TEAM are that many. The caller is one of them.
 */
dpl_status dpli_team_new(dpli_team **out, int n_threads, dpl_error *err);
void dpli_team_free(dpli_team *team);
int dpli_team_size(const dpli_team *team);

/**
 * Cut 0 .. n-1 into one contiguous range a thread, call fn(ctx, worker, from, to) for each that is
 * not empty, and wait for all. Which items a worker gets depends on n and the team's size only, so
 * that sums made worker by worker repeat to the bit; which thread is that worker is not said, and
 * may be one for several, one after another. Not from inside fn; one caller at a time.
 */
void dpli_team_run(dpli_team *team, size_t n,
                   void (*fn)(void *ctx, int worker, size_t from, size_t to), void *ctx);

#endif
