/*
 * edit - a copy of a photo as people make them, for the command tests.
 *
 *     edit IN OUT.jpg EDIT [TAKEN]
 *
 * EDIT is one of same, half, crop, mirror, turn (a quarter, clockwise), frame, pale,
 * corner (the lower right one, which shows no face). TAKEN
 * ("2024:05:01 12:00:00") is written as EXIF's DateTimeOriginal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/image.h"

static void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "edit: %s\n", what);
    exit(1);
}

/* Which pixel of in shows at (x, y) of out, both in pixels of their own; 0: none does. */
typedef int (*place)(int *u, int *v, int x, int y, int w, int h);

static int place_same(int *u, int *v, int x, int y, int w, int h)
{
    (void)w, (void)h;
    *u = x;
    *v = y;
    return 1;
}

static int place_crop(int *u, int *v, int x, int y, int w, int h)
{
    *u = x + w / 10;
    *v = y + h / 8;
    return 1;
}

static int place_corner(int *u, int *v, int x, int y, int w, int h)
{
    *u = x + w - w / 4;
    *v = y + h - h / 4;
    return 1;
}

static int place_mirror(int *u, int *v, int x, int y, int w, int h)
{
    (void)h;
    *u = w - 1 - x;
    *v = y;
    return 1;
}

static int place_turn(int *u, int *v, int x, int y, int w, int h)
{
    (void)w;
    *u = y;
    *v = h - 1 - x;
    return 1;
}

static int place_frame(int *u, int *v, int x, int y, int w, int h)
{
    *u = x - w / 10;
    *v = y - w / 10;
    return *u >= 0 && *v >= 0 && *u < w && *v < h;
}

static const struct {
    const char *name;
    place at;
} places[] = {{"same", place_same},     {"half", place_same},    {"crop", place_crop},
              {"mirror", place_mirror}, {"turn", place_turn},    {"frame", place_frame},
              {"pale", place_same},     {"corner", place_corner}};

static dpl_image edit(const dpl_image *in, const char *how)
{
    const int w = in->width_px, h = in->height_px;
    place at = NULL;
    dpl_image out = DPL_IMAGE_INIT;
    dpl_error err;

    if (strcmp(how, "half") == 0) {
        need(dpl_image_resize(&out, in, w / 2, h / 2, &err) == DPL_OK, err.message);
        return out;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].name, how) == 0)
            at = places[i].at;
    need(at != NULL, "no such edit");
    out.width_px = at == place_turn ? h : at == place_crop ? w * 4 / 5 : w;
    out.height_px = at == place_turn ? w : at == place_crop ? h * 4 / 5 : h;
    if (at == place_frame) {
        out.width_px += 2 * (w / 10);
        out.height_px += 2 * (w / 10);
    }
    if (at == place_corner) {
        out.width_px = w / 4;
        out.height_px = h / 4;
    }
    out.pixels = calloc((size_t)out.width_px * (size_t)out.height_px, 3);
    need(out.pixels != NULL, "no memory");
    for (int y = 0; y < out.height_px; y++)
        for (int x = 0; x < out.width_px; x++) {
            uint8_t *to = out.pixels + 3 * ((size_t)y * (size_t)out.width_px + (size_t)x);
            int u, v;

            if (at(&u, &v, x, y, w, h))
                memcpy(to, in->pixels + 3 * ((size_t)v * (size_t)w + (size_t)u), 3);
            for (int c = 0; c < 3 && strcmp(how, "pale") == 0; c++)
                to[c] = (uint8_t)(100 + to[c] / 2);
        }
    return out;
}

/* APP1 with IFD 0, which points to the EXIF IFD, which has the one tag. */
static void put_exif(FILE *f, const char *taken)
{
    static const unsigned char head[] = {
        0xFF, 0xE1, 0,    72,   'E', 'x', 'i', 'f', 0, 0, /* length: all behind FF E1 */
        'I',  'I',  42,   0,    8,   0,   0,   0,         /* little-endian, IFD 0 at 8 */
        1,    0,    0x69, 0x87, 4,   0,   1,   0,   0, 0,
        26,   0,    0,    0,    0,   0,   0,   0, /* one entry: EXIF at 26 */
        1,    0,    3,    0x90, 2,   0,   20,  0,   0, 0,
        44,   0,    0,    0,    0,   0,   0,   0 /* the time, at 44 */
    };

    need(strlen(taken) == 19, "TAKEN is not like \"2024:05:01 12:00:00\"");
    fwrite(head, 1, sizeof head, f);
    fwrite(taken, 1, 20, f);
}

int main(int argc, char **argv)
{
    dpl_image in, out;
    uint8_t *jpeg;
    size_t n;
    dpl_error err;
    FILE *f;

    need(argc == 4 || argc == 5, "usage: edit IN OUT.jpg EDIT [TAKEN]");
    need(dpl_image_open(&in, argv[1], NULL, &err) == DPL_OK, err.message);
    out = edit(&in, argv[3]);
    need(dpl_image_to_jpeg(&jpeg, &n, &out, 85, &err) == DPL_OK, err.message);
    f = fopen(argv[2], "wb");
    need(f != NULL, "cannot write");
    fwrite(jpeg, 1, 2, f);
    if (argc == 5)
        put_exif(f, argv[4]);
    fwrite(jpeg + 2, 1, n - 2, f);
    need(fclose(f) == 0, "cannot write");
    dpl_bytes_free(jpeg);
    dpl_image_clear(&in);
    dpl_image_clear(&out);
    return 0;
}
