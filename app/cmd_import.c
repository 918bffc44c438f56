/*
 * cmd_import.c - `doppel import`: an export into a gallery.
 */
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

const option_spec *const options_of_import[] = {options_gallery, options_output, NULL};

int cmd_import(const command *self, int argc, char **argv)
{
    common o = COMMON_INIT;
    dpl_gallery *gallery = NULL;
    char photos[64], templates[64];
    int64_t n_photos = 0, n_templates = 0;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 1)
        code = options_usage(self, "it takes a file that doppel export wrote");
    if (!code)
        code = common_open_gallery(&gallery, self, &o, DPL_GALLERY_CREATE);
    if (code)
        return code;
    if (dpl_gallery_import(gallery, argv[1], &n_photos, &n_templates, &err) != DPL_OK) {
        code = common_fail(self, &o, &err);
    } else if (o.json) {
        json_print(import_json(n_photos, n_templates));
    } else {
        printf("imported %s, %s\n", text_counted(photos, n_photos, "photo"),
               text_counted(templates, n_templates, "template"));
    }
    dpl_gallery_close(gallery);
    return code;
}
