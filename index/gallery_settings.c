/*
 * gallery_settings.c - what a gallery remembers of how it was made, the model that each of its
 * spaces belongs to, and what it counts.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "doppel/models.h"
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
    out->n_templates_text = counts.n_templates[DPLI_TEXT_SPACE];
    out->db_bytes = counts.n_bytes;
    out->n_faces_nobodys = counts.n_nobodys;
    return DPL_OK;
}

dpl_status dpl_gallery_count_people(int64_t *n_persons, dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;

    return s->ops->n_persons(s, n_persons, err);
}

dpl_status dpli_count_space(int64_t *n, dpl_gallery *gallery, int space, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpli_bound bound;
    dpl_status status = dpli_bound_model(&bound, gallery, &dpli_spaces[space], err);

    *n = 0;
    return status == DPL_OK && bound.id ? s->ops->n_vectors(s, n, bound.id, err) : status;
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

/* Of a gallery whose calibration is in its database: the file is as it is there, or is not. */
static dpl_status fetch_calibration(const char *path, const dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;
    uint8_t *bytes = NULL, *old = NULL;
    size_t n, n_old = 0;
    dpl_status status = s->ops->beside(s, &bytes, &n, DPLI_CALIBRATION_FILE, err);

    if (status == DPL_OK && !bytes) {
        if (unlink(path) != 0 && errno != ENOENT)
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot remove \"%s\"", path);
    } else if (status == DPL_OK && (dpli_file_read(&old, &n_old, path, n, NULL) != DPL_OK ||
                                    n_old != n || memcmp(old, bytes, n) != 0)) {
        status = dpli_file_replace(path, bytes, n, err);
    }
    free(old);
    free(bytes);
    return status;
}

dpl_status dpl_gallery_calibration(char **path, const dpl_gallery *gallery, dpl_error *err)
{
    struct stat st;
    dpl_status status = DPL_OK;

    *path = dpli_asprintf(err, "%s/" DPLI_CALIBRATION_FILE, gallery->store->folder);
    if (!*path)
        return DPL_E_MEMORY;
    if (gallery->store->ops->beside)
        status = fetch_calibration(*path, gallery, err);
    if (status != DPL_OK) {
        free(*path);
        *path = NULL;
        return status;
    }
    if (lstat(*path, &st) == 0) {
        if (S_ISREG(st.st_mode))
            return DPL_OK;
        status =
            dpli_fail(err, DPL_E_GALLERY, "\"%s\" is a link or a folder, not a calibration", *path);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        status = dpli_fail_errno(err, DPL_E_GALLERY, errno, "cannot look at \"%s\"", *path);
    }
    free(*path);
    *path = NULL;
    return status;
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
    if (b->path) {
        status = dpli_check_string("model's path", b->path, 0, DPLI_PATH_MAX_BYTES, err);
        if (status == DPL_OK)
            status = dpli_check_string("preset", b->preset, 1, DPLI_NAME_MAX_BYTES, err);
        if (status != DPL_OK)
            return status;
        if (!dpli_is_utf8(b->path) || !dpli_is_utf8(b->preset))
            return dpli_fail(err, DPL_E_ARGUMENT, "the model's path or preset is not UTF-8");
    }
    if (b->dim < 1 || b->dim > DPLI_DIM_MAX)
        return dpli_fail(err, DPL_E_LIMIT, "the model's vectors have %d numbers, limit is %d",
                         (int)b->dim, DPLI_DIM_MAX);
    return DPL_OK;
}

dpl_status dpli_bind_inside(dpl_gallery *gallery, const dpli_binding *b, dpl_error *err)
{
    char key[DPLI_MODEL_KEY], dim_text[16];
    const char *const facts[][2] = {{"hash", b->hash}, {"name", b->name}, {"head", b->head},
                                    {"dim", dim_text}, {"path", b->path}, {"preset", b->preset}};
    const size_t n_facts = b->path ? 6 : 4;
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
            status =
                dpli_fail(err, DPL_E_MISMATCH,
                          "the %s vectors of gallery \"%s\" were made by model \"%s\" "
                          "(%.12s, %d numbers), not by \"%s\" (%.12s, %d numbers); " DPLI_WAY_OUT,
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
    /* The rest does not change a vector, so the latest counts. A reader has nothing to record. */
    snprintf(dim_text, sizeof dim_text, "%d", (int)b->dim);
    for (size_t i = 0; i < n_facts && s->writing && status == DPL_OK; i++) {
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

/* What another run is to find the model by, freed by free(): its name when it is one that comes
 * with doppel, wherever that is installed then, else its absolute path. *path NULL: by nothing that
 * a setting can hold. Links stay, as a sidecar lies beside the name that was given. */
static dpl_status model_path(char **path, const char *given, dpl_error *err)
{
    const char *slash = strrchr(given, '/');
    const char *name = slash ? slash + 1 : given;
    char *ours = NULL, *cwd = NULL;
    const bool comes_with_us =
        dpl_models_find(&ours, name, NULL) == DPL_OK && strcmp(ours, given) == 0;

    free(ours);
    *path = NULL;
    if (!dpli_is_utf8(given))
        return DPL_OK;
    if (comes_with_us || given[0] == '/') {
        *path = dpli_strdup(comes_with_us ? name : given, err);
        return *path ? DPL_OK : DPL_E_MEMORY;
    }
    while (strncmp(given, "./", 2) == 0)
        given += 2;
    cwd = getcwd(NULL, 0);
    if (!cwd || !dpli_is_utf8(cwd)) {
        free(cwd);
        return DPL_OK;
    }
    *path = dpli_asprintf(err, "%s/%s", cwd, given);
    free(cwd);
    return *path ? DPL_OK : DPL_E_MEMORY;
}

/* *path is the caller's, and the binding's. */
static dpl_status binding_of(dpli_binding *binding, char **path, const dpl_encoder *encoder,
                             dpl_error *err)
{
    const char *name = dpl_encoder_fact(encoder, "name"), *head = dpl_encoder_fact(encoder, "head");
    const char *preset = dpl_encoder_preset(encoder);
    dpl_status status = model_path(path, dpl_encoder_path(encoder), err);

    *binding = (dpli_binding){
        .space = dpl_encoder_space(encoder),
        .hash = dpl_encoder_hash(encoder),
        .name = name ? name : "",
        .head = head ? head : "cosine",
        .dim = dpl_encoder_dim(encoder),
        .path = *path,
        .preset = preset ? preset : "",
    };
    return status;
}

dpl_status dpl_gallery_bind(dpl_gallery *gallery, const dpl_encoder *encoder, dpl_error *err)
{
    dpli_binding binding;
    char *path;
    dpl_status status = binding_of(&binding, &path, encoder, err);

    if (status == DPL_OK)
        status = dpli_gallery_bind(gallery, &binding, err);
    free(path);
    return status;
}

/* *path and *merges are the caller's, and the binding's. */
static dpl_status binding_of_text(dpli_binding *binding, char **path, char **merges,
                                  const dpl_text_encoder *encoder, dpl_error *err)
{
    const char *name = dpl_text_encoder_fact(encoder, "name");
    const char *head = dpl_text_encoder_fact(encoder, "head");
    dpl_status status = model_path(path, dpl_text_encoder_path(encoder), err);

    *merges = NULL;
    /* What the model's file does not say is in its list of merges: its preset, as it were. */
    if (status == DPL_OK && dpl_text_encoder_merges_path(encoder))
        status = model_path(merges, dpl_text_encoder_merges_path(encoder), err);
    *binding = (dpli_binding){
        .space = dpli_spaces[DPLI_TEXT_SPACE].name,
        .hash = dpl_text_encoder_hash(encoder),
        .name = name ? name : "",
        .head = head ? head : "cosine",
        .dim = dpl_text_encoder_dim(encoder),
        .path = *path,
        .preset = *merges ? *merges : "",
    };
    return status;
}

dpl_status dpl_gallery_bind_text(dpl_gallery *gallery, const dpl_text_encoder *encoder,
                                 dpl_error *err)
{
    dpli_binding binding;
    char *path, *merges;
    dpl_status status = binding_of_text(&binding, &path, &merges, encoder, err);

    if (status == DPL_OK)
        status = dpli_gallery_bind(gallery, &binding, err);
    free(path);
    free(merges);
    return status;
}

static dpl_status rebind(int64_t *model_id, dpl_gallery *gallery, const dpli_binding *binding,
                         dpl_error *err)
{
    dpli_store *s = gallery->store;
    char key[DPLI_MODEL_KEY];
    dpl_status status =
        s->ops->change_model(s, model_id, binding->space, binding->hash, binding->dim, err);

    dpli_model_key(key, binding->space, "hash");
    if (status == DPL_OK)
        status = s->ops->set_setting(s, key, binding->hash, err);
    return status == DPL_OK ? dpli_bind_inside(gallery, binding, err) : status;
}

dpl_status dpli_rebind_inside(int64_t *model_id, dpl_gallery *gallery, const dpl_encoder *encoder,
                              dpl_error *err)
{
    dpli_binding binding;
    char *path;
    dpl_status status = binding_of(&binding, &path, encoder, err);

    if (status == DPL_OK)
        status = rebind(model_id, gallery, &binding, err);
    free(path);
    return status;
}

dpl_status dpli_rebind_text_inside(int64_t *model_id, dpl_gallery *gallery,
                                   const dpl_text_encoder *encoder, dpl_error *err)
{
    dpli_binding binding;
    char *path, *merges;
    dpl_status status = binding_of_text(&binding, &path, &merges, encoder, err);

    if (status == DPL_OK)
        status = rebind(model_id, gallery, &binding, err);
    free(path);
    free(merges);
    return status;
}

dpl_status dpli_bound_hash(char **hash, dpl_gallery *gallery, const char *space, dpl_error *err)
{
    return model_fact(hash, gallery, space, "hash", err);
}

/* Within a transaction. */
static dpl_status fits(dpl_gallery *gallery, const dpl_encoder *encoder, dpl_error *err)
{
    dpli_store *s = gallery->store;
    const char *space = dpl_encoder_space(encoder), *held = space;
    char *hash = NULL, *name = NULL;
    bool any = false, here;
    dpl_status status = s->ops->has_templates(s, &here, space, err);

    for (int i = 0; i < DPLI_N_SPACES && !here && status == DPL_OK; i++) {
        bool there = false;

        if (!dpli_spaces[i].is_text)
            status = s->ops->has_templates(s, &there, dpli_spaces[i].name, err);
        if (there)
            held = dpli_spaces[i].name;
        any |= there;
    }
    if (status != DPL_OK || (!any && !here))
        return status;
    status = model_fact(&hash, gallery, held, "hash", err);
    if (status == DPL_OK)
        status = model_fact(&name, gallery, held, "name", err);
    if (status == DPL_OK && (!here || (hash && strcmp(hash, dpl_encoder_hash(encoder)) != 0)))
        status =
            dpli_fail(err, DPL_E_MISMATCH,
                      "gallery \"%.150s\" was made by model \"%.60s\" (%s vectors %.12s), not by "
                      "\"%.150s\" (%s vectors %.12s); " DPLI_WAY_OUT,
                      gallery->dir, name ? name : "", held, hash ? hash : "",
                      dpl_encoder_path(encoder), space, dpl_encoder_hash(encoder));
    free(hash);
    free(name);
    return status;
}

dpl_status dpli_gallery_fits(dpl_gallery *gallery, const dpl_encoder *encoder, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->begin(s, false, err);

    return status == DPL_OK ? s->ops->end(s, fits(gallery, encoder, err), err) : status;
}
