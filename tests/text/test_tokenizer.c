/*
 * test_tokenizer.c - sentences to ids: what a token is, what becomes of text that is none, and what
 * a model's file may say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "doppel/text.h"
#include "net/model_meta.h"
#include "tests/failing_alloc.h"

#define MODEL DPL_SOURCE_DIR "/tests/standins/koch.onnx"
#define TEXTS DPL_SOURCE_DIR "/tests/golden/text/"

static dpl_error err;

static dpl_tokenizer_options options_of(dpl_token_kind kind, bool lower, int32_t length)
{
    dpl_tokenizer_options options = DPL_TOKENIZER_OPTIONS_INIT;

    options.kind = kind;
    options.lower = lower;
    options.length = length;
    return options;
}

/* A tokenizer of all that is in these lines. */
static dpl_tokenizer *knowing(dpl_token_kind kind, bool lower, int32_t length,
                              const char *const *lines, size_t n)
{
    const dpl_tokenizer_options options = options_of(kind, lower, length);
    dpl_tokenizer *t;

    if (dpl_tokenizer_from_lines(&t, lines, n, &options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return t;
}

/* A text's tokens, by a tokenizer that knows all of them, parted by "|". */
static const char *tokens_of(dpl_token_kind kind, bool lower, const char *text)
{
    static char line[4096];
    static int64_t ids[DPL_MAX_TOKENS_LENGTH];
    dpl_tokenizer *t = knowing(kind, lower, DPL_MAX_TOKENS_LENGTH, &text, 1);
    dpl_sentence about;
    size_t n = 0;

    line[0] = '\0';
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, text, strlen(text), &err), DPL_OK);
    assert_int_equal(about.n_unknown, 0);
    assert_int_equal(about.n_cut, 0);
    for (int32_t i = 0; i < about.n && n < sizeof line; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", i ? "|" : "",
                              dpl_tokenizer_token(t, (int32_t)ids[i]));
    dpl_tokenizer_free(t);
    return line;
}

/* ------------------------------------------------------------------ pieces */

static void words_are_runs_of_letters_and_each_sign_is_one(void **state)
{
    (void)state;
    assert_string_equal(tokens_of(DPL_TOKENS_WORDS, false, "Two dogs, on a beach!"),
                        "Two|dogs|,|on|a|beach|!");
    assert_string_equal(tokens_of(DPL_TOKENS_WORDS, true, "Two DOGS, ON A BEACH!"),
                        "two|dogs|,|on|a|beach|!");
    assert_string_equal(tokens_of(DPL_TOKENS_WORDS, true, "\t x1 \xc2\xa0 3.5\r\n"), "x1|3|.|5");
    /* an apostrophe joins letters, in both ways of writing it, and nothing else */
    assert_string_equal(
        tokens_of(DPL_TOKENS_WORDS, true, "Don't don\xe2\x80\x99t 'tis dogs' 'n' 5'6"),
        "don't|don't|'|tis|dogs|'|'|n|'|5|'|6");
    /* one form: "é" decomposed and composed; upper case beyond ASCII; two code points for one */
    assert_string_equal(
        tokens_of(DPL_TOKENS_WORDS, true, "CAFE\xcc\x81 caf\xc3\xa9 \xce\xa3\xce\xb1"),
        "caf\xc3\xa9|caf\xc3\xa9|\xcf\x83\xce\xb1");
    assert_string_equal(tokens_of(DPL_TOKENS_WORDS, true, "\xc4\xb0x"), "i\xcc\x87x");
    /* Chinese words are characters, kana too, Hangul and Arabic stand in words */
    assert_string_equal(tokens_of(DPL_TOKENS_WORDS, true,
                                  "\xe4\xb8\xa4\xe5\x8f\xaa dog\xe7\x8b\x97 "
                                  "\xe3\x81\x82\xe3\x81\x84 \xed\x95\x9c\xea\xb5\xad"),
                        "\xe4\xb8\xa4|\xe5\x8f\xaa|dog|\xe7\x8b\x97|\xe3\x81\x82|\xe3\x81\x84|"
                        "\xed\x95\x9c\xea\xb5\xad");
    /* what nobody sees parts words; a joiner is in one */
    assert_string_equal(tokens_of(DPL_TOKENS_WORDS, true,
                                  "a\xe2\x80\x8b"
                                  "b\x01"
                                  "c\xef\xbb\xbf d\xe2\x80\x8d"
                                  "e"),
                        "a|b|c|d\xe2\x80\x8d"
                        "e");
}

static void characters_are_code_points_and_white_space_is_one(void **state)
{
    (void)state;
    assert_string_equal(tokens_of(DPL_TOKENS_CHARACTERS, false, "  Ab \t c\n"), "A|b| |c");
    assert_string_equal(tokens_of(DPL_TOKENS_CHARACTERS, true, "\xe4\xb8\xa4\xe5\x8f\xaaX"),
                        "\xe4\xb8\xa4|\xe5\x8f\xaa|x");
}

/* ------------------------------------------------------------------ vocabularies */

static void the_most_frequent_tokens_come_first_and_ties_by_their_bytes(void **state)
{
    const char *const lines[] = {"b a c", "", "c a", "c d"};
    dpl_tokenizer_options options = options_of(DPL_TOKENS_WORDS, false, 0);
    const dpl_tokenizer_facts *about;
    dpl_tokenizer *t;
    int64_t ids[128];
    dpl_sentence sentence;

    (void)state;
    options.max_tokens = 5;
    assert_int_equal(dpl_tokenizer_from_lines(&t, lines, 4, &options, &err), DPL_OK);
    about = dpl_tokenizer_about(t);
    assert_int_equal(about->n_tokens, 5);
    assert_int_equal(about->length, 128);
    assert_int_equal(about->padding, 0);
    assert_int_equal(about->unknown, 1);
    assert_int_equal(about->start, -1);
    assert_int_equal(about->end, -1);
    assert_string_equal(dpl_tokenizer_token(t, 0), "");
    assert_string_equal(dpl_tokenizer_token(t, 2), "c");
    assert_string_equal(dpl_tokenizer_token(t, 3), "a");
    assert_string_equal(dpl_tokenizer_token(t, 4), "b");
    assert_null(dpl_tokenizer_token(t, 5));
    assert_null(dpl_tokenizer_token(t, -1));
    assert_int_equal(dpl_tokenizer_find(t, "a"), 3);
    assert_int_equal(dpl_tokenizer_find(t, "d"), -1);
    assert_int_equal(dpl_tokenizer_find(t, ""), -1);
    assert_int_equal(dpl_tokenizer_encode(ids, &sentence, t, "d c", 3, &err), DPL_OK);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 2);
    assert_int_equal(ids[2], 0);
    assert_int_equal(ids[127], 0);
    assert_int_equal(sentence.n, 2);
    assert_int_equal(sentence.n_unknown, 1);
    dpl_tokenizer_free(t);
}

static void many_tokens_are_counted(void **state)
{
    enum { N = 20000 };
    static char words[N][16];
    static const char *lines[2 * N];
    dpl_tokenizer *t;

    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(words[i], sizeof words[i], "w%05d", i);
        lines[i] = words[i];
        lines[N + i] = words[N - 1 - i / 2];
    }
    t = knowing(DPL_TOKENS_WORDS, false, 4, lines, 2 * N);
    assert_int_equal(dpl_tokenizer_about(t)->n_tokens, N + 2);
    assert_string_equal(dpl_tokenizer_token(t, 2), "w10000");
    assert_string_equal(dpl_tokenizer_token(t, N / 2 + 1), "w19999");
    assert_string_equal(dpl_tokenizer_token(t, N / 2 + 2), "w00000");
    for (int i = 0; i < N; i += 37)
        assert_string_equal(dpl_tokenizer_token(t, dpl_tokenizer_find(t, words[i])), words[i]);
    dpl_tokenizer_free(t);
}

static void listed_tokens_keep_their_order(void **state)
{
    const char *const tokens[] = {"the", "a", "of"};
    const char *const twice[] = {"the", "a", "the"}, *const empty[] = {"the", ""},
                      *const broken[] = {"\xff"}, *const two[] = {"a\nb"};
    const dpl_tokenizer_options options = options_of(DPL_TOKENS_WORDS, true, 3);
    dpl_tokenizer *t;

    (void)state;
    assert_int_equal(dpl_tokenizer_from_tokens(&t, tokens, 3, &options, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_find(t, "the"), 2);
    assert_int_equal(dpl_tokenizer_find(t, "of"), 4);
    dpl_tokenizer_free(t);
    assert_int_equal(dpl_tokenizer_from_tokens(&t, twice, 3, &options, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "token 3, \"the\", is token 1 again");
    assert_null(t);
    assert_int_equal(dpl_tokenizer_from_tokens(&t, empty, 2, &options, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "token 2 is empty");
    assert_int_equal(dpl_tokenizer_from_tokens(&t, broken, 1, &options, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "token 1 is not UTF-8");
    assert_int_equal(dpl_tokenizer_from_tokens(&t, two, 1, &options, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "token 1 has a line's end in it");
}

/* ------------------------------------------------------------------ texts that are none */

static void refused(const dpl_tokenizer *t, const char *text, size_t n, dpl_status status,
                    const char *words)
{
    int64_t ids[4];
    dpl_error why = {DPL_OK, ""};

    assert_int_equal(dpl_tokenizer_encode(ids, NULL, t, text, n, &why), status);
    assert_string_equal(why.message, words);
}

static void a_text_that_is_none_is_named(void **state)
{
    const char *const lines[] = {"a b c d e"};
    const char *const bad[] = {"a", "b \xc3("};
    dpl_tokenizer *t = knowing(DPL_TOKENS_WORDS, true, 4, lines, 1);
    const size_t n = 1 << 20;
    char *megabyte = malloc(n + 1);
    dpl_sentence about;
    int64_t ids[4];

    (void)state;
    assert_non_null(megabyte);
    memset(megabyte, 'a', n);
    megabyte[n] = '\0';
    refused(t, "", 0, DPL_E_INPUT, "text is empty");
    refused(t, NULL, 0, DPL_E_INPUT, "text is empty");
    refused(t, " \t\n", 3, DPL_E_INPUT, "text is empty");
    refused(t, "ab\xff", 3, DPL_E_INPUT, "text is not UTF-8 at byte 2");
    refused(t, "a\xe4\xb8\xa4", 3, DPL_E_INPUT, "text is not UTF-8 at byte 1");
    refused(t, "a\0b", 3, DPL_E_INPUT, "text has a NUL at byte 1");
    refused(t, megabyte, n, DPL_E_LIMIT, "text is 1048576 bytes, limit is 65536");
    /* as long as may be: one word, which is not known */
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, megabyte, 65536, &err), DPL_OK);
    assert_int_equal(about.n, 1);
    assert_int_equal(about.n_unknown, 1);
    /* what is too long is cut, and what is cut is counted once */
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, "a b x c d e y", 13, &err), DPL_OK);
    assert_int_equal(about.n, 4);
    assert_int_equal(about.n_unknown, 1);
    assert_int_equal(about.n_cut, 3);
    dpl_tokenizer_free(t);
    assert_int_equal(dpl_tokenizer_from_lines(&t, bad, 2, NULL, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "line 2: text is not UTF-8 at byte 2");
    assert_int_equal(dpl_tokenizer_from_lines(&t, (const char *const[]){"", "  "}, 2, NULL, &err),
                     DPL_E_INPUT);
    assert_string_equal(err.message, "no token in 2 lines");
    assert_int_equal(dpl_tokenizer_from_lines(&t, (const char *const[]){megabyte}, 1, NULL, &err),
                     DPL_E_LIMIT);
    assert_string_equal(err.message, "line 1: text is 1048576 bytes, limit is 65536");
    free(megabyte);
}

/* ------------------------------------------------------------------ byte pairs */

static void compare_with_reference(const char *name)
{
    char path[1024];
    uint8_t *table;
    size_t n_table;
    int n_compared = 0;
    dpl_tokenizer *t;
    const dpl_tokenizer_facts *facts;
    int64_t ids[128];

    snprintf(path, sizeof path, TEXTS "%s.merges", name);
    if (dpl_tokenizer_from_merges(&t, path, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    facts = dpl_tokenizer_about(t);
    snprintf(path, sizeof path, TEXTS "%s.tsv", name);
    assert_int_equal(dpli_file_read(&table, &n_table, path, 1 << 20, &err), DPL_OK);
    for (char *line = (char *)table, *next; *line; line = next, n_compared++) {
        char *text = strchr(line, '\t') + 1, *to = text, *at = line;
        dpl_sentence about = {0, 0, 0};
        int32_t i = facts->start >= 0;

        next = strchr(line, '\n');
        *next++ = '\0';
        for (const char *from = text; *from; from++)
            *to++ = *from != '\\' ? *from : *++from == 't' ? '\t' : '\n';
        *to = '\0';
        if (text - line > 1) {
            if (dpl_tokenizer_encode(ids, &about, t, text, strlen(text), &err) != DPL_OK)
                fail_msg("%s: \"%s\": %s", name, text, err.message);
            if (facts->start >= 0)
                assert_int_equal(ids[0], facts->start);
            for (; *at != '\t'; i++) {
                const long wanted = strtol(at, &at, 10);

                if (ids[i] != wanted)
                    fail_msg("%s: \"%s\": id %d is %d, not %ld", name, text, (int)i, (int)ids[i],
                             wanted);
            }
            if (facts->end >= 0)
                assert_int_equal(ids[i++], facts->end);
            assert_int_equal(about.n, i);
        } else {
            assert_int_equal(dpl_tokenizer_encode(ids, &about, t, text, strlen(text), &err),
                             DPL_E_INPUT);
        }
    }
    assert_true(n_compared >= 40);
    free(table);
    dpl_tokenizer_free(t);
}

static void byte_pairs_are_those_of_the_reference(void **state)
{
    (void)state;
    compare_with_reference("gpt2");
    compare_with_reference("clip");
}

static void a_list_of_merges_says_whose_it_is(void **state)
{
    dpl_tokenizer *t;
    dpl_tokenizer_options options = DPL_TOKENIZER_OPTIONS_INIT;
    dpl_sentence about;
    int64_t ids[77];

    (void)state;
    assert_int_equal(dpl_tokenizer_from_merges(&t, TEXTS "clip.merges", NULL, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_about(t)->kind, DPL_TOKENS_CLIP);
    assert_int_equal(dpl_tokenizer_about(t)->length, 77);
    assert_int_equal(dpl_tokenizer_about(t)->n_tokens, 512 + 191 + 2);
    assert_int_equal(dpl_tokenizer_about(t)->start, 512 + 191);
    assert_int_equal(dpl_tokenizer_about(t)->end, 512 + 192);
    assert_int_equal(dpl_tokenizer_about(t)->padding, 0);
    dpl_tokenizer_free(t);
    assert_int_equal(dpl_tokenizer_from_merges(&t, TEXTS "gpt2.merges", NULL, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_about(t)->kind, DPL_TOKENS_BYTE_PAIRS);
    assert_int_equal(dpl_tokenizer_about(t)->n_tokens, 256 + 150 + 1);
    assert_int_equal(dpl_tokenizer_about(t)->padding, 256 + 150);
    dpl_tokenizer_free(t);
    /* cut short, a sentence still ends; and only the first merges are made */
    options.length = 4;
    options.max_tokens = 512 + 2 + 2;
    assert_int_equal(dpl_tokenizer_from_merges(&t, TEXTS "clip.merges", &options, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, "the the a", 9, &err), DPL_OK);
    assert_int_equal(ids[0], 514);
    assert_int_equal(ids[1], 513);
    assert_int_equal(ids[2], 513);
    assert_int_equal(ids[3], 515);
    assert_int_equal(about.n, 4);
    assert_int_equal(about.n_cut, 1);
    dpl_tokenizer_free(t);
}

static void merges_are(const char *text, dpl_status status, const char *words)
{
    dpl_tokenizer *t;
    dpl_error why = {DPL_OK, ""};

    assert_int_equal(dpli_file_replace("some.merges", text, strlen(text), &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_from_merges(&t, "some.merges", NULL, &why), status);
    assert_string_equal(why.message, words);
    dpl_tokenizer_free(t);
}

static void a_bad_list_of_merges_is_refused_by_its_line(void **state)
{
    (void)state;
    merges_are("#version: 0.2\r\nt h\r\nth e\r\n\r\n", DPL_OK, "");
    merges_are("#version: 0.2\rt h\rth e\r", DPL_OK, "");
    merges_are("", DPL_E_INPUT, "\"some.merges\": no merges in it");
    merges_are("#version\n", DPL_E_INPUT, "\"some.merges\": no merges in it");
    merges_are("t h\nthe\n", DPL_E_INPUT,
               "\"some.merges\": line 2 is not two tokens with a space between");
    merges_are("t h e\n", DPL_E_INPUT,
               "\"some.merges\": line 1 is not two tokens with a space between");
    merges_are("t h\nthe y\n", DPL_E_INPUT,
               "\"some.merges\": line 2 merges \"the\", which no line before it makes");
    merges_are("x th\nt h\n", DPL_E_INPUT,
               "\"some.merges\": line 1 merges \"th\", which no line before it makes");
    merges_are("t h\nt h\n", DPL_E_INPUT, "\"some.merges\": token 257, \"th\", is token 256 again");
    merges_are("t \xff\n", DPL_E_INPUT, "\"some.merges\": token 256 is not UTF-8");
    merges_are("\x1f\x8b t h\n", DPL_E_INPUT,
               "\"some.merges\": is packed by gzip: unpack it first");
    assert_int_equal(dpl_tokenizer_from_merges(&(dpl_tokenizer *){NULL}, "none", NULL, &err),
                     DPL_E_INPUT);
    assert_non_null(strstr(err.message, "\"none\": "));
}

static void a_long_piece_is_merged_in_time(void **state)
{
    char *text = malloc(DPL_MAX_SENTENCE_BYTES);
    dpl_sentence about;
    int64_t ids[77];
    dpl_tokenizer *t;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < DPL_MAX_SENTENCE_BYTES; i++)
        text[i] = "the"[i % 3];
    assert_int_equal(dpl_tokenizer_from_merges(&t, TEXTS "gpt2.merges", NULL, &err), DPL_OK);
    dpl_tokenizer_free(t);
    assert_int_equal(dpl_tokenizer_from_merges(&t, TEXTS "clip.merges", NULL, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, text, DPL_MAX_SENTENCE_BYTES, &err),
                     DPL_OK);
    assert_true(about.n == 77 && about.n_cut > 20000);
    dpl_tokenizer_free(t);
    free(text);
}

/* ------------------------------------------------------------------ in a model */

/* A net with these facts, on top of a model that has none. */
static dpl_net *net_with(const dpli_meta *metas, size_t n)
{
    uint8_t *bytes, *changed;
    size_t n_bytes, n_changed;
    dpl_net *net;

    assert_int_equal(dpli_file_read(&bytes, &n_bytes, MODEL, 1 << 24, &err), DPL_OK);
    assert_int_equal(dpli_model_set_meta(&changed, &n_changed, bytes, n_bytes, metas, n, &err),
                     DPL_OK);
    assert_int_equal(dpl_net_load(&net, changed, n_changed, NULL, &err), DPL_OK);
    free(bytes);
    free(changed);
    return net;
}

static void copy_model(const char *to)
{
    uint8_t *bytes;
    size_t n;

    assert_int_equal(dpli_file_read(&bytes, &n, MODEL, 1 << 24, &err), DPL_OK);
    assert_int_equal(dpli_file_replace(to, bytes, n, &err), DPL_OK);
    free(bytes);
}

static void same_tokenizer(const dpl_tokenizer *a, const dpl_tokenizer *b)
{
    static const char text[] = "The dog's TWO  dogs on a\tbeach, 2 \xe4\xb8\xa4";
    const int32_t length = dpl_tokenizer_about(a)->length;
    int64_t left[128], right[128];

    assert_memory_equal(dpl_tokenizer_about(a), dpl_tokenizer_about(b),
                        sizeof(dpl_tokenizer_facts));
    for (int32_t i = 0; i < dpl_tokenizer_about(a)->n_tokens; i++)
        assert_string_equal(dpl_tokenizer_token(a, i), dpl_tokenizer_token(b, i));
    assert_int_equal(dpl_tokenizer_encode(left, NULL, a, text, sizeof text - 1, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_encode(right, NULL, b, text, sizeof text - 1, &err), DPL_OK);
    assert_memory_equal(left, right, (size_t)length * sizeof *left);
}

static void a_tokenizer_comes_back_from_its_model(void **state)
{
    const char *const lines[] = {"the dog's two dogs on a beach ,"};
    dpl_tokenizer *made[4], *read;
    dpl_net *net, *before;

    (void)state;
    made[0] = knowing(DPL_TOKENS_CHARACTERS, false, 12, lines, 1);
    made[1] = knowing(DPL_TOKENS_WORDS, true, 5, lines, 1);
    assert_int_equal(dpl_tokenizer_from_merges(&made[2], TEXTS "gpt2.merges", NULL, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_from_merges(&made[3], TEXTS "clip.merges", NULL, &err), DPL_OK);
    copy_model("model.onnx");
    assert_int_equal(dpl_net_open(&before, "model.onnx", NULL, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_from_net(&read, before, 0, &err), DPL_E_MODEL);
    assert_string_equal(err.message, "the model has no tokens (fact \"doppel.tokens\"): it is not "
                                     "one of sentences");
    for (int i = 0; i < 4; i++) {
        /* in place of the one before; a second side has its own */
        assert_int_equal(dpl_tokenizer_into_model(made[i], "model.onnx", 0, &err), DPL_OK);
        assert_int_equal(dpl_net_open(&net, "model.onnx", NULL, &err), DPL_OK);
        assert_int_equal(dpl_tokenizer_from_net(&read, net, 0, &err), DPL_OK);
        same_tokenizer(made[i], read);
        dpl_tokenizer_free(read);
        assert_true(!dpl_net_meta(net, "doppel.tokens.list") !=
                    !dpl_net_meta(net, "doppel.tokens.merges"));
        if (i == 0) {
            assert_int_equal(dpl_tokenizer_from_net(&read, net, 1, &err), DPL_OK);
            same_tokenizer(made[i], read);
            dpl_tokenizer_free(read);
            assert_int_equal(dpl_tokenizer_into_model(made[1], "model.onnx", 1, &err), DPL_OK);
        } else {
            assert_int_equal(dpl_tokenizer_from_net(&read, net, 1, &err), DPL_OK);
            same_tokenizer(made[1], read);
            dpl_tokenizer_free(read);
        }
        /* the model's own name is its network's */
        assert_string_equal(dpl_net_hash(before), dpl_net_hash(net));
        dpl_net_close(net);
    }
    dpl_net_close(before);
    for (int i = 0; i < 4; i++)
        dpl_tokenizer_free(made[i]);
    assert_int_equal(dpli_file_replace("note.onnx", "\x07", 1, &err), DPL_OK);
    made[0] = knowing(DPL_TOKENS_WORDS, true, 5, lines, 1);
    assert_int_equal(dpl_tokenizer_into_model(made[0], "note.onnx", 0, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "\"note.onnx\": "));
    dpl_tokenizer_free(made[0]);
}

static void bad_facts_are_refused_by_name(void **state)
{
    static const struct {
        dpli_meta metas[4];
        const char *words;
    } cases[] = {
        {{{"doppel.tokens", "sounds"}}, "fact \"doppel.tokens\" is \"sounds\", which is not known"},
        {{{"doppel.tokens", "words"}},
         "fact \"doppel.tokens\" is \"words\", but there is no \"doppel.tokens.list\""},
        {{{"doppel.tokens", "clip"}, {"doppel.tokens.list", "a"}},
         "fact \"doppel.tokens\" is \"clip\", but there is no \"doppel.tokens.merges\""},
        {{{"doppel.tokens", "words"}, {"doppel.tokens.list", "\n\na\nb"}},
         "facts \"doppel.tokens\": padding id is -1, the vocabulary is 4 tokens"},
        {{{"doppel.tokens", "words"},
          {"doppel.tokens.list", "\na\nb"},
          {"doppel.tokens.padding", "0"}},
         "facts \"doppel.tokens\": length of 0 tokens is not within 1..4096"},
        {{{"doppel.tokens", "words"},
          {"doppel.tokens.list", "\na\na"},
          {"doppel.tokens.padding", "0"}},
         "fact \"doppel.tokens.list\": token 2, \"a\", is token 1 again"},
        {{{"doppel.tokens", "words"},
          {"doppel.tokens.list", "\na\nb"},
          {"doppel.tokens.padding", "3"},
          {"doppel.tokens.length", "4"}},
         "facts \"doppel.tokens\": padding id is 3, the vocabulary is 3 tokens"},
        {{{"doppel.tokens", "words"},
          {"doppel.tokens.list", "\na\nb"},
          {"doppel.tokens.padding", "0"},
          {"doppel.tokens.length", "4097"}},
         "facts \"doppel.tokens\": length of 4097 tokens is not within 1..4096"},
        {{{"doppel.tokens", "words"},
          {"doppel.tokens.list", "\na\nb"},
          {"doppel.tokens.padding", "0"},
          {"doppel.tokens.length", "4x"}},
         "fact \"doppel.tokens.length\" is \"4x\", not a number within -1..1048576"},
        {{{"doppel.tokens", "words"},
          {"doppel.tokens.list", "\na\nb"},
          {"doppel.tokens.unknown", "99999999999999999999"}},
         "fact \"doppel.tokens.unknown\" is \"99999999999999999999\", not a number within "
         "-1..1048576"},
        {{{"doppel.tokens", "clip"}, {"doppel.tokens.merges", "a b c"}},
         "fact \"doppel.tokens.merges\": line 1 is not two tokens with a space between"},
        {{{"doppel.tokens", "clip"},
          {"doppel.tokens.merges", "t h"},
          {"doppel.tokens.length", "2"}},
         "facts \"doppel.tokens\": length of 2 tokens is not within 3..4096"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        dpl_tokenizer *t;
        dpl_net *net;

        while (n < 4 && cases[i].metas[n].key)
            n++;
        net = net_with(cases[i].metas, n);
        assert_int_equal(dpl_tokenizer_from_net(&t, net, 0, &err), DPL_E_MODEL);
        assert_string_equal(err.message, cases[i].words);
        assert_null(t);
        dpl_net_close(net);
    }
}

static void what_is_unknown_to_a_model_without_an_unknown_is_left_out(void **state)
{
    const dpli_meta metas[] = {{"doppel.tokens", "words"},
                               {"doppel.tokens.list", "a\n\nb"},
                               {"doppel.tokens.padding", "1"},
                               {"doppel.tokens.length", "3"}};
    dpl_net *net = net_with(metas, 4);
    dpl_sentence about;
    int64_t ids[3];
    dpl_tokenizer *t;

    (void)state;
    assert_int_equal(dpl_tokenizer_from_net(&t, net, 0, &err), DPL_OK);
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, "x b y a", 7, &err), DPL_OK);
    assert_int_equal(about.n, 2);
    assert_int_equal(about.n_unknown, 2);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[1], 0);
    assert_int_equal(ids[2], 1);
    refused(t, "x y", 3, DPL_E_INPUT, "text has no token that the model knows");
    dpl_tokenizer_free(t);
    dpl_net_close(net);
}

/* ------------------------------------------------------------------ memory */

static void every_failing_allocation_is_reported(void **state)
{
    const char *const lines[] = {"the dogs", "two dogs on a beach"};
    const dpli_meta metas[] = {{"doppel.tokens", "clip"},
                               {"doppel.tokens.merges", "t h\nth e</w>"},
                               {"doppel.tokens.length", "9"}};
    dpl_net *net = net_with(metas, 3);
    int64_t ids[128];

    (void)state;
    for (int job = 0; job < 3; job++)
        for (size_t nth = 1;; nth++) {
            dpl_tokenizer *t = NULL;
            dpl_status status;

            fail_allocation(nth);
            if (job == 0)
                status = dpl_tokenizer_from_lines(&t, lines, 2, NULL, &err);
            else if (job == 1)
                status = dpl_tokenizer_from_net(&t, net, 0, &err);
            else
                status = dpl_tokenizer_from_merges(&t, TEXTS "gpt2.merges", NULL, &err);
            if (status == DPL_OK)
                status = dpl_tokenizer_encode(ids, NULL, t, "the dogs", 8, &err);
            const bool reached = n_allocations >= nth;
            fail_allocation(0);
            dpl_tokenizer_free(t);
            if (!reached) {
                assert_int_equal(status, DPL_OK);
                break;
            }
            assert_int_equal(status, DPL_E_MEMORY);
        }
    dpl_net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_runs_of_letters_and_each_sign_is_one),
        cmocka_unit_test(characters_are_code_points_and_white_space_is_one),
        cmocka_unit_test(the_most_frequent_tokens_come_first_and_ties_by_their_bytes),
        cmocka_unit_test(many_tokens_are_counted),
        cmocka_unit_test(listed_tokens_keep_their_order),
        cmocka_unit_test(a_text_that_is_none_is_named),
        cmocka_unit_test(byte_pairs_are_those_of_the_reference),
        cmocka_unit_test(a_list_of_merges_says_whose_it_is),
        cmocka_unit_test(a_bad_list_of_merges_is_refused_by_its_line),
        cmocka_unit_test(a_long_piece_is_merged_in_time),
        cmocka_unit_test(a_tokenizer_comes_back_from_its_model),
        cmocka_unit_test(bad_facts_are_refused_by_name),
        cmocka_unit_test(what_is_unknown_to_a_model_without_an_unknown_is_left_out),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
