/*
 * Pooling. A window is the taps that lie in the picture; max of a window with a NaN is NaN.
 */

DPLI_INLINE vf pool_join(dpli_pool_kind kind, vf acc, vf x)
{
    /* At a NaN each order of vf_max returns its second; the bits of both together are a NaN. */
    return kind == DPLI_POOL_AVERAGE ? acc + x : (vf)((vi)vf_max(acc, x) | (vi)vf_max(x, acc));
}

/* Channels c .. c + n - 1 of an output pixel over a window that is not empty. */
DPLI_INLINE void pool_vector(dpli_pool_kind kind, const dpli_pool *p, float *out,
                             const float *corner, const int32_t *span, float count, size_t c,
                             size_t n)
{
    vf acc = vf_set(kind == DPLI_POOL_MAX ? -INFINITY : 0.0f);

    for (int32_t ky = span[0]; ky < span[1]; ky++) {
        for (int32_t kx = span[2]; kx < span[3]; kx++) {
            const float *x =
                corner +
                ((ptrdiff_t)ky * p->dilation_h * p->in_w + (ptrdiff_t)kx * p->dilation_w) *
                    p->channels +
                (ptrdiff_t)c;

            acc = pool_join(kind, acc, n == DPLI_LANES ? vf_load(x) : vf_load_n(x, n));
        }
    }
    if (kind == DPLI_POOL_AVERAGE)
        acc /= count;
    if (n == DPLI_LANES)
        vf_store(out + c, acc);
    else
        vf_store_n(out + c, acc, n);
}

DPLI_INLINE void pool_pixel(dpli_pool_kind kind, const dpli_pool *p, float *out,
                            const float *corner, const int32_t *span, float count)
{
    const size_t channels = (size_t)p->channels;
    size_t c = 0;

    for (; c + DPLI_LANES <= channels; c += DPLI_LANES)
        pool_vector(kind, p, out, corner, span, count, c, DPLI_LANES);
    if (c < channels)
        pool_vector(kind, p, out, corner, span, count, c, channels - c);
}

/* How many of the taps lie in the padded picture. */
static int32_t taps_padded(int64_t start, int32_t taps, int32_t dilation, int32_t before,
                           int32_t size, int32_t after)
{
    int32_t first, end;

    clip_taps(&first, &end, start + before, taps, dilation, before + size + after);
    return end - first;
}

static void pool2d_run(const dpli_pool *p, float *out, const float *in)
{
    for (int32_t i = 0; i < p->n; i++) {
        const float *image =
            in + (size_t)i * (size_t)p->in_h * (size_t)p->in_w * (size_t)p->channels;

        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const ptrdiff_t top = (ptrdiff_t)oy * p->stride_h - p->pad_top;
            int32_t span[4];

            clip_taps(span, span + 1, top, p->kernel_h, p->dilation_h, p->in_h);
            for (int32_t ox = 0; ox < p->out_w; ox++, out += p->channels) {
                const ptrdiff_t left = (ptrdiff_t)ox * p->stride_w - p->pad_left;
                const float *corner = image + (top * p->in_w + left) * p->channels;
                int32_t count;

                clip_taps(span + 2, span + 3, left, p->kernel_w, p->dilation_w, p->in_w);
                count = (span[1] - span[0]) * (span[3] - span[2]);
                if (p->kind == DPLI_POOL_MAX) {
                    pool_pixel(DPLI_POOL_MAX, p, out, corner, span, 1);
                    continue;
                }
                if (p->count_include_pad)
                    count = taps_padded(top, p->kernel_h, p->dilation_h, p->pad_top, p->in_h,
                                        p->pad_bottom) *
                            taps_padded(left, p->kernel_w, p->dilation_w, p->pad_left, p->in_w,
                                        p->pad_right);
                pool_pixel(DPLI_POOL_AVERAGE, p, out, corner, span, (float)(count > 0 ? count : 1));
            }
        }
    }
}
