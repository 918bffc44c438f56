/* A run at work: what setup.c puts together, and the loop, the validation and the checkpoint share.
 */
#ifndef DOPPEL_TRAIN_TRAINER_H
#define DOPPEL_TRAIN_TRAINER_H

#include "doppel/dataset.h"
#include "doppel/face.h"
#include "doppel/train.h"
#include "train/feed.h"
#include "train/loader.h"
#include "train/settings.h"
#include "vision/intake.h"

/* A graph with its tape and what it is fed with. */
typedef struct dpli_tower {
    dpli_graph graph;
    dpli_tape *tape;
    dpli_intake intake;
    dpl_dataset *data;
    dpli_feed *feed;
} dpli_tower;

typedef struct dpli_trainer {
    dpli_settings settings;
    dpli_team *team;
    int run_fd;    /* the run's folder, locked */
    char *run_dir; /* its path */

    int32_t n_towers, dim, rows; /* rows: of a tower a step */
    dpli_tower towers[DPLI_TOWERS];
    dpl_dataset *held_data; /* settings' validate, or NULL: held out of the towers' own */
    dpli_feed *held_feed;
    dpli_draws pool, held; /* trained on; validated on */
    uint64_t data_sum;     /* of the names in both */

    dpl_encoder **teachers; /* [settings.n_teachers], the feeds' */
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
