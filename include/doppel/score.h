/*
 * Scores and decisions: two vectors to a score, a score to a rate, a rate to a decision.
 *
 * A score is always "higher is more alike", whatever the head. A decision needs a calibration:
 * tables, measured on impostor pairs, from a score to evidence and from that to the false match
 * rate (FMR).
 */
#ifndef DOPPEL_SCORE_H
#define DOPPEL_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/face.h"
#include "doppel/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ heads */

typedef enum dpl_head_kind {
    DPL_HEAD_COSINE = 0,    /* cos(a, b), -1..1 */
    DPL_HEAD_EUCLIDEAN = 1, /* -|a - b|, at most 0 */
    DPL_HEAD_L1_SIGMOID =
        2, /* sigmoid(sum_i w_i |a_i - b_i| + bias), 0..1; Koch et al. 2015, section 3.1 */
    DPL_HEAD_EXP_MANHATTAN = 3 /* exp(-sum_i |a_i - b_i|), 0..1; Mueller and Thyagarajan 2016 */
} dpl_head_kind;

typedef struct dpl_head dpl_head;

/**
 * Make a head. weights [dim] float32 and bias are for DPL_HEAD_L1_SIGMOID only (copied), else NULL,
 * 0.
 * @param dim  1 to DPL_MAX_DIM
 * @retval DPL_E_ARGUMENT  no such kind, dim out of range, weights for a head that has none
 * @retval DPL_E_MODEL     weights missing, or they or the bias not finite
 */
DPL_API dpl_status dpl_head_new(dpl_head **out, dpl_head_kind kind, int32_t dim,
                                const float *weights, float bias, dpl_error *err);

/** The head that an encoder's facts name: "head" (cosine, euclidean, l1-sigmoid, exp-manhattan;
 *  cosine when absent), "head.weights" (base64 of little-endian float32 [dim]), "head.bias". */
DPL_API dpl_status dpl_head_open(dpl_head **out, const dpl_encoder *encoder, dpl_error *err);
/** The same of a text encoder. */
DPL_API dpl_status dpl_head_open_text(dpl_head **out, const dpl_text_encoder *encoder,
                                      dpl_error *err);
/** The same of a network that gives vectors of dim numbers. */
DPL_API dpl_status dpl_head_open_net(dpl_head **out, const dpl_net *net, int32_t dim,
                                     dpl_error *err);
DPL_API void dpl_head_free(dpl_head *head);
DPL_API dpl_head_kind dpl_head_get_kind(const dpl_head *head);
DPL_API const char *dpl_head_name(const dpl_head *head);
DPL_API int32_t dpl_head_dim(const dpl_head *head);

/**
 * Score of two vectors [dim]; NaN when either is not finite, or by cosine when either is all zero,
 * else finite.
 *
 * Threads: any number at once.
 * Numerics: sums in double, in an order that depends on dim only: a pair scores the same, to the
 * bit, alone or in a batch, either way round, and at every level of the processor.
 */
DPL_API float dpl_head_score(const dpl_head *head, const float *a, const float *b);

/** Scores of one vector [dim] against n, rows [n, dim], into out [n]. */
DPL_API void dpl_head_scores(float *out, const dpl_head *head, const float *probe,
                             const float *rows, size_t n);

/* ------------------------------------------------------------------ calibration */

typedef struct dpl_calibration dpl_calibration;

/* A false match rate with the 95 % bounds of what the measurement supports. */
typedef struct dpl_rate {
    double rate, low, high;
    bool beyond; /* past the table's end; rate and high say "no more than this" */
} dpl_rate;

/* Which faces a calibration's tables are of. A face is fair from this quality on, and turned
 * sideways by no more than this; below too_poor nothing is claimed of it; else it is poor. A face
 * whose quality is not known counts as fair. */
typedef struct dpl_range {
    float quality, yaw_deg, too_poor;
} dpl_range;

/* A part of those measured of which a table's bounds hold, too. */
typedef struct dpl_stratum {
    const char *name;
    uint64_t people, pairs;
} dpl_stratum;

/**
 * Read a calibration.
 *
 * JSON of version 1: {"version":1, "metric":"cosine", "pairs":N, "source":"…",
 * "points":[[score, fmr],…] or [[score, fmr, low, high],…]}, 1 to 4096 points, scores strictly
 * increasing (as float32), rates and bounds not increasing, N at most 1e12. Without bounds, those
 * of the binomial (Clopper and Pearson 1934, 95 %) for N pairs are taken. A high bound is above 0:
 * no measurement shows that something cannot happen. May be there: "genuine":{"pairs":n,
 * "points":[[score, fnmr],…]}, rates not decreasing. Other keys are ignored.
 *
 * Version 2 has "points" and "genuine" over the evidence, and "people":N. A point may have a fifth
 * number, from fmr to high: the rate that decides (dpl_calibration_threshold), which else is high.
 * What evidence is:
 *  - "cohort":{"top":40, "sha256":"…"}, "score":[[score, fmr],…], "normalised":[[score, fmr],…]:
 *    dpl_calibration_evidence; the sum is of the text of the model's fact "cohort". Two points at
 *    least, rates above 0, the last below the one before;
 *  - without these three it is the score.
 * May be there: "range":{"quality":q, "yaw_deg":d, "too_poor":p} (dpl_range, p at most q);
 * "poor":[[evidence, fmr, low, high],…], for pairs of which a face is poor, with a range only;
 * "mean_factor":f, 1 to 100; "strata":[{"name":"…", "people":n, "pairs":n},…]; "model":"…", the
 * hash of the encoder that it is of.
 *
 * @retval DPL_E_MODEL  not such a table; err says where
 */
DPL_API dpl_status dpl_calibration_parse(dpl_calibration **out, const char *json, dpl_error *err);
DPL_API void dpl_calibration_free(dpl_calibration *calibration);
DPL_API int dpl_calibration_version(const dpl_calibration *calibration); /* of the format: 1, 2 */
/** Impostor pairs that it was measured on. */
DPL_API uint64_t dpl_calibration_pairs(const dpl_calibration *calibration);
/** People of whom they were; 0 when it does not say. */
DPL_API uint64_t dpl_calibration_people(const dpl_calibration *calibration);
DPL_API const char *dpl_calibration_source(const dpl_calibration *calibration);

/** Whether its evidence needs a cohort; without one, evidence is the score. */
DPL_API bool dpl_calibration_has_cohort(const dpl_calibration *calibration);
/** Whether there is a table for poor faces; without one, a pair with a poor face never matches. */
DPL_API bool dpl_calibration_has_poor(const dpl_calibration *calibration);
/** Which faces it is of; false when it does not say, and then every face is fair. */
DPL_API bool dpl_calibration_range(dpl_range *out, const dpl_calibration *calibration);
/** How many times as often a stranger reaches the same evidence against the mean of several
 * templates of a person; at least 1. */
DPL_API double dpl_calibration_mean_factor(const dpl_calibration *calibration);
DPL_API size_t dpl_calibration_n_strata(const dpl_calibration *calibration);
/** Borrowed; NULL past the last. */
DPL_API const dpl_stratum *dpl_calibration_stratum(const dpl_calibration *calibration, size_t i);

/**
 * How much speaks against two strangers: with a cohort the less of E(score) and E'(normalised),
 * each -log10 of the rate by its own table, linear between its points and gone on with its first
 * and last slope past its ends; so both must be high. Without a cohort, the score.
 *
 * @param normalised  the score normalised by the cohort; NaN without
 * @return NaN when what it needs is not finite
 */
DPL_API float dpl_calibration_evidence(const dpl_calibration *calibration, float score,
                                       float normalised);

/** Evidence of the first and the last point of the table for fair faces: what a plot may show. */
DPL_API void dpl_calibration_ends(float *low, float *high, const dpl_calibration *calibration);

/** The lowest rate that dpl_calibration_threshold can give a threshold for. */
DPL_API double dpl_calibration_lowest_fmr(const dpl_calibration *calibration);

/* How fit a face is for comparison by a calibration's range. */
typedef enum dpl_fitness {
    DPL_FITNESS_FAIR = 0,
    DPL_FITNESS_POOR = 1,
    DPL_FITNESS_TOO_POOR = 2 /* nothing is claimed of it */
} dpl_fitness;

/** "fair", "poor" or "too poor". */
DPL_API const char *dpl_fitness_words(dpl_fitness fitness);

/** @param calibration  NULL, or one without a range: every face is fair */
DPL_API dpl_fitness dpl_calibration_fitness(const dpl_calibration *calibration,
                                            const dpl_face *face);

/** How often two strangers with fair faces come to at least this evidence: log-linear between the
 * table's points, rate and bounds alike. Past the last point with a rate above 0, no more than the
 * high bound of the last point reached. Below the first point, and of what is not finite: no more
 * than 1. Threads: any. */
DPL_API dpl_rate dpl_calibration_fmr(const dpl_calibration *calibration, float evidence);

/** The same of strangers of whom one's face at least is poor; NaN without such a table. */
DPL_API dpl_rate dpl_calibration_poor_fmr(const dpl_calibration *calibration, float evidence);

/** How often two fair photos of the same person come to this evidence or less (FNMR): linear
 * between the table's points; below the first and above the last, their rates. NaN without such a
 * table, and of what is not finite. */
DPL_API double dpl_calibration_fnmr(const dpl_calibration *calibration, float evidence);
/** Genuine pairs that this was measured on; 0 without. */
DPL_API uint64_t dpl_calibration_genuine_pairs(const dpl_calibration *calibration);

/**
 * The thresholds for a wanted rate, of fair faces.
 *
 * @param[out] accept  least evidence whose deciding rate (upper bound) is at most fmr: from
 * here on, a match
 * @param[out] reject  most evidence whose lower bound is at least fmr: up to here, no match; at
 * most accept; -FLT_MAX when the table begins below fmr and so can reject nothing
 * @retval DPL_E_ARGUMENT  fmr is not in (0, 1), or lower than the table supports; err says the
 * lowest
 */
DPL_API dpl_status dpl_calibration_threshold(float *accept, float *reject,
                                             const dpl_calibration *calibration, double fmr,
                                             dpl_error *err);

/* ------------------------------------------------------------------ decision */

typedef enum dpl_decision {
    DPL_DECISION_NONE = 0, /* no calibration and no threshold: none was made */
    DPL_DECISION_MATCH = 1,
    DPL_DECISION_NO_MATCH = 2,
    DPL_DECISION_INCONCLUSIVE = 3,
    DPL_DECISION_TOO_POOR = 4 /* a face of which the calibration claims nothing */
} dpl_decision;

/** Whether a score reaches a threshold; what is not a number (also a threshold) never does. The one
 * place that accepts: policies, rates and accuracies all ask it. */
DPL_API bool dpl_accepts(double score, double threshold);

/* How a comparison is judged: made once from the user's wish, then applied to any number of them. A
 * policy by a rate judges evidence, one by a threshold the head's score; without a cohort the two
 * are the same. */
typedef struct dpl_policy {
    bool decides;         /* 0: nothing to decide by; every decision is DPL_DECISION_NONE */
    float threshold;      /* of fair faces: dpl_accepts from here on */
    float reject;         /* above it and below threshold: inconclusive; equal: no such zone */
    float poor_threshold; /* as threshold, when a face is poor; NaN: no evidence is enough */
    double fmr;           /* the rate asked for; NaN when a threshold was given instead */
    const dpl_calibration *calibration; /* borrowed; NULL when there is none */
} dpl_policy;

/**
 * @param calibration  may be NULL
 * @param fmr          wanted false match rate; NaN: not given
 * @param threshold    wanted score; NaN: not given. At most one may be given; with neither, fmr is
 *                     DPL_DEFAULT_FMR when there is a calibration, and else nothing is decided
 * @param[out] out     on failure a policy that decides nothing
 * @retval DPL_E_ARGUMENT  both given; a rate without a calibration or that it does not support; a
 *                         threshold that is no finite float
 */
DPL_API dpl_status dpl_policy_make(dpl_policy *out, const dpl_calibration *calibration, double fmr,
                                   double threshold, dpl_error *err);

#define DPL_DEFAULT_FMR 1e-4

/** The one place where a score, or evidence, becomes a decision: of fair faces. NaN and infinities
 * never match. */
DPL_API dpl_decision dpl_decide(const dpl_policy *policy, float score);

/**
 * The same by the faces compared. Two fair ones: dpl_decide. A poor one: a match from
 * poor_threshold on; below, inconclusive where fair faces would not be told apart, and else no
 * match. One that is too poor: DPL_DECISION_TOO_POOR. A policy by a threshold judges all alike.
 */
DPL_API dpl_decision dpl_decide_faces(const dpl_policy *policy, dpl_fitness fitness, float score);

/* What a comparison came to. */
typedef struct dpl_comparison {
    float score;         /* the head's */
    float normalised;    /* the score as the cohort sees it; NaN without a cohort */
    float evidence;      /* dpl_calibration_evidence; NaN without a calibration */
    dpl_fitness fitness; /* of the worse side: the table that the rate is of */
    double times;    /* the rate of a pair counts so many times, for what was compared was chosen or
                        made from several templates; 1 for a single one */
    dpl_rate rate;   /* how often strangers come so far; NaN without a table */
    float threshold; /* that decided, of score or evidence as the policy's; NaN: none is enough, or
                        nothing was decided */
    float reject;
    dpl_decision decision;
} dpl_comparison;

/** "match", "no match", "inconclusive", "too poor" or "none". */
DPL_API const char *dpl_decision_words(dpl_decision decision);

#ifdef __cplusplus
}
#endif

#endif
