/*
 * test_photos.c - many photos looked at: which files, in what order, with what status, in how much
 * memory, on however many threads; and when an allocation fails.
 *
 * Pictures are small and go whole through a small model: what a detector finds is tested elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/walk.h"
#include "doppel/doppel.h"
#include "tests/failing_alloc.h"
#include "tests/folder_kit.h"
#include "tests/index/gallery_kit.h"

#define ENCODER  DPL_SOURCE_DIR "/tests/standins/koch.onnx"
#define PICTURES DPL_SOURCE_DIR "/tests/fixtures/image/"

static dpl_pipeline *pipeline;
static char folder[64]; /* fresh for each test, and where it runs */

/* ------------------------------------------------------------------ what every test uses */

/* All that was told: "PATH status; ", with (-) for what was passed over. */
typedef struct events {
    char text[8192], message[512];
    int n, n_with_pixels;
    int64_t last_done;
    int32_t larger_px;
    volatile int cancel;
    int cancel_after; /* events; 0: never */
} events;

static void on_photo(void *ctx, const dpl_photos_event *event)
{
    events *e = ctx;
    const size_t n = strlen(e->text);

    snprintf(e->text + n, sizeof e->text - n, "%s %s; ", event->path,
             event->passed_over ? "(-)" : dpl_status_name(event->status));
    assert_int_equal(event->n_done, e->last_done + 1);
    e->last_done = event->n_done;
    assert_int_equal(event->photo != NULL, event->status == DPL_OK && !event->passed_over);
    assert_int_equal(event->message[0] != '\0', event->status != DPL_OK);
    if (event->message[0])
        snprintf(e->message, sizeof e->message, "%s", event->message);
    if (event->photo) {
        const dpl_image *image = &event->photo->image;

        assert_string_equal(event->photo->name, event->path);
        assert_int_equal(strlen(event->photo->sha256), 64);
        assert_int_equal(event->photo->n_faces, 1);
        assert_non_null(event->photo->vectors);
        e->n_with_pixels += image->pixels != NULL;
        e->larger_px = image->width_px > image->height_px ? image->width_px : image->height_px;
    }
    e->n++;
    if (e->cancel_after && e->n == e->cancel_after)
        dpl_cancel(&e->cancel);
}

static dpl_status look(events *e, dpl_photos_report *report, const char *const *paths,
                       const dpl_photos_options *more, dpl_error *err)
{
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;
    size_t n = 0;

    if (more)
        o = *more;
    o.on_photo = on_photo;
    o.ctx = e;
    o.cancel = &e->cancel;
    while (paths[n])
        n++;
    return dpl_photos_each(report, pipeline, paths, n, &o, err);
}

static void put(const char *name, const char *path)
{
    char *bytes;
    size_t n;

    bytes = kit_read(name, &n);
    kit_write(path, bytes, n);
    free(bytes);
}

static void tells(const char *wanted, const char *const *paths, const dpl_photos_options *options)
{
    events e = {.n = 0};
    dpl_photos_report report;
    dpl_error err = {DPL_OK, ""};

    kit_expect(DPL_OK, look(&e, &report, paths, options, &err), &err);
    assert_string_equal(e.text, wanted);
    assert_int_equal(report.n_files + report.n_passed_over, e.n);
}

static int set_up_all(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};

    (void)state;
    o.encoder_path = ENCODER;
    if (dpl_pipeline_open(&pipeline, &o, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    dpl_pipeline_close(pipeline);
    return 0;
}

/* photos/: two pictures, a note, a broken picture, what is left out, and a folder. */
static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/doppel-photos-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    for (size_t i = 0; i < 4; i++)
        mkdir((const char *const[]){"photos", "photos/2019", "photos/@eaDir", "photos/.trash"}[i],
              0700);
    put(PICTURES "t0_d16.png", "photos/b.png");
    put(PICTURES "grey.jpg", "photos/2019/a.jpg");
    put(PICTURES "t0_d16.png", "photos/@eaDir/thumb.png");
    put(PICTURES "t0_d16.png", "photos/.trash/gone.png");
    put(PICTURES "t0_d16.png", "photos/not-me.png");
    kit_write("photos/note.txt", "a note", 6);
    kit_write("photos/broken.jpg", "not a picture", 13);
    kit_write("photos/.doppelignore", "not-me.png\n", 11);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return chdir("/") == 0 ? folder_remove(folder) : -1;
}

/* ------------------------------------------------------------------ which files */

static void a_folder_is_walked_as_enrolment_walks_it(void **state)
{
    events e = {.n = 0};
    dpl_photos_report report;
    dpl_error err = {DPL_OK, ""};

    (void)state;
    assert_int_equal(symlink(PICTURES, "photos/elsewhere"), 0);
    kit_expect(DPL_OK, look(&e, &report, (const char *const[]){"photos", NULL}, NULL, &err), &err);
    assert_string_equal(e.text, "photos/2019/a.jpg OK; photos/b.png OK; "
                                "photos/broken.jpg E_INPUT; photos/note.txt (-); ");
    assert_non_null(strstr(e.message, "\"photos/broken.jpg\": "));
    assert_int_equal(report.n_files, 3);
    assert_int_equal(report.n_failed, 1);
    assert_int_equal(report.n_passed_over, 1);
    assert_int_equal(report.n_links, 1);
    assert_int_equal(report.n_left_out, 2);
    assert_int_equal(report.worst, DPL_E_INPUT);
}

static void links_out_of_the_folder_are_followed_when_asked_for(void **state)
{
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;

    (void)state;
    mkdir("inside", 0700);
    assert_int_equal(symlink("../photos/2019", "inside/link"), 0);
    tells("", (const char *const[]){"inside", NULL}, NULL);
    o.follow_links = true;
    tells("inside/link/a.jpg OK; ", (const char *const[]){"inside", NULL}, &o);
}

static void what_is_given_by_name_is_always_taken(void **state)
{
    (void)state;
    tells("photos/note.txt E_INPUT; photos/not-me.png OK; nowhere.jpg E_INPUT; "
          "photos/@eaDir/thumb.png OK; ",
          (const char *const[]){"photos/note.txt", "photos/not-me.png", "nowhere.jpg",
                                "photos/@eaDir/thumb.png", NULL},
          NULL);
    /* A shell's list of a folder names folders that nobody means. */
    tells("photos/b.png OK; photos/2019/a.jpg OK; ",
          (const char *const[]){"photos/b.png", "photos/@eaDir", "photos/2019", NULL}, NULL);
    tells("photos/@eaDir/thumb.png OK; ", (const char *const[]){"photos/@eaDir", NULL}, NULL);
}

static void files_come_as_given_and_once(void **state)
{
    (void)state;
    tells("./photos/b.png OK; photos/2019/a.jpg OK; photos/broken.jpg E_INPUT; "
          "photos/note.txt (-); ",
          (const char *const[]){"./photos/b.png", "photos/", "photos/2019", "photos/b.png", NULL},
          NULL);
    /* What a walk would pass over is told of whoever gives it. */
    tells("photos/2019/a.jpg OK; photos/b.png OK; photos/broken.jpg E_INPUT; "
          "photos/note.txt E_INPUT; ",
          (const char *const[]){"photos", "photos/note.txt", NULL}, NULL);
    tells("", (const char *const[]){NULL}, NULL);
}

static void a_folder_that_is_too_deep_has_a_status(void **state)
{
    char path[8 + 2 * DPLI_WALK_DEPTH] = "deep", wanted[sizeof path + 16];

    (void)state;
    mkdir(path, 0700);
    for (int i = 0; i < DPLI_WALK_DEPTH; i++) {
        strcat(path, "/d");
        mkdir(path, 0700);
    }
    snprintf(wanted, sizeof wanted, "%s E_INPUT; ", path);
    tells(wanted, (const char *const[]){"deep", NULL}, NULL);
}

/* ------------------------------------------------------------------ how */

static void make_many(int n)
{
    char path[64];

    mkdir("many", 0700);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "many/%04d.png", i);
        if (i % 7 == 3)
            kit_write(path, "broken", 6);
        else
            put(PICTURES "t0_d16.png", path);
    }
}

static void any_number_of_threads_tells_the_same_in_order(void **state)
{
    static events first, e;
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;
    dpl_photos_report report;

    (void)state;
    make_many(150); /* more than are held */
    for (o.n_threads = 1; o.n_threads < 6; o.n_threads++) {
        e = (events){.n = 0};
        assert_int_equal(look(&e, &report, (const char *const[]){"many", NULL}, &o, NULL), DPL_OK);
        assert_int_equal(e.n, 150);
        assert_int_equal(report.n_failed, 21);
        if (o.n_threads == 1)
            first = e;
        assert_string_equal(e.text, first.text);
    }
}

static void pixels_are_as_large_as_asked_for(void **state)
{
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;
    dpl_photos_report report;
    events e = {.n = 0};
    int32_t whole;

    (void)state;
    assert_int_equal(look(&e, &report, (const char *const[]){"photos/2019", NULL}, &o, NULL),
                     DPL_OK);
    assert_int_equal(e.n_with_pixels, 0);
    whole = e.larger_px;
    assert_true(whole > 8);
    for (int i = 0; i < 2; i++) {
        o.preview_px = i == 0 ? 8 : INT32_MAX;
        e = (events){.n = 0};
        assert_int_equal(look(&e, &report, (const char *const[]){"photos/2019", NULL}, &o, NULL),
                         DPL_OK);
        assert_int_equal(e.n_with_pixels, 1);
        assert_int_equal(e.larger_px, i == 0 ? 8 : whole);
    }
}

static void cancelling_ends_after_the_photos_in_hand(void **state)
{
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;
    dpl_photos_report report;
    dpl_error err = {DPL_OK, ""};

    (void)state;
    make_many(150);
    for (o.n_threads = 1; o.n_threads < 4; o.n_threads++) {
        events e = {.cancel_after = 5};
        char wanted[128];

        assert_int_equal(look(&e, &report, (const char *const[]){"many", NULL}, &o, &err),
                         DPL_E_CANCELLED);
        assert_in_range(e.n, 5, 5 + 64);
        assert_int_equal(report.n_files, e.n);
        snprintf(wanted, sizeof wanted, "interrupted after %d of 150 files", e.n);
        assert_string_equal(err.message, wanted);
    }
}

static void options_and_callback_may_be_missing(void **state)
{
    dpl_photos_report report;
    const char *const paths[] = {"photos"};

    (void)state;
    assert_int_equal(dpl_photos_each(&report, pipeline, paths, 1, NULL, NULL), DPL_OK);
    assert_int_equal(report.n_files, 3);
    assert_true(report.seconds > 0);
}

/* ------------------------------------------------------------------ memory */

/* Done with the right answer, or stopped for want of memory: never a photo that is said to be none.
 */
static void any_allocation_may_fail(void **state)
{
    static const char whole[] = "photos/2019/a.jpg OK; photos/b.png OK; "
                                "photos/broken.jpg E_INPUT; photos/note.txt (-); ";
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;
    dpl_photos_report report;
    size_t n_failed = 0, n;

    (void)state;
    o.n_threads = 1;
    o.preview_px = 8;
    for (int on = 0; on < 2; on++) {
        fail_on = on;
        for (size_t nth = 1;; nth++) {
            events e = {.n = 0};
            dpl_error err = {DPL_OK, ""};
            dpl_status status;

            fail_allocation(nth);
            status = look(&e, &report, (const char *const[]){"photos", NULL}, &o, &err);
            n = n_allocations;
            fail_allocation(0);
            if (status != DPL_OK) {
                assert_int_equal(status, DPL_E_MEMORY);
                assert_true(err.message[0]);
                n_failed++;
            } else {
                assert_string_equal(e.text, whole);
            }
            assert_memory_equal(e.text, whole, strlen(e.text));
            if (n < nth)
                break;
        }
        fail_on = false;
    }
    assert_in_range(n_failed, 60, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_folder_is_walked_as_enrolment_walks_it),
        TEST(links_out_of_the_folder_are_followed_when_asked_for),
        TEST(what_is_given_by_name_is_always_taken),
        TEST(files_come_as_given_and_once),
        TEST(a_folder_that_is_too_deep_has_a_status),
        TEST(any_number_of_threads_tells_the_same_in_order),
        TEST(pixels_are_as_large_as_asked_for),
        TEST(cancelling_ends_after_the_photos_in_hand),
        TEST(options_and_callback_may_be_missing),
        TEST(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
