/*
 * budget.c - a bound on memory that threads share.
 *
 * Who waits for work holds its input only, and who works waits for nothing, so somebody always gets
 * on. What is held, kept and worked on is never more than the total and a quarter of it; what one
 * thread asks for beyond that when nobody works is its own limits' to refuse. What is kept for
 * later counts, but gives way; so does what malloc keeps of what was freed, in holes that the next
 * photo's blocks may not fit into: without that, many threads have half as much again.
 */
#include "base/budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

struct dpli_budget {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t freed;
    size_t total, held, worked_on, n_kept;
    dpli_kept *kept;
};

dpl_status dpli_budget_new(dpli_budget **out, size_t total, dpl_error *err)
{
    dpli_budget *b = dpli_calloc(1, sizeof *b, err);

    *out = b;
    if (!b)
        return DPL_E_MEMORY;
    b->total = total;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->freed, NULL);
    return DPL_OK;
}

/* Take it off the list, if it is there. */
static void take_off(dpli_budget *b, dpli_kept *kept)
{
    dpli_kept **at = &b->kept;

    while (*at && *at != kept)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = kept->next;
    b->n_kept -= kept->n;
    __atomic_store_n(&kept->budget, NULL, __ATOMIC_RELEASE);
}

void dpli_budget_free(dpli_budget *b)
{
    if (!b)
        return;
    while (b->kept)
        take_off(b, b->kept);
    pthread_cond_destroy(&b->freed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static bool fits(size_t used, size_t n, size_t total)
{
    return used == 0 || (n <= total && used <= total - n);
}

void dpli_budget_hold(dpli_budget *b, size_t n)
{
    pthread_mutex_lock(&b->lock);
    while (!fits(b->held, n, b->total / 4))
        pthread_cond_wait(&b->freed, &b->lock);
    b->held += n;
    pthread_mutex_unlock(&b->lock);
}

void dpli_budget_hold_more(dpli_budget *b, size_t n)
{
    pthread_mutex_lock(&b->lock);
    b->held += n;
    pthread_mutex_unlock(&b->lock);
}

void dpli_budget_release(dpli_budget *b, size_t n)
{
    pthread_mutex_lock(&b->lock);
    b->held -= n;
    pthread_cond_broadcast(&b->freed);
    pthread_mutex_unlock(&b->lock);
}

void dpli_budget_begin(dpli_budget *b, size_t n, dpli_kept *kept)
{
    size_t used;

    if (kept)
        dpli_budget_forget(kept);
    pthread_mutex_lock(&b->lock);
    while (!fits(b->worked_on + b->n_kept, n, b->total)) {
        dpli_kept *other = b->kept;

        if (other) {
            take_off(b, other);
            other->drop(other->what);
        } else {
            if (kept)
                kept->drop(kept->what);
            pthread_cond_wait(&b->freed, &b->lock);
        }
    }
    b->worked_on += n;
    used = b->worked_on + b->n_kept;
    pthread_mutex_unlock(&b->lock);
    dpli_mem_trim(used < b->total ? b->total - used : 0);
}

void dpli_budget_end(dpli_budget *b, size_t n, dpli_kept *kept, size_t n_kept)
{
    pthread_mutex_lock(&b->lock);
    b->worked_on -= n;
    if (kept) {
        __atomic_store_n(&kept->budget, b, __ATOMIC_RELEASE);
        kept->n = n_kept;
        kept->next = b->kept;
        b->kept = kept;
        b->n_kept += n_kept;
    }
    pthread_cond_broadcast(&b->freed);
    pthread_mutex_unlock(&b->lock);
}

void dpli_budget_forget(dpli_kept *kept)
{
    dpli_budget *b = __atomic_load_n(&kept->budget, __ATOMIC_ACQUIRE);

    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    take_off(b, kept);
    pthread_mutex_unlock(&b->lock);
}
