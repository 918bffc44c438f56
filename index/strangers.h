/* All pairs among faces of known people: scored, counted, and drawn anew. */
#ifndef DOPPEL_INDEX_STRANGERS_H
#define DOPPEL_INDEX_STRANGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/calibrate.h"
#include "index/cohort.h"
#include "index/flat.h"
#include "index/tally.h"

/* Faces in the order of their people. With a cohort a pair's score is its evidence, once there are
 * marginals to take it from. */
typedef struct dpli_faces {
    size_t n;
    int32_t dim, n_people;
    const dpl_head *head;             /* borrowed */
    const dpli_cohort *cohort;        /* borrowed; NULL: none */
    const dpl_calibration *marginals; /* borrowed; NULL: none, or not known yet */
    float *rows;                      /* [n, dim] */
    float *mean, *deviation;          /* [n] of the cohort; NULL without */
    uint64_t *strata;                 /* [n]; a pair counts when both have one in common */
    bool *is_fair;                    /* [n]; else poor */
    int32_t *person;                  /* [n] 0 .. n_people-1, rising */
    size_t *first;                    /* [n_people + 1] */
    size_t *sample;                   /* [n] where it was given */
} dpli_faces;

/** Those of the samples that keep says; the others are in no pair. */
dpl_status dpli_faces_make(dpli_faces *out, const dpl_samples *samples, const dpl_head *head,
                           const dpli_cohort *cohort, const bool *keep, const bool *is_fair,
                           dpl_error *err);
/** Those in one stratum. */
dpl_status dpli_faces_of(dpli_faces *out, const dpli_faces *faces, int stratum, dpl_error *err);
void dpli_faces_clear(dpli_faces *faces);

/* How a walk over pairs is done: what its caller wants, and how far it is. */
typedef struct dpli_walking {
    int n_threads;
    const volatile int *cancel;
    void (*on_progress)(void *ctx, int64_t n_done, int64_t n_total);
    void *ctx;
    int64_t n_done, n_total; /* pairs */
} dpli_walking;

/* The kinds of pairs. */
enum { DPLI_FAIR, DPLI_POOR, DPLI_GENUINE, DPLI_N_KINDS };

/** How the head's scores of fair strangers are distributed, and the normalised ones. tallies [2],
 * closed; the caller's. */
dpl_status dpli_strangers_marginals(dpli_tally *tallies, const dpli_faces *faces,
                                    dpli_walking *walking, dpl_error *err);

/** How the scores of each kind are distributed: of strangers who are both fair, of strangers of
 * whom one is poor, and of one person, both fair. tallies [DPLI_N_KINDS], closed; the caller's. */
dpl_status dpli_strangers_tally(dpli_tally *tallies, const dpli_faces *faces, dpli_walking *walking,
                                dpl_error *err);

enum { DPLI_MAX_EDGES = 32 };

/* Scores to count at, rising. */
typedef struct dpli_edges {
    size_t n;
    float at[DPLI_MAX_EDGES];
} dpli_edges;

/* How many pairs reach each edge. */
typedef struct dpli_counts {
    int64_t n_people[DPLI_N_KINDS]; /* who are in such a pair */
    uint64_t n_pairs[DPLI_N_KINDS];
    uint64_t hits[DPLI_N_KINDS][DPLI_MAX_EDGES];
    double low[2][DPLI_MAX_EDGES], high[2][DPLI_MAX_EDGES]; /* of the rate, 95 % */
} dpli_counts;

/**
 * Count, and bound the rates of the first two kinds by a bootstrap over people: each draws as many
 * people as there are, with replacement; a pair then counts as often as the product of how often
 * its people were drawn.
 *
 * @param edges  [DPLI_N_KINDS]
 * @param top    gets the most alike fair pairs of strangers, as first * n + second; NULL: not asked
 */
dpl_status dpli_strangers_count(dpli_counts *out, dpli_top *top, const dpli_faces *faces,
                                const dpli_edges *edges, uint64_t seed, dpli_walking *walking,
                                dpl_error *err);

/** How many times as often a stranger reaches an edge against the mean of all fair faces of a
 * person as against one of them: the most over the edges that enough pairs reach; at least 1. NaN
 * where fewer than DPL_CALIBRATE_MIN_PEOPLE have several. By the cosine only. */
dpl_status dpli_strangers_mean_factor(double *out, const dpli_faces *faces, const dpli_edges *edges,
                                      dpli_walking *walking, dpl_error *err);

/** The head's score of two of the faces; and what it is counted by: their evidence, or the same. */
float dpli_faces_raw(const dpli_faces *faces, size_t a, size_t b);
float dpli_faces_score(const dpli_faces *faces, size_t a, size_t b);

/** Pairs of all kinds, those of no common stratum included: what one walk takes. */
int64_t dpli_faces_work(const dpli_faces *faces);

#endif
