/*
 * routes.c - from a request to who answers it, and who may ask at all.
 *
 * Whoever reaches a server without a token may do everything, and a page of any site that a user
 * looks at reaches 127.0.0.1. So without one a request has to be for this machine by name (a page
 * cannot choose that, whatever its own name resolves to), and where a browser says from which
 * site's page it comes, from the server's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "serve/server.h"

static const route routes[] = {
    {"GET", "/", ROUTE_NOW, true, answer_page, NULL},
    {"GET", "/page/{}", ROUTE_NOW, true, answer_asset, NULL},
    {"GET", "/v1/health", ROUTE_NOW, true, answer_health, NULL},
    {"GET", "/v1/openapi.json", ROUTE_NOW, true, answer_openapi, NULL},
    {"GET", "/v1/schema/{}", ROUTE_NOW, true, answer_schema, NULL},
    {"GET", "/v1/metrics", ROUTE_READER, false, answer_metrics, ""},
    {"POST", "/v1/verify", ROUTE_READER, false, answer_verify,
     "as doubts face_a face_b fmr name_of_file threshold"},
    {"POST", "/v1/query", ROUTE_READER, false, answer_query,
     "by doubts fmr fpir k min_fmr name_of_file threshold"},
    {"POST", "/v1/images/search", ROUTE_READER, false, answer_image_search,
     "by doubts fmr fpir k min_fmr name_of_file text threshold"},
    {"GET", "/v1/people", ROUTE_READER, false, answer_people, "after limit"},
    {"GET", "/v1/people/{}", ROUTE_READER, false, answer_person, "after limit"},
    {"PATCH", "/v1/people/{}", ROUTE_WRITER, false, answer_rename, "name"},
    {"DELETE", "/v1/people/{}", ROUTE_WRITER, false, answer_forget_person, "dry_run"},
    {"GET", "/v1/people/{}/portrait", ROUTE_READER, false, answer_portrait, ""},
    {"POST", "/v1/people/{}/photos", ROUTE_WRITER, false, answer_add, "faces name_of_file"},
    {"POST", "/v1/people/{}/merge", ROUTE_WRITER, false, answer_merge, "dry_run into yes"},
    {"POST", "/v1/people/{}/apart", ROUTE_WRITER, false, answer_set_apart, "dry_run from"},
    {"GET", "/v1/photos", ROUTE_READER, false, answer_photos, "after limit person"},
    {"POST", "/v1/photos", ROUTE_WRITER, false, answer_add_photo, "faces name_of_file"},
    {"DELETE", "/v1/photos", ROUTE_WRITER, false, answer_forget_photo, "dry_run photo"},
    {"GET", "/v1/faces/{}", ROUTE_READER, false, answer_face, ""},
    {"POST", "/v1/faces/{}/assign", ROUTE_WRITER, false, answer_assign, "dry_run name"},
    {"POST", "/v1/faces/{}/reject", ROUTE_WRITER, false, answer_reject, "dry_run name"},
    {"GET", "/v1/undo", ROUTE_READER, false, answer_last_change, ""},
    {"POST", "/v1/undo", ROUTE_WRITER, false, answer_undo, "change"},
    {"GET", "/v1/groups", ROUTE_READER, false, answer_groups, "limit min_size"},
    {"POST", "/v1/groups", ROUTE_WRITER, false, answer_make_groups, "limit min_size precision"},
    {"POST", "/v1/groups/{}/name", ROUTE_WRITER, false, answer_name_group, "name yes"},
    {"GET", "/v1/dupes", ROUTE_LONG, false, answer_dupes, "burst"},
    {0}};

/* ------------------------------------------------------------------ finding */

static bool fits(const route *to, const http_request *r)
{
    const char *at = to->path;

    for (int i = 0; i < r->n_path; i++) {
        const size_t n = *at ? strcspn(at + 1, "/") : 0;

        if (*at != '/')
            return false;
        if (n == 2 && memcmp(at + 1, "{}", 2) == 0) {
            if (!r->path[i][0])
                return false;
        } else if (strlen(r->path[i]) != n || memcmp(at + 1, r->path[i], n) != 0) {
            return false;
        }
        at += 1 + n;
    }
    return *at == '\0';
}

/* The route; else NULL with an answer of why not. */
static const route *find(http_request *r)
{
    char allowed[64] = "";
    const bool is_head = strcmp(r->method, "HEAD") == 0;

    for (const route *to = routes; to->method; to++) {
        if (!fits(to, r))
            continue;
        if (strcmp(to->method, is_head ? "GET" : r->method) == 0)
            return to;
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s",
                 allowed[0] ? ", " : "", to->method);
    }
    if (!allowed[0]) {
        say_problem(r, 404, "there is nothing at this path; /v1/openapi.json lists what there is");
        return NULL;
    }
    say_problem(r, 405, "the path does not take this method");
    http_header(r, "Allow", allowed);
    return NULL;
}

/* ------------------------------------------------------------------ who may ask */

/* The name in "name:port", "[::1]:port". */
static bool is_this_machine(const char *host)
{
    const size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    char name[64];

    if (n >= sizeof name)
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (strncmp(name, "127.", 4) == 0 && name[strspn(name, "0123456789.")] == '\0');
}

static bool is_own_page(const http_request *r)
{
    const char *name = r->origin ? strstr(r->origin, "://") : NULL;

    if (r->fetch_site && strcmp(r->fetch_site, "same-origin") != 0 &&
        strcmp(r->fetch_site, "none") != 0)
        return false;
    return !r->origin || (name && r->host && strcmp(name + 3, r->host) == 0);
}

static bool may_ask(const server *s, http_request *r, const route *to)
{
    if (s->tokens) {
        if (to->is_open || tokens_find(s->tokens, r->token) > 0)
            return true;
        say_problem(r, 401,
                    r->token ? "the token is not one of this server's"
                             : "the header \"Authorization: Bearer TOKEN\" is missing");
        return false;
    }
    if (!s->listener.is_socket_file && (!r->host || !is_this_machine(r->host))) {
        say_problem(r, 403,
                    r->host ? "without a token the server answers to localhost alone, and the "
                              "header \"Host\" names another"
                            : "without a token the server answers to localhost alone, and the "
                              "header \"Host\" is missing");
        return false;
    }
    if (is_own_page(r) || (to->is_open && strcmp(to->method, "GET") == 0))
        return true;
    say_problem(r, 403, "the request comes from the page of another site");
    return false;
}

/* ------------------------------------------------------------------ hooks */

static bool look(void *ctx, http_request *r)
{
    const server *s = ctx;
    const route *to;

    /* Nobody but a page of the server's own is to make anything of what it says. */
    http_header(r, "X-Content-Type-Options", "nosniff");
    if (r->is_short) {
        say_problem(r, 503, "out of memory");
        return false;
    }
    if (r->is_bad) {
        say_problem(r, 400, "the path or its parameters cannot be read, or are too many");
        return false;
    }
    to = find(r);
    r->route = (void *)(uintptr_t)to;
    if (!to || !may_ask(s, r, to))
        return false;
    http_header(r, "Cache-Control", "no-store");
    r->is_now = to->by == ROUTE_NOW;
    if (__atomic_load_n(&s->is_ending, __ATOMIC_ACQUIRE) && !r->is_now) {
        say_problem(r, 503, "the server is ending");
        return false;
    }
    if (s->is_read_only && (to->by == ROUTE_WRITER)) {
        say_problem(r, 403, "the server only reads (--read-only)");
        return false;
    }
    return true;
}

/* A body of JSON is an object of words and numbers, which are parameters like others. */
static bool read_json(http_request *r)
{
    const http_part *body = r->n_parts > 0 ? &r->parts[0] : NULL; /* it is no form */
    json_t *object = NULL, *value;
    const char *name;
    json_error_t why;

    if (!r->content_type || strncasecmp(r->content_type, "application/json", 16) != 0)
        return true;
    /* jansson calls a text wrong for which memory was short: what is wrong is so again, and without
       any memory nothing of it was read. */
    for (int i = 0; i < 2 && !object && body && body->n <= 65536; i++)
        object = json_loadb(body->bytes, body->n, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(object)) {
        const bool is_short = !object && body && body->n <= 65536 && !why.text[0];

        json_decref(object);
        say_problem(r, is_short ? 503 : 400,
                    is_short ? "out of memory" : "the body is no JSON object");
        return false;
    }
    json_object_foreach(object, name, value)
    {
        http_param *p = &r->params[r->n_params];
        char number[32];

        if (json_is_number(value))
            snprintf(number, sizeof number, json_is_integer(value) ? "%.0f" : "%.17g",
                     json_number_value(value));
        if (r->n_params == HTTP_PARAMS ||
            !(json_is_string(value) || json_is_number(value) || json_is_boolean(value))) {
            json_decref(object);
            say_problem(r, 400,
                        "the JSON object has too many members, or one that is no word, "
                        "number, true or false");
            return false;
        }
        p->name = strdup(name);
        p->value = strdup(json_is_string(value)    ? json_string_value(value)
                          : json_is_boolean(value) ? (json_is_true(value) ? "true" : "false")
                                                   : number);
        r->n_params++;
        if (!p->name || !p->value) {
            json_decref(object);
            say_problem(r, 503, "out of memory");
            return false;
        }
    }
    json_decref(object);
    r->parts[0].n = 0; /* it is no photo */
    return true;
}

static bool is_in(const char *words, const char *word)
{
    const size_t n = strlen(word);

    for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == n && memcmp(at, word, n) == 0)
            return true;
    return false;
}

/* A rate that is misspelt decides nothing, and nobody would see that. */
static bool knows_params(http_request *r)
{
    const char *params = ((const route *)r->route)->params, *unknown = NULL;
    dpl_error err;

    for (int i = 0; params && i < r->n_params; i++)
        if (!is_in(params, r->params[i].name))
            unknown = r->params[i].name;
    for (int i = 0; params && i < r->n_parts; i++) /* fields of a form */
        if (r->parts[i].name[0] && !r->parts[i].file_name && !is_in(params, r->parts[i].name))
            unknown = r->parts[i].name;
    if (!unknown)
        return true;
    failed(&err, DPL_E_ARGUMENT, "there is no parameter \"%.80s\" here%s%s", unknown,
           params[0] ? "; there are: " : "", params);
    say_failure(r, &err);
    return false;
}

static void run(void *ctx, http_request *r)
{
    desk d = {.s = ctx};

    ((const route *)r->route)->answer(&d, r);
}

/* Whose changes these are, as the gallery's audit names them. */
static dpl_status name_user(desk *d, const http_request *r, dpl_error *err)
{
    char user[64] = "serve";

    if (d->s->tokens)
        snprintf(user, sizeof user, "serve, token %d", tokens_find(d->s->tokens, r->token));
    return dpl_gallery_set_user(d->gallery, user, err);
}

static void answer(desk *d, http_request *r)
{
    const route *to = r->route;
    dpl_error err;

    if (!read_json(r) || !knows_params(r))
        ;
    else if ((to->by == ROUTE_WRITER || d->s->o->audit) && name_user(d, r, &err) != DPL_OK)
        say_failure(r, &err);
    else
        to->answer(d, r);
}

/* Who asks alone has all cores; of many, each has one, which answers more of them a second. Whoever
 * comes while somebody has them all takes their own, and the cores are shared. */
void server_work(void *desk_, void *request)
{
    desk *d = desk_;
    http_request *r = request;
    server *s = d->s;
    const bool reads = ((const route *)r->route)->by == ROUTE_READER;
    const bool is_alone = reads && __atomic_add_fetch(&s->n_reading, 1, __ATOMIC_ACQ_REL) == 1 &&
                          s->shared && pthread_mutex_trylock(&s->shared_lock) == 0;
    desk at = *d;

    if (is_alone)
        at.scratch = s->shared;
    answer(&at, r);
    if (is_alone)
        pthread_mutex_unlock(&s->shared_lock);
    if (reads)
        __atomic_sub_fetch(&s->n_reading, 1, __ATOMIC_ACQ_REL);
    http_finish(r);
}

static bool take(void *ctx, http_request *r)
{
    server *s = ctx;
    const route *to = r->route;
    workers *by = to->by == ROUTE_WRITER ? s->writer
                  : to->by == ROUTE_LONG ? s->long_work
                                         : s->readers;

    if (workers_put(by, r))
        return true;
    say_problem(r, 503, "more requests are waiting than the server takes");
    return false;
}

static void refuse(void *ctx, http_request *r, int code, const char *why)
{
    (void)ctx;
    say_problem(r, code, why);
}

static void ended(void *ctx, const http_request *r)
{
    server *s = ctx;
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    metrics_add(&s->metrics, r->route ? (int)((const route *)r->route - routes) : METRICS_ROUTES,
                r->answer.code,
                (double)(t.tv_sec * INT64_C(1000000000) + t.tv_nsec - r->began_ns) * 1e-9);
}

http_hooks server_hooks(server *s)
{
    s->routes = routes;
    return (http_hooks){
        .ctx = s, .look = look, .run = run, .take = take, .refuse = refuse, .ended = ended};
}
