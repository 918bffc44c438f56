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
