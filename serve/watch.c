/*
 * watch.c - the search indexes of a gallery in a database, which others change at any time, made
 * fresh when it tells of a change: a thread that waits for that and searches for nothing much. The
 * index that this brings up to date is the one that all readers share.
 */
#include "serve/watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a wait lasts before it is seen that the server ends; and a pause after a lost
   connection. */
enum { WAIT_MS = 500, PAUSE_MS = 1000 };

struct watcher {
    server *s;
    dpl_gallery *gallery;
    pthread_t thread;
    volatile int stop;
};

static void freshen(watcher *w)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(w->s->pipeline);
    const int32_t dim = dpl_encoder_dim(encoder);
    float *probe = calloc((size_t)dim, sizeof *probe);
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_hit hit;

    if (!probe)
        return;
    probe[0] = 1;
    options.k = 1;
    /* What goes wrong here goes wrong, and is told, when somebody asks. */
    pthread_rwlock_rdlock(&w->s->rows);
    (void)dpl_gallery_search(&hit, w->gallery, dpl_pipeline_head(w->s->pipeline),
                             dpl_encoder_space(encoder), probe, 1, dim, &options, NULL, NULL);
    pthread_rwlock_unlock(&w->s->rows);
    free(probe);
}

static void *watch(void *ctx)
{
    watcher *w = ctx;

    while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
        const struct timespec pause = {PAUSE_MS / 1000, PAUSE_MS % 1000 * 1000000L};
        bool changed = false;

        if (dpl_gallery_wait(&changed, w->gallery, WAIT_MS, NULL) != DPL_OK)
            nanosleep(&pause, NULL);
        else if (changed)
            freshen(w);
    }
    return NULL;
}

watcher *watch_start(server *s)
{
    watcher *w;

    /* A folder's only writer is this server, or nobody it would have to keep up with. */
    if (!strstr(dpl_gallery_dir(s->gallery), "://") || !dpl_pipeline_encoder(s->pipeline))
        return NULL;
    w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->s = s;
    if (dpl_gallery_open_again(&w->gallery, s->gallery, NULL) == DPL_OK &&
        pthread_create(&w->thread, NULL, watch, w) == 0)
        return w;
    dpl_gallery_close(w->gallery);
    free(w);
    return NULL;
}

void watch_stop(watcher *w)
{
    if (!w)
        return;
    __atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
    pthread_join(w->thread, NULL);
    dpl_gallery_close(w->gallery);
    free(w);
}
