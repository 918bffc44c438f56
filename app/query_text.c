/*
 * query_text.c - `doppel query --text`: photos found by what they show, through their captions and
 * through the pictures themselves.
 */
#include "app/query_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_text.h"
#include "app/html.h"
#include "app/json_print.h"

typedef struct query {
    const command *self;
    const common *o;
    const query_text_options *asked;
    dpl_gallery *gallery;
    dpl_text_pipeline *pipeline;
    bool is_pair; /* --image-model and --text-model are said to belong together */
    dpl_policy policy;
    html page;
    int worst;
} query;

static const char *found_by(const dpl_text_hit *h)
{
    return h->caption_rank && h->picture_rank ? "caption and picture"
           : h->caption_rank                  ? "caption"
                                              : "picture";
}

static bool is_found(const query *q, const dpl_text_answer *a)
{
    for (size_t i = 0; i < a->n_hits; i++)
        if (!q->policy.decides || a->hits[i].decision == DPL_DECISION_MATCH)
            return true;
    return false;
}

/* ------------------------------------------------------------------ for programs */

static void put_score(bool there, float score)
{
    if (there)
        printf("\t%.4f", (double)score);
    else
        fputs("\t-", stdout);
}

/* Lines are of photos alone: what the model did not see of the sentence is told beside them. */
static void tell_unseen(const query *q, const char *text, const dpl_text_answer *a)
{
    char *unseen = text_unseen(text, &a->about, dpl_text_pipeline_encoder(q->pipeline));

    if (unseen && !q->o->quiet) {
        fprintf(stderr, "doppel %s: ", q->self->name);
        text_put(stderr, unseen);
        fputc('\n', stderr);
    }
    free(unseen);
}

/* The sentence, the photo, the scores by its caption and as a picture, and the caption. */
static void tell_lines(const query *q, const char *text, const dpl_text_answer *a)
{
    const bool nul = q->asked->form == QUERY_NUL;

    for (size_t i = 0; i < a->n_hits; i++) {
        const dpl_text_hit *h = &a->hits[i];

        if (q->policy.decides && h->decision != DPL_DECISION_MATCH)
            continue;
        text_put_field(stdout, text);
        putchar('\t');
        if (nul)
            fputs(h->photo_path, stdout);
        else
            text_put_field(stdout, h->photo_path);
        put_score(h->caption_rank > 0, h->caption_score);
        put_score(h->picture_rank > 0, h->picture_score);
        putchar('\t');
        if (h->caption)
            text_put_field(stdout, h->caption);
        putchar(nul ? '\0' : '\n');
    }
}

/* ------------------------------------------------------------------ for people */

static void tell_table(const query *q, const char *text, const dpl_text_answer *a)
{
    table t = {.align = "lrrll"};
    char caption[32], picture[32];

    text_put(stdout, text);
    printf(":%s\n", a->n_hits == 0 ? " nothing found" : is_found(q, a) ? "" : " nothing so alike");
    text_put_note(stdout,
                  text_unseen("the sentence", &a->about, dpl_text_pipeline_encoder(q->pipeline)));
    for (size_t i = 0; i < a->n_hits; i++) {
        const dpl_text_hit *h = &a->hits[i];
        const char *cells[] = {found_by(h), caption, picture, common_from_here(h->photo_path),
                               h->caption ? h->caption : ""};

        snprintf(caption, sizeof caption, h->caption_rank ? "%.3f" : "", (double)h->caption_score);
        snprintf(picture, sizeof picture, h->picture_rank ? "%.3f" : "", (double)h->picture_score);
        table_add(&t, h->decision == DPL_DECISION_MATCH ? TONE_GOOD : TONE_PLAIN, cells);
    }
    table_print(&t, stdout, (color_when)q->o->color, 2);
    table_clear(&t);
}

static void tell_page(const query *q, const char *text, const dpl_text_answer *a)
{
    const html *page = &q->page;

    fputs("<section class=\"card\"><h2>", page->f);
    html_text(page, text);
    fputs("</h2>\n<div class=\"chips large\">\n", page->f);
    for (size_t i = 0; i < a->n_hits; i++) {
        const dpl_text_hit *h = &a->hits[i];

        fputs("<figure>", page->f);
        html_jpeg(page, h->thumb, h->n_thumb, h->caption ? h->caption : h->photo_path);
        fputs("<figcaption>", page->f);
        if (h->caption) {
            html_text(page, h->caption);
            fputs("<br>", page->f);
        }
        html_path(page, h->photo_path);
        fprintf(page->f, "<br>by its %s", found_by(h));
        if (h->caption_rank)
            fprintf(page->f, ", caption %.3f", (double)h->caption_score);
        if (h->picture_rank)
            fprintf(page->f, ", picture %.3f", (double)h->picture_score);
        fputs("</figcaption></figure>\n", page->f);
    }
    fputs("</div></section>\n", page->f);
}

/* ------------------------------------------------------------------ asking */

/* A failure is of this sentence alone; the worst exit code wins. */
static void ask(query *q, const char *text)
{
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_text_answer a;
    dpl_error err;
    int code;

    options.k = q->asked->k;
    if (dpl_query_text(&a, q->gallery, q->pipeline, q->asked->by, q->is_pair, &q->policy, text,
                       &options, &err) != DPL_OK) {
        code = common_fail(q->self, q->o, &err);
    } else {
        switch (q->asked->form) {
        case QUERY_JSON: json_print(text_query_json(q->pipeline, &q->policy, text, &a)); break;
        case QUERY_TEXT: tell_table(q, text, &a); break;
        case QUERY_LINES:
        case QUERY_NUL:
            tell_unseen(q, text, &a);
            tell_lines(q, text, &a);
            break;
        }
        if (q->page.f)
            tell_page(q, text, &a);
        code = is_found(q, &a) ? 0 : 1;
        dpl_text_answer_clear(&a);
    }
    q->worst = code > q->worst ? code : q->worst;
}

/* Whether --image-model is the one that made the gallery's vectors of pictures: who gives both
 * models says that they belong together. */
static int check_pair(query *q)
{
    dpl_net_options limits = common_model_limits(q->o);
    dpl_encoder *encoder;
    const char *hash, *preset;
    dpl_error err;
    int code = 0;

    if (!q->o->image_model || strcmp(q->o->image_model, "none") == 0)
        return 0;
    if (dpl_gallery_setting(&preset, q->gallery, "model.image.preset", &err) != DPL_OK)
        return common_fail(q->self, q->o, &err);
    preset = q->o->image_preset ? q->o->image_preset : preset && *preset ? preset : NULL;
    if (dpl_encoder_open_with(&encoder, q->o->image_model, preset, &limits, &err) != DPL_OK ||
        dpl_gallery_setting(&hash, q->gallery, "model.image.hash", &err) != DPL_OK)
        return common_fail(q->self, q->o, &err);
    if (!hash || strcmp(hash, dpl_encoder_hash(encoder)) != 0)
        code = common_refuse(q->self, q->o, DPL_E_MISMATCH,
                             "--image-model \"%.200s\" did not make the vectors of pictures in "
                             "gallery \"%.100s\"",
                             q->o->image_model, dpl_gallery_dir(q->gallery));
    else if (dpl_encoder_dim(encoder) !=
             dpl_text_encoder_dim(dpl_text_pipeline_encoder(q->pipeline)))
        code = common_refuse(q->self, q->o, DPL_E_MISMATCH,
                             "--image-model gives %d numbers and --text-model %d: they are no pair",
                             (int)dpl_encoder_dim(encoder),
                             (int)dpl_text_encoder_dim(dpl_text_pipeline_encoder(q->pipeline)));
    q->is_pair = !code;
    dpl_encoder_close(encoder);
    return code;
}

static int open_all(query *q, common *o)
{
    char *path = NULL, *merges = NULL;
    dpl_error err;
    int code = common_open_gallery(&q->gallery, q->self, o, DPL_GALLERY_READ);

    if (!code)
        code = common_find_text_model(&path, &merges, q->self, o, q->gallery);
    if (!code) {
        const char *const models[] = {path, merges, o->image_model};

        common_enter_sandbox_with(o, q->gallery, models, 3);
        code = common_open_text(&q->pipeline, q->self, o, path, merges);
    }
    if (!code)
        code = check_pair(q);
    /* A rate is of pairs of sentences, so that nothing is decided by it unless it is asked for. */
    if (!code && (!isnan(q->asked->fmr) || !isnan(q->asked->threshold)) &&
        dpl_policy_make(&q->policy, dpl_text_pipeline_calibration(q->pipeline), q->asked->fmr,
                        q->asked->threshold, &err) != DPL_OK)
        code = common_fail(q->self, o, &err);
    free(path);
    free(merges);
    return code;
}

int query_text(const command *self, common *o, const query_text_options *asked,
               const char *const *texts, size_t n)
{
    query q = {.self = self, .o = o, .asked = asked};
    int code = open_all(&q, o);

    if (!code)
        code = html_open(&q.page, self, o, "Which photos show it?");
    if (!code) {
        html_heading(&q.page, "Which photos show it?");
        for (size_t i = 0; i < n; i++)
            ask(&q, texts[i]);
        common_notice(self, o, q.gallery);
        if (q.page.f) {
            html_made_text(&q.page, o, q.pipeline);
            html_made_end(&q.page);
        }
        code = html_close(&q.page, self, o);
        code = code > q.worst ? code : q.worst;
    }
    dpl_text_pipeline_close(q.pipeline);
    dpl_gallery_close(q.gallery);
    return code;
}
