/*
 * cmd_verify.c - `doppel verify`: two photos, or a photo and a claimed name, to yes or no.
 *
 * Exit code 0 means that a match was decided; it leaves this file through one return, the last.
 */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_query.h"
#include "app/answer_verify.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/doubt.h"
#include "app/html.h"
#include "app/json_print.h"
#include "app/plot.h"
#include "app/verify_text.h"

typedef struct verify_options {
    common common;
    const char *as;
    double fmr, threshold;
    int face_a, face_b; /* from 1; 0: not given */
    bool text;
} verify_options;

#define AT(member) offsetof(verify_options, member)

static const option_spec own[] = {
    {.name = "as",
     .kind = OPTION_TEXT,
     .offset = AT(as),
     .value = "NAME",
     .once = true,
     .help = "compare the one photo with what the gallery holds of this person"},
    {.name = "fmr",
     .kind = OPTION_REAL,
     .offset = AT(fmr),
     .value = "RATE",
     .instead = "threshold",
     .help = "decide so that strangers pass at most this often (default 1e-4)",
     .low = 0,
     .high = 1},
    {.name = "threshold",
     .kind = OPTION_REAL,
     .offset = AT(threshold),
     .value = "SCORE",
     .instead = "fmr",
     .help = "decide by this score instead of a rate",
     .low = -1e6,
     .high = 1e6},
    {.name = "face",
     .kind = OPTION_INT,
     .offset = AT(face_a),
     .value = "N",
     .once = true,
     .help = "which face of the first photo, counted from 1, strongest first (default the main "
             "one: large, near the middle)",
     .low = 1,
     .high = 1000},
    {.name = "face-a",
     .kind = OPTION_INT,
     .offset = AT(face_a),
     .value = "N",
     .once = true,
     .help = "the same as --face",
     .low = 1,
     .high = 1000},
    {.name = "face-b",
     .kind = OPTION_INT,
     .offset = AT(face_b),
     .value = "N",
     .once = true,
     .help = "which face of the second photo",
     .low = 1,
     .high = 1000},
    {.name = "text",
     .kind = OPTION_FLAG,
     .offset = AT(text),
     .once = true,
     .help = "A and B are sentences, not photos: do they say the same? (--text-model)"},
    {0}};

const option_spec *const options_of_verify[] = {
    own,           options_text,    options_sides,  options_html,
    options_audit, options_gallery, options_models, options_output,
    NULL};

/* All that the answer is made of. */
typedef struct comparison {
    const command *self;
    const verify_options *o;
    const char *path_a, *path_b; /* "-": on standard input; path_b of two photos only */
    const char *name_a, *name_b; /* as people read them; name_b: the claimed person when o->as */
    dpl_pipeline *pipeline;
    dpl_gallery *gallery;             /* with o->as */
    dpl_scratch *scratch, *scratch_b; /* one a photo */
    dpl_policy policy;
    dpl_photo a, b;
    dpl_verdict verdict;
    doubt_list doubts;      /* of the claimed person's references */
    char *person;           /* the claimed person's name as the gallery has it */
    char *rival;            /* somebody else whom the face matches, too; NULL: nobody */
    char *enrolled_as_same; /* path of a photo of the claimed person with the same content */
    char *template_photo;   /* path of the person's photo that is most like; NULL: none is */
    uint8_t *thumb;
    size_t n_thumb;
} comparison;

/* ------------------------------------------------------------------ comparing */

static dpl_status keep_template(void *ctx, const dpl_template_row *row)
{
    comparison *c = ctx;

    c->template_photo = text_format("%s", row->photo_path);
    if (row->person)
        c->person = text_format("%s", row->person);
    if (row->n_thumb > 0) {
        c->thumb = text_need(malloc(row->n_thumb));
        memcpy(c->thumb, row->thumb, row->n_thumb);
        c->n_thumb = row->n_thumb;
    }
    return DPL_OK;
}

static dpl_status keep_same(void *ctx, const dpl_photo_row *row)
{
    comparison *c = ctx;
    const char *person = c->person ? c->person : c->o->as;

    if (row->person && strcmp(row->person, person) == 0 && !c->enrolled_as_same)
        c->enrolled_as_same = text_format("%s", row->path);
    return DPL_OK;
}

/* Whether the gallery knows somebody else whom the face matches, when it matches whom it should. */
static dpl_status look_for_rival(comparison *c, dpl_error *err)
{
    dpl_answer *answers;
    size_t n;
    dpl_status status = dpl_query(&answers, &n, c->gallery, c->pipeline, &c->policy, &c->a,
                                  DPL_QUERY_FACE, NULL, err);

    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        const dpl_answer *answer = &answers[i];
        const size_t n_matches =
            (size_t)answer->face == c->verdict.face_a ? query_n_matches(answer) : 0;

        for (size_t k = 0; k < n_matches && !c->rival; k++)
            if (strcmp(answer->candidates[k].person, c->person ? c->person : c->o->as) != 0)
                c->rival = text_format("%s", answer->candidates[k].person);
    }
    dpl_answers_free(answers, n);
    return DPL_OK;
}

static dpl_status open_photo(dpl_photo *out, const comparison *c, const char *path,
                             dpl_scratch *scratch, dpl_error *err)
{
    return common_is_input(path) ? common_open_input(out, &c->o->common, c->pipeline, scratch, err)
                                 : dpl_photo_open(out, c->pipeline, scratch, path, err);
}

/* The second photo, opened by a thread of its own. */
typedef struct opening {
    comparison *c;
    dpl_status status;
    dpl_error error;
} opening;

static void *open_second(void *ctx)
{
    opening *o = ctx;

    o->status = open_photo(&o->c->b, o->c, o->c->path_b, o->c->scratch_b, &o->error);
    return NULL;
}

/* Both photos at the same time. What is wrong with the first is told before what is with the
 * second. */
static dpl_status open_both(comparison *c, dpl_error *err)
{
    opening second = {.c = c};
    pthread_t thread;
    dpl_status status = dpl_scratch_new(&c->scratch_b, 0, err);

    if (status != DPL_OK)
        return status;
    if (pthread_create(&thread, NULL, open_second, &second) != 0) {
        status = open_photo(&c->a, c, c->path_a, c->scratch, err);
        return status == DPL_OK ? open_photo(&c->b, c, c->path_b, c->scratch_b, err) : status;
    }
    status = open_photo(&c->a, c, c->path_a, c->scratch, err);
    pthread_join(thread, NULL);
    if (status == DPL_OK && second.status != DPL_OK) {
        *err = second.error;
        status = second.status;
    }
    return status;
}

static dpl_status compare(comparison *c, dpl_error *err)
{
    const verify_options *o = c->o;
    dpl_verify_options which = DPL_VERIFY_OPTIONS_INIT;
    int n_same;
    dpl_status status = dpl_policy_make(&c->policy, dpl_pipeline_calibration(c->pipeline), o->fmr,
                                        o->threshold, err);

    if (status == DPL_OK)
        status = dpl_scratch_new(&c->scratch, 0, err);
    if (status == DPL_OK && !o->as) {
        status = open_both(c, err);
    } else if (status == DPL_OK) {
        status = dpl_scratch_set_threads(c->scratch, 0, err);
        if (status == DPL_OK)
            status = open_photo(&c->a, c, c->path_a, c->scratch, err);
    }
    if (status != DPL_OK)
        return status;
    which.face_a = o->face_a - 1;
    which.face_b = o->face_b - 1;
    if (!o->as)
        return dpl_verify(&c->verdict, c->pipeline, &c->policy, &c->a, &c->b, &which, err);
    status = dpl_verify_claim(&c->verdict, c->gallery, c->pipeline, &c->policy, &c->a, o->as,
                              &which, err);
    if (status == DPL_OK && c->verdict.template_id > 0)
        status =
            dpl_gallery_get_template(c->gallery, c->verdict.template_id, keep_template, c, err);
    if (status == DPL_OK)
        status = dpl_gallery_find_photo(c->gallery, NULL, c->a.sha256, keep_same, c, &n_same, err);
    if (status == DPL_OK)
        status = dpl_gallery_doubts(c->gallery, c->pipeline, o->as, doubt_gather, &c->doubts, err);
    if (status == DPL_OK && c->verdict.decision == DPL_DECISION_MATCH)
        status = look_for_rival(c, err);
    return status;
}

/* ------------------------------------------------------------------ telling */

/* "a.jpg and b.jpg show the same person". */
static char *statement(const comparison *c)
{
    const bool people = dpl_pipeline_detector(c->pipeline) != NULL;
    const char *what = people ? "person" : "thing";

    switch (c->verdict.decision) {
    case DPL_DECISION_MATCH:
        return c->o->as ? text_format("%s shows %s", c->name_a, c->name_b)
                        : text_format("%s and %s show the same %s", c->name_a, c->name_b, what);
    case DPL_DECISION_NO_MATCH:
        return c->o->as
                   ? text_format("%s does not show %s, as far as the score tells", c->name_a,
                                 c->name_b)
                   : text_format("%s and %s do not show the same %s, as far as the score tells",
                                 c->name_a, c->name_b, what);
    case DPL_DECISION_INCONCLUSIVE:
        return c->o->as ? text_format("whether %s shows %s cannot be told at this rate", c->name_a,
                                      c->name_b)
                        : text_format("whether %s and %s show the same %s cannot be told at this "
                                      "rate",
                                      c->name_a, c->name_b, what);
    case DPL_DECISION_TOO_POOR:
    case DPL_DECISION_NONE: break;
    }
    return text_format("%s and %s were compared; without a calibration in the model, --threshold "
                       "must say from which score on it is a match",
                       c->name_a, c->name_b);
}

/* A rate judges evidence, which without a cohort is the score. */
static bool by_evidence(const comparison *c)
{
    const dpl_policy *p = &c->policy;

    return !isnan(p->fmr) && p->calibration && dpl_calibration_has_cohort(p->calibration);
}

/* "score 0.776; a match from 0.573 on, which strangers reach at most once in 10,000 pairs; so high
 * as this they come less than once in 660,000 pairs". */
static char *numbers(const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    const dpl_policy *p = &c->policy;
    const char *of = by_evidence(c) ? "evidence " : "";
    const int digits = by_evidence(c) ? 2 : 3;
    char rate[64], wanted[64], evidence[64] = "", *bar, *line;

    if (!p->decides)
        bar = text_format("%s", "");
    else if (isnan(v->threshold))
        bar = text_format("; no score is enough for a match of faces so poor");
    else if (isnan(p->fmr))
        bar = text_format("; a match from %.3f on, the threshold given", (double)v->threshold);
    else if (v->decision == DPL_DECISION_INCONCLUSIVE && v->reject < v->threshold)
        bar = text_format(
            "; a match from %s%.*f on, which strangers reach at most %s, and none up to %.*f: "
            "between, the measurement does not tell",
            of, digits, (double)v->threshold, text_fmr(wanted, p->fmr), digits, (double)v->reject);
    else
        bar = text_format("; a match from %s%.*f on, which strangers reach at most %s", of, digits,
                          (double)v->threshold, text_fmr(wanted, p->fmr));
    if (by_evidence(c))
        snprintf(evidence, sizeof evidence, ", evidence %.2f", (double)v->evidence);
    text_rate(rate, v->rate);
    line = text_format("score %.3f%s%s%s%s%s", (double)v->score, evidence, bar,
                       rate[0] ? "; a stranger scores this high " : "", rate,
                       rate[0] && v->fitness == DPL_FITNESS_POOR ? ", by what poor faces do" : "");
    free(bar);
    return line;
}

/* "the same person scores this low or lower in 62 % of pairs"; NULL where nobody measured it. */
static char *same_person(const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    const dpl_calibration *calibration = c->policy.calibration;
    char often[64];
    double fnmr;

    if (!calibration || !dpl_calibration_genuine_pairs(calibration))
        return NULL;
    fnmr = dpl_calibration_fnmr(calibration, v->evidence);
    if (!isfinite(fnmr))
        return NULL;
    /* Past its ends the table has but its last rates. */
    const bool low = fnmr <= dpl_calibration_fnmr(calibration, -FLT_MAX);
    const bool high = fnmr >= dpl_calibration_fnmr(calibration, FLT_MAX);
    return text_format("the same person scores this low or lower %s%s%s", text_fmr(often, fnmr),
                       fnmr > 0.995 || fnmr <= 0 ? ""
                       : high                    ? ", or more often"
                       : low                     ? ", or more seldom"
                                                 : "",
                       v->fitness == DPL_FITNESS_POOR ? ", by what good photos do" : "");
}

/* "a.jpg has 3 faces: face 2, the main one, was compared", or NULL for the usual single face. */
static char *choice(const dpl_photo *photo, const char *name, size_t face, bool wanted,
                    const char *option)
{
    if (photo->n_faces < 2)
        return NULL;
    return text_format("%s has %zu faces: face %zu%s was compared (--%s N chooses)", name,
                       photo->n_faces, face + 1, wanted ? "" : ", the main one,", option);
}

/* What makes a face poor by the calibration's range, or without one by its quality alone: NULL when
 * it is not. Freed by free(). */
static char *weakness(const dpl_calibration *calibration, const dpl_face *face)
{
    const dpl_quality *q = &face->quality;
    dpl_range range;

    if (!q->weakest[0])
        return NULL;
    if (!calibration || !dpl_calibration_range(&range, calibration))
        range = (dpl_range){POOR_QUALITY, 180, 0};
    if (!(q->overall >= range.quality))
        return text_format("%s, quality %.2f", q->weakest, (double)q->overall);
    if (!(fabsf(q->yaw_deg) <= range.yaw_deg))
        return text_format("turned sideways by %.0f degrees", fabs((double)q->yaw_deg));
    return NULL;
}

static char *poor(const comparison *c, const dpl_photo *photo, const char *name, size_t face)
{
    const dpl_policy *p = &c->policy;
    char *why = weakness(p->calibration, &photo->faces[face]), *said;
    const bool by_rate =
        dpl_calibration_fitness(p->calibration, &photo->faces[face]) == DPL_FITNESS_POOR &&
        !isnan(p->fmr);

    if (!why)
        return NULL;
    said = text_format("%s: the face is poor (%s), %s", name, why,
                       !by_rate                   ? "so the score is less sure"
                       : isnan(p->poor_threshold) ? "and for such faces no match is claimed at "
                                                    "this rate"
                                                  : "and such faces need more for a match");
    free(why);
    return said;
}

/* The remarks on one photo, at most three, each NULL or freed by free(). */
static void remarks(char *out[3], const comparison *c, const dpl_photo *photo, const char *name,
                    size_t face, bool wanted, const char *option)
{
    out[0] = choice(photo, name, face, wanted, option);
    out[1] = poor(c, photo, name, face);
    out[2] = photo->image.warning[0] ? text_format("%s: %s", name, photo->image.warning) : NULL;
}

static bool is_same_file(const comparison *c)
{
    return c->o->as ? c->enrolled_as_same != NULL
                    : c->a.sha256[0] && strcmp(c->a.sha256, c->b.sha256) == 0;
}

/* The one file given twice, or the photo of a claim among the person's own: told, as its score says
 * nothing of the person. */
static char *same_file(const comparison *c)
{
    if (!is_same_file(c))
        return NULL;
    return c->o->as
               ? text_format("%s is itself one of the photos of %s in the gallery, byte for byte "
                             "(%s): that says nothing of who is in it",
                             c->name_a, c->name_b, c->enrolled_as_same)
               : text_format("both are the same file, byte for byte: that says nothing of who is "
                             "in it");
}

enum { N_REMARKS = 9 };

static void gather_remarks(char *out[N_REMARKS], const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    const char *theirs = c->template_photo ? common_from_here(c->template_photo) : "none";
    char count[64];

    for (int i = 0; i < N_REMARKS; i++)
        out[i] = NULL;
    out[0] = same_file(c);
    remarks(out + 1, c, &c->a, c->name_a, v->face_a, c->o->face_a != 0,
            c->o->as ? "face" : "face-a");
    if (!c->o->as)
        remarks(out + 4, c, &c->b, c->name_b, v->face_b, c->o->face_b != 0, "face-b");
    else if (v->by_mean)
        out[7] =
            text_format("compared with the mean of %zu of %s; most like, by itself: %s, score "
                        "%.3f",
                        v->n_compared, text_counted(count, (int64_t)v->n_templates, "template"),
                        theirs, (double)v->best_score);
    else if (v->n_templates > 1)
        out[7] = text_format("the best of %zu of %s decides: %s", v->n_compared,
                             text_counted(count, (int64_t)v->n_templates, "template"), theirs);
    else if (c->template_photo)
        out[7] = text_format("compared with %s", theirs);
    if (c->rival)
        out[8] =
            text_format("%s matches, too: a photo of one may be enrolled as the other, or they "
                        "look very alike",
                        c->rival);
}

/* The verdict; the score, the bar and its rate; how the same person scores; then what else there is
 * to say. */
static void tell_text(const comparison *c)
{
    char *said = statement(c), *notes[N_REMARKS];

    gather_remarks(notes, c);
    text_put_decision(stdout, (color_when)c->o->common.color, c->verdict.decision);
    fputs(": ", stdout);
    text_put(stdout, said);
    putchar('\n');
    text_put_note(stdout, numbers(c));
    text_put_note(stdout, same_person(c));
    for (int i = 0; i < N_REMARKS; i++)
        text_put_note(stdout, notes[i]);
    for (size_t i = 0; i < c->doubts.n; i++)
        text_put_note(stdout, text_format("note: %s", c->doubts.lines[i]));
    free(said);
}

static void tell_json(const comparison *c)
{
    const verify_facts facts = {
        .pipeline = c->pipeline,
        .policy = &c->policy,
        .verdict = &c->verdict,
        .name_a = c->path_a,
        .name_b = c->o->as ? c->name_b : c->path_b,
        .a = &c->a,
        .b = c->o->as ? NULL : &c->b,
        .template_photo = c->template_photo,
        .same_file = is_same_file(c),
        .doubts = c->doubts.json,
        .rival = c->rival,
    };

    json_print(verify_json(&facts));
}

static void page_photo(const html *page, const dpl_photo *photo, const char *name, size_t face,
                       dpl_decision decision)
{
    html_box *boxes = text_need(calloc(photo->n_faces + 1, sizeof *boxes));

    for (size_t i = 0; i < photo->n_faces; i++)
        boxes[i] =
            (html_box){&photo->faces[i], (int32_t)i + 1, i == face ? decision : DPL_DECISION_NONE,
                       i == face ? "the face that was compared" : "another face", NULL};
    html_photo(page, photo, name, boxes, photo->n_faces);
    html_quality(page, &photo->faces[face]);
    free(boxes);
}

static void page_face(const html *page, const comparison *c, const dpl_photo *photo,
                      const char *name, size_t face)
{
    fputs("<figure>", page->f);
    html_portrait(page, dpl_pipeline_encoder(c->pipeline), photo, face, name);
    fputs("<figcaption>", page->f);
    html_path(page, name);
    if (photo->n_faces > 1)
        fprintf(page->f, ", face %zu", face + 1);
    fputs("</figcaption></figure>\n", page->f);
}

/* "Match" "the same person", and how often that is wrong. */
static void page_headline(const html *page, const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    const bool people = dpl_pipeline_detector(c->pipeline) != NULL;
    const char *what = people ? "person" : "thing";
    char rate[64], *rest;

    switch (v->decision) {
    case DPL_DECISION_MATCH:
        rest = c->o->as ? text_format("this is %s", c->name_b) : text_format("the same %s", what);
        html_headline(page, "h1", v->decision, "Match:", rest);
        break;
    case DPL_DECISION_NO_MATCH:
        rest = c->o->as ? text_format("not %s, as far as the score tells", c->name_b)
                        : text_format("not the same %s, as far as the score tells", what);
        html_headline(page, "h1", v->decision, "No match:", rest);
        break;
    case DPL_DECISION_INCONCLUSIVE:
        rest = c->o->as
                   ? text_format("whether this is %s cannot be told at this rate", c->name_b)
                   : text_format("whether it is the same %s cannot be told at this rate", what);
        html_headline(page, "h1", v->decision, "Inconclusive:", rest);
        break;
    case DPL_DECISION_TOO_POOR:
    case DPL_DECISION_NONE:
    default:
        rest = text_format("without a calibration a --threshold decides");
        html_headline(page, "h1", v->decision, "No decision:", rest);
        break;
    }
    free(rest);
    if (text_rate(rate, v->rate)[0]) {
        char *line = text_format("A stranger scores this high %s.", rate);
        html_paragraph(page, "lead", line);
        free(line);
    }
}

static void page_how(const html *page, const comparison *c)
{
    const dpl_policy *p = &c->policy;
    char wanted[64];

    html_made(page, &c->o->common, c->pipeline);
    if (p->decides && !isnan(c->verdict.threshold))
        html_row(page, "threshold", "%s%.4f%s%s", by_evidence(c) ? "evidence " : "",
                 (double)c->verdict.threshold,
                 isnan(p->fmr) ? ", as given" : ", for strangers to pass ",
                 isnan(p->fmr) ? "" : text_fmr(wanted, p->fmr));
    html_row(page, c->o->as ? "the photo" : "first photo", "sha256 %s", c->a.sha256);
    if (!c->o->as)
        html_row(page, "second photo", "sha256 %s", c->b.sha256);
    html_made_end(page);
}

/* What text says as a line of its own, as a sentence. */
static void page_sentence(const html *page, const char *line)
{
    char *sentence = line ? text_format("%c%s.", toupper((unsigned char)line[0]), line + 1) : NULL;

    if (sentence)
        html_paragraph(page, "", sentence);
    free(sentence);
}

static void tell_page(const html *page, const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    const plot_place place = {
        .calibration = c->policy.calibration,
        .head = dpl_pipeline_head(c->pipeline),
        .at = v->evidence,
        .threshold = isnan(c->policy.fmr) && c->policy.calibration &&
                             dpl_calibration_has_cohort(c->policy.calibration)
                         ? NAN /* of the score, where the plot is of evidence */
                         : v->threshold,
        .reject = v->reject,
    };
    char *why = numbers(c), *same = same_person(c), *notes[N_REMARKS];

    gather_remarks(notes, c);
    page_headline(page, c);
    fputs("<section class=\"card\"><div class=\"pair\"><div class=\"chips large\">\n", page->f);
    page_face(page, c, &c->a, c->name_a, v->face_a);
    if (!c->o->as) {
        page_face(page, c, &c->b, c->name_b, v->face_b);
    } else {
        fputs("<figure>", page->f);
        html_jpeg(page, c->thumb, c->n_thumb, c->o->as);
        fputs("<figcaption>", page->f);
        html_text(page, c->o->as);
        if (c->template_photo) {
            fputs(", ", page->f);
            html_path(page, c->template_photo);
        }
        fputs("</figcaption></figure>\n", page->f);
    }
    fputs("</div><div class=\"say\">", page->f);
    page_sentence(page, why);
    page_sentence(page, same);
    for (int i = 0; i < N_REMARKS; i++) {
        if (notes[i])
            html_paragraph(page, "soft", notes[i]);
        free(notes[i]);
    }
    for (size_t i = 0; i < c->doubts.n; i++)
        html_paragraph(page, "warnline", c->doubts.lines[i]);
    plot_scores(page, &place);
    fputs("</div></div>\n", page->f);
    fprintf(page->f, "</section>\n<section class=\"card%s\">\n", c->o->as ? "" : " cols even");
    fputs("<div>", page->f);
    page_photo(page, &c->a, c->name_a, v->face_a, v->decision);
    fputs("</div>", page->f);
    if (!c->o->as) {
        fputs("<div>", page->f);
        page_photo(page, &c->b, c->name_b, v->face_b, v->decision);
        fputs("</div>", page->f);
    }
    fputs("</section>\n", page->f);
    page_how(page, c);
    free(same);
    free(why);
}

/* ------------------------------------------------------------------ the command */

static int check_arguments(const command *self, const verify_options *o, int n, char **photos)
{
    if (o->text && (o->as || o->face_a || o->face_b))
        return options_usage(self, "--as and --face are of photos, not of --text");
    if (o->text && n != 2)
        return options_usage(self, "with --text it takes two sentences, not %d", n);
    if (!o->text && (o->common.text_model || o->common.merges || o->common.second_text_model))
        return options_usage(self, "--text-model and --merges are of --text");
    if (o->common.audit && !o->as)
        return options_usage(self, "--audit is of --as: only a gallery has an audit");
    if (o->as && n != 1)
        return options_usage(self, "with --as it takes one photo, not %d", n);
    if (!o->as && n != 2)
        return options_usage(self, "it takes two photos, or one and --as NAME");
    if (!o->as && !o->text && common_is_input(photos[0]) && common_is_input(photos[1]))
        return options_usage(self, "- is one photo, on standard input: the other is a file");
    if (o->as && o->face_b)
        return options_usage(self, "--face-b is of a second photo, and --as takes one");
    if (!isnan(o->fmr) && !isnan(o->threshold))
        return options_usage(self, "--fmr and --threshold exclude each other");
    return 0;
}

/* Compare and tell: 0 when that was done, whatever the verdict. */
static int run(comparison *c)
{
    const common *o = &c->o->common;
    dpl_error err;
    html page;
    int code = c->o->as ? common_open_gallery(&c->gallery, c->self, o, DPL_GALLERY_READ) : 0;
    bool known = true;

    if (!code && c->o->as)
        code = common_has_person(&known, c->self, o, c->gallery, c->o->as);
    if (!code && !known)
        code = common_no_person(c->self, o, c->gallery, c->o->as);
    if (!code)
        code = common_open_pipeline(&c->pipeline, c->self, o, c->gallery, 0);
    if (!code)
        code = html_open(&page, c->self, o, "The same person?");
    if (code)
        return code;
    if (compare(c, &err) != DPL_OK) {
        html_abandon(&page);
        return common_fail(c->self, o, &err);
    }
    if (page.f)
        tell_page(&page, c);
    if (o->json)
        tell_json(c);
    else
        tell_text(c);
    return html_close(&page, c->self, o);
}

int cmd_verify(const command *self, int argc, char **argv)
{
    verify_options o = {.common = COMMON_INIT, .fmr = NAN, .threshold = NAN};
    comparison c = {
        .self = self, .o = &o, .a = {.image = DPL_IMAGE_INIT}, .b = {.image = DPL_IMAGE_INIT}};
    char *typed = common_typed(argc, argv);
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code)
        code = check_arguments(self, &o, n, argv + 1);
    if (code) {
        free(typed);
        return code;
    }
    o.common.typed = typed;
    o.common.faces_only = true;
    o.common.inputs = (const char *const *)(argv + 1);
    o.common.n_inputs = o.text ? 0 : (size_t)n;
    o.common.n_asked = (size_t)n;
    c.path_a = argv[1];
    c.path_b = o.as ? NULL : argv[2];
    c.name_a = common_is_input(c.path_a) ? INPUT_NAME : c.path_a;
    c.name_b = o.as ? o.as : common_is_input(c.path_b) ? INPUT_NAME : c.path_b;
    code = o.text ? verify_text(&c.verdict.decision, self, &o.common, o.fmr, o.threshold,
                                o.common.inputs)
                  : run(&c);
    free(typed);
    dpl_photo_clear(&c.a);
    dpl_photo_clear(&c.b);
    dpl_scratch_free(c.scratch);
    dpl_scratch_free(c.scratch_b);
    dpl_pipeline_close(c.pipeline);
    dpl_gallery_close(c.gallery);
    doubt_list_clear(&c.doubts);
    free(c.person);
    free(c.rival);
    free(c.enrolled_as_same);
    free(c.template_photo);
    free(c.thumb);
    if (code)
        return code;
    return c.verdict.decision == DPL_DECISION_MATCH          ? 0
           : c.verdict.decision == DPL_DECISION_INCONCLUSIVE ? INCONCLUSIVE_EXIT
                                                             : 1;
}
