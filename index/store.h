/*
 * What the search needs of the gallery's database, and what the gallery keeps for it.
 *
 * gallery*.c (SQLite) implements dpli_store_*; search.c implements dpli_search_* and
 * dpl_gallery_search.
 */
#ifndef DOPPEL_INDEX_STORE_H
#define DOPPEL_INDEX_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/gallery.h"

/** Every commit that touches templates raises it; with the gallery's identity (32 hex digits, made
 * at creation) it tells whether a snapshot is fresh. Read from the database, not from memory. */
dpl_status dpli_store_generation(dpl_gallery *gallery, int64_t *generation, char identity[33],
                                 dpl_error *err);

/** All vectors of a space in one consistent read, by rising id: ids [n], owners [n] (person or 0),
 *  photos [n], rows [n, dim], each freed with free(). dim is checked row by row (DPL_E_GALLERY).
 * The generation is that of the same read. */
typedef struct dpli_vectors {
    size_t n;
    int32_t dim;
    int64_t *ids, *owners, *photos;
    float *rows;
    int64_t generation;
} dpli_vectors;
dpl_status dpli_store_load(dpli_vectors *out, dpl_gallery *gallery, const char *space, int32_t dim,
                           int with_rows, dpl_error *err);
void dpli_vectors_clear(dpli_vectors *v);

/** The search's own state, one a gallery, kept by the gallery and freed at close. */
typedef struct dpli_search_state dpli_search_state;
dpli_search_state **dpli_store_search_state(dpl_gallery *gallery);
void dpli_search_state_free(dpli_search_state *state);

/** Remove every snapshot from disk and memory (forget, import): nothing removed may be found in a
 * file. */
void dpli_search_drop(dpl_gallery *gallery);

/** Set the notice that dpl_gallery_notice gives. */
void dpli_store_notice(dpl_gallery *gallery, const char *text);

#endif
