/*
 * test_train_parts.c - the pieces of a run: what settings go together, what is held out, which
 * pictures make a batch, the same batch whatever the threads, and the figures of a validation.
 */
#include "tests/train/train_kit.h"

#include <math.h>

#include "base/fail.h"
#include "train/feed_pictures.h"
#include "train/setup.h"
#include "train/validate.h"

/* ------------------------------------------------------------------ settings */

static dpl_error last_error;

static dpl_status settle(const dpl_train_options *o)
{
    dpli_settings s;
    const dpl_status status = dpli_settings_read(&s, o, NULL, &last_error);

    dpli_settings_clear(&s);
    return status;
}

static void settings_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    const char *const model[] = {"m.onnx", NULL};
#define REFUSED(...)                                                                               \
    do {                                                                                           \
        dpl_train_options o = kit_options("data", "run");                                          \
        o.side = DPL_TRAIN_UNSET_INT;                                                              \
        __VA_ARGS__;                                                                               \
        if (settle(&o) != DPL_E_ARGUMENT)                                                          \
            fail_msg("accepted: %s", #__VA_ARGS__);                                                \
    } while (0)
    dpl_train_options good = kit_options("data", "run");
    assert_int_equal(settle(&good), DPL_OK);
    REFUSED(o.data = NULL);
    REFUSED(o.loss = "l2");
    REFUSED(o.optimizer = "lion");
    REFUSED(o.schedule = "linear");
    REFUSED(o.precision = "int8");
    REFUSED(o.augment = "heavy");
    REFUSED(o.init_weights = "zero");
    REFUSED(o.best = "f1");
    REFUSED(o.channels = 2);
    REFUSED(o.init = "m.onnx");
    REFUSED(o.arch = NULL; o.init = "m.onnx"; o.dim = 8);
    REFUSED(o.batch_pairs = 4);
    REFUSED(o.batch_classes = o.batch_items = DPL_TRAIN_UNSET_INT; o.loss = "triplet";
            o.batch_pairs = 4);
    REFUSED(o.batch_items = 1);
    REFUSED(o.batch_classes = 1);
    REFUSED(o.batch_classes = 2000; o.batch_items = 2);
    REFUSED(o.plain = 1);
    REFUSED(o.loss = "distil");
    REFUSED(o.teacher = model);
    REFUSED(o.loss = "distil"; o.teacher = model; o.plain = 1); /* holds out a group */
    REFUSED(o.loss = "arc"; o.within_group = 0.5);
    REFUSED(o.scale = 30);
    REFUSED(o.loss = "l1-sigmoid"; o.margin = 1);
    REFUSED(o.margin = -1);
    REFUSED(o.second_data = "b"; o.loss = "triplet");
    REFUSED(o.second_data = "b"; o.hold_groups = DPL_TRAIN_UNSET_INT; o.validate = "c");
    REFUSED(o.validate = "b");
    REFUSED(o.hold_group = model);
    REFUSED(o.rate = 0);
    REFUSED(o.rate = NAN);
    REFUSED(o.rate = INFINITY);
    REFUSED(o.ema = 1);
    REFUSED(o.within_group = 1.5);
    REFUSED(o.steps = 0; o.epochs = 0);
    REFUSED(o.layer = ((const char *const[]){"conv1", NULL}));
    REFUSED(o.layer = ((const char *const[]){"conv1:", NULL}));
    REFUSED(o.layer = ((const char *const[]){":rate=1", NULL}));
    REFUSED(o.layer = ((const char *const[]){"conv1:rate=1x", NULL}));
    REFUSED(o.layer = ((const char *const[]){"conv1:rate=1,", NULL}));
    REFUSED(o.layer = ((const char *const[]){"conv1:speed=1", NULL}));
    REFUSED(o.layer = ((const char *const[]){"conv1:rate=-1", NULL}));
    REFUSED(o.layer = ((const char *const[]){"conv1:l2=nan", NULL}));
    REFUSED(o.arch = "\xff");
}

static void settings_are_read_back_as_they_were(void **state)
{
    (void)state;
    dpli_settings s, again;
    char *text, *second;

    dpl_train_options o = kit_options("data", "run");
    o.layer = (const char *const[]){"conv*:rate=0.5,l2=1e-3", "fc:l2=0", NULL};
    assert_int_equal(dpli_settings_read(&s, &o, NULL, &last_error), DPL_OK);
    assert_int_equal(s.n_rules, 2);
    assert_string_equal(s.rules[0].pattern, "conv*");
    assert_true(s.rules[0].rate == 0.5 && s.rules[0].l2 == 1e-3);
    assert_true(s.rules[1].rate == 1 && s.rules[1].l2 == 0);
    assert_int_equal(s.o.data[0], '/');
    assert_int_equal(dpli_settings_text(&text, &s, NULL), DPL_OK);
    const dpl_train_options nothing = DPL_TRAIN_OPTIONS_INIT;
    assert_int_equal(dpli_settings_read(&again, &nothing, text, &last_error), DPL_OK);
    assert_int_equal(dpli_settings_text(&second, &again, NULL), DPL_OK);
    assert_string_equal(text, second);
    dpli_settings_clear(&again);
    /* hostile ones */
    const char *const bad[] = {"",
                               "[]",
                               "{",
                               "{\"rate\": \"x\"}",
                               "{\"epochs\": -5}",
                               "{\"layer\": [1]}",
                               "{\"seed\": 1e99}",
                               "{\"data\": 3}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(dpli_settings_read(&again, &nothing, bad[i], &last_error), DPL_E_INPUT);
    free(text);
    free(second);
    dpli_settings_clear(&s);
}

/* ------------------------------------------------------------------ what is held out */

static void held_out_groups_and_items_are_not_trained_on(void **state)
{
    (void)state;
    dpli_trainer t;
    int n_train = 0, n_held = 0;

    kit_make("data", 3, 4, 5, 0);
    dpl_train_options o = kit_options("data", "run");
    o.hold_groups = DPL_TRAIN_UNSET_INT;
    o.hold_group = (const char *const[]){"g1", NULL};
    o.hold_items = 2;
    assert_int_equal(dpli_trainer_open(&t, &o, &last_error), DPL_OK);
    for (int32_t c = 0; c < t.pool.n_classes; c++)
        for (int32_t i = 0; i < t.pool.classes[c].n[0]; i++, n_train++) {
            const char *name =
                dpl_dataset_item_name(t.towers[0].data, t.pool.classes[c].items[0][i]);
            assert_null(strstr(name, "g1/"));
            assert_true(strstr(name, "/00.") || strstr(name, "/01.") || strstr(name, "/02."));
        }
    for (int32_t c = 0; c < t.held.n_classes; c++)
        for (int32_t i = 0; i < t.held.classes[c].n[0]; i++, n_held++) {
            const char *name =
                dpl_dataset_item_name(t.towers[0].data, t.held.classes[c].items[0][i]);
            assert_non_null(strstr(name, "g1/"));
            assert_true(strstr(name, "/03.") || strstr(name, "/04."));
        }
    assert_int_equal(n_train, 8 * 3);
    assert_int_equal(n_held, 4 * 2);
    dpli_trainer_close(&t);
}

/* ------------------------------------------------------------------ batches */

enum { CLASSES = 12, ITEMS = 5 };

static int32_t numbers[CLASSES * ITEMS];
static dpli_draw_class drawn[CLASSES];

/* 12 classes of 5 items in 3 groups; class c has items 5 c to 5 c + 4. */
static dpli_draws draws(void)
{
    for (int32_t c = 0; c < CLASSES; c++) {
        drawn[c] = (dpli_draw_class){c, c / 4, {numbers + c * ITEMS}, {ITEMS}};
        for (int32_t i = 0; i < ITEMS; i++)
            numbers[c * ITEMS + i] = c * ITEMS + i;
    }
    return (dpli_draws){1, CLASSES, drawn, numbers, CLASSES * ITEMS, NULL, 0};
}

static void weights_of_same_and_different_pairs_are_one_half_each(void **state)
{
    (void)state;
    const dpli_draws pool = draws();
    const dpli_sampler_options cases[] = {
        {.pool = &pool, .seed = 3, .classes = 4, .items = 3, .want_pairs = true},
        {.pool = &pool, .seed = 3, .classes = 4, .items = 3, .want_pairs = true, .turned = true},
        {.pool = &pool, .seed = 3, .pairs = 16, .want_pairs = true},
        {.pool = &pool, .seed = 3, .pairs = 16, .want_pairs = true, .within_group = 1},
    };

    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        dpli_sampler *s;
        dpli_row rows[32];
        dpli_pair pairs[66];
        size_t n;
        assert_int_equal(dpli_sampler_new(&s, &cases[k], NULL), DPL_OK);
        for (int64_t step = 0; step < 20; step++) {
            double same = 0, different = 0;
            dpli_sampler_draw(s, step, rows, pairs, &n);
            assert_int_equal(n, dpli_sampler_pairs(s));
            for (size_t i = 0; i < n; i++) {
                const dpli_row *a = &rows[pairs[i].a], *b = &rows[pairs[i].b];
                assert_true(a->item != b->item);
                assert_int_equal(pairs[i].target == 1, a->label == b->label);
                if (cases[k].pairs && cases[k].within_group == 1)
                    assert_int_equal(a->item / ITEMS / 4, b->item / ITEMS / 4);
                *(pairs[i].target == 1 ? &same : &different) += (double)pairs[i].weight;
            }
            assert_true(fabs(same - 0.5) < 1e-5 && fabs(different - 0.5) < 1e-5);
        }
        dpli_sampler_free(s);
    }
}

static void a_batch_within_a_group_has_classes_of_one_group(void **state)
{
    (void)state;
    const dpli_draws pool = draws();
    const dpli_sampler_options options = {.pool = &pool,
                                          .seed = 9,
                                          .classes = 3,
                                          .items = 2,
                                          .want_pairs = true,
                                          .turned = true,
                                          .within_group = 1};
    dpli_sampler *s;
    dpli_row rows[6];
    dpli_pair pairs[15];
    size_t n;

    assert_int_equal(dpli_sampler_new(&s, &options, NULL), DPL_OK);
    for (int64_t step = 0; step < 50; step++) {
        dpli_sampler_draw(s, step, rows, pairs, &n);
        for (int i = 1; i < 6; i++) {
            assert_int_equal(rows[i].item / ITEMS / 4, rows[0].item / ITEMS / 4);
            assert_int_equal(rows[i].turns, rows[0].turns);
        }
    }
    dpli_sampler_free(s);
}

static void a_batch_depends_on_its_step_alone(void **state)
{
    (void)state;
    const dpli_draws pool = draws();
    const dpli_sampler_options cases[] = {
        {.pool = &pool, .seed = 3, .classes = 4, .items = 3, .want_pairs = true},
        {.pool = &pool, .seed = 3, .pairs = 6, .want_pairs = true},
        {.pool = &pool, .seed = 3, .classes = 7, .items = 1, .by_item = true},
    };

    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        dpli_sampler *a, *b;
        dpli_row x[12], y[12];
        dpli_pair p[66], q[66];
        size_t n, m;
        assert_int_equal(dpli_sampler_new(&a, &cases[k], NULL), DPL_OK);
        assert_int_equal(dpli_sampler_new(&b, &cases[k], NULL), DPL_OK);
        for (int64_t step = 30; step >= 0; step--) {
            dpli_sampler_draw(a, step, x, p, &n);
            dpli_sampler_draw(b, 30 - step, y, q, &m);
            dpli_sampler_draw(b, step, y, q, &m);
            assert_memory_equal(x, y, (size_t)dpli_sampler_rows(a) * sizeof *x);
            assert_int_equal(n, m);
            assert_memory_equal(p, q, n * sizeof *p);
        }
        dpli_sampler_free(a);
        dpli_sampler_free(b);
    }
}

static void one_by_one_every_picture_comes_once_an_epoch(void **state)
{
    (void)state;
    const dpli_draws pool = draws();
    const dpli_sampler_options options = {
        .pool = &pool, .seed = 4, .classes = 10, .items = 1, .by_item = true};
    dpli_sampler *s;
    dpli_row rows[10];
    size_t n;

    assert_int_equal(dpli_sampler_new(&s, &options, NULL), DPL_OK);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int seen[CLASSES * ITEMS] = {0};
        for (int64_t step = 0; step < 6; step++) {
            dpli_sampler_draw(s, epoch * 6 + step, rows, NULL, &n);
            for (int i = 0; i < 10; i++) {
                seen[rows[i].item]++;
                assert_int_equal(rows[i].label, rows[i].item / ITEMS);
            }
        }
        for (int i = 0; i < CLASSES * ITEMS; i++)
            assert_int_equal(seen[i], 1);
    }
    dpli_sampler_free(s);
}

static void batches_are_the_same_whatever_the_threads(void **state)
{
    (void)state;
    dpl_dataset *data;
    dpli_feed *feed;
    dpli_team *team;
    float *first[6] = {0};
    const int32_t side = 32;
    dpli_picture_feed_options pictures = {
        .intake = {side, side, 3, {127.5f, 127.5f, 127.5f}, {128, 128, 128}, true}};
    const size_t n = 8 * (size_t)side * (size_t)side * 3;

    kit_make("data", 3, 4, 5, 1);
    const dpli_draws pool = draws();
    assert_true(dpli_augment_named(&pictures.augment, "photo"));
    assert_int_equal(dpl_dataset_open(&data, "data", NULL, &last_error), DPL_OK);
    pictures.data = data;
    assert_int_equal(dpli_team_new(&team, 1, NULL), DPL_OK);
    assert_int_equal(dpli_picture_feed_new(&feed, &pictures, team, NULL, NULL, &last_error),
                     DPL_OK);
    for (int threads = 1; threads <= 5; threads += 2)
        for (int64_t from = 0; from < 4; from += 3) {
            dpli_loader_options o = {
                .sampler = {.pool = &pool, .seed = 8, .classes = 4, .items = 2, .turned = true},
                .feeds = {feed},
                .n_threads = threads,
                .first_step = from};
            dpli_loader *l;
            assert_int_equal(dpli_loader_new(&l, &o, &last_error), DPL_OK);
            for (int64_t step = from; step < 6; step++) {
                const dpli_batch *b;
                assert_int_equal(dpli_loader_next(&b, l, &last_error), DPL_OK);
                if (!first[step]) {
                    first[step] = malloc(n * sizeof(float));
                    assert_non_null(first[step]);
                    memcpy(first[step], b->inputs[0], n * sizeof(float));
                }
                assert_memory_equal(b->inputs[0], first[step], n * sizeof(float));
                dpli_loader_done(l);
            }
            dpli_loader_free(l);
        }
    assert_memory_not_equal(first[0], first[1], n * sizeof(float));
    for (int i = 0; i < 6; i++)
        free(first[i]);
    dpli_feed_free(feed);
    dpl_dataset_close(data);
    dpli_team_free(team);
}

/* A feed whose rows are no pictures: the item's number and a drawn one, as ids of a sentence would
 * be. Its target is twice the item. */
static dpl_status open_ids(void **hand, const dpli_feed *feed, dpl_error *err)
{
    (void)feed;
    *hand = calloc(1, sizeof(int64_t));
    return *hand ? DPL_OK : dpli_fail(err, DPL_E_MEMORY, "no memory");
}

static dpl_status fill_ids(void *hand, void *out, const dpli_row *row, dpli_rng *rng,
                           dpl_error *err)
{
    const int64_t ids[2] = {row->item, (int64_t)dpli_rng_below(rng, 1000)};

    (void)err;
    *(int64_t *)hand = row->item;
    memcpy(out, ids, sizeof ids);
    return DPL_OK;
}

static dpl_status twice(void *hand, float *out, int32_t i, dpl_error *err)
{
    (void)i;
    (void)err;
    *out = 2 * (float)*(int64_t *)hand;
    return DPL_OK;
}

static dpl_status fill_badly(void *hand, void *out, const dpli_row *row, dpli_rng *rng,
                             dpl_error *err)
{
    (void)hand;
    (void)out;
    (void)rng;
    return dpli_fail(err, DPL_E_INPUT, "item %d is torn", (int)row->item);
}

static void batches_hold_what_their_feed_fills_in(void **state)
{
    (void)state;
    const dpli_draws pool = draws();
    const int32_t dim = 1;
    dpli_feed ids = {.item_bytes = 2 * sizeof(int64_t),
                     .target_dims = &dim,
                     .n_targets = 1,
                     .open = open_ids,
                     .close = free,
                     .fill = fill_ids,
                     .target = twice};
    const dpli_loader_options o = {.sampler = {.pool = &pool, .seed = 4, .classes = 4, .items = 2},
                                   .feeds = {&ids},
                                   .n_threads = 2};
    const dpli_batch *b;
    dpli_sampler *sampler;
    dpli_loader *l;
    dpli_row rows[8];
    size_t n_pairs;

    assert_int_equal(dpli_sampler_new(&sampler, &o.sampler, &last_error), DPL_OK);
    assert_int_equal(dpli_loader_new(&l, &o, &last_error), DPL_OK);
    for (int64_t step = 0; step < 5; step++) {
        assert_int_equal(dpli_loader_next(&b, l, &last_error), DPL_OK);
        dpli_sampler_draw(sampler, step, rows, NULL, &n_pairs);
        const int64_t *in = b->inputs[0];
        for (int r = 0; r < 8; r++) {
            assert_int_equal(in[2 * r], rows[r].item);
            assert_in_range(in[2 * r + 1], 0, 999);
            assert_int_equal((int)b->targets[0][r], 2 * rows[r].item);
            assert_int_equal(b->labels[r], rows[r].label);
        }
        assert_true(in[1] != in[3] || in[1] != in[5]); /* each row draws for itself */
        dpli_loader_done(l);
    }
    dpli_loader_free(l);
    dpli_sampler_free(sampler);

    ids.fill = fill_badly;
    assert_int_equal(dpli_loader_new(&l, &o, &last_error), DPL_OK);
    assert_int_equal(dpli_loader_next(&b, l, &last_error), DPL_E_INPUT);
    assert_non_null(strstr(last_error.message, "is torn"));
    dpli_loader_free(l);
}

/* ------------------------------------------------------------------ figures */

static void figures_agree_with_counting(void **state)
{
    (void)state;
    dpli_rng rng;

    dpli_rng_seed(&rng, 1);
    for (int k = 0; k < 60; k++) {
        const size_t n = 1 + dpli_rng_below(&rng, 30), m = 1 + dpli_rng_below(&rng, 200);
        float same[30], different[200];
        double auc = 0, accuracy = 0.5, tar = 0;
        dpl_train_figures f;
        for (size_t i = 0; i < n; i++) /* with ties */
            same[i] = (float)dpli_rng_below(&rng, 20) + 4;
        for (size_t i = 0; i < m; i++)
            different[i] = (float)dpli_rng_below(&rng, 20);
        for (int at = 0; at < 25; at++) {
            double accepted = 0, falsely = 0;
            for (size_t i = 0; i < n; i++)
                accepted += same[i] >= (float)at;
            for (size_t i = 0; i < m; i++)
                falsely += different[i] >= (float)at;
            accepted /= (double)n;
            falsely /= (double)m;
            accuracy = fmax(accuracy, (accepted + 1 - falsely) / 2);
            if (falsely <= 0.01)
                tar = fmax(tar, accepted);
        }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < m; j++)
                auc += same[i] > different[j] ? 1 : same[i] == different[j] ? 0.5 : 0;
        dpli_pair_figures(&f, same, n, different, m, 0.01);
        /* sums of a few thousand terms in double */
        assert_true(fabs(f.auc - auc / (double)(n * m)) < 1e-12);
        assert_true(fabs(f.accuracy - accuracy) < 1e-12);
        assert_true(fabs(f.tar - tar) < 1e-12);
        assert_true(f.eer >= 0 && f.eer <= 1);
    }
    float same[] = {5, 6, 7, 1}, different[] = {0, 2, 3, 4, 0, 0, 0, 6};
    dpl_train_figures f;
    dpli_pair_figures(&f, same, 4, different, 8, 0.01);
    assert_true(fabs(f.eer - 0.25) < 1e-12);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(settings_that_do_not_go_together_are_refused),
        TEST(settings_are_read_back_as_they_were),
        TEST(held_out_groups_and_items_are_not_trained_on),
        TEST(weights_of_same_and_different_pairs_are_one_half_each),
        TEST(a_batch_within_a_group_has_classes_of_one_group),
        TEST(a_batch_depends_on_its_step_alone),
        TEST(one_by_one_every_picture_comes_once_an_epoch),
        TEST(batches_hold_what_their_feed_fills_in),
        TEST(batches_are_the_same_whatever_the_threads),
        TEST(figures_agree_with_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
