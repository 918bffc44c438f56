/*
 * cmd_forget.c - `doppel forget`: people or photos out of the gallery, with the proof that nothing
 * of them is found any more.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/answer_audit.h"
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

typedef struct forget_options {
    common common;
    bool dry_run;
    const char *receipt;
} forget_options;

static const option_spec own[] = {{.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(forget_options, dry_run),
                                   .once = true,
                                   .help = "only tell what would be forgotten"},
                                  {.name = "receipt",
                                   .kind = OPTION_TEXT,
                                   .offset = offsetof(forget_options, receipt),
                                   .value = "FILE",
                                   .help = "write a receipt, a JSON line for each answer, into a "
                                           "new file; doppel audit checks it later"},
                                  {0}};

const option_spec *const options_of_forget[] = {own, options_html, options_gallery, options_output,
                                                NULL};

typedef struct forgetting {
    const command *self;
    const forget_options *o;
    dpl_gallery *gallery;
    bool proved;    /* nothing forgotten is still found */
    FILE *receipts; /* NULL: none is asked for */
    html page;
} forgetting;

/* On disk when this returns: what it says is gone cannot be asked for again. 0, or an exit code
   after a message. */
static int write_receipt(const forgetting *f, const char *person, const char *const *paths,
                         size_t n_paths, const dpl_forget_report *report)
{
    char *receipt;
    dpl_error err;

    if (f->o->dry_run || (!f->receipts && !f->page.f))
        return 0;
    if (dpl_forget_receipt(&receipt, f->gallery, report, person, paths, n_paths, &err) != DPL_OK)
        return common_fail(f->self, &f->o->common, &err);
    receipt_put_html(&f->page, person, receipt);
    if (f->receipts && (fprintf(f->receipts, "%s\n", receipt) < 0 || fflush(f->receipts) != 0 ||
                        fsync(fileno(f->receipts)) != 0)) {
        const int code = common_refuse(
            f->self, &f->o->common, DPL_E_SYSTEM,
            "it is forgotten, but the receipt cannot be written to \"%s\": %s; it is %s",
            f->o->receipt, strerror(errno), receipt);

        free(receipt);
        return code;
    }
    free(receipt);
    return 0;
}

static bool is_in_a_database(const forgetting *f)
{
    return strstr(dpl_gallery_dir(f->gallery), "://") != NULL;
}

static void tell(forgetting *f, const char *person, const char *const *paths, size_t n_paths,
                 const dpl_forget_report *r)
{
    const bool is_left = r->n_left > 0 || r->n_strings_left > 0;
    char photos[64], templates[64], left[32], strings_left[32], strings[32];

    f->proved = f->proved && !is_left;
    if (f->o->common.json) {
        json_print(forget_json(person, paths, n_paths, f->o->dry_run, r));
        return;
    }
    fputs(f->o->dry_run ? "would forget " : "forgot ", stdout);
    if (person) {
        text_put(stdout, person);
        fputs(": ", stdout);
    }
    printf("%s, %s", text_counted(photos, r->n_photos, "photo"),
           text_counted(templates, r->n_templates, "template"));
    if (r->n_photos_kept)
        printf(" (of %s that show others, too, only faces)",
               text_counted(photos, r->n_photos_kept, "photo"));
    if (!f->o->dry_run) {
        fputs("; ", stdout);
        char *search = r->n_templates == 0
                           ? text_format("%s", "")
                           : text_format("a search still finds %s of %s, and ",
                                         r->n_left ? text_count(left, r->n_left) : "none",
                                         text_counted(templates, r->n_templates, "vector"));
        char *proof =
            text_format("%sthe gallery's %s hold %s of %s names, paths and hashes", search,
                        is_in_a_database(f) ? "tables" : "files",
                        r->n_strings_left ? text_count(strings_left, r->n_strings_left) : "none",
                        text_count(strings, r->n_strings));
        free(search);
        text_tone(stdout, (color_when)f->o->common.color, is_left ? TONE_BAD : TONE_GOOD, proof);
        free(proof);
        if (r->left_in[0]) {
            fputs(" (", stdout);
            text_put(stdout, r->left_in);
            putchar(')');
        }
    }
    putchar('\n');
}

static int forget(forgetting *f, const char *person, const char *const *paths, size_t n_paths)
{
    dpl_forget_report report;
    dpl_error err;

    if (dpl_gallery_forget(&report, f->gallery, person, paths, n_paths, f->o->dry_run, &err) !=
        DPL_OK)
        return common_fail(f->self, &f->o->common, &err);
    tell(f, person, paths, n_paths, &report);
    /* What is beyond its reach. */
    if (is_in_a_database(f) && !f->o->dry_run)
        common_notice(f->self, &f->o->common, f->gallery);
    return write_receipt(f, person, paths, n_paths, &report);
}

/* Whether the ledger has this photo; 0, or an exit code after a message. */
static dpl_status seen(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

/* Somebody who has photos, or of whom all photos were refused. */
static int is_person(bool *is, const forgetting *f, const char *name)
{
    dpl_forget_report report;
    dpl_error err;
    const dpl_status status = dpl_gallery_forget(&report, f->gallery, name, NULL, 0, 1, &err);

    *is = status == DPL_OK;
    return *is || status == DPL_E_NOT_FOUND ? 0 : common_fail(f->self, &f->o->common, &err);
}

static int check_photo(const forgetting *f, const char *typed, const char *path)
{
    dpl_error err;
    int found = 0;

    if (dpl_gallery_find_photo(f->gallery, path, NULL, seen, NULL, &found, &err) != DPL_OK)
        return common_fail(f->self, &f->o->common, &err);
    if (found)
        return 0;
    return common_no_person_or_photo(f->self, &f->o->common, f->gallery, typed,
                                     "; nothing was forgotten");
}

/* Everything is looked up before anything goes. */
static int run(forgetting *f, char **names, size_t n)
{
    const char **paths = text_need(calloc(n, sizeof *paths));
    const char **people = text_need(calloc(n, sizeof *people));
    size_t n_paths = 0, n_people = 0;
    int code = 0;

    for (size_t i = 0; i < n && !code; i++) {
        bool person;
        code = is_person(&person, f, names[i]);
        if (code)
            break;
        if (person)
            people[n_people++] = names[i];
        else
            code = check_photo(f, names[i], paths[n_paths++] = common_full_path(names[i]));
    }
    for (size_t i = 0; i < n_people && !code; i++)
        code = forget(f, people[i], NULL, 0);
    if (!code && n_paths > 0)
        code = forget(f, NULL, paths, n_paths);
    for (size_t i = 0; i < n_paths; i++)
        free((void *)(uintptr_t)paths[i]);
    free(paths);
    free(people);
    return code;
}

int cmd_forget(const command *self, int argc, char **argv)
{
    forget_options o = {.common = COMMON_INIT};
    forgetting f = {.self = self, .o = &o, .proved = true};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n < 1)
        code = options_usage(self, "it takes a person's name or a photo's path, or several");
    if (!code)
        code = common_open_gallery(&f.gallery, self, &o.common,
                                   o.dry_run ? DPL_GALLERY_READ : DPL_GALLERY_WRITE);
    if (code)
        return code;
    /* Before anything goes: a receipt that has no place is told in time, and none is written over.
     */
    if (o.receipt && !o.dry_run) {
        f.receipts = fopen(o.receipt, "wx");
        if (!f.receipts)
            code = common_refuse(self, &o.common, DPL_E_SYSTEM,
                                 "nothing was forgotten: \"%s\" cannot be made: %s", o.receipt,
                                 strerror(errno));
    }
    if (!code && !o.dry_run)
        code = html_open(&f.page, self, &o.common, "Forgotten");
    if (!code) {
        html_heading(&f.page, "Forgotten");
        code = run(&f, argv + 1, (size_t)n);
        if (html_close(&f.page, self, &o.common) != 0)
            code = dpl_status_exit_code(DPL_E_SYSTEM);
    }
    if (f.receipts)
        fclose(f.receipts);
    dpl_gallery_close(f.gallery);
    return code || f.proved ? code : dpl_status_exit_code(DPL_E_BUG);
}
