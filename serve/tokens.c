/*
 * tokens.c - the words that let a client in.
 */
#include "serve/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHORTEST = 16, LONGEST = 256, MOST = 256 };

struct tokens {
    int n;
    char items[MOST][LONGEST + 1]; /* NUL to the end */
};

static dpl_status fail(dpl_error *err, const char *path, const char *why)
{
    err->status = DPL_E_INPUT;
    snprintf(err->message, sizeof err->message, "\"%.300s\" %.150s", path, why);
    return DPL_E_INPUT;
}

static dpl_status read_lines(tokens *t, FILE *f, const char *path, dpl_error *err)
{
    char line[LONGEST + 3];

    while (fgets(line, sizeof line, f)) {
        const size_t n = strcspn(line, "\r\n");

        if (!line[n] && n > LONGEST)
            return fail(err, path, "holds a token of over 256 characters");
        if (line[n] == '\r' && line[n + 1] && line[n + 1] != '\n')
            return fail(err, path, "holds lines that end in a carriage return alone");
        line[n] = '\0';
        if (n == 0 || line[0] == '#')
            continue;
        if (n < SHORTEST)
            return fail(err, path, "holds a token of under 16 characters");
        if (line[strcspn(line, " \t")])
            return fail(err, path, "holds a token with a blank in it");
        if (t->n == MOST)
            return fail(err, path, "holds over 256 tokens");
        memcpy(t->items[t->n++], line, n);
    }
    return t->n > 0 ? DPL_OK : fail(err, path, "holds no token");
}

dpl_status tokens_read(tokens **out, const char *path, dpl_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    tokens *t = calloc(1, sizeof *t);
    dpl_status status;
    struct stat st;

    *out = NULL;
    if (!f)
        status = fail(err, path, strerror(errno));
    else if (!t)
        status = fail(err, path, "cannot be read: out of memory");
    else if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0)
        status = fail(err, path, "may be read by others than its owner (chmod 600)");
    else
        status = read_lines(t, f, path, err);
    if (f)
        fclose(f);
    if (status == DPL_OK)
        *out = t;
    else
        free(t);
    return status;
}

void tokens_free(tokens *t)
{
    if (t)
        explicit_bzero(t, sizeof *t);
    free(t);
}

int tokens_find(const tokens *t, const char *given)
{
    char padded[LONGEST + 1] = {0};
    const size_t n = given ? strlen(given) : 0;
    int found = 0;

    if (n == 0 || n > LONGEST)
        return 0;
    memcpy(padded, given, n);
    for (int i = 0; i < t->n; i++) {
        unsigned difference = 0;

        for (int k = 0; k <= LONGEST; k++)
            difference |= (unsigned)((unsigned char)padded[k] ^ (unsigned char)t->items[i][k]);
        found = difference == 0 ? i + 1 : found;
    }
    return found;
}
