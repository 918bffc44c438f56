/* A growing byte string, for building text and files; and base64. */
#ifndef DOPPEL_BASE_BUF_H
#define DOPPEL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/* Zero-initialise, free with dpli_buf_clear. data is always NUL-terminated after the first append.
 * A failed append sets failed and makes later ones do nothing: check once, at the end. */
typedef struct dpli_buf {
    char *data;
    size_t len, cap;
    bool failed;
} dpli_buf;

void dpli_buf_add(dpli_buf *buf, const void *bytes, size_t n);
void dpli_buf_str(dpli_buf *buf, const char *s);
void dpli_buf_printf(dpli_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void dpli_buf_base64(dpli_buf *buf, const void *bytes, size_t n);
/** DPL_OK, or DPL_E_MEMORY when an append failed. */
dpl_status dpli_buf_check(const dpli_buf *buf, dpl_error *err);
void dpli_buf_clear(dpli_buf *buf);

/** Decode base64 (RFC 4648, padded, no white space). *out is the caller's, freed with free().
 *  DPL_E_INPUT when malformed. */
dpl_status dpli_base64_decode(uint8_t **out, size_t *n_out, const char *text, dpl_error *err);

#endif
