/*
 * Which pictures make a batch: a function of the run's seed and the step alone, so that batches can
 * be made in any order, on any thread, and a resumed run draws what it would have drawn.
 */
#ifndef DOPPEL_TRAIN_SAMPLER_H
#define DOPPEL_TRAIN_SAMPLER_H

#include "train/loss.h"

#define DPLI_TOWERS 2

/* A class to draw from: its pictures, one list a tower. */
typedef struct dpli_draw_class {
    int32_t cls;                       /* in the (first) dataset */
    int32_t group;                     /* -1: none */
    const int32_t *items[DPLI_TOWERS]; /* of that tower's dataset */
    int32_t n[DPLI_TOWERS];
} dpli_draw_class;

/* A pair that the data gives. */
typedef struct dpli_given {
    int32_t a, b;  /* items, of either tower's dataset */
    float target;  /* 1: same, 0: different; a grade between */
    int32_t steps; /* of the longer one; 0 where all are the same */
} dpli_given;

/* Classes to draw from, or pairs. */
typedef struct dpli_draws {
    int32_t n_towers;
    int32_t n_classes;
    dpli_draw_class *classes;
    int32_t *items; /* all the lists */
    int32_t n_items;
    dpli_given *pairs; /* then there are no classes */
    int32_t n_pairs;
} dpli_draws;

void dpli_draws_clear(dpli_draws *pool);

typedef struct dpli_row {
    int32_t item, label;
    int32_t cls;   /* the class's number in the dataset, what the label is of the pool's */
    int32_t turns; /* quarter turns */
} dpli_row;

typedef struct dpli_sampler_options {
    const dpli_draws *pool;
    uint64_t seed;
    int32_t classes, items; /* a batch is classes x items of them, all pairs; */
    int32_t pairs;          /* or, when not 0, so many pairs, every other one of the same class; or
                             * of those given, each once an epoch (but for what fills no batch) */
    bool by_item;           /* or classes x items pictures of the whole pool, each once an epoch */
    bool turned;            /* classes also turned, as classes of their own */
    double within_group;
    bool want_pairs;
} dpli_sampler_options;

/* One thread's. */
typedef struct dpli_sampler dpli_sampler;

dpl_status dpli_sampler_new(dpli_sampler **out, const dpli_sampler_options *options,
                            dpl_error *err);
void dpli_sampler_free(dpli_sampler *s);
/** Rows of a tower a batch; and the most pairs. */
int32_t dpli_sampler_rows(const dpli_sampler *s);
size_t dpli_sampler_pairs(const dpli_sampler *s);

/** @param rows  [n_towers * dpli_sampler_rows], tower by tower; pairs: [dpli_sampler_pairs] */
void dpli_sampler_draw(dpli_sampler *s, int64_t step, dpli_row *rows, dpli_pair *pairs,
                       size_t *n_pairs);

/** A generator for one purpose (salt) at one place (a, b) of a run. */
void dpli_seed_at(dpli_rng *rng, uint64_t seed, uint64_t salt, uint64_t a, uint64_t b);

/** m of the n numbers in order, drawn without repeating, to its front. */
void dpli_draw_front(int32_t *order, int32_t n, int32_t m, dpli_rng *rng);

/** Classes of the group of class c, to out; how many. */
int32_t dpli_draws_group(int32_t *out, const dpli_draws *pool, int32_t c);

#endif
