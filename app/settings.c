/*
 * settings.c - reading the configuration file, and which of its lines counts.
 *
 * Every line is looked at, also those of other commands: a mistake is told when it is made, not
 * when it first matters.
 */
#include "app/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/nearest.h"
#include "app/text.h"

enum { MAX_BYTES = 1 << 20 };

static char *place(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    /* The XDG rule: a path that is not absolute counts as unset. */
    if (config && config[0] == '/')
        return text_format("%s/doppel/config", config);
    if (home && home[0] == '/')
        return text_format("%s/.config/doppel/config", home);
    return NULL;
}

/* Without the blanks at both ends. */
static char *trimmed(char *text)
{
    size_t n;

    text += strspn(text, " \t\r\n\v\f");
    n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

/* "~/faces" is in the user's home. */
static char *from_home(const char *value)
{
    const char *home = getenv("HOME");

    return strncmp(value, "~/", 2) == 0 && home && home[0] == '/'
               ? text_format("%s%s", home, value + 1)
               : text_format("%s", value);
}

static void take_line(settings *s, char **section, char *text, int line)
{
    char *said = trimmed(text), *equals = strchr(said, '=');
    const size_t n = strlen(said);
    setting *item;

    if (n == 0 || said[0] == '#' || said[0] == ';')
        return;
    if (said[0] == '[' && said[n - 1] == ']') {
        said[n - 1] = '\0';
        free(*section);
        *section = text_format("%s", trimmed(said + 1));
        said = NULL;
    }
    if (said && equals)
        *equals = '\0';
    /* There is room up to the next power of two. */
    if ((s->n & (s->n - 1)) == 0)
        s->items = text_need(reallocarray(s->items, s->n ? 2 * s->n : 1, sizeof *s->items));
    item = &s->items[s->n++];
    *item = (setting){.section = text_format("%s", *section),
                      .name = said ? text_format("%s", trimmed(said)) : NULL,
                      .value = said && equals ? from_home(trimmed(equals + 1)) : NULL,
                      .line = line};
}

/* Whether a carriage return stands elsewhere than at the line's end. */
static bool has_lone_return(const char *line)
{
    const char *at = strchr(line, '\r');

    return at && at[1] && at[1] != '\n';
}

char *settings_read(settings *s)
{
    char *section = text_format("%s", ""), *text = NULL, *problem = NULL;
    size_t cap = 0, n_bytes = 0;
    struct stat st;
    FILE *f = NULL;
    ssize_t n;

    *s = (settings){.path = place()};
    if (!s->path)
        goto done;
    f = fopen(s->path, "re");
    if (!f) {
        if (errno != ENOENT && errno != ENOTDIR)
            problem = text_format("cannot read \"%s\": %s", s->path, strerror(errno));
        goto done;
    }
    s->found = true;
    if (fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode)) {
        problem = text_format("cannot read \"%s\": it is no file", s->path);
        goto done;
    }
    for (int line = 1; !problem; line++) {
        n = getline(&text, &cap, f);
        if (n < 0)
            break;
        n_bytes += (size_t)n;
        if (n_bytes > MAX_BYTES)
            problem = text_format("\"%s\" has more than %d bytes", s->path, MAX_BYTES);
        else if (strlen(text) != (size_t)n)
            problem = text_format("\"%s\", line %d: it is no text", s->path, line);
        else if (has_lone_return(text))
            problem =
                text_format("\"%s\", line %d: lines end in a carriage return alone", s->path, line);
        else
            take_line(s, &section, text, line);
    }
    if (!problem && ferror(f))
        problem = text_format("cannot read \"%s\": %s", s->path, strerror(errno));
done:
    if (f)
        fclose(f);
    free(section);
    free(text);
    return problem;
}

void settings_free(settings *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].section);
        free(s->items[i].name);
        free(s->items[i].value);
    }
    free(s->items);
    free(s->path);
    *s = (settings){0};
}

/* ------------------------------------------------------------------ what is wrong */

/* "yes" is a word of its own, as a bare name is. */
static bool read_flag(bool *out, const char *value)
{
    static const char *const words[2][4] = {{"no", "false", "off", "0"},
                                            {"yes", "true", "on", "1"}};

    *out = true;
    if (!value)
        return true;
    for (int is = 0; is < 2; is++)
        for (int k = 0; k < 4; k++)
            if (strcmp(value, words[is][k]) == 0) {
                *out = is == 1;
                return true;
            }
    return false;
}

/* Whether a line is for this command's option. */
static bool is_for(const setting *item, const command *self, const option_spec *o)
{
    return item->name && strcmp(item->name, o->name) == 0 &&
           (!item->section[0] || strcmp(item->section, self->name) == 0);
}

/* Two ways to say one thing, in one place of the file, are one too many. */
static char *two_ways(const settings *s, size_t i, const command *self, const option_spec *o)
{
    for (size_t k = 0; k < i; k++) {
        const option_spec *other = s->items[k].name ? options_find(self, s->items[k].name) : NULL;

        if (other && strcmp(s->items[k].section, s->items[i].section) == 0 &&
            options_names(o->instead, other->name))
            return text_format("\"%s\" and \"%s\" (line %d) exclude each other", o->name,
                               other->name, s->items[k].line);
    }
    return NULL;
}

static char *problem_with(const settings *s, size_t i, const command *self, const option_spec *o)
{
    const setting *item = &s->items[i];
    bool flag;

    if (o->once)
        return text_format("\"%s\" is said on the command line each time, not here", item->name);
    if (o->kind == OPTION_FLAG)
        return read_flag(&flag, item->value)
                   ? two_ways(s, i, self, o)
                   : text_format("\"%s\" is yes or no, not \"%s\"", item->name, item->value);
    if (!item->value)
        return text_format("\"%s\" needs a value: %s = %s", item->name, item->name, o->value);
    char *problem = options_take(o, NULL, item->value);
    return problem ? problem : two_ways(s, i, self, o);
}

static char *no_option(const setting *item, const command *all)
{
    nearest like = {0};
    char *words =
        text_format("%s%s \"%s\"", item->section,
                    item->section[0] ? " has no option" : "there is no option", item->name);

    for (const command *c = all; c->name; c++)
        for (size_t t = 0; c->options[t]; t++)
            for (const option_spec *o = c->options[t]; o->name; o++)
                if (!o->once && (!item->section[0] || strcmp(item->section, c->name) == 0))
                    nearest_see(&like, item->name, o->name);
    return nearest_meant(words, &like);
}

char *settings_problem(const settings *s, size_t i, const command *all)
{
    const setting *item = &s->items[i];
    bool is_command = !item->section[0], is_option = false;
    char *problem = NULL;

    for (const command *c = all; c->name; c++) {
        if (item->section[0] && strcmp(item->section, c->name) != 0)
            continue;
        is_command = is_command || item->section[0];
        for (size_t t = 0; item->name && c->options[t]; t++)
            for (const option_spec *o = c->options[t]; o->name; o++) {
                if (strcmp(o->name, item->name) != 0)
                    continue;
                char *found = problem_with(s, i, c, o);
                if (!found) { /* one that takes it is enough: "precision" is two things */
                    free(problem);
                    return NULL;
                }
                is_option = true;
                if (problem)
                    free(found);
                else
                    problem = found;
            }
    }
    if (!is_command)
        return options_no_command(all, item->section);
    return problem || is_option || !item->name ? problem : no_option(item, all);
}

/* ------------------------------------------------------------------ what counts */

static bool is_taken(const setting *item, const option_spec *o)
{
    bool flag;
    char *problem;

    if (o->once)
        return false;
    if (o->kind == OPTION_FLAG)
        return read_flag(&flag, item->value);
    problem = item->value ? options_take(o, NULL, item->value) : text_format("%s", "");
    free(problem);
    return !problem;
}

const setting *settings_find(const settings *s, const command *self, const option_spec *o)
{
    const char *environment = o->environment ? getenv(o->environment) : NULL;
    const setting *counts = NULL;

    if (environment && environment[0])
        return NULL;
    for (size_t i = 0; i < s->n; i++) {
        const setting *item = &s->items[i];

        if (is_for(item, self, o) && is_taken(item, o) &&
            (!counts || item->section[0] || !counts->section[0]))
            counts = item;
    }
    return counts;
}

void settings_apply(const settings *s, const command *self, const option_spec *o, void *field)
{
    const setting *counts = settings_find(s, self, o);

    if (!counts)
        return;
    if (o->kind == OPTION_FLAG) {
        read_flag(field, counts->value);
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        const setting *item = &s->items[i];

        if (o->kind == OPTION_LIST ? is_for(item, self, o) && is_taken(item, o) &&
                                         strcmp(item->section, counts->section) == 0
                                   : item == counts)
            free(options_take(o, field, item->value));
    }
}
