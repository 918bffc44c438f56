/*
 * cmd_group.c - `doppel group`: the faces of nobody, gathered by who they show.
 */
#include <stdlib.h>
#include <string.h>

#include "app/answer_group.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/html.h"
#include "app/json_print.h"
#include "app/progress.h"

enum { SHOWN = 12 }; /* faces of a group on the page */

typedef struct group_options {
    common common;
    double precision;
    int min_size, limit;
    bool dry_run, list;
} group_options;

#define AT(member) offsetof(group_options, member)

static const option_spec own[] = {
    {.name = "precision",
     .letter = 'p',
     .kind = OPTION_REAL,
     .offset = AT(precision),
     .value = "P",
     .help = "share of a group that is of one person, .9 to .995 (default .99)",
     .low = DPL_GROUP_PRECISION_MIN,
     .high = DPL_GROUP_PRECISION_MAX},
    {.name = "limit",
     .letter = 'k',
     .kind = OPTION_INT,
     .offset = AT(limit),
     .value = "N",
     .help = "tell the N largest (default 20; 0: all)",
     .low = 0,
     .high = 1000000000},
    {.name = "min-size",
     .kind = OPTION_INT,
     .offset = AT(min_size),
     .value = "N",
     .help = "tell groups of N faces and more (default 2)",
     .low = 2,
     .high = 1000000000},
    {.name = "list",
     .letter = 'l',
     .kind = OPTION_FLAG,
     .offset = AT(list),
     .once = true,
     .help = "only tell the groups as they were made last"},
    {.name = "dry-run",
     .letter = 'n',
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .once = true,
     .help = "only tell what the groups would be; new numbers may be others then"},
    {0}};

const option_spec *const options_of_group[] = {
    own, options_threads, options_html, options_gallery, options_models, options_output, NULL};

typedef struct grouping {
    const command *self;
    const group_options *o;
    dpl_gallery *gallery;
    dpl_pipeline *pipeline;
    progress progress;
    table table;
    html page;
    int64_t n_told;
} grouping;

/* ------------------------------------------------------------------ the page */

static dpl_status show_face(void *ctx, const dpl_template_row *row)
{
    const html *page = ctx;

    html_jpeg(page, row->thumb, row->n_thumb, row->photo_path);
    return DPL_OK;
}

/* A link to a file: what a URL gives a meaning, and all that is not ASCII, as %XX. */
static void begin_link(const html *page, const char *path)
{
    fputs("<a href=\"file://", page->f);
    for (const unsigned char *s = (const unsigned char *)path; *s; s++)
        if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
            strchr("/-._~", *s))
            fputc(*s, page->f);
        else
            fprintf(page->f, "%%%02X", *s);
    fputs("\">", page->f);
}

static void page_group(const grouping *g, const dpl_group_row *row)
{
    const html *page = &g->page;
    char faces[64], photos[64];

    fprintf(page->f, "<section class=\"card\" id=\"g%lld\"><h2>Group %lld</h2>\n",
            (long long)row->number, (long long)row->number);
    fprintf(page->f, "<p>%s in %s", text_counted(faces, row->n_faces, "face"),
            text_counted(photos, row->n_photos, "photo"));
    if (row->like) {
        fputs("; perhaps <b>", page->f);
        html_text(page, row->like);
        fputs("</b>", page->f);
    }
    fputs("</p>\n<div class=\"strip\">", page->f);
    for (int64_t i = 0; i < row->n_faces && i < SHOWN; i++) {
        const bool is_file = row->members[i].photo_path[0] == '/';

        if (is_file)
            begin_link(page, row->members[i].photo_path);
        /* A face that another process has removed since is one picture less. */
        dpl_gallery_get_template(g->gallery, row->members[i].template_id, show_face, (void *)page,
                                 NULL);
        if (is_file)
            fputs("</a>", page->f);
    }
    fputs("</div>\n<p class=\"mono\">doppel name ", page->f);
    fprintf(page->f, "%lld ", (long long)row->number);
    html_text(page, row->like ? row->like : "NAME");
    fputs("</p></section>\n", page->f);
}

/* ------------------------------------------------------------------ telling */

static dpl_status on_group(void *ctx, const dpl_group_row *row)
{
    grouping *g = ctx;
    const dpl_group_member *best = &row->members[0];
    char number[32], faces[32], photos[32];

    progress_wipe(&g->progress);
    g->n_told++;
    if (g->page.f)
        page_group(g, row);
    if (g->o->common.json) {
        json_print(group_json(row, dpl_pipeline_calibration(g->pipeline)));
        return DPL_OK;
    }
    snprintf(number, sizeof number, "%lld", (long long)row->number);
    char *face = text_format("%s#%d", common_from_here(best->photo_path), (int)best->number);
    const char *cells[] = {number, text_count(faces, row->n_faces),
                           text_count(photos, row->n_photos), row->like ? row->like : "-", face};
    table_add(&g->table, row->like ? TONE_GOOD : TONE_PLAIN, cells);
    free(face);
    return DPL_OK;
}

static void on_progress(void *ctx, int64_t n_done, int64_t n_total)
{
    grouping *g = ctx;

    progress_step(&g->progress, n_done, n_total);
}

static void tell_text(grouping *g, const dpl_group_report *r, int64_t n_groups)
{
    const group_options *o = g->o;
    char groups[64], faces[64], single[64], poor[64];

    if (r) {
        printf("%s%s of %s", o->dry_run ? "would be: " : "",
               text_counted(groups, n_groups, "group"), text_counted(faces, r->n_grouped, "face"));
        printf("; %s alone", text_counted(single, r->n_single, "face"));
        if (r->n_too_poor)
            printf(", %s too poor to group", text_count(poor, r->n_too_poor));
        putchar('\n');
        if (!r->exact)
            printf("compared by an index that finds %.1f %% of the nearest faces\n",
                   100 * r->recall);
    } else {
        printf("%s\n", text_counted(groups, n_groups, "group"));
    }
    if (g->n_told > 0)
        table_print(&g->table, stdout, (color_when)o->common.color, 2);
    if (g->n_told > 0 && g->n_told < n_groups)
        printf("and %s more (--limit 0 tells all)\n", text_count(groups, n_groups - g->n_told));
    if (o->common.quiet)
        return;
    if (r && r->n_faces == 0)
        puts("there are no faces of nobody");
    else if (n_groups > 0 && !o->dry_run)
        puts("doppel name NUMBER NAME gives a group its name");
}

/* ------------------------------------------------------------------ the command */

static dpl_status make(grouping *g, dpl_group_report *report, dpl_error *err)
{
    const group_options *o = g->o;
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    dpl_status status;

    options.precision = o->precision;
    options.n_threads = o->common.n_threads;
    options.cancel = common_watch_signals();
    options.on_progress = on_progress;
    options.on_group = on_group;
    options.ctx = g;
    options.min_faces = o->min_size;
    options.limit = o->limit;
    dpl_gallery_rehearse(g->gallery, o->dry_run);
    progress_start(&g->progress, "faces", o->common.quiet);
    status = dpl_group(report, g->gallery, g->pipeline, &options, err);
    progress_wipe(&g->progress);
    return status;
}

static dpl_status list(grouping *g, int64_t *n_groups, dpl_error *err)
{
    dpl_groups_options options = DPL_GROUPS_OPTIONS_INIT;

    options.min_faces = g->o->min_size;
    options.limit = g->o->limit;
    return dpl_gallery_each_group(g->gallery, g->pipeline, &options, n_groups, on_group, g, err);
}

static int run(grouping *g)
{
    const group_options *o = g->o;
    dpl_group_report report = {0};
    const dpl_group_report *r = o->list ? NULL : &report;
    int64_t n_groups = 0;
    dpl_error err;
    dpl_status status;
    int code = common_open_gallery(&g->gallery, g->self, &o->common,
                                   o->list ? DPL_GALLERY_READ : DPL_GALLERY_WRITE);

    if (!code)
        code = common_open_pipeline(&g->pipeline, g->self, &o->common, g->gallery, 0);
    if (!code)
        code = html_open(&g->page, g->self, &o->common, "Who are they?");
    if (code)
        return code;
    html_heading(&g->page, "Who are they?");
    status = o->list ? list(g, &n_groups, &err) : make(g, &report, &err);
    if (status != DPL_OK) {
        html_abandon(&g->page);
        return common_fail(g->self, &o->common, &err);
    }
    if (r)
        n_groups = r->n_groups;
    common_notice(g->self, &o->common, g->gallery);
    if (o->common.json)
        json_print(groups_json(r, n_groups, o->precision, o->dry_run));
    else
        tell_text(g, r, n_groups);
    if (g->page.f) {
        html_made(&g->page, &o->common, g->pipeline);
        html_made_end(&g->page);
    }
    code = html_close(&g->page, g->self, &o->common);
    return code ? code : n_groups > 0 ? 0 : 1;
}

int cmd_group(const command *self, int argc, char **argv)
{
    static const char *const heads[] = {"group", "faces", "photos", "perhaps", "best face"};
    group_options o = {.common = COMMON_INIT, .precision = 0.99, .min_size = 2, .limit = 20};
    grouping g = {.self = self, .o = &o, .table = {.align = "rrrll"}};
    char *typed = common_typed(argc, argv);
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 0)
        code = options_usage(self, "it takes no argument");
    if (!code && o.list && o.dry_run)
        code = options_usage(self, "--list and --dry-run exclude each other");
    if (code) {
        free(typed);
        return code;
    }
    o.common.typed = typed;
    o.common.faces_only = true;
    table_add(&g.table, TONE_FAINT, heads);
    code = run(&g);
    table_clear(&g.table);
    dpl_pipeline_close(g.pipeline);
    dpl_gallery_close(g.gallery);
    free(typed);
    return code;
}
