/*
 * list.c - a list of items or of pairs: CSV, TSV or an array of vectors.
 *
 * Between the bytes of a file and dataset.c, which sorts, checks and numbers what is listed here.
 * What a list is, is read off its header, or off its first row where it has none; then every row
 * must be of that form, or the list is refused with the row's line. Pictures are listed by name and
 * not opened; sentences, vectors and codes are in the list itself and checked here.
 */
#include "data/list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/csv.h"
#include "data/npy.h"
#include "data/values.h"
#include "vision/image/formats.h"

#define MAX_SENTENCE    65536
#define MAX_CLASS_BYTES ((size_t)256 << 20)

enum { MAX_FOLD = 99, N_KINDS = 4 };

/* The columns of the items of each kind; of pictures, vectors and codes; and of pairs. */
static const char *const item_columns[N_KINDS] = {
    [DPL_ITEM_PICTURE] = "path file filename image chip picture photo",
    [DPL_ITEM_SENTENCE] = "sentence text caption question",
    [DPL_ITEM_VECTOR] = "vector attributes",
    [DPL_ITEM_CODES] = "codes ids",
};
static const char *const pair_columns[2] = {
    "a sentence_a sentence1 question1 text_a",
    "b sentence_b sentence2 question2 text_b",
};

enum { ITEM, OTHER, LABEL, GROUP, STRATUM, ROLE, FOLD, SPLIT, N_COLUMNS };

/* What the rows of a list are. */
typedef struct form {
    int n;                 /* fields of a row */
    int column[N_COLUMNS]; /* -1: there is none */
    size_t line;           /* of the first one */
    bool headed;
    bool table; /* vectors: every column without another meaning is one number */
} form;

/* ------------------------------------------------------------------ what is listed */

const char *dpli_kind_name(dpl_item_kind kind)
{
    static const char *const names[N_KINDS] = {"picture", "sentence", "vector", "list of codes"};

    return names[kind];
}

const char *dpli_kind_names(dpl_item_kind kind)
{
    static const char *const names[N_KINDS] = {"pictures", "sentences", "vectors",
                                               "lists of codes"};

    return names[kind];
}

void dpli_found_clear(dpli_found *f)
{
    free(f->name);
    free(f->cls);
    free(f->group);
    free(f->stratum);
    free(f->role);
    free(f->own);
}

void dpli_list_clear(dpli_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        dpli_found_clear(&list->items[i]);
    for (size_t i = 0; i < list->n_pairs; i++) {
        free(list->pairs[i].side[0]);
        free(list->pairs[i].side[1]);
    }
    for (size_t i = 0; i < list->n_arrays; i++) {
        free(list->arrays[i].path);
        free(list->arrays[i].values);
    }
    free(list->items);
    free(list->pairs);
    free(list->arrays);
    *list = (dpli_list){0};
}

dpl_status dpli_list_add(dpli_list *list, dpli_found f, dpl_error *err)
{
    const bool fits = list->n < INT32_MAX / 2;
    dpli_found *items =
        fits ? dpli_grow(list->items, &list->cap, list->n + 1, sizeof *items, err) : NULL;

    if (!items) {
        dpli_found_clear(&f);
        return fits ? DPL_E_MEMORY
                    : dpli_fail(err, DPL_E_LIMIT, "too many %s", dpli_kind_names(list->kinds[0]));
    }
    list->items = items;
    list->items[list->n++] = f;
    return DPL_OK;
}

/* Takes what p points to, also on failure. */
static dpl_status add_pair(dpli_list *list, dpli_found_pair p, dpl_error *err)
{
    const bool fits = list->n_pairs < INT32_MAX / 4; /* both sides are numbered together */
    dpli_found_pair *pairs =
        fits && p.side[0] && p.side[1]
            ? dpli_grow(list->pairs, &list->cap_pairs, list->n_pairs + 1, sizeof *pairs, err)
            : NULL;

    if (!pairs) {
        free(p.side[0]);
        free(p.side[1]);
        return fits ? DPL_E_MEMORY : dpli_fail(err, DPL_E_LIMIT, "too many pairs");
    }
    list->pairs = pairs;
    list->pairs[list->n_pairs++] = p;
    return DPL_OK;
}

/* ------------------------------------------------------------------ what a list is */

/* The column of one of these names (parted by spaces, the first that is there); -1. */
static int find_column(const dpli_csv *header, const char *names)
{
    char name[24];

    for (int n; sscanf(names, "%23s%n", name, &n) == 1; names += n)
        for (int i = 0; i < header->n_fields; i++)
            if (strcasecmp(header->field[i], name) == 0)
                return i;
    return -1;
}

static dpl_status no_column(const dpli_csv *header, const char *names, dpl_error *err)
{
    return dpli_fail(err, DPL_E_INPUT, "line %zu: no column %s", header->line, names);
}

/* The kind of a side: as the options say, else as the list does. */
static dpl_item_kind kind_of(const dpl_dataset_options *options, int side, dpl_item_kind own)
{
    if (side == 1 && options->kinds[1] < 0 && options->kinds[0] >= 0)
        side = 0;
    return options->kinds[side] >= 0 ? (dpl_item_kind)options->kinds[side] : own;
}

/* A header with a column for either side of a pair. */
static dpl_status take_pair_header(form *f, dpli_list *list, const dpli_csv *header,
                                   const dpl_dataset_options *options, dpl_error *err)
{
    dpl_item_kind own = DPL_ITEM_SENTENCE;

    f->column[LABEL] =
        find_column(header, "label same score grade similarity is_duplicate relatedness_score");
    if (f->column[LABEL] < 0)
        return no_column(header, "\"label\", \"same\", \"score\" or \"grade\"", err);
    if (strcasecmp(header->field[f->column[LABEL]], "same") == 0 &&
        strcasecmp(header->field[f->column[ITEM]], "a") == 0)
        own = DPL_ITEM_PICTURE;
    list->paired = true;
    for (int side = 0; side < 2; side++)
        list->kinds[side] = kind_of(options, side, own);
    return DPL_OK;
}

/* The columns of items, in the order of kinds; how many kinds there are. */
static int find_items(int column[2], dpl_item_kind kinds[2], const dpli_csv *header)
{
    int n = 0;

    for (int k = 0; k < N_KINDS; k++) {
        const int at = find_column(header, item_columns[k]);
        if (at >= 0 && n < 2) {
            column[n] = at;
            kinds[n] = (dpl_item_kind)k;
        }
        n += at >= 0;
    }
    return n;
}

/* A header with columns of two kinds of items. */
static dpl_status take_kinds_header(form *f, dpli_list *list, const dpli_csv *header,
                                    const dpl_item_kind kinds[2], dpl_error *err)
{
    for (int side = 0; side < 2; side++) {
        f->column[side == 0 ? ITEM : OTHER] = find_column(header, item_columns[kinds[side]]);
        if (f->column[side == 0 ? ITEM : OTHER] < 0)
            return dpli_fail(err, DPL_E_INPUT, "line %zu: no column of %s", header->line,
                             dpli_kind_names(kinds[side]));
        list->kinds[side] = kinds[side];
    }
    if (kinds[0] == kinds[1])
        return dpli_fail(err, DPL_E_INPUT, "line %zu: no columns \"a\" and \"b\"", header->line);
    f->column[LABEL] =
        find_column(header, kinds[0] == DPL_ITEM_PICTURE ? "same score grade similarity"
                                                         : "label same score grade similarity");
    list->paired = true;
    return DPL_OK;
}

static bool is_number(const char *text)
{
    double number;

    return dpli_read_number(&number, text);
}

/* Whether a row of a table of vectors could begin the list: numbers in every column that has no
 * other meaning. */
static bool is_row_of_numbers(const dpli_csv *row, const form *f)
{
    int n = 0;

    for (int i = 0; i < row->n_fields; i++) {
        bool other = false;
        for (int c = 0; c < N_COLUMNS; c++)
            other |= f->column[c] == i;
        if (!other && !is_number(row->field[i]))
            return false;
        n += !other;
    }
    return n > 0;
}

/* Without a header: the first row says what the list is. */
static dpl_status take_headless(form *f, dpli_list *list, const dpli_csv *row,
                                const dpl_dataset_options *options, dpl_error *err)
{
    const bool tabs = row->separator == '\t';

    if (tabs && row->n_fields == 3 && is_number(row->field[2])) {
        f->column[ITEM] = 0;
        f->column[OTHER] = 1;
        f->column[LABEL] = 2;
        list->paired = true;
        for (int side = 0; side < 2; side++)
            list->kinds[side] = kind_of(options, side, DPL_ITEM_SENTENCE);
        return DPL_OK;
    }
    if (tabs && row->n_fields == 4 && is_number(row->field[2]) &&
        dpli_format_is_name(row->field[1])) {
        f->column[SPLIT] = 0;
        f->column[ITEM] = 1;
        f->column[OTHER] = 3;
        list->paired = true;
        list->kinds[0] = DPL_ITEM_PICTURE;
        list->kinds[1] = DPL_ITEM_SENTENCE;
        return DPL_OK;
    }
    if (tabs && row->n_fields == 2 && !is_number(row->field[0])) {
        f->column[ITEM] = 0;
        f->column[options->kinds[1] < 0 ? LABEL : OTHER] = 1;
        list->paired = options->kinds[1] >= 0;
        for (int side = 0; side < 2; side++)
            list->kinds[side] = kind_of(options, side, DPL_ITEM_SENTENCE);
        return DPL_OK;
    }
    if (is_row_of_numbers(row, f)) {
        f->table = true;
        list->kinds[0] = list->kinds[1] = DPL_ITEM_VECTOR;
        return DPL_OK;
    }
    return no_column(row,
                     "\"path\" or \"file\", \"sentence\", \"vector\", \"codes\", or \"a\" and "
                     "\"b\"",
                     err);
}

/* What the first row says. A table of vectors with a header is told by the second. */
static dpl_status find_form(form *f, dpli_list *list, const dpli_csv *first,
                            const dpl_dataset_options *options, dpl_error *err)
{
    const bool given = options->kinds[1] >= 0;
    dpl_item_kind kinds[2];
    int column[2];

    *f = (form){.n = first->n_fields, .line = first->line, .headed = true};
    for (int c = 0; c < N_COLUMNS; c++)
        f->column[c] = -1;
    /* No column is called by a number. */
    const bool headless =
        first->separator == '\t' && first->n_fields > 2 && is_number(first->field[2]);
    if (headless) {
        f->headed = false;
        return take_headless(f, list, first, options, err);
    }
    const int label = find_column(first, "label class identity person");
    const int n_kinds = find_items(column, kinds, first);
    f->column[GROUP] = find_column(first, "group");
    f->column[STRATUM] = find_column(first, "stratum strata");
    f->column[ROLE] = find_column(first, "role");
    f->column[SPLIT] = find_column(first, "split");
    f->column[FOLD] = find_column(first, "fold");
    const int a = find_column(first, pair_columns[0]), b = find_column(first, pair_columns[1]);
    if (a >= 0 && b >= 0) {
        f->column[ITEM] = a;
        f->column[OTHER] = b;
        return take_pair_header(f, list, first, options, err);
    }
    if (given && n_kinds > 0) {
        const dpl_item_kind asked[2] = {kind_of(options, 0, kinds[0]), kind_of(options, 1, 0)};
        return take_kinds_header(f, list, first, asked, err);
    }
    /* A picture with a class may have words beside it that say something else. */
    if (n_kinds > 1 && !options->plain && (kinds[0] != DPL_ITEM_PICTURE || label < 0) &&
        options->kinds[0] < 0)
        return take_kinds_header(f, list, first, kinds, err);
    if (n_kinds > 0) {
        list->kinds[0] = list->kinds[1] = kind_of(options, 0, kinds[0]);
        f->column[ITEM] = find_column(first, item_columns[list->kinds[0]]);
        f->column[LABEL] = label;
        if (f->column[ITEM] < 0)
            return dpli_fail(err, DPL_E_INPUT, "line %zu: no column of %s", first->line,
                             dpli_kind_names(list->kinds[0]));
        return label >= 0 || options->plain
                   ? DPL_OK
                   : no_column(first, "\"label\", \"class\" or \"identity\"", err);
    }
    f->column[LABEL] = label;
    if (label >= 0) {
        f->table = true;
        list->kinds[0] = list->kinds[1] = DPL_ITEM_VECTOR;
        return DPL_OK;
    }
    for (int c = 0; c < N_COLUMNS; c++)
        f->column[c] = -1;
    f->headed = false;
    return take_headless(f, list, first, options, err);
}

/* ------------------------------------------------------------------ rows */

static const char *field_of(const dpli_csv *row, const form *f, int column)
{
    return f->column[column] < 0 ? NULL : row->field[f->column[column]];
}

/* What an item of the kind is in the list, checked. *out is fresh memory. */
static dpl_status take_item(char **out, const dpli_csv *row, const char *text, dpl_item_kind kind,
                            dpl_error *err)
{
    static const char *const subjects[N_KINDS] = {"path", "sentence", "vector", "list of codes"};
    const size_t n = strlen(text);

    *out = NULL;
    if (!*text || (kind != DPL_ITEM_PICTURE && !text[strspn(text, " \t\r\n\v\f")]))
        return dpli_fail(err, DPL_E_INPUT, "line %zu: the %s is empty", row->line, subjects[kind]);
    if (kind == DPL_ITEM_SENTENCE && n > MAX_SENTENCE)
        return dpli_fail(err, DPL_E_LIMIT, "line %zu: the sentence has %zu bytes, limit is %d",
                         row->line, n, MAX_SENTENCE);
    if (kind == DPL_ITEM_SENTENCE && !dpli_is_utf8(text))
        return dpli_fail(err, DPL_E_INPUT, "line %zu: the sentence is not UTF-8", row->line);
    *out = dpli_strdup(text, err);
    if (!*out)
        return DPL_E_MEMORY;
    if (kind == DPL_ITEM_VECTOR || kind == DPL_ITEM_CODES)
        dpli_squeeze(*out);
    return DPL_OK;
}

/* Put the line before what an item's values were refused for. */
static dpl_status at_line(dpl_error *err, dpl_status status, const dpl_error *why, size_t line)
{
    return status == DPL_E_MEMORY ? dpli_fail(err, status, "%s", why->message)
                                  : dpli_fail(err, status, "line %zu: %s", line, why->message);
}

/* The class, group, stratum and role of a row. */
static dpl_status take_words(dpli_found *found, const dpli_csv *row, const form *f, bool plain,
                             dpl_error *err)
{
    const char *label = plain ? NULL : field_of(row, f, LABEL);
    const char *group = plain ? NULL : field_of(row, f, GROUP);
    const char *stratum = field_of(row, f, STRATUM), *role = field_of(row, f, ROLE);

    if ((label && !*label) || (group && !*group))
        return dpli_fail(err, DPL_E_INPUT, "line %zu: the %s is empty", row->line,
                         label && !*label ? "label" : "group");
    if (stratum && *stratum)
        found->stratum = dpli_strdup(stratum, err);
    if (role && *role)
        found->role = dpli_strdup(role, err);
    if (label) {
        /* Named as in a folder: the characters of two alphabets may have the same names. */
        found->cls = group ? dpli_asprintf(err, "%s/%s", group, label) : dpli_strdup(label, err);
        found->group = dpli_strdup(group ? group : ".", err);
    }
    return (label && (!found->cls || !found->group)) || (stratum && *stratum && !found->stratum) ||
                   (role && *role && !found->role)
               ? DPL_E_MEMORY
               : DPL_OK;
}

static dpl_status add_item(dpli_list *list, const dpli_csv *row, const form *f, int32_t *dim,
                           const dpl_dataset_options *options, dpl_error *err)
{
    const dpl_item_kind kind = list->kinds[0];
    dpli_found found = {.at = row->line};
    dpl_error why = {DPL_OK, ""};
    dpl_status status = take_item(&found.name, row, field_of(row, f, ITEM), kind, err);

    if (status == DPL_OK)
        status = take_words(&found, row, f, options->plain, err);
    if (status == DPL_OK && (kind == DPL_ITEM_VECTOR || kind == DPL_ITEM_CODES)) {
        status = dpli_read_values(&found, list, kind, dim, &why);
        if (status != DPL_OK)
            at_line(err, status, &why, row->line);
    }
    if (status == DPL_OK)
        return dpli_list_add(list, found, err);
    dpli_found_clear(&found);
    return status;
}

/* A row of a table: its numbers. */
static dpl_status add_row_of_numbers(dpli_list *list, const dpli_csv *row, const form *f,
                                     const dpl_dataset_options *options, dpl_error *err)
{
    dpli_found found = {.at = row->line};
    dpl_status status = DPL_E_MEMORY;
    float *numbers = dpli_alloc((size_t)row->n_fields, sizeof *numbers, err);
    int32_t n = 0;

    found.own = numbers;
    if (!numbers)
        goto fail;
    for (int i = 0; i < row->n_fields; i++) {
        bool other = false;
        double number;
        for (int c = 0; c < N_COLUMNS; c++)
            other |= f->column[c] == i;
        if (other)
            continue;
        if (!dpli_read_number(&number, row->field[i])) {
            status = dpli_fail(err, DPL_E_INPUT, "line %zu: \"%.40s\" is no number", row->line,
                               row->field[i]);
            goto fail;
        }
        if (!isfinite((float)number)) {
            status = dpli_fail(err, DPL_E_INPUT, "line %zu: \"%.40s\" is no finite number",
                               row->line, row->field[i]);
            goto fail;
        }
        numbers[n++] = (float)number;
    }
    found.values = numbers;
    found.n_values = n;
    found.name = dpli_asprintf(err, "row %zu", list->n);
    status = found.name ? take_words(&found, row, f, options->plain, err) : DPL_E_MEMORY;
    if (status == DPL_OK)
        return dpli_list_add(list, found, err);
fail:
    dpli_found_clear(&found);
    return status;
}

/* 0 or 1, or a grade on the scale. */
static dpl_status take_grade(dpli_found_pair *p, const dpli_csv *row, const char *text,
                             const dpl_dataset_options *options, dpl_error *err)
{
    const double low = options->scale_low, high = options->scale_high;
    const bool graded = low < high;
    double given;

    if (!text) {
        p->pair.given = graded ? high : 1;
        p->pair.grade = 1;
        return DPL_OK;
    }
    if (!dpli_read_number(&given, text) || !isfinite(given))
        return dpli_fail(err, DPL_E_INPUT, "line %zu: the label \"%.40s\" is no number", row->line,
                         text);
    if (!graded && given != 0 && given != 1)
        return dpli_fail(err, DPL_E_INPUT,
                         "line %zu: the label \"%.40s\" is neither 0 nor 1, and no scale of grades "
                         "was said",
                         row->line, text);
    if (graded && (given < low || given > high))
        return dpli_fail(err, DPL_E_INPUT,
                         "line %zu: the label \"%.40s\" is off the scale %g to "
                         "%g",
                         row->line, text, low, high);
    p->pair.given = given;
    p->pair.grade = (float)(graded ? (given - low) / (high - low) : given);
    return DPL_OK;
}

static dpl_status take_fold(dpli_found_pair *p, const dpli_csv *row, const char *text,
                            dpl_error *err)
{
    double fold;

    p->pair.fold = -1;
    if (!text)
        return DPL_OK;
    if (!dpli_read_number(&fold, text) || !(fold >= 0 && fold <= MAX_FOLD) || fold != floor(fold))
        return dpli_fail(err, DPL_E_INPUT, "line %zu: the fold \"%.40s\" is not 0 to %d", row->line,
                         text, MAX_FOLD);
    p->pair.fold = (int32_t)fold;
    return DPL_OK;
}

static dpl_status add_pair_row(dpli_list *list, const dpli_csv *row, const form *f,
                               const dpl_dataset_options *options, dpl_error *err)
{
    dpli_found_pair p = {.pair = {.line = (int32_t)row->line}};
    dpl_status status = take_grade(&p, row, field_of(row, f, LABEL), options, err);

    if (status == DPL_OK)
        status = take_fold(&p, row, field_of(row, f, FOLD), err);
    for (int side = 0; side < 2 && status == DPL_OK; side++)
        status = take_item(&p.side[side], row, field_of(row, f, side == 0 ? ITEM : OTHER),
                           list->kinds[side], err);
    if (status == DPL_OK)
        return add_pair(list, p, err);
    free(p.side[0]);
    free(p.side[1]);
    return status;
}

/* ------------------------------------------------------------------ text */

/* Whether a tab stands in the first line. */
static bool has_tabs(const char *text, size_t n)
{
    const char *end = memchr(text, '\n', n);

    return memchr(text, '\t', end ? (size_t)(end - text) : n) != NULL;
}

static dpl_status read_classes(dpli_list *list, const char *path, dpl_error *err);

dpl_status dpli_list_text(dpli_list *list, char *text, size_t n, const dpl_dataset_options *options,
                          dpl_error *err)
{
    const char *split = options->split;
    int32_t dim = 0;
    dpli_csv csv;
    dpl_status status;
    form f;

    dpli_csv_init(&csv, text, n); /* and with it the line ends */
    if (has_tabs(text, n))
        dpli_tsv_init(&csv, text, n);
    status = dpli_csv_row(&csv, err);
    if (status == DPL_OK && csv.n_fields == 0)
        status = dpli_fail(err, DPL_E_INPUT, "is empty");
    if (status == DPL_OK)
        status = find_form(&f, list, &csv, options, err);
    if (status == DPL_OK && split && f.column[SPLIT] < 0)
        status = no_column(&csv, "\"split\"", err);
    if (status != DPL_OK)
        return status;
    list->graded = list->paired && options->scale_low < options->scale_high;
    if (f.headed)
        status = dpli_csv_row(&csv, err);
    if (status == DPL_OK && f.table && f.headed && csv.n_fields == f.n &&
        !is_row_of_numbers(&csv, &f))
        status = dpli_fail(err, DPL_E_INPUT,
                           "line %zu: no column \"path\" or \"file\", \"sentence\" or \"vector\", "
                           "and other columns than numbers",
                           f.line);
    while (status == DPL_OK && csv.n_fields > 0) {
        if (csv.n_fields != f.n)
            return dpli_fail(err, DPL_E_INPUT, "line %zu: %d fields, the %s has %d", csv.line,
                             csv.n_fields, f.headed ? "header" : "first line", f.n);
        if (!split || strcmp(field_of(&csv, &f, SPLIT), split) == 0)
            status = list->paired ? add_pair_row(list, &csv, &f, options, err)
                     : f.table    ? add_row_of_numbers(list, &csv, &f, options, err)
                                  : add_item(list, &csv, &f, &dim, options, err);
        if (status == DPL_OK)
            status = dpli_csv_row(&csv, err);
    }
    if (status == DPL_OK && split && list->n == 0 && list->n_pairs == 0)
        status = dpli_fail(err, DPL_E_INPUT, "no row of the split \"%s\"", split);
    else if (status == DPL_OK && options->classes && !options->plain)
        status = read_classes(list, options->classes, err);
    return status;
}

/* ------------------------------------------------------------------ classes in another file */

static dpl_status set_class(dpli_found *f, char *cls, dpl_error *err)
{
    free(f->cls);
    free(f->group);
    f->cls = cls;
    f->group = cls ? dpli_strdup(".", err) : NULL;
    return f->group ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status wrong_number(const dpli_list *list, size_t n, dpl_error *err)
{
    return dpli_fail(err, DPL_E_INPUT, "%zu classes for %zu vectors", n, list->n);
}

static dpl_status read_class_ids(dpli_list *list, const char *path, dpl_error *err)
{
    int64_t *ids;
    int32_t n;
    dpl_status status = dpli_npy_ids(&ids, &n, path, err);

    if (status == DPL_OK && (size_t)n != list->n)
        status = wrong_number(list, (size_t)n, err);
    for (size_t i = 0; i < list->n && status == DPL_OK; i++)
        status = set_class(&list->items[i], dpli_asprintf(err, "%lld", (long long)ids[i]), err);
    free(ids);
    return status;
}

/* A class a line; a first line "label" or "class" is a header. */
static dpl_status read_class_lines(dpli_list *list, const char *path, dpl_error *err)
{
    uint8_t *text = NULL;
    size_t n = 0, n_bytes;
    dpl_status status = dpli_file_read(&text, &n_bytes, path, MAX_CLASS_BYTES, err);
    dpli_csv csv;

    if (status != DPL_OK)
        return status;
    if (memchr(text, '\0', n_bytes)) {
        status = dpli_fail(err, DPL_E_INPUT, "is neither a text nor an .npy");
        goto done;
    }
    dpli_csv_init(&csv, (char *)text, n_bytes);
    status = dpli_csv_row(&csv, err);
    if (status == DPL_OK && csv.n_fields == 1 && find_column(&csv, "label class") == 0)
        status = dpli_csv_row(&csv, err);
    for (; status == DPL_OK && csv.n_fields > 0; n++) {
        if (csv.n_fields != 1 || !*csv.field[0])
            status = dpli_fail(err, DPL_E_INPUT, "line %zu: not one class", csv.line);
        else if (n < list->n)
            status = set_class(&list->items[n], dpli_strdup(csv.field[0], err), err);
        if (status == DPL_OK)
            status = dpli_csv_row(&csv, err);
    }
    if (status == DPL_OK && n != list->n)
        status = wrong_number(list, n, err);
done:
    free(text);
    return status;
}

static dpl_status read_classes(dpli_list *list, const char *path, dpl_error *err)
{
    dpl_status status;

    if (list->kinds[0] != DPL_ITEM_VECTOR || list->paired)
        return dpli_fail(err, DPL_E_ARGUMENT, "classes in another file are of vectors");
    status =
        dpli_is_npy(path) ? read_class_ids(list, path, err) : read_class_lines(list, path, err);
    return status == DPL_OK ? DPL_OK : dpli_fail_in(err, status, path);
}

dpl_status dpli_list_npy(dpli_list *list, const char *path, const dpl_dataset_options *options,
                         dpl_error *err)
{
    dpli_array a = {0};
    dpl_status status;

    list->kinds[0] = list->kinds[1] = DPL_ITEM_VECTOR;
    if (options->split)
        return dpli_fail(err, DPL_E_ARGUMENT, "an array has no splits");
    status = dpli_npy_vectors(&a.values, &a.n, &a.dim, path, err);
    if (status != DPL_OK)
        return status;
    list->arrays = dpli_grow(list->arrays, &list->cap_arrays, 1, sizeof a, err);
    if (!list->arrays) {
        free(a.values);
        return DPL_E_MEMORY;
    }
    list->arrays[list->n_arrays++] = a;
    for (int32_t i = 0; i < a.n && status == DPL_OK; i++) {
        dpli_found f = {.name = dpli_asprintf(err, "row %d", (int)i),
                        .at = (size_t)i,
                        .values = a.values + (size_t)i * (size_t)a.dim,
                        .n_values = a.dim};
        status = f.name ? dpli_list_add(list, f, err) : DPL_E_MEMORY;
    }
    if (status == DPL_OK && options->classes && !options->plain)
        status = read_classes(list, options->classes, err);
    else if (status == DPL_OK && !options->plain)
        status = dpli_fail(err, DPL_E_INPUT,
                           "its rows have no classes, and no file of them was "
                           "said");
    return status;
}

/* ------------------------------------------------------------------ pairs */

/* A side of a pair, to be found among all. */
typedef struct mention {
    const char *text;
    size_t at; /* 2 * pair + side */
} mention;

static int by_text(const void *a, const void *b)
{
    const mention *x = a, *y = b;
    const int order = strcmp(x->text, y->text);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Items of the sides from to to-1: each text once. */
static dpl_status number_sides(dpl_given_pair *pairs, int32_t *n, dpli_list *list,
                               mention *mentions, int from, int to, dpl_error *err)
{
    const dpl_item_kind kind = list->kinds[from];
    const size_t n_sides = (size_t)(to - from), n_mentions = list->n_pairs * n_sides,
                 first = list->n;
    dpl_error why = {DPL_OK, ""};
    int32_t dim = 0;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n_mentions; i++) {
        const size_t pair = i / n_sides, side = (size_t)from + i % n_sides;
        mentions[i] = (mention){list->pairs[pair].side[side], 2 * pair + side};
    }
    qsort(mentions, n_mentions, sizeof *mentions, by_text);
    for (size_t i = 0; i < n_mentions && status == DPL_OK; i++) {
        dpl_given_pair *pair = &pairs[mentions[i].at / 2];
        if (i == 0 || strcmp(mentions[i - 1].text, mentions[i].text) != 0) {
            dpli_found f = {.name = dpli_strdup(mentions[i].text, err), .at = (size_t)pair->line};
            status = f.name ? DPL_OK : DPL_E_MEMORY;
            if (status == DPL_OK && (kind == DPL_ITEM_VECTOR || kind == DPL_ITEM_CODES)) {
                status = dpli_read_values(&f, list, kind, &dim, &why);
                if (status != DPL_OK)
                    at_line(err, status, &why, f.at);
            }
            if (status == DPL_OK)
                status = dpli_list_add(list, f, err);
            else
                dpli_found_clear(&f);
        }
        if (status == DPL_OK)
            *(mentions[i].at % 2 ? &pair->b : &pair->a) = (int32_t)list->n - 1;
    }
    *n = (int32_t)(list->n - first);
    return status;
}

dpl_status dpli_list_number(dpl_given_pair **pairs, int32_t n[2], dpli_list *list, dpl_error *err)
{
    const bool shared = list->kinds[0] == list->kinds[1];
    mention *mentions = dpli_alloc(2 * list->n_pairs, sizeof *mentions, err);
    dpl_status status = DPL_E_MEMORY;

    n[0] = n[1] = 0;
    *pairs = dpli_alloc(list->n_pairs, sizeof **pairs, err);
    if (!*pairs || !mentions)
        goto done;
    for (size_t i = 0; i < list->n_pairs; i++)
        (*pairs)[i] = list->pairs[i].pair;
    status = number_sides(*pairs, &n[0], list, mentions, 0, shared ? 2 : 1, err);
    if (status == DPL_OK && !shared)
        status = number_sides(*pairs, &n[1], list, mentions, 1, 2, err);
done:
    free(mentions);
    if (status != DPL_OK) {
        free(*pairs);
        *pairs = NULL;
    }
    return status;
}
