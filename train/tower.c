/*
 * tower.c - a net of a run.
 *
 * A new run writes start.onnx, architecture and first weights, and every run, new or resumed,
 * begins by reading it: so both have the same graph, a result that the encoder can open is known
 * before the first step, and a run does not need the model that it was started from any more.
 *
 * Sentences are as long as they are: beside the tape for the longest there are some for shorter
 * ones (dpli_tape_options), and a batch goes through the shortest that its longest sentence fits.
 *
 * Two towers can have layers in common. Those of the second then read the first one's parameters;
 * each tape writes gradients of its own, which are added up before a step.
 */
#include "train/tower.h"

#include <float.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/arch.h"
#include "net/load.h"
#include "net/onnx_write.h"
#include "train/words.h"
#include "vision/encoder.h"

#define MAX_MODEL_BYTES ((size_t)1 << 31)

/* ------------------------------------------------------------------ making and reading */

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

static dpl_status read_takes(dpli_tower *w, dpl_error *err)
{
    const dpli_value *in = &w->graph.values[w->graph.inputs[0]];

    if (in->type == DPLI_I64 && in->shape.rank == 2)
        w->takes = DPLI_TAKES_IDS;
    else if (in->type == DPLI_F32 && in->shape.rank == 2)
        w->takes = DPLI_TAKES_VECTORS;
    else if (in->type == DPLI_F32 && in->shape.rank == 4)
        w->takes = DPLI_TAKES_PICTURES;
    else
        return dpli_fail(err, DPL_E_MODEL,
                         "its input is neither pictures nor vectors nor ids of sentences");
    w->steps =
        in->shape.dims[1] > 0 && in->shape.dims[1] <= INT32_MAX ? (int32_t)in->shape.dims[1] : 0;
    return DPL_OK;
}

static float *constant_named(const dpli_graph *g, const char *name)
{
    for (int32_t i = 0; i < g->n_values; i++)
        if (g->values[i].name && strcmp(g->values[i].name, name) == 0)
            return g->values[i].data;
    return NULL;
}

/* Each column's mean and deviation, of the vectors that there are, into a network that asks for
 * them. What is the same in all of them stays as it is. */
static void standardize(const dpli_trainer *t, int32_t tower)
{
    const dpli_tower *w = &t->towers[tower];
    float *means = constant_named(&w->graph, DPLI_ARCH_MEAN);
    float *deviations = constant_named(&w->graph, DPLI_ARCH_DEVIATION);
    const dpl_dataset *data = dpli_trainer_data(t, tower);
    int32_t n;
    const int32_t first = dpl_dataset_side_items(data, dpli_trainer_side(t, tower), &n);

    for (int32_t c = 0; means && deviations && c < w->width && n > 0; c++) {
        double mean = 0, squares = 0;

        for (int32_t i = 0; i < n; i++)
            mean += (double)dpl_dataset_vector(data, first + i)[c] / n;
        for (int32_t i = 0; i < n; i++) {
            const double off = (double)dpl_dataset_vector(data, first + i)[c] - mean;

            squares += off * off / n;
        }
        means[c] = (float)mean;
        /* rounding alone gives equal numbers one of some 1e-8 of their size */
        if (sqrt(squares) > 1e-6 * fabs(mean))
            deviations[c] = (float)fmax(sqrt(squares), (double)FLT_MIN);
    }
}

/* The named architecture with its first weights. */
static dpl_status build(dpli_trainer *t, int32_t tower, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    dpli_tower *w = &t->towers[tower];
    const dpli_arch_options options = {.channels = o->channels,
                                       .dim = o->dim,
                                       .side_px = o->side,
                                       .batch_norm = o->batch_norm > 0,
                                       .words = w->words ? dpli_words_n(w->words) : 0,
                                       .width = w->width,
                                       .second = tower > 0 && !o->second_arch};
    const char *name = dpli_settings_arch_name(&t->settings, tower);
    const int32_t side = o->side ? o->side : 105;
    dpli_param **params = NULL;
    dpl_status status = dpli_arch_build(&w->graph, name, &options, err);

    if (status == DPL_OK)
        status = read_takes(w, err);
    const dpl_shape shapes[] = {
        [DPLI_TAKES_PICTURES] = {4, {2, o->channels, side, side}},
        [DPLI_TAKES_IDS] = {2, {2, w->steps ? w->steps : 1}},
        [DPLI_TAKES_VECTORS] = {2, {2, w->width}},
    };
    if (status == DPL_OK)
        status = dpli_tape_new(&w->tape, &w->graph, t->team, &shapes[w->takes],
                               &(dpli_tape_options){.max_bytes = SIZE_MAX}, err);
    if (status != DPL_OK)
        return status;
    const int32_t n = dpli_tape_n_params(w->tape);
    params = dpli_calloc((size_t)n, sizeof(dpli_param *), err);
    if (!params)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++)
        params[i] = dpli_tape_param(w->tape, i);
    dpli_init_run(params, n, dpli_settings_init(&t->settings, tower),
                  (uint64_t)o->seed * DPLI_TOWERS + (uint64_t)tower);
    for (int32_t i = 0; i < n && w->words; i++)
        if (params[i]->kind == DPLI_PARAM_TABLE)
            dpli_words_fill(w->words, params[i]->value, params[i]->shape.dims[1]);
    if (w->takes == DPLI_TAKES_VECTORS)
        standardize(t, tower);
    free(params);
    dpli_tape_free(w->tape);
    w->tape = NULL;
    return DPL_OK;
}

static dpl_status write_start(dpli_trainer *t, int32_t tower, const char *path, dpl_error *err)
{
    dpli_tower *w = &t->towers[tower];
    uint8_t *bytes = NULL;
    size_t n;
    dpl_status status =
        t->settings.o.arch ? build(t, tower, err) : read_graph(&w->graph, t->settings.o.init, err);

    if (status == DPL_OK && t->settings.n_towers > 1)
        status = dpli_graph_set_meta(&w->graph, "side", tower ? "b" : "a", err);
    if (status == DPL_OK)
        status = dpli_onnx_write(&bytes, &n, &w->graph, err);
    if (status == DPL_OK)
        status = dpli_file_replace(path, bytes, n, err);
    if (status == DPL_OK && w->words && dpli_words_tokenizer(w->words))
        status = dpl_tokenizer_into_model(dpli_words_tokenizer(w->words), path, 0, err);
    dpli_graph_clear(&w->graph);
    free(bytes);
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

/* How sentences become ids, as the file says. */
static dpl_status read_tokenizer(dpli_tower *w, const char *path, dpl_error *err)
{
    dpl_net *net = NULL;
    dpl_status status = dpl_net_open(&net, path, NULL, err);

    if (status == DPL_OK)
        status = dpl_tokenizer_from_net(&w->tokenizer, net, 0, err);
    dpl_net_close(net);
    if (status != DPL_OK)
        dpli_fail_in(err, status, path);
    return status;
}

/* ------------------------------------------------------------------ tapes */

static bool is_frozen(void *ctx, const char *layer)
{
    const char *const *patterns = ctx;

    for (size_t i = 0; patterns[i]; i++)
        if (fnmatch(patterns[i], layer, 0) == 0)
            return true;
    return false;
}

static dpl_status make_tapes(dpli_trainer *t, dpli_tower *w, dpl_error *err)
{
    static const int32_t steps[] = {4,  8,  12, 16,  20,  24,  28,  32,  40,  48,
                                    56, 64, 96, 128, 192, 256, 384, 512, 1024};
    const dpl_train_options *o = &t->settings.o;
    dpli_tape_options options = {
        .freeze = o->freeze ? is_frozen : NULL,
        .freeze_ctx = (void *)(uintptr_t)o->freeze,
        .narrow = t->settings.narrow,
        .max_bytes = (size_t)fmin(o->max_memory_gib * 0x1p30, 0x1p62),
    };
    const bool free_steps = w->takes == DPLI_TAKES_IDS && w->steps == 0;
    dpl_shape shape = {4, {t->rows, w->intake.c, w->intake.h, w->intake.w}};
    dpl_status status;

    if (free_steps)
        w->steps = w->tokenizer ? dpl_tokenizer_about(w->tokenizer)->length : t->settings.o.length;
    if (w->takes == DPLI_TAKES_VECTORS && w->steps == 0) /* any: as the data's */
        w->steps = w->width;
    if (w->takes == DPLI_TAKES_VECTORS && w->steps == 0)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the network takes vectors, the data has none unless \"kinds\" says "
                         "otherwise");
    if (w->takes != DPLI_TAKES_PICTURES)
        shape = (dpl_shape){2, {t->rows, w->steps}};
    status = dpli_tape_new(&w->tape, &w->graph, t->team, &shape, &options, err);
    options.beside = w->tape;
    for (size_t i = 0; free_steps && status == DPL_OK && i < sizeof steps / sizeof *steps; i++) {
        if (steps[i] >= w->steps || w->n_shorter == DPLI_SHORTER)
            break;
        shape.dims[1] = steps[i];
        w->shorter_steps[w->n_shorter] = steps[i];
        status =
            dpli_tape_new(&w->shorter[w->n_shorter], &w->graph, t->team, &shape, &options, err);
        if (status == DPL_OK)
            w->n_shorter++;
    }
    w->at = w->tape;
    return status;
}

dpl_status dpli_tower_open(dpli_trainer *t, int32_t tower, const char *path, dpl_error *err)
{
    const dpl_train_options *o = &t->settings.o;
    dpli_tower *w = &t->towers[tower];
    dpl_status status = DPL_OK;

    /* a resumed run without its start was killed before it had one */
    if (!o->resume || access(path, F_OK) != 0)
        status = write_start(t, tower, path, err);
    if (status == DPL_OK)
        status = read_graph(&w->graph, path, err);
    if (status == DPL_OK)
        status = read_takes(w, err);
    if (status == DPL_OK && w->takes == DPLI_TAKES_PICTURES)
        status = read_intake(w, path, err);
    if (status == DPL_OK && w->takes == DPLI_TAKES_IDS && w->reads_sentences)
        status = read_tokenizer(w, path, err);
    if (status == DPL_OK)
        status = make_tapes(t, w, err);
    return status;
}

void dpli_tower_clear(dpli_tower *w)
{
    for (int32_t i = 0; i < w->n_shorter; i++)
        dpli_tape_free(w->shorter[i]);
    dpli_tape_free(w->tape);
    dpli_graph_clear(&w->graph);
    dpl_tokenizer_free(w->tokenizer);
    dpli_words_free(w->words);
}

int32_t dpli_tower_words(const dpli_tower *w)
{
    for (int32_t i = 0; i < dpli_tape_n_params(w->tape); i++) {
        const dpli_param *p = dpli_tape_param(w->tape, i);

        if (p->kind == DPLI_PARAM_TABLE && p->shape.dims[0] <= INT32_MAX)
            return (int32_t)p->shape.dims[0];
    }
    return 0;
}

/* ------------------------------------------------------------------ passes */

/* Ids up to the last that is not 0, of the row that has most. */
static int32_t steps_of(const int64_t *rows, int32_t n, int32_t steps)
{
    int32_t most = 0;

    for (int32_t r = 0; r < n; r++) {
        int32_t own = steps;

        while (own > most && rows[(size_t)r * (size_t)steps + (size_t)own - 1] == 0)
            own--;
        most = own > most ? own : most;
    }
    return most;
}

/* How many ids a row has, or where they are: at least one, since a mask of nothing is no mask. */
static void fill_second(dpli_tensor *second, const dpli_tensor *in, int32_t n)
{
    const int32_t steps = (int32_t)dpli_tensor_item(in);

    for (int32_t r = 0; r < n; r++) {
        const int32_t own = steps_of(in->ids + (size_t)r * (size_t)steps, 1, steps);
        const int32_t some = own > 1 ? own : 1;

        if (second->shape.rank == 1)
            second->ids[r] = some;
        for (int32_t i = 0; second->shape.rank == 2 && i < steps; i++)
            second->ids[(size_t)r * (size_t)steps + (size_t)i] = i < some;
    }
}

void dpli_tower_forward(dpli_tower *w, const void *rows, int32_t n, bool training, uint64_t seed)
{
    const size_t item = dpli_tensor_item(dpli_tape_input(w->tape));
    dpli_tensor *in;

    w->at = w->tape;
    if (w->takes == DPLI_TAKES_IDS) {
        const int64_t *ids = rows;
        int32_t steps = w->steps;

        if (w->n_shorter) {
            const int32_t need = steps_of(ids, n, steps);
            int32_t i = 0;

            while (i < w->n_shorter && w->shorter_steps[i] < need)
                i++;
            if (i < w->n_shorter) {
                w->at = w->shorter[i];
                steps = w->shorter_steps[i];
            }
        }
        in = dpli_tape_input(w->at);
        for (int32_t r = 0; r < n; r++)
            memcpy(in->ids + (size_t)r * (size_t)steps, ids + (size_t)r * item,
                   (size_t)steps * sizeof *ids);
        if (dpli_tape_second_input(w->at))
            fill_second(dpli_tape_second_input(w->at), in, n);
    } else {
        memcpy(dpli_tape_input(w->at)->value, rows, (size_t)n * item * sizeof(float));
    }
    dpli_tape_forward(w->at, n, training, seed);
}

/* ------------------------------------------------------------------ in common */

dpl_status dpli_towers_share(dpli_trainer *t, dpl_error *err)
{
    const char *const *share = t->settings.o.share;
    int32_t n;

    if (!share || t->n_towers < 2)
        return DPL_OK;
    n = dpli_tape_n_params(t->towers[1].tape);
    t->ties = dpli_calloc((size_t)n, sizeof *t->ties, err);
    if (!t->ties)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        dpli_param *b = dpli_tape_param(t->towers[1].tape, i), *a = NULL;

        if (!is_frozen((void *)(uintptr_t)share, b->layer) &&
            !is_frozen((void *)(uintptr_t)share, b->name))
            continue;
        for (int32_t k = 0; k < dpli_tape_n_params(t->towers[0].tape) && !a; k++) {
            a = dpli_tape_param(t->towers[0].tape, k);
            a = strcmp(a->name, b->name) == 0 && dpli_shape_equal(&a->shape, &b->shape) ? a : NULL;
        }
        if (!a)
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "layer \"%.80s\" cannot be shared: the other tower has no \"%.80s\" "
                             "of its shape",
                             b->layer, b->name);
        t->ties[t->n_ties++] = (dpli_tie){a, b, b->value};
        b->value = a->value;
    }
    return DPL_OK;
}

void dpli_towers_part(dpli_trainer *t)
{
    for (int32_t i = 0; i < t->n_ties; i++) {
        dpli_param *a = t->ties[i].a;

        if (a->rows && a->grad) {
            memset(a->grad, 0, a->n * sizeof *a->grad);
            a->n_rows = 0;
        }
    }
}

void dpli_towers_join(dpli_trainer *t)
{
    for (int32_t i = 0; i < t->n_ties; i++) {
        dpli_param *a = t->ties[i].a;
        const dpli_param *b = t->ties[i].b;

        for (size_t k = 0; a->grad && b->grad && k < a->n; k++)
            a->grad[k] += b->grad[k];
    }
}

void dpli_tower_settle(const dpli_trainer *t, int32_t w)
{
    for (int32_t i = 0; w == 1 && i < t->n_ties; i++)
        memcpy(t->ties[i].own, t->ties[i].a->value, t->ties[i].a->n * sizeof(float));
}

/* ------------------------------------------------------------------ patterns */

static bool fits_a_layer(const dpli_trainer *t, const char *pattern)
{
    for (int32_t w = 0; w < t->n_towers; w++)
        for (int32_t i = 0; i < dpli_tape_n_params(t->towers[w].tape); i++)
            if (fnmatch(pattern, dpli_tape_param(t->towers[w].tape, i)->layer, 0) == 0)
                return true;
    return false;
}

dpl_status dpli_towers_check_patterns(const dpli_trainer *t, dpl_error *err)
{
    const char *const *freeze = t->settings.o.freeze, *const *share = t->settings.o.share;

    /* A pattern that fits nothing is a mistake that would be found out hours later. */
    for (int32_t k = 0; freeze && freeze[k]; k++)
        if (!fits_a_layer(t, freeze[k]))
            return dpli_fail(err, DPL_E_ARGUMENT, "no layer to freeze fits \"%.80s\"", freeze[k]);
    for (int32_t k = 0; share && share[k]; k++)
        if (!fits_a_layer(t, share[k]))
            return dpli_fail(err, DPL_E_ARGUMENT, "no layer to share fits \"%.80s\"", share[k]);
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
