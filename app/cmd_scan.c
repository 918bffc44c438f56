/*
 * cmd_scan.c - `doppel scan`: folders of photos into the gallery, whosever they are.
 */
#include "app/enroll_run.h"

static const option_spec own[] = {
    {.name = "min-quality",
     .kind = OPTION_REAL,
     .offset = offsetof(enroll_options, min_quality),
     .value = "Q",
     .help = "leave out faces of less quality, 0 to 1 (default 0.1; 0: none)",
     .low = 0,
     .high = 1},
    {0}};

const option_spec *const options_of_scan[] = {
    own,          options_enroll_run, options_walk,   options_threads, options_text,
    options_html, options_gallery,    options_models, options_output,  NULL};

int cmd_scan(const command *self, int argc, char **argv)
{
    enroll_options o = ENROLL_OPTIONS_INIT;

    o.nobodys = true;
    return enroll_command(self, &o, argc, argv);
}
