/*
 * Training: pictures, sentences, codes or vectors to an encoder.
 *
 * A run is a folder: config.json (all settings), start.onnx (where it began), log.jsonl (a line of
 * JSON every log_steps and one a validation: the figures of dpl_train_event by name),
 * checkpoint.bin and the one before it, best.onnx and last.onnx. Curves are drawn from the log by
 * who trains; the program's are report.html. What a run makes depends on its settings, its data and
 * the number of threads only: a run that is stopped and resumed ends with the same bits as one that
 * was not.
 */
#ifndef DOPPEL_TRAIN_H
#define DOPPEL_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DPL_TRAIN_UNSET_TEXT NULL
#define DPL_TRAIN_UNSET_LIST NULL
#define DPL_TRAIN_UNSET_INT  (-1)
#define DPL_TRAIN_UNSET_REAL (-1e300)

typedef const char *dpl_train_TEXT;
typedef const char *const *dpl_train_LIST; /* NULL-terminated */
typedef int dpl_train_INT;
typedef double dpl_train_REAL;

/*
 * X(type, name, fixed): each begins as DPL_TRAIN_UNSET_type, which takes the default (in brackets);
 * fixed ones cannot be changed when a run is resumed. In config.json and in messages a name has
 * dashes for its underscores.
 */
#define DPL_TRAIN_SETTINGS(X)                                                                      \
    /* Pictures, as dpl_dataset_open takes them. Two towers: second_data has the same classes by   \
     * name, of another kind of picture; pairs are then always one picture of each. */             \
    X(TEXT, data, 1)                                                                               \
    X(TEXT, second_data, 1)                                                                        \
    X(TEXT, split, 1)     /* of a list: only the rows of this split */                             \
    X(TEXT, kinds, 1)     /* what its items are, or each side of its pairs: pictures, sentences,   \
                           * vectors, codes, parted by a comma (as the list says; vectors for an   \
                           * architecture of vectors) */                                           \
    X(TEXT, classes, 1)   /* of vectors without a column of classes: a file with each row's */     \
    X(INT, plain, 1)      /* data has no classes: for distillation, or each picture is one (0) */  \
    X(TEXT, detector, 1)  /* a face detector's file: the face of each picture, on the net's        \
                           * template (pictures are taken whole) */                                \
    X(INT, min_items, 1)  /* classes with fewer are left out (2) */                                \
    X(REAL, scale_low, 1) /* of the grades of given pairs; without: labels are 0 and 1 */          \
    X(REAL, scale_high, 1)                                                                         \
    /* What is held out of training and validated on: other data; groups, by number (chosen by the \
     * seed) or by name; classes; the last items of every class. (No groups, a tenth of the        \
     * classes but at most 200, no items. Of given pairs so many, drawn by the seed: a tenth, at   \
     * most 1000.) */                                                                              \
    X(TEXT, validate, 1)                                                                           \
    X(TEXT, validate_split, 1) /* of validate, or of data: its rows of this split */               \
    X(INT, hold_groups, 1)                                                                         \
    X(LIST, hold_group, 1)                                                                         \
    X(INT, hold_classes, 1)                                                                        \
    X(INT, hold_items, 1)                                                                          \
    X(INT, hold_pairs, 1)                                                                          \
    X(INT, validate_trials, 1) /* (400) */                                                         \
    X(INT, validate_ways, 1)   /* (20) */                                                          \
    X(INT, validate_steps, 1)  /* between validations (an epoch) */                                \
    X(TEXT, best, 1)           /* the figure that decides: oneshot, auc, accuracy, eer, tar; of    \
                                * given pairs also correct, pearson, spearman (accuracy, of grades \
                                * pearson); of pictures and sentences: r1, r5, r10, rank (r10) */  \
    X(INT, patience, 0) /* validations without a better figure before it stops (0: never) */       \
    /* The net: a named architecture ("koch2015") or a model to go on from. */                     \
    X(TEXT, arch, 1)                                                                               \
    X(TEXT, second_arch, 1) /* of two towers: the second side's, where each has one of its own */  \
    X(TEXT, init, 1)                                                                               \
    X(INT, channels, 1)      /* of an architecture: 1 or 3 (1) */                                  \
    X(INT, side, 1)          /* of an architecture's input, in pixels (105) */                     \
    X(INT, dim, 1)           /* of an architecture's embedding (its own) */                        \
    X(INT, batch_norm, 1)    /* koch2015: behind every layer while it is trained, and folded into  \
                              * the layers in what is written (0) */                               \
    X(TEXT, init_weights, 1) /* koch, koch-wide, he, glorot (the architecture's own) */            \
    X(TEXT, tokens, 1)       /* of sentences: characters, words, or a file of byte-pair merges     \
                              * (words) */                                                         \
    X(INT, lower, 1)         /* sentences are lower-cased first (1) */                             \
    X(INT, max_words, 1)     /* of the table of words, padding's row and the unknown's included    \
                              * (30000) */                                                         \
    X(INT, length, 1)        /* ids of a sentence, the rest of it is cut off (128) */              \
    X(TEXT, vectors, 1)      /* of words, in word2vec's text form: where the table begins */       \
    X(LIST, share, 1)        /* layers that two towers have in common, as patterns (the            \
                              * architecture's own) */                                             \
    X(LIST, freeze, 1)       /* layers that are not trained, as shell patterns */                  \
    X(LIST, layer, 1)        /* "PATTERN:rate=FACTOR,l2=PENALTY", the first that fits */           \
    /* Batches: classes x items, all pairs; or so many random pairs, half of them same. */         \
    X(INT, batch_classes, 1)  /* (16) */                                                           \
    X(INT, batch_items, 1)    /* (4) */                                                            \
    X(INT, batch_pairs, 1)    /* of given pairs: so many of them (64; 128 pictures with a          \
                               * sentence each) */                                                 \
    X(REAL, within_group, 1)  /* share of batches whose classes are all of one group (0) */        \
    X(INT, rotate_classes, 1) /* each class also turned by 90, 180, 270 degrees, as others (0) */  \
    X(TEXT, augment, 1) /* none, koch, drawing, face, photo (koch for 1 channel, else face) */     \
    /* The loss: contrastive, l1-sigmoid, l1-similarity, distance-sigmoid, manhattan-ce,           \
     * manhattan-se, cosine, cosine-se, triplet, arc, distil; for pairs of a picture and a         \
     * sentence, with an encoder of pictures as the teacher: info-nce, ranking. (The               \
     * architecture's own, else contrastive; distil with teachers) */                              \
    X(TEXT, loss, 1)                                                                               \
    X(REAL, margin, 1)                                                                             \
    X(REAL, scale, 1)       /* of arc */                                                           \
    X(REAL, temperature, 1) /* of info-nce (learnt) */                                             \
    X(LIST, teacher, 1)     /* encoders to learn from */                                           \
    /* The optimizer: sgd, adam, nadam, adamw (adam). */                                           \
    X(TEXT, optimizer, 1)                                                                          \
    X(REAL, rate, 1)                                                                               \
    X(TEXT, schedule, 1) /* constant, decay, cosine (constant) */                                  \
    X(REAL, decay, 1)    /* a factor an epoch (0.99) */                                            \
    X(REAL, floor, 1)    /* where cosine ends, as a part of the rate (0.01) */                     \
    X(INT, warmup_steps, 1)                                                                        \
    X(REAL, momentum, 1)                                                                           \
    X(REAL, momentum_end, 1)                                                                       \
    X(REAL, l2, 1)                                                                                 \
    X(REAL, clip, 1) /* of the gradient's length (0: none) */                                      \
    X(REAL, ema, 1)  /* weight averaging, decay a step (0: none) */                                \
    /* How long, and how. */                                                                       \
    X(INT, epochs, 0)              /* (50) */                                                      \
    X(INT, steps, 0)               /* instead of epochs */                                         \
    X(INT, epoch_steps, 1)         /* (as many batches as the pictures fill) */                    \
    X(INT, seed, 1)                /* (1) */                                                       \
    X(INT, threads, 0)             /* (0: one a core); another number gives other bits */          \
    X(INT, log_steps, 0)           /* between lines of the log (20) */                             \
    X(REAL, checkpoint_minutes, 0) /* at most, between checkpoints (5) */                          \
    X(REAL, max_memory_gib, 0)     /* of the step's activations and gradients (16) */              \
    X(INT, max_pixels, 0)          /* of a picture; larger ones are left out (256e6) */            \
    X(REAL, max_picture_bytes, 0)  /* memory to decode pictures in, of all threads (768 MiB) */    \
    X(TEXT, precision, 1)          /* of products: f32, or bf16 where the processor has it (f32) */

/* What a run is about to do, and needs. */
typedef struct dpl_train_plan {
    const char *arch, *loss, *head, *best; /* best: "" without validation */
    uint64_t n_parameters;                 /* of all towers, the loss's own not counted */
    uint64_t tape_bytes, optimizer_bytes, pixel_bytes, loader_bytes;
    int32_t n_towers, n_threads, rows;          /* rows: pictures a step */
    int32_t width_px, height_px, channels, dim; /* pixels of a picture, else 0 */
    int32_t steps;                              /* ids of a sentence at most, or numbers of a
                                                   vector; 0 of pictures */
    int32_t n_words, n_missing;    /* of a table that is new; of these without one of the vectors */
    int32_t n_pairs, n_held_pairs; /* given ones */
    int32_t n_classes, n_items;    /* trained on */
    int32_t n_held_classes, n_held_items;
    int64_t n_steps, epoch_steps, start_step;
    bool captions; /* items are sentences, classes the pictures that they are of */
} dpl_train_plan;

/* Figures of a validation. NaN where there is none. */
typedef struct dpl_train_figures {
    double oneshot;  /* share of trials whose best match is right */
    double auc;      /* of same and different pairs */
    double accuracy; /* of pairs, same and different weighing the same, at the best threshold */
    double eer;
    double tar; /* true accepts at a false accept rate of 1e-2 */
    int32_t n_trials, n_ways;
    int64_t n_same, n_different;
    /* Of given pairs. */
    double loss;
    double correct; /* share on the right side of the score's middle, as in training */
    double pearson, spearman, squared_error; /* of score and grade, both from 0 to 1 */
    int64_t n_pairs;
    /* Of pictures to be found by their sentences, among all that are held out. */
    double recall_1, recall_5, recall_10; /* share of sentences whose picture is among so many */
    double median_rank;                   /* of the right picture, from 1 */
    int64_t n_sentences, n_pictures;
} dpl_train_figures;

typedef enum dpl_train_event_kind {
    DPL_TRAIN_PLANNED = 0,   /* plan */
    DPL_TRAIN_STEPPED = 1,   /* after every step: loss, rate, gradient, speed */
    DPL_TRAIN_LOGGED = 2,    /* the same, as means since the last line of the log */
    DPL_TRAIN_VALIDATED = 3, /* figures, is_best; the log has them already */
    DPL_TRAIN_SAVED = 4,     /* text: the checkpoint's path */
    DPL_TRAIN_WARNED = 5     /* text */
} dpl_train_event_kind;

typedef struct dpl_train_event {
    dpl_train_event_kind kind;
    const dpl_train_plan *plan;
    int64_t step; /* done */
    double epoch;
    double loss, correct; /* correct: share of pairs or rows on the right side; NaN without */
    double rate, grad_norm;
    double images_per_s, eta_s;
    dpl_train_figures figures;
    bool is_best;
    const char *text;
} dpl_train_event;

typedef struct dpl_train_options {
    size_t struct_size;
    const char *run; /* the run's folder: made, or with resume gone on with */
    bool resume;     /* settings are the run's own; those given must agree or not be fixed */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: save, return
                                   DPL_E_CANCELLED */
    void (*on_event)(void *ctx, const dpl_train_event *event); /* caller's thread; may be NULL */
    void *ctx;
#define DPL_TRAIN_FIELD(type, name, fixed) dpl_train_##type name;
    DPL_TRAIN_SETTINGS(DPL_TRAIN_FIELD)
#undef DPL_TRAIN_FIELD
} dpl_train_options;

#define DPL_TRAIN_UNSET(type, name, fixed) , DPL_TRAIN_UNSET_##type
#define DPL_TRAIN_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(dpl_train_options), NULL, 0, NULL, NULL, NULL DPL_TRAIN_SETTINGS(DPL_TRAIN_UNSET)   \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_train_options_init(dpl_train_options *options, size_t struct_size);

typedef struct dpl_train_report {
    int64_t n_steps; /* done, those before a resume included */
    double best;     /* the deciding figure, NaN without validation */
    int64_t best_step;
    bool stopped_early; /* by patience */
    double seconds;     /* of this call */
} dpl_train_report;

/**
 * Train, until the last step, or until the figure no longer improves, or until cancelled.
 *
 * @retval DPL_E_ARGUMENT   settings that are unknown, out of range or do not go together
 * @retval DPL_E_INPUT      data not usable, or not what the run began with
 * @retval DPL_E_MODEL      a model not usable, or a checkpoint damaged; err names the one before it
 * @retval DPL_E_LOCKED     another process works in this run's folder
 * @retval DPL_E_NUMERIC    loss, gradient or weights became NaN or infinite; err names the step and
 *                          the layer; the last checkpoint is as it was
 * @retval DPL_E_CANCELLED  stopped on request; the checkpoint holds the last step
 * Threads: makes its own; one call at a time a run.
 */
DPL_API dpl_status dpl_train(dpl_train_report *report, const dpl_train_options *options,
                             dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
