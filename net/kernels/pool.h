/*
 * Pooling. A window is the taps that lie in the picture; max of a window with a NaN is NaN.
 */

DPLI_INLINE vf pool_join(dpli_pool_kind kind, vf acc, vf x)
{
    /* At a NaN each order of vf_max returns its second; the bits of both together are a NaN. */
    return kind == DPLI_POOL_AVERAGE ? acc + x : (vf)((vi)vf_max(acc, x) | (vi)vf_max(x, acc));
}

/* Channels c .. c + n - 1 of an output pixel over a window that is not empty. */
DPLI_INLINE void pool_vector(dpli_pool_kind kind, const dpli_pool *p, elem *out, const lines *in,
                             ptrdiff_t top, ptrdiff_t left, const int32_t *span, float count,
                             size_t c, size_t n)
{
    vf acc = vf_set(kind == DPLI_POOL_MAX ? -INFINITY : 0.0f);

    for (int32_t ky = span[0]; ky < span[1]; ky++) {
        const elem *line = line_at(in, (int32_t)top + ky * p->dilation_h) + c;

        for (int32_t kx = span[2]; kx < span[3]; kx++) {
            const elem *x = line + (left + (ptrdiff_t)kx * p->dilation_w) * p->channels;

            acc = pool_join(kind, acc, n == DPLI_LANES ? ve_load(x) : ve_load_n(x, n));
        }
    }
    if (kind == DPLI_POOL_AVERAGE)
        acc /= count;
    if (n == DPLI_LANES)
        ve_store(out + c, acc);
    else
        ve_store_n(out + c, acc, n);
}

DPLI_INLINE void pool_pixel(dpli_pool_kind kind, const dpli_pool *p, elem *out, const lines *in,
                            ptrdiff_t top, ptrdiff_t left, const int32_t *span, float count)
{
    const size_t channels = (size_t)p->channels;
    size_t c = 0;

    for (; c + DPLI_LANES <= channels; c += DPLI_LANES)
        pool_vector(kind, p, out, in, top, left, span, count, c, DPLI_LANES);
    if (c < channels)
        pool_vector(kind, p, out, in, top, left, span, count, c, channels - c);
}

/* The largest of 2x2 pixels, what networks pool by most: a and b are its lines. */
static void max2_pixel(elem *out, const elem *a, const elem *b, size_t channels)
{
    size_t c = 0;

    for (; c + DPLI_LANES <= channels; c += DPLI_LANES)
        ve_store(out + c,
                 pool_join(DPLI_POOL_MAX,
                           pool_join(DPLI_POOL_MAX, ve_load(a + c), ve_load(a + channels + c)),
                           pool_join(DPLI_POOL_MAX, ve_load(b + c), ve_load(b + channels + c))));
    if (c < channels) {
        const size_t n = channels - c;

        ve_store_n(
            out + c,
            pool_join(
                DPLI_POOL_MAX,
                pool_join(DPLI_POOL_MAX, ve_load_n(a + c, n), ve_load_n(a + channels + c, n)),
                pool_join(DPLI_POOL_MAX, ve_load_n(b + c, n), ve_load_n(b + channels + c, n))),
            n);
    }
}

/* How many of the taps lie in the padded picture. */
static int32_t taps_padded(int64_t start, int32_t taps, int32_t dilation, int32_t before,
                           int32_t size, int32_t after)
{
    int32_t first, end;

    clip_taps(&first, &end, start + before, taps, dilation, before + size + after);
    return end - first;
}

/* Output lines from .. end - 1 of one picture. */
static void pool_rows(const dpli_pool *p, const lines *in, const lines *out, int32_t from,
                      int32_t end)
{
    for (int32_t oy = from; oy < end; oy++) {
        const ptrdiff_t top = (ptrdiff_t)oy * p->stride_h - p->pad_top;
        elem *y = line_at(out, oy);
        int32_t span[4];

        clip_taps(span, span + 1, top, p->kernel_h, p->dilation_h, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ox++, y += p->channels) {
            const ptrdiff_t left = (ptrdiff_t)ox * p->stride_w - p->pad_left;
            int32_t count;

            if (p->kind == DPLI_POOL_MAX && p->kernel_h == 2 && p->kernel_w == 2 &&
                p->dilation_h == 1 && p->dilation_w == 1 && span[1] - span[0] == 2 && left >= 0 &&
                left + 2 <= p->in_w) {
                max2_pixel(y, line_at(in, (int32_t)top) + left * p->channels,
                           line_at(in, (int32_t)top + 1) + left * p->channels, (size_t)p->channels);
                continue;
            }
            clip_taps(span + 2, span + 3, left, p->kernel_w, p->dilation_w, p->in_w);
            count = (span[1] - span[0]) * (span[3] - span[2]);
            if (p->kind == DPLI_POOL_MAX) {
                pool_pixel(DPLI_POOL_MAX, p, y, in, top, left, span, 1);
                continue;
            }
            if (p->count_include_pad)
                count = taps_padded(top, p->kernel_h, p->dilation_h, p->pad_top, p->in_h,
                                    p->pad_bottom) *
                        taps_padded(left, p->kernel_w, p->dilation_w, p->pad_left, p->in_w,
                                    p->pad_right);
            pool_pixel(DPLI_POOL_AVERAGE, p, y, in, top, left, span,
                       (float)(count > 0 ? count : 1));
        }
    }
}
