/*
 * picture_kit.h - what the tests of the decoders of photos share: the pictures of
 * tests/fixtures/image, the photo that they show, and what holds for every format.
 */
#ifndef DOPPEL_TESTS_VISION_PICTURE_KIT_H
#define DOPPEL_TESTS_VISION_PICTURE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "doppel/image.h"
#include "tests/failing_alloc.h"
#include "vision/image/decode.h"

enum { KIT_W = 37, KIT_H = 29 };

static inline uint8_t *kit_load(size_t *n, const char *name)
{
    char path[512];
    uint8_t *bytes;

    snprintf(path, sizeof path, "%s/tests/fixtures/image/%s", DPL_SOURCE_DIR, name);
    if (dpli_file_read(&bytes, n, path, 1 << 20, NULL) != DPL_OK)
        fail_msg("no fixture %s", name);
    return bytes;
}

static inline void kit_decode(dpl_image *image, const char *name, const dpl_decode_options *options)
{
    dpl_error err;
    size_t n;
    uint8_t *bytes = kit_load(&n, name);

    if (dpl_image_decode(image, bytes, n, options, &err) != DPL_OK)
        fail_msg("%s: %s", name, err.message);
    free(bytes);
}

/* Refused with these words; nothing in the picture. */
static inline void kit_refuse(const void *bytes, size_t n, const dpl_decode_options *options,
                              dpl_status want, const char *words)
{
    dpl_error err = {DPL_OK, ""};
    dpl_image image;

    assert_int_equal(dpl_image_decode(&image, bytes, n, options, &err), want);
    assert_string_equal(err.message, words);
    assert_null(image.pixels);
    assert_int_equal(image.width_px, 0);
}

/* The picture of make_images.py. */
static inline int kit_photo(int x, int y, int c)
{
    return c == 0 ? 7 * x : c == 1 ? 8 * y + 10 : 3 * x + 4 * y;
}

/* The photo, no value off by more than worst, nor by more than mean on average. */
static inline void kit_must_be_photo(const dpl_image *image, const char *name, int worst,
                                     double mean)
{
    double sum = 0;
    int most = 0;

    assert_int_equal(image->width_px, KIT_W);
    assert_int_equal(image->height_px, KIT_H);
    for (int i = 0; i < KIT_W * KIT_H * 3; i++) {
        const int d = abs(image->pixels[i] - kit_photo(i / 3 % KIT_W, i / 3 / KIT_W, i % 3));

        sum += d;
        most = d > most ? d : most;
    }
    if (most > worst || sum / (KIT_W * KIT_H * 3) > mean)
        fail_msg("%s: worst %d, mean %g", name, most, sum / (KIT_W * KIT_H * 3));
}

/* What NAME.rgb says, no value off by more than worst. */
static inline void kit_must_be_twin(const dpl_image *image, const char *name, int worst)
{
    char twin[64];
    size_t n;
    uint8_t *want;

    snprintf(twin, sizeof twin, "%.*s.rgb", (int)(strrchr(name, '.') - name), name);
    want = kit_load(&n, twin);
    assert_int_equal(n, 3 * (size_t)image->width_px * (size_t)image->height_px);
    for (size_t i = 0; i < n; i++)
        if (abs(image->pixels[i] - want[i]) > worst)
            fail_msg("%s: value %zu is %d, not %d", name, i, image->pixels[i], want[i]);
    free(want);
}

/* What an n-byte beginning of a file must give, for every n: an error with words, or a picture with
 * a warning whose rows that are there are those of the whole file; or all of it without one, where
 * what is gone is not needed for the picture (quiet: that may be). Returns how many lengths gave a
 * picture with a warning. */
static inline int kit_cut_everywhere(const char *name, int rows_at_cut, int quiet)
{
    dpl_image whole;
    size_t n_all;
    int n_warned = 0;
    uint8_t *all = kit_load(&n_all, name);

    kit_decode(&whole, name, NULL);
    assert_string_equal(whole.warning, "");
    for (size_t n = 0; n < n_all; n++) {
        /* Of its own, so that a read past its end is found. */
        uint8_t *part = malloc(n ? n : 1);
        dpl_error err = {DPL_OK, ""};
        dpl_image image;
        dpl_status status;
        int rows = KIT_H, of;

        memcpy(part, all, n);
        status = dpl_image_decode(&image, part, n, NULL, &err);
        free(part);
        if (status != DPL_OK) {
            assert_int_equal(status, DPL_E_INPUT);
            assert_true(err.message[0] != '\0');
        } else {
            rows = image.height_px;
            if (image.warning[0]) {
                n_warned++;
                assert_memory_equal(image.warning, "truncated: ", 11);
                if (sscanf(image.warning, "truncated: %d of %d rows", &rows, &of) == 2) {
                    assert_int_equal(of, image.height_px);
                    assert_in_range(rows, (of + 7) / 8, of - 1);
                    rows = rows > rows_at_cut ? rows - rows_at_cut : 0;
                }
            } else if (!quiet)
                fail_msg("%s: %zu of %zu bytes are a picture without a warning", name, n, n_all);
            /* Without what says which way up it is, behind the pixels, it lies as it is stored. */
            if (image.exif_orientation == whole.exif_orientation)
                assert_memory_equal(image.pixels, whole.pixels,
                                    3 * (size_t)rows * (size_t)image.width_px);
        }
        dpl_image_clear(&image);
    }
    dpl_image_clear(&whole);
    free(all);
    return n_warned;
}

/* The least max_bytes with which a file decodes, with these options else. */
static inline size_t kit_least_bytes(const char *name, const dpl_decode_options *given)
{
    dpl_decode_options options = *given;
    size_t low = 0, high = 1 << 28, n;
    uint8_t *bytes = kit_load(&n, name);

    while (high - low > 1) {
        dpl_image image;
        dpl_status status;

        options.max_bytes = (low + high) / 2;
        status = dpl_image_decode(&image, bytes, n, &options, NULL);
        dpl_image_clear(&image);
        if (status == DPL_OK)
            high = options.max_bytes;
        else {
            assert_int_equal(status, DPL_E_LIMIT);
            low = options.max_bytes;
        }
    }
    free(bytes);
    return high;
}

/* What is said to be needed is what is asked for, but for what turning may take; of nothing but a
 * beginning nothing is needed. */
static inline void kit_need_is_known(const char *name)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t n;
    uint8_t *bytes = kit_load(&n, name);
    const size_t need = (size_t)dpli_image_need(bytes, n, &options);

    if (need < kit_least_bytes(name, &options) || need > 2 * kit_least_bytes(name, &options))
        fail_msg("%s: %zu are needed, %zu asked for", name, need, kit_least_bytes(name, &options));
    assert_int_equal(dpli_image_need(bytes, 20, &options), 0);
    free(bytes);
}

/* The photo in all eight orientations, turn_1 to turn_8 with this ending. */
static inline void kit_turns(const char *ending)
{
    for (int n = 1; n <= 8; n++) {
        char name[32];
        dpl_image image;

        snprintf(name, sizeof name, "turn_%d.%s", n, ending);
        kit_decode(&image, name, NULL);
        assert_int_equal(image.exif_orientation, n);
        assert_int_equal(image.full_width_px, KIT_W);
        kit_must_be_photo(&image, name, 0, 0);
        dpl_image_clear(&image);
    }
}

/* Each allocation of a decode fails once: that is told, and nothing is left; of least to most of
 * them it is the end. */
static inline void kit_lack_of_memory(const char *name, int least, int most)
{
    size_t n_bytes;
    uint8_t *bytes = kit_load(&n_bytes, name);
    int n_failed = 0;

    for (size_t n = 1;; n++) {
        dpl_image image;
        dpl_status status;

        fail_allocation(n);
        status = dpl_image_decode(&image, bytes, n_bytes, NULL, NULL);
        fail_at = 0;
        if (status != DPL_OK) {
            assert_int_equal(status, DPL_E_MEMORY);
            assert_null(image.pixels);
            n_failed++;
        }
        dpl_image_clear(&image);
        if (n_allocations < n)
            break;
    }
    assert_in_range(n_failed, least, most);
    free(bytes);
}

#endif
