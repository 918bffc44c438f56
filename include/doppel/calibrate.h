/*
 * Calibration: from pictures of known people to the tables that decisions are made by.
 *
 * All pairs of strangers are scored. A table says how often strangers come to a score, with bounds
 * that allow for every person being in many pairs, and for the groups of people (strata) that
 * differ. docs/decisions.md says how, and why so.
 */
#ifndef DOPPEL_CALIBRATE_H
#define DOPPEL_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/job.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DPL_CALIBRATE_MIN_PEOPLE = 50,   /* fewer say nothing of others */
    DPL_CALIBRATE_MIN_ABOVE = 10,    /* pairs that a point of a table needs */
    DPL_CALIBRATE_MAX_FACES = 30000, /* of more, people are drawn until there are so many */
    DPL_CALIBRATE_MAX_STRATA = 64,
    DPL_CALIBRATE_DRAWS = 1000, /* of the bootstrap */
    DPL_CALIBRATE_N_SHOWN = 100 /* probable double entries that are told */
};

/* Faces, or whole pictures, whose people are known. All is borrowed. */
typedef struct dpl_samples {
    size_t n;
    int32_t dim, n_people, n_strata;
    const float *vectors;            /* [n, dim] */
    const int32_t *people;           /* [n] 0 .. n_people-1 */
    const dpl_quality *quality;      /* [n]; NULL: not known, and then all are fair */
    const uint64_t *strata;          /* [n] bit k: it is in stratum k; NULL: there are none */
    const char *const *names;        /* [n] of the files */
    const char *const *people_names; /* [n_people] */
    const char *const *strata_names; /* [n_strata] */
    const int32_t *judged;           /* [n_judged, 2] people found to be two, whom nobody needs to
                                        look at again */
    size_t n_judged;
} dpl_samples;

typedef struct dpl_calibrate_options {
    size_t struct_size;
    double fmr;           /* the rate that the table has to reach; default DPL_DEFAULT_FMR */
    dpl_range range;      /* where the quality is known; default 0.5, 45, 0.3 */
    double strata_within; /* a stratum may come to so many times the rate asked for; default 3 */
    const char *source;   /* what the table says of its data; NULL: counts only */
    const char *model;    /* the encoder's hash that it is to say; NULL: it says none */
    const char *cohort;   /* by which scores are normalised (dpl_cohort_make); NULL: none */
    int32_t cohort_top;   /* of it, those most like a face; default 40 */
    uint64_t seed;        /* of the bootstrap; default 1 */
    int n_threads;        /* 0: one a core */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: DPL_E_CANCELLED */
    void (*on_progress)(void *ctx, int64_t n_done, int64_t n_total); /* caller's thread, or NULL */
    void *ctx;
} dpl_calibrate_options;

#define DPL_CALIBRATE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(dpl_calibrate_options), DPL_DEFAULT_FMR, {0.5f, 45.0f, 0.3f}, 3.0, NULL, NULL,      \
            NULL, 40, 1, 0, NULL, NULL, NULL                                                       \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_calibrate_options_init(dpl_calibrate_options *options, size_t struct_size);

/* A row of a table. */
typedef struct dpl_point_row {
    float at; /* evidence: without a cohort the score */
    double rate, low, high;
    double bar; /* the rate that decides */
} dpl_point_row;

/* A stratum's part in the bounds. */
typedef struct dpl_stratum_row {
    const char *name; /* of the samples */
    int64_t n_people, n_pairs;
    double lowest_rate; /* at which it has pairs enough to speak; NaN: at none, it has no part */
    double factor;      /* its rate over the table's there; NaN: at none */
} dpl_stratum_row;

/* Two people who look like one. */
typedef struct dpl_double {
    int32_t person_a, person_b; /* of the samples */
    size_t sample_a, sample_b;  /* their most similar pair */
    float score;                /* of it */
    double expected;            /* pairs of strangers that one would expect to score so high */
    int64_t n_pairs, n_alike;   /* of both people; of them, as alike as half of all pairs of one */
} dpl_double;

typedef struct dpl_calibrated {
    char *json; /* the calibration, version 2: what dpl_calibration_parse reads */
    int64_t n_people, n_faces, n_pairs;
    int64_t n_too_poor; /* faces in no pair */
    int64_t n_left_out; /* faces of people who were not drawn */
    int64_t n_poor_pairs, n_genuine_pairs;
    size_t n_points, n_poor, n_genuine, n_strata, n_doubles;
    dpl_point_row *points, *poor;
    dpl_point_row *genuine; /* rate: share of pairs of one below; no bounds */
    dpl_stratum_row *strata;
    dpl_double *doubles; /* the most probable first */
    double mean_factor;  /* NaN: too few people with several faces */
} dpl_calibrated;

/**
 * Make a calibration.
 *
 * Rates go down to those that 10 pairs exceed. Bounds of 95 %: bootstrap over people, never
 * narrower than those of as many independent pairs (Clopper and Pearson 1934), and wide enough for
 * every stratum. What decides is the upper bound of all pairs, and of every stratum's its
 * strata_within-th part: a rate asked for is kept by all, and exceeded by no stratum more than so
 * many times. A pair counts when both are in one stratum. What is past the table's end is not
 * guessed.
 *
 * @param[out] out  cleared by dpl_calibrated_clear
 * @retval DPL_E_INPUT      too few people or pairs for options->fmr; err says how many are needed.
 *                          Or a vector that is not finite
 * @retval DPL_E_ARGUMENT   an option or a sample's number out of range
 * Threads: uses n_threads itself; the result does not depend on how many.
 */
DPL_API dpl_status dpl_calibrate(dpl_calibrated *out, const dpl_samples *samples,
                                 const dpl_head *head, const dpl_calibrate_options *options,
                                 dpl_error *err);
DPL_API void dpl_calibrated_clear(dpl_calibrated *calibrated);

/* ------------------------------------------------------------------ of given pairs */

typedef struct dpl_calibrated_pairs {
    char *json; /* the calibration, version 1: what dpl_calibration_parse reads */
    size_t n_pairs, n_same, n_points; /* pairs that are not the same; that are; of the table */
    double lowest_fmr;                /* that it supports */
} dpl_calibrated_pairs;

/**
 * Make a calibration of pairs of which it is known whether they are the same, as of sentences.
 *
 * Rates go down to those that 10 pairs exceed, with the bounds of as many independent pairs. A rate
 * is that of pairs like these: of random ones, or of ones that were chosen to be hard.
 *
 * @param[out] out     cleared by dpl_calibrated_pairs_clear
 * @param      scores  [n] by the head
 * @param      same    [n]
 * @param      fmr     the rate that it has to reach
 * @param      source  what it says of its data; may be NULL
 * @retval DPL_E_INPUT  too few pairs for fmr, or a score that is not finite
 */
DPL_API dpl_status dpl_calibrate_pairs(dpl_calibrated_pairs *out, const float *scores,
                                       const bool *same, size_t n, const dpl_head *head, double fmr,
                                       const char *source, dpl_error *err);
DPL_API void dpl_calibrated_pairs_clear(dpl_calibrated_pairs *calibrated);

/* ------------------------------------------------------------------ the cohort */

enum { DPL_COHORT_PEOPLE = 5 /* of whom each centre is the mean */ };

/**
 * Make a cohort: centres by which scores are normalised. Each is the mean of a face drawn at random
 * and of the nearest faces of four other people, so that nobody's vector is among them. Faces of
 * different strata are not mixed.
 *
 * @param[out] text      the fact "doppel.cohort", freed by dpl_bytes_free
 * @param      samples   of people who are not calibrated with; quality is not looked at
 * @param[in]  n_seeds   [n_strata], or [1] where there are none: centres wanted of each; no more
 *                       than it has faces are made
 * @param[out] n_centres how many there are
 * @retval DPL_E_INPUT   a stratum has fewer than five people; fewer than 40 centres in all
 * @retval DPL_E_ARGUMENT  the head is not the cosine
 */
DPL_API dpl_status dpl_cohort_make(char **text, int64_t *n_centres, const dpl_samples *samples,
                                   const dpl_head *head, const int32_t *n_seeds, uint64_t seed,
                                   int n_threads, dpl_error *err);

/* ------------------------------------------------------------------ who is the same */

/**
 * Read what somebody has found on looking at probable double entries, and merge people.
 *
 * Lines "same A B" (A and B are one person), "unsure A B" and "alike A B" (they stay two), names
 * parted by spaces or, when they hold spaces, by tabs; "#" begins a comment at a line's start or
 * behind a space.
 *
 * @param[in,out] people    [n] samples->people, which is renumbered
 * @param[out]    n_merged  people who went into another
 * @param[out]    judged    [n_judged, 2] samples->judged, freed by dpl_bytes_free
 * @retval DPL_E_INPUT  a line is none of these, or names nobody; err names the line
 */
DPL_API dpl_status dpl_review_apply(int32_t *people, size_t n, const char *const *people_names,
                                    int32_t n_people, const char *path, int64_t *n_merged,
                                    int32_t **judged, size_t *n_judged, dpl_error *err);

/* ------------------------------------------------------------------ keeping it */

/** Write a calibration beside a gallery ("calibration.json" in its folder, mode 0600), atomically;
 * there it decides in the place of the model's own.
 * @retval DPL_E_SYSTEM  it cannot be written */
DPL_API dpl_status dpl_calibration_beside(const dpl_gallery *gallery, const char *json,
                                          dpl_error *err);

/**
 * Write a calibration into an ONNX file's metadata, in place and atomically; all else stays as it
 * is, the model's name and that of its vectors, too.
 *
 * @param cohort  the fact "doppel.cohort" beside it; NULL: as it is
 * @retval DPL_E_MODEL  not a model, or a file beside it (PATH.json) has a calibration that would
 *                      win
 */
DPL_API dpl_status dpl_calibration_into_model(const char *path, const char *json,
                                              const char *cohort, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
