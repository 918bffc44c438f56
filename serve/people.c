/*
 * people.c - who is in the gallery: told, added to, renamed, merged, forgotten.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_enroll.h"
#include "app/answer_gallery.h"
#include "app/json.h"
#include "serve/keep.h"
#include "serve/pages.h"
#include "serve/server.h"

/* ------------------------------------------------------------------ telling */

static dpl_status take_person(void *ctx, const dpl_person *row)
{
    return page_take(ctx, row->name, list_json(row));
}

void answer_people(desk *d, http_request *r)
{
    page_of_rows page;
    dpl_error err;
    dpl_status status = page_begin(&page, r, &err);

    pthread_rwlock_rdlock(&d->s->rows);
    if (status == DPL_OK)
        status = dpl_gallery_each_person(d->gallery, take_person, &page, &err);
    pthread_rwlock_unlock(&d->s->rows);
    page_end(&page, r, status, &err, "/v1/people");
}

static dpl_status take_photo(void *ctx, const dpl_photo_row *row)
{
    return page_take_photo(ctx, row);
}

void answer_person(desk *d, http_request *r)
{
    page_of_rows page;
    dpl_error err;
    dpl_status status = page_begin(&page, r, &err);

    pthread_rwlock_rdlock(&d->s->rows);
    if (status == DPL_OK)
        status = dpl_gallery_each_photo(d->gallery, r->path[2], take_photo, &page, &err);
    if (status == DPL_OK || status == DPL_E_CANCELLED) {
        const dpl_status faces = page_add_templates(&page, d->gallery, &err);

        status = faces != DPL_OK ? faces : status;
    }
    pthread_rwlock_unlock(&d->s->rows);
    if (status == DPL_OK && page.n == 0 && !page.after)
        status =
            failed(&err, DPL_E_NO_PERSON, "the gallery knows nobody called \"%.200s\"", r->path[2]);
    page_end(&page, r, status, &err, NULL);
}

/* ------------------------------------------------------------------ faces as pictures */

typedef struct picture {
    char *bytes;
    size_t n;
    float quality;
} picture;

static dpl_status take_picture(void *ctx, const dpl_template_row *row)
{
    picture *p = ctx;
    const float quality = row->is_face ? row->face.quality.overall : 0;
    char *bytes;

    if (row->n_thumb == 0 || (p->bytes && !(quality > p->quality)))
        return DPL_OK;
    bytes = malloc(row->n_thumb);
    if (!bytes)
        return DPL_E_MEMORY;
    memcpy(bytes, row->thumb, row->n_thumb);
    free(p->bytes);
    *p = (picture){bytes, row->n_thumb, quality};
    return DPL_OK;
}

static void say_picture(http_request *r, picture *p, dpl_status status, dpl_error *err)
{
    if (status == DPL_OK && !p->bytes)
        status = failed(err, DPL_E_NOT_FOUND, "there is no picture of it");
    if (status != DPL_OK) {
        free(p->bytes);
        say_failure(r, err);
        return;
    }
    http_say(r, 200, "image/jpeg", p->bytes, p->n);
}

void answer_portrait(desk *d, http_request *r)
{
    picture p = {0};
    dpl_error err = {DPL_E_MEMORY, "out of memory"};
    dpl_status status;

    pthread_rwlock_rdlock(&d->s->rows);
    status = dpl_gallery_each_template(d->gallery, r->path[2], NULL, take_picture, &p, &err);
    pthread_rwlock_unlock(&d->s->rows);
    say_picture(r, &p, status, &err);
}

void answer_face(desk *d, http_request *r)
{
    picture p = {0};
    dpl_error err = {DPL_E_MEMORY, "out of memory"};
    char *end;
    const long long id = strtoll(r->path[2], &end, 10);
    dpl_status status;

    if (*end || id < 1) {
        failed(&err, DPL_E_ARGUMENT, "\"%.80s\" is no template's number", r->path[2]);
        say_failure(r, &err);
        return;
    }
    pthread_rwlock_rdlock(&d->s->rows);
    status = dpl_gallery_get_template(d->gallery, id, take_picture, &p, &err);
    pthread_rwlock_unlock(&d->s->rows);
    say_picture(r, &p, status, &err);
}

/* ------------------------------------------------------------------ adding */

/* What the gallery knows of the same content. */
typedef struct known {
    const char *name; /* whose it is to be; NULL: nobody's */
    char *nobodys;    /* path of a photo of nobody's; NULL: there is none */
    char *theirs;     /* path of one that is theirs already */
    char *other;      /* whose it is else */
} known;

static dpl_status see_known(void *ctx, const dpl_photo_row *row)
{
    known *k = ctx;
    char **to = !row->person                                   ? &k->nobodys
                : k->name && strcmp(row->person, k->name) == 0 ? &k->theirs
                                                               : &k->other;

    if (row->status == DPL_OK && !*to)
        *to = strdup(to == &k->other ? row->person : row->path);
    return DPL_OK;
}

static void say_added(http_request *r, const char *by, const char *path, const char *name,
                      const dpl_photo *photo, dpl_outcome outcome)
{
    const dpl_enroll_event event = {
        .path = path,
        .person = name,
        .outcome = outcome,
        .status = DPL_OK,
        .message = photo->image.warning,
        .n_faces = photo->n_faces,
    };

    say_json(r, outcome == DPL_OUTCOME_ADDED ? 201 : 200, enroll_event_json(by, &event));
}

/* As undo is to tell it. */
static dpl_status begin_change(desk *d, const dpl_enroll_options *options, dpl_error *err)
{
    char *what =
        options->name ? text_try_format("enroll \"%s\"", options->name) : text_try_format("scan");
    const dpl_status status = what ? dpl_gallery_begin_change(d->gallery, what, err)
                                   : failed(err, DPL_E_MEMORY, "out of memory");

    free(what);
    return status;
}

/* Enrol it where it is to be known by: first tried, so that nothing is kept of what is refused. */
static dpl_status enroll(desk *d, const dpl_photo *photo, const http_part *part, const char *source,
                         const dpl_enroll_options *options, dpl_error *err)
{
    const server *s = d->s;
    const dpl_encoder *pictures = dpl_pipeline_image_encoder(s->pipeline);
    bool made = false;
    dpl_status status = dpl_gallery_bind(d->gallery, dpl_pipeline_encoder(s->pipeline), err);

    if (status == DPL_OK && pictures)
        status = dpl_gallery_bind(d->gallery, pictures, err);
    if (status == DPL_OK) {
        dpl_gallery_rehearse(d->gallery, true);
        status = dpl_enroll_photo(d->gallery, s->pipeline, photo, source, options, err);
        dpl_gallery_rehearse(d->gallery, false);
    }
    if (status == DPL_OK)
        status = begin_change(d, options, err);
    if (status == DPL_OK && keep_owns(s->photos, source))
        status = keep_write(&made, s->photos, source, part->bytes, part->n, err);
    if (status == DPL_OK)
        status = dpl_enroll_photo(d->gallery, s->pipeline, photo, source, options, err);
    dpl_gallery_end_change(d->gallery);
    if (status != DPL_OK && made) {
        dpl_error ignored;

        (void)keep_remove(s->photos, source, &ignored);
    }
    return status;
}

static void add(desk *d, http_request *r, const char *by, const char *name)
{
    static const char *const policies[] = {"refuse", "largest", "all", NULL};
    dpl_enroll_options options = DPL_ENROLL_OPTIONS_INIT;
    dpl_photo photo = DPL_PHOTO_INIT;
    known k = {.name = name};
    const http_part *part;
    int faces = name ? DPL_FACES_REFUSE : DPL_FACES_ALL, found;
    char *source = NULL;
    dpl_error err;
    dpl_status status = ask_choice(&faces, r, "faces", policies, &err);

    if (status == DPL_OK)
        status = open_photo(&photo, &part, d, r, NULL, &err);
    if (status == DPL_OK)
        status =
            dpl_gallery_find_photo(d->gallery, NULL, photo.sha256, see_known, &k, &found, &err);
    if (status != DPL_OK) {
        say_failure(r, &err);
    } else if (k.other) {
        char *why = text_try_format("the photo is in the gallery already, as %s's%s", k.other,
                                    name ? "; rename or merge, or forget it first" : "");

        say_problem(r, why ? 409 : 503, why ? why : "out of memory");
        free(why);
    } else if (k.theirs || (!name && k.nobodys)) {
        say_added(r, by, k.theirs ? k.theirs : k.nobodys, name, &photo, DPL_OUTCOME_UNCHANGED);
    } else {
        options.name = name;
        options.faces = (dpl_faces_policy)faces;
        options.nobodys = !name;
        source = k.nobodys ? strdup(k.nobodys) : keep_path(d->s->photos, &photo);
        status = source ? enroll(d, &photo, part, source, &options, &err)
                        : failed(&err, DPL_E_MEMORY, "out of memory");
        if (status == DPL_OK) {
            say_added(r, by, source, name, &photo,
                      k.nobodys ? DPL_OUTCOME_UPDATED : DPL_OUTCOME_ADDED);
        } else {
            say_failure(r, &err);
        }
    }
    free(source);
    free(k.nobodys);
    free(k.theirs);
    free(k.other);
    dpl_photo_clear(&photo);
}

void answer_add(desk *d, http_request *r)
{
    add(d, r, "enroll", r->path[2]);
}

void answer_add_photo(desk *d, http_request *r)
{
    add(d, r, "scan", NULL);
}

/* ------------------------------------------------------------------ changing */

void answer_rename(desk *d, http_request *r)
{
    const char *to;
    dpl_error err;
    dpl_status status = ask_text(&to, r, "name", &err);

    if (status == DPL_OK)
        status = dpl_gallery_rename(d->gallery, r->path[2], to, &err);
    if (status != DPL_OK) {
        say_failure(r, &err);
        return;
    }
    say_json(r, 200, rename_json(r->path[2], to));
}

/* How alike the two are, at the rate of a gallery of so many; false: it is not known. */
static bool compare(dpl_comparison *alike, desk *d, const char *a, const char *b)
{
    const dpl_pipeline *pipeline = d->s->pipeline;
    dpl_policy policy;
    int64_t n;

    return dpl_gallery_count_people(&n, d->gallery, NULL) == DPL_OK &&
           dpl_policy_for_search(&policy, dpl_pipeline_calibration(pipeline), DPL_DEFAULT_FPIR, n,
                                 NULL) == DPL_OK &&
           dpl_compare_people(alike, d->gallery, pipeline, &policy, a, b, NULL) == DPL_OK;
}

void answer_merge(desk *d, http_request *r)
{
    const char *from = r->path[2], *into;
    bool yes = false, dry_run = false, is_known = false;
    dpl_merge_report report;
    dpl_comparison alike;
    dpl_error err;
    dpl_status status = ask_text(&into, r, "into", &err);

    if (status == DPL_OK)
        status = ask_bool(&yes, r, "yes", &err);
    if (status == DPL_OK)
        status = ask_bool(&dry_run, r, "dry_run", &err);
    if (status == DPL_OK) {
        dpl_gallery_rehearse(d->gallery, true);
        status = dpl_gallery_merge(&report, d->gallery, from, into, &err);
        dpl_gallery_rehearse(d->gallery, false);
    }
    if (status == DPL_OK) {
        is_known = compare(&alike, d, from, into);
        if (!yes && !dry_run && !(is_known && alike.decision == DPL_DECISION_MATCH)) {
            say_problem(r, 409, "the two do not match; \"yes\": true says that it is meant");
            return;
        }
        if (!dry_run)
            status = dpl_gallery_merge(&report, d->gallery, from, into, &err);
    }
    if (status != DPL_OK) {
        say_failure(r, &err);
        return;
    }
    say_json(r, 200,
             merge_json(from, into, &report,
                        is_known ? dpl_pipeline_calibration(d->s->pipeline) : NULL,
                        is_known ? &alike : NULL, dry_run));
}

/* ------------------------------------------------------------------ forgetting */

/* Files of the server's that go when the gallery does not know them any more. */
typedef struct files {
    const char *folder;
    char **paths;
    size_t n;
} files;

static dpl_status note_file(void *ctx, const dpl_photo_row *row)
{
    files *f = ctx;

    if (!keep_owns(f->folder, row->path))
        return DPL_OK;
    /* There is room up to the next power of two. */
    if ((f->n & (f->n - 1)) == 0) {
        char **longer = reallocarray(f->paths, f->n ? 2 * f->n : 1, sizeof *f->paths);

        if (!longer)
            return DPL_E_MEMORY;
        f->paths = longer;
    }
    f->paths[f->n] = strdup(row->path);
    if (!f->paths[f->n])
        return DPL_E_MEMORY;
    f->n++;
    return DPL_OK;
}

static dpl_status see(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

static dpl_status remove_files(int64_t *n_removed, const files *f, desk *d, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < f->n && status == DPL_OK; i++) {
        int found = 0;

        status = dpl_gallery_find_photo(d->gallery, f->paths[i], NULL, see, NULL, &found, err);
        if (status == DPL_OK && !found) {
            status = keep_remove(f->folder, f->paths[i], err);
            *n_removed += status == DPL_OK;
        }
    }
    return status;
}

static void forget(desk *d, http_request *r, const char *person, const char *path)
{
    files f = {.folder = d->s->photos};
    bool dry_run = false;
    dpl_forget_report report;
    dpl_error err = {DPL_E_MEMORY, "out of memory"};
    int64_t n_removed = 0;
    char *receipt = NULL;
    int found;
    dpl_status status = ask_bool(&dry_run, r, "dry_run", &err);

    if (status == DPL_OK)
        status = person
                     ? dpl_gallery_each_photo(d->gallery, person, note_file, &f, &err)
                     : dpl_gallery_find_photo(d->gallery, path, NULL, note_file, &f, &found, &err);
    if (status == DPL_OK) {
        /* A reader that holds the old rows keeps their bytes in the log. */
        pthread_rwlock_wrlock(&d->s->rows);
        status =
            dpl_gallery_forget(&report, d->gallery, person, &path, person ? 0 : 1, dry_run, &err);
        pthread_rwlock_unlock(&d->s->rows);
    }
    if (status == DPL_OK && !dry_run)
        status = remove_files(&n_removed, &f, d, &err);
    if (status == DPL_OK) {
        const bool is_left = !dry_run && (report.n_left > 0 || report.n_strings_left > 0);
        json_t *answer = forget_json(person, &path, person ? 0 : 1, dry_run, &report);
        json_t *paper = NULL;

        if (!dry_run) {
            json_put_int(&answer, "n_files_removed", n_removed);
            /* It is forgotten, whether there is a receipt (its line may be still to be written) or
               not. */
            if (dpl_forget_receipt(&receipt, d->gallery, &report, person, &path, person ? 0 : 1,
                                   NULL) == DPL_OK)
                paper = json_loads(receipt, 0, NULL);
        }
        if (paper)
            json_put(&answer, "receipt", paper);
        say_json(r, is_left ? 500 : 200, answer);
    } else {
        say_failure(r, &err);
    }
    free(receipt);
    for (size_t i = 0; i < f.n; i++)
        free(f.paths[i]);
    free(f.paths);
}

void answer_forget_person(desk *d, http_request *r)
{
    forget(d, r, r->path[2], NULL);
}

void answer_forget_photo(desk *d, http_request *r)
{
    const char *path;
    dpl_error err;

    if (ask_text(&path, r, "photo", &err) == DPL_OK)
        forget(d, r, NULL, path);
    else
        say_failure(r, &err);
}

/* ------------------------------------------------------------------ photos */

void answer_photos(desk *d, http_request *r)
{
    page_of_rows page;
    dpl_error err;
    dpl_status status = page_begin(&page, r, &err);

    pthread_rwlock_rdlock(&d->s->rows);
    if (status == DPL_OK)
        status = dpl_gallery_each_photo(d->gallery, http_get(r, "person"), take_photo, &page, &err);
    if (status == DPL_OK || status == DPL_E_CANCELLED) {
        const dpl_status faces = page_add_templates(&page, d->gallery, &err);

        status = faces != DPL_OK ? faces : status;
    }
    pthread_rwlock_unlock(&d->s->rows);
    page_end(&page, r, status, &err, "/v1/photos");
}
