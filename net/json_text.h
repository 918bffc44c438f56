/* JSON out of a text, and a text out of JSON, where memory may be short. */
#ifndef DOPPEL_NET_JSON_TEXT_H
#define DOPPEL_NET_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * json_loadb, which says of any failure that the text is wrong: here lack of memory is told from
 * that. Names that come twice are refused.
 *
 * @param[out] why  where the text is wrong, when NULL is returned and not *no_memory
 */
json_t *dpli_json_read(bool *no_memory, const char *text, size_t n, json_error_t *why);

/** json_dumps, which without memory may leave out a name and go on: this is all of it, or NULL.
 * Freed with free(). */
char *dpli_json_write(const json_t *json, size_t flags);

#endif
