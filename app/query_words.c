/*
 * query_words.c - an answer in words, for tables and for pages.
 */
#include "app/query_words.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/common.h"
#include "app/text.h"

bool query_is_found(const dpl_answer *a)
{
    /* By picture nobody is named: something alike is the answer, unless a threshold judges it. */
    if (a->face < 0 && a->decision == DPL_DECISION_NONE)
        return a->n_hits > 0;
    return a->decision == DPL_DECISION_MATCH;
}

const char *query_who(const dpl_answer *answer)
{
    if (answer->face < 0 && answer->decision != DPL_DECISION_NONE)
        return answer->decision == DPL_DECISION_MATCH          ? "copy"
               : answer->decision == DPL_DECISION_INCONCLUSIVE ? "inconclusive"
                                                               : "no copy";
    if (answer->decision == DPL_DECISION_MATCH && answer->person)
        return answer->person;
    return answer->decision == DPL_DECISION_INCONCLUSIVE ? "inconclusive"
           : answer->decision == DPL_DECISION_TOO_POOR   ? "too poor"
           : answer->decision == DPL_DECISION_NONE       ? "-"
                                                         : "unknown";
}

char *query_too_poor(const query_facts *f, const dpl_answer *answer)
{
    const dpl_quality *quality = &f->photo->faces[answer->face].quality;
    dpl_range range;

    dpl_calibration_range(&range, f->policy->calibration);
    return text_format("%s (quality %.2f, at least %.2f is needed)", quality->weakest,
                       (double)quality->overall, (double)range.too_poor);
}

char *query_compared(const dpl_candidate *c, const dpl_answer_hit *hit)
{
    const bool theirs = hit && hit->hit.person_id == c->person_id;
    const char *path = theirs ? common_from_here(hit->photo_path) : "";

    if (c->n_compared == 1)
        return text_format("%s", theirs ? path : "their one photo");
    return text_format("%s of %zu photos%s%s", c->by_mean ? "mean" : "best", c->n_compared,
                       theirs ? "; most like " : "", path);
}

char *query_photo(const dpl_answer_hit *hit)
{
    const char *path = common_from_here(hit->photo_path);
    char *copied = hit->is_copy ? text_need(query_copied(hit)) : NULL;
    char *words = copied ? text_format("%s (%s)", path, copied) : text_format("%s", path);

    free(copied);
    return words;
}

const dpl_candidate *query_leading(const query_facts *f, const dpl_answer *answer)
{
    return query_n_candidates(answer, f->min_fmr) > 0 ? answer->candidates : NULL;
}

char *query_two_people(const dpl_answer *answer)
{
    const dpl_candidate *c = answer->candidates;
    const size_t n = query_n_matches(answer);

    if (n < 2)
        return NULL;
    return text_format(
        "face %d: %s people match, %s and %s%s: a photo of one may be enrolled as the "
        "other, or they look very alike",
        (int)answer->face + 1, n == 2 ? "two" : "several", c[0].person, c[1].person,
        n > 2 ? " and more" : "");
}

char *query_headline(const query_facts *facts)
{
    char count[64], *line = NULL;
    size_t n_known = 0, size;
    FILE *f;

    if (facts->n == 1 && facts->answers[0].face < 0)
        return text_format("%s", facts->answers[0].decision == DPL_DECISION_MATCH
                                     ? "the whole picture, which is a copy"
                                     : "the whole picture");
    f = text_need(open_memstream(&line, &size));
    fprintf(f, "%s", text_counted(count, (int64_t)facts->n, "face"));
    for (size_t i = 0; i < facts->n; i++)
        n_known += query_is_found(&facts->answers[i]) != 0;
    fprintf(f, n_known ? ", %zu known: " : ", nobody known", n_known);
    for (size_t i = 0, told = 0; i < facts->n; i++)
        if (query_is_found(&facts->answers[i]))
            fprintf(f, "%s%s", told++ ? ", " : "", query_who(&facts->answers[i]));
    if (fclose(f) != 0)
        text_need(NULL);
    return line;
}
