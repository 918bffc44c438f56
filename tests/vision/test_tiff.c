/*
 * test_tiff.c - TIFF pictures of every kind that is read decode to the right pixels, upright; what
 * is cut, broken, too large or hostile is told apart. Pictures: tests/fixtures/make_formats.py.
 */
#include "tests/vision/picture_kit.h"

static void every_tiff_of_the_photo_decodes_exactly(void **state)
{
    static const char *const names[] = {
        "tiff_rgb8.tif",  "tiff_rgb8_mm.tif",  "tiff_big.tif",          "tiff_one_strip.tif",
        "tiff_rgb16.tif", "tiff_rgb16_mm.tif", "tiff_planar.tif",       "tiff_planar16.tif",
        "tiff_tiled.tif", "tiff_packbits.tif", "tiff_tiled_planar.tif", "tiff_cmyk.tif",
        "tiff_first.tif", "tiff_lzw.tif",      "tiff_thumbnail.tif",    "tiff_pages.tif"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dpl_image image;

        kit_decode(&image, names[i], NULL);
        assert_string_equal(image.format, "tiff");
        assert_string_equal(image.warning, "");
        assert_int_equal(image.exif_orientation, 1);
        kit_must_be_photo(&image, names[i], 0, 0);
        dpl_image_clear(&image);
    }
}

static void every_other_tiff_decodes_to_the_pixels_that_were_worked_out(void **state)
{
    static const char *const names[] = {"tiff_grey8.tif",         "tiff_grey16.tif",
                                        "tiff_white_is_zero.tif", "tiff_grey4.tif",
                                        "tiff_bits.tif",          "tiff_palette.tif",
                                        "tiff_alpha.tif",         "tiff_alpha_multiplied.tif",
                                        "tiff_grey_alpha.tif"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dpl_image image;

        kit_decode(&image, names[i], NULL);
        assert_string_equal(image.warning, "");
        /* Multiplied by alpha in the file, a value is rounded once more. */
        kit_must_be_twin(&image, names[i], strstr(names[i], "multiplied") ? 1 : 0);
        dpl_image_clear(&image);
    }
}

/* JPEG of quality 95, colour at a quarter. */
static void jpeg_in_a_tiff_decodes_to_the_photo(void **state)
{
    dpl_image image;

    (void)state;
    kit_decode(&image, "tiff_jpeg.tif", NULL);
    assert_string_equal(image.warning, "");
    kit_must_be_photo(&image, "tiff_jpeg.tif", 36, 6);
    dpl_image_clear(&image);
}

static void orientation_is_applied_exactly(void **state)
{
    (void)state;
    kit_turns("tif");
}

static void kinds_that_are_not_read_are_refused_by_name(void **state)
{
    size_t n;
    uint8_t *bytes = kit_load(&n, "tiff_fax.tif");

    (void)state;
    kit_refuse(bytes, n, NULL, DPL_E_INPUT,
               "TIFF is compressed by scheme 4; none, LZW, Deflate, PackBits and JPEG are read");
    free(bytes);
    bytes = kit_load(&n, "tiff_float.tif");
    kit_refuse(bytes, n, NULL, DPL_E_INPUT,
               "TIFF is of a kind that is not read: can not handle images with 32-bit samples");
    free(bytes);
    bytes = kit_load(&n, "tiff_cmyk16.tif");
    kit_refuse(bytes, n, NULL, DPL_E_INPUT,
               "TIFF is of a kind that is not read: can not handle image");
    free(bytes);
}

static void tiff_cut_at_any_byte_is_an_error_or_rows_of_the_file(void **state)
{
    (void)state;
    /* The directory is at the end: cut, there is no picture. */
    assert_int_equal(kit_cut_everywhere("tiff_rgb8.tif", 0, 0), 0);
    assert_int_equal(kit_cut_everywhere("tiff_tiled.tif", 0, 0), 0);
    assert_int_equal(kit_cut_everywhere("tiff_jpeg.tif", 0, 0), 0);
    /* The directory comes first, the last strip last: five strips of seven rows. */
    assert_true(kit_cut_everywhere("tiff_first.tif", 0, 0) > 2000);
}

static void strip_that_is_gone_or_damaged_is_black_and_told(void **state)
{
    dpl_image image;
    size_t n;
    uint8_t *bytes = kit_load(&n, "turn_5.tif");

    (void)state;
    /* Stored sideways, 29 pixels across and 37 down in strips of 7. */
    assert_int_equal(dpl_image_decode(&image, bytes, n - 1, NULL, NULL), DPL_OK);
    assert_string_equal(image.warning, "truncated: 35 of 37 rows are there");
    for (int y = 0; y < KIT_H; y++) {
        for (int x = 0; x < KIT_W; x++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(image.pixels[3 * (y * KIT_W + x) + c],
                                 x < 35 ? kit_photo(x, y, c) : 0);
    }
    dpl_image_clear(&image);
    free(bytes);
}

/* The entry of a tag in the first directory of a little endian TIFF. */
static uint8_t *entry_of(uint8_t *bytes, unsigned tag)
{
    uint8_t *directory = bytes + (bytes[4] | bytes[5] << 8);
    const int n = directory[0] | directory[1] << 8;

    for (int i = 0; i < n; i++) {
        uint8_t *entry = directory + 2 + 12 * i;

        if ((unsigned)(entry[0] | entry[1] << 8) == tag)
            return entry;
    }
    fail_msg("no tag %u", tag);
    return NULL;
}

/* Let a tag say a number of 32 bits. */
static void set(uint8_t *bytes, unsigned tag, uint32_t value)
{
    uint8_t *entry = entry_of(bytes, tag);

    entry[2] = 4;
    for (int i = 0; i < 4; i++)
        entry[8 + i] = (uint8_t)(value >> (8 * i));
}

static void size_is_limited_before_memory_is_taken(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t n;
    uint8_t *bytes = kit_load(&n, "tiff_one_strip.tif");

    (void)state;
    set(bytes, 256, 30000);
    set(bytes, 257, 30000);
    set(bytes, 278, 30000);
    n_allocations = 0;
    kit_refuse(bytes, n, NULL, DPL_E_LIMIT,
               "image is 30000x30000 pixels, limit is 256 megapixels (--max-pixels)");
    set(bytes, 256, 0xFFFFFFFF);
    kit_refuse(bytes, n, NULL, DPL_E_LIMIT,
               "image is 4294967295x30000 pixels, limit is 65535 a side");
    assert_int_equal(n_allocations, 0);
    free(bytes);
    /* A small picture of one gigantic tile. */
    bytes = kit_load(&n, "tiff_tiled.tif");
    set(bytes, 322, 65520);
    set(bytes, 323, 65520);
    n_allocations = 0;
    kit_refuse(bytes, n, NULL, DPL_E_LIMIT,
               "decoding needs 12282.6 MiB, limit is 768.0 MiB (--max-memory)");
    assert_int_equal(n_allocations, 0);
    free(bytes);
    bytes = kit_load(&n, "tiff_rgb8.tif");
    options.max_pixels = KIT_W * KIT_H - 1;
    kit_refuse(bytes, n, &options, DPL_E_LIMIT,
               "image is 37x29 pixels, limit is 1072 pixels (--max-pixels)");
    options.max_pixels = KIT_W * KIT_H;
    options.max_bytes = 100000;
    kit_refuse(bytes, n, &options, DPL_E_LIMIT,
               "decoding needs 0.6 MiB, limit is 0.1 MiB (--max-memory)");
    options.max_bytes = 100;
    kit_refuse(bytes, n, &options, DPL_E_LIMIT,
               "TIFF asks for more memory than its limit (--max-memory)");
    free(bytes);
}

static void hostile_directories_are_refused(void **state)
{
    static const struct {
        unsigned tag;
        uint32_t value;
    } cases[] = {
        {256, 0},          /* no width */
        {257, 0},          /* no height */
        {258, 0x10000000}, /* bits elsewhere */
        {273, 0xFFFFFFF0}, /* strips elsewhere */
        {279, 0},          /* lengths in the head */
        {279, 0xFFFFFFF0}, /* lengths elsewhere */
        {277, 60000},      /* samples */
        {262, 12345},      /* no such colours */
        {284, 7},          /* no such planes */
        {259, 77},         /* no such compression */
    };
    static const uint8_t loop[] = "II*\0\x08\0\0\0\x01\0\xFE\0\x04\0\x01\0\0\0\x01\0\0\0\x08\0\0";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpl_error err = {DPL_OK, ""};
        dpl_image image;
        size_t n;
        uint8_t *bytes = kit_load(&n, "tiff_rgb8.tif");

        set(bytes, cases[i].tag, cases[i].value);
        if (dpl_image_decode(&image, bytes, n, NULL, &err) != DPL_E_INPUT || !err.message[0])
            fail_msg("case %zu: %s", i, err.message);
        free(bytes);
    }
    /* No strip at all; a directory that is its own next one, marked as a thumbnail. */
    {
        dpl_error err = {DPL_OK, ""};
        dpl_image image;
        size_t n;
        uint8_t *bytes = kit_load(&n, "tiff_rgb8.tif");

        memset(entry_of(bytes, 273) + 4, 0, 4);
        assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_E_INPUT);
        free(bytes);
        assert_int_equal(dpl_image_decode(&image, loop, sizeof loop, NULL, &err), DPL_E_INPUT);
        assert_int_equal(
            dpli_image_need(loop, sizeof loop, &(dpl_decode_options)DPL_DECODE_OPTIONS_INIT), 0);
    }
}

/* libjpeg makes grey of what is missing: that is no picture. */
static void jpeg_in_a_tiff_that_ends_early_is_not_there(void **state)
{
    dpl_error err = {DPL_OK, ""};
    dpl_image image;
    size_t n, n_ends = 0;
    uint8_t *bytes = kit_load(&n, "tiff_jpeg.tif");

    (void)state;
    /* An end in the middle of the second strip's data. */
    for (size_t i = 0; i + 1 < n; i++)
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xD9 && ++n_ends == 2) {
            bytes[i - 20] = 0xFF;
            bytes[i - 19] = 0xD9;
        }
    assert_in_range(n_ends, 2, 3);
    assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_OK);
    assert_string_equal(image.warning, "damaged: 16 of 29 rows are there");
    for (int i = 3 * 16 * KIT_W; i < 3 * KIT_H * KIT_W; i++)
        assert_int_equal(image.pixels[i], 0);
    dpl_image_clear(&image);
    free(bytes);
}

static void what_a_decode_will_take_is_known_before(void **state)
{
    static const char *const names[] = {"tiff_rgb8.tif", "tiff_planar16.tif", "tiff_tiled.tif",
                                        "tiff_jpeg.tif", "tiff_cmyk.tif"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        kit_need_is_known(names[i]);
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    kit_lack_of_memory("turn_6.tif", 3, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tiff_of_the_photo_decodes_exactly),
        cmocka_unit_test(every_other_tiff_decodes_to_the_pixels_that_were_worked_out),
        cmocka_unit_test(jpeg_in_a_tiff_decodes_to_the_photo),
        cmocka_unit_test(orientation_is_applied_exactly),
        cmocka_unit_test(kinds_that_are_not_read_are_refused_by_name),
        cmocka_unit_test(tiff_cut_at_any_byte_is_an_error_or_rows_of_the_file),
        cmocka_unit_test(strip_that_is_gone_or_damaged_is_black_and_told),
        cmocka_unit_test(size_is_limited_before_memory_is_taken),
        cmocka_unit_test(hostile_directories_are_refused),
        cmocka_unit_test(jpeg_in_a_tiff_that_ends_early_is_not_there),
        cmocka_unit_test(what_a_decode_will_take_is_known_before),
        cmocka_unit_test(lack_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
