/*
 * answer_migrate.c - the answers of `migrate` as JSON.
 */
#include "app/answer_migrate.h"

#include "app/json.h"

const char *migrate_from_words(dpl_migrate_from from)
{
    switch (from) {
    case DPL_MIGRATE_PHOTO: return "photo";
    case DPL_MIGRATE_THUMBNAIL: return "thumbnail";
    case DPL_MIGRATE_LOST: break;
    }
    return "lost";
}

json_t *migrate_event_json(const dpl_migrate_event *event)
{
    json_t *object = json_answer("migrate");

    json_put_text(&object, "photo", event->photo);
    json_put_text(&object, "from", migrate_from_words(event->from));
    if (event->message[0])
        json_put_text(&object, "reason", event->message);
    return object;
}

static json_t *side_json(const dpl_comparison *c, const dpl_pipeline *pipeline)
{
    json_t *side = json_object();

    json_put_decision(&side, c->decision);
    json_put_comparison(&side, pipeline ? dpl_pipeline_calibration(pipeline) : NULL, c);
    return side;
}

json_t *migrate_change_json(const dpl_migrate_change *change, const dpl_pipeline *before,
                            const dpl_pipeline *after)
{
    json_t *object = json_answer("migrate");

    json_put_text(&object, "photo", change->photo);
    json_put_int(&object, "template", change->template_id);
    json_put_text(&object, "person", change->person);
    json_put_text(&object, "compared_with", change->other ? change->other : change->person);
    json_put(&object, "before", side_json(&change->before, before));
    json_put(&object, "after", side_json(&change->after, after));
    return object;
}

json_t *migrate_report_json(const dpl_migrate_report *r, bool dry_run, const dpl_pipeline *after)
{
    json_t *object = json_answer("migrate");

    json_put_bool(&object, "dry_run", dry_run);
    json_put_bool(&object, "has_changed", r->has_changed);
    json_put_int(&object, "n_photos", r->n_photos);
    json_put_int(&object, "n_from_photo", r->n_from_photo);
    json_put_int(&object, "n_from_thumbnail", r->n_from_thumbnail);
    json_put_int(&object, "n_lost", r->n_lost);
    json_put_int(&object, "n_earlier", r->n_earlier);
    json_put_int(&object, "n_references", r->n_references);
    json_put_int(&object, "n_references_all", r->n_references_all);
    json_put_int(&object, "n_decisions_changed", r->n_changed);
    if (r->set_aside[0])
        json_put_text(&object, "set_aside", r->set_aside);
    json_put_real(&object, "seconds", r->seconds);
    json_put_model(&object, after);
    return object;
}

json_t *migrate_captions_json(int64_t n, bool dry_run, const dpl_text_encoder *encoder)
{
    json_t *object = json_answer("migrate");

    json_put_status(&object, DPL_OK, NULL);
    json_put_int(&object, "n_captions", n);
    json_put_bool(&object, "dry_run", dry_run);
    json_put_net(&object, "model", dpl_text_encoder_net(encoder), dpl_text_encoder_hash(encoder));
    return object;
}

json_t *migrate_copy_json(const char *to, int64_t n_photos, int64_t n_templates, bool dry_run)
{
    json_t *object = json_answer("migrate");

    json_put_status(&object, DPL_OK, NULL);
    json_put_text(&object, "to", to);
    json_put_int(&object, "n_photos", n_photos);
    json_put_int(&object, "n_templates", n_templates);
    json_put_bool(&object, "dry_run", dry_run);
    return object;
}
