/* Laying one small picture over another: the turn, the place and the size at which they agree best.
 */
#ifndef DOPPEL_INDEX_OVERLAY_H
#define DOPPEL_INDEX_OVERLAY_H

#include "doppel/copies.h"

/** What dpl_sketch_compare does; pictures that are too plain to tell get a score of 0. */
void dpli_overlay(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b);

#endif
