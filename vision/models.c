/*
 * models.c - where the models are that come with doppel, wherever its folders have been moved to.
 */
#include "doppel/models.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

enum { MAX_PLACES = 3 };

/* The way from a file's folder, which may begin with "../"; false when it leads nowhere. */
static bool beside(char out[PATH_MAX], const char *file, const char *way)
{
    const char *end = strrchr(file, '/');

    for (; end && strncmp(way, "../", 3) == 0; way += 3)
        end = memrchr(file, '/', (size_t)(end - file));
    return end && snprintf(out, PATH_MAX, "%.*s/%s", (int)(end - file), file, way) < PATH_MAX;
}

static bool beside_program(char out[PATH_MAX])
{
    char exe[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    if (n <= 0)
        return false;
    exe[n] = '\0';
    return beside(out, exe, DOPPEL_MODELS_FROM_BIN);
}

static bool beside_library(char out[PATH_MAX])
{
    static const char here;
    char file[PATH_MAX];
    Dl_info info;

    return dladdr(&here, &info) && info.dli_fname && realpath(info.dli_fname, file) &&
           beside(out, file, DOPPEL_MODELS_FROM_LIB);
}

/* The folders to look in, in order; how many. */
static int list_places(char out[MAX_PLACES][PATH_MAX])
{
    const char *told = getenv("DOPPEL_MODELS");
    int n = 0;

    if (told && told[0])
        return snprintf(out[0], PATH_MAX, "%s", told) < PATH_MAX;
    n += beside_program(out[n]);
    n += beside_library(out[n]);
    return n + (snprintf(out[n], PATH_MAX, "%s", DOPPEL_INSTALLED_MODELS) < PATH_MAX);
}

dpl_status dpl_models_find(char **path, const char *name, dpl_error *err)
{
    char(*places)[PATH_MAX] = dpli_alloc(MAX_PLACES, PATH_MAX, err);
    dpl_status status = DPL_E_MEMORY;
    char words[400] = "";
    int n;

    *path = NULL;
    if (!places)
        return status;
    n = list_places(places);
    for (int i = 0; i < n; i++) {
        const size_t at = strlen(words);

        *path = dpli_asprintf(err, "%s/%s", places[i], name);
        if (!*path || access(*path, F_OK) == 0) {
            status = *path ? DPL_OK : DPL_E_MEMORY;
            goto done;
        }
        free(*path);
        *path = NULL;
        if (i == 0 || strcmp(places[i], places[i - 1]) != 0)
            snprintf(words + at, sizeof words - at, "%s\"%s\"", i == 0 ? "" : " and ", places[i]);
    }
    status = dpli_fail(err, DPL_E_MODEL, "no model \"%s\" in %s", name, words);
done:
    free(places);
    return status;
}
