/* Vectors of words from a file in word2vec's text form. */
#ifndef DOPPEL_TRAIN_WORD_VECTORS_H
#define DOPPEL_TRAIN_WORD_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_word_vectors {
    int32_t n, dim;
    char **words;     /* [n], in the order of the file, none twice */
    float *values;    /* [n, dim] */
    int32_t *by_name; /* [n], sorted by the words' bytes */
    int32_t n_twice;  /* lines that do not count: the word was there before */
    int32_t n_blank;  /* lines left out: their word is a blank */
} dpli_word_vectors;

/**
 * A line a word: the word, a blank, its numbers parted by blanks. The first line may say how many
 * words and numbers there are (word2vec's files do, GloVe's do not).
 * @retval DPL_E_INPUT  not such a file; err names the file and the line
 * @retval DPL_E_LIMIT  over a million words, or over 4 GiB of numbers
 */
dpl_status dpli_word_vectors_read(dpli_word_vectors *out, const char *path, dpl_error *err);
void dpli_word_vectors_clear(dpli_word_vectors *v);

/** The row of that word, or NULL. */
const float *dpli_word_vectors_find(const dpli_word_vectors *v, const char *word);

#endif
