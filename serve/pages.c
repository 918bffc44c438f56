/*
 * pages.c - rows of the gallery as JSON arrays, so many at a time.
 */
#include "serve/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_gallery.h"
#include "app/json.h"

enum { USUAL = 100, MOST = 1000 };

dpl_status page_begin(page_of_rows *p, const http_request *r, dpl_error *err)
{
    *p = (page_of_rows){.limit = USUAL, .after = http_get(r, "after"), .rows = json_array()};
    return ask_int(&p->limit, r, "limit", 1, MOST, err);
}

dpl_status page_take(page_of_rows *p, const char *key, json_t *row)
{
    if (p->after && !p->begun) {
        p->begun = strcmp(key, p->after) == 0;
        json_decref(row);
        return DPL_OK;
    }
    if (p->n == p->limit) {
        p->is_more = true;
        json_decref(row);
        return DPL_E_CANCELLED;
    }
    free(p->last);
    p->last = strdup(key);
    p->n++;
    json_add(&p->rows, row);
    return p->rows && p->last ? DPL_OK : DPL_E_MEMORY;
}

dpl_status page_take_photo(page_of_rows *p, const dpl_photo_row *row)
{
    const int64_t n = p->n;
    dpl_status status = p->ids ? DPL_OK : DPL_E_MEMORY;

    if (!p->ids)
        p->ids = calloc((size_t)p->limit, sizeof *p->ids);
    status = p->ids ? page_take(p, row->path, info_photo_json(row)) : DPL_E_MEMORY;
    if (status == DPL_OK && p->n > n)
        p->ids[n] = row->id;
    return status;
}

typedef struct faces {
    json_t *array;
    int32_t n;
} faces;

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    faces *f = ctx;

    f->n += row->is_face ? 1 : 0;
    json_add(&f->array, info_template_json(row->is_face ? f->n : 0, row));
    return f->array ? DPL_OK : DPL_E_MEMORY;
}

dpl_status page_add_templates(page_of_rows *p, dpl_gallery *gallery, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (int64_t i = 0; i < p->n && status == DPL_OK; i++) {
        faces f = {.array = json_array()};
        json_t *row = json_array_get(p->rows, (size_t)i);

        err->status = DPL_E_MEMORY;
        snprintf(err->message, sizeof err->message, "out of memory");
        status = dpl_gallery_each_template_of(gallery, p->ids[i], take_template, &f, err);
        if (status == DPL_OK && json_object_set_new(row, "templates", f.array) != 0)
            status = DPL_E_MEMORY;
        else if (status != DPL_OK)
            json_decref(f.array);
    }
    return status;
}

/* A name in a URI. */
static void put_escaped(FILE *f, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr("-._~", *c))
            fputc(*c, f);
        else
            fprintf(f, "%%%02X", *c);
}

static bool link_next(const page_of_rows *p, http_request *r, const char *path)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return false;
    fputc('<', f);
    if (path)
        fputs(path, f);
    for (int i = 0; i < r->n_path && !path; i++) {
        fputc('/', f);
        put_escaped(f, r->path[i]);
    }
    fprintf(f, "?limit=%lld&after=", (long long)p->limit);
    put_escaped(f, p->last);
    if (path && http_get(r, "person")) {
        fputs("&person=", f);
        put_escaped(f, http_get(r, "person"));
    }
    fputs(">; rel=\"next\"", f);
    const bool done = fclose(f) == 0;
    if (done)
        http_header(r, "Link", text);
    free(text);
    return done;
}

void page_end(page_of_rows *p, http_request *r, dpl_status status, const dpl_error *err,
              const char *path)
{
    if (status == DPL_OK || (status == DPL_E_CANCELLED && p->is_more)) {
        if (!p->is_more || link_next(p, r, path)) {
            say_json(r, 200, p->rows);
        } else {
            json_decref(p->rows);
            say_problem(r, 503, "out of memory");
        }
    } else {
        json_decref(p->rows);
        if (status == DPL_E_MEMORY || status == DPL_E_CANCELLED)
            say_problem(r, 503, "out of memory");
        else
            say_failure(r, err);
    }
    free(p->last);
    free(p->ids);
}
