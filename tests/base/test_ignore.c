/*
 * test_ignore.c - what an ignore file leaves out, and what it cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ignore.h"

static dpl_error err;
static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "ignore-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void file_path(char path[128])
{
    snprintf(path, 128, "%s/%s", folder, DPLI_IGNORE_FILE);
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    file_path(path);
    unlink(path);
    return rmdir(folder);
}

static dpl_status read_text(dpli_ignore **out, dpli_ignore *above, const char *below,
                            const char *text, size_t n)
{
    char path[128];
    FILE *f;

    file_path(path);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
    return dpli_ignore_read(out, above, folder, below, &err);
}

static void a_pattern_matches_as_its_form_says(void **state)
{
    static const struct {
        const char *text, *path;
        bool is_folder, ignored;
    } cases[] = {
        {"a.jpg", "a.jpg", false, true},
        {"a.jpg", "x/y/a.jpg", false, true},
        {"a.jpg", "a.jpgs", false, false},
        {"*.jpg", "x/b.jpg", false, true},
        {"b?.jpg", "b1.jpg", false, true},
        {"b[0-3].jpg", "b4.jpg", false, false},
        {"drafts/", "drafts", true, true},
        {"drafts/", "drafts", false, false},
        {"/drafts", "drafts", true, true},
        {"/drafts", "x/drafts", true, false},
        {"x/*.jpg", "x/a.jpg", false, true},
        {"x/*.jpg", "x/y/a.jpg", false, false},
        {"**/a.jpg", "x/y/a.jpg", false, true},
        {"x/**", "x", true, true},
        {"x/**", "y/x", true, true},
        {"# a.jpg\n\n  \n", "a.jpg", false, false},
        {"a.jpg \t\r\n", "a.jpg", false, true},
        {"# old\rb.jpg\ra.jpg\r", "a.jpg", false, true},
        {"*.jpg\n!a.jpg", "a.jpg", false, false},
        {"!a.jpg\n*.jpg", "a.jpg", false, true},
        {"!", "a.jpg", false, false},
        {"/", "a.jpg", false, false},
        {"[", "[", false, true},
        {"", "a.jpg", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dpli_ignore *ignore;

        assert_int_equal(read_text(&ignore, NULL, "", cases[i].text, strlen(cases[i].text)),
                         DPL_OK);
        if (dpli_is_ignored(ignore, cases[i].path, cases[i].is_folder) != cases[i].ignored)
            print_error("\"%s\" and \"%s\"\n", cases[i].text, cases[i].path);
        assert_int_equal(dpli_is_ignored(ignore, cases[i].path, cases[i].is_folder),
                         cases[i].ignored);
        dpli_ignore_free(ignore, NULL);
    }
}

static void the_nearest_folders_word_counts(void **state)
{
    dpli_ignore *above, *ignore;

    (void)state;
    assert_int_equal(read_text(&above, NULL, "", "*.jpg\nx/b.png", 13), DPL_OK);
    assert_int_equal(read_text(&ignore, above, "x", "!a.jpg\n/c.png", 13), DPL_OK);
    assert_false(dpli_is_ignored(ignore, "x/a.jpg", false));
    assert_true(dpli_is_ignored(ignore, "x/b.jpg", false));
    assert_true(dpli_is_ignored(ignore, "x/b.png", false));
    assert_true(dpli_is_ignored(ignore, "x/c.png", false));
    assert_false(dpli_is_ignored(ignore, "x/y/c.png", false));
    dpli_ignore_free(ignore, above);
    dpli_ignore_free(above, NULL);
}

static void no_file_leaves_what_is_above(void **state)
{
    dpli_ignore *ignore;

    (void)state;
    assert_int_equal(dpli_ignore_read(&ignore, NULL, folder, "", &err), DPL_OK);
    assert_null(ignore);
    assert_false(dpli_is_ignored(ignore, "a.jpg", false));
    dpli_ignore_free(ignore, NULL);
}

static void what_is_too_long_is_refused_by_name(void **state)
{
    char *text = malloc(70000);
    dpli_ignore *ignore;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', 70000);
    assert_int_equal(read_text(&ignore, NULL, "", text, 70000), DPL_E_LIMIT);
    assert_non_null(strstr(err.message, DPLI_IGNORE_FILE));
    assert_int_equal(read_text(&ignore, NULL, "", text, 1001), DPL_E_LIMIT);
    assert_non_null(strstr(err.message, DPLI_IGNORE_FILE));
    assert_int_equal(read_text(&ignore, NULL, "", text, 1000), DPL_OK);
    dpli_ignore_free(ignore, NULL);
    free(text);
}

static void junk_is_known_by_its_name(void **state)
{
    static const char *const junk[] = {"@eaDir",     "#recycle", ".thumbnails",
                                       "lost+found", "__MACOSX", "$RECYCLE.BIN"};

    (void)state;
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++)
        assert_true(dpli_is_junk_folder(junk[i]));
    assert_false(dpli_is_junk_folder("Ann"));
    assert_false(dpli_is_junk_folder("lost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pattern_matches_as_its_form_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_nearest_folders_word_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_file_leaves_what_is_above, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test(junk_is_known_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
