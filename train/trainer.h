/* A run at work: what setup.c puts together and the loop, the validation and the checkpoint share.
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

/* ------------------------------------------------------------------ setup.c, split.c */

/** All of it, from settings to loader; a new run's folder gets its config.json and start.onnx. */
dpl_status dpli_trainer_open(dpli_trainer *t, const dpl_train_options *options, dpl_error *err);
void dpli_trainer_close(dpli_trainer *t);

/** What is trained on and what held out, from the towers' data. Pictures that could not be read are
 * in neither. */
dpl_status dpli_trainer_split(dpli_trainer *t, dpl_error *err);

void dpli_trainer_warn(void *trainer, const char *text);

/* ------------------------------------------------------------------ validate.c */

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

/* ------------------------------------------------------------------ checkpoint.c, run.c */

/** checkpoint.bin, the one before it kept as checkpoint.prev.bin. Refused when a parameter is not
 * finite: err names its layer. */
dpl_status dpli_checkpoint_save(dpli_trainer *t, dpl_error *err);
/** @retval DPL_E_MODEL  damaged, of another version or another run; err names the one before it */
dpl_status dpli_checkpoint_load(dpli_trainer *t, dpl_error *err);

/** Make or find the run's folder and lock it; *config: config.json's text when resumed, to be
 * freed, else NULL. */
dpl_status dpli_run_open(dpli_trainer *t, char **config, const dpl_train_options *options,
                         dpl_error *err);
/** Path of a file in the run's folder, freed by free(). */
char *dpli_run_path(const dpli_trainer *t, const char *name, dpl_error *err);
/** A tower's file: "best" gives best.onnx, of two towers best.a.onnx and best.b.onnx. */
char *dpli_run_model(const dpli_trainer *t, const char *stem, int32_t tower, dpl_error *err);
/** Append a line to log.jsonl. */
dpl_status dpli_run_log(const dpli_trainer *t, const dpl_train_event *event, dpl_error *err);
/** Drop what the log says of steps after the one resumed from. */
dpl_status dpli_run_cut_log(const dpli_trainer *t, dpl_error *err);
/** report.html, from log.jsonl. */
dpl_status dpli_report_write(const dpli_trainer *t, dpl_error *err);

/** The towers as they are, as ONNX with their facts, to stem's files. */
dpl_status dpli_export(dpli_trainer *t, const char *stem, dpl_error *err);

#endif
