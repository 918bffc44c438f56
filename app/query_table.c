/*
 * query_table.c - the answer of `query` as tables for people.
 */
#include "app/query_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/common.h"
#include "app/query_words.h"

static tone tone_of(dpl_decision decision)
{
    switch (decision) {
    case DPL_DECISION_MATCH: return TONE_GOOD;
    case DPL_DECISION_INCONCLUSIVE:
    case DPL_DECISION_TOO_POOR: return TONE_WARN;
    case DPL_DECISION_NO_MATCH:
    case DPL_DECISION_NONE: break;
    }
    return TONE_PLAIN;
}

static void tell_too_poor(table *t, const query_facts *facts, const dpl_answer *answer)
{
    char number[32], *why = query_too_poor(facts, answer);

    snprintf(number, sizeof number, "%d", (int)answer->face + 1);
    const char *cells[] = {number, query_who(answer), "", "", "-", why};
    table_add(t, tone_of(answer->decision), cells);
    free(why);
}

static void tell_answer(table *t, const query_facts *facts, const dpl_answer *answer, bool in_full)
{
    const size_t kept = query_n_kept(answer, facts->min_fmr);
    const bool brief = facts->n > 1 && !query_is_found(answer) && !in_full;
    const dpl_candidate *first = query_leading(facts, answer);
    const size_t n = brief && kept > 1 ? 1 : kept;
    char number[32], score[32], rate[64];

    if (answer->decision == DPL_DECISION_TOO_POOR) {
        tell_too_poor(t, facts, answer);
        return;
    }
    snprintf(number, sizeof number, "%d", (int)answer->face + 1);
    if (first) { /* who it may be; below, the photos that speak for it */
        char *with = query_compared(first, &answer->hits[0]);
        snprintf(score, sizeof score, "%.3f", (double)first->comparison.score);
        const char *cells[] = {number,        query_who(answer),
                               score,         text_rate(rate, first->comparison.rate),
                               first->person, with};
        table_add(t, tone_of(answer->decision), cells);
        free(with);
    }
    /* A person of one photo has been told. */
    for (size_t i = first && first->n_compared == 1 ? 1 : 0;
         i < (n > 0 ? n : 1) && !(first && brief); i++) {
        const dpl_answer_hit *h = n > 0 ? &answer->hits[i] : NULL;
        const bool led = first || i > 0 || answer->face < 0;
        char *photo = h ? query_photo(h) : NULL;
        snprintf(score, sizeof score, "%.3f", h ? (double)h->hit.score : 0);
        const char *cells[] = {led ? "" : number,
                               first || i > 0 ? "" : query_who(answer),
                               h ? score : "",
                               h ? text_rate(rate, h->rate) : "",
                               h && h->person ? h->person : "-",
                               h ? photo : ""};
        table_add(t, led ? TONE_PLAIN : tone_of(answer->decision), cells);
        free(photo);
    }
}

static void tell_note(color_when color, FILE *f, const char *indent, const char *where,
                      const char *note)
{
    fputs(indent, f);
    text_tone(f, color, TONE_WARN, "note: ");
    text_put(f, where);
    text_put(f, note);
    fputc('\n', f);
}

void query_notes(const query_facts *facts, const doubt_list *news, color_when color, FILE *f,
                 const char *indent, const char *where)
{
    for (size_t i = 0; i < facts->n; i++) {
        char *note = query_two_people(&facts->answers[i]);
        if (note)
            tell_note(color, f, indent, where, note);
        free(note);
    }
    for (size_t i = 0; i < news->n; i++)
        tell_note(color, f, indent, "", news->lines[i]);
}

void query_table(const query_facts *facts, const doubt_list *news, bool in_full, color_when color)
{
    const bool by_picture = facts->n == 1 && facts->answers[0].face < 0;
    const char *heads[] = {by_picture ? "" : "face",
                           by_picture ? "" : "who",
                           "score",
                           by_picture ? "other pictures do" : "strangers score this high",
                           "most like",
                           "photo"};
    table t = {.align = "rlrlll"};
    char *line = query_headline(facts);

    text_put(stdout, facts->name);
    fputs(": ", stdout);
    text_put(stdout, line);
    putchar('\n');
    if (facts->photo->image.warning[0]) {
        fputs("  ", stdout);
        text_put(stdout, facts->photo->image.warning);
        putchar('\n');
    }
    table_add(&t, TONE_FAINT, heads);
    for (size_t i = 0; i < facts->n; i++)
        tell_answer(&t, facts, &facts->answers[i], in_full);
    table_print(&t, stdout, color, 2);
    table_clear(&t);
    query_notes(facts, news, color, stdout, "  ", "");
    if (facts->n > 0 && !facts->answers[0].search.exact)
        printf("  searched with the index \"%s\", which finds %.1f %% of what an exact search "
               "would\n",
               facts->answers[0].search.index, 100 * facts->answers[0].search.recall);
    fflush(stdout);
    free(line);
}
