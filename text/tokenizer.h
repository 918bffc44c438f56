/* What is inside a dpl_tokenizer. */
#ifndef DOPPEL_TEXT_TOKENIZER_H
#define DOPPEL_TEXT_TOKENIZER_H

#include "doppel/text.h"
#include "text/pairs.h"
#include "text/vocabulary.h"

struct dpl_tokenizer {
    dpl_tokenizer_facts about;
    dpli_vocabulary vocabulary;
    dpli_pairs pairs; /* of byte-pairs and clip */
};

/** Read the caller's options, with length filled in. */
dpl_status dpli_tokenizer_options(dpl_tokenizer_options *ours, const dpl_tokenizer_options *given,
                                  dpl_error *err);

/** Whether a tokenizer's facts go together, and with its vocabulary. */
dpl_status dpli_tokenizer_check(const dpl_tokenizer *t, dpl_error *err);

/** A tokenizer of byte pairs from its list; about->kind and length are set before. */
dpl_status dpli_tokenizer_take_merges(dpl_tokenizer *t, const char *text, size_t n,
                                      int32_t max_tokens, dpl_error *err);

#endif
