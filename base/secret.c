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

void dpli_to_text(char *out, const void *bytes, size_t n)
{
    sodium_bin2base64(out, dpli_text_length(n) + 1, bytes, n,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool dpli_from_text(uint8_t *out, size_t *n, const char *text, size_t n_text)
{
    const char *end;

    return sodium_base642bin(out, n_text * 3 / 4, text, n_text, NULL, n, &end,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           end == text + n_text;
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
