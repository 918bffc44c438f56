/*
 * rows.c - the vectors of an index, wherever they are.
 *
 * A search that codes lead looks at some twenty of them, so the rest of a file need never be read;
 * reading one costs a third of a microsecond more than a mapping of it would. Each has a sum of 32
 * bits: a file that was changed or cut since it was opened is found when it matters.
 */
#include "index/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/pool.h"

enum { ROWS_AT_ONCE = 256, SEARCHED = 1 << 14 /* rows of a file in memory at once */ };

uint32_t dpli_rows_sum(const float *vector, int32_t dim)
{
    const uint64_t sum = dpli_sum64(0, vector, (size_t)dim * sizeof *vector);

    return (uint32_t)(sum ^ sum >> 32);
}

/* ------------------------------------------------------------------ making and changing */

dpl_status dpli_rows_take(dpli_rows *out, float **vectors, size_t n, int32_t dim, bool by_faiss,
                          dpl_error *err)
{
    dpl_status status = DPL_OK;

    *out = (dpli_rows){.dim = dim, .n = n};
    if (by_faiss && n > 0) {
        status = dpli_ann_new(&out->ann, *vectors, n, dim, err);
        free(*vectors);
    } else {
        out->rest = *vectors;
        out->cap_rest = n * (size_t)dim;
    }
    *vectors = NULL;
    return status;
}

dpl_status dpli_rows_open(dpli_rows *out, const dpli_vault *file, uint32_t **sums, size_t n,
                          int32_t dim, dpl_error *err)
{
    dpli_vault *own;
    const dpl_status status = dpli_vault_again(&own, file, err);

    *out = (dpli_rows){.dim = dim};
    if (status != DPL_OK)
        return status;
    *out = (dpli_rows){.dim = dim, .n = n, .n_filed = n, .file = own, .sums = *sums};
    *sums = NULL;
    return DPL_OK;
}

dpl_status dpli_rows_copy(dpli_rows *out, const dpli_rows *rows, dpl_error *err)
{
    dpl_status status;
    const size_t n_rest = rows->rest ? (rows->n - rows->n_filed) * (size_t)rows->dim : 0;

    *out = (dpli_rows){.dim = rows->dim, .n = rows->n};
    if (rows->ann)
        return dpli_ann_copy(&out->ann, rows->ann, err);
    if (n_rest > 0) {
        out->rest = dpli_alloc(n_rest, sizeof *out->rest, err);
        if (!out->rest)
            return DPL_E_MEMORY;
        memcpy(out->rest, rows->rest, n_rest * sizeof *out->rest);
        out->cap_rest = n_rest;
    }
    if (rows->n_filed == 0)
        return DPL_OK;
    out->sums = dpli_alloc(rows->n_filed, sizeof *out->sums, err);
    if (!out->sums)
        return DPL_E_MEMORY;
    memcpy(out->sums, rows->sums, rows->n_filed * sizeof *out->sums);
    status = dpli_vault_again(&out->file, rows->file, err);
    if (status == DPL_OK)
        out->n_filed = rows->n_filed;
    return status;
}

dpl_status dpli_rows_add(dpli_rows *rows, const float *vectors, size_t n, dpl_error *err)
{
    const size_t dim = (size_t)rows->dim, n_rest = (rows->n - rows->n_filed) * dim;
    dpl_status status = DPL_OK;
    float *rest;

    if (rows->ann) {
        status = dpli_ann_add(rows->ann, vectors, n, err);
    } else {
        rest = dpli_grow(rows->rest, &rows->cap_rest, n_rest + n * dim, sizeof *rest, err);
        if (!rest)
            return DPL_E_MEMORY;
        rows->rest = rest;
        memcpy(rest + n_rest, vectors, n * dim * sizeof *rest);
    }
    if (status == DPL_OK)
        rows->n += n;
    return status;
}

void dpli_rows_wipe(dpli_rows *rows, size_t at)
{
    const size_t dim = (size_t)rows->dim;
    float *row;

    if (at < rows->n_filed)
        return;
    row = (rows->ann ? dpli_ann_rows(rows->ann) : rows->rest) + (at - rows->n_filed) * dim;
    for (size_t i = 0; i < dim; i++)
        row[i] = NAN;
}

void dpli_rows_clear(dpli_rows *rows)
{
    if (rows->n_filed > 0)
        dpli_vault_close(rows->file);
    dpli_ann_free(rows->ann);
    free(rows->rest);
    free(rows->sums);
    memset(rows, 0, sizeof *rows);
}

/* ------------------------------------------------------------------ reading */

const float *dpli_rows_rest(const dpli_rows *rows)
{
    return rows->ann ? dpli_ann_rows(rows->ann) : rows->rest;
}

const float *dpli_rows_all(const dpli_rows *rows)
{
    return rows->n_filed > 0 ? NULL : dpli_rows_rest(rows);
}

/* n vectors that are in the file. */
static dpl_status read_filed(float *out, const dpli_rows *rows, size_t first, size_t n,
                             dpl_error *err)
{
    const size_t dim = (size_t)rows->dim, n_row = dim * sizeof *out;
    dpl_status status = dpli_vault_read(rows->file, out, n * n_row, first * n_row, err);

    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        if (dpli_rows_sum(out + i * dim, rows->dim) != rows->sums[first + i])
            return dpli_fail(err, DPL_E_INPUT, "vector %zu of the index is damaged", first + i);
    return DPL_OK;
}

const float *dpli_rows_at(const dpli_rows *rows, size_t at, float *room, dpl_error *err)
{
    if (at >= rows->n_filed)
        return dpli_rows_rest(rows) + (at - rows->n_filed) * (size_t)rows->dim;
    return read_filed(room, rows, at, 1, err) == DPL_OK ? room : NULL;
}

dpl_status dpli_rows_read(float *out, const dpli_rows *rows, size_t first, size_t n, dpl_error *err)
{
    const size_t dim = (size_t)rows->dim;
    size_t n_filed = 0;
    dpl_status status;

    if (first < rows->n_filed) {
        n_filed = rows->n_filed - first < n ? rows->n_filed - first : n;
        status = read_filed(out, rows, first, n_filed, err);
        if (status != DPL_OK)
            return status;
    }
    if (n > n_filed)
        memcpy(out + n_filed * dim, dpli_rows_rest(rows) + (first + n_filed - rows->n_filed) * dim,
               (n - n_filed) * dim * sizeof *out);
    return DPL_OK;
}

static dpl_status check_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    const dpli_rows *rows = ctx;
    const size_t first = item * ROWS_AT_ONCE, left = rows->n_filed - first;
    const size_t n = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
    float *room = dpli_alloc(n * (size_t)rows->dim, sizeof *room, err);
    dpl_status status = room ? read_filed(room, rows, first, n, err) : DPL_E_MEMORY;

    (void)worker;
    free(room);
    return status;
}

dpl_status dpli_rows_check(const dpli_rows *rows, dpl_error *err)
{
    return dpli_pool_run(rows->n_filed > ROWS_AT_ONCE ? 0 : 1,
                         (rows->n_filed + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, check_some,
                         (void *)(uintptr_t)rows, err);
}

/* The found of a block join those of the blocks before. */
static void join(dpli_found *found, const dpli_found *block, size_t first, size_t n_probes,
                 size_t k, dpli_found *both)
{
    for (size_t p = 0; p < n_probes; p++) {
        dpli_top top = {.best = both, .k = k};

        for (size_t i = 0; i < k && found[p * k + i].at != DPLI_NOWHERE; i++)
            dpli_top_offer(&top, found[p * k + i].score, found[p * k + i].at);
        for (size_t i = 0; i < k && block[p * k + i].at != DPLI_NOWHERE; i++)
            dpli_top_offer(&top, block[p * k + i].score, first + block[p * k + i].at);
        dpli_top_sort(&top);
        memcpy(found + p * k, both, k * sizeof *both);
    }
}

dpl_status dpli_rows_search(dpli_found *found, const dpl_head *head, const dpli_rows *rows,
                            const char *gone, const float *probes, size_t n_probes, size_t k,
                            dpl_error *err)
{
    const size_t dim = (size_t)rows->dim;
    dpli_found *block = NULL;
    float *room = NULL;
    dpl_status status = DPL_E_MEMORY;
    size_t n_found, n_all;

    if (rows->n_filed == 0)
        return dpli_flat_search(found, head, dpli_rows_all(rows), rows->n, probes, n_probes, k,
                                err);
    if (!dpli_mul(&n_found, n_probes, k) || !dpli_add(&n_all, n_found, k))
        return dpli_fail(err, DPL_E_MEMORY, "%zu answers of %zu", n_probes, k);
    block = dpli_alloc(n_all, sizeof *block, err);
    room = block ? dpli_alloc(SEARCHED * dim, sizeof *room, err) : NULL;
    if (!room)
        goto done;
    for (size_t i = 0; i < n_found; i++)
        found[i] = (dpli_found){NAN, DPLI_NOWHERE};
    status = DPL_OK;
    for (size_t first = 0; first < rows->n && status == DPL_OK; first += SEARCHED) {
        const size_t n = rows->n - first < SEARCHED ? rows->n - first : SEARCHED;

        status = dpli_rows_read(room, rows, first, n, err);
        for (size_t i = 0; i < n && gone && status == DPL_OK; i++)
            for (size_t j = 0; j < dim && gone[first + i]; j++)
                room[i * dim + j] = NAN;
        if (status == DPL_OK)
            status = dpli_flat_search(block, head, room, n, probes, n_probes, k, err);
        if (status == DPL_OK)
            join(found, block, first, n_probes, k, block + n_found);
    }
done:
    free(block);
    free(room);
    return status;
}
