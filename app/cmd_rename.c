/*
 * cmd_rename.c - `doppel rename`: a person's new name.
 */
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

typedef struct rename_options {
    common common;
    bool dry_run;
} rename_options;

static const option_spec own[] = {{.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(rename_options, dry_run),
                                   .once = true,
                                   .help = "only tell whether it can be done"},
                                  {0}};

const option_spec *const options_of_rename[] = {own, options_gallery, options_output, NULL};

/* Why it failed: for want of such a person, with whom else the name may be of. */
static int tell_failure(const command *self, const common *o, dpl_gallery *gallery,
                        const char *name, const dpl_error *why)
{
    bool known = true;
    int code =
        why->status == DPL_E_NOT_FOUND ? common_has_person(&known, self, o, gallery, name) : 0;

    if (code)
        return code;
    return known ? common_fail(self, o, why) : common_no_person(self, o, gallery, name);
}

int cmd_rename(const command *self, int argc, char **argv)
{
    rename_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 2)
        code = options_usage(self, "it takes the old name and the new one");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    dpl_gallery_rehearse(gallery, o.dry_run);
    if (dpl_gallery_rename(gallery, argv[1], argv[2], &err) != DPL_OK) {
        code = tell_failure(self, &o.common, gallery, argv[1], &err);
    } else if (o.common.json) {
        json_print(rename_json(argv[1], argv[2]));
    } else {
        text_put(stdout, argv[1]);
        fputs(o.dry_run ? " would be " : " is now ", stdout);
        text_put(stdout, argv[2]);
        putchar('\n');
    }
    dpl_gallery_close(gallery);
    return code;
}
