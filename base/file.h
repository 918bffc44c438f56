/* Whole files: read with a limit, replace atomically. */
#ifndef DOPPEL_BASE_FILE_H
#define DOPPEL_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/**
 * Read a regular file (or pipe) whole; *out has one NUL byte past the end, freed with free().
 * @retval DPL_E_INPUT  cannot be opened or read (the message says why and does not name the file),
 * or is a directory or device
 * @retval DPL_E_LIMIT  larger than max_bytes
 */
dpl_status dpli_file_read(uint8_t **out, size_t *n_out, const char *path, size_t max_bytes,
                          dpl_error *err);

/** Write aside (same folder), fsync, rename over path, fsync the folder. The mode is that of the
 * file before, or 0600; never wider than 0600 while aside. DPL_E_SYSTEM on failure, with path named
 * and nothing left behind; what a killed process has left aside goes at the next write of that
 * file. */
dpl_status dpli_file_replace(const char *path, const void *bytes, size_t n, dpl_error *err);

/** As dpli_file_replace for what a callback writes to a path aside: fn(ctx, temporary path). */
dpl_status dpli_file_replace_by(const char *path,
                                dpl_status (*fn)(void *ctx, const char *aside, dpl_error *err),
                                void *ctx, dpl_error *err);

#endif
