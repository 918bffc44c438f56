/*
 * cmd_merge.c - `doppel merge`: two people are one, after saying how alike they are.
 */
#include <math.h>
#include <stdlib.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

typedef struct merge_options {
    common common;
    bool dry_run, yes;
} merge_options;

static const option_spec own[] = {{.name = "dry-run",
                                   .letter = 'n',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(merge_options, dry_run),
                                   .once = true,
                                   .help = "only tell what would be changed"},
                                  {.name = "yes",
                                   .letter = 'y',
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(merge_options, yes),
                                   .once = true,
                                   .help = "do not ask where the two are not alike"},
                                  {0}};

const option_spec *const options_of_merge[] = {own, options_gallery, options_models, options_output,
                                               NULL};

typedef struct merging {
    const command *self;
    const merge_options *o;
    dpl_gallery *gallery;
    const char *from, *into;
    dpl_pipeline *pipeline;
    dpl_comparison alike;
    bool is_known; /* how alike they are */
} merging;

/* How alike they are, at the rate of a gallery of so many people. Where it cannot be told (a head
   without a mean, no template of one of them) nothing is known, which is no failure. */
static int compare(merging *m)
{
    static const char *const no_photos[1];
    common faces = m->o->common;
    int64_t n_persons;
    dpl_policy policy;
    const char *hash;
    dpl_error err;
    dpl_status status = dpl_gallery_setting(&hash, m->gallery, "model.face.hash", &err);
    int code;

    if (status != DPL_OK)
        return common_fail(m->self, &m->o->common, &err);
    if (!hash)
        return 0;
    faces.faces_only = true;
    faces.inputs = no_photos;
    code = common_open_pipeline(&m->pipeline, m->self, &faces, m->gallery, 0);
    if (code)
        return code;
    status = dpl_gallery_count_people(&n_persons, m->gallery, &err);
    if (status == DPL_OK)
        status = dpl_policy_for_search(&policy, dpl_pipeline_calibration(m->pipeline),
                                       DPL_DEFAULT_FPIR, n_persons, &err);
    if (status == DPL_OK)
        status =
            dpl_compare_people(&m->alike, m->gallery, m->pipeline, &policy, m->from, m->into, &err);
    m->is_known = status == DPL_OK;
    if (status == DPL_OK || status == DPL_E_NO_PERSON || status == DPL_E_ARGUMENT)
        return 0;
    return common_fail(m->self, &m->o->common, &err);
}

static void tell_alike(const merging *m, FILE *f)
{
    char rate[64];

    if (!m->is_known) {
        fputs("how alike they are is not known\n", f);
        return;
    }
    fprintf(f, "%s: score %.3f", dpl_decision_words(m->alike.decision), (double)m->alike.score);
    if (!isnan(m->alike.rate.rate))
        fprintf(f, ", which strangers reach %s", text_rate(rate, m->alike.rate));
    fputc('\n', f);
}

/* Whether it is meant, where the two do not match. */
static bool is_meant(const merging *m)
{
    const merge_options *o = m->o;

    if (o->yes || o->dry_run || (m->is_known && m->alike.decision == DPL_DECISION_MATCH))
        return true;
    text_put(stderr, m->from);
    fputs(" and ", stderr);
    text_put(stderr, m->into);
    fputs(" as the gallery shows them: ", stderr);
    tell_alike(m, stderr);
    return common_confirm("are they one person?");
}

/* For want of somebody, with whom else the name may be of. */
static int fail(const merging *m, const dpl_error *why)
{
    const char *const names[] = {m->from, m->into};

    for (int i = 0; i < 2 && why->status == DPL_E_NOT_FOUND; i++) {
        bool known;
        const int code = common_has_person(&known, m->self, &m->o->common, m->gallery, names[i]);

        if (code)
            return code;
        if (!known)
            return common_no_person(m->self, &m->o->common, m->gallery, names[i]);
    }
    return common_fail(m->self, &m->o->common, why);
}

static void tell(const merging *m, const dpl_merge_report *r)
{
    const bool dry = m->o->dry_run;
    char photos[64], faces[64], meant[64];

    if (m->o->common.json) {
        json_print(merge_json(m->from, m->into, r,
                              m->is_known ? dpl_pipeline_calibration(m->pipeline) : NULL,
                              m->is_known ? &m->alike : NULL, dry));
        return;
    }
    text_put(stdout, m->from);
    fputs(dry ? " would be " : " is now ", stdout);
    text_put(stdout, m->into);
    printf(": %s, %s", text_counted(photos, r->n_photos, "photo"),
           text_counted(faces, r->n_faces, "face"));
    if (r->n_meant)
        printf(", %s", text_counted(meant, r->n_meant, "refused photo"));
    fputs("; ", stdout);
    tell_alike(m, stdout);
    if (!dry && !m->o->common.quiet)
        puts("doppel undo takes it back");
}

static int run(merging *m)
{
    const merge_options *o = m->o;
    dpl_merge_report report;
    dpl_error err;
    int code;

    /* Rehearsed first: nobody is asked about what cannot be done. */
    dpl_gallery_rehearse(m->gallery, true);
    if (dpl_gallery_merge(&report, m->gallery, m->from, m->into, &err) != DPL_OK)
        return fail(m, &err);
    dpl_gallery_rehearse(m->gallery, o->dry_run);
    code = compare(m);
    if (code)
        return code;
    if (!is_meant(m))
        return common_refuse(m->self, &o->common, DPL_E_ARGUMENT,
                             "nothing was changed (--yes says that it is meant)");
    if (dpl_gallery_merge(&report, m->gallery, m->from, m->into, &err) != DPL_OK)
        return fail(m, &err);
    tell(m, &report);
    return 0;
}

int cmd_merge(const command *self, int argc, char **argv)
{
    merge_options o = {.common = COMMON_INIT};
    merging m = {.self = self, .o = &o};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && n != 2)
        code = options_usage(self, "it takes two people's names: all that is A's becomes B's");
    if (!code)
        code = common_open_gallery(&m.gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    m.from = argv[1];
    m.into = argv[2];
    code = run(&m);
    dpl_pipeline_close(m.pipeline);
    dpl_gallery_close(m.gallery);
    return code;
}
