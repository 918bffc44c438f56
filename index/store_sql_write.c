/*
 * store_sqlite_write.c - changing gallery.db row by row, each statement prepared when it is first
 * needed and kept.
 */
#include "index/store_sql.h"

#define FACE_COLUMN(column, member) #column ","
#define FACE_MARK(column, member)   "?,"
#define FACE_SET(column, member)    #column " = excluded." #column ","
#define ADD_FACE                                                                                   \
    "INSERT INTO face(" DPLI_FACE_LIST(                                                            \
        FACE_COLUMN) "weakest, sum, template_id) VALUES(" DPLI_FACE_LIST(FACE_MARK) "?,?,?)"

/* Of PostgreSQL, where they differ: a vector is a row of its own, in the part of its space and
   person (store_postgres_schema.c). The keys come as they are bound: template, photo, model. */
static const char *const postgres[DPLI_N_SQL] = {
    [DPLI_SQL_ADD_VECTOR] =
        "WITH added AS (INSERT INTO template(id, photo_id, model_id, sum) VALUES(?1, ?2, ?3, ?5))"
        " INSERT INTO embedding(template_id, space, person_id, bytes)"
        " SELECT ?1, space, ?6, ?4 FROM model WHERE id = ?3",
    [DPLI_SQL_SET_VECTOR] = "WITH own AS (UPDATE template SET sum = ?3 WHERE id = ?1)"
                            " UPDATE embedding SET bytes = ?2 WHERE template_id = ?1",
    /* A constraint by hash cannot be named as what an INSERT meets. */
    [DPLI_SQL_SET_ALIAS] = "WITH moved AS (UPDATE alias SET person_id = ?2, sum = ?3"
                           " WHERE name = ?1 RETURNING id) INSERT INTO alias(name, person_id, sum)"
                           " SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM moved)",
};

static const char *const sql[DPLI_N_SQL] = {
    [DPLI_SQL_FIND_PERSON] = "SELECT id FROM person WHERE name = ?",
    [DPLI_SQL_ADD_PERSON] = "INSERT INTO person(id, name, sum) VALUES(?, ?, ?)",
    [DPLI_SQL_RENAME_PERSON] = "UPDATE person SET name = ?2, sum = ?3 WHERE id = ?1",
    [DPLI_SQL_DROP_PERSON] = "DELETE FROM person WHERE id = ?1"
                             " AND NOT EXISTS(SELECT 1 FROM photo WHERE person_id = ?1)"
                             " AND NOT EXISTS(SELECT 1 FROM owner WHERE person_id = ?1)"
                             " AND NOT EXISTS(SELECT 1 FROM refusal WHERE person_id = ?1)",
    [DPLI_SQL_FIND_PHOTO] = "SELECT id, person_id FROM photo WHERE uri = ?",
    [DPLI_SQL_ADD_PHOTO] =
        "INSERT INTO photo(id, uri, person_id, meant, sha256, status, reason, options, size_bytes,"
        " mtime_ns, enrolled_unix_s, width_px, height_px, n_faces, sum)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [DPLI_SQL_SET_PHOTO] =
        "UPDATE photo SET uri = ?2, person_id = ?3, meant = ?4, sha256 = ?5, status = ?6,"
        " reason = ?7, options = ?8, size_bytes = ?9, mtime_ns = ?10, enrolled_unix_s = ?11,"
        " width_px = ?12, height_px = ?13, n_faces = ?14, sum = ?15 WHERE id = ?1",
    [DPLI_SQL_DROP_PHOTO] = "DELETE FROM photo WHERE id = ?",
    [DPLI_SQL_DROP_TEMPLATES] = "DELETE FROM template WHERE photo_id = ?",
    [DPLI_SQL_DROP_TEMPLATE] = "DELETE FROM template WHERE id = ?",
    [DPLI_SQL_ADD_VECTOR] =
        "INSERT INTO template(id, photo_id, model_id, vector, sum) VALUES(?,?,?,?,?)",
    [DPLI_SQL_SET_VECTOR] = "UPDATE template SET vector = ?2, sum = ?3 WHERE id = ?1",
    [DPLI_SQL_ADD_FACE] = ADD_FACE,
    [DPLI_SQL_SET_FACE] = ADD_FACE " ON CONFLICT(template_id) DO UPDATE SET " DPLI_FACE_LIST(
        FACE_SET) "weakest = excluded.weakest, sum = excluded.sum",
    [DPLI_SQL_ADD_THUMB] = "INSERT INTO thumb(template_id, jpeg, sum) VALUES(?, ?, ?)",
    [DPLI_SQL_ADD_CAPTION] =
        "INSERT INTO caption(template_id, source, words, sum) VALUES(?, ?, ?, ?)",
    [DPLI_SQL_SET_OWNER] =
        "INSERT INTO owner(template_id, person_id, by_hand, sum) VALUES(?1, ?2, ?3, ?4)"
        " ON CONFLICT(template_id) DO UPDATE SET person_id = ?2, by_hand = ?3, sum = ?4",
    [DPLI_SQL_DROP_OWNER] = "DELETE FROM owner WHERE template_id = ?",
    [DPLI_SQL_SET_FILE] =
        "INSERT INTO file(photo_id, file_system, unreadable_since_unix_s, unreadable_status,"
        " unreadable_reason, sum) VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(photo_id) DO UPDATE"
        " SET file_system = ?2, unreadable_since_unix_s = ?3, unreadable_status = ?4,"
        " unreadable_reason = ?5, sum = ?6 WHERE file.sum <> ?6",
    [DPLI_SQL_DROP_FILE] = "DELETE FROM file WHERE photo_id = ?",
    [DPLI_SQL_FIND_ALIAS] = "SELECT person_id FROM alias WHERE name = ?",
    [DPLI_SQL_SET_ALIAS] = "INSERT INTO alias(name, person_id, sum) VALUES(?1, ?2, ?3)"
                           " ON CONFLICT(name) DO UPDATE SET person_id = ?2, sum = ?3",
    [DPLI_SQL_DROP_ALIAS] = "DELETE FROM alias WHERE name = ?",
    [DPLI_SQL_FIND_REFUSAL] = "SELECT id FROM refusal WHERE template_id = ?1"
                              " AND person_id IS NOT DISTINCT FROM ?2"
                              " AND other_id IS NOT DISTINCT FROM ?3",
    [DPLI_SQL_ADD_REFUSAL] =
        "INSERT INTO refusal(id, template_id, person_id, other_id, sum) VALUES(?, ?, ?, ?, ?)",
    [DPLI_SQL_DROP_REFUSAL] = "DELETE FROM refusal WHERE id = ?",
    [DPLI_SQL_SET_MEMBER] = "INSERT INTO member(template_id, group_number, sum) VALUES(?1, ?2, ?3)"
                            " ON CONFLICT(template_id) DO UPDATE SET group_number = ?2, sum = ?3",
    [DPLI_SQL_DROP_MEMBER] = "DELETE FROM member WHERE template_id = ?",
};

static dpl_status prepare(dpli_stmt **out, dpli_store *store, int which, dpl_error *err)
{
    dpli_store_sql *s = dpli_sql_of(store);
    const bool own = s->dialect == DPLI_POSTGRES && postgres[which];

    *out = &s->kept[which];
    return (*out)->handle ? DPL_OK
                          : dpli_stmt_new(*out, s->db, own ? postgres[which] : sql[which], err);
}

void dpli_sql_clear_kept(dpli_store_sql *s)
{
    for (int i = 0; i < DPLI_N_SQL; i++)
        dpli_stmt_clear(&s->kept[i]);
}

static void bind_id(dpli_stmt *s, int i, int64_t id)
{
    if (id)
        dpli_bind_int(s, i, id);
    else
        dpli_bind_null(s, i);
}

/* The id that a row is to have, as its first parameter, where it is not left to the database. */
static dpl_status bind_new_id(dpli_stmt *s, int64_t *id, dpli_store *store, int table,
                              dpl_error *err)
{
    dpli_store_sql *own = dpli_sql_of(store);
    dpl_status status = own->choose_id ? own->choose_id(own, id, table, err) : DPL_OK;

    bind_id(s, 1, *id);
    return status;
}

/* Run; an id that was left to the database is given out. */
static dpl_status add(int64_t *id, dpli_store *store, dpli_stmt *s, dpl_status status,
                      dpl_error *err)
{
    if (status == DPL_OK)
        status = dpli_stmt_run(s, err);

    if (status == DPL_OK && !*id)
        *id = dpli_db_last_id(dpli_sql_of(store)->db);
    return status;
}

/* The first row's first columns as numbers, 0 when there is no row or they are null. */
static dpl_status find_ids(int64_t *a, int64_t *b, dpli_stmt *s, dpl_error *err)
{
    dpl_status status;
    bool row;

    *a = 0;
    status = dpli_stmt_step(s, &row, err);
    if (status == DPL_OK && row) {
        *a = dpli_get_int(s, 0);
        if (b)
            *b = dpli_get_int(s, 1);
    }
    dpli_stmt_reset(s);
    return status;
}

static dpl_status run_on(dpli_store *store, int which, int64_t id, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, which, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, id);
    return dpli_stmt_run(s, err);
}

/* ------------------------------------------------------------------ people */

dpl_status dpli_sql_find_person(dpli_store *store, int64_t *id, const char *name, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_FIND_PERSON, err);

    *id = 0;
    if (status != DPL_OK)
        return status;
    dpli_bind_bytes(s, 1, name);
    return find_ids(id, NULL, s, err);
}

dpl_status dpli_sql_add_person(dpli_store *store, int64_t *id, const char *name, uint64_t sum,
                               dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_ADD_PERSON, err);

    if (status != DPL_OK)
        return status;
    status = bind_new_id(s, id, store, DPLI_PERSON_IDS, err);
    dpli_bind_bytes(s, 2, name);
    dpli_bind_int(s, 3, (int64_t)sum);
    return add(id, store, s, status, err);
}

dpl_status dpli_sql_rename_person(dpli_store *store, int64_t id, const char *name, uint64_t sum,
                                  dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_RENAME_PERSON, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, id);
    dpli_bind_bytes(s, 2, name);
    dpli_bind_int(s, 3, (int64_t)sum);
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_drop_if_lonely(dpli_store *store, int64_t id, dpl_error *err)
{
    return run_on(store, DPLI_SQL_DROP_PERSON, id, err);
}

dpl_status dpli_sql_drop_lonely(dpli_store *store, dpl_error *err)
{
    return dpli_db_exec(dpli_sql_of(store)->db,
                        "DELETE FROM person WHERE NOT EXISTS"
                        "(SELECT 1 FROM photo WHERE person_id = person.id)"
                        " AND NOT EXISTS(SELECT 1 FROM owner WHERE person_id = person.id)"
                        " AND NOT EXISTS(SELECT 1 FROM refusal WHERE person_id = person.id)",
                        err);
}

/* ------------------------------------------------------------------ photos */

dpl_status dpli_sql_find_photo(dpli_store *store, int64_t *id, int64_t *person_id, const char *uri,
                               dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_FIND_PHOTO, err);

    *id = *person_id = 0;
    if (status != DPL_OK)
        return status;
    dpli_bind_text(s, 1, uri);
    return find_ids(id, person_id, s, err);
}

static void bind_photo(dpli_stmt *s, const dpli_photo_record *row)
{
    dpli_bind_text(s, 2, row->uri);
    bind_id(s, 3, row->person_id);
    dpli_bind_bytes(s, 4, row->meant);
    dpli_bind_text(s, 5, row->sha256);
    dpli_bind_int(s, 6, row->status);
    dpli_bind_bytes(s, 7, row->reason);
    dpli_bind_bytes(s, 8, row->options);
    dpli_bind_int(s, 9, row->size_bytes);
    dpli_bind_int(s, 10, row->mtime_ns);
    dpli_bind_int(s, 11, row->enrolled_unix_s);
    dpli_bind_int(s, 12, row->width_px);
    dpli_bind_int(s, 13, row->height_px);
    dpli_bind_int(s, 14, row->n_faces);
    dpli_bind_int(s, 15, (int64_t)row->sum);
}

dpl_status dpli_sql_add_photo(dpli_store *store, int64_t *id, const dpli_photo_record *row,
                              dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_ADD_PHOTO, err);

    if (status != DPL_OK)
        return status;
    status = bind_new_id(s, id, store, DPLI_PHOTO_IDS, err);
    bind_photo(s, row);
    return add(id, store, s, status, err);
}

dpl_status dpli_sql_set_photo(dpli_store *store, const dpli_photo_record *row, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_SET_PHOTO, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, row->id);
    bind_photo(s, row);
    return dpli_stmt_run(s, err);
}

/* Templates, faces and thumbnails go with it. */
dpl_status dpli_sql_drop_photo(dpli_store *store, int64_t id, dpl_error *err)
{
    return run_on(store, DPLI_SQL_DROP_PHOTO, id, err);
}

dpl_status dpli_sql_drop_templates(dpli_store *store, int64_t *n, int64_t photo_id, dpl_error *err)
{
    dpl_status status = run_on(store, DPLI_SQL_DROP_TEMPLATES, photo_id, err);

    *n = status == DPL_OK ? dpli_db_changes(dpli_sql_of(store)->db) : 0;
    return status;
}

dpl_status dpli_sql_drop_template(dpli_store *store, int64_t id, dpl_error *err)
{
    return run_on(store, DPLI_SQL_DROP_TEMPLATE, id, err);
}

/* ------------------------------------------------------------------ templates */

dpl_status dpli_sql_add_vector(dpli_store *store, int64_t *id, const dpli_vector_record *row,
                               dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_ADD_VECTOR, err);

    if (status != DPL_OK)
        return status;
    status = bind_new_id(s, id, store, DPLI_TEMPLATE_IDS, err);
    dpli_bind_int(s, 2, row->photo_id);
    dpli_bind_int(s, 3, row->model_id);
    dpli_bind_blob(s, 4, row->bytes, row->n_bytes);
    dpli_bind_int(s, 5, (int64_t)row->sum);
    if (dpli_sql_of(store)->dialect == DPLI_POSTGRES)
        dpli_bind_int(s, 6, row->owner.person_id);
    return add(id, store, s, status, err);
}

dpl_status dpli_sql_set_vector(dpli_store *store, const dpli_vector_record *row, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_SET_VECTOR, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, row->id);
    dpli_bind_blob(s, 2, row->bytes, row->n_bytes);
    dpli_bind_int(s, 3, (int64_t)row->sum);
    return dpli_stmt_run(s, err);
}

static dpl_status put_face(dpli_store *store, int which, int64_t template_id,
                           const double face[DPLI_N_FACE], const char *weakest, uint64_t sum,
                           dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, which, err);

    if (status != DPL_OK)
        return status;
    for (int i = 0; i < DPLI_N_FACE; i++)
        dpli_bind_real(s, i + 1, face[i]);
    dpli_bind_text(s, DPLI_N_FACE + 1, weakest);
    dpli_bind_int(s, DPLI_N_FACE + 2, (int64_t)sum);
    dpli_bind_int(s, DPLI_N_FACE + 3, template_id);
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_add_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                             const char *weakest, uint64_t sum, dpl_error *err)
{
    return put_face(store, DPLI_SQL_ADD_FACE, template_id, face, weakest, sum, err);
}

dpl_status dpli_sql_set_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                             const char *weakest, uint64_t sum, dpl_error *err)
{
    return put_face(store, DPLI_SQL_SET_FACE, template_id, face, weakest, sum, err);
}

dpl_status dpli_sql_add_thumb(dpli_store *store, int64_t template_id, const void *bytes, size_t n,
                              uint64_t sum, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_ADD_THUMB, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, template_id);
    dpli_bind_blob(s, 2, bytes, n);
    dpli_bind_int(s, 3, (int64_t)sum);
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_add_caption(dpli_store *store, int64_t template_id, const char *source,
                                const char *caption, uint64_t sum, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_ADD_CAPTION, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, template_id);
    dpli_bind_text(s, 2, source);
    dpli_bind_bytes(s, 3, caption);
    dpli_bind_int(s, 4, (int64_t)sum);
    return dpli_stmt_run(s, err);
}

/* ------------------------------------------------------------------ who, where, in which group */

dpl_status dpli_sql_set_owner(dpli_store *store, const dpli_owner_record *row, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status;

    if (!row->person_id)
        return run_on(store, DPLI_SQL_DROP_OWNER, row->template_id, err);
    status = prepare(&s, store, DPLI_SQL_SET_OWNER, err);
    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, row->template_id);
    dpli_bind_int(s, 2, row->person_id);
    dpli_bind_int(s, 3, row->by_hand);
    dpli_bind_int(s, 4, (int64_t)row->sum);
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_set_file(dpli_store *store, const dpli_file_record *row, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status;

    if (!row->file_system && !row->unreadable_since_unix_s)
        return run_on(store, DPLI_SQL_DROP_FILE, row->photo_id, err);
    status = prepare(&s, store, DPLI_SQL_SET_FILE, err);
    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, row->photo_id);
    dpli_bind_int(s, 2, row->file_system);
    dpli_bind_int(s, 3, row->unreadable_since_unix_s);
    dpli_bind_int(s, 4, row->status);
    dpli_bind_bytes(s, 5, row->reason);
    dpli_bind_int(s, 6, (int64_t)row->sum);
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_find_alias(dpli_store *store, int64_t *person_id, const char *name,
                               dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status = prepare(&s, store, DPLI_SQL_FIND_ALIAS, err);

    *person_id = 0;
    if (status != DPL_OK)
        return status;
    dpli_bind_bytes(s, 1, name);
    return find_ids(person_id, NULL, s, err);
}

dpl_status dpli_sql_set_alias(dpli_store *store, const dpli_alias_record *row, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status =
        prepare(&s, store, row->person_id ? DPLI_SQL_SET_ALIAS : DPLI_SQL_DROP_ALIAS, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_bytes(s, 1, row->name);
    if (row->person_id) {
        dpli_bind_int(s, 2, row->person_id);
        dpli_bind_int(s, 3, (int64_t)row->sum);
    }
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_add_refusal(dpli_store *store, int64_t *id, const dpli_refusal_record *row,
                                dpl_error *err)
{
    dpli_stmt *s;
    int64_t there = 0;
    dpl_status status = prepare(&s, store, DPLI_SQL_FIND_REFUSAL, err);

    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, row->template_id);
    bind_id(s, 2, row->person_id);
    bind_id(s, 3, row->other_id);
    status = find_ids(&there, NULL, s, err);
    if (status == DPL_OK && there) {
        *id = there;
        return DPL_OK;
    }
    if (status == DPL_OK)
        status = prepare(&s, store, DPLI_SQL_ADD_REFUSAL, err);
    if (status != DPL_OK)
        return status;
    status = bind_new_id(s, id, store, DPLI_REFUSAL_IDS, err);
    dpli_bind_int(s, 2, row->template_id);
    bind_id(s, 3, row->person_id);
    bind_id(s, 4, row->other_id);
    dpli_bind_int(s, 5, (int64_t)row->sum);
    return add(id, store, s, status, err);
}

dpl_status dpli_sql_drop_refusal(dpli_store *store, int64_t id, dpl_error *err)
{
    return run_on(store, DPLI_SQL_DROP_REFUSAL, id, err);
}

dpl_status dpli_sql_set_member(dpli_store *store, const dpli_member_record *row, dpl_error *err)
{
    dpli_stmt *s;
    dpl_status status;

    if (!row->group_number)
        return run_on(store, DPLI_SQL_DROP_MEMBER, row->template_id, err);
    status = prepare(&s, store, DPLI_SQL_SET_MEMBER, err);
    if (status != DPL_OK)
        return status;
    dpli_bind_int(s, 1, row->template_id);
    dpli_bind_int(s, 2, row->group_number);
    dpli_bind_int(s, 3, (int64_t)row->sum);
    return dpli_stmt_run(s, err);
}

dpl_status dpli_sql_drop_members(dpli_store *store, dpl_error *err)
{
    return dpli_db_exec(dpli_sql_of(store)->db, "DELETE FROM member", err);
}
