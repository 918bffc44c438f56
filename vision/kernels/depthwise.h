/*
 * Depthwise convolution: out[y, x, c] = epilogue(sum over ky, kx of in[.., .., c] * w[ky, kx, c]).
 *
 * Weights are packed [channels / DPLI_PANEL, kernel_h * kernel_w, DPLI_PANEL]. 3x3 at stride 1 and
 * 2 is computed for several output pixels at once, so that an input vector is loaded once for all
 * the windows it is part of; its window is read through pointers, those outside the picture
 * pointing at zeros. Everything else takes the general loop.
 */

/* Output pixels at once. More do not fit into the registers beside the nine weights. */
#if DPLI_LANES == 16
#define DW_ROWS 2
#else
#define DW_ROWS 1
#endif
#define DW_COLS 4

DPLI_INLINE vf dw_finish(const target *t, size_t at, size_t c, vf y, size_t n)
{
    const int whole = n == DPLI_LANES;
    vf slope = vf_set(0);

    if (t->slope)
        slope = whole ? vf_load(t->slope + c) : vf_load_n(t->slope + c, n);
    if (t->before)
        y += whole ? vf_load(t->before + at) : vf_load_n(t->before + at, n);
    if (t->act->kind == DPLI_ACT_PRELU)
        y = act_vec(DPLI_ACT_PRELU, y, slope, 0, 0);
    else if (t->act->kind == DPLI_ACT_RELU)
        y = act_vec(DPLI_ACT_RELU, y, slope, 0, 0);
    else if (t->act->kind != DPLI_ACT_NONE)
        y = act_any(t->act, y, slope);
    if (t->after)
        y += whole ? vf_load(t->after + at) : vf_load_n(t->after + at, n);
    return y;
}

/* n channels (a whole vector or the last few) of rows x cols output pixels. window: pointers to the
 * pixels of the window, [(rows - 1) * stride + 3][(cols - 1) * stride + 3]. */
DPLI_INLINE void dw3_vector(const int stride, const int rows, const int cols,
                            const float *const *window, const float *weights, const target *t,
                            size_t line, size_t c, size_t n)
{
    const int high = (rows - 1) * stride + 3, wide = (cols - 1) * stride + 3;
    const float *w = weights + c / DPLI_PANEL * 9 * DPLI_PANEL + c % DPLI_PANEL;
    vf acc[DW_ROWS][DW_COLS], tap[9], start = vf_set(0);

    DPLI_UNROLL
    for (int i = 0; i < 9; i++)
        tap[i] = vf_load(w + i * DPLI_PANEL);
    if (t->bias)
        start = n == DPLI_LANES ? vf_load(t->bias + c) : vf_load_n(t->bias + c, n);
    DPLI_UNROLL
    for (int r = 0; r < rows; r++) {
        DPLI_UNROLL
        for (int q = 0; q < cols; q++)
            acc[r][q] = start;
    }
    DPLI_UNROLL
    for (int i = 0; i < high; i++) {
        DPLI_UNROLL
        for (int j = 0; j < wide; j++) {
            const float *p = window[i * wide + j] + c;
            const vf x = n == DPLI_LANES ? vf_load(p) : vf_load_n(p, n);

            DPLI_UNROLL
            for (int r = 0; r < rows; r++) {
                DPLI_UNROLL
                for (int q = 0; q < cols; q++) {
                    const int ky = i - r * stride, kx = j - q * stride;

                    if (ky >= 0 && ky < 3 && kx >= 0 && kx < 3)
                        acc[r][q] += x * tap[ky * 3 + kx];
                }
            }
        }
    }
    DPLI_UNROLL
    for (int r = 0; r < rows; r++) {
        DPLI_UNROLL
        for (int q = 0; q < cols; q++) {
            const size_t at = (size_t)r * line + (size_t)q * t->ldo + c;
            const vf y = dw_finish(t, at, c, acc[r][q], n);

            if (n == DPLI_LANES)
                vf_store(t->out + at, y);
            else
                vf_store_n(t->out + at, y, n);
        }
    }
}

DPLI_INLINE void dw3(const int stride, const int rows, const int cols, const float *const *window,
                     const float *weights, const target *t, size_t line)
{
    size_t c = 0;

    for (; c + DPLI_LANES <= t->ldo; c += DPLI_LANES)
        dw3_vector(stride, rows, cols, window, weights, t, line, c, DPLI_LANES);
    if (c < t->ldo)
        dw3_vector(stride, rows, cols, window, weights, t, line, c, t->ldo - c);
}

typedef void dw3_fn(const float *const *window, const float *weights, const target *t, size_t line);

#define DW3(stride, rows, cols)                                                                    \
    static void dw3_##stride##_##rows##x##cols(const float *const *window, const float *weights,   \
                                               const target *t, size_t line)                       \
    {                                                                                              \
        dw3(stride, rows, cols, window, weights, t, line);                                         \
    }
#define DW3_ROW(stride, rows)                                                                      \
    DW3(stride, rows, 1) DW3(stride, rows, 2) DW3(stride, rows, 3) DW3(stride, rows, 4)
#define DW3_NAMES(stride, rows)                                                                    \
    {                                                                                              \
        dw3_##stride##_##rows##x1, dw3_##stride##_##rows##x2, dw3_##stride##_##rows##x3,           \
            dw3_##stride##_##rows##x4                                                              \
    }

DW3_ROW(1, 1)
DW3_ROW(2, 1)
#if DW_ROWS == 2
DW3_ROW(1, 2)
DW3_ROW(2, 2)
#endif

static dw3_fn *const dw3_fns[2][DW_ROWS][DW_COLS] = {
#if DW_ROWS == 2
    {DW3_NAMES(1, 1), DW3_NAMES(1, 2)},
    {DW3_NAMES(2, 1), DW3_NAMES(2, 2)},
#else
    {DW3_NAMES(1, 1)},
    {DW3_NAMES(2, 1)},
#endif
};

static void conv_depthwise3(const dpli_conv *c, const float *in, const float *packed,
                            const target *all, const float *zeros)
{
    const int32_t stride = c->stride_h;

    for (int32_t i = 0; i < c->n; i++) {
        const float *image = in + (size_t)i * (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;

        for (int32_t oy = 0; oy < c->out_h; oy += DW_ROWS) {
            const int32_t rows = c->out_h - oy < DW_ROWS ? c->out_h - oy : DW_ROWS;

            for (int32_t ox = 0; ox < c->out_w; ox += DW_COLS) {
                const int32_t cols = c->out_w - ox < DW_COLS ? c->out_w - ox : DW_COLS;
                const int32_t high = (rows - 1) * stride + 3, wide = (cols - 1) * stride + 3;
                const float *window[((DW_ROWS - 1) * 2 + 3) * ((DW_COLS - 1) * 2 + 3)];
                target t;

                for (int32_t y = 0; y < high; y++) {
                    for (int32_t x = 0; x < wide; x++) {
                        const int32_t iy = oy * stride - c->pad_top + y;
                        const int32_t ix = ox * stride - c->pad_left + x;

                        window[y * wide + x] =
                            iy < 0 || iy >= c->in_h || ix < 0 || ix >= c->in_w
                                ? zeros
                                : image +
                                      ((size_t)iy * (size_t)c->in_w + (size_t)ix) * (size_t)c->in_c;
                    }
                }
                tile_at(&t, all,
                        ((size_t)i * (size_t)c->out_h + (size_t)oy) * (size_t)c->out_w + (size_t)ox,
                        0, (size_t)c->out_c);
                dw3_fns[stride - 1][rows - 1][cols - 1](window, packed, &t,
                                                        (size_t)c->out_w * t.ldo);
            }
        }
    }
}

/* Channels c .. c + n - 1 of one output pixel, any kernel: taps y0 .. y1 - 1 by x0 .. x1 - 1 lie in
 * the picture, corner is where tap (0, 0) would. */
DPLI_INLINE void dw_vector(const dpli_conv *cv, const float *corner, const float *weights,
                           const target *t, const int32_t *span, size_t c, size_t n)
{
    const size_t taps = (size_t)cv->kernel_h * (size_t)cv->kernel_w;
    const float *w = weights + c / DPLI_PANEL * taps * DPLI_PANEL + c % DPLI_PANEL;
    vf acc = vf_set(0);

    if (t->bias)
        acc = n == DPLI_LANES ? vf_load(t->bias + c) : vf_load_n(t->bias + c, n);
    for (int32_t ky = span[0]; ky < span[1]; ky++) {
        for (int32_t kx = span[2]; kx < span[3]; kx++) {
            const float *p =
                corner +
                ((ptrdiff_t)ky * cv->dilation_h * cv->in_w + (ptrdiff_t)kx * cv->dilation_w) *
                    cv->in_c +
                (ptrdiff_t)c;

            acc += (n == DPLI_LANES ? vf_load(p) : vf_load_n(p, n)) *
                   vf_load(w + ((size_t)ky * (size_t)cv->kernel_w + (size_t)kx) * DPLI_PANEL);
        }
    }
    acc = dw_finish(t, c, c, acc, n);
    if (n == DPLI_LANES)
        vf_store(t->out + c, acc);
    else
        vf_store_n(t->out + c, acc, n);
}

/* Taps first .. end - 1 of those at start, start + dilation, … lie in 0 .. size - 1. */
static void clip_taps(int32_t *first, int32_t *end, int64_t start, int32_t taps, int32_t dilation,
                      int32_t size)
{
    *first = 0;
    *end = taps;
    while (*first < taps && start + (int64_t)*first * dilation < 0)
        ++*first;
    while (*end > *first && start + (int64_t)(*end - 1) * dilation >= size)
        --*end;
}

static void conv_depthwise(const dpli_conv *c, const float *in, const float *packed,
                           const target *all, const float *zeros)
{
    if (c->kernel_h == 3 && c->kernel_w == 3 && c->stride_h == c->stride_w && c->stride_h <= 2 &&
        c->dilation_h == 1 && c->dilation_w == 1) {
        conv_depthwise3(c, in, packed, all, zeros);
        return;
    }
    for (int32_t i = 0; i < c->n; i++) {
        const float *image = in + (size_t)i * (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;

        for (int32_t oy = 0; oy < c->out_h; oy++) {
            for (int32_t ox = 0; ox < c->out_w; ox++) {
                const ptrdiff_t top = (ptrdiff_t)oy * c->stride_h - c->pad_top;
                const ptrdiff_t left = (ptrdiff_t)ox * c->stride_w - c->pad_left;
                const float *corner = image + (top * c->in_w + left) * c->in_c;
                int32_t span[4];
                size_t channel = 0;
                target t;

                clip_taps(span, span + 1, top, c->kernel_h, c->dilation_h, c->in_h);
                clip_taps(span + 2, span + 3, left, c->kernel_w, c->dilation_w, c->in_w);
                tile_at(&t, all,
                        ((size_t)i * (size_t)c->out_h + (size_t)oy) * (size_t)c->out_w + (size_t)ox,
                        0, (size_t)c->out_c);
                for (; channel + DPLI_LANES <= t.ldo; channel += DPLI_LANES)
                    dw_vector(c, corner, packed, &t, span, channel, DPLI_LANES);
                if (channel < t.ldo)
                    dw_vector(c, corner, packed, &t, span, channel, t.ldo - channel);
            }
        }
    }
}
