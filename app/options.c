/*
 * options.c - reading and explaining a command's options from its tables.
 *
 * getopt_long does the walking; what it lets through and we do not: abbreviated names, numbers with
 * something behind them, numbers out of range.
 */
#include "app/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/text.h"

#define MAX_OPTIONS 96
/* getopt's value of --help; those of the tables follow. Above any letter, so that an error about
   one is told from an error about the other. */
#define HELP_VALUE 256

int options_usage(const command *self, const char *format, ...)
{
    va_list args;

    char *message = NULL;

    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        text_need(NULL);
    va_end(args);
    fprintf(stderr, "doppel %s: ", self->name);
    text_put(stderr, message);
    fprintf(stderr, "\n(see: doppel help %s)\n", self->name);
    free(message);
    return 2;
}

static bool read_real(double *out, const char *text)
{
    char *end;

    /* what strtod also takes: blanks before, hexadecimal, "inf" and "nan" */
    if (!text[0] || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    errno = 0;
    *out = strtod(text, &end);
    return *end == '\0' && errno == 0 && isfinite(*out);
}

bool options_range(double *low, double *high, const char *text)
{
    const char *dots = strstr(text, "..");
    char first[32];

    /* cut there: "1." would be a number, too */
    if (!dots || (size_t)(dots - text) >= sizeof first)
        return false;
    memcpy(first, text, (size_t)(dots - text));
    first[dots - text] = '\0';
    return read_real(low, first) && read_real(high, dots + 2) && *low < *high;
}

static bool read_bytes(size_t *out, const char *text)
{
    char *end;
    unsigned long long v;
    int shift = 0;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    v = strtoull(text, &end, 10);
    if (*end)
        switch (*end++) {
        case 'K': shift = 10; break;
        case 'M': shift = 20; break;
        case 'G': shift = 30; break;
        default: return false;
        }
    if (*end || errno || v == 0 || v > (SIZE_MAX >> shift))
        return false;
    *out = (size_t)v << shift;
    return true;
}

static bool read_choice(int *out, const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static int refuse_choice(const command *self, const option_spec *o, const char *text)
{
    char list[256] = "";

    for (int i = 0; o->choices[i]; i++) {
        const size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", o->choices[i]);
    }
    return options_usage(self, "--%s takes one of %s, not \"%s\"", o->name, list, text);
}

static int read_value(const command *self, const option_spec *o, void *into, const char *text)
{
    void *field = (char *)into + o->offset;
    double v;

    switch (o->kind) {
    case OPTION_FLAG: *(bool *)field = true; return 0;
    case OPTION_TEXT:
        if (!text[0])
            return options_usage(self, "--%s takes a %s, not nothing", o->name, o->value);
        *(const char **)field = text;
        return 0;
    case OPTION_INT:
        if (!read_real(&v, text) || v != floor(v) || v < o->low || v > o->high ||
            strspn(text, "+-0123456789") != strlen(text))
            return options_usage(self, "--%s takes a whole number from %.0f to %.0f, not \"%s\"",
                                 o->name, o->low, o->high, text);
        *(int *)field = (int)v;
        return 0;
    case OPTION_REAL:
        if (!read_real(&v, text) || v < o->low || v > o->high)
            return options_usage(self, "--%s takes a number from %g to %g, not \"%s\"", o->name,
                                 o->low, o->high, text);
        *(double *)field = v;
        return 0;
    case OPTION_CHOICE:
        return read_choice(field, o->choices, text) ? 0 : refuse_choice(self, o, text);
    case OPTION_LIST: {
        option_list *list = field;
        if (!text[0])
            return options_usage(self, "--%s takes a %s, not nothing", o->name, o->value);
        if (list->n == OPTION_LIST_MAX)
            return options_usage(self, "--%s is given more than %d times", o->name,
                                 OPTION_LIST_MAX);
        list->items[list->n++] = text;
        return 0;
    }
    case OPTION_BYTES:
        if (!read_bytes(field, text))
            return options_usage(self, "--%s takes bytes as 1048576, 256M or 2G, not \"%s\"",
                                 o->name, text);
        return 0;
    }
    return 2;
}

/* All of a command's options in one list. */
static size_t gather(const option_spec *all[MAX_OPTIONS], const command *self)
{
    size_t n = 0;

    for (size_t t = 0; self->options[t]; t++)
        for (const option_spec *o = self->options[t]; o->name; o++) {
            assert(n < MAX_OPTIONS);
            all[n++] = o;
        }
    return n;
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
    const option_spec *all[MAX_OPTIONS];
    const size_t n = gather(all, self);
    struct option longs[MAX_OPTIONS + 2] = {{"help", no_argument, NULL, HELP_VALUE}};
    char shorts[2 * MAX_OPTIONS + 4] = ":h";

    for (size_t i = 0; i < n; i++) {
        const bool takes = all[i]->kind != OPTION_FLAG;
        longs[i + 1] = (struct option){all[i]->name, takes ? required_argument : no_argument, NULL,
                                       HELP_VALUE + 1 + (int)i};
        if (all[i]->letter) {
            const size_t at = strlen(shorts);
            shorts[at] = all[i]->letter;
            shorts[at + 1] = takes ? ':' : '\0';
            shorts[at + 2] = '\0';
        }
    }
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
            return options_usage(self, "there is no option %s", word);
        if (got == ':')
            return options_usage(self, "%s needs a value", word);
        if (got == HELP_VALUE || got == 'h') {
            options_help(self);
            return -1;
        }
        if (got > HELP_VALUE && got <= HELP_VALUE + (int)n) {
            o = all[got - HELP_VALUE - 1];
            /* the word is the last one, or with a separate value the one before it */
            if (optarg && optarg == word)
                word = argv[optind - 2];
            if (!is_whole_name(word, o->name))
                return options_usage(self, "there is no option %s (is --%s meant?)", word, o->name);
        }
        for (size_t i = 0; !o && i < n; i++)
            if (all[i]->letter == got)
                o = all[i];
        const int code = read_value(self, o, into, optarg);
        if (code)
            return code;
    }
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

void options_help(const command *self)
{
    const option_spec *all[MAX_OPTIONS];
    const size_t n = gather(all, self);
    int width = 0;
    char left[80];

    printf("usage: doppel %s%s%s%s\n\n%c%s.\n\n", self->name, n ? " [OPTION…]" : "",
           self->arguments[0] ? " " : "", self->arguments, toupper((unsigned char)self->line[0]),
           self->line + 1);
    for (size_t i = 0; i < n; i++) {
        put_left(left, all[i]);
        width = (int)strlen(left) > width ? (int)strlen(left) : width;
    }
    for (size_t i = 0; i < n; i++) {
        put_left(left, all[i]);
        printf("  %-*s  ", width, left);
        put_wrapped(all[i]->help, width + 4);
    }
    printf("  %-*s  this text\n", width, "-h, --help");
    if (self->more)
        printf("\n%s\n", self->more);
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

void options_manual(FILE *f, const command *self)
{
    const option_spec *all[MAX_OPTIONS];
    const size_t n = gather(all, self);

    fprintf(f, ".SS doppel %s%s%s%s\n", self->name, n ? " [OPTION\\&...]" : "",
            self->arguments[0] ? " " : "", self->arguments);
    fprintf(f, "%c%s.\n", toupper((unsigned char)self->line[0]), self->line + 1);
    for (size_t i = 0; i < n; i++) {
        fputs(".TP\n", f);
        if (all[i]->letter)
            fprintf(f, "\\fB\\-%c\\fR, ", all[i]->letter);
        fputs("\\fB\\-\\-", f);
        put_roff(f, all[i]->name);
        fputs("\\fR", f);
        if (all[i]->value)
            fprintf(f, " \\fI%s\\fR", all[i]->value);
        fputc('\n', f);
        put_roff(f, all[i]->help);
        fputc('\n', f);
    }
    if (self->more) {
        fputs(".PP\n", f);
        put_roff(f, self->more);
        fputc('\n', f);
    }
}
