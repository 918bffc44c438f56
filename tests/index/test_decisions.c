/*
 * test_decisions.c - what a decision claims, on made-up vectors whose law is known: both scores
 * must pass, poor faces have their own table, too poor ones none; a person is one chance for a
 * stranger, however many photos they have, and a gallery's rate holds from 10 to 5,000 people.
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "doppel/doppel.h"
#include "index/binomial.h"
#include "index/compare.h"
#include "index/pipeline.h"
#include "net/model_meta.h"
#include "tests/folder_kit.h"
#include "tests/index/gallery_kit.h"

#define SEED  20261126
#define MODEL DPL_MODELS_DIR "/face-105.onnx"

/* ------------------------------------------------------------------ what every test uses */

static char dir[64]; /* fresh for each test */
static dpli_rng rng;

static int set_up(void **state)
{
    (void)state;
    dpli_rng_seed(&rng, SEED);
    snprintf(dir, sizeof dir, "/tmp/doppel-decisions-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(dir);
}

static const char *at(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    kit_write(path, text, strlen(text));
}

/* The encoder without what was measured of it: the tests bring their own. */
static void bare_model(const char *path)
{
    const dpli_meta none[] = {{"doppel.calibration", NULL}, {"doppel.cohort", NULL}};
    uint8_t *bytes, *bare;
    size_t n;

    assert_int_equal(dpli_file_read(&bytes, &n, MODEL, (size_t)1 << 30, NULL), DPL_OK);
    assert_int_equal(dpli_model_set_meta(&bare, &n, bytes, n, none, 2, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(path, bare, n, NULL), DPL_OK);
    free(bytes);
    free(bare);
}

/* The shipped encoder, decided by what is given. Its vectors are not used here, only their number.
 * @param sidecar  JSON beside the model; NULL: none
 * @param calibration  JSON in the place of the model's own; NULL: none */
static dpl_status open_with(dpl_pipeline **out, const char *sidecar, const char *calibration,
                            dpl_error *err)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;

    unlink(at("m.onnx.json"));
    bare_model(at("m.onnx"));
    if (sidecar)
        write_text(at("m.onnx.json"), sidecar);
    if (calibration)
        write_text(at("calibration.json"), calibration);
    o.encoder_path = at("m.onnx");
    o.calibration_path = calibration ? at("calibration.json") : NULL;
    return dpl_pipeline_open(out, &o, err);
}

static dpl_pipeline *open_pipeline(const char *sidecar, const char *calibration)
{
    dpl_pipeline *p;
    dpl_error err = {0};

    if (open_with(&p, sidecar, calibration, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return p;
}

static dpl_policy policy_of(const dpl_pipeline *p, double fmr, double threshold)
{
    dpl_policy policy;
    dpl_error err = {0};

    if (dpl_policy_make(&policy, dpl_pipeline_calibration(p), fmr, threshold, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return policy;
}

/* A direction like any other. */
static void random_unit(float *v, int32_t dim)
{
    double norm = 0;

    for (int32_t i = 0; i < dim; i++) {
        /* Box and Muller 1958 */
        v[i] = (float)(sqrt(-2 * log(1 - dpli_rng_unit(&rng))) *
                       cos(6.283185307179586 * dpli_rng_unit(&rng)));
        norm += (double)v[i] * (double)v[i];
    }
    for (int32_t i = 0; i < dim; i++)
        v[i] = (float)((double)v[i] / sqrt(norm));
}

/* A unit vector whose cosine with the unit vector from is this. */
static void at_cosine(float *v, const float *from, double cosine, int32_t dim)
{
    double along = 0, norm = 0;

    random_unit(v, dim);
    for (int32_t i = 0; i < dim; i++)
        along += (double)v[i] * (double)from[i];
    for (int32_t i = 0; i < dim; i++) {
        v[i] = (float)((double)v[i] - along * (double)from[i]);
        norm += (double)v[i] * (double)v[i];
    }
    for (int32_t i = 0; i < dim; i++)
        v[i] =
            (float)(cosine * (double)from[i] + sqrt((1 - cosine * cosine) / norm) * (double)v[i]);
}

/* How often two random directions have at least this cosine: the square of it is distributed as
 * Beta(1/2, (dim - 1)/2). */
static double law(double cosine, int32_t dim)
{
    return 0.5 * dpli_incomplete_beta(1 - cosine * cosine, (dim - 1) / 2.0, 0.5);
}

/* A calibration that says what is true of random directions. Freed by free(). */
static char *true_calibration(int32_t dim, const char *more)
{
    dpli_buf buf = {0};

    dpli_buf_printf(&buf,
                    "{\"version\":2,\"metric\":\"cosine\",\"people\":1000,\"pairs\":1000000000%s,"
                    "\"points\":[",
                    more);
    for (int i = 0; i < 120; i++) {
        const double rate = law(i * 0.004, dim);
        dpli_buf_printf(&buf, "%s[%.3f,%.9g,%.9g,%.9g]", i ? "," : "", i * 0.004, rate, rate, rate);
    }
    dpli_buf_str(&buf, "]}");
    assert_int_equal(dpli_buf_check(&buf, NULL), DPL_OK);
    return buf.data;
}

/* ------------------------------------------------------------------ made-up photos */

static dpl_face face_of(float quality, float yaw_deg)
{
    dpl_face face = {.w_px = 80, .h_px = 100, .score = 0.9F};

    face.quality.overall = quality;
    face.quality.yaw_deg = yaw_deg;
    snprintf(face.quality.weakest, sizeof face.quality.weakest, "%s", "sharpness");
    return face;
}

/* A photo of n faces with these vectors [n, dim], which it borrows. */
static dpl_photo photo_of(float *vectors, dpl_face *faces, size_t n)
{
    dpl_photo photo = DPL_PHOTO_INIT;

    photo.n_faces = n;
    photo.faces = faces;
    photo.vectors = vectors;
    return photo;
}

typedef struct shelf {
    dpl_gallery *gallery;
    int32_t dim;
    int n; /* photos so far */
} shelf;

static shelf new_shelf(const dpl_pipeline *p)
{
    shelf s = {.dim = dpl_encoder_dim(dpl_pipeline_encoder(p))};
    dpl_error err = {0};

    kit_expect(DPL_OK, dpl_gallery_open(&s.gallery, at("gallery"), DPL_GALLERY_CREATE, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_bind(s.gallery, dpl_pipeline_encoder(p), &err), &err);
    return s;
}

enum { BATCH = 1000 };

/* n photos, a face each, in few transactions: photo i is of names[i / photos]; vectors [n, dim]. */
static void put_people(shelf *s, const char *const *names, size_t photos, const float *vectors,
                       size_t n, const dpl_face *face)
{
    static dpl_new_photo rows[BATCH];
    static dpl_new_template templates[BATCH];
    static char paths[BATCH][32];
    dpl_error err = {0};

    for (size_t done = 0; done < n;) {
        const size_t m = n - done < BATCH ? n - done : BATCH;

        for (size_t i = 0; i < m; i++) {
            snprintf(paths[i], sizeof paths[i], "/%06d.jpg", s->n++);
            templates[i] = (dpl_new_template){.space = "face",
                                              .vector = vectors + (done + i) * (size_t)s->dim,
                                              .dim = s->dim,
                                              .face = *face};
            rows[i] = (dpl_new_photo){.row = {.path = paths[i],
                                              .person = names[(done + i) / photos],
                                              .sha256 = "",
                                              .reason = "",
                                              .options = "",
                                              .n_faces = 1},
                                      .templates = &templates[i],
                                      .n_templates = 1};
        }
        kit_expect(DPL_OK, dpl_gallery_put(s->gallery, rows, m, &err), &err);
        done += m;
    }
}

static void put_photos(shelf *s, const char *person, const float *vectors, size_t n,
                       const dpl_face *face)
{
    put_people(s, &person, n, vectors, n, face);
}

static float *random_units(size_t n, int32_t dim)
{
    float *v = malloc(n * (size_t)dim * sizeof *v);

    for (size_t i = 0; i < n; i++)
        random_unit(v + i * (size_t)dim, dim);
    return v;
}

/* ------------------------------------------------------------------ one comparison */

#define RANGE ",\"range\":{\"quality\":0.5,\"yaw_deg\":45,\"too_poor\":0.3}"

/* Evidence is -log10 of the rates below: 2 at 1e-2, 3 at 1e-3, and so on. The cohort [4, 2] lies at
 * right angles and between, so that the normalised score of two vectors is known. */
#define TABLES(poor)                                                                               \
    "\"points\":[[0,0.9,0.8,1],[2,0.01,0.008,0.012],[4,0.0001,0.00008,0.00012]]" poor
#define POOR ",\"poor\":[[0,1,0.9,1],[2,0.1,0.08,0.12],[4,0.005,0.004,0.006]]"
#define BOTH                                                                                       \
    ",\"cohort\":{\"top\":2,\"sha256\":"                                                           \
    "\"0000000000000000000000000000000000000000000000000000000000000000\"},"                       \
    "\"score\":[[0.1,0.1],[0.5,0.001]],\"normalised\":[[0,0.1],[4,0.001]]"

static dpl_calibration *parse(const char *json)
{
    dpl_calibration *c;
    dpl_error err = {0};

    if (dpl_calibration_parse(&c, json, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return c;
}

/* Two-dimensional sides, their statistics as given. */
static dpl_comparison compare_at(const dpli_judge *judge, double cosine, float deviation,
                                 dpl_fitness fitness, double times)
{
    const float a[] = {1, 0}, b[] = {(float)cosine, (float)sqrt(1 - cosine * cosine)};
    const dpli_side side_a = {a, 0, deviation, DPL_FITNESS_FAIR};
    const dpli_side side_b = {b, 0, deviation, fitness};

    return dpli_compare(judge, &side_a, &side_b, times);
}

static void both_scores_must_pass(void **state)
{
    dpl_calibration *c =
        parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":9000" BOTH RANGE
              "," TABLES(POOR) "}");
    const int8_t rows[] = {127, 0, 0, 127, 127, 127};
    dpli_judge judge = {.calibration = c};
    dpl_head *head;
    dpli_cohort *cohort;
    dpl_policy policy;

    (void)state;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, 2, NULL, 0, NULL), DPL_OK);
    assert_int_equal(dpli_cohort_new(&cohort, rows, 3, 2, 2, NULL), DPL_OK);
    assert_int_equal(dpl_policy_make(&policy, c, 0.012, (double)NAN, NULL), DPL_OK);
    assert_true(policy.threshold == 2);
    judge.head = head;
    judge.cohort = cohort;
    judge.policy = &policy;
    /* A score of 0.35 says 2.25 (two decades in 0.4); normalised by a deviation of 0.1 it is 3.5
       and says 2.75, by 0.3 it is 1.17 and says 1.58. */
    dpl_comparison x = compare_at(&judge, 0.35, 0.1F, DPL_FITNESS_FAIR, 1);
    assert_true(fabsf(x.score - 0.35F) < 1e-6F && fabsf(x.normalised - 3.5F) < 1e-4F);
    assert_true(fabsf(x.evidence - 2.25F) < 1e-4F);
    assert_int_equal(x.decision, DPL_DECISION_MATCH);
    x = compare_at(&judge, 0.35, 0.3F, DPL_FITNESS_FAIR, 1);
    assert_true(fabsf(x.evidence - (1 + 2 * (0.35F / 0.3F) / 4)) < 1e-4F);
    assert_int_equal(x.decision, DPL_DECISION_NO_MATCH);
    x = compare_at(&judge, 0.25, 0.01F, DPL_FITNESS_FAIR, 1);
    assert_true(fabsf(x.evidence - 1.75F) < 1e-4F); /* the normalised alone would pass */
    assert_int_equal(x.decision, DPL_DECISION_NO_MATCH);
    /* A side without statistics is no evidence. */
    x = compare_at(&judge, 0.9, NAN, DPL_FITNESS_FAIR, 1);
    assert_true(isnan(x.evidence) && x.rate.rate == 1);
    assert_int_equal(x.decision, DPL_DECISION_NO_MATCH);
    dpli_cohort_free(cohort);
    dpl_head_free(head);
    dpl_calibration_free(c);
}

static void a_poor_face_is_judged_by_its_own_table(void **state)
{
    dpl_calibration *with =
        parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":9000" RANGE
              ",\"points\":[[0,0.9,0.8,1],[0.5,0.01,0.008,0.012]],"
              "\"poor\":[[0,1,0.9,1],[0.5,0.1,0.08,0.12],[0.8,0.009,0.008,0.01]]}");
    dpl_calibration *without =
        parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":9000" RANGE
              ",\"points\":[[0,0.9,0.8,1],[0.5,0.01,0.008,0.012]]}");
    static const struct {
        double cosine;
        dpl_fitness fitness;
        dpl_decision with, without, by_threshold;
    } cases[] = {
        {0.6, DPL_FITNESS_FAIR, DPL_DECISION_MATCH, DPL_DECISION_MATCH, DPL_DECISION_MATCH},
        {0.6, DPL_FITNESS_POOR, DPL_DECISION_INCONCLUSIVE, DPL_DECISION_INCONCLUSIVE,
         DPL_DECISION_MATCH},
        {0.8, DPL_FITNESS_POOR, DPL_DECISION_MATCH, DPL_DECISION_INCONCLUSIVE, DPL_DECISION_MATCH},
        {0.1, DPL_FITNESS_POOR, DPL_DECISION_NO_MATCH, DPL_DECISION_NO_MATCH,
         DPL_DECISION_NO_MATCH},
        {0.1, DPL_FITNESS_FAIR, DPL_DECISION_NO_MATCH, DPL_DECISION_NO_MATCH,
         DPL_DECISION_NO_MATCH},
        {0.9, DPL_FITNESS_TOO_POOR, DPL_DECISION_TOO_POOR, DPL_DECISION_TOO_POOR,
         DPL_DECISION_MATCH},
        {0.1, DPL_FITNESS_TOO_POOR, DPL_DECISION_TOO_POOR, DPL_DECISION_TOO_POOR,
         DPL_DECISION_NO_MATCH},
    };
    dpli_judge judge = {0};
    dpl_head *head;
    dpl_policy policy;

    (void)state;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, 2, NULL, 0, NULL), DPL_OK);
    judge.head = head;
    judge.policy = &policy;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judge.calibration = with;
        assert_int_equal(dpl_policy_make(&policy, with, 0.012, (double)NAN, NULL), DPL_OK);
        dpl_comparison x = compare_at(&judge, cases[i].cosine, 1, cases[i].fitness, 1);
        assert_int_equal(x.decision, cases[i].with);
        assert_true(x.evidence == x.score && isnan(x.normalised));
        /* The rate is of the same table, and of none when nothing is claimed. */
        if (cases[i].fitness == DPL_FITNESS_POOR)
            assert_true(x.rate.high == dpl_calibration_poor_fmr(with, x.evidence).high);
        assert_true(isnan(x.rate.rate) == (cases[i].fitness == DPL_FITNESS_TOO_POOR));
        assert_int_equal(dpl_policy_make(&policy, with, (double)NAN, 0.5, NULL), DPL_OK);
        assert_int_equal(compare_at(&judge, cases[i].cosine, 1, cases[i].fitness, 1).decision,
                         cases[i].by_threshold);
        judge.calibration = without;
        assert_int_equal(dpl_policy_make(&policy, without, 0.012, (double)NAN, NULL), DPL_OK);
        assert_true(isnan(policy.poor_threshold));
        assert_int_equal(compare_at(&judge, cases[i].cosine, 1, cases[i].fitness, 1).decision,
                         cases[i].without);
    }
    dpl_head_free(head);
    dpl_calibration_free(with);
    dpl_calibration_free(without);
}

static void a_poor_face_never_matches_where_a_fair_one_would_not(void **state)
{
    /* A table for poor faces that is lower than that for fair ones. */
    dpl_calibration *c =
        parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":9000" RANGE
              ",\"points\":[[0,0.9,0.8,1],[0.5,0.01,0.008,0.012]],"
              "\"poor\":[[0,0.01,0.009,0.011],[0.3,0.001,0.0008,0.0012]]}");
    dpl_policy policy;

    (void)state;
    assert_int_equal(dpl_policy_make(&policy, c, 0.012, (double)NAN, NULL), DPL_OK);
    assert_true(policy.threshold == 0.5F && policy.poor_threshold == 0.5F);
    dpl_calibration_free(c);
}

static void what_a_face_is_fit_for_is_said_by_the_range(void **state)
{
    dpl_calibration *c =
        parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":9000" RANGE
              ",\"points\":[[0,0.9],[0.5,0.01]]}");
    dpl_face unknown = {0}, bad = face_of(NAN, 0), turned = face_of(0.9F, -46);

    (void)state;
#define FITNESS(quality, yaw) dpl_calibration_fitness(c, &(dpl_face[]){face_of(quality, yaw)}[0])
    assert_int_equal(FITNESS(0.5F, 45), DPL_FITNESS_FAIR);
    assert_int_equal(FITNESS(0.5F, -45), DPL_FITNESS_FAIR);
    assert_int_equal(FITNESS(0.49F, 0), DPL_FITNESS_POOR);
    assert_int_equal(FITNESS(1, 46), DPL_FITNESS_POOR);
    assert_int_equal(dpl_calibration_fitness(c, &turned), DPL_FITNESS_POOR);
    assert_int_equal(FITNESS(0.3F, 0), DPL_FITNESS_POOR);
    assert_int_equal(FITNESS(0.29F, 0), DPL_FITNESS_TOO_POOR);
    assert_int_equal(dpl_calibration_fitness(c, &bad), DPL_FITNESS_TOO_POOR);
    assert_int_equal(dpl_calibration_fitness(c, &unknown), DPL_FITNESS_FAIR);
    assert_int_equal(dpl_calibration_fitness(NULL, &bad), DPL_FITNESS_FAIR);
    dpl_calibration_free(c);
}

static void what_is_reached_more_often_needs_more(void **state)
{
    dpl_calibration *c =
        parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":9000,"
              "\"points\":[[0,0.5,0.4,0.6],[0.4,0.01,0.009,0.012],[0.8,0.001,0.0009,0.0012]]}");
    dpli_judge judge = {.calibration = c};
    dpl_head *head;
    dpl_policy policy;

    (void)state;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, 2, NULL, 0, NULL), DPL_OK);
    assert_int_equal(dpl_policy_make(&policy, c, 0.012, (double)NAN, NULL), DPL_OK);
    judge.head = head;
    judge.policy = &policy;
    dpl_comparison once = compare_at(&judge, 0.48, 1, DPL_FITNESS_FAIR, 1);
    dpl_comparison twice = compare_at(&judge, 0.48, 1, DPL_FITNESS_FAIR, 2);
    assert_int_equal(once.decision, DPL_DECISION_MATCH);
    assert_int_equal(twice.decision, DPL_DECISION_INCONCLUSIVE);
    assert_true(twice.threshold > once.threshold && twice.times == 2);
    assert_true(fabs(twice.rate.rate / once.rate.rate - 2) < 1e-9);
    assert_true(fabs(twice.rate.high / once.rate.high - 2) < 1e-9);
    assert_true(twice.rate.low == once.rate.low);
    assert_int_equal(compare_at(&judge, 0.7, 1, DPL_FITNESS_FAIR, 2).decision, DPL_DECISION_MATCH);
    /* 0.012 / 100 is lower than the table goes: nothing is enough, and nothing is refused for it.
     */
    twice = compare_at(&judge, 0.99, 1, DPL_FITNESS_FAIR, 100);
    assert_true(isnan(twice.threshold));
    assert_int_equal(twice.decision, DPL_DECISION_INCONCLUSIVE);
    assert_int_equal(compare_at(&judge, 0.1, 1, DPL_FITNESS_FAIR, 100).decision,
                     DPL_DECISION_NO_MATCH);
    assert_true(compare_at(&judge, 0.01, 1, DPL_FITNESS_FAIR, 100).rate.rate == 1);
    /* A threshold is of the score, whatever there are of. */
    assert_int_equal(dpl_policy_make(&policy, c, (double)NAN, 0.4, NULL), DPL_OK);
    assert_int_equal(compare_at(&judge, 0.41, 1, DPL_FITNESS_FAIR, 100).decision,
                     DPL_DECISION_MATCH);
    dpl_head_free(head);
    dpl_calibration_free(c);
}

/* ------------------------------------------------------------------ two photos */

static void a_face_that_is_too_poor_is_refused_by_name_and_part(void **state)
{
    char *calibration = true_calibration(192, RANGE);
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    float *v = random_units(2, dim);
    dpl_face fair = face_of(0.9F, 0), poor = face_of(0.12F, 0);
    dpl_photo a = photo_of(v, &fair, 1), b = photo_of(v + dim, &poor, 1);
    dpl_policy policy = policy_of(p, 1e-3, (double)NAN);
    dpl_verdict verdict;
    dpl_error err;

    (void)state;
    b.name = (char *)"b.jpg";
    assert_int_equal(dpl_verify(&verdict, p, &policy, &a, &b, NULL, &err), DPL_E_QUALITY);
    assert_non_null(strstr(err.message, "\"b.jpg\""));
    assert_non_null(strstr(err.message, "sharpness"));
    assert_non_null(strstr(err.message, "0.12"));
    assert_int_equal(dpl_verify(&verdict, p, &policy, &b, &a, NULL, &err), DPL_E_QUALITY);
    /* The user's own threshold compares all. */
    policy = policy_of(p, (double)NAN, 0.5);
    assert_int_equal(dpl_verify(&verdict, p, &policy, &a, &b, NULL, &err), DPL_OK);
    assert_int_equal(verdict.decision, DPL_DECISION_NO_MATCH);
    assert_true(isnan(verdict.rate.rate));
    free(v);
    free(calibration);
    dpl_pipeline_close(p);
}

/* ------------------------------------------------------------------ what a calibration is of */

/* A cohort of random members as the fact's text, its hash beside. Freed by free(). */
static char *cohort_text(size_t n, int32_t dim, char sha256[65])
{
    const size_t n_bytes = 12 + n * (size_t)dim;
    uint8_t *bytes = calloc(n_bytes, 1);
    const float scale = 0.01F;
    dpli_buf buf = {0};

    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(n >> 8 * i);
        bytes[4 + i] = (uint8_t)((uint32_t)dim >> 8 * i);
    }
    memcpy(bytes + 8, &scale, 4);
    for (size_t i = 12; i < n_bytes; i++)
        bytes[i] = (uint8_t)(1 + (int)(dpli_rng_unit(&rng) * 126));
    dpli_buf_base64(&buf, bytes, n_bytes);
    assert_int_equal(dpli_buf_check(&buf, NULL), DPL_OK);
    assert_int_equal(dpli_sha256_of(sha256, buf.data, buf.len, NULL), DPL_OK);
    free(bytes);
    return buf.data;
}

static void a_calibration_must_fit_its_model(void **state)
{
    dpl_pipeline *plain = open_pipeline(NULL, NULL), *p;
    const dpl_encoder *encoder = dpl_pipeline_encoder(plain);
    char sha256[65], other[65], *text = cohort_text(2400, dpl_encoder_dim(encoder), sha256);
    dpli_buf sidecar = {0};
    dpl_error err;
    char json[1024];
    static const char form[] =
        "{\"version\":2,\"metric\":\"%s\",\"people\":9,\"pairs\":9000,\"model\":\"%s\",\"cohort\":{"
        "\"top\":%d,\"sha256\":\"%s\"},\"score\":[[0.1,0.1],[0.5,0.001]],\"normalised\":[[0,0.1],["
        "4,"
        "0.001]],\"points\":[[0,0.9],[2,0.01]]}";

    (void)state;
    dpli_buf_printf(&sidecar, "{\"cohort\":\"%s\"}", text);
    memset(other, 'a', 64);
    other[64] = '\0';
    assert_false(dpl_pipeline_calibration_is_given(plain));
    snprintf(json, sizeof json, form, "cosine", dpl_encoder_hash(encoder), 40, sha256);
    assert_int_equal(open_with(&p, sidecar.data, json, &err), DPL_OK);
    assert_true(dpl_pipeline_calibration_is_given(p));
    assert_true(dpl_calibration_has_cohort(dpl_pipeline_calibration(p)));
    assert_non_null(dpli_pipeline_judge(p, NULL).cohort);
    dpl_pipeline_close(p);

    assert_int_equal(open_with(&p, "{\"cohort\":\"\"}", json, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "calibration.json"));
    assert_non_null(strstr(err.message, "needs a cohort"));
    snprintf(json, sizeof json, form, "cosine", dpl_encoder_hash(encoder), 40, other);
    assert_int_equal(open_with(&p, sidecar.data, json, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "another cohort"));
    snprintf(json, sizeof json, form, "cosine", other, 40, sha256);
    assert_int_equal(open_with(&p, sidecar.data, json, &err), DPL_E_MISMATCH);
    assert_non_null(strstr(err.message, "another model"));
    snprintf(json, sizeof json, form, "euclidean", dpl_encoder_hash(encoder), 40, sha256);
    assert_int_equal(open_with(&p, sidecar.data, json, &err), DPL_E_MISMATCH);
    assert_non_null(strstr(err.message, "euclidean"));
    snprintf(json, sizeof json, form, "cosine", dpl_encoder_hash(encoder), 900, sha256);
    dpli_buf_clear(&sidecar);
    free(text);
    text = cohort_text(100, dpl_encoder_dim(encoder), sha256);
    dpli_buf_printf(&sidecar, "{\"cohort\":\"%s\"}", text);
    snprintf(json, sizeof json, form, "cosine", dpl_encoder_hash(encoder), 900, sha256);
    assert_int_equal(open_with(&p, sidecar.data, json, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "900"));
    assert_int_equal(open_with(&p, NULL, "{", &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "calibration.json"));
    dpl_pipeline_close(plain);
    dpli_buf_clear(&sidecar);
    free(text);
}

static void a_gallery_has_its_calibration_beside_it(void **state)
{
    dpl_pipeline *p = open_pipeline(NULL, NULL);
    shelf s = new_shelf(p);
    char *path = (char *)&s;
    dpl_error err;

    (void)state;
    assert_int_equal(dpl_gallery_calibration(&path, s.gallery, &err), DPL_OK);
    assert_null(path);
    write_text(at("gallery/calibration.json"), "{}");
    assert_int_equal(dpl_gallery_calibration(&path, s.gallery, &err), DPL_OK);
    assert_string_equal(path, at("gallery/calibration.json"));
    dpl_bytes_free(path);
    assert_int_equal(unlink(at("gallery/calibration.json")), 0);
    assert_int_equal(symlink("/etc/passwd", at("gallery/calibration.json")), 0);
    assert_int_equal(dpl_gallery_calibration(&path, s.gallery, &err), DPL_E_GALLERY);
    assert_null(path);
    dpl_gallery_close(s.gallery);
    dpl_pipeline_close(p);
}

/* ------------------------------------------------------------------ people */

static void one_poor_or_wrong_reference_attracts_no_stranger(void **state)
{
    char *calibration = true_calibration(192, RANGE);
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_policy policy = policy_of(p, 1e-4, (double)NAN);
    const dpl_face fair = face_of(0.9F, 0), poor = face_of(0.4F, 0), too_poor = face_of(0.2F, 0);
    float *ann = random_units(1, dim), *stranger = random_units(1, dim);
    float *photos = random_units(9, dim);
    dpl_face probe_face = fair;
    dpl_photo probe = photo_of(stranger, &probe_face, 1), same = photo_of(ann, &probe_face, 1);
    shelf s = new_shelf(p);
    dpl_verdict v;
    dpl_error err;

    (void)state;
    for (int i = 0; i < 9; i++)
        at_cosine(photos + i * dim, ann, 0.8, dim);
    put_photos(&s, "Ann", photos, 9, &fair);
    put_photos(&s, "Ann", stranger, 1, &poor);
    put_photos(&s, "Ann", stranger, 1, &too_poor);
    assert_int_equal(dpl_verify_claim(&v, s.gallery, p, &policy, &probe, "Ann", NULL, &err),
                     DPL_OK);
    assert_int_equal(v.decision, DPL_DECISION_NO_MATCH);
    assert_true(v.n_templates == 11 && v.n_compared == 9 && v.by_mean);
    assert_int_equal(v.fitness, DPL_FITNESS_FAIR);
    assert_int_equal(dpl_verify_claim(&v, s.gallery, p, &policy, &same, "Ann", NULL, &err), DPL_OK);
    assert_int_equal(v.decision, DPL_DECISION_MATCH);
    assert_true(v.score > 0.95F); /* 0.8 / sqrt(0.64 + 0.36 / 9) = 0.970 */
    /* A fair photo of the stranger under the same name is most like them, and does not decide. */
    put_photos(&s, "Ann", stranger, 1, &fair);
    assert_int_equal(dpl_verify_claim(&v, s.gallery, p, &policy, &probe, "Ann", NULL, &err),
                     DPL_OK);
    assert_int_equal(v.decision, DPL_DECISION_NO_MATCH);
    assert_true(v.best_score > 0.999F && v.n_compared == 10);

    /* Poor references are compared where there are no others, and judged as such. */
    put_photos(&s, "Ben", photos, 2, &poor);
    put_photos(&s, "Ben", stranger, 1, &too_poor);
    assert_int_equal(dpl_verify_claim(&v, s.gallery, p, &policy, &same, "Ben", NULL, &err), DPL_OK);
    assert_true(v.n_compared == 2 && v.fitness == DPL_FITNESS_POOR);
    assert_int_equal(v.decision, DPL_DECISION_INCONCLUSIVE); /* there is no table for poor faces */
    put_photos(&s, "Cid", stranger, 1, &too_poor);
    assert_int_equal(dpl_verify_claim(&v, s.gallery, p, &policy, &same, "Cid", NULL, &err),
                     DPL_E_QUALITY);
    assert_non_null(strstr(err.message, "\"Cid\""));
    assert_int_equal(dpl_verify_claim(&v, s.gallery, p, &policy, &same, "Dan", NULL, &err),
                     DPL_E_NO_PERSON);
    dpl_gallery_close(s.gallery);
    free(ann);
    free(stranger);
    free(photos);
    free(calibration);
    dpl_pipeline_close(p);
}

/* 5,000 photos of one name, each of its own direction: by the best of them nearly everybody would
 * be let in at this rate. */
static void many_templates_under_one_name_are_one_chance(void **state)
{
    enum { TEMPLATES = 5000, PROBES = 30 };
    char *calibration = true_calibration(192, "");
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_policy policy = policy_of(p, 2e-3, (double)NAN);
    const dpl_face fair = face_of(0.9F, 0);
    float *crowd = random_units(TEMPLATES, dim), *probes = random_units(PROBES, dim);
    dpl_face faces[PROBES];
    dpl_photo photo = photo_of(probes, faces, PROBES);
    shelf s = new_shelf(p);
    int by_best = 0, by_mean = 0, named = 0;
    dpl_answer *answers;
    size_t n;
    dpl_error err;

    (void)state;
    printf("seed %d\n", SEED);
    put_photos(&s, "crowd", crowd, TEMPLATES, &fair);
    put_photos(&s, "Ann", probes, 1, &fair);
    for (size_t i = 0; i < PROBES; i++)
        faces[i] = fair;
    for (int32_t i = 0; i < PROBES; i++) {
        const dpl_verify_options o = {sizeof o, i, -1};
        dpl_verdict v;

        kit_expect(DPL_OK, dpl_verify_claim(&v, s.gallery, p, &policy, &photo, "crowd", &o, &err),
                   &err);
        by_mean += v.decision == DPL_DECISION_MATCH;
        by_best += v.best_score >= policy.threshold;
    }
    /* 30 chances at 2e-3: three or more once in 30,000 runs. */
    assert_true(by_mean <= 2);
    assert_true(by_best >= PROBES - 1);

    /* Whom the crowd would hide is found all the same, and nobody else is named. */
    kit_expect(DPL_OK,
               dpl_query(&answers, &n, s.gallery, p, &policy, &photo, DPL_QUERY_FACE, NULL, &err),
               &err);
    for (size_t i = 1; i < n; i++)
        named += answers[i].decision == DPL_DECISION_MATCH;
    assert_true(named <= 2);
    assert_int_equal(answers[0].decision, DPL_DECISION_MATCH);
    assert_string_equal(answers[0].person, "Ann");
    assert_string_equal(answers[0].hits[0].person, "Ann");
    dpl_answers_free(answers, n);
    dpl_gallery_close(s.gallery);
    free(crowd);
    free(probes);
    free(calibration);
    dpl_pipeline_close(p);
}

/* Hits that are all of one person do not keep another, who is asked about, out of sight. */
static void one_persons_photos_do_not_crowd_out_another(void **state)
{
    enum { TWINS = 300 };
    char *calibration = true_calibration(192, "");
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_policy policy = policy_of(p, 1e-4, (double)NAN);
    const dpl_face fair = face_of(0.9F, 0);
    float *probe = random_units(1, dim), *twin = random_units(TWINS, dim);
    float *own = random_units(6, dim);
    dpl_face face = fair;
    dpl_photo photo = photo_of(probe, &face, 1);
    shelf s = new_shelf(p);
    dpl_answer *answers;
    size_t n;
    dpl_error err;

    (void)state;
    /* The twin's mean is at 0.6 of the probe, each photo of theirs, too; the own photos are at 0.55
       each, and their mean at more: 0.55 / sqrt(0.3025 + 0.6975 / 6) = 0.85. */
    at_cosine(twin, probe, 0.6, dim);
    for (int i = 1; i < TWINS; i++)
        memcpy(twin + i * dim, twin, (size_t)dim * sizeof *twin);
    for (int i = 0; i < 6; i++)
        at_cosine(own + i * dim, probe, 0.55, dim);
    put_photos(&s, "twin", twin, TWINS, &fair);
    put_photos(&s, "own", own, 6, &fair);
    kit_expect(DPL_OK,
               dpl_query(&answers, &n, s.gallery, p, &policy, &photo, DPL_QUERY_FACE, NULL, &err),
               &err);
    assert_string_equal(answers[0].person, "own");
    assert_int_equal(answers[0].n_candidates, 2);
    assert_string_equal(answers[0].candidates[1].person, "twin");
    assert_true(answers[0].candidates[0].by_mean && answers[0].candidates[0].n_compared == 6);
    assert_true(fabsf(answers[0].candidates[1].comparison.score - 0.6F) < 1e-3F);
    assert_int_equal(answers[0].n_hits, 10);
    assert_string_equal(answers[0].hits[0].person, "own"); /* the best photo of whom it is, first */
    assert_string_equal(answers[0].hits[1].person, "twin");
    dpl_answers_free(answers, n);
    dpl_gallery_close(s.gallery);
    free(probe);
    free(twin);
    free(own);
    free(calibration);
    dpl_pipeline_close(p);
}

static size_t n_compared(shelf *s, const dpl_pipeline *p, const dpl_photo *photo)
{
    const dpl_policy policy = policy_of(p, 1e-4, (double)NAN);
    dpl_answer *answers;
    dpl_error err;
    size_t n, n_first;

    kit_expect(DPL_OK,
               dpl_query(&answers, &n, s->gallery, p, &policy, photo, DPL_QUERY_FACE, NULL, &err),
               &err);
    assert_int_equal(answers[0].decision, DPL_DECISION_MATCH);
    assert_string_equal(answers[0].person, "Ann");
    n_first = answers[0].candidates[0].n_compared;
    dpl_answers_free(answers, n);
    return n_first;
}

static void what_is_kept_of_people_goes_with_a_change(void **state)
{
    char *calibration = true_calibration(192, RANGE), *plain = true_calibration(192, "");
    dpl_pipeline *p = open_pipeline(NULL, calibration), *other;
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_face fair = face_of(0.9F, 0), poor = face_of(0.4F, 0);
    float *v = random_units(2, dim);
    dpl_face face = fair;
    dpl_photo photo = photo_of(v, &face, 1);
    shelf s = new_shelf(p);
    const char *const first[] = {"/000000.jpg"};
    dpl_forget_report report;
    dpl_gallery *reader;
    dpl_error err;

    (void)state;
    memcpy(v + dim, v, (size_t)dim * sizeof *v);
    put_photos(&s, "Ann", v, 1, &fair);
    assert_int_equal(n_compared(&s, p, &photo), 1);
    assert_int_equal(n_compared(&s, p, &photo), 1);
    put_photos(&s, "Ann", v, 2, &fair);
    put_photos(&s, "Ann", v, 1, &poor);
    assert_int_equal(n_compared(&s, p, &photo), 3);
    /* Another handle sees what this one changes. */
    kit_expect(DPL_OK, dpl_gallery_open_again(&reader, s.gallery, &err), &err);
    shelf again = {.gallery = reader, .dim = dim};
    assert_int_equal(n_compared(&again, p, &photo), 3);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, s.gallery, NULL, first, 1, false, &err), &err);
    assert_int_equal(n_compared(&again, p, &photo), 2);
    assert_int_equal(n_compared(&s, p, &photo), 2);
    /* By a calibration without a range all are fair. */
    other = open_pipeline(NULL, plain);
    assert_int_equal(n_compared(&s, other, &photo), 3);
    assert_int_equal(n_compared(&s, p, &photo), 2);
    dpl_gallery_close(reader);
    dpl_gallery_close(s.gallery);
    dpl_pipeline_close(other);
    dpl_pipeline_close(p);
    free(v);
    free(calibration);
    free(plain);
}

static void a_face_too_poor_is_never_named(void **state)
{
    char *calibration = true_calibration(192, RANGE);
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    dpl_policy policy = policy_of(p, 1e-4, (double)NAN);
    const dpl_face fair = face_of(0.9F, 0), too_poor = face_of(0.2F, 0);
    float *v = random_units(2, dim);
    dpl_face faces[3] = {fair, too_poor, face_of(0.4F, 0)};
    float *probes = malloc(3 * (size_t)dim * sizeof *probes);
    dpl_photo photo = photo_of(probes, faces, 3);
    shelf s = new_shelf(p);
    dpl_answer *answers;
    size_t n;
    dpl_error err;

    (void)state;
    for (int i = 0; i < 3; i++)
        memcpy(probes + i * dim, v, (size_t)dim * sizeof *v);
    put_photos(&s, "Ann", v, 1, &fair);
    put_photos(&s, "Ben", v, 1, &too_poor); /* whose one photo tells nothing */
    kit_expect(DPL_OK,
               dpl_query(&answers, &n, s.gallery, p, &policy, &photo, DPL_QUERY_FACE, NULL, &err),
               &err);
    assert_int_equal(n, 3);
    assert_int_equal(answers[0].decision, DPL_DECISION_MATCH);
    assert_string_equal(answers[0].person, "Ann");
    assert_int_equal(answers[0].candidates[1].comparison.decision, DPL_DECISION_TOO_POOR);
    assert_int_equal(answers[1].decision, DPL_DECISION_TOO_POOR);
    assert_null(answers[1].person);
    assert_int_equal(answers[2].decision, DPL_DECISION_INCONCLUSIVE);
    assert_null(answers[2].person);
    dpl_answers_free(answers, n);
    dpl_gallery_close(s.gallery);
    free(v);
    free(probes);
    free(calibration);
    dpl_pipeline_close(p);
}

/* The promise of --fpir: strangers named are no more than asked for, whether people have one photo
 * or several, and not far fewer where the table is exact. */
static void a_gallerys_rate_holds_from_10_to_5000_people(void **state)
{
    static const struct {
        int people, photos;
    } galleries[] = {{10, 1}, {10, 20}, {100, 3}, {1000, 1}, {1000, 4}, {5000, 1}, {5000, 2}};
    enum { PROBES = 1000 };
    const double fpir = 0.05;
    char *calibration = true_calibration(192, "");
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_face fair = face_of(0.9F, 0);
    static dpl_face faces[PROBES];
    static char text[5000][8];
    static const char *names[5000];

    (void)state;
    printf("seed %d\n", SEED);
    for (size_t g = 0; g < sizeof galleries / sizeof galleries[0]; g++) {
        const int people = galleries[g].people, photos = galleries[g].photos;
        float *probes = random_units(PROBES, dim);
        float *all = malloc((size_t)(people * photos * dim) * sizeof *all);
        dpl_photo photo = photo_of(probes, faces, PROBES);
        shelf s = new_shelf(p);
        dpl_answer *answers;
        dpl_policy policy;
        size_t n, named = 0;
        dpl_error err;
        double most, expected;

        for (int i = 0; i < people; i++) {
            float *own = all + i * photos * dim;

            random_unit(own, dim);
            for (int j = 1; j < photos; j++) /* alike, as photos of one person are */
                at_cosine(own + j * dim, own, 0.7, dim);
            snprintf(text[i], sizeof text[i], "%05d", i);
            names[i] = text[i];
        }
        put_people(&s, names, (size_t)photos, all, (size_t)(people * photos), &fair);
        free(all);
        for (size_t i = 0; i < PROBES; i++)
            faces[i] = fair;
        kit_expect(DPL_OK,
                   dpl_policy_for_search(&policy, dpl_pipeline_calibration(p), fpir, people, &err),
                   &err);
        kit_expect(
            DPL_OK,
            dpl_query(&answers, &n, s.gallery, p, &policy, &photo, DPL_QUERY_FACE, NULL, &err),
            &err);
        for (size_t i = 0; i < n; i++)
            named += answers[i].decision == DPL_DECISION_MATCH;
        expected = -expm1(people * log1p(-policy.fmr)) * PROBES;
        /* Four standard deviations of a count, and one for small ones. */
        most = expected + 4 * sqrt(expected) + 1;
        printf("%d people of %d photos: fmr %.2g, %zu of %d strangers named, %.1f expected\n",
               people, photos, policy.fmr, named, PROBES, expected);
        assert_true(expected <= fpir * PROBES * 1.0001);
        assert_true((double)named <= most);
        if (expected > 40)
            assert_true((double)named >= expected / 2);
        dpl_answers_free(answers, n);
        dpl_gallery_close(s.gallery);
        assert_int_equal(folder_remove(at("gallery")), 0);
        free(probes);
    }
    free(calibration);
    dpl_pipeline_close(p);
}

static void a_mean_of_several_costs_what_was_measured(void **state)
{
    char *calibration = true_calibration(192, ",\"mean_factor\":1.5");
    dpl_pipeline *p = open_pipeline(NULL, calibration);
    const dpl_calibration *c = dpl_pipeline_calibration(p);
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_policy policy = policy_of(p, 1e-4, (double)NAN);
    const dpl_face fair = face_of(0.9F, 0);
    float *v = random_units(1, dim);
    dpl_face face = fair;
    dpl_photo photo = photo_of(v, &face, 1);
    shelf s = new_shelf(p);
    dpl_verdict one, two;
    dpl_policy lowest;
    float accept, reject;

    (void)state;
    put_photos(&s, "one", v, 1, &fair);
    put_photos(&s, "two", v, 1, &fair);
    put_photos(&s, "two", v, 1, &fair);
    assert_int_equal(dpl_verify_claim(&one, s.gallery, p, &policy, &photo, "one", NULL, NULL),
                     DPL_OK);
    assert_int_equal(dpl_verify_claim(&two, s.gallery, p, &policy, &photo, "two", NULL, NULL),
                     DPL_OK);
    assert_true(one.times == 1 && two.times == 1.5);
    assert_true(one.threshold == policy.threshold);
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 1e-4 / 1.5, NULL), DPL_OK);
    assert_true(two.threshold == accept && accept > policy.threshold);
    assert_true(fabs(two.rate.rate / one.rate.rate - 1.5) < 1e-6);
    /* A search among more people than the table reaches still names people of several photos. */
    assert_int_equal(dpl_policy_for_search(&lowest, c, 1e-9, 1000000, NULL), DPL_OK);
    assert_true(lowest.fmr >= 1.5 * dpl_calibration_lowest_fmr(c));
    assert_int_equal(dpl_verify_claim(&two, s.gallery, p, &lowest, &photo, "two", NULL, NULL),
                     DPL_OK);
    assert_int_equal(two.decision, DPL_DECISION_MATCH);
    dpl_gallery_close(s.gallery);
    free(v);
    free(calibration);
    dpl_pipeline_close(p);
}

/* By a distance a mean says nothing: the best decides, and the rate counts how many there are. */
static void by_other_heads_the_best_decides_at_a_rate_that_counts(void **state)
{
    dpl_pipeline *p = open_pipeline(
        "{\"head\":\"euclidean\"}",
        "{\"version\":2,\"metric\":\"euclidean\",\"people\":9,\"pairs\":9000,"
        "\"points\":[[-1.4,0.5,0.4,0.6],[-1,0.01,0.009,0.01],[-0.5,0.001,0.0009,0.001]]}");
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(p));
    const dpl_policy policy = policy_of(p, 0.01, (double)NAN);
    const dpl_face fair = face_of(0.9F, 0);
    float *probe = random_units(1, dim), *near = random_units(4, dim);
    dpl_face face = fair;
    dpl_photo photo = photo_of(probe, &face, 1);
    shelf s = new_shelf(p);
    dpl_answer *answers;
    dpl_verdict v;
    size_t n;
    dpl_error err;

    (void)state;
    at_cosine(near, probe, 0.55, dim); /* a distance of 0.949 */
    put_photos(&s, "one", near, 1, &fair);
    put_photos(&s, "four", near, 4, &fair);
    kit_expect(DPL_OK, dpl_verify_claim(&v, s.gallery, p, &policy, &photo, "one", NULL, &err),
               &err);
    assert_int_equal(v.decision, DPL_DECISION_MATCH);
    assert_true(v.times == 1 && !v.by_mean);
    const float alone = v.score;
    kit_expect(DPL_OK, dpl_verify_claim(&v, s.gallery, p, &policy, &photo, "four", NULL, &err),
               &err);
    assert_true(v.score == alone && v.best_score == alone);
    assert_true(v.times == 4 && v.n_compared == 4 && !v.by_mean);
    assert_int_not_equal(v.decision, DPL_DECISION_MATCH);
    kit_expect(DPL_OK,
               dpl_query(&answers, &n, s.gallery, p, &policy, &photo, DPL_QUERY_FACE, NULL, &err),
               &err);
    assert_string_equal(answers[0].person, "one");
    assert_int_equal(answers[0].n_candidates, 2);
    assert_true(answers[0].candidates[1].comparison.times == 4);
    dpl_answers_free(answers, n);
    dpl_gallery_close(s.gallery);
    free(probe);
    free(near);
    dpl_pipeline_close(p);
}

#define DECISION(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DECISION(both_scores_must_pass),
        DECISION(a_poor_face_is_judged_by_its_own_table),
        DECISION(a_poor_face_never_matches_where_a_fair_one_would_not),
        DECISION(what_a_face_is_fit_for_is_said_by_the_range),
        DECISION(what_is_reached_more_often_needs_more),
        DECISION(a_face_that_is_too_poor_is_refused_by_name_and_part),
        DECISION(a_calibration_must_fit_its_model),
        DECISION(a_gallery_has_its_calibration_beside_it),
        DECISION(one_poor_or_wrong_reference_attracts_no_stranger),
        DECISION(many_templates_under_one_name_are_one_chance),
        DECISION(one_persons_photos_do_not_crowd_out_another),
        DECISION(what_is_kept_of_people_goes_with_a_change),
        DECISION(a_face_too_poor_is_never_named),
        DECISION(a_gallerys_rate_holds_from_10_to_5000_people),
        DECISION(a_mean_of_several_costs_what_was_measured),
        DECISION(by_other_heads_the_best_decides_at_a_rate_that_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
