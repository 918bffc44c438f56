/* SQLite's files over a disk that loses power: what was not synced is dropped, torn, reordered; and
 * over a disk of which one answer is a failure. */
#ifndef DOPPEL_TESTS_INDEX_TORN_VFS_H
#define DOPPEL_TESTS_INDEX_TORN_VFS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rng.h"

/** From here on SQLite's files are watched; until torn_stop. Calls that read, write, sync, cut,
 * open or remove are counted from 1; the fail_at-th of them fails (0: none), and with cut all after
 * it as well. */
void torn_start(size_t fail_at, bool cut);
/** How many calls there were. */
size_t torn_stop(void);
/** What the disk holds when power has gone: into dir, the files that were watched, each as it was
 * last synced with a random choice of what came after. */
void torn_write(const char *dir, dpli_rng *rng);
/** Let go of what was watched. */
void torn_clear(void);

#endif
