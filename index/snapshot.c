/*
 * Snapshots: an index as a file.
 *
 *     FAISS's own bytes | ids [n] | owners [n] | photos [n]  int64 | trailer
 *
 * The trailer is last, so that FAISS's own tools read the file too: they stop where their data
 * ends. It says what the index was made from and ends in a sum over all before it, which is checked
 * before FAISS, whose reader trusts what it reads, sees a byte. The sum finds damage: a torn write,
 * a bad disk, a copy cut short. It is no signature: who can write the gallery's folder can make a
 * file that passes. Numbers are the machine's own, as FAISS's are; another byte order does not
 * pass.
 *
 * Which file is fresh, and what to do when none is, is search.c's.
 */
#include "index/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#define MAGIC   "doppelix"
#define VERSION 1U

typedef struct trailer {
    char magic[8];
    uint32_t version, kind;
    int64_t generation;
    char identity[32];
    uint64_t n, n_faiss_bytes, head_sum, n_visit, wide, n_tuned;
    double recall, min_norm, max_norm;
    int32_t dim, normalised;
    uint64_t sum; /* of every byte of the file before it */
} trailer;
_Static_assert(sizeof(trailer) == 144, "the trailer has no padding and a known size");

void dpli_index_clear(dpli_index *index)
{
    dpli_ann_free(index->ann);
    free(index->ids);
    free(index->owners);
    free(index->photos);
    free(index->records);
    memset(index, 0, sizeof *index);
}

static int64_t *copy_ids(const int64_t *ids, size_t n, dpl_error *err)
{
    int64_t *copy = dpli_alloc(n, sizeof *copy, err);

    if (copy && n > 0)
        memcpy(copy, ids, n * sizeof *copy);
    return copy;
}

dpl_status dpli_index_copy(dpli_index *out, const dpli_index *index, dpl_error *err)
{
    dpl_status status = DPL_OK;

    *out = *index;
    out->ann = NULL;
    out->records = NULL;
    out->ids = copy_ids(index->ids, index->n, err);
    out->owners = out->ids ? copy_ids(index->owners, index->n, err) : NULL;
    out->photos = out->owners ? copy_ids(index->photos, index->n, err) : NULL;
    if (!out->photos)
        status = DPL_E_MEMORY;
    else if (index->ann)
        status = dpli_ann_copy(&out->ann, index->ann, err);
    if (status == DPL_OK && index->records) {
        out->records = dpli_alloc_aligned(index->n, index->shape.stride, err);
        if (out->records)
            memcpy(out->records, index->records, index->n * index->shape.stride);
        else
            status = DPL_E_MEMORY;
    }
    if (status != DPL_OK)
        dpli_index_clear(out);
    return status;
}

/* Sum of the first n bytes of a file, read in pieces whose size is part of what the sum is. */
static dpl_status sum_of(uint64_t *sum, FILE *file, uint64_t n, dpl_error *err)
{
    enum { PIECE_BYTES = 1 << 20 };
    unsigned char *piece = dpli_alloc(PIECE_BYTES, 1, err);
    dpl_status status = DPL_OK;

    if (!piece)
        return DPL_E_MEMORY;
    *sum = 0;
    rewind(file);
    while (n > 0) {
        size_t want = n < PIECE_BYTES ? (size_t)n : PIECE_BYTES;

        if (fread(piece, 1, want, file) != want) {
            status = dpli_fail(err, DPL_E_INPUT, "cut short");
            break;
        }
        *sum = dpli_sum64(*sum, piece, want);
        n -= want;
    }
    free(piece);
    return status;
}

/* ------------------------------------------------------------------ writing */

static int put(FILE *file, const void *values, size_t n, size_t size)
{
    return fwrite(values, size, n, file) == n;
}

static dpl_status write_aside(void *ctx, const char *aside, dpl_error *err)
{
    const dpli_index *index = ctx;
    trailer t = {.version = VERSION,
                 .kind = (uint32_t)dpli_ann_get_kind(index->ann),
                 .generation = index->generation,
                 .n = index->n,
                 .head_sum = index->head_sum,
                 .n_visit = index->n_visit,
                 .wide = index->wide,
                 .n_tuned = index->n_tuned,
                 .recall = index->recall,
                 .min_norm = index->min_norm,
                 .max_norm = index->max_norm,
                 .dim = index->dim,
                 .normalised = index->normalised};
    FILE *file = fopen(aside, "w+be");
    dpl_status status;
    off_t end;

    if (!file)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
    memcpy(t.magic, MAGIC, sizeof t.magic);
    memcpy(t.identity, index->identity, sizeof t.identity);
    status = dpli_ann_write(index->ann, file, err);
    if (status != DPL_OK)
        goto done;
    end = ftello(file);
    if (end < 0)
        goto cannot;
    t.n_faiss_bytes = (uint64_t)end;
    if (!put(file, index->ids, index->n, sizeof *index->ids) ||
        !put(file, index->owners, index->n, sizeof *index->owners) ||
        !put(file, index->photos, index->n, sizeof *index->photos) ||
        !put(file, &t, offsetof(trailer, sum), 1) || fflush(file) != 0)
        goto cannot;
    end = ftello(file);
    if (end < 0)
        goto cannot;
    status = sum_of(&t.sum, file, (uint64_t)end, err);
    if (status != DPL_OK)
        goto done;
    if (fseeko(file, end, SEEK_SET) != 0 || !put(file, &t.sum, sizeof t.sum, 1) ||
        fflush(file) != 0)
        goto cannot;
done:
    fclose(file);
    return status;
cannot:
    status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
    goto done;
}

dpl_status dpli_snapshot_write(const char *path, const dpli_index *index, dpl_error *err)
{
    return dpli_file_replace_by(path, write_aside, (void *)(uintptr_t)index, err);
}

/* ------------------------------------------------------------------ reading */

static dpl_status read_trailer(trailer *t, FILE *file, dpl_error *err)
{
    uint64_t n_bytes, n_numbers, sum;
    struct stat st;
    dpl_status status;

    if (fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof *t ||
        fseeko(file, st.st_size - (off_t)sizeof *t, SEEK_SET) != 0 ||
        fread(t, sizeof *t, 1, file) != 1)
        return dpli_fail(err, DPL_E_INPUT, "no trailer");
    n_bytes = (uint64_t)st.st_size;
    if (memcmp(t->magic, MAGIC, sizeof t->magic) != 0 || t->version != VERSION)
        return dpli_fail(err, DPL_E_INPUT, "no trailer of this version");
    status = sum_of(&sum, file, n_bytes - sizeof t->sum, err);
    if (status != DPL_OK)
        return status;
    if (sum != t->sum)
        return dpli_fail(err, DPL_E_INPUT, "the sum is wrong");
    /* Sizes that add up bound the number of rows by what is in the file. */
    if (t->kind > DPLI_ANN_IVF || t->n < 1 || t->dim < 1 ||
        __builtin_mul_overflow(t->n, 3 * sizeof(int64_t), &n_numbers) ||
        n_numbers > n_bytes - sizeof *t || t->n_faiss_bytes != n_bytes - sizeof *t - n_numbers)
        return dpli_fail(err, DPL_E_INPUT, "the sizes are wrong");
    return DPL_OK;
}

static int64_t *get(FILE *file, size_t n, dpl_error *err)
{
    int64_t *values = dpli_alloc(n, sizeof *values, err);

    if (values && fread(values, sizeof *values, n, file) != n) {
        dpli_fail(err, DPL_E_INPUT, "cut short");
        free(values);
        return NULL;
    }
    return values;
}

dpl_status dpli_snapshot_read(dpli_index *out, const char *path, dpl_error *err)
{
    dpli_index index = {0};
    dpl_status status;
    FILE *file = NULL;
    trailer t;
    /* A named pipe in the file's place must not hang the search, and a link leads elsewhere. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    memset(out, 0, sizeof *out);
    if (fd < 0 && errno == ENOENT)
        return dpli_fail(err, DPL_E_NOT_FOUND, "there is no \"%s\"", path);
    file = fd < 0 ? NULL : fdopen(fd, "rb");
    if (!file) {
        status = dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be opened");
        if (fd >= 0)
            close(fd);
        return status;
    }
    status = read_trailer(&t, file, err);
    if (status != DPL_OK)
        goto done;
    index = (dpli_index){.n = (size_t)t.n,
                         .dim = t.dim,
                         .generation = t.generation,
                         .min_norm = t.min_norm,
                         .max_norm = t.max_norm,
                         .head_sum = t.head_sum,
                         .recall = t.recall,
                         .n_visit = (size_t)t.n_visit,
                         .wide = (size_t)t.wide,
                         .n_tuned = (size_t)t.n_tuned,
                         .normalised = t.normalised};
    memcpy(index.identity, t.identity, sizeof t.identity);
    rewind(file);
    status = dpli_ann_read(&index.ann, file, (dpli_ann_kind)t.kind, index.n, index.dim, err);
    if (status != DPL_OK)
        goto done;
    if (fseeko(file, (off_t)t.n_faiss_bytes, SEEK_SET) == 0)
        index.ids = get(file, index.n, err);
    if (index.ids)
        index.owners = get(file, index.n, err);
    if (index.owners)
        index.photos = get(file, index.n, err);
    if (!index.photos) {
        status = DPL_E_INPUT;
        goto done;
    }
    /* Of equal scores the earlier row is given, which is to be the lower id. */
    for (size_t i = 1; i < index.n && status == DPL_OK; i++)
        if (index.ids[i] <= index.ids[i - 1])
            status = dpli_fail(err, DPL_E_INPUT, "the ids are not in order");
    if (status != DPL_OK)
        goto done;
    *out = index;
    memset(&index, 0, sizeof index);
done:
    dpli_index_clear(&index);
    fclose(file);
    return status;
}
