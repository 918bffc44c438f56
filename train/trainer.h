/* A run at work: what setup.c puts together, and the loop, the validation and the checkpoint share.
 */
#ifndef DOPPEL_TRAIN_TRAINER_H
#define DOPPEL_TRAIN_TRAINER_H

#include "doppel/train.h"
#include "train/loader.h"
#include "train/settings.h"

/** A graph with its tape and the pictures that it takes. */
typedef struct dpli_tower {
    dpli_graph graph;
    dpli_tape *tape;
    dpli_intake intake;
    dpl_dataset *data;
    dpli_pixels *pixels;
} dpli_tower;

typedef struct dpli_trainer {
    dpli_settings settings;
    dpli_team *team;
    int run_fd;    /* the run's folder, locked */
    char *run_dir; /* its path */

    int32_t n_towers, dim, rows; /* rows: of a tower a step */
    dpli_tower towers[DPLI_TOWERS];
    dpl_dataset *held_data; /* settings' validate, or NULL: held out of the towers' own */
    dpli_pixels *held_pixels;
    dpli_draws pool, held; /* trained on; validated on */
    uint64_t data_sum;     /* of the names in both */

    dpl_encoder **teachers; /* [settings.n_teachers] */
    dpli_loss *loss;
    dpli_param **params; /* of all towers, then the loss's: the optimizer's order */
    int32_t n_params;
    dpli_optimizer *optimizer;
    dpli_loader *loader;
    float *embeddings, *embedding_grads; /* [n_towers * rows, dim] */

    dpl_train_plan plan;
    int64_t step; /* done */
    double best;  /* the deciding figure so far, NaN before */
    int64_t best_step, since_best;
    int64_t validated_step;
} dpli_trainer;

#endif
