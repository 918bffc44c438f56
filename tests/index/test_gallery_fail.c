/*
 * test_gallery_fail.c - the gallery under kill -9, without memory, on a full disk, and damaged:
 * what was said to be on disk is there, the rest is not there by halves, and nothing crashes.
 *
 * What is random comes from DOPPEL_SEED, or else from the clock, and is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "index/gallery.h"
#include "tests/failing_alloc.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

static dpl_error err;
static dpli_rng rng;

/* ------------------------------------------------------------------ allocations that fail */

static dpl_status see_person(void *ctx, const dpl_person *row)
{
    *(size_t *)ctx += strlen(row->name);
    return DPL_OK;
}

static dpl_status see_photo(void *ctx, const dpl_photo_row *row)
{
    *(size_t *)ctx += strlen(row->path) + strlen(row->sha256) + strlen(row->reason);
    return DPL_OK;
}

static dpl_status see_template(void *ctx, const dpl_template_row *row)
{
    *(size_t *)ctx += (size_t)row->dim + row->n_thumb;
    return DPL_OK;
}

/* Everything that reads; the first failure. */
static dpl_status read_all(dpl_gallery *gallery)
{
    dpl_gallery_counts counts;
    dpl_status status;
    dpli_vectors v;
    size_t sum = 0;

    status = dpl_gallery_count(&counts, gallery, &err);
    if (status == DPL_OK)
        status = dpl_gallery_each_person(gallery, see_person, &sum, &err);
    if (status == DPL_OK)
        status = dpl_gallery_each_photo(gallery, NULL, see_photo, &sum, &err);
    if (status == DPL_OK)
        status = dpl_gallery_each_template(gallery, NULL, NULL, see_template, &sum, &err);
    if (status == DPL_OK)
        status = dpl_gallery_export(gallery, "all.jsonl", &err);
    if (status != DPL_OK)
        return status;
    status = dpli_gallery_load(&v, gallery, "face", KIT_DIM, 1, &err);
    dpli_vectors_clear(&v);
    return status;
}

enum job {
    OPEN,
    READ,
    PUT,
    RENAME,
    MOVE,
    BIND,
    IMPORT,
    FORGET,
    ASSIGN,
    REJECT,
    PUT_AGAIN,
    MERGE,
    SET_APART,
    N_JOBS
};

/* Open dir and do one thing to it, of whose allocations the nth fails (0: none). Those of opening
   are a job of their own. */
static dpl_status do_job(const char *dir, enum job job, size_t nth)
{
    dpli_binding binding = {"face", KIT_HASH, "new name", "cosine", KIT_DIM, NULL, NULL};
    dpl_gallery *gallery = NULL;
    dpl_forget_report report;
    dpl_merge_report merged;
    int64_t n, m;
    dpl_status status;

    fail_allocation(job == OPEN ? nth : 0);
    status = dpl_gallery_open(&gallery, dir, DPL_GALLERY_CREATE, &err);
    if (status != DPL_OK)
        return status;
    if (job != OPEN)
        fail_allocation(nth);
    switch (job) {
    case READ: status = read_all(gallery); break;
    case PUT: status = kit_put(gallery, 4, "/new.jpg", "new", 3, &err); break;
    case RENAME: status = dpl_gallery_rename(gallery, "bob", "bert", &err); break;
    case MOVE: status = dpl_gallery_move_photo(gallery, 1, "/b.jpg", 0, &err); break;
    case BIND: status = dpli_gallery_bind(gallery, &binding, &err); break;
    case IMPORT: status = dpl_gallery_import(gallery, "import.jsonl", &n, &m, &err); break;
    case FORGET:
        status = dpl_gallery_forget(&report, gallery, "bob", NULL, 0, 0, &err);
        if (status == DPL_OK)
            assert_int_equal(report.n_left, 0);
        break;
    /* The last of his, and a name in two forms. */
    case ASSIGN: status = dpl_gallery_assign(gallery, 3, "Jose\314\201", &err); break;
    case REJECT: status = dpl_gallery_reject(gallery, 3, "bob", &err); break;
    case PUT_AGAIN: status = kit_put(gallery, 5, "/said.jpg", "bob", 1, &err); break;
    case MERGE: status = dpl_gallery_merge(&merged, gallery, "ann", "bob", &err); break;
    case SET_APART: status = dpl_gallery_set_apart(gallery, "ann", "bob", &err); break;
    default: break;
    }
    dpl_gallery_close(gallery);
    return status;
}

/* A gallery's file, of which the next galleries are copies. */
typedef struct copied {
    char *bytes;
    size_t n;
} copied;

static bool copy_to(const char *dir, const copied *from)
{
    char path[256];

    if (!from->bytes)
        return false;
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    kit_write(path, from->bytes, from->n);
    return true;
}

static void copy_from(copied *to, const char *dir)
{
    char path[256];

    snprintf(path, sizeof path, "%s/gallery.db", dir);
    to->bytes = kit_read(path, &to->n);
}

static void make_gallery(const char *dir)
{
    static copied made;
    dpl_gallery *gallery;

    if (copy_to(dir, &made))
        return;
    gallery = kit_new(dir);
    kit_expect(DPL_OK, kit_put(gallery, 1, "/a.jpg", "ann", 2, &err), &err);
    kit_expect(DPL_OK, kit_put(gallery, 2, "/b.jpg", "bob", 2, &err), &err);
    kit_expect(DPL_OK, kit_put(gallery, 8, "/c.jpg", "bo\xff", 1, &err), &err);
    /* Of whom it was said what it is and is not. */
    kit_expect(DPL_OK, kit_put(gallery, 5, "/said.jpg", "bob", 1, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_reject(gallery, 6, "bob", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_assign(gallery, 6, "ann", &err), &err);
    dpl_gallery_close(gallery);
    copy_from(&made, dir);
}

/* Its export, from a database that is whole. */
static char *look_at(const char *dir)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
    char *text;

    kit_expect(DPL_OK, dpli_db_check(kit_db(gallery), &err), &err);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    return text;
}

static char *dump_of(const char *dir)
{
    return kit_once(dir, look_at);
}

/* What a job makes of a gallery when nothing fails. */
static char *dump_after(enum job job)
{
    char *dir = kit_folder(), *text;

    make_gallery(dir);
    kit_expect(DPL_OK, do_job(dir, job, 0), &err);
    text = dump_of(dir);
    kit_drop(dir);
    return text;
}

static void make_import(void)
{
    char *dir = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);

    kit_expect(DPL_OK, kit_put(gallery, 1, "/a.jpg", "ann\xfe", 2, &err), &err);
    kit_expect(DPL_OK, kit_put(gallery, 4, "/d.jpg", "dan", 3, &err), &err);
    text = kit_dump(gallery);
    kit_write("import.jsonl", text, strlen(text));
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void without_memory_a_job_is_done_or_not_begun(void **state)
{
    (void)state;
    make_import();
    for (int job = OPEN; job < N_JOBS; job++) {
        char *done = dump_after((enum job)job), *dir = kit_folder(), *before, *after;
        long n_failures = 0;

        make_gallery(dir);
        before = dump_of(dir);
        for (int on = 0; on < 2; on++) {
            for (size_t n = 1;; n++) {
                dpl_status status;
                int hit;

                fail_on = on;
                status = do_job(dir, (enum job)job, n);
                hit = n_allocations >= n;
                fail_at = 0;
                after = dump_of(dir);
                if (status == DPL_OK) {
                    assert_string_equal(after, done);
                } else {
                    kit_expect(DPL_E_MEMORY, status, &err);
                    assert_true(hit);
                    n_failures++;
                    /* What a forget does after its rows are gone is finished by the next one. */
                    if (strcmp(after, before) != 0)
                        assert_true(job == FORGET && strcmp(after, done) == 0);
                }
                if (strcmp(after, before) != 0 || status == DPL_OK) {
                    kit_drop(dir);
                    dir = kit_folder();
                    make_gallery(dir);
                }
                free(after);
                if (!hit)
                    break;
            }
        }
        assert_true(n_failures > 5);
        kit_drop(dir);
        free(before);
        free(done);
    }
    unlink("import.jsonl");
    unlink("all.jsonl");
}

/* Why it cannot be read; "" when it can. */
static char *refusal_of(const char *dir)
{
    dpl_gallery *gallery;
    dpl_status status = dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err);

    dpl_gallery_close(gallery);
    return strdup(status == DPL_OK ? "" : err.message);
}

/* A gallery of an older version is brought up to date, or left as it was. */
static void without_memory_an_old_gallery_is_brought_up_to_date_or_left(void **state)
{
    char *dir = kit_folder(), path[256], *old, *done = NULL;
    size_t n_old, n_left = 0;

    (void)state;
    old = kit_read(DPL_SOURCE_DIR "/tests/fixtures/gallery-1/gallery.db", &n_old);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    for (long n = 0;; n++) {
        dpl_gallery *gallery;
        dpl_status status;
        int hit;

        kit_write(path, old, n_old);
        fail_on = n % 2;
        n_allocations = 0;
        fail_at = n / 2; /* alone, and with all after it */
        status = dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err);
        hit = fail_at && n_allocations >= fail_at;
        fail_at = 0;
        dpl_gallery_close(gallery);
        if (status != DPL_OK) {
            char *refusal;

            kit_expect(DPL_E_MEMORY, status, &err);
            /* Not by halves: who reads is told the version, or reads all of it. */
            refusal = kit_once(dir, refusal_of);
            n_left += refusal[0] != '\0';
            if (refusal[0])
                assert_non_null(strstr(refusal, "version 1"));
            free(refusal);
        }
        if (n == 0) {
            done = dump_of(dir);
        } else {
            char *after = dump_of(dir);

            assert_string_equal(after, done);
            free(after);
            if (!hit && n > 1)
                break;
        }
    }
    assert_true(n_left > 10);
    free(old);
    free(done);
    kit_drop(dir);
}

/* SQLite's own memory, which --wrap does not reach. The limit is the process's and cannot be
   raised again, so each try is a process. */
static void when_sqlite_has_no_memory_nothing_is_half_done(void **state)
{
    char *dir = kit_folder(), *before, *after;
    int n_failed = 0, n_done = 0;

    (void)state;
    make_gallery(dir);
    before = dump_of(dir);
    for (int kib = 8; kib < 8192 && n_done < 3; kib += 1 + kib / UNLESS_SLOWED(16, 4)) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
            dpl_status got;
            char sql[64];

            /* A row of 256 KiB and more. */
            kit_photo p;
            static uint8_t thumb[256 << 10];

            kit_photo_make(&p, 3, "/n.jpg", "ned", 1);
            p.templates[0].thumb = thumb;
            p.templates[0].n_thumb = sizeof thumb;
            snprintf(sql, sizeof sql, "PRAGMA hard_heap_limit=%d", kib << 10);
            dpli_db_exec(kit_db(gallery), sql, NULL);
            got = dpl_gallery_put(gallery, &p.photo, 1, &err);
            if (got == DPL_OK)
                got = read_all(gallery);
            if (got != DPL_OK && got != DPL_E_MEMORY)
                fprintf(stderr, "%d KiB: %s\n", kib, err.message);
            _exit((int)got);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == DPL_OK || WEXITSTATUS(status) == DPL_E_MEMORY);
        n_failed += WEXITSTATUS(status) == DPL_E_MEMORY;
        n_done += WEXITSTATUS(status) == DPL_OK;
        after = dump_of(dir);
        if (strcmp(after, before) != 0) {
            assert_non_null(strstr(after, "/n.jpg"));
            kit_drop(dir);
            dir = kit_folder();
            make_gallery(dir);
        } else {
            assert_int_equal(WEXITSTATUS(status), DPL_E_MEMORY);
        }
        free(after);
    }
    assert_true(n_failed >= 3);
    assert_int_equal(n_done, 3);
    free(before);
    unlink("all.jsonl");
    kit_drop(dir);
}

/* ------------------------------------------------------------------ kill -9 */

enum { BATCH = 3, PAGE = 16384 };

static void put_batch(dpl_gallery *gallery, int first)
{
    dpl_new_photo batch[BATCH];
    kit_photo made[BATCH];
    char path[32];

    for (int i = 0; i < BATCH; i++) {
        snprintf(path, sizeof path, "/%06d.jpg", first + i);
        kit_photo_make(&made[i], (uint64_t)(first + i), path, i ? "ann" : "bob", 2);
        batch[i] = made[i].photo;
    }
    if (dpl_gallery_put(gallery, batch, BATCH, &err) != DPL_OK)
        _exit(1);
}

static dpl_status check_vector(void *ctx, const dpl_template_row *row)
{
    int *n = ctx, photo = *n / 2, i = *n % 2;
    kit_photo p;

    kit_photo_make(&p, (uint64_t)photo, "/", NULL, 2);
    assert_int_equal(atoi(row->photo_path + 1), photo);
    assert_int_equal(row->dim, p.templates[i].dim);
    assert_memory_equal(row->vector, p.vectors[i], (size_t)row->dim * sizeof(float));
    assert_int_equal(row->n_thumb, KIT_THUMB);
    assert_memory_equal(row->thumb, p.thumbs[i], KIT_THUMB);
    ++*n;
    return DPL_OK;
}

/* Start a process that runs fn and tells each success by a byte, kill it a while after so many of
   them, and give the number of successes. */
static int killed_after(void (*fn)(const char *dir, int said), const char *dir, int n_first,
                        uint64_t us)
{
    struct timespec wait = {0, (long)us * 1000};
    int ends[2], status, n = 0;
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        fn(dir, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (n < n_first && read(ends[0], &byte, 1) == 1)
        n++;
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(ends[0], &byte, 1) == 1)
        n++;
    close(ends[0]);
    return n;
}

/* From about 1 ms to a quarter of a second, short waits as likely as long ones: how long a commit
   takes depends on the machine, so what a test must have seen it waits for, or tries until it has.
 */
static uint64_t some_us(void)
{
    return dpli_rng_below(&rng, 1 << (10 + dpli_rng_below(&rng, 9)));
}

static void put_until_killed(const char *dir, int said)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_CREATE);
    dpl_gallery_counts counts;

    if (dpl_gallery_count(&counts, gallery, &err) != DPL_OK)
        _exit(1);
    for (int n = (int)counts.n_photos;; n += BATCH) {
        put_batch(gallery, n);
        if (write(said, "+", 1) != 1)
            _exit(1);
    }
}

static void killed_at_any_instant_all_that_was_put_is_there_and_nothing_by_halves(void **state)
{
    char *dir = kit_folder();
    int64_t n_before = 0;
    int n_killed_between = 0;

    (void)state;
    dpl_gallery_close(kit_new(dir));
    for (int round = 0; round < 40; round++) {
        int n_said = killed_after(put_until_killed, dir, round % 3, some_us());
        dpl_gallery *gallery = kit_open(dir, round % 2 ? DPL_GALLERY_READ : DPL_GALLERY_WRITE);
        dpl_gallery_counts counts;
        int n_seen = 0;

        kit_expect(DPL_OK, dpli_db_check(kit_db(gallery), &err), &err);
        kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
        assert_int_equal(counts.n_photos % BATCH, 0);
        assert_in_range(counts.n_photos, n_before + BATCH * n_said,
                        n_before + BATCH * (n_said + 1));
        kit_expect(DPL_OK,
                   dpl_gallery_each_template(gallery, NULL, NULL, check_vector, &n_seen, &err),
                   &err);
        assert_int_equal(n_seen, 2 * counts.n_photos);
        n_killed_between += n_said > 0;
        n_before = counts.n_photos;
        dpl_gallery_close(gallery);
    }
    assert_true(n_killed_between > 2);
    kit_drop(dir);
}

static void create_until_killed(const char *dir, int said)
{
    char path[256];

    for (int i = 0;; i++) {
        snprintf(path, sizeof path, "%s/new", dir);
        dpl_gallery_close(kit_new(path));
        if (write(said, "+", 1) != 1)
            _exit(1);
        kit_drop(strdup(path));
    }
}

static void a_gallery_whose_making_was_killed_is_made_by_the_next(void **state)
{
    char *dir = kit_folder(), path[256];
    int n_unmade = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/new", dir);
    for (int round = 0; round < 40 || n_unmade == 0; round++) {
        dpl_gallery *gallery;

        killed_after(create_until_killed, dir, round % 2, some_us());
        if (dpl_gallery_open(&gallery, path, DPL_GALLERY_READ, &err) != DPL_OK) {
            kit_expect(DPL_E_GALLERY, err.status, &err);
            n_unmade++;
        }
        dpl_gallery_close(gallery);
        gallery = kit_new(path);
        kit_expect(DPL_OK, kit_put(gallery, 1, "/a.jpg", "ann", 1, &err), &err);
        dpl_gallery_close(gallery);
        kit_drop(strdup(path));
    }
    kit_drop(dir);
}

static void forget_until_killed(const char *dir, int said)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
    dpl_forget_report report;

    if (kit_put(gallery, 77, "/gone.jpg", "somebody gone", 3, &err) != DPL_OK ||
        write(said, "+", 1) != 1 ||
        dpl_gallery_forget(&report, gallery, "somebody gone", NULL, 0, 0, &err) != DPL_OK ||
        report.n_left || write(said, "+", 1) != 1)
        _exit(1);
    pause();
}

static void a_forget_killed_at_any_instant_leaves_all_or_no_byte(void **state)
{
    int n_of[3] = {0};
    copied made = {0};

    (void)state;
    for (int round = 0; round < 40; round++) {
        char *dir = kit_folder();
        dpl_gallery *gallery;
        kit_photo p;
        int n_said, there = 0;

        if (!copy_to(dir, &made)) {
            gallery = kit_new(dir);
            for (int i = 0; i < 30; i += BATCH)
                put_batch(gallery, i);
            dpl_gallery_close(gallery);
            copy_from(&made, dir);
        }
        n_said = killed_after(forget_until_killed, dir, round % 2, some_us());
        assert_in_range(n_said, 0, 2);
        n_of[n_said]++;
        gallery = kit_open(dir, DPL_GALLERY_WRITE);
        kit_expect(DPL_OK, dpli_db_check(kit_db(gallery), &err), &err);
        {
            size_t sum = 0;

            kit_expect(
                DPL_OK,
                dpl_gallery_find_photo(gallery, "/gone.jpg", NULL, see_photo, &sum, &there, &err),
                &err);
        }
        kit_photo_make(&p, 77, "/gone.jpg", "somebody gone", 3);
        if (n_said == 2)
            assert_int_equal(there, 0);
        for (int i = 0; i < 3 && n_said > 0; i++) {
            size_t n_bytes = (size_t)p.templates[i].dim * sizeof(float);

            assert_int_equal(kit_files_with(dir, p.vectors[i], n_bytes) > 0, there);
            assert_int_equal(kit_files_with(dir, p.thumbs[i], KIT_THUMB) > 0, there);
        }
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
    print_message("killed before, during and after the forget: %d, %d, %d\n", n_of[0], n_of[1],
                  n_of[2]);
    assert_true(n_of[1] + n_of[2] > 0);
    free(made.bytes);
}

/* ------------------------------------------------------------------ a full disk */

static void on_a_full_disk_what_was_put_stays_and_the_rest_is_told(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    struct rlimit before, small;
    int n_full = 0;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (int i = 0; i < 60; i += BATCH)
        put_batch(gallery, i);
    dpl_gallery_close(gallery);
    for (rlim_t kib = 1; kib < 512; kib += UNLESS_SLOWED(19, 57)) {
        char *dump = dump_of(dir), *after;
        dpl_gallery_counts counts;
        dpl_status status;

        small = before;
        small.rlim_cur = kib << 10;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        status = dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err);
        for (uint64_t i = 0; i < 20 && status == DPL_OK; i++) {
            char path[32];
            kit_photo p;
            static uint8_t thumb[20000];

            snprintf(path, sizeof path, "/%d-%d.jpg", (int)kib, (int)i);
            kit_photo_make(&p, i, path, "ann", 2);
            p.templates[0].thumb = thumb;
            p.templates[0].n_thumb = sizeof thumb;
            status = dpl_gallery_put(gallery, &p.photo, 1, &err);
            if (status == DPL_OK) {
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
                free(dump);
                dump = kit_dump(gallery);
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
            }
        }
        if (status != DPL_OK) {
            kit_expect(DPL_E_SYSTEM, status, &err);
            assert_non_null(strstr(err.message, "gallery."));
            n_full++;
        }
        /* Still with no room: what is there can be read. */
        if (gallery) {
            kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
            dpl_gallery_close(gallery);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        after = dump_of(dir);
        assert_string_equal(after, dump);
        free(after);
        free(dump);
    }
    assert_true(n_full > 5);
    signal(SIGXFSZ, SIG_DFL);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ damage */

/* One file of a gallery with these bytes; everything that reads and writes has to end in DPL_OK or
   in an error that names the file. */
static dpl_status try_file(const char *dir, const char *name, const char *bytes, size_t n)
{
    dpl_status status = DPL_OK, first = DPL_OK;
    char path[512];

    for (int mode = DPL_GALLERY_READ; mode <= DPL_GALLERY_WRITE; mode++) {
        dpl_gallery *gallery;
        dpl_forget_report report;

        snprintf(path, sizeof path, "%s/%s", dir, name);
        kit_write(path, bytes, n);
        status = dpl_gallery_open(&gallery, dir, (dpl_gallery_mode)mode, &err);
        if (status == DPL_OK)
            status = read_all(gallery);
        if (status == DPL_OK && mode == DPL_GALLERY_WRITE) {
            status = kit_put(gallery, 5, "/a.jpg", "dan", 2, &err);
            if (status == DPL_OK)
                status = dpl_gallery_forget(&report, gallery, "bob", NULL, 0, 0, &err);
        }
        if (status != DPL_OK && status != DPL_E_NOT_FOUND && status != DPL_E_MISMATCH &&
            status != DPL_E_ARGUMENT) {
            kit_expect(DPL_E_GALLERY, status, &err);
            if (!strstr(err.message, dir))
                print_error("%s\n", err.message);
            assert_non_null(strstr(err.message, dir));
        }
        if (mode == DPL_GALLERY_READ)
            first = status;
        dpl_gallery_close(gallery);
        snprintf(path, sizeof path, "%s/gallery.db-wal", dir);
        if (strcmp(name, "gallery.db") == 0)
            unlink(path);
        snprintf(path, sizeof path, "%s/gallery.db-shm", dir);
        unlink(path);
    }
    return first;
}

static void a_database_cut_off_anywhere_is_refused(void **state)
{
    char *dir = kit_folder(), path[256], *bytes, *all;
    size_t n, n_all;

    (void)state;
    make_gallery(dir);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    bytes = kit_read(path, &n);
    assert_true(n > 8 * PAGE);
    assert_int_equal(try_file(dir, "gallery.db", bytes, n), DPL_OK);
    all = kit_read("all.jsonl", &n_all);
    for (size_t cut = 0; cut < n; cut += cut % PAGE == 0 || cut < 100 ? 1 : 1 + cut % (PAGE - 1)) {
        dpl_status status = try_file(dir, "gallery.db", bytes, cut);

        /* The last page may be one that is free, of which a part is as good as all. */
        if (status == DPL_OK && cut > n - PAGE) {
            char *rest = kit_read("all.jsonl", &n_all);

            assert_string_equal(rest, all);
            free(rest);
            continue;
        }
        if (status != DPL_E_GALLERY)
            print_error("cut at %zu\n", cut);
        assert_int_equal(status, DPL_E_GALLERY);
    }
    free(bytes);
    free(all);
    unlink("all.jsonl");
    kit_drop(dir);
}

/* The count of stray bytes in a page's head, which no reader looks at. */
static void damage_that_no_read_meets_is_found_at_opening(void **state)
{
    char *dir = kit_folder(), path[256], *bytes;
    dpl_gallery *gallery;
    size_t n;

    (void)state;
    make_gallery(dir);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    bytes = kit_read(path, &n);
    for (size_t page = PAGE; page < n; page += PAGE) {
        bytes[page + 7] ^= 55;
        kit_write(path, bytes, n);
        bytes[page + 7] ^= 55;
        kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err), &err);
        assert_non_null(strstr(err.message, path));
    }
    free(bytes);
    kit_drop(dir);
}

static void a_damaged_database_never_crashes(void **state)
{
    char *dir = kit_folder(), path[256], *bytes, *spoilt;
    int n_refused = 0, n_rounds = UNLESS_SLOWED(600, 150);
    size_t n;

    (void)state;
    make_gallery(dir);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    bytes = kit_read(path, &n);
    spoilt = malloc(n);
    assert_non_null(spoilt);
    for (int round = 0; round < n_rounds; round++) {
        int n_flips = 1 << dpli_rng_below(&rng, 5);

        memcpy(spoilt, bytes, n);
        for (int i = 0; i < n_flips; i++) {
            size_t page = PAGE * dpli_rng_below(&rng, n / PAGE);
            /* Heads of pages say more than what is in them, and the rows are at their ends. */
            size_t at = dpli_rng_below(&rng, 3)   ? dpli_rng_below(&rng, 120)
                        : dpli_rng_below(&rng, 2) ? PAGE - 1 - dpli_rng_below(&rng, 600)
                                                  : dpli_rng_below(&rng, PAGE);

            spoilt[page + at] = (char)dpli_rng_u64(&rng);
        }
        n_refused += try_file(dir, "gallery.db", spoilt, n) == DPL_E_GALLERY;
    }
    print_message("%d of %d damaged files were refused\n", n_refused, n_rounds);
    assert_true(n_refused > n_rounds / 3);
    free(bytes);
    free(spoilt);
    unlink("all.jsonl");
    kit_drop(dir);
}

static void put_and_die(const char *dir, int said)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);

    put_batch(gallery, 0);
    put_batch(gallery, 3);
    if (write(said, "+", 1) != 1)
        _exit(1);
    pause();
}

static void a_damaged_log_never_crashes(void **state)
{
    char *dir = kit_folder(), path[256], db_path[256], *log, *db, *spoilt;
    size_t n_log, n_db;

    (void)state;
    make_gallery(dir);
    assert_int_equal(killed_after(put_and_die, dir, 1, 0), 1);
    snprintf(path, sizeof path, "%s/gallery.db-wal", dir);
    snprintf(db_path, sizeof db_path, "%s/gallery.db", dir);
    log = kit_read(path, &n_log);
    db = kit_read(db_path, &n_db);
    assert_true(n_log > PAGE);
    spoilt = malloc(n_log);
    assert_non_null(spoilt);
    for (int round = 0; round < UNLESS_SLOWED(100, 30); round++) {
        size_t n = round % 3 ? n_log : dpli_rng_below(&rng, n_log);

        memcpy(spoilt, log, n_log);
        for (int i = 0; i < 3; i++)
            spoilt[dpli_rng_below(&rng, 2) ? dpli_rng_below(&rng, 60)
                                           : dpli_rng_below(&rng, n_log)] =
                (char)dpli_rng_u64(&rng);
        kit_write(db_path, db, n_db);
        /* Frames that do not add up are as if never written. */
        assert_int_equal(try_file(dir, "gallery.db-wal", spoilt, n), DPL_OK);
    }
    free(log);
    free(db);
    free(spoilt);
    unlink("all.jsonl");
    kit_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_a_job_is_done_or_not_begun),
        cmocka_unit_test(without_memory_an_old_gallery_is_brought_up_to_date_or_left),
        cmocka_unit_test(when_sqlite_has_no_memory_nothing_is_half_done),
        unit_test_unless_slowed(
            killed_at_any_instant_all_that_was_put_is_there_and_nothing_by_halves),
        unit_test_unless_slowed(a_gallery_whose_making_was_killed_is_made_by_the_next),
        unit_test_unless_slowed(a_forget_killed_at_any_instant_leaves_all_or_no_byte),
        cmocka_unit_test(on_a_full_disk_what_was_put_stays_and_the_rest_is_told),
        cmocka_unit_test(a_database_cut_off_anywhere_is_refused),
        cmocka_unit_test(damage_that_no_read_meets_is_found_at_opening),
        cmocka_unit_test(a_damaged_database_never_crashes),
        cmocka_unit_test(a_damaged_log_never_crashes),
    };
    const char *given = getenv("DOPPEL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
