/*
 * fuzz_csv.c - any bytes as a CSV file: rows come one after another, with their fields in the text,
 * until the end or an error that names its line.
 */
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"
#include "fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *text = malloc(n_bytes + 1);
    size_t line = 0;
    dpli_csv csv;

    fuzz_require(text != NULL);
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    dpli_csv_init(&csv, text, n_bytes);
    for (;;) {
        dpl_error err = {DPL_OK, ""};

        if (dpli_csv_row(&csv, &err) != DPL_OK) {
            fuzz_require(err.message[0] != '\0');
            break;
        }
        if (csv.n_fields == 0)
            break;
        fuzz_require(csv.line > line && csv.n_fields <= DPLI_CSV_FIELDS);
        line = csv.line;
        for (int i = 0; i < csv.n_fields; i++)
            fuzz_require(csv.field[i] >= text &&
                         csv.field[i] + strlen(csv.field[i]) <= text + n_bytes);
    }
    free(text);
    return 0;
}
