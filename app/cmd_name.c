/*
 * cmd_name.c - `doppel name`: who a group of faces shows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "app/answer_group.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json_print.h"

typedef struct name_options {
    common common;
    bool dry_run, yes;
} name_options;

#define AT(member) offsetof(name_options, member)

static const option_spec own[] = {
    {.name = "yes",
     .letter = 'y',
     .kind = OPTION_FLAG,
     .offset = AT(yes),
     .once = true,
     .help = "do not ask when a group is not like the known person of that name"},
    {.name = "dry-run",
     .letter = 'n',
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .once = true,
     .help = "only tell what would be named"},
    {0}};

const option_spec *const options_of_name[] = {own, options_gallery, options_models, options_output,
                                              NULL};

typedef struct naming {
    const command *self;
    const name_options *o;
    dpl_gallery *gallery;
    dpl_pipeline *pipeline;
    bool is_unlike;
} naming;

static dpl_status look(void *ctx, const dpl_group_row *row)
{
    naming *n = ctx;

    n->is_unlike = row->comparison.decision == DPL_DECISION_NO_MATCH;
    return DPL_OK;
}

/* A group's number, 0 when it is none. */
static int64_t number_of(const char *text)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    return errno || end == text || *end || number < 1 ? 0 : number;
}

/* Whether a group and a known person may be the same, asked where it does not look so. */
static int check(naming *n, int64_t number, const char *name)
{
    const common *o = &n->o->common;
    dpl_groups_options options = DPL_GROUPS_OPTIONS_INIT;
    dpl_error err;
    bool known = false;
    char *question;
    int code = n->o->yes ? 0 : common_has_person(&known, n->self, o, n->gallery, name);

    if (code || !known)
        return code;
    if (!n->pipeline)
        code = common_open_pipeline(&n->pipeline, n->self, o, n->gallery, 0);
    if (code)
        return code;
    options.number = number;
    options.person = name;
    n->is_unlike = false;
    if (dpl_gallery_each_group(n->gallery, n->pipeline, &options, NULL, look, n, &err) != DPL_OK)
        return common_fail(n->self, o, &err);
    if (!n->is_unlike)
        return 0;
    question =
        text_format("group %" PRId64 " does not look like %s. Is it %s?", number, name, name);
    if (!common_confirm(question))
        code = common_refuse(n->self, o, DPL_E_ARGUMENT,
                             "group %" PRId64
                             " does not look like \"%.200s\" (--yes says that it is meant)",
                             number, name);
    free(question);
    return code;
}

static int name_one(naming *n, int64_t number, const char *name)
{
    const common *o = &n->o->common;
    dpl_name_report report;
    dpl_error err;
    char count[64];

    if (dpl_gallery_name_group(&report, n->gallery, number, name, &err) != DPL_OK)
        return common_fail(n->self, o, &err);
    if (o->json) {
        json_print(name_json(number, name, &report, n->o->dry_run));
        return 0;
    }
    printf("group %" PRId64 ": %s %s ", number, text_counted(count, report.n_named, "face"),
           n->o->dry_run ? "would be named" : "named");
    text_put(stdout, name);
    putchar('\n');
    if (report.n_refused) {
        printf("  %s left out, as somebody has said that it is not ",
               text_counted(count, report.n_refused, "face"));
        text_put(stdout, name);
        putchar('\n');
    }
    return 0;
}

static dpl_status nothing(void *ctx, const dpl_group_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

/* Nothing is named unless all can be. */
static int check_all(naming *n, int n_words, char **words)
{
    int code = 0;

    for (int i = 0; i + 1 < n_words && !code; i += 2) {
        dpl_groups_options options = DPL_GROUPS_OPTIONS_INIT;
        int64_t n_groups = 0;
        dpl_error err;

        options.number = number_of(words[i]);
        if (dpl_gallery_each_group(n->gallery, NULL, &options, &n_groups, nothing, NULL, &err) !=
            DPL_OK)
            return common_fail(n->self, &n->o->common, &err);
        if (n_groups == 0)
            return common_refuse(n->self, &n->o->common, DPL_E_NO_PERSON,
                                 "there is no group %s (doppel group --list tells them)", words[i]);
        code = check(n, options.number, words[i + 1]);
    }
    return code;
}

static int run(naming *n, int n_words, char **words)
{
    dpl_error err;
    int code = check_all(n, n_words, words);

    dpl_gallery_rehearse(n->gallery, n->o->dry_run);
    if (!code && n_words > 2 && dpl_gallery_begin_change(n->gallery, "name groups", &err) != DPL_OK)
        code = common_fail(n->self, &n->o->common, &err);
    for (int i = 0; i + 1 < n_words && !code; i += 2)
        code = name_one(n, number_of(words[i]), words[i + 1]);
    if (n_words > 2)
        dpl_gallery_end_change(n->gallery);
    return code;
}

int cmd_name(const command *self, int argc, char **argv)
{
    name_options o = {.common = COMMON_INIT};
    naming n = {.self = self, .o = &o};
    int n_words, code = options_read(self, &o, argc, argv, &n_words);

    if (!code && (n_words < 2 || n_words % 2 != 0))
        code = options_usage(self, "it takes a group's number and a name, or several such pairs");
    for (int i = 0; i + 1 < n_words && !code; i += 2)
        if (number_of(argv[1 + i]) == 0)
            code = options_usage(self, "\"%s\" is not the number of a group", argv[1 + i]);
    if (!code)
        code = common_open_gallery(&n.gallery, self, &o.common, DPL_GALLERY_WRITE);
    if (code)
        return code;
    o.common.faces_only = true;
    code = run(&n, n_words, argv + 1);
    dpl_pipeline_close(n.pipeline);
    dpl_gallery_close(n.gallery);
    return code;
}
