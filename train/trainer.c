/*
 * trainer.c - the loop: a batch, forward, loss, backward, a step; now and then a look at what is
 * held out, a line in the log, a checkpoint.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "train/checkpoint.h"
#include "train/run.h"
#include "train/setup.h"
#include "train/tower.h"
#include "train/validate.h"

/* Since the last line of the log. */
typedef struct window {
    double start_s, loss, norm;
    int64_t n_steps, n_correct, n_judged;
} window;

typedef struct loop {
    dpli_trainer *t;
    window window;
    double saved_s, start_s;
    double step_s; /* a step's time, a running mean, for what is left */
    bool stopped_early;
} loop;

/* ------------------------------------------------------------------ one step */

static dpl_status not_finite(const dpli_trainer *t, bool gradients, const char *what,
                             dpl_error *err)
{
    const char *layer = NULL;

    for (int32_t w = 0; w < t->n_towers && !layer; w++)
        layer = dpli_tape_not_finite(t->towers[w].at, gradients);
    return dpli_fail(err, DPL_E_NUMERIC,
                     "step %lld: the %s is not finite, first in layer \"%s\"; the last checkpoint "
                     "is as it was: try a lower rate, or clip the gradient",
                     (long long)t->step + 1, what, layer ? layer : "loss");
}

static void forward(dpli_trainer *t, const dpli_batch *batch)
{
    const size_t block = (size_t)t->rows * (size_t)t->dim;

    for (int32_t w = 0; w < t->n_towers; w++) {
        /* dropout's seed: of this run, this step, this tower */
        dpli_rng rng;
        dpli_seed_at(&rng, (uint64_t)t->settings.o.seed, 41, (uint64_t)t->step, (uint64_t)w);
        dpli_tower_forward(&t->towers[w], batch->inputs[w], t->rows, true, dpli_rng_u64(&rng));
        memcpy(t->embeddings + (size_t)w * block, dpli_tape_output(t->towers[w].at)->value,
               block * sizeof *t->embeddings);
    }
}

static void backward(dpli_trainer *t)
{
    const size_t block = (size_t)t->rows * (size_t)t->dim;

    dpli_towers_part(t);
    for (int32_t w = 0; w < t->n_towers; w++) {
        memcpy(dpli_tape_output(t->towers[w].at)->grad, t->embedding_grads + (size_t)w * block,
               block * sizeof *t->embedding_grads);
        dpli_tape_backward(t->towers[w].at);
    }
    dpli_towers_join(t);
}

static dpl_status take_step(dpl_train_event *e, size_t *n_correct, size_t *n_judged,
                            dpli_trainer *t, dpl_error *err)
{
    const dpli_progress at = {t->step, t->plan.n_steps, t->plan.epoch_steps};
    const dpli_batch *batch;
    dpl_status status = dpli_loader_next(&batch, t->loader, err);

    if (status != DPL_OK)
        return status;
    forward(t, batch);
    const dpli_loss_batch loss_batch = {
        .n = t->rows * t->n_towers,
        .embeddings = t->embeddings,
        .grad = t->embedding_grads,
        .labels = batch->labels,
        .pairs = batch->pairs,
        .n_pairs = batch->n_pairs,
        .teachers = (const float *const *)batch->targets,
    };
    *n_correct = 0;
    status = dpli_loss_run(&e->loss, t->loss, &loss_batch, t->team, n_correct, err);
    *n_judged = batch->n_pairs                         ? batch->n_pairs
                : t->settings.loss == DPLI_LOSS_DISTIL ? 0
                                                       : (size_t)loss_batch.n;
    dpli_loader_done(t->loader);
    if (status == DPL_E_NUMERIC || (status == DPL_OK && !isfinite(e->loss)))
        return not_finite(t, false, "loss", err);
    if (status != DPL_OK)
        return status;
    backward(t);
    e->rate = dpli_optimizer_rate(t->optimizer, &at);
    dpli_optimizer_step(t->optimizer, &at, t->team, &e->grad_norm);
    if (!isfinite(e->grad_norm))
        return not_finite(t, true, "gradient", err);
    t->step++;
    return DPL_OK;
}

/* ------------------------------------------------------------------ telling */

static void tell(const dpli_trainer *t, const dpl_train_event *e)
{
    if (t->settings.o.on_event)
        t->settings.o.on_event(t->settings.o.ctx, e);
}

static double epoch_of(const dpli_trainer *t)
{
    return (double)t->step / (double)t->plan.epoch_steps;
}

static dpl_status after_step(loop *l, dpl_train_event *e, size_t n_correct, size_t n_judged,
                             double seconds, dpl_error *err)
{
    dpli_trainer *t = l->t;
    window *w = &l->window;

    e->kind = DPL_TRAIN_STEPPED;
    e->step = t->step;
    e->epoch = epoch_of(t);
    e->correct = n_judged ? (double)n_correct / (double)n_judged : NAN;
    e->images_per_s = (double)t->plan.rows / fmax(seconds, 1e-9);
    l->step_s = l->step_s > 0 ? 0.95 * l->step_s + 0.05 * seconds : seconds;
    e->eta_s = l->step_s * (double)(t->plan.n_steps - t->step);
    tell(t, e);
    w->loss += e->loss;
    w->norm += e->grad_norm;
    w->n_correct += (int64_t)n_correct;
    w->n_judged += (int64_t)n_judged;
    w->n_steps++;
    if (t->step % t->settings.o.log_steps != 0 && t->step != t->plan.n_steps)
        return DPL_OK;
    dpl_train_event line = *e;
    line.kind = DPL_TRAIN_LOGGED;
    line.loss = w->loss / (double)w->n_steps;
    line.grad_norm = w->norm / (double)w->n_steps;
    line.correct = w->n_judged ? (double)w->n_correct / (double)w->n_judged : NAN;
    line.images_per_s = (double)(w->n_steps * t->plan.rows) / fmax(dpli_now() - w->start_s, 1e-9);
    tell(t, &line);
    *w = (window){.start_s = dpli_now()};
    return dpli_run_log(t, &line, err);
}

/* ------------------------------------------------------------------ now and then */

static dpl_status save(loop *l, dpl_error *err)
{
    const dpl_status status = dpli_checkpoint_save(l->t, err);

    l->saved_s = dpli_now();
    return status;
}

/* Measure, with averaged weights where there are any; keep the best. */
static dpl_status validate(loop *l, dpl_error *err)
{
    dpli_trainer *t = l->t;
    const double start = dpli_now();
    dpl_train_event e = {.kind = DPL_TRAIN_VALIDATED, .step = t->step, .epoch = epoch_of(t)};
    dpl_status status;

    t->validated_step = t->step;
    dpli_optimizer_swap_average(t->optimizer, t->team);
    status = dpli_validate(&e.figures, t, err);
    if (status == DPL_OK) {
        const double figure = dpli_figure(&e.figures, t->settings.best);
        e.is_best = dpli_figure_better(figure, t->best, t->settings.best);
        if (e.is_best) {
            t->best = figure;
            t->best_step = t->step;
            status = dpli_run_export(t, "best", err);
        }
    }
    dpli_optimizer_swap_average(t->optimizer, t->team);
    if (status != DPL_OK)
        return status;
    t->since_best = e.is_best ? 0 : t->since_best + 1;
    status = dpli_run_log(t, &e, err);
    if (status == DPL_OK)
        tell(t, &e);
    l->window.start_s += dpli_now() - start; /* not training's time */
    return status;
}

static dpl_status write_last(dpli_trainer *t, dpl_error *err)
{
    dpl_status status;

    dpli_optimizer_swap_average(t->optimizer, t->team);
    status = dpli_run_export(t, "last", err);
    dpli_optimizer_swap_average(t->optimizer, t->team);
    return status;
}

static dpl_status now_and_then(loop *l, dpl_error *err)
{
    dpli_trainer *t = l->t;
    const dpl_train_options *o = &t->settings.o;
    const int64_t every = o->validate_steps ? o->validate_steps : t->plan.epoch_steps;
    const bool due = t->step % every == 0 || t->step == t->plan.n_steps;
    dpl_status status = DPL_OK;

    if (due && (t->held.n_classes || t->held.n_pairs))
        status = validate(l, err);
    if (status == DPL_OK && (due || dpli_now() - l->saved_s >= o->checkpoint_minutes * 60))
        status = save(l, err);
    if (o->patience && t->since_best >= o->patience)
        l->stopped_early = true;
    return status;
}

static dpl_status run(loop *l, dpl_error *err)
{
    dpli_trainer *t = l->t;
    const dpl_train_options *o = &t->settings.o;
    const dpl_train_event planned = {
        .kind = DPL_TRAIN_PLANNED, .plan = &t->plan, .step = t->step, .epoch = epoch_of(t)};
    dpl_status status = DPL_OK;

    tell(t, &planned);
    l->start_s = l->saved_s = l->window.start_s = dpli_now();
    l->stopped_early = o->patience && t->since_best >= o->patience;
    while (t->step < t->plan.n_steps && !l->stopped_early) {
        const double start = dpli_now();
        dpl_train_event e = {.plan = &t->plan};
        size_t n_correct, n_judged;
        if (dpli_cancelled(o->cancel)) {
            status = save(l, err);
            if (status == DPL_OK)
                status = write_last(t, err);
            return status == DPL_OK ? dpli_fail(err, DPL_E_CANCELLED,
                                                "interrupted after step %lld, which is saved",
                                                (long long)t->step)
                                    : status;
        }
        status = take_step(&e, &n_correct, &n_judged, t, err);
        if (status == DPL_OK)
            status = after_step(l, &e, n_correct, n_judged, dpli_now() - start, err);
        if (status == DPL_OK)
            status = now_and_then(l, err);
        if (status != DPL_OK)
            return status;
    }
    return write_last(t, err);
}

dpl_status dpl_train(dpl_train_report *report, const dpl_train_options *options, dpl_error *err)
{
    dpl_train_options known = DPL_TRAIN_OPTIONS_INIT;
    dpli_trainer t;
    loop l = {.t = &t};
    const double start = dpli_now();
    dpl_status status = dpli_options(&known, sizeof known, options, "training", err);

    *report = (dpl_train_report){.best = (double)NAN};
    if (status != DPL_OK)
        return status;
    status = dpli_trainer_open(&t, &known, err);
    if (status == DPL_OK)
        status = run(&l, err);
    *report = (dpl_train_report){.n_steps = t.step,
                                 .best = t.best,
                                 .best_step = t.best_step,
                                 .stopped_early = l.stopped_early,
                                 .seconds = dpli_now() - start};
    dpli_trainer_close(&t);
    return status;
}
