/*
 * cmd_enroll.c - `doppel enroll`: folders of people's photos into the gallery.
 */
#include "app/enroll_run.h"

#define AT(member) offsetof(enroll_options, member)

static const char *const faces_choices[] = {"refuse", "largest", "all", NULL};

static const option_spec own[] = {
    {.name = "name",
     .kind = OPTION_TEXT,
     .offset = AT(name),
     .value = "NAME",
     .once = true,
     .help = "all these photos show this person, whatever their folders are called"},
    {.name = "faces",
     .kind = OPTION_CHOICE,
     .offset = AT(faces),
     .value = "refuse|largest|all",
     .help = "what to do with a photo of several faces of which none dominates; largest: the main "
             "one, large and near the middle; all: keep them as nobody's (default refuse)",
     .choices = faces_choices},
    {.name = "min-quality",
     .kind = OPTION_REAL,
     .offset = AT(min_quality),
     .value = "Q",
     .help = "refuse faces of less quality, 0 to 1 (default 0.1; 0: none)",
     .low = 0,
     .high = 1},
    {.name = "yes",
     .letter = 'y',
     .kind = OPTION_FLAG,
     .offset = AT(yes),
     .once = true,
     .help = "do not ask whether --name may rename other people's photos"},
    {0}};

const option_spec *const options_of_enroll[] = {
    own,          options_enroll_run, options_walk,   options_threads, options_text,
    options_html, options_gallery,    options_models, options_output,  NULL};

int cmd_enroll(const command *self, int argc, char **argv)
{
    enroll_options o = ENROLL_OPTIONS_INIT;

    return enroll_command(self, &o, argc, argv);
}
