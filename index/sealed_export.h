/*
 * An export sealed by a passphrase, as a stream that stands between the writer or reader of lines
 * and the file.
 */
#ifndef DOPPEL_INDEX_SEALED_EXPORT_H
#define DOPPEL_INDEX_SEALED_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "doppel/error.h"

typedef struct dpli_sealed_export dpli_sealed_export;

/** *out: what is written to it goes sealed to behind. Closed before what *seal is freed by. */
dpl_status dpli_sealed_export_to(FILE **out, dpli_sealed_export **seal, FILE *behind,
                                 const void *secret, size_t n_secret, dpl_error *err);
/** After a flush of *out: it ends here, and is whole. False with errno. */
bool dpli_sealed_export_end(dpli_sealed_export *seal);

/** Whether a file begins as one; none of it is taken. */
bool dpli_is_sealed_export(FILE *file);
/** *out: what is in behind, opened; reading fails where that is not what was written, or ends too
 * early.
 * @retval DPL_E_INPUT  not one, or the secret is wrong */
dpl_status dpli_sealed_export_from(FILE **out, dpli_sealed_export **seal, FILE *behind,
                                   const void *secret, size_t n_secret, dpl_error *err);
/** Why reading failed: not what was written. */
bool dpli_sealed_export_is_bad(const dpli_sealed_export *seal);
void dpli_sealed_export_free(dpli_sealed_export *seal);

#endif
