/* What the trainer's tests share: drawings in folders, and a folder of one's own to work in. */
#ifndef DOPPEL_TESTS_TRAIN_TRAIN_KIT_H
#define DOPPEL_TESTS_TRAIN_TRAIN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "doppel/image.h"
#include "doppel/train.h"
#include "tests/folder_kit.h"

#define KIT_SIDE 40

/* A class is a pattern of dark bars of its own; its pictures differ by a shift and noise. */
static void kit_draw(const char *path, int cls, int item, int colored)
{
    static uint8_t rgb[KIT_SIDE * KIT_SIDE * 3];
    dpl_image image = DPL_IMAGE_INIT;
    uint8_t *jpeg;
    size_t n;
    dpli_rng look, noise;

    dpli_rng_seed(&look, 77 + (uint64_t)cls);
    dpli_rng_seed(&noise, (uint64_t)(cls * 1000 + item));
    memset(rgb, 255, sizeof rgb);
    const int shift = (int)dpli_rng_below(&noise, 3);
    for (int bar = 0; bar < 5; bar++) {
        const int x0 = (int)dpli_rng_below(&look, 30) + shift, y0 = (int)dpli_rng_below(&look, 30);
        const int wide = bar % 2 ? 3 : 9, high = bar % 2 ? 9 : 3;
        for (int y = y0; y < y0 + high && y < KIT_SIDE; y++)
            for (int x = x0; x < x0 + wide && x < KIT_SIDE; x++)
                memset(rgb + 3 * (y * KIT_SIDE + x), colored ? 90 : 0, colored ? 2 : 3);
    }
    for (int i = 0; i < 40; i++)
        rgb[dpli_rng_below(&noise, sizeof rgb)] ^= 40;
    assert_int_equal(
        dpl_image_from_rgb(&image, rgb, KIT_SIDE, KIT_SIDE, (size_t)KIT_SIDE * 3, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &image, 95, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(path, jpeg, n, NULL), DPL_OK);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&image);
}

/* root/group/class/item.jpg */
static inline void kit_make(const char *root, int n_groups, int n_classes, int n_items, int colored)
{
    char path[256];

    assert_int_equal(mkdir(root, 0700), 0);
    for (int g = 0; g < n_groups; g++) {
        snprintf(path, sizeof path, "%s/g%d", root, g);
        assert_int_equal(mkdir(path, 0700), 0);
        for (int c = 0; c < n_classes; c++) {
            snprintf(path, sizeof path, "%s/g%d/c%02d", root, g, g * n_classes + c);
            assert_int_equal(mkdir(path, 0700), 0);
            for (int i = 0; i < n_items; i++) {
                snprintf(path, sizeof path, "%s/g%d/c%02d/%02d.jpg", root, g, g * n_classes + c, i);
                kit_draw(path, g * n_classes + c, i, colored);
            }
        }
    }
}

static inline void kit_write_text(const char *path, const char *text)
{
    assert_int_equal(dpli_file_replace(path, text, strlen(text), NULL), DPL_OK);
}

static inline void kit_same_files(const char *a, const char *b)
{
    uint8_t *x, *y;
    size_t n, m;

    assert_int_equal(dpli_file_read(&x, &n, a, (size_t)1 << 30, NULL), DPL_OK);
    assert_int_equal(dpli_file_read(&y, &m, b, (size_t)1 << 30, NULL), DPL_OK);
    if (n != m || memcmp(x, y, n) != 0)
        fail_msg("%s and %s differ", a, b);
    free(x);
    free(y);
}

/* A small run on data: seconds. */
static inline dpl_train_options kit_options(const char *data, const char *run)
{
    dpl_train_options o = DPL_TRAIN_OPTIONS_INIT;

    o.data = data;
    o.run = run;
    o.arch = "resnet-drawing";
    o.side = 24;
    o.dim = 16;
    o.loss = "contrastive";
    o.batch_classes = 4;
    o.batch_items = 2;
    o.hold_groups = 1;
    o.validate_trials = 8;
    o.steps = 6;
    o.epoch_steps = 4;
    o.validate_steps = 3;
    o.log_steps = 1;
    o.threads = 2;
    o.rate = 1e-3;
    return o;
}

#endif
