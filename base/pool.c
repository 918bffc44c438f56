/*
 * pool.c - how many cores there are for us, and work handed out to that many threads.
 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"

/* Two numbers from the file dir/name: "max" and -1 mean no quota and are no numbers here. */
static int read_numbers(const char *dir, const char *name, double *first, double *second)
{
    char path[512], text[64];
    FILE *file;
    size_t n;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return 0;
    file = fopen(path, "re");
    if (!file)
        return 0;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    return sscanf(text, "%lf %lf", first, second);
}

/* The least whole number of cores that a cgroup folder or one above it grants; 0 when none does. */
static int least_up(const char *root, const char *below)
{
    char dir[512];
    size_t n_root = strlen(root);
    int least = 0;

    if ((size_t)snprintf(dir, sizeof dir, "%s%s", root, below) >= sizeof dir)
        return 0;
    for (;;) {
        double quota = 0, period = 0, unused;
        char *slash;

        if (read_numbers(dir, "cpu.max", &quota, &period) == 2 ||
            (read_numbers(dir, "cpu.cfs_quota_us", &quota, &unused) == 1 &&
             read_numbers(dir, "cpu.cfs_period_us", &period, &unused) == 1)) {
            if (quota > 0 && period > 0 && quota / period < 1e6) {
                int cores = (int)(quota / period);

                if ((double)cores * period < quota)
                    cores++;
                if (!least || cores < least)
                    least = cores;
            }
        }
        if (strlen(dir) <= n_root)
            return least;
        slash = strrchr(dir, '/');
        if (!slash || (size_t)(slash - dir) < n_root)
            return least;
        *slash = '\0';
    }
}

int dpli_cgroup_cores(const char *self_cgroup, const char *root)
{
    FILE *file = fopen(self_cgroup, "re");
    char line[512];
    int least = 0;

    if (!file)
        return 0;
    /* Lines are "id:controllers:path"; version 2 has no controllers. Where it is mounted differs.
     */
    while (fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        const char *mounts[3] = {"", "/unified", NULL};

        if (!path)
            continue;
        *controllers++ = '\0';
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (*controllers) {
            if (strcmp(controllers, "cpu") != 0 && strncmp(controllers, "cpu,", 4) != 0 &&
                !strstr(controllers, ",cpu,") &&
                (strlen(controllers) < 4 ||
                 strcmp(controllers + strlen(controllers) - 4, ",cpu") != 0))
                continue;
            mounts[0] = "/cpu";
            mounts[1] = "/cpu,cpuacct";
        }
        for (int i = 0; mounts[i]; i++) {
            char mount[256];
            int cores;

            if ((size_t)snprintf(mount, sizeof mount, "%s%s", root, mounts[i]) >= sizeof mount)
                continue;
            cores = least_up(mount, path);
            if (cores && (!least || cores < least))
                least = cores;
        }
    }
    fclose(file);
    return least;
}

/* Read once: a group's limit takes a dozen files to find, more than a search among 100,000. */
static int quota_of_group(void)
{
    /* Threads that race here store the same value. */
    static _Atomic int quota = -1;
    int known = quota;

    if (known < 0)
        quota = known = dpli_cgroup_cores("/proc/self/cgroup", "/sys/fs/cgroup");
    return known;
}

int dpli_n_cores(void)
{
    const int quota = quota_of_group();
    int n = 1;

    /* The kernel's own set may be larger than cpu_set_t: then the call fails with EINVAL. */
    for (int room = CPU_SETSIZE; room <= 1 << 18; room *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)room);
        size_t n_bytes = CPU_ALLOC_SIZE((size_t)room);
        bool ok;

        if (!set)
            break;
        ok = sched_getaffinity(0, n_bytes, set) == 0;
        if (ok)
            n = CPU_COUNT_S(n_bytes, set);
        CPU_FREE(set);
        if (ok)
            break;
    }
    if (quota && quota < n)
        n = quota;
    return n > 0 ? n : 1;
}

struct pool {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved; /* an item is done, or told */
    size_t next, n;
    size_t told, n_held; /* n_held 0: nothing is told */
    bool *done;          /* [n_held] item i in place i % n_held */
    size_t failed_item;
    dpl_status status;
    dpl_error *err;

    dpl_status (*fn)(void *ctx, int worker, size_t item, dpl_error *err);
    void (*tell)(void *ctx, size_t item);
    void *ctx;
};

struct worker {
    struct pool *pool;
    int number;
    pthread_t thread;
};

static bool has_more(const struct pool *pool)
{
    return pool->status == DPL_OK && pool->next < pool->n;
}

static bool has_room(const struct pool *pool)
{
    return pool->n_held == 0 || pool->next - pool->told < pool->n_held;
}

/* The next item, by a worker that holds the lock. */
static void do_next(struct pool *pool, int worker)
{
    const size_t item = pool->next++;
    dpl_error err = {DPL_OK, ""};
    dpl_status status;

    pthread_mutex_unlock(&pool->lock);
    status = pool->fn(pool->ctx, worker, item, &err);
    pthread_mutex_lock(&pool->lock);
    if (status && (pool->status == DPL_OK || item < pool->failed_item)) {
        pool->status = status;
        pool->failed_item = item;
        if (pool->err)
            *pool->err = err;
    }
    if (pool->n_held > 0) {
        pool->done[item % pool->n_held] = true;
        pthread_cond_broadcast(&pool->moved);
    }
}

static void *work(void *arg)
{
    const struct worker *worker = arg;
    struct pool *pool = worker->pool;

    pthread_mutex_lock(&pool->lock);
    while (has_more(pool)) {
        if (has_room(pool))
            do_next(pool, worker->number);
        else
            pthread_cond_wait(&pool->moved, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The caller's part where items are told: that first, as others wait for it. */
static void work_and_tell(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->told < (pool->status == DPL_OK ? pool->n : pool->failed_item)) {
        bool *done = &pool->done[pool->told % pool->n_held];

        if (*done) {
            *done = false;
            pthread_mutex_unlock(&pool->lock);
            pool->tell(pool->ctx, pool->told);
            pthread_mutex_lock(&pool->lock);
            pool->told++;
            pthread_cond_broadcast(&pool->moved);
        } else if (has_more(pool) && has_room(pool)) {
            do_next(pool, 0);
        } else {
            pthread_cond_wait(&pool->moved, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

static dpl_status run(struct pool *pool, int n_threads, dpl_error *err)
{
    const size_t n = pool->n;
    struct worker *workers;
    int started = 1;

    if (n_threads <= 0)
        n_threads = dpli_n_cores();
    if ((size_t)n_threads > n)
        n_threads = n > 0 ? (int)n : 1;
    workers = dpli_alloc((size_t)n_threads, sizeof *workers, err);
    if (!workers)
        return DPL_E_MEMORY;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->moved, NULL);
    for (int i = 0; i < n_threads; i++) {
        workers[i].pool = pool;
        workers[i].number = i;
    }
    /* The caller is worker 0. Fewer threads than asked for are slower, not wrong. */
    while (started < n_threads &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    if (pool->tell)
        work_and_tell(pool);
    else
        work(&workers[0]);
    for (int i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_cond_destroy(&pool->moved);
    pthread_mutex_destroy(&pool->lock);
    free(workers);
    return pool->status;
}

dpl_status dpli_pool_run(int n_threads, size_t n,
                         dpl_status (*fn)(void *ctx, int worker, size_t item, dpl_error *err),
                         void *ctx, dpl_error *err)
{
    struct pool pool = {.n = n, .err = err, .fn = fn, .ctx = ctx};

    return run(&pool, n_threads, err);
}

dpl_status dpli_pool_run_in_order(int n_threads, size_t n, size_t n_held,
                                  dpl_status (*fn)(void *ctx, int worker, size_t item,
                                                   dpl_error *err),
                                  void (*tell)(void *ctx, size_t item), void *ctx, dpl_error *err)
{
    struct pool pool = {.n = n, .n_held = n_held, .err = err, .fn = fn, .tell = tell, .ctx = ctx};
    dpl_status status;

    pool.done = dpli_calloc(n_held, sizeof *pool.done, err);
    if (!pool.done)
        return DPL_E_MEMORY;
    status = run(&pool, n_threads, err);
    free(pool.done);
    return status;
}
