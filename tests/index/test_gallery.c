/*
 * test_gallery.c - the gallery's rules: what is put is there, ids never come back, people vanish
 * with their last photo, one writes while others read, and what is forgotten is in no file.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#endif

#include <cmocka.h>

#include "base/rng.h"
#include "index/gallery.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

static dpl_error err;

/* ------------------------------------------------------------------ rows kept for comparing */

struct kept {
    size_t n;
    struct {
        int64_t id, photo_id, n_photos, n_templates;
        char name[256]; /* of a person, or a photo's path */
        char person[256];
        dpl_photo_row photo;
        dpl_template_row template;
        float vector[2 * KIT_DIM];
        uint8_t thumb[KIT_THUMB];
    } rows[64];
};

static dpl_status keep_person(void *ctx, const dpl_person *row)
{
    struct kept *k = ctx;

    assert_true(k->n < 64);
    k->rows[k->n].id = row->id;
    k->rows[k->n].n_photos = row->n_photos;
    k->rows[k->n].n_templates = row->n_templates;
    snprintf(k->rows[k->n++].name, 256, "%s", row->name);
    return DPL_OK;
}

static dpl_status keep_photo(void *ctx, const dpl_photo_row *row)
{
    struct kept *k = ctx;

    assert_true(k->n < 64);
    k->rows[k->n].id = row->id;
    k->rows[k->n].photo = *row;
    snprintf(k->rows[k->n].name, 256, "%s", row->path);
    snprintf(k->rows[k->n++].person, 256, "%s", row->person ? row->person : "(nobody)");
    return DPL_OK;
}

static dpl_status keep_template(void *ctx, const dpl_template_row *row)
{
    struct kept *k = ctx;

    assert_true(k->n < 64 && row->dim <= 2 * KIT_DIM && row->n_thumb <= KIT_THUMB);
    k->rows[k->n].id = row->id;
    k->rows[k->n].photo_id = row->photo_id;
    k->rows[k->n].template = *row;
    memcpy(k->rows[k->n].vector, row->vector, (size_t)row->dim * sizeof(float));
    if (row->thumb)
        memcpy(k->rows[k->n].thumb, row->thumb, row->n_thumb);
    snprintf(k->rows[k->n].name, 256, "%s", row->photo_path);
    snprintf(k->rows[k->n++].person, 256, "%s", row->person ? row->person : "(nobody)");
    return DPL_OK;
}

static struct kept *people(dpl_gallery *gallery)
{
    static struct kept k;

    k.n = 0;
    kit_expect(DPL_OK, dpl_gallery_each_person(gallery, keep_person, &k, &err), &err);
    return &k;
}

static struct kept *photos(dpl_gallery *gallery, const char *person)
{
    static struct kept k;

    k.n = 0;
    kit_expect(DPL_OK, dpl_gallery_each_photo(gallery, person, keep_photo, &k, &err), &err);
    return &k;
}

static struct kept *templates(dpl_gallery *gallery, const char *person, const char *space)
{
    static struct kept k;

    k.n = 0;
    kit_expect(DPL_OK, dpl_gallery_each_template(gallery, person, space, keep_template, &k, &err),
               &err);
    return &k;
}

static int64_t generation(dpl_gallery *gallery)
{
    char identity[33];
    int64_t n;

    kit_expect(DPL_OK, gallery->store->ops->generation(gallery->store, &n, identity, &err), &err);
    assert_int_equal(strlen(identity), 32);
    return n;
}

/* ------------------------------------------------------------------ opening */

static void expect_mode(const char *dir, const char *name, mode_t mode)
{
    char path[512];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, mode);
}

static void a_new_gallery_is_for_its_owner_alone(void **state)
{
    mode_t before = umask(0);
    char *parent = kit_folder(), dir[512], between[256];
    dpl_gallery *gallery;

    (void)state;
    snprintf(between, sizeof between, "%s/a", parent);
    snprintf(dir, sizeof dir, "%s/b", between);
    gallery = kit_new(dir);
    assert_string_equal(dpl_gallery_dir(gallery), dir);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    expect_mode(between, ".", 0700);
    expect_mode(dir, ".", 0700);
    expect_mode(dir, "gallery.db", 0600);
    expect_mode(dir, "gallery.db-wal", 0600);
    expect_mode(dir, "gallery.db-shm", 0600);
    expect_mode(dir, "gallery.lock", 0600);
    dpl_gallery_close(gallery);
    umask(before);
    kit_drop(strdup(dir));
    assert_int_equal(rmdir(between), 0);
    kit_drop(parent);
}

static void opening_what_is_no_gallery_fails_and_leaves_it_alone(void **state)
{
    char *dir = kit_folder(), path[256], text[64] = "not a database, but as long as its header is";
    dpl_gallery *gallery;
    size_t n;
    char *after;

    (void)state;
    for (int mode = DPL_GALLERY_READ; mode <= DPL_GALLERY_WRITE; mode++) {
        kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, (dpl_gallery_mode)mode, &err),
                   &err);
        assert_null(gallery);
        assert_non_null(strstr(err.message, "there is no gallery in"));
    }
    assert_int_equal(rmdir(dir), 0);
    kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err), &err);
    assert_int_equal(mkdir(dir, 0700), 0);

    snprintf(path, sizeof path, "%s/gallery.db", dir);
    kit_write(path, text, sizeof text);
    for (int mode = DPL_GALLERY_READ; mode <= DPL_GALLERY_CREATE; mode++) {
        kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, (dpl_gallery_mode)mode, &err),
                   &err);
        assert_non_null(strstr(err.message, path));
    }
    after = kit_read(path, &n);
    assert_int_equal(n, sizeof text);
    assert_memory_equal(after, text, n);
    free(after);
    unlink(path);

    assert_int_equal(mkfifo(path, 0600), 0);
    kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, DPL_GALLERY_CREATE, &err), &err);
    assert_non_null(strstr(err.message, "not a file"));
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_open(&gallery, "", DPL_GALLERY_CREATE, &err), &err);
    kit_drop(dir);
}

/* Someone else's database, one of a later version, and one whose tables were tampered with. */
static void opening_another_database_says_what_it_is(void **state)
{
    static const struct {
        const char *sql, *message;
    } cases[] = {
        {"PRAGMA user_version=7", "later doppel"},
        {"PRAGMA user_version=0", "this doppel knows version 6"},
        {"PRAGMA user_version=1", "not a gallery's"},
        {"PRAGMA application_id=7", "not a gallery"},
        {"DROP INDEX photo_sha256", "not a gallery's"},
        {"DELETE FROM gallery", "no identity"},
        {"UPDATE gallery SET identity = 'x'", "no identity"},
        {"DROP TABLE thumb; CREATE TABLE thumb(template_id INTEGER PRIMARY KEY, jpeg ANY)",
         "not a gallery's"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = kit_folder();
        dpl_gallery *gallery = kit_new(dir);

        kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), cases[i].sql, &err), &err);
        dpl_gallery_close(gallery);
        for (int mode = DPL_GALLERY_READ; mode <= DPL_GALLERY_CREATE; mode++) {
            kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, (dpl_gallery_mode)mode, &err),
                       &err);
            if (!strstr(err.message, cases[i].message))
                print_error("\"%s\" gives: %s\n", cases[i].sql, err.message);
            assert_non_null(strstr(err.message, cases[i].message));
        }
        kit_drop(dir);
    }
}

static void triggers_and_views_of_a_hostile_file_do_nothing(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_gallery_counts counts;
    int64_t n_persons;

    (void)state;
    kit_expect(DPL_OK,
               dpli_db_exec(kit_db(gallery),
                            "CREATE TRIGGER t AFTER INSERT ON photo BEGIN DELETE FROM photo; END",
                            &err),
               &err);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    kit_put_well(gallery, 2, "/b.jpg", "ann", 1);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_count_people(&n_persons, gallery, &err), &err);
    assert_int_equal(n_persons, counts.n_persons);
    assert_int_equal(counts.n_photos, 2);
    kit_end(gallery, dir);
}

/* Runs fn in a process of its own and gives its exit status: 0 when all went well. */
static int in_child(void (*fn)(const char *dir), const char *dir)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        fn(dir);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void try_to_write(const char *dir)
{
    dpl_gallery *gallery;
    char number[32];

    snprintf(number, sizeof number, "by process %ld", (long)getppid());
    if (dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err) != DPL_E_LOCKED)
        _exit(1);
    if (!strstr(err.message, number) || !strstr(err.message, dir))
        _exit(2);
    if (dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err) != DPL_OK)
        _exit(3);
    dpl_gallery_close(gallery);
}

static void write_and_close(const char *dir)
{
    dpl_gallery *gallery;

    if (dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err) != DPL_OK)
        _exit(1);
    dpl_gallery_close(gallery);
}

static void a_second_writer_is_told_who_writes_and_readers_go_on(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir), *second;

    (void)state;
    assert_int_equal(in_child(try_to_write, dir), 0);
    kit_expect(DPL_E_LOCKED, dpl_gallery_open(&second, dir, DPL_GALLERY_CREATE, &err), &err);
    assert_null(second);
    dpl_gallery_close(gallery);
    assert_int_equal(in_child(write_and_close, dir), 0);
    kit_drop(dir);
}

static void read_without_privilege(const char *dir)
{
    dpl_gallery *gallery;

    /* To root nothing is read-only, unless root gives its capabilities away. (Becoming another user
       would not do: the folder may be out of that user's reach.) */
#ifdef __linux__
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    if (syscall(SYS_capset, &header, none) != 0)
        _exit(1);
#endif
    if (access(dir, W_OK) == 0)
        _exit(2);
    if (dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, &err) != DPL_OK) {
        fprintf(stderr, "%s\n", err.message);
        _exit(3);
    }
    if (templates(gallery, NULL, NULL)->n != 2)
        _exit(4);
    dpl_gallery_close(gallery);
}

static void a_gallery_on_a_read_only_medium_can_be_read(void **state)
{
    char *dir = kit_folder(), path[512], odd[256];
    dpl_gallery *gallery;

    (void)state;
    /* A name that means something in an URI. */
    snprintf(odd, sizeof odd, "%s%%41?x#y", dir);
    assert_int_equal(rename(dir, odd), 0);
    gallery = kit_new(odd);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    dpl_gallery_close(gallery);
    snprintf(path, sizeof path, "%s/gallery.db", odd);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(odd, 0555), 0);
    assert_int_equal(in_child(read_without_privilege, odd), 0);
    assert_int_equal(chmod(odd, 0700), 0);
    free(dir);
    kit_drop(strdup(odd));
}

/* ------------------------------------------------------------------ putting */

static void what_is_put_is_read_back_exactly(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    struct kept *k;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 6, "/photos/ann/1.jpg", "ann", 3);
    p.templates[1].thumb = NULL;
    p.templates[1].n_thumb = 0;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    dpl_gallery_close(gallery);

    gallery = kit_open(dir, DPL_GALLERY_READ);
    k = photos(gallery, NULL);
    assert_int_equal(k->n, 1);
    assert_string_equal(k->rows[0].name, p.path);
    assert_string_equal(k->rows[0].person, "ann");
    assert_int_equal(k->rows[0].photo.size_bytes, p.photo.row.size_bytes);
    assert_int_equal(k->rows[0].photo.mtime_ns, p.photo.row.mtime_ns);
    assert_int_equal(k->rows[0].photo.enrolled_unix_s, p.photo.row.enrolled_unix_s);
    assert_int_equal(k->rows[0].photo.width_px, p.photo.row.width_px);
    assert_int_equal(k->rows[0].photo.height_px, p.photo.row.height_px);
    assert_int_equal(k->rows[0].photo.n_faces, 3);
    assert_int_equal(k->rows[0].photo.status, DPL_OK);
    k = templates(gallery, NULL, NULL);
    assert_int_equal(k->n, 3);
    for (size_t i = 0; i < 3; i++) {
        const dpl_new_template *t = &p.templates[i];

        assert_string_equal(k->rows[i].name, p.path);
        assert_string_equal(k->rows[i].person, "ann");
        assert_int_equal(k->rows[i].template.dim, t->dim);
        assert_memory_equal(k->rows[i].vector, t->vector, (size_t)t->dim * sizeof(float));
        assert_int_equal(k->rows[i].template.n_thumb, t->n_thumb);
        assert_memory_equal(k->rows[i].thumb, p.thumbs[i], t->n_thumb);
        assert_memory_equal(&k->rows[i].template.face, &t->face, sizeof t->face);
        assert_true(k->rows[i].id > 0 && (i == 0 || k->rows[i].id > k->rows[i - 1].id));
    }
    assert_int_equal(templates(gallery, "ann", "face")->n, 2);
    assert_int_equal(templates(gallery, "ann", "image")->n, 1);
    assert_int_equal(templates(gallery, "bob", NULL)->n, 0);
    k->n = 0;
    kit_expect(DPL_OK, dpl_gallery_get_template(gallery, 2, keep_template, k, &err), &err);
    assert_int_equal(k->rows[0].id, 2);
    k->n = 0;
    kit_expect(DPL_OK, dpl_gallery_each_template_of(gallery, 1, keep_template, k, &err), &err);
    assert_int_equal(k->n, 3);
    assert_int_equal(k->rows[2].id, 3);
    k->n = 0;
    kit_expect(DPL_OK, dpl_gallery_each_template_of(gallery, 2, keep_template, k, &err), &err);
    assert_int_equal(k->n, 0);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_get_template(gallery, 4, keep_template, k, &err), &err);
    kit_end(gallery, dir);
}

static void names_and_paths_are_bytes(void **state)
{
    static const char *const names[] = {"\xff\xfe",   "a\nb", "quote'\"\\",
                                        "\xc3\xa5sa", " ",    "\x01"};
    char *dir = kit_folder(), path[64];
    dpl_gallery *gallery = kit_new(dir);
    struct kept *k;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "/%s.jpg", names[i]);
        kit_put_well(gallery, i, path, names[i], 1);
        k = photos(gallery, names[i]);
        assert_int_equal(k->n, 1);
        assert_string_equal(k->rows[0].name, path);
        assert_string_equal(k->rows[0].person, names[i]);
    }
    assert_int_equal(people(gallery)->n, 6);
    kit_end(gallery, dir);
}

static void photos_of_a_folder_are_those_in_it_and_below_it(void **state)
{
    /* In the order of their sources. */
    static const char *const paths[] = {"/a b/1.jpg",  "/a b/2/3.jpg", "/a/0.jpg",
                                        "/a/b/1.jpg",  "/a/b/c/2.jpg", "/a/b/~c/3.jpg",
                                        "/a/bb/5.jpg", "/a/b~/4.jpg",  "/\xff/\xc3\xa5.jpg"};
    enum { N = sizeof paths / sizeof *paths, DEEP = 100 };
    static const struct {
        const char *folder;
        size_t first, n;
    } asked[] = {{"/", 0, N + 2}, {"/a", 2, 6},     {"/a/b", 3, 3},
                 {"/a b", 0, 2},  {"/a/b/c", 4, 1}, {"/a/c", 0, 0},
                 {"/a/b~", 7, 1}, {"/\xff", 8, 1},  {"/a/b/c/2.jpg", 0, 0}};
    char *dir = kit_folder(), deep[256], other[256], *at = deep;
    dpl_gallery *gallery = kit_new(dir);
    struct kept k;

    (void)state;
    for (size_t i = 0; i < N; i++)
        kit_put_well(gallery, i, paths[(i * 5 + 3) % N], NULL, 1);
    for (int i = 0; i < DEEP; i++)
        at += snprintf(at, 3, "/d");
    snprintf(other, sizeof other, "%s/x.jpg", deep);
    kit_put_well(gallery, N, other, NULL, 1);
    other[strlen(deep) - 1] = 'e';
    kit_put_well(gallery, N + 1, other, NULL, 1);
    kit_put_well(gallery, N + 2, "upload:a/b/1.jpg", NULL, 1);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        k.n = 0;
        kit_expect(DPL_OK, dpli_photos_under(gallery, asked[i].folder, keep_photo, &k, &err), &err);
        assert_int_equal(k.n, asked[i].n);
        for (size_t p = 0; p < k.n && p + asked[i].first < N && i > 0; p++)
            assert_string_equal(k.rows[p].name, paths[p + asked[i].first]);
    }
    k.n = 0;
    kit_expect(DPL_OK, dpli_photos_under(gallery, deep, keep_photo, &k, &err), &err);
    assert_int_equal(k.n, 1);
    other[strlen(deep) - 1] = 'd';
    assert_string_equal(k.rows[0].name, other);
    kit_end(gallery, dir);
}

static void putting_again_replaces_by_path_and_keeps_the_photos_id(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    struct kept *k;
    int64_t photo_id;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 1);
    photo_id = photos(gallery, "ann")->rows[0].id;
    kit_put_well(gallery, 5, "/a.jpg", "cid", 1);
    k = photos(gallery, NULL);
    assert_int_equal(k->n, 2);
    assert_int_equal(k->rows[0].id, photo_id);
    assert_string_equal(k->rows[0].person, "cid");
    k = templates(gallery, NULL, NULL);
    assert_int_equal(k->n, 2);
    assert_int_equal(k->rows[0].id, 3);
    assert_int_equal(k->rows[1].id, 4);
    assert_int_equal(k->rows[1].photo_id, photo_id);
    /* ann had no other photo. */
    k = people(gallery);
    assert_int_equal(k->n, 2);
    assert_string_equal(k->rows[0].name, "bob");
    assert_string_equal(k->rows[1].name, "cid");
    assert_int_equal(k->rows[1].id, 3);
    /* To nobody, and refused this time. */
    kit_put_well(gallery, 5, "/a.jpg", NULL, 0);
    assert_int_equal(people(gallery)->n, 1);
    assert_int_equal(templates(gallery, NULL, NULL)->n, 1);
    kit_end(gallery, dir);
}

static void put_takes_the_time_when_none_is_given(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    int64_t before = time(NULL), got;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/a.jpg", "ann", 1);
    p.photo.row.enrolled_unix_s = 0;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    got = photos(gallery, NULL)->rows[0].photo.enrolled_unix_s;
    assert_true(got >= before && got <= time(NULL));
    kit_end(gallery, dir);
}

static void spoil(kit_photo *p, int how)
{
    static char long_name[5000], long_path[40000];
    static uint8_t large[(1 << 20) + 1];

    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_path, '/', sizeof long_path - 1);
    switch (how) {
    case 0: p->vectors[1][3] = NAN; break;
    case 1: p->vectors[1][7] = -INFINITY; break;
    case 2: p->templates[1].face.quality.yaw_deg = NAN; break;
    case 3: p->templates[1].dim = 7; break;
    case 4: p->templates[1].space = "sound"; break;
    case 5: p->templates[1].space = NULL; break;
    case 6: p->photo.row.path = "relative.jpg"; break;
    case 7: p->photo.row.path = ""; break;
    case 8: p->photo.row.path = NULL; break;
    case 9: p->photo.row.person = ""; break;
    case 10: p->photo.row.person = long_name; break;
    case 11: p->photo.row.path = long_path; break;
    case 12: p->photo.row.sha256 = "abc"; break;
    case 13: p->sha256[5] = 'G'; break;
    case 14: p->photo.row.reason = NULL; break;
    case 15: p->photo.row.status = (dpl_status)99; break;
    case 16: p->photo.row.size_bytes = -1; break;
    case 17: memset(p->templates[1].face.quality.weakest, 'w', 16); break;
    case 18:
        p->templates[1].thumb = large;
        p->templates[1].n_thumb = sizeof large;
        break;
    case 19: p->templates[1].vector = NULL; break;
    case 20: p->photo.row.options = NULL; break;
    case 21: memset(p->vectors[1], 0, sizeof p->vectors[1]); break;
    }
}

static void a_bad_photo_is_refused_and_nothing_of_its_batch_is_kept(void **state)
{
    static const dpl_status wanted[22] = {
        DPL_E_NUMERIC,  DPL_E_NUMERIC,  DPL_E_NUMERIC,  DPL_E_MISMATCH, DPL_E_ARGUMENT,
        DPL_E_ARGUMENT, DPL_E_ARGUMENT, DPL_E_ARGUMENT, DPL_E_ARGUMENT, DPL_E_ARGUMENT,
        DPL_E_LIMIT,    DPL_E_LIMIT,    DPL_E_ARGUMENT, DPL_E_ARGUMENT, DPL_E_ARGUMENT,
        DPL_E_ARGUMENT, DPL_E_ARGUMENT, DPL_E_ARGUMENT, DPL_E_LIMIT,    DPL_E_ARGUMENT,
        DPL_E_ARGUMENT, DPL_E_NUMERIC};
    char *dir = kit_folder(), *before, *after;
    dpl_gallery *gallery = kit_new(dir);
    int64_t generation_before;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    before = kit_dump(gallery);
    generation_before = generation(gallery);
    for (int how = 0; how < 22; how++) {
        dpl_new_photo batch[2];
        kit_photo good, bad;

        kit_photo_make(&good, 2, "/a.jpg", "bob", 2);
        kit_photo_make(&bad, 3, "/c.jpg", "cid", 3);
        spoil(&bad, how);
        batch[0] = good.photo;
        batch[1] = bad.photo;
        kit_expect(wanted[how], dpl_gallery_put(gallery, batch, 2, &err), &err);
        assert_int_equal(err.status, wanted[how]);
        after = kit_dump(gallery);
        assert_string_equal(after, before);
        free(after);
    }
    assert_int_equal(generation(gallery), generation_before);
    free(before);
    kit_end(gallery, dir);
}

static void a_gallery_open_for_reading_cannot_be_changed(void **state)
{
    const char *const paths[] = {"/a.jpg"};
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    int64_t n, m;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_READ);
    assert_int_equal(kit_put(gallery, 2, "/b.jpg", "bob", 1, &err), DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "reading only"));
    assert_int_equal(dpl_gallery_rename(gallery, "ann", "bob", &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_gallery_move_photo(gallery, 1, "/b.jpg", 0, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_gallery_forget(&report, gallery, "ann", NULL, 0, 0, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_gallery_import(gallery, "x", &n, &m, &err), DPL_E_ARGUMENT);
    assert_int_equal(dpl_gallery_remember(gallery, "detect", "none", &err), DPL_E_ARGUMENT);
    /* Counting changes nothing. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, NULL, paths, 1, 1, &err), &err);
    assert_int_equal(report.n_templates, 1);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ walks */

static dpl_status stop_at_second(void *ctx, const dpl_photo_row *row)
{
    (void)row;
    return ++*(int *)ctx == 2 ? DPL_E_CANCELLED : DPL_OK;
}

static dpl_status put_meanwhile(void *ctx, const dpl_photo_row *row)
{
    (void)row;
    return kit_put(ctx, 9, "/z.jpg", "zoe", 1, &err);
}

static dpl_status read_meanwhile(void *ctx, const dpl_photo_row *row)
{
    dpl_gallery *gallery = ctx;
    dpl_status status;
    struct kept k = {0};
    dpli_vectors v;

    status = dpl_gallery_get_template(gallery, row->id, keep_template, &k, &err);
    if (status != DPL_OK)
        return status;
    /* A failure within a transaction within the walk. */
    assert_int_equal(dpli_gallery_load(&v, gallery, "face", KIT_DIM + 1, 1, &err), DPL_E_MISMATCH);
    status = dpli_gallery_load(&v, gallery, "face", KIT_DIM, 1, &err);
    dpli_vectors_clear(&v);
    return status;
}

static void walks_are_in_order_and_stop_when_told(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_error untouched = {DPL_OK, "as it was"};
    struct kept *k;
    int n = 0;

    (void)state;
    kit_put_well(gallery, 1, "/c.jpg", "zoe", 1);
    kit_put_well(gallery, 2, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 0);
    kit_put_well(gallery, 4, "/B.jpg", NULL, 1);
    k = people(gallery);
    assert_int_equal(k->n, 3);
    assert_string_equal(k->rows[0].name, "ann");
    assert_int_equal(k->rows[0].n_photos, 1);
    assert_int_equal(k->rows[0].n_templates, 2);
    assert_string_equal(k->rows[1].name, "bob");
    assert_int_equal(k->rows[1].n_templates, 0);
    assert_string_equal(k->rows[2].name, "zoe");
    k = photos(gallery, NULL);
    assert_int_equal(k->n, 4);
    assert_string_equal(k->rows[0].name, "/B.jpg");
    assert_string_equal(k->rows[1].name, "/a.jpg");
    assert_string_equal(k->rows[2].name, "/b.jpg");
    assert_string_equal(k->rows[3].name, "/c.jpg");
    kit_put_well(gallery, 5, "/C.jpg", "zoe", 1);
    k = photos(gallery, "zoe");
    assert_int_equal(k->n, 2);
    assert_string_equal(k->rows[0].name, "/C.jpg");
    assert_string_equal(k->rows[1].name, "/c.jpg");
    assert_int_equal(dpl_gallery_each_photo(gallery, NULL, stop_at_second, &n, &untouched),
                     DPL_E_CANCELLED);
    assert_int_equal(n, 2);
    assert_string_equal(untouched.message, "as it was");
    assert_int_equal(dpl_gallery_each_photo(gallery, NULL, put_meanwhile, gallery, NULL),
                     DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "while it is walked"));
    kit_expect(DPL_OK, dpl_gallery_each_photo(gallery, NULL, read_meanwhile, gallery, &err), &err);
    kit_put_well(gallery, 9, "/z.jpg", "zoe", 1);
    kit_end(gallery, dir);
}

static void counts_are_those_of_the_rows(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_gallery_counts counts;

    (void)state;
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_photos + counts.n_persons + counts.n_templates_face, 0);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 2, "/b.jpg", "ann", 3);
    kit_put_well(gallery, 3, "/c.jpg", "cid", 0);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_persons, 2);
    assert_int_equal(counts.n_photos, 3);
    assert_int_equal(counts.n_failed, 1);
    assert_int_equal(counts.n_templates_face, 4);
    assert_int_equal(counts.n_templates_image, 1);
    assert_true(counts.db_bytes > 8192);
    kit_end(gallery, dir);
}

static void a_photo_is_found_by_path_and_all_are_by_content(void **state)
{
    char *dir = kit_folder(), sha256[65];
    dpl_gallery *gallery = kit_new(dir);
    struct kept k = {0};
    int found;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_put_well(gallery, 2, "/c.jpg", "ann", 1);
    kit_put_well(gallery, 1, "/b.jpg", "bob", 1);
    kit_expect(DPL_OK,
               dpl_gallery_find_photo(gallery, "/c.jpg", NULL, keep_photo, &k, &found, &err), &err);
    assert_int_equal(found, 1);
    assert_string_equal(k.rows[0].name, "/c.jpg");
    kit_expect(DPL_OK,
               dpl_gallery_find_photo(gallery, "/C.jpg", NULL, keep_photo, &k, &found, &err), &err);
    assert_int_equal(found, 0);
    {
        kit_photo p;

        kit_photo_make(&p, 1, "/", NULL, 1);
        memcpy(sha256, p.sha256, 65);
    }
    k.n = 0;
    kit_expect(DPL_OK, dpl_gallery_find_photo(gallery, NULL, sha256, keep_photo, &k, &found, &err),
               &err);
    assert_int_equal(found, 2);
    assert_string_equal(k.rows[0].name, "/a.jpg");
    assert_string_equal(k.rows[1].name, "/b.jpg");
    kit_expect(DPL_E_ARGUMENT,
               dpl_gallery_find_photo(gallery, NULL, NULL, keep_photo, &k, &found, &err), &err);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ settings and models */

static void a_setting_stays_once_there_are_templates(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    assert_null(kit_setting(gallery, "detect"));
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "none", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "yunet", &err), &err);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "yunet", &err), &err);
    kit_expect(DPL_E_MISMATCH, dpl_gallery_remember(gallery, "detect", "none", &err), &err);
    assert_string_equal(kit_setting(gallery, "detect"), "yunet");
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "new", "", &err), &err);
    assert_string_equal(kit_setting(gallery, "new"), "");
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_remember(gallery, "model.face.hash", "0", &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_remember(gallery, "\xff", "0", &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_remember(gallery, "k", "\xed\xa0\x80", &err), &err);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_READ);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "detect", "yunet", &err), &err);
    kit_expect(DPL_E_MISMATCH, dpl_gallery_remember(gallery, "detect", "none", &err), &err);
    kit_end(gallery, dir);
}

static void a_setting_that_cannot_be_read_is_not_unset(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    const char *value = "";

    (void)state;
    kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), "DROP TABLE setting", &err), &err);
    kit_expect(DPL_E_GALLERY, dpl_gallery_setting(&value, gallery, "detect", &err), &err);
    assert_null(value);
    kit_end(gallery, dir);
}

static void a_vector_of_zeros_is_refused_where_it_has_no_direction(void **state)
{
    dpli_binding binding = {"face", KIT_HASH, "kit", "l1-sigmoid", KIT_DIM, NULL, NULL};
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_CREATE);
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/a.jpg", "ann", 1);
    memset(p.vectors[0], 0, sizeof p.vectors[0]);
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &binding, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    binding.head = "cosine";
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &binding, &err), &err);
    kit_expect(DPL_E_NUMERIC, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    assert_string_equal(err.message, "a face vector is all zero and has no direction");
    kit_end(gallery, dir);
}

static void a_space_belongs_to_the_model_that_made_its_vectors(void **state)
{
    char other_hash[65] = KIT_HASH;
    dpli_binding other = {"face", other_hash, "other", "euclidean", KIT_DIM, NULL, NULL};
    dpli_binding same = {"face", KIT_HASH, "kit, renamed", "l1-sigmoid", KIT_DIM, NULL, NULL};
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_CREATE);
    dpl_forget_report report;

    (void)state;
    other_hash[0] = 'f';
    kit_expect(DPL_E_ARGUMENT, kit_put(gallery, 1, "/a.jpg", "ann", 1, &err), &err);
    assert_non_null(strstr(err.message, "no model is bound"));
    dpl_gallery_close(gallery);
    gallery = kit_new(dir);
    assert_string_equal(kit_setting(gallery, "model.face.hash"), KIT_HASH);
    assert_string_equal(kit_setting(gallery, "model.face.dim"), "8");
    kit_put_well(gallery, 2, "/a.jpg", "ann", 2);

    kit_expect(DPL_E_MISMATCH, dpli_gallery_bind(gallery, &other, &err), &err);
    assert_non_null(strstr(err.message, "\"kit\""));
    assert_non_null(strstr(err.message, "\"other\""));
    assert_string_equal(kit_setting(gallery, "model.face.hash"), KIT_HASH);
    same.dim = KIT_DIM + 1;
    kit_expect(DPL_E_MISMATCH, dpli_gallery_bind(gallery, &same, &err), &err);
    same.dim = KIT_DIM;
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &same, &err), &err);
    assert_string_equal(kit_setting(gallery, "model.face.name"), "kit, renamed");
    assert_string_equal(kit_setting(gallery, "model.face.head"), "l1-sigmoid");
    dpl_gallery_close(gallery);

    gallery = kit_open(dir, DPL_GALLERY_READ);
    kit_expect(DPL_E_MISMATCH, dpli_gallery_bind(gallery, &other, &err), &err);
    same.name = "not recorded";
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &same, &err), &err);
    assert_string_equal(kit_setting(gallery, "model.face.name"), "kit, renamed");
    dpl_gallery_close(gallery);

    /* Without its vectors the space is free. */
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "ann", NULL, 0, 0, &err), &err);
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &other, &err), &err);
    assert_string_equal(kit_setting(gallery, "model.face.hash"), other_hash);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    assert_string_equal(templates(gallery, NULL, "face")->rows[0].person, "ann");
    other.space = "sound";
    kit_expect(DPL_E_ARGUMENT, dpli_gallery_bind(gallery, &other, &err), &err);
    other.space = "face";
    other.dim = 0;
    kit_expect(DPL_E_LIMIT, dpli_gallery_bind(gallery, &other, &err), &err);
    kit_end(gallery, dir);
}

static void an_encoder_is_bound_by_its_own_facts(void **state)
{
    char *dir = kit_folder(), dim[16];
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_CREATE);
    dpli_binding other = {"face", KIT_HASH, "kit", "cosine", KIT_DIM, NULL, NULL};
    dpl_encoder *encoder;

    (void)state;
    kit_expect(DPL_OK, dpl_encoder_open(&encoder, DPL_MODELS_DIR "/face-105.onnx", NULL, &err),
               &err);
    kit_expect(DPL_OK, dpl_gallery_bind(gallery, encoder, &err), &err);
    snprintf(dim, sizeof dim, "%d", (int)dpl_encoder_dim(encoder));
    assert_string_equal(kit_setting(gallery, "model.face.hash"), dpl_encoder_hash(encoder));
    assert_string_equal(kit_setting(gallery, "model.face.dim"), dim);
    assert_string_equal(kit_setting(gallery, "model.face.name"), dpl_encoder_fact(encoder, "name"));
    /* Nothing was made with it yet, so another may take its place, and then it has to stay out. */
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &other, &err), &err);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_expect(DPL_E_MISMATCH, dpl_gallery_bind(gallery, encoder, &err), &err);
    dpl_encoder_close(encoder);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ rename, move */

static void rename_keeps_the_person_and_takes_no_name_twice(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    int64_t id, before;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_put_well(gallery, 2, "/b.jpg", "bob", 1);
    id = people(gallery)->rows[0].id;
    before = generation(gallery);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_rename(gallery, "ann", "bob", &err), &err);
    assert_non_null(strstr(err.message, "already"));
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_rename(gallery, "ann", "", &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_rename(gallery, "cid", "dan", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "ann", "ann", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "ann", "zo\xff", &err), &err);
    assert_int_equal(people(gallery)->rows[1].id, id);
    assert_string_equal(people(gallery)->rows[1].name, "zo\xff");
    assert_int_equal(photos(gallery, "zo\xff")->n, 1);
    assert_int_equal(generation(gallery), before);
    kit_end(gallery, dir);
}

static void a_moved_photo_keeps_ids_person_and_templates(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    struct kept *k;
    int64_t before;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 2, "/b.jpg", "bob", 2);
    before = generation(gallery);
    kit_expect(DPL_OK, dpl_gallery_move_photo(gallery, 1, "/c.jpg", 77, &err), &err);
    assert_int_equal(generation(gallery), before);
    k = photos(gallery, "ann");
    assert_string_equal(k->rows[0].name, "/c.jpg");
    assert_int_equal(k->rows[0].id, 1);
    assert_int_equal(k->rows[0].photo.mtime_ns, 77);
    assert_int_equal(templates(gallery, "ann", NULL)->n, 2);
    /* Over another photo: that one is replaced. */
    kit_expect(DPL_OK, dpl_gallery_move_photo(gallery, 1, "/b.jpg", 78, &err), &err);
    assert_int_equal(generation(gallery), before + 1);
    k = photos(gallery, NULL);
    assert_int_equal(k->n, 1);
    assert_string_equal(k->rows[0].person, "ann");
    assert_int_equal(people(gallery)->n, 1);
    assert_int_equal(templates(gallery, NULL, NULL)->n, 2);
    kit_expect(DPL_OK, dpl_gallery_move_photo(gallery, 1, "/b.jpg", 79, &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_move_photo(gallery, 2, "/b.jpg", 1, &err), &err);
    assert_int_equal(photos(gallery, NULL)->n, 1);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_move_photo(gallery, 1, "b.jpg", 1, &err), &err);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ trust */

/* What each mode of opening says; DPL_OK closes again. */
static dpl_status opened(const char *dir, dpl_gallery_mode mode)
{
    dpl_gallery *gallery;
    dpl_status status = dpl_gallery_open(&gallery, dir, mode, &err);

    dpl_gallery_close(gallery);
    return status;
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void a_folder_that_others_may_write_is_no_gallery(void **state)
{
    static const mode_t modes[] = {0720, 0702, 0777, 01777};
    char *dir = kit_folder();

    (void)state;
    dpl_gallery_close(kit_new(dir));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(dir, modes[i]), 0);
        for (int mode = DPL_GALLERY_READ; mode <= DPL_GALLERY_CREATE; mode++) {
            kit_expect(DPL_E_GALLERY, opened(dir, (dpl_gallery_mode)mode), &err);
            assert_non_null(strstr(err.message, "chmod go-w"));
        }
    }
    assert_int_equal(chmod(dir, 0755), 0);
    kit_expect(DPL_OK, opened(dir, DPL_GALLERY_READ), &err);
    kit_expect(DPL_OK, opened(dir, DPL_GALLERY_WRITE), &err);
    assert_int_equal(chmod(dir, 0700), 0);
    kit_drop(dir);
}

static void a_link_in_the_place_of_a_gallerys_file_is_not_followed(void **state)
{
    static const char *const names[] = {"gallery.lock", "gallery.db", "gallery.db-wal",
                                        "gallery.db-shm", "gallery.db-journal"};
    static const char text[] = "somebody's text";

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *dir = kit_folder(), path[256], *kept;
        size_t n;

        kit_write("target", text, sizeof text);
        if (i != 1)
            dpl_gallery_close(kit_new(dir));
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
        assert_int_equal(symlink("../target", path), 0);
        for (int mode = DPL_GALLERY_READ; mode <= DPL_GALLERY_CREATE; mode++) {
            kit_expect(DPL_E_GALLERY, opened(dir, (dpl_gallery_mode)mode), &err);
            assert_non_null(strstr(err.message, "is a link"));
        }
        kept = kit_read("target", &n);
        assert_int_equal(n, sizeof text);
        assert_memory_equal(kept, text, n);
        free(kept);
        unlink("target");
        kit_drop(dir);
    }
}

/* A name of it within the folder does not make somebody's other file a lock. */
static void a_lock_with_two_names_is_not_written(void **state)
{
    static const char text[] = "somebody's text";
    char *dir = kit_folder(), path[256], *kept;
    size_t n;

    (void)state;
    kit_write("target", text, sizeof text);
    snprintf(path, sizeof path, "%s/gallery.lock", dir);
    assert_int_equal(link("target", path), 0);
    kit_expect(DPL_OK, opened(dir, DPL_GALLERY_CREATE), &err);
    kept = kit_read("target", &n);
    assert_int_equal(n, sizeof text);
    assert_memory_equal(kept, text, n);
    free(kept);
    unlink("target");
    kit_drop(dir);
}

static void a_writer_makes_files_private_again(void **state)
{
    static const char *const names[] = {"gallery.db", "gallery.lock"};
    char *dir = kit_folder(), path[256];
    const mode_t before = umask(0);

    (void)state;
    dpl_gallery_close(kit_new(dir));
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(chmod(path, 0644), 0);
    }
    kit_expect(DPL_OK, opened(dir, DPL_GALLERY_WRITE), &err);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(mode_of(path), 0600);
    }
    umask(before);
    kit_drop(dir);
}

static void a_gallery_in_a_folder_that_a_link_leads_to_is_one(void **state)
{
    char *dir = kit_folder();

    (void)state;
    dpl_gallery_close(kit_new(dir));
    assert_int_equal(symlink(dir, "led"), 0);
    kit_expect(DPL_OK, opened("led", DPL_GALLERY_READ), &err);
    kit_expect(DPL_OK, opened("led", DPL_GALLERY_WRITE), &err);
    unlink("led");
    kit_drop(dir);
}

/* Only root can give files away. */
static void somebody_elses_gallery_is_read_and_not_written(void **state)
{
    char *dir = kit_folder(), path[256];

    (void)state;
    if (geteuid() != 0) {
        kit_drop(dir);
        skip();
    }
    dpl_gallery_close(kit_new(dir));
    snprintf(path, sizeof path, "%s/gallery.db", dir);
    assert_int_equal(chown(path, 12345, 12345), 0);
    kit_expect(DPL_E_GALLERY, opened(dir, DPL_GALLERY_READ), &err);
    assert_non_null(strstr(err.message, "another user (number 12345) than its folder"));
    assert_int_equal(chown(dir, 12345, 12345), 0);
    for (int i = 0; i < (kit_is_sealed() ? 3 : 1); i++) {
        static const char *const names[] = {"gallery.lock", "gallery.keys", "audit.jsonl"};

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(chown(path, 12345, 12345), 0);
    }
    kit_expect(DPL_OK, opened(dir, DPL_GALLERY_READ), &err);
    kit_expect(DPL_E_GALLERY, opened(dir, DPL_GALLERY_WRITE), &err);
    assert_non_null(strstr(err.message, "belongs to another user"));
    kit_drop(dir);
}

/* ------------------------------------------------------------------ forget */

static int traces_of(const char *dir, uint64_t seed, const char *path, const char *person,
                     size_t n_templates)
{
    kit_photo p;
    int n;

    kit_photo_make(&p, seed, path, person, n_templates);
    n = kit_files_with(dir, path, strlen(path)) + kit_files_with(dir, person, strlen(person)) +
        kit_files_with(dir, p.sha256, 64);
    for (size_t i = 0; i < n_templates; i++)
        n += kit_files_with(dir, p.vectors[i], (size_t)p.templates[i].dim * sizeof(float)) +
             kit_files_with(dir, p.thumbs[i], KIT_THUMB);
    return n;
}

static void of_what_is_forgotten_no_file_has_a_byte(void **state)
{
    char *dir = kit_folder(), snapshot[256];
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    int64_t before;

    (void)state;
    kit_put_well(gallery, 10, "/photos/gone-1.jpg", "somebody gone", 3);
    kit_put_well(gallery, 11, "/photos/gone-2.jpg", "somebody gone", 2);
    kit_put_well(gallery, 12, "/photos/kept-1.jpg", "somebody kept", 3);
    kit_put_well(gallery, 13, "/photos/gone-3.jpg", "somebody gone", 0);
    /* Both in the log and, after this, in the database and in a snapshot. */
    kit_checkpoint(gallery);
    kit_put_well(gallery, 10, "/photos/gone-1.jpg", "somebody gone", 3);
    snprintf(snapshot, sizeof snapshot, "%s/face.faiss", dpl_gallery_folder(gallery));
    kit_write(snapshot, "/photos/gone-1.jpg", 18);
    assert_true(kit_is_sealed() ||
                traces_of(dir, 10, "/photos/gone-1.jpg", "somebody gone", 3) > 9);

    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "somebody gone", NULL, 0, 1, &err),
               &err);
    assert_int_equal(report.n_photos, 3);
    assert_int_equal(report.n_templates, 5);
    assert_int_equal(photos(gallery, "somebody gone")->n, 3);
    before = generation(gallery);

    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "somebody gone", NULL, 0, 0, &err),
               &err);
    assert_int_equal(report.n_photos, 3);
    assert_int_equal(report.n_templates, 5);
    assert_int_equal(report.n_left, 0);
    assert_int_equal(generation(gallery), before + 1);
    for (int closed = 0; closed < 2; closed++) {
        assert_int_equal(traces_of(dir, 10, "/photos/gone-1.jpg", "somebody gone", 3), 0);
        assert_int_equal(traces_of(dir, 11, "/photos/gone-2.jpg", "somebody gone", 2), 0);
        assert_int_equal(traces_of(dir, 13, "/photos/gone-3.jpg", "somebody gone", 0), 0);
        assert_true(kit_is_sealed() ||
                    traces_of(dir, 12, "/photos/kept-1.jpg", "somebody kept", 3) > 8);
        if (!closed) {
            assert_int_equal(people(gallery)->n, 1);
            assert_int_equal(templates(gallery, NULL, NULL)->n, 3);
            kit_expect(DPL_E_NOT_FOUND,
                       dpl_gallery_forget(&report, gallery, "somebody gone", NULL, 0, 0, &err),
                       &err);
            dpl_gallery_close(gallery);
        }
    }
    /* An id that is gone does not come back with the file's last rows gone. */
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    kit_put_well(gallery, 15, "/new.jpg", "new", 1);
    assert_int_equal(photos(gallery, "new")->rows[0].id, 5);
    assert_int_equal(templates(gallery, "new", NULL)->rows[0].id, 12);
    kit_end(gallery, dir);
}

/* A photo that was refused, and whose it was to be. */
static void put_refused(dpl_gallery *gallery, uint64_t seed, const char *path, const char *meant)
{
    kit_photo p;

    kit_photo_make(&p, seed, path, NULL, 0);
    p.photo.row.meant = meant;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
}

static void refused_photos_are_forgotten_with_whom_they_were_meant_for(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;

    (void)state;
    kit_put_well(gallery, 1, "/photos/Ann Gone/1.jpg", "Ann Gone", 1);
    put_refused(gallery, 3, "/photos/Ann Gone/2.jpg", "Ann Gone");
    put_refused(gallery, 6, "/photos/Ann Gone II/1.jpg", "Ann Gone II");
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Ann Gone", NULL, 0, 0, &err), &err);
    assert_int_equal(report.n_photos, 2);
    assert_int_equal(report.n_strings_left, 0);
    assert_int_equal(report.n_strings, 6); /* two paths, two hashes, the name alone and in a row */
    assert_int_equal(kit_files_with(dir, "Ann%20Gone/", 11), 0);
    assert_int_equal(photos(gallery, NULL)->n, 1);
    /* Nobody's photo was ever enrolled. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Ann Gone II", NULL, 0, 0, &err), &err);
    assert_int_equal(report.n_photos, 1);
    assert_int_equal(photos(gallery, NULL)->n, 0);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_forget(&report, gallery, "Ann Gone", NULL, 0, 0, &err),
               &err);
    kit_end(gallery, dir);
}

static void refused_photos_are_renamed_with_whom_they_were_meant_for(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;

    (void)state;
    kit_put_well(gallery, 1, "/p/1.jpg", "Ann", 1);
    put_refused(gallery, 3, "/p/2.jpg", "Ann");
    put_refused(gallery, 6, "/p/3.jpg", "Bob");
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Ann", "Bea", &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_forget(&report, gallery, "Ann", NULL, 0, 1, &err),
               &err);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Bob", "Ben", &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_rename(gallery, "Ben", "Bea", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Bea", NULL, 0, 0, &err), &err);
    assert_int_equal(report.n_photos, 2);
    assert_int_equal(photos(gallery, NULL)->n, 1);
    kit_end(gallery, dir);
}

/* Short names, too, where a row of theirs is left; across the pieces in which files are read. */
static void the_proof_finds_what_any_file_of_the_folder_still_has(void **state)
{
    static const char ann[] = "Ann\x01\x02\x03\x04\x05\x06\x07\x08";
    enum { PIECE = 1 << 20 };
    const struct {
        const char *bytes;
        int n, at;
    } cases[] = {{"file:///p/1.jpg", 15, 0},     {"file:///p/1.jpg", 15, PIECE - 7},
                 {"file:///p/1.jpg", 15, PIECE}, {"file:///p/1.jpg", 15, PIECE - 15},
                 {NULL, 11, 3 * PIECE + 5},      {"file:///p/2.jpg", 15, 2 * PIECE - 3}};
    uint64_t sum = dpli_person_sum("Ann");
    char row[sizeof ann];
    char *filler = calloc(1, 4 * PIECE);

    (void)state;
    assert_non_null(filler);
    memcpy(row, ann, sizeof ann);
    for (int i = 0; i < 8; i++)
        row[3 + i] = (char)(sum >> (56 - 8 * i));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = kit_folder(), path[256];
        dpl_gallery *gallery = kit_new(dir);
        dpl_forget_report report;

        kit_put_well(gallery, 1, "/p/1.jpg", "Ann", 1);
        put_refused(gallery, 3, "/p/2.jpg", "Ann");
        kit_put_well(gallery, 5, "/p/2.jpg.jpg", "Bob",
                     1); /* which has "/p/2.jpg" in it by right */
        memset(filler, 'f', 4 * PIECE);
        memcpy(filler + cases[i].at, cases[i].bytes ? cases[i].bytes : row, (size_t)cases[i].n);
        snprintf(path, sizeof path, "%s/copy", dir);
        kit_write(path, filler, 4 * PIECE - 1);
        kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Ann", NULL, 0, 0, &err), &err);
        assert_int_equal(report.n_strings_left, i < 5);
        assert_string_equal(report.left_in, i < 5 ? "copy" : "");
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
    free(filler);
}

static void of_what_is_replaced_the_database_keeps_no_byte_after_the_next_change(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    kit_photo p;

    (void)state;
    kit_put_well(gallery, 10, "/a.jpg", "ann", 1);
    kit_checkpoint(gallery);
    kit_photo_make(&p, 10, "/a.jpg", "ann", 1);
    assert_int_equal(kit_files_with(dir, p.vectors[0], sizeof p.vectors[0]), !kit_is_sealed());
    kit_put_well(gallery, 12, "/a.jpg", "ann", 0);
    /* It could be taken back until then. */
    kit_put_well(gallery, 14, "/b.jpg", "ann", 0);
    kit_checkpoint(gallery);
    assert_int_equal(kit_files_with(dir, p.vectors[0], sizeof p.vectors[0]), 0);
    assert_int_equal(kit_files_with(dir, p.thumbs[0], KIT_THUMB), 0);
    kit_end(gallery, dir);
}

static void photos_are_forgotten_by_path_all_or_none(void **state)
{
    const char *const paths[] = {"/b.jpg", "/a.jpg", "/b.jpg"}, *const unknown[] = {"/c.jpg", "/d"};
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_put_well(gallery, 2, "/b.jpg", "bob", 2);
    kit_put_well(gallery, 3, "/c.jpg", "ann", 1);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_forget(&report, gallery, NULL, unknown, 2, 0, &err),
               &err);
    assert_non_null(strstr(err.message, "\"/d\""));
    assert_int_equal(photos(gallery, NULL)->n, 3);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, NULL, paths, 3, 0, &err), &err);
    assert_int_equal(report.n_photos, 2);
    assert_int_equal(report.n_templates, 3);
    assert_int_equal(report.n_left, 0);
    assert_int_equal(people(gallery)->n, 1);
    assert_string_equal(photos(gallery, "ann")->rows[0].name, "/c.jpg");
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_forget(&report, gallery, NULL, NULL, 0, 0, &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_forget(&report, gallery, "ann", paths, 1, 0, &err),
               &err);
    kit_end(gallery, dir);
}

/* Killed after the rows went and before their bytes did. */
static void forget_half(const char *dir)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);

    dpli_store *s = gallery->store;

    if (s->ops->begin(s, true, &err) != DPL_OK ||
        dpli_db_exec(kit_db(gallery), "DELETE FROM photo; DELETE FROM person;", &err) != DPL_OK ||
        s->ops->touch(s, &err) != DPL_OK || s->ops->want_scrub(s, &err) != DPL_OK ||
        s->ops->end(s, DPL_OK, &err) != DPL_OK)
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void put_and_die(const char *dir)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);

    if (kit_put(gallery, 10, "/photos/gone-1.jpg", "somebody gone", 3, &err) != DPL_OK)
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void a_forget_that_was_killed_is_finished_by_the_next_writer(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    dpl_gallery_close(gallery);
    /* The log is not emptied by one who dies. */
    assert_int_equal(in_child(put_and_die, dir), 128);
    assert_int_equal(in_child(forget_half, dir), 128);
    assert_int_equal(traces_of(dir, 10, "/photos/gone-1.jpg", "somebody gone", 3) > 0,
                     !kit_is_sealed());
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    assert_non_null(strstr(dpl_gallery_notice(gallery), "cut short"));
    assert_int_equal(traces_of(dir, 10, "/photos/gone-1.jpg", "somebody gone", 3), 0);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    assert_string_equal(dpl_gallery_notice(gallery), "");
    kit_end(gallery, dir);
}

static dpl_status forget_meanwhile(void *ctx, const dpl_photo_row *row)
{
    dpl_forget_report report;

    (void)row;
    return dpl_gallery_forget(&report, ctx, "somebody gone", NULL, 0, 0, &err);
}

static void a_reader_that_keeps_bytes_alive_is_told_of(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir), *reader;

    (void)state;
    kit_put_well(gallery, 10, "/photos/gone-1.jpg", "somebody gone", 3);
    reader = kit_open(dir, DPL_GALLERY_READ);
    kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), "PRAGMA busy_timeout=50", &err), &err);
    kit_expect(DPL_E_LOCKED, dpl_gallery_each_photo(reader, NULL, forget_meanwhile, gallery, NULL),
               &err);
    assert_non_null(strstr(err.message, "the rows are removed"));
    /* Sealed ones are none. */
    assert_int_equal(traces_of(dir, 10, "/photos/gone-1.jpg", "somebody gone", 3) > 0,
                     !kit_is_sealed());
    dpl_gallery_close(reader);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    assert_non_null(strstr(dpl_gallery_notice(gallery), "has been finished"));
    assert_int_equal(traces_of(dir, 10, "/photos/gone-1.jpg", "somebody gone", 3), 0);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ all vectors */

static void load_gives_all_vectors_of_a_space(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    const int64_t first = generation(gallery);
    dpli_vectors v;
    struct kept *k;

    static const float not_finite[KIT_DIM] = {[6] = NAN};
    dpli_vector_record r = {0};
    char sql[256];

    (void)state;
    kit_expect(DPL_OK, dpli_gallery_load(&v, gallery, "face", KIT_DIM, 1, &err), &err);
    assert_int_equal(v.n, 0);
    dpli_vectors_clear(&v);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 2, "/b.jpg", "bob", 3);
    kit_put_well(gallery, 3, "/c.jpg", NULL, 2);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    k = templates(gallery, NULL, "face");
    for (int with_rows = 0; with_rows < 2; with_rows++) {
        kit_expect(DPL_OK, dpli_gallery_load(&v, gallery, "face", KIT_DIM, with_rows, &err), &err);
        assert_int_equal(v.n, k->n);
        assert_int_equal(v.n, 5);
        assert_int_equal(v.generation, first + 4);
        assert_int_equal(v.generation, generation(gallery));
        for (size_t i = 0; i < v.n; i++) {
            assert_int_equal(v.ids[i], k->rows[i].id);
            assert_int_equal(v.photos[i], k->rows[i].photo_id);
            assert_int_equal(v.owners[i], strcmp(k->rows[i].person, "ann") == 0   ? 1
                                          : strcmp(k->rows[i].person, "bob") == 0 ? 2
                                                                                  : 0);
            if (with_rows)
                assert_memory_equal(v.rows + i * KIT_DIM, k->rows[i].vector,
                                    KIT_DIM * sizeof(float));
        }
        assert_true(with_rows || !v.rows);
        dpli_vectors_clear(&v);
    }
    kit_expect(DPL_OK, dpli_gallery_load(&v, gallery, "image", 2 * KIT_DIM, 1, &err), &err);
    assert_int_equal(v.n, 1);
    dpli_vectors_clear(&v);
    kit_expect(DPL_E_MISMATCH, dpli_gallery_load(&v, gallery, "face", KIT_DIM + 1, 1, &err), &err);
    kit_expect(DPL_E_ARGUMENT, dpli_gallery_load(&v, gallery, "sound", KIT_DIM, 1, &err), &err);

    kit_exec(gallery, "UPDATE template SET vector = x'00' WHERE id = 4");
    kit_expect(DPL_E_GALLERY, dpli_gallery_load(&v, gallery, "face", KIT_DIM, 1, &err), &err);
    assert_non_null(strstr(err.message, "template 4"));
    assert_null(v.rows);
    /* With a sum that is right, what is written is still looked at. */
    r.photo_id = 2; /* of template 4 */
    r.model_id = 1;
    r.bytes = not_finite;
    r.n_bytes = sizeof not_finite;
    snprintf(sql, sizeof sql, "UPDATE template SET sum = %lld WHERE id = 4",
             (long long)dpli_vector_sum(&r));
    kit_exec(gallery, sql);
    kit_exec(gallery, "UPDATE template SET vector ="
                      " x'0000000000000000000000000000000000000000000000000000c07f00000000'"
                      " WHERE id = 4");
    kit_expect(DPL_E_GALLERY, dpli_gallery_load(&v, gallery, "face", KIT_DIM, 1, &err), &err);
    assert_true(kit_is_sealed() || strstr(err.message, "not finite"));
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ sums */

static dpl_status read_all_of(dpl_gallery *gallery)
{
    struct kept k = {0};
    dpl_status status = dpl_gallery_each_person(gallery, keep_person, &k, &err);

    k.n = 0;
    if (status == DPL_OK)
        status = dpl_gallery_each_photo(gallery, NULL, keep_photo, &k, &err);
    k.n = 0;
    if (status == DPL_OK)
        status = dpl_gallery_each_template(gallery, NULL, NULL, keep_template, &k, &err);
    return status;
}

/* Each change is one that any SQLite would make and every other check lets pass. */
static void a_row_that_is_not_what_was_written_is_noticed_and_named(void **state)
{
    static const struct {
        const char *sql, *message;
    } cases[] = {
        {"UPDATE person SET name = x'62' WHERE id = 1", "the name of person 1"},
        {"UPDATE photo SET uri = 'file:///z.jpg' WHERE id = 1", "row of photo \"/z.jpg\""},
        {"UPDATE photo SET size_bytes = size_bytes + 1 WHERE id = 1", "row of photo \"/a.jpg\""},
        {"UPDATE photo SET person_id = 2 WHERE id = 1", "row of photo \"/a.jpg\""},
        {"UPDATE photo SET person_id = NULL WHERE id = 1", "row of photo \"/a.jpg\""},
        {"UPDATE photo SET meant = x'' WHERE id = 1", "row of photo \"/a.jpg\""},
        {"UPDATE photo SET options = x'00' WHERE id = 1", "row of photo \"/a.jpg\""},
        {"UPDATE template SET vector = (SELECT vector FROM template WHERE id = 3) WHERE id = 1",
         "vector of photo \"/a.jpg\""},
        {"UPDATE template SET photo_id = 2 WHERE id = 1", "vector of photo \"/b.jpg\""},
        {"UPDATE face SET x_px = x_px + 1 WHERE template_id = 1", "face of photo \"/a.jpg\""},
        {"UPDATE face SET weakest = 'size' WHERE template_id = 1", "face of photo \"/a.jpg\""},
        {"UPDATE thumb SET jpeg = (SELECT jpeg FROM thumb WHERE template_id = 2), sum ="
         " (SELECT sum FROM thumb WHERE template_id = 2) WHERE template_id = 1",
         "thumbnail of photo \"/a.jpg\""},
    };
    char *whole = kit_folder();
    dpl_gallery *gallery = kit_new(whole);
    dpl_forget_report report;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 2);
    dpl_gallery_close(gallery);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = kit_copy(whole);

        gallery = kit_open(dir, DPL_GALLERY_WRITE);
        kit_expect(DPL_OK, read_all_of(gallery), &err);
        kit_exec(gallery, cases[i].sql);
        kit_expect(DPL_E_GALLERY, read_all_of(gallery), &err);
        if (!strstr(err.message, cases[i].message))
            print_error("\"%s\" gives: %s\n", cases[i].sql, err.message);
        assert_non_null(strstr(err.message, cases[i].message));
        kit_expect(DPL_E_GALLERY, dpl_gallery_export(gallery, "damaged.jsonl", &err), &err);
        /* It can be forgotten like any other. */
        if (strstr(cases[i].message, "/a.jpg")) {
            const char *path = "/a.jpg";

            kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, NULL, &path, 1, 0, &err), &err);
            assert_int_equal(report.n_left, 0);
            kit_expect(DPL_OK, read_all_of(gallery), &err);
        }
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
    kit_drop(whole);
}

static void a_vector_that_was_changed_goes_into_no_index(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_hit hits[10];
    dpl_head *head;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 2);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 2);
    kit_expect(DPL_OK, dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &err), &err);
    kit_exec(gallery, "UPDATE template SET vector = (SELECT vector FROM template WHERE id = 1)"
                      " WHERE id = 3");
    kit_expect(
        DPL_E_GALLERY,
        dpl_gallery_search(hits, gallery, head, "face", p.vectors[0], 1, KIT_DIM, NULL, NULL, &err),
        &err);
    assert_non_null(strstr(err.message, "the vector of photo \"/b.jpg\" is not what was written"));
    /* Enrolled again, it is well. */
    kit_put_well(gallery, 3, "/b.jpg", "bob", 2);
    kit_expect(
        DPL_OK,
        dpl_gallery_search(hits, gallery, head, "face", p.vectors[0], 1, KIT_DIM, NULL, NULL, &err),
        &err);
    assert_int_equal(hits[0].template_id, 1);
    dpl_head_free(head);
    kit_end(gallery, dir);
}

/* As an encoder of whole pictures has it, used without a detector. */
static void a_whole_picture_may_say_where_it_was_taken_from(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    struct kept *k;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 2, "/a.jpg", "ann", 2);
    p.templates[1].face.w_px = 105;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    k = templates(gallery, NULL, NULL);
    assert_int_equal(k->n, 2);
    assert_string_equal(p.templates[1].space, "image");
    assert_int_equal(k->rows[0].template.is_face, 1);
    assert_int_equal(k->rows[1].template.is_face, 0);
    assert_memory_equal(&k->rows[1].template.face, &p.templates[1].face, sizeof(dpl_face));
    kit_end(gallery, dir);
}

static void whose_a_refused_photo_was_to_be_is_kept(void **state)
{
    char *dir = kit_folder(), *other = kit_folder(), *text, *again;
    dpl_gallery *gallery = kit_new(dir);
    int64_t n_photos, n_templates;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/a.jpg", NULL, 0);
    p.photo.row.meant = "ann\xff";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 1);
    assert_string_equal(photos(gallery, NULL)->rows[0].photo.meant ? "known" : "", "known");
    assert_null(photos(gallery, "bob")->rows[0].photo.meant);
    text = kit_dump(gallery);
    assert_non_null(strstr(text, "\"meant_base64\":\"YW5u/w==\""));
    dpl_gallery_close(gallery);
    gallery = kit_open(other, DPL_GALLERY_CREATE);
    kit_write("meant.jsonl", text, strlen(text));
    kit_expect(DPL_OK, dpl_gallery_import(gallery, "meant.jsonl", &n_photos, &n_templates, &err),
               &err);
    again = kit_dump(gallery);
    assert_string_equal(again, text);
    unlink("meant.jsonl");
    free(text);
    free(again);
    dpl_gallery_close(gallery);
    kit_drop(other);
    kit_drop(dir);
}

static void a_photo_may_have_another_source_than_a_file(void **state)
{
    char *dir = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    const char *path = "https://example.org/a.jpg";
    struct kept k = {0};
    int found;

    (void)state;
    kit_put_well(gallery, 1, path, "ann", 1);
    kit_put_well(gallery, 3, "/a b%.jpg", "ann", 1);
    kit_expect(DPL_OK, dpl_gallery_find_photo(gallery, path, NULL, keep_photo, &k, &found, &err),
               &err);
    assert_int_equal(found, 1);
    assert_string_equal(k.rows[0].name, path);
    text = kit_dump(gallery);
    assert_non_null(strstr(text, "\"path\":\"https://example.org/a.jpg\""));
    assert_non_null(strstr(text, "\"path\":\"/a b%.jpg\""));
    free(text);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, NULL, &path, 1, 0, &err), &err);
    assert_int_equal(report.n_photos, 1);
    kit_end(gallery, dir);
}

static void an_address_of_no_keeper_is_refused_without_its_secrets(void **state)
{
    dpl_gallery *gallery;

    (void)state;
    kit_expect(
        DPL_E_GALLERY,
        dpl_gallery_open(&gallery, "carrier-pigeon://ann:secret@host/db", DPL_GALLERY_CREATE, &err),
        &err);
    assert_string_equal(err.message, "this doppel keeps no gallery at \"carrier-pigeon://\"");
    assert_int_equal(access("carrier-pigeon:", F_OK), -1);
}

/* ------------------------------------------------------------------ readers and a writer */

enum { N_BATCHES = UNLESS_SLOWED(60, 20) };

/* Each batch replaces both photos, so that they always agree. */
/* After its first batch it waits until that was seen. */
static void write_pairs(const char *dir, int is_seen)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_WRITE);
    char byte;

    for (uint64_t i = 1; i <= N_BATCHES; i++) {
        kit_photo a, b;
        dpl_new_photo both[2];

        kit_photo_make(&a, 2 * i + 1, "/a.jpg", "ann", 1);
        kit_photo_make(&b, 2 * i + 1, "/b.jpg", "bob", 1);
        both[0] = a.photo;
        both[1] = b.photo;
        if (dpl_gallery_put(gallery, both, 2, &err) != DPL_OK ||
            (i == 1 && read(is_seen, &byte, 1) != 1))
            _exit(1);
    }
    dpl_gallery_close(gallery);
}

static void readers_see_one_instant_while_a_writer_writes(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    const int64_t first = generation(gallery);
    int64_t seen = 0, n_changes = 0;
    int status = 0, is_seen[2];
    pid_t pid;

    (void)state;
    dpl_gallery_close(gallery);
    assert_int_equal(pipe(is_seen), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        write_pairs(dir, is_seen[0]);
        _exit(0);
    }
    gallery = kit_open(dir, DPL_GALLERY_READ);
    while (seen < N_BATCHES) {
        dpli_vectors v;

        kit_expect(DPL_OK, dpli_gallery_load(&v, gallery, "face", KIT_DIM, 1, &err), &err);
        assert_true(v.generation - first >= seen);
        if (v.generation - first > seen && n_changes++ == 0)
            assert_int_equal(write(is_seen[1], "", 1), 1);
        seen = v.generation - first;
        assert_int_equal(v.n, seen ? 2 : 0);
        if (seen) {
            assert_memory_equal(v.rows, v.rows + KIT_DIM, KIT_DIM * sizeof(float));
            assert_int_equal(v.ids[1], 2 * seen);
        }
        dpli_vectors_clear(&v);
        if (waitpid(pid, &status, WNOHANG) == pid)
            pid = 0;
        assert_true(status == 0);
    }
    dpl_gallery_close(gallery);
    close(is_seen[0]);
    close(is_seen[1]);
    if (pid)
        waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_true(n_changes > 1);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ all of it, at random */

enum { N_PATHS = 12, N_NAMES = 5, N_STEPS = 400 };

/* The gallery as it should be, in the simplest way. */
struct model {
    struct {
        int there, person; /* person -1: nobody */
        int64_t id;
        uint64_t seed;
        size_t n_templates;
    } photos[N_PATHS];
    char names[N_NAMES][24];
    int64_t last_photo_id, last_template_id, generation;
};

static int has_photos(const struct model *m, int person)
{
    for (int i = 0; i < N_PATHS; i++)
        if (m->photos[i].there && m->photos[i].person == person)
            return 1;
    return 0;
}

static void compare(const struct model *m, dpl_gallery *gallery)
{
    struct kept *k = photos(gallery, NULL);
    size_t n_photos = 0, n_templates = 0, n_persons = 0;

    for (int i = 0; i < N_PATHS; i++) {
        if (!m->photos[i].there)
            continue;
        assert_true(n_photos < k->n);
        assert_int_equal(k->rows[n_photos].name[1], 'a' + i);
        assert_int_equal(k->rows[n_photos].id, m->photos[i].id);
        assert_string_equal(k->rows[n_photos].person,
                            m->photos[i].person < 0 ? "(nobody)" : m->names[m->photos[i].person]);
        n_photos++;
        n_templates += m->photos[i].n_templates;
    }
    assert_int_equal(k->n, n_photos);
    for (int i = 0; i < N_NAMES; i++)
        n_persons += (size_t)has_photos(m, i);
    assert_int_equal(people(gallery)->n, n_persons);
    k = templates(gallery, NULL, NULL);
    assert_int_equal(k->n, n_templates);
    for (size_t i = 0; i < k->n; i++) {
        int path = k->rows[i].name[1] - 'a';
        kit_photo p;
        int known = 0;

        assert_true(k->rows[i].id <= m->last_template_id);
        kit_photo_make(&p, m->photos[path].seed, "/", NULL, m->photos[path].n_templates);
        for (size_t t = 0; t < m->photos[path].n_templates; t++)
            known |= p.templates[t].dim == k->rows[i].template.dim &&
                     memcmp(p.vectors[t], k->rows[i].vector,
                            (size_t)p.templates[t].dim * sizeof(float)) == 0;
        assert_true(known);
    }
    assert_int_equal(generation(gallery), m->generation);
}

static void step(struct model *m, dpl_gallery *gallery, dpli_rng *rng)
{
    int i = (int)dpli_rng_below(rng, N_PATHS), j = (int)dpli_rng_below(rng, N_PATHS);
    int name = (int)dpli_rng_below(rng, N_NAMES), action = (int)dpli_rng_below(rng, 10);
    char path[8] = {'/', (char)('a' + i), 0}, other[8] = {'/', (char)('a' + j), 0};
    const char *one[] = {path};
    dpl_forget_report report;

    if (action < 5) {
        int person = (int)dpli_rng_below(rng, N_NAMES + 1) - 1;
        size_t n = dpli_rng_below(rng, 4);
        uint64_t seed = dpli_rng_u64(rng);

        kit_put_well(gallery, seed, path, person < 0 ? NULL : m->names[person], n);
        if (!m->photos[i].there)
            m->photos[i].id = ++m->last_photo_id;
        m->generation += n > 0 || (m->photos[i].there && m->photos[i].n_templates > 0);
        m->photos[i].there = 1;
        m->photos[i].person = person;
        m->photos[i].seed = seed;
        m->photos[i].n_templates = n;
        m->last_template_id += (int64_t)n;
    } else if (action < 7) {
        if (!m->photos[i].there)
            return;
        kit_expect(DPL_OK, dpl_gallery_move_photo(gallery, m->photos[i].id, other, 5, &err), &err);
        if (i == j)
            return;
        m->generation += m->photos[j].there && m->photos[j].n_templates > 0;
        m->photos[j] = m->photos[i];
        m->photos[i].there = 0;
    } else if (action < 8) {
        char fresh[24];
        int exists = has_photos(m, name);

        snprintf(fresh, sizeof fresh, "n%u", (unsigned)dpli_rng_below(rng, 1000000));
        kit_expect(exists ? DPL_OK : DPL_E_NOT_FOUND,
                   dpl_gallery_rename(gallery, m->names[name], fresh, &err), &err);
        if (exists)
            strcpy(m->names[name], fresh);
    } else if (action < 9) {
        kit_expect(m->photos[i].there ? DPL_OK : DPL_E_NOT_FOUND,
                   dpl_gallery_forget(&report, gallery, NULL, one, 1, 0, &err), &err);
        m->generation += m->photos[i].there;
        m->photos[i].there = 0;
        assert_int_equal(report.n_left, 0);
    } else {
        int exists = has_photos(m, name);

        kit_expect(exists ? DPL_OK : DPL_E_NOT_FOUND,
                   dpl_gallery_forget(&report, gallery, m->names[name], NULL, 0, 0, &err), &err);
        m->generation += exists;
        for (int p = 0; p < N_PATHS; p++)
            if (m->photos[p].there && m->photos[p].person == name)
                m->photos[p].there = 0;
    }
}

static void any_sequence_of_changes_gives_what_a_simple_model_gives(void **state)
{
    const char *given = getenv("DOPPEL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    struct model m = {.generation = generation(gallery)};
    dpli_rng rng;

    (void)state;
    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    for (int i = 0; i < N_NAMES; i++)
        snprintf(m.names[i], sizeof m.names[i], "person %d", i);
    /* A database takes its time for a forget: all of it is written anew. */
    for (int i = 0; i < (kit_is_database() || IS_SLOWED ? N_STEPS / 4 : N_STEPS); i++) {
        step(&m, gallery, &rng);
        compare(&m, gallery);
        if (i % 50 == 49) {
            dpl_gallery_close(gallery);
            gallery = kit_open(dir, DPL_GALLERY_WRITE);
        }
    }
    assert_true(m.last_template_id > (kit_is_database() || IS_SLOWED ? 25 : 100));
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ faces' own people, undo */

static void every_face_has_a_person_of_its_own(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    const struct kept *k;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/crowd.jpg", "ann", 3);
    p.templates[1].is_nobodys = true;
    p.templates[2].person = "bob";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    k = templates(gallery, NULL, NULL);
    assert_int_equal(k->n, 3);
    assert_string_equal(k->rows[0].person, "ann");
    assert_string_equal(k->rows[1].person, "(nobody)");
    assert_string_equal(k->rows[2].person, "bob");
    assert_int_equal(templates(gallery, "ann", NULL)->n, 1);
    assert_int_equal(templates(gallery, "bob", NULL)->n, 1);
    /* His face is in her photo. */
    assert_int_equal(photos(gallery, "bob")->n, 1);
    assert_int_equal(photos(gallery, "ann")->n, 1);
    kit_end(gallery, dir);
}

static void a_search_tells_the_faces_person_and_not_the_photos(void **state)
{
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_head *head;
    dpl_hit hits[3];
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/crowd.jpg", "ann", 3);
    p.templates[1].is_nobodys = true;
    p.templates[2].person = "bob";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_expect(DPL_OK, dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &err), &err);
    options.k = 1;
    for (int i = 0; i < 3; i++)
        kit_expect(DPL_OK,
                   dpl_gallery_search(&hits[i], gallery, head, "face", p.vectors[i], 1, KIT_DIM,
                                      &options, NULL, &err),
                   &err);
    assert_true(hits[0].person_id > 0);
    assert_int_equal(hits[1].person_id, 0);
    assert_true(hits[2].person_id > 0 && hits[2].person_id != hits[0].person_id);
    dpl_head_free(head);
    kit_end(gallery, dir);
}

static void forgetting_somebody_leaves_the_others_in_a_photo(void **state)
{
    char *dir = kit_folder(), *text;
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    const struct kept *k;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/crowd.jpg", "ann somebody", 3);
    p.templates[1].is_nobodys = true;
    p.templates[2].person = "bob";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_put_well(gallery, 3, "/ann.jpg", "ann somebody", 1);
    /* In her photo, nobody's face may be hers. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "ann somebody", NULL, 0, false, &err),
               &err);
    assert_int_equal(report.n_photos, 1);
    assert_int_equal(report.n_photos_kept, 1);
    assert_int_equal(report.n_templates, 3);
    assert_int_equal(report.n_left + report.n_strings_left, 0);
    k = templates(gallery, NULL, NULL);
    assert_int_equal(k->n, 1);
    assert_string_equal(k->rows[0].person, "bob");
    k = photos(gallery, NULL);
    assert_int_equal(k->n, 1);
    assert_string_equal(k->rows[0].person, "(nobody)");
    text = kit_dump(gallery);
    assert_null(strstr(text, "ann somebody"));
    free(text);
    /* In a photo of nobody's, only the face is his. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "bob", NULL, 0, false, &err), &err);
    assert_int_equal(report.n_photos, 0);
    assert_int_equal(report.n_photos_kept, 1);
    assert_int_equal(photos(gallery, NULL)->n, 1);
    assert_int_equal(templates(gallery, NULL, NULL)->n, 0);
    kit_end(gallery, dir);
}

static int64_t refuse(dpl_gallery *gallery, int64_t template_id, int64_t person_id,
                      int64_t other_id)
{
    dpli_refusal_record r = {0, template_id, person_id, other_id, 0};
    dpli_store *s = gallery->store;
    int64_t id = 0;

    r.sum = dpli_refusal_sum(&r);
    kit_expect(DPL_OK, s->ops->begin(s, true, &err), &err);
    kit_expect(DPL_OK, s->ops->end(s, s->ops->add_refusal(s, &id, &r, &err), &err), &err);
    return id;
}

static dpl_status keep_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *e)
{
    (void)e;
    assert_true(r->sum == dpli_refusal_sum(r));
    *(dpli_refusal_record *)ctx = *r;
    return DPL_OK;
}

static void what_was_said_of_a_face_outlasts_a_new_encoding_of_it(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpli_refusal_record r = {0};
    const struct kept *k;
    int64_t bob;
    kit_photo p;

    (void)state;
    kit_photo_make(&p, 1, "/crowd.jpg", NULL, 2);
    for (int i = 0; i < 2; i++) {
        p.templates[i].face.x_px = 100.0F * (float)i;
        p.templates[i].face.y_px = 10;
        p.templates[i].face.w_px = p.templates[i].face.h_px = 50;
    }
    p.templates[0].person = "ann";
    p.templates[0].by_hand = true;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    kit_put_well(gallery, 3, "/bob.jpg", "bob", 1);
    bob = templates(gallery, "bob", NULL)->rows[0].template.person_id;
    refuse(gallery, templates(gallery, NULL, NULL)->rows[1].template.id, bob, 0);

    /* Found again in another order, a little aside, and named after a folder. */
    p.photo.row.person = "folder";
    p.templates[0].person = NULL;
    p.templates[0].by_hand = false;
    p.templates[0].face.x_px = 103;
    p.templates[1].face.x_px = 2;
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    k = templates(gallery, "ann", NULL);
    assert_int_equal(k->n, 1);
    assert_true(k->rows[0].template.by_hand);
    assert_true(k->rows[0].template.face.x_px == 2);
    k = templates(gallery, "folder", NULL);
    assert_int_equal(k->n, 1);
    kit_expect(DPL_OK,
               gallery->store->ops->each_refusal(gallery->store, k->rows[0].template.id,
                                                 keep_refusal, &r, &err),
               &err);
    assert_int_equal(r.person_id, bob);
    /* Nor does its photo make it his. */
    p.photo.row.person = "bob";
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    assert_int_equal(templates(gallery, "bob", NULL)->n, 1);
    assert_int_equal(templates(gallery, "ann", NULL)->n, 1);
    assert_int_equal(templates(gallery, NULL, NULL)->n, 3);

    /* Another picture under the same path is another matter. */
    memset(p.sha256, 'a', 64);
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &p.photo, 1, &err), &err);
    assert_int_equal(templates(gallery, "ann", NULL)->n, 0);
    r = (dpli_refusal_record){0};
    kit_expect(DPL_OK, gallery->store->ops->each_refusal(gallery->store, 0, keep_refusal, &r, &err),
               &err);
    assert_int_equal(r.id, 0);
    kit_end(gallery, dir);
}

static void two_spellings_of_a_name_are_one_person(void **state)
{
    static const char composed[] = "Jos\303\251", decomposed[] = "Jose\314\201";

    (void)state;
    for (int first = 0; first < 2; first++) {
        char *dir = kit_folder();
        dpl_gallery *gallery = kit_new(dir);
        const char *const names[] = {composed, decomposed};
        dpl_forget_report report;

        kit_put_well(gallery, 1, "/1.jpg", names[first], 1);
        kit_put_well(gallery, 3, "/2.jpg", names[!first], 1);
        kit_put_well(gallery, 5, "/3.jpg", "JOS\303\211", 1); /* case is kept */
        assert_int_equal(photos(gallery, names[first])->n, 2);
        assert_int_equal(photos(gallery, names[!first])->n, 2);
        /* As it was first written. */
        assert_string_equal(photos(gallery, names[!first])->rows[0].person, names[first]);
        kit_expect(DPL_OK, dpl_gallery_rename(gallery, names[!first], "Zoe", &err), &err);
        kit_put_well(gallery, 7, "/4.jpg", names[!first], 1);
        assert_int_equal(photos(gallery, "Zoe")->n, 3);
        kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Zoe", NULL, 0, false, &err), &err);
        assert_int_equal(report.n_strings_left, 0);
        assert_int_equal(kit_files_with(dir, composed, sizeof composed - 1), 0);
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
}

static void a_former_name_goes_on_meaning_the_person(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;

    (void)state;
    kit_put_well(gallery, 1, "/Barack Obama/1.jpg", "Barack Obama", 1);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Barack Obama", "Obama", &err), &err);
    kit_put_well(gallery, 3, "/Barack Obama/2.jpg", "Barack Obama", 1);
    assert_int_equal(photos(gallery, "Obama")->n, 2);
    /* What removes wants the name that they have. */
    kit_expect(DPL_E_NOT_FOUND,
               dpl_gallery_forget(&report, gallery, "Barack Obama", NULL, 0, true, &err), &err);
    assert_non_null(strstr(err.message, "is now \"Obama\""));
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_rename(gallery, "Barack Obama", "B", &err), &err);
    /* And back. */
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Obama", "Barack Obama", &err), &err);
    assert_int_equal(photos(gallery, "Barack Obama")->n, 2);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "Barack Obama", NULL, 0, false, &err),
               &err);
    assert_int_equal(report.n_strings_left, 0);
    kit_end(gallery, dir);
}

/* All that an export tells, but for the ids that were given. */
static char *content(dpl_gallery *gallery)
{
    char *text = kit_dump(gallery), *end = strchr(text, '\n');

    memmove(text, end, strlen(end) + 1);
    return text;
}

static void undo_brings_back_what_was_and_undone_again_what_came(void **state)
{
    (void)state;
    for (int change = 0; change < 5; change++) {
        char *dir = kit_folder(), *before, *after, *again;
        dpl_gallery *gallery = kit_new(dir);
        int64_t n_photos, n_templates, generation;

        kit_put_well(gallery, 10, "/a.jpg", "ann", 3);
        kit_put_well(gallery, 12, "/b.jpg", "bob", 2);
        kit_expect(DPL_OK, dpl_gallery_export(gallery, "undo.jsonl", &err), &err);
        kit_put_well(gallery, 14, "/c.jpg", "cid", 2);
        before = content(gallery);
        switch (change) {
        case 0: kit_put_well(gallery, 16, "/d.jpg", "dora", 3); break;
        case 1: kit_put_well(gallery, 18, "/a.jpg", "bob", 1); break;
        case 2:
            kit_expect(DPL_OK, dpl_gallery_rename(gallery, "ann", "Jose\314\201", &err), &err);
            break;
        case 3:
            kit_expect(DPL_OK, dpl_gallery_move_photo(gallery, 1, "/b.jpg", 7, &err), &err);
            break;
        default:
            kit_expect(DPL_OK,
                       dpl_gallery_import(gallery, "undo.jsonl", &n_photos, &n_templates, &err),
                       &err);
            break;
        }
        after = content(gallery);
        assert_string_not_equal(before, after);
        kit_expect(
            DPL_OK,
            dpli_db_int(&generation, kit_db(gallery), "SELECT generation FROM gallery", &err),
            &err);
        for (int i = 0; i < 3; i++) {
            int64_t now;

            kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
            again = content(gallery);
            assert_string_equal(again, i % 2 ? after : before);
            free(again);
            kit_check(gallery);
            kit_expect(DPL_OK,
                       dpli_db_int(&now, kit_db(gallery), "SELECT generation FROM gallery", &err),
                       &err);
            assert_true(now > generation);
            generation = now;
        }
        free(before);
        free(after);
        unlink("undo.jsonl");
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
}

static void several_transactions_may_be_one_change(void **state)
{
    char *dir = kit_folder(), *before, *after;
    dpl_gallery *gallery = kit_new(dir);
    dpli_step note = {.photo_id = 1, .is_note = true};
    const dpl_photo_row row = {.file_system = 7};

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    before = content(gallery);
    kit_expect(DPL_OK, dpli_change_begin(gallery, "a run", &err), &err);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 2);
    /* One that fails is not of it. */
    kit_expect(DPL_E_ARGUMENT, kit_put(gallery, 5, "no path", "bob", 2, &err), &err);
    kit_put_well(gallery, 7, "/a.jpg", "bob", 1);
    kit_put_well(gallery, 9, "/c.jpg", "cid", 1);
    dpli_change_end(gallery);
    /* What is only noted of a file is no change. */
    note.file = &row;
    kit_expect(DPL_OK, dpli_take_steps(gallery, &note, 1, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
    note.file = &(dpl_photo_row){0};
    kit_expect(DPL_OK, dpli_take_steps(gallery, &note, 1, &err), &err);
    after = content(gallery);
    assert_string_equal(before, after);
    free(before);
    free(after);
    kit_end(gallery, dir);
}

static void a_rehearsal_changes_nothing(void **state)
{
    char *dir = kit_folder(), *before, *after;
    dpl_gallery *gallery = kit_new(dir);
    int64_t n_photos, n_templates;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 1);
    kit_expect(DPL_OK, dpl_gallery_export(gallery, "rehearsed.jsonl", &err), &err);
    before = kit_dump(gallery);
    dpl_gallery_rehearse(gallery, true);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 2);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "ann", "bea", &err), &err);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_rename(gallery, "bob", "bea", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_move_photo(gallery, 1, "/c.jpg", 0, &err), &err);
    kit_expect(DPL_OK,
               dpl_gallery_import(gallery, "rehearsed.jsonl", &n_photos, &n_templates, &err), &err);
    assert_int_equal(n_photos, 1);
    kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
    after = kit_dump(gallery);
    assert_string_equal(before, after);
    free(after);
    dpl_gallery_rehearse(gallery, false);
    kit_put_well(gallery, 3, "/b.jpg", "bob", 2);
    after = kit_dump(gallery);
    assert_string_not_equal(before, after);
    free(before);
    free(after);
    unlink("rehearsed.jsonl");
    kit_end(gallery, dir);
}

static void a_gallery_made_for_nothing_is_gone_when_abandoned(void **state)
{
    char *dir = kit_folder(), path[256];
    dpl_gallery *gallery;

    (void)state;
    snprintf(path, sizeof path, "%s/g", dir);
    gallery = kit_open(path, DPL_GALLERY_CREATE);
    dpl_gallery_abandon(gallery);
    assert_int_not_equal(access(path, F_OK), 0);
    gallery = kit_open(path, DPL_GALLERY_CREATE);
    dpl_gallery_close(gallery);
    /* One that was there stays. */
    gallery = kit_open(path, DPL_GALLERY_CREATE);
    dpl_gallery_abandon(gallery);
    gallery = kit_open(path, DPL_GALLERY_READ);
    dpl_gallery_close(gallery);
    /* Among other files none is made. */
    kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, dir, DPL_GALLERY_CREATE, &err), &err);
    assert_non_null(strstr(err.message, "holds other files (\"g\")"));
    kit_drop(strdup(path));
    kit_drop(dir);
}

static dpl_status keep_change(void *ctx, const dpl_change *change)
{
    dpl_change *to = ctx;

    *to = *change;
    to->what = change->what ? strdup(change->what) : NULL;
    return DPL_OK;
}

static void the_last_change_is_told(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_change change;

    (void)state;
    kit_expect(DPL_OK, dpl_gallery_last_change(gallery, keep_change, &change, &err), &err);
    assert_int_equal(change.what == NULL, !kit_is_sealed()); /* else it was encrypted */
    free((char *)(uintptr_t)change.what);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_undo(gallery, &err), &err);
    kit_put_well(gallery, 1, "/a.jpg", "ann", 3);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "ann", "bea", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_last_change(gallery, keep_change, &change, &err), &err);
    assert_string_equal(change.what, "rename \"ann\" to \"bea\"");
    assert_int_equal(change.n_persons_changed, 1);
    assert_int_equal(change.n_photos_added + change.n_photos_changed + change.n_photos_removed, 0);
    free((char *)(uintptr_t)change.what);
    kit_put_well(gallery, 3, "/a.jpg", "bob", 2);
    kit_expect(DPL_OK, dpl_gallery_last_change(gallery, keep_change, &change, &err), &err);
    assert_int_equal(change.n_persons_added, 1);
    assert_int_equal(change.n_persons_removed, 1);
    assert_int_equal(change.n_photos_changed, 1);
    assert_int_equal(change.n_templates_added, 2);
    assert_int_equal(change.n_templates_removed, 3);
    free((char *)(uintptr_t)change.what);
    kit_end(gallery, dir);
}

static void a_forget_is_final_and_leaves_no_change_before_it(void **state)
{
    char *dir = kit_folder(), *before;
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    kit_photo p;

    (void)state;
    kit_put_well(gallery, 2, "/b.jpg", "bob", 1);
    kit_put_well(gallery, 1, "/a.jpg", "somebody gone", 3);
    kit_photo_make(&p, 1, "/a.jpg", "somebody gone", 3);
    /* Replaced: what was is kept for undo. */
    kit_put_well(gallery, 3, "/a.jpg", "somebody gone", 1);
    kit_checkpoint(gallery);
    assert_int_equal(kit_files_with(dir, p.vectors[0], KIT_DIM * sizeof(float)), !kit_is_sealed());
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "somebody gone", NULL, 0, false, &err),
               &err);
    assert_int_equal(report.n_left + report.n_strings_left, 0);
    assert_int_equal(kit_files_with(dir, p.vectors[0], KIT_DIM * sizeof(float)), 0);
    assert_int_equal(kit_files_with(dir, p.thumbs[0], KIT_THUMB), 0);
    assert_int_equal(kit_files_with(dir, "somebody gone", 13), 0);
    before = kit_dump(gallery);
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_undo(gallery, &err), &err);
    assert_non_null(strstr(err.message, "forget, which is final"));
    kit_is_still(gallery, before);
    kit_end(gallery, dir);
}

static void a_damaged_log_takes_nothing_back(void **state)
{
    static const char *const sql[] = {
        "UPDATE undo SET row = row + 1 WHERE seq = 1",
        "UPDATE undo SET op = 2 WHERE seq = 1",
        "UPDATE undo SET c2 = 7 WHERE op = 3",
        "DELETE FROM undo WHERE seq = 2",
        "UPDATE change SET words = x'61'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        char *dir = kit_folder();
        dpl_gallery *gallery = kit_new(dir);
        dpl_check_report report;

        kit_put_well(gallery, 1, "/a.jpg", "ann", 3);
        kit_put_well(gallery, 3, "/a.jpg", "bob", 2);
        kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), sql[i], &err), &err);
        kit_expect(DPL_E_GALLERY, dpl_gallery_undo(gallery, &err), &err);
        assert_non_null(strstr(err.message, "is damaged"));
        assert_int_equal(photos(gallery, "bob")->n, 1);
        kit_expect(DPL_OK, dpl_gallery_check(&report, gallery, NULL, NULL, &err), &err);
        assert_int_equal(report.n_damaged, 1);
        /* The next change clears it away. */
        kit_put_well(gallery, 5, "/c.jpg", "cid", 1);
        kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kit_unit_test_of_folder(a_new_gallery_is_for_its_owner_alone),
        kit_unit_test_of_folder(opening_what_is_no_gallery_fails_and_leaves_it_alone),
        kit_unit_test_of_folder(opening_another_database_says_what_it_is),
        kit_unit_test_of_folder(triggers_and_views_of_a_hostile_file_do_nothing),
        kit_unit_test_of_folder(a_second_writer_is_told_who_writes_and_readers_go_on),
        kit_unit_test_of_folder(a_gallery_on_a_read_only_medium_can_be_read),
        cmocka_unit_test(what_is_put_is_read_back_exactly),
        cmocka_unit_test(names_and_paths_are_bytes),
        cmocka_unit_test(photos_of_a_folder_are_those_in_it_and_below_it),
        cmocka_unit_test(putting_again_replaces_by_path_and_keeps_the_photos_id),
        cmocka_unit_test(put_takes_the_time_when_none_is_given),
        cmocka_unit_test(a_bad_photo_is_refused_and_nothing_of_its_batch_is_kept),
        cmocka_unit_test(a_gallery_open_for_reading_cannot_be_changed),
        cmocka_unit_test(walks_are_in_order_and_stop_when_told),
        cmocka_unit_test(counts_are_those_of_the_rows),
        cmocka_unit_test(a_photo_is_found_by_path_and_all_are_by_content),
        cmocka_unit_test(a_setting_stays_once_there_are_templates),
        cmocka_unit_test(a_setting_that_cannot_be_read_is_not_unset),
        cmocka_unit_test(a_vector_of_zeros_is_refused_where_it_has_no_direction),
        cmocka_unit_test(a_space_belongs_to_the_model_that_made_its_vectors),
        cmocka_unit_test(an_encoder_is_bound_by_its_own_facts),
        cmocka_unit_test(rename_keeps_the_person_and_takes_no_name_twice),
        cmocka_unit_test(a_moved_photo_keeps_ids_person_and_templates),
        kit_unit_test_of_folder(a_folder_that_others_may_write_is_no_gallery),
        kit_unit_test_of_folder(a_link_in_the_place_of_a_gallerys_file_is_not_followed),
        kit_unit_test_of_folder(a_lock_with_two_names_is_not_written),
        kit_unit_test_of_folder(a_writer_makes_files_private_again),
        kit_unit_test_of_folder(a_gallery_in_a_folder_that_a_link_leads_to_is_one),
        kit_unit_test_of_folder(somebody_elses_gallery_is_read_and_not_written),
        cmocka_unit_test(of_what_is_forgotten_no_file_has_a_byte),
        cmocka_unit_test(refused_photos_are_forgotten_with_whom_they_were_meant_for),
        cmocka_unit_test(refused_photos_are_renamed_with_whom_they_were_meant_for),
        kit_unit_test_of_folder(the_proof_finds_what_any_file_of_the_folder_still_has),
        kit_unit_test_of_folder(
            of_what_is_replaced_the_database_keeps_no_byte_after_the_next_change),
        cmocka_unit_test(photos_are_forgotten_by_path_all_or_none),
        kit_unit_test_of_folder(a_forget_that_was_killed_is_finished_by_the_next_writer),
        /* Walks of an encrypted gallery are gathered before the first row is told. */
        kit_unit_test_of_folder(a_reader_that_keeps_bytes_alive_is_told_of),
        kit_unit_test_of_plain(a_row_that_is_not_what_was_written_is_noticed_and_named),
        cmocka_unit_test(a_vector_that_was_changed_goes_into_no_index),
        cmocka_unit_test(a_whole_picture_may_say_where_it_was_taken_from),
        cmocka_unit_test(whose_a_refused_photo_was_to_be_is_kept),
        cmocka_unit_test(a_photo_may_have_another_source_than_a_file),
        cmocka_unit_test(an_address_of_no_keeper_is_refused_without_its_secrets),
        cmocka_unit_test(every_face_has_a_person_of_its_own),
        cmocka_unit_test(a_search_tells_the_faces_person_and_not_the_photos),
        cmocka_unit_test(forgetting_somebody_leaves_the_others_in_a_photo),
        cmocka_unit_test(what_was_said_of_a_face_outlasts_a_new_encoding_of_it),
        cmocka_unit_test(two_spellings_of_a_name_are_one_person),
        cmocka_unit_test(a_former_name_goes_on_meaning_the_person),
        cmocka_unit_test(undo_brings_back_what_was_and_undone_again_what_came),
        cmocka_unit_test(several_transactions_may_be_one_change),
        cmocka_unit_test(a_rehearsal_changes_nothing),
        kit_unit_test_of_folder(a_gallery_made_for_nothing_is_gone_when_abandoned),
        cmocka_unit_test(the_last_change_is_told),
        cmocka_unit_test(a_forget_is_final_and_leaves_no_change_before_it),
        kit_unit_test_of_folder(a_damaged_log_takes_nothing_back),
        cmocka_unit_test(load_gives_all_vectors_of_a_space),
        cmocka_unit_test(readers_see_one_instant_while_a_writer_writes),
        cmocka_unit_test(any_sequence_of_changes_gives_what_a_simple_model_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
