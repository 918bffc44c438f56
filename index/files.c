/*
 * files.c - the photos under some paths, and whose they are, if that is asked.
 *
 * A photo is named after the folder that holds it. What lies directly in a folder given is named by
 * the file, as a folder of one portrait a person is; but a list of paths that a shell has made of a
 * folder means that folder.
 *
 * Folders are walked by name order (base/walk.c). A folder that cannot be read is itself listed, so
 * that it gets a status and a reason like any file; links that lead out of the folder given, and
 * file systems without files in them, are counted.
 */
#include "index/files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/ignore.h"
#include "base/mem.h"
#include "base/walk.h"
#include "doppel/image.h"

/* Some 150 bytes each. */
enum { MAX_FILES = 10000000 };

/* Of a longer path no month is told from a name. */
enum { SHORT_PATH = 4096 };

/* The name that a file stands for without its folder's: "ann.jpg" is "ann". */
static char *stem(const char *path, dpl_error *err)
{
    const char *base = strrchr(path, '/');
    char *name = dpli_strdup(base ? base + 1 : path, err);
    char *dot = name ? strrchr(name, '.') : NULL;

    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static bool are_digits(const char *s, size_t n)
{
    return strspn(s, "0123456789") >= n;
}

bool dpli_is_date(const char *name)
{
    const size_t n = strspn(name, "0123456789");
    const bool is_year = n >= 4 && (strncmp(name, "18", 2) == 0 || strncmp(name, "19", 2) == 0 ||
                                    strncmp(name, "20", 2) == 0);

    if (!is_year || (n != 4 && n != 8))
        return false;
    if (n == 8) /* 20190714 */
        return strncmp(name + 4, "12", 2) <= 0 && strncmp(name + 6, "31", 2) <= 0 &&
               !isalnum((unsigned char)name[8]);
    if (!name[4])
        return true;
    return strchr("-_.", name[4]) && are_digits(name + 5, 2) && strncmp(name + 5, "12", 2) <= 0 &&
           !isalnum((unsigned char)name[7]);
}

/* ------------------------------------------------------------------ whose */

/* Where a path given belongs: what is below root is named by its folders there. */
typedef struct place {
    char *path; /* as given, absolute */
    const char *given;
    char *root; /* a folder at or above it */
    bool is_folder, skip;
} place;

typedef struct finding {
    dpli_found_files *out;
    const dpli_find_options *o;
    const place *at;
    char *folder; /* the last one asked about, and what it gave */
    char *person;
} finding;

/* The last part of a path: of "/" it is "". */
static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static char *folder_of(const char *path, dpl_error *err)
{
    char *folder = dpli_strdup(path, err);
    char *slash = folder ? strrchr(folder, '/') : NULL;

    if (slash)
        slash[slash == folder] = '\0';
    return folder;
}

static dpl_status is_known(const finding *f, bool *known, const char *name, dpl_error *err)
{
    *known = false;
    return f->o->is_known && *name ? f->o->is_known(f->o->ctx, known, name, err) : DPL_OK;
}

/* Whether a folder is of a time: a date, or within one a month or a day ("2019/07"). */
static bool is_time(const char *folder)
{
    const char *name = base_of(folder);
    const size_t n = strspn(name, "0123456789");
    char above[SHORT_PATH];

    if (dpli_is_date(name))
        return true;
    if (n < 1 || n > 2 || isalnum((unsigned char)name[n]) || name == folder ||
        (size_t)(name - folder) > sizeof above)
        return false;
    memcpy(above, folder, (size_t)(name - folder) - 1);
    above[name - folder - 1] = '\0';
    return is_time(above);
}

/* Of what lies in a folder, at root or below: the folder it is named after. A date's photos are of
   whoever is known among the folders above, else of the nearest that is no date. */
static dpl_status name_by_folder(char **person, const finding *f, const char *folder,
                                 dpl_error *err)
{
    const size_t n_root = strlen(f->at->root);
    char *walk = dpli_strdup(folder, err), *nearest = NULL;
    dpl_status status = walk ? DPL_OK : DPL_E_MEMORY;

    *person = NULL;
    while (status == DPL_OK && !*person) {
        const bool is_below = strlen(walk) > n_root;
        const char *name = base_of(walk);
        bool known = false;

        if (!is_time(walk)) {
            if (strcmp(walk, folder) == 0 && is_below) {
                nearest = dpli_strdup(name, err);
                status = nearest ? DPL_OK : DPL_E_MEMORY;
                break;
            }
            status = is_known(f, &known, name, err);
            if (status == DPL_OK && (known || (is_below && !nearest))) {
                char *copy = dpli_strdup(name, err);

                status = copy ? DPL_OK : DPL_E_MEMORY;
                if (known)
                    *person = copy;
                else
                    nearest = copy;
            }
            if (!is_below)
                break;
        }
        /* A date that was given itself may be somebody's: the folder that it is in is asked, too.
         */
        walk[name - walk - 1] = '\0';
    }
    if (status == DPL_OK && !*person) {
        *person = nearest;
        nearest = NULL;
    }
    free(nearest);
    free(walk);
    return status;
}

/* The person of a file that lies in a folder, and the folder's own if it is not by_file. */
static dpl_status name_file(dpli_found_file *file, finding *f, dpl_error *err)
{
    char *folder = folder_of(file->path, err), *name = NULL;
    const bool direct = folder && strcmp(folder, f->at->root) == 0;
    dpl_status status = folder ? DPL_OK : DPL_E_MEMORY;

    if (status == DPL_OK && (!f->folder || strcmp(folder, f->folder) != 0)) {
        free(f->folder);
        free(f->person);
        f->folder = folder;
        folder = NULL;
        f->person = NULL;
        status = name_by_folder(&f->person, f, f->folder, err);
    }
    free(folder);
    if (status != DPL_OK)
        return status;
    if (f->person) {
        file->person = dpli_strdup(f->person, err);
        return file->person ? DPL_OK : DPL_E_MEMORY;
    }
    if (direct) {
        name = stem(file->path, err);
        if (!name)
            return DPL_E_MEMORY;
        if (!dpli_is_date(name)) {
            file->person = name;
            file->by_file = true;
            return DPL_OK;
        }
        free(name);
    }
    file->nobody = dpli_asprintf(err, "it is named by a date, which is nobody's name (--name gives "
                                      "one)");
    return file->nobody ? DPL_OK : DPL_E_MEMORY;
}

/* ------------------------------------------------------------------ files */

/* What a path was given as, or that and what is below it. */
static char *path_as_given(const char *given, const char *below, dpl_error *err)
{
    const size_t n = strlen(given);

    return dpli_asprintf(err, "%s%s%s", given,
                         *below == '\0' || n == 0 || given[n - 1] == '/' ? "" : "/", below);
}

/* Takes path. */
static dpl_status add_file(finding *f, char *path, const char *below, bool told, dpl_error *err)
{
    dpli_found_files *out = f->out;
    dpli_found_file file = {.path = path, .told = told, .order = out->n}, *items = NULL;
    dpl_status status = DPL_E_MEMORY;

    if (out->n >= MAX_FILES)
        status = dpli_fail(err, DPL_E_LIMIT, "more than %d files; give fewer folders at a time",
                           MAX_FILES);
    else
        items = dpli_grow(out->items, &out->cap, out->n + 1, sizeof *items, err);
    if (items) {
        out->items = items;
        status = f->o->whose == DPLI_FIND_PEOPLES ? name_file(&file, f, err) : DPL_OK;
        if (f->o->whose == DPLI_FIND_AS_GIVEN) {
            file.given = path_as_given(f->at->given, below, err);
            status = file.given ? DPL_OK : DPL_E_MEMORY;
        }
    }
    if (status == DPL_OK)
        out->items[out->n++] = file;
    else
        free(path);
    return status;
}

static dpl_status on_walked(void *ctx, dpli_walked what, const char *path, const char *below,
                            dpl_error *err)
{
    finding *f = ctx;
    const bool is_folder = what == DPLI_WALKED_UNREADABLE || what == DPLI_WALKED_DEEP;
    char *copy;

    if (what == DPLI_WALKED_PSEUDO && !*below)
        return dpli_fail(err, DPL_E_INPUT, "folder \"%s\" holds no files but the kernel's words",
                         path);
    if (what == DPLI_WALKED_LINK || what == DPLI_WALKED_PSEUDO || what == DPLI_WALKED_LEFT_OUT) {
        f->out->n_links += what == DPLI_WALKED_LINK;
        f->out->n_left_out += what == DPLI_WALKED_LEFT_OUT;
        return DPL_OK;
    }
    copy = dpli_strdup(path, err);
    return copy ? add_file(f, copy, below, is_folder, err) : DPL_E_MEMORY;
}

static int by_order(const void *a, const void *b)
{
    const dpli_found_file *x = a, *y = b;

    return (x->order > y->order) - (x->order < y->order);
}

static int by_path(const void *a, const void *b)
{
    const int order =
        strcmp(((const dpli_found_file *)a)->path, ((const dpli_found_file *)b)->path);

    return order ? order : by_order(a, b);
}

static void clear_file(dpli_found_file *file)
{
    free(file->path);
    free(file->person);
    free(file->nobody);
    free(file->given);
}

static void drop_repeated(dpli_found_files *files)
{
    size_t kept = 0;

    if (files->n == 0)
        return;
    qsort(files->items, files->n, sizeof files->items[0], by_path);
    for (size_t i = 1; i < files->n; i++) {
        if (strcmp(files->items[i].path, files->items[kept].path) == 0) {
            files->items[kept].told |= files->items[i].told;
            clear_file(&files->items[i]);
        } else {
            files->items[++kept] = files->items[i];
        }
    }
    files->n = kept + 1;
}

/* The path that was given, absolute: of a link, where it leads, if it leads anywhere. */
static dpl_status place_path(place *p, const char *path, bool must_be_there, dpl_error *err)
{
    struct stat st = {0};

    p->given = path;
    p->path = realpath(path, NULL);
    if (must_be_there && (!p->path || stat(p->path, &st) != 0))
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\"", path);
    if (!must_be_there && (!p->path || stat(p->path, &st) != 0)) {
        free(p->path);
        p->path = dpli_strdup(path, err); /* what else has no real path: a pipe */
    }
    if (!p->path)
        return DPL_E_MEMORY;
    p->is_folder = S_ISDIR(st.st_mode);
    p->root = p->is_folder ? dpli_strdup(p->path, err) : folder_of(p->path, err);
    return p->root ? DPL_OK : DPL_E_MEMORY;
}

/* Cut a folder's path to what it has in common with another. */
static void cut_to_common(char *folder, const char *other)
{
    size_t n = 0, i;

    for (i = 0; folder[i] && folder[i] == other[i]; i++)
        if (folder[i] == '/')
            n = i;
    if ((folder[i] == '\0' && (other[i] == '/' || other[i] == '\0')) ||
        (other[i] == '\0' && folder[i] == '/'))
        n = i;
    folder[n == 0 ? 1 : n] = '\0';
}

static dpl_status set_root(place *p, const char *root, dpl_error *err)
{
    free(p->root);
    p->root = dpli_strdup(root, err);
    return p->root ? DPL_OK : DPL_E_MEMORY;
}

/* What a folder says is left out is left out where a shell has listed the folder, too. */
static dpl_status leave_out(place *p, const char *folder, dpli_found_files *out, dpl_error *err)
{
    const char *name = base_of(p->path);
    dpli_ignore *ignore = NULL;
    dpl_status status = dpli_ignore_read(&ignore, NULL, folder, "", err);

    p->skip = status == DPL_OK && (dpli_is_junk_folder(p->is_folder ? name : base_of(folder)) ||
                                   *name == '.' || dpli_is_ignored(ignore, name, p->is_folder));
    out->n_left_out += p->skip;
    dpli_ignore_free(ignore, NULL);
    return status;
}

/* Of several paths the folders alone: a file given by name is taken. */
static dpl_status leave_out_folders(place *places, size_t n, dpli_found_files *out, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        char *folder = places[i].is_folder ? folder_of(places[i].path, err) : NULL;

        if (folder)
            status = leave_out(&places[i], folder, out, err);
        else if (places[i].is_folder)
            status = DPL_E_MEMORY;
        free(folder);
    }
    return status;
}

/* Several paths are mostly a shell's list of a folder: "people/" and a star mean what the folder
   "people" does, and so does a list of all files that lie two deep. */
static dpl_status place_together(place *places, size_t n, dpli_found_files *out, dpl_error *err)
{
    char *first = folder_of(places[0].path, err), *common = NULL;
    bool same = true, files_apart = false;
    dpl_status status = first ? DPL_OK : DPL_E_MEMORY;
    const char *file_folder = NULL;

    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        char *folder = folder_of(places[i].path, err);

        status = folder ? leave_out(&places[i], folder, out, err) : DPL_E_MEMORY;
        same &= folder && strcmp(folder, first) == 0;
        free(folder);
        if (status != DPL_OK || places[i].is_folder || places[i].skip)
            continue;
        if (!common) {
            file_folder = places[i].root;
            common = dpli_strdup(places[i].root, err);
            status = common ? DPL_OK : DPL_E_MEMORY;
        } else {
            files_apart |= strcmp(places[i].root, file_folder) != 0;
            cut_to_common(common, places[i].root);
        }
    }
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        if (same) {
            status = set_root(&places[i], first, err);
        } else if (!places[i].is_folder && files_apart) {
            status = set_root(&places[i], common, err);
        }
    }
    free(first);
    free(common);
    return status;
}

static int by_person(const void *a, const void *b)
{
    const dpli_found_file *x = *(dpli_found_file *const *)a, *y = *(dpli_found_file *const *)b;
    const int order = strcmp(x->person, y->person);

    return order ? order : strcmp(x->path, y->path);
}

static bool in_one_folder(const dpli_found_file *a, const dpli_found_file *b)
{
    const size_t n = (size_t)(base_of(a->path) - a->path);

    return n == (size_t)(base_of(b->path) - b->path) && strncmp(a->path, b->path, n) == 0;
}

static dpl_status unname(dpli_found_file *file, const char *other, dpl_error *err)
{
    file->nobody = dpli_asprintf(err,
                                 "\"%s\" would be the name of files in different folders (\"%s\"): "
                                 "--name gives one, or the folder that holds the people's folders",
                                 file->person, other);
    if (!file->nobody)
        return DPL_E_MEMORY;
    free(file->person);
    file->person = NULL;
    return DPL_OK;
}

/* Files of different folders that only share how they are called are not one person's. */
static dpl_status part_namesakes(dpli_found_files *out, dpl_error *err)
{
    dpli_found_file **named = dpli_alloc(out->n + 1, sizeof *named, err);
    size_t n = 0, end;
    dpl_status status = named ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < out->n && named; i++)
        if (out->items[i].by_file)
            named[n++] = &out->items[i];
    if (n > 0)
        qsort(named, n, sizeof *named, by_person);
    for (size_t i = 0; i < n && status == DPL_OK; i = end) {
        bool apart = false;

        for (end = i + 1; end < n && strcmp(named[end]->person, named[i]->person) == 0; end++)
            apart |= !in_one_folder(named[i], named[end]);
        for (size_t k = i; k < end && apart && status == DPL_OK; k++)
            status = unname(named[k], named[k == i ? end - 1 : i]->path, err);
    }
    free(named);
    return status;
}

dpl_status dpli_find_files(dpli_found_files *out, const char *const *paths, size_t n_paths,
                           const dpli_find_options *options, dpl_error *err)
{
    dpli_walker walker = {.follow_links = options->follow_links, .tidy = true};
    place *places = dpli_calloc(n_paths + 1, sizeof *places, err);
    finding f = {.out = out, .o = options};
    const bool as_given = options->whose == DPLI_FIND_AS_GIVEN;
    dpl_status status = places ? DPL_OK : DPL_E_MEMORY;

    *out = (dpli_found_files){0};
    for (size_t i = 0; i < n_paths && status == DPL_OK; i++)
        status = place_path(&places[i], paths[i], !as_given, err);
    if (status == DPL_OK && n_paths > 1)
        status = as_given ? leave_out_folders(places, n_paths, out, err)
                          : place_together(places, n_paths, out, err);
    for (size_t i = 0; i < n_paths && status == DPL_OK; i++) {
        f.at = &places[i];
        free(f.folder);
        f.folder = NULL;
        if (places[i].skip)
            continue;
        if (places[i].is_folder) {
            status = dpli_walk(&walker, places[i].path, on_walked, &f, err);
        } else {
            status = add_file(&f, places[i].path, "", n_paths == 1 || as_given, err);
            places[i].path = NULL;
        }
    }
    if (status == DPL_OK)
        drop_repeated(out);
    if (status == DPL_OK && !as_given)
        status = part_namesakes(out, err);
    if (status == DPL_OK && as_given && out->n > 0)
        qsort(out->items, out->n, sizeof out->items[0], by_order);
    if (status != DPL_OK)
        dpli_found_files_clear(out);
    dpli_walker_clear(&walker);
    for (size_t i = 0; places && i < n_paths; i++) {
        free(places[i].path);
        free(places[i].root);
    }
    free(places);
    free(f.folder);
    free(f.person);
    return status;
}

bool dpli_is_photo(const dpli_found_file *file, const struct stat *st)
{
    uint8_t head[16] = {0};
    ssize_t n = 0;
    int fd;

    if (file->told)
        return true;
    if (!S_ISREG(st->st_mode))
        return dpl_image_is_meant(file->path, head, 0);
    fd = open(file->path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return dpl_image_is_meant(file->path, head, 0);
    n = read(fd, head, sizeof head);
    close(fd);
    return dpl_image_is_meant(file->path, head, n > 0 ? (size_t)n : 0);
}

void dpli_found_files_clear(dpli_found_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        clear_file(&files->items[i]);
    free(files->items);
    *files = (dpli_found_files){0};
}
