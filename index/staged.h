/*
 * Vectors of another model for templates that a gallery has, on their way into it: a file beside
 * the gallery (gallery.migrate), to which a long work adds and from which it goes on when it was
 * cut short. Nothing of it counts until it is in the gallery; a row that is torn or damaged is
 * passed over with all that come after it, and made again. It holds ids, boxes and vectors, and no
 * names.
 */
#ifndef DOPPEL_INDEX_STAGED_H
#define DOPPEL_INDEX_STAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/space.h"
#include "index/store.h"

typedef struct dpli_staged dpli_staged;

/* What the vectors are of: of another, a file is made anew. */
typedef struct dpli_staged_key {
    char identity[DPLI_IDENTITY]; /* of the gallery */
    char hash[DPLI_N_SPACES][65]; /* of the models; "": none */
    int32_t dim[DPLI_N_SPACES];
} dpli_staged_key;

typedef struct dpli_staged_row {
    int64_t template_id, photo_id;
    uint64_t old_sum; /* of the template's vector that it is to replace */
    int space;
    bool from_thumb;     /* made from its thumbnail */
    bool has_face;       /* it was found elsewhere than where the gallery says */
    dpl_face face;       /* then: where */
    const float *vector; /* [dim]; of a row that was read: until the next call */
} dpli_staged_row;

/**
 * Open the file, or make it, and find what is in it.
 *
 * @param file_key       by which rows are sealed; NULL: they are not
 * @retval DPL_E_GALLERY  a link or no file is in its place
 */
dpl_status dpli_staged_open(dpli_staged **out, const char *dir, const dpli_staged_key *key,
                            const uint8_t *file_key, dpl_error *err);
void dpli_staged_close(dpli_staged *staged);

/** DPL_E_SYSTEM when the disk is full. */
dpl_status dpli_staged_add(dpli_staged *staged, const dpli_staged_row *row, dpl_error *err);

/** Rows, by template; the i-th in the order of template ids. */
size_t dpli_staged_n(dpli_staged *staged);
dpl_status dpli_staged_read(dpli_staged_row *row, dpli_staged *staged, size_t i, dpl_error *err);
/** *i of a template's row; false when there is none. */
bool dpli_staged_find(size_t *i, dpli_staged *staged, int64_t template_id);

/** Bytes that a row takes of a space with vectors of dim numbers. */
size_t dpli_staged_row_bytes(int32_t dim);

/** Remove the file, if there is one. */
void dpli_staged_discard(const char *dir);

#endif
