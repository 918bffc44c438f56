/*
 * answer_xmp.c - names written into sidecars, and read from them, as JSON.
 */
#include "app/answer_xmp.h"

#include "app/json.h"

static const char *const fates[] = {[DPL_REGION_NAMED] = "named",
                                    [DPL_REGION_SAME] = "same",
                                    [DPL_REGION_KEPT] = "kept",
                                    [DPL_REGION_NO_FACE] = "no_face",
                                    [DPL_REGION_UNNAMED] = "unnamed"};

static json_t *region_json(const dpl_region *region, dpl_region_fate fate)
{
    json_t *object = json_object();

    json_put_text(&object, "name", *region->name ? region->name : NULL);
    json_put(&object, "area", json_pack("[f,f,f,f]", region->x, region->y, region->w, region->h));
    json_put_text(&object, "fate", fates[fate]);
    return object;
}

json_t *xmp_photo_json(const dpl_xmp_event *event)
{
    json_t *answer = json_answer("xmp");

    json_put_text(&answer, "photo", event->photo);
    json_put_text(&answer, "sidecar", event->sidecar);
    json_put_status(&answer, event->status, event->message);
    if (event->written) {
        const dpl_sidecar_report *w = event->written;

        json_put_bool(&answer, "is_new", w->is_new);
        json_put_int(&answer, "n_added", (int64_t)w->n_added);
        json_put_int(&answer, "n_renamed", (int64_t)w->n_renamed);
        json_put_int(&answer, "n_removed", (int64_t)w->n_removed);
        json_put_int(&answer, "n_same", (int64_t)w->n_same);
        json_put_int(&answer, "n_kept", (int64_t)w->n_kept);
    }
    if (event->regions) {
        json_t *regions = json_array();

        for (size_t i = 0; i < event->regions->n; i++)
            json_add(&regions, region_json(&event->regions->items[i], event->fates[i]));
        json_put(&answer, "regions", regions);
        json_put_int(&answer, "n_unusable", (int64_t)event->regions->n_unusable);
        json_put_int(&answer, "n_others", (int64_t)event->regions->n_others);
    }
    return answer;
}

json_t *xmp_json(const dpl_xmp_report *report, bool writes, bool dry_run)
{
    json_t *answer = json_answer("xmp");

    json_put_status(&answer, report->worst, NULL);
    json_put_bool(&answer, "dry_run", dry_run);
    json_put_int(&answer, "n_photos", report->n_photos);
    json_put_int(&answer, "n_refused", report->n_refused);
    if (writes) {
        json_put_int(&answer, "n_sidecars_new", report->n_sidecars_new);
        json_put_int(&answer, "n_sidecars_changed", report->n_sidecars_changed);
        json_put_int(&answer, "n_added", report->n_added);
        json_put_int(&answer, "n_renamed", report->n_renamed);
        json_put_int(&answer, "n_removed", report->n_removed);
    } else {
        json_put_int(&answer, "n_named", report->n_named);
        json_put_int(&answer, "n_no_face", report->n_no_face);
        json_put_int(&answer, "n_unnamed", report->n_unnamed);
        json_put_int(&answer, "n_not_enrolled", report->n_not_enrolled);
    }
    json_put_int(&answer, "n_same", report->n_same);
    json_put_int(&answer, "n_kept", report->n_kept);
    json_put_real(&answer, "seconds", report->seconds);
    return answer;
}
