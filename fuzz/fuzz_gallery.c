/*
 * fuzz_gallery.c - a gallery.db with bytes changed: opened or refused, read, searched, written to
 * and forgotten from, without a crash and without a hang.
 *
 * The input is not the database but changes to a small one that is made at the start, three bytes
 * each: where, as two, and which value. So nearly every input is a database that SQLite opens,
 * damaged in a few places; a first byte of 0xFF cuts it short at that place instead.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "doppel/gallery.h"
#include "fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static uint8_t *whole;
static size_t n_whole;

static void drop(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    unlink(path);
}

static void drop_all(void)
{
    static const char *const names[] = {"gallery.db",   "gallery.db-wal", "gallery.db-shm",
                                        "gallery.lock", "face.faiss",     "image.faiss"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        drop(names[i]);
}

static void make_whole(void)
{
    char path[128];
    dpl_gallery *gallery;
    int64_t n_photos, n_templates;

    fuzz_require(dpl_gallery_open(&gallery, fuzz_folder(), DPL_GALLERY_CREATE, NULL) == DPL_OK);
    fuzz_require(dpl_gallery_import(gallery, DPL_SOURCE_DIR "/fuzz/corpus/fuzz_import/small.jsonl",
                                    &n_photos, &n_templates, NULL) == DPL_OK);
    fuzz_require(n_photos > 0);
    dpl_gallery_close(gallery);
    snprintf(path, sizeof path, "%s/gallery.db", fuzz_folder());
    fuzz_require(dpli_file_read(&whole, &n_whole, path, (size_t)1 << 24, NULL) == DPL_OK);
    drop_all();
}

static dpl_status see_person(void *ctx, const dpl_person *row)
{
    if (row->name && !((char *)ctx)[0])
        snprintf(ctx, 256, "%s", row->name);
    return DPL_OK;
}

static dpl_status see_photo(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    fuzz_require(row->path != NULL && row->sha256 != NULL);
    return DPL_OK;
}

/* What was changed is refused by its row's sum: nothing else than what was put comes out. */
static dpl_status see_template(void *ctx, const dpl_template_row *row)
{
    (void)ctx;
    for (int32_t i = 0; i < row->dim; i++)
        fuzz_require(isfinite(row->vector[i]));
    return DPL_OK;
}

static void use(dpl_gallery *gallery, int write)
{
    char person[256] = "";
    dpl_gallery_counts counts;
    dpl_forget_report report;

    dpl_gallery_count(&counts, gallery, NULL);
    dpl_gallery_each_person(gallery, see_person, person, NULL);
    dpl_gallery_each_photo(gallery, NULL, see_photo, NULL, NULL);
    dpl_gallery_each_template(gallery, NULL, "face", see_template, NULL, NULL);
    dpl_gallery_export(gallery, fuzz_file("export", "", 0), NULL);
    if (!write || !person[0])
        return;
    if (dpl_gallery_rename(gallery, person, "Somebody Else", NULL) == DPL_OK)
        dpl_gallery_forget(&report, gallery, "Somebody Else", NULL, 0, 0, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    uint8_t *bytes;
    size_t n;

    if (!whole)
        make_whole();
    bytes = malloc(n_whole);
    fuzz_require(bytes != NULL);
    memcpy(bytes, whole, n_whole);
    n = n_whole;
    for (size_t i = 0; i + 3 <= n_bytes; i += 3) {
        const size_t at = (size_t)(data[i] << 8 | data[i + 1]) % n_whole;

        if (i == 0 && data[0] == 0xFF)
            n = at;
        else
            bytes[at] = data[i + 2];
    }
    for (int write = 0; write < 2; write++) {
        dpl_error err = {DPL_OK, ""};
        dpl_gallery *gallery;

        fuzz_file("gallery.db", bytes, n);
        if (dpl_gallery_open(&gallery, fuzz_folder(), write ? DPL_GALLERY_WRITE : DPL_GALLERY_READ,
                             &err) == DPL_OK)
            use(gallery, write);
        else
            fuzz_require(err.message[0] != '\0');
        dpl_gallery_close(gallery);
        drop_all();
    }
    free(bytes);
    return 0;
}
