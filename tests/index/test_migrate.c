/*
 * A gallery that goes over to another model: the shipped one, given its pictures otherwise, which
 * is another model as far as vectors go. What it gives is compared with a gallery enrolled by it.
 */
#define _LARGEFILE64_SOURCE /* statvfs64, which statvfs is called in the library */
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
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "doppel/doppel.h"
#include "index/gallery.h"
#include "index/staged.h"
#include "tests/index/gallery_kit.h"

#define DEMO DPL_SOURCE_DIR "/demo/"

enum { MAX_TEMPLATES = 32 };

static dpl_pipeline *former, *later; /* the two models */
static dpl_pipeline *blind;          /* a third, which looks at what is beside a face */
static char *dir;                    /* of the gallery */
static dpl_error err;
static bool disk_is_full;

int __real_statvfs64(const char *path, struct statvfs64 *out);
int __wrap_statvfs64(const char *path, struct statvfs64 *out);
int __wrap_statvfs64(const char *path, struct statvfs64 *out)
{
    const int code = __real_statvfs64(path, out);

    if (disk_is_full)
        out->f_bavail = 1;
    return code;
}

/* ------------------------------------------------------------------ what every test uses */

static void copy(const char *from, const char *to)
{
    size_t n;
    char *bytes = kit_read(from, &n);

    kit_write(to, bytes, n);
    free(bytes);
}

/* A model under another name, with these facts in the place of its own. */
static void put_model(char path[64], const char *from, const char *name, const char *facts)
{
    char beside[80];

    snprintf(path, 64, "%s.onnx", name);
    snprintf(beside, sizeof beside, "%s.json", path);
    copy(from, path);
    kit_write(beside, facts, strlen(facts));
}

static dpl_pipeline *open_model(const char *name, const char *facts)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    char path[64];
    dpl_pipeline *p;

    put_model(path, DPL_MODELS_DIR "/face-105.onnx", name, facts);
    o.detector_path = DPL_MODELS_DIR "/face-detect.onnx";
    o.encoder_path = path;
    o.image_path = DPL_SOURCE_DIR "/tests/standins/image.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&p, &o, &err), &err);
    return p;
}

static dpl_gallery *enroll(const char *to, const dpl_pipeline *p)
{
    const char *const paths[] = {"people"};
    dpl_gallery *gallery = kit_open(to, DPL_GALLERY_CREATE);
    dpl_enroll_report report;

    kit_seal(gallery);
    kit_expect(DPL_OK, dpl_enroll(&report, gallery, p, paths, 1, NULL, &err), &err);
    return gallery;
}

/* A statement, behind which the id of one of the photos and an end are put. */
typedef struct one_photo {
    const char *end; /* of its path */
    int64_t id;
} one_photo;

static dpl_status find_photo(void *ctx, const dpl_photo_row *row)
{
    one_photo *wanted = ctx;
    const size_t n = strlen(row->path), n_end = strlen(wanted->end);

    if (n >= n_end && strcmp(row->path + n - n_end, wanted->end) == 0)
        wanted->id = row->id;
    return DPL_OK;
}

static void exec_of_photo(dpl_gallery *gallery, const char *sql, const char *path_end,
                          const char *sql_end)
{
    one_photo wanted = {path_end, 0};
    char text[256];

    kit_expect(DPL_OK, dpl_gallery_each_photo(gallery, NULL, find_photo, &wanted, &err), &err);
    assert_true(wanted.id > 0);
    snprintf(text, sizeof text, "%s%d%s", sql, (int)wanted.id, sql_end);
    kit_exec(gallery, text);
}

static void put_photos(void)
{
    static const char *const folders[] = {"people", "people/ann", "people/bob", "people/cy"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        mkdir(folders[i], 0700);
    copy(DEMO "people/Barack Obama/official-portrait.jpg", "people/ann/1.jpg");
    copy(DEMO "people/Barack Obama/blue-room.jpg", "people/ann/2.jpg");
    copy(DEMO "congress.jpg", "people/ann/3.jpg");
    copy(DEMO "people/Joe Biden/blue-room.jpg", "people/bob/1.jpg");
    copy(DEMO "people/Marie Curie/portrait.png", "people/cy/1.png");
}

static int set_up(void **state)
{
    (void)state;
    put_photos();
    dir = kit_folder();
    disk_is_full = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_drop(dir);
    return 0;
}

/* All templates of a gallery, by id. */
typedef struct rows {
    struct one {
        int64_t id, photo_id, person_id;
        char photo[512], space[8], hash[65];
        dpl_face face;
        int32_t dim;
        float vector[256];
        bool by_hand;
        size_t n_thumb;
    } items[MAX_TEMPLATES];
    size_t n;
} rows;

static dpl_status take_row(void *ctx, const dpl_template_row *row)
{
    rows *r = ctx;
    struct one *o = &r->items[r->n++];

    assert_true(r->n <= MAX_TEMPLATES && row->dim <= 256);
    memset(o, 0, sizeof *o);
    o->id = row->id;
    o->photo_id = row->photo_id;
    o->person_id = row->person_id;
    o->by_hand = row->by_hand;
    o->face = row->face;
    o->dim = row->dim;
    o->n_thumb = row->n_thumb;
    snprintf(o->photo, sizeof o->photo, "%s", row->photo_path);
    snprintf(o->space, sizeof o->space, "%s", row->space);
    snprintf(o->hash, sizeof o->hash, "%s", row->model_hash);
    memcpy(o->vector, row->vector, (size_t)row->dim * sizeof *row->vector);
    return DPL_OK;
}

static rows *read_rows(dpl_gallery *gallery)
{
    rows *r = calloc(1, sizeof *r);

    assert_non_null(r);
    kit_expect(DPL_OK, dpl_gallery_each_template(gallery, NULL, NULL, take_row, r, &err), &err);
    return r;
}

/* What the gallery would hold, enrolled by this model. */
static rows *enrolled_by(const dpl_pipeline *p)
{
    char *other = kit_folder();
    dpl_gallery *gallery = enroll(other, p);
    rows *r = read_rows(gallery);

    dpl_gallery_close(gallery);
    kit_drop(other);
    return r;
}

/* What was told in the course of a migration. */
typedef struct told {
    int n_events, n_thumbs, n_lost, n_changes, n_own, n_others;
    bool all_known;
    dpl_decision before, after; /* of the first change about the person's own */
    volatile int cancel;
    int cancel_after;
} told;

static void take_event(void *ctx, const dpl_migrate_event *e)
{
    told *t = ctx;

    t->n_events++;
    t->n_thumbs += e->from == DPL_MIGRATE_THUMBNAIL;
    t->n_lost += e->from == DPL_MIGRATE_LOST;
    assert_true(e->n_done >= 1 && e->n_done <= e->n_total);
    assert_true(e->from == DPL_MIGRATE_PHOTO || e->earlier || e->message[0]);
    if (t->cancel_after > 0 && --t->cancel_after == 0)
        dpl_cancel(&t->cancel);
}

static void take_change(void *ctx, const dpl_migrate_change *c)
{
    told *t = ctx;

    if (!c->other && t->n_own++ == 0) {
        t->before = c->before.decision;
        t->after = c->after.decision;
    }
    t->n_others += c->other != NULL;
    t->all_known = (t->n_changes == 0 || t->all_known) && c->before_is_known;
    t->n_changes++;
    assert_non_null(strstr(c->photo, "/people/"));
}

static dpl_migrate_options options_of(told *t)
{
    dpl_migrate_options o = DPL_MIGRATE_OPTIONS_INIT;

    o.on_event = take_event;
    o.on_change = take_change;
    o.cancel = &t->cancel;
    o.ctx = t;
    return o;
}

static dpl_migrate_report migrate(told *t, dpl_gallery *gallery, const dpl_pipeline *to,
                                  const dpl_migrate_options *options, dpl_status wanted)
{
    dpl_migrate_options o = options ? *options : options_of(t);
    dpl_migrate_report report;

    err.message[0] = '\0';
    kit_expect(wanted, dpl_migrate(&report, gallery, to, &o, &err), &err);
    return report;
}

/* Same photos, places and vectors, bit for bit; in the order of photos. */
static int by_photo(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    const int order = strcmp(x->photo, y->photo);

    return order ? order : strcmp(x->space, y->space);
}

static void expect_same_vectors(rows *got, rows *wanted)
{
    assert_int_equal(got->n, wanted->n);
    qsort(got->items, got->n, sizeof *got->items, by_photo);
    qsort(wanted->items, wanted->n, sizeof *wanted->items, by_photo);
    for (size_t i = 0; i < got->n; i++) {
        const struct one *g = &got->items[i], *w = &wanted->items[i];

        assert_string_equal(g->photo, w->photo);
        assert_string_equal(g->hash, w->hash);
        assert_int_equal(g->dim, w->dim);
        assert_memory_equal(g->vector, w->vector, (size_t)w->dim * sizeof *w->vector);
        assert_memory_equal(&g->face, &w->face, sizeof w->face);
    }
}

static double cosine(const struct one *a, const struct one *b)
{
    double dot = 0, x = 0, y = 0;

    for (int32_t i = 0; i < a->dim; i++) {
        dot += (double)a->vector[i] * (double)b->vector[i];
        x += (double)a->vector[i] * (double)a->vector[i];
        y += (double)b->vector[i] * (double)b->vector[i];
    }
    return dot / sqrt(x * y);
}

static const struct one *of_photo(const rows *r, const char *end, const char *space)
{
    for (size_t i = 0; i < r->n; i++) {
        const size_t n = strlen(r->items[i].photo);

        if (strcmp(r->items[i].photo + n - strlen(end), end) == 0 &&
            strcmp(r->items[i].space, space) == 0)
            return &r->items[i];
    }
    fail_msg("no template of %s", end);
    return NULL;
}

static dpl_status take_mark(void *ctx, const dpl_photo_row *row)
{
    *(int *)ctx += dpl_photo_is_from_thumbnail(row);
    return DPL_OK;
}

static int n_marked(dpl_gallery *gallery)
{
    int n = 0;

    kit_expect(DPL_OK, dpl_gallery_each_photo(gallery, NULL, take_mark, &n, &err), &err);
    return n;
}

static void expect_undamaged(dpl_gallery *gallery)
{
    dpl_check_report report;

    kit_expect(DPL_OK, dpl_gallery_check(&report, gallery, NULL, NULL, &err), &err);
    assert_int_equal(report.n_damaged, 0);
}

/* ------------------------------------------------------------------ the photos are there */

static void vectors_are_those_of_a_gallery_enrolled_by_the_new_model(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    rows *before = read_rows(gallery), *after, *wanted = enrolled_by(later);
    told t = {0};
    dpl_migrate_report r = migrate(&t, gallery, later, NULL, DPL_OK);
    char path[512];

    (void)state;
    after = read_rows(gallery);
    assert_true(r.has_changed);
    assert_int_equal(r.n_photos, 5);
    assert_int_equal(r.n_from_photo, 5); /* whole pictures are of the same model as before */
    assert_int_equal(r.n_from_thumbnail + r.n_lost + r.n_earlier, 0);
    assert_int_equal(t.n_events, 5);
    assert_int_equal(n_marked(gallery), 0);
    for (size_t i = 0; i < before->n; i++) {
        assert_int_equal(before->items[i].id, after->items[i].id);
        assert_int_equal(before->items[i].photo_id, after->items[i].photo_id);
        assert_int_equal(before->items[i].person_id, after->items[i].person_id);
        assert_int_equal(before->items[i].n_thumb, after->items[i].n_thumb);
    }
    expect_same_vectors(after, wanted);
    expect_undamaged(gallery);
    kit_beside(path, dir, "gallery.migrate");
    assert_int_equal(access(path, F_OK), -1);

    /* Once more there is nothing to do. */
    r = migrate(&t, gallery, later, NULL, DPL_OK);
    assert_false(r.has_changed);
    assert_int_equal(r.n_photos, 0);
    free(before);
    free(after);
    free(wanted);
    dpl_gallery_close(gallery);
}

static dpl_status take_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *e)
{
    (void)e;
    assert_int_equal(r->sum, dpli_refusal_sum(r));
    *(dpli_refusal_record *)ctx = *r;
    return DPL_OK;
}

static dpl_status take_member(void *ctx, const dpli_member_record *r, dpl_error *e)
{
    (void)e;
    *(dpli_member_record *)ctx = *r;
    return DPL_OK;
}

static void what_was_said_of_a_face_stays_with_it(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    dpli_store *s = gallery->store;
    rows *r = read_rows(gallery);
    const struct one *named = of_photo(r, "bob/1.jpg", "face");
    const struct one *grouped = of_photo(r, "cy/1.png", "face");
    const struct one *ann = of_photo(r, "ann/1.jpg", "face");
    dpli_refusal_record refusal = {0, grouped->id, ann->person_id, 0, 0}, found = {0};
    dpli_member_record member = {grouped->id, 17, 0}, in_group = {0};
    told t = {0};
    int64_t id = 0;

    (void)state;
    refusal.sum = dpli_refusal_sum(&refusal);
    member.sum = dpli_member_sum(&member);
    kit_expect(DPL_OK, s->ops->begin(s, true, &err), &err);
    kit_expect(DPL_OK, dpli_put_owner(gallery, named->id, ann->person_id, true, &err), &err);
    kit_expect(DPL_OK, dpli_put_owner(gallery, grouped->id, 0, false, &err), &err);
    kit_expect(DPL_OK, s->ops->add_refusal(s, &id, &refusal, &err), &err);
    kit_expect(DPL_OK, s->ops->set_member(s, &member, &err), &err);
    kit_expect(DPL_OK, s->ops->end(s, DPL_OK, &err), &err);
    migrate(&t, gallery, later, NULL, DPL_OK);
    free(r);
    r = read_rows(gallery);
    named = of_photo(r, "bob/1.jpg", "face");
    assert_true(named->by_hand);
    assert_int_equal(named->person_id, of_photo(r, "ann/1.jpg", "face")->person_id);
    assert_int_equal(of_photo(r, "cy/1.png", "face")->person_id, 0);
    kit_expect(DPL_OK, s->ops->each_refusal(s, 0, take_refusal, &found, &err), &err);
    assert_int_equal(found.template_id, refusal.template_id);
    assert_int_equal(found.person_id, refusal.person_id);
    kit_expect(DPL_OK, s->ops->each_member(s, take_member, &in_group, &err), &err);
    assert_int_equal(in_group.template_id, member.template_id);
    assert_int_equal(in_group.group_number, 17);
    free(r);
    dpl_gallery_close(gallery);
}

static void a_search_by_another_handle_finds_the_new_vectors(void **state)
{
    dpl_gallery *gallery = enroll(dir, former), *reader;
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(later));
    rows *wanted = enrolled_by(later);
    const struct one *probe = of_photo(wanted, "bob/1.jpg", "face");
    told t = {0};
    dpl_search_options one = DPL_SEARCH_OPTIONS_INIT;
    dpl_hit hit;

    (void)state;
    one.k = 1;
    kit_expect(DPL_OK, dpl_gallery_open_again(&reader, gallery, &err), &err);
    kit_expect(DPL_OK,
               dpl_gallery_search(&hit, reader, dpl_pipeline_head(former), "face", probe->vector, 1,
                                  dim, &one, NULL, &err),
               &err);
    assert_true(hit.score < 0.9999F); /* of the former model's */
    migrate(&t, gallery, later, NULL, DPL_OK);
    kit_expect(DPL_OK,
               dpl_gallery_search(&hit, reader, dpl_pipeline_head(later), "face", probe->vector, 1,
                                  dim, &one, NULL, &err),
               &err);
    assert_true(hit.score > 0.9999F);
    free(wanted);
    dpl_gallery_close(reader);
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ photos are not there */

static void a_photo_that_is_gone_is_made_from_its_thumbnail_until_it_is_found(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    const char *const paths[] = {"people"};
    rows *wanted = enrolled_by(later), *got;
    dpl_enroll_report enrolled;
    told t = {0};
    dpl_migrate_report r;

    (void)state;
    assert_int_equal(rename("people/bob/1.jpg", "away.jpg"), 0);
    kit_write("people/cy/1.png", "another", 7);
    r = migrate(&t, gallery, later, NULL, DPL_OK);
    assert_int_equal(r.n_from_photo, 3);
    assert_int_equal(r.n_from_thumbnail, 2);
    assert_int_equal(t.n_thumbs, 2);
    assert_int_equal(n_marked(gallery), 2);
    got = read_rows(gallery);
    /* The thumbnail holds the chip pixel for pixel, but for a JPEG of quality 85 and sampling
       again: .9946 and .9986 when this was written. Strangers come to .4. */
    assert_true(cosine(of_photo(got, "bob/1.jpg", "face"), of_photo(wanted, "bob/1.jpg", "face")) >
                0.97);
    assert_true(cosine(of_photo(got, "cy/1.png", "face"), of_photo(wanted, "cy/1.png", "face")) >
                0.97);
    expect_undamaged(gallery);
    free(got);

    /* Nothing to do while they are away; found by a migration, and by an enrolment. */
    r = migrate(&t, gallery, later, NULL, DPL_OK);
    assert_int_equal(r.n_from_photo + r.n_from_thumbnail, 0);
    assert_int_equal(n_marked(gallery), 2);
    assert_int_equal(rename("away.jpg", "people/bob/1.jpg"), 0);
    r = migrate(&t, gallery, later, NULL, DPL_OK);
    assert_int_equal(r.n_from_photo, 1);
    assert_int_equal(n_marked(gallery), 1);
    copy(DEMO "people/Marie Curie/portrait.png", "people/cy/1.png");
    kit_expect(DPL_OK, dpl_enroll(&enrolled, gallery, later, paths, 1, NULL, &err), &err);
    assert_int_equal(enrolled.n_updated, 1);
    assert_int_equal(enrolled.n_unchanged, 4);
    assert_int_equal(n_marked(gallery), 0);
    kit_expect(DPL_OK, dpl_enroll(&enrolled, gallery, later, paths, 1, NULL, &err), &err);
    assert_int_equal(enrolled.n_unchanged, 5);
    got = read_rows(gallery);
    expect_same_vectors(got, wanted);
    free(got);
    free(wanted);
    dpl_gallery_close(gallery);
}

static void the_mark_goes_through_an_export(void **state)
{
    dpl_gallery *gallery = enroll(dir, former), *again;
    char *other = kit_folder();
    int64_t n_photos, n_templates;
    told t = {0};

    (void)state;
    unlink("people/bob/1.jpg");
    migrate(&t, gallery, later, NULL, DPL_OK);
    kit_expect(DPL_OK, dpl_gallery_export(gallery, "all.jsonl", &err), &err);
    again = kit_open(other, DPL_GALLERY_CREATE);
    kit_expect(DPL_OK, dpl_gallery_import(again, "all.jsonl", &n_photos, &n_templates, &err), &err);
    assert_int_equal(n_marked(again), 1);
    dpl_gallery_close(again);
    kit_drop(other);
    unlink("all.jsonl");
    dpl_gallery_close(gallery);
}

static void what_can_be_had_no_more_is_dropped_only_when_told(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    dpl_gallery_counts counts;
    char *before, *after;
    told t = {0};
    dpl_migrate_options o = options_of(&t);
    dpl_migrate_report r;

    (void)state;
    unlink("people/bob/1.jpg");
    exec_of_photo(gallery,
                  "DELETE FROM thumb WHERE template_id IN (SELECT id FROM template"
                  " WHERE photo_id = ",
                  "bob/1.jpg", ")");
    before = kit_dump(gallery);
    r = migrate(&t, gallery, later, &o, DPL_E_INPUT);
    assert_non_null(strstr(err.message, "bob/1.jpg"));
    assert_non_null(strstr(err.message, "--drop"));
    assert_int_equal(r.n_lost, 1);
    assert_int_equal(t.n_lost, 1);
    after = kit_dump(gallery);
    assert_string_equal(before, after);
    free(after);
    o.drop = true;
    r = migrate(&t, gallery, later, &o, DPL_OK);
    assert_int_equal(r.n_earlier, 4);
    assert_int_equal(r.n_lost, 1);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_templates_face, 4);
    /* Its picture's vector is of a model that stays. */
    assert_int_equal(counts.n_photos, 5);
    assert_int_equal(counts.n_templates_image, 5);
    expect_undamaged(gallery);
    free(before);
    dpl_gallery_close(gallery);
}

static void an_absent_disk_is_not_taken_for_photos_that_are_gone(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    told t = {0};
    dpl_migrate_options o = options_of(&t);
    dpl_migrate_report r;

    (void)state;
    assert_int_equal(rename("people", "elsewhere"), 0);
    migrate(&t, gallery, later, &o, DPL_E_INPUT);
    assert_non_null(strstr(err.message, "--from-thumbnails"));
    assert_int_equal(t.n_events, 0);
    o.from_thumbnails = true;
    r = migrate(&t, gallery, later, &o, DPL_OK);
    assert_int_equal(r.n_from_thumbnail, 5);
    assert_int_equal(rename("elsewhere", "people"), 0);
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ cut short */

static void a_run_that_was_cut_short_goes_on(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    rows *wanted = enrolled_by(later), *got;
    char *before = kit_dump(gallery), *after, path[64];
    size_t n;
    char *staged;
    told t = {0};
    dpl_migrate_options o = options_of(&t);

    (void)state;
    o.dry_run = true;
    migrate(&t, gallery, later, &o, DPL_OK);
    after = kit_dump(gallery);
    assert_string_equal(before, after);
    free(after);
    free(before);
    dpl_gallery_close(gallery);
    snprintf(path, sizeof path, "%s/gallery.migrate", dir);
    staged = kit_read(path, &n);
    o.dry_run = false;
    /* Whatever a kill or a cut has left of what was staged, with or without bytes that were never
       written. */
    for (size_t cut = 0; cut <= n; cut += cut < n && cut + 211 > n ? n - cut : 211) {
        char *here = kit_folder(), db[64], to[64];
        dpl_migrate_report r;

        snprintf(db, sizeof db, "%s/gallery.db", dir);
        snprintf(to, sizeof to, "%s/gallery.db", here);
        copy(db, to);
        chmod(to, 0600);
        if (kit_is_sealed()) {
            snprintf(db, sizeof db, "%s/gallery.keys", dir);
            snprintf(to, sizeof to, "%s/gallery.keys", here);
            copy(db, to);
            chmod(to, 0600);
        }
        snprintf(to, sizeof to, "%s/gallery.migrate", here);
        if (cut % 2)
            memset(staged + cut, 0, n - cut);
        kit_write(to, staged, cut % 2 ? n : cut);
        chmod(here, 0700);
        gallery = kit_open(here, DPL_GALLERY_WRITE);
        r = migrate(&t, gallery, later, &o, DPL_OK);
        assert_int_equal(r.n_from_photo, 5);
        assert_true((r.n_earlier == 5) == (cut == n));
        got = read_rows(gallery);
        expect_same_vectors(got, wanted);
        free(got);
        dpl_gallery_close(gallery);
        kit_drop(here);
        if (cut % 2) { /* as it was */
            free(staged);
            staged = kit_read(path, &n);
        }
    }
    free(staged);
    free(wanted);
}

static void an_interrupted_run_leaves_the_gallery_as_it_was(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    char *before = kit_dump(gallery), *after;
    told t = {.cancel_after = 2};
    dpl_migrate_report r;

    (void)state;
    migrate(&t, gallery, later, NULL, DPL_E_CANCELLED);
    after = kit_dump(gallery);
    assert_string_equal(before, after);
    t = (told){0};
    r = migrate(&t, gallery, later, NULL, DPL_OK);
    assert_int_equal(r.n_earlier, 2);
    free(before);
    free(after);
    dpl_gallery_close(gallery);
}

static void what_was_staged_is_of_one_gallery_and_one_model(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    rows *wanted = enrolled_by(later), *got;
    told t = {0};
    dpl_migrate_options o = options_of(&t);
    dpl_migrate_report r;

    (void)state;
    o.dry_run = true;
    migrate(&t, gallery, blind, &o, DPL_OK);
    o.dry_run = false;
    r = migrate(&t, gallery, later, &o, DPL_OK);
    assert_int_equal(r.n_earlier, 0);
    got = read_rows(gallery);
    expect_same_vectors(got, wanted);
    free(got);
    free(wanted);
    dpl_gallery_close(gallery);
}

static void a_photo_that_was_put_again_meanwhile_is_made_again(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    const char *const paths[] = {"people"};
    dpl_enroll_options force = DPL_ENROLL_OPTIONS_INIT;
    rows *wanted, *got;
    dpl_enroll_report enrolled;
    told t = {0};
    dpl_migrate_options o = options_of(&t);
    dpl_migrate_report r;

    (void)state;
    o.dry_run = true;
    migrate(&t, gallery, later, &o, DPL_OK);
    copy(DEMO "people/Eileen Collins/nasa-portrait.jpg", "people/bob/1.jpg");
    wanted = enrolled_by(later);
    force.n_threads = 1;
    kit_expect(DPL_OK, dpl_enroll(&enrolled, gallery, former, paths, 1, &force, &err), &err);
    assert_int_equal(enrolled.n_updated, 1);
    o.dry_run = false;
    r = migrate(&t, gallery, later, &o, DPL_OK);
    assert_int_equal(r.n_earlier, 4);
    got = read_rows(gallery);
    expect_same_vectors(got, wanted);
    free(got);
    free(wanted);
    dpl_gallery_close(gallery);
}

static void who_is_forgotten_is_not_left_in_what_was_staged(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    char path[512];
    dpl_forget_report report;
    told t = {0};
    dpl_migrate_options o = options_of(&t);

    (void)state;
    o.dry_run = true;
    migrate(&t, gallery, later, &o, DPL_OK);
    kit_beside(path, dir, "gallery.migrate");
    assert_int_equal(access(path, F_OK), 0);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "bob", NULL, 0, false, &err), &err);
    assert_int_equal(access(path, F_OK), -1);
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ damage, refusals */

static void damaged_vectors_are_made_anew_and_damaged_thumbnails_are_not_used(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    rows *wanted = enrolled_by(later), *got;
    told t = {0};
    dpl_migrate_options o = options_of(&t);
    dpl_migrate_report r;

    (void)state;
    kit_exec(gallery,
             kit_is_database()
                 ? "UPDATE embedding SET bytes = decode(repeat('00', length(bytes)), 'hex')"
                   " WHERE template_id IN (SELECT template_id FROM face LIMIT 2)"
                 : "UPDATE template SET vector = zeroblob(length(vector))"
                   " WHERE id IN (SELECT template_id FROM face LIMIT 2)");
    exec_of_photo(gallery,
                  "UPDATE thumb SET jpeg = x'ffd8' WHERE template_id IN"
                  " (SELECT id FROM template WHERE photo_id = ",
                  "bob/1.jpg", ")");
    assert_int_equal(rename("people/bob/1.jpg", "away.jpg"), 0);
    r = migrate(&t, gallery, later, &o, DPL_E_INPUT);
    assert_int_equal(r.n_lost, 1);
    assert_int_equal(rename("away.jpg", "people/bob/1.jpg"), 0);
    r = migrate(&t, gallery, later, &o, DPL_OK);
    assert_int_equal(r.n_from_photo, 5);
    /* The thumbnail is still damaged, and what is damaged is not read out. */
    kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), "DELETE FROM thumb", &err), &err);
    got = read_rows(gallery);
    expect_same_vectors(got, wanted);
    free(got);
    free(wanted);
    dpl_gallery_close(gallery);
}

static void a_damaged_row_of_a_photo_is_told_and_stays(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    told t = {0};

    (void)state;
    /* Encrypted, all that a photo's row says is in this column. */
    exec_of_photo(gallery, "UPDATE photo SET reason = x'78' WHERE id = ", "bob/1.jpg", "");
    migrate(&t, gallery, later, NULL, DPL_E_INPUT);
    assert_non_null(strstr(err.message, "doppel check --repair"));
    dpl_gallery_close(gallery);
}

static void a_full_disk_is_told_before_anything_is_done(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    told t = {0};

    (void)state;
    disk_is_full = true;
    migrate(&t, gallery, later, NULL, DPL_E_SYSTEM);
    assert_non_null(strstr(err.message, "no room"));
    assert_int_equal(t.n_events, 0);
    dpl_gallery_close(gallery);
}

static void a_pipeline_that_cannot_make_all_vectors_is_refused(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *p;
    told t = {0};

    (void)state;
    o.encoder_path = "later.onnx";
    o.detector_path = DPL_MODELS_DIR "/face-detect.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&p, &o, &err), &err);
    migrate(&t, gallery, p, NULL, DPL_E_MISMATCH);
    assert_non_null(strstr(err.message, "--image-model"));
    dpl_pipeline_close(p);
    o.detector_path = NULL;
    o.image_path = DPL_SOURCE_DIR "/tests/standins/image.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&p, &o, &err), &err);
    migrate(&t, gallery, p, NULL, DPL_E_MISMATCH);
    assert_non_null(strstr(err.message, "detect"));
    dpl_pipeline_close(p);
    dpl_gallery_close(gallery);
}

static void other_calls_are_refused_and_name_the_way_out(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    const char *const paths[] = {"people"};
    dpl_enroll_report report;

    (void)state;
    kit_expect(DPL_E_MISMATCH, dpl_enroll(&report, gallery, later, paths, 1, NULL, &err), &err);
    assert_non_null(strstr(err.message, "doppel migrate"));
    kit_expect(DPL_E_MISMATCH, dpli_gallery_fits(gallery, dpl_pipeline_encoder(later), &err), &err);
    assert_non_null(strstr(err.message, "doppel migrate"));
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ whole pictures, calibration */

static void pictures_taken_whole_are_made_anew_from_photo_or_thumbnail(void **state)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *a, *b;
    dpl_gallery *gallery;
    rows *wanted, *got;
    told t = {0};
    dpl_migrate_report r;
    char path[64];

    (void)state;
    o.encoder_path = DPL_SOURCE_DIR "/tests/standins/koch.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&a, &o, &err), &err);
    put_model(path, DPL_SOURCE_DIR "/tests/standins/koch.onnx", "koch", "{\"std\": \"200\"}");
    o.encoder_path = path;
    kit_expect(DPL_OK, dpl_pipeline_open(&b, &o, &err), &err);
    gallery = enroll(dir, a);
    wanted = enrolled_by(b);
    unlink("people/cy/1.png");
    r = migrate(&t, gallery, b, NULL, DPL_OK);
    assert_int_equal(r.n_from_photo, 4);
    assert_int_equal(r.n_from_thumbnail, 1);
    got = read_rows(gallery);
    assert_memory_equal(of_photo(got, "bob/1.jpg", got->items[0].space)->vector,
                        of_photo(wanted, "bob/1.jpg", got->items[0].space)->vector, sizeof(float));
    assert_int_equal(n_marked(gallery), 1);
    expect_undamaged(gallery);
    free(got);
    free(wanted);
    dpl_gallery_close(gallery);
    dpl_pipeline_close(a);
    dpl_pipeline_close(b);
}

static void the_former_models_calibration_is_set_aside(void **state)
{
    static const char mine[] = "{\"version\":1,\"metric\":\"cosine\",\"pairs\":1000000,"
                               "\"points\":[[0.1,0.5],[0.5,1e-5]]}";
    dpl_gallery *gallery = enroll(dir, former);
    dpli_store *s = gallery->store;
    char path[512], aside[512];
    told t = {0};
    dpl_migrate_report r;

    (void)state;
    kit_expect(DPL_OK, dpl_calibration_beside(gallery, mine, &err), &err);
    r = migrate(&t, gallery, later, NULL, DPL_OK);
    if (kit_is_database()) { /* it is among the rows */
        uint8_t *bytes;
        size_t n;

        kit_expect(DPL_OK, s->ops->beside(s, &bytes, &n, "calibration.json", &err), &err);
        assert_null(bytes);
        kit_expect(DPL_OK, s->ops->beside(s, &bytes, &n, r.set_aside, &err), &err);
        assert_int_equal(n, sizeof mine - 1);
        assert_memory_equal(bytes, mine, n);
        free(bytes);
    } else {
        kit_beside(path, dir, "calibration.json");
        assert_int_equal(access(path, F_OK), -1);
        kit_beside(aside, dir, r.set_aside);
        assert_int_equal(access(aside, F_OK), 0);
    }
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ decisions */

static void decisions_that_change_are_told_with_both_models_words(void **state)
{
    dpl_gallery *gallery = enroll(dir, former);
    told t = {0};
    dpl_migrate_options o = options_of(&t);
    dpl_migrate_report r;

    (void)state;
    o.dry_run = true;
    o.before = former;
    r = migrate(&t, gallery, later, &o, DPL_OK);
    assert_int_equal(r.n_references, 5);
    assert_int_equal(r.n_references_all, 5);
    assert_int_equal(r.n_changed, 0); /* it is given a little less contrast */
    r = migrate(&t, gallery, blind, &o, DPL_OK);
    assert_true(r.n_changed > 0);
    assert_int_equal(r.n_changed, t.n_changes);
    assert_true(t.n_own >= 3); /* no photo of ann's is told as hers */
    assert_true(t.all_known);
    assert_int_equal(t.before, DPL_DECISION_MATCH);
    assert_int_not_equal(t.after, DPL_DECISION_MATCH);

    /* Without the former model nothing is said of what it decided. */
    t = (told){0};
    o.before = NULL;
    r = migrate(&t, gallery, blind, &o, DPL_OK);
    assert_true(r.n_changed > 0);
    assert_false(t.all_known);
    assert_int_equal(t.before, DPL_DECISION_NONE);
    dpl_gallery_close(gallery);
}

/* ------------------------------------------------------------------ main */

static int set_up_all(void **state)
{
    static char root[] = "/tmp/doppel-migrate-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(chdir(root), 0);
    former = open_model("former", "{}");
    later = open_model("later", "{\"mean\": \"120\", \"std\": \"140\"}");
    blind = open_model("blind", "{\"template\": \"-65,48.2 -30,48 -47.5,68.2 -62,88.9 -33,88.7\"}");
    return 0;
}

static int tear_down_all(void **state)
{
    char *cwd = getcwd(NULL, 0);
    char command[128];

    (void)state;
    dpl_pipeline_close(former);
    dpl_pipeline_close(later);
    dpl_pipeline_close(blind);
    assert_non_null(cwd);
    assert_int_equal(strncmp(cwd, "/tmp/doppel-migrate-", 20), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", cwd);
    free(cwd);
    return system(command) == 0 ? 0 : -1;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(vectors_are_those_of_a_gallery_enrolled_by_the_new_model),
        T(what_was_said_of_a_face_stays_with_it),
        T(a_search_by_another_handle_finds_the_new_vectors),
        T(a_photo_that_is_gone_is_made_from_its_thumbnail_until_it_is_found),
        T(the_mark_goes_through_an_export),
        T(what_can_be_had_no_more_is_dropped_only_when_told),
        T(an_absent_disk_is_not_taken_for_photos_that_are_gone),
        /* Galleries are copied as files. */
        cmocka_unit_test_setup_teardown(kit_is_database() ? kit_needs_folder
                                                          : a_run_that_was_cut_short_goes_on,
                                        set_up, tear_down),
        T(an_interrupted_run_leaves_the_gallery_as_it_was),
        T(what_was_staged_is_of_one_gallery_and_one_model),
        T(a_photo_that_was_put_again_meanwhile_is_made_again),
        T(who_is_forgotten_is_not_left_in_what_was_staged),
        T(damaged_vectors_are_made_anew_and_damaged_thumbnails_are_not_used),
        T(a_damaged_row_of_a_photo_is_told_and_stays),
        T(a_full_disk_is_told_before_anything_is_done),
        T(a_pipeline_that_cannot_make_all_vectors_is_refused),
        T(other_calls_are_refused_and_name_the_way_out),
        T(pictures_taken_whole_are_made_anew_from_photo_or_thumbnail),
        T(the_former_models_calibration_is_set_aside),
        T(decisions_that_change_are_told_with_both_models_words),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
