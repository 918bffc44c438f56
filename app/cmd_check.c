/*
 * cmd_check.c - `doppel check`: all of the gallery compared with what was written; with --repair,
 * had again from the photos. Where nothing is damaged, what is wrong with its people.
 */
#include <stdlib.h>
#include <string.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/doubt.h"
#include "app/html.h"
#include "app/json_print.h"
#include "app/progress.h"

typedef struct check_options {
    common common;
    double min_quality;
    bool repair, drop;
} check_options;

#define AT(member) offsetof(check_options, member)

static const option_spec own[] = {
    {.name = "repair",
     .kind = OPTION_FLAG,
     .offset = AT(repair),
     .once = true,
     .help = "read the photos again of which something is damaged"},
    {.name = "drop",
     .kind = OPTION_FLAG,
     .offset = AT(drop),
     .once = true,
     .help = "with --repair: forget damaged photos that cannot be had again"},
    {.name = "min-quality",
     .kind = OPTION_REAL,
     .offset = AT(min_quality),
     .value = "Q",
     .help = "with --repair: refuse faces of less quality, 0 to 1 (default 0.1; 0: none)",
     .low = 0,
     .high = 1},
    {0}};

const option_spec *const options_of_check[] = {
    own, options_html, options_gallery, options_models, options_output, NULL};

typedef struct checking {
    const command *self;
    const check_options *o;
    dpl_gallery *gallery;
    progress progress;
    dpl_doubts_report doubts;
    bool compared; /* references were */
    html page;     /* of the doubts */
} checking;

static dpl_status on_damage(void *ctx, const dpl_damage *damage)
{
    checking *c = ctx;

    progress_wipe(&c->progress);
    if (c->o->common.json) {
        json_print(check_damage_json(damage));
        return DPL_OK;
    }
    text_tone(stdout, (color_when)c->o->common.color, TONE_BAD, "damaged");
    printf(", %s: ", damage->part);
    if (damage->photo) {
        text_put(stdout, damage->photo);
        fputs(": ", stdout);
    }
    text_put(stdout, damage->message);
    putchar('\n');
    return DPL_OK;
}

static void on_repair(void *ctx, const dpl_repair_event *event)
{
    checking *c = ctx;

    progress_wipe(&c->progress);
    if (c->o->common.json) {
        json_print(check_repair_json(event));
        return;
    }
    text_tone(stdout, (color_when)c->o->common.color, event->mended ? TONE_GOOD : TONE_WARN,
              event->mended    ? "mended"
              : event->dropped ? "dropped"
                               : "left");
    fputs(": ", stdout);
    if (event->photo) {
        text_put(stdout, event->photo);
        fputs(": ", stdout);
    }
    text_put(stdout, event->message);
    putchar('\n');
}

static void tell_text(const dpl_check_report *r, const dpl_repair_report *repair)
{
    char people[64], photos[64], templates[64], n[64];

    if (repair && repair->n_mended + repair->n_dropped + repair->n_left > 0)
        printf("%s mended, %s dropped, %s left\n", text_count(n, repair->n_mended),
               text_count(photos, repair->n_dropped), text_count(people, repair->n_left));
    printf("%s, %s, %s: ", text_counted(people, r->n_persons, "person"),
           text_counted(photos, r->n_photos, "photo"),
           text_counted(templates, r->n_templates, "template"));
    if (r->n_damaged)
        printf("damaged in %s\n", text_counted(n, r->n_damaged, "place"));
    else
        puts("nothing is damaged");
}

/* ------------------------------------------------------------------ references */

/* As a doubt is told. */
static const char *kind_words(dpl_doubt_kind kind)
{
    static const char *const kinds[] = {"unlike",    "unlike", "two names",
                                        "two names", "alike",  "attracts"};

    return kinds[kind];
}

typedef struct figure {
    const html *page;
    const char *person;
} figure;

static dpl_status put_figure(void *ctx, const dpl_template_row *row)
{
    const figure *f = ctx;
    const char *slash = strrchr(row->photo_path, '/');

    fputs("<figure>", f->page->f);
    html_jpeg(f->page, row->thumb, row->n_thumb, slash ? slash + 1 : row->photo_path);
    fputs("<figcaption>", f->page->f);
    html_text(f->page, f->person);
    fputs("<br>", f->page->f);
    html_path(f->page, row->photo_path);
    fputs("</figcaption></figure>", f->page->f);
    return DPL_OK;
}

/* Both faces beside each other, and beside them what is told. */
static void page_doubt(checking *c, const dpl_doubt *d, const char *words, const doubt_mend *mends)
{
    const html *page = &c->page;
    figure f = {page, d->person};

    fputs("<section class=\"card\"><div class=\"pair\"><div class=\"chips large\">", page->f);
    if (d->template_id)
        dpl_gallery_get_template(c->gallery, d->template_id, put_figure, &f, NULL);
    f.person = d->other_person ? d->other_person : d->person;
    if (d->other_id)
        dpl_gallery_get_template(c->gallery, d->other_id, put_figure, &f, NULL);
    fputs("</div><div class=\"say\"><h2>", page->f);
    html_text(page, kind_words(d->kind));
    fputs("</h2>", page->f);
    html_paragraph(page, "", words);
    for (int i = 0; i < DOUBT_MENDS; i++) {
        if (!mends[i].command)
            continue;
        fputs("<p>", page->f);
        html_text(page, mends[i].when);
        fputs(": <span class=\"mono\">", page->f);
        html_text(page, mends[i].command);
        fputs("</span></p>", page->f);
    }
    fputs("</div></div></section>\n", page->f);
}

static void on_doubt(void *ctx, const dpl_doubt *doubt)
{
    checking *c = ctx;
    doubt_mend mends[DOUBT_MENDS];
    char *words = doubt_words(doubt);

    progress_wipe(&c->progress);
    doubt_mends(mends, c->gallery, doubt);
    if (c->page.f)
        page_doubt(c, doubt, words, mends);
    if (c->o->common.json) {
        json_print(doubt_check_json(doubt, mends));
    } else {
        text_tone(stdout, (color_when)c->o->common.color, TONE_WARN, kind_words(doubt->kind));
        fputs(": ", stdout);
        text_put(stdout, words);
        putchar('\n');
    }
    free(words);
    for (int i = 0; i < DOUBT_MENDS && !c->o->common.json; i++) {
        if (!mends[i].command)
            continue;
        fputs("  ", stdout);
        text_put(stdout, mends[i].when);
        fputs(": ", stdout);
        text_put(stdout, mends[i].command);
        putchar('\n');
    }
    doubt_mends_clear(mends);
}

static void tell_not_compared(const checking *c)
{
    fprintf(stderr, "doppel %s: references were not compared\n", c->self->name);
}

/* Whether there is something to compare: faces, whose model is there. A model that is not is told,
   and is no damage. */
static int open_faces(dpl_pipeline **out, checking *c)
{
    static const char *const no_photos[1];
    common o = c->o->common;
    dpl_gallery_counts counts;
    const char *hash;
    dpl_error err;

    *out = NULL;
    if (dpl_gallery_setting(&hash, c->gallery, "model.face.hash", &err) != DPL_OK ||
        dpl_gallery_count(&counts, c->gallery, &err) != DPL_OK)
        return common_fail(c->self, &c->o->common, &err);
    if (!hash || counts.n_templates_face == 0)
        return 0;
    o.json = false;
    o.faces_only = true;
    o.inputs = no_photos;
    if (common_open_pipeline(out, c->self, &o, c->gallery, 0) != 0)
        tell_not_compared(c);
    return 0;
}

/* "5 references of 4 people compared: 2 doubts"; freed by free(). */
static char *doubts_words(const dpl_doubts_report *r)
{
    char people[64], references[64], n[64];

    return text_format("%s of %s compared: %s",
                       text_counted(references, r->n_references, "reference"),
                       text_counted(people, r->n_people, "person"),
                       r->n_doubts ? text_counted(n, r->n_doubts, "doubt") : "nothing is in doubt");
}

static int compare_references(checking *c)
{
    dpl_pipeline *pipeline;
    dpl_status status;
    dpl_error err;
    char *words;
    int code = open_faces(&pipeline, c);

    if (code || !pipeline)
        return code;
    status = dpl_gallery_all_doubts(&c->doubts, c->gallery, pipeline, 0, on_doubt, c, &err);
    c->compared = status == DPL_OK;
    if (status == DPL_E_MISMATCH) { /* of a model that is to come, and no damage either */
        common_say(c->self, &err);
        tell_not_compared(c);
    } else if (status != DPL_OK) {
        code = common_fail(c->self, &c->o->common, &err);
    }
    if (c->page.f) {
        words = doubts_words(&c->doubts);
        html_paragraph(&c->page, "lead", words);
        html_made(&c->page, &c->o->common, pipeline);
        html_made_end(&c->page);
        free(words);
    }
    dpl_pipeline_close(pipeline);
    return code;
}

static void tell_doubts(const dpl_doubts_report *r)
{
    char people[64], references[64], *words = doubts_words(r);

    puts(words);
    free(words);
    if (r->n_references_left + r->n_people_left)
        printf("there are too many to compare all with all: %s and %s were left\n",
               text_counted(references, r->n_references_left, "reference"),
               text_counted(people, r->n_people_left, "person"));
}

/* ------------------------------------------------------------------ all of it */

static int repair(dpl_repair_report *report, checking *c)
{
    dpl_pipeline *pipeline = NULL;
    dpl_error err;
    int code =
        common_open_pipeline(&pipeline, c->self, &c->o->common, c->gallery, c->o->min_quality);

    if (!code &&
        dpl_gallery_repair(report, c->gallery, pipeline, c->o->drop, on_repair, c, &err) != DPL_OK)
        code = common_fail(c->self, &c->o->common, &err);
    dpl_pipeline_close(pipeline);
    return code;
}

static int check(checking *c)
{
    const check_options *o = c->o;
    dpl_repair_report mended = {0};
    dpl_check_report report;
    dpl_error err;
    int code = 0;

    if (dpl_gallery_check(&report, c->gallery, on_damage, c, &err) != DPL_OK)
        return common_fail(c->self, &o->common, &err);
    if (o->repair && report.n_damaged > 0) {
        code = repair(&mended, c);
        if (code)
            return code;
        /* What is said last is what holds. */
        if (dpl_gallery_check(&report, c->gallery, NULL, NULL, &err) != DPL_OK)
            return common_fail(c->self, &o->common, &err);
    }
    if (report.n_damaged == 0)
        code = compare_references(c);
    else if (c->page.f)
        html_paragraph(&c->page, "lead",
                       "The gallery is damaged: its references were not compared.");
    if (o->common.json)
        json_print(
            check_json(&report, o->repair ? &mended : NULL, c->compared ? &c->doubts : NULL));
    else
        tell_text(&report, o->repair ? &mended : NULL);
    if (c->compared && !o->common.json)
        tell_doubts(&c->doubts);
    if (code)
        return code;
    return report.n_damaged > 0 ? dpl_status_exit_code(DPL_E_GALLERY) : 0;
}

static int run(checking *c)
{
    int code = html_open(&c->page, c->self, &c->o->common, "Which references are in doubt?"),
        written;

    if (code)
        return code;
    html_heading(&c->page, "Which references are in doubt?");
    progress_start(&c->progress, "rows", c->o->common.quiet);
    dpl_gallery_set_progress(c->gallery, progress_of_gallery, &c->progress);
    code = check(c);
    progress_wipe(&c->progress);
    written = html_close(&c->page, c->self, &c->o->common);
    return code ? code : written;
}

int cmd_check(const command *self, int argc, char **argv)
{
    check_options o = {.common = COMMON_INIT, .min_quality = 0.1};
    checking c = {.self = self, .o = &o};
    char *typed = common_typed(argc, argv);
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 0)
        code = options_usage(self, "it takes no argument");
    if (!code && o.drop && !o.repair)
        code = options_usage(self, "--drop goes with --repair");
    if (!code)
        code = common_open_gallery(&c.gallery, self, &o.common,
                                   o.repair ? DPL_GALLERY_WRITE : DPL_GALLERY_READ);
    o.common.typed = typed;
    if (!code)
        code = run(&c);
    dpl_gallery_close(c.gallery);
    free(typed);
    return code;
}
