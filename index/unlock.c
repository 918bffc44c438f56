/*
 * unlock.c - which key file is a gallery's, and its store opened by it.
 *
 * The gallery notes the id of its ring. A rekey writes the new ring beside the old one, commits,
 * and only then renames it: whichever of the two the gallery notes is the one, and a writer puts
 * right what a kill has left.
 */
#include "index/unlock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/gallery.h"
#include "index/store_sealed.h"

void dpl_key_options_init(dpl_key_options *key, size_t struct_size)
{
    const dpl_key_options defaults = DPL_KEY_OPTIONS_INIT;

    memset(key, 0, struct_size);
    memcpy(key, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
    key->struct_size = struct_size;
}

char *dpli_key_path(const char *dir, const dpl_key_options *key, dpl_error *err)
{
    return key && key->key_file ? dpli_strdup(key->key_file, err)
                                : dpli_asprintf(err, "%s/" DPLI_SEALED_KEYS, dir);
}

char *dpli_key_path_aside(const char *path, dpl_error *err)
{
    return dpli_asprintf(err, "%s.new", path);
}

dpl_status dpli_take_secret(uint8_t **bytes, size_t *n, const dpl_key_options *key,
                            const char *file, dpl_error *err)
{
    dpl_status status = DPL_OK;

    *bytes = NULL;
    *n = 0;
    if (!key || (!key->secret && !key->ask))
        return DPL_OK;
    if (key->secret && (key->n_secret == 0 || key->n_secret > DPL_SECRET_MAX_BYTES))
        return dpli_fail(err, DPL_E_ARGUMENT, "a secret of %zu bytes; it has 1 to %d",
                         key->n_secret, DPL_SECRET_MAX_BYTES);
    status = dpli_secret_start(err);
    *bytes = status == DPL_OK ? dpli_secret_alloc(DPL_SECRET_MAX_BYTES, err) : NULL;
    if (!*bytes)
        return status == DPL_OK ? DPL_E_MEMORY : status;
    if (key->secret) {
        memcpy(*bytes, key->secret, key->n_secret);
        *n = key->n_secret;
    } else {
        status = key->ask(key->ctx, file, *bytes, DPL_SECRET_MAX_BYTES, n, err);
        if (status == DPL_OK && (*n == 0 || *n > DPL_SECRET_MAX_BYTES))
            status = dpli_fail(err, DPL_E_ARGUMENT, "the passphrase is empty, or too long");
    }
    if (status != DPL_OK) {
        dpli_secret_free(*bytes);
        *bytes = NULL;
    }
    return status;
}

/* ------------------------------------------------------------------ which file */

typedef struct finding {
    const uint8_t *id;
    char *path, *aside; /* the caller's */
    bool is_aside;      /* the right one is the one beside */
    bool other_is_there;
    dpli_ring_head head;
} finding;

/* DPL_E_NOT_FOUND without a message: none of the two is the gallery's. */
static dpl_status find_file(finding *f, dpl_error *err)
{
    dpl_error first = {DPL_OK, ""};
    bool found = false;

    for (int i = 0; i < 2; i++) {
        dpl_error why = {DPL_OK, ""};
        dpli_ring_head head;
        const dpl_status status = dpli_ring_peek(&head, i ? f->aside : f->path, &why);

        if (status == DPL_E_NOT_FOUND)
            continue;
        /* Half of a file beside is no fault: its writing was cut short. Nor is half of this one
           where the right one is beside: its removal was. */
        if (status != DPL_OK && i == 0)
            first = why;
        if (status == DPL_OK && !found && memcmp(head.id, f->id, sizeof head.id) == 0) {
            found = true;
            f->is_aside = i == 1;
            f->head = head;
        } else {
            f->other_is_there = true;
        }
    }
    if (!found && first.status != DPL_OK)
        return dpli_fail(err, first.status, "%s", first.message);
    return found ? DPL_OK : DPL_E_NOT_FOUND;
}

static dpl_status no_key(const finding *f, const char *dir, const dpl_key_options *key,
                         dpl_error *err)
{
    if (f->other_is_there)
        return dpli_fail(
            err, DPL_E_GALLERY,
            "the key in \"%s\" is not that of gallery \"%s\": it is another gallery's, "
            "or one that it had before",
            f->path, dir);
    if (key && key->key_file)
        return dpli_fail(err, DPL_E_GALLERY,
                         "gallery \"%s\" is encrypted, and there is no key file "
                         "\"%s\"",
                         dir, f->path);
    return dpli_fail(
        err, DPL_E_GALLERY,
        "gallery \"%s\" is encrypted, and its key is in a file of its own that was not "
        "named (--key-file)",
        dir);
}

/* A rekey was cut short after its transaction, or before it. */
static void put_right(const finding *f)
{
    if (f->is_aside) {
        dpli_ring_shred(f->path);
        if (rename(f->aside, f->path) != 0)
            return; /* the next one tries again */
    } else if (f->other_is_there) {
        dpli_ring_shred(f->aside);
    }
}

static dpl_status read_ring(dpli_ring **ring, const finding *f, const char *dir,
                            const dpl_key_options *key, dpl_error *err)
{
    const char *path = f->is_aside ? f->aside : f->path;
    dpli_ring_secret secret = {NULL, 0};
    uint8_t *bytes = NULL;
    bool wrong;
    dpl_status status = DPL_OK;

    if (f->head.has_secret) {
        status = dpli_take_secret(&bytes, &secret.n, key, path, err);
        secret.bytes = bytes;
        if (status == DPL_OK && !bytes)
            status = dpli_fail(err, DPL_E_GALLERY,
                               "gallery \"%s\" is encrypted, and its passphrase was not given "
                               "(--passphrase-file, or a terminal to type it on)",
                               dir);
    }
    if (status == DPL_OK)
        status = dpli_ring_read(ring, &wrong, path, &secret, err);
    dpli_secret_free(bytes);
    return status;
}

dpl_status dpli_unlock(dpli_store **store, const char *dir, const dpl_key_options *key,
                       const dpl_gallery *other, dpl_error *err)
{
    dpl_key_options ours = DPL_KEY_OPTIONS_INIT;
    dpli_store *inner = *store;
    uint8_t id[DPLI_RING_ID_BYTES];
    dpli_sealed_form form;
    finding f = {.id = id};
    dpli_ring *ring = NULL;
    char *mark = NULL;
    dpl_status status = DPL_OK;

    if (key)
        status = dpli_options(&ours, sizeof ours, key, "key", err);
    if (status == DPL_OK)
        status = inner->ops->setting(inner, &mark, DPLI_SEALED_SETTING, err);
    if (status != DPL_OK || !mark)
        goto done;
    if (!dpli_sealed_mark_read(id, &form, mark)) {
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" is damaged: what it says of its key is not what was written",
                           inner->name);
        goto done;
    }
    if (other && dpli_store_is_sealed(other->store)) {
        dpli_store_sealed *s = dpli_sealed_of(other->store);

        f.path = dpli_strdup(s->path, err);
        status = f.path ? dpli_ring_copy(&ring, s->ring, err) : DPL_E_MEMORY;
    } else {
        f.path = dpli_key_path(dir, &ours, err);
        f.aside = f.path ? dpli_key_path_aside(f.path, err) : NULL;
        status = f.aside ? find_file(&f, err) : DPL_E_MEMORY;
        if (status == DPL_E_NOT_FOUND)
            status = no_key(&f, dir, &ours, err);
        if (status == DPL_OK)
            status = read_ring(&ring, &f, dir, &ours, err);
        if (status == DPL_OK && inner->writing)
            put_right(&f);
    }
    if (status == DPL_OK)
        status = dpli_store_sealed_open(store, &inner, &ring, f.path, true, err);
    /* Still whoever's it was. */
    if (status != DPL_OK)
        *store = inner;
done:
    dpli_ring_free(ring);
    free(mark);
    free(f.path);
    free(f.aside);
    return status;
}

void dpl_gallery_encryption(dpl_encryption *out, const dpl_gallery *gallery)
{
    memset(out, 0, sizeof *out);
    if (dpli_store_is_sealed(gallery->store)) {
        const dpli_store_sealed *s = dpli_sealed_of(gallery->store);

        out->is_encrypted = true;
        out->has_secret = dpli_ring_told(s->ring)->has_secret;
        out->key_file = s->path;
    }
}
