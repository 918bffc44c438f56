/*
 * answer_group.c - the answers of `group` and `name` as JSON.
 */
#include "app/answer_group.h"

#include "app/json.h"

json_t *group_json(const dpl_group_row *row, const dpl_calibration *calibration)
{
    json_t *object = json_answer("group"), *group = json_object(), *faces = json_array();

    json_put_int(&group, "number", row->number);
    json_put_int(&group, "n_faces", row->n_faces);
    json_put_int(&group, "n_photos", row->n_photos);
    for (int64_t i = 0; i < row->n_faces; i++) {
        const dpl_group_member *m = &row->members[i];
        json_t *face = json_face(m->number, &m->face);

        json_put_text(&face, "photo", m->photo_path);
        json_put_int(&face, "template_id", m->template_id);
        json_add(&faces, face);
    }
    if (row->like) {
        json_t *like = json_object();

        json_put_text(&like, "person", row->like);
        json_put_comparison(&like, calibration, &row->comparison);
        json_put_decision(&like, row->comparison.decision);
        json_put(&group, "perhaps", like);
    }
    json_put(&group, "faces", faces);
    json_put(&object, "group", group);
    return object;
}

json_t *groups_json(const dpl_group_report *r, int64_t n_groups, double precision, bool dry_run)
{
    json_t *object = json_answer("group"), *summary = json_object();

    json_put_int(&summary, "n_groups", n_groups);
    if (r) {
        json_put_bool(&summary, "dry_run", dry_run);
        json_put_bool(&summary, "changed", r->changed);
        json_put_real(&summary, "precision", precision);
        json_put_real(&summary, "level", r->level);
        json_put_bool(&summary, "exact", r->exact);
        json_put_real(&summary, "recall", r->recall);
        json_put_int(&summary, "n_faces", r->n_faces);
        json_put_int(&summary, "n_too_poor", r->n_too_poor);
        json_put_int(&summary, "n_copies", r->n_copies);
        json_put_int(&summary, "n_grouped", r->n_grouped);
        json_put_int(&summary, "n_single", r->n_single);
        json_put_int(&summary, "n_new", r->n_new);
        json_put_int(&summary, "n_gone", r->n_gone);
    }
    json_put(&object, "summary", summary);
    return object;
}

json_t *name_json(int64_t number, const char *name, const dpl_name_report *report, bool dry_run)
{
    json_t *object = json_answer("name");

    json_put_int(&object, "group", number);
    json_put_text(&object, "person", name);
    json_put_bool(&object, "dry_run", dry_run);
    json_put_int(&object, "n_named", report->n_named);
    json_put_int(&object, "n_refused", report->n_refused);
    return object;
}
