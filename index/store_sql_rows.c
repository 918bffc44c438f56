/*
 * store_sqlite_rows.c - reading gallery.db: a walk is one SELECT, so it sees one instant of the
 * gallery whatever a writer does meanwhile.
 */
#include "index/store_sql.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FACE_COLUMN(column, member) "f." #column ","

/* Gives one row to the function of the walk's caller. */
typedef dpl_status read_row(dpli_stmt *s, void *fn_and_ctx, dpl_error *err);

static dpl_status walk(dpli_stmt *s, read_row *read, void *fn_and_ctx, dpl_error *err)
{
    dpl_status status;
    bool row;

    for (status = dpli_stmt_step(s, &row, err); status == DPL_OK && row;
         status = dpli_stmt_step(s, &row, err)) {
        status = read(s, fn_and_ctx, err);
        if (status != DPL_OK)
            break;
    }
    return status;
}

/* The statement of a walk, ready to be bound: the one that is kept, or while that is under way
   spare. */
static dpl_status take(dpli_stmt **out, dpli_sql_walk *kept, dpli_stmt *spare,
                       dpli_store_sql *store, const char *sql, bool many, dpl_error *err)
{
    dpli_stmt *s = kept->busy ? spare : &kept->stmt;

    *out = s;
    if (!s->handle) {
        dpl_status status = dpli_stmt_new(s, store->db, sql, err);

        if (status != DPL_OK)
            return status;
        if (many)
            dpli_stmt_expect_many(s);
    }
    if (s != spare)
        kept->busy = true;
    return DPL_OK;
}

/* It holds on to nothing that was bound to it or read. */
static void give_back(dpli_stmt *s, dpli_sql_walk *kept)
{
    if (s != &kept->stmt) {
        dpli_stmt_clear(s);
        return;
    }
    if (!kept->busy)
        return;
    dpli_stmt_reset(s);
    dpli_stmt_unbind(s);
    kept->busy = false;
}

void dpli_sql_clear_walks(dpli_store_sql *s)
{
    for (int i = 0; i < DPLI_N_SQL_PHOTOS; i++)
        dpli_stmt_clear(&s->photos[i].stmt);
    for (int i = 0; i < DPLI_N_SQL_TEMPLATES; i++)
        dpli_stmt_clear(&s->templates[i].stmt);
}

static const char *string_or_null(dpli_stmt *s, int i)
{
    return dpli_get_is_null(s, i) ? NULL : dpli_get_string(s, i);
}

/* ------------------------------------------------------------------ people */

struct person_walk {
    dpli_on_person *fn;
    void *ctx;
};

static dpl_status read_person(dpli_stmt *s, void *fn_and_ctx, dpl_error *err)
{
    const struct person_walk *w = fn_and_ctx;
    dpli_person_record r = {
        .id = dpli_get_int(s, 0),
        .name = dpli_get_string(s, 1),
        .sum = (uint64_t)dpli_get_int(s, 2),
        .n_photos = dpli_get_int(s, 3),
        .n_templates = dpli_get_int(s, 4),
    };
    dpl_status status = dpli_stmt_check(s, err);

    return status != DPL_OK ? status : w->fn(w->ctx, &r, err);
}

dpl_status dpli_sql_each_person(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                                dpl_error *err)
{
    struct person_walk w = {fn, ctx};
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db,
                      by_id ? "SELECT id, name, sum, 0, 0 FROM person ORDER BY id"
                            : "SELECT id, name, sum,"
                              " (SELECT count(*) FROM (SELECT id FROM photo"
                              "  WHERE person_id = person.id UNION SELECT photo_id FROM owner"
                              "  JOIN template t ON t.id = template_id"
                              "  WHERE person_id = person.id) AS theirs),"
                              " (SELECT count(*) FROM owner WHERE person_id = person.id)"
                              " FROM person WHERE " DPLI_SQL_IS_SHOWN " ORDER BY name",
                      err);

    if (status == DPL_OK) {
        dpli_stmt_expect_many(&s);
        status = walk(&s, read_person, &w, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_one_person(dpli_store *store, int64_t id, dpli_on_person *fn, void *ctx,
                               dpl_error *err)
{
    struct person_walk w = {fn, ctx};
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "SELECT id, name, sum, 0, 0 FROM person WHERE id = ?", err);

    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, id);
        status = walk(&s, read_person, &w, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ photos */

#define PHOTO_COLUMNS                                                                              \
    "p.id, p.uri, p.sha256, p.person_id, n.name, n.sum, p.meant, p.status, p.reason, p.options,"   \
    " p.size_bytes, p.mtime_ns, p.enrolled_unix_s, p.width_px, p.height_px, p.n_faces, p.sum,"     \
    " d.photo_id, d.file_system, d.unreadable_since_unix_s, d.unreadable_status,"                  \
    " d.unreadable_reason, d.sum"
#define PHOTO_JOINS                                                                                \
    " LEFT JOIN person n ON n.id = p.person_id LEFT JOIN file d ON d.photo_id = p.id "
#define PHOTO_TABLES " FROM photo p" PHOTO_JOINS

static dpli_photo_record photo_of(dpli_stmt *s, int at)
{
    return (dpli_photo_record){
        .id = dpli_get_int(s, at),
        .uri = dpli_get_string(s, at + 1),
        .sha256 = dpli_get_string(s, at + 2),
        .person_id = dpli_get_int(s, at + 3),
        .owner = {.id = dpli_get_int(s, at + 3),
                  .name = string_or_null(s, at + 4),
                  .sum = (uint64_t)dpli_get_int(s, at + 5)},
        .meant = string_or_null(s, at + 6),
        .status = dpli_get_int(s, at + 7),
        .reason = dpli_get_string(s, at + 8),
        .options = dpli_get_string(s, at + 9),
        .size_bytes = dpli_get_int(s, at + 10),
        .mtime_ns = dpli_get_int(s, at + 11),
        .enrolled_unix_s = dpli_get_int(s, at + 12),
        .width_px = dpli_get_int(s, at + 13),
        .height_px = dpli_get_int(s, at + 14),
        .n_faces = dpli_get_int(s, at + 15),
        .sum = (uint64_t)dpli_get_int(s, at + 16),
        .file = {.photo_id = dpli_get_int(s, at + 17),
                 .file_system = dpli_get_int(s, at + 18),
                 .unreadable_since_unix_s = dpli_get_int(s, at + 19),
                 .status = dpli_get_int(s, at + 20),
                 .reason = dpli_get_string(s, at + 21),
                 .sum = (uint64_t)dpli_get_int(s, at + 22)},
    };
}

struct photo_walk {
    dpli_on_photo *fn;
    void *ctx;
};

static dpl_status read_photo(dpli_stmt *s, void *fn_and_ctx, dpl_error *err)
{
    const struct photo_walk *w = fn_and_ctx;
    dpli_photo_record r = photo_of(s, 0);
    dpl_status status = dpli_stmt_check(s, err);

    return status != DPL_OK ? status : w->fn(w->ctx, &r, err);
}

dpl_status dpli_sql_each_photo(dpli_store *store, const dpli_photo_query *query, dpli_on_photo *fn,
                               void *ctx, dpl_error *err)
{
    static const char *const sql[] = {
        [DPLI_ALL_PHOTOS] = "SELECT " PHOTO_COLUMNS PHOTO_TABLES "ORDER BY p.uri",
        [DPLI_ALL_PHOTOS_BY_ID] = "SELECT " PHOTO_COLUMNS PHOTO_TABLES "ORDER BY p.id",
        [DPLI_PHOTOS_OF] = "SELECT " PHOTO_COLUMNS PHOTO_TABLES
                           "WHERE p.person_id = ?1 OR p.id IN (SELECT t.photo_id FROM owner o"
                           " JOIN template t ON t.id = o.template_id WHERE o.person_id = ?1)"
                           " ORDER BY p.uri",
        [DPLI_PHOTOS_MEANT_FOR] =
            "SELECT " PHOTO_COLUMNS PHOTO_TABLES "WHERE p.meant = ? ORDER BY p.uri",
        [DPLI_PHOTOS_UNDER] =
            "SELECT " PHOTO_COLUMNS PHOTO_TABLES "WHERE p.uri >= ?1 AND p.uri < ?2 ORDER BY p.uri",
        [DPLI_PHOTO_AT] = "SELECT " PHOTO_COLUMNS PHOTO_TABLES "WHERE p.uri = ?",
        [DPLI_PHOTOS_LIKE] = "SELECT " PHOTO_COLUMNS PHOTO_TABLES "WHERE p.sha256 = ?"
                             " ORDER BY p.id",
        [DPLI_PHOTO_BY_ID] = "SELECT " PHOTO_COLUMNS PHOTO_TABLES "WHERE p.id = ?",
    };
    dpli_sql_walk *kept = &dpli_sql_of(store)->photos[query->by];
    struct photo_walk w = {fn, ctx};
    dpli_stmt spare = {0}, *s;
    const bool many = query->by <= DPLI_PHOTOS_UNDER;
    /* After all that begins so: a source is of visible ASCII. */
    char *end = query->by == DPLI_PHOTOS_UNDER ? dpli_asprintf(err, "%s\177", query->text) : NULL;
    dpl_status status;

    if (query->by == DPLI_PHOTOS_UNDER && !end)
        return DPL_E_MEMORY;
    status = take(&s, kept, &spare, dpli_sql_of(store), sql[query->by], many, err);

    if (status == DPL_OK) {
        if (query->by == DPLI_PHOTOS_MEANT_FOR)
            dpli_bind_bytes(s, 1, query->text);
        else if (query->by == DPLI_PHOTO_AT || query->by == DPLI_PHOTOS_LIKE ||
                 query->by == DPLI_PHOTOS_UNDER)
            dpli_bind_text(s, 1, query->text);
        else if (query->by == DPLI_PHOTO_BY_ID || query->by == DPLI_PHOTOS_OF)
            dpli_bind_int(s, 1, query->id);
        if (end)
            dpli_bind_text(s, 2, end);
        status = walk(s, read_photo, &w, err);
    }
    give_back(s, kept);
    free(end);
    return status;
}

/* ------------------------------------------------------------------ templates */

/* Where a template's vector is a row of its own, in the part of whose it is. It is not named by its
   space, too: of rows that nobody has counted PostgreSQL takes few to be of one space, and reads
   all of that for each template. */
#define VECTOR_JOIN                                                                                \
    " LEFT JOIN embedding v ON v.template_id = t.id AND v.person_id = coalesce(o.person_id, 0)"

/* The face's columns first, so that they are numbered as in dpli_face_fields. */
#define TEMPLATE_COLUMNS(vector, vector_join)                                                      \
    DPLI_FACE_LIST(FACE_COLUMN)                                                                    \
    "f.weakest, f.sum, t.id, t.photo_id, t.model_id, " vector ", t.sum, m.space, m.hash, m.dim,"   \
    " b.jpeg, b.sum, o.person_id, o.by_hand, o.sum, w.name, w.sum,"                                \
    " c.source, c.words, c.sum, " PHOTO_COLUMNS                                                    \
    " FROM template t JOIN photo p ON p.id = t.photo_id JOIN model m ON m.id = t.model_id"         \
    " LEFT JOIN face f ON f.template_id = t.id LEFT JOIN thumb b ON b.template_id = t.id"          \
    " LEFT JOIN caption c ON c.template_id = t.id"                                                 \
    " LEFT JOIN owner o ON o.template_id = t.id LEFT JOIN person w ON w.id = "                     \
    "o.person_id" vector_join PHOTO_JOINS
#define OF_SPACE "(CAST(?1 AS TEXT) IS NULL OR m.space = ?1)"
#define TEMPLATE_QUERIES(columns)                                                                  \
    [DPLI_ALL_TEMPLATES] = "SELECT " columns "WHERE " OF_SPACE " ORDER BY t.id",                   \
    [DPLI_TEMPLATES_OF] =                                                                          \
        "SELECT " columns "WHERE o.person_id = ?2 AND " OF_SPACE " ORDER BY t.id",                 \
    [DPLI_TEMPLATES_IN] =                                                                          \
        "SELECT " columns "WHERE t.photo_id = ?2 AND " OF_SPACE " ORDER BY t.id",                  \
    [DPLI_TEMPLATE_BY_ID] = "SELECT " columns "WHERE t.id = ?1"

struct template_walk {
    dpli_on_template *fn;
    void *ctx;
};

static dpl_status read_template(dpli_stmt *s, void *fn_and_ctx, dpl_error *err)
{
    const struct template_walk *w = fn_and_ctx;
    const int after = DPLI_N_FACE;
    dpli_template_record r = {
        .has_face = !dpli_get_is_null(s, after),
        .weakest = dpli_get_string(s, after),
        .face_sum = (uint64_t)dpli_get_int(s, after + 1),
        .vector = {.id = dpli_get_int(s, after + 2),
                   .photo_id = dpli_get_int(s, after + 3),
                   .model_id = dpli_get_int(s, after + 4),
                   .sum = (uint64_t)dpli_get_int(s, after + 6)},
        .space = dpli_get_string(s, after + 7),
        .model_hash = dpli_get_string(s, after + 8),
        .dim = dpli_get_int(s, after + 9),
        .thumb_sum = (uint64_t)dpli_get_int(s, after + 11),
        .person = {.id = dpli_get_int(s, after + 12),
                   .name = string_or_null(s, after + 15),
                   .sum = (uint64_t)dpli_get_int(s, after + 16)},
        .caption_source = string_or_null(s, after + 17),
        .caption = string_or_null(s, after + 18),
        .caption_sum = (uint64_t)dpli_get_int(s, after + 19),
        .photo = photo_of(s, after + 20),
    };
    dpl_status status;

    r.vector.owner = (dpli_owner_record){.template_id = r.vector.id,
                                         .person_id = dpli_get_int(s, after + 12),
                                         .by_hand = dpli_get_int(s, after + 13) != 0,
                                         .sum = (uint64_t)dpli_get_int(s, after + 14)};
    r.vector.bytes = dpli_get_blob(s, after + 5, &r.vector.n_bytes);
    r.thumb = dpli_get_blob(s, after + 10, &r.n_thumb);
    for (int i = 0; i < DPLI_N_FACE; i++)
        r.face[i] = dpli_get_real(s, i);
    status = dpli_stmt_check(s, err);
    return status != DPL_OK ? status : w->fn(w->ctx, &r, err);
}

dpl_status dpli_sql_each_template(dpli_store *store, const dpli_template_query *query,
                                  dpli_on_template *fn, void *ctx, dpl_error *err)
{
    static const char *const sql[DPLI_N_DIALECTS][DPLI_N_SQL_TEMPLATES] = {
        [DPLI_SQLITE] = {TEMPLATE_QUERIES(TEMPLATE_COLUMNS("t.vector", ""))},
        [DPLI_POSTGRES] = {TEMPLATE_QUERIES(TEMPLATE_COLUMNS("v.bytes", VECTOR_JOIN))},
    };
    const bool many = query->by == DPLI_ALL_TEMPLATES || query->by == DPLI_TEMPLATES_OF;
    dpli_sql_walk *kept = &dpli_sql_of(store)->templates[query->by];
    struct template_walk w = {fn, ctx};
    dpli_stmt spare = {0}, *s;
    dpl_status status = take(&s, kept, &spare, dpli_sql_of(store),
                             sql[dpli_sql_of(store)->dialect][query->by], many, err);

    if (status == DPL_OK) {
        if (query->by == DPLI_TEMPLATE_BY_ID)
            dpli_bind_int(s, 1, query->id);
        else if (query->space)
            dpli_bind_text(s, 1, query->space);
        if (query->by == DPLI_TEMPLATES_OF || query->by == DPLI_TEMPLATES_IN)
            dpli_bind_int(s, 2, query->id);
        status = walk(s, read_template, &w, err);
    }
    give_back(s, kept);
    return status;
}

/* ------------------------------------------------------------------ all vectors */

struct vector_walk {
    dpli_on_vector *fn;
    void *ctx;
    bool with_bytes;
    int64_t model_id;
};

static dpl_status read_vector(dpli_stmt *s, void *fn_and_ctx, dpl_error *err)
{
    const struct vector_walk *w = fn_and_ctx;
    dpli_vector_record r = {
        .id = dpli_get_int(s, 0),
        .photo_id = dpli_get_int(s, 1),
        .model_id = w->model_id,
    };
    dpl_status status;

    r.owner = (dpli_owner_record){.template_id = r.id,
                                  .person_id = dpli_get_int(s, 2),
                                  .by_hand = dpli_get_int(s, 3) != 0,
                                  .sum = (uint64_t)dpli_get_int(s, 4)};
    if (w->with_bytes) {
        r.sum = (uint64_t)dpli_get_int(s, 5);
        r.bytes = dpli_get_blob(s, 6, &r.n_bytes);
        status = dpli_stmt_check(s, err);
        if (status != DPL_OK)
            return status;
    }
    return w->fn(w->ctx, &r, err);
}

dpl_status dpli_sql_n_vectors(dpli_store *store, int64_t *n, int64_t model_id, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "SELECT count(*) FROM template WHERE model_id = ?", err);
    bool row = false;

    *n = 0;
    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, model_id);
        status = dpli_stmt_step(&s, &row, err);
        *n = status == DPL_OK && row ? dpli_get_int(&s, 0) : 0;
    }
    dpli_stmt_clear(&s);
    return status;
}

/* Without bytes SQLite reads none of the rows that hold them, where it walks template_photo. */
#define VECTOR_QUERY(columns, joins, order)                                                        \
    "SELECT t.id, t.photo_id, o.person_id, o.by_hand, o.sum" columns                               \
    " FROM template t LEFT JOIN owner o ON o.template_id = t.id" joins                             \
    " WHERE t.model_id = ? ORDER BY " order

dpl_status dpli_sql_each_vector(dpli_store *store, int64_t model_id, bool with_bytes,
                                dpli_on_vector *fn, void *ctx, dpl_error *err)
{
    struct vector_walk w = {fn, ctx, with_bytes, model_id};
    dpli_stmt s = {0};
    static const char *const sql[DPLI_N_DIALECTS][2] = {
        [DPLI_SQLITE] = {VECTOR_QUERY("", "", "t.photo_id"),
                         VECTOR_QUERY(", t.sum, t.vector", "", "t.id")},
        [DPLI_POSTGRES] = {VECTOR_QUERY("", "", "t.photo_id"),
                           VECTOR_QUERY(", t.sum, v.bytes", VECTOR_JOIN, "t.id")},
    };
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      sql[dpli_sql_of(store)->dialect][with_bytes], err);

    if (status == DPL_OK) {
        dpli_stmt_expect_many(&s);
        dpli_bind_int(&s, 1, model_id);
        status = walk(&s, read_vector, &w, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ names, refusals, groups */

dpl_status dpli_sql_each_alias(dpli_store *store, dpli_on_alias *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db,
                      "SELECT id, person_id, name, sum FROM alias ORDER BY name", err);

    if (status == DPL_OK)
        dpli_stmt_expect_many(&s);
    while (dpli_stmt_next(&status, &s, err)) {
        const dpli_alias_record r = {.id = dpli_get_int(&s, 0),
                                     .person_id = dpli_get_int(&s, 1),
                                     .name = dpli_get_string(&s, 2),
                                     .sum = (uint64_t)dpli_get_int(&s, 3)};

        status = dpli_stmt_check(&s, err);
        if (status == DPL_OK)
            status = fn(ctx, &r, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_each_refusal(dpli_store *store, int64_t template_id, dpli_on_refusal *fn,
                                 void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, dpli_sql_of(store)->db,
        template_id ? "SELECT id, template_id, person_id, other_id, sum FROM refusal"
                      " WHERE template_id = ?1 OR other_id = ?1 ORDER BY id"
                    : "SELECT id, template_id, person_id, other_id, sum FROM refusal ORDER BY id",
        err);

    if (status == DPL_OK && template_id)
        dpli_bind_int(&s, 1, template_id);
    else if (status == DPL_OK)
        dpli_stmt_expect_many(&s);
    while (dpli_stmt_next(&status, &s, err)) {
        const dpli_refusal_record r = {.id = dpli_get_int(&s, 0),
                                       .template_id = dpli_get_int(&s, 1),
                                       .person_id = dpli_get_int(&s, 2),
                                       .other_id = dpli_get_int(&s, 3),
                                       .sum = (uint64_t)dpli_get_int(&s, 4)};

        status = fn(ctx, &r, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_each_member(dpli_store *store, dpli_on_member *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, dpli_sql_of(store)->db,
        "SELECT template_id, group_number, sum FROM member ORDER BY template_id", err);

    if (status == DPL_OK)
        dpli_stmt_expect_many(&s);
    while (dpli_stmt_next(&status, &s, err)) {
        const dpli_member_record r = {.template_id = dpli_get_int(&s, 0),
                                      .group_number = dpli_get_int(&s, 1),
                                      .sum = (uint64_t)dpli_get_int(&s, 2)};

        status = fn(ctx, &r, err);
    }
    dpli_stmt_clear(&s);
    return status;
}
