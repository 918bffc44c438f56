/*
 * encode.c - from sentences to vectors.
 *
 * Second stage for sentences: any ONNX net that takes ids, with its tokens. Texts are sorted by
 * their lengths and go through the net in batches of one length, so that none is padded, and what a
 * net makes of padding, mask or not, does not matter; but to a net of one length all are padded, as
 * they were when it was trained.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "net/encoding.h"
#include "net/scratch.h"
#include "text/facts.h"
#include "text/tokenizer.h"

#define MAX_BATCH  32
#define MAX_INPUTS 4

/* What an input of the net is given. */
typedef enum meaning { IDS, LENGTHS, MASK, ZEROS } meaning;

struct dpl_text_encoder {
    dpl_net *net;
    dpl_tokenizer *tokens;
    char *path, *merges_path;
    int32_t dim, output;
    int32_t batch, steps; /* the only ones that the net takes; 0: any */
    int32_t n_inputs;
    meaning inputs[MAX_INPUTS];
    bool normalize; /* vectors are brought to unit length */
    char hash[65];
};

const char *dpl_text_encoder_fact(const dpl_text_encoder *encoder, const char *name)
{
    char key[64];

    snprintf(key, sizeof key, "doppel.%s", name);
    return dpl_net_meta(encoder->net, key);
}

/* ------------------------------------------------------------------ opening */

static dpl_status read_input(dpl_text_encoder *e, int32_t i, dpl_error *err)
{
    const dpl_shape shape = dpl_net_input_shape(e->net, i);
    const char *name = dpl_net_input_name(e->net, i);

    if (dpl_net_input_type(e->net, i) != DPL_TYPE_INT64)
        return dpli_fail(err, DPL_E_MODEL,
                         "a text encoder takes ids, but input \"%.60s\" takes other numbers", name);
    if (i == 0 && shape.rank != 2)
        return dpli_fail(err, DPL_E_MODEL,
                         "a text encoder's ids have 2 dimensions, \"%.60s\" has %d", name,
                         (int)shape.rank);
    e->inputs[i] = i == 0                                    ? IDS
                   : shape.rank == 1                         ? LENGTHS
                   : strcmp(name, "token_type_ids") == 0     ? ZEROS
                   : shape.rank == 2 && strstr(name, "mask") ? MASK
                                                             : IDS;
    if (i > 0 && e->inputs[i] == IDS)
        return dpli_fail(
            err, DPL_E_MODEL,
            "what input \"%.60s\" takes is not known: behind the ids, lengths [n] or a "
            "mask [n, steps] are",
            name);
    for (int32_t k = 0; k < shape.rank; k++) {
        int32_t *only = k == 0 ? &e->batch : &e->steps;

        if (shape.dims[k] < 0)
            continue;
        if (shape.dims[k] < 1 || shape.dims[k] > (k == 0 ? MAX_BATCH : DPL_MAX_TOKENS_LENGTH) ||
            (*only && *only != shape.dims[k]))
            return dpli_fail(err, DPL_E_MODEL, "dimension %d of input \"%.60s\" is %lld", (int)k,
                             name, (long long)shape.dims[k]);
        *only = (int32_t)shape.dims[k];
    }
    return DPL_OK;
}

static dpl_status read_inputs(dpl_text_encoder *e, dpl_error *err)
{
    dpl_status status = DPL_OK;

    e->n_inputs = dpl_net_n_inputs(e->net);
    if (e->n_inputs < 1 || e->n_inputs > MAX_INPUTS)
        return dpli_fail(err, DPL_E_MODEL, "a text encoder has 1 to %d inputs, this net has %d",
                         MAX_INPUTS, (int)e->n_inputs);
    for (int32_t i = 0; i < e->n_inputs && status == DPL_OK; i++)
        status = read_input(e, i, err);
    return status;
}

static dpl_status read_tokens(dpl_text_encoder *e, const char *merges_path, dpl_error *err)
{
    dpl_tokenizer_options options = DPL_TOKENIZER_OPTIONS_INIT;
    dpl_status status;

    if (merges_path) {
        if (dpl_text_encoder_fact(e, "tokens"))
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "the model has tokens of its own, and takes no list of merges");
        options.length = e->steps;
        return dpl_tokenizer_from_merges(&e->tokens, merges_path, &options, err);
    }
    status = dpl_tokenizer_from_net(&e->tokens, e->net, 0, err);
    if (status == DPL_OK && e->steps && e->tokens->about.length > e->steps)
        status = dpli_fail(err, DPL_E_MODEL,
                           "the net takes %d ids a sentence, but its tokens give up to %d",
                           (int)e->steps, (int)e->tokens->about.length);
    return status;
}

static dpl_status plan_for(dpl_plan **out, const dpl_text_encoder *e, dpl_scratch *scratch,
                           int32_t n, int32_t steps, dpl_error *err)
{
    dpl_shape shapes[MAX_INPUTS];

    for (int32_t i = 0; i < e->n_inputs; i++)
        shapes[i] = e->inputs[i] == LENGTHS ? (dpl_shape){1, {n}} : (dpl_shape){2, {n, steps}};
    return dpli_scratch_plan(out, scratch, e->net, shapes, DPL_LAYOUT_NCHW, err);
}

/* Which output has the vectors, and their length. */
static dpl_status read_output(dpl_text_encoder *e, dpl_error *err)
{
    const int32_t n = e->batch ? e->batch : 1;
    dpl_scratch *scratch;
    dpl_plan *plan;
    dpl_status status = dpl_scratch_new(&scratch, 0, err);

    if (status != DPL_OK)
        return status;
    status = dpli_encoding_blame(
        plan_for(&plan, e, scratch, n, e->steps ? e->steps : e->tokens->about.length, err), err);
    if (status != DPL_OK)
        goto done;
    for (e->output = 0; e->output < dpl_net_n_outputs(e->net); e->output++) {
        const dpl_shape out = dpl_plan_output_shape(plan, e->output);

        if (out.rank == 2 && out.dims[0] == n && out.dims[1] >= 1 && out.dims[1] <= DPL_MAX_DIM) {
            e->dim = (int32_t)out.dims[1];
            goto done;
        }
    }
    status = dpli_fail(err, DPL_E_MODEL, "no output is one vector of 1..%d numbers a sentence",
                       DPL_MAX_DIM);
done:
    dpl_scratch_free(scratch);
    return status;
}

static dpl_status make_hash(dpl_text_encoder *e, dpl_error *err)
{
    dpli_token_fact facts[DPLI_N_TOKEN_FACTS];
    dpl_status status = dpli_token_facts(facts, e->tokens, 0, err);
    dpli_sha256 s;
    char line[64];

    if (status == DPL_OK) {
        dpli_sha256_init(&s);
        dpli_sha256_add(&s, dpl_net_hash(e->net), 64);
        snprintf(line, sizeof line, "|%d|%d", (int)e->output, e->normalize);
        dpli_sha256_add(&s, line, strlen(line));
        for (size_t i = 0; i < DPLI_N_TOKEN_FACTS; i++)
            if (facts[i].text) {
                dpli_sha256_add(&s, facts[i].key, strlen(facts[i].key) + 1);
                dpli_sha256_add(&s, facts[i].text, strlen(facts[i].text) + 1);
            }
        status = dpli_sha256_hex(&s, e->hash, err);
    }
    dpli_token_facts_clear(facts);
    return status;
}

static dpl_status read_facts(dpl_text_encoder *e, const char *merges_path, dpl_error *err)
{
    const char *kind = dpl_text_encoder_fact(e, "kind");
    const char *normalize = dpl_text_encoder_fact(e, "normalize");
    dpl_status status;

    if (kind && strcmp(kind, "text-encoder") != 0)
        return dpli_fail(err, DPL_E_MODEL, "the model is a \"%.40s\", not a \"text-encoder\"",
                         kind);
    if (normalize && strcmp(normalize, "none") != 0 && strcmp(normalize, "l2") != 0)
        return dpli_fail(err, DPL_E_MODEL, "fact \"normalize\" is \"%.40s\", which is not known",
                         normalize);
    e->normalize = !normalize || strcmp(normalize, "l2") == 0;
    if (!merges_path && !dpl_text_encoder_fact(e, "tokens"))
        return dpli_fail(err, DPL_E_MODEL,
                         "the model has no tokens (fact \"tokens\"), and a list of merges is not "
                         "given: it is not one of sentences");
    status = read_inputs(e, err);
    if (status == DPL_OK)
        status = read_tokens(e, merges_path, err);
    if (status == DPL_OK)
        status = read_output(e, err);
    return status == DPL_OK ? make_hash(e, err) : status;
}

dpl_status dpl_text_encoder_open(dpl_text_encoder **out, const char *path,
                                 const dpl_text_encoder_options *options, dpl_error *err)
{
    dpl_text_encoder_options o = DPL_TEXT_ENCODER_OPTIONS_INIT;
    dpl_text_encoder *e = NULL;
    dpl_status status = dpli_options(&o, sizeof o, options, "text encoder", err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    e = dpli_calloc(1, sizeof *e, err);
    if (!e)
        return DPL_E_MEMORY;
    status = dpli_encoding_blame(dpl_net_open(&e->net, path, &o.net, err), err);
    if (status != DPL_OK)
        goto done;
    status = read_facts(e, o.merges_path, err);
    if (status != DPL_OK) {
        /* The list's own faults name it. */
        if (status != DPL_E_INPUT)
            dpli_fail_in(err, status, path);
        goto done;
    }
    status = DPL_E_MEMORY;
    e->path = dpli_strdup(path, err);
    e->merges_path = o.merges_path ? dpli_strdup(o.merges_path, err) : NULL;
    if (!e->path || (o.merges_path && !e->merges_path))
        goto done;
    status = DPL_OK;
    *out = e;
    e = NULL;
done:
    dpl_text_encoder_close(e);
    return status;
}

void dpl_text_encoder_close(dpl_text_encoder *encoder)
{
    if (!encoder)
        return;
    dpl_net_close(encoder->net);
    dpl_tokenizer_free(encoder->tokens);
    free(encoder->path);
    free(encoder->merges_path);
    free(encoder);
}

const dpl_net *dpl_text_encoder_net(const dpl_text_encoder *encoder)
{
    return encoder->net;
}

const dpl_tokenizer *dpl_text_encoder_tokenizer(const dpl_text_encoder *encoder)
{
    return encoder->tokens;
}

const char *dpl_text_encoder_path(const dpl_text_encoder *encoder)
{
    return encoder->path;
}

const char *dpl_text_encoder_merges_path(const dpl_text_encoder *encoder)
{
    return encoder->merges_path;
}

int32_t dpl_text_encoder_dim(const dpl_text_encoder *encoder)
{
    return encoder->dim;
}

const char *dpl_text_encoder_hash(const dpl_text_encoder *encoder)
{
    return encoder->hash;
}

/* ------------------------------------------------------------------ encoding */

typedef struct sentence {
    size_t at;        /* of its text */
    int64_t *ids;     /* [length] */
    int32_t n, batch; /* batch: how many from here on go together; 0: it goes with one before */
} sentence;

typedef struct encoding {
    const dpl_text_encoder *e;
    float *out;
    sentence *sentences; /* [n], by length */
    size_t *batches;     /* [n_batches] where each begins */
    size_t n_texts;
    dpl_scratch **scratch; /* [threads] */
} encoding;

static int by_length(const void *a, const void *b)
{
    const sentence *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* The inputs of a batch; rows past the last sentence are the first one again. */
static void fill(dpl_plan *plan, const dpl_text_encoder *e, const sentence *s, int32_t n,
                 int32_t rows, int32_t steps)
{
    const int32_t padding = e->tokens->about.padding;

    for (int32_t i = 0; i < e->n_inputs; i++) {
        int64_t *to = dpl_plan_input_int64(plan, i);

        for (int32_t r = 0; r < rows; r++) {
            const sentence *from = &s[r < n ? r : 0];

            if (e->inputs[i] == LENGTHS) {
                *to++ = from->n;
                continue;
            }
            for (int32_t k = 0; k < steps; k++)
                *to++ = e->inputs[i] == ZEROS  ? 0
                        : e->inputs[i] == MASK ? k < from->n
                        : k < from->n          ? from->ids[k]
                                               : padding;
        }
    }
}

static dpl_status encode_batch(void *ctx, int worker, size_t item, dpl_error *err)
{
    const encoding *c = ctx;
    const dpl_text_encoder *e = c->e;
    const sentence *s = &c->sentences[c->batches[item]];
    const int32_t n = s->batch, rows = e->batch ? e->batch : n, steps = e->steps ? e->steps : s->n;
    dpl_plan *plan;
    dpl_status status = plan_for(&plan, e, c->scratch[worker], rows, steps, err);

    if (status != DPL_OK)
        return dpli_encoding_blame(status, err);
    fill(plan, e, s, n, rows, steps);
    status = dpl_plan_run(plan, err);
    for (int32_t r = 0; r < n && status == DPL_OK; r++)
        if (!dpli_encoding_take(c->out + s[r].at * (size_t)e->dim,
                         dpl_plan_output(plan, e->output) + (size_t)r * (size_t)e->dim, e->dim,
                         e->normalize))
            status = c->n_texts > 1
                         ? dpli_fail(err, DPL_E_NUMERIC,
                                     "text %zu: its vector is all zero or not finite", s[r].at + 1)
                         : dpli_fail(err, DPL_E_NUMERIC, "its vector is all zero or not finite");
    return status;
}

/* Runs of one length in batches whose sizes are few, as each is a plan of its own. */
static size_t cut_batches(encoding *c)
{
    size_t n_batches = 0;

    for (size_t at = 0; at < c->n_texts;) {
        size_t end = at;
        int32_t n = c->e->batch ? c->e->batch : MAX_BATCH;

        while (end < c->n_texts && (c->e->steps || c->sentences[end].n == c->sentences[at].n))
            end++;
        while (!c->e->batch && (size_t)n > end - at)
            n /= 2;
        if ((size_t)n > end - at)
            n = (int32_t)(end - at);
        c->sentences[at].batch = n;
        c->batches[n_batches++] = at;
        at += (size_t)n;
    }
    return n_batches;
}

dpl_status dpl_text_encode(float *out, dpl_sentence *about, const dpl_text_encoder *encoder,
                           const char *const *texts, size_t n, int n_threads, dpl_error *err)
{
    const size_t length = (size_t)encoder->tokens->about.length;
    encoding c = {.e = encoder, .out = out, .n_texts = n};
    dpl_error why = {DPL_OK, ""};
    int64_t *ids = NULL;
    size_t n_ids, n_batches;
    dpl_status status = DPL_E_MEMORY;

    if (n == 0)
        return DPL_OK;
    n_threads = n_threads > 0 ? n_threads : dpli_n_cores();
    if (!dpli_mul(&n_ids, n, length))
        return dpli_fail(err, DPL_E_LIMIT, "%zu texts of %zu tokens are too many", n, length);
    ids = dpli_alloc(n_ids, sizeof *ids, err);
    c.sentences = dpli_calloc(n, sizeof *c.sentences, err);
    c.batches = dpli_alloc(n, sizeof *c.batches, err);
    c.scratch = dpli_calloc((size_t)n_threads, sizeof(dpl_scratch *), err);
    if (!ids || !c.sentences || !c.batches || !c.scratch)
        goto done;
    for (size_t i = 0; i < n; i++) {
        dpl_sentence told;

        status = dpl_tokenizer_encode(ids + i * length, &told, encoder->tokens, texts[i],
                                      strlen(texts[i]), &why);
        if (status != DPL_OK) {
            status = n > 1 ? dpli_fail(err, status, "text %zu: %s", i + 1, why.message)
                           : dpli_fail(err, status, "%s", why.message);
            goto done;
        }
        c.sentences[i] = (sentence){i, ids + i * length, told.n, 0};
        if (about)
            about[i] = told;
    }
    qsort(c.sentences, n, sizeof *c.sentences, by_length);
    n_batches = cut_batches(&c);
    if ((size_t)n_threads > n_batches)
        n_threads = (int)n_batches;
    status = DPL_OK;
    for (int i = 0; i < n_threads && status == DPL_OK; i++)
        status = dpl_scratch_new(&c.scratch[i], 0, err);
    if (status == DPL_OK)
        status = dpli_pool_run(n_threads, n_batches, encode_batch, &c, err);
done:
    for (int i = 0; c.scratch && i < n_threads; i++)
        dpl_scratch_free(c.scratch[i]);
    free(c.scratch);
    free(c.batches);
    free(c.sentences);
    free(ids);
    return status;
}
