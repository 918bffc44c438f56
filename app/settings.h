/*
 * settings.h - the configuration file: defaults of options, by the options' own names.
 *
 *     # a remark
 *     gallery = /srv/faces
 *     threads = 4
 *     [verify]
 *     fmr = 1e-5
 *
 * What stands before the first section is for every command that has the option; a section's line
 * wins over that. A flag is "yes" or "no", or its bare name. Of two lines for one thing the later
 * wins, but of a list each is one more.
 */
#ifndef DOPPEL_APP_SETTINGS_H
#define DOPPEL_APP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/option.h"

/* A line that says something. */
typedef struct setting {
    char *section;      /* a command's name, "" before the first section */
    char *name, *value; /* no name: the section's own line; no value: a bare name */
    int line;
} setting;

typedef struct settings {
    char *path; /* NULL: there is no place for it */
    bool found;
    setting *items;
    size_t n;
} settings;

/** Read the file that $XDG_CONFIG_HOME or $HOME leads to; one that is not there says nothing.
 * Returns NULL, or why it cannot be read, freed by free(). */
char *settings_read(settings *s);

void settings_free(settings *s);

/** What is wrong with the i-th line, without the file's name: NULL, or words freed by free().
 * @param all  the table of commands */
char *settings_problem(const settings *s, size_t i, const command *all);

/** The line that counts for a command's option, or NULL: also where the environment counts more. */
const setting *settings_find(const settings *s, const command *self, const option_spec *o);

/** Set the field to what counts, if anything does. All lines have been found to be good. */
void settings_apply(const settings *s, const command *self, const option_spec *o, void *field);

#endif
