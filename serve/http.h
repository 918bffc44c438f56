/*
 * http.h - HTTP for the server: connections, what a request may take of time and memory, whole
 * requests to who answers them, answers back.
 *
 * One thread does all of the network's work and waits for nothing but it. Who answers does so in
 * that thread (`is_now`) or takes the request away (`take`) and gives it back by http_finish from
 * any thread. A request's body is in memory, never on disk.
 */
#ifndef DOPPEL_SERVE_HTTP_H
#define DOPPEL_SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_SEGMENTS = 6, HTTP_PARAMS = 24, HTTP_PARTS = 12, HTTP_HEADERS = 8 };

typedef struct http_param {
    char *name, *value;
} http_param;

/* A field of a form, or the whole body, whose name is "". */
typedef struct http_part {
    char *name, *file_name; /* file_name NULL: it is no file */
    char *bytes;            /* [n], and a NUL behind them */
    size_t n, cap;
} http_part;

typedef struct http_answer {
    int code;         /* 0: none yet */
    const char *type; /* static */
    char *bytes;      /* taken, unless is_static */
    size_t n;
    bool is_static;
    bool is_short;                    /* a header is missing, for want of memory */
    http_param headers[HTTP_HEADERS]; /* name static, value taken */
    int n_headers;
} http_answer;

typedef struct http_request {
    char method[12];
    char *path[HTTP_SEGMENTS]; /* decoded; bytes may be anything but NUL */
    int n_path;
    bool is_bad;   /* a path or parameters that are none, or too many */
    bool is_short; /* there was no memory for some of what was asked: nothing that is missing here
                      may be taken for not said */
    http_param params[HTTP_PARAMS];
    int n_params;
    http_part parts[HTTP_PARTS];
    int n_parts;
    char *token, *host, *origin, *fetch_site, *content_type; /* headers; each NULL: absent */
    int64_t content_length;                                  /* -1: not said */
    bool is_now; /* set by look: it is answered in the network's thread */
    void *route; /* of who answers */
    int64_t began_ns;
    http_answer answer;
} http_request;

/* Who answers. */
typedef struct http_hooks {
    void *ctx;
    /* The head is there. False: it is answered already, and no body is wanted. */
    bool (*look)(void *ctx, http_request *r);
    /* All is there, and is_now: answer it. */
    void (*run)(void *ctx, http_request *r);
    /* All is there: take it away. False: there is no room, and it is answered already. */
    bool (*take)(void *ctx, http_request *r);
    /* What arrives is too much (413), there is no room for it (503), or it is none (400). */
    void (*refuse)(void *ctx, http_request *r, int code, const char *why);
    /* The answer has gone, or the client has; for counting. */
    void (*ended)(void *ctx, const http_request *r);
} http_hooks;

typedef struct http_limits {
    size_t max_body;   /* bytes of one body */
    size_t max_bodies; /* of all together */
    int timeout_s;     /* for a head, a body's or an answer's first 64 KiB, and between requests;
                          each further 64 KiB have a second */
} http_limits;

typedef struct http_server http_server;

/** Begin to answer on a socket that listens, which is taken. NULL after a message on stderr. */
http_server *http_start(int socket, const http_hooks *hooks, const http_limits *limits);

/** To be called some times a second: clients that are slower than they may be are let go. */
void http_tick(http_server *s);

/** Take no new connections. */
void http_quiesce(http_server *s);

/** End. Nothing that was taken away may be left. */
void http_stop(http_server *s);

/** Give a request back, with its answer. */
void http_finish(http_request *r);

typedef struct http_counts {
    int64_t n_connections, n_requests; /* now; a request from its first line to its answer's end */
    int64_t n_slow;                    /* let go so far */
    size_t n_bodies_bytes;
} http_counts;
http_counts http_count(http_server *s);

/** A parameter of the query, or a field of a form that is no file; NULL: it is not given. */
const char *http_get(const http_request *r, const char *name);

/** A file of a form by its field's name; with NULL the body where it is no form, else the first
 * file. NULL: there is none. */
const http_part *http_file(const http_request *r, const char *name);

/** Answer with bytes, which are taken. */
void http_say(http_request *r, int code, const char *type, char *bytes, size_t n);
/** The same with bytes that stay. */
void http_say_static(http_request *r, int code, const char *type, const void *bytes, size_t n);
/** One more header; value is copied. */
void http_header(http_request *r, const char *name, const char *value);

#endif
