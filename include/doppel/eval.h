/*
 * Evaluation: how good an encoder is, measured on pictures that it has not seen.
 *
 * Pairs to ROC, AUC, EER, TAR at FAR and ten-fold accuracy; N-way trials to one-shot accuracy.
 * A picture that gave no vector (unreadable, no face) is counted, never left out: its pair is a
 * "no match" at every threshold, its trial is lost.
 *
 * Every interval is at 95 %. Pairs and trials count as independent; where they share pictures or
 * people, the truth is wider.
 */
#ifndef DOPPEL_EVAL_H
#define DOPPEL_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/dataset.h"
#include "doppel/job.h"
#include "doppel/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ figures */

/* A count out of a number, as a rate with its bounds (Clopper and Pearson 1934). */
typedef struct dpl_share {
    int64_t n, of;
    double rate, low, high; /* NaN when of is 0 */
} dpl_share;

DPL_API dpl_share dpl_share_of(int64_t n, int64_t of);

/* One threshold's errors. */
typedef struct dpl_roc_point {
    double threshold; /* accept = isfinite(score) && score >= threshold */
    double fmr, fnmr; /* of the pairs of two, accepted; of the pairs of one, not accepted */
} dpl_roc_point;

/* True accepts at a rate of false ones. */
typedef struct dpl_tar {
    double far;        /* asked for */
    double threshold;  /* the lowest with a rate of at most far */
    dpl_share reached; /* false accepts there; none are allowed when far * of is below 1, which
                          then says less than was asked */
    dpl_share tar;
} dpl_tar;

enum { DPL_N_TAR = 4 };

typedef struct dpl_metrics {
    int64_t n_genuine, n_impostor; /* pairs of one, pairs of two */
    int64_t n_unscored;            /* of both, whose score is not finite */
    double auc, auc_low, auc_high;
    double eer, eer_low, eer_high, eer_threshold;
    dpl_tar tar[DPL_N_TAR]; /* at 1e-1, 1e-2, 1e-3, 1e-4 */
    size_t n_roc;
    dpl_roc_point *roc; /* every distinct one, from "accept none" on, thresholds falling */
} dpl_metrics;

/**
 * Figures of n scored pairs.
 *
 *     scores  [n]  higher is more alike; not finite: no score
 *     same    [n]  1: a pair of one, 0: of two
 *
 * @param[out] out   cleared by dpl_metrics_clear
 * @param      seed  of the bootstrap that gives the EER's interval
 * @retval DPL_E_INPUT  no pair of one, or none of two
 * Source: AUC is Mann and Whitney's statistic, ties half; its variance is DeLong, DeLong and
 * Clarke-Pearson 1988, the interval taken on the logit scale. Without a single pair out of order
 * that variance is 0: then the lower bound is Clopper and Pearson's of min(n_genuine, n_impostor)
 * disjoint comparisons that all came out right. EER: where the ROC, drawn with straight lines,
 * meets FMR = FNMR; interval: percentiles of up to 1000 resamples of either kind of pair; without
 * an error, up to Clopper and Pearson's bound of none among the fewer of both kinds.
 */
DPL_API dpl_status dpl_metrics_make(dpl_metrics *out, const float *scores, const uint8_t *same,
                                    size_t n, uint64_t seed, dpl_error *err);
DPL_API void dpl_metrics_clear(dpl_metrics *metrics);

/** Pairs judged rightly at a threshold. */
DPL_API dpl_share dpl_accuracy_at(const float *scores, const uint8_t *same, size_t n,
                                  double threshold);

/** The threshold of the highest accuracy: halfway between two scores; of several equally good, the
 * strictest. */
DPL_API dpl_status dpl_best_threshold(double *out, const float *scores, const uint8_t *same,
                                      size_t n, dpl_error *err);

enum { DPL_MAX_FOLDS = 100 };

typedef struct dpl_folds {
    int32_t n;
    double mean, standard_error; /* of the folds' accuracies; their deviation / sqrt(n) */
    double thresholds[DPL_MAX_FOLDS];
    dpl_share accuracies[DPL_MAX_FOLDS];
} dpl_folds;

/**
 * Accuracy as LFW reports it: each fold at the threshold that is best on all others.
 * @param folds  [n]  0 .. n_folds-1, none empty
 * @param n_folds     2 to DPL_MAX_FOLDS
 * @retval DPL_E_ARGUMENT  n_folds out of range, a fold's number out of range, or a fold empty
 * Source: Huang, Ramesh, Berg, Learned-Miller 2007, section 3.3 (View 2).
 */
DPL_API dpl_status dpl_folds_make(dpl_folds *out, const float *scores, const uint8_t *same,
                                  const int32_t *folds, size_t n, int32_t n_folds, dpl_error *err);

/* A correlation with its bounds; NaN where one of both does not vary, bounds also below 4 pairs. */
typedef struct dpl_correlation {
    double value, low, high;
} dpl_correlation;

/* Scores beside the grades of the same pairs. */
typedef struct dpl_agreement {
    int64_t n, n_unscored;             /* pairs with a score, and without: these are left out */
    dpl_correlation pearson, spearman; /* Spearman's: equal values have the mean of their ranks */
    double slope, intercept;           /* of the straight line from score to grade that has the
                                          least squared error on these pairs */
} dpl_agreement;

/**
 * @param[in] scores  [n]  not finite: no score
 * @param[in] grades  [n]
 * @retval DPL_E_INPUT  fewer than two pairs have a score
 * Numerics: within 1e-12 of the same sums in more digits.
 * Source: intervals by Fisher's z (1921), for Spearman's widened as Bonett and Wright 2000 have it.
 */
DPL_API dpl_status dpl_agreement_make(dpl_agreement *out, const float *scores, const double *grades,
                                      size_t n, dpl_error *err);

/** The mean of (intercept + slope * score - grade)² over the pairs with a score; NaN without any.
 */
DPL_API double dpl_squared_error(const float *scores, const double *grades, size_t n, double slope,
                                 double intercept);

/* ------------------------------------------------------------------ pictures to vectors */

/* Pictures to embed: files, or items of a data set. All borrowed. */
typedef struct dpl_pictures {
    size_t n;
    const char *dir;          /* files: names are below it; NULL: as they are */
    const char *const *names; /* [n] files */
    const dpl_dataset *dataset;
    const int32_t *items; /* [n] items of the data set, when there is one */
} dpl_pictures;

typedef struct dpl_embed_options {
    size_t struct_size;
    int n_threads;              /* 0: one a core */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: DPL_E_CANCELLED */
    void (*on_progress)(void *ctx, int64_t n_done, int64_t n_total); /* caller's thread, or NULL */
    void *ctx;
} dpl_embed_options;

#define DPL_EMBED_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(dpl_embed_options), 0, NULL, NULL, NULL                                             \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_embed_options_init(dpl_embed_options *options, size_t struct_size);

typedef struct dpl_embeddings {
    size_t n, n_failed;
    int32_t dim;
    float *vectors;     /* [n, dim]; of a picture that failed: not a number */
    dpl_face *faces;    /* [n] which each vector is of, with its quality; zero where a picture was
                           taken whole or failed */
    dpl_error **errors; /* [n]: NULL, or why there is no vector; names the picture */
} dpl_embeddings;

/**
 * Embed every picture once: the main face where the pipeline has a detector, else the whole.
 *
 * @param[out] out  cleared by dpl_embeddings_clear
 * A picture's own failure, a file that is not there included, is in its error and not returned.
 */
DPL_API dpl_status dpl_embed(dpl_embeddings *out, const dpl_pipeline *pipeline,
                             const dpl_pictures *pictures, const dpl_embed_options *options,
                             dpl_error *err);
DPL_API void dpl_embeddings_clear(dpl_embeddings *embeddings);

/* What makes vectors of items: of their kind. All borrowed. */
typedef struct dpl_item_model {
    const dpl_pipeline *pictures;
    const dpl_text_encoder *sentences;
    const dpl_net *numbers; /* vectors, float32 [n, width], or codes, int64 [n, steps] with 0 behind
                               the end of each, to [n, dim]; of unit length but where its fact
                               "normalize" is "none". NULL: vectors stay as they are */
} dpl_item_model;

/**
 * Embed items of one side of a data set, of any kind, each once.
 *
 * @param[out] out    cleared by dpl_embeddings_clear
 * @param[in]  items  n of them, all of one kind
 * @retval DPL_E_ARGUMENT  the model has nothing for items of this kind
 * @retval DPL_E_MISMATCH  the network takes other numbers than these
 * An item's own failure is in its error and not returned.
 */
DPL_API dpl_status dpl_embed_items(dpl_embeddings *out, const dpl_dataset *dataset,
                                   const int32_t *items, size_t n, const dpl_item_model *model,
                                   const dpl_embed_options *options, dpl_error *err);

/** A picture as the encoder sees it, JPEG bytes freed by dpl_bytes_free. */
DPL_API dpl_status dpl_picture_thumb(uint8_t **out, size_t *n_out, const dpl_pipeline *pipeline,
                                     dpl_scratch *scratch, const dpl_pictures *pictures, size_t i,
                                     dpl_error *err);

/** What a picture is called. */
DPL_API const char *dpl_picture_name(const dpl_pictures *pictures, size_t i);

/* ------------------------------------------------------------------ pairs */

typedef struct dpl_pair {
    int32_t a, b; /* pictures */
    int32_t fold; /* 0 .. n_folds-1 */
    int32_t line; /* of the list, from 1; 0 when drawn */
    uint8_t same;
} dpl_pair;

typedef struct dpl_pairs {
    size_t n;
    dpl_pair *pairs;
    int32_t n_folds;  /* 0: too few pairs to cut any */
    bool folds_given; /* by the list; else cut from it in order, both kinds evenly */
    size_t n_pictures;
    char **names;   /* [n_pictures] when read, sorted */
    int32_t *items; /* [n_pictures] when drawn or given */
    size_t n_first; /* the first of them are a's; all, where both sides share them */
} dpl_pairs;

/**
 * Read a list of pairs.
 *
 *     LFW, View 2   "10 300", then ten times 300 lines "NAME i j" and 300 "NAME i NAME j"
 *     LFW, View 1   "500", then 500 lines of either kind
 *     CSV, TSV      a header with the columns a, b and same (1 or 0), fold (from 0) if there are,
 *                   as dataset.h has lists of pairs
 *
 * LFW's picture i of a person is NAME/NAME_000i.jpg.
 *
 * @param[out] out  cleared by dpl_pairs_clear
 * @param[in]  dir  the folder below which the pictures are
 * @retval DPL_E_INPUT  not such a list, or a picture of it is not there; err names file and line
 */
DPL_API dpl_status dpl_pairs_read(dpl_pairs *out, const char *path, const char *dir,
                                  dpl_error *err);

/**
 * Draw n pairs, half of them of one class.
 *
 * Of one: a group, of its classes with two items one, of those two different ones. Of two: a group,
 * one of its classes; the other class of the same group (within_group), else of any; an item of
 * each. Every choice is uniform. The kinds take turns.
 *
 * @param n  2 to 10000000, even
 * @retval DPL_E_INPUT  the data set has no such pair
 */
DPL_API dpl_status dpl_pairs_draw(dpl_pairs *out, const dpl_dataset *dataset, size_t n,
                                  bool within_group, uint64_t seed, dpl_error *err);
/**
 * The pairs that a data set gives.
 *
 * Items of the first side come first; where both are of one kind they are shared, unless apart. Of
 * graded pairs those are of one whose grade is in the upper half of the scale.
 *
 * @param apart  each side has vectors of its own, from a model of its own
 * @retval DPL_E_INPUT  the data set gives none, or its folds are not all there
 */
DPL_API dpl_status dpl_pairs_given(dpl_pairs *out, const dpl_dataset *dataset, bool apart,
                                   dpl_error *err);

/** Vectors of the items of given or drawn pairs, by the models of either side, which must give
 * vectors of one length: else DPL_E_MISMATCH. As dpl_embed_items. */
DPL_API dpl_status dpl_embed_pairs(dpl_embeddings *out, const dpl_pairs *pairs,
                                   const dpl_dataset *dataset, const dpl_item_model models[2],
                                   const dpl_embed_options *options, dpl_error *err);

DPL_API void dpl_pairs_clear(dpl_pairs *pairs);

/** The head's score of every pair into scores [pairs->n]; NaN where a picture failed. */
DPL_API void dpl_pairs_score(float *scores, const dpl_pairs *pairs, const dpl_head *head,
                             const dpl_embeddings *embeddings);

/* ------------------------------------------------------------------ retrieval */

enum { DPL_N_RECALL = 3 };

typedef struct dpl_retrieval {
    size_t n;            /* questions: items of the one side that are in a pair of one */
    size_t n_candidates; /* items of the other side */
    int64_t n_failed;    /* questions without a vector, or whose answers have none: not found */
    int32_t *items;      /* [n] of the data set */
    int32_t *ranks;      /* [n] of the nearest right answer, from 1; 0: failed */
    int32_t at[DPL_N_RECALL];       /* 1, 5, 10 */
    dpl_share recall[DPL_N_RECALL]; /* questions with a right answer among so many first */
    double median_rank, mean_rank;  /* of all; what failed stands last */
} dpl_retrieval;

/**
 * Ask with each item of one side for its partners among all items of the other.
 *
 * @param[out] out         cleared by dpl_retrieval_clear
 * @param[in]  dataset     with pairs; those with grade 1 say what is right
 * @param      asked_side  0: with the items of the first side, 1: of the second
 * @param[in]  asked, answers  vectors of either side's items, in their order, of one length
 * @param[in]  options     NULL for the defaults
 * @retval DPL_E_INPUT  no pair has grade 1
 * A wrong candidate that is exactly as near stands before the right one. Where both sides are the
 * same items, none is an answer to itself.
 * Source: Karpathy and Li 2015, section 4.2.
 */
DPL_API dpl_status dpl_retrieval_make(dpl_retrieval *out, const dpl_dataset *dataset,
                                      int asked_side, const dpl_head *head,
                                      const dpl_embeddings *asked, const dpl_embeddings *answers,
                                      const dpl_embed_options *options, dpl_error *err);
DPL_API void dpl_retrieval_clear(dpl_retrieval *retrieval);

/* ------------------------------------------------------------------ one-shot trials */

typedef struct dpl_trial {
    int32_t test, answer; /* a picture; which of the candidates is right, from 0 */
    int32_t first, way;   /* its candidates are candidates[first .. first + way - 1] */
    int32_t run;
} dpl_trial;

typedef struct dpl_trials {
    size_t n, n_candidates, n_pictures;
    dpl_trial *trials;
    int32_t *candidates; /* pictures */
    int32_t *items;      /* [n_pictures] of the data set */
    int32_t n_runs;      /* 0 when drawn */
    char **run_names;
} dpl_trials;

/**
 * Trials as Lake, Salakhutdinov and Tenenbaum 2015 give them out: folders with class_labels.txt,
 * lines "TEST TRAINING" of names in the data set; candidates are all pictures in the folder of a
 * run's training pictures.
 * @param dataset  opened plain
 * @retval DPL_E_INPUT  a picture is of no run, or a line does not name two of its run's pictures
 */
DPL_API dpl_status dpl_trials_read(dpl_trials *out, const dpl_dataset *dataset, dpl_error *err);

/**
 * Draw n trials: way classes, one of them tested.
 *
 * Candidates are item j of every class and the test is item i of its own, i and j drawn different:
 * in Omniglot items of one number are one drawer's. within_group: a group with enough classes is
 * drawn first, and all of a trial's classes in it. Classes with a single item take no part.
 *
 * @param way  2 to 10000
 * @param n    1 to 1000000
 * @retval DPL_E_INPUT  not enough classes; err says how many there are
 */
DPL_API dpl_status dpl_trials_draw(dpl_trials *out, const dpl_dataset *dataset, int32_t way,
                                   size_t n, bool within_group, uint64_t seed, dpl_error *err);
DPL_API void dpl_trials_clear(dpl_trials *trials);

typedef struct dpl_oneshot {
    dpl_share accuracy;
    int64_t n_failed;            /* lost because a picture gave no vector */
    int64_t n_tied;              /* lost because another candidate was exactly as near */
    int32_t *chosen;             /* [trials->n] which candidate, -1 when a picture failed */
    dpl_share *runs;             /* [trials->n_runs] */
    double mean, standard_error; /* of the runs' accuracies; NaN with fewer than two */
} dpl_oneshot;

/**
 * Which candidate is nearest, by the head, before its sigmoid or exponential has rounded.
 * @param[out] out  cleared by dpl_oneshot_clear
 */
DPL_API dpl_status dpl_trials_score(dpl_oneshot *out, const dpl_trials *trials,
                                    const dpl_head *head, const dpl_embeddings *embeddings,
                                    dpl_error *err);
DPL_API void dpl_oneshot_clear(dpl_oneshot *oneshot);

#ifdef __cplusplus
}
#endif

#endif
