/*
 * piece.c - pieces sealed by libcrypto, which has vector instructions for this that libsodium has
 * not.
 */
#include "base/piece.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"

enum { NONCE_BYTES = 12 };

struct dpli_pieces {
    EVP_CIPHER_CTX *ctx;
};

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
    if (!p->ctx ||
        EVP_EncryptInit_ex(p->ctx, cipher == DPLI_AES ? EVP_aes_256_gcm() : EVP_chacha20_poly1305(),
                           NULL, key, NULL) != 1) {
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

bool dpli_seal_piece(uint8_t *out, dpli_pieces *pieces, uint64_t number, const void *text, size_t n)
{
    uint8_t nonce[NONCE_BYTES];
    int n_out = 0, n_more = 0;

    nonce_of(nonce, number);
    return n <= INT_MAX && EVP_EncryptInit_ex(pieces->ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_EncryptUpdate(pieces->ctx, out, &n_out, text, (int)n) == 1 &&
           EVP_EncryptFinal_ex(pieces->ctx, out + n_out, &n_more) == 1 &&
           (size_t)n_out + (size_t)n_more == n &&
           EVP_CIPHER_CTX_ctrl(pieces->ctx, EVP_CTRL_AEAD_GET_TAG, DPLI_PIECE_EXTRA, out + n) == 1;
}

bool dpli_unseal_piece(void *out, dpli_pieces *pieces, uint64_t number, const uint8_t *sealed,
                       size_t n)
{
    uint8_t nonce[NONCE_BYTES], tag[DPLI_PIECE_EXTRA];
    int n_out = 0, n_more = 0;
    bool good;

    if (n < DPLI_PIECE_EXTRA || n > INT_MAX)
        return false;
    n -= DPLI_PIECE_EXTRA;
    memcpy(tag, sealed + n, sizeof tag);
    nonce_of(nonce, number);
    good = EVP_DecryptInit_ex(pieces->ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_CIPHER_CTX_ctrl(pieces->ctx, EVP_CTRL_AEAD_SET_TAG, DPLI_PIECE_EXTRA, tag) == 1 &&
           EVP_DecryptUpdate(pieces->ctx, out, &n_out, sealed, (int)n) == 1 &&
           EVP_DecryptFinal_ex(pieces->ctx, (uint8_t *)out + n_out, &n_more) == 1 &&
           (size_t)n_out + (size_t)n_more == n;
    if (!good)
        memset(out, 0, n);
    return good;
}
