/*
 * What keepers of a gallery in SQL share: one set of tables, statements that either database
 * understands, and rows to records. store_sql.c (settings, models), store_sql_rows.c (reading),
 * store_sql_write.c and store_sql_change.c (the last change, what the audit is told). Where a
 * database wants other words, the statement stands twice, by dialect.
 */
#ifndef DOPPEL_INDEX_STORE_SQL_H
#define DOPPEL_INDEX_STORE_SQL_H

#include "index/db.h"
#include "index/store.h"

typedef enum dpli_dialect {
    DPLI_SQLITE,   /* a template's vector is in its row; ids are the database's to choose */
    DPLI_POSTGRES, /* vectors are a table of their own, parted by space and person */
    DPLI_N_DIALECTS
} dpli_dialect;

/* The statements that write, prepared when first needed and kept. */
enum {
    DPLI_SQL_FIND_PERSON,
    DPLI_SQL_FIND_PERSON_BY,
    DPLI_SQL_ADD_PERSON,
    DPLI_SQL_RENAME_PERSON,
    DPLI_SQL_DROP_PERSON,
    DPLI_SQL_FIND_PHOTO,
    DPLI_SQL_ADD_PHOTO,
    DPLI_SQL_SET_PHOTO,
    DPLI_SQL_DROP_PHOTO,
    DPLI_SQL_DROP_TEMPLATES,
    DPLI_SQL_DROP_TEMPLATE,
    DPLI_SQL_ADD_VECTOR,
    DPLI_SQL_SET_VECTOR,
    DPLI_SQL_ADD_FACE,
    DPLI_SQL_SET_FACE,
    DPLI_SQL_ADD_THUMB,
    DPLI_SQL_ADD_CAPTION,
    DPLI_SQL_SET_OWNER,
    DPLI_SQL_DROP_OWNER,
    DPLI_SQL_SET_FILE,
    DPLI_SQL_DROP_FILE,
    DPLI_SQL_FIND_ALIAS,
    DPLI_SQL_FIND_ALIAS_BY,
    DPLI_SQL_SET_ALIAS,
    DPLI_SQL_DROP_ALIAS,
    DPLI_SQL_FIND_REFUSAL,
    DPLI_SQL_ADD_REFUSAL,
    DPLI_SQL_DROP_REFUSAL,
    DPLI_SQL_SET_MEMBER,
    DPLI_SQL_DROP_MEMBER,
    DPLI_N_SQL
};

/* People of whom there is a photo or a template. Of others only what is not theirs is known. */
#define DPLI_SQL_IS_SHOWN                                                                          \
    "(EXISTS(SELECT 1 FROM photo WHERE person_id = person.id)"                                     \
    " OR EXISTS(SELECT 1 FROM owner WHERE person_id = person.id))"

/* What stands in the log of the last change: the table (of those that are counted) and what was
   done to its row. These numbers do not change. */
enum { DPLI_SQL_PERSONS, DPLI_SQL_PHOTOS, DPLI_SQL_TEMPLATES, DPLI_SQL_OWNERS = 5 };
enum { DPLI_SQL_ADDED = 1, DPLI_SQL_CHANGED = 2, DPLI_SQL_REMOVED = 3 };

/* Walks that are asked for again and again, one statement for each query of photos and of
   templates. A walk within a walk of the same kind makes its own. */
enum { DPLI_N_SQL_PHOTOS = DPLI_PHOTO_BY_ID + 1, DPLI_N_SQL_TEMPLATES = DPLI_TEMPLATE_BY_ID + 1 };
typedef struct dpli_sql_walk {
    dpli_stmt stmt;
    bool busy;
} dpli_sql_walk;

typedef struct dpli_store_sql dpli_store_sql;

/* Of tables whose ids are chosen, by dpli_numbered and then: */
enum { DPLI_REFUSAL_IDS = DPLI_N_NUMBERED, DPLI_N_CHOSEN };

/* What every such keeper's own struct begins with. */
struct dpli_store_sql {
    dpli_store store; /* first: a store is one of these */
    dpli_dialect dialect;
    dpli_db *db;
    int64_t change_id; /* within a transaction that is logged: of which change; else 0 */
    /* The next id of a table, or what it means for the next that this one is given. NULL: the
       database's own. */
    dpl_status (*choose_id)(dpli_store_sql *s, int64_t *id, int table, dpl_error *err);
    dpli_stmt kept[DPLI_N_SQL];
    dpli_sql_walk photos[DPLI_N_SQL_PHOTOS], templates[DPLI_N_SQL_TEMPLATES];
};

static inline dpli_store_sql *dpli_sql_of(dpli_store *store)
{
    return (dpli_store_sql *)(void *)store;
}

/* ------------------------------------------------------------------ store_sql.c */

dpl_status dpli_sql_generation(dpli_store *store, int64_t *number, char identity[DPLI_IDENTITY],
                               dpl_error *err);
dpl_status dpli_sql_touch(dpli_store *store, dpl_error *err);
/** All but bytes. */
dpl_status dpli_sql_count(dpli_store *store, dpli_counts *out, dpl_error *err);
dpl_status dpli_sql_n_persons(dpli_store *store, int64_t *n, dpl_error *err);
dpl_status dpli_sql_setting(dpli_store *store, char **value, const char *key, dpl_error *err);
dpl_status dpli_sql_set_setting(dpli_store *store, const char *key, const char *value,
                                dpl_error *err);
dpl_status dpli_sql_each_setting(dpli_store *store, dpli_on_setting *fn, void *ctx, dpl_error *err);
dpl_status dpli_sql_find_model(dpli_store *store, int64_t *id, int64_t *dim, const char *space,
                               const char *hash, dpl_error *err);
dpl_status dpli_sql_set_model(dpli_store *store, const char *space, const char *hash, int32_t dim,
                              dpl_error *err);
dpl_status dpli_sql_change_model(dpli_store *store, int64_t *id, const char *space,
                                 const char *hash, int32_t dim, dpl_error *err);
dpl_status dpli_sql_new_identity(dpli_store *store, dpl_error *err);
dpl_status dpli_sql_has_templates(dpli_store *store, bool *any, const char *space, dpl_error *err);
dpl_status dpli_sql_want_scrub(dpli_store *store, dpl_error *err);
dpl_status dpli_sql_wants_scrub(dpli_store *store, bool *wanted, dpl_error *err);

/* ------------------------------------------------------------------ store_sql_change.c */

/** fn NULL: only the id, 0 when there is none. */
dpl_status dpli_sql_read_change(int64_t *id, dpli_store *store, dpli_on_change *fn, void *ctx,
                                dpl_error *err);
/** A change of these words comes after the last one, whatever that says. *id: its. */
dpl_status dpli_sql_next_change(int64_t *id, dpli_store *store, const char *words, bool is_final,
                                dpl_error *err);
dpl_status dpli_sql_log_change(dpli_store *store, int64_t *id, const char *words, dpl_error *err);
dpl_status dpli_sql_end_log(dpli_store *store, const char *words, dpl_error *err);
dpl_status dpli_sql_last_change(dpli_store *store, dpli_on_change *fn, void *ctx, dpl_error *err);
dpl_status dpli_sql_count_change(dpli_store *store, int64_t id, dpli_change_counts *out,
                                 dpl_error *err);
dpl_status dpli_sql_audit_record(dpli_store *store, dpli_on_audit *fn, void *ctx, dpl_error *err);
dpl_status dpli_sql_set_audit_record(dpli_store *store, const dpli_audit_record *row,
                                     dpl_error *err);

/* ------------------------------------------------------------------ store_sql_rows.c */

dpl_status dpli_sql_each_person(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                                dpl_error *err);
dpl_status dpli_sql_one_person(dpli_store *store, int64_t id, dpli_on_person *fn, void *ctx,
                               dpl_error *err);
dpl_status dpli_sql_each_photo(dpli_store *store, const dpli_photo_query *query, dpli_on_photo *fn,
                               void *ctx, dpl_error *err);
dpl_status dpli_sql_each_template(dpli_store *store, const dpli_template_query *query,
                                  dpli_on_template *fn, void *ctx, dpl_error *err);
dpl_status dpli_sql_n_vectors(dpli_store *store, int64_t *n, int64_t model_id, dpl_error *err);
dpl_status dpli_sql_each_vector(dpli_store *store, int64_t model_id, bool with_bytes,
                                dpli_on_vector *fn, void *ctx, dpl_error *err);
dpl_status dpli_sql_each_alias(dpli_store *store, dpli_on_alias *fn, void *ctx, dpl_error *err);
dpl_status dpli_sql_each_refusal(dpli_store *store, int64_t template_id, dpli_on_refusal *fn,
                                 void *ctx, dpl_error *err);
dpl_status dpli_sql_each_member(dpli_store *store, dpli_on_member *fn, void *ctx, dpl_error *err);

/** The statements that are kept. */
void dpli_sql_clear_walks(dpli_store_sql *s);

/* ------------------------------------------------------------------ store_sql_write.c */

dpl_status dpli_sql_find_person(dpli_store *store, int64_t *id, const char *name, dpl_error *err);
dpl_status dpli_sql_find_person_by(dpli_store *store, int64_t *id, const char *beginning,
                                   dpl_error *err);
dpl_status dpli_sql_find_alias_by(dpli_store *store, int64_t *person_id, char **name,
                                  const char *beginning, dpl_error *err);
dpl_status dpli_sql_add_person(dpli_store *store, int64_t *id, const char *name, uint64_t sum,
                               dpl_error *err);
dpl_status dpli_sql_rename_person(dpli_store *store, int64_t id, const char *name, uint64_t sum,
                                  dpl_error *err);
dpl_status dpli_sql_drop_if_lonely(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sql_drop_lonely(dpli_store *store, dpl_error *err);
dpl_status dpli_sql_find_photo(dpli_store *store, int64_t *id, int64_t *person_id, const char *uri,
                               dpl_error *err);
dpl_status dpli_sql_add_photo(dpli_store *store, int64_t *id, const dpli_photo_record *row,
                              dpl_error *err);
dpl_status dpli_sql_set_photo(dpli_store *store, const dpli_photo_record *row, dpl_error *err);
dpl_status dpli_sql_drop_photo(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sql_drop_templates(dpli_store *store, int64_t *n, int64_t photo_id, dpl_error *err);
dpl_status dpli_sql_drop_template(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sql_add_vector(dpli_store *store, int64_t *id, const dpli_vector_record *row,
                               dpl_error *err);
dpl_status dpli_sql_set_vector(dpli_store *store, const dpli_vector_record *row, dpl_error *err);
dpl_status dpli_sql_set_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                             const char *weakest, uint64_t sum, dpl_error *err);
dpl_status dpli_sql_add_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                             const char *weakest, uint64_t sum, dpl_error *err);
dpl_status dpli_sql_add_caption(dpli_store *store, int64_t template_id, const char *source,
                                const char *caption, uint64_t sum, dpl_error *err);
dpl_status dpli_sql_add_thumb(dpli_store *store, int64_t template_id, const void *bytes, size_t n,
                              uint64_t sum, dpl_error *err);
dpl_status dpli_sql_set_owner(dpli_store *store, const dpli_owner_record *row, dpl_error *err);
dpl_status dpli_sql_set_file(dpli_store *store, const dpli_file_record *row, dpl_error *err);
dpl_status dpli_sql_find_alias(dpli_store *store, int64_t *person_id, const char *name,
                               dpl_error *err);
dpl_status dpli_sql_set_alias(dpli_store *store, const dpli_alias_record *row, dpl_error *err);
dpl_status dpli_sql_add_refusal(dpli_store *store, int64_t *id, const dpli_refusal_record *row,
                                dpl_error *err);
dpl_status dpli_sql_drop_refusal(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sql_set_member(dpli_store *store, const dpli_member_record *row, dpl_error *err);
dpl_status dpli_sql_drop_members(dpli_store *store, dpl_error *err);
/** The statements that are kept. */
void dpli_sql_clear_kept(dpli_store_sql *s);

/* Operations that are the same in each. */
#define DPLI_SQL_OPS                                                                               \
    .generation = dpli_sql_generation, .touch = dpli_sql_touch, .setting = dpli_sql_setting,       \
    .set_setting = dpli_sql_set_setting, .each_setting = dpli_sql_each_setting,                    \
    .find_model = dpli_sql_find_model, .set_model = dpli_sql_set_model,                            \
    .change_model = dpli_sql_change_model, .has_templates = dpli_sql_has_templates,                \
    .one_person = dpli_sql_one_person, .each_person = dpli_sql_each_person,                        \
    .each_photo = dpli_sql_each_photo, .each_template = dpli_sql_each_template,                    \
    .n_persons = dpli_sql_n_persons, .n_vectors = dpli_sql_n_vectors, .each_vector = dpli_sql_each_vector,                          \
    .each_alias = dpli_sql_each_alias, .each_refusal = dpli_sql_each_refusal,                      \
    .each_member = dpli_sql_each_member, .find_person = dpli_sql_find_person,                      \
    .add_person = dpli_sql_add_person, .rename_person = dpli_sql_rename_person,                    \
    .drop_if_lonely = dpli_sql_drop_if_lonely, .drop_lonely = dpli_sql_drop_lonely,                \
    .find_photo = dpli_sql_find_photo, .add_photo = dpli_sql_add_photo,                            \
    .set_photo = dpli_sql_set_photo, .drop_photo = dpli_sql_drop_photo,                            \
    .drop_templates = dpli_sql_drop_templates, .drop_template = dpli_sql_drop_template,            \
    .add_vector = dpli_sql_add_vector, .set_vector = dpli_sql_set_vector,                          \
    .add_face = dpli_sql_add_face, .set_face = dpli_sql_set_face, .add_thumb = dpli_sql_add_thumb, \
    .add_caption = dpli_sql_add_caption, .set_owner = dpli_sql_set_owner,                          \
    .set_file = dpli_sql_set_file, .find_alias = dpli_sql_find_alias,                              \
    .set_alias = dpli_sql_set_alias, .add_refusal = dpli_sql_add_refusal,                          \
    .drop_refusal = dpli_sql_drop_refusal, .set_member = dpli_sql_set_member,                      \
    .drop_members = dpli_sql_drop_members, .last_change = dpli_sql_last_change,                    \
    .count_change = dpli_sql_count_change, .audit_record = dpli_sql_audit_record,                  \
    .set_audit_record = dpli_sql_set_audit_record, .want_scrub = dpli_sql_want_scrub,              \
    .wants_scrub = dpli_sql_wants_scrub,                                                           \
                                                                                                   \
    .change_identity = dpli_sql_new_identity

#endif
