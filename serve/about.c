/*
 * about.c - what the server says of itself: health, metrics, its description, the page.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "doppel/version.h"
#include "serve/assets.h"
#include "serve/server.h"

/* Nothing from elsewhere, nothing inline, and in no other site's frame. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "        \
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "            \
    "frame-ancestors 'none'"

/* ------------------------------------------------------------------ files in the program */

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".svg", "image/svg+xml"},
                                           {".json", "application/json"}};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static void say_asset(http_request *r, const char *folder, const char *name)
{
    for (const asset *a = assets; a->name; a++)
        if (strcmp(a->folder, folder) == 0 && strcmp(a->name, name) == 0) {
            http_say_static(r, 200, type_of(name), a->bytes, a->n);
            http_header(r, "Content-Security-Policy", POLICY);
            http_header(r, "Referrer-Policy", "no-referrer");
            http_header(r, "Permissions-Policy", "camera=(self), microphone=(), geolocation=()");
            return;
        }
    say_problem(r, 404, "there is no such file");
}

void answer_page(desk *d, http_request *r)
{
    (void)d;
    say_asset(r, "page", "page.html");
}

void answer_asset(desk *d, http_request *r)
{
    (void)d;
    say_asset(r, "page", r->path[1]);
}

void answer_schema(desk *d, http_request *r)
{
    (void)d;
    say_asset(r, "schema", r->path[2]);
}

void answer_openapi(desk *d, http_request *r)
{
    (void)d;
    say_asset(r, "api", "openapi.json");
}

/* ------------------------------------------------------------------ health, metrics */

void answer_health(desk *d, http_request *r)
{
    const server *s = d->s;
    const bool is_ending = __atomic_load_n(&s->is_ending, __ATOMIC_ACQUIRE);
    json_t *object = json_answer("health");

    json_put_text(&object, "status", is_ending ? "ending" : "OK");
    json_put_text(&object, "version", DPL_VERSION);
    json_put_bool(&object, "read_only", s->is_read_only);
    json_put_bool(&object, "token", s->tokens != NULL);
    say_json(r, is_ending ? 503 : 200, object);
}

static const char *method_of(const void *all, int i)
{
    return ((const route *)all)[i].method;
}

static const char *path_of(const void *all, int i)
{
    return ((const route *)all)[i].path;
}

static void write_number(FILE *f, const char *name, const char *type, const char *help, int64_t v)
{
    fprintf(f, "# HELP doppel_%s %s\n# TYPE doppel_%s %s\ndoppel_%s %lld\n", name, help, name, type,
            name, (long long)v);
}

void answer_metrics(desk *d, http_request *r)
{
    server *s = d->s;
    const http_counts c = http_count(s->http);
    dpl_gallery_counts counts;
    dpl_error err;
    char *text = NULL;
    size_t n;
    FILE *f;

    if (dpl_gallery_count(&counts, d->gallery, &err) != DPL_OK) {
        say_failure(r, &err);
        return;
    }
    f = open_memstream(&text, &n);
    if (!f) {
        say_problem(r, 503, "out of memory");
        return;
    }
    fprintf(f,
            "# HELP doppel_info The program.\n# TYPE doppel_info gauge\n"
            "doppel_info{version=\"%s\"} 1\n",
            DPL_VERSION);
    write_number(f, "connections", "gauge", "Connections now.", c.n_connections);
    write_number(f, "requests_in_work", "gauge", "Requests begun and not answered.", c.n_requests);
    write_number(f, "clients_too_slow_total", "counter",
                 "Connections ended because the client was too slow.", c.n_slow);
    write_number(f, "bodies_bytes", "gauge", "Memory that bodies of requests take.",
                 (int64_t)c.n_bodies_bytes);
    write_number(f, "readers_waiting", "gauge", "Requests that wait for a reader.",
                 (int64_t)workers_n_waiting(s->readers));
    write_number(f, "writes_waiting", "gauge", "Requests that wait for the writer.",
                 (int64_t)workers_n_waiting(s->writer));
    write_number(f, "gallery_people", "gauge", "People in the gallery.", counts.n_persons);
    write_number(f, "gallery_photos", "gauge", "Photos in the gallery.",
                 counts.n_photos - counts.n_failed);
    write_number(f, "gallery_faces", "gauge", "Faces in the gallery.", counts.n_templates_face);
    metrics_write(&s->metrics, f, s->routes, method_of, path_of);
    if (fclose(f) != 0) {
        free(text);
        say_problem(r, 503, "out of memory");
        return;
    }
    http_say(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, n);
}
