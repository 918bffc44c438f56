/*
 * cmd_rekey.c - `doppel rekey`: another key for an encrypted gallery.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"
#include "app/keys.h"
#include "app/progress.h"
#include "app/text.h"

typedef struct rekey_options {
    common common;
    const char *new_key_file, *new_passphrase_file;
    bool new_passphrase, no_passphrase;
} rekey_options;

static const option_spec own[] = {
    {.name = "new-key-file",
     .kind = OPTION_TEXT,
     .offset = offsetof(rekey_options, new_key_file),
     .value = "FILE",
     .once = true,
     .help = "where the new key is to be (default where the key is now)"},
    {.name = "new-passphrase-file",
     .kind = OPTION_TEXT,
     .offset = offsetof(rekey_options, new_passphrase_file),
     .value = "FILE",
     .once = true,
     .help = "a file whose first line is the new passphrase (/dev/fd/N: a descriptor)"},
    {.name = "new-passphrase",
     .kind = OPTION_FLAG,
     .offset = offsetof(rekey_options, new_passphrase),
     .once = true,
     .help = "ask for a new passphrase (default where there is one now)"},
    {.name = "no-passphrase",
     .kind = OPTION_FLAG,
     .offset = offsetof(rekey_options, no_passphrase),
     .once = true,
     .help = "the new key file opens without one"},
    {0}};

const option_spec *const options_of_rekey[] = {own, options_gallery, options_output, NULL};

int cmd_rekey(const command *self, int argc, char **argv)
{
    rekey_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    keys k = {.twice = false};
    char *now = NULL;
    dpl_encryption is;
    progress p;
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 0)
        code = options_usage(self, "it takes no argument");
    if (!code && o.no_passphrase && (o.new_passphrase || o.new_passphrase_file))
        code = options_usage(self, "--no-passphrase goes with no passphrase");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    progress_start(&p, "rows", o.common.quiet);
    dpl_gallery_set_progress(gallery, progress_of_gallery, &p);
    dpl_gallery_encryption(&is, gallery);
    /* One that is in the gallery's folder stays there without being named. */
    if (is.key_file && o.common.key_file)
        now = text_format("%s", is.key_file);
    if (keys_of(&k, o.new_key_file ? o.new_key_file : now, o.new_passphrase_file,
                o.new_passphrase || (is.has_secret && !o.no_passphrase), true, "new passphrase",
                &err) != DPL_OK ||
        dpl_gallery_rekey(gallery, &k.key, &err) != DPL_OK) {
        progress_wipe(&p);
        code = common_fail(self, &o.common, &err);
    }
    if (!code)
        tell_encryption(self, o.common.json, o.common.quiet, "rekey", gallery);
    keys_clear(&k);
    free(now);
    dpl_gallery_close(gallery);
    return code;
}
