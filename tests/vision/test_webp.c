/*
 * test_webp.c - WebP pictures decode to the right pixels, upright; what is cut, broken or too large
 * is told apart. Pictures: tests/fixtures/make_formats.py.
 */
#include "tests/vision/picture_kit.h"

/* What lossy WebP of quality 95, with colour at half the size, does to slopes of at most 8 a pixel.
 */
static void lossy_webp_decodes_to_the_photo(void **state)
{
    dpl_image image;

    (void)state;
    kit_decode(&image, "webp_lossy.webp", NULL);
    assert_string_equal(image.format, "webp");
    assert_string_equal(image.warning, "");
    assert_int_equal(image.exif_orientation, 1);
    kit_must_be_photo(&image, "webp_lossy.webp", 36, 6);
    dpl_image_clear(&image);
}

static void lossless_webp_decodes_exactly_whatever_is_around_it(void **state)
{
    static const char *const names[] = {"webp_lossless.webp", "webp_animated.webp",
                                        "webp_extras.webp"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dpl_image image;

        kit_decode(&image, names[i], NULL);
        assert_string_equal(image.warning, "");
        kit_must_be_photo(&image, names[i], 0, 0);
        dpl_image_clear(&image);
    }
}

static void transparency_is_over_white(void **state)
{
    dpl_image image;

    (void)state;
    kit_decode(&image, "webp_lossless_alpha.webp", NULL);
    kit_must_be_twin(&image, "webp_lossless_alpha.webp", 0);
    dpl_image_clear(&image);
    kit_decode(&image, "webp_lossy_alpha.webp", NULL);
    kit_must_be_twin(&image, "webp_lossy_alpha.webp", 36);
    dpl_image_clear(&image);
}

static void first_frame_lies_on_a_white_canvas(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_image image;

    (void)state;
    kit_decode(&image, "webp_placed.webp", NULL);
    assert_string_equal(image.warning, "");
    kit_must_be_twin(&image, "webp_placed.webp", 0);
    dpl_image_clear(&image);
    /* That is not reduced. */
    options.enough_px = 5;
    kit_decode(&image, "webp_placed.webp", &options);
    kit_must_be_twin(&image, "webp_placed.webp", 0);
    dpl_image_clear(&image);
}

static void orientation_is_applied_exactly(void **state)
{
    (void)state;
    kit_turns("webp");
}

static void webp_is_decoded_smaller_while_that_is_enough(void **state)
{
    static const int enough[][3] = {{0, 148, 116}, {149, 148, 116}, {75, 148, 116},
                                    {74, 74, 58},  {37, 37, 29},    {19, 19, 15}};

    (void)state;
    for (size_t i = 0; i < sizeof enough / sizeof *enough; i++) {
        dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
        dpl_image image;

        options.enough_px = enough[i][0];
        kit_decode(&image, "webp_large.webp", &options);
        assert_int_equal(image.width_px, enough[i][1]);
        assert_int_equal(image.height_px, enough[i][2]);
        assert_int_equal(image.full_width_px, 148);
        assert_int_equal(image.full_height_px, 116);
        if (image.width_px == KIT_W)
            kit_must_be_photo(&image, "webp_large.webp at a quarter", 36, 6);
        dpl_image_clear(&image);
    }
}

static void webp_cut_at_any_byte_is_an_error_or_a_picture_with_a_warning(void **state)
{
    (void)state;
    assert_true(kit_cut_everywhere("webp_large.webp", 0, 0) > 50);
    assert_true(kit_cut_everywhere("webp_cut.webp", 0, 0) > 50);
    assert_true(kit_cut_everywhere("turn_6.webp", 0, 0) > 10);
    kit_cut_everywhere("webp_lossy_alpha.webp", 0, 0);
    kit_cut_everywhere("webp_animated.webp", 0, 0);
    kit_cut_everywhere("webp_extras.webp", 0, 0);
}

static void put24(uint8_t *to, uint32_t v)
{
    to[0] = (uint8_t)v;
    to[1] = (uint8_t)(v >> 8);
    to[2] = (uint8_t)(v >> 16);
}

static void size_is_limited_before_memory_is_taken(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t n;
    uint8_t *bytes = kit_load(&n, "webp_animated.webp");

    (void)state;
    /* The canvas: 16,777,216 pixels a side. */
    put24(bytes + 24, 0xFFFFFF);
    put24(bytes + 27, 0xFFFFFF);
    n_allocations = 0;
    kit_refuse(bytes, n, NULL, DPL_E_LIMIT,
               "image is 16777216x16777216 pixels, limit is 65535 a side");
    assert_int_equal(n_allocations, 0);
    free(bytes);
    bytes = kit_load(&n, "webp_lossy.webp");
    n_allocations = 0;
    options.max_pixels = KIT_W * KIT_H - 1;
    kit_refuse(bytes, n, &options, DPL_E_LIMIT,
               "image is 37x29 pixels, limit is 1072 pixels (--max-pixels)");
    options.max_pixels = KIT_W * KIT_H;
    options.max_bytes = 30000;
    kit_refuse(bytes, n, &options, DPL_E_LIMIT,
               "decoding needs 0.1 MiB, limit is 0.0 MiB (--max-memory)");
    assert_int_equal(n_allocations, 0);
    free(bytes);
}

static void sizes_that_contradict_each_other_are_refused(void **state)
{
    size_t n;
    uint8_t *bytes = kit_load(&n, "webp_extras.webp");

    (void)state;
    put24(bytes + 24, 99);
    kit_refuse(bytes, n, NULL, DPL_E_INPUT, "broken WebP: two sizes, 100x29 and 37x29");
    free(bytes);
    /* A frame that reaches out of its canvas. */
    bytes = kit_load(&n, "webp_placed.webp");
    put24(bytes + 52, 7);
    kit_refuse(bytes, n, NULL, DPL_E_INPUT, "broken WebP: two sizes, 37x29 and 24x16");
    free(bytes);
    /* Nothing but a head, and nothing but chunks that make no picture. */
    kit_refuse("RIFF\4\0\0\0WEBP", 12, NULL, DPL_E_INPUT, "broken WebP: no picture in it");
    kit_refuse("RIFF\x20\0\0\0WEBPVP8 ", 16, NULL, DPL_E_INPUT,
               "truncated: ends before its pixels");
    kit_refuse("RIFF\x0c\0\0\0WEBPVP8 \xFF\xFF\xFF\xFF", 20, NULL, DPL_E_INPUT,
               "broken WebP: no picture in it");
}

static void damaged_pixels_are_told(void **state)
{
    dpl_error err = {DPL_OK, ""};
    dpl_image image;
    size_t n;
    uint8_t *bytes = kit_load(&n, "webp_cut.webp");

    (void)state;
    /* A piece gone from the middle; the file says that it ends where it ends. */
    memmove(bytes + n / 2, bytes + n / 2 + 200, n - n / 2 - 200);
    n -= 200;
    bytes[4] = (uint8_t)(n - 8);
    bytes[5] = (uint8_t)((n - 8) >> 8);
    if (dpl_image_decode(&image, bytes, n, NULL, &err) == DPL_OK)
        assert_memory_equal(image.warning, "damaged: ", 9);
    else
        assert_memory_equal(err.message, "damaged: ", 9);
    dpl_image_clear(&image);
    free(bytes);
}

static void what_a_decode_will_take_is_known_before(void **state)
{
    static const char *const names[] = {"webp_lossy.webp",       "webp_lossless.webp",
                                        "webp_lossy_alpha.webp", "webp_lossless_alpha.webp",
                                        "webp_placed.webp",      "webp_large.webp"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        kit_need_is_known(names[i]);
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    static const char *const names[] = {"webp_lossy.webp", "webp_lossy_alpha.webp", "turn_6.webp",
                                        "webp_placed.webp"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        kit_lack_of_memory(names[i], 1, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossy_webp_decodes_to_the_photo),
        cmocka_unit_test(lossless_webp_decodes_exactly_whatever_is_around_it),
        cmocka_unit_test(transparency_is_over_white),
        cmocka_unit_test(first_frame_lies_on_a_white_canvas),
        cmocka_unit_test(orientation_is_applied_exactly),
        cmocka_unit_test(webp_is_decoded_smaller_while_that_is_enough),
        cmocka_unit_test(webp_cut_at_any_byte_is_an_error_or_a_picture_with_a_warning),
        cmocka_unit_test(size_is_limited_before_memory_is_taken),
        cmocka_unit_test(sizes_that_contradict_each_other_are_refused),
        cmocka_unit_test(damaged_pixels_are_told),
        cmocka_unit_test(what_a_decode_will_take_is_known_before),
        cmocka_unit_test(lack_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
