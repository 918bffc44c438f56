/*
 * fuzz_snapshot.c - any bytes as the snapshot of an index: refused, or read with its parts in
 * order.
 *
 * A snapshot ends in a checksum, so nearly everything is refused by it; the target puts the right
 * one behind an input whose first byte is odd, and what is behind the checksum is reached.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz/file.h"
#include "index/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* FAISS forgets an index that it has begun to read when the file ends. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:faiss::read_index";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    dpl_error err = {DPL_OK, ""};
    dpli_index index = {0};
    uint8_t *bytes;

    if (n_bytes < 1 + sizeof(uint64_t))
        return 0;
    bytes = malloc(n_bytes - 1);
    fuzz_require(bytes != NULL);
    memcpy(bytes, data + 1, n_bytes - 1);
    if (data[0] & 1) {
        const size_t n = n_bytes - 1 - sizeof(uint64_t);
        const uint64_t sum = dpli_sum64(0, bytes, n);

        memcpy(bytes + n, &sum, sizeof sum);
    }
    if (dpli_snapshot_read(&index, fuzz_file("snapshot", bytes, n_bytes - 1), &err) != DPL_OK)
        fuzz_require(err.message[0] != '\0');
    else
        for (size_t i = 1; i < index.n; i++)
            fuzz_require(index.ids[i] > index.ids[i - 1]);
    dpli_index_clear(&index);
    free(bytes);
    return 0;
}
