/*
 * cmd_help.c - `doppel help`, `doppel --version`, and the manual page, all from the tables.
 */
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/common.h"
#include "app/completion.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/model_name.h"

typedef struct help_options {
    bool manual;
    int completion; /* a completion_shell; -1: not asked for */
} help_options;

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const option_spec own[] = {{.name = "manual",
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(help_options, manual),
                                   .once = true,
                                   .help = "print the manual page of all commands (roff)"},
                                  {.name = "completion",
                                   .kind = OPTION_CHOICE,
                                   .offset = offsetof(help_options, completion),
                                   .value = "bash|zsh|fish",
                                   .once = true,
                                   .help = "print a script by which the shell completes commands "
                                           "and options",
                                   .choices = shells},
                                  {0}};

const option_spec *const options_of_help[] = {own, NULL};

static const char environment_words[] =
    "DOPPEL_GALLERY   the gallery, where --gallery does not say it\n"
    "DOPPEL_INDEX_MEMORY  MiB: above this the search in a gallery of a database is left to it, "
    "where it\n"
    "                 has pgvector\n"
    "DOPPEL_MODELS    the folder of the models, instead of the one installed with the program\n"
    "NO_COLOR         when set: no colours unless --color always\n"
    "XDG_CONFIG_HOME  the folder of doppel/config, instead of ~/.config (doppel help config)\n";

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

/* The words of the field, and of this program. */
static const char glossary_words[] =
    "FMR           false match rate: how often two strangers compared score so high; 1e-4 is once\n"
    "              in 10,000 pairs\n"
    "FNMR          false non-match rate: how often the same person, twice, scores so low\n"
    "FPIR          false positive identification rate: how often a search for a stranger names\n"
    "              somebody; the more people a gallery holds, the lower a FMR it takes\n"
    "score         how alike two vectors are: the cosine between them, or what the model's head\n"
    "              says\n"
    "threshold     the score from which on it is a match\n"
    "calibration   the table from scores to rates, measured on pairs of strangers\n"
    "inconclusive  between what the measurement can tell apart: neither yes nor no\n"
    "template      a face as a gallery keeps it: its vector, with where it was found\n"
    "gallery       the people and photos that are known, in one folder\n"
    "encoder       the network that makes a vector of a face, a picture or a sentence\n"
    "quality       how good a face is to compare, 0 to 1: size, sharpness, light, pose\n";

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
    printf("\nWords:\n%s\nEnvironment:\n%s\nExit status:\n%s\nPresets of --model: ", glossary_words,
           environment_words, exit_words);
    put_presets(stdout);
    putchar('\n');
}

/* A list of "name  meaning" lines as a roff tagged list. */
static void manual_list(const char *lines)
{
    char *copy = text_format("%s", lines), *rest = copy, *line;

    for (line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
        const size_t n = strcspn(line, " "); /* 0: the line before goes on */
        const char *meaning = line + n + strspn(line + n, " ");
        if (n > 0)
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
        ".B doppel help\n.RI [ COMMAND ]\n.br\n.B doppel version\n"
        ".SH DESCRIPTION\n"
        "doppel compares faces in photos on this machine: no cloud, no account. Photos are told "
        "by their content: JPEG, PNG, the preview in a camera's raw file, and TIFF, WebP, HEIC and "
        "AVIF where they are built in. Results go to standard output, all else to standard error. "
        "Options may stand anywhere after the "
        "command; \"\\-\\-\" ends them. Names in output are made safe for the terminal: what is "
        "not printable appears as \\ex1b or \\eu{202e}. With \\-\\-json each line of standard "
        "output is one JSON object whose schema names the command, as doppel.verify/1; what "
        "fails is told by a line of the schema doppel.error/1: command, status, exit (the exit "
        "status) and message, wrong usage included. A file of a batch that cannot be used has a "
        "line of the command's own, with status and reason.\n"
        ".SH COMMANDS\n",
        dpl_version());
    for (const command *c = all; c->name; c++)
        options_manual(stdout, c);
    fputs(".SH PRESETS\nNames for \\-\\-preset: ", stdout);
    put_presets(stdout);
    fputs(".\n.SH WORDS\n", stdout);
    manual_list(glossary_words);
    fputs(".SH ENVIRONMENT\n", stdout);
    manual_list(environment_words);
    fputs(".SH EXIT STATUS\nIn a batch every file has its own status, and the worst wins.\n",
          stdout);
    manual_list(exit_words);
}

int cmd_help(const command *self, int argc, char **argv)
{
    help_options o = {.completion = -1};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (code)
        return code;
    if (n + o.manual + (o.completion >= 0) > 1)
        return options_usage(self, "it takes one command at most, or --manual, or --completion");
    if (o.manual)
        help_manual(self->call->all);
    else if (o.completion >= 0)
        completion_write(stdout, (completion_shell)o.completion, self->call->all);
    else if (n == 0)
        help_long(self->call->all);
    for (const command *c = self->call->all; n == 1 && c->name; c++)
        if (strcmp(c->name, argv[1]) == 0) {
            options_help(c);
            return 0;
        }
    if (n == 0)
        return 0;
    char *words = options_no_command(self->call->all, argv[1]);
    code = options_usage(self, "%s", words);
    free(words);
    return code;
}

/* ------------------------------------------------------------------ version */

typedef struct version_options {
    bool json;
} version_options;

static const option_spec version_own[] = {{.name = "json",
                                           .kind = OPTION_FLAG,
                                           .offset = offsetof(version_options, json),
                                           .help = "print JSON, one object"},
                                          {0}};

const option_spec *const options_of_version[] = {version_own, NULL};

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

static void version_json(json_t **answer, const char *what, const char *path, const dpl_net *net,
                         const char *vectors)
{
    json_put_net(answer, what, net, vectors);
    if (*answer) {
        json_t *model = json_object_get(*answer, what);
        json_put_text(&model, "path", path);
    }
}

/* A model that comes with doppel: told as text, or put into *answer where that is an object. */
static void version_model(json_t **answer, const char *what, const char *file, bool is_encoder)
{
    dpl_encoder *encoder = NULL;
    dpl_detector *detector = NULL;
    dpl_error err;
    char *path;
    dpl_status status = dpl_models_find(&path, file, &err);

    if (status == DPL_OK)
        status = is_encoder ? dpl_encoder_open(&encoder, path, NULL, &err)
                            : dpl_detector_open(&detector, path, &err);
    if (status != DPL_OK && *answer) {
        json_t *failed = json_object();
        json_put_status(&failed, status, err.message);
        json_put(answer, what, failed);
    } else if (status != DPL_OK) {
        printf("%-9s ", what);
        text_put(stdout, err.message);
        putchar('\n');
    } else {
        (*answer ? version_json(answer, what, path,
                                is_encoder ? dpl_encoder_net(encoder) : dpl_detector_net(detector),
                                is_encoder ? dpl_encoder_hash(encoder) : NULL)
                 : version_net(what, path,
                               is_encoder ? dpl_encoder_net(encoder) : dpl_detector_net(detector),
                               is_encoder ? dpl_encoder_hash(encoder) : NULL));
    }
    dpl_encoder_close(encoder);
    dpl_detector_close(detector);
    dpl_bytes_free(path);
}

void help_version(void)
{
    json_t *none = NULL;

    printf("doppel %s\n", dpl_version());
    version_model(&none, "encoder", DPL_MODEL_ENCODER, true);
    version_model(&none, "detector", DPL_MODEL_DETECTOR, false);
    printf("processor %s\n", dpl_cpu_level());
    printf("BLAS      %s, core %s\n", dpl_blas_words(), dpl_blas_core());
    printf("FAISS     %s\n", dpl_faiss_version());
    printf("SQLite    %s\n", dpl_sqlite_version());
}

int cmd_version(const command *self, int argc, char **argv)
{
    version_options o = {0};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 0)
        code = options_usage(self, "it takes no argument");
    if (code)
        return code;
    if (o.json) {
        json_t *answer = text_need(json_answer(self->name));

        json_put_text(&answer, "version", dpl_version());
        version_model(&answer, "encoder", DPL_MODEL_ENCODER, true);
        version_model(&answer, "detector", DPL_MODEL_DETECTOR, false);
        json_put_text(&answer, "processor", dpl_cpu_level());
        json_put_text(&answer, "blas", dpl_blas_words());
        json_put_text(&answer, "blas_core", dpl_blas_core());
        json_put_text(&answer, "faiss", dpl_faiss_version());
        json_put_text(&answer, "sqlite", dpl_sqlite_version());
        json_print(answer);
    } else {
        help_version();
    }
    return 0;
}
