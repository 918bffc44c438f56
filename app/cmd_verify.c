/*
 * cmd_verify.c - `doppel verify`: two photos, or a photo and a claimed name, to yes or no.
 *
 * Exit code 0 means that a match was decided; it leaves this file through one return, the last.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_verify.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/html.h"
#include "app/json_print.h"

typedef struct verify_options {
    common common;
    const char *as;
    double fmr, threshold;
    int face_a, face_b; /* from 1; 0: not given */
} verify_options;

#define AT(member) offsetof(verify_options, member)

static const option_spec own[] = {
    {.name = "as",
     .kind = OPTION_TEXT,
     .offset = AT(as),
     .value = "NAME",
     .help = "compare the one photo with what the gallery holds of this person"},
    {.name = "fmr",
     .kind = OPTION_REAL,
     .offset = AT(fmr),
     .value = "RATE",
     .help = "decide so that strangers pass at most this often (default 1e-4)",
     .low = 0,
     .high = 1},
    {.name = "threshold",
     .kind = OPTION_REAL,
     .offset = AT(threshold),
     .value = "SCORE",
     .help = "decide by this score instead of a rate",
     .low = -1e6,
     .high = 1e6},
    {.name = "face",
     .kind = OPTION_INT,
     .offset = AT(face_a),
     .value = "N",
     .help = "which face of the first photo, counted from 1, strongest first (default the main "
             "one: large, near the middle)",
     .low = 1,
     .high = 1000},
    {.name = "face-a",
     .kind = OPTION_INT,
     .offset = AT(face_a),
     .value = "N",
     .help = "the same as --face",
     .low = 1,
     .high = 1000},
    {.name = "face-b",
     .kind = OPTION_INT,
     .offset = AT(face_b),
     .value = "N",
     .help = "which face of the second photo",
     .low = 1,
     .high = 1000},
    {0}};

const option_spec *const options_of_verify[] = {
    own, options_html, options_gallery, options_models, options_output, NULL};

/* All that the answer is made of. */
typedef struct comparison {
    const command *self;
    const verify_options *o;
    const char *name_a, *name_b; /* name_b: the claimed person when o->as */
    dpl_pipeline *pipeline;
    dpl_gallery *gallery; /* with o->as */
    dpl_scratch *scratch;
    dpl_policy policy;
    dpl_photo a, b;
    dpl_verdict verdict;
    char *template_photo; /* path of the person's photo that is most like; NULL: none is */
    uint8_t *thumb;
    size_t n_thumb;
} comparison;

/* ------------------------------------------------------------------ comparing */

static dpl_status keep_template(void *ctx, const dpl_template_row *row)
{
    comparison *c = ctx;

    c->template_photo = text_format("%s", row->photo_path);
    if (row->n_thumb > 0) {
        c->thumb = text_need(malloc(row->n_thumb));
        memcpy(c->thumb, row->thumb, row->n_thumb);
        c->n_thumb = row->n_thumb;
    }
    return DPL_OK;
}

static dpl_status compare(comparison *c, dpl_error *err)
{
    const verify_options *o = c->o;
    dpl_verify_options which = DPL_VERIFY_OPTIONS_INIT;
    dpl_status status = dpl_policy_make(&c->policy, dpl_pipeline_calibration(c->pipeline), o->fmr,
                                        o->threshold, err);

    if (status == DPL_OK)
        status = dpl_scratch_new(&c->scratch, 0, err);
    if (status == DPL_OK)
        status = dpl_photo_open(&c->a, c->pipeline, c->scratch, c->name_a, err);
    if (status != DPL_OK)
        return status;
    which.face_a = o->face_a - 1;
    which.face_b = o->face_b - 1;
    if (!o->as) {
        status = dpl_photo_open(&c->b, c->pipeline, c->scratch, c->name_b, err);
        return status != DPL_OK
                   ? status
                   : dpl_verify(&c->verdict, c->pipeline, &c->policy, &c->a, &c->b, &which, err);
    }
    status = dpl_verify_claim(&c->verdict, c->gallery, c->pipeline, &c->policy, &c->a, o->as,
                              &which, err);
    if (status == DPL_OK && c->verdict.template_id > 0)
        status =
            dpl_gallery_get_template(c->gallery, c->verdict.template_id, keep_template, c, err);
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

/* "score 0.71, threshold 0.42; a stranger scores this high once in 120,000 pairs". */
static char *numbers(const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    const dpl_policy *p = &c->policy;
    /* A rate judges evidence, which without a cohort is the score. */
    const bool by_evidence =
        !isnan(p->fmr) && p->calibration && dpl_calibration_has_cohort(p->calibration);
    char rate[64], evidence[64] = "", *limits, *line;

    if (!p->decides)
        limits = text_format("%s", "");
    else if (isnan(v->threshold))
        limits = text_format("%s", ", no score is enough for a match");
    else if (v->reject < v->threshold)
        limits = text_format(", match from %.3f, no match to %.3f", (double)v->threshold,
                             (double)v->reject);
    else
        limits = text_format(", threshold %.3f", (double)v->threshold);
    if (by_evidence)
        snprintf(evidence, sizeof evidence, ", evidence %.2f", (double)v->evidence);
    text_rate(rate, v->rate);
    line = text_format("score %.3f%s%s%s%s", (double)v->score, evidence, limits,
                       rate[0] ? "; a stranger scores this high " : "", rate);
    free(limits);
    return line;
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

static char *poor(const dpl_photo *photo, const char *name, size_t face)
{
    const dpl_quality *q = &photo->faces[face].quality;

    if (q->overall >= POOR_QUALITY || !q->weakest[0])
        return NULL;
    return text_format("%s: the face is poor (%s, quality %.2f), so the score is less sure", name,
                       q->weakest, (double)q->overall);
}

/* The remarks on one photo, at most three, each NULL or freed by free(). */
static void remarks(char *out[3], const dpl_photo *photo, const char *name, size_t face,
                    bool wanted, const char *option)
{
    out[0] = choice(photo, name, face, wanted, option);
    out[1] = poor(photo, name, face);
    out[2] = photo->image.warning[0] ? text_format("%s: %s", name, photo->image.warning) : NULL;
}

static void gather_remarks(char *out[7], const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    char count[64];

    for (int i = 0; i < 7; i++)
        out[i] = NULL;
    remarks(out, &c->a, c->name_a, v->face_a, c->o->face_a != 0, c->o->as ? "face" : "face-a");
    if (!c->o->as)
        remarks(out + 3, &c->b, c->name_b, v->face_b, c->o->face_b != 0, "face-b");
    else if (v->by_mean)
        out[6] =
            text_format("compared with the mean of %zu of %s; most like, by itself: %s, score "
                        "%.3f",
                        v->n_compared, text_counted(count, (int64_t)v->n_templates, "template"),
                        c->template_photo ? c->template_photo : "none", (double)v->best_score);
    else if (v->n_templates > 1)
        out[6] = text_format("the best of %zu of %s decides: %s", v->n_compared,
                             text_counted(count, (int64_t)v->n_templates, "template"),
                             c->template_photo ? c->template_photo : "none");
    else if (c->template_photo)
        out[6] = text_format("compared with %s", c->template_photo);
}

static void tell_text(const comparison *c)
{
    static const tone tones[] = {
        [DPL_DECISION_NONE] = TONE_WARN,     [DPL_DECISION_MATCH] = TONE_GOOD,
        [DPL_DECISION_NO_MATCH] = TONE_BAD,  [DPL_DECISION_INCONCLUSIVE] = TONE_WARN,
        [DPL_DECISION_TOO_POOR] = TONE_WARN,
    };
    const dpl_decision decision = c->verdict.decision;
    char *said = statement(c), *why = numbers(c), *notes[7];

    gather_remarks(notes, c);
    text_tone(stdout, (color_when)c->o->common.color, tones[decision],
              decision == DPL_DECISION_NONE ? "no decision" : dpl_decision_words(decision));
    fputs(": ", stdout);
    text_put(stdout, said);
    printf(" (%s)\n", why);
    for (int i = 0; i < 7; i++) {
        if (notes[i]) {
            fputs("  ", stdout);
            text_put(stdout, notes[i]);
            putchar('\n');
        }
        free(notes[i]);
    }
    free(said);
    free(why);
}

static void tell_json(const comparison *c)
{
    const verify_facts facts = {
        .pipeline = c->pipeline,
        .policy = &c->policy,
        .verdict = &c->verdict,
        .name_a = c->name_a,
        .name_b = c->name_b,
        .a = &c->a,
        .b = c->o->as ? NULL : &c->b,
        .template_photo = c->template_photo,
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

static void page_chip(const html *page, const comparison *c, const dpl_photo *photo,
                      const char *name, size_t face)
{
    fputs("<figure>", page->f);
    html_chip(page, dpl_pipeline_encoder(c->pipeline), photo, face, name);
    fprintf(page->f, "<figcaption>face %zu</figcaption></figure>\n", face + 1);
}

static void tell_page(const html *page, const comparison *c)
{
    const dpl_verdict *v = &c->verdict;
    char *said = statement(c), *why = numbers(c), *notes[7];

    gather_remarks(notes, c);
    fputs("<section class=\"card\"><div class=\"pair\"><div class=\"chips\">\n", page->f);
    page_chip(page, c, &c->a, c->name_a, v->face_a);
    if (!c->o->as) {
        page_chip(page, c, &c->b, c->name_b, v->face_b);
    } else {
        fputs("<figure>", page->f);
        html_jpeg(page, c->thumb, c->n_thumb, c->o->as);
        fputs("<figcaption>", page->f);
        html_text(page, c->o->as);
        fputs("</figcaption></figure>\n", page->f);
    }
    fputs("</div><div class=\"say\"><p class=\"big\">", page->f);
    html_verdict(page, v->decision, dpl_decision_words(v->decision));
    html_text(page, said);
    fputs("</p>\n", page->f);
    html_paragraph(page, "soft", why);
    /* Its bar is a score's: where evidence decides it has none to show. */
    if (!c->policy.calibration || !dpl_calibration_has_cohort(c->policy.calibration))
        html_axis(page, dpl_pipeline_head(c->pipeline), &c->policy, v->score, v->decision);
    fputs("</div></div>\n", page->f);
    for (int i = 0; i < 7; i++) {
        if (notes[i])
            html_paragraph(page, "soft", notes[i]);
        free(notes[i]);
    }
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
    free(said);
    free(why);
}

/* ------------------------------------------------------------------ the command */

static int check_arguments(const command *self, const verify_options *o, int n)
{
    if (o->as && n != 1)
        return options_usage(self, "with --as it takes one photo, not %d", n);
    if (!o->as && n != 2)
        return options_usage(self, "it takes two photos, or one and --as NAME");
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
        code = html_open(&page, c->self, o, "Do these photos show the same person?");
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
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code)
        code = check_arguments(self, &o, n);
    if (code)
        return code;
    o.common.faces_only = true;
    o.common.inputs = (const char *const *)(argv + 1);
    o.common.n_inputs = (size_t)n;
    c.name_a = argv[1];
    c.name_b = o.as ? o.as : argv[2];
    code = run(&c);
    dpl_photo_clear(&c.a);
    dpl_photo_clear(&c.b);
    dpl_scratch_free(c.scratch);
    dpl_pipeline_close(c.pipeline);
    dpl_gallery_close(c.gallery);
    free(c.template_photo);
    free(c.thumb);
    if (code)
        return code;
    return c.verdict.decision == DPL_DECISION_MATCH          ? 0
           : c.verdict.decision == DPL_DECISION_INCONCLUSIVE ? INCONCLUSIVE_EXIT
                                                             : 1;
}
