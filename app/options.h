/*
 * options.h - a command's options: one table says how they are read, checked and explained.
 *
 * The same table makes the parsing, `doppel help CMD` and the manual page. Options are read into a
 * struct on the command's stack. No abbreviations; numbers are read whole, in range and finite, or
 * refused.
 */
#ifndef DOPPEL_APP_OPTIONS_H
#define DOPPEL_APP_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "app/option.h"

/* In the place of an exit code: the command has nothing more to do. */
enum { OPTIONS_HELP = -1 /* told */, OPTIONS_VERSION = -2 /* for main.c to tell */ };

/**
 * Read options into *into and leave the rest, in order, in argv[1 .. *n_rest]; what is not given
 * comes from the configuration file.
 * Options may stand anywhere; "--" ends them.
 * @return 0, or the exit code 2 after a message on stderr, or one of the above
 */
int options_read(const command *self, void *into, int argc, char **argv, int *n_rest);

/* The two halves of it, for a command that judges in between what was given. */
int options_parse(const command *self, void *into, int argc, char **argv, int *n_rest,
                  options_given *given);
/** @param first_table  of self->options: those before it are not looked at */
void options_settle(const command *self, void *into, const options_given *given, int first_table);

/** Print a command's help to stdout: usage, options, paragraphs. */
void options_help(const command *self);

/** Write the command's part of the manual page, from the same tables. */
void options_manual(FILE *f, const command *self);

/** "doppel CMD: message" and where help is, on stderr, and with --json the failure on stdout;
 * returns 2. */
int options_usage(const command *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
