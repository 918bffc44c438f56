/*
 * test_train_reference.c - whole networks' training against PyTorch: one step's loss and every
 * gradient, and 100 steps of an optimizer. What is compared and how both sides come to the same
 * weights and pictures is written in tests/golden/train/make_train.py.
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

#include "net/arch.h"
#include "net/tape.h"
#include "train/loss.h"
#include "train/optimizer.h"

#define CELL        8
#define N_SIGNS     6
#define MAX_ENTRIES 4
#define MAX_PARAMS  512
#define MAX_ROWS    4096 /* of a parameter with salts */
#define N_BATCHES   4
#define WORDS       50 /* of the table of words */
#define WIDTH       12
#define FIRST_SEED  10

/* ------------------------------------------------------------------ formulas */

static uint32_t mix(uint32_t seed, size_t i)
{
    uint32_t h = (uint32_t)i * 2654435761u + seed;

    h = (h ^ h >> 15) * 2246822519u;
    h = (h ^ h >> 13) * 3266489917u;
    return h ^ h >> 16;
}

static uint32_t fnv1a(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/* Values of a parameter; salts: base 36, one a row, or NULL. */
static void fill(float *out, const char *name, size_t n, float offset, float scale,
                 const char *salts)
{
    const size_t n_rows = salts ? strlen(salts) : 1;
    const uint32_t seed = fnv1a(name);

    for (size_t r = 0; r < n_rows; r++) {
        const uint32_t salt = salts ? (uint32_t)strtoul((char[]){salts[r], 0}, NULL, 36) : 0;

        for (size_t i = r * (n / n_rows); i < (r + 1) * (n / n_rows); i++) {
            const uint32_t h = mix(seed + salt * 0x9E3779B9u, i) >> 8;

            out[i] = offset + scale * ((float)h / 8388608.0f - 1.0f);
        }
    }
}

static double sign_product(const double *x, size_t n, uint32_t d)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += mix(1000 + d, i) >> 31 ? -x[i] : x[i];
    return sum;
}

/* ------------------------------------------------------------------ what PyTorch says */

typedef struct figures {
    char name[64];
    bool is_change; /* of the value, over the step or steps; else the gradient */
    size_t n;
    float offset, scale;
    double norm, torch32, products[N_SIGNS], values[MAX_ENTRIES];
    int n_entries;
    size_t index[MAX_ENTRIES];
    char *salts;
} figures;

typedef struct reference {
    char name[64], arch[32], loss[32], optimizer[16];
    int channels, dim, side, rows, n_figures, n_steps;
    double margin, rate;
    double losses[128], losses32[128];
    figures figures[MAX_PARAMS];
} reference;

static double read_number(FILE *f)
{
    double x;

    assert_int_equal(fscanf(f, "%lf", &x), 1);
    return x;
}

static void read_figures(FILE *f, figures *p, bool is_change)
{
    *p = (figures){.is_change = is_change, .salts = p->salts};
    assert_int_equal(fscanf(f, "%63s", p->name), 1);
    p->n = (size_t)read_number(f);
    p->offset = (float)read_number(f);
    p->scale = (float)read_number(f);
    p->norm = read_number(f);
    p->torch32 = read_number(f);
    for (int d = 0; d < N_SIGNS; d++)
        p->products[d] = read_number(f);
    p->n_entries = (int)read_number(f);
    assert_in_range(p->n_entries, 1, MAX_ENTRIES);
    for (int k = 0; k < p->n_entries; k++) {
        p->index[k] = (size_t)read_number(f);
        assert_true(p->index[k] < p->n);
        p->values[k] = read_number(f);
    }
}

/* The case or run of that name in that file. */
static reference *read_reference(const char *file, const char *name)
{
    static char salts[MAX_PARAMS][MAX_ROWS + 1], salted[MAX_PARAMS][64];
    char path[512], word[64];
    reference *r = calloc(1, sizeof *r);
    int n_salted = 0;
    FILE *f;

    assert_non_null(r);
    snprintf(path, sizeof path, "%s/tests/golden/train/%s", DPL_SOURCE_DIR, file);
    f = fopen(path, "r");
    assert_non_null(f);
    do {
        assert_int_equal(fscanf(f, "%63s", word), 1);
        if (strcmp(word, "case") == 0 || strcmp(word, "run") == 0)
            assert_int_equal(fscanf(f, "%63s", r->name), 1);
    } while (strcmp(r->name, name) != 0);
    assert_int_equal(fscanf(f, "%31s %d %d %d %d %31s", r->arch, &r->channels, &r->dim, &r->side,
                            &r->rows, r->loss),
                     6);
    r->margin = read_number(f);
    if (strcmp(word, "run") == 0) {
        assert_int_equal(fscanf(f, "%15s", r->optimizer), 1);
        r->rate = read_number(f);
    }
    while (fscanf(f, "%63s", word) == 1 && strcmp(word, "end") != 0) {
        if (strcmp(word, "salt") == 0) {
            assert_true(n_salted < MAX_PARAMS);
            assert_int_equal(fscanf(f, "%63s %4096s", salted[n_salted], salts[n_salted]), 2);
            n_salted++;
        } else if (strcmp(word, "loss") == 0 || strcmp(word, "step") == 0) {
            assert_true(r->n_steps < 128);
            r->losses[r->n_steps] = read_number(f);
            r->losses32[r->n_steps++] = read_number(f);
        } else {
            assert_true(r->n_figures < MAX_PARAMS);
            read_figures(f, &r->figures[r->n_figures++], strcmp(word, "after") == 0);
        }
    }
    fclose(f);
    for (int i = 0; i < r->n_figures; i++) {
        for (int k = 0; k < n_salted; k++) {
            if (strcmp(r->figures[i].name, salted[k]) == 0)
                r->figures[i].salts = strdup(salts[k]);
        }
    }
    return r;
}

static void free_reference(reference *r)
{
    for (int i = 0; i < r->n_figures; i++)
        free(r->figures[i].salts);
    free(r);
}

/* ------------------------------------------------------------------ the same here */

/* Pictures [rows, side, side, channels]; those of a step, not of a run, are alike in pairs. */
static void draw(float *out, uint32_t seed, const reference *r)
{
    const size_t rows = (size_t)r->rows, side = (size_t)r->side, channels = (size_t)r->channels;
    const size_t cells = (side + CELL - 1) / CELL;
    size_t i = 0;

    for (size_t k = 0; k < rows; k++) {
        const size_t thing = k % 4 == 3 && !r->optimizer[0] ? k - 1 : k;

        for (size_t y = 0; y < side; y++) {
            for (size_t x = 0; x < side; x++) {
                for (size_t c = 0; c < channels; c++, i++) {
                    const size_t cell =
                        ((thing * cells + y / CELL) * cells + x / CELL) * channels + c;
                    const uint32_t coarse = mix(seed, cell) >> 8, fine = mix(seed + 100, i) >> 8;

                    out[i] = (float)((3 * coarse + fine) >> 2) / 16777216.0f;
                }
            }
        }
    }
}

/* Ids [rows, steps], the sentences first, first + step, ...; see make_train.py. */
static void draw_ids(int64_t *out, uint32_t seed, const reference *r, int first, int step,
                     int64_t steps)
{
    for (int row = first; row < r->rows; row += step)
        for (int t = 0; t < steps; t++) {
            const size_t at = (size_t)(row * r->side + t);
            const int n = row ? 1 + (int)(mix(seed, (size_t)row) % (uint32_t)r->side) : r->side;

            *out++ = t < n ? 1 + (int64_t)(mix(seed + 100, at) % (WORDS - 1)) : 0;
        }
}

/* The picture that a row is of, of losses across; see make_train.py. */
static int picture_of(int row)
{
    return row % 4 == 3 ? row - 1 : row;
}

/* The pictures' vectors [rows, dim]. */
static void draw_vectors(float *out, uint32_t seed, const reference *r)
{
    for (int row = 0; row < r->rows; row++)
        for (int d = 0; d < r->dim; d++) {
            const size_t at = (size_t)(picture_of(row) * r->dim + d);

            *out++ = (float)(mix(seed + 200, at) >> 8) / 8388608.0f - 1.0f;
        }
}

typedef struct world {
    dpli_graph graphs[2];
    dpli_team *team;
    dpli_tape *tapes[2];
    int n_towers;
    float *embeddings, *grads;         /* [rows, dim], of two towers one after the other */
    dpli_param *shared[MAX_PARAMS][2]; /* of which the second has the first's values */
    int n_shared;
    char names[MAX_PARAMS][64];
    dpli_loss *loss;
    dpli_optimizer *optimizer;
    dpli_param *params[MAX_PARAMS];
    int32_t n_params;
    dpli_pair *pairs;
    float *vectors;  /* of losses across: [rows, dim] */
    int32_t *labels; /* [rows], the pictures */
} world;

static const figures *figures_of(const reference *r, const char *name)
{
    for (int i = 0; i < r->n_figures; i++) {
        if (strcmp(r->figures[i].name, name) == 0)
            return &r->figures[i];
    }
    return NULL;
}

static dpli_loss_kind kind_of(const char *name)
{
    return strcmp(name, "l1-sigmoid") == 0         ? DPLI_LOSS_L1_SIGMOID
           : strcmp(name, "l1-similarity") == 0    ? DPLI_LOSS_L1_SIMILARITY
           : strcmp(name, "manhattan-ce") == 0     ? DPLI_LOSS_MANHATTAN_CE
           : strcmp(name, "distance-sigmoid") == 0 ? DPLI_LOSS_DISTANCE_SIGMOID
           : strcmp(name, "contrastive") == 0      ? DPLI_LOSS_CONTRASTIVE
           : strcmp(name, "info-nce") == 0         ? DPLI_LOSS_INFO_NCE
           : strcmp(name, "ranking") == 0          ? DPLI_LOSS_RANKING
                                                   : DPLI_LOSS_COSINE;
}

/* The graph of a tower and its tape; its parameters behind those that there are, by PyTorch's names
 * for them. What is shared is the first tower's. */
static void make_tower(world *w, const reference *r, int tower)
{
    const dpli_arch *known = dpli_arch_find(r->arch);
    const bool text = known->takes == DPLI_TAKES_IDS;
    const dpli_arch_options arch = {.channels = r->channels,
                                    .dim = r->dim,
                                    .side_px = r->side,
                                    .words = WORDS,
                                    .width = WIDTH,
                                    .second = tower > 0};
    const dpli_tape_options options = {.max_bytes = (size_t)4 << 30};
    const int64_t rows = r->rows / known->n_towers;
    const int64_t steps = dpli_arch_steps(r->arch, tower > 0);
    const dpl_shape shapes[] = {{4, {rows, r->channels, r->side, r->side}},
                                {2, {rows, steps ? steps : r->side}}};
    dpli_tape **tape = &w->tapes[tower];
    dpl_error err = {0};

    if (dpli_arch_build(&w->graphs[tower], r->arch, &arch, &err) != DPL_OK ||
        dpli_tape_new(tape, &w->graphs[tower], w->team, &shapes[text], &options, &err) != DPL_OK)
        fail_msg("%s: %s", r->name, err.message);
    for (int32_t i = 0; i < dpli_tape_n_params(*tape); i++) {
        dpli_param *p = dpli_tape_param(*tape, i);
        dpli_param **also = w->shared[w->n_shared];

        if (tower && known->shared && strncmp(p->name, known->shared, strlen(known->shared)) == 0) {
            for (int32_t k = 0; k < w->n_params; k++)
                if (strcmp(w->names[k], p->name) == 0)
                    also[0] = w->params[k];
            also[1] = p;
            p->value = also[0]->value;
            w->n_shared++;
            continue;
        }
        snprintf(w->names[w->n_params], sizeof w->names[0], "%s%s", tower ? "b/" : "", p->name);
        w->params[w->n_params++] = p;
    }
}

static void make_world(world *w, const reference *r)
{
    const dpli_loss_kind kind = kind_of(r->loss);
    const bool across = kind == DPLI_LOSS_INFO_NCE || kind == DPLI_LOSS_RANKING;
    const dpli_loss_options loss = {.kind = kind,
                                    .dim = r->dim,
                                    .margin = (float)r->margin,
                                    .temperature = NAN, /* learnt */
                                    .n_teachers = across,
                                    .teacher_dims = across ? &r->dim : NULL};
    dpl_error err = {0};

    *w = (world){0};
    if (dpli_team_new(&w->team, 2, &err) != DPL_OK ||
        dpli_loss_new(&w->loss, &loss, &err) != DPL_OK)
        fail_msg("%s: %s", r->name, err.message);
    w->n_towers = dpli_arch_find(r->arch)->n_towers;
    w->embeddings = calloc((size_t)(r->rows * r->dim), sizeof(float));
    w->grads = calloc((size_t)(r->rows * r->dim), sizeof(float));
    assert_true(w->embeddings && w->grads);
    for (int t = 0; t < w->n_towers; t++)
        make_tower(w, r, t);
    for (int32_t i = 0; i < dpli_loss_n_params(w->loss); i++) {
        dpli_param *p = dpli_loss_param(w->loss, i);

        snprintf(w->names[w->n_params], sizeof w->names[0], "%s", p->name);
        w->params[w->n_params++] = p;
    }
    assert_int_equal(w->n_params, r->n_figures);
    for (int32_t i = 0; i < w->n_params; i++) {
        const figures *f = figures_of(r, w->names[i]);

        if (!f)
            fail_msg("%s: PyTorch has no \"%s\"", r->name, w->names[i]);
        assert_int_equal(f->n, w->params[i]->n);
        fill(w->params[i]->value, f->name, f->n, f->offset, f->scale, f->salts);
    }
    w->pairs = calloc((size_t)r->rows / 2, sizeof *w->pairs);
    assert_non_null(w->pairs);
    w->vectors = across ? calloc((size_t)(r->rows * r->dim), sizeof(float)) : NULL;
    w->labels = calloc((size_t)r->rows, sizeof *w->labels);
    assert_true(w->labels && (w->vectors || !across));
    for (int i = 0; i < r->rows; i++)
        w->labels[i] = picture_of(i);
    for (int k = 0; k < r->rows / 2; k++) {
        const int a = w->n_towers > 1 ? k : 2 * k, b = w->n_towers > 1 ? r->rows / 2 + k : a + 1;

        w->pairs[k] = (dpli_pair){a, b, (float)(k % 2), 2.0f / (float)r->rows};
    }
}

static void free_world(world *w)
{
    free(w->pairs);
    free(w->vectors);
    free(w->labels);
    dpli_optimizer_free(w->optimizer);
    dpli_loss_free(w->loss);
    for (int t = 0; t < w->n_towers; t++) {
        dpli_tape_free(w->tapes[t]);
        dpli_graph_clear(&w->graphs[t]);
    }
    free(w->embeddings);
    free(w->grads);
    dpli_team_free(w->team);
}

/* Forward, loss and backward on the pictures of that seed. */
static double pass(world *w, const reference *r, uint32_t seed)
{
    const size_t part = (size_t)(r->rows / w->n_towers * r->dim);
    double value;

    for (int t = 0; t < w->n_towers; t++) {
        dpli_tensor *in = dpli_tape_input(w->tapes[t]);

        if (r->channels)
            draw(in->value, seed, r);
        else
            draw_ids(in->ids, seed, r, t, w->n_towers, in->shape.dims[1]);
        /* dropout is drawn, and here left out */
        dpli_tape_forward(w->tapes[t], r->rows / w->n_towers, r->channels > 0, 0);
        memcpy(w->embeddings + (size_t)t * part, dpli_tape_output(w->tapes[t])->value,
               part * sizeof(float));
    }
    const float *const vectors[] = {w->vectors};
    dpli_loss_batch batch = {.n = r->rows, .embeddings = w->embeddings, .grad = w->grads};

    if (w->vectors) {
        draw_vectors(w->vectors, seed, r);
        batch.labels = w->labels;
        batch.teachers = vectors;
    } else {
        batch.pairs = w->pairs;
        batch.n_pairs = (size_t)r->rows / 2;
    }
    assert_int_equal(dpli_loss_run(&value, w->loss, &batch, w->team, NULL, NULL), DPL_OK);
    for (int t = 0; t < w->n_towers; t++) {
        memcpy(dpli_tape_output(w->tapes[t])->grad, w->grads + (size_t)t * part,
               part * sizeof(float));
        dpli_tape_backward(w->tapes[t]);
    }
    for (int i = 0; i < w->n_shared; i++)
        for (size_t k = 0; k < w->shared[i][0]->n; k++)
            w->shared[i][0]->grad[k] += w->shared[i][1]->grad[k];
    return value;
}

/*
 * How far p is from PyTorch's float64, in parts of the norm. A sum of d's elements with signs drawn
 * by chance has a mean square of |d|^2, so that the products tell the norm of a difference that
 * nobody has seen whole: six of them are below a fifth of it less than once in three thousand
 * times. And no entry is further off than the whole may be.
 */
static double distance(const dpli_param *p, const figures *f)
{
    double *x = calloc(p->n, sizeof *x), sum = 0, worst = 0;
    float *start = calloc(p->n, sizeof *start);

    assert_non_null(x);
    assert_non_null(start);
    if (f->is_change)
        fill(start, f->name, f->n, f->offset, f->scale, f->salts);
    else
        assert_non_null(p->grad);
    for (size_t i = 0; i < p->n; i++)
        x[i] = f->is_change ? (double)p->value[i] - (double)start[i] : (double)p->grad[i];
    for (int d = 0; d < N_SIGNS; d++)
        sum += pow(sign_product(x, p->n, (uint32_t)d) - f->products[d], 2);
    for (int k = 0; k < f->n_entries; k++)
        worst = fmax(worst, fabs(x[f->index[k]] - f->values[k]));
    /* fmax would let a NaN pass. */
    if (!isfinite(sum) || !isfinite(worst))
        sum = INFINITY;
    free(start);
    free(x);
    return fmax(sqrt(sum / N_SIGNS), worst) / f->norm;
}

/* The furthest of all, whose name is told. */
static double furthest(const world *w, const reference *r, const char **name)
{
    double worst = -1;

    for (int32_t i = 0; i < w->n_params; i++) {
        const double off = distance(w->params[i], figures_of(r, w->names[i]));

        if (!(off <= worst)) {
            worst = off;
            *name = w->names[i];
        }
    }
    return worst;
}

/* ------------------------------------------------------------------ one step */

/* The wish is 1e-4. PyTorch's float32 is off by up to 2e-5 itself (TORCH32 in the file). */
#define STEP_TOLERANCE 1e-4

static void step_is_that_of_torch(const char *name)
{
    reference *r = read_reference("steps.txt", name);
    world w;
    const char *where = "";
    double value, off;

    make_world(&w, r);
    value = pass(&w, r, FIRST_SEED);
    off = furthest(&w, r, &where);
    print_message("%s: loss off by %.2g, gradients by %.2g at most (\"%s\")\n", name,
                  fabs(value / r->losses[0] - 1), off, where);
    if (!(fabs(value / r->losses[0] - 1) <= STEP_TOLERANCE))
        fail_msg("%s: loss is %.9g, wanted %.9g", name, value, r->losses[0]);
    if (!(off <= STEP_TOLERANCE))
        fail_msg("%s: \"%s\" is off by %.3g", name, where, off);
    free_world(&w);
    free_reference(r);
}

static void koch_with_the_l1_head_steps_as_torch(void **state)
{
    (void)state;
    step_is_that_of_torch("koch2015_l1");
}

static void koch_with_the_contrastive_loss_steps_as_torch(void **state)
{
    (void)state;
    step_is_that_of_torch("koch2015_contrastive");
}

static void koch_with_batch_norm_steps_as_torch(void **state)
{
    (void)state;
    step_is_that_of_torch("koch2015_bn");
}

static void mobilefacenet_steps_as_torch(void **state)
{
    (void)state;
    step_is_that_of_torch("mobilefacenet");
}

static void networks_of_sentences_step_as_torch(void **state)
{
    static const char *const names[] = {"bilstm_l1",         "malstm",
                                        "mean_embedding",    "mean_embedding_sigmoid",
                                        "two_inputs",        "mean_words_info_nce",
                                        "mean_words_ranking"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        step_is_that_of_torch(names[i]);
}

/* ------------------------------------------------------------------ 100 steps */

/*
 * Rounding is amplified: at first the runs are parted by parts in ten million, then, once it has
 * decided for a single unit on which side of its kink it is, by ever more. PyTorch's float32 leaves
 * its own float64 in this way, and what it was off by up to a step is the measure for that step. It
 * is one sample, and when the first unit turns is chance: hence up to ten steps later, and four
 * times.
 */
#define DRIFT_FACTOR 4
#define DRIFT_STEPS  10

static double drift_tolerance(const reference *r, int t)
{
    double most = 1e-7;

    for (int i = 0; i < r->n_steps && i <= t + DRIFT_STEPS; i++)
        most = fmax(most, r->losses32[i]);
    return DRIFT_FACTOR * most;
}

static void run_stays_with_torch(const char *name, dpli_optimizer_kind kind)
{
    reference *r = read_reference("runs.txt", name);
    dpli_optimizer_options how = dpli_optimizer_defaults(kind);
    world w;
    const char *where = "";
    double worst = 0, norm, off, way32 = 0;

    make_world(&w, r);
    assert_int_equal(r->n_steps, 100);
    how.rate = r->rate;
    assert_int_equal(dpli_optimizer_new(&w.optimizer, &how, NULL, 0, w.params, w.n_params, NULL),
                     DPL_OK);
    for (int t = 0; t < r->n_steps; t++) {
        const dpli_progress at = {.step = t, .n_steps = r->n_steps, .steps_an_epoch = N_BATCHES};
        const double value = pass(&w, r, FIRST_SEED + (uint32_t)(t % N_BATCHES));

        off = fabs(value / r->losses[t] - 1);
        if (!(off <= drift_tolerance(r, t)))
            fail_msg("%s, step %d: loss is %.9g, wanted %.9g, within parts of %.2g", name, t, value,
                     r->losses[t], drift_tolerance(r, t));
        worst = fmax(worst, off);
        dpli_optimizer_step(w.optimizer, &at, w.team, &norm);
    }
    for (int i = 0; i < r->n_figures; i++)
        way32 = fmax(way32, r->figures[i].torch32);
    off = furthest(&w, r, &where);
    print_message("%s: loss drifts by %.2g, parameters' way by %.2g at most (\"%s\")\n", name,
                  worst, off, where);
    if (!(off <= DRIFT_FACTOR * way32))
        fail_msg("%s: the way of \"%s\" is off by %.3g", name, where, off);
    free_world(&w);
    free_reference(r);
}

static void sgd_with_momentum_stays_with_torch(void **state)
{
    (void)state;
    run_stays_with_torch("sgd", DPLI_SGD);
}

static void adam_stays_with_torch(void **state)
{
    (void)state;
    run_stays_with_torch("adam", DPLI_ADAM);
}

static void networks_of_sentences_stay_with_torch(void **state)
{
    (void)state;
    run_stays_with_torch("bilstm_l1_adam", DPLI_ADAM);
    run_stays_with_torch("malstm_nadam", DPLI_NADAM);
    run_stays_with_torch("mean_embedding_adam", DPLI_ADAM);
    run_stays_with_torch("two_inputs_adam", DPLI_ADAM);
    run_stays_with_torch("mean_words_adam", DPLI_ADAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(koch_with_the_l1_head_steps_as_torch),
        cmocka_unit_test(koch_with_the_contrastive_loss_steps_as_torch),
        cmocka_unit_test(koch_with_batch_norm_steps_as_torch),
        cmocka_unit_test(mobilefacenet_steps_as_torch),
        cmocka_unit_test(networks_of_sentences_step_as_torch),
        cmocka_unit_test(networks_of_sentences_stay_with_torch),
        cmocka_unit_test(sgd_with_momentum_stays_with_torch),
        cmocka_unit_test(adam_stays_with_torch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
