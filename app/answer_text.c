/*
 * answer_text.c - sentences in answers, as JSON and in words.
 */
#include "app/answer_text.h"

#include "app/text.h"

json_t *text_sentence_json(const char *text, const dpl_sentence *about)
{
    json_t *object = json_object();

    json_put_text(&object, "text", text);
    json_put_int(&object, "n_tokens", about->n);
    if (about->n_unknown)
        json_put_int(&object, "n_unknown", about->n_unknown);
    if (about->n_cut)
        json_put_int(&object, "n_cut", about->n_cut);
    return object;
}

void text_put_model(json_t **object, const dpl_text_pipeline *pipeline)
{
    const dpl_text_encoder *encoder = dpl_text_pipeline_encoder(pipeline);
    const dpl_calibration *calibration = dpl_text_pipeline_calibration(pipeline);

    if (calibration)
        json_put_measured(object, calibration, "model");
    json_put_net(object, "model", dpl_text_encoder_net(encoder), dpl_text_encoder_hash(encoder));
    json_put_text(object, "metric", dpl_head_name(dpl_text_pipeline_head(pipeline)));
    json_put_text(object, "direction", "higher");
}

static json_t *hit_json(const dpl_policy *policy, const dpl_text_hit *h)
{
    json_t *hit = json_object(), *by = json_array();

    json_put_text(&hit, "photo", h->photo_path);
    json_put_text(&hit, "person", h->person);
    if (h->caption_rank)
        json_add(&by, json_string("caption"));
    if (h->picture_rank)
        json_add(&by, json_string("picture"));
    json_put(&hit, "by", by);
    if (h->caption_rank) {
        json_put_text(&hit, "caption", h->caption);
        json_put_real(&hit, "caption_score", (double)h->caption_score);
        json_put_int(&hit, "caption_rank", h->caption_rank);
    }
    if (h->picture_rank) {
        json_put_real(&hit, "picture_score", (double)h->picture_score);
        json_put_int(&hit, "picture_rank", h->picture_rank);
    }
    if (policy->decides)
        json_put_decision(&hit, h->decision);
    return hit;
}

json_t *text_query_json(const dpl_text_pipeline *pipeline, const dpl_policy *policy,
                        const char *text, const dpl_text_answer *answer)
{
    json_t *object = json_answer("query"), *hits = json_array(), *by = json_array();

    json_put_status(&object, DPL_OK, NULL);
    json_put(&object, "query", text_sentence_json(text, &answer->about));
    if (answer->by_captions)
        json_add(&by, json_string("caption"));
    if (answer->by_pictures)
        json_add(&by, json_string("picture"));
    json_put(&object, "by", by);
    text_put_model(&object, pipeline);
    json_put_policy(&object, policy);
    for (size_t i = 0; i < answer->n_hits; i++)
        json_add(&hits, hit_json(policy, &answer->hits[i]));
    json_put(&object, "hits", hits);
    return object;
}

char *text_unseen(const char *what, const dpl_sentence *about, const dpl_text_encoder *encoder)
{
    const dpl_tokenizer_facts *facts = dpl_tokenizer_about(dpl_text_encoder_tokenizer(encoder));
    const char *tokens = facts->kind == DPL_TOKENS_CHARACTERS ? "characters" : "words";
    char *unknown, *line;

    if (!about->n_unknown && !about->n_cut)
        return NULL;
    unknown = about->n_unknown ? text_format("%d of its %s not known to the model",
                                             (int)about->n_unknown, tokens)
                               : text_format("%s", "");
    line = text_format("%s: %s%s", what, unknown, about->n_unknown && about->n_cut ? ", " : "");
    free(unknown);
    if (about->n_cut) {
        char *more = text_format("%s%d past the %d tokens that it reads", line, (int)about->n_cut,
                                 (int)facts->length);
        free(line);
        line = more;
    }
    return line;
}
