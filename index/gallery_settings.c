/*
 * gallery_settings.c - what a gallery remembers of how it was made, the model that each of its
 * spaces belongs to, and what it counts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "index/gallery.h"

dpl_status dpl_gallery_count(dpl_gallery_counts *out, dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpli_counts counts;
    dpl_status status = s->ops->count(s, &counts, err);

    memset(out, 0, sizeof *out);
    if (status != DPL_OK)
        return status;
    out->n_persons = counts.n_persons;
    out->n_photos = counts.n_photos;
    out->n_failed = counts.n_failed;
    out->n_templates_face = counts.n_templates[DPLI_FACE_SPACE];
    out->n_templates_image = counts.n_templates[DPLI_IMAGE_SPACE];
    out->db_bytes = counts.n_bytes;
    return DPL_OK;
}

/* ------------------------------------------------------------------ settings */

dpl_status dpl_gallery_setting(const char **value, dpl_gallery *gallery, const char *key,
                               dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status;

    free(gallery->setting);
    status = s->ops->setting(s, &gallery->setting, key, err);
    *value = gallery->setting;
    return status;
}

dpl_status dpli_remember_inside(dpl_gallery *gallery, const char *key, const char *value,
                                dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *old = NULL;
    dpl_status status;
    bool any;

    status = dpli_check_string("setting's key", key, 0, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("setting's value", value, 1, DPLI_SETTING_MAX_BYTES, err);
    if (status != DPL_OK)
        return status;
    if (!dpli_is_utf8(key) || !dpli_is_utf8(value))
        return dpli_fail(err, DPL_E_ARGUMENT, "setting \"%s\" is not UTF-8", key);
    if (strncmp(key, "model.", 6) == 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "setting \"%s\" is set by binding a model only", key);
    status = s->ops->setting(s, &old, key, err);
    if (status != DPL_OK)
        goto done;
    if (old && strcmp(old, value) == 0)
        goto done;
    status = s->ops->has_templates(s, &any, NULL, err);
    if (status != DPL_OK)
        goto done;
    if (old && any) {
        status = dpli_fail(err, DPL_E_MISMATCH,
                           "gallery \"%s\" was made with %s \"%.100s\", not \"%.100s\"",
                           gallery->dir, key, old, value);
        goto done;
    }
    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = s->ops->set_setting(s, key, value, err);
done:
    free(old);
    return status;
}

dpl_status dpl_gallery_remember(dpl_gallery *gallery, const char *key, const char *value,
                                dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->begin(s, s->writing, err);

    if (status != DPL_OK)
        return status;
    return dpli_end_change(gallery, dpli_remember_inside(gallery, key, value, err), err);
}

/* ------------------------------------------------------------------ models */

void dpli_model_key(char key[DPLI_MODEL_KEY], const char *space, const char *fact)
{
    snprintf(key, DPLI_MODEL_KEY, "model.%s.%s", space, fact);
}

static dpl_status model_fact(char **value, dpl_gallery *gallery, const char *space,
                             const char *fact, dpl_error *err)
{
    dpli_store *s = gallery->store;
    char key[DPLI_MODEL_KEY];

    dpli_model_key(key, space, fact);
    return s->ops->setting(s, value, key, err);
}

dpl_status dpli_bound_model(dpli_bound *out, dpl_gallery *gallery, const dpli_space *space,
                            dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *hash = NULL, *head = NULL;
    int64_t dim = 0;
    dpl_status status;

    *out = (dpli_bound){0};
    status = model_fact(&hash, gallery, space->name, "hash", err);
    if (status != DPL_OK || !hash)
        goto done;
    status = s->ops->find_model(s, &out->id, &dim, space->name, hash, err);
    if (status != DPL_OK || !out->id)
        goto done;
    status = model_fact(&head, gallery, space->name, "head", err);
    if (status != DPL_OK)
        goto done;
    if (dim < 1 || dim > DPLI_DIM_MAX)
        status =
            dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its %s model has dimension %" PRId64,
                      s->name, space->name, dim);
    out->dim = (int32_t)dim;
    out->by_cosine = head && strcmp(head, "cosine") == 0;
done:
    free(hash);
    free(head);
    if (status != DPL_OK)
        *out = (dpli_bound){0};
    return status;
}

static dpl_status check_binding(const dpli_space **space, const dpli_binding *b, dpl_error *err)
{
    dpl_status status;

    status = dpli_space_need(space, b->space, err);
    if (status == DPL_OK)
        status = dpli_check_sha256("model's hash", b->hash, err);
    if (status == DPL_OK)
        status = dpli_check_string("model's name", b->name, 1, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("model's head", b->head, 1, DPLI_NAME_MAX_BYTES, err);
    if (status != DPL_OK)
        return status;
    if (!dpli_is_utf8(b->name) || !dpli_is_utf8(b->head))
        return dpli_fail(err, DPL_E_ARGUMENT, "the model's name or head is not UTF-8");
    if (b->dim < 1 || b->dim > DPLI_DIM_MAX)
        return dpli_fail(err, DPL_E_LIMIT, "the model's vectors have %d numbers, limit is %d",
                         (int)b->dim, DPLI_DIM_MAX);
    return DPL_OK;
}

dpl_status dpli_bind_inside(dpl_gallery *gallery, const dpli_binding *b, dpl_error *err)
{
    char key[DPLI_MODEL_KEY], dim_text[16];
    const char *const facts[4][2] = {
        {"hash", b->hash}, {"name", b->name}, {"head", b->head}, {"dim", dim_text}};
    dpli_store *s = gallery->store;
    char *hash = NULL, *name = NULL;
    const dpli_space *space;
    dpli_bound bound;
    dpl_status status = check_binding(&space, b, err);
    bool any;

    if (status != DPL_OK)
        return status;
    status = model_fact(&hash, gallery, space->name, "hash", err);
    if (status == DPL_OK)
        status = dpli_bound_model(&bound, gallery, space, err);
    if (status == DPL_OK)
        status = s->ops->has_templates(s, &any, space->name, err);
    if (status != DPL_OK)
        goto done;
    if (!hash || !bound.id || strcmp(hash, b->hash) != 0 || bound.dim != b->dim) {
        if (any) {
            status = model_fact(&name, gallery, space->name, "name", err);
            if (status != DPL_OK)
                goto done;
            status = dpli_fail(err, DPL_E_MISMATCH,
                               "the %s vectors of gallery \"%s\" were made by model \"%s\" "
                               "(%.12s, %d numbers), not by \"%s\" (%.12s, %d numbers)",
                               b->space, gallery->dir, name ? name : "", hash ? hash : "",
                               (int)bound.dim, b->name, b->hash, (int)b->dim);
            goto done;
        }
        if (s->writing) {
            status = s->ops->set_model(s, space->name, b->hash, b->dim, err);
            if (status != DPL_OK)
                goto done;
        }
    }
    /* Name and head do not change a vector, so the latest counts. A reader has nothing to record.
     */
    snprintf(dim_text, sizeof dim_text, "%d", (int)b->dim);
    for (size_t i = 0; i < 4 && s->writing && status == DPL_OK; i++) {
        dpli_model_key(key, space->name, facts[i][0]);
        status = s->ops->set_setting(s, key, facts[i][1], err);
    }
done:
    free(hash);
    free(name);
    return status;
}

dpl_status dpli_gallery_bind(dpl_gallery *gallery, const dpli_binding *binding, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->begin(s, s->writing, err);

    if (status != DPL_OK)
        return status;
    return dpli_end_change(gallery, dpli_bind_inside(gallery, binding, err), err);
}

dpl_status dpl_gallery_bind(dpl_gallery *gallery, const dpl_encoder *encoder, dpl_error *err)
{
    const char *name = dpl_encoder_fact(encoder, "name"), *head = dpl_encoder_fact(encoder, "head");
    dpli_binding binding = {
        .space = dpl_encoder_space(encoder),
        .hash = dpl_encoder_hash(encoder),
        .name = name ? name : "",
        .head = head ? head : "cosine",
        .dim = dpl_encoder_dim(encoder),
    };

    return dpli_gallery_bind(gallery, &binding, err);
}
