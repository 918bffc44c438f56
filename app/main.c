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
#include "app/nearest.h"

/*
 * Our threads work on photos side by side, so BLAS must not make its own; and a BLAS older than the
 * processor takes it for one of 2004 (OpenBLAS 0.3.21 on a Xeon of 2023: 15 instead of 85 GFLOP/s).
 * The threads of OpenMP, which a search is divided among, are to sleep until the next one:
 * spinning, they take the cores of those that open photos. All are read from the environment when
 * the library is loaded, which is before any line of ours, so the program starts itself once more.
 */
static void settle_blas(char **argv)
{
    const char *core = dpl_blas_core(), *level = dpl_cpu_level();
    const bool old = strcmp(core, "Prescott") == 0 && strcmp(level, "baseline") != 0;
    char exe[PATH_MAX];
    ssize_t n;

    if (getenv("OPENBLAS_NUM_THREADS") && (!old || getenv("OPENBLAS_CORETYPE")))
        return;
    n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0 && setenv("OPENBLAS_NUM_THREADS", "1", 0) == 0 &&
        setenv("OMP_WAIT_POLICY", "passive", 0) == 0 &&
        (!old ||
         setenv("OPENBLAS_CORETYPE", strcmp(level, "avx512") ? "Haswell" : "SkylakeX", 0) == 0)) {
        exe[n] = '\0';
        execv(exe, argv);
    }
    dpl_blas_set_threads(1);
}

/* A file opened later must not become standard output because the caller had closed it. */
static void fill_standard_files(void)
{
    for (int fd = open("/dev/null", O_RDWR); fd >= 0 && fd <= STDERR_FILENO;)
        fd = open("/dev/null", O_RDWR);
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
 */
static void keep_memory_small(void)
{
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 1);
#endif
}

static int unknown_command(const char *name)
{
    nearest like = {0};

    for (const command *c = commands; c->name; c++)
        nearest_see(&like, name, c->name);
    fputs("doppel: there is no command \"", stderr);
    text_put(stderr, name);
    fputs("\"", stderr);
    if (like.n > 0)
        fprintf(stderr, ", is \"%s\" meant?", like.names[0]);
    nearest_clear(&like);
    fputs("\n(see: doppel help)\n", stderr);
    return 2;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        help_overview(commands, stderr);
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
            help_overview(commands, stdout);
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
    bool failed;
    int code;

    fill_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is a write that fails */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that has grown to its limit */
    keep_memory_private();
    keep_memory_small();
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
