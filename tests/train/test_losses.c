/*
 * test_losses.c - every loss against its formula in double, and its gradients, of embeddings and of
 * its own parameters, against central differences of that formula; extremes, what is not finite,
 * threads, limits.
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
#include "doppel/score.h"
#include "tests/failing_alloc.h"
#include "train/loss.h"

static dpli_team *make_team(int n)
{
    dpli_team *team;

    assert_int_equal(dpli_team_new(&team, n, NULL), DPL_OK);
    return team;
}

static dpli_loss_options options_of(dpli_loss_kind kind, int32_t dim)
{
    return (dpli_loss_options){.kind = kind,
                               .dim = dim,
                               .n_classes = 5,
                               .margin = NAN,
                               .scale = NAN,
                               .temperature = NAN,
                               .seed = 7};
}

static int n_teachers_of(dpli_loss_kind kind)
{
    return !dpli_loss_takes_teachers(kind) ? 0 : kind == DPLI_LOSS_DISTIL ? 2 : 1;
}

static dpli_loss *make(const dpli_loss_options *options)
{
    dpli_loss *loss;

    assert_int_equal(dpli_loss_new(&loss, options, NULL), DPL_OK);
    return loss;
}

/* ------------------------------------------------------------------ the formulas, in double */

typedef struct world {
    dpli_loss_options options;
    int32_t dims[2];
    int n;
    double *x;         /* [n, dim] */
    double *params[2]; /* as dpli_loss_param has them */
    float *teachers[2];
    int32_t *labels;
    dpli_pair *pairs;
    size_t n_pairs;
    size_t n_right;
    int n_fallbacks, n_semi_hard; /* what the reference's mining came across */
    int n_over;                   /* rows with theta + m over pi */
} world;

static double length(const double *a, int n)
{
    double s = 0;

    for (int i = 0; i < n; i++)
        s += a[i] * a[i];
    return sqrt(s);
}

static double cosine(const double *a, const double *b, int n)
{
    double s = 0;

    for (int i = 0; i < n; i++)
        s += a[i] * b[i];
    return s / (length(a, n) * length(b, n));
}

static double reference_pair(const world *k, const dpli_pair *p, bool *right)
{
    const int dim = k->options.dim;
    const double *a = k->x + p->a * dim, *b = k->x + p->b * dim, t = p->target;
    double l1 = 0, wl1 = 0, l2 = 0, d, s, loss;
    bool same;

    for (int i = 0; i < dim; i++) {
        d = fabs(a[i] - b[i]);
        l1 += d;
        l2 += d * d;
        if (k->options.kind == DPLI_LOSS_L1_SIGMOID)
            wl1 += k->params[0][i] * d;
        if (k->options.kind == DPLI_LOSS_L1_SIMILARITY)
            wl1 += k->params[0][i] * (1 - d);
    }
    switch (k->options.kind) {
    case DPLI_LOSS_CONTRASTIVE:
        d = sqrt(l2);
        loss = t * d * d / 2 + (1 - t) * pow(fmax(0, 1 - d), 2) / 2;
        same = d < 0.5;
        break;
    case DPLI_LOSS_DISTANCE_SIGMOID:
        wl1 = k->params[0][0] * sqrt(l2);
        s = 1 / (1 + exp(-wl1 - k->params[1][0]));
        loss = -t * log(s) - (1 - t) * log(1 - s);
        same = s > 0.5;
        break;
    case DPLI_LOSS_COSINE_SE:
        s = cosine(a, b, dim);
        loss = pow(s - t, 2);
        same = s > 0.5;
        break;
    case DPLI_LOSS_L1_SIGMOID:
    case DPLI_LOSS_L1_SIMILARITY:
        s = 1 / (1 + exp(-wl1 - k->params[1][0]));
        loss = -t * log(s) - (1 - t) * log(1 - s);
        same = s > 0.5;
        break;
    case DPLI_LOSS_MANHATTAN_CE:
        s = exp(-l1);
        loss = -t * log(s) - (1 - t) * log(1 - s);
        same = s > 0.5;
        break;
    case DPLI_LOSS_MANHATTAN_SE:
        s = exp(-l1);
        loss = pow(s - t, 2);
        same = s > 0.5;
        break;
    default:
        s = cosine(a, b, dim);
        loss = t * (1 - s) + (1 - t) * fmax(0, s - 0.5);
        same = s > 0.75;
        break;
    }
    *right = same == (t > 0.5);
    return loss;
}

static double reference_triplet(world *k)
{
    const int dim = k->options.dim, n = k->n;
    double sum = 0;
    int active = 0;

    k->n_fallbacks = k->n_semi_hard = 0;
    for (int a = 0; a < n; a++) {
        double d[64], best = INFINITY;
        int near = -1;

        for (int j = 0; j < n; j++) { /* squared distances of unit vectors, by their definition */
            double la = length(k->x + a * dim, dim), lj = length(k->x + j * dim, dim);
            d[j] = 0;
            for (int i = 0; i < dim; i++)
                d[j] += pow(k->x[a * dim + i] / la - k->x[j * dim + i] / lj, 2);
            if (j != a && d[j] < best) {
                best = d[j];
                near = j;
            }
        }
        k->n_right += k->labels[near] == k->labels[a];
        for (int p = 0; p < n; p++) {
            double beyond = INFINITY, farthest = 0, negative;

            if (p == a || k->labels[p] != k->labels[a])
                continue;
            for (int j = 0; j < n; j++)
                if (k->labels[j] != k->labels[a]) {
                    if (d[j] > d[p])
                        beyond = fmin(beyond, d[j]);
                    farthest = fmax(farthest, d[j]);
                }
            negative = isfinite(beyond) ? beyond : farthest;
            if (d[p] - negative + 0.2 > 0) {
                sum += d[p] - negative + 0.2;
                active++;
                k->n_semi_hard += isfinite(beyond);
                k->n_fallbacks += !isfinite(beyond);
            }
        }
    }
    return active ? sum / active : 0;
}

static double reference_arc(world *k)
{
    const int dim = k->options.dim, n_classes = k->options.n_classes;
    const double m = k->options.margin, s = k->options.scale;
    double sum = 0;

    k->n_over = 0;
    for (int r = 0; r < k->n; r++) {
        double z[8], own = 0, all = 0, top = -INFINITY, best = -2;
        int at = -1;

        for (int c = 0; c < n_classes; c++) {
            double cos_c = cosine(k->x + r * dim, k->params[0] + c * dim, dim);
            z[c] = s * cos_c;
            if (c == k->labels[r]) {
                bool over = acos(cos_c) + m > acos(-1);
                own = z[c] = s * (over ? cos_c - m * sin(m) : cos(acos(cos_c) + m));
                k->n_over += over;
            }
            if (cos_c > best) {
                best = cos_c;
                at = c;
            }
            top = fmax(top, z[c]);
        }
        for (int c = 0; c < n_classes; c++)
            all += exp(z[c] - top);
        sum += log(all) + top - own;
        k->n_right += at == k->labels[r];
    }
    return sum / k->n;
}

static double reference_distil(world *k)
{
    const int dim = k->options.dim;
    double sum = 0;

    for (int i = 0, map = 0; i < k->options.n_teachers; i++) {
        const int td = k->dims[i];
        const double *m = td == dim ? NULL : k->params[map++];
        double *y = malloc((size_t)td * sizeof *y), *t = malloc((size_t)td * sizeof *t);

        for (int r = 0; r < k->n; r++) {
            for (int j = 0; j < td; j++) {
                t[j] = k->teachers[i][r * td + j];
                y[j] = m ? 0 : k->x[r * dim + j];
                for (int c = 0; m && c < dim; c++)
                    y[j] += m[j * dim + c] * k->x[r * dim + c];
            }
            sum += 1 - cosine(y, t, td);
        }
        free(y);
        free(t);
    }
    return sum / (k->n * k->options.n_teachers);
}

/* Rows and columns of the cosines between rows and the teacher's vectors, both ways. */
static double reference_across(world *k)
{
    const int dim = k->options.dim, n = k->n;
    const double s = !k->params[0] ? 1 / (double)k->options.temperature : exp(k->params[0][0]);
    double sum = 0, c[64][64];

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double t[2048];
            for (int d = 0; d < dim; d++)
                t[d] = k->teachers[0][j * dim + d];
            c[i][j] = cosine(k->x + i * dim, t, dim);
        }
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < n; i++) {
            double all = 0, own = 0, below = -2, least = 2, best = -2;
            int n_own = 0, at = -1;
            for (int j = 0; j < n; j++) {
                const double v = way ? c[j][i] : c[i][j];
                const bool same = k->labels[i] == k->labels[j];
                all += exp(s * v);
                own += same ? s * v : 0;
                n_own += same;
                if (!same && v < c[i][i])
                    below = fmax(below, v);
                if (!same)
                    least = fmin(least, v);
                if (v > best) {
                    best = v;
                    at = j;
                }
            }
            if (k->options.kind == DPLI_LOSS_INFO_NCE)
                sum += (log(all) - own / n_own) / 2;
            else if (least < 2)
                sum += fmax(0, 0.2 - c[i][i] + (below > -2 ? below : least));
            k->n_right += way == 0 && k->labels[at] == k->labels[i];
        }
    return sum / n;
}

static double reference(world *k)
{
    double sum = 0;
    bool right;

    k->n_right = 0;
    switch (k->options.kind) {
    case DPLI_LOSS_TRIPLET: return reference_triplet(k);
    case DPLI_LOSS_ARC: return reference_arc(k);
    case DPLI_LOSS_DISTIL: return reference_distil(k);
    case DPLI_LOSS_INFO_NCE:
    case DPLI_LOSS_RANKING: return reference_across(k);
    default:
        for (size_t i = 0; i < k->n_pairs; i++) {
            sum += k->pairs[i].weight * reference_pair(k, &k->pairs[i], &right);
            k->n_right += right;
        }
        return sum;
    }
}

/* ------------------------------------------------------------------ gradients */

/* How large embeddings are where the loss is neither flat nor saturated. */
static double scale_of(dpli_loss_kind kind, int dim)
{
    switch (kind) {
    case DPLI_LOSS_CONTRASTIVE:
    case DPLI_LOSS_DISTANCE_SIGMOID: return 0.5 / sqrt(dim);
    case DPLI_LOSS_MANHATTAN_CE:
    case DPLI_LOSS_MANHATTAN_SE: return 0.7 / dim;
    default: return 1;
    }
}

static void fill_world(world *k, const dpli_loss_options *options, int n, uint64_t seed)
{
    const int dim = options->dim;
    const double scale = scale_of(options->kind, dim);
    double sum = 0;
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    memset(k, 0, sizeof *k);
    k->options = *options;
    k->n = n;
    k->x = malloc((size_t)(n * dim) * sizeof *k->x);
    k->labels = malloc((size_t)n * sizeof *k->labels);
    k->pairs = malloc((size_t)(n * n) * sizeof *k->pairs);
    for (int r = 0; r < n; r++) {
        k->labels[r] = (int32_t)dpli_rng_below(&rng, options->n_classes < 4 ? 2 : 4);
        /* Rows have much in common, as a network's have: what is common must cancel. */
        for (int i = 0; i < dim; i++)
            k->x[r * dim + i] = (float)(scale * (dpli_rng_normal(&rng) + 2 * sin(i)));
    }
    for (int a = 0; a < n; a++)
        for (int b = a % 2; b < n; b += 1 + a % 3)
            if (a != b) {
                dpli_pair *p = &k->pairs[k->n_pairs++];
                *p = (dpli_pair){a, b, (float)dpli_rng_below(&rng, 2), 0};
                p->weight = (float)(0.5 + dpli_rng_unit(&rng));
                if (k->n_pairs % 7 == 3)
                    p->target = 0.375f;
                sum += p->weight;
            }
    for (size_t i = 0; i < k->n_pairs; i++)
        k->pairs[i].weight /= (float)sum;
    for (int i = 0; i < options->n_teachers; i++) {
        k->dims[i] = options->teacher_dims[i];
        k->teachers[i] = malloc((size_t)(n * k->dims[i]) * sizeof(float));
        for (int j = 0; j < n * k->dims[i]; j++)
            k->teachers[i][j] = (float)dpli_rng_normal(&rng);
    }
}

static void clear_world(world *k)
{
    free(k->x);
    free(k->labels);
    free(k->pairs);
    for (int i = 0; i < 2; i++) {
        free(k->params[i]);
        free(k->teachers[i]);
    }
}

/* The gradient of n numbers x, as two teams have it: got[0], got[1] [n]. */
static double check_gradient(world *k, double *x, float *const got[2], size_t n, const char *what)
{
    double *want = malloc(n * sizeof *want), largest = 0, worst = 0;

    for (size_t i = 0; i < n; i++) {
        /* Entropies of about 3 are known to 4e-16, their gradients are small: no smaller step. */
        const double least = k->options.kind >= DPLI_LOSS_INFO_NCE ? 1 : 1e-2;
        double h = 1e-6 * fmax(fabs(x[i]), least), before = x[i], high, low;
        x[i] = before + h;
        high = reference(k);
        x[i] = before - h;
        low = reference(k);
        x[i] = before;
        want[i] = (high - low) / (2 * h);
        largest = fmax(largest, fabs(want[i]));
    }
    assert_true(largest > 0);
    for (size_t i = 0; i < 2 * n; i++) {
        double off = fabs(got[i / n][i % n] - want[i % n]) / largest;
        /* Float32 sums of up to some thousand terms, and differences of a double. */
        if (!(off <= 2e-5))
            fail_msg("kind %d, %d rows of %d, %s %zu: %.9g, wanted %.9g (largest %.3g)",
                     (int)k->options.kind, k->n, (int)k->options.dim, what, i % n,
                     (double)got[i / n][i % n], want[i % n], largest);
        worst = fmax(worst, off);
    }
    free(want);
    return worst;
}

/* All of a loss, with one thread and with three; the worst error of a gradient. */
static double check(const dpli_loss_options *options, int n, uint64_t seed, world *seen)
{
    const size_t n_x = (size_t)(n * options->dim);
    float *x = malloc(n_x * sizeof *x), *grad[2], *param_grads[2][2];
    int32_t n_params = 0;
    size_t sizes[2];
    const char *const names[] = {"first parameter", "second parameter"};
    double worst;
    world k;

    fill_world(&k, options, n, seed);
    for (size_t i = 0; i < n_x; i++)
        x[i] = (float)k.x[i];
    for (int run = 0; run < 2; run++) {
        dpli_team *team = make_team(1 + 2 * run);
        dpli_loss *loss = make(options);
        dpli_loss_batch batch = {.n = n,
                                 .embeddings = x,
                                 .labels = k.labels,
                                 .pairs = k.pairs,
                                 .n_pairs = k.n_pairs,
                                 .teachers = (const float *const *)k.teachers};
        double got, alone, want;
        size_t n_right;
        dpli_rng rng;

        dpli_rng_seed(&rng, seed + 100);
        batch.grad = grad[run] = malloc(n_x * sizeof *x);
        for (size_t i = 0; i < n_x; i++)
            grad[run][i] = NAN; /* all of it is written */
        n_params = dpli_loss_n_params(loss);
        for (int32_t i = 0; i < n_params; i++) {
            dpli_param *p = dpli_loss_param(loss, i);
            if (run == 0)
                k.params[i] = malloc(p->n * sizeof(double));
            sizes[i] = p->n;
            for (size_t j = 0; j < p->n; j++) {
                p->value[j] += (float)(0.1 * dpli_rng_normal(&rng) / sqrt(options->dim));
                k.params[i][j] = p->value[j];
                p->grad[j] = NAN;
            }
        }
        assert_int_equal(dpli_loss_run(&got, loss, &batch, team, &n_right, NULL), DPL_OK);
        want = reference(&k);
        if (!(fabs(got - want) <= 2e-6 * fmax(fabs(want), 0.1)))
            fail_msg("kind %d, %d rows of %d: %.9g, wanted %.9g", (int)options->kind, n,
                     (int)options->dim, got, want);
        assert_int_equal(n_right, k.n_right);
        for (int32_t i = 0; i < n_params; i++) {
            dpli_param *p = dpli_loss_param(loss, i);
            param_grads[i][run] = malloc(p->n * sizeof(float));
            memcpy(param_grads[i][run], p->grad, p->n * sizeof(float));
            p->grad[0] = 12345;
        }
        /* The loss alone: the same, and nothing else is touched. */
        batch.grad = NULL;
        assert_int_equal(dpli_loss_run(&alone, loss, &batch, team, NULL, NULL), DPL_OK);
        assert_true(alone == got);
        for (int32_t i = 0; i < n_params; i++)
            assert_true(dpli_loss_param(loss, i)->grad[0] == 12345);
        dpli_loss_free(loss);
        dpli_team_free(team);
    }
    *seen = k;
    worst = check_gradient(&k, k.x, grad, n_x, "embedding");
    for (int32_t i = 0; i < n_params; i++)
        worst = fmax(worst, check_gradient(&k, k.params[i], param_grads[i], sizes[i], names[i]));
    for (int run = 0; run < 2; run++) {
        free(grad[run]);
        for (int32_t i = 0; i < n_params; i++)
            free(param_grads[i][run]);
    }
    clear_world(&k);
    free(x);
    return worst;
}

/* Rows, dim: below, at and beyond what the sums and gathers take at once. */
static const int shapes[][2] = {{4, 1}, {5, 3}, {11, 16}, {9, 67}, {7, 133}, {3, 1100}};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

static void losses_of_pairs_are_their_formulas_and_so_are_gradients(void **state)
{
    (void)state;
    for (int kind = DPLI_LOSS_CONTRASTIVE; kind <= DPLI_LOSS_COSINE; kind++) {
        double worst = 0;
        for (size_t s = 0; s < N_SHAPES; s++) {
            dpli_loss_options options = options_of((dpli_loss_kind)kind, shapes[s][1]);
            world seen;
            /* Two vectors of one number have a cosine of 1 or -1: nothing to move. */
            if ((kind != DPLI_LOSS_COSINE && kind != DPLI_LOSS_COSINE_SE) || options.dim > 1)
                worst = fmax(worst, check(&options, shapes[s][0], s + 1, &seen));
        }
        print_message("kind %d: worst gradient %.2g of the largest\n", kind, worst);
    }
}

static void triplet_loss_is_its_formula_and_so_is_its_gradient(void **state)
{
    int n_semi_hard = 0, n_fallbacks = 0;
    double worst = 0;

    (void)state;
    for (size_t s = 1; s < 4; s++) {
        dpli_loss_options options = options_of(DPLI_LOSS_TRIPLET, shapes[s][1]);
        world seen;
        worst = fmax(worst, check(&options, shapes[s][0] + 6, s, &seen));
        n_semi_hard += seen.n_semi_hard;
        n_fallbacks += seen.n_fallbacks;
    }
    assert_true(n_semi_hard > 0 && n_fallbacks > 0);
    print_message("worst gradient %.2g of the largest\n", worst);
}

static void arc_loss_is_its_formula_and_so_are_gradients(void **state)
{
    static const float margins[] = {0, 0.5f, 2.5f}, scales[] = {1, 64};
    double worst = 0;

    (void)state;
    for (size_t m = 0; m < 3; m++)
        for (size_t s = 1; s < 4; s++) {
            dpli_loss_options options = options_of(DPLI_LOSS_ARC, shapes[s][1]);
            world seen;
            options.margin = margins[m];
            options.scale = scales[s % 2];
            worst = fmax(worst, check(&options, shapes[s][0], s, &seen));
            /* Where theta + m is over pi the other form is tried as well. */
            if (m == 2)
                assert_true(seen.n_over > 0);
        }
    print_message("worst gradient %.2g of the largest\n", worst);
}

static void distillation_is_its_formula_and_so_are_gradients(void **state)
{
    double worst = 0;

    (void)state;
    for (size_t s = 1; s < 4; s++)
        for (int teachers = 0; teachers < 3; teachers++) {
            dpli_loss_options options = options_of(DPLI_LOSS_DISTIL, shapes[s][1] / 2 + 2);
            const int32_t dim = options.dim;
            const int32_t dims[][2] = {{dim, dim}, {dim, dim + 3}, {29, dim - 1}};
            world seen;
            options.n_teachers = 2;
            options.teacher_dims = dims[teachers];
            worst = fmax(worst, check(&options, shapes[s][0], s, &seen));
        }
    print_message("worst gradient %.2g of the largest\n", worst);
}

/* A learnt scale, given ones, soft and sharp. */
static void losses_across_are_their_formulas_and_so_are_gradients(void **state)
{
    static const float temperatures[] = {NAN, 0.05f, 1};
    double worst = 0;

    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++)
        for (int t = 0; t < 4; t++) {
            dpli_loss_options options =
                options_of(t < 3 ? DPLI_LOSS_INFO_NCE : DPLI_LOSS_RANKING, shapes[s][1]);
            world seen;
            if (options.dim == 1) /* nothing to move, see above */
                continue;
            options.temperature = temperatures[t % 3];
            options.n_teachers = 1;
            options.teacher_dims = &options.dim;
            /* More rows, for more pairs of them; the widest have enough of what is wide. */
            worst =
                fmax(worst, check(&options, shapes[s][0] + (options.dim > 1000 ? 1 : 6), s, &seen));
        }
    print_message("worst gradient %.2g of the largest\n", worst);
}

/* Rows of one class are nobody's rivals: with a single class there is nothing to rank. */
static void vectors_of_the_same_class_are_not_pushed_apart(void **state)
{
    static const float x[] = {1, 0, 0, 1, 1, 1}, targets[] = {0, 1, 1, 0, 1, -1};
    static const int32_t labels[] = {3, 3, 3};
    const float *teachers[] = {targets};
    dpli_loss_options options = options_of(DPLI_LOSS_RANKING, 2);
    float grad[6];
    dpli_loss_batch batch = {
        .n = 3, .embeddings = x, .grad = grad, .labels = labels, .teachers = teachers};
    dpli_team *team = make_team(2);
    dpli_loss *loss;
    size_t n_right;
    double out;

    (void)state;
    options.n_teachers = 1;
    options.teacher_dims = &options.dim;
    loss = make(&options);
    assert_int_equal(dpli_loss_run(&out, loss, &batch, team, &n_right, NULL), DPL_OK);
    assert_true(out == 0 && n_right == 3);
    for (int i = 0; i < 6; i++)
        assert_true(grad[i] == 0);
    dpli_loss_free(loss);
    dpli_team_free(team);
}

/* The scale is learnt up to 100, and no further: from there on it has no slope. */
static void a_learnt_scale_ends_at_a_hundred(void **state)
{
    static const float x[] = {1, 0, 0, 1}, targets[] = {1, 0.1f, 0.2f, 1};
    static const int32_t labels[] = {0, 1};
    const float *teachers[] = {targets};
    dpli_loss_options options = options_of(DPLI_LOSS_INFO_NCE, 2);
    float grad[2][4];
    dpli_team *team = make_team(1);
    dpli_loss *loss;
    double out[2];

    (void)state;
    options.n_teachers = 1;
    options.teacher_dims = &options.dim;
    options.temperature = NAN;
    loss = make(&options);
    assert_int_equal(dpli_loss_n_params(loss), 1);
    assert_true(fabs(exp((double)dpli_loss_param(loss, 0)->value[0]) - 1 / 0.07) < 1e-4);
    for (int r = 0; r < 2; r++) {
        dpli_loss_batch batch = {
            .n = 2, .embeddings = x, .grad = grad[r], .labels = labels, .teachers = teachers};
        dpli_loss_param(loss, 0)->value[0] = r ? 9.0f : 4.7f; /* the log of 100 is 4.605 */
        assert_int_equal(dpli_loss_run(&out[r], loss, &batch, team, NULL, NULL), DPL_OK);
        assert_true(dpli_loss_param(loss, 0)->grad[0] == 0);
    }
    assert_true(out[0] == out[1]);
    assert_memory_equal(grad[0], grad[1], sizeof grad[0]);
    dpli_loss_free(loss);
    dpli_team_free(team);
}

/* ------------------------------------------------------------------ extremes */

/* The loss of one pair, and its gradient by a's first number. */
static double one_pair(dpli_loss_kind kind, const float *ab, int32_t dim, float target,
                       float *slope)
{
    dpli_loss_options options = options_of(kind, dim);
    dpli_pair pair = {0, 1, target, 1};
    float *grad = malloc((size_t)dim * 2 * sizeof *grad);
    dpli_loss_batch batch = {.n = 2, .embeddings = ab, .grad = grad, .pairs = &pair, .n_pairs = 1};
    dpli_team *team = make_team(2);
    dpli_loss *loss = make(&options);
    double out;

    assert_int_equal(dpli_loss_run(&out, loss, &batch, team, NULL, NULL), DPL_OK);
    if (slope)
        *slope = grad[0];
    free(grad);
    dpli_loss_free(loss);
    dpli_team_free(team);
    return out;
}

static void far_and_equal_vectors_have_finite_losses(void **state)
{
    const float far[] = {1e6f, 0}, equal[] = {3, 3}, none[] = {0, 0, 0, 0}, half[] = {0, 0, 1, 2};
    float slope;

    (void)state;
    /* The head's weight is -6, its bias 1: a logit of -6e6 + 1. */
    assert_true(fabs(one_pair(DPLI_LOSS_L1_SIGMOID, far, 1, 1, &slope) / (6e6 - 1) - 1) < 1e-6);
    assert_true(slope == 6);
    assert_true(one_pair(DPLI_LOSS_L1_SIGMOID, far, 1, 0, &slope) == 0 && slope == 0);
    assert_true(one_pair(DPLI_LOSS_MANHATTAN_CE, far, 1, 1, &slope) == 1e6 && slope == 1);
    assert_true(one_pair(DPLI_LOSS_MANHATTAN_CE, far, 1, 0, &slope) == 0 && slope == 0);
    /* |a - b| has no slope at 0. */
    assert_true(one_pair(DPLI_LOSS_MANHATTAN_CE, equal, 1, 1, &slope) == 0 && slope == 0);
    assert_true(fabs(one_pair(DPLI_LOSS_MANHATTAN_CE, equal, 1, 0, &slope) - 16.6355) < 1e-3);
    assert_true(slope == 0);
    /* A square of at least 1e-7, whose root has no slope there. */
    assert_true(fabs(one_pair(DPLI_LOSS_CONTRASTIVE, equal, 1, 0, &slope) -
                     0.5 * pow(1 - sqrt(1e-7), 2)) < 1e-12);
    assert_true(slope == 0);
    assert_true(one_pair(DPLI_LOSS_DISTANCE_SIGMOID, equal, 1, 0, &slope) > 2 && slope == 0);
    assert_true(one_pair(DPLI_LOSS_CONTRASTIVE, far, 1, 0, &slope) == 0 && slope == 0);
    /* A zero vector has no direction: a cosine of 0 and no gradient. */
    assert_true(one_pair(DPLI_LOSS_COSINE, none, 2, 1, &slope) == 1 && slope == 0);
    assert_true(one_pair(DPLI_LOSS_COSINE, half, 2, 1, &slope) == 1 && slope == 0);
}

static void what_is_not_finite_shows_in_the_loss(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    const int32_t dims[] = {4, 3};

    (void)state;
    for (int kind = DPLI_LOSS_CONTRASTIVE; kind <= DPLI_LOSS_RANKING; kind++)
        for (int b = 0; b < 3; b++)
            for (int row = 0; row < 6; row++) {
                dpli_loss_options options = options_of((dpli_loss_kind)kind, 4);
                world k;
                float x[24], grad[24];
                dpli_loss_batch batch = {.n = 6, .embeddings = x, .grad = grad};
                dpli_team *team = make_team(2);
                dpli_loss *loss;
                double out;

                options.n_teachers = n_teachers_of((dpli_loss_kind)kind);
                options.teacher_dims = dims;
                loss = make(&options);
                fill_world(&k, &options, 6, 2);
                for (int i = 0; i < 24; i++)
                    x[i] = (float)k.x[i];
                x[4 * row + 2] = bad[b];
                batch.labels = k.labels;
                batch.pairs = k.pairs;
                batch.n_pairs = k.n_pairs;
                batch.teachers = (const float *const *)k.teachers;
                assert_int_equal(dpli_loss_run(&out, loss, &batch, team, NULL, NULL), DPL_OK);
                if (isfinite(out))
                    fail_msg("kind %d, row %d holds %g, the loss is %g", kind, row, (double)bad[b],
                             out);
                clear_world(&k);
                dpli_loss_free(loss);
                dpli_team_free(team);
            }
}

/* Far from 0, differences are what they are: embeddings of whole 1024ths, moved by 1000, have the
 * same gradient of the head's weights to the bit. */
static void what_rows_have_in_common_drowns_no_gradient(void **state)
{
    enum { ROWS = 5, DIM = 21 };
    dpli_loss_options options = options_of(DPLI_LOSS_L1_SIGMOID, DIM);
    float x[ROWS * DIM], grad[ROWS * DIM], weights[2][DIM];
    dpli_team *team = make_team(2);
    dpli_rng rng;
    world k;

    (void)state;
    fill_world(&k, &options, ROWS, 6);
    for (int run = 0; run < 2; run++) {
        dpli_loss *loss = make(&options);
        dpli_loss_batch batch = {
            .n = ROWS, .embeddings = x, .grad = grad, .pairs = k.pairs, .n_pairs = k.n_pairs};
        double out;

        dpli_rng_seed(&rng, 1);
        for (int i = 0; i < ROWS * DIM; i++)
            x[i] = (float)(1000 * run) + (float)dpli_rng_below(&rng, 1024) / 1024.0f;
        assert_int_equal(dpli_loss_run(&out, loss, &batch, team, NULL, NULL), DPL_OK);
        memcpy(weights[run], dpli_loss_param(loss, 0)->grad, sizeof weights[run]);
        dpli_loss_free(loss);
    }
    assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
    dpli_team_free(team);
    clear_world(&k);
}

/* ------------------------------------------------------------------ the heads */

/* What is trained is what compares afterwards: the loss of a same pair is -log(score). */
static void scores_are_those_of_the_heads(void **state)
{
    enum { DIM = 77 };
    static const dpli_loss_kind trained[] = {DPLI_LOSS_L1_SIGMOID, DPLI_LOSS_MANHATTAN_CE};
    static const dpl_head_kind heads[] = {DPL_HEAD_L1_SIGMOID, DPL_HEAD_EXP_MANHATTAN};
    float ab[2 * DIM];
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 4);
    for (int i = 0; i < 2 * DIM; i++)
        ab[i] = (float)dpli_rng_unit(&rng);
    for (int k = 0; k < 2; k++) {
        dpli_loss_options options = options_of(trained[k], DIM);
        dpli_loss *loss = make(&options);
        dpl_head *head;
        double score;

        assert_int_equal(dpl_head_new(&head, heads[k], DIM,
                                      k == 0 ? dpli_loss_param(loss, 0)->value : NULL,
                                      k == 0 ? dpli_loss_param(loss, 1)->value[0] : 0, NULL),
                         DPL_OK);
        assert_string_equal(dpli_loss_head(trained[k]), dpl_head_name(head));
        score = dpl_head_score(head, ab, ab + DIM);
        assert_true(fabs(-log(score) - one_pair(trained[k], ab, DIM, 1, NULL)) < 2e-6);
        /* Nothing is saturated at the start, and equal vectors score higher. */
        if (k == 0) {
            assert_true(score > 0.1 && score < 0.5);
            assert_true(dpl_head_score(head, ab, ab) > 0.7f);
        }
        dpl_head_free(head);
        dpli_loss_free(loss);
    }
    for (int kind = DPLI_LOSS_CONTRASTIVE; kind <= DPLI_LOSS_RANKING; kind++)
        assert_true(dpli_loss_takes_pairs((dpli_loss_kind)kind) == (kind <= DPLI_LOSS_COSINE));
}

/* ------------------------------------------------------------------ repeating, limits */

static void runs_repeat_to_the_bit(void **state)
{
    enum { ROWS = 33, DIM = 1500 };
    const int32_t dims[] = {DIM, 40};

    (void)state;
    for (int kind = DPLI_LOSS_CONTRASTIVE; kind <= DPLI_LOSS_RANKING; kind++) {
        dpli_loss_options options = options_of((dpli_loss_kind)kind, DIM);
        float *x = malloc(sizeof(float) * ROWS * DIM), *grad[3];
        dpli_team *teams[] = {make_team(3), make_team(3), make_team(1)};
        double out[3];
        world k;

        options.n_teachers = n_teachers_of((dpli_loss_kind)kind);
        options.teacher_dims = dims;
        fill_world(&k, &options, ROWS, 9);
        for (int i = 0; i < ROWS * DIM; i++)
            x[i] = (float)k.x[i];
        for (int r = 0; r < 3; r++) {
            dpli_loss *loss = make(&options);
            dpli_loss_batch batch = {.n = ROWS,
                                     .embeddings = x,
                                     .labels = k.labels,
                                     .pairs = k.pairs,
                                     .n_pairs = k.n_pairs,
                                     .teachers = (const float *const *)k.teachers};
            batch.grad = grad[r] = malloc(sizeof(float) * ROWS * DIM);
            assert_int_equal(dpli_loss_run(&out[r], loss, &batch, teams[r], NULL, NULL), DPL_OK);
            dpli_loss_free(loss);
        }
        assert_true(out[0] == out[1]);
        assert_memory_equal(grad[0], grad[1], sizeof(float) * ROWS * DIM);
        if (kind <= DPLI_LOSS_COSINE) { /* and with any number of threads */
            assert_true(out[0] == out[2]);
            assert_memory_equal(grad[0], grad[2], sizeof(float) * ROWS * DIM);
        }
        for (int r = 0; r < 3; r++) {
            free(grad[r]);
            dpli_team_free(teams[r]);
        }
        free(x);
        clear_world(&k);
    }
}

static void wrong_options_and_batches_are_refused(void **state)
{
    const int32_t dims[] = {4, 0};
    const struct {
        dpli_loss_options options;
        const char *word;
    } bad[] = {
        {{.kind = (dpli_loss_kind)99, .dim = 4}, "number 99"},
        {{.kind = DPLI_LOSS_COSINE, .dim = 0}, "length 0"},
        {{.kind = DPLI_LOSS_COSINE, .dim = 65537}, "65537"},
        {{.kind = DPLI_LOSS_CONTRASTIVE, .dim = 4, .margin = 0}, "margin"},
        {{.kind = DPLI_LOSS_TRIPLET, .dim = 4, .margin = -1}, "margin"},
        {{.kind = DPLI_LOSS_ARC, .dim = 4, .margin = NAN, .scale = 64, .n_classes = 1}, "classes"},
        {{.kind = DPLI_LOSS_ARC, .dim = 4, .margin = NAN, .n_classes = 2}, "scale"},
        {{.kind = DPLI_LOSS_DISTIL, .dim = 4, .n_teachers = 0}, "teachers"},
        {{.kind = DPLI_LOSS_DISTIL, .dim = 4, .n_teachers = 2, .teacher_dims = dims}, "teacher 1"},
        {{.kind = DPLI_LOSS_RANKING,
          .dim = 4,
          .margin = NAN,
          .n_teachers = 2,
          .teacher_dims = dims},
         "2 encoders"},
        {{.kind = DPLI_LOSS_RANKING,
          .dim = 5,
          .margin = NAN,
          .n_teachers = 1,
          .teacher_dims = dims},
         "length 4"},
        {{.kind = DPLI_LOSS_INFO_NCE, .dim = 4, .n_teachers = 1, .teacher_dims = dims},
         "temperature"},
    };
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const dpli_pair pairs[] = {{0, 2, 1, 1}, {-1, 0, 1, 1}};
    static const int32_t labels[][2] = {{0, 5}, {-1, 0}};
    dpli_team *team = make_team(1);
    dpli_loss *loss;
    dpl_error err;
    double out;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(dpli_loss_new(&loss, &bad[i].options, &err), DPL_E_ARGUMENT);
        assert_null(loss);
        if (!strstr(err.message, bad[i].word))
            fail_msg("\"%s\" does not say \"%s\"", err.message, bad[i].word);
    }
    for (int i = 0; i < 2; i++) {
        dpli_loss_options options = options_of(DPLI_LOSS_CONTRASTIVE, 4);
        dpli_loss_batch batch = {
            .n = 2, .embeddings = x, .pairs = &pairs[i], .n_pairs = 1, .labels = labels[i]};

        loss = make(&options);
        assert_int_equal(dpli_loss_run(&out, loss, &batch, team, NULL, &err), DPL_E_ARGUMENT);
        dpli_loss_free(loss);
        options.kind = DPLI_LOSS_ARC;
        loss = make(&options);
        assert_int_equal(dpli_loss_run(&out, loss, &batch, team, NULL, &err), DPL_E_ARGUMENT);
        dpli_loss_free(loss);
    }
    dpli_team_free(team);
}

static void failing_allocations_are_told(void **state)
{
    const int32_t dims[] = {4, 3};
    dpli_team *team = make_team(1);

    (void)state;
    for (int kind = DPLI_LOSS_CONTRASTIVE; kind <= DPLI_LOSS_RANKING; kind++) {
        dpli_loss_options options = options_of((dpli_loss_kind)kind, 4);
        float x[24], grad[24];
        dpli_loss_batch batch = {.n = 6, .embeddings = x, .grad = grad};
        dpli_loss_batch small;
        dpl_status status = DPL_E_MEMORY;
        world k;
        int n_failures = 0;

        options.n_teachers = n_teachers_of((dpli_loss_kind)kind);
        options.teacher_dims = dims;
        fill_world(&k, &options, 6, 2);
        for (int i = 0; i < 24; i++)
            x[i] = (float)k.x[i];
        batch.labels = k.labels;
        batch.pairs = k.pairs;
        batch.n_pairs = k.n_pairs;
        batch.teachers = (const float *const *)k.teachers;
        small = batch;
        small.n = 2;
        small.n_pairs = 0;
        while (status != DPL_OK) {
            dpli_loss *loss;
            double out;
            dpl_error err;

            fail_allocation((size_t)++n_failures);
            status = dpli_loss_new(&loss, &options, &err);
            if (status == DPL_OK)
                status = dpli_loss_run(&out, loss, &small, team, NULL, &err);
            if (status == DPL_OK)
                status = dpli_loss_run(&out, loss, &batch, team, NULL, &err);
            fail_at = 0;
            /* After a run that failed for memory others may follow. */
            if (loss)
                assert_int_equal(dpli_loss_run(&out, loss, &small, team, NULL, NULL), DPL_OK);
            assert_true(status == DPL_OK || status == DPL_E_MEMORY);
            assert_true(n_failures < 20);
            dpli_loss_free(loss);
        }
        assert_true(n_failures >= 3);
        clear_world(&k);
    }
    dpli_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_of_pairs_are_their_formulas_and_so_are_gradients),
        cmocka_unit_test(triplet_loss_is_its_formula_and_so_is_its_gradient),
        cmocka_unit_test(arc_loss_is_its_formula_and_so_are_gradients),
        cmocka_unit_test(distillation_is_its_formula_and_so_are_gradients),
        cmocka_unit_test(losses_across_are_their_formulas_and_so_are_gradients),
        cmocka_unit_test(vectors_of_the_same_class_are_not_pushed_apart),
        cmocka_unit_test(a_learnt_scale_ends_at_a_hundred),
        cmocka_unit_test(far_and_equal_vectors_have_finite_losses),
        cmocka_unit_test(what_is_not_finite_shows_in_the_loss),
        cmocka_unit_test(what_rows_have_in_common_drowns_no_gradient),
        cmocka_unit_test(scores_are_those_of_the_heads),
        cmocka_unit_test(runs_repeat_to_the_bit),
        cmocka_unit_test(wrong_options_and_batches_are_refused),
        cmocka_unit_test(failing_allocations_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
