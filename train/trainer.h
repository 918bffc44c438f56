/* A run at work: what setup.c puts together, and the loop, the validation and the checkpoint share.
 */
#ifndef DOPPEL_TRAIN_TRAINER_H
#define DOPPEL_TRAIN_TRAINER_H

#include "doppel/dataset.h"
#include "doppel/face.h"
#include "doppel/text.h"
#include "doppel/train.h"
#include "net/arch.h"
#include "train/feed.h"
#include "train/loader.h"
#include "train/settings.h"
#include "vision/intake.h"

struct dpli_words;

/* Tapes for sentences shorter than the longest. */
#define DPLI_SHORTER 20

/* A graph with its tapes and what it is fed with. */
typedef struct dpli_tower {
    dpli_graph graph;
    dpli_tape *tape; /* for the longest */
    dpli_tape *shorter[DPLI_SHORTER];
    int32_t shorter_steps[DPLI_SHORTER], n_shorter; /* rising */
    dpli_tape *at;                                  /* of the last pass */
    dpli_takes takes;
    dpli_intake intake;       /* of pictures */
    int32_t steps;            /* ids of a row, or numbers of a vector */
    bool reads_sentences;     /* ids are made by a tokenizer, */
    dpl_tokenizer *tokenizer; /* as the net's file has it */
    struct dpli_words *words; /* of a new net: what its table of words is made from; or NULL */
    int32_t width;            /* of a new net: numbers of a word or vector; 0: its own */
    dpl_dataset *data;        /* NULL: the first tower's */
    dpli_feed *feed;
} dpli_tower;

/* A parameter that two towers have in common: b reads a's values. */
typedef struct dpli_tie {
    dpli_param *a, *b;
    float *own; /* b's memory in its graph */
} dpli_tie;

typedef struct dpli_trainer {
    dpli_settings settings;
    dpli_team *team;
    int run_fd;    /* the run's folder, locked */
    char *run_dir; /* its path */

    int32_t n_towers, dim, rows; /* rows: of a tower a step */
    dpli_tower towers[DPLI_TOWERS];
    dpli_tie *ties;
    int32_t n_ties;
    bool given; /* trained on pairs that the data gives */
    /* Sentences learn to lie at their pictures' vectors, which the only teacher gives: pictures are
     * the classes; sentences, the items, are this side of the data's pairs. */
    bool captions;
    int sentence_side;
    dpl_dataset *held_data; /* settings' validate, or NULL: held out of the towers' own */
    dpli_feed *held_feeds[DPLI_TOWERS]; /* of held_data; NULL: the towers' own */
    dpli_draws pool, held;              /* trained on; validated on */
    uint64_t data_sum;                  /* of the names in both */

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

/* The data of a tower's items; and which side of its pairs they are. */
static inline dpl_dataset *dpli_trainer_data(const dpli_trainer *t, int32_t tower)
{
    return t->towers[tower].data ? t->towers[tower].data : t->towers[0].data;
}

static inline int dpli_trainer_side(const dpli_trainer *t, int32_t tower)
{
    return t->captions ? t->sentence_side : t->given ? (int)tower : 0;
}

#endif
