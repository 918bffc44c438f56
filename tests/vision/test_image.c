/*
 * test_image.c - photos decode to the right pixels, whatever kind of PNG or JPEG they are, upright;
 * what is cut or broken or too large is told apart. Pictures: tests/fixtures/make_images.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "doppel/image.h"
#include "tests/failing_alloc.h"
#include "vision/image/decode.h"
#include "vision/image/formats.h"
#include "vision/image/limits.h"

enum { W = 37, H = 29 };

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/tests/fixtures/image/%s", DPL_SOURCE_DIR, name);
    return path;
}

static uint8_t *load(size_t *n, const char *name)
{
    uint8_t *bytes;

    if (dpli_file_read(&bytes, n, path_of(name), 1 << 20, NULL) != DPL_OK)
        fail_msg("no fixture %s", name);
    return bytes;
}

static void must_open(dpl_image *image, const char *name, const dpl_decode_options *options)
{
    dpl_error err;

    if (dpl_image_open(image, path_of(name), options, &err) != DPL_OK)
        fail_msg("%s", err.message);
}

static void must_be_empty(const dpl_image *image)
{
    const dpl_image empty = DPL_IMAGE_INIT;

    assert_null(image->pixels);
    assert_int_equal(image->width_px, 0);
    assert_int_equal(image->full_height_px, 0);
    assert_int_equal(image->exif_orientation, empty.exif_orientation);
    assert_string_equal(image->warning, "");
}

static void must_refuse(const void *bytes, size_t n, const dpl_decode_options *options,
                        dpl_status want, const char *words)
{
    dpl_error err = {DPL_OK, ""};
    dpl_image image;

    assert_int_equal(dpl_image_decode(&image, bytes, n, options, &err), want);
    assert_int_equal(err.status, want);
    assert_string_equal(err.message, words);
    must_be_empty(&image);
}

/* The picture of make_images.py. */
static int photo(int x, int y, int c)
{
    return c == 0 ? 7 * x : c == 1 ? 8 * y + 10 : 3 * x + 4 * y;
}

/* Within what a JPEG of quality 92 with colour at down to an eighth of the pixels does to slopes of
 * at most 8 a pixel: 4 pixels' worth at the worst pixel, a fraction of that on average. */
static void must_be_photo(const dpl_image *image, const char *name)
{
    double sum = 0;
    int worst = 0;

    assert_int_equal(image->width_px, W);
    assert_int_equal(image->height_px, H);
    for (int i = 0; i < W * H * 3; i++) {
        const int d = abs(image->pixels[i] - photo(i / 3 % W, i / 3 / W, i % 3));

        sum += d;
        worst = d > worst ? d : worst;
    }
    if (worst > 36 || sum / (W * H * 3) > 6)
        fail_msg("%s: worst %d, mean %g", name, worst, sum / (W * H * 3));
}

static void every_png_decodes_to_the_pixels_that_were_worked_out(void **state)
{
    static const char *const names[] = {
        "t0_d1",      "t0_d2",       "t0_d4",      "t0_d8",       "t0_d16", "t0_d1_trns",
        "t0_d2_trns", "t0_d4_trns",  "t0_d8_trns", "t0_d16_trns", "t2_d8",  "t2_d16",
        "t2_d8_trns", "t2_d16_trns", "t3_d1",      "t3_d2",       "t3_d4",  "t3_d8",
        "t3_d1_trns", "t3_d2_trns",  "t3_d4_trns", "t3_d8_trns",  "t4_d8",  "t4_d16",
        "t6_d8",      "t6_d16"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        const int interlaced = i % 2;
        char name[64];
        dpl_image image;
        uint8_t *want;
        size_t n_want;

        snprintf(name, sizeof name, "%s.rgb", names[i / 2]);
        want = load(&n_want, name);
        snprintf(name, sizeof name, "%s%s.png", names[i / 2], interlaced ? "i" : "");
        must_open(&image, name, NULL);
        assert_string_equal(image.format, "png");
        assert_string_equal(image.warning, "");
        assert_int_equal(image.width_px, 13);
        assert_int_equal(image.height_px, 11);
        assert_int_equal(image.full_width_px, 13);
        assert_int_equal(n_want, 13 * 11 * 3);
        for (size_t k = 0; k < n_want; k++)
            if (image.pixels[k] != want[k])
                fail_msg("%s: value %zu is %d, not %d", name, k, image.pixels[k], want[k]);
        dpl_image_clear(&image);
        free(want);
    }
}

static void gamma_profiles_text_and_animation_change_nothing(void **state)
{
    static const char *const names[] = {"extras_d8", "extras_d16"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        dpl_image image;
        uint8_t *want;
        size_t n_want;

        snprintf(name, sizeof name, "%s.rgb", names[i]);
        want = load(&n_want, name);
        snprintf(name, sizeof name, "%s.png", names[i]);
        must_open(&image, name, NULL);
        assert_string_equal(image.warning, "");
        assert_memory_equal(image.pixels, want, n_want);
        dpl_image_clear(&image);
        free(want);
    }
}

static void every_jpeg_decodes_to_the_photo(void **state)
{
    static const char *const names[] = {"sample_1x1",
                                        "sample_2x1",
                                        "sample_1x2",
                                        "sample_2x2",
                                        "sample_4x1",
                                        "sample_1x4",
                                        "sample_4x2",
                                        "sample_2x4",
                                        "sample_3x1",
                                        "sample_1x3",
                                        "sample_3x2",
                                        "sample_1x1_2x2_2x2",
                                        "sample_2x2_1x1_2x1",
                                        "sample_2x2_2x1_1x2",
                                        "sample_4x1_2x1_1x1",
                                        "progressive",
                                        "arithmetic",
                                        "restart",
                                        "scans",
                                        "rgb",
                                        "cmyk_adobe",
                                        "cmyk_plain",
                                        "ycck_adobe"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        dpl_image image;

        snprintf(name, sizeof name, "%s.jpg", names[i]);
        must_open(&image, name, NULL);
        assert_string_equal(image.format, "jpeg");
        assert_string_equal(image.warning, "");
        assert_int_equal(image.exif_orientation, 1);
        must_be_photo(&image, name);
        dpl_image_clear(&image);
    }
}

static void grey_jpeg_has_three_equal_channels(void **state)
{
    dpl_image image;

    (void)state;
    must_open(&image, "grey.jpg", NULL);
    for (int i = 0; i < W * H; i++) {
        const uint8_t *p = image.pixels + 3 * i;
        const double luma = 0.299 * photo(i % W, i / W, 0) + 0.587 * photo(i % W, i / W, 1) +
                            0.114 * photo(i % W, i / W, 2);

        assert_true(p[0] == p[1] && p[1] == p[2]);
        assert_true(luma - p[0] < 6 && p[0] - luma < 6);
    }
    dpl_image_clear(&image);
}

static void kinds_that_no_decoder_reads_are_refused_by_name(void **state)
{
    /* What is read follows, and depends on the build. */
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } kinds[] = {
        {"\0\0\0\x18"
         "ftypisom",
         12, "is a video; JPEG, PNG"},
        {"\0\0\0\x18"
         "ftypqt  ",
         12, "is a video; JPEG, PNG"},
        {"GIF89a", 6, "is a GIF picture; JPEG, PNG"},
        {"BM1234", 6, "is a BMP picture; JPEG, PNG"},
        {"%PDF-1.4", 8, "is a PDF file; JPEG, PNG"},
        {"<!DOCTYPE html>", 15, "is an HTML page; JPEG, PNG"},
        {"hello there", 11, "is neither a JPEG, a PNG"},
        {"\xFF\xD8", 2, "is neither a JPEG, a PNG"},
        {"\x89PNG\r\n\x1a", 7, "is neither a JPEG, a PNG"},
    };
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } broken[] = {
        {"", 0, "is empty"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0", 12, "holds nothing but zeros"},
        {"\xFF\xD8\xFF", 3, "truncated: ends before its pixels"},
        {"\xFF\xD8\xFF\xD9", 4, "broken JPEG: no picture in it"},
        {"\x89PNG\r\n\x1a\n", 8, "truncated: ends before its pixels"},
    };
    static const char *const files[][2] = {
        {"bits12.jpg", "JPEG has 12 bits a sample; 8 are read"},
        {"lossless.jpg", "is a lossless JPEG; baseline and progressive ones are read"},
        {"hierarchical.jpg", "is a hierarchical JPEG; baseline and progressive ones are read"}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        dpl_error err = {DPL_OK, ""};
        dpl_image image;

        assert_int_equal(dpl_image_decode(&image, kinds[i].bytes, kinds[i].n, NULL, &err),
                         DPL_E_INPUT);
        if (strncmp(err.message, kinds[i].words, strlen(kinds[i].words)) != 0)
            fail_msg("%s: %s", kinds[i].words, err.message);
    }
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        must_refuse(broken[i].bytes, broken[i].n, NULL, DPL_E_INPUT, broken[i].words);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        uint8_t *bytes = load(&n, files[i][0]);

        must_refuse(bytes, n, NULL, DPL_E_INPUT, files[i][1]);
        free(bytes);
    }
}

/* Either its decoder takes it up, or the format is said to be missing. */
static void format_that_is_not_built_in_is_refused_by_name(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *words;
    } optional[] = {
        {".webp", "RIFF\x20\0\0\0WEBPVP8 ", 16,
         "is a WebP picture, and WebP is not built in; JPEG, "},
        {".heic",
         "\0\0\0\x18"
         "ftypheic\0\0\0\0",
         16, "is a HEIC picture, and HEIC is not built in; JPEG, "},
        {".avif",
         "\0\0\0\x18"
         "ftypavif\0\0\0\0",
         16, "is an AVIF picture, and AVIF is not built in; JPEG, "},
        {".tif", "II*\0\x08\0\0\0", 8, "is a TIFF picture, and TIFF is not built in; JPEG, "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        const bool built = dpli_format_is_name(optional[i].name);
        const size_t n_words = strlen(optional[i].words);
        dpl_error err = {DPL_OK, ""};
        dpl_image image;

        assert_int_equal(built,
                         dpli_format_of((const uint8_t *)optional[i].bytes, optional[i].n) != NULL);
        assert_int_equal(dpl_image_decode(&image, optional[i].bytes, optional[i].n, NULL, &err),
                         DPL_E_INPUT);
        if ((strncmp(err.message, optional[i].words, n_words) == 0) == built)
            fail_msg("%s", err.message);
        /* Meant as a picture, read or not. */
        assert_int_equal(dpl_image_is_meant(optional[i].name, "", 0), 1);
        assert_int_equal(dpl_image_is_meant("x", optional[i].bytes, optional[i].n), 1);
    }
    assert_int_equal(dpl_image_is_meant("IMG_1.MOV",
                                        "\0\0\0\x14"
                                        "ftypqt  ",
                                        12),
                     0);
}

static void name_of_the_file_counts_only_in_messages(void **state)
{
    dpl_image image;
    dpl_error err;
    uint8_t *bytes;
    size_t n;
    FILE *file;

    (void)state;
    bytes = load(&n, "sample_1x1.jpg");
    file = fopen("photo.png", "wb");
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    free(bytes);
    assert_int_equal(dpl_image_open(&image, "photo.png", NULL, &err), DPL_OK);
    assert_string_equal(image.format, "jpeg");
    dpl_image_clear(&image);

    file = fopen("fake.jpg", "wb");
    fputs("hello there", file);
    fclose(file);
    assert_int_equal(dpl_image_open(&image, "fake.jpg", NULL, &err), DPL_E_INPUT);
    assert_memory_equal(err.message, "\"fake.jpg\": is neither a JPEG, a PNG", 36);
    must_be_empty(&image);
    assert_int_equal(dpl_image_open(&image, "absent.jpg", NULL, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "\"absent.jpg\": cannot be opened: No such file or directory");
}

static void put_be32(uint8_t *to, size_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* The orientation of a PNG with this chunk behind its header. Sums of what makes no pixels do not
 * count. */
static int32_t orientation_with(const char *type, const void *data, size_t n)
{
    size_t n_png;
    uint8_t *png = load(&n_png, "t2_d8.png"), *with = calloc(n_png + n + 12, 1);
    int32_t orientation;
    dpl_image image;

    assert_non_null(with);
    memcpy(with, png, 33);
    put_be32(with + 33, n);
    memcpy(with + 37, type, 4);
    memcpy(with + 41, data, n);
    memcpy(with + 45 + n, png + 33, n_png - 33);
    assert_int_equal(dpl_image_decode(&image, with, n_png + n + 12, NULL, NULL), DPL_OK);
    assert_string_equal(image.warning, "");
    orientation = image.exif_orientation;
    dpl_image_clear(&image);
    free(with);
    free(png);
    return orientation;
}

/* text as zlib stores what does not compress (RFC 1950, 1951), without the sum; its length */
static size_t store(uint8_t *to, const char *text, size_t n)
{
    size_t at = 2;

    memcpy(to, "\x78\x01", 2);
    for (size_t from = 0; from < n;) {
        const size_t part = n - from < 65535 ? n - from : 65535;

        to[at++] = from + part == n;
        to[at++] = (uint8_t)part;
        to[at++] = (uint8_t)(part >> 8);
        to[at++] = (uint8_t)~part;
        to[at++] = (uint8_t)(~part >> 8);
        memcpy(to + at, text + from, part);
        at += part;
        from += part;
    }
    return at;
}

#define XMP_KEY "XML:com.adobe.xmp\0"
/* "Exif", TIFF of one entry: 0112h, SHORT, 6 */
#define EXIF_DIGITS "45786966000049492a000800\n00000100120103000100000006000000\n00000000"

static void orientation_is_read_from_the_text_of_a_png(void **state)
{
    static const struct {
        const char *type, *head, *text;
        size_t n_head;
        bool deflated;
        int32_t want;
    } cases[] = {
        {"iTXt", XMP_KEY "\0\0\0", "<x tiff:Orientation=\"6\"/>", 22, false, 6},
        {"iTXt", XMP_KEY "\0\0en\0key", "<x tiff:Orientation = '3' >", 27, false, 3},
        {"iTXt", XMP_KEY "\0\0\0", "<tiff:Orientation>\n8 </tiff:Orientation>", 22, false, 8},
        {"iTXt", XMP_KEY "\1\0\0", "<x tiff:Orientation=\"5\"/>", 22, true, 5},
        {"iTXt", XMP_KEY "\0\0\0", "tiff:Orientation, <x tiff:Orientation='2'/>", 22, false, 2},
        {"tEXt", "Raw profile type exif", "\nexif\n      32\n" EXIF_DIGITS "\n", 22, false, 6},
        {"zTXt", "Raw profile type exif\0", "\nexif\n      32\n" EXIF_DIGITS "\n", 23, true, 6},
        {"zTXt", "Raw profile type APP1\0", "\ngeneric profile\n 32\n" EXIF_DIGITS, 23, true, 6},
        {"tEXt", "Raw profile type xmp", "\nxmp\n 20\n746966663a4f7269656e746174696f6e3d2237222f3e",
         21, false, 7},
        /* nothing that counts */
        {"iTXt", XMP_KEY "\0\0\0", "<x tiff:Orientation=\"9\"/>", 22, false, 1},
        {"iTXt", XMP_KEY "\0\0\0", "<x tiff:Orientation=\"63\"/>", 22, false, 1},
        {"iTXt", XMP_KEY "\0\0\0", "<x tiff:Orientation", 22, false, 1},
        {"iTXt", XMP_KEY "\0\1\0", "<x tiff:Orientation=\"6\"/>", 22, false, 1},
        {"iTXt", XMP_KEY, "", 18, false, 1},
        {"iTXt", "XML:com", "", 7, false, 1},
        {"iTXt", "", "", 0, false, 1},
        {"zTXt", "Raw profile type exif", "", 22, false, 1},
        {"zTXt", "Raw profile type exif\0", "no deflate", 23, false, 1},
        {"tEXt", "Raw profile type exif", "\nexif\n 4\n4", 22, false, 1},
        {"tEXt", "Comment", "tiff:Orientation=\"6\"", 8, false, 1},
    };
    const size_t n_far = (size_t)300 << 10;
    char *far = malloc(n_far + 1);
    uint8_t data[512], *large = malloc(2 * n_far);
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(data, cases[i].head, cases[i].n_head);
        n = strlen(cases[i].text);
        if (cases[i].deflated)
            n = store(data + cases[i].n_head, cases[i].text, n);
        else
            memcpy(data + cases[i].n_head, cases[i].text, n);
        n += cases[i].n_head;
        if (orientation_with(cases[i].type, data, n) != cases[i].want)
            fail_msg("case %zu", i);
        /* Cut anywhere it is read as far as it goes. */
        for (size_t cut = 0; cut < n; cut++) {
            const int32_t got = orientation_with(cases[i].type, data, cut);

            assert_true(got == 1 || got == cases[i].want);
        }
    }
    /* Text goes on for more than anybody writes: it is looked at so far and no further. */
    assert_non_null(far);
    assert_non_null(large);
    memset(far, ' ', n_far);
    for (int behind = 0; behind < 2; behind++) {
        const char *words = behind ? "tiff:Orientation=\"6\"" : "tiff:Orientation=\"3\"";

        memcpy(far + (behind ? n_far - 30 : 1000), words, strlen(words));
        memcpy(large, XMP_KEY "\1\0\0", 22);
        n = 22 + store(large + 22, far, n_far);
        assert_int_equal(orientation_with("iTXt", large, n), behind ? 1 : 3);
        memset(far, ' ', n_far);
    }
    free(far);
    free(large);
}

static void orientation_is_applied_to_png_exactly_and_to_jpeg(void **state)
{
    (void)state;
    for (int n = 1; n <= 8; n++) {
        char name[64];
        dpl_image image;

        snprintf(name, sizeof name, "turn_%d.png", n);
        must_open(&image, name, NULL);
        assert_int_equal(image.exif_orientation, n);
        assert_int_equal(image.width_px, W);
        assert_int_equal(image.full_width_px, W);
        assert_int_equal(image.full_height_px, H);
        for (int i = 0; i < W * H * 3; i++)
            assert_int_equal(image.pixels[i], photo(i / 3 % W, i / 3 / W, i % 3));
        dpl_image_clear(&image);

        snprintf(name, sizeof name, "turn_%d.jpg", n);
        must_open(&image, name, NULL);
        assert_int_equal(image.exif_orientation, n);
        assert_int_equal(image.full_height_px, H);
        must_be_photo(&image, name);
        dpl_image_clear(&image);
    }
}

static void the_orientation_alone_is_that_of_decoding(void **state)
{
    static const char *const endings[] = {"png", "jpg"};
    char path[4096];
    int32_t got = 0;
    dpl_error err;

    (void)state;
    for (int n = 1; n <= 8; n++)
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof path, DPL_SOURCE_DIR "/tests/fixtures/image/turn_%d.%s", n,
                     endings[i]);
            assert_int_equal(dpl_image_orientation(&got, path, NULL, &err), DPL_OK);
            assert_int_equal(got, n);
        }
    assert_int_equal(dpl_image_orientation(&got, "/dev/null", NULL, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "/dev/null"));
}

/* Phones write the tag as BYTE, SHORT or LONG. turn_6.jpg's block begins at byte 12 (little
   endian): a header of 8, the number of tags, then tag, type, count and value. */
static void orientation_is_read_as_byte_short_or_long(void **state)
{
    static const uint8_t types[] = {1, 3, 4, 2, 5};
    enum { TYPE = 12 + 8 + 2 + 2, VALUE = TYPE + 6 };
    size_t n;
    uint8_t *bytes = load(&n, "turn_6.jpg");

    (void)state;
    assert_int_equal(bytes[TYPE], 3);
    assert_int_equal(bytes[VALUE], 6);
    for (size_t i = 0; i < sizeof types; i++) {
        dpl_image image;
        bytes[TYPE] = types[i]; /* 2 is text, 5 a fraction: not an orientation */
        assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, NULL), DPL_OK);
        assert_int_equal(image.exif_orientation, types[i] == 2 || types[i] == 5 ? 1 : 6);
        dpl_image_clear(&image);
    }
    free(bytes);
}

/* large.jpg is the photo with every pixel four times across and down. */
static void jpeg_is_decoded_smaller_while_that_is_enough(void **state)
{
    static const int enough[][3] = {/* enough_px, width, height */
                                    {0, 148, 116}, {149, 148, 116}, {75, 148, 116},
                                    {74, 74, 58},  {38, 74, 58},    {37, 37, 29},
                                    {20, 37, 29},  {19, 19, 15},    {1, 19, 15}};

    (void)state;
    for (size_t i = 0; i < sizeof enough / sizeof *enough; i++) {
        dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
        dpl_image image;

        options.enough_px = enough[i][0];
        must_open(&image, "large.jpg", &options);
        assert_int_equal(image.width_px, enough[i][1]);
        assert_int_equal(image.height_px, enough[i][2]);
        assert_int_equal(image.full_width_px, 148);
        assert_int_equal(image.full_height_px, 116);
        if (image.width_px == W)
            must_be_photo(&image, "large.jpg at a quarter");
        dpl_image_clear(&image);
    }
}

static void sideways_photo_decoded_smaller_keeps_its_proportions(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_image image;

    (void)state;
    options.enough_px = 19;
    must_open(&image, "turn_6.jpg", &options);
    assert_int_equal(image.width_px, 19);
    assert_int_equal(image.height_px, 15);
    assert_int_equal(image.full_width_px, W);
    assert_int_equal(image.full_height_px, H);
    dpl_image_clear(&image);
}

/* What an n-byte beginning of a file must give: never a crash; an error with words, or a picture
 * with a warning, whose first rows are those of the whole file. From some length on there is a
 * picture. rows_at_cut: rows that may differ before those said to be missing, or before the end
 * when it is only the end that is missing; -1: no row is compared. */
static void cut_everywhere(const char *name, int rows_at_cut, int rows_at_end)
{
    dpl_image whole;
    size_t n_all, first_picture = 0;
    uint8_t *all = load(&n_all, name);

    must_open(&whole, name, NULL);
    assert_string_equal(whole.warning, "");
    for (size_t n = 0; n < n_all; n++) {
        /* Of its own, so that a read past its end is found. */
        uint8_t *part = malloc(n ? n : 1);
        dpl_error err = {DPL_OK, ""};
        dpl_image image;
        dpl_status status;

        memcpy(part, all, n);
        status = dpl_image_decode(&image, part, n, NULL, &err);
        free(part);
        if (status == DPL_OK) {
            char unit[16];
            int rows, of;

            if (!first_picture)
                first_picture = n;
            assert_memory_equal(image.warning, "truncated: ", 11);
            if (sscanf(image.warning, "truncated: %d of %d %15s", &rows, &of, unit) == 3) {
                assert_string_equal(unit, rows_at_cut < 0 ? "pixels" : "rows");
                assert_int_equal(of, image.height_px * (rows_at_cut < 0 ? image.width_px : 1));
                assert_in_range(rows, (of + 7) / 8, of - 1);
                /* What is missing is black, which a face's quality counts. */
                for (size_t i = 3 * (size_t)rows * (size_t)image.width_px;
                     rows_at_cut >= 0 && i < 3 * (size_t)image.height_px * (size_t)image.width_px;
                     i++)
                    assert_int_equal(image.pixels[i], 0);
                rows -= rows_at_cut;
            } else
                rows = image.height_px - rows_at_end;
            if (rows_at_cut >= 0)
                assert_memory_equal(image.pixels, whole.pixels,
                                    3 * (size_t)rows * (size_t)image.width_px);
        } else {
            assert_int_equal(status, DPL_E_INPUT);
            assert_true(err.message[0] != '\0');
            if (first_picture)
                fail_msg("%s: a picture from %zu bytes, none from %zu: %s", name, first_picture, n,
                         err.message);
        }
        dpl_image_clear(&image);
    }
    /* Something to see from less than two thirds of the file, nothing from its first hundred bytes.
     */
    assert_in_range(first_picture, 100, n_all * 2 / 3);
    dpl_image_clear(&whole);
    free(all);
}

static void file_cut_at_any_byte_is_an_error_or_a_picture_with_a_warning(void **state)
{
    (void)state;
    /* Colour is interpolated between the last row and what was to come. Of the last row of blocks,
     * 4 rows of pixels, no one knows how much is there. */
    cut_everywhere("large.jpg", 1, 5);
    cut_everywhere("cut_rgb.png", 0, 0);
    cut_everywhere("cut_rgba.png", 0, 0);
    cut_everywhere("cut_rgbi.png", -1, 0);
    cut_everywhere("cut_rgbai.png", -1, 0);
}

static void progressive_jpeg_cut_short_is_a_coarse_picture(void **state)
{
    static const char words[] = "truncated: premature end of JPEG file";
    dpl_image image;
    size_t n;
    uint8_t *bytes = load(&n, "progressive.jpg");

    (void)state;
    assert_int_equal(dpl_image_decode(&image, bytes, n * 9 / 10, NULL, NULL), DPL_OK);
    assert_string_equal(image.warning, words);
    dpl_image_clear(&image);
    for (size_t k = 0; k < n; k++)
        if (dpl_image_decode(&image, bytes, k, NULL, NULL) == DPL_OK) {
            assert_memory_equal(image.warning, "truncated: ", 11);
            dpl_image_clear(&image);
        }
    free(bytes);
}

static void interlaced_png_cut_short_is_coarse_everywhere(void **state)
{
    /* Where Adam7's passes put a pixel's predecessors: ever further to the left and up. */
    static const int step[7][2] = {{0, 0}, {1, 0}, {1, 1}, {3, 1}, {3, 3}, {7, 3}, {7, 7}};
    dpl_image image, whole;
    size_t n;
    uint8_t *bytes = load(&n, "cut_rgbi.png");

    (void)state;
    must_open(&whole, "cut_rgbi.png", NULL);
    assert_int_equal(dpl_image_decode(&image, bytes, n / 2, NULL, NULL), DPL_OK);
    assert_memory_equal(image.warning, "truncated: ", 11);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int i = 0;

            /* Half of the data has the pixels of all passes but the last two. */
            while (i < 7 &&
                   memcmp(image.pixels + 3 * (y * W + x),
                          whole.pixels + 3 * ((y & ~step[i][1]) * W + (x & ~step[i][0])), 3) != 0)
                i++;
            assert_in_range(i, 0, x % 2 || y % 2 ? 3 : 0);
        }
    dpl_image_clear(&image);
    dpl_image_clear(&whole);
    free(bytes);
}

static void photo_without_pixels_is_no_photo(void **state)
{
    dpl_image image;
    dpl_error err;
    size_t n, scan = 0;
    uint8_t *bytes = load(&n, "large.jpg");

    (void)state;
    for (size_t i = 0; i + 1 < n; i++)
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xDA)
            scan = i + 2 + bytes[i + 3];
    must_refuse(bytes, scan, NULL, DPL_E_INPUT, "truncated: 0 of 116 rows are there");
    /* An end marker does not make it better. */
    memcpy(bytes + scan, "\xFF\xD9", 2);
    must_refuse(bytes, scan + 2, NULL, DPL_E_INPUT, "damaged: 0 of 116 rows are there");
    free(bytes);

    bytes = load(&n, "sample_2x2.jpg");
    memmove(bytes + 2, bytes + n - 40, 40);
    assert_int_equal(dpl_image_decode(&image, bytes, 42, NULL, &err), DPL_E_INPUT);
    free(bytes);
}

static void jpeg_that_the_decoder_warns_of_and_gives_up_on_is_refused(void **state)
{
    size_t n;
    uint8_t *bytes = load(&n, "no_pixels.jpg");

    (void)state;
    must_refuse(bytes, n, NULL, DPL_E_INPUT,
                "broken JPEG: Quantization table 0x01 was not defined");
    free(bytes);
}

/* Where the data begin of the first scan that begins at or after byte at. */
static size_t next_scan(const uint8_t *bytes, size_t n, size_t at)
{
    while (at + 3 < n && !(bytes[at] == 0xFF && bytes[at + 1] == 0xDA))
        at++;
    if (at + 3 >= n)
        fail_msg("no scan");
    return at + 2 + (size_t)(bytes[at + 2] << 8 | bytes[at + 3]);
}

static void must_warn(const uint8_t *bytes, size_t n, const char *words)
{
    dpl_image image;
    dpl_error err = {DPL_OK, ""};

    if (dpl_image_decode(&image, bytes, n, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(image.warning, words);
    dpl_image_clear(&image);
}

static void rows_are_there_by_the_decoder_s_words_and_not_by_their_colour(void **state)
{
    enum { SIDE = 64 };
    static uint8_t rgb[SIDE * SIDE * 3];
    dpl_image grey_below, image;
    uint8_t *jpeg, *stray;
    size_t n;

    (void)state;
    /* The lower half is the grey that a decoder makes of no data. */
    memset(rgb, 128, sizeof rgb);
    for (size_t i = 0; i < sizeof rgb / 2; i++)
        rgb[i] = (uint8_t)(i * 7);
    assert_int_equal(dpl_image_from_rgb(&grey_below, rgb, SIDE, SIDE, 3 * SIDE, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &grey_below, 80, NULL), DPL_OK);
    stray = malloc(n + 100);
    memcpy(stray, jpeg, n - 2);
    memset(stray + n - 2, 1, 100);
    memcpy(stray + n + 98, "\xFF\xD9", 2);
    /* libjpeg has read a few of them ahead. */
    assert_int_equal(dpl_image_decode(&image, stray, n + 100, NULL, NULL), DPL_OK);
    assert_memory_equal(image.warning, "damaged: corrupt JPEG data: ", 28);
    assert_non_null(strstr(image.warning, " extraneous bytes before marker 0xd9"));
    dpl_image_clear(&image);
    dpl_image_clear(&grey_below);
    dpl_bytes_free(jpeg);
    free(stray);
}

static void jpeg_without_colour_of_its_own_is_no_photo(void **state)
{
    size_t n, at;
    uint8_t *bytes = load(&n, "scans.jpg");

    (void)state;
    /* The first of three scans, which has the lightness, and an end. */
    at = next_scan(bytes, n, 0);
    while (!(bytes[at] == 0xFF && bytes[at + 1] != 0))
        at++;
    memcpy(bytes + at, "\xFF\xD9", 2);
    must_refuse(bytes, at + 2, NULL, DPL_E_INPUT, "damaged: 0 of 29 rows are there");
    free(bytes);
}

static void scan_without_data_is_no_picture_in_any_coding(void **state)
{
    static const char *const names[] = {"arithmetic.jpg", "sample_2x2.jpg", "progressive.jpg"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        uint8_t *bytes = load(&n, names[i]);
        const size_t at = next_scan(bytes, n, 0);

        memcpy(bytes + at, "\xFF\xD9", 2);
        must_refuse(bytes, at + 2, NULL, DPL_E_INPUT, "damaged: 0 of 29 rows are there");
        free(bytes);
    }
}

static void damage_between_restart_markers_costs_the_rows_there_only(void **state)
{
    dpl_image whole, image;
    size_t n, at, from = 0, to = 0, n_markers = 0;
    uint8_t *bytes = load(&n, "restart.jpg");

    (void)state;
    /* 3 x 2 units of 16 pixels, each followed by a marker: without the data of the first. */
    at = from = next_scan(bytes, n, 0);
    for (; at + 1 < n; at++)
        if (bytes[at] == 0xFF && (bytes[at + 1] & 0xF8) == 0xD0 && n_markers++ == 0)
            to = at;
    assert_int_equal(n_markers, 5);
    memmove(bytes + from, bytes + to, n - to);
    n -= to - from;
    must_warn(bytes, n, "damaged: 13 of 29 rows are there");
    must_open(&whole, "restart.jpg", NULL);
    assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, NULL), DPL_OK);
    /* Beside the row of units, colour is interpolated across. */
    assert_memory_equal(image.pixels + 3 * 18 * W, whole.pixels + 3 * 18 * W, 3 * 11 * W);
    dpl_image_clear(&whole);
    dpl_image_clear(&image);
    free(bytes);
}

static void progressive_jpeg_is_there_as_far_as_its_first_scan(void **state)
{
    dpl_image image;
    dpl_error err = {DPL_OK, ""};
    size_t n, at, end;
    uint8_t *bytes = load(&n, "progressive.jpg");

    (void)state;
    at = end = next_scan(bytes, n, 0);
    while (!(bytes[end] == 0xFF && bytes[end + 1] != 0))
        end++;
    assert_int_equal(dpl_image_decode(&image, bytes, at + 4, NULL, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "truncated: 0 of 29 rows are there");
    must_warn(bytes, end - 4, "truncated: 16 of 29 rows are there");
    must_warn(bytes, end, "truncated: premature end of JPEG file");
    /* Cut in the header of the next scan or of its table. */
    for (size_t k = end; k < end + 20; k++)
        must_warn(bytes, k, "truncated: premature end of JPEG file");
    free(bytes);
}

static void damaged_photo_that_is_still_a_picture_says_so(void **state)
{
    dpl_image image;
    size_t n;
    uint8_t *bytes = load(&n, "cut_rgb.png");

    (void)state;
    /* In the middle of the compressed pixels. */
    memset(bytes + n / 2, 0xFF, 40);
    assert_int_equal(dpl_image_decode(&image, bytes, n, NULL, NULL), DPL_OK);
    assert_memory_equal(image.warning, "damaged: ", 9);
    dpl_image_clear(&image);
    free(bytes);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void size_is_limited_before_memory_is_taken(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t n;
    uint8_t *bytes = load(&n, "t2_d8.png");

    (void)state;
    put32(bytes + 16, 30000);
    put32(bytes + 20, 30000);
    n_allocations = 0;
    must_refuse(bytes, n, NULL, DPL_E_LIMIT,
                "image is 30000x30000 pixels, limit is 256 megapixels (--max-pixels)");
    assert_int_equal(n_allocations, 0);
    put32(bytes + 16, 65536);
    put32(bytes + 20, 1);
    must_refuse(bytes, n, NULL, DPL_E_LIMIT, "image is 65536x1 pixels, limit is 65535 a side");
    put32(bytes + 16, 0xFFFFFFFF);
    put32(bytes + 20, 0xFFFFFFFF);
    must_refuse(bytes, n, NULL, DPL_E_LIMIT,
                "image is 4294967295x4294967295 pixels, limit is 65535 a side");
    put32(bytes + 16, 0);
    must_refuse(bytes, n, NULL, DPL_E_INPUT, "image is 0x4294967295 pixels");
    free(bytes);

    bytes = load(&n, "sample_2x2.jpg");
    options.max_pixels = W * H - 1;
    must_refuse(bytes, n, &options, DPL_E_LIMIT,
                "image is 37x29 pixels, limit is 1072 pixels (--max-pixels)");
    options.max_pixels = W * H;
    n_allocations = 0;
    options.max_bytes = 50000;
    must_refuse(bytes, n, &options, DPL_E_LIMIT,
                "decoding needs 0.1 MiB, limit is 0.0 MiB (--max-memory)");
    assert_int_equal(n_allocations, 0);
    free(bytes);
}

/* The least max_bytes with which a file decodes. */
static size_t least_bytes(const char *name)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t low = 0, high = 1 << 24, n;
    uint8_t *bytes = load(&n, name);

    while (high - low > 1) {
        dpl_image image;
        dpl_error err;
        dpl_status status;

        options.max_bytes = (low + high) / 2;
        status = dpl_image_decode(&image, bytes, n, &options, &err);
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

static size_t n_bytes_of(const char *name)
{
    size_t n;

    free(load(&n, name));
    return n;
}

static void memory_of_the_decoder_counts(void **state)
{
    (void)state;
    /* Coefficients: 16 bits for each sample of whole blocks, 5 x 4 of luma in a 2x2 picture's 3 x 2
     * units of 6 blocks each. */
    assert_int_equal(least_bytes("progressive.jpg") - least_bytes("sample_2x2.jpg"),
                     3 * 2 * 6 * 64 * 2);
    assert_true(least_bytes("scans.jpg") == least_bytes("progressive.jpg"));
    /* Four values a pixel while ink becomes light. */
    assert_true(least_bytes("cmyk_adobe.jpg") > least_bytes("sample_1x1.jpg") + W * H);
    /* The copy of the file; alpha and 16 bits go row by row. */
    assert_int_equal(least_bytes("t6_d16.png") - least_bytes("t2_d8.png"),
                     n_bytes_of("t6_d16.png") - n_bytes_of("t2_d8.png"));
}

static void turning_a_photo_upright_counts_twice_its_pixels(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_error err;

    (void)state;
    options.max_bytes = 6000000;
    assert_int_equal(dpli_check_bytes(0, 1000, 1000, 6, &options, &err), DPL_OK);
    assert_int_equal(dpli_check_bytes(6000001, 10, 10, 6, &options, &err), DPL_E_LIMIT);
    options.max_bytes--;
    assert_int_equal(dpli_check_bytes(0, 1000, 1000, 6, &options, &err), DPL_E_LIMIT);
    assert_string_equal(err.message, "decoding needs 5.8 MiB, limit is 5.7 MiB (--max-memory)");
    assert_int_equal(dpli_check_bytes(0, 1000, 1000, 1, &options, &err), DPL_OK);
}

static void what_a_decode_will_take_is_known_before(void **state)
{
    static const char *const names[] = {"sample_2x2.jpg", "progressive.jpg", "cmyk_adobe.jpg",
                                        "t6_d16.png", "t2_d8.png"};
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        uint8_t *bytes = load(&n, names[i]);
        const size_t need = (size_t)dpli_image_need(bytes, n, &options);

        assert_in_range(need, least_bytes(names[i]), 2 * least_bytes(names[i]));
        assert_int_equal(dpli_image_need(bytes, 20, &options), 0);
        free(bytes);
    }
    assert_int_equal(dpli_image_need("GIF89a", 6, &options), 0);
}

/* All the pixels that are admitted by default can be decoded by default, at full size, from a
 * progressive JPEG with all of its colour. */
static void default_memory_is_enough_for_the_default_pixels(void **state)
{
    /* SOF2 of 8000 x 8000, three components of 1x1; SOS of all; one byte of it; EOI */
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF, 0xC2, 0,  17,   8,    0x1F, 0x40, 0x1F,
                                   0x40, 3,    1,    0x11, 0,  2,    0x11, 0,    3,    0x11,
                                   0,    0xFF, 0xDA, 0,    12, 3,    1,    0,    2,    0,
                                   3,    0,    0,    63,   0,  0x55, 0xFF, 0xD9};
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    const size_t need = (size_t)dpli_image_need(jpeg, sizeof jpeg, &options);

    (void)state;
    /* 16 bits a coefficient, and the pixels. */
    assert_true(need >= (size_t)8000 * 8000 * (3 * 2 + 3));
    /* With 64 MiB for the file. */
    assert_true(need + ((size_t)64 << 20) <= options.max_bytes);
}

static void file_and_decoder_share_one_limit(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    const size_t decoding = least_bytes("sample_2x2.jpg");
    dpl_image image;
    dpl_error err;
    size_t n;

    (void)state;
    free(load(&n, "sample_2x2.jpg"));
    options.max_bytes = decoding + n;
    must_open(&image, "sample_2x2.jpg", &options);
    dpl_image_clear(&image);
    options.max_bytes--;
    assert_int_equal(dpl_image_open(&image, path_of("sample_2x2.jpg"), &options, &err),
                     DPL_E_LIMIT);
    options.max_bytes = n - 1;
    assert_int_equal(dpl_image_open(&image, path_of("sample_2x2.jpg"), &options, &err),
                     DPL_E_LIMIT);
    assert_non_null(strstr(err.message, "sample_2x2.jpg\": file has "));
}

static void jpeg_of_endless_scans_is_refused(void **state)
{
    dpl_error err;
    dpl_image image;
    size_t n, scan = 0;
    uint8_t *bytes = load(&n, "progressive.jpg"), *many;

    (void)state;
    for (size_t i = 0; i + 1 < n && !scan; i++)
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xDA)
            scan = i;
    many = malloc(n + 100 * 8);
    memcpy(many, bytes, n - 2);
    for (size_t i = 0; i < 100; i++)
        memcpy(many + n - 2 + 8 * i, "\xFF\xDA\x00\x06\x00\x00\x00\x00", 8);
    assert_int_equal(dpl_image_decode(&image, many, n - 2 + 800, NULL, &err), DPL_E_LIMIT);
    assert_non_null(strstr(err.message, "scans, limit is 100"));
    free(many);
    free(bytes);
}

static void options_of_another_version_are_read_as_far_as_known(void **state)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_image image;
    dpl_error err;

    (void)state;
    options.struct_size = offsetof(dpl_decode_options, enough_px);
    options.enough_px = 19;
    must_open(&image, "large.jpg", &options);
    assert_int_equal(image.width_px, 148);
    dpl_image_clear(&image);
    options.struct_size = 0;
    assert_int_equal(dpl_image_open(&image, path_of("large.jpg"), &options, &err), DPL_E_ARGUMENT);
    options.struct_size = sizeof options;
    options.enough_px = -1;
    assert_int_equal(dpl_image_open(&image, path_of("large.jpg"), &options, &err), DPL_E_ARGUMENT);
}

static void lack_of_memory_at_any_point_is_told_and_leaks_nothing(void **state)
{
    static const char *const names[] = {"sample_2x2.jpg", "cmyk_adobe.jpg", "turn_6.jpg",
                                        "turn_6.png",     "t6_d8.png",      "cut_rgbai.png"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int n_failed = 0;

        for (size_t n = 1;; n++) {
            dpl_error err = {DPL_OK, ""};
            dpl_image image;
            dpl_status status;

            fail_allocation(n);
            status = dpl_image_open(&image, path_of(names[i]), NULL, &err);
            fail_at = 0;
            if (status != DPL_OK) {
                assert_int_equal(status, DPL_E_MEMORY);
                assert_int_equal(err.status, DPL_E_MEMORY);
                must_be_empty(&image);
                n_failed++;
            }
            dpl_image_clear(&image);
            if (n_allocations < n)
                break;
        }
        assert_in_range(n_failed, 2, 20);
    }
}

static void pixels_of_the_caller_are_copied_row_by_row(void **state)
{
    uint8_t rgb[3 * 10] = {1, 2, 3, 4, 5, 6, 99, 99, 99, 99, 7, 8, 9, 10, 11, 12, 99, 99, 99, 99};
    dpl_image image;

    (void)state;
    assert_int_equal(dpl_image_from_rgb(&image, rgb, 2, 2, 10, NULL), DPL_OK);
    assert_memory_equal(image.pixels, "\1\2\3\4\5\6\7\10\11\12\13\14", 12);
    assert_int_equal(image.full_width_px, 2);
    assert_int_equal(image.exif_orientation, 1);
    dpl_image_clear(&image);
    assert_int_equal(dpl_image_from_rgb(&image, rgb, 2, 2, 5, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_image_from_rgb(&image, rgb, 0, 2, 10, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_image_from_rgb(&image, rgb, 2, -1, 10, NULL), DPL_E_ARGUMENT);
    dpl_image_clear(NULL);
}

static void encoded_jpeg_decodes_to_the_same_photo(void **state)
{
    dpl_image photo_image, again;
    uint8_t *jpeg;
    size_t n, n_small;

    (void)state;
    must_open(&photo_image, "turn_1.png", NULL);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n_small, &photo_image, 30, NULL), DPL_OK);
    dpl_bytes_free(jpeg);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &photo_image, 95, NULL), DPL_OK);
    assert_true(n > n_small);
    assert_int_equal(dpl_image_decode(&again, jpeg, n, NULL, NULL), DPL_OK);
    must_be_photo(&again, "encoded");
    dpl_bytes_free(jpeg);
    dpl_image_clear(&again);
    for (int quality = -1; quality <= 101; quality += 1)
        if (quality < 1 || quality > 100) {
            assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &photo_image, quality, NULL),
                             DPL_E_ARGUMENT);
            assert_null(jpeg);
        }
    fail_allocation(1);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &photo_image, 80, NULL), DPL_E_MEMORY);
    fail_at = 0;
    dpl_image_clear(&photo_image);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &photo_image, 80, NULL), DPL_E_ARGUMENT);
}

static void any_bytes_in_a_file_are_survived(void **state)
{
    static const char *const names[] = {"sample_2x2.jpg", "progressive.jpg", "turn_6.jpg",
                                        "cmyk_adobe.jpg", "t3_d4_trnsi.png", "cut_rgba.png"};
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 20240607);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        uint8_t *bytes = load(&n, names[i]), *bad = malloc(n);

        for (int round = 0; round < 300; round++) {
            dpl_error err = {DPL_OK, ""};
            dpl_image image;
            dpl_status status;

            memcpy(bad, bytes, n);
            for (int k = 0; k < 1 + round % 8; k++)
                bad[dpli_rng_below(&rng, n)] = (uint8_t)dpli_rng_u64(&rng);
            status = dpl_image_decode(&image, bad, n, NULL, &err);
            if (status != DPL_OK) {
                assert_true(status == DPL_E_INPUT || status == DPL_E_LIMIT);
                assert_true(err.message[0] != '\0');
                must_be_empty(&image);
            }
            dpl_image_clear(&image);
        }
        free(bad);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_png_decodes_to_the_pixels_that_were_worked_out),
        cmocka_unit_test(gamma_profiles_text_and_animation_change_nothing),
        cmocka_unit_test(every_jpeg_decodes_to_the_photo),
        cmocka_unit_test(grey_jpeg_has_three_equal_channels),
        cmocka_unit_test(kinds_that_no_decoder_reads_are_refused_by_name),
        cmocka_unit_test(format_that_is_not_built_in_is_refused_by_name),
        cmocka_unit_test(name_of_the_file_counts_only_in_messages),
        cmocka_unit_test(orientation_is_read_from_the_text_of_a_png),
        cmocka_unit_test(orientation_is_applied_to_png_exactly_and_to_jpeg),
        cmocka_unit_test(the_orientation_alone_is_that_of_decoding),
        cmocka_unit_test(orientation_is_read_as_byte_short_or_long),
        cmocka_unit_test(jpeg_is_decoded_smaller_while_that_is_enough),
        cmocka_unit_test(sideways_photo_decoded_smaller_keeps_its_proportions),
        cmocka_unit_test(file_cut_at_any_byte_is_an_error_or_a_picture_with_a_warning),
        cmocka_unit_test(progressive_jpeg_cut_short_is_a_coarse_picture),
        cmocka_unit_test(interlaced_png_cut_short_is_coarse_everywhere),
        cmocka_unit_test(photo_without_pixels_is_no_photo),
        cmocka_unit_test(jpeg_that_the_decoder_warns_of_and_gives_up_on_is_refused),
        cmocka_unit_test(rows_are_there_by_the_decoder_s_words_and_not_by_their_colour),
        cmocka_unit_test(jpeg_without_colour_of_its_own_is_no_photo),
        cmocka_unit_test(scan_without_data_is_no_picture_in_any_coding),
        cmocka_unit_test(damage_between_restart_markers_costs_the_rows_there_only),
        cmocka_unit_test(progressive_jpeg_is_there_as_far_as_its_first_scan),
        cmocka_unit_test(damaged_photo_that_is_still_a_picture_says_so),
        cmocka_unit_test(size_is_limited_before_memory_is_taken),
        cmocka_unit_test(memory_of_the_decoder_counts),
        cmocka_unit_test(turning_a_photo_upright_counts_twice_its_pixels),
        cmocka_unit_test(what_a_decode_will_take_is_known_before),
        cmocka_unit_test(default_memory_is_enough_for_the_default_pixels),
        cmocka_unit_test(file_and_decoder_share_one_limit),
        cmocka_unit_test(jpeg_of_endless_scans_is_refused),
        cmocka_unit_test(options_of_another_version_are_read_as_far_as_known),
        cmocka_unit_test(lack_of_memory_at_any_point_is_told_and_leaks_nothing),
        cmocka_unit_test(pixels_of_the_caller_are_copied_row_by_row),
        cmocka_unit_test(encoded_jpeg_decodes_to_the_same_photo),
        cmocka_unit_test(any_bytes_in_a_file_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
