/*
 * dataset.c - which items there are, and what class each is of or which pairs they make: from a
 * folder, a zip or a list (list.c).
 *
 * Before the pipeline: training and evaluation take what they work on from here. Opening lists
 * pictures' names and decodes nothing; what is no picture is held. Whatever the source, it first
 * becomes a list of (item, class, group), which build() sorts, checks and numbers, or of pairs,
 * whose items build_pairs() numbers.
 */
#include "data/dataset.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/walk.h"
#include "data/list.h"
#include "data/npy.h"
#include "data/zip.h"
#include "vision/image/formats.h"

#define MAX_CSV_BYTES  ((size_t)1 << 30)
#define MAX_FILE_BYTES ((size_t)64 << 20) /* of a picture in a zip, or a text beside them */

typedef struct entry {
    char *name, *stratum, *role; /* the last two NULL where not said */
    size_t member;
    int32_t cls;
    int32_t n_values;
    const void *values; /* of a vector or codes: in own, or in one of the arrays */
    void *own;
} entry;

typedef struct class
{
    char *name;
    int32_t first, n, group;
} class;

typedef struct named {
    const char *name;
    int32_t item;
} named;

/* The items of a side of the pairs; of a data set without pairs, both sides are all of them. */
typedef struct half {
    dpl_item_kind kind;
    int32_t first, n;
    int32_t dim, n_codes;
} half;

struct dpl_dataset {
    half sides[2];
    dpl_given_pair *pairs;
    int32_t n_pairs;
    bool graded;
    dpli_array *arrays;
    size_t n_arrays;
    char *path; /* as given: for messages */
    char *root; /* folder and CSV: where names begin */
    dpli_zip *zip;
    char *prefix; /* zip: "" or "inner/folder/" */
    entry *items;
    class *classes;
    char **groups; /* sorted */
    named *by_name;
    int32_t n_items, n_classes, n_groups;
};

/* ------------------------------------------------------------------ names */

/* A hidden file or one below a hidden folder, or what macOS adds to archives. */
static bool is_hidden(const char *name)
{
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (*part == '.' || strncmp(part, "__MACOSX/", 9) == 0)
            return true;
    }
    return false;
}

/* Whether a name stays below where it begins: no part is empty, "." or "..". */
static bool is_inside(const char *name)
{
    for (const char *part = name;; part++) {
        const size_t n = strcspn(part, "/");
        if (n == 0 || (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.'))))
            return false;
        part += n;
        if (!*part)
            return true;
    }
}

/* The folder that a name is in; "." at the top. */
static char *parent_of(const char *name, dpl_error *err)
{
    const char *slash = strrchr(name, '/');

    if (!slash)
        return dpli_strdup(".", err);
    return dpli_asprintf(err, "%.*s", (int)(slash - name), name);
}

static char *join(const char *folder, const char *name, dpl_error *err)
{
    if (name[0] == '/')
        return dpli_strdup(name, err);
    return dpli_asprintf(err, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

/* ------------------------------------------------------------------ listing */

/* Of a folder or zip: its folder is its class, that one's folder the group. */
static dpl_status add_by_folder(dpli_list *list, const char *name, size_t member, bool plain,
                                dpl_error *err)
{
    dpli_found f = {.name = dpli_strdup(name, err), .at = member};

    if (f.name && !plain)
        f.cls = parent_of(name, err);
    if (f.cls)
        f.group = parent_of(f.cls, err);
    if (!f.name || (!plain && !f.group)) {
        dpli_found_clear(&f);
        return DPL_E_MEMORY;
    }
    return dpli_list_add(list, f, err);
}

typedef struct listing {
    dpli_list *list;
    bool plain;
} listing;

static dpl_status on_walked(void *ctx, dpli_walked what, const char *path, const char *below,
                            dpl_error *err)
{
    const listing *l = ctx;

    switch (what) {
    case DPLI_WALKED_UNREADABLE:
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "folder \"%s\" cannot be read", path);
    case DPLI_WALKED_DEEP:
        return dpli_fail(err, DPL_E_LIMIT, "folders are nested more than %d deep", DPLI_WALK_DEPTH);
    case DPLI_WALKED_PSEUDO:
        return dpli_fail(err, DPL_E_INPUT, "folder \"%s\" holds no files but the kernel's words",
                         path);
    case DPLI_WALKED_LINK:
    case DPLI_WALKED_LEFT_OUT:
    case DPLI_WALKED_OTHER: return DPL_OK;
    case DPLI_WALKED_FILE: break;
    }
    return dpli_format_is_name(below) && !is_hidden(below)
               ? add_by_folder(l->list, below, 0, l->plain, err)
               : DPL_OK;
}

static dpl_status list_folder(dpli_list *list, dpl_dataset *d, const char *path, bool plain,
                              dpl_error *err)
{
    listing l = {list, plain};
    /* Nothing of a link's target is kept but pixels, so it may lie anywhere. */
    dpli_walker walker = {.follow_links = true};
    dpl_status status = DPL_E_MEMORY;

    d->root = dpli_strdup(path, err);
    if (d->root)
        status = dpli_walk(&walker, path, on_walked, &l, err);
    dpli_walker_clear(&walker);
    return status;
}

static dpl_status list_zip(dpli_list *list, dpl_dataset *d, const char *path, const char *inner,
                           bool plain, dpl_error *err)
{
    const size_t n_inner = strlen(inner);
    const char *slash = n_inner && inner[n_inner - 1] != '/' ? "/" : "";
    dpl_status status = dpli_zip_open(&d->zip, path, err);
    bool any = n_inner == 0;

    if (status != DPL_OK)
        return status;
    d->prefix = dpli_asprintf(err, "%s%s", inner, slash);
    if (!d->prefix)
        return DPL_E_MEMORY;
    const size_t n_prefix = strlen(d->prefix);
    for (size_t i = 0; i < dpli_zip_n_members(d->zip) && status == DPL_OK; i++) {
        const char *name = dpli_zip_name(d->zip, i);
        if (strncmp(name, d->prefix, n_prefix) != 0)
            continue;
        any = true;
        name += n_prefix;
        if (!dpli_format_is_name(name))
            continue;
        if (!is_inside(name))
            status = dpli_fail(err, DPL_E_INPUT, "picture \"%s\" is not below the archive", name);
        else if (!is_hidden(name))
            status = add_by_folder(list, name, i, plain, err);
    }
    if (status == DPL_OK && !any)
        status = dpli_fail(err, DPL_E_INPUT, "has no folder \"%s\"", inner);
    return status;
}

/* Where the paths of a list begin. */
static dpl_status find_root(dpl_dataset *d, const char *path, const char *root, dpl_error *err)
{
    const char *slash = strrchr(path, '/');

    d->root = root    ? dpli_strdup(*root ? root : ".", err)
              : slash ? dpli_asprintf(err, "%.*s", (int)(slash - path) + 1, path)
                      : dpli_strdup(".", err);
    return d->root ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status list_text(dpli_list *list, dpl_dataset *d, const char *path,
                            const dpl_dataset_options *options, dpl_error *err)
{
    uint8_t *text = NULL;
    dpl_status status = find_root(d, path, options->root, err);
    const uint8_t *nul;
    size_t n, line = 1;

    if (status == DPL_OK)
        status = dpli_file_read(&text, &n, path, MAX_CSV_BYTES, err);
    if (status != DPL_OK)
        return status;
    list->root = d->root;
    nul = memchr(text, '\0', n);
    for (const uint8_t *at = text; nul && at < nul; at++)
        line += *at == '\n';
    status = nul ? dpli_fail(err, DPL_E_INPUT,
                             "is neither a folder nor a zip nor a list: line %zu has a NUL, a list "
                             "is text in UTF-8",
                             line)
                 : dpli_list_text(list, (char *)text, n, options, err);
    free(text);
    return status;
}

/* ------------------------------------------------------------------ numbering */

static int in_order(const dpli_found *x, const dpli_found *y)
{
    return (x->at > y->at) - (x->at < y->at);
}

static int by_class(const void *a, const void *b)
{
    const dpli_found *x = a, *y = b;
    int order = x->cls ? strcmp(x->cls, y->cls) : 0;

    if (order == 0)
        order = strcmp(x->name, y->name);
    return order ? order : in_order(x, y);
}

/* Vectors stay in the order of their rows. */
static int by_class_and_row(const void *a, const void *b)
{
    const dpli_found *x = a, *y = b;
    const int order = x->cls ? strcmp(x->cls, y->cls) : 0;

    return order ? order : in_order(x, y);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int class_by_name(const void *name, const void *cls)
{
    return strcmp(name, ((const class *)cls)->name);
}

static int item_by_name(const void *name, const void *item)
{
    return strcmp(name, ((const named *)item)->name);
}

/* The item takes what f points to. */
static void take_item(dpl_dataset *d, dpli_found *f, int32_t cls)
{
    d->items[d->n_items++] = (entry){.name = f->name,
                                     .stratum = f->stratum,
                                     .role = f->role,
                                     .member = f->at,
                                     .cls = cls,
                                     .n_values = f->n_values,
                                     .values = f->values,
                                     .own = f->own};
    f->name = f->stratum = f->role = NULL;
    f->own = NULL;
}

/* Items of one class, or of none: takes their names, the class's and the group's. */
static void take_run(dpl_dataset *d, dpli_found *run, size_t n)
{
    const bool plain = !run->cls;

    if (!plain) {
        d->classes[d->n_classes] = (class){run->cls, d->n_items, (int32_t)n, 0};
        d->groups[d->n_classes] = run->group;
        run->cls = run->group = NULL;
    }
    for (size_t i = 0; i < n; i++)
        take_item(d, &run[i], plain ? -1 : d->n_classes);
    d->n_classes += !plain;
}

/* groups[i] is class i's: number the different ones in their order. */
static dpl_status number_groups(dpl_dataset *d, dpl_error *err)
{
    char **own = d->groups, **sorted;
    int32_t n = 0;

    if (d->n_classes == 0)
        return DPL_OK;
    sorted = dpli_alloc((size_t)d->n_classes, sizeof *sorted, err);
    if (!sorted) {
        d->n_groups = d->n_classes; /* all of them are to be freed */
        return DPL_E_MEMORY;
    }
    memcpy(sorted, own, (size_t)d->n_classes * sizeof *sorted);
    qsort(sorted, (size_t)d->n_classes, sizeof *sorted, by_text);
    for (int32_t i = 0; i < d->n_classes; i++)
        if (i == 0 || strcmp(sorted[n - 1], sorted[i]) != 0) {
            char *swap = sorted[n];
            sorted[n++] = sorted[i];
            sorted[i] = swap;
        }
    for (int32_t i = 0; i < d->n_classes; i++) {
        char **at = bsearch(&own[i], sorted, (size_t)n, sizeof *sorted, by_text);
        d->classes[i].group = (int32_t)(at - sorted);
    }
    for (int32_t i = n; i < d->n_classes; i++)
        free(sorted[i]);
    free(own);
    d->groups = sorted;
    d->n_groups = n;
    return DPL_OK;
}

static void sort_names(dpl_dataset *d)
{
    for (int32_t i = 0; i < d->n_items; i++)
        d->by_name[i] = (named){d->items[i].name, i};
    qsort(d->by_name, (size_t)d->n_items, sizeof *d->by_name, by_name);
}

static dpl_status check_names(dpl_dataset *d, dpl_error *err)
{
    sort_names(d);
    for (int32_t i = 1; i < d->n_items; i++) {
        const entry *a = &d->items[d->by_name[i - 1].item], *b = &d->items[d->by_name[i].item];
        if (strcmp(a->name, b->name) != 0)
            continue;
        if (d->sides[0].kind == DPL_ITEM_VECTOR)
            continue; /* rows with the same numbers are two */
        if (d->zip)
            return dpli_fail(err, DPL_E_INPUT, "picture \"%s\" is there twice", a->name);
        return dpli_fail(err, DPL_E_INPUT, "line %zu: %s \"%.100s\" is there already, in line %zu",
                         a->member > b->member ? a->member : b->member,
                         dpli_kind_name(d->sides[0].kind), a->name,
                         a->member < b->member ? a->member : b->member);
    }
    return DPL_OK;
}

static dpl_status is_empty(dpl_item_kind kind, dpl_error *err)
{
    char suffixes[200];

    if (kind != DPL_ITEM_PICTURE)
        return dpli_fail(err, DPL_E_INPUT, "no %s in it", dpli_kind_name(kind));
    dpli_format_suffixes(suffixes, sizeof suffixes);
    return dpli_fail(err, DPL_E_INPUT, "no picture in it (%s)", suffixes);
}

/* A sentence, or codes, that a class has several times counts once. */
static void drop_repeated(dpli_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        dpli_found *f = &list->items[i];
        const dpli_found *before = n > 0 ? &list->items[n - 1] : NULL;
        if (before && strcmp(before->name, f->name) == 0 &&
            (!f->cls || strcmp(before->cls, f->cls) == 0))
            dpli_found_clear(f);
        else
            list->items[n++] = *f;
    }
    list->n = n;
}

/* What there is to know of a side's numbers. */
static void measure_side(half *s, const dpl_dataset *d)
{
    for (int32_t i = s->first; i < s->first + s->n; i++) {
        const entry *item = &d->items[i];
        if (item->n_values > s->dim)
            s->dim = item->n_values;
        for (int32_t j = 0; s->kind == DPL_ITEM_CODES && j < item->n_values; j++)
            if (((const int32_t *)item->values)[j] >= s->n_codes)
                s->n_codes = ((const int32_t *)item->values)[j] + 1;
    }
}

static dpl_status build_pairs(dpl_dataset *d, dpli_list *list, dpl_error *err)
{
    int32_t n[2];
    dpl_status status;

    if (list->n_pairs == 0)
        return dpli_fail(err, DPL_E_INPUT, "no pair in it");
    status = dpli_list_number(&d->pairs, n, list, err);
    if (status != DPL_OK)
        return status;
    d->n_pairs = (int32_t)list->n_pairs;
    d->graded = list->graded;
    d->items = dpli_calloc(list->n, sizeof *d->items, err);
    d->by_name = dpli_calloc(list->n, sizeof *d->by_name, err);
    if (!d->items || !d->by_name)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < list->n; i++)
        take_item(d, &list->items[i], -1);
    sort_names(d);
    for (int side = 0; side < 2; side++) {
        const bool apart = side == 1 && list->kinds[0] != list->kinds[1];
        d->sides[side] =
            (half){.kind = list->kinds[side], .first = apart ? n[0] : 0, .n = apart ? n[1] : n[0]};
    }
    return DPL_OK;
}

static dpl_status build(dpl_dataset *d, dpli_list *list, int32_t min_items, bool plain,
                        dpl_error *err)
{
    const dpl_item_kind kind = list->kinds[0];
    dpl_status status;

    if (list->n == 0)
        return is_empty(kind, err);
    if (list->n > 0 && !plain && !list->items[0].cls)
        return dpli_fail(err, DPL_E_INPUT, "its %s have no classes", dpli_kind_names(kind));
    qsort(list->items, list->n, sizeof *list->items,
          kind == DPL_ITEM_VECTOR ? by_class_and_row : by_class);
    if (kind == DPL_ITEM_SENTENCE || kind == DPL_ITEM_CODES)
        drop_repeated(list);
    const size_t n = list->n;
    d->items = dpli_calloc(n, sizeof *d->items, err);
    d->by_name = dpli_calloc(n, sizeof *d->by_name, err);
    d->classes = dpli_calloc(plain ? 0 : n, sizeof *d->classes, err);
    d->groups = dpli_calloc(plain ? 0 : n, sizeof *d->groups, err);
    if (!d->items || !d->by_name || !d->classes || !d->groups)
        return DPL_E_MEMORY;
    for (size_t from = 0, to; from < n; from = to) {
        dpli_found *f = &list->items[from];
        for (to = from + 1; to < n && (plain || strcmp(f->cls, list->items[to].cls) == 0); to++)
            if (!plain && strcmp(f->group, list->items[to].group) != 0) {
                d->n_groups = d->n_classes;
                return dpli_fail(err, DPL_E_INPUT, "line %zu: class \"%s\" is in group \"%s\" too",
                                 list->items[to].at, f->cls, f->group);
            }
        if (plain || to - from >= (size_t)min_items)
            take_run(d, f, to - from);
    }
    status = number_groups(d, err);
    if (status == DPL_OK && d->n_items == 0)
        status = dpli_fail(err, DPL_E_INPUT, "no class of at least %d %s in it", (int)min_items,
                           dpli_kind_names(kind));
    for (int side = 0; side < 2; side++)
        d->sides[side] = (half){.kind = kind, .n = d->n_items};
    if (status == DPL_OK)
        status = check_names(d, err);
    return status;
}

/* ------------------------------------------------------------------ opening */

/* Part "file.zip:inner" at the first colon behind which begins what is not of a file's name. */
static dpl_status find_source(char **file, const char **inner, struct stat *st, const char *path,
                              dpl_error *err)
{
    int saved_errno;

    *inner = "";
    *file = dpli_strdup(path, err);
    if (!*file)
        return DPL_E_MEMORY;
    if (stat(path, st) == 0)
        return DPL_OK;
    saved_errno = errno;
    for (const char *colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':')) {
        (*file)[colon - path] = '\0';
        if (stat(*file, st) == 0 && S_ISREG(st->st_mode)) {
            *inner = colon + 1;
            return DPL_OK;
        }
        (*file)[colon - path] = ':';
    }
    return dpli_fail_errno(err, DPL_E_INPUT, saved_errno, "cannot be opened");
}

static bool is_zip(const char *path)
{
    FILE *f = fopen(path, "rbe");
    char head[4] = "";
    const bool yes = f && fread(head, 1, 4, f) == 4 &&
                     (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0);

    if (f)
        fclose(f);
    return yes;
}

static dpl_status list_all(dpli_list *list, dpl_dataset *d, const dpl_dataset_options *options,
                           dpl_error *err)
{
    const bool plain = options->plain != 0;
    const char *inner;
    char *file = NULL;
    struct stat st;
    dpl_status status = find_source(&file, &inner, &st, d->path, err);

    if (status != DPL_OK)
        goto done;
    if (S_ISDIR(st.st_mode))
        status = list_folder(list, d, file, plain, err);
    else if (!S_ISREG(st.st_mode))
        status = dpli_fail(err, DPL_E_INPUT, "is neither a folder nor a file");
    else if (is_zip(file))
        status = list_zip(list, d, file, inner, plain, err);
    else if (*inner)
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\" is not a zip", file);
    else if (dpli_is_npy(file))
        status = dpli_list_npy(list, file, options, err);
    else
        status = list_text(list, d, file, options, err);
    if (status == DPL_OK && options->kinds[0] >= 0 && (int32_t)list->kinds[0] != options->kinds[0])
        status = dpli_fail(err, DPL_E_INPUT, "holds %s, not %s", dpli_kind_names(list->kinds[0]),
                           dpli_kind_names((dpl_item_kind)options->kinds[0]));
done:
    free(file);
    return status;
}

static dpl_status read_options(dpl_dataset_options *options, const dpl_dataset_options *given,
                               dpl_error *err)
{
    dpl_status status;

    *options = (dpl_dataset_options)DPL_DATASET_OPTIONS_INIT;
    status = dpli_options(options, sizeof *options, given, "dataset", err);
    if (status == DPL_OK && options->min_items < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "min_items is %d, below 1", (int)options->min_items);
    for (int side = 0; side < 2 && status == DPL_OK; side++)
        if (options->kinds[side] < -1 || options->kinds[side] > DPL_ITEM_CODES)
            return dpli_fail(err, DPL_E_ARGUMENT, "%d is no kind of item",
                             (int)options->kinds[side]);
    const double low = options->scale_low, high = options->scale_high;
    if (status == DPL_OK && !(low == 0 && high == 0) &&
        !(isfinite(low) && isfinite(high) && low < high))
        return dpli_fail(err, DPL_E_ARGUMENT, "%g to %g is no scale of grades", low, high);
    return status;
}

dpl_status dpl_dataset_open(dpl_dataset **out, const char *path, const dpl_dataset_options *options,
                            dpl_error *err)
{
    dpl_dataset_options known;
    dpli_list list = {0};
    dpl_dataset *d = NULL;
    dpl_status status;

    *out = NULL;
    status = read_options(&known, options, err);
    if (status != DPL_OK)
        return status;
    d = dpli_calloc(1, sizeof *d, err);
    if (!d)
        return DPL_E_MEMORY;
    d->path = dpli_strdup(path, err);
    status = d->path ? list_all(&list, d, &known, err) : DPL_E_MEMORY;
    if (status == DPL_OK)
        status = list.paired ? build_pairs(d, &list, err)
                             : build(d, &list, known.min_items, known.plain != 0, err);
    for (int side = 0; side < 2 && status == DPL_OK; side++)
        measure_side(&d->sides[side], d);
    /* The items' numbers lie in them. */
    d->arrays = list.arrays;
    d->n_arrays = list.n_arrays;
    list.arrays = NULL;
    list.n_arrays = 0;
    if (status != DPL_OK && status != DPL_E_MEMORY)
        dpli_fail_in(err, status, path);
    dpli_list_clear(&list);
    if (status == DPL_OK)
        *out = d;
    else
        dpl_dataset_close(d);
    return status;
}

void dpl_dataset_close(dpl_dataset *d)
{
    if (!d)
        return;
    for (int32_t i = 0; i < d->n_items; i++) {
        free(d->items[i].name);
        free(d->items[i].stratum);
        free(d->items[i].role);
        free(d->items[i].own);
    }
    for (size_t i = 0; i < d->n_arrays; i++) {
        free(d->arrays[i].path);
        free(d->arrays[i].values);
    }
    free(d->arrays);
    free(d->pairs);
    for (int32_t i = 0; i < d->n_classes; i++)
        free(d->classes[i].name);
    for (int32_t i = 0; i < d->n_groups; i++)
        free(d->groups[i]);
    free(d->items);
    free(d->by_name);
    free(d->classes);
    free(d->groups);
    dpli_zip_close(d->zip);
    free(d->prefix);
    free(d->root);
    free(d->path);
    free(d);
}

/* ------------------------------------------------------------------ asking */

dpl_item_kind dpl_dataset_item_kind(const dpl_dataset *d)
{
    return d->sides[0].kind;
}

int32_t dpl_dataset_n_items(const dpl_dataset *d)
{
    return d->n_items;
}

int32_t dpl_dataset_n_classes(const dpl_dataset *d)
{
    return d->n_classes;
}

int32_t dpl_dataset_n_groups(const dpl_dataset *d)
{
    return d->n_groups;
}

const char *dpl_dataset_item_name(const dpl_dataset *d, int32_t item)
{
    return d->items[item].name;
}

const char *dpl_dataset_class_name(const dpl_dataset *d, int32_t cls)
{
    return d->classes[cls].name;
}

const char *dpl_dataset_group_name(const dpl_dataset *d, int32_t group)
{
    return d->groups[group];
}

int32_t dpl_dataset_class_of(const dpl_dataset *d, int32_t item)
{
    return d->items[item].cls;
}

const char *dpl_dataset_stratum_of(const dpl_dataset *d, int32_t item)
{
    return d->items[item].stratum ? d->items[item].stratum : "";
}

const char *dpl_dataset_role_of(const dpl_dataset *d, int32_t item)
{
    return d->items[item].role ? d->items[item].role : "";
}

int32_t dpl_dataset_group_of(const dpl_dataset *d, int32_t cls)
{
    return d->classes[cls].group;
}

int32_t dpl_dataset_class_items(const dpl_dataset *d, int32_t cls, int32_t *n)
{
    *n = d->classes[cls].n;
    return d->classes[cls].first;
}

int32_t dpl_dataset_find_class(const dpl_dataset *d, const char *name)
{
    const class *found_class =
        bsearch(name, d->classes, (size_t)d->n_classes, sizeof *d->classes, class_by_name);

    return found_class ? (int32_t)(found_class - d->classes) : -1;
}

int32_t dpl_dataset_find_item(const dpl_dataset *d, const char *name)
{
    const named *found_name =
        bsearch(name, d->by_name, (size_t)d->n_items, sizeof *d->by_name, item_by_name);

    return found_name ? found_name->item : -1;
}

/* The side that an item is of: the first that has it. */
static const half *side_with(const dpl_dataset *d, int32_t item)
{
    const half *s = &d->sides[0];

    return item >= s->first && item - s->first < s->n ? s : &d->sides[1];
}

/* Whether it is an item, and of this kind. */
static bool is_item(const dpl_dataset *d, int32_t item, dpl_item_kind kind)
{
    return item >= 0 && item < d->n_items && side_with(d, item)->kind == kind;
}

const char *dpl_dataset_sentence(const dpl_dataset *d, int32_t item)
{
    return is_item(d, item, DPL_ITEM_SENTENCE) ? d->items[item].name : NULL;
}

const float *dpl_dataset_vector(const dpl_dataset *d, int32_t item)
{
    return is_item(d, item, DPL_ITEM_VECTOR) ? d->items[item].values : NULL;
}

const int32_t *dpl_dataset_codes(const dpl_dataset *d, int32_t item, int32_t *n)
{
    const bool has = is_item(d, item, DPL_ITEM_CODES);

    *n = has ? d->items[item].n_values : 0;
    return has ? d->items[item].values : NULL;
}

int32_t dpl_dataset_n_pairs(const dpl_dataset *d)
{
    return d->n_pairs;
}

const dpl_given_pair *dpl_dataset_pair(const dpl_dataset *d, int32_t i)
{
    return &d->pairs[i];
}

bool dpl_dataset_is_graded(const dpl_dataset *d)
{
    return d->graded;
}

dpl_item_kind dpl_dataset_side_kind(const dpl_dataset *d, int side)
{
    return d->sides[side].kind;
}

int32_t dpl_dataset_side_items(const dpl_dataset *d, int side, int32_t *n)
{
    *n = d->sides[side].n;
    return d->sides[side].first;
}

int32_t dpl_dataset_side_dim(const dpl_dataset *d, int side)
{
    return d->sides[side].dim;
}

int32_t dpl_dataset_side_codes(const dpl_dataset *d, int side)
{
    return d->sides[side].n_codes;
}

dpl_status dpli_fail_in_item(dpl_error *err, dpl_status status, const dpl_dataset *d, int32_t item)
{
    const char *name = d->items[item].name;
    char *path = d->zip ? NULL : join(d->root, name, NULL);

    dpli_fail_in(err, status, path ? path : name);
    free(path);
    return status;
}

uint64_t dpl_dataset_item_bytes(const dpl_dataset *d, int32_t item)
{
    struct stat st;
    char *path;
    uint64_t n = 0;

    if (!is_item(d, item, DPL_ITEM_PICTURE))
        return 0;
    if (d->zip)
        return dpli_zip_size(d->zip, d->items[item].member);
    path = join(d->root, d->items[item].name, NULL);
    if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        n = (uint64_t)st.st_size;
    free(path);
    return n;
}

dpl_status dpl_dataset_item_file(uint8_t **bytes, size_t *n_bytes, const dpl_dataset *d,
                                 int32_t item, size_t max_bytes, dpl_error *err)
{
    const size_t limit = d->zip && max_bytes > MAX_FILE_BYTES ? MAX_FILE_BYTES : max_bytes;
    dpl_status status;
    char *path;

    *bytes = NULL;
    *n_bytes = 0;
    if (item < 0 || item >= d->n_items)
        return dpli_fail(err, DPL_E_ARGUMENT, "item %d is not within 0..%d", (int)item,
                         (int)d->n_items - 1);
    if (!is_item(d, item, DPL_ITEM_PICTURE))
        return dpli_fail(err, DPL_E_ARGUMENT, "\"%.100s\" is a %s, not a picture",
                         d->items[item].name, dpli_kind_name(side_with(d, item)->kind));
    if (d->zip) {
        status = dpli_zip_read(bytes, n_bytes, d->zip, d->items[item].member, limit, err);
    } else {
        path = join(d->root, d->items[item].name, err);
        if (!path)
            return DPL_E_MEMORY;
        status = dpli_file_read(bytes, n_bytes, path, limit, err);
        free(path);
    }
    return status == DPL_OK ? DPL_OK : dpli_fail_in_item(err, status, d, item);
}

dpl_status dpl_dataset_image(dpl_image *out, const dpl_dataset *d, int32_t item, dpl_error *err)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    uint8_t *bytes;
    size_t n;
    dpl_status status = dpl_dataset_item_file(&bytes, &n, d, item, options.max_bytes, err);

    *out = (dpl_image)DPL_IMAGE_INIT;
    if (status != DPL_OK)
        return status;
    /* As dpl_image_open: the file lies in memory while it is decoded. */
    options.max_bytes -= n;
    status = dpl_image_decode(out, bytes, n, &options, err);
    free(bytes);
    return status == DPL_OK ? DPL_OK : dpli_fail_in_item(err, status, d, item);
}

dpl_status dpl_dataset_file(uint8_t **bytes, size_t *n_bytes, const dpl_dataset *d,
                            const char *name, dpl_error *err)
{
    char *path = NULL;
    dpl_status status;
    size_t member;

    *bytes = NULL;
    *n_bytes = 0;
    if (!is_inside(name))
        return dpli_fail(err, DPL_E_INPUT, "\"%s\" is not below \"%s\"", name, d->path);
    path = d->zip ? dpli_asprintf(err, "%s%s", d->prefix, name) : join(d->root, name, err);
    if (!path)
        return DPL_E_MEMORY;
    status = d->zip ? dpli_zip_find(&member, d->zip, path, err)
                    : dpli_file_read(bytes, n_bytes, path, MAX_FILE_BYTES, err);
    if (status == DPL_OK && d->zip)
        status = dpli_zip_read(bytes, n_bytes, d->zip, member, MAX_FILE_BYTES, err);
    if (status != DPL_OK)
        dpli_fail_in(err, status, path);
    free(path);
    return status;
}
