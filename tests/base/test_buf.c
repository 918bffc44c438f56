/*
 * test_buf.c - checked memory, growing text, base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/failing_alloc.h"

static void sizes_that_overflow_are_refused(void **state)
{
    dpl_error err = {DPL_OK, ""};
    void *p = malloc(8);

    (void)state;
    assert_null(dpli_alloc(SIZE_MAX / 2, 3, &err));
    assert_int_equal(err.status, DPL_E_MEMORY);
    assert_null(dpli_calloc(SIZE_MAX / 2, 3, NULL));
    assert_null(dpli_alloc_aligned(SIZE_MAX / 2, 3, NULL));
    assert_null(dpli_alloc_aligned(SIZE_MAX - 8, 1, NULL));
    assert_null(dpli_realloc(p, SIZE_MAX / 2, 3, NULL));
    free(p);
}

static void array_grows_to_what_is_needed_or_stays_as_it_was(void **state)
{
    size_t cap = 0;
    int *items = dpli_grow(NULL, &cap, 1, sizeof *items, NULL), *grown;

    (void)state;
    assert_non_null(items);
    assert_true(cap >= 1);
    for (size_t n = 0; n < 100000; n++) {
        const size_t before = cap;

        grown = dpli_grow(items, &cap, n + 1, sizeof *items, NULL);
        assert_non_null(grown);
        assert_true(cap >= n + 1);
        assert_true(cap == before || cap >= 2 * before);
        items = grown;
        items[n] = (int)n;
    }
    for (int n = 0; n < 100000; n++)
        assert_int_equal(items[n], n);
    const size_t full = cap;
    fail_allocation(1);
    assert_null(dpli_grow(items, &cap, cap + 1, sizeof *items, NULL));
    fail_at = 0;
    assert_null(dpli_grow(items, &cap, SIZE_MAX / 2, sizeof *items, NULL));
    assert_int_equal(cap, full);
    assert_int_equal(items[99999], 99999);
    grown = dpli_grow(items, &cap, 3 * full, sizeof *items, NULL);
    assert_non_null(grown);
    assert_int_equal(cap, 3 * full);
    free(grown);
}

static void nothing_is_a_valid_size(void **state)
{
    void *p[4] = {dpli_alloc(0, 4, NULL), dpli_calloc(4, 0, NULL), dpli_alloc_aligned(0, 1, NULL),
                  dpli_realloc(NULL, 0, 1, NULL)};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_non_null(p[i]);
        free(p[i]);
    }
}

static void memory_for_kernels_is_aligned(void **state)
{
    (void)state;
    for (size_t n = 1; n < 200; n += 7) {
        unsigned char *p = dpli_alloc_aligned(n, 1, NULL);

        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, n);
        free(p);
    }
}

static void strings_are_copied_and_made(void **state)
{
    char *a = dpli_strdup("one", NULL), *b = dpli_asprintf(NULL, "%s and %d", a, 2);

    (void)state;
    assert_string_equal(a, "one");
    assert_string_equal(b, "one and 2");
    free(a);
    free(b);
}

static void text_grows_piece_by_piece(void **state)
{
    dpli_buf buf = {0};
    char want[5000] = "";

    (void)state;
    dpli_buf_add(&buf, NULL, 0);
    assert_string_equal(buf.data, "");
    for (int i = 0; i < 600; i++) {
        dpli_buf_printf(&buf, "%d", i);
        dpli_buf_str(&buf, ",");
        dpli_buf_add(&buf, "ab", 2);
        sprintf(want + strlen(want), "%d,ab", i);
        assert_true(buf.len < buf.cap);
    }
    assert_int_equal(dpli_buf_check(&buf, NULL), DPL_OK);
    assert_string_equal(buf.data, want);
    assert_int_equal(buf.len, strlen(want));
    dpli_buf_clear(&buf);
    dpli_buf_clear(NULL);
    assert_null(buf.data);
}

static void failed_growth_is_remembered(void **state)
{
    dpli_buf buf = {0};
    dpl_error err;

    (void)state;
    dpli_buf_str(&buf, "kept");
    fail_allocation(1);
    for (int i = 0; i < 100; i++)
        dpli_buf_str(&buf, "0123456789");
    fail_at = 0;
    dpli_buf_printf(&buf, "%d", 1);
    dpli_buf_base64(&buf, "x", 1);
    assert_true(buf.failed);
    assert_int_equal(dpli_buf_check(&buf, &err), DPL_E_MEMORY);
    assert_memory_equal(buf.data, "kept", 4);
    assert_int_equal(strlen(buf.data), buf.len);
    dpli_buf_clear(&buf);
    dpli_buf_add(&buf, "x", SIZE_MAX);
    assert_true(buf.failed);
    dpli_buf_clear(&buf);
}

static void base64_gives_the_vectors_of_rfc_4648(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        dpli_buf buf = {0};
        uint8_t *bytes;
        size_t n;

        dpli_buf_base64(&buf, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(buf.data, pairs[i][1]);
        assert_int_equal(dpli_base64_decode(&bytes, &n, buf.data, NULL), DPL_OK);
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], n);
        free(bytes);
        dpli_buf_clear(&buf);
    }
}

static void base64_returns_all_bytes(void **state)
{
    dpli_rng rng;
    uint8_t in[400];

    (void)state;
    dpli_rng_seed(&rng, 1);
    for (size_t n = 0; n < sizeof in; n++) {
        dpli_buf buf = {0};
        uint8_t *out;
        size_t n_out;

        for (size_t i = 0; i < n; i++)
            in[i] = (uint8_t)dpli_rng_u64(&rng);
        dpli_buf_base64(&buf, in, n);
        assert_int_equal(dpli_base64_decode(&out, &n_out, buf.data, NULL), DPL_OK);
        assert_int_equal(n_out, n);
        assert_memory_equal(out, in, n);
        free(out);
        dpli_buf_clear(&buf);
    }
}

static void malformed_base64_is_refused(void **state)
{
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",  "Zm9v=", "====",    "Z===",
                                      "Zh==", "Zm9=Zm9v", "Zm 9", "Zm9-",  "Zm9\xC3", "Zm8=Zm8="};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dpl_error err = {DPL_OK, ""};
        uint8_t *bytes = (uint8_t *)1;
        size_t n = 1;

        assert_int_equal(dpli_base64_decode(&bytes, &n, bad[i], &err), DPL_E_INPUT);
        assert_null(bytes);
        assert_int_equal(n, 0);
        assert_true(err.message[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(array_grows_to_what_is_needed_or_stays_as_it_was),
        cmocka_unit_test(nothing_is_a_valid_size),
        cmocka_unit_test(memory_for_kernels_is_aligned),
        cmocka_unit_test(strings_are_copied_and_made),
        cmocka_unit_test(text_grows_piece_by_piece),
        cmocka_unit_test(failed_growth_is_remembered),
        cmocka_unit_test(base64_gives_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64_returns_all_bytes),
        cmocka_unit_test(malformed_base64_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
