/*
 * setup.c - from settings to everything that a step needs.
 */
#include "train/setup.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/arch.h"
#include "net/kernels.h"
#include "train/checkpoint.h"
#include "train/feed_captions.h"
#include "train/feed_numbers.h"
#include "train/feed_pictures.h"
#include "train/run.h"
#include "train/split.h"
#include "train/tower.h"
#include "train/validate.h"
#include "train/words.h"
#include "vision/encoder.h"

static void warn(void *trainer, const char *text)
{
    const dpli_trainer *t = trainer;
    const dpl_train_event e = {.kind = DPL_TRAIN_WARNED, .step = t->step, .text = text};

    if (t->settings.o.on_event)
        t->settings.o.on_event(t->settings.o.ctx, &e);
}

static void warn_of_precision(dpli_trainer *t)
{
    if (t->settings.narrow && !dpli_narrow_product_there())
        warn(t, "the processor multiplies no bfloat16 (AVX512-BF16, AMX): products are in float32");
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
                                const dpl_dataset *data, int side, dpl_error *err)
{
    char *path = dpli_run_model(t, "start", (int32_t)(w - t->towers), err);
    dpl_detector *detector = NULL;
    dpl_encoder *encoder = NULL;
    dpl_decode_options limits = DPL_DECODE_OPTIONS_INIT;
    dpli_aligner aligner;
    dpli_picture_feed_options options = {
        .data = data,
        .side = side,
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

/* To a feed of sentences the vectors of the pictures that they are of. */
static dpl_status add_pictures(dpli_feed **feed, dpli_trainer *t, const dpl_dataset *data,
                               dpl_error *err)
{
    dpl_decode_options limits = DPL_DECODE_OPTIONS_INIT;
    dpli_picture_vectors *pictures;
    dpli_feed *sentences = *feed;
    dpl_status status;

    *feed = NULL;
    limits.max_pixels = (uint64_t)t->settings.o.max_pixels;
    limits.max_bytes = (size_t)t->settings.o.max_picture_bytes;
    status = dpli_picture_vectors_new(&pictures, data, 1 - t->sentence_side, t->teachers[0],
                                      &limits, t->team, warn, t, err);
    if (status != DPL_OK) {
        dpli_feed_free(sentences);
        return status;
    }
    return dpli_caption_feed_new(feed, sentences, pictures, err);
}

static const char *const takes_names[] = {[DPLI_TAKES_PICTURES] = "pictures",
                                          [DPLI_TAKES_IDS] = "sentences or codes",
                                          [DPLI_TAKES_VECTORS] = "vectors"};

/* What a side's network takes, and what the data has for it. */
static dpl_status check_takes(const dpli_trainer *t, int32_t tower, dpli_takes takes,
                              dpl_item_kind kind, dpl_error *err)
{
    static const dpli_takes wanted[] = {[DPL_ITEM_PICTURE] = DPLI_TAKES_PICTURES,
                                        [DPL_ITEM_SENTENCE] = DPLI_TAKES_IDS,
                                        [DPL_ITEM_VECTOR] = DPLI_TAKES_VECTORS,
                                        [DPL_ITEM_CODES] = DPLI_TAKES_IDS};
    static const char *const kinds[] = {[DPL_ITEM_PICTURE] = "pictures",
                                        [DPL_ITEM_SENTENCE] = "sentences",
                                        [DPL_ITEM_VECTOR] = "vectors",
                                        [DPL_ITEM_CODES] = "codes"};
    const bool maybe = takes == DPLI_TAKES_VECTORS && kind == DPL_ITEM_SENTENCE;

    if (wanted[kind] == takes)
        return DPL_OK;
    return dpli_fail(err, DPL_E_ARGUMENT, "the %snetwork takes %s, the data has %s%s",
                     t->n_towers < 2 ? ""
                     : tower         ? "second side's "
                                     : "first side's ",
                     takes_names[takes], kinds[kind],
                     maybe ? " unless \"kinds\" says otherwise" : "");
}

/* Each kind of item has a feed of its own. */
static dpl_status open_feed(dpli_feed **out, dpli_trainer *t, int32_t tower,
                            const dpl_dataset *data, dpl_error *err)
{
    const dpli_tower *w = &t->towers[tower];
    const int side = dpli_trainer_side(t, tower);
    const dpl_item_kind kind = dpl_dataset_side_kind(data, side);
    dpl_status status = check_takes(t, tower, w->takes, kind, err);

    if (status != DPL_OK)
        return status;
    if (kind == DPL_ITEM_PICTURE)
        return open_pictures(out, t, w, data, side, err);
    if (t->settings.o.rotate_classes || t->settings.loss == DPLI_LOSS_DISTIL)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "%s cannot be turned, and teachers do not know them: \"rotate-classes\" "
                         "and the loss distil are for pictures",
                         takes_names[w->takes]);
    status = dpli_number_feed_new(
        out,
        &(dpli_number_feed_options){.data = data,
                                    .side = side,
                                    .tokenizer = kind == DPL_ITEM_SENTENCE ? w->tokenizer : NULL,
                                    .width = w->steps,
                                    .n_words = dpli_tower_words(w)},
        warn, t, err);
    /* both are of the input that was read from the file */
    assert(status != DPL_OK ||
           (*out)->item_bytes ==
               dpli_tensor_item(dpli_tape_input(w->tape)) *
                   (w->takes == DPLI_TAKES_IDS ? sizeof(int64_t) : sizeof(float)));
    return status == DPL_OK && t->captions ? add_pictures(out, t, data, err) : status;
}

static dpl_status open_data(dpl_dataset **data, const dpli_trainer *t, const char *path,
                            const char *split, bool plain, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_status status;

    options.plain = plain;
    options.split = split;
    options.kinds[0] = t->settings.kinds[0];
    options.kinds[1] = t->settings.kinds[1];
    options.classes = strcmp(path, o->data) == 0 ? o->classes : NULL;
    if (o->scale_low != DPL_TRAIN_UNSET_REAL) {
        options.scale_low = o->scale_low;
        options.scale_high = o->scale_high;
    }
    status = dpl_dataset_open(data, path, &options, err);
    if (status == DPL_OK && !plain && !dpl_dataset_n_pairs(*data) &&
        dpl_dataset_n_classes(*data) < 2)
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\" has fewer than two classes", path);
    return status;
}

/* Of pairs of a picture and a sentence, for a loss that learns from them. */
static dpl_status settle_captions(dpli_trainer *t, dpl_error *err)
{
    const dpl_dataset *data = t->towers[0].data;

    for (int side = 0; side < 2 && dpl_dataset_n_pairs(data) > 0; side++)
        if (dpl_dataset_side_kind(data, side) == DPL_ITEM_SENTENCE &&
            dpl_dataset_side_kind(data, 1 - side) == DPL_ITEM_PICTURE) {
            t->captions = true;
            t->sentence_side = side;
        }
    if (!t->captions)
        return dpli_fail(err, DPL_E_INPUT,
                         "the loss %s learns from pairs of a picture and a sentence, \"%s\" has "
                         "none",
                         t->settings.o.loss, t->settings.o.data);
    for (int side = 0; t->held_data && side < 2; side++)
        if (!dpl_dataset_n_pairs(t->held_data) ||
            dpl_dataset_side_kind(t->held_data, side) != dpl_dataset_side_kind(data, side))
            return dpli_fail(err, DPL_E_INPUT, "\"%s\" has other kinds of things than the data",
                             t->settings.o.validate);
    if (strcmp(dpl_encoder_space(t->teachers[0]), "image") != 0)
        return dpli_fail(err, DPL_E_MODEL, "\"%s\" is no encoder of whole pictures",
                         t->settings.o.teacher[0]);
    return dpli_settings_for_captions(&t->settings, dpl_encoder_dim(t->teachers[0]), err);
}

/* Only alike ones, or only different ones, are no task. */
static dpl_status check_labels(const dpli_trainer *t, const dpl_dataset *data, dpl_error *err)
{
    const int32_t n = dpl_dataset_n_pairs(data);
    bool same = false, other = false;

    for (int32_t i = 0; i < n; i++) {
        same = same || dpl_dataset_pair(data, i)->grade > 0.5f;
        other = other || dpl_dataset_pair(data, i)->grade <= 0.5f;
    }
    if ((same && other) || dpl_dataset_is_graded(data))
        return DPL_OK;
    return dpli_fail(err, DPL_E_INPUT,
                     "\"%s\": of all its pairs both sides are %s: a column \"same\" says 1 of "
                     "those that are and 0 of others",
                     t->settings.o.data, same ? "of one" : "of two");
}

/* What the data says of the run, before there is a net. */
static dpl_status settle(dpli_trainer *t, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    const dpl_dataset *data = t->towers[0].data;
    const int32_t n = dpl_dataset_n_pairs(data);

    if (t->settings.loss == DPLI_LOSS_INFO_NCE || t->settings.loss == DPLI_LOSS_RANKING)
        return settle_captions(t, err);
    t->given = n > 0;
    if (t->held_data && (dpl_dataset_n_pairs(t->held_data) > 0) != t->given)
        return dpli_fail(err, DPL_E_INPUT, "of the data and \"%s\" one gives pairs, the other not",
                         o->validate);
    if (!t->given)
        return t->n_towers > 1 && !o->second_data
                   ? dpli_fail(
                         err, DPL_E_ARGUMENT,
                         "two networks take data that gives pairs, or \"second-data\" (\"%s\" "
                         "gives none)",
                         o->data)
                   : DPL_OK;
    if (t->n_towers == 1 && dpl_dataset_side_kind(data, 0) != dpl_dataset_side_kind(data, 1))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "pairs of two kinds need a network of two towers, as two-inputs, or one "
                         "for each side: \"second-arch\"");
    for (int side = 0; t->held_data && side < 2; side++)
        if (dpl_dataset_side_kind(t->held_data, side) != dpl_dataset_side_kind(data, side))
            return dpli_fail(err, DPL_E_INPUT, "\"%s\" has other kinds of things than the data",
                             o->validate);
    const dpl_status status = check_labels(t, data, err);
    return status == DPL_OK
               ? dpli_settings_for_pairs(&t->settings, n, dpl_dataset_is_graded(data), err)
               : status;
}

/* What a new net's table of words is made from; and how wide its vectors are. */
static dpl_status open_words(dpli_trainer *t, int32_t tower, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    const dpl_dataset *data = dpli_trainer_data(t, tower);
    const int side = dpli_trainer_side(t, tower);
    const dpl_item_kind kind = dpl_dataset_side_kind(data, side);
    const dpli_arch *arch = dpli_settings_arch(&t->settings, tower);
    dpli_tower *w = &t->towers[tower];
    dpl_status status = arch ? check_takes(t, tower, arch->takes, kind, err) : DPL_OK;

    w->reads_sentences = kind == DPL_ITEM_SENTENCE;
    if (status != DPL_OK)
        return status;
    if (!arch || (kind != DPL_ITEM_SENTENCE && kind != DPL_ITEM_CODES) ||
        arch->takes != DPLI_TAKES_IDS) {
        w->width = kind == DPL_ITEM_VECTOR ? dpl_dataset_side_dim(data, side) : 0;
        return DPL_OK;
    }
    const int32_t fixed = dpli_arch_steps(arch->name, tower > 0 && !o->second_arch);
    status = dpli_words_new(&w->words,
                            &(dpli_words_options){.data = data,
                                                  .side = side,
                                                  .tokens = o->tokens,
                                                  .lower = o->lower > 0,
                                                  .max_words = o->max_words,
                                                  .length = fixed ? fixed : o->length,
                                                  .vectors = o->vectors},
                            err);
    if (status == DPL_OK)
        w->width = dpli_words_width(w->words);
    return status;
}

static dpl_status open_all_data(dpli_trainer *t, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    dpl_status status = open_data(&t->towers[0].data, t, o->data, o->split, o->plain, err);

    if (status == DPL_OK && o->second_data)
        status = open_data(&t->towers[1].data, t, o->second_data, NULL, o->plain, err);
    if (status == DPL_OK && o->validate)
        status = open_data(&t->held_data, t, o->validate, o->validate_split, false, err);
    if (status == DPL_OK)
        status = settle(t, err);
    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++)
        status = open_words(t, w, err);
    return status;
}

static dpl_status open_feeds(dpli_trainer *t, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++)
        status = open_feed(&t->towers[w].feed, t, w, dpli_trainer_data(t, w), err);
    for (int32_t w = 0; w < t->n_towers && t->held_data && status == DPL_OK; w++)
        status = open_feed(&t->held_feeds[w], t, w, t->held_data, err);
    if (status == DPL_OK)
        status = dpli_trainer_split(t, err);
    return status;
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

    if (t->settings.loss != DPLI_LOSS_L1_SIGMOID && t->settings.loss != DPLI_LOSS_L1_SIMILARITY)
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
    if (bytes && status == DPL_OK && t->settings.loss == DPLI_LOSS_L1_SIMILARITY)
        dpli_loss_l1_turn(t->loss);
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
                          .temperature = (float)real_or_nan(o->temperature),
                          .n_teachers = feed->n_targets,
                          .teacher_dims = feed->target_dims,
                          .seed = (uint64_t)o->seed,
                      },
                      err);

    return status == DPL_OK ? take_head(t, err) : status;
}

/* Shared: it changes with the first tower's. */
static bool is_anothers(const dpli_trainer *t, const dpli_param *p)
{
    for (int32_t i = 0; i < t->n_ties; i++)
        if (t->ties[i].b == p)
            return true;
    return false;
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
            if (!is_anothers(t, dpli_tape_param(t->towers[w].tape, i)))
                t->params[at++] = dpli_tape_param(t->towers[w].tape, i);
    for (int32_t i = 0; i < dpli_loss_n_params(t->loss); i++)
        t->params[at++] = dpli_loss_param(t->loss, i);
    t->n_params = n = at;
    const dpl_status status = dpli_towers_check_patterns(t, err);
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

    if (t->captions) { /* a sentence after the other, with its picture */
        options.sampler.classes = o->batch_pairs;
        options.sampler.items = 1;
        options.sampler.pairs = 0;
    }
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
        .best = t->held.n_classes || t->held.n_pairs ? dpli_figure_name(t->settings.best) : "",
        .optimizer_bytes = dpli_optimizer_bytes(t->optimizer),
        .loader_bytes = dpli_loader_bytes(t->loader),
        .n_towers = t->n_towers,
        .n_threads = dpli_team_size(t->team),
        .rows = t->rows * t->n_towers,
        .steps = t->towers[0].takes == DPLI_TAKES_PICTURES ? 0 : t->towers[0].steps,
        .n_pairs = t->pool.n_pairs,
        .n_held_pairs = t->held.n_pairs,
        .width_px = in->w,
        .height_px = in->h,
        .channels = in->c,
        .dim = t->dim,
        .n_classes = o->plain ? 0 : t->pool.n_classes,
        .n_items = t->given ? dpl_dataset_n_items(t->towers[0].data) : t->pool.n_items,
        .n_held_classes = t->held.n_classes,
        .n_held_items = t->held.n_items,
        .start_step = t->step,
        .captions = t->captions,
    };
    for (int32_t w = 0; w < t->n_towers; w++) {
        p->pixel_bytes += t->held_feeds[w] ? t->held_feeds[w]->held_bytes : 0;
        p->n_words += t->towers[w].words ? dpli_words_n(t->towers[w].words) : 0;
        p->n_missing += t->towers[w].words ? dpli_words_n_missing(t->towers[w].words) : 0;
        p->tape_bytes += dpli_tape_bytes(t->towers[w].tape);
        p->pixel_bytes += t->towers[w].feed->held_bytes;
        for (int32_t i = 0; i < dpli_tape_n_params(t->towers[w].tape); i++) {
            const dpli_param *q = dpli_tape_param(t->towers[w].tape, i);
            if (q->kind != DPLI_PARAM_OTHER && q->kind != DPLI_PARAM_RUNNING && !is_anothers(t, q))
                p->n_parameters += q->n;
        }
    }
    p->epoch_steps = o->epoch_steps ? o->epoch_steps
                     : t->given     ? t->pool.n_pairs / o->batch_pairs
                                    : t->pool.n_items / (t->rows * t->n_towers);
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

    if (status == DPL_OK)
        status = open_teachers(t, err);
    if (status == DPL_OK)
        status = open_all_data(t, err);
    t->rows = dpli_settings_rows(&t->settings);
    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++) {
        char *path = dpli_run_model(t, "start", w, err);

        status = path ? dpli_tower_open(t, w, path, err) : DPL_E_MEMORY;
        free(path);
    }
    if (status == DPL_OK)
        status = dpli_towers_share(t, err);
    if (status != DPL_OK)
        return status;
    t->dim = (int32_t)dpli_tensor_item(dpli_tape_output(t->towers[0].tape));
    if (t->n_towers > 1 && dpli_tensor_item(dpli_tape_output(t->towers[1].tape)) != (size_t)t->dim)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the two sides' vectors are of %d and of %zu numbers: \"dim\" says how "
                         "many",
                         (int)t->dim, dpli_tensor_item(dpli_tape_output(t->towers[1].tape)));
    const size_t rows = (size_t)t->rows * (size_t)t->n_towers;
    t->embeddings = dpli_alloc_aligned(rows, (size_t)t->dim * sizeof(float), err);
    t->embedding_grads = dpli_alloc_aligned(rows, (size_t)t->dim * sizeof(float), err);
    status = t->embeddings && t->embedding_grads ? open_feeds(t, err) : DPL_E_MEMORY;
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
    t->n_towers = t->settings.n_towers;
    warn_of_precision(t);
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
    free(t->ties);
    for (int32_t w = 0; w < DPLI_TOWERS; w++) {
        dpli_feed_free(t->held_feeds[w]);
        dpli_feed_free(t->towers[w].feed);
        dpli_tower_clear(&t->towers[w]);
        dpl_dataset_close(t->towers[w].data);
    }
    dpl_dataset_close(t->held_data);
    dpli_team_free(t->team);
    dpli_settings_clear(&t->settings);
    if (t->run_fd >= 0)
        close(t->run_fd);
    free(t->run_dir);
}
