/*
 * Snapshots: an index as a file.
 *
 *     vectors [n, dim] float | codes | links: near, up, far | ids | owners | photos [n] int64 |
 *     a sum a vector [n] uint32 | trailer
 *
 * The vectors stand first and stay there (rows.h): only those that a search compares in full are
 * ever read, each with its sum. The rest is read when the file is opened, in pieces by all cores,
 * and summed meanwhile; a walk through codes and links would find their pages too slowly in a
 * mapping. The trailer ends in a sum over the pieces' sums and itself. Sums find
 * damage: a torn write, a bad disk, a copy cut short. They are no signature: who can write the
 * gallery's folder can make a file that passes, and so links and sizes are checked besides. Numbers
 * are the machine's own; another byte order does not pass.
 *
 * Which file is fresh, and what to do when none is, is search.c's.
 */
#include "index/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/pool.h"

#define MAGIC   "doppelix"
#define VERSION 3U

enum { PIECE_BYTES = 1 << 20, N_SECTIONS = 8, ROWS_AT_ONCE = 256 };

typedef struct trailer {
    char magic[8];
    uint32_t version, unit;
    int64_t generation;
    char identity[32];
    uint64_t n, head_sum, width, wide, n_changed, n_far;
    double recall, min_norm, max_norm, n_compared, search_ms, exact_ms;
    int32_t dim, top;
    uint32_t entry, has_codes, has_graph, zero;
    uint64_t sum;
} trailer;
_Static_assert(sizeof(trailer) == 184, "the trailer has no padding and a known size");

/* ------------------------------------------------------------------ in memory */

void dpli_index_clear(dpli_index *index)
{
    dpli_rows_clear(&index->vectors);
    dpli_span_free(&index->records);
    dpli_hnsw_clear(&index->graph);
    free(index->ids);
    free(index->owners);
    free(index->photos);
    free(index->gone);
    memset(index, 0, sizeof *index);
}

static dpl_status copy_bytes(void *out, const void *bytes, size_t n, dpl_error *err)
{
    void *copy;

    if (!bytes)
        return DPL_OK;
    copy = dpli_alloc(n, 1, err);
    if (!copy)
        return DPL_E_MEMORY;
    memcpy(copy, bytes, n);
    memcpy(out, &copy, sizeof copy);
    return DPL_OK;
}

static dpl_status copy_span(dpli_span *out, const dpli_span *span, dpl_error *err)
{
    dpl_status status;

    if (!span->at)
        return DPL_OK;
    status = dpli_span_new(out, span->n_bytes, err);
    if (status == DPL_OK && span->n_bytes > 0)
        memcpy(out->at, span->at, span->n_bytes);
    return status;
}

dpl_status dpli_index_copy(dpli_index *out, const dpli_index *index, dpl_error *err)
{
    const size_t n_ids = index->n * sizeof *index->ids;
    dpl_status status;

    *out = *index;
    out->ids = out->owners = out->photos = NULL;
    out->gone = NULL;
    memset(&out->vectors, 0, sizeof out->vectors);
    memset(&out->records, 0, sizeof out->records);
    memset(&out->graph.near, 0, sizeof out->graph.near);
    memset(&out->graph.up, 0, sizeof out->graph.up);
    memset(&out->graph.far, 0, sizeof out->graph.far);
    status = dpli_rows_copy(&out->vectors, &index->vectors, err);
    if (status == DPL_OK)
        status = copy_bytes(&out->ids, index->ids, n_ids, err);
    if (status == DPL_OK)
        status = copy_bytes(&out->owners, index->owners, n_ids, err);
    if (status == DPL_OK)
        status = copy_bytes(&out->photos, index->photos, n_ids, err);
    if (status == DPL_OK)
        status = copy_bytes(&out->gone, index->gone, index->n, err);
    if (status == DPL_OK)
        status = copy_span(&out->records, &index->records, err);
    if (status == DPL_OK)
        status = copy_span(&out->graph.near, &index->graph.near, err);
    if (status == DPL_OK)
        status = copy_span(&out->graph.up, &index->graph.up, err);
    if (status == DPL_OK)
        status = copy_span(&out->graph.far, &index->graph.far, err);
    if (status != DPL_OK)
        dpli_index_clear(out);
    return status;
}

/* ------------------------------------------------------------------ the file's parts */

/* Lengths of what follows the vectors, in their order. */
static bool section_bytes(uint64_t bytes[N_SECTIONS], const trailer *t)
{
    const dpli_code_shape shape = dpli_code_shape_of(t->dim, t->unit != 0);
    const uint64_t each[N_SECTIONS] = {t->has_codes ? shape.stride : 0,
                                       t->has_graph ? DPLI_HNSW_NEAR * sizeof(uint32_t) : 0,
                                       t->has_graph ? sizeof(uint32_t) : 0,
                                       DPLI_HNSW_FAR * sizeof(uint32_t),
                                       sizeof(int64_t),
                                       sizeof(int64_t),
                                       sizeof(int64_t),
                                       sizeof(uint32_t)};

    for (int i = 0; i < N_SECTIONS; i++)
        if (__builtin_mul_overflow(each[i], i == 3 ? t->n_far : t->n, &bytes[i]))
            return false;
    return true;
}

/* Reading a part in pieces, each with its sum. */
typedef struct reading {
    const dpli_vault *file;
    uint64_t at, n;
    char *to; /* NULL: into scratch, for the sums alone */
    uint64_t *sums;
} reading;

static dpl_status read_piece(void *ctx, int worker, size_t item, dpl_error *err)
{
    const reading *r = ctx;
    const uint64_t from = (uint64_t)item * PIECE_BYTES;
    const size_t n = r->n - from < PIECE_BYTES ? (size_t)(r->n - from) : PIECE_BYTES;
    char *scratch = r->to ? NULL : dpli_alloc(n, 1, err), *to = r->to ? r->to + from : scratch;

    (void)worker;
    if (!to)
        return DPL_E_MEMORY;
    if (dpli_vault_read(r->file, to, n, r->at + from, NULL) != DPL_OK) {
        free(scratch);
        return dpli_fail(err, DPL_E_INPUT, "cut short, or not what was written");
    }
    r->sums[item] = dpli_sum64(0, to, n);
    free(scratch);
    return DPL_OK;
}

/* Reads n bytes at an offset into to, if that is not NULL; *sum goes on. */
static dpl_status read_part(uint64_t *sum, const dpli_vault *file, uint64_t at, uint64_t n,
                            void *to, dpl_error *err)
{
    const size_t n_pieces = (size_t)((n + PIECE_BYTES - 1) / PIECE_BYTES);
    reading r = {.file = file, .at = at, .n = n, .to = to};
    dpl_status status;

    r.sums = dpli_alloc(n_pieces, sizeof *r.sums, err);
    if (!r.sums)
        return DPL_E_MEMORY;
    status = dpli_pool_run(n_pieces > 1 ? 0 : 1, n_pieces, read_piece, &r, err);
    if (status == DPL_OK)
        *sum = dpli_sum64(*sum, r.sums, n_pieces * sizeof *r.sums);
    free(r.sums);
    return status;
}

/* ------------------------------------------------------------------ writing */

/* A file that is written: what follows the vectors goes into it in pieces, summed as they will be
   read. */
typedef struct output {
    dpli_vault *file;
    char *piece;    /* [PIECE_BYTES] */
    size_t n;       /* bytes in it */
    uint64_t *sums; /* of the section's pieces; room for the longest's */
    size_t n_sums;
    uint64_t sum;
} output;

static dpl_status output_new(output *o, dpli_vault *file, const trailer *t, dpl_error *err)
{
    uint64_t bytes[N_SECTIONS], most = 0;

    if (!section_bytes(bytes, t))
        return dpli_fail(err, DPL_E_BUG, "an index that is too large");
    for (int i = 0; i < N_SECTIONS; i++)
        most = bytes[i] > most ? bytes[i] : most;
    *o = (output){.file = file};
    o->piece = dpli_alloc(PIECE_BYTES, 1, err);
    o->sums = o->piece ? dpli_alloc((size_t)(most / PIECE_BYTES) + 1, sizeof *o->sums, err) : NULL;
    return o->sums ? DPL_OK : DPL_E_MEMORY;
}

static void output_clear(output *o)
{
    free(o->piece);
    free(o->sums);
}

static bool end_piece(output *o)
{
    const size_t n = o->n;

    o->sums[o->n_sums++] = dpli_sum64(0, o->piece, n);
    o->n = 0;
    return dpli_vault_put(o->file, o->piece, n);
}

static bool end_section(output *o)
{
    const bool good = o->n == 0 || end_piece(o);

    o->sum = dpli_sum64(o->sum, o->sums, o->n_sums * sizeof *o->sums);
    o->n_sums = 0;
    return good;
}

static bool put(output *o, const void *bytes, size_t n)
{
    const char *from = bytes;

    while (n > 0) {
        const size_t room = PIECE_BYTES - o->n, now = n < room ? n : room;

        memcpy(o->piece + o->n, from, now);
        o->n += now;
        from += now;
        n -= now;
        if (o->n == PIECE_BYTES && !end_piece(o))
            return false;
    }
    return true;
}

/* Of an array of n items those that stay. */
static bool put_items(output *o, const dpli_index *index, const void *items, size_t size)
{
    if (!index->gone)
        return put(o, items, index->n * size);
    for (size_t i = 0; i < index->n; i++)
        if (!index->gone[i] && !put(o, (const char *)items + i * size, size))
            return false;
    return true;
}

/* Where each node is in the file; and how many upper layers stand before it. */
typedef struct numbers {
    uint32_t *at;
} numbers;

static bool put_links(output *o, const numbers *to, const uint32_t *links, size_t n)
{
    uint32_t out[DPLI_HNSW_NEAR];

    for (size_t i = 0; i < n; i++)
        out[i] = links[i] == DPLI_HNSW_NONE ? DPLI_HNSW_NONE : to->at[links[i]];
    return put(o, out, n * sizeof *out);
}

/* Its three sections, empty where there is none. */
static bool put_graph(output *o, const dpli_index *index, const numbers *to)
{
    const dpli_hnsw *g = &index->graph;
    const uint32_t n = dpli_index_is_approximate(index) ? g->n : 0;
    const uint32_t *up = g->up.at, *far = g->far.at;
    uint32_t place = 0;
    bool good = true;

    for (uint32_t i = 0; i < n && good; i++)
        if (!index->gone || !index->gone[i])
            good = put_links(o, to, dpli_hnsw_near(g, i), DPLI_HNSW_NEAR);
    good = good && end_section(o);
    for (uint32_t i = 0; i < n && good; i++) {
        const uint32_t layers = up[i] >> 28, out = layers ? layers << 28 | place : 0;

        if (index->gone && index->gone[i])
            continue;
        good = put(o, &out, sizeof out);
        place += layers;
    }
    good = good && end_section(o);
    for (uint32_t i = 0; i < n && good; i++)
        for (uint32_t layer = 0; layer < up[i] >> 28 && good; layer++)
            if (!index->gone || !index->gone[i])
                good =
                    put_links(o, to, far + ((size_t)(up[i] & 0x0FFFFFFFU) + layer) * DPLI_HNSW_FAR,
                              DPLI_HNSW_FAR);
    return good && end_section(o);
}

/* Vectors, or a sum of each, of those that stay. */
static dpl_status put_vectors(output *o, const dpli_index *index, bool sums, dpl_error *err)
{
    const size_t dim = (size_t)index->dim, row_bytes = dim * sizeof(float);
    const dpli_rows *rows = &index->vectors;
    float *room = dpli_alloc(ROWS_AT_ONCE * dim, sizeof *room, err);
    dpl_status status = room ? DPL_OK : DPL_E_MEMORY;
    bool good = true;

    for (size_t at = 0; at < index->n && status == DPL_OK && good; at += ROWS_AT_ONCE) {
        const size_t n = index->n - at < ROWS_AT_ONCE ? index->n - at : ROWS_AT_ONCE;
        const bool known = sums && at + n <= rows->n_filed;

        if (!known)
            status = dpli_rows_read(room, rows, at, n, err);
        for (size_t i = 0; i < n && status == DPL_OK && good; i++) {
            const uint32_t sum = !sums   ? 0
                                 : known ? rows->sums[at + i]
                                         : dpli_rows_sum(room + i * dim, index->dim);

            if (!(index->gone && index->gone[at + i]))
                good = sums ? put(o, &sum, sizeof sum)
                            : dpli_vault_put(o->file, room + i * dim, row_bytes);
        }
    }
    free(room);
    return status != DPL_OK || good ? status
                                    : dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write");
}

static bool put_middle(output *o, const dpli_index *index, const numbers *to)
{
    return (!index->records.at || put_items(o, index, index->records.at, index->shape.stride)) &&
           end_section(o) && put_graph(o, index, to) &&
           put_items(o, index, index->ids, sizeof *index->ids) && end_section(o) &&
           put_items(o, index, index->owners, sizeof *index->owners) && end_section(o) &&
           put_items(o, index, index->photos, sizeof *index->photos) && end_section(o);
}

static dpl_status sum_file(trailer *t, const dpli_vault *file, dpl_error *err)
{
    uint64_t bytes[N_SECTIONS], at = t->n * (uint64_t)t->dim * sizeof(float), sum = 0;
    dpl_status status = DPL_OK;

    if (!section_bytes(bytes, t))
        return dpli_fail(err, DPL_E_BUG, "an index that is too large");
    for (int i = 0; i < N_SECTIONS && status == DPL_OK; i++) {
        status = read_part(&sum, file, at, bytes[i], NULL, err);
        at += bytes[i];
    }
    t->sum = dpli_sum64(sum, t, offsetof(trailer, sum));
    return status;
}

/* What goes into a file, and by which key it is sealed. */
typedef struct writing {
    const dpli_index *index;
    const uint8_t *key;
} writing;

static dpl_status write_aside(void *ctx, const char *aside, dpl_error *err)
{
    const writing *w = ctx;
    const dpli_index *index = w->index;
    const dpli_hnsw *g = &index->graph;
    trailer t = {.version = VERSION,
                 .unit = index->shape.unit,
                 .generation = index->generation,
                 .n = index->n - index->n_gone,
                 .head_sum = index->head_sum,
                 .width = index->width,
                 .wide = index->wide,
                 .n_changed = index->n_changed,
                 .recall = index->recall,
                 .min_norm = index->min_norm,
                 .max_norm = index->max_norm,
                 .n_compared = index->n_compared,
                 .search_ms = index->search_ms,
                 .exact_ms = index->exact_ms,
                 .dim = index->dim,
                 .top = g->top,
                 .has_codes = index->records.at != NULL,
                 .has_graph = dpli_index_is_approximate(index)};
    numbers to = {dpli_alloc(index->n, sizeof *to.at, err)};
    dpli_vault *file = NULL;
    output o = {0};
    dpl_status status = DPL_E_MEMORY;
    uint32_t place = 0;

    if (!to.at)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < index->n; i++) {
        if (index->gone && index->gone[i])
            continue;
        to.at[i] = place++;
        if (t.has_graph)
            t.n_far += ((const uint32_t *)g->up.at)[i] >> 28;
    }
    t.entry = t.has_graph && g->top >= 0 ? to.at[g->entry] : 0;
    status = dpli_vault_make(&file, aside, w->key, err);
    if (status == DPL_OK)
        status = output_new(&o, file, &t, err);
    if (status != DPL_OK)
        goto done;
    memcpy(t.magic, MAGIC, sizeof t.magic);
    memcpy(t.identity, index->identity, sizeof t.identity);
    status = put_vectors(&o, index, false, err);
    if (status == DPL_OK && !put_middle(&o, index, &to))
        goto cannot;
    if (status == DPL_OK)
        status = put_vectors(&o, index, true, err);
    if (status != DPL_OK)
        goto done;
    if (!end_section(&o))
        goto cannot;
    t.sum = dpli_sum64(o.sum, &t, offsetof(trailer, sum));
    if (!dpli_vault_put(file, &t, sizeof t) || !dpli_vault_finish(file))
        goto cannot;
done:
    output_clear(&o);
    dpli_vault_close(file);
    free(to.at);
    return status;
cannot:
    status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
    goto done;
}

dpl_status dpli_snapshot_write(const char *path, const dpli_index *index, const uint8_t *key,
                               dpl_error *err)
{
    writing w = {index, key};

    return dpli_file_replace_by(path, write_aside, &w, err);
}

/* ------------------------------------------------------------------ reading */

static dpl_status read_trailer(trailer *t, uint64_t bytes[N_SECTIONS], const dpli_vault *file,
                               dpl_error *err)
{
    uint64_t n_bytes, n_all;

    if (dpli_vault_bytes(file) < sizeof *t ||
        dpli_vault_read(file, t, sizeof *t, dpli_vault_bytes(file) - sizeof *t, NULL) != DPL_OK)
        return dpli_fail(err, DPL_E_INPUT, "no trailer");
    n_bytes = dpli_vault_bytes(file) - sizeof *t;
    if (memcmp(t->magic, MAGIC, sizeof t->magic) != 0 || t->version != VERSION)
        return dpli_fail(err, DPL_E_INPUT, "no trailer of this version");
    /* Sizes that add up bound the number of rows by what is in the file. */
    if (t->n < 1 || t->dim < 1 || t->dim > DPL_MAX_DIM || t->unit > 1 || t->has_codes > 1 ||
        t->has_graph > t->has_codes || t->zero != 0 || (!t->has_graph && t->n_far != 0) ||
        t->n >= UINT32_MAX || t->n_far >= UINT32_MAX || !section_bytes(bytes, t) ||
        __builtin_mul_overflow(t->n, (uint64_t)t->dim * sizeof(float), &n_all))
        return dpli_fail(err, DPL_E_INPUT, "the sizes are wrong");
    for (int i = 0; i < N_SECTIONS; i++)
        if (__builtin_add_overflow(n_all, bytes[i], &n_all))
            return dpli_fail(err, DPL_E_INPUT, "the sizes are wrong");
    if (n_all != n_bytes)
        return dpli_fail(err, DPL_E_INPUT, "the sizes are wrong");
    return DPL_OK;
}

/* A head that codes say nothing of compares every vector each time: from memory. */
static dpl_status bring_in(dpli_index *index, dpl_error *err)
{
    float *rows = dpli_alloc(index->n * (size_t)index->dim, sizeof *rows, err);
    dpl_status status =
        rows ? dpli_rows_read(rows, &index->vectors, 0, index->n, err) : DPL_E_MEMORY;

    if (status == DPL_OK) {
        dpli_rows_clear(&index->vectors);
        status = dpli_rows_take(&index->vectors, &rows, index->n, index->dim, false, err);
    }
    free(rows);
    return status;
}

static dpl_status read_parts(dpli_index *index, const trailer *t, const uint64_t bytes[N_SECTIONS],
                             const dpli_vault *file, dpl_error *err)
{
    const size_t n = (size_t)t->n, n_row_bytes = n * (size_t)t->dim * sizeof(float);
    void *to[N_SECTIONS];
    uint32_t *sums = NULL;
    uint64_t at = n_row_bytes, sum = 0;
    dpl_status status = DPL_OK;

    if (t->has_codes)
        status = dpli_span_new(&index->records, (size_t)bytes[0], err);
    if (status == DPL_OK && t->has_graph)
        status = dpli_span_new(&index->graph.near, (size_t)bytes[1], err);
    if (status == DPL_OK && t->has_graph)
        status = dpli_span_new(&index->graph.up, (size_t)bytes[2], err);
    if (status == DPL_OK && t->has_graph)
        status = dpli_span_new(&index->graph.far, (size_t)bytes[3], err);
    if (status != DPL_OK)
        return status;
    index->ids = dpli_alloc(n, sizeof *index->ids, err);
    index->owners = index->ids ? dpli_alloc(n, sizeof *index->owners, err) : NULL;
    index->photos = index->owners ? dpli_alloc(n, sizeof *index->photos, err) : NULL;
    sums = index->photos ? dpli_alloc(n, sizeof *sums, err) : NULL;
    if (!sums)
        return DPL_E_MEMORY;
    to[0] = index->records.at;
    to[1] = index->graph.near.at;
    to[2] = index->graph.up.at;
    to[3] = index->graph.far.at;
    to[4] = index->ids;
    to[5] = index->owners;
    to[6] = index->photos;
    to[7] = sums;
    for (int i = 0; i < N_SECTIONS && status == DPL_OK; i++) {
        status = read_part(&sum, file, at, bytes[i], to[i], err);
        at += bytes[i];
    }
    if (status == DPL_OK && dpli_sum64(sum, t, offsetof(trailer, sum)) != t->sum)
        status = dpli_fail(err, DPL_E_INPUT, "the sum is wrong");
    if (status == DPL_OK)
        status = dpli_rows_open(&index->vectors, file, &sums, n, t->dim, err);
    free(sums);
    return status == DPL_OK && !t->has_codes ? bring_in(index, err) : status;
}

static dpli_index numbers_of(const trailer *t)
{
    dpli_index index = {.n = (size_t)t->n,
                        .dim = t->dim,
                        .shape = dpli_code_shape_of(t->dim, t->unit != 0),
                        .generation = t->generation,
                        .min_norm = t->min_norm,
                        .max_norm = t->max_norm,
                        .head_sum = t->head_sum,
                        .recall = t->recall,
                        .width = (size_t)t->width,
                        .wide = (size_t)t->wide,
                        .n_changed = (size_t)t->n_changed,
                        .n_compared = t->n_compared,
                        .search_ms = t->search_ms,
                        .exact_ms = t->exact_ms};

    if (t->has_graph) {
        index.graph.n = (uint32_t)t->n;
        index.graph.n_far = (uint32_t)t->n_far;
        index.graph.entry = t->entry;
        index.graph.top = t->top;
    }
    memcpy(index.identity, t->identity, sizeof t->identity);
    return index;
}

dpl_status dpli_snapshot_peek(dpli_index *out, uint64_t *n_bytes, const char *path,
                              const uint8_t *key, dpl_error *err)
{
    uint64_t bytes[N_SECTIONS];
    trailer t;
    dpli_vault *file;
    dpl_status status = dpli_vault_open(&file, path, key, err);

    memset(out, 0, sizeof *out);
    *n_bytes = 0;
    if (status != DPL_OK)
        return status;
    status = read_trailer(&t, bytes, file, err);
    if (status == DPL_OK) {
        *out = numbers_of(&t);
        *n_bytes = dpli_vault_file_bytes(file);
    }
    dpli_vault_close(file);
    return status;
}

dpl_status dpli_snapshot_read(dpli_index *out, const char *path, const uint8_t *key, dpl_error *err)
{
    dpli_index index = {0};
    uint64_t bytes[N_SECTIONS];
    trailer t;
    dpli_vault *file;
    dpl_status status = dpli_vault_open(&file, path, key, err);

    memset(out, 0, sizeof *out);
    if (status != DPL_OK)
        return status;
    status = read_trailer(&t, bytes, file, err);
    if (status != DPL_OK)
        goto done;
    index = numbers_of(&t);
    status = read_parts(&index, &t, bytes, file, err);
    if (status == DPL_OK && t.has_graph && !dpli_hnsw_is_whole(&index.graph))
        status = dpli_fail(err, DPL_E_INPUT, "the links are wrong");
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
    dpli_vault_close(file);
    return status;
}

dpl_status dpli_snapshot_seal(const char *path, dpl_error *err)
{
    uint64_t bytes[N_SECTIONS];
    dpli_vault *file;
    dpl_status status = dpli_vault_open(&file, path, NULL, err);
    int fd = -1;
    trailer t;

    if (status == DPL_OK)
        status = read_trailer(&t, bytes, file, err);
    if (status == DPL_OK)
        status = sum_file(&t, file, err);
    if (status == DPL_OK) {
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 ||
            pwrite(fd, &t.sum, sizeof t.sum, (off_t)(dpli_vault_bytes(file) - sizeof t.sum)) < 0)
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", path);
    }
    if (fd >= 0)
        close(fd);
    dpli_vault_close(file);
    return status;
}
