/*
 * test_sandbox_calls.c - the sandbox's filter of system calls, run here as the kernel runs it: by
 * the numbers that calls have on the processor that this was built for, whatever the kernel under
 * it does with a filter (an emulator refuses to install one).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "app/sandbox.h"

#if defined(__x86_64__)
#define OUR_ARCH   AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OUR_ARCH   AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
#endif

#if defined(OUR_ARCH)

static struct sock_filter filter[64];
static size_t n_filter;

/* What it is given is kept, and nothing is restricted. */
int __wrap_prctl(int option, ...);
int __wrap_prctl(int option, ...)
{
    const struct sock_fprog *program;
    va_list rest;

    if (option != PR_SET_SECCOMP)
        return 0;
    va_start(rest, option);
    assert_int_equal(va_arg(rest, int), SECCOMP_MODE_FILTER);
    program = va_arg(rest, const struct sock_fprog *);
    va_end(rest);
    assert_in_range(program->len, 1, 64);
    n_filter = program->len;
    memcpy(filter, program->filter, n_filter * sizeof *filter);
    return 0;
}

/* The filter's verdict, by the four instructions that it is made of. */
static uint32_t verdict(uint32_t arch, uint32_t number)
{
    const struct seccomp_data data = {.arch = arch, .nr = (int)number};
    uint32_t loaded = 0;

    for (size_t at = 0; at < n_filter; at++) {
        const struct sock_filter *f = filter + at;

        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(f->k % 4 == 0 && f->k < sizeof data);
            memcpy(&loaded, (const char *)&data + f->k, sizeof loaded);
            break;
        case BPF_JMP | BPF_JEQ | BPF_K: at += loaded == f->k ? f->jt : f->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: at += loaded >= f->k ? f->jt : f->jf; break;
        case BPF_RET | BPF_K: return f->k;
        default: fail_msg("instruction %04x is not one of the four", f->code);
        }
    }
    fail_msg("the filter ends without a verdict");
    return 0;
}

static int set_up(void **state)
{
    const sandbox_paths paths = {0};

    (void)state;
    unsetenv("DOPPEL_SANDBOX");
    return sandbox_enter(&paths) & 2 ? 0 : -1;
}

static void network_and_programs_are_refused(void **state)
{
    static const uint32_t refused[] = {
        __NR_socket,           __NR_socketpair,        __NR_execve, __NR_execveat,
        __NR_process_vm_readv, __NR_process_vm_writev, 425 /* io_uring_setup */};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(verdict(OUR_ARCH, refused[i]), SECCOMP_RET_ERRNO | EPERM);
}

static void what_work_needs_is_allowed(void **state)
{
    static const uint32_t allowed[] = {
        __NR_read,        __NR_write,         __NR_openat,   __NR_close,     __NR_mmap,
        __NR_munmap,      __NR_mprotect,      __NR_futex,    __NR_clone,     __NR_lseek,
        __NR_fsync,       __NR_fcntl,         __NR_unlinkat, __NR_getrandom, __NR_exit_group,
        __NR_sched_yield, __NR_clock_gettime, __NR_ftruncate};

    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_int_equal(verdict(OUR_ARCH, allowed[i]), SECCOMP_RET_ALLOW);
}

static void calls_of_another_table_are_refused(void **state)
{
    (void)state;
    assert_int_equal(verdict(OTHER_ARCH, __NR_read), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(verdict(OUR_ARCH, 0x40000000u | __NR_read), SECCOMP_RET_ERRNO | EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_and_programs_are_refused),
        cmocka_unit_test(what_work_needs_is_allowed),
        cmocka_unit_test(calls_of_another_table_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}

#else

int main(void)
{
    return 77;
}

#endif
