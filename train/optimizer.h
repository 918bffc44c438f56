/* Optimizers and their schedules: gradients to new parameters. */
#ifndef DOPPEL_TRAIN_OPTIMIZER_H
#define DOPPEL_TRAIN_OPTIMIZER_H

#include "base/team.h"
#include "net/tape.h"

typedef enum dpli_optimizer_kind {
    DPLI_SGD, /* with momentum (heavy ball), as Koch 2015 */
    DPLI_ADAM,
    DPLI_NADAM,
    DPLI_ADAMW
} dpli_optimizer_kind;

typedef enum dpli_schedule {
    DPLI_SCHEDULE_CONSTANT,
    DPLI_SCHEDULE_DECAY, /* rate x decay an epoch; Koch 2015: 0.99 */
    DPLI_SCHEDULE_COSINE /* half a cosine from rate to rate x floor */
} dpli_schedule;

typedef struct dpli_optimizer_options {
    dpli_optimizer_kind kind;
    double rate;
    dpli_schedule schedule;
    double decay;         /* a factor an epoch */
    double floor;         /* cosine's end, of rate */
    int64_t warmup_steps; /* linear: step t of them has (t + 1) / warmup_steps of the rate */
    double momentum;      /* SGD: at the start */
    double momentum_end;  /* SGD: in the last epoch, risen linearly epoch by epoch; Koch 2015 */
    double beta1, beta2, epsilon;
    double l2;        /* penalty (SGD, Adam, Nadam: l2 w in the gradient; AdamW: decoupled) on conv
                         and dense weights; Koch's lambda is half of it */
    double clip_norm; /* of the whole gradient, without l2; 0: none */
    double ema;       /* weight averaging, decay a step (at first (1 + t) / (10 + t)); 0: none */
} dpli_optimizer_options;

/** The field's usual values for a kind. */
dpli_optimizer_options dpli_optimizer_defaults(dpli_optimizer_kind kind);

/* A layer's own: factors on rate and L2, the first whose pattern (fnmatch) fits the layer's or the
 * parameter's name. */
typedef struct dpli_layer_rule {
    const char *pattern;
    double rate; /* factor on the rate */
    double l2;   /* the penalty itself; NaN: as the others */
} dpli_layer_rule;

/* Where the run stands: what schedules depend on. */
typedef struct dpli_progress {
    int64_t step, n_steps; /* of the whole run */
    int64_t steps_an_epoch;
} dpli_progress;

typedef struct dpli_optimizer dpli_optimizer;

/** Keeps params, which must outlive it; frozen ones and those without a gradient are left alone. */
dpl_status dpli_optimizer_new(dpli_optimizer **out, const dpli_optimizer_options *options,
                              const dpli_layer_rule *rules, int32_t n_rules,
                              dpli_param *const *params, int32_t n_params, dpl_error *err);
void dpli_optimizer_free(dpli_optimizer *o);
size_t dpli_optimizer_bytes(const dpli_optimizer *o);

double dpli_optimizer_rate(const dpli_optimizer *o, const dpli_progress *at);
double dpli_optimizer_momentum(const dpli_optimizer *o, const dpli_progress *at);

/** One step, in parallel over the team. *norm is the gradient's length before clipping, in double,
 * summed in a fixed order. A norm that is not finite changes nothing: the caller stops. */
void dpli_optimizer_step(dpli_optimizer *o, const dpli_progress *at, dpli_team *team, double *norm);

/** Exchange the parameters and their average (with ema; else nothing): call twice around a
 * validation. The running averages of batch norm are averaged as well. */
void dpli_optimizer_swap_average(dpli_optimizer *o, dpli_team *team);

/** The state as one list of arrays in a fixed order, for checkpoints: array i has *n floats. NULL
 * past the end. The number of steps taken is dpli_optimizer_steps. */
float *dpli_optimizer_state(dpli_optimizer *o, int32_t i, size_t *n, const char **name);
int64_t dpli_optimizer_steps(const dpli_optimizer *o);
/** @param steps  at least 0 */
void dpli_optimizer_set_steps(dpli_optimizer *o, int64_t steps);

#endif
