/* Sentences, codes and vectors as a tower's inputs. */
#ifndef DOPPEL_TRAIN_FEED_NUMBERS_H
#define DOPPEL_TRAIN_FEED_NUMBERS_H

#include "doppel/dataset.h"
#include "doppel/text.h"
#include "train/feed.h"

typedef struct dpli_number_feed_options {
    const dpl_dataset *data;
    int side;                       /* whose items */
    const dpl_tokenizer *tokenizer; /* of sentences */
    int32_t width;                  /* ids or numbers of a row */
    int32_t n_words;                /* of codes: each is below it */
} dpli_number_feed_options;

/** @param warn  told of each sentence that has no token: it is in no row */
dpl_status dpli_number_feed_new(dpli_feed **out, const dpli_number_feed_options *options,
                                void (*warn)(void *ctx, const char *text), void *ctx,
                                dpl_error *err);

#endif
