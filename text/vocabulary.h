/* Tokens and their numbers. */
#ifndef DOPPEL_TEXT_VOCABULARY_H
#define DOPPEL_TEXT_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_token {
    const char *text; /* in the vocabulary's bytes, NUL-terminated */
    uint32_t n_bytes;
    int32_t id;
} dpli_token;

/* Zero-initialise, free with dpli_vocabulary_clear. */
typedef struct dpli_vocabulary {
    char *bytes;
    dpli_token *by_id;   /* [n]; "": an id that no text has */
    dpli_token *by_text; /* [n_texts], sorted: those that have a text */
    int32_t n, n_texts;
} dpli_vocabulary;

/**
 * Make a vocabulary of n tokens, one behind the other in bytes, a NUL behind each. Takes bytes,
 * also on failure.
 *
 * @param first  what the first of them is called in a message, token 1 or 0
 * @retval DPL_E_INPUT  one is there twice, longer than DPL_MAX_TOKEN_BYTES, or not UTF-8
 * @retval DPL_E_LIMIT  more than DPL_MAX_TOKENS
 */
dpl_status dpli_vocabulary_make(dpli_vocabulary *v, char *bytes, size_t n, size_t first,
                                dpl_error *err);
void dpli_vocabulary_clear(dpli_vocabulary *v);

/** The id, or -1. */
int32_t dpli_vocabulary_find(const dpli_vocabulary *v, const char *text, size_t n_bytes);

#endif
