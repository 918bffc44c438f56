/* An index in memory, with what its answers need of the gallery, and its file beside the gallery.
 */
#ifndef DOPPEL_INDEX_SNAPSHOT_H
#define DOPPEL_INDEX_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/hnsw.h"
#include "index/rows.h"

/* Zero-initialise, free with dpli_index_clear. */
typedef struct dpli_index {
    int64_t *ids, *owners, *photos; /* [n]; ids rising */
    size_t n;
    int32_t dim;
    dpli_rows vectors;
    /* Codes of them; nothing where the head has no use for them. */
    dpli_span records;
    dpli_code_shape shape;
    dpli_hnsw graph; /* of n nodes: the index is approximate */
    char *gone;      /* [n] nonzero: taken out, wiped, and in no file; NULL: none is */
    size_t n_gone;
    int64_t generation; /* of the gallery that it was made from */
    char identity[33];
    double min_norm, max_norm; /* of the vectors */
    /* What an approximate index was tuned to. Of an exact one: what none could be tuned to; 0 when
       that was not tried. */
    uint64_t head_sum;
    double recall;
    size_t width, wide; /* a walk keeps so many; candidates a wanted one, where no bound tells */
    size_t n_changed;   /* vectors that came or went since */
    size_t n_unsaved;   /* the same since it was in a file */
    double n_compared;  /* codes that a search of it looks at on average */
    /* What one search took when it was tuned, on one core: of it, and of all vectors exactly. */
    double search_ms, exact_ms;
} dpli_index;

void dpli_index_clear(dpli_index *index);
dpl_status dpli_index_copy(dpli_index *out, const dpli_index *index, dpl_error *err);

static inline bool dpli_index_is_approximate(const dpli_index *index)
{
    return index->graph.n > 0;
}

/**
 * Write an index to a file, atomically, without what was taken out of it.
 * @param key    by which the file is sealed (vault.h); NULL: it is not
 * @retval DPL_E_SYSTEM  it cannot be written; the old file is as it was
 */
dpl_status dpli_snapshot_write(const char *path, const dpli_index *index, const uint8_t *key,
                               dpl_error *err);

/**
 * Read one. What it was made from is for the caller to compare. Where there are codes, the
 * vectors stay in the file and are checked when they are looked at; all else is read and checked
 * here.
 *
 * @retval DPL_E_NOT_FOUND  there is no such file
 * @retval DPL_E_INPUT      damaged, or not a snapshot of this version
 */
dpl_status dpli_snapshot_read(dpli_index *out, const char *path, const uint8_t *key,
                              dpl_error *err);

/** Only what the end of a file tells: out has no vectors, codes or links, but all numbers.
 * *n_bytes: of the file. Statuses as of dpli_snapshot_read. */
dpl_status dpli_snapshot_peek(dpli_index *out, uint64_t *n_bytes, const char *path,
                              const uint8_t *key, dpl_error *err);

/** Put the right sum into a file whose sizes are right: for tests of what the sum does not find. */
dpl_status dpli_snapshot_seal(const char *path, dpl_error *err);

#endif
