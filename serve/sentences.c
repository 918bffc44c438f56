/*
 * sentences.c - photos by what they show: `doppel query --text`.
 */
#include <math.h>

#include "app/answer_text.h"
#include "serve/server.h"

#define DEFAULT_K 5

void answer_sentence(desk *d, http_request *r, const char *text)
{
    static const char *const choices[] = {"auto", "caption", "image", NULL};
    const dpl_text_pipeline *pipeline = d->s->sentences;
    const http_part *photo = http_file(r, NULL);
    dpl_search_options search = DPL_SEARCH_OPTIONS_INIT;
    double fmr = NAN, threshold = NAN;
    dpl_policy policy = {0};
    dpl_text_answer answer;
    int64_t k = DEFAULT_K;
    int by = DPL_TEXT_BY_ALL;
    dpl_error err;
    dpl_status status = ask_real(&fmr, r, "fmr", 0, 1, &err);

    if (status == DPL_OK)
        status = ask_real(&threshold, r, "threshold", -1e6, 1e6, &err);
    if (status == DPL_OK)
        status = ask_int(&k, r, "k", 1, 1000, &err);
    if (status == DPL_OK)
        status = ask_choice(&by, r, "by", choices, &err);
    if (status == DPL_OK && photo && photo->n > 0)
        status = failed(&err, DPL_E_ARGUMENT, "a photo and \"text\" exclude each other");
    if (status == DPL_OK && !pipeline) {
        say_problem(r, 409, "the server has no model of sentences (--text-model)");
        return;
    }
    if (status == DPL_OK && (!isnan(fmr) || !isnan(threshold)))
        status =
            dpl_policy_make(&policy, dpl_text_pipeline_calibration(pipeline), fmr, threshold, &err);
    if (status == DPL_OK) {
        search.k = (int32_t)k;
        pthread_rwlock_rdlock(&d->s->rows);
        status = dpl_query_text(&answer, d->gallery, pipeline, (dpl_text_by)by, d->s->is_pair,
                                &policy, text, &search, &err);
        if (status == DPL_OK && d->s->o->audit) {
            status = dpl_gallery_audit_query(d->gallery, "query", 1, &err);
            if (status != DPL_OK)
                dpl_text_answer_clear(&answer);
        }
        pthread_rwlock_unlock(&d->s->rows);
    }
    if (status == DPL_E_MISMATCH) { /* the gallery holds nothing that a sentence is compared with */
        say_problem(r, 409, err.message);
    } else if (status != DPL_OK) {
        say_failure(r, &err);
    } else {
        say_json(r, 200, text_query_json(pipeline, &policy, text, &answer));
        dpl_text_answer_clear(&answer);
    }
}
