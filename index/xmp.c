/*
 * xmp.c - the gallery's names in sidecars: written for other programs, and read from them.
 *
 * What a sidecar holds is data/sidecar.c's, through the public header; here is which photos, which
 * faces, and who may overrule whom. A photo's boxes are of the content that was enrolled, so one
 * that has changed since is left alone.
 */
#include "doppel/xmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/files.h"
#include "index/gallery.h"
#include "index/source.h"

/* A photo as the gallery knows it. */
typedef struct known {
    int64_t id, size_bytes, mtime_ns;
    int32_t width_px, height_px;
    char *path;
    char sha256[65];
} known;

typedef struct found_face {
    int64_t template_id, person_id;
    bool by_hand;
} found_face;

/* The faces of one photo: what of them goes into a sidecar, and what the gallery says of each. */
typedef struct faces {
    dpl_region *regions; /* names owned; "" of nobody's */
    found_face *found;
    size_t n, cap, cap_found;
    double width, height;
    dpl_error *err;
} faces;

typedef struct job {
    dpl_gallery *gallery;
    dpl_xmp_options options;
    dpl_xmp_report *report;
    known *photos;
    size_t n_photos, cap;
    const char *const *persons, *const *paths;
    size_t n_persons, n_paths;
    int64_t *of_persons; /* photos with a face of theirs, sorted */
    size_t n_of_persons, cap_of_persons;
    bool *met; /* [n_paths]: some photo is there */
    int64_t n_done, n_total;
    dpl_error *err;
} job;

void dpl_xmp_options_init(dpl_xmp_options *options, size_t struct_size)
{
    const dpl_xmp_options defaults = DPL_XMP_OPTIONS_INIT;

    memset(options, 0, struct_size);
    memcpy(options, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
    options->struct_size = struct_size;
}

/* ------------------------------------------------------------------ photos and faces */

static dpl_status keep_photo(job *j, const dpl_photo_row *row)
{
    known *grown = dpli_grow(j->photos, &j->cap, j->n_photos + 1, sizeof *grown, j->err), *k;

    if (!grown)
        return DPL_E_MEMORY;
    j->photos = grown;
    k = &grown[j->n_photos];
    *k = (known){.id = row->id,
                 .size_bytes = row->size_bytes,
                 .mtime_ns = row->mtime_ns,
                 .width_px = row->width_px,
                 .height_px = row->height_px};
    strncpy(k->sha256, row->sha256, sizeof k->sha256 - 1);
    k->path = dpli_strdup(row->path, j->err);
    if (!k->path)
        return DPL_E_MEMORY;
    j->n_photos++;
    return DPL_OK;
}

static dpl_status keep_face(void *ctx, const dpl_template_row *row)
{
    faces *f = ctx;
    const dpl_face *box = &row->face;
    dpl_region *regions;
    found_face *found;
    char *name;

    if (!row->is_face || !(box->w_px > 0) || !(box->h_px > 0))
        return DPL_OK;
    regions = dpli_grow(f->regions, &f->cap, f->n + 1, sizeof *regions, f->err);
    if (!regions)
        return DPL_E_MEMORY;
    f->regions = regions;
    found = dpli_grow(f->found, &f->cap_found, f->n + 1, sizeof *found, f->err);
    if (!found)
        return DPL_E_MEMORY;
    f->found = found;
    name = dpli_strdup(row->person ? row->person : "", f->err);
    if (!name)
        return DPL_E_MEMORY;
    regions[f->n] = (dpl_region){name,
                                 box->x_px / f->width,
                                 box->y_px / f->height,
                                 box->w_px / f->width,
                                 box->h_px / f->height,
                                 true};
    found[f->n++] = (found_face){row->id, row->person_id, row->by_hand};
    return DPL_OK;
}

static dpl_status read_faces(faces *f, job *j, const known *photo, dpl_error *err)
{
    *f = (faces){.width = photo->width_px, .height = photo->height_px, .err = err};
    return dpl_gallery_each_template_of(j->gallery, photo->id, keep_face, f, err);
}

static void clear_faces(faces *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->regions[i].name);
    free(f->regions);
    free(f->found);
    *f = (faces){.n = 0};
}

/* Whether the file is what was enrolled: by size and time, or else by its content. */
static dpl_status check_unchanged(const known *photo, const dpl_decode_options *decode,
                                  dpl_error *err)
{
    dpl_status status;
    uint8_t *bytes;
    struct stat st;
    char hash[65];
    size_t n;

    if (stat(photo->path, &st) != 0)
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\" is not there", photo->path);
    if (st.st_size == photo->size_bytes &&
        (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == photo->mtime_ns)
        return DPL_OK;
    if (st.st_size == photo->size_bytes) {
        status = dpli_file_read(&bytes, &n, photo->path, decode->max_bytes, err);
        if (status)
            return dpli_fail_in(err, status, photo->path);
        status = dpli_sha256_of(hash, bytes, n, err);
        free(bytes);
        if (status || strcmp(hash, photo->sha256) == 0)
            return status;
    }
    return dpli_fail(err, DPL_E_INPUT,
                     "\"%s\" has changed since it was enrolled: enroll or scan it again",
                     photo->path);
}

static dpl_status find_shape(dpl_photo_shape *shape, const job *j, const known *photo,
                             dpl_error *err)
{
    dpl_status status = check_unchanged(photo, &j->options.decode, err);

    *shape = (dpl_photo_shape){photo->width_px, photo->height_px, 1};
    return status ? status
                  : dpl_image_orientation(&shape->exif_orientation, photo->path, &j->options.decode,
                                          err);
}

/* What one photo has to say goes to the caller. */
static void tell(job *j, dpl_xmp_event *event, dpl_status status, const dpl_error *why)
{
    event->status = status;
    event->message = status ? why->message : "";
    event->n_done = j->n_done;
    event->n_total = j->n_total;
    j->report->n_photos++;
    j->report->n_refused += status != DPL_OK;
    if (dpl_status_exit_code(status) > dpl_status_exit_code(j->report->worst))
        j->report->worst = status;
    if (j->options.on_event)
        j->options.on_event(j->options.ctx, event);
}

/* Of a photo's own failures the batch goes on. */
static bool is_own_failure(dpl_status status)
{
    return status != DPL_E_MEMORY && status != DPL_E_GALLERY && status != DPL_E_LOCKED &&
           status != DPL_E_BUG;
}

/* ------------------------------------------------------------------ writing */

static void add_up_written(dpl_xmp_report *all, const dpl_sidecar_report *one)
{
    const bool changed = one->n_added + one->n_renamed + one->n_removed > 0;

    all->n_sidecars_new += one->is_new;
    all->n_sidecars_changed += changed && !one->is_new;
    all->n_added += (int64_t)one->n_added;
    all->n_renamed += (int64_t)one->n_renamed;
    all->n_removed += (int64_t)one->n_removed;
    all->n_same += (int64_t)one->n_same;
    all->n_kept += (int64_t)one->n_kept;
}

/* Named faces first; how many they are. Those of nobody are not written. */
static size_t named_first(faces *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        if (*f->regions[i].name) {
            const dpl_region swapped = f->regions[n];

            f->regions[n++] = f->regions[i];
            f->regions[i] = swapped;
        }
    return n;
}

static dpl_status write_one(job *j, const known *photo, dpl_error *err)
{
    dpl_sidecar_options options = DPL_SIDECAR_OPTIONS_INIT;
    dpl_xmp_event event = {.photo = photo->path};
    dpl_sidecar_report written = {.n_added = 0};
    dpl_photo_shape shape;
    char *sidecar = NULL;
    bool is_there;
    dpl_status status;
    size_t n_named;
    faces f;

    options.overwrite = j->options.overwrite;
    options.dry_run = j->options.dry_run;
    status = read_faces(&f, j, photo, err);
    n_named = named_first(&f);
    if (!status)
        status = dpl_sidecar_find(&sidecar, &is_there, photo->path, true, err);
    if (status || (n_named == 0 && !is_there))
        goto done;
    status = find_shape(&shape, j, photo, err);
    if (!status) {
        event.sidecar = sidecar;
        status = dpl_sidecar_write(&written, sidecar, photo->path, &shape, f.regions, n_named,
                                   &options, err);
    }
    if (!status) {
        event.written = &written;
        add_up_written(j->report, &written);
    }
    if (!status || is_own_failure(status)) {
        tell(j, &event, status, err);
        status = DPL_OK;
    }
done:
    free(sidecar);
    clear_faces(&f);
    return status;
}

static dpl_status keep_of_person(void *ctx, const dpl_template_row *row)
{
    job *j = ctx;
    int64_t *grown =
        dpli_grow(j->of_persons, &j->cap_of_persons, j->n_of_persons + 1, sizeof *grown, j->err);

    if (!grown)
        return DPL_E_MEMORY;
    j->of_persons = grown;
    grown[j->n_of_persons++] = row->photo_id;
    return DPL_OK;
}

static int by_id(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Whether path is folder, or below it. */
static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    while (n > 0 && folder[n - 1] == '/')
        n--;
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static dpl_status select_photo(void *ctx, const dpl_photo_row *row)
{
    job *j = ctx;
    bool wanted = j->n_persons + j->n_paths == 0;

    for (size_t i = 0; i < j->n_paths; i++)
        if (is_below(row->path, j->paths[i]))
            wanted = j->met[i] = true;
    if (!wanted)
        wanted = bsearch(&row->id, j->of_persons, j->n_of_persons, sizeof row->id, by_id) != NULL;
    if (!wanted || row->status != DPL_OK || !dpli_source_is_file(row->path))
        return DPL_OK;
    return keep_photo(j, row);
}

static dpl_status select_photos(job *j, dpl_error *err)
{
    dpl_status status = DPL_OK;

    j->met = dpli_calloc(j->n_paths, sizeof *j->met, err);
    /* bsearch wants something to look in. */
    j->of_persons = dpli_grow(NULL, &j->cap_of_persons, 1, sizeof *j->of_persons, err);
    if (!j->met || !j->of_persons)
        return DPL_E_MEMORY;
    for (size_t i = 0; !status && i < j->n_persons; i++) {
        const size_t n = j->n_of_persons;

        status =
            dpl_gallery_each_template(j->gallery, j->persons[i], "face", keep_of_person, j, err);
        if (!status && j->n_of_persons == n)
            status = dpli_fail(err, DPL_E_NOT_FOUND, "no face in the gallery is \"%s\"'s",
                               j->persons[i]);
    }
    if (!status) {
        qsort(j->of_persons, j->n_of_persons, sizeof *j->of_persons, by_id);
        status = dpl_gallery_each_photo(j->gallery, NULL, select_photo, j, err);
    }
    for (size_t i = 0; !status && i < j->n_paths; i++)
        if (!j->met[i])
            status =
                dpli_fail(err, DPL_E_NOT_FOUND,
                          "\"%s\" is no person and no photo or folder in the gallery", j->paths[i]);
    return status;
}

static dpl_status open_job(job *j, const dpl_xmp_options *options, const char *what, dpl_error *err)
{
    const dpl_xmp_options defaults = DPL_XMP_OPTIONS_INIT;

    *j->report = (dpl_xmp_report){0};
    j->options = defaults;
    j->err = err;
    if (!dpl_xmp_is_built())
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "names cannot be %s: doppel was built without XMP (exempi and expat)",
                         what);
    return dpli_options(&j->options, sizeof j->options, options, "xmp", err);
}

static void close_job(job *j)
{
    for (size_t i = 0; i < j->n_photos; i++)
        free(j->photos[i].path);
    free(j->photos);
    free(j->of_persons);
    free(j->met);
}

static dpl_status cancelled(dpl_error *err)
{
    return dpli_fail(err, DPL_E_CANCELLED, "interrupted; what was done stays");
}

dpl_status dpl_xmp_write(dpl_xmp_report *report, dpl_gallery *gallery, const char *const *persons,
                         size_t n_persons, const char *const *paths, size_t n_paths,
                         const dpl_xmp_options *options, dpl_error *err)
{
    dpl_error local = {DPL_OK, ""}, *why = err ? err : &local;
    job j = {.gallery = gallery,
             .report = report,
             .persons = persons,
             .n_persons = n_persons,
             .paths = paths,
             .n_paths = n_paths};
    const double start = dpli_now();
    dpl_status status = open_job(&j, options, "written", why);

    if (!status)
        status = select_photos(&j, why);
    j.n_total = (int64_t)j.n_photos;
    for (size_t i = 0; !status && i < j.n_photos; i++) {
        j.n_done = (int64_t)i + 1;
        status =
            dpli_cancelled(j.options.cancel) ? cancelled(why) : write_one(&j, &j.photos[i], why);
    }
    report->seconds = dpli_now() - start;
    close_job(&j);
    return status;
}

/* ------------------------------------------------------------------ reading */

struct against {
    int64_t person_id;
    bool said;
};

static dpl_status on_refusal(void *ctx, const dpl_refusal *row)
{
    struct against *a = ctx;

    a->said = a->said || (row->person_id && row->person_id == a->person_id);
    return DPL_OK;
}

/* What becomes of a face whose region names somebody. */
static dpl_status decide(dpl_region_fate *fate, job *j, const dpl_region *region,
                         const found_face *face, dpl_error *err)
{
    struct against against = {0, false};
    dpl_status status = dpli_find_person(&against.person_id, j->gallery, region->name, err);

    if (!status && against.person_id)
        status = dpl_gallery_each_refusal(j->gallery, face->template_id, on_refusal, &against, err);
    if (status)
        return status;
    if (against.person_id && against.person_id == face->person_id)
        *fate = DPL_REGION_SAME;
    else if (face->person_id && region->is_own)
        *fate = DPL_REGION_KEPT;
    else if (!j->options.overwrite && (against.said || (face->person_id && face->by_hand)))
        *fate = DPL_REGION_KEPT;
    else
        *fate = DPL_REGION_NAMED;
    return DPL_OK;
}

static void count_fate(dpl_xmp_report *r, dpl_region_fate fate)
{
    r->n_named += fate == DPL_REGION_NAMED;
    r->n_same += fate == DPL_REGION_SAME;
    r->n_kept += fate == DPL_REGION_KEPT;
    r->n_no_face += fate == DPL_REGION_NO_FACE;
    r->n_unnamed += fate == DPL_REGION_UNNAMED;
}

static dpl_status name_faces(job *j, dpl_region_fate *fates, const dpl_regions *regions,
                             const faces *f, dpl_error *err)
{
    int32_t *of = dpli_calloc(regions->n, sizeof *of, err);
    dpl_status status =
        of ? dpl_regions_pair(of, regions->items, regions->n, f->regions, f->n, err) : DPL_E_MEMORY;

    for (size_t i = 0; !status && i < regions->n; i++) {
        const dpl_region *region = &regions->items[i];

        if (!*region->name) {
            fates[i] = DPL_REGION_UNNAMED;
        } else if (of[i] < 0) {
            fates[i] = DPL_REGION_NO_FACE;
        } else {
            const found_face *face = &f->found[of[i]];

            status = decide(&fates[i], j, region, face, err);
            if (!status && fates[i] == DPL_REGION_NAMED)
                status = dpl_gallery_assign(j->gallery, face->template_id, region->name, err);
        }
        if (!status)
            count_fate(j->report, fates[i]);
    }
    free(of);
    return status;
}

static dpl_status read_one(job *j, const known *photo, const char *sidecar, dpl_error *err)
{
    dpl_xmp_event event = {.photo = photo->path, .sidecar = sidecar};
    dpl_regions regions = DPL_REGIONS_INIT;
    dpl_region_fate *fates = NULL;
    dpl_photo_shape shape;
    dpl_status status;
    faces f;

    status = find_shape(&shape, j, photo, err);
    if (!status)
        status = dpl_sidecar_read(&regions, sidecar, &shape, err);
    if (status) {
        if (is_own_failure(status)) {
            tell(j, &event, status, err);
            status = DPL_OK;
        }
        return status;
    }
    fates = dpli_calloc(regions.n, sizeof *fates, err);
    status = read_faces(&f, j, photo, err);
    if (!status)
        status = fates ? name_faces(j, fates, &regions, &f, err) : DPL_E_MEMORY;
    if (!status) {
        event.regions = &regions;
        event.fates = fates;
        tell(j, &event, DPL_OK, NULL);
    }
    clear_faces(&f);
    dpl_regions_clear(&regions);
    free(fates);
    return status;
}

static dpl_status keep_enrolled(void *ctx, const dpl_photo_row *row)
{
    return row->status == DPL_OK ? keep_photo(ctx, row) : DPL_OK;
}

static bool is_sidecar(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && strcmp(dot, ".xmp") == 0;
}

/* A file that a walk has found: a photo with a sidecar, if there is one beside it. */
static dpl_status look_at(job *j, const char *path, dpl_error *err)
{
    char *sidecar = NULL;
    bool is_there;
    dpl_status status;
    int found = 0;

    if (is_sidecar(path))
        return DPL_OK;
    status = dpl_sidecar_find(&sidecar, &is_there, path, false, err);
    if (!status && is_there) {
        const size_t n = j->n_photos;

        status = dpl_gallery_find_photo(j->gallery, path, NULL, keep_enrolled, j, &found, err);
        if (!status && j->n_photos > n)
            status = read_one(j, &j->photos[n], sidecar, err);
        else if (!status)
            j->report->n_not_enrolled += dpl_image_is_meant(path, "", 0);
        while (j->n_photos > n)
            free(j->photos[--j->n_photos].path);
    }
    free(sidecar);
    return status;
}

static dpl_status read_all(job *j, const char *const *paths, size_t n_paths, dpl_error *err)
{
    const dpli_find_options how = {.follow_links = false};
    dpli_found_files files = {0};
    dpl_status status = dpli_find_files(&files, paths, n_paths, &how, err);

    j->n_total = (int64_t)files.n;
    for (size_t i = 0; !status && i < files.n; i++) {
        j->n_done = (int64_t)i + 1;
        status = dpli_cancelled(j->options.cancel) ? cancelled(err)
                                                   : look_at(j, files.items[i].path, err);
    }
    dpli_found_files_clear(&files);
    return status;
}

dpl_status dpl_xmp_read(dpl_xmp_report *report, dpl_gallery *gallery, const char *const *paths,
                        size_t n_paths, const dpl_xmp_options *options, dpl_error *err)
{
    dpl_error local = {DPL_OK, ""}, *why = err ? err : &local;
    job j = {.gallery = gallery, .report = report};
    const bool rehearsing = gallery->rehearsing;
    const double start = dpli_now();
    dpl_status status = open_job(&j, options, "read", why);

    if (!status && n_paths == 0)
        status = dpli_fail(why, DPL_E_ARGUMENT, "no photos or folders to read names for");
    if (!status)
        status = dpli_gallery_may_write(gallery, why);
    if (!status) {
        char *what = dpli_asprintf(why, "xmp read %s%s", paths[0], n_paths > 1 ? " …" : "");

        status = what ? dpli_change_begin(gallery, what, why) : DPL_E_MEMORY;
        free(what);
    }
    if (!status) {
        gallery->rehearsing = rehearsing || j.options.dry_run;
        status = read_all(&j, paths, n_paths, why);
        gallery->rehearsing = rehearsing;
        dpli_change_end(gallery);
    }
    report->seconds = dpli_now() - start;
    close_job(&j);
    return status;
}
