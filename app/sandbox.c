/*
 * sandbox.c - decoders and models read what nobody trusts; should one of them have a hole, what the
 * process may do is little.
 *
 * Files by Landlock (Linux 5.13), which needs no rights and costs a check when a file is opened.
 * Network and programs by a filter of system calls (seccomp). By numbers, as the C library has no
 * functions for either, and the kernel's headers may be older than the kernel.
 *
 * Source: Linux, Documentation/userspace-api/landlock.rst and seccomp_filter.rst.
 */
#include "app/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ------------------------------------------------------------------ files */

/* The same on every architecture. */
enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_RESTRICT = 446 };

/* Bits of the kernel's interface; up to MAKE_SYM they are in its first version. */
enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_CHAR = 1 << 6,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SYM = 1 << 12,
    REFER = 1 << 13,   /* version 2: rename and link between folders */
    TRUNCATE = 1 << 14 /* version 3 */
};

struct rule {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

/* What of a name in a file system may be done from here on; what is not there needs no rule. */
static void allow(int rules, uint64_t handled, const char *path, uint64_t access)
{
    const int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
    struct rule rule = {.allowed = access & handled, .folder = fd};
    struct stat st;

    if (fd < 0)
        return;
    /* The kernel takes no right of folders for a file. */
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;
    (void)syscall(LANDLOCK_ADD, rules, 1, &rule, 0);
    close(fd);
}

/* What libpq reads of names, certificates and passwords. */
static void allow_database(int rules, uint64_t handled)
{
    static const char *const system[] = {"/etc/hosts",         "/etc/resolv.conf",
                                         "/etc/nsswitch.conf", "/etc/gai.conf",
                                         "/etc/services",      "/etc/host.conf",
                                         "/etc/ssl",           "/usr/share/ca-certificates",
                                         "/etc/postgresql-common"};
    static const char *const named[] = {"PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSLCERT",
                                        "PGSSLKEY",   "PGSSLROOTCERT", "PGSSLCRL"};
    static const char *const own[] = {".pgpass", ".pg_service.conf", ".postgresql"};
    const char *home = getenv("HOME");
    char path[4096];

    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        allow(rules, handled, system[i], READ_FILE | READ_DIR);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        allow(rules, handled, getenv(named[i]), READ_FILE | READ_DIR);
    for (size_t i = 0; home && i < sizeof own / sizeof *own; i++)
        if (snprintf(path, sizeof path, "%s/%s", home, own[i]) < (int)sizeof path)
            allow(rules, handled, path, READ_FILE | READ_DIR);
}

static bool restrict_files(const sandbox_paths *paths)
{
    /* Libraries that are loaded late (an unwinder), the time zone, and what OpenMP, the pool and
     * SQLite ask of the machine. */
    static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64",
                                            "/usr/local/lib"};
    static const char *const system[] = {
        "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/proc/self",
        "/proc/cpuinfo",    "/proc/meminfo",  "/proc/stat",          "/sys/devices/system",
        "/sys/fs/cgroup",   "/dev/urandom"};
    const long version = syscall(LANDLOCK_CREATE, NULL, 0, 1);
    uint64_t handled = 2 * MAKE_SYM - 1;
    bool done;
    int rules;

    if (version < 1)
        return false;
    handled |= version >= 2 ? REFER : 0;
    handled |= version >= 3 ? TRUNCATE : 0;
    rules = (int)syscall(LANDLOCK_CREATE, &handled, sizeof handled, 0);
    if (rules < 0)
        return false;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        allow(rules, handled, libraries[i], READ_FILE | READ_DIR | EXECUTE);
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        allow(rules, handled, system[i], READ_FILE | READ_DIR);
    /* Where an answer goes that gives way to a page. */
    allow(rules, handled, "/dev/null", READ_FILE | WRITE_FILE);
    if (paths->connects)
        allow_database(rules, handled);
    for (size_t i = 0; i < paths->n_read; i++)
        allow(rules, handled, paths->read[i], READ_FILE | READ_DIR);
    for (size_t i = 0; i < paths->n_write; i++)
        allow(rules, handled, paths->write[i],
              READ_FILE | READ_DIR | WRITE_FILE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR |
                  REFER | TRUNCATE);
    allow(rules, handled, paths->tidies, REMOVE_DIR);
    done = syscall(LANDLOCK_RESTRICT, rules, 0) == 0;
    close(rules);
    return done;
}

/* ------------------------------------------------------------------ network and programs */

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#if defined(OUR_ARCH)

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
/* A call of another architecture's table, or with the numbers of x32, is none of ours. */
#define REFUSE         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */)
#define REFUSE_IF(n)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (n), 0, 1), REFUSE
#define REFUSE_FROM(n) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (n), 0, 1), REFUSE

static bool restrict_calls(bool connects)
{
    const struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
        REFUSE,
        LOAD(nr),
        REFUSE_FROM(0x40000000u),
        REFUSE_IF(__NR_socketpair),
        REFUSE_IF(__NR_execve),
        REFUSE_IF(__NR_execveat),
/* LeakSanitizer stops the threads by it when it looks for leaks. */
#if !defined(__SANITIZE_ADDRESS__)
        REFUSE_IF(__NR_ptrace),
#endif
        REFUSE_IF(__NR_process_vm_readv),
        REFUSE_IF(__NR_process_vm_writev),
        /* It does its own opening and connecting, past this filter. */
        REFUSE_IF(425 /* io_uring_setup */),
        /* The last two. */
        REFUSE_IF(__NR_socket),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    if (connects)
        filter[sizeof filter / sizeof *filter - 3] = pass;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#else

static bool restrict_calls(bool connects)
{
    (void)connects;
    return false;
}

#endif

int sandbox_enter(const sandbox_paths *paths)
{
    const char *wanted = getenv("DOPPEL_SANDBOX");
    int holds = 0;

    if (wanted && strcmp(wanted, "off") == 0)
        return 0;
    /* Both are given only to those who can gain no rights by starting a program. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;
    holds |= restrict_files(paths) ? 1 : 0;
    holds |= restrict_calls(paths->connects) ? 2 : 0;
    return holds;
}

#else

int sandbox_enter(const sandbox_paths *paths)
{
    (void)paths;
    return 0;
}

#endif
