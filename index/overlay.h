/* Laying one small picture over another: the turn, the place and the size at which they agree best.
 */
#ifndef DOPPEL_INDEX_OVERLAY_H
#define DOPPEL_INDEX_OVERLAY_H

#include <stddef.h>

#include "doppel/sketch.h"

/** What dpl_sketch_compare does; pictures that are too plain to tell get a score of 0. */
void dpli_overlay(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b);

/* Pictures found by their vectors that are looked at, of each. */
enum { DPLI_MOST_PROPOSED = 64 };

/** Whether a picture is to be laid over one that is so alike, the place-th (from 0) of those found:
 * the first few that are alike at all, some more that are rather alike, and of what is very alike
 * all, as where there are many copies they push each other down the list. */
bool dpli_is_proposed(size_t place, float alike);

#endif
