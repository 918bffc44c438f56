/*
 * source.c - a photo's path to the URI that it is known by, and back.
 *
 * Source: RFC 3986 sections 2.1, 2.3 and 3.1, RFC 8089 for "file". We encode more than they ask
 * for, so that two URIs are the same file's when, and only when, their bytes are the same.
 */
#include "index/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"

static const char file_scheme[] = "file://";
enum { FILE_SCHEME = sizeof file_scheme - 1 };

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/", c) != NULL);
}

/* scheme ":" and more, all of it visible ASCII. */
static bool is_other_uri(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

    if (n < 2 || !(s[0] >= 'a' && s[0] <= 'z') || s[n] != ':' || s[n + 1] == '\0' ||
        strncmp(s, "file:", 5) == 0)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

bool dpli_source_is_file(const char *shown)
{
    return shown[0] == '/';
}

/* In place, as the letters say and without asking the disk: a path that no command gives, because
   the system resolves what it is asked for, would be one that no command can name again. */
static void normalise(char *path)
{
    char *to = path;
    const char *from = path;

    while (*from) {
        const size_t n = strcspn(from + 1, "/"); /* from is at a slash */

        if (n == 2 && from[1] == '.' && from[2] == '.') {
            while (to > path && *--to != '/')
                ;
        } else if (n > 0 && !(n == 1 && from[1] == '.')) {
            memmove(to, from, n + 1);
            to += n + 1;
        }
        from += n + 1;
    }
    if (to == path)
        *to++ = '/';
    *to = '\0';
}

dpl_status dpli_source_of(char **uri, const char *shown, dpl_error *err)
{
    static const char hex[] = "0123456789ABCDEF";
    const size_t n = strlen(shown);
    char *to, *path;

    *uri = NULL;
    if (!dpli_source_is_file(shown)) {
        if (!is_other_uri(shown))
            return dpli_fail(err, DPL_E_ARGUMENT, "the photo's path \"%s\" is not absolute", shown);
        *uri = dpli_strdup(shown, err);
        return *uri ? DPL_OK : DPL_E_MEMORY;
    }
    path = dpli_strdup(shown, err);
    *uri = path ? dpli_alloc(FILE_SCHEME + 3 * n + 1, 1, err) : NULL;
    if (!*uri) {
        free(path);
        return DPL_E_MEMORY;
    }
    normalise(path);
    memcpy(*uri, file_scheme, FILE_SCHEME);
    to = *uri + FILE_SCHEME;
    for (const char *c = path; *c; c++) {
        if (is_unreserved(*c)) {
            *to++ = *c;
        } else {
            *to++ = '%';
            *to++ = hex[(unsigned char)*c >> 4];
            *to++ = hex[(unsigned char)*c & 15];
        }
    }
    *to = '\0';
    free(path);
    return DPL_OK;
}

/* Upper-case hex only; -1 for what is none. */
static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

dpl_status dpli_source_shown(char **shown, const char *uri, dpl_error *err)
{
    const bool is_file = strncmp(uri, file_scheme, FILE_SCHEME) == 0;
    const char *c = is_file ? uri + FILE_SCHEME : uri;
    char *to;

    *shown = dpli_strdup(c, err);
    if (!*shown)
        return DPL_E_MEMORY;
    if (!is_file) {
        if (is_other_uri(uri))
            return DPL_OK;
        goto wrong;
    }
    if (*c != '/')
        goto wrong;
    for (to = *shown; *c; c++) {
        if (*c != '%') {
            if (!is_unreserved(*c))
                goto wrong;
            *to++ = *c;
        } else {
            const int high = digit(c[1]), low = high < 0 ? -1 : digit(c[2]);
            const char byte = (char)(high * 16 + low);

            /* What needs no encoding has none, or one file would have two URIs. */
            if (low < 0 || byte == '\0' || is_unreserved(byte))
                goto wrong;
            *to++ = byte;
            c += 2;
        }
    }
    *to = '\0';
    return DPL_OK;
wrong:
    free(*shown);
    *shown = NULL;
    return dpli_fail(err, DPL_E_INPUT, "\"%.200s\" is no photo's source", uri);
}
