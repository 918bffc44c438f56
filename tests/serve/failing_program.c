/*
 * failing_program.c - the program with memory that can fail while it runs: linked with all of its
 * objects and the library's. The file that $DOPPEL_TEST_MEMORY names is shared with the test, which
 * says there which allocation is to fail. Allocations of jansson, which the answers are made of,
 * are counted, too; what other libraries take inside goes by its own door.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As the test has it: allocations since it set n to 0, the one that fails (0: none), and whether
 * all after that one fail, too. */
static struct control {
    _Atomic uint64_t n, at, on;
} nothing, *control = &nothing;

static bool allocation_fails(void)
{
    const uint64_t nth = ++control->n, at = control->at;

    return at && (nth == at || (control->on && nth > at));
}

#include "tests/failing_wraps.h"

void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **out, const char *format, va_list args);

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    size_t bytes;

    return allocation_fails() || __builtin_mul_overflow(n, size, &bytes)
               ? NULL
               : __real_realloc(old, bytes);
}

char *__wrap_strdup(const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = allocation_fails() ? NULL : __real_malloc(n);

    return copy ? memcpy(copy, text, n) : NULL;
}

int __wrap_vasprintf(char **out, const char *format, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    *out = n < 0 || allocation_fails() ? NULL : __real_malloc((size_t)n + 1);
    return *out ? vsnprintf(*out, (size_t)n + 1, format, args) : -1;
}

static void __attribute__((constructor)) share(void)
{
    const char *path = getenv("DOPPEL_TEST_MEMORY");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                       : MAP_FAILED;

    if (at != MAP_FAILED)
        control = at;
    if (fd >= 0)
        close(fd);
    json_set_alloc_funcs(__wrap_malloc, free);
}
