/*
 * test_heif.c - HEIC and AVIF pictures decode to the right pixels, upright; what is cut, broken,
 * too large or hostile is told apart. Pictures: tests/fixtures/make_formats.py, which has libheif
 * look at what it put together.
 */
#include "tests/vision/picture_kit.h"

static const char *const kinds[] = {"heic", "avif"};

static const char *name_of(const char *what, const char *kind)
{
    static char name[64];

    snprintf(name, sizeof name, "%s_%s.%s", kind, what, kind);
    return name;
}

/* Quality 95 with colour at half or all of the size, of slopes of at most 8 a pixel; 10 and 12 bits
 * brought to 8. */
static void lossy_pictures_decode_to_the_photo(void **state)
{
    static const char *const names[] = {"lossy", "444", "422", "10"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        const char *kind = kinds[i % 2], *name = name_of(names[i / 2], kind);
        dpl_image image;

        kit_decode(&image, name, NULL);
        assert_string_equal(image.format, kind);
        assert_string_equal(image.warning, "");
        assert_int_equal(image.exif_orientation, 1);
        kit_must_be_photo(&image, name, 36, 6);
        dpl_image_clear(&image);
    }
    {
        dpl_image image;

        kit_decode(&image, "avif_12.avif", NULL);
        kit_must_be_photo(&image, "avif_12.avif", 36, 6);
        dpl_image_clear(&image);
    }
}

/* What heif-enc calls lossless rounds once. */
static void lossless_pictures_decode_but_for_rounding(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dpl_image image;

        kit_decode(&image, name_of("lossless", kinds[i]), NULL);
        assert_string_equal(image.warning, "");
        kit_must_be_photo(&image, kinds[i], 1, 0.5);
        dpl_image_clear(&image);
    }
}

/* Grey of quality 100; noise of quality 80 in six tiles; a crop of a lossless picture; a smooth
 * alpha over the photo. */
static void every_other_picture_decodes_to_its_twin(void **state)
{
    static const struct {
        const char *name;
        int worst;
    } cases[] = {{"grey", 4}, {"grid", 80}, {"crop", 1}, {"alpha", 36}};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *name = name_of(cases[i / 2].name, kinds[i % 2]);
        dpl_image image;

        kit_decode(&image, name, NULL);
        assert_string_equal(image.warning, "");
        kit_must_be_twin(&image, name, cases[i / 2].worst);
        dpl_image_clear(&image);
    }
}

/* Turned by the container alone: the EXIF block beside says the same. */
static void turns_and_mirrors_are_applied_once(void **state)
{
    (void)state;
    for (int n = 1; n <= 8; n++)
        for (size_t i = 0; i < 2; i++) {
            char name[32];
            dpl_image image;

            snprintf(name, sizeof name, "turn_%d.%s", n, kinds[i]);
            kit_decode(&image, name, NULL);
            assert_int_equal(image.exif_orientation, n);
            assert_int_equal(image.full_width_px, KIT_W);
            kit_must_be_photo(&image, name, 1, 0.5);
            dpl_image_clear(&image);
        }
}

static void pictures_of_other_kinds_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *upper = i ? "AVIF" : "HEIC";
        char words[128];
        size_t n;
        uint8_t *bytes = kit_load(&n, name_of("needs", kinds[i]));

        snprintf(words, sizeof words, "%s needs a property that is not read, \"wild\"", upper);
        kit_refuse(bytes, n, NULL, DPL_E_INPUT, words);
        free(bytes);
        bytes = kit_load(&n, name_of("overlay", kinds[i]));
        snprintf(words, sizeof words, "%s holds a picture of a kind that is not read, \"iovl\"",
                 upper);
        kit_refuse(bytes, n, NULL, DPL_E_INPUT, words);
        free(bytes);
    }
}

static void picture_cut_at_any_byte_is_an_error_or_whole_rows_of_tiles(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        kit_cut_everywhere(name_of("lossless", kinds[i]), 0, 0);
        kit_cut_everywhere(i ? "turn_6.avif" : "turn_6.heic", 0, 0);
        kit_cut_everywhere(name_of("alpha", kinds[i]), 0, 0);
        /* Two rows of tiles: the first is there from about half of the file on. */
        assert_true(kit_cut_everywhere(name_of("grid", kinds[i]), 0, 0) > 100);
    }
}

/* Where these bytes are, from at on. */
static size_t find(const uint8_t *bytes, size_t n, const char *what, size_t n_what, size_t at)
{
    while (at + n_what <= n && memcmp(bytes + at, what, n_what) != 0)
        at++;
    if (at + n_what > n)
        fail_msg("no \"%s\"", what);
    return at;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void size_is_limited_before_memory_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
        size_t n, at;
        uint8_t *bytes = kit_load(&n, i ? "turn_1.avif" : "turn_1.heic");
        dpl_error err = {DPL_OK, ""};
        dpl_image image;

        at = find(bytes, n, "ispe", 4, 0) + 8;
        put32(bytes + at, 30000);
        put32(bytes + at + 4, 30000);
        n_allocations = 0;
        kit_refuse(bytes, n, NULL, DPL_E_LIMIT,
                   "image is 30000x30000 pixels, limit is 256 megapixels (--max-pixels)");
        put32(bytes + at, 0xFFFFFFFF);
        kit_refuse(bytes, n, NULL, DPL_E_LIMIT,
                   "image is 4294967295x30000 pixels, limit is 65535 a side");
        put32(bytes + at, 0);
        kit_refuse(bytes, n, NULL, DPL_E_INPUT,
                   i ? "image is 0x30000 pixels" : "broken HEIC: its crop makes no sense");
        /* The container's size is not the codec's. */
        put32(bytes + at, 128);
        put32(bytes + at + 4, 128);
        assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_E_INPUT);
        assert_non_null(strstr(err.message, i ? "of the size that it says" : "two sizes"));
        free(bytes);
        bytes = kit_load(&n, i ? "turn_1.avif" : "turn_1.heic");
        options.max_bytes = 50000;
        n_allocations = 0;
        assert_int_equal(dpl_image_decode(&image, bytes, n, &options, &err), DPL_E_LIMIT);
        assert_non_null(strstr(err.message, "(--max-memory)"));
        assert_int_equal(n_allocations, 0);
        free(bytes);
    }
}

static void hostile_containers_are_refused(void **state)
{
    static const struct {
        const char *box;
        size_t at; /* behind its name */
        uint32_t value;
        const char *words;
    } cases[] = {
        {"pitm", 2, 0x00000063, "no still picture in it"}, /* no such item */
        {"pitm", 2, 0xFFFFFFFF, "no still picture in it"},
        {"iloc", 4, 0xFFFF0001, "does not say where"},  /* numbers of 15 bytes */
        {"iloc", 12, 0x00000000, "does not say where"}, /* in no piece */
        {"iloc", 14, 0xFFFFFFFF, "truncated"},          /* past the end */
        {"iprp", 0, 0x00000000, ""},                    /* no properties */
        {"ipma", 4, 0x00000000, ""},                    /* none of this item */
        {"dimg", 2, 0x00000000, "tile"},                /* no tiles */
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *name = name_of("grid", kinds[i % 2]);
        dpl_error err = {DPL_OK, ""};
        dpl_image image;
        size_t n, at;
        uint8_t *bytes = kit_load(&n, name);

        at = find(bytes, n, cases[i / 2].box, 4, 0) + 4 + cases[i / 2].at;
        put32(bytes + at, cases[i / 2].value);
        if (dpl_image_decode(&image, bytes, n, NULL, &err) != DPL_E_INPUT ||
            !strstr(err.message, cases[i / 2].words))
            fail_msg("%s, case %zu: \"%s\"", name, i / 2, err.message);
        free(bytes);
    }
    for (size_t i = 0; i < 2; i++) {
        size_t n, at;
        dpl_error err = {DPL_OK, ""};
        dpl_image image;
        uint8_t *bytes = kit_load(&n, name_of("grid", kinds[i]));

        /* 256 x 256 tiles. */
        at = find(bytes, n, "mdat", 4, 0) + 4;
        bytes[at + 2] = bytes[at + 3] = 255;
        assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_E_LIMIT);
        assert_non_null(strstr(err.message, "has 65536 tiles, limit is 1024"));
        /* A grid whose tile is itself. */
        bytes[at + 2] = 1;
        bytes[at + 3] = 2;
        at = find(bytes, n, "dimg", 4, 0) + 4;
        bytes[at + 5] = 1;
        assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_E_INPUT);
        free(bytes);
    }
}

/* Of HEVC a decoder gives out what it has, whatever is missing: it must be known. */
static void picture_without_its_slices_is_no_picture(void **state)
{
    size_t n, at;
    dpl_error err = {DPL_OK, ""};
    dpl_image image;
    uint8_t *bytes = kit_load(&n, "turn_1.heic");

    (void)state;
    at = find(bytes, n, "mdat", 4, 0) + 4;
    /* Not one that is looked at: the first NAL unit's type is no picture's (access unit delimiter).
     */
    for (size_t i = at; i + 4 < n;) {
        const size_t length = (size_t)bytes[i] << 24 | (size_t)bytes[i + 1] << 16 |
                              (size_t)bytes[i + 2] << 8 | bytes[i + 3];

        if (length < 3 || length > n - i)
            break;
        if ((bytes[i + 4] >> 1 & 63) >= 16 && (bytes[i + 4] >> 1 & 63) <= 21)
            bytes[i + 4] = 35 << 1;
        i += 4 + length;
    }
    assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "damaged: no picture in its data");
    free(bytes);
}

/* The slices of one unit of four: libde265 has no complaint. */
static void picture_without_one_of_its_slices_is_refused(void **state)
{
    size_t n;
    uint8_t *bytes = kit_load(&n, "heic_missing.heic");

    (void)state;
    kit_refuse(bytes, n, NULL, DPL_E_INPUT, "damaged: some of its slices are missing");
    free(bytes);
}

static void data_in_pieces_that_follow_each_other_are_read(void **state)
{
    size_t n, at;
    uint8_t *bytes = kit_load(&n, "heic_pieces.heic");
    dpl_image image;

    (void)state;
    kit_decode(&image, "heic_pieces.heic", NULL);
    kit_must_be_photo(&image, "heic_pieces.heic", 1, 0.5);
    dpl_image_clear(&image);
    /* The second one further on. */
    at = find(bytes, n, "iloc", 4, 0) + 4 + 8 + 6 + 8;
    bytes[at + 3]++;
    kit_refuse(bytes, n, NULL, DPL_E_INPUT, "broken HEIC: it does not say where its pixels are");
    free(bytes);
}

/* Damage in one tile costs its row of tiles, or is refused; what else is shown is the file's. */
static void damage_in_a_tile_is_told_or_shown_nowhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *name = name_of("grid", kinds[i]);
        size_t n;
        uint8_t *bytes = kit_load(&n, name);
        dpl_image image, whole;
        dpl_error err = {DPL_OK, ""};

        kit_decode(&whole, name, NULL);
        /* Most of the last tile. */
        memset(bytes + n - 100, 0, 100);
        assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, &err), DPL_OK);
        assert_string_equal(image.warning, "damaged: 64 of 100 rows are there");
        assert_memory_equal(image.pixels, whole.pixels, 3 * 64 * 148);
        dpl_image_clear(&image);
        dpl_image_clear(&whole);
        free(bytes);
    }
}

static void what_a_decode_will_take_is_known_before(void **state)
{
    static const char *const names[] = {"lossy", "10", "alpha", "grid"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++)
        kit_need_is_known(name_of(names[i / 2], kinds[i % 2]));
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    static const char *const names[] = {"turn_6.heic", "turn_6.avif", "heic_alpha.heic",
                                        "avif_alpha.avif"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        kit_lack_of_memory(names[i], 5, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossy_pictures_decode_to_the_photo),
        cmocka_unit_test(lossless_pictures_decode_but_for_rounding),
        cmocka_unit_test(every_other_picture_decodes_to_its_twin),
        cmocka_unit_test(turns_and_mirrors_are_applied_once),
        cmocka_unit_test(pictures_of_other_kinds_are_refused_by_name),
        cmocka_unit_test(picture_cut_at_any_byte_is_an_error_or_whole_rows_of_tiles),
        cmocka_unit_test(size_is_limited_before_memory_is_taken),
        cmocka_unit_test(hostile_containers_are_refused),
        cmocka_unit_test(picture_without_its_slices_is_no_picture),
        cmocka_unit_test(picture_without_one_of_its_slices_is_refused),
        cmocka_unit_test(data_in_pieces_that_follow_each_other_are_read),
        cmocka_unit_test(damage_in_a_tile_is_told_or_shown_nowhere),
        cmocka_unit_test(what_a_decode_will_take_is_known_before),
        cmocka_unit_test(lack_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
