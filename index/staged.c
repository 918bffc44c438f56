/*
 * staged.c - vectors on their way into a gallery, in a file beside it.
 *
 * Rows are appended, each with a sum of its own, and never changed: a kill at any instant leaves
 * rows that are whole and perhaps one that is not. Where several are of one template the last
 * counts. In memory is where each begins. Of an encrypted gallery a row is sealed, bound to where
 * it stands, behind the number of its space, which says how long it is.
 */
#include "index/staged.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/secret.h"

/* As they lie in the file. What the head's members do not fill is zero. */
typedef struct head {
    char magic[8];
    dpli_staged_key key;
} head;

enum { FROM_THUMB = 1, HAS_FACE = 2 };

typedef struct row_head {
    int64_t template_id, photo_id;
    uint64_t old_sum;
    uint32_t space, flags;
    float face[DPLI_N_FACE];
    char weakest[16];
    uint64_t sum; /* of the row with 0 here, and the vector */
} row_head;
_Static_assert(sizeof(row_head) == 3 * 8 + 2 * 4 + DPLI_N_FACE * 4 + 16 + 8, "no padding");

typedef struct entry {
    int64_t template_id, offset;
} entry;

struct dpli_staged {
    int fd;
    char *path;
    int32_t dim[DPLI_N_SPACES];
    entry *entries;
    size_t n, cap;
    bool sorted; /* by template, each once */
    int64_t end; /* of what is whole */
    float *vector;
    uint8_t *key;            /* in memory for keys; NULL: rows are plain */
    uint8_t *plain, *sealed; /* a row, one after the other, and as it is in the file */
};

static const char magic[8] = "dplmig1";

static char *path_of(const char *dir, dpl_error *err)
{
    return dpli_asprintf(err, "%s/gallery.migrate", dir);
}

static head head_of(const dpli_staged_key *key)
{
    head h;

    memset(&h, 0, sizeof h);
    memcpy(h.magic, magic, sizeof h.magic);
    memcpy(h.key.identity, key->identity, strlen(key->identity));
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        memcpy(h.key.hash[i], key->hash[i], strlen(key->hash[i]));
        h.key.dim[i] = key->dim[i];
    }
    return h;
}

static uint64_t sum_of(const row_head *row, const float *vector, int32_t dim)
{
    row_head r = *row;

    r.sum = 0;
    return dpli_sum64(dpli_sum64(0, &r, sizeof r), vector, (size_t)dim * sizeof *vector);
}

size_t dpli_staged_row_bytes(int32_t dim)
{
    return sizeof(row_head) + (size_t)dim * sizeof(float);
}

/* ------------------------------------------------------------------ reading */

/* All of it or nothing: a short read is the file's end. */
static bool read_at(const dpli_staged *s, void *to, size_t n, int64_t offset)
{
    char *at = to;

    while (n > 0) {
        const ssize_t got = pread(s->fd, at, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
        offset += got;
    }
    return true;
}

/* What a row takes in the file. */
static size_t filed_bytes(const dpli_staged *s, int32_t dim)
{
    return dpli_staged_row_bytes(dim) + (s->key ? sizeof(uint32_t) + DPLI_SEAL_EXTRA : 0);
}

static bool read_sealed(row_head *row, const dpli_staged *s, int64_t offset)
{
    uint32_t space;
    size_t n;

    if (!read_at(s, &space, sizeof space, offset) || space >= DPLI_N_SPACES || s->dim[space] <= 0)
        return false;
    n = dpli_staged_row_bytes(s->dim[space]);
    if (!read_at(s, s->sealed, n + DPLI_SEAL_EXTRA, offset + (int64_t)sizeof space) ||
        !dpli_unseal(s->plain, s->key, &offset, sizeof offset, s->sealed, n + DPLI_SEAL_EXTRA))
        return false;
    memcpy(row, s->plain, sizeof *row);
    memcpy(s->vector, s->plain + sizeof *row, n - sizeof *row);
    return row->space == space;
}

/* Whether a whole row begins there; its vector is in s->vector. */
static bool read_row(row_head *row, const dpli_staged *s, int64_t offset)
{
    if (s->key)
        return read_sealed(row, s, offset) && memchr(row->weakest, '\0', sizeof row->weakest) &&
               row->sum == sum_of(row, s->vector, s->dim[row->space]);
    return read_at(s, row, sizeof *row, offset) && row->space < DPLI_N_SPACES &&
           s->dim[row->space] > 0 && memchr(row->weakest, '\0', sizeof row->weakest) &&
           read_at(s, s->vector, (size_t)s->dim[row->space] * sizeof *s->vector,
                   offset + (int64_t)sizeof *row) &&
           row->sum == sum_of(row, s->vector, s->dim[row->space]);
}

static dpl_status keep_entry(dpli_staged *s, int64_t template_id, int64_t offset, dpl_error *err)
{
    entry *entries = dpli_grow(s->entries, &s->cap, s->n + 1, sizeof *entries, err);

    if (!entries)
        return DPL_E_MEMORY;
    s->entries = entries;
    s->sorted &= s->n == 0 || entries[s->n - 1].template_id < template_id;
    entries[s->n++] = (entry){template_id, offset};
    return DPL_OK;
}

static dpl_status read_rows(dpli_staged *s, dpl_error *err)
{
    dpl_status status = DPL_OK;
    row_head row;

    while (status == DPL_OK && read_row(&row, s, s->end)) {
        status = keep_entry(s, row.template_id, s->end, err);
        s->end += (int64_t)filed_bytes(s, s->dim[row.space]);
    }
    return status;
}

static int by_template(const void *a, const void *b)
{
    const entry *x = a, *y = b;

    if (x->template_id != y->template_id)
        return x->template_id < y->template_id ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void sort(dpli_staged *s)
{
    size_t n = 0;

    if (s->sorted)
        return;
    qsort(s->entries, s->n, sizeof *s->entries, by_template);
    for (size_t i = 0; i < s->n; i++)
        if (i + 1 == s->n || s->entries[i + 1].template_id != s->entries[i].template_id)
            s->entries[n++] = s->entries[i];
    s->n = n;
    s->sorted = true;
}

size_t dpli_staged_n(dpli_staged *s)
{
    sort(s);
    return s->n;
}

bool dpli_staged_find(size_t *at, dpli_staged *s, int64_t template_id)
{
    size_t low = 0, high;

    sort(s);
    high = s->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (s->entries[mid].template_id < template_id)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
    return low < s->n && s->entries[low].template_id == template_id;
}

dpl_status dpli_staged_read(dpli_staged_row *out, dpli_staged *s, size_t i, dpl_error *err)
{
    row_head row;

    sort(s);
    memset(out, 0, sizeof *out);
    if (!read_row(&row, s, s->entries[i].offset))
        return dpli_fail(err, DPL_E_SYSTEM, "\"%s\" is not what was written", s->path);
    out->template_id = row.template_id;
    out->photo_id = row.photo_id;
    out->old_sum = row.old_sum;
    out->space = (int)row.space;
    out->from_thumb = (row.flags & FROM_THUMB) != 0;
    out->has_face = (row.flags & HAS_FACE) != 0;
    for (int k = 0; k < DPLI_N_FACE && out->has_face; k++)
        *dpli_face_at(&out->face, k) = row.face[k];
    memcpy(out->face.quality.weakest, row.weakest, sizeof row.weakest);
    out->vector = s->vector;
    return DPL_OK;
}

/* ------------------------------------------------------------------ writing */

static dpl_status write_at(const dpli_staged *s, const void *from, size_t n, int64_t offset,
                           dpl_error *err)
{
    const char *at = from;

    while (n > 0) {
        const ssize_t put = pwrite(s->fd, at, n, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", s->path);
        at += put;
        n -= (size_t)put;
        offset += put;
    }
    return DPL_OK;
}

dpl_status dpli_staged_add(dpli_staged *s, const dpli_staged_row *row, dpl_error *err)
{
    const size_t n_vector = (size_t)s->dim[row->space] * sizeof *row->vector;
    dpl_face face = row->face;
    row_head r;
    dpl_status status;

    memset(&r, 0, sizeof r);
    r.template_id = row->template_id;
    r.photo_id = row->photo_id;
    r.old_sum = row->old_sum;
    r.space = (uint32_t)row->space;
    r.flags = (row->from_thumb ? FROM_THUMB : 0) | (row->has_face ? HAS_FACE : 0);
    for (int k = 0; k < DPLI_N_FACE && row->has_face; k++)
        r.face[k] = *dpli_face_at(&face, k);
    if (row->has_face)
        memcpy(r.weakest, face.quality.weakest, sizeof r.weakest);
    r.sum = sum_of(&r, row->vector, s->dim[row->space]);
    if (s->key) {
        memcpy(s->sealed, &r.space, sizeof r.space);
        memcpy(s->plain, &r, sizeof r);
        memcpy(s->plain + sizeof r, row->vector, n_vector);
        dpli_seal(s->sealed + sizeof r.space, s->key, &s->end, sizeof s->end, s->plain,
                  sizeof r + n_vector);
        status = write_at(s, s->sealed, filed_bytes(s, s->dim[row->space]), s->end, err);
    } else {
        status = write_at(s, &r, sizeof r, s->end, err);
        if (status == DPL_OK)
            status = write_at(s, row->vector, n_vector, s->end + (int64_t)sizeof r, err);
    }
    if (status == DPL_OK)
        status = keep_entry(s, row->template_id, s->end, err);
    if (status == DPL_OK)
        s->end += (int64_t)filed_bytes(s, s->dim[row->space]);
    return status;
}

/* ------------------------------------------------------------------ open, close */

static dpl_status open_file(dpli_staged *s, dpl_error *err)
{
    struct stat st;

    s->fd = open(s->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (s->fd < 0 && errno == ELOOP)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is a link, and a gallery's files are not",
                         s->path);
    if (s->fd < 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot open \"%s\"", s->path);
    if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
        st.st_uid != geteuid())
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is not a file of this gallery's own", s->path);
    return DPL_OK;
}

static dpl_status take_key(dpli_staged *s, const uint8_t *key, int32_t most, dpl_error *err)
{
    const size_t n = dpli_staged_row_bytes(most) + sizeof(uint32_t) + DPLI_SEAL_EXTRA;

    s->plain = dpli_alloc(n, 1, err);
    s->sealed = s->plain ? dpli_alloc(n, 1, err) : NULL;
    s->key = s->sealed ? dpli_secret_alloc(DPLI_KEY_BYTES, err) : NULL;
    if (!s->key)
        return DPL_E_MEMORY;
    dpli_secret_derive(s->key, key, "doppel staged");
    return DPL_OK;
}

dpl_status dpli_staged_open(dpli_staged **out, const char *dir, const dpli_staged_key *key,
                            const uint8_t *file_key, dpl_error *err)
{
    dpli_staged *s = dpli_calloc(1, sizeof *s, err);
    const head wanted = head_of(key);
    int32_t most = 1;
    head found;
    dpl_status status;

    *out = NULL;
    if (!s)
        return DPL_E_MEMORY;
    s->fd = -1;
    s->sorted = true;
    s->end = (int64_t)sizeof wanted;
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        s->dim[i] = key->dim[i];
        most = key->dim[i] > most ? key->dim[i] : most;
    }
    s->path = path_of(dir, err);
    s->vector = s->path ? dpli_alloc((size_t)most, sizeof *s->vector, err) : NULL;
    status = s->vector ? open_file(s, err) : DPL_E_MEMORY;
    if (status == DPL_OK && file_key)
        status = take_key(s, file_key, most, err);
    if (status != DPL_OK)
        goto done;
    if (read_at(s, &found, sizeof found, 0) && memcmp(&found, &wanted, sizeof found) == 0) {
        status = read_rows(s, err);
    } else if (ftruncate(s->fd, 0) != 0) {
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot empty \"%s\"", s->path);
    } else {
        status = write_at(s, &wanted, sizeof wanted, 0, err);
    }
    if (status == DPL_OK) {
        *out = s;
        s = NULL;
    }
done:
    dpli_staged_close(s);
    return status;
}

void dpli_staged_close(dpli_staged *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s->entries);
    free(s->vector);
    free(s->plain);
    free(s->sealed);
    dpli_secret_free(s->key);
    free(s);
}

void dpli_staged_discard(const char *dir)
{
    char *path = path_of(dir, NULL);

    if (path)
        unlink(path);
    free(path);
}
