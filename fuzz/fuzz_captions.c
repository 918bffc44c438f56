/*
 * fuzz_captions.c - any bytes as the head of a JPEG that says what it shows: captions come out, each UTF-8
 * and none twice, or none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/described.h"
#include "fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    dpli_captions captions = {0};

    fuzz_require(dpli_captions_in_jpeg(&captions, data, n_bytes, NULL) == DPL_OK);
    fuzz_require(captions.n <= DPLI_MAX_CAPTIONS);
    for (size_t i = 0; i < captions.n; i++) {
        fuzz_require(captions.items[i].text[0] && dpli_is_utf8(captions.items[i].text));
        for (size_t k = 0; k < i; k++)
            fuzz_require(strcmp(captions.items[i].text, captions.items[k].text) != 0);
    }
    dpli_captions_clear(&captions);
    return 0;
}
