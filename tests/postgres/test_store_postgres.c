/*
 * test_store_postgres.c - what the keeper in PostgreSQL does that a folder does not: whose address
 * it is, who makes its tables, who may do what in them, where vectors stand, what readers are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doppel/audit.h"
#include "index/gallery.h"
#include "index/store_sql.h"
#include "tests/index/gallery_kit.h"
#include "tests/postgres/postgres_kit.h"

/* Nobody listens there. */
#define NOWHERE "127.0.0.1:1"

/* ------------------------------------------------------------------ addresses */

static void an_address_is_named_without_its_password(void **state)
{
    static const struct {
        const char *address, *name;
    } cases[] = {
        {"postgresql://ann:geheim@db.example/faces", "postgresql://ann@db.example/faces"},
        {"postgres://ann:ge%40heim@db.example:5433/faces?sslmode=verify-full",
         "postgresql://ann@db.example:5433/faces"},
        {"postgresql://ann@/faces?host=/run/postgresql&password=geheim",
         "postgresql://ann@/faces?host=/run/postgresql"},
        {"postgresql:///?service=faces", "postgresql:///?service=faces"},
        {"/a/folder", "/a/folder"},
    };
    dpl_error err;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *name = NULL;

        kit_expect(DPL_OK, dpli_store_name(&name, cases[i].address, &err), &err);
        assert_string_equal(name, cases[i].name);
        free(name);
    }
}

static void a_failure_to_open_says_no_password(void **state)
{
    static const struct {
        const char *address;
        dpl_status status;
        const char *says;
    } cases[] = {
        {"postgresql://ann:geheim@" NOWHERE "/faces", DPL_E_SYSTEM, "no connection to"},
        {"postgresql://ann:ge/heim@" NOWHERE "/faces", DPL_E_ARGUMENT, "%40"},
        {"postgresql://ann:ge@heim@" NOWHERE "/faces", DPL_E_ARGUMENT, "%40"},
        {"postgresql://ann:ge%zzheim@" NOWHERE "/faces", DPL_E_ARGUMENT,
         "not one that libpq reads"},
        {"postgresql://ann@" NOWHERE "/faces?password=geheim&nothing=1", DPL_E_ARGUMENT,
         "not one that libpq reads"},
        {"mysql://ann:geheim@host/faces", DPL_E_GALLERY, "keeps no gallery at \"mysql://\""},
    };
    dpl_gallery *gallery;
    dpl_error err;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(dpl_gallery_open(&gallery, cases[i].address, DPL_GALLERY_READ, &err),
                         cases[i].status);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_null(strstr(err.message, "heim"));
    }
}

/* ------------------------------------------------------------------ tables */

static void refuses(const char *address, dpl_gallery_mode mode, const char *says)
{
    dpl_gallery *gallery;
    dpl_error err;

    kit_expect(DPL_E_GALLERY, dpl_gallery_open(&gallery, address, mode, &err), &err);
    assert_null(gallery);
    if (!strstr(err.message, says))
        fail_msg("\"%s\" does not say \"%s\"", err.message, says);
}

static int64_t number(const char *address, const char *sql)
{
    char *text = postgres_kit_ask(address, sql);
    const int64_t n = strtoll(text, NULL, 10);

    free(text);
    return n;
}

/* The address of a database with nothing in it. */
static char *empty(void)
{
    char *dir = kit_folder();

    postgres_kit_run(dir, "SET client_min_messages = error; DROP SCHEMA public CASCADE;"
                          "CREATE SCHEMA public");
    return dir;
}

static void tables_are_made_by_migrate_and_by_nobody_else(void **state)
{
    static const char n_tables[] =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    char *dir = empty();
    dpl_gallery *gallery;
    (void)state;

    refuses(dir, DPL_GALLERY_READ, "\"doppel migrate\"");
    refuses(dir, DPL_GALLERY_WRITE, "\"doppel migrate\"");
    refuses(dir, DPL_GALLERY_CREATE, "\"doppel migrate\"");
    assert_int_equal(number(dir, n_tables), 0);
    gallery = kit_open(dir, DPL_GALLERY_MIGRATE);
    assert_non_null(strstr(dpl_gallery_notice(gallery), "tables have been made"));
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_MIGRATE);
    assert_string_equal(dpl_gallery_notice(gallery), "");
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

/* Run an INSERT that is sent and not waited for. */
static dpl_status add_named(dpli_db *db, int64_t id)
{
    dpli_stmt s = {0};
    dpl_error err;
    dpl_status status =
        dpli_stmt_new(&s, db, "INSERT INTO person(id, name, sum) VALUES(?1, ?2, 0)", &err);
    char name[32];

    snprintf(name, sizeof name, "%lld", (long long)id);
    kit_expect(DPL_OK, status, &err);
    dpli_bind_int(&s, 1, id);
    dpli_bind_bytes(&s, 2, name);
    status = dpli_stmt_run(&s, &err);
    dpli_stmt_clear(&s);
    return status;
}

static int64_t n_persons(dpli_db *db)
{
    int64_t n;
    dpl_error err;

    kit_expect(DPL_OK, dpli_db_int(&n, db, "SELECT count(*) FROM person", &err), &err);
    return n;
}

static void what_is_sent_and_fails_is_told_in_the_end_and_nothing_is_kept(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpli_db *db = kit_db(gallery);
    dpl_error err;
    int64_t n;

    (void)state;
    for (int way = 0; way < 4; way++) {
        kit_expect(DPL_OK, dpli_db_begin(db, true, &err), &err);
        for (int64_t id = 1; id <= 3; id++)
            kit_expect(DPL_OK, add_named(db, id), NULL);
        kit_expect(DPL_OK, add_named(db, 2), NULL);
        kit_expect(DPL_OK, add_named(db, 4), NULL);
        switch (way) {
        case 0: kit_expect(DPL_E_GALLERY, dpli_db_end(db, DPL_OK, &err), &err); break;
        case 1:
            kit_expect(DPL_E_GALLERY, dpli_db_int(&n, db, "SELECT count(*) FROM person", &err),
                       &err);
            kit_expect(DPL_E_GALLERY, dpli_db_end(db, DPL_E_GALLERY, NULL), NULL);
            break;
        /* Asked whether it could be done, and not to do it. */
        case 2: kit_expect(DPL_E_GALLERY, dpli_db_end(db, DPL_E_CANCELLED, &err), &err); break;
        default:
            assert_int_equal(dpli_db_changes(db), 0);
            kit_expect(DPL_E_GALLERY, dpli_db_end(db, DPL_OK, &err), &err);
            break;
        }
        assert_non_null(strstr(err.message, "person"));
        assert_int_equal(n_persons(db), 0);
    }
    /* More than are sent without an answer, and it is the last that fails. */
    for (int64_t last = 999; last <= 1000; last++) {
        kit_expect(DPL_OK, dpli_db_begin(db, true, &err), &err);
        for (int64_t id = 1; id < 1000; id++)
            kit_expect(DPL_OK, add_named(db, id), NULL);
        kit_expect(DPL_OK, add_named(db, last), NULL);
        kit_expect(last == 999 ? DPL_E_GALLERY : DPL_OK, dpli_db_end(db, DPL_OK, &err), &err);
        assert_int_equal(n_persons(db), last == 999 ? 0 : 1000);
    }
    kit_end(gallery, dir);
}

static void tables_of_another_version_are_told_by_what_to_do(void **state)
{
    char *dir = kit_folder(), *before;
    dpl_gallery *gallery = kit_new(dir);
    (void)state;

    kit_put_well(gallery, 2, "/a.jpg", "Ann", 2);
    before = kit_dump(gallery);
    dpl_gallery_close(gallery);
    postgres_kit_run(dir, "SET client_min_messages = error; DROP TABLE touched, touched_from; DROP "
                          "FUNCTION doppel_touched CASCADE;"
                          "ALTER TABLE undo DROP COLUMN sum; ALTER TABLE undo ADD COLUMN sum bigint"
                          " GENERATED ALWAYS AS (hashtextextended(change_id || ' ' || tbl || ' ' ||"
                          " op || ' ' || row || ' ' || coalesce(old, ''), 0)) STORED;"
                          "DELETE FROM doppel_version WHERE version > 1");
    refuses(dir, DPL_GALLERY_READ, "of version 1");
    refuses(dir, DPL_GALLERY_CREATE, "\"doppel migrate\"");
    gallery = kit_open(dir, DPL_GALLERY_MIGRATE);
    assert_non_null(strstr(dpl_gallery_notice(gallery), "was of version 1"));
    kit_is_still(gallery, before);
    kit_put_well(gallery, 4, "/b.jpg", "Bob", 2);
    kit_expect(DPL_OK, dpl_gallery_undo(gallery, NULL), NULL);
    dpl_gallery_close(gallery);
    postgres_kit_run(dir, "INSERT INTO doppel_version(version) VALUES(99)");
    refuses(dir, DPL_GALLERY_MIGRATE, "made by a later doppel");
    kit_drop(dir);
}

static void tables_of_somebody_elses_are_left_alone(void **state)
{
    char *dir = empty();
    (void)state;

    postgres_kit_run(dir, "CREATE TABLE invoices(id bigint)");
    refuses(dir, DPL_GALLERY_MIGRATE, "not a gallery's");
    assert_int_equal(number(dir, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 1);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ roles */

/* The address of another role; freed by free(). */
static char *as(const char *address, const char *role)
{
    const char *at = strchr(address, '@');
    char *other = NULL;

    assert_non_null(at);
    assert_true(asprintf(&other, "postgresql://%s%s", role, at) > 0);
    return other;
}

static void a_role_that_may_read_reads_and_changes_nothing(void **state)
{
    char *dir = kit_folder(), *reader;
    dpl_gallery *gallery = kit_new(dir);
    dpl_gallery_counts counts;
    dpl_error err;
    (void)state;

    kit_put_well(gallery, 2, "/a.jpg", "Ann", 2);
    dpl_gallery_close(gallery);
    postgres_kit_run(dir, "SET client_min_messages = error; DROP ROLE IF EXISTS kit_reader; CREATE "
                          "ROLE kit_reader LOGIN");
    reader = as(dir, "kit_reader");
    refuses(reader, DPL_GALLERY_READ, "kit_reader");
    postgres_kit_run(dir, "GRANT USAGE ON SCHEMA public TO kit_reader;"
                          "GRANT SELECT ON ALL TABLES IN SCHEMA public TO kit_reader");
    gallery = kit_open(reader, DPL_GALLERY_READ);
    kit_expect(DPL_OK, dpl_gallery_count(&counts, gallery, &err), &err);
    assert_int_equal(counts.n_photos, 1);
    assert_true(counts.db_bytes > 0);
    free(kit_dump(gallery));
    dpl_gallery_close(gallery);
    refuses(reader, DPL_GALLERY_WRITE, "may not change");
    free(reader);
    kit_drop(dir);
    /* kit_drop has dropped what it was granted, with the schema. */
    dir = empty();
    postgres_kit_run(dir, "DROP ROLE kit_reader");
    kit_drop(dir);
}

/* ------------------------------------------------------------------ vectors */

static int64_t first_template(dpl_gallery *gallery)
{
    int64_t id = 0;
    dpl_error err;

    kit_expect(DPL_OK,
               dpli_db_int(&id, kit_db(gallery), "SELECT min(template_id) FROM owner", &err), &err);
    return id;
}

static void a_vector_stands_in_the_part_of_whose_it_is(void **state)
{
    static const char misplaced[] =
        "SELECT count(*) FROM embedding v JOIN template t ON t.id = v.template_id JOIN model m ON"
        " m.id = t.model_id LEFT JOIN owner o ON o.template_id = t.id WHERE v.space <> m.space OR"
        " v.person_id <> coalesce(o.person_id, 0)";
    char *dir = kit_folder(), *before;
    dpl_gallery *gallery = kit_new(dir);
    dpl_error err;
    int64_t id;
    (void)state;

    for (uint64_t i = 0; i < 6; i++) {
        char path[32], person[32];

        snprintf(path, sizeof path, "/%d.jpg", (int)i);
        snprintf(person, sizeof person, "person %d", (int)i);
        kit_put_well(gallery, 2 + i, path, person, 3);
    }
    assert_int_equal(number(dir, misplaced), 0);
    assert_true(number(dir, "SELECT count(DISTINCT tableoid) FROM embedding WHERE space = 'face'") >
                1);
    before = kit_dump(gallery);
    id = first_template(gallery);
    kit_expect(DPL_OK, dpl_gallery_assign(gallery, id, "person 5", &err), &err);
    assert_int_equal(number(dir, misplaced), 0);
    assert_int_equal(number(dir, "SELECT count(*) FROM embedding"), 18);
    kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
    assert_int_equal(number(dir, misplaced), 0);
    kit_is_still(gallery, before);
    kit_end(gallery, dir);
}

/* Else vectors are fetched one by one when all are read; and a statistic of names, or of vectors,
   would be a place where they stay. */
static void what_a_forget_leaves_is_counted_by_its_numbers_alone(void **state)
{
    static const char counted[] =
        "SELECT coalesce(string_agg(tablename || '.' || attname, ' ' ORDER"
        " BY tablename, attname), '') FROM pg_stats WHERE schemaname ="
        " 'public' AND tablename NOT LIKE 'embedding%'";
    char *dir = kit_folder(), *columns;
    dpl_gallery *gallery = kit_new(dir);
    dpl_forget_report report;
    dpl_error err;

    (void)state;
    kit_put_well(gallery, 1, "/a.jpg", "ann", 3);
    kit_put_well(gallery, 2, "/b.jpg", "bob", 3);
    columns = postgres_kit_ask(dir, counted);
    assert_string_equal(columns, "");
    free(columns);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "bob", NULL, 0, 0, &err), &err);
    columns = postgres_kit_ask(dir, counted);
    assert_string_equal(columns,
                        "owner.person_id owner.template_id template.model_id template.photo_id");
    free(columns);
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ many */

static void whoever_comes_between_leaves_everyone_their_line_in_the_audit(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *a = kit_new(dir), *b;
    dpl_audit_report audit;
    dpl_error err;
    (void)state;

    b = kit_open(dir, DPL_GALLERY_WRITE);
    kit_expect(DPL_OK, dpl_gallery_begin_change(a, "a long one", &err), &err);
    kit_put_well(a, 2, "/a.jpg", "Ann", 2);
    kit_put_well(b, 4, "/b.jpg", "Bob", 2);
    kit_put_well(a, 6, "/c.jpg", "Ann", 2);
    dpl_gallery_end_change(a);
    kit_put_well(b, 8, "/d.jpg", "Bob", 2);
    kit_expect(DPL_OK, dpl_gallery_audit(&audit, b, NULL, NULL, &err), &err);
    assert_int_equal(audit.broken_at, 0);
    assert_false(audit.n_waiting);
    /* Of the long one what came before another's change and what came after. */
    assert_int_equal(audit.n_lines, 4);
    dpl_gallery_close(a);
    kit_end(b, dir);
}

static void a_change_that_fails_takes_no_other_clients_place(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *a = kit_new(dir), *b;
    dpl_audit_report audit;
    dpl_error err;
    (void)state;

    b = kit_open(dir, DPL_GALLERY_WRITE);
    kit_put_well(b, 4, "/b.jpg", "Bob", 2);
    kit_expect(DPL_OK, dpl_gallery_begin_change(a, "it fails", &err), &err);
    /* Its number goes back with it, and is another's next. */
    assert_int_not_equal(dpl_gallery_rename(a, "nobody", "x", &err), DPL_OK);
    kit_put_well(b, 6, "/c.jpg", "Cy", 2);
    kit_put_well(a, 8, "/d.jpg", "Dee", 2);
    dpl_gallery_end_change(a);
    kit_expect(DPL_OK, dpl_gallery_undo(a, &err), &err);
    assert_int_equal(number(dir, "SELECT count(*) FROM photo"), 2);
    kit_expect(DPL_OK, dpl_gallery_audit(&audit, b, NULL, NULL, &err), &err);
    assert_int_equal(audit.broken_at, 0);
    assert_int_equal(audit.n_lines, 4);
    dpl_gallery_close(a);
    kit_end(b, dir);
}

static void who_waits_is_told_of_a_change(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir), *reader;
    bool changed = false;
    dpl_error err;
    (void)state;

    reader = kit_open(dir, DPL_GALLERY_READ);
    kit_expect(DPL_OK, dpl_gallery_wait(&changed, reader, 0, &err), &err);
    assert_true(changed);
    kit_expect(DPL_OK, dpl_gallery_wait(&changed, reader, 0, &err), &err);
    assert_false(changed);
    kit_put_well(gallery, 2, "/a.jpg", "Ann", 2);
    kit_expect(DPL_OK, dpl_gallery_wait(&changed, reader, 5000, &err), &err);
    assert_true(changed);
    dpl_gallery_close(reader);
    kit_end(gallery, dir);
}

static dpl_status count_ids(void *ctx, int64_t id, dpl_error *err)
{
    (void)id;
    (void)err;
    ++*(int *)ctx;
    return DPL_OK;
}

static int n_touched(dpl_gallery *gallery, int64_t since, bool *is_all)
{
    dpli_store *s = gallery->store;
    dpl_error err;
    int n = 0;

    kit_expect(DPL_OK, s->ops->each_touched(s, is_all, since, count_ids, &n, &err), &err);
    return n;
}

static void what_a_generation_has_touched_is_known_for_a_while(void **state)
{
    char *dir = kit_folder(), identity[DPLI_IDENTITY];
    dpl_gallery *gallery = kit_new(dir);
    dpli_store *s = gallery->store;
    int64_t before, id;
    bool is_all;
    dpl_error err;
    (void)state;

    kit_put_well(gallery, 2, "/a.jpg", "Ann", 2);
    kit_expect(DPL_OK, s->ops->generation(s, &before, identity, &err), &err);
    assert_int_equal(n_touched(gallery, before, &is_all), 0);
    kit_put_well(gallery, 4, "/b.jpg", "Bob", 2);
    assert_int_equal(n_touched(gallery, before, &is_all), 2);
    id = first_template(gallery);
    kit_expect(DPL_OK, dpl_gallery_assign(gallery, id, "Bob", &err), &err);
    /* The face, and with it the whole of its photo. */
    assert_int_equal(n_touched(gallery, before, &is_all), 4);
    assert_true(is_all);
    postgres_kit_run(dir, "UPDATE touched_from SET generation = 1000");
    n_touched(gallery, before, &is_all);
    assert_false(is_all);
    kit_end(gallery, dir);
}

/* Whoever was connected has told what they read. */
static void wait_until_alone(const char *dir)
{
    while (number(dir, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                       " AND pid <> pg_backend_pid() AND backend_type = 'client backend'") > 0)
        usleep(10000);
}

/* A gallery that was just filled has a log of which all but little is removed, and still there:
   until it is vacuumed, whoever reads all of it reads as much as was ever put. */
static void a_photo_is_put_without_reading_what_the_log_has_been(void **state)
{
    static const char scans[] = "SELECT coalesce(seq_scan, 0) FROM pg_stat_user_tables"
                                " WHERE relname = 'undo'";
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    int64_t before, rows;
    dpl_error err;
    (void)state;

    kit_put_well(gallery, 2, "/a.jpg", "Ann", 2);
    dpl_gallery_close(gallery);
    postgres_kit_run(dir, "ALTER TABLE undo SET (autovacuum_enabled = off);"
                          "INSERT INTO undo(change_id, tbl, op, row, sum) SELECT 0, n % 6, 1, n, 0"
                          " FROM generate_series(1, 20000) AS n;"
                          "DELETE FROM undo WHERE change_id = 0");
    wait_until_alone(dir);
    before = number(dir, scans);
    rows = number(dir, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'undo'");
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    kit_put_well(gallery, 4, "/b.jpg", "Bob", 2);
    kit_put_well(gallery, 6, "/c.jpg", "Cid", 2);
    kit_expect(DPL_OK, dpl_gallery_assign(gallery, first_template(gallery), "Bob", &err), &err);
    dpl_gallery_close(gallery);
    wait_until_alone(dir);
    assert_true(number(dir, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'undo'") >
                rows);
    assert_int_equal(number(dir, scans), before);
    kit_drop(dir);
}

int main(void)
{
    const struct CMUnitTest anywhere[] = {
        cmocka_unit_test(an_address_is_named_without_its_password),
        cmocka_unit_test(a_failure_to_open_says_no_password),
    };
    const struct CMUnitTest in_a_server[] = {
        cmocka_unit_test(tables_are_made_by_migrate_and_by_nobody_else),
        cmocka_unit_test(what_is_sent_and_fails_is_told_in_the_end_and_nothing_is_kept),
        cmocka_unit_test(tables_of_another_version_are_told_by_what_to_do),
        cmocka_unit_test(tables_of_somebody_elses_are_left_alone),
        cmocka_unit_test(a_role_that_may_read_reads_and_changes_nothing),
        cmocka_unit_test(a_vector_stands_in_the_part_of_whose_it_is),
        cmocka_unit_test(what_a_forget_leaves_is_counted_by_its_numbers_alone),
        cmocka_unit_test(whoever_comes_between_leaves_everyone_their_line_in_the_audit),
        cmocka_unit_test(a_change_that_fails_takes_no_other_clients_place),
        cmocka_unit_test(who_waits_is_told_of_a_change),
        cmocka_unit_test(what_a_generation_has_touched_is_known_for_a_while),
        cmocka_unit_test(a_photo_is_put_without_reading_what_the_log_has_been),
    };

    return kit_is_database() ? cmocka_run_group_tests(in_a_server, NULL, NULL)
                             : cmocka_run_group_tests(anywhere, NULL, NULL);
}
