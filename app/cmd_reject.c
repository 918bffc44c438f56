/*
 * cmd_reject.c - `doppel reject`: a face is not a person's, or two people are two, and that lasts.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common_face.h"
#include "app/json_print.h"

typedef struct reject_options {
    common common;
    bool dry_run, people;
} reject_options;

static const option_spec own[] = {{.name = "people",
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(reject_options, people),
                                   .once = true,
                                   .help = "A and B are two people: no face of one is the other's"},
                                  {.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(reject_options, dry_run),
                                   .once = true,
                                   .help = "only tell what would be changed"},
                                  {0}};

const option_spec *const options_of_reject[] = {own, options_gallery, options_output, NULL};

static void tell_undo(const reject_options *o)
{
    if (!o->common.json && !o->common.quiet && !o->dry_run)
        puts("doppel undo takes it back");
}

/* For want of somebody, with whom else the name may be of. */
static int fail(const command *self, const reject_options *o, dpl_gallery *gallery,
                const char *name, const dpl_error *why)
{
    bool known = true;
    const int code = why->status == DPL_E_NOT_FOUND
                         ? common_has_person(&known, self, &o->common, gallery, name)
                         : 0;

    if (code)
        return code;
    return known ? common_fail(self, &o->common, why)
                 : common_no_person(self, &o->common, gallery, name);
}

static int reject(const command *self, const reject_options *o, dpl_gallery *gallery,
                  const common_faces *faces, const common_face *face, const char *name)
{
    dpl_error err;
    char *typed;

    if (dpl_gallery_reject(gallery, face->template_id, name, &err) != DPL_OK)
        return fail(self, o, gallery, name, &err);
    if (o->common.json) {
        json_print(reject_json(faces->path, (int32_t)faces->number, face->template_id, face->person,
                               name, o->dry_run));
        return 0;
    }
    typed = common_face_typed(faces->path, faces->number, faces->n);
    text_put(stdout, typed);
    fputs(o->dry_run ? " would not be " : " is not ", stdout);
    text_put(stdout, name);
    fputs("'s\n", stdout);
    free(typed);
    tell_undo(o);
    return 0;
}

/* Of nobody's face: it is not who the others of its group are. */
static int reject_from_group(const command *self, const reject_options *o, dpl_gallery *gallery,
                             const common_faces *faces, const common_face *face)
{
    dpl_error err;
    int64_t number = 0;
    char *typed = common_face_typed(faces->path, faces->number, faces->n);
    const dpl_status status =
        dpl_gallery_reject_from_group(gallery, face->template_id, &number, &err);
    int code = 0;

    if (status == DPL_E_NOT_FOUND) {
        code = common_refuse(self, &o->common, DPL_E_ARGUMENT,
                             "%s is nobody's and in no group; doppel reject PHOTO NAME says who it "
                             "is not",
                             typed);
    } else if (status != DPL_OK) {
        code = common_fail(self, &o->common, &err);
    } else if (o->common.json) {
        json_print(reject_from_group_json(faces->path, (int32_t)faces->number, face->template_id,
                                          number, o->dry_run));
    } else {
        text_put(stdout, typed);
        printf(" %s not who group %" PRId64 " shows\n", o->dry_run ? "would be" : "is", number);
        tell_undo(o);
    }
    free(typed);
    return code;
}

static int reject_face(const command *self, const reject_options *o, dpl_gallery *gallery,
                       const char *typed, const char *name)
{
    const common_face *face;
    common_faces faces;
    int code = common_find_face(&face, &faces, self, &o->common, gallery, typed);

    if (!code && !name && !face->person)
        code = reject_from_group(self, o, gallery, &faces, face);
    else if (!code)
        code = reject(self, o, gallery, &faces, face, name ? name : face->person);
    common_faces_clear(&faces);
    return code;
}

static int set_apart(const command *self, const reject_options *o, dpl_gallery *gallery,
                     const char *a, const char *b)
{
    dpl_error err;
    bool known;
    int code;

    if (dpl_gallery_set_apart(gallery, a, b, &err) != DPL_OK) {
        code = common_has_person(&known, self, &o->common, gallery, a);
        return code ? code : fail(self, o, gallery, known ? b : a, &err);
    }
    if (o->common.json) {
        json_print(set_apart_json(a, b, o->dry_run));
        return 0;
    }
    text_put(stdout, a);
    fputs(" and ", stdout);
    text_put(stdout, b);
    puts(o->dry_run ? " would be two people" : " are two people");
    tell_undo(o);
    return 0;
}

int cmd_reject(const command *self, int argc, char **argv)
{
    reject_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && o.people && n != 2)
        code = options_usage(self, "with --people it takes two people's names");
    else if (!code && (n < 1 || n > 2))
        code = options_usage(self, "it takes a photo, and perhaps the name that is not its");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    dpl_gallery_rehearse(gallery, o.dry_run);
    code = o.people ? set_apart(self, &o, gallery, argv[1], argv[2])
                    : reject_face(self, &o, gallery, argv[1], n == 2 ? argv[2] : NULL);
    dpl_gallery_close(gallery);
    return code;
}
