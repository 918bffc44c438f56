/*
 * gallery_forget.c - forgetting a person or a photo so that nothing of them is left, and proving
 * it.
 *
 * In this order, so that a kill at any instant leaves either everything or the certainty that the
 * next writer finishes: (1) one transaction removes the rows and sets the gallery's mark that it
 * wants to be scrubbed; (2) snapshots of the index are written anew without them, or go; (3) the
 * keeper scrubs its files, and clears the mark. What a disk keeps of blocks that it has freed is
 * beyond a program's reach.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/score.h"
#include "index/audit.h"
#include "index/gallery.h"
#include "index/receipt.h"
#include "index/source.h"
#include "index/staged.h"
#include "index/traces.h"

dpl_status dpli_gallery_scrub(dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;

    dpli_search_scrub(gallery);
    dpli_staged_discard(gallery->store->folder); /* which has vectors of those who are gone */
    return s->ops->scrub(s, err);
}

/* ------------------------------------------------------------------ what goes */

/* The ids of the photos that are to go, rising, and the strings that go with them: names, sources,
   hashes. Of photos that show others by name, too, only templates go. */
struct target {
    int64_t *ids;
    size_t n, cap;
    int64_t *templates; /* of photos that stay */
    size_t n_templates, cap_templates;
    int64_t *disowned; /* photos that stay, and were the person's as a whole */
    size_t n_disowned, cap_disowned, n_kept;
    int64_t person_id; /* 0: no person is to go */
    dpli_traces traces;
};

static void target_clear(struct target *t)
{
    free(t->ids);
    free(t->templates);
    free(t->disowned);
    dpli_traces_clear(&t->traces);
}

static dpl_status add_id(int64_t **ids, size_t *n, size_t *cap, int64_t id, dpl_error *err)
{
    int64_t *grown = dpli_grow(*ids, cap, *n + 1, sizeof *grown, err);

    if (!grown)
        return DPL_E_MEMORY;
    *ids = grown;
    grown[(*n)++] = id;
    return DPL_OK;
}

static dpl_status trace(dpli_traces *traces, const char *s, dpl_error *err)
{
    const size_t n = s ? strlen(s) : 0;

    return n >= DPLI_TRACE_MIN_BYTES ? dpli_traces_add(traces, s, n, err) : DPL_OK;
}

/* A name with its sum, as a row of people ends in the database's file: a short name alone stands
   anywhere by chance. *n: its bytes; the caller's. */
static uint8_t *summed_name(size_t *n, const char *name, dpl_error *err)
{
    const uint64_t sum = dpli_person_sum(name);
    const size_t n_name = strlen(name);
    uint8_t *bytes = dpli_alloc(n_name + sizeof sum, 1, err);

    *n = n_name + sizeof sum;
    if (!bytes)
        return NULL;
    for (size_t i = 0; i < n_name; i++)
        bytes[i] = (uint8_t)name[i];
    for (size_t i = 0; i < sizeof sum; i++)
        bytes[n_name + i] = (uint8_t)(sum >> (56 - 8 * i));
    return bytes;
}

static dpl_status trace_name(dpli_traces *traces, const char *name, dpl_error *err)
{
    dpl_status status;
    uint8_t *bytes;
    size_t n;

    if (!name)
        return DPL_OK;
    status = trace(traces, name, err);
    if (status != DPL_OK)
        return status;
    bytes = summed_name(&n, name, err);
    status = bytes ? dpli_traces_add(traces, bytes, n, err) : DPL_E_MEMORY;
    free(bytes);
    return status;
}

static dpl_status target_add(void *ctx, const dpli_photo_record *row, dpl_error *err)
{
    struct target *t = ctx;
    dpl_status status = add_id(&t->ids, &t->n, &t->cap, row->id, err);

    if (status == DPL_OK)
        status = trace(&t->traces, row->uri, err);
    if (status == DPL_OK)
        status = trace(&t->traces, row->sha256, err);
    if (status == DPL_OK)
        status = trace_name(&t->traces, row->owner.name, err);
    if (status != DPL_OK)
        return status;
    return trace_name(&t->traces, row->meant, err);
}

/* Add the photos that a query gives; *any: whether there were. The rows are not looked at: what is
   damaged can be forgotten, too. */
static dpl_status target_ask(bool *any, struct target *t, dpl_gallery *gallery,
                             const dpli_photo_query *query, dpl_error *err)
{
    dpli_store *s = gallery->store;
    size_t n_before = t->n;
    dpl_status status = s->ops->each_photo(s, query, target_add, t, err);

    *any = t->n > n_before;
    return status;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static dpl_status target_path(struct target *t, dpl_gallery *gallery, const char *path,
                              dpl_error *err)
{
    dpli_photo_query query = {DPLI_PHOTO_AT, NULL, 0};
    char *uri;
    dpl_status status = dpli_source_of(&uri, path, err);
    bool any = false;

    query.text = uri;
    if (status == DPL_OK)
        status = target_ask(&any, t, gallery, &query, err);
    if (status == DPL_E_ARGUMENT || (status == DPL_OK && !any))
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no photo \"%s\"", path);
    free(uri);
    return status;
}

/* A person who is to go, in one photo after the other. */
struct leaving {
    struct target *target;
    dpl_gallery *gallery;
    int64_t person_id; /* 0: only refused photos were to be theirs */
    bool shows_others; /* the photo that is looked at: by name */
    bool is_theirs;
};

static dpl_status look_for_others(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct leaving *l = ctx;

    (void)err;
    l->shows_others |= r->vector.owner.person_id && r->vector.owner.person_id != l->person_id;
    return DPL_OK;
}

/* Of a photo that was theirs, faces of nobody's may be theirs, too. */
static dpl_status take_theirs(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct leaving *l = ctx;
    struct target *t = l->target;
    const int64_t owner = r->vector.owner.person_id;

    return owner == l->person_id || (!owner && l->is_theirs)
               ? add_id(&t->templates, &t->n_templates, &t->cap_templates, r->vector.id, err)
               : DPL_OK;
}

static dpl_status leave_photo(struct leaving *l, const dpli_photo_record *row, bool is_theirs,
                              dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATES_IN, row->id, NULL};
    dpli_store *s = l->gallery->store;
    struct target *t = l->target;
    dpl_status status;

    l->is_theirs = is_theirs;
    l->shows_others = false;
    status = s->ops->each_template(s, &query, look_for_others, l, err);
    /* A damaged row cannot be written again. */
    if (status == DPL_OK && is_theirs && (!l->shows_others || row->sum != dpli_photo_sum(row)))
        return target_add(t, row, err);
    if (status == DPL_OK && is_theirs)
        status = add_id(&t->disowned, &t->n_disowned, &t->cap_disowned, row->id, err);
    t->n_kept++;
    return status == DPL_OK ? s->ops->each_template(s, &query, take_theirs, l, err) : status;
}

static dpl_status leave_own(void *ctx, const dpli_photo_record *row, dpl_error *err)
{
    struct leaving *l = ctx;

    return leave_photo(l, row, row->person_id == l->person_id, err);
}

static dpl_status leave_meant(void *ctx, const dpli_photo_record *row, dpl_error *err)
{
    struct leaving *l = ctx;

    /* Among theirs by a face, it was looked at already. */
    return row->person_id && row->person_id == l->person_id ? DPL_OK
                                                            : leave_photo(l, row, true, err);
}

static dpl_status trace_alias(void *ctx, const dpli_alias_record *r, dpl_error *err)
{
    const struct leaving *l = ctx;

    return r->person_id == l->person_id ? trace(&l->target->traces, r->name, err) : DPL_OK;
}

/* A person's photos and faces, and photos that were to be theirs. */
static dpl_status target_person(struct target *t, dpl_gallery *gallery, const char *person,
                                dpl_error *err)
{
    struct leaving l = {.target = t, .gallery = gallery};
    dpli_photo_query theirs = {DPLI_PHOTOS_OF, NULL, 0}, meant = {DPLI_PHOTOS_MEANT_FOR, person, 0};
    dpli_store *s = gallery->store;
    char *name = NULL;
    dpl_status status = dpli_find_called(&l.person_id, &name, gallery, person, err);

    if (status == DPL_OK && name) {
        t->person_id = theirs.id = l.person_id;
        meant.text = name;
        status = trace_name(&t->traces, name, err);
        if (status == DPL_OK)
            status = s->ops->each_photo(s, &theirs, leave_own, &l, err);
        if (status == DPL_OK)
            status = s->ops->each_alias(s, trace_alias, &l, err);
    }
    if (status == DPL_OK)
        status = s->ops->each_photo(s, &meant, leave_meant, &l, err);
    if (status == DPL_OK && !l.person_id && t->n + t->n_kept == 0)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", person);
    free(name);
    return status;
}

static dpl_status target_find(struct target *t, dpl_gallery *gallery, const char *person,
                              const char *const *paths, size_t n_paths, dpl_error *err)
{
    dpl_status status = DPL_OK;
    size_t n = 0;

    if (person)
        status = target_person(t, gallery, person, err);
    for (size_t i = 0; i < n_paths && !person && status == DPL_OK; i++)
        status = target_path(t, gallery, paths[i], err);
    if (status != DPL_OK)
        return status;
    /* A path given twice counts once. */
    if (t->n > 0)
        qsort(t->ids, t->n, sizeof *t->ids, by_id);
    for (size_t i = 0; i < t->n; i++)
        if (i == 0 || t->ids[i] != t->ids[i - 1])
            t->ids[n++] = t->ids[i];
    t->n = n;
    return DPL_OK;
}

/* ------------------------------------------------------------------ the proof */

/* The templates of one space that are to go. A damaged vector cannot be searched for, but must not
   keep its row from being forgotten. */
struct gone {
    int32_t dim; /* of the model that the space is bound to; 0: none */
    size_t n, n_rows, cap;
    int64_t *ids; /* [n] rising */
    char *left;   /* [n] found afterwards */
    float *rows;  /* [n_rows, dim], n_rows at most n */
};

/* All of them: of a dry run only counted. */
struct going {
    struct gone spaces[DPLI_N_SPACES];
    int64_t n;
    bool counted_only;
    dpli_traces *traces; /* gets captions */
};

static void going_clear(struct going *going)
{
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        free(going->spaces[i].ids);
        free(going->spaces[i].left);
        free(going->spaces[i].rows);
    }
}

static dpl_status gone_grow(struct gone *g, dpl_error *err)
{
    const size_t cap = g->cap ? 2 * g->cap : 64;
    size_t n_numbers;
    int64_t *ids;
    float *rows;

    if (g->n < g->cap)
        return DPL_OK;
    ids = dpli_realloc(g->ids, cap, sizeof *ids, err);
    if (!ids)
        return DPL_E_MEMORY;
    g->ids = ids;
    if (!dpli_mul(&n_numbers, cap, (size_t)g->dim))
        return dpli_fail(err, DPL_E_MEMORY, "too many vectors to forget at once");
    rows = dpli_realloc(g->rows, n_numbers, sizeof *rows, err);
    if (!rows)
        return DPL_E_MEMORY;
    g->rows = rows;
    g->cap = cap;
    return DPL_OK;
}

static dpl_status going_add(void *ctx, const dpli_template_record *row, dpl_error *err)
{
    struct going *going = ctx;
    dpl_status status;
    const dpli_space *space = dpli_space_find(row->space);
    struct gone *g = space ? &going->spaces[dpli_space_number(space)] : NULL;
    bool searchable;
    float *to;

    going->n++;
    if (going->counted_only)
        return DPL_OK;
    status = trace(going->traces, row->caption, err);
    if (status != DPL_OK || !g || !g->dim)
        return status;
    if (gone_grow(g, err) != DPL_OK)
        return DPL_E_MEMORY;
    g->ids[g->n++] = row->vector.id;
    to = g->rows + g->n_rows * (size_t)g->dim;
    searchable = row->vector.n_bytes == (size_t)g->dim * sizeof *to;
    if (!searchable)
        return DPL_OK;
    memcpy(to, row->vector.bytes, row->vector.n_bytes);
    for (int32_t k = 0; k < g->dim; k++)
        searchable &= isfinite(to[k]) != 0;
    g->n_rows += searchable;
    return DPL_OK;
}

static dpl_status going_collect(struct going *going, dpl_gallery *gallery, struct target *t,
                                dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = DPL_OK;

    going->traces = &t->traces;

    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++) {
        dpli_bound bound;

        status = dpli_bound_model(&bound, gallery, &dpli_spaces[i], err);
        going->spaces[i].dim = bound.dim;
    }
    for (size_t i = 0; i < t->n && status == DPL_OK; i++) {
        const dpli_template_query query = {DPLI_TEMPLATES_IN, t->ids[i], NULL};

        status = s->ops->each_template(s, &query, going_add, going, err);
    }
    for (size_t i = 0; i < t->n_templates && status == DPL_OK; i++) {
        const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, t->templates[i], NULL};

        status = s->ops->each_template(s, &query, going_add, going, err);
    }
    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++) {
        struct gone *g = &going->spaces[i];

        if (g->n == 0)
            continue;
        qsort(g->ids, g->n, sizeof *g->ids, by_id);
        g->left = dpli_calloc(g->n, 1, err);
        if (!g->left)
            status = DPL_E_MEMORY;
    }
    return status;
}

/* Search for each vector as a query would; a hit among the forgotten is one that is left. By
   distance, because then a vector's own row comes first whatever its length. */
static dpl_status gone_search(struct gone *g, dpl_gallery *gallery, const dpli_space *space,
                              dpl_error *err)
{
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_head *head = NULL;
    dpl_hit *hits = NULL;
    dpl_status status;
    size_t n_hits;

    /* The index is gone, and making one anew for a proof would take longer than comparing all. */
    options.exact_up_to = INT64_MAX;
    status = dpl_head_new(&head, DPL_HEAD_EUCLIDEAN, g->dim, NULL, 0, err);
    if (status != DPL_OK)
        goto done;
    hits = dpli_mul(&n_hits, g->n_rows, (size_t)options.k) ? dpli_alloc(n_hits, sizeof *hits, err)
                                                           : NULL;
    if (!hits) {
        status = DPL_E_MEMORY;
        goto done;
    }
    status = dpl_gallery_search(hits, gallery, head, space->name, g->rows, g->n_rows, g->dim,
                                &options, NULL, err);
    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < n_hits; i++) {
        int64_t *left = bsearch(&hits[i].template_id, g->ids, g->n, sizeof *g->ids, by_id);

        if (left)
            g->left[left - g->ids] = 1;
    }
done:
    free(hits);
    dpl_head_free(head);
    return status;
}

static dpl_status found_one(void *ctx, const dpli_template_record *row, dpl_error *err)
{
    (void)row;
    (void)err;
    *(bool *)ctx = true;
    return DPL_OK;
}

/* *n_left += templates that a search or the table still has. */
static dpl_status gone_prove(int64_t *n_left, struct gone *g, dpl_gallery *gallery,
                             const dpli_space *space, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = g->n_rows ? gone_search(g, gallery, space, err) : DPL_OK;

    for (size_t i = 0; i < g->n && status == DPL_OK; i++) {
        const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, g->ids[i], NULL};
        bool there = false;

        status = s->ops->each_template(s, &query, found_one, &there, err);
        *n_left += status == DPL_OK && (there || g->left[i]);
    }
    return status;
}

/* What stays has a right to its strings: copies of a removed photo have its hash, and "Anna Bell"
   has "Anna". */
static dpl_status allow_person(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    size_t n;
    uint8_t *bytes = summed_name(&n, r->name, err);

    if (!bytes)
        return DPL_E_MEMORY;
    dpli_traces_allow(ctx, bytes, n);
    free(bytes);
    return DPL_OK;
}

static dpl_status allow_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    const char *const strings[] = {r->uri, r->sha256, r->reason, r->options, r->meant};

    (void)err;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        if (strings[i])
            dpli_traces_allow(ctx, strings[i], strlen(strings[i]));
    return DPL_OK;
}

static dpl_status allow_caption(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    (void)err;
    if (r->caption)
        dpli_traces_allow(ctx, r->caption, strlen(r->caption));
    return DPL_OK;
}

static dpl_status allow_setting(void *ctx, const char *key, const char *value, dpl_error *err)
{
    (void)err;
    dpli_traces_allow(ctx, key, strlen(key));
    dpli_traces_allow(ctx, value, strlen(value));
    return DPL_OK;
}

/* *file: that has one of them, if any has. */
static int64_t n_found(const char **file, const dpli_traces *traces)
{
    int64_t n = 0;

    *file = "";
    for (size_t i = 0; i < traces->n; i++) {
        const dpli_trace *t = &traces->items[i];

        n += t->found;
        if (t->found && t->file)
            *file = t->file;
    }
    return n;
}

/* Whether a person, by rows that every name is compared with whole. */
static dpl_status person_is_left(bool *left, dpl_gallery *gallery, const char *person,
                                 dpl_error *err)
{
    const dpli_photo_query meant = {DPLI_PHOTOS_MEANT_FOR, person, 0};
    struct target t = {0};
    dpli_store *s = gallery->store;
    int64_t id;
    dpl_status status = s->ops->find_person(s, &id, person, err);

    *left = id != 0;
    if (status == DPL_OK)
        status = s->ops->each_photo(s, &meant, target_add, &t, err);
    *left |= t.n > 0;
    target_clear(&t);
    return status;
}

/* The user who has made changes may be called as a person was. */
static dpl_status allow_user(void *ctx, const dpl_audit_line *line)
{
    dpli_traces_allow(ctx, line->user, strlen(line->user));
    return DPL_OK;
}

/* Names, sources and hashes: in no row and in no file of the folder. */
static dpl_status prove_strings(dpl_forget_report *out, dpl_gallery *gallery, struct target *t,
                                const char *person, dpl_error *err)
{
    static const dpli_photo_query all = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    const dpli_template_query texts = {DPLI_ALL_TEMPLATES, 0, dpli_spaces[DPLI_TEXT_SPACE].name};
    dpli_traces *traces = &t->traces;
    dpli_store *s = gallery->store;
    dpl_audit_report audit;
    const char *file;
    bool left = false;
    dpl_status status = dpli_traces_search(traces, gallery->store->folder, err);

    if (status == DPL_OK && s->ops->each_row)
        status = dpli_traces_search_rows(traces, s, err);
    out->n_strings = (int64_t)traces->n;
    if (status == DPL_OK && n_found(&file, traces) > 0) {
        status = s->ops->each_person(s, true, allow_person, traces, err);
        if (status == DPL_OK)
            status = s->ops->each_photo(s, &all, allow_photo, traces, err);
        if (status == DPL_OK)
            status = s->ops->each_template(s, &texts, allow_caption, traces, err);
        if (status == DPL_OK)
            status = s->ops->each_setting(s, allow_setting, traces, err);
        if (status == DPL_OK)
            status = dpl_gallery_audit(&audit, gallery, allow_user, traces, err);
        dpli_traces_allow(traces, gallery->user, strlen(gallery->user));
    }
    if (status == DPL_OK && person)
        status = person_is_left(&left, gallery, person, err);
    out->n_strings_left = n_found(&file, traces);
    snprintf(out->left_in, sizeof out->left_in, "%s", file);
    if (left && out->n_strings_left == 0)
        out->n_strings_left = 1;
    return status;
}

/* ------------------------------------------------------------------ forget */

/* How many people are shown by a photo or a face. */
static dpl_status n_people(int64_t *n, dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpli_counts counts;
    const dpl_status status = s->ops->count(s, &counts, err);

    *n = counts.n_persons;
    return status;
}

static dpl_status remove_rows(dpl_forget_report *out, dpl_gallery *gallery, const struct target *t,
                              const char *digest, dpl_error *err)
{
    dpli_store *s = gallery->store;
    int64_t n_before = 0, n_after = 0;
    char facts[256];
    dpl_status status = n_people(&n_before, gallery, err);

    /* Templates go with their photo, a person with the last one. */
    for (size_t i = 0; i < t->n && status == DPL_OK; i++)
        status = s->ops->drop_photo(s, t->ids[i], err);
    for (size_t i = 0; i < t->n_templates && status == DPL_OK; i++)
        status = s->ops->drop_template(s, t->templates[i], err);
    for (size_t i = 0; i < t->n_disowned && status == DPL_OK; i++)
        status = dpli_own_photo(gallery, t->disowned[i], 0, err);
    if (status == DPL_OK && t->person_id)
        status = dpli_drop_refusals_of(gallery, t->person_id, err);
    if (status == DPL_OK)
        status = s->ops->drop_lonely(s, err);
    if (status == DPL_OK)
        status = n_people(&n_after, gallery, err);
    out->n_persons = n_before - n_after;
    snprintf(facts, sizeof facts,
             "{\"persons_removed\":%" PRId64 ",\"photos_removed\":%" PRId64
             ",\"templates_removed\":%" PRId64 ",\"receipt\":\"%s\"}",
             out->n_persons, out->n_photos, out->n_templates, digest);
    /* What could be taken back of the change before would still hold them. */
    if (status == DPL_OK)
        status = dpli_end_log(gallery, "forget", facts, err);
    if (status == DPL_OK)
        status = s->ops->touch(s, err);
    return status == DPL_OK ? s->ops->want_scrub(s, err) : status;
}

/* With what the search for them has found, which is not known to a line that is written later. */
static void write_proof(dpl_forget_report *out, dpl_gallery *gallery)
{
    dpli_audit_place line = {0};
    char facts[256];

    snprintf(facts, sizeof facts,
             "{\"vectors_searched\":%" PRId64 ",\"vectors_left\":%" PRId64
             ",\"strings_searched\":%" PRId64 ",\"strings_left\":%" PRId64 "}",
             out->n_templates, out->n_left, out->n_strings, out->n_strings_left);
    if (dpli_audit_write(gallery, facts, &line, NULL) != DPL_OK) {
        dpli_audit_write_or_tell(gallery);
        return;
    }
    out->audit_n = line.n;
    snprintf(out->audit_hash, sizeof out->audit_hash, "%s", line.hash);
}

dpl_status dpl_gallery_forget(dpl_forget_report *out, dpl_gallery *gallery, const char *person,
                              const char *const *paths, size_t n_paths, bool dry_run,
                              dpl_error *err)
{
    struct going going = {.counted_only = dry_run != 0};
    dpli_store *s = gallery->store;
    dpl_error why = {DPL_OK, ""};
    struct target t = {0};
    char digest[65] = "";
    dpl_status status;

    memset(out, 0, sizeof *out);
    if (!person == !n_paths)
        return dpli_fail(err, DPL_E_ARGUMENT, "forget takes either a person or photos");
    status = !dry_run ? dpli_gallery_may_write(gallery, err) : DPL_OK;
    if (status == DPL_OK && !dry_run)
        status = dpli_receipt_secret(out->secret, err);
    if (status == DPL_OK && !dry_run)
        status = dpli_receipt_digest(digest, out->secret, person, paths, n_paths, err);
    if (status == DPL_OK)
        status = s->ops->begin(s, !dry_run, err);
    if (status != DPL_OK)
        return status;
    status = target_find(&t, gallery, person, paths, n_paths, err);
    if (status == DPL_OK)
        status = going_collect(&going, gallery, &t, err);
    out->n_photos = (int64_t)t.n;
    out->n_photos_kept = (int64_t)t.n_kept;
    out->n_templates = going.n;
    if (status == DPL_OK && !dry_run)
        status = remove_rows(out, gallery, &t, digest, err);
    status = s->ops->end(s, status, err);
    dpli_audit_ended(gallery, status);
    if (status != DPL_OK || dry_run)
        goto done;
    status = dpli_gallery_scrub(gallery, &why);
    if (status != DPL_OK) {
        status =
            dpli_fail(err, status,
                      "the rows are removed, but bytes of them are still in \"%s\" until it is "
                      "next opened for writing: %s",
                      gallery->dir, why.message);
        dpli_audit_write_or_tell(gallery);
        goto done;
    }
    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++)
        status = gone_prove(&out->n_left, &going.spaces[i], gallery, &dpli_spaces[i], err);
    if (status == DPL_OK)
        status = prove_strings(out, gallery, &t, person, err);
    if (status == DPL_OK && s->shared)
        dpli_gallery_tell(gallery, "the tables hold nothing of it any more; the server's log of "
                                   "changes, its replicas and backups do until they go, and so do "
                                   "indexes that other machines hold until they next search "
                                   "(docs/postgresql.md)");
    if (status == DPL_OK)
        write_proof(out, gallery);
    else
        dpli_audit_write_or_tell(gallery);
done:
    target_clear(&t);
    going_clear(&going);
    return status;
}
