/*
 * eval_oneshot.c - one-shot trials: one picture of each class is shown, which of them is the test?
 *
 * Sources: Lake, Salakhutdinov, Tenenbaum 2015 (the runs); Koch, Zemel, Salakhutdinov 2015, section
 * 4.3, equation 3 (the nearest by the head).
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/rng.h"
#include "doppel/eval.h"
#include "index/draw.h"
#include "index/head.h"

#define LABELS     "class_labels.txt"
#define MAX_TRIALS 1000000
#define MAX_WAY    10000
#define MAX_PLACES 10000000 /* candidates of all trials */

static dpl_status grow_trials(dpl_trials *t, size_t *cap, dpl_error *err)
{
    dpl_trial *trials;

    if (t->n >= MAX_TRIALS)
        return dpli_fail(err, DPL_E_LIMIT, "more than %d trials", MAX_TRIALS);
    trials = dpli_grow(t->trials, cap, t->n + 1, sizeof *trials, err);
    if (!trials)
        return DPL_E_MEMORY;
    t->trials = trials;
    return DPL_OK;
}

/* Items to numbers of the pictures in use. */
static dpl_status number_pictures(dpl_trials *t, const dpl_dataset *dataset, dpl_error *err)
{
    dpli_renumber numbers = {0};
    const dpl_status status = dpli_renumber_begin(&numbers, dataset, err);

    for (size_t i = 0; i < t->n && status == DPL_OK; i++)
        dpli_renumber_one(&numbers, &t->trials[i].test);
    for (size_t i = 0; i < t->n_candidates && status == DPL_OK; i++)
        dpli_renumber_one(&numbers, &t->candidates[i]);
    dpli_renumber_end(&numbers, &t->items, &t->n_pictures);
    return status;
}

/* ------------------------------------------------------------------ Lake's runs */

/* A run while it is read. */
typedef struct run {
    const dpl_dataset *dataset;
    char *labels; /* name of its class_labels.txt */
    int line;
} run;

static dpl_status bad_label(const run *r, dpl_error *err, const char *what, const char *name)
{
    return dpli_fail(err, DPL_E_INPUT, "\"%s\" line %d: %s%s%s%s", r->labels, r->line, what,
                     name ? " \"" : "", name ? name : "", name ? "\"" : "");
}

/* Length of the folder in a name, the slash included. */
static size_t folder_length(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? (size_t)(slash - name) + 1 : 0;
}

/* The item that a label names: as it stands, or below the folder that holds the runs. */
static int32_t find_labelled(const run *r, const char *name, dpl_error *err)
{
    const size_t own = folder_length(r->labels); /* "x/run01/" */
    const char *below = strchr(name, '/');
    int32_t item = dpl_dataset_find_item(r->dataset, name);
    char *full;

    if (item >= 0 || !below)
        return item;
    full = dpli_asprintf(err, "%.*s%s", (int)own, r->labels, below + 1);
    item = full ? dpl_dataset_find_item(r->dataset, full) : -1;
    free(full);
    return item;
}

/* All items in the folder of this one, which are neighbours as names are sorted. */
static void folder_items(const dpl_dataset *dataset, int32_t item, int32_t *first, int32_t *n)
{
    const char *name = dpl_dataset_item_name(dataset, item);
    const size_t length = folder_length(name);
    const int32_t n_items = dpl_dataset_n_items(dataset);
    int32_t from = item, to = item + 1;

    while (from > 0 && strncmp(dpl_dataset_item_name(dataset, from - 1), name, length) == 0)
        from--;
    while (to < n_items && strncmp(dpl_dataset_item_name(dataset, to), name, length) == 0)
        to++;
    *first = from;
    *n = to - from;
}

static dpl_status read_label(dpl_trials *t, size_t *cap, const run *r, char *line, int32_t *first,
                             int32_t *way, dpl_error *err)
{
    char *rest = line, *field, *names[2];
    int32_t test, answer;
    dpl_status status;
    int n = 0;

    for (field = strsep(&rest, " \t\r"); field; field = strsep(&rest, " \t\r")) {
        if (*field && n == 2)
            return bad_label(r, err, "not \"TEST TRAINING\"", NULL);
        if (*field)
            names[n++] = field;
    }
    if (n == 0)
        return DPL_OK;
    if (n != 2)
        return bad_label(r, err, "not \"TEST TRAINING\"", NULL);
    test = find_labelled(r, names[0], err);
    answer = find_labelled(r, names[1], err);
    if (test < 0 || answer < 0)
        return bad_label(r, err, "there is no picture", names[test < 0 ? 0 : 1]);
    if (*way == 0) {
        folder_items(r->dataset, answer, first, way);
        if (*way < 2 || *way > MAX_WAY)
            return bad_label(r, err,
                             "the folder of candidates holds not 2 to 10000 pictures:", names[1]);
        int32_t *grown =
            dpli_realloc(t->candidates, t->n_candidates + (size_t)*way, sizeof *grown, err);
        if (!grown)
            return DPL_E_MEMORY;
        t->candidates = grown;
        for (int32_t i = 0; i < *way; i++)
            t->candidates[t->n_candidates++] = *first + i;
    }
    if (answer < *first || answer >= *first + *way)
        return bad_label(r, err, "not in the folder of the other candidates:", names[1]);
    status = grow_trials(t, cap, err);
    if (status == DPL_OK)
        t->trials[t->n++] =
            (dpl_trial){test, answer - *first, (int32_t)t->n_candidates - *way, *way, t->n_runs};
    return status;
}

static dpl_status read_run(dpl_trials *t, size_t *cap, run *r, char *text, dpl_error *err)
{
    const size_t before = t->n;
    char *rest = text, *line;
    int32_t first = 0, way = 0;
    dpl_status status = DPL_OK;

    while (status == DPL_OK) {
        line = strsep(&rest, "\n");
        if (!line)
            break;
        r->line++;
        status = read_label(t, cap, r, line, &first, &way, err);
    }
    if (status == DPL_OK && t->n == before)
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\": no trials", r->labels);
    return status;
}

/* Read the run in a folder, given by its first letters; pictures of no run are a mistake. */
static dpl_status try_run(dpl_trials *t, size_t *cap, const dpl_dataset *dataset,
                          const char *folder, size_t length, dpl_error *err)
{
    run r = {.dataset = dataset};
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    char **names, *text = NULL;
    dpl_status status = DPL_E_MEMORY;

    r.labels = dpli_asprintf(err, "%.*s" LABELS, (int)length, folder);
    if (!r.labels)
        return status;
    status = dpl_dataset_file(&bytes, &n_bytes, dataset, r.labels, err);
    if (status != DPL_OK)
        goto done;
    status = DPL_E_MEMORY;
    text = dpli_alloc(n_bytes + 1, 1, err);
    names = dpli_realloc(t->run_names, (size_t)t->n_runs + 1, sizeof *names, err);
    if (names)
        t->run_names = names;
    if (!text || !names)
        goto done;
    memcpy(text, bytes, n_bytes);
    text[n_bytes] = '\0';
    dpli_lines_end(text, n_bytes);
    status = read_run(t, cap, &r, text, err);
    if (status != DPL_OK)
        goto done;
    names[t->n_runs] = dpli_asprintf(err, "%.*s", (int)(length ? length - 1 : 0), folder);
    if (!names[t->n_runs])
        status = DPL_E_MEMORY;
    else
        t->n_runs++;
done:
    free(r.labels);
    free(bytes);
    free(text);
    return status;
}

dpl_status dpl_trials_read(dpl_trials *out, const dpl_dataset *dataset, dpl_error *err)
{
    const int32_t n_items = dpl_dataset_n_items(dataset);
    const char *before = NULL;
    size_t cap = 0, before_length = 0;
    dpl_trials t = {0};
    dpl_status status = DPL_OK;

    *out = t;
    for (int32_t i = 0; i < n_items && status == DPL_OK; i++) {
        const char *name = dpl_dataset_item_name(dataset, i);
        size_t length = folder_length(name);

        for (length = length ? length - 1 : 0; length > 0 && name[length - 1] != '/'; length--)
            ;
        if (before && length == before_length && strncmp(before, name, length) == 0)
            continue;
        before = name;
        before_length = length;
        status = try_run(&t, &cap, dataset, name, length, err);
    }
    if (status == DPL_OK)
        status = number_pictures(&t, dataset, err);
    if (status == DPL_OK) {
        *out = t;
        return DPL_OK;
    }
    dpl_trials_clear(&t);
    return status;
}

/* ------------------------------------------------------------------ drawn trials */

/* The first way of classes[n], drawn without repeats by shuffling as far as needed. */
static void shuffle_first(int32_t *classes, int32_t n, int32_t way, dpli_rng *rng)
{
    for (int32_t i = 0; i < way; i++) {
        const int32_t j = i + (int32_t)dpli_rng_below(rng, (uint64_t)(n - i));
        const int32_t c = classes[i];
        classes[i] = classes[j];
        classes[j] = c;
    }
}

static void draw_trial(dpl_trials *t, const dpl_dataset *dataset, const int32_t *classes,
                       int32_t way, dpli_rng *rng)
{
    const size_t first = t->n_candidates;
    int32_t n_items, fewest = INT32_MAX, shown, tested;

    for (int32_t i = 0; i < way; i++) {
        dpl_dataset_class_items(dataset, classes[i], &n_items);
        fewest = n_items < fewest ? n_items : fewest;
    }
    shown = (int32_t)dpli_rng_below(rng, (uint64_t)fewest);
    tested = (int32_t)dpli_rng_below(rng, (uint64_t)(fewest - 1));
    tested += tested >= shown;
    for (int32_t i = 0; i < way; i++)
        t->candidates[t->n_candidates++] =
            dpl_dataset_class_items(dataset, classes[i], &n_items) + shown;
    const int32_t answer = (int32_t)dpli_rng_below(rng, (uint64_t)way);
    t->trials[t->n++] =
        (dpl_trial){dpl_dataset_class_items(dataset, classes[answer], &n_items) + tested, answer,
                    (int32_t)first, way, 0};
}

dpl_status dpl_trials_draw(dpl_trials *out, const dpl_dataset *dataset, int32_t way, size_t n,
                           bool within_group, uint64_t seed, dpl_error *err)
{
    dpli_classes classes;
    dpl_trials t = {0};
    dpli_rng rng;
    dpl_status status;

    *out = t;
    if (way < 2 || way > MAX_WAY || n < 1 || n > MAX_TRIALS || n > MAX_PLACES / (size_t)way)
        return dpli_fail(err, DPL_E_ARGUMENT, "%zu trials of %d ways are out of range", n,
                         (int)way);
    status = dpli_classes_sort(&classes, dataset, 2, err);
    if (status != DPL_OK)
        return status;
    const int32_t most = within_group ? classes.largest : classes.n;
    if (most < way) {
        status = dpli_fail(err, DPL_E_INPUT,
                           "trials of %d ways need as many classes with two pictures%s; there are "
                           "%d",
                           (int)way, within_group ? " in one group" : "", (int)most);
        goto done;
    }
    status = DPL_E_MEMORY;
    t.trials = dpli_alloc(n, sizeof *t.trials, err);
    t.candidates = dpli_alloc(n * (size_t)way, sizeof *t.candidates, err);
    if (!t.trials || !t.candidates)
        goto done;
    dpli_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        const dpli_group all = {0, classes.n};
        const dpli_group *g = within_group ? dpli_classes_group(&classes, &rng, way) : &all;
        shuffle_first(classes.of + g->first, g->n, way, &rng);
        draw_trial(&t, dataset, classes.of + g->first, way, &rng);
    }
    status = number_pictures(&t, dataset, err);
    if (status == DPL_OK) {
        *out = t;
        t = (dpl_trials){0};
    }
done:
    dpli_classes_clear(&classes);
    dpl_trials_clear(&t);
    return status;
}

void dpl_trials_clear(dpl_trials *trials)
{
    if (!trials)
        return;
    for (int32_t i = 0; i < trials->n_runs; i++)
        free(trials->run_names[i]);
    free(trials->run_names);
    free(trials->trials);
    free(trials->candidates);
    free(trials->items);
    *trials = (dpl_trials){0};
}

/* ------------------------------------------------------------------ scoring */

/* The nearest candidate, -1 when a picture failed; *tied: another is exactly as near. */
static int32_t choose(bool *tied, const dpl_trials *trials, const dpl_trial *trial,
                      const dpl_head *head, const dpl_embeddings *e)
{
    const size_t dim = (size_t)e->dim;
    const int32_t *candidates = trials->candidates + trial->first;
    double best = -INFINITY;
    int32_t chosen = -1;

    *tied = false;
    if (e->errors[trial->test])
        return -1;
    for (int32_t i = 0; i < trial->way; i++) {
        if (e->errors[candidates[i]])
            return -1;
        const double rank = dpli_head_rank(head, e->vectors + (size_t)trial->test * dim,
                                           e->vectors + (size_t)candidates[i] * dim);
        if (rank > best) {
            best = rank;
            chosen = i;
            *tied = false;
        } else if (rank == best) {
            *tied = true;
        }
    }
    return chosen;
}

dpl_status dpl_trials_score(dpl_oneshot *out, const dpl_trials *trials, const dpl_head *head,
                            const dpl_embeddings *embeddings, dpl_error *err)
{
    dpl_oneshot o = {.mean = NAN, .standard_error = NAN};
    int64_t right = 0;
    double spread = 0;

    *out = o;
    o.chosen = dpli_alloc(trials->n, sizeof *o.chosen, err);
    o.runs = dpli_calloc((size_t)trials->n_runs, sizeof *o.runs, err);
    if (!o.chosen || !o.runs) {
        dpl_oneshot_clear(&o);
        return DPL_E_MEMORY;
    }
    for (size_t i = 0; i < trials->n; i++) {
        const dpl_trial *trial = &trials->trials[i];
        bool tied;
        o.chosen[i] = choose(&tied, trials, trial, head, embeddings);
        const bool hit = o.chosen[i] == trial->answer && !tied;
        right += hit;
        o.n_failed += o.chosen[i] < 0;
        o.n_tied += tied;
        if (trials->n_runs > 0) {
            o.runs[trial->run].n += hit;
            o.runs[trial->run].of++;
        }
    }
    o.accuracy = dpl_share_of(right, (int64_t)trials->n);
    for (int32_t r = 0; r < trials->n_runs; r++)
        o.runs[r] = dpl_share_of(o.runs[r].n, o.runs[r].of);
    if (trials->n_runs >= 2) {
        o.mean = 0;
        for (int32_t r = 0; r < trials->n_runs; r++)
            o.mean += o.runs[r].rate / trials->n_runs;
        for (int32_t r = 0; r < trials->n_runs; r++)
            spread += (o.runs[r].rate - o.mean) * (o.runs[r].rate - o.mean);
        o.standard_error = sqrt(spread / (trials->n_runs - 1) / trials->n_runs);
    }
    *out = o;
    return DPL_OK;
}

void dpl_oneshot_clear(dpl_oneshot *oneshot)
{
    if (!oneshot)
        return;
    free(oneshot->chosen);
    free(oneshot->runs);
    *oneshot = (dpl_oneshot){0};
}
