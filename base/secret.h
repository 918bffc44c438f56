/*
 * Secrets: keys in memory that is neither swapped nor dumped, and what is made with them. secret.c
 * is the one file that includes libsodium.
 *
 * Sealing is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) with a random nonce, which stands before
 * the text: so many bits that it never has to be counted. A passphrase becomes a key by Argon2id
 * (RFC 9106).
 */
#ifndef DOPPEL_BASE_SECRET_H
#define DOPPEL_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

enum {
    DPLI_KEY_BYTES = 32,
    DPLI_SEAL_EXTRA = 24 + 16, /* a sealed text is longer by its nonce and its tag */
    DPLI_SALT_BYTES = 16,
    DPLI_HASH_BYTES = 32
};

/** Before any other of these; any number of times, by any thread. DPL_E_SYSTEM: no random numbers.
 */
dpl_status dpli_secret_start(dpl_error *err);

/** n bytes between pages that nobody may touch, of which no dump and, as far as the limit of locked
 * memory goes, no swap ever gets one; zeroed when freed, which takes NULL. */
void *dpli_secret_alloc(size_t n, dpl_error *err);
void dpli_secret_free(void *secret);
/** Leave nothing of what was in n bytes. */
void dpli_secret_wipe(void *bytes, size_t n);
void dpli_secret_random(void *bytes, size_t n);
bool dpli_secret_equal(const void *a, const void *b, size_t n);

/** Two keys of one, from none of which another can be had. */
void dpli_secret_children(uint8_t out[2 * DPLI_KEY_BYTES], const uint8_t key[DPLI_KEY_BYTES]);
/** A key for one purpose. */
void dpli_secret_derive(uint8_t out[DPLI_KEY_BYTES], const uint8_t key[DPLI_KEY_BYTES],
                        const char *purpose);
/** BLAKE2b of bytes: keyed, or with key NULL not. */
void dpli_secret_hash(uint8_t out[DPLI_HASH_BYTES], const uint8_t *key, const void *bytes,
                      size_t n);
/** 64 bits that say nothing of the bytes to who has not the key, and which only who has it can make
 * (SipHash-2-4). */
uint64_t dpli_secret_sum(const uint8_t key[DPLI_KEY_BYTES], const void *bytes, size_t n);

/** out: n + DPLI_SEAL_EXTRA bytes. What it is bound to (about) has to be the same for opening. */
void dpli_seal(uint8_t *out, const uint8_t key[DPLI_KEY_BYTES], const void *about, size_t n_about,
               const void *text, size_t n);
/** out: n - DPLI_SEAL_EXTRA bytes, zeroed on failure. False: another key, or not what was written.
 */
bool dpli_unseal(void *out, const uint8_t key[DPLI_KEY_BYTES], const void *about, size_t n_about,
                 const uint8_t *sealed, size_t n);

/* A stream of pieces that opens in its order, from its beginning to its end, or not (libsodium's
   secretstream, XChaCha20-Poly1305). Freed by dpli_secret_free. */
typedef struct dpli_stream dpli_stream;
enum { DPLI_STREAM_HEAD = 24, DPLI_STREAM_EXTRA = 17 };
dpl_status dpli_stream_seal_from(dpli_stream **out, uint8_t head[DPLI_STREAM_HEAD],
                                 const uint8_t key[DPLI_KEY_BYTES], dpl_error *err);
dpl_status dpli_stream_open_from(dpli_stream **out, const uint8_t head[DPLI_STREAM_HEAD],
                                 const uint8_t key[DPLI_KEY_BYTES], dpl_error *err);
/** out: n + DPLI_STREAM_EXTRA bytes. */
void dpli_stream_seal(uint8_t *out, dpli_stream *stream, const void *text, size_t n, bool last);
/** out: n - DPLI_STREAM_EXTRA bytes; *last: nothing follows. */
bool dpli_stream_open(void *out, bool *last, dpli_stream *stream, const uint8_t *sealed, size_t n);

/**
 * A key of a passphrase, or of any secret.
 *
 * @param passes, memory_bytes  of Argon2id; more is slower, for who guesses too
 * @retval DPL_E_GALLERY  out of what doppel ever uses: what says so is damaged
 * @retval DPL_E_MEMORY   there is not as much
 */
dpl_status dpli_secret_stretch(uint8_t out[DPLI_KEY_BYTES], const void *secret, size_t n,
                               const uint8_t salt[DPLI_SALT_BYTES], uint32_t passes,
                               uint64_t memory_bytes, dpl_error *err);

/** Bytes as text of letters, digits, "-" and "_", without padding, and back. */
static inline size_t dpli_text_length(size_t n)
{
    return (n * 4 + 2) / 3;
}
/** out: dpli_text_length(n) characters and a NUL. */
void dpli_to_text(char *out, const void *bytes, size_t n);
/** out has room for n_text * 3 / 4 bytes. False: not such a text. */
bool dpli_from_text(uint8_t *out, size_t *n, const char *text, size_t n_text);

#endif
