/*
 * test_audit.c - the audit of a gallery: a line a change, whoever is killed; no altered line goes
 * unnoticed; and nothing in it that forgetting would have to take out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "doppel/audit.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"

static dpl_error err;

typedef struct fixture {
    char *dir, file[512];
    dpl_gallery *gallery;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->dir = kit_folder();
    f->gallery = kit_new(f->dir);
    snprintf(f->file, sizeof f->file, "%s/audit.jsonl", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    dpl_gallery_close(f->gallery);
    kit_drop(f->dir);
    free(f);
    return 0;
}

static void reopen(fixture *f)
{
    dpl_gallery_close(f->gallery);
    f->gallery = kit_open(f->dir, DPL_GALLERY_WRITE);
}

static void put(fixture *f, uint64_t seed, const char *person)
{
    char path[64];

    snprintf(path, sizeof path, "/photos/%d.jpg", (int)seed);
    kit_expect(DPL_OK, kit_put(f->gallery, seed, path, person, 2, &err), &err);
}

typedef struct lines {
    int n;
    char what[16][64], user[16][64];
    char text[16][1024];
} lines;

static dpl_status keep(void *ctx, const dpl_audit_line *line)
{
    lines *l = ctx;

    assert_true(l->n < 16);
    assert_int_equal(line->n, l->n + 1);
    snprintf(l->what[l->n], sizeof l->what[0], "%s", line->what);
    snprintf(l->user[l->n], sizeof l->user[0], "%s", line->user);
    snprintf(l->text[l->n], sizeof l->text[0], "%s", line->text);
    l->n++;
    return DPL_OK;
}

static dpl_audit_report audit(dpl_gallery *gallery, lines *l)
{
    dpl_audit_report report;

    if (l)
        memset(l, 0, sizeof *l);
    kit_expect(DPL_OK, dpl_gallery_audit(&report, gallery, l ? keep : NULL, l, &err), &err);
    return report;
}

#define expect_count(text, member, n)                                                              \
    do {                                                                                           \
        if (!strstr(text, "\"" member "\":" #n ","))                                               \
            fail_msg("not %s %d: %s", member, n, text);                                            \
    } while (0)

/* ------------------------------------------------------------------ a line a change */

static void test_change_is_a_line_that_counts(void **state)
{
    fixture *f = *state;
    dpl_audit_report r;
    lines l;

    put(f, 1, "Ann");
    kit_expect(DPL_OK, dpl_gallery_rename(f->gallery, "Ann", "Bea", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_undo(f->gallery, &err), &err);
    r = audit(f->gallery, &l);
    assert_int_equal(r.n_lines, 3);
    assert_int_equal(r.broken_at, 0);
    assert_int_equal(r.n_waiting, 0);
    expect_count(l.text[0], "persons_added", 1);
    expect_count(l.text[0], "photos_added", 1);
    expect_count(l.text[0], "templates_added", 2);
    assert_string_equal(l.what[1], "rename");
    expect_count(l.text[1], "persons_changed", 1);
    assert_string_equal(l.what[2], "undo: rename");
    assert_true(l.user[0][0] != '\0');
}

static void test_change_of_several_transactions_is_one_line(void **state)
{
    fixture *f = *state;
    lines l;

    kit_expect(DPL_OK, dpl_gallery_begin_change(f->gallery, "enroll \"/home/ann\"", &err), &err);
    put(f, 1, "Ann");
    put(f, 2, "Bea");
    put(f, 3, "Bea");
    assert_int_equal(audit(f->gallery, NULL).n_waiting, 1);
    dpl_gallery_end_change(f->gallery);
    assert_int_equal(audit(f->gallery, &l).n_lines, 1);
    assert_string_equal(l.what[0], "enroll");
    expect_count(l.text[0], "photos_added", 3);
    expect_count(l.text[0], "persons_added", 2);
}

static void test_what_changes_nothing_leaves_no_line(void **state)
{
    fixture *f = *state;

    put(f, 1, "Ann");
    assert_int_equal(dpl_gallery_rename(f->gallery, "Nobody", "Bea", &err), DPL_E_NOT_FOUND);
    dpl_gallery_rehearse(f->gallery, true);
    kit_expect(DPL_OK, dpl_gallery_rename(f->gallery, "Ann", "Bea", &err), &err);
    dpl_gallery_rehearse(f->gallery, false);
    reopen(f);
    assert_int_equal(audit(f->gallery, NULL).n_lines, 1);
}

static void test_who_is_served_is_named(void **state)
{
    fixture *f = *state;
    lines l;

    kit_expect(DPL_OK, dpl_gallery_set_user(f->gallery, "gr\xc3\xbc\xc3\x9f \"\n", &err), &err);
    put(f, 1, "Ann");
    assert_int_equal(audit(f->gallery, &l).n_lines, 1);
    assert_string_equal(l.user[0], "gr\xc3\xbc\xc3\x9f \"\n");
    assert_int_equal(dpl_gallery_set_user(f->gallery, "", &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_gallery_set_user(f->gallery, "\xff\xfe", &err), DPL_E_ARGUMENT);
}

static void test_questions_are_lines_between_changes(void **state)
{
    fixture *f = *state;
    dpl_gallery *reader;
    lines l;

    put(f, 1, "Ann");
    reader = kit_open(f->dir, DPL_GALLERY_READ);
    kit_expect(DPL_OK, dpl_gallery_audit_query(reader, "query", 3, &err), &err);
    assert_int_equal(dpl_gallery_audit_query(reader, "query \"Ann\"", 3, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_gallery_audit_query(reader, "query", -1, &err), DPL_E_ARGUMENT);
    dpl_gallery_close(reader);
    put(f, 2, "Bea");
    assert_int_equal(audit(f->gallery, &l).n_lines, 3);
    assert_int_equal(audit(f->gallery, NULL).broken_at, 0);
    assert_string_equal(l.what[1], "query");
    expect_count(l.text[1], "asked", 3);
}

static void test_many_who_ask_at_once_keep_one_chain(void **state)
{
    enum { N_PROCESSES = 4, N_LINES = 25 };
    fixture *f = *state;
    dpl_audit_report r;

    put(f, 1, "Ann");
    for (int i = 0; i < N_PROCESSES; i++)
        if (fork() == 0) {
            dpl_gallery *reader = kit_open(f->dir, DPL_GALLERY_READ);

            for (int k = 0; k < N_LINES; k++)
                if (dpl_gallery_audit_query(reader, "query", 1, &err) != DPL_OK)
                    _exit(1);
            _exit(0);
        }
    for (int i = 0; i < N_PROCESSES; i++) {
        int how;

        assert_true(wait(&how) > 0);
        assert_int_equal(how, 0);
    }
    r = audit(f->gallery, NULL);
    assert_int_equal(r.n_lines, 1 + N_PROCESSES * N_LINES);
    assert_int_equal(r.broken_at, 0);
}

/* ------------------------------------------------------------------ cut short */

/* Cut the file to so many whole lines and then some bytes of the next. */
static void cut(const fixture *f, int n_lines, size_t n_more)
{
    size_t n;
    char *text = kit_read(f->file, &n), *at = text;

    for (int i = 0; i < n_lines; i++)
        at = strchr(at, '\n') + 1;
    kit_write(f->file, text, (size_t)(at - text) + n_more);
    free(text);
}

/* Between a commit and its line, or in the middle of the line. */
static void test_line_that_a_kill_has_kept_is_written_by_the_next_writer(void **state)
{
    fixture *f = *state;
    size_t n, n_now;
    char *whole;

    put(f, 1, "Ann");
    put(f, 2, "Bea");
    whole = kit_read(f->file, &n);
    for (size_t n_more = 0; n_more < 100; n_more += 33) {
        char *now;

        cut(f, 1, n_more);
        assert_int_equal(audit(f->gallery, NULL).n_waiting, 1);
        assert_int_equal(audit(f->gallery, NULL).broken_at, 0);
        reopen(f);
        now = kit_read(f->file, &n_now);
        assert_int_equal(n_now, n);
        assert_memory_equal(now, whole, n);
        free(now);
    }
    free(whole);
}

static void test_no_change_begins_before_the_last_has_its_line(void **state)
{
    fixture *f = *state;

    put(f, 1, "Ann");
    put(f, 2, "Bea");
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(mkdir(f->file, 0700), 0);
    assert_int_equal(kit_put(f->gallery, 3, "/photos/3.jpg", "Cat", 1, &err), DPL_E_SYSTEM);
    assert_non_null(strstr(err.message, "audit.jsonl"));
    assert_int_equal(rmdir(f->file), 0);
    kit_expect(DPL_OK, kit_put(f->gallery, 3, "/photos/3.jpg", "Cat", 1, &err), &err);
    /* The file that was taken away is missed. */
    assert_int_equal(audit(f->gallery, NULL).broken_at, 1);
    reopen(f);
    assert_int_equal(audit(f->gallery, NULL).broken_at, 1);
}

/* ------------------------------------------------------------------ altered */

static void test_every_altered_byte_is_noticed(void **state)
{
    fixture *f = *state;
    size_t n;
    char *text;

    put(f, 1, "Ann");
    put(f, 2, "Bea");
    put(f, 3, "Cat");
    text = kit_read(f->file, &n);
    /* All but the last newline, without which the line is half one, to be written again. */
    for (size_t i = 0; i + 1 < n; i++) {
        text[i] ^= 1;
        kit_write(f->file, text, n);
        if (!audit(f->gallery, NULL).broken_at)
            fail_msg("byte %zu can be altered", i);
        text[i] ^= 1;
    }
    free(text);
}

static void test_lines_taken_out_moved_or_cut_off_are_noticed(void **state)
{
    static const int orders[][4] = {{1, 2, 3, -1}, {0, 2, 3, -1}, {0, 1, 3, -1}, {0, 1, -1},
                                    {1, 0, 2, 3},  {0, 2, 1, 3},  {0, 1, 1, 2},  {-1}};
    fixture *f = *state;
    const char *line[4];
    size_t n, length[4];
    char *text, *at;

    for (int i = 0; i < 4; i++)
        put(f, (uint64_t)i + 1, "Ann");
    text = at = kit_read(f->file, &n);
    for (int i = 0; i < 4; i++) {
        line[i] = at;
        at = strchr(at, '\n') + 1;
        length[i] = (size_t)(at - line[i]);
    }
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        FILE *file = fopen(f->file, "w");

        for (int i = 0; i < 4 && orders[o][i] >= 0; i++)
            fwrite(line[orders[o][i]], 1, length[orders[o][i]], file);
        fclose(file);
        if (!audit(f->gallery, NULL).broken_at)
            fail_msg("order %zu goes unnoticed", o);
    }
    free(text);
}

/* Who makes the lines anew from the first must not have their chain taken for it. */
static void test_audit_made_anew_is_noticed(void **state)
{
    fixture *f = *state, other;
    void *state_of_other;
    char *text;
    size_t n;

    put(f, 1, "Ann");
    put(f, 2, "Bea");
    set_up(&state_of_other);
    other = *(fixture *)state_of_other;
    kit_expect(DPL_OK, dpl_gallery_set_user(other.gallery, "somebody else", &err), &err);
    put(&other, 1, "Ann");
    put(&other, 2, "Bea");
    text = kit_read(other.file, &n);
    kit_write(f->file, text, n);
    free(text);
    assert_int_equal(audit(f->gallery, NULL).broken_at, 1);
    tear_down(&state_of_other);
}

static void test_cut_lines_stay_missed_when_more_come(void **state)
{
    fixture *f = *state;

    for (uint64_t i = 1; i <= 4; i++)
        put(f, i, "Ann");
    cut(f, 1, 0);
    for (uint64_t i = 5; i <= 9; i++)
        put(f, i, "Ann");
    assert_int_equal(audit(f->gallery, NULL).broken_at, 2);
}

static void test_damaged_last_line_is_told_before_anything_is_changed(void **state)
{
    fixture *f = *state;
    dpl_check_report check;
    size_t n;
    char *text;

    put(f, 1, "Ann");
    text = kit_read(f->file, &n);
    text[n / 2] ^= 1;
    kit_write(f->file, text, n);
    free(text);
    assert_int_equal(kit_put(f->gallery, 2, "/photos/2.jpg", "Bea", 1, &err), DPL_E_GALLERY);
    assert_non_null(strstr(err.message, "audit"));
    kit_expect(DPL_OK, dpl_gallery_check(&check, f->gallery, NULL, NULL, &err), &err);
    assert_int_equal(check.n_damaged, 1);
    assert_int_equal(check.n_photos, 1);
}

/* ------------------------------------------------------------------ forgetting */

static char *receipt_of(fixture *f, const char *person, const char *const *paths, size_t n)
{
    dpl_forget_report report;
    char *receipt;

    kit_expect(DPL_OK, dpl_gallery_forget(&report, f->gallery, person, paths, n, false, &err),
               &err);
    assert_int_equal(report.n_left + report.n_strings_left, 0);
    kit_expect(DPL_OK,
               dpl_forget_receipt(&receipt, f->gallery, &report, person, paths, n, &err), &err);
    return receipt;
}

static const char *check(fixture *f, const char *receipt)
{
    static char why[256];

    kit_expect(DPL_OK,
               dpl_gallery_check_receipt(why, f->gallery, receipt, strlen(receipt), &err), &err);
    return why;
}

static void test_audit_knows_no_name_and_no_path(void **state)
{
    fixture *f = *state;
    char *receipt;

    put(f, 1, "Annabella Example");
    kit_expect(DPL_OK,
               dpl_gallery_rename(f->gallery, "Annabella Example", "Bernadette Example", &err),
               &err);
    put(f, 2, "Bernadette Example");
    assert_int_equal(kit_files_with(f->dir, "Annabella", 9) > 0, 1);
    receipt = receipt_of(f, "Bernadette Example", NULL, 0);
    assert_string_equal(check(f, receipt), "");
    assert_int_equal(kit_files_with(f->dir, "Annabella", 9), 0);
    assert_int_equal(kit_files_with(f->dir, "Bernadette", 10), 0);
    assert_int_equal(kit_files_with(f->dir, "/photos/", 8), 0);
    free(receipt);
}

static void test_user_who_is_called_as_the_forgotten_stays(void **state)
{
    fixture *f = *state;
    char *receipt;

    kit_expect(DPL_OK, dpl_gallery_set_user(f->gallery, "annabella", &err), &err);
    put(f, 1, "annabella");
    receipt = receipt_of(f, "annabella", NULL, 0);
    assert_string_equal(check(f, receipt), "");
    free(receipt);
}

static void test_receipt_is_right_only_as_it_was_given(void **state)
{
    static const char *const members[] = {
        "person\":\"A",         "persons_removed\":", "photos_removed\":",   "templates_removed\":",
        "vectors_searched\":",  "vectors_left\":",    "strings_searched\":", "strings_left\":",
        "secret\":\"",          "{\"n\":",            "hash\":\"",           "time\":\"2"};
    fixture *f = *state;
    char *receipt;

    put(f, 1, "Ann");
    put(f, 2, "Bea");
    receipt = receipt_of(f, "Ann", NULL, 0);
    put(f, 3, "Cat");
    assert_string_equal(check(f, receipt), "");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char *at = strstr(receipt, members[i]);

        assert_non_null(at);
        at += strlen(members[i]);
        *at ^= 1;
        if (!*check(f, receipt))
            fail_msg("%s can be altered", members[i]);
        *at ^= 1;
    }
    cut(f, 2, 0);
    assert_string_not_equal(check(f, receipt), "");
    free(receipt);
}

static void test_receipt_of_photos_and_of_bytes(void **state)
{
    static const char *const paths[] = {"/photos/1.jpg", "/photos/2.jpg"};
    fixture *f = *state;
    char *receipt;

    put(f, 1, "Ann");
    put(f, 2, "Ann");
    put(f, 3, "\xffname");
    receipt = receipt_of(f, NULL, paths, 2);
    assert_string_equal(check(f, receipt), "");
    free(receipt);
    receipt = receipt_of(f, "\xffname", NULL, 0);
    assert_string_equal(check(f, receipt), "");
    free(receipt);
}

static void test_no_receipt_is_told(void **state)
{
    static const char *const texts[] = {"", "{", "[]", "{\"schema\":\"doppel.receipt/1\"}",
                                        "{\"schema\":\"doppel.verify/1\"}",
                                        "{\"schema\":\"doppel.receipt/1\",\"secret\":\"0\","
                                        "\"photos\":[{}],\"audit\":{\"n\":1,\"hash\":\"\"}}"};
    fixture *f = *state;
    dpl_forget_report none = {0};
    char why[256], *receipt;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(
            dpl_gallery_check_receipt(why, f->gallery, texts[i], strlen(texts[i]), &err),
            DPL_E_INPUT);
    assert_int_equal(dpl_forget_receipt(&receipt, f->gallery, &none, "Ann", NULL, 0, &err),
                     DPL_E_ARGUMENT);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define OF_FILE(test)                                                                              \
    {                                                                                              \
        #test, kit_is_database() ? kit_needs_folder : test, set_up, tear_down, NULL                \
    }
    const struct CMUnitTest tests[] = {
        WITH(test_change_is_a_line_that_counts),
        WITH(test_change_of_several_transactions_is_one_line),
        WITH(test_what_changes_nothing_leaves_no_line),
        WITH(test_who_is_served_is_named),
        WITH(test_questions_are_lines_between_changes),
        WITH(test_many_who_ask_at_once_keep_one_chain),
        OF_FILE(test_line_that_a_kill_has_kept_is_written_by_the_next_writer),
        OF_FILE(test_no_change_begins_before_the_last_has_its_line),
        OF_FILE(test_every_altered_byte_is_noticed),
        OF_FILE(test_lines_taken_out_moved_or_cut_off_are_noticed),
        OF_FILE(test_audit_made_anew_is_noticed),
        OF_FILE(test_cut_lines_stay_missed_when_more_come),
        OF_FILE(test_damaged_last_line_is_told_before_anything_is_changed),
        WITH(test_audit_knows_no_name_and_no_path),
        WITH(test_user_who_is_called_as_the_forgotten_stays),
        OF_FILE(test_receipt_is_right_only_as_it_was_given),
        WITH(test_receipt_of_photos_and_of_bytes),
        WITH(test_no_receipt_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
