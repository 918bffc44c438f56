/*
 * fuzz_snapshot.c - any bytes as the snapshot of an index: refused, or read with its parts in
 * order.
 *
 * A snapshot ends in a checksum, so nearly everything is refused by it; the target puts the right
 * one behind an input whose first byte is odd, and what is behind the checksum is reached.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/file.h"
#include "index/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    dpl_error err = {DPL_OK, ""};
    dpli_index index = {0};
    const char *path;
    uint8_t *bytes;

    if (n_bytes < 1 + sizeof(uint64_t))
        return 0;
    bytes = malloc(n_bytes - 1);
    fuzz_require(bytes != NULL);
    memcpy(bytes, data + 1, n_bytes - 1);
    path = fuzz_file("snapshot", bytes, n_bytes - 1);
    if (data[0] & 1)
        (void)dpli_snapshot_seal(path, &err);
    if (dpli_snapshot_read(&index, path, NULL, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0');
    } else {
        for (size_t i = 1; i < index.n; i++)
            fuzz_require(index.ids[i] > index.ids[i - 1]);
        (void)dpli_rows_check(&index.vectors, &err);
    }
    dpli_index_clear(&index);
    free(bytes);
    return 0;
}
