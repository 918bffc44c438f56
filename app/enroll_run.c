/*
 * enroll_run.c - folders of photos into the gallery, and how it is told: as text, JSON, a page.
 */
#include "app/enroll_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_enroll.h"
#include "app/doubt.h"
#include "app/html.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/progress.h"

#define PREVIEW_SIDE_PX 160
#define PAGE_PEOPLE     300 /* people whose faces the page shows */
#define PAGE_FACES      12  /* faces it shows of each */
#define PAGE_REFUSED    500 /* refused files it shows */

#define AT(member) offsetof(enroll_options, member)

const option_spec options_enroll_run[] = {
    {.name = "prune",
     .kind = OPTION_FLAG,
     .offset = AT(prune),
     .once = true,
     .help =
         "remove photos under these folders whose files are gone; refused where that looks like "
         "an absent disk"},
    {.name = "prune-absent",
     .kind = OPTION_FLAG,
     .offset = AT(prune_absent),
     .once = true,
     .help = "--prune, also where a folder is empty, on another file system than before, or lacks "
             "more than half of its photos"},
    {.name = "captions",
     .kind = OPTION_TEXT,
     .offset = AT(captions),
     .value = "FILE",
     .once = true,
     .help =
         "a list of what photos show, with a --text-model: CSV or TSV, columns path and caption, "
         "paths relative to it; beside what PHOTO.txt, XMP and IPTC say"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .once = true,
     .help = "look at unchanged photos again, too"},
    {.name = "dry-run",
     .letter = 'n',
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .once = true,
     .help = "look at everything, tell what would become of it, and change nothing"},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_FLAG,
     .offset = AT(verbose),
     .help = "tell of every file"},
    {0}};

typedef struct enroll {
    const command *self;
    const enroll_options *o;
    dpl_gallery *gallery;
    dpl_pipeline *pipeline;
    dpl_text_pipeline *text; /* NULL: nobody asks for captions */
    progress progress;
    int64_t n_by_status[N_STATUSES];
    char *first[N_STATUSES]; /* of each status, a file and its reason */
    /* For the page: the refused files' part of it, written as they come. */
    char *refused;
    size_t n_refused_bytes;
    int64_t n_refused;
    html refused_part;
    /* Whose photos were added or changed, and which of these are known to be somebody else's, too.
     */
    char **people, **noted;
    size_t n_people, cap_people, n_noted, cap_noted;
    doubt_list doubts;
    bool made_for_nothing; /* a gallery that was made by this run holds nothing */
} enroll;

static void keep_name(char ***names, size_t *n, size_t *cap, const char *name)
{
    if (*n > 0 && strcmp((*names)[*n - 1], name) == 0)
        return; /* a folder's photos come one after the other */
    if (*n == *cap) {
        *cap = *cap ? 2 * *cap : 64;
        *names = text_need(reallocarray(*names, *cap, sizeof **names));
    }
    (*names)[(*n)++] = text_format("%s", name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_name(char *const *names, size_t n, const char *name)
{
    return n > 0 && bsearch(&name, names, n, sizeof *names, by_name);
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* ------------------------------------------------------------------ a file's result */

static void event_text(enroll *e, const dpl_enroll_event *event)
{
    const enroll_options *o = e->o;
    char faces[64];
    const bool refused =
        event->outcome == DPL_OUTCOME_REFUSED || event->outcome == DPL_OUTCOME_KEPT;
    const bool noted = event->message[0] && !refused && event->outcome != DPL_OUTCOME_UNCHANGED &&
                       event->outcome != DPL_OUTCOME_PRUNED;
    const tone t = refused ? TONE_BAD : noted ? TONE_WARN : TONE_PLAIN;

    if (!o->verbose && (!noted || o->common.quiet))
        return;
    progress_wipe(&e->progress);
    text_tone(stderr, (color_when)o->common.color, t, enroll_outcome_words(event->outcome));
    fputs(": ", stderr);
    text_put(stderr, event->path);
    if (event->message[0]) {
        fputs(": ", stderr);
        text_put(stderr, event->message);
    } else if (event->person) {
        fputs(": ", stderr);
        text_put(stderr, event->person);
    } else if (o->nobodys && event->outcome != DPL_OUTCOME_PRUNED) {
        fprintf(stderr, ": %s", text_counted(faces, (int64_t)event->n_faces, "face"));
        if (event->n_poor)
            fprintf(stderr, ", %zu too poor", event->n_poor);
    }
    fputc('\n', stderr);
}

static void event_page(enroll *e, const dpl_enroll_event *event)
{
    const html *page = &e->refused_part;
    const char *slash = strrchr(event->path, '/');

    if (event->outcome != DPL_OUTCOME_REFUSED || e->n_refused++ >= PAGE_REFUSED)
        return;
    fputs("<div class=\"refused\"><div>", page->f);
    if (event->photo && event->photo->image.pixels) {
        uint8_t *jpeg = NULL;
        size_t n = 0;
        if (dpl_image_to_jpeg(&jpeg, &n, &event->photo->image, 80, NULL) == DPL_OK)
            html_jpeg(page, jpeg, n, slash ? slash + 1 : event->path);
        dpl_bytes_free(jpeg);
    }
    fputs("</div><div><p><span class=\"tag bad\">", page->f);
    html_text(page, dpl_status_words(event->status));
    fputs("</span></p>", page->f);
    html_paragraph(page, "", event->message);
    fputs("<p class=\"soft\">", page->f);
    html_path(page, event->path);
    fputs("</p></div></div>\n", page->f);
}

static void on_event(void *ctx, const dpl_enroll_event *event)
{
    enroll *e = ctx;

    if (event->status != DPL_OK && (size_t)event->status < N_STATUSES &&
        e->n_by_status[event->status]++ == 0)
        e->first[event->status] = text_format("%s: %s", event->path, event->message);
    if ((event->outcome == DPL_OUTCOME_ADDED || event->outcome == DPL_OUTCOME_UPDATED) &&
        event->person) {
        keep_name(&e->people, &e->n_people, &e->cap_people, event->person);
        if (event->message[0])
            keep_name(&e->noted, &e->n_noted, &e->cap_noted, event->path);
    }
    if (event->outcome == DPL_OUTCOME_PASSED_OVER && !e->o->verbose)
        ; /* counted */
    else if (e->o->common.json)
        json_print(enroll_event_json(e->self->name, event));
    else
        event_text(e, event);
    if (e->refused_part.f)
        event_page(e, event);
}

static void on_progress(void *ctx, const dpl_enroll_progress *p)
{
    enroll *e = ctx;

    progress_step_work(&e->progress, p->n_done, p->n_total, p->work_done, p->work_total);
}

/* ------------------------------------------------------------------ references */

/* A file of two people is told once: not where it was told as it came, nor again of the second. */
static void on_doubt(void *ctx, const dpl_doubt *doubt)
{
    enroll *e = ctx;

    if (doubt->kind == DPL_DOUBT_SHARED &&
        (has_name(e->noted, e->n_noted, doubt->photo) ||
         has_name(e->noted, e->n_noted, doubt->other_photo) ||
         (has_name(e->people, e->n_people, doubt->other_person) &&
          strcmp(doubt->person, doubt->other_person) > 0)))
        return;
    doubt_gather(&e->doubts, doubt);
    if (e->o->common.json) {
        json_t *object = json_answer(e->self->name);

        json_put(&object, "doubt", doubt_json(doubt));
        json_print(object);
    } else if (!e->o->common.quiet) {
        progress_wipe(&e->progress);
        text_tone(stderr, (color_when)e->o->common.color, TONE_WARN, "note: ");
        text_put(stderr, e->doubts.lines[e->doubts.n - 1]);
        fputc('\n', stderr);
    }
}

/* The references of everybody whose photos have changed. */
static dpl_status look_for_doubts(enroll *e, dpl_error *err)
{
    dpl_status status = DPL_OK;

    if (e->n_people > 0)
        qsort(e->people, e->n_people, sizeof *e->people, by_name);
    if (e->n_noted > 0)
        qsort(e->noted, e->n_noted, sizeof *e->noted, by_name);
    for (size_t i = 0; i < e->n_people && status == DPL_OK; i++)
        if (i == 0 || strcmp(e->people[i], e->people[i - 1]) != 0)
            status = dpl_gallery_doubts(e->gallery, e->pipeline, e->people[i], on_doubt, e, err);
    return status;
}

/* ------------------------------------------------------------------ the whole */

static void report_captions(const dpl_enroll_report *r)
{
    char a[64], b[32];

    if (r->n_captions || r->n_captions_removed)
        printf("  %s new, %s not written any more\n", text_counted(a, r->n_captions, "caption"),
               text_count(b, r->n_captions_removed));
    if (r->n_captions_refused) {
        printf("  %s left out%s", text_counted(a, r->n_captions_refused, "caption"),
               r->n_captions_refused > 1 ? ", such as " : ": ");
        text_put(stdout, r->caption_reason);
        putchar('\n');
    }
    if (r->n_captions_unmatched) {
        printf("  %s of the list not among these files%s",
               text_counted(a, r->n_captions_unmatched, "picture"),
               r->n_captions_unmatched > 1 ? ", such as " : ": ");
        text_put(stdout, r->caption_unmatched);
        putchar('\n');
    }
}

static void report_text(const enroll *e, const dpl_enroll_report *r,
                        const dpl_gallery_counts *counts)
{
    static const char *const words[] = {"added",   "updated", "moved", "unchanged",
                                        "refused", "kept",    "pruned"};
    const int64_t numbers[] = {r->n_added,   r->n_updated, r->n_moved, r->n_unchanged,
                               r->n_refused, r->n_kept,    r->n_pruned};
    char a[64], b[64];

    printf("%s%s", e->o->dry_run ? "nothing is changed; " : "",
           text_counted(a, r->n_files, "photo"));
    for (size_t i = 0, told = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i])
            printf("%s%s %s", told++ ? ", " : ": ", text_count(b, numbers[i]), words[i]);
    printf("; %.1f s", r->seconds);
    if (r->n_added + r->n_updated > 0 && r->seconds > 0)
        printf(", %.1f a second", (double)r->n_files / r->seconds);
    putchar('\n');
    if (e->o->nobodys && r->n_faces) {
        printf("  %s found", text_counted(a, r->n_faces, "face"));
        if (r->n_poor)
            printf(", %s of them too poor and left out (--min-quality)", text_count(b, r->n_poor));
        putchar('\n');
    }
    for (int i = 0; i < N_STATUSES; i++)
        if (e->n_by_status[i]) {
            printf("  refused, %s: %s", dpl_status_words((dpl_status)i),
                   text_count(b, e->n_by_status[i]));
            fputs(e->n_by_status[i] == 1 ? ": " : ", such as ", stdout);
            text_put(stdout, e->first[i]);
            putchar('\n');
        }
    if (r->n_refused_again)
        printf("  %s of them seen before, unchanged, and not looked at again (--force looks)\n",
               text_count(b, r->n_refused_again));
    if (r->n_refused + r->n_kept > 1 && !e->o->verbose)
        fputs("  (-v lists them all)\n", stdout);
    if (r->n_kept)
        printf("  %s unreadable today: what was enrolled before stays\n",
               text_counted(b, r->n_kept, "photo"));
    if (r->n_gone)
        printf("  %s not there any more: what was enrolled stays (--prune removes it)\n",
               text_counted(b, r->n_gone, "photo"));
    if (r->n_left_out)
        printf("  %s left out: what machines put aside, or an ignore file names\n",
               text_counted(b, r->n_left_out, "name"));
    if (r->n_passed_over)
        printf("  %s passed over: no pictures\n", text_counted(b, r->n_passed_over, "file"));
    if (r->n_links)
        printf("  %s out of these folders not followed (--follow-links follows them)\n",
               text_counted(b, r->n_links, "link"));
    report_captions(r);
    fputs("gallery ", stdout);
    text_put(stdout, dpl_gallery_dir(e->gallery));
    printf(": %s, %s", text_counted(a, counts->n_persons, "person"),
           text_counted(b, counts->n_photos - counts->n_failed, "photo"));
    if (e->o->nobodys && counts->n_faces_nobodys)
        printf(", %s of nobody", text_counted(a, counts->n_faces_nobodys, "face"));
    if (counts->n_templates_text)
        printf(", %s", text_counted(a, counts->n_templates_text, "caption"));
    putchar('\n');
}

/* ------------------------------------------------------------------ the page */

/* People's faces being written, in the order of their names. */
typedef struct gallery_walk {
    const html *page;
    dpl_gallery *gallery;
    const char *space;
    dpl_error *err;
    int n_people, n_faces; /* faces of the person whose card is being written */
} gallery_walk;

static dpl_status page_template(void *ctx, const dpl_template_row *row)
{
    gallery_walk *w = ctx;
    const char *slash = strrchr(row->photo_path, '/');
    char *alt;

    if (w->n_faces == 0) {
        fputs("<div><h3>", w->page->f);
        html_text(w->page, row->person);
        fputs("</h3><div class=\"strip\">", w->page->f);
    }
    if (w->n_faces++ >= PAGE_FACES)
        return DPL_OK;
    alt = text_format("%s, from %s", row->person, slash ? slash + 1 : row->photo_path);
    html_jpeg(w->page, row->thumb, row->n_thumb, alt);
    free(alt);
    return DPL_OK;
}

/* A card, also for who has templates here and there among others'; none for who has none. */
static dpl_status page_person(void *ctx, const dpl_person *person)
{
    gallery_walk *w = ctx;
    dpl_status status;

    if (w->n_people == PAGE_PEOPLE) {
        w->n_people++;
        return DPL_E_CANCELLED; /* enough; told by the caller */
    }
    w->n_faces = 0;
    status =
        dpl_gallery_each_template(w->gallery, person->name, w->space, page_template, w, w->err);
    if (w->n_faces == 0)
        return status;
    w->n_people++;
    fputs("</div>", w->page->f);
    if (w->n_faces > PAGE_FACES)
        fprintf(w->page->f, "<p class=\"soft\">and %d more</p>", w->n_faces - PAGE_FACES);
    fputs("</div>\n", w->page->f);
    return status;
}

static void page_count(const html *page, const char *what, int64_t n)
{
    char count[32];

    if (n)
        html_fact(page, what, "%s", text_count(count, n));
}

static dpl_status write_page(enroll *e, html *page, const dpl_enroll_report *r,
                             const dpl_gallery_counts *counts, dpl_error *err)
{
    gallery_walk walk = {.page = page,
                         .gallery = e->gallery,
                         .space = dpl_encoder_space(dpl_pipeline_encoder(e->pipeline)),
                         .err = err};
    char shown[32], all[64];
    dpl_status status;

    fputs("<p class=\"soft\">gallery ", page->f);
    html_path(page, dpl_gallery_dir(e->gallery));
    fputs("</p>\n", page->f);
    fputs("<section class=\"card\"><h2>This run</h2><dl class=\"facts\">", page->f);
    page_count(page, "photos", r->n_files);
    page_count(page, "added", r->n_added);
    page_count(page, "updated", r->n_updated);
    page_count(page, "moved", r->n_moved);
    page_count(page, "unchanged", r->n_unchanged);
    page_count(page, "refused", r->n_refused);
    page_count(page, "of these seen before", r->n_refused_again);
    page_count(page, "unreadable, kept", r->n_kept);
    page_count(page, "pruned", r->n_pruned);
    page_count(page, "faces found", e->o->nobodys ? r->n_faces : 0);
    page_count(page, "faces too poor", e->o->nobodys ? r->n_poor : 0);
    page_count(page, "people in the gallery", counts->n_persons);
    fputs("</dl></section>\n", page->f);
    if (e->n_refused > 0) {
        fputs("<section class=\"card\"><h2>Refused, and why</h2>\n", page->f);
        fwrite(e->refused, 1, e->n_refused_bytes, page->f);
        if (e->n_refused > PAGE_REFUSED)
            fprintf(page->f,
                    "<p class=\"soft\">The first %d of %s; `doppel info --failed` lists "
                    "them all.</p>\n",
                    PAGE_REFUSED, text_count(shown, e->n_refused));
        fputs("</section>\n", page->f);
    }
    if (e->doubts.n > 0)
        fputs("<section class=\"card\"><h2>Look at these: the wrong person?</h2>\n", page->f);
    for (size_t i = 0; i < e->doubts.n; i++)
        html_paragraph(page, "warnline", e->doubts.lines[i]);
    if (e->doubts.n > 0)
        fputs("</section>\n", page->f);
    if (counts->n_persons == 0)
        return DPL_OK;
    fputs("<section class=\"card\"><h2>People in the gallery</h2><div class=\"people\">\n",
          page->f);
    status = dpl_gallery_each_person(e->gallery, page_person, &walk, err);
    if (walk.n_people > PAGE_PEOPLE)
        status = DPL_OK;
    fputs("</div>\n", page->f);
    if (walk.n_people > PAGE_PEOPLE)
        fprintf(page->f,
                "<p class=\"soft\">The first %d of %s; `doppel list` names them all.</p>\n",
                PAGE_PEOPLE, text_counted(all, counts->n_persons, "person"));
    fputs("</section>\n", page->f);
    return status;
}

/* ------------------------------------------------------------------ the command */

static bool may_rename(void *ctx, const char *name, int64_t n_photos, const char *person,
                       bool several)
{
    const enroll *e = ctx;
    char photos[64];
    char *question;
    bool yes;

    if (e->o->yes)
        return true;
    question = text_format("%s of \"%s\"%s would become \"%s\"'s. Is that meant?",
                           text_counted(photos, n_photos, "photo"), person,
                           several ? " and others" : "", name);
    yes = common_confirm(question);
    free(question);
    return yes;
}

/* The pipeline, and where one is given or remembered the model of sentences. Both are found before
 * the first is opened, from when on only they can be read. */
static int open_models(enroll *e, common *o, const char *captions)
{
    char *path = NULL, *merges = NULL;
    int code = common_find_any_text_model(&path, &merges, e->self, o, e->gallery);

    if (!code && !path && captions)
        code = common_refuse(e->self, o, DPL_E_MODEL,
                             "--captions needs a model of sentences (--text-model FILE)");
    o->beside[0] = path;
    o->beside[1] = merges;
    o->beside[2] = captions;
    if (!code)
        code = common_open_pipeline(&e->pipeline, e->self, o, e->gallery, e->o->min_quality);
    if (!code && path)
        code = common_open_text(&e->text, e->self, o, path, merges);
    free(path);
    free(merges);
    o->beside[0] = o->beside[1] = NULL;
    return code;
}

static int run(enroll *e, enroll_options *o, size_t n, const char *const *paths)
{
    const char *title = o->nobodys ? "Scan" : "Enrolment";
    dpl_enroll_options options = DPL_ENROLL_OPTIONS_INIT;
    dpl_gallery_counts counts;
    dpl_enroll_report report;
    dpl_error err;
    html page;
    int code;

    o->common.tidies = common_above_new_gallery(e->self, &o->common);
    code = common_open_gallery(&e->gallery, e->self, &o->common, DPL_GALLERY_CREATE);
    if (!code)
        code = open_models(e, &o->common, o->captions);
    if (!code)
        code = html_open(&page, e->self, &o->common, title);
    if (code)
        return code;
    html_heading(&page, title);
    if (page.f)
        e->refused_part.f = text_need(open_memstream(&e->refused, &e->n_refused_bytes));
    options.name = o->name;
    options.faces = (dpl_faces_policy)o->faces;
    options.follow_links = o->common.follow_links;
    options.force = o->force;
    options.n_threads = o->common.n_threads;
    options.prune = o->prune || o->prune_absent;
    options.prune_absent = o->prune_absent;
    options.dry_run = o->dry_run;
    options.may_rename = may_rename;
    options.preview_px = page.f ? PREVIEW_SIDE_PX : 0;
    options.cancel = common_watch_signals();
    options.nobodys = o->nobodys;
    options.text = e->text ? dpl_text_pipeline_encoder(e->text) : NULL;
    options.captions = o->captions;
    options.on_event = on_event;
    options.on_progress = on_progress;
    options.ctx = e;
    progress_start(&e->progress, "photos", o->common.quiet);
    const dpl_status status =
        dpl_enroll(&report, e->gallery, e->pipeline, paths, n, &options, &err);
    progress_wipe(&e->progress);
    code = dpl_status_exit_code(report.worst);
    if (status != DPL_OK)
        code = common_fail(e->self, &e->o->common, &err);
    else if (look_for_doubts(e, &err) != DPL_OK)
        code = common_fail(e->self, &e->o->common, &err);
    if (e->refused_part.f && fclose(e->refused_part.f) != 0)
        text_need(NULL);
    if (dpl_gallery_count(&counts, e->gallery, &err) != DPL_OK ||
        (page.f && write_page(e, &page, &report, &counts, &err) != DPL_OK)) {
        html_abandon(&page);
        return common_fail(e->self, &e->o->common, &err);
    }
    /* A refusal is something: it is not looked at again, and "info --failed" tells it. */
    e->made_for_nothing = counts.n_photos == 0 || o->dry_run;
    if (o->common.json)
        json_print(enroll_report_json(e->self->name, &report, e->n_by_status, &counts,
                                      dpl_gallery_dir(e->gallery), e->pipeline));
    else
        report_text(e, &report, &counts);
    const int written = html_close(&page, e->self, &o->common);
    return written > code ? written : code;
}

int enroll_command(const command *self, enroll_options *o, int argc, char **argv)
{
    enroll e = {.self = self, .o = o, .made_for_nothing = true};
    char *typed = common_typed(argc, argv);
    int n, code = options_read(self, o, argc, argv, &n);
    const char **inputs;

    if (!code && n < 1)
        code = options_usage(self, "it takes a folder of photos, or photos");
    for (int i = 0; !code && i < n; i++)
        if (common_is_input(argv[1 + i]))
            code = options_usage(self, "a photo in a gallery is known by its path, and one on "
                                       "standard input has none (a file called - is ./-)");
    if (code) {
        free(typed);
        return code;
    }
    o->common.typed = typed;
    o->common.adds_pictures = true;
    inputs = common_inputs(&o->common.n_inputs, (const char *const *)(argv + 1), (size_t)n,
                           o->common.follow_links);
    inputs = common_add_sidecars(inputs, &o->common.n_inputs, (const char *const *)(argv + 1),
                                 (size_t)n);
    o->common.inputs = inputs;
    code = run(&e, o, (size_t)n, (const char *const *)(argv + 1));
    free(typed);
    free(o->common.tidies);
    free(e.refused);
    free_names(e.people, e.n_people);
    free_names(e.noted, e.n_noted);
    doubt_list_clear(&e.doubts);
    common_inputs_free(inputs, o->common.n_inputs);
    for (int i = 0; i < N_STATUSES; i++)
        free(e.first[i]);
    dpl_pipeline_close(e.pipeline);
    dpl_text_pipeline_close(e.text);
    /* None is made for an enrolment that has nothing to remember. */
    if (e.made_for_nothing)
        dpl_gallery_abandon(e.gallery);
    else
        dpl_gallery_close(e.gallery);
    return code;
}
