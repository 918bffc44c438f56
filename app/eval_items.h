/* An evaluation of what need not be pictures: which list it is, its models, its vectors. */
#ifndef DOPPEL_APP_EVAL_ITEMS_H
#define DOPPEL_APP_EVAL_ITEMS_H

#include "app/eval_shared.h"

/** Whether LIST is one of pairs of pictures, as dpl_pairs_read takes them; where the options say
 * what its items are, it is not. */
bool eval_is_of_pictures(const evaluation *e, const char *path);

/** Open a list of pairs, or data by classes, as the options say its items are. 0, or an exit code
 * after a message; so of all here. */
int eval_open_items(dpl_dataset **out, const evaluation *e, const char *path);

/** Open the models that the data's kinds of items need, and the head that compares. */
int eval_open_item_models(evaluation *e, const dpl_dataset *dataset);

/** Vectors of the pairs' items; those that give none are told. */
int eval_embed_items(evaluation *e, dpl_embeddings *out, const dpl_pairs *pairs,
                     const dpl_dataset *dataset);

/** "4,500 sentences", "1,000 pictures and 5,000 sentences"; freed by free(). */
char *eval_describe_items(const evaluation *e);

void eval_close_items(evaluation *e);

#endif
