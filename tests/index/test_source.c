/*
 * test_source.c - a photo's path and the URI that stands for it: each gives the other back, and one
 * path has one URI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "index/source.h"

static dpl_error err;

static void a_path_is_encoded_byte_by_byte(void **state)
{
    static const char *const cases[][2] = {
        {"/photos/Ann/1.jpg", "file:///photos/Ann/1.jpg"},
        {"/", "file:///"},
        {"/a b%.jpg", "file:///a%20b%25.jpg"},
        {"/-._~", "file:///-._~"},
        {"/?#[]@!$&'()*+,;=:", "file:///%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A"},
        {"/caf\xe9/\x01\xff", "file:///caf%E9/%01%FF"},
        {"https://example.org/a%20b.jpg", "https://example.org/a%20b.jpg"},
        {"upload:1", "upload:1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *uri, *shown;

        assert_int_equal(dpli_source_of(&uri, cases[i][0], &err), DPL_OK);
        assert_string_equal(uri, cases[i][1]);
        assert_int_equal(dpli_source_shown(&shown, uri, &err), DPL_OK);
        assert_string_equal(shown, cases[i][0]);
        assert_int_equal(dpli_source_is_file(shown), shown[0] == '/');
        free(uri);
        free(shown);
    }
}

static void a_path_is_resolved_as_its_letters_say(void **state)
{
    static const char *const cases[][2] = {
        {"/etc/../x", "file:///x"},
        {"/a/./b", "file:///a/b"},
        {"/a//b", "file:///a/b"},
        {"//a", "file:///a"},
        {"/a/", "file:///a"},
        {"/..", "file:///"},
        {"/../../a", "file:///a"},
        {"/.", "file:///"},
        {"//", "file:///"},
        {"/a/b/../..", "file:///"},
        {"/a/b/../../c", "file:///c"},
        {"/...", "file:///..."},
        {"/a/..b/.c", "file:///a/..b/.c"},
        {"/a/b/..//./c/", "file:///a/c"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *uri;

        assert_int_equal(dpli_source_of(&uri, cases[i][0], &err), DPL_OK);
        assert_string_equal(uri, cases[i][1]);
        free(uri);
    }
}

static void any_path_comes_back(void **state)
{
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        char path[32] = "/", *uri, *shown;
        const int n = 1 + (int)dpli_rng_below(&rng, 30);

        for (int k = 1; k < n; k++)
            path[k] = (char)(1 + dpli_rng_below(&rng, 255));
        if (strstr(path, "//") || strstr(path, "/.") || (n > 1 && path[n - 1] == '/'))
            continue; /* not as a path is known by */
        path[n] = '\0';
        assert_int_equal(dpli_source_of(&uri, path, &err), DPL_OK);
        for (const char *c = uri; *c; c++)
            assert_true(*c > ' ' && *c <= '~');
        assert_int_equal(dpli_source_shown(&shown, uri, &err), DPL_OK);
        assert_string_equal(shown, path);
        free(uri);
        free(shown);
    }
}

static void what_is_no_source_is_refused(void **state)
{
    static const char *const paths[] = {"",         "a.jpg",   "a:b",           "file:///a.jpg",
                                        "http:",    ":a",      "1http:a",       "Http://a",
                                        "http:a b", "http:\n", "http:\xc3\xa9", "a/b:c"};
    static const char *const uris[] = {"",
                                       "/a.jpg",
                                       "file:/a",
                                       "file://host/a",
                                       "file://",
                                       "file:///%",
                                       "file:///%2",
                                       "file:///%g0",
                                       "file:///%00",
                                       "file:///%41",
                                       "file:///%e9",
                                       "file:///a b",
                                       "file:///\xe9"};
    char *out;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(dpli_source_of(&out, paths[i], &err), DPL_E_ARGUMENT);
        assert_null(out);
    }
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        assert_int_equal(dpli_source_shown(&out, uris[i], &err), DPL_E_INPUT);
        assert_null(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_encoded_byte_by_byte),
        cmocka_unit_test(a_path_is_resolved_as_its_letters_say),
        cmocka_unit_test(any_path_comes_back),
        cmocka_unit_test(what_is_no_source_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
