/*
 * setup.c - from settings to everything that a step needs.
 *
 * A new run writes start.onnx, architecture and first weights, and every run, new or resumed,
 * begins by reading it: so both have the same graph, a result that the encoder can open is known
 * before the first step, and a run does not need the model that it was started from any more.
 */
#include "train/setup.h"

#include <assert.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/arch.h"
#include "net/load.h"
#include "net/onnx_write.h"
#include "train/checkpoint.h"
#include "train/feed_pictures.h"
#include "train/run.h"
#include "train/split.h"
#include "train/validate.h"
#include "vision/encoder.h"

#define MAX_MODEL_BYTES ((size_t)1 << 31)

static void warn(void *trainer, const char *text)
{
    const dpli_trainer *t = trainer;
    const dpl_train_event e = {.kind = DPL_TRAIN_WARNED, .step = t->step, .text = text};

    if (t->settings.o.on_event)
        t->settings.o.on_event(t->settings.o.ctx, &e);
}

/* ------------------------------------------------------------------ the towers' nets */

static dpl_status read_graph(dpli_graph *g, const char *path, dpl_error *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    dpl_status status = dpli_file_read(&bytes, &n, path, MAX_MODEL_BYTES, err);

    if (status == DPL_OK)
        status = dpli_graph_for_training(g, bytes, n, err);
    else if (status == DPL_E_INPUT)
        status = DPL_E_MODEL;
    if (status != DPL_OK) {
        if (err)
            err->status = status;
        dpli_fail_in(err, status, path);
    }
    free(bytes);
    return status;
}

/* The named architecture with its first weights. */
static dpl_status build(dpli_trainer *t, int32_t tower, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    const dpli_arch_options options = {.channels = o->channels,
                                       .dim = o->dim,
                                       .side_px = o->side,
                                       .batch_norm = o->batch_norm > 0};
    const int32_t side = o->side ? o->side : 105;
    dpli_tower *w = &t->towers[tower];
    dpli_param **params = NULL;
    dpl_status status = dpli_arch_build(&w->graph, o->arch, &options, err);

    if (status == DPL_OK)
        status = dpli_tape_new(&w->tape, &w->graph, t->team,
                               &(dpl_shape){4, {2, o->channels, side, side}},
                               &(dpli_tape_options){.max_bytes = SIZE_MAX}, err);
    if (status != DPL_OK)
        return status;
    const int32_t n = dpli_tape_n_params(w->tape);
    params = dpli_calloc((size_t)n, sizeof(dpli_param *), err);
    if (!params)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++)
        params[i] = dpli_tape_param(w->tape, i);
    dpli_init_run(params, n, t->settings.init, (uint64_t)o->seed * DPLI_TOWERS + (uint64_t)tower);
    free(params);
    dpli_tape_free(w->tape);
    w->tape = NULL;
    return DPL_OK;
}

static dpl_status write_start(dpli_trainer *t, int32_t tower, dpl_error *err)
{
    dpli_tower *w = &t->towers[tower];
    char *path = dpli_run_model(t, "start", tower, err);
    uint8_t *bytes = NULL;
    size_t n;
    dpl_status status = path ? DPL_OK : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = t->settings.o.arch ? build(t, tower, err)
                                    : read_graph(&w->graph, t->settings.o.init, err);
    if (status == DPL_OK)
        status = dpli_onnx_write(&bytes, &n, &w->graph, err);
    if (status == DPL_OK)
        status = dpli_file_replace(path, bytes, n, err);
    dpli_graph_clear(&w->graph);
    free(bytes);
    free(path);
    return status;
}

/* What pictures the net takes, from the file's facts as the encoder reads them. */
static dpl_status read_intake(dpli_tower *w, const char *path, dpl_error *err)
{
    dpl_encoder *e;
    dpl_status status = dpl_encoder_open(&e, path, NULL, err);

    if (status != DPL_OK)
        return status;
    w->intake = e->intake;
    if (e->channels_last)
        status =
            dpli_fail(err, DPL_E_MODEL,
                      "\"%s\": a net whose input has its channels last cannot be trained", path);
    dpl_encoder_close(e);
    return status;
}

static bool is_frozen(void *ctx, const char *layer)
{
    const char *const *patterns = ctx;

    for (size_t i = 0; patterns[i]; i++)
        if (fnmatch(patterns[i], layer, 0) == 0)
            return true;
    return false;
}

/* A pattern that fits nothing is a mistake that would be found out hours later. */
static dpl_status check_patterns(const dpli_trainer *t, dpl_error *err)
{
    const char *const *freeze = t->settings.o.freeze;

    for (int32_t k = 0; freeze && freeze[k]; k++) {
        bool found = false;
        for (int32_t w = 0; w < t->n_towers; w++)
            for (int32_t i = 0; i < dpli_tape_n_params(t->towers[w].tape); i++)
                found = found ||
                        fnmatch(freeze[k], dpli_tape_param(t->towers[w].tape, i)->layer, 0) == 0;
        if (!found)
            return dpli_fail(err, DPL_E_ARGUMENT, "no layer to freeze fits \"%.80s\"", freeze[k]);
    }
    for (int32_t k = 0; k < t->settings.n_rules; k++) {
        bool found = false;
        for (int32_t i = 0; i < t->n_params; i++) {
            const dpli_param *p = t->params[i];
            found = found || fnmatch(t->settings.rules[k].pattern, p->name, 0) == 0 ||
                    (p->layer && fnmatch(t->settings.rules[k].pattern, p->layer, 0) == 0);
        }
        if (!found)
            return dpli_fail(err, DPL_E_ARGUMENT, "no layer fits \"%.80s\"",
                             t->settings.rules[k].pattern);
    }
    return DPL_OK;
}

static dpl_status open_net(dpli_trainer *t, int32_t tower, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    dpli_tower *w = &t->towers[tower];
    char *path = dpli_run_model(t, "start", tower, err);
    const dpli_tape_options options = {
        .freeze = o->freeze ? is_frozen : NULL,
        .freeze_ctx = (void *)(uintptr_t)o->freeze,
        .max_bytes = (size_t)fmin(o->max_memory_gib * 0x1p30, 0x1p62),
    };
    dpl_status status = path ? DPL_OK : DPL_E_MEMORY;

    /* a resumed run without its start was killed before it had one */
    if (status == DPL_OK && (!o->resume || access(path, F_OK) != 0))
        status = write_start(t, tower, err);
    if (status == DPL_OK)
        status = read_intake(w, path, err);
    if (status == DPL_OK)
        status = read_graph(&w->graph, path, err);
    if (status == DPL_OK)
        status = dpli_tape_new(&w->tape, &w->graph, t->team,
                               &(dpl_shape){4, {t->rows, w->intake.c, w->intake.h, w->intake.w}},
                               &options, err);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ data */

static dpl_status open_teachers(dpli_trainer *t, dpl_error *err)
{
    const int32_t n = t->settings.n_teachers;

    if (n == 0)
        return DPL_OK;
    t->teachers = dpli_calloc((size_t)n, sizeof(dpl_encoder *), err);
    if (!t->teachers)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        const dpl_status status =
            dpl_encoder_open(&t->teachers[i], t->settings.o.teacher[i], NULL, err);
        if (status != DPL_OK)
            return status;
        if (!t->teachers[i]->normalize)
            return dpli_fail(err, DPL_E_MODEL,
                             "\"%s\" is no teacher: its vectors are not of unit length",
                             t->settings.o.teacher[i]);
    }
    return DPL_OK;
}

/* Pictures as a tower takes them: whole, or the face in each on the net's template. */
static dpl_status open_pictures(dpli_feed **out, dpli_trainer *t, const dpli_tower *w,
                                const dpl_dataset *data, dpl_error *err)
{
    char *path = dpli_run_model(t, "start", 0, err);
    dpl_detector *detector = NULL;
    dpl_encoder *encoder = NULL;
    dpl_decode_options limits = DPL_DECODE_OPTIONS_INIT;
    dpli_aligner aligner;
    dpli_picture_feed_options options = {
        .data = data,
        .intake = w->intake,
        .limits = &limits,
        .augment = t->settings.augment,
        .teachers = (const dpl_encoder *const *)t->teachers,
        .n_teachers = t->settings.n_teachers,
    };
    dpl_status status = path ? DPL_OK : DPL_E_MEMORY;

    limits.max_pixels = (uint64_t)t->settings.o.max_pixels;
    limits.max_bytes = (size_t)t->settings.o.max_picture_bytes;
    if (status == DPL_OK && t->settings.o.rotate_classes && w->intake.h != w->intake.w)
        status =
            dpli_fail(err, DPL_E_ARGUMENT, "\"rotate-classes\" needs a square input, this is %dx%d",
                      w->intake.w, w->intake.h);
    if (status == DPL_OK && t->settings.o.detector) {
        status = dpl_detector_open(&detector, t->settings.o.detector, err);
        if (status == DPL_OK)
            status = dpl_encoder_open(&encoder, path, NULL, err);
        if (status == DPL_OK && !dpl_encoder_fact(encoder, "template"))
            status = dpli_fail(err, DPL_E_ARGUMENT,
                               "the network has no template to lay faces on: \"detector\" is for "
                               "face encoders");
        aligner = (dpli_aligner){detector, encoder};
        options.aligner = &aligner;
    }
    if (status == DPL_OK)
        status = dpli_picture_feed_new(out, &options, t->team, warn, t, err);
    dpl_encoder_close(encoder);
    dpl_detector_close(detector);
    free(path);
    return status;
}

/* Each kind of item has a feed of its own. */
static dpl_status open_feed(dpli_feed **out, dpli_trainer *t, const dpli_tower *w,
                            const dpl_dataset *data, dpl_error *err)
{
    switch (dpl_dataset_item_kind(data)) {
    case DPL_ITEM_PICTURE: return open_pictures(out, t, w, data, err);
    }
    return dpli_fail(err, DPL_E_ARGUMENT, "items of this kind cannot be trained on");
}

static dpl_status open_data(dpl_dataset **data, dpli_feed **feed, dpli_trainer *t, const char *path,
                            bool plain, const dpli_tower *w, dpl_error *err)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_status status;

    options.plain = plain;
    status = dpl_dataset_open(data, path, &options, err);
    if (status == DPL_OK && !plain && dpl_dataset_n_classes(*data) < 2)
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\" has fewer than two classes", path);
    if (status == DPL_OK)
        status = open_feed(feed, t, w, *data, err);
    /* both are of the input that read_intake read */
    assert(status != DPL_OK ||
           (*feed)->item_bytes == dpli_tensor_item(dpli_tape_input(w->tape)) * sizeof(float));
    return status;
}

static dpl_status open_all_data(dpli_trainer *t, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    const char *const paths[DPLI_TOWERS] = {o->data, o->second_data};
    dpl_status status = DPL_OK;

    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++)
        status = open_data(&t->towers[w].data, &t->towers[w].feed, t, paths[w], o->plain,
                           &t->towers[w], err);
    if (status == DPL_OK && o->validate)
        status = open_data(&t->held_data, &t->held_feed, t, o->validate, false, &t->towers[0], err);
    return status == DPL_OK ? dpli_trainer_split(t, err) : status;
}

/* ------------------------------------------------------------------ loss and optimizer */

/* The head that the model to go on from was compared by, where the loss has the same one. */
static dpl_status take_head(dpli_trainer *t, dpl_error *err)
{
    const dpli_graph *g = &t->towers[0].graph;
    uint8_t *bytes = NULL;
    size_t n = 0;
    double bias = 0;
    dpl_status status = DPL_OK;

    if (t->settings.loss != DPLI_LOSS_L1_SIGMOID)
        return DPL_OK;
    for (int32_t i = 0; i < g->n_meta && status == DPL_OK; i++) {
        if (strcmp(g->meta[i].key, "doppel.head.weights") == 0 && !bytes)
            status = dpli_base64_decode(&bytes, &n, g->meta[i].text, err);
        if (strcmp(g->meta[i].key, "doppel.head.bias") == 0)
            bias = strtod(g->meta[i].text, NULL);
    }
    for (int32_t i = 0; bytes && status == DPL_OK && i < dpli_loss_n_params(t->loss); i++) {
        dpli_param *p = dpli_loss_param(t->loss, i);
        if (p->kind != DPLI_PARAM_DENSE)
            p->value[0] = (float)bias;
        else if (n == p->n * sizeof *p->value)
            memcpy(p->value, bytes, n);
        else
            status = dpli_fail(err, DPL_E_MODEL,
                               "the fact \"head.weights\" holds %zu bytes, %zu float32 are %zu", n,
                               p->n, p->n * sizeof *p->value);
        for (size_t k = 0; k < p->n && status == DPL_OK; k++)
            if (!isfinite(p->value[k]))
                status = dpli_fail(err, DPL_E_MODEL, "the head's weight %zu is not finite", k);
    }
    free(bytes);
    return status;
}

static double real_or_nan(double v)
{
    return v == DPL_TRAIN_UNSET_REAL ? NAN : v;
}

static dpl_status open_loss(dpli_trainer *t, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    const dpli_feed *feed = t->towers[0].feed;
    const dpl_status status =
        dpli_loss_new(&t->loss,
                      &(dpli_loss_options){
                          .kind = t->settings.loss,
                          .dim = t->dim,
                          .n_classes = t->pool.n_classes * (o->rotate_classes ? 4 : 1),
                          .margin = (float)real_or_nan(o->margin),
                          .scale = (float)real_or_nan(o->scale),
                          .n_teachers = feed->n_targets,
                          .teacher_dims = feed->target_dims,
                          .seed = (uint64_t)o->seed,
                      },
                      err);

    return status == DPL_OK ? take_head(t, err) : status;
}

static dpl_status open_optimizer(dpli_trainer *t, dpl_error *err)
{
    int32_t n = dpli_loss_n_params(t->loss), at = 0;

    for (int32_t w = 0; w < t->n_towers; w++)
        n += dpli_tape_n_params(t->towers[w].tape);
    t->params = dpli_calloc((size_t)n, sizeof(dpli_param *), err);
    if (!t->params)
        return DPL_E_MEMORY;
    for (int32_t w = 0; w < t->n_towers; w++)
        for (int32_t i = 0; i < dpli_tape_n_params(t->towers[w].tape); i++)
            t->params[at++] = dpli_tape_param(t->towers[w].tape, i);
    for (int32_t i = 0; i < dpli_loss_n_params(t->loss); i++)
        t->params[at++] = dpli_loss_param(t->loss, i);
    t->n_params = n;
    const dpl_status status = check_patterns(t, err);
    if (status != DPL_OK)
        return status;
    return dpli_optimizer_new(&t->optimizer, &t->settings.optimizer, t->settings.rules,
                              t->settings.n_rules, t->params, n, err);
}

static dpl_status open_loader(dpli_trainer *t, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    dpli_loader_options options = {
        .sampler = {.pool = &t->pool,
                    .seed = (uint64_t)o->seed,
                    .classes = o->batch_classes,
                    .items = o->batch_items,
                    .pairs = o->batch_pairs == DPL_TRAIN_UNSET_INT ? 0 : o->batch_pairs,
                    .by_item = t->settings.by_item,
                    .turned = o->rotate_classes,
                    .within_group = o->within_group,
                    .want_pairs = dpli_loss_takes_pairs(t->settings.loss)},
        .n_threads = dpli_team_size(t->team),
        .first_step = t->step,
    };

    for (int32_t w = 0; w < t->n_towers; w++)
        options.feeds[w] = t->towers[w].feed;
    return dpli_loader_new(&t->loader, &options, err);
}

/* ------------------------------------------------------------------ the whole */

static void make_plan(dpli_trainer *t)
{
    const dpl_train_options *o = &t->settings.o;
    const dpli_intake *in = &t->towers[0].intake;
    dpl_train_plan *p = &t->plan;

    *p = (dpl_train_plan){
        .arch = o->arch ? o->arch : o->init,
        .loss = o->loss,
        .head = dpli_loss_head(t->settings.loss),
        .best = t->held.n_classes ? dpli_figure_name(t->settings.best) : "",
        .optimizer_bytes = dpli_optimizer_bytes(t->optimizer),
        .loader_bytes = dpli_loader_bytes(t->loader),
        .n_towers = t->n_towers,
        .n_threads = dpli_team_size(t->team),
        .rows = t->rows * t->n_towers,
        .width_px = in->w,
        .height_px = in->h,
        .channels = in->c,
        .dim = t->dim,
        .n_classes = o->plain ? 0 : t->pool.n_classes,
        .n_items = t->pool.n_items,
        .n_held_classes = t->held.n_classes,
        .n_held_items = t->held.n_items,
        .start_step = t->step,
    };
    p->pixel_bytes = t->held_feed ? t->held_feed->held_bytes : 0;
    for (int32_t w = 0; w < t->n_towers; w++) {
        p->tape_bytes += dpli_tape_bytes(t->towers[w].tape);
        p->pixel_bytes += t->towers[w].feed->held_bytes;
        for (int32_t i = 0; i < dpli_tape_n_params(t->towers[w].tape); i++) {
            const dpli_param *q = dpli_tape_param(t->towers[w].tape, i);
            if (q->kind != DPLI_PARAM_OTHER && q->kind != DPLI_PARAM_RUNNING)
                p->n_parameters += q->n;
        }
    }
    p->epoch_steps = o->epoch_steps ? o->epoch_steps : t->pool.n_items / (t->rows * t->n_towers);
    p->epoch_steps = p->epoch_steps < 1 ? 1 : p->epoch_steps;
    p->n_steps = o->steps ? o->steps : o->epochs * p->epoch_steps;
}

static dpl_status write_config(dpli_trainer *t, dpl_error *err)
{
    char *path = dpli_run_path(t, "config.json", err), *text = NULL;
    dpl_status status = path ? dpli_settings_text(&text, &t->settings, err) : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = dpli_file_replace(path, text, strlen(text), err);
    free(text);
    free(path);
    return status;
}

static dpl_status open_parts(dpli_trainer *t, dpl_error *err)
{
    const bool resume = t->settings.o.resume;
    dpl_status status = dpli_team_new(&t->team, t->settings.o.threads, err);

    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++)
        status = open_net(t, w, err);
    if (status != DPL_OK)
        return status;
    t->dim = (int32_t)dpli_tensor_item(dpli_tape_output(t->towers[0].tape));
    const size_t rows = (size_t)t->rows * (size_t)t->n_towers;
    t->embeddings = dpli_alloc_aligned(rows, (size_t)t->dim * sizeof(float), err);
    t->embedding_grads = dpli_alloc_aligned(rows, (size_t)t->dim * sizeof(float), err);
    status = t->embeddings && t->embedding_grads ? open_teachers(t, err) : DPL_E_MEMORY;
    if (status == DPL_OK)
        status = open_all_data(t, err);
    if (status == DPL_OK)
        status = open_loss(t, err);
    if (status == DPL_OK)
        status = open_optimizer(t, err);
    if (status == DPL_OK && resume)
        status = dpli_checkpoint_load(t, err);
    if (status == DPL_OK && resume)
        status = dpli_run_cut_log(t, err);
    if (status == DPL_OK)
        status = open_loader(t, err);
    if (status == DPL_OK)
        status = write_config(t, err);
    if (status == DPL_OK)
        make_plan(t);
    return status;
}

/* A run that could not begin leaves nothing behind. */
static void remove_start(const dpli_trainer *t)
{
    for (int32_t w = 0; w < t->n_towers; w++) {
        char *path = dpli_run_model(t, "start", w, NULL);
        if (path)
            unlink(path);
        free(path);
    }
    rmdir(t->run_dir); /* only if that was all */
}

dpl_status dpli_trainer_open(dpli_trainer *t, const dpl_train_options *options, dpl_error *err)
{
    char *config = NULL;
    dpl_status status = DPL_OK;

    *t = (dpli_trainer){.run_fd = -1, .best = NAN, .validated_step = -1};
    if (!options->resume) /* before the folder is made */
        status = dpli_settings_read(&t->settings, options, NULL, err);
    if (status == DPL_OK)
        status = dpli_run_open(t, &config, options, err);
    if (status == DPL_OK && options->resume)
        status = dpli_settings_read(&t->settings, options, config, err);
    free(config);
    if (status != DPL_OK)
        return status;
    t->n_towers = t->settings.o.second_data ? 2 : 1;
    t->rows = dpli_settings_rows(&t->settings);
    status = open_parts(t, err);
    if (status != DPL_OK && !options->resume)
        remove_start(t);
    return status;
}

void dpli_trainer_close(dpli_trainer *t)
{
    dpli_loader_free(t->loader);
    dpli_optimizer_free(t->optimizer);
    dpli_loss_free(t->loss);
    for (int32_t i = 0; t->teachers && i < t->settings.n_teachers; i++)
        dpl_encoder_close(t->teachers[i]);
    free(t->teachers);
    free(t->params);
    free(t->embeddings);
    free(t->embedding_grads);
    dpli_draws_clear(&t->pool);
    dpli_draws_clear(&t->held);
    dpli_feed_free(t->held_feed);
    dpl_dataset_close(t->held_data);
    for (int32_t w = 0; w < DPLI_TOWERS; w++) {
        dpli_tape_free(t->towers[w].tape);
        dpli_graph_clear(&t->towers[w].graph);
        dpli_feed_free(t->towers[w].feed);
        dpl_dataset_close(t->towers[w].data);
    }
    dpli_team_free(t->team);
    dpli_settings_clear(&t->settings);
    if (t->run_fd >= 0)
        close(t->run_fd);
    free(t->run_dir);
}
