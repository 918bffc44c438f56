/*
 * What a photo is known by: the URI of its source. A file's is "file://" and its absolute path,
 * every byte percent-encoded but "/" and RFC 3986's unreserved ones, so that one file has one URI
 * and a database of any text encoding can keep it. People see paths.
 */
#ifndef DOPPEL_INDEX_SOURCE_H
#define DOPPEL_INDEX_SOURCE_H

#include <stdbool.h>

#include "doppel/error.h"

/**
 * "." and "..", and slashes that follow slashes or end a path, are resolved as the letters say.
 *
 * @param      shown  an absolute path, or a URI of another scheme than "file", which stays as it is
 * @param[out] uri    freed with free()
 * @retval DPL_E_ARGUMENT  neither
 */
dpl_status dpli_source_of(char **uri, const char *shown, dpl_error *err);

/** What people see of it, the inverse but for what was resolved; freed with free().
 * @retval DPL_E_INPUT  not what dpli_source_of gives */
dpl_status dpli_source_shown(char **shown, const char *uri, dpl_error *err);

/** Whether what people see names a file. */
bool dpli_source_is_file(const char *shown);

#endif
