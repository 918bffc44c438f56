/* An index in memory, with what its answers need of the gallery, and its file beside the gallery.
 */
#ifndef DOPPEL_INDEX_SNAPSHOT_H
#define DOPPEL_INDEX_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/ann.h"
#include "index/codes.h"

/* Zero-initialise, free with dpli_index_clear. */
typedef struct dpli_index {
    dpli_ann *ann;                  /* NULL: nothing loaded, or n is 0 */
    int64_t *ids, *owners, *photos; /* [n] in the order of ann's rows; ids rising */
    size_t n;
    int32_t dim;
    /* Codes of a flat index's rows, made from them; NULL: there are none. */
    int8_t *records;
    dpli_code_shape shape;
    int64_t generation; /* of the gallery that it was made from */
    char identity[33];
    double min_norm, max_norm; /* of the vectors */
    /* What an approximate index was tuned to. Of a flat one: what none could be tuned to; 0 when
       that was not tried. */
    uint64_t head_sum;
    double recall;
    size_t n_visit, wide; /* lists to visit, candidates a wanted one */
    size_t n_tuned;       /* vectors that there were when it was tuned */
    bool normalised;      /* its rows are the gallery's brought to unit norm */
} dpli_index;

void dpli_index_clear(dpli_index *index);
dpl_status dpli_index_copy(dpli_index *out, const dpli_index *index, dpl_error *err);

/**
 * Write an index to a file, atomically.
 * @retval DPL_E_SYSTEM  it cannot be written; the old file is as it was
 */
dpl_status dpli_snapshot_write(const char *path, const dpli_index *index, dpl_error *err);

/**
 * Read one. What it was made from is for the caller to compare.
 * @retval DPL_E_NOT_FOUND  there is no such file
 * @retval DPL_E_INPUT      damaged, or not a snapshot of this version
 */
dpl_status dpli_snapshot_read(dpli_index *out, const char *path, dpl_error *err);

#endif
