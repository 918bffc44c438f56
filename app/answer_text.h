/* What answers about sentences have in common. */
#ifndef DOPPEL_APP_ANSWER_TEXT_H
#define DOPPEL_APP_ANSWER_TEXT_H

#include "app/json.h"

/** "text", "n_tokens", and "n_unknown" and "n_cut" where there are any. */
json_t *text_sentence_json(const char *text, const dpl_sentence *about);

/** "calibration" where there is one, "model", "metric", "direction". */
void text_put_model(json_t **object, const dpl_text_pipeline *pipeline);

/** doppel.query/1 of photos that were found by a sentence; NULL when there is no memory. */
json_t *text_query_json(const dpl_text_pipeline *pipeline, const dpl_policy *policy,
                        const char *text, const dpl_text_answer *answer);

/** "2 of the 5 words of the first sentence are not known to the model, 3 are past its length", or
 * NULL: it saw all. Freed by free(). */
char *text_unseen(const char *what, const dpl_sentence *about, const dpl_text_encoder *encoder);

#endif
