/*
 * repair.c - what check.c finds, had again from the photos.
 *
 * A damaged row cannot say which part of it is wrong, so nothing of one is believed that something
 * else does not prove: a person's name has to give the sum that was written with it, a photo's file
 * has to have the hash in its row, and the person of a photo whose own row is damaged has to be the
 * one that its folder or file is named after, as enrolment names people. Each photo is put anew in
 * one transaction.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/audit.h"
#include "index/gallery.h"
#include "index/pipeline.h"
#include "index/source.h"

/* A photo as its row has it, right or wrong. */
typedef struct hurt {
    int64_t id, person_id;
    char *path, *sha256, *options, *person, *meant; /* path NULL: its source is none */
    bool row_is_right;
} hurt;

typedef struct repair {
    dpl_gallery *gallery;
    const dpl_pipeline *pipeline;
    dpl_scratch *scratch;
    dpl_repair_report *report;
    void (*fn)(void *ctx, const dpl_repair_event *event);
    void *ctx;
    int64_t *photos, *persons; /* ids that the check has named */
    size_t n_photos, cap_photos, n_persons, cap_persons;
    bool structure, snapshots;
} repair;

/* ------------------------------------------------------------------ what is damaged */

static dpl_status keep_id(int64_t **ids, size_t *n, size_t *cap, int64_t id)
{
    int64_t *grown;

    for (size_t i = *n; i > 0 && i + 4 > *n; i--)
        if ((*ids)[i - 1] == id)
            return DPL_OK;
    grown = dpli_grow(*ids, cap, *n + 1, sizeof *grown, NULL);
    if (!grown)
        return DPL_E_MEMORY;
    *ids = grown;
    (*ids)[(*n)++] = id;
    return DPL_OK;
}

static dpl_status on_damage(void *ctx, const dpl_damage *d)
{
    repair *r = ctx;

    if (d->person_id)
        return keep_id(&r->persons, &r->n_persons, &r->cap_persons, d->person_id);
    if (d->photo_id)
        return keep_id(&r->photos, &r->n_photos, &r->cap_photos, d->photo_id);
    r->structure |= strcmp(d->part, "database") == 0;
    r->snapshots |= strcmp(d->part, "snapshot") == 0;
    return DPL_OK;
}

static void hurt_clear(hurt *h)
{
    free(h->path);
    free(h->sha256);
    free(h->options);
    free(h->person);
    free(h->meant);
    memset(h, 0, sizeof *h);
}

static dpl_status keep_hurt(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    hurt *h = ctx;

    h->id = r->id;
    h->person_id = r->person_id;
    h->row_is_right = r->sum == dpli_photo_sum(r);
    if (dpli_source_shown(&h->path, r->uri, NULL) != DPL_OK)
        h->path = NULL;
    h->sha256 = dpli_strdup(r->sha256, err);
    h->options = dpli_strdup(r->options, err);
    h->person = r->owner.name ? dpli_strdup(r->owner.name, err) : NULL;
    h->meant = r->meant ? dpli_strdup(r->meant, err) : NULL;
    return h->sha256 && h->options && (h->person || !r->owner.name) && (h->meant || !r->meant)
               ? DPL_OK
               : DPL_E_MEMORY;
}

static void tell(const repair *r, const char *photo, int mended, int dropped, const char *message)
{
    const dpl_repair_event event = {photo, message, mended, dropped};

    r->report->n_mended += mended;
    r->report->n_dropped += dropped;
    r->report->n_left += !mended && !dropped;
    if (r->fn)
        r->fn(r->ctx, &event);
}

/* ------------------------------------------------------------------ names */

/* The names that enrolment gives a file's person: its folder's, its own. The caller's. */
static char *name_by_path(const char *path, bool folder)
{
    char *copy = dpli_strdup(path, NULL), *slash = copy ? strrchr(copy, '/') : NULL, *name = NULL;
    char *dot;

    if (slash && folder) {
        *slash = '\0';
        slash = strrchr(copy, '/');
    }
    if (slash && slash[1]) {
        name = dpli_strdup(slash + 1, NULL);
        dot = name && !folder ? strrchr(name, '.') : NULL;
        if (dot && dot != name)
            *dot = '\0';
    }
    free(copy);
    return name;
}

typedef struct naming {
    int64_t person_id;
    uint64_t sum;
    char *name; /* found */
} naming;

static dpl_status find_sum(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    naming *n = ctx;

    (void)err;
    if (r->id == n->person_id)
        n->sum = r->sum;
    return DPL_OK;
}

static dpl_status try_path(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    naming *n = ctx;
    char *path;

    (void)err;
    if (n->name || r->person_id != n->person_id || dpli_source_shown(&path, r->uri, NULL) != DPL_OK)
        return DPL_OK;
    for (int folder = 1; folder >= 0 && !n->name; folder--) {
        n->name = name_by_path(path, folder != 0);
        if (n->name && dpli_person_sum(n->name) != n->sum) {
            free(n->name);
            n->name = NULL;
        }
    }
    free(path);
    return DPL_OK;
}

/* The photos of somebody whose name cannot be had are nobody's that could be told. */
static dpl_status give_up_person(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    repair *p = ctx;

    (void)err;
    for (size_t i = 0; i < p->n_persons; i++)
        if (r->person_id == p->persons[i])
            return keep_id(&p->photos, &p->n_photos, &p->cap_photos, r->id);
    return DPL_OK;
}

/* End a transaction of a repair, which cannot be taken back and is told to the audit. what: the
   member of its line that says what became of n rows. */
static dpl_status end_repair(const repair *r, dpl_status status, const char *what, int n,
                             dpl_error *err)
{
    char facts[64];

    snprintf(facts, sizeof facts, "{\"%s\":%d}", what, n);
    if (status == DPL_OK && n > 0)
        status = dpli_audit_write(r->gallery, NULL, NULL, err);
    if (status == DPL_OK && n > 0)
        status = dpli_audit_tell(r->gallery, "repair", 0, facts, err);
    return dpli_end_change(r->gallery, status, err);
}

static dpl_status mend_names(repair *r, dpl_error *err)
{
    static const dpli_photo_query all = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    dpli_store *s = r->gallery->store;
    dpl_status status = DPL_OK;
    size_t n_left = 0;

    for (size_t i = 0; i < r->n_persons && status == DPL_OK; i++) {
        naming n = {.person_id = r->persons[i]};

        status = s->ops->begin(s, true, err);
        if (status != DPL_OK)
            break;
        status = s->ops->each_person(s, true, find_sum, &n, err);
        if (status == DPL_OK)
            status = s->ops->each_photo(s, &all, try_path, &n, err);
        if (status == DPL_OK && n.name)
            status = s->ops->rename_person(s, n.person_id, n.name, n.sum, err);
        status = end_repair(r, status, "persons_changed", n.name != NULL, err);
        if (status == DPL_OK && n.name) {
            char *text = dpli_asprintf(NULL, "a name is \"%s\" again", n.name);

            tell(r, NULL, 1, 0, text ? text : "a name is there again");
            free(text);
        } else if (status == DPL_OK) {
            r->persons[n_left++] = r->persons[i];
        }
        free(n.name);
    }
    r->n_persons = n_left;
    if (status == DPL_OK && n_left > 0)
        status = s->ops->each_photo(s, &all, give_up_person, r, err);
    return status;
}

/* ------------------------------------------------------------------ photos */

static bool name_is_lost(const repair *r, const hurt *h)
{
    for (size_t i = 0; i < r->n_persons; i++)
        if (h->person_id == r->persons[i])
            return true;
    return false;
}

/* Whose it is, where that is proved. */
static const char *person_of(const hurt *h)
{
    const char *name = h->person ? h->person : h->meant;
    bool proved = h->row_is_right;

    for (int folder = 1; folder >= 0 && name && !proved; folder--) {
        char *by_path = name_by_path(h->path, folder != 0);

        proved = by_path && strcmp(by_path, name) == 0;
        free(by_path);
    }
    return proved ? name : NULL;
}

/* A photo that cannot be decoded was refused, and is again. */
static dpl_status put_refused(const repair *r, const hurt *h, const char *person,
                              const dpl_error *why, dpl_error *err)
{
    const dpl_new_photo photo = {.row = {.path = h->path,
                                         .sha256 = h->sha256,
                                         .meant = person,
                                         .status = why->status,
                                         .reason = why->message,
                                         .options = ""}};

    return dpl_gallery_put(r->gallery, &photo, 1, err);
}

static dpl_status put_again(const repair *r, const hurt *h, const char *person,
                            const uint8_t *bytes, size_t n_bytes, dpl_error *err)
{
    dpl_enroll_options options = DPL_ENROLL_OPTIONS_INIT;
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_error why = {DPL_OK, ""};
    dpl_status status =
        dpl_photo_from_bytes(&photo, r->pipeline, r->scratch, h->path, bytes, n_bytes, &why);
    int faces;

    options.name = person;
    if (sscanf(h->options, "faces=%d", &faces) == 1 && faces >= DPL_FACES_REFUSE &&
        faces <= DPL_FACES_ALL)
        options.faces = (dpl_faces_policy)faces;
    if (status == DPL_OK) {
        status = dpl_enroll_photo(r->gallery, r->pipeline, &photo, h->path, &options, &why);
        /* Refused, which is on disk, too. */
        if (status == DPL_E_NO_FACE || status == DPL_E_MANY_FACES || status == DPL_E_QUALITY)
            status = DPL_OK;
    } else if (dpl_status_exit_code(status) <= 4) {
        status = put_refused(r, h, person, &why, &why);
    }
    dpl_photo_clear(&photo);
    return status == DPL_OK ? DPL_OK : dpli_fail(err, status, "%s", why.message);
}

/* *lost: why it cannot be had, "" when it was. */
static dpl_status mend_photo(char lost[128], const repair *r, const hurt *h, dpl_error *err)
{
    const char *person = h->path ? person_of(h) : NULL;
    char sha256[65] = "";
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    struct stat st;
    dpl_status status = DPL_OK;

    snprintf(lost, 128, "%s",
             !h->path             ? "its path is damaged"
             : name_is_lost(r, h) ? "its person's name is damaged, and its path does not tell it"
             : !person            ? "whose it is cannot be proved by its path"
                                  : "");
    if (*lost)
        return DPL_OK;
    if (!dpli_source_is_file(h->path) || stat(h->path, &st) != 0 ||
        dpli_photo_read(&bytes, &n_bytes, sha256, r->pipeline, h->path, NULL) != DPL_OK)
        snprintf(lost, 128, "its file cannot be read");
    else if (strcmp(sha256, h->sha256) != 0)
        snprintf(lost, 128, "its file is not the one that was enrolled");
    else {
        status = put_again(r, h, person, bytes, n_bytes, err);
        if (status == DPL_OK)
            status =
                dpli_note_file(r->gallery, h->path, (int64_t)st.st_size,
                               (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, err);
    }
    free(bytes);
    return status;
}

static dpl_status drop_photo(const repair *r, int64_t id, dpl_error *err)
{
    dpli_store *s = r->gallery->store;
    dpl_status status = s->ops->begin(s, true, err);

    if (status != DPL_OK)
        return status;
    status = s->ops->drop_photo(s, id, err);
    if (status == DPL_OK)
        status = s->ops->drop_lonely(s, err);
    if (status == DPL_OK)
        status = s->ops->touch(s, err);
    return end_repair(r, status, "photos_removed", 1, err);
}

static dpl_status mend_photos(repair *r, bool drop, dpl_error *err)
{
    dpli_store *s = r->gallery->store;
    dpl_status status = DPL_OK;

    dpli_progress_begin(r->gallery, "photos", (int64_t)r->n_photos);
    for (size_t i = 0; i < r->n_photos && status == DPL_OK; i++) {
        const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, r->photos[i]};
        char lost[128] = "";
        hurt h = {0};

        status = s->ops->each_photo(s, &query, keep_hurt, &h, err);
        if (status == DPL_OK && h.id) {
            status = mend_photo(lost, r, &h, err);
            if (status == DPL_OK && *lost && drop)
                status = drop_photo(r, h.id, err);
            if (status == DPL_OK)
                tell(r, h.path, !*lost, *lost && drop, *lost ? lost : "read again");
        }
        hurt_clear(&h);
        dpli_progress_step(r->gallery, 1);
    }
    return status;
}

static dpl_status is_there(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    (void)r;
    (void)err;
    *(bool *)ctx = true;
    return DPL_OK;
}

/* People without a name who are left only because something was said not to be theirs. */
static dpl_status drop_people(repair *r, dpl_error *err)
{
    dpli_store *s = r->gallery->store;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < r->n_persons && status == DPL_OK; i++) {
        bool before = false, after = false;

        status = s->ops->begin(s, true, err);
        if (status != DPL_OK)
            break;
        status = s->ops->one_person(s, r->persons[i], is_there, &before, err);
        if (status == DPL_OK && before)
            status = dpli_drop_refusals_of(r->gallery, r->persons[i], err);
        if (status == DPL_OK && before)
            status = s->ops->drop_if_lonely(s, r->persons[i], err);
        if (status == DPL_OK)
            status = s->ops->one_person(s, r->persons[i], is_there, &after, err);
        status = end_repair(r, status, "persons_removed", before && !after, err);
        if (status == DPL_OK && before && !after)
            tell(r, NULL, 0, 1, "a name that faces were said not to be, which cannot be had again");
    }
    return status;
}

/* ------------------------------------------------------------------ repair */

/* Putting a photo replaces all its templates: those of a space whose encoder is not here would go.
 */
static dpl_status check_pipeline(const repair *r, dpl_error *err)
{
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(r->pipeline);
    dpl_gallery_counts counts;
    dpl_status status = dpl_gallery_count(&counts, r->gallery, err);

    if (status == DPL_OK && counts.n_templates_image > 0 && !image_encoder)
        return dpli_fail(err, DPL_E_MISMATCH,
                         "gallery \"%s\" holds vectors of whole pictures: their model is needed "
                         "(--image-model)",
                         r->gallery->dir);
    if (status == DPL_OK)
        status = dpl_gallery_bind(r->gallery, dpl_pipeline_encoder(r->pipeline), err);
    if (status == DPL_OK && image_encoder)
        status = dpl_gallery_bind(r->gallery, image_encoder, err);
    return status;
}

dpl_status dpl_gallery_repair(dpl_repair_report *out, dpl_gallery *gallery,
                              const dpl_pipeline *pipeline, int drop,
                              void (*fn)(void *ctx, const dpl_repair_event *event), void *ctx,
                              dpl_error *err)
{
    repair r = {.gallery = gallery, .pipeline = pipeline, .report = out, .fn = fn, .ctx = ctx};
    dpl_check_report found;
    dpl_status status;

    memset(out, 0, sizeof *out);
    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = dpl_gallery_check(&found, gallery, on_damage, &r, err);
    if (status != DPL_OK)
        goto done;
    if (r.structure) {
        status =
            dpli_fail(err, DPL_E_GALLERY,
                      "the structure of gallery \"%s\" is damaged: make a new one of an export "
                      "or of the photos",
                      gallery->dir);
        goto done;
    }
    if (r.n_photos + r.n_persons > 0) {
        status = check_pipeline(&r, err);
        if (status == DPL_OK)
            status = dpl_scratch_new(&r.scratch, 0, err);
        if (status == DPL_OK)
            status = mend_names(&r, err);
        if (status == DPL_OK)
            status = mend_photos(&r, drop != 0, err);
        if (status == DPL_OK && drop)
            status = drop_people(&r, err);
        if (status != DPL_OK)
            goto done;
    }
    if (r.snapshots || out->n_mended + out->n_dropped > 0)
        dpli_search_drop(gallery);
done:
    dpl_scratch_free(r.scratch);
    free(r.photos);
    free(r.persons);
    return status;
}
