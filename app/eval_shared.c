/*
 * eval_shared.c - what evaluations by pairs and by one-shot trials have in common: models, data,
 * vectors, and what both tell.
 */
#include "app/eval_shared.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/model_name.h"

#define N_TOLD 10 /* failed pictures told one by one */

/* ------------------------------------------------------------------ opening */

int eval_open_models(evaluation *e, bool whole)
{
    common *o = &e->o->common;
    dpl_net_options limits = common_model_limits(o);
    dpl_encoder *encoder = NULL;
    dpl_error err;

    if (e->o->aligned)
        o->detect = 1;
    if (o->detect < 0 && !whole && o->model) {
        if (dpl_encoder_open_with(&encoder, o->model, o->preset, &limits, &err) != DPL_OK)
            return common_fail(e->self, &e->o->common, &err);
        whole = strcmp(dpl_encoder_space(encoder), "image") == 0;
        dpl_encoder_close(encoder);
    }
    if (o->detect < 0)
        o->detect = whole ? 1 : 0;
    return common_open_pipeline(&e->pipeline, e->self, o, NULL, 0);
}

int eval_open_data(dpl_dataset **out, const evaluation *e, const char *path, bool plain)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_error err;

    options.plain = plain;
    return dpl_dataset_open(out, path, &options, &err) == DPL_OK
               ? 0
               : common_fail(e->self, &e->o->common, &err);
}

static void step(void *ctx, int64_t n_done, int64_t n_total)
{
    progress_step(ctx, n_done, n_total);
}

/* Tell which pictures gave no vector, the first of them by name. */
static void tell_failed(evaluation *e, const dpl_embeddings *embeddings)
{
    size_t told = 0;

    for (size_t i = 0; i < embeddings->n; i++) {
        const dpl_error *why = embeddings->errors[i];
        if (!why)
            continue;
        if (dpl_status_exit_code(why->status) > dpl_status_exit_code(e->worst))
            e->worst = why->status;
        if (told++ >= N_TOLD)
            continue;
        fprintf(stderr, "doppel %s: no vector: ", e->self->name);
        text_put(stderr, why->message);
        fputc('\n', stderr);
    }
    if (told > N_TOLD)
        fprintf(stderr, "doppel %s: and %zu more (--json lists all)\n", e->self->name,
                told - N_TOLD);
}

void eval_embed_begin(evaluation *e, dpl_embed_options *options, const char *what)
{
    options->cancel = e->cancel;
    options->on_progress = step;
    options->ctx = &e->progress;
    progress_start(&e->progress, what, e->o->common.quiet);
}

int eval_embed_end(evaluation *e, const dpl_embeddings *embeddings, dpl_status status,
                   const dpl_error *err)
{
    progress_wipe(&e->progress);
    if (status != DPL_OK)
        return common_fail(e->self, &e->o->common, err);
    tell_failed(e, embeddings);
    return 0;
}

int eval_embed(evaluation *e, dpl_embeddings *out, const dpl_pictures *pictures)
{
    dpl_embed_options options = DPL_EMBED_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};
    dpl_status status;

    eval_embed_begin(e, &options, "pictures");
    status = dpl_embed(out, e->pipeline, pictures, &options, &err);
    return eval_embed_end(e, out, status, &err);
}

const dpl_head *eval_head(const evaluation *e)
{
    return e->item_head ? e->item_head : dpl_pipeline_head(e->pipeline);
}

/* ------------------------------------------------------------------ telling what both have */

void eval_put_share(json_t **object, const char *key, const dpl_share *s)
{
    json_t *share = json_object();

    json_put_int(&share, "n", s->n);
    json_put_int(&share, "of", s->of);
    json_put_real(&share, "rate", s->rate);
    json_put_real(&share, "low", s->low);
    json_put_real(&share, "high", s->high);
    json_put(object, key, share);
}

const char *eval_kind_name(dpl_item_kind kind)
{
    static const char *const names[] = {
        [DPL_ITEM_PICTURE] = "picture",
        [DPL_ITEM_SENTENCE] = "sentence",
        [DPL_ITEM_VECTOR] = "vector",
        [DPL_ITEM_CODES] = "list of codes",
    };

    return names[kind];
}

const char *eval_kind_names(dpl_item_kind kind)
{
    static const char *const names[] = {"pictures", "sentences", "vectors", "lists of codes"};

    return names[kind];
}

/* The models and kinds of either side. */
static void put_items(json_t **answer, const evaluation *e)
{
    static const char *const keys[] = {"model", "second_model"};
    json_t *kinds = json_array();

    for (int side = 0; side < (e->apart ? 2 : 1); side++) {
        if (e->sentences[side])
            json_put_net(answer, keys[side], dpl_text_encoder_net(e->sentences[side]),
                         dpl_text_encoder_hash(e->sentences[side]));
        else if (e->numbers[side])
            json_put_net(answer, keys[side], e->numbers[side], NULL);
        else if (e->kinds[side] == DPL_ITEM_PICTURE)
            json_put_encoder(answer, keys[side], dpl_pipeline_encoder(e->pipeline));
    }
    for (int side = 0; side < 2; side++)
        json_add(&kinds, json_string(eval_kind_name(e->kinds[side])));
    json_put_text(answer, "metric", dpl_head_name(eval_head(e)));
    json_put_text(answer, "direction", "higher");
    json_put(answer, "kinds", kinds);
}

json_t *eval_begin_json(const evaluation *e, const char *task)
{
    json_t *answer = json_answer(e->self->name), *failed = json_array();

    json_put_text(&answer, "task", task);
    json_put_text(&answer, "data", e->source);
    if (e->of_items)
        put_items(&answer, e);
    else
        json_put_model(&answer, e->pipeline);
    json_put_int(&answer, e->of_items ? "n_items" : "n_pictures", (int64_t)e->embeddings.n);
    for (size_t i = 0; i < e->embeddings.n; i++) {
        const dpl_error *why = e->embeddings.errors[i];
        json_t *one;
        if (!why)
            continue;
        one = json_object();
        json_put_text(&one, e->of_items ? "item" : "picture", dpl_picture_name(&e->pictures, i));
        json_put_status(&one, why->status, why->message);
        json_add(&failed, one);
    }
    json_put(&answer, "failed", failed);
    return answer;
}

void eval_print_row(const char *name, char *value)
{
    printf("%-12s ", name);
    text_put(stdout, value);
    putchar('\n');
    free(value);
}

char *eval_describe_pictures(const evaluation *e)
{
    char n[64];

    text_counted(n, (int64_t)e->embeddings.n, "picture");
    return e->embeddings.n_failed == 0
               ? text_format("%s", n)
               : text_format("%s, %zu without a vector", n, e->embeddings.n_failed);
}

void eval_page_thumb(const evaluation *e, dpl_scratch *scratch, int32_t picture, char *caption)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;

    fputs("<figure>", e->page.f);
    if (dpl_picture_thumb(&jpeg, &n, e->pipeline, scratch, &e->pictures, (size_t)picture, NULL) ==
        DPL_OK)
        html_jpeg(&e->page, jpeg, n, dpl_picture_name(&e->pictures, (size_t)picture));
    dpl_bytes_free(jpeg);
    fputs("<figcaption>", e->page.f);
    html_path(&e->page, caption);
    fputs("</figcaption></figure>\n", e->page.f);
    free(caption);
}

void eval_page_source(const evaluation *e, const char *what)
{
    char *line = text_format("; encoder %s, head %s",
                             model_name(dpl_encoder_net(dpl_pipeline_encoder(e->pipeline))),
                             dpl_head_name(dpl_pipeline_head(e->pipeline)));

    fputs("<p class=\"soft\">", e->page.f);
    html_text(&e->page, what);
    fputs("; ", e->page.f);
    html_path(&e->page, e->source);
    html_text(&e->page, line);
    fputs("</p>\n", e->page.f);
    free(line);
}

void eval_page_failed(const evaluation *e)
{
    if (e->embeddings.n_failed == 0)
        return;
    fprintf(e->page.f,
            "<section class=\"card\"><h2>Pictures without a vector</h2><p>%zu; none of them "
            "matches anything.</p><details><summary>which, and why</summary>\n",
            e->embeddings.n_failed);
    for (size_t i = 0; i < e->embeddings.n; i++)
        if (e->embeddings.errors[i])
            html_paragraph(&e->page, "soft", e->embeddings.errors[i]->message);
    fputs("</details></section>\n", e->page.f);
}
