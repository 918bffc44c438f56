/*
 * test_model_meta.c - what is said about a model changes, and nothing else of its file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/model_hash.h"
#include "net/model_meta.h"
#include "tests/net/onnx_writer.h"

/* Fields as any maker may leave them: of a kind that we do not know, behind metadata, too. */
static dpli_buf a_file(const char *const *keys, size_t n_keys)
{
    dpli_buf b = {0};

    put_int(&b, 1, 8);
    put_string(&b, 2, "a maker");
    for (size_t i = 0; i < n_keys; i++) {
        dpli_buf entry = {0};
        put_string(&entry, 1, keys[i]);
        put_string(&entry, 2, "old");
        put_message(&b, 14, &entry);
        put_float(&b, 700, (float)i);
    }
    put_string(&b, 7, "the graph");
    return b;
}

static dpli_buf set(const dpli_buf *from, const dpli_meta *metas, size_t n)
{
    dpli_buf to = {0};
    uint8_t *bytes;
    dpl_error err;

    if (dpli_model_set_meta(&bytes, &to.len, (const uint8_t *)from->data, from->len, metas, n,
                            &err) != DPL_OK)
        fail_msg("%s", err.message);
    to.data = (char *)bytes;
    return to;
}

static void expect_same(const dpli_buf *got, const dpli_buf *want)
{
    assert_int_equal(got->len, want->len);
    assert_memory_equal(got->data, want->data, want->len);
}

static void a_value_is_replaced_and_all_else_keeps_its_bytes(void **state)
{
    static const char *const keys[] = {"doppel.kind", "doppel.calibration", "other"};
    const dpli_meta metas[] = {{"doppel.calibration", "new"}};
    dpli_buf file = a_file(keys, 3), got = set(&file, metas, 1), want = {0}, entry = {0};
    char before[65], after[65];

    (void)state;
    put_int(&want, 1, 8);
    put_string(&want, 2, "a maker");
    for (int i = 0; i < 3; i++) {
        if (i != 1) {
            put_string(&entry, 1, keys[i]);
            put_string(&entry, 2, "old");
            put_message(&want, 14, &entry);
            entry = (dpli_buf){0};
        }
        put_float(&want, 700, (float)i);
    }
    put_string(&want, 7, "the graph");
    put_string(&entry, 1, "doppel.calibration");
    put_string(&entry, 2, "new");
    put_message(&want, 14, &entry);
    expect_same(&got, &want);
    assert_int_equal(dpli_model_hash(before, (uint8_t *)file.data, file.len, NULL), DPL_OK);
    assert_int_equal(dpli_model_hash(after, (uint8_t *)got.data, got.len, NULL), DPL_OK);
    assert_string_equal(before, after);
    dpli_buf_clear(&file);
    dpli_buf_clear(&got);
    dpli_buf_clear(&want);
}

static void the_same_again_gives_the_same_bytes(void **state)
{
    const dpli_meta metas[] = {{"a", "1"}, {"b", "2"}};
    dpli_buf file = a_file(NULL, 0), once = set(&file, metas, 2), twice = set(&once, metas, 2);

    (void)state;
    expect_same(&twice, &once);
    dpli_buf_clear(&file);
    dpli_buf_clear(&once);
    dpli_buf_clear(&twice);
}

static size_t count(const dpli_buf *b, const char *text)
{
    const size_t length = strlen(text);
    size_t n = 0;

    for (size_t i = 0; i + length <= b->len; i++)
        n += memcmp(b->data + i, text, length) == 0;
    return n;
}

static void a_key_without_a_value_goes_every_time_it_is_there(void **state)
{
    static const char *const keys[] = {"key", "keys", "key"};
    const dpli_meta metas[] = {{"key", NULL}};
    dpli_buf file = a_file(keys, 3), got = set(&file, metas, 1);

    (void)state;
    assert_int_equal(count(&file, "key"), 3);
    assert_int_equal(count(&got, "key"), 1);
    assert_int_equal(count(&got, "keys"), 1);
    dpli_buf_clear(&file);
    dpli_buf_clear(&got);
}

static void what_is_cut_off_is_refused_with_its_place(void **state)
{
    static const char *const keys[] = {"a"};
    const dpli_meta metas[] = {{"a", "1"}};
    dpli_buf file = a_file(keys, 1);
    size_t n_refused = 0;

    (void)state;
    for (size_t n = 1; n < file.len; n++) {
        uint8_t *bytes = NULL;
        size_t n_bytes;
        dpl_error err;

        if (dpli_model_set_meta(&bytes, &n_bytes, (const uint8_t *)file.data, n, metas, 1, &err) !=
            DPL_OK) {
            assert_int_equal(err.status, DPL_E_MODEL);
            assert_non_null(strstr(err.message, "not an ONNX file at byte"));
            assert_null(bytes);
            n_refused++;
        }
        free(bytes);
    }
    /* Only where one field ends and the next begins is the beginning a file of its own. */
    assert_int_equal(n_refused, file.len - 1 - 4);
    dpli_buf_clear(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_replaced_and_all_else_keeps_its_bytes),
        cmocka_unit_test(the_same_again_gives_the_same_bytes),
        cmocka_unit_test(a_key_without_a_value_goes_every_time_it_is_there),
        cmocka_unit_test(what_is_cut_off_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
