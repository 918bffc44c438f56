/*
 * checkpoint.c - a run's state in one file, from which it goes on to the bit.
 *
 *     "doppelck", version, n_arrays                       8 bytes, uint32, uint32
 *     step, best_step, since_best, validated_step,        int64 each
 *         steps of the optimizer
 *     data_sum, best                                      uint64, double
 *     per array: length of the name, name, n, values      uint32, bytes, uint64, n float32
 *     sum of all before (base/hash.h)                     uint64
 *
 * Little-endian. The sampler needs no state: batches are a function of seed and step. Written
 * aside, synced and renamed; the file before it stays as checkpoint.prev.bin. What is read is
 * checked against its sum before any of it is used.
 */
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "train/run.h"

#define MAGIC   "doppelck"
#define VERSION 1u
#define CHUNK   ((size_t)1 << 20)

typedef struct header {
    char magic[8];
    uint32_t version, n_arrays;
    int64_t step, best_step, since_best, validated_step, optimizer_steps;
    uint64_t data_sum;
    double best;
} header;

/* Array i of the state: the parameters that training can change, then the optimizer's. */
static float *array_at(dpli_trainer *t, int32_t i, size_t *n, const char **name)
{
    for (int32_t k = 0; k < t->n_params; k++) {
        dpli_param *p = t->params[k];
        if (p->kind == DPLI_PARAM_OTHER || i-- > 0)
            continue;
        *n = p->n;
        *name = p->name;
        return p->value;
    }
    return dpli_optimizer_state(t->optimizer, i, n, name);
}

static int32_t n_arrays(dpli_trainer *t)
{
    const char *name;
    int32_t i = 0;
    size_t n;

    while (array_at(t, i, &n, &name))
        i++;
    return i;
}

/* ------------------------------------------------------------------ writing */

typedef struct stream {
    FILE *f;
    uint64_t sum;
    bool failed;
} stream;

static void put(stream *s, const void *bytes, size_t n)
{
    /* the same pieces as when it is read: a sum may depend on them */
    for (size_t at = 0; at < n && !s->failed; at += CHUNK) {
        const size_t m = n - at < CHUNK ? n - at : CHUNK;
        s->sum = dpli_sum64(s->sum, (const char *)bytes + at, m);
        s->failed = fwrite((const char *)bytes + at, 1, m, s->f) != m;
    }
}

static bool get(stream *s, void *bytes, size_t n)
{
    for (size_t at = 0; at < n && !s->failed; at += CHUNK) {
        const size_t m = n - at < CHUNK ? n - at : CHUNK;
        s->failed = fread((char *)bytes + at, 1, m, s->f) != m;
        if (!s->failed)
            s->sum = dpli_sum64(s->sum, (char *)bytes + at, m);
    }
    return !s->failed;
}

static header header_of(dpli_trainer *t)
{
    header h = {.version = VERSION,
                .n_arrays = (uint32_t)n_arrays(t),
                .step = t->step,
                .best_step = t->best_step,
                .since_best = t->since_best,
                .validated_step = t->validated_step,
                .optimizer_steps = dpli_optimizer_steps(t->optimizer),
                .data_sum = t->data_sum,
                .best = t->best};

    memcpy(h.magic, MAGIC, sizeof h.magic);
    return h;
}

static dpl_status write_to(void *ctx, const char *aside, dpl_error *err)
{
    dpli_trainer *t = ctx;
    const header h = header_of(t);
    stream s = {.f = fopen(aside, "wbe")};
    const char *name;
    const float *values;
    size_t n;

    if (!s.f)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
    put(&s, &h, sizeof h);
    for (int32_t i = 0;; i++) {
        values = array_at(t, i, &n, &name);
        if (!values)
            break;
        const uint32_t n_name = (uint32_t)strlen(name);
        const uint64_t n_floats = n;
        put(&s, &n_name, sizeof n_name);
        put(&s, name, n_name);
        put(&s, &n_floats, sizeof n_floats);
        put(&s, values, n * sizeof *values);
    }
    const uint64_t sum = s.sum;
    put(&s, &sum, sizeof sum);
    if (fclose(s.f) != 0 || s.failed)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
    return DPL_OK;
}

static dpl_status check_finite(dpli_trainer *t, dpl_error *err)
{
    for (int32_t k = 0; k < t->n_params; k++) {
        const dpli_param *p = t->params[k];
        for (size_t i = 0; p->kind != DPLI_PARAM_OTHER && i < p->n; i++)
            if (!isfinite(p->value[i]))
                return dpli_fail(err, DPL_E_NUMERIC,
                                 "step %lld: \"%s\" of layer \"%s\" is no longer finite; the last "
                                 "checkpoint is as it was: try a lower rate, or clip the gradient",
                                 (long long)t->step, p->name, p->layer ? p->layer : "loss");
    }
    return DPL_OK;
}

dpl_status dpli_checkpoint_save(dpli_trainer *t, dpl_error *err)
{
    char *path = dpli_run_path(t, "checkpoint.bin", err);
    char *before = path ? dpli_run_path(t, "checkpoint.prev.bin", err) : NULL;
    dpl_status status = before ? check_finite(t, err) : DPL_E_MEMORY;

    if (status == DPL_OK) {
        /* A second name for the old file: the new one takes the first name only when it is whole.
         * Where there are no hard links the old one goes with it. */
        unlink(before);
        if (link(path, before) != 0 && errno != ENOENT && errno != EPERM && errno != EOPNOTSUPP)
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot keep \"%s\"", before);
    }
    if (status == DPL_OK)
        status = dpli_file_replace_by(path, write_to, t, err);
    if (status == DPL_OK && t->settings.o.on_event) {
        const dpl_train_event e = {.kind = DPL_TRAIN_SAVED, .step = t->step, .text = path};
        t->settings.o.on_event(t->settings.o.ctx, &e);
    }
    free(path);
    free(before);
    return status;
}

/* ------------------------------------------------------------------ reading */

/* Walk the file; with use, into the state, else only to see that it fits and its sum agrees. */
static const char *read_all(dpli_trainer *t, FILE *f, header *h, bool use)
{
    stream s = {.f = f};
    float *buffer = NULL;
    const char *name, *wrong = NULL;
    float *values;
    uint64_t sum;
    size_t n;

    rewind(f);
    if (!get(&s, h, sizeof *h) || memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
        return "is not a checkpoint";
    if (h->version != VERSION)
        return "is of another version";
    if (h->n_arrays != (uint32_t)n_arrays(t))
        return "is of another network or optimizer";
    buffer = malloc(CHUNK);
    if (!buffer)
        return "cannot be read: no memory";
    for (int32_t i = 0; !wrong; i++) {
        values = array_at(t, i, &n, &name);
        if (!values)
            break;
        uint32_t n_name;
        uint64_t n_floats;
        char found[512];
        if (!get(&s, &n_name, sizeof n_name) || n_name >= sizeof found || !get(&s, found, n_name) ||
            !get(&s, &n_floats, sizeof n_floats))
            wrong = "is damaged";
        else if (n_name != strlen(name) || memcmp(found, name, n_name) != 0 || n_floats != n)
            wrong = "is of another network or optimizer, or damaged";
        for (size_t at = 0; !wrong && at < n * sizeof *values; at += CHUNK) {
            const size_t left = n * sizeof *values - at, m = left < CHUNK ? left : CHUNK;
            if (!get(&s, use ? (char *)values + at : (char *)buffer, m))
                wrong = "is damaged: it ends too early";
        }
    }
    const uint64_t expected = s.sum;
    if (!wrong && (!get(&s, &sum, sizeof sum) || sum != expected || fgetc(f) != EOF))
        wrong = "is damaged: its sum does not agree";
    free(buffer);
    return wrong;
}

dpl_status dpli_checkpoint_load(dpli_trainer *t, dpl_error *err)
{
    char *path = dpli_run_path(t, "checkpoint.bin", err);
    char *before = path ? dpli_run_path(t, "checkpoint.prev.bin", err) : NULL;
    dpl_status status = before ? DPL_OK : DPL_E_MEMORY;
    const char *wrong;
    header h;
    FILE *f = NULL;

    if (status != DPL_OK)
        goto done;
    f = fopen(path, "rbe");
    if (!f && errno == ENOENT && access(before, F_OK) != 0)
        goto done; /* stopped before its first checkpoint: it begins at its start */
    wrong = f ? read_all(t, f, &h, false) : "cannot be opened";
    if (!wrong)
        wrong = read_all(t, f, &h, true);
    if (wrong) {
        status = access(before, R_OK) == 0
                     ? dpli_fail(err, DPL_E_MODEL,
                                 "checkpoint \"%s\" %s; the one before it is \"%s\", which can be "
                                 "put in its place",
                                 path, wrong, before)
                     : dpli_fail(err, DPL_E_MODEL,
                                 "checkpoint \"%s\" %s, and there is none before it", path, wrong);
        goto done;
    }
    if (h.data_sum != t->data_sum) {
        status = dpli_fail(err, DPL_E_INPUT,
                           "the data are not those that this run began with: pictures were added, "
                           "removed or renamed");
        goto done;
    }
    t->step = h.step;
    t->best = h.best;
    t->best_step = h.best_step;
    t->since_best = h.since_best;
    t->validated_step = h.validated_step;
    dpli_optimizer_set_steps(t->optimizer, h.optimizer_steps);
done:
    if (f)
        fclose(f);
    free(path);
    free(before);
    return status;
}
