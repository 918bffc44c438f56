/*
 * test_train.c - whole runs on a handful of drawings: what is resumed ends to the bit as what was
 * not, what is damaged or not finite is refused with its name, and what comes out is an encoder.
 */
#include "tests/train/train_kit.h"

#include <fcntl.h>
#include <math.h>
#include <sys/file.h>

#include "doppel/cancel.h"
#include "doppel/face.h"
#include "doppel/score.h"
#include "net/kernels.h"
#include "net/load.h"
#include "net/onnx_write.h"

/* ------------------------------------------------------------------ helpers */

typedef struct watcher {
    int64_t stop_at; /* raise the flag after this step; 0: never */
    volatile int cancel;
    double first_loss, last_loss;
    dpl_train_figures figures;
    int n_validated;
    dpl_train_plan plan;
    int n_warned;
    char warning[512]; /* the last */
} watcher;

static void watch(void *ctx, const dpl_train_event *e)
{
    watcher *w = ctx;

    if (e->kind == DPL_TRAIN_PLANNED)
        w->plan = *e->plan;
    if (e->kind == DPL_TRAIN_STEPPED) {
        if (e->step == 1)
            w->first_loss = e->loss;
        w->last_loss = e->loss;
        if (e->step == w->stop_at)
            dpl_cancel(&w->cancel);
    }
    if (e->kind == DPL_TRAIN_WARNED) {
        w->n_warned++;
        snprintf(w->warning, sizeof w->warning, "%s", e->text);
    }
    if (e->kind == DPL_TRAIN_VALIDATED) {
        w->figures = e->figures;
        w->n_validated++;
    }
}

static dpl_error last_error;

static dpl_status train(dpl_train_options o, watcher *w, dpl_train_report *report)
{
    dpl_train_report unused;

    last_error.message[0] = '\0';
    o.cancel = &w->cancel;
    o.on_event = watch;
    o.ctx = w;
    const dpl_status status = dpl_train(report ? report : &unused, &o, &last_error);
    if (status != DPL_OK)
        print_message("%s\n", last_error.message);
    return status;
}

static uint8_t *read_whole(const char *path, size_t *n)
{
    uint8_t *bytes;

    assert_int_equal(dpli_file_read(&bytes, n, path, (size_t)1 << 30, NULL), DPL_OK);
    return bytes;
}

static int count_of(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void assert_says(const char *text)
{
    if (!strstr(last_error.message, text))
        fail_msg("\"%s\" does not say \"%s\"", last_error.message, text);
}

static dpl_train_options resume_of(const char *run)
{
    dpl_train_options o = DPL_TRAIN_OPTIONS_INIT;

    o.run = run;
    o.resume = 1;
    return o;
}

/* ------------------------------------------------------------------ runs */

static void a_resumed_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    watcher straight = {0}, cut = {.stop_at = 4}, rest = {0};
    dpl_train_options o;

    kit_make("data", 3, 4, 4, 0);
    o = kit_options("data", "a");
    o.ema = 0.8;
    o.optimizer = "nadam";
    o.schedule = "cosine";
    assert_int_equal(train(o, &straight, NULL), DPL_OK);
    o.run = "b";
    assert_int_equal(train(o, &cut, NULL), DPL_E_CANCELLED);
    assert_says("step 4");
    assert_true(exists("b/last.onnx"));
    assert_int_equal(train(resume_of("b"), &rest, NULL), DPL_OK);
    assert_int_equal(rest.plan.start_step, 4);
    assert_int_equal(cut.n_validated + rest.n_validated, straight.n_validated);
    kit_same_files("a/last.onnx", "b/last.onnx");
    kit_same_files("a/best.onnx", "b/best.onnx");
    kit_same_files("a/checkpoint.bin", "b/checkpoint.bin");
}

/* In bfloat16, where the processor has it: other bits than in float32, the same again, and a
 * resumed run goes on in it without being told. Where it has none, these of float32 and a warning.
 */
static void a_run_in_bfloat16_stays_in_it(void **state)
{
    (void)state;
    watcher w = {0}, cut = {.stop_at = 3}, rest = {0};
    dpl_train_options o;
    uint8_t *a, *f32;
    size_t n_a, n_f32;

    kit_make("data", 3, 4, 4, 0);
    o = kit_options("data", "f32");
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    o.run = "a";
    o.precision = "bf16";
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    o.run = "b";
    assert_int_equal(train(o, &cut, NULL), DPL_E_CANCELLED);
    o = resume_of("b");
    o.precision = "f32";
    assert_int_equal(train(o, &rest, NULL), DPL_E_ARGUMENT);
    assert_says("\"precision\" is \"bf16\" in this run and cannot be changed");
    assert_int_equal(train(resume_of("b"), &rest, NULL), DPL_OK);
    kit_same_files("a/last.onnx", "b/last.onnx");
    kit_same_files("a/checkpoint.bin", "b/checkpoint.bin");
    a = read_whole("a/last.onnx", &n_a);
    f32 = read_whole("f32/last.onnx", &n_f32);
    assert_int_equal(n_a, n_f32);
    assert_int_equal(memcmp(a, f32, n_a) != 0, dpli_narrow_product_there());
    free(a);
    free(f32);
}

/* A validation of 16 pictures in batches of 12 leaves a smaller batch behind it than a step takes.
 */
static void validating_changes_nothing_that_is_learned(void **state)
{
    (void)state;
    watcher often = {0}, never = {0}, cut = {.stop_at = 2}, rest = {0};
    dpl_train_options o;

    kit_make("data", 3, 4, 4, 0);
    o = kit_options("data", "often");
    o.batch_items = 3;
    o.validate_steps = 2;
    assert_int_equal(train(o, &often, NULL), DPL_OK);
    assert_int_equal(often.n_validated, 3);
    o.run = "cut";
    assert_int_equal(train(o, &cut, NULL), DPL_E_CANCELLED);
    assert_int_equal(train(resume_of("cut"), &rest, NULL), DPL_OK);
    kit_same_files("often/last.onnx", "cut/last.onnx");
    o.run = "never";
    o.validate_steps = 100;
    assert_int_equal(train(o, &never, NULL), DPL_OK);
    assert_int_equal(never.n_validated, 1); /* at the end */
    kit_same_files("often/last.onnx", "never/last.onnx");
}

static char *config_of(const char *run)
{
    char path[64];
    size_t n;

    snprintf(path, sizeof path, "%s/config.json", run);
    uint8_t *bytes = read_whole(path, &n);
    char *text = calloc(n + 1, 1);
    assert_non_null(text);
    memcpy(text, bytes, n);
    free(bytes);
    return text;
}

static void assert_config_says(const char *run, const char *line)
{
    char *text = config_of(run);

    if (!strstr(text, line))
        fail_msg("%s/config.json does not say %s but: %s", run, line, text);
    free(text);
}

static void what_was_left_to_the_data_stands_in_the_config_as_it_was_decided(void **state)
{
    (void)state;
    watcher cut = {.stop_at = 2}, w = {0};
    dpl_train_options o;

    kit_make("data", 3, 4, 4, 0);
    o = kit_options("data", "run");
    o.hold_groups = DPL_TRAIN_UNSET_INT;
    assert_int_equal(train(o, &cut, NULL), DPL_E_CANCELLED);
    assert_int_equal(cut.plan.n_held_classes, 2);
    assert_config_says("run", "\"hold-classes\": 2,");

    /* A run of an earlier version has a number that stands for it. */
    char *text = config_of("run"), *at = strstr(text, "\"hold-classes\": 2,");
    char *older = malloc(strlen(text) + 32);
    assert_non_null(older);
    sprintf(older, "%.*s\"hold-classes\": 2147483647,%s", (int)(at - text), text,
            at + strlen("\"hold-classes\": 2,"));
    assert_int_equal(dpli_file_replace("run/config.json", older, strlen(older), NULL), DPL_OK);
    free(older);
    free(text);
    assert_int_equal(train(resume_of("run"), &w, NULL), DPL_OK);
    assert_int_equal(w.plan.n_held_classes, 2);
    assert_config_says("run", "\"hold-classes\": 2,");

    o = kit_options("data", "plain");
    o.hold_groups = DPL_TRAIN_UNSET_INT;
    o.plain = 1;
    o.augment = "koch";
    o.steps = 1;
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    assert_config_says("plain", "\"hold-classes\": 0,");
}

static void a_picture_that_cannot_be_read_is_left_out_and_named(void **state)
{
    (void)state;
    static const char damaged[] = "data/g0/c01/02.jpg";
    watcher whole = {0}, w = {0};
    dpl_train_options o;

    kit_make("data", 3, 4, 4, 0);
    o = kit_options("data", "whole");
    o.hold_groups = 0;
    o.steps = 1;
    assert_int_equal(train(o, &whole, NULL), DPL_OK);
    assert_int_equal(whole.n_warned, 0);
    assert_int_equal(dpli_file_replace(damaged, "\xff\xd8\xff no picture", 14, NULL), DPL_OK);
    o.run = "run";
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    assert_int_equal(w.n_warned, 1);
    assert_non_null(strstr(w.warning, damaged));
    assert_non_null(strstr(w.warning, "; the picture is left out"));
    assert_int_equal(w.plan.n_items, whole.plan.n_items - 1);
}

static void a_killed_run_goes_on_from_its_checkpoint(void **state)
{
    (void)state;
    watcher straight = {0}, w = {0};
    size_t n;

    kit_make("data", 3, 4, 4, 0);
    dpl_train_options o = kit_options("data", "a");
    assert_int_equal(train(o, &straight, NULL), DPL_OK);
    /* As it was after the validation at step 3, with a log that goes on and a line cut off. */
    assert_int_equal(rename("a/last.onnx", "last.onnx"), 0);
    assert_int_equal(rename("a/checkpoint.prev.bin", "a/checkpoint.bin"), 0);
    FILE *log = fopen("a/log.jsonl", "a");
    assert_non_null(log);
    fputs("{\"step\":9,\"lo", log);
    fclose(log);
    assert_int_equal(train(resume_of("a"), &w, NULL), DPL_OK);
    assert_true(w.plan.start_step < 6 && w.plan.start_step > 0);
    kit_same_files("a/last.onnx", "last.onnx");
    char *text = (char *)read_whole("a/log.jsonl", &n);
    assert_null(strstr(text, "\"step\":9"));
    assert_int_equal(count_of(text, "{\"step\":5,"), 1);
    free(text);
    /* and one that was killed before its first checkpoint begins anew */
    assert_int_equal(unlink("a/checkpoint.bin"), 0);
    unlink("a/checkpoint.prev.bin");
    assert_int_equal(train(resume_of("a"), &w, NULL), DPL_OK);
    assert_int_equal(w.plan.start_step, 0);
    kit_same_files("a/last.onnx", "last.onnx");
}

static void a_longer_run_may_be_asked_for_and_nothing_else_changed(void **state)
{
    (void)state;
    watcher w = {0};
    dpl_train_report report;

    kit_make("data", 3, 4, 4, 0);
    dpl_train_options o = kit_options("data", "a");
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    o.run = "a";
    assert_int_equal(train(o, &w, NULL), DPL_E_ARGUMENT);
    assert_says("holds a run already");
    dpl_train_options r = resume_of("a");
    r.rate = 0.5;
    assert_int_equal(train(r, &w, NULL), DPL_E_ARGUMENT);
    assert_says("\"rate\"");
    r = resume_of("a");
    r.data = "data"; /* the same, said again */
    r.steps = 8;
    assert_int_equal(train(r, &w, &report), DPL_OK);
    assert_int_equal(report.n_steps, 8);
    /* other data */
    assert_int_equal(unlink("data/g0/c00/00.jpg"), 0);
    assert_int_equal(unlink("data/g1/c05/00.jpg"), 0);
    assert_int_equal(unlink("data/g2/c09/00.jpg"), 0);
    assert_int_equal(train(resume_of("a"), &w, NULL), DPL_E_INPUT);
    assert_says("not those that this run began with");
}

static void a_damaged_checkpoint_is_refused_and_the_one_before_named(void **state)
{
    (void)state;
    watcher w = {0};
    size_t n;

    kit_make("data", 3, 4, 4, 0);
    assert_int_equal(train(kit_options("data", "a"), &w, NULL), DPL_OK);
    uint8_t *bytes = read_whole("a/checkpoint.bin", &n);
    const size_t cuts[] = {0, 3, 8, 60, 100, n / 2, n - 8, n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        assert_int_equal(dpli_file_replace("a/checkpoint.bin", bytes, cuts[i], NULL), DPL_OK);
        assert_int_equal(train(resume_of("a"), &w, NULL), DPL_E_MODEL);
        assert_says("checkpoint.prev.bin");
    }
    dpli_rng rng;
    dpli_rng_seed(&rng, 5);
    for (int i = 0; i < 8; i++) {
        const size_t at = i < 2 ? (size_t)(8 + 4 * i) : dpli_rng_below(&rng, n);
        bytes[at] ^= 4;
        assert_int_equal(dpli_file_replace("a/checkpoint.bin", bytes, n, NULL), DPL_OK);
        assert_int_equal(train(resume_of("a"), &w, NULL), DPL_E_MODEL);
        bytes[at] ^= 4;
    }
    /* a byte too many */
    bytes = realloc(bytes, n + 1);
    assert_non_null(bytes);
    bytes[n] = 0;
    assert_int_equal(dpli_file_replace("a/checkpoint.bin", bytes, n + 1, NULL), DPL_OK);
    assert_int_equal(train(resume_of("a"), &w, NULL), DPL_E_MODEL);
    assert_int_equal(dpli_file_replace("a/checkpoint.bin", bytes, n, NULL), DPL_OK);
    free(bytes);
    assert_int_equal(train(resume_of("a"), &w, NULL), DPL_OK);
}

static void a_loss_that_is_not_finite_stops_with_step_and_layer(void **state)
{
    (void)state;
    watcher w = {0};
    size_t n;

    kit_make("data", 3, 4, 4, 0);
    dpl_train_options o = kit_options("data", "a");
    o.optimizer = "sgd";
    o.rate = 1e3;
    o.layer = (const char *const[]){"*:rate=1e6", NULL};
    o.validate_steps = 1000;
    o.epoch_steps = 1000;
    o.steps = 60;
    assert_int_equal(train(o, &w, NULL), DPL_E_NUMERIC);
    assert_says("step ");
    assert_says("layer \"");
    assert_says("lower rate");
    assert_false(exists("a/last.onnx"));
    assert_false(exists("a/checkpoint.bin"));
    /* a good checkpoint stays: here one that a gentler run wrote for the wild one */
    dpl_train_options gentle = o;
    watcher cut = {.stop_at = 1};
    gentle.run = "b";
    gentle.layer = (const char *const[]){"*:rate=1e-6", NULL};
    assert_int_equal(train(gentle, &cut, NULL), DPL_E_CANCELLED);
    assert_int_equal(rename("b/checkpoint.bin", "a/checkpoint.bin"), 0);
    uint8_t *before = read_whole("a/checkpoint.bin", &n);
    assert_int_equal(train(resume_of("a"), &w, NULL), DPL_E_NUMERIC);
    assert_int_equal(w.plan.start_step, 1);
    uint8_t *after = read_whole("a/checkpoint.bin", &n);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void a_run_is_locked_while_somebody_works_in_it(void **state)
{
    (void)state;
    watcher w = {0};

    kit_make("data", 3, 4, 2, 0);
    assert_int_equal(mkdir("a", 0700), 0);
    const int fd = open("a", O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(train(kit_options("data", "a"), &w, NULL), DPL_E_LOCKED);
    close(fd);
}

/* ------------------------------------------------------------------ what comes out */

static void assert_head(const char *path, const char *head, int normalized)
{
    dpl_encoder *encoder;
    dpl_head *opened;
    dpl_error err = {0};
    dpl_scratch *scratch;

    if (dpl_encoder_open(&encoder, path, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(dpl_head_open(&opened, encoder, &err), DPL_OK);
    assert_string_equal(dpl_head_name(opened), head);
    assert_string_equal(dpl_encoder_fact(encoder, "normalize"), normalized ? "l2" : "none");
    const size_t n = (size_t)dpl_encoder_width_px(encoder) * (size_t)dpl_encoder_height_px(encoder);
    uint8_t *chip = calloc(n, 3);
    float *out = malloc((size_t)dpl_encoder_dim(encoder) * sizeof *out);
    assert_non_null(chip);
    assert_non_null(out);
    assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
    assert_int_equal(dpl_encode(out, encoder, scratch, chip, 1, &err), DPL_OK);
    dpl_scratch_free(scratch);
    free(out);
    free(chip);
    dpl_head_free(opened);
    dpl_encoder_close(encoder);
}

static void every_loss_trains_to_an_encoder_with_its_head(void **state)
{
    (void)state;
    static const struct {
        const char *loss, *head;
        int normalized;
    } cases[] = {{"contrastive", "euclidean", 0},
                 {"l1-sigmoid", "l1-sigmoid", 0},
                 {"manhattan-ce", "exp-manhattan", 0},
                 {"manhattan-se", "exp-manhattan", 0},
                 {"cosine", "cosine", 1},
                 {"triplet", "cosine", 1},
                 {"arc", "cosine", 1}};
    char run[64], path[128];

    kit_make("data", 3, 4, 4, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        watcher w = {0};
        snprintf(run, sizeof run, "run-%s", cases[i].loss);
        dpl_train_options o = kit_options("data", run);
        o.loss = cases[i].loss;
        o.steps = 3;
        o.within_group = strcmp(cases[i].loss, "arc") == 0 ? DPL_TRAIN_UNSET_REAL : 0.5;
        o.rotate_classes = 1;
        assert_int_equal(train(o, &w, NULL), DPL_OK);
        assert_true(isfinite(w.last_loss));
        assert_int_equal(w.n_validated, 1);
        snprintf(path, sizeof path, "%s/best.onnx", run);
        assert_head(path, cases[i].head, cases[i].normalized);
    }
}

static void training_learns(void **state)
{
    (void)state;
    watcher w = {0};

    kit_make("data", 3, 4, 6, 0);
    dpl_train_options o = kit_options("data", "a");
    o.augment = "none";
    o.steps = 20;
    o.validate_steps = 20;
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    print_message("loss %g to %g, AUC %g, one-shot %g\n", w.first_loss, w.last_loss, w.figures.auc,
                  w.figures.oneshot);
    assert_true(w.last_loss < 0.5 * w.first_loss);
}

/* Largest difference between two models' constants whose names begin so. */
static double weight_change(const char *a, const char *b, const char *prefix)
{
    dpli_graph x, y;
    size_t n_x, n_y;
    uint8_t *bytes_x = read_whole(a, &n_x), *bytes_y = read_whole(b, &n_y);
    double most = -1;

    assert_int_equal(dpli_graph_for_training(&x, bytes_x, n_x, NULL), DPL_OK);
    assert_int_equal(dpli_graph_for_training(&y, bytes_y, n_y, NULL), DPL_OK);
    for (int32_t i = 0; i < x.n_values; i++)
        for (int32_t k = 0; k < y.n_values; k++) {
            const dpli_value *v = &x.values[i], *w = &y.values[k];
            if (!v->data || !w->data || v->type != DPLI_F32 || strcmp(v->name, w->name) != 0 ||
                strncmp(v->name, prefix, strlen(prefix)) != 0)
                continue;
            most = most < 0 ? 0 : most;
            for (int64_t j = 0; j < dpli_shape_elements(&v->shape); j++)
                most =
                    fmax(most, fabs((double)((float *)v->data)[j] - (double)((float *)w->data)[j]));
        }
    dpli_graph_clear(&x);
    dpli_graph_clear(&y);
    free(bytes_x);
    free(bytes_y);
    return most;
}

static void a_model_is_gone_on_with_and_frozen_layers_stay(void **state)
{
    (void)state;
    watcher w = {0};

    kit_make("data", 3, 4, 4, 0);
    dpl_train_options o = kit_options("data", "a");
    o.loss = "l1-sigmoid";
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    dpl_train_options next = kit_options("data", "b");
    next.arch = NULL;
    next.side = next.dim = DPL_TRAIN_UNSET_INT;
    next.init = "a/last.onnx";
    next.loss = "l1-sigmoid";
    next.freeze = (const char *const[]){"*", NULL};
    next.steps = 1;
    assert_int_equal(train(next, &w, NULL), DPL_E_MODEL);
    assert_says("every layer is frozen");
    next.freeze = (const char *const[]){"nothing*", NULL};
    next.run = "c";
    assert_int_equal(train(next, &w, NULL), DPL_E_ARGUMENT);
    assert_says("nothing*");
    next.freeze = (const char *const[]){"stage1*", NULL};
    next.run = "d";
    next.steps = 3;
    assert_int_equal(train(next, &w, NULL), DPL_OK);
    assert_head("d/last.onnx", "l1-sigmoid", 0);
    assert_true(weight_change("d/start.onnx", "d/last.onnx", "stage1") == 0);
    assert_true(weight_change("d/start.onnx", "d/last.onnx", "fc") > 0);
    /* the first step's loss is the old run's, not a fresh start's: the head came along */
    watcher fresh = {0};
    next.run = "e";
    next.arch = "resnet-drawing";
    next.side = 24;
    next.dim = 16;
    next.init = NULL;
    assert_int_equal(train(next, &fresh, NULL), DPL_OK);
    assert_true(w.first_loss != fresh.first_loss);
}

/* Give a model facts that hold for its vectors only. */
static void tag(const char *path)
{
    dpli_graph g;
    size_t n;
    uint8_t *bytes = read_whole(path, &n);

    assert_int_equal(dpli_graph_for_training(&g, bytes, n, NULL), DPL_OK);
    free(bytes);
    assert_int_equal(dpli_graph_set_meta(&g, "calibration", "{}", NULL), DPL_OK);
    assert_int_equal(dpli_graph_set_meta(&g, "cohort", "AAAA", NULL), DPL_OK);
    assert_int_equal(dpli_onnx_write(&bytes, &n, &g, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(path, bytes, n, NULL), DPL_OK);
    free(bytes);
    dpli_graph_clear(&g);
}

static void what_held_for_the_old_vectors_is_not_said_of_the_new(void **state)
{
    (void)state;
    watcher w = {0};
    dpl_encoder *encoder;

    kit_make("data", 3, 4, 4, 0);
    assert_int_equal(train(kit_options("data", "a"), &w, NULL), DPL_OK);
    tag("a/last.onnx");
    assert_int_equal(dpl_encoder_open(&encoder, "a/last.onnx", NULL, NULL), DPL_OK);
    assert_non_null(dpl_encoder_fact(encoder, "calibration"));
    assert_non_null(dpl_encoder_fact(encoder, "cohort"));
    dpl_encoder_close(encoder);
    dpl_train_options next = kit_options("data", "b");
    next.arch = NULL;
    next.side = next.dim = DPL_TRAIN_UNSET_INT;
    next.init = "a/last.onnx";
    assert_int_equal(train(next, &w, NULL), DPL_OK);
    assert_int_equal(dpl_encoder_open(&encoder, "b/last.onnx", NULL, NULL), DPL_OK);
    assert_null(dpl_encoder_fact(encoder, "calibration"));
    assert_null(dpl_encoder_fact(encoder, "cohort"));
    dpl_encoder_close(encoder);
}

static void two_towers_give_two_encoders(void **state)
{
    (void)state;
    watcher cut = {.stop_at = 2}, w = {0};

    kit_make("drawings", 3, 4, 3, 0);
    kit_make("photos", 3, 4, 3, 1);
    dpl_train_options o = kit_options("drawings", "a");
    o.second_data = "photos";
    o.steps = 3;
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    assert_int_equal(w.plan.n_towers, 2);
    assert_head("a/best.a.onnx", "euclidean", 0);
    assert_head("a/best.b.onnx", "euclidean", 0);
    o.run = "b";
    assert_int_equal(train(o, &cut, NULL), DPL_E_CANCELLED);
    assert_int_equal(train(resume_of("b"), &w, NULL), DPL_OK);
    kit_same_files("a/last.a.onnx", "b/last.a.onnx");
    kit_same_files("a/last.b.onnx", "b/last.b.onnx");
}

static void a_teacher_is_learnt_from_without_classes(void **state)
{
    (void)state;
    watcher w = {0};

    kit_make("data", 3, 4, 4, 0);
    dpl_train_options o = kit_options("data", "teacher");
    o.loss = "cosine";
    assert_int_equal(train(o, &w, NULL), DPL_OK);
    dpl_train_options s = kit_options("data", "student");
    s.loss = NULL; /* distil, as there is a teacher */
    s.teacher = (const char *const[]){"teacher/last.onnx", NULL};
    s.plain = 1;
    s.hold_groups = DPL_TRAIN_UNSET_INT;
    s.validate = "data";
    s.augment = "none";
    s.steps = 30;
    s.dim = 12; /* not the teacher's */
    assert_int_equal(train(s, &w, NULL), DPL_OK);
    assert_int_equal(w.plan.n_classes, 0);
    print_message("distance to the teacher %g to %g\n", w.first_loss, w.last_loss);
    assert_true(w.last_loss < 0.7 * w.first_loss);
    assert_head("student/last.onnx", "cosine", 1);
}

static void patience_ends_a_run(void **state)
{
    (void)state;
    watcher w = {0};
    dpl_train_report report;

    kit_make("data", 3, 4, 3, 0);
    dpl_train_options o = kit_options("data", "a");
    o.rate = 1e-9; /* learns nothing: never better */
    o.validate_steps = 1;
    o.steps = 50;
    o.patience = 3;
    assert_int_equal(train(o, &w, &report), DPL_OK);
    assert_true(report.stopped_early);
    assert_true(report.n_steps < 50);
    assert_int_equal(report.n_steps, report.best_step + 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(a_resumed_run_ends_with_the_same_bits),
        TEST(a_run_in_bfloat16_stays_in_it),
        TEST(validating_changes_nothing_that_is_learned),
        TEST(what_was_left_to_the_data_stands_in_the_config_as_it_was_decided),
        TEST(a_picture_that_cannot_be_read_is_left_out_and_named),
        TEST(a_killed_run_goes_on_from_its_checkpoint),
        TEST(a_longer_run_may_be_asked_for_and_nothing_else_changed),
        TEST(a_damaged_checkpoint_is_refused_and_the_one_before_named),
        TEST(a_loss_that_is_not_finite_stops_with_step_and_layer),
        TEST(a_run_is_locked_while_somebody_works_in_it),
        TEST(every_loss_trains_to_an_encoder_with_its_head),
        TEST(training_learns),
        TEST(a_model_is_gone_on_with_and_frozen_layers_stay),
        TEST(what_held_for_the_old_vectors_is_not_said_of_the_new),
        TEST(two_towers_give_two_encoders),
        TEST(a_teacher_is_learnt_from_without_classes),
        TEST(patience_ends_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
