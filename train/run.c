/*
 * run.c - a run's folder: made once, locked while somebody works in it, its log, its models.
 */
#include "train/run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/fuse.h"
#include "net/json_text.h"
#include "net/load.h"
#include "net/onnx_write.h"
#include "train/tower.h"

#define MAX_CONFIG_BYTES ((size_t)1 << 20)
#define MAX_LOG_BYTES    ((size_t)1 << 30)

char *dpli_run_path(const dpli_trainer *t, const char *name, dpl_error *err)
{
    return dpli_asprintf(err, "%s/%s", t->run_dir, name);
}

char *dpli_run_model(const dpli_trainer *t, const char *stem, int32_t tower, dpl_error *err)
{
    if (t->n_towers > 1)
        return dpli_asprintf(err, "%s/%s.%c.onnx", t->run_dir, stem, "ab"[tower]);
    return dpli_asprintf(err, "%s/%s.onnx", t->run_dir, stem);
}

dpl_status dpli_run_open(dpli_trainer *t, char **config, const dpl_train_options *options,
                         dpl_error *err)
{
    dpl_status status = DPL_OK;
    char *path = NULL;
    size_t n;

    *config = NULL;
    if (!options->run || !options->run[0])
        return dpli_fail(err, DPL_E_ARGUMENT, "a run needs a folder");
    t->run_dir = dpli_strdup(options->run, err);
    path = t->run_dir ? dpli_run_path(t, "config.json", err) : NULL;
    if (!path) {
        status = DPL_E_MEMORY;
        goto done;
    }
    if (!options->resume && mkdir(t->run_dir, 0777) != 0 && errno != EEXIST) {
        status =
            dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot make the folder \"%s\"", t->run_dir);
        goto done;
    }
    t->run_fd = open(t->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->run_fd < 0) {
        status = dpli_fail_errno(err, DPL_E_MODEL, errno, "cannot open the run \"%s\"", t->run_dir);
        goto done;
    }
    if (flock(t->run_fd, LOCK_EX | LOCK_NB) != 0) {
        status = dpli_fail(err, DPL_E_LOCKED, "another process is training in \"%s\"", t->run_dir);
        goto done;
    }
    if (!options->resume) {
        if (access(path, F_OK) == 0)
            status = dpli_fail(err, DPL_E_ARGUMENT,
                               "\"%s\" holds a run already: resume it, or take another folder",
                               t->run_dir);
        goto done;
    }
    status = dpli_file_read((uint8_t **)config, &n, path, MAX_CONFIG_BYTES, err);
    if (status != DPL_OK) {
        status = dpli_fail(err, DPL_E_MODEL, "\"%s\" holds no run: its config.json cannot be read",
                           t->run_dir);
    }
done:
    free(path);
    return status;
}

/* ------------------------------------------------------------------ log */

static void set_real(json_t *o, const char *key, double v)
{
    if (isfinite(v))
        json_object_set_new(o, key, json_real(v));
}

static json_t *figures_json(const dpl_train_figures *f)
{
    json_t *o = json_object();

    set_real(o, "oneshot", f->oneshot);
    set_real(o, "auc", f->auc);
    set_real(o, "accuracy", f->accuracy);
    set_real(o, "eer", f->eer);
    set_real(o, "tar", f->tar);
    set_real(o, "loss", f->loss);
    set_real(o, "correct", f->correct);
    set_real(o, "pearson", f->pearson);
    set_real(o, "spearman", f->spearman);
    set_real(o, "squared-error", f->squared_error);
    if (f->n_sentences) {
        set_real(o, "r1", f->recall_1);
        set_real(o, "r5", f->recall_5);
        set_real(o, "r10", f->recall_10);
        set_real(o, "median-rank", f->median_rank);
        json_object_set_new(o, "sentences", json_integer(f->n_sentences));
        json_object_set_new(o, "pictures", json_integer(f->n_pictures));
    } else if (f->n_pairs) {
        json_object_set_new(o, "pairs", json_integer(f->n_pairs));
    } else {
        json_object_set_new(o, "trials", json_integer(f->n_trials));
        json_object_set_new(o, "ways", json_integer(f->n_ways));
    }
    return o;
}

dpl_status dpli_run_log(const dpli_trainer *t, const dpl_train_event *e, dpl_error *err)
{
    char *path = dpli_run_path(t, "log.jsonl", err), *line = NULL;
    json_t *o = json_object();
    FILE *f = path ? fopen(path, "ae") : NULL;
    dpl_status status = DPL_OK;

    json_object_set_new(o, "step", json_integer(e->step));
    set_real(o, "epoch", e->epoch);
    if (e->kind == DPL_TRAIN_VALIDATED) {
        json_object_set_new(o, "validation", figures_json(&e->figures));
        json_object_set_new(o, "best", json_boolean(e->is_best));
    } else {
        set_real(o, "loss", e->loss);
        set_real(o, "correct", e->correct);
        set_real(o, "rate", e->rate);
        set_real(o, "grad-norm", e->grad_norm);
        set_real(o, "images-per-s", e->images_per_s);
    }
    line = dpli_json_write(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(o);
    if (!f || !line || fprintf(f, "%s\n", line) < 0)
        status =
            dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write the log in \"%s\"", t->run_dir);
    if (f && fclose(f) != 0 && status == DPL_OK)
        status =
            dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write the log in \"%s\"", t->run_dir);
    free(line);
    free(path);
    return status;
}

dpl_status dpli_run_cut_log(const dpli_trainer *t, dpl_error *err)
{
    char *path = dpli_run_path(t, "log.jsonl", err);
    dpl_status status = path ? DPL_OK : DPL_E_MEMORY;
    uint8_t *text = NULL;
    size_t n = 0, keep = 0;

    if (!path || access(path, F_OK) != 0)
        goto done;
    status = dpli_file_read(&text, &n, path, MAX_LOG_BYTES, err);
    if (status != DPL_OK)
        goto done;
    while (keep < n) {
        const uint8_t *end = memchr(text + keep, '\n', n - keep);
        json_t *o =
            end ? json_loadb((char *)text + keep, (size_t)(end - (text + keep)), 0, NULL) : NULL;
        const json_t *step = json_object_get(o, "step");
        const bool good = json_is_integer(step) && json_integer_value(step) <= t->step;
        json_decref(o);
        if (!good) /* steps only rise: what follows is later, or a line cut off */
            break;
        keep = (size_t)(end - text) + 1;
    }
    if (keep < n)
        status = dpli_file_replace(path, text, keep, err);
done:
    free(text);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ models */

/* What was true of the model that training began with, and no longer is. */
static void forget_meta(dpli_graph *g, const char *key)
{
    for (int32_t i = 0; i < g->n_meta; i++)
        if (strcmp(g->meta[i].key, key) == 0) {
            free(g->meta[i].key);
            free(g->meta[i].text);
            g->meta[i] = g->meta[--g->n_meta];
            return;
        }
}

static dpl_status set_head(dpli_trainer *t, dpli_graph *g, dpl_error *err)
{
    dpl_status status = dpli_graph_set_meta(g, "head", dpli_loss_head(t->settings.loss), err);
    float *weights = dpli_alloc((size_t)t->dim, sizeof *weights, err), bias;
    dpli_buf text[2] = {{0}, {0}};

    if (!weights)
        status = DPL_E_MEMORY;
    if (status == DPL_OK && dpli_loss_l1_head(weights, &bias, t->loss)) {
        dpli_buf_base64(&text[0], weights, (size_t)t->dim * sizeof *weights);
        dpli_buf_printf(&text[1], "%.9g", (double)bias);
        for (int i = 0; i < 2 && status == DPL_OK; i++) {
            status = dpli_buf_check(&text[i], err);
            if (status == DPL_OK)
                status =
                    dpli_graph_set_meta(g, i ? "head.bias" : "head.weights", text[i].data, err);
        }
    }
    dpli_buf_clear(&text[0]);
    dpli_buf_clear(&text[1]);
    free(weights);
    return status;
}

/* The model's bytes again, without its batch norms: the graph in training keeps them. */
static dpl_status fold_norms(uint8_t **bytes, size_t *n, dpl_error *err)
{
    dpli_graph g;
    dpl_status status = dpli_graph_for_training(&g, *bytes, *n, err);

    if (status != DPL_OK)
        return status;
    free(*bytes);
    *bytes = NULL;
    status = dpli_graph_fold_norms(&g, err);
    if (status == DPL_OK)
        status = dpli_onnx_write(bytes, n, &g, err);
    dpli_graph_clear(&g);
    return status;
}

dpl_status dpli_run_export(dpli_trainer *t, const char *stem, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (int32_t w = 0; w < t->n_towers && status == DPL_OK; w++) {
        dpli_graph *g = &t->towers[w].graph;
        char *path = dpli_run_model(t, stem, w, err);
        uint8_t *bytes = NULL;
        size_t n;
        forget_meta(g, "doppel.calibration");
        forget_meta(g, "doppel.cohort"); /* of the vectors that it gave before */
        forget_meta(g, "doppel.head.weights");
        forget_meta(g, "doppel.head.bias");
        status = path ? set_head(t, g, err) : DPL_E_MEMORY;
        if (status == DPL_OK)
            /* what a cosine does not see, a distance does: vectors stay as the loss had them */
            status = dpli_graph_set_meta(
                g, "normalize",
                strcmp(dpli_loss_head(t->settings.loss), "cosine") == 0 ? "l2" : "none", err);
        if (status == DPL_OK && t->captions) /* in whose space its vectors are */
            status = dpli_graph_set_meta(g, "pictures", dpl_encoder_hash(t->teachers[0]), err);
        dpli_tower_settle(t, w);
        if (status == DPL_OK)
            status = dpli_onnx_write(&bytes, &n, g, err);
        if (status == DPL_OK && t->settings.o.batch_norm > 0)
            status = fold_norms(&bytes, &n, err);
        if (status == DPL_OK)
            status = dpli_file_replace(path, bytes, n, err);
        free(bytes);
        free(path);
    }
    return status;
}
