/*
 * test_agreement.c - correlations, squared error, AUC and EER beside what scipy 1.17.1 and
 * scikit-learn 1.9.1 give for the same numbers; ranks of right answers beside their definition.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "doppel/eval.h"

enum { N = 500 };

/* Fails on NaN, too. */
static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, not %.17g", got, want);
}

/* Numbers with many ties, in float32 and double as NumPy computes them:
 *     s = (i*37 % 101 / 101).astype(float32) + (i*i % 13 / 40).astype(float32)
 *     g = minimum(round((1 + (i*53 % 17 / 4.25 + i*37 % 101 / 50) * .6) * 10) / 10, 5)
 *     y = i*53 % 17 + i*37 % 101 > 55 */
static void make(float *s, double *g, uint8_t *y, int n)
{
    for (int i = 0; i < n; i++) {
        s[i] = (float)(i * 37 % 101 / 101.0) + (float)(i * i % 13 / 40.0);
        g[i] = fmin(rint((1 + (i * 53 % 17 / 4.25 + i * 37 % 101 / 50.0) * 0.6) * 10) / 10, 5);
        y[i] = i * 53 % 17 + i * 37 % 101 > 55;
    }
}

/* pearsonr (and its confidence_interval), spearmanr, linregress, mean_squared_error(g, 1 + 4 s). */
static void agreement_is_what_scipy_gives(void **state)
{
    static const struct {
        int n;
        double pearson, low, high, spearman, slope, intercept, squared_error;
    } want[] = {
        {500, 0.42757822697884423, 0.3531280285654871, 0.4966472322680369, 0.4074412549802854,
         1.0713030329688646, 2.0347951038962893, 2.0307695168300186},
        {7, 0.8535467912552993, 0.2812999342936644, 0.9779850953398742, 0.8214285714285715,
         1.883392567041455, 1.3273693547342986, 1.276488141140517},
    };
    float s[N];
    double g[N];
    uint8_t y[N];

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const size_t n = (size_t)want[i].n;
        dpl_agreement a;
        make(s, g, y, want[i].n);
        assert_int_equal(dpl_agreement_make(&a, s, g, n, NULL), DPL_OK);
        assert_int_equal(a.n, want[i].n);
        near(a.pearson.value, want[i].pearson, 1e-12);
        near(a.pearson.low, want[i].low, 1e-12);
        near(a.pearson.high, want[i].high, 1e-12);
        near(a.spearman.value, want[i].spearman, 1e-12);
        assert_true(a.spearman.low < a.spearman.value && a.spearman.value < a.spearman.high);
        /* wider than Pearson's would be, for ranks are less exact */
        assert_true(atanh(a.spearman.high) - atanh(a.spearman.low) >
                    atanh(a.pearson.high) - atanh(a.pearson.low));
        near(a.slope, want[i].slope, 1e-12);
        near(a.intercept, want[i].intercept, 1e-12);
        near(dpl_squared_error(s, g, n, 4, 1), want[i].squared_error, 1e-12);
    }
}

/* roc_auc_score, and where roc_curve's straight lines meet FMR = FNMR. */
static void auc_and_eer_are_what_sklearn_gives(void **state)
{
    float s[N];
    double g[N];
    uint8_t y[N];
    dpl_metrics m;

    (void)state;
    make(s, g, y, N);
    assert_int_equal(dpl_metrics_make(&m, s, y, N, 1, NULL), DPL_OK);
    assert_int_equal(m.n_genuine, 260);
    near(m.auc, 0.9701842948717948, 1e-12);
    near(m.eer, 0.10384615384615382, 1e-12);
    dpl_metrics_clear(&m);
}

static void what_has_no_score_is_counted_and_left_out(void **state)
{
    const float s[] = {0.5F, NAN, 0.25F, INFINITY, 1};
    const double g[] = {2, 7, 1, 9, 4};
    dpl_agreement a;
    dpl_error err;

    (void)state;
    assert_int_equal(dpl_agreement_make(&a, s, g, 5, NULL), DPL_OK);
    assert_int_equal(a.n, 3);
    assert_int_equal(a.n_unscored, 2);
    near(a.pearson.value, 1, 1e-15);
    near(a.pearson.low, 1, 1e-15);
    near(a.slope, 4, 1e-12);
    near(dpl_squared_error(s, g, 5, 4, 1), 1, 1e-15);
    assert_int_equal(dpl_agreement_make(&a, s, g, 2, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "1 pairs with a score"));
    assert_true(isnan(dpl_squared_error(s + 1, g, 1, 1, 0)));
}

static void what_does_not_vary_has_no_correlation(void **state)
{
    const float s[] = {0.5F, 0.5F, 0.5F, 0.5F, 0.5F};
    const double g[] = {1, 2, 3, 4, 5};
    dpl_agreement a;

    (void)state;
    assert_int_equal(dpl_agreement_make(&a, s, g, 5, NULL), DPL_OK);
    assert_true(isnan(a.pearson.value) && isnan(a.pearson.low));
    assert_true(isnan(a.spearman.value) && isnan(a.spearman.high));
    near(a.slope, 0, 0);
    near(a.intercept, 3, 0);
}

/* ------------------------------------------------------------------ retrieval */

enum { LEFT = 9, RIGHT = 23, DIM = 2 };

static dpl_dataset *open_text(const char *text, int32_t first, int32_t second)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};
    char path[] = "retrieval.XXXXXX";
    const int fd = mkstemp(path);
    dpl_dataset *d;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    options.kinds[0] = first;
    options.kinds[1] = second;
    if (dpl_dataset_open(&d, path, &options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    unlink(path);
    return d;
}

/* The rank of a question's nearest right answer, as it is defined. */
static int32_t rank_as_defined(const dpl_dataset *d, int side, int32_t item, const dpl_head *head,
                               const dpl_embeddings *asked, const dpl_embeddings *answers)
{
    int32_t n, best = 0;
    const int32_t first = dpl_dataset_side_items(d, side, &n);
    const int32_t first_answer = dpl_dataset_side_items(d, 1 - side, &n);
    const float *probe = asked->vectors + DIM * (item - first);
    const bool shared = first == first_answer;

    for (int32_t i = 0; i < dpl_dataset_n_pairs(d); i++) {
        const dpl_given_pair *p = dpl_dataset_pair(d, i);
        if (p->grade < 1 || p->a == p->b || (side == 0 ? p->a : p->b) != item)
            continue;
        const int32_t right = (side == 0 ? p->b : p->a) - first_answer;
        const float score = dpl_head_score(head, probe, answers->vectors + DIM * right);
        int32_t rank = 1;
        for (int32_t j = 0; j < n; j++) {
            bool is_right = shared && j + first_answer == item;
            for (int32_t k = 0; k < dpl_dataset_n_pairs(d); k++) {
                const dpl_given_pair *q = dpl_dataset_pair(d, k);
                is_right |= q->grade >= 1 && (side == 0 ? q->a : q->b) == item &&
                            (side == 0 ? q->b : q->a) - first_answer == j;
            }
            rank += !is_right && dpl_head_score(head, probe, answers->vectors + DIM * j) >= score;
        }
        best = best == 0 || rank < best ? rank : best;
    }
    return best;
}

static void make_vectors(dpl_embeddings *e, int32_t n, dpli_rng *rng)
{
    *e = (dpl_embeddings){.n = (size_t)n, .dim = DIM};
    e->vectors = malloc((size_t)n * DIM * sizeof *e->vectors);
    e->errors = calloc((size_t)n, sizeof *e->errors);
    /* few places, so that many are as near as others */
    for (int32_t i = 0; i < n * DIM; i++)
        e->vectors[i] = (float)dpli_rng_below(rng, 4);
}

static void ranks_are_those_of_their_definition(void **state)
{
    const uint64_t seed = 20261127;
    dpli_rng rng;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    for (int round = 0; round < 40; round++) {
        const bool shared = round % 2 == 1;
        const int side = round / 2 % 2;
        char text[4096] = "a,b,label\n";
        for (int i = 0; i < 60; i++) {
            const size_t at = strlen(text);
            snprintf(text + at, sizeof text - at, "%d,%d,%d\n", (int)dpli_rng_below(&rng, LEFT),
                     (int)dpli_rng_below(&rng, RIGHT), dpli_rng_below(&rng, 3) > 0);
        }
        dpl_dataset *d =
            open_text(text, shared ? DPL_ITEM_CODES : DPL_ITEM_SENTENCE, DPL_ITEM_CODES);
        dpl_embeddings own, others = {0};
        dpl_retrieval r;
        dpl_head *head;
        int32_t n;
        int64_t found = 0;
        dpl_dataset_side_items(d, side, &n);
        make_vectors(&own, n, &rng);
        dpl_dataset_side_items(d, 1 - side, &n);
        if (!shared)
            make_vectors(&others, n, &rng);
        const dpl_embeddings *answers = shared ? &own : &others;
        assert_int_equal(dpl_head_new(&head, DPL_HEAD_EUCLIDEAN, DIM, NULL, 0, NULL), DPL_OK);
        assert_int_equal(dpl_retrieval_make(&r, d, side, head, &own, answers, NULL, NULL), DPL_OK);
        assert_int_equal(r.n_candidates, n);
        for (size_t i = 0; i < r.n; i++) {
            assert_int_equal(r.ranks[i], rank_as_defined(d, side, r.items[i], head, &own, answers));
            found += r.ranks[i] <= 5;
        }
        assert_int_equal(r.at[1], 5);
        assert_int_equal(r.recall[1].n, found);
        assert_int_equal(r.recall[1].of, r.n);
        dpl_retrieval_clear(&r);
        dpl_head_free(head);
        dpl_embeddings_clear(&own);
        dpl_embeddings_clear(&others);
        dpl_dataset_close(d);
    }
}

/*
 * Codes lie on a line, each where its number is; sentences a to d at 0, e at 1. Asked with
 *
 *     a for 0   rank 1          b for 4   rank 5          c for 5   rank 6
 *     d for 10  rank 11         e for 0   rank 3: 1 is nearer, 2 as near
 *
 * and with codes for sentences: 0 for a and e, of which a is the nearer, rank 4 behind b, c and d,
 * which are as near; 4 for b, 5 for c and 10 for d, rank 5 behind e and three that are as near.
 */
static void recalls_and_ranks_are_those_worked_out_by_hand(void **state)
{
    static const struct {
        int32_t ranks[5], n, recall[3];
        double median, mean;
    } wanted[2] = {{{1, 5, 6, 11, 3}, 5, {1, 3, 4}, 5, 26.0 / 5},
                   {{4, 5, 5, 5}, 4, {0, 4, 4}, 5, 19.0 / 4}};
    static const char *const asked[2][5] = {{"a", "b", "c", "d", "e"}, {"0", "4", "5", "10"}};
    dpl_dataset *d = open_text("sentence,codes,label\na,0,1\nb,4,1\nc,5,1\nd,10,1\ne,0,1\n"
                               "a,1,0\na,2,0\na,3,0\na,6,0\na,7,0\na,8,0\na,9,0\na,11,0\n",
                               -1, -1);
    float places[2][12];
    dpl_error *none[12] = {NULL};
    dpl_embeddings sides[2];
    dpl_head *head;

    (void)state;
    for (int side = 0; side < 2; side++) {
        int32_t n;
        const int32_t first = dpl_dataset_side_items(d, side, &n);

        assert_int_equal(n, side ? 12 : 5);
        for (int32_t i = 0; i < n; i++) {
            const char *name = dpl_dataset_item_name(d, first + i);

            places[side][i] = side ? strtof(name, NULL) : name[0] == 'e';
        }
        sides[side] =
            (dpl_embeddings){.n = (size_t)n, .dim = 1, .vectors = places[side], .errors = none};
    }
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_EUCLIDEAN, 1, NULL, 0, NULL), DPL_OK);
    for (int side = 0; side < 2; side++) {
        dpl_retrieval r;

        assert_int_equal(
            dpl_retrieval_make(&r, d, side, head, &sides[side], &sides[1 - side], NULL, NULL),
            DPL_OK);
        assert_int_equal(r.n, wanted[side].n);
        assert_int_equal(r.n_candidates, side ? 5 : 12);
        assert_int_equal(r.n_failed, 0);
        for (size_t i = 0; i < r.n; i++) {
            int k = 0;

            while (strcmp(dpl_dataset_item_name(d, r.items[i]), asked[side][k]) != 0)
                assert_in_range(++k, 0, wanted[side].n - 1);
            assert_int_equal(r.ranks[i], wanted[side].ranks[k]);
        }
        for (int k = 0; k < DPL_N_RECALL; k++) {
            assert_int_equal(r.recall[k].n, wanted[side].recall[k]);
            assert_int_equal(r.recall[k].of, wanted[side].n);
        }
        near(r.median_rank, wanted[side].median, 0);
        near(r.mean_rank, wanted[side].mean, 1e-15);
        dpl_retrieval_clear(&r);
    }
    /* of an even number of ranks, the middle between two: 1, 3, 5, 6 */
    dpl_dataset_close(d);
    d = open_text("sentence,codes,label\na,0,1\nb,4,1\nc,5,1\ne,0,1\na,1,0\na,2,0\na,3,0\n", -1,
                  -1);
    float left[] = {0, 0, 0, 1}, right[] = {0, 1, 2, 3, 4, 5};
    const dpl_embeddings four = {.n = 4, .dim = 1, .vectors = left, .errors = none};
    const dpl_embeddings six = {.n = 6, .dim = 1, .vectors = right, .errors = none};
    dpl_retrieval r;
    assert_int_equal(dpl_retrieval_make(&r, d, 0, head, &four, &six, NULL, NULL), DPL_OK);
    near(r.median_rank, 4, 0);
    near(r.mean_rank, 15.0 / 4, 1e-15);
    dpl_retrieval_clear(&r);
    dpl_head_free(head);
    dpl_dataset_close(d);
}

static void what_has_no_vector_is_not_found_and_stands_last(void **state)
{
    dpl_dataset *d = open_text("sentence,codes\na,1\nb,2\nc,3\nc,1\n", -1, -1);
    float left[] = {1, NAN, 3}, right[] = {1, 2, 3};
    dpl_error failed = {DPL_E_INPUT, "gone"};
    dpl_error *left_errors[3] = {NULL, &failed, NULL}, *right_errors[3] = {NULL, NULL, NULL};
    const dpl_embeddings asked = {.n = 3, .dim = 1, .vectors = left, .errors = left_errors};
    const dpl_embeddings answers = {.n = 3, .dim = 1, .vectors = right, .errors = right_errors};
    dpl_retrieval r;
    dpl_head *head;

    (void)state;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_EUCLIDEAN, 1, NULL, 0, NULL), DPL_OK);
    assert_int_equal(dpl_retrieval_make(&r, d, 0, head, &asked, &answers, NULL, NULL), DPL_OK);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.n_failed, 1);
    assert_int_equal(r.ranks[0], 1);
    assert_int_equal(r.ranks[1], 0);
    assert_int_equal(r.ranks[2], 1); /* of two right answers the nearer */
    assert_int_equal(r.recall[0].n, 2);
    near(r.median_rank, 1, 0);
    near(r.mean_rank, 5.0 / 3, 1e-15);
    dpl_retrieval_clear(&r);
    dpl_dataset_close(d);
    d = open_text("sentence,codes,label\na,1,0\n", -1, -1);
    dpl_error err;
    assert_int_equal(dpl_retrieval_make(&r, d, 0, head, &asked, &answers, NULL, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "no pair of one"));
    dpl_head_free(head);
    dpl_dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agreement_is_what_scipy_gives),
        cmocka_unit_test(auc_and_eer_are_what_sklearn_gives),
        cmocka_unit_test(what_has_no_score_is_counted_and_left_out),
        cmocka_unit_test(what_does_not_vary_has_no_correlation),
        cmocka_unit_test(ranks_are_those_of_their_definition),
        cmocka_unit_test(recalls_and_ranks_are_those_worked_out_by_hand),
        cmocka_unit_test(what_has_no_vector_is_not_found_and_stands_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
