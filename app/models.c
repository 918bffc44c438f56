/*
 * models.c - finding the models that come with the program, wherever it is installed.
 */
#include "app/models.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/text.h"

/* <prefix>/share/doppel/models of the prefix whose bin holds this program; NULL if unknown. */
static char *beside_program(void)
{
    char exe[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    exe[n] = '\0';
    for (int up = 0; up < 2; up++) {
        slash = strrchr(exe, '/');
        if (!slash)
            return NULL;
        *slash = '\0';
    }
    return text_format("%s/share/doppel/models", exe);
}

/* Folders in the order of the search, NULL-terminated, each freed by free(). */
static void places(char *out[3])
{
    const char *named = getenv("DOPPEL_MODELS");
    int n = 0;

    if (named && named[0]) {
        out[n++] = text_format("%s", named);
    } else {
        out[n] = beside_program();
        n += out[n] != NULL;
        out[n++] = text_format("%s", DOPPEL_INSTALLED_MODELS);
    }
    out[n] = NULL;
}

char *models_find(const char *name)
{
    char *folders[3], *found = NULL;

    places(folders);
    for (int i = 0; folders[i]; i++) {
        char *path = text_format("%s/%s", folders[i], name);
        if (!found && access(path, F_OK) == 0)
            found = path;
        else
            free(path);
        free(folders[i]);
    }
    return found;
}

char *models_places(void)
{
    char *folders[3], *line;

    places(folders);
    line = folders[1] ? text_format("\"%s\" and \"%s\"", folders[0], folders[1])
                      : text_format("\"%s\"", folders[0]);
    for (int i = 0; folders[i]; i++)
        free(folders[i]);
    return line;
}
