/* A tokenizer as facts of a model. */
#ifndef DOPPEL_TEXT_FACTS_H
#define DOPPEL_TEXT_FACTS_H

#include "doppel/text.h"

struct dpli_graph;

typedef struct dpli_token_fact {
    char key[40]; /* "doppel.tokens.length" */
    char *text;   /* NULL: the key is to go */
} dpli_token_fact;

enum { DPLI_N_TOKEN_FACTS = 9 };

/** All that a model's metadata says of a tokenizer; cleared by the caller, also after a failure. */
dpl_status dpli_token_facts(dpli_token_fact facts[DPLI_N_TOKEN_FACTS], const dpl_tokenizer *t,
                            int32_t side, dpl_error *err);
void dpli_token_facts_clear(dpli_token_fact facts[DPLI_N_TOKEN_FACTS]);

/** Set them in a graph that is to be written. */
dpl_status dpli_tokenizer_into_graph(const dpl_tokenizer *t, struct dpli_graph *g, int32_t side,
                                     dpl_error *err);

#endif
