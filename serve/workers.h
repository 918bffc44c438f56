/* workers.h - threads that take jobs from a queue, first come, first served. */
#ifndef DOPPEL_SERVE_WORKERS_H
#define DOPPEL_SERVE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct workers workers;

/** Start n threads, of which the i-th calls run(ctx[i], job), and a queue of max_waiting jobs.
 * NULL: no memory, or no threads. */
workers *workers_start(int n, size_t max_waiting, void (*run)(void *ctx, void *job),
                       void *const *ctx);

/** Queue a job. False: too many are waiting. */
bool workers_put(workers *w, void *job);

/** How many jobs wait. */
size_t workers_n_waiting(workers *w);

/** Finish what is queued and end. Takes NULL. */
void workers_stop(workers *w);

#endif
