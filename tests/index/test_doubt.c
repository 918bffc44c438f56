/*
 * test_doubt.c - references that are somebody else's: told, and the right ones left in peace.
 *
 * Vectors are made: a person's lie about a direction of their own, so that the cosines are those of
 * photos of one person (about .7) and of strangers (about 0).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "doppel/job.h"
#include "tests/failing_alloc.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

static dpl_pipeline *pipeline;

enum { MAX_TOLD = 32 };

typedef struct told {
    int n;
    dpl_doubt_kind kinds[MAX_TOLD];
    char photos[MAX_TOLD][64], others[MAX_TOLD][64];
    char people[MAX_TOLD][64]; /* "Ann, Bob" */
    int64_t ids[MAX_TOLD], other_ids[MAX_TOLD];
    int64_t n_others[MAX_TOLD], n_like[MAX_TOLD];
    double rates[MAX_TOLD];
} told;

static void on_doubt(void *ctx, const dpl_doubt *d)
{
    told *t = ctx;

    assert_true(t->n < MAX_TOLD);
    t->kinds[t->n] = d->kind;
    t->n_others[t->n] = d->n_others;
    t->n_like[t->n] = d->n_like;
    t->ids[t->n] = d->template_id;
    t->other_ids[t->n] = d->other_id;
    snprintf(t->people[t->n], sizeof t->people[0], "%s%s%s", d->person, d->other_person ? ", " : "",
             d->other_person ? d->other_person : "");
    t->rates[t->n] = d->rate.rate;
    snprintf(t->photos[t->n], sizeof t->photos[0], "%s", d->photo);
    snprintf(t->others[t->n], sizeof t->others[0], "%s", d->other_photo ? d->other_photo : "");
    t->n++;
}

/* A photo of somebody: their direction, from their number, and as much of another. */
static void put_photo(dpl_gallery *g, const char *path, const char *person, uint64_t who,
                      uint64_t seed, const char *sha256)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    float *v = calloc((size_t)dim, sizeof *v);
    dpli_rng of_person, of_photo;
    dpl_error err;

    dpli_rng_seed(&of_person, who);
    dpli_rng_seed(&of_photo, 1000 + seed);
    for (int32_t i = 0; i < dim; i++)
        v[i] = (float)(dpli_rng_normal(&of_person) + 0.65 * dpli_rng_normal(&of_photo));
    const dpl_new_template t = {.space = "face", .vector = v, .dim = dim};
    const dpl_new_photo photo = {
        .row = {.path = path, .person = person, .sha256 = sha256, .reason = "", .options = ""},
        .templates = &t,
        .n_templates = 1};
    kit_expect(DPL_OK, dpl_gallery_put(g, &photo, 1, &err), &err);
    free(v);
}

static char *folder; /* of the test that runs */

static dpl_gallery *open_bound(void)
{
    dpl_gallery *g;
    dpl_error err;

    kit_expect(DPL_OK, dpl_gallery_open(&g, folder, DPL_GALLERY_CREATE, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_bind(g, dpl_pipeline_encoder(pipeline), &err), &err);
    kit_seal(g);
    return g;
}

static told doubts_of(dpl_gallery *g, const char *person)
{
    told t = {0};
    dpl_error err;

    kit_expect(DPL_OK, dpl_gallery_doubts(g, pipeline, person, on_doubt, &t, &err), &err);
    return t;
}

static void a_stranger_among_a_persons_photos_is_told_and_nobody_else(void **state)
{
    dpl_gallery *g = open_bound();
    char path[32], name[16];

    (void)state;
    for (int n = 2; n <= 6; n++) { /* right photos of the person, and one wrong */
        snprintf(name, sizeof name, "Ann %d", n);
        for (int i = 0; i <= n; i++) {
            snprintf(path, sizeof path, "/%d/%d.jpg", n, i);
            put_photo(g, path, name, i == 1 ? 7 : 3, (uint64_t)(10 * n + i), "");
        }
        const told t = doubts_of(g, name);
        snprintf(path, sizeof path, "/%d/1.jpg", n);
        assert_int_equal(t.n, 1);
        assert_int_equal(t.kinds[0], DPL_DOUBT_UNLIKE);
        assert_string_equal(t.photos[0], path);
        assert_int_equal(t.n_others[0], n);
        assert_true(t.rates[0] > 0.01);
    }
    dpl_gallery_close(g);
}

static void photos_of_one_person_are_left_in_peace(void **state)
{
    dpl_gallery *g = open_bound();
    char path[32];

    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(doubts_of(g, "Ann").n, 0); /* of 0, 1, 2, … */
        snprintf(path, sizeof path, "/%d.jpg", i);
        put_photo(g, path, "Ann", 3, (uint64_t)i, "");
    }
    dpl_gallery_close(g);
}

static void of_two_that_are_unlike_neither_is_blamed(void **state)
{
    dpl_gallery *g = open_bound();

    (void)state;
    put_photo(g, "/1.jpg", "Ann", 3, 1, "");
    put_photo(g, "/2.jpg", "Ann", 7, 2, "");
    const told t = doubts_of(g, "Ann");
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_PAIR);
    assert_string_equal(t.photos[0], "/1.jpg");
    assert_string_equal(t.others[0], "/2.jpg");
    dpl_gallery_close(g);
}

static void several_strangers_are_told_up_to_eight(void **state)
{
    dpl_gallery *g = open_bound();
    char path[32];

    (void)state;
    for (int i = 0; i < 30; i++) {
        snprintf(path, sizeof path, "/%02d.jpg", i);
        put_photo(g, path, "Ann", i < 20 ? 3 : (uint64_t)(100 + i), (uint64_t)i, "");
    }
    const told t = doubts_of(g, "Ann");
    assert_int_equal(t.n, 8);
    for (int i = 0; i < t.n; i++)
        assert_true(strcmp(t.photos[i], "/20.jpg") >= 0);
    dpl_gallery_close(g);
}

static void a_file_of_two_people_is_told_of_both(void **state)
{
    static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    dpl_gallery *g = open_bound();

    (void)state;
    put_photo(g, "/ann.jpg", "Ann", 3, 1, sha);
    put_photo(g, "/again.jpg", "Ann", 3, 1, sha); /* a copy of her own is none */
    assert_int_equal(doubts_of(g, "Ann").n, 0);
    put_photo(g, "/bob.jpg", "Bob", 3, 1, sha);
    const told ann = doubts_of(g, "Ann"), bob = doubts_of(g, "Bob");
    assert_int_equal(ann.n, 2); /* each of hers is his, too */
    assert_int_equal(ann.kinds[0], DPL_DOUBT_SHARED);
    assert_string_equal(ann.others[0], "/bob.jpg");
    assert_int_equal(bob.n, 2);
    assert_int_equal(bob.kinds[1], DPL_DOUBT_SHARED);
    assert_int_equal(doubts_of(g, "Nobody").n, 0);
    dpl_gallery_close(g);
}

/* ------------------------------------------------------------------ everybody */

static told all_doubts(dpl_gallery *g)
{
    dpl_doubts_report report;
    told t = {0};
    dpl_error err;

    kit_expect(DPL_OK, dpl_gallery_all_doubts(&report, g, pipeline, 2, on_doubt, &t, &err), &err);
    assert_int_equal(report.n_doubts, t.n);
    return t;
}

/* Three photos each of so many people, from who on: "P5/0.jpg" of "P5". */
static void put_people(dpl_gallery *g, int who, int n)
{
    char path[32], name[16];

    for (int i = who; i < who + n; i++)
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "P%d", i);
            snprintf(path, sizeof path, "/%s/%d.jpg", name, k);
            put_photo(g, path, name, (uint64_t)i, (uint64_t)(10 * i + k), "");
        }
}

static void people_who_are_who_they_are_are_left_in_peace(void **state)
{
    dpl_gallery *g = open_bound();

    (void)state;
    assert_int_equal(all_doubts(g).n, 0);
    put_people(g, 100, 1);
    assert_int_equal(all_doubts(g).n, 0);
    put_people(g, 200, 40);
    put_photo(g, "/one.jpg", "One", 3, 1, "");
    put_photo(g, "/nobody.jpg", NULL, 4, 2, "");
    assert_int_equal(all_doubts(g).n, 0);
    dpl_gallery_close(g);
}

static void one_person_under_two_names_is_told_until_it_is_said_what_they_are(void **state)
{
    dpl_gallery *g = open_bound();
    dpl_merge_report report;
    dpl_error err;
    told t;

    (void)state;
    put_people(g, 100, 10);
    put_photo(g, "/ann/1.jpg", "Ann", 3, 1, "");
    put_photo(g, "/ann/2.jpg", "Ann", 3, 2, "");
    put_photo(g, "/bob/1.jpg", "Bob", 3, 3, "");
    t = all_doubts(g);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_ALIKE);
    assert_string_equal(t.people[0], "Ann, Bob");
    assert_string_equal(t.others[0], "/bob/1.jpg");
    assert_true(t.rates[0] < 1e-4);
    /* They are two, also when another photo comes. */
    kit_expect(DPL_OK, dpl_gallery_set_apart(g, "Bob", "Ann", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    put_photo(g, "/bob/2.jpg", "Bob", 3, 4, "");
    assert_int_equal(all_doubts(g).n, 0);
    /* Or one. */
    kit_expect(DPL_OK, dpl_gallery_merge(&report, g, "Bob", "Ann", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    dpl_gallery_close(g);
}

static void a_wrong_photo_is_told_with_whom_it_matches_and_not_when_it_is_said_to_be_right(
    void **state)
{
    dpl_gallery *g = open_bound();
    dpl_error err;
    told t;

    (void)state;
    put_people(g, 100, 5);
    put_photo(g, "/P100/wrong.jpg", "P100", 103, 7, "");
    t = all_doubts(g);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_UNLIKE);
    assert_string_equal(t.people[0], "P100, P103");
    assert_string_equal(t.photos[0], "/P100/wrong.jpg");
    assert_true(t.ids[0] > 0);
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.ids[0], "P100", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.ids[0], "P103", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    dpl_gallery_close(g);
}

static void of_two_unlike_photos_nothing_is_told_when_both_are_said_to_be_right(void **state)
{
    dpl_gallery *g = open_bound();
    dpl_error err;
    told t;

    (void)state;
    put_photo(g, "/1.jpg", "Ann", 3, 1, "");
    put_photo(g, "/2.jpg", "Ann", 7, 2, "");
    t = all_doubts(g);
    assert_int_equal(t.kinds[0], DPL_DOUBT_PAIR);
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.ids[0], "Ann", &err), &err);
    assert_int_equal(all_doubts(g).n, 1);
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.other_ids[0], "Ann", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    dpl_gallery_close(g);
}

/* A photo put again as somebody else's, resized: nearly the same vector, another content. */
static void put_copy(dpl_gallery *g, const char *path, const char *person, uint64_t who,
                     uint64_t seed)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    float *v = calloc((size_t)dim, sizeof *v);
    dpli_rng of_person, of_photo, of_copy;
    dpl_error err;

    dpli_rng_seed(&of_person, who);
    dpli_rng_seed(&of_photo, 1000 + seed);
    dpli_rng_seed(&of_copy, 99);
    for (int32_t i = 0; i < dim; i++)
        v[i] = (float)(dpli_rng_normal(&of_person) + 0.65 * dpli_rng_normal(&of_photo) +
                       0.05 * dpli_rng_normal(&of_copy));
    const dpl_new_template t = {.space = "face", .vector = v, .dim = dim};
    const dpl_new_photo photo = {
        .row = {.path = path, .person = person, .sha256 = "", .reason = "", .options = ""},
        .templates = &t,
        .n_templates = 1};
    kit_expect(DPL_OK, dpl_gallery_put(g, &photo, 1, &err), &err);
    free(v);
}

static void one_picture_under_two_names_is_told_with_both(void **state)
{
    dpl_gallery *g = open_bound();
    dpl_error err;
    told t;

    (void)state;
    put_people(g, 100, 3);
    put_photo(g, "/two/1.jpg", "Two", 5, 1, "");
    put_photo(g, "/two/2.jpg", "Two", 5, 2, "");
    put_photo(g, "/two/3.jpg", "Two", 5, 3, "");
    put_copy(g, "/two/copy.jpg", "Two", 100, 1000);
    /* Told once, as the one that is the other's. */
    t = all_doubts(g);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_UNLIKE);
    assert_string_equal(t.people[0], "Two, P100");
    assert_string_equal(t.photos[0], "/two/copy.jpg");
    /* It is said to be right, and then the other is not; until both are. */
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.ids[0], "Two", &err), &err);
    t = all_doubts(g);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_SAME);
    assert_string_equal(t.people[0], "P100, Two");
    assert_string_equal(t.photos[0], "/P100/0.jpg");
    assert_string_equal(t.others[0], "/two/copy.jpg");
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.ids[0], "P100", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.other_ids[0], "P100", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    /* The only photo of somebody: they match as people, and that is told; set apart, the picture
     * is.
     */
    put_copy(g, "/other.jpg", "Other", 100, 1000);
    t = all_doubts(g);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_ALIKE);
    kit_expect(DPL_OK, dpl_gallery_set_apart(g, "Other", "P100", &err), &err);
    t = all_doubts(g);
    assert_int_equal(t.n, 2); /* and its copy */
    assert_int_equal(t.kinds[0], DPL_DOUBT_SAME);
    assert_int_equal(t.kinds[1], DPL_DOUBT_SAME);
    assert_string_equal(t.others[1], "/other.jpg");
    dpl_gallery_close(g);
}

/* A group photo of two faces, of which one has a name. */
static void put_group(dpl_gallery *g, const char *path, int named, const char *person)
{
    static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    float *v = calloc(2 * (size_t)dim, sizeof *v);
    dpl_new_template t[2] = {0};
    dpl_error err;
    dpli_rng rng;

    dpli_rng_seed(&rng, 5);
    for (int32_t i = 0; i < 2 * dim; i++)
        v[i] = (float)dpli_rng_normal(&rng);
    for (int i = 0; i < 2; i++) {
        t[i] = (dpl_new_template){.space = "face", .vector = v + i * dim, .dim = dim};
        t[i].face.x_px = (float)(200 * i + named);
        t[i].face.w_px = t[i].face.h_px = 100;
        t[i].is_nobodys = i != named;
        t[i].person = i == named ? person : NULL;
    }
    const dpl_new_photo photo = {.row = {.path = path, .sha256 = sha, .reason = "", .options = ""},
                                 .templates = t,
                                 .n_templates = 2};
    kit_expect(DPL_OK, dpl_gallery_put(g, &photo, 1, &err), &err);
    free(v);
}

static void a_file_of_two_people_is_told_once_and_only_of_the_same_face(void **state)
{
    dpl_gallery *g = open_bound();
    told t;

    (void)state;
    put_group(g, "/a.jpg", 0, "Ann");
    put_group(g, "/b.jpg", 1, "Bob"); /* beside her */
    assert_int_equal(all_doubts(g).n, 0);
    put_group(g, "/c.jpg", 0, "Carl");
    t = all_doubts(g);
    assert_int_equal(t.kinds[0], DPL_DOUBT_SHARED);
    assert_string_equal(t.people[0], "Ann, Carl");
    assert_true(t.ids[0] > 0 && t.other_ids[0] > t.ids[0]);
    for (int i = 1; i < t.n; i++)
        assert_int_not_equal(t.kinds[i], DPL_DOUBT_SHARED);
    dpl_gallery_close(g);
}

/* A calibration of its own, by which one of a hundred strangers reaches 0.21, without a cohort. */
static dpl_pipeline *open_plain(void)
{
    static const char text[] = "{\"version\":1,\"metric\":\"cosine\",\"pairs\":10000000,"
                               "\"source\":\"test\",\"points\":"
                               "[[0.1,0.1],[0.21,0.009],[0.4,0.0001],[0.5,0.0000001]]}";
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *plain;
    dpl_error err;

    kit_write("plain.json", text, strlen(text));
    options.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    options.calibration_path = "plain.json";
    kit_expect(DPL_OK, dpl_pipeline_open(&plain, &options, &err), &err);
    remove("plain.json");
    return plain;
}

/* As much of everybody's direction: the people of put_people. */
static void put_hub(dpl_gallery *g, const char *path, const char *person, int who, int n)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
    float *v = calloc((size_t)dim, sizeof *v);
    dpl_error err;

    for (int k = who; k < who + n; k++) {
        dpli_rng rng;

        dpli_rng_seed(&rng, (uint64_t)k);
        for (int32_t i = 0; i < dim; i++)
            v[i] += (float)dpli_rng_normal(&rng);
    }
    const dpl_new_template t = {.space = "face", .vector = v, .dim = dim};
    const dpl_new_photo photo = {
        .row = {.path = path, .person = person, .sha256 = "", .reason = "", .options = ""},
        .templates = &t,
        .n_templates = 1};
    kit_expect(DPL_OK, dpl_gallery_put(g, &photo, 1, &err), &err);
    free(v);
}

static void a_reference_that_attracts_everyone_is_told_until_it_is_said_to_be_right(void **state)
{
    dpl_pipeline *usual = pipeline;
    dpl_gallery *g = open_bound();
    dpl_error err;
    told t;

    (void)state;
    pipeline = open_plain();
    put_people(g, 100, 12);
    assert_int_equal(all_doubts(g).n, 0);
    put_hub(g, "/hub.jpg", "Hub", 100, 12);
    t = all_doubts(g);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.kinds[0], DPL_DOUBT_HUB);
    assert_string_equal(t.photos[0], "/hub.jpg");
    assert_int_equal(t.n_others[0], 12);
    assert_true(t.n_like[0] >= 8);
    kit_expect(DPL_OK, dpl_gallery_assign(g, t.ids[0], "Hub", &err), &err);
    assert_int_equal(all_doubts(g).n, 0);
    dpl_gallery_close(g);
    dpl_pipeline_close(pipeline);
    pipeline = usual;
}

static void without_memory_all_is_told_or_it_is_said(void **state)
{
    static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    dpl_gallery *g = open_bound();
    dpl_doubts_report report;
    long n_failures = 0;
    dpl_error err;
    told all, t;

    (void)state;
    put_people(g, 100, 3);
    put_copy(g, "/P101/copy.jpg", "P101", 100, 1000);
    put_photo(g, "/P102/a.jpg", "P102", 3, 1, sha);
    put_photo(g, "/ann/a.jpg", "Ann", 3, 1, sha);
    put_photo(g, "/bob/1.jpg", "Bob", 9, 3, "");
    put_photo(g, "/ben/1.jpg", "Ben", 9, 4, "");
    kit_expect(DPL_OK, dpl_gallery_set_apart(g, "P100", "Bob", &err), &err);
    all = all_doubts(g);
    assert_int_equal(all.n, 4); /* unlike twice, shared, alike */
    for (int on = 0; on < 2; on++)
        for (size_t n = 1;; n += on ? UNLESS_SLOWED(1, 5) : 1) {
            dpl_status status;
            bool hit;

            memset(&t, 0, sizeof t);
            fail_on = on;
            fail_allocation(n);
            status = dpl_gallery_all_doubts(&report, g, pipeline, 1, on_doubt, &t, &err);
            hit = n_allocations >= n;
            fail_at = 0;
            if (status == DPL_OK) /* two who have a file in common may be told as alike, too */
                assert_true(t.n >= all.n);
            else
                kit_expect(DPL_E_MEMORY, status, &err);
            n_failures += status != DPL_OK;
            if (!hit)
                break;
        }
    assert_true(n_failures > 100);
    dpl_gallery_close(g);
}

static int make_folder(void **state)
{
    (void)state;
    folder = kit_folder();
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stranger_among_a_persons_photos_is_told_and_nobody_else,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(photos_of_one_person_are_left_in_peace, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(of_two_that_are_unlike_neither_is_blamed, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(several_strangers_are_told_up_to_eight, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(a_file_of_two_people_is_told_of_both, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(people_who_are_who_they_are_are_left_in_peace, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(
            one_person_under_two_names_is_told_until_it_is_said_what_they_are, make_folder,
            drop_folder),
        cmocka_unit_test_setup_teardown(
            a_wrong_photo_is_told_with_whom_it_matches_and_not_when_it_is_said_to_be_right,
            make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(
            of_two_unlike_photos_nothing_is_told_when_both_are_said_to_be_right, make_folder,
            drop_folder),
        cmocka_unit_test_setup_teardown(one_picture_under_two_names_is_told_with_both, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(a_file_of_two_people_is_told_once_and_only_of_the_same_face,
                                        make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(
            a_reference_that_attracts_everyone_is_told_until_it_is_said_to_be_right, make_folder,
            drop_folder),
        /* Hundreds of times over, which a server takes long for; it is not about what keeps the
           gallery. */
        kit_unit_test_of_folder_in(without_memory_all_is_told_or_it_is_said, make_folder,
                                   drop_folder),
    };

    return cmocka_run_group_tests(tests, open_pipeline, close_pipeline);
}
