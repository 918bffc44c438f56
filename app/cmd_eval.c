/*
 * cmd_eval.c - `doppel eval`: how good an encoder is, by pairs, by one-shot trials or by how far
 * down the right answers stand.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/eval_items.h"
#include "app/eval_oneshot.h"
#include "app/eval_pairs.h"
#include "app/eval_retrieval.h"

#define AT(member) offsetof(eval_options, member)

static const option_spec own[] = {
    {.name = "dir",
     .kind = OPTION_TEXT,
     .offset = AT(dir),
     .value = "DIR",
     .once = true,
     .help = "pairs, retrieval: the folder that the list's pictures are in (default the list's "
             "own)"},
    {.name = "kinds",
     .kind = OPTION_TEXT,
     .offset = AT(kinds),
     .value = "KIND[,KIND]",
     .once = true,
     .help = "what a list's items are, or either side of its pairs: pictures, sentences, vectors, "
             "codes (default as the list says)"},
    {.name = "grades",
     .kind = OPTION_TEXT,
     .offset = AT(grades),
     .value = "LOW..HIGH",
     .once = true,
     .help =
         "pairs: labels are grades on this scale, as 1..5, and are measured by correlations and "
         "squared error"},
    {.name = "split",
     .kind = OPTION_TEXT,
     .offset = AT(split),
     .value = "NAME",
     .once = true,
     .help = "only the rows whose column split says this"},
    {.name = "classes",
     .kind = OPTION_TEXT,
     .offset = AT(classes),
     .value = "FILE",
     .once = true,
     .help = "pairs --random: the classes of vectors that are in an .npy or a table without a "
             "column of them, a line each or an .npy of whole numbers"},
    {.name = "second-model",
     .kind = OPTION_TEXT,
     .offset = AT(second_model),
     .value = "FILE",
     .is_model = true,
     .once = true,
     .group = OPTION_MODELS,
     .help = "the model of the second side of each pair, where it has one of its own"},
    {.name = "threshold",
     .kind = OPTION_REAL,
     .offset = AT(threshold),
     .value = "SCORE",
     .once = true,
     .help = "pairs: judge at this score, instead of fold by fold",
     .low = -1e9,
     .high = 1e9},
    {.name = "threshold-from",
     .kind = OPTION_TEXT,
     .offset = AT(threshold_from),
     .value = "LIST",
     .once = true,
     .help =
         "pairs: judge at the threshold that is best on this other list (with --random, on "
         "pairs of this other DATA), instead of fold by fold; of grades, the straight line from "
         "score to grade"},
    {.name = "random",
     .kind = OPTION_INT,
     .offset = AT(random),
     .value = "N",
     .once = true,
     .help = "pairs: draw N pairs from DATA, half of them of one class, instead of reading a list",
     .low = 2,
     .high = 10000000},
    {.name = "runs",
     .kind = OPTION_TEXT,
     .offset = AT(runs),
     .value = "ZIP",
     .once = true,
     .help = "oneshot: Lake's runs (folders with class_labels.txt), read in place"},
    {.name = "way",
     .kind = OPTION_INT,
     .offset = AT(way),
     .value = "N",
     .once = true,
     .help = "oneshot: candidates a trial (default 20)",
     .low = 2,
     .high = 10000},
    {.name = "trials",
     .kind = OPTION_INT,
     .offset = AT(trials),
     .value = "N",
     .once = true,
     .help = "oneshot: trials drawn from DATA (default 400)",
     .low = 1,
     .high = 1000000},
    {.name = "within-group",
     .kind = OPTION_FLAG,
     .offset = AT(within_group),
     .once = true,
     .help = "draw the classes of a trial, or of a pair of two, from one group (an alphabet)"},
    {.name = "seed",
     .kind = OPTION_INT,
     .offset = AT(seed),
     .value = "N",
     .help = "what drawing and resampling start from (default 1)",
     .low = 0,
     .high = 2147483647},
    {.name = "aligned",
     .kind = OPTION_FLAG,
     .offset = AT(aligned),
     .once = true,
     .help = "the pictures are cut out already: the same as --detect none"},
    {.name = "encoder",
     .kind = OPTION_TEXT,
     .offset = AT(common.model),
     .value = "FILE",
     .once = true,
     .help = "the same as --model"},
    {0}};

const option_spec *const options_of_eval[] = {own,          options_html,   options_models,
                                              options_text, options_output, NULL};

/* ------------------------------------------------------------------ the command */

/* "pictures,sentences" */
static bool read_kinds(int kind[2], const char *text)
{
    kind[0] = kind[1] = -1;
    for (int side = 0; side < 2; side++) {
        const size_t n = strcspn(text, ",");
        for (int k = DPL_ITEM_PICTURE; k <= DPL_ITEM_CODES; k++) {
            const char *name = k == DPL_ITEM_CODES ? "codes" : eval_kind_names((dpl_item_kind)k);
            if (strlen(name) == n && strncmp(text, name, n) == 0)
                kind[side] = k;
        }
        if (kind[side] < 0)
            return false;
        if (!text[n])
            return true;
        text += n + 1;
    }
    return false;
}

/* What the options of lists say. */
static int read_list_options(const command *self, eval_options *o)
{
    o->kind[0] = o->kind[1] = -1;
    if (o->kinds && !read_kinds(o->kind, o->kinds))
        return options_usage(self, "--kinds takes one or two of pictures, sentences, vectors and "
                                   "codes, with a comma between");
    if (o->grades && !options_range(&o->scale_low, &o->scale_high, o->grades))
        return options_usage(self, "--grades takes two numbers, the lower first, as 1..5");
    return 0;
}

/* What the options say against each other. */
static int check_arguments(const command *self, const eval_options *o, int n, char **rest)
{
    const bool retrieval = n > 0 && strcmp(rest[0], "retrieval") == 0;
    const bool pairs = n > 0 && strcmp(rest[0], "pairs") == 0;

    if (n == 0 || (!pairs && !retrieval && strcmp(rest[0], "oneshot") != 0))
        return options_usage(self, "it takes \"pairs\", \"oneshot\" or \"retrieval\" first");
    if (retrieval && n != 2)
        return options_usage(self, "retrieval takes one LIST");
    if (retrieval && (o->runs || o->way || o->trials || o->random || o->threshold_from ||
                      o->grades || o->classes || o->within_group || o->common.html))
        return options_usage(self, "retrieval asks with all of a LIST: of these options it has "
                                   "--dir, --kinds, --split and the models");
    if (retrieval)
        return 0;
    if (!pairs && (o->kinds || o->grades || o->split || o->classes || o->second_model))
        return options_usage(self,
                             "--kinds, --grades, --split, --classes and --second-model are of "
                             "pairs and retrieval");
    if (o->threshold_from && isfinite(o->threshold))
        return options_usage(self, "--threshold and --threshold-from exclude each other");
    if (o->grades && (o->random || isfinite(o->threshold)))
        return options_usage(self, "--grades is of a list with grades, which no threshold judges");
    if (o->classes && !o->random)
        return options_usage(self, "--classes is of DATA with --random");
    if (pairs && n != 2)
        return options_usage(self, "pairs takes one LIST, or DATA with --random N");
    if (pairs && (o->runs || o->way || o->trials))
        return options_usage(self, "--runs, --way and --trials are of oneshot");
    if (pairs && o->random && o->dir)
        return options_usage(self, "--dir is of a list, and --random reads none");
    if (pairs && o->random % 2)
        return options_usage(self, "--random takes an even number, half of each kind");
    if (pairs && o->within_group && !o->random)
        return options_usage(self, "--within-group says how to draw: with --random or oneshot");
    if (!pairs && (o->dir || o->threshold_from || o->random || isfinite(o->threshold)))
        return options_usage(self,
                             "--dir, --threshold, --threshold-from and --random are of pairs");
    if (!pairs && n != (o->runs ? 1 : 2))
        return options_usage(self, "oneshot takes one DATA, or --runs ZIP");
    if (o->runs && (o->way || o->trials || o->within_group))
        return options_usage(self, "--way, --trials and --within-group draw trials, --runs has "
                                   "its own");
    if (o->aligned && o->common.detect == 0)
        return options_usage(self, "--aligned and --detect faces exclude each other");
    return 0;
}

int cmd_eval(const command *self, int argc, char **argv)
{
    eval_options o = {.common = COMMON_INIT, .seed = 1, .threshold = NAN};
    evaluation e = {.self = self, .o = &o};
    char *typed = common_typed(argc, argv);
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code)
        code = read_list_options(self, &o);
    if (!code)
        code = check_arguments(self, &o, n, argv + 1);
    if (code) {
        free(typed);
        return code;
    }
    o.common.typed = typed;
    const bool pairs = strcmp(argv[1], "pairs") == 0;
    const bool retrieval = strcmp(argv[1], "retrieval") == 0;
    e.source = o.runs ? o.runs : argv[2];
    if (!o.way)
        o.way = 20;
    if (!o.trials)
        o.trials = 400;
    e.cancel = common_watch_signals();
    const char *heading =
        pairs ? "How well pairs are told apart" : "How well one example is enough";
    code = html_open(&e.page, self, &o.common, heading);
    html_heading(&e.page, heading);
    if (!code)
        code = pairs ? eval_pairs(&e) : retrieval ? eval_retrieval(&e) : eval_oneshot(&e);
    if (!code && e.page.f) {
        html_made(&e.page, &o.common, e.pipeline);
        html_made_end(&e.page);
    }
    if (code)
        html_abandon(&e.page);
    else
        code = html_close(&e.page, self, &o.common);
    dpl_embeddings_clear(&e.embeddings);
    dpl_dataset_close(e.dataset);
    eval_close_items(&e);
    dpl_pipeline_close(e.pipeline);
    free(e.dir);
    free(typed);
    return code ? code : dpl_status_exit_code(e.worst);
}
