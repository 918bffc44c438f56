/*
 * main.c - the doppel program: what holds for all of its commands.
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

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "app/commands.h"
#include "app/common.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/settings.h"

/*
 * Our threads work on photos side by side, so BLAS must not make its own. The threads of OpenMP,
 * which a search is divided among, are to sleep until the next one: spinning, they take the cores
 * of those that open photos. Both are read from the environment when the libraries are loaded,
 * which is by the first call that needs them; where they are linked, it was before any line of
 * ours.
 */
static bool threads_are_settled;

static void settle_threads(void)
{
#if defined(DPL_BLAS_IS_LATE)
    threads_are_settled = true;
#else
    threads_are_settled = getenv("OPENBLAS_NUM_THREADS");
#endif
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 0);
    (void)setenv("OMP_WAIT_POLICY", "passive", 0);
}

/*
 * A BLAS older than the processor takes it for one of 2004 (OpenBLAS 0.3.21 on a Xeon of 2023: 15
 * instead of 85 GFLOP/s). It can be told better only before it is loaded, so the program starts
 * itself once more. Whoever cannot be started again does without.
 */
static void settle_blas(char **argv)
{
    const char *core = dpl_blas_core(), *level = dpl_cpu_level();
    const bool old = strcmp(core, "Prescott") == 0 && strcmp(level, "baseline") != 0 &&
                     !getenv("OPENBLAS_CORETYPE");
    char exe[PATH_MAX];
    ssize_t n;

    if (!old && threads_are_settled)
        return;
    n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0 && (!old || setenv("OPENBLAS_CORETYPE",
                                 strcmp(level, "avx512") ? "Haswell" : "SkylakeX", 0) == 0)) {
        exe[n] = '\0';
        execv(exe, argv);
    }
}

/* A file opened later must not become standard output because the caller had closed it. What stands
 * in the place of one that was closed cannot be used as it would have been: reading from it or
 * writing to it fails, as it does with the closed one. */
static void fill_standard_files(void)
{
    static const int of_no_use[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", of_no_use[fd]);
    }
}

/* Vectors and photos are in memory: no core file of them is left lying, and no other process of the
 * user may read them. execv undoes it, so it is done each time that main begins. */
static void keep_memory_private(void)
{
#if defined(__linux__)
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Pixels and what nets work in come and go in blocks of megabytes, on many threads, and malloc
 * would keep freed ones for each thread: for all of them in one place is enough, and costs no time.
 * There a photo's pixels of 20 megapixels and less stay for the next one: to give them back and
 * have them cleared anew takes a tenth of the time that a large photo does. */
static void keep_memory_small(void)
{
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

static int unknown_command(const char *name, bool json)
{
    char *message = options_no_command(commands, name);

    fputs("doppel: ", stderr);
    text_put(stderr, message);
    fputs("\n(see: doppel help)\n", stderr);
    if (json)
        json_print(json_error(name, DPL_E_ARGUMENT, message));
    free(message);
    return 2;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Whether what fails is to be told as JSON, also where it fails before the options are read. */
static bool asks_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* Whether --json stands in the file for this command. */
static bool keeps_json(const settings *file, const command *c)
{
    const option_spec *o = options_find(c, "json");
    bool json = false;

    if (o)
        settings_apply(file, c, o, &json);
    return json;
}

static int run_command(const command *row, int argc, char **argv)
{
    settings file = {0};
    call how = {.json = asks_json(argc, argv), .settings = &file, .all = commands};
    command c = *row;
    char *problem;
    int code;

    c.call = &how;
    /* What explains goes without: it is wanted most where the file is wrong. */
    if (c.run == cmd_help || c.run == cmd_config || c.run == cmd_version)
        return c.run(&c, argc, argv);
    problem = settings_read(&file);
    for (size_t i = 0; !problem && i < file.n; i++) {
        char *wrong = settings_problem(&file, i, commands);

        if (wrong)
            problem = text_format("\"%s\", line %d: %s", file.path, file.items[i].line, wrong);
        free(wrong);
    }
    how.problem = problem;
    if (!problem)
        how.json = how.json || keeps_json(&file, &c);
    code = c.run(&c, argc, argv);
    free(problem);
    settings_free(&file);
    return code;
}

static const command *find(const char *name)
{
    for (const command *c = commands; c->name; c++)
        if (strcmp(name, c->name) == 0)
            return c;
    return NULL;
}

static int run(int argc, char **argv)
{
    const command *c;
    int code;

    if (argc < 2) {
        help_overview(commands, stderr);
        return 2;
    }
    if (is_one_of(argv[1], "--version", "-V") || is_one_of(argv[1], "--help", "-h")) {
        const bool help = is_one_of(argv[1], "--help", "-h");

        c = argc > 2 ? find(argv[2]) : NULL;
        if (argc > 2 && !c)
            return unknown_command(argv[2], asks_json(argc, argv));
        if (!help) {
            settle_blas(argv); /* so that it tells what the commands will run on */
            help_version();
        } else if (c) {
            options_help(c);
        } else {
            help_overview(commands, stdout);
        }
        return 0;
    }
    c = find(argv[1]);
    if (!c)
        return unknown_command(argv[1], asks_json(argc, argv));
    if (c->computes)
        settle_blas(argv);
    code = run_command(c, argc - 1, argv + 1);
    if (code == OPTIONS_VERSION) {
        settle_blas(argv);
        help_version();
    }
    return code;
}

int main(int argc, char **argv)
{
    bool failed;
    int code;

    fill_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is a write that fails */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that has grown to its limit */
    keep_memory_private();
    keep_memory_small();
    settle_threads();
    text_start();
    code = run(argc, argv);
    if (code < 0) /* its help or the version was asked for and told */
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
