/* How far down the list of pictures that a sentence finds its own stands. */
#ifndef DOPPEL_TRAIN_RANKS_H
#define DOPPEL_TRAIN_RANKS_H

#include "base/team.h"
#include "doppel/train.h"

/**
 * Recall and median rank of n sentences, by cosine.
 *
 *     sentences  [n, dim]
 *     own        [n]           the picture of each
 *     pictures   [n_pictures, dim]  of unit length
 *
 * A picture that is not its own and exactly as near stands before its own. A vector of zeros finds
 * nothing.
 */
dpl_status dpli_ranks(dpl_train_figures *out, const float *sentences, const int32_t *own, size_t n,
                      const float *pictures, size_t n_pictures, size_t dim, dpli_team *team,
                      dpl_error *err);

#endif
