/*
 * test_group.c - nobody's faces grouped, told, named and put right, with the shipped encoder's
 * calibration and made vectors.
 *
 * A person's vectors lie about a direction of their own, so that the cosines are those of photos of
 * one person (about .7) and of strangers (about 0).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "doppel/cancel.h"
#include "doppel/group.h"
#include "index/gallery.h"
#include "tests/failing_alloc.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

static dpl_pipeline *pipeline;
static char *folder; /* of the test that runs */
static dpl_gallery *g;

/* ------------------------------------------------------------------ photos */

/* A face of somebody: their direction, from their number, and as much of another. */
static void fill(float *v, int32_t dim, uint64_t who, uint64_t seed)
{
    dpli_rng of_person, of_photo;

    dpli_rng_seed(&of_person, who);
    dpli_rng_seed(&of_photo, 1000 + seed);
    for (int32_t i = 0; i < dim; i++)
        v[i] = (float)(dpli_rng_normal(&of_person) + 0.65 * dpli_rng_normal(&of_photo));
}

static void sha_of(char sha256[65], uint64_t content)
{
    snprintf(sha256, 65, "%016llx%048d", (unsigned long long)content * 0x9e3779b97f4a7c15ULL, 0);
}

/* A photo of content, with a face of who, and of who_else if that is not 0; its id is given. */
static int64_t put(const char *path, const char *person, uint64_t content, uint64_t who,
                   uint64_t who_else, float quality)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    float *v = calloc(2 * (size_t)dim, sizeof *v);
    dpl_new_template t[2];
    char sha256[65];
    dpl_error err;
    dpl_gallery_counts counts;

    sha_of(sha256, content);
    for (int i = 0; i < 2; i++) {
        fill(v + i * dim, dim, i ? who_else : who, 2 * content + (uint64_t)i);
        t[i] = (dpl_new_template){.space = "face", .vector = v + i * dim, .dim = dim};
        t[i].face =
            (dpl_face){.x_px = 10.0F + 100.0F * (float)i, .y_px = 5, .w_px = 50, .h_px = 60};
        t[i].face.quality.overall = quality;
        strcpy(t[i].face.quality.weakest, "size");
        t[i].person = person;
        t[i].is_nobodys = !person;
    }
    const dpl_new_photo photo = {
        .row = {.path = path, .person = person, .sha256 = sha256, .reason = "", .options = ""},
        .templates = t,
        .n_templates = who_else ? 2 : 1};
    kit_expect(DPL_OK, dpl_gallery_put(g, &photo, 1, &err), &err);
    free(v);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, g, &err), &err);
    return counts.n_templates_face; /* nothing is removed before, so this is the last one's id */
}

/* n photos of each of three people, nobody's: contents from first on. */
static void put_three(uint64_t first, int n)
{
    char path[64];

    for (int i = 0; i < n; i++)
        for (uint64_t who = 1; who <= 3; who++) {
            /* as many less of the second and third */
            if (i >= n - (int)who + 1)
                continue;
            snprintf(path, sizeof path, "/%llu/%llu-%d.jpg", (unsigned long long)who,
                     (unsigned long long)first, i);
            put(path, NULL, first + 10 * (uint64_t)i + who, who, 0, 0.9F);
        }
}

/* ------------------------------------------------------------------ what was told */

enum { MAX_TOLD = 16, MAX_TEXT = 2048 };

typedef struct told {
    int n;
    int64_t numbers[MAX_TOLD], n_faces[MAX_TOLD], n_photos[MAX_TOLD], best[MAX_TOLD];
    char like[MAX_TOLD][32];
    char paths[MAX_TOLD][MAX_TEXT]; /* of the members, best first */
} told;

static dpl_status on_group(void *ctx, const dpl_group_row *row)
{
    told *t = ctx;

    assert_true(t->n < MAX_TOLD);
    t->numbers[t->n] = row->number;
    t->n_faces[t->n] = row->n_faces;
    t->n_photos[t->n] = row->n_photos;
    t->best[t->n] = row->members[0].template_id;
    snprintf(t->like[t->n], sizeof t->like[0], "%s", row->like ? row->like : "");
    t->paths[t->n][0] = '\0';
    for (int64_t i = 0; i < row->n_faces; i++) {
        char *to = t->paths[t->n] + strlen(t->paths[t->n]);

        snprintf(to, MAX_TEXT - strlen(t->paths[t->n]), "%s#%d ", row->members[i].photo_path,
                 (int)row->members[i].number);
    }
    t->n++;
    return DPL_OK;
}

static dpl_group_report group(void)
{
    dpl_group_report report;
    dpl_error err;

    kit_expect(DPL_OK, dpl_group(&report, g, pipeline, NULL, &err), &err);
    return report;
}

static told *tell(void)
{
    static told t;
    dpl_error err;

    t = (told){0};
    kit_expect(DPL_OK, dpl_gallery_each_group(g, pipeline, NULL, NULL, on_group, &t, &err), &err);
    return &t;
}

/* The number of the group that a face is in; 0: none. */
static int64_t number_of(const char *face)
{
    const told *t = tell();

    for (int i = 0; i < t->n; i++)
        if (strstr(t->paths[i], face))
            return t->numbers[i];
    return 0;
}

static dpl_status keep_what(void *ctx, const dpl_change *change)
{
    snprintf(ctx, 64, "%s", change->what ? change->what : "");
    return DPL_OK;
}

static const char *last_change(void)
{
    static char what[64];

    assert_int_equal(dpl_gallery_last_change(g, keep_what, what, NULL), DPL_OK);
    return what;
}

/* ------------------------------------------------------------------ tests */

static void people_become_groups_the_largest_first(void **state)
{
    dpl_group_report r;
    const told *t;

    (void)state;
    put_three(100, 5);
    put("/alone.jpg", NULL, 900, 50, 0, 0.9F);
    put("/poor.jpg", NULL, 901, 1, 0, 0.1F);
    put("/Ann/1.jpg", "Ann", 902, 60, 0, 0.9F);
    r = group();
    assert_int_equal(r.n_faces, 14);
    assert_int_equal(r.n_too_poor, 1);
    assert_int_equal(r.n_single, 1);
    assert_int_equal(r.n_grouped, 12);
    assert_int_equal(r.n_groups, 3);
    assert_int_equal(r.n_new, 3);
    assert_true(r.changed && r.exact);
    assert_string_equal(last_change(), "group faces");
    t = tell();
    assert_int_equal(t->n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t->numbers[i], i + 1);
        assert_int_equal(t->n_faces[i], 5 - i);
        assert_int_equal(t->n_photos[i], 5 - i);
    }
    assert_int_equal(number_of("/1/100-0.jpg#1"), 1);
    assert_int_equal(number_of("/3/100-0.jpg#1"), 3);
    assert_int_equal(number_of("/alone.jpg"), 0);
    assert_int_equal(number_of("/poor.jpg"), 0);
}

static void the_best_face_is_told_first_and_few_when_few_are_asked_for(void **state)
{
    dpl_groups_options options = DPL_GROUPS_OPTIONS_INIT;
    int64_t best, n_groups;
    told t = {0};
    dpl_error err;

    (void)state;
    put_three(100, 4);
    best = put("/1/best.jpg", NULL, 500, 1, 0, 0.95F);
    group();
    options.limit = 1;
    kit_expect(DPL_OK, dpl_gallery_each_group(g, NULL, &options, &n_groups, on_group, &t, &err),
               &err);
    assert_int_equal(t.n, 1);
    assert_int_equal(n_groups, 3);
    assert_int_equal(t.best[0], best);
    options.limit = 0;
    options.min_faces = 3;
    kit_expect(DPL_OK, dpl_gallery_each_group(g, NULL, &options, &n_groups, on_group, &t, &err),
               &err);
    assert_int_equal(n_groups, 2);
    options.number = 3;
    kit_expect(DPL_OK, dpl_gallery_each_group(g, NULL, &options, &n_groups, on_group, &t, &err),
               &err);
    assert_int_equal(n_groups, 1);
}

static void grouped_again_nothing_changes_and_more_photos_keep_the_number(void **state)
{
    dpl_group_report r;

    (void)state;
    put_three(100, 4);
    group();
    put("/Ann/1.jpg", "Ann", 902, 60, 0, 0.9F);
    r = group();
    assert_false(r.changed);
    assert_string_equal(last_change(), "a photo put"); /* what is taken back is not nothing */
    put_three(2000, 8); /* the third has more now than the first had */
    r = group();
    assert_int_equal(r.n_new, 0);
    assert_int_equal(number_of("/1/100-0.jpg"), 1);
    assert_int_equal(number_of("/3/100-0.jpg"), 3);
    assert_int_equal(number_of("/3/2000-0.jpg"), 3);
}

static void the_number_of_a_group_that_is_gone_is_nobody_elses(void **state)
{
    dpl_name_report named;
    dpl_group_report r;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    group();
    kit_expect(DPL_OK, dpl_gallery_name_group(&named, g, 3, "Cee", &err), &err);
    put("/9/1.jpg", NULL, 700, 9, 0, 0.9F);
    put("/9/2.jpg", NULL, 701, 9, 0, 0.9F);
    r = group();
    assert_int_equal(r.n_new, 1);
    assert_int_equal(number_of("/9/1.jpg"), 4);
    /* nor when that is taken back */
    kit_expect(DPL_OK, dpl_gallery_undo(g, &err), &err);
    assert_int_equal(number_of("/9/1.jpg"), 0);
    group();
    assert_int_equal(number_of("/9/1.jpg"), 5);
}

static void two_faces_of_a_photo_are_two_people_and_copies_are_one_face(void **state)
{
    dpl_group_report r;

    (void)state;
    put_three(100, 4);
    put("/both.jpg", NULL, 800, 1, 1, 0.9F);
    put("/twice.jpg", NULL, 810, 40, 0, 0.9F);
    put("/copy of twice.jpg", NULL, 810, 40, 0, 0.9F);
    put("/copy of both.jpg", NULL, 800, 1, 1, 0.9F);
    r = group();
    assert_int_equal(r.n_copies, 3);
    assert_true((number_of("/both.jpg#1") == 1) != (number_of("/both.jpg#2") == 1));
    assert_int_equal(number_of("/copy of both.jpg#1"), number_of("/both.jpg#1"));
    assert_int_equal(number_of("/copy of both.jpg#2"), number_of("/both.jpg#2"));
    assert_int_equal(number_of("/twice.jpg"), 0); /* one picture is no group */
}

static void a_face_put_out_of_its_group_stays_out_with_its_copies(void **state)
{
    int64_t id, number, alone;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    id = put("/1/wrong.jpg", NULL, 800, 1, 0, 0.9F);
    put("/1/copy of wrong.jpg", NULL, 800, 1, 0, 0.9F);
    alone = put("/alone.jpg", NULL, 900, 50, 0, 0.9F);
    group();
    assert_int_equal(number_of("/1/wrong.jpg"), 1);
    kit_expect(DPL_OK, dpl_gallery_reject_from_group(g, id, &number, &err), &err);
    assert_int_equal(number, 1);
    assert_int_equal(number_of("/1/wrong.jpg"), 0);
    assert_int_equal(number_of("/1/copy of wrong.jpg"), 0);
    assert_false(group().changed);
    put("/1/more.jpg", NULL, 950, 1, 0, 0.9F);
    group();
    assert_int_equal(number_of("/1/100-0.jpg"), 1);
    assert_int_not_equal(number_of("/1/wrong.jpg"), 1); /* if in one at all, with the new one */
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_reject_from_group(g, alone, &number, &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_reject_from_group(g, 12345, &number, &err), &err);
}

static void a_named_group_is_that_persons_and_who_was_said_not_to_be_stays_out(void **state)
{
    dpl_name_report named;
    int64_t id;
    dpl_error err;
    char *before, *after;

    (void)state;
    put("/Ann/1.jpg", "Ann", 902, 60, 0, 0.9F);
    put_three(100, 4);
    id = put("/1/not Ann.jpg", NULL, 800, 1, 0, 0.9F);
    kit_expect(DPL_OK, dpl_gallery_reject(g, id, "Ann", &err), &err);
    group();
    before = kit_dump(g);
    kit_expect(DPL_OK, dpl_gallery_name_group(&named, g, 1, "Ann", &err), &err);
    assert_int_equal(named.n_named, 4);
    assert_int_equal(named.n_refused, 1);
    assert_int_equal(number_of("/1/100-0.jpg"), 0);
    kit_expect(DPL_OK, dpl_gallery_undo(g, &err), &err);
    after = kit_dump(g);
    assert_string_equal(before, after);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_name_group(&named, g, 99, "Ann", &err), &err);
    assert_non_null(strstr(err.message, "the highest number is 3"));
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_name_group(&named, g, 0, "Ann", &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_name_group(&named, g, 1, "", &err), &err);
    free(before);
    free(after);
}

static void whom_a_group_looks_like_is_told_unless_it_was_said_not_to_be(void **state)
{
    const told *t;
    int64_t id;
    dpl_error err;

    (void)state;
    put("/Bob/1.jpg", "Bob", 902, 2, 0, 0.9F);
    put("/Bob/2.jpg", "Bob", 903, 2, 0, 0.9F);
    put("/Eve/1.jpg", "Eve", 904, 70, 0, 0.9F);
    put_three(100, 5);
    id = put("/2/more.jpg", NULL, 800, 2, 0, 0.9F);
    group();
    t = tell();
    for (int i = 0; i < t->n; i++)
        assert_string_equal(t->like[i], strstr(t->paths[i], "/2/") ? "Bob" : "");
    kit_expect(DPL_OK, dpl_gallery_reject(g, id, "Bob", &err), &err);
    t = tell();
    for (int i = 0; i < t->n; i++)
        assert_string_equal(t->like[i], "");
}

static void a_rehearsal_tells_and_changes_nothing(void **state)
{
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    dpl_group_report r;
    told t = {0};
    char *before, *after;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    before = kit_dump(g);
    dpl_gallery_rehearse(g, true);
    options.on_group = on_group;
    options.ctx = &t;
    kit_expect(DPL_OK, dpl_group(&r, g, pipeline, &options, &err), &err);
    dpl_gallery_rehearse(g, false);
    assert_int_equal(t.n, 3);
    after = kit_dump(g);
    assert_string_equal(before, after);
    assert_int_equal(tell()->n, 0);
    free(before);
    free(after);
}

static void interrupted_it_has_changed_nothing(void **state)
{
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    volatile int raised = 0;
    dpl_group_report r;
    char *before, *after;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    before = kit_dump(g);
    dpl_cancel(&raised);
    options.cancel = &raised;
    kit_expect(DPL_E_CANCELLED, dpl_group(&r, g, pipeline, &options, &err), &err);
    after = kit_dump(g);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void threads_and_an_index_make_the_same_groups(void **state)
{
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    dpl_group_report r;
    dpl_error err;

    (void)state;
    put_three(100, 9);
    group();
    for (int n = 1; n <= 4; n++) {
        options.n_threads = n;
        options.exact_up_to = n % 2 ? 50000 : 0;
        kit_expect(DPL_OK, dpl_group(&r, g, pipeline, &options, &err), &err);
        assert_false(r.changed);
        assert_int_equal(r.exact, n % 2);
    }
}

static void groups_go_with_an_export(void **state)
{
    char *other = kit_folder();
    int64_t n_photos, n_templates;
    dpl_gallery *old = g;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    group();
    kit_expect(DPL_OK, dpl_gallery_export(g, "groups.jsonl", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_open(&g, other, DPL_GALLERY_CREATE, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_import(g, "groups.jsonl", &n_photos, &n_templates, &err), &err);
    assert_int_equal(tell()->n, 3);
    assert_false(group().changed);
    /* and into a gallery that has groups of its own, which go on */
    put("/9/1.jpg", NULL, 700, 9, 0, 0.9F);
    put("/9/2.jpg", NULL, 701, 9, 0, 0.9F);
    group();
    kit_expect(DPL_OK, dpl_gallery_import(g, "groups.jsonl", &n_photos, &n_templates, &err), &err);
    group();
    assert_int_equal(number_of("/9/1.jpg"), 4);
    dpl_gallery_close(g);
    g = old;
    remove("groups.jsonl");
    kit_drop(other);
}

static void what_cannot_be_is_refused(void **state)
{
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    dpl_groups_options told_options = DPL_GROUPS_OPTIONS_INIT;
    dpl_group_report r;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    options.precision = 0.999;
    kit_expect(DPL_E_ARGUMENT, dpl_group(&r, g, pipeline, &options, &err), &err);
    options.precision = (double)NAN;
    kit_expect(DPL_E_ARGUMENT, dpl_group(&r, g, pipeline, &options, &err), &err);
    group();
    told_options.person = "Nobody";
    kit_expect(DPL_E_NO_PERSON,
               dpl_gallery_each_group(g, pipeline, &told_options, NULL, on_group, NULL, &err),
               &err);
    kit_expect(DPL_OK, dpli_db_exec(kit_db(g), "UPDATE member SET group_number = 2", &err), &err);
    kit_expect(DPL_E_GALLERY, dpl_group(&r, g, pipeline, NULL, &err), &err);
    kit_expect(DPL_E_GALLERY, dpl_gallery_each_group(g, NULL, NULL, NULL, on_group, NULL, &err),
               &err);
}

/* ------------------------------------------------------------------ without memory */

/* Grouped, told, and the first group named, the same as one string. */
static dpl_status all_of_it(char text[MAX_TEXT], dpl_error *err)
{
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    static told t;
    dpl_group_report grouped;
    dpl_name_report named = {0};
    dpl_status status;

    t.n = 0;
    text[0] = '\0';
    options.n_threads = 1;
    status = dpl_group(&grouped, g, pipeline, &options, err);
    if (status == DPL_OK)
        status = dpl_gallery_each_group(g, pipeline, NULL, NULL, on_group, &t, err);
    if (status == DPL_OK)
        status = dpl_gallery_name_group(&named, g, 1, "Ann", err);
    if (status != DPL_OK)
        return status;
    for (int i = 0; i < t.n; i++)
        snprintf(text + strlen(text), MAX_TEXT - strlen(text), "%lld %s: %s; ",
                 (long long)t.numbers[i], t.like[i], t.paths[i]);
    snprintf(text + strlen(text), MAX_TEXT - strlen(text), "%lld", (long long)named.n_named);
    return DPL_OK;
}

static void without_memory_groups_are_made_or_that_is_said(void **state)
{
    char right[MAX_TEXT], text[MAX_TEXT];
    /* What is asked of a database takes as long each time. */
    const size_t step = kit_is_database() ? 97 : UNLESS_SLOWED(1, 7);
    long n_failures = 0;
    char *before;
    dpl_error err;

    (void)state;
    put_three(100, 4);
    put("/known/1.jpg", "Bob", 900, 3, 0, 0.9F);
    put("/known/2.jpg", "Bob", 901, 3, 0, 0.9F);
    /* Grouped, so that it can be told and named where nothing of it stays. */
    kit_expect(DPL_OK, all_of_it(right, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_undo(g, &err), &err);
    before = kit_dump(g);
    dpl_gallery_rehearse(g, true);
    kit_expect(DPL_OK, all_of_it(right, &err), &err);
    for (int on = 0; on < 2; on++)
        for (size_t n = 1;; n += step) {
            dpl_status status;
            bool hit;

            fail_on = on;
            fail_allocation(n);
            status = all_of_it(text, &err);
            hit = n_allocations >= n;
            fail_at = 0;
            if (status == DPL_OK)
                assert_string_equal(text, right);
            else
                kit_expect(DPL_E_MEMORY, status, &err);
            n_failures += status != DPL_OK;
            if (!hit)
                break;
        }
    fail_on = false;
    assert_true(n_failures > (step == 1 ? 100 : 5));
    dpl_gallery_rehearse(g, false);
    kit_is_still(g, before);
}

/* ------------------------------------------------------------------ the program */

static int begin(void **state)
{
    dpl_error err;

    (void)state;
    folder = kit_folder();
    kit_expect(DPL_OK, dpl_gallery_open(&g, folder, DPL_GALLERY_CREATE, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_bind(g, dpl_pipeline_encoder(pipeline), &err), &err);
    kit_seal(g);
    return 0;
}

static int end(void **state)
{
    (void)state;
    dpl_gallery_close(g);
    kit_drop(folder);
    return 0;
}

static int open_pipeline(void **state)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;

    (void)state;
    options.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    return dpl_pipeline_open(&pipeline, &options, NULL) == DPL_OK ? 0 : -1;
}

static int close_pipeline(void **state)
{
    (void)state;
    dpl_pipeline_close(pipeline);
    return 0;
}

#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(without_memory_groups_are_made_or_that_is_said),
        GROUP_TEST(people_become_groups_the_largest_first),
        GROUP_TEST(the_best_face_is_told_first_and_few_when_few_are_asked_for),
        GROUP_TEST(grouped_again_nothing_changes_and_more_photos_keep_the_number),
        GROUP_TEST(the_number_of_a_group_that_is_gone_is_nobody_elses),
        GROUP_TEST(two_faces_of_a_photo_are_two_people_and_copies_are_one_face),
        GROUP_TEST(a_face_put_out_of_its_group_stays_out_with_its_copies),
        GROUP_TEST(a_named_group_is_that_persons_and_who_was_said_not_to_be_stays_out),
        GROUP_TEST(whom_a_group_looks_like_is_told_unless_it_was_said_not_to_be),
        GROUP_TEST(a_rehearsal_tells_and_changes_nothing),
        GROUP_TEST(interrupted_it_has_changed_nothing),
        GROUP_TEST(threads_and_an_index_make_the_same_groups),
        GROUP_TEST(groups_go_with_an_export),
        GROUP_TEST(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, open_pipeline, close_pipeline);
}
