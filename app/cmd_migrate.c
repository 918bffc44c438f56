/*
 * cmd_migrate.c - `doppel migrate`: the gallery goes over to another model, with what changes by
 * it; or, as it is, into another gallery.
 */
#include "app/answer_migrate.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/progress.h"

#include <string.h>

#define SHOWN                                                                                      \
    20 /* decisions that change, and photos that are not there, that are told without -v */

typedef struct migrate_options {
    common common;
    const char *former, *keep, *to;
    bool dry_run, drop, from_thumbnails, verbose;
} migrate_options;

#define AT(member) offsetof(migrate_options, member)

static const option_spec own[] = {
    {.name = "dry-run",
     .letter = 'n',
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .once = true,
     .help = "make the vectors and tell which decisions would change; the gallery stays as it is, "
             "and the next run goes on from there"},
    {.name = "keep",
     .kind = OPTION_TEXT,
     .offset = AT(keep),
     .value = "FILE",
     .once = true,
     .help = "first export the gallery as it is to FILE, from which doppel import makes it again"},
    {.name = "former-model",
     .kind = OPTION_TEXT,
     .offset = AT(former),
     .value = "FILE",
     .is_model = true,
     .once = true,
     .group = OPTION_MODELS,
     .help = "the model that made the gallery, for the decisions that it made, where it is not "
             "there any more"},
    {.name = "from-thumbnails",
     .kind = OPTION_FLAG,
     .offset = AT(from_thumbnails),
     .once = true,
     .help = "also where more than half of the photos are not where they were, which looks like "
             "an absent disk"},
    {.name = "drop",
     .kind = OPTION_FLAG,
     .offset = AT(drop),
     .once = true,
     .help = "forget what can be made anew of neither photo nor thumbnail"},
    {.name = "to",
     .kind = OPTION_TEXT,
     .offset = AT(to),
     .value = "GALLERY",
     .once = true,
     .help =
         "all of it into another gallery (a folder, or postgresql://...) that holds nothing yet, "
         "and no other model; this one stays as it is"},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_FLAG,
     .offset = AT(verbose),
     .help = "tell of every photo that is not there and of every decision that changes"},
    {0}};

const option_spec *const options_of_migrate[] = {
    own, options_text, options_threads, options_gallery, options_models, options_output, NULL};

typedef struct migrating {
    const command *self;
    const migrate_options *o;
    dpl_gallery *gallery;
    dpl_pipeline *before, *after;
    progress progress;
    int64_t n_told, n_changed;
} migrating;

/* ------------------------------------------------------------------ as it goes */

static void on_event(void *ctx, const dpl_migrate_event *event)
{
    migrating *m = ctx;

    if (event->from != DPL_MIGRATE_PHOTO && m->o->common.json) {
        json_print(migrate_event_json(event));
    } else if (event->from != DPL_MIGRATE_PHOTO && (m->o->verbose || m->n_told < SHOWN)) {
        progress_wipe(&m->progress);
        text_tone(stdout, (color_when)m->o->common.color,
                  event->from == DPL_MIGRATE_LOST ? TONE_BAD : TONE_WARN,
                  event->from == DPL_MIGRATE_LOST ? "lost" : "from its thumbnail");
        fputs(": ", stdout);
        text_put(stdout, event->photo);
        if (event->message[0]) {
            fputs(": ", stdout);
            text_put(stdout, event->message);
        }
        putchar('\n');
    }
    m->n_told += event->from != DPL_MIGRATE_PHOTO;
    progress_step(&m->progress, event->n_done, event->n_total);
}

static void put_side(const dpl_comparison *c, bool is_known)
{
    char rate[64];

    if (is_known && c->decision != DPL_DECISION_NONE)
        printf("%s (score %.3f, %s)", dpl_decision_words(c->decision), (double)c->score,
               text_rate(rate, c->rate));
    else
        printf("score %.3f", (double)c->score);
}

static void on_change(void *ctx, const dpl_migrate_change *change)
{
    migrating *m = ctx;

    m->n_changed++;
    if (m->o->common.json) {
        json_print(migrate_change_json(change, m->before, m->after));
        return;
    }
    if (m->n_changed > SHOWN && !m->o->verbose)
        return;
    progress_wipe(&m->progress);
    text_tone(stdout, (color_when)m->o->common.color, TONE_WARN, "changes");
    fputs(": ", stdout);
    text_put(stdout, change->photo);
    fputs(" of ", stdout);
    text_put(stdout, change->person);
    fputs(change->other ? ", with " : ", with their other photos", stdout);
    if (change->other)
        text_put(stdout, change->other);
    fputs(": ", stdout);
    put_side(&change->before, change->before_is_known);
    fputs(", now ", stdout);
    put_side(&change->after, true);
    putchar('\n');
}

/* ------------------------------------------------------------------ the whole */

static void tell_more(const char *what, int64_t n, const migrate_options *o)
{
    char count[64];

    if (n > SHOWN && !o->verbose)
        printf("  and %s (-v lists them all)\n", text_counted(count, n - SHOWN, what));
}

static void tell_text(const migrating *m, const dpl_migrate_report *r)
{
    char a[64], b[64], c[64];

    tell_more("more decision", m->n_changed, m->o);
    if (r->n_photos == 0) {
        puts("the gallery is of this model already");
    } else {
        printf("%s%s: %s from photos, %s from thumbnails, %s lost; %.1f s\n",
               m->o->dry_run ? "the gallery is as it was; " : "",
               text_counted(a, r->n_photos, "photo"), text_counted(b, r->n_from_photo, "vector"),
               text_count(c, r->n_from_thumbnail), text_count((char[32]){0}, r->n_lost),
               r->seconds);
        if (r->n_earlier > 0)
            printf("  of them %s made by a run before\n", text_count(a, r->n_earlier));
        if (r->n_references > 0)
            printf("  %s of %s of people compared: %s other than by the former model%s\n",
                   text_count(a, r->n_references), text_counted(b, r->n_references_all, "photo"),
                   r->n_changed ? text_counted(c, r->n_changed, "decision") : "no decision",
                   m->before ? "" : ", whose own decisions are not known (--former-model FILE)");
    }
    if (r->set_aside[0])
        printf("  calibration.json was of the former model and is set aside as %s; doppel "
               "calibrate makes one of this\n",
               r->set_aside);
}

/* The captions alone. */
static int run_captions(const migrating *m)
{
    const migrate_options *o = m->o;
    dpl_text_pipeline *text = NULL;
    char count[64];
    int64_t n;
    dpl_error err;
    int code = common_open_text(&text, m->self, &o->common, o->common.text_model, o->common.merges);

    if (!code && o->keep && dpl_gallery_export(m->gallery, o->keep, &err) != DPL_OK)
        code = common_fail(m->self, &o->common, &err);
    if (!code && dpl_migrate_captions(&n, m->gallery, dpl_text_pipeline_encoder(text),
                                      o->common.n_threads, o->dry_run, &err) != DPL_OK)
        code = common_fail(m->self, &o->common, &err);
    if (!code && o->common.json)
        json_print(migrate_captions_json(n, o->dry_run, dpl_text_pipeline_encoder(text)));
    else if (!code)
        printf("%s%s made anew\n", o->dry_run ? "the gallery is as it was; " : "",
               text_counted(count, n, "caption"));
    dpl_text_pipeline_close(text);
    return code;
}

/* Opened for writing: nobody else changes meanwhile what then would be missing. */
static int run_copy(migrating *m)
{
    const migrate_options *o = m->o;
    dpl_gallery *to = NULL;
    char photos[64], templates[64];
    int64_t n_photos, n_templates;
    common target = o->common;
    dpl_error err;
    int code;

    target.gallery = o->to;
    code = common_open_gallery(&to, m->self, &target,
                               strstr(o->to, "://") && !o->dry_run ? DPL_GALLERY_MIGRATE
                                                                   : DPL_GALLERY_CREATE);
    if (code)
        return code;
    if (o->keep && dpl_gallery_export(m->gallery, o->keep, &err) != DPL_OK)
        code = common_fail(m->self, &o->common, &err);
    dpl_gallery_rehearse(to, o->dry_run);
    progress_start(&m->progress, "rows", o->common.quiet);
    dpl_gallery_set_progress(m->gallery, progress_of_gallery, &m->progress);
    if (!code && dpl_gallery_copy(&n_photos, &n_templates, to, m->gallery, &err) != DPL_OK) {
        progress_wipe(&m->progress);
        code = common_fail(m->self, &o->common, &err);
    }
    if (!code && o->common.json) {
        json_print(migrate_copy_json(dpl_gallery_dir(to), n_photos, n_templates, o->dry_run));
    } else if (!code) {
        printf("%s %s, %s to \"", o->dry_run ? "would copy" : "copied",
               text_counted(photos, n_photos, "photo"),
               text_counted(templates, n_templates, "template"));
        text_put(stdout, dpl_gallery_dir(to));
        fputs("\"; \"", stdout);
        text_put(stdout, dpl_gallery_dir(m->gallery));
        puts("\" is as it was");
    }
    /* One that was made for nothing is none. */
    if (code || o->dry_run)
        dpl_gallery_abandon(to);
    else
        dpl_gallery_close(to);
    return code;
}

static int run(migrating *m)
{
    const migrate_options *o = m->o;
    dpl_migrate_options options = DPL_MIGRATE_OPTIONS_INIT;
    dpl_migrate_report report;
    dpl_status status;
    dpl_error err;
    int code = common_open_former(&m->before, m->self, &o->common, m->gallery, o->former);

    if (!code)
        code = common_open_pipeline(&m->after, m->self, &o->common, m->gallery, 0);
    if (code)
        return code;
    if (o->keep && dpl_gallery_export(m->gallery, o->keep, &err) != DPL_OK)
        return common_fail(m->self, &o->common, &err);
    options.before = m->before;
    options.n_threads = o->common.n_threads;
    options.dry_run = o->dry_run;
    options.drop = o->drop;
    options.from_thumbnails = o->from_thumbnails;
    options.cancel = common_watch_signals();
    options.on_event = on_event;
    options.on_change = on_change;
    options.ctx = m;
    progress_start(&m->progress, "photos", o->common.quiet);
    status = dpl_migrate(&report, m->gallery, m->after, &options, &err);
    progress_wipe(&m->progress);
    if (status != DPL_OK)
        return common_fail(m->self, &o->common, &err);
    if (o->common.json)
        json_print(migrate_report_json(&report, o->dry_run, m->after));
    else
        tell_text(m, &report);
    return 0;
}

int cmd_migrate(const command *self, int argc, char **argv)
{
    migrate_options o = {.common = COMMON_INIT};
    migrating m = {.self = self, .o = &o};
    int n, code = options_read(self, &o, argc, argv, &n);

    o.common.going_over = true;
    if (!code && n != 0)
        code = options_usage(self, "it takes no argument");
    if (!code && o.to &&
        (o.common.model || o.common.image_model || o.common.text_model || o.former || o.drop ||
         o.from_thumbnails))
        code = options_usage(self, "--to takes the gallery as it is, with the model that it has");
    if (!code && o.common.text_model && (o.common.model || o.common.image_model))
        code = options_usage(self, "--text-model goes over with the captions alone: once more for "
                                   "--model and --image-model");
    if (!code && o.common.merges && !o.common.text_model)
        code = options_usage(self, "--merges is of --text-model");
    if (!code)
        code = common_open_gallery(&m.gallery, self, &o.common,
                                   o.dry_run ? DPL_GALLERY_WRITE : DPL_GALLERY_MIGRATE);
    if (code)
        return code;
    code = o.to ? run_copy(&m) : o.common.text_model ? run_captions(&m) : run(&m);
    dpl_pipeline_close(m.before);
    dpl_pipeline_close(m.after);
    dpl_gallery_close(m.gallery);
    return code;
}
