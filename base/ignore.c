/*
 * ignore.c - what a walk leaves out, by the names of folders and by ignore files.
 *
 * Source: git's gitignore(5), of which it is the part that fnmatch(3) does: "**" means nothing
 * special but at the beginning and at the end of a pattern, where what it says is true anyway.
 */
#include "base/ignore.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"

enum { MAX_BYTES = 64 << 10, MAX_PATTERN_BYTES = 1000 };

typedef struct pattern {
    const char *text; /* in the file's own bytes */
    bool folder_only, from_here, brings_back;
} pattern;

struct dpli_ignore {
    dpli_ignore *above;
    char *bytes;
    char *below; /* the folder's, for patterns that begin there */
    pattern *patterns;
    size_t n, cap;
};

bool dpli_is_junk_folder(const char *name)
{
    static const char *const names[] = {
        "@eaDir",       "@Recycle", "@Recently-Snapshot", "#recycle", "#snapshot",
        "$RECYCLE.BIN", "__MACOSX", "lost+found",         "RECYCLER", "System Volume Information",
        ".thumbnails",  ".Trashes",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* One line, without its end; cut where the pattern's marks are. */
static dpl_status add_line(dpli_ignore *ignore, char *line, const char *path, dpl_error *err)
{
    pattern p = {.text = line}, *patterns;
    size_t n = strlen(line);

    while (n > 0 && strchr(" \t\r", line[n - 1]))
        line[--n] = '\0';
    if (n == 0 || *line == '#')
        return DPL_OK;
    if (n > MAX_PATTERN_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "a pattern of \"%s\" has over %d bytes", path,
                         MAX_PATTERN_BYTES);
    p.brings_back = *p.text == '!';
    p.text += p.brings_back;
    while (strncmp(p.text, "**/", 3) == 0)
        p.text += 3;
    n = strlen(p.text);
    if (n >= 3 && strcmp(p.text + n - 3, "/**") == 0)
        line[(p.text - line) + (ptrdiff_t)(n -= 2)] = '\0';
    p.folder_only = n > 0 && p.text[n - 1] == '/';
    if (p.folder_only)
        line[(p.text - line) + (ptrdiff_t)(n - 1)] = '\0';
    p.from_here = strchr(p.text, '/') != NULL;
    p.text += *p.text == '/';
    if (!*p.text)
        return DPL_OK;
    patterns = dpli_grow(ignore->patterns, &ignore->cap, ignore->n + 1, sizeof *patterns, err);
    if (!patterns)
        return DPL_E_MEMORY;
    ignore->patterns = patterns;
    patterns[ignore->n++] = p;
    return DPL_OK;
}

void dpli_ignore_free(dpli_ignore *ignore, const dpli_ignore *above)
{
    if (!ignore || ignore == above)
        return;
    free(ignore->bytes);
    free(ignore->below);
    free(ignore->patterns);
    free(ignore);
}

dpl_status dpli_ignore_read(dpli_ignore **out, dpli_ignore *above, const char *folder,
                            const char *below, dpl_error *err)
{
    char *path = dpli_asprintf(err, "%s/%s", folder, DPLI_IGNORE_FILE);
    dpli_ignore *ignore = NULL;
    uint8_t *bytes = NULL;
    size_t n;
    dpl_status status = path ? DPL_OK : DPL_E_MEMORY;

    *out = above;
    if (!path || access(path, F_OK) != 0)
        goto done;
    status = dpli_file_read(&bytes, &n, path, MAX_BYTES, err);
    if (status != DPL_OK) {
        status = dpli_fail_in(err, status, path);
        goto done;
    }
    ignore = dpli_calloc(1, sizeof *ignore, err);
    if (!ignore) {
        status = DPL_E_MEMORY;
        goto done;
    }
    ignore->above = above;
    ignore->bytes = (char *)bytes;
    bytes = NULL;
    ignore->below = dpli_strdup(below, err);
    status = ignore->below ? DPL_OK : DPL_E_MEMORY;
    dpli_lines_end(ignore->bytes, n);
    for (char *line = ignore->bytes, *end; line && status == DPL_OK; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        status = add_line(ignore, line, path, err);
    }
    if (status == DPL_OK) {
        *out = ignore;
        ignore = NULL;
    }
done:
    dpli_ignore_free(ignore, NULL);
    free(bytes);
    free(path);
    return status;
}

static bool matches(const dpli_ignore *ignore, const pattern *p, const char *below, bool is_folder)
{
    const size_t n = strlen(ignore->below);
    const char *name = strrchr(below, '/');

    if (p->folder_only && !is_folder)
        return false;
    if (!p->from_here)
        return fnmatch(p->text, name ? name + 1 : below, 0) == 0;
    return fnmatch(p->text, below + n + (n > 0), FNM_PATHNAME) == 0;
}

bool dpli_is_ignored(const dpli_ignore *ignore, const char *below, bool is_folder)
{
    /* The nearest folder's last word. */
    for (; ignore; ignore = ignore->above)
        for (size_t i = ignore->n; i > 0; i--)
            if (matches(ignore, &ignore->patterns[i - 1], below, is_folder))
                return !ignore->patterns[i - 1].brings_back;
    return false;
}
