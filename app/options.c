/*
 * options.c - reading and explaining a command's options from its tables.
 *
 * getopt_long does the walking; what it lets through and we do not: abbreviated names.
 */
#include "app/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/examples.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/nearest.h"
#include "app/settings.h"
#include "app/text.h"

/* getopt's values of --help and --version; those of the tables follow. Above any letter, so that an
   error about one is told from an error about the other. */
enum { HELP_VALUE = 256, VERSION_VALUE, FIRST_VALUE };

static int refuse(const command *self, const char *message, const char *see)
{
    fprintf(stderr, "doppel %s: ", self->name);
    text_put(stderr, message);
    fprintf(stderr, "\n(see: doppel %s)\n", see);
    if (self->call && self->call->json)
        json_print(json_error(self->name, DPL_E_ARGUMENT, message));
    return dpl_status_exit_code(DPL_E_ARGUMENT);
}

int options_usage(const command *self, const char *format, ...)
{
    va_list args;
    char *message = NULL, *see = text_format("help %s", self->name);
    int code;

    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        text_need(NULL);
    va_end(args);
    code = refuse(self, message, see);
    free(message);
    free(see);
    return code;
}

/* The word as the user gave it names exactly this option: getopt_long would take "--js" for
 * "--json". */
static bool is_whole_name(const char *word, const char *name)
{
    const size_t n = strlen(name);

    return strncmp(word, "--", 2) != 0 ||
           (strncmp(word + 2, name, n) == 0 && (word[2 + n] == '\0' || word[2 + n] == '='));
}

int options_read(const command *self, void *into, int argc, char **argv, int *n_rest)
{
    options_given given;
    const int code = options_parse(self, into, argc, argv, n_rest, &given);

    if (!code)
        options_settle(self, into, &given, 0);
    return code;
}

/* What is given of the options of which this one is another way to say it. */
static bool is_replaced(const option_spec *o, const option_spec *const *all, size_t n,
                        const options_given *given)
{
    for (size_t i = 0; i < n; i++)
        if (given->is[i] && options_names(o->instead, all[i]->name))
            return true;
    return false;
}

void options_settle(const command *self, void *into, const options_given *given, int first_table)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, self);
    const settings *file = self->call ? self->call->settings : NULL;
    size_t i = 0;

    for (int t = 0; t < first_table; t++)
        for (const option_spec *o = self->options[t]; o->name; o++)
            i++;
    for (; file && i < n; i++) {
        const option_spec *o = all[i];
        void *field = (char *)into + o->offset;

        if (!given->is[i] && !o->once && !o->asked_for && !is_replaced(o, all, n, given))
            settings_apply(file, self, o, field);
    }
}

static int no_option(const command *self, const option_spec *const *all, size_t n, const char *word)
{
    nearest like = {0};
    char *typed = text_format("%.*s", (int)strcspn(word, "="), word), *words;
    int code;

    for (size_t i = 0; i < n; i++) {
        char *name = text_format("--%s", all[i]->name);

        nearest_see(&like, typed, name);
        free(name);
    }
    nearest_see(&like, typed, "--help");
    nearest_see(&like, typed, "--version");
    words = nearest_meant(text_format("there is no option %s", typed), &like);
    code = options_usage(self, "%s", words);
    free(typed);
    free(words);
    return code;
}

int options_parse(const command *self, void *into, int argc, char **argv, int *n_rest,
                  options_given *given)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, self);
    struct option longs[OPTIONS_MAX + 3] = {{"help", no_argument, NULL, HELP_VALUE},
                                            {"version", no_argument, NULL, VERSION_VALUE}};
    char shorts[2 * OPTIONS_MAX + 4] = ":hV";

    for (size_t i = 0; i < n; i++) {
        const bool takes = all[i]->kind != OPTION_FLAG;
        longs[i + 2] = (struct option){all[i]->name, takes ? required_argument : no_argument, NULL,
                                       FIRST_VALUE + (int)i};
        if (all[i]->letter) {
            const size_t at = strlen(shorts);
            shorts[at] = all[i]->letter;
            shorts[at + 1] = takes ? ':' : '\0';
            shorts[at + 2] = '\0';
        }
    }
    *given = (options_given){0};
    optind = 0;
    opterr = 0;
    for (;;) {
        const int word_at = optind > 0 ? optind : 1;
        const int got = getopt_long(argc, argv, shorts, longs, NULL);
        const option_spec *o = NULL;
        const char *word = argv[optind > 1 ? optind - 1 : word_at];
        if (got == -1)
            break;
        if (got == '?' && optopt > 0 && optopt < HELP_VALUE)
            return options_usage(self, "there is no option -%c", optopt);
        if (got == '?' && optopt >= HELP_VALUE)
            return options_usage(self, "%s: this option takes no value", word);
        if (got == '?')
            return no_option(self, all, n, word);
        if (got == ':')
            return options_usage(self, "%s needs a value", word);
        if (got == HELP_VALUE || got == 'h') {
            if (strncmp(word, "--", 2) == 0 && !is_whole_name(word, "help"))
                return options_usage(self, "there is no option %s (is --help meant?)", word);
            options_help(self);
            return OPTIONS_HELP;
        }
        if (got == VERSION_VALUE || got == 'V') {
            if (strncmp(word, "--", 2) == 0 && !is_whole_name(word, "version"))
                return options_usage(self, "there is no option %s (is --version meant?)", word);
            return OPTIONS_VERSION;
        }
        if (got >= FIRST_VALUE && got < FIRST_VALUE + (int)n) {
            o = all[got - FIRST_VALUE];
            /* the word is the last one, or with a separate value the one before it */
            if (optarg && optarg == word)
                word = argv[optind - 2];
            if (!is_whole_name(word, o->name))
                return options_usage(self, "there is no option %s (is --%s meant?)", word, o->name);
        }
        for (size_t i = 0; i < n; i++)
            if (o ? o == all[i] : all[i]->letter == got) {
                o = all[i];
                given->is[i] = true;
                break;
            }
        char *problem = options_take(o, (char *)into + o->offset, optarg);
        if (problem) {
            options_usage(self, "%s", problem);
            free(problem);
            return 2;
        }
    }
    if (self->call && self->call->problem)
        return refuse(self, self->call->problem, "config");
    *n_rest = argc - optind;
    for (int i = 0; i < *n_rest; i++) /* getopt_long has moved what is no option to the end */
        argv[1 + i] = argv[optind + i];
    return 0;
}

/* "-k, --k N" as the help shows it, its letter's room kept where there is none. */
static void put_left(char left[80], const option_spec *o)
{
    snprintf(left, 80, "%s%c%s--%s%s%s", o->letter ? "-" : " ", o->letter ? o->letter : ' ',
             o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
}

/* Words from column `indent` on, broken before column 80. */
static void put_wrapped(const char *text, int indent)
{
    int column = indent;

    while (*text) {
        const size_t n = strcspn(text, " ");
        if (column > indent && column + 1 + (int)n > 80) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf("%s%.*s", column > indent ? " " : "", (int)n, text);
        text += n + strspn(text + n, " ");
    }
    putchar('\n');
}

static const char *const group_words[N_OPTION_GROUPS] = {"Usual", "Models", "Limits"};

/* The command's examples, what each does in one column behind them. */
static void put_examples(const command *self)
{
    const example *examples = examples_of(self->name);
    int width = 0;

    for (const example *e = examples; e && e->typed; e++)
        width = (int)strlen(e->typed) > width ? (int)strlen(e->typed) : width;
    if (examples)
        puts("\nExamples:");
    for (const example *e = examples; e && e->typed; e++)
        printf("  %-*s  # %s\n", width, e->typed, e->what);
}

void options_help(const command *self)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, self);
    int width = (int)strlen("-V, --version");
    bool grouped = false;
    char left[80];

    printf("usage: doppel %s%s%s%s\n\n%c%s.\n\n", self->name, n ? " [OPTION…]" : "",
           self->arguments[0] ? " " : "", self->arguments, toupper((unsigned char)self->line[0]),
           self->line + 1);
    for (size_t i = 0; i < n; i++) {
        put_left(left, all[i]);
        width = (int)strlen(left) > width ? (int)strlen(left) : width;
        grouped = grouped || all[i]->group != OPTION_USUAL;
    }
    if (grouped)
        printf("%s:\n", group_words[OPTION_USUAL]);
    for (int group = 0; group < N_OPTION_GROUPS; group++) {
        bool begun = group == OPTION_USUAL;

        for (size_t i = 0; i < n; i++) {
            if ((int)all[i]->group != group)
                continue;
            if (!begun)
                printf("\n%s:\n", group_words[group]);
            begun = true;
            put_left(left, all[i]);
            printf("  %-*s  ", width, left);
            put_wrapped(all[i]->help, width + 4);
        }
        if (group == OPTION_USUAL)
            printf("  %-*s  this text\n  %-*s  what is installed\n", width, "-h, --help", width,
                   "-V, --version");
    }
    if (self->more)
        printf("\n%s\n", self->more);
    put_examples(self);
}

/* Text for roff: hyphens that can be copied, and nothing taken for a request. */
static void put_roff(FILE *f, const char *text)
{
    for (const char *s = text; *s; s++) {
        const bool line_start = s == text || s[-1] == '\n';
        if (*s == '-')
            fputs("\\-", f);
        else if (*s == '\\')
            fputs("\\e", f);
        else if (*s == '\n' && s[1] == '\n' && s++)
            fputs("\n.PP\n", f);
        else
            fprintf(f, "%s%c", line_start && (*s == '.' || *s == '\'') ? "\\&" : "", *s);
    }
}

static void manual_option(FILE *f, const option_spec *o)
{
    fputs(".TP\n", f);
    if (o->letter)
        fprintf(f, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", f);
    put_roff(f, o->name);
    fputs("\\fR", f);
    if (o->value)
        fprintf(f, " \\fI%s\\fR", o->value);
    fputc('\n', f);
    put_roff(f, o->help);
    fputc('\n', f);
}

void options_manual(FILE *f, const command *self)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, self);
    const example *examples = examples_of(self->name);

    fprintf(f, ".SS doppel %s%s%s%s\n", self->name, n ? " [OPTION\\&...]" : "",
            self->arguments[0] ? " " : "", self->arguments);
    fprintf(f, "%c%s.\n", toupper((unsigned char)self->line[0]), self->line + 1);
    for (int group = 0; group < N_OPTION_GROUPS; group++) {
        bool begun = group == OPTION_USUAL;

        for (size_t i = 0; i < n; i++) {
            if ((int)all[i]->group != group)
                continue;
            if (!begun)
                fprintf(f, ".PP\n%s:\n", group_words[group]);
            begun = true;
            manual_option(f, all[i]);
        }
    }
    if (self->more) {
        fputs(".PP\n", f);
        put_roff(f, self->more);
        fputc('\n', f);
    }
    for (const example *e = examples; e && e->typed; e++) {
        fputs(e == examples ? ".PP\nExamples:\n.PP\n.nf\n" : "", f);
        put_roff(f, e->typed);
        fputs("   # ", f);
        put_roff(f, e->what);
        fputs(e[1].typed ? "\n" : "\n.fi\n", f);
    }
}
