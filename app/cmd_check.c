/*
 * cmd_check.c - `doppel check`: all of the gallery compared with what was written; with --repair,
 * had again from the photos.
 */
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

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
     .help = "read the photos again of which something is damaged"},
    {.name = "drop",
     .kind = OPTION_FLAG,
     .offset = AT(drop),
     .help = "with --repair: forget damaged photos that cannot be had again"},
    {.name = "min-quality",
     .kind = OPTION_REAL,
     .offset = AT(min_quality),
     .value = "Q",
     .help = "with --repair: refuse faces of less quality, 0 to 1 (default 0.1; 0: none)",
     .low = 0,
     .high = 1},
    {0}};

const option_spec *const options_of_check[] = {own, options_gallery, options_models, options_output,
                                               NULL};

typedef struct checking {
    const command *self;
    const check_options *o;
    dpl_gallery *gallery;
} checking;

static dpl_status on_damage(void *ctx, const dpl_damage *damage)
{
    const checking *c = ctx;

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
    const checking *c = ctx;

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

static int repair(dpl_repair_report *report, checking *c)
{
    dpl_pipeline *pipeline = NULL;
    dpl_error err;
    int code =
        common_open_pipeline(&pipeline, c->self, &c->o->common, c->gallery, c->o->min_quality);

    if (!code && dpl_gallery_repair(report, c->gallery, pipeline, c->o->drop, on_repair, c, &err) !=
                     DPL_OK)
        code = common_fail(c->self, &c->o->common, &err);
    dpl_pipeline_close(pipeline);
    return code;
}

static int run(checking *c)
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
    if (o->common.json)
        json_print(check_json(&report, o->repair ? &mended : NULL));
    else
        tell_text(&report, o->repair ? &mended : NULL);
    return report.n_damaged > 0 ? dpl_status_exit_code(DPL_E_GALLERY) : 0;
}

int cmd_check(const command *self, int argc, char **argv)
{
    check_options o = {.common = COMMON_INIT, .min_quality = 0.1};
    checking c = {self, &o, NULL};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 0)
        code = options_usage(self, "it takes no argument");
    if (!code && o.drop && !o.repair)
        code = options_usage(self, "--drop goes with --repair");
    if (!code)
        code = common_open_gallery(&c.gallery, self, &o.common,
                                   o.repair ? DPL_GALLERY_WRITE : DPL_GALLERY_READ);
    if (code)
        return code;
    code = run(&c);
    dpl_gallery_close(c.gallery);
    return code;
}
