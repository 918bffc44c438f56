/*
 * drawings.c - stands in for Omniglot: characters of made-up alphabets, drawn by made-up drawers.
 *
 * drawings FOLDER makes there, named as Omniglot's files are:
 *
 *     drawings/ALPHABET/characterNN/CCCC_DD.png     8 alphabets of 20 characters by 10 drawers
 *     evaluation/ALPHABET/characterNN/CCCC_DD.png   4 more, the first of them Angelic
 *     all_runs.zip                                  2 runs of 20 trials, as Lake's
 *
 * A character is two to four quadratic curves; a drawer moves their points a little. Pictures are
 * 105x105, black on white. The same files every time.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>
#include <zip.h>

enum { SIDE = 105, N_CHARACTERS = 20, N_DRAWERS = 10, N_RUNS = 2, MAX_PNG = 16384 };

static void fail(const char *what)
{
    fprintf(stderr, "drawings: cannot make %s\n", what);
    exit(1);
}

/* Steele, Lea, Flood 2014: splitmix64; a number from -1 to 1. */
static double draw(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (double)((x ^ (x >> 31)) >> 11) / 4503599627370496.0 - 1;
}

static void stamp(uint8_t *pixels, double x, double y)
{
    for (int i = (int)y - 2; i <= (int)y + 3; i++)
        for (int j = (int)x - 2; j <= (int)x + 3; j++)
            if (i >= 0 && j >= 0 && i < SIDE && j < SIDE && hypot(j - x, i - y) < 1.6)
                pixels[i * SIDE + j] = 0;
}

/* A character by a drawer as PNG; its number of bytes. */
static size_t picture(uint8_t png[MAX_PNG], int character, int drawer)
{
    static uint8_t pixels[SIDE * SIDE];
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_GRAY};
    uint64_t shape = (uint64_t)character, hand = (uint64_t)(character * 1000 + drawer) << 20;
    const double right = 9 * draw(&hand), down = 9 * draw(&hand);
    const int n_curves = 3 + (int)floor(1.5 * draw(&shape));
    png_alloc_size_t n = MAX_PNG;

    memset(pixels, 255, sizeof pixels);
    for (int curve = 0; curve < n_curves; curve++) {
        double at[3][2];
        for (int k = 0; k < 3; k++) {
            at[k][0] = 52 + 34 * draw(&shape) + 6 * draw(&hand) + right;
            at[k][1] = 52 + 34 * draw(&shape) + 6 * draw(&hand) + down;
        }
        for (int i = 0; i <= 200; i++) {
            const double t = i / 200.0, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
            stamp(pixels, a * at[0][0] + b * at[1][0] + c * at[2][0],
                  a * at[0][1] + b * at[1][1] + c * at[2][1]);
        }
    }
    if (!png_image_write_to_memory(&image, png, &n, 0, pixels, 0, NULL))
        fail("a picture");
    return n;
}

static void save(const char *path, int character, int drawer)
{
    uint8_t png[MAX_PNG];
    const size_t n = picture(png, character, drawer);
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(png, 1, n, file) != n || fclose(file) != 0)
        fail(path);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0)
        fail(path);
}

/* An alphabet in the folder root; first is its first character's number. */
static void alphabet(const char *root, const char *name, int first)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", root, name);
    make_folder(path);
    for (int c = 0; c < N_CHARACTERS; c++) {
        snprintf(path, sizeof path, "%s/%s/character%02d", root, name, c + 1);
        make_folder(path);
        for (int d = 1; d <= N_DRAWERS; d++) {
            snprintf(path, sizeof path, "%s/%s/character%02d/%04d_%02d.png", root, name, c + 1,
                     first + c, d);
            save(path, first + c, d);
        }
    }
}

static void add(zip_t *zip, const char *name, const void *bytes, size_t n)
{
    void *copy = malloc(n); /* the archive's from here on */
    zip_source_t *source;

    if (!copy)
        fail(name);
    memcpy(copy, bytes, n);
    source = zip_source_buffer(zip, copy, n, 1);
    if (!source || zip_file_add(zip, name, source, 0) < 0)
        fail(name);
}

/* Trial k of a run: character k by one drawer, to be found among all by another one. */
static void run(zip_t *zip, int number, int first)
{
    char name[100], labels[N_CHARACTERS * 80] = "", *at = labels;
    uint8_t png[MAX_PNG];

    for (int k = 0; k < N_CHARACTERS; k++) {
        const int place = (k * 7 + number) % N_CHARACTERS + 1;
        snprintf(name, sizeof name, "run%02d/test/item%02d.png", number, k + 1);
        add(zip, name, png, picture(png, first + k, 1));
        snprintf(name, sizeof name, "run%02d/training/class%02d.png", number, place);
        add(zip, name, png, picture(png, first + k, 2));
        at += snprintf(at, 80, "run%02d/test/item%02d.png run%02d/training/class%02d.png\n", number,
                       k + 1, number, place);
    }
    snprintf(name, sizeof name, "run%02d/class_labels.txt", number);
    add(zip, name, labels, strlen(labels));
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"Aaa", "Bee", "Cee", "Dee", "Eee", "Eff", "Gee", "Aitch"};
    zip_t *zip;

    if (argc != 2 || chdir(argv[1]) != 0) {
        fputs("usage: drawings FOLDER\n", stderr);
        return 2;
    }
    make_folder("drawings");
    for (int i = 0; i < 8; i++)
        alphabet("drawings", names[i], 1 + i * N_CHARACTERS);
    make_folder("evaluation");
    alphabet("evaluation", "Angelic", 965);
    alphabet("evaluation", "Zed", 965 + N_CHARACTERS);
    alphabet("evaluation", "Yod", 965 + 2 * N_CHARACTERS);
    alphabet("evaluation", "Xi", 965 + 3 * N_CHARACTERS);
    zip = zip_open("all_runs.zip", ZIP_CREATE | ZIP_EXCL, NULL);
    if (!zip)
        fail("all_runs.zip");
    for (int i = 0; i < N_RUNS; i++)
        run(zip, i + 1, 965 + i * N_CHARACTERS);
    if (zip_close(zip) != 0)
        fail("all_runs.zip");
    return 0;
}
