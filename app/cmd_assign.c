/*
 * cmd_assign.c - `doppel assign`: faces are a person's, because somebody says so.
 */
#include <stdlib.h>
#include <string.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common_face.h"
#include "app/json_print.h"

typedef struct assign_options {
    common common;
    bool dry_run;
} assign_options;

static const option_spec own[] = {{.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(assign_options, dry_run),
                                   .once = true,
                                   .help = "only tell what would be changed"},
                                  {0}};

const option_spec *const options_of_assign[] = {own, options_gallery, options_output, NULL};

/* A face that was named, and the photo that it is of. */
typedef struct named {
    common_faces faces;
    const common_face *face;
} named;

static dpl_status keep_person(void *ctx, const dpl_template_row *row)
{
    *(char **)ctx = text_format("%s", row->person ? row->person : "");
    return DPL_OK;
}

/* Assign one and tell it; the name is told as the gallery keeps it, where it is kept. */
static int assign(const command *self, const assign_options *o, dpl_gallery *gallery,
                  const named *n, const char *name)
{
    char *kept = NULL, *face;
    dpl_error err;
    dpl_status status = dpl_gallery_assign(gallery, n->face->template_id, name, &err);

    if (status == DPL_OK && !o->dry_run)
        status = dpl_gallery_get_template(gallery, n->face->template_id, keep_person, &kept, &err);
    if (status != DPL_OK)
        return common_fail(self, &o->common, &err);
    if (o->common.json) {
        json_print(assign_json(n->faces.path, (int32_t)n->faces.number, n->face->template_id,
                               n->face->person, kept ? kept : name, o->dry_run));
    } else {
        face = common_face_typed(n->faces.path, n->faces.number, n->faces.n);
        text_put(stdout, face);
        fputs(o->dry_run ? " would be " : " is now ", stdout);
        text_put(stdout, kept ? kept : name);
        fputs("'s (it was ", stdout);
        text_put(stdout, n->face->person ? n->face->person : "nobody");
        fputs("'s)\n", stdout);
        free(face);
    }
    free(kept);
    return 0;
}

static int assign_all(const command *self, const assign_options *o, dpl_gallery *gallery,
                      const named *all, size_t n, const char *name)
{
    char *what = text_format("assign %zu faces to \"%s\"", n, name);
    dpl_error err;
    int code = 0;

    if (n > 1 && dpl_gallery_begin_change(gallery, what, &err) != DPL_OK)
        code = common_fail(self, &o->common, &err);
    free(what);
    for (size_t i = 0; i < n && !code; i++)
        code = assign(self, o, gallery, &all[i], name);
    dpl_gallery_end_change(gallery);
    return code;
}

int cmd_assign(const command *self, int argc, char **argv)
{
    assign_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    named *all;
    size_t n_faces;
    bool known;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n < 2)
        code = options_usage(self, "it takes a photo, or several, and a person's name");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    n_faces = (size_t)n - 1;
    all = text_need(calloc(n_faces, sizeof *all));
    /* Everything is looked up before anything is changed. */
    for (size_t i = 0; i < n_faces && !code; i++)
        code = common_find_face(&all[i].face, &all[i].faces, self, &o.common, gallery, argv[1 + i]);
    if (!code)
        code = common_has_person(&known, self, &o.common, gallery, argv[n]);
    if (!code) {
        dpl_gallery_rehearse(gallery, o.dry_run);
        code = assign_all(self, &o, gallery, all, n_faces, argv[n]);
    }
    if (!code && !o.common.json && !known) {
        text_put(stdout, argv[n]);
        puts(" is new in the gallery");
    }
    if (!code && !o.common.json && !o.common.quiet && !o.dry_run)
        puts("doppel undo takes it back");
    for (size_t i = 0; i < n_faces; i++)
        common_faces_clear(&all[i].faces);
    free(all);
    dpl_gallery_close(gallery);
    return code;
}
