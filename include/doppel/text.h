/*
 * Sentences: text to tokens, tokens to the ids that a network takes, and what it makes of them.
 *
 * A tokenizer cuts a sentence into tokens and knows each by a number, its id. All that it knows are
 * facts in a model's metadata, so that a model of sentences is still one file:
 *
 *     doppel.tokens          "characters", "words", "byte-pairs" or "clip"
 *     doppel.tokens.lower    "1": text is lower-cased first; else "0"
 *     doppel.tokens.length   ids that a sentence has at most
 *     doppel.tokens.padding  the id behind a sentence's end
 *     doppel.tokens.unknown  the id of what is not in the vocabulary; without it that is left out
 *     doppel.tokens.start    the ids before and behind each sentence, where the model wants them
 *     doppel.tokens.end
 *     doppel.tokens.list     characters, words: the tokens, a line each, in the order of their ids,
 *                            from 0; an empty line is an id that no text has (padding)
 *     doppel.tokens.merges   byte-pairs, clip: the merges, a line each
 *
 * A net whose second input has a vocabulary of its own has its facts as "doppel.tokens-b…".
 *
 * Source: byte pairs: Sennrich, Haddow, Birch 2016, over bytes as GPT-2 has them (Radford 2019) and
 * CLIP (Radford 2021).
 */
#ifndef DOPPEL_TEXT_H
#define DOPPEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/net.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DPL_MAX_SENTENCE_BYTES 65536   /* of one text */
#define DPL_MAX_TOKENS         1048576 /* of a vocabulary */
#define DPL_MAX_TOKEN_BYTES    256     /* of one token */
#define DPL_MAX_TOKENS_LENGTH  4096    /* ids of a sentence */

typedef enum dpl_token_kind {
    /* Each code point but white space, runs of which are one space; none at either end. */
    DPL_TOKENS_CHARACTERS = 0,
    /* Runs of letters, marks and digits, an apostrophe between letters included; each Chinese
     * character and each kana alone; each other sign alone. Languages that put no spaces between
     * their words (Thai, Khmer) come out as phrases: take characters for them. */
    DPL_TOKENS_WORDS = 1,
    DPL_TOKENS_BYTE_PAIRS = 2, /* GPT-2's; nothing is unknown */
    DPL_TOKENS_CLIP = 3        /* CLIP's: lower-cased, a word's last piece marked "</w>" */
} dpl_token_kind;

typedef struct dpl_tokenizer_options {
    size_t struct_size;
    dpl_token_kind kind; /* of what is made from lines or tokens */
    bool lower;          /* lower-case text first, as Unicode has it; clip always does */
    int32_t length;     /* ids of a sentence at most, 1..DPL_MAX_TOKENS_LENGTH; 0: 128, clip's 77 */
    int32_t max_tokens; /* the vocabulary at most, with padding and unknown; 0: what there is (clip:
                           its own 49,408), within DPL_MAX_TOKENS */
} dpl_tokenizer_options;

#define DPL_TOKENIZER_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(dpl_tokenizer_options), DPL_TOKENS_WORDS, 0, 0, 0                                   \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_tokenizer_options_init(dpl_tokenizer_options *options, size_t struct_size);

/* Immutable once made; any number of threads at once. */
typedef struct dpl_tokenizer dpl_tokenizer;

typedef struct dpl_tokenizer_facts {
    dpl_token_kind kind;
    bool lower;
    int32_t n_tokens; /* the vocabulary: ids are 0 .. n_tokens - 1 */
    int32_t length;
    int32_t padding, unknown, start, end; /* ids; -1 where there is none. padding is always one */
} dpl_tokenizer_facts;

/* What became of a sentence. */
typedef struct dpl_sentence {
    int32_t n;         /* ids before the padding, start and end included; at least 1 */
    int32_t n_unknown; /* tokens not in the vocabulary, of those that were not cut */
    int32_t n_cut;     /* tokens past the length */
} dpl_sentence;

/**
 * Make a tokenizer of the tokens in these lines, the most frequent first (ties in the order of
 * their bytes): id 0 is padding, 1 is unknown, tokens follow. Of characters or words.
 *
 * @param[in] lines    n_lines texts, each NUL-terminated; empty ones are passed over
 * @param[in] options  NULL for the defaults
 * @retval DPL_E_INPUT  a line is not UTF-8, or no line has a token; err names the line, from 1
 * @retval DPL_E_LIMIT  a line over DPL_MAX_SENTENCE_BYTES, or more tokens than memory is given for
 */
DPL_API dpl_status dpl_tokenizer_from_lines(dpl_tokenizer **out, const char *const *lines,
                                            size_t n_lines, const dpl_tokenizer_options *options,
                                            dpl_error *err);

/**
 * Make a tokenizer that knows these tokens: id 0 is padding, 1 is unknown, token i is i + 2. Of
 * characters or words. A token that no text gives (one with a space in it) is kept and never met.
 *
 * @param[in] tokens  n of them, each NUL-terminated UTF-8 without a line's end, none twice
 * @param[in] options  NULL for the defaults; max_tokens takes the first ones
 * @retval DPL_E_INPUT  a token is empty, not UTF-8, too long, or there twice; err gives its number,
 *                      from 1
 */
DPL_API dpl_status dpl_tokenizer_from_tokens(dpl_tokenizer **out, const char *const *tokens,
                                             size_t n, const dpl_tokenizer_options *options,
                                             dpl_error *err);

/**
 * Make a tokenizer of a list of byte-pair merges: a line "a b" each, in the order in which they are
 * made, with bytes written as GPT-2's lists do; a first line with "#version" is passed over. With
 * "</w>" in it the list is CLIP's. Ids are those that both give themselves: the bytes (for clip
 * twice, the second time as a word's last), the merges, then clip's start and end, or GPT-2's end
 * of text, which pads. Clip's padding is 0.
 *
 * @param[in] options  NULL for the defaults; kind and lower are not asked
 * @retval DPL_E_INPUT  not to be read, or no such list; err names the file and the line
 * @retval DPL_E_LIMIT  more than 32 MiB, or than DPL_MAX_TOKENS
 */
DPL_API dpl_status dpl_tokenizer_from_merges(dpl_tokenizer **out, const char *path,
                                             const dpl_tokenizer_options *options, dpl_error *err);

/**
 * The tokenizer that a model's metadata has.
 *
 * @param side  0, or 1 for a second input's own ("doppel.tokens-b"); where a model has none of
 * those, 1 gives the same as 0
 * @retval DPL_E_MODEL  the model has no tokens, or its facts are not those of any; err names the
 * fact
 */
DPL_API dpl_status dpl_tokenizer_from_net(dpl_tokenizer **out, const dpl_net *net, int32_t side,
                                          dpl_error *err);

/**
 * Write a tokenizer into a model's file as its metadata, in place of one that it had. All else in
 * the file stays as it is. Written aside and renamed.
 *
 * @param side  as for dpl_tokenizer_from_net
 * @retval DPL_E_MODEL  not a model's file; err names it
 */
DPL_API dpl_status dpl_tokenizer_into_model(const dpl_tokenizer *t, const char *path, int32_t side,
                                            dpl_error *err);

DPL_API void dpl_tokenizer_free(dpl_tokenizer *t);

/** Borrowed. */
DPL_API const dpl_tokenizer_facts *dpl_tokenizer_about(const dpl_tokenizer *t);

/** Token id's text, borrowed: as it was listed, "" for an id that no text has; NULL when out of
 * range. */
DPL_API const char *dpl_tokenizer_token(const dpl_tokenizer *t, int32_t id);

/** The id of this token; -1 when it is not in the vocabulary. */
DPL_API int32_t dpl_tokenizer_find(const dpl_tokenizer *t, const char *token);

/**
 * A sentence's ids.
 *
 *     ids  [length]  int64, padded behind
 *
 * @param[out] about  what became of it; may be NULL
 * @param[in]  text   UTF-8, n_bytes of it
 * @retval DPL_E_INPUT  not UTF-8, has a NUL byte, or has no token: err says which and at which byte
 * @retval DPL_E_LIMIT  over DPL_MAX_SENTENCE_BYTES
 * Threads: any number at once.
 */
DPL_API dpl_status dpl_tokenizer_encode(int64_t *ids, dpl_sentence *about, const dpl_tokenizer *t,
                                        const char *text, size_t n_bytes, dpl_error *err);

/* ------------------------------------------------------------------ encoder */

/* A network of sentences with its tokens: text to a vector. Immutable, shared between threads. */
typedef struct dpl_text_encoder dpl_text_encoder;

typedef struct dpl_text_encoder_options {
    size_t struct_size;
    const char *merges_path; /* the list of byte-pair merges of a model that has no tokens in its
                                metadata; NULL: the model has them */
    dpl_net_options net;     /* limits of the model */
} dpl_text_encoder_options;

#define DPL_TEXT_ENCODER_OPTIONS_INIT                                                              \
    {                                                                                              \
        sizeof(dpl_text_encoder_options), NULL, DPL_NET_OPTIONS_INIT                               \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_text_encoder_options_init(dpl_text_encoder_options *options, size_t struct_size);

/**
 * Open a text encoder: an ONNX net whose first input are ids, int64 [n, steps], and which gives a
 * vector each, [n, dim].
 *
 * Further inputs of integers may be the lengths [n], a mask [n, steps] that is 1 where there is a
 * token, or "token_type_ids" [n, steps], which are 0. Of several outputs it is the first of two
 * dimensions. Facts: those of the tokens; "normalize" ("l2", or "none"), "head", "calibration", as
 * an encoder of pictures has them; and "pictures": dpl_encoder_hash of the encoder of pictures in
 * whose space the vectors are.
 *
 * @param[in] options   NULL for the defaults
 * @retval DPL_E_MODEL  no model, one without tokens, or one that does not go together with them;
 *                      err names the file
 * @retval DPL_E_INPUT  the list of merges; err names it
 */
DPL_API dpl_status dpl_text_encoder_open(dpl_text_encoder **out, const char *path,
                                         const dpl_text_encoder_options *options, dpl_error *err);
DPL_API void dpl_text_encoder_close(dpl_text_encoder *encoder);

DPL_API const dpl_net *dpl_text_encoder_net(const dpl_text_encoder *encoder);
DPL_API const dpl_tokenizer *dpl_text_encoder_tokenizer(const dpl_text_encoder *encoder);
/** As it was opened. */
DPL_API const char *dpl_text_encoder_path(const dpl_text_encoder *encoder);
DPL_API const char *dpl_text_encoder_merges_path(const dpl_text_encoder *encoder); /* or NULL */
DPL_API int32_t dpl_text_encoder_dim(const dpl_text_encoder *encoder);
/** A fact by its short name ("head", "pictures", "name"); NULL when the model does not say. */
DPL_API const char *dpl_text_encoder_fact(const dpl_text_encoder *encoder, const char *name);
/** Hash that its vectors carry, 64 hex digits: the net's, its tokens' and of what changes a vector.
 */
DPL_API const char *dpl_text_encoder_hash(const dpl_text_encoder *encoder);

/**
 * Vectors of n texts.
 *
 *     out  [n, dim]  float32, each row of unit L2 norm (±1e-5) unless the model's fact "normalize"
 * is "none"
 *
 * Texts of one length go through the net together, so padding costs nothing, unless the net takes
 * one length only.
 *
 * @param[out] about      [n] what became of each; may be NULL
 * @param[in]  texts      n of them, NUL-terminated
 * @param      n_threads  0: one a core
 * @retval DPL_E_INPUT, DPL_E_LIMIT  as of dpl_tokenizer_encode; err says which text, from 1 where
 *                        there are several
 * @retval DPL_E_NUMERIC  a vector is all zero or not finite
 * Threads: any number at once.
 * Numerics: a batch of n equals n batches of one within 1e-5.
 */
DPL_API dpl_status dpl_text_encode(float *out, dpl_sentence *about, const dpl_text_encoder *encoder,
                                   const char *const *texts, size_t n, int n_threads,
                                   dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
