/*
 * groups.c - the faces of nobody by who they show, and copies of photos.
 */
#include <stdlib.h>
#include <string.h>

#include "app/answer_dupes.h"
#include "app/answer_group.h"
#include "app/json.h"
#include "serve/server.h"

/* ------------------------------------------------------------------ groups */

typedef struct gathering {
    const dpl_pipeline *pipeline;
    json_t *groups;
} gathering;

static dpl_status take_group(void *ctx, const dpl_group_row *row)
{
    gathering *g = ctx;

    json_add(&g->groups, group_json(row, dpl_pipeline_calibration(g->pipeline)));
    return g->groups ? DPL_OK : DPL_E_MEMORY;
}

static void say_groups(http_request *r, gathering *g, json_t *summary, dpl_status status,
                       const dpl_error *err)
{
    json_add(&g->groups, summary);
    if (status == DPL_OK) {
        say_json(r, 200, g->groups);
        return;
    }
    json_decref(g->groups);
    say_failure(r, err);
}

void answer_groups(desk *d, http_request *r)
{
    gathering g = {.pipeline = d->s->pipeline, .groups = json_array()};
    dpl_groups_options options = DPL_GROUPS_OPTIONS_INIT;
    dpl_error err = {DPL_E_MEMORY, "out of memory"};
    int64_t n = 0;
    dpl_status status;

    options.limit = 20;
    status = ask_int(&options.limit, r, "limit", 0, 1000000, &err);
    if (status == DPL_OK)
        status = ask_int(&options.min_faces, r, "min_size", 2, 1000000000, &err);
    if (status == DPL_OK) {
        pthread_rwlock_rdlock(&d->s->rows);
        status =
            dpl_gallery_each_group(d->gallery, d->s->pipeline, &options, &n, take_group, &g, &err);
        pthread_rwlock_unlock(&d->s->rows);
    }
    say_groups(r, &g, groups_json(NULL, n, 0, false), status, &err);
}

void answer_make_groups(desk *d, http_request *r)
{
    gathering g = {.pipeline = d->s->pipeline, .groups = json_array()};
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    dpl_group_report report = {0};
    dpl_error err = {DPL_E_MEMORY, "out of memory"};
    dpl_status status;

    options.limit = 20;
    status = ask_int(&options.limit, r, "limit", 0, 1000000, &err);
    if (status == DPL_OK)
        status = ask_int(&options.min_faces, r, "min_size", 2, 1000000000, &err);
    if (status == DPL_OK)
        status = ask_real(&options.precision, r, "precision", DPL_GROUP_PRECISION_MIN,
                          DPL_GROUP_PRECISION_MAX, &err);
    if (status == DPL_OK) {
        options.n_threads = d->s->o->n_threads;
        options.cancel = &d->s->stop;
        options.on_group = take_group;
        options.ctx = &g;
        status = dpl_group(&report, d->gallery, d->s->pipeline, &options, &err);
    }
    say_groups(r, &g, groups_json(&report, report.n_groups, options.precision, false), status,
               &err);
}

/* ------------------------------------------------------------------ naming */

typedef struct likeness {
    bool is_unlike;
} likeness;

static dpl_status see_likeness(void *ctx, const dpl_group_row *row)
{
    likeness *l = ctx;

    l->is_unlike = row->comparison.decision == DPL_DECISION_NO_MATCH;
    return DPL_OK;
}

static dpl_status see_photo(void *ctx, const dpl_photo_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return DPL_OK;
}

void answer_name_group(desk *d, http_request *r)
{
    dpl_groups_options options = DPL_GROUPS_OPTIONS_INIT;
    likeness like = {false};
    bool yes = false, known = false;
    dpl_name_report report;
    const char *name;
    dpl_error err;
    char *end;
    dpl_status status = ask_text(&name, r, "name", &err);

    options.number = strtoll(r->path[2], &end, 10);
    if (status == DPL_OK)
        status = ask_bool(&yes, r, "yes", &err);
    if (status == DPL_OK && (*end || options.number < 1))
        status = failed(&err, DPL_E_ARGUMENT, "\"%.80s\" is no group's number", r->path[2]);
    if (status == DPL_OK && !yes)
        status = dpl_gallery_each_photo(d->gallery, name, see_photo, &known, &err);
    if (status == DPL_OK && known) {
        options.person = name;
        status = dpl_gallery_each_group(d->gallery, d->s->pipeline, &options, NULL, see_likeness,
                                        &like, &err);
    }
    if (status == DPL_OK && like.is_unlike) {
        say_problem(r, 409,
                    "the group does not look like the person of that name; \"yes\": true "
                    "says that it is meant");
        return;
    }
    if (status == DPL_OK)
        status = dpl_gallery_name_group(&report, d->gallery, options.number, name, &err);
    if (status != DPL_OK) {
        say_failure(r, &err);
        return;
    }
    say_json(r, 200, name_json(options.number, name, &report, false));
}

/* ------------------------------------------------------------------ copies */

typedef struct copies {
    json_t *array;
    char **paths;
    size_t n, cap;
} copies;

static dpl_status take_path(void *ctx, const dpl_photo_row *row)
{
    copies *c = ctx;

    if (row->path[0] != '/')
        return DPL_OK;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 256;
        char **longer = reallocarray(c->paths, cap, sizeof *longer);

        if (!longer)
            return DPL_E_MEMORY;
        c->paths = longer;
        c->cap = cap;
    }
    c->paths[c->n] = strdup(row->path);
    if (!c->paths[c->n])
        return DPL_E_MEMORY;
    c->n++;
    return DPL_OK;
}

static void take_failure(void *ctx, const dpl_photos_event *event)
{
    copies *c = ctx;

    if (event->status != DPL_OK && !event->passed_over)
        json_add(&c->array, dupes_failure_json(event));
}

static void take_copies(void *ctx, const dpl_copy *photos, size_t n)
{
    copies *c = ctx;

    json_add(&c->array, dupes_group_json(photos, n));
}

void answer_dupes(desk *d, http_request *r)
{
    dpl_copies_options options = DPL_COPIES_OPTIONS_INIT;
    const dpl_pipeline *pipeline = d->s->copies;
    copies c = {.array = json_array()};
    dpl_copies_report report;
    dpl_error err = {DPL_E_MEMORY, "out of memory"};
    dpl_status status = ask_real(&options.burst_s, r, "burst", 0, 86400, &err);

    if (status == DPL_OK && !pipeline)
        status =
            failed(&err, DPL_E_MODEL, "there is no model of whole pictures (" DPL_MODEL_IMAGE ")");
    if (status == DPL_OK) {
        pthread_rwlock_rdlock(&d->s->rows);
        status = dpl_gallery_each_photo(d->gallery, NULL, take_path, &c, &err);
        pthread_rwlock_unlock(&d->s->rows);
    }
    if (status == DPL_OK) {
        options.n_threads = 1; /* those who ask who somebody is are not to wait for it */
        options.cancel = &d->s->stop;
        options.on_photo = take_failure;
        options.on_group = take_copies;
        options.ctx = &c;
        status =
            dpl_find_copies(&report, pipeline, (const char *const *)c.paths, c.n, &options, &err);
    }
    if (status == DPL_OK) {
        json_add(&c.array, dupes_report_json(&report, pipeline));
        say_json(r, 200, c.array);
    } else {
        json_decref(c.array);
        say_failure(r, &err);
    }
    for (size_t i = 0; i < c.n; i++)
        free(c.paths[i]);
    free(c.paths);
}
