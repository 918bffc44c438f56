/* A net of a run: how it is made and read, and its passes over a batch. */
#ifndef DOPPEL_TRAIN_TOWER_H
#define DOPPEL_TRAIN_TOWER_H

#include "train/trainer.h"

/** Tower w's start.onnx, which is at path, is written (of a new run), read, and laid out as tapes.
 */
dpl_status dpli_tower_open(dpli_trainer *t, int32_t w, const char *path, dpl_error *err);
void dpli_tower_clear(dpli_tower *w);

/** Rows of the table of words; 0 where there is none. */
int32_t dpli_tower_words(const dpli_tower *w);

/** The pass forward over n rows as the feeds fill them, by the shortest tape that they fit. Its
 * output is in dpli_tape_output(w->at), until the next pass of any of this tower's tapes. */
void dpli_tower_forward(dpli_tower *w, const void *rows, int32_t n, bool training, uint64_t seed);

/** Layers that two towers have in common: tower 1's parameters become tower 0's. */
dpl_status dpli_towers_share(dpli_trainer *t, dpl_error *err);

/** After both went backward: gradients of what they have in common, together. */
void dpli_towers_join(dpli_trainer *t);

/** Before a backward: what dpli_towers_join has added to is forgotten where a backward would not.
 */
void dpli_towers_part(dpli_trainer *t);

/** What tower w's graph is to be written with: parameters that are tower 0's in its own memory. */
void dpli_tower_settle(const dpli_trainer *t, int32_t w);

/** Patterns of freeze, layer and share that fit nothing are refused. */
dpl_status dpli_towers_check_patterns(const dpli_trainer *t, dpl_error *err);

#endif
