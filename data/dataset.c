/*
 * dataset.c - which pictures there are, and what class each is of: from a folder, a CSV or a zip.
 *
 * Before the pipeline: training and evaluation take their pictures from here. Opening lists names
 * and decodes nothing. Whatever the source, it first becomes a list of (picture, class, group),
 * which build() sorts, checks and numbers.
 */
#include "data/dataset.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/walk.h"
#include "data/csv.h"
#include "data/zip.h"
#include "vision/image/formats.h"

#define MAX_CSV_BYTES  ((size_t)1 << 30)
#define MAX_FILE_BYTES ((size_t)64 << 20) /* of a picture in a zip, or a text beside them */

/* A picture as its source tells it. */
typedef struct found {
    char *name, *cls, *group; /* cls and group NULL when plain */
    size_t at;                /* zip: the member; CSV: the line */
    char *stratum, *role;     /* NULL: not said */
} found;

typedef struct found_list {
    found *items;
    size_t n, cap;
} found_list;

typedef struct picture {
    char *name, *stratum, *role; /* the last two NULL where not said */
    size_t member;
    int32_t cls;
} picture;

typedef struct class
{
    char *name;
    int32_t first, n, group;
} class;

typedef struct named {
    const char *name;
    int32_t item;
} named;

struct dpl_dataset {
    dpl_item_kind kind;
    char *path; /* as given: for messages */
    char *root; /* folder and CSV: where names begin */
    dpli_zip *zip;
    char *prefix; /* zip: "" or "inner/folder/" */
    picture *items;
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

static void clear_found(found *f)
{
    free(f->name);
    free(f->cls);
    free(f->group);
    free(f->stratum);
    free(f->role);
}

/* Takes what f points to. */
static dpl_status add_found(found_list *list, found f, dpl_error *err)
{
    const bool fits = list->n < INT32_MAX / 2;
    found *items =
        fits ? dpli_grow(list->items, &list->cap, list->n + 1, sizeof *items, err) : NULL;

    if (!items) {
        clear_found(&f);
        return fits ? DPL_E_MEMORY : dpli_fail(err, DPL_E_LIMIT, "too many pictures");
    }
    list->items = items;
    list->items[list->n++] = f;
    return DPL_OK;
}

/* Of a folder or zip: its folder is its class, that one's folder the group. */
static dpl_status add_by_folder(found_list *list, const char *name, size_t member, bool plain,
                                dpl_error *err)
{
    found f = {.name = dpli_strdup(name, err), .at = member};

    if (f.name && !plain)
        f.cls = parent_of(name, err);
    if (f.cls)
        f.group = parent_of(f.cls, err);
    if (!f.name || (!plain && !f.group)) {
        clear_found(&f);
        return DPL_E_MEMORY;
    }
    return add_found(list, f, err);
}

typedef struct listing {
    found_list *list;
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

static dpl_status list_folder(found_list *list, dpl_dataset *d, const char *path, bool plain,
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

static dpl_status list_zip(found_list *list, dpl_dataset *d, const char *path, const char *inner,
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

/* The column of one of these names (parted by spaces, the first that is there); -1. */
static int find_column(const dpli_csv *header, const char *names)
{
    char name[16];

    for (int n; sscanf(names, "%15s%n", name, &n) == 1; names += n)
        for (int i = 0; i < header->n_fields; i++)
            if (strcasecmp(header->field[i], name) == 0)
                return i;
    return -1;
}

enum { PATH, LABEL, GROUP, STRATUM, ROLE, N_COLUMNS };

static dpl_status add_row(found_list *list, const dpli_csv *row, const int column[N_COLUMNS],
                          bool plain, dpl_error *err)
{
    const char *name = row->field[column[PATH]];
    const char *label = plain ? NULL : row->field[column[LABEL]];
    const char *group = plain || column[GROUP] < 0 ? NULL : row->field[column[GROUP]];
    const char *stratum = column[STRATUM] < 0 ? "" : row->field[column[STRATUM]];
    const char *role = column[ROLE] < 0 ? "" : row->field[column[ROLE]];
    found f = {.at = row->line};

    if (!*name || (label && !*label) || (group && !*group))
        return dpli_fail(err, DPL_E_INPUT, "line %zu: the %s is empty", row->line,
                         !*name             ? "path"
                         : label && !*label ? "label"
                                            : "group");
    f.name = dpli_strdup(name, err);
    if (*stratum)
        f.stratum = dpli_strdup(stratum, err);
    if (*role)
        f.role = dpli_strdup(role, err);
    if (label) {
        /* Named as in a folder: the characters of two alphabets may have the same names. */
        f.cls = group ? dpli_asprintf(err, "%s/%s", group, label) : dpli_strdup(label, err);
        f.group = dpli_strdup(group ? group : ".", err);
    }
    if (!f.name || (label && (!f.cls || !f.group)) || (*stratum && !f.stratum) ||
        (*role && !f.role)) {
        clear_found(&f);
        return DPL_E_MEMORY;
    }
    return add_found(list, f, err);
}

static dpl_status list_csv(found_list *list, dpl_dataset *d, const char *path, const char *root,
                           bool plain, dpl_error *err)
{
    const char *slash = strrchr(path, '/');
    uint8_t *text = NULL;
    dpl_status status;
    dpli_csv csv;
    size_t n;

    d->root = root    ? dpli_strdup(*root ? root : ".", err)
              : slash ? dpli_asprintf(err, "%.*s", (int)(slash - path) + 1, path)
                      : dpli_strdup(".", err);
    if (!d->root)
        return DPL_E_MEMORY;
    status = dpli_file_read(&text, &n, path, MAX_CSV_BYTES, err);
    if (status != DPL_OK)
        return status;
    if (memchr(text, '\0', n)) {
        status = dpli_fail(err, DPL_E_INPUT, "is neither a folder nor a zip nor a CSV");
        goto done;
    }
    dpli_csv_init(&csv, (char *)text, n);
    status = dpli_csv_row(&csv, err);
    if (status != DPL_OK)
        goto done;
    const int n_columns = csv.n_fields;
    const int column[N_COLUMNS] = {[PATH] = find_column(&csv, "path file filename image chip"),
                                   [LABEL] = find_column(&csv, "label class identity person"),
                                   [GROUP] = find_column(&csv, "group"),
                                   [STRATUM] = find_column(&csv, "stratum strata"),
                                   [ROLE] = find_column(&csv, "role")};
    if (column[PATH] < 0)
        status = dpli_fail(err, DPL_E_INPUT, "line %zu: no column \"path\" or \"file\"", csv.line);
    else if (column[LABEL] < 0 && !plain)
        status = dpli_fail(err, DPL_E_INPUT,
                           "line %zu: no column \"label\", \"class\" or \"identity\"", csv.line);
    while (status == DPL_OK) {
        status = dpli_csv_row(&csv, err);
        if (status != DPL_OK || csv.n_fields == 0)
            break;
        status = csv.n_fields == n_columns
                     ? add_row(list, &csv, column, plain, err)
                     : dpli_fail(err, DPL_E_INPUT, "line %zu: %d fields, the header has %d",
                                 csv.line, csv.n_fields, n_columns);
    }
done:
    free(text);
    return status;
}

/* ------------------------------------------------------------------ numbering */

static int by_class(const void *a, const void *b)
{
    const found *x = a, *y = b;
    const int order = x->cls ? strcmp(x->cls, y->cls) : 0;

    return order ? order : strcmp(x->name, y->name);
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

/* Items of one class, or of none: takes their names, the class's and the group's. */
static void take_run(dpl_dataset *d, found *run, size_t n)
{
    const bool plain = !run->cls;

    if (!plain) {
        d->classes[d->n_classes] = (class){run->cls, d->n_items, (int32_t)n, 0};
        d->groups[d->n_classes] = run->group;
        run->cls = run->group = NULL;
    }
    for (size_t i = 0; i < n; i++) {
        d->items[d->n_items++] = (picture){.name = run[i].name,
                                           .stratum = run[i].stratum,
                                           .role = run[i].role,
                                           .member = run[i].at,
                                           .cls = plain ? -1 : d->n_classes};
        run[i].name = run[i].stratum = run[i].role = NULL;
    }
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

static dpl_status check_names(dpl_dataset *d, dpl_error *err)
{
    for (int32_t i = 0; i < d->n_items; i++)
        d->by_name[i] = (named){d->items[i].name, i};
    qsort(d->by_name, (size_t)d->n_items, sizeof *d->by_name, by_name);
    for (int32_t i = 1; i < d->n_items; i++) {
        const picture *a = &d->items[d->by_name[i - 1].item], *b = &d->items[d->by_name[i].item];
        if (strcmp(a->name, b->name) != 0)
            continue;
        if (d->zip)
            return dpli_fail(err, DPL_E_INPUT, "picture \"%s\" is there twice", a->name);
        return dpli_fail(err, DPL_E_INPUT, "line %zu: picture \"%s\" is there already, in line %zu",
                         a->member > b->member ? a->member : b->member, a->name,
                         a->member < b->member ? a->member : b->member);
    }
    return DPL_OK;
}

static dpl_status build(dpl_dataset *d, found_list *list, int32_t min_items, bool plain,
                        dpl_error *err)
{
    const size_t n = list->n;
    char suffixes[100];
    dpl_status status;

    if (n == 0) {
        dpli_format_suffixes(suffixes, sizeof suffixes);
        return dpli_fail(err, DPL_E_INPUT, "no picture in it (%s)", suffixes);
    }
    qsort(list->items, n, sizeof *list->items, by_class);
    d->items = dpli_calloc(n, sizeof *d->items, err);
    d->by_name = dpli_calloc(n, sizeof *d->by_name, err);
    d->classes = dpli_calloc(plain ? 0 : n, sizeof *d->classes, err);
    d->groups = dpli_calloc(plain ? 0 : n, sizeof *d->groups, err);
    if (!d->items || !d->by_name || !d->classes || !d->groups)
        return DPL_E_MEMORY;
    for (size_t from = 0, to; from < n; from = to) {
        found *f = &list->items[from];
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
        status =
            dpli_fail(err, DPL_E_INPUT, "no class of at least %d pictures in it", (int)min_items);
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

static dpl_status list_all(found_list *list, dpl_dataset *d, const dpl_dataset_options *options,
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
    else
        status = list_csv(list, d, file, options->root, plain, err);
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
    return status;
}

dpl_status dpl_dataset_open(dpl_dataset **out, const char *path, const dpl_dataset_options *options,
                            dpl_error *err)
{
    dpl_dataset_options known;
    found_list list = {0};
    dpl_dataset *d = NULL;
    dpl_status status;

    *out = NULL;
    status = read_options(&known, options, err);
    if (status != DPL_OK)
        return status;
    d = dpli_calloc(1, sizeof *d, err);
    if (!d)
        return DPL_E_MEMORY;
    d->kind = DPL_ITEM_PICTURE; /* every source lists pictures */
    d->path = dpli_strdup(path, err);
    status = d->path ? list_all(&list, d, &known, err) : DPL_E_MEMORY;
    if (status == DPL_OK)
        status = build(d, &list, known.min_items, known.plain != 0, err);
    if (status != DPL_OK && status != DPL_E_MEMORY)
        dpli_fail_in(err, status, path);
    for (size_t i = 0; i < list.n; i++)
        clear_found(&list.items[i]);
    free(list.items);
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
    }
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
    return d->kind;
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

    if (item < 0 || item >= d->n_items)
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
