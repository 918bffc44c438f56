/*
 * test_train_captions.c - the pieces of a training on pictures with sentences: pictures' vectors
 * are the encoder's, a row comes with its picture's, a picture's sentences are all on one side of
 * the split, ranks are those worked out by hand, and a resumed run ends to the bit.
 */
#include "tests/train/train_kit.h"

#include <math.h>

#include "doppel/cancel.h"
#include "train/feed_captions.h"
#include "train/ranks.h"
#include "train/setup.h"

#define ENCODER DPL_SOURCE_DIR "/tests/standins/image.onnx"

static dpl_error last_error;

/* ------------------------------------------------------------------ helpers */

static dpli_team *make_team(int n)
{
    dpli_team *team;

    assert_int_equal(dpli_team_new(&team, n, NULL), DPL_OK);
    return team;
}

/* A picture of one colour. */
static void draw_plain(const char *path, const uint8_t rgb[3])
{
    static uint8_t pixels[KIT_SIDE * KIT_SIDE * 3];
    dpl_image image = DPL_IMAGE_INIT;
    uint8_t *jpeg;
    size_t n;

    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = rgb[i % 3];
    assert_int_equal(
        dpl_image_from_rgb(&image, pixels, KIT_SIDE, KIT_SIDE, (size_t)KIT_SIDE * 3, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &image, 95, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(path, jpeg, n, NULL), DPL_OK);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&image);
}

enum { N_PICTURES = 20, N_CAPTIONS = 3 };

/* pictures/NN.jpg and captions.csv: three sentences each, "the third of picture 7", picture by
 * picture in turn; every picture's first sentence is also denied of the next one. */
static void make_captions(void)
{
    FILE *f = fopen("captions.csv", "w");

    assert_non_null(f);
    assert_int_equal(mkdir("pictures", 0700), 0);
    fprintf(f, "caption,same,picture\n");
    for (int c = 0; c < N_CAPTIONS; c++)
        for (int p = 0; p < N_PICTURES; p++) {
            char path[64];

            snprintf(path, sizeof path, "pictures/%02d.jpg", p);
            if (c == 0)
                kit_draw(path, p, 0, 1);
            fprintf(f, "number %d of picture %d,1,%s\n", c, p, path);
            if (c == 0)
                fprintf(f, "number %d of picture %d,0,pictures/%02d.jpg\n", c, p,
                        (p + 1) % N_PICTURES);
        }
    assert_int_equal(fclose(f), 0);
}

static dpl_train_options of_captions(const char *run)
{
    static const char *const teacher[] = {ENCODER, NULL};
    dpl_train_options o = DPL_TRAIN_OPTIONS_INIT;

    o.data = "captions.csv";
    o.run = run;
    o.arch = "mean-words";
    o.loss = "info-nce";
    o.teacher = teacher;
    o.length = 8;
    o.batch_pairs = 6;
    o.hold_classes = 4;
    o.steps = 9;
    o.validate_steps = 3;
    o.log_steps = 1;
    o.threads = 2;
    return o;
}

static void count_warning(void *ctx, const char *text)
{
    int *n = ctx;

    assert_non_null(strstr(text, "gone.jpg"));
    ++*n;
}

/* ------------------------------------------------------------------ pictures' vectors */

/* The stand-in's vector of one colour is that colour in 16 places, (value - 127.5) / 127.5, of unit
 * length. */
static void a_pictures_vector_is_the_encoders(void **state)
{
    static const uint8_t colours[3][3] = {{255, 0, 0}, {0, 40, 255}, {200, 200, 20}};
    static const char list[] = "picture,caption\n0.jpg,red\n1.jpg,blue\ngone.jpg,nothing\n"
                               "2.jpg,yellow\n2.jpg,not blue\n";
    dpl_decode_options limits = DPL_DECODE_OPTIONS_INIT;
    dpli_team *team = make_team(2);
    dpli_picture_vectors *v;
    dpl_encoder *encoder;
    dpl_dataset *data;
    int32_t n;
    int n_warned = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        char path[16];

        snprintf(path, sizeof path, "%d.jpg", i);
        draw_plain(path, colours[i]);
    }
    assert_int_equal(dpli_file_replace("list.csv", list, sizeof list - 1, NULL), DPL_OK);
    assert_int_equal(dpl_dataset_open(&data, "list.csv", NULL, &last_error), DPL_OK);
    assert_int_equal(dpl_encoder_open(&encoder, ENCODER, NULL, NULL), DPL_OK);
    assert_int_equal(dpli_picture_vectors_new(&v, data, 0, encoder, &limits, team, count_warning,
                                              &n_warned, &last_error),
                     DPL_OK);
    assert_int_equal(n_warned, 1);
    assert_int_equal(dpli_picture_vectors_dim(v), 48);
    assert_int_equal(dpli_picture_vectors_bytes(v), 4 * (48 * sizeof(float) + sizeof(bool)));
    const int32_t first = dpl_dataset_side_items(data, 0, &n);
    assert_int_equal(n, 4);
    for (int i = 0; i < 3; i++) {
        char name[16];
        double norm = 0;

        snprintf(name, sizeof name, "%d.jpg", i);
        const float *x = dpli_picture_vector(v, dpl_dataset_find_item(data, name));
        assert_non_null(x);
        for (int c = 0; c < 3; c++)
            norm += 16 * pow(((double)colours[i][c] - 127.5) / 127.5, 2);
        /* JPEG's rounding is a level or two of 255. */
        for (int k = 0; k < 48; k++)
            assert_true(fabs((double)x[k] -
                             ((double)colours[i][k / 16] - 127.5) / 127.5 / sqrt(norm)) < 0.01);
    }
    assert_null(dpli_picture_vector(v, dpl_dataset_find_item(data, "gone.jpg")));
    /* Sentences have none. */
    assert_null(dpli_picture_vector(v, first - 1));
    assert_null(dpli_picture_vector(v, first + n));
    assert_null(dpli_picture_vector(v, dpl_dataset_find_item(data, "blue")));
    dpli_picture_vectors_free(v);
    dpli_picture_vectors_free(NULL);
    dpl_encoder_close(encoder);
    dpl_dataset_close(data);
    dpli_team_free(team);
}

/* ------------------------------------------------------------------ the feed */

/* Every row comes with the vector of the picture that its sentence is of, whatever was filled
 * before it. */
static void a_row_comes_with_its_pictures_vector(void **state)
{
    dpl_train_options o = of_captions("run");
    void *hands[2];
    int64_t ids[8];
    float target[48];
    dpli_trainer t;

    (void)state;
    make_captions();
    assert_int_equal(dpli_trainer_open(&t, &o, &last_error), DPL_OK);
    dpli_feed *feed = t.towers[0].feed;
    assert_int_equal(feed->n_targets, 1);
    assert_int_equal(feed->target_dims[0], 48);
    assert_int_equal(feed->item_bytes, sizeof ids);
    for (int h = 0; h < 2; h++)
        assert_int_equal(feed->open(&hands[h], feed, NULL), DPL_OK);
    for (int32_t c = 0; c < t.pool.n_classes; c++)
        for (int32_t i = 0; i < t.pool.classes[c].n[0]; i++) {
            const dpli_draw_class *k = &t.pool.classes[c];
            const dpli_row row = {.item = k->items[0][i], .label = c, .cls = k->cls};
            const dpli_row other = {
                .item = k->items[0][i], .label = 0, .cls = t.held.classes[0].cls};
            const float *want = dpli_caption_feed_vector(feed, k->cls);

            assert_true(feed->has(feed, row.item));
            assert_int_equal(feed->steps(feed, row.item), 5);
            assert_int_equal(feed->fill(hands[0], ids, &row, NULL, NULL), DPL_OK);
            assert_true(ids[4] > 1 && ids[5] == 0); /* five words, all known */
            assert_int_equal(feed->fill(hands[1], ids, &other, NULL, NULL), DPL_OK);
            assert_int_equal(feed->target(hands[0], target, 0, NULL), DPL_OK);
            assert_memory_equal(target, want, sizeof target);
            assert_true(want != dpli_caption_feed_vector(feed, other.cls));
        }
    for (int h = 0; h < 2; h++)
        feed->close(hands[h]);
    dpli_trainer_close(&t);
}

/* ------------------------------------------------------------------ the split */

/* The picture that a class is of, and which of its sentences are there: a bit each. */
static int sentences_of(const dpl_dataset *data, const dpli_draw_class *k, int *picture)
{
    int bits = 0;

    assert_int_equal(sscanf(dpl_dataset_item_name(data, k->cls), "pictures/%d.jpg", picture), 1);
    for (int32_t i = 0; i < k->n[0]; i++) {
        int c, p;

        assert_int_equal(
            sscanf(dpl_dataset_sentence(data, k->items[0][i]), "number %d of picture %d", &c, &p),
            2);
        assert_int_equal(p, *picture); /* what is denied is none of its sentences */
        bits |= 1 << c;
    }
    return bits;
}

static void a_pictures_sentences_are_all_on_one_side(void **state)
{
    (void)state;
    make_captions();
    assert_int_equal(unlink("pictures/03.jpg"), 0);
    for (int seed = 1; seed <= 6; seed++) {
        dpl_train_options o = of_captions("run");
        int side[N_PICTURES] = {0}, picture;
        dpli_trainer t;

        o.seed = seed;
        assert_int_equal(dpli_trainer_open(&t, &o, &last_error), DPL_OK);
        for (int pass = 0; pass < 2; pass++) {
            const dpli_draws *pool = pass ? &t.held : &t.pool;

            for (int32_t c = 0; c < pool->n_classes; c++) {
                assert_int_equal(sentences_of(t.towers[0].data, &pool->classes[c], &picture), 7);
                assert_int_equal(pool->classes[c].n[0], N_CAPTIONS);
                assert_int_equal(side[picture], 0);
                side[picture] = 1 + pass;
            }
            assert_int_equal(pool->n_items, N_CAPTIONS * pool->n_classes);
        }
        /* What cannot be read is on neither. */
        assert_int_equal(side[3], 0);
        assert_int_equal(t.pool.n_classes + t.held.n_classes, N_PICTURES - 1);
        assert_in_range(t.held.n_classes, 3, 4);
        dpli_trainer_close(&t);
        assert_int_equal(folder_remove("run"), 0);
    }
    /* By default a tenth, and two at least. */
    dpl_train_options o = of_captions("run");
    dpli_trainer t;
    o.hold_classes = DPL_TRAIN_UNSET_INT;
    assert_int_equal(dpli_trainer_open(&t, &o, &last_error), DPL_OK);
    assert_in_range(t.held.n_classes, 1, 2);
    dpli_trainer_close(&t);
}

static void what_leaves_too_few_pictures_is_refused(void **state)
{
    static const struct {
        int hold;
        const char *list, *words;
    } cases[] = {
        {19, NULL, "19 pictures cannot be held out of 20"},
        {2, "picture,caption,same\npictures/00.jpg,a,1\npictures/01.jpg,b,0\n",
         "2 pictures cannot be held out of 2"},
        {0, "picture,caption,same\npictures/00.jpg,a,1\npictures/01.jpg,b,0\n",
         "1 pictures with a sentence are left to train on, two are needed"},
    };

    (void)state;
    make_captions();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dpl_train_options o = of_captions("run");
        dpl_train_report report;

        o.hold_classes = cases[i].hold;
        if (cases[i].list) {
            o.data = "few.csv";
            assert_int_equal(dpli_file_replace(o.data, cases[i].list, strlen(cases[i].list), NULL),
                             DPL_OK);
        }
        assert_true(dpl_train(&report, &o, &last_error) != DPL_OK);
        if (!strstr(last_error.message, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", last_error.message, cases[i].words);
        assert_true(access("run", F_OK) != 0);
    }
}

/* ------------------------------------------------------------------ ranks */

static dpl_train_figures ranks_of(const float *sentences, const int32_t *own, size_t n,
                                  const float *pictures, size_t n_pictures, size_t dim)
{
    dpl_train_figures f[2];

    for (int k = 0; k < 2; k++) {
        dpli_team *team = make_team(k ? 3 : 1);

        f[k] = (dpl_train_figures){0};
        assert_int_equal(
            dpli_ranks(&f[k], sentences, own, n, pictures, n_pictures, dim, team, NULL), DPL_OK);
        dpli_team_free(team);
    }
    assert_memory_equal(&f[0], &f[1], sizeof f[0]);
    return f[0];
}

/* Pictures are the axes: a sentence that falls from 12 to 1 along them finds picture k as number
 * k + 1. */
static void ranks_are_those_counted_by_hand(void **state)
{
    static const int32_t own[] = {4, 10, 0, 9, 5, 11};
    float pictures[12][12] = {{0}}, sentences[6][12];
    dpl_train_figures f;

    (void)state;
    for (int i = 0; i < 12; i++) {
        pictures[i][i] = 1;
        for (int k = 0; k < 6; k++)
            sentences[k][i] = (float)(12 - i);
    }
    f = ranks_of(sentences[0], own, 5, pictures[0], 12, 12); /* 5, 11, 1, 10, 6 */
    assert_int_equal(f.n_sentences, 5);
    assert_int_equal(f.n_pictures, 12);
    assert_true(f.recall_1 == 1 / 5.0 && f.recall_5 == 2 / 5.0 && f.recall_10 == 4 / 5.0);
    assert_true(f.median_rank == 6);
    f = ranks_of(sentences[0], own, 6, pictures[0], 12, 12); /* and 12: between 6 and 10 */
    assert_true(f.recall_1 == 1 / 6.0 && f.recall_5 == 2 / 6.0 && f.recall_10 == 4 / 6.0);
    assert_true(f.median_rank == 8);
    f = ranks_of(sentences[0], own, 1, pictures[0], 12, 12);
    assert_true(f.recall_1 == 0 && f.recall_5 == 1 && f.median_rank == 5);
    f = ranks_of(sentences[0], own, 0, pictures[0], 12, 12);
    assert_true(isnan(f.median_rank));
}

/* East, north and west. */
static void what_is_as_near_stands_before_its_own(void **state)
{
    static const float pictures[] = {1, 0, 0, 1, -1, 0};
    static const struct {
        float x, y;
        int32_t own;
        double rank;
    } cases[] = {{2, 0, 0, 1},  {5, 5, 0, 2}, {5, 5, 1, 2},
                 {0, -1, 0, 2}, {0, 0, 1, 3}, /* finds nothing */ {1, .5f, 2, 3},
                 {NAN, 0, 0, 3}};
    float many[2 * 7];
    int32_t own[7];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        many[2 * i] = cases[i].x;
        many[2 * i + 1] = cases[i].y;
        own[i] = cases[i].own;
        const dpl_train_figures f = ranks_of(&many[2 * i], &own[i], 1, pictures, 3, 2);
        if (f.median_rank != cases[i].rank)
            fail_msg("case %zu: rank %g, wanted %g", i, f.median_rank, cases[i].rank);
    }
    const dpl_train_figures f = ranks_of(many, own, 7, pictures, 3, 2);
    assert_true(f.recall_1 == 1 / 7.0 && f.recall_5 == 1 && f.median_rank == 2);
}

/* Over several blocks of sentences and threads, many ties, small whole numbers: exact. */
static void ranks_of_many_are_those_of_their_definition(void **state)
{
    enum { N = 333, PICTURES = 41, DIM = 3 };
    static float sentences[N][DIM], pictures[PICTURES][DIM];
    static int32_t own[N];
    int within[3] = {0};
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 20261127);
    for (int i = 0; i < PICTURES * DIM; i++)
        pictures[i / DIM][i % DIM] = (float)dpli_rng_below(&rng, 5) - 2;
    for (int i = 0; i < N; i++) {
        int rank = 1;
        float products[PICTURES];

        own[i] = (int32_t)dpli_rng_below(&rng, PICTURES);
        for (int d = 0; d < DIM; d++)
            sentences[i][d] = (float)dpli_rng_below(&rng, 5) - 2;
        for (int p = 0; p < PICTURES; p++) {
            products[p] = 0;
            for (int d = 0; d < DIM; d++)
                products[p] += sentences[i][d] * pictures[p][d];
        }
        for (int p = 0; p < PICTURES; p++)
            rank += p != own[i] && products[p] >= products[own[i]];
        within[0] += rank <= 1;
        within[1] += rank <= 5;
        within[2] += rank <= 10;
    }
    const dpl_train_figures f = ranks_of(sentences[0], own, N, pictures[0], PICTURES, DIM);
    assert_true(within[0] > 0 && within[1] > within[0] && within[2] > within[1]);
    assert_true(f.recall_1 == within[0] / (double)N && f.recall_5 == within[1] / (double)N &&
                f.recall_10 == within[2] / (double)N);
}

/* ------------------------------------------------------------------ runs */

typedef struct watcher {
    int64_t stop_at;
    volatile int cancel;
    bool planned_captions;
    dpl_train_figures figures;
} watcher;

static void watch(void *ctx, const dpl_train_event *e)
{
    watcher *w = ctx;

    if (e->kind == DPL_TRAIN_PLANNED)
        w->planned_captions = e->plan->captions;
    if (e->kind == DPL_TRAIN_STEPPED && e->step == w->stop_at)
        dpl_cancel(&w->cancel);
    if (e->kind == DPL_TRAIN_VALIDATED)
        w->figures = e->figures;
}

static dpl_status train(dpl_train_options o, watcher *w)
{
    dpl_train_report report;

    o.cancel = &w->cancel;
    o.on_event = watch;
    o.ctx = w;
    const dpl_status status = dpl_train(&report, &o, &last_error);
    if (status != DPL_OK)
        print_message("%s\n", last_error.message);
    return status;
}

static void assert_same_files(const char *a, const char *b)
{
    uint8_t *x, *y;
    size_t n, m;

    assert_int_equal(dpli_file_read(&x, &n, a, (size_t)1 << 28, NULL), DPL_OK);
    assert_int_equal(dpli_file_read(&y, &m, b, (size_t)1 << 28, NULL), DPL_OK);
    if (n != m || memcmp(x, y, n) != 0)
        fail_msg("%s and %s differ", a, b);
    free(x);
    free(y);
}

/* Cut in the middle of an epoch, between two validations. */
static void a_resumed_run_on_captions_ends_with_the_same_bits(void **state)
{
    static const char *const losses[] = {"info-nce", "ranking"};

    (void)state;
    make_captions();
    for (int k = 0; k < 2; k++) {
        dpl_train_options o = of_captions("whole"), again = DPL_TRAIN_OPTIONS_INIT;
        watcher whole = {0}, cut = {.stop_at = 4}, rest = {0};

        o.loss = losses[k];
        o.optimizer = "nadam";
        o.schedule = "cosine";
        o.ema = 0.8;
        assert_int_equal(train(o, &whole), DPL_OK);
        assert_true(whole.planned_captions);
        assert_int_equal(whole.figures.n_sentences, 4 * N_CAPTIONS);
        assert_int_equal(whole.figures.n_pictures, 4);
        o.run = "cut";
        assert_int_equal(train(o, &cut), DPL_E_CANCELLED);
        again.run = "cut";
        again.resume = true;
        assert_int_equal(train(again, &rest), DPL_OK);
        assert_same_files("whole/checkpoint.bin", "cut/checkpoint.bin");
        assert_same_files("whole/last.onnx", "cut/last.onnx");
        assert_same_files("whole/best.onnx", "cut/best.onnx");
        assert_int_equal(folder_remove("whole"), 0);
        assert_int_equal(folder_remove("cut"), 0);
    }
}

/* Another list under a run's name is another run. */
static void a_run_is_not_gone_on_with_on_other_captions(void **state)
{
    dpl_train_options o = of_captions("run"), again = DPL_TRAIN_OPTIONS_INIT;
    watcher w = {0};
    uint8_t *list;
    size_t n;

    (void)state;
    make_captions();
    o.steps = 2;
    assert_int_equal(train(o, &w), DPL_OK);
    assert_int_equal(dpli_file_read(&list, &n, "captions.csv", 1 << 20, NULL), DPL_OK);
    char *at = strstr((char *)list, "number 2 of picture 5");
    assert_non_null(at);
    memcpy(at, "letter", 6);
    assert_int_equal(dpli_file_replace("captions.csv", list, n, NULL), DPL_OK);
    free(list);
    again.run = "run";
    again.resume = true;
    again.steps = 4;
    assert_true(train(again, &w) != DPL_OK);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(a_pictures_vector_is_the_encoders),
        TEST(a_row_comes_with_its_pictures_vector),
        TEST(a_pictures_sentences_are_all_on_one_side),
        TEST(what_leaves_too_few_pictures_is_refused),
        cmocka_unit_test(ranks_are_those_counted_by_hand),
        cmocka_unit_test(what_is_as_near_stands_before_its_own),
        cmocka_unit_test(ranks_of_many_are_those_of_their_definition),
        TEST(a_resumed_run_on_captions_ends_with_the_same_bits),
        TEST(a_run_is_not_gone_on_with_on_other_captions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
