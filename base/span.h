/* Large arrays in large pages. */
#ifndef DOPPEL_BASE_SPAN_H
#define DOPPEL_BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/* Zero-initialise, free with dpli_span_free. What is at at has the alignment of a page. */
typedef struct dpli_span {
    void *at;
    size_t n_bytes, cap_bytes; /* cap_bytes: what it may grow to where it lies */
} dpli_span;

/** Zeros. */
dpl_status dpli_span_new(dpli_span *out, size_t n_bytes, dpl_error *err);
/** Make it n_bytes long, zeros behind what there was. On failure it is as it was. */
dpl_status dpli_span_resize(dpli_span *span, size_t n_bytes, dpl_error *err);
void dpli_span_free(dpli_span *span);

#endif
