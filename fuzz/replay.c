/*
 * replay.c - the main of a fuzz target without libFuzzer: gives it each file of the folders named
 * on the command line, once, in the order of their names. It fails when there is no file, because a
 * test of nothing is no test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long n_bytes;
    int ok = 0;

    if (!file || fseek(file, 0, SEEK_END) != 0)
        goto done;
    n_bytes = ftell(file);
    if (n_bytes < 0 || fseek(file, 0, SEEK_SET) != 0)
        goto done;
    /* Exactly as large as the file, so that a read past its end is found. */
    data = malloc(n_bytes ? (size_t)n_bytes : 1);
    if (!data || fread(data, 1, (size_t)n_bytes, file) != (size_t)n_bytes)
        goto done;
    /* Before the call, so that the last line printed names the file that crashed. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, (size_t)n_bytes);
    ok = 1;
done:
    if (!ok)
        perror(path);
    free(data);
    if (file)
        fclose(file);
    return ok;
}

int main(int argc, char **argv)
{
    size_t n_files = 0;

    for (int i = 1; i < argc; i++) {
        struct dirent **entries = NULL;
        int n = scandir(argv[i], &entries, NULL, alphasort);

        if (n < 0) {
            perror(argv[i]);
            return 1;
        }
        for (int j = 0; j < n; j++) {
            char path[4096];
            int ok = 1;

            if (entries[j]->d_name[0] != '.') {
                snprintf(path, sizeof path, "%s/%s", argv[i], entries[j]->d_name);
                ok = replay_file(path);
                n_files++;
            }
            free(entries[j]);
            if (!ok)
                return 1;
        }
        free(entries);
    }
    if (n_files == 0) {
        fprintf(stderr, "no file to replay\n");
        return 1;
    }
    return 0;
}
