/*
 * test_arena.c - what is alive at the same time never shares memory, and what is not does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "net/arena.h"

static void living_stretches_never_overlap(void **state)
{
    enum { N = 120, ROUNDS = 50 };

    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        dpli_stretch s[N];
        size_t total, sum = 0;
        dpli_rng rng;

        dpli_rng_seed(&rng, seed);
        for (int i = 0; i < N; i++) {
            const int32_t first = (int32_t)dpli_rng_below(&rng, 40);

            s[i] = (dpli_stretch){.n_bytes = (size_t)dpli_rng_below(&rng, 1000),
                                  .first = first,
                                  .last = first + (int32_t)dpli_rng_below(&rng, 9) - 1,
                                  .offset = SIZE_MAX};
            sum += (s[i].n_bytes + 63) / 64 * 64;
        }
        assert_int_equal(dpli_arena_place(s, N, &total, NULL), DPL_OK);
        assert_true(total < sum && total % 64 == 0);
        for (int i = 0; i < N; i++) {
            if (s[i].first > s[i].last) {
                assert_true(s[i].offset == SIZE_MAX);
                continue;
            }
            assert_true(s[i].offset % 64 == 0 && s[i].offset + s[i].n_bytes <= total);
            for (int j = 0; j < i; j++) {
                if (s[j].first > s[j].last || s[j].first > s[i].last || s[i].first > s[j].last)
                    continue;
                if (s[i].offset < s[j].offset + s[j].n_bytes &&
                    s[j].offset < s[i].offset + s[i].n_bytes)
                    fail_msg("seed %d: %d and %d overlap", (int)seed, i, j);
            }
        }
    }
}

static void what_is_over_makes_room(void **state)
{
    /* The third fits where the first has been, and the fourth into the gap beside it. */
    dpli_stretch s[] = {{.n_bytes = 640, .first = 0, .last = 1},
                        {.n_bytes = 128, .first = 1, .last = 3},
                        {.n_bytes = 512, .first = 2, .last = 4},
                        {.n_bytes = 100, .first = 3, .last = 3}};
    size_t total;

    (void)state;
    assert_int_equal(dpli_arena_place(s, 4, &total, NULL), DPL_OK);
    assert_int_equal(s[0].offset, 0);
    assert_int_equal(s[2].offset, 0);
    assert_int_equal(s[1].offset, 640);
    assert_int_equal(s[3].offset, 512);
    assert_int_equal(total, 768);
}

static void sizes_that_cannot_be_added_are_told(void **state)
{
    dpli_stretch one[] = {{.n_bytes = SIZE_MAX, .first = 0, .last = 0}};
    dpli_stretch two[] = {{.n_bytes = SIZE_MAX / 2 + 1, .first = 0, .last = 1},
                          {.n_bytes = SIZE_MAX / 2 + 1, .first = 1, .last = 1}};
    size_t total;

    (void)state;
    assert_int_equal(dpli_arena_place(one, 1, &total, NULL), DPL_OK);
    assert_true(total == SIZE_MAX);
    assert_int_equal(dpli_arena_place(two, 2, &total, NULL), DPL_OK);
    assert_true(total == SIZE_MAX);
    assert_int_equal(dpli_arena_place(one, 0, &total, NULL), DPL_OK);
    assert_int_equal(total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(living_stretches_never_overlap),
        cmocka_unit_test(what_is_over_makes_room),
        cmocka_unit_test(sizes_that_cannot_be_added_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
