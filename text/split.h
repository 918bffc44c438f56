/* A sentence, checked and brought to one form, and cut into pieces. */
#ifndef DOPPEL_TEXT_SPLIT_H
#define DOPPEL_TEXT_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "doppel/text.h"

/**
 * A text as a tokenizer of this kind reads it: composed (but for byte-pairs), lower-cased when
 * asked.
 *
 * @param[out] out  with a NUL behind, free()d by the caller
 * @retval DPL_E_INPUT, DPL_E_LIMIT  as of dpl_tokenizer_encode, but that an empty one is none
 */
dpl_status dpli_text_prepare(char **out, dpl_token_kind kind, bool lower, const char *text,
                             size_t n_bytes, dpl_error *err);

typedef struct dpli_splitter {
    const char *at; /* starts at a prepared text */
    dpl_token_kind kind;
    bool begun; /* zero to start with */
} dpli_splitter;

/** The next piece of the text: a character, a word, or what byte pairs are merged within. false at
 * the end. */
bool dpli_split_next(dpli_splitter *s, const char **piece, size_t *n_bytes);

#endif
