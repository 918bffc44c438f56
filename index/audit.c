/*
 * audit.c - the lines of a gallery's audit: made, chained, read and checked.
 *
 * A line is a JSON object whose last member is the SHA-256 of the line as it would stand without
 * that member; "before" is the hash of the line before. So a line is checked byte by byte, without
 * writing it anew.
 */
#include "index/audit.h"

#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "net/json_text.h"

/* ------------------------------------------------------------------ a line */

/* `,"hash":"…"}` */
enum { HASH_CHARS = 64, TAIL_CHARS = 9 + HASH_CHARS + 2 };

static dpl_status no_memory(dpl_error *err)
{
    return dpli_fail(err, DPL_E_MEMORY, "no memory for a line of the audit");
}

static dpl_status add(json_t *object, const char *key, json_t *value, dpl_error *err)
{
    return json_object_set_new(object, key, value) == 0
               ? DPL_OK
               : no_memory(err);
}

/* The object's text, and its hash as the last member; consumes the object. */
static dpl_status close_line(char **line, char hash[65], json_t *object, dpl_error *err)
{
    char *text = dpli_json_write(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    dpl_status status = text ? dpli_sha256_of(hash, text, strlen(text), err)
                             : no_memory(err);

    *line = NULL;
    if (status == DPL_OK) {
        *line = dpli_asprintf(err, "%.*s,\"hash\":\"%s\"}", (int)strlen(text) - 1, text, hash);
        status = *line ? DPL_OK : DPL_E_MEMORY;
    }
    free(text);
    json_decref(object);
    return status;
}

/* A line read: strings live in the object. */
typedef struct reading {
    json_t *object;
    dpl_audit_line line;
    const char *before;
} reading;

static bool get_int(int64_t *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    *out = json_is_integer(value) ? json_integer_value(value) : -1;
    return *out >= 0;
}

static bool get_text(const char **out, const json_t *object, const char *key)
{
    *out = json_string_value(json_object_get(object, key));
    return *out != NULL;
}

/* Whether it ends in the hash of what stands before. */
static dpl_status has_hash(bool *has, const char *text, dpl_error *err)
{
    const size_t n = strlen(text);
    const char *tail = n > TAIL_CHARS ? text + n - TAIL_CHARS : NULL;
    char hash[65], *without;
    dpl_status status;

    *has = false;
    if (!tail || strncmp(tail, ",\"hash\":\"", 9) != 0)
        return DPL_OK;
    without = dpli_asprintf(err, "%.*s}", (int)(n - TAIL_CHARS), text);
    status = without ? dpli_sha256_of(hash, without, strlen(without), err) : DPL_E_MEMORY;
    *has = status == DPL_OK && strncmp(hash, tail + 9, HASH_CHARS) == 0;
    free(without);
    return status;
}

/* r->object, which the caller lets go: NULL when it is no line with its own hash. */
static dpl_status read_line(reading *r, const char *text, dpl_error *err)
{
    const char *time_text;
    struct tm tm = {0};
    json_error_t why;
    dpl_status status;
    bool right, is_short;

    memset(r, 0, sizeof *r);
    status = has_hash(&right, text, err);
    if (status != DPL_OK || !right)
        return status;
    r->object = dpli_json_read(&is_short, text, strlen(text), &why);
    if (is_short)
        return no_memory(err);
    r->line.text = text;
    if (get_int(&r->line.n, r->object, "n") && get_int(&r->line.change, r->object, "change") &&
        get_text(&r->line.user, r->object, "user") && get_text(&r->line.what, r->object, "what") &&
        get_text(&r->line.hash, r->object, "hash") && get_text(&r->before, r->object, "before") &&
        get_text(&time_text, r->object, "time") && strptime(time_text, "%Y-%m-%dT%H:%M:%SZ", &tm)) {
        r->line.unix_s = timegm(&tm);
        return DPL_OK;
    }
    json_decref(r->object);
    r->object = NULL;
    return DPL_OK;
}

/* What a line follows: the last one in the file, or one that the gallery knows of and that is not
   there any more. */
typedef struct place {
    int64_t n, change;
    char hash[65];
} place;

static dpl_status read_last(place *at, const char *last, dpl_error *err)
{
    reading r;
    dpl_status status;

    *at = (place){0};
    if (!last)
        return DPL_OK;
    status = read_line(&r, last, err);
    if (status != DPL_OK)
        return status;
    if (!r.object)
        return dpli_fail(err, DPL_E_GALLERY,
                         "the last line of the gallery's audit is not what was written (\"doppel "
                         "audit\" says more); where it is moved away, a new one goes on from it");
    at->n = r.line.n;
    at->change = r.line.change;
    snprintf(at->hash, sizeof at->hash, "%s", r.line.hash);
    json_decref(r.object);
    return DPL_OK;
}

static dpl_status begin_line(json_t **out, const place *after, int64_t change, int64_t unix_s,
                             const char *user, const char *what, dpl_error *err)
{
    json_t *o = json_object();
    const time_t seconds = (time_t)unix_s;
    char text[32];
    struct tm tm;
    dpl_status status;

    *out = o;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    status = add(o, "schema", json_string("doppel.audit_line/1"), err);
    if (status == DPL_OK)
        status = add(o, "n", json_integer(after->n + 1), err);
    if (status == DPL_OK)
        status = add(o, "time", json_string(text), err);
    if (status == DPL_OK)
        status = add(o, "user", json_string(user), err);
    if (status == DPL_OK)
        status = add(o, "what", json_string(what), err);
    return status == DPL_OK ? add(o, "change", json_integer(change), err) : status;
}

/* Consumes the object, also when status is not DPL_OK, which is then passed on. */
static dpl_status end_line(char **line, char hash[65], json_t *object, const place *after,
                           dpl_status status, dpl_error *err)
{
    *line = NULL;
    if (status == DPL_OK)
        status = add(object, "before", json_string(after->hash), err);
    if (status == DPL_OK)
        return close_line(line, hash, object, err);
    json_decref(object);
    return status;
}

/* ------------------------------------------------------------------ what is told */

/* A row's strings are copies. */
typedef struct told {
    dpli_audit_record row;
    char *user, *what, *facts, *last_hash;
} told;

static dpl_status keep_told(void *ctx, const dpli_audit_record *row, dpl_error *err)
{
    told *t = ctx;

    t->row = *row;
    t->row.user = t->user = dpli_strdup(row->user, err);
    t->row.what = t->what = dpli_strdup(row->what, err);
    t->row.facts = t->facts = dpli_strdup(row->facts, err);
    t->row.last_hash = t->last_hash = dpli_strdup(row->last_hash, err);
    return t->user && t->what && t->facts && t->last_hash ? DPL_OK : DPL_E_MEMORY;
}

static void told_clear(told *t)
{
    free(t->user);
    free(t->what);
    free(t->facts);
    free(t->last_hash);
}

/* row.change 0: nothing was ever told, or the row is damaged, which check tells and which must not
   keep a gallery from being written. */
static dpl_status read_told(told *t, dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_error why = {DPL_OK, ""};
    dpl_status status;

    memset(t, 0, sizeof *t);
    status = s->ops->audit_record(s, keep_told, t, &why);
    if (status == DPL_OK || status == DPL_E_GALLERY)
        return DPL_OK;
    return dpli_fail(err, status, "%s", why.message);
}

/* The later of the last line and of what the gallery knows to have been the last one: where lines
   were cut off, the chain goes on from what is missing, and stays broken there. */
static void go_on_after(place *at, const told *t)
{
    if (t->row.last_n < at->n || (t->row.last_n == at->n && !t->row.last_n))
        return;
    at->n = t->row.last_n;
    snprintf(at->hash, sizeof at->hash, "%s", t->row.last_hash);
}

typedef struct looking {
    place last;
} looking;

static dpl_status look_at_last(void *ctx, char **line, const char *last, dpl_error *err)
{
    looking *l = ctx;

    *line = NULL;
    return read_last(&l->last, last, err);
}

/* Lower-case words before the first quotation mark: names stand in such. */
static char *kind_of(const char *words, dpl_error *err)
{
    size_t n = strcspn(words, "\"");
    char *kind;

    while (n > 0 && words[n - 1] == ' ')
        n--;
    kind = dpli_asprintf(err, "%.*s", (int)n, words);
    for (char *c = kind; c && *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
    return kind;
}

/* t: what was told before. */
static dpl_status tell(dpl_gallery *gallery, const told *t, const char *words, int64_t log_id,
                       const char *facts, dpl_error *err)
{
    dpli_store *s = gallery->store;
    looking l = {0};
    int64_t last_change;
    char *what;
    dpl_status status;

    if (log_id && t->row.change && t->row.log_id == log_id)
        return DPL_OK; /* more of the same */
    status = s->ops->add_line(s, look_at_last, &l, err);
    what = status == DPL_OK ? kind_of(words, err) : NULL;
    if (status == DPL_OK && !what)
        status = DPL_E_MEMORY;
    last_change = t->row.change > l.last.change ? t->row.change : l.last.change;
    if (status == DPL_OK) {
        dpli_audit_record r;

        go_on_after(&l.last, t);
        r = (dpli_audit_record){.change = last_change + 1,
                                .log_id = log_id,
                                .made_unix_s = time(NULL),
                                .user = gallery->user,
                                .what = what,
                                .facts = facts ? facts : "{}",
                                .last_n = l.last.n,
                                .last_hash = l.last.hash};
        status = s->ops->set_audit_record(s, &r, err);
    }
    if (status == DPL_OK) {
        gallery->owes_line = true;
        gallery->telling = last_change + 1;
    }
    free(what);
    return status;
}

dpl_status dpli_audit_tell(dpl_gallery *gallery, const char *words, int64_t log_id,
                           const char *facts, dpl_error *err)
{
    told t;
    dpl_status status = read_told(&t, gallery, err);

    if (status == DPL_OK)
        status = tell(gallery, &t, words, log_id, facts, err);
    told_clear(&t);
    return status;
}

/* ------------------------------------------------------------------ what is written */

typedef struct writing {
    dpl_gallery *gallery;
    const told *told;
    const char *facts;
    dpli_audit_place *where;
    char hash[65];
} writing;

static dpl_status add_facts(json_t *o, const char *facts, dpl_error *err)
{
    json_error_t why;
    bool is_short;
    json_t *more = dpli_json_read(&is_short, facts, strlen(facts), &why);
    dpl_status status = DPL_OK;

    if (!more)
        return is_short
                   ? no_memory(err)
                   : dpli_fail(err, DPL_E_BUG, "what the audit was told is no JSON object");
    if (json_object_update(o, more) != 0)
        status = no_memory(err);
    json_decref(more);
    return status;
}

typedef struct counting {
    dpli_store *store;
    json_t *object;
    int64_t log_id;
} counting;

static dpl_status add_counts(void *ctx, const dpli_change_record *change, dpl_error *err)
{
    counting *c = ctx;
    dpli_change_counts n;
    dpl_status status;

    if (change->id != c->log_id)
        return DPL_OK;
    status = c->store->ops->count_change(c->store, change->id, &n, err);
    if (status != DPL_OK)
        return status;

    const struct {
        const char *key;
        int64_t n;
    } counts[] = {
        {"persons_added", n.persons.n_added},       {"persons_changed", n.persons.n_changed},
        {"persons_removed", n.persons.n_removed},   {"photos_added", n.photos.n_added},
        {"photos_changed", n.photos.n_changed},     {"photos_removed", n.photos.n_removed},
        {"templates_added", n.templates.n_added},   {"templates_removed", n.templates.n_removed},
        {"owners_changed", n.owners.n_changed},
    };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && status == DPL_OK; i++)
        status = add(c->object, counts[i].key, json_integer(counts[i].n), err);
    return status;
}

static dpl_status make_line(void *ctx, char **line, const char *last, dpl_error *err)
{
    writing *w = ctx;
    const dpli_audit_record *row = &w->told->row;
    dpli_store *s = w->gallery->store;
    place after;
    json_t *o;
    dpl_status status = read_last(&after, last, err);

    *line = NULL;
    if (status != DPL_OK || after.change >= row->change)
        return status; /* it has its line */
    go_on_after(&after, w->told);
    status = begin_line(&o, &after, row->change, row->made_unix_s, row->user, row->what, err);
    if (status == DPL_OK && row->log_id) {
        counting c = {s, o, row->log_id};

        status = s->ops->last_change(s, add_counts, &c, err);
    }
    if (status == DPL_OK)
        status = add_facts(o, row->facts, err);
    if (status == DPL_OK && w->facts)
        status = add_facts(o, w->facts, err);
    status = end_line(line, w->hash, o, &after, status, err);
    if (status == DPL_OK && w->where) {
        w->where->n = after.n + 1;
        memcpy(w->where->hash, w->hash, sizeof w->hash);
    }
    return status;
}

dpl_status dpli_audit_write(dpl_gallery *gallery, const char *facts, dpli_audit_place *line,
                            dpl_error *err)
{
    dpli_store *s = gallery->store;
    told t;
    writing w = {.gallery = gallery, .told = &t, .facts = facts, .where = line};
    dpl_status status;

    if (!gallery->owes_line)
        return DPL_OK;
    status = read_told(&t, gallery, err);
    /* Whoever has changed the gallery since has settled this first. */
    if (status == DPL_OK && t.row.change &&
        (!s->shared || t.row.change == (gallery->telling ? gallery->telling : gallery->told)))
        status = s->ops->add_line(s, make_line, &w, err);
    told_clear(&t);
    gallery->owes_line = status != DPL_OK;
    return status;
}

/* t: what was told before, read as soon as it is settled. */
static dpl_status settle(told *t, dpl_gallery *gallery, int64_t log_id, dpl_error *err)
{
    dpli_store *s = gallery->store;
    writing w = {.gallery = gallery, .told = t};
    dpl_status status = DPL_OK;

    memset(t, 0, sizeof *t);
    if (!s->shared && log_id == 0)
        status = dpli_audit_write(gallery, NULL, NULL, err);
    if (status == DPL_OK)
        status = read_told(t, gallery, err);
    /* Another's, who may have been stopped before it was written. */
    if (status == DPL_OK && s->shared && t->row.change && (log_id == 0 || t->row.log_id != log_id))
        status = s->ops->add_line(s, make_line, &w, err);
    return status;
}

dpl_status dpli_audit_settle(dpl_gallery *gallery, int64_t log_id, dpl_error *err)
{
    told t;
    dpl_status status = settle(&t, gallery, log_id, err);

    told_clear(&t);
    return status;
}

dpl_status dpli_audit_change(dpl_gallery *gallery, int64_t *log_id, const char *words,
                             dpl_error *err)
{
    dpli_store *s = gallery->store;
    told t;
    /* What empties the log takes away by what the change before is counted. */
    dpl_status status = settle(&t, gallery, *log_id, err);

    if (status == DPL_OK)
        status = s->ops->log_change(s, log_id, words, err);
    if (status == DPL_OK)
        status = tell(gallery, &t, words, *log_id, NULL, err);
    told_clear(&t);
    return status;
}

void dpli_audit_ended(dpl_gallery *gallery, dpl_status status)
{
    if (status == DPL_OK && gallery->telling)
        gallery->told = gallery->telling;
    gallery->telling = 0;
}

void dpli_audit_write_or_tell(dpl_gallery *gallery)
{
    dpl_error err = {DPL_OK, ""};
    char *text;

    if (dpli_audit_write(gallery, NULL, NULL, &err) == DPL_OK)
        return;
    text = dpli_asprintf(NULL, "the change is kept, but its line in the audit is still to be "
                               "written: %s",
                         err.message);
    if (text)
        dpli_gallery_tell(gallery, text);
    free(text);
}

/* ------------------------------------------------------------------ who */

char *dpli_audit_user(dpl_error *err)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0 && found &&
        found->pw_name[0] && dpli_is_utf8(found->pw_name))
        return dpli_strdup(found->pw_name, err);
    return dpli_asprintf(err, "%lu", (unsigned long)geteuid());
}

dpl_status dpl_gallery_set_user(dpl_gallery *gallery, const char *user, dpl_error *err)
{
    dpl_status status = dpli_check_string("user", user, false, 255, err);
    char *copy = NULL;

    if (status == DPL_OK && !dpli_is_utf8(user))
        status = dpli_fail(err, DPL_E_ARGUMENT, "the user is not UTF-8");
    if (status == DPL_OK)
        copy = dpli_strdup(user, err);
    if (!copy)
        return status == DPL_OK ? DPL_E_MEMORY : status;
    free(gallery->user);
    gallery->user = copy;
    return DPL_OK;
}

/* ------------------------------------------------------------------ a query */

typedef struct asking {
    dpl_gallery *gallery;
    const told *told;
    const char *what;
    int64_t n_asked;
} asking;

static dpl_status make_query_line(void *ctx, char **line, const char *last, dpl_error *err)
{
    const asking *a = ctx;
    char hash[65];
    place after;
    json_t *o;
    dpl_status status = read_last(&after, last, err);

    *line = NULL;
    if (status != DPL_OK)
        return status;
    go_on_after(&after, a->told);
    status = begin_line(&o, &after, after.change, time(NULL), a->gallery->user, a->what, err);
    if (status == DPL_OK)
        status = add(o, "asked", json_integer(a->n_asked), err);
    return end_line(line, hash, o, &after, status, err);
}

dpl_status dpl_gallery_audit_query(dpl_gallery *gallery, const char *what, int64_t n_asked,
                                   dpl_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789 -";
    dpli_store *s = gallery->store;
    told t;
    asking a = {gallery, &t, what, n_asked};
    dpl_status status = dpli_check_string("query", what, false, 64, err);

    if (status == DPL_OK && what[strspn(what, letters)])
        status = dpli_fail(err, DPL_E_ARGUMENT,
                           "a query is called by letters, digits, blanks and hyphens");
    if (status == DPL_OK && n_asked < 0)
        status = dpli_fail(err, DPL_E_ARGUMENT, "the number asked for is %" PRId64, n_asked);
    if (status != DPL_OK)
        return status;
    status = read_told(&t, gallery, err);
    if (status == DPL_OK)
        status = s->ops->add_line(s, make_query_line, &a, err);
    told_clear(&t);
    return status;
}

/* ------------------------------------------------------------------ read and checked */

typedef struct checking {
    dpl_audit_report *out;
    const told *told;
    dpl_status (*fn)(void *ctx, const dpl_audit_line *line);
    void *ctx;
    place last;
} checking;

static void broken(checking *c, const char *why)
{
    c->out->broken_at = c->out->n_lines + 1;
    snprintf(c->out->why, sizeof c->out->why, "%s", why);
}

static dpl_status check_line(void *ctx, const char *text, dpl_error *err)
{
    checking *c = ctx;
    const dpli_audit_record *row = &c->told->row;
    dpl_status status;
    reading r;

    if (c->out->broken_at)
        return DPL_OK;
    status = read_line(&r, text, err);
    if (status != DPL_OK)
        return status;
    if (!r.object) {
        broken(c, "it is not what was written");
        return DPL_OK;
    }
    if (r.line.n != c->last.n + 1 || strcmp(r.before, c->last.hash) != 0)
        broken(c, c->last.n == 0 ? "what was before it is missing"
                                 : "it does not follow the line before: one was taken out, put in "
                                   "or moved");
    else if (r.line.n == row->last_n && strcmp(r.line.hash, row->last_hash) != 0)
        broken(c, "it is another line than the gallery knows of: it was made anew");
    else if (c->fn)
        status = c->fn(c->ctx, &r.line);
    if (!c->out->broken_at) {
        c->out->n_lines++;
        c->last.n = r.line.n;
        c->last.change = r.line.change;
        snprintf(c->last.hash, sizeof c->last.hash, "%s", r.line.hash);
    }
    json_decref(r.object);
    return status;
}

dpl_status dpl_gallery_audit(dpl_audit_report *out, dpl_gallery *gallery,
                             dpl_status (*fn)(void *ctx, const dpl_audit_line *line), void *ctx,
                             dpl_error *err)
{
    dpli_store *s = gallery->store;
    told t;
    checking c = {.out = out, .told = &t, .fn = fn, .ctx = ctx};
    dpl_status status;

    memset(out, 0, sizeof *out);
    status = read_told(&t, gallery, err);
    gallery->walking++;
    if (status == DPL_OK)
        status = s->ops->each_line(s, check_line, &c, err);
    gallery->walking--;
    if (status == DPL_OK && !out->broken_at && c.last.n < t.row.last_n)
        broken(&c, "lines that the gallery knows of are missing");
    out->n_waiting = !out->broken_at && c.last.change < t.row.change;
    snprintf(out->hash, sizeof out->hash, "%s", c.last.hash);
    told_clear(&t);
    return status;
}
