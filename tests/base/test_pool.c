/*
 * test_pool.c - every item is done once, the first failure by number wins, quotas count as cores.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/pool.h"

enum { N = 1000 };

struct job {
    atomic_int done[N];
    atomic_int workers_seen[8];
    pthread_barrier_t *together;
    size_t fail_from;
};

static dpl_status count(void *ctx, int worker, size_t item, dpl_error *err)
{
    struct job *job = ctx;

    atomic_fetch_add(&job->done[item], 1);
    atomic_fetch_add(&job->workers_seen[worker], 1);
    if (job->together && item < 4)
        pthread_barrier_wait(job->together);
    /* The first one to fail is not the first one to say so. */
    if (item == job->fail_from)
        usleep(2000);
    if (item >= job->fail_from)
        return dpli_fail(err, DPL_E_INPUT, "item %zu", item);
    return DPL_OK;
}

static void each_item_is_done_once(void **state)
{
    (void)state;
    for (int n_threads = 0; n_threads < 8; n_threads++) {
        struct job job = {.fail_from = N};

        assert_int_equal(dpli_pool_run(n_threads, N, count, &job, NULL), DPL_OK);
        for (int i = 0; i < N; i++)
            assert_int_equal(atomic_load(&job.done[i]), 1);
        for (int i = n_threads ? n_threads : 8; i < 8; i++)
            assert_int_equal(atomic_load(&job.workers_seen[i]), 0);
    }
    assert_int_equal(dpli_pool_run(3, 0, count, NULL, NULL), DPL_OK);
}

static void threads_work_at_the_same_time(void **state)
{
    pthread_barrier_t together;
    struct job job = {.fail_from = N, .together = &together};

    (void)state;
    /* The first four items wait for each other. */
    pthread_barrier_init(&together, NULL, 4);
    assert_int_equal(dpli_pool_run(4, N, count, &job, NULL), DPL_OK);
    pthread_barrier_destroy(&together);
}

static void first_failing_item_is_reported_and_the_rest_left(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct job job = {.fail_from = 40};
        dpl_error err = {DPL_OK, ""};
        int n = 0;

        assert_int_equal(dpli_pool_run(4, N, count, &job, &err), DPL_E_INPUT);
        assert_string_equal(err.message, "item 40");
        for (int i = 0; i < N; i++)
            n += atomic_load(&job.done[i]);
        assert_in_range(n, 41, 44);
        assert_int_equal(dpli_pool_run(4, N, count, &job, NULL), DPL_E_INPUT);
    }
}

/* What was told, in a job whose items are held in n_held places. */
struct telling {
    struct job job;
    size_t n_held, n_told;
    atomic_size_t places[N]; /* the item that is in each, + 1 */
    pthread_t caller;
    bool slow;
};

static dpl_status hold(void *ctx, int worker, size_t item, dpl_error *err)
{
    struct telling *t = ctx;

    assert_int_equal(atomic_exchange(&t->places[item % t->n_held], item + 1), 0);
    if (t->slow && item % 5 == 0)
        usleep(200);
    return count(&t->job, worker, item, err);
}

static void tell(void *ctx, size_t item)
{
    struct telling *t = ctx;

    assert_true(pthread_equal(pthread_self(), t->caller));
    assert_int_equal(item, t->n_told++);
    assert_int_equal(atomic_load(&t->job.done[item]), 1);
    if (t->slow && item % 7 == 0)
        usleep(200);
    assert_int_equal(atomic_exchange(&t->places[item % t->n_held], 0), item + 1);
}

static void items_are_told_in_order_and_few_are_held(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads < 8; n_threads++)
        for (size_t n_held = 1; n_held < 40; n_held += 6) {
            struct telling t = {.job = {.fail_from = N},
                                .n_held = n_held,
                                .caller = pthread_self(),
                                .slow = n_threads == 4};

            assert_int_equal(dpli_pool_run_in_order(n_threads, N, n_held, hold, tell, &t, NULL),
                             DPL_OK);
            assert_int_equal(t.n_told, N);
            for (int i = n_threads; i < 8; i++)
                assert_int_equal(atomic_load(&t.job.workers_seen[i]), 0);
        }
    assert_int_equal(dpli_pool_run_in_order(3, 0, 4, hold, tell, NULL, NULL), DPL_OK);
}

static void items_before_the_first_that_failed_are_told(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct telling t = {.job = {.fail_from = 40}, .n_held = 16, .caller = pthread_self()};
        dpl_error err = {DPL_OK, ""};

        assert_int_equal(dpli_pool_run_in_order(4, N, 16, hold, tell, &t, &err), DPL_E_INPUT);
        assert_string_equal(err.message, "item 40");
        assert_int_equal(t.n_told, 40);
    }
}

static void cores_follow_the_affinity_mask(void **state)
{
    cpu_set_t all, one;
    int cpu = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_in_range(dpli_n_cores(), 1, CPU_COUNT(&all));
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(dpli_n_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void put(const char *path, const char *text)
{
    char folder[256];
    FILE *file;

    strcpy(folder, path);
    for (char *slash = strchr(folder, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0700);
        *slash = '/';
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void quotas_of_both_cgroup_versions_are_rounded_up_to_cores(void **state)
{
    (void)state;
    assert_int_equal(system("rm -rf v1 v2"), 0);
    assert_int_equal(dpli_cgroup_cores("absent", "absent"), 0);

    put("v2/self", "0::/a/b\n");
    put("v2/fs/a/b/cpu.max", "max 100000\n");
    assert_int_equal(dpli_cgroup_cores("v2/self", "v2/fs"), 0);
    put("v2/fs/a/b/cpu.max", "350000 100000\n");
    assert_int_equal(dpli_cgroup_cores("v2/self", "v2/fs"), 4);
    put("v2/fs/a/b/cpu.max", "50000 100000\n");
    assert_int_equal(dpli_cgroup_cores("v2/self", "v2/fs"), 1);
    /* The tightest on the way up counts, also when our own folder is out of sight. */
    put("v2/fs/a/b/cpu.max", "800000 100000\n");
    put("v2/fs/a/cpu.max", "200000 100000\n");
    assert_int_equal(dpli_cgroup_cores("v2/self", "v2/fs"), 2);
    put("v2/hidden", "0::/not/there\n");
    put("v2/fs/cpu.max", "300000 100000\n");
    assert_int_equal(dpli_cgroup_cores("v2/hidden", "v2/fs"), 3);

    put("v1/self", "5:memory:/x\n4:cpu,cpuacct:/x\n");
    put("v1/fs/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
    put("v1/fs/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(dpli_cgroup_cores("v1/self", "v1/fs"), 0);
    put("v1/fs/cpu,cpuacct/x/cpu.cfs_quota_us", "250000\n");
    assert_int_equal(dpli_cgroup_cores("v1/self", "v1/fs"), 3);
    put("v1/alone", "4:cpu:/x\n");
    put("v1/fs/cpu/x/cpu.cfs_quota_us", "200000\n");
    put("v1/fs/cpu/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(dpli_cgroup_cores("v1/alone", "v1/fs"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_is_done_once),
        cmocka_unit_test(threads_work_at_the_same_time),
        cmocka_unit_test(first_failing_item_is_reported_and_the_rest_left),
        cmocka_unit_test(items_are_told_in_order_and_few_are_held),
        cmocka_unit_test(items_before_the_first_that_failed_are_told),
        cmocka_unit_test(cores_follow_the_affinity_mask),
        cmocka_unit_test(quotas_of_both_cgroup_versions_are_rounded_up_to_cores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
