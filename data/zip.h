/* A zip archive, read in place: its members' names, and their bytes one by one. */
#ifndef DOPPEL_DATA_ZIP_H
#define DOPPEL_DATA_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_zip dpli_zip;

/** Errors do not name the archive.
 * @retval DPL_E_INPUT  cannot be opened, or not a zip
 * @retval DPL_E_LIMIT  more members than anyone needs */
dpl_status dpli_zip_open(dpli_zip **out, const char *path, dpl_error *err);
void dpli_zip_close(dpli_zip *z);

size_t dpli_zip_n_members(const dpli_zip *z);
/** As the bytes stand in the archive: a folder's ends in a slash. One caller at a time. */
const char *dpli_zip_name(const dpli_zip *z, size_t member);
/** *member of exactly this name, else DPL_E_INPUT. Threads: any number at once. */
dpl_status dpli_zip_find(size_t *member, dpli_zip *z, const char *name, dpl_error *err);

/** Bytes that a member says it unpacks to; 0 when it does not. Threads: as dpli_zip_find. */
uint64_t dpli_zip_size(dpli_zip *z, size_t member);

/**
 * A member's content, its checksum verified; freed with free(). Errors do not name it.
 * @retval DPL_E_INPUT  encrypted, damaged, or packed in a way that is not known
 * @retval DPL_E_LIMIT  unpacks to more than max_bytes; told before memory is taken
 * Threads: any number at once; they take turns.
 */
dpl_status dpli_zip_read(uint8_t **bytes, size_t *n_bytes, dpli_zip *z, size_t member,
                         size_t max_bytes, dpl_error *err);

#endif
