/*
 * enroll.c - folders of photos into the gallery.
 *
 * The ledger (every file ever looked at) is read once; files are listed, then gone through in
 * chunks. A chunk's files are looked at in parallel: one stat for what is unchanged, else read,
 * hashed and, when the content is new, taken through the pipeline. Then the chunk is committed in
 * one transaction and its events are reported. So memory is bounded by the chunk, a kill loses at
 * most one chunk's work, and events are of what is on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "index/files.h"
#include "index/pipeline.h"
#include "index/source.h"

#define CHUNK 64

/* ------------------------------------------------------------------ ledger */

typedef struct known {
    int64_t id, size_bytes, mtime_ns;
    char *path, *person, *tried; /* person NULL: nobody's; tried: see row.options */
    bool meant;                  /* of a refused one, whose it was to be is known */
    char sha256[65], reason[200];
    dpl_status status;
    int32_t n_faces;
    bool claimed; /* a file of this run is this photo (by path or because it moved) */
} known;

typedef struct ledger {
    known *items; /* by path */
    size_t n, cap;
    known **by_sha256;
} ledger;

static dpl_status add_known(void *ctx, const dpl_photo_row *row)
{
    ledger *l = ctx;
    known k = {.id = row->id,
               .size_bytes = row->size_bytes,
               .mtime_ns = row->mtime_ns,
               .meant = row->meant != NULL,
               .status = row->status,
               .n_faces = row->n_faces};
    known *items = dpli_grow(l->items, &l->cap, l->n + 1, sizeof *items, NULL);

    if (!items)
        return DPL_E_MEMORY;
    l->items = items;
    snprintf(k.sha256, sizeof k.sha256, "%s", row->sha256);
    snprintf(k.reason, sizeof k.reason, "%s", row->reason);
    k.path = dpli_strdup(row->path, NULL);
    k.person = row->person ? dpli_strdup(row->person, NULL) : NULL;
    k.tried = dpli_strdup(row->options, NULL);
    l->items[l->n++] = k;
    return k.path && k.tried && (k.person || !row->person) ? DPL_OK : DPL_E_MEMORY;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const known *)a)->path, ((const known *)b)->path);
}

static int by_sha256(const void *a, const void *b)
{
    return strcmp((*(known *const *)a)->sha256, (*(known *const *)b)->sha256);
}

static dpl_status read_ledger(ledger *l, dpl_gallery *gallery, dpl_error *err)
{
    dpl_status status = dpl_gallery_each_photo(gallery, NULL, add_known, l, err);

    if (status == DPL_E_MEMORY) /* the callback's, which cannot word it */
        return dpli_fail(err, status, "no memory for the ledger of %zu photos", l->n);
    if (status != DPL_OK || l->n == 0)
        return status;
    l->by_sha256 = dpli_alloc(l->n, sizeof *l->by_sha256, err);
    if (!l->by_sha256)
        return DPL_E_MEMORY;
    qsort(l->items, l->n, sizeof l->items[0], by_path);
    for (size_t i = 0; i < l->n; i++)
        l->by_sha256[i] = &l->items[i];
    qsort(l->by_sha256, l->n, sizeof l->by_sha256[0], by_sha256);
    return DPL_OK;
}

static void clear_ledger(ledger *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].path);
        free(l->items[i].person);
        free(l->items[i].tried);
    }
    free(l->items);
    free(l->by_sha256);
}

static known *find_path(const ledger *l, const char *path)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = strcmp(path, l->items[mid].path);
        if (order == 0)
            return &l->items[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* First of the photos with this content, in *n their number. */
static known **find_content(const ledger *l, const char *sha256, size_t *n)
{
    size_t low = 0, high = l->n, end;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (strcmp(l->by_sha256[mid]->sha256, sha256) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < l->n && strcmp(l->by_sha256[end]->sha256, sha256) == 0; end++)
        ;
    *n = end - low;
    return l->by_sha256 + low;
}

/* ------------------------------------------------------------------ one file */

/* What became of one file of the chunk. Filled by a worker, then committed and reported. */
typedef struct item {
    const dpli_found_file *file;
    known *before; /* what the ledger knows of this path, or of the photo that has moved here */
    bool looked;   /* a worker came to it */
    bool record;   /* photo and templates are to be put */
    bool twice;    /* error names somebody else, whose photo it is, too */
    dpl_outcome outcome;
    dpl_status status;
    dpl_error error; /* reason or warning */
    char sha256[65];
    int64_t size_bytes, mtime_ns;
    dpl_photo photo;
    int32_t width_px, height_px;
    dpl_new_template *templates;
    size_t n_templates;
} item;

typedef struct job {
    dpl_gallery *gallery;
    const dpl_pipeline *pipeline;
    const dpl_enroll_options *options;
    ledger ledger;
    dpli_found_files files;
    char tried[64];          /* the options that decide what is refused */
    dpl_scratch **scratches; /* one a worker */
    int n_threads;
    item items[CHUNK];
    size_t n_items;
    dpl_enroll_report *report;
} job;

static bool cancelled(const job *j)
{
    return dpli_cancelled(j->options->cancel);
}

static bool file_gone(const char *path)
{
    struct stat st;

    return dpli_source_is_file(path) && stat(path, &st) != 0 &&
           (errno == ENOENT || errno == ENOTDIR);
}

/* The person that a file is to be enrolled as: a photo once known keeps its own unless a name is
 * given. */
static const char *person_of(const job *j, const item *it)
{
    if (j->options->name)
        return j->options->name;
    return it->before && it->before->person ? it->before->person : it->file->person;
}

/* A refused photo is nobody's, and would be refused whoever's it were. */
static bool same_person(const job *j, const known *k)
{
    return !j->options->name || k->status != DPL_OK ||
           (k->person && strcmp(k->person, j->options->name) == 0);
}

/* Nothing to decide anew: an enrolled photo stays enrolled whatever the options (force aside), a
 * refused one is tried again under others, and once when it is not known whose it was to be. */
static bool is_settled(const job *j, const known *k)
{
    return !j->options->force && same_person(j, k) &&
           (k->status == DPL_OK || (k->meant && strcmp(k->tried, j->tried) == 0));
}

/* Known content: nothing to encode. A refusal stays one, with its reason. */
static void keep(item *it, dpl_outcome outcome)
{
    const known *k = it->before;

    it->outcome = k->status == DPL_OK ? outcome : DPL_OUTCOME_REFUSED;
    it->status = k->status;
    snprintf(it->error.message, sizeof it->error.message, "%s", k->reason);
}

/* The same content under a path that is gone is this file before it moved; elsewhere it is a copy,
 * worth a word when it is somebody else's. */
static void look_for_same(const job *j, item *it)
{
    size_t n;
    known **same = find_content(&j->ledger, it->sha256, &n);

    for (size_t i = 0; i < n; i++) {
        if (file_gone(same[i]->path) &&
            !__atomic_test_and_set(&same[i]->claimed, __ATOMIC_RELAXED)) {
            it->before = same[i];
            return;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (same[i]->person && strcmp(same[i]->person, person_of(j, it)) != 0) {
            dpli_fail(&it->error, DPL_OK, "the same photo is enrolled as \"%s\" (%s)",
                      same[i]->person, same[i]->path);
            it->twice = true;
        }
}

static dpl_status add_template(item *it, const char *space, const float *vector, int32_t dim,
                               const dpl_face *face, const dpl_encoder *encoder,
                               const uint8_t *chip, dpl_error *err)
{
    dpl_new_template *t = &it->templates[it->n_templates];
    uint8_t *thumb = NULL;

    *t = (dpl_new_template){.space = space, .vector = vector, .dim = dim};
    if (face)
        t->face = *face;
    if (chip) {
        const dpl_status status = dpli_thumb(&thumb, &t->n_thumb, encoder, chip, err);
        if (status != DPL_OK)
            return status;
        t->thumb = thumb;
    }
    it->n_templates++;
    return DPL_OK;
}

static dpl_status add_face(const job *j, item *it, size_t i, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(j->pipeline);
    const size_t dim = (size_t)dpl_encoder_dim(encoder);
    const dpl_face *face = &it->photo.faces[i];

    if (face->quality.overall < dpli_pipeline_min_quality(j->pipeline))
        return dpli_fail(
            err, DPL_E_QUALITY,
            "face is too poor: %s (quality %.2f, at least %.2f is asked; "
            "--min-quality)",
            strcmp(face->quality.weakest, "size") == 0 ? "too small" : face->quality.weakest,
            (double)face->quality.overall, (double)dpli_pipeline_min_quality(j->pipeline));
    return add_template(it, dpl_encoder_space(encoder), it->photo.vectors + i * dim, (int32_t)dim,
                        face, encoder, it->photo.chips + i * dpli_chip_bytes(encoder), err);
}

/* Which of the photo's faces become templates. */
static dpl_status choose_faces(const job *j, item *it, dpl_error *err)
{
    const dpl_photo *photo = &it->photo;
    dpl_status status = DPL_OK;

    if (photo->n_faces == 0)
        return dpli_no_face(photo, err);
    if (photo->n_faces > 1 && j->options->faces == DPL_FACES_REFUSE)
        return dpli_fail(
            err, DPL_E_MANY_FACES,
            "%zu faces found, which one is meant is not clear (--faces largest takes the "
            "main one)",
            photo->n_faces);
    if (j->options->faces != DPL_FACES_ALL)
        return add_face(j, it, dpli_main_face(photo), err);
    for (size_t i = 0; i < photo->n_faces; i++) {
        const dpl_status one = add_face(j, it, i, err);
        if (one != DPL_OK && one != DPL_E_QUALITY)
            return one;
        if (one != DPL_OK)
            status = one;
    }
    return it->n_templates > 0 ? DPL_OK : status;
}

/* The picture kept for the event: small, or only its size. */
static dpl_status shrink_picture(const job *j, item *it, dpl_error *err)
{
    dpl_image *image = &it->photo.image;
    const int32_t larger = image->width_px > image->height_px ? image->width_px : image->height_px;
    const int32_t want = j->options->preview_px;
    dpl_image small = DPL_IMAGE_INIT;

    if (want > 0 && larger > want) {
        const int32_t w = (int32_t)((int64_t)image->width_px * want / larger);
        const int32_t h = (int32_t)((int64_t)image->height_px * want / larger);
        const dpl_status status =
            dpl_image_resize(&small, image, w > 0 ? w : 1, h > 0 ? h : 1, err);
        if (status != DPL_OK)
            return status;
        free(image->pixels);
        image->pixels = small.pixels;
        image->width_px = small.width_px;
        image->height_px = small.height_px;
    } else if (want <= 0) {
        free(image->pixels);
        image->pixels = NULL;
    }
    return DPL_OK;
}

/* The templates of it->photo; a status of the photo's own when it is nobody's. */
static dpl_status make_templates(const job *j, item *it, dpl_error *err)
{
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(j->pipeline);
    dpl_status status;

    it->width_px = it->photo.image.full_width_px;
    it->height_px = it->photo.image.full_height_px;
    if (it->photo.image.warning[0]) {
        dpli_fail(&it->error, DPL_OK, "%s", it->photo.image.warning);
        it->twice = false;
    }
    it->templates = dpli_calloc(it->photo.n_faces + 1, sizeof *it->templates, err);
    if (!it->templates)
        return DPL_E_MEMORY;
    status = choose_faces(j, it, err);
    /* A picture without a usable face is still a picture: its image vector is kept, its status says
       why it is nobody's. */
    if (image_encoder && it->photo.image_vector && status != DPL_E_MEMORY) {
        const dpl_status whole =
            add_template(it, dpl_encoder_space(image_encoder), it->photo.image_vector,
                         dpl_encoder_dim(image_encoder), NULL, NULL, NULL, err);
        if (whole != DPL_OK)
            return whole;
    }
    return status;
}

static dpl_status encode_file(const job *j, item *it, dpl_scratch *scratch, const uint8_t *bytes,
                              size_t n_bytes, dpl_error *err)
{
    dpl_status status = dpli_photo_process(&it->photo, j->pipeline, scratch, bytes, n_bytes, err);

    if (status != DPL_OK)
        return status;
    status = make_templates(j, it, err);
    const dpl_status shrunk = shrink_picture(j, it, err);
    return status != DPL_OK ? status : shrunk;
}

/* Whether a file is to be taken for a photo, well or badly made. */
static bool is_meant(const dpli_found_file *file, const struct stat *st)
{
    uint8_t head[16];
    ssize_t n = 0;
    int fd;

    if (file->told)
        return true;
    if (!S_ISREG(st->st_mode))
        return dpl_image_is_meant(file->path, head, 0);
    fd = open(file->path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return dpl_image_is_meant(file->path, head, 0);
    n = read(fd, head, sizeof head);
    close(fd);
    return dpl_image_is_meant(file->path, head, n > 0 ? (size_t)n : 0);
}

/* Whether a failure is none of the photo's: it is not recorded, and the next photo would meet it.
 */
static bool stops_the_run(dpl_status status)
{
    return status == DPL_E_MODEL || dpl_status_exit_code(status) > 4;
}

/* Look at one file. A file's own failure is its status; only the system's and the model's stop the
 * run.
 */
static dpl_status look_at(void *ctx, int worker, size_t index, dpl_error *err)
{
    job *j = ctx;
    item *it = &j->items[index];
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    struct stat st = {0};
    dpl_status status;

    if (cancelled(j))
        return DPL_OK;
    it->looked = true;
    it->before = find_path(&j->ledger, it->file->path);
    if (it->before)
        __atomic_store_n(&it->before->claimed, true, __ATOMIC_RELAXED);
    if (stat(it->file->path, &st) == 0) {
        it->size_bytes = (int64_t)st.st_size;
        it->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    if (it->before && is_settled(j, it->before) && it->before->sha256[0] &&
        it->before->size_bytes == it->size_bytes && it->before->mtime_ns == it->mtime_ns) {
        keep(it, DPL_OUTCOME_UNCHANGED);
        return DPL_OK;
    }

    if (!is_meant(it->file, &st)) {
        it->outcome = DPL_OUTCOME_PASSED_OVER;
        dpli_fail(&it->error, DPL_OK, "is no picture");
        return DPL_OK;
    }
    const bool had_path = it->before != NULL;
    status = dpli_photo_read(&bytes, &n_bytes, it->sha256, j->pipeline, it->file->path, &it->error);
    if (status == DPL_OK) {
        if (!had_path)
            look_for_same(j, it);
        if (it->before && is_settled(j, it->before) &&
            strcmp(it->before->sha256, it->sha256) == 0) {
            keep(it, had_path ? DPL_OUTCOME_UNCHANGED : DPL_OUTCOME_MOVED);
            dpli_photo_unread(bytes, n_bytes, j->pipeline);
            return DPL_OK;
        }
        dpl_error why = {DPL_OK, ""};
        status = encode_file(j, it, j->scratches[worker], bytes, n_bytes, &why);
        if (status != DPL_OK)
            it->error = why;
    }
    dpli_photo_unread(bytes, n_bytes, j->pipeline);
    it->status = status;
    it->record = true;
    it->outcome = status != DPL_OK ? DPL_OUTCOME_REFUSED
                  : had_path       ? DPL_OUTCOME_UPDATED
                                   : DPL_OUTCOME_ADDED;
    if (stops_the_run(status)) {
        *err = it->error;
        return dpli_fail_in(err, status, it->file->path);
    }
    return DPL_OK;
}

static void clear_templates(item *it)
{
    for (size_t i = 0; i < it->n_templates; i++)
        dpl_bytes_free((void *)(uintptr_t)it->templates[i].thumb);
    free(it->templates);
}

static void clear_item(item *it)
{
    clear_templates(it);
    dpl_photo_clear(&it->photo);
}

/* ------------------------------------------------------------------ a chunk */

static void report_event(job *j, const dpl_enroll_event *event)
{
    dpl_enroll_report *r = j->report;
    int64_t *const counts[] = {&r->n_added,   &r->n_updated, &r->n_unchanged,  &r->n_moved,
                               &r->n_refused, &r->n_pruned,  &r->n_passed_over};

    (*counts[event->outcome])++;
    /* the worst is the one with the highest exit code */
    if (dpl_status_exit_code(event->status) > dpl_status_exit_code(r->worst))
        r->worst = event->status;
    if (j->options->on_event)
        j->options->on_event(j->options->ctx, event);
}

static void report_item(job *j, const item *it)
{
    const bool passed_over = it->outcome == DPL_OUTCOME_PASSED_OVER;

    j->report->n_files += !passed_over;
    const dpl_enroll_event event = {
        .path = it->file->path,
        .person = person_of(j, it),
        .outcome = it->outcome,
        .status = it->status,
        .message = it->error.message,
        .n_faces = it->record   ? it->photo.n_faces
                   : it->before ? (size_t)it->before->n_faces
                                : 0,
        .photo = it->photo.faces || it->photo.image.full_width_px ? &it->photo : NULL,
        .n_done = j->report->n_files + j->report->n_passed_over + passed_over,
        .n_total = (int64_t)j->files.n,
    };

    if (it->outcome == DPL_OUTCOME_REFUSED && !it->record)
        j->report->n_refused_again++;
    report_event(j, &event);
}

static dpl_new_photo new_photo(const job *j, const item *it, int64_t now_s)
{
    return (dpl_new_photo){
        .row = {.path = it->file->path,
                .sha256 = it->sha256,
                .person = it->status == DPL_OK ? person_of(j, it) : NULL,
                .meant = it->status != DPL_OK ? person_of(j, it) : NULL,
                .status = it->status,
                /* No name stays in a row but its own person's: it would outlive the other. */
                .reason = it->twice && it->status == DPL_OK
                              ? "the same photo is enrolled as somebody else"
                              : it->error.message,
                .options = j->tried,
                .size_bytes = it->size_bytes,
                .mtime_ns = it->mtime_ns,
                .enrolled_unix_s = now_s,
                .width_px = it->width_px,
                .height_px = it->height_px,
                .n_faces = (int32_t)it->photo.n_faces},
        .templates = it->templates,
        .n_templates = it->n_templates,
    };
}

/* A known photo under a new path, or touched without a change: only where and when it is. */
static dpl_status commit_moves(job *j, dpl_error *err)
{
    for (size_t i = 0; i < j->n_items; i++) {
        const item *it = &j->items[i];
        if (!it->looked || it->record || !it->sha256[0])
            continue;
        const dpl_status status =
            dpl_gallery_move_photo(j->gallery, it->before->id, it->file->path, it->mtime_ns, err);
        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

static dpl_status commit_chunk(job *j, dpl_error *err)
{
    dpl_new_photo photos[CHUNK];
    const int64_t now_s = (int64_t)time(NULL);
    size_t n = 0;
    dpl_status status = commit_moves(j, err);

    for (size_t i = 0; i < j->n_items; i++)
        if (j->items[i].looked && j->items[i].record)
            photos[n++] = new_photo(j, &j->items[i], now_s);
    if (status == DPL_OK && n > 0)
        status = dpl_gallery_put(j->gallery, photos, n, err);
    return status;
}

/* Look, commit, report. What a worker could not finish for the system's sake is not recorded. */
static dpl_status do_chunk(job *j, size_t first, dpl_error *err)
{
    const size_t left = j->files.n - first;
    dpl_status status, committed;

    j->n_items = left < CHUNK ? left : CHUNK;
    for (size_t i = 0; i < j->n_items; i++)
        j->items[i] = (item){.file = &j->files.items[first + i], .photo = DPL_PHOTO_INIT};
    status = dpli_pool_run(j->n_threads, j->n_items, look_at, j, err);
    if (status != DPL_OK)
        for (size_t i = 0; i < j->n_items; i++)
            if (stops_the_run(j->items[i].status))
                j->items[i].looked = false;
    committed = commit_chunk(j, status == DPL_OK ? err : NULL);
    for (size_t i = 0; i < j->n_items; i++) {
        if (j->items[i].looked && committed == DPL_OK)
            report_item(j, &j->items[i]);
        clear_item(&j->items[i]);
    }
    return status != DPL_OK ? status : committed;
}

/* Forget photos under the folders given whose files are gone. */
static dpl_status prune(job *j, const char *const *paths, size_t n_paths, dpl_error *err)
{
    const char **gone = dpli_alloc(j->ledger.n, sizeof *gone, err);
    dpl_forget_report forgotten;
    size_t n = 0;
    dpl_status status = DPL_OK;

    if (!gone)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < j->ledger.n; i++) {
        const known *k = &j->ledger.items[i];
        if (!k->claimed && dpli_path_is_under(k->path, paths, n_paths) && file_gone(k->path))
            gone[n++] = k->path;
    }
    if (n > 0)
        status = dpl_gallery_forget(&forgotten, j->gallery, NULL, gone, n, 0, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        const known *k = find_path(&j->ledger, gone[i]);
        const dpl_enroll_event event = {.path = k->path,
                                        .person = k->person,
                                        .outcome = DPL_OUTCOME_PRUNED,
                                        .message = "file is gone",
                                        .n_done = j->report->n_files,
                                        .n_total = (int64_t)j->files.n};
        report_event(j, &event);
    }
    free(gone);
    return status;
}

/* ------------------------------------------------------------------ the whole run */

static dpl_status bind_gallery(const job *j, dpl_error *err)
{
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(j->pipeline);
    const char *detect = dpl_pipeline_detector(j->pipeline) ? "faces" : "none";
    dpl_status status = dpl_gallery_bind(j->gallery, dpl_pipeline_encoder(j->pipeline), err);

    if (status == DPL_OK && image_encoder)
        status = dpl_gallery_bind(j->gallery, image_encoder, err);
    if (status == DPL_OK)
        status = dpl_gallery_remember(j->gallery, "detect", detect, err);
    return status;
}

static dpl_status make_scratches(job *j, dpl_error *err)
{
    j->scratches = dpli_calloc((size_t)j->n_threads, sizeof *j->scratches, err);
    if (!j->scratches)
        return DPL_E_MEMORY;
    for (int i = 0; i < j->n_threads; i++) {
        const dpl_status status = dpl_scratch_new(&j->scratches[i], 0, err);
        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

static void free_job(job *j)
{
    for (int i = 0; j->scratches && i < j->n_threads; i++)
        dpl_scratch_free(j->scratches[i]);
    free(j->scratches);
    dpli_found_files_clear(&j->files);
    clear_ledger(&j->ledger);
    free(j);
}

/* @param options  outlive the job */
static dpl_status new_job(job **out, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                          const dpl_enroll_options *options, dpl_error *err)
{
    job *j = dpli_calloc(1, sizeof *j, err);

    *out = j;
    if (!j)
        return DPL_E_MEMORY;
    j->gallery = gallery;
    j->pipeline = pipeline;
    j->options = options;
    snprintf(j->tried, sizeof j->tried, "faces=%d,quality=%.3f", (int)options->faces,
             (double)dpli_pipeline_min_quality(pipeline));
    return DPL_OK;
}

dpl_status dpl_enroll(dpl_enroll_report *report, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                      const char *const *paths, size_t n_paths, const dpl_enroll_options *options,
                      dpl_error *err)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    const double start = dpli_now();
    job *j;
    dpl_status status;

    *report = (dpl_enroll_report){0};
    status = dpli_options(&o, sizeof o, options, "enrolment", err);
    if (status == DPL_OK)
        status = new_job(&j, gallery, pipeline, &o, err);
    if (status != DPL_OK)
        return status;
    j->report = report;
    j->n_threads = o.n_threads > 0 ? o.n_threads : dpli_n_cores();
    status = bind_gallery(j, err);
    if (status == DPL_OK)
        status = make_scratches(j, err);
    if (status == DPL_OK)
        status = dpli_find_files(&j->files, paths, n_paths, j->options->follow_links, err);
    report->n_links = j->files.n_links;
    if (status == DPL_OK)
        status = read_ledger(&j->ledger, gallery, err);
    for (size_t first = 0; status == DPL_OK && first < j->files.n && !cancelled(j); first += CHUNK)
        status = do_chunk(j, first, err);
    if (status == DPL_OK && cancelled(j))
        status = dpli_fail(
            err, DPL_E_CANCELLED,
            "interrupted after %lld of %zu files; what was done is kept, run it again to go on",
            (long long)report->n_files, j->files.n);
    if (status == DPL_OK && o.prune && j->ledger.n > 0)
        status = prune(j, paths, n_paths, err);
    report->seconds = dpli_now() - start;
    free_job(j);
    return status;
}

dpl_status dpl_enroll_photo(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                            const dpl_photo *photo, const char *source,
                            const dpl_enroll_options *options, dpl_error *err)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    const dpli_found_file file = {.path = (char *)(uintptr_t)source};
    dpl_error why = {DPL_OK, ""};
    dpl_new_photo row;
    job *j;
    item *it;
    dpl_status status = dpli_options(&o, sizeof o, options, "enrolment", err);

    if (status == DPL_OK)
        status = new_job(&j, gallery, pipeline, &o, err);
    if (status != DPL_OK)
        return status;
    it = &j->items[0];
    *it = (item){.file = &file, .photo = *photo};
    memcpy(it->sha256, photo->sha256, sizeof it->sha256);
    status = bind_gallery(j, err);
    if (status != DPL_OK)
        goto done;
    it->status = make_templates(j, it, &why);
    if (it->status != DPL_OK)
        it->error = why;
    if (!stops_the_run(it->status)) {
        row = new_photo(j, it, (int64_t)time(NULL));
        status = dpl_gallery_put(gallery, &row, 1, err);
    }
    if (status == DPL_OK && it->status != DPL_OK) {
        if (err)
            *err = why;
        status = dpli_fail_in(err, it->status, photo->name ? photo->name : source);
    }
done:
    clear_templates(it); /* the photo is the caller's */
    free_job(j);
    return status;
}
