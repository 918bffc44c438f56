/* How good the net is on what it was not trained on. */
#ifndef DOPPEL_TRAIN_VALIDATE_H
#define DOPPEL_TRAIN_VALIDATE_H

#include "train/trainer.h"

/** Measure on what is held out, with the parameters as they are. */
dpl_status dpli_validate(dpl_train_figures *out, dpli_trainer *t, dpl_error *err);

/** The figure that decides; and whether a is better than b (NaN: worse than any). */
double dpli_figure(const dpl_train_figures *figures, dpli_best which);
bool dpli_figure_better(double a, double b, dpli_best which);
const char *dpli_figure_name(dpli_best which);

/** Area under the curve, equal error rate, accept rate at far, best accuracy, from scores (sorted
 * in place), higher being more alike. */
void dpli_pair_figures(dpl_train_figures *out, float *same, size_t n_same, float *different,
                       size_t n_different, double far);

#endif
