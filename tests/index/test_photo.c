/*
 * test_photo.c - a photo is the same from a path, from a file's content in memory and from pixels:
 * to the bit, and in whatever is then done with it.
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
#include <unistd.h>

#include "base/file.h"
#include "doppel/doppel.h"
#include "index/pipeline.h"
#include "tests/folder_kit.h"
#include "tests/slowed.h"

#define DEMO    DPL_SOURCE_DIR "/demo/"
#define OBAMA   DEMO "people/Barack Obama/official-portrait.jpg"
#define OBAMA_2 DEMO "people/Barack Obama/blue-room.jpg"
#define CURIE   DEMO "people/Marie Curie/portrait.png"
#define GROUP   DEMO "group.jpg"
#define STANDIN DPL_SOURCE_DIR "/tests/standins/"

static dpl_pipeline *pipeline; /* of the shipped models, and an encoder of whole pictures */
static dpl_scratch *scratch;
static dpl_error err;
static char folder[64];

/* ------------------------------------------------------------------ what every test uses */

static int set_up_all(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;

    (void)state;
    o.detector_path = DPL_MODELS_DIR "/face-detect.onnx";
    o.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    o.image_path = STANDIN "image.onnx";
    if (dpl_scratch_new(&scratch, 0, &err) != DPL_OK ||
        dpl_pipeline_open(&pipeline, &o, &err) != DPL_OK) {
        print_error("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    dpl_pipeline_close(pipeline);
    dpl_scratch_free(scratch);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/doppel-photo-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void need(dpl_status status)
{
    if (status != DPL_OK)
        fail_msg("%s", err.message);
}

static dpl_photo from_path(const char *path)
{
    dpl_photo photo;

    need(dpl_photo_open(&photo, pipeline, scratch, path, &err));
    return photo;
}

/* The bytes are gone before the photo is looked at. */
static dpl_photo from_bytes(const char *path)
{
    dpl_photo photo;
    uint8_t *bytes;
    size_t n;

    need(dpli_file_read(&bytes, &n, path, 1 << 24, &err));
    need(dpl_photo_from_bytes(&photo, pipeline, scratch, NULL, bytes, n, &err));
    memset(bytes, 0, n);
    free(bytes);
    return photo;
}

/* Rows are some bytes apart. */
static dpl_photo from_rgb(const char *path)
{
    dpl_image image;
    dpl_photo photo;
    uint8_t *rgb;

    need(dpl_image_open(&image, path, NULL, &err));
    const size_t row = 3 * (size_t)image.width_px, stride = row + 13, n_rows = image.height_px;
    rgb = malloc(stride * n_rows);
    assert_non_null(rgb);
    memset(rgb, 0xAB, stride * n_rows);
    for (size_t y = 0; y < n_rows; y++)
        memcpy(rgb + y * stride, image.pixels + y * row, row);
    need(dpl_photo_from_rgb(&photo, pipeline, scratch, "pixels", rgb, image.width_px,
                            image.height_px, stride, &err));
    free(rgb);
    dpl_image_clear(&image);
    return photo;
}

static void must_be_same_bits(const dpl_photo *a, const dpl_photo *b)
{
    const dpl_encoder *e = dpl_pipeline_encoder(pipeline);
    const dpl_encoder *whole = dpl_pipeline_image_encoder(pipeline);
    const size_t chip = 3 * (size_t)dpl_encoder_width_px(e) * (size_t)dpl_encoder_height_px(e);

    assert_int_equal(a->image.width_px, b->image.width_px);
    assert_int_equal(a->image.height_px, b->image.height_px);
    assert_int_equal(a->image.full_width_px, b->image.full_width_px);
    assert_int_equal(a->image.full_height_px, b->image.full_height_px);
    assert_memory_equal(a->image.pixels, b->image.pixels,
                        3 * (size_t)a->image.width_px * (size_t)a->image.height_px);
    assert_int_equal(a->n_faces, b->n_faces);
    assert_memory_equal(a->faces, b->faces, a->n_faces * sizeof *a->faces);
    assert_memory_equal(a->chips, b->chips, a->n_faces * chip);
    assert_memory_equal(a->vectors, b->vectors,
                        a->n_faces * (size_t)dpl_encoder_dim(e) * sizeof(float));
    assert_memory_equal(a->image_vector, b->image_vector,
                        (size_t)dpl_encoder_dim(whole) * sizeof(float));
}

/* A JPEG of w x h grey pixels, with a face of this height, as detected, at x, y; freed by
 * dpl_bytes_free. */
static uint8_t *lone_face(size_t *n, int32_t w, int32_t h, float face_px, int32_t x, int32_t y)
{
    dpl_photo portrait = from_path(OBAMA);
    const float by = face_px / portrait.faces[0].h_px;
    dpl_image photo = DPL_IMAGE_INIT, small = DPL_IMAGE_INIT;
    uint8_t *grey = malloc((size_t)w * (size_t)h * 3), *jpeg;

    assert_non_null(grey);
    memset(grey, 120, (size_t)w * (size_t)h * 3);
    need(dpl_image_from_rgb(&photo, grey, w, h, (size_t)w * 3, &err));
    free(grey);
    need(dpl_image_resize(&small, &portrait.image, (int32_t)((float)portrait.image.width_px * by),
                          (int32_t)((float)portrait.image.height_px * by), &err));
    for (int32_t row = 0; row < small.height_px; row++)
        memcpy(photo.pixels + ((size_t)(y + row) * (size_t)w + (size_t)x) * 3,
               small.pixels + (size_t)row * (size_t)small.width_px * 3, (size_t)small.width_px * 3);
    need(dpl_image_to_jpeg(&jpeg, n, &photo, 92, &err));
    dpl_image_clear(&small);
    dpl_image_clear(&photo);
    dpl_photo_clear(&portrait);
    return jpeg;
}

/* ------------------------------------------------------------------ tests */

/* Decoded at half its size, as such a photo is at first, the smaller one is lost. */
static void face_of_40_or_28_px_in_a_photo_of_24_megapixels_is_found(void **state)
{
    enum { X = 4100, Y = 3000 };

    (void)state;
    for (float px = 40; px >= 28; px -= 12) {
        size_t n;
        uint8_t *jpeg = lone_face(&n, 6000, 4000, px, X, Y);
        dpl_photo photo;

        need(dpl_photo_from_bytes(&photo, pipeline, scratch, NULL, jpeg, n, &err));
        assert_int_equal(photo.n_faces, 1);
        assert_in_range((int)photo.faces[0].x_px, X, X + 100);
        assert_in_range((int)photo.faces[0].y_px, Y, Y + 100);
        assert_in_range((int)photo.faces[0].h_px, 0.7f * px, 1.3f * px);
        assert_int_equal(photo.image.width_px, 6000);
        dpl_photo_clear(&photo);
        dpl_bytes_free(jpeg);
    }
}

/* A face of 150 pixels and more in the decoded picture has the pixels that its chip takes. */
static void one_photo_is_decoded_no_larger_than_its_faces_ask_for(void **state)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));

    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t n;
        uint8_t *jpeg = lone_face(&n, 4000, 3000, i == 0 ? 440 : 200, 700, 500);
        dpl_photo one, many;
        float cosine = 0;

        need(dpl_photo_from_bytes(&one, pipeline, scratch, NULL, jpeg, n, &err));
        need(dpli_photo_process(&many, pipeline, scratch, jpeg, n, &err));
        assert_int_equal(one.n_faces, 1);
        assert_int_equal(many.n_faces, 1);
        assert_int_equal(many.image.width_px, 4000);
        assert_int_equal(one.image.width_px, i == 0 ? 2000 : 4000);
        assert_int_equal(one.image.full_width_px, 4000);
        for (int32_t k = 0; k < dim; k++)
            cosine += one.vectors[k] * many.vectors[k];
        assert_true(cosine > 0.995f);
        /* Four pixels are one of the overview's. */
        assert_true(fabsf(one.faces[0].landmarks[0].x_px - many.faces[0].landmarks[0].x_px) < 4);
        assert_true(fabsf(one.faces[0].landmarks[0].y_px - many.faces[0].landmarks[0].y_px) < 4);
        dpl_photo_clear(&one);
        dpl_photo_clear(&many);
        dpl_bytes_free(jpeg);
    }
}

/* At half its size it is 18 MiB, whole it is 69. */
static void what_is_too_large_to_be_decoded_again_is_looked_at_as_it_is(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *small;
    size_t n;
    uint8_t *jpeg = lone_face(&n, 6000, 4000, 40, 4100, 3000);
    dpl_photo photo;

    (void)state;
    o.detector_path = DPL_MODELS_DIR "/face-detect.onnx";
    o.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    o.decode.max_bytes = (size_t)60 << 20;
    need(dpl_pipeline_open(&small, &o, &err));
    need(dpl_photo_from_bytes(&photo, small, scratch, NULL, jpeg, n, &err));
    assert_int_equal(photo.image.width_px, 3000);
    assert_int_equal(photo.n_faces, 1);
    dpl_photo_clear(&photo);
    dpl_pipeline_close(small);
    dpl_bytes_free(jpeg);
}

/* Of 36 megapixels the closer look sees 24, where this face is too small; the option named shows
 * it. */
static void photo_that_may_have_smaller_faces_than_were_looked_for_names_the_option(void **state)
{
    static const char *const words[] = {"(--detect-side 1560)", "(--max-memory)"};
    const dpl_policy policy = {0};
    dpl_photo portrait = from_path(OBAMA);
    dpl_verdict verdict;
    size_t n;
    uint8_t *jpeg = lone_face(&n, 12000, 3000, 17, 600, 500);

    (void)state;
    for (int i = 0; i < 3; i++) {
        dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
        dpl_pipeline *p;
        dpl_photo photo;

        o.detector_path = DPL_MODELS_DIR "/face-detect.onnx";
        o.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
        o.detect.max_side_px = i == 0 ? 1280 : 1560;
        o.decode.max_bytes = (size_t)(i == 1 ? 70 : 768) << 20;
        need(dpl_pipeline_open(&p, &o, &err));
        need(dpl_photo_from_bytes(&photo, p, scratch, NULL, jpeg, n, &err));
        assert_int_equal(photo.n_faces, i == 2);
        if (i < 2) {
            assert_int_equal(dpl_verify(&verdict, p, &policy, &portrait, &photo, NULL, &err),
                             DPL_E_NO_FACE);
            if (!strstr(err.message, words[i]))
                fail_msg("%s", err.message);
        }
        dpl_photo_clear(&photo);
        dpl_pipeline_close(p);
    }
    dpl_photo_clear(&portrait);
    dpl_bytes_free(jpeg);
}

static void photos_in_memory_give_the_bits_of_their_files(void **state)
{
    static const char *const paths[] = {OBAMA, CURIE, GROUP};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        dpl_photo path = from_path(paths[i]), bytes = from_bytes(paths[i]);
        dpl_photo rgb = from_rgb(paths[i]);

        assert_true(path.n_faces > 0);
        must_be_same_bits(&path, &bytes);
        must_be_same_bits(&path, &rgb);
        assert_string_equal(path.name, paths[i]);
        assert_null(bytes.name);
        assert_string_equal(rgb.name, "pixels");
        assert_int_equal(strlen(path.sha256), 64);
        assert_string_equal(path.sha256, bytes.sha256);
        assert_string_equal(rgb.sha256, "");
        assert_true(path.n_bytes > 0);
        assert_int_equal(path.n_bytes, bytes.n_bytes);
        assert_int_equal(rgb.n_bytes, 0);
        assert_string_equal(path.image.format, bytes.image.format);
        assert_string_equal(rgb.image.format, "");
        dpl_photo_clear(&path);
        dpl_photo_clear(&bytes);
        dpl_photo_clear(&rgb);
    }
    dpl_photo_clear(NULL);
}

static void must_be_cleared(const dpl_photo *photo)
{
    assert_null(photo->name);
    assert_null(photo->image.pixels);
    assert_null(photo->faces);
    assert_null(photo->chips);
    assert_null(photo->vectors);
    assert_null(photo->image_vector);
    assert_int_equal(photo->n_faces, 0);
    assert_string_equal(photo->sha256, "");
}

static void what_is_no_photo_is_refused_by_the_name_given(void **state)
{
    static const uint8_t rgb[3 * 4 * 4];
    dpl_photo photo;

    (void)state;
    memset(&photo, 0xEE, sizeof photo);
    assert_int_equal(dpl_photo_from_bytes(&photo, pipeline, scratch, "upload 7", "hello", 5, &err),
                     DPL_E_INPUT);
    assert_non_null(strstr(err.message, "\"upload 7\": is neither a "));
    must_be_cleared(&photo);
    assert_int_equal(dpl_photo_from_bytes(&photo, pipeline, scratch, NULL, "hello", 5, &err),
                     DPL_E_INPUT);
    assert_non_null(strstr(err.message, "is neither a "));
    assert_int_equal(dpl_photo_from_bytes(&photo, pipeline, scratch, NULL, "", 0, NULL),
                     DPL_E_INPUT);

    memset(&photo, 0xEE, sizeof photo);
    assert_int_equal(dpl_photo_from_rgb(&photo, pipeline, scratch, "frame", rgb, 4, 4, 11, &err),
                     DPL_E_ARGUMENT);
    assert_string_equal(err.message,
                        "\"frame\": stride of 11 bytes is less than a row of 4 pixels");
    must_be_cleared(&photo);
    assert_int_equal(dpl_photo_from_rgb(&photo, pipeline, scratch, NULL, rgb, 0, 4, 12, &err),
                     DPL_E_ARGUMENT);
    assert_int_equal(dpl_photo_from_rgb(&photo, pipeline, scratch, NULL, rgb, 4, -4, 12, &err),
                     DPL_E_ARGUMENT);
}

static void more_pixels_than_the_pipeline_takes_are_refused(void **state)
{
    static const uint8_t rgb[3 * 4 * 4];
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *small;
    dpl_photo photo;

    (void)state;
    o.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    o.decode.max_pixels = 15;
    need(dpl_pipeline_open(&small, &o, &err));
    assert_int_equal(dpl_photo_from_rgb(&photo, small, scratch, "frame", rgb, 4, 4, 12, &err),
                     DPL_E_LIMIT);
    assert_string_equal(err.message,
                        "\"frame\": image is 4x4 pixels, limit is 15 pixels (--max-pixels)");
    need(dpl_photo_from_rgb(&photo, small, scratch, "frame", rgb, 3, 5, 9, &err));
    assert_int_equal(photo.n_faces, 1);
    dpl_photo_clear(&photo);
    dpl_pipeline_close(small);
}

/* ------------------------------------------------------------------ faces at boxes */

/* Boxes as other detectors give them: of the face without hair and chin, or with much of either. */
static void faces_at_boxes_are_those_of_the_photo(void **state)
{
    const size_t dim = (size_t)dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    dpl_photo whole = from_path(GROUP), at;
    dpl_box boxes[3];

    (void)state;
    assert_true(whole.n_faces >= 3);
    for (int grown = -1; grown <= 1; grown++) {
        for (size_t i = 0; i < 3; i++) { /* in another order than they were found in */
            const dpl_face *f = &whole.faces[2 - i];
            const float by = 0.2f * (float)grown;

            boxes[i] = (dpl_box){f->x_px - by / 2 * f->w_px, f->y_px - by / 2 * f->h_px,
                                 f->w_px * (1 + by), f->h_px * (1 + by)};
        }
        need(dpl_photo_from_rgb_at(&at, pipeline, scratch, NULL, whole.image.pixels,
                                   whole.image.width_px, whole.image.height_px,
                                   3 * (size_t)whole.image.width_px, boxes, 3, &err));
        assert_int_equal(at.n_faces, 3);
        assert_non_null(at.image_vector);
        for (size_t i = 0; i < 3; i++) {
            const float score = dpl_head_score(dpl_pipeline_head(pipeline), at.vectors + i * dim,
                                               whole.vectors + (2 - i) * dim);
            /* Looked at from nearer, its landmarks lie a little otherwise. */
            if (!(score > 0.9f))
                fail_msg("box %zu, grown %d: cosine %g", i, grown, (double)score);
            assert_true(at.faces[i].quality.overall > 0);
        }
        dpl_photo_clear(&at);
    }
    need(dpl_photo_from_rgb_at(&at, pipeline, scratch, "frame", whole.image.pixels,
                               whole.image.width_px, whole.image.height_px,
                               3 * (size_t)whole.image.width_px, boxes, 0, &err));
    assert_int_equal(at.n_faces, 0);
    dpl_photo_clear(&at);
    dpl_photo_clear(&whole);
}

static void box_that_shows_no_face_or_is_not_in_the_picture_is_refused_by_its_number(void **state)
{
    const dpl_box none[] = {{0, 0, 40, 40}, {1e9f, 0, 9, 9}, {5, 5, 0, 9}, {NAN, 0, 9, 9}};
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *blind;
    dpl_photo portrait = from_path(OBAMA), at;
    const dpl_face *f = &portrait.faces[0];
    const dpl_image *image = &portrait.image;
    const size_t stride = 3 * (size_t)image->width_px;

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const dpl_box boxes[] = {{f->x_px, f->y_px, f->w_px, f->h_px}, none[i]};

        memset(&at, 0xEE, sizeof at);
        assert_int_equal(dpl_photo_from_rgb_at(&at, pipeline, scratch, "frame", image->pixels,
                                               image->width_px, image->height_px, stride, boxes, 2,
                                               &err),
                         i == 0 ? DPL_E_NO_FACE : DPL_E_ARGUMENT);
        assert_ptr_equal(strstr(err.message, "\"frame\": \"box 2\": "), err.message);
        must_be_cleared(&at);
    }
    o.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    need(dpl_pipeline_open(&blind, &o, &err));
    assert_int_equal(dpl_photo_from_rgb_at(&at, blind, scratch, NULL, image->pixels,
                                           image->width_px, image->height_px, stride, none, 1,
                                           &err),
                     DPL_E_ARGUMENT);
    dpl_pipeline_close(blind);
    dpl_photo_clear(&portrait);
}

static void kept_vectors_are_judged_as_their_photos(void **state)
{
    static const char *const others[] = {OBAMA_2, CURIE};
    const size_t dim = (size_t)dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    dpl_photo a = from_path(OBAMA);
    float *broken = calloc(dim, sizeof *broken);
    dpl_policy policy;
    dpl_comparison c;

    (void)state;
    assert_non_null(broken);
    need(dpl_policy_make(&policy, dpl_pipeline_calibration(pipeline), NAN, NAN, &err));
    for (int i = 0; i < 2; i++) {
        dpl_photo b = from_path(others[i]);
        dpl_verdict v;

        need(dpl_verify(&v, pipeline, &policy, &a, &b, NULL, &err));
        need(dpl_compare_vectors(&c, pipeline, &policy, a.vectors, b.vectors + v.face_b * dim,
                                 a.faces, &b.faces[v.face_b], &err));
        assert_int_equal(c.decision, i == 0 ? DPL_DECISION_MATCH : DPL_DECISION_NO_MATCH);
        assert_int_equal(c.decision, v.decision);
        assert_memory_equal(&c.score, &v.score, sizeof c.score);
        assert_memory_equal(&c.evidence, &v.evidence, sizeof c.evidence);
        assert_memory_equal(&c.rate.rate, &v.rate.rate, sizeof c.rate.rate);
        assert_int_equal(c.fitness, v.fitness);
        /* A face of which nothing is claimed is told so; one that is not known is fair. */
        b.faces[v.face_b].quality.overall = 0;
        need(dpl_compare_vectors(&c, pipeline, &policy, a.vectors, b.vectors + v.face_b * dim, NULL,
                                 &b.faces[v.face_b], &err));
        assert_int_equal(c.decision, DPL_DECISION_TOO_POOR);
        need(dpl_compare_vectors(&c, pipeline, NULL, a.vectors, b.vectors + v.face_b * dim, NULL,
                                 NULL, &err));
        assert_int_equal(c.decision, DPL_DECISION_NONE);
        assert_int_equal(c.fitness, DPL_FITNESS_FAIR);
        dpl_photo_clear(&b);
    }
    assert_int_equal(
        dpl_compare_vectors(&c, pipeline, &policy, a.vectors, broken, NULL, NULL, &err),
        DPL_E_NUMERIC);
    assert_string_equal(err.message, "vector b is all zero");
    broken[7] = INFINITY;
    assert_int_equal(
        dpl_compare_vectors(&c, pipeline, &policy, broken, a.vectors, NULL, NULL, &err),
        DPL_E_NUMERIC);
    assert_string_equal(err.message, "vector a: number 8 is not finite");
    free(broken);
    dpl_photo_clear(&a);
}

/* ------------------------------------------------------------------ enrolled from memory */

static dpl_gallery *open_gallery(void)
{
    dpl_gallery *g;

    need(dpl_gallery_open(&g, folder, DPL_GALLERY_CREATE, &err));
    return g;
}

static void models_that_nobody_names_are_the_ones_that_come_with_doppel(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *p;

    (void)state;
    setenv("DOPPEL_MODELS", DPL_MODELS_DIR, 1);
    need(dpl_pipeline_open(&p, NULL, &err));
    assert_string_equal(dpl_encoder_hash(dpl_pipeline_encoder(p)),
                        dpl_encoder_hash(dpl_pipeline_encoder(pipeline)));
    assert_non_null(dpl_pipeline_detector(p));
    assert_null(dpl_pipeline_image_encoder(p));
    dpl_pipeline_close(p);
    /* With an encoder, no detector is none. */
    o.encoder_path = DPL_MODELS_DIR "/" DPL_MODEL_ENCODER;
    need(dpl_pipeline_open(&p, &o, &err));
    assert_null(dpl_pipeline_detector(p));
    dpl_pipeline_close(p);
    setenv("DOPPEL_MODELS", folder, 1);
    assert_int_equal(dpl_pipeline_open(&p, NULL, &err), DPL_E_MODEL);
    assert_null(p);
    assert_non_null(strstr(err.message, folder));
    unsetenv("DOPPEL_MODELS");
}

typedef struct held {
    int n;
    char person[2][64], reason[256], sha256[65];
    dpl_status status;
    int64_t size_bytes;
    dpl_face faces[2];
    float vectors[2][1024];
    uint8_t thumbs[2][8192];
    size_t n_thumb[2];
} held;

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    held *h = ctx;

    assert_true(h->n < 2 && row->dim <= 1024 && row->n_thumb <= sizeof h->thumbs[0]);
    snprintf(h->person[h->n], sizeof h->person[0], "%s", row->person ? row->person : "-");
    h->faces[h->n] = row->face;
    memcpy(h->vectors[h->n], row->vector, (size_t)row->dim * sizeof(float));
    memcpy(h->thumbs[h->n], row->thumb, row->n_thumb);
    h->n_thumb[h->n++] = row->n_thumb;
    return DPL_OK;
}

static dpl_status take_photo(void *ctx, const dpl_photo_row *row)
{
    held *h = ctx;

    h->status = row->status;
    h->size_bytes = row->size_bytes;
    snprintf(h->reason, sizeof h->reason, "%s", row->reason);
    snprintf(h->sha256, sizeof h->sha256, "%s", row->sha256);
    return DPL_OK;
}

/* What the gallery holds of this source. */
static void look(held *h, dpl_gallery *g, const char *source)
{
    int found;

    memset(h, 0, sizeof *h);
    need(dpl_gallery_find_photo(g, source, NULL, take_photo, h, &found, &err));
    assert_int_equal(found, 1);
    need(dpl_gallery_each_template(g, NULL, "face", take_template, h, &err));
}

static void photo_in_memory_is_enrolled_as_its_file_is(void **state)
{
    static held by_path, by_photo;
    const char *const paths[] = {OBAMA};
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_enroll_report report;
    dpl_gallery *g = open_gallery();
    dpl_photo photo = from_bytes(OBAMA), before;

    (void)state;
    o.name = "Barack Obama";
    need(dpl_enroll(&report, g, pipeline, paths, 1, &o, &err));
    look(&by_path, g, OBAMA);
    memcpy(&before, &photo, sizeof photo);
    need(dpl_enroll_photo(g, pipeline, &photo, OBAMA, &o, &err));
    look(&by_photo, g, OBAMA);
    assert_memory_equal(&by_path, &by_photo, sizeof by_path);
    assert_int_equal(by_photo.n, 1);
    assert_string_equal(by_photo.person[0], "Barack Obama");
    assert_string_equal(by_photo.sha256, photo.sha256);
    assert_memory_equal(&before, &photo, sizeof photo);
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
}

static void photo_in_memory_is_found_and_verified(void **state)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_gallery *g = open_gallery();
    dpl_photo one = from_rgb(OBAMA), other = from_bytes(OBAMA_2), curie = from_rgb(CURIE);
    dpl_policy policy;
    dpl_verdict verdict, claim;
    dpl_answer *answers;
    size_t n;

    (void)state;
    o.name = "Barack Obama";
    need(dpl_enroll_photo(g, pipeline, &one, "/camera/1", &o, &err));
    o.name = NULL;
    need(dpl_enroll_photo(g, pipeline, &curie, "/camera/2", &o, &err));
    need(dpl_policy_make(&policy, dpl_pipeline_calibration(pipeline), (double)NAN, (double)NAN,
                         &err));
    need(dpl_verify(&verdict, pipeline, &policy, &other, &one, NULL, &err));
    assert_int_equal(verdict.decision, DPL_DECISION_MATCH);
    need(dpl_verify_claim(&claim, g, pipeline, &policy, &other, "Barack Obama", NULL, &err));
    assert_true(claim.score == verdict.score);
    need(dpl_query(&answers, &n, g, pipeline, &policy, &other, DPL_QUERY_FACE, NULL, &err));
    assert_string_equal(answers[0].person, "Barack Obama");
    assert_string_equal(answers[0].hits[0].photo_path, "/camera/1");
    dpl_answers_free(answers, n);
    need(dpl_query(&answers, &n, g, pipeline, &policy, &curie, DPL_QUERY_FACE, NULL, &err));
    assert_null(answers[0].person); /* nobody's, though it is there */
    assert_null(answers[0].hits[0].person);
    assert_string_equal(answers[0].hits[0].photo_path, "/camera/2");
    dpl_answers_free(answers, n);
    dpl_photo_clear(&one);
    dpl_photo_clear(&other);
    dpl_photo_clear(&curie);
    dpl_gallery_close(g);
}

static void photo_that_is_refused_is_in_the_ledger_with_its_reason(void **state)
{
    static held h;
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_gallery *g = open_gallery();
    dpl_photo group = from_bytes(GROUP);
    dpl_gallery_counts counts;

    (void)state;
    o.name = "Curie";
    assert_int_equal(dpl_enroll_photo(g, pipeline, &group, "/camera/3", &o, &err),
                     DPL_E_MANY_FACES);
    assert_non_null(strstr(err.message, "\"/camera/3\": 21 faces found"));
    look(&h, g, "/camera/3");
    assert_int_equal(h.n, 0);
    assert_int_equal(h.status, DPL_E_MANY_FACES);
    assert_non_null(strstr(h.reason, "21 faces found"));
    need(dpl_gallery_count(&counts, g, &err));
    assert_int_equal(counts.n_templates_image, 1); /* the picture is still one */
    assert_int_equal(counts.n_persons, 0);
    o.faces = DPL_FACES_LARGEST;
    need(dpl_enroll_photo(g, pipeline, &group, "/camera/3", &o, &err));
    look(&h, g, "/camera/3");
    assert_int_equal(h.n, 1);
    assert_int_equal(h.status, DPL_OK);

    o.name = NULL;
    o.faces = DPL_FACES_REFUSE;
    assert_int_equal(dpl_enroll_photo(g, pipeline, &group, "/camera/4", &o, NULL),
                     DPL_E_MANY_FACES);
    /* What the gallery itself refuses changes nothing. */
    o.faces = DPL_FACES_LARGEST;
    assert_int_equal(dpl_enroll_photo(g, pipeline, &group, "camera", &o, &err), DPL_E_ARGUMENT);
    need(dpl_gallery_count(&counts, g, &err));
    assert_int_equal(counts.n_photos, 2);
    dpl_photo_clear(&group);
    dpl_gallery_close(g);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define LARGE(f) unit_test_setup_teardown_unless_slowed(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LARGE(face_of_40_or_28_px_in_a_photo_of_24_megapixels_is_found),
        LARGE(one_photo_is_decoded_no_larger_than_its_faces_ask_for),
        TEST(what_is_too_large_to_be_decoded_again_is_looked_at_as_it_is),
        LARGE(photo_that_may_have_smaller_faces_than_were_looked_for_names_the_option),
        TEST(photos_in_memory_give_the_bits_of_their_files),
        TEST(what_is_no_photo_is_refused_by_the_name_given),
        TEST(more_pixels_than_the_pipeline_takes_are_refused),
        TEST(faces_at_boxes_are_those_of_the_photo),
        TEST(box_that_shows_no_face_or_is_not_in_the_picture_is_refused_by_its_number),
        TEST(kept_vectors_are_judged_as_their_photos),
        TEST(models_that_nobody_names_are_the_ones_that_come_with_doppel),
        TEST(photo_in_memory_is_enrolled_as_its_file_is),
        TEST(photo_in_memory_is_found_and_verified),
        TEST(photo_that_is_refused_is_in_the_ledger_with_its_reason),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
