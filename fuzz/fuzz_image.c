/*
 * fuzz_image.c - any bytes as a photo: decoded within the limits or refused with words, alike
 * whatever lay in memory before; what was decoded can be resized, warped and encoded.
 *
 * The last byte chooses how far a JPEG may be reduced, so that all decoders are reached from one
 * corpus.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/image.h"
#include "vision/image/decode.h"
#include "vision/image/warp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void require(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const int32_t enough_px[4] = {0, 1, 40, 300};
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};
    dpl_image image, again, small;
    uint8_t chip[16 * 16 * 3], *jpeg;
    size_t n_jpeg;
    dpl_status status;

    /* Small enough for many tries a second. */
    options.max_pixels = 1 << 18;
    options.max_bytes = 16 << 20;
    options.enough_px = enough_px[n_bytes ? data[n_bytes - 1] % 4 : 0];
    status = dpli_image_decode_filled(&image, data, n_bytes, &options, 0x00, &err);
    require(dpli_image_decode_filled(&again, data, n_bytes, &options, 0xFF, &err) == status);
    require(again.width_px == image.width_px && again.height_px == image.height_px);
    require(strcmp(again.warning, image.warning) == 0);
    require(!image.pixels == !again.pixels);
    require(!image.pixels || memcmp(image.pixels, again.pixels,
                                    3 * (size_t)image.width_px * (size_t)image.height_px) == 0);
    dpl_image_clear(&again);
    if (status != DPL_OK) {
        require(status == DPL_E_INPUT || status == DPL_E_LIMIT);
        require(err.message[0] != '\0' && !image.pixels);
        return 0;
    }
    require(image.width_px >= 1 && image.height_px >= 1);
    require(image.width_px <= image.full_width_px && image.height_px <= image.full_height_px);
    require((int64_t)image.full_width_px * image.full_height_px <= 1 << 18);
    require(image.exif_orientation >= 1 && image.exif_orientation <= 8);
    require(dpl_image_resize(&small, &image, 24, 9, NULL) == DPL_OK);
    require(dpl_image_to_jpeg(&jpeg, &n_jpeg, &small, 80, NULL) == DPL_OK);
    require(n_jpeg > 100);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&small);
    /* Turned, over the edges, at a scale that the picture's own bytes choose. */
    const float s = (float)image.pixels[0] / 8, m[6] = {s, -s / 2, -4, s / 2, s, -7};

    require(dpli_warp_affine(chip, 16, 16, &image, m, NULL) == DPL_OK);
    dpl_image_clear(&image);
    return 0;
}
