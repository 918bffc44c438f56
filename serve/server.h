/*
 * server.h - what the parts of the server share: the gallery, the models, who works, and how an
 * answer is given.
 */
#ifndef DOPPEL_SERVE_SERVER_H
#define DOPPEL_SERVE_SERVER_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

#include "app/common.h"
#include "serve/http.h"
#include "serve/listen.h"
#include "serve/metrics.h"
#include "serve/tokens.h"
#include "serve/workers.h"

typedef struct server server;

/* Where one thread works: the gallery and the memory for networks are its own. */
typedef struct desk {
    server *s;
    dpl_gallery *gallery;
    dpl_scratch *scratch;
} desk;

/* Who answers a route. */
typedef enum route_by {
    ROUTE_NOW,    /* the network's thread: it takes no time */
    ROUTE_READER, /* any of the readers */
    ROUTE_WRITER, /* the one that changes the gallery */
    ROUTE_LONG    /* one for what may take minutes */
} route_by;

typedef struct route {
    const char *method, *path; /* "{}" stands for a segment */
    route_by by;
    bool is_open; /* without a token, too */
    void (*answer)(desk *d, http_request *r);
    const char *params; /* the names of those that it takes; NULL: whatever there is */
} route;

struct server {
    const command *self;
    const common *o;
    const route *routes; /* set by server_hooks; ends at a NULL method */
    listener listener;
    tokens *tokens; /* NULL: none is asked for */
    bool is_read_only;
    dpl_pipeline *pipeline;
    dpl_pipeline *copies; /* of whole pictures, for what is the same picture; NULL: no model */
    dpl_text_pipeline *sentences; /* NULL: no model */
    bool is_pair;                 /* sentences and pictures are said to belong together */
    dpl_gallery *gallery;         /* the writer's; with is_read_only a reader's */
    char *photos;                 /* the folder of enrolled photos */
    http_server *http;
    workers *readers, *writer, *long_work;
    /* Scratch on a thread a core, for the one request that is answered while no other is; NULL
     * where there is one thread. */
    dpl_scratch *shared;
    pthread_mutex_t shared_lock; /* held by who works with it */
    int n_reading;               /* readers that answer */
    /* Read while rows are looked at; written by who forgets, which is proved only when no reader
     * holds the old rows. */
    pthread_rwlock_t rows;
    metrics metrics;
    volatile int stop; /* raised: what takes minutes ends */
    int is_ending;     /* no new request is begun */
};

/** http.h's hooks over a server. */
http_hooks server_hooks(server *s);

/** A job of a worker: a desk and a request. */
void server_work(void *desk_, void *request);

/* ------------------------------------------------------------------ answers */

/** Answer with a JSON value, which is taken; NULL: there was no memory for it. */
void say_json(http_request *r, int code, json_t *value);

/** Say why not (RFC 9457), by an HTTP code alone. */
void say_problem(http_request *r, int code, const char *why);

/** The same by a status of doppel's. */
void say_failure(http_request *r, const dpl_error *err);

/* ------------------------------------------------------------------ questions */

/* A parameter by its name; absent, *out stays. DPL_E_ARGUMENT: it is not one. */
dpl_status ask_real(double *out, const http_request *r, const char *name, double low, double high,
                    dpl_error *err);
dpl_status ask_int(int64_t *out, const http_request *r, const char *name, int64_t low, int64_t high,
                   dpl_error *err);
dpl_status ask_bool(bool *out, const http_request *r, const char *name, dpl_error *err);
/** choices: NULL-terminated; *out: which. */
dpl_status ask_choice(int *out, const http_request *r, const char *name, const char *const *choices,
                      dpl_error *err);
/** One that has to be there and be no empty word. */
dpl_status ask_text(const char **out, const http_request *r, const char *name, dpl_error *err);

/** Fill an error. */
dpl_status failed(dpl_error *err, dpl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Open the photo of a request: the file of this field, or with NULL the body or the first file.
 * @param[out] part  may be NULL */
dpl_status open_photo(dpl_photo *out, const http_part **part, desk *d, const http_request *r,
                      const char *field, dpl_error *err);

/* ------------------------------------------------------------------ routes */

void answer_page(desk *d, http_request *r);
void answer_asset(desk *d, http_request *r);
void answer_schema(desk *d, http_request *r);
void answer_openapi(desk *d, http_request *r);
void answer_health(desk *d, http_request *r);
void answer_metrics(desk *d, http_request *r);
void answer_verify(desk *d, http_request *r);
void answer_query(desk *d, http_request *r);
void answer_image_search(desk *d, http_request *r);
void answer_sentence(desk *d, http_request *r, const char *text);
void answer_people(desk *d, http_request *r);
void answer_person(desk *d, http_request *r);
void answer_portrait(desk *d, http_request *r);
void answer_face(desk *d, http_request *r);
void answer_add(desk *d, http_request *r);
void answer_rename(desk *d, http_request *r);
void answer_merge(desk *d, http_request *r);
void answer_forget_person(desk *d, http_request *r);
void answer_photos(desk *d, http_request *r);
void answer_add_photo(desk *d, http_request *r);
void answer_forget_photo(desk *d, http_request *r);
void answer_groups(desk *d, http_request *r);
void answer_make_groups(desk *d, http_request *r);
void answer_name_group(desk *d, http_request *r);
void answer_dupes(desk *d, http_request *r);
void answer_assign(desk *d, http_request *r);
void answer_reject(desk *d, http_request *r);
void answer_set_apart(desk *d, http_request *r);
void answer_last_change(desk *d, http_request *r);
void answer_undo(desk *d, http_request *r);

#endif
