/*
 * test_budget.c - threads that share memory never have more of it than there is, and all get on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/pool.h"

enum { TOTAL = 1000, N_ITEMS = 400, N_THREADS = 8 };

typedef struct keeper {
    dpli_kept kept;
    atomic_size_t n; /* that are kept */
    atomic_bool in_use;
} keeper;

typedef struct job {
    dpli_budget *budget;
    keeper keepers[N_THREADS];
    atomic_size_t held, worked_on, most;
    atomic_bool dropped_in_use;
} job;

static job *the_job;

static void note(job *j)
{
    size_t now = atomic_load(&j->held) + atomic_load(&j->worked_on);
    size_t most = atomic_load(&j->most);

    for (int i = 0; i < N_THREADS; i++)
        now += atomic_load(&j->keepers[i].n);
    while (now > most && !atomic_compare_exchange_weak(&j->most, &most, now)) {}
}

static void drop(void *what)
{
    keeper *k = what;

    if (the_job && atomic_load(&k->in_use))
        atomic_store(&the_job->dropped_in_use, true);
    atomic_store(&k->n, 0);
}

static dpl_status use(void *ctx, int worker, size_t item, dpl_error *err)
{
    job *j = ctx;
    keeper *k = &j->keepers[worker];
    /* Work takes at least what is kept of the one before, which is part of it. */
    const size_t n_kept = 100, work = n_kept + item * 91 % (TOTAL - n_kept);
    const size_t input = 1 + item * 37 % 240;

    (void)err;
    dpli_budget_hold(j->budget, input);
    atomic_fetch_add(&j->held, input);
    note(j);
    dpli_budget_begin(j->budget, work, &k->kept);
    atomic_store(&k->in_use, true);
    atomic_store(&k->n, 0); /* it is part of the work now */
    atomic_fetch_add(&j->worked_on, work);
    note(j);
    usleep(50);
    atomic_fetch_sub(&j->worked_on, work);
    atomic_store(&k->n, n_kept);
    atomic_store(&k->in_use, false);
    dpli_budget_end(j->budget, work, &k->kept, n_kept);
    atomic_fetch_sub(&j->held, input);
    dpli_budget_release(j->budget, input);
    return DPL_OK;
}

static void threads_together_have_no_more_than_there_is(void **state)
{
    job j = {0};

    (void)state;
    the_job = &j;
    assert_int_equal(dpli_budget_new(&j.budget, TOTAL, NULL), DPL_OK);
    for (int i = 0; i < N_THREADS; i++)
        j.keepers[i].kept = (dpli_kept){.drop = drop, .what = &j.keepers[i]};
    assert_int_equal(dpli_pool_run(N_THREADS, N_ITEMS, use, &j, NULL), DPL_OK);
    assert_false(atomic_load(&j.dropped_in_use));
    assert_true(atomic_load(&j.most) <= TOTAL + TOTAL / 4);
    assert_true(atomic_load(&j.most) > TOTAL / 2);
    dpli_budget_free(j.budget);
    for (int i = 0; i < N_THREADS; i++)
        assert_null(j.keepers[i].kept.budget);
    the_job = NULL;
}

static void one_alone_gets_what_it_asks_for_and_what_others_keep(void **state)
{
    keeper one = {.kept = {.drop = drop, .what = &one}};
    keeper two = {.kept = {.drop = drop, .what = &two}};
    dpli_budget *b;

    (void)state;
    assert_int_equal(dpli_budget_new(&b, TOTAL, NULL), DPL_OK);
    dpli_budget_hold(b, 3 * TOTAL);
    dpli_budget_begin(b, 2 * TOTAL, &one.kept);
    atomic_store(&one.n, 10);
    dpli_budget_end(b, 2 * TOTAL, &one.kept, 10);
    /* There is enough for both. */
    dpli_budget_begin(b, TOTAL - 10, &two.kept);
    assert_int_equal(atomic_load(&one.n), 10);
    dpli_budget_end(b, TOTAL - 10, &two.kept, 0);
    dpli_budget_begin(b, TOTAL - 9, &two.kept);
    assert_int_equal(atomic_load(&one.n), 0);
    dpli_budget_end(b, TOTAL - 9, &two.kept, 0);
    dpli_budget_forget(&two.kept);
    dpli_budget_forget(&two.kept);
    dpli_budget_release(b, 3 * TOTAL);
    dpli_budget_free(b);
}

/* Where it is asked, and sanitizers keep nothing by themselves. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)

/* Pages of this process that are in memory. */
static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void what_malloc_keeps_gives_way(void **state)
{
    enum { N_BLOCKS = 16, MIB = 1 << 20 };
    void *blocks[N_BLOCKS], *between[N_BLOCKS];
    dpli_budget *b;
    long before;

    mallopt(M_MMAP_THRESHOLD, 64 * MIB); /* as the program does */
    mallopt(M_TRIM_THRESHOLD, 64 * MIB);
    assert_int_equal(dpli_budget_new(&b, 64 * MIB, NULL), DPL_OK);
    for (int i = 0; i < N_BLOCKS; i++) {
        blocks[i] = malloc(MIB);
        between[i] = malloc(64);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, MIB);
    }
    for (int i = 0; i < N_BLOCKS; i++)
        free(blocks[i]);
    before = resident_kib();
    /* There is room for both. */
    dpli_budget_begin(b, 32 * MIB, NULL);
    assert_true(resident_kib() > before - 1024);
    dpli_budget_end(b, 32 * MIB, NULL, 0);
    dpli_budget_begin(b, 60 * MIB, NULL);
    assert_true(resident_kib() < before - 12 * 1024);
    dpli_budget_end(b, 60 * MIB, NULL, 0);
    for (int i = 0; i < N_BLOCKS; i++)
        free(between[i]);
    dpli_budget_free(b);
    (void)state;
}

#else

static void what_malloc_keeps_gives_way(void **state)
{
    (void)state;
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_together_have_no_more_than_there_is),
        cmocka_unit_test(one_alone_gets_what_it_asks_for_and_what_others_keep),
        cmocka_unit_test(what_malloc_keeps_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
