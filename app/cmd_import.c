/*
 * cmd_import.c - `doppel import`: an export into a gallery.
 */
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/keys.h"
#include "app/progress.h"

typedef struct import_options {
    common common;
    const char *passphrase_file;
    bool dry_run;
} import_options;

static const option_spec own[] = {{.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(import_options, dry_run),
                                   .once = true,
                                   .help = "read all of it and change nothing"},
                                  {.name = "export-passphrase-file",
                                   .kind = OPTION_TEXT,
                                   .offset = offsetof(import_options, passphrase_file),
                                   .value = "FILE",
                                   .once = true,
                                   .help = "the passphrase of a sealed export (default: asked)"},
                                  {0}};

const option_spec *const options_of_import[] = {own, options_gallery, options_output, NULL};

int cmd_import(const command *self, int argc, char **argv)
{
    import_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    keys k = {.twice = false};
    char photos[64], templates[64];
    int64_t n_photos = 0, n_templates = 0;
    progress p;
    dpl_status status;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 1)
        code = options_usage(self, "it takes a file that doppel export wrote");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_CREATE);
    if (code)
        return code;
    progress_start(&p, "MiB", o.common.quiet);
    dpl_gallery_set_progress(gallery, progress_of_gallery, &p);
    dpl_gallery_rehearse(gallery, o.dry_run);
    status = keys_of(&k, NULL, o.passphrase_file, true, false, "passphrase of the export", &err);
    if (status == DPL_OK)
        status = dpl_gallery_import_sealed(gallery, argv[1], &k.key, &n_photos, &n_templates, &err);
    progress_wipe(&p);
    if (status != DPL_OK) {
        code = common_fail(self, &o.common, &err);
    } else if (o.common.json) {
        json_print(import_json(n_photos, n_templates));
    } else {
        printf("%s %s, %s\n", o.dry_run ? "would import" : "imported",
               text_counted(photos, n_photos, "photo"),
               text_counted(templates, n_templates, "template"));
    }
    keys_clear(&k);
    /* One that was made for nothing is none. */
    if (code || o.dry_run)
        dpl_gallery_abandon(gallery);
    else
        dpl_gallery_close(gallery);
    return code;
}
