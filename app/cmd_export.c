/*
 * cmd_export.c - `doppel export`: the whole gallery as JSON lines.
 */
#include <stdbool.h>
#include <string.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/keys.h"
#include "app/progress.h"

typedef struct export_options {
    common common;
    const char *passphrase_file;
    bool encrypt;
} export_options;

static const option_spec own[] = {
    {.name = "encrypt",
     .kind = OPTION_FLAG,
     .offset = offsetof(export_options, encrypt),
     .once = true,
     .help = "seal it by a passphrase, which is asked for"},
    {.name = "export-passphrase-file",
     .kind = OPTION_TEXT,
     .offset = offsetof(export_options, passphrase_file),
     .value = "FILE",
     .once = true,
     .help = "the same by the first line of a file (/dev/fd/N: a descriptor)"},
    {0}};

const option_spec *const options_of_export[] = {own, options_gallery, options_output, NULL};

static dpl_status write_export(dpl_gallery *gallery, const char *path, const keys *k, bool sealed,
                               dpl_error *err)
{
    return sealed ? dpl_gallery_export_sealed(gallery, path, &k->key, err)
                  : dpl_gallery_export(gallery, path, err);
}

int cmd_export(const command *self, int argc, char **argv)
{
    export_options o = {.common = COMMON_INIT};
    keys k = {.twice = false};
    dpl_gallery *gallery = NULL;
    dpl_gallery_counts counts;
    char photos[64], people[64];
    progress p;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 1)
        code = options_usage(self, "it takes a file to write, or - for standard output");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_READ);
    if (!code && keys_of(&k, NULL, o.passphrase_file, o.encrypt, true, "passphrase of the export",
                         &err) != DPL_OK)
        code = common_fail(self, &o.common, &err);
    if (code) {
        keys_clear(&k);
        dpl_gallery_close(gallery);
        return code;
    }
    progress_start(&p, "rows", o.common.quiet);
    dpl_gallery_set_progress(gallery, progress_of_gallery, &p);
    /* Standard output is then the export, and no place for an answer beside it. */
    const bool to_stdout = strcmp(argv[1], "-") == 0;
    if (write_export(gallery, argv[1], &k, o.encrypt || o.passphrase_file, &err) != DPL_OK ||
        dpl_gallery_count(&counts, gallery, &err) != DPL_OK) {
        progress_wipe(&p);
        code = to_stdout ? common_say(self, &err) : common_fail(self, &o.common, &err);
    } else if (o.common.json && !to_stdout) {
        json_print(export_json(&counts));
    } else if (!o.common.quiet && !to_stdout) {
        fprintf(stderr, "exported %s, %s\n", text_counted(people, counts.n_persons, "person"),
                text_counted(photos, counts.n_photos, "photo"));
    }
    keys_clear(&k);
    dpl_gallery_close(gallery);
    return code;
}
