/*
 * migrate.c - a gallery's vectors made anew by another model.
 *
 * Photos are gone through in chunks, in parallel: read again where the file has the content that
 * was enrolled, else the thumbnails are encoded. What comes of it is staged beside the gallery
 * (staged.h), so that a kill costs a chunk. When nothing is missing, one transaction puts all of it
 * under the templates' own ids; so all that refers to a template holds on to it, and the gallery is
 * never of two models. The decisions that change are told by migrate_changes.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "index/calibration.h"
#include "index/gallery.h"
#include "index/migrate.h"
#include "index/pipeline.h"
#include "index/source.h"
#include "vision/encoder.h"
#include "vision/face/look.h"

enum { CHUNK = 32 };

/* Boxes that overlap more, intersection over union, are of one face: as when a photo is put again.
 */
#define SAME_FACE 0.5F

/* A template that is to be made anew. */
typedef struct remake {
    int64_t id;
    uint64_t old_sum;
    int space;
    bool has_face;   /* where it was taken from is known */
    bool is_damaged; /* what is kept of its face is not what was written */
    dpl_face face;
    uint8_t *thumb; /* NULL: none that can be used */
    size_t n_thumb;
    bool staged; /* by a run before */
    /* What a worker made of it: */
    float *vector; /* NULL: nothing */
    bool from_thumb, has_moved;
    dpl_face found;
} remake;

typedef struct item {
    int64_t photo_id;
    char *path; /* NULL: its row is damaged */
    char sha256[65];
    bool marked; /* its vectors are from thumbnails */
    remake *remakes;
    size_t n, cap;
    dpl_error why; /* not of the photo; message "": of it */
} item;

/* A photo, and whether its vectors are from thumbnails. */
typedef struct known {
    int64_t id;
    bool marked;
} known;

typedef struct job {
    dpl_gallery *gallery;
    const dpl_pipeline *pipeline;
    const dpl_migrate_options *options;
    dpl_migrate_report *report;
    const dpl_encoder *encoders[DPLI_N_SPACES]; /* NULL: none for that space */
    bool changes[DPLI_N_SPACES];                /* its model is another */
    bool changes_any;
    char *old_hash; /* of the pipeline's own space; NULL: none */
    dpli_staged *staged;
    known *photos; /* by id */
    size_t n_photos, cap_photos;
    int64_t n_here, n_gone; /* enrolled photos' files */
    int64_t n_templates;    /* in the spaces that change */
    int64_t *lost;          /* templates */
    size_t n_lost, cap_lost;
    char first_lost[256];
    dpl_scratch **scratches;
    int n_threads;
    item items[CHUNK];
    size_t n_items;
    int64_t n_done;
} job;

static bool cancelled(const job *j)
{
    return dpli_cancelled(j->options->cancel);
}

/* ------------------------------------------------------------------ what there is to do */

static dpl_status check_space(job *j, int space, dpl_error *err)
{
    const dpl_encoder *encoder = j->encoders[space];
    dpli_store *s = j->gallery->store;
    char *hash = NULL;
    bool any;
    dpl_status status;

    /* Not of the photos' files: the model of sentences stays. */
    if (dpli_spaces[space].is_text)
        return DPL_OK;
    status = s->ops->has_templates(s, &any, dpli_spaces[space].name, err);
    if (status == DPL_OK && any && !encoder)
        status = dpli_fail(err, DPL_E_MISMATCH,
                           "gallery \"%s\" holds %s vectors, and there is no %s model to make them "
                           "anew%s",
                           j->gallery->dir, dpli_spaces[space].name, dpli_spaces[space].name,
                           space == DPLI_IMAGE_SPACE ? " (--image-model)" : " (--model)");
    if (status == DPL_OK)
        status = dpli_bound_hash(&hash, j->gallery, dpli_spaces[space].name, err);
    if (status == DPL_OK && any && (!hash || strcmp(hash, dpl_encoder_hash(encoder)) != 0))
        j->changes[space] = j->changes_any = true;
    if (encoder && encoder == dpl_pipeline_encoder(j->pipeline)) {
        j->old_hash = hash;
        hash = NULL;
    }
    free(hash);
    return status;
}

/* Another way of finding faces would be another gallery. */
static dpl_status check_detect(const job *j, dpl_error *err)
{
    const char *now = dpl_pipeline_detector(j->pipeline) ? "faces" : "none";
    dpli_store *s = j->gallery->store;
    char *detect = NULL;
    dpl_status status = s->ops->setting(s, &detect, "detect", err);

    if (status == DPL_OK && detect && strcmp(detect, now) != 0)
        status = dpli_fail(err, DPL_E_MISMATCH,
                           "gallery \"%s\" was made with detect \"%.100s\", not \"%s\"",
                           j->gallery->dir, detect, now);
    free(detect);
    return status;
}

static dpl_status check_spaces(job *j, dpl_error *err)
{
    const dpl_encoder *const encoders[] = {dpl_pipeline_image_encoder(j->pipeline),
                                           dpl_pipeline_encoder(j->pipeline)};
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < 2; i++) {
        const dpli_space *space =
            encoders[i] ? dpli_space_find(dpl_encoder_space(encoders[i])) : NULL;

        if (space)
            j->encoders[dpli_space_number(space)] = encoders[i];
    }
    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++)
        status = check_space(j, i, err);
    return status == DPL_OK ? check_detect(j, err) : status;
}

static dpl_status see_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    job *j = ctx;
    const known k = {r->id, dpli_is_from_thumbnail(r->options)};
    char *path = NULL;
    struct stat st;
    known *photos;

    if (!j->changes_any && !k.marked)
        return DPL_OK;
    photos = dpli_grow(j->photos, &j->cap_photos, j->n_photos + 1, sizeof *photos, err);
    if (!photos)
        return DPL_E_MEMORY;
    j->photos = photos;
    photos[j->n_photos++] = k;
    if (r->status != DPL_OK || dpli_source_shown(&path, r->uri, NULL) != DPL_OK)
        return DPL_OK;
    if (dpli_source_is_file(path) && stat(path, &st) == 0)
        j->n_here++;
    else
        j->n_gone++;
    free(path);
    return DPL_OK;
}

static dpl_status find_work(job *j, dpl_error *err)
{
    static const dpli_photo_query all = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    dpli_store *s = j->gallery->store;
    dpli_counts counts;
    dpl_status status = s->ops->each_photo(s, &all, see_photo, j, err);

    if (status == DPL_OK)
        status = s->ops->count(s, &counts, err);
    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++)
        j->n_templates += j->changes[i] ? counts.n_templates[i] : 0;
    return status;
}

/* A disk that is not there looks like photos that are gone; of their thumbnails less can be told.
 */
static dpl_status check_absence(const job *j, dpl_error *err)
{
    if (!j->changes_any || j->options->from_thumbnails || j->n_gone <= j->n_here)
        return DPL_OK;
    return dpli_fail(err, DPL_E_INPUT,
                     "of the %lld photos of gallery \"%s\" %lld are not where they were: is their "
                     "disk there? --from-thumbnails makes their vectors from the thumbnails",
                     (long long)(j->n_gone + j->n_here), j->gallery->dir, (long long)j->n_gone);
}

/* What is staged, and what the transaction writes: the pages of all vectors into the log, and from
   there into the database, which longer ones make grow. */
static dpl_status check_disk(const job *j, dpl_error *err)
{
    const uint64_t slack = 16 << 20;
    uint64_t row = 0, need;
    struct statvfs fs;

    for (int i = 0; i < DPLI_N_SPACES; i++)
        if (j->changes[i] && dpli_staged_row_bytes(dpl_encoder_dim(j->encoders[i])) > row)
            row = dpli_staged_row_bytes(dpl_encoder_dim(j->encoders[i]));
    need = (uint64_t)j->n_templates * row * 3 + slack;
    if (statvfs(j->gallery->store->folder, &fs) != 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot ask for the room in \"%s\"",
                               j->gallery->dir);
    if ((uint64_t)fs.f_bavail * fs.f_frsize >= need)
        return DPL_OK;
    return dpli_fail(
        err, DPL_E_SYSTEM, "no room in \"%s\": %llu MB are free, and %llu MB are needed meanwhile",
        j->gallery->dir, (unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize / 1000000),
        (unsigned long long)(need / 1000000));
}

static dpl_status open_staged(job *j, dpl_error *err)
{
    dpli_store *s = j->gallery->store;
    dpli_staged_key key = {"", {""}, {0}};
    int64_t generation;
    dpl_status status = s->ops->generation(s, &generation, key.identity, err);

    for (int i = 0; i < DPLI_N_SPACES; i++)
        if (j->encoders[i]) {
            snprintf(key.hash[i], sizeof key.hash[i], "%s", dpl_encoder_hash(j->encoders[i]));
            key.dim[i] = dpl_encoder_dim(j->encoders[i]);
        }
    return status == DPL_OK ? dpli_staged_open(&j->staged, s->folder, &key, s->file_key, err)
                            : status;
}

/* ------------------------------------------------------------------ a chunk from the gallery */

struct loading {
    job *j;
    item *it;
};

static dpl_status load_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    const struct loading *l = ctx;
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_photo_checked(&l->it->path, l->j->gallery, r, &why);

    if (status == DPL_E_MEMORY)
        return dpli_fail(err, status, "%s", why.message);
    if (status != DPL_OK)
        dpli_fail(&l->it->why, status, "its row is damaged (doppel check --repair)");
    l->it->marked = dpli_is_from_thumbnail(r->options);
    snprintf(l->it->sha256, sizeof l->it->sha256, "%s", r->sha256);
    return DPL_OK;
}

static dpl_status load_template(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    const struct loading *l = ctx;
    const dpli_space *named = dpli_space_find(r->space);
    const int space = named ? dpli_space_number(named) : DPLI_N_SPACES;
    item *it = l->it;
    dpli_staged_row row;
    remake *grown, *m;
    size_t at;

    if (!named || !l->j->encoders[space])
        return DPL_OK;
    if (!l->j->changes[space] &&
        !(it->marked && l->j->encoders[space] == dpl_pipeline_encoder(l->j->pipeline)))
        return DPL_OK;
    grown = dpli_grow(it->remakes, &it->cap, it->n + 1, sizeof *grown, err);
    if (!grown)
        return DPL_E_MEMORY;
    it->remakes = grown;
    m = &grown[it->n++];
    *m = (remake){.id = r->vector.id, .old_sum = r->vector.sum, .space = space};
    if (dpli_staged_find(&at, l->j->staged, m->id) &&
        dpli_staged_read(&row, l->j->staged, at, NULL) == DPL_OK && row.old_sum == m->old_sum) {
        m->staged = true;
        m->from_thumb = row.from_thumb;
        return DPL_OK;
    }
    if (r->has_face) {
        m->is_damaged = r->face_sum != dpli_face_sum(m->id, r->face, r->weakest);
        m->has_face = !m->is_damaged;
        for (int i = 0; i < DPLI_N_FACE; i++)
            *dpli_face_at(&m->face, i) = (float)r->face[i];
        snprintf(m->face.quality.weakest, sizeof m->face.quality.weakest, "%s", r->weakest);
    }
    if (!r->thumb || r->thumb_sum != dpli_thumb_sum(m->id, r->thumb, r->n_thumb))
        return DPL_OK;
    m->thumb = dpli_alloc(r->n_thumb, 1, err);
    if (!m->thumb)
        return DPL_E_MEMORY;
    memcpy(m->thumb, r->thumb, r->n_thumb);
    m->n_thumb = r->n_thumb;
    return DPL_OK;
}

static dpl_status load_item(job *j, item *it, int64_t photo_id, dpl_error *err)
{
    const dpli_photo_query photo = {DPLI_PHOTO_BY_ID, NULL, photo_id};
    const dpli_template_query templates = {DPLI_TEMPLATES_IN, photo_id, NULL};
    struct loading l = {j, it};
    dpli_store *s = j->gallery->store;
    dpl_status status;

    *it = (item){.photo_id = photo_id};
    status = s->ops->each_photo(s, &photo, load_photo, &l, err);
    return status == DPL_OK ? s->ops->each_template(s, &templates, load_template, &l, err) : status;
}

static void clear_item(item *it)
{
    for (size_t i = 0; i < it->n; i++) {
        free(it->remakes[i].thumb);
        free(it->remakes[i].vector);
    }
    free(it->remakes);
    free(it->path);
    *it = (item){0};
}

/* ------------------------------------------------------------------ a photo */

static dpl_status keep_vector(remake *m, const float *vector, const dpl_encoder *encoder,
                              dpl_error *err)
{
    const size_t dim = (size_t)dpl_encoder_dim(encoder);

    m->vector = dpli_alloc(dim, sizeof *m->vector, err);
    if (!m->vector)
        return DPL_E_MEMORY;
    memcpy(m->vector, vector, dim * sizeof *vector);
    return DPL_OK;
}

/* A chip cut out of an image where a face is, or with face NULL all of it, encoded. */
static dpl_status encode_chip(remake *m, const dpl_encoder *encoder, dpl_scratch *scratch,
                              const dpl_image *image, const dpl_face *face, dpl_error *err)
{
    uint8_t *chip = dpli_alloc(dpli_chip_bytes(encoder), 1, err);
    float *vector = chip ? dpli_alloc((size_t)dpl_encoder_dim(encoder), sizeof *vector, err) : NULL;
    dpl_face where = face ? *face : (dpl_face){0};
    dpl_status status = DPL_E_MEMORY;

    if (vector)
        status = face ? dpl_align(chip, &where, encoder, image, err)
                      : dpl_whole_chip(chip, encoder, image, err);
    if (status == DPL_OK)
        status = dpl_encode(vector, encoder, scratch, chip, 1, err);
    free(chip);
    if (status == DPL_OK)
        m->vector = vector;
    else
        free(vector);
    return status;
}

/* The face of a photo that covers most of the template's; NULL when it is not clear that one does.
 */
static const dpl_face *same_face(const dpl_photo *photo, const item *it, const remake *m)
{
    const dpl_face *best = NULL;
    float most = SAME_FACE;

    /* Nothing says where it was: then it is the only one. */
    if (!m->has_face)
        return !m->is_damaged && photo->n_faces == 1 && it->n == 1 ? &photo->faces[0] : NULL;
    for (size_t i = 0; i < photo->n_faces; i++) {
        const float o = dpli_overlap(&m->face, &photo->faces[i]);

        if (o > most) {
            most = o;
            best = &photo->faces[i];
        }
    }
    return best;
}

static bool is_same_place(const dpl_face *a, const dpl_face *b)
{
    dpl_face x = *a, y = *b;
    bool same = strcmp(x.quality.weakest, y.quality.weakest) == 0;

    for (int i = 0; i < DPLI_N_FACE; i++)
        same &= *dpli_face_at(&x, i) == *dpli_face_at(&y, i);
    return same;
}

static dpl_status from_photo(const job *j, const item *it, remake *m, const dpl_photo *photo,
                             dpl_scratch *scratch, dpl_error *err)
{
    const dpl_encoder *encoder = j->encoders[m->space];
    const dpl_face *face;
    dpl_status status;

    if (encoder != dpl_pipeline_encoder(j->pipeline))
        return keep_vector(m, photo->image_vector, encoder, err);
    face = same_face(photo, it, m);
    if (face) {
        m->found = *face;
        m->has_moved = !is_same_place(face, &m->face);
        return keep_vector(
            m, photo->vectors + (face - photo->faces) * (ptrdiff_t)dpl_encoder_dim(encoder),
            encoder, err);
    }
    if (!m->has_face)
        return DPL_OK;
    /* Not found any more, and still there. */
    status = encode_chip(m, encoder, scratch, &photo->image, &m->face, err);
    return status == DPL_E_INPUT || status == DPL_E_NUMERIC ? DPL_OK : status;
}

/* A thumbnail is a portrait, or where there are no landmarks the chip. */
static dpl_status from_thumb(const job *j, remake *m, dpl_scratch *scratch, dpl_error *err)
{
    const dpl_encoder *encoder = j->encoders[m->space];
    const size_t held = dpli_pipeline_begin(j->pipeline, scratch, m->thumb, m->n_thumb);
    dpl_face face = m->face;
    dpl_image image = DPL_IMAGE_INIT;
    bool is_portrait = false;
    dpl_status status =
        dpl_image_decode(&image, m->thumb, m->n_thumb, dpli_pipeline_decode(j->pipeline), err);

    if (status == DPL_OK && m->has_face &&
        dpli_portrait_landmarks(face.landmarks, &m->face, image.width_px, NULL) == DPL_OK) {
        is_portrait = image.height_px == image.width_px * 5 / 4;
        if (!is_portrait)
            status = dpli_fail(err, DPL_E_INPUT, "its thumbnail does not say where the face is");
    }
    if (status == DPL_OK)
        status = encode_chip(m, encoder, scratch, &image, is_portrait ? &face : NULL, err);
    dpl_image_clear(&image);
    dpli_pipeline_end(j->pipeline, scratch, held);
    m->from_thumb = status == DPL_OK;
    return status;
}

/* What was enrolled of the photo, read again: its status is the photo's. */
static dpl_status read_photo(const job *j, item *it, dpl_scratch *scratch, dpl_error *err)
{
    dpl_photo photo = DPL_PHOTO_INIT;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0, claim = 0;
    char sha256[65] = "";
    bool claims = false;
    dpl_status status;

    if (!dpli_source_is_file(it->path))
        return dpli_fail(err, DPL_E_INPUT, "it was no file");
    status = dpli_photo_read(&bytes, &n_bytes, sha256, j->pipeline, it->path, err);
    if (status == DPL_OK && strcmp(sha256, it->sha256) != 0)
        status = dpli_fail(err, DPL_E_INPUT, "its content is another");
    claims = status == DPL_OK;
    if (claims)
        status = dpli_photo_process(&photo, &claim, j->pipeline, scratch, bytes, n_bytes, err);
    dpli_photo_unread(bytes, n_bytes, j->pipeline);
    for (size_t i = 0; i < it->n && status == DPL_OK; i++)
        if (!it->remakes[i].staged)
            status = from_photo(j, it, &it->remakes[i], &photo, scratch, err);
    dpl_photo_clear(&photo);
    if (claims)
        dpli_pipeline_end(j->pipeline, scratch, claim);
    return status;
}

static dpl_status remake_photo(void *ctx, int worker, size_t index, dpl_error *err)
{
    job *j = ctx;
    item *it = &j->items[index];
    dpl_scratch *scratch = j->scratches[worker];
    bool any = false;
    dpl_status status;

    for (size_t i = 0; i < it->n; i++)
        any |= !it->remakes[i].staged;
    if (!any || !it->path || cancelled(j))
        return DPL_OK;
    status = read_photo(j, it, scratch, &it->why);
    for (size_t i = 0; i < it->n && !dpli_stops_the_run(status); i++) {
        remake *m = &it->remakes[i];
        dpl_error why = {DPL_OK, ""};

        /* One that was made from a thumbnail by this model already is not made from it again. */
        if (m->staged || m->vector || !j->changes[m->space] || !m->thumb)
            continue;
        status = from_thumb(j, m, scratch, &why);
        if (status != DPL_OK)
            it->why = why;
    }
    if (!dpli_stops_the_run(status))
        return DPL_OK;
    *err = it->why;
    return dpli_fail_in(err, status, it->path);
}

/* ------------------------------------------------------------------ a chunk staged */

static dpl_status keep_lost(job *j, const item *it, const remake *m, dpl_error *err)
{
    int64_t *lost = dpli_grow(j->lost, &j->cap_lost, j->n_lost + 1, sizeof *lost, err);

    if (!lost)
        return DPL_E_MEMORY;
    j->lost = lost;
    lost[j->n_lost++] = m->id;
    if (!j->first_lost[0])
        snprintf(j->first_lost, sizeof j->first_lost, "\"%.150s\": %.90s",
                 it->path ? it->path : "a photo", it->why.message);
    return DPL_OK;
}

static dpl_status stage_item(job *j, item *it, dpl_error *err)
{
    dpl_migrate_event event = {.photo = it->path ? it->path : "", .earlier = true};
    dpl_migrate_report *r = j->report;
    bool any = false;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < it->n && status == DPL_OK; i++) {
        const remake *m = &it->remakes[i];
        dpl_migrate_from from = m->from_thumb ? DPL_MIGRATE_THUMBNAIL : DPL_MIGRATE_PHOTO;

        if (m->vector) {
            const dpli_staged_row row = {m->id,         it->photo_id, m->old_sum, m->space,
                                         m->from_thumb, m->has_moved, m->found,   m->vector};

            status = dpli_staged_add(j->staged, &row, err);
        } else if (!m->staged && !j->changes[m->space]) {
            continue; /* it stays as it is, from the thumbnail */
        } else if (!m->staged) {
            from = DPL_MIGRATE_LOST;
            if (!it->why.message[0])
                dpli_fail(&it->why, DPL_OK, "the face is not found, nor is it known where it was");
            status = keep_lost(j, it, m, err);
        }
        any = true;
        r->n_earlier += m->staged;
        event.earlier &= m->staged;
        event.from = from > event.from ? from : event.from;
        r->n_from_photo += from == DPL_MIGRATE_PHOTO;
        r->n_from_thumbnail += from == DPL_MIGRATE_THUMBNAIL;
        r->n_lost += from == DPL_MIGRATE_LOST;
    }
    r->n_photos += any;
    if (status != DPL_OK || !any || !j->options->on_event)
        return status;
    event.message = event.from == DPL_MIGRATE_PHOTO ? "" : it->why.message;
    event.n_done = j->n_done;
    event.n_total = (int64_t)j->n_photos;
    j->options->on_event(j->options->ctx, &event);
    return DPL_OK;
}

static dpl_status do_chunk(job *j, size_t first, dpl_error *err)
{
    const size_t left = j->n_photos - first;
    dpl_status status = DPL_OK;

    j->n_items = 0;
    for (size_t i = 0; i < CHUNK && i < left && status == DPL_OK; i++) {
        status = load_item(j, &j->items[i], j->photos[first + i].id, err);
        j->n_items++;
    }
    if (status == DPL_OK)
        status = dpli_pool_run(j->n_threads, j->n_items, remake_photo, j, err);
    for (size_t i = 0; i < j->n_items; i++) {
        /* What a worker did not come to is not lost. */
        if (status == DPL_OK && !cancelled(j)) {
            j->n_done++;
            status = stage_item(j, &j->items[i], err);
        }
        clear_item(&j->items[i]);
    }
    return status;
}

static dpl_status make_all(job *j, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t first = 0; first < j->n_photos && status == DPL_OK && !cancelled(j); first += CHUNK)
        status = do_chunk(j, first, err);
    if (status == DPL_OK && cancelled(j))
        status = dpli_fail(err, DPL_E_CANCELLED,
                           "interrupted after %lld of %zu photos; what was made is kept, and the "
                           "gallery is as it was; run it again to go on",
                           (long long)j->n_done, j->n_photos);
    return status;
}

/* ------------------------------------------------------------------ into the gallery */

/* Which of what is staged is of a vector that is still there; and what is missing. */
typedef struct finding {
    job *j;
    bool *live; /* [staged n] */
    size_t n_missing;
    bool must; /* all of this space have to be there */
} finding;

static dpl_status find_live(void *ctx, const dpli_vector_record *r, dpl_error *err)
{
    finding *f = ctx;
    dpli_staged_row row = {0};
    dpl_status status;
    size_t at;

    if (!dpli_staged_find(&at, f->j->staged, r->id)) {
        f->n_missing += f->must;
        return DPL_OK;
    }
    status = dpli_staged_read(&row, f->j->staged, at, err);
    if (status != DPL_OK)
        return status;
    f->live[at] = row.old_sum == r->sum;
    f->n_missing += f->must && !f->live[at];
    return DPL_OK;
}

static dpl_status find_all_live(finding *f, dpl_error *err)
{
    dpli_store *s = f->j->gallery->store;
    dpl_status status = DPL_OK;

    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++) {
        dpli_bound bound = {0};

        if (!f->j->encoders[i])
            continue;
        status = dpli_bound_model(&bound, f->j->gallery, &dpli_spaces[i], err);
        f->must = f->j->changes[i];
        if (status == DPL_OK && bound.id)
            status = s->ops->each_vector(s, bound.id, true, find_live, f, err);
    }
    return status;
}

/* Photos whose rows are to say, or to say no more, that they are from thumbnails. */
typedef struct marking {
    int64_t *thumb, *photo;
    size_t n_thumb, cap_thumb, n_photo, cap_photo;
} marking;

static dpl_status add_id(int64_t **ids, size_t *n, size_t *cap, int64_t id, dpl_error *err)
{
    int64_t *grown;

    if (*n > 0 && (*ids)[*n - 1] == id)
        return DPL_OK;
    grown = dpli_grow(*ids, cap, *n + 1, sizeof *grown, err);
    if (!grown)
        return DPL_E_MEMORY;
    *ids = grown;
    grown[(*n)++] = id;
    return DPL_OK;
}

static int by_id(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static bool was_marked(const job *j, int64_t photo_id)
{
    const known *k = j->n_photos > 0
                         ? bsearch(&photo_id, j->photos, j->n_photos, sizeof *j->photos, by_id)
                         : NULL;

    return k && k->marked;
}

static dpl_status mark_photos(const job *j, marking *m, dpl_error *err)
{
    dpl_status status = DPL_OK;

    if (m->n_thumb > 0)
        qsort(m->thumb, m->n_thumb, sizeof *m->thumb, by_id);
    for (size_t i = 0; i < m->n_photo && status == DPL_OK; i++)
        if (was_marked(j, m->photo[i]) &&
            !(m->n_thumb > 0 &&
              bsearch(&m->photo[i], m->thumb, m->n_thumb, sizeof *m->thumb, by_id)))
            status = dpli_mark_photo(j->gallery, m->photo[i], false, err);
    for (size_t i = 0; i < m->n_thumb && status == DPL_OK; i++)
        status = dpli_mark_photo(j->gallery, m->thumb[i], true, err);
    return status;
}

static dpl_status put_row(const job *j, const dpli_staged_row *row, int64_t model_id,
                          dpl_error *err)
{
    dpli_store *s = j->gallery->store;
    dpli_vector_record r = {
        .id = row->template_id,
        .photo_id = row->photo_id,
        .model_id = model_id,
        .bytes = row->vector,
        .n_bytes = (size_t)dpl_encoder_dim(j->encoders[row->space]) * sizeof *row->vector,
    };
    double numbers[DPLI_N_FACE];
    dpl_face face = row->face;
    dpl_status status;

    r.sum = dpli_vector_sum(&r);
    status = s->ops->set_vector(s, &r, err);
    if (status != DPL_OK || !row->has_face)
        return status;
    for (int i = 0; i < DPLI_N_FACE; i++)
        numbers[i] = (double)*dpli_face_at(&face, i);
    return s->ops->set_face(s, r.id, numbers, face.quality.weakest,
                            dpli_face_sum(r.id, numbers, face.quality.weakest), err);
}

static dpl_status put_rows(const job *j, const bool *live, const int64_t model_ids[DPLI_N_SPACES],
                           dpl_error *err)
{
    const size_t n = dpli_staged_n(j->staged);
    marking m = {0};
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        dpli_staged_row row;

        if (!live[i])
            continue;
        status = dpli_staged_read(&row, j->staged, i, err);
        if (status == DPL_OK)
            status = put_row(j, &row, model_ids[row.space], err);
        if (status == DPL_OK)
            status = row.from_thumb ? add_id(&m.thumb, &m.n_thumb, &m.cap_thumb, row.photo_id, err)
                                    : add_id(&m.photo, &m.n_photo, &m.cap_photo, row.photo_id, err);
    }
    if (status == DPL_OK)
        status = mark_photos(j, &m, err);
    free(m.thumb);
    free(m.photo);
    return status;
}

/* What can be had no more goes; a photo of which nothing is left is to be enrolled again. */
struct left {
    bool any, is_enrolled;
};

static dpl_status see_left(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    (void)r, (void)err;
    ((struct left *)ctx)->any = true;
    return DPL_OK;
}

static dpl_status see_enrolled(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    (void)err;
    ((struct left *)ctx)->is_enrolled = r->status == DPL_OK;
    return DPL_OK;
}

static dpl_status keep_photo_id(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    (void)err;
    *(int64_t *)ctx = r->vector.photo_id;
    return DPL_OK;
}

static dpl_status drop_lost(const job *j, dpl_error *err)
{
    dpli_store *s = j->gallery->store;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < j->n_lost && status == DPL_OK; i++) {
        const dpli_template_query template = {DPLI_TEMPLATE_BY_ID, j->lost[i], NULL};
        struct left left = {false, false};
        int64_t photo_id = 0;

        status = s->ops->each_template(s, &template, keep_photo_id, &photo_id, err);
        if (status == DPL_OK)
            status = s->ops->drop_template(s, j->lost[i], err);
        const dpli_template_query others = {DPLI_TEMPLATES_IN, photo_id, NULL};
        const dpli_photo_query photo = {DPLI_PHOTO_BY_ID, NULL, photo_id};

        if (status == DPL_OK)
            status = s->ops->each_template(s, &others, see_left, &left, err);
        if (status == DPL_OK)
            status = s->ops->each_photo(s, &photo, see_enrolled, &left, err);
        if (status == DPL_OK && !left.any && left.is_enrolled)
            status = s->ops->drop_photo(s, photo_id, err);
    }
    return status == DPL_OK && j->n_lost > 0 ? s->ops->drop_lonely(s, err) : status;
}

static dpl_status put_inside(job *j, const char *words, dpl_error *err)
{
    const size_t n = dpli_staged_n(j->staged);
    finding f = {.j = j, .live = dpli_calloc(n + 1, sizeof *f.live, err)};
    int64_t model_ids[DPLI_N_SPACES] = {0};
    char facts[96];
    dpli_store *s = j->gallery->store;
    dpl_status status = f.live ? find_all_live(&f, err) : DPL_E_MEMORY;

    snprintf(facts, sizeof facts, "{\"templates_changed\":%zu,\"templates_removed\":%zu}", n,
             (size_t)j->n_lost);
    if (status == DPL_OK && f.n_missing != j->n_lost)
        status = dpli_fail(err, DPL_E_BUG, "%zu templates were not made anew", f.n_missing);
    if (status == DPL_OK)
        status = dpli_end_log(j->gallery, words, facts, err);
    if (status == DPL_OK)
        status = drop_lost(j, err);
    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++) {
        dpli_bound bound = {0};

        if (j->changes[i])
            status = dpli_rebind_inside(&model_ids[i], j->gallery, j->encoders[i], err);
        else if (j->encoders[i]) {
            status = dpli_bound_model(&bound, j->gallery, &dpli_spaces[i], err);
            model_ids[i] = bound.id;
        }
    }
    if (status == DPL_OK)
        status = put_rows(j, f.live, model_ids, err);
    if (status == DPL_OK)
        status = s->ops->change_identity(s, err);
    if (status == DPL_OK)
        status = s->ops->touch(s, err);
    free(f.live);
    return status;
}

/* All of it in one transaction. Bytes of the former vectors stay in the log until it is emptied, as
   those of any photo that was put again do. */
static dpl_status put_all(job *j, dpl_error *err)
{
    const char *name = dpl_encoder_fact(dpl_pipeline_encoder(j->pipeline), "name");
    char *words = dpli_asprintf(err, "migrate to \"%.200s\"", name ? name : "");
    dpli_store *s = j->gallery->store;
    dpl_status status = words ? s->ops->begin(s, true, err) : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = dpli_end_change(j->gallery, put_inside(j, words, err), err);
    free(words);
    return status;
}

/* ------------------------------------------------------------------ afterwards */

/* A calibration beside the gallery that is not of its model would be refused. */
static dpl_status set_calibration_aside(job *j, dpl_error *err)
{
    dpl_calibration *calibration = NULL;
    uint8_t *bytes = NULL;
    char *path = NULL, *aside = NULL;
    const char *model = "", *new_hash = dpl_encoder_hash(dpl_pipeline_encoder(j->pipeline));
    dpli_store *s = j->gallery->store;
    size_t n;
    dpl_status status = dpl_gallery_calibration(&path, j->gallery, err);

    if (status != DPL_OK || !path)
        return status;
    status = dpli_file_read(&bytes, &n, path, DPLI_CALIBRATION_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpl_calibration_parse(&calibration, (const char *)bytes, err);
    if (status == DPL_E_MEMORY)
        goto done;
    if (status == DPL_OK) /* else it is none, and would be refused */
        model = calibration->model;
    status = DPL_OK;
    /* One that does not say whose it is, is of the model that it lay beside. */
    if (model[0] ? strcmp(model, new_hash) == 0 : !j->changes_any)
        goto done;
    snprintf(j->report->set_aside, sizeof j->report->set_aside, "calibration-%.12s.json",
             model[0]      ? model
             : j->old_hash ? j->old_hash
                           : "former");
    aside = dpli_asprintf(err, "%s/%s", s->folder, j->report->set_aside);
    if (!aside) {
        status = DPL_E_MEMORY;
    } else if (s->ops->set_beside) {
        status = s->ops->set_beside(s, j->report->set_aside, bytes, n, err);
        if (status == DPL_OK)
            status = s->ops->set_beside(s, DPLI_CALIBRATION_FILE, NULL, 0, err);
    } else if (rename(path, aside) != 0) {
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot rename \"%s\"", path);
        j->report->set_aside[0] = '\0';
    }
done:
    free(aside);
    free(bytes);
    dpl_calibration_free(calibration);
    dpl_bytes_free(path);
    return status;
}

/* ------------------------------------------------------------------ the whole */

static dpl_status make_scratches(job *j, dpl_error *err)
{
    dpl_status status = DPL_OK;

    j->n_threads = j->options->n_threads > 0 ? j->options->n_threads : dpli_n_cores();
    j->scratches = dpli_calloc((size_t)j->n_threads, sizeof *j->scratches, err);
    if (!j->scratches)
        return DPL_E_MEMORY;
    for (int i = 0; i < j->n_threads && status == DPL_OK; i++)
        status = dpl_scratch_new(&j->scratches[i], 0, err);
    return status;
}

static void free_job(job *j)
{
    for (int i = 0; j->scratches && i < j->n_threads; i++)
        dpl_scratch_free(j->scratches[i]);
    free(j->scratches);
    dpli_staged_close(j->staged);
    free(j->old_hash);
    free(j->photos);
    free(j->lost);
    free(j);
}

static dpl_status check_lost(const job *j, dpl_error *err)
{
    if (j->n_lost == 0 || j->options->drop)
        return DPL_OK;
    return dpli_fail(
        err, DPL_E_INPUT,
        "%zu vectors can be made anew of neither photo nor thumbnail (%s); the gallery "
        "is as it was, and what was made is kept; --drop goes on without them",
        j->n_lost, j->first_lost);
}

static dpl_status migrate(job *j, dpl_error *err)
{
    dpl_status status = check_spaces(j, err);

    if (status == DPL_OK)
        status = find_work(j, err);
    if (status != DPL_OK)
        return status;
    if (j->n_photos == 0) {
        dpli_staged_discard(j->gallery->store->folder);
        return j->options->dry_run ? DPL_OK : set_calibration_aside(j, err);
    }
    status = check_absence(j, err);
    if (status == DPL_OK)
        status = check_disk(j, err);
    if (status == DPL_OK)
        status = make_scratches(j, err);
    if (status == DPL_OK)
        status = open_staged(j, err);
    if (status == DPL_OK)
        status = make_all(j, err);
    if (status == DPL_OK && j->changes_any)
        status =
            dpli_migrate_changes(j->report, j->gallery, j->staged, j->pipeline, j->options, err);
    if (status == DPL_OK)
        status = check_lost(j, err);
    if (status != DPL_OK || j->options->dry_run)
        return status;
    if (j->changes_any || dpli_staged_n(j->staged) > 0) {
        status = put_all(j, err);
        if (status != DPL_OK)
            return status;
    }
    j->report->has_changed = j->changes_any;
    dpli_staged_discard(j->gallery->store->folder);
    dpli_search_drop(j->gallery);
    status = set_calibration_aside(j, err);
    if (status == DPL_OK)
        dpli_search_ready(j->gallery, (int64_t)j->n_photos);
    return status;
}

dpl_status dpl_migrate(dpl_migrate_report *report, dpl_gallery *gallery,
                       const dpl_pipeline *pipeline, const dpl_migrate_options *options,
                       dpl_error *err)
{
    dpl_migrate_options o = DPL_MIGRATE_OPTIONS_INIT;
    const double start = dpli_now();
    job *j;
    dpl_status status;

    *report = (dpl_migrate_report){0};
    status = dpli_options(&o, sizeof o, options, "migration", err);
    if (status == DPL_OK)
        status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK && gallery->rehearsing)
        status = dpli_fail(err, DPL_E_ARGUMENT, "a migration is not rehearsed (dry_run)");
    if (status != DPL_OK)
        return status;
    j = dpli_calloc(1, sizeof *j, err);
    if (!j)
        return DPL_E_MEMORY;
    j->gallery = gallery;
    j->pipeline = pipeline;
    j->options = &o;
    j->report = report;
    status = migrate(j, err);
    report->seconds = dpli_now() - start;
    free_job(j);
    return status;
}

bool dpl_photo_is_from_thumbnail(const dpl_photo_row *row)
{
    return row->options && dpli_is_from_thumbnail(row->options);
}
