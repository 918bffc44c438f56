/* Comma-separated (RFC 4180) and tab-separated values, row by row. */
#ifndef DOPPEL_DATA_CSV_H
#define DOPPEL_DATA_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "doppel/error.h"

#define DPLI_CSV_FIELDS 4096

typedef struct dpli_csv {
    char *text; /* borrowed; rows are taken apart in it */
    size_t n, at;
    size_t next_line;
    char separator;
    bool quotes; /* a field that begins with a quote ends with one, and they are undone */
    /* The row that was read last. */
    size_t line; /* it begins in, from 1 */
    int n_fields;
    char *field[DPLI_CSV_FIELDS];
} dpli_csv;

/** text [n], with a NUL behind it. A byte order mark is skipped. */
void dpli_csv_init(dpli_csv *csv, char *text, size_t n);
/** The same of fields parted by tabs. Each line is a row; quotes are undone where every field that
 * begins with one is quoted as CSV has it, and else are letters. */
void dpli_tsv_init(dpli_csv *tsv, char *text, size_t n);

/** The next row that is not empty; n_fields is 0 at the end. DPL_E_INPUT names the line. */
dpl_status dpli_csv_row(dpli_csv *csv, dpl_error *err);

#endif
