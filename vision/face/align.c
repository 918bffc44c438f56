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
#include "base/mem.h"
#include "vision/encoder.h"
#include "vision/image/resample.h"
#include "vision/image/warp.h"

/* Where in the decoded picture the places of a chip lie whose template points (pixel indices) are
 * the five given: m as dpli_warp_affine takes it. */
static dpl_status find_map(float m[6], const dpl_face *face, const dpl_point points[5],
                           const dpl_image *image, dpl_error *err)
{
    double px = 0, py = 0, qx = 0, qy = 0; /* the landmarks' mean, the template's */
    double dot = 0, cross = 0, spread = 0;

    for (int i = 0; i < 5; i++) {
        px += (double)face->landmarks[i].x_px / 5;
        py += (double)face->landmarks[i].y_px / 5;
        qx += ((double)points[i].x_px + 0.5) / 5;
        qy += ((double)points[i].y_px + 0.5) / 5;
    }
    for (int i = 0; i < 5; i++) {
        const double x = (double)face->landmarks[i].x_px - px;
        const double y = (double)face->landmarks[i].y_px - py;
        const double u = (double)points[i].x_px + 0.5 - qx;
        const double v = (double)points[i].y_px + 0.5 - qy;
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
    m[0] = (float)(re * sx);
    m[1] = (float)(-im * sx);
    m[2] = (float)(ox * sx);
    m[3] = (float)(im * sy);
    m[4] = (float)(re * sy);
    m[5] = (float)(oy * sy);
    return DPL_OK;
}

dpl_status dpl_align(uint8_t *chip, dpl_face *face, const dpl_encoder *encoder,
                     const dpl_image *image, dpl_error *err)
{
    float m[6];
    dpl_status status;

    if (!encoder->has_template)
        return dpli_fail(err, DPL_E_MODEL,
                         "encoder has no template to align faces to (doppel.template)");
    status = find_map(m, face, encoder->template_points, image, err);
    if (status == DPL_OK)
        status = dpli_warp_affine(chip, encoder->intake.w, encoder->intake.h, image, m, err);
    if (status == DPL_OK)
        dpli_quality_measure(face, chip, encoder->intake.w, encoder->intake.h);
    return status;
}

/* ArcFace's template in its 112 pixels, of which a head with hair, ears and chin takes more on
   every side, as pixels of a portrait. */
static void portrait_template(dpl_point template[5], int32_t width_px)
{
    static const double points[5][2] = {{38.2946, 51.6963},
                                        {73.5318, 51.5014},
                                        {56.0252, 71.7366},
                                        {41.5493, 92.3655},
                                        {70.7299, 92.2041}};
    const double width = DPLI_PORTRAIT_WIDTH, left = (112 - width) / 2, top = -26.5;
    const double scale = width_px / width;

    for (int i = 0; i < 5; i++)
        template[i] = (dpl_point){(float)((points[i][0] + 0.5 - left) * scale - 0.5),
                                  (float)((points[i][1] + 0.5 - top) * scale - 0.5)};
}

dpl_status dpl_portrait(dpl_image *out, const dpl_image *image, const dpl_face *face,
                        int32_t width_px, dpl_error *err)
{
    dpl_point template[5];
    dpl_image made = DPL_IMAGE_INIT;
    size_t n_bytes;
    float m[6];
    dpl_status status;

    *out = made;
    if (width_px < 4 || width_px > 4096)
        return dpli_fail(err, DPL_E_ARGUMENT, "a portrait is 4 to 4096 pixels wide, not %d",
                         (int)width_px);
    portrait_template(template, width_px);
    status = find_map(m, face, template, image, err);
    if (status != DPL_OK)
        return status;
    made.width_px = made.full_width_px = width_px;
    made.height_px = made.full_height_px = width_px * 5 / 4;
    n_bytes = (size_t)made.width_px * (size_t)made.height_px * 3;
    made.pixels = dpli_alloc(n_bytes, 1, err);
    if (!made.pixels)
        return DPL_E_MEMORY;
    status = dpli_warp_affine(made.pixels, made.width_px, made.height_px, image, m, err);
    if (status != DPL_OK) {
        dpl_image_clear(&made);
        return status;
    }
    *out = made;
    return DPL_OK;
}

dpl_status dpli_portrait_landmarks(dpl_point points[5], const dpl_face *face, int32_t width_px,
                                   dpl_error *err)
{
    /* As it is: the map is then from the portrait to the photo, p = a q + b over complex numbers.
     */
    static const dpl_image whole = {
        .width_px = 1, .height_px = 1, .full_width_px = 1, .full_height_px = 1};
    dpl_point template[5];
    double norm2;
    float m[6];
    dpl_status status;

    portrait_template(template, width_px);
    status = find_map(m, face, template, &whole, err);
    if (status != DPL_OK)
        return status;
    norm2 = (double)m[0] * (double)m[0] + (double)m[3] * (double)m[3];
    for (int i = 0; i < 5; i++) {
        const double x = (double)face->landmarks[i].x_px - (double)m[2];
        const double y = (double)face->landmarks[i].y_px - (double)m[5];

        points[i].x_px = (float)((x * (double)m[0] + y * (double)m[3]) / norm2);
        points[i].y_px = (float)((y * (double)m[0] - x * (double)m[3]) / norm2);
    }
    return DPL_OK;
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
