/*
 * test_answers.c - answers as JSON: what they are built of, whatever bytes are in it, and that they
 * return NULL, end nothing and leave nothing behind when there is no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "app/answer_enroll.h"
#include "app/answer_gallery.h"
#include "app/answer_migrate.h"
#include "app/answer_query.h"
#include "app/answer_train.h"
#include "app/answer_verify.h"
#include "app/answer_xmp.h"
#include "app/json.h"
#include "tests/failing_alloc.h"

static dpl_pipeline *pipeline;
static dpl_text_encoder *sentences;

static const dpl_rate rate = {.rate = 1e-3, .low = 5e-4, .high = 2e-3, .beyond = 1};
static const dpl_policy policy = {.decides = 1, .threshold = 0.5f, .reject = 0.4f, .fmr = 1e-4};
static const int64_t n_by_status[64] = {[DPL_E_NO_FACE] = 2, [DPL_E_INPUT] = 1};

static dpl_face faces[2] = {{.x_px = 1.234f, .w_px = 10, .h_px = 12, .score = 0.9f},
                            {.x_px = 50, .w_px = 11, .h_px = 13, .score = 0.8f}};

/* A photo of two faces whose path is no UTF-8. */
#define NAME  "caf\xe9.jpg"
#define SHOWN "caf\xef\xbf\xbd.jpg"

static dpl_photo photo_of_two(void)
{
    dpl_photo photo = {.image = DPL_IMAGE_INIT, .n_faces = 2, .faces = faces};

    strcpy(photo.sha256, "0123");
    strcpy(photo.image.warning, "truncated");
    return photo;
}

static json_t *make_verify(void)
{
    const dpl_photo photo = photo_of_two();
    const dpl_verdict verdict = {.score = 0.75f,
                                 .rate = rate,
                                 .decision = DPL_DECISION_MATCH,
                                 .face_b = 1,
                                 .best_score = NAN};
    const verify_facts facts = {pipeline, &policy, &verdict, NAME, "b.jpg", &photo,
                                &photo,   NULL,    NULL,     NULL, true};

    return verify_json(&facts);
}

static json_t *make_claim(void)
{
    const dpl_photo photo = photo_of_two();
    const dpl_verdict verdict = {.score = 0.75f,
                                 .rate = rate,
                                 .decision = DPL_DECISION_NO_MATCH,
                                 .template_id = 7,
                                 .best_score = 0.5f,
                                 .n_templates = 3};
    const verify_facts facts = {pipeline, &policy,  &verdict, NAME, "Ann", &photo,
                                NULL,     "/t.jpg", NULL,     NULL, false};

    return verify_json(&facts);
}

static json_t *make_query(void)
{
    const dpl_photo photo = photo_of_two();
    dpl_answer_hit hits[2] = {{.hit = {.score = 0.9f, .template_id = 4},
                               .rate = {.rate = 1e-5, .low = 0, .high = 1},
                               .decision = DPL_DECISION_MATCH,
                               .person = (char *)(uintptr_t) "Ann",
                               .photo_path = (char *)(uintptr_t) "/a.jpg"},
                              {.hit = {.score = 0.3f}, .rate = {.rate = 0.2, .low = 0, .high = 1}}};
    const dpl_answer answers[2] = {{.face = 0,
                                    .person = "Ann",
                                    .decision = DPL_DECISION_MATCH,
                                    .n_hits = 2,
                                    .hits = hits,
                                    .search = {1, 1, "flat", 5}},
                                   {.face = 1, .decision = DPL_DECISION_NO_MATCH}};
    const query_facts facts = {pipeline, &policy, false, 0.1, NAME, &photo, answers, 2, NULL};

    return query_json(&facts);
}

static json_t *make_query_failure(void)
{
    const dpl_error err = {DPL_E_INPUT, "is a directory"};

    return query_failure_json(NAME, &err);
}

static json_t *make_failure(void)
{
    const dpl_error err = {DPL_E_GALLERY, "gallery \"caf\xe9\" is locked"};

    return json_failure("list", &err);
}

static json_t *make_enroll_event(void)
{
    const dpl_enroll_event event = {.path = NAME,
                                    .person = "Ann",
                                    .outcome = DPL_OUTCOME_ADDED,
                                    .message = "truncated",
                                    .n_faces = 2,
                                    .n_poor = 1};

    return enroll_event_json("enroll", &event);
}

static json_t *make_enroll_report(void)
{
    const dpl_enroll_report report = {.n_files = 5, .n_refused = 3, .seconds = 1.5};
    const dpl_gallery_counts counts = {.n_persons = 2, .n_photos = 5};

    return enroll_report_json("scan", &report, n_by_status, &counts, "/gallery", pipeline);
}

static json_t *make_person(void)
{
    const dpl_person person = {.name = "Ann", .n_photos = 2, .n_templates = 3};

    return list_json(&person);
}

static json_t *make_photo(void)
{
    const dpl_photo_row row = {
        .path = NAME, .sha256 = "01", .status = DPL_E_NO_FACE, .reason = "no face"};
    const dpl_template_row found = {.space = "face", .model_hash = "ab", .face = faces[0]};
    json_t *object = info_photo_json(&row), *templates = json_array();

    json_add(&templates, info_template_json(1, &found));
    json_put(&object, "templates", templates);
    return object;
}

static json_t *make_gallery(void)
{
    const gallery_model models[2] = {{.space = "face",
                                      .name = (char *)(uintptr_t) "face-105",
                                      .vectors = (char *)(uintptr_t) "01",
                                      .path = (char *)(uintptr_t) "/models/face-105.onnx",
                                      .preset = (char *)(uintptr_t) "arcface-112",
                                      .dim = (char *)(uintptr_t) "192"},
                                     {.space = "image"}};
    const gallery_facts facts = {.dir = "/gallery",
                                 .n_by_status = n_by_status,
                                 .detect = "none",
                                 .models = models,
                                 .n_models = 2};

    return info_gallery_json(&facts);
}

static json_t *make_rename(void)
{
    return rename_json("Ann", "Bea");
}

static json_t *make_assign(void)
{
    return assign_json(NAME, 2, 17, NULL, "Ann", true);
}

static json_t *make_reject(void)
{
    return reject_json("/a.jpg", 1, 17, "Ann", "Ann", false);
}

static json_t *make_reject_from_group(void)
{
    return reject_from_group_json(NAME, 2, 17, 3, false);
}

static json_t *make_set_apart(void)
{
    return set_apart_json("Ann", NAME, false);
}

static json_t *make_merge(void)
{
    const dpl_merge_report report = {.n_photos = 2, .n_faces = 3};
    const dpl_comparison alike = {
        .score = 0.75f, .normalised = NAN, .evidence = NAN, .times = 1, .rate = rate};

    return merge_json("Ann", "Bea", &report, NULL, &alike, false);
}

static json_t *make_forget(void)
{
    static const char *const paths[] = {"/a.jpg", NAME};
    const dpl_forget_report report = {.n_photos = 2, .n_templates = 2};

    return forget_json(NULL, paths, 2, false, &report);
}

static json_t *make_export(void)
{
    const dpl_gallery_counts counts = {.n_persons = 2, .n_photos = 5};

    return export_json(&counts);
}

static json_t *make_import(void)
{
    return import_json(5, 6);
}

static json_t *make_train_event(void)
{
    const dpl_train_event event = {.kind = DPL_TRAIN_VALIDATED, .step = 3, .text = ""};

    return train_event_json(&event);
}

static json_t *make_train_report(void)
{
    const dpl_train_report report = {.n_steps = 9, .best = 0.5, .best_step = 6};

    return train_report_json(&report, "run");
}

static json_t *make_xmp_photo(void)
{
    dpl_region region = {(char *)(uintptr_t) "Ann \xff", 0.1, 0.2, 0.3, 0.4, false};
    const dpl_regions regions = {&region, 1, 2, 3, false};
    const dpl_region_fate fate = DPL_REGION_KEPT;
    const dpl_sidecar_report written = {1, 2, 3, 4, 5, true};
    const dpl_xmp_event event = {.photo = "/a.jpg",
                                 .sidecar = "/a.jpg.xmp",
                                 .message = "",
                                 .written = &written,
                                 .regions = &regions,
                                 .fates = &fate};

    return xmp_photo_json(&event);
}

static json_t *make_xmp(void)
{
    const dpl_xmp_report report = {.n_photos = 3, .n_named = 1, .seconds = 0.5};

    return xmp_json(&report, false, true);
}

static json_t *make_migrate_event(void)
{
    const dpl_migrate_event event = {
        .photo = NAME, .from = DPL_MIGRATE_THUMBNAIL, .message = "not there"};

    return migrate_event_json(&event);
}

static json_t *make_migrate_change(void)
{
    const dpl_migrate_change change = {.template_id = 17,
                                       .photo = NAME,
                                       .person = "Ann",
                                       .before = {.score = 0.5f, .normalised = NAN, .times = 1},
                                       .after = {.score = 0.25f,
                                                 .normalised = NAN,
                                                 .evidence = 2,
                                                 .times = 2,
                                                 .rate = rate,
                                                 .decision = DPL_DECISION_NO_MATCH}};

    return migrate_change_json(&change, NULL, pipeline);
}

static json_t *make_migrate_report(void)
{
    dpl_migrate_report report = {.has_changed = true, .n_photos = 3, .n_lost = 1};

    strcpy(report.set_aside, "/gallery.old");
    return migrate_report_json(&report, false, pipeline);
}

static json_t *make_migrate_captions(void)
{
    return migrate_captions_json(12, true, sentences);
}

static json_t *make_migrate_copy(void)
{
    return migrate_copy_json("elsewhere", 3, 4, false);
}

static json_t *make_train_plan(void)
{
    const dpl_train_plan plan = {.arch = "mean-words",
                                 .loss = "info-nce",
                                 .head = "cosine",
                                 .best = "r10",
                                 .n_words = 9,
                                 .n_classes = 4,
                                 .n_items = 12,
                                 .n_held_classes = 2,
                                 .n_held_items = 6,
                                 .captions = true};
    const dpl_train_event event = {.kind = DPL_TRAIN_PLANNED, .plan = &plan};

    return train_event_json(&event);
}

static const struct {
    json_t *(*make)(void);
    const char *schema;
} answers[] = {
    {make_verify, "doppel.verify/1"},
    {make_claim, "doppel.verify/1"},
    {make_query, "doppel.query/1"},
    {make_query_failure, "doppel.query/1"},
    {make_failure, "doppel.error/1"},
    {make_enroll_event, "doppel.enroll/1"},
    {make_enroll_report, "doppel.scan/1"},
    {make_person, "doppel.list/1"},
    {make_photo, "doppel.info/1"},
    {make_gallery, "doppel.info/1"},
    {make_rename, "doppel.rename/1"},
    {make_forget, "doppel.forget/1"},
    {make_assign, "doppel.assign/1"},
    {make_reject, "doppel.reject/1"},
    {make_set_apart, "doppel.reject/1"},
    {make_merge, "doppel.merge/1"},
    {make_reject_from_group, "doppel.reject/1"},
    {make_export, "doppel.export/1"},
    {make_import, "doppel.import/1"},
    {make_migrate_event, "doppel.migrate/1"},
    {make_migrate_change, "doppel.migrate/1"},
    {make_migrate_report, "doppel.migrate/1"},
    {make_migrate_captions, "doppel.migrate/1"},
    {make_migrate_copy, "doppel.migrate/1"},
    {make_train_plan, "doppel.train/1"},
    {make_train_event, "doppel.train/1"},
    {make_train_report, "doppel.train/1"},
    {make_xmp_photo, "doppel.xmp/1"},
    {make_xmp, "doppel.xmp/1"},
};
enum { N_ANSWERS = sizeof answers / sizeof answers[0] };

static void every_answer_begins_with_its_schema(void **state)
{
    (void)state;
    for (int i = 0; i < N_ANSWERS; i++) {
        json_t *object = answers[i].make();

        assert_non_null(object);
        assert_string_equal(json_object_iter_key(json_object_iter(object)), "schema");
        assert_string_equal(json_string_value(json_object_get(object, "schema")),
                            answers[i].schema);
        json_decref(object);
    }
}

static void bytes_that_are_no_text_are_replaced_one_by_one(void **state)
{
    json_t *object = make_query_failure();

    (void)state;
    assert_string_equal(json_string_value(json_object_get(object, "photo")), SHOWN);
    json_put_text(&object, "more", "\xe2\x82(\xf0\x9f\x98\x80\xc0\xaf");
    assert_string_equal(json_string_value(json_object_get(object, "more")),
                        "\xef\xbf\xbd\xef\xbf\xbd(\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(object);
}

static void what_is_not_finite_or_not_known_has_no_key(void **state)
{
    json_t *object = make_verify(), *query = make_query();
    const json_t *first = json_array_get(json_object_get(query, "faces"), 0);

    (void)state;
    assert_null(json_object_get(object, "claim"));
    json_put_real(&object, "nothing", NAN);
    json_put_real(&object, "nothing", INFINITY);
    json_put_text(&object, "nothing", NULL);
    assert_null(json_object_get(object, "nothing"));
    /* The second hit is beyond min_fmr. */
    assert_int_equal(json_array_size(json_object_get(first, "hits")), 1);
    json_decref(object);
    json_decref(query);
}

static void without_memory_an_answer_is_null_and_nothing_is_left(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free);
    for (int i = 0; i < N_ANSWERS; i++) {
        size_t n_failed = 0;

        for (size_t nth = 1;; nth++) {
            fail_allocation(nth);
            json_t *object = answers[i].make();
            const bool reached = n_allocations >= nth;

            fail_at = 0;
            if (!reached) {
                assert_non_null(object);
                json_decref(object);
                break;
            }
            assert_null(object);
            n_failed++;
        }
        assert_true(n_failed > 5);
    }
}

static int open_pipeline(void **state)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;

    (void)state;
    options.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    options.detector_path = DPL_MODELS_DIR "/face-detect.onnx";
    return dpl_pipeline_open(&pipeline, &options, NULL) == DPL_OK &&
                   dpl_text_encoder_open(&sentences,
                                         DPL_SOURCE_DIR "/tests/standins/sentences.onnx", NULL,
                                         NULL) == DPL_OK
               ? 0
               : -1;
}

static int close_pipeline(void **state)
{
    (void)state;
    dpl_text_encoder_close(sentences);
    dpl_pipeline_close(pipeline);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_begins_with_its_schema),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced_one_by_one),
        cmocka_unit_test(what_is_not_finite_or_not_known_has_no_key),
        cmocka_unit_test(without_memory_an_answer_is_null_and_nothing_is_left),
    };

    return cmocka_run_group_tests(tests, open_pipeline, close_pipeline);
}
