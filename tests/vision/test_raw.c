/*
 * test_raw.c - of a camera's raw file the preview is found and decoded, upright; what has none, is
 * cut or hostile is refused. Pictures laid out as the makers do: tests/fixtures/make_formats.py.
 */
#include "tests/vision/picture_kit.h"

static const char *const names[] = {"raw_dng.dng", "raw_dng_mm.dng", "raw_nef.nef", "raw_cr2.cr2",
                                    "raw_arw.arw", "raw_rw2.rw2",    "raw_raf.raf", "raw_orf.orf"};

enum { N_NAMES = sizeof names / sizeof *names };

/* JPEG of quality 92. Turned once, where the preview's EXIF and the first directory both say so,
 * too. */
static void largest_preview_is_decoded_and_turned_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        dpl_image image;

        kit_decode(&image, names[i], NULL);
        assert_string_equal(image.format, "raw");
        assert_string_equal(image.warning, "");
        assert_int_equal(image.exif_orientation, i < 2 ? 1 : 6);
        assert_int_equal(image.full_width_px, KIT_W);
        kit_must_be_photo(&image, names[i], 36, 6);
        dpl_image_clear(&image);
    }
}

static void preview_is_decoded_smaller_while_that_is_enough(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_image image;

    (void)state;
    options.enough_px = 19;
    kit_decode(&image, "raw_nef.nef", &options);
    assert_int_equal(image.width_px, 19);
    assert_int_equal(image.full_width_px, KIT_W);
    dpl_image_clear(&image);
}

static void raw_without_a_preview_is_refused(void **state)
{
    size_t n;
    uint8_t *bytes = kit_load(&n, "raw_bare.dng");

    (void)state;
    kit_refuse(bytes, n, NULL, DPL_E_INPUT,
               "is a camera raw without a JPEG preview; only that is read");
    free(bytes);
    kit_refuse("IIRO\x08\0\0\0", 8, NULL, DPL_E_INPUT,
               "is a camera raw without a JPEG preview; only that is read");
    kit_refuse("FUJIFILMCCD-RAW 0201", 20, NULL, DPL_E_INPUT, "truncated: ends before its preview");
}

static void raw_cut_at_any_byte_is_an_error_or_a_picture_of_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        size_t n_all;
        uint8_t *all = kit_load(&n_all, names[i]);

        for (size_t n = 0; n < n_all; n++) {
            uint8_t *part = malloc(n ? n : 1);
            dpl_error err = {DPL_OK, ""};
            dpl_image image;
            dpl_status status;

            memcpy(part, all, n);
            status = dpl_image_decode(&image, part, n, NULL, &err);
            /* The last byte of the preview is an end marker's: only what is behind may go unsaid.
             */
            if (status == DPL_OK && !image.warning[0])
                assert_int_equal((int64_t)image.width_px * image.height_px,
                                 image.width_px > 10 ? KIT_W * KIT_H : 10 * 8);
            else if (status != DPL_OK)
                assert_true(status == DPL_E_INPUT && err.message[0]);
            dpl_image_clear(&image);
            free(part);
        }
        free(all);
    }
}

static void hostile_directories_come_to_an_end(void **state)
{
    /* A directory that is its own next one, child and EXIF; a count of entries that is not there;
     * 65535 children at a place past the end. */
    static const uint8_t loop[] = "IIRO\x08\0\0\0\x02\0\x4A\x01\x04\0\x01\0\0\0\x08\0\0\0"
                                  "\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0";
    static const uint8_t long_one[] =
        "IIRO\x08\0\0\0\xFF\x03\x4A\x01\x04\0\xFF\xFF\0\0\xF0\xFF\xFF\xFF";
    static const uint8_t far_one[] = "IIRO\xFE\xFF\xFF\xFF\x01\0";
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    static const struct {
        const uint8_t *bytes;
        size_t n;
    } cases[] = {{loop, sizeof loop}, {long_one, sizeof long_one}, {far_one, sizeof far_one}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kit_refuse(cases[i].bytes, cases[i].n, NULL, DPL_E_INPUT,
                   "is a camera raw without a JPEG preview; only that is read");
        assert_int_equal(dpli_image_need(cases[i].bytes, cases[i].n, &options), 0);
    }
}

static void limits_are_those_of_the_preview(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t n;
    uint8_t *bytes = kit_load(&n, "raw_nef.nef");

    (void)state;
    options.max_pixels = KIT_W * KIT_H - 1;
    n_allocations = 0;
    kit_refuse(bytes, n, &options, DPL_E_LIMIT,
               "image is 29x37 pixels, limit is 1072 pixels (--max-pixels)");
    assert_int_equal(n_allocations, 0);
    free(bytes);
    for (size_t i = 0; i < N_NAMES; i++)
        kit_need_is_known(names[i]);
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    kit_lack_of_memory("raw_nef.nef", 3, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(largest_preview_is_decoded_and_turned_once),
        cmocka_unit_test(preview_is_decoded_smaller_while_that_is_enough),
        cmocka_unit_test(raw_without_a_preview_is_refused),
        cmocka_unit_test(raw_cut_at_any_byte_is_an_error_or_a_picture_of_the_file),
        cmocka_unit_test(hostile_directories_come_to_an_end),
        cmocka_unit_test(limits_are_those_of_the_preview),
        cmocka_unit_test(lack_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
