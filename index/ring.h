/*
 * The keys of an encrypted gallery: a key ring, and the file that it is kept in.
 *
 * Each row of people, photos and templates has a key of its own, and none is stored. A ring holds
 * the root of a binary tree of keys for each of the three tables; a node's two children are made of
 * its key, a row's key is the leaf under its id. To destroy keys the ring gives up the nodes above
 * them and keeps those that cover all other leaves: what it still has says nothing of what it gave
 * up. This is the puncturable pseudorandom function of Goldreich, Goldwasser and Micali (1986) as
 * Boneh and Waters (2013) use it. So adding a row writes no key anywhere, and forgetting one
 * changes this file alone.
 *
 * Beside the trees stand a key for what belongs to the gallery as a whole, and one for what is
 * derived from many rows at once (snapshots, the log of the last change), which is another after
 * each forget.
 */
#ifndef DOPPEL_INDEX_RING_H
#define DOPPEL_INDEX_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "index/record.h"

typedef struct dpli_ring dpli_ring;

enum { DPLI_RING_ID_BYTES = 16, DPLI_RING_DEPTH = 48 };

/* By what a ring's file is opened. */
typedef struct dpli_ring_secret {
    const void *bytes; /* NULL: the file alone is the key */
    size_t n;
} dpli_ring_secret;

/* What the beginning of a file tells without any secret. */
typedef struct dpli_ring_head {
    uint8_t id[DPLI_RING_ID_BYTES];
    char identity[33]; /* of the gallery it was made for */
    bool has_secret;
} dpli_ring_head;

/** A new one, in memory. */
dpl_status dpli_ring_new(dpli_ring **out, const char *identity, const dpli_ring_secret *secret,
                         dpl_error *err);
/** The same keys, for another handle on the gallery. */
dpl_status dpli_ring_copy(dpli_ring **out, const dpli_ring *ring, dpl_error *err);
void dpli_ring_free(dpli_ring *ring);

/**
 * @retval DPL_E_NOT_FOUND  there is no such file
 * @retval DPL_E_GALLERY    it is damaged, not one, or not to be trusted
 */
dpl_status dpli_ring_peek(dpli_ring_head *out, const char *path, dpl_error *err);
/** @retval DPL_E_GALLERY  as above; or the secret is not the right one: then *wrong_secret */
dpl_status dpli_ring_read(dpli_ring **out, bool *wrong_secret, const char *path,
                          const dpli_ring_secret *secret, dpl_error *err);
/** Atomically, for its owner alone; what stood there before is overwritten. */
dpl_status dpli_ring_write(dpli_ring *ring, const char *path, dpl_error *err);
/** Read again what another process has changed; a file that is gone, or cannot be read,
 * changes nothing. */
dpl_status dpli_ring_refresh(bool *changed, dpli_ring *ring, const char *path, dpl_error *err);
/** Overwrite a file and remove it, if there is one. */
void dpli_ring_shred(const char *path);

const dpli_ring_head *dpli_ring_told(const dpli_ring *ring);
const uint8_t *dpli_ring_base(const dpli_ring *ring);  /* [DPLI_KEY_BYTES] */
const uint8_t *dpli_ring_epoch(const dpli_ring *ring); /* [DPLI_KEY_BYTES] */

/** The key of a row; false when it was destroyed. One thread at a time. */
bool dpli_ring_key(uint8_t key[DPLI_KEY_BYTES], dpli_ring *ring, dpli_numbered table, int64_t id);

/** Destroy the keys of all ids up to last but these, rising, and begin a new epoch. Nothing is
 * changed on failure. */
dpl_status dpli_ring_keep_only(dpli_ring *ring, const int64_t *ids[DPLI_N_NUMBERED],
                               const size_t n[DPLI_N_NUMBERED], const int64_t last[DPLI_N_NUMBERED],
                               dpl_error *err);

#endif
