/*
 * answer_verify.c - the answer of `verify` as JSON.
 */
#include "app/answer_verify.h"

#include "app/json.h"

static json_t *side_json(const char *name, const dpl_photo *photo, size_t face)
{
    json_t *side = json_object();

    json_put_text(&side, "photo", name);
    json_put_text(&side, "sha256", photo->sha256);
    json_put_int(&side, "n_faces", (int64_t)photo->n_faces);
    json_put(&side, "compared", json_face((int32_t)face + 1, &photo->faces[face]));
    if (photo->image.warning[0])
        json_put_text(&side, "warning", photo->image.warning);
    return side;
}

static json_t *claim_json(const verify_facts *f)
{
    const dpl_verdict *v = f->verdict;
    json_t *claim = json_object();

    json_put_text(&claim, "person", f->name_b);
    json_put_text(&claim, "photo", f->template_photo);
    json_put_int(&claim, "template", v->template_id);
    json_put_int(&claim, "n_templates", (int64_t)v->n_templates);
    json_put_int(&claim, "n_compared", (int64_t)v->n_compared);
    json_put_text(&claim, "compared", v->by_mean ? "mean" : v->n_compared > 1 ? "best" : "only");
    json_put_real(&claim, "best_score", (double)v->best_score);
    if (f->rival)
        json_put_text(&claim, "also_matches", f->rival);
    return claim;
}

json_t *verify_json(const verify_facts *f)
{
    const dpl_verdict *v = f->verdict;
    const dpl_comparison comparison = {
        .score = v->score,
        .normalised = v->normalised,
        .evidence = v->evidence,
        .fitness = v->fitness,
        .times = v->times,
        .rate = v->rate,
    };
    dpl_policy policy = *f->policy;
    json_t *answer = json_answer("verify");

    json_put_status(&answer, DPL_OK, NULL);
    json_put_decision(&answer, v->decision);
    json_put_comparison(&answer, policy.calibration, &comparison);
    policy.threshold = v->threshold; /* of these faces, and of what is compared */
    policy.reject = v->reject;
    json_put_policy(&answer, &policy);
    json_put_calibration(&answer, f->pipeline);
    json_put_model(&answer, f->pipeline);
    json_put_bool(&answer, "same_file", f->same_file);
    if (f->doubts)
        json_put(&answer, "doubts", json_incref(f->doubts));
    json_put(&answer, "a", side_json(f->name_a, f->a, v->face_a));
    if (f->b)
        json_put(&answer, "b", side_json(f->name_b, f->b, v->face_b));
    else
        json_put(&answer, "claim", claim_json(f));
    return answer;
}
