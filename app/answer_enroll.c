/*
 * answer_enroll.c - the answers of `enroll` and `scan` as JSON.
 */
#include "app/answer_enroll.h"

#include "app/json.h"

const char *enroll_outcome_words(dpl_outcome outcome)
{
    switch (outcome) {
    case DPL_OUTCOME_ADDED: return "added";
    case DPL_OUTCOME_UPDATED: return "updated";
    case DPL_OUTCOME_UNCHANGED: return "unchanged";
    case DPL_OUTCOME_MOVED: return "moved";
    case DPL_OUTCOME_REFUSED: return "refused";
    case DPL_OUTCOME_PRUNED: return "pruned";
    case DPL_OUTCOME_KEPT: return "kept";
    case DPL_OUTCOME_PASSED_OVER: break;
    }
    return "passed over";
}

json_t *enroll_event_json(const char *command, const dpl_enroll_event *event)
{
    json_t *object = json_answer(command);

    json_put_text(&object, "photo", event->path);
    json_put_text(&object, "outcome", enroll_outcome_words(event->outcome));
    json_put_status(&object, event->status, event->status != DPL_OK ? event->message : NULL);
    if (event->status == DPL_OK && event->message[0])
        json_put_text(&object, "note", event->message);
    if (event->outcome != DPL_OUTCOME_REFUSED)
        json_put_text(&object, "person", event->person);
    json_put_int(&object, "n_faces", (int64_t)event->n_faces);
    if (event->n_poor)
        json_put_int(&object, "n_poor", (int64_t)event->n_poor);
    return object;
}

json_t *enroll_report_json(const char *command, const dpl_enroll_report *r,
                           const int64_t *n_by_status, const dpl_gallery_counts *counts,
                           const char *gallery_dir, const dpl_pipeline *pipeline)
{
    json_t *object = json_answer(command), *summary = json_object();

    json_put_int(&summary, "n_files", r->n_files);
    json_put_int(&summary, "n_added", r->n_added);
    json_put_int(&summary, "n_updated", r->n_updated);
    json_put_int(&summary, "n_unchanged", r->n_unchanged);
    json_put_int(&summary, "n_moved", r->n_moved);
    json_put_int(&summary, "n_refused", r->n_refused);
    json_put_int(&summary, "n_refused_again", r->n_refused_again);
    json_put_int(&summary, "n_pruned", r->n_pruned);
    json_put_int(&summary, "n_kept", r->n_kept);
    json_put_int(&summary, "n_gone", r->n_gone);
    json_put_int(&summary, "n_left_out", r->n_left_out);
    json_put_int(&summary, "n_passed_over", r->n_passed_over);
    json_put_int(&summary, "n_links", r->n_links);
    json_put_int(&summary, "n_faces", r->n_faces);
    json_put_int(&summary, "n_poor", r->n_poor);
    if (r->n_captions || r->n_captions_removed || r->n_captions_refused ||
        r->n_captions_unmatched || counts->n_templates_text) {
        json_put_int(&summary, "n_captions", r->n_captions);
        json_put_int(&summary, "n_captions_removed", r->n_captions_removed);
        json_put_int(&summary, "n_captions_refused", r->n_captions_refused);
        json_put_int(&summary, "n_captions_unmatched", r->n_captions_unmatched);
        json_put_int(&summary, "gallery_captions", counts->n_templates_text);
        if (r->caption_reason[0])
            json_put_text(&summary, "caption_reason", r->caption_reason);
        if (r->n_captions_unmatched)
            json_put_text(&summary, "caption_unmatched", r->caption_unmatched);
    }
    json_put_statuses(&summary, "refused_by", n_by_status);
    json_put_real(&summary, "seconds", r->seconds);
    json_put_int(&summary, "gallery_persons", counts->n_persons);
    json_put_int(&summary, "gallery_photos", counts->n_photos);
    json_put_int(&summary, "gallery_faces_nobodys", counts->n_faces_nobodys);
    json_put(&object, "summary", summary);
    json_put_text(&object, "gallery", gallery_dir);
    json_put_model(&object, pipeline);
    return object;
}
