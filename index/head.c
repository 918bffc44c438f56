/*
 * Heads: two vectors to a score.
 *
 * The last step of every comparison: verify scores one pair, search scores a probe against every
 * row. All four heads pass over the row once, in double precision, with a fixed order of summation
 * (16 partial sums, element i in sum i mod 16, then pairwise), so that a pair has the same score,
 * to the bit, alone or in a batch and on every processor. That costs nothing where it matters: a
 * search is bound by memory, not by arithmetic.
 *
 * Does not decide anything: see policy.c.
 *
 * Sources: weighted L1 and sigmoid: Koch, Zemel, Salakhutdinov 2015, section 3.1, with a bias as in
 * Keras' Dense(1) and the weights' sign left to training; exp(-Manhattan): Mueller and Thyagarajan
 * 2016, section 3.1.
 */
#include "index/head.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/rows.h"

struct dpl_head {
    dpl_head_kind kind;
    int32_t dim;
    float bias;
    float *weights; /* [dim], DPL_HEAD_L1_SIGMOID only */
};

static const char *const head_names[] = {
    [DPL_HEAD_COSINE] = "cosine",
    [DPL_HEAD_EUCLIDEAN] = "euclidean",
    [DPL_HEAD_L1_SIGMOID] = "l1-sigmoid",
    [DPL_HEAD_EXP_MANHATTAN] = "exp-manhattan",
};
#define N_HEADS ((int)(sizeof head_names / sizeof head_names[0]))

/* N_HEADS when there is none of this name. */
static int kind_of(const char *name)
{
    int kind = 0;

    while (kind < N_HEADS && strcmp(name, head_names[kind]) != 0)
        kind++;
    return kind;
}

bool dpli_head_is_name(const char *name)
{
    return kind_of(name) < N_HEADS;
}

/* More than any encoder has, and small enough that no sum of products of float32 overflows. */
#define MAX_DIM 65536

/* ------------------------------------------------------------------ scores */

/* A sum that is not finite comes of a vector that is not: no head may make a number of it. */
static float finish(const dpl_head *head, double sum)
{
    if (!isfinite(sum))
        return NAN;
    switch (head->kind) {
    case DPL_HEAD_EUCLIDEAN:
        /* Finite vectors have a finite score, though it may not fit the type. */
        return (float)fmax(-sqrt(sum), -FLT_MAX);
    case DPL_HEAD_L1_SIGMOID: return (float)(1.0 / (1.0 + exp(-(sum + (double)head->bias))));
    case DPL_HEAD_EXP_MANHATTAN: return (float)exp(-sum);
    case DPL_HEAD_COSINE: break;
    }
    return NAN;
}

void dpl_head_scores(float *out, const dpl_head *head, const float *probe, const float *rows,
                     size_t n)
{
    enum { BLOCK = 256 };
    double sums[BLOCK];

    if (head->kind == DPL_HEAD_COSINE) {
        dpli_rows_cosine(out, probe, rows, n, head->dim);
        return;
    }
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        const float *block = rows + at * (size_t)head->dim;

        if (head->kind == DPL_HEAD_EUCLIDEAN)
            dpli_rows_l2(sums, probe, block, m, head->dim);
        else if (head->kind == DPL_HEAD_L1_SIGMOID)
            dpli_rows_weighted_l1(sums, probe, block, m, head->dim, head->weights);
        else
            dpli_rows_l1(sums, probe, block, m, head->dim);
        for (size_t i = 0; i < m; i++)
            out[at + i] = finish(head, sums[i]);
    }
}

float dpl_head_score(const dpl_head *head, const float *a, const float *b)
{
    float score;

    dpl_head_scores(&score, head, a, b, 1);
    return score;
}

double dpli_head_rank(const dpl_head *head, const float *a, const float *b)
{
    double sum = NAN;

    switch (head->kind) {
    case DPL_HEAD_COSINE: return (double)dpl_head_score(head, a, b);
    case DPL_HEAD_EUCLIDEAN: dpli_rows_l2(&sum, a, b, 1, head->dim); break;
    case DPL_HEAD_L1_SIGMOID:
        dpli_rows_weighted_l1(&sum, a, b, 1, head->dim, head->weights);
        return isfinite(sum) ? sum : (double)NAN;
    case DPL_HEAD_EXP_MANHATTAN: dpli_rows_l1(&sum, a, b, 1, head->dim); break;
    }
    return isfinite(sum) ? -sum : (double)NAN;
}

/* ------------------------------------------------------------------ making one */

dpl_status dpl_head_new(dpl_head **out, dpl_head_kind kind, int32_t dim, const float *weights,
                        float bias, dpl_error *err)
{
    dpl_head *head = NULL;
    dpl_status status;

    *out = NULL;
    if ((int)kind < 0 || (int)kind >= N_HEADS)
        return dpli_fail(err, DPL_E_ARGUMENT, "no head has the number %d", (int)kind);
    if (dim < 1 || dim > DPL_MAX_DIM)
        return dpli_fail(err, DPL_E_ARGUMENT, "a head of dimension %d, limit is %d", (int)dim,
                         DPL_MAX_DIM);
    if ((kind != DPL_HEAD_L1_SIGMOID) && (weights || bias != 0.0f))
        return dpli_fail(err, DPL_E_ARGUMENT, "the head %s takes no weights", head_names[kind]);
    if (kind == DPL_HEAD_L1_SIGMOID && !weights)
        return dpli_fail(err, DPL_E_MODEL, "the head l1-sigmoid has no weights");
    if (!isfinite(bias))
        return dpli_fail(err, DPL_E_MODEL, "the head's bias is not finite");

    head = dpli_calloc(1, sizeof *head, err);
    if (!head)
        return DPL_E_MEMORY;
    head->kind = kind;
    head->dim = dim;
    head->bias = bias;
    if (weights) {
        head->weights = dpli_alloc((size_t)dim, sizeof *weights, err);
        if (!head->weights) {
            status = DPL_E_MEMORY;
            goto done;
        }
        for (int32_t i = 0; i < dim; i++) {
            if (!isfinite(weights[i])) {
                status = dpli_fail(err, DPL_E_MODEL, "the head's weight %d is not finite", (int)i);
                goto done;
            }
            head->weights[i] = weights[i];
        }
    }
    *out = head;
    head = NULL;
    status = DPL_OK;
done:
    dpl_head_free(head);
    return status;
}

/* Base64 of little-endian float32, exactly dim of them. */
static dpl_status read_weights(float **out, const char *text, int32_t dim, dpl_error *err)
{
    uint8_t *bytes = NULL;
    float *w = NULL;
    size_t n_bytes = 0;
    dpl_status status = dpli_base64_decode(&bytes, &n_bytes, text, err);

    if (status == DPL_E_INPUT)
        status = dpli_fail(err, DPL_E_MODEL, "the fact \"head.weights\" is not base64");
    if (status != DPL_OK)
        goto done;
    if (n_bytes != (size_t)dim * 4) {
        status = dpli_fail(err, DPL_E_MODEL,
                           "the fact \"head.weights\" holds %zu bytes, %d float32 are %zu", n_bytes,
                           (int)dim, (size_t)dim * 4);
        goto done;
    }
    w = dpli_alloc((size_t)dim, sizeof *w, err);
    if (!w) {
        status = DPL_E_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < (size_t)dim; i++) {
        const uint8_t *b = bytes + 4 * i;
        uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(w + i, &bits, sizeof bits);
    }
    *out = w;
    w = NULL;
done:
    free(bytes);
    free(w);
    return status;
}

/* The head of these facts, each NULL where the model does not say. */
static dpl_status open_named(dpl_head **out, const char *name, const char *weights_text,
                             const char *bias_text, int32_t dim, dpl_error *err)
{
    int kind = DPL_HEAD_COSINE;
    double bias = 0.0;
    float *weights = NULL;
    dpl_status status = DPL_OK;

    *out = NULL;
    if (name)
        kind = kind_of(name);
    if (kind == N_HEADS)
        return dpli_fail(err, DPL_E_MODEL, "the model's head \"%s\" is unknown", name);
    if (dim < 1 || dim > DPL_MAX_DIM)
        return dpli_fail(err, DPL_E_MODEL, "the model's vectors have %d elements, limit is %d",
                         (int)dim, DPL_MAX_DIM);
    if (kind == DPL_HEAD_L1_SIGMOID) {
        if (bias_text) {
            char *end;
            bias = strtod(bias_text, &end);
            if (end == bias_text || *end || !isfinite((float)bias))
                return dpli_fail(err, DPL_E_MODEL, "the fact \"head.bias\" is not a number: \"%s\"",
                                 bias_text);
        }
        if (weights_text)
            status = read_weights(&weights, weights_text, dim, err);
    }
    if (status == DPL_OK)
        status = dpl_head_new(out, (dpl_head_kind)kind, dim, weights, (float)bias, err);
    free(weights);
    return status;
}

dpl_status dpl_head_open(dpl_head **out, const dpl_encoder *encoder, dpl_error *err)
{
    return open_named(out, dpl_encoder_fact(encoder, "head"),
                      dpl_encoder_fact(encoder, "head.weights"),
                      dpl_encoder_fact(encoder, "head.bias"), dpl_encoder_dim(encoder), err);
}

dpl_status dpl_head_open_text(dpl_head **out, const dpl_text_encoder *encoder, dpl_error *err)
{
    return open_named(
        out, dpl_text_encoder_fact(encoder, "head"), dpl_text_encoder_fact(encoder, "head.weights"),
        dpl_text_encoder_fact(encoder, "head.bias"), dpl_text_encoder_dim(encoder), err);
}

dpl_status dpl_head_open_net(dpl_head **out, const dpl_net *net, int32_t dim, dpl_error *err)
{
    return open_named(out, dpl_net_meta(net, "doppel.head"),
                      dpl_net_meta(net, "doppel.head.weights"),
                      dpl_net_meta(net, "doppel.head.bias"), dim, err);
}

void dpl_head_free(dpl_head *head)
{
    if (!head)
        return;
    free(head->weights);
    free(head);
}

dpl_head_kind dpl_head_get_kind(const dpl_head *head)
{
    return head->kind;
}

const char *dpl_head_name(const dpl_head *head)
{
    return head_names[head->kind];
}

int32_t dpl_head_dim(const dpl_head *head)
{
    return head->dim;
}

uint64_t dpli_head_sum(const dpl_head *head)
{
    int32_t fixed[2] = {(int32_t)head->kind, head->dim};
    uint64_t sum = dpli_sum64(0, fixed, sizeof fixed);

    if (head->weights) {
        sum = dpli_sum64(sum, &head->bias, sizeof head->bias);
        sum = dpli_sum64(sum, head->weights, (size_t)head->dim * sizeof *head->weights);
    }
    return sum;
}
