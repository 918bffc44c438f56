/* What a new network's table of words is made from: how sentences become ids, and vectors. */
#ifndef DOPPEL_TRAIN_WORDS_H
#define DOPPEL_TRAIN_WORDS_H

#include "doppel/dataset.h"
#include "doppel/text.h"

typedef struct dpli_words dpli_words;

typedef struct dpli_words_options {
    const dpl_dataset *data;
    int side;           /* whose sentences, or codes */
    const char *tokens; /* characters, words, or a file of merges */
    bool lower;
    int32_t max_words, length;
    const char *vectors; /* word2vec's text form, or NULL */
} dpli_words_options;

/**
 * Of sentences: the words that are most frequent in the data, then, with vectors, those that only
 * the vectors know, in their order, as far as a sentence could have them. Of codes: one word each.
 * @retval DPL_E_INPUT  files that are not what they should be; err names them
 */
dpl_status dpli_words_new(dpli_words **out, const dpli_words_options *options, dpl_error *err);
void dpli_words_free(dpli_words *w);

/** Rows of the table, padding's and the unknown word's included. */
int32_t dpli_words_n(const dpli_words *w);
/** NULL of codes. */
const dpl_tokenizer *dpli_words_tokenizer(const dpli_words *w);
/** Numbers of a vector; 0 without. */
int32_t dpli_words_width(const dpli_words *w);
/** Words of the table (padding and the unknown one are none) that the vectors do not have. */
int32_t dpli_words_n_missing(const dpli_words *w);
/** The vectors into the table [n, width]; rows without one stay as they are. */
void dpli_words_fill(const dpli_words *w, float *table, int64_t width);

#endif
