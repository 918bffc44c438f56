/*
 * cmd_undo.c - `doppel undo`: the last change to the gallery taken back, after saying what it was.
 */
#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

typedef struct undo_options {
    common common;
    bool dry_run, yes;
} undo_options;

static const option_spec own[] = {{.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(undo_options, dry_run),
                                   .once = true,
                                   .help = "only tell what would be taken back"},
                                  {.name = "yes",
                                   .letter = 'y',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(undo_options, yes),
                                   .once = true,
                                   .help = "do not ask"},
                                  {0}};

const option_spec *const options_of_undo[] = {own, options_gallery, options_output, NULL};

typedef struct undoing {
    const undo_options *o;
    bool done, is_none;
    bool told; /* the change, in words for people */
} undoing;

/* "; 3 photos added": n of what, unless it is 0. */
static void tell_count(const char *what, const char *how, int64_t n)
{
    char count[64];

    if (n)
        printf("\n  %s %s", text_counted(count, n, what), how);
}

static void tell_change(const dpl_change *c)
{
    char when[32];

    fputs("the last change: ", stdout);
    text_put(stdout, c->what);
    printf(" (%s)", text_when(when, c->made_unix_s));
    tell_count("person", "added", c->n_persons_added);
    tell_count("person", "renamed", c->n_persons_changed);
    tell_count("person", "removed", c->n_persons_removed);
    tell_count("photo", "added", c->n_photos_added);
    tell_count("photo", "changed", c->n_photos_changed);
    tell_count("photo", "removed", c->n_photos_removed);
    tell_count("template", "added", c->n_templates_added);
    tell_count("template", "removed", c->n_templates_removed);
    tell_count("face", "given to somebody else", c->n_owners_changed);
    putchar('\n');
}

static dpl_status on_change(void *ctx, const dpl_change *change)
{
    undoing *u = ctx;

    u->is_none = !change->what || change->is_final;
    if (u->is_none)
        return DPL_OK;
    if (u->o->common.json && (u->done || u->o->dry_run))
        json_print(undo_json(change, !u->o->dry_run));
    else if (!u->o->common.json && !u->done)
        tell_change(change);
    return DPL_OK;
}

static int run(const command *self, const undo_options *o, dpl_gallery *gallery)
{
    undoing u = {.o = o};
    dpl_error err;

    if (dpl_gallery_last_change(gallery, on_change, &u, &err) != DPL_OK)
        return common_fail(self, &o->common, &err);
    fflush(stdout);
    /* What cannot be taken back says why when it is tried. */
    if (o->dry_run && !u.is_none)
        return 0;
    if (!u.is_none && !o->yes && !common_confirm("take it back?"))
        return common_refuse(self, &o->common, DPL_E_ARGUMENT,
                             "nothing was taken back (--yes says that it is meant)");
    dpl_gallery_rehearse(gallery, o->dry_run);
    if (dpl_gallery_undo(gallery, &err) != DPL_OK)
        return common_fail(self, &o->common, &err);
    if (!o->common.json) {
        puts("taken back; doppel undo again brings it back");
        return 0;
    }
    u.done = true;
    return dpl_gallery_last_change(gallery, on_change, &u, &err) == DPL_OK
               ? 0
               : common_fail(self, &o->common, &err);
}

int cmd_undo(const command *self, int argc, char **argv)
{
    undo_options o = {.common = COMMON_INIT};
    dpl_gallery *gallery = NULL;
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n > 0)
        code = options_usage(self, "it takes no argument");
    if (!code)
        code = common_open_gallery(&gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    code = run(self, &o, gallery);
    dpl_gallery_close(gallery);
    return code;
}
