/*
 * The search indexes of one gallery, one a space, shared by the handles that threads have on it.
 *
 * An index on the shelf never changes: a search holds the one that it found, whatever is put in its
 * place meanwhile, and the last to let go of it frees it. One thread at a time makes a new one, so
 * that a change of the gallery costs one making and not one a thread.
 */
#ifndef DOPPEL_INDEX_SHELF_H
#define DOPPEL_INDEX_SHELF_H

#include "index/snapshot.h"

typedef struct dpli_shelf dpli_shelf;

/* An index and how many hold it; only who holds it alone may change it. */
typedef struct dpli_held {
    dpli_index index;
    int n_holders; /* the shelf's own matter */
} dpli_held;

/* Threads: all of these may be called at once. */

dpl_status dpli_shelf_new(dpli_shelf **out, dpl_error *err);
/** One more that uses the shelf. */
dpli_shelf *dpli_shelf_share(dpli_shelf *shelf);
/** One less; frees it after the last. Takes NULL. */
void dpli_shelf_close(dpli_shelf *shelf);

/** The index of a space, held; NULL when there is none. */
dpli_held *dpli_shelf_hold(dpli_shelf *shelf, int space);
/** An empty one, held by the caller alone. */
dpli_held *dpli_shelf_blank(dpl_error *err);
/** Let go of it. Takes NULL. */
void dpli_shelf_release(dpli_shelf *shelf, dpli_held *held);
/** One with the same content that the caller may change: this one, taken from the shelf, if nobody
 * else holds it, else a copy. The caller's hold on the old one is gone in any case; NULL when
 * memory is out. */
dpli_held *dpli_shelf_claim(dpli_shelf *shelf, int space, dpli_held *held, dpl_error *err);
/** From now on this is the index of the space; NULL: there is none. The caller goes on holding it.
 */
void dpli_shelf_put(dpli_shelf *shelf, int space, dpli_held *held);

/* Around the making of an index. */
void dpli_shelf_begin_making(dpli_shelf *shelf);
void dpli_shelf_end_making(dpli_shelf *shelf);

#endif
