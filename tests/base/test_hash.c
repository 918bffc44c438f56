/*
 * test_hash.c - SHA-256 and XXH64 against published values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static bool no_memory;

void *__real_EVP_MD_CTX_new(void);
void *__wrap_EVP_MD_CTX_new(void);

void *__wrap_EVP_MD_CTX_new(void)
{
    return no_memory ? NULL : __real_EVP_MD_CTX_new();
}

static void sha256_gives_the_published_digests(void **state)
{
    static const char *const pairs[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[65], a[1000];
    dpli_sha256 s;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(dpli_sha256_of(hex, pairs[i][0], strlen(pairs[i][0]), NULL), DPL_OK);
        assert_string_equal(hex, pairs[i][1]);
    }
    /* A million times the letter a. */
    memset(a, 'a', sizeof a);
    dpli_sha256_init(&s);
    for (int i = 0; i < 1000; i++)
        dpli_sha256_add(&s, a, sizeof a);
    assert_int_equal(dpli_sha256_hex(&s, hex, NULL), DPL_OK);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void sha256_in_pieces_equals_sha256_at_once(void **state)
{
    uint8_t bytes[300];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof bytes; n++)
        for (size_t cut = 0; cut <= n; cut += 13) {
            char once[65], pieces[65];
            dpli_sha256 s;

            assert_int_equal(dpli_sha256_of(once, bytes, n, NULL), DPL_OK);
            dpli_sha256_init(&s);
            dpli_sha256_add(&s, bytes, cut);
            dpli_sha256_add(&s, bytes + cut, n - cut);
            assert_int_equal(dpli_sha256_hex(&s, pieces, NULL), DPL_OK);
            assert_string_equal(once, pieces);
        }
}

static void sha256_without_memory_is_no_digest(void **state)
{
    char hex[65] = "of something else";
    dpl_error err;

    (void)state;
    no_memory = true;
    assert_int_equal(dpli_sha256_of(hex, "abc", 3, &err), DPL_E_MEMORY);
    no_memory = false;
    assert_string_equal(hex, "");
    assert_string_equal(err.message, "out of memory for a SHA-256");
}

static void sum64_is_xxh64(void **state)
{
    uint8_t bytes[101];

    (void)state;
    /* The values are those of the xxhash package of Python for the same input. */
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    assert_true(dpli_sum64(0, "", 0) == 0xef46db3751d8e999u);
    assert_true(dpli_sum64(0, "abc", 3) == 0x44bc2cf5ad770999u);
    assert_true(dpli_sum64(0, bytes, 101) == 0x30383413a6f6646au);
    assert_true(dpli_sum64(12345, bytes, 63) == 0x10c08fc8f1798088u);
}

static void sum64_notices_any_flipped_bit(void **state)
{
    uint8_t bytes[77] = {0};
    uint64_t whole = dpli_sum64(9, bytes, sizeof bytes);

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(dpli_sum64(9, bytes, sizeof bytes) != whole);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(dpli_sum64(9, bytes, sizeof bytes - 1) != whole);
    assert_true(dpli_sum64(8, bytes, sizeof bytes) != whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(sha256_in_pieces_equals_sha256_at_once),
        cmocka_unit_test(sha256_without_memory_is_no_digest),
        cmocka_unit_test(sum64_is_xxh64),
        cmocka_unit_test(sum64_notices_any_flipped_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
