/*
 * test_intake.c - a net is trained on the numbers that it is served: what the loader puts into a
 * batch is what dpl_encode puts into the net, seen through a net that gives back its input.
 */
#include "tests/train/train_kit.h"

#include <math.h>

#include "base/buf.h"
#include "tests/net/onnx_writer.h"
#include "train/feed_pictures.h"
#include "train/loader.h"
#include "vision/encoder.h"

enum { SIDE = 24, CLASSES = 3, ITEMS = 2, ROWS = CLASSES * ITEMS };

static dpl_error err;

/* An encoder of these facts whose vector is its input, [channels, SIDE, SIDE]. */
static dpl_encoder *mirror(int channels, const char *facts)
{
    writer w = {0};
    const int64_t dims[4] = {0, channels, SIDE, SIDE};
    dpl_encoder *e;
    dpli_buf model;

    add_input(&w, "x", 4, dims);
    add_output(&w, "y");
    add_node(&w, "Flatten", "x", "y");
    model = finish(&w, 13);
    assert_int_equal(dpli_file_replace("mirror.onnx", model.data, model.len, &err), DPL_OK);
    assert_int_equal(dpli_file_replace("mirror.onnx.json", facts, strlen(facts), &err), DPL_OK);
    dpli_buf_clear(&model);
    if (dpl_encoder_open(&e, "mirror.onnx", NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(dpl_encoder_dim(e), channels * SIDE * SIDE);
    return e;
}

/* What the encoder's net is given of a picture of the data set. */
static void serve(float *out, const dpl_encoder *e, const dpl_dataset *data, int32_t item)
{
    static uint8_t chip[SIDE * SIDE * 3];
    dpl_scratch *scratch;
    dpl_image image;

    assert_int_equal(dpl_dataset_image(&image, data, item, &err), DPL_OK);
    assert_int_equal(dpl_whole_chip(chip, e, &image, &err), DPL_OK);
    assert_int_equal(dpl_scratch_new(&scratch, 0, &err), DPL_OK);
    assert_int_equal(dpl_encode(out, e, scratch, chip, 1, &err), DPL_OK);
    dpl_scratch_free(scratch);
    dpl_image_clear(&image);
}

/* The largest difference between the two, over a batch that holds every picture. */
static double drift(int channels, const char *facts)
{
    static float served[3 * SIDE * SIDE];
    int32_t items[ROWS];
    dpli_draw_class classes[CLASSES];
    const dpli_draws pool = {1, CLASSES, classes, items, ROWS, NULL, 0};
    dpl_encoder *e = mirror(channels, facts);
    dpli_loader_options o = {
        .sampler = {.pool = &pool, .classes = ROWS, .items = 1, .by_item = true}, .n_threads = 1};
    const size_t n = (size_t)SIDE * SIDE;
    dpli_row rows[ROWS];
    const dpli_batch *batch;
    dpli_sampler *sampler;
    dpli_picture_feed_options pictures = {.intake = e->intake};
    dpli_feed *feed;
    dpli_loader *loader;
    dpli_team *team;
    dpl_dataset *data;
    size_t n_pairs;
    double worst = 0;

    for (int32_t i = 0; i < ROWS; i++)
        items[i] = i;
    for (int32_t c = 0; c < CLASSES; c++)
        classes[c] = (dpli_draw_class){c, -1, {items + c * ITEMS, NULL}, {ITEMS, 0}};
    assert_true(dpli_augment_named(&pictures.augment, "none"));
    assert_int_equal(dpl_dataset_open(&data, "data", NULL, &err), DPL_OK);
    assert_int_equal(dpl_dataset_n_items(data), ROWS);
    assert_int_equal(dpli_team_new(&team, 1, NULL), DPL_OK);
    pictures.data = data;
    assert_int_equal(dpli_picture_feed_new(&feed, &pictures, team, NULL, NULL, &err), DPL_OK);
    o.feeds[0] = feed;
    assert_int_equal(dpli_sampler_new(&sampler, &o.sampler, &err), DPL_OK);
    dpli_sampler_draw(sampler, 0, rows, NULL, &n_pairs);
    assert_int_equal(dpli_loader_new(&loader, &o, &err), DPL_OK);
    assert_int_equal(dpli_loader_next(&batch, loader, &err), DPL_OK);
    for (int32_t r = 0; r < ROWS; r++) {
        const float *row = (const float *)batch->inputs[0] + (size_t)r * n * (size_t)channels;

        serve(served, e, data, rows[r].item);
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < (size_t)channels; c++) {
                const float got = row[i * (size_t)channels + c];

                assert_true(isfinite(got) && isfinite(served[c * n + i]));
                worst = fmax(worst, fabs((double)got - (double)served[c * n + i]));
            }
    }
    dpli_loader_free(loader);
    dpli_sampler_free(sampler);
    dpli_feed_free(feed);
    dpli_team_free(team);
    dpl_dataset_close(data);
    dpl_encoder_close(e);
    return worst;
}

#define FACTS(more) "{\"kind\": \"image-encoder\", \"normalize\": \"none\"" more "}"

static void colours_are_trained_on_as_they_are_served_to_the_bit(void **state)
{
    (void)state;
    kit_make("data", 1, CLASSES, ITEMS, 1);
    assert_true(drift(3, FACTS("")) == 0);
    assert_true(drift(3, FACTS(", \"mean\": [123.7, 116.3, 103.5], \"std\": [58.4, 57.1, 57.4]")) ==
                0);
    assert_true(drift(3, FACTS(", \"color\": \"bgr\", \"mean\": [103.5, 116.3, 123.7], "
                               "\"std\": [57.4, 57.1, 58.4]")) == 0);
}

/* Training keeps a level of grey in a byte, which is half a level off at most; 1e-3 of a level is
 * for the floats' own rounding. */
static void greys_are_trained_on_within_half_a_level_of_what_is_served(void **state)
{
    (void)state;
    kit_make("data", 1, CLASSES, ITEMS, 1);
    const double worst = drift(1, FACTS(", \"mean\": 127.5, \"std\": 64"));
    assert_true(worst > 0 && worst <= (0.5 + 1e-3) / 64);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(colours_are_trained_on_as_they_are_served_to_the_bit),
        TEST(greys_are_trained_on_within_half_a_level_of_what_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
