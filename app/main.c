/*
 * main.c - the doppel program: the table of its commands, and what holds for all of them.
 *
 * A command parses its options, works through the public API and returns an exit code; here BLAS
 * is set up before any thread exists, and standard output is checked at the end, so that no answer
 * is lost without a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/common.h"

const command commands[] = {
    {"enroll", cmd_enroll, 1, "DIR|FILE…", "put people's photos into the gallery",
     options_of_enroll,
     "In a folder, a photo belongs to the person whom the folder that holds it is named after, at\n"
     "any depth. Photos directly in the folder given, and files given one by one, are one person\n"
     "each, named by the file without its ending; --name gives one name to all. Enrolling again\n"
     "looks only at what has changed; a photo that has moved keeps its person.\n"
     "\n"
     "Every refused file is told with its reason, and its status counts in the exit status.\n"
     "Interrupted (SIGINT, SIGTERM), it keeps what is done and goes on when run again."},
    {"verify", cmd_verify, 1, "A B | PHOTO --as NAME",
     "tell whether two photos show the same person", options_of_verify,
     "The exit status is 0 for a match and for nothing else.\n"
     "\n"
     "--fmr chooses how often strangers may pass; the model's calibration, measured on pairs of\n"
     "strangers, turns the rate into a threshold. Where the measurement cannot tell on which side\n"
     "of the rate a score lies, the answer is \"inconclusive\"."},
    {"query", cmd_query, 1, "PHOTO…", "tell who is in the photos, and what looks like them",
     options_of_query,
     "Every face in a photo gets an answer; \"unknown\" is one. The threshold allows for the "
     "number\n"
     "of people in the gallery, as each of them is a chance to mistake a stranger for. By the "
     "whole\n"
     "picture (--by image, --image-model) nothing is decided unless --threshold is given."},
    {"list", cmd_list, 0, "", "list the people in the gallery", options_of_list, NULL},
    {"info", cmd_info, 0, "[PERSON|PHOTO]", "tell what the gallery knows", options_of_info,
     "Without an argument: of the gallery itself. Of a person: the photos. Of a photo: "
     "everything.\n"
     "A person's name is taken first; ./NAME is always a photo."},
    {"forget", cmd_forget, 0, "PERSON|PHOTO…", "remove people or photos, and prove it",
     options_of_forget,
     "Rows, thumbnails, vectors and index entries go, the database is written anew, and a search\n"
     "for every forgotten vector proves that none is found. The photo files stay where they are.\n"
     "A person's name is taken first; ./NAME is always a photo."},
    {"rename", cmd_rename, 0, "OLD NEW", "give a person another name", options_of_rename, NULL},
    {"export", cmd_export, 0, "FILE|-", "write the whole gallery as JSON lines", options_of_export,
     "It holds everything: names, paths, vectors, thumbnails. Keep it as you keep the gallery."},
    {"import", cmd_import, 0, "FILE", "read an export into a gallery", options_of_import,
     "All of it or nothing. Photos that the gallery knows by path are replaced."},
    {"eval", cmd_eval, 1, "pairs LIST | oneshot DATA",
     "measure an encoder on pictures with known answers", options_of_eval,
     "pairs reads LFW's lists (\"500\" or \"10 300\" first; NAME/NAME_0001.jpg below --dir) or\n"
     "a CSV with the columns a, b, same (1 or 0) and perhaps fold. It gives accuracy, AUC, EER\n"
     "and TAR at FAR. Accuracy is over folds, each at the threshold that is best on the others; a\n"
     "list without folds is cut into ten. Faces are found and aligned as verify does, unless the\n"
     "encoder is of whole pictures or --aligned is given. --random N draws the pairs from DATA.\n"
     "\n"
     "oneshot shows one picture of each class and asks which of them the test is: Lake's runs\n"
     "(--runs), or trials drawn from DATA: item j of every class, and item i of one, which in\n"
     "Omniglot are two drawers'. Pictures are taken whole unless --detect faces is given.\n"
     "\n"
     "DATA is a folder with a folder per class, a CSV, or a zip read in place; the folder above a\n"
     "class is its group. A picture that gives no vector is told, its pairs are \"no match\" and\n"
     "its trials lost, and its status counts in the exit status."},
    {"train", cmd_train, 1, "DATA | --resume DIR", "train an encoder on a folder of pictures",
     options_of_train,
     "DATA is a folder with a folder per class, a CSV with path and label, or a zip read in place\n"
     "(\"file.zip:inner/folder\"); the folder above a class is its group.\n"
     "\n"
     "The run's folder holds config.json, log.jsonl, report.html (curves), best.onnx and "
     "last.onnx\n"
     "(encoders for --model), and checkpoint.bin. Interrupted (SIGINT, SIGTERM), it saves and can "
     "be\n"
     "resumed, to the same bits as if it had not been. Killed, it loses what came after the last\n"
     "checkpoint: one is written at every validation and epoch, and at least every\n"
     "--checkpoint-minutes. When resumed, only --epochs, --steps, --patience, --threads, "
     "--log-steps,\n"
     "--checkpoint-minutes and --max-memory-gib may be given anew.\n"
     "\n"
     "Networks: koch2015 (Koch, Zemel, Salakhutdinov 2015), koch2015-bn, resnet-drawing,\n"
     "mobilefacenet. A loss that is not finite stops the run and names the layer."},
    {"help", cmd_help, 0, "[COMMAND]", "explain a command, or all of them", options_of_help, NULL},
    {0}};

/**
 * Our threads work on photos side by side, so BLAS must not make its own; and a BLAS older than the
 * processor takes it for one of 2004 (OpenBLAS 0.3.21 on a Xeon of 2023: 15 instead of 85 GFLOP/s).
 * Both are read from the environment when the library is loaded, which is before any line of ours,
 * so the program starts itself once more.
 */
static void settle_blas(char **argv)
{
    const char *core = dpl_blas_core(), *level = dpl_cpu_level();
    const int old = strcmp(core, "Prescott") == 0 && strcmp(level, "baseline") != 0;
    char exe[PATH_MAX];
    ssize_t n;

    if (getenv("OPENBLAS_NUM_THREADS") && (!old || getenv("OPENBLAS_CORETYPE")))
        return;
    n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0 && setenv("OPENBLAS_NUM_THREADS", "1", 0) == 0 &&
        (!old ||
         setenv("OPENBLAS_CORETYPE", strcmp(level, "avx512") ? "Haswell" : "SkylakeX", 0) == 0)) {
        exe[n] = '\0';
        execv(exe, argv);
    }
    dpl_blas_set_threads(1);
}

/** A file opened later must not become standard output because the caller had closed it. */
static void fill_standard_files(void)
{
    for (int fd = open("/dev/null", O_RDWR); fd >= 0 && fd <= STDERR_FILENO;)
        fd = open("/dev/null", O_RDWR);
}

/** Edits (insert, remove, replace) from a to b; b has at most 15 letters. */
static int distance(const char *a, const char *b)
{
    int row[16];
    const int n = (int)strlen(b);

    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            const int replaced = diagonal + (a[i] != b[j - 1]);
            const int edited = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < edited ? replaced : edited;
        }
    }
    return row[n];
}

static int unknown_command(const char *name)
{
    const command *nearest = NULL;
    int least = 3; /* further away is another word */

    for (const command *c = commands; c->name; c++) {
        const int d = distance(name, c->name);
        if (d < least) {
            least = d;
            nearest = c;
        }
    }
    fputs("doppel: there is no command \"", stderr);
    text_put(stderr, name);
    fputs("\"", stderr);
    if (nearest)
        fprintf(stderr, ", is \"%s\" meant?", nearest->name);
    fputs("\n(see: doppel help)\n", stderr);
    return 2;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        help_overview(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        if (argc > 2)
            return unknown_command(argv[1]);
        if (strcmp(argv[1], "--version") == 0) {
            settle_blas(argv); /* so that it tells what the commands will run on */
            help_version();
        } else {
            help_overview(stdout);
        }
        return 0;
    }
    for (const command *c = commands; c->name; c++)
        if (strcmp(argv[1], c->name) == 0) {
            if (c->computes)
                settle_blas(argv);
            return c->run(c, argc - 1, argv + 1);
        }
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    int code, failed;

    fill_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is a write that fails */
    text_start();
    code = run(argc, argv);
    if (code < 0) /* its help was asked for and told */
        code = 0;
    errno = 0;
    failed = ferror(stdout);
    failed = fflush(stdout) != 0 || failed;
    failed = close(STDOUT_FILENO) != 0 || failed;
    if (!failed)
        return code;
    if (errno != EPIPE)
        fprintf(stderr, "doppel: cannot write to standard output%s%s\n", errno ? ": " : "",
                errno ? strerror(errno) : "");
    return code > 5 ? code : 5;
}
