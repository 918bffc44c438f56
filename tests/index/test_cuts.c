/*
 * test_cuts.c - whole commands on a disk that loses power at any call, or of which any call fails:
 * afterwards the gallery opens, nothing in it is damaged, and it holds exactly what was reported.
 *
 * A command is a list of steps that each report when they return. After k reports the gallery is as
 * it was after step k, or, while a step was under way, after that one; nothing else.
 *
 * What is random comes from DOPPEL_SEED, or else from the clock, and is printed; each cut leaves
 * DOPPEL_ROUNDS disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "doppel/doppel.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"
#include "tests/index/torn_vfs.h"
#include "tests/slowed.h"

enum { MAX_STEPS = 4 };

static dpl_error err;
static dpli_rng rng;
static dpl_pipeline *pipeline; /* small, of whole pictures */
static dpl_pipeline *other;    /* its net given pictures otherwise: another model */
static long n_rounds = 3;

/* ------------------------------------------------------------------ commands */

static dpl_status enroll_photos(dpl_gallery *gallery)
{
    const char *const paths[] = {"photos"};
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_enroll_report report;

    o.n_threads = 1;
    o.force = 1;
    return dpl_enroll(&report, gallery, pipeline, paths, 1, &o, &err);
}

/* Step of a command on an open gallery; n past its last is DPL_E_NOT_FOUND. */
static dpl_status put_step(dpl_gallery *gallery, int n)
{
    switch (n) {
    case 0: return kit_put(gallery, 4, "/new-1.jpg", "new", 3, &err);
    case 1: return kit_put(gallery, 5, "/a.jpg", "bob", 2, &err);
    case 2: return dpl_gallery_move_photo(gallery, 1, "/b.jpg", 0, &err);
    default: return DPL_E_NOT_FOUND;
    }
}

static dpl_status rename_step(dpl_gallery *gallery, int n)
{
    switch (n) {
    case 0: return dpl_gallery_rename(gallery, "bob", "bert", &err);
    case 1: return dpl_gallery_remember(gallery, "more", "value", &err);
    default: return DPL_E_NOT_FOUND;
    }
}

static dpl_status import_step(dpl_gallery *gallery, int n)
{
    int64_t n_photos, n_templates;

    return n == 0 ? dpl_gallery_import(gallery, "import.jsonl", &n_photos, &n_templates, &err)
                  : DPL_E_NOT_FOUND;
}

static dpl_status forget_step(dpl_gallery *gallery, int n)
{
    static const char *const people[] = {"bob", "ann"};
    dpl_forget_report report;
    dpl_status status;

    if (n > 1)
        return DPL_E_NOT_FOUND;
    status = dpl_gallery_forget(&report, gallery, people[n], NULL, 0, 0, &err);
    if (status == DPL_OK)
        assert_int_equal(report.n_left + report.n_strings_left, 0);
    return status;
}

static dpl_status right_step(dpl_gallery *gallery, int n)
{
    dpl_merge_report report;

    switch (n) {
    case 0: return dpl_gallery_assign(gallery, 1, "new", &err);
    case 1: return dpl_gallery_reject(gallery, 3, "bob", &err);
    case 2: return dpl_gallery_set_apart(gallery, "ann", "new", &err);
    case 3: return dpl_gallery_merge(&report, gallery, "new", "ann", &err);
    default: return DPL_E_NOT_FOUND;
    }
}

static dpl_status enroll_step(dpl_gallery *gallery, int n)
{
    return n == 0 ? enroll_photos(gallery) : DPL_E_NOT_FOUND;
}

static dpl_status migrate_step(dpl_gallery *gallery, int n)
{
    dpl_migrate_options o = DPL_MIGRATE_OPTIONS_INIT;
    dpl_migrate_report report;

    o.n_threads = 1;
    return n == 0 ? dpl_migrate(&report, gallery, other, &o, &err) : DPL_E_NOT_FOUND;
}

static const struct command {
    const char *name;
    dpl_status (*step)(dpl_gallery *gallery, int n);
} commands[] = {{"put and move", put_step},
                {"rename and remember", rename_step},
                {"import", import_step},
                {"forget", forget_step},
                {"assign, reject, set apart and merge", right_step},
                {"enroll", enroll_step},
                {"migrate", migrate_step}};

/* Open, every step, close. *n_done: how many reported; *under_way: one had begun. */
static void run(int *n_done, bool *under_way, const struct command *c, const char *dir)
{
    dpl_gallery *gallery;
    dpl_status status = dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err);

    *n_done = 0;
    *under_way = false;
    while (status == DPL_OK) {
        status = c->step(gallery, *n_done);
        *n_done += status == DPL_OK;
        *under_way = status != DPL_OK && status != DPL_E_NOT_FOUND;
    }
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ what a gallery holds */

/* Times of enrolment differ from run to run. */
static char *without_times(char *text)
{
    static const char key[] = "\"enrolled_unix_s\":";

    for (char *at = strstr(text, key); at; at = strstr(at + 1, key))
        for (char *c = at + strlen(key); *c >= '0' && *c <= '9'; c++)
            *c = '0';
    return text;
}

/* Its export; fails the test when anything is damaged. */
static char *held_by(const char *dir)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
    dpl_check_report report;
    char *text;

    kit_expect(DPL_OK, dpl_gallery_check(&report, gallery, NULL, NULL, &err), &err);
    assert_int_equal(report.n_damaged, 0);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    return without_times(text);
}

static void make_gallery(const char *dir, const struct command *c)
{
    dpl_gallery *gallery;

    if (c->step == migrate_step) {
        /* One of its photos is gone and made from the thumbnail. */
        gallery = kit_open(dir, DPL_GALLERY_CREATE);
        kit_expect(DPL_OK, enroll_photos(gallery), &err);
        dpl_gallery_close(gallery);
        kit_write("photos/two/2.png", "no picture", 10);
        return;
    }
    if (c->step == enroll_step) {
        /* Bound to the pipeline's encoder; the photos come again, by force. */
        gallery = kit_open(dir, DPL_GALLERY_CREATE);
        kit_expect(DPL_OK, enroll_photos(gallery), &err);
        kit_write("photos/two/2.png", "no picture", 10);
        kit_expect(DPL_OK, enroll_photos(gallery), &err);
        dpl_gallery_close(gallery);
        return;
    }
    gallery = kit_new(dir);
    kit_expect(DPL_OK, kit_put(gallery, 1, "/a.jpg", "ann", 2, &err), &err);
    kit_expect(DPL_OK, kit_put(gallery, 2, "/b.jpg", "bob", 2, &err), &err);
    kit_expect(DPL_OK, kit_put(gallery, 8, "/c.jpg", "bo\xff", 1, &err), &err);
    dpl_gallery_close(gallery);
}

/* What it holds before the first step and after each; the gallery's files as they are before. */
typedef struct reference {
    char *states[MAX_STEPS + 1], *db, *audit;
    size_t n_db, n_audit;
    int n_steps;
} reference;

static void write_db(const reference *r, const char *dir)
{
    static const char *const names[] = {"gallery.db-wal", "gallery.db-shm", "gallery.db-journal"};
    char path[256];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    kit_write(path, r->db, r->n_db);
    snprintf(path, sizeof path, "%s/audit.jsonl", dir);
    kit_write(path, r->audit, r->n_audit);
}

/* The audit is no file of SQLite's: its lines are synchronised one by one. */
static void copy_audit(const char *from, const char *to)
{
    char path[256], *text;
    size_t n;

    snprintf(path, sizeof path, "%s/audit.jsonl", from);
    text = kit_read(path, &n);
    snprintf(path, sizeof path, "%s/audit.jsonl", to);
    kit_write(path, text, n);
    free(text);
}

static void make_reference(reference *r, const struct command *c)
{
    char *dir = kit_folder(), path[256];
    dpl_gallery *gallery;

    memset(r, 0, sizeof *r);
    make_gallery(dir, c);
    r->states[0] = held_by(dir);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    r->db = kit_read(path, &r->n_db);
    snprintf(path, sizeof path, "%s/audit.jsonl", dir);
    r->audit = kit_read(path, &r->n_audit);
    for (;; r->n_steps++) {
        dpl_status status;

        gallery = kit_open(dir, DPL_GALLERY_WRITE);
        status = c->step(gallery, r->n_steps);
        dpl_gallery_close(gallery);
        if (status == DPL_E_NOT_FOUND)
            break;
        kit_expect(DPL_OK, status, &err);
        r->states[r->n_steps + 1] = held_by(dir);
        /* Enrolled by force, ids are new, and nothing else is. */
        assert_string_not_equal(r->states[r->n_steps + 1], r->states[r->n_steps]);
    }
    kit_drop(dir);
}

static void check_state(const char *dir, const reference *r, const struct command *c, int n_done,
                        bool under_way, size_t at)
{
    char *held = kit_once(dir, held_by);
    const bool right = strcmp(held, r->states[n_done]) == 0 ||
                       (under_way && strcmp(held, r->states[n_done + 1]) == 0);

    if (!right)
        print_error("%s, call %zu: %d steps reported, but it holds\n%s\n", c->name, at, n_done,
                    held);
    assert_true(right);
    free(held);
}

static void drop_reference(reference *r)
{
    for (int i = 0; i <= r->n_steps; i++)
        free(r->states[i]);
    free(r->db);
    free(r->audit);
}

/* ------------------------------------------------------------------ tests */

static void after_a_loss_of_power_a_gallery_holds_what_was_reported(void **state)
{
    long n_disks = 0;

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        reference r;
        size_t at = 0, n_calls;

        make_reference(&r, c);
        do {
            char *dir = kit_folder();
            bool under_way;
            int n_done;

            write_db(&r, dir);
            torn_start(++at, true);
            run(&n_done, &under_way, c, dir);
            n_calls = torn_stop();
            for (long round = 0; round < n_rounds; round++) {
                char *disk = kit_folder();

                torn_write(disk, &rng);
                copy_audit(dir, disk);
                check_state(disk, &r, c, n_done, under_way, at);
                kit_drop(disk);
                n_disks++;
            }
            torn_clear();
            kit_drop(dir);
        } while (at <= n_calls);
        print_message("%s: cut at each of %zu calls\n", c->name, n_calls);
        drop_reference(&r);
    }
    print_message("%ld disks after a cut, nothing lost\n", n_disks);
    assert_true(n_disks >= 1000);
}

/* What of our code a failure comes through is where SQLite was called, each with dozens of calls to
   the disk behind it: where it is slow, every fifth of those, beginning with another in each
   command. */
static void when_any_call_to_the_disk_fails_a_gallery_holds_what_was_reported(void **state)
{
    const size_t stride = UNLESS_SLOWED(1, 5);
    long n_failures = 0;

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        reference r;
        size_t at = 1 + i % stride, n_calls;

        make_reference(&r, c);
        do {
            char *dir = kit_folder();
            bool under_way;
            int n_done;

            write_db(&r, dir);
            torn_start(at, false);
            run(&n_done, &under_way, c, dir);
            n_calls = torn_stop();
            torn_clear();
            check_state(dir, &r, c, n_done, under_way, at);
            kit_drop(dir);
            n_failures += at <= n_calls;
            at += stride;
        } while (at - stride <= n_calls);
        drop_reference(&r);
    }
    print_message("%ld calls failed, nothing lost\n", n_failures);
    assert_true(n_failures > 200 / (long)stride);
}

/* In memory where the system has a place for that: thousands of small files. */
static int set_up(void **state)
{
    static char root[] = "/dev/shm/doppel-cuts-XXXXXX";
    static const char facts[] = "{\"std\": \"200\"}";
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_gallery *gallery;
    char *dir, *text;
    size_t n_model;

    (void)state;
    if (mkdtemp(root))
        assert_int_equal(chdir(root), 0);
    o.encoder_path = DPL_SOURCE_DIR "/tests/standins/koch.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&pipeline, &o, &err), &err);
    dir = kit_read(o.encoder_path, &n_model);
    kit_write("other.onnx", dir, n_model);
    free(dir);
    kit_write("other.onnx.json", facts, sizeof facts - 1);
    o.encoder_path = "other.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&other, &o, &err), &err);
    mkdir("photos", 0700);
    mkdir("photos/one", 0700);
    mkdir("photos/two", 0700);
    for (int i = 1; i <= 2; i++) {
        size_t n;

        text = kit_read(DPL_SOURCE_DIR "/demo/people/Marie Curie/portrait.png", &n);
        kit_write(i == 1 ? "photos/one/1.png" : "photos/two/2.png", text, n);
        free(text);
    }
    dir = kit_folder();
    gallery = kit_new(dir);
    kit_expect(DPL_OK, kit_put(gallery, 1, "/a.jpg", "ann\xfe", 2, &err), &err);
    kit_expect(DPL_OK, kit_put(gallery, 4, "/d.jpg", "dan", 3, &err), &err);
    text = kit_dump(gallery);
    kit_write("import.jsonl", text, strlen(text));
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(dir);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"photos/one/1.png", "photos/two/2.png", "photos/one",
                                        "photos/two",       "photos",           "import.jsonl",
                                        "other.onnx",       "other.onnx.json"};
    char *cwd = getcwd(NULL, 0);

    (void)state;
    dpl_pipeline_close(pipeline);
    dpl_pipeline_close(other);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(files[i]);
    if (cwd && strncmp(cwd, "/dev/shm/", 9) == 0 && chdir("/") == 0)
        rmdir(cwd);
    free(cwd);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test_unless_slowed(after_a_loss_of_power_a_gallery_holds_what_was_reported),
        cmocka_unit_test(when_any_call_to_the_disk_fails_a_gallery_holds_what_was_reported),
    };
    const char *given = getenv("DOPPEL_SEED"), *rounds = getenv("DOPPEL_ROUNDS");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    if (rounds)
        n_rounds = strtol(rounds, NULL, 10);
    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
