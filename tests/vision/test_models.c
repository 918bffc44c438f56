/*
 * test_models.c - finding the models that come with doppel: where one is told, and else beside the
 * program (the build tree has the layout of an installed one).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "doppel/doppel.h"

static void what_is_told_wins_and_nothing_else_is_looked_at(void **state)
{
    char here[4096], wanted[4200];
    dpl_error err;
    char *path;

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(setenv("DOPPEL_MODELS", DPL_MODELS_DIR, 1), 0);
    assert_int_equal(dpl_models_find(&path, DPL_MODEL_ENCODER, &err), DPL_OK);
    assert_string_equal(path, DPL_MODELS_DIR "/face-105.onnx");
    dpl_bytes_free(path);
    assert_int_equal(setenv("DOPPEL_MODELS", here, 1), 0);
    assert_int_equal(dpl_models_find(&path, DPL_MODEL_DETECTOR, &err), DPL_E_MODEL);
    assert_null(path);
    snprintf(wanted, sizeof wanted, "no model \"face-detect.onnx\" in \"%s\"", here);
    assert_string_equal(err.message, wanted);
    assert_int_equal(dpl_models_find(&path, DPL_MODEL_DETECTOR, NULL), DPL_E_MODEL);
}

static void without_being_told_they_are_beside_the_program(void **state)
{
    dpl_error err;
    char *path;

    (void)state;
    for (int told = 0; told < 2; told++) {
        assert_int_equal(told ? setenv("DOPPEL_MODELS", "", 1) : unsetenv("DOPPEL_MODELS"), 0);
        if (dpl_models_find(&path, DPL_MODEL_ENCODER, &err) != DPL_OK)
            fail_msg("%s", err.message);
        assert_non_null(strstr(path, "/share/doppel/models/face-105.onnx"));
        assert_null(strstr(path, ".."));
        assert_int_equal(access(path, R_OK), 0);
        dpl_bytes_free(path);
    }
}

/* Beside the program and beside the library are the same place when it is linked in. */
static void places_are_named_once_each(void **state)
{
    const char *first, *words = "/share/doppel/models\"";
    dpl_error err;
    char *path;

    (void)state;
    assert_int_equal(unsetenv("DOPPEL_MODELS"), 0);
    assert_int_equal(dpl_models_find(&path, "nosuch.onnx", &err), DPL_E_MODEL);
    assert_null(path);
    assert_non_null(strstr(err.message, "no model \"nosuch.onnx\" in \"/"));
    first = strstr(err.message, words);
    assert_non_null(first);
    first = strstr(first + 1, words);
    assert_non_null(first);
    assert_null(strstr(first + 1, words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_wins_and_nothing_else_is_looked_at),
        cmocka_unit_test(without_being_told_they_are_beside_the_program),
        cmocka_unit_test(places_are_named_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
