/*
 * settings.c - a run's settings: one table of fields makes reading, writing, merging.
 *
 * The values live in a JSON object, which is what config.json holds, so that a run is resumed with
 * what it began with, defaults included, whatever the defaults are by then.
 */
#include "train/settings.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/dataset.h"
#include "doppel/image.h"
#include "doppel/text.h"
#include "net/arch.h"
#include "net/json_text.h"
#include "train/sampler.h"

#define MAX_ROWS 2048

typedef enum field_type { TEXT, LIST, INT, REAL } field_type;

typedef struct field {
    const char *name;
    field_type type;
    size_t offset;
    bool fixed;
} field;

#define FIELD(type, name, fixed) {#name, type, offsetof(dpl_train_options, name), fixed},
static const field fields[] = {DPL_TRAIN_SETTINGS(FIELD)};
#define N_FIELDS (sizeof fields / sizeof fields[0])

/* The name as config.json and messages have it. */
static const char *shown(char buffer[64], const char *name)
{
    size_t n = 0;

    for (; name[n] && n < 63; n++)
        buffer[n] = name[n] == '_' ? '-' : name[n];
    buffer[n] = '\0';
    return buffer;
}

/* ------------------------------------------------------------------ fields and JSON */

/* The given value as JSON; NULL when unset, or (with *failed) when it is no JSON. */
static json_t *field_json(const dpl_train_options *o, const field *f, bool *failed)
{
    const char *at = (const char *)o + f->offset;
    json_t *value = NULL;

    switch (f->type) {
    case TEXT: {
        const char *text = *(const char *const *)(const void *)at;
        if (!text)
            return NULL;
        value = json_string(text);
        break;
    }
    case LIST: {
        const char *const *list = *(const char *const *const *)(const void *)at;
        if (!list)
            return NULL;
        value = json_array();
        for (size_t i = 0; value && list[i]; i++)
            if (json_array_append_new(value, json_string(list[i])) != 0)
                *failed = true;
        break;
    }
    case INT: {
        const int v = *(const int *)(const void *)at;
        if (v == DPL_TRAIN_UNSET_INT)
            return NULL;
        value = json_integer(v);
        break;
    }
    case REAL: {
        const double v = *(const double *)(const void *)at;
        if (v == DPL_TRAIN_UNSET_REAL)
            return NULL;
        value = json_real(v);
        break;
    }
    }
    *failed = *failed || !value;
    return value;
}

/* The field from its JSON; false when that is of another type. */
static bool field_take(dpl_train_options *o, const field *f, const json_t *value)
{
    char *at = (char *)o + f->offset;

    switch (f->type) {
    case TEXT:
        if (!json_is_string(value))
            return false;
        *(const char **)(void *)at = json_string_value(value);
        return true;
    case LIST: {
        const size_t n = json_array_size(value);
        const char **list;
        if (!json_is_array(value))
            return false;
        list = dpli_calloc(n + 1, sizeof *list, NULL);
        if (!list)
            return false;
        *(const char *const **)(void *)at = list;
        for (size_t i = 0; i < n; i++) {
            list[i] = json_string_value(json_array_get(value, i));
            if (!list[i])
                return false;
        }
        return true;
    }
    case INT: {
        const json_int_t v = json_integer_value(value);
        if (!json_is_integer(value) || v < 0 || v > INT32_MAX)
            return false;
        *(int *)(void *)at = (int)v;
        return true;
    }
    case REAL:
        if (!json_is_number(value))
            return false;
        *(double *)(void *)at = json_number_value(value);
        return true;
    }
    return false;
}

static dpl_status set(dpli_settings *s, const char *name, json_t *value, dpl_error *err)
{
    char key[64];

    if (json_object_set_new(s->root, shown(key, name), value) != 0)
        return dpli_fail(err, DPL_E_MEMORY, "no memory for the settings");
    return DPL_OK;
}

static int index_of(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static const char *const token_names[] = {"characters", "words", NULL};

/* Paths as they are from anywhere: a run may be resumed from another folder. */
static dpl_status make_absolute(json_t *value, dpl_error *err)
{
    const char *text = json_string_value(value);
    char *here, *whole;

    if (!text || text[0] == '/')
        return DPL_OK;
    here = getcwd(NULL, 0);
    if (!here)
        return dpli_fail(err, DPL_E_SYSTEM, "the current folder cannot be told");
    whole = dpli_asprintf(err, "%s/%s", here, text);
    free(here);
    if (!whole)
        return DPL_E_MEMORY;
    const int failed = json_string_set(value, whole);
    free(whole);
    return failed ? dpli_fail(err, DPL_E_ARGUMENT, "the current folder's name is not valid UTF-8")
                  : DPL_OK;
}

static dpl_status make_absolute_where_path(const char *name, json_t *value, dpl_error *err)
{
    static const char *const paths[] = {"data", "second_data", "validate", "detector",
                                        "init", "teacher",     "vectors",  "classes"};
    dpl_status status = DPL_OK;

    /* Tokens are a file where they are no kind of them. */
    if (strcmp(name, "tokens") == 0 && index_of(token_names, json_string_value(value)) < 0)
        return make_absolute(value, err);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(paths[i], name) != 0)
            continue;
        status = make_absolute(value, err);
        for (size_t k = 0; k < json_array_size(value) && status == DPL_OK; k++)
            status = make_absolute(json_array_get(value, k), err);
    }
    return status;
}

/* Given values into the object, over what config says, where it may be changed. */
static dpl_status merge(dpli_settings *s, const dpl_train_options *given, bool resumed,
                        dpl_error *err)
{
    char key[64];

    for (size_t i = 0; i < N_FIELDS; i++) {
        bool failed = false;
        json_t *value = field_json(given, &fields[i], &failed);
        const json_t *old = json_object_get(s->root, shown(key, fields[i].name));
        if (failed) {
            json_decref(value);
            return dpli_fail(err, DPL_E_ARGUMENT, "setting \"%s\" is not valid UTF-8", key);
        }
        if (!value)
            continue;
        dpl_status status = make_absolute_where_path(fields[i].name, value, err);
        if (status != DPL_OK) {
            json_decref(value);
            return status;
        }
        if (resumed && fields[i].fixed && !(old && json_equal(old, value))) {
            char *text =
                old ? dpli_json_write(old, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) : NULL;
            dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" is %s in this run and cannot be changed", key,
                      text ? text : "not set");
            free(text);
            json_decref(value);
            return DPL_E_ARGUMENT;
        }
        status = set(s, fields[i].name, value, err);
        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

static dpl_status take_all(dpli_settings *s, dpl_error *err)
{
    char key[64];

    for (size_t i = 0; i < N_FIELDS; i++) {
        const json_t *value = json_object_get(s->root, shown(key, fields[i].name));
        if (value && !field_take(&s->o, &fields[i], value))
            return dpli_fail(err, DPL_E_INPUT, "setting \"%s\" is not of its type", key);
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ defaults */

static const char *const loss_names[] = {[DPLI_LOSS_CONTRASTIVE] = "contrastive",
                                         [DPLI_LOSS_L1_SIGMOID] = "l1-sigmoid",
                                         [DPLI_LOSS_MANHATTAN_CE] = "manhattan-ce",
                                         [DPLI_LOSS_MANHATTAN_SE] = "manhattan-se",
                                         [DPLI_LOSS_L1_SIMILARITY] = "l1-similarity",
                                         [DPLI_LOSS_DISTANCE_SIGMOID] = "distance-sigmoid",
                                         [DPLI_LOSS_COSINE_SE] = "cosine-se",
                                         [DPLI_LOSS_COSINE] = "cosine",
                                         [DPLI_LOSS_TRIPLET] = "triplet",
                                         [DPLI_LOSS_ARC] = "arc",
                                         [DPLI_LOSS_DISTIL] = "distil",
                                         [DPLI_LOSS_INFO_NCE] = "info-nce",
                                         [DPLI_LOSS_RANKING] = "ranking",
                                         [DPLI_LOSS_RANKING + 1] = NULL};
static const char *const optimizer_names[] = {[DPLI_SGD] = "sgd",
                                              [DPLI_ADAM] = "adam",
                                              [DPLI_NADAM] = "nadam",
                                              [DPLI_ADAMW] = "adamw",
                                              [DPLI_ADAMW + 1] = NULL};
static const char *const schedule_names[] = {[DPLI_SCHEDULE_CONSTANT] = "constant",
                                             [DPLI_SCHEDULE_DECAY] = "decay",
                                             [DPLI_SCHEDULE_COSINE] = "cosine",
                                             [DPLI_SCHEDULE_COSINE + 1] = NULL};
static const char *const precision_names[] = {"f32", "bf16", NULL};
static const char *const init_names[] = {[DPLI_INIT_KOCH] = "koch",
                                         [DPLI_INIT_KOCH_WIDE] = "koch-wide",
                                         [DPLI_INIT_HE] = "he",
                                         [DPLI_INIT_GLOROT] = "glorot",
                                         [DPLI_INIT_GLOROT + 1] = NULL};
static const char *const best_names[] = {[DPLI_BEST_ONESHOT] = "oneshot",
                                         [DPLI_BEST_AUC] = "auc",
                                         [DPLI_BEST_ACCURACY] = "accuracy",
                                         [DPLI_BEST_EER] = "eer",
                                         [DPLI_BEST_TAR] = "tar",
                                         [DPLI_BEST_CORRECT] = "correct",
                                         [DPLI_BEST_PEARSON] = "pearson",
                                         [DPLI_BEST_SPEARMAN] = "spearman",
                                         [DPLI_BEST_R1] = "r1",
                                         [DPLI_BEST_R5] = "r5",
                                         [DPLI_BEST_R10] = "r10",
                                         [DPLI_BEST_RANK] = "rank",
                                         [DPLI_BEST_RANK + 1] = NULL};

static dpl_status choose(int *out, const char *what, const char *const *names, const char *name,
                         dpl_error *err)
{
    char list[200] = "";

    *out = index_of(names, name);
    if (*out >= 0)
        return DPL_OK;
    for (int i = 0; names[i]; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
    return dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" is one of %s, not \"%.60s\"", what, list, name);
}

static void default_text(dpli_settings *s, const char *const *at, const char *name,
                         const char *text)
{
    char key[64];

    if (!*at)
        json_object_set_new(s->root, shown(key, name), json_string(text));
}

static void default_list(dpli_settings *s, const char *const *const *at, const char *name,
                         const char *only)
{
    char key[64];

    if (!*at && only)
        json_object_set_new(s->root, shown(key, name), json_pack("[s]", only));
}

static void default_int(dpli_settings *s, int at, const char *name, int v)
{
    char key[64];

    if (at == DPL_TRAIN_UNSET_INT)
        json_object_set_new(s->root, shown(key, name), json_integer(v));
}

static void default_real(dpli_settings *s, double at, const char *name, double v)
{
    char key[64];

    if (at == DPL_TRAIN_UNSET_REAL)
        json_object_set_new(s->root, shown(key, name), json_real(v));
}

#define DEFAULT_TEXT(name, text) default_text(s, &s->o.name, #name, text)
#define DEFAULT_INT(name, v)     default_int(s, s->o.name, #name, v)
#define DEFAULT_REAL(name, v)    default_real(s, s->o.name, #name, v)

const char *dpli_settings_arch_name(const dpli_settings *s, int32_t tower)
{
    const dpl_train_options *o = &s->o;

    if (o->init)
        return NULL;
    return tower > 0 && o->second_arch ? o->second_arch : o->arch ? o->arch : "koch2015";
}

const dpli_arch *dpli_settings_arch(const dpli_settings *s, int32_t tower)
{
    const char *name = dpli_settings_arch_name(s, tower);

    return name ? dpli_arch_find(name) : NULL;
}

dpli_init dpli_settings_init(const dpli_settings *s, int32_t tower)
{
    const dpli_arch *arch = dpli_settings_arch(s, tower);
    const int own = arch && !s->o.init_weights ? index_of(init_names, arch->init_weights) : -1;

    return own >= 0 ? (dpli_init)own : s->init;
}

/* Whether a network by name takes this. */
static bool takes(const dpli_settings *s, dpli_takes what)
{
    for (int32_t tower = 0; tower < DPLI_TOWERS; tower++) {
        const dpli_arch *arch = dpli_settings_arch(s, tower);

        if (arch && arch->takes == what)
            return true;
    }
    return false;
}

/* What is unset gets its default; those that depend on others use what those were given as. */
static dpl_status fill(dpli_settings *s, dpl_error *err)
{
    const dpli_arch *arch = dpli_settings_arch(s, 0);
    const bool pictures = !arch || takes(s, DPLI_TAKES_PICTURES);
    const bool grey = s->o.channels != 3 && !s->o.init;
    const dpl_decode_options usual_limits = DPL_DECODE_OPTIONS_INIT;
    int kind = DPLI_ADAM;
    dpl_status status;

    if (s->o.optimizer) {
        status = choose(&kind, "optimizer", optimizer_names, s->o.optimizer, err);
        if (status != DPL_OK)
            return status;
    }
    const dpli_optimizer_options usual = dpli_optimizer_defaults((dpli_optimizer_kind)kind);
    DEFAULT_INT(plain, 0);
    DEFAULT_INT(min_items, 2);
    if (s->o.validate_split && !s->o.validate && s->o.data) {
        DEFAULT_TEXT(validate, s->o.data);
        s->o.validate = s->o.data;
    }
    const bool held = s->o.validate || s->o.hold_groups != DPL_TRAIN_UNSET_INT || s->o.hold_group ||
                      s->o.hold_items != DPL_TRAIN_UNSET_INT || s->o.plain > 0;
    DEFAULT_INT(hold_classes, held ? 0 : DPLI_HOLD_A_TENTH);
    DEFAULT_INT(hold_groups, 0);
    DEFAULT_INT(hold_items, 0);
    DEFAULT_INT(validate_trials, 400);
    DEFAULT_INT(validate_ways, 20);
    DEFAULT_INT(validate_steps, 0);
    DEFAULT_TEXT(best, "oneshot");
    DEFAULT_INT(patience, 0);
    if (!s->o.init) {
        DEFAULT_TEXT(arch, "koch2015");
        if (pictures) {
            DEFAULT_INT(channels, 1);
            DEFAULT_INT(side, 0);
            DEFAULT_INT(batch_norm, 0);
        }
        DEFAULT_INT(dim, 0);
        if (!s->o.second_arch) /* else each has its own */
            DEFAULT_TEXT(init_weights, arch ? arch->init_weights : "he");
    }
    const dpli_arch *second = dpli_settings_arch(s, 1);
    if (arch && second && arch->takes == DPLI_TAKES_VECTORS && second->takes == DPLI_TAKES_VECTORS)
        DEFAULT_TEXT(kinds, "vectors");
    if (takes(s, DPLI_TAKES_IDS)) {
        DEFAULT_TEXT(tokens, "words");
        DEFAULT_INT(lower, 1);
        DEFAULT_INT(max_words, 30000);
        default_list(s, &s->o.share, "share", arch && !s->o.second_arch ? arch->shared : NULL);
    }
    if (takes(s, DPLI_TAKES_IDS) || s->o.init)
        DEFAULT_INT(length, 128);
    if (s->o.batch_pairs == DPL_TRAIN_UNSET_INT) {
        DEFAULT_INT(batch_classes, 16);
        DEFAULT_INT(batch_items, 4);
    }
    DEFAULT_REAL(within_group, 0);
    DEFAULT_INT(rotate_classes, 0);
    DEFAULT_TEXT(augment, !pictures ? "none" : grey ? "koch" : "face");
    DEFAULT_TEXT(loss, s->o.teacher ? "distil" : arch ? arch->loss : "contrastive");
    DEFAULT_TEXT(optimizer, optimizer_names[kind]);
    DEFAULT_REAL(rate, usual.rate);
    DEFAULT_TEXT(schedule, schedule_names[usual.schedule]);
    DEFAULT_REAL(decay, 0.99);
    DEFAULT_REAL(floor, 0.01);
    DEFAULT_INT(warmup_steps, 0);
    DEFAULT_REAL(momentum, usual.momentum);
    DEFAULT_REAL(momentum_end,
                 s->o.momentum != DPL_TRAIN_UNSET_REAL ? s->o.momentum : usual.momentum_end);
    DEFAULT_REAL(l2, usual.l2);
    DEFAULT_REAL(clip, 0);
    DEFAULT_REAL(ema, 0);
    DEFAULT_INT(epochs, 50);
    DEFAULT_INT(steps, 0);
    DEFAULT_INT(epoch_steps, 0);
    DEFAULT_INT(seed, 1);
    DEFAULT_INT(threads, 0);
    DEFAULT_INT(log_steps, 20);
    DEFAULT_REAL(checkpoint_minutes, 5);
    DEFAULT_REAL(max_memory_gib, 16);
    DEFAULT_TEXT(precision, precision_names[0]);
    DEFAULT_INT(max_pixels, (int)usual_limits.max_pixels);
    DEFAULT_REAL(max_picture_bytes, (double)usual_limits.max_bytes);
    return DPL_OK;
}

/* ------------------------------------------------------------------ checks */

static dpl_status in_range(const char *name, double v, double low, double high, dpl_error *err)
{
    if (v >= low && v <= high)
        return DPL_OK;
    return dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" is a number from %g to %g, not %g", name, low,
                     high, v);
}

static dpl_status check_ranges(const dpl_train_options *o, dpl_error *err)
{
    const struct {
        const char *name;
        double v, low, high;
    } ranges[] = {
        {"min-items", o->min_items, 1, 1e6},
        {"max-words", o->max_words == DPL_TRAIN_UNSET_INT ? 3 : o->max_words, 3, DPL_MAX_TOKENS},
        {"length", o->length == DPL_TRAIN_UNSET_INT ? 1 : o->length, 1, DPL_MAX_TOKENS_LENGTH},
        {"scale-low", o->scale_low == DPL_TRAIN_UNSET_REAL ? 0 : o->scale_low, -1e6, 1e6},
        {"scale-high", o->scale_high == DPL_TRAIN_UNSET_REAL ? 0 : o->scale_high, -1e6, 1e6},
        {"validate-trials", o->validate_trials, 1, 1e6},
        {"validate-ways", o->validate_ways, 2, 1000},
        {"within-group", o->within_group, 0, 1},
        {"rate", o->rate, 1e-12, 1e3},
        {"decay", o->decay, 1e-6, 1},
        {"floor", o->floor, 0, 1},
        {"momentum", o->momentum, 0, 0.9999},
        {"momentum-end", o->momentum_end, 0, 0.9999},
        {"l2", o->l2, 0, 1e3},
        {"clip", o->clip, 0, 1e9},
        {"ema", o->ema, 0, 0.999999},
        {"threads", o->threads, 0, 256},
        {"epochs", o->epochs, o->steps ? 0 : 1, 1e6},
        {"steps", o->steps, 0, 1e9},
        {"log-steps", o->log_steps, 1, 1e9},
        {"checkpoint-minutes", o->checkpoint_minutes, 0.01, 1e5},
        {"max-memory-gib", o->max_memory_gib, 0.001, 1e5},
        {"max-pixels", o->max_pixels, 1, INT32_MAX},
        {"max-picture-bytes", o->max_picture_bytes, 1, 0x1p53},
    };
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && status == DPL_OK; i++)
        status = in_range(ranges[i].name, ranges[i].v, ranges[i].low, ranges[i].high, err);
    if (status == DPL_OK && o->margin != DPL_TRAIN_UNSET_REAL)
        status = in_range("margin", o->margin, 0, 1e6, err);
    if (status == DPL_OK && o->temperature != DPL_TRAIN_UNSET_REAL)
        status = in_range("temperature", o->temperature, 1e-3, 10, err);
    if (status == DPL_OK && o->scale != DPL_TRAIN_UNSET_REAL)
        status = in_range("scale", o->scale, 1e-3, 1e6, err);
    if (status == DPL_OK && o->channels != DPL_TRAIN_UNSET_INT && o->channels != 1 &&
        o->channels != 3)
        status = dpli_fail(err, DPL_E_ARGUMENT, "\"channels\" is 1 or 3, not %d", o->channels);
    return status;
}

static bool pairs_kind(dpli_loss_kind kind)
{
    return dpli_loss_takes_pairs(kind);
}

static bool across_kind(dpli_loss_kind kind)
{
    return kind == DPLI_LOSS_INFO_NCE || kind == DPLI_LOSS_RANKING;
}

static dpl_status check_together(const dpli_settings *s, dpl_error *err)
{
    const dpl_train_options *o = &s->o;
    const bool in_pairs = o->batch_pairs != DPL_TRAIN_UNSET_INT;
    const char *wrong = NULL;

    if (!o->data)
        wrong = "there is no \"data\" to train on";
    else if (o->init && o->arch)
        wrong = "\"arch\" and \"init\" exclude each other";
    else if (o->init && (o->channels != DPL_TRAIN_UNSET_INT || o->side != DPL_TRAIN_UNSET_INT ||
                         o->dim != DPL_TRAIN_UNSET_INT || o->init_weights))
        wrong = "\"channels\", \"side\", \"dim\" and \"init-weights\" are of an architecture, not "
                "of an \"init\"";
    else if ((o->scale_low == DPL_TRAIN_UNSET_REAL) != (o->scale_high == DPL_TRAIN_UNSET_REAL) ||
             (o->scale_low != DPL_TRAIN_UNSET_REAL && o->scale_low >= o->scale_high))
        wrong = "a scale of grades goes from \"scale-low\" up to \"scale-high\"";
    else if (o->init && (o->tokens || o->max_words != DPL_TRAIN_UNSET_INT || o->vectors))
        wrong = "\"tokens\", \"max-words\" and \"vectors\" are of an architecture, not of an "
                "\"init\"";
    else if (o->second_arch && (o->init || o->second_data))
        wrong = "\"second-arch\" is for pairs that the data gives, beside an \"arch\"";
    else if (o->second_arch &&
             (dpli_settings_arch(s, 0)->n_towers > 1 || dpli_settings_arch(s, 1)->n_towers > 1))
        wrong = "\"second-arch\" is for two networks of one tower each";
    else if (o->arch && dpli_arch_find(o->arch) && !takes(s, DPLI_TAKES_IDS) &&
             (o->tokens || o->vectors || o->max_words != DPL_TRAIN_UNSET_INT))
        wrong = "\"tokens\", \"max-words\" and \"vectors\" are for networks of sentences";
    else if (o->share && o->share[0] && s->n_towers < 2)
        wrong = "\"share\" is for two towers";
    else if (in_pairs &&
             (o->batch_classes != DPL_TRAIN_UNSET_INT || o->batch_items != DPL_TRAIN_UNSET_INT))
        wrong = "a batch is classes x items, or \"batch-pairs\", not both";
    else if (in_pairs && !pairs_kind(s->loss) && !across_kind(s->loss))
        wrong = "\"batch-pairs\" is for losses of pairs";
    else if (o->plain && s->loss != DPLI_LOSS_DISTIL && strcmp(o->augment, "none") == 0)
        wrong = "without classes (\"plain\") what is the same are distortions of one picture: "
                "\"augment\" cannot be none";
    else if (o->plain && o->second_data)
        wrong = "two towers need classes: \"plain\" has none";
    else if (s->loss == DPLI_LOSS_DISTIL && s->n_teachers == 0)
        wrong = "the loss distil needs a \"teacher\"";
    else if (across_kind(s->loss) && s->n_teachers != 1)
        wrong = "the losses info-nce and ranking need one \"teacher\", an encoder of pictures";
    else if (!dpli_loss_takes_teachers(s->loss) && s->n_teachers > 0)
        wrong = "a \"teacher\" is for the losses distil, info-nce and ranking";
    else if (across_kind(s->loss) && s->n_towers > 1)
        wrong = "the losses info-nce and ranking train one network, of sentences";
    else if (o->temperature != DPL_TRAIN_UNSET_REAL && s->loss != DPLI_LOSS_INFO_NCE)
        wrong = "\"temperature\" is for the loss info-nce";
    else if (o->scale != DPL_TRAIN_UNSET_REAL && s->loss != DPLI_LOSS_ARC)
        wrong = "\"scale\" is for the loss arc";
    else if (o->margin != DPL_TRAIN_UNSET_REAL && s->loss != DPLI_LOSS_CONTRASTIVE &&
             s->loss != DPLI_LOSS_COSINE && s->loss != DPLI_LOSS_TRIPLET &&
             s->loss != DPLI_LOSS_ARC && s->loss != DPLI_LOSS_RANKING)
        wrong = "\"margin\" is for the losses contrastive, cosine, triplet, arc and ranking";
    else if (o->second_data && !pairs_kind(s->loss))
        wrong = "two towers are for losses of pairs";
    else if (o->second_data && o->validate)
        wrong = "two towers are validated on what is held out, not on \"validate\"";
    else if (o->validate && (o->hold_groups || o->hold_group || o->hold_classes || o->hold_items))
        wrong = "validation is on \"validate\", or on what is held out, not both";
    else if (o->plain && (o->hold_groups || o->hold_group || o->hold_items))
        wrong = "without classes (\"plain\") there is nothing to hold out: use \"validate\"";
    else if (o->hold_groups && o->hold_group)
        wrong = "groups are held out by number or by name, not both";
    else if ((o->plain || s->by_item) && o->within_group > 0)
        wrong = "\"within-group\" is for batches of classes";
    else if (o->batch_norm > 0 && (!o->arch || strcmp(o->arch, "koch2015") != 0))
        wrong = "\"batch-norm\" is for the network koch2015";
    else if (o->plain && o->rotate_classes)
        wrong = "without classes (\"plain\") there are none to rotate";
    if (wrong)
        return dpli_fail(err, DPL_E_ARGUMENT, "%s", wrong);
    if (in_pairs)
        return in_range("batch-pairs", o->batch_pairs, 2, MAX_ROWS / 2, err);
    if (o->batch_classes < 1 || o->batch_items < 1 ||
        (int64_t)o->batch_classes * o->batch_items > MAX_ROWS ||
        (!s->by_item && (o->batch_classes < 2 || (o->batch_items < 2 && !o->second_data))))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a batch is at least 2 classes of 2 items and at most %d pictures, not "
                         "%dx%d",
                         MAX_ROWS, o->batch_classes, o->batch_items);
    return DPL_OK;
}

/* ------------------------------------------------------------------ what the names stand for */

/* "rate=F" or "l2=F" at the text's beginning; what is behind it, NULL when it is neither. */
static const char *read_part(dpli_layer_rule *rule, const char *text)
{
    double *into = NULL;
    char *end;

    if (strncmp(text, "rate=", 5) == 0)
        into = &rule->rate;
    else if (strncmp(text, "l2=", 3) == 0)
        into = &rule->l2;
    if (!into)
        return NULL;
    text = strchr(text, '=') + 1;
    *into = strtod(text, &end);
    return end > text && isfinite(*into) && *into >= 0 && *into <= 1e6 ? end : NULL;
}

/* "PATTERN:rate=F,l2=F" into a rule; text is ours, cut at its colon. */
static dpl_status read_rule(dpli_layer_rule *rule, char *text, dpl_error *err)
{
    char *colon = strrchr(text, ':');
    const char *at = colon && colon > text ? read_part(rule, colon + 1) : NULL;

    while (at && *at == ',')
        at = read_part(rule, at + 1);
    if (!at || *at)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "\"layer\" is PATTERN:rate=FACTOR,l2=PENALTY, not \"%.80s\"", text);
    *colon = '\0';
    return DPL_OK;
}

static dpl_status read_rules(dpli_settings *s, dpl_error *err)
{
    dpl_status status = DPL_OK;
    int32_t n = 0;

    while (s->o.layer && s->o.layer[n])
        n++;
    if (n == 0)
        return DPL_OK;
    s->rules = dpli_calloc((size_t)n, sizeof *s->rules, err);
    if (!s->rules)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n && status == DPL_OK; i++) {
        char *text = dpli_strdup(s->o.layer[i], err);
        if (!text)
            return DPL_E_MEMORY;
        s->rules[i] = (dpli_layer_rule){text, 1, NAN};
        s->n_rules = i + 1;
        status = read_rule(&s->rules[i], text, err);
    }
    return status;
}

/* "pictures,codes" */
static dpl_status read_kinds(int32_t kinds[2], const char *text, dpl_error *err)
{
    static const char *const names[] = {[DPL_ITEM_PICTURE] = "pictures",
                                        [DPL_ITEM_SENTENCE] = "sentences",
                                        [DPL_ITEM_VECTOR] = "vectors",
                                        [DPL_ITEM_CODES] = "codes",
                                        [DPL_ITEM_CODES + 1] = NULL};
    const char *at = text;
    bool more = text != NULL;

    kinds[0] = kinds[1] = -1;
    for (int side = 0; side < 2 && more; side++) {
        const size_t n = strcspn(at, ",");

        for (int k = 0; names[k]; k++)
            if (strlen(names[k]) == n && strncmp(at, names[k], n) == 0)
                kinds[side] = k;
        more = at[n] == ',';
        at += n + more;
        if (kinds[side] < 0 || (side == 1 && more))
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "\"kinds\" is one or two of pictures, sentences, vectors and codes, "
                             "not \"%.60s\"",
                             text);
    }
    return DPL_OK;
}

static dpl_status interpret(dpli_settings *s, dpl_error *err)
{
    const dpl_train_options *o = &s->o;
    int loss = 0, optimizer = 0, schedule = 0, init = DPLI_INIT_HE, best = 0, precision = 0;
    dpl_status status = choose(&loss, "loss", loss_names, o->loss, err);

    if (status == DPL_OK)
        status = choose(&optimizer, "optimizer", optimizer_names, o->optimizer, err);
    if (status == DPL_OK)
        status = choose(&schedule, "schedule", schedule_names, o->schedule, err);
    if (status == DPL_OK)
        status = choose(&precision, "precision", precision_names, o->precision, err);
    if (status == DPL_OK && o->init_weights)
        status = choose(&init, "init-weights", init_names, o->init_weights, err);
    if (status == DPL_OK)
        status = choose(&best, "best", best_names, o->best, err);
    if (status == DPL_OK)
        status = read_kinds(s->kinds, o->kinds, err);
    if (status == DPL_OK && !dpli_augment_named(&s->augment, o->augment))
        status = dpli_fail(err, DPL_E_ARGUMENT,
                           "\"augment\" is one of none, koch, drawing, face, photo, not \"%.60s\"",
                           o->augment);
    if (status == DPL_OK)
        status = check_ranges(o, err);
    if (status != DPL_OK)
        return status;
    s->loss = (dpli_loss_kind)loss;
    s->init = (dpli_init)init;
    s->best = (dpli_best)best;
    s->narrow = precision == 1;
    const dpli_arch *arch = o->arch ? dpli_arch_find(o->arch) : NULL;
    s->n_towers = o->second_data || o->second_arch ? 2 : arch ? arch->n_towers : 1;
    for (int32_t tower = 0; tower < s->n_towers; tower++)
        if (dpli_settings_arch_name(s, tower) && !dpli_settings_arch(s, tower))
            return dpli_fail(err, DPL_E_ARGUMENT, "no architecture is named \"%.60s\"",
                             dpli_settings_arch_name(s, tower));
    s->by_item = s->loss == DPLI_LOSS_DISTIL || s->loss == DPLI_LOSS_ARC || across_kind(s->loss);
    while (o->teacher && o->teacher[s->n_teachers])
        s->n_teachers++;
    s->optimizer = dpli_optimizer_defaults((dpli_optimizer_kind)optimizer);
    s->optimizer.rate = o->rate;
    s->optimizer.schedule = (dpli_schedule)schedule;
    s->optimizer.decay = o->decay;
    s->optimizer.floor = o->floor;
    s->optimizer.warmup_steps = o->warmup_steps;
    s->optimizer.momentum = o->momentum;
    s->optimizer.momentum_end = o->momentum_end;
    s->optimizer.l2 = o->l2;
    s->optimizer.clip_norm = o->clip;
    s->optimizer.ema = o->ema;
    status = check_together(s, err);
    return status == DPL_OK ? read_rules(s, err) : status;
}

/* ------------------------------------------------------------------ in and out */

static void forget_lists(dpl_train_options *o)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].type == LIST) {
            void **at = (void **)(void *)((char *)o + fields[i].offset);
            free(*at);
            *at = NULL;
        }
}

dpl_status dpli_settings_read(dpli_settings *out, const dpl_train_options *given,
                              const char *config, dpl_error *err)
{
    dpli_settings s = {.o = DPL_TRAIN_OPTIONS_INIT};
    json_error_t problem;
    dpl_status status;

    *out = (dpli_settings){.o = DPL_TRAIN_OPTIONS_INIT};
    s.root = config ? json_loads(config, JSON_REJECT_DUPLICATES, &problem) : json_object();
    if (!json_is_object(s.root)) {
        status = dpli_fail(err, DPL_E_INPUT, "config.json is damaged");
        goto done;
    }
    status = merge(&s, given, config != NULL, err);
    if (status == DPL_OK)
        status = take_all(&s, err);
    s.batch_given = s.o.batch_classes != DPL_TRAIN_UNSET_INT;
    s.best_given = s.o.best != NULL;
    if (status == DPL_OK)
        status = fill(&s, err);
    forget_lists(&s.o);
    if (status == DPL_OK)
        status = take_all(&s, err);
    s.o.run = given->run;
    s.o.resume = given->resume;
    s.o.cancel = given->cancel;
    s.o.on_event = given->on_event;
    s.o.ctx = given->ctx;
    if (status == DPL_OK)
        status = interpret(&s, err);
    if (status == DPL_OK) {
        *out = s;
        return DPL_OK;
    }
done:
    dpli_settings_clear(&s);
    return status;
}

void dpli_settings_clear(dpli_settings *s)
{
    for (int32_t i = 0; i < s->n_rules; i++)
        free((char *)(uintptr_t)s->rules[i].pattern);
    free(s->rules);
    forget_lists(&s->o);
    json_decref(s->root);
    *s = (dpli_settings){.o = DPL_TRAIN_OPTIONS_INIT};
}

dpl_status dpli_settings_hold_classes(dpli_settings *s, int32_t n, dpl_error *err)
{
    s->o.hold_classes = n;
    return json_object_set_new(s->root, "hold-classes", json_integer(n)) == 0
               ? DPL_OK
               : dpli_fail(err, DPL_E_MEMORY, "no memory for the settings");
}

/* A setting that the data has decided; its text is the object's. */
static void decide(dpli_settings *s, const char *name, json_t *value)
{
    char key[64];

    if (json_object_set_new(s->root, shown(key, name), value) != 0)
        return;
    for (size_t i = 0; i < N_FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            field_take(&s->o, &fields[i], json_object_get(s->root, key));
}

dpl_status dpli_settings_for_pairs(dpli_settings *s, int32_t n, bool graded, dpl_error *err)
{
    const dpl_train_options *o = &s->o;
    const char *wrong = NULL;
    char key[64];
    int best = 0;

    if (!pairs_kind(s->loss))
        wrong = "pairs that the data gives are for losses of pairs";
    else if (s->batch_given)
        wrong = "the data gives pairs: a batch is \"batch-pairs\" of them";
    else if (o->second_data || o->plain)
        wrong = "the data gives pairs: it has no classes, and no \"second-data\" beside it";
    else if (o->validate && o->hold_pairs > 0)
        wrong = "validation is on \"validate\", or on pairs held out, not both";
    if (wrong)
        return dpli_fail(err, DPL_E_ARGUMENT, "%s", wrong);
    json_object_del(s->root, shown(key, "batch_classes"));
    json_object_del(s->root, shown(key, "batch_items"));
    if (o->batch_pairs == DPL_TRAIN_UNSET_INT)
        decide(s, "batch_pairs", json_integer(64));
    decide(s, "hold_classes", json_integer(0));
    if (o->hold_pairs == DPL_TRAIN_UNSET_INT)
        decide(s, "hold_pairs", json_integer(o->validate ? 0 : n / 10 > 1000 ? 1000 : n / 10));
    if (!s->best_given)
        decide(s, "best", json_string(graded ? "pearson" : "accuracy"));
    const dpl_status status = choose(&best, "best", best_names, o->best, err);
    s->best = (dpli_best)best;
    return status;
}

dpl_status dpli_settings_for_captions(dpli_settings *s, int32_t dim, dpl_error *err)
{
    const dpl_train_options *o = &s->o;
    const char *wrong = NULL;
    char key[64];
    int best = 0;

    if (s->batch_given)
        wrong = "a batch is \"batch-pairs\" of a picture and a sentence";
    else if (o->second_data || o->plain || o->rotate_classes || o->detector)
        wrong = "pictures with sentences have no classes, and are taken whole";
    else if (o->hold_groups || o->hold_group || o->hold_items)
        wrong = "of pictures with sentences, pictures are held out: \"hold-classes\", or others: "
                "\"validate\"";
    if (wrong)
        return dpli_fail(err, DPL_E_ARGUMENT, "%s", wrong);
    json_object_del(s->root, shown(key, "batch_classes"));
    json_object_del(s->root, shown(key, "batch_items"));
    if (o->batch_pairs == DPL_TRAIN_UNSET_INT)
        decide(s, "batch_pairs", json_integer(128));
    if (o->arch && o->dim == 0)
        decide(s, "dim", json_integer(dim));
    if (!s->best_given)
        decide(s, "best", json_string("r10"));
    const dpl_status status = choose(&best, "best", best_names, o->best, err);
    s->best = (dpli_best)best;
    return status;
}

dpl_status dpli_settings_text(char **out, const dpli_settings *s, dpl_error *err)
{
    *out = dpli_json_write(s->root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    return *out ? DPL_OK : dpli_fail(err, DPL_E_MEMORY, "no memory for the settings");
}

int32_t dpli_settings_rows(const dpli_settings *s)
{
    if (s->o.batch_pairs != DPL_TRAIN_UNSET_INT && across_kind(s->loss))
        return s->o.batch_pairs;
    if (s->o.batch_pairs != DPL_TRAIN_UNSET_INT)
        return s->n_towers > 1 ? s->o.batch_pairs : 2 * s->o.batch_pairs;
    return s->o.batch_classes * s->o.batch_items;
}
