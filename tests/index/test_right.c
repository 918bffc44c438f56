/*
 * test_right.c - whose faces are, put right by hand: what is said of a face lasts, two people
 * become one, and each of it is one change that can be taken back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "index/gallery.h"
#include "tests/index/gallery_kit.h"

static dpl_error err;

/* ------------------------------------------------------------------ what a gallery holds */

enum { MAX_TOLD = 2048 };

/* All of it in words, a line each: people, photos, templates, what was said not to be. */
typedef struct told {
    char text[MAX_TOLD];
    size_t n;
    dpl_gallery *gallery;
} told;

static void add(told *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(told *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    t->n += (size_t)vsnprintf(t->text + t->n, MAX_TOLD - t->n, format, args);
    va_end(args);
    assert_true(t->n < MAX_TOLD);
}

static dpl_status add_person(void *ctx, const dpl_person *row)
{
    add(ctx, "%s:%d/%d ", row->name, (int)row->n_photos, (int)row->n_templates);
    return DPL_OK;
}

static dpl_status add_refusal(void *ctx, const dpl_refusal *row)
{
    if (row->person)
        add(ctx, " not %s", row->person);
    else
        add(ctx, " not as %d", (int)row->other_id);
    return DPL_OK;
}

static dpl_status add_template(void *ctx, const dpl_template_row *row)
{
    told *t = ctx;

    add(t, " [%s%s", row->person ? row->person : "-", row->by_hand ? "!" : "");
    kit_expect(DPL_OK, dpl_gallery_each_refusal(t->gallery, row->id, add_refusal, t, &err), &err);
    add(t, "]");
    return DPL_OK;
}

static dpl_status add_photo(void *ctx, const dpl_photo_row *row)
{
    told *t = ctx;

    add(t, "\n%s %s", row->path, row->person ? row->person : "-");
    if (row->meant)
        add(t, " meant %s", row->meant);
    kit_expect(DPL_OK, dpl_gallery_each_template_of(t->gallery, row->id, add_template, t, &err),
               &err);
    return DPL_OK;
}

static const char *tell(dpl_gallery *gallery)
{
    static told t;

    t.n = 0;
    t.gallery = gallery;
    add(&t, "%s", "");
    kit_expect(DPL_OK, dpl_gallery_each_person(gallery, add_person, &t, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_each_photo(gallery, NULL, add_photo, &t, &err), &err);
    return t.text;
}

#define expect_held(gallery, text) assert_string_equal(tell(gallery), text)

static dpl_status keep_id(void *ctx, const dpl_template_row *row)
{
    int64_t *ids = ctx;

    ids[++ids[0]] = row->id;
    return DPL_OK;
}

static dpl_status keep_photo_id(void *ctx, const dpl_photo_row *row)
{
    *(int64_t *)ctx = row->id;
    return DPL_OK;
}

/* The id of the nth template of a photo, from 1. */
static int64_t face(dpl_gallery *gallery, const char *path, int n)
{
    int64_t ids[16] = {0}, photo = 0;
    int found;

    kit_expect(DPL_OK,
               dpl_gallery_find_photo(gallery, path, NULL, keep_photo_id, &photo, &found, &err),
               &err);
    assert_int_equal(found, 1);
    kit_expect(DPL_OK, dpl_gallery_each_template_of(gallery, photo, keep_id, ids, &err), &err);
    assert_true(n <= ids[0]);
    return ids[n];
}

/* Faces beside each other, the last template of an even seed a picture of the whole. */
static void make(kit_photo *p, uint64_t seed, const char *path, const char *person, size_t n)
{
    kit_photo_make(p, seed, path, person, n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(p->templates[i].space, "face") != 0)
            continue;
        p->templates[i].face.x_px = 100.0F * (float)i;
        p->templates[i].face.y_px = 10;
        p->templates[i].face.w_px = p->templates[i].face.h_px = 50;
    }
}

static void put(dpl_gallery *gallery, uint64_t seed, const char *path, const char *person, size_t n)
{
    kit_photo p;

    make(&p, seed, path, person, n);
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
}

static void assign(dpl_gallery *gallery, const char *path, int n, const char *name)
{
    kit_expect(DPL_OK, dpl_gallery_assign(gallery, face(gallery, path, n), name, &err), &err);
}

static void reject(dpl_gallery *gallery, const char *path, int n, const char *name)
{
    kit_expect(DPL_OK, dpl_gallery_reject(gallery, face(gallery, path, n), name, &err), &err);
}

/* ------------------------------------------------------------------ assign */

static void a_photo_follows_its_face(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    put(gallery, 2, "/a.jpg", "Ann", 2); /* a face, and the whole picture */
    put(gallery, 1, "/b.jpg", NULL, 1);
    put(gallery, 3, "/c.jpg", "Ann", 1);
    expect_held(gallery, "Ann:2/3 \n/a.jpg Ann [Ann] [Ann]\n/b.jpg - [-]\n/c.jpg Ann [Ann]");
    assign(gallery, "/a.jpg", 1, "Bob");
    assign(gallery, "/b.jpg", 1, "Bob");
    expect_held(gallery, "Ann:1/1 Bob:2/3 \n/a.jpg Bob [Bob!] [Bob]\n/b.jpg Bob [Bob!]"
                         "\n/c.jpg Ann [Ann]");
    /* The last of Ann's. */
    assign(gallery, "/c.jpg", 1, "Bob");
    expect_held(gallery, "Bob:3/4 \n/a.jpg Bob [Bob!] [Bob]\n/b.jpg Bob [Bob!]\n/c.jpg Bob [Bob!]");
    kit_end(gallery, dir);
}

static void a_photo_stays_with_who_else_is_in_it(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    kit_photo p;

    (void)state;
    make(&p, 1, "/three.jpg", "Ann", 3);
    p.templates[1].is_nobodys = p.templates[2].is_nobodys = true;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    make(&p, 3, "/two.jpg", NULL, 2);
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    /* Meant to be Carl's, whichever face is his. */
    make(&p, 5, "/unclear.jpg", NULL, 2);
    p.photo.row.meant = "Carl";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);

    assign(gallery, "/three.jpg", 2, "Bob");
    assign(gallery, "/two.jpg", 2, "Bob");
    assign(gallery, "/unclear.jpg", 1, "Bob");
    expect_held(gallery, "Ann:1/1 Bob:3/3 \n/three.jpg Ann [Ann] [Bob!] [-]\n/two.jpg - [-] [Bob!]"
                         "\n/unclear.jpg - meant Carl [Bob!] [-]");
    assign(gallery, "/three.jpg", 1, "Bob");
    assign(gallery, "/unclear.jpg", 2, "Carl");
    expect_held(gallery, "Bob:3/4 Carl:1/1 \n/three.jpg Bob [Bob!] [Bob!] [-]"
                         "\n/two.jpg - [-] [Bob!]\n/unclear.jpg Carl [Bob!] [Carl!]");
    kit_end(gallery, dir);
}

static void a_name_is_a_persons_in_any_form_and_after_a_rename(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    put(gallery, 1, "/a.jpg", "Jos\303\251", 1);
    put(gallery, 3, "/b.jpg", NULL, 1);
    put(gallery, 5, "/c.jpg", NULL, 1);
    assign(gallery, "/b.jpg", 1, "Jose\314\201");
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Jos\303\251", "Joe", &err), &err);
    assign(gallery, "/c.jpg", 1, "Jose\314\201");
    expect_held(gallery, "Joe:3/3 \n/a.jpg Joe [Joe]\n/b.jpg Joe [Joe!]\n/c.jpg Joe [Joe!]");
    kit_end(gallery, dir);
}

static void what_cannot_be_assigned_is_told_and_changes_nothing(void **state)
{
    char *dir = kit_folder(), *before;
    dpl_gallery *gallery = kit_new(dir), *reader;

    (void)state;
    put(gallery, 2, "/a.jpg", "Ann", 2);
    before = kit_dump(gallery);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_assign(gallery, 99, "Bob", &err), &err);
    assert_string_equal(err.message, "there is no template 99");
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_assign(gallery, face(gallery, "/a.jpg", 2), "Bob", &err),
               &err);
    assert_non_null(strstr(err.message, "whole picture"));
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_assign(gallery, face(gallery, "/a.jpg", 1), "", &err),
               &err);
    kit_expect(DPL_E_NOT_FOUND,
               dpl_gallery_reject(gallery, face(gallery, "/a.jpg", 1), "Bob", &err), &err);
    assert_string_equal(err.message, "there is no person \"Bob\"");
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_reject(gallery, 99, "Ann", &err), &err);
    reader = kit_open(dir, DPL_GALLERY_READ);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_assign(reader, face(gallery, "/a.jpg", 1), "Bob", &err),
               &err);
    dpl_gallery_close(reader);
    kit_is_still(gallery, before);
    kit_end(gallery, dir);
}

static void a_search_knows_at_once_whose_a_face_is(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpli_vectors v;

    (void)state;
    put(gallery, 1, "/a.jpg", "Ann", 1);
    kit_expect(DPL_OK, dpli_gallery_load(&v, gallery, "face", KIT_DIM, false, &err), &err);
    const int64_t generation = v.generation, owner = v.owners[0];
    dpli_vectors_clear(&v);
    assign(gallery, "/a.jpg", 1, "Bob");
    kit_expect(DPL_OK, dpli_gallery_load(&v, gallery, "face", KIT_DIM, false, &err), &err);
    assert_true(v.generation > generation && v.owners[0] != owner);
    dpli_vectors_clear(&v);
    kit_end(gallery, dir);
}

static void a_face_with_a_person_is_in_no_group(void **state)
{
    char *dir = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);
    dpli_store *s = gallery->store;
    dpli_member_record r;

    (void)state;
    put(gallery, 1, "/a.jpg", NULL, 1);
    r = (dpli_member_record){.template_id = face(gallery, "/a.jpg", 1), .group_number = 17};
    r.sum = dpli_member_sum(&r);
    kit_expect(DPL_OK, s->ops->begin(s, true, &err), &err);
    kit_expect(DPL_OK, s->ops->end(s, s->ops->set_member(s, &r, &err), &err), &err);
    assign(gallery, "/a.jpg", 1, "Ann");
    text = kit_dump(gallery);
    assert_null(strstr(text, "\"group\""));
    free(text);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ reject */

static void a_rejected_face_is_nobodys_and_so_is_its_photo(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    kit_photo p;

    (void)state;
    put(gallery, 2, "/a.jpg", "Ann", 2);
    make(&p, 3, "/b.jpg", "Ann", 2);
    p.templates[1].person = "Bob";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    put(gallery, 5, "/c.jpg", "Ann", 1);
    reject(gallery, "/a.jpg", 1, "Ann");
    reject(gallery, "/b.jpg", 2, "Ann"); /* nor was it */
    reject(gallery, "/b.jpg", 2, "Bob");
    expect_held(gallery, "Ann:2/2 \n/a.jpg - [- not Ann] [-]"
                         "\n/b.jpg Ann [Ann] [- not Ann not Bob]\n/c.jpg Ann [Ann]");
    /* Whoever changes their mind has the last word. */
    assign(gallery, "/a.jpg", 1, "Ann");
    expect_held(gallery, "Ann:3/4 \n/a.jpg Ann [Ann!] [Ann]"
                         "\n/b.jpg Ann [Ann] [- not Ann not Bob]\n/c.jpg Ann [Ann]");
    reject(gallery, "/a.jpg", 1, "Ann");
    reject(gallery, "/a.jpg", 1, "Ann");
    expect_held(gallery, "Ann:2/2 \n/a.jpg - [- not Ann] [-]"
                         "\n/b.jpg Ann [Ann] [- not Ann not Bob]\n/c.jpg Ann [Ann]");
    kit_end(gallery, dir);
}

/* As an enrolment that encodes everything anew puts it. */
static void put_again(dpl_gallery *gallery, uint64_t seed, const char *path, const char *person,
                      size_t n, int64_t moved_id)
{
    kit_photo p;

    make(&p, seed, path, person, n);
    p.photo.moved_id = moved_id;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
}

static void no_enrolment_gives_a_rejected_face_back(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    int64_t id = 0;
    int found;

    (void)state;
    put(gallery, 2, "/Ann/1.jpg", "Ann", 2);
    reject(gallery, "/Ann/1.jpg", 1, "Ann");
    /* Nobody is called so any more, and nobody is told of her. */
    expect_held(gallery, "\n/Ann/1.jpg - [- not Ann] [-]");
    put_again(gallery, 2, "/Ann/1.jpg", "Ann", 2, 0);
    expect_held(gallery, "\n/Ann/1.jpg - [- not Ann] [-]");
    /* Moved, by force. */
    kit_expect(
        DPL_OK,
        dpl_gallery_find_photo(gallery, "/Ann/1.jpg", NULL, keep_photo_id, &id, &found, &err),
        &err);
    put_again(gallery, 2, "/Ann/2.jpg", "Ann", 2, id);
    expect_held(gallery, "\n/Ann/2.jpg - [- not Ann] [-]");
    /* A copy is the same face. */
    put_again(gallery, 2, "/Ann/3.jpg", "Ann", 2, 0);
    expect_held(gallery, "\n/Ann/2.jpg - [- not Ann] [-]\n/Ann/3.jpg - [- not Ann] [-]");
    /* Somebody else's it may be, and another picture hers. */
    put_again(gallery, 2, "/Bob/1.jpg", "Bob", 2, 0);
    put(gallery, 3, "/Ann/4.jpg", "Ann", 1);
    put_again(gallery, 5, "/Ann/3.jpg", "Ann", 1, 0);
    expect_held(gallery, "Ann:2/2 Bob:1/2 \n/Ann/2.jpg - [- not Ann] [-]\n/Ann/3.jpg Ann [Ann]"
                         "\n/Ann/4.jpg Ann [Ann]\n/Bob/1.jpg Bob [Bob not Ann] [Bob]");
    kit_end(gallery, dir);
}

static void what_was_said_of_a_picture_that_is_one_face_lasts_too(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    kit_photo p;

    (void)state;
    /* Not found in a photo: it is not known where the face is. */
    for (int round = 0; round < 2; round++)
        for (uint64_t seed = 1; seed <= 3; seed += 2) {
            make(&p, seed, seed == 1 ? "/a.png" : "/b.png", "Ann", 1);
            memset(&p.templates[0].face, 0, sizeof p.templates[0].face);
            kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
            if (round == 0 && seed == 1)
                reject(gallery, "/a.png", 1, "Ann");
            else if (round == 0)
                assign(gallery, "/b.png", 1, "Bob");
        }
    expect_held(gallery, "Bob:1/1 \n/a.png - [- not Ann]\n/b.png Bob [Bob!]");
    kit_end(gallery, dir);
}

static void a_face_named_by_hand_takes_its_photo_along_when_it_is_enrolled_again(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    put(gallery, 2, "/a.jpg", "Ann", 2);
    assign(gallery, "/a.jpg", 1, "Bob");
    put_again(gallery, 2, "/a.jpg", "Ann", 2, 0);
    expect_held(gallery, "Bob:1/2 \n/a.jpg Bob [Bob!] [Bob]");
    kit_end(gallery, dir);
}

static void whoever_is_known_only_by_a_refusal_takes_nobodys_place(void **state)
{
    char *dir = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);
    dpl_gallery_counts counts;
    dpl_forget_report report;
    static const char *const path = "/a.jpg";

    (void)state;
    put(gallery, 1, "/a.jpg", "Ann Rejected", 1);
    put(gallery, 3, "/b.jpg", "Bob", 1);
    reject(gallery, "/a.jpg", 1, "Ann Rejected");
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_persons, 1);
    /* Somebody may be called so, and is who the face is not. */
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Bob", "Ann Rejected", &err), &err);
    expect_held(gallery, "Ann Rejected:1/1 \n/a.jpg - [- not Ann Rejected]"
                         "\n/b.jpg Ann Rejected [Ann Rejected]");
    /* Forgotten, they are in no file, nor when the photo is that the refusal was of. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Ann Rejected", NULL, 0, false, &err),
               &err);
    assert_int_equal(report.n_strings_left, 0);
    expect_held(gallery, "\n/a.jpg - [-]");
    put(gallery, 5, "/c.jpg", "Ann Rejected", 1);
    reject(gallery, "/c.jpg", 1, "Ann Rejected");
    reject(gallery, "/a.jpg", 1, "Ann Rejected");
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, NULL, &path, 1, false, &err), &err);
    expect_held(gallery, "\n/c.jpg - [- not Ann Rejected]");
    /* Another picture in its place. */
    put(gallery, 7, "/c.jpg", NULL, 1);
    text = kit_dump(gallery);
    assert_null(strstr(text, "Ann Rejected"));
    free(text);
    /* By their name alone. */
    put(gallery, 9, "/d.jpg", "Ann Rejected", 1);
    reject(gallery, "/d.jpg", 1, "Ann Rejected");
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Ann Rejected", NULL, 0, false, &err),
               &err);
    assert_int_equal(report.n_strings_left, 0);
    assert_int_equal(kit_files_with(dir, "Ann Rejected", 12), 0);
    expect_held(gallery, "\n/c.jpg - [-]\n/d.jpg - [-]");
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ merge, set apart */

static void say_pair(dpl_gallery *gallery, int64_t a, int64_t b)
{
    dpli_refusal_record r = {.template_id = a, .other_id = b};
    dpli_store *s = gallery->store;
    int64_t id = 0;

    r.sum = dpli_refusal_sum(&r);
    kit_expect(DPL_OK, s->ops->begin(s, true, &err), &err);
    kit_expect(DPL_OK, s->ops->end(s, s->ops->add_refusal(s, &id, &r, &err), &err), &err);
}

static void two_people_become_one_with_all_that_is_known_of_them(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_merge_report report;
    kit_photo p;

    (void)state;
    put(gallery, 2, "/a.jpg", "Annie", 2);
    put(gallery, 1, "/b.jpg", "Ann", 1);
    make(&p, 3, "/c.jpg", "Bob", 3);
    p.templates[1].person = "Annie";
    p.templates[1].by_hand = true;
    p.templates[2].is_nobodys = true;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    make(&p, 5, "/refused.jpg", NULL, 0);
    p.photo.row.meant = "Annie";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Annie", "Anne", &err), &err);
    /* Neither is the third face of c, nor is Bob Anne; they were thought to be two. */
    reject(gallery, "/c.jpg", 3, "Anne");
    reject(gallery, "/c.jpg", 1, "Ann");
    reject(gallery, "/a.jpg", 1, "Ann");
    reject(gallery, "/b.jpg", 1, "Anne");
    say_pair(gallery, face(gallery, "/a.jpg", 1), face(gallery, "/b.jpg", 1));
    say_pair(gallery, face(gallery, "/c.jpg", 1), face(gallery, "/b.jpg", 1));

    kit_expect(DPL_OK, dpl_gallery_merge(&report, gallery, "Anne", "Ann", &err), &err);
    assert_int_equal(report.n_photos, 2);
    assert_int_equal(report.n_faces, 2);
    assert_int_equal(report.n_meant, 1);
    expect_held(gallery, "Ann:3/4 Bob:1/1 \n/a.jpg Ann [Ann] [Ann]\n/b.jpg Ann [Ann not as 3]"
                         "\n/c.jpg Bob [Bob not Ann not as 3] [Ann!] [- not Ann]"
                         "\n/refused.jpg - meant Ann");
    /* Whatever they were called, it is the one. */
    put(gallery, 7, "/d.jpg", "Annie", 1);
    put(gallery, 9, "/e.jpg", "Anne", 1);
    put(gallery, 11, "/f.jpg", "Ann", 1);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_merge(&report, gallery, "Ann", "Ann", &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_merge(&report, gallery, "Anne", "Ann", &err), &err);
    assert_string_equal(err.message,
                        "there is no person \"Anne\": who was called so is now \"Ann\"");
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_merge(&report, gallery, "Ann", "Zoe", &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_merge(&report, gallery, "Zoe", "Ann", &err), &err);
    assert_non_null(strstr(tell(gallery), "Ann:6/7 Bob:1/1 \n"));
    kit_end(gallery, dir);
}

static void photos_that_were_to_be_somebodys_can_be_merged_alone(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_merge_report report;
    kit_photo p;

    (void)state;
    put(gallery, 1, "/a.jpg", "Ann", 1);
    make(&p, 3, "/refused.jpg", NULL, 0);
    p.photo.row.meant = "Annie";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_merge(&report, gallery, "Annie", "Ann", &err), &err);
    assert_int_equal(report.n_photos + report.n_faces, 0);
    assert_int_equal(report.n_meant, 1);
    expect_held(gallery, "Ann:1/1 \n/a.jpg Ann [Ann]\n/refused.jpg - meant Ann");
    kit_end(gallery, dir);
}

static void two_people_are_set_apart_until_they_are_merged(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_merge_report report;

    (void)state;
    put(gallery, 2, "/a.jpg", "Ann", 2);
    put(gallery, 1, "/b.jpg", "Bob", 2);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_set_apart(gallery, "Ann", "Zoe", &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_set_apart(gallery, "Ann", "Ann", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_set_apart(gallery, "Ann", "Bob", &err), &err);
    expect_held(gallery, "Ann:1/2 Bob:1/2 \n/a.jpg Ann [Ann not Bob] [Ann]"
                         "\n/b.jpg Bob [Bob not Ann] [Bob not Ann]");
    kit_expect(DPL_OK, dpl_gallery_merge(&report, gallery, "Bob", "Ann", &err), &err);
    expect_held(gallery, "Ann:2/4 \n/a.jpg Ann [Ann] [Ann]\n/b.jpg Ann [Ann] [Ann]");
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ changes and copies */

static dpl_status assign_one(dpl_gallery *gallery)
{
    return dpl_gallery_assign(gallery, face(gallery, "/a.jpg", 1), "Bob", &err);
}

static dpl_status assign_new(dpl_gallery *gallery)
{
    return dpl_gallery_assign(gallery, face(gallery, "/c.jpg", 1), "Zoe", &err);
}

static dpl_status reject_last(dpl_gallery *gallery)
{
    return dpl_gallery_reject(gallery, face(gallery, "/c.jpg", 1), "Carl", &err);
}

static dpl_status merge_two(dpl_gallery *gallery)
{
    dpl_merge_report report;

    return dpl_gallery_merge(&report, gallery, "Ann", "Bob", &err);
}

static dpl_status part_two(dpl_gallery *gallery)
{
    return dpl_gallery_set_apart(gallery, "Ann", "Bob", &err);
}

static dpl_status assign_several(dpl_gallery *gallery)
{
    dpl_status status = dpl_gallery_begin_change(gallery, "assign all", &err);

    if (status == DPL_OK)
        status = assign_one(gallery);
    if (status == DPL_OK)
        status = assign_new(gallery);
    dpl_gallery_end_change(gallery);
    return status;
}

static dpl_status keep_change(void *ctx, const dpl_change *change)
{
    dpl_change *kept = ctx;
    static char what[128];

    *kept = *change;
    snprintf(what, sizeof what, "%s", change->what);
    kept->what = what;
    return DPL_OK;
}

static void each_is_one_change_that_can_be_rehearsed_and_taken_back(void **state)
{
    static const struct {
        dpl_status (*make)(dpl_gallery *gallery);
        const char *what;
        int n_owners;
    } changes[] = {{assign_one, "assign \"/a.jpg\" \"Bob\"", 1},
                   {assign_new, "assign \"/c.jpg\" \"Zoe\"", 1},
                   {reject_last, "reject \"/c.jpg\" \"Carl\"", 1},
                   {merge_two, "merge \"Ann\" \"Bob\"", 1},
                   {part_two, "set apart \"Ann\" \"Bob\"", 0},
                   {assign_several, "assign all", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *dir = kit_folder(), *before, *after, *now;
        dpl_gallery *gallery = kit_new(dir);
        dpl_change change = {0};

        put(gallery, 2, "/a.jpg", "Ann", 2);
        put(gallery, 1, "/b.jpg", "Bob", 2);
        put(gallery, 3, "/c.jpg", "Carl", 1);
        reject(gallery, "/b.jpg", 1, "Ann");
        before = kit_dump(gallery);
        dpl_gallery_rehearse(gallery, true);
        kit_expect(DPL_OK, changes[i].make(gallery), &err);
        dpl_gallery_rehearse(gallery, false);
        now = kit_dump(gallery);
        assert_string_equal(now, before);
        free(now);
        kit_expect(DPL_OK, changes[i].make(gallery), &err);
        after = kit_dump(gallery);
        assert_string_not_equal(after, before);
        kit_expect(DPL_OK, dpl_gallery_last_change(gallery, keep_change, &change, &err), &err);
        assert_string_equal(change.what, changes[i].what);
        assert_int_equal(change.n_owners_changed, changes[i].n_owners);
        for (int round = 0; round < 2; round++) {
            kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
            now = kit_dump(gallery);
            /* The first line has the highest ids, which do not come back. */
            assert_string_equal(strchr(now, '\n'), strchr(round == 0 ? before : after, '\n'));
            free(now);
        }
        free(before);
        free(after);
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
}

static void an_export_carries_what_was_said(void **state)
{
    char *dir = kit_folder(), *text, *again, *held;
    dpl_gallery *gallery = kit_new(dir);
    int64_t n_photos, n_templates;
    dpl_merge_report report;

    (void)state;
    put(gallery, 1, "/a.jpg", "Ann", 1);
    put(gallery, 3, "/b.jpg", "Bob", 1);
    put(gallery, 5, "/c.jpg", "Carl", 1);
    put(gallery, 7, "/d.jpg", "Dan", 1);
    assign(gallery, "/b.jpg", 1, "Ann");
    reject(gallery, "/c.jpg", 1, "Carl"); /* of whom nothing else is known */
    kit_expect(DPL_OK, dpl_gallery_merge(&report, gallery, "Dan", "Ann", &err), &err);
    held = strdup(tell(gallery));
    text = kit_dump(gallery);
    kit_write("export.jsonl", text, strlen(text));
    for (int round = 0; round < 2; round++) {
        char *other_dir = kit_folder();
        dpl_gallery *other =
            round == 0 ? kit_open(other_dir, DPL_GALLERY_CREATE) : kit_new(other_dir);

        if (round == 1) /* which has ids of its own */
            put(other, 9, "/z.jpg", "Zoe", 1);
        kit_expect(DPL_OK, dpl_gallery_import(other, "export.jsonl", &n_photos, &n_templates, &err),
                   &err);
        if (round == 0) {
            again = kit_dump(other);
            assert_string_equal(again, text);
            free(again);
            expect_held(other, held);
        } else {
            expect_held(other, "Ann:3/3 Zoe:1/1 \n/a.jpg Ann [Ann]\n/b.jpg Ann [Ann!]"
                               "\n/c.jpg - [- not Carl]\n/d.jpg Ann [Ann]\n/z.jpg Zoe [Zoe]");
        }
        put_again(other, 5, "/c.jpg", "Carl", 1, 0);
        put(other, 11, "/e.jpg", "Dan", 1);
        assert_non_null(strstr(tell(other), "\n/c.jpg - [- not Carl]"));
        assert_non_null(strstr(tell(other), "\n/e.jpg Ann [Ann]"));
        dpl_gallery_close(other);
        kit_drop(other_dir);
    }
    unlink("export.jsonl");
    free(text);
    free(held);
    kit_end(gallery, dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_photo_follows_its_face),
        cmocka_unit_test(a_photo_stays_with_who_else_is_in_it),
        cmocka_unit_test(a_name_is_a_persons_in_any_form_and_after_a_rename),
        cmocka_unit_test(what_cannot_be_assigned_is_told_and_changes_nothing),
        cmocka_unit_test(a_search_knows_at_once_whose_a_face_is),
        cmocka_unit_test(a_face_with_a_person_is_in_no_group),
        cmocka_unit_test(a_rejected_face_is_nobodys_and_so_is_its_photo),
        cmocka_unit_test(no_enrolment_gives_a_rejected_face_back),
        cmocka_unit_test(what_was_said_of_a_picture_that_is_one_face_lasts_too),
        cmocka_unit_test(a_face_named_by_hand_takes_its_photo_along_when_it_is_enrolled_again),
        cmocka_unit_test(whoever_is_known_only_by_a_refusal_takes_nobodys_place),
        cmocka_unit_test(two_people_become_one_with_all_that_is_known_of_them),
        cmocka_unit_test(photos_that_were_to_be_somebodys_can_be_merged_alone),
        cmocka_unit_test(two_people_are_set_apart_until_they_are_merged),
        cmocka_unit_test(each_is_one_change_that_can_be_rehearsed_and_taken_back),
        cmocka_unit_test(an_export_carries_what_was_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
