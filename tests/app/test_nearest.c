/*
 * test_nearest.c - names like one that was typed: what people mean is near, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "app/nearest.h"
#include "app/text.h"

static void case_accents_and_punctuation_are_no_difference(void **state)
{
    (void)state;
    assert_true(nearest_distance("BARACK obama", "Barack Obama") <= 0);
    assert_true(nearest_distance("marie-curie_", "Marie Curie") <= 0);
    assert_true(nearest_distance("Zoe Muller", "Zo\xc3\xab M\xc3\xbcller") <= 0);
    assert_true(nearest_distance("\xc5\x81ukasz", "lukasz") <= 0);
    /* The accent as a letter of its own, and letters of other scripts. */
    assert_true(nearest_distance("Rene\xcc\x81", "Ren\xc3\xa9") <= 0);
    assert_true(nearest_distance("\xd0\xa1\xd0\xa3\xd0\x9d", "\xd1\x81\xd1\x83\xd0\xbd") <= 0);
}

static void an_edit_a_letter_counts_and_two_swapped_are_one(void **state)
{
    (void)state;
    assert_true(fabs(nearest_distance("Obma", "Obama") - 1) < 1e-9);
    assert_true(fabs(nearest_distance("Mraie", "Marie") - 1) < 1e-9);
    assert_true(fabs(nearest_distance("Ann", "Anna") - 0.5) < 1e-9); /* is in it */
}

static void a_part_of_a_name_is_near(void **state)
{
    (void)state;
    assert_true(nearest_distance("obama", "Barack Obama") < 1);
    assert_true(nearest_distance("Obamma", "Barack Obama") <= 2);
    assert_true(nearest_distance("Dr. Marie Curie", "Marie Curie") < 1);
}

static void another_name_is_not_near(void **state)
{
    (void)state;
    assert_true(isinf(nearest_distance("Nobody", "Barack Obama")));
    assert_true(isinf(nearest_distance("Tim", "Ann")));
    assert_true(isinf(nearest_distance("", "Ann")));
    assert_true(isinf(nearest_distance("Ann", "")));
    assert_true(isinf(nearest_distance("\xff\xfe", "Ann")));
}

static void the_nearest_three_come_best_first(void **state)
{
    static const char *const names[] = {"Annabel", "Anne", "Hannah", "Bob", "Joanna", "anna"};
    nearest n = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        nearest_see(&n, "Anna", names[i]);
    assert_int_equal(n.n, NEAREST_MAX);
    assert_string_equal(n.names[0], "anna");
    assert_string_equal(n.names[1], "Annabel");
    assert_string_equal(n.names[2], "Hannah");
    nearest_clear(&n);
}

static void a_name_of_any_length_is_looked_at(void **state)
{
    char longer[4000];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof longer; i++)
        longer[i] = (char)('a' + i % 26);
    longer[sizeof longer - 1] = '\0';
    assert_true(nearest_distance(longer, longer) <= 0);
    assert_true(isinf(nearest_distance(longer, "Ann")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_accents_and_punctuation_are_no_difference),
        cmocka_unit_test(an_edit_a_letter_counts_and_two_swapped_are_one),
        cmocka_unit_test(a_part_of_a_name_is_near),
        cmocka_unit_test(another_name_is_not_near),
        cmocka_unit_test(the_nearest_three_come_best_first),
        cmocka_unit_test(a_name_of_any_length_is_looked_at),
    };

    text_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
