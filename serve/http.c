/*
 * http.c - HTTP for the server, by libmicrohttpd.
 *
 * One thread of epoll has all connections: ten thousand of them cost memory and no thread. Bodies
 * grow as they arrive, within the limit of one and of all together; a length that is only said
 * takes nothing. libmicrohttpd ends connections on which nothing happens. One on which a byte comes
 * now and then has, from http_tick, a time by which it has to be done.
 *
 * It is loaded when the server starts (DPL_LATE_MICROHTTPD: its file): it and TLS below it take a
 * third of what starting the program takes, whatever the command.
 */
#include "serve/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#if defined(DPL_LATE_MICROHTTPD)

#include <dlfcn.h>

#define EACH_OF_MICROHTTPD(one)                                                                    \
    one(MHD_add_response_header) one(MHD_create_post_processor)                                    \
        one(MHD_create_response_from_buffer) one(MHD_destroy_post_processor)                       \
            one(MHD_destroy_response) one(MHD_get_connection_info)                                 \
                one(MHD_lookup_connection_value) one(MHD_post_process) one(MHD_queue_response)     \
                    one(MHD_quiesce_daemon) one(MHD_resume_connection) one(MHD_start_daemon)       \
                        one(MHD_stop_daemon) one(MHD_suspend_connection)

#define FIELD(name) __typeof__(name) *name;
static struct {
    EACH_OF_MICROHTTPD(FIELD)
} late;

/* Before there is a server, once in a process. */
static bool need(void)
{
    void *library = dlopen(DPL_LATE_MICROHTTPD, RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;

/* POSIX's way from an object's address to a function's. */
#define FIND(name)                                                                                 \
    if (all)                                                                                       \
        *(void **)&late.name = dlsym(library, #name);                                              \
    all = all && late.name;
    EACH_OF_MICROHTTPD(FIND)
    if (!all) {
        const char *words = dlerror();

        fprintf(stderr, "doppel serve: libmicrohttpd cannot be loaded: %s\n",
                words ? words : "no reason given");
    }
    return all;
}

#define MHD_add_response_header         late.MHD_add_response_header
#define MHD_create_post_processor       late.MHD_create_post_processor
#define MHD_create_response_from_buffer late.MHD_create_response_from_buffer
#define MHD_destroy_post_processor      late.MHD_destroy_post_processor
#define MHD_destroy_response            late.MHD_destroy_response
#define MHD_get_connection_info         late.MHD_get_connection_info
#define MHD_lookup_connection_value     late.MHD_lookup_connection_value
#define MHD_post_process                late.MHD_post_process
#define MHD_queue_response              late.MHD_queue_response
#define MHD_quiesce_daemon              late.MHD_quiesce_daemon
#define MHD_resume_connection           late.MHD_resume_connection
#define MHD_start_daemon                late.MHD_start_daemon
#define MHD_stop_daemon                 late.MHD_stop_daemon
#define MHD_suspend_connection          late.MHD_suspend_connection

#else

static bool need(void)
{
    return true;
}

#endif

#define SECOND          INT64_C(1000000000)
#define BYTES_A_SECOND  (64 << 10) /* a client that is slower than this, on the whole, is let go */
#define FIRST_BYTES     (16 << 10) /* a body's first piece of memory */
#define MAX_FIELD       (64 << 10) /* of a field that is no file */
#define FORM_BYTES      (16 << 10) /* of the parser of forms */
#define HEAD_BYTES      (24 << 10) /* of a connection: request line and headers */
#define MAX_CONNECTIONS 20000
#define OTHER_FILES     256 /* descriptors that are no connections */

typedef enum phase { PHASE_IDLE, PHASE_RECEIVING, PHASE_WORKING, PHASE_SENDING } phase;

typedef struct connection {
    struct connection *before, *next;
    int fd;
    phase phase;
    int64_t since_ns;
    size_t n_bytes; /* received, or to be sent */
    bool is_cut;
} connection;

struct http_server {
    struct MHD_Daemon *daemon;
    http_hooks hooks;
    http_limits limits;
    int64_t max_connections;
    pthread_mutex_t lock; /* of all below */
    connection *first;
    http_counts counts;
};

typedef struct exchange {
    http_request r; /* first: http_finish has it alone */
    http_server *server;
    struct MHD_Connection *mhd;
    connection *c;
    struct MHD_PostProcessor *form;
    size_t n_reserved, n_discarded;
    bool is_begun, is_taken, is_refused;
    int refused; /* code for which the rest of the body is passed over; 0: none */
    const char *why;
} exchange;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

/* ------------------------------------------------------------------ answers */

void http_say(http_request *r, int code, const char *type, char *bytes, size_t n)
{
    if (!r->answer.is_static)
        free(r->answer.bytes);
    r->answer.code = code;
    r->answer.type = type;
    r->answer.bytes = bytes;
    r->answer.n = n;
    r->answer.is_static = false;
}

void http_say_static(http_request *r, int code, const char *type, const void *bytes, size_t n)
{
    http_say(r, code, type, (char *)(uintptr_t)bytes, n);
    r->answer.is_static = true;
}

void http_header(http_request *r, const char *name, const char *value)
{
    http_answer *a = &r->answer;
    char *copy = a->n_headers < HTTP_HEADERS ? strdup(value) : NULL;

    if (copy)
        a->headers[a->n_headers++] = (http_param){(char *)(uintptr_t)name, copy};
    else
        a->is_short = true;
}

/* ------------------------------------------------------------------ what was asked */

const char *http_get(const http_request *r, const char *name)
{
    for (int i = 0; i < r->n_params; i++)
        if (strcmp(r->params[i].name, name) == 0)
            return r->params[i].value;
    for (int i = 0; i < r->n_parts; i++)
        if (!r->parts[i].file_name && r->parts[i].name[0] && strcmp(r->parts[i].name, name) == 0)
            return r->parts[i].bytes;
    return NULL;
}

const http_part *http_file(const http_request *r, const char *name)
{
    for (int i = 0; i < r->n_parts; i++) {
        const http_part *p = &r->parts[i];
        const bool is_body = !p->name[0] && !p->file_name;

        if (name ? p->file_name && strcmp(p->name, name) == 0 : p->file_name || is_body)
            return p;
    }
    return NULL;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* n characters of a URI as bytes; NULL: an escape that is none, a NUL, or no memory. */
static char *decoded(http_request *r, const char *text, size_t n, bool is_query)
{
    char *out = malloc(n + 1), *to = out;

    r->is_short |= !out;
    for (size_t i = 0; out && i < n; i++) {
        char c = text[i];

        if (c == '%') {
            if (i + 2 >= n || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) {
                free(out);
                return NULL;
            }
            c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        if (c == '\0') {
            free(out);
            return NULL;
        }
        *to++ = c;
    }
    if (out)
        *to = '\0';
    return out;
}

static void read_path(http_request *r, const char *uri, size_t n)
{
    const char *at = uri, *end = uri + n;

    r->is_bad |= n == 0 || uri[0] != '/';
    while (!r->is_bad && at < end) {
        const char *slash = memchr(at + 1, '/', (size_t)(end - at - 1));
        const char *stop = slash ? slash : end;

        if (r->n_path == HTTP_SEGMENTS) {
            r->is_bad = true;
            return;
        }
        r->path[r->n_path] = decoded(r, at + 1, (size_t)(stop - at - 1), false);
        r->is_bad |= !r->path[r->n_path];
        r->n_path += r->path[r->n_path] != NULL;
        at = stop;
    }
}

static void read_query(http_request *r, const char *query)
{
    while (*query && !r->is_bad) {
        const size_t n = strcspn(query, "&");
        const char *equals = memchr(query, '=', n);
        const size_t n_name = equals ? (size_t)(equals - query) : n;
        http_param *p = &r->params[r->n_params];

        if (n > 0 && r->n_params == HTTP_PARAMS) {
            r->is_bad = true;
        } else if (n > 0) {
            p->name = decoded(r, query, n_name, true);
            p->value = decoded(r, equals ? equals + 1 : "", equals ? n - n_name - 1 : 0, true);
            r->is_bad |= !p->name || !p->value;
            r->n_params++;
        }
        query += n + (query[n] == '&');
    }
}

/* ------------------------------------------------------------------ memory of bodies */

static bool reserve(exchange *x, size_t n)
{
    http_server *s = x->server;
    bool fits;

    pthread_mutex_lock(&s->lock);
    fits = n <= s->limits.max_bodies - s->counts.n_bodies_bytes;
    s->counts.n_bodies_bytes += fits ? n : 0;
    pthread_mutex_unlock(&s->lock);
    x->n_reserved += fits ? n : 0;
    return fits;
}

static void refuse_rest(exchange *x, int code, const char *why)
{
    if (!x->refused) {
        x->refused = code;
        x->why = why;
    }
}

/* Room for n more and a NUL. */
static bool grow(exchange *x, http_part *p, size_t n)
{
    const int64_t said = x->r.content_length;
    size_t cap = p->cap ? 2 * p->cap : FIRST_BYTES;
    char *bytes;

    if (n < p->cap - p->n)
        return true;
    if (cap < p->n + n + 1)
        cap = p->n + n + 1;
    if (said >= 0 && cap > (size_t)said + 1 && p->n + n <= (size_t)said)
        cap = (size_t)said + 1;
    if (!reserve(x, cap - p->cap)) {
        refuse_rest(x, 503, "there are more bodies of requests than there is memory for");
        return false;
    }
    bytes = realloc(p->bytes, cap);
    if (!bytes) {
        refuse_rest(x, 503, "there is no memory for the body");
        return false;
    }
    p->bytes = bytes;
    p->cap = cap;
    return true;
}

static void append(exchange *x, http_part *p, const char *data, size_t n)
{
    if (x->refused || !grow(x, p, n))
        return;
    memcpy(p->bytes + p->n, data, n);
    p->n += n;
    p->bytes[p->n] = '\0';
}

static http_part *new_part(exchange *x, const char *name, const char *file_name)
{
    http_request *r = &x->r;
    http_part *p = &r->parts[r->n_parts];

    if (r->n_parts == HTTP_PARTS) {
        refuse_rest(x, 400, "the form has too many fields");
        return NULL;
    }
    *p = (http_part){.name = strdup(name), .file_name = file_name ? strdup(file_name) : NULL};
    r->n_parts++;
    if (!p->name || (file_name && !p->file_name))
        refuse_rest(x, 503, "there is no memory for the body");
    else
        append(x, p, "", 0);
    return x->refused ? NULL : p;
}

/* libmicrohttpd's own shape of a callback. */
static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *key,
                                const char *file_name, const char *type, const char *encoding,
                                const char *data, uint64_t at, size_t n)
{
    exchange *x = cls;
    http_request *r = &x->r;
    http_part *p;

    (void)kind;
    (void)type;
    (void)encoding;
    if (x->refused)
        return MHD_YES;
    p = at == 0      ? new_part(x, key ? key : "", file_name)
        : r->n_parts ? &r->parts[r->n_parts - 1]
                     : NULL;
    if (!p)
        return MHD_YES;
    if (!p->file_name && p->n + n > MAX_FIELD)
        refuse_rest(x, 413, "a field of the form that is no file is too long");
    else
        append(x, p, data, n);
    return MHD_YES;
}

/* ------------------------------------------------------------------ connections */

static void enter(exchange *x, phase to, size_t n_bytes)
{
    pthread_mutex_lock(&x->server->lock);
    x->c->phase = to;
    x->c->since_ns = now_ns();
    x->c->n_bytes = n_bytes;
    pthread_mutex_unlock(&x->server->lock);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    http_server *s = cls;
    connection *c = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        c = calloc(1, sizeof *c);
        *context = c;
        if (!c)
            return;
        c->fd = info ? (int)info->connect_fd : -1;
        c->since_ns = now_ns();
        pthread_mutex_lock(&s->lock);
        c->next = s->first;
        if (s->first)
            s->first->before = c;
        s->first = c;
        s->counts.n_connections++;
        pthread_mutex_unlock(&s->lock);
    } else if (c) {
        /* Before the descriptor is closed, so that http_tick never has one that is another's. */
        pthread_mutex_lock(&s->lock);
        if (c->before)
            c->before->next = c->next;
        else
            s->first = c->next;
        if (c->next)
            c->next->before = c->before;
        s->counts.n_connections--;
        pthread_mutex_unlock(&s->lock);
        free(c);
        *context = NULL;
    }
}

void http_tick(http_server *s)
{
    const int64_t now = now_ns();

    pthread_mutex_lock(&s->lock);
    for (connection *c = s->first; c; c = c->next) {
        /* The fuller it is, the less it waits for those who say nothing. */
        const bool is_full = s->counts.n_connections > s->max_connections / 4 * 3;
        int64_t limit = s->limits.timeout_s * SECOND;

        if (c->phase == PHASE_IDLE && is_full)
            limit /= 10;
        limit += (int64_t)(c->n_bytes / BYTES_A_SECOND) * SECOND;
        if (c->phase == PHASE_WORKING || c->is_cut || now - c->since_ns <= limit)
            continue;
        c->is_cut = true;
        s->counts.n_slow += c->phase != PHASE_IDLE;
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ------------------------------------------------------------------ one request */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    http_server *s = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const size_t n = strcspn(uri, "?");
    exchange *x = info && info->socket_context ? calloc(1, sizeof *x) : NULL;

    if (!x)
        return NULL;
    x->server = s;
    x->mhd = mhd;
    x->c = info->socket_context;
    x->r.content_length = -1;
    x->r.began_ns = now_ns();
    read_path(&x->r, uri, n);
    if (uri[n] == '?')
        read_query(&x->r, uri + n + 1);
    pthread_mutex_lock(&s->lock);
    s->counts.n_requests++;
    pthread_mutex_unlock(&s->lock);
    enter(x, PHASE_RECEIVING, 0);
    return x;
}

static char *header_of(exchange *x, const char *name)
{
    const char *value = MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
    char *copy = value ? strdup(value) : NULL;

    x->r.is_short |= value && !copy;
    return copy;
}

static void drop_headers(http_answer *a)
{
    for (int i = 0; i < a->n_headers; i++)
        free(a->headers[i].value);
    a->n_headers = 0;
}

static enum MHD_Result send_answer(exchange *x)
{
    http_request *r = &x->r;
    http_answer *a = &r->answer;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (!a->code)
        x->server->hooks.refuse(x->server->hooks.ctx, r, 500, "there is no answer");
    /* Without one of its headers an answer says something else: that it is the last page, or that
       any site may have it. */
    if (a->is_short && a->code != 503) {
        drop_headers(a);
        x->server->hooks.refuse(x->server->hooks.ctx, r, 503, "out of memory");
    }
    response = MHD_create_response_from_buffer(
        a->n, a->bytes, a->is_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (!response)
        return MHD_NO;
    if (!a->is_static)
        a->bytes = NULL; /* the response's */
    if (a->type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
    for (int i = 0; i < a->n_headers; i++)
        MHD_add_response_header(response, a->headers[i].name, a->headers[i].value);
    enter(x, PHASE_SENDING, a->n);
    result = MHD_queue_response(x->mhd, (unsigned)a->code, response);
    MHD_destroy_response(response);
    return result;
}

/* The head is there: what it says, whether it is wanted, and how the body will come. */
static enum MHD_Result begin(exchange *x, const char *method)
{
    http_server *s = x->server;
    http_request *r = &x->r;
    char *length = header_of(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    char *authorization = header_of(x, MHD_HTTP_HEADER_AUTHORIZATION);
    const bool waits = MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);

    x->is_begun = true;
    snprintf(r->method, sizeof r->method, "%s", method);
    /* libmicrohttpd has refused what is no number. */
    if (length)
        r->content_length = strtoll(length, NULL, 10);
    free(length);
    if (authorization && strncasecmp(authorization, "Bearer ", 7) == 0)
        r->token = strdup(authorization + 7);
    r->is_short |= authorization && strncasecmp(authorization, "Bearer ", 7) == 0 && !r->token;
    free(authorization);
    r->host = header_of(x, MHD_HTTP_HEADER_HOST);
    r->origin = header_of(x, MHD_HTTP_HEADER_ORIGIN);
    r->fetch_site = header_of(x, "Sec-Fetch-Site");
    r->content_type = header_of(x, MHD_HTTP_HEADER_CONTENT_TYPE);
    x->is_refused = !s->hooks.look(s->hooks.ctx, r);
    if (!x->is_refused &&
        (r->content_length < -1 || r->content_length > (int64_t)s->limits.max_body)) {
        char why[128];

        snprintf(why, sizeof why, "the body is %lld bytes, limit is %zu",
                 (long long)r->content_length, s->limits.max_body);
        s->hooks.refuse(s->hooks.ctx, r, 413, why);
        x->is_refused = true;
    }
    /* Who is still sending may not hear an answer that comes before the end; what is short is heard
     * out. */
    if (x->is_refused &&
        (waits || r->content_length < 0 || r->content_length > (int64_t)s->limits.max_body))
        return send_answer(x);
    if (x->is_refused)
        return MHD_YES;
    /* A form of the other kind (application/x-www-form-urlencoded) is what curl calls any body. */
    if (r->content_type && strncasecmp(r->content_type, "multipart/form-data", 19) == 0) {
        x->form = MHD_create_post_processor(x->mhd, FORM_BYTES, on_field, x);
        if (!x->form)
            refuse_rest(x, 400, "the form has no boundary");
    }
    return MHD_YES;
}

static enum MHD_Result receive(exchange *x, const char *data, size_t *n)
{
    const size_t limit = x->server->limits.max_body;
    const size_t n_now = *n;

    *n = 0;
    pthread_mutex_lock(&x->server->lock);
    x->c->n_bytes += n_now;
    x->n_discarded += n_now;
    pthread_mutex_unlock(&x->server->lock);
    if (x->n_discarded > limit)
        refuse_rest(x, 413, "the body is over the limit");
    if (x->n_discarded > 2 * limit) /* it has no end that it says */
        return MHD_NO;
    if (x->is_refused || x->refused)
        return MHD_YES;
    if (x->form) {
        if (MHD_post_process(x->form, data, n_now) == MHD_NO)
            refuse_rest(x, 400, "the form cannot be read");
        return MHD_YES;
    }
    if (x->r.n_parts == 0)
        new_part(x, "", NULL);
    if (x->r.n_parts > 0)
        append(x, &x->r.parts[0], data, n_now);
    return MHD_YES;
}

static enum MHD_Result finish(exchange *x)
{
    http_server *s = x->server;
    http_request *r = &x->r;

    if (x->form && MHD_destroy_post_processor(x->form) == MHD_NO)
        refuse_rest(x, 400, "the form is cut off");
    x->form = NULL;
    if (!x->is_refused && x->refused) {
        s->hooks.refuse(s->hooks.ctx, r, x->refused, x->why);
        x->is_refused = true;
    }
    if (x->is_refused)
        return send_answer(x);
    if (r->is_now) {
        s->hooks.run(s->hooks.ctx, r);
        return send_answer(x);
    }
    x->is_taken = true;
    enter(x, PHASE_WORKING, 0);
    /* First, as it may be given back before take returns. */
    MHD_suspend_connection(x->mhd);
    if (!s->hooks.take(s->hooks.ctx, r))
        MHD_resume_connection(x->mhd);
    return MHD_YES;
}

void http_finish(http_request *r)
{
    exchange *x = (exchange *)r;

    MHD_resume_connection(x->mhd);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **context)
{
    exchange *x = *context;

    (void)cls;
    (void)mhd;
    (void)url;
    (void)version;
    if (!x)
        return MHD_NO;
    if (!x->is_begun)
        return begin(x, method);
    if (*n > 0)
        return receive(x, data, n);
    return x->is_taken ? send_answer(x) : finish(x);
}

static void free_request(http_request *r)
{
    for (int i = 0; i < r->n_path; i++)
        free(r->path[i]);
    for (int i = 0; i < r->n_params; i++) {
        free(r->params[i].name);
        free(r->params[i].value);
    }
    for (int i = 0; i < r->n_parts; i++) {
        free(r->parts[i].name);
        free(r->parts[i].file_name);
        free(r->parts[i].bytes);
    }
    drop_headers(&r->answer);
    if (!r->answer.is_static)
        free(r->answer.bytes);
    free(r->token);
    free(r->host);
    free(r->origin);
    free(r->fetch_site);
    free(r->content_type);
}

static void on_end(void *cls, struct MHD_Connection *mhd, void **context,
                   enum MHD_RequestTerminationCode how)
{
    exchange *x = *context;
    http_server *s = cls;

    (void)mhd;
    (void)how;
    if (!x)
        return;
    *context = NULL;
    s->hooks.ended(s->hooks.ctx, &x->r);
    enter(x, PHASE_IDLE, 0);
    pthread_mutex_lock(&s->lock);
    s->counts.n_bodies_bytes -= x->n_reserved;
    s->counts.n_requests--;
    pthread_mutex_unlock(&s->lock);
    if (x->form)
        MHD_destroy_post_processor(x->form);
    free_request(&x->r);
    free(x);
}

/* ------------------------------------------------------------------ the whole */

/* As many connections as the process may have files open, within reason. */
static int64_t may_connect(void)
{
    struct rlimit files;
    int64_t n = 1024;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        if (files.rlim_cur < files.rlim_max) {
            files.rlim_cur = files.rlim_max < MAX_CONNECTIONS + OTHER_FILES
                                 ? files.rlim_max
                                 : MAX_CONNECTIONS + OTHER_FILES;
            (void)setrlimit(RLIMIT_NOFILE, &files);
        }
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
            n = (int64_t)files.rlim_cur;
        else
            n = MAX_CONNECTIONS + OTHER_FILES;
    }
    n -= OTHER_FILES;
    return n < 16 ? 16 : n > MAX_CONNECTIONS ? MAX_CONNECTIONS : n;
}

http_server *http_start(int socket, const http_hooks *hooks, const http_limits *limits)
{
    http_server *s;

    if (!need())
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        fputs("doppel serve: out of memory\n", stderr);
        free(s);
        return NULL;
    }
    s->hooks = *hooks;
    s->limits = *limits;
    s->max_connections = may_connect();
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
        on_request, s, MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->max_connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)limits->timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, s, MHD_OPTION_END);
    if (!s->daemon) {
        fputs("doppel serve: the server cannot start\n", stderr);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return NULL;
    }
    return s;
}

void http_quiesce(http_server *s)
{
    /* It stays open: systemd's is one with ours, and who comes now is for the next server. */
    (void)MHD_quiesce_daemon(s->daemon);
}

void http_stop(http_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

http_counts http_count(http_server *s)
{
    http_counts counts;

    pthread_mutex_lock(&s->lock);
    counts = s->counts;
    pthread_mutex_unlock(&s->lock);
    return counts;
}
