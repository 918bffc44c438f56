/*
 * query_page.c - the answer of `query` as a page for the browser.
 */
#include "app/query_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/plot.h"
#include "app/query_words.h"

/* A photo on the page. */
typedef struct card {
    html *html;
    const query_facts *facts;
    bool is_alone;
} card;

static void page_hits(const card *p, const dpl_answer *answer)
{
    const query_facts *facts = p->facts;
    FILE *f = p->html->f;
    const size_t n = query_n_kept(answer, facts->min_fmr);
    char rate[64];

    if (n < 2)
        return;
    fprintf(f,
            "<details><summary>the %zu most alike</summary><div class=\"scroll\"><table><tr>"
            "<th>person</th><th class=\"num\">score</th><th>strangers score this high</th>"
            "<th>photo</th></tr>\n",
            n);
    for (size_t i = 0; i < n; i++) {
        const dpl_answer_hit *h = &answer->hits[i];
        char *photo = query_photo(h);

        fputs("<tr><td>", f);
        html_text(p->html, h->person ? h->person : "-");
        fprintf(f, "</td><td class=\"num\">%.3f</td><td>%s</td><td>", (double)h->hit.score,
                text_rate(rate, h->rate));
        html_text(p->html, photo);
        fputs("</td></tr>\n", f);
        free(photo);
    }
    fputs("</table></div></details>\n", f);
}

static void page_pair(const card *p, const dpl_answer *answer)
{
    const query_facts *facts = p->facts;
    FILE *f = p->html->f;
    const dpl_encoder *encoder = dpl_pipeline_encoder(facts->pipeline);
    const dpl_answer_hit *best = query_n_kept(answer, facts->min_fmr) > 0 ? &answer->hits[0] : NULL;
    char *alt;

    fputs("<div class=\"chips\">", f);
    if (answer->face >= 0) {
        alt = text_format("face %d of %s", (int)answer->face + 1, facts->name);
        fputs("<figure>", f);
        html_portrait(p->html, encoder, facts->photo, (size_t)answer->face, alt);
        fprintf(f, "<figcaption>face %d</figcaption></figure>", (int)answer->face + 1);
        free(alt);
    }
    if (best && best->n_thumb > 0) {
        alt = text_format("%s, from %s", best->person ? best->person : "nobody's",
                          common_from_here(best->photo_path));
        fputs("<figure>", f);
        html_jpeg(p->html, best->thumb, best->n_thumb, alt);
        fputs("<figcaption>", f);
        html_path(p->html, best->photo_path);
        fputs("</figcaption></figure>", f);
        free(alt);
    }
    fputs("</div>", f);
}

/* What a policy by a rate looks at; NaN of what was decided otherwise. */
static plot_place place_of(const query_facts *facts, const dpl_candidate *c)
{
    const dpl_calibration *calibration = facts->policy->calibration;
    const bool of_score =
        isnan(facts->policy->fmr) && calibration && dpl_calibration_has_cohort(calibration);

    return (plot_place){
        .calibration = calibration,
        .head = dpl_pipeline_head(facts->pipeline),
        .at = c->comparison.evidence,
        .threshold = of_score ? NAN : c->comparison.threshold,
        .reject = c->comparison.reject,
    };
}

static void page_answer(const card *p, const dpl_answer *answer)
{
    const query_facts *facts = p->facts;
    FILE *f = p->html->f;
    const dpl_answer_hit *best = query_n_kept(answer, facts->min_fmr) > 0 ? &answer->hits[0] : NULL;
    const dpl_candidate *first = query_leading(facts, answer);
    const bool unknown = answer->decision == DPL_DECISION_NO_MATCH;
    char rate[64], *note = query_two_people(answer);

    fprintf(f, "<li class=\"face\" id=\"p%df%d\"><div class=\"pair\">", p->html->n_photos,
            (int)answer->face + 1);
    page_pair(p, answer);
    fputs("<div class=\"say\"><p class=\"big\">", f);
    if (answer->decision != DPL_DECISION_NONE)
        html_verdict(p->html, unknown ? DPL_DECISION_NONE : answer->decision,
                     answer->face < 0 ? query_who(answer)
                     : unknown        ? "unknown"
                                      : dpl_decision_words(answer->decision));
    if (answer->decision == DPL_DECISION_MATCH && answer->face >= 0)
        html_text(p->html, query_who(answer));
    else if (first || (best && best->person)) {
        fputs("<span class=\"soft\">most like ", f);
        html_text(p->html, first ? first->person : best->person);
        fputs("</span>", f);
    }
    fputs("</p>\n", f);
    if (note)
        html_paragraph(p->html, "warnline", note);
    if (answer->decision == DPL_DECISION_TOO_POOR) {
        char *why = query_too_poor(facts, answer);
        html_paragraph(p->html, "soft", why);
        free(why);
    } else if (first || best) {
        char *with = first ? query_compared(first, best) : query_photo(best);
        text_rate(rate, first ? first->comparison.rate : best->rate);
        fprintf(f, "<p class=\"soft\">score %.3f%s%s; ",
                (double)(first ? first->comparison.score : best->hit.score),
                rate[0] ? "; a stranger scores this high " : "", rate);
        html_text(p->html, with);
        fputs("</p>\n", f);
        free(with);
        if (first) {
            const plot_place place = place_of(facts, first);
            plot_scores(p->html, &place);
        }
    }
    if (answer->face >= 0)
        html_quality(p->html, &facts->photo->faces[answer->face]);
    page_hits(p, answer);
    fputs("</div></div></li>\n", f);
    free(note);
}

/* A stranger among several faces: small, as there is nothing to compare at leisure. */
static void page_stranger(const card *p, const dpl_answer *answer)
{
    const query_facts *facts = p->facts;
    FILE *f = p->html->f;
    const dpl_encoder *encoder = dpl_pipeline_encoder(facts->pipeline);
    const dpl_answer_hit *best = query_n_kept(answer, facts->min_fmr) > 0 ? &answer->hits[0] : NULL;
    char rate[64], *alt = text_format("face %d of %s", (int)answer->face + 1, facts->name);

    fprintf(f, "<li id=\"p%df%d\">", p->html->n_photos, (int)answer->face + 1);
    html_portrait(p->html, encoder, facts->photo, (size_t)answer->face, alt);
    fprintf(f, "<div><p><b>face %d</b></p>", (int)answer->face + 1);
    if (answer->decision == DPL_DECISION_TOO_POOR) {
        char *why = query_too_poor(facts, answer);
        fputs("<p class=\"soft\">too poor: ", f);
        html_text(p->html, why);
        fputs("</p>", f);
        free(why);
    } else if (best) {
        fputs("<p class=\"soft\">most like ", f);
        html_text(p->html, best->person ? best->person : common_from_here(best->photo_path));
        fprintf(f, ": %.3f", (double)best->hit.score);
        if (text_rate(rate, best->rate)[0])
            fprintf(f, ", reached %s", rate);
        fputs("</p>", f);
    }
    fputs("</div></li>\n", f);
    free(alt);
}

/* Who was recognised first, then what is not sure, then the strangers. */
static int page_rank(const dpl_answer *answer)
{
    return answer->decision == DPL_DECISION_MATCH          ? 0
           : answer->decision == DPL_DECISION_INCONCLUSIVE ? 1
                                                           : 2;
}

/* What the photo came to, in a word and with whom. */
static void page_headline(const card *p)
{
    const query_facts *facts = p->facts;
    const char *element = p->is_alone ? "h1" : "h2";
    dpl_decision decision = DPL_DECISION_NONE;
    char *line = query_headline(facts), rate[64];

    for (int rank = 1; rank >= 0; rank--)
        for (size_t i = 0; i < facts->n; i++)
            if (page_rank(&facts->answers[i]) == rank)
                decision = facts->answers[i].decision;
    if (facts->n == 1 && facts->answers[0].face >= 0 && decision != DPL_DECISION_NONE) {
        const dpl_answer *answer = &facts->answers[0];
        const bool match = decision == DPL_DECISION_MATCH;

        html_headline(p->html, element, decision, match ? query_who(answer) : "Inconclusive:",
                      match                      ? ""
                      : answer->n_candidates > 0 ? answer->candidates[0].person
                                                 : "");
        if (match && answer->n_candidates > 0 &&
            text_rate(rate, answer->candidates[0].comparison.rate)[0]) {
            char *lead = text_format("A stranger scores this high %s.", rate);
            html_paragraph(p->html, "lead", lead);
            free(lead);
        }
    } else if (facts->n == 1 && facts->answers[0].face >= 0) {
        html_headline(p->html, element, DPL_DECISION_NONE,
                      facts->answers[0].decision == DPL_DECISION_TOO_POOR ? "Too poor to tell"
                                                                          : "Unknown",
                      "");
    } else {
        html_headline(p->html, element, decision, line, "");
    }
    free(line);
}

void query_page(html *to, const query_facts *facts, const doubt_list *doubts, bool is_alone)
{
    const card here = {to, facts, is_alone}, *p = &here;
    html_box *boxes = text_need(calloc(facts->n + 1, sizeof *boxes));
    char(*anchors)[32] = text_need(calloc(facts->n + 1, sizeof *anchors));
    size_t n = 0;

    for (size_t i = 0; i < facts->n; i++) {
        const dpl_answer *answer = &facts->answers[i];
        if (answer->face < 0)
            continue;
        snprintf(anchors[n], sizeof anchors[n], "p%df%d", p->html->n_photos, (int)answer->face + 1);
        boxes[n] = (html_box){&facts->photo->faces[answer->face], answer->face + 1,
                              answer->decision, query_who(answer), anchors[n]};
        n++;
    }
    /* Strangers in a group come after the photo, small, so that who was found is not lost. */
    const bool small = facts->n > 3;
    fputs("<section class=\"card photo\">", p->html->f);
    page_headline(p);
    fputs("<div class=\"cols\">\n<div class=\"sticky\">", p->html->f);
    html_photo(p->html, facts->photo, facts->name, boxes, n);
    fputs("</div><div><ul class=\"faces\">\n", p->html->f);
    for (int rank = 0; rank < (small ? 2 : 3); rank++)
        for (size_t i = 0; i < facts->n; i++)
            if (page_rank(&facts->answers[i]) == rank)
                page_answer(p, &facts->answers[i]);
    fputs("</ul></div></div>\n", p->html->f);
    for (size_t i = 0, told = 0; small && i <= facts->n; i++) {
        const bool stranger = i < facts->n && page_rank(&facts->answers[i]) == 2;
        if (stranger && !told++)
            fputs("<h3>Unknown</h3><ul class=\"many\">\n", p->html->f);
        if (stranger)
            page_stranger(p, &facts->answers[i]);
        if (i == facts->n && told)
            fputs("</ul>\n", p->html->f);
    }
    for (size_t i = 0; i < doubts->n; i++)
        html_paragraph(p->html, "warnline", doubts->lines[i]);
    fputs("<p class=\"soft mono\">sha256 ", p->html->f);
    html_text(p->html, facts->photo->sha256);
    fputs("</p></section>\n", p->html->f);
    free(anchors);
    free(boxes);
}

void query_page_failure(const html *page, const char *name, const dpl_error *err)
{
    fputs("<section class=\"card\"><h2>", page->f);
    html_text(page, name);
    fputs("</h2>", page->f);
    html_paragraph(page, "warnline", err->message);
    fputs("</section>\n", page->f);
}
