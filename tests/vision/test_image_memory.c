/*
 * test_image_memory.c - a picture is made of its file's bytes and of nothing else: whatever lay in
 * memory before, the same comes out, of any photo cut or damaged anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <malloc.h>

#include "base/file.h"
#include "base/rng.h"
#include "doppel/image.h"
#include "vision/image/decode.h"
#include "vision/image/formats.h"

/* From the command line: the seed, the variants of each file, and the ending of files to leave out.
 */
static uint64_t seed = 20261126;
static int n_variants = 150;
static const char *left_out = NULL;
static int n_decoded, n_refused;

struct outcome {
    dpl_status status;
    dpl_error err;
    dpl_image image;
};

/* Decode with pixels that hold fill, in memory that is not clean: what malloc gives is filled too,
 * also to the decoders' libraries (glibc; sanitizers do it their own way). */
static void decode(struct outcome *outcome, const uint8_t *bytes, size_t n,
                   const dpl_decode_options *options, uint8_t fill)
{
#ifdef M_PERTURB
    mallopt(M_PERTURB, fill ^ 0x5A);
#endif
    memset(&outcome->err, 0, sizeof outcome->err);
    outcome->status =
        dpli_image_decode_filled(&outcome->image, bytes, n, options, fill, &outcome->err);
#ifdef M_PERTURB
    mallopt(M_PERTURB, 0);
#endif
}

/* The same under any fill; a picture or a refusal with words. */
static void must_not_depend_on_memory(const uint8_t *bytes, size_t n, const char *what)
{
    static const int32_t enough_px[3] = {0, 20, 5};
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    struct outcome a, b;

    options.max_pixels = 1 << 20;
    for (size_t i = 0; i < 3; i++) {
        options.enough_px = enough_px[i];
        decode(&a, bytes, n, &options, 0x00);
        decode(&b, bytes, n, &options, 0xFF);
        if (a.status != b.status || strcmp(a.err.message, b.err.message) != 0)
            fail_msg("%s: \"%s\" or \"%s\"", what, a.err.message, b.err.message);
        if (a.status) {
            if (a.status != DPL_E_INPUT && a.status != DPL_E_LIMIT)
                fail_msg("%s: status %d", what, a.status);
            assert_true(a.err.message[0] != '\0');
            n_refused++;
            continue;
        }
        n_decoded++;
        assert_string_equal(a.image.warning, b.image.warning);
        assert_int_equal(a.image.width_px, b.image.width_px);
        assert_int_equal(a.image.height_px, b.image.height_px);
        if (memcmp(a.image.pixels, b.image.pixels,
                   3 * (size_t)a.image.width_px * (size_t)a.image.height_px) != 0)
            fail_msg("%s (%s): pixels that are not the file's", what, a.image.warning);
        dpl_image_clear(&a.image);
        dpl_image_clear(&b.image);
    }
}

/* One of the ways in which files go wrong; n_bad has room for twice the file. */
static size_t damage(uint8_t *bad, const uint8_t *bytes, size_t n, dpli_rng *rng)
{
    size_t from = dpli_rng_below(rng, n), to = from + dpli_rng_below(rng, n - from);

    memcpy(bad, bytes, n);
    switch (dpli_rng_below(rng, 7)) {
    case 0: /* cut */ return from;
    case 1: /* cut, with an end */ memcpy(bad + from, "\xFF\xD9", 2); return from + 2;
    case 2: /* bytes changed */
        for (uint64_t i = dpli_rng_below(rng, 8); i != UINT64_MAX; i--)
            bad[dpli_rng_below(rng, n)] = (uint8_t)dpli_rng_u64(rng);
        return n;
    case 3: /* one bit */ bad[from] ^= (uint8_t)(1u << dpli_rng_below(rng, 8)); return n;
    case 4: /* a piece gone */ memmove(bad + from, bytes + to, n - to); return n - (to - from);
    case 5: /* a piece blanked */
        memset(bad + from, dpli_rng_below(rng, 2) ? 0xFF : 0, to - from);
        return n;
    default: /* a piece twice */ memcpy(bad + to, bytes + from, n - from); return n + (to - from);
    }
}

static int is_picture(const char *name)
{
    const char *ending = strrchr(name, '.');

    return dpli_format_is_name(name) && !(left_out && ending && strcmp(ending, left_out) == 0);
}

static void pixels_come_from_the_file_whatever_is_done_to_it(void **state)
{
    struct dirent **files;
    dpli_rng rng;
    int n_files;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    /* In order, so that a seed gives the same files everywhere. */
    n_files = scandir(DPL_SOURCE_DIR "/tests/fixtures/image", &files, NULL, alphasort);
    assert_true(n_files > 0);
    for (int i = 0; i < n_files; i++) {
        char path[1024], what[1024];
        uint8_t *bytes, *bad;
        size_t n;

        if (is_picture(files[i]->d_name)) {
            snprintf(path, sizeof path, "%s/tests/fixtures/image/%s", DPL_SOURCE_DIR,
                     files[i]->d_name);
            assert_int_equal(dpli_file_read(&bytes, &n, path, 1 << 20, NULL), DPL_OK);
            must_not_depend_on_memory(bytes, n, files[i]->d_name);
            bad = malloc(2 * n + 2);
            for (int k = 0; k < n_variants; k++) {
                size_t n_bad = damage(bad, bytes, n, &rng);

                if (k % 3 == 2) {
                    uint8_t *once = malloc(n_bad ? n_bad : 1);

                    memcpy(once, bad, n_bad);
                    if (n_bad > 0 && n_bad <= n)
                        n_bad = damage(bad, once, n_bad, &rng);
                    free(once);
                }
                snprintf(what, sizeof what, "%s, variant %d", files[i]->d_name, k);
                must_not_depend_on_memory(bad, n_bad, what);
            }
            free(bad);
            free(bytes);
        }
        free(files[i]);
    }
    free(files);
    print_message("%d decoded, %d refused\n", n_decoded, n_refused);
    /* Neither all nor none: else the damage is not what it is meant to be. */
    assert_in_range(n_decoded, n_files * n_variants / 20, 1000000);
    assert_in_range(n_refused, n_files * n_variants / 20, 1000000);
}

int main(int n_words, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_from_the_file_whatever_is_done_to_it),
    };

    if (n_words > 1)
        seed = strtoull(words[1], NULL, 10);
    if (n_words > 2)
        n_variants = atoi(words[2]);
    if (n_words > 3)
        left_out = words[3];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
