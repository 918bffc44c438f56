/*
 * test_score_head.c - heads against the formulas written out, on odd shapes; what is not finite
 * never becomes a number; a head is read from a model's facts or refused with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "doppel/score.h"
#include "index/head.h"

#define SEED 20240611

/* A model that has just the facts that a test gives it: the linker puts these in place of the
   encoder's. */
static const char *fact_head, *fact_weights, *fact_bias;
static int32_t fact_dim;

const char *__wrap_dpl_encoder_fact(const dpl_encoder *encoder, const char *name);
int32_t __wrap_dpl_encoder_dim(const dpl_encoder *encoder);

const char *__wrap_dpl_encoder_fact(const dpl_encoder *encoder, const char *name)
{
    (void)encoder;
    if (!strcmp(name, "head"))
        return fact_head;
    if (!strcmp(name, "head.weights"))
        return fact_weights;
    return !strcmp(name, "head.bias") ? fact_bias : NULL;
}

int32_t __wrap_dpl_encoder_dim(const dpl_encoder *encoder)
{
    (void)encoder;
    return fact_dim;
}

static const dpl_head_kind kinds[] = {DPL_HEAD_COSINE, DPL_HEAD_EUCLIDEAN, DPL_HEAD_L1_SIGMOID,
                                      DPL_HEAD_EXP_MANHATTAN};

static dpl_head *make(dpl_head_kind kind, int32_t dim, const float *weights, float bias)
{
    dpl_head *head = NULL;
    dpl_error err = {0};
    int weighted = kind == DPL_HEAD_L1_SIGMOID;

    if (dpl_head_new(&head, kind, dim, weighted ? weights : NULL, weighted ? bias : 0, &err))
        fail_msg("%s", err.message);
    return head;
}

static double reference(dpl_head_kind kind, int32_t dim, const float *w, float bias, const float *a,
                        const float *b)
{
    double ab = 0, aa = 0, bb = 0, l1 = 0, l2 = 0, wl1 = bias;

    for (int32_t i = 0; i < dim; i++) {
        double x = a[i], y = b[i];
        ab += x * y;
        aa += x * x;
        bb += y * y;
        l1 += fabs(x - y);
        l2 += (x - y) * (x - y);
        wl1 += w[i] * fabs(x - y);
    }
    switch (kind) {
    case DPL_HEAD_COSINE: return ab / sqrt(aa * bb);
    case DPL_HEAD_EUCLIDEAN: return -sqrt(l2);
    case DPL_HEAD_L1_SIGMOID: return 1 / (1 + exp(-wl1));
    case DPL_HEAD_EXP_MANHATTAN: return exp(-l1);
    }
    return NAN;
}

static void heads_score_as_their_formulas_do(void **state)
{
    static const int32_t dims[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 192, 512, 1001};
    enum { N = 5 };
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    dpli_rng_seed(&rng, SEED);
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        int32_t dim = dims[d];
        float *w = malloc((size_t)dim * sizeof *w), *a = malloc((size_t)dim * sizeof *a);
        float *rows = malloc((size_t)dim * N * sizeof *rows), out[N];

        for (int32_t i = 0; i < dim; i++) {
            w[i] = (float)dpli_rng_normal(&rng) / (float)sqrt(dim);
            a[i] = (float)dpli_rng_normal(&rng) / (float)sqrt(dim);
        }
        for (int32_t i = 0; i < dim * N; i++)
            rows[i] = (float)dpli_rng_normal(&rng) / (float)sqrt(dim);
        for (size_t k = 0; k < 4; k++) {
            dpl_head *head = make(kinds[k], dim, w, -0.25f);

            dpl_head_scores(out, head, a, rows, N);
            for (int r = 0; r < N; r++) {
                const float *b = rows + r * dim;
                double want = reference(kinds[k], dim, w, -0.25f, a, b);
                /* One rounding to float, and what 1001 double roundings leave of it. */
                double tolerance = (fabs(want) + 1e-30) * FLT_EPSILON;

                if (!(fabs(out[r] - want) <= tolerance))
                    fail_msg("%s of dim %d, row %d: %.9g, not %.9g", dpl_head_name(head), (int)dim,
                             r, (double)out[r], want);
                /* To the bit: alone or in a batch, and whichever comes first. */
                assert_true(out[r] == dpl_head_score(head, a, b));
                assert_true(out[r] == dpl_head_score(head, b, a));
            }
            dpl_head_free(head);
        }
        free(w);
        free(a);
        free(rows);
    }
}

static void many_rows_score_as_each_does_alone(void **state)
{
    enum { N = 700, DIM = 5 };
    static float rows[N * DIM], out[N];
    const float w[DIM] = {-1, 2, -3, 4, -5}, a[DIM] = {1, 0.5f, 0, -0.5f, -1};
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    for (int i = 0; i < N * DIM; i++)
        rows[i] = (float)dpli_rng_normal(&rng);
    for (size_t k = 0; k < 4; k++) {
        dpl_head *head = make(kinds[k], DIM, w, 0);

        dpl_head_scores(out, head, a, rows, N);
        for (int r = 0; r < N; r++)
            assert_true(out[r] == dpl_head_score(head, a, rows + r * DIM));
        dpl_head_free(head);
    }
}

static void more_alike_is_a_higher_score(void **state)
{
    const float a[3] = {1, 0, 0}, near[3] = {0.9f, 0.1f, 0}, far[3] = {-1, 0.5f, 0};
    const float w[3] = {-1, -1, -1};

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        dpl_head *head = make(kinds[k], 3, w, 2);

        assert_true(dpl_head_score(head, a, a) > dpl_head_score(head, a, near));
        assert_true(dpl_head_score(head, a, near) > dpl_head_score(head, a, far));
        dpl_head_free(head);
    }
}

static void what_is_not_finite_scores_nan(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const float w[20] = {-1, 0}; /* a weight of 0 must not hide it either */

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        dpl_head *head = make(kinds[k], 20, w, 0);

        for (size_t v = 0; v < 3; v++) {
            for (int at = 0; at < 20; at++) {
                float a[20], b[20];

                for (int i = 0; i < 20; i++)
                    a[i] = b[i] = i == 7 ? 0.0f : 0.5f;
                a[at] = bad[v];
                assert_true(isnan(dpl_head_score(head, a, b)));
                assert_true(isnan(dpl_head_score(head, b, a)));
                b[at] = bad[v];
                assert_true(isnan(dpl_head_score(head, a, b)));
            }
        }
        dpl_head_free(head);
    }
}

static void finite_vectors_score_finitely_but_for_the_angle_to_zero(void **state)
{
    float huge[16], minus[16], zero[16] = {0}, w[16], tiny[16];

    (void)state;
    for (int i = 0; i < 16; i++) {
        huge[i] = FLT_MAX;
        minus[i] = -FLT_MAX;
        w[i] = i % 2 ? FLT_MAX : -FLT_MAX;
        tiny[i] = 1e-42f;
    }
    for (size_t k = 0; k < 4; k++) {
        dpl_head *head = make(kinds[k], 16, w, FLT_MAX);
        float s = dpl_head_score(head, huge, minus), t = dpl_head_score(head, tiny, tiny);

        assert_true(isfinite(s));
        assert_true(isfinite(t));
        assert_true(t >= s);
        assert_int_equal(isnan(dpl_head_score(head, zero, huge)), kinds[k] == DPL_HEAD_COSINE);
        dpl_head_free(head);
    }
}

static void a_head_that_cannot_score_is_refused(void **state)
{
    float w[2] = {1, NAN};
    dpl_head *head = (dpl_head *)1;
    dpl_error err = {0};

    (void)state;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_L1_SIGMOID, 2, w, 0, &err), DPL_E_MODEL);
    assert_string_equal(err.message, "the head's weight 1 is not finite");
    assert_null(head);
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_L1_SIGMOID, 2, NULL, 0, &err), DPL_E_MODEL);
    w[1] = 1;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_L1_SIGMOID, 2, w, INFINITY, &err), DPL_E_MODEL);
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, 2, w, 0, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_head_new(&head, (dpl_head_kind)4, 2, NULL, 0, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, 0, NULL, 0, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, INT32_MAX, NULL, 0, NULL),
                     DPL_E_ARGUMENT);
    dpl_head_free(NULL);
}

static void a_models_facts_name_its_head(void **state)
{
    static const struct {
        const char *head, *weights, *bias;
        dpl_status status;
        const char *says; /* the head's name, or the error */
    } cases[] = {
        {NULL, NULL, NULL, DPL_OK, "cosine"},
        {"cosine", NULL, NULL, DPL_OK, "cosine"},
        {"euclidean", NULL, NULL, DPL_OK, "euclidean"},
        {"exp-manhattan", NULL, NULL, DPL_OK, "exp-manhattan"},
        {"l1-sigmoid", "AACAvwAAAMA=", "1.5", DPL_OK, "l1-sigmoid"},
        {"l1-sigmoid", "AACAvwAAAMA=", NULL, DPL_OK, "l1-sigmoid"},
        {"Cosine", NULL, NULL, DPL_E_MODEL, "the model's head \"Cosine\" is unknown"},
        {"", NULL, NULL, DPL_E_MODEL, "the model's head \"\" is unknown"},
        {"l1-sigmoid", NULL, NULL, DPL_E_MODEL, "the head l1-sigmoid has no weights"},
        {"l1-sigmoid", "AACAvw==", NULL, DPL_E_MODEL,
         "the fact \"head.weights\" holds 4 bytes, 2 float32 are 8"},
        {"l1-sigmoid", "AACAvwAAwH8=", NULL, DPL_E_MODEL, "the head's weight 1 is not finite"},
        {"l1-sigmoid", "AACA!wAAAMA=", NULL, DPL_E_MODEL,
         "the fact \"head.weights\" is not base64"},
        {"l1-sigmoid", "AACAvwAAAMA=", "1.5x", DPL_E_MODEL,
         "the fact \"head.bias\" is not a number: \"1.5x\""},
        {"l1-sigmoid", "AACAvwAAAMA=", "", DPL_E_MODEL,
         "the fact \"head.bias\" is not a number: \"\""},
        {"l1-sigmoid", "AACAvwAAAMA=", "1e99", DPL_E_MODEL,
         "the fact \"head.bias\" is not a number: \"1e99\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dpl_head *head = NULL;
        dpl_error err = {0};

        fact_head = cases[i].head;
        fact_weights = cases[i].weights;
        fact_bias = cases[i].bias;
        fact_dim = 2;
        assert_int_equal(dpl_head_open(&head, NULL, &err), cases[i].status);
        if (cases[i].status == DPL_OK) {
            assert_string_equal(dpl_head_name(head), cases[i].says);
            assert_int_equal(dpl_head_dim(head), 2);
            if (dpl_head_get_kind(head) == DPL_HEAD_L1_SIGMOID) {
                const float a[2] = {1, 2}, b[2] = {1.5f, 2.25f}; /* -1 * 0.5 - 2 * 0.25 */
                double z = (cases[i].bias ? 1.5 : 0) - 1.0;

                assert_true(dpl_head_score(head, a, b) == (float)(1 / (1 + exp(-z))));
            }
        } else {
            assert_null(head);
            assert_string_equal(err.message, cases[i].says);
        }
        dpl_head_free(head);
    }
    fact_head = NULL;
    fact_dim = 0;
    dpl_head *head = NULL;
    assert_int_equal(dpl_head_open(&head, NULL, NULL), DPL_E_MODEL);
}

static void heads_that_rank_differently_have_different_sums(void **state)
{
    const float w[4] = {-1, -2, -3, -4}, v[4] = {-1, -2, -3, -5};
    dpl_head *heads[] = {
        make(DPL_HEAD_COSINE, 4, w, 0),     make(DPL_HEAD_COSINE, 5, w, 0),
        make(DPL_HEAD_EUCLIDEAN, 4, w, 0),  make(DPL_HEAD_EXP_MANHATTAN, 4, w, 0),
        make(DPL_HEAD_L1_SIGMOID, 4, w, 0), make(DPL_HEAD_L1_SIGMOID, 4, v, 0),
        make(DPL_HEAD_L1_SIGMOID, 4, w, 1),
    };
    enum { N = sizeof heads / sizeof heads[0] };
    dpl_head *again = make(DPL_HEAD_L1_SIGMOID, 4, v, 0);

    (void)state;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++)
            assert_true(dpli_head_sum(heads[i]) != dpli_head_sum(heads[j]));
    assert_true(dpli_head_sum(again) == dpli_head_sum(heads[5]));
    for (int i = 0; i < N; i++)
        dpl_head_free(heads[i]);
    dpl_head_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_score_as_their_formulas_do),
        cmocka_unit_test(many_rows_score_as_each_does_alone),
        cmocka_unit_test(more_alike_is_a_higher_score),
        cmocka_unit_test(what_is_not_finite_scores_nan),
        cmocka_unit_test(finite_vectors_score_finitely_but_for_the_angle_to_zero),
        cmocka_unit_test(a_head_that_cannot_score_is_refused),
        cmocka_unit_test(a_models_facts_name_its_head),
        cmocka_unit_test(heads_that_rank_differently_have_different_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
