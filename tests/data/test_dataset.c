/*
 * test_dataset.c - a folder, a CSV and a zip list the same pictures in one order; hostile ones are
 * refused with a reason; and what the trainer gets of them are the pixels that are in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>
#include <png.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include "base/file.h"
#include "base/rng.h"
#include "doppel/dataset.h"
#include "tests/folder_kit.h"
#include "train/pixels.h"
#include "vision/encoder.h"
#include "vision/image/formats.h"

/* ------------------------------------------------------------------ making */

static void write_file(const char *path, const void *bytes, size_t n)
{
    char folder[512];
    FILE *f;

    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0700);
        *slash = '/';
    }
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* A picture in one colour, w pixels wide, so that its width tells which one it is. */
static uint8_t *jpeg_of(size_t *n, int w, const uint8_t rgb[3])
{
    dpl_image image = DPL_IMAGE_INIT;
    uint8_t *pixels = malloc((size_t)w * 8 * 3), *bytes;

    for (int i = 0; i < w * 8; i++)
        memcpy(pixels + 3 * i, rgb, 3);
    assert_int_equal(dpl_image_from_rgb(&image, pixels, w, 8, 3 * (size_t)w, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&bytes, n, &image, 95, NULL), DPL_OK);
    dpl_image_clear(&image);
    free(pixels);
    return bytes;
}

static void append(png_structp png, png_bytep bytes, png_size_t n)
{
    FILE *f = png_get_io_ptr(png);

    assert_int_equal(fwrite(bytes, 1, n, f), n);
}

/* A drawing of one bit a pixel, as Omniglot's are. */
static uint8_t *png_of_bits(size_t *n, int side, const uint8_t *levels)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t row[64];
    char *bytes;
    FILE *f = open_memstream(&bytes, n);

    png_set_write_fn(png, f, append, NULL);
    png_set_IHDR(png, info, (png_uint_32)side, (png_uint_32)side, 1, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < side; y++) {
        memset(row, 0, sizeof row);
        for (int x = 0; x < side; x++)
            row[x / 8] |= (uint8_t)((levels[y * side + x] >> 7) << (7 - x % 8));
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    return (uint8_t *)bytes;
}

typedef struct file {
    const char *name;
    int w; /* of a picture; 0: the name itself is the content */
} file;

/* Classes and groups out of order, and what is none of our business. */
static const file tree[] = {
    {"B/c1/y.jpg", 9},          {"A/c2/b.JPG", 10},      {"A/c2/a.jpeg", 11},   {"A/c1/x.PNG", 12},
    {"A/c2/Thumbs.db", 0},      {"A/notes.txt", 0},      {"A/c1/.DS_Store", 0}, {"A/c1/._x.PNG", 0},
    {"__MACOSX/A/c1/x.jpg", 0}, {".hidden/c/p.jpg", 13}, {"A/c2/jpg", 0},       {"A-/c0/q.jpg", 14},
};
enum { N_TREE = sizeof tree / sizeof *tree };
static const uint8_t red[3] = {200, 20, 30};

static uint8_t *content_of(size_t *n, const file *f)
{
    if (f->w)
        return jpeg_of(n, f->w, red);
    *n = strlen(f->name);
    return (uint8_t *)strdup(f->name);
}

static void make_folder(const char *root)
{
    for (int i = 0; i < N_TREE; i++) {
        char path[256];
        size_t n;
        uint8_t *bytes = content_of(&n, &tree[i]);
        snprintf(path, sizeof path, "%s/%s", root, tree[i].name);
        write_file(path, bytes, n);
        dpl_bytes_free(bytes);
    }
}

static void add_member(zip_t *zip, const char *name, const void *bytes, size_t n)
{
    void *copy = malloc(n + 1);

    memcpy(copy, bytes, n);
    assert_true(zip_file_add(zip, name, zip_source_buffer(zip, copy, n, 1), 0) >= 0);
}

static zip_t *new_zip(const char *path)
{
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);

    assert_non_null(zip);
    return zip;
}

static void make_zip(const char *path, const char *root)
{
    zip_t *zip = new_zip(path);

    assert_true(zip_dir_add(zip, "A", 0) >= 0 || *root);
    for (int i = 0; i < N_TREE; i++) {
        char name[256];
        size_t n;
        uint8_t *bytes = content_of(&n, &tree[i]);
        snprintf(name, sizeof name, "%s%s", root, tree[i].name);
        add_member(zip, name, bytes, n);
        dpl_bytes_free(bytes);
    }
    assert_int_equal(zip_close(zip), 0);
}

static dpl_dataset *must_open(const char *path, const dpl_dataset_options *options)
{
    dpl_dataset *d;
    dpl_error err;

    if (dpl_dataset_open(&d, path, options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return d;
}

static void must_fail(const char *path, const dpl_dataset_options *options, dpl_status want,
                      const char *words)
{
    dpl_dataset *d = (dpl_dataset *)1;
    dpl_error err = {0};

    assert_int_equal(dpl_dataset_open(&d, path, options, &err), want);
    assert_int_equal(err.status, want);
    assert_null(d);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" is not in: %s", words, err.message);
}

/* ------------------------------------------------------------------ the three kinds */

static void must_be_the_tree(const dpl_dataset *d)
{
    static const struct {
        const char *name, *cls, *group;
        int w;
    } want[] = {
        {"A/c1/x.PNG", "A/c1", "A", 12}, {"A/c2/a.jpeg", "A/c2", "A", 11},
        {"A/c2/b.JPG", "A/c2", "A", 10}, {"A-/c0/q.jpg", "A-/c0", "A-", 14},
        {"B/c1/y.jpg", "B/c1", "B", 9},
    };
    /* Bytewise: '-' comes before '/'. */
    static const int order[] = {3, 0, 1, 2, 4};
    int n;

    assert_int_equal(dpl_dataset_item_kind(d), DPL_ITEM_PICTURE);
    assert_int_equal(dpl_dataset_n_items(d), 5);
    assert_int_equal(dpl_dataset_n_classes(d), 4);
    assert_int_equal(dpl_dataset_n_groups(d), 3);
    for (int i = 0; i < 5; i++) {
        const int k = order[i];
        const int32_t cls = dpl_dataset_class_of(d, i);
        dpl_image image;
        assert_string_equal(dpl_dataset_item_name(d, i), want[k].name);
        assert_string_equal(dpl_dataset_class_name(d, cls), want[k].cls);
        assert_string_equal(dpl_dataset_group_name(d, dpl_dataset_group_of(d, cls)), want[k].group);
        assert_int_equal(dpl_dataset_find_item(d, want[k].name), i);
        assert_int_equal(dpl_dataset_find_class(d, want[k].cls), cls);
        const int32_t first = dpl_dataset_class_items(d, cls, &n);
        assert_true(first <= i && i < first + n);
        assert_int_equal(dpl_dataset_image(&image, d, i, NULL), DPL_OK);
        assert_int_equal(image.width_px, want[k].w);
        dpl_image_clear(&image);
    }
    assert_int_equal(dpl_dataset_class_items(d, dpl_dataset_find_class(d, "A/c2"), &n), 2);
    assert_int_equal(n, 2);
    assert_int_equal(dpl_dataset_find_item(d, "A/c2"), -1);
    assert_int_equal(dpl_dataset_find_class(d, "A"), -1);
}

static void must_give_its_notes(const dpl_dataset *d)
{
    static const char *const outside[] = {
        "../A/notes.txt", "/etc/passwd", "A/../A/notes.txt", "A//notes.txt", "", "A/notes.txt/"};
    dpl_error err = {0};
    uint8_t *bytes;
    size_t n;

    assert_int_equal(dpl_dataset_file(&bytes, &n, d, "A/notes.txt", NULL), DPL_OK);
    assert_int_equal(n, 11);
    assert_memory_equal(bytes, "A/notes.txt", 12); /* with a NUL behind it */
    free(bytes);
    assert_int_equal(dpl_dataset_file(&bytes, &n, d, "A/other.txt", &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "A/other.txt"));
    assert_null(bytes);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        assert_int_equal(dpl_dataset_file(&bytes, &n, d, outside[i], &err), DPL_E_INPUT);
        assert_non_null(strstr(err.message, "is not below"));
    }
}

static void folder_is_a_class_and_its_parent_a_group(void **state)
{
    dpl_dataset *d;
    dpl_image image;
    dpl_error err;

    (void)state;
    make_folder("root");
    d = must_open("root", NULL);
    must_be_the_tree(d);
    must_give_its_notes(d);
    assert_int_equal(dpl_dataset_image(&image, d, 5, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_dataset_image(&image, d, -1, &err), DPL_E_ARGUMENT);
    dpl_dataset_close(d);
    d = must_open("root/A/c2/", NULL);
    assert_string_equal(dpl_dataset_class_name(d, 0), ".");
    assert_string_equal(dpl_dataset_group_name(d, 0), ".");
    dpl_dataset_close(d);
    dpl_dataset_close(NULL);
}

static void zip_is_as_its_folder(void **state)
{
    dpl_dataset *d;

    (void)state;
    make_zip("t.zip", "");
    d = must_open("t.zip", NULL);
    must_be_the_tree(d);
    must_give_its_notes(d);
    dpl_dataset_close(d);
    /* A folder in it, of a file with a colon in its name. */
    make_zip("a:b.zip", "in/ner/");
    d = must_open("a:b.zip:in/ner", NULL);
    must_be_the_tree(d);
    must_give_its_notes(d);
    dpl_dataset_close(d);
    d = must_open("a:b.zip:in/ner/A/", NULL);
    assert_int_equal(dpl_dataset_n_items(d), 3);
    assert_string_equal(dpl_dataset_class_name(d, 0), "c1");
    dpl_dataset_close(d);
    must_fail("a:b.zip:in/nex", NULL, DPL_E_INPUT, "has no folder \"in/nex\"");
    must_fail("a:b.zip:in/ne", NULL, DPL_E_INPUT, "has no folder \"in/ne\"");
}

static void csv_is_as_it_says(void **state)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_dataset *d;

    (void)state;
    make_folder("root");
    /* A byte order mark, CRLF, quotes, an empty line, columns in any order, no end of line. */
    write_text("root/all.csv", "\xEF\xBB\xBFlabel,\"note, of it\",Path,GROUP\r\n"
                               "c1,\"a \"\"word\"\"\",B/c1/y.jpg,B\r\n"
                               "c2,\"two\r\nlines\",A/c2/b.JPG,A\r\n"
                               "\r\n"
                               "c2,,\"A/c2/a.jpeg\",A\r\n"
                               "c1,,A/c1/x.PNG,A\r\n"
                               "c0,,A-/c0/q.jpg,A-");
    d = must_open("root/all.csv", NULL);
    must_be_the_tree(d);
    must_give_its_notes(d);
    dpl_dataset_close(d);
    /* Elsewhere, with a root; a number for a name, and the first column of a known name. */
    write_text("chips.csv", "chip,source,identity,score\nA/c1/x.PNG,b,7,0.5\nB/c1/y.jpg,c,7,1\n");
    options.root = "root";
    d = must_open("chips.csv", &options);
    assert_int_equal(dpl_dataset_n_items(d), 2);
    assert_int_equal(dpl_dataset_find_class(d, "7"), 0);
    assert_string_equal(dpl_dataset_group_name(d, dpl_dataset_group_of(d, 0)), ".");
    dpl_image image;
    assert_int_equal(dpl_dataset_image(&image, d, 1, NULL), DPL_OK);
    assert_int_equal(image.width_px, 9);
    dpl_image_clear(&image);
    dpl_dataset_close(d);
}

static void csv_may_say_stratum_and_role(void **state)
{
    dpl_dataset *d;

    (void)state;
    write_text("list.csv", "file,class,stratum,role\nb.png,x,old;grey,\na.png,y,,cohort\n");
    d = must_open("list.csv", NULL);
    assert_string_equal(dpl_dataset_item_name(d, 0), "b.png");
    assert_string_equal(dpl_dataset_stratum_of(d, 0), "old;grey");
    assert_string_equal(dpl_dataset_role_of(d, 0), "");
    assert_string_equal(dpl_dataset_stratum_of(d, 1), "");
    assert_string_equal(dpl_dataset_role_of(d, 1), "cohort");
    dpl_dataset_close(d);
    write_text("list.csv", "file,class\nb.png,x\n");
    d = must_open("list.csv", NULL);
    assert_string_equal(dpl_dataset_stratum_of(d, 0), "");
    assert_string_equal(dpl_dataset_role_of(d, 0), "");
    dpl_dataset_close(d);
}

static void csv_that_is_wrong_is_refused_by_line(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "\"bad.csv\": is empty"},
        {"\xef\xbb\xbf\r\n\n", "\"bad.csv\": is empty"},
        {"name,label\na,b\n", "line 1: no column \"path\""},
        {"path,name\na.jpg,b\n", "line 1: no column \"label\""},
        {"path,label\n", "no picture"},
        {"path,label\na.jpg,b\n\nb.jpg\n", "line 4: 1 fields, the header has 2"},
        {"path,label\na.jpg,b,c\n", "line 2: 3 fields, the header has 2"},
        {"path,label\na.jpg,b,\n", "line 2: 3 fields, the header has 2"},
        {"path,label\na.jpg,b,", "line 2: 3 fields, the header has 2"},
        {"path,label\n,b\n", "line 2: the path is empty"},
        {"path,label\n\"x\ny.jpg\",b\na.jpg,\n", "line 4: the label is empty"},
        {"path,label,group\na.jpg,b,\n", "line 2: the group is empty"},
        {"path,label\na.jpg,b\r\na.jpg,c\n",
         "line 3: picture \"a.jpg\" is there already, in line 2"},
        {"path,label\n\"a.jpg,b\nc.jpg,d\n", "line 2: a quote is not closed"},
        {"path,label\n\"", "line 2: a quote is not closed"},
        {"path,label\na\"b,c\n", "line 2: a quote within a field"},
        {"path,label\n\"a\"b,c\n", "line 2: a quote within a field"},
        {"path,label,group\na.jpg,b/c,d\nb.jpg,c,d/b\n", "class \"d/b/c\" is in group"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("bad.csv", bad[i].text);
        must_fail("bad.csv", NULL, DPL_E_INPUT, bad[i].words);
        must_fail("bad.csv", NULL, DPL_E_INPUT, "\"bad.csv\": ");
    }
    write_file("bad.csv", "path,label\na\0b,c\n", 17);
    must_fail("bad.csv", NULL, DPL_E_INPUT, "nor a list: line 2 has a NUL");
    char wide[8192] = "path";
    memset(wide + 4, ',', 4096);
    write_text("bad.csv", wide);
    must_fail("bad.csv", NULL, DPL_E_INPUT, "line 1: more than 4096 fields");
}

/* Every text of some bytes that mean something: none may crash, hang, or say OK with less in it. */
static void csv_of_any_bytes_is_read_or_refused(void **state)
{
    static const char bytes[] = "a,\"\r\n/.";
    const uint64_t seed = 20150703;
    dpli_rng rng;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    for (int round = 0; round < 3000; round++) {
        char text[64] = "path,label\n";
        size_t n = strlen(text);
        const size_t more = (size_t)dpli_rng_below(&rng, 40);
        for (size_t i = 0; i < more; i++)
            text[n++] = bytes[dpli_rng_below(&rng, sizeof bytes - 1)];
        text[n] = '\0';
        write_file("any.csv", text, n);
        dpl_dataset *d;
        dpl_error err = {0};
        if (dpl_dataset_open(&d, "any.csv", NULL, &err) == DPL_OK)
            assert_true(dpl_dataset_n_items(d) > 0 && dpl_dataset_n_classes(d) > 0);
        else
            assert_int_equal(err.status, DPL_E_INPUT);
        dpl_dataset_close(d);
    }
}

static void options_leave_out_what_is_asked(void **state)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_dataset *d;

    (void)state;
    make_folder("root");
    options.min_items = 2;
    d = must_open("root", &options);
    assert_int_equal(dpl_dataset_n_items(d), 2);
    assert_int_equal(dpl_dataset_n_classes(d), 1);
    assert_int_equal(dpl_dataset_n_groups(d), 1);
    assert_string_equal(dpl_dataset_class_name(d, 0), "A/c2");
    assert_int_equal(dpl_dataset_find_item(d, "B/c1/y.jpg"), -1);
    dpl_dataset_close(d);
    options.min_items = 3;
    must_fail("root", &options, DPL_E_INPUT, "no class of at least 3 pictures");
    options.plain = 1;
    d = must_open("root", &options);
    assert_int_equal(dpl_dataset_n_items(d), 5);
    assert_int_equal(dpl_dataset_n_classes(d), 0);
    assert_int_equal(dpl_dataset_n_groups(d), 0);
    assert_int_equal(dpl_dataset_class_of(d, 3), -1);
    assert_string_equal(dpl_dataset_item_name(d, 0), "A-/c0/q.jpg");
    assert_int_equal(dpl_dataset_find_item(d, "B/c1/y.jpg"), 4);
    assert_int_equal(dpl_dataset_find_class(d, "A"), -1);
    dpl_dataset_close(d);
    write_text("root/plain.csv", "file\nB/c1/y.jpg\nA/c2/b.JPG\n");
    d = must_open("root/plain.csv", &options);
    assert_int_equal(dpl_dataset_n_items(d), 2);
    dpl_dataset_close(d);
    options.min_items = 0;
    must_fail("root", &options, DPL_E_ARGUMENT, "min_items is 0");
    options.struct_size = 0;
    must_fail("root", &options, DPL_E_ARGUMENT, "not initialised");
    must_fail("nowhere", NULL, DPL_E_INPUT, "\"nowhere\": cannot be opened: No such file");
    must_fail("/dev/null", NULL, DPL_E_INPUT, "neither a folder nor a file");
    assert_int_equal(mkdir("empty", 0700), 0);
    must_fail("empty", NULL, DPL_E_INPUT, "\"empty\": no picture in it (.jpg, .jpeg, .png");
    char all[512] = "(";
    dpli_format_suffixes(all + 1, sizeof all - 2);
    must_fail("empty", NULL, DPL_E_INPUT, strcat(all, ")"));
}

static void links_that_lead_back_end(void **state)
{
    dpl_dataset *d;

    (void)state;
    make_folder("root");
    assert_int_equal(symlink("..", "root/A/up"), 0);
    assert_int_equal(symlink(".", "root/B/here"), 0);
    assert_int_equal(symlink("self", "root/self"), 0);
    /* Each of these leads to all others: as many ways through them as there are orders of 12. */
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < 12; k++) {
            char path[64], to[64];
            snprintf(path, sizeof path, "root/m/%02d", i);
            if (k == 0) {
                mkdir("root/m", 0700);
                assert_int_equal(mkdir(path, 0700), 0);
            }
            snprintf(path, sizeof path, "root/m/%02d/l%02d", i, k);
            snprintf(to, sizeof to, "../%02d", k);
            assert_int_equal(symlink(to, path), 0);
        }
    assert_int_equal(mkfifo("root/A/c1/pipe.jpg", 0600), 0);
    d = must_open("root", NULL);
    must_be_the_tree(d);
    dpl_dataset_close(d);
}

/* ------------------------------------------------------------------ zips that nobody trusts */

static void zip_with_bad_names_is_refused(void **state)
{
    static const char *const bad[] = {"../x.jpg", "a/../x.jpg", "/x.jpg", "a//x.jpg", "./x.jpg"};
    zip_t *zip;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zip = new_zip("bad.zip");
        add_member(zip, "a/ok.jpg", "x", 1);
        add_member(zip, bad[i], "x", 1);
        assert_int_equal(zip_close(zip), 0);
        must_fail("bad.zip", NULL, DPL_E_INPUT, "is not below the archive");
    }
    write_file("bad.zip", "PK\3\4 and no more", 16);
    must_fail("bad.zip", NULL, DPL_E_INPUT, "cannot be read as a zip");
}

/* libzip itself makes no archive with a name twice. */
static void zip_with_a_name_twice_is_refused(void **state)
{
    zip_t *zip = new_zip("twice.zip");
    uint8_t *bytes;
    size_t n;

    (void)state;
    add_member(zip, "a/one.jpg", "x", 1);
    add_member(zip, "a/two.jpg", "y", 1);
    assert_int_equal(zip_close(zip), 0);
    assert_int_equal(dpli_file_read(&bytes, &n, "twice.zip", 1 << 20, NULL), DPL_OK);
    for (size_t i = 0; i + 9 <= n; i++)
        if (memcmp(bytes + i, "a/two.jpg", 9) == 0)
            memcpy(bytes + i, "a/one.jpg", 9);
    write_file("twice.zip", bytes, n);
    free(bytes);
    must_fail("twice.zip", NULL, DPL_E_INPUT, "picture \"a/one.jpg\" is there twice");
}

static void zip_that_unpacks_to_too_much_is_refused(void **state)
{
    const size_t n = ((size_t)64 << 20) + 1;
    uint8_t *zeros = calloc(n, 1);
    zip_t *zip = new_zip("bomb.zip");
    struct stat st;
    dpl_dataset *d;
    dpl_image image;
    dpl_error err;

    (void)state;
    add_member(zip, "a/bomb.jpg", zeros, n);
    assert_int_equal(zip_close(zip), 0);
    free(zeros);
    assert_int_equal(stat("bomb.zip", &st), 0);
    assert_true(st.st_size < 1 << 20);
    d = must_open("bomb.zip", NULL);
    assert_int_equal(dpl_dataset_image(&image, d, 0, &err), DPL_E_LIMIT);
    assert_string_equal(err.message,
                        "\"a/bomb.jpg\": unpacks to 67108865 bytes, limit is 67108864");
    dpl_dataset_close(d);
}

/* Open and decode all; whatever happens is DPL_OK or a refusal. Returns how many were decoded. */
static int survive(const char *path)
{
    dpl_dataset *d;
    dpl_error err = {0};
    int n = 0;

    if (dpl_dataset_open(&d, path, NULL, &err) != DPL_OK) {
        assert_true(err.status == DPL_E_INPUT || err.status == DPL_E_LIMIT);
        return 0;
    }
    for (int32_t i = 0; i < dpl_dataset_n_items(d); i++) {
        dpl_image image;
        n += dpl_dataset_image(&image, d, i, NULL) == DPL_OK;
        dpl_image_clear(&image);
    }
    dpl_dataset_close(d);
    return n;
}

/* 15900 x 15900 pixels take 723 of 768 MiB; with the 60 of the archive's file beside them it is
 * more. Without those the picture would be found to have no pixels. */
static void a_picture_in_a_zip_counts_as_memory_while_it_is_decoded(void **state)
{
    static const uint8_t head[33] = {0x89, 'P',  'N', 'G', '\r', '\n', 0x1A, '\n', 0,
                                     0,    0,    13,  'I', 'H',  'D',  'R',  0,    0,
                                     0x3E, 0x1C, 0,   0,   0x3E, 0x1C, 8,    2};
    const size_t n = (size_t)60 << 20;
    uint8_t *png = calloc(n, 1);
    dpl_image image;
    dpl_error err;
    dpl_dataset *d;
    zip_t *zip;

    (void)state;
    assert_non_null(png);
    memcpy(png, head, sizeof head);
    zip = new_zip("large.zip");
    add_member(zip, "a/one.png", png, n);
    assert_int_equal(zip_close(zip), 0);
    free(png);
    d = must_open("large.zip", NULL);
    assert_int_equal(dpl_dataset_image(&image, d, 0, &err), DPL_E_LIMIT);
    assert_non_null(strstr(err.message, "decoding needs"));
    dpl_dataset_close(d);
}

static void damaged_zip_is_survived_at_every_byte(void **state)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xFF};
    uint8_t *bytes, levels[105 * 105], *png;
    zip_t *zip;
    size_t n;

    (void)state;
    for (int i = 0; i < 105 * 105; i++)
        levels[i] = i % 7 ? 255 : 0;
    png = png_of_bits(&n, 105, levels);
    zip = new_zip("good.zip");
    add_member(zip, "a/one.png", png, n);
    assert_int_equal(zip_set_file_compression(zip, 0, ZIP_CM_STORE, 0), 0);
    add_member(zip, "b/two.png", png, n);
    assert_int_equal(zip_close(zip), 0);
    free(png);
    assert_int_equal(survive("good.zip"), 2);
    assert_int_equal(dpli_file_read(&bytes, &n, "good.zip", 1 << 20, NULL), DPL_OK);
    for (size_t cut = 0; cut < n; cut++) {
        write_file("cut.zip", bytes, cut);
        assert_int_equal(survive("cut.zip"), 0);
    }
    /* The first member's content, stored as it is, behind its local header (APPNOTE 4.3.7): there
     * the checksum notices each change. */
    const size_t from = 30 + bytes[26] + bytes[28], to = from + bytes[18] + 256u * bytes[19];
    assert_true(to > from + 50 && to < n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof flips; k++) {
            bytes[i] ^= flips[k];
            write_file("cut.zip", bytes, n);
            const int decoded = survive("cut.zip");
            if (i >= from && i < to)
                assert_int_equal(decoded, 1);
            bytes[i] ^= flips[k];
        }
    free(bytes);
}

typedef struct reader {
    const dpl_dataset *d;
    int bad;
} reader;

static void *read_all(void *ctx)
{
    reader *r = ctx;

    for (int round = 0; round < 20; round++)
        for (int32_t i = 0; i < 64; i++) {
            dpl_image image;
            if (dpl_dataset_image(&image, r->d, i, NULL) != DPL_OK ||
                abs(image.pixels[0] - 4 * i) > 2)
                r->bad++;
            dpl_image_clear(&image);
        }
    return NULL;
}

static void zip_is_read_by_threads_at_once(void **state)
{
    zip_t *zip = new_zip("many.zip");
    pthread_t threads[4];
    reader readers[4];
    dpl_dataset *d;

    (void)state;
    for (int i = 0; i < 64; i++) {
        const uint8_t grey[3] = {(uint8_t)(4 * i), (uint8_t)(4 * i), (uint8_t)(4 * i)};
        char name[32];
        size_t n;
        uint8_t *bytes = jpeg_of(&n, 16, grey);
        snprintf(name, sizeof name, "a/%02d.jpg", i);
        add_member(zip, name, bytes, n);
        dpl_bytes_free(bytes);
    }
    assert_int_equal(zip_close(zip), 0);
    d = must_open("many.zip", NULL);
    for (int i = 0; i < 4; i++) {
        readers[i] = (reader){.d = d};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].bad, 0);
    }
    dpl_dataset_close(d);
}

/* ------------------------------------------------------------------ pixels */

typedef struct warnings {
    int n;
    char last[512];
} warnings;

static void warn(void *ctx, const char *text)
{
    warnings *w = ctx;

    w->n++;
    snprintf(w->last, sizeof w->last, "%s", text);
}

static void drawing_of_the_nets_size_comes_through_unchanged(void **state)
{
    enum { SIDE = 105 };
    uint8_t levels[SIDE * SIDE], *png;
    dpli_rng rng;
    dpli_team *team;
    dpli_pixels *p;
    dpl_dataset *d;
    warnings w = {0};
    size_t n;

    (void)state;
    assert_int_equal(dpli_team_new(&team, 2, NULL), DPL_OK);
    dpli_rng_seed(&rng, 5);
    for (int i = 0; i < SIDE * SIDE; i++)
        levels[i] = dpli_rng_below(&rng, 4) ? 255 : 0;
    png = png_of_bits(&n, SIDE, levels);
    write_file("d/c/1.png", png, n);
    write_file("d/c/3.png", png, n);
    write_file("d/c/2.png", png, n / 8); /* too little of it */
    free(png);
    d = must_open("d", NULL);
    for (int c = 1; c <= 3; c += 2) {
        w.n = 0;
        assert_int_equal(
            dpli_pixels_load(&p, d, 0, SIDE, SIDE, c, NULL, NULL, team, warn, &w, NULL), DPL_OK);
        assert_int_equal(dpli_pixels_bytes(p), 3 * SIDE * SIDE * c);
        assert_int_equal(w.n, 1);
        assert_non_null(strstr(w.last, "2.png\": "));
        assert_null(dpli_pixels_at(p, 1));
        for (int item = 0; item < 3; item += 2)
            for (int i = 0; i < SIDE * SIDE * c; i++)
                assert_int_equal(dpli_pixels_at(p, item)[i], levels[i / c]);
        dpli_pixels_free(p);
    }
    dpl_dataset_close(d);
    dpli_pixels_free(NULL);
    dpli_team_free(team);
}

static void pixels_are_the_encoders_chip_and_its_grey(void **state)
{
    uint8_t chip[30 * 20 * 3];
    dpl_image photo;
    dpli_team *team;
    dpli_pixels *p;
    dpl_dataset *d;
    dpl_error err;
    char line[64];
    size_t n;
    FILE *f;

    (void)state;
    assert_int_equal(dpli_team_new(&team, 2, NULL), DPL_OK);
    uint8_t noise[40 * 45 * 3], *bytes;
    dpli_rng rng;
    dpli_rng_seed(&rng, 6);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)dpli_rng_below(&rng, 256);
    assert_int_equal(dpl_image_from_rgb(&photo, noise, 40, 45, 120, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&bytes, &n, &photo, 95, NULL), DPL_OK);
    dpl_image_clear(&photo);
    write_file("d/c/1.jpg", bytes, n);
    dpl_bytes_free(bytes);
    d = must_open("d", NULL);
    assert_int_equal(dpl_dataset_image(&photo, d, 0, NULL), DPL_OK);
    /* Wider than the chip's proportions: cut at the sides, and reduced. */
    assert_int_equal(dpli_whole_chip(chip, 20, 30, &photo, NULL), DPL_OK);
    assert_int_equal(dpli_pixels_load(&p, d, 0, 30, 20, 3, NULL, NULL, team, NULL, NULL, NULL),
                     DPL_OK);
    assert_memory_equal(dpli_pixels_at(p, 0), chip, 30 * 20 * 3);
    dpli_pixels_free(p);
    assert_int_equal(dpli_pixels_load(&p, d, 0, 30, 20, 1, NULL, NULL, team, NULL, NULL, NULL),
                     DPL_OK);
    for (int i = 0; i < 30 * 20; i++) {
        const uint8_t *rgb = chip + 3 * i;
        const double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        assert_int_equal(dpli_pixels_at(p, 0)[i], (int)(luma + 0.5));
    }
    dpli_pixels_free(p);
    dpl_image_clear(&photo);
    dpl_dataset_close(d);

    /* Paths that are not there are as many as one likes: 2000 * 65535^2 * 3 is 26 TB. */
    f = fopen("many.csv", "w");
    fputs("path,label\n", f);
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof line, "%d.jpg,%d\n", i, i % 2);
        fputs(line, f);
    }
    fclose(f);
    d = must_open("many.csv", NULL);
    assert_int_equal(
        dpli_pixels_load(&p, d, 0, 65535, 65535, 3, NULL, NULL, team, NULL, NULL, &err),
        DPL_E_LIMIT);
    assert_non_null(strstr(err.message, "do not fit into the memory"));
    assert_null(p);
    warnings w = {0};
    assert_int_equal(dpli_pixels_load(&p, d, 0, 8, 8, 3, NULL, NULL, team, warn, &w, &err),
                     DPL_E_INPUT);
    assert_string_equal(err.message, "none of 2000 pictures can be read");
    assert_int_equal(w.n, 2000);
    assert_int_equal(dpli_pixels_load(&p, d, 0, 8, 8, 2, NULL, NULL, team, warn, &w, &err),
                     DPL_E_ARGUMENT);
    dpl_dataset_close(d);
    dpli_team_free(team);
}

/* Photos that each take most of what there is: threads take turns, and none is refused. Without a
 * budget eight of them would be decoded at once. */
static void pictures_for_training_keep_to_one_memory_for_all_threads(void **state)
{
    enum { SIDE = 3000, N = 16, LIMIT_MIB = 40 };
    const dpl_decode_options usual = DPL_DECODE_OPTIONS_INIT;
    dpl_decode_options limits = usual;
    dpl_image photo;
    uint8_t *grey = malloc((size_t)SIDE * SIDE * 3), *bytes;
    struct rusage before, after;
    warnings w = {0};
    dpli_team *team;
    dpli_pixels *p;
    dpl_dataset *d;
    dpl_error err;
    size_t n;
    int ends[2], status;
    pid_t child;
    long kib = -1;

    (void)state;
    assert_non_null(grey);
    memset(grey, 90, (size_t)SIDE * SIDE * 3);
    assert_int_equal(dpl_image_from_rgb(&photo, grey, SIDE, SIDE, SIDE * 3, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&bytes, &n, &photo, 50, NULL), DPL_OK);
    dpl_image_clear(&photo);
    free(grey);
    for (int i = 0; i < N; i++) {
        char name[32];

        snprintf(name, sizeof name, "d/c%d/%d.jpg", i % 2, i);
        write_file(name, bytes, n);
    }
    dpl_bytes_free(bytes);
    d = must_open("d", NULL);
    limits.max_bytes = (size_t)LIMIT_MIB << 20;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what is freed */
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        mallopt(M_ARENA_MAX, 1); /* as the program does */
        if (getrusage(RUSAGE_SELF, &before) == 0 && dpli_team_new(&team, 8, NULL) == DPL_OK &&
            dpli_pixels_load(&p, d, 0, 20, 20, 3, NULL, &limits, team, NULL, NULL, NULL) ==
                DPL_OK &&
            getrusage(RUSAGE_SELF, &after) == 0)
            kib = after.ru_maxrss - before.ru_maxrss;
        _exit(write(ends[1], &kib, sizeof kib) == sizeof kib ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &kib, sizeof kib), sizeof kib);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    print_message("8 threads: %ld MiB\n", kib >> 10);
    /* A quarter for the files, and what threads and rows of a picture take. */
    assert_in_range(kib, 1, (LIMIT_MIB + LIMIT_MIB / 4 + 8) << 10);
#else
    (void)before, (void)after, (void)ends, (void)status, (void)child, (void)kib;
#endif

    assert_int_equal(dpli_team_new(&team, 2, NULL), DPL_OK);
    limits.max_bytes = (size_t)10 << 20;
    assert_int_equal(dpli_pixels_load(&p, d, 0, 20, 20, 3, NULL, &limits, team, warn, &w, &err),
                     DPL_E_INPUT);
    assert_int_equal(w.n, N);
    assert_non_null(strstr(w.last, "MiB (--max-memory); the picture is left out"));
    limits = usual;
    limits.max_pixels = SIDE * SIDE - 1;
    assert_int_equal(dpli_pixels_load(&p, d, 0, 20, 20, 3, NULL, &limits, team, warn, &w, &err),
                     DPL_E_INPUT);
    assert_non_null(strstr(w.last, "(--max-pixels); the picture is left out"));
    dpl_dataset_close(d);
    dpli_team_free(team);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(folder_is_a_class_and_its_parent_a_group),
        TEST(pictures_for_training_keep_to_one_memory_for_all_threads),
        TEST(zip_is_as_its_folder),
        TEST(csv_is_as_it_says),
        TEST(csv_may_say_stratum_and_role),
        TEST(csv_that_is_wrong_is_refused_by_line),
        TEST(csv_of_any_bytes_is_read_or_refused),
        TEST(options_leave_out_what_is_asked),
        TEST(links_that_lead_back_end),
        TEST(zip_with_bad_names_is_refused),
        TEST(zip_with_a_name_twice_is_refused),
        TEST(zip_that_unpacks_to_too_much_is_refused),
        TEST(a_picture_in_a_zip_counts_as_memory_while_it_is_decoded),
        TEST(damaged_zip_is_survived_at_every_byte),
        TEST(zip_is_read_by_threads_at_once),
        TEST(drawing_of_the_nets_size_comes_through_unchanged),
        TEST(pixels_are_the_encoders_chip_and_its_grey),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
