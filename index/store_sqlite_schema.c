/*
 * store_sqlite_schema.c - the tables of gallery.db: made, recognised, and brought from an older
 * version to this one.
 *
 * A hostile or damaged file is told from a gallery here: the tables have to be exactly these.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/name.h"
#include "index/source.h"
#include "index/store_sqlite.h"

/* "dplg", in the place where file(1) and SQLite look for whose file it is. */
enum { APPLICATION_ID = 0x64706c67, VERSION = 6 };

/* Up to this size all of the file is checked whenever it is opened (about 10 ms); beyond it what a
   check would find is found when it is read. */
static const int64_t check_up_to_bytes = 4 << 20;

#define FACE_COLUMN(column, member) #column " REAL NOT NULL,"

/* docs/gallery.md says what each column holds. Names and reasons are bytes, hence blobs;
   AUTOINCREMENT so that a removed id never comes back; faces and thumbnails apart, so that reading
   all vectors does not read them. SQLite keeps these texts, and a gallery's must be these. */
#define GALLERY                                                                                    \
    "CREATE TABLE gallery(one INTEGER PRIMARY KEY CHECK(one = 1), identity TEXT NOT NULL,"         \
    " generation INTEGER NOT NULL, scrub INTEGER NOT NULL) STRICT"
#define SETTING                                                                                    \
    "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
#define MODEL                                                                                      \
    "CREATE TABLE model(id INTEGER PRIMARY KEY, space TEXT NOT NULL, hash TEXT NOT NULL,"          \
    " dim INTEGER NOT NULL, UNIQUE(space, hash)) STRICT"
/* The sum over what carries none in its row: gallery, setting, model, the highest ids. */
#define SEAL                                                                                       \
    "CREATE TABLE seal(one INTEGER PRIMARY KEY CHECK(one = 1), sum INTEGER NOT NULL) STRICT"
#define PHOTO_PERSON   "CREATE INDEX photo_person ON photo(person_id)"
#define PHOTO_SHA256   "CREATE INDEX photo_sha256 ON photo(sha256)"
#define TEMPLATE_PHOTO "CREATE INDEX template_photo ON template(photo_id, model_id)"

#define UNDO_COLUMN_6(a, b, c, d, e, f)                                                            \
#a " ANY, " #b " ANY, " #c " ANY, " #d " ANY, " #e " ANY, " #f " ANY, "
#define UNDO_COLUMNS                                                                               \
    UNDO_COLUMN_6(c1, c2, c3, c4, c5, c6)                                                          \
    UNDO_COLUMN_6(c7, c8, c9, c10, c11, c12)                                                       \
    UNDO_COLUMN_6(c13, c14, c15, c16, c17, c18)                                                    \
    UNDO_COLUMN_6(c19, c20, c21, c22, c23, c24)                                                    \
    "c25 ANY, c26 ANY, "
_Static_assert(DPLI_SQLITE_UNDO_COLUMNS == 26, "undo has these columns");

/* All but the first three are made anew from version 1, the later ones from versions 2 to 5. */
static const char *const schema[] = {
    GALLERY,
    SETTING,
    MODEL,
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE photo(id INTEGER PRIMARY KEY AUTOINCREMENT, uri TEXT NOT NULL UNIQUE,"
    " person_id INTEGER REFERENCES person(id), meant BLOB, sha256 TEXT NOT NULL,"
    " status INTEGER NOT NULL, reason BLOB NOT NULL, options BLOB NOT NULL,"
    " size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, enrolled_unix_s INTEGER NOT NULL,"
    " width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, n_faces INTEGER NOT NULL,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE template(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " photo_id INTEGER NOT NULL REFERENCES photo(id) ON DELETE CASCADE,"
    " model_id INTEGER NOT NULL REFERENCES model(id), vector BLOB NOT NULL,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE face(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE"
    " CASCADE," DPLI_FACE_LIST(FACE_COLUMN) " weakest TEXT NOT NULL, sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE thumb(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE CASCADE,"
    " jpeg BLOB NOT NULL, sum INTEGER NOT NULL) STRICT",
    SEAL,
    PHOTO_PERSON,
    PHOTO_SHA256,
    TEMPLATE_PHOTO,
    /* Since version 3. What changes often, and what few rows have, is apart from photos and
       templates, whose rows are long. */
    "CREATE TABLE owner(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE CASCADE,"
    " person_id INTEGER NOT NULL REFERENCES person(id), by_hand INTEGER NOT NULL,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE file(photo_id INTEGER PRIMARY KEY REFERENCES photo(id) ON DELETE CASCADE,"
    " file_system INTEGER NOT NULL, unreadable_since_unix_s INTEGER NOT NULL,"
    " unreadable_status INTEGER NOT NULL, unreadable_reason BLOB NOT NULL,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE alias(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE,"
    " person_id INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE refusal(id INTEGER PRIMARY KEY,"
    " template_id INTEGER NOT NULL REFERENCES template(id) ON DELETE CASCADE,"
    " person_id INTEGER REFERENCES person(id) ON DELETE CASCADE,"
    " other_id INTEGER REFERENCES template(id) ON DELETE CASCADE, sum INTEGER NOT NULL,"
    " CHECK((person_id IS NULL) <> (other_id IS NULL))) STRICT",
    "CREATE TABLE member(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE CASCADE,"
    " group_number INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE change(one INTEGER PRIMARY KEY CHECK(one = 1), id INTEGER NOT NULL,"
    " made_unix_s INTEGER NOT NULL, is_final INTEGER NOT NULL, words BLOB NOT NULL,"
    " sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE undo(seq INTEGER PRIMARY KEY, change_id INTEGER NOT NULL, tbl INTEGER NOT NULL,"
    " op INTEGER NOT NULL, row INTEGER NOT NULL, " UNDO_COLUMNS "sum INTEGER NOT NULL) STRICT",
    "CREATE INDEX owner_person ON owner(person_id)",
    "CREATE INDEX alias_person ON alias(person_id)",
    "CREATE INDEX refusal_template ON refusal(template_id)",
    "CREATE INDEX refusal_person ON refusal(person_id)",
    "CREATE INDEX refusal_other ON refusal(other_id)",
    "CREATE INDEX member_group ON member(group_number)",
    /* Since version 4. */
    "CREATE TABLE caption(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE "
    "CASCADE,"
    " source TEXT NOT NULL, words BLOB NOT NULL, sum INTEGER NOT NULL) STRICT",
    /* Since version 5. */
    "CREATE TABLE audit(one INTEGER PRIMARY KEY CHECK(one = 1), change INTEGER NOT NULL,"
    " log_id INTEGER NOT NULL, made_unix_s INTEGER NOT NULL, who BLOB NOT NULL,"
    " what TEXT NOT NULL, facts TEXT NOT NULL, last_n INTEGER NOT NULL, last_hash TEXT NOT NULL,"
    " sum INTEGER NOT NULL) STRICT",
    /* Since version 6. */
    "CREATE TABLE touched(generation INTEGER PRIMARY KEY, since INTEGER NOT NULL,"
    " ids BLOB NOT NULL, sum INTEGER NOT NULL) STRICT",
};
enum { N_SCHEMA_2 = 12, N_SCHEMA_3 = 25, N_SCHEMA_4 = 26, N_SCHEMA_5 = 27 };
enum { N_KEPT = 3, N_SCHEMA = sizeof schema / sizeof *schema };

static const char *const schema_1[] = {
    GALLERY,
    SETTING,
    MODEL,
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE) STRICT",
    "CREATE TABLE photo(id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE,"
    " person_id INTEGER REFERENCES person(id), sha256 TEXT NOT NULL, status INTEGER NOT NULL,"
    " reason BLOB NOT NULL, options BLOB NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER "
    "NOT NULL,"
    " enrolled_unix_s INTEGER NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL,"
    " n_faces INTEGER NOT NULL) STRICT",
    "CREATE TABLE template(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " photo_id INTEGER NOT NULL REFERENCES photo(id) ON DELETE CASCADE,"
    " model_id INTEGER NOT NULL REFERENCES model(id)," DPLI_FACE_LIST(
        FACE_COLUMN) " weakest TEXT NOT NULL, vector BLOB NOT NULL) STRICT",
    /* In parentheses, or clang takes the comma within for one that is missing. */
    ("CREATE TABLE thumb(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE CASCADE,"
     " jpeg BLOB NOT NULL) STRICT"),
    PHOTO_PERSON,
    PHOTO_SHA256,
    TEMPLATE_PHOTO,
};
enum { N_SCHEMA_1 = sizeof schema_1 / sizeof *schema_1 };

/* ------------------------------------------------------------------ the seal */

static dpl_status seal_of(int64_t *sum, dpli_db *db, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, db,
                      "SELECT 0, identity, generation, scrub FROM gallery"
                      " UNION ALL SELECT 1, key, value, '' FROM setting"
                      " UNION ALL SELECT 2, space || ' ' || hash, dim, id FROM model"
                      " UNION ALL SELECT 3, name, seq, '' FROM sqlite_sequence"
                      " WHERE name IN ('person', 'photo', 'template') ORDER BY 1, 2, 3, 4",
                      err);
    uint64_t n = 0;

    while (dpli_stmt_next(&status, &s, err))
        for (int i = 0; i < 4; i++) {
            const char *text = dpli_get_string(&s, i);

            n = dpli_sum64(n, text, strlen(text) + 1);
        }
    if (status == DPL_OK)
        status = dpli_stmt_check(&s, err);
    dpli_stmt_clear(&s);
    *sum = (int64_t)n;
    return status;
}

dpl_status dpli_sqlite_seal(dpli_store_sqlite *store, dpl_error *err)
{
    dpli_stmt s = {0};
    int64_t sum;
    dpl_status status = seal_of(&sum, store->sql.db, err);

    if (status == DPL_OK)
        status = dpli_stmt_new(&s, store->sql.db,
                               "INSERT INTO seal VALUES(1, ?1)"
                               " ON CONFLICT(one) DO UPDATE SET sum = ?1 WHERE sum <> ?1",
                               err);
    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, sum);
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* Within a transaction. */
static dpl_status check_seal(dpli_store_sqlite *s, dpl_error *err)
{
    int64_t said = 0, sum = 0;
    dpl_status status = dpli_db_int(&said, s->sql.db, "SELECT sum FROM seal", err);

    if (status == DPL_OK)
        status = seal_of(&sum, s->sql.db, err);
    if (status == DPL_OK && said != sum)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" is damaged: its settings, models or counters are not what was "
                           "written",
                           s->sql.store.name);
    return status;
}

dpl_status dpli_sqlite_faults(dpli_store *store, dpli_on_fault *fn, void *ctx, dpl_error *err)
{
    dpli_store_sqlite *s = dpli_sqlite_of(store);
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_db_faults(s->sql.db, fn, ctx, err);

    if (status != DPL_OK)
        return status;
    status = check_seal(s, &why);
    if (status == DPL_E_GALLERY)
        status = fn(ctx, "settings, models or counters are not what was written", err);
    else if (status != DPL_OK)
        dpli_fail(err, status, "%s", why.message);
    return status == DPL_OK ? dpli_sqlite_log_faults(s, fn, ctx, err) : status;
}

/* ------------------------------------------------------------------ make */

static dpl_status set_version(dpli_db *db, dpl_error *err)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", VERSION);
    return dpli_db_exec(db, sql, err);
}

static dpl_status make_tables(dpli_store_sqlite *s, dpl_error *err)
{
    dpli_db *db = s->sql.db;
    dpl_status status;
    char sql[64];

    status = dpli_db_begin(db, 1, err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < N_SCHEMA; i++) {
        status = dpli_db_exec(db, schema[i], err);
        if (status != DPL_OK)
            goto done;
    }
    status = dpli_sql_new_identity(&s->sql.store, err);
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d;", APPLICATION_ID);
    if (status == DPL_OK)
        status = dpli_db_exec(db, sql, err);
    if (status == DPL_OK)
        status = set_version(db, err);
    if (status == DPL_OK)
        status = dpli_sqlite_seal(s, err);
done:
    return dpli_db_end(db, status, err);
}

/* ------------------------------------------------------------------ recognise */

static dpl_status check_tables(dpli_store_sqlite *store, const char *const *texts, size_t n_texts,
                               dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int64_t n = 0;
    bool row;

    status = dpli_stmt_new(&s, store->sql.db, "SELECT 1 FROM sqlite_schema WHERE sql = ?", err);
    for (size_t i = 0; i < n_texts && status == DPL_OK; i++) {
        dpli_bind_text(&s, 1, texts[i]);
        status = dpli_stmt_step(&s, &row, err);
        if (status == DPL_OK && !row)
            status =
                dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its tables are not a gallery's",
                          store->sql.store.name);
        dpli_stmt_reset(&s);
    }
    dpli_stmt_clear(&s);
    if (status == DPL_OK)
        status = dpli_db_int(&n, store->sql.db,
                             "SELECT length(identity) = 32 AND identity NOT GLOB '*[^0-9a-f]*'"
                             " FROM gallery",
                             err);
    if (status == DPL_OK && n != 1)
        status = dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: it has no identity",
                           store->sql.store.name);
    return status;
}

/* ------------------------------------------------------------------ from version 1 */

/* Version 1 knew a photo by its path, kept a face's numbers with its vector (and zeros with a whole
   picture's), and had no sums. Its reasons named people. */

static dpl_status copy_persons(dpli_store_sqlite *to, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, to->sql.db, "SELECT id, name FROM person_1 ORDER BY id", err);
    bool row = true;

    while (status == DPL_OK) {
        status = dpli_stmt_step(&s, &row, err);
        if (status != DPL_OK || !row)
            break;
        int64_t id = dpli_get_int(&s, 0);
        const char *name = dpli_get_string(&s, 1);

        status = dpli_stmt_check(&s, err);
        if (status == DPL_OK)
            status = dpli_sql_add_person(&to->sql.store, &id, name, dpli_person_sum(name), err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* What stands between two quotes, and the name in it taken out: the reason as it is worded now. */
static dpl_status take_name_out(char **reason, char **name, dpl_error *err)
{
    static const struct {
        const char *before, *after, *now, *end;
        bool is_theirs;
    } worded[] = {
        {"which one is \"", "\" is not clear", "which one is meant is not clear", NULL, true},
        {"the same photo is enrolled as \"", "\" (", "the same photo is enrolled as somebody else",
         "", false},
    };

    for (size_t i = 0; i < sizeof worded / sizeof worded[0]; i++) {
        char *start = strstr(*reason, worded[i].before), *from, *to, *text;

        from = start ? start + strlen(worded[i].before) : NULL;
        to = from ? strstr(from, worded[i].after) : NULL;
        if (!to)
            continue;
        *to = '\0';
        if (worded[i].is_theirs && *from) {
            *name = dpli_strdup(from, err);
            if (!*name)
                return DPL_E_MEMORY;
        }
        *start = '\0';
        text = dpli_asprintf(err, "%s%s%s", *reason, worded[i].now,
                             worded[i].end ? worded[i].end : to + strlen(worded[i].after));
        if (!text)
            return DPL_E_MEMORY;
        free(*reason);
        *reason = text;
    }
    return DPL_OK;
}

static dpl_status copy_photo(dpli_store_sqlite *to, dpli_stmt *s, dpl_error *err)
{
    char *uri = NULL, *reason = dpli_strdup(dpli_get_string(s, 4), err), *meant = NULL;
    dpli_photo_record r = {
        .id = dpli_get_int(s, 0),
        .person_id = dpli_get_int(s, 1),
        .sha256 = dpli_get_string(s, 2),
        .status = dpli_get_int(s, 3),
        .options = dpli_get_string(s, 5),
        .size_bytes = dpli_get_int(s, 6),
        .mtime_ns = dpli_get_int(s, 7),
        .enrolled_unix_s = dpli_get_int(s, 8),
        .width_px = dpli_get_int(s, 9),
        .height_px = dpli_get_int(s, 10),
        .n_faces = dpli_get_int(s, 11),
    };
    const char *path = dpli_get_string(s, 12);
    dpl_status status = reason ? dpli_stmt_check(s, err) : DPL_E_MEMORY;
    int64_t id = r.id;

    if (status != DPL_OK)
        goto done;
    status = take_name_out(&reason, &meant, err);
    if (status != DPL_OK)
        goto done;
    status = dpli_source_of(&uri, path, err);
    if (status == DPL_E_ARGUMENT)
        status = dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: photo %" PRId64 " has no path",
                           to->sql.store.name, r.id);
    if (status != DPL_OK)
        goto done;
    r.uri = uri;
    r.reason = reason;
    r.meant = r.person_id ? NULL : meant;
    r.sum = dpli_photo_sum(&r);
    status = dpli_sql_add_photo(&to->sql.store, &id, &r, err);
done:
    free(uri);
    free(reason);
    free(meant);
    return status;
}

static dpl_status copy_photos(dpli_store_sqlite *to, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, to->sql.db,
                      "SELECT id, person_id, sha256, status, reason, options, size_bytes, mtime_ns,"
                      " enrolled_unix_s, width_px, height_px, n_faces, path FROM photo_1"
                      " ORDER BY id",
                      err);

    while (dpli_stmt_next(&status, &s, err))
        status = copy_photo(to, &s, err);
    dpli_stmt_clear(&s);
    return status;
}

#define FACE_NAME(column, member) #column ","

static dpl_status copy_template(dpli_store_sqlite *to, dpli_stmt *s, dpl_error *err)
{
    const int after = DPLI_N_FACE;
    double face[DPLI_N_FACE];
    dpli_vector_record v = {
        .id = dpli_get_int(s, after + 1),
        .photo_id = dpli_get_int(s, after + 2),
        .model_id = dpli_get_int(s, after + 3),
    };
    const char *weakest = dpli_get_string(s, after);
    bool has_face = *weakest != '\0';
    int64_t id = v.id;
    const void *thumb;
    size_t n_thumb;
    dpl_status status;

    for (int i = 0; i < DPLI_N_FACE; i++) {
        face[i] = dpli_get_real(s, i);
        has_face |= face[i] != 0;
    }
    v.bytes = dpli_get_blob(s, after + 4, &v.n_bytes);
    thumb = dpli_get_blob(s, after + 5, &n_thumb);
    status = dpli_stmt_check(s, err);
    if (status != DPL_OK)
        return status;
    v.sum = dpli_vector_sum(&v);
    status = dpli_sql_add_vector(&to->sql.store, &id, &v, err);
    if (status == DPL_OK && has_face)
        status = dpli_sql_add_face(&to->sql.store, id, face, weakest,
                                   dpli_face_sum(id, face, weakest), err);
    if (status != DPL_OK)
        return status;
    return thumb ? dpli_sql_add_thumb(&to->sql.store, id, thumb, n_thumb,
                                      dpli_thumb_sum(id, thumb, n_thumb), err)
                 : DPL_OK;
}

static dpl_status copy_templates(dpli_store_sqlite *to, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, to->sql.db,
        "SELECT " DPLI_FACE_LIST(
            FACE_NAME) "weakest, id, photo_id, model_id, vector,"
                       " jpeg FROM template_1 LEFT JOIN thumb_1 ON template_id = id ORDER BY id",
        err);

    while (dpli_stmt_next(&status, &s, err))
        status = copy_template(to, &s, err);
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ from version 2 */

/* Until version 3 every template of a photo was the photo's person's. */
static dpl_status make_owners(dpli_store_sqlite *to, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, to->sql.db,
                                      "SELECT t.id, p.person_id FROM template t"
                                      " JOIN photo p ON p.id = t.photo_id"
                                      " WHERE p.person_id IS NOT NULL ORDER BY t.id",
                                      err);

    while (dpli_stmt_next(&status, &s, err)) {
        dpli_owner_record r = {.template_id = dpli_get_int(&s, 0),
                               .person_id = dpli_get_int(&s, 1)};

        r.sum = dpli_owner_sum(&r);
        status = dpli_sql_set_owner(&to->sql.store, &r, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* A name that was written in another form than the composed one is found by that, too, unless
   somebody is called so. */
static dpl_status make_aliases(dpli_store_sqlite *to, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, to->sql.db, "SELECT id, name FROM person ORDER BY id", err);

    while (dpli_stmt_next(&status, &s, err)) {
        dpli_alias_record r = {.person_id = dpli_get_int(&s, 0)};
        const char *name = dpli_get_string(&s, 1);
        char *composed = dpli_name_composed(name, err);
        int64_t taken = 0, meant = 0;

        status = composed ? DPL_OK : DPL_E_MEMORY;
        if (status == DPL_OK && strcmp(composed, name) != 0) {
            status = dpli_sql_find_person(&to->sql.store, &taken, composed, err);
            if (status == DPL_OK)
                status = dpli_sql_find_alias(&to->sql.store, &meant, composed, err);
            r.name = composed;
            r.sum = dpli_alias_sum(&r);
            if (status == DPL_OK && !taken && !meant)
                status = dpli_sql_set_alias(&to->sql.store, &r, err);
        }
        free(composed);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* How many of the tables a version that is not the first had. */
static size_t n_tables_of(int64_t version)
{
    return version == 2   ? N_SCHEMA_2
           : version == 3 ? N_SCHEMA_3
           : version == 4 ? N_SCHEMA_4
           : version == 5 ? N_SCHEMA_5
                          : N_SCHEMA;
}

/* From version 2 or later. One transaction: a kill leaves that. */
static dpl_status migrate_later(dpli_store_sqlite *s, int64_t version, dpl_error *err)
{
    dpl_status status = dpli_db_begin(s->sql.db, 1, err);

    if (status != DPL_OK)
        return status;
    for (size_t i = n_tables_of(version); i < N_SCHEMA && status == DPL_OK; i++)
        status = dpli_db_exec(s->sql.db, schema[i], err);
    if (status == DPL_OK && version == 2)
        status = make_owners(s, err);
    if (status == DPL_OK && version == 2)
        status = make_aliases(s, err);
    dpli_sql_clear_kept(&s->sql);
    if (status == DPL_OK)
        status = set_version(s->sql.db, err);
    if (status == DPL_OK)
        status = dpli_sqlite_seal(s, err);
    status = dpli_db_end(s->sql.db, status, err);
    if (status == DPL_OK)
        s->sql.store.was_version = version;
    return status;
}

/* One transaction: a kill leaves version 1. */
static dpl_status migrate_1(dpli_store_sqlite *s, dpl_error *err)
{
    static const char aside[] = "DROP INDEX photo_person; DROP INDEX photo_sha256;"
                                "DROP INDEX template_photo;"
                                "ALTER TABLE thumb RENAME TO thumb_1;"
                                "ALTER TABLE template RENAME TO template_1;"
                                "ALTER TABLE photo RENAME TO photo_1;"
                                "ALTER TABLE person RENAME TO person_1;";
    /* Ids that were removed stay so. Children before parents. */
    static const char away[] =
        "INSERT INTO sqlite_sequence(name, seq) SELECT name, 0 FROM"
        " (SELECT 'person' AS name UNION SELECT 'photo' UNION SELECT 'template')"
        " WHERE name NOT IN (SELECT name FROM sqlite_sequence);"
        "UPDATE sqlite_sequence AS n SET seq = max(seq, (SELECT seq FROM sqlite_sequence AS o"
        " WHERE o.name = n.name || '_1')) WHERE name || '_1' IN (SELECT name FROM sqlite_sequence);"
        "DROP TABLE thumb_1; DROP TABLE template_1; DROP TABLE photo_1; DROP TABLE person_1;";
    dpl_status status = dpli_db_begin(s->sql.db, 1, err);

    if (status != DPL_OK)
        return status;
    status = dpli_db_exec(s->sql.db, aside, err);
    for (size_t i = N_KEPT; i < N_SCHEMA && status == DPL_OK; i++)
        status = dpli_db_exec(s->sql.db, schema[i], err);
    if (status == DPL_OK)
        status = copy_persons(s, err);
    if (status == DPL_OK)
        status = copy_photos(s, err);
    if (status == DPL_OK)
        status = copy_templates(s, err);
    if (status == DPL_OK)
        status = make_owners(s, err);
    if (status == DPL_OK)
        status = make_aliases(s, err);
    dpli_sql_clear_kept(&s->sql);
    if (status == DPL_OK)
        status = dpli_db_exec(s->sql.db, away, err);
    if (status == DPL_OK)
        status = set_version(s->sql.db, err);
    if (status == DPL_OK)
        status = dpli_sqlite_seal(s, err);
    status = dpli_db_end(s->sql.db, status, err);
    if (status != DPL_OK)
        return status;
    s->sql.store.was_version = 1;
    /* The old tables' pages leave the file. If that fails, it stays twice as large, and right. */
    dpli_db_exec(s->sql.db, "VACUUM", NULL);
    return DPL_OK;
}

/* ------------------------------------------------------------------ check */

dpl_status dpli_sqlite_check(dpli_store_sqlite *s, bool may_make, int64_t n_bytes, dpl_error *err)
{
    int64_t application_id, version, n_objects, utf8;
    const char *name = s->sql.store.name;
    dpli_db *db = s->sql.db;
    dpl_status status;

    status = dpli_db_int(&application_id, db, "PRAGMA application_id", err);
    if (status == DPL_OK)
        status = dpli_db_int(&version, db, "PRAGMA user_version", err);
    if (status == DPL_OK)
        status = dpli_db_int(&n_objects, db, "SELECT count(*) FROM sqlite_schema", err);
    if (status != DPL_OK)
        return status;
    if (application_id == 0 && version == 0 && n_objects == 0) {
        if (!may_make)
            return dpli_fail(err, DPL_E_GALLERY, DPLI_NO_GALLERY, s->dir);
        status = make_tables(s, err);
        if (status != DPL_OK)
            return status;
        s->sql.store.made = true;
        application_id = APPLICATION_ID;
        version = VERSION;
    }
    if (application_id != APPLICATION_ID)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is a database, but not a gallery", name);
    if (version > VERSION || version < 1)
        return dpli_fail(err, DPL_E_GALLERY,
                         version > VERSION
                             ? "\"%s\" is of version %" PRId64
                               ", made by a later doppel than this one, which knows version %d"
                             : "\"%s\" is of version %" PRId64 ", this doppel knows version %d",
                         name, version, VERSION);
    status = dpli_db_int(&utf8, db, "SELECT encoding = 'UTF-8' FROM pragma_encoding", err);
    if (status != DPL_OK)
        return status;
    if (!utf8)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its texts are not UTF-8", name);
    status = version == 1 ? check_tables(s, schema_1, N_SCHEMA_1, err)
                          : check_tables(s, schema, n_tables_of(version), err);
    if (status == DPL_OK && n_bytes <= check_up_to_bytes)
        status = dpli_db_check(db, err);
    if (status == DPL_OK && version > 1) {
        status = dpli_db_begin(db, 0, err);
        if (status == DPL_OK)
            status = dpli_db_end(db, check_seal(s, err), err);
    }
    if (status != DPL_OK || version == VERSION)
        return status;
    if (!s->sql.store.writing)
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is of version %" PRId64
                         ", which has to be brought to version %d first: open it for writing once, "
                         "as \"doppel enroll\" does",
                         name, version, VERSION);
    return version == 1 ? migrate_1(s, err) : migrate_later(s, version, err);
}
