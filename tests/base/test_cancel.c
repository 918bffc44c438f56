/*
 * test_cancel.c - the flag that stops a long call, raised by another thread than the one that asks.
 * Under ThreadSanitizer a race on it would be an error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/cancel.h"
#include "doppel/cancel.h"

static void no_flag_and_a_flag_not_raised_stop_nothing(void **state)
{
    (void)state;
    const volatile int flag = 0;

    assert_false(dpli_cancelled(NULL));
    assert_false(dpli_cancelled(&flag));
}

static void a_raised_flag_stays_raised(void **state)
{
    (void)state;
    volatile int flag = 0;

    dpl_cancel(&flag);
    assert_true(dpli_cancelled(&flag));
    dpl_cancel(&flag);
    assert_true(dpli_cancelled(&flag));
}

typedef struct shared {
    volatile int flag;
    int reason; /* written before the flag is raised */
} shared;

static void *raise_it(void *ctx)
{
    shared *s = ctx;

    s->reason = 7;
    dpl_cancel(&s->flag);
    return NULL;
}

static void who_stops_sees_what_was_written_before(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        shared s = {0};
        pthread_t other;

        assert_int_equal(pthread_create(&other, NULL, raise_it, &s), 0);
        while (!dpli_cancelled(&s.flag))
            ;
        assert_int_equal(s.reason, 7);
        assert_int_equal(pthread_join(other, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_flag_and_a_flag_not_raised_stop_nothing),
        cmocka_unit_test(a_raised_flag_stays_raised),
        cmocka_unit_test(who_stops_sees_what_was_written_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
