/*
 * cmd_export.c - `doppel export`: the whole gallery as JSON lines.
 */
#include <stdbool.h>
#include <string.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

const option_spec *const options_of_export[] = {options_gallery, options_output, NULL};

int cmd_export(const command *self, int argc, char **argv)
{
    common o = COMMON_INIT;
    dpl_gallery *gallery = NULL;
    dpl_gallery_counts counts;
    char photos[64], people[64];
    dpl_error err;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 1)
        code = options_usage(self, "it takes a file to write, or - for standard output");
    if (!code)
        code = common_open_gallery(&gallery, self, &o, DPL_GALLERY_READ);
    if (code)
        return code;
    /* Standard output is then the export, and no place for an answer beside it. */
    const bool to_stdout = strcmp(argv[1], "-") == 0;
    if (dpl_gallery_export(gallery, argv[1], &err) != DPL_OK ||
        dpl_gallery_count(&counts, gallery, &err) != DPL_OK) {
        code = to_stdout ? common_say(self, &err) : common_fail(self, &o, &err);
    } else if (o.json && !to_stdout) {
        json_print(export_json(&counts));
    } else if (!o.quiet && !to_stdout) {
        fprintf(stderr, "exported %s, %s\n", text_counted(people, counts.n_persons, "person"),
                text_counted(photos, counts.n_photos, "photo"));
    }
    dpl_gallery_close(gallery);
    return code;
}
