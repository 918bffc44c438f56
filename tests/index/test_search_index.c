/*
 * test_search_index.c - an index in memory: every head's ranking equals brute force where it says
 * it is exact, and finds what it says it finds where it is not, also after it has grown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "index/retrieve.h"
#include "tests/index/vectors.h"
#include "tests/slowed.h"

#define SEED 20240615
enum { DIM = 24 };

static dpl_head *make_head(int kind, double sign)
{
    float w[DIM];
    dpl_head *head = NULL;
    int weighted = kind == DPL_HEAD_L1_SIGMOID;
    dpli_rng rng;

    dpli_rng_seed(&rng, 5);
    /* sign 0: weights of both signs, as training may leave them */
    for (int i = 0; i < DIM; i++)
        w[i] = (float)(sign ? sign * dpli_rng_unit(&rng) : dpli_rng_normal(&rng));
    assert_int_equal(
        dpl_head_new(&head, (dpl_head_kind)kind, DIM, weighted ? w : NULL, weighted ? 1 : 0, NULL),
        DPL_OK);
    return head;
}

/* As the gallery gives them; the rows are the caller's too, for the oracle. */
static dpli_vectors vectors_of(const float *rows, size_t n)
{
    dpli_vectors v = {.n = n, .dim = DIM, .generation = 7};

    v.ids = malloc((n + 1) * sizeof *v.ids);
    v.owners = malloc((n + 1) * sizeof *v.owners);
    v.photos = malloc((n + 1) * sizeof *v.photos);
    v.rows = malloc((n * DIM + 1) * sizeof *v.rows);
    for (size_t i = 0; i < n; i++)
        v.ids[i] = v.owners[i] = v.photos[i] = (int64_t)(i * 3 + 1);
    memcpy(v.rows, rows, n * DIM * sizeof *rows);
    return v;
}

static dpli_index make_index(const float *rows, size_t n, const dpl_head *head, int64_t exact_up_to,
                             double min_recall)
{
    dpli_vectors v = vectors_of(rows, n);
    dpli_index index;
    dpl_error err;

    if (dpli_index_make(&index, &v, head, (dpli_wish){exact_up_to, min_recall}, &err))
        fail_msg("%s", err.message);
    assert_null(v.rows);
    assert_null(v.ids);
    return index;
}

static void same(const dpli_found *a, const dpli_found *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].at != b[i].at ||
            (a[i].at != DPLI_NOWHERE && memcmp(&a[i].score, &b[i].score, sizeof a[i].score) != 0))
            fail_msg("%s: result %zu is row %zu at %.9g, not row %zu at %.9g", what, i, a[i].at,
                     (double)a[i].score, b[i].at, (double)b[i].score);
}

/* Vectors that are hard in one way or another. */
static void make_rows(int sort, float *rows, size_t n, dpli_rng *rng)
{
    static const float nearly[] = {1e-6f, 1e-4f, 2e-4f, 4e-4f};

    make_clusters(rows, n, DIM, 150, sort == 3 ? 40 : 1, rng);
    for (size_t r = 0; r < n; r++) {
        float *row = rows + r * DIM;

        if (sort == 1 && r % 2) /* every other row four times over: ties at every place */
            memcpy(row, rows + (r - r % 8) * DIM, DIM * sizeof *row);
        /* Nearly the same, so that float32 distances are error, mostly or as much as not. */
        if (sort == 2 || sort > 5)
            for (int i = 0; i < DIM; i++)
                row[i] = rows[i] +
                         (r ? nearly[sort > 5 ? sort - 5 : 0] * (float)dpli_rng_normal(rng) : 0);
        if (sort == 4) /* of all lengths, and some of none */
            for (int i = 0; i < DIM; i++)
                row[i] *= (float)(r % 10);
        if (sort == 5) /* beyond what float32 can square */
            for (int i = 0; i < DIM; i++)
                row[i] *= 1e25f;
    }
}

static void every_heads_ranking_is_that_of_brute_force(void **state)
{
    enum { N = 1000, N_PROBES = 25 };
    static const size_t ks[] = {1, 10, 200, N + 5};
    static float rows[N * DIM], probes[N_PROBES * DIM];
    dpli_found *want = malloc((size_t)N_PROBES * (N + 5) * sizeof *want);
    dpli_found *got = malloc((size_t)N_PROBES * (N + 5) * sizeof *got);
    dpli_found *one = malloc((size_t)(N + 5) * sizeof *one);
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    dpli_rng_seed(&rng, SEED);
    for (int sort = 0; sort < 9; sort++) {
        make_rows(sort, rows, N, &rng);
        make_rows(sort, probes, N_PROBES, &rng);
        memcpy(probes, rows + 100 * DIM, 10 * DIM * sizeof *probes); /* and some that are in it */
        for (int h = 0; h < 6; h++) {
            dpl_head *head = make_head(h < 4 ? h : DPL_HEAD_L1_SIGMOID, h == 2   ? -1
                                                                        : h == 4 ? 1
                                                                                 : 0);
            dpli_index index = make_index(rows, N, head, INT64_MAX, 0.99);
            char what[64];

            for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
                size_t k = ks[i];

                snprintf(what, sizeof what, "%s %d, rows %d, k %zu", dpl_head_name(head), h, sort,
                         k);
                assert_int_equal(dpli_flat_search(want, head, rows, N, probes, N_PROBES, k, NULL),
                                 DPL_OK);
                assert_int_equal(dpli_index_search(got, &index, head, probes, N_PROBES, k, NULL),
                                 DPL_OK);
                same(got, want, N_PROBES * k, what);
                /* A batch is as many single ones. */
                assert_int_equal(dpli_index_search(one, &index, head, probes + 3 * DIM, 1, k, NULL),
                                 DPL_OK);
                same(one, want + 3 * k, k, what);
            }
            dpli_index_clear(&index);
            dpl_head_free(head);
        }
    }
    free(want);
    free(got);
    free(one);
}

/* ------------------------------------------------------------------ approximate */

enum { MANY = UNLESS_SLOWED(12000, 4000), PROBES = 200 };
static float many[MANY * DIM], asked[PROBES * DIM];

/* Recall@k of probes that are not in the gallery, measured here, not by what is tested. */
static double recall_of(const dpli_index *index, const dpl_head *head, size_t n, size_t k)
{
    dpli_found *want = malloc(PROBES * k * sizeof *want), *got = malloc(PROBES * k * sizeof *got);
    size_t hits = 0;

    assert_int_equal(dpli_flat_search(want, head, many, n, asked, PROBES, k, NULL), DPL_OK);
    assert_int_equal(dpli_index_search(got, index, head, asked, PROBES, k, NULL), DPL_OK);
    for (size_t i = 0; i < PROBES; i++)
        for (size_t j = 0; j < k; j++) {
            const dpli_found *f = &got[i * k + j];

            assert_true(f->at != DPLI_NOWHERE); /* k of them, whatever the lists hold */
            assert_true(j == 0 || f->score < f[-1].score ||
                        (f->score == f[-1].score && f->at > f[-1].at));
            assert_true(f->score == dpl_head_score(head, asked + i * DIM, many + f->at * DIM));
            hits += f->score >= want[i * k + k - 1].score;
        }
    free(want);
    free(got);
    return (double)hits / (double)(PROBES * k);
}

static void an_approximate_index_finds_what_it_says_by_every_head(void **state)
{
    enum { SOME = 6000, MORE = 500 }; /* a graph a head is made of them */
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    for (int h = 0; h < 5; h += UNLESS_SLOWED(1, 2)) {
        int scaled = h == 4; /* cosine of vectors that are not of unit norm */
        dpl_head *head = make_head(scaled ? DPL_HEAD_COSINE : h, -1);
        dpli_index index;
        /* By L1 distance, weighted too, the nearest lie in more lists. */
        const double floor = h == 2 || h == 3 ? 0.85 : 0.95;
        bool done = false;
        double recall;

        dpli_rng_seed(&rng, SEED);
        make_clusters(many, SOME + MORE, DIM, 750, 1, &rng);
        make_clusters(asked, PROBES, DIM, 750, 1, &rng);
        for (size_t i = 0; scaled && i < (SOME + MORE) * DIM; i++)
            many[i] *= (float)(1 + i / DIM % 7);
        index = make_index(many, SOME, head, 1000, floor);
        assert_true(dpli_index_is_approximate(&index));
        assert_true(index.recall >= floor && index.recall <= 1);
        assert_true(dpli_index_serves(&index, head, (dpli_wish){1000, floor}));
        assert_false(dpli_index_serves(&index, head, (dpli_wish){1000, index.recall + 1e-9}));
        assert_false(dpli_index_serves(&index, head, (dpli_wish){SOME, floor}));

        /* It aims a standard error above the floor; what 200 probes see scatters by about another,
           for a probe's ten answers are found or missed together. Two below is far enough. */
        recall = recall_of(&index, head, SOME, 10);
        printf("%s: %zu kept, width %zu, %.0f compared, recall %.4f said, %.4f seen\n",
               dpl_head_name(head), index.width, index.wide, index.n_compared, index.recall,
               recall);
        assert_true(recall >= floor - 0.02);
        assert_true(recall_of(&index, head, SOME, 1) >= floor - 0.05);
        assert_true(recall_of(&index, head, SOME, 200) >= floor - 0.05);

        assert_int_equal(dpli_index_extend(&done, &index, many + (size_t)SOME * DIM, MORE, NULL),
                         DPL_OK);
        assert_int_equal(done, 1);
        assert_int_equal(index.n, SOME + MORE);
        recall = recall_of(&index, head, SOME + MORE, 10);
        printf("  after %d more: %.4f\n", MORE, recall);
        assert_true(recall >= floor - 0.02);
        /* More than a twentieth on top of what it was tuned on: to be measured again. */
        assert_true(dpli_index_is_stale(&index));
        assert_int_equal(dpli_index_retune(&done, &index, head, floor, NULL), DPL_OK);
        assert_true(done);
        assert_false(dpli_index_is_stale(&index));
        assert_true(recall_of(&index, head, SOME + MORE, 10) >= floor - 0.02);
        dpli_index_clear(&index);
        dpl_head_free(head);
    }
}

static void a_batch_is_as_many_single_searches_also_approximately(void **state)
{
    enum { K = 17 };
    static dpli_found batch[PROBES * K], one[K];
    dpl_head *head = make_head(DPL_HEAD_COSINE, 0);
    dpli_index index;
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    make_clusters(many, 4000, DIM, 500, 1, &rng);
    make_clusters(asked, PROBES, DIM, 500, 1, &rng);
    index = make_index(many, 4000, head, 0, 0.9);
    assert_int_equal(dpli_index_search(batch, &index, head, asked, PROBES, K, NULL), DPL_OK);
    for (size_t i = 0; i < PROBES; i++) {
        assert_int_equal(dpli_index_search(one, &index, head, asked + i * DIM, 1, K, NULL), DPL_OK);
        same(one, batch + i * K, K, "one of a batch");
    }
    dpli_index_clear(&index);
    dpl_head_free(head);
}

/* Recall@10 among those that are still there. */
static double recall_without(const dpli_index *index, const dpl_head *head, const char *is_gone,
                             const float *rows, size_t n)
{
    enum { K = 10 };
    dpli_found *want = malloc((size_t)PROBES * K * sizeof *want), got[K];
    float *left = malloc(n * DIM * sizeof *left);
    size_t hits = 0;

    memcpy(left, rows, n * DIM * sizeof *left);
    for (size_t i = 0; i < n * DIM; i++)
        if (is_gone[i / DIM])
            left[i] = NAN;
    assert_int_equal(dpli_flat_search(want, head, left, n, asked, PROBES, K, NULL), DPL_OK);
    for (size_t i = 0; i < PROBES; i++) {
        assert_int_equal(dpli_index_search(got, index, head, asked + i * DIM, 1, K, NULL), DPL_OK);
        for (size_t j = 0; j < K; j++) {
            assert_true(got[j].at != DPLI_NOWHERE && !is_gone[got[j].at]);
            hits += got[j].score >= want[i * K + K - 1].score;
        }
    }
    free(want);
    free(left);
    return (double)hits / (PROBES * K);
}

/* Row r is a photo of person r / 10. */
static void make_people(float *rows, size_t n, size_t step, dpli_rng *rng)
{
    for (size_t r = 0; r < n; r++) {
        double sum = 0;
        dpli_rng own;

        dpli_rng_seed(&own, 1000 + r * step / 10);
        for (size_t i = 0; i < DIM; i++) {
            const double x = dpli_rng_normal(&own) + 0.3 * dpli_rng_normal(rng);

            rows[r * DIM + i] = (float)x;
            sum += x * x;
        }
        for (size_t i = 0; i < DIM; i++)
            rows[r * DIM + i] = (float)(rows[r * DIM + i] / sqrt(sum));
    }
}

static void a_fifth_taken_out_is_found_no_more_and_the_rest_as_said(void **state)
{
    static char is_gone[MANY], now[MANY];
    dpl_head *head = make_head(DPL_HEAD_COSINE, 0);
    const double floor = 0.99;
    dpli_rng rng;

    (void)state;
    for (int approximate = 0; approximate < 2; approximate++) {
        dpli_index index;
        bool done;
        double before, recall;
        size_t width;

        dpli_rng_seed(&rng, SEED);
        make_people(many, MANY, 1, &rng);
        make_people(asked, PROBES, MANY / PROBES, &rng);
        index = make_index(many, MANY, head, approximate ? 1000 : MANY, floor);
        assert_int_equal(dpli_index_is_approximate(&index), approximate);
        width = index.width;
        /* In two steps one of each person's ten: two of the ten most alike are strangers then, and
           harder to find. */
        memset(is_gone, 0, sizeof is_gone);
        for (size_t step = 0; step < 2; step++) {
            memset(now, 0, sizeof now);
            for (size_t i = step; i < MANY; i += 10)
                is_gone[i] = now[i] = 1;
            assert_int_equal(dpli_index_take_out(&done, &index, now, MANY / 10, NULL), DPL_OK);
            assert_true(done);
        }
        before = recall_without(&index, head, is_gone, many, MANY);
        if (approximate) {
            assert_true(dpli_index_is_stale(&index));
            assert_int_equal(dpli_index_retune(&done, &index, head, floor, NULL), DPL_OK);
            assert_true(done && index.recall >= floor && index.width > width);
        }
        recall = recall_without(&index, head, is_gone, many, MANY);
        printf("%zu taken out: recall %.4f; %zu kept, not %zu: %.4f\n", index.n_gone, before,
               index.width, width, recall);
        assert_true(recall >= (approximate ? floor : 1));
        for (size_t i = 0; i < MANY; i++) /* and nothing is left of it */
            if (is_gone[i])
                assert_true(isnan(dpli_rows_all(&index.vectors)[i * DIM]));
        /* Half of them more: what is left is better made anew. */
        for (size_t i = 0, n = 0; i < MANY; i++) {
            is_gone[i] = !is_gone[i] && n < MANY / 2;
            n += (size_t)is_gone[i];
        }
        assert_int_equal(dpli_index_take_out(&done, &index, is_gone, MANY / 2, NULL), DPL_OK);
        assert_false(done);
        dpli_index_clear(&index);
    }
    dpl_head_free(head);
}

static void a_thousand_copies_of_one_vector_hide_no_other(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE, 0);
    dpli_index index;
    dpli_rng rng;
    double recall;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    make_clusters(many, MANY, DIM, 1500, 1, &rng);
    make_clusters(asked, PROBES, DIM, 1500, 1, &rng);
    for (size_t i = 0; i < 3000; i++) /* three of them, between the others */
        memcpy(many + i * 4 * DIM, many + i % 3 * 4 * DIM, DIM * sizeof *many);
    memcpy(asked, many, DIM * sizeof *many);
    index = make_index(many, MANY, head, 1000, 0.99);
    assert_true(dpli_index_is_approximate(&index));
    recall = recall_of(&index, head, MANY, 10);
    printf("with copies: recall %.4f said, %.4f seen\n", index.recall, recall);
    assert_true(recall >= 0.99);
    dpli_index_clear(&index);
    dpl_head_free(head);
}

static void what_cannot_be_tuned_is_searched_exactly(void **state)
{
    enum { K = 10, SOME = 3000 };
    static dpli_found got[PROBES * K], want[PROBES * K];
    /* Positive weights: most alike is what is furthest away, and no walk leads there. */
    dpl_head *head = make_head(DPL_HEAD_L1_SIGMOID, 1), *other = make_head(DPL_HEAD_COSINE, 0);
    dpli_wish wish = {1000, 0.99};
    dpli_index index;
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    make_clusters(many, SOME, DIM, 400, 1, &rng);
    make_clusters(asked, PROBES, DIM, 400, 1, &rng);
    index = make_index(many, SOME, head, wish.exact_up_to, wish.min_recall);
    assert_false(dpli_index_is_approximate(&index));
    assert_true(index.recall < 0.99);
    assert_int_equal(dpli_index_search(got, &index, head, asked, PROBES, K, NULL), DPL_OK);
    assert_int_equal(dpli_flat_search(want, head, many, SOME, asked, PROBES, K, NULL), DPL_OK);
    same(got, want, PROBES * K, "untunable");
    /* It is remembered, so that it is not tried again for this head and wish, but is for others. */
    assert_true(dpli_index_serves(&index, head, wish));
    assert_false(dpli_index_serves(&index, other, wish));
    assert_false(dpli_index_serves(&index, head, (dpli_wish){1000, index.recall / 2}));
    assert_true(dpli_index_serves(&index, other, (dpli_wish){SOME, 0.99}));
    dpli_index_clear(&index);
    dpl_head_free(head);
    dpl_head_free(other);
}

static void few_or_no_vectors_are_no_trouble(void **state)
{
    static float rows[(DPLI_APPROXIMATE_FROM + 1) * DIM];
    dpl_head *head = make_head(DPL_HEAD_COSINE, 0);
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    make_clusters(rows, DPLI_APPROXIMATE_FROM + 1, DIM, 20, 1, &rng);
    for (size_t n = 0; n <= DPLI_APPROXIMATE_FROM + 1; n = n < 3          ? n + 1
                                                           : n * 10 < 999 ? n * 10
                                                           : n < 999      ? 999
                                                                          : n + 1) {
        dpli_index index = make_index(rows, n, head, 0, 0.5);
        dpli_found found[5];

        assert_int_equal(index.n, n);
        assert_true(n >= DPLI_APPROXIMATE_FROM || !dpli_index_is_approximate(&index));
        assert_int_equal(dpli_index_search(found, &index, head, rows, 1, 5, NULL), DPL_OK);
        for (size_t j = 0; j < 5; j++)
            assert_int_equal(found[j].at == DPLI_NOWHERE, j >= n);
        assert_true(n == 0 || found[0].at == 0);
        dpli_index_clear(&index);
    }
    dpl_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_heads_ranking_is_that_of_brute_force),
        cmocka_unit_test(an_approximate_index_finds_what_it_says_by_every_head),
        cmocka_unit_test(a_batch_is_as_many_single_searches_also_approximately),
        cmocka_unit_test(a_fifth_taken_out_is_found_no_more_and_the_rest_as_said),
        cmocka_unit_test(a_thousand_copies_of_one_vector_hide_no_other),
        cmocka_unit_test(what_cannot_be_tuned_is_searched_exactly),
        cmocka_unit_test(few_or_no_vectors_are_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
