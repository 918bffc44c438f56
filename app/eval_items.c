/*
 * eval_items.c - evaluating on sentences, vectors and codes, alone or beside pictures: which list
 * it is, its models, its vectors.
 */
#include "app/eval_items.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------ the list */

/* Whether this word is one of those that a line of fields has. */
static bool has_field(const char *line, const char *word)
{
    const size_t n = strlen(word);

    for (const char *at = line; *at; at += strcspn(at, ","), at += *at == ',') {
        at += *at == '"';
        if (strncasecmp(at, word, n) == 0 && (!at[n] || strchr(",\"", at[n])))
            return true;
    }
    return false;
}

bool eval_is_of_pictures(const evaluation *e, const char *path)
{
    char line[256] = "";
    FILE *f;

    if (e->o->kinds)
        return false;
    f = fopen(path, "re");
    if (!f)
        return false; /* who reads it says why not, before there is a word of models */
    const bool any = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    /* LFW's counts, or a header with a, b and same */
    return any && (!line[strspn(line, "0123456789 \t")] ||
                   (has_field(line, "a") && has_field(line, "b") && has_field(line, "same")));
}

int eval_open_items(dpl_dataset **out, const evaluation *e, const char *path)
{
    const eval_options *o = e->o;
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_error err;

    options.root = o->dir;
    options.kinds[0] = o->kind[0];
    options.kinds[1] = o->kind[1];
    options.scale_low = o->scale_low;
    options.scale_high = o->scale_high;
    options.split = o->split;
    options.classes = o->classes;
    return dpl_dataset_open(out, path, &options, &err) == DPL_OK
               ? 0
               : common_fail(e->self, &o->common, &err);
}

/* ------------------------------------------------------------------ models */

static int need_model(const evaluation *e, const char *what, const char *option)
{
    return common_refuse(e->self, &e->o->common, DPL_E_MODEL,
                         "which model of %s? --%s FILE says it", what, option);
}

static int open_sentences(evaluation *e, int side, const char *path)
{
    dpl_text_encoder_options options = DPL_TEXT_ENCODER_OPTIONS_INIT;
    dpl_error err;

    if (!path)
        return need_model(e, "sentences", side == 0 ? "model" : "text-model");
    options.merges_path = e->o->common.merges;
    options.net = common_model_limits(&e->o->common);
    if (dpl_text_encoder_open(&e->sentences[side], path, &options, &err) != DPL_OK)
        return common_fail(e->self, &e->o->common, &err);
    e->models[side].sentences = e->sentences[side];
    return 0;
}

static int open_numbers(evaluation *e, int side, const char *path, dpl_item_kind kind)
{
    const dpl_net_options limits = common_model_limits(&e->o->common);
    dpl_error err;

    if (!path && kind == DPL_ITEM_CODES)
        return need_model(e, "codes", side == 0 ? "model" : "second-model");
    if (path && dpl_net_open(&e->numbers[side], path, &limits, &err) != DPL_OK)
        return common_fail(e->self, &e->o->common, &err);
    e->models[side].numbers = e->numbers[side];
    return 0;
}

/* The file of a side's model; NULL: none was said. */
static const char *path_of(const evaluation *e, int side, dpl_item_kind kind)
{
    const common *o = &e->o->common;

    if (side == 1 && e->o->second_model)
        return e->o->second_model;
    if (kind == DPL_ITEM_SENTENCE && o->text_model)
        return o->text_model;
    /* Of two kinds each has its own: --model is the first side's, unless that is of sentences
       and has --text-model. */
    if (side == 1 && kind != e->kinds[0])
        return e->kinds[0] == DPL_ITEM_SENTENCE && o->text_model ? o->model : NULL;
    return o->model;
}

static int open_side(evaluation *e, int side, dpl_item_kind kind)
{
    const char *path = path_of(e, side, kind);

    switch (kind) {
    case DPL_ITEM_PICTURE: {
        const int code = e->pipeline ? 0 : eval_open_models(e, true);
        e->models[side].pictures = e->pipeline;
        return code;
    }
    case DPL_ITEM_SENTENCE: return open_sentences(e, side, path);
    case DPL_ITEM_VECTOR:
    case DPL_ITEM_CODES: break;
    }
    return open_numbers(e, side, path, kind);
}

int eval_open_item_models(evaluation *e, const dpl_dataset *dataset)
{
    int code;

    for (int side = 0; side < 2; side++)
        e->kinds[side] = dpl_dataset_side_kind(dataset, side);
    e->apart = e->kinds[0] != e->kinds[1] || e->o->second_model != NULL;
    code = open_side(e, 0, e->kinds[0]);
    if (!code && e->apart)
        code = open_side(e, 1, e->kinds[1]);
    return code;
}

/* The head: of the model of sentences where there is one, which was trained beside the other. */
static dpl_status open_head(evaluation *e, int32_t dim, dpl_error *err)
{
    for (int side = 0; side < 2; side++)
        if (e->sentences[side])
            return dpl_head_open_text(&e->item_head, e->sentences[side], err);
    for (int side = 0; side < 2; side++)
        if (e->numbers[side])
            return dpl_head_open_net(&e->item_head, e->numbers[side], dim, err);
    return e->pipeline ? DPL_OK : dpl_head_new(&e->item_head, DPL_HEAD_COSINE, dim, NULL, 0, err);
}

int eval_embed_items(evaluation *e, dpl_embeddings *out, const dpl_pairs *pairs,
                     const dpl_dataset *dataset)
{
    dpl_embed_options options = DPL_EMBED_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};
    dpl_status status;

    e->n_first = pairs->n_first;
    eval_embed_begin(e, &options, e->apart ? "items" : eval_kind_names(e->kinds[0]));
    status = dpl_embed_pairs(out, pairs, dataset, e->models, &options, &err);
    if (status == DPL_OK && !e->item_head)
        status = open_head(e, out->dim, &err);
    return eval_embed_end(e, out, status, &err);
}

/* ------------------------------------------------------------------ telling */

static char *count_of(size_t n, dpl_item_kind kind)
{
    char count[32];

    text_count(count, (int64_t)n);
    return text_format("%s %s", count, n == 1 ? eval_kind_name(kind) : eval_kind_names(kind));
}

char *eval_describe_items(const evaluation *e)
{
    const size_t n = e->embeddings.n;
    const size_t n_first = e->apart ? e->n_first : n;
    char *first = count_of(n_first, e->kinds[0]), *all;

    if (n_first < n) {
        char *second = count_of(n - n_first, e->kinds[1]);
        all = text_format("%s and %s", first, second);
        free(second);
        free(first);
    } else {
        all = first;
    }
    if (e->embeddings.n_failed > 0) {
        char *more = text_format("%s, %zu without a vector", all, e->embeddings.n_failed);
        free(all);
        all = more;
    }
    return all;
}

void eval_close_items(evaluation *e)
{
    for (int side = 0; side < 2; side++) {
        dpl_text_encoder_close(e->sentences[side]);
        dpl_net_close(e->numbers[side]);
    }
    dpl_head_free(e->item_head);
}
