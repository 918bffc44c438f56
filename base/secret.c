/*
 * secret.c - libsodium behind as little as sealing needs of it.
 */
#include "base/secret.h"

#include <sodium.h>
#include <string.h>

#include "base/fail.h"

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == DPLI_KEY_BYTES, "a key");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == 24, "a nonce");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == 16, "a tag");
_Static_assert(crypto_pwhash_SALTBYTES == DPLI_SALT_BYTES, "a salt");

/* What a file may ask for: between what resists nobody and what no machine should be made to do. */
enum { MIN_PASSES = 1, MAX_PASSES = 64 };
static const uint64_t min_memory = 8 << 20, max_memory = (uint64_t)2 << 30;

dpl_status dpli_secret_start(dpl_error *err)
{
    return sodium_init() >= 0 ? DPL_OK
                              : dpli_fail(err, DPL_E_SYSTEM, "no random numbers from the system");
}

void *dpli_secret_alloc(size_t n, dpl_error *err)
{
    void *secret = sodium_malloc(n);

    if (!secret)
        dpli_fail(err, DPL_E_MEMORY, "out of memory: %zu bytes for keys", n);
    else
        memset(secret, 0, n);
    return secret;
}

void dpli_secret_free(void *secret)
{
    sodium_free(secret);
}

void dpli_secret_wipe(void *bytes, size_t n)
{
    sodium_memzero(bytes, n);
}

void dpli_secret_random(void *bytes, size_t n)
{
    randombytes_buf(bytes, n);
}

bool dpli_secret_equal(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}

/* ------------------------------------------------------------------ keys of keys */

void dpli_secret_children(uint8_t out[2 * DPLI_KEY_BYTES], const uint8_t key[DPLI_KEY_BYTES])
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

    /* One block of the cipher: 64 bytes of 32. */
    crypto_stream_chacha20(out, 2 * DPLI_KEY_BYTES, nonce, key);
}

void dpli_secret_derive(uint8_t out[DPLI_KEY_BYTES], const uint8_t key[DPLI_KEY_BYTES],
                        const char *purpose)
{
    crypto_generichash(out, DPLI_KEY_BYTES, (const unsigned char *)purpose, strlen(purpose), key,
                       DPLI_KEY_BYTES);
}

void dpli_secret_hash(uint8_t out[DPLI_HASH_BYTES], const uint8_t *key, const void *bytes, size_t n)
{
    crypto_generichash(out, DPLI_HASH_BYTES, bytes, n, key, key ? DPLI_KEY_BYTES : 0);
}

uint64_t dpli_secret_sum(const uint8_t key[DPLI_KEY_BYTES], const void *bytes, size_t n)
{
    uint64_t sum;

    crypto_shorthash((unsigned char *)&sum, bytes, n, key);
    return sum;
}

dpl_status dpli_secret_stretch(uint8_t out[DPLI_KEY_BYTES], const void *secret, size_t n,
                               const uint8_t salt[DPLI_SALT_BYTES], uint32_t passes,
                               uint64_t memory_bytes, dpl_error *err)
{
    if (passes < MIN_PASSES || passes > MAX_PASSES || memory_bytes < min_memory ||
        memory_bytes > max_memory)
        return dpli_fail(err, DPL_E_GALLERY,
                         "a passphrase of %u passes over %llu MiB, the limit is %d over %llu",
                         (unsigned)passes, (unsigned long long)memory_bytes >> 20, MAX_PASSES,
                         (unsigned long long)max_memory >> 20);
    if (crypto_pwhash(out, DPLI_KEY_BYTES, secret, n, salt, passes, (size_t)memory_bytes,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory: %llu MiB for the passphrase",
                         (unsigned long long)memory_bytes >> 20);
    return DPL_OK;
}

/* ------------------------------------------------------------------ sealing */

void dpli_seal(uint8_t *out, const uint8_t key[DPLI_KEY_BYTES], const void *about, size_t n_about,
               const void *text, size_t n)
{
    randombytes_buf(out, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
                                               NULL, text, n, about, n_about, NULL, out, key);
}

bool dpli_unseal(void *out, const uint8_t key[DPLI_KEY_BYTES], const void *about, size_t n_about,
                 const uint8_t *sealed, size_t n)
{
    const size_t n_nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;

    return n >= DPLI_SEAL_EXTRA &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(
               out, NULL, NULL, sealed + n_nonce, n - n_nonce, about, n_about, sealed, key) == 0;
}

/* ------------------------------------------------------------------ as text */

/* By tables, as what is written so is no secret: libsodium's, which take as long for any text, are
   several times slower. */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
enum { NO = 64 };
static const uint8_t values[128] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, 62, NO, NO, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO, NO, 0,
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, NO, NO, NO, NO, 63, NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
    39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
};

void dpli_to_text(char *out, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    const size_t n_text = dpli_text_length(n);
    uint32_t bits = 0;
    unsigned n_bits = 0;

    for (size_t i = 0; i < n_text; i++) {
        if (n_bits < 6) {
            bits = bits << 8 | (n > 0 ? *from++ : 0U);
            n -= n > 0;
            n_bits += 8;
        }
        n_bits -= 6;
        out[i] = digits[bits >> n_bits & 63];
    }
    out[n_text] = '\0';
}

bool dpli_from_text(uint8_t *out, size_t *n, const char *text, size_t n_text)
{
    uint32_t bits = 0, bad = 0;
    unsigned n_bits = 0;
    size_t i = 0;

    *n = 0;
    for (; n_text - i >= 4; i += 4) {
        const uint8_t *c = (const uint8_t *)text + i;
        const uint32_t v0 = values[c[0] & 127], v1 = values[c[1] & 127], v2 = values[c[2] & 127],
                       v3 = values[c[3] & 127];

        bad |= ((c[0] | c[1] | c[2] | c[3]) & 128U) | ((v0 | v1 | v2 | v3) & NO);
        out[*n] = (uint8_t)(v0 << 2 | v1 >> 4);
        out[*n + 1] = (uint8_t)(v1 << 4 | v2 >> 2);
        out[*n + 2] = (uint8_t)(v2 << 6 | v3);
        *n += 3;
    }
    for (; i < n_text; i++) {
        const uint8_t c = (uint8_t)text[i], value = values[c & 127];

        bad |= (c & 128U) | (value & NO);
        bits = bits << 6 | value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[(*n)++] = (uint8_t)(bits >> n_bits);
        }
    }
    /* A last character that says nothing, or more than there are bytes, is no such text. */
    return n_bits < 6 && !(bits & ((1U << n_bits) - 1)) && !bad;
}

/* ------------------------------------------------------------------ a stream */

struct dpli_stream {
    crypto_secretstream_xchacha20poly1305_state state;
};

_Static_assert(crypto_secretstream_xchacha20poly1305_HEADERBYTES == DPLI_STREAM_HEAD, "a head");
_Static_assert(crypto_secretstream_xchacha20poly1305_ABYTES == DPLI_STREAM_EXTRA, "a tag");

dpl_status dpli_stream_seal_from(dpli_stream **out, uint8_t head[DPLI_STREAM_HEAD],
                                 const uint8_t key[DPLI_KEY_BYTES], dpl_error *err)
{
    *out = dpli_secret_alloc(sizeof **out, err);
    if (!*out)
        return DPL_E_MEMORY;
    crypto_secretstream_xchacha20poly1305_init_push(&(*out)->state, head, key);
    return DPL_OK;
}

dpl_status dpli_stream_open_from(dpli_stream **out, const uint8_t head[DPLI_STREAM_HEAD],
                                 const uint8_t key[DPLI_KEY_BYTES], dpl_error *err)
{
    *out = dpli_secret_alloc(sizeof **out, err);
    if (!*out)
        return DPL_E_MEMORY;
    crypto_secretstream_xchacha20poly1305_init_pull(&(*out)->state, head, key);
    return DPL_OK;
}

void dpli_stream_seal(uint8_t *out, dpli_stream *s, const void *text, size_t n, bool last)
{
    crypto_secretstream_xchacha20poly1305_push(
        &s->state, out, NULL, text, n, NULL, 0,
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
}

bool dpli_stream_open(void *out, bool *last, dpli_stream *s, const uint8_t *sealed, size_t n)
{
    unsigned char tag = 0;
    const bool good = n >= DPLI_STREAM_EXTRA &&
                      crypto_secretstream_xchacha20poly1305_pull(&s->state, out, NULL, &tag, sealed,
                                                                 n, NULL, 0) == 0;

    *last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return good;
}
