/*
 * answer_dupes.c - the answers of `dupes`: in words and as JSON.
 */
#include "app/answer_dupes.h"

#include <stdlib.h>

#include "app/copy_words.h"
#include "app/json.h"
#include "app/text.h"

char *dupes_words(const dpl_copy *copy)
{
    char *list, *words;

    switch (copy->kind) {
    case DPL_COPY_BYTES: return text_try_format("same bytes");
    case DPL_COPY_PIXELS: return text_try_format("same pixels");
    case DPL_COPY_BURST:
        return text_try_format("not a copy: alike, taken %.3g s apart by %s", copy->apart_s,
                               copy->by_file_time ? "the files' time" : "the camera's clock");
    case DPL_COPY_NEAR: break;
    }
    list = copy_words(&copy->overlay, "the one to keep");
    words = list ? text_try_format("same picture: %s",
                                   list[0] ? list : "all of it at the same size, other pixels")
                 : NULL;
    free(list);
    return words;
}

char *dupes_evidence(const dpl_copy *copy)
{
    char rate[64];

    if (copy->kind == DPL_COPY_BURST)
        return text_try_format("alike %.2f", (double)copy->alike);
    if (copy->kind != DPL_COPY_NEAR)
        return text_try_format("%s", "");
    return text_try_format("score %.3f; different photos are taken for one %s",
                           (double)copy->overlay.score, text_rate(rate, copy->rate));
}

/* ------------------------------------------------------------------ JSON */

static json_t *photo_json(const dpl_copy *c)
{
    json_t *photo = json_object();

    json_put_text(&photo, "photo", c->path);
    json_put_int(&photo, "width_px", c->width_px);
    json_put_int(&photo, "height_px", c->height_px);
    json_put_int(&photo, "bytes", c->size_bytes);
    json_put_real(&photo, "sharpness", (double)c->sharpness);
    if (c->taken[0])
        json_put_text(&photo, "taken", c->taken);
    return photo;
}

static const char *kind_word(dpl_copy_kind kind)
{
    switch (kind) {
    case DPL_COPY_BYTES: return "bytes";
    case DPL_COPY_PIXELS: return "pixels";
    case DPL_COPY_NEAR: return "near";
    case DPL_COPY_BURST: break;
    }
    return "burst";
}

static json_t *member_json(const dpl_copy *c)
{
    json_t *photo = photo_json(c);
    char *words = dupes_words(c);

    json_put_text(&photo, "kind", kind_word(c->kind));
    json_put_text(&photo, "evidence", words);
    if (!words) {
        json_decref(photo);
        photo = NULL;
    }
    free(words);
    if (c->kind == DPL_COPY_NEAR || c->kind == DPL_COPY_BURST)
        json_put_real(&photo, "alike", (double)c->alike);
    if (c->kind == DPL_COPY_NEAR) {
        json_put_rate(&photo, c->rate);
        copy_put_json(&photo, &c->overlay, "kept_shown");
    }
    if (c->kind == DPL_COPY_BURST) {
        json_put_real(&photo, "apart_s", c->apart_s);
        json_put_text(&photo, "time", c->by_file_time ? "file" : "camera");
    }
    return photo;
}

json_t *dupes_group_json(const dpl_copy *photos, size_t n)
{
    json_t *object = json_answer("dupes"), *others = json_array();

    json_put_status(&object, DPL_OK, NULL);
    json_put_text(&object, "group", photos[1].kind == DPL_COPY_BURST ? "burst" : "copies");
    json_put(&object, "keep", photo_json(&photos[0]));
    for (size_t i = 1; i < n; i++)
        json_add(&others, member_json(&photos[i]));
    json_put(&object, "photos", others);
    return object;
}

json_t *dupes_failure_json(const dpl_photos_event *event)
{
    json_t *object = json_answer("dupes");

    json_put_text(&object, "photo", event->path);
    json_put_status(&object, event->status, event->message);
    return object;
}

json_t *dupes_report_json(const dpl_copies_report *r, const dpl_pipeline *pipeline)
{
    json_t *object = json_answer("dupes"), *summary = json_object();

    json_put_int(&summary, "n_files", r->photos.n_files);
    json_put_int(&summary, "n_failed", r->photos.n_failed);
    json_put_int(&summary, "n_known", r->n_known);
    json_put_int(&summary, "n_passed_over", r->photos.n_passed_over);
    json_put_int(&summary, "n_links", r->photos.n_links);
    json_put_int(&summary, "n_left_out", r->photos.n_left_out);
    json_put_int(&summary, "n_pairs_compared", r->n_pairs);
    json_put_int(&summary, "n_groups", r->n_groups);
    json_put_int(&summary, "n_copies", r->n_copies);
    json_put_int(&summary, "copies_bytes", r->copies_bytes);
    json_put_int(&summary, "n_bursts", r->n_bursts);
    json_put_int(&summary, "n_burst_photos", r->n_burst_photos);
    json_put_int(&summary, "n_pairs_untold", r->n_untold);
    json_put_bool(&summary, "exact", r->exact);
    json_put_real(&summary, "recall", r->recall);
    json_put_real(&summary, "seconds", r->photos.seconds);
    json_put(&object, "summary", summary);
    json_put_encoder(&object, "model", dpl_pipeline_encoder(pipeline));
    return object;
}
