/*
 * cmd_dupes.c - `doppel dupes`: which photos are copies of each other, and which of a burst.
 */
#include <stdlib.h>
#include <string.h>

#include "app/answer_dupes.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/html.h"
#include "app/json_print.h"
#include "app/progress.h"

enum {
    ENOUGH_PX = 512, /* what is decoded of a photo: more is not looked at */
    PAGE_SIDE_PX = 320,
    PAGE_GROUPS = 200, /* on the page */
    PAGE_PHOTOS = 24   /* of a group there */
};

typedef struct dupes_options {
    common common;
    double burst_s;
} dupes_options;

#define AT(member) offsetof(dupes_options, member)

static const option_spec own[] = {
    {.name = "burst",
     .kind = OPTION_REAL,
     .offset = AT(burst_s),
     .value = "SECONDS",
     .help =
         "photos alike that were taken within so many seconds are a burst (default 10; 0: none)",
     .low = 0,
     .high = 86400},
    {.name = "image-model",
     .kind = OPTION_TEXT,
     .offset = AT(common.image_model),
     .value = "FILE",
     .is_model = true,
     .group = OPTION_MODELS,
     .help = "the encoder for whole pictures (ONNX; default " DPL_MODEL_IMAGE ")"},
    {.name = "max-pixels",
     .kind = OPTION_INT,
     .offset = AT(common.max_pixels),
     .value = "N",
     .group = OPTION_LIMITS,
     .help = "refuse photos of more pixels than this (default 256000000)",
     .low = 1,
     .high = 2147483647},
    {.name = "max-memory",
     .kind = OPTION_BYTES,
     .offset = AT(common.max_memory_bytes),
     .value = "BYTES",
     .group = OPTION_LIMITS,
     .help = "memory for photos in work, of all threads together (default 768M)"},
    {0}};

const option_spec *const options_of_dupes[] = {
    own, options_walk, options_threads, options_gallery, options_html, options_output, NULL};

typedef struct dupes {
    const command *self;
    const dupes_options *o;
    dpl_pipeline *pipeline;
    dpl_gallery *gallery; /* whose photos they are; NULL: of folders */
    progress progress;
    bool comparing; /* photos are done, pairs are counted */
    int64_t n_groups;
    html page;
} dupes;

/* ------------------------------------------------------------------ events */

static void on_photo(void *ctx, const dpl_photos_event *event)
{
    dupes *d = ctx;

    if (event->status != DPL_OK) {
        progress_wipe(&d->progress);
        if (d->o->common.json)
            json_print(dupes_failure_json(event));
        fprintf(stderr, "doppel %s: ", d->self->name);
        text_put(stderr, event->message);
        fputc('\n', stderr);
    }
    progress_step(&d->progress, event->n_done, event->n_total);
}

static void on_compared(void *ctx, int64_t n_done, int64_t n_total)
{
    dupes *d = ctx;

    if (!d->comparing) {
        progress_wipe(&d->progress);
        progress_start(&d->progress, "pairs", d->o->common.quiet);
        d->comparing = true;
    }
    progress_step(&d->progress, n_done, n_total);
}

/* ------------------------------------------------------------------ text */

static void line(const dupes *d, const dpl_copy *c, tone t, const char *word)
{
    char *size = text_format("%dx%d", (int)c->width_px, (int)c->height_px);

    fputs("  ", stdout);
    text_tone(stdout, (color_when)d->o->common.color, t, word);
    printf(" %-9s ", size);
    text_put(stdout, common_from_here(c->path));
    putchar('\n');
    free(size);
}

static void group_text(const dupes *d, const dpl_copy *photos, size_t n)
{
    const bool burst = photos[1].kind == DPL_COPY_BURST;
    char count[64];

    printf("%s, %s\n", burst ? "burst" : "one picture", text_counted(count, (int64_t)n, "photo"));
    line(d, &photos[0], TONE_GOOD, "keep");
    for (size_t i = 1; i < n; i++) {
        char *words = text_need(dupes_words(&photos[i]));
        char *evidence = text_need(dupes_evidence(&photos[i]));

        line(d, &photos[i], TONE_PLAIN, burst ? "like" : "copy");
        fputs("                 ", stdout);
        text_put(stdout, words);
        if (evidence[0])
            printf("; %s", evidence);
        putchar('\n');
        free(words);
        free(evidence);
    }
}

static void report_text(const dpl_copies_report *r)
{
    char a[64], b[64], c[64];

    printf("%s: ", text_counted(a, r->photos.n_files, "photo"));
    if (r->n_groups == 0 && r->n_bursts == 0)
        fputs("no copies, no bursts", stdout);
    if (r->n_groups)
        printf("%s of %s beside what to keep, %s bytes", text_counted(a, r->n_copies, "photo"),
               text_counted(b, r->n_groups, "picture"), text_count(c, r->copies_bytes));
    if (r->n_bursts)
        printf("%s%s with %s beside the one to keep", r->n_groups ? "; " : "",
               text_counted(a, r->n_bursts, "burst"), text_counted(b, r->n_burst_photos, "photo"));
    putchar('\n');
    if (r->n_groups || r->n_bursts)
        puts("  nothing is removed; what to keep is the largest in pixels, then the sharpest, then "
             "the oldest");
    if (r->n_untold)
        printf("  %s of copies not shown: each is a copy of another one to keep\n",
               text_counted(a, r->n_untold, "pair"));
    if (r->n_known)
        printf("  %s by the gallery's vector, not encoded again\n",
               text_counted(a, r->n_known, "photo"));
    if (r->photos.n_failed)
        printf("  %s not read\n", text_counted(a, r->photos.n_failed, "photo"));
    if (r->photos.n_passed_over)
        printf("  %s passed over: no pictures\n", text_counted(a, r->photos.n_passed_over, "file"));
    if (r->photos.n_left_out)
        printf("  %s left out: what machines put aside, or an ignore file names\n",
               text_counted(a, r->photos.n_left_out, "name"));
    if (r->photos.n_links)
        printf("  %s out of these folders not followed (--follow-links follows them)\n",
               text_counted(a, r->photos.n_links, "link"));
    if (!r->exact)
        printf(
            "  so many photos are proposed by an index, which finds %.1f %% of the pictures most "
            "alike\n",
            100 * r->recall);
}

/* ------------------------------------------------------------------ the page */

static void page_photo(const dupes *d, const dpl_copy *c, bool keep)
{
    dpl_decode_options small = DPL_DECODE_OPTIONS_INIT;
    dpl_image image, shown = DPL_IMAGE_INIT;
    uint8_t *jpeg = NULL;
    size_t n = 0;
    char *words = text_need(dupes_words(c)), *evidence = text_need(dupes_evidence(c));
    const char *slash = strrchr(c->path, '/');

    fputs("<div>", d->page.f);
    small.enough_px = PAGE_SIDE_PX;
    small.max_pixels = (uint64_t)d->o->common.max_pixels;
    small.max_bytes = d->o->common.max_memory_bytes;
    if (dpl_image_open(&image, c->path, &small, NULL) == DPL_OK) {
        const int32_t larger = image.width_px > image.height_px ? image.width_px : image.height_px;
        const int32_t side = larger < PAGE_SIDE_PX ? larger : PAGE_SIDE_PX;
        const int32_t w = (int32_t)((int64_t)image.width_px * side / larger);
        const int32_t h = (int32_t)((int64_t)image.height_px * side / larger);

        if (dpl_image_resize(&shown, &image, w > 0 ? w : 1, h > 0 ? h : 1, NULL) == DPL_OK &&
            dpl_image_to_jpeg(&jpeg, &n, &shown, 82, NULL) == DPL_OK)
            html_jpeg(&d->page, jpeg, n, slash ? slash + 1 : c->path);
        dpl_image_clear(&shown);
        dpl_image_clear(&image);
    }
    dpl_bytes_free(jpeg);
    fprintf(d->page.f, "<p><span class=\"tag %s\">%s</span> %d × %d</p><p>",
            keep ? "good" : "plain",
            keep                        ? "keep"
            : c->kind == DPL_COPY_BURST ? "like it"
                                        : "copy",
            (int)c->width_px, (int)c->height_px);
    html_path(&d->page, c->path);
    fputs("</p>\n", d->page.f);
    if (!keep) {
        html_paragraph(&d->page, "", words);
        html_paragraph(&d->page, "soft", evidence);
    }
    fputs("</div>\n", d->page.f);
    free(words);
    free(evidence);
}

static void group_page(const dupes *d, const dpl_copy *photos, size_t n)
{
    char count[64];

    if (d->n_groups > PAGE_GROUPS)
        return;
    fprintf(d->page.f, "<section class=\"card\"><h2>%s, %s</h2><div class=\"people many\">\n",
            photos[1].kind == DPL_COPY_BURST ? "A burst" : "One picture",
            text_counted(count, (int64_t)n, "photo"));
    for (size_t i = 0; i < n && i < PAGE_PHOTOS; i++)
        page_photo(d, &photos[i], i == 0);
    fputs("</div>", d->page.f);
    if (n > PAGE_PHOTOS)
        fprintf(d->page.f, "<p class=\"soft\">and %s</p>",
                text_counted(count, (int64_t)n - PAGE_PHOTOS, "more photo"));
    fputs("</section>\n", d->page.f);
}

static void page_end(const dupes *d, const dpl_copies_report *r)
{
    char count[64];

    if (!d->page.f)
        return;
    if (d->n_groups == 0)
        html_paragraph(&d->page, "", "No copies and no bursts.");
    if (d->n_groups > PAGE_GROUPS)
        fprintf(d->page.f, "<p class=\"soft\">The first %d of %s.</p>\n", PAGE_GROUPS,
                text_counted(count, d->n_groups, "group"));
    fputs("<section class=\"card\"><h2>This run</h2><dl class=\"facts\">", d->page.f);
    html_fact(&d->page, "photos", "%s", text_count(count, r->photos.n_files));
    html_fact(&d->page, "not read", "%s", text_count(count, r->photos.n_failed));
    html_fact(&d->page, "copies", "%s", text_count(count, r->n_copies));
    html_fact(&d->page, "of pictures", "%s", text_count(count, r->n_groups));
    html_fact(&d->page, "bursts", "%s", text_count(count, r->n_bursts));
    fputs("</dl><p class=\"soft\">Nothing is removed. What to keep is the largest in pixels, then "
          "the "
          "sharpest, then the oldest.</p></section>\n",
          d->page.f);
    html_made(&d->page, &d->o->common, d->pipeline);
    html_made_end(&d->page);
}

static void on_group(void *ctx, const dpl_copy *photos, size_t n)
{
    dupes *d = ctx;

    d->n_groups++;
    progress_wipe(&d->progress);
    if (d->o->common.json)
        json_print(dupes_group_json(photos, n));
    else
        group_text(d, photos, n);
    if (d->page.f)
        group_page(d, photos, n);
}

/* ------------------------------------------------------------------ the command */

/* The pictures' encoder alone, which stands in the place of a face's. */
static int open_models(dupes *d)
{
    const common *o = &d->o->common;
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    char *model = common_model_path(d->self, o, o->image_model, DPL_MODEL_IMAGE, "image-model");
    dpl_error err;
    int code = dpl_status_exit_code(DPL_E_MODEL);

    if (!model)
        return code;
    options.encoder_path = model;
    options.decode.enough_px = ENOUGH_PX;
    options.decode.max_pixels = (uint64_t)o->max_pixels;
    options.decode.max_bytes = o->max_memory_bytes;
    options.net = common_model_limits(o);
    common_enter_sandbox(o, d->gallery, &options);
    code = dpl_pipeline_open(&d->pipeline, &options, &err) == DPL_OK
               ? 0
               : common_fail(d->self, o, &err);
    free(model);
    return code;
}

static int run(dupes *d, const char *const *paths, size_t n)
{
    const common *o = &d->o->common;
    dpl_copies_options options = DPL_COPIES_OPTIONS_INIT;
    dpl_copies_report report;
    dpl_error err;
    dpl_status status;
    int code = open_models(d), written;

    if (!code)
        code = html_open(&d->page, d->self, o, "Copies");
    if (code)
        return code;
    html_heading(&d->page, "Copies");
    d->page.has_pictures = true;
    options.burst_s = d->o->burst_s;
    options.follow_links = d->o->common.follow_links;
    options.n_threads = d->o->common.n_threads;
    options.cancel = common_watch_signals();
    options.on_photo = on_photo;
    options.on_compared = on_compared;
    options.on_group = on_group;
    options.ctx = d;
    options.gallery = d->gallery;
    progress_start(&d->progress, "photos", o->quiet);
    status = dpl_find_copies(&report, d->pipeline, paths, n, &options, &err);
    progress_wipe(&d->progress);
    if (status != DPL_OK) {
        html_abandon(&d->page);
        return common_fail(d->self, o, &err);
    }
    if (o->json)
        json_print(dupes_report_json(&report, d->pipeline));
    else
        report_text(&report);
    page_end(d, &report);
    written = html_close(&d->page, d->self, o);
    code = d->n_groups > 0 ? 0 : 1;
    if (dpl_status_exit_code(report.photos.worst) > code)
        code = dpl_status_exit_code(report.photos.worst);
    return written > code ? written : code;
}

/* ------------------------------------------------------------------ of a gallery */

typedef struct path_list {
    char **paths;
    size_t n, cap;
} path_list;

static dpl_status take_path(void *ctx, const dpl_photo_row *row)
{
    path_list *l = ctx;

    if (row->path[0] != '/') /* it came from somewhere else */
        return DPL_OK;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 256;
        l->paths = text_need(realloc(l->paths, l->cap * sizeof *l->paths));
    }
    l->paths[l->n++] = text_format("%s", row->path);
    return DPL_OK;
}

static int list_gallery(path_list *l, dupes *d)
{
    const common *o = &d->o->common;
    dpl_error err;
    int code = common_open_gallery(&d->gallery, d->self, o, DPL_GALLERY_READ);

    if (!code && dpl_gallery_each_photo(d->gallery, NULL, take_path, l, &err) != DPL_OK)
        code = common_fail(d->self, o, &err);
    return code;
}

int cmd_dupes(const command *self, int argc, char **argv)
{
    static const char *const everything[] = {"/"};
    dupes_options o = {.common = COMMON_INIT, .burst_s = 10};
    dupes d = {.self = self, .o = &o};
    char *typed = common_typed(argc, argv);
    path_list listed = {0};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 0 && o.common.gallery)
        code = options_usage(self, "it takes folders and photos, or --gallery, not both");
    if (code) {
        free(typed);
        return code;
    }
    o.common.typed = typed;
    o.common.inputs =
        n > 0 && !o.common.follow_links ? (const char *const *)(argv + 1) : everything;
    o.common.n_inputs = n > 0 && !o.common.follow_links ? (size_t)n : 1;
    if (n == 0)
        code = list_gallery(&listed, &d);
    if (!code)
        code = n > 0 ? run(&d, (const char *const *)(argv + 1), (size_t)n)
                     : run(&d, (const char *const *)listed.paths, listed.n);
    for (size_t i = 0; i < listed.n; i++)
        free(listed.paths[i]);
    free(listed.paths);
    dpl_pipeline_close(d.pipeline);
    dpl_gallery_close(d.gallery);
    free(typed);
    return code;
}
