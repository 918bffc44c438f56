/*
 * traces.c - whether any of many strings is in any file of a folder: the part of forgetting's proof
 * that asks the disk and not the database.
 *
 * A string's first eight bytes are its key. A table of keys passes over nearly every place of a
 * file; where it does not, the strings are searched by halves. A string that the database has
 * parted (over pages; only those of several thousand bytes are) is not seen.
 */
#include "index/traces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/store.h"

enum { N_KEYS = 1 << 16, PIECE_BYTES = 1 << 20 };

dpl_status dpli_traces_add(dpli_traces *t, const void *bytes, size_t n, dpl_error *err)
{
    dpli_trace *items = dpli_grow(t->items, &t->cap, t->n + 1, sizeof *items, err);
    uint8_t *copy = items ? dpli_alloc(n, 1, err) : NULL;

    if (items)
        t->items = items;
    if (!copy)
        return DPL_E_MEMORY;
    memcpy(copy, bytes, n);
    t->items[t->n++] = (dpli_trace){.bytes = copy, .n = n, .inside = -1};
    return DPL_OK;
}

void dpli_traces_clear(dpli_traces *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->items[i].bytes);
        free(t->items[i].file);
    }
    free(t->items);
    memset(t, 0, sizeof *t);
}

/* ------------------------------------------------------------------ the strings in order */

static int by_bytes(const void *a, const void *b)
{
    const dpli_trace *x = a, *y = b;
    const int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static bool begins_with(const uint8_t *text, size_t n, const dpli_trace *trace)
{
    return n >= trace->n && memcmp(text, trace->bytes, trace->n) == 0;
}

static void put_in_order(dpli_traces *t)
{
    size_t n = 0;

    if (t->n > 0)
        qsort(t->items, t->n, sizeof *t->items, by_bytes);
    for (size_t i = 0; i < t->n; i++) {
        if (n > 0 && by_bytes(&t->items[i], &t->items[n - 1]) == 0)
            free(t->items[i].bytes);
        else
            t->items[n++] = t->items[i];
    }
    t->n = n;
    for (size_t i = 1; i < n; i++) {
        ptrdiff_t j = (ptrdiff_t)i - 1;

        while (j >= 0 && !begins_with(t->items[i].bytes, t->items[i].n, &t->items[j]))
            j = t->items[j].inside;
        t->items[i].inside = j;
    }
}

/* ------------------------------------------------------------------ the files */

typedef struct search {
    dpli_traces *t;
    size_t longest;
    uint8_t *piece;       /* [PIECE_BYTES + longest] */
    uint8_t keys[N_KEYS]; /* 1: some string's key falls here */
} search;

static size_t key_of(const uint8_t *text)
{
    uint64_t key;

    memcpy(&key, text, sizeof key);
    return (size_t)((key * 0x9E3779B97F4A7C15U) >> 48);
}

/* All that text begins with are the last one not after it, or begin that one. */
static void look_at(search *s, const uint8_t *text, size_t n, const char *name)
{
    const dpli_trace here = {.bytes = (uint8_t *)(uintptr_t)text, .n = n};
    size_t low = 0, high = s->t->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (by_bytes(&s->t->items[mid], &here) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (ptrdiff_t i = (ptrdiff_t)low - 1; i >= 0; i = s->t->items[i].inside)
        if (begins_with(text, n, &s->t->items[i])) {
            s->t->items[i].found = true;
            if (!s->t->items[i].file)
                s->t->items[i].file = dpli_strdup(name, NULL);
        }
}

static dpl_status search_file(search *s, int folder, const char *dir, const char *name,
                              dpl_error *err)
{
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    size_t n_kept = 0;
    struct stat st;
    ssize_t n = 1;

    /* What is no file holds no bytes of the gallery; the keeper may remove one of its own. */
    if (fd < 0 && (errno == ELOOP || errno == ENOENT || errno == ENXIO))
        return DPL_OK;
    if (fd < 0 || fstat(fd, &st) != 0)
        goto cannot;
    while (S_ISREG(st.st_mode) && n > 0) {
        n = read(fd, s->piece + n_kept, PIECE_BYTES);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n < 0)
            goto cannot;
        const size_t n_all = n_kept + (size_t)n;
        /* Not yet where a string could go on behind the piece. */
        const size_t end = n > 0 && n_all > s->longest ? n_all - s->longest : n > 0 ? 0 : n_all;
        for (size_t i = 0; i < end && i + DPLI_TRACE_MIN_BYTES <= n_all; i++)
            if (s->keys[key_of(s->piece + i)])
                look_at(s, s->piece + i, n_all - i, name);
        memmove(s->piece, s->piece + end, n_all - end);
        n_kept = n_all - end;
    }
    close(fd);
    return DPL_OK;
cannot:
    dpli_fail_errno(err, DPL_E_SYSTEM, errno, "\"%s/%s\" cannot be searched", dir, name);
    if (fd >= 0)
        close(fd);
    return DPL_E_SYSTEM;
}

static search *new_search(dpli_traces *t, dpl_error *err)
{
    search *s = dpli_calloc(1, sizeof *s, err);

    if (!s)
        return NULL;
    put_in_order(t);
    s->t = t;
    for (size_t i = 0; i < t->n; i++) {
        s->keys[key_of(t->items[i].bytes)] = 1;
        if (t->items[i].n > s->longest)
            s->longest = t->items[i].n;
    }
    return s;
}

static dpl_status search_row(void *ctx, const char *table, const void *bytes, size_t n,
                             dpl_error *err)
{
    search *s = ctx;
    const uint8_t *text = bytes;

    (void)err;
    for (size_t i = 0; i + DPLI_TRACE_MIN_BYTES <= n; i++)
        if (s->keys[key_of(text + i)])
            look_at(s, text + i, n - i, table);
    return DPL_OK;
}

dpl_status dpli_traces_search_rows(dpli_traces *t, dpli_store *store, dpl_error *err)
{
    search *s = new_search(t, err);
    dpl_status status = s ? store->ops->each_row(store, search_row, s, err) : DPL_E_MEMORY;

    free(s);
    return status;
}

dpl_status dpli_traces_search(dpli_traces *t, const char *dir, dpl_error *err)
{
    search *s = new_search(t, err);
    dpl_status status = DPL_E_MEMORY;
    DIR *folder = NULL;

    if (!s)
        return DPL_E_MEMORY;
    s->piece = dpli_alloc(PIECE_BYTES + s->longest, 1, err);
    if (!s->piece)
        goto done;
    folder = opendir(dir);
    if (!folder) {
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "\"%s\" cannot be searched", dir);
        goto done;
    }
    status = DPL_OK;
    for (const struct dirent *entry = readdir(folder); entry && status == DPL_OK;
         entry = readdir(folder))
        /* The folder above may be out of bounds. */
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = search_file(s, dirfd(folder), dir, entry->d_name, err);
done:
    if (folder)
        closedir(folder);
    free(s->piece);
    free(s);
    return status;
}

void dpli_traces_allow(dpli_traces *t, const void *text, size_t n)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->items[i].found && memmem(text, n, t->items[i].bytes, t->items[i].n))
            t->items[i].found = false;
}
