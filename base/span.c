/*
 * span.c - arrays as mappings of nothing, for what is looked at here and there.
 */
#include "base/span.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

enum {
    GROWTH = 4,     /* a quarter more than asked for, when it has to move */
    LARGE = 8 << 20 /* bytes */
};

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Whole pages for n bytes, at least one. */
static bool in_pages(size_t *out, size_t n)
{
    const size_t page = page_bytes();

    if (!dpli_add(out, n > 0 ? n : 1, page - 1))
        return false;
    *out -= *out % page;
    return true;
}

/* What is looked at here and there in a large array costs more to find than to read, unless its
   pages are large. */
static void *reserve(size_t n_bytes)
{
    void *at = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

#ifdef MADV_HUGEPAGE
    if (at != MAP_FAILED && n_bytes >= LARGE)
        madvise(at, n_bytes, MADV_HUGEPAGE);
#endif
    return at;
}

dpl_status dpli_span_new(dpli_span *out, size_t n_bytes, dpl_error *err)
{
    size_t cap;

    memset(out, 0, sizeof *out);
    if (!in_pages(&cap, n_bytes))
        return dpli_fail(err, DPL_E_MEMORY, "an array of %zu bytes", n_bytes);
    out->at = reserve(cap);
    if (out->at == MAP_FAILED) {
        out->at = NULL;
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for %zu bytes", n_bytes);
    }
    out->n_bytes = n_bytes;
    out->cap_bytes = cap;
    return DPL_OK;
}

dpl_status dpli_span_resize(dpli_span *span, size_t n_bytes, dpl_error *err)
{
    dpli_span moved;
    dpl_status status;

    if (n_bytes <= span->cap_bytes) {
        if (n_bytes < span->n_bytes)
            memset((char *)span->at + n_bytes, 0, span->n_bytes - n_bytes);
        span->n_bytes = n_bytes;
        return DPL_OK;
    }
    status = dpli_span_new(&moved, span->n_bytes == 0 ? n_bytes : n_bytes + n_bytes / GROWTH, err);
    if (status != DPL_OK)
        return status;
    if (span->n_bytes > 0)
        memcpy(moved.at, span->at, span->n_bytes);
    moved.n_bytes = n_bytes;
    dpli_span_free(span);
    *span = moved;
    return DPL_OK;
}

void dpli_span_free(dpli_span *span)
{
    if (span->at)
        munmap(span->at, span->cap_bytes);
    memset(span, 0, sizeof *span);
}
