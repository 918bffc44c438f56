/*
 * common_face.c - PHOTO#N to a face in the gallery, and back.
 */
#include "app/common_face.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/json.h"
#include "app/json_print.h"

/* ------------------------------------------------------------------ looking up */

/* What the ledger says of the photo; the row does not outlive the callback. */
typedef struct looked_up {
    common_faces *faces;
    char *reason; /* why it was refused; NULL: it was not */
} looked_up;

static dpl_status keep_photo(void *ctx, const dpl_photo_row *row)
{
    looked_up *l = ctx;

    l->faces->photo_id = row->id;
    l->faces->path = text_format("%s", row->path);
    if (row->status != DPL_OK)
        l->reason = text_format("%s", row->reason);
    return DPL_OK;
}

static dpl_status keep_template(void *ctx, const dpl_template_row *row)
{
    common_faces *faces = ctx;
    common_face *f;

    if (!row->is_face)
        return DPL_OK;
    faces->items = text_need(reallocarray(faces->items, faces->n + 1, sizeof *faces->items));
    f = &faces->items[faces->n++];
    *f = (common_face){.template_id = row->id,
                       .person_id = row->person_id,
                       .by_hand = row->by_hand,
                       .face = row->face};
    if (row->person)
        f->person = text_format("%s", row->person);
    return DPL_OK;
}

/* The number after the last '#', 0 when there is none; *at: where the '#' is. */
static size_t number_of(const char **at, const char *typed)
{
    const char *digits = strrchr(typed, '#');
    size_t n = 0;

    *at = digits;
    if (!digits || digits == typed || digits[1] < '1' || digits[1] > '9')
        return 0;
    for (const char *c = digits + 1; *c; c++) {
        if (*c < '0' || *c > '9' || n > 100000)
            return 0;
        n = n * 10 + (size_t)(*c - '0');
    }
    return n;
}

static dpl_status find_photo(looked_up *l, int *found, dpl_gallery *gallery, const char *typed,
                             dpl_error *err)
{
    char *path = common_full_path(typed);
    const dpl_status status =
        dpl_gallery_find_photo(gallery, path, NULL, keep_photo, l, found, err);

    free(path);
    return status;
}

int common_find_faces(common_faces *out, const command *self, const common *o, dpl_gallery *gallery,
                      const char *typed)
{
    looked_up l = {.faces = out};
    const char *at;
    const size_t number = number_of(&at, typed);
    char *photo = NULL;
    dpl_error err;
    struct stat st;
    int found = 0, code = 0;
    dpl_status status;

    *out = (common_faces){0};
    status = find_photo(&l, &found, gallery, typed, &err);
    if (status == DPL_OK && !found && number && lstat(typed, &st) != 0) {
        photo = text_format("%.*s", (int)(at - typed), typed);
        out->number = number;
        status = find_photo(&l, &found, gallery, photo, &err);
    }
    if (status == DPL_OK && found)
        status = dpl_gallery_each_template_of(gallery, out->photo_id, keep_template, out, &err);
    if (status != DPL_OK)
        code = common_fail(self, o, &err);
    else if (!found)
        code =
            common_refuse(self, o, DPL_E_NOT_FOUND,
                          "\"%s\" is no photo in the gallery (doppel enroll or doppel scan puts it "
                          "there)",
                          photo ? photo : typed);
    else if (out->n == 0)
        code = common_refuse(self, o, DPL_E_NO_FACE, "\"%s\" has no face in the gallery%s%s",
                             photo ? photo : typed, l.reason ? ": it was refused: " : "",
                             l.reason ? l.reason : "");
    else if (out->number > out->n)
        code = common_refuse(self, o, DPL_E_ARGUMENT, "\"%s\" has no face %zu: it has %zu", photo,
                             out->number, out->n);
    free(l.reason);
    free(photo);
    return code;
}

void common_faces_clear(common_faces *faces)
{
    for (size_t i = 0; i < faces->n; i++)
        free(faces->items[i].person);
    free(faces->items);
    free(faces->path);
    *faces = (common_faces){0};
}

/* ------------------------------------------------------------------ one of several */

/* Which faces there are: with --json in the failure, else on stderr. */
static int tell_several(const common_faces *faces, const command *self, const common *o)
{
    dpl_error err = {.status = DPL_E_MANY_FACES};
    json_t *failure, *array = NULL;
    char *first = common_face_typed(faces->path, 1, faces->n);
    int code;

    snprintf(err.message, sizeof err.message,
             "\"%s\" shows %zu faces, and which one is meant is not said (%s is the first)",
             common_from_here(faces->path), faces->n, first);
    free(first);
    code = common_say(self, &err);
    if (o->json) {
        failure = json_failure(self->name, &err);
        array = json_array();
    }
    for (size_t i = 0; i < faces->n; i++) {
        const common_face *f = &faces->items[i];

        if (o->json) {
            json_t *face = json_face((int32_t)i + 1, &f->face);

            json_put_text(&face, "person", f->person);
            json_add(&array, face);
            continue;
        }
        fprintf(stderr, "  #%zu at %.0f,%.0f,%.0f,%.0f: ", i + 1, (double)f->face.x_px,
                (double)f->face.y_px, (double)f->face.w_px, (double)f->face.h_px);
        text_put(stderr, f->person ? f->person : "nobody's");
        fputc('\n', stderr);
    }
    if (o->json) {
        json_put(&failure, "faces", array);
        json_print(failure);
    }
    return code;
}

int common_find_face(const common_face **out, common_faces *faces, const command *self,
                     const common *o, dpl_gallery *gallery, const char *typed)
{
    int code = common_find_faces(faces, self, o, gallery, typed);

    *out = NULL;
    if (code)
        return code;
    if (!faces->number && faces->n > 1)
        return tell_several(faces, self, o);
    if (!faces->number)
        faces->number = 1;
    *out = &faces->items[faces->number - 1];
    return 0;
}

/* ------------------------------------------------------------------ as it can be typed */

char *common_quoted(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    char *quoted = NULL;
    size_t n;
    FILE *f = text_need(open_memstream(&quoted, &n));

    if (word[0] && strspn(word, plain) == strlen(word)) {
        fputs(word, f);
    } else {
        fputc('\'', f);
        for (const char *c = word; *c; c++)
            if (*c == '\'')
                fputs("'\\''", f);
            else
                fputc(*c, f);
        fputc('\'', f);
    }
    fclose(f);
    return text_need(quoted);
}

char *common_face_typed(const char *path, size_t number, size_t n)
{
    const char *here = common_from_here(path);
    char *word, *quoted;

    if (number && n != 1)
        word = text_format("%s%s#%zu", here[0] == '-' ? "./" : "", here, number);
    else
        word = text_format("%s%s", here[0] == '-' ? "./" : "", here);
    quoted = common_quoted(word);
    free(word);
    return quoted;
}

typedef struct numbered {
    int64_t template_id, photo_id;
    char *path;
    size_t number, n;
} numbered;

static dpl_status keep_place(void *ctx, const dpl_template_row *row)
{
    numbered *t = ctx;

    t->photo_id = row->photo_id;
    t->path = text_format("%s", row->photo_path);
    return DPL_OK;
}

static dpl_status count_face(void *ctx, const dpl_template_row *row)
{
    numbered *t = ctx;

    t->n += row->is_face;
    if (row->id == t->template_id)
        t->number = t->n;
    return DPL_OK;
}

char *common_template_typed(dpl_gallery *gallery, int64_t template_id)
{
    numbered t = {.template_id = template_id};
    char *typed = NULL;

    if (dpl_gallery_get_template(gallery, template_id, keep_place, &t, NULL) == DPL_OK &&
        dpl_gallery_each_template_of(gallery, t.photo_id, count_face, &t, NULL) == DPL_OK)
        typed = common_face_typed(t.path, t.number, t.n);
    free(t.path);
    return typed;
}
