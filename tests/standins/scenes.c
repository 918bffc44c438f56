/*
 * scenes.c - stands in for photos with captions: a ball of a colour, big or small, somewhere on a
 * ground.
 *
 * scenes FOLDER makes there
 *
 *     album/NNN.png       160 of 48x48 pixels, each another scene
 *     album/captions.csv  split, picture, caption: two sentences a picture; 112, 24 and 24 pictures
 *                         are train, dev and test
 *
 * The same files every time.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

enum { SIDE = 48, N_GROUNDS = 5, N_COLOURS = 4, N_PLACES = 4, N_SIZES = 2 };
enum { N_SCENES = N_GROUNDS * N_COLOURS * N_PLACES * N_SIZES };

typedef struct paint {
    const char *name;
    uint8_t rgb[3];
} paint;

static const paint grounds[N_GROUNDS] = {{"meadow", {90, 170, 60}},
                                         {"snow", {240, 240, 245}},
                                         {"sea", {40, 90, 190}},
                                         {"sand", {220, 190, 120}},
                                         {"night", {15, 15, 30}}};
static const paint colours[N_COLOURS] = {{"red", {220, 20, 30}},
                                         {"purple", {130, 40, 150}},
                                         {"orange", {250, 140, 10}},
                                         {"cyan", {20, 220, 220}}};
static const char *const places[N_PLACES] = {"left", "right", "top", "bottom"};
static const char *const sizes[N_SIZES] = {"small", "big"};

static void fail(const char *what)
{
    fprintf(stderr, "scenes: cannot make %s\n", what);
    exit(1);
}

/* Noise from -8 to 7 in every number, so that no two pixels are alike by rule. */
static uint8_t noisy(uint8_t value, uint32_t i)
{
    uint32_t h = i * 2654435761u;

    h = (h ^ h >> 15) * 2246822519u;
    const int v = value + (int)(h >> 28) - 8;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void save(const char *path, int scene, int ground, int colour, int place, int size)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB};
    const int x0 = place == 0 ? 12 : place == 1 ? 36 : 24;
    const int y0 = place == 2 ? 12 : place == 3 ? 36 : 24;
    const int radius = size ? 11 : 7;

    for (int i = 0; i < SIDE * SIDE; i++) {
        const int x = i % SIDE - x0, y = i / SIDE - y0;
        const bool inside = x * x + y * y <= radius * radius;
        const uint8_t *rgb = inside ? colours[colour].rgb : grounds[ground].rgb;

        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = noisy(rgb[c], (uint32_t)(3 * (scene * SIDE * SIDE + i) + c));
    }
    if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL))
        fail(path);
}

int main(int argc, char **argv)
{
    FILE *list;

    if (argc != 2 || chdir(argv[1]) != 0 || mkdir("album", 0755) != 0)
        fail("the folder");
    list = fopen("album/captions.csv", "w");
    if (!list)
        fail("the list");
    fputs("split,picture,caption\n", list);
    for (int i = 0; i < N_SCENES; i++) {
        /* A step that has no divisor in common with 160 goes through all of them: the splits then
         * have all grounds and colours, and what is tested was not seen in this combination. */
        const int at = i * 57 % N_SCENES;
        const int ground = at % N_GROUNDS, colour = at / N_GROUNDS % N_COLOURS;
        const int place = at / (N_GROUNDS * N_COLOURS) % N_PLACES;
        const int size = at / (N_GROUNDS * N_COLOURS * N_PLACES);
        const char *split = i < 112 ? "train" : i < 136 ? "dev" : "test";
        char path[32];

        snprintf(path, sizeof path, "album/%03d.png", i);
        save(path, i, ground, colour, place, size);
        fprintf(list, "%s,%03d.png,\"A %s ball, %s, on the %s of the %s.\"\n", split, i,
                sizes[size], colours[colour].name, places[place], grounds[ground].name);
        fprintf(list, "%s,%03d.png,%s: a %s %s ball at the %s\n", split, i, grounds[ground].name,
                colours[colour].name, sizes[size], places[place]);
    }
    if (fclose(list) != 0)
        fail("the list");
    return 0;
}
