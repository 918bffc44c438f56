/* The photos under some paths, and whose they are. */
#ifndef DOPPEL_INDEX_FILES_H
#define DOPPEL_INDEX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_found_file {
    char *path;   /* absolute */
    char *person; /* by the rule of dpl_enroll */
    bool told; /* it gets a status whatever it is: given by name, or a folder that cannot be read */
} dpli_found_file;

typedef struct dpli_found_files {
    dpli_found_file *items; /* in the order of names; a path given twice is there once */
    size_t n, cap;
    int64_t n_links; /* that lead out of the folders given and were not followed */
} dpli_found_files;

/**
 * List files: those given, and those in the folders given, recursively.
 *
 * @param follow_links  links that lead out of the folders given are followed, too
 * @retval DPL_E_INPUT  a path given does not exist or cannot be read; err names it
 * @retval DPL_E_LIMIT  more files than one run takes
 */
dpl_status dpli_find_files(dpli_found_files *out, const char *const *paths, size_t n_paths,
                           bool follow_links, dpl_error *err);
void dpli_found_files_clear(dpli_found_files *files);

/** Whether an absolute path lies under one of the paths given (made absolute in the same way). */
bool dpli_path_is_under(const char *path, const char *const *roots, size_t n_roots);

#endif
