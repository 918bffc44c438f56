/*
 * cmd_help.c - `doppel help`, `doppel --version`, and the manual page, all from the tables.
 */
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/common.h"
#include "app/model_name.h"

typedef struct help_options {
    bool manual;
} help_options;

static const option_spec own[] = {{.name = "manual",
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(help_options, manual),
                                   .help = "print the manual page of all commands (roff)"},
                                  {0}};

const option_spec *const options_of_help[] = {own, NULL};

static const char environment_words[] =
    "DOPPEL_GALLERY  the gallery's folder, where --gallery does not say it\n"
    "DOPPEL_MODELS   the folder of the models, instead of the one installed with the program\n"
    "NO_COLOR        when set: no colours unless --color always\n";

static const char exit_words[] =
    "0    done; verify: match; query: someone found\n"
    "1    the answer is no: no match, unknown, nothing found\n"
    "2    usage\n"
    "3    a photo is not usable: unreadable, no face, several faces, over a limit, too poor\n"
    "4    model or gallery missing, damaged, locked, or not made for each other; nobody of that "
    "name\n"
    "5    system: memory, disk, standard output\n"
    "6    inconclusive: the evidence decides neither way\n"
    "70   a bug\n"
    "130  interrupted; what was done is kept\n";

static void put_presets(FILE *f)
{
    const char *name;

    for (int32_t i = 0; (name = dpl_encoder_preset_name(i)); i++)
        fprintf(f, "%s%s", i ? ", " : "", name);
}

void help_overview(const command *all, FILE *f)
{
    fputs("usage: doppel COMMAND [OPTION…] ARGUMENT…\n\n"
          "Tells whether two photos show the same person, and finds the photos most like a given "
          "one.\n\n",
          f);
    for (const command *c = all; c->name; c++)
        fprintf(f, "  %-8s %s\n", c->name, c->line);
    fputs("\ndoppel help COMMAND explains one; doppel --version says what is installed.\n", f);
}

static void help_long(const command *all)
{
    help_overview(all, stdout);
    printf("\nEnvironment:\n%s\nExit status:\n%s\nPresets of --model: ", environment_words,
           exit_words);
    put_presets(stdout);
    putchar('\n');
}

/* A list of "name  meaning" lines as a roff tagged list. */
static void manual_list(const char *lines)
{
    char *copy = text_format("%s", lines), *rest = copy, *line;

    for (line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
        const size_t n = strcspn(line, " ");
        const char *meaning = line + n + strspn(line + n, " ");
        printf(".TP\n.B %.*s\n", (int)n, line);
        for (const char *s = meaning; *s; s++)
            printf("%s%c", *s == '-' ? "\\" : "", *s);
        putchar('\n');
    }
    free(copy);
}

static void help_manual(const command *all)
{
    printf(
        ".\\\" Made by \"doppel help --manual\" from the tables that the program itself reads.\n"
        ".TH DOPPEL 1 \"\" \"doppel %s\" \"User Commands\"\n"
        ".SH NAME\ndoppel \\- tells whether two photos show the same person, and finds photos "
        "alike\n"
        ".SH SYNOPSIS\n.B doppel\n.I COMMAND\n[OPTION\\&...] ARGUMENT\\&...\n.br\n"
        ".B doppel help\n.RI [ COMMAND ]\n.br\n.B doppel \\-\\-version\n"
        ".SH DESCRIPTION\n"
        "doppel compares faces in photos on this machine: no cloud, no account. Photos are told "
        "by their content: JPEG, PNG, the preview in a camera's raw file, and TIFF, WebP, HEIC and "
        "AVIF where they are built in. Results go to standard output, all else to standard error. "
        "Options may stand anywhere after the "
        "command; \"\\-\\-\" ends them. Names in output are made safe for the terminal: what is "
        "not printable appears as \\ex1b or \\eu{202e}. With \\-\\-json each line of standard "
        "output is one JSON object whose schema names the command, as doppel.verify/1; what "
        "fails has its line, too, with status and reason. Wrong usage is told on standard error "
        "alone.\n"
        ".SH COMMANDS\n",
        dpl_version());
    for (const command *c = all; c->name; c++)
        options_manual(stdout, c);
    fputs(".SH PRESETS\nNames for \\-\\-preset: ", stdout);
    put_presets(stdout);
    fputs(".\n.SH ENVIRONMENT\n", stdout);
    manual_list(environment_words);
    fputs(".SH EXIT STATUS\nIn a batch every file has its own status, and the worst wins.\n",
          stdout);
    manual_list(exit_words);
}

int cmd_help(const command *self, int argc, char **argv)
{
    help_options o = {0};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (code)
        return code;
    if (n > 1 || (n == 1 && o.manual))
        return options_usage(self, "it takes one command at most");
    if (o.manual)
        help_manual(self->all);
    else if (n == 0)
        help_long(self->all);
    for (const command *c = self->all; n == 1 && c->name; c++)
        if (strcmp(c->name, argv[1]) == 0) {
            options_help(c);
            return 0;
        }
    return n == 1 ? options_usage(self, "there is no command \"%s\"", argv[1]) : 0;
}

/* ------------------------------------------------------------------ version */

static void version_net(const char *what, const char *path, const dpl_net *net, const char *vectors)
{
    printf("%-9s ", what);
    text_put(stdout, model_name(net));
    fputs(", ", stdout);
    text_put(stdout, path);
    printf("\n          file %.12s, net %.12s", dpl_net_file_hash(net), dpl_net_hash(net));
    if (vectors)
        printf(", vectors %.12s", vectors);
    putchar('\n');
}

static void version_model(const char *what, const char *file, bool is_encoder)
{
    dpl_encoder *encoder = NULL;
    dpl_detector *detector = NULL;
    dpl_error err;
    char *path;
    dpl_status status = dpl_models_find(&path, file, &err);

    if (status == DPL_OK)
        status = is_encoder ? dpl_encoder_open(&encoder, path, NULL, &err)
                            : dpl_detector_open(&detector, path, &err);
    if (status != DPL_OK) {
        printf("%-9s ", what);
        text_put(stdout, err.message);
        putchar('\n');
    } else if (is_encoder) {
        version_net(what, path, dpl_encoder_net(encoder), dpl_encoder_hash(encoder));
    } else {
        version_net(what, path, dpl_detector_net(detector), NULL);
    }
    dpl_encoder_close(encoder);
    dpl_detector_close(detector);
    dpl_bytes_free(path);
}

void help_version(void)
{
    printf("doppel %s\n", dpl_version());
    version_model("encoder", DPL_MODEL_ENCODER, true);
    version_model("detector", DPL_MODEL_DETECTOR, false);
    printf("processor %s\n", dpl_cpu_level());
    printf("BLAS      %s, core %s\n", dpl_blas_words(), dpl_blas_core());
    printf("FAISS     %s\n", dpl_faiss_version());
    printf("SQLite    %s\n", dpl_sqlite_version());
}
