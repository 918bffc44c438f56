/*
 * The vectors of an index: in memory, or those that came from a file read from it when they are
 * looked at.
 *
 * They are read and not mapped: a file may be cut by whoever copies another over it, and a mapping
 * would then end the process.
 */
#ifndef DOPPEL_INDEX_ROWS_H
#define DOPPEL_INDEX_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/ann.h"
#include "index/flat.h"
#include "index/vault.h"

/* Zero-initialise, free with dpli_rows_clear. */
typedef struct dpli_rows {
    int32_t dim;
    size_t n, n_filed; /* the first n_filed are in the file, the others in memory */
    dpli_vault *file;  /* that begins with them; only where n_filed > 0 */
    uint32_t *sums;    /* [n_filed] */
    dpli_ann *ann;     /* FAISS has them all; else */
    float *rest;       /* [n - n_filed, dim] */
    size_t cap_rest;   /* in floats */
} dpli_rows;

/** Take over vectors [n, dim]; by FAISS where it is to find among them. *vectors is NULL after. */
dpl_status dpli_rows_take(dpli_rows *out, float **vectors, size_t n, int32_t dim, bool by_faiss,
                          dpl_error *err);
/** Those at the beginning of an open file, which the caller goes on to close. *sums, one a vector,
 * are taken over. */
dpl_status dpli_rows_open(dpli_rows *out, const dpli_vault *file, uint32_t **sums, size_t n, int32_t dim,
                          dpl_error *err);
dpl_status dpli_rows_copy(dpli_rows *out, const dpli_rows *rows, dpl_error *err);
dpl_status dpli_rows_add(dpli_rows *rows, const float *vectors, size_t n, dpl_error *err);
/** Leave nothing of one in memory: NaN. One in a file stays there. */
void dpli_rows_wipe(dpli_rows *rows, size_t at);
void dpli_rows_clear(dpli_rows *rows);

/** Vectors [n, dim] of which none is in a file, valid until the next are added; else NULL. */
const float *dpli_rows_all(const dpli_rows *rows);
/** Those from the first on that is in memory. */
const float *dpli_rows_rest(const dpli_rows *rows);

/**
 * One vector; of a file read into room [dim].
 *
 * @return  NULL: it is not what was written (DPL_E_INPUT)
 * Threads: any number, while nobody changes the rows.
 */
const float *dpli_rows_at(const dpli_rows *rows, size_t at, float *room, dpl_error *err);
/** n vectors from first on into out [n, dim]. @retval DPL_E_INPUT  as above */
dpl_status dpli_rows_read(float *out, const dpli_rows *rows, size_t first, size_t n,
                          dpl_error *err);
/** Read all of the file, by all cores. @retval DPL_E_INPUT  as above */
dpl_status dpli_rows_check(const dpli_rows *rows, dpl_error *err);

/**
 * dpli_flat_search among them.
 *
 * @param gone  [n] nonzero for those that are no longer; NULL: none
 * @retval DPL_E_INPUT  as above
 */
dpl_status dpli_rows_search(dpli_found *found, const dpl_head *head, const dpli_rows *rows,
                            const char *gone, const float *probes, size_t n_probes, size_t k,
                            dpl_error *err);

/** What a vector is known by. */
uint32_t dpli_rows_sum(const float *vector, int32_t dim);

#endif
