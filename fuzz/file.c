#include "fuzz/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

void fuzz_require(int ok)
{
    if (!ok)
        abort();
}

static void clean_up(void)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry = dir ? readdir(dir) : NULL;

    for (; entry; entry = readdir(dir))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/doppel-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        fuzz_require(mkdtemp(folder) != NULL);
        atexit(clean_up);
    }
    return folder;
}

const char *fuzz_file(const char *name, const void *bytes, size_t n_bytes)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    file = fopen(path, "wb");
    fuzz_require(file && fwrite(bytes, 1, n_bytes, file) == n_bytes);
    fuzz_require(fclose(file) == 0);
    return path;
}
