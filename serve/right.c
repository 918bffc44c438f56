/*
 * right.c - putting right by hand: whose a face is, whose it is not, who are two, and taking the
 * last change back.
 */
#include <stdlib.h>
#include <string.h>

#include "app/answer_gallery.h"
#include "serve/server.h"

/* A face of the gallery as answers name it. */
typedef struct named_face {
    int64_t template_id, photo_id;
    int32_t number;       /* among its photo's, from 1 */
    char *photo, *person; /* person NULL: nobody's */
    bool is_past;
} named_face;

static void clear(named_face *f)
{
    free(f->photo);
    free(f->person);
}

static dpl_status keep(void *ctx, const dpl_template_row *row)
{
    named_face *f = ctx;

    free(f->photo);
    free(f->person);
    f->photo_id = row->photo_id;
    f->photo = strdup(row->photo_path);
    f->person = row->person ? strdup(row->person) : NULL;
    return f->photo && (f->person || !row->person) ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status count_to(void *ctx, const dpl_template_row *row)
{
    named_face *f = ctx;

    f->number += row->is_face && !f->is_past ? 1 : 0;
    f->is_past |= row->id == f->template_id;
    return DPL_OK;
}

/* The face whose number is in the path. */
static dpl_status find_face(named_face *f, desk *d, const http_request *r, dpl_error *err)
{
    char *end;
    dpl_status status;

    *f = (named_face){.template_id = strtoll(r->path[2], &end, 10)};
    *err = (dpl_error){DPL_E_MEMORY, "out of memory"};
    if (*end || f->template_id < 1)
        return failed(err, DPL_E_ARGUMENT, "\"%.80s\" is no template's number", r->path[2]);
    status = dpl_gallery_get_template(d->gallery, f->template_id, keep, f, err);
    if (status == DPL_OK)
        status = dpl_gallery_each_template_of(d->gallery, f->photo_id, count_to, f, err);
    return status;
}

void answer_assign(desk *d, http_request *r)
{
    named_face was, is = {0};
    bool dry_run = false;
    const char *name;
    dpl_error err;
    dpl_status status = find_face(&was, d, r, &err);

    if (status == DPL_OK)
        status = ask_text(&name, r, "name", &err);
    if (status == DPL_OK)
        status = ask_bool(&dry_run, r, "dry_run", &err);
    if (status == DPL_OK) {
        dpl_gallery_rehearse(d->gallery, dry_run);
        status = dpl_gallery_assign(d->gallery, was.template_id, name, &err);
        dpl_gallery_rehearse(d->gallery, false);
    }
    /* The name as the gallery keeps it: one that somebody once had means them. */
    if (status == DPL_OK && !dry_run)
        status = find_face(&is, d, r, &err);
    if (status == DPL_OK)
        say_json(r, 200,
                 assign_json(was.photo, was.number, was.template_id, was.person,
                             is.person ? is.person : name, dry_run));
    else
        say_failure(r, &err);
    clear(&was);
    clear(&is);
}

/* Not this person's, or whose it is if none is named; of nobody's, not who its group shows. */
void answer_reject(desk *d, http_request *r)
{
    const char *name = http_get(r, "name");
    bool dry_run = false, by_group = false;
    int64_t group = 0;
    named_face f;
    dpl_error err;
    dpl_status status = find_face(&f, d, r, &err);

    if (status == DPL_OK) {
        by_group = !name && !f.person;
        name = name ? name : f.person;
        status = ask_bool(&dry_run, r, "dry_run", &err);
    }
    if (status == DPL_OK) {
        dpl_gallery_rehearse(d->gallery, dry_run);
        status = by_group ? dpl_gallery_reject_from_group(d->gallery, f.template_id, &group, &err)
                          : dpl_gallery_reject(d->gallery, f.template_id, name, &err);
        dpl_gallery_rehearse(d->gallery, false);
    }
    if (status == DPL_E_NOT_FOUND && by_group)
        say_problem(r, 409, "the face is nobody's and in no group; \"name\" says who it is not");
    else if (status != DPL_OK)
        say_failure(r, &err);
    else if (by_group)
        say_json(r, 200, reject_from_group_json(f.photo, f.number, f.template_id, group, dry_run));
    else
        say_json(r, 200, reject_json(f.photo, f.number, f.template_id, f.person, name, dry_run));
    clear(&f);
}

void answer_set_apart(desk *d, http_request *r)
{
    bool dry_run = false;
    const char *from;
    dpl_error err;
    dpl_status status = ask_text(&from, r, "from", &err);

    if (status == DPL_OK)
        status = ask_bool(&dry_run, r, "dry_run", &err);
    if (status == DPL_OK) {
        dpl_gallery_rehearse(d->gallery, dry_run);
        status = dpl_gallery_set_apart(d->gallery, r->path[2], from, &err);
        dpl_gallery_rehearse(d->gallery, false);
    }
    if (status == DPL_OK)
        say_json(r, 200, set_apart_json(r->path[2], from, dry_run));
    else
        say_failure(r, &err);
}

/* ------------------------------------------------------------------ taking back */

typedef struct last_change {
    bool done;      /* it is one that has been taken back */
    const char *is; /* what it has to be; NULL: anything */
    bool is_other, is_none, is_final;
    json_t *json;
} last_change;

static dpl_status take_change(void *ctx, const dpl_change *change)
{
    last_change *l = ctx;

    l->is_none = !change->what;
    l->is_final = change->is_final;
    l->is_other = l->is && (l->is_none || strcmp(l->is, change->what) != 0);
    l->json = l->is_none ? NULL : undo_json(change, l->done);
    return DPL_OK;
}

static void say_no_change(http_request *r, const last_change *l)
{
    say_problem(r, l->is_final ? 409 : 404,
                l->is_final ? "the last change was a forget, which cannot be taken back"
                            : "nothing was changed yet");
}

void answer_last_change(desk *d, http_request *r)
{
    last_change l = {false};
    dpl_error err;
    dpl_status status;

    pthread_rwlock_rdlock(&d->s->rows);
    status = dpl_gallery_last_change(d->gallery, take_change, &l, &err);
    pthread_rwlock_unlock(&d->s->rows);
    if (status != DPL_OK) {
        say_failure(r, &err);
    } else if (l.is_none || l.is_final) {
        say_no_change(r, &l);
        json_decref(l.json);
    } else {
        say_json(r, 200, l.json);
    }
}

/* Among several who change things the last change may not be the one that is meant: "change" says
 * what it was. */
void answer_undo(desk *d, http_request *r)
{
    last_change was = {.is = http_get(r, "change")}, is = {.done = true};
    dpl_error err;
    dpl_status status = dpl_gallery_last_change(d->gallery, take_change, &was, &err);

    json_decref(was.json);
    if (status == DPL_OK && was.is_other) {
        say_problem(r, 409, "the last change is another one");
        return;
    }
    if (status == DPL_OK && (was.is_none || was.is_final)) {
        say_no_change(r, &was);
        return;
    }
    if (status == DPL_OK)
        status = dpl_gallery_undo(d->gallery, &err);
    if (status == DPL_OK)
        status = dpl_gallery_last_change(d->gallery, take_change, &is, &err);
    if (status == DPL_OK)
        say_json(r, 200, is.json);
    else
        say_failure(r, &err);
}
