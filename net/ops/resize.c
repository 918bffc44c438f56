/*
 * resize.c - Resize and Upsample of height and width: nearest and linear.
 *
 * Where a pixel of the result lies in the input is computed in float32, as onnxruntime does: at the
 * border between two pixels a wider type would choose the other one.
 *
 * Source: ONNX Resize-18, Resize-10, Upsample-9. Before opset 11 nearest has no mode of its own; as
 * in onnxruntime it rounds down, and up where it makes the picture smaller.
 */
#include "net/ops/resize.h"

#include <math.h>
#include <string.h>

#include "net/ops/axes.h"
#include "net/place.h"

enum { RESIZE_NEAREST, RESIZE_LINEAR };
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, TF_HALF_PIXEL };
enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL, ROUND_SIMPLE };

typedef struct resize_params {
    int32_t mode, transform, rounding;
    int32_t scales, sizes; /* inputs, -1 for none */
    int64_t axes[DPL_MAX_RANK];
    int32_t n_axes; /* -1: all */
} resize_params;

static dpl_status load_mode(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    static const char *const modes[] = {"nearest", "linear", NULL};
    resize_params *params = dpli_node_params(node, sizeof *params, err);

    if (!params)
        return DPL_E_MEMORY;
    params->transform = ASYMMETRIC;
    params->rounding = ROUND_SIMPLE;
    params->scales = 1;
    params->sizes = params->n_axes = -1;
    return dpli_attr_word(g, node, "mode", modes, &params->mode, err);
}

static dpl_status load_upsample(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    if (g->opset > 9)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "is not an operator of opset %d",
                              (int)g->opset);
    return load_mode(g, node, err);
}

/* Attributes that only matter for what is not supported here may have any value. */
static dpl_status load_resize_11(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    static const char *const transforms[] = {"half_pixel", "pytorch_half_pixel",   "align_corners",
                                             "asymmetric", "tf_half_pixel_for_nn", NULL};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil", NULL};
    static const char *const policies[] = {"stretch", NULL};
    resize_params *params = node->params;
    int64_t antialias = 0;
    int32_t policy;
    dpl_status status;

    params->transform = HALF_PIXEL;
    params->rounding = ROUND_PREFER_FLOOR;
    params->scales = 2;
    params->sizes = 3;
    dpli_attr_find(node, "cubic_coeff_a");
    dpli_attr_find(node, "exclude_outside");
    dpli_attr_find(node, "extrapolation_value");
    status = dpli_attr_word(g, node, "coordinate_transformation_mode", transforms,
                            &params->transform, err);
    if (status == DPL_OK)
        status = dpli_attr_word(g, node, "nearest_mode", roundings, &params->rounding, err);
    if (status == DPL_OK && g->opset >= 18) {
        status = dpli_attr_int(g, node, "antialias", &antialias, err);
        if (status == DPL_OK && antialias != 0)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "antialias is not supported");
        if (status == DPL_OK)
            status =
                dpli_attr_ints(g, node, "axes", params->axes, DPL_MAX_RANK, &params->n_axes, err);
        if (status == DPL_OK)
            status = dpli_attr_word(g, node, "keep_aspect_ratio_policy", policies, &policy, err);
    }
    return status;
}

static dpl_status load_resize(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_status status = load_mode(g, node, err);

    if (status != DPL_OK || g->opset < 11)
        return status;
    return load_resize_11(g, node, err);
}

typedef struct resize_step {
    int64_t n, in_h, in_w, out_h, out_w, channels;
    size_t pixel_bytes;
    /* Along height, then width, for each pixel of the result: the pixel before, the one behind, and
     * how far it is towards that. */
    float *part;
    int32_t *low, *high;
    double room[];
} resize_step;

static void run_nearest(const dpli_step *step)
{
    const resize_step *s = step->params;
    const size_t pixel = s->pixel_bytes, in_line = (size_t)s->in_w * pixel;
    char *y = step->out;

    for (int64_t n = 0; n < s->n; n++) {
        const char *picture = (const char *)step->in[0] + (size_t)(n * s->in_h) * in_line;

        for (int64_t h = 0; h < s->out_h; h++) {
            const char *line = picture + (size_t)s->low[h] * in_line;

            for (int64_t w = 0; w < s->out_w; w++) {
                memcpy(y, line + (size_t)s->low[s->out_h + w] * pixel, pixel);
                y += pixel;
            }
        }
    }
}

static void run_linear(const dpli_step *step)
{
    const resize_step *s = step->params;
    int64_t channels = s->channels;
    float *y = step->out;

    for (int64_t n = 0; n < s->n; n++) {
        const float *picture = (const float *)step->in[0] + n * s->in_h * s->in_w * channels;

        for (int64_t h = 0; h < s->out_h; h++) {
            const float *line_low = picture + s->low[h] * s->in_w * channels;
            const float *line_high = picture + s->high[h] * s->in_w * channels;
            float down = s->part[h];

            for (int64_t w = 0; w < s->out_w; w++) {
                int64_t left = s->low[s->out_h + w] * channels;
                int64_t right = s->high[s->out_h + w] * channels;
                float along = s->part[s->out_h + w];

                for (int64_t c = 0; c < channels; c++) {
                    float top =
                        line_low[left + c] + along * (line_low[right + c] - line_low[left + c]);
                    float bottom =
                        line_high[left + c] + along * (line_high[right + c] - line_high[left + c]);

                    *y++ = top + down * (bottom - top);
                }
            }
        }
    }
}

/* Where pixel o of out lies among in pixels. */
static float position(const resize_params *params, int64_t o, int64_t out, int64_t in, float scale)
{
    switch (params->transform) {
    case HALF_PIXEL: return ((float)o + 0.5f) / scale - 0.5f;
    case PYTORCH_HALF_PIXEL: return out > 1 ? ((float)o + 0.5f) / scale - 0.5f : 0.0f;
    case ALIGN_CORNERS: return out > 1 ? (float)o * (float)(in - 1) / (float)(out - 1) : 0.0f;
    case TF_HALF_PIXEL: return ((float)o + 0.5f) / scale;
    default: return (float)o / scale;
    }
}

static float round_position(const resize_params *params, float x, float scale)
{
    switch (params->rounding) {
    case ROUND_PREFER_FLOOR: return x == floorf(x) + 0.5f ? floorf(x) : roundf(x);
    case ROUND_PREFER_CEIL: return roundf(x);
    case ROUND_CEIL: return ceilf(x);
    case ROUND_SIMPLE: return scale < 1.0f ? ceilf(x) : floorf(x);
    default: return floorf(x);
    }
}

static void fill_axis(const resize_params *params, resize_step *s, int64_t at, int64_t out,
                      int64_t in, float scale)
{
    for (int64_t o = 0; o < out; o++) {
        float x = position(params, o, out, in, scale);
        float last = (float)(in - 1);

        if (params->mode == RESIZE_NEAREST)
            x = round_position(params, x, scale);
        x = x > 0.0f ? x : 0.0f;
        x = x < last ? x : last;
        /* Sizes past 2^24 are not exact in float32. */
        s->low[at + o] = (int32_t)((int64_t)x < in - 1 ? (int64_t)x : in - 1);
        s->high[at + o] = (int32_t)(s->low[at + o] < in - 1 ? s->low[at + o] + 1 : in - 1);
        s->part[at + o] = x - (float)s->low[at + o];
    }
}

/* The scale and the size of each axis. */
static dpl_status read_sizes(dpli_planner *p, const dpli_node *node, const dpl_shape *in,
                             dpl_shape *out, float scales[DPL_MAX_RANK], dpl_error *err)
{
    const resize_params *params = node->params;
    const dpli_graph *g = dpli_plan_graph(p);
    const dpli_planned *given = dpli_plan_in(p, node, params->scales);
    const dpli_planned *sizes = params->sizes >= 0 ? dpli_plan_in(p, node, params->sizes) : NULL;
    int64_t n, n_axes = params->n_axes >= 0 ? params->n_axes : in->rank;
    uint32_t mask;
    dpl_status status = DPL_OK;

    if (params->n_axes >= 0)
        status = dpli_axes_mask(p, node, params->axes, params->n_axes, in->rank, &mask, err);
    if (status != DPL_OK)
        return status;
    /* An empty list is the way to leave an input out before another. */
    if (given && given->known && dpli_shape_elements(&given->shape) == 0)
        given = NULL;
    if (sizes && sizes->known && dpli_shape_elements(&sizes->shape) == 0)
        sizes = NULL;
    if (!given == !sizes)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "needs either scales or sizes");
    if (given ? !given->known || given->type != DPLI_F32 : !sizes->known || sizes->type != DPLI_I64)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "scales or sizes are not constant");
    n = dpli_shape_elements(given ? &given->shape : &sizes->shape);
    if (n != n_axes)
        return dpli_node_fail(g, node, DPL_E_ARGUMENT, err, "%lld scales or sizes for %lld axes",
                              (long long)n, (long long)n_axes);
    *out = *in;
    for (int32_t i = 0; i < in->rank; i++)
        scales[i] = 1.0f;
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = params->n_axes >= 0 ? params->axes[i] : i;
        float scale, size;

        dpli_axis(&axis, in->rank);
        if (sizes) {
            out->dims[axis] = ((const int64_t *)sizes->known)[i];
            scales[axis] = (float)out->dims[axis] / (float)in->dims[axis];
            continue;
        }
        scale = ((const float *)given->known)[i];
        size = floorf(scale * (float)in->dims[axis]);
        if (!(scale > 0.0f) || !(size >= 1.0f && size < 2147483647.0f))
            return dpli_node_fail(g, node, DPL_E_ARGUMENT, err, "scale %g is out of range",
                                  (double)scale);
        scales[axis] = scale;
        out->dims[axis] = (int64_t)size;
    }
    if (in->rank != 4 || out->dims[0] != in->dims[0] || out->dims[1] != in->dims[1])
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "only height and width of a picture can be resized");
    return DPL_OK;
}

bool dpli_resize_is_nearest(const dpli_node *node)
{
    return ((const resize_params *)node->params)->mode == RESIZE_NEAREST;
}

static dpl_status plan_resize(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const resize_params *params = node->params;
    float scales[DPL_MAX_RANK];
    dpl_shape shape;
    dpli_planned *x;
    dpli_ref in, out;
    dpli_step *step;
    resize_step *s;
    size_t n;
    bool narrow;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status == DPL_OK)
        status = read_sizes(p, node, &x->shape, &shape, scales, err);
    narrow = status == DPL_OK && params->mode == RESIZE_NEAREST && dpli_narrow_suits(p, node, 1);
    if (status == DPL_OK)
        status = narrow ? dpli_narrow_use(p, node, x, &in, err)
                        : dpli_plan_use(p, node, x, DPLI_NHWC, &in, err);
    if (status == DPL_OK)
        status = narrow ? dpli_narrow_out(p, node, 0, &shape, &out, err)
                        : dpli_plan_out(p, node, 0, &shape, DPLI_NHWC, &out, err);
    if (status != DPL_OK)
        return status;
    n = (size_t)(shape.dims[2] + shape.dims[3]);
    step = dpli_plan_step(p, node, params->mode == RESIZE_NEAREST ? run_nearest : run_linear,
                          sizeof *s + n * (sizeof *s->part + 2 * sizeof *s->low), &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->part = (float *)s->room;
    s->low = (int32_t *)(s->part + n);
    s->high = s->low + n;
    s->n = shape.dims[0];
    s->channels = shape.dims[1];
    s->pixel_bytes = narrow ? (size_t)dpli_narrow_channels((int32_t)shape.dims[1]) *
                                  dpli_number_bytes(dpli_plan_graph(p)->numbers)
                            : (size_t)shape.dims[1] * sizeof(float);
    step->numbers = narrow ? dpli_plan_graph(p)->numbers : DPLI_FLOATS;
    s->in_h = x->shape.dims[2];
    s->in_w = x->shape.dims[3];
    s->out_h = shape.dims[2];
    s->out_w = shape.dims[3];
    fill_axis(params, s, 0, s->out_h, s->in_h, scales[2]);
    fill_axis(params, s, s->out_h, s->out_w, s->in_w, scales[3]);
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

const dpli_op dpli_ops_resize[] = {
    {"Resize", DPLI_ROLE_RESIZE, 1, 4, 1, false, load_resize, NULL, plan_resize, NULL},
    {"Upsample", DPLI_ROLE_RESIZE, 2, 2, 1, false, load_upsample, NULL, plan_resize, NULL},
    {0},
};
