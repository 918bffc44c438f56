/*
 * loader.c - a ring of batches, each made whole by one thread.
 *
 * A thread takes the next step that nobody has taken, waits until that step's place in the ring is
 * free, and fills it. The generator of each row is seeded by run, step and row.
 */
#include "train/loader.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"

enum { SALT_AUGMENT = 11 };

typedef struct slot {
    dpli_batch batch;
    int64_t step; /* that it holds; -1 while empty or being filled */
} slot;

struct dpli_loader {
    dpli_loader_options o;
    int32_t rows, n_slots;
    slot *slots;
    size_t bytes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t taken;  /* next step to be made */
    int64_t wanted; /* next step to be given out; those below are done with */
    bool stop;
    dpl_error failure;
    int n_threads;
    pthread_t *threads;
};

/* What a thread works with. */
typedef struct worker {
    dpli_loader *l;
    dpli_sampler *sampler;
    void *hands[DPLI_TOWERS]; /* the feeds' */
    dpli_row *rows;
} worker;

/* ------------------------------------------------------------------ one batch */

static dpl_status fill(worker *w, dpli_batch *batch, int64_t step, dpl_error *err)
{
    dpli_loader *l = w->l;
    const dpli_loader_options *o = &l->o;
    dpl_status status = DPL_OK;

    dpli_sampler_draw(w->sampler, step, w->rows, batch->pairs, &batch->n_pairs);
    for (int32_t k = 0; k < l->rows * o->sampler.pool->n_towers && status == DPL_OK; k++) {
        const int32_t tower = k / l->rows;
        const size_t r = (size_t)(k % l->rows);
        const dpli_feed *feed = o->feeds[tower];
        char *input = (char *)batch->inputs[tower] + r * feed->item_bytes;
        dpli_rng rng;

        batch->labels[k] = w->rows[k].label;
        dpli_seed_at(&rng, o->sampler.seed, SALT_AUGMENT, (uint64_t)step, (uint64_t)k);
        status = feed->fill(w->hands[tower], input, &w->rows[k], &rng, err);
        for (int32_t i = 0; tower == 0 && i < batch->n_targets && status == DPL_OK; i++)
            status = feed->target(w->hands[tower],
                                  batch->targets[i] + r * (size_t)feed->target_dims[i], i, err);
    }
    return status;
}

/* ------------------------------------------------------------------ threads */

static void worker_clear(worker *w)
{
    dpli_sampler_free(w->sampler);
    for (int32_t t = 0; t < w->l->o.sampler.pool->n_towers; t++)
        w->l->o.feeds[t]->close(w->hands[t]);
    free(w->rows);
}

static dpl_status worker_init(worker *w, dpli_loader *l, dpl_error *err)
{
    const int32_t n_towers = l->o.sampler.pool->n_towers;
    dpl_status status;

    *w = (worker){.l = l};
    status = dpli_sampler_new(&w->sampler, &l->o.sampler, err);
    for (int32_t t = 0; t < n_towers && status == DPL_OK; t++)
        status = l->o.feeds[t]->open(&w->hands[t], l->o.feeds[t], err);
    if (status != DPL_OK)
        return status;
    w->rows = dpli_alloc((size_t)l->rows * (size_t)n_towers, sizeof *w->rows, err);
    return w->rows ? DPL_OK : DPL_E_MEMORY;
}

static void *work(void *ctx)
{
    dpli_loader *l = ctx;
    dpl_error err;
    worker w;
    dpl_status status = worker_init(&w, l, &err);

    pthread_mutex_lock(&l->lock);
    while (status == DPL_OK && !l->stop) {
        const int64_t step = l->taken++;
        slot *place = &l->slots[step % l->n_slots];
        while (!l->stop && step >= l->wanted + l->n_slots)
            pthread_cond_wait(&l->changed, &l->lock);
        if (l->stop)
            break;
        place->step = -1;
        pthread_mutex_unlock(&l->lock);
        status = fill(&w, &place->batch, step, &err);
        pthread_mutex_lock(&l->lock);
        if (status == DPL_OK)
            place->step = step;
        pthread_cond_broadcast(&l->changed);
    }
    if (status != DPL_OK && l->failure.status == DPL_OK) {
        l->failure = err;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    worker_clear(&w);
    return NULL;
}

dpl_status dpli_loader_next(const dpli_batch **out, dpli_loader *l, dpl_error *err)
{
    dpl_status status = DPL_OK;
    slot *place;

    pthread_mutex_lock(&l->lock);
    const int64_t step = l->wanted;
    place = &l->slots[step % l->n_slots];
    while (place->step != step && l->failure.status == DPL_OK)
        pthread_cond_wait(&l->changed, &l->lock);
    if (place->step == step) {
        *out = &place->batch;
    } else {
        status = l->failure.status;
        if (err)
            *err = l->failure;
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

void dpli_loader_done(dpli_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->wanted++;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* ------------------------------------------------------------------ the ring */

static void *counted(dpli_loader *l, size_t n, size_t size, dpl_error *err)
{
    l->bytes += n * size;
    return dpli_alloc_aligned(n, size, err);
}

static dpl_status slot_init(dpli_loader *l, slot *s, size_t n_pairs, dpl_error *err)
{
    const int32_t n_towers = l->o.sampler.pool->n_towers;
    const dpli_feed *first = l->o.feeds[0];
    const size_t rows = (size_t)l->rows;

    s->step = -1;
    for (int32_t t = 0; t < n_towers; t++) {
        size_t bytes;
        if (!dpli_mul(&bytes, rows, l->o.feeds[t]->item_bytes))
            return dpli_fail(err, DPL_E_MEMORY, "a batch of %zu rows is too large", rows);
        s->batch.inputs[t] = counted(l, bytes, 1, err);
        if (!s->batch.inputs[t])
            return DPL_E_MEMORY;
    }
    s->batch.labels = counted(l, rows * (size_t)n_towers, sizeof *s->batch.labels, err);
    s->batch.pairs = counted(l, n_pairs, sizeof *s->batch.pairs, err);
    if (!s->batch.labels || !s->batch.pairs)
        return DPL_E_MEMORY;
    if (first->n_targets == 0)
        return DPL_OK;
    s->batch.targets = dpli_calloc((size_t)first->n_targets, sizeof *s->batch.targets, err);
    if (!s->batch.targets)
        return DPL_E_MEMORY;
    s->batch.n_targets = first->n_targets;
    for (int32_t i = 0; i < first->n_targets; i++) {
        s->batch.targets[i] = counted(l, rows * (size_t)first->target_dims[i], sizeof(float), err);
        if (!s->batch.targets[i])
            return DPL_E_MEMORY;
    }
    return DPL_OK;
}

dpl_status dpli_loader_new(dpli_loader **out, const dpli_loader_options *options, dpl_error *err)
{
    dpli_loader *l = dpli_calloc(1, sizeof *l, err);
    dpli_sampler *sampler = NULL;
    dpl_status status;

    *out = NULL;
    if (!l)
        return DPL_E_MEMORY;
    l->o = *options;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->taken = l->wanted = options->first_step;
    l->n_slots = 2 * options->n_threads > 3 ? 2 * options->n_threads : 3;
    l->n_slots = l->n_slots > 8 ? 8 : l->n_slots;
    status = dpli_sampler_new(&sampler, &options->sampler, err);
    if (status != DPL_OK)
        goto done;
    l->rows = dpli_sampler_rows(sampler);
    l->slots = dpli_calloc((size_t)l->n_slots, sizeof *l->slots, err);
    l->threads = dpli_calloc((size_t)options->n_threads, sizeof *l->threads, err);
    status = l->slots && l->threads ? DPL_OK : DPL_E_MEMORY;
    for (int32_t i = 0; i < l->n_slots && status == DPL_OK; i++)
        status = slot_init(l, &l->slots[i], dpli_sampler_pairs(sampler), err);
    for (int i = 0; i < options->n_threads && status == DPL_OK; i++) {
        if (pthread_create(&l->threads[i], NULL, work, l) != 0)
            status = dpli_fail(err, DPL_E_SYSTEM, "no more threads can be made");
        else
            l->n_threads = i + 1;
    }
done:
    dpli_sampler_free(sampler);
    if (status == DPL_OK)
        *out = l;
    else
        dpli_loader_free(l);
    return status;
}

void dpli_loader_free(dpli_loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    for (int32_t i = 0; l->slots && i < l->n_slots; i++) {
        dpli_batch *b = &l->slots[i].batch;
        for (int t = 0; t < DPLI_TOWERS; t++)
            free(b->inputs[t]);
        for (int32_t t = 0; t < b->n_targets; t++)
            free(b->targets[t]);
        free(b->targets);
        free(b->labels);
        free(b->pairs);
    }
    free(l->slots);
    free(l->threads);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

size_t dpli_loader_bytes(const dpli_loader *l)
{
    return l->bytes;
}
