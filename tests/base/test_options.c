/*
 * test_options.c - every options struct of the public API is read alike: none means the defaults,
 * one that was not initialised is refused, one of an older or a newer header is read as far as both
 * sides know it. A row for each function that takes one.
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

#include "doppel/doppel.h"
#include "tests/folder_kit.h"

#define PICTURE DPL_SOURCE_DIR "/tests/fixtures/image/grey.jpg"
#define PEOPLE  DPL_SOURCE_DIR "/demo/people"
#define ENCODER DPL_MODELS_DIR "/face-105.onnx"

enum { BEYOND = 64, MOST = 2048, UNKNOWN = 0xEE };

static dpl_detector *detector;
static dpl_pipeline *pipeline;
static dpl_scratch *scratch;
static dpl_gallery *gallery;
static dpl_photo photo;
static char folder[64];

/* ------------------------------------------------------------------ a call each */

static dpl_status call_decode(const void *options, dpl_error *err)
{
    dpl_image image;
    const dpl_status status = dpl_image_open(&image, PICTURE, options, err);

    dpl_image_clear(&image);
    return status;
}

static dpl_status call_detect(const void *options, dpl_error *err)
{
    dpl_face *faces;
    size_t n;
    const dpl_status status = dpl_detect(&faces, &n, detector, scratch, &photo.image, options, err);

    dpl_faces_free(faces);
    return status;
}

static dpl_status call_net_open(const void *options, dpl_error *err)
{
    dpl_net *net;
    const dpl_status status = dpl_net_open(&net, DPL_MODELS_DIR "/drawing-64.onnx", options, err);

    dpl_net_close(net);
    return status;
}

static dpl_status call_net_load(const void *options, dpl_error *err)
{
    dpl_net *net;
    const dpl_status status = dpl_net_load(&net, "no net", 6, options, err);

    dpl_net_close(net);
    return status;
}

static dpl_status call_dataset(const void *options, dpl_error *err)
{
    dpl_dataset *data;
    const dpl_status status = dpl_dataset_open(&data, PEOPLE, options, err);

    dpl_dataset_close(data);
    return status;
}

/* Without options there is no encoder to open. */
static dpl_status call_pipeline(const void *options, dpl_error *err)
{
    dpl_pipeline *p;
    const dpl_status status = dpl_pipeline_open(&p, options, err);

    dpl_pipeline_close(p);
    return status;
}

static dpl_status call_embed(const void *options, dpl_error *err)
{
    static const char *const names[] = {PICTURE};
    const dpl_pictures pictures = {.n = 1, .names = names};
    dpl_embeddings embeddings;
    const dpl_status status = dpl_embed(&embeddings, pipeline, &pictures, options, err);

    dpl_embeddings_clear(&embeddings);
    return status;
}

/* Nobody is too few. */
static dpl_status call_calibrate(const void *options, dpl_error *err)
{
    const dpl_head *head = dpl_pipeline_head(pipeline);
    const dpl_samples samples = {.dim = dpl_head_dim(head)};
    dpl_calibrated calibrated;

    return dpl_calibrate(&calibrated, &samples, head, options, err);
}

static dpl_status call_enroll(const void *options, dpl_error *err)
{
    static const char *const paths[] = {PICTURE};
    dpl_enroll_report report;

    return dpl_enroll(&report, gallery, pipeline, paths, 1, options, err);
}

static dpl_status call_search(const void *options, dpl_error *err)
{
    const dpl_head *head = dpl_pipeline_head(pipeline);
    dpl_hit hits[10];

    return dpl_gallery_search(hits, gallery, head, "face", photo.vectors, 1, dpl_head_dim(head),
                              options, NULL, err);
}

static dpl_status call_query(const void *options, dpl_error *err)
{
    dpl_policy policy;
    dpl_answer *answers;
    size_t n;
    dpl_status status;

    assert_int_equal(dpl_policy_make(&policy, NULL, (double)NAN, (double)NAN, err), DPL_OK);
    status =
        dpl_query(&answers, &n, gallery, pipeline, &policy, &photo, DPL_QUERY_FACE, options, err);
    dpl_answers_free(answers, n);
    return status;
}

/* Without options there is nothing to train on. */
static dpl_status call_train(const void *options, dpl_error *err)
{
    dpl_train_report report;

    return dpl_train(&report, options, err);
}

static dpl_status call_verify(const void *options, dpl_error *err)
{
    dpl_policy policy;
    dpl_verdict verdict;

    assert_int_equal(dpl_policy_make(&policy, NULL, (double)NAN, (double)NAN, err), DPL_OK);
    return dpl_verify(&verdict, pipeline, &policy, &photo, &photo, options, err);
}

static dpl_status call_verify_claim(const void *options, dpl_error *err)
{
    dpl_policy policy;
    dpl_verdict verdict;

    assert_int_equal(dpl_policy_make(&policy, NULL, (double)NAN, (double)NAN, err), DPL_OK);
    return dpl_verify_claim(&verdict, gallery, pipeline, &policy, &photo, "grey", options, err);
}

/* Of a pipeline without an encoder of whole pictures. */
static dpl_status call_copies(const void *options, dpl_error *err)
{
    dpl_copies_report report;

    return dpl_find_copies(&report, pipeline, NULL, 0, options, err);
}

static dpl_status call_photos(const void *options, dpl_error *err)
{
    dpl_photos_report report;

    return dpl_photos_each(&report, pipeline, NULL, 0, options, err);
}

static dpl_status call_enroll_photo(const void *options, dpl_error *err)
{
    return dpl_enroll_photo(gallery, pipeline, &photo, "/camera/1", options, err);
}

/* ------------------------------------------------------------------ the rows */

typedef dpl_status (*call_fn)(const void *options, dpl_error *err);

#define ROW(function, kind, call, wanted)                                                          \
    {                                                                                              \
        function, sizeof(dpl_##kind##_options), init_##kind, call, wanted                          \
    }
#define INIT(kind)                                                                                 \
    static void init_##kind(void *options, size_t size)                                            \
    {                                                                                              \
        dpl_##kind##_options_init(options, size);                                                  \
    }
INIT(calibrate)
INIT(copies)
INIT(dataset)
INIT(decode)
INIT(detect)
INIT(embed)
INIT(enroll)
INIT(net)
INIT(photos)
INIT(pipeline)
INIT(search)
INIT(train)
INIT(verify)

static const struct row {
    const char *function;
    size_t size;
    void (*init)(void *options, size_t size);
    call_fn call;
    dpl_status wanted; /* with the defaults */
} rows[] = {
    ROW("dpl_image_open", decode, call_decode, DPL_OK),
    ROW("dpl_detect", detect, call_detect, DPL_OK),
    ROW("dpl_net_open", net, call_net_open, DPL_OK),
    ROW("dpl_net_load", net, call_net_load, DPL_E_MODEL),
    ROW("dpl_dataset_open", dataset, call_dataset, DPL_OK),
    ROW("dpl_pipeline_open", pipeline, call_pipeline, DPL_OK),
    ROW("dpl_calibrate", calibrate, call_calibrate, DPL_E_INPUT),
    ROW("dpl_embed", embed, call_embed, DPL_OK),
    ROW("dpl_enroll", enroll, call_enroll, DPL_OK),
    ROW("dpl_find_copies", copies, call_copies, DPL_E_MODEL),
    ROW("dpl_photos_each", photos, call_photos, DPL_OK),
    ROW("dpl_gallery_search", search, call_search, DPL_OK),
    ROW("dpl_query", search, call_query, DPL_OK),
    ROW("dpl_verify", verify, call_verify, DPL_OK),
    ROW("dpl_verify_claim", verify, call_verify_claim, DPL_OK),
    ROW("dpl_enroll_photo", enroll, call_enroll_photo, DPL_OK),
    ROW("dpl_train", train, call_train, DPL_E_ARGUMENT),
};

enum { N_ROWS = sizeof rows / sizeof *rows };

/* An options struct with room behind it, all of it of one unlikely byte. */
static union {
    uint8_t bytes[MOST];
    size_t struct_size;
} given;

static void must_give_what_none_gives(const struct row *row, const char *what)
{
    dpl_error none = {DPL_OK, ""}, some = {DPL_OK, ""};

    assert_int_equal(row->call(NULL, &none), row->wanted);
    if (row->call(given.bytes, &some) != row->wanted || strcmp(none.message, some.message) != 0)
        fail_msg("%s with %s: \"%s\", without options: \"%s\"", row->function, what, some.message,
                 none.message);
    assert_null(strstr(none.message, "options"));
}

static void no_options_are_the_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        memset(given.bytes, UNKNOWN, MOST);
        rows[i].init(given.bytes, rows[i].size);
        must_give_what_none_gives(&rows[i], "the defaults");
    }
}

static void options_that_were_not_initialised_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t size = 0; size < sizeof size; size++) {
            dpl_error err = {DPL_OK, ""};

            rows[i].init(given.bytes, rows[i].size);
            given.struct_size = size;
            if (rows[i].call(given.bytes, &err) != DPL_E_ARGUMENT ||
                !strstr(err.message, "options are not initialised"))
                fail_msg("%s with a struct_size of %zu: \"%s\"", rows[i].function, size,
                         err.message);
        }
}

static void options_of_a_longer_struct_are_read_as_far_as_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        memset(given.bytes, UNKNOWN, MOST);
        rows[i].init(given.bytes, rows[i].size);
        given.struct_size = rows[i].size + BEYOND;
        must_give_what_none_gives(&rows[i], "more than is known");
    }
}

static void what_a_shorter_struct_lacks_is_the_default(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        memset(given.bytes, UNKNOWN, MOST);
        given.struct_size = sizeof given.struct_size;
        must_give_what_none_gives(&rows[i], "nothing but their size");
    }
}

static void initialising_stays_within_the_caller_s_struct(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        const size_t size = rows[i].size;

        assert_true(size + BEYOND < MOST);
        for (size_t n = 0; n <= size + BEYOND; n++) {
            memset(given.bytes, UNKNOWN, MOST);
            rows[i].init(given.bytes, n);
            for (size_t at = n; at < MOST; at++)
                assert_int_equal(given.bytes[at], UNKNOWN);
            for (size_t at = size; at < n; at++)
                assert_int_equal(given.bytes[at], 0);
            if (n >= sizeof n)
                assert_int_equal(given.struct_size, n);
        }
    }
}

static void options_within_the_pipeline_s_of_another_size_are_refused(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *p;
    dpl_error err;

    (void)state;
    o.encoder_path = ENCODER;
    o.decode.struct_size += 8;
    assert_int_equal(dpl_pipeline_open(&p, &o, &err), DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "decode options have struct_size"));
    o.decode.struct_size -= 8;
    o.detect.struct_size = 0;
    assert_int_equal(dpl_pipeline_open(&p, &o, &err), DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "detection options have struct_size"));
}

/* ------------------------------------------------------------------ */

static int set_up(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_error err;

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/doppel-options-XXXXXX");
    o.encoder_path = ENCODER;
    if (!mkdtemp(folder) || dpl_scratch_new(&scratch, 0, &err) != DPL_OK ||
        dpl_detector_open(&detector, DPL_MODELS_DIR "/face-detect.onnx", &err) != DPL_OK ||
        dpl_pipeline_open(&pipeline, &o, &err) != DPL_OK ||
        dpl_photo_open(&photo, pipeline, scratch, PICTURE, &err) != DPL_OK ||
        dpl_gallery_open(&gallery, folder, DPL_GALLERY_CREATE, &err) != DPL_OK) {
        print_error("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dpl_gallery_close(gallery);
    dpl_photo_clear(&photo);
    dpl_pipeline_close(pipeline);
    dpl_detector_close(detector);
    dpl_scratch_free(scratch);
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_options_are_the_defaults),
        cmocka_unit_test(options_that_were_not_initialised_are_refused),
        cmocka_unit_test(options_of_a_longer_struct_are_read_as_far_as_known),
        cmocka_unit_test(what_a_shorter_struct_lacks_is_the_default),
        cmocka_unit_test(initialising_stays_within_the_caller_s_struct),
        cmocka_unit_test(options_within_the_pipeline_s_of_another_size_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
