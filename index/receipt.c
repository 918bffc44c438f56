/*
 * receipt.c - the receipt of a forget: made, and checked against the audit.
 */
#include "index/receipt.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "index/gallery.h"
#include "net/json_text.h"

#define SCHEMA "doppel.receipt/1"

/* What the line of the audit says, too. */
static const char *const counts[] = {"persons_removed",  "photos_removed", "templates_removed",
                                     "vectors_searched", "vectors_left",   "strings_searched",
                                     "strings_left"};
enum { N_COUNTS = sizeof counts / sizeof counts[0] };

dpl_status dpli_receipt_secret(char secret[33], dpl_error *err)
{
    uint8_t bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "no random numbers from the system");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
    return DPL_OK;
}

/* Each string with its end, so that no two lists give the same bytes. */
dpl_status dpli_receipt_digest(char digest[65], const char *secret, const char *person,
                               const char *const *paths, size_t n_paths, dpl_error *err)
{
    dpli_sha256 sha;

    dpli_sha256_init(&sha);
    dpli_sha256_add(&sha, secret, strlen(secret) + 1);
    if (person)
        dpli_sha256_add(&sha, person, strlen(person) + 1);
    for (size_t i = 0; i < n_paths && !person; i++)
        dpli_sha256_add(&sha, paths[i], strlen(paths[i]) + 1);
    return dpli_sha256_hex(&sha, digest, err);
}

/* ------------------------------------------------------------------ made */

/* Names are bytes: what is no UTF-8 stands under KEY_base64, as in an export. */
static void put_bytes(json_t *object, const char *key, const char *bytes, bool *failed)
{
    json_t *text = json_string(bytes);
    dpli_buf base64 = {0};
    char key64[64];

    if (text) {
        *failed |= json_object_set_new(object, key, text) != 0;
        return;
    }
    snprintf(key64, sizeof key64, "%s_base64", key);
    dpli_buf_base64(&base64, bytes, strlen(bytes));
    *failed |= base64.failed || json_object_set_new(object, key64, json_string(base64.data)) != 0;
    dpli_buf_clear(&base64);
}

/* The caller's; NULL when there is no such text. */
static char *get_bytes(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    uint8_t *bytes = NULL;
    char key64[64], *copy;
    size_t n;

    if (text)
        return dpli_strdup(text, NULL);
    snprintf(key64, sizeof key64, "%s_base64", key);
    text = json_string_value(json_object_get(object, key64));
    if (!text || dpli_base64_decode(&bytes, &n, text, NULL) != DPL_OK)
        return NULL;
    copy = memchr(bytes, '\0', n) ? NULL : dpli_asprintf(NULL, "%.*s", (int)n, (char *)bytes);
    free(bytes);
    return copy;
}

static dpl_status no_memory(dpl_error *err)
{
    return dpli_fail(err, DPL_E_MEMORY, "no memory for a receipt");
}

/* The audit's line that a receipt is of. */
typedef struct finding {
    int64_t n;
    json_t *line; /* NULL: not met */
} finding;

static dpl_status find_line(void *ctx, const dpl_audit_line *line)
{
    finding *f = ctx;
    json_error_t why;
    bool is_short;

    if (line->n != f->n)
        return DPL_OK;
    f->line = dpli_json_read(&is_short, line->text, strlen(line->text), &why);
    return f->line ? DPL_OK : DPL_E_MEMORY;
}

static void put_facts(json_t *o, const dpl_forget_report *report, const json_t *line, bool *failed)
{
    json_t *audit = json_object();

    for (size_t i = 0; i < N_COUNTS; i++)
        *failed |= json_object_set(o, counts[i], json_object_get(line, counts[i])) != 0;
    *failed |= json_object_set_new(o, "secret", json_string(report->secret)) != 0;
    *failed |= json_object_set_new(audit, "n", json_integer(report->audit_n)) != 0;
    *failed |= json_object_set_new(audit, "hash", json_string(report->audit_hash)) != 0;
    *failed |= json_object_set_new(o, "audit", audit) != 0;
}

dpl_status dpl_forget_receipt(char **json, dpl_gallery *gallery, const dpl_forget_report *report,
                              const char *person, const char *const *paths, size_t n_paths,
                              dpl_error *err)
{
    finding f = {report->audit_n, NULL};
    json_t *o = NULL, *photos;
    dpl_audit_report audit;
    bool failed = false;
    dpl_status status;

    *json = NULL;
    if (!report->audit_n)
        return dpli_fail(err, DPL_E_ARGUMENT, "nothing was forgotten, or its line in the audit is "
                                              "still to be written");
    status = dpl_gallery_audit(&audit, gallery, find_line, &f, err);
    if (status == DPL_OK && !f.line)
        status = dpli_fail(err, DPL_E_GALLERY, "line %" PRId64 " of the audit is not there",
                           report->audit_n);
    if (status != DPL_OK)
        goto done;
    o = json_object();
    failed |= json_object_set_new(o, "schema", json_string(SCHEMA)) != 0;
    failed |= json_object_set(o, "time", json_object_get(f.line, "time")) != 0;
    failed |= json_object_set(o, "user", json_object_get(f.line, "user")) != 0;
    if (person)
        put_bytes(o, "person", person, &failed);
    photos = json_array();
    for (size_t i = 0; i < n_paths && !person; i++) {
        json_t *photo = json_object();

        put_bytes(photo, "path", paths[i], &failed);
        failed |= json_array_append_new(photos, photo) != 0;
    }
    failed |= json_object_set_new(o, "photos", photos) != 0;
    put_facts(o, report, f.line, &failed);
    *json = failed ? NULL : dpli_json_write(o, JSON_COMPACT);
    status = *json ? DPL_OK : no_memory(err);
done:
    json_decref(o);
    json_decref(f.line);
    return status;
}

/* ------------------------------------------------------------------ checked */

typedef struct receipt {
    json_t *object;
    char *person, **paths;
    size_t n_paths;
    const char *secret, *hash;
    int64_t n;
} receipt;

static void receipt_clear(receipt *r)
{
    json_decref(r->object);
    free(r->person);
    for (size_t i = 0; i < r->n_paths; i++)
        free(r->paths[i]);
    free(r->paths);
}

static dpl_status read_receipt(receipt *r, const char *bytes, size_t n_bytes, dpl_error *err)
{
    const json_t *audit, *photos;
    const char *schema;
    json_error_t where;
    bool is_short;

    memset(r, 0, sizeof *r);
    r->object = dpli_json_read(&is_short, bytes, n_bytes, &where);
    if (is_short)
        return no_memory(err);
    if (!r->object)
        return dpli_fail(err, DPL_E_INPUT, "no receipt: line %d: %s", where.line, where.text);
    schema = json_string_value(json_object_get(r->object, "schema"));
    if (!schema || strcmp(schema, SCHEMA) != 0)
        return dpli_fail(err, DPL_E_INPUT, "no receipt: its \"schema\" is not \"" SCHEMA "\"");
    audit = json_object_get(r->object, "audit");
    photos = json_object_get(r->object, "photos");
    r->secret = json_string_value(json_object_get(r->object, "secret"));
    r->hash = json_string_value(json_object_get(audit, "hash"));
    r->n = json_integer_value(json_object_get(audit, "n"));
    r->person = get_bytes(r->object, "person");
    if (!r->secret || !r->hash || r->n < 1 || (!r->person && json_array_size(photos) == 0))
        return dpli_fail(err, DPL_E_INPUT, "no receipt: \"secret\", \"audit\", or who was "
                                           "forgotten is missing");
    r->paths = dpli_calloc(json_array_size(photos) + 1, sizeof *r->paths, err);
    if (!r->paths)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < json_array_size(photos); i++) {
        char *path = get_bytes(json_array_get(photos, i), "path");

        if (!path)
            return dpli_fail(err, DPL_E_INPUT, "no receipt: photo %zu has no path", i + 1);
        r->paths[r->n_paths++] = path;
    }
    return DPL_OK;
}

/* "": the line says what the receipt says. */
static dpl_status compare(char why[256], const receipt *r, const json_t *line, dpl_error *err)
{
    const char *hash = json_string_value(json_object_get(line, "hash"));
    const char *said = json_string_value(json_object_get(line, "receipt"));
    char digest[65];
    const dpl_status status =
        dpli_receipt_digest(digest, r->secret, r->person, (const char *const *)r->paths,
                            r->n_paths, err);

    if (status != DPL_OK)
        return status;
    if (!hash || strcmp(hash, r->hash) != 0)
        snprintf(why, 256, "line %" PRId64 " of the audit is another one", r->n);
    else if (!said || strcmp(said, digest) != 0)
        snprintf(why, 256, "line %" PRId64 " of the audit is not about whom the receipt names",
                 r->n);
    for (size_t i = 0; i < N_COUNTS && !*why; i++)
        if (!json_equal(json_object_get(r->object, counts[i]), json_object_get(line, counts[i])))
            snprintf(why, 256, "line %" PRId64 " of the audit says something else of \"%s\"", r->n,
                     counts[i]);
    if (!*why &&
        !json_equal(json_object_get(r->object, "time"), json_object_get(line, "time")))
        snprintf(why, 256, "line %" PRId64 " of the audit is of another time", r->n);
    return DPL_OK;
}

dpl_status dpl_gallery_check_receipt(char why[256], dpl_gallery *gallery, const char *bytes,
                                     size_t n_bytes, dpl_error *err)
{
    dpl_audit_report audit;
    finding f = {0};
    receipt r;
    dpl_status status = read_receipt(&r, bytes, n_bytes, err);

    *why = '\0';
    f.n = r.n;
    if (status == DPL_OK)
        status = dpl_gallery_audit(&audit, gallery, find_line, &f, err);
    if (status != DPL_OK)
        goto done;
    if (f.line)
        status = compare(why, &r, f.line, err);
    else
        snprintf(why, 256, "the audit has no line %" PRId64, r.n);
    if (status == DPL_OK && !*why && audit.broken_at)
        snprintf(why, 256, "the audit is broken at line %" PRId64 ": %.180s", audit.broken_at,
                 audit.why);
done:
    json_decref(f.line);
    receipt_clear(&r);
    return status;
}
