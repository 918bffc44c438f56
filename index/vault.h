/*
 * A file that is written once from its beginning to its end and then read anywhere: plain, or with
 * a key sealed piece by piece, so that a part can be read without the rest.
 */
#ifndef DOPPEL_INDEX_VAULT_H
#define DOPPEL_INDEX_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_vault dpli_vault;

/** Make a file, or empty the one that is there. key: of DPLI_KEY_BYTES, NULL: plain. */
dpl_status dpli_vault_make(dpli_vault **out, const char *path, const uint8_t *key, dpl_error *err);
/** More of it; false when it cannot be written, with errno set. */
bool dpli_vault_put(dpli_vault *vault, const void *bytes, size_t n);
/** The rest of it is in the file; nothing is put after. */
bool dpli_vault_finish(dpli_vault *vault);

/**
 * Open a file for reading: no link, and nothing that could hang.
 *
 * @retval DPL_E_NOT_FOUND  there is none
 * @retval DPL_E_INPUT      it is no file; with a key: none that was sealed
 */
dpl_status dpli_vault_open(dpli_vault **out, const char *path, const uint8_t *key, dpl_error *err);
/** The same file, still open when the other is closed. */
dpl_status dpli_vault_again(dpli_vault **out, const dpli_vault *vault, dpl_error *err);
void dpli_vault_close(dpli_vault *vault);

/** Bytes that were put. */
uint64_t dpli_vault_bytes(const dpli_vault *vault);
/** Of one that was opened: what its file takes; more where it is sealed. */
uint64_t dpli_vault_file_bytes(const dpli_vault *vault);
/**
 * n bytes from at on of one that was opened.
 *
 * @retval DPL_E_INPUT  it ends before; it is not what was written
 * Threads: any number.
 */
dpl_status dpli_vault_read(const dpli_vault *vault, void *to, size_t n, uint64_t at,
                           dpl_error *err);

#endif
