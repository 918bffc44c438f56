/*
 * test_export.c - export and import: nothing is lost on the way, and a file that is wrong anywhere
 * changes nothing and is told with its line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

static dpl_error err;

static dpl_status import_text(dpl_gallery *gallery, const char *text, size_t n)
{
    int64_t n_photos, n_templates;

    kit_write("in.jsonl", text, n);
    return dpl_gallery_import(gallery, "in.jsonl", &n_photos, &n_templates, &err);
}

/* A gallery with everything that is hard to write down. */
static char *odd_gallery(const char *dir)
{
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    char *text;

    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "\xc3\xa9\"\\\n\x01", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "empty", "", &err), &err);
    kit_put_well(gallery, 1, "/latin-1 \xe9.jpg", "Ren\xe9", 2);
    kit_put_well(gallery, 2, "/utf-8 \xc3\xa9\xf0\x9f\x98\x80.jpg", "Ren\xc3\xa9", 3);
    kit_put_well(gallery, 3, "/\n\t\x7f\"quoted\".jpg", "\n", 1);
    kit_put_well(gallery, 4, "/overlong \xc0\xaf.jpg", "surrogate \xed\xa0\x80", 2);
    kit_put_well(gallery, 5, "/nobody.jpg", NULL, 1);
    kit_put_well(gallery, 9, "/refused.jpg", "Ren\xc3\xa9", 0);
    /* Ids with gaps, in the middle and at the end. */
    kit_put_well(gallery, 6, "/nobody.jpg", NULL, 2);
    kit_put_well(gallery, 7, "/last.jpg", "last", 2);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "last", NULL, 0, 0, &err), &err);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    return text;
}

static void export_import_export_is_byte_identical(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text = odd_gallery(dir), *again;
    dpl_gallery *gallery = kit_open(other, DPL_GALLERY_CREATE);
    dpl_gallery_counts counts;
    int64_t n_photos, n_templates;

    (void)state;
    kit_write("in.jsonl", text, strlen(text));
    kit_expect(DPL_OK, dpl_gallery_import(gallery, "in.jsonl", &n_photos, &n_templates, &err),
               &err);
    assert_int_equal(n_photos, 6);
    assert_int_equal(n_templates, 10);
    again = kit_dump(gallery);
    assert_string_equal(again, text);
    assert_true(strlen(text) > 5000);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_templates_image, 3);
    assert_string_equal(kit_setting(gallery, "model.face.hash"), KIT_HASH);
    kit_check(gallery);
    /* The ids that were gone there do not come back here. */
    kit_put_well(gallery, 8, "/new.jpg", "new", 1);
    free(again);
    again = kit_dump(gallery);
    assert_non_null(strstr(again, "{\"type\":\"person\",\"id\":6,\"name\":\"new\"}"));
    assert_non_null(strstr(again, "\"type\":\"photo\",\"id\":8,"));
    assert_non_null(strstr(again, "\"type\":\"template\",\"id\":14,"));
    free(again);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

static dpl_status same_as_made(void *ctx, const dpl_template_row *row)
{
    const kit_photo *p = ctx;
    const dpl_new_template *t = &p->templates[row->id - 1];

    assert_memory_equal(&row->face, &t->face, sizeof t->face);
    assert_memory_equal(row->vector, t->vector, (size_t)t->dim * sizeof(float));
    assert_memory_equal(row->thumb, t->thumb, t->n_thumb);
    return DPL_OK;
}

static void every_bit_of_a_number_passes_through_an_export(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/a.jpg", "ann", 4);
    p.templates[0].face.x_px = 16777217.0f / 3;
    p.templates[0].face.y_px = 1.17549435e-38f / 8; /* below the least normal number */
    p.templates[0].face.w_px = 3.40282347e38f;
    p.templates[0].face.h_px = 0.1f;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    gallery = kit_open(other, DPL_GALLERY_CREATE);
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    kit_expect(DPL_OK, dpl_gallery_each_template(gallery, NULL, NULL, same_as_made, &p, &err),
               &err);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

static void any_gallery_survives_the_round_trip(void **state)
{
    const char *given = getenv("DOPPEL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    dpli_rng rng;

    (void)state;
    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    for (int round = 0; round < UNLESS_SLOWED(10, 3); round++) {
        char *dir = kit_folder(), *other = kit_folder(), *text, *again;
        dpl_gallery *gallery = kit_new(dir);
        int n = (int)dpli_rng_below(&rng, 12);

        for (int i = 0; i < n; i++) {
            char path[16] = "/", person[8] = "";

            /* Bytes of any value but 0, from few of them so that they meet again. */
            for (size_t k = 1; k < 1 + dpli_rng_below(&rng, 12); k++)
                path[k] = (char)(1 + dpli_rng_below(&rng, 255));
            for (size_t k = 0; k < 1 + dpli_rng_below(&rng, 2); k++)
                person[k] = "a\xc3\xa9\xff\n\xf0"[dpli_rng_below(&rng, 6)];
            kit_put_well(gallery, dpli_rng_u64(&rng), path, dpli_rng_below(&rng, 4) ? person : NULL,
                         dpli_rng_below(&rng, 4));
        }
        text = kit_dump(gallery);
        dpl_gallery_close(gallery);
        gallery = kit_open(other, DPL_GALLERY_CREATE);
        kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
        again = kit_dump(gallery);
        assert_string_equal(again, text);
        dpl_gallery_close(gallery);
        free(again);
        free(text);
        kit_drop(other);
        kit_drop(dir);
    }
}

static void an_import_adds_to_what_is_there(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text, *after;
    dpl_gallery *gallery = kit_new(dir);
    dpl_gallery_counts counts;
    char identity[33];
    int64_t before, now;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 2, "/b.jpg", "bob", 3);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);

    gallery = kit_new(other);
    kit_put_well(gallery, 5, "/x.jpg", "xaver", 1);
    kit_put_well(gallery, 7, "/b.jpg", "solo", 1); /* becomes bob's, and solo vanishes */
    kit_put_well(gallery, 9, "/c.jpg", "ann", 1);  /* has the same name as theirs */
    kit_expect(DPL_OK, gallery->store->ops->generation(gallery->store, &before, identity, &err),
               &err);
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    kit_expect(DPL_OK, gallery->store->ops->generation(gallery->store, &now, identity, &err), &err);
    assert_int_equal(now, before + 1);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_persons, 3);
    assert_int_equal(counts.n_photos, 4);
    assert_int_equal(counts.n_templates_face, 6);
    assert_int_equal(counts.n_templates_image, 1);
    after = kit_dump(gallery);
    assert_null(strstr(after, "solo"));
    assert_non_null(strstr(after, "{\"type\":\"person\",\"id\":3,\"name\":\"ann\"}\n"));
    assert_non_null(strstr(after, "{\"type\":\"person\",\"id\":4,\"name\":\"bob\"}\n"));
    free(after);
    /* Twice is once. */
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_templates_face, 6);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

static void another_models_vectors_are_not_imported(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text, *before, *after, *hash;
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "none", &err), &err);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    gallery = kit_new(other);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 1);
    before = kit_dump(gallery);
    hash = strstr(text, KIT_HASH);
    assert_non_null(hash);
    hash[0] = 'f';
    kit_expect(DPL_E_MISMATCH, import_text(gallery, text, strlen(text)), &err);
    assert_non_null(strstr(err.message, "\"in.jsonl:3\": "));
    assert_non_null(strstr(err.message, "model \"kit\""));
    hash[0] = '0';
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    /* A setting counts as much. */
    kit_expect(DPL_OK, gallery->store->ops->begin(gallery->store, true, &err), &err);
    kit_expect(DPL_OK, gallery->store->ops->set_setting(gallery->store, "detect", "yunet", &err),
               &err);
    kit_expect(DPL_OK, gallery->store->ops->end(gallery->store, DPL_OK, &err), &err);
    kit_expect(DPL_E_MISMATCH, import_text(gallery, text, strlen(text)), &err);
    assert_non_null(strstr(err.message, "\"in.jsonl:2\": "));
    after = kit_dump(gallery);
    assert_non_null(strstr(after, "yunet"));
    free(after);
    free(before);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ files that are wrong */

/* A copy of text with the first old after mark replaced. */
static char *changed(const char *text, const char *mark, const char *old, const char *new)
{
    const char *from = strstr(text, mark), *at = from ? strstr(from, old) : NULL;
    char *copy = malloc(strlen(text) + strlen(new) + 1);

    assert_non_null(copy);
    if (!at)
        print_error("\"%s\" is not after \"%s\"\n", old, mark);
    assert_non_null(at);
    memcpy(copy, text, (size_t)(at - text));
    strcpy(copy + (at - text), new);
    strcat(copy, at + strlen(old));
    return copy;
}

static void a_file_that_is_wrong_anywhere_changes_nothing(void **state)
{
    static const struct {
        const char *mark, *old, *new;
        int line;
        dpl_status status;
        const char *message;
    } cases[] = {
        {"", "{\"schema", "[\"schema", 1, DPL_E_INPUT, "no JSON"},
        {"", "doppel.export/1", "doppel.export/2", 1, DPL_E_INPUT, "doppel.export/2"},
        {"", "\"schema\"", "\"scheme\"", 1, DPL_E_INPUT, "\"schema\" is missing"},
        {"", "\"person\":2", "\"person\":\"2\"", 1, DPL_E_INPUT, "not an integer"},
        {"", "\"person\":2", "\"person\":1", 5, DPL_E_INPUT, "the last in the header"},
        {"", "\"photo\":2", "\"photo\":1", 7, DPL_E_INPUT, "the last in the header"},
        {"", "\"template\":4", "\"template\":3", 11, DPL_E_INPUT, "the last in the header"},
        {"", "\"template\":4", "\"template\":9223372036854775806", 1, DPL_E_INPUT, "allowed is 0"},
        {"", "\"template\":4", "\"template\":4,\"more\":1", 1, DPL_E_INPUT, "a key"},
        {"", "\"type\":\"model\"", "\"type\":\"model\",\"type\":\"model\"", 2, DPL_E_INPUT,
         "duplicate"},
        {"", "\"type\":\"model\"", "\"type\":\"modal\"", 2, DPL_E_INPUT, "no type of line"},
        {"", "\"hash\":\"0", "\"hash\":\"", 2, DPL_E_INPUT, "64 lower-case hex"},
        {"", "\"dim\":8", "\"dim\":0", 2, DPL_E_INPUT, "allowed is 1"},
        {"", "\"dim\":8", "\"dim\":99999999", 2, DPL_E_INPUT, "allowed is 1"},
        {"", "\"dim\":8", "\"dim\":9", 8, DPL_E_MISMATCH, "has 8 numbers"},
        {"", "\"space\":\"face\"", "\"space\":\"fake\"", 2, DPL_E_INPUT, "neither"},
        {"\"name\":\"ann\"", "ann", "", 4, DPL_E_INPUT, "empty"},
        {"\"name\":\"ann\"", "ann", "bob", 5, DPL_E_INPUT, "there twice"},
        {"\"name\":\"ann\"", "ann", "a\\u0000b", 4, DPL_E_INPUT, "no JSON"},
        {"\"name\":\"ann\"", "ann", "a\xff", 4, DPL_E_INPUT, "no JSON"},
        {"\"name\":\"ann\"", "\"name\":\"ann\"", "\"name_base64\":\"YQBi\"", 4, DPL_E_INPUT,
         "zero byte"},
        {"\"name\":\"ann\"", "\"name\":\"ann\"", "\"name_base64\":\"YQ=\"", 4, DPL_E_INPUT,
         "base64"},
        {"\"name\":\"ann\"", "\"name\":\"ann\"", "\"name_base64\":\"\"", 4, DPL_E_INPUT, "empty"},
        {"\"name\":\"ann\"", "\"name\":\"ann\"", "\"name_base64\":\"YQ==\",\"name\":\"a\"", 4,
         DPL_E_INPUT, "a key"},
        {"\"type\":\"person\"", "\"id\":1", "\"id\":0", 4, DPL_E_INPUT, "allowed is 1"},
        {"\"type\":\"person\"", "\"id\":1", "\"id\":2", 5, DPL_E_INPUT, "does not rise"},
        {"\"type\":\"person\"", "\"id\":1", "\"id\":1e0", 4, DPL_E_INPUT, "not an integer"},
        {"\"type\":\"person\"", "\"id\":1", "\"id\":9223372036854775808", 4, DPL_E_INPUT,
         "no JSON"},
        {"\"type\":\"photo\"", "/a.jpg", "a.jpg", 6, DPL_E_INPUT, "not absolute"},
        {"\"type\":\"photo\"", "/a.jpg", "/b.jpg", 7, DPL_E_INPUT, "there twice"},
        {"\"type\":\"photo\"", "\"person\":1", "\"person\":3", 6, DPL_E_INPUT, "no person 3"},
        {"\"type\":\"photo\"", "\"OK\"", "\"E_FINE\"", 6, DPL_E_INPUT, "no status"},
        {"\"type\":\"photo\"", "\"sha256\":\"", "\"sha256\":\"z", 6, DPL_E_LIMIT, "64 bytes"},
        {"\"type\":\"photo\"", "\"n_faces\":", "\"n_faces\":-", 6, DPL_E_INPUT, "allowed is 0"},
        {"\"type\":\"photo\"", "\"reason\":\"\",", "", 6, DPL_E_INPUT, "\"reason\" is missing"},
        {"\"type\":\"template\"", "\"photo\":1", "\"photo\":7", 8, DPL_E_INPUT, "no photo 7"},
        {"\"type\":\"template\"", "\"space\":\"face\"", "\"space\":\"image\"", 8, DPL_E_MISMATCH,
         "has 8 numbers"},
        {"\"type\":\"template\"", "\"x_px\":", "\"x_px\":1e39,\"z_px\":", 8, DPL_E_NUMERIC,
         "\"x_px\" is beyond"},
        {"\"type\":\"template\"", "\"y_px\":", "\"z_px\":", 8, DPL_E_INPUT, "\"y_px\" is missing"},
        {"\"type\":\"template\"", "\"weakest\":\"sharpness\"", "\"weakest\":\"sharpness and more\"",
         8, DPL_E_INPUT, "over 15 bytes"},
        {"\"type\":\"template\"", "\"vector\":\"", "\"vector\":\"AACAfw", 8, DPL_E_INPUT, ""},
        {"\"type\":\"template\"", "\"vector\":\"", "\"vector\":\"AADAfwAAAAAAAAAA", 8,
         DPL_E_MISMATCH, "numbers"},
        {"", "\"head\":\"cosine\"", "\"head\":\"cousin\"", 2, DPL_E_INPUT, "\"cousin\" is unknown"},
        {"", "\"space\":\"image\"", "\"space\":\"face\"", 3, DPL_E_INPUT,
         "face model is there twice"},
        {"", "{\"type\":\"model\"",
         "{\"type\":\"setting\",\"key\":\"detect\",\"value\":\"none\"}\n"
         "{\"type\":\"setting\",\"key\":\"detect\",\"value\":\"faces\"}\n{\"type\":\"model\"",
         3, DPL_E_INPUT, "setting \"detect\" comes after"},
        {"\"type\":\"photo\"", "/a.jpg", "/x/..//b.jpg", 7, DPL_E_INPUT, "there twice"},
        {"\"type\":\"template\"", "\"thumb\":\"", "\"thumb\":\"AAAA", 8, DPL_E_INPUT,
         "\"thumb\" is no whole JPEG"},
        {"\"type\":\"template\"", "\"thumb\":\"/9j/", "\"thumb\":\"/9j//9j/", 8, DPL_E_INPUT,
         "\"thumb\" is no whole JPEG"},
        {"\"type\":\"template\"", "\"thumb\":\"", "\"thumb\":\"!", 8, DPL_E_INPUT, "\"thumb\""},
        {"\"type\":\"template\"", "\"thumb\":", "\"thump\":", 8, DPL_E_INPUT, "a key"},
        {"\"type\":\"end\"", "\"templates\":4", "\"templates\":5", 12, DPL_E_INPUT, "the end says"},
        {"\"type\":\"end\"", "}", "}\n{\"type\":\"person\",\"id\":9,\"name\":\"z\"}", 13,
         DPL_E_INPUT, "after the end"},
        {"", "{\"type\":\"photo\",\"id\":2",
         "{\"type\":\"setting\",\"key\":\"k\",\"value\":\"v\"}\n{\"type\":\"photo\",\"id\":2", 7,
         DPL_E_INPUT, "after the photos"},
        {"", "{\"type\":\"end\"",
         "{\"type\":\"end\",\"settings\":0,\"models\":2,\"persons\":2,\"photos\":2,"
         "\"templates\":4}\n{\"type\":\"end\"",
         13, DPL_E_INPUT, "after the end"},
        {"", "{\"type\":\"end\"", "\n{\"type\":\"end\"", 12, DPL_E_INPUT, "no JSON"},
        {"", "{\"type\":\"end\"", "[]\n{\"type\":\"end\"", 12, DPL_E_INPUT, "not a JSON object"},
    };
    char *dir = kit_folder(), *other = kit_folder(), *text, *before;
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 3 + 2, "/b.jpg", "bob", 2);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    gallery = kit_open(other, DPL_GALLERY_CREATE);
    before = kit_dump(gallery);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *wrong = changed(text, cases[i].mark, cases[i].old, cases[i].new), where[32], *after;
        dpl_status status = import_text(gallery, wrong, strlen(wrong));

        snprintf(where, sizeof where, "\"in.jsonl:%d\": ", cases[i].line);
        if (status != cases[i].status || !strstr(err.message, cases[i].message) ||
            !strstr(err.message, where))
            print_error("case %zu (%s): %s\n", i, cases[i].new,
                        status == DPL_OK ? "" : err.message);
        kit_expect(cases[i].status, status, &err);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_non_null(strstr(err.message, where));
        after = kit_dump(gallery);
        assert_string_equal(after, before);
        free(after);
        free(wrong);
    }
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    free(before);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

static void a_vector_without_a_direction_is_not_imported(void **state)
{
    char *dir = kit_folder(), *text, *vector;
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    text = kit_dump(gallery);
    vector = strstr(text, "\"vector\":\"");
    assert_non_null(vector);
    memcpy(vector + 10, "AADAfwAAwH8AAMB/", 16); /* three NaNs */
    kit_expect(DPL_E_NUMERIC, import_text(gallery, text, strlen(text)), &err);
    assert_non_null(strstr(err.message, "number 0"));
    memset(vector + 10, 'A', 43); /* all zero: by the cosine without a direction */
    kit_expect(DPL_E_NUMERIC, import_text(gallery, text, strlen(text)), &err);
    assert_non_null(strstr(err.message, "all zero"));
    free(text);
    kit_end(gallery, dir);
}

static void a_file_cut_off_anywhere_is_refused(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);
    dpl_gallery_counts counts;
    size_t n;

    (void)state;
    kit_put_well(gallery, 4, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 1, "/b.jpg", "bob", 0);
    text = kit_dump(gallery);
    n = strlen(text);
    dpl_gallery_close(gallery);
    gallery = kit_open(other, DPL_GALLERY_CREATE);
    for (size_t cut = 0; cut + 1 < n; cut += IS_UNDER_VALGRIND ? 7 : 1) {
        kit_expect(DPL_E_INPUT, import_text(gallery, text, cut), &err);
        assert_non_null(strstr(err.message, "in.jsonl:"));
    }
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_photos + counts.n_persons, 0);
    /* The last line's end may be missing. */
    kit_expect(DPL_OK, import_text(gallery, text, n - 1), &err);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

static void a_line_without_end_is_refused_before_it_fills_memory(void **state)
{
    size_t n = (size_t)DPLI_EXPORT_LINE_MAX_BYTES + 1;
    char *dir = kit_folder(), *text = malloc(n);
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', n);
    kit_expect(DPL_E_LIMIT, import_text(gallery, text, n), &err);
    assert_non_null(strstr(err.message, "4 MiB"));
    free(text);
    kit_end(gallery, dir);
}

/* The limits of gallery.h promise that any line that an export writes can be read. */
static void the_largest_rows_pass_through_an_export(void **state)
{
    static char path[DPLI_PATH_MAX_BYTES + 1], name[DPLI_NAME_MAX_BYTES + 1],
        value[DPLI_SETTING_MAX_BYTES + 1];
    static uint8_t thumb[DPLI_THUMB_MAX_BYTES];
    static float vector[DPLI_DIM_MAX];
    dpli_binding binding = {"face", KIT_HASH, name, "euclidean", DPLI_DIM_MAX, NULL, NULL};
    char *dir = kit_folder(), *other = kit_folder(), *text, *again;
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_CREATE);
    kit_photo p;

    (void)state;
    memset(path, '\x01', sizeof path - 1);
    memset(name, '\x01', sizeof name - 1);
    memset(value, '\x01', sizeof value - 1);
    path[0] = '/';
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &binding, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, name, value, &err), &err);
    kit_photo_make(&p, 1, "/", name, 1);
    p.photo.row.path = path;
    p.photo.row.person = p.photo.row.reason = p.photo.row.options = name;
    memcpy(thumb, p.thumbs[0], KIT_THUMB);
    p.templates[0].thumb = thumb;
    p.templates[0].n_thumb = sizeof thumb;
    p.templates[0].vector = vector;
    p.templates[0].dim = DPLI_DIM_MAX;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    gallery = kit_open(other, DPL_GALLERY_CREATE);
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    again = kit_dump(gallery);
    assert_true(strcmp(again, text) == 0);
    free(again);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

/* C1, DEL and marks that turn the direction of writing drive or mislead a terminal. */
static void an_export_carries_no_character_that_drives_a_terminal(void **state)
{
    static const char name[] = "a\x7f"
                               "b\xc2\x9b"
                               "c\xe2\x80\xae"
                               "d\xf3\xa0\x80\x81"
                               "e\xc3\xa9";
    char *dir = kit_folder(), *other = kit_folder(), *text, *again;
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", name, 1);
    text = kit_dump(gallery);
    assert_non_null(strstr(text, "\"a\\u007fb\\u009bc\\u202ed\\udb40\\udc01e\xc3\xa9\""));
    dpl_gallery_close(gallery);
    gallery = kit_open(other, DPL_GALLERY_CREATE);
    kit_expect(DPL_OK, import_text(gallery, text, strlen(text)), &err);
    again = kit_dump(gallery);
    assert_string_equal(again, text);
    free(again);
    free(text);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

/* Squares of larger numbers are beyond a float32. */
static void a_vector_too_long_to_be_compared_is_not_taken(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/a.jpg", "ann", 1);
    p.vectors[0][3] = -1.1e16F;
    kit_expect(DPL_E_NUMERIC, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    assert_non_null(strstr(err.message, "number 3 of a face vector is -1.1e+16, limit is 1e+16"));
    p.vectors[0][3] = 1e16F;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ where it goes */

static void an_export_is_private_and_replaces_only_when_whole(void **state)
{
    char *dir = kit_folder(), *old;
    dpl_gallery *gallery = kit_new(dir);
    mode_t before = umask(0);
    struct stat st;
    size_t n;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_expect(DPL_OK, dpl_gallery_export(gallery, "out.jsonl", &err), &err);
    assert_int_equal(stat("out.jsonl", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    kit_write("out.jsonl", "old", 3);
    kit_exec(gallery, "UPDATE template SET vector = x'00'");
    kit_expect(DPL_E_GALLERY, dpl_gallery_export(gallery, "out.jsonl", &err), &err);
    old = kit_read("out.jsonl", &n);
    assert_int_equal(n, 3);
    free(old);
    unlink("out.jsonl");
    kit_expect(DPL_E_SYSTEM, dpl_gallery_export(gallery, "missing/out.jsonl", &err), &err);
    assert_non_null(strstr(err.message, "missing/out.jsonl"));
    umask(before);
    kit_end(gallery, dir);
}

static void minus_is_standard_output_and_input(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text, *piped;
    dpl_gallery *gallery = kit_new(dir);
    int saved = dup(1);
    int64_t n_photos, n_templates;
    size_t n;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    text = kit_dump(gallery);
    fflush(stdout);
    assert_non_null(freopen("piped.jsonl", "wb", stdout));
    kit_expect(DPL_OK, dpl_gallery_export(gallery, "-", &err), &err);
    /* A full disk behind it is seen. */
    assert_non_null(freopen("/dev/full", "wb", stdout));
    kit_expect(DPL_E_SYSTEM, dpl_gallery_export(gallery, "-", &err), &err);
    assert_true(dup2(saved, 1) == 1);
    clearerr(stdout);
    close(saved);
    assert_non_null(strstr(err.message, "standard output"));
    piped = kit_read("piped.jsonl", &n);
    assert_string_equal(piped, text);
    dpl_gallery_close(gallery);

    gallery = kit_open(other, DPL_GALLERY_CREATE);
    assert_non_null(freopen("piped.jsonl", "rb", stdin));
    kit_expect(DPL_OK, dpl_gallery_import(gallery, "-", &n_photos, &n_templates, &err), &err);
    assert_int_equal(n_templates, 1);
    kit_expect(DPL_E_INPUT, dpl_gallery_import(gallery, "missing", &n_photos, &n_templates, &err),
               &err);
    assert_non_null(strstr(err.message, "\"missing\""));
    dpl_gallery_close(gallery);
    unlink("piped.jsonl");
    free(piped);
    free(text);
    kit_drop(other);
    kit_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export_import_export_is_byte_identical),
        cmocka_unit_test(every_bit_of_a_number_passes_through_an_export),
        cmocka_unit_test(any_gallery_survives_the_round_trip),
        cmocka_unit_test(an_import_adds_to_what_is_there),
        cmocka_unit_test(another_models_vectors_are_not_imported),
        cmocka_unit_test(a_file_that_is_wrong_anywhere_changes_nothing),
        cmocka_unit_test(a_vector_without_a_direction_is_not_imported),
        /* Thousands of imports; what reads the file knows of no keeper. */
        kit_unit_test_of_folder(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_line_without_end_is_refused_before_it_fills_memory),
        cmocka_unit_test(an_export_carries_no_character_that_drives_a_terminal),
        cmocka_unit_test(a_vector_too_long_to_be_compared_is_not_taken),
        cmocka_unit_test(the_largest_rows_pass_through_an_export),
        cmocka_unit_test(an_export_is_private_and_replaces_only_when_whole),
        cmocka_unit_test(minus_is_standard_output_and_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
