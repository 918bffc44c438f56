/* What proves later that somebody was forgotten, without the gallery knowing whom. */
#ifndef DOPPEL_INDEX_RECEIPT_H
#define DOPPEL_INDEX_RECEIPT_H

#include <stddef.h>

#include "doppel/audit.h"

/** 32 hexadecimal digits by chance. */
dpl_status dpli_receipt_secret(char secret[33], dpl_error *err);
/** SHA-256 of the secret and of who, or which photos: the audit keeps it, and says nothing to who
 * has no secret. */
dpl_status dpli_receipt_digest(char digest[65], const char *secret, const char *person,
                               const char *const *paths, size_t n_paths, dpl_error *err);

#endif
