/*
 * fuzz_exif.c - any bytes as an EXIF block: an orientation from 1 to 8.
 */
#include "fuzz/file.h"
#include "vision/image/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    int32_t orientation = 0;

    fuzz_require(dpli_exif_orientation(&orientation, data, n_bytes, NULL) == DPL_OK);
    fuzz_require(orientation >= 1 && orientation <= 8);
    return 0;
}
