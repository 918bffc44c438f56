/*
 * team.c - threads that stay together for a run of many short pieces of work.
 *
 * A training step is some hundred loops, each over in a millisecond or less: starting threads for
 * each (base/pool.c) would cost as much as the loop. The work is cut into as many parts as there
 * are threads, and whoever comes first takes the next: on a busy machine a thread that has no core
 * is not waited for, as the caller does its part. The others wait for the next work a moment awake
 * and then asleep.
 */
#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"

/* Some tens of microseconds: as long as it takes to put a thread to sleep and wake it again. */
#define SPINS 4000

typedef struct member {
    dpli_team *team;
    pthread_t thread;
} member;

struct dpli_team {
    int size;
    member *members; /* [size]; the first is the caller */
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    atomic_int untaken; /* parts of the work below that nobody has taken yet */
    atomic_int left;    /* parts that are not finished */
    /* Who sleeps, and has to be woken: members, and the caller. Whoever goes to sleep says so
     * first and then looks again; whoever has news gives it first and then looks who sleeps. */
    atomic_int n_asleep;
    atomic_bool waits, stop;
    size_t n;
    void (*fn)(void *ctx, int worker, size_t from, size_t to);
    void *ctx;
};

/* The i-th moment of waiting awake. Now and then it lets others run: on a busy machine who is
 * waited for may have no other core. */
static void relax(int i)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    if (i % 1024 == 1023)
        sched_yield();
}

static void work(const dpli_team *team, int part)
{
    size_t w = (size_t)part, size = (size_t)team->size;
    size_t each = team->n / size, more = team->n % size;
    size_t from = w * each + (w < more ? w : more), to = from + each + (w < more ? 1 : 0);

    if (from < to)
        team->fn(team->ctx, part, from, to);
}

/* Take a part, -1 when none is left. A run is over when its last part is finished, so who has one
 * may read the rest of the team. */
static int take(dpli_team *team)
{
    int n = atomic_load(&team->untaken);

    while (n > 0)
        if (atomic_compare_exchange_weak(&team->untaken, &n, n - 1))
            return team->size - n;
    return -1;
}

static void work_along(dpli_team *team)
{
    for (int part = take(team); part >= 0; part = take(team)) {
        work(team, part);
        if (atomic_fetch_sub(&team->left, 1) == 1 && atomic_load(&team->waits)) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->end);
            pthread_mutex_unlock(&team->lock);
        }
    }
}

static bool is_wanted(dpli_team *team)
{
    return atomic_load(&team->untaken) > 0 || atomic_load(&team->stop);
}

static void *live(void *arg)
{
    member *m = arg;
    dpli_team *team = m->team;

    for (;;) {
        for (int i = 0; i < SPINS && !is_wanted(team); i++)
            relax(i);
        if (!is_wanted(team)) {
            pthread_mutex_lock(&team->lock);
            atomic_fetch_add(&team->n_asleep, 1);
            while (!is_wanted(team))
                pthread_cond_wait(&team->begin, &team->lock);
            atomic_fetch_sub(&team->n_asleep, 1);
            pthread_mutex_unlock(&team->lock);
        }
        if (atomic_load(&team->stop))
            return NULL;
        work_along(team);
    }
}

static void wake(dpli_team *team)
{
    if (atomic_load(&team->n_asleep) == 0)
        return;
    pthread_mutex_lock(&team->lock);
    pthread_cond_broadcast(&team->begin);
    pthread_mutex_unlock(&team->lock);
}

dpl_status dpli_team_new(dpli_team **out, int n_threads, dpl_error *err)
{
    int n = n_threads > 0 ? n_threads : dpli_n_cores(), n_made;
    dpli_team *team = dpli_calloc(1, sizeof *team, err);

    *out = NULL;
    n = n > DPLI_MAX_TEAM ? DPLI_MAX_TEAM : n;
    if (!team)
        return DPL_E_MEMORY;
    team->members = dpli_calloc((size_t)n, sizeof *team->members, err);
    if (!team->members) {
        free(team);
        return DPL_E_MEMORY;
    }
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begin, NULL);
    pthread_cond_init(&team->end, NULL);
    /* A thread that cannot be had is done without, and size says so. */
    for (n_made = 1; n_made < n; n_made++) {
        member *m = &team->members[n_made];

        m->team = team;
        if (pthread_create(&m->thread, NULL, live, m) != 0)
            break;
    }
    team->size = n_made;
    *out = team;
    return DPL_OK;
}

void dpli_team_free(dpli_team *team)
{
    if (!team)
        return;
    atomic_store(&team->stop, true);
    wake(team);
    for (int i = 1; i < team->size; i++)
        pthread_join(team->members[i].thread, NULL);
    pthread_mutex_destroy(&team->lock);
    pthread_cond_destroy(&team->begin);
    pthread_cond_destroy(&team->end);
    free(team->members);
    free(team);
}

int dpli_team_size(const dpli_team *team)
{
    return team->size;
}

void dpli_team_run(dpli_team *team, size_t n,
                   void (*fn)(void *ctx, int worker, size_t from, size_t to), void *ctx)
{
    team->n = n;
    team->fn = fn;
    team->ctx = ctx;
    if (team->size == 1 || n <= 1) {
        work(team, 0);
        return;
    }
    atomic_store(&team->left, team->size);
    atomic_store(&team->untaken, team->size);
    wake(team);
    work_along(team);
    for (int i = 0; i < SPINS && atomic_load(&team->left) > 0; i++)
        relax(i);
    if (atomic_load(&team->left) == 0)
        return;
    pthread_mutex_lock(&team->lock);
    atomic_store(&team->waits, true);
    while (atomic_load(&team->left) > 0)
        pthread_cond_wait(&team->end, &team->lock);
    atomic_store(&team->waits, false);
    pthread_mutex_unlock(&team->lock);
}
