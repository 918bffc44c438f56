/*
 * test_damage.c - a gallery's database that a disk or a copy has changed gives what it gave before,
 * or is refused; never another answer in silence. And doppel check: what it names, what it mends.
 *
 * What is random comes from DOPPEL_SEED, or else from the clock, and is printed; DOPPEL_ROUNDS
 * changes are tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"

enum { SECTOR = 512 };

static dpl_error err;
static dpli_rng rng;

/* Everything that an export has: people, refused photos, settings, gaps in the ids. */
static void make_gallery(const char *dir)
{
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    char path[64], person[64];
    kit_photo p;

    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "faces", &err), &err);
    for (uint64_t i = 1; i <= 20; i++) {
        snprintf(path, sizeof path, "/photos/%u.jpg", (unsigned)i);
        snprintf(person, sizeof person, "person %u", (unsigned)i / 3);
        kit_expect(DPL_OK, kit_put(gallery, i, path, person, 1 + i % 3, &err), &err);
    }
    kit_photo_make(&p, 21, "/photos/refused.jpg", NULL, 0);
    p.photo.row.meant = "person 3";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "person 2", NULL, 0, 0, &err), &err);
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ random changes */

static size_t somewhere(const char *bytes, size_t n)
{
    size_t at = dpli_rng_below(&rng, n);

    /* Mostly where something is. */
    for (int i = 0; i < 10000 && !bytes[at] && dpli_rng_below(&rng, 20); i++)
        at = dpli_rng_below(&rng, n);
    return at;
}

static void change(char *bytes, size_t n)
{
    const size_t at = somewhere(bytes, n), other = somewhere(bytes, n);
    const size_t sector = at / SECTOR * SECTOR, other_sector = other / SECTOR * SECTOR;
    char held[SECTOR];

    switch (dpli_rng_below(&rng, 6)) {
    case 0: bytes[at] = (char)(bytes[at] ^ (1 << dpli_rng_below(&rng, 8))); break;
    case 1: bytes[at] = (char)dpli_rng_u64(&rng); break;
    case 2: bytes[at]++; break;
    case 3:
        for (size_t i = 0; i < 16 && at + i < n; i++)
            bytes[at + i] = (char)dpli_rng_u64(&rng);
        break;
    case 4: memset(bytes + sector, 0, SECTOR); break;
    default:
        memcpy(held, bytes + sector, SECTOR);
        memcpy(bytes + sector, bytes + other_sector, SECTOR);
        memcpy(bytes + other_sector, held, SECTOR);
        break;
    }
}

static void no_change_of_the_database_gives_another_export_in_silence(void **state)
{
    const char *given = getenv("DOPPEL_ROUNDS");
    const long n_rounds = given ? strtol(given, NULL, 10) : 240;
    char *dir = kit_folder(), path[256], *bytes, *spoilt, *whole;
    long n_refused = 0, n_same = 0, n_silent = 0;
    dpl_gallery *gallery;
    size_t n;

    (void)state;
    make_gallery(dir);
    gallery = kit_open(dir, DPL_GALLERY_READ);
    whole = kit_dump(gallery);
    dpl_gallery_close(gallery);
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    bytes = kit_read(path, &n);
    spoilt = malloc(n);
    assert_non_null(spoilt);
    for (long round = 0; round < n_rounds; round++) {
        char *text = NULL;
        size_t n_text;

        memcpy(spoilt, bytes, n);
        change(spoilt, n);
        kit_write(path, spoilt, n);
        if (dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err) != DPL_OK ||
            dpl_gallery_export(gallery, "out.jsonl", &err) != DPL_OK) {
            kit_expect(DPL_E_GALLERY, err.status, &err);
            n_refused++;
        } else {
            text = kit_read("out.jsonl", &n_text);
            if (strcmp(text, whole) == 0) {
                n_same++;
            } else {
                size_t at = 0;

                while (text[at] == whole[at])
                    at++;
                at = at < 60 ? 0 : at - 60;
                print_error("round %ld, silent: ...%.120s\nwhere it was ...%.120s\n", round,
                            text + at, whole + at);
                n_silent++;
            }
        }
        free(text);
        dpl_gallery_close(gallery);
    }
    print_message("%ld changes: %ld refused, %ld without a trace, %ld in silence\n", n_rounds,
                  n_refused, n_same, n_silent);
    assert_int_equal(n_silent, 0);
    assert_true(n_refused > n_rounds / 4);
    free(bytes);
    free(spoilt);
    free(whole);
    unlink("out.jsonl");
    kit_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_change_of_the_database_gives_another_export_in_silence),
    };
    const char *given = getenv("DOPPEL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
