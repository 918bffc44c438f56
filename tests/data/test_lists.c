/*
 * test_lists.c - lists of sentences, vectors and codes, with classes or as pairs: what they say is
 * what comes out, in every form that is read; and what is wrong is refused with file and line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "doppel/dataset.h"
#include "tests/folder_kit.h"

/* ------------------------------------------------------------------ making */

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* An .npy with this dictionary, of format version 1. */
static void write_npy(const char *path, const char *dictionary, const void *bytes, size_t n)
{
    uint8_t file[4096] = "\x93NUMPY\1";
    const size_t n_text = strlen(dictionary);

    assert_true(10 + n_text + n <= sizeof file);
    file[8] = (uint8_t)n_text;
    file[9] = (uint8_t)(n_text >> 8);
    memcpy(file + 10, dictionary, n_text);
    memcpy(file + 10 + n_text, bytes, n);
    write_file(path, file, 10 + n_text + n);
}

static dpl_dataset *must_open(const char *path, const dpl_dataset_options *options)
{
    dpl_error err = {DPL_OK, ""};
    dpl_dataset *d;

    if (dpl_dataset_open(&d, path, options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return d;
}

static void must_fail(const char *path, const dpl_dataset_options *options, dpl_status status,
                      const char *words)
{
    dpl_error err = {DPL_OK, ""};
    dpl_dataset *d;

    if (dpl_dataset_open(&d, path, options, &err) != status)
        fail_msg("%s: not refused as expected (%s), but: %s", path, words, err.message);
    assert_null(d);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

/* A pair of sentences, as it should be. */
static void must_be_pair(const dpl_dataset *d, int32_t i, const char *a, const char *b,
                         double given, double grade)
{
    const dpl_given_pair *p = dpl_dataset_pair(d, i);

    assert_string_equal(dpl_dataset_item_name(d, p->a), a);
    assert_string_equal(dpl_dataset_item_name(d, p->b), b);
    assert_true(fabs(p->given - given) < 1e-12);
    assert_true(fabs((double)p->grade - grade) < 1e-7);
}

static const dpl_dataset_options graded = {sizeof graded, NULL, false, 1, {-1, -1}, 1, 5,
                                           NULL,          NULL};

/* ------------------------------------------------------------------ pairs */

static void pairs_of_sentences_come_from_every_form(void **state)
{
    static const char *const forms[] = {
        "how are you?\twhat, now\t1\nwhat, now\tgood \"day\"\t0\n",
        "\xEF\xBB\xBFhow are you?\twhat, now\t1\r\nwhat, now\tgood \"day\"\t0",
        "how are you?\twhat, now\t1\r\rwhat, now\tgood \"day\"\t0\r",
        "a,b,label\rhow are you?,\"what, now\",1\r\"what, now\",\"good \"\"day\"\"\",0",
        /* every field that begins with a quote is one of CSV's */
        "\"how are you?\"\t\"what, now\"\t1\nwhat, now\t\"good \"\"day\"\"\"\t0\n",
        "a\tb\tlabel\nhow are you?\twhat, now\t1\n\nwhat, now\tgood \"day\"\t0\n",
        "id,question1,question2,is_duplicate\n7,how are you?,\"what, now\",1\n"
        "8,\"what, now\",\"good \"\"day\"\"\",0\n",
        "score,sentence2,sentence1\n1,\"what, now\",how are you?\n0.0,\"good \"\"day\"\"\",\"what, "
        "now\"\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int32_t n;
        write_text("pairs", forms[i]);
        dpl_dataset *d = must_open("pairs", NULL);
        assert_int_equal(dpl_dataset_n_pairs(d), 2);
        assert_int_equal(dpl_dataset_n_classes(d), 0);
        assert_false(dpl_dataset_is_graded(d));
        must_be_pair(d, 0, "how are you?", "what, now", 1, 1);
        must_be_pair(d, 1, "what, now", "good \"day\"", 0, 0);
        assert_int_equal(dpl_dataset_pair(d, 0)->fold, -1);
        /* the same sentence is the same item, on either side, and they are sorted */
        assert_int_equal(dpl_dataset_n_items(d), 3);
        assert_int_equal(dpl_dataset_pair(d, 0)->b, dpl_dataset_pair(d, 1)->a);
        assert_string_equal(dpl_dataset_sentence(d, 0), "good \"day\"");
        assert_int_equal(dpl_dataset_class_of(d, 0), -1);
        assert_int_equal(dpl_dataset_find_item(d, "what, now"), 2);
        for (int side = 0; side < 2; side++) {
            assert_int_equal(dpl_dataset_side_kind(d, side), DPL_ITEM_SENTENCE);
            assert_int_equal(dpl_dataset_side_items(d, side, &n), 0);
            assert_int_equal(n, 3);
        }
        dpl_dataset_close(d);
    }
}

static void quotes_of_tsv_are_letters_where_one_is_no_csv(void **state)
{
    (void)state;
    write_text("pairs", "\"Fine\", he said.\t\"quoted\"\t1\n\"\t\"\"\"\t0\n");
    dpl_dataset *d = must_open("pairs", NULL);
    must_be_pair(d, 0, "\"Fine\", he said.", "\"quoted\"", 1, 1);
    must_be_pair(d, 1, "\"", "\"\"\"", 0, 0);
    dpl_dataset_close(d);
    /* a quote within a field is a letter also where others are undone */
    write_text("pairs", "5\" disk\t\"quoted\"\t1\n\"\"\"\"\tx\t0\r");
    d = must_open("pairs", NULL);
    must_be_pair(d, 0, "5\" disk", "quoted", 1, 1);
    must_be_pair(d, 1, "\"", "x", 0, 0);
    dpl_dataset_close(d);
}

static void grades_lie_on_the_scale_that_is_said(void **state)
{
    dpl_dataset_options options = graded;

    (void)state;
    write_text("pairs", "a b\tc\t4.5\nc\td\t1\nd\ta b\t5.000\n");
    dpl_dataset *d = must_open("pairs", &graded);
    assert_true(dpl_dataset_is_graded(d));
    must_be_pair(d, 0, "a b", "c", 4.5, 0.875);
    must_be_pair(d, 1, "c", "d", 1, 0);
    must_be_pair(d, 2, "d", "a b", 5, 1);
    dpl_dataset_close(d);
    must_fail("pairs", NULL, DPL_E_INPUT,
              "\"pairs\": line 1: the label \"4.5\" is neither 0 nor 1");
    options.scale_high = 4.75;
    must_fail("pairs", &options, DPL_E_INPUT,
              "line 3: the label \"5.000\" is off the scale 1 to 4.75");
    options.scale_high = NAN;
    must_fail("pairs", &options, DPL_E_ARGUMENT, "no scale");
    options.scale_high = 1;
    must_fail("pairs", &options, DPL_E_ARGUMENT, "no scale");
}

static void pairs_of_two_kinds_have_a_side_of_either(void **state)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    const int32_t *codes;
    int32_t n;

    (void)state;
    options.split = "train";
    write_text("captions", "train\tb.jpg\t0\tA \"dog\" runs .\ntrain\tb.jpg\t1\t\"Dogs\" .\n"
                           "test\tc.jpg\t0\tA cat .\ntrain\ta.jpg\t0\tA \"dog\" runs .\n");
    dpl_dataset *d = must_open("captions", &options);
    assert_int_equal(dpl_dataset_n_pairs(d), 3);
    assert_int_equal(dpl_dataset_item_kind(d), DPL_ITEM_PICTURE);
    assert_int_equal(dpl_dataset_side_kind(d, 1), DPL_ITEM_SENTENCE);
    assert_int_equal(dpl_dataset_side_items(d, 0, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(dpl_dataset_side_items(d, 1, &n), 2);
    assert_int_equal(n, 2);
    must_be_pair(d, 0, "b.jpg", "A \"dog\" runs .", 1, 1);
    must_be_pair(d, 2, "a.jpg", "A \"dog\" runs .", 1, 1);
    assert_int_equal(dpl_dataset_pair(d, 2)->line, 4);
    assert_null(dpl_dataset_sentence(d, 0));
    assert_non_null(dpl_dataset_sentence(d, 2));
    dpl_dataset_close(d);
    options.split = "nowhere";
    must_fail("captions", &options, DPL_E_INPUT, "no row of the split \"nowhere\"");

    write_text("list", "caption,file\na dog,b.jpg\n");
    d = must_open("list", NULL);
    must_be_pair(d, 0, "b.jpg", "a dog", 1, 1);
    dpl_dataset_close(d);

    write_text("list", "sentence,codes,label\nred one,3  17 0,1\nred one,2,0\nblue,3 17 0,0\n");
    d = must_open("list", NULL);
    must_be_pair(d, 0, "red one", "3 17 0", 1, 1);
    assert_int_equal(dpl_dataset_side_items(d, 1, &n), 2);
    assert_int_equal(n, 2); /* blanks do not make two lists of one */
    assert_int_equal(dpl_dataset_side_dim(d, 1), 3);
    assert_int_equal(dpl_dataset_side_codes(d, 1), 18);
    assert_int_equal(dpl_dataset_side_codes(d, 0), 0);
    codes = dpl_dataset_codes(d, dpl_dataset_pair(d, 0)->b, &n);
    assert_int_equal(n, 3);
    assert_int_equal(codes[0], 3);
    assert_int_equal(codes[1], 17);
    assert_int_equal(codes[2], 0);
    assert_null(dpl_dataset_codes(d, 0, &n));
    assert_int_equal(n, 0);
    dpl_dataset_close(d);

    write_text("list", "picture,attributes,same\nx.png,0.5 -1e2 3,1\ny.png,0 0 1,0\n");
    d = must_open("list", NULL);
    assert_int_equal(dpl_dataset_side_kind(d, 1), DPL_ITEM_VECTOR);
    assert_int_equal(dpl_dataset_side_dim(d, 1), 3);
    assert_int_equal(dpl_dataset_side_dim(d, 0), 0);
    const float *vector = dpl_dataset_vector(d, dpl_dataset_pair(d, 0)->b);
    assert_true(vector[0] == 0.5F && vector[1] == -100 && vector[2] == 3);
    assert_null(dpl_dataset_vector(d, 0));
    dpl_dataset_close(d);
}

static void kinds_say_what_a_and_b_are(void **state)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    const float rows[] = {1, 2, 3, 4, 5, 6};

    (void)state;
    write_text("list", "a,b,same\nx.jpg,y.jpg,1\n");
    dpl_dataset *d = must_open("list", NULL);
    assert_int_equal(dpl_dataset_item_kind(d), DPL_ITEM_PICTURE);
    dpl_dataset_close(d);
    options.kinds[0] = DPL_ITEM_SENTENCE;
    d = must_open("list", &options);
    assert_string_equal(dpl_dataset_sentence(d, 1), "y.jpg");
    dpl_dataset_close(d);
    write_npy("v.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", rows,
              sizeof rows);
    write_text("list", "a,b,label\nv.npy:2,v.npy:0,1\nv.npy:0,7 8,0\n");
    options.kinds[0] = DPL_ITEM_VECTOR;
    d = must_open("list", &options);
    assert_int_equal(dpl_dataset_n_items(d), 3);
    assert_int_equal(dpl_dataset_side_dim(d, 0), 2);
    assert_true(dpl_dataset_vector(d, dpl_dataset_pair(d, 0)->a)[1] == 6);
    assert_true(dpl_dataset_vector(d, dpl_dataset_pair(d, 1)->a)[0] == 1);
    assert_true(dpl_dataset_vector(d, dpl_dataset_pair(d, 1)->b)[1] == 8);
    dpl_dataset_close(d);
    write_text("list", "a,b,label\nv.npy:3,v.npy:0,1\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: \"v.npy:3\": the rows are 0 to 2");
    write_text("list", "a,b,label\nw.npy:0,v.npy:0,1\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: \"./w.npy\": cannot be opened");
    write_text("list", "a,b,label\nv.npy:0,1 2 3,1\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: a vector of");
}

static void pairs_that_are_wrong_are_refused_by_line(void **state)
{
    static const struct {
        const char *text, *words;
        dpl_status status;
    } bad[] = {
        {"a,b,label\n", "\"bad\": no pair in it", DPL_E_INPUT},
        {"a,b\nx,y\n", "line 1: no column \"label\"", DPL_E_INPUT},
        {"a,b,label\nx,y,1\nx,y\n", "line 3: 2 fields, the header has 3", DPL_E_INPUT},
        {"x\ty\t1\nx\ty\tz\t1\n", "line 2: 4 fields, the first line has 3", DPL_E_INPUT},
        {"x\ty\t1\nx\ty\t\n", "line 2: the label \"\" is no number", DPL_E_INPUT},
        {"x\ty\t1\nx\ty\tnan\n", "line 2: the label \"nan\" is no number", DPL_E_INPUT},
        {"x\ty\t1\nx\ty\t2\n", "line 2: the label \"2\" is neither 0 nor 1", DPL_E_INPUT},
        {"x\ty\t1\nx\ty\t0x1\n", "line 2: the label \"0x1\" is no number", DPL_E_INPUT},
        {"x\ty\t1\n\ty\t1\n", "line 2: the sentence is empty", DPL_E_INPUT},
        {"x\ty\t1\nx\t \t1\n", "line 2: the sentence is empty", DPL_E_INPUT},
        {"x\ty\t1\n\ny\tx\xC3(\t1\n", "line 3: the sentence is not UTF-8", DPL_E_INPUT},
        {"x\ty\t1\ny\t\xED\xA0\x80\t1\n", "line 2: the sentence is not UTF-8", DPL_E_INPUT},
        {"a,b,label,fold\nx,y,1,100\n", "line 2: the fold \"100\" is not 0 to 99", DPL_E_INPUT},
        {"a,b,label,fold\nx,y,1,1.5\n", "line 2: the fold \"1.5\" is not", DPL_E_INPUT},
        {"a,b,label\n\"x\ny\",z,1\nx,y,5\n", "line 4: the label", DPL_E_INPUT},
        {"sentence,codes\nx,\n", "line 2: the list of codes is empty", DPL_E_INPUT},
        {"sentence,codes\nx,1 -2\n", "line 2: \"-2\" is no code", DPL_E_INPUT},
        {"sentence,codes\nx,1 2147483648\n", "line 2: \"2147483648\" is no code", DPL_E_INPUT},
        {"sentence,codes\nx,1.5\n", "line 2: \"1.5\" is no code", DPL_E_INPUT},
        {"picture,attributes\nx,1\ny,1 2\n", "a vector of", DPL_E_INPUT},
        {"picture,attributes\nx,inf\n", "line 2: \"inf\" is no finite number", DPL_E_INPUT},
        {"picture,attributes\nx,1e39\n", "line 2: \"1e39\" is no finite number", DPL_E_INPUT},
        {"picture,attributes\nx,1 2,\n", "line 2: 3 fields, the header has 2", DPL_E_INPUT},
        {"x\ty\tz\n", "line 1: no column \"path\"", DPL_E_INPUT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("bad", bad[i].text);
        must_fail("bad", NULL, bad[i].status, bad[i].words);
        must_fail("bad", NULL, bad[i].status, "\"bad\": ");
    }
}

static void a_line_of_a_megabyte_is_named(void **state)
{
    const size_t n = 1 << 20;
    char *text = malloc(n + 64);

    (void)state;
    memcpy(text, "x\ty\t1\nx\t", 8);
    memset(text + 8, 'z', n);
    memcpy(text + 8 + n, "\t1\n", 4);
    write_text("long", text);
    must_fail("long", NULL, DPL_E_LIMIT, "line 2: the sentence has 1048576 bytes, limit is 65536");
    for (size_t i = 8; i < 8 + n; i++)
        text[i] = i % 2 ? '1' : ' ';
    memcpy(text, "sentence\tcodes\nx\t", 17);
    write_text("long", text);
    must_fail("long", NULL, DPL_E_INPUT, "line 2: 3 fields");
    text[8 + n] = '\0';
    write_text("long", text);
    must_fail("long", NULL, DPL_E_LIMIT, "codes, limit is 1024");
    free(text);
}

/* ------------------------------------------------------------------ items with classes */

static void sentences_may_have_classes(void **state)
{
    static const char *const forms[] = {
        "text,label\nturn it on,light\nplay,music\nlouder,music\nplay,music\n",
        "sentence\tlabel\nturn it on\tlight\nplay\tmusic\nlouder\tmusic\nplay\tmusic\n",
        "turn it on\tlight\nplay\tmusic\nlouder\tmusic\nplay\tmusic\n",
    };
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_dataset *d;
    int32_t n;

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        write_text("list", forms[i]);
        d = must_open("list", NULL);
        assert_int_equal(dpl_dataset_item_kind(d), DPL_ITEM_SENTENCE);
        assert_int_equal(dpl_dataset_n_pairs(d), 0);
        assert_int_equal(dpl_dataset_n_classes(d), 2);
        assert_string_equal(dpl_dataset_class_name(d, 1), "music");
        assert_int_equal(dpl_dataset_class_items(d, 1, &n), 1);
        assert_int_equal(n, 2); /* one that is there twice counts once */
        assert_string_equal(dpl_dataset_sentence(d, 1), "louder");
        assert_int_equal(dpl_dataset_side_items(d, 1, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(dpl_dataset_item_bytes(d, 0), 0);
        dpl_image image;
        dpl_error err;
        assert_int_equal(dpl_dataset_image(&image, d, 0, &err), DPL_E_ARGUMENT);
        assert_non_null(strstr(err.message, "\"turn it on\" is a sentence, not a picture"));
        dpl_dataset_close(d);
    }
    write_text("list", "text,label\nplay,music\n\nplay,light\n");
    must_fail("list", NULL, DPL_E_INPUT, "line 4: sentence \"play\" is there already, in line 2");
    write_text("list", "text\nplay\nplay\nstop\n");
    must_fail("list", NULL, DPL_E_INPUT, "no column \"label\"");
    options.plain = true;
    d = must_open("list", &options);
    assert_int_equal(dpl_dataset_n_items(d), 2);
    assert_int_equal(dpl_dataset_n_classes(d), 0);
    dpl_dataset_close(d);
    options.min_items = 3;
    options.plain = false;
    write_text("list", "text,label\nplay,music\n");
    must_fail("list", &options, DPL_E_INPUT, "no class of at least 3 sentences");
    options.min_items = 1;
    options.kinds[0] = DPL_ITEM_VECTOR;
    must_fail("list", &options, DPL_E_INPUT, "no column of vectors");
    must_fail(".", &options, DPL_E_INPUT, "holds pictures, not vectors");
}

static void a_picture_with_a_class_may_have_words_beside_it(void **state)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;

    (void)state;
    write_text("list", "file,label,text\nx.jpg,cat,a cat\ny.jpg,dog,a dog\n");
    dpl_dataset *d = must_open("list", NULL);
    assert_int_equal(dpl_dataset_item_kind(d), DPL_ITEM_PICTURE);
    assert_int_equal(dpl_dataset_n_classes(d), 2);
    dpl_dataset_close(d);
    options.kinds[0] = DPL_ITEM_SENTENCE;
    d = must_open("list", &options);
    assert_string_equal(dpl_dataset_sentence(d, 0), "a cat");
    dpl_dataset_close(d);
    options.kinds[0] = DPL_ITEM_PICTURE;
    options.kinds[1] = DPL_ITEM_SENTENCE;
    d = must_open("list", &options);
    must_be_pair(d, 1, "y.jpg", "a dog", 1, 1);
    dpl_dataset_close(d);
}

/* ------------------------------------------------------------------ vectors */

static void vectors_come_from_tables(void **state)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_dataset *d;

    (void)state;
    write_text("list", "x,y,label\n1,2.5,b\n-3,1e-1,a\n4,5,b\n4,5,b\n");
    d = must_open("list", NULL);
    assert_int_equal(dpl_dataset_item_kind(d), DPL_ITEM_VECTOR);
    assert_int_equal(dpl_dataset_n_items(d), 4); /* rows of the same numbers are two */
    assert_int_equal(dpl_dataset_n_classes(d), 2);
    assert_int_equal(dpl_dataset_side_dim(d, 0), 2);
    assert_string_equal(dpl_dataset_item_name(d, 0), "row 1");
    assert_true(dpl_dataset_vector(d, 0)[0] == -3 && dpl_dataset_vector(d, 0)[1] == 0.1F);
    assert_string_equal(dpl_dataset_item_name(d, 1), "row 0");
    assert_true(dpl_dataset_vector(d, 3)[1] == 5);
    dpl_dataset_close(d);
    write_text("list", "1,2.5\n-3,1e-1\n4,5\n");
    must_fail("list", NULL, DPL_E_INPUT, "its vectors have no classes");
    write_text("classes", "label\nb\na\nb\n");
    options.classes = "classes";
    d = must_open("list", &options);
    assert_int_equal(dpl_dataset_n_classes(d), 2);
    assert_string_equal(dpl_dataset_class_name(d, dpl_dataset_class_of(d, 2)), "b");
    dpl_dataset_close(d);
    write_text("classes", "b\na\n");
    must_fail("list", &options, DPL_E_INPUT, "\"list\": \"classes\": 2 classes for 3 vectors");
    write_text("classes", "b\na\nb,c\n");
    must_fail("list", &options, DPL_E_INPUT, "\"classes\": line 3: not one class");
    options.plain = true;
    d = must_open("list", &options);
    assert_int_equal(dpl_dataset_n_items(d), 3);
    assert_string_equal(dpl_dataset_item_name(d, 2), "row 2");
    dpl_dataset_close(d);
    write_text("list", "1,2\n3,nan\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: \"nan\" is no finite number");
    write_text("list", "1,2\n3,x\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: \"x\" is no number");
    write_text("list", "1,2\n3,\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: \"\" is no number");
    write_text("list", "1,2\n3,4,5\n");
    must_fail("list", &options, DPL_E_INPUT, "line 2: 3 fields, the first line has 2");
    write_text("list", "vector,label\n1 2,a\n3 4 5,b\n");
    must_fail("list", NULL, DPL_E_INPUT, "line 3: a vector of 3 numbers, another has 2");
}

/* All the types, each with its extremes as they are in memory. */
static void npy_is_read_in_every_type(void **state)
{
    static const uint16_t halves[4] = {0x3C00, 0xC500, 0x0001, 0x7BFF};
    static const float floats[4] = {1, -5, FLT_MIN, FLT_MAX};
    static const double doubles[4] = {1, -5, 1e-300, 1e38};
    static const int8_t bytes[4] = {1, -5, -128, 127};
    static const uint8_t unsigneds[4] = {1, 251, 0, 255};
    static const int32_t ints[4] = {1, -5, INT32_MIN, INT32_MAX};
    static const int64_t longs[4] = {1, -5, INT64_MIN, INT64_MAX};
    static const struct {
        const char *type;
        const void *values;
        size_t size;
        double want[4];
    } all[] = {
        {"<f2", halves, 2, {1, -5, 5.9604644775390625e-8, 65504}},
        {"<f4", floats, 4, {1, -5, FLT_MIN, FLT_MAX}},
        {"<f8", doubles, 8, {1, -5, 0, (double)1e38F}},
        {"|i1", bytes, 1, {1, -5, -128, 127}},
        {"|u1", unsigneds, 1, {1, 251, 0, 255}},
        {"<i4", ints, 4, {1, -5, -2147483648.0, 2147483648.0}},
        {"<i8", longs, 8, {1, -5, -9223372036854775808.0, 9223372036854775808.0}},
    };
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;

    (void)state;
    options.plain = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char text[128];
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 2), }\n",
                 all[i].type);
        write_npy("v.npy", text, all[i].values, 4 * all[i].size);
        dpl_dataset *d = must_open("v.npy", &options);
        assert_int_equal(dpl_dataset_n_items(d), 2);
        assert_int_equal(dpl_dataset_side_dim(d, 0), 2);
        for (int k = 0; k < 4; k++)
            if ((double)dpl_dataset_vector(d, k / 2)[k % 2] != all[i].want[k])
                fail_msg("%s: number %d is %.9g", all[i].type, k,
                         (double)dpl_dataset_vector(d, k / 2)[k % 2]);
        dpl_dataset_close(d);
    }
}

static void npy_has_classes_in_another_file(void **state)
{
    static const uint8_t rows[6] = {0, 1, 2, 3, 4, 5};
    static const int64_t classes[3] = {7, -1, 7};
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    int32_t n;

    (void)state;
    /* three rows of 2 x 1 are vectors of two */
    write_npy("v.npy", "{'shape': (3L, 2, 1), \"descr\":'|u1','fortran_order':False}", rows, 6);
    must_fail("v.npy", NULL, DPL_E_INPUT, "\"v.npy\": its rows have no classes");
    options.classes = "c.npy";
    write_npy("c.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", classes, 24);
    dpl_dataset *d = must_open("v.npy", &options);
    assert_int_equal(dpl_dataset_n_classes(d), 2);
    assert_string_equal(dpl_dataset_class_name(d, 1), "7");
    assert_int_equal(dpl_dataset_class_items(d, 1, &n), 1);
    assert_int_equal(n, 2);
    assert_string_equal(dpl_dataset_item_name(d, 1), "row 0");
    assert_true(dpl_dataset_vector(d, 2)[1] == 5);
    dpl_dataset_close(d);
    options.classes = "v.npy";
    must_fail("v.npy", &options, DPL_E_INPUT, "\"v.npy\": \"v.npy\": is no array [n] of whole");
    options.classes = "none";
    must_fail("v.npy", &options, DPL_E_INPUT, "\"none\": ");
}

static void npy_that_is_hostile_is_refused(void **state)
{
    static const char ok[] = "'descr': '<f4', 'fortran_order': False, ";
    static const struct {
        const char *dictionary, *words;
        dpl_status status;
    } bad[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }", "pickled objects",
         DPL_E_INPUT},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", "Fortran's order",
         DPL_E_INPUT},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2), }", "first byte highest",
         DPL_E_INPUT},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1, 1), }", "not read (\"<c8\")",
         DPL_E_INPUT},
        {"{'descr': '<U2', 'fortran_order': False, 'shape': (1, 1), }", "not read", DPL_E_INPUT},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1, 2), }", "records",
         DPL_E_INPUT},
        {"{%s'shape': (1, 3), }", "have 8 bytes, its header says 12", DPL_E_INPUT},
        {"{%s'shape': (1, 1), }", "have 8 bytes, its header says 4", DPL_E_INPUT},
        {"{%s'shape': (4611686018427387904, 4), }", "says more than", DPL_E_INPUT},
        {"{%s'shape': (99999999999999999999999, 2), }", "header cannot be read", DPL_E_INPUT},
        {"{%s'shape': (4294967296, 4294967296), }", "says more than", DPL_E_INPUT},
        {"{%s'shape': (0, 4294967296, 4294967296), }", "says more than", DPL_E_INPUT},
        {"{%s'shape': (-1, -2), }", "header cannot be read", DPL_E_INPUT},
        {"{%s'shape': (2,), }", "1 dimensions", DPL_E_INPUT},
        {"{%s'shape': (1 2), }", "header cannot be read", DPL_E_INPUT},
        {"{%s'shape': (1, 2)", "header cannot be read", DPL_E_INPUT},
        {"{%s'shape': (1, 2), } import os", "lacks something", DPL_E_INPUT},
        {"{%s}", "lacks something", DPL_E_INPUT},
        {"{%s'shape': (1, 2), 'shape': (1, 2), }", "header cannot be read", DPL_E_INPUT},
        {"{'descr': __import__('os').system('true'), }", "type in its header", DPL_E_INPUT},
        {"", "no dictionary", DPL_E_INPUT},
    };
    static const float rows[2] = {1, 2}, not_finite[4] = {1, 2, 3, NAN};
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    uint8_t whole[256];

    (void)state;
    options.plain = true;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, bad[i].dictionary, ok);
#pragma GCC diagnostic pop
        write_npy("v.npy", text, rows, sizeof rows);
        must_fail("v.npy", &options, bad[i].status, bad[i].words);
        must_fail("v.npy", &options, bad[i].status, "\"v.npy\": ");
    }
    write_npy("v.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", not_finite,
              sizeof not_finite);
    must_fail("v.npy", &options, DPL_E_INPUT, "row 1: number 1 is not finite");
    write_npy("v.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", rows,
              sizeof rows);
    FILE *f = fopen("v.npy", "rb");
    const size_t n = fread(whole, 1, sizeof whole, f);
    fclose(f);
    dpl_dataset_close(must_open("v.npy", &options));
    /* Cut anywhere, it is refused (before the magic ends it is no .npy, and nothing else). */
    for (size_t cut = 0; cut < n; cut++) {
        write_file("v.npy", whole, cut);
        must_fail("v.npy", &options, DPL_E_INPUT, "");
    }
    whole[6] = 4;
    write_file("v.npy", whole, n);
    must_fail("v.npy", &options, DPL_E_INPUT, "version 4");
}

/* ------------------------------------------------------------------ any bytes */

static void lists_of_any_bytes_are_read_or_refused(void **state)
{
    static const char bytes[] = "a1,\t\"\r\n .\xC3\xA9";
    static const char *const begins[] = {
        "", "a,b,label\n", "x\ty\t1\n", "sentence,codes\n", "text,label\n", "x,label\n1,2\n"};
    const uint64_t seed = 20261127;
    dpli_rng rng;
    int opened = 0;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    for (int round = 0; round < 300; round++) {
        char text[96];
        size_t n = (size_t)snprintf(text, sizeof text, "%s", begins[round % 6]);
        const size_t more = (size_t)dpli_rng_below(&rng, 50);
        for (size_t i = 0; i < more; i++)
            text[n++] = bytes[dpli_rng_below(&rng, sizeof bytes - 1)];
        write_file("any", text, n);
        dpl_dataset *d;
        dpl_error err = {DPL_OK, ""};
        if (dpl_dataset_open(&d, "any", NULL, &err) == DPL_OK) {
            assert_true(dpl_dataset_n_items(d) > 0);
            for (int32_t i = 0; i < dpl_dataset_n_pairs(d); i++)
                assert_true(dpl_dataset_pair(d, i)->b < dpl_dataset_n_items(d));
            opened++;
        } else {
            assert_int_equal(err.status, DPL_E_INPUT);
            assert_non_null(strstr(err.message, "\"any\": "));
        }
        dpl_dataset_close(d);
    }
    assert_true(opened > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_enter, folder_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pairs_of_sentences_come_from_every_form),
        TEST(quotes_of_tsv_are_letters_where_one_is_no_csv),
        TEST(grades_lie_on_the_scale_that_is_said),
        TEST(pairs_of_two_kinds_have_a_side_of_either),
        TEST(kinds_say_what_a_and_b_are),
        TEST(pairs_that_are_wrong_are_refused_by_line),
        TEST(a_line_of_a_megabyte_is_named),
        TEST(sentences_may_have_classes),
        TEST(a_picture_with_a_class_may_have_words_beside_it),
        TEST(vectors_come_from_tables),
        TEST(npy_is_read_in_every_type),
        TEST(npy_has_classes_in_another_file),
        TEST(npy_that_is_hostile_is_refused),
        TEST(lists_of_any_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
