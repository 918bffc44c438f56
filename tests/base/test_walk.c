/*
 * test_walk.c - a folder is walked in the order of names, once, and no further than its own ground.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/walk.h"

static char said[4096];

/* "F a/b;" for a file, and so on: the letters are those of the kinds. */
static dpl_status note(void *ctx, dpli_walked what, const char *path, const char *below,
                       dpl_error *err)
{
    const size_t n = strlen(said);

    (void)ctx;
    (void)path;
    (void)err;
    snprintf(said + n, sizeof said - n, "%c %s;", "FOLPUD"[what], below);
    return DPL_OK;
}

static const char *walked(const char *folder, bool follow_links)
{
    dpli_walker walker = {.follow_links = follow_links};

    said[0] = '\0';
    assert_int_equal(dpli_walk(&walker, folder, note, NULL, NULL), DPL_OK);
    dpli_walker_clear(&walker);
    return said;
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void make_folder(const char *path)
{
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static void make_link(const char *to, const char *path)
{
    unlink(path);
    assert_int_equal(symlink(to, path), 0);
}

static int set_up(void **state)
{
    (void)state;
    make_folder("tree");
    make_folder("tree/b");
    make_folder("outside");
    make_folder("tree-more");
    touch("tree/a.jpg");
    touch("tree/b/c.jpg");
    touch("tree/.hidden");
    touch("outside/secret.jpg");
    touch("tree-more/x.jpg");
    return 0;
}

static void files_come_in_the_order_of_their_names(void **state)
{
    (void)state;
    assert_string_equal(walked("tree", false), "F a.jpg;F b/c.jpg;");
    assert_string_equal(walked("tree/", false), "F a.jpg;F b/c.jpg;");
}

static void a_link_that_leads_out_is_told_and_not_followed(void **state)
{
    (void)state;
    make_link("../outside", "tree/out");
    make_link("../../outside/secret.jpg", "tree/b/secret.jpg");
    /* Begins with the same letters, lies elsewhere. */
    make_link("../tree-more", "tree/more");
    assert_string_equal(walked("tree", false), "F a.jpg;F b/c.jpg;L b/secret.jpg;L more;L out;");
    assert_string_equal(walked("tree", true),
                        "F a.jpg;F b/c.jpg;F b/secret.jpg;F more/x.jpg;F out/secret.jpg;");
    unlink("tree/out");
    unlink("tree/b/secret.jpg");
    unlink("tree/more");
}

static void a_link_within_is_followed_once(void **state)
{
    (void)state;
    make_link("a.jpg", "tree/z.jpg");
    make_link("b", "tree/y");
    make_link(".", "tree/b/up");
    assert_string_equal(walked("tree", false), "F a.jpg;F b/c.jpg;F z.jpg;");
    unlink("tree/z.jpg");
    unlink("tree/y");
    unlink("tree/b/up");
}

static void a_link_to_nothing_is_no_file(void **state)
{
    (void)state;
    make_link("/nowhere/at/all.jpg", "tree/gone.jpg");
    assert_string_equal(walked("tree", false), "F a.jpg;F b/c.jpg;O gone.jpg;");
    unlink("tree/gone.jpg");
}

static void the_folder_walked_may_be_a_link_itself(void **state)
{
    (void)state;
    make_link("tree", "tree-link");
    assert_string_equal(walked("tree-link", false), "F a.jpg;F b/c.jpg;");
    unlink("tree-link");
}

static void the_kernels_words_are_no_files(void **state)
{
    (void)state;
    if (access("/proc/self", F_OK) != 0)
        skip();
    assert_string_equal(walked("/proc", false), "P ;");
    make_link("/proc", "tree/proc");
    assert_string_equal(walked("tree", true), "F a.jpg;F b/c.jpg;P proc;");
    unlink("tree/proc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_in_the_order_of_their_names),
        cmocka_unit_test(a_link_that_leads_out_is_told_and_not_followed),
        cmocka_unit_test(a_link_within_is_followed_once),
        cmocka_unit_test(a_link_to_nothing_is_no_file),
        cmocka_unit_test(the_folder_walked_may_be_a_link_itself),
        cmocka_unit_test(the_kernels_words_are_no_files),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
