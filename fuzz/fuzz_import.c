/*
 * fuzz_import.c - any bytes as an export to be imported: nothing crashes, a file that is refused
 * changes nothing, and a file that is taken comes out of an export and goes in again unchanged.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "doppel/gallery.h"
#include "index/gallery.h"
#include "index/store_sqlite.h"

/* The gallery lies in a folder of its own: none is made beside other files. */
static char dir[64], gallery_dir[96], in_path[96], out_path[96], again_path[96];
static dpl_gallery *gallery;

static void clean(void)
{
    static const char *const names[] = {"gallery.db", "gallery.db-wal", "gallery.db-shm",
                                        "gallery.lock"};
    char path[160];

    dpl_gallery_close(gallery);
    gallery = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", gallery_dir, names[i]);
        unlink(path);
    }
}

static void clean_up(void)
{
    clean();
    unlink(in_path);
    unlink(out_path);
    unlink(again_path);
    rmdir(gallery_dir);
    rmdir(dir);
}

/* In memory where the system has such a folder, because each gallery is synced to disk. */
static void set_up(void)
{
    snprintf(dir, sizeof dir, "%s/doppel-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(dir))
        abort();
    snprintf(gallery_dir, sizeof gallery_dir, "%s/gallery", dir);
    snprintf(in_path, sizeof in_path, "%s/in", dir);
    snprintf(out_path, sizeof out_path, "%s/out", dir);
    snprintf(again_path, sizeof again_path, "%s/again", dir);
    atexit(clean_up);
}

static void open_new(void)
{
    clean();
    if (dpl_gallery_open(&gallery, gallery_dir, DPL_GALLERY_CREATE, NULL) != DPL_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    int64_t n_photos, n_templates, n_rows;
    size_t n_out, n_again;
    uint8_t *out, *again;
    FILE *file;

    if (!*dir)
        set_up();
    if (!gallery)
        open_new();
    file = fopen(in_path, "wb");
    if (!file || fwrite(data, 1, n_bytes, file) != n_bytes || fclose(file) != 0)
        abort();
    if (dpl_gallery_import(gallery, in_path, &n_photos, &n_templates, NULL) != DPL_OK) {
        if (dpli_db_int(&n_rows, dpli_sql_of(gallery->store)->db,
                        "SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM photo)"
                        " + (SELECT count(*) FROM setting) + (SELECT count(*) FROM model)",
                        NULL) != DPL_OK)
            abort();
        assert(n_rows == 0);
        return 0;
    }
    if (dpl_gallery_export(gallery, out_path, NULL) != DPL_OK)
        abort();
    open_new();
    if (dpl_gallery_import(gallery, out_path, &n_photos, &n_templates, NULL) != DPL_OK ||
        dpl_gallery_export(gallery, again_path, NULL) != DPL_OK ||
        dpli_file_read(&out, &n_out, out_path, SIZE_MAX - 2, NULL) != DPL_OK ||
        dpli_file_read(&again, &n_again, again_path, SIZE_MAX - 2, NULL) != DPL_OK)
        abort();
    assert(n_out == n_again && memcmp(out, again, n_out) == 0);
    free(out);
    free(again);
    clean();
    return 0;
}
