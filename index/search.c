/*
 * Search: probes to templates of a gallery.
 *
 * Keeps one index a space on the gallery's shelf, fresh: made from the rows, kept in memory, and
 * saved beside the gallery when that is worth it. The rows are the truth. An index is used only if
 * it was made from this gallery at this generation; from one that lacks a little or has a little
 * too much, that is taken out or added, any other is made anew, and takes the old one's place for
 * all threads. Losing a snapshot, or failing to write one, costs time and nothing else.
 *
 * docs/search.md tells the whole of it, with the measurements behind the numbers below.
 */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/near.h"
#include "index/retrieve.h"

/* Reading this many rows takes SQLite about as long as a snapshot of them takes to be read and
   summed; below, a file would only be one more thing to keep. */
#define SNAPSHOT_FROM 20000
/* Sealed rows take longer to be opened than a sealed file of fewer bytes in larger pieces. */
#define SNAPSHOT_FROM_SEALED 4000
/* Up to here a file is written anew for every change; of a larger one, once changes make up a share
   of it: until then each process makes them to what it has read. */
#define SAVE_ALWAYS_TO 100000
#define SAVE_SHARE     256
/* An index is added to, and not made anew, while what came and went is this share of it at most. */
#define FEW_SHARE   10
#define GRAPH_SHARE 4
/* Above what is searched exactly by default, an exact search is somebody's exception (a proof, a
   measurement): its snapshot would push out the approximate one. */
#define SNAPSHOT_EXACT_TO 1000000

/* ------------------------------------------------------------------ files */

char *dpli_search_file(const dpl_gallery *gallery, int space, dpl_error *err)
{
    return dpli_asprintf(err, "%s/%s.faiss", gallery->store->folder, dpli_spaces[space].name);
}

/* Snapshots, and what a killed process left of writing one. */
static int is_snapshot(const char *name)
{
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        size_t n = strlen(dpli_spaces[i].name);
        if (strncmp(name, dpli_spaces[i].name, n) == 0 && strncmp(name + n, ".faiss", 6) == 0)
            return name[n + 6] == '\0' || name[n + 6] == '.';
    }
    return 0;
}

/* Snapshots from the folder: all, or only what a killed process left of writing one. */
static void unlink_snapshots(const char *path, bool halves_only)
{
    DIR *dir = opendir(path);

    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        if (is_snapshot(entry->d_name) &&
            (!halves_only || strcmp(strrchr(entry->d_name, '.'), ".faiss") != 0))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

void dpli_search_drop(dpl_gallery *gallery)
{
    /* After whoever is making one of the old rows. */
    dpli_shelf_begin_making(gallery->shelf);
    for (int i = 0; i < DPLI_N_SPACES; i++)
        dpli_shelf_put(gallery->shelf, i, NULL);
    unlink_snapshots(gallery->store->folder, false);
    dpli_shelf_end_making(gallery->shelf);
}

static void tell(dpl_gallery *gallery, int space, const char *what)
{
    char text[256];

    snprintf(text, sizeof text, "index \"%s.faiss\" %s", dpli_spaces[space].name, what);
    dpli_gallery_tell(gallery, text);
}

static size_t worth_from(const dpl_gallery *gallery)
{
    return gallery->store->file_key ? SNAPSHOT_FROM_SEALED : SNAPSHOT_FROM;
}

/* Worth a file: large enough, and not an exception. */
static int is_worth_saving(const dpl_gallery *gallery, const dpli_index *index)
{
    return index->n - index->n_gone >= worth_from(gallery) &&
           (dpli_index_is_approximate(index) || index->head_sum || index->n <= SNAPSHOT_EXACT_TO);
}

/* Where others change the gallery, whoever forgets cannot reach this machine's file: what has gone
   from the rows goes from it now. */
static bool is_worth_saving_again(const dpl_gallery *gallery, const dpli_index *index)
{
    return index->n <= SAVE_ALWAYS_TO || index->n_unsaved > index->n / SAVE_SHARE ||
           (gallery->store->shared && index->n_gone > 0);
}

/* What was saved is then had from the file, whose vectors need not be kept in memory. */
static void save(dpl_gallery *gallery, int space, const char *path, dpli_index *index)
{
    dpli_store *s = gallery->store;
    char identity[DPLI_IDENTITY];
    dpli_index saved;
    int64_t now;
    dpl_error why;

    if (!is_worth_saving(gallery, index))
        return;
    if (dpli_snapshot_write(path, index, s->file_key, &why) != DPL_OK) {
        tell(gallery, space, "could not be saved and is made anew each time");
        return;
    }
    /* Somebody may have been forgotten while this was written. Whoever forgets removes snapshots
       after the commit, so either that finds this file or this finds the commit. */
    if (dpli_snapshot_read(&saved, path, s->file_key, NULL) == DPL_OK) {
        if (saved.generation == index->generation && strcmp(saved.identity, index->identity) == 0) {
            dpli_index_clear(index);
            *index = saved;
        } else {
            dpli_index_clear(&saved);
        }
    }
    if (s->ops->generation(s, &now, identity, NULL) != DPL_OK || now != index->generation)
        unlink(path);
}

/* ------------------------------------------------------------------ freshness */

typedef struct request {
    dpl_gallery *gallery;
    const dpl_head *head;
    dpli_wish wish;
    int space;
    int32_t dim;
    int64_t generation;
    char identity[DPLI_IDENTITY];
} request;

/* Rows added since, one by one from the gallery. */
typedef struct fetch {
    float *to;
    const char *space;
    int32_t dim;
    bool fits;
} fetch;

static dpl_status fetch_row(void *ctx, const dpl_template_row *row)
{
    fetch *f = ctx;

    f->fits = row->dim == f->dim && strcmp(row->space, f->space) == 0;
    for (int32_t i = 0; f->fits && i < f->dim; i++)
        f->to[i] = row->vector[i];
    return DPL_OK;
}

/* What happened to the vectors since an index was made. Ids rise and never come back, so within one
   identity, which a migration changes, the same ids are the same vectors. */
typedef struct changes {
    char *is_gone; /* [index->n] */
    size_t n_gone, n_new;
    bool few; /* so that the index need not be made anew */
} changes;

static dpl_status compare(changes *c, const dpli_vectors *now, const dpli_index *index,
                          dpl_error *err)
{
    size_t at = 0, n_kept = 0;

    *c = (changes){.is_gone = dpli_calloc(index->n, 1, err)};
    if (!c->is_gone)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < index->n; i++) {
        while (at < now->n && now->ids[at] < index->ids[i])
            at++;
        if (at < now->n && now->ids[at] == index->ids[i])
            n_kept++;
        else if (!(index->gone && index->gone[i]))
            c->n_gone += c->is_gone[i] = 1;
    }
    c->n_new = now->n - n_kept;
    /* What is new has come after all that was known. To link it costs as much as in a new graph;
       rows fetched one by one cost more than all at once. */
    c->few = n_kept == index->n - index->n_gone - c->n_gone &&
             (c->n_new == 0 || index->n == 0 ||
              now->ids[now->n - c->n_new] > index->ids[index->n - 1]) &&
             c->n_new + c->n_gone <=
                 index->n / (dpli_index_is_approximate(index) ? GRAPH_SHARE : FEW_SHARE);
    return DPL_OK;
}

/* The vectors that are new. */
static dpl_status fetch_new(float **out, bool *done, const dpli_vectors *now, size_t n_new,
                            const request *r, dpl_error *err)
{
    const size_t dim = (size_t)r->dim;
    float *rows = dpli_alloc(n_new * dim, sizeof *rows, err);

    *out = rows;
    *done = rows != NULL;
    if (!rows)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n_new && *done; i++) {
        fetch f = {rows + i * dim, dpli_spaces[r->space].name, r->dim, 0};

        /* Removed again meanwhile, or damaged: a reading of all will tell. */
        *done = dpl_gallery_get_template(r->gallery, now->ids[now->n - n_new + i], fetch_row, &f,
                                         NULL) == DPL_OK &&
                f.fits;
    }
    return DPL_OK;
}

/* Whose the vectors are now, by their ids; of one that is gone, nobody's. */
static dpl_status take_ids(dpli_index *index, const dpli_vectors *now, size_t n_old, dpl_error *err)
{
    int64_t *ids = dpli_alloc(index->n, sizeof *ids, err);
    int64_t *owners = dpli_calloc(index->n, sizeof *owners, err);
    int64_t *photos = dpli_calloc(index->n, sizeof *photos, err);
    size_t at = 0;

    if (!ids || !owners || !photos) {
        free(ids);
        free(owners);
        free(photos);
        return DPL_E_MEMORY;
    }
    for (size_t i = 0; i < index->n; i++) {
        if (index->gone && index->gone[i]) {
            ids[i] = index->ids[i];
            continue;
        }
        ids[i] = i < n_old ? index->ids[i] : now->ids[at];
        owners[i] = now->owners[at];
        photos[i] = now->photos[at++];
    }
    free(index->ids);
    free(index->owners);
    free(index->photos);
    index->ids = ids;
    index->owners = owners;
    index->photos = photos;
    index->generation = now->generation;
    return DPL_OK;
}

/* Bring an index up to date by what is now. *done 0: it must be made anew, and is of no use if
   anything came or went. */
static dpl_status catch_up(bool *done, dpli_index *index, const changes *c, const dpli_vectors *now,
                           const float *rows, dpl_error *err)
{
    const size_t n_old = index->n;
    dpl_status status = DPL_OK;

    *done = true;
    if (c->n_gone > 0)
        status = dpli_index_take_out(done, index, c->is_gone, c->n_gone, err);
    if (status == DPL_OK && *done && c->n_new > 0)
        status = dpli_index_extend(done, index, rows, c->n_new, err);
    if (status == DPL_OK && *done)
        status = take_ids(index, now, n_old, err);
    return status;
}

static int fits(const dpli_index *index, const request *r)
{
    return index->dim == r->dim && strcmp(index->identity, r->identity) == 0 &&
           dpli_index_serves(index, r->head, r->wish);
}

/* Templates that were touched since an index was made, and what has become of them. */
typedef struct touched {
    const request *request;
    int64_t *ids, *owners,
        *photos; /* [DPLI_TOUCHED_MAX]; a photo 0: it is not there, or of another space */
    size_t n;
    bool too_many, damaged;
} touched;

static dpl_status note_touched(void *ctx, int64_t template_id, dpl_error *err)
{
    touched *t = ctx;

    (void)err;
    t->too_many = t->n == DPLI_TOUCHED_MAX;
    if (t->too_many)
        return DPL_E_CANCELLED;
    t->ids[t->n++] = template_id;
    return DPL_OK;
}

static dpl_status look_at_touched(void *ctx, const dpli_template_record *row, dpl_error *err)
{
    touched *t = ctx;

    (void)err;
    t->damaged |=
        row->vector.owner.person_id && row->vector.owner.sum != dpli_owner_sum(&row->vector.owner);
    if (strcmp(row->space, dpli_spaces[t->request->space].name) == 0) {
        t->owners[t->n] = row->vector.owner.person_id;
        t->photos[t->n] = row->photo.id;
    }
    return DPL_OK;
}

/* What is there now: what the index has, and what has become of what was touched. */
static dpl_status apply_touched(dpli_vectors *now, const dpli_index *index, const touched *t,
                                dpl_error *err)
{
    const size_t n_max = index->n + t->n;
    size_t at = 0;

    now->ids = dpli_alloc(n_max, sizeof *now->ids, err);
    now->owners = dpli_alloc(n_max, sizeof *now->owners, err);
    now->photos = dpli_alloc(n_max, sizeof *now->photos, err);
    if (!now->ids || !now->owners || !now->photos)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < index->n || at < t->n;) {
        const bool is_touched = at < t->n && (i == index->n || t->ids[at] <= index->ids[i]);
        const bool is_old = i < index->n && (!is_touched || t->ids[at] == index->ids[i]);

        if (is_touched ? t->photos[at] != 0 : !(index->gone && index->gone[i])) {
            now->ids[now->n] = is_touched ? t->ids[at] : index->ids[i];
            now->owners[now->n] = is_touched ? t->owners[at] : index->owners[i];
            now->photos[now->n++] = is_touched ? t->photos[at] : index->photos[i];
        }
        at += is_touched;
        i += is_old;
    }
    return DPL_OK;
}

/* From what the store knows of what has changed since. *known 0: all is to be read. */
static dpl_status load_touched(bool *known, dpli_vectors *now, const request *r,
                               const dpli_index *index, dpl_error *err)
{
    dpli_store *s = r->gallery->store;
    char identity[DPLI_IDENTITY];
    touched t = {.request = r};
    const size_t bytes = DPLI_TOUCHED_MAX * sizeof *t.ids;
    bool is_all = false;
    size_t n = 0;
    dpl_status status;

    *known = false;
    if (r->gallery->walking)
        return DPL_OK;
    t.ids = dpli_alloc(1, bytes, err);
    t.owners = dpli_calloc(1, bytes, err);
    t.photos = dpli_calloc(1, bytes, err);
    status = t.ids && t.owners && t.photos ? s->ops->begin(s, false, err) : DPL_E_MEMORY;
    if (status != DPL_OK)
        goto done;
    status = s->ops->generation(s, &now->generation, identity, err);
    if (status == DPL_OK)
        status = s->ops->each_touched(s, &is_all, index->generation, note_touched, &t, err);
    if (t.too_many)
        status = DPL_OK;
    *known = status == DPL_OK && is_all && !t.too_many && strcmp(identity, index->identity) == 0;
    n = t.n;
    for (t.n = 0; t.n < n && *known && status == DPL_OK; t.n++) {
        const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, t.ids[t.n], NULL};

        status = s->ops->each_template(s, &query, look_at_touched, &t, err);
    }
    status = s->ops->end(s, status, err);
    /* A reading of all will tell. */
    *known &= !t.damaged;
    if (status == DPL_OK && *known)
        status = apply_touched(now, index, &t, err);
done:
    free(t.ids);
    free(t.owners);
    free(t.photos);
    return status;
}

/* What came and went, made to what is held. */
static dpl_status bring_up(bool *done, dpli_held **held, const request *r, dpl_error *err)
{
    dpli_vectors now = {0};
    changes c = {0};
    float *rows = NULL;
    bool known;
    dpl_status status = load_touched(&known, &now, r, &(*held)->index, err);

    if (status == DPL_OK && !known)
        status = dpli_gallery_load(&now, r->gallery, dpli_spaces[r->space].name, (*held)->index.dim,
                                   0, err);

    *done = false;
    if (status == DPL_OK)
        status = compare(&c, &now, &(*held)->index, err);
    *done = c.few;
    if (status == DPL_OK && *done && c.n_new > 0)
        status = fetch_new(&rows, done, &now, c.n_new, r, err);
    if (status == DPL_OK && *done) {
        *held = dpli_shelf_claim(r->gallery->shelf, r->space, *held, err);
        status = *held ? catch_up(done, &(*held)->index, &c, &now, rows, err) : DPL_E_MEMORY;
        /* What the store does not know each process would read again. */
        if (status == DPL_OK && *done && !known && !r->gallery->walking)
            (*held)->index.n_unsaved = (*held)->index.n;
    }
    free(rows);
    free(c.is_gone);
    dpli_vectors_clear(&now);
    return status;
}

/* Make what is held fresh if it is of the right gallery and kind and only older, and measure it
   again if much has changed: a claim to it, or a copy, takes its place. *usable 0: it does not
   serve. */
static dpl_status freshen(bool *usable, bool *changed, dpli_held **held, const request *r,
                          dpl_error *err)
{
    dpl_status status = DPL_OK;

    *usable = *changed = false;
    if (!fits(&(*held)->index, r) || (*held)->index.generation > r->generation)
        return DPL_OK;
    *usable = true;
    if ((*held)->index.generation < r->generation) {
        status = bring_up(usable, held, r, err);
        *changed = true;
    }
    if (status == DPL_OK && *usable && dpli_index_is_stale(&(*held)->index)) {
        if (!*changed)
            *held = dpli_shelf_claim(r->gallery->shelf, r->space, *held, err);
        *changed = true;
        status = *held
                     ? dpli_index_retune(usable, &(*held)->index, r->head, r->wish.min_recall, err)
                     : DPL_E_MEMORY;
    }
    *usable = status == DPL_OK && *usable && fits(&(*held)->index, r);
    return status;
}

/* What became of the file: why there must be another. */
typedef enum file_state {
    FILE_USED,
    FILE_MISSING,
    FILE_DAMAGED,
    FILE_OLD,  /* of another generation, or another gallery */
    FILE_OTHER /* fresh, but for another way of searching */
} file_state;

/* *out stays NULL when the file does not serve. */
static dpl_status from_file(file_state *file, dpli_held **out, const char *path, const request *r,
                            dpl_error *err)
{
    dpli_held *held = dpli_shelf_blank(err);
    bool usable, changed;
    dpl_status status;

    if (!held)
        return DPL_E_MEMORY;
    status = dpli_snapshot_read(&held->index, path, r->gallery->store->file_key, NULL);
    *file = status == DPL_E_NOT_FOUND ? FILE_MISSING : FILE_DAMAGED;
    if (status != DPL_OK) {
        status = DPL_OK;
        goto done;
    }
    *file =
        strcmp(held->index.identity, r->identity) == 0 && held->index.generation == r->generation
            ? FILE_OTHER
            : FILE_OLD;
    status = freshen(&usable, &changed, &held, r, err);
    if (status == DPL_OK && usable) {
        if (changed && is_worth_saving_again(r->gallery, &held->index))
            save(r->gallery, r->space, path, &held->index);
        *file = FILE_USED;
        *out = held;
        held = NULL;
    }
done:
    dpli_shelf_release(r->gallery->shelf, held);
    return status;
}

static dpl_status from_rows(dpli_held **out, const request *r, dpl_error *err)
{
    dpli_held *held = dpli_shelf_blank(err);
    dpli_vectors v = {0};
    dpl_status status;

    if (!held)
        return DPL_E_MEMORY;
    status = dpli_gallery_load(&v, r->gallery, dpli_spaces[r->space].name, r->dim, 1, err);
    if (status == DPL_OK)
        status = dpli_index_make(&held->index, &v, r->head, r->wish, err);
    dpli_vectors_clear(&v);
    if (status == DPL_OK) {
        memcpy(held->index.identity, r->identity, sizeof held->index.identity);
        *out = held;
        held = NULL;
    }
    dpli_shelf_release(r->gallery->shelf, held);
    return status;
}

/* From the file or the rows, on the shelf and in the file. */
static dpl_status make(dpli_held **out, const char *path, const request *r, dpl_error *err)
{
    dpl_gallery *gallery = r->gallery;
    file_state file;
    dpl_status status = from_file(&file, out, path, r, err);
    bool bad = file == FILE_DAMAGED || file == FILE_OLD;

    if (status != DPL_OK || file == FILE_USED)
        return status;
    status = from_rows(out, r, err);
    if (status != DPL_OK)
        return status;
    if (bad)
        tell(gallery, r->space,
             file == FILE_OLD ? "was out of date and has been rebuilt from the gallery"
                              : "was damaged and has been rebuilt from the gallery");
    /* The gallery has become too small for a file: the one that is there must not outlive its rows.
     */
    if (bad && (*out)->index.n < worth_from(gallery))
        unlink(path);
    save(gallery, r->space, path, &(*out)->index);
    return DPL_OK;
}

/* What serves the request, held; within the making of one. */
static dpl_status fresh_or_made(dpli_held **out, request *r, dpl_error *err)
{
    dpl_gallery *gallery = r->gallery;
    dpli_store *s = gallery->store;
    char *path = NULL;
    bool usable = false, changed = false;
    /* Others may have made one, of a later generation, while this one waited. */
    dpl_status status = s->ops->generation(s, &r->generation, r->identity, err);

    if (status != DPL_OK)
        return status;
    *out = dpli_shelf_hold(gallery->shelf, r->space);
    if (*out && fits(&(*out)->index, r) && (*out)->index.generation > r->generation) {
        /* This handle is within a walk, and still sees what others have changed: it gets an index
           of its own. */
        dpli_shelf_release(gallery->shelf, *out);
        *out = NULL;
        return from_rows(out, r, err);
    }
    if (*out)
        status = freshen(&usable, &changed, out, r, err);
    if (status == DPL_OK && usable && !changed)
        return DPL_OK;
    if (status == DPL_OK) {
        path = dpli_search_file(gallery, r->space, err);
        if (!path)
            status = DPL_E_MEMORY;
    }
    if (status == DPL_OK && usable) {
        if (is_worth_saving_again(gallery, &(*out)->index))
            save(gallery, r->space, path, &(*out)->index);
    } else {
        dpli_shelf_release(gallery->shelf, *out);
        *out = NULL;
        /* Before there is another, so that memory holds one at a time. */
        dpli_shelf_put(gallery->shelf, r->space, NULL);
        if (status == DPL_OK)
            status = make(out, path, r, err);
    }
    if (status == DPL_OK)
        dpli_shelf_put(gallery->shelf, r->space, *out);
    free(path);
    return status;
}

/* *out is held until it is released. */
static dpl_status fresh_index(dpli_held **out, request *r, dpl_error *err)
{
    dpli_shelf *shelf = r->gallery->shelf;
    dpli_store *s = r->gallery->store;
    dpl_status status = s->ops->generation(s, &r->generation, r->identity, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    *out = dpli_shelf_hold(shelf, r->space);
    if (*out && fits(&(*out)->index, r) && (*out)->index.generation == r->generation)
        return DPL_OK;
    dpli_shelf_release(shelf, *out);
    *out = NULL;
    dpli_shelf_begin_making(shelf);
    status = fresh_or_made(out, r, err);
    dpli_shelf_end_making(shelf);
    return status;
}

/* The same when what was held has turned out damaged. */
static dpl_status remake(dpli_held **out, request *r, dpl_error *err)
{
    dpl_gallery *gallery = r->gallery;
    char *path = dpli_search_file(gallery, r->space, err);
    dpl_status status;

    if (!path)
        return DPL_E_MEMORY;
    dpli_shelf_begin_making(gallery->shelf);
    dpli_shelf_put(gallery->shelf, r->space, NULL);
    unlink(path);
    status = from_rows(out, r, err);
    if (status == DPL_OK) {
        tell(gallery, r->space, "was damaged and has been rebuilt from the gallery");
        save(gallery, r->space, path, &(*out)->index);
        dpli_shelf_put(gallery->shelf, r->space, *out);
    }
    dpli_shelf_end_making(gallery->shelf);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ after a change of much */

void dpli_search_ready(dpl_gallery *gallery, int64_t n_changed)
{
    const dpl_search_options o = DPL_SEARCH_OPTIONS_INIT;
    dpli_store *s = gallery->store;
    char *notice = gallery->notice;

    if (s->shared || gallery->rehearsing || gallery->walking)
        return;
    gallery->notice = NULL;
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        request r = {.gallery = gallery, .wish = {o.exact_up_to, o.min_recall}, .space = i};
        dpli_held *held = NULL;
        dpl_head *head = NULL;
        dpli_bound bound;
        int64_t n;

        if (dpli_bound_model(&bound, gallery, &dpli_spaces[i], NULL) != DPL_OK || !bound.id ||
            !bound.by_cosine || s->ops->n_vectors(s, &n, bound.id, NULL) != DPL_OK ||
            n < (int64_t)worth_from(gallery) || n > o.exact_up_to || n_changed <= n / FEW_SHARE ||
            dpl_head_new(&head, DPL_HEAD_COSINE, bound.dim, NULL, 0, NULL) != DPL_OK)
            continue;
        r.head = head;
        r.dim = bound.dim;
        if (fresh_index(&held, &r, NULL) == DPL_OK)
            dpli_shelf_release(gallery->shelf, held);
        dpl_head_free(head);
    }
    free(gallery->notice); /* nobody has searched: it is of no interest */
    gallery->notice = notice;
}

/* ------------------------------------------------------------------ before any change */

void dpli_search_disown(dpl_gallery *gallery)
{
    dpli_store *s = gallery->store;

    for (int i = 0; i < DPLI_N_SPACES; i++) {
        char *path = dpli_search_file(gallery, i, NULL), identity[DPLI_IDENTITY];
        dpli_index index;
        uint64_t n_bytes;
        int64_t now;

        /* The file first: generations only rise, and others may be writing. */
        if (path && dpli_snapshot_peek(&index, &n_bytes, path, s->file_key, NULL) == DPL_OK &&
            s->ops->generation(s, &now, identity, NULL) == DPL_OK && index.generation > now) {
            unlink(path);
            tell(gallery, i, "was of later than the gallery, and is made anew");
        }
        free(path);
    }
}

/* ------------------------------------------------------------------ after a forgetting, or with
   another key */

/* A file sealed by this key as it is to be now: without what is no longer there, sealed by the
   gallery's. false: it could not be made so. */
static bool take_out_of_file(dpl_gallery *gallery, int space, const char *path, const uint8_t *key)
{
    dpli_store *s = gallery->store;
    char identity[DPLI_IDENTITY];
    dpli_index index = {0};
    dpli_vectors now = {0};
    changes c = {0};
    int64_t generation;
    bool done = false;

    if (dpli_snapshot_read(&index, path, key, NULL) == DPL_OK &&
        s->ops->generation(s, &generation, identity, NULL) == DPL_OK &&
        strcmp(index.identity, identity) == 0 &&
        dpli_gallery_load(&now, gallery, dpli_spaces[space].name, index.dim, 0, NULL) == DPL_OK &&
        compare(&c, &now, &index, NULL) == DPL_OK && c.few && c.n_new == 0)
        done = catch_up(&done, &index, &c, &now, NULL, NULL) == DPL_OK && done &&
               is_worth_saving(gallery, &index) &&
               dpli_snapshot_write(path, &index, s->file_key, NULL) == DPL_OK &&
               /* Others may have forgotten more meanwhile, and this may have taken their file's
                  place. */
               s->ops->generation(s, &generation, identity, NULL) == DPL_OK &&
               generation == index.generation;
    free(c.is_gone);
    dpli_vectors_clear(&now);
    dpli_index_clear(&index);
    return done;
}

/* Of files that were sealed by a key, or if it is not NULL by another. */
static void bring_files_up(dpl_gallery *gallery, const uint8_t *key, const uint8_t *or_key)
{
    dpli_shelf_begin_making(gallery->shelf);
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        char *path = dpli_search_file(gallery, i, NULL);

        dpli_shelf_put(gallery->shelf, i, NULL);
        if (!path)
            unlink_snapshots(gallery->store->folder, false);
        else if (!take_out_of_file(gallery, i, path, key) &&
                 !(or_key && take_out_of_file(gallery, i, path, or_key)))
            unlink(path);
        free(path);
    }
    unlink_snapshots(gallery->store->folder, true);
    dpli_shelf_end_making(gallery->shelf);
}

void dpli_search_scrub(dpl_gallery *gallery)
{
    bring_files_up(gallery, gallery->store->file_key, gallery->store->former_file_key);
}

void dpli_search_reseal(dpl_gallery *gallery, const uint8_t *key)
{
    bring_files_up(gallery, key, NULL);
}

/* ------------------------------------------------------------------ search */

static dpl_status check(int *space, dpl_search_options *options, const dpl_head *head,
                        const char *space_name, const float *probes, size_t n, int32_t dim,
                        const dpl_search_options *theirs, dpl_error *err)
{
    const dpli_space *named;
    dpl_status status;

    *options = (dpl_search_options)DPL_SEARCH_OPTIONS_INIT;
    status = dpli_options(options, sizeof *options, theirs, "search", err);
    if (status != DPL_OK)
        return status;
    status = dpli_space_need(&named, space_name, err);
    if (status != DPL_OK)
        return status;
    *space = dpli_space_number(named);
    if (dpl_head_dim(head) != dim)
        return dpli_fail(err, DPL_E_ARGUMENT, "a head for %d numbers and probes of %d",
                         (int)dpl_head_dim(head), (int)dim);
    if (options->k < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "the %d most alike were asked for", (int)options->k);
    if (options->exact_up_to < 0 || !(options->min_recall > 0 && options->min_recall <= 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "a recall of %g up to %" PRId64 " templates",
                         options->min_recall, options->exact_up_to);
    for (size_t i = 0; i < n; i++) {
        bool zero = 1, finite = true;

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
    dpli_held *held = NULL;
    const dpli_index *index;
    dpli_found *found = NULL;
    dpli_near_info near;
    size_t keep, n_found;
    bool exact, is_near;
    dpl_status status;

    status = check(&r.space, &o, head, space, probes, n, dim, options, err);
    if (status != DPL_OK)
        return status;
    r.wish = (dpli_wish){o.exact_up_to, o.min_recall};
    status = dpli_near_serves(&is_near, &near, gallery, head, space, dim, (size_t)o.k, err);
    if (status == DPL_OK && is_near) {
        status = dpli_near_search(hits, gallery, head, space, &near, probes, n, (size_t)o.k, err);
        if (status == DPL_OK && info)
            *info = (dpl_search_info){false, near.recall, "pgvector", near.n};
    }
    if (status != DPL_OK || is_near)
        return status;
    status = fresh_index(&held, &r, err);
    if (status != DPL_OK)
        return status;
    index = &held->index;
    keep = (size_t)o.k < index->n ? (size_t)o.k : index->n;
    found = dpli_mul(&n_found, n, keep) ? dpli_alloc(n_found, sizeof *found, err) : NULL;
    if (!found) {
        status = DPL_E_MEMORY;
        goto done;
    }
    status = dpli_index_search(found, index, head, probes, n, keep, err);
    if (status == DPL_E_INPUT && index->vectors.n_filed > 0) {
        /* Damaged since it was opened: from the rows again, once. */
        dpli_shelf_release(gallery->shelf, held);
        held = NULL;
        status = remake(&held, &r, err);
        if (status == DPL_OK) {
            index = &held->index;
            keep = keep < index->n ? keep : index->n;
            status = dpli_index_search(found, index, head, probes, n, keep, err);
        }
    }
    if (status != DPL_OK)
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
        exact = !dpli_index_is_approximate(index);
        *info = (dpl_search_info){exact, exact ? 1.0 : index->recall, exact ? "flat" : "hnsw",
                                  (int64_t)(index->n - index->n_gone)};
    }
done:
    free(found);
    dpli_shelf_release(gallery->shelf, held);
    return status;
}

dpl_status dpl_gallery_index(dpl_index_info *out, dpl_gallery *gallery, const char *space,
                             dpl_error *err)
{
    const dpli_space *named;
    dpli_index index;
    uint64_t n_bytes;
    dpl_status status = dpli_space_need(&named, space, err);
    char *path;

    *out = (dpl_index_info){0};
    if (status != DPL_OK)
        return status;
    path = dpli_search_file(gallery, dpli_space_number(named), err);
    if (!path)
        return DPL_E_MEMORY;
    status = dpli_snapshot_peek(&index, &n_bytes, path, gallery->store->file_key, err);
    free(path);
    if (status != DPL_OK)
        return status;
    *out = (dpl_index_info){.n_templates = (int64_t)index.n,
                            .n_bytes = (int64_t)n_bytes,
                            .exact = !dpli_index_is_approximate(&index),
                            .recall = 1};
    if (!out->exact) {
        out->recall = index.recall;
        out->n_kept = (int64_t)index.width;
    }
    out->exact_is_faster = out->exact && index.head_sum != 0;
    if (index.head_sum != 0) {
        out->search_ms = out->exact ? index.exact_ms : index.search_ms;
        out->exact_ms = index.exact_ms;
    }
    return DPL_OK;
}
