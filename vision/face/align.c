/*
 * align.c - from a face in a photo to a chip.
 *
 * Third stage of the pipeline. The similarity transform that brings five landmarks nearest to the
 * encoder's template, in the least-squares sense, then one warp.
 *
 * Source: Umeyama 1991, equations 40 to 42. In two dimensions, with points as complex numbers and
 * the reflection ruled out, they come down to one division: alpha = sum(conj(p) q) / sum(|p|^2)
 * over centred landmarks p and centred template points q; its modulus is the scale, its argument
 * the turn. Template points are pixel indices (ArcFace's convention), so half a pixel is added.
 */
#include <math.h>

#include "base/fail.h"
#include "vision/encoder.h"
#include "vision/image/resample.h"
#include "vision/image/warp.h"

dpl_status dpl_align(uint8_t *chip, dpl_face *face, const dpl_encoder *encoder,
                     const dpl_image *image, dpl_error *err)
{
    double px = 0, py = 0, qx = 0, qy = 0; /* the landmarks' mean, the template's */
    double dot = 0, cross = 0, spread = 0;
    dpl_status status;

    if (!encoder->has_template)
        return dpli_fail(err, DPL_E_MODEL,
                         "encoder has no template to align faces to (doppel.template)");
    for (int i = 0; i < 5; i++) {
        px += (double)face->landmarks[i].x_px / 5;
        py += (double)face->landmarks[i].y_px / 5;
        qx += ((double)encoder->template_points[i].x_px + 0.5) / 5;
        qy += ((double)encoder->template_points[i].y_px + 0.5) / 5;
    }
    for (int i = 0; i < 5; i++) {
        const double x = (double)face->landmarks[i].x_px - px;
        const double y = (double)face->landmarks[i].y_px - py;
        const double u = (double)encoder->template_points[i].x_px + 0.5 - qx;
        const double v = (double)encoder->template_points[i].y_px + 0.5 - qy;
        dot += x * u + y * v;
        cross += x * v - y * u;
        spread += x * x + y * y;
    }
    /* alpha = (dot + i cross) / spread: chip pixels a photo pixel, turned. The warp asks where in
       the decoded picture a chip position lies: p = (q - q_mean) / alpha + p_mean. */
    const double norm2 = dot * dot + cross * cross;
    const double re = spread * dot / norm2, im = -spread * cross / norm2; /* 1 / alpha */
    if (!isfinite(re) || !isfinite(im) || !(norm2 > 1e-12 * spread * spread))
        return dpli_fail(err, DPL_E_INPUT, "landmarks coincide or are not finite");
    const double ox = px - (qx * re - qy * im), oy = py - (qx * im + qy * re);
    const double sx = (double)image->width_px / image->full_width_px;
    const double sy = (double)image->height_px / image->full_height_px;
    const float m[6] = {(float)(re * sx), (float)(-im * sx), (float)(ox * sx),
                        (float)(im * sy), (float)(re * sy),  (float)(oy * sy)};

    status = dpli_warp_affine(chip, encoder->intake.w, encoder->intake.h, image, m, err);
    if (status == DPL_OK)
        dpli_quality_measure(face, chip, encoder->intake.w, encoder->intake.h);
    return status;
}

dpl_status dpli_whole_chip(uint8_t *chip, int32_t width_px, int32_t height_px,
                           const dpl_image *image, dpl_error *err)
{
    /* One scale for both axes, the smaller picture side filling the chip, centred. */
    const double w = image->width_px, h = image->height_px;
    const double scale = fmin(w / width_px, h / height_px);

    return dpli_resample(
        chip, image->pixels,
        &(dpli_axis){image->width_px, width_px, (w - scale * width_px) / 2, scale},
        &(dpli_axis){image->height_px, height_px, (h - scale * height_px) / 2, scale}, err);
}

dpl_status dpl_whole_chip(uint8_t *chip, const dpl_encoder *encoder, const dpl_image *image,
                          dpl_error *err)
{
    return dpli_whole_chip(chip, encoder->intake.w, encoder->intake.h, image, err);
}
