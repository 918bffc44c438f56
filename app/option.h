/*
 * option.h - what an option is, what a command is, and how an option's text becomes its value.
 *
 * Values are read whole: no number with something behind it, none out of range or not finite.
 */
#ifndef DOPPEL_APP_OPTION_H
#define DOPPEL_APP_OPTION_H

#include <stdbool.h>
#include <stddef.h>

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

/* What `doppel help CMD` gathers options under. */
typedef enum option_group {
    OPTION_USUAL,
    OPTION_MODELS,
    OPTION_LIMITS,
    N_OPTION_GROUPS
} option_group;

typedef struct option_spec {
    const char *name; /* long name without dashes */
    char letter;      /* 0: none */
    option_kind kind;
    size_t offset;              /* of the field in the command's struct */
    const char *value;          /* what the help calls the value ("RATE"), NULL for a flag */
    const char *help;           /* one line, with the default */
    double low, high;           /* OPTION_INT, OPTION_REAL, both ends included */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
    option_group group;
    const char *environment; /* where it is set, the configuration file does not count; or NULL */
    const char *instead;     /* names, parted by blanks: where one of these is given, what the file
                                says of this one does not count */
    bool once;               /* said each time: not for the configuration file */
    bool asked_for;          /* what the file says is not taken as given; the command asks for it */
    bool is_model;           /* a file, or the name of one that comes with doppel */
} option_spec;

struct settings;

/* How a command was called. */
typedef struct call {
    bool json;                       /* --json is among the words: what fails is told so, too */
    const struct settings *settings; /* the configuration file; NULL: the command asks for none */
    const char *problem;             /* what is wrong with it, or NULL */
    const struct command *all;       /* the table of commands, for those that tell of others */
} call;

/* Which of a command's options stand on the command line. */
#define OPTIONS_MAX 96
typedef struct options_given {
    bool is[OPTIONS_MAX];
} options_given;

/* A command, as the table in commands.c lists it. */
typedef struct command {
    const char *name;
    int (*run)(const struct command *self, int argc, char **argv);
    bool computes;                     /* may multiply large matrices: BLAS is to be set up */
    const char *arguments;             /* "A B", may be "" */
    const char *line;                  /* what it does, one line without a full stop */
    const option_spec *const *options; /* NULL-terminated list of tables, each ending at a NULL name
                                        */
    const char *more;                  /* paragraphs for `doppel help CMD`, or NULL */
    const call *call;                  /* NULL in the table; main.c says it of what it runs */
} command;

/** All of a command's options, in the order of its tables; returns how many. */
size_t options_all(const option_spec *all[OPTIONS_MAX], const command *self);

/** The option of this name, or NULL. */
const option_spec *options_find(const command *self, const char *name);

/** Whether `name` is one of the words that blanks part. */
bool options_names(const char *words, const char *name);

/** Set a field to what the text says; NULL for the field: only look. Returns NULL, or what is wrong
 * with the text, freed by free(). A model's name becomes its path, which stays until the program
 * ends. */
char *options_take(const option_spec *o, void *field, const char *text);

/** What the help calls the default, without what is said of it; "" where it says none. */
void options_default(char out[128], const option_spec *o);

/** "1..5" into two finite numbers, the lower first; false when the text is none. */
bool options_range(double *low, double *high, const char *text);

/** What is said of a word that is no command, and the nearest one; the caller frees it. */
char *options_no_command(const command *all, const char *name);

#endif
