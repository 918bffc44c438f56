/*
 * query_lines.c - the answer of `query` as lines for programs.
 *
 * Two of the words in the place of a name are those of face_recognition, whose users have scripts
 * that know them.
 */
#include "app/query_lines.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/text.h"

static const char unknown[] = "unknown_person", none[] = "no_persons_found",
                  open_answer[] = "inconclusive", too_poor[] = "too_poor",
                  not_judged[] = "not_judged", no_copy[] = "no_copy", copy[] = "copy_of_nobody";

static const char *word_of(const query_facts *f, const dpl_answer *answer)
{
    if (answer->face < 0 && answer->decision == DPL_DECISION_MATCH)
        return copy;
    if (answer->face < 0 && f->photo->n_faces == 0)
        return none;
    if (answer->face < 0 && answer->decision == DPL_DECISION_NO_MATCH)
        return no_copy;
    switch (answer->decision) {
    case DPL_DECISION_MATCH:
    case DPL_DECISION_NO_MATCH: break;
    case DPL_DECISION_INCONCLUSIVE: return open_answer;
    case DPL_DECISION_TOO_POOR: return too_poor;
    case DPL_DECISION_NONE: return not_judged;
    }
    return unknown;
}

/* A name that is one of the words has its first byte written as one that was unsafe. */
static void put_name(const char *name)
{
    const char *const words[] = {unknown, none, open_answer, too_poor, not_judged, no_copy, copy};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(name, words[i]) == 0) {
            printf("\\x%02x%s", (unsigned char)name[0], name + 1);
            return;
        }
    text_put_field(stdout, name);
}

static void put_path(const char *path, bool nul)
{
    if (nul)
        fputs(path, stdout);
    else
        text_put_field(stdout, path);
}

static void end_line(bool nul)
{
    putchar(nul ? '\0' : '\n');
}

/* A score to four digits after the point; a rate, however small, to three digits. */
static void put_numbers(double score, double rate)
{
    if (isfinite(score))
        printf("\t%.4f", score);
    else
        fputs("\t-", stdout);
    if (isfinite(rate))
        printf("\t%.3g", rate);
    else
        fputs("\t-", stdout);
}

static void put_answer(const query_facts *f, const dpl_answer *answer, bool nul)
{
    const bool has_candidate = query_n_candidates(answer, f->min_fmr) > 0;
    const bool has_hit = query_n_kept(answer, f->min_fmr) > 0;
    double score = NAN, rate = NAN;

    if (answer->decision == DPL_DECISION_TOO_POOR) {
        ; /* nothing is claimed of it */
    } else if (has_candidate) {
        score = (double)answer->candidates[0].comparison.score;
        rate = answer->candidates[0].comparison.rate.rate;
    } else if (has_hit) {
        score = (double)answer->hits[0].hit.score;
        rate = answer->hits[0].rate.rate;
    }
    put_path(f->name, nul);
    printf("\t%d\t", (int)answer->face + 1);
    if (answer->decision == DPL_DECISION_MATCH && answer->person)
        put_name(answer->person);
    else
        fputs(word_of(f, answer), stdout);
    put_numbers(score, rate);
    end_line(nul);
}

void query_lines(const query_facts *facts, bool nul)
{
    for (size_t i = 0; i < facts->n; i++)
        put_answer(facts, &facts->answers[i], nul);
    fflush(stdout);
}

void query_line_of_none(const char *path, bool nul)
{
    put_path(path, nul);
    printf("\t-\t%s\t-\t-", none);
    end_line(nul);
    fflush(stdout);
}

void query_line_of_path(const char *path, bool nul)
{
    put_path(path, nul);
    end_line(nul);
}
