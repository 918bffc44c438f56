/*
 * test_jobs_fail.c - the whole jobs when any one allocation fails, or all from one on: enrolment,
 * scans, verification, claims, queries, check, repair, migration, copies, and names in sidecars.
 * Each ends in DPL_E_MEMORY with the gallery as it was, or it is done, and has the answer that it
 * has with memory. Of a photo for which memory was short nothing is recorded, least of all that it
 * was no photo.
 *
 * Import, forget and the other calls on a gallery alone are in test_gallery_fail.c.
 */
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

#include "doppel/doppel.h"
#include "index/gallery.h"
#include "tests/failing_alloc.h"
#include "tests/index/gallery_kit.h"

#define ENCODER  DPL_SOURCE_DIR "/tests/standins/koch.onnx"
#define PICTURES DPL_SOURCE_DIR "/tests/fixtures/image/"

static dpl_error err;
static dpl_pipeline *pipeline; /* small, of whole pictures */
static dpl_pipeline *other;    /* its net given pictures otherwise: another model */
static dpl_pipeline *both;     /* small, with vectors of whole pictures beside */
static dpl_pipeline *pictures; /* of whole pictures, whose copies are told */
static dpl_scratch *scratch;
static char *dir; /* of the gallery under test */
static char answer[512];

/* ------------------------------------------------------------------ jobs */

/* Memory does not fail meanwhile: what opening does then is test_gallery_fail's. */
static dpl_status opened(dpl_gallery **gallery, dpl_gallery_mode mode)
{
    const size_t nth = fail_at;
    dpl_status status;

    fail_allocation(0);
    status = dpl_gallery_open(gallery, dir, mode, &err);
    fail_allocation(nth);
    return status;
}

static dpl_status open_pipeline(void)
{
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    dpl_pipeline *p;
    dpl_status status;

    o.encoder_path = ENCODER;
    status = dpl_pipeline_open(&p, &o, &err);
    dpl_pipeline_close(p);
    return status;
}

static dpl_status enroll(void)
{
    const char *const paths[] = {"photos"};
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_enroll_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_CREATE);

    o.n_threads = 1;
    if (status == DPL_OK)
        status = dpl_enroll(&report, gallery, pipeline, paths, 1, &o, &err);
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status policy_of(dpl_policy *policy)
{
    return dpl_policy_make(policy, NULL, (double)NAN, 0.5, &err);
}

static dpl_status verify(void)
{
    dpl_photo a = DPL_PHOTO_INIT, b = DPL_PHOTO_INIT;
    dpl_verdict v;
    dpl_policy policy;
    dpl_status status;

    status = dpl_photo_open(&a, pipeline, scratch, "photos/one/1.png", &err);
    if (status == DPL_OK)
        status = dpl_photo_open(&b, pipeline, scratch, "photos/two/2.jpg", &err);
    if (status == DPL_OK)
        status = policy_of(&policy);
    if (status == DPL_OK)
        status = dpl_verify(&v, pipeline, &policy, &a, &b, NULL, &err);
    if (status == DPL_OK)
        snprintf(answer, sizeof answer, "%.9g %d", (double)v.score, (int)v.decision);
    dpl_photo_clear(&a);
    dpl_photo_clear(&b);
    return status;
}

static dpl_status claim(void)
{
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_gallery *gallery;
    dpl_verdict v;
    dpl_policy policy;
    dpl_status status = opened(&gallery, DPL_GALLERY_READ);

    if (status == DPL_OK)
        status = dpl_photo_open(&photo, pipeline, scratch, "photos/one/1.png", &err);
    if (status == DPL_OK)
        status = policy_of(&policy);
    if (status == DPL_OK)
        status = dpl_verify_claim(&v, gallery, pipeline, &policy, &photo, "one", NULL, &err);
    if (status == DPL_OK)
        snprintf(answer, sizeof answer, "%.9g %d", (double)v.score, (int)v.decision);
    dpl_photo_clear(&photo);
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status query_by(const dpl_pipeline *p, dpl_query_by by)
{
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_answer *answers = NULL;
    dpl_gallery *gallery;
    dpl_policy policy;
    size_t n = 0;
    dpl_status status = opened(&gallery, DPL_GALLERY_READ);

    if (status == DPL_OK)
        status = dpl_photo_open(&photo, p, scratch, "photos/two/2.jpg", &err);
    if (status == DPL_OK)
        status = policy_of(&policy);
    if (status == DPL_OK)
        status = dpl_query(&answers, &n, gallery, p, &policy, &photo, by, NULL, &err);
    if (status == DPL_OK) {
        const dpl_answer_hit *first = &answers[0].hits[0];

        assert_int_equal(n, 1);
        assert_true(answers[0].n_hits > 0);
        snprintf(answer, sizeof answer, "%s %.9g %zu %d %.9g",
                 first->person ? first->person : "nobody's", (double)first->hit.score,
                 answers[0].n_hits, (int)first->is_copy, (double)first->overlay.score);
    }
    dpl_answers_free(answers, n);
    dpl_photo_clear(&photo);
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status query(void)
{
    return query_by(pipeline, DPL_QUERY_FACE);
}

static dpl_status query_picture(void)
{
    return query_by(both, DPL_QUERY_IMAGE);
}

static dpl_status see(void *ctx, const dpl_damage *damage)
{
    (void)ctx;
    (void)damage;
    return DPL_OK;
}

static dpl_status check(void)
{
    dpl_check_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_READ);

    if (status == DPL_OK) {
        status = dpl_gallery_check(&report, gallery, see, NULL, &err);
        if (status == DPL_OK)
            snprintf(answer, sizeof answer, "%d of %d", (int)report.n_damaged,
                     (int)report.n_templates);
    }
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status repair(void)
{
    dpl_repair_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_WRITE);

    if (status == DPL_OK)
        status = dpl_gallery_repair(&report, gallery, pipeline, 0, NULL, NULL, &err);
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status migrate(void)
{
    dpl_migrate_options o = DPL_MIGRATE_OPTIONS_INIT;
    dpl_migrate_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_WRITE);

    o.n_threads = 1;
    o.before = pipeline;
    if (status == DPL_OK)
        status = dpl_migrate(&report, gallery, other, &o, &err);
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status scan_by(const dpl_pipeline *by)
{
    const char *const paths[] = {"photos"};
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    dpl_enroll_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_CREATE);

    o.n_threads = 1;
    o.nobodys = true;
    if (status == DPL_OK)
        status = dpl_enroll(&report, gallery, by, paths, 1, &o, &err);
    dpl_gallery_close(gallery);
    return status;
}

static dpl_status scan(void)
{
    return scan_by(pictures);
}

static void on_copies(void *ctx, const dpl_copy *copies, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(answer);

        snprintf(answer + used, sizeof answer - used, "%s %d; ", copies[i].path,
                 (int)copies[i].kind);
    }
}

/* Without a gallery, and with the vectors of one. */
static dpl_status copies(void)
{
    const char *const paths[] = {"photos", "copies"};
    dpl_copies_options o = DPL_COPIES_OPTIONS_INIT;
    dpl_copies_report report;
    dpl_gallery *gallery = NULL;
    char path[256];
    dpl_status status = DPL_OK;

    snprintf(path, sizeof path, "%s/gallery.db", dir);
    if (access(path, F_OK) == 0)
        status = opened(&gallery, DPL_GALLERY_READ);
    o.n_threads = 1;
    o.gallery = gallery;
    o.on_group = on_copies;
    if (status == DPL_OK)
        status = dpl_find_copies(&report, pictures, paths, 2, &o, &err);
    if (status == DPL_OK)
        snprintf(answer + strlen(answer), sizeof answer - strlen(answer), "%d %d",
                 (int)report.n_pairs, (int)report.n_known);
    dpl_gallery_close(gallery);
    return status;
}

/* What an attempt before has named is named. */
static dpl_status tell_xmp(dpl_status status, const dpl_xmp_report *r)
{
    if (status == DPL_OK)
        snprintf(answer, sizeof answer, "%d %d %d %d", (int)r->n_photos, (int)r->n_refused,
                 (int)(r->n_sidecars_new + r->n_sidecars_changed), (int)(r->n_same + r->n_named));
    return status;
}

/* The sidecars that either way of naming them gives. */
static const char *const sidecars[] = {"photos/one/1.xmp", "photos/two/2.xmp",
                                       "photos/one/1.png.xmp", "photos/two/2.jpg.xmp"};

static void drop_sidecars(void)
{
    for (size_t i = 0; i < sizeof sidecars / sizeof *sidecars; i++)
        remove(sidecars[i]);
}

static dpl_status write_xmp(void)
{
    dpl_xmp_options o = DPL_XMP_OPTIONS_INIT;
    dpl_xmp_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_READ);

    drop_sidecars();
    if (status == DPL_OK)
        status = dpl_xmp_write(&report, gallery, NULL, 0, NULL, 0, &o, &err);
    dpl_gallery_close(gallery);
    return tell_xmp(status, &report);
}

static dpl_status read_xmp(void)
{
    const char *const paths[] = {"photos"};
    dpl_xmp_options o = DPL_XMP_OPTIONS_INIT;
    dpl_xmp_report report;
    dpl_gallery *gallery;
    dpl_status status = opened(&gallery, DPL_GALLERY_WRITE);

    if (status == DPL_OK)
        status = dpl_xmp_read(&report, gallery, paths, 1, &o, &err);
    dpl_gallery_close(gallery);
    return tell_xmp(status, &report);
}

/* ------------------------------------------------------------------ a gallery's state */

/* Its export without times and ids, which an attempt that failed may have used up; "" for none. */
static char *state_of(void)
{
    static const char *const keys[] = {
        "\"enrolled_unix_s\":", "\"id\":", "\"template\":", "\"person\":", "\"photo\":"};
    char path[256], *text;
    dpl_gallery *gallery;

    snprintf(path, sizeof path, "%s/gallery.db", dir);
    if (access(path, F_OK) != 0)
        return strdup("");
    gallery = kit_open(dir, DPL_GALLERY_CREATE);
    text = kit_dump(gallery);
    dpl_gallery_close(gallery);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (char *at = strstr(text, keys[i]); at; at = strstr(at + 1, keys[i])) {
            char *digits = at + strlen(keys[i]);
            size_t n = strspn(digits, "0123456789");

            memmove(digits, digits + n, strlen(digits + n) + 1);
        }
    return text;
}

/* How many photos a state tells of. */
static int n_photos(const char *state)
{
    int n = 0;

    for (const char *at = strstr(state, "\"type\":\"photo\""); at;
         at = strstr(at + 1, "\"type\":\"photo\""))
        n++;
    return n;
}

static void make_enrolled(void)
{
    kit_expect(DPL_OK, enroll(), &err);
}

static void make_damaged(void)
{
    dpl_gallery *gallery;

    make_enrolled();
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), "UPDATE template SET sum = sum + 1", &err),
               &err);
    dpl_gallery_close(gallery);
}

static void make_nothing(void)
{
}

static void make_scanned(void)
{
    kit_expect(DPL_OK, scan(), &err);
}

static void make_pictures(void)
{
    kit_expect(DPL_OK, scan_by(both), &err);
}

/* Sidecars that name faces which the gallery gives to nobody. */
static void make_to_name(void)
{
    make_enrolled();
    kit_expect(DPL_OK, write_xmp(), &err);
    kit_drop(dir);
    dir = kit_folder();
    kit_expect(DPL_OK, scan_by(pipeline), &err);
}

/* ------------------------------------------------------------------ the test */

static const struct job {
    const char *name;
    dpl_status (*run)(void);
    void (*make)(void);
    bool writes;
} jobs[] = {{"open a pipeline", open_pipeline, make_nothing, false},
            {"enroll", enroll, make_nothing, true},
            {"enroll again", enroll, make_enrolled, true},
            {"verify", verify, make_nothing, false},
            {"claim", claim, make_enrolled, false},
            {"query", query, make_enrolled, false},
            {"query by picture", query_picture, make_pictures, false},
            {"check", check, make_damaged, false},
            {"repair", repair, make_damaged, true},
            {"migrate", migrate, make_enrolled, true},
            {"scan", scan, make_nothing, true},
            {"copies", copies, make_nothing, false},
            {"copies of a gallery", copies, make_scanned, false},
            {"write xmp", write_xmp, make_enrolled, false},
            {"read xmp", read_xmp, make_to_name, true}};

static void fresh(const struct job *job)
{
    if (dir)
        kit_drop(dir);
    dir = kit_folder();
    job->make();
}

static void without_memory_a_whole_job_is_done_or_says_so(void **state)
{
    long n_all = 0;

    (void)state;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        const struct job *job = &jobs[i];
        char *done, right[sizeof answer];
        long n_failures = 0;

        fresh(job);
        answer[0] = '\0';
        kit_expect(DPL_OK, job->run(), &err);
        memcpy(right, answer, sizeof right);
        done = job->writes ? state_of() : NULL;
        for (int on = 0; on < 2; on++) {
            bool hit = true;

            fresh(job);
            for (size_t n = 1; hit; n++) {
                dpl_status status;
                char *after;

                answer[0] = '\0';
                fail_on = on;
                fail_allocation(n);
                status = job->run();
                hit = n_allocations >= n;
                fail_at = 0;
                n_failures += status != DPL_OK;
                if (status != DPL_OK && status != DPL_E_MEMORY)
                    print_error("%s, allocation %zu:\n", job->name, n);
                if (status != DPL_OK)
                    kit_expect(DPL_E_MEMORY, status, &err);
                if (status == DPL_OK)
                    assert_string_equal(answer, right);
                if (!job->writes)
                    continue;
                after = job->run == repair ? NULL : state_of();
                if (status == DPL_OK && after && strcmp(after, done) != 0)
                    print_error("%s, allocation %zu: done, but\n%s\n", job->name, n, after);
                if (status == DPL_OK && after)
                    assert_string_equal(after, done);
                /* What could not be looked at is not in the ledger. */
                if (after && strstr(after, "E_INPUT"))
                    print_error("%s, allocation %zu\n", job->name, n);
                if (after) {
                    assert_null(strstr(after, "E_INPUT"));
                    assert_in_range(n_photos(after), 0, 2);
                }
                free(after);
                if (status == DPL_OK)
                    fresh(job);
            }
        }
        print_message("%s: %ld failures\n", job->name, n_failures);
        assert_true(n_failures > 5);
        n_all += n_failures;
        free(done);
    }
    print_message("%ld jobs without memory\n", n_all);
    kit_drop(dir);
    dir = NULL;
}

static int set_up(void **state)
{
    static const char *const files[][2] = {{PICTURES "t0_d16.png", "photos/one/1.png"},
                                           {PICTURES "grey.jpg", "photos/two/2.jpg"},
                                           {PICTURES "grey.jpg", "copies/3.jpg"},
                                           {PICTURES "progressive.jpg", "copies/4.jpg"}};
    dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;
    static const char facts[] = "{\"std\": \"200\"}";
    char root[] = "/dev/shm/doppel-jobs-XXXXXX", *model;
    size_t n_model;

    (void)state;
    if (mkdtemp(root))
        assert_int_equal(chdir(root), 0);
    mkdir("photos", 0700);
    mkdir("photos/one", 0700);
    mkdir("photos/two", 0700);
    mkdir("copies", 0700);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        char *bytes = kit_read(files[i][0], &n);

        kit_write(files[i][1], bytes, n);
        free(bytes);
    }
    o.encoder_path = ENCODER;
    kit_expect(DPL_OK, dpl_pipeline_open(&pipeline, &o, &err), &err);
    o.image_path = DPL_SOURCE_DIR "/tests/standins/image.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&both, &o, &err), &err);
    o.image_path = NULL;
    model = kit_read(ENCODER, &n_model);
    kit_write("other.onnx", model, n_model);
    free(model);
    kit_write("other.onnx.json", facts, sizeof facts - 1);
    o.encoder_path = "other.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&other, &o, &err), &err);
    o.encoder_path = DPL_SOURCE_DIR "/tests/standins/image.onnx";
    kit_expect(DPL_OK, dpl_pipeline_open(&pictures, &o, &err), &err);
    kit_expect(DPL_OK, dpl_scratch_new(&scratch, 0, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {
        "photos/one/1.png", "photos/two/2.jpg", "photos/one",   "photos/two",   "photos",
        "other.onnx",       "other.onnx.json",  "copies/3.jpg", "copies/4.jpg", "copies"};
    char *cwd = getcwd(NULL, 0);

    (void)state;
    dpl_scratch_free(scratch);
    dpl_pipeline_close(pipeline);
    dpl_pipeline_close(other);
    dpl_pipeline_close(both);
    dpl_pipeline_close(pictures);
    drop_sidecars();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(files[i]);
    if (cwd && strncmp(cwd, "/dev/shm/", 9) == 0 && chdir("/") == 0)
        rmdir(cwd);
    free(cwd);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_a_whole_job_is_done_or_says_so),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
