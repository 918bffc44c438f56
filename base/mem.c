/*
 * mem.c - allocation with checked sizes.
 */
#include "base/mem.h"

#if defined(__GLIBC__)
#include <malloc.h>
#include <pthread.h>
#endif
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"

static void *refuse(dpl_error *err, size_t n, size_t size)
{
    size_t n_bytes;

    if (dpli_mul(&n_bytes, n, size))
        dpli_fail(err, DPL_E_MEMORY, "out of memory for %zu bytes", n_bytes);
    else
        dpli_fail(err, DPL_E_MEMORY, "out of memory for %zu items of %zu bytes", n, size);
    return NULL;
}

void *dpli_alloc(size_t n, size_t size, dpl_error *err)
{
    size_t n_bytes;
    void *p = dpli_mul(&n_bytes, n, size) ? malloc(n_bytes ? n_bytes : 1) : NULL;

    return p ? p : refuse(err, n, size);
}

void *dpli_calloc(size_t n, size_t size, dpl_error *err)
{
    size_t n_bytes;
    void *p = dpli_mul(&n_bytes, n, size) ? calloc(n_bytes ? n_bytes : 1, 1) : NULL;

    return p ? p : refuse(err, n, size);
}

void *dpli_realloc(void *old, size_t n, size_t size, dpl_error *err)
{
    size_t n_bytes;
    void *p = dpli_mul(&n_bytes, n, size) ? realloc(old, n_bytes ? n_bytes : 1) : NULL;

    return p ? p : refuse(err, n, size);
}

void *dpli_grow(void *items, size_t *cap, size_t need, size_t size, dpl_error *err)
{
    size_t room = *cap > SIZE_MAX / 2 ? SIZE_MAX : 2 * *cap;
    void *grown;

    if (need <= *cap)
        return items;
    if (room < 64)
        room = 64;
    if (room < need)
        room = need;
    grown = dpli_realloc(items, room, size, err);
    if (grown)
        *cap = room;
    return grown;
}

void *dpli_alloc_aligned(size_t n, size_t size, dpl_error *err)
{
    size_t n_bytes;
    void *p = NULL;

    /* aligned_alloc wants a multiple of the alignment. */
    if (dpli_mul(&n_bytes, n, size) && dpli_add(&n_bytes, n_bytes ? n_bytes : 1, 63))
        p = aligned_alloc(64, n_bytes & ~(size_t)63);
    return p ? p : refuse(err, n, size);
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
/* Where another malloc stands in the place of glibc's, as a sanitizer's does, it is asked for the
 * first time here, and threads that did so at once would find it half made. */
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static void ask_once(void)
{
    (void)mallinfo2();
}

void dpli_mem_trim(size_t most)
{
    pthread_once(&asked, ask_once);
    if (mallinfo2().fordblks > most)
        malloc_trim(0);
}
#else
void dpli_mem_trim(size_t most)
{
    (void)most;
}
#endif

char *dpli_strdup(const char *s, dpl_error *err)
{
    size_t n = strlen(s) + 1;
    char *copy = dpli_alloc(n, 1, err);

    return copy ? memcpy(copy, s, n) : NULL;
}

char *dpli_asprintf(dpl_error *err, const char *format, ...)
{
    va_list args, again;
    char *text = NULL;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        dpli_fail(err, DPL_E_MEMORY, "text too long");
    else
        text = dpli_alloc((size_t)n + 1, 1, err);
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}
