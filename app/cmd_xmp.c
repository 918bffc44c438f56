/*
 * cmd_xmp.c - `doppel xmp`: names of faces into the sidecars of photos, and in from them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_xmp.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/photo_folders.h"
#include "app/progress.h"

typedef struct xmp_options {
    common common;
    bool dry_run, overwrite, verbose;
} xmp_options;

#define AT(field) offsetof(xmp_options, field)

static const option_spec own[] = {
    {.name = "overwrite",
     .kind = OPTION_FLAG,
     .offset = AT(overwrite),
     .once = true,
     .help = "names that others gave, too; when reading, names given by hand"},
    {.name = "dry-run",
     .letter = 'n',
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .once = true,
     .help = "only tell what would be done"},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_FLAG,
     .offset = AT(verbose),
     .help = "tell of every photo and every region"},
    {0}};

const option_spec *const options_of_xmp[] = {own, options_gallery, options_output, NULL};

typedef struct xmp {
    const command *self;
    const xmp_options *o;
    progress progress;
} xmp;

static void put_word(const char *word)
{
    fputs(word, stdout);
    putchar(' ');
}

static void tell_written(const dpl_xmp_event *event)
{
    const dpl_sidecar_report *w = event->written;

    put_word(w->is_new ? "new" : w->n_added + w->n_renamed + w->n_removed ? "changed" : "same");
    text_put(stdout, event->sidecar);
    printf(": %zu added, %zu renamed, %zu removed, %zu there, %zu another's\n", w->n_added,
           w->n_renamed, w->n_removed, w->n_same, w->n_kept);
}

static void tell_regions(const dpl_xmp_event *event)
{
    static const char *const words[] = {[DPL_REGION_NAMED] = "named",
                                        [DPL_REGION_SAME] = "same",
                                        [DPL_REGION_KEPT] = "kept",
                                        [DPL_REGION_NO_FACE] = "no-face",
                                        [DPL_REGION_UNNAMED] = "unnamed"};

    for (size_t i = 0; i < event->regions->n; i++) {
        put_word(words[event->fates[i]]);
        text_put(stdout, event->photo);
        fputs(": ", stdout);
        text_put(stdout, event->regions->items[i].name);
        putchar('\n');
    }
}

static void on_event(void *ctx, const dpl_xmp_event *event)
{
    xmp *x = ctx;
    const common *o = &x->o->common;
    const dpl_error *why = NULL;
    dpl_error err;

    progress_step(&x->progress, event->n_done, event->n_total);
    if (o->json) {
        progress_wipe(&x->progress);
        json_print(xmp_photo_json(event));
        return;
    }
    if (event->status) {
        err.status = event->status;
        strncpy(err.message, event->message, sizeof err.message - 1);
        err.message[sizeof err.message - 1] = '\0';
        why = &err;
    }
    if (why && !o->quiet) {
        progress_wipe(&x->progress);
        common_say(x->self, why);
    }
    if (why || !x->o->verbose)
        return;
    progress_wipe(&x->progress);
    if (event->written)
        tell_written(event);
    if (event->regions)
        tell_regions(event);
}

static const char *would(const xmp *x, const char *done, const char *to_do)
{
    return x->o->dry_run ? to_do : done;
}

static void tell_whole(const xmp *x, const dpl_xmp_report *r, bool writes)
{
    char photos[64], named[64], a[32], b[32], c[32], d[32], e[32];

    if (x->o->common.json) {
        json_print(xmp_json(r, writes, x->o->dry_run));
        return;
    }
    text_counted(photos, r->n_photos, "photo");
    if (writes) {
        printf("%s: %s %s new and %s existing sidecars\n", photos, would(x, "wrote", "would write"),
               text_count(a, r->n_sidecars_new), text_count(b, r->n_sidecars_changed));
        printf("regions: %s added, %s renamed, %s removed, %s there, %s with another's name kept\n",
               text_count(a, r->n_added), text_count(b, r->n_renamed), text_count(c, r->n_removed),
               text_count(d, r->n_same), text_count(e, r->n_kept));
    } else {
        printf("%s with a sidecar: %s %s by their regions\n", photos,
               would(x, "named", "would name"), text_counted(named, r->n_named, "face"));
        printf("other regions: %s named the same, %s with another name kept, %s on no face of the "
               "gallery, %s unnamed\n",
               text_count(a, r->n_same), text_count(b, r->n_kept), text_count(c, r->n_no_face),
               text_count(d, r->n_unnamed));
        if (r->n_not_enrolled)
            printf("%s with a sidecar not in the gallery: doppel scan or enroll them first\n",
                   text_counted(photos, r->n_not_enrolled, "photo"));
    }
    if (r->n_refused)
        printf("%s refused\n", text_counted(photos, r->n_refused, "photo"));
}

/* What is given is a person's name first, else a path as the ledger has it. */
static int sort_arguments(const xmp *x, dpl_gallery *gallery, char **given, size_t n,
                          const char **persons, size_t *n_persons, const char **paths,
                          size_t *n_paths)
{
    for (size_t i = 0; i < n; i++) {
        bool is_person = false;
        int code = strncmp(given[i], "./", 2) == 0
                       ? 0
                       : common_has_person(&is_person, x->self, &x->o->common, gallery, given[i]);

        if (code)
            return code;
        if (is_person)
            persons[(*n_persons)++] = given[i];
        else
            paths[(*n_paths)++] = text_need(common_full_path(given[i]));
    }
    return 0;
}

static int run(xmp *x, dpl_gallery *gallery, bool writes, char **given, size_t n)
{
    const char **persons = text_need(calloc(n + 1, sizeof *persons));
    const char **paths = text_need(calloc(n + 1, sizeof *paths));
    dpl_xmp_options options = DPL_XMP_OPTIONS_INIT;
    size_t n_persons = 0, n_paths = 0;
    dpl_xmp_report report;
    dpl_status status;
    dpl_error err;
    int code = 0;

    options.overwrite = x->o->overwrite;
    options.dry_run = x->o->dry_run;
    options.decode.max_pixels = (uint64_t)x->o->common.max_pixels;
    options.cancel = common_watch_signals();
    options.on_event = on_event;
    options.ctx = x;
    progress_start(&x->progress, writes ? "photos" : "files", x->o->common.quiet);
    if (writes) {
        code = sort_arguments(x, gallery, given, n, persons, &n_persons, paths, &n_paths);
        status = code ? DPL_OK
                      : dpl_xmp_write(&report, gallery, persons, n_persons, paths, n_paths,
                                      &options, &err);
    } else {
        status = dpl_xmp_read(&report, gallery, (const char *const *)given, n, &options, &err);
    }
    progress_wipe(&x->progress);
    if (!code && (!status || status == DPL_E_CANCELLED))
        tell_whole(x, &report, writes);
    if (!code)
        code =
            status ? common_fail(x->self, &x->o->common, &err) : dpl_status_exit_code(report.worst);
    for (size_t i = 0; i < n_paths; i++)
        free((char *)(uintptr_t)paths[i]);
    free(paths);
    free(persons);
    return code;
}

/* Sidecars come from anywhere, like photos. They are read beside photos that are given, and written
 * beside those of the gallery. */
static int enter_sandbox(const xmp *x, dpl_gallery *gallery, bool writes, char **given, size_t n)
{
    common o = x->o->common;
    photo_folders folders = {0};
    const char *const *paths = (const char *const *)given;
    const char **inputs;
    dpl_error err;

    if (writes && photo_folders_find(&folders, gallery, &err) != DPL_OK) {
        photo_folders_clear(&folders);
        return common_fail(x->self, &x->o->common, &err);
    }
    o.writes = folders.paths;
    o.n_writes = folders.n;
    inputs = common_inputs(&o.n_inputs, paths, writes ? 0 : n, false);
    inputs = common_add_sidecars(inputs, &o.n_inputs, paths, writes ? 0 : n);
    o.inputs = inputs;
    common_enter_sandbox_with(&o, gallery, NULL, 0);
    photo_folders_clear(&folders);
    common_inputs_free(inputs, o.n_inputs);
    return 0;
}

int cmd_xmp(const command *self, int argc, char **argv)
{
    xmp_options o = {.common = COMMON_INIT};
    xmp x = {.self = self, .o = &o};
    dpl_gallery *gallery = NULL;
    bool writes = false;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code) {
        writes = n > 0 && strcmp(argv[1], "write") == 0;
        if (n == 0 || (!writes && strcmp(argv[1], "read") != 0))
            code = options_usage(self, "it takes \"write\" or \"read\" first");
        else if (!writes && n == 1)
            code = options_usage(self, "read takes photos or folders");
    }
    if (!code && !dpl_xmp_is_built())
        return common_refuse(self, &o.common, DPL_E_ARGUMENT,
                             "this doppel was built without XMP (exempi and expat)");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common,
                                   writes ? DPL_GALLERY_READ : DPL_GALLERY_WRITE);
    if (code)
        return code;
    code = enter_sandbox(&x, gallery, writes, argv + 2, (size_t)n - 1);
    if (!code)
        code = run(&x, gallery, writes, argv + 2, (size_t)n - 1);
    dpl_gallery_close(gallery);
    return code;
}
