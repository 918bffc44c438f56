/*
 * walk.c - a folder and what is below it.
 *
 * Names are in bytewise order, so that the same folder gives the same list everywhere. A link is
 * followed to what lies below the folder walked, and elsewhere only when asked for: somebody's
 * folder of photos may hold a link to all of the disk. Links may lead back: a folder seen before,
 * by device and inode, is not walked again.
 *
 * File systems whose files are the kernel's words (proc, sys, …) are not walked: reading them never
 * ends, and some of them change the machine when read.
 */
#include "base/walk.h"

#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include "base/fail.h"
#include "base/ignore.h"
#include "base/mem.h"

typedef struct walk {
    dpli_walker *walker;
    dpli_walk_fn fn;
    void *ctx;
    const char *root; /* real path of the folder walked, without a slash at its end */
} walk;

typedef struct visited {
    dev_t dev;
    ino_t ino;
} visited;

static int by_inode(const void *a, const void *b)
{
    const visited *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

/* Remember a folder; *fresh tells whether it is new. */
static dpl_status visit(dpli_walker *w, const struct stat *st, bool *fresh, dpl_error *err)
{
    visited *v = dpli_alloc(1, sizeof *v, err), **slot;

    if (!v)
        return DPL_E_MEMORY;
    *v = (visited){st->st_dev, st->st_ino};
    slot = tsearch(v, &w->seen, by_inode);
    *fresh = slot && *slot == v;
    if (!*fresh)
        free(v);
    return slot ? DPL_OK : dpli_fail(err, DPL_E_MEMORY, "no memory for the list of folders");
}

/* Whether path leads to something below the folder walked. */
static bool stays_inside(const walk *w, const char *path)
{
    char *real = realpath(path, NULL);
    const size_t n = strlen(w->root);
    const bool inside = real && strncmp(real, w->root, n) == 0 && real[n] == '/';

    free(real);
    return inside;
}

static bool is_pseudo(const char *folder)
{
#ifdef __linux__
    static const unsigned long kinds[] = {
        BINFMTFS_MAGIC, BPF_FS_MAGIC,       CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC,
        DEBUGFS_MAGIC,  DEVPTS_SUPER_MAGIC, EFIVARFS_MAGIC,      NSFS_MAGIC,
        PIPEFS_MAGIC,   PROC_SUPER_MAGIC,   PSTOREFS_MAGIC,      SECURITYFS_MAGIC,
        SELINUX_MAGIC,  SMACK_MAGIC,        SOCKFS_MAGIC,        SYSFS_MAGIC,
        TRACEFS_MAGIC,
    };
    struct statfs st;

    if (statfs(folder, &st) == 0)
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if ((unsigned long)st.f_type == kinds[i])
                return true;
#else
    (void)folder;
#endif
    return false;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static char *join(const char *folder, const char *name, dpl_error *err)
{
    const size_t n = strlen(folder);

    return dpli_asprintf(err, "%s%s%s", folder, n == 0 || folder[n - 1] == '/' ? "" : "/", name);
}

static dpl_status walk_folder(const walk *w, const char *folder, const char *below, int depth,
                              dpli_ignore *above, dpl_error *err);

static bool is_left_out(const walk *w, const dpli_ignore *ignore, const char *below, bool is_folder)
{
    const char *slash = strrchr(below, '/');

    return w->walker->tidy && ((is_folder && dpli_is_junk_folder(slash ? slash + 1 : below)) ||
                               dpli_is_ignored(ignore, below, is_folder));
}

static dpl_status walk_entry(const walk *w, const char *path, const char *below, int depth,
                             dpli_ignore *ignore, dpl_error *err)
{
    struct stat st;
    bool fresh;
    dpl_status status;

    if (is_left_out(w, ignore, below, stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return w->fn(w->ctx, DPLI_WALKED_LEFT_OUT, path, below, err);
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && !w->walker->follow_links &&
        stat(path, &st) == 0 && !stays_inside(w, path))
        return w->fn(w->ctx, DPLI_WALKED_LINK, path, below, err);
    if (stat(path, &st) != 0 || (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
        return w->fn(w->ctx, DPLI_WALKED_OTHER, path, below, err);
    if (S_ISREG(st.st_mode))
        return w->fn(w->ctx, DPLI_WALKED_FILE, path, below, err);
    status = visit(w->walker, &st, &fresh, err);
    return status == DPL_OK && fresh ? walk_folder(w, path, below, depth + 1, ignore, err) : status;
}

static dpl_status walk_folder(const walk *w, const char *folder, const char *below, int depth,
                              dpli_ignore *above, dpl_error *err)
{
    dpli_ignore *ignore = above;
    struct dirent **entries = NULL;
    dpl_status status = DPL_OK;
    int n;

    if (depth == DPLI_WALK_DEPTH)
        return w->fn(w->ctx, DPLI_WALKED_DEEP, folder, below, err);
    if (is_pseudo(folder))
        return w->fn(w->ctx, DPLI_WALKED_PSEUDO, folder, below, err);
    n = scandir(folder, &entries, not_hidden, by_bytes);
    if (n < 0)
        return w->fn(w->ctx, DPLI_WALKED_UNREADABLE, folder, below, err);
    if (w->walker->tidy)
        status = dpli_ignore_read(&ignore, above, folder, below, err);
    for (int i = 0; i < n; i++) {
        if (status == DPL_OK) {
            char *path = join(folder, entries[i]->d_name, err);
            char *name = join(below, entries[i]->d_name, err);

            status = path && name ? walk_entry(w, path, name, depth, ignore, err) : DPL_E_MEMORY;
            free(path);
            free(name);
        }
        free(entries[i]);
    }
    free(entries);
    dpli_ignore_free(ignore, above);
    return status;
}

dpl_status dpli_walk(dpli_walker *walker, const char *folder, dpli_walk_fn fn, void *ctx,
                     dpl_error *err)
{
    char *root = realpath(folder, NULL);
    const walk w = {walker, fn, ctx, root && root[1] ? root : ""};
    struct stat st;
    bool fresh;
    dpl_status status;

    if (!root || stat(folder, &st) != 0) {
        status = fn(ctx, DPLI_WALKED_UNREADABLE, folder, "", err);
    } else {
        status = visit(walker, &st, &fresh, err);
        if (status == DPL_OK && fresh)
            status = walk_folder(&w, folder, "", 0, NULL, err);
    }
    free(root);
    return status;
}

void dpli_walker_clear(dpli_walker *w)
{
    tdestroy(w->seen, free);
    w->seen = NULL;
}
