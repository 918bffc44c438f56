/*
 * Sealing by libcrypto's ciphers, which piece.c alone includes. Pieces of something large, each
 * sealed by itself: of a key that seals nothing else, the number of a piece is its nonce, so a
 * piece opens nowhere but in its place. And texts that are many and small.
 */
#ifndef DOPPEL_BASE_PIECE_H
#define DOPPEL_BASE_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

/* By which cipher: AES-256-GCM (NIST SP 800-38D) takes a quarter of the other's time where the
   processor has instructions for it, and several times as long where it has not; that is
   ChaCha20-Poly1305 (RFC 8439). */
typedef enum dpli_cipher { DPLI_CHACHA20, DPLI_AES, DPLI_N_CIPHERS } dpli_cipher;

/** The faster one here. */
dpli_cipher dpli_cipher_here(void);

enum { DPLI_PIECE_EXTRA = 16 }; /* a sealed piece is longer by its tag */

typedef struct dpli_pieces dpli_pieces;

/**
 * What seals and opens pieces by a key. What it makes of the key lies in common memory until it is
 * freed, so it is not kept. One thread at a time.
 */
dpl_status dpli_pieces_new(dpli_pieces **out, dpli_cipher cipher, const uint8_t key[DPLI_KEY_BYTES],
                           dpl_error *err);
void dpli_pieces_free(dpli_pieces *pieces);
/** out: n + DPLI_PIECE_EXTRA bytes. False: it could not. */
bool dpli_seal_piece(uint8_t *out, dpli_pieces *pieces, uint64_t number, const void *text,
                     size_t n);
/** out: n - DPLI_PIECE_EXTRA bytes, zeroed on failure. False: not what was written as this number.
 */
bool dpli_unseal_piece(void *out, dpli_pieces *pieces, uint64_t number, const uint8_t *sealed,
                       size_t n);

/* Texts each with a key of its own, sealed by AES-256-GCM: as long as dpli_seal makes them, bound
   as they are, and read by nobody else's. */
typedef struct dpli_aes dpli_aes;

/** The same of a key as of what seals pieces. One thread at a time. */
dpl_status dpli_aes_new(dpli_aes **out, dpl_error *err);
void dpli_aes_free(dpli_aes *aes);
/** As dpli_seal. False: it could not. */
bool dpli_aes_seal(uint8_t *out, dpli_aes *aes, const uint8_t key[DPLI_KEY_BYTES],
                   const void *about, size_t n_about, const void *text, size_t n);
/** As dpli_unseal. */
bool dpli_aes_unseal(void *out, dpli_aes *aes, const uint8_t key[DPLI_KEY_BYTES], const void *about,
                     size_t n_about, const uint8_t *sealed, size_t n);

#endif
