/*
 * store_sql.c - what a gallery's database says of itself: identity and generation, settings, and
 * the model of each space.
 */
#include "index/store_sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"

/* ------------------------------------------------------------------ what it is */

dpl_status dpli_sql_new_identity(dpli_store *store, dpl_error *err)
{
    uint8_t identity[16];
    char sql[256], hex[33];

    if (getrandom(identity, sizeof identity, 0) != (ssize_t)sizeof identity)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "no random numbers from the system");
    for (size_t i = 0; i < sizeof identity; i++)
        snprintf(hex + 2 * i, 3, "%02x", identity[i]);
    snprintf(sql, sizeof sql,
             "INSERT INTO gallery(one, identity, generation, scrub) VALUES(1, '%s', 0, 0)"
             " ON CONFLICT(one) DO UPDATE SET identity = excluded.identity",
             hex);
    return dpli_db_exec(dpli_sql_of(store)->db, sql, err);
}

dpl_status dpli_sql_generation(dpli_store *store, int64_t *number, char identity[DPLI_IDENTITY],
                               dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    bool row;

    status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db, "SELECT generation, identity FROM gallery", err);
    if (status == DPL_OK)
        status = dpli_stmt_step(&s, &row, err);
    if (status != DPL_OK)
        goto done;
    *number = row ? dpli_get_int(&s, 0) : 0;
    snprintf(identity, DPLI_IDENTITY, "%s", row ? dpli_get_string(&s, 1) : "");
    if (strlen(identity) != DPLI_IDENTITY - 1)
        status =
            dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: it has no identity", store->name);
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_touch(dpli_store *store, dpl_error *err)
{
    return dpli_db_exec(dpli_sql_of(store)->db, "UPDATE gallery SET generation = generation + 1",
                        err);
}

dpl_status dpli_sql_count(dpli_store *store, dpli_counts *out, dpl_error *err)
{
    dpli_buf sql = {0};
    dpli_stmt s = {0};
    dpl_status status;
    bool row;

    memset(out, 0, sizeof *out);
    /* One statement, so that the numbers are of one instant. */
    dpli_buf_str(&sql, "SELECT (SELECT count(*) FROM person WHERE " DPLI_SQL_IS_SHOWN
                       "), (SELECT count(*) FROM photo),"
                       " (SELECT count(*) FROM photo WHERE status <> 0)");
    for (int i = 0; i < DPLI_N_SPACES; i++)
        dpli_buf_printf(&sql,
                        ", (SELECT count(*) FROM template WHERE model_id IN"
                        " (SELECT id FROM model WHERE space = ?%d))",
                        i + 1);
    dpli_buf_printf(&sql,
                    ", (SELECT count(*) FROM template WHERE model_id IN"
                    " (SELECT id FROM model WHERE space = ?%d) AND NOT EXISTS"
                    " (SELECT 1 FROM owner WHERE template_id = template.id))",
                    DPLI_FACE_SPACE + 1);
    status = dpli_buf_check(&sql, err);
    if (status == DPL_OK)
        status = dpli_stmt_new(&s, dpli_sql_of(store)->db, sql.data, err);
    if (status != DPL_OK)
        goto done;
    for (int i = 0; i < DPLI_N_SPACES; i++)
        dpli_bind_text(&s, i + 1, dpli_spaces[i].name);
    status = dpli_stmt_step(&s, &row, err);
    if (status != DPL_OK || !row)
        goto done;
    out->n_persons = dpli_get_int(&s, 0);
    out->n_photos = dpli_get_int(&s, 1);
    out->n_failed = dpli_get_int(&s, 2);
    for (int i = 0; i < DPLI_N_SPACES; i++)
        out->n_templates[i] = dpli_get_int(&s, 3 + i);
    out->n_nobodys = dpli_get_int(&s, 3 + DPLI_N_SPACES);
done:
    dpli_stmt_clear(&s);
    dpli_buf_clear(&sql);
    return status;
}

dpl_status dpli_sql_n_persons(dpli_store *store, int64_t *n, dpl_error *err)
{
    dpli_stmt s = {0};
    bool row = false;
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "SELECT count(*) FROM person WHERE " DPLI_SQL_IS_SHOWN, err);

    if (status == DPL_OK)
        status = dpli_stmt_step(&s, &row, err);
    *n = status == DPL_OK && row ? dpli_get_int(&s, 0) : 0;
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ settings, models */

dpl_status dpli_sql_setting(dpli_store *store, char **value, const char *key, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    bool row;

    *value = NULL;
    status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db, "SELECT value FROM setting WHERE key = ?", err);
    if (status != DPL_OK)
        goto done;
    dpli_bind_text(&s, 1, key);
    status = dpli_stmt_step(&s, &row, err);
    if (status != DPL_OK || !row)
        goto done;
    *value = dpli_strdup(dpli_get_string(&s, 0), err);
    status = *value ? dpli_stmt_check(&s, err) : DPL_E_MEMORY;
    if (status != DPL_OK) {
        free(*value);
        *value = NULL;
    }
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_set_setting(dpli_store *store, const char *key, const char *value,
                                dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      value ? "INSERT INTO setting(key, value) VALUES(?1, ?2)"
                                              " ON CONFLICT(key) DO UPDATE SET value = ?2"
                                              " WHERE setting.value <> ?2"
                                            : "DELETE FROM setting WHERE key = ?1",
                                      err);

    if (status == DPL_OK) {
        dpli_bind_text(&s, 1, key);
        if (value)
            dpli_bind_text(&s, 2, value);
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_each_setting(dpli_store *store, dpli_on_setting *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "SELECT key, value FROM setting ORDER BY key", err);
    bool row = false;

    while (status == DPL_OK) {
        status = dpli_stmt_step(&s, &row, err);
        if (status != DPL_OK || !row)
            break;
        const char *key = dpli_get_string(&s, 0), *value = dpli_get_string(&s, 1);

        status = dpli_stmt_check(&s, err);
        if (status == DPL_OK)
            status = fn(ctx, key, value, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_find_model(dpli_store *store, int64_t *id, int64_t *dim, const char *space,
                               const char *hash, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    bool row;

    *id = 0;
    *dim = 0;
    status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                           "SELECT id, dim FROM model WHERE space = ? AND hash = ?", err);
    if (status != DPL_OK)
        goto done;
    dpli_bind_text(&s, 1, space);
    dpli_bind_text(&s, 2, hash);
    status = dpli_stmt_step(&s, &row, err);
    if (status == DPL_OK && row) {
        *id = dpli_get_int(&s, 0);
        *dim = dpli_get_int(&s, 1);
    }
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_set_model(dpli_store *store, const char *space, const char *hash, int32_t dim,
                              dpl_error *err)
{
    dpli_db *db = dpli_sql_of(store)->db;
    dpli_stmt drop = {0}, add = {0};
    dpl_status status;

    status = dpli_stmt_new(&drop, db, "DELETE FROM model WHERE space = ?", err);
    if (status == DPL_OK)
        status =
            dpli_stmt_new(&add, db, "INSERT INTO model(space, hash, dim) VALUES(?, ?, ?)", err);
    if (status != DPL_OK)
        goto done;
    dpli_bind_text(&drop, 1, space);
    status = dpli_stmt_run(&drop, err);
    if (status != DPL_OK)
        goto done;
    dpli_bind_text(&add, 1, space);
    dpli_bind_text(&add, 2, hash);
    dpli_bind_int(&add, 3, dim);
    status = dpli_stmt_run(&add, err);
done:
    dpli_stmt_clear(&drop);
    dpli_stmt_clear(&add);
    return status;
}

/* In its row, which templates refer to. */
dpl_status dpli_sql_change_model(dpli_store *store, int64_t *id, const char *space,
                                 const char *hash, int32_t dim, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "UPDATE model SET hash = ?2, dim = ?3 WHERE space = ?1", err);
    int64_t found;

    *id = 0;
    if (status == DPL_OK) {
        dpli_bind_text(&s, 1, space);
        dpli_bind_text(&s, 2, hash);
        dpli_bind_int(&s, 3, dim);
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status == DPL_OK ? dpli_sql_find_model(store, id, &found, space, hash, err) : status;
}

dpl_status dpli_sql_has_templates(dpli_store *store, bool *any, const char *space, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      space ? "SELECT EXISTS(SELECT 1 FROM template WHERE model_id"
                                              " IN (SELECT id FROM model WHERE space = ?))"
                                            : "SELECT EXISTS(SELECT 1 FROM template)",
                                      err);
    bool row = false;

    *any = false;
    if (status == DPL_OK) {
        if (space)
            dpli_bind_text(&s, 1, space);
        status = dpli_stmt_step(&s, &row, err);
        *any = status == DPL_OK && row && dpli_get_int(&s, 0) != 0;
    }
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ scrub */

dpl_status dpli_sql_want_scrub(dpli_store *store, dpl_error *err)
{
    return dpli_db_exec(dpli_sql_of(store)->db, "UPDATE gallery SET scrub = 1", err);
}

dpl_status dpli_sql_wants_scrub(dpli_store *store, bool *wanted, dpl_error *err)
{
    int64_t scrub;
    dpl_status status =
        dpli_db_int(&scrub, dpli_sql_of(store)->db, "SELECT scrub FROM gallery", err);

    *wanted = scrub != 0;
    return status;
}
