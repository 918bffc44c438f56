/*
 * cmd_rename.c - `doppel rename`: a person's new name.
 */
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

const option_spec *const options_of_rename[] = {options_gallery, options_output, NULL};

int cmd_rename(const command *self, int argc, char **argv)
{
    common o = COMMON_INIT;
    dpl_gallery *gallery = NULL;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 2)
        code = options_usage(self, "it takes the old name and the new one");
    if (!code)
        code = common_open_gallery(&gallery, self, &o, DPL_GALLERY_WRITE);
    if (code)
        return code;
    if (dpl_gallery_rename(gallery, argv[1], argv[2], &err) != DPL_OK) {
        code = common_fail(self, &o, &err);
    } else if (o.json) {
        json_print(rename_json(argv[1], argv[2]));
    } else {
        text_put(stdout, argv[1]);
        fputs(" is now ", stdout);
        text_put(stdout, argv[2]);
        putchar('\n');
    }
    dpl_gallery_close(gallery);
    return code;
}
