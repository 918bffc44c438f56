/*
 * workers.c - threads that take jobs from a queue.
 */
#include "serve/workers.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct worker {
    workers *all;
    void *ctx;
    pthread_t thread;
} worker;

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    void **jobs; /* a ring of max */
    size_t max, first, n;
    bool is_ending;
    void (*run)(void *ctx, void *job);
    int n_threads;
    worker threads[];
};

static void *work(void *arg)
{
    worker *me = arg;
    workers *w = me->all;

    for (;;) {
        void *job = NULL;

        pthread_mutex_lock(&w->lock);
        while (w->n == 0 && !w->is_ending)
            pthread_cond_wait(&w->more, &w->lock);
        if (w->n > 0) {
            job = w->jobs[w->first];
            w->first = (w->first + 1) % w->max;
            w->n--;
        }
        pthread_mutex_unlock(&w->lock);
        if (!job)
            return NULL;
        w->run(me->ctx, job);
    }
}

workers *workers_start(int n, size_t max_waiting, void (*run)(void *ctx, void *job),
                       void *const *ctx)
{
    workers *w = calloc(1, sizeof *w + (size_t)n * sizeof w->threads[0]);

    if (!w)
        return NULL;
    w->jobs = calloc(max_waiting, sizeof *w->jobs);
    if (!w->jobs) {
        free(w);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->max = max_waiting;
    w->run = run;
    for (; w->n_threads < n; w->n_threads++) {
        worker *me = &w->threads[w->n_threads];

        me->all = w;
        me->ctx = ctx[w->n_threads];
        if (pthread_create(&me->thread, NULL, work, me) != 0) {
            workers_stop(w);
            return NULL;
        }
    }
    return w;
}

bool workers_put(workers *w, void *job)
{
    bool fits;

    pthread_mutex_lock(&w->lock);
    fits = w->n < w->max && !w->is_ending;
    if (fits) {
        w->jobs[(w->first + w->n) % w->max] = job;
        w->n++;
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
    return fits;
}

size_t workers_n_waiting(workers *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = w->n;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void workers_stop(workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_ending = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->n_threads; i++)
        pthread_join(w->threads[i].thread, NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w->jobs);
    free(w);
}
