/* Exact search by codes first: few vectors are compared in full, none that counts is missed. */
#ifndef DOPPEL_INDEX_SCAN_H
#define DOPPEL_INDEX_SCAN_H

#include "index/codes.h"
#include "index/flat.h"
#include "index/rows.h"

/* Vectors and their codes; all borrowed. */
typedef struct dpli_scanned {
    const int8_t *records;
    dpli_code_shape shape;
    const dpli_rows *rows;
    const char *gone; /* [n] nonzero for those that are no longer; NULL: none */
    size_t n;
} dpli_scanned;

/** Whether dpli_scan_search takes this head and k. */
bool dpli_scan_serves(const dpli_scanned *in, const dpl_head *head, size_t k);

/**
 * What dpli_flat_search finds, to the bit.
 *
 *     found   [n_probes, k]
 *     probes  [n_probes, dim]
 *
 * @retval DPL_E_INPUT  a row is not what its sum says
 * Threads: as dpli_flat_search.
 */
dpl_status dpli_scan_search(dpli_found *found, const dpl_head *head, const dpli_scanned *in,
                            const float *probes, size_t n_probes, size_t k, dpl_error *err);

#endif
