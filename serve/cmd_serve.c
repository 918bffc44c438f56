/*
 * cmd_serve.c - `doppel serve`: what the command line does, over HTTP, for programs and for people
 * with a browser.
 *
 * One process has the gallery: its one writer, and a reader a thread, which share the index. The
 * socket is opened first and the sandbox entered behind it: from then on the process opens the
 * gallery, the models and the folders of photos alone, connects to nobody and starts nothing, so
 * that a hole in a decoder is worth as little as on the command line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/photo_folders.h"
#include "serve/keep.h"
#include "serve/server.h"
#include "serve/watch.h"

enum {
    TICK_MS = 100,
    MAX_READING = 1024, /* requests that wait for a reader */
    MAX_WRITING = 256,
    MAX_LONG = 4,
    END_S = 60 /* for clients to take their answers when the server ends */
};

typedef struct serve_options {
    common common;
    const char *listen, *token_file, *photos;
    size_t max_body;
    int timeout_s;
    double min_quality;
    bool read_only;
} serve_options;

#define AT(member) offsetof(serve_options, member)

static const option_spec own[] = {
    {.name = "listen",
     .kind = OPTION_TEXT,
     .offset = AT(listen),
     .value = "ADDRESS",
     .help = "ADDRESS:PORT or PORT (default 127.0.0.1:8080, or the socket that systemd passes; "
             "port 0: any)"},
    {.name = "token-file",
     .kind = OPTION_TEXT,
     .offset = AT(token_file),
     .value = "FILE",
     .help = "let in only who has one of the tokens in FILE, one a line (needed for any address "
             "but this machine's own)"},
    {.name = "read-only",
     .kind = OPTION_FLAG,
     .offset = AT(read_only),
     .help = "answer questions, change nothing"},
    {.name = "photos",
     .kind = OPTION_TEXT,
     .offset = AT(photos),
     .value = "DIR",
     .help = "keep the photos that are enrolled in DIR (default the folder \"photos\" of the "
             "gallery)"},
    {.name = "max-body",
     .kind = OPTION_BYTES,
     .offset = AT(max_body),
     .value = "BYTES",
     .help = "refuse requests with more content than this; eight times as much is kept of all "
             "together (default 32M)"},
    {.name = "timeout",
     .kind = OPTION_INT,
     .offset = AT(timeout_s),
     .value = "SECONDS",
     .help = "let clients go that take longer to ask, or to take an answer; a second more for each "
             "64 KiB (default 30)",
     .low = 1,
     .high = 3600},
    {.name = "min-quality",
     .kind = OPTION_REAL,
     .offset = AT(min_quality),
     .value = "Q",
     .help = "refuse to enrol faces of less quality, 0 to 1 (default 0.1)",
     .low = 0,
     .high = 1},
    {0}};

const option_spec *const options_of_serve[] = {own,
                                               options_audit,
                                               options_threads,
                                               options_text,
                                               options_gallery,
                                               options_models,
                                               options_output,
                                               NULL};

/* ------------------------------------------------------------------ opening */

static int open_rows(server *s, serve_options *o, photo_folders *f)
{
    const common *c = &o->common;
    common quiet = *c; /* opening it is no question */
    char *folder;
    dpl_error err;
    int code;

    quiet.audit = false;
    if (!o->read_only)
        o->common.tidies = common_above_new_gallery(s->self, c);
    code = common_open_gallery(&s->gallery, s->self, &quiet,
                               o->read_only ? DPL_GALLERY_READ : DPL_GALLERY_CREATE);
    if (code)
        return code;
    if (photo_folders_find(f, s->gallery, &err) != DPL_OK)
        return common_fail(s->self, c, &err);
    if (!o->photos && !o->read_only && strstr(dpl_gallery_dir(s->gallery), "://"))
        return common_refuse(s->self, c, DPL_E_ARGUMENT,
                             "a gallery in a database has no folder for the photos that are "
                             "enrolled: --photos DIR says where they are kept");
    folder = o->photos ? text_format("%s", o->photos)
                       : text_format("%s/photos", dpl_gallery_folder(s->gallery));
    if (o->read_only)
        s->photos = folder;
    else if (keep_open(&s->photos, folder, s->gallery, &err) != DPL_OK)
        code = common_fail(s->self, c, &err);
    if (!o->read_only)
        free(folder);
    return code;
}

/* For copies: whole pictures alone, and no more of a photo than they need. */
static int open_copies(server *s, const common *o, const char *model)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    dpl_error err;

    if (!model)
        return 0;
    options.encoder_path = model;
    options.decode.enough_px = 512;
    options.decode.max_pixels = (uint64_t)o->max_pixels;
    options.decode.max_bytes = o->max_memory_bytes;
    options.net = common_model_limits(o);
    return dpl_pipeline_open(&s->copies, &options, &err) == DPL_OK ? 0
                                                                   : common_fail(s->self, o, &err);
}

/* Where the model of sentences is, as for query; *path NULL: there is none. */
static int find_sentences(char **path, char **merges, const server *s)
{
    const common *o = s->o;
    const int code = common_find_any_text_model(path, merges, s->self, o, s->gallery);

    if (!code && !*path && !o->text_model)
        (void)dpl_models_find(path, DPL_MODEL_SENTENCE, NULL);
    return code;
}

static int open_sentences(server *s, const char *path, const char *merges)
{
    const common *o = s->o;
    const dpl_encoder *pictures = dpl_pipeline_image_encoder(s->pipeline);
    int code;

    if (!path)
        return 0;
    code = common_open_text(&s->sentences, s->self, o, path, merges);
    if (!code && o->text_model && o->image_model && pictures)
        s->is_pair = dpl_encoder_dim(pictures) ==
                     dpl_text_encoder_dim(dpl_text_pipeline_encoder(s->sentences));
    return code;
}

static int open_models(server *s, serve_options *o, photo_folders *f)
{
    common *c = &o->common;
    char *model = NULL, *sentences = NULL, *merges = NULL;
    int code = find_sentences(&sentences, &merges, s);

    if (code)
        return code;
    (void)dpl_models_find(&model, DPL_MODEL_IMAGE, NULL);
    c->inputs = f->paths;
    c->n_inputs = f->n;
    c->writes = (const char *const *)&s->photos;
    c->n_writes = s->is_read_only ? 0 : 1;
    c->adds_pictures = !s->is_read_only;
    c->stays = true;
    c->beside[0] = model;
    c->beside[1] = sentences;
    c->beside[2] = merges;
    code = common_open_pipeline(&s->pipeline, s->self, c, s->gallery, o->min_quality);
    if (!code)
        code = open_copies(s, c, model);
    if (!code)
        code = open_sentences(s, sentences, merges);
    c->inputs = c->writes = NULL;
    c->n_writes = 0;
    c->beside[0] = c->beside[1] = c->beside[2] = NULL;
    dpl_bytes_free(model);
    free(sentences);
    free(merges);
    return code;
}

/* ------------------------------------------------------------------ who works */

typedef struct office {
    desk *desks; /* [n_readers + 2]: the last two are the writer's and of what takes minutes */
    void **ctx;
    int n_readers;
} office;

static dpl_status furnish(desk *d, server *s, bool writes, dpl_error *err)
{
    dpl_status status = dpl_scratch_new(&d->scratch, 0, err);

    d->s = s;
    if (status != DPL_OK)
        return status;
    if (!writes)
        return dpl_gallery_open_again(&d->gallery, s->gallery, err);
    d->gallery = s->gallery;
    return DPL_OK;
}

static int open_office(office *f, server *s)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const int n = s->o->n_threads > 0 ? s->o->n_threads : cores > 0 ? (int)cores : 1;
    dpl_status status = DPL_OK;
    dpl_error err;

    f->n_readers = n;
    f->desks = text_need(calloc((size_t)n + 2, sizeof *f->desks));
    f->ctx = text_need(calloc((size_t)n + 2, sizeof *f->ctx));
    for (int i = 0; i < n + 2 && status == DPL_OK; i++) {
        f->ctx[i] = &f->desks[i];
        status = furnish(&f->desks[i], s, i == n && !s->is_read_only, &err);
    }
    if (status == DPL_OK && n > 1)
        status = dpl_scratch_new(&s->shared, 0, &err);
    if (status == DPL_OK && n > 1)
        status = dpl_scratch_set_threads(s->shared, n, &err);
    if (status != DPL_OK)
        return common_fail(s->self, s->o, &err);
    s->readers = workers_start(n, MAX_READING, server_work, f->ctx);
    s->writer = workers_start(1, MAX_WRITING, server_work, f->ctx + n);
    s->long_work = workers_start(1, MAX_LONG, server_work, f->ctx + n + 1);
    if (!s->readers || !s->writer || !s->long_work)
        return common_refuse(s->self, s->o, DPL_E_SYSTEM, "threads cannot be started");
    return 0;
}

static void close_office(office *f, server *s)
{
    workers_stop(s->readers);
    workers_stop(s->writer);
    workers_stop(s->long_work);
    for (int i = 0; f->desks && i < f->n_readers + 2; i++) {
        dpl_scratch_free(f->desks[i].scratch);
        if (f->desks[i].gallery != s->gallery)
            dpl_gallery_close(f->desks[i].gallery);
    }
    dpl_scratch_free(s->shared);
    free(f->desks);
    free(f->ctx);
}

/* ------------------------------------------------------------------ serving */

static void tell(const server *s)
{
    if (s->o->json) {
        json_t *object = json_answer("serve");

        json_put_text(&object, "listen", s->listener.where);
        if (!s->listener.is_socket_file) {
            char *url = text_format("http://%s/", s->listener.where);

            json_put_text(&object, "url", url);
            free(url);
        }
        json_put_text(&object, "gallery", dpl_gallery_dir(s->gallery));
        json_put_bool(&object, "read_only", s->is_read_only);
        json_put_bool(&object, "token", s->tokens != NULL);
        json_print(object);
        return;
    }
    if (s->o->quiet)
        return;
    fputs("serving ", stdout);
    text_put(stdout, dpl_gallery_dir(s->gallery));
    printf(" at %s%s%s%s\n", s->listener.is_socket_file ? "" : "http://", s->listener.where,
           s->listener.is_socket_file ? "" : "/", s->is_read_only ? ", to be read" : "");
    fflush(stdout);
}

static void tick(void)
{
    const struct timespec t = {.tv_nsec = TICK_MS * 1000000L};

    nanosleep(&t, NULL);
}

/* Until a signal; then what runs is finished. */
static void serve(server *s, const volatile int *stop)
{
    int left_ms = END_S * 1000;

    while (!*stop) {
        tick();
        http_tick(s->http);
    }
    __atomic_store_n(&s->is_ending, 1, __ATOMIC_RELEASE);
    dpl_cancel(&s->stop);
    http_quiesce(s->http);
    for (; http_count(s->http).n_requests > 0 && left_ms > 0; left_ms -= TICK_MS) {
        tick();
        http_tick(s->http);
    }
}

static int run(server *s, serve_options *o, office *f)
{
    const http_limits limits = {o->max_body, 8 * o->max_body, o->timeout_s};
    const http_hooks hooks = server_hooks(s);
    const volatile int *stop;
    photo_folders photos = {0};
    watcher *watching;
    dpl_error err;
    int code = 0;

    if (o->token_file && tokens_read(&s->tokens, o->token_file, &err) != DPL_OK)
        return common_fail(s->self, s->o, &err);
    if (listen_on(&s->listener, o->listen, &err) != DPL_OK)
        return common_fail(s->self, s->o, &err);
    if (!s->listener.is_local && !s->tokens)
        return common_refuse(s->self, s->o, DPL_E_ARGUMENT,
                             "others can reach \"%s\": --token-file FILE says who may",
                             s->listener.where);
    code = open_rows(s, o, &photos);
    if (!code)
        code = open_models(s, o, &photos);
    if (!code)
        code = open_office(f, s);
    photo_folders_clear(&photos);
    if (code)
        return code;
    s->http = http_start(s->listener.socket, &hooks, &limits);
    if (!s->http)
        return dpl_status_exit_code(DPL_E_SYSTEM);
    stop = common_watch_signals(); /* before anybody is told, who may end it */
    watching = watch_start(s);
    tell(s);
    serve(s, stop);
    watch_stop(watching);
    /* What a worker still has comes back before the connections end. */
    workers_stop(s->readers);
    workers_stop(s->writer);
    workers_stop(s->long_work);
    s->readers = s->writer = s->long_work = NULL;
    http_stop(s->http);
    return 0;
}

int cmd_serve(const command *self, int argc, char **argv)
{
    serve_options o = {
        .common = COMMON_INIT, .max_body = (size_t)32 << 20, .timeout_s = 30, .min_quality = 0.1};
    server s = {.self = self, .o = &o.common, .listener = {.socket = -1}};
    pthread_rwlockattr_t fair;
    office f = {0};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 0)
        code = options_usage(self, "it takes no argument");
    if (!code && o.max_body < 1024)
        code = options_usage(self, "--max-body is 1024 bytes at least");
    if (code)
        return code;
    s.is_read_only = o.read_only;
    pthread_mutex_init(&s.metrics.lock, NULL);
    pthread_mutex_init(&s.shared_lock, NULL);
    /* Who forgets is not kept waiting by readers that come and go. */
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s.rows, &fair);
    pthread_rwlockattr_destroy(&fair);
    code = run(&s, &o, &f);
    close_office(&f, &s);
    if (s.listener.socket >= 0)
        close(s.listener.socket);
    dpl_text_pipeline_close(s.sentences);
    dpl_pipeline_close(s.copies);
    dpl_pipeline_close(s.pipeline);
    /* None is made for a server that does not come to serve. */
    if (code && !o.read_only && !o.photos && s.photos)
        (void)rmdir(s.photos);
    if (code)
        dpl_gallery_abandon(s.gallery);
    else
        dpl_gallery_close(s.gallery);
    free(o.common.tidies);
    tokens_free(s.tokens);
    free(s.photos);
    pthread_rwlock_destroy(&s.rows);
    pthread_mutex_destroy(&s.metrics.lock);
    pthread_mutex_destroy(&s.shared_lock);
    return code;
}
