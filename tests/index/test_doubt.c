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
#include "tests/index/gallery_kit.h"

static dpl_pipeline *pipeline;

enum { MAX_TOLD = 32 };

typedef struct told {
    int n;
    dpl_doubt_kind kinds[MAX_TOLD];
    char photos[MAX_TOLD][64], others[MAX_TOLD][64];
    int64_t n_others[MAX_TOLD];
    double rates[MAX_TOLD];
} told;

static void on_doubt(void *ctx, const dpl_doubt *d)
{
    told *t = ctx;

    assert_true(t->n < MAX_TOLD);
    t->kinds[t->n] = d->kind;
    t->n_others[t->n] = d->n_others;
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
    };

    return cmocka_run_group_tests(tests, open_pipeline, close_pipeline);
}
