/* What tests do less of under sanitizers and under valgrind, where everything takes several times as
 * long. Those look for faults of the code, which each path shows as well once as a hundred times; how
 * often something goes right, what a killed process leaves behind and what a rate comes to is asked by
 * the builds without. */
#ifndef DOPPEL_TESTS_SLOWED_H
#define DOPPEL_TESTS_SLOWED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(DPL_UNDER_VALGRIND)
enum { IS_SLOWED = 1 };
#else
enum { IS_SLOWED = 0 };
#endif

#if defined(DPL_UNDER_VALGRIND)
enum { IS_UNDER_VALGRIND = 1 };
#else
enum { IS_UNDER_VALGRIND = 0 };
#endif

/* The first number, or the second where it is slow. */
#define UNLESS_SLOWED(usual, slowed) (IS_SLOWED ? (slowed) : (usual))

static inline void left_out_where_slow(void **state)
{
    (void)state;
    skip();
}

/* Of cmocka: a test that is left out where it is slow. */
#define unit_test_unless_slowed(test)                                                              \
    {                                                                                              \
        #test, IS_SLOWED ? left_out_where_slow : test, NULL, NULL, NULL                            \
    }
#define unit_test_setup_teardown_unless_slowed(test, setup, teardown)                              \
    {                                                                                              \
        #test, IS_SLOWED ? left_out_where_slow : test, setup, teardown, NULL                       \
    }

#endif
