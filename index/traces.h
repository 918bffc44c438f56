/* Bytes that must be nowhere in the files of a folder: what forgetting has removed. */
#ifndef DOPPEL_INDEX_TRACES_H
#define DOPPEL_INDEX_TRACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

struct dpli_store;

/* Shorter ones stand in any file by chance. */
enum { DPLI_TRACE_MIN_BYTES = 8 };

typedef struct dpli_trace {
    uint8_t *bytes;
    size_t n;
    ptrdiff_t inside; /* the longest other one that this one begins with, -1: none */
    bool found;
    char *file; /* the first that has it; NULL also when memory for its name failed */
} dpli_trace;

typedef struct dpli_traces {
    dpli_trace *items;
    size_t n, cap;
} dpli_traces;

/** Look for these bytes, too: at least DPLI_TRACE_MIN_BYTES, copied. */
dpl_status dpli_traces_add(dpli_traces *t, const void *bytes, size_t n, dpl_error *err);
/**
 * Read every file of a folder (links and folders in it aside) and mark what was found. Sorts and
 * makes unique what was added.
 *
 * @retval DPL_E_SYSTEM  a file cannot be read; err names it
 */
dpl_status dpli_traces_search(dpli_traces *t, const char *dir, dpl_error *err);
/** The same in the rows of a gallery's database that is elsewhere: where a store has each_row. What
 * was found before stays marked. */
dpl_status dpli_traces_search_rows(dpli_traces *t, struct dpli_store *store, dpl_error *err);
/** Take the mark from those that text [n] has: it is there by right. */
void dpli_traces_allow(dpli_traces *t, const void *text, size_t n);
void dpli_traces_clear(dpli_traces *t);

#endif
