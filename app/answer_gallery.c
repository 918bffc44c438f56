/*
 * answer_gallery.c - the answers of the commands that look after a gallery as JSON.
 */
#include "app/answer_gallery.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"

json_t *list_json(const dpl_person *person)
{
    json_t *object = json_answer("list");

    json_put_text(&object, "person", person->name);
    json_put_int(&object, "n_photos", person->n_photos);
    json_put_int(&object, "n_templates", person->n_templates);
    return object;
}

json_t *info_photo_json(const dpl_photo_row *row)
{
    json_t *object = json_answer("info");

    json_put_text(&object, "photo", row->path);
    json_put_text(&object, "person", row->status == DPL_OK ? row->person : NULL);
    json_put_status(&object, row->status, row->status != DPL_OK ? row->reason : NULL);
    if (row->status == DPL_OK && row->reason[0])
        json_put_text(&object, "note", row->reason);
    if (row->sha256[0])
        json_put_text(&object, "sha256", row->sha256);
    json_put_int(&object, "bytes", row->size_bytes);
    json_put_int(&object, "width_px", row->width_px);
    json_put_int(&object, "height_px", row->height_px);
    json_put_int(&object, "n_faces", row->n_faces);
    json_put_int(&object, "enrolled_unix_s", row->enrolled_unix_s);
    if (dpl_photo_is_from_thumbnail(row))
        json_put_bool(&object, "from_thumbnail", true);
    if (row->unreadable_since_unix_s) {
        json_put_int(&object, "unreadable_since_unix_s", row->unreadable_since_unix_s);
        json_put_text(&object, "unreadable_reason", row->unreadable_reason);
    }
    return object;
}

json_t *info_template_json(int32_t number, const dpl_template_row *row)
{
    json_t *object = row->is_face ? json_face(number, &row->face) : json_object();

    json_put_int(&object, "template", row->id);
    json_put_text(&object, "person", row->person);
    if (row->by_hand)
        json_put_bool(&object, "by_hand", true);
    json_put_text(&object, "space", row->space);
    json_put_text(&object, "caption", row->caption);
    json_put_text(&object, "caption_source", row->caption_source);
    json_put_text(&object, "vectors", row->model_hash);
    json_put_int(&object, "dim", row->dim);
    return object;
}

static json_t *model_json(const gallery_model *m)
{
    json_t *model = json_object(), *hashes = json_object();

    json_put_text(&hashes, "vectors", m->vectors);
    json_put_text(&model, "name", m->name);
    json_put(&model, "hashes", hashes);
    json_put_text(&model, "path", m->path);
    if (m->preset && m->preset[0])
        json_put_text(&model, "preset", m->preset);
    json_put_text(&model, "metric", m->head);
    if (m->dim)
        json_put_int(&model, "dim", strtoll(m->dim, NULL, 10));
    return model;
}

static json_t *index_json(const dpl_index_info *is)
{
    json_t *index = json_object();

    json_put_bool(&index, "exact", is->exact);
    json_put_text(&index, "index", is->exact ? "flat" : "hnsw");
    json_put_real(&index, "recall", is->recall);
    json_put_int(&index, "n_templates", is->n_templates);
    json_put_int(&index, "bytes", is->n_bytes);
    if (is->exact_ms > 0) {
        json_put_real(&index, "search_ms", is->search_ms);
        json_put_real(&index, "exact_ms", is->exact_ms);
    }
    return index;
}

json_t *info_gallery_json(const gallery_facts *f)
{
    const dpl_gallery_counts *c = &f->counts;
    json_t *object = json_answer("info"), *models = json_object(), *indexes = json_object();

    json_put_text(&object, "gallery", f->dir);
    json_put_int(&object, "n_persons", c->n_persons);
    json_put_int(&object, "n_photos", c->n_photos);
    json_put_int(&object, "n_templates_face", c->n_templates_face);
    json_put_int(&object, "n_faces_nobodys", c->n_faces_nobodys);
    json_put_int(&object, "n_templates_image", c->n_templates_image);
    json_put_int(&object, "n_templates_text", c->n_templates_text);
    json_put_int(&object, "n_failed", c->n_failed);
    json_put_int(&object, "db_bytes", c->db_bytes);
    json_put_int(&object, "index_bytes", f->index_bytes);
    for (size_t i = 0; i < f->n_indexes; i++)
        if (f->indexes[i].is.n_templates > 0)
            json_put(&indexes, f->indexes[i].space, index_json(&f->indexes[i].is));
    json_put(&object, "indexes", indexes);
    if (f->near) {
        json_t *near = json_object();

        json_put_bool(&near, "pgvector", f->near->is_there);
        json_put_int(&near, "n_templates", f->near->n_templates);
        if (f->near->n_templates > 0)
            json_put_real(&near, "recall", f->near->recall);
        json_put(&object, "near", near);
    }
    json_put_statuses(&object, "failed_by", f->n_by_status);
    if (f->n_from_thumbnail)
        json_put_int(&object, "n_from_thumbnail", f->n_from_thumbnail);
    json_put_text(&object, "detect", f->detect);
    for (size_t i = 0; i < f->n_models; i++)
        if (f->models[i].vectors)
            json_put(&models, f->models[i].space, model_json(&f->models[i]));
    json_put(&object, "models", models);
    return object;
}

json_t *rename_json(const char *from, const char *to)
{
    json_t *object = json_answer("rename");

    json_put_text(&object, "from", from);
    json_put_text(&object, "to", to);
    return object;
}

static json_t *face_answer(const char *command, const char *photo, int32_t face,
                           int64_t template_id, const char *from)
{
    json_t *object = json_answer(command);

    json_put_text(&object, "photo", photo);
    json_put_int(&object, "face", face);
    json_put_int(&object, "template", template_id);
    json_put_text(&object, "from", from);
    return object;
}

json_t *assign_json(const char *photo, int32_t face, int64_t template_id, const char *from,
                    const char *to, bool dry_run)
{
    json_t *object = face_answer("assign", photo, face, template_id, from);

    json_put_text(&object, "to", to);
    json_put_bool(&object, "dry_run", dry_run);
    return object;
}

json_t *reject_json(const char *photo, int32_t face, int64_t template_id, const char *from,
                    const char *not_to, bool dry_run)
{
    json_t *object = face_answer("reject", photo, face, template_id, from);

    json_put_text(&object, "not", not_to);
    json_put_bool(&object, "dry_run", dry_run);
    return object;
}

json_t *reject_from_group_json(const char *photo, int32_t face, int64_t template_id, int64_t group,
                               bool dry_run)
{
    json_t *object = face_answer("reject", photo, face, template_id, NULL);

    json_put_int(&object, "group", group);
    json_put_bool(&object, "dry_run", dry_run);
    return object;
}

json_t *set_apart_json(const char *a, const char *b, bool dry_run)
{
    json_t *object = json_answer("reject"), *people = json_array();
    const char *const names[] = {a, b};

    for (int i = 0; i < 2; i++) {
        json_t *person = json_object();

        json_put_text(&person, "person", names[i]);
        json_add(&people, person);
    }
    json_put(&object, "people", people);
    json_put_bool(&object, "dry_run", dry_run);
    return object;
}

json_t *merge_json(const char *from, const char *into, const dpl_merge_report *report,
                   const dpl_calibration *calibration, const dpl_comparison *alike, bool dry_run)
{
    json_t *object = json_answer("merge");

    json_put_text(&object, "from", from);
    json_put_text(&object, "into", into);
    json_put_bool(&object, "dry_run", dry_run);
    if (report) {
        json_put_int(&object, "n_photos", report->n_photos);
        json_put_int(&object, "n_faces", report->n_faces);
        json_put_int(&object, "n_meant", report->n_meant);
    }
    if (alike) {
        json_put_comparison(&object, calibration, alike);
        json_put_decision(&object, alike->decision);
    }
    return object;
}

json_t *forget_json(const char *person, const char *const *paths, size_t n_paths, bool dry_run,
                    const dpl_forget_report *report)
{
    json_t *object = json_answer("forget"), *photos = person ? NULL : json_array();

    for (size_t i = 0; i < n_paths; i++) {
        json_t *photo = json_object();

        json_put_text(&photo, "photo", paths[i]);
        json_add(&photos, photo);
    }
    if (person)
        json_put_text(&object, "person", person);
    else
        json_put(&object, "photos", photos);
    json_put_bool(&object, "dry_run", dry_run);
    json_put_int(&object, "n_photos", report->n_photos);
    json_put_int(&object, "n_photos_kept", report->n_photos_kept);
    json_put_int(&object, "n_templates", report->n_templates);
    if (!dry_run) {
        json_put_int(&object, "n_left", report->n_left);
        json_put_int(&object, "n_strings", report->n_strings);
        json_put_int(&object, "n_strings_left", report->n_strings_left);
        if (report->left_in[0])
            json_put_text(&object, "left_in", report->left_in);
        json_put_int(&object, "audit_n", report->audit_n);
        json_put_text(&object, "audit_hash", report->audit_hash);
    }
    return object;
}

json_t *export_json(const dpl_gallery_counts *counts)
{
    json_t *object = json_answer("export");

    json_put_int(&object, "n_persons", counts->n_persons);
    json_put_int(&object, "n_photos", counts->n_photos);
    return object;
}

json_t *undo_json(const dpl_change *c, bool done)
{
    json_t *object = json_answer("undo");

    json_put_text(&object, "change", c->what);
    json_put_bool(&object, "dry_run", !done);
    json_put_int(&object, "made_unix_s", c->made_unix_s);
    json_put_int(&object, "n_persons_added", c->n_persons_added);
    json_put_int(&object, "n_persons_changed", c->n_persons_changed);
    json_put_int(&object, "n_persons_removed", c->n_persons_removed);
    json_put_int(&object, "n_photos_added", c->n_photos_added);
    json_put_int(&object, "n_photos_changed", c->n_photos_changed);
    json_put_int(&object, "n_photos_removed", c->n_photos_removed);
    json_put_int(&object, "n_templates_added", c->n_templates_added);
    json_put_int(&object, "n_templates_removed", c->n_templates_removed);
    json_put_int(&object, "n_owners_changed", c->n_owners_changed);
    return object;
}

json_t *import_json(int64_t n_photos, int64_t n_templates)
{
    json_t *object = json_answer("import");

    json_put_int(&object, "n_photos", n_photos);
    json_put_int(&object, "n_templates", n_templates);
    return object;
}

json_t *check_damage_json(const dpl_damage *damage)
{
    json_t *object = json_answer("check");

    json_put_text(&object, "part", damage->part);
    json_put_text(&object, "photo", damage->photo);
    json_put_text(&object, "damage", damage->message);
    return object;
}

json_t *check_repair_json(const dpl_repair_event *event)
{
    json_t *object = json_answer("check");

    json_put_text(&object, "photo", event->photo);
    json_put_text(&object, "result",
                  event->mended    ? "mended"
                  : event->dropped ? "dropped"
                                   : "left");
    json_put_text(&object, "message", event->message);
    return object;
}

json_t *check_json(const dpl_check_report *report, const dpl_repair_report *repair,
                   const dpl_doubts_report *doubts)
{
    json_t *object = json_answer("check");

    json_put_int(&object, "n_persons", report->n_persons);
    json_put_int(&object, "n_photos", report->n_photos);
    json_put_int(&object, "n_templates", report->n_templates);
    json_put_int(&object, "n_snapshots", report->n_snapshots);
    json_put_int(&object, "n_damaged", report->n_damaged);
    if (repair) {
        json_put_int(&object, "n_mended", repair->n_mended);
        json_put_int(&object, "n_dropped", repair->n_dropped);
        json_put_int(&object, "n_left", repair->n_left);
    }
    if (doubts) {
        json_put_int(&object, "n_doubts", doubts->n_doubts);
        json_put_int(&object, "n_references", doubts->n_references);
        json_put_int(&object, "n_references_left", doubts->n_references_left);
        json_put_int(&object, "n_people_left", doubts->n_people_left);
    }
    return object;
}
