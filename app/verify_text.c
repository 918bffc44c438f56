/*
 * verify_text.c - `doppel verify --text`: two sentences to yes or no, by a model of sentences.
 */
#include "app/verify_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_text.h"
#include "app/html.h"
#include "app/json_print.h"

/* All that the answer is made of. */
typedef struct comparison {
    const command *self;
    const common *o;
    const char *const *texts; /* [2] */
    dpl_text_pipeline *pipeline;
    dpl_policy policy;
    dpl_sentence about[2];
    dpl_comparison result;
} comparison;

static const char *statement(dpl_decision decision)
{
    switch (decision) {
    case DPL_DECISION_MATCH: return "both say the same";
    case DPL_DECISION_NO_MATCH: return "they do not say the same, as far as the score tells";
    case DPL_DECISION_INCONCLUSIVE: return "whether both say the same cannot be told at this rate";
    case DPL_DECISION_TOO_POOR:
    case DPL_DECISION_NONE: break;
    }
    return "without a calibration in the model, --threshold must say from which score on it is a "
           "match";
}

/* "score 0.776; a match from 0.573 on, which others reach at most once in 10,000 pairs; sentences
 * that do not say the same score this high once in 660,000 pairs". */
static char *numbers(const comparison *c)
{
    const dpl_comparison *r = &c->result;
    char rate[64], wanted[64], *bar, *line;

    if (!c->policy.decides)
        bar = text_format("%s", "");
    else if (isnan(c->policy.fmr))
        bar = text_format("; a match from %.3f on, the threshold given", (double)r->threshold);
    else if (r->decision == DPL_DECISION_INCONCLUSIVE && r->reject < r->threshold)
        bar = text_format(
            "; a match from %.3f on, which others reach at most %s, and none up to %.3f: between, "
            "the measurement does not tell",
            (double)r->threshold, text_fmr(wanted, c->policy.fmr), (double)r->reject);
    else
        bar = text_format("; a match from %.3f on, which others reach at most %s",
                          (double)r->threshold, text_fmr(wanted, c->policy.fmr));
    text_rate(rate, r->rate);
    line =
        text_format("score %.3f%s%s%s", (double)r->score, bar,
                    rate[0] ? "; sentences that do not say the same score this high " : "", rate);
    free(bar);
    return line;
}

/* What the model did not see of a sentence; NULL: it saw all. */
static char *unseen(const comparison *c, int i)
{
    return text_unseen(i == 0 ? "the first sentence" : "the second sentence", &c->about[i],
                       dpl_text_pipeline_encoder(c->pipeline));
}

static void tell_text(const comparison *c)
{
    const dpl_decision decision = c->result.decision;

    text_put_decision(stdout, (color_when)c->o->color, decision);
    printf(": %s\n", statement(decision));
    text_put_note(stdout, numbers(c));
    text_put_note(stdout, unseen(c, 0));
    text_put_note(stdout, unseen(c, 1));
}

static void tell_json(const comparison *c)
{
    static const char *const sides[] = {"a", "b"};
    const dpl_calibration *calibration = dpl_text_pipeline_calibration(c->pipeline);
    json_t *answer = json_answer("verify");

    json_put_status(&answer, DPL_OK, NULL);
    json_put_decision(&answer, c->result.decision);
    json_put_comparison(&answer, calibration, &c->result);
    json_put_policy(&answer, &c->policy);
    text_put_model(&answer, c->pipeline);
    for (int i = 0; i < 2; i++)
        json_put(&answer, sides[i], text_sentence_json(c->texts[i], &c->about[i]));
    json_print(answer);
}

static void tell_page(const html *page, const comparison *c)
{
    const char *word = c->result.decision == DPL_DECISION_MATCH          ? "Match:"
                       : c->result.decision == DPL_DECISION_NO_MATCH     ? "No match:"
                       : c->result.decision == DPL_DECISION_INCONCLUSIVE ? "Inconclusive:"
                                                                         : "No decision:";
    char *line = numbers(c);

    html_headline(page, "h1", c->result.decision, word, statement(c->result.decision));
    fputs("<section class=\"card\">\n", page->f);
    for (int i = 0; i < 2; i++) {
        char *note = unseen(c, i);

        html_paragraph(page, "lead", c->texts[i]);
        if (note)
            html_paragraph(page, "soft", note);
        free(note);
    }
    html_paragraph(page, "", line);
    fputs("</section>\n", page->f);
    html_made_text(page, c->o, c->pipeline);
    html_made_end(page);
    free(line);
}

static int run(comparison *c, double fmr, double threshold)
{
    char *path, *merges;
    dpl_error err;
    html page;
    int code = common_find_text_model(&path, &merges, c->self, c->o, NULL);

    if (!code) {
        const char *const models[] = {path, merges, c->o->second_text_model};

        common_enter_sandbox_with(c->o, NULL, models, 3);
        code = common_open_text(&c->pipeline, c->self, c->o, path, merges);
    }
    free(path);
    free(merges);
    if (!code)
        code = html_open(&page, c->self, c->o, "Do they say the same?");
    if (code)
        return code;
    if (isnan(fmr) && isnan(threshold) && dpl_text_pipeline_calibration(c->pipeline))
        fmr = DPL_DEFAULT_TEXT_FMR;
    if (dpl_policy_make(&c->policy, dpl_text_pipeline_calibration(c->pipeline), fmr, threshold,
                        &err) != DPL_OK ||
        dpl_verify_texts(&c->result, c->about, c->pipeline, &c->policy, c->texts[0], c->texts[1],
                         &err) != DPL_OK) {
        html_abandon(&page);
        return common_fail(c->self, c->o, &err);
    }
    if (page.f) {
        page.has_pictures = false;
        tell_page(&page, c);
    }
    if (c->o->json)
        tell_json(c);
    else
        tell_text(c);
    return html_close(&page, c->self, c->o);
}

int verify_text(dpl_decision *decision, const command *self, const common *o, double fmr,
                double threshold, const char *const texts[2])
{
    comparison c = {.self = self, .o = o, .texts = texts};
    const int code = run(&c, fmr, threshold);

    *decision = c.result.decision;
    dpl_text_pipeline_close(c.pipeline);
    return code;
}
