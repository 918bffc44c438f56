/* What targets that read files share: a folder of their own, in memory where the system has one,
 * removed at the end, and bytes put into it as a file. */
#ifndef DOPPEL_FUZZ_FILE_H
#define DOPPEL_FUZZ_FILE_H

#include <stddef.h>
#include <stdint.h>

/** The folder; made on the first call. */
const char *fuzz_folder(void);

/** Write bytes as a file of that folder; its path, the same for the same name. */
const char *fuzz_file(const char *name, const void *bytes, size_t n_bytes);

/** abort() unless ok: libFuzzer takes that for a finding. */
void fuzz_require(int ok);

#endif
