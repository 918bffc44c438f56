/* Work on all cores: items handed out one by one to threads. */
#ifndef DOPPEL_BASE_POOL_H
#define DOPPEL_BASE_POOL_H

#include <stddef.h>

#include "doppel/error.h"

/** Cores that this process may use (affinity and cgroup quota honoured), at least 1. */
int dpli_n_cores(void);

/** Whole cores that the CPU quotas of cgroup version 1 and 2 grant, rounded up; 0 when there is no
 * quota. The arguments are "/proc/self/cgroup" and "/sys/fs/cgroup", but for tests. */
int dpli_cgroup_cores(const char *self_cgroup, const char *root);

/**
 * Call fn(ctx, worker, item) for items 0 .. n-1 on n_threads threads (0: dpli_n_cores), worker
 * being 0 .. n_threads-1, and wait for all. Items are taken in order. A status other than DPL_OK
 * stops further items and the first such one, by item number, is returned with its error.
 */
dpl_status dpli_pool_run(int n_threads, size_t n,
                         dpl_status (*fn)(void *ctx, int worker, size_t item, dpl_error *err),
                         void *ctx, dpl_error *err);

/**
 * As dpli_pool_run, and tell(ctx, item) in the caller's thread for each item that is done, in their
 * order, while others are worked on. No item is begun before the one n_held before it has been
 * told, so that a caller may keep item i in place i % n_held of n_held places. Of the items after
 * the first that failed some may have been worked on; they, and it, are not told.
 */
dpl_status dpli_pool_run_in_order(int n_threads, size_t n, size_t n_held,
                                  dpl_status (*fn)(void *ctx, int worker, size_t item,
                                                   dpl_error *err),
                                  void (*tell)(void *ctx, size_t item), void *ctx, dpl_error *err);

#endif
