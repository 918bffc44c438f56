/*
 * fuzz_zip.c - any bytes as a zip archive: opened or refused, and each of its members unpacked
 * within a limit or refused.
 */
#include <stdlib.h>
#include <string.h>

#include "data/zip.h"
#include "fuzz/file.h"

#define MAX_BYTES   ((size_t)1 << 20)
#define MAX_MEMBERS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    dpl_error err = {DPL_OK, ""};
    dpli_zip *zip;

    if (dpli_zip_open(&zip, fuzz_file("zip", data, n_bytes), &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0' && !zip);
        return 0;
    }
    for (size_t i = 0; i < dpli_zip_n_members(zip) && i < MAX_MEMBERS; i++) {
        const char *name = dpli_zip_name(zip, i);
        uint8_t *bytes;
        size_t n, member;

        fuzz_require(name != NULL);
        if (dpli_zip_find(&member, zip, name, NULL) == DPL_OK)
            fuzz_require(strcmp(dpli_zip_name(zip, member), name) == 0);
        if (dpli_zip_read(&bytes, &n, zip, i, MAX_BYTES, &err) == DPL_OK) {
            fuzz_require(n <= MAX_BYTES);
            free(bytes);
        }
    }
    dpli_zip_close(zip);
    return 0;
}
