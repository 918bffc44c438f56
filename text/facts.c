/*
 * facts.c - a tokenizer as facts in a model's metadata, and from them. Whatever a model's file says
 * is hostile until read.
 */
#include "text/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "net/graph.h"
#include "text/tokenizer.h"

#define MAX_LIST_BYTES ((size_t)32 << 20)

static const char *const kinds[] = {"characters", "words", "byte-pairs", "clip"};

static const char *prefix(int32_t side)
{
    return side ? "doppel.tokens-b" : "doppel.tokens";
}

/* ------------------------------------------------------------------ out */

static bool has_pairs(const dpl_tokenizer *t)
{
    return t->about.kind == DPL_TOKENS_BYTE_PAIRS || t->about.kind == DPL_TOKENS_CLIP;
}

static char *list_of(const dpl_tokenizer *t, dpl_error *err)
{
    dpli_buf text = {0};

    for (int32_t i = 0; i < t->vocabulary.n; i++) {
        dpli_buf_str(&text, i ? "\n" : "");
        dpli_buf_str(&text, t->vocabulary.by_id[i].text);
    }
    if (dpli_buf_check(&text, err) != DPL_OK)
        dpli_buf_clear(&text);
    return text.data;
}

static char *merges_of(const dpl_tokenizer *t, dpl_error *err)
{
    const dpli_pairs *p = &t->pairs;
    const dpli_pair **ordered = dpli_alloc((size_t)p->n, sizeof *ordered, err);
    dpli_buf text = {0};

    if (!ordered)
        return NULL;
    for (int32_t i = 0; i < p->n; i++)
        ordered[p->sorted[i].id - p->first] = &p->sorted[i];
    for (int32_t i = 0; i < p->n; i++)
        dpli_buf_printf(&text, "%s%s %s", i ? "\n" : "", t->vocabulary.by_id[ordered[i]->left].text,
                        t->vocabulary.by_id[ordered[i]->right].text);
    free(ordered);
    if (dpli_buf_check(&text, err) != DPL_OK)
        dpli_buf_clear(&text);
    return text.data;
}

dpl_status dpli_token_facts(dpli_token_fact facts[DPLI_N_TOKEN_FACTS], const dpl_tokenizer *t,
                            int32_t side, dpl_error *err)
{
    const dpl_tokenizer_facts *a = &t->about;
    const struct {
        const char *name;
        int32_t number;
    } numbers[] = {{".lower", a->lower},     {".length", a->length}, {".padding", a->padding},
                   {".unknown", a->unknown}, {".start", a->start},   {".end", a->end}};
    size_t n = 0;

    for (size_t i = 0; i < DPLI_N_TOKEN_FACTS; i++)
        facts[i].text = NULL;
    snprintf(facts[n].key, sizeof facts[n].key, "%s", prefix(side));
    facts[n].text = dpli_strdup(kinds[a->kind], err);
    if (!facts[n++].text)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++, n++) {
        snprintf(facts[n].key, sizeof facts[n].key, "%s%s", prefix(side), numbers[i].name);
        facts[n].text = dpli_asprintf(err, "%d", (int)numbers[i].number);
        if (!facts[n].text)
            return DPL_E_MEMORY;
    }
    snprintf(facts[n].key, sizeof facts[n].key, "%s.list", prefix(side));
    snprintf(facts[n + 1].key, sizeof facts[n].key, "%s.merges", prefix(side));
    n += has_pairs(t);
    facts[n].text = has_pairs(t) ? merges_of(t, err) : list_of(t, err);
    return facts[n].text ? DPL_OK : DPL_E_MEMORY;
}

void dpli_token_facts_clear(dpli_token_fact facts[DPLI_N_TOKEN_FACTS])
{
    for (size_t i = 0; i < DPLI_N_TOKEN_FACTS; i++)
        free(facts[i].text);
}

dpl_status dpli_tokenizer_into_graph(const dpl_tokenizer *t, dpli_graph *g, int32_t side,
                                     dpl_error *err)
{
    dpli_token_fact facts[DPLI_N_TOKEN_FACTS];
    dpl_status status = dpli_token_facts(facts, t, side, err);

    for (size_t i = 0; i < DPLI_N_TOKEN_FACTS && status == DPL_OK; i++)
        if (facts[i].text)
            status = dpli_graph_set_meta(g, facts[i].key + strlen("doppel."), facts[i].text, err);
    dpli_token_facts_clear(facts);
    return status;
}

/* ------------------------------------------------------------------ in */

static const char *fact(const dpl_net *net, int32_t side, const char *name)
{
    char key[40];

    snprintf(key, sizeof key, "%s%s", prefix(side), name);
    return dpl_net_meta(net, key);
}

/* A whole number, or otherwise when the model does not say. */
static dpl_status number(int32_t *out, const dpl_net *net, int32_t side, const char *name,
                         int32_t otherwise, dpl_error *err)
{
    const char *text = fact(net, side, name);
    char *end;
    long v;

    *out = otherwise;
    if (!text)
        return DPL_OK;
    errno = 0;
    v = strtol(text, &end, 10);
    if (end == text || *end || errno || v < -1 || v > DPL_MAX_TOKENS)
        return dpli_fail(err, DPL_E_MODEL, "fact \"%s%s\" is \"%.40s\", not a number within -1..%d",
                         prefix(side), name, text, DPL_MAX_TOKENS);
    *out = (int32_t)v;
    return DPL_OK;
}

/* The list, a line each, as a vocabulary. */
static dpl_status take_list(dpl_tokenizer *t, const char *text, dpl_error *err)
{
    char *bytes = dpli_strdup(text, err);
    size_t n = 1;

    if (!bytes)
        return DPL_E_MEMORY;
    for (char *at = strchr(bytes, '\n'); at; at = strchr(at + 1, '\n'), n++)
        *at = '\0';
    return dpli_vocabulary_make(&t->vocabulary, bytes, n, 0, err);
}

static dpl_status read_facts(dpl_tokenizer *t, const dpl_net *net, int32_t side, dpl_error *err)
{
    dpl_tokenizer_facts *a = &t->about;
    const char *kind = fact(net, side, ""), *name, *text;
    dpl_error why = {DPL_OK, ""};
    int32_t lower, length;
    size_t i = 0;
    dpl_status status;

    while (i < sizeof kinds / sizeof *kinds && strcmp(kind, kinds[i]) != 0)
        i++;
    if (i == sizeof kinds / sizeof *kinds)
        return dpli_fail(err, DPL_E_MODEL, "fact \"%s\" is \"%.40s\", which is not known",
                         prefix(side), kind);
    a->kind = (dpl_token_kind)i;
    name = has_pairs(t) ? ".merges" : ".list";
    text = fact(net, side, name);
    if (!text || !*text)
        return dpli_fail(err, DPL_E_MODEL, "fact \"%s\" is \"%s\", but there is no \"%s%s\"",
                         prefix(side), kind, prefix(side), name);
    if (strlen(text) > MAX_LIST_BYTES)
        return dpli_fail(err, DPL_E_MODEL, "fact \"%s%s\" is %zu bytes, limit is %zu MiB",
                         prefix(side), name, strlen(text), MAX_LIST_BYTES >> 20);
    if (has_pairs(t)) {
        status = dpli_tokenizer_take_merges(t, text, strlen(text), 0, &why);
    } else {
        status = take_list(t, text, &why);
        a->n_tokens = t->vocabulary.n;
        a->padding = a->unknown = a->start = a->end = -1;
    }
    if (status == DPL_E_MEMORY)
        return dpli_fail(err, status, "%s", why.message);
    if (status != DPL_OK)
        return dpli_fail(err, DPL_E_MODEL, "fact \"%s%s\": %s", prefix(side), name, why.message);
    status = number(&lower, net, side, ".lower", a->lower, err);
    if (status == DPL_OK)
        status = number(&length, net, side, ".length", 0, err);
    if (status == DPL_OK)
        status = number(&a->padding, net, side, ".padding", a->padding, err);
    if (status == DPL_OK)
        status = number(&a->unknown, net, side, ".unknown", a->unknown, err);
    if (status == DPL_OK)
        status = number(&a->start, net, side, ".start", a->start, err);
    if (status == DPL_OK)
        status = number(&a->end, net, side, ".end", a->end, err);
    if (status != DPL_OK)
        return status;
    a->lower = lower > 0 || a->kind == DPL_TOKENS_CLIP;
    a->length = length;
    status = dpli_tokenizer_check(t, &why);
    return status == DPL_OK
               ? DPL_OK
               : dpli_fail(err, DPL_E_MODEL, "facts \"%s\": %s", prefix(side), why.message);
}

dpl_status dpl_tokenizer_from_net(dpl_tokenizer **out, const dpl_net *net, int32_t side,
                                  dpl_error *err)
{
    dpl_tokenizer *t;
    dpl_status status;

    *out = NULL;
    if (side && !fact(net, side, ""))
        side = 0;
    if (!fact(net, side, ""))
        return dpli_fail(err, DPL_E_MODEL,
                         "the model has no tokens (fact \"%s\"): it is not one of sentences",
                         prefix(side));
    t = dpli_calloc(1, sizeof *t, err);
    if (!t)
        return DPL_E_MEMORY;
    status = read_facts(t, net, side, err);
    if (status != DPL_OK)
        dpl_tokenizer_free(t);
    else
        *out = t;
    return status;
}
