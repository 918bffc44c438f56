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
#include <stddef.h>
#include <stdio.h>

typedef enum option_kind {
    OPTION_FLAG,   /* bool: true when given */
    OPTION_TEXT,   /* const char *: borrowed from argv */
    OPTION_INT,    /* int: low..high */
    OPTION_REAL,   /* double: low..high */
    OPTION_CHOICE, /* int: index into choices */
    OPTION_BYTES,  /* size_t: bytes, or with K, M, G (powers of 1024) */
    OPTION_LIST    /* option_list: each time it is given, one more */
} option_kind;

#define OPTION_LIST_MAX 32

typedef struct option_list {
    int n;
    const char *items[OPTION_LIST_MAX + 1]; /* NULL-terminated; borrowed from argv */
} option_list;

typedef struct option_spec {
    const char *name; /* long name without dashes */
    char letter;      /* 0: none */
    option_kind kind;
    size_t offset;              /* of the field in the command's struct */
    const char *value;          /* what the help calls the value ("RATE"), NULL for a flag */
    const char *help;           /* one line, with the default */
    double low, high;           /* OPTION_INT, OPTION_REAL, both ends included */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
} option_spec;

/* A command, as the table in commands.c lists it. */
typedef struct command {
    const char *name;
    int (*run)(const struct command *self, int argc, char **argv);
    bool computes;                     /* runs networks: BLAS is to be set up */
    const char *arguments;             /* "A B", may be "" */
    const char *line;                  /* what it does, one line without a full stop */
    const option_spec *const *options; /* NULL-terminated list of tables, each ending at a NULL name
                                        */
    const char *more;                  /* paragraphs for `doppel help CMD`, or NULL */
    const struct command *all;         /* of help: the table that it explains */
} command;

/**
 * Read options into *into and leave the rest, in order, in argv[1 .. *n_rest].
 * Options may stand anywhere; "--" ends them.
 * @return 0, or the exit code 2 after a message on stderr; --help prints the help and gives -1
 */
int options_read(const command *self, void *into, int argc, char **argv, int *n_rest);

/** Print a command's help to stdout: usage, options, paragraphs. */
void options_help(const command *self);

/** Write the command's part of the manual page, from the same tables. */
void options_manual(FILE *f, const command *self);

/** "1..5" into two finite numbers, the lower first; false when the text is none. */
bool options_range(double *low, double *high, const char *text);

/** "doppel CMD: message" and where help is, on stderr; returns 2. */
int options_usage(const command *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
