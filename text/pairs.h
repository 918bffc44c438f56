/* Byte-pair merges: bytes to the tokens that GPT-2's and CLIP's lists make of them. */
#ifndef DOPPEL_TEXT_PAIRS_H
#define DOPPEL_TEXT_PAIRS_H

#include <stdbool.h>

#include "text/vocabulary.h"

#define DPLI_MAX_PIECE_BYTES 1024 /* merged within: a longer word is cut */

typedef struct dpli_pair {
    int32_t left, right, id;
} dpli_pair;

/* Zero-initialise, free with dpli_pairs_clear. */
typedef struct dpli_pairs {
    dpli_pair *sorted; /* [n], by left and right */
    int32_t n, first;  /* first: the first one's id; they follow each other */
    int32_t of_byte[256];
    bool clip; /* a piece's last byte has an id 256 higher */
} dpli_pairs;

/**
 * Read a list of merges.
 *
 * @param[out] v     all tokens: bytes, merges, special ones, which have no text
 * @param      text  n bytes and a NUL behind them
 * @param      max_tokens  v->n at most: merges past it are left out; 0: no other limit than
 *                         DPL_MAX_TOKENS
 * @retval DPL_E_INPUT  a line is no merge, or merges what no line before it makes; err gives it
 */
dpl_status dpli_pairs_make(dpli_pairs *p, dpli_vocabulary *v, bool clip, const char *text, size_t n,
                           int32_t max_tokens, dpl_error *err);
void dpli_pairs_clear(dpli_pairs *p);

/** The tokens of a piece of n_bytes, 1 to DPLI_MAX_PIECE_BYTES; how many. */
int32_t dpli_pairs_encode(int32_t ids[DPLI_MAX_PIECE_BYTES], const dpli_pairs *p, const char *piece,
                          size_t n_bytes);

#endif
