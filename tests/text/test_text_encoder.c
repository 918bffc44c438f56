/*
 * test_text_encoder.c - sentences to vectors: what onnxruntime gives for a pair of files as people
 * bring them, batches, and what is no model of sentences.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "doppel/face.h"
#include "doppel/text.h"
#include "tests/failing_alloc.h"

#define GOLDEN   DPL_SOURCE_DIR "/tests/golden/text/"
#define STANDINS DPL_SOURCE_DIR "/tests/standins/"

enum { DIM = 24, SIDE = 32 };

static dpl_error err;

static dpl_text_encoder *open_encoder(const char *path, const char *merges)
{
    dpl_text_encoder_options options = DPL_TEXT_ENCODER_OPTIONS_INIT;
    dpl_text_encoder *e;

    options.merges_path = merges;
    if (dpl_text_encoder_open(&e, path, &options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return e;
}

/* A line of the reference: its numbers, what it is of, and the text or seed. false at the end. */
typedef struct reference {
    float vector[DIM];
    const char *kind;
    char *of;
} reference;

static bool next_reference(reference *r, char **at)
{
    char *line = *at, *end;

    if (!*line)
        return false;
    *at = strchr(line, '\n');
    *(*at)++ = '\0';
    for (int i = 0; i < DIM; i++) {
        r->vector[i] = strtof(line, &end);
        assert_true(end > line);
        line = end;
    }
    assert_int_equal(*line, '\t');
    r->kind = line + 1;
    r->of = strchr(r->kind, '\t');
    *r->of++ = '\0';
    char *to = r->of;
    for (const char *from = r->of; *from; from++)
        *to++ = *from != '\\' ? *from : *++from == 't' ? '\t' : '\n';
    *to = '\0';
    return true;
}

static void compare(const float *got, const reference *r)
{
    /* The engine keeps to 1e-4 of an output's scale; rows are of unit length. */
    for (int i = 0; i < DIM; i++)
        if (!(fabsf(got[i] - r->vector[i]) <= 1e-4f))
            fail_msg("%s \"%s\": number %d is %g, not %g", r->kind, r->of, i, (double)got[i],
                     (double)r->vector[i]);
}

static void a_pair_that_somebody_brings_gives_what_its_runtime_gives(void **state)
{
    dpl_text_encoder *texts = open_encoder(GOLDEN "clip-text.onnx", GOLDEN "clip.merges");
    static uint8_t chip[SIDE * SIDE * 3];
    int n_texts = 0, n_images = 0;
    dpl_encoder *images;
    dpl_scratch *scratch;
    uint8_t *bytes;
    size_t n;
    reference r;
    float got[DIM];

    (void)state;
    assert_int_equal(dpl_text_encoder_dim(texts), DIM);
    assert_int_equal(dpl_tokenizer_about(dpl_text_encoder_tokenizer(texts))->length, 24);
    assert_int_equal(dpl_encoder_open(&images, GOLDEN "clip-image.onnx", "clip-224", &err), DPL_OK);
    assert_string_equal(dpl_encoder_space(images), "image");
    assert_int_equal(dpl_scratch_new(&scratch, 0, &err), DPL_OK);
    assert_int_equal(dpli_file_read(&bytes, &n, GOLDEN "clip-pair.tsv", 1 << 20, &err), DPL_OK);
    for (char *at = (char *)bytes; next_reference(&r, &at);) {
        const char *text = r.of;

        if (strcmp(r.kind, "text") == 0) {
            assert_int_equal(dpl_text_encode(got, NULL, texts, &text, 1, 1, &err), DPL_OK);
            n_texts++;
        } else {
            const int64_t seed = strtol(r.of, NULL, 10);

            for (int64_t i = 0; i < (int64_t)sizeof chip; i++)
                chip[i] = (uint8_t)((seed * 131 + i * i * 7 + i * 13) % 251);
            assert_int_equal(dpl_encode(got, images, scratch, chip, 1, &err), DPL_OK);
            n_images++;
        }
        compare(got, &r);
    }
    assert_true(n_texts >= 40 && n_images == 4);
    free(bytes);
    dpl_scratch_free(scratch);
    dpl_encoder_close(images);
    dpl_text_encoder_close(texts);
}

/* Texts of all lengths, more than a batch of some. */
enum { N_TEXTS = 150 };

static void make_texts(char texts[N_TEXTS][256], const char *pointers[N_TEXTS])
{
    static const char *const words[] = {"dog",   "beach", "red", "a",
                                        "woman", "xyzzy", "two", "runs"};

    for (int i = 0; i < N_TEXTS; i++) {
        size_t n = 0;

        for (int k = 0; k <= i * i % 11; k++)
            n += (size_t)snprintf(texts[i] + n, 256 - n, "%s ", words[(i * 5 + k * 3 + k * k) % 8]);
        pointers[i] = texts[i];
    }
}

static void a_batch_is(const char *path, const char *merges)
{
    static char texts[N_TEXTS][256];
    const char *pointers[N_TEXTS];
    dpl_text_encoder *e = open_encoder(path, merges);
    const size_t dim = (size_t)dpl_text_encoder_dim(e);
    float *all = malloc(N_TEXTS * dim * sizeof *all), *one = malloc(dim * sizeof *one);
    dpl_sentence about[N_TEXTS], alone;

    assert_non_null(all);
    assert_non_null(one);
    make_texts(texts, pointers);
    for (int threads = 1; threads <= 3; threads += 2) {
        memset(all, 0xff, N_TEXTS * dim * sizeof *all);
        if (dpl_text_encode(all, about, e, pointers, N_TEXTS, threads, &err) != DPL_OK)
            fail_msg("%s", err.message);
        for (size_t i = 0; i < N_TEXTS; i++) {
            double length = 0;

            assert_int_equal(dpl_text_encode(one, &alone, e, &pointers[i], 1, 1, &err), DPL_OK);
            assert_memory_equal(&alone, &about[i], sizeof alone);
            for (size_t k = 0; k < dim; k++) {
                assert_true(fabsf(all[i * dim + k] - one[k]) <= 1e-5f);
                length += (double)one[k] * (double)one[k];
            }
            assert_true(fabs(length - 1) < 1e-5);
        }
    }
    assert_int_equal(dpl_text_encode(all, NULL, e, NULL, 0, 1, &err), DPL_OK);
    pointers[7] = "";
    assert_int_equal(dpl_text_encode(all, NULL, e, pointers, N_TEXTS, 2, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "text 8: text is empty");
    free(all);
    free(one);
    dpl_text_encoder_close(e);
}

static void a_batch_is_its_texts_one_by_one(void **state)
{
    (void)state;
    a_batch_is(STANDINS "sentences.onnx", NULL);               /* any length */
    a_batch_is(GOLDEN "clip-text.onnx", GOLDEN "clip.merges"); /* one length, and a mask */
}

static void masks_and_lengths_say_where_a_sentence_ends(void **state)
{
    static char texts[N_TEXTS][256];
    const char *pointers[N_TEXTS];
    dpl_text_encoder *plain = open_encoder(STANDINS "sentences.onnx", NULL);
    dpl_text_encoder *masked = open_encoder(STANDINS "masked.onnx", NULL);
    static float a[N_TEXTS * 16], b[N_TEXTS * 16];
    const int32_t dim = dpl_text_encoder_dim(plain);
    dpl_sentence about[N_TEXTS];

    (void)state;
    make_texts(texts, pointers);
    assert_int_equal(dpl_text_encoder_dim(masked), dim);
    assert_int_equal(dpl_text_encode(a, NULL, plain, pointers, N_TEXTS, 1, &err), DPL_OK);
    if (dpl_text_encode(b, about, masked, pointers, N_TEXTS, 1, &err) != DPL_OK)
        fail_msg("%s", err.message);
    for (int32_t i = 0; i < N_TEXTS; i++) {
        double length = 0, n_words = 0;

        for (int32_t k = 0; k < dim; k++)
            length += (double)b[i * dim + k] * (double)b[i * dim + k];
        for (int32_t k = 0; k < dim; k++) {
            n_words += (double)b[i * dim + k] * about[i].n;
            assert_true(fabs((double)b[i * dim + k] / sqrt(length) - (double)a[i * dim + k]) <
                        1e-5);
        }
        /* Each word's row sums to 1 at most: so the sum was parted by the right length. */
        assert_true(n_words <= about[i].n + 1e-4);
        assert_true(strstr(texts[i], "dog") == NULL || n_words > 0.99);
    }
    dpl_text_encoder_close(plain);
    dpl_text_encoder_close(masked);
}

static void copy_to(const char *to, const char *from)
{
    uint8_t *bytes;
    size_t n;

    assert_int_equal(dpli_file_read(&bytes, &n, from, 1 << 24, &err), DPL_OK);
    assert_int_equal(dpli_file_replace(to, bytes, n, &err), DPL_OK);
    free(bytes);
}

static void refused(const char *path, const char *merges, dpl_status status, const char *words)
{
    dpl_text_encoder_options options = DPL_TEXT_ENCODER_OPTIONS_INIT;
    dpl_error why = {DPL_OK, ""};
    dpl_text_encoder *e;

    options.merges_path = merges;
    assert_int_equal(dpl_text_encoder_open(&e, path, &options, &why), status);
    assert_null(e);
    if (!strstr(why.message, words))
        fail_msg("\"%s\" does not say \"%s\"", why.message, words);
}

static void what_is_no_model_of_sentences_is_named(void **state)
{
    static const char facts[] = "{\"tokens\": \"words\", \"tokens.list\": \"\\na\", "
                                "\"tokens.padding\": \"0\", \"tokens.length\": \"25\"}";

    (void)state;
    refused("nowhere.onnx", NULL, DPL_E_MODEL, "\"nowhere.onnx\"");
    refused(STANDINS "image.onnx", NULL, DPL_E_MODEL,
            "is a \"image-encoder\", not a \"text-encoder\"");
    refused(GOLDEN "clip-text.onnx", NULL, DPL_E_MODEL, "and a list of merges is not given");
    refused(GOLDEN "clip-text.onnx", "nowhere", DPL_E_INPUT, "\"nowhere\"");
    refused(GOLDEN "clip-image.onnx", GOLDEN "clip.merges", DPL_E_MODEL,
            "input \"pixel_values\" takes other numbers");
    refused(STANDINS "sentences.onnx", GOLDEN "clip.merges", DPL_E_ARGUMENT,
            "has tokens of its own");
    copy_to("long.onnx", GOLDEN "clip-text.onnx");
    assert_int_equal(dpli_file_replace("long.onnx.json", facts, sizeof facts - 1, &err), DPL_OK);
    refused("long.onnx", NULL, DPL_E_MODEL,
            "the net takes 24 ids a sentence, but its tokens give up to 25");
}

static void other_tokens_are_other_vectors(void **state)
{
    static const char facts[] = "{\"tokens.lower\": \"0\"}";
    dpl_text_encoder *a = open_encoder(STANDINS "sentences.onnx", NULL), *b;

    (void)state;
    copy_to("same.onnx", STANDINS "sentences.onnx");
    b = open_encoder("same.onnx", NULL);
    assert_string_equal(dpl_text_encoder_hash(a), dpl_text_encoder_hash(b));
    dpl_text_encoder_close(b);
    copy_to("other.onnx", STANDINS "sentences.onnx");
    assert_int_equal(dpli_file_replace("other.onnx.json", facts, sizeof facts - 1, &err), DPL_OK);
    b = open_encoder("other.onnx", NULL);
    assert_string_equal(dpl_net_hash(dpl_text_encoder_net(a)),
                        dpl_net_hash(dpl_text_encoder_net(b)));
    assert_string_not_equal(dpl_text_encoder_hash(a), dpl_text_encoder_hash(b));
    dpl_text_encoder_close(a);
    dpl_text_encoder_close(b);
}

static void every_failing_allocation_is_reported(void **state)
{
    const char *const texts[] = {"two dogs", "a woman runs"};
    float vectors[2 * 16];

    (void)state;
    for (size_t nth = 1;; nth++) {
        dpl_text_encoder *e;
        dpl_status status;

        fail_allocation(nth);
        status = dpl_text_encoder_open(&e, STANDINS "sentences.onnx", NULL, &err);
        if (status == DPL_OK)
            status = dpl_text_encode(vectors, NULL, e, texts, 2, 1, &err);
        const bool reached = n_allocations >= nth;
        fail_allocation(0);
        dpl_text_encoder_close(e);
        if (!reached) {
            assert_int_equal(status, DPL_OK);
            break;
        }
        if (status != DPL_OK)
            assert_int_equal(status, DPL_E_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_somebody_brings_gives_what_its_runtime_gives),
        cmocka_unit_test(a_batch_is_its_texts_one_by_one),
        cmocka_unit_test(masks_and_lengths_say_where_a_sentence_ends),
        cmocka_unit_test(what_is_no_model_of_sentences_is_named),
        cmocka_unit_test(other_tokens_are_other_vectors),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
