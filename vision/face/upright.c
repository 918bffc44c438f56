/*
 * upright.c - a face once more, in four turns: which way up is it?
 *
 * The net knows upright faces. Up to 30 degrees off it still gives good scores, but draws the
 * landmarks back towards upright; a face on its side or its head it finds more seldom, and gives it
 * the landmarks of an upright one, so that its chip would lie on its side too. Scores tell: the
 * same face in four turns has its highest where it is most upright (docs/accuracy-log.md). From
 * there the turn is taken from the landmarks, the face looked at again by that much, until it
 * stands still.
 */
#include "vision/face/upright.h"

#include <math.h>
#include <stdlib.h>

#include "vision/image/warp.h"

#define N_TURNS  8
#define TURN_DEG (360.0f / N_TURNS)
#define DEG      57.29578f
/* The side of what is looked at, in larger sides of the face's box, and in pixels: small to tell
   the turn, larger to find landmarks. */
#define AROUND     1.7f
#define TELL_SIDE  64
#define MARKS_SIDE 160
#define FAINT      0.3f
/* Another turn must see the face this much better than upright does. */
#define BETTER_BY 0.02f
/* A face looked at an eighth of a turn off has about this much less score. */
#define STEEPEST 0.1f
/* The landmarks of a turned face show 0.4 of its turn, give or take a degree or two (measured:
   docs/accuracy-log.md): below a roll of 4 degrees nothing is gained, and each step after the first
   goes less far, for the noise. */
#define SHOWN        0.42f
#define STANDING_DEG 4.0f
#define STILL_DEG    1.5f
#define N_STEPS      4

float dpli_face_roll_deg(const dpl_face *face)
{
    return atan2f(face->landmarks[1].y_px - face->landmarks[0].y_px,
                  face->landmarks[1].x_px - face->landmarks[0].x_px) *
           DEG;
}

/* A square of side pixels around the face, turned so that what is turned by deg is upright. */
static dpl_status window(dpli_view *v, uint8_t *pixels, const dpl_face *face, float deg,
                         int32_t side, const dpl_image *image, dpl_error *err)
{
    const float larger = fmaxf(face->w_px, face->h_px), step = AROUND * larger / (float)side;
    const float c = cosf(deg / DEG) * step, s = sinf(deg / DEG) * step, half = (float)side / 2;
    const float x = face->x_px + face->w_px / 2, y = face->y_px + face->h_px / 2;
    const float sx = (float)image->width_px / (float)image->full_width_px;
    const float sy = (float)image->height_px / (float)image->full_height_px;

    *v = (dpli_view){.pixels = pixels,
                     .stride_bytes = (size_t)side * 3,
                     .width_px = side,
                     .height_px = side,
                     .map = {c, -s, x - half * (c - s), s, c, y - half * (s + c)},
                     .least_px = 0.5f * larger,
                     .most_px = 2 * larger,
                     .min_score = FAINT};
    const float m[6] = {v->map[0] * sx, v->map[1] * sx, v->map[2] * sx,
                        v->map[3] * sy, v->map[4] * sy, v->map[5] * sy};
    return dpli_warp_affine(pixels, side, side, image, m, err);
}

/* The strongest candidate of a look that lies where the face is; NULL when there is none. */
static const dpli_candidate *strongest(const dpli_candidates *found, int32_t look,
                                       const dpl_face *face)
{
    const float near = 0.35f * fmaxf(face->w_px, face->h_px);
    const dpli_candidate *best = NULL;

    for (size_t i = 0; i < found->n; i++) {
        const dpli_candidate *c = &found->items[i];
        const float dx = c->face.x_px + c->face.w_px / 2 - face->x_px - face->w_px / 2;
        const float dy = c->face.y_px + c->face.h_px / 2 - face->y_px - face->h_px / 2;
        if (c->look == look && hypotf(dx, dy) < near && (!best || c->face.score > best->face.score))
            best = c;
    }
    return best;
}

/* From a turn nearly right to where the face stands upright; it is left as it is when it is lost.
 */
static dpl_status stand_up(dpl_face *face, float deg, const dpl_detector *detector,
                           dpl_scratch *scratch, const dpl_image *image, dpli_candidates *found,
                           dpl_error *err)
{
    uint8_t pixels[MARKS_SIDE * MARKS_SIDE * 3];

    for (int step = 1; step <= N_STEPS; step++) {
        dpli_view view;
        dpl_status status = window(&view, pixels, face, deg, MARKS_SIDE, image, err);
        found->n = 0;
        if (status == DPL_OK)
            status = dpli_look(found, detector, scratch, &view, 1, err);
        if (status != DPL_OK)
            return status;
        const dpli_candidate *best = strongest(found, 0, face);
        if (!best)
            return DPL_OK;
        *face = best->face;
        dpli_blend_landmarks(face, 0, found->items, found->n, FAINT);
        const float left = remainderf(dpli_face_roll_deg(face) - deg, 360);
        if (!(fabsf(left) > STILL_DEG))
            return DPL_OK;
        deg += left / SHOWN / (float)step;
    }
    return DPL_OK;
}

/* The turn at which the scores, one a turn, have their highest: a parabola through the best and
 * its neighbours. */
static float highest_deg(const float scores[N_TURNS], int best)
{
    const float least = scores[best] - STEEPEST; /* also where no face was seen */
    const float before = fmaxf(scores[(best + N_TURNS - 1) % N_TURNS], least);
    const float after = fmaxf(scores[(best + 1) % N_TURNS], least);
    const float bend = 2 * scores[best] - before - after;

    return TURN_DEG * ((float)best + (bend > 0 ? (after - before) / (2 * bend) : 0));
}

dpl_status dpli_upright(dpl_face *face, bool *turned, const dpl_detector *detector,
                        dpl_scratch *scratch, const dpl_image *image, dpl_error *err)
{
    uint8_t pixels[N_TURNS][TELL_SIDE * TELL_SIDE * 3];
    float scores[N_TURNS] = {0};
    dpli_view views[N_TURNS];
    dpli_candidates found = {0};
    dpl_status status = DPL_OK;
    const dpli_candidate *best = NULL;

    for (int i = 0; i < N_TURNS && status == DPL_OK; i++) {
        status = window(&views[i], pixels[i], face, (float)i * TURN_DEG, TELL_SIDE, image, err);
        views[i].look = i;
    }
    if (status == DPL_OK)
        status = dpli_look(&found, detector, scratch, views, N_TURNS, err);
    if (status != DPL_OK)
        goto done;
    for (int i = 0; i < N_TURNS; i++) {
        const dpli_candidate *c = strongest(&found, i, face);
        scores[i] = c ? c->face.score : 0;
        if (c && (!best || scores[i] > best->face.score + (best->look == 0 ? BETTER_BY : 0)))
            best = c;
    }
    *turned = best && best->look != 0;
    if (*turned) {
        *face = best->face;
        status =
            stand_up(face, highest_deg(scores, best->look), detector, scratch, image, &found, err);
    } else if (best) {
        if (fabsf(dpli_face_roll_deg(face)) > TURN_DEG) /* seen in a turned look, wrongly */
            *face = best->face;
        status = dpli_straighten(face, 0, detector, scratch, image, err);
    }
done:
    free(found.items);
    return status;
}

dpl_status dpli_straighten(dpl_face *face, float seen_deg, const dpl_detector *detector,
                           dpl_scratch *scratch, const dpl_image *image, dpl_error *err)
{
    const float left = remainderf(dpli_face_roll_deg(face) - seen_deg, 360);
    dpli_candidates found = {0};
    dpl_status status = DPL_OK;

    if (fabsf(left) > STANDING_DEG)
        status = stand_up(face, seen_deg + left / SHOWN, detector, scratch, image, &found, err);
    free(found.items);
    return status;
}
