/*
 * cmd_config.c - `doppel config`: which defaults are in force, and where each comes from.
 */
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/common.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/settings.h"

const option_spec *const options_of_config[] = {options_output, NULL};

/* Where a value comes from. */
typedef enum origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT } origin;

static const char *const origin_words[] = {"default", "file", "environment"};

typedef struct value {
    const char *text; /* NULL: there is none */
    origin from;
    int line;        /* of the file */
    char words[128]; /* of a default */
    char *list;      /* of a list, all of it; freed by tell */
} value;

/* What all lines of a list come to. */
static char *joined(const settings *file, const command *c, const option_spec *o)
{
    char *all = text_format("%s", "");
    option_list list = {0};

    settings_apply(file, c, o, &list);
    for (int i = 0; i < list.n; i++) {
        char *longer = text_format("%s%s%s", all, i ? ", " : "", list.items[i]);
        free(all);
        all = longer;
    }
    return all;
}

static void look_up(value *v, const settings *file, const command *c, const option_spec *o)
{
    const char *environment = o->environment ? getenv(o->environment) : NULL;
    const setting *said = settings_find(file, c, o);

    *v = (value){0};
    if (environment && environment[0]) {
        v->from = FROM_ENVIRONMENT;
        /* That it is set is all that it says. */
        v->text = strcmp(o->environment, "NO_COLOR") == 0 ? "never" : environment;
    } else if (said) {
        v->from = FROM_FILE;
        v->text = said->value ? said->value : "yes";
        v->line = said->line;
        if (o->kind == OPTION_LIST)
            v->text = v->list = joined(file, c, o);
    } else {
        options_default(v->words, o);
        v->text = v->words[0] ? v->words : o->kind == OPTION_FLAG ? "no" : NULL;
    }
}

static void tell(table *t, json_t **array, const command *section, const option_spec *o, value *v)
{
    char *from = v->from == FROM_FILE          ? text_format("line %d", v->line)
                 : v->from == FROM_ENVIRONMENT ? text_format("$%s", o->environment)
                                               : text_format("default");
    const char *cells[] = {section ? section->name : "", o->name, v->text ? v->text : "-", from};
    json_t *object = json_object();

    if (section)
        json_put_text(&object, "command", section->name);
    json_put_text(&object, "name", o->name);
    json_put_text(&object, "value", v->text);
    json_put_text(&object, "from", origin_words[v->from]);
    if (v->from == FROM_FILE)
        json_put_int(&object, "line", v->line);
    if (v->from == FROM_ENVIRONMENT)
        json_put_text(&object, "variable", o->environment);
    json_add(array, object);
    /* Of one command alone its name is no column. */
    table_add(t, v->from == FROM_DEFAULT ? TONE_FAINT : TONE_PLAIN,
              cells + (strlen(t->align) == 3 ? 1 : 0));
    free(from);
    free(v->list);
    v->list = NULL;
}

/* Of one command: all that may stand in the file. */
static void tell_command(table *t, json_t **array, const settings *file, const command *c)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, c);
    value v;

    for (size_t i = 0; i < n; i++)
        if (!all[i]->once) {
            look_up(&v, file, c, all[i]);
            tell(t, array, NULL, all[i], &v);
        }
}

/* Of all commands: what is not as it comes. What is the same everywhere is told once. */
static void tell_changed(table *t, json_t **array, const settings *file,
                         const command *all_commands)
{
    const option_spec *all[OPTIONS_MAX];
    const option_spec *told[OPTIONS_MAX];
    size_t n_told = 0;
    value v;

    for (const command *c = all_commands; c->name; c++) {
        const size_t n = options_all(all, c);

        for (size_t i = 0; i < n; i++) {
            const setting *said = settings_find(file, c, all[i]);
            const bool own = said && said->section[0];
            bool seen = false;

            for (size_t k = 0; k < n_told && !own; k++)
                seen = seen || strcmp(told[k]->name, all[i]->name) == 0;
            if (all[i]->once || seen)
                continue;
            look_up(&v, file, c, all[i]);
            if (v.from == FROM_DEFAULT)
                continue;
            if (!own && n_told < OPTIONS_MAX)
                told[n_told++] = all[i];
            tell(t, array, own ? c : NULL, all[i], &v);
        }
    }
}

static void tell_problems(const command *self, json_t **array, const settings *file, size_t *n)
{
    for (size_t i = 0; i < file->n; i++) {
        char *problem = settings_problem(file, i, self->call->all);
        json_t *object;

        if (!problem)
            continue;
        ++*n;
        object = json_object();
        json_put_int(&object, "line", file->items[i].line);
        json_put_text(&object, "message", problem);
        json_add(array, object);
        char *message =
            text_format("\"%s\", line %d: %s", file->path, file->items[i].line, problem);
        fprintf(stderr, "doppel %s: ", self->name);
        text_put(stderr, message);
        fputc('\n', stderr);
        free(message);
        free(problem);
    }
}

static const command *find(const command *all_commands, const char *name)
{
    for (const command *c = all_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int cmd_config(const command *self, int argc, char **argv)
{
    static const char *const heads[] = {"command", "option", "value", "from"};
    common o = COMMON_INIT;
    const command *about = NULL;
    json_t *options = json_array(), *problems = json_array(), *answer;
    table t = {.align = "llll"};
    settings file = {0};
    dpl_error err = {.status = DPL_E_INPUT};
    char *problem = NULL;
    size_t n_problems = 0;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 1)
        code = options_usage(self, "it takes one command at most");
    if (!code && n == 1) {
        about = find(self->call->all, argv[1]);
        if (!about)
            code = options_usage(self, "there is no command \"%s\"", argv[1]);
    }
    if (code)
        goto done;
    problem = settings_read(&file);
    if (problem) {
        snprintf(err.message, sizeof err.message, "%s", problem);
        code = common_fail(self, &o, &err);
        goto done;
    }
    if (about)
        t.align = "lll";
    table_add(&t, TONE_FAINT, about ? heads + 1 : heads);
    if (about)
        tell_command(&t, &options, &file, about);
    else
        tell_changed(&t, &options, &file, self->call->all);
    tell_problems(self, &problems, &file, &n_problems);
    code = n_problems > 0 ? 2 : 0;
    if (o.json) {
        answer = json_answer(self->name);
        json_put_text(&answer, "file", file.path);
        json_put_bool(&answer, "found", file.found);
        if (about)
            json_put_text(&answer, "command", about->name);
        json_put(&answer, "options", options);
        json_put(&answer, "problems", problems);
        options = problems = NULL;
        json_print(answer);
    } else {
        fputs("file: ", stdout);
        text_put(stdout, file.path ? file.path : "none, as there is no $HOME");
        puts(file.path && !file.found ? " (there is none)" : "");
        if (t.n_rows > 1)
            table_print(&t, stdout, (color_when)o.color, 0);
        else
            puts("everything is as it comes (doppel config COMMAND shows what that is)");
    }
done:
    json_decref(options);
    json_decref(problems);
    table_clear(&t);
    settings_free(&file);
    free(problem);
    return code;
}
