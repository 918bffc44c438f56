/*
 * test_copies.c - a picture is known again however it was edited, other pictures are not taken for
 * it, and of many photos groups are made around those to keep.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "doppel/doppel.h"
#include "tests/folder_kit.h"
#include "vision/image/warp.h"

#define DEMO DPL_SOURCE_DIR "/demo/"

static const char *const photos[] = {
    DEMO "people/Barack Obama/official-portrait.jpg",
    DEMO "people/Barack Obama/blue-room.jpg",
    DEMO "people/Eileen Collins/nasa-portrait.jpg",
    DEMO "people/Joe Biden/blue-room.jpg",
    DEMO "people/Marie Curie/portrait.png",
    DEMO "congress.jpg",
    DEMO "group.jpg",
    DEMO "stranger.jpg",
};
enum { N_PHOTOS = sizeof photos / sizeof *photos };

static dpl_error err;
static dpl_image images[N_PHOTOS]; /* at most 600 px */
static dpl_sketch sketches[N_PHOTOS];

static void need(dpl_status status)
{
    if (status != DPL_OK)
        fail_msg("%s", err.message);
}

static dpl_image resized(const dpl_image *in, double scale)
{
    dpl_image out;

    need(dpl_image_resize(&out, in, (int32_t)lround(in->width_px * scale),
                          (int32_t)lround(in->height_px * scale), &err));
    out.full_width_px = out.width_px;
    out.full_height_px = out.height_px;
    return out;
}

static dpl_sketch sketch_of(const dpl_image *image)
{
    dpl_sketch s;

    need(dpl_sketch_make(&s, image, &err));
    return s;
}

static int set_up_all(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        dpl_image whole;
        int32_t larger;

        if (dpl_image_open(&whole, photos[i], NULL, &err) != DPL_OK)
            return -1;
        larger = whole.width_px > whole.height_px ? whole.width_px : whole.height_px;
        images[i] = resized(&whole, 600.0 / larger);
        dpl_image_clear(&whole);
        sketches[i] = sketch_of(&images[i]);
    }
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++)
        dpl_image_clear(&images[i]);
    return 0;
}

/* ------------------------------------------------------------------ edits */

/* Fresh pixels of this size, grey. */
static dpl_image blank(int32_t w, int32_t h, uint8_t fill)
{
    dpl_image out = DPL_IMAGE_INIT;

    out.width_px = out.full_width_px = w;
    out.height_px = out.full_height_px = h;
    out.pixels = malloc(3 * (size_t)w * (size_t)h);
    assert_non_null(out.pixels);
    memset(out.pixels, fill, 3 * (size_t)w * (size_t)h);
    return out;
}

static uint8_t *at(const dpl_image *image, int32_t x, int32_t y)
{
    return image->pixels + 3 * ((size_t)y * (size_t)image->width_px + (size_t)x);
}

/* Part of in at (x, y) of the part's own size to (to_x, to_y) of out. */
static void copy(dpl_image *out, int32_t to_x, int32_t to_y, const dpl_image *in, int32_t x,
                 int32_t y, int32_t w, int32_t h)
{
    for (int32_t i = 0; i < h; i++)
        memcpy(at(out, to_x, to_y + i), at(in, x, y + i), 3 * (size_t)w);
}

static dpl_image cropped(const dpl_image *in, double side, double right, double down)
{
    const int32_t w = (int32_t)(in->width_px * side), h = (int32_t)(in->height_px * side);
    dpl_image out = blank(w, h, 0);

    copy(&out, 0, 0, in, (int32_t)((in->width_px - w) * right),
         (int32_t)((in->height_px - h) * down), w, h);
    return out;
}

/* As a photo looks that is stored with this EXIF orientation when nobody turns it. */
static dpl_image lying(const dpl_image *in, int orientation)
{
    const bool sideways = orientation >= 5;
    const int32_t w = in->width_px, h = in->height_px;
    dpl_image out = blank(sideways ? h : w, sideways ? w : h, 0);

    for (int32_t y = 0; y < h; y++)
        for (int32_t x = 0; x < w; x++) {
            const int32_t u = w - 1 - x, v = h - 1 - y;
            const int32_t to[9][2] = {{0, 0}, {x, y}, {u, y}, {u, v}, {x, v},
                                      {y, x}, {y, u}, {v, u}, {v, x}};
            memcpy(at(&out, to[orientation][0], to[orientation][1]), at(in, x, y), 3);
        }
    return out;
}

static dpl_image recompressed(const dpl_image *in, int quality)
{
    dpl_image out;
    uint8_t *jpeg;
    size_t n;

    need(dpl_image_to_jpeg(&jpeg, &n, in, quality, &err));
    need(dpl_image_decode(&out, jpeg, n, NULL, &err));
    dpl_bytes_free(jpeg);
    return out;
}

static dpl_image recoloured(const dpl_image *in)
{
    dpl_image out = blank(in->width_px, in->height_px, 0);

    for (size_t i = 0; i < 3 * (size_t)in->width_px * (size_t)in->height_px; i++) {
        static const double gain[3] = {1.2, 0.9, 0.8};
        const double v = 255 * gain[i % 3] * pow(in->pixels[i] / 255.0, 0.75);
        out.pixels[i] = (uint8_t)fmin(255, v);
    }
    return out;
}

static dpl_image framed(const dpl_image *in, double share, uint8_t fill)
{
    const int32_t b = (int32_t)(in->width_px * share);
    dpl_image out = blank(in->width_px + 2 * b, in->height_px + 2 * b, fill);

    copy(&out, b, b, in, 0, 0, in->width_px, in->height_px);
    return out;
}

static dpl_image captioned(const dpl_image *in, double share)
{
    const int32_t rows = (int32_t)(in->height_px * share);
    dpl_image out = blank(in->width_px, in->height_px, 255);

    copy(&out, 0, 0, in, 0, 0, in->width_px, in->height_px - rows);
    for (int32_t x = 20; x + 8 < in->width_px; x += 14)
        for (int32_t y = in->height_px - 2 * rows / 3; y < in->height_px - rows / 3; y++)
            memset(at(&out, x, y), x % 3 ? 40 : 255, 3 * 8);
    return out;
}

static dpl_image blurred(const dpl_image *in)
{
    dpl_image small = resized(in, 0.15), out;

    need(dpl_image_resize(&out, &small, in->width_px, in->height_px, &err));
    out.full_width_px = out.width_px;
    out.full_height_px = out.height_px;
    dpl_image_clear(&small);
    return out;
}

/* Turned clockwise by so many degrees, and enlarged so that no corner shows. */
static dpl_image tilted(const dpl_image *in, double degrees)
{
    const double a = degrees * 3.14159265358979323846 / 180, zoom = 1.1;
    const float c = (float)(cos(a) / zoom), s = (float)(sin(a) / zoom);
    const float mx = (float)in->width_px / 2, my = (float)in->height_px / 2;
    const float m[6] = {c, s, mx - c * mx - s * my, -s, c, my + s * mx - c * my};
    dpl_image out = blank(in->width_px, in->height_px, 0);

    need(dpli_warp_affine(out.pixels, out.width_px, out.height_px, in, m, &err));
    return out;
}

/* ------------------------------------------------------------------ two pictures */

/* Is the same picture; takes the edited one. */
static dpl_overlay known_again(int photo, dpl_image edited, const char *how)
{
    const dpl_sketch s = sketch_of(&edited);
    dpl_overlay o, back;

    dpl_sketch_compare(&o, &sketches[photo], &s);
    dpl_sketch_compare(&back, &s, &sketches[photo]);
    if (!dpl_overlay_is_copy(&o) || !dpl_overlay_is_copy(&back))
        fail_msg("%s %s: score %g, evidence %g, all over %g; the other way round %g, %g, %g",
                 photos[photo], how, (double)o.score, (double)o.evidence, (double)o.all_over,
                 (double)back.score, (double)back.evidence, (double)back.all_over);
    dpl_image_clear(&edited);
    return o;
}

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%g is not within %g of %g", got, tolerance, want);
}

static void same_picture_scores_one(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        dpl_overlay o;

        dpl_sketch_compare(&o, &sketches[i], &sketches[i]);
        near((double)o.score, 1, 1e-3);
        near((double)o.shown_a, 1, 0.01);
        near((double)o.shown_b, 1, 0.01);
        near((double)o.angle_deg, 0, 0.1);
        near((double)o.scale, 1, 0.01);
        assert_int_equal(o.orientation, 1);
    }
}

static void turned_and_mirrored_copies_are_known_with_their_orientation(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++)
        for (int orientation = 1; orientation <= 8; orientation++) {
            dpl_overlay o = known_again(i, lying(&images[i], orientation), "turned");

            assert_int_equal(o.orientation, orientation);
            near((double)o.angle_deg, 0, 0.5);
            near((double)o.scale, 1, 0.02);
        }
}

static void cropped_copies_are_known_with_what_they_show(void **state)
{
    static const double sides[] = {0.9, 0.8};

    (void)state;
    for (int i = 0; i < N_PHOTOS; i++)
        for (int k = 0; k < 2; k++) {
            dpl_overlay o = known_again(i, cropped(&images[i], sides[k], 0.4, 0.6), "cropped");

            near((double)o.shown_a, sides[k] * sides[k], 0.05);
            near((double)o.shown_b, 1, 0.05);
            near((double)o.scale, 1, 0.05);
        }
}

static void reduced_copies_are_known_with_their_scale(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        dpl_overlay o = known_again(i, resized(&images[i], 0.3), "reduced");

        near((double)o.scale, 0.3, 0.01);
        near((double)o.shown_a, 1, 0.03);
    }
}

static void tilted_copies_are_known_with_their_angle(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            dpl_overlay o = known_again(i, tilted(&images[i], 7 * sign), "tilted");

            near((double)o.angle_deg, 7 * sign, 2.5);
            near((double)o.scale, 1.1, 0.03);
        }
}

static void copies_in_a_frame_are_known_with_their_share_of_it(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        dpl_image copy_of = framed(&images[i], 0.12, i % 2 ? 0 : 255);
        const double share = (double)images[i].width_px * images[i].height_px /
                             ((double)copy_of.width_px * copy_of.height_px);
        dpl_overlay o = known_again(i, copy_of, "framed");

        near((double)o.shown_b, share, 0.05);
        near((double)o.shown_a, 1, 0.03);
    }
}

static void spoilt_copies_are_known(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        known_again(i, recompressed(&images[i], 15), "recompressed");
        known_again(i, recoloured(&images[i]), "recoloured");
        known_again(i, blurred(&images[i]), "blurred");
        known_again(i, captioned(&images[i], 0.15), "captioned");
    }
}

static void several_edits_at_once_are_known(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        dpl_image small = resized(&images[i], 0.5), part = cropped(&small, 0.8, 0.2, 0.9);
        dpl_image turned = lying(&part, 7), bad = recompressed(&turned, 30);
        dpl_overlay o = known_again(i, bad, "reduced, cropped, turned and recompressed");

        assert_int_equal(o.orientation, 7);
        near((double)o.scale, 0.5, 0.02);
        near((double)o.shown_a, 0.64, 0.03);
        dpl_image_clear(&small);
        dpl_image_clear(&part);
        dpl_image_clear(&turned);
    }
}

static void other_pictures_are_not_taken_for_copies(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++)
        for (int k = 0; k < N_PHOTOS; k++) {
            dpl_overlay o;

            dpl_sketch_compare(&o, &sketches[i], &sketches[k]);
            if (i != k && dpl_overlay_is_copy(&o))
                fail_msg("%s and %s: evidence %g", photos[i], photos[k], (double)o.evidence);
        }
}

/* Prints on the pages of one album: what they have around them is the same. */
static dpl_image mounted(const dpl_image *in, int album)
{
    static const struct {
        double inner, outer;
        uint8_t paper, page;
    } albums[] = {{.05, .05, 250, 90}, {.1, .12, 240, 60}, {.12, .25, 255, 85}, {0, .2, 20, 20}};
    const int32_t side = 300;
    dpl_image square = DPL_IMAGE_INIT, paper, page;

    need(dpl_image_resize(&square, in, side, side, &err));
    paper = framed(&square, albums[album].inner, albums[album].paper);
    page = framed(&paper, albums[album].outer, albums[album].page);
    dpl_image_clear(&square);
    dpl_image_clear(&paper);
    return page;
}

static void prints_in_one_album_are_copies_of_themselves_alone(void **state)
{
    (void)state;
    for (int album = 0; album < 4; album++) {
        dpl_sketch s[N_PHOTOS], edited[N_PHOTOS];

        for (int i = 0; i < N_PHOTOS; i++) {
            dpl_image page = mounted(&images[i], album), small = resized(&page, 0.6);
            dpl_image turned = lying(&small, 7), bad = recompressed(&turned, 60);

            s[i] = sketch_of(&page);
            edited[i] = sketch_of(&bad);
            dpl_image_clear(&page);
            dpl_image_clear(&small);
            dpl_image_clear(&turned);
            dpl_image_clear(&bad);
        }
        for (int i = 0; i < N_PHOTOS; i++)
            for (int k = 0; k < N_PHOTOS; k++) {
                dpl_overlay o;

                dpl_sketch_compare(&o, &s[i], &edited[k]);
                if (dpl_overlay_is_copy(&o) != (i == k))
                    fail_msg("album %d, %s and %s: score %g, evidence %g, all over %g", album,
                             photos[i], photos[k], (double)o.score, (double)o.evidence,
                             (double)o.all_over);
            }
    }
}

static void plain_pictures_tell_nothing(void **state)
{
    dpl_image plain = blank(300, 200, 90);
    const dpl_sketch s = sketch_of(&plain);
    dpl_overlay o;

    (void)state;
    dpl_sketch_compare(&o, &s, &s);
    assert_true(o.score == 0 && o.evidence == 0);
    dpl_sketch_compare(&o, &sketches[0], &s);
    assert_true(o.score == 0 && o.evidence == 0);
    dpl_image_clear(&plain);
}

/* Thin and tiny pictures, noise: finite numbers within their bounds, whatever it is. */
static void any_two_pictures_give_numbers_within_bounds(void **state)
{
    static const int32_t sizes[][2] = {{1, 1}, {1, 400}, {400, 1}, {2, 3}, {64, 64}, {500, 20}};
    enum { N = sizeof sizes / sizeof *sizes };
    dpl_sketch s[N];
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 11);
    for (int i = 0; i < N; i++) {
        dpl_image noise = blank(sizes[i][0], sizes[i][1], 0);

        for (size_t k = 0; k < 3 * (size_t)sizes[i][0] * (size_t)sizes[i][1]; k++)
            noise.pixels[k] = (uint8_t)dpli_rng_below(&rng, 256);
        s[i] = sketch_of(&noise);
        dpl_image_clear(&noise);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N + N_PHOTOS; k++) {
            dpl_overlay o;

            dpl_sketch_compare(&o, &s[i], k < N ? &s[k] : &sketches[k - N]);
            assert_true(o.score >= -1 && o.score <= 1.0001f);
            assert_true(o.evidence >= 0 && isfinite(o.evidence) && isfinite(o.angle_deg));
            assert_true(o.shown_a >= 0 && o.shown_a <= 1 && o.shown_b >= 0 && o.shown_b <= 1);
            assert_true(o.score == 0 || (o.scale > 0 && isfinite(o.scale)));
            assert_true(k == i || !dpl_overlay_is_copy(&o));
        }
}

static void blurred_copies_are_less_sharp(void **state)
{
    (void)state;
    for (int i = 0; i < N_PHOTOS; i++) {
        dpl_image soft = blurred(&images[i]);

        assert_true(sketch_of(&soft).sharpness < sketches[i].sharpness / 1.2f);
        dpl_image_clear(&soft);
    }
}

static void only_copies_have_a_rate(void **state)
{
    dpl_overlay o;

    (void)state;
    dpl_sketch_compare(&o, &sketches[0], &sketches[0]);
    assert_true(dpl_copy_rate(&o).high < 1e-6);
    dpl_sketch_compare(&o, &sketches[0], &sketches[1]);
    assert_true(dpl_copy_rate(&o).rate == 1);
    o.score = o.evidence = o.all_over = (float)NAN;
    assert_false(dpl_overlay_is_copy(&o));
}

/* ------------------------------------------------------------------ many pictures */

static char folder[64];
static dpl_pipeline *pipeline;

static int set_up_many(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;

    (void)state;
    o.encoder_path = DPL_MODELS_DIR "/image-105.onnx";
    snprintf(folder, sizeof folder, "/tmp/doppel-copies-XXXXXX");
    return mkdtemp(folder) && dpl_pipeline_open(&pipeline, &o, &err) == DPL_OK ? 0 : -1;
}

static int tear_down_many(void **state)
{
    (void)state;
    dpl_pipeline_close(pipeline);
    return folder_remove(folder);
}

/* Write a picture, which is taken, so many seconds after a day's beginning. */
static void put(const char *name, dpl_image image, int time_s)
{
    const struct timespec times[2] = {{1700000000 + time_s, 0}, {1700000000 + time_s, 0}};
    char path[128];
    uint8_t *jpeg;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    need(dpl_image_to_jpeg(&jpeg, &n, &image, 92, &err));
    need(dpli_file_replace(path, jpeg, n, &err));
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&image);
}

typedef struct groups {
    char text[1024]; /* "a.jpg: b.jpg near, c.jpg bytes; " */
    int64_t n_compared, n_photos;
} groups;

static void on_group(void *ctx, const dpl_copy *copies, size_t n)
{
    static const char *const words[] = {"bytes", "pixels", "near", "burst"};
    groups *g = ctx;

    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(g->text);

        snprintf(g->text + used, sizeof g->text - used, i == 0 ? "%s:" : " %s %s%s",
                 strrchr(copies[i].path, '/') + 1, words[copies[i].kind], i + 1 < n ? "," : "; ");
    }
}

static void on_compared(void *ctx, int64_t n_done, int64_t n_total)
{
    groups *g = ctx;

    assert_true(n_done > g->n_compared && n_done <= n_total);
    g->n_compared = n_done;
}

static dpl_copies_report find(groups *g, double burst_s)
{
    const char *const paths[] = {folder};
    dpl_copies_options o = DPL_COPIES_OPTIONS_INIT;
    dpl_copies_report report;

    *g = (groups){.n_photos = 0};
    o.burst_s = burst_s;
    o.on_group = on_group;
    o.on_compared = on_compared;
    o.ctx = g;
    need(dpl_find_copies(&report, pipeline, paths, 1, &o, &err));
    assert_int_equal(report.n_pairs, g->n_compared);
    return report;
}

static void the_largest_is_kept_then_the_sharpest_then_the_oldest(void **state)
{
    dpl_copies_report r;
    groups g;

    (void)state;
    put("small.jpg", resized(&images[0], 0.5), 0);
    put("soft.jpg", blurred(&images[0]), 100);
    put("new.jpg", recompressed(&images[0], 99), 300);
    put("old.jpg", recompressed(&images[0], 95), 200);
    put("other.jpg", resized(&images[2], 1), 400);
    r = find(&g, 0);
    assert_string_equal(g.text, "old.jpg: new.jpg near, small.jpg near, soft.jpg near; ");
    assert_int_equal(r.n_groups, 1);
    assert_int_equal(r.n_copies, 3);
    assert_true(r.exact && r.recall == 1);
    put("large.jpg", resized(&images[0], 1.3), 500);
    find(&g, 0);
    assert_memory_equal(g.text, "large.jpg: ", 11);
}

/* Two parts of a photo that have nothing in common are both its copies; without it they are none.
 */
static void a_group_is_of_what_is_like_the_one_to_keep(void **state)
{
    dpl_copies_report r;
    groups g;

    (void)state;
    put("left.jpg", cropped(&images[6], 0.62, 0, 0.5), 0);
    put("right.jpg", cropped(&images[6], 0.62, 1, 0.5), 100);
    r = find(&g, 0);
    assert_int_equal(r.n_groups, 0);
    put("whole.jpg", resized(&images[6], 1), 200);
    r = find(&g, 0);
    assert_int_equal(r.n_groups, 1);
    assert_memory_equal(g.text, "whole.jpg: ", 11);
    assert_int_equal(r.n_copies, 2);
}

/* The first one with a share of the second drawn over it, as large as the first. */
static dpl_image blended(const dpl_image *first, const dpl_image *second, double part)
{
    dpl_image out, over;

    need(dpl_image_resize(&over, second, first->width_px, first->height_px, &err));
    out = resized(first, 1);
    for (size_t i = 0; i < 3 * (size_t)out.width_px * (size_t)out.height_px; i++)
        out.pixels[i] = (uint8_t)lround((1 - part) * out.pixels[i] + part * over.pixels[i]);
    dpl_image_clear(&over);
    return out;
}

/* Of three that look nearly the same, what is alike the most belongs together, not what is kept first. */
static void a_copy_goes_with_what_it_is_most_like(void **state)
{
    dpl_image other = blended(&images[0], &images[2], 0.36), half;
    dpl_image like = blended(&images[0], &images[2], 0.26);
    dpl_sketch first = sketch_of(&images[0]), second = sketch_of(&other), third;
    dpl_overlay o;
    groups g;

    (void)state;
    half = resized(&like, 0.5);
    third = sketch_of(&half);
    dpl_sketch_compare(&o, &first, &second);
    assert_false(dpl_overlay_is_copy(&o));
    dpl_sketch_compare(&o, &first, &third);
    assert_true(dpl_overlay_is_copy(&o));
    put("first.jpg", resized(&images[0], 1.2), 0);
    put("second.jpg", other, 100);
    put("third.jpg", half, 200);
    find(&g, 0);
    assert_string_equal(g.text, "second.jpg: third.jpg near; ");
    dpl_image_clear(&like);
}

static void what_it_cannot_do_is_refused(void **state)
{
    const char *const paths[] = {folder}, *const nowhere[] = {"/nowhere"};
    dpl_copies_options o = DPL_COPIES_OPTIONS_INIT;
    volatile int cancel = 1;
    dpl_copies_report report;

    (void)state;
    put("1.jpg", resized(&images[0], 1), 0);
    o.burst_s = -1;
    assert_int_equal(dpl_find_copies(&report, pipeline, paths, 1, &o, &err), DPL_E_ARGUMENT);
    o.burst_s = (double)NAN;
    assert_int_equal(dpl_find_copies(&report, pipeline, paths, 1, &o, &err), DPL_E_ARGUMENT);
    o.burst_s = 10;
    o.cancel = &cancel;
    assert_int_equal(dpl_find_copies(&report, pipeline, paths, 1, &o, &err), DPL_E_CANCELLED);
    o.cancel = NULL;
    need(dpl_find_copies(&report, pipeline, nowhere, 1, &o, &err));
    assert_int_equal(report.photos.worst, DPL_E_INPUT);
    need(dpl_find_copies(&report, pipeline, NULL, 0, &o, &err));
    assert_int_equal(report.n_groups, 0);
}

#define MANY(test) cmocka_unit_test_setup_teardown(test, set_up_many, tear_down_many)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_picture_scores_one),
        cmocka_unit_test(turned_and_mirrored_copies_are_known_with_their_orientation),
        cmocka_unit_test(cropped_copies_are_known_with_what_they_show),
        cmocka_unit_test(reduced_copies_are_known_with_their_scale),
        cmocka_unit_test(tilted_copies_are_known_with_their_angle),
        cmocka_unit_test(copies_in_a_frame_are_known_with_their_share_of_it),
        cmocka_unit_test(spoilt_copies_are_known),
        cmocka_unit_test(several_edits_at_once_are_known),
        cmocka_unit_test(other_pictures_are_not_taken_for_copies),
        cmocka_unit_test(prints_in_one_album_are_copies_of_themselves_alone),
        cmocka_unit_test(plain_pictures_tell_nothing),
        cmocka_unit_test(any_two_pictures_give_numbers_within_bounds),
        cmocka_unit_test(blurred_copies_are_less_sharp),
        cmocka_unit_test(only_copies_have_a_rate),
        MANY(the_largest_is_kept_then_the_sharpest_then_the_oldest),
        MANY(a_group_is_of_what_is_like_the_one_to_keep),
        MANY(a_copy_goes_with_what_it_is_most_like),
        MANY(what_it_cannot_do_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
