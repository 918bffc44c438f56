/*
 * cmd_encrypt.c - `doppel encrypt`: from now on nobody reads the gallery without its key.
 */
#include <stdio.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/keys.h"
#include "app/progress.h"

typedef struct encrypt_options {
    common common;
    bool passphrase;
} encrypt_options;

static const option_spec own[] = {
    {.name = "passphrase",
     .kind = OPTION_FLAG,
     .offset = offsetof(encrypt_options, passphrase),
     .once = true,
     .help = "lock the key file with a passphrase, which is asked for"},
    {0}};

const option_spec *const options_of_encrypt[] = {own, options_gallery, options_output, NULL};

int cmd_encrypt(const command *self, int argc, char **argv)
{
    encrypt_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    keys k = {.twice = false};
    progress p;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 0)
        code = options_usage(self, "it takes no argument");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    progress_start(&p, "rows", o.common.quiet);
    dpl_gallery_set_progress(gallery, progress_of_gallery, &p);
    /* A key in the gallery's own folder is never without. */
    if (keys_of(&k, o.common.key_file, o.common.passphrase_file,
                o.passphrase || !o.common.key_file, true, "new passphrase", &err) != DPL_OK ||
        dpl_gallery_encrypt(gallery, &k.key, &err) != DPL_OK) {
        progress_wipe(&p);
        code = common_fail(self, &o.common, &err);
    }
    if (!code)
        tell_encryption(self, o.common.json, o.common.quiet, "encrypt", gallery);
    keys_clear(&k);
    dpl_gallery_close(gallery);
    return code;
}
