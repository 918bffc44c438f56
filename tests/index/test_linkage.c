/*
 * test_linkage.c - average linkage against a plain one that adds up every pair, who is kept apart,
 * and the neighbours that it goes by.
 *
 * Faces are made: a person's lie about a direction of their own.
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

#include "base/rng.h"
#include "index/calibration.h"
#include "index/cohort.h"
#include "index/linkage.h"
#include "index/neighbours.h"

#include "tests/failing_alloc.h"

#define SEED 20261127

enum { DIM = 24, MAX = 600 };

static const char by_score[] =
    "{\"version\":1, \"metric\":\"cosine\", \"pairs\":10000000, \"points\":[[0, 0.5], [0.3, 0.05], "
    "[0.5, 0.001], [0.7, 0.00001]]}";
static const char by_both[] =
    "{\"version\":2, \"metric\":\"cosine\", \"people\":1000, \"pairs\":10000000, \"cohort\":{"
    "\"top\":20, \"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}, "
    "\"score\":[[0, 0.5], [0.3, 0.05], [0.7, 0.00001]], "
    "\"normalised\":[[-5, 0.5], [0, 0.05], [4, 0.00001]], "
    "\"points\":[[0.3, 0.5, 0.4, 0.6], [1.3, 0.05, 0.04, 0.06], [4.5, 0.00001, 0.000005, "
    "0.00002]]}";

typedef struct world {
    dpl_calibration *calibration;
    dpli_cohort *cohort; /* NULL: none */
    size_t n;
    float rows[MAX * DIM], means[MAX], deviations[MAX];
    int people[MAX];
    int64_t photos[MAX];
    dpli_rng rng;
} world;

static world w;

static void unit(float *x)
{
    double norm = 0;

    for (int i = 0; i < DIM; i++)
        norm += (double)x[i] * (double)x[i];
    for (int i = 0; i < DIM; i++)
        x[i] = (float)((double)x[i] / sqrt(norm));
}

static void see(size_t i)
{
    if (w.cohort)
        dpli_cohort_stats(&w.means[i], &w.deviations[i], w.cohort, w.rows + i * DIM);
}

static void make(uint64_t seed, bool with_cohort, int n_people, int most_photos, double noise)
{
    int8_t rows[100 * DIM];
    float person[DIM];
    dpl_error err;

    dpli_rng_seed(&w.rng, seed);
    w.n = 0;
    assert_int_equal(dpl_calibration_parse(&w.calibration, with_cohort ? by_both : by_score, &err),
                     DPL_OK);
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (int8_t)(dpli_rng_unit(&w.rng) * 200 - 100);
    w.cohort = NULL;
    if (with_cohort)
        assert_int_equal(dpli_cohort_new(&w.cohort, rows, 100, DIM, 20, &err), DPL_OK);
    for (int p = 0; p < n_people; p++) {
        const int n = 1 + (int)dpli_rng_below(&w.rng, (uint64_t)most_photos);

        for (int i = 0; i < DIM; i++)
            person[i] = (float)dpli_rng_normal(&w.rng);
        for (int k = 0; k < n && w.n < MAX; k++, w.n++) {
            for (int i = 0; i < DIM; i++)
                w.rows[w.n * DIM + (size_t)i] =
                    person[i] + (float)(noise * dpli_rng_normal(&w.rng));
            unit(w.rows + w.n * DIM);
            see(w.n);
            w.people[w.n] = p;
            w.photos[w.n] = (int64_t)w.n + 1;
        }
    }
}

static void drop(void)
{
    dpl_calibration_free(w.calibration);
    dpli_cohort_free(w.cohort);
}

static dpli_edges every_edge(void)
{
    dpli_edges e = {.items = malloc(w.n * w.n / 2 * sizeof(dpli_edge) + 1)};

    for (uint32_t i = 0; i < w.n; i++)
        for (uint32_t j = i + 1; j < w.n; j++)
            e.items[e.n++] = (dpli_edge){i, j};
    return e;
}

static dpli_linking linking_by(const dpli_edges *edges, double level)
{
    return (dpli_linking){.n = w.n,
                          .dim = DIM,
                          .rows = w.rows,
                          .means = w.cohort ? w.means : NULL,
                          .deviations = w.cohort ? w.deviations : NULL,
                          .photos = w.photos,
                          .calibration = w.calibration,
                          .level = level,
                          .edges = edges->items,
                          .n_edges = edges->n};
}

static void run(uint32_t *group, const dpli_linking *linking)
{
    dpl_error err = {0};

    if (dpli_linkage(group, linking, &err) != DPL_OK)
        fail_msg("%s", err.message);
}

/* How far two groups are above what they need, from all pairs of their faces. */
static double plain_above(const uint32_t *group, uint32_t a, uint32_t b, double level)
{
    double score = 0, normalised = 0, n = 0, m = 0;

    for (size_t i = 0; i < w.n; i++) {
        n += group[i] == a;
        m += group[i] == b;
        for (size_t j = 0; j < w.n && group[i] == a; j++) {
            double s = 0;

            if (group[j] != b)
                continue;
            if (w.photos[i] == w.photos[j])
                return -INFINITY;
            for (int k = 0; k < DIM; k++)
                s += (double)w.rows[i * DIM + (size_t)k] * (double)w.rows[j * DIM + (size_t)k];
            score += s;
            if (w.cohort)
                normalised += ((s - (double)w.means[i]) / (double)w.deviations[i] +
                               (s - (double)w.means[j]) / (double)w.deviations[j]) /
                              2;
        }
    }
    return dpli_calibration_strength(
               w.calibration,
               dpl_calibration_evidence(w.calibration, (float)(score / (n * m)),
                                        w.cohort ? (float)(normalised / (n * m)) : NAN)) -
           level - DPLI_LINKAGE_SMALL / sqrt(n * m);
}

static void plain(uint32_t *group, double level)
{
    for (uint32_t i = 0; i < w.n; i++)
        group[i] = i;
    for (;;) {
        double most = 0;
        uint32_t a = 0, b = 0;

        for (uint32_t i = 0; i < w.n; i++)
            for (uint32_t j = i + 1; j < w.n; j++) {
                const double x =
                    group[i] == i && group[j] == j ? plain_above(group, i, j, level) : -1;

                if (x > most) {
                    most = x;
                    a = i;
                    b = j;
                }
            }
        if (b == 0)
            return;
        for (size_t i = 0; i < w.n; i++)
            if (group[i] == b)
                group[i] = a;
    }
}

static void it_is_what_adding_up_every_pair_gives(void **state)
{
    uint32_t *group = malloc(MAX * sizeof *group), *wanted = malloc(MAX * sizeof *wanted);
    size_t n_merged = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        dpli_edges edges;

        make(SEED + seed, seed % 2, 7, 7, 0.6 + 0.1 * (double)(seed % 4));
        for (size_t i = 0; i + 1 < w.n; i += 5) /* some photos of two */
            w.photos[i] = w.photos[i + 1];
        edges = every_edge();
        const dpli_linking linking = linking_by(&edges, 1.5);
        run(group, &linking);
        plain(wanted, 1.5);
        for (size_t i = 0; i < w.n; i++) {
            if (group[i] != wanted[i])
                fail_msg("seed %llu: face %zu is in group %u, not %u", (unsigned long long)seed, i,
                         (unsigned)group[i], (unsigned)wanted[i]);
            n_merged += group[i] != i;
        }
        free(edges.items);
        drop();
    }
    assert_true(n_merged > 100);
    free(group);
    free(wanted);
}

static void people_are_told_apart_and_each_is_whole(void **state)
{
    uint32_t group[MAX];

    (void)state;
    for (int with_cohort = 0; with_cohort < 2; with_cohort++) {
        dpli_edges edges;

        make(SEED, with_cohort, 20, 12, 0.3);
        edges = every_edge();
        const dpli_linking linking = linking_by(&edges, 3);
        run(group, &linking);
        for (size_t i = 0; i < w.n; i++)
            for (size_t j = 0; j < i; j++)
                assert_int_equal(group[i] == group[j], w.people[i] == w.people[j]);
        free(edges.items);
        drop();
    }
}

static void the_order_of_faces_does_not_matter(void **state)
{
    static world before;
    uint32_t group[MAX], again[MAX];
    size_t place[MAX];
    dpli_edges edges;

    (void)state;
    make(SEED, true, 40, 8, 0.8);
    edges = every_edge();
    dpli_linking linking = linking_by(&edges, 1.5);
    run(group, &linking);
    before = w;
    for (size_t i = 0; i < w.n; i++)
        place[i] = i;
    for (size_t i = w.n; i > 1; i--) {
        const size_t j = (size_t)dpli_rng_below(&w.rng, i), p = place[i - 1];

        place[i - 1] = place[j];
        place[j] = p;
    }
    for (size_t i = 0; i < w.n; i++) {
        memcpy(w.rows + i * DIM, before.rows + place[i] * DIM, DIM * sizeof(float));
        see(i);
    }
    linking = linking_by(&edges, 1.5);
    run(again, &linking);
    for (size_t i = 0; i < w.n; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(again[i] == again[j], group[place[i]] == group[place[j]]);
    free(edges.items);
    drop();
}

static void faces_of_one_photo_and_those_said_to_be_two_people_never_meet(void **state)
{
    const dpli_edge apart[] = {{0, 3}};
    uint32_t group[MAX];
    dpli_edges edges;

    (void)state;
    make(SEED, false, 1, 1, 0.1);
    w.n = 6;
    for (size_t i = 1; i < w.n; i++)
        memcpy(w.rows + i * DIM, w.rows, DIM * sizeof(float));
    for (size_t i = 0; i < w.n; i++)
        w.photos[i] = (int64_t)i + 1;
    edges = every_edge();
    dpli_linking linking = linking_by(&edges, 1);
    run(group, &linking);
    for (size_t i = 0; i < w.n; i++)
        assert_int_equal(group[i], 0); /* all alike */
    w.photos[1] = w.photos[4];
    linking.apart = apart;
    linking.n_apart = 1;
    run(group, &linking);
    assert_int_not_equal(group[0], group[3]);
    assert_int_not_equal(group[1], group[4]);
    /* of what is alike to the last bit, the lower places come first */
    assert_int_equal(group[0], group[1]);
    assert_int_equal(group[0], group[2]);
    free(edges.items);
    drop();
}

static void small_groups_have_to_be_more_alike(void **state)
{
    uint32_t group[MAX];
    dpli_edges edges;

    (void)state;
    make(SEED, false, 1, 1, 0);
    /* Two directions at .5: once in 1,000 pairs. */
    for (size_t i = 0; i < 8; i++) {
        memset(w.rows + i * DIM, 0, DIM * sizeof(float));
        w.rows[i * DIM + (i % 2)] = 1;
        if (i % 2) {
            w.rows[i * DIM] = 0.5F;
            w.rows[i * DIM + 1] = sqrtf(0.75F);
        }
        w.photos[i] = (int64_t)i + 1;
    }
    w.n = 2;
    edges = every_edge();
    dpli_linking linking = linking_by(&edges, 2);
    run(group, &linking);
    assert_int_not_equal(group[0], group[1]);
    free(edges.items);
    w.n = 8;
    edges = every_edge();
    linking = linking_by(&edges, 2);
    run(group, &linking);
    assert_int_equal(group[0], group[7]);
    free(edges.items);
    drop();
}

static dpli_looking looking_for(double level)
{
    return (dpli_looking){.n = w.n,
                          .dim = DIM,
                          .rows = w.rows,
                          .floor = dpli_linkage_floor(w.calibration, level),
                          .k = MAX};
}

static void nothing_is_lost_below_the_floor(void **state)
{
    uint32_t group[MAX], by_near[MAX];

    (void)state;
    for (int with_cohort = 0; with_cohort < 2; with_cohort++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            dpli_edges edges, near;
            dpl_error err;

            make(SEED + seed, with_cohort, 60, 10, 0.9);
            edges = every_edge();
            const dpli_linking by_all = linking_by(&edges, 1.3);
            const dpli_looking looking = looking_for(1.3);
            run(group, &by_all);
            assert_int_equal(dpli_neighbours_all(&near, &looking, &err), DPL_OK);
            assert_true(near.n > 0 && near.n < edges.n);
            const dpli_linking linking = linking_by(&near, 1.3);
            run(by_near, &linking);
            assert_memory_equal(group, by_near, w.n * sizeof *group);
            free(edges.items);
            free(near.items);
            drop();
        }
}

static void neighbours_are_those_of_a_plain_loop_whatever_the_threads(void **state)
{
    (void)state;
    make(SEED, false, 200, 4, 0.7);
    assert_true(w.n > 300);
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        dpli_looking looking = looking_for(1.3);
        dpli_edges near;
        dpl_error err;
        size_t at = 0;

        looking.n_threads = n_threads;
        assert_int_equal(dpli_neighbours_all(&near, &looking, &err), DPL_OK);
        for (uint32_t i = 0; i < w.n; i++)
            for (uint32_t j = i + 1; j < w.n; j++) {
                double s = 0;
                bool found;

                for (size_t k = 0; k < DIM; k++)
                    s += (double)w.rows[i * DIM + k] * (double)w.rows[j * DIM + k];
                found = at < near.n && near.items[at].a == i && near.items[at].b == j;
                if (s >= (double)looking.floor)
                    assert_true(found);
                if (s < (double)looking.floor - 2e-4)
                    assert_false(found);
                at += found;
            }
        assert_int_equal(at, near.n);
        free(near.items);
    }
    drop();
}

static void a_face_gives_no_more_than_its_k_most_alike(void **state)
{
    dpli_looking looking;
    dpli_edges near;
    dpl_error err;
    size_t n_of[MAX] = {0};

    (void)state;
    make(SEED, false, 1, 1, 0);
    for (w.n = 0; w.n < 100; w.n++) {
        memset(w.rows + w.n * DIM, 0, DIM * sizeof(float));
        w.rows[w.n * DIM] = 1;
        w.rows[w.n * DIM + 1] = 0.001F * (float)w.n; /* the nearest by place are the most alike */
        unit(w.rows + w.n * DIM);
    }
    looking = looking_for(1);
    looking.k = 4;
    assert_int_equal(dpli_neighbours_all(&near, &looking, &err), DPL_OK);
    for (size_t i = 0; i < near.n; i++) {
        n_of[near.items[i].a]++;
        n_of[near.items[i].b]++;
    }
    assert_true(near.n <= 400);
    for (size_t i = 0; i < w.n; i++)
        assert_true(n_of[i] >= 4);
    free(near.items);
    drop();
}

static void an_index_finds_what_all_pairs_do(void **state)
{
    dpli_looking looking;
    dpli_edges all, near;
    dpl_head *head;
    dpl_error err;
    double recall;

    (void)state;
    make(SEED, false, 60, 10, 0.7);
    looking = looking_for(1.3);
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, DIM, NULL, 0, &err), DPL_OK);
    assert_int_equal(dpli_neighbours_all(&all, &looking, &err), DPL_OK);
    assert_int_equal(dpli_neighbours_by_index(&near, &recall, &looking, head, &err), DPL_OK);
    assert_true(recall == 1); /* so few are searched exactly */
    assert_int_equal(near.n, all.n);
    assert_memory_equal(near.items, all.items, all.n * sizeof *all.items);
    free(all.items);
    free(near.items);
    dpl_head_free(head);
    drop();
}

static void strength_is_the_logarithm_of_the_rate_and_rises_past_the_ends(void **state)
{
    float before = -INFINITY;

    (void)state;
    make(SEED, false, 1, 1, 0);
    assert_true(fabs(dpli_calibration_strength(w.calibration, 0.5F) - 3) < 1e-6);
    assert_true(fabs(dpli_calibration_strength(w.calibration, 0.6F) - 4) < 1e-6);
    assert_true(fabs(dpli_calibration_strength(w.calibration, 0.8F) - 6) < 1e-6);
    for (float x = -1; x <= 1; x += 0.01F) {
        const float strength = (float)dpli_calibration_strength(w.calibration, x);

        assert_true(strength > before);
        before = strength;
    }
    assert_true(isnan(dpli_calibration_strength(w.calibration, NAN)));
    for (double level = 0.5; level < 5; level += 0.5) {
        const float floor = dpli_linkage_floor(w.calibration, level);

        assert_true(dpli_calibration_strength(w.calibration, floor) < level);
        assert_true(dpli_calibration_strength(w.calibration, floor + 1e-4F) >= level);
    }
    drop();
}

static void what_cannot_be_is_refused(void **state)
{
    static const char no_rates[] = "{\"version\":1, \"metric\":\"cosine\", \"pairs\":100, "
                                   "\"points\":[[0, 0.5], [0.5, 0, 0, 0.1]]}";
    const volatile int raised = 1;
    uint32_t group[MAX];
    dpli_edges edges, near;
    dpl_error err;

    (void)state;
    make(SEED, false, 5, 5, 0.3);
    edges = every_edge();
    dpli_linking linking = linking_by(&edges, 1.5);
    dpli_looking looking = looking_for(1.5);
    linking.cancel = looking.cancel = &raised;
    assert_int_equal(dpli_linkage(group, &linking, &err), DPL_E_CANCELLED);
    assert_int_equal(dpli_neighbours_all(&near, &looking, &err), DPL_E_CANCELLED);
    assert_null(near.items);
    dpl_calibration_free(w.calibration);
    assert_int_equal(dpl_calibration_parse(&w.calibration, no_rates, &err), DPL_OK);
    linking = linking_by(&edges, 1.5);
    assert_int_equal(dpli_linkage(group, &linking, &err), DPL_E_ARGUMENT);
    w.n = 0; /* nothing is no failure */
    dpl_calibration_free(w.calibration);
    assert_int_equal(dpl_calibration_parse(&w.calibration, by_score, &err), DPL_OK);
    edges.n = 0;
    linking = linking_by(&edges, 1.5);
    looking = looking_for(1.5);
    run(group, &linking);
    assert_int_equal(dpli_neighbours_all(&near, &looking, &err), DPL_OK);
    assert_int_equal(near.n, 0);
    free(near.items);
    free(edges.items);
    drop();
}

static void every_allocation_may_fail(void **state)
{
    uint32_t group[MAX];
    dpl_status status = DPL_E_MEMORY;
    size_t nth = 0;

    (void)state;
    make(SEED, true, 5, 5, 0.4);
    while (status != DPL_OK) {
        const dpli_edge apart[] = {{0, 1}};
        dpli_edges near = {0};
        dpli_looking looking = looking_for(1.5);
        dpl_error err = {0};

        looking.n_threads = 1;
        fail_allocation(++nth);
        status = dpli_neighbours_all(&near, &looking, &err);
        if (status == DPL_OK) {
            dpli_linking linking = linking_by(&near, 1.5);

            linking.apart = apart;
            linking.n_apart = 1;
            status = dpli_linkage(group, &linking, &err);
        }
        fail_allocation(0);
        assert_true(status == DPL_OK || status == DPL_E_MEMORY);
        free(near.items);
        assert_true(nth < 10000);
    }
    assert_true(nth > 20);
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_adding_up_every_pair_gives),
        cmocka_unit_test(people_are_told_apart_and_each_is_whole),
        cmocka_unit_test(the_order_of_faces_does_not_matter),
        cmocka_unit_test(faces_of_one_photo_and_those_said_to_be_two_people_never_meet),
        cmocka_unit_test(small_groups_have_to_be_more_alike),
        cmocka_unit_test(nothing_is_lost_below_the_floor),
        cmocka_unit_test(neighbours_are_those_of_a_plain_loop_whatever_the_threads),
        cmocka_unit_test(a_face_gives_no_more_than_its_k_most_alike),
        cmocka_unit_test(an_index_finds_what_all_pairs_do),
        cmocka_unit_test(strength_is_the_logarithm_of_the_rate_and_rises_past_the_ends),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
