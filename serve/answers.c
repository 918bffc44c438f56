/*
 * answers.c - questions out of requests, answers and problems into them.
 *
 * Source of problems: RFC 9457.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "serve/server.h"

/* ------------------------------------------------------------------ answers */

/* A line of JSON. Freed by free(); NULL: no memory. The value is taken. */
static char *line_of(json_t *value)
{
    /* As on the command line: nine digits give a float32 back exactly. */
    char *text = json_text(value, JSON_REAL_PRECISION(9) | JSON_COMPACT);
    const size_t n = text ? strlen(text) : 0;
    char *line = text ? realloc(text, n + 2) : NULL;

    json_decref(value);
    if (line)
        memcpy(line + n, "\n", 2);
    else
        free(text);
    return line;
}

void say_json(http_request *r, int code, json_t *value)
{
    char *text = line_of(value);

    if (!text) {
        say_problem(r, 503, "out of memory");
        return;
    }
    http_say(r, code, "application/json", text, strlen(text));
}

static const char *title_of(int code)
{
    switch (code) {
    case 400: return "bad request";
    case 401: return "no token, or a wrong one";
    case 403: return "not allowed";
    case 404: return "not found";
    case 405: return "no such method here";
    case 409: return "not as things are";
    case 413: return "too large";
    case 415: return "no such type of content";
    case 422: return "input not usable";
    case 500: return "internal error";
    case 503: return "not now";
    default: return "problem";
    }
}

static void say(http_request *r, const char *type, const char *title, int code, const char *why,
                const char *status)
{
    static const char none[] =
        "{\"type\":\"about:blank\",\"title\":\"out of memory\",\"status\":503}";
    json_t *problem = json_object();
    char *text;

    json_put_text(&problem, "type", type);
    json_put_text(&problem, "title", title);
    json_put_int(&problem, "status", code);
    json_put_text(&problem, "detail", why);
    json_put_text(&problem, "code", status);
    text = line_of(problem);
    if (text)
        http_say(r, code, "application/problem+json", text, strlen(text));
    else
        http_say_static(r, 503, "application/problem+json", none, sizeof none - 1);
    if (code == 503)
        http_header(r, "Retry-After", "1");
    if (code == 401)
        http_header(r, "WWW-Authenticate", "Bearer realm=\"doppel\"");
}

void say_problem(http_request *r, int code, const char *why)
{
    say(r, "about:blank", title_of(code), code, why, NULL);
}

static int code_of(dpl_status status)
{
    switch (status) {
    case DPL_OK: return 200;
    case DPL_E_ARGUMENT: return 400;
    case DPL_E_INPUT:
    case DPL_E_NO_FACE:
    case DPL_E_MANY_FACES:
    case DPL_E_QUALITY:
    case DPL_E_NUMERIC: return 422;
    case DPL_E_LIMIT: return 413;
    case DPL_E_NOT_FOUND:
    case DPL_E_NO_PERSON: return 404;
    case DPL_E_LOCKED:
    case DPL_E_MEMORY:
    case DPL_E_CANCELLED: return 503;
    case DPL_E_MODEL:
    case DPL_E_GALLERY:
    case DPL_E_MISMATCH:
    case DPL_E_SYSTEM:
    case DPL_E_BUG: break;
    }
    return 500;
}

void say_failure(http_request *r, const dpl_error *err)
{
    char type[64];

    snprintf(type, sizeof type, "urn:doppel:%s", dpl_status_name(err->status));
    say(r, type, dpl_status_words(err->status), code_of(err->status), err->message,
        dpl_status_name(err->status));
}

dpl_status failed(dpl_error *err, dpl_status status, const char *format, ...)
{
    va_list args;

    err->status = status;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

/* ------------------------------------------------------------------ questions */

dpl_status ask_real(double *out, const http_request *r, const char *name, double low, double high,
                    dpl_error *err)
{
    const char *text = http_get(r, name);
    char *end;
    double v;

    if (!text)
        return DPL_OK;
    errno = 0;
    v = strtod(text, &end);
    if (errno || end == text || *end || !(v >= low && v <= high))
        return failed(err, DPL_E_ARGUMENT,
                      "\"%s\" is \"%.80s\", and has to be a number from %g to %g", name, text, low,
                      high);
    *out = v;
    return DPL_OK;
}

dpl_status ask_int(int64_t *out, const http_request *r, const char *name, int64_t low, int64_t high,
                   dpl_error *err)
{
    const char *text = http_get(r, name);
    char *end;
    long long v;

    if (!text)
        return DPL_OK;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < low || v > high)
        return failed(err, DPL_E_ARGUMENT,
                      "\"%s\" is \"%.80s\", and has to be a whole number from %lld to %lld", name,
                      text, (long long)low, (long long)high);
    *out = v;
    return DPL_OK;
}

dpl_status ask_bool(bool *out, const http_request *r, const char *name, dpl_error *err)
{
    static const char *const words[] = {"false", "true", "0", "1", NULL};
    int which = *out;
    const dpl_status status = ask_choice(&which, r, name, words, err);

    *out = which & 1;
    return status;
}

dpl_status ask_choice(int *out, const http_request *r, const char *name, const char *const *choices,
                      dpl_error *err)
{
    const char *text = http_get(r, name);

    if (!text)
        return DPL_OK;
    for (int i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return DPL_OK;
        }
    failed(err, DPL_E_ARGUMENT, "\"%s\" is \"%.80s\", and has to be ", name, text);
    for (int i = 0; choices[i]; i++) {
        const size_t n = strlen(err->message);

        snprintf(err->message + n, sizeof err->message - n, "%s%s",
                 i == 0           ? ""
                 : choices[i + 1] ? ", "
                                  : " or ",
                 choices[i]);
    }
    return DPL_E_ARGUMENT;
}

dpl_status ask_text(const char **out, const http_request *r, const char *name, dpl_error *err)
{
    *out = http_get(r, name);
    if (*out && (*out)[0])
        return DPL_OK;
    return failed(err, DPL_E_ARGUMENT, "\"%s\" is missing", name);
}

dpl_status open_photo(dpl_photo *out, const http_part **part, desk *d, const http_request *r,
                      const char *field, dpl_error *err)
{
    const http_part *p = http_file(r, field);
    const char *name = http_get(r, "name_of_file");

    *out = (dpl_photo)DPL_PHOTO_INIT;
    if (part)
        *part = p;
    if (!p || p->n == 0)
        return failed(err, DPL_E_ARGUMENT,
                      field ? "there is no photo as the form's file \"%s\""
                            : "there is no photo: as the body, or as a file of "
                              "a form%s",
                      field ? field : "");
    if (p->file_name && p->file_name[0])
        name = p->file_name;
    return dpl_photo_from_bytes(out, d->s->pipeline, d->scratch, name ? name : "photo", p->bytes,
                                p->n, err);
}
