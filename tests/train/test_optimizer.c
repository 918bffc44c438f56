/*
 * test_optimizer.c - optimizers against PyTorch's trajectories (tests/golden/optimizer) and against
 * their formulas in double; schedules, rules, clipping, averages, and what must not change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "train/optimizer.h"

static void assert_near(double got, double want, double tolerance, const char *what, size_t i)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s at %zu: %.9g, wanted %.9g", what, i, got, want);
}

static dpli_team *make_team(int n)
{
    dpli_team *team;

    assert_int_equal(dpli_team_new(&team, n, NULL), DPL_OK);
    return team;
}

static dpli_optimizer *make(const dpli_optimizer_options *options, dpli_param *const *params,
                            int32_t n_params)
{
    dpli_optimizer *o;

    assert_int_equal(dpli_optimizer_new(&o, options, NULL, 0, params, n_params, NULL), DPL_OK);
    return o;
}

static double step(dpli_optimizer *o, int64_t at, dpli_team *team)
{
    dpli_progress progress = {.step = at, .n_steps = 100, .steps_an_epoch = 10};
    double norm;

    dpli_optimizer_step(o, &progress, team, &norm);
    return norm;
}

/* ------------------------------------------------------------------ PyTorch */

#define N     7
#define STEPS 10

/* Rows of one name, in order; how many there were. */
static int read_rows(double rows[STEPS][N], const char *name)
{
    FILE *f = fopen(DPL_SOURCE_DIR "/tests/golden/optimizer/trajectories.txt", "r");
    char word[64];
    int n = 0, t;

    assert_non_null(f);
    while (fscanf(f, "%63s %d", word, &t) == 2) {
        double row[N];
        for (int i = 0; i < N; i++)
            assert_int_equal(fscanf(f, "%lf", &row[i]), 1);
        if (strcmp(word, name) == 0) {
            assert_true(n < STEPS);
            memcpy(rows[n++], row, sizeof row);
        }
    }
    fclose(f);
    return n;
}

static void trajectories_are_those_of_torch(void **state)
{
    static const struct {
        const char *name;
        dpli_optimizer_kind kind;
        double rate, momentum, beta1, beta2, epsilon, l2, clip;
    } cases[] = {
        {"sgd", DPLI_SGD, 0.05, 0, 0.9, 0.999, 1e-8, 0, 0},
        {"sgd_momentum", DPLI_SGD, 0.05, 0.9, 0.9, 0.999, 1e-8, 0.1, 0},
        {"adam", DPLI_ADAM, 0.01, 0, 0.9, 0.999, 1e-8, 0, 0},
        {"adam_l2", DPLI_ADAM, 0.01, 0, 0.8, 0.95, 1e-6, 0.1, 0},
        {"nadam", DPLI_NADAM, 0.01, 0, 0.9, 0.999, 1e-8, 0, 0},
        {"nadam_l2", DPLI_NADAM, 0.01, 0, 0.8, 0.95, 1e-6, 0.1, 0},
        {"adamw", DPLI_ADAMW, 0.01, 0, 0.9, 0.999, 1e-8, 0.1, 0},
        {"adamw_clipped", DPLI_ADAMW, 0.01, 0, 0.9, 0.999, 1e-8, 0.1, 1.5},
    };
    double start[STEPS][N], gradients[STEPS][N], want[STEPS][N];
    dpli_team *team = make_team(1);

    (void)state;
    assert_int_equal(read_rows(start, "start"), 1);
    assert_int_equal(read_rows(gradients, "gradient"), STEPS);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        dpli_optimizer_options options = dpli_optimizer_defaults(cases[c].kind);
        float w[N], g[N];
        dpli_param p = {.name = "w", .kind = DPLI_PARAM_DENSE, .n = N, .value = w, .grad = g};
        dpli_param *params[] = {&p};
        dpli_optimizer *o;

        options.rate = cases[c].rate;
        options.momentum = options.momentum_end = cases[c].momentum;
        options.beta1 = cases[c].beta1;
        options.beta2 = cases[c].beta2;
        options.epsilon = cases[c].epsilon;
        options.l2 = cases[c].l2;
        options.clip_norm = cases[c].clip;
        for (int i = 0; i < N; i++)
            w[i] = (float)start[0][i];
        assert_int_equal(read_rows(want, cases[c].name), STEPS);
        o = make(&options, params, 1);
        for (int t = 0; t < STEPS; t++) {
            for (int i = 0; i < N; i++)
                g[i] = (float)gradients[t][i];
            step(o, t, team);
            /* Each step rounds numbers of about 1 some four times, by 6e-8 each. torch divides by
               the norm + 1e-6 where it clips. */
            for (size_t i = 0; i < N; i++)
                assert_near(w[i], want[t][i],
                            4 * 6e-8 * (t + 1) * fmax(1, fabs(want[t][i])) +
                                (cases[c].clip > 0 ? 1e-8 : 0),
                            cases[c].name, i);
            /* As if the run had been stopped here and resumed. */
            if (t == 4)
                dpli_optimizer_set_steps(o, dpli_optimizer_steps(o));
        }
        dpli_optimizer_free(o);
    }
    dpli_team_free(team);
}

/* ------------------------------------------------------------------ formulas, on a long row */

#define N_PARAMS 6

typedef struct world {
    dpli_param params[N_PARAMS], *list[N_PARAMS];
} world;

/* Lengths that put the ends of parameters in, at and beyond the ends of blocks. */
static void fill_world(world *k, uint64_t seed)
{
    static const size_t lengths[N_PARAMS] = {5000, 3192, 1, 20001, 77, 64};
    static const char *const layers[N_PARAMS] = {"conv1", "conv1", "bn", "fc", "fc", "bn"};
    static const char *const names[N_PARAMS] = {"a.weight", "a.bias",  "b.gamma",
                                                "c.weight", "c.fixed", "b.mean"};
    static const dpli_param_kind kinds[N_PARAMS] = {DPLI_PARAM_CONV,  DPLI_PARAM_BIAS,
                                                    DPLI_PARAM_SCALE, DPLI_PARAM_DENSE,
                                                    DPLI_PARAM_DENSE, DPLI_PARAM_RUNNING};
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    for (int i = 0; i < N_PARAMS; i++) {
        dpli_param *p = &k->params[i];
        *p = (dpli_param){.name = names[i], .layer = layers[i], .kind = kinds[i], .n = lengths[i]};
        p->value = malloc(p->n * sizeof *p->value);
        p->frozen = i == 4;
        /* The frozen one has a gradient all the same: it is not to be used. */
        p->grad = i == 5 ? NULL : malloc(p->n * sizeof *p->grad);
        for (size_t j = 0; j < p->n; j++)
            p->value[j] = (float)dpli_rng_normal(&rng);
        k->list[i] = p;
    }
}

static void fill_gradients(world *k, uint64_t seed)
{
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    for (int i = 0; i < N_PARAMS; i++)
        for (size_t j = 0; k->params[i].grad && j < k->params[i].n; j++)
            k->params[i].grad[j] = (float)dpli_rng_normal(&rng);
}

static void clear_world(world *k)
{
    for (int i = 0; i < N_PARAMS; i++) {
        free(k->params[i].value);
        free(k->params[i].grad);
    }
}

/* SGD as the header has it, in double, over all parameters; with rates, momenta, norm, clipping,
   rules, penalty and average. */
static void long_rows_follow_the_formula(void **state)
{
    static const dpli_layer_rule rules[] = {{"c.*", 0.5, 0.3}, {"conv?", 2, NAN}, {"*", 7, 7}};
    dpli_optimizer_options options = dpli_optimizer_defaults(DPLI_SGD);
    /* By parameter: factor on the rate, penalty. */
    static const double rate[] = {2, 2, 7, 0.5}, l2[] = {0.01, 0, 0, 0.3};

    (void)state;
    options.schedule = DPLI_SCHEDULE_DECAY;
    options.decay = 0.5;
    options.momentum = 0.5;
    options.momentum_end = 0.9;
    options.l2 = 0.01;
    options.clip_norm = 100;
    options.ema = 0.9;
    for (int threads = 1; threads <= 3; threads += 2) {
        world k;
        double *w[N_PARAMS], *v[N_PARAMS], *average[N_PARAMS];
        dpli_team *team = make_team(threads);
        dpli_optimizer *o;
        double momentum[] = {0.5, 0.5 + 0.4 / 9, 0.5 + 0.8 / 9};

        fill_world(&k, 3);
        assert_int_equal(dpli_optimizer_new(&o, &options, rules, 3, k.list, N_PARAMS, NULL),
                         DPL_OK);
        for (int i = 0; i < N_PARAMS; i++) {
            w[i] = malloc(k.params[i].n * sizeof(double));
            v[i] = calloc(k.params[i].n, sizeof(double));
            average[i] = malloc(k.params[i].n * sizeof(double));
            for (size_t j = 0; j < k.params[i].n; j++)
                average[i][j] = w[i][j] = k.params[i].value[j];
        }
        for (int t = 0; t < 3; t++) {
            double norm = 0, got, eta = 0.01 * pow(0.5, t), keep = fmin(0.9, (2. + t) / (11. + t));

            fill_gradients(&k, 10 + (uint64_t)t);
            if (t == 2) /* short enough to stay as it is */
                for (int i = 0; i < 4; i++)
                    for (size_t j = 0; j < k.params[i].n; j++)
                        k.params[i].grad[j] *= 0.1f;
            for (size_t j = 0; j < k.params[5].n; j++) /* as batch norm does */
                w[5][j] = k.params[5].value[j] += 0.25f;
            for (int i = 0; i < 4; i++)
                for (size_t j = 0; j < k.params[i].n; j++)
                    norm += (double)k.params[i].grad[j] * k.params[i].grad[j];
            norm = sqrt(norm);
            assert_true(t == 2 ? norm < 100 : norm > 100);
            got = step(o, 10 * t, team);
            assert_near(got, norm, 1e-12 * norm, "norm", 0);
            for (int i = 0; i < N_PARAMS; i++)
                for (size_t j = 0; j < k.params[i].n; j++) {
                    if (i < 4) {
                        double g = k.params[i].grad[j] * fmin(1, 100 / norm);
                        v[i][j] = momentum[t] * v[i][j] - eta * rate[i] * (g + l2[i] * w[i][j]);
                        w[i][j] += v[i][j];
                    }
                    average[i][j] = keep * average[i][j] + (1 - keep) * w[i][j];
                    assert_near(k.params[i].value[j], w[i][j], 1e-6, k.params[i].name, j);
                }
        }
        dpli_optimizer_swap_average(o, team);
        for (int i = 0; i < N_PARAMS; i++)
            for (size_t j = 0; j < k.params[i].n; j++)
                assert_near(k.params[i].value[j], i == 4 ? w[i][j] : average[i][j], 2e-6, "average",
                            j);
        dpli_optimizer_swap_average(o, team);
        for (int i = 0; i < N_PARAMS; i++)
            for (size_t j = 0; j < k.params[i].n; j++) {
                assert_near(k.params[i].value[j], w[i][j], 1e-6, "swapped back", j);
                /* The frozen one to the bit. */
                if (i == 4)
                    assert_true(k.params[i].value[j] == (float)w[i][j]);
            }
        for (int i = 0; i < N_PARAMS; i++) {
            free(w[i]);
            free(v[i]);
            free(average[i]);
        }
        dpli_optimizer_free(o);
        dpli_team_free(team);
        clear_world(&k);
    }
}

/* One thread or three, at once or stopped and taken up again: the same bits. */
static void threads_and_resuming_change_no_bit(void **state)
{
    (void)state;
    for (int kind = DPLI_SGD; kind <= DPLI_ADAMW; kind++) {
        dpli_optimizer_options options = dpli_optimizer_defaults((dpli_optimizer_kind)kind);
        world k[2];
        dpli_team *team[2] = {make_team(1), make_team(3)};
        dpli_optimizer *o[2];

        options.l2 = 0.01;
        options.ema = 0.99;
        options.clip_norm = 3;
        for (int r = 0; r < 2; r++) {
            fill_world(&k[r], 5);
            o[r] = make(&options, k[r].list, N_PARAMS);
        }
        for (int t = 0; t < 6; t++) {
            for (int r = 0; r < 2; r++) {
                fill_gradients(&k[r], (uint64_t)t);
                step(o[r], t, team[r]);
            }
            if (t == 2) {
                dpli_optimizer *fresh = make(&options, k[1].list, N_PARAMS);
                int32_t n_arrays = 0;
                const char *name, *same;
                size_t n, n_fresh;
                float *from;

                for (from = dpli_optimizer_state(o[1], n_arrays, &n, &name); from;
                     from = dpli_optimizer_state(o[1], n_arrays, &n, &name)) {
                    float *to = dpli_optimizer_state(fresh, n_arrays++, &n_fresh, &same);
                    assert_int_equal(n, n_fresh);
                    assert_string_equal(name, same);
                    memcpy(to, from, n * sizeof *to);
                }
                assert_int_equal(n_arrays, kind == DPLI_SGD ? 2 : 3);
                assert_true(dpli_optimizer_bytes(o[1]) >= (size_t)n_arrays * n_fresh * 4);
                assert_int_equal(dpli_optimizer_steps(o[1]), 3);
                dpli_optimizer_set_steps(fresh, dpli_optimizer_steps(o[1]));
                dpli_optimizer_free(o[1]);
                o[1] = fresh;
            }
        }
        for (int swapped = 0; swapped < 2; swapped++) {
            for (int i = 0; i < N_PARAMS; i++)
                assert_memory_equal(k[0].params[i].value, k[1].params[i].value,
                                    k[0].params[i].n * sizeof(float));
            for (int r = 0; r < 2; r++)
                dpli_optimizer_swap_average(o[r], team[r]);
        }
        for (int r = 0; r < 2; r++) {
            dpli_optimizer_free(o[r]);
            dpli_team_free(team[r]);
            clear_world(&k[r]);
        }
    }
}

static void gradients_that_are_not_finite_change_nothing(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    dpli_team *team = make_team(2);

    (void)state;
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        dpli_optimizer_options options = dpli_optimizer_defaults(DPLI_NADAM);
        world k, before;
        dpli_optimizer *o;
        const char *name;
        size_t n;
        float *m;

        options.ema = 0.9;
        fill_world(&k, 8);
        fill_world(&before, 8);
        fill_gradients(&k, 8);
        k.params[3].grad[20000] = bad[b];
        o = make(&options, k.list, N_PARAMS);
        assert_false(isfinite(step(o, 0, team)));
        for (int i = 0; i < N_PARAMS; i++)
            assert_memory_equal(k.params[i].value, before.params[i].value,
                                k.params[i].n * sizeof(float));
        assert_int_equal(dpli_optimizer_steps(o), 0);
        m = dpli_optimizer_state(o, 0, &n, &name);
        for (size_t i = 0; i < n; i++)
            assert_true(m[i] == 0);
        dpli_optimizer_free(o);
        clear_world(&k);
        clear_world(&before);
    }
    dpli_team_free(team);
}

/* ------------------------------------------------------------------ schedules */

static void schedules_are_their_formulas(void **state)
{
    dpli_optimizer_options options = dpli_optimizer_defaults(DPLI_SGD);
    dpli_progress at = {.n_steps = 1000, .steps_an_epoch = 100};
    dpli_optimizer *o = make(&options, NULL, 0);

    (void)state;
    at.step = 999;
    assert_near(dpli_optimizer_rate(o, &at), 0.01, 0, "constant", 0);
    dpli_optimizer_free(o);

    options.schedule = DPLI_SCHEDULE_DECAY;
    options.momentum = 0.5;
    o = make(&options, NULL, 0);
    for (at.step = 0; at.step < 1000; at.step += 37) {
        double epoch = floor((double)at.step / 100);
        assert_near(dpli_optimizer_rate(o, &at), 0.01 * pow(0.99, epoch), 1e-15, "decay",
                    (size_t)at.step);
        assert_near(dpli_optimizer_momentum(o, &at), 0.5 + 0.4 * epoch / 9, 1e-15, "momentum",
                    (size_t)at.step);
    }
    dpli_optimizer_free(o);

    options.schedule = DPLI_SCHEDULE_COSINE;
    options.floor = 0.1;
    options.warmup_steps = 10;
    o = make(&options, NULL, 0);
    for (at.step = 0; at.step < 10; at.step++)
        assert_near(dpli_optimizer_rate(o, &at), 0.001 * ((double)at.step + 1), 1e-15, "warm-up",
                    (size_t)at.step);
    at.step = 10;
    assert_near(dpli_optimizer_rate(o, &at), 0.01, 1e-15, "cosine", 10);
    at.step = 504; /* nearly the middle between 10 and 999 */
    assert_near(dpli_optimizer_rate(o, &at), 0.0055, 1e-5, "cosine", 504);
    at.step = 999;
    assert_near(dpli_optimizer_rate(o, &at), 0.001, 1e-15, "cosine", 999);
    at.step = 5000; /* past the end, as a run made longer may ask */
    assert_near(dpli_optimizer_rate(o, &at), 0.001, 1e-15, "cosine", 5000);
    dpli_optimizer_free(o);
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    const dpli_optimizer_options good = dpli_optimizer_defaults(DPLI_ADAM);
    dpli_optimizer_options bad[6];
    static const char *const words[] = {"rate", "beta1", "epsilon", "average", "warm-up", "number"};
    const dpli_layer_rule rule = {"fc*", -1, NAN};
    dpli_optimizer *o;
    dpl_error err;

    (void)state;
    for (int i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].rate = NAN;
    bad[1].beta1 = 1;
    bad[2].epsilon = 0;
    bad[3].ema = 1;
    bad[4].warmup_steps = -1;
    bad[5].kind = (dpli_optimizer_kind)4;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(dpli_optimizer_new(&o, &bad[i], NULL, 0, NULL, 0, &err), DPL_E_ARGUMENT);
        assert_null(o);
        assert_non_null(strstr(err.message, words[i]));
    }
    assert_int_equal(dpli_optimizer_new(&o, &good, &rule, 1, NULL, 0, &err), DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "fc*"));
}

/* Steps in a checkpoint that nobody took must not keep the reader busy. */
static void any_number_of_steps_can_be_set(void **state)
{
    dpli_optimizer_options options = dpli_optimizer_defaults(DPLI_NADAM);
    float w[3] = {1, 2, 3}, g[3] = {0.1f, 0.2f, 0.3f};
    dpli_param p = {.name = "w", .kind = DPLI_PARAM_DENSE, .n = 3, .value = w, .grad = g};
    dpli_param *params[] = {&p};
    dpli_team *team = make_team(1);
    dpli_optimizer *o;

    (void)state;
    options.beta1 = 0.9999;
    o = make(&options, params, 1);
    dpli_optimizer_set_steps(o, (int64_t)1 << 60);
    step(o, 0, team);
    for (int i = 0; i < 3; i++)
        assert_true(isfinite(w[i]));
    dpli_optimizer_free(o);
    dpli_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories_are_those_of_torch),
        cmocka_unit_test(long_rows_follow_the_formula),
        cmocka_unit_test(threads_and_resuming_change_no_bit),
        cmocka_unit_test(gradients_that_are_not_finite_change_nothing),
        cmocka_unit_test(schedules_are_their_formulas),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
        cmocka_unit_test(any_number_of_steps_can_be_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
