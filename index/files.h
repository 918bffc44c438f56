/* The photos under some paths, and whose they are, if that is asked. */
#ifndef DOPPEL_INDEX_FILES_H
#define DOPPEL_INDEX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "doppel/error.h"

typedef struct dpli_found_file {
    char *path;   /* absolute */
    char *person; /* by the rule of dpl_enroll; NULL: it names nobody */
    char *nobody; /* and why it does not */
    bool by_file; /* the person is named by the file, not by a folder */
    bool told; /* it gets a status whatever it is: given by name (where people are named, alone), or
                  a folder that cannot be read */
    char *given; /* the path as it was given, or below the folder as it was given; NULL where people
                    are named */
    size_t order; /* in which it was found */
} dpli_found_file;

typedef struct dpli_found_files {
    dpli_found_file *items; /* in the order of names, or as given; a file found twice is there once
                             */
    size_t n, cap;
    int64_t n_links;    /* that lead out of the folders given and were not followed */
    int64_t n_left_out; /* files and folders, by base/ignore.h */
} dpli_found_files;

typedef enum dpli_find_whose {
    DPLI_FIND_PEOPLES,  /* a folder a person, or a file */
    DPLI_FIND_NOBODYS,  /* it is not asked: nobody's, without a reason */
    DPLI_FIND_AS_GIVEN, /* nor here. Files are in the order given, and one given by name is taken,
                           also where a folder says that it is left out, or it is not there */
} dpli_find_whose;

typedef struct dpli_find_options {
    bool follow_links; /* that lead out of the folders given, too */
    dpli_find_whose whose;
    /* Whether there is a person of this name. */
    dpl_status (*is_known)(void *ctx, bool *known, const char *name, dpl_error *err);
    void *ctx;
} dpli_find_options;

/**
 * List files: those given, and those in the folders given, recursively, but for what base/ignore.h
 * leaves out.
 *
 * @retval DPL_E_INPUT  a path given does not exist or cannot be read; err names it (not of those as
 * given)
 * @retval DPL_E_LIMIT  more files than one run takes
 */
dpl_status dpli_find_files(dpli_found_files *out, const char *const *paths, size_t n_paths,
                           const dpli_find_options *options, dpl_error *err);
void dpli_found_files_clear(dpli_found_files *files);

/** Whether a file is to be taken for a photo, well or badly made; what is not is passed over.
 * @param st  of the file; all 0 when there is none */
bool dpli_is_photo(const dpli_found_file *file, const struct stat *st);

/** Whether a name is a year, or begins with a date ("2019", "2019-07", "2019-07-14 Wedding",
 * "20190714"): of a time, and no person's. */
bool dpli_is_date(const char *name);

#endif
