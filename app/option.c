/*
 * option.c - an option's text to its value, and finding options in a command's tables.
 */
#include "app/option.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/nearest.h"
#include "app/text.h"
#include "doppel/models.h"

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

static char *refuse_choice(const option_spec *o, const char *text)
{
    char list[256] = "";

    for (int i = 0; o->choices[i]; i++) {
        const size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", o->choices[i]);
    }
    return text_format("--%s takes one of %s, not \"%s\"", o->name, list, text);
}

/* A name that is no file here may be that of a model that comes with doppel, whole or without
   ".onnx". What was found stays until the program ends, as the words of the command line do. */
static const char *model_named(const char *text)
{
    static char *kept[OPTIONS_MAX];
    static int n_kept;

    if (strchr(text, '/') || access(text, F_OK) == 0 || n_kept == OPTIONS_MAX)
        return text;
    for (int i = 0; i < 2; i++) {
        char *name = text_format("%s%s", text, i ? ".onnx" : ""), *path = NULL;
        const bool found = dpl_models_find(&path, name, NULL) == DPL_OK;

        free(name);
        if (found)
            return kept[n_kept++] = path;
    }
    return text;
}

char *options_take(const option_spec *o, void *field, const char *text)
{
    option_list nowhere = {0}; /* the largest of the fields */
    void *to = field ? field : &nowhere;
    double v;

    switch (o->kind) {
    case OPTION_FLAG: *(bool *)to = true; return NULL;
    case OPTION_TEXT:
        if (!text[0])
            return text_format("--%s takes a %s, not nothing", o->name, o->value);
        *(const char **)to = field && o->is_model ? model_named(text) : text;
        return NULL;
    case OPTION_INT:
        if (!read_real(&v, text) || v != floor(v) || v < o->low || v > o->high ||
            strspn(text, "+-0123456789") != strlen(text))
            return text_format("--%s takes a whole number from %.0f to %.0f, not \"%s\"", o->name,
                               o->low, o->high, text);
        *(int *)to = (int)v;
        return NULL;
    case OPTION_REAL:
        if (!read_real(&v, text) || v < o->low || v > o->high)
            return text_format("--%s takes a number from %g to %g, not \"%s\"", o->name, o->low,
                               o->high, text);
        *(double *)to = v;
        return NULL;
    case OPTION_CHOICE: return read_choice(to, o->choices, text) ? NULL : refuse_choice(o, text);
    case OPTION_LIST: {
        option_list *list = to;
        if (!text[0])
            return text_format("--%s takes a %s, not nothing", o->name, o->value);
        if (list->n == OPTION_LIST_MAX)
            return text_format("--%s is given more than %d times", o->name, OPTION_LIST_MAX);
        list->items[list->n++] = field && o->is_model ? model_named(text) : text;
        return NULL;
    }
    case OPTION_BYTES:
        if (!read_bytes(to, text))
            return text_format("--%s takes bytes as 1048576, 256M or 2G, not \"%s\"", o->name,
                               text);
        return NULL;
    }
    return text_format("--%s is of no kind", o->name);
}

size_t options_all(const option_spec *all[OPTIONS_MAX], const command *self)
{
    size_t n = 0;

    for (size_t t = 0; self->options[t]; t++)
        for (const option_spec *o = self->options[t]; o->name; o++) {
            assert(n < OPTIONS_MAX);
            all[n++] = o;
        }
    return n;
}

const option_spec *options_find(const command *self, const char *name)
{
    for (size_t t = 0; self->options[t]; t++)
        for (const option_spec *o = self->options[t]; o->name; o++)
            if (strcmp(o->name, name) == 0)
                return o;
    return NULL;
}

bool options_names(const char *words, const char *name)
{
    const size_t n = strlen(name);

    for (const char *s = words; s && *s; s += strcspn(s, " "), s += strspn(s, " "))
        if (strncmp(s, name, n) == 0 && (s[n] == '\0' || s[n] == ' '))
            return true;
    return false;
}

void options_default(char out[128], const option_spec *o)
{
    const char *said = strstr(o->help, "default ");
    size_t n;

    out[0] = '\0';
    if (!said)
        return;
    said += strlen("default ");
    for (n = strcspn(said, ";):"); said[n] == ':' && said[n + 1] != ' ';)
        n += 1 + strcspn(said + n + 1, ";):");
    snprintf(out, 128, "%.*s", (int)(n < 127 ? n : 127), said);
}

char *options_no_command(const command *all, const char *name)
{
    nearest like = {0};

    for (const command *c = all; c->name; c++)
        nearest_see(&like, name, c->name);
    return nearest_meant(text_format("there is no command \"%s\"%s", name,
                                     name[0] == '-' ? " (options stand behind the command)" : ""),
                         &like);
}
