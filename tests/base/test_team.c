/*
 * test_team.c - a team of threads: every item once, always the same cut, many pieces in a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/team.h"

#define N 1000

typedef struct tally {
    int worker[N], times[N];
} tally;

static void count(void *ctx, int worker, size_t from, size_t to)
{
    tally *t = ctx;

    for (size_t i = from; i < to; i++) {
        t->worker[i] = worker;
        t->times[i]++;
    }
}

static void every_item_comes_once_whatever_the_sizes(void **state)
{
    static tally t;

    (void)state;
    for (int size = 1; size <= 7; size++) {
        dpli_team *team;

        assert_int_equal(dpli_team_new(&team, size, NULL), DPL_OK);
        assert_int_equal(dpli_team_size(team), size);
        for (size_t n = 0; n <= 17; n++) {
            memset(&t, 0, sizeof t);
            dpli_team_run(team, n, count, &t);
            for (size_t i = 0; i < N; i++)
                assert_int_equal(t.times[i], i < n);
            for (size_t i = 1; i < n; i++)
                assert_true(t.worker[i] >= t.worker[i - 1]);
        }
        dpli_team_free(team);
    }
}

static void the_cut_depends_on_the_sizes_only(void **state)
{
    static tally first, again;
    dpli_team *team;

    (void)state;
    assert_int_equal(dpli_team_new(&team, 3, NULL), DPL_OK);
    dpli_team_run(team, N, count, &first);
    assert_int_equal(first.worker[0], 0);
    assert_int_equal(first.worker[333], 0); /* 1000 is 334 + 333 + 333 */
    assert_int_equal(first.worker[334], 1);
    assert_int_equal(first.worker[667], 2);
    for (int k = 0; k < 2000; k++) {
        dpli_team_run(team, N, count, &again);
        assert_memory_equal(first.worker, again.worker, sizeof first.worker);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(again.times[i], 2000);
    dpli_team_free(team);
}

static void a_team_of_none_is_freed_and_too_large_a_one_is_cut(void **state)
{
    dpli_team *team;

    (void)state;
    dpli_team_free(NULL);
    assert_int_equal(dpli_team_new(&team, DPLI_MAX_TEAM + 5, NULL), DPL_OK);
    assert_true(dpli_team_size(team) <= DPLI_MAX_TEAM);
    dpli_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_comes_once_whatever_the_sizes),
        cmocka_unit_test(the_cut_depends_on_the_sizes_only),
        cmocka_unit_test(a_team_of_none_is_freed_and_too_large_a_one_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
