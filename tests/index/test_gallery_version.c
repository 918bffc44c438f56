/*
 * test_gallery_version.c - a gallery of an older version: what is in it afterwards, what a kill in
 * the middle leaves, and what one who only reads is told.
 *
 * tests/fixtures/gallery-1 to gallery-5 are such galleries, and their exports by the doppel that
 * made them.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "index/gallery.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

#define FIXTURE DPL_SOURCE_DIR "/tests/fixtures/gallery-"

static dpl_error err;

static char *old_gallery(int version)
{
    char *dir = kit_folder(), path[256], *bytes;
    size_t n;

    snprintf(path, sizeof path, FIXTURE "%d/gallery.db", version);
    bytes = kit_read(path, &n);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    kit_write(path, bytes, n);
    free(bytes);
    return dir;
}

/* What stands between the two in a text, replaced. */
static char *replaced(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from), *made;

    assert_non_null(at);
    made = malloc(strlen(text) + strlen(to) + 1);
    assert_non_null(made);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return made;
}

/* The old export as it reads now. */
static char *wanted(int version)
{
    char path[256], *text;
    size_t n;

    snprintf(path, sizeof path, FIXTURE "%d/export.jsonl", version);
    text = kit_read(path, &n);
    if (version >= 3)
        return text;
    if (version == 2) {
        /* A name that was decomposed is found by the composed one, too. */
        text = replaced(text, "{\"type\":\"photo\",\"id\":1,",
                        "{\"type\":\"name\",\"person\":3,\"name\":\"Jos\303\251\"}\n"
                        "{\"type\":\"photo\",\"id\":1,");
        return replaced(text, "\"persons\":6,", "\"persons\":6,\"names\":1,");
    }
    /* The reasons name nobody, and the row says whose the photo of many faces was to be. */
    text = replaced(text, "which one is \\\"crowd\\\" is not clear",
                    "which one is meant is not clear");
    text = replaced(text, "people/crowd.jpg\",\"sha256\"",
                    "people/crowd.jpg\",\"meant\":\"crowd\",\"sha256\"");
    return replaced(text,
                    "the same photo is enrolled as \\\"Marie Curie\\\" "
                    "(/tmp/doppel-gallery-1/people/Marie Curie/portrait.png)",
                    "the same photo is enrolled as somebody else");
}

static void an_old_gallery_holds_the_same_when_brought_up_to_date(void **state)
{
    static const struct {
        int person, photo, template; /* the highest ids that were given */
    } last[] = {{0, 0, 0}, {6, 9, 15}, {7, 9, 37}, {2, 4, 6}, {1, 2, 3}, {1, 2, 3}};

    (void)state;
    for (int v = 1; v <= 5; v++) {
        char *dir = old_gallery(v), *want = wanted(v), *got, text[256];
        dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
        int64_t version;

        snprintf(text, sizeof text, "the gallery was of version %d and has been brought up to date",
                 v);
        assert_string_equal(dpl_gallery_notice(gallery), text);
        kit_expect(DPL_OK, dpli_db_check(kit_db(gallery), &err), &err);
        kit_expect(DPL_OK, dpli_db_int(&version, kit_db(gallery), "PRAGMA user_version", &err),
                   &err);
        assert_int_equal(version, 6);
        got = kit_dump(gallery);
        assert_string_equal(got, want);
        free(got);
        dpl_gallery_close(gallery);

        gallery = kit_open(dir, DPL_GALLERY_READ);
        assert_string_equal(dpl_gallery_notice(gallery), "");
        got = kit_dump(gallery);
        assert_string_equal(got, want);
        free(got);
        free(want);
        dpl_gallery_close(gallery);

        /* Ids that were forgotten before do not come back. */
        gallery = kit_open(dir, DPL_GALLERY_WRITE);
        kit_expect(DPL_OK, kit_put(gallery, 1, "/new.jpg", "new", 0, &err), &err);
        got = kit_dump(gallery);
        snprintf(text, sizeof text, "{\"type\":\"person\",\"id\":%d,\"name\":\"new\"}",
                 last[v].person + 1);
        assert_non_null(strstr(got, text));
        snprintf(text, sizeof text, "\"last_ids\":{\"person\":%d,\"photo\":%d,\"template\":%d}",
                 last[v].person + 1, last[v].photo + 1, last[v].template);
        assert_non_null(strstr(got, text));
        free(got);
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
}

/* Until version 3 faces had no people of their own. */
static dpl_status count_theirs(void *ctx, const dpl_template_row *row)
{
    assert_string_equal(row->person, "Jose\314\201");
    ++*(int *)ctx;
    return DPL_OK;
}

static void a_decomposed_name_of_version_2_is_found_by_the_composed_one(void **state)
{
    char *dir = old_gallery(2);
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
    int n = 0;

    (void)state;
    kit_expect(DPL_OK,
               dpl_gallery_each_template(gallery, "Jos\303\251", "face", count_theirs, &n, &err),
               &err);
    assert_int_equal(n, 1);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void who_only_reads_is_told_what_to_do(void **state)
{
    char *dir = old_gallery(1), path[256], *before, *after;
    dpl_gallery *gallery;
    size_t n_before, n_after;

    (void)state;
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    before = kit_read(path, &n_before);
    kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err), &err);
    assert_non_null(strstr(err.message, "is of version 1"));
    assert_non_null(strstr(err.message, "open it for writing once"));
    after = kit_read(path, &n_after);
    assert_int_equal(n_before, n_after);
    assert_memory_equal(before, after, n_before);
    free(before);
    free(after);
    kit_drop(dir);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void kill_in_the_middle(int version)
{
    enum { N_KILLS = UNLESS_SLOWED(60, 6) };
    char *want = wanted(version);
    double took = 0;
    int n_old = 0;

    for (int i = 0; i <= N_KILLS || n_old == 0; i++) {
        char *dir = old_gallery(version), *got;
        const double start = now_s();
        dpl_gallery *gallery;
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            _exit(dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, NULL) == DPL_OK ? 0 : 1);
        }
        /* The first is left to end: how long that takes is what the others are spread over, until
           some came before the end. */
        if (i > 0) {
            usleep((useconds_t)(took * 1e6 * (i % N_KILLS) / N_KILLS));
            kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (i == 0)
            assert_int_equal(status, 0);
        /* Never longer than it takes now: the first may have had to wait for the machine. */
        if (WIFEXITED(status))
            took = i > 0 && took < now_s() - start ? took : now_s() - start;
        n_old += dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err) != DPL_OK;
        dpl_gallery_close(gallery);
        gallery = kit_open(dir, DPL_GALLERY_WRITE);
        kit_expect(DPL_OK, dpli_db_check(kit_db(gallery), &err), &err);
        got = kit_dump(gallery);
        assert_string_equal(got, want);
        free(got);
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
    free(want);
}

static void a_kill_in_the_middle_loses_nothing(void **state)
{
    (void)state;
    kill_in_the_middle(1);
    kill_in_the_middle(2);
}

static void a_damaged_old_gallery_is_not_brought_up_to_date(void **state)
{
    static const struct {
        int version;
        const char *sql;
    } cases[] = {
        {1, "UPDATE photo SET path = x'7a' WHERE id = 3"},
        {1, "DROP INDEX photo_sha256"},
        {2, "DROP INDEX photo_sha256"},
        {2, "UPDATE gallery SET generation = 1000"},
        {2, "CREATE TABLE owner(template_id INTEGER PRIMARY KEY)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = old_gallery(cases[i].version), path[256];
        dpl_gallery *gallery;
        int64_t version;
        dpli_db *db;

        snprintf(path, sizeof path, "%s/gallery.db", dir);
        kit_expect(DPL_OK, dpli_db_open(&db, path, DPLI_DB_WRITE, &err), &err);
        kit_expect(DPL_OK, dpli_db_exec(db, cases[i].sql, &err), &err);
        dpli_db_close(db);
        kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err), &err);
        assert_non_null(strstr(err.message, "is damaged"));
        kit_expect(DPL_OK, dpli_db_open(&db, path, DPLI_DB_WRITE, &err), &err);
        kit_expect(DPL_OK, dpli_db_int(&version, db, "PRAGMA user_version", &err), &err);
        assert_int_equal(version, cases[i].version);
        dpli_db_close(db);
        kit_drop(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_gallery_holds_the_same_when_brought_up_to_date),
        cmocka_unit_test(a_decomposed_name_of_version_2_is_found_by_the_composed_one),
        cmocka_unit_test(who_only_reads_is_told_what_to_do),
        cmocka_unit_test(a_kill_in_the_middle_loses_nothing),
        cmocka_unit_test(a_damaged_old_gallery_is_not_brought_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
