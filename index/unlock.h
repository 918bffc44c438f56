/* An encrypted gallery's key found and its store opened by it. */
#ifndef DOPPEL_INDEX_UNLOCK_H
#define DOPPEL_INDEX_UNLOCK_H

#include "doppel/encryption.h"
#include "index/ring.h"
#include "index/store.h"

/**
 * If the gallery in *store is encrypted, stand before it what opens it.
 *
 * @param key    NULL: none
 * @param other  a handle on the same gallery whose keys serve; NULL: by key
 */
dpl_status dpli_unlock(dpli_store **store, const char *dir, const dpl_key_options *key,
                       const dpl_gallery *other, dpl_error *err);

/** The secret that a key gives or asks for; *bytes NULL when it has none. In memory for keys, freed
 * by dpli_secret_free. */
dpl_status dpli_take_secret(uint8_t **bytes, size_t *n, const dpl_key_options *key,
                            const char *file, dpl_error *err);

/** Where a key's file is, and the one beside it that a rekey writes first; each the caller's. */
char *dpli_key_path(const char *dir, const dpl_key_options *key, dpl_error *err);
char *dpli_key_path_aside(const char *path, dpl_error *err);

#endif
