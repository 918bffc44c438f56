/*
 * store_postgres_near.c - candidates found by the database itself, where it has the extension
 * pgvector: vectors once more, of unit length and in 16 bits, under an index by a graph (HNSW).
 *
 * The table near is kept by a trigger on vector, so that whatever changes vectors, taking back
 * included, keeps it. "doppel migrate" makes it, and an index for each space's model, and measures
 * how many of the ten most alike that finds.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "index/store_postgres.h"

enum {
    OVER = 4,         /* candidates for each one that is wanted */
    MAX_DIM = 4000,   /* that the extension indexes in 16 bits */
    N_MEASURED = 100, /* vectors of the gallery's own, by which recall is measured */
    FIRST_WIDTH = 40, /* candidates that a walk keeps, doubled until recall is enough */
    LAST_WIDTH = 640
};
static const double enough_recall = 0.99;

/* Of what a vector's bytes are: little-endian float32. Their length is made 1, as only directions
   are compared by it, and 16 bits go no further than 65504. */
static const char tables[] =
    "CREATE FUNCTION doppel_floats(b bytea) RETURNS real[] LANGUAGE sql IMMUTABLE STRICT AS $$"
    " WITH bits AS (SELECT k, get_byte(b, 4 * k)::bigint + 256 * get_byte(b, 4 * k + 1)::bigint +"
    "   65536 * get_byte(b, 4 * k + 2)::bigint + 16777216 * get_byte(b, 4 * k + 3)::bigint AS i"
    "   FROM generate_series(0, length(b) / 4 - 1) AS k),"
    "  numbers AS (SELECT k, CASE WHEN (i >> 23 & 255) = 0 THEN 0::float8 ELSE"
    "   (1 - 2 * (i >> 31)) * (1 + (i & 8388607) / 8388608::float8) *"
    "   2::float8 ^ ((i >> 23 & 255) - 127) END AS x FROM bits)"
    " SELECT array_agg((x / CASE WHEN n = 0 THEN 1 ELSE n END)::real ORDER BY k)"
    "  FROM numbers, (SELECT sqrt(sum(x * x)) AS n FROM numbers) AS norm $$;"
    "CREATE TABLE near(template_id bigint PRIMARY KEY REFERENCES template(id) ON DELETE CASCADE"
    " DEFERRABLE, space text COLLATE \"C\" NOT NULL, v halfvec NOT NULL);"
    "CREATE TABLE near_index(space text COLLATE \"C\" PRIMARY KEY, dim bigint NOT NULL,"
    " n bigint NOT NULL, recall float8 NOT NULL, width bigint NOT NULL);"
    "CREATE FUNCTION doppel_near() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    "  IF coalesce(current_setting('doppel.moving', true), '') = '' THEN"
    "   INSERT INTO near VALUES(NEW.template_id, NEW.space, doppel_floats(NEW.bytes)::halfvec)"
    "   ON CONFLICT(template_id) DO UPDATE SET space = excluded.space, v = excluded.v;"
    "  END IF;"
    "  RETURN NULL;"
    " END $$;"
    "CREATE TRIGGER near AFTER INSERT OR UPDATE OF bytes ON embedding"
    " FOR EACH ROW EXECUTE FUNCTION doppel_near();"
    "INSERT INTO near SELECT template_id, space, doppel_floats(bytes)::halfvec FROM embedding";

/* What a query has to say to be answered by the index: the rows, and the order. */
static void put_rows(dpli_buf *sql, const char *space, int64_t dim)
{
    dpli_buf_printf(sql, "space = '%s' AND vector_dims(v) = %" PRId64, space, dim);
}
static void put_order(dpli_buf *sql, int64_t dim, const char *to)
{
    dpli_buf_printf(sql, "v::halfvec(%" PRId64 ") <=> %s", dim, to);
}

static dpl_status run_and_clear(dpli_buf *sql, dpli_db *db, dpl_error *err)
{
    dpl_status status = dpli_buf_check(sql, err);

    if (status == DPL_OK)
        status = dpli_db_exec(db, sql->data, err);
    dpli_buf_clear(sql);
    return status;
}

/* ------------------------------------------------------------------ made and measured */

/* Whether the extension is in the database, of a version that has halfvec. */
static dpl_status has_extension(bool *has, dpli_db *db, dpl_error *err)
{
    int64_t n;
    dpl_status status = dpli_db_int(&n, db,
                                    "SELECT count(*) FROM pg_extension e WHERE extname = 'vector'"
                                    " AND string_to_array(extversion, '.')::int[] >= '{0,7}'",
                                    err);

    *has = status == DPL_OK && n > 0;
    return status;
}

static dpl_status has_table(bool *has, dpli_db *db, dpl_error *err)
{
    int64_t n;
    dpl_status status = dpli_db_int(&n, db,
                                    "SELECT count(*) FROM pg_class WHERE relname = 'near' AND"
                                    " relnamespace = current_schema()::regnamespace",
                                    err);

    *has = status == DPL_OK && n > 0;
    return status;
}

/* The share of each's ten nearest, as all are compared, that are among what the index finds. */
static dpl_status measure(double *recall, dpli_store_postgres *s, const char *space, int64_t dim,
                          int64_t n, int width, dpl_error *err)
{
    dpli_buf sql = {0};
    dpli_stmt stmt = {0};
    char probe[64];
    dpl_status status = dpli_db_begin(s->sql.db, false, err);

    *recall = 0;
    if (status != DPL_OK)
        return status;
    snprintf(probe, sizeof probe, "p.v::halfvec(%" PRId64 ")", dim);
    dpli_buf_printf(&sql, "SET LOCAL hnsw.ef_search = %d", width);
    status = run_and_clear(&sql, s->sql.db, err);
    /* An order that no index has: all are compared. */
    dpli_buf_str(&sql, "SELECT coalesce(avg(found), 0)::float8 FROM (SELECT (SELECT count(*) FROM"
                       " (SELECT template_id FROM near WHERE ");
    put_rows(&sql, space, dim);
    dpli_buf_str(&sql, " ORDER BY (");
    put_order(&sql, dim, probe);
    dpli_buf_str(&sql, ") + 0 LIMIT 10) AS exact WHERE template_id IN"
                       " (SELECT template_id FROM near WHERE ");
    put_rows(&sql, space, dim);
    dpli_buf_str(&sql, " ORDER BY ");
    put_order(&sql, dim, probe);
    dpli_buf_printf(&sql,
                    " LIMIT %d)) / least(10.0, greatest(1, %" PRId64
                    ")) AS found FROM (SELECT v FROM near WHERE ",
                    10 * OVER, n);
    put_rows(&sql, space, dim);
    dpli_buf_printf(&sql, " ORDER BY hashint8(template_id) LIMIT %d) AS p) AS each_one",
                    N_MEASURED);
    if (status == DPL_OK)
        status = dpli_buf_check(&sql, err);
    if (status == DPL_OK)
        status = dpli_stmt_new(&stmt, s->sql.db, sql.data, err);
    if (dpli_stmt_next(&status, &stmt, err))
        *recall = dpli_get_real(&stmt, 0);
    dpli_stmt_clear(&stmt);
    dpli_buf_clear(&sql);
    return dpli_db_end(s->sql.db, status, err);
}

static dpl_status keep_measured(dpli_store_postgres *s, const char *space, int64_t dim, int64_t n,
                                double recall, int width, dpl_error *err)
{
    dpli_stmt stmt = {0};
    dpl_status status = dpli_stmt_new(&stmt, s->sql.db,
                                      "INSERT INTO near_index VALUES(?1, ?2, ?3, ?4, ?5)"
                                      " ON CONFLICT(space) DO UPDATE SET dim = ?2, n = ?3,"
                                      " recall = ?4, width = ?5",
                                      err);

    if (status == DPL_OK) {
        dpli_bind_text(&stmt, 1, space);
        dpli_bind_int(&stmt, 2, dim);
        dpli_bind_int(&stmt, 3, n);
        dpli_bind_real(&stmt, 4, recall);
        dpli_bind_int(&stmt, 5, width);
        status = dpli_stmt_run(&stmt, err);
    }
    dpli_stmt_clear(&stmt);
    return status;
}

/* The index of a space's model, if it has vectors, and what it is worth. */
static dpl_status index_space(dpli_store_postgres *s, const char *space, int64_t dim,
                              dpl_error *err)
{
    dpli_buf sql = {0};
    int64_t n = 0;
    double recall = 0;
    int width = FIRST_WIDTH;
    dpl_status status;

    dpli_buf_str(&sql, "SELECT count(*) FROM near WHERE ");
    put_rows(&sql, space, dim);
    status = dpli_buf_check(&sql, err);
    if (status == DPL_OK)
        status = dpli_db_int(&n, s->sql.db, sql.data, err);
    dpli_buf_clear(&sql);
    if (status != DPL_OK || n == 0 || dim > MAX_DIM)
        return status;
    dpli_buf_printf(&sql,
                    "CREATE INDEX IF NOT EXISTS near_%s_%" PRId64
                    " ON near USING hnsw ((v::halfvec(%" PRId64 ")) halfvec_cosine_ops) WHERE ",
                    space, dim, dim);
    put_rows(&sql, space, dim);
    status = run_and_clear(&sql, s->sql.db, err);
    for (; status == DPL_OK; width *= 2) {
        status = measure(&recall, s, space, dim, n, width, err);
        if (recall >= enough_recall || 2 * width > LAST_WIDTH)
            break;
    }
    return status == DPL_OK ? keep_measured(s, space, dim, n, recall, width, err) : status;
}

dpl_status dpli_postgres_near_make(dpli_store_postgres *s, dpl_error *err)
{
    dpli_db *db = s->sql.db;
    int64_t dims[DPLI_N_SPACES] = {0};
    dpli_stmt stmt = {0};
    bool extension, table;
    dpl_status status = has_extension(&extension, db, err);

    if (status == DPL_OK)
        status = has_table(&table, db, err);
    if (status != DPL_OK || !extension)
        return status;
    if (!table) {
        status = dpli_postgres_begin_turn(s, err);
        if (status != DPL_OK)
            return status;
        status = dpli_db_end(db, dpli_db_exec(db, tables, err), err);
    }
    if (status == DPL_OK)
        status = dpli_stmt_new(&stmt, db, "SELECT space, dim FROM model", err);
    while (dpli_stmt_next(&status, &stmt, err))
        for (int i = 0; i < DPLI_N_SPACES; i++)
            if (strcmp(dpli_spaces[i].name, dpli_get_string(&stmt, 0)) == 0)
                dims[i] = dpli_get_int(&stmt, 1);
    dpli_stmt_clear(&stmt);
    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++)
        if (dims[i] > 0)
            status = index_space(s, dpli_spaces[i].name, dims[i], err);
    return status;
}

/* ------------------------------------------------------------------ asked */

dpl_status dpli_postgres_near_info(dpli_store *store, dpli_near_info *out, const char *space,
                                   dpl_error *err)
{
    dpli_db *db = dpli_sql_of(store)->db;
    dpli_stmt s = {0};
    bool table = false;
    dpl_status status = has_extension(&out->is_there, db, err);

    out->n = out->dim = out->width = 0;
    out->recall = 0;
    if (status == DPL_OK)
        status = has_table(&table, db, err);
    if (status != DPL_OK || !table)
        return status;
    status =
        dpli_stmt_new(&s, db, "SELECT n, dim, recall, width FROM near_index WHERE space = ?", err);
    if (status == DPL_OK)
        dpli_bind_text(&s, 1, space);
    if (dpli_stmt_next(&status, &s, err)) {
        out->n = dpli_get_int(&s, 0);
        out->dim = dpli_get_int(&s, 1);
        out->recall = dpli_get_real(&s, 2);
        out->width = dpli_get_int(&s, 3);
    }
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status put_probe(dpli_buf *text, const float *probe, int64_t dim, dpl_error *err)
{
    for (int64_t i = 0; i < dim; i++)
        dpli_buf_printf(text, "%c%.9g", i == 0 ? '[' : ',', (double)probe[i]);
    dpli_buf_str(text, "]");
    return dpli_buf_check(text, err);
}

static dpl_status give(dpli_stmt *stmt, dpli_on_vector *fn, void *ctx, dpl_error *err)
{
    dpl_status status = DPL_OK;

    while (dpli_stmt_next(&status, stmt, err)) {
        dpli_vector_record r = {.id = dpli_get_int(stmt, 0),
                                .photo_id = dpli_get_int(stmt, 1),
                                .model_id = dpli_get_int(stmt, 2),
                                .sum = (uint64_t)dpli_get_int(stmt, 3)};

        r.owner = (dpli_owner_record){.template_id = r.id,
                                      .person_id = dpli_get_int(stmt, 4),
                                      .by_hand = dpli_get_int(stmt, 5) != 0,
                                      .sum = (uint64_t)dpli_get_int(stmt, 6)};
        r.bytes = dpli_get_blob(stmt, 7, &r.n_bytes);
        status = fn(ctx, &r, err);
    }
    return status;
}

/* Of unit length, as what it is compared with: 16 bits go no further. */
static float *unit_of(const float *probe, int64_t dim, dpl_error *err)
{
    float *unit = dpli_alloc((size_t)dim, sizeof *unit, err);
    double n = 0;

    for (int64_t i = 0; i < dim; i++)
        n += (double)probe[i] * (double)probe[i];
    n = n > 0 ? sqrt(n) : 1;
    for (int64_t i = 0; unit && i < dim; i++)
        unit[i] = (float)((double)probe[i] / n);
    return unit;
}

dpl_status dpli_postgres_near(dpli_store *store, const char *space, const dpli_near_info *info,
                              const float *probe, size_t n, dpli_on_vector *fn, void *ctx,
                              dpl_error *err)
{
    const size_t n_asked = n < 1000 / OVER ? n * OVER : n < 1000 ? 1000 : n;
    const int64_t width = info->width > (int64_t)n_asked ? info->width
                          : n_asked > 1000               ? 1000
                                                         : (int64_t)n_asked;
    dpli_store_postgres *s = dpli_postgres_of(store);
    float *unit = unit_of(probe, info->dim, err);
    dpli_buf sql = {0}, text = {0};
    dpli_stmt stmt = {0};
    dpl_status status = unit ? put_probe(&text, unit, info->dim, err) : DPL_E_MEMORY;

    free(unit);
    if (status == DPL_OK)
        status = dpli_db_begin(s->sql.db, false, err);
    if (status != DPL_OK) {
        dpli_buf_clear(&text);
        return status;
    }
    dpli_buf_printf(&sql, "SET LOCAL hnsw.ef_search = %" PRId64, width);
    status = run_and_clear(&sql, s->sql.db, err);
    dpli_buf_str(&sql, "SELECT t.id, t.photo_id, t.model_id, t.sum, o.person_id, o.by_hand, o.sum,"
                       " w.bytes FROM (SELECT template_id FROM near WHERE ");
    put_rows(&sql, space, info->dim);
    dpli_buf_str(&sql, " ORDER BY ");
    put_order(&sql, info->dim, "CAST(CAST(?1 AS text) AS halfvec)");
    dpli_buf_printf(&sql,
                    " LIMIT %zu) AS c JOIN template t ON t.id = c.template_id LEFT JOIN owner o ON"
                    " o.template_id = t.id JOIN embedding w ON w.template_id = t.id AND w.space ="
                    " '%s' AND w.person_id = coalesce(o.person_id, 0)",
                    n_asked, space);
    if (status == DPL_OK)
        status = dpli_buf_check(&sql, err);
    if (status == DPL_OK)
        status = dpli_stmt_new(&stmt, s->sql.db, sql.data, err);
    if (status == DPL_OK) {
        dpli_bind_text(&stmt, 1, text.data);
        status = give(&stmt, fn, ctx, err);
    }
    dpli_stmt_clear(&stmt);
    dpli_buf_clear(&sql);
    dpli_buf_clear(&text);
    return dpli_db_end(s->sql.db, status, err);
}
