/*
 * The whole jobs on the bundled photos and the shipped models: enrolment again and again,
 * verification, claims, queries.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "doppel/doppel.h"
#include "index/gallery.h"
#include "index/store_sqlite.h"
#include "tests/folder_kit.h"
#include "tests/index/gallery_kit.h"

#define DEMO     DPL_SOURCE_DIR "/demo/"
#define OBAMA    DEMO "people/Barack Obama/official-portrait.jpg"
#define OBAMA_2  DEMO "people/Barack Obama/blue-room.jpg"
#define BIDEN    DEMO "people/Joe Biden/blue-room.jpg"
#define COLLINS  DEMO "people/Eileen Collins/nasa-portrait.jpg"
#define CURIE    DEMO "people/Marie Curie/portrait.png"
#define CONGRESS DEMO "congress.jpg"
#define GROUP    DEMO "group.jpg"
#define STRANGER DEMO "stranger.jpg"
#define STANDIN  DPL_SOURCE_DIR "/tests/standins/"

/* ------------------------------------------------------------------ what every test uses */

static dpl_pipeline *pipeline; /* of the shipped models */
static char root[64];          /* fresh for each test: photos/ and gallery */
static char *database;         /* where the gallery is instead; NULL: nowhere else */

static dpl_pipeline *open_pipeline(const char *detector, const char *encoder, const char *image)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *p;
    dpl_error err = {0};

    o.detector_path = detector;
    o.encoder_path = encoder;
    o.image_path = image;
    if (dpl_pipeline_open(&p, &o, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return p;
}

static int set_up_all(void **state)
{
    (void)state;
    pipeline =
        open_pipeline(DPL_MODELS_DIR "/face-detect.onnx", DPL_MODELS_DIR "/face-105.onnx", NULL);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    dpl_pipeline_close(pipeline);
    return 0;
}

static const char *at(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/doppel-jobs-XXXXXX");
    database = kit_is_database() ? kit_folder() : NULL;
    return mkdtemp(root) && mkdir(at("photos"), 0700) == 0 ? 0 : -1;
}

static void drop_gallery(void)
{
    if (database)
        kit_drop(database);
    else
        assert_int_equal(folder_remove(at("gallery")), 0);
    database = kit_is_database() ? kit_folder() : NULL;
}

static int tear_down(void **state)
{
    (void)state;
    if (database)
        kit_drop(database);
    return folder_remove(root);
}

/* Copy a photo to photos/NAME, making the folders on the way. */
static void put(const char *from, const char *name)
{
    char path[256];
    uint8_t *bytes;
    size_t n;

    snprintf(path, sizeof path, "%s/photos/%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    assert_int_equal(dpli_file_read(&bytes, &n, from, 1 << 24, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(path, bytes, n, NULL), DPL_OK);
    free(bytes);
}

static dpl_gallery *open_gallery(dpl_gallery_mode mode)
{
    dpl_gallery *g;
    dpl_error err = {0};

    if (dpl_gallery_open(&g, database ? database : at("gallery"), mode, &err) != DPL_OK)
        fail_msg("%s", err.message);
    if (mode != DPL_GALLERY_READ)
        kit_seal(g);
    return g;
}

static const char *setting(dpl_gallery *g, const char *key)
{
    const char *value;

    assert_int_equal(dpl_gallery_setting(&value, g, key, NULL), DPL_OK);
    return value;
}

/* Everything that happened in a run: "OUTCOME person status; ". */
typedef struct events {
    char text[4096];
    int n_with_chips;
    volatile int cancel_after; /* events; 0: never */
    volatile int cancel;
    char last_message[512];
} events;

static void take_event(void *ctx, const dpl_enroll_event *e)
{
    static const char *const words[] = {"added", "updated", "unchanged",
                                        "moved", "refused", "pruned"};
    events *v = ctx;
    const size_t n = strlen(v->text);

    snprintf(v->text + n, sizeof v->text - n, "%s%s %s", n ? "; " : "", words[e->outcome],
             e->person ? e->person : "-");
    if (e->status != DPL_OK)
        snprintf(v->text + strlen(v->text), sizeof v->text - strlen(v->text), " %s",
                 dpl_status_name(e->status));
    snprintf(v->last_message, sizeof v->last_message, "%s", e->message);
    v->n_with_chips += e->photo && e->photo->chips;
    if (v->cancel_after > 0 && --v->cancel_after == 0)
        dpl_cancel(&v->cancel);
}

static dpl_enroll_report enroll(events *v, const dpl_pipeline *p, const char *path,
                                dpl_enroll_options o, dpl_status wanted)
{
    dpl_gallery *g = open_gallery(DPL_GALLERY_CREATE);
    dpl_enroll_report report;
    dpl_error err = {0};

    v->text[0] = '\0';
    o.on_event = take_event;
    o.ctx = v;
    o.cancel = &v->cancel;
    if (dpl_enroll(&report, g, p, &path, 1, &o, &err) != wanted)
        fail_msg("not %s: %s", dpl_status_name(wanted), err.message);
    dpl_gallery_close(g);
    return report;
}

static dpl_enroll_report enroll_photos(events *v)
{
    return enroll(v, pipeline, at("photos"), (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
}

static dpl_photo open_photo(const dpl_pipeline *p, const char *path)
{
    dpl_scratch *scratch;
    dpl_photo photo;
    dpl_error err = {0};

    assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
    if (dpl_photo_open(&photo, p, scratch, path, &err) != DPL_OK)
        fail_msg("%s", err.message);
    dpl_scratch_free(scratch);
    return photo;
}

static dpl_policy policy_of(const dpl_pipeline *p, double fmr, double threshold)
{
    dpl_policy policy;
    dpl_error err = {0};

    if (dpl_policy_make(&policy, dpl_pipeline_calibration(p), fmr, threshold, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return policy;
}

/* ------------------------------------------------------------------ limits */

/* The least memory with which a file's bytes are decoded. */
static size_t least_bytes(const uint8_t *bytes, size_t n)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    size_t low = 0, high = options.max_bytes;

    while (high - low > 1) {
        dpl_image image;
        dpl_status status;

        options.max_bytes = low + (high - low) / 2;
        status = dpl_image_decode(&image, bytes, n, &options, NULL);
        dpl_image_clear(&image);
        *(status == DPL_OK ? &high : &low) = options.max_bytes;
    }
    return high;
}

/* What each way through a photo's file says when decoding may take max_bytes. */
static void must_say(dpl_status wanted, size_t max_bytes)
{
    static const char *const names[] = {CURIE};
    const dpl_pictures pictures = {.n = 1, .names = names};
    dpl_embed_options embed = DPL_EMBED_OPTIONS_INIT;
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_enroll_report report;
    dpl_embeddings embeddings;
    dpl_scratch *scratch;
    dpl_pipeline *p;
    dpl_gallery *g;
    dpl_photo photo;

    o.encoder_path = DPL_MODELS_DIR "/face-105.onnx";
    o.decode.max_bytes = max_bytes;
    embed.n_threads = 1;
    assert_int_equal(dpl_pipeline_open(&p, &o, NULL), DPL_OK);
    assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
    assert_int_equal(dpl_photo_open(&photo, p, scratch, CURIE, NULL), wanted);
    dpl_photo_clear(&photo);
    assert_int_equal(dpl_embed(&embeddings, p, &pictures, &embed, NULL), DPL_OK);
    assert_int_equal(embeddings.errors[0] ? embeddings.errors[0]->status : DPL_OK, wanted);
    dpl_embeddings_clear(&embeddings);
    g = open_gallery(DPL_GALLERY_CREATE);
    assert_int_equal(dpl_enroll(&report, g, p, names, 1, NULL, NULL), DPL_OK);
    assert_int_equal(report.worst, wanted);
    dpl_gallery_close(g);
    dpl_scratch_free(scratch);
    dpl_pipeline_close(p);
}

static void the_file_counts_as_memory_while_it_is_decoded(void **state)
{
    uint8_t *bytes;
    size_t n;

    (void)state;
    assert_int_equal(dpli_file_read(&bytes, &n, CURIE, 1 << 24, NULL), DPL_OK);
    const size_t need = least_bytes(bytes, n);
    free(bytes);
    must_say(DPL_E_LIMIT, need);
    must_say(DPL_E_LIMIT, need + n - 1);
    drop_gallery();
    must_say(DPL_OK, need + n);
}

/* ------------------------------------------------------------------ enrolment */

static void enrolling_again_only_looks(void **state)
{
    events v = {0};

    (void)state;
    put(OBAMA, "Barack Obama/1.jpg");
    put(OBAMA_2, "Barack Obama/2.jpg");
    put(CURIE, "old/science/Marie Curie/portrait.png");
    put(BIDEN, "Joe Biden.jpg");
    dpl_enroll_report r = enroll_photos(&v);
    assert_string_equal(
        v.text, "added Barack Obama; added Barack Obama; added Joe Biden; added Marie Curie");
    assert_int_equal(r.n_added, 4);
    assert_int_equal(v.n_with_chips, 4);
    r = enroll_photos(&v);
    assert_string_equal(v.text,
                        "unchanged Barack Obama; unchanged Barack Obama; unchanged Joe Biden; "
                        "unchanged Marie Curie");
    assert_int_equal(r.n_unchanged, 4);
    assert_int_equal(v.n_with_chips, 4); /* nothing was decoded */

    const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    assert_int_equal(utimensat(AT_FDCWD, at("photos/Joe Biden.jpg"), now, 0), 0);
    r = enroll_photos(&v); /* touched: read, found the same */
    assert_int_equal(r.n_unchanged, 4);
    assert_int_equal(v.n_with_chips, 4);
}

static void moved_photo_keeps_its_person_and_changed_content_is_encoded_again(void **state)
{
    events v = {0};

    (void)state;
    put(OBAMA, "Barack Obama/1.jpg");
    put(BIDEN, "Joe Biden/1.jpg");
    enroll_photos(&v);
    assert_int_equal(mkdir(at("photos/2012"), 0700), 0);
    assert_int_equal(rename(at("photos/Barack Obama/1.jpg"), at("photos/2012/x.jpg")), 0);
    put(COLLINS, "Joe Biden/1.jpg");
    enroll_photos(&v);
    assert_string_equal(v.text, "moved Barack Obama; updated Joe Biden");
    enroll_photos(&v);
    assert_string_equal(v.text, "unchanged Barack Obama; unchanged Joe Biden");

    dpl_gallery *g = open_gallery(DPL_GALLERY_WRITE);
    assert_int_equal(dpl_gallery_rename(g, "Barack Obama", "B. O.", NULL), DPL_OK);
    dpl_gallery_close(g);
    enroll_photos(&v);
    assert_string_equal(v.text, "unchanged B. O.; unchanged Joe Biden");
}

static void moved_from_elsewhere_it_is_found_and_taken_once(void **state)
{
    dpl_enroll_options rehearse = DPL_ENROLL_OPTIONS_INIT;
    events v = {0};

    (void)state;
    put(OBAMA, "old/Barack Obama/1.jpg");
    put(BIDEN, "old/Joe Biden/1.jpg");
    enroll_photos(&v);
    put(OBAMA, "new/Somebody/2.jpg");
    put(OBAMA, "new/Somebody Else/3.jpg");
    put(OBAMA_2, "new/Barack Obama/4.jpg");
    /* A copy is a photo more, and a word; of one that is gone the first file is it. */
    rehearse.dry_run = true;
    enroll(&v, pipeline, at("photos/new"), rehearse, DPL_OK);
    assert_string_equal(v.text, "added Barack Obama; added Somebody Else; added Somebody");
    assert_non_null(strstr(v.last_message, "the same photo is enrolled as \"Barack Obama\""));
    assert_int_equal(unlink(at("photos/old/Barack Obama/1.jpg")), 0);
    for (int i = 0; i < 2; i++) {
        rehearse.dry_run = i == 0;
        rehearse.n_threads = 1;
        enroll(&v, pipeline, at("photos/new"), rehearse, DPL_OK);
        assert_string_equal(v.text, "added Barack Obama; moved Barack Obama; added Somebody");
    }
    enroll(&v, pipeline, at("photos/new"), rehearse, DPL_OK);
    assert_string_equal(v.text,
                        "unchanged Barack Obama; unchanged Barack Obama; unchanged Somebody");
}

/* Rows that came from the database. */
static long n_rows;

dpl_status __real_dpli_stmt_step(dpli_stmt *s, bool *row, dpl_error *err);
dpl_status __wrap_dpli_stmt_step(dpli_stmt *s, bool *row, dpl_error *err);
dpl_status __wrap_dpli_stmt_step(dpli_stmt *s, bool *row, dpl_error *err)
{
    const dpl_status status = __real_dpli_stmt_step(s, row, err);

    n_rows += status == DPL_OK && *row;
    return status;
}

static void what_lies_elsewhere_is_not_read(void **state)
{
    dpl_enroll_options force = DPL_ENROLL_OPTIONS_INIT;
    char paths[64][64], shas[64][65];
    dpl_new_photo others[64];
    events v = {0};
    long few = 0;

    (void)state;
    force.force = true;
    put(OBAMA, "Barack Obama/1.jpg");
    for (int i = 0; i < 3; i++) {
        dpl_gallery *g;
        dpl_enroll_report r;

        n_rows = 0;
        r = enroll(&v, pipeline, at("photos"), force, DPL_OK);
        assert_int_equal(r.n_added + r.n_updated, 1);
        if (i == 1)
            few = n_rows;
        if (i == 2 && n_rows > few)
            fail_msg("%ld rows were read, and %ld where there were 64 photos less", n_rows, few);
        g = open_gallery(DPL_GALLERY_WRITE);
        for (int k = 0; k < 64; k++) {
            snprintf(paths[k], sizeof paths[k], "%s/elsewhere/%d/%d.jpg", root, i, k);
            snprintf(shas[k], sizeof shas[k], "%064x", 64 * i + k);
            others[k] = (dpl_new_photo){.row = {.path = paths[k],
                                                .sha256 = shas[k],
                                                .status = DPL_E_NO_FACE,
                                                .reason = "no face found",
                                                .options = "faces=0"}};
        }
        assert_int_equal(dpl_gallery_put(g, others, 64, NULL), DPL_OK);
        dpl_gallery_close(g);
    }
}

static void several_faces_are_refused_unless_asked_for(void **state)
{
    events v = {0};
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_gallery_counts counts;

    (void)state;
    put(GROUP, "Somebody/group.jpg");
    dpl_enroll_report r = enroll_photos(&v);
    assert_string_equal(v.text, "refused Somebody E_MANY_FACES");
    assert_non_null(strstr(v.last_message, "21 faces"));
    assert_int_equal(r.worst, DPL_E_MANY_FACES);
    r = enroll_photos(&v); /* known as refused: not tried again, but said again */
    assert_string_equal(v.text, "refused Somebody E_MANY_FACES");
    assert_int_equal(r.n_refused_again, 1);
    assert_int_equal(v.n_with_chips, 1);
    o.faces = DPL_FACES_LARGEST; /* under other options it is */
    enroll(&v, pipeline, at("photos"), o, DPL_OK);
    assert_string_equal(v.text, "updated Somebody");
    enroll_photos(&v); /* and stays so under the first ones again */
    assert_string_equal(v.text, "unchanged Somebody");
    o.faces = DPL_FACES_ALL;
    o.force = 1;
    enroll(&v, pipeline, at("photos"), o, DPL_OK);
    assert_string_equal(v.text, "updated -");
    assert_non_null(strstr(v.last_message, "they are nobody's"));
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_count(&counts, g, NULL), DPL_OK);
    assert_int_equal(counts.n_persons, 0);            /* and not twenty people of one name */
    assert_in_range(counts.n_templates_face, 15, 21); /* the poor ones of the 21 are left out */
    dpl_gallery_close(g);
}

/* A photo of 1000 x 900: a portrait 600 wide, and another beside it, of a width. */
static void put_two(const char *name, const char *a, const char *b, int32_t width_px)
{
    uint8_t *pixels = calloc((size_t)1000 * 900, 3), *jpeg;
    dpl_image canvas = DPL_IMAGE_INIT;
    const char *const from[] = {a, b};
    char path[256];
    size_t n;

    assert_non_null(pixels);
    memset(pixels, 128, (size_t)1000 * 900 * 3);
    for (int i = 0; i < 2; i++) {
        dpl_image image = DPL_IMAGE_INIT, small = DPL_IMAGE_INIT;
        const int32_t w = i == 0 ? 600 : width_px;

        assert_int_equal(dpl_image_open(&image, from[i], NULL, NULL), DPL_OK);
        const int32_t h = (int32_t)((int64_t)image.height_px * w / image.width_px);
        assert_int_equal(dpl_image_resize(&small, &image, w, h, NULL), DPL_OK);
        for (int32_t y = 0; y < h && y < 900; y++)
            memcpy(pixels + 3 * ((size_t)y * 1000 + (i == 0 ? 0 : 1000 - (size_t)w)),
                   small.pixels + 3 * (size_t)y * (size_t)w, 3 * (size_t)w);
        dpl_image_clear(&image);
        dpl_image_clear(&small);
    }
    assert_int_equal(dpl_image_from_rgb(&canvas, pixels, 1000, 900, 3000, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &canvas, 90, NULL), DPL_OK);
    put(OBAMA, name); /* its folder */
    snprintf(path, sizeof path, "%s/photos/%s", root, name);
    assert_int_equal(dpli_file_replace(path, jpeg, n, NULL), DPL_OK);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&canvas);
    free(pixels);
}

static dpl_status keep_persons(void *ctx, const dpl_template_row *row)
{
    char *text = ctx;

    strcat(strcat(text, row->person ? row->person : "-"), " ");
    return DPL_OK;
}

static void a_face_in_the_background_refuses_no_portrait(void **state)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    char persons[256] = "";
    events v = {0};
    dpl_gallery *g;

    (void)state;
    put_two("Ann/1.jpg", OBAMA, COLLINS, 200);
    enroll_photos(&v);
    assert_string_equal(v.text, "added Ann");
    g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_each_template(g, NULL, "face", keep_persons, persons, NULL),
                     DPL_OK);
    assert_string_equal(persons, "Ann ");
    dpl_gallery_close(g);
    /* All are wanted: the other one is nobody's. */
    o.faces = DPL_FACES_ALL;
    o.force = true;
    enroll(&v, pipeline, at("photos"), o, DPL_OK);
    assert_string_equal(v.text, "updated Ann");
    persons[0] = '\0';
    g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_each_template(g, NULL, "face", keep_persons, persons, NULL),
                     DPL_OK);
    assert_string_equal(persons, "Ann - ");
    dpl_gallery_close(g);
}

static void two_people_side_by_side_are_no_portrait(void **state)
{
    events v = {0};

    (void)state;
    put_two("Ann/1.jpg", OBAMA, COLLINS, 550);
    enroll_photos(&v);
    assert_string_equal(v.text, "refused Ann E_MANY_FACES");
}

static void broken_files_get_a_reason_and_the_batch_goes_on(void **state)
{
    events v = {0};

    (void)state;
    assert_int_equal(dpli_file_replace(at("photos/a-empty.jpg"), "", 0, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(at("photos/b-text.jpg"), "not a photo", 11, NULL), DPL_OK);
    assert_int_equal(symlink("nowhere", at("photos/c-link.jpg")), 0);
    assert_int_equal(symlink(".", at("photos/d-loop")), 0);
    assert_int_equal(mkfifo(at("photos/e-fifo.jpg"), 0600), 0);
    put(CURIE, "z.png");
    dpl_enroll_report r = enroll_photos(&v);
    assert_string_equal(v.text,
                        "refused a-empty E_INPUT; refused b-text E_INPUT; refused c-link E_INPUT; "
                        "refused e-fifo E_INPUT; added z");
    assert_int_equal(r.n_refused, 4);
    assert_int_equal(r.n_added, 1);
}

/* What a run said of how far it is. */
typedef struct told {
    dpl_enroll_progress first, last;
    int n;
} told;

static void take_progress(void *ctx, const dpl_enroll_progress *p)
{
    told *t = ctx;

    if (t->n++ == 0)
        t->first = *p;
    assert_true(p->n_done >= t->last.n_done && p->work_done >= t->last.work_done);
    t->last = *p;
}

static void work_is_that_of_what_has_to_be_read(void **state)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    const char *paths[] = {at("photos")};
    dpl_gallery *g = open_gallery(DPL_GALLERY_CREATE);
    dpl_enroll_report r;
    told t = {0};

    (void)state;
    o.nobodys = true;
    o.n_threads = 1; /* the caller's alone: every photo is told */
    o.on_progress = take_progress;
    o.ctx = &t;
    put(OBAMA, "1.jpg");
    put(GROUP, "2.jpg");
    assert_int_equal(dpli_file_replace(at("photos/3.txt"), "a note", 6, NULL), DPL_OK);
    assert_int_equal(dpl_enroll(&r, g, pipeline, paths, 1, &o, NULL), DPL_OK);
    assert_int_equal(t.n, 4); /* the start, and each file */
    assert_int_equal(t.first.n_done, 0);
    assert_int_equal(t.first.n_total, 3);
    assert_int_equal(t.last.n_done, 3);
    assert_true(t.first.work_total > 0);
    assert_int_equal(t.last.work_done, t.first.work_total);
    const int64_t all = t.first.work_total;

    t = (told){0};
    assert_int_equal(dpl_enroll(&r, g, pipeline, paths, 1, &o, NULL), DPL_OK);
    assert_int_equal(t.first.work_total, 0);
    put(CURIE, "4.png");
    t = (told){0};
    assert_int_equal(dpl_enroll(&r, g, pipeline, paths, 1, &o, NULL), DPL_OK);
    assert_in_range(t.first.work_total, 1, all);
    assert_int_equal(t.last.work_done, t.first.work_total);
    dpl_gallery_close(g);
}

static void a_scan_names_nobody(void **state)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    const char *paths[] = {at("photos")};
    dpl_gallery *g = open_gallery(DPL_GALLERY_CREATE);
    dpl_gallery_counts counts;
    dpl_enroll_report r;
    dpl_error err;
    events v = {0};

    (void)state;
    put(OBAMA, "Ann/1.jpg");
    put(GROUP, "Ann/2.jpg");
    o.nobodys = true;
    o.name = "Ann";
    assert_int_equal(dpl_enroll(&r, g, pipeline, paths, 1, &o, &err), DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "\"Ann\""));
    dpl_gallery_close(g);
    o.name = NULL;
    r = enroll(&v, pipeline, at("photos"), o, DPL_OK);
    assert_string_equal(v.text, "added -; added -");
    assert_int_equal(r.n_faces, 22);
    g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_count(&counts, g, NULL), DPL_OK);
    assert_int_equal(counts.n_persons, 0);
    assert_int_equal(counts.n_failed, 0);
    assert_int_equal(counts.n_templates_face, r.n_faces - r.n_poor);
    assert_int_equal(counts.n_faces_nobodys, counts.n_templates_face);
    put(BIDEN, "Joe/1.jpg"); /* is somebody's */
    dpl_gallery_close(g);
    enroll(&v, pipeline, at("photos/Joe"), (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_count(&counts, g, NULL), DPL_OK);
    assert_int_equal(counts.n_faces_nobodys, counts.n_templates_face - 1);
    dpl_gallery_close(g);
}

static void vanished_photos_are_pruned_only_when_asked(void **state)
{
    events v = {0};
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;

    (void)state;
    put(CURIE, "a/Marie Curie/1.png");
    put(BIDEN, "b/Joe Biden/1.jpg");
    put(COLLINS, "b/Eileen Collins/1.jpg");
    enroll_photos(&v);
    assert_int_equal(unlink(at("photos/b/Joe Biden/1.jpg")), 0);
    assert_int_equal(unlink(at("photos/a/Marie Curie/1.png")), 0);
    enroll_photos(&v);
    assert_string_equal(v.text, "unchanged Eileen Collins");
    o.prune = 1; /* of the folder given only */
    dpl_enroll_report r = enroll(&v, pipeline, at("photos/b"), o, DPL_OK);
    assert_string_equal(v.text, "unchanged Eileen Collins; pruned Joe Biden");
    assert_int_equal(r.n_pruned, 1);
    dpl_gallery_counts counts;
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_count(&counts, g, NULL), DPL_OK);
    assert_int_equal(counts.n_persons, 2);
    dpl_gallery_close(g);
}

static void interrupted_enrolment_keeps_what_was_done_and_goes_on(void **state)
{
    enum { N = 130 }; /* more than two chunks */
    const dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_pipeline *quick = open_pipeline(NULL, STANDIN "koch.onnx", NULL);
    events v = {.cancel_after = 10};
    char name[64];

    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "%03d.png", i);
        put(CURIE, name);
    }
    dpl_enroll_report r = enroll(&v, quick, at("photos"), o, DPL_E_CANCELLED);
    assert_true(r.n_files >= 10 && r.n_files < N);
    const int64_t done = r.n_added;
    v = (events){0};
    r = enroll(&v, quick, at("photos"), o, DPL_OK);
    assert_int_equal(r.n_unchanged, done);
    assert_int_equal(r.n_added, N - done);
    dpl_pipeline_close(quick);
}

static void another_encoder_is_refused_by_the_gallery(void **state)
{
    dpl_pipeline *other = open_pipeline(NULL, STANDIN "koch.onnx", NULL);
    events v = {0};

    (void)state;
    put(CURIE, "1.png");
    enroll_photos(&v);
    enroll(&v, other, at("photos"), (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_E_MISMATCH);
    dpl_pipeline_close(other);
}

static void without_a_detector_the_whole_picture_is_compared(void **state)
{
    dpl_pipeline *whole = open_pipeline(NULL, STANDIN "koch.onnx", NULL);
    dpl_policy policy = policy_of(whole, (double)NAN, 0.85);
    dpl_verdict verdict;
    events v = {0};

    (void)state;
    put(GROUP, "group.jpg");
    put(CURIE, "curie.png");
    enroll(&v, whole, at("photos"), (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    assert_string_equal(v.text, "added curie; added group");
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    assert_string_equal(setting(g, "detect"), "none");
    dpl_photo photo = open_photo(whole, GROUP);
    assert_int_equal(dpl_verify_claim(&verdict, g, whole, &policy, &photo, "group", NULL, NULL),
                     DPL_OK);
    assert_int_equal(verdict.decision, DPL_DECISION_MATCH);
    /* a picture's distance to itself is 0: the head gives sigmoid(bias), bias 2 */
    assert_true(fabs((double)verdict.score - 1 / (1 + exp(-2))) < 1e-6);
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
    dpl_pipeline_close(whole);
}

static void picture_gets_an_image_vector_even_without_a_usable_face(void **state)
{
    dpl_pipeline *both = open_pipeline(DPL_MODELS_DIR "/face-detect.onnx",
                                       DPL_MODELS_DIR "/face-105.onnx", STANDIN "image.onnx");
    const dpl_policy policy = policy_of(both, (double)NAN, (double)NAN);
    dpl_gallery_counts counts;
    dpl_answer *answers;
    size_t n;
    events v = {0};

    (void)state;
    put(GROUP, "Group/group.jpg"); /* refused as a face, kept as a picture */
    put(CURIE, "Marie Curie/1.png");
    enroll(&v, both, at("photos"), (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    assert_string_equal(v.text, "refused Group E_MANY_FACES; added Marie Curie");
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_gallery_count(&counts, g, NULL), DPL_OK);
    assert_int_equal(counts.n_templates_face, 1);
    assert_int_equal(counts.n_templates_image, 2);
    dpl_photo photo = open_photo(both, GROUP);
    assert_int_equal(dpl_query(&answers, &n, g, both, &policy, &photo, DPL_QUERY_IMAGE, NULL, NULL),
                     DPL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(answers[0].n_hits, 2);
    assert_non_null(strstr(answers[0].hits[0].photo_path, "group.jpg"));
    assert_true(answers[0].hits[0].hit.score > 0.999f);
    assert_true(answers[0].hits[0].is_copy && !answers[0].hits[1].is_copy);
    assert_int_equal(answers[0].decision, DPL_DECISION_MATCH);
    /* no calibration for pictures: of what is only alike no decision is made */
    assert_int_equal(answers[0].hits[1].decision, DPL_DECISION_NONE);
    dpl_answers_free(answers, n);
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
    dpl_pipeline_close(both);
}

/* Four fifths of a photo's sides from its right, mirrored. */
static dpl_photo mirrored_crop(const dpl_pipeline *p, const char *path)
{
    dpl_photo whole = open_photo(p, path), out;
    const dpl_image *in = &whole.image;
    const int32_t w = in->width_px * 4 / 5, h = in->height_px * 4 / 5;
    uint8_t *rgb = malloc(3 * (size_t)w * (size_t)h);
    dpl_scratch *scratch;

    assert_non_null(rgb);
    assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
    for (int32_t y = 0; y < h; y++)
        for (int32_t x = 0; x < w; x++)
            memcpy(rgb + 3 * ((size_t)y * (size_t)w + (size_t)x),
                   in->pixels +
                       3 * ((size_t)y * (size_t)in->width_px + (size_t)(in->width_px - 1 - x)),
                   3);
    assert_int_equal(dpl_photo_from_rgb(&out, p, scratch, "edited", rgb, w, h, 3 * (size_t)w, NULL),
                     DPL_OK);
    free(rgb);
    dpl_scratch_free(scratch);
    dpl_photo_clear(&whole);
    return out;
}

/* The stand-in's vector is of where a picture is bright, which a mirror image is not: what is the
 * same picture is seen all the same, and comes first. */
static void edited_copy_is_found_before_what_is_only_alike(void **state)
{
    static const char *const photos[] = {OBAMA, BIDEN, CURIE, CONGRESS, GROUP};
    enum { N = sizeof photos / sizeof *photos };
    dpl_pipeline *both = open_pipeline(DPL_MODELS_DIR "/face-detect.onnx",
                                       DPL_MODELS_DIR "/face-105.onnx", STANDIN "image.onnx");
    dpl_search_options one = DPL_SEARCH_OPTIONS_INIT;
    dpl_answer *answers;
    events v = {0};
    int n_misled = 0;
    size_t n;

    (void)state;
    for (int i = 0; i < N; i++) {
        char name[32];

        snprintf(name, sizeof name, "all/%d%s", i, strrchr(photos[i], '.'));
        put(photos[i], name);
    }
    enroll(&v, both, at("photos"), (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    for (int i = 0; i < N; i++) {
        dpl_photo photo = mirrored_crop(both, photos[i]);
        char name[8];

        snprintf(name, sizeof name, "/%d.", i);
        assert_int_equal(
            dpl_query(&answers, &n, g, both, NULL, &photo, DPL_QUERY_IMAGE, NULL, NULL), DPL_OK);
        const dpl_answer_hit *first = &answers[0].hits[0];
        assert_int_equal(answers[0].n_hits, N);
        assert_non_null(strstr(first->photo_path, name));
        assert_true(first->is_copy && first->decision == DPL_DECISION_MATCH);
        assert_true(first->rate.high < 1e-6);
        assert_int_equal(first->overlay.orientation, 2);
        assert_true(fabsf(first->overlay.shown_a - 0.64f) < 0.03f);
        assert_int_equal(answers[0].decision, DPL_DECISION_MATCH);
        for (size_t k = 1; k < answers[0].n_hits; k++) {
            assert_false(answers[0].hits[k].is_copy);
            n_misled += answers[0].hits[k].hit.score > first->hit.score;
        }
        dpl_answers_free(answers, n);
        /* as many as were asked for, however many were looked at */
        one.k = 1;
        assert_int_equal(
            dpl_query(&answers, &n, g, both, NULL, &photo, DPL_QUERY_IMAGE, &one, NULL), DPL_OK);
        assert_int_equal(answers[0].n_hits, 1);
        assert_non_null(strstr(answers[0].hits[0].photo_path, name));
        dpl_answers_free(answers, n);
        dpl_photo_clear(&photo);
    }
    assert_true(n_misled > 0);
    dpl_photo other = open_photo(both, STRANGER);
    assert_int_equal(dpl_query(&answers, &n, g, both, NULL, &other, DPL_QUERY_IMAGE, NULL, NULL),
                     DPL_OK);
    for (size_t k = 0; k < answers[0].n_hits; k++)
        assert_false(answers[0].hits[k].is_copy);
    assert_int_equal(answers[0].decision, DPL_DECISION_NONE);
    dpl_answers_free(answers, n);
    dpl_photo_clear(&other);
    dpl_gallery_close(g);
    dpl_pipeline_close(both);
}

/* ------------------------------------------------------------------ answers */

static dpl_decision decide(const char *a, const char *b, dpl_verdict *verdict)
{
    const dpl_policy policy = policy_of(pipeline, (double)NAN, (double)NAN);
    dpl_photo x = open_photo(pipeline, a), y = open_photo(pipeline, b);

    assert_int_equal(dpl_verify(verdict, pipeline, &policy, &x, &y, NULL, NULL), DPL_OK);
    dpl_photo_clear(&x);
    dpl_photo_clear(&y);
    return verdict->decision;
}

static void two_photos_of_one_person_match_and_of_two_do_not(void **state)
{
    dpl_verdict v;

    (void)state;
    assert_int_equal(decide(OBAMA, CONGRESS, &v), DPL_DECISION_MATCH);
    assert_true(v.rate.high <= 1e-4);
    assert_int_equal(decide(OBAMA, BIDEN, &v), DPL_DECISION_NO_MATCH);
    assert_true(v.rate.low > 1e-4);
    assert_int_equal(decide(COLLINS, STRANGER, &v), DPL_DECISION_NO_MATCH);
    assert_int_equal(decide(CURIE, CURIE, &v), DPL_DECISION_MATCH);
    assert_true(v.score > 0.9999f);
}

static void face_can_be_chosen_and_must_exist(void **state)
{
    const dpl_policy policy = policy_of(pipeline, (double)NAN, (double)NAN);
    dpl_photo group = open_photo(pipeline, GROUP), curie = open_photo(pipeline, CURIE);
    dpl_photo none = DPL_PHOTO_INIT;
    dpl_verify_options which = DPL_VERIFY_OPTIONS_INIT;
    dpl_verdict v;
    dpl_error err;
    int n_matches = 0;

    (void)state;
    for (int i = 0; i < (int)group.n_faces; i++) {
        which.face_a = i;
        assert_int_equal(dpl_verify(&v, pipeline, &policy, &group, &curie, &which, &err), DPL_OK);
        assert_int_equal(v.face_a, i);
        n_matches += v.decision == DPL_DECISION_MATCH;
    }
    assert_int_equal(n_matches, 1);
    which.face_a = 21;
    assert_int_equal(dpl_verify(&v, pipeline, &policy, &group, &curie, &which, &err),
                     DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "group.jpg\": face 22 was asked for, the photo has 21"));
    assert_int_equal(dpl_verify(&v, pipeline, &policy, &curie, &none, NULL, &err), DPL_E_NO_FACE);
    assert_string_equal(err.message, "\"photo b\": no face found");
    dpl_photo_clear(&group);
    dpl_photo_clear(&curie);
}

static void a_claim_is_judged_by_the_mean_of_the_templates(void **state)
{
    const dpl_policy policy = policy_of(pipeline, (double)NAN, (double)NAN);
    events v = {0};
    dpl_verdict claim, one, two;
    dpl_error err;

    (void)state;
    enroll(&v, pipeline, DEMO "people", (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    dpl_photo photo = open_photo(pipeline, CONGRESS);
    assert_int_equal(
        dpl_verify_claim(&claim, g, pipeline, &policy, &photo, "Barack Obama", NULL, &err), DPL_OK);
    decide(CONGRESS, OBAMA, &one);
    decide(CONGRESS, OBAMA_2, &two);
    assert_int_equal(claim.decision, DPL_DECISION_MATCH);
    assert_true(claim.n_templates == 2 && claim.n_compared == 2 && claim.by_mean);
    assert_true(fabsf(claim.best_score - fmaxf(one.score, two.score)) < 1e-5f);
    assert_true(claim.template_id > 0);
    /* (a + b) / |a + b| of unit vectors: the sum of their scores over a length of at most 2. */
    assert_true(claim.score > (one.score + two.score) / 2 && claim.score < one.score + two.score);
    assert_int_equal(
        dpl_verify_claim(&claim, g, pipeline, &policy, &photo, "Joe Biden", NULL, &err), DPL_OK);
    assert_int_equal(claim.decision, DPL_DECISION_NO_MATCH);
    /* Of one photo: the same as the two photos compared, to the bit. */
    decide(CONGRESS, BIDEN, &one);
    assert_true(claim.score == one.score && claim.best_score == one.score && !claim.by_mean);
    assert_int_equal(dpl_verify_claim(&claim, g, pipeline, &policy, &photo, "Nobody", NULL, &err),
                     DPL_E_NO_PERSON);
    assert_non_null(strstr(err.message, "Nobody"));
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
}

/* A vector of zeros, of which the cosine is not a number, as older galleries may hold. */
static void put_zeros(dpl_gallery *g, const char *path, const char *person)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    dpli_binding binding = {"face",      dpl_encoder_hash(encoder), "face-105",
                            "euclidean", dpl_encoder_dim(encoder),  NULL,
                            NULL};
    float *zeros = calloc((size_t)binding.dim, sizeof *zeros);
    const dpl_new_template t = {.space = "face", .vector = zeros, .dim = binding.dim};
    const dpl_new_photo photo = {.row = {.path = path,
                                         .person = person,
                                         .sha256 = "",
                                         .reason = "",
                                         .options = "",
                                         .n_faces = 1},
                                 .templates = &t,
                                 .n_templates = 1};

    assert_non_null(zeros);
    assert_int_equal(dpli_gallery_bind(g, &binding, NULL), DPL_OK);
    assert_int_equal(dpl_gallery_put(g, &photo, 1, NULL), DPL_OK);
    binding.head = "cosine";
    assert_int_equal(dpli_gallery_bind(g, &binding, NULL), DPL_OK);
    free(zeros);
}

static void a_template_without_a_score_hides_no_other(void **state)
{
    const dpl_policy policy = policy_of(pipeline, (double)NAN, (double)NAN);
    dpl_photo photo = open_photo(pipeline, OBAMA_2);
    events v = {0};
    dpl_verdict claim;

    (void)state;
    dpl_gallery *g = open_gallery(DPL_GALLERY_CREATE);
    put_zeros(g, "/first.jpg", "Barack Obama");
    dpl_gallery_close(g);
    enroll(&v, pipeline, DEMO "people", (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    g = open_gallery(DPL_GALLERY_CREATE);
    put_zeros(g, "/alone.jpg", "Nobody");
    assert_int_equal(
        dpl_verify_claim(&claim, g, pipeline, &policy, &photo, "Barack Obama", NULL, NULL), DPL_OK);
    assert_int_equal(claim.n_templates, 3);
    assert_int_equal(claim.decision, DPL_DECISION_MATCH);
    assert_true(claim.best_score > 0.99f);
    assert_int_equal(dpl_verify_claim(&claim, g, pipeline, &policy, &photo, "Nobody", NULL, NULL),
                     DPL_OK);
    assert_true(isnan(claim.score));
    assert_int_equal(claim.decision, DPL_DECISION_NO_MATCH);
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
}

static void a_gallery_whose_model_cannot_be_read_gives_no_answer(void **state)
{
    dpl_photo photo = open_photo(pipeline, OBAMA);
    dpl_answer *answers;
    dpl_policy policy;
    events v = {0};
    size_t n;

    (void)state;
    enroll(&v, pipeline, DEMO "people", (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    dpl_gallery *g = open_gallery(DPL_GALLERY_WRITE);
    assert_int_equal(dpl_policy_for_search(&policy, dpl_pipeline_calibration(pipeline),
                                           DPL_DEFAULT_FPIR, 4, NULL),
                     DPL_OK);
    assert_int_equal(
        dpl_query(&answers, &n, g, pipeline, &policy, &photo, DPL_QUERY_FACE, NULL, NULL), DPL_OK);
    dpl_answers_free(answers, n);
    assert_int_equal(dpli_db_exec(kit_db(g), "DROP TABLE setting", NULL), DPL_OK);
    assert_int_equal(
        dpl_query(&answers, &n, g, pipeline, &policy, &photo, DPL_QUERY_FACE, NULL, NULL),
        DPL_E_GALLERY);
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
}

static void query_names_whom_it_knows_and_nobody_else(void **state)
{
    events v = {0};
    dpl_policy policy;
    dpl_answer *answers;
    size_t n;
    int obama = 0, curie = 0, others = 0;

    (void)state;
    enroll(&v, pipeline, DEMO "people", (dpl_enroll_options)DPL_ENROLL_OPTIONS_INIT, DPL_OK);
    dpl_gallery *g = open_gallery(DPL_GALLERY_READ);
    assert_int_equal(dpl_policy_for_search(&policy, dpl_pipeline_calibration(pipeline),
                                           DPL_DEFAULT_FPIR, 4, NULL),
                     DPL_OK);
    dpl_photo photo = open_photo(pipeline, GROUP);
    assert_int_equal(
        dpl_query(&answers, &n, g, pipeline, &policy, &photo, DPL_QUERY_AUTO, NULL, NULL), DPL_OK);
    assert_int_equal(n, 21);
    for (size_t i = 0; i < n; i++) {
        const char *who = answers[i].person;
        assert_true((who != NULL) == (answers[i].decision == DPL_DECISION_MATCH));
        obama += who && strcmp(who, "Barack Obama") == 0;
        curie += who && strcmp(who, "Marie Curie") == 0;
        others += who != NULL;
        assert_int_equal(answers[i].n_hits, 5);
        for (size_t k = 1; k < answers[i].n_hits; k++)
            assert_true(answers[i].hits[k].hit.score <= answers[i].hits[k - 1].hit.score);
        assert_true(answers[i].hits[0].n_thumb > 0);
    }
    assert_int_equal(obama, 1);
    assert_int_equal(curie, 1);
    assert_int_equal(others, 2);
    dpl_answers_free(answers, n);
    dpl_photo_clear(&photo);
    dpl_gallery_close(g);
}

static void gallery_of_more_people_asks_for_a_rarer_score(void **state)
{
    const dpl_calibration *c = dpl_pipeline_calibration(pipeline);
    dpl_policy few, many, all;

    (void)state;
    assert_int_equal(dpl_policy_for_search(&few, c, 1e-2, 3, NULL), DPL_OK);
    assert_int_equal(dpl_policy_for_search(&many, c, 1e-2, 5000, NULL), DPL_OK);
    assert_int_equal(dpl_policy_for_search(&all, c, 1e-2, 1000000000, NULL), DPL_OK);
    /* not below what the table can give for the mean of a person's photos */
    const double lowest = dpl_calibration_lowest_fmr(c) * dpl_calibration_mean_factor(c);
    assert_true(lowest < 1e-5);
    assert_true(fabs(few.fmr - DPL_DEFAULT_FMR) < 1e-12);
    assert_true(fabs(many.fmr - fmax(2e-6, lowest)) < 1e-12);
    assert_true(many.threshold > few.threshold);
    assert_true(fabs(all.fmr - lowest) < 1e-15);
    assert_int_equal(dpl_policy_for_search(&few, c, (double)NAN, 3, NULL), DPL_E_ARGUMENT);
}

#define JOB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB(the_file_counts_as_memory_while_it_is_decoded),
        JOB(enrolling_again_only_looks),
        JOB(moved_photo_keeps_its_person_and_changed_content_is_encoded_again),
        JOB(moved_from_elsewhere_it_is_found_and_taken_once),
        JOB(what_lies_elsewhere_is_not_read),
        JOB(several_faces_are_refused_unless_asked_for),
        JOB(a_face_in_the_background_refuses_no_portrait),
        JOB(two_people_side_by_side_are_no_portrait),
        JOB(broken_files_get_a_reason_and_the_batch_goes_on),
        JOB(work_is_that_of_what_has_to_be_read),
        JOB(a_scan_names_nobody),
        JOB(vanished_photos_are_pruned_only_when_asked),
        JOB(interrupted_enrolment_keeps_what_was_done_and_goes_on),
        JOB(another_encoder_is_refused_by_the_gallery),
        JOB(without_a_detector_the_whole_picture_is_compared),
        JOB(picture_gets_an_image_vector_even_without_a_usable_face),
        JOB(edited_copy_is_found_before_what_is_only_alike),
        JOB(two_photos_of_one_person_match_and_of_two_do_not),
        JOB(face_can_be_chosen_and_must_exist),
        JOB(a_claim_is_judged_by_the_mean_of_the_templates),
        JOB(a_template_without_a_score_hides_no_other),
        JOB(a_gallery_whose_model_cannot_be_read_gives_no_answer),
        JOB(query_names_whom_it_knows_and_nobody_else),
        JOB(gallery_of_more_people_asks_for_a_rarer_score),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
