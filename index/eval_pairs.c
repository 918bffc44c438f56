/*
 * eval_pairs.c - the pairs of an evaluation: read from a list or drawn from a data set, and scored.
 *
 * A list may come from anywhere: a person's name in LFW's format is one folder's name and nothing
 * more, counts are what the list says they are, and every complaint names file and line.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/list.h"
#include "doppel/eval.h"
#include "index/draw.h"

#define MAX_LIST_BYTES ((size_t)256 << 20)
#define MAX_PAIRS      10000000
#define MAX_NAME       4096
#define CUT_FOLDS      10 /* of a list that has none */

/* ------------------------------------------------------------------ reading */

/* A list while it is read: names twice a pair, still with their doubles. */
typedef struct reader {
    const char *path;
    char *rest; /* what is not read yet, NUL-terminated */
    int32_t line;
    dpl_pair *pairs;
    char **names; /* [2 n] */
    size_t n, cap, cap_names;
} reader;

static dpl_status bad_line(const reader *r, dpl_error *err, const char *what)
{
    return dpli_fail(err, DPL_E_INPUT, "\"%s\" line %d: %s", r->path, (int)r->line, what);
}

/* The next line without its end, NULL after the last. */
static char *next_line(reader *r)
{
    char *line = r->rest, *end;

    if (!*line)
        return NULL;
    end = strchr(line, '\n');
    r->rest = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    else
        end = r->rest;
    if (end > line && end[-1] == '\r')
        end[-1] = '\0';
    r->line++;
    return line;
}

/* Names are taken, also on failure. */
static dpl_status add_pair(reader *r, char *a, char *b, bool same, int32_t fold, dpl_error *err)
{
    dpl_status status = DPL_E_MEMORY;

    if (!a || !b)
        goto done;
    if (r->n == MAX_PAIRS) {
        status = dpli_fail(err, DPL_E_LIMIT, "\"%s\": more than %d pairs", r->path, (int)MAX_PAIRS);
        goto done;
    }
    dpl_pair *pairs = dpli_grow(r->pairs, &r->cap, r->n + 1, sizeof *pairs, err);
    if (!pairs)
        goto done;
    r->pairs = pairs;
    char **names = dpli_grow(r->names, &r->cap_names, 2 * r->n + 2, sizeof *names, err);
    if (!names)
        goto done;
    r->names = names;
    r->pairs[r->n] = (dpl_pair){0, 0, fold, r->line, same != 0};
    r->names[2 * r->n] = a;
    r->names[2 * r->n + 1] = b;
    r->n++;
    return DPL_OK;
done:
    free(a);
    free(b);
    return status;
}

/* A whole number from 0 to most, nothing around it; -1 when it is none. */
static int64_t read_count(const char *text, int64_t most)
{
    int64_t v = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || v > most)
            return -1;
        v = 10 * v + (*text - '0');
    }
    return v <= most ? v : -1;
}

/* Cut a line at its tabs, or at blanks when it has none; *n may come out above 4, fields [4]. */
static void split_fields(char *fields[4], size_t *n, char *line)
{
    const char *separators = strchr(line, '\t') ? "\t" : " ";
    char *rest = line, *field;

    *n = 0;
    for (field = strsep(&rest, separators); field; field = strsep(&rest, separators)) {
        if (!*field)
            continue;
        if (*n < 4)
            fields[*n] = field;
        ++*n;
    }
}

static char *lfw_name(const char *person, const char *number, dpl_error *err)
{
    const int64_t i = read_count(number, 999999);

    if (i < 0 || strlen(person) > MAX_NAME || strchr(person, '/') || strcmp(person, ".") == 0 ||
        strcmp(person, "..") == 0) {
        dpli_fail(err, DPL_E_INPUT, "no person and number of a picture");
        return NULL;
    }
    return dpli_asprintf(err, "%s/%s_%04d.jpg", person, person, (int)i);
}

static dpl_status read_lfw_line(reader *r, char *line, bool same, int32_t fold, dpl_error *err)
{
    char *fields[4], *a, *b;
    dpl_error why = {DPL_OK, ""};
    size_t n;

    split_fields(fields, &n, line);
    if (n != (same ? 3u : 4u))
        return bad_line(r, err,
                        same ? "not \"NAME i j\", a pair of one person"
                             : "not \"NAME i NAME j\", a pair of two people");
    if (!same && strcmp(fields[0], fields[2]) == 0)
        return bad_line(r, err, "a pair of two people names one twice");
    a = lfw_name(fields[0], fields[1], &why);
    b = a ? lfw_name(fields[same ? 0 : 2], fields[same ? 2 : 3], &why) : NULL;
    if (!b) {
        free(a);
        return why.status == DPL_E_MEMORY ? dpli_fail(err, why.status, "%s", why.message)
                                          : bad_line(r, err, why.message);
    }
    return add_pair(r, a, b, same, fold, err);
}

/* View 1 and View 2: counts first, then for every fold its pairs of one and its pairs of two. */
static dpl_status read_lfw(reader *r, char *first, int32_t *n_folds, dpl_error *err)
{
    char *fields[4], *line;
    int64_t folds = 0, each;
    dpl_status status;
    size_t n;

    split_fields(fields, &n, first);
    if (n == 2) {
        folds = read_count(fields[0], DPL_MAX_FOLDS);
        if (folds < 2)
            return bad_line(r, err, "the number of folds is not 2 to 100");
    } else if (n != 1) {
        return bad_line(r, err,
                        "neither LFW's counts (\"500\", \"10 300\") nor a header with a, b and "
                        "same");
    }
    each = read_count(fields[n - 1], MAX_PAIRS / 2);
    if (each < 1)
        return bad_line(r, err, "no number of pairs");
    for (int64_t f = 0; f < (folds ? folds : 1); f++)
        for (int64_t i = 0; i < 2 * each; i++) {
            line = next_line(r);
            if (!line)
                return dpli_fail(err, DPL_E_INPUT,
                                 "\"%s\" ends at line %d, after %zu of %lld pairs", r->path,
                                 (int)r->line, r->n, (long long)(2 * each * (folds ? folds : 1)));
            status = read_lfw_line(r, line, i < each, (int32_t)f, err);
            if (status != DPL_OK)
                return status;
        }
    for (line = next_line(r); line; line = next_line(r))
        if (line[strspn(line, " \t")])
            return bad_line(r, err, "more pairs than the first line says");
    *n_folds = (int32_t)folds;
    return DPL_OK;
}

/* Whether the first line is of columns: LFW's counts are numbers and nothing else. */
static bool is_table(const char *text)
{
    const size_t n = strcspn(text, "\n");

    return strspn(text, "0123456789 \t\r") < n && (memchr(text, ',', n) || memchr(text, '\t', n));
}

/* Pairs and names as data/list.c reads a CSV or TSV of pairs, whose sides are pictures. */
static dpl_status read_table(dpl_pairs *p, char *text, size_t n, dpl_error *err)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_given_pair *given = NULL;
    dpli_list list = {0};
    int32_t n_items[2];
    dpl_status status;

    options.kinds[0] = options.kinds[1] = DPL_ITEM_PICTURE;
    status = dpli_list_text(&list, text, n, &options, err);
    if (status == DPL_OK && (list.n_pairs == 0 || list.kinds[1] != DPL_ITEM_PICTURE))
        status = dpli_fail(err, DPL_E_INPUT, "no pairs of pictures");
    else if (status == DPL_OK && list.n_pairs > MAX_PAIRS)
        status = dpli_fail(err, DPL_E_LIMIT, "more than %d pairs", MAX_PAIRS);
    if (status == DPL_OK)
        status = dpli_list_number(&given, n_items, &list, err);
    if (status != DPL_OK)
        goto done;
    p->pairs = dpli_alloc(list.n_pairs, sizeof *p->pairs, err);
    p->names = dpli_calloc(list.n, sizeof *p->names, err);
    if (!p->pairs || !p->names) {
        status = DPL_E_MEMORY;
        goto done;
    }
    p->n = list.n_pairs;
    p->n_pictures = p->n_first = list.n;
    for (size_t i = 0; i < list.n; i++) {
        p->names[i] = list.items[i].name;
        list.items[i].name = NULL;
    }
    for (size_t i = 0; i < p->n; i++) {
        const dpl_given_pair *g = &given[i];
        p->pairs[i] = (dpl_pair){g->a, g->b, g->fold < 0 ? 0 : g->fold, g->line, g->grade >= 1};
        p->n_folds = g->fold >= p->n_folds ? g->fold + 1 : p->n_folds;
    }
done:
    free(given);
    dpli_list_clear(&list);
    return status;
}

/* ------------------------------------------------------------------ after reading */

/* Folds of a list that has none: either kind cut in order, into as equal parts as can be. */
static void cut_folds(dpl_pairs *p)
{
    int64_t n[2] = {0, 0}, seen[2] = {0, 0}, folds = CUT_FOLDS;

    for (size_t i = 0; i < p->n; i++)
        n[p->pairs[i].same]++;
    folds = n[0] < folds ? n[0] : folds;
    folds = n[1] < folds ? n[1] : folds;
    p->n_folds = folds >= 2 ? (int32_t)folds : 0;
    for (size_t i = 0; i < p->n; i++) {
        const bool same = p->pairs[i].same;
        p->pairs[i].fold = p->n_folds ? (int32_t)(seen[same]++ * p->n_folds / n[same]) : 0;
    }
}

static dpl_status check_folds(const dpl_pairs *p, dpl_error *err)
{
    uint8_t full[DPL_MAX_FOLDS] = {0};

    for (size_t i = 0; i < p->n; i++)
        full[p->pairs[i].fold] = 1;
    if (p->n_folds < 2)
        return dpli_fail(err, DPL_E_INPUT, "one fold; there must be two or more");
    for (int32_t f = 0; f < p->n_folds; f++)
        if (!full[f])
            return dpli_fail(err, DPL_E_INPUT, "fold %d of 0 to %d has no pair", (int)f,
                             (int)p->n_folds - 1);
    return DPL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every name once into out->names, and the pairs by their numbers. Empties r->names. */
static dpl_status number_names(dpl_pairs *p, reader *r, dpl_error *err)
{
    char **sorted = dpli_alloc(2 * r->n, sizeof *sorted, err);
    size_t n = 0;

    if (!sorted)
        return DPL_E_MEMORY;
    memcpy(sorted, r->names, 2 * r->n * sizeof *sorted);
    qsort(sorted, 2 * r->n, sizeof *sorted, by_name);
    for (size_t i = 0; i < 2 * r->n; i++)
        if (n == 0 || strcmp(sorted[n - 1], sorted[i]) != 0)
            sorted[n++] = sorted[i];
    for (size_t i = 0; i < 2 * r->n; i++) {
        char **at = bsearch(&r->names[i], sorted, n, sizeof *sorted, by_name);
        int32_t *side = i % 2 ? &p->pairs[i / 2].b : &p->pairs[i / 2].a;
        *side = (int32_t)(at - sorted);
        if (*at != r->names[i])
            free(r->names[i]);
    }
    free(r->names);
    r->names = NULL;
    p->names = sorted;
    p->n_pictures = p->n_first = n;
    return DPL_OK;
}

static dpl_status check_files(const dpl_pairs *p, const char *path, const char *dir, dpl_error *err)
{
    uint8_t *seen = dpli_calloc(p->n_pictures, 1, err);
    dpl_status status = seen ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < 2 * p->n && status == DPL_OK; i++) {
        const dpl_pair *pair = &p->pairs[i / 2];
        const int32_t picture = i % 2 ? pair->b : pair->a;
        const char *name = p->names[picture];
        char *file;
        if (seen[picture])
            continue;
        seen[picture] = 1;
        file = name[0] == '/' ? dpli_strdup(name, err) : dpli_asprintf(err, "%s/%s", dir, name);
        if (!file)
            status = DPL_E_MEMORY;
        else if (access(file, F_OK) != 0)
            status = dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\" line %d: \"%s\"", path,
                                     (int)pair->line, file);
        free(file);
    }
    free(seen);
    return status;
}

dpl_status dpl_pairs_read(dpl_pairs *out, const char *path, const char *dir, dpl_error *err)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    dpl_pairs p = {0};
    reader r = {.path = path};
    char *first;
    dpl_status status;

    *out = p;
    status = dpli_file_read(&bytes, &n_bytes, path, MAX_LIST_BYTES, err);
    if (status != DPL_OK)
        return dpli_fail_in(err, status, path);
    r.rest = (char *)bytes;
    dpli_lines_end(r.rest, n_bytes);
    if (strlen(r.rest) != n_bytes) {
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\": not a text file", path);
        goto done;
    }
    if (n_bytes >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        r.rest += 3;
    first = r.rest;
    if (!*first) {
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\": empty", path);
    } else if (is_table(first)) {
        status = read_table(&p, first, strlen(first), err);
        if (status != DPL_OK)
            dpli_fail_in(err, status, path);
    } else {
        status = read_lfw(&r, next_line(&r), &p.n_folds, err);
        p.pairs = r.pairs;
        p.n = r.n;
        if (status == DPL_OK)
            status = number_names(&p, &r, err);
    }
    if (status != DPL_OK)
        goto done;
    p.folds_given = p.n_folds > 0;
    if (p.folds_given)
        status = check_folds(&p, err);
    if (status == DPL_E_INPUT)
        dpli_fail_in(err, status, path);
    if (status == DPL_OK)
        status = check_files(&p, path, dir, err);
    if (status != DPL_OK)
        goto done;
    if (!p.folds_given)
        cut_folds(&p);
    *out = p;
    p = (dpl_pairs){0};
done:
    for (size_t i = 0; r.names && i < 2 * r.n; i++)
        free(r.names[i]);
    free(r.names);
    free(bytes);
    dpl_pairs_clear(&p);
    return status;
}

void dpl_pairs_clear(dpl_pairs *pairs)
{
    if (!pairs)
        return;
    for (size_t i = 0; pairs->names && i < pairs->n_pictures; i++)
        free(pairs->names[i]);
    free(pairs->names);
    free(pairs->items);
    free(pairs->pairs);
    *pairs = (dpl_pairs){0};
}

/* ------------------------------------------------------------------ drawing */

dpl_status dpl_pairs_draw(dpl_pairs *out, const dpl_dataset *dataset, size_t n, bool within_group,
                          uint64_t seed, dpl_error *err)
{
    dpli_classes classes = {0};
    dpl_pairs p = {.n = n};
    dpli_rng rng;
    dpl_status status;

    *out = (dpl_pairs){0};
    if (n < 2 || n > MAX_PAIRS || n % 2)
        return dpli_fail(err, DPL_E_ARGUMENT, "%zu pairs; an even number from 2 to %d can be drawn",
                         n, (int)MAX_PAIRS);
    status = dpli_classes_sort(&classes, dataset, 2, err);
    if (status != DPL_OK)
        return status;
    if (classes.n < 2 || (within_group && classes.largest < 2)) {
        status = dpli_fail(
            err, DPL_E_INPUT, "pairs need two classes with two pictures each%s; there are %d",
            within_group ? " in one group" : "", (int)(within_group ? classes.largest : classes.n));
        goto done;
    }
    p.pairs = dpli_alloc(n, sizeof *p.pairs, err);
    if (!p.pairs) {
        status = DPL_E_MEMORY;
        goto done;
    }
    dpli_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        const bool same = i % 2 == 0;
        const dpli_group *g = dpli_classes_group(&classes, &rng, within_group && !same ? 2 : 1);
        const int32_t at = g->first + (int32_t)dpli_rng_below(&rng, (uint64_t)g->n);
        const int32_t from = within_group ? g->first : 0, of = within_group ? g->n : classes.n;
        int32_t other = at, n_a, n_b, a, b;
        if (!same) { /* any of the others, each as likely */
            other = from + (int32_t)dpli_rng_below(&rng, (uint64_t)(of - 1));
            other += other >= at;
        }
        const int32_t first_a = dpl_dataset_class_items(dataset, classes.of[at], &n_a);
        const int32_t first_b = dpl_dataset_class_items(dataset, classes.of[other], &n_b);
        a = (int32_t)dpli_rng_below(&rng, (uint64_t)n_a);
        b = (int32_t)dpli_rng_below(&rng, (uint64_t)(same ? n_b - 1 : n_b));
        b += same && b >= a;
        p.pairs[i] = (dpl_pair){first_a + a, first_b + b, 0, 0, (uint8_t)same};
    }
    {
        dpli_renumber numbers = {0};
        status = dpli_renumber_begin(&numbers, dataset, err);
        for (size_t i = 0; i < n && status == DPL_OK; i++) {
            dpli_renumber_one(&numbers, &p.pairs[i].a);
            dpli_renumber_one(&numbers, &p.pairs[i].b);
        }
        dpli_renumber_end(&numbers, &p.items, &p.n_pictures);
        p.n_first = p.n_pictures;
    }
    if (status != DPL_OK)
        goto done;
    cut_folds(&p);
    *out = p;
    p = (dpl_pairs){0};
done:
    dpli_classes_clear(&classes);
    dpl_pairs_clear(&p);
    return status;
}

/* ------------------------------------------------------------------ given */

dpl_status dpl_pairs_given(dpl_pairs *out, const dpl_dataset *dataset, bool apart, dpl_error *err)
{
    const bool shared =
        !apart && dpl_dataset_side_kind(dataset, 0) == dpl_dataset_side_kind(dataset, 1);
    const int32_t n = dpl_dataset_n_pairs(dataset);
    dpl_pairs p = {.n = (size_t)n};
    int32_t n_a, n_b;
    const int32_t first_a = dpl_dataset_side_items(dataset, 0, &n_a);
    const int32_t first_b = dpl_dataset_side_items(dataset, 1, &n_b);
    dpl_status status = DPL_E_MEMORY;

    *out = (dpl_pairs){0};
    if (n == 0)
        return dpli_fail(err, DPL_E_INPUT, "the data has no pairs");
    p.n_first = (size_t)n_a;
    p.n_pictures = (size_t)n_a + (shared ? 0 : (size_t)n_b);
    p.items = dpli_alloc(p.n_pictures, sizeof *p.items, err);
    p.pairs = dpli_alloc(p.n, sizeof *p.pairs, err);
    if (!p.items || !p.pairs)
        goto done;
    for (int32_t i = 0; i < n_a; i++)
        p.items[i] = first_a + i;
    for (int32_t i = 0; i < n_b && !shared; i++)
        p.items[n_a + i] = first_b + i;
    p.folds_given = dpl_dataset_pair(dataset, 0)->fold >= 0;
    for (int32_t i = 0; i < n; i++) {
        const dpl_given_pair *given = dpl_dataset_pair(dataset, i);
        p.pairs[i] = (dpl_pair){.a = given->a - first_a,
                                .b = given->b - first_b + (shared ? 0 : n_a),
                                .fold = p.folds_given ? given->fold : 0,
                                .line = given->line,
                                .same = given->grade >= 0.5F};
        if (p.folds_given && given->fold >= p.n_folds)
            p.n_folds = given->fold + 1;
    }
    status = DPL_OK;
    if (p.folds_given)
        status = check_folds(&p, err);
    else
        cut_folds(&p);
done:
    if (status == DPL_OK) {
        *out = p;
        p = (dpl_pairs){0};
    }
    dpl_pairs_clear(&p);
    return status;
}

/* ------------------------------------------------------------------ scoring */

void dpl_pairs_score(float *scores, const dpl_pairs *pairs, const dpl_head *head,
                     const dpl_embeddings *embeddings)
{
    const size_t dim = (size_t)embeddings->dim;

    for (size_t i = 0; i < pairs->n; i++) {
        const size_t a = (size_t)pairs->pairs[i].a, b = (size_t)pairs->pairs[i].b;
        scores[i] = embeddings->errors[a] || embeddings->errors[b]
                        ? NAN
                        : dpl_head_score(head, embeddings->vectors + a * dim,
                                         embeddings->vectors + b * dim);
    }
}
