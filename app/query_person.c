/*
 * query_person.c - the photos of the gallery in which a person is: those in which a face is theirs,
 * whosever the photo is as a whole, and whole pictures of theirs.
 */
#include "app/query_person.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/answer_query.h"
#include "app/json_print.h"
#include "app/query_lines.h"

typedef struct shown_in {
    char **paths; /* each freed by free(), as the list */
    size_t n, cap;
    int64_t last_photo_id;
    char *person; /* as the gallery calls them */
} shown_in;

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    shown_in *in = ctx;

    if (in->n > 0 && row->photo_id == in->last_photo_id)
        return DPL_OK;
    if (in->n == in->cap) {
        in->cap = in->cap ? 2 * in->cap : 64;
        in->paths = text_need(reallocarray(in->paths, in->cap, sizeof *in->paths));
    }
    if (!in->person)
        in->person = text_format("%s", row->person);
    in->last_photo_id = row->photo_id;
    in->paths[in->n++] = text_format("%s", row->photo_path);
    return DPL_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell(const char *path, const char *person, query_form form)
{
    switch (form) {
    case QUERY_TEXT:
        text_put(stdout, common_from_here(path));
        putchar('\n');
        break;
    case QUERY_LINES:
    case QUERY_NUL: query_line_of_path(path, form == QUERY_NUL); break;
    case QUERY_JSON: json_print(query_person_json(person, path)); break;
    }
}

int query_person(const command *self, const common *o, const char *name, query_form form)
{
    shown_in in = {.n = 0};
    dpl_gallery *gallery = NULL;
    bool known = false;
    dpl_error err;
    int code = common_open_gallery(&gallery, self, o, DPL_GALLERY_READ);

    if (code)
        return code;
    if (dpl_gallery_each_template(gallery, name, NULL, take_template, &in, &err) != DPL_OK)
        code = common_fail(self, o, &err);
    else if (in.n == 0)
        code = common_has_person(&known, self, o, gallery, name);
    if (!code && in.n == 0)
        code = known ? 1 : common_no_person(self, o, gallery, name);
    if (in.n > 0)
        qsort(in.paths, in.n, sizeof *in.paths, by_bytes);
    for (size_t i = 0; i < in.n && !code; i++)
        if (i == 0 || strcmp(in.paths[i], in.paths[i - 1]) != 0)
            tell(in.paths[i], in.person, form);
    for (size_t i = 0; i < in.n; i++)
        free(in.paths[i]);
    free(in.paths);
    free(in.person);
    dpl_gallery_close(gallery);
    return code;
}
