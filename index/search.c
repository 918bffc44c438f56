/*
 * Search: probes to templates of a gallery.
 *
 * Keeps one index a space, fresh: made from the rows, kept in memory, and saved beside the gallery
 * when that is worth it. The rows are the truth. An index is used only if it was made from this
 * gallery at this generation; one that lacks only what was added since is extended, any other is
 * made anew. Losing a snapshot, or failing to write one, costs time and nothing else.
 *
 * docs/search.md tells the whole of it, with the measurements behind the numbers below.
 */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/retrieve.h"

/* Reading this many rows takes SQLite about as long as a snapshot of them takes to be read and
   summed; below, a file would only be one more thing to keep. */
#define SNAPSHOT_FROM 20000
/* Above what is searched exactly by default, an exact search is somebody's exception (a proof, a
   measurement): its snapshot would push out the approximate one. */
#define SNAPSHOT_EXACT_TO 1000000

static const char *const spaces[] = {"face", "image"};
enum { N_SPACES = 2 };

struct dpli_search_state {
    dpli_index index[N_SPACES];
};

/* ------------------------------------------------------------------ files */

static char *snapshot_path(const dpl_gallery *gallery, int space, dpl_error *err)
{
    return dpli_asprintf(err, "%s/%s.faiss", dpl_gallery_dir(gallery), spaces[space]);
}

void dpli_search_state_free(dpli_search_state *state)
{
    if (!state)
        return;
    for (int i = 0; i < N_SPACES; i++)
        dpli_index_clear(&state->index[i]);
    free(state);
}

/* Snapshots, and what a killed process left of writing one. */
static int is_snapshot(const char *name)
{
    for (int i = 0; i < N_SPACES; i++) {
        size_t n = strlen(spaces[i]);
        if (strncmp(name, spaces[i], n) == 0 && strncmp(name + n, ".faiss", 6) == 0)
            return name[n + 6] == '\0' || name[n + 6] == '.';
    }
    return 0;
}

void dpli_search_drop(dpl_gallery *gallery)
{
    dpli_search_state **state = dpli_store_search_state(gallery);
    DIR *dir = opendir(dpl_gallery_dir(gallery));
    const struct dirent *entry;

    dpli_search_state_free(*state);
    *state = NULL;
    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (is_snapshot(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

static void tell(dpl_gallery *gallery, int space, const char *what)
{
    char text[256];

    snprintf(text, sizeof text, "index \"%s.faiss\" %s", spaces[space], what);
    dpli_store_notice(gallery, text);
}

/* Worth a file: large enough, and not an exception. */
static int is_worth_saving(const dpli_index *index)
{
    int approximate = index->ann && dpli_ann_get_kind(index->ann) == DPLI_ANN_IVF;

    return index->n >= SNAPSHOT_FROM &&
           (approximate || index->head_sum || index->n <= SNAPSHOT_EXACT_TO);
}

static void save(dpl_gallery *gallery, int space, const char *path, const dpli_index *index)
{
    char identity[33];
    int64_t now;
    dpl_error why;

    if (!is_worth_saving(index))
        return;
    if (dpli_snapshot_write(path, index, &why) != DPL_OK) {
        tell(gallery, space, "could not be saved and is made anew each time");
        return;
    }
    /* Somebody may have been forgotten while this was written. Whoever forgets removes snapshots
       after the commit, so either that finds this file or this finds the commit. */
    if (dpli_store_generation(gallery, &now, identity, NULL) != DPL_OK || now != index->generation)
        unlink(path);
}

/* ------------------------------------------------------------------ freshness */

/* Rows added since, one by one from the gallery. */
typedef struct fetch {
    float *to;
    const char *space;
    int32_t dim;
    int fits;
} fetch;

static dpl_status fetch_row(void *ctx, const dpl_template_row *row)
{
    fetch *f = ctx;

    f->fits = row->dim == f->dim && strcmp(row->space, f->space) == 0;
    for (int32_t i = 0; f->fits && i < f->dim; i++) {
        f->to[i] = row->vector[i];
        f->fits = isfinite(row->vector[i]) != 0;
    }
    return DPL_OK;
}

/* Bring an index of an older generation up to date if all that happened is that vectors were added,
   few enough to be worth it. Ids never come back, so the same ids are the same vectors. *done 0:
   it is as it was and must be made anew. */
static dpl_status catch_up(int *done, dpli_index *index, dpl_gallery *gallery, int space,
                           const dpl_head *head, dpl_error *err)
{
    size_t dim = (size_t)index->dim, n_old = index->n, n_new = 0;
    dpli_vectors v = {0};
    float *rows = NULL;
    dpl_status status;

    *done = 0;
    if ((status = dpli_store_load(&v, gallery, spaces[space], index->dim, 0, err)) != DPL_OK)
        return status;
    if (v.n < n_old || v.n - n_old > n_old / 10 ||
        memcmp(v.ids, index->ids, n_old * sizeof *v.ids) != 0)
        goto done;
    n_new = v.n - n_old;
    if (n_new > 0) {
        if (!(rows = dpli_alloc(n_new * dim, sizeof *rows, err))) {
            status = DPL_E_MEMORY;
            goto done;
        }
        for (size_t i = 0; i < n_new; i++) {
            fetch f = {.to = rows + i * dim, .space = spaces[space], .dim = index->dim};

            if (dpl_gallery_get_template(gallery, v.ids[n_old + i], fetch_row, &f, NULL) !=
                    DPL_OK ||
                !f.fits)
                goto done; /* removed again meanwhile, or damaged: a reading of all will tell */
        }
        if ((status = dpli_index_extend(done, index, head, rows, n_new, err)) != DPL_OK || !*done)
            goto done;
    }
    free(index->ids);
    free(index->owners);
    free(index->photos);
    index->ids = v.ids;
    index->owners = v.owners;
    index->photos = v.photos;
    index->generation = v.generation;
    v.ids = v.owners = v.photos = NULL;
    *done = 1;
done:
    free(rows);
    dpli_vectors_clear(&v);
    return status;
}

typedef struct request {
    dpl_gallery *gallery;
    const dpl_head *head;
    dpli_wish wish;
    int space;
    int32_t dim;
    int64_t generation;
    char identity[33];
} request;

/* Whether an index is of the right gallery and kind; if it is only older, it is brought up to date.
 */
static dpl_status is_usable(int *usable, int *changed, dpli_index *index, const request *r,
                            dpl_error *err)
{
    dpl_status status = DPL_OK;

    *usable = *changed = 0;
    if (index->dim != r->dim || strcmp(index->identity, r->identity) != 0 ||
        !dpli_index_serves(index, r->head, r->wish))
        return DPL_OK;
    if (index->generation != r->generation) {
        status = catch_up(changed, index, r->gallery, r->space, r->head, err);
        if (status != DPL_OK || !*changed)
            return status;
    }
    *usable = dpli_index_serves(index, r->head, r->wish);
    return DPL_OK;
}

/* What became of the file: why there must be another. */
typedef enum file_state {
    FILE_USED,
    FILE_MISSING,
    FILE_DAMAGED,
    FILE_OLD,  /* of another generation, or another gallery */
    FILE_OTHER /* fresh, but for another way of searching */
} file_state;

static dpl_status from_file(file_state *file, dpli_index *out, const char *path, const request *r,
                            dpl_error *err)
{
    dpli_index index = {0};
    int usable, changed = 0;
    dpl_status status = dpli_snapshot_read(&index, path, NULL);

    *file = status == DPL_E_NOT_FOUND ? FILE_MISSING : FILE_DAMAGED;
    if (status != DPL_OK)
        return DPL_OK;
    *file = strcmp(index.identity, r->identity) == 0 && index.generation == r->generation
                ? FILE_OTHER
                : FILE_OLD;
    if ((status = is_usable(&usable, &changed, &index, r, err)) == DPL_OK && usable) {
        if (changed)
            save(r->gallery, r->space, path, &index);
        *file = FILE_USED;
        *out = index;
        memset(&index, 0, sizeof index);
    }
    dpli_index_clear(&index);
    return status;
}

static dpl_status from_rows(dpli_index *out, const char *path, file_state file, const request *r,
                            dpl_error *err)
{
    int bad = file == FILE_DAMAGED || file == FILE_OLD;
    dpli_vectors v = {0};
    dpl_status status;

    if ((status = dpli_store_load(&v, r->gallery, spaces[r->space], r->dim, 1, err)) != DPL_OK)
        return status;
    status = dpli_index_make(out, &v, r->head, r->wish, err);
    dpli_vectors_clear(&v);
    if (status != DPL_OK)
        return status;
    memcpy(out->identity, r->identity, sizeof out->identity);
    if (bad)
        tell(r->gallery, r->space,
             file == FILE_OLD ? "was out of date and has been rebuilt from the gallery"
                              : "was damaged and has been rebuilt from the gallery");
    /* The gallery has become too small for a file: the one that is there must not outlive its rows.
     */
    if (bad && out->n < SNAPSHOT_FROM)
        unlink(path);
    save(r->gallery, r->space, path, out);
    return DPL_OK;
}

static dpl_status fresh_index(dpli_index **out, request *r, dpl_error *err)
{
    dpli_search_state **state = dpli_store_search_state(r->gallery);
    file_state file;
    char *path = NULL;
    int usable = 0, changed = 0;
    dpl_status status;

    if (!*state && !(*state = dpli_calloc(1, sizeof **state, err)))
        return DPL_E_MEMORY;
    *out = &(*state)->index[r->space];
    if ((status = dpli_store_generation(r->gallery, &r->generation, r->identity, err)) != DPL_OK ||
        (status = is_usable(&usable, &changed, *out, r, err)) != DPL_OK)
        return status;
    if (usable && !changed)
        return DPL_OK;
    if (!(path = snapshot_path(r->gallery, r->space, err)))
        return DPL_E_MEMORY;
    if (usable) {
        save(r->gallery, r->space, path, *out);
        goto done;
    }
    dpli_index_clear(*out);
    if ((status = from_file(&file, *out, path, r, err)) == DPL_OK && file != FILE_USED)
        status = from_rows(*out, path, file, r, err);
done:
    free(path);
    return status;
}

/* ------------------------------------------------------------------ search */

static dpl_status check(int *space, dpl_search_options *options, const dpl_head *head,
                        const char *space_name, const float *probes, size_t n, int32_t dim,
                        const dpl_search_options *theirs, dpl_error *err)
{
    dpl_status status;

    *options = (dpl_search_options)DPL_SEARCH_OPTIONS_INIT;
    status = dpli_options(options, sizeof *options, theirs, "search", err);
    if (status != DPL_OK)
        return status;
    for (*space = 0; *space < N_SPACES && strcmp(space_name, spaces[*space]) != 0; ++*space)
        ;
    if (*space == N_SPACES)
        return dpli_fail(err, DPL_E_ARGUMENT, "the space is neither \"face\" nor \"image\"");
    if (dpl_head_dim(head) != dim)
        return dpli_fail(err, DPL_E_ARGUMENT, "a head for %d numbers and probes of %d",
                         (int)dpl_head_dim(head), (int)dim);
    if (options->k < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "the %d most alike were asked for", (int)options->k);
    if (options->exact_up_to < 0 || !(options->min_recall > 0 && options->min_recall <= 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "a recall of %g up to %" PRId64 " templates",
                         options->min_recall, options->exact_up_to);
    for (size_t i = 0; i < n; i++) {
        int zero = 1, finite = 1;

        for (size_t j = 0; j < (size_t)dim; j++) {
            float x = probes[i * (size_t)dim + j];
            finite &= isfinite(x) != 0;
            zero &= x == 0.0f;
        }
        if (!finite)
            return dpli_fail(err, DPL_E_NUMERIC, "probe %zu is not finite", i);
        if (zero && dpl_head_get_kind(head) == DPL_HEAD_COSINE)
            return dpli_fail(err, DPL_E_NUMERIC, "probe %zu is zero and has no direction", i);
    }
    return DPL_OK;
}

dpl_status dpl_gallery_search(dpl_hit *hits, dpl_gallery *gallery, const dpl_head *head,
                              const char *space, const float *probes, size_t n, int32_t dim,
                              const dpl_search_options *options, dpl_search_info *info,
                              dpl_error *err)
{
    request r = {.gallery = gallery, .head = head, .dim = dim};
    dpl_search_options o;
    dpli_index *index = NULL;
    dpli_found *found = NULL;
    size_t keep, n_found;
    int exact;
    dpl_status status;

    if ((status = check(&r.space, &o, head, space, probes, n, dim, options, err)) != DPL_OK)
        return status;
    r.wish = (dpli_wish){o.exact_up_to, o.min_recall};
    if ((status = fresh_index(&index, &r, err)) != DPL_OK)
        return status;
    keep = (size_t)o.k < index->n ? (size_t)o.k : index->n;
    if (!dpli_mul(&n_found, n, keep) || !(found = dpli_alloc(n_found, sizeof *found, err)))
        return DPL_E_MEMORY;
    if ((status = dpli_index_search(found, index, head, probes, n, keep, err)) != DPL_OK)
        goto done;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < (size_t)o.k; j++) {
            dpl_hit *hit = &hits[i * (size_t)o.k + j];
            const dpli_found *f = j < keep ? &found[i * keep + j] : NULL;

            if (f && f->at != DPLI_NOWHERE)
                *hit = (dpl_hit){index->ids[f->at], index->photos[f->at], index->owners[f->at],
                                 f->score};
            else
                *hit = (dpl_hit){-1, 0, 0, NAN};
        }
    }
    if (info) {
        exact = !index->ann || dpli_ann_get_kind(index->ann) == DPLI_ANN_FLAT;
        *info = (dpl_search_info){exact, exact ? 1.0 : index->recall, exact ? "flat" : "ivf",
                                  (int64_t)index->n};
    }
done:
    free(found);
    return status;
}
