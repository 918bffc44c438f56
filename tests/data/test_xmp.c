/*
 * test_xmp.c - sidecars as other programs write them give their faces; what doppel writes into one
 * comes back, and all else in it stays; areas lie where the faces are, however the photo lies; and
 * hostile files are refused with a reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <exempi/xmp.h>

#include "base/buf.h"
#include "base/file.h"
#include "data/packet.h"
#include "data/packet_guard.h"
#include "doppel/image.h"
#include "doppel/xmp.h"
#include "tests/folder_kit.h"

/* ------------------------------------------------------------------ making */

/* Each test works in an empty folder of its own, with a photo in it. */
static int enter(void **state)
{
    assert_int_equal(folder_enter(state), 0);
    return dpli_file_replace("p.jpg", "photo", 5, NULL);
}

static const dpl_photo_shape wide = {4000, 3000, 1};

#define SIDE "p.jpg.xmp"

/* Inlined, gcc 12 takes what it gives for a pointer to its variable. */
__attribute__((noinline)) static char *read_text(const char *path)
{
    uint8_t *bytes;
    size_t n;

    assert_int_equal(dpli_file_read(&bytes, &n, path, 1 << 26, NULL), DPL_OK);
    return (char *)bytes;
}

static char *fixture(const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, DPL_SOURCE_DIR "/tests/data/xmp/%s", name);
    return read_text(path);
}

static void put_text(const char *text)
{
    assert_int_equal(dpli_file_replace(SIDE, text, strlen(text), NULL), DPL_OK);
}

static void put_fixture(const char *name)
{
    char *text = fixture(name);

    put_text(text);
    free(text);
}

/* What is in the sidecar; must be readable. */
static dpl_regions must_read(const dpl_photo_shape *shape)
{
    dpl_regions regions;
    dpl_error err = {DPL_OK, ""};
    dpl_status status = dpl_sidecar_read(&regions, SIDE, shape, &err);

    if (status)
        fail_msg("%s", err.message);
    return regions;
}

static dpl_sidecar_report must_write(const dpl_region *faces, size_t n, bool overwrite)
{
    dpl_sidecar_options options = DPL_SIDECAR_OPTIONS_INIT;
    dpl_sidecar_report report;
    dpl_error err = {DPL_OK, ""};

    options.overwrite = overwrite;
    if (dpl_sidecar_write(&report, SIDE, "p.jpg", &wide, faces, n, &options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return report;
}

static void must_be(const dpl_region *r, const char *name, double x, double y, double w, double h)
{
    assert_string_equal(r->name, name);
    if (!(fabs(r->x - x) < 1e-6 && fabs(r->y - y) < 1e-6 && fabs(r->w - w) < 1e-6 &&
          fabs(r->h - h) < 1e-6))
        fail_msg("%s is at %.7f,%.7f,%.7f,%.7f, not at %g,%g,%g,%g", name, r->x, r->y, r->w, r->h,
                 x, y, w, h);
}

static dpl_region face(const char *name, double x, double y, double w, double h)
{
    return (dpl_region){(char *)(uintptr_t)name, x, y, w, h, false};
}

/* The message with which a sidecar of this text is refused, when read and when written to alike. */
static const char *refusal(dpl_status *status, const char *text)
{
    static dpl_error err;
    dpl_error other = {DPL_OK, ""};
    dpl_region one = face("Ann", 0.1, 0.1, 0.1, 0.1);
    dpl_sidecar_report report;
    dpl_regions regions;
    char *after;

    put_text(text);
    *status = dpl_sidecar_read(&regions, SIDE, &wide, &err);
    assert_int_not_equal(*status, DPL_OK);
    assert_int_equal(regions.n, 0);
    assert_non_null(strstr(err.message, SIDE));
    assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &wide, &one, 1, NULL, &other),
                     *status);
    assert_string_equal(other.message, err.message);
    after = read_text(SIDE);
    assert_string_equal(after, text);
    free(after);
    return err.message;
}

/* ------------------------------------------------------------------ properties */

typedef struct properties {
    char *lines[512];
    size_t n;
} properties;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All properties of a packet but those of MWG regions and people tags, as exempi iterates over
 * them, in order. */
static void read_properties(properties *p, const char *text)
{
    XmpPtr xmp;
    XmpIteratorPtr at;
    XmpStringPtr schema, path, value;
    uint32_t options;

    p->n = 0;
    assert_true(xmp_init());
    xmp = xmp_new_empty();
    assert_true(xmp_parse(xmp, text, strlen(text)));
    at = xmp_iterator_new(xmp, NULL, NULL, 0);
    schema = xmp_string_new();
    path = xmp_string_new();
    value = xmp_string_new();
    while (xmp_iterator_next(at, schema, path, value, &options)) {
        dpli_buf line = {0};

        if (strstr(xmp_string_cstr(schema), "/schemas/regions/") ||
            strstr(xmp_string_cstr(schema), "ns.microsoft.com/photo/1.2"))
            continue;
        dpli_buf_printf(&line, "%s %s = %s (%x)", xmp_string_cstr(schema), xmp_string_cstr(path),
                        xmp_string_cstr(value), options);
        assert_true(p->n < sizeof p->lines / sizeof *p->lines);
        p->lines[p->n++] = line.data;
    }
    xmp_string_free(schema);
    xmp_string_free(path);
    xmp_string_free(value);
    xmp_iterator_free(at);
    xmp_free(xmp);
    xmp_terminate();
    qsort(p->lines, p->n, sizeof *p->lines, by_text);
}

static void must_have_same_properties(const char *before, const char *after)
{
    properties a, b;

    read_properties(&a, before);
    read_properties(&b, after);
    for (size_t i = 0; i < a.n && i < b.n; i++)
        assert_string_equal(a.lines[i], b.lines[i]);
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++)
        free(a.lines[i]);
    for (size_t i = 0; i < b.n; i++)
        free(b.lines[i]);
}

/* ------------------------------------------------------------------ reading */

static void regions_of_digikam_are_read(void **state)
{
    dpl_regions r;

    (void)state;
    put_fixture("digikam.xmp");
    r = must_read(&wide);
    assert_int_equal(r.n, 2);
    must_be(&r.items[0], "Zoë Lund", 0.25, 0.3, 0.1, 0.2);
    must_be(&r.items[1], "Tom Reed", 0.64, 0.42, 0.12, 0.16);
    assert_false(r.items[0].is_own);
    assert_false(r.is_microsoft);
    dpl_regions_clear(&r);
}

static void regions_of_lightroom_are_read_and_its_pets_are_not_faces(void **state)
{
    const dpl_photo_shape shape = {6000, 4000, 1};
    dpl_regions r;

    (void)state;
    put_fixture("lightroom.xmp");
    r = must_read(&shape);
    assert_int_equal(r.n, 2);
    must_be(&r.items[0], "Ann Marsh", 0.26, 0.515, 0.14, 0.21);
    must_be(&r.items[1], "", 0.75, 0.15, 0.1, 0.1);
    assert_int_equal(r.n_others, 1);
    dpl_regions_clear(&r);
}

static void regions_of_picasa_exiftool_and_apple_are_read(void **state)
{
    const dpl_photo_shape small = {912, 687, 1};
    dpl_regions r;

    (void)state;
    put_fixture("picasa.xmp");
    r = must_read(&small);
    assert_int_equal(r.n, 1);
    must_be(&r.items[0], "Ann Marsh", 0.680921052631579 - 0.32127192982456143 / 2,
            0.3537117903930131 - 0.4264919941775837 / 2, 0.32127192982456143, 0.4264919941775837);
    dpl_regions_clear(&r);
    put_fixture("exiftool.xmp");
    r = must_read(&wide);
    assert_int_equal(r.n, 1);
    must_be(&r.items[0], "Ann Marsh", 0.25, 0.3, 0.1, 0.2);
    dpl_regions_clear(&r);
    put_fixture("apple.xmp");
    r = must_read(&wide);
    assert_int_equal(r.n, 1);
    must_be(&r.items[0], "", 0.25 - 0.0625, 0.35 - 0.083, 0.125, 0.166);
    dpl_regions_clear(&r);
}

static void tags_of_microsoft_are_read_where_there_are_no_regions(void **state)
{
    dpl_regions r;

    (void)state;
    put_fixture("microsoft.xmp");
    r = must_read(&wide);
    assert_true(r.is_microsoft);
    assert_int_equal(r.n, 2);
    must_be(&r.items[0], "Ann Marsh", 0.25, 0.3, 0.1, 0.2);
    must_be(&r.items[1], "Tom Reed", 0.64, 0.42, 0.12, 0.16);
    assert_int_equal(r.n_unusable, 1);
    dpl_regions_clear(&r);
}

/* A sidecar with one region, whose fields and dimensions are given as XML. */
static void put_region(const char *dimensions, const char *fields)
{
    dpli_buf text = {0};

    dpli_buf_printf(
        &text,
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
        "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' "
        "xmlns:r='http://www.metadataworkinggroup.com/schemas/regions/' "
        "xmlns:a='http://ns.adobe.com/xmp/sType/Area#' "
        "xmlns:d='http://ns.adobe.com/xap/1.0/sType/Dimensions#'>"
        "<r:Regions rdf:parseType='Resource'>%s<r:RegionList><rdf:Bag>%s</rdf:Bag>"
        "</r:RegionList></r:Regions></rdf:Description></rdf:RDF></x:xmpmeta>",
        dimensions, fields);
    assert_int_equal(dpli_buf_check(&text, NULL), DPL_OK);
    put_text(text.data);
    dpli_buf_clear(&text);
}

#define LI(name, x, y, w, h)                                                                       \
    "<rdf:li rdf:parseType='Resource'><r:Name>" name                                               \
    "</r:Name><r:Type>Face</r:Type><r:Area a:x='" x "' a:y='" y "' a:w='" w "' a:h='" h            \
    "'/></rdf:li>"

static void an_area_that_is_none_is_counted_and_left_out(void **state)
{
    static const char *const bad[] = {
        LI("A", "nan", "0.5", "0.1", "0.1"),
        LI("A", "0.5", "0.5", "-0.1", "0.1"),
        LI("A", "0.5", "0.5", "0", "0.1"),
        LI("A", "0.5", "0.5", "1e999", "0.1"),
        LI("A", "1.5", "0.5", "0.1", "0.1"),
        LI("A", "0.5", "0,5", "0.1", "0.1"),
        LI("A", "0.5", "0.5", "0.1", "1.2"),
        LI("A", "", "0.5", "0.1", "0.1"),
        LI("A", "0.5 7", "0.5", "0.1", "0.1"),
        LI("A", "-0.1", "0.5", "0.1", "0.1"),
        LI("A", "0.5", "0.5", "inf", "0.1"),
        LI("A", "0x1p-1", "0.5", "0.1", "0.1"),
        LI("A", "0.5", "0.5e", "0.1", "0.1"),
        LI("A", ".", "0.5", "0.1", "0.1"),
        "<rdf:li rdf:parseType='Resource'><r:Name>A</r:Name></rdf:li>",
        "<rdf:li>A</rdf:li>",
        "<rdf:li rdf:parseType='Resource'><r:Area a:x='0.5' a:y='0.5' a:w='0.1' a:h='0.1' "
        "a:unit='furlong'/></rdf:li>",
        /* pixels, and nothing says of how many */
        "<rdf:li rdf:parseType='Resource'><r:Area a:x='5' a:y='5' a:w='1' a:h='1' "
        "a:unit='pixel'/></rdf:li>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dpli_buf both = {0};
        dpl_regions r;

        dpli_buf_str(&both, bad[i]);
        dpli_buf_str(&both, LI("B", " +5.0E-1 ", ".5", "1e-1", "0.1"));
        put_region("", both.data);
        r = must_read(&wide);
        if (r.n != 1 || r.n_unusable != 1)
            fail_msg("%s: %zu faces, %zu unusable", bad[i], r.n, r.n_unusable);
        must_be(&r.items[0], "B", 0.45, 0.45, 0.1, 0.1);
        dpl_regions_clear(&r);
        dpli_buf_clear(&both);
    }
}

static void an_area_in_pixels_is_read_by_the_dimensions(void **state)
{
    dpl_regions r;

    (void)state;
    put_region("<r:AppliedToDimensions d:w='400' d:h='300' d:unit='pixel'/>",
               "<rdf:li rdf:parseType='Resource'><r:Area a:x='200' a:y='150' a:w='40' a:h='60' "
               "a:unit='pixel'/></rdf:li>");
    r = must_read(&wide);
    assert_int_equal(r.n, 1);
    must_be(&r.items[0], "", 0.45, 0.4, 0.1, 0.2);
    dpl_regions_clear(&r);
}

/* Where the C library writes 0,5 for a half. */
static void numbers_do_not_depend_on_the_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"};
    const dpl_region one = face("Ann", 0.25, 0.5, 0.125, 0.25);
    bool found = false;
    dpl_regions r;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++)
        found = setlocale(LC_NUMERIC, names[i]) != NULL;
    must_write(&one, 1, false);
    r = must_read(&wide);
    setlocale(LC_NUMERIC, "C");
    must_be(&r.items[0], "Ann", 0.25, 0.5, 0.125, 0.25);
    dpl_regions_clear(&r);
    if (!found)
        skip();
}

/* ------------------------------------------------------------------ which picture */

/* A JPEG of w x h, black but for a white rectangle, with an EXIF orientation. */
static void put_photo(const char *path, int32_t w, int32_t h, const int32_t at[4], int orientation)
{
    uint8_t exif[] = {0xFF,
                      0xE1,
                      0,
                      34,
                      'E',
                      'x',
                      'i',
                      'f',
                      0,
                      0,
                      'I',
                      'I',
                      42,
                      0,
                      8,
                      0,
                      0,
                      0,
                      1,
                      0,
                      0x12,
                      1,
                      3,
                      0,
                      1,
                      0,
                      0,
                      0,
                      (uint8_t)orientation,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0};
    dpl_image image = DPL_IMAGE_INIT;
    dpli_buf file = {0};
    uint8_t *jpeg;
    size_t n;

    image.width_px = image.full_width_px = w;
    image.height_px = image.full_height_px = h;
    image.pixels = calloc((size_t)w * (size_t)h, 3);
    assert_non_null(image.pixels);
    for (int32_t y = at[1]; y < at[1] + at[3]; y++)
        memset(image.pixels + 3 * (y * w + at[0]), 255, 3 * (size_t)at[2]);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &image, 95, NULL), DPL_OK);
    dpli_buf_add(&file, jpeg, 2);
    dpli_buf_add(&file, exif, sizeof exif);
    dpli_buf_add(&file, jpeg + 2, n - 2);
    assert_int_equal(dpli_file_replace(path, file.data, file.len, NULL), DPL_OK);
    dpli_buf_clear(&file);
    dpl_bytes_free(jpeg);
    free(image.pixels);
}

/* Where the white rectangle is in the upright photo. */
static dpl_region find_white(const dpl_image *image)
{
    int32_t left = image->width_px, top = image->height_px, right = -1, bottom = -1;

    for (int32_t y = 0; y < image->height_px; y++)
        for (int32_t x = 0; x < image->width_px; x++)
            if (image->pixels[3 * (y * image->width_px + x)] > 127) {
                left = x < left ? x : left;
                top = y < top ? y : top;
                right = x > right ? x : right;
                bottom = y > bottom ? y : bottom;
            }
    return face("", (double)left / image->width_px, (double)top / image->height_px,
                (double)(right + 1 - left) / image->width_px,
                (double)(bottom + 1 - top) / image->height_px);
}

/* A region that says where the white is in the stored picture is read as where decoding shows it,
 * and a face written where decoding shows it says where it is stored. */
static void areas_are_of_the_stored_photo_whichever_way_it_lies(void **state)
{
    enum { W = 160, H = 96 };
    static const int32_t at[4] = {16, 8, 48, 24}; /* whole blocks of the JPEG */

    (void)state;
    for (int n = 1; n <= 8; n++) {
        dpl_photo_shape shape;
        dpl_image image;
        dpl_region white;
        dpl_regions r;
        dpl_sidecar_report report;
        dpli_packet packet;
        char *text;

        put_photo("p.jpg", W, H, at, n);
        assert_int_equal(dpl_image_open(&image, "p.jpg", NULL, NULL), DPL_OK);
        shape = (dpl_photo_shape){image.full_width_px, image.full_height_px, n};
        assert_int_equal(image.full_width_px, n >= 5 ? H : W);
        white = find_white(&image);
        dpl_image_clear(&image);

        put_region("<r:AppliedToDimensions d:w='1600' d:h='960' d:unit='pixel'/>",
                   LI("Ann", "0.25", "0.208333333", "0.3", "0.25"));
        r = must_read(&shape);
        must_be(&r.items[0], "Ann", white.x, white.y, white.w, white.h);
        dpl_regions_clear(&r);

        assert_int_equal(remove(SIDE), 0);
        white.name = (char *)(uintptr_t) "Ann";
        assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &shape, &white, 1, NULL, NULL),
                         DPL_OK);
        text = read_text(SIDE);
        assert_int_equal(dpli_packet_read(&packet, (uint8_t *)text, strlen(text), NULL), DPL_OK);
        assert_int_equal(packet.n_mwg, 1);
        assert_true(fabs(packet.mwg[0].x - 0.1) < 2e-6);
        assert_true(fabs(packet.mwg[0].y - 8.0 / 96) < 2e-6);
        assert_true(fabs(packet.mwg[0].w - 0.3) < 2e-6);
        assert_true(fabs(packet.mwg[0].h - 0.25) < 2e-6);
        assert_true(packet.width == W && packet.height == H);
        dpli_packet_clear(&packet);
        free(text);
    }
}

static void regions_made_on_the_upright_photo_are_known_by_their_dimensions(void **state)
{
    const dpl_photo_shape portrait = {3000, 4000, 6};
    const dpl_region ann = face("Ann", 0.25, 0.4, 0.1, 0.2), tom = face("Tom", 0.6, 0.1, 0.1, 0.1);
    const dpl_region both[] = {ann, tom};
    dpl_sidecar_report report;
    dpl_regions r;

    (void)state;
    put_region("<r:AppliedToDimensions d:w='1500' d:h='2000' d:unit='pixel'/>",
               LI("Ann", "0.3", "0.5", "0.1", "0.2"));
    r = must_read(&portrait);
    must_be(&r.items[0], "Ann", 0.25, 0.4, 0.1, 0.2);
    dpl_regions_clear(&r);
    /* What is added there is of the same picture. */
    assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &portrait, both, 2, NULL, NULL),
                     DPL_OK);
    assert_int_equal(report.n_same, 1);
    assert_int_equal(report.n_added, 1);
    r = must_read(&portrait);
    assert_int_equal(r.n, 2);
    must_be(&r.items[1], "Tom", 0.6, 0.1, 0.1, 0.1);
    dpl_regions_clear(&r);
}

static void regions_of_a_photo_of_another_shape_are_refused(void **state)
{
    dpl_sidecar_report report;
    const dpl_region ann = face("Ann", 0.25, 0.4, 0.1, 0.2);
    dpl_regions r;
    dpl_error err;

    (void)state;
    put_region("<r:AppliedToDimensions d:w='3000' d:h='3000' d:unit='pixel'/>",
               LI("Ann", "0.3", "0.5", "0.1", "0.2"));
    assert_int_equal(dpl_sidecar_read(&r, SIDE, &wide, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "3000x3000"));
    assert_non_null(strstr(err.message, "4000x3000"));
    assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &wide, &ann, 1, NULL, &err),
                     DPL_E_INPUT);
}

/* ------------------------------------------------------------------ pairing */

static void boxes_of_one_face_are_paired_and_neighbours_are_not(void **state)
{
    const dpl_region tight = face("", 0.4, 0.4, 0.1, 0.1);
    /* of hair and chin, too: twice as high, 1.6 times as wide, a little higher up */
    const dpl_region loose = face("", 0.37, 0.33, 0.16, 0.2);
    const dpl_region cases[] = {loose, face("", 0.5, 0.4, 0.1, 0.1), face("", 0.46, 0.4, 0.1, 0.1),
                                face("", 0, 0, 1, 1), face("", NAN, 0.4, 0.1, 0.1)};
    static const bool one[] = {true, false, false, false, false};
    const dpl_region many[] = {loose, tight};
    int32_t of[2];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(dpl_regions_pair(of, &tight, 1, &cases[i], 1, NULL), DPL_OK);
        assert_int_equal(of[0], one[i] ? 0 : -1);
        assert_int_equal(dpl_regions_pair(of, &cases[i], 1, &tight, 1, NULL), DPL_OK);
        assert_int_equal(of[0], one[i] ? 0 : -1);
    }
    /* The nearer wins, and nobody gets two. */
    assert_int_equal(dpl_regions_pair(of, many, 2, &tight, 1, NULL), DPL_OK);
    assert_int_equal(of[0], -1);
    assert_int_equal(of[1], 0);
    assert_int_equal(dpl_regions_pair(of, many, 2, NULL, 0, NULL), DPL_OK);
    assert_int_equal(of[0], -1);
}

/* ------------------------------------------------------------------ writing */

static void what_is_written_is_read_again(void **state)
{
    const dpl_region faces[] = {face("Ann & Co <\"'>", 0.123456, 0.2, 0.1, 0.15),
                                face("Zoë 吉田", -0.02, 0.9, 0.1, 0.12)};
    dpl_sidecar_report report = must_write(faces, 2, false);
    struct stat st;
    dpl_regions r;
    char *first, *second;

    (void)state;
    assert_true(report.is_new);
    assert_int_equal(report.n_added, 2);
    r = must_read(&wide);
    assert_int_equal(r.n, 2);
    for (int i = 0; i < 2; i++) {
        must_be(&r.items[i], faces[i].name, faces[i].x, faces[i].y, faces[i].w, faces[i].h);
        assert_true(r.items[i].is_own);
    }
    dpl_regions_clear(&r);
    /* Again: nothing is done, and nothing written. */
    first = read_text(SIDE);
    assert_int_equal(chmod(SIDE, 0640), 0);
    report = must_write(faces, 2, false);
    assert_int_equal(report.n_same, 2);
    assert_int_equal(report.n_added + report.n_renamed + report.n_removed, 0);
    assert_false(report.is_new);
    second = read_text(SIDE);
    assert_string_equal(first, second);
    assert_int_equal(stat(SIDE, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    free(first);
    free(second);
}

static void a_new_sidecar_has_the_photos_mode_and_a_dry_run_makes_none(void **state)
{
    dpl_sidecar_options options = DPL_SIDECAR_OPTIONS_INIT;
    const dpl_region ann = face("Ann", 0.1, 0.2, 0.1, 0.15);
    dpl_sidecar_report report;
    struct stat st;

    (void)state;
    options.dry_run = true;
    assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &wide, &ann, 1, &options, NULL),
                     DPL_OK);
    assert_true(report.is_new);
    assert_int_equal(report.n_added, 1);
    assert_int_not_equal(stat(SIDE, &st), 0);
    assert_int_equal(chmod("p.jpg", 0754), 0);
    must_write(&ann, 1, false);
    assert_int_equal(stat(SIDE, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
}

static void all_else_in_a_sidecar_stays(void **state)
{
    static const char *const names[] = {"digikam.xmp",  "lightroom.xmp", "picasa.xmp",
                                        "exiftool.xmp", "apple.xmp",     "microsoft.xmp"};
    static const int32_t shapes[][2] = {{4000, 3000}, {6000, 4000}, {912, 687},
                                        {4000, 3000}, {4000, 3000}, {4000, 3000}};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const dpl_photo_shape shape = {shapes[i][0], shapes[i][1], 1};
        const dpl_region new_one = face("Una New", 0.02, 0.02, 0.1, 0.1);
        char *before = fixture(names[i]), *after;
        dpl_regions old, now;
        dpl_sidecar_report report;

        put_text(before);
        old = must_read(&shape);
        assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &shape, &new_one, 1, NULL, NULL),
                         DPL_OK);
        assert_int_equal(report.n_added, 1);
        now = must_read(&shape);
        assert_int_equal(now.n, old.n + 1);
        for (size_t k = 0; k < now.n; k++) {
            const dpl_region *same = NULL;

            for (size_t j = 0; j < old.n; j++)
                if (strcmp(old.items[j].name, now.items[k].name) == 0)
                    same = &old.items[j];
            if (same)
                must_be(&now.items[k], same->name, same->x, same->y, same->w, same->h);
            else
                must_be(&now.items[k], "Una New", 0.02, 0.02, 0.1, 0.1);
        }
        assert_int_equal(now.n_others, old.n_others);
        after = read_text(SIDE);
        must_have_same_properties(before, after);
        /* Fields of others' regions that are no names. */
        if (strcmp(names[i], "lightroom.xmp") == 0)
            assert_non_null(strstr(after, "-1.57080"));
        if (strcmp(names[i], "apple.xmp") == 0)
            assert_non_null(strstr(after, "AngleInfoRoll>270<"));
        dpl_regions_clear(&old);
        dpl_regions_clear(&now);
        free(before);
        free(after);
    }
}

static void a_name_that_doppel_wrote_follows_the_face(void **state)
{
    dpl_region one = face("Ann", 0.1, 0.2, 0.1, 0.15);
    dpl_sidecar_report report;
    dpl_regions r;

    (void)state;
    must_write(&one, 1, false);
    one.name = (char *)(uintptr_t) "Anna";
    report = must_write(&one, 1, false);
    assert_int_equal(report.n_renamed, 1);
    r = must_read(&wide);
    assert_int_equal(r.n, 1);
    assert_string_equal(r.items[0].name, "Anna");
    assert_true(r.items[0].is_own);
    dpl_regions_clear(&r);
    /* The face is nobody's now. */
    report = must_write(NULL, 0, false);
    assert_int_equal(report.n_removed, 1);
    r = must_read(&wide);
    assert_int_equal(r.n, 0);
    dpl_regions_clear(&r);
}

static void a_name_that_somebody_else_gave_stays_unless_overwritten(void **state)
{
    const dpl_region zoe = face("Zoe Lindt", 0.26, 0.31, 0.08, 0.16);
    dpl_sidecar_report report;
    dpl_regions r;
    char *text;

    (void)state;
    put_fixture("digikam.xmp");
    report = must_write(&zoe, 1, false);
    assert_int_equal(report.n_kept, 1);
    assert_int_equal(report.n_added + report.n_renamed + report.n_removed, 0);
    r = must_read(&wide);
    assert_string_equal(r.items[0].name, "Zoë Lund");
    dpl_regions_clear(&r);
    report = must_write(&zoe, 1, true);
    assert_int_equal(report.n_renamed, 1);
    r = must_read(&wide);
    assert_int_equal(r.n, 2);
    must_be(&r.items[0], "Zoe Lindt", 0.25, 0.3, 0.1, 0.2); /* digiKam's area, doppel's name */
    must_be(&r.items[1], "Tom Reed", 0.64, 0.42, 0.12, 0.16);
    dpl_regions_clear(&r);
    /* Microsoft's tag of the same face says the same. */
    text = read_text(SIDE);
    assert_non_null(strstr(text, "PersonDisplayName>Zoe Lindt<"));
    assert_null(strstr(text, "PersonDisplayName>Zoë Lund<"));
    free(text);
}

/* As another program does it that keeps what it does not know. */
static void a_name_changed_by_somebody_else_is_theirs(void **state)
{
    const dpl_region ann = face("Ann", 0.1, 0.2, 0.1, 0.15);
    dpl_sidecar_report report;
    dpl_regions r;
    char *text, *name;

    (void)state;
    must_write(&ann, 1, false);
    text = read_text(SIDE);
    name = strstr(text, "<mwg-rs:Name>Ann");
    assert_non_null(name);
    memcpy(name + strlen("<mwg-rs:Name>"), "Bob", 3);
    put_text(text);
    free(text);
    r = must_read(&wide);
    assert_false(r.items[0].is_own);
    dpl_regions_clear(&r);
    report = must_write(&ann, 1, false);
    assert_int_equal(report.n_kept, 1);
    report = must_write(NULL, 0, false);
    assert_int_equal(report.n_removed, 0);
    r = must_read(&wide);
    assert_string_equal(r.items[0].name, "Bob");
    dpl_regions_clear(&r);
}

static void an_unnamed_region_gets_the_faces_name(void **state)
{
    const dpl_region ann = face("Ann", 0.2, 0.28, 0.1, 0.14);
    dpl_sidecar_report report;
    dpl_regions r;

    (void)state;
    put_fixture("apple.xmp");
    report = must_write(&ann, 1, false);
    assert_int_equal(report.n_renamed, 1);
    r = must_read(&wide);
    assert_int_equal(r.n, 1);
    must_be(&r.items[0], "Ann", 0.25 - 0.0625, 0.35 - 0.083, 0.125, 0.166);
    dpl_regions_clear(&r);
}

static void names_in_two_unicode_forms_are_the_same(void **state)
{
    const dpl_region zoe = face("Zoe\xCC\x88 Lund", 0.26, 0.31, 0.08, 0.16);

    (void)state;
    put_fixture("digikam.xmp");
    assert_int_equal(must_write(&zoe, 1, false).n_same, 1);
}

/* Readers take MWG regions before tags, so that whom the tags alone name would be lost. */
static void tags_become_regions_with_the_first_region(void **state)
{
    const dpl_region faces[] = {face("Una", 0.02, 0.02, 0.1, 0.1),
                                face("Ann M.", 0.25, 0.3, 0.1, 0.2)};
    dpl_sidecar_report report;
    dpl_regions r;

    (void)state;
    put_fixture("microsoft.xmp");
    report = must_write(&faces[1], 1, false);
    assert_int_equal(report.n_kept, 1);
    r = must_read(&wide);
    assert_true(r.is_microsoft);
    dpl_regions_clear(&r);
    report = must_write(faces, 2, false);
    assert_int_equal(report.n_added, 1);
    assert_int_equal(report.n_kept, 1);
    r = must_read(&wide);
    assert_false(r.is_microsoft);
    assert_int_equal(r.n, 3);
    must_be(&r.items[0], "Una", 0.02, 0.02, 0.1, 0.1);
    must_be(&r.items[1], "Ann Marsh", 0.25, 0.3, 0.1, 0.2);
    must_be(&r.items[2], "Tom Reed", 0.64, 0.42, 0.12, 0.16);
    assert_true(r.items[0].is_own);
    assert_false(r.items[1].is_own);
    dpl_regions_clear(&r);
}

static void a_name_that_xml_cannot_hold_is_refused(void **state)
{
    static const char *const bad[] = {"A\xFFnn", "A\x01nn", "", "A\xEF\xBF\xBF", "A\nB"};
    dpl_sidecar_report report;
    struct stat st;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const dpl_region one = face(bad[i], 0.1, 0.1, 0.1, 0.1);
        dpl_error err = {DPL_OK, ""};
        const dpl_status status =
            dpl_sidecar_write(&report, SIDE, "p.jpg", &wide, &one, 1, NULL, &err);

        assert_int_equal(status, *bad[i] ? DPL_E_INPUT : DPL_E_ARGUMENT);
        assert_non_null(strstr(err.message, SIDE));
        assert_int_not_equal(stat(SIDE, &st), 0);
    }
}

static void a_link_is_not_followed_and_only_a_sidecar_is_written(void **state)
{
    const dpl_region ann = face("Ann", 0.1, 0.1, 0.1, 0.1);
    dpl_sidecar_report report;
    dpl_regions r;
    dpl_error err;
    char *text;

    (void)state;
    assert_int_equal(symlink("p.jpg", SIDE), 0);
    assert_int_equal(dpl_sidecar_read(&r, SIDE, &wide, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "link"));
    assert_int_equal(dpl_sidecar_write(&report, SIDE, "p.jpg", &wide, &ann, 1, NULL, &err),
                     DPL_E_INPUT);
    assert_int_equal(dpl_sidecar_write(&report, "p.jpg", "p.jpg", &wide, &ann, 1, NULL, &err),
                     DPL_E_ARGUMENT);
    text = read_text("p.jpg");
    assert_string_equal(text, "photo");
    free(text);
}

/* ------------------------------------------------------------------ its name */

static void must_find(const char *want, bool there, const char *photo, bool to_write)
{
    bool is_there;
    char *path;

    assert_int_equal(dpl_sidecar_find(&path, &is_there, photo, to_write, NULL), DPL_OK);
    assert_string_equal(path, want);
    assert_int_equal(is_there, there);
    dpl_bytes_free(path);
}

static void the_sidecar_has_the_photos_name_or_that_without_its_ending(void **state)
{
    (void)state;
    must_find("p.jpg.xmp", false, "p.jpg", true);
    assert_int_equal(dpli_file_replace("p.xmp", "", 0, NULL), DPL_OK);
    must_find("p.xmp", true, "p.jpg", false);
    must_find("p.xmp", true, "p.jpg", true);
    must_find("./p.xmp", true, "./p.jpg", true);
    /* Another photo's as well: read, not written. */
    assert_int_equal(dpli_file_replace("p.cr2", "", 0, NULL), DPL_OK);
    must_find("p.xmp", true, "p.jpg", false);
    must_find("p.jpg.xmp", false, "p.jpg", true);
    assert_int_equal(dpli_file_replace("p.jpg.xmp", "", 0, NULL), DPL_OK);
    must_find("p.jpg.xmp", true, "p.jpg", false);
    must_find("p.jpg.xmp", true, "p.jpg", true);
    must_find("a.b/p.xmp", false, "a.b/p", true);
    must_find(".jpg.xmp", false, ".jpg", true);
}

/* ------------------------------------------------------------------ hostile */

#define HEAD                                                                                       \
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "                                                \
    "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' "       \
    "xmlns:a='http://a/'>"
#define TAIL "</rdf:Description></rdf:RDF></x:xmpmeta>"

static char *repeated(const char *head, const char *one, size_t n, const char *two, size_t n_two,
                      const char *tail)
{
    dpli_buf text = {0};

    dpli_buf_str(&text, head);
    for (size_t i = 0; i < n; i++)
        dpli_buf_str(&text, one);
    for (size_t i = 0; i < n_two; i++)
        dpli_buf_str(&text, two);
    dpli_buf_str(&text, tail);
    assert_int_equal(dpli_buf_check(&text, NULL), DPL_OK);
    return text.data;
}

static void must_refuse(dpl_status want, const char *words, char *text)
{
    dpl_status status;
    const char *message = refusal(&status, text);

    if (status != want || !strstr(message, words))
        fail_msg("%s: %s", dpl_status_name(status), message);
    free(text);
}

static void what_is_no_xmp_is_refused_with_a_reason(void **state)
{
    (void)state;
    must_refuse(DPL_E_INPUT, "not XML", strdup(""));
    must_refuse(DPL_E_INPUT, "not XML", strdup("hello"));
    must_refuse(DPL_E_INPUT, "other XML", strdup("<a/>"));
    must_refuse(DPL_E_INPUT, "other XML",
                strdup("<svg><x:xmpmeta xmlns:x='adobe:ns:meta/'/></svg>"));
    must_refuse(DPL_E_INPUT, "no rdf:RDF", strdup("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"));
    must_refuse(DPL_E_INPUT, "UTF-8", strdup(HEAD "<a:b>\xE9t\xE9</a:b>" TAIL));
    must_refuse(DPL_E_INPUT, "ISO-8859-1",
                strdup("<?xml version='1.0' encoding='ISO-8859-1'?>" HEAD TAIL));
    must_refuse(DPL_E_INPUT, "several rdf:RDF",
                strdup("<x:xmpmeta xmlns:x='adobe:ns:meta/' "
                       "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
                       "<rdf:RDF/><rdf:RDF/></x:xmpmeta>"));
    must_refuse(DPL_E_INPUT, "namespace",
                strdup(HEAD "<q:b xmlns:q='http://a&quot; b=/'>1</q:b>" TAIL));
    must_refuse(DPL_E_INPUT, "is not XMP", strdup(HEAD "<a:b>1</a:b><a:b>2</a:b>" TAIL));
}

static void entities_are_refused_before_anything_is_made_of_them(void **state)
{
    (void)state;
    must_refuse(DPL_E_INPUT, "DOCTYPE",
                strdup("<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'>"
                       "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]>" HEAD "<a:b>&c;</a:b>" TAIL));
    must_refuse(DPL_E_INPUT, "DOCTYPE",
                strdup("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" HEAD TAIL));
}

static void what_is_too_large_or_deep_is_refused(void **state)
{
    char *fields;
    dpli_buf many = {0};

    (void)state;
    must_refuse(DPL_E_LIMIT, "deep",
                repeated(HEAD, "<a:b rdf:parseType='Resource'>", 100000, "</a:b>", 100000, TAIL));
    must_refuse(
        DPL_E_LIMIT, "200000 elements",
        repeated(HEAD "<a:b><rdf:Bag>", "<rdf:li/>", 200001, "", 0, "</rdf:Bag></a:b>" TAIL));
    must_refuse(DPL_E_LIMIT, "bytes, limit is",
                repeated(HEAD "<a:b>", "0123456789abcdef", 1 << 20, "", 0, "</a:b>" TAIL));
    must_refuse(DPL_E_LIMIT, "10000 regions",
                repeated(HEAD "<r:Regions rdf:parseType='Resource' "
                              "xmlns:r='http://www.metadataworkinggroup.com/schemas/regions/'>"
                              "<r:RegionList><rdf:Bag>",
                         "<rdf:li rdf:parseType='Resource'/>", 10001, "", 0,
                         "</rdf:Bag></r:RegionList></r:Regions>" TAIL));
    /* Properties spread over descriptions are still of one photo. */
    for (int i = 0; i < 2100; i++)
        dpli_buf_printf(&many, "%s<a:p%d>1</a:p%d>",
                        i % 100 == 99 ? "</rdf:Description><rdf:Description rdf:about='' "
                                        "xmlns:a='http://a/'>"
                                      : "",
                        i, i);
    fields = repeated(HEAD, many.data, 1, "", 0, TAIL);
    dpli_buf_clear(&many);
    must_refuse(DPL_E_LIMIT, "2048 properties", fields);
}

/* Cut at every byte, a file is refused or, after its last element, is the file. */
static void a_file_cut_anywhere_is_refused(void **state)
{
    static const char *const names[] = {"digikam.xmp", "lightroom.xmp", "microsoft.xmp"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = fixture(names[i]), *end = strstr(text, "xmpmeta>\n");

        assert_non_null(end);
        end += strlen("xmpmeta>");
        for (size_t n = 0; text + n < end; n++) {
            char *cut = strndup(text, n);
            dpl_error err = {DPL_OK, ""};
            dpli_packet packet;

            if (dpli_packet_read(&packet, (uint8_t *)cut, n, &err) != DPL_E_INPUT)
                fail_msg("%s cut at %zu", names[i], n);
            assert_true(err.message[0] != '\0');
            free(cut);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(regions_of_digikam_are_read, enter, folder_leave),
        cmocka_unit_test_setup_teardown(regions_of_lightroom_are_read_and_its_pets_are_not_faces,
                                        enter, folder_leave),
        cmocka_unit_test_setup_teardown(regions_of_picasa_exiftool_and_apple_are_read, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(tags_of_microsoft_are_read_where_there_are_no_regions,
                                        enter, folder_leave),
        cmocka_unit_test_setup_teardown(an_area_that_is_none_is_counted_and_left_out, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(an_area_in_pixels_is_read_by_the_dimensions, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(numbers_do_not_depend_on_the_locale, enter, folder_leave),
        cmocka_unit_test_setup_teardown(areas_are_of_the_stored_photo_whichever_way_it_lies, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(
            regions_made_on_the_upright_photo_are_known_by_their_dimensions, enter, folder_leave),
        cmocka_unit_test_setup_teardown(regions_of_a_photo_of_another_shape_are_refused, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(boxes_of_one_face_are_paired_and_neighbours_are_not, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again, enter, folder_leave),
        cmocka_unit_test_setup_teardown(a_new_sidecar_has_the_photos_mode_and_a_dry_run_makes_none,
                                        enter, folder_leave),
        cmocka_unit_test_setup_teardown(all_else_in_a_sidecar_stays, enter, folder_leave),
        cmocka_unit_test_setup_teardown(a_name_that_doppel_wrote_follows_the_face, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(a_name_that_somebody_else_gave_stays_unless_overwritten,
                                        enter, folder_leave),
        cmocka_unit_test_setup_teardown(a_name_changed_by_somebody_else_is_theirs, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(an_unnamed_region_gets_the_faces_name, enter, folder_leave),
        cmocka_unit_test_setup_teardown(names_in_two_unicode_forms_are_the_same, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(tags_become_regions_with_the_first_region, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(a_name_that_xml_cannot_hold_is_refused, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(a_link_is_not_followed_and_only_a_sidecar_is_written, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(the_sidecar_has_the_photos_name_or_that_without_its_ending,
                                        enter, folder_leave),
        cmocka_unit_test_setup_teardown(what_is_no_xmp_is_refused_with_a_reason, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(entities_are_refused_before_anything_is_made_of_them, enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(what_is_too_large_or_deep_is_refused, enter, folder_leave),
        cmocka_unit_test_setup_teardown(a_file_cut_anywhere_is_refused, enter, folder_leave),
    };

    return cmocka_run_group_tests_name("xmp", tests, NULL, NULL);
}
