/*
 * cmd_decrypt.c - `doppel decrypt`: an encrypted gallery, plain again.
 */
#include <stdio.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/keys.h"
#include "app/progress.h"

const option_spec *const options_of_decrypt[] = {options_gallery, options_output, NULL};

int cmd_decrypt(const command *self, int argc, char **argv)
{
    common o = COMMON_INIT;
    dpl_gallery *gallery = NULL;
    progress p;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 0)
        code = options_usage(self, "it takes no argument");
    if (!code)
        code = common_open_gallery(&gallery, self, &o, DPL_GALLERY_WRITE);
    if (code)
        return code;
    progress_start(&p, "rows", o.quiet);
    dpl_gallery_set_progress(gallery, progress_of_gallery, &p);
    if (dpl_gallery_decrypt(gallery, &err) != DPL_OK) {
        progress_wipe(&p);
        code = common_fail(self, &o, &err);
    } else {
        tell_encryption(self, o.json, o.quiet, "decrypt", gallery);
    }
    dpl_gallery_close(gallery);
    return code;
}
