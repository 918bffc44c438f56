/*
 * answer_train.c - what `train` tells as JSON.
 */
#include "app/answer_train.h"

#include <math.h>

#include "app/json.h"

static void put_plan(json_t **o, const dpl_train_plan *p)
{
    json_put_text(o, "arch", p->arch);
    json_put_text(o, "loss", p->loss);
    json_put_text(o, "head", p->head);
    json_put_text(o, "figure", p->best);
    json_put_int(o, "parameters", (int64_t)p->n_parameters);
    json_put_int(o, "dim", p->dim);
    json_put_int(o, "towers", p->n_towers);
    json_put_int(o, "tape_bytes", (int64_t)p->tape_bytes);
    json_put_int(o, "optimizer_bytes", (int64_t)p->optimizer_bytes);
    json_put_int(o, "pixel_bytes", (int64_t)p->pixel_bytes);
    json_put_int(o, "loader_bytes", (int64_t)p->loader_bytes);
    if (p->captions)
        json_put_int(o, "sentences", p->n_items);
    else
        json_put_int(o, "classes", p->n_classes);
    json_put_int(o, "pictures", p->captions ? p->n_classes : p->n_items);
    if (p->n_words) {
        json_put_int(o, "words", p->n_words);
        json_put_int(o, "words_without_vector", p->n_missing);
    }
    if (p->n_pairs) {
        json_put_int(o, "pairs", p->n_pairs);
        json_put_int(o, "held_pairs", p->n_held_pairs);
    }
    if (p->captions)
        json_put_int(o, "held_sentences", p->n_held_items);
    else
        json_put_int(o, "held_classes", p->n_held_classes);
    json_put_int(o, "held_pictures", p->captions ? p->n_held_classes : p->n_held_items);
    json_put_int(o, "rows", p->rows);
    json_put_int(o, "steps", p->n_steps);
    json_put_int(o, "epoch_steps", p->epoch_steps);
    json_put_int(o, "threads", p->n_threads);
}

json_t *train_event_json(const dpl_train_event *e)
{
    static const char *const kinds[] = {"plan",       "step",       "log",
                                        "validation", "checkpoint", "warning"};
    json_t *o = json_answer("train");

    json_put_text(&o, "event", kinds[e->kind]);
    json_put_int(&o, "step", e->step);
    if (e->kind == DPL_TRAIN_PLANNED)
        put_plan(&o, e->plan);
    if (e->kind == DPL_TRAIN_LOGGED) {
        json_put_real(&o, "epoch", e->epoch);
        json_put_real(&o, "loss", e->loss);
        json_put_real(&o, "correct", e->correct);
        json_put_real(&o, "rate", e->rate);
        json_put_real(&o, "grad_norm", e->grad_norm);
        json_put_real(&o, "images_per_s", e->images_per_s);
        json_put_real(&o, "eta_s", e->eta_s);
    }
    if (e->kind == DPL_TRAIN_VALIDATED) {
        json_put_real(&o, "epoch", e->epoch);
        if (e->figures.n_sentences) {
            json_put_real(&o, "r1", e->figures.recall_1);
            json_put_real(&o, "r5", e->figures.recall_5);
            json_put_real(&o, "r10", e->figures.recall_10);
            json_put_real(&o, "median_rank", e->figures.median_rank);
            json_put_int(&o, "sentences", e->figures.n_sentences);
            json_put_int(&o, "pictures", e->figures.n_pictures);
        } else if (!e->figures.n_pairs) {
            json_put_real(&o, "oneshot", e->figures.oneshot);
        }
        json_put_real(&o, "auc", e->figures.auc);
        json_put_real(&o, "accuracy", e->figures.accuracy);
        json_put_real(&o, "eer", e->figures.eer);
        json_put_real(&o, "tar", e->figures.tar);
        if (e->figures.n_pairs) {
            json_put_real(&o, "loss", e->figures.loss);
            json_put_real(&o, "correct", e->figures.correct);
            json_put_real(&o, "pearson", e->figures.pearson);
            json_put_real(&o, "spearman", e->figures.spearman);
            json_put_real(&o, "squared_error", e->figures.squared_error);
            json_put_int(&o, "pairs", e->figures.n_pairs);
        } else if (!e->figures.n_sentences) {
            json_put_int(&o, "ways", e->figures.n_ways);
            json_put_int(&o, "trials", e->figures.n_trials);
        }
        json_put_bool(&o, "best", e->is_best);
    }
    json_put_text(&o, "text", e->text);
    return o;
}

json_t *train_report_json(const dpl_train_report *r, const char *run)
{
    json_t *o = json_answer("train");

    json_put_text(&o, "event", "done");
    json_put_int(&o, "step", r->n_steps);
    json_put_text(&o, "run", run);
    json_put_real(&o, "best", r->best);
    if (isfinite(r->best))
        json_put_int(&o, "best_step", r->best_step);
    json_put_bool(&o, "stopped_early", r->stopped_early);
    json_put_real(&o, "seconds", r->seconds);
    return o;
}
