/*
 * piece.c - pieces sealed by libcrypto, which has vector instructions for this that libsodium has
 * not.
 */
#include "base/piece.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"

enum { NONCE_BYTES = 12, RANDOM_BYTES = DPLI_SEAL_EXTRA - DPLI_PIECE_EXTRA };

struct dpli_pieces {
    EVP_CIPHER_CTX *ctx;
};

/* Looked for in libcrypto's providers once: each time would be some 10 us. */
static EVP_CIPHER *found[DPLI_N_CIPHERS];

static void find(void)
{
    found[DPLI_AES] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    found[DPLI_CHACHA20] = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
}

/* NULL: it is not there, or memory was out. */
static const EVP_CIPHER *evp_cipher(dpli_cipher cipher)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find);
    return found[cipher];
}

dpli_cipher dpli_cipher_here(void)
{
    return dpli_cpu_has_aes() ? DPLI_AES : DPLI_CHACHA20;
}

dpl_status dpli_pieces_new(dpli_pieces **out, dpli_cipher cipher, const uint8_t key[DPLI_KEY_BYTES],
                           dpl_error *err)
{
    dpli_pieces *p = dpli_calloc(1, sizeof *p, err);

    *out = NULL;
    if (!p)
        return DPL_E_MEMORY;
    p->ctx = EVP_CIPHER_CTX_new();
    if (!p->ctx || !evp_cipher(cipher) ||
        EVP_EncryptInit_ex(p->ctx, evp_cipher(cipher), NULL, key, NULL) != 1) {
        dpli_pieces_free(p);
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for a cipher");
    }
    *out = p;
    return DPL_OK;
}

void dpli_pieces_free(dpli_pieces *pieces)
{
    if (!pieces)
        return;
    EVP_CIPHER_CTX_free(pieces->ctx); /* wipes what was made of the key */
    free(pieces);
}

static void nonce_of(uint8_t nonce[NONCE_BYTES], uint64_t number)
{
    memset(nonce, 0, NONCE_BYTES);
    memcpy(nonce, &number, sizeof number);
}

/* With the nonce and perhaps a key set; out: n bytes and the tag. */
static bool seal(uint8_t *out, EVP_CIPHER_CTX *ctx, const void *about, size_t n_about,
                 const void *text, size_t n)
{
    int n_out = 0, n_more = 0;

    return n <= INT_MAX &&
           (n_about == 0 || EVP_EncryptUpdate(ctx, NULL, &n_out, about, (int)n_about) == 1) &&
           EVP_EncryptUpdate(ctx, out, &n_out, text, (int)n) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + n_out, &n_more) == 1 &&
           (size_t)n_out + (size_t)n_more == n &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, DPLI_PIECE_EXTRA, out + n) == 1;
}

static bool unseal(void *out, EVP_CIPHER_CTX *ctx, const void *about, size_t n_about,
                   const uint8_t *sealed, size_t n)
{
    uint8_t tag[DPLI_PIECE_EXTRA];
    int n_out = 0, n_more = 0;
    bool good;

    memcpy(tag, sealed + n, sizeof tag);
    good = (n_about == 0 || EVP_DecryptUpdate(ctx, NULL, &n_out, about, (int)n_about) == 1) &&
           EVP_DecryptUpdate(ctx, out, &n_out, sealed, (int)n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, DPLI_PIECE_EXTRA, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, (uint8_t *)out + n_out, &n_more) == 1 &&
           (size_t)n_out + (size_t)n_more == n;
    if (!good)
        memset(out, 0, n);
    return good;
}

bool dpli_seal_piece(uint8_t *out, dpli_pieces *pieces, uint64_t number, const void *text, size_t n)
{
    uint8_t nonce[NONCE_BYTES];

    nonce_of(nonce, number);
    return EVP_EncryptInit_ex(pieces->ctx, NULL, NULL, NULL, nonce) == 1 &&
           seal(out, pieces->ctx, NULL, 0, text, n);
}

bool dpli_unseal_piece(void *out, dpli_pieces *pieces, uint64_t number, const uint8_t *sealed,
                       size_t n)
{
    uint8_t nonce[NONCE_BYTES];

    if (n < DPLI_PIECE_EXTRA || n > INT_MAX)
        return false;
    nonce_of(nonce, number);
    return EVP_DecryptInit_ex(pieces->ctx, NULL, NULL, NULL, nonce) == 1 &&
           unseal(out, pieces->ctx, NULL, 0, sealed, n - DPLI_PIECE_EXTRA);
}

/* ------------------------------------------------------------------ texts */

struct dpli_aes {
    EVP_CIPHER_CTX *ctx;
};

dpl_status dpli_aes_new(dpli_aes **out, dpl_error *err)
{
    dpli_aes *aes = dpli_calloc(1, sizeof *aes, err);

    *out = NULL;
    if (!aes)
        return DPL_E_MEMORY;
    aes->ctx = EVP_CIPHER_CTX_new();
    if (!aes->ctx || !evp_cipher(DPLI_AES) ||
        EVP_EncryptInit_ex(aes->ctx, evp_cipher(DPLI_AES), NULL, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(aes->ctx, EVP_CTRL_AEAD_SET_IVLEN, RANDOM_BYTES, NULL) != 1) {
        dpli_aes_free(aes);
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for a cipher");
    }
    *out = aes;
    return DPL_OK;
}

void dpli_aes_free(dpli_aes *aes)
{
    if (!aes)
        return;
    EVP_CIPHER_CTX_free(aes->ctx);
    free(aes);
}

bool dpli_aes_seal(uint8_t *out, dpli_aes *aes, const uint8_t key[DPLI_KEY_BYTES],
                   const void *about, size_t n_about, const void *text, size_t n)
{
    dpli_secret_random(out, RANDOM_BYTES);
    return EVP_EncryptInit_ex(aes->ctx, NULL, NULL, key, out) == 1 &&
           seal(out + RANDOM_BYTES, aes->ctx, about, n_about, text, n);
}

bool dpli_aes_unseal(void *out, dpli_aes *aes, const uint8_t key[DPLI_KEY_BYTES], const void *about,
                     size_t n_about, const uint8_t *sealed, size_t n)
{
    return n >= DPLI_SEAL_EXTRA && n <= INT_MAX &&
           EVP_DecryptInit_ex(aes->ctx, NULL, NULL, key, sealed) == 1 &&
           unseal(out, aes->ctx, about, n_about, sealed + RANDOM_BYTES, n - DPLI_SEAL_EXTRA);
}
