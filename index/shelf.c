/*
 * shelf.c - indexes in memory that threads share: held, let go, replaced.
 */
#include "index/shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/space.h"

struct dpli_shelf {
    pthread_mutex_t lock; /* of all below, and of every n_holders; never held for long */
    pthread_mutex_t making;
    int n_users;
    dpli_held *index[DPLI_N_SPACES];
};

dpl_status dpli_shelf_new(dpli_shelf **out, dpl_error *err)
{
    dpli_shelf *shelf = dpli_calloc(1, sizeof *shelf, err);

    *out = NULL;
    if (!shelf)
        return DPL_E_MEMORY;
    if (pthread_mutex_init(&shelf->lock, NULL) != 0) {
        free(shelf);
        return dpli_fail(err, DPL_E_MEMORY, "no memory for a lock");
    }
    if (pthread_mutex_init(&shelf->making, NULL) != 0) {
        pthread_mutex_destroy(&shelf->lock);
        free(shelf);
        return dpli_fail(err, DPL_E_MEMORY, "no memory for a lock");
    }
    shelf->n_users = 1;
    *out = shelf;
    return DPL_OK;
}

dpli_shelf *dpli_shelf_share(dpli_shelf *shelf)
{
    pthread_mutex_lock(&shelf->lock);
    shelf->n_users++;
    pthread_mutex_unlock(&shelf->lock);
    return shelf;
}

void dpli_shelf_close(dpli_shelf *shelf)
{
    int n_left;

    if (!shelf)
        return;
    pthread_mutex_lock(&shelf->lock);
    n_left = --shelf->n_users;
    pthread_mutex_unlock(&shelf->lock);
    if (n_left > 0)
        return;
    for (int i = 0; i < DPLI_N_SPACES; i++)
        dpli_shelf_put(shelf, i, NULL);
    pthread_mutex_destroy(&shelf->making);
    pthread_mutex_destroy(&shelf->lock);
    free(shelf);
}

/* ------------------------------------------------------------------ holding */

dpli_held *dpli_shelf_hold(dpli_shelf *shelf, int space)
{
    dpli_held *held;

    pthread_mutex_lock(&shelf->lock);
    held = shelf->index[space];
    if (held)
        held->n_holders++;
    pthread_mutex_unlock(&shelf->lock);
    return held;
}

dpli_held *dpli_shelf_blank(dpl_error *err)
{
    dpli_held *held = dpli_calloc(1, sizeof *held, err);

    if (held)
        held->n_holders = 1;
    return held;
}

void dpli_shelf_release(dpli_shelf *shelf, dpli_held *held)
{
    int n_left;

    if (!held)
        return;
    pthread_mutex_lock(&shelf->lock);
    n_left = --held->n_holders;
    pthread_mutex_unlock(&shelf->lock);
    if (n_left > 0)
        return;
    dpli_index_clear(&held->index);
    free(held);
}

dpli_held *dpli_shelf_claim(dpli_shelf *shelf, int space, dpli_held *held, dpl_error *err)
{
    dpli_held *copy;
    bool alone;

    pthread_mutex_lock(&shelf->lock);
    alone = held->n_holders == 1 + (shelf->index[space] == held);
    if (alone && shelf->index[space] == held) {
        shelf->index[space] = NULL;
        held->n_holders--;
    }
    pthread_mutex_unlock(&shelf->lock);
    if (alone)
        return held;
    copy = dpli_shelf_blank(err);
    if (copy && dpli_index_copy(&copy->index, &held->index, err) != DPL_OK) {
        free(copy);
        copy = NULL;
    }
    dpli_shelf_release(shelf, held);
    return copy;
}

void dpli_shelf_put(dpli_shelf *shelf, int space, dpli_held *held)
{
    dpli_held *old;

    pthread_mutex_lock(&shelf->lock);
    old = shelf->index[space];
    shelf->index[space] = held;
    if (held)
        held->n_holders++;
    pthread_mutex_unlock(&shelf->lock);
    dpli_shelf_release(shelf, old);
}

/* ------------------------------------------------------------------ making */

void dpli_shelf_begin_making(dpli_shelf *shelf)
{
    pthread_mutex_lock(&shelf->making);
}

void dpli_shelf_end_making(dpli_shelf *shelf)
{
    pthread_mutex_unlock(&shelf->making);
}
