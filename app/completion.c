/*
 * completion.c - completion for bash, zsh and fish, from the tables that the options are read by.
 *
 * What an option takes is told by the table: one of its choices, a folder, a file, or a value that
 * no shell can know. Where no option is asked for, names of files are completed.
 */
#include "app/completion.h"

#include <string.h>

typedef enum taken { TAKES_NOTHING, TAKES_CHOICE, TAKES_FOLDER, TAKES_FILE, TAKES_VALUE } taken;

static taken what(const option_spec *o)
{
    if (o->kind == OPTION_FLAG)
        return TAKES_NOTHING;
    if (o->kind == OPTION_CHOICE)
        return TAKES_CHOICE;
    if (strcmp(o->value, "DIR") == 0)
        return TAKES_FOLDER;
    return strcmp(o->value, "FILE") == 0 || strcmp(o->value, "MODEL") == 0 ? TAKES_FILE
                                                                           : TAKES_VALUE;
}

static void put_choices(FILE *f, const option_spec *o)
{
    for (int i = 0; o->choices[i]; i++)
        fprintf(f, "%s%s", i ? " " : "", o->choices[i]);
}

/* Whether its words are commands. */
static bool takes_commands(const command *c)
{
    return strcmp(c->arguments, "[COMMAND]") == 0;
}

static void put_names(FILE *f, const command *all)
{
    for (const command *c = all; c->name; c++)
        fprintf(f, "%s%s", c == all ? "" : " ", c->name);
}

/* The help up to where it goes into details, without what the shell would read: within single
 * quotes, and of zsh within brackets. */
static void put_words(FILE *f, const char *words)
{
    const char *end = strpbrk(words, ";(");
    size_t n = end ? (size_t)(end - words) : strlen(words);

    while (n > 0 && words[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < n; i++)
        switch (words[i]) {
        case '\'': fputs("\u2019", f); break;
        case '[': fputc('(', f); break;
        case ']': fputc(')', f); break;
        case ':': fputs(" -", f); break;
        case '\\':
        case '`': break;
        case '$': /* a name of the environment is one all the same */ break;
        default: fputc(words[i], f);
        }
}

/* ------------------------------------------------------------------ bash */

static void bash_options(FILE *f, const command *c)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, c);

    fprintf(f, "    %s) options=\"", c->name);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "--%s ", all[i]->name);
    fputs("--help --version\" ;;\n", f);
}

static void bash_values(FILE *f, const command *c)
{
    const option_spec *all[OPTIONS_MAX];
    const size_t n = options_all(all, c);

    for (size_t i = 0; i < n; i++) {
        const taken takes = what(all[i]);

        if (takes == TAKES_NOTHING)
            continue;
        fprintf(f, "    %s:--%s", c->name, all[i]->name);
        if (all[i]->letter)
            fprintf(f, " | %s:-%c", c->name, all[i]->letter);
        fputs(") ", f);
        if (takes == TAKES_CHOICE) {
            fputs("words=\"", f);
            put_choices(f, all[i]);
            fputs("\"", f);
        } else {
            fputs(takes == TAKES_FOLDER ? "kind=folder"
                  : takes == TAKES_FILE ? "kind=file"
                                        : "kind=value",
                  f);
        }
        fputs(" ;;\n", f);
    }
}

static void write_bash(FILE *f, const command *all)
{
    fputs("# bash completion of doppel, made by \"doppel help --completion bash\".\n"
          "_doppel()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]} options='' words='' kind='' i\n"
          "    COMPREPLY=()\n"
          "    # --option=value comes as three words\n"
          "    [[ $cur == = ]] && cur=\n"
          "    [[ $prev == = && COMP_CWORD -gt 2 ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    if [[ COMP_CWORD -eq 1 ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"",
          f);
    put_names(f, all);
    fputs(" --help --version\" -- \"$cur\")\n        return\n    fi\n"
          "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
          "        [[ ${COMP_WORDS[i]} == -- ]] && return\n    done\n"
          "    case $command in\n",
          f);
    for (const command *c = all; c->name; c++)
        bash_options(f, c);
    fputs("    *) return ;;\n    esac\n    case $command:$prev in\n", f);
    for (const command *c = all; c->name; c++)
        bash_values(f, c);
    fputs("    *)\n"
          "        [[ $cur == -* ]] && words=$options\n",
          f);
    for (const command *c = all; c->name; c++)
        if (takes_commands(c)) {
            fprintf(f, "        [[ $cur != -* && $command == %s ]] && words=\"", c->name);
            put_names(f, all);
            fputs("\"\n", f);
        }
    fputs("        ;;\n    esac\n"
          "    if [[ -n $words ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "    elif [[ $kind == folder ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
          "    elif [[ $kind != value ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
          "    fi\n"
          "}\n"
          "complete -F _doppel doppel\n",
          f);
}

/* ------------------------------------------------------------------ zsh */

static void zsh_option(FILE *f, const option_spec *o)
{
    const taken takes = what(o);

    if (o->letter)
        fprintf(f, "            '(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter,
                takes == TAKES_NOTHING ? "" : "+", o->name, takes == TAKES_NOTHING ? "" : "=");
    else
        fprintf(f, "            '%s--%s%s[", o->kind == OPTION_LIST ? "*" : "", o->name,
                takes == TAKES_NOTHING ? "" : "=");
    put_words(f, o->help);
    fputs("]", f);
    if (takes == TAKES_CHOICE) {
        fputs(":value:(", f);
        put_choices(f, o);
        fputs(")", f);
    } else if (takes != TAKES_NOTHING) {
        fputs(takes == TAKES_FOLDER ? ":folder:_files -/"
              : takes == TAKES_FILE ? ":file:_files"
                                    : ":value: ",
              f);
    }
    fputs("' \\\n", f);
}

static void write_zsh(FILE *f, const command *all)
{
    fputs("#compdef doppel\n"
          "# zsh completion of doppel, made by \"doppel help --completion zsh\".\n"
          "_doppel() {\n"
          "    local curcontext=$curcontext state line\n"
          "    local -a commands\n"
          "    typeset -A opt_args\n"
          "    commands=(\n",
          f);
    for (const command *c = all; c->name; c++) {
        fprintf(f, "        '%s:", c->name);
        put_words(f, c->line);
        fputs("'\n", f);
    }
    fputs("    )\n"
          "    _arguments -C '(- *)'{-h,--help}'[all commands]' '(- *)'{-V,--version}'[what is "
          "installed]' '1:command:->command' '*::word:->word' && return 0\n"
          "    if [[ $state == command ]]; then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    case $words[1] in\n",
          f);
    for (const command *c = all; c->name; c++) {
        const option_spec *list[OPTIONS_MAX];
        const size_t n = options_all(list, c);

        fprintf(f, "    %s)\n        _arguments -s -S \\\n", c->name);
        for (size_t i = 0; i < n; i++)
            zsh_option(f, list[i]);
        fputs("            '(- *)'{-h,--help}'[help]' '(- *)'{-V,--version}'[what is "
              "installed]' \\\n",
              f);
        if (takes_commands(c)) {
            fputs("            '1:command:(", f);
            put_names(f, all);
            fputs(")'\n", f);
        } else {
            fputs("            '*:file:_files'\n", f);
        }
        fputs("        ;;\n", f);
    }
    fputs("    esac\n"
          "}\n"
          "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
          "    _doppel \"$@\"\n"
          "else\n"
          "    compdef _doppel doppel\n"
          "fi\n",
          f);
}

/* ------------------------------------------------------------------ fish */

static void fish_option(FILE *f, const command *c, const option_spec *o)
{
    const taken takes = what(o);

    fprintf(f, "complete -c doppel -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
    if (o->letter)
        fprintf(f, " -s %c", o->letter);
    if (takes == TAKES_CHOICE) {
        fputs(" -x -a '", f);
        put_choices(f, o);
        fputs("'", f);
    } else if (takes != TAKES_NOTHING) {
        fputs(takes == TAKES_FOLDER ? " -x -a '(__fish_complete_directories)'"
              : takes == TAKES_FILE ? " -r -F"
                                    : " -x",
              f);
    }
    fputs(" -d '", f);
    put_words(f, o->help);
    fputs("'\n", f);
}

static void write_fish(FILE *f, const command *all)
{
    fputs("# fish completion of doppel, made by \"doppel help --completion fish\".\n"
          "complete -c doppel -n __fish_use_subcommand -f\n"
          "complete -c doppel -s h -l help -d 'help'\n"
          "complete -c doppel -s V -l version -d 'what is installed'\n",
          f);
    for (const command *c = all; c->name; c++) {
        const option_spec *list[OPTIONS_MAX];
        const size_t n = options_all(list, c);

        fprintf(f, "complete -c doppel -n __fish_use_subcommand -a %s -d '", c->name);
        put_words(f, c->line);
        fputs("'\n", f);
        for (size_t i = 0; i < n; i++)
            fish_option(f, c, list[i]);
        if (takes_commands(c)) {
            fprintf(f, "complete -c doppel -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
            put_names(f, all);
            fputs("'\n", f);
        }
    }
}

void completion_write(FILE *f, completion_shell shell, const command *all)
{
    switch (shell) {
    case COMPLETION_BASH: write_bash(f, all); break;
    case COMPLETION_ZSH: write_zsh(f, all); break;
    case COMPLETION_FISH: write_fish(f, all); break;
    }
}
