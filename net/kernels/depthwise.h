/*
 * Depthwise convolution: out[y, x, c] = epilogue(sum over ky, kx of in[.., .., c] * w[ky, kx, c]).
 *
 * Weights are packed [channels / DPLI_PANEL, kernel_h * kernel_w, DPLI_PANEL]. 3x3 and 5x5 at
 * stride 1 and 2 are computed for several output pixels at once, so that an input vector is loaded
 * once for all the windows it is part of; its window is read through pointers, those outside the
 * picture pointing at zeros. Everything else takes the general loop.
 */

/* Output pixels at once. More do not fit into the registers beside the weights: of 3x3 all nine, of
 * 5x5 those of the lines that meet the input line at hand. */
#if DPLI_LANES == 16 || defined(DPLI_NEON)
#define DW_ROWS 2
#else
#define DW_ROWS 1
#endif
#define DW_COLS 4

/* Input lines and columns of so many output pixels. */
#define DW_HIGH ((DW_ROWS - 1) * 2 + 5)
#define DW_WIDE ((DW_COLS - 1) * 2 + 5)

/* What the sums of channels c .. c + n - 1 begin with, and what becomes of them. */
DPLI_INLINE vf dw_start(const target *t, size_t c, size_t n)
{
#if defined(DPLI_BYTE)
    return vi_to_vf((vi)(n == DPLI_LANES
                             ? vf_load((const float *)(const void *)(t->start + c))
                             : vf_load_n((const float *)(const void *)(t->start + c), n)));
#else
    return !t->bias          ? vf_set(0)
           : n == DPLI_LANES ? vf_load(t->bias + c)
                             : vf_load_n(t->bias + c, n);
#endif
}

DPLI_INLINE vf dw_product(const target *t, size_t c, size_t n, vf sum)
{
#if defined(DPLI_BYTE)
    byte_columns of;

    of.factor = n == DPLI_LANES ? vf_load(t->factor + c) : vf_load_n(t->factor + c, n);
    of.bias = n == DPLI_LANES ? vf_load(t->bias + c) : vf_load_n(t->bias + c, n);
    return product(t, of, sum);
#else
    (void)t, (void)c, (void)n;
    return sum;
#endif
}

DPLI_INLINE vf dw_finish(const target *t, size_t at, size_t c, vf y, size_t n)
{
    const bool whole = n == DPLI_LANES;
    vf slope = vf_set(0);

    if (t->slope)
        slope = whole ? vf_load(t->slope + c) : vf_load_n(t->slope + c, n);
    y = dw_product(t, c, n, y);
    if (t->before)
        y += load_added(t, t->before, at, n);
    if (t->act->kind == DPLI_ACT_PRELU)
        y = act_vec(DPLI_ACT_PRELU, y, slope, 0, 0);
    else if (t->act->kind == DPLI_ACT_RELU)
        y = act_vec(DPLI_ACT_RELU, y, slope, 0, 0);
    else if (t->act->kind != DPLI_ACT_NONE)
        y = act_any(t->act, y, slope);
    if (t->after)
        y += load_added(t, t->after, at, n);
    return y;
}

/* Where a window's pixels are: by a pointer each, those outside the picture to zeros, or, when all
 * lie in the picture, by its lines, `left` floats from their start. */
typedef struct dw_window {
    const elem *const *pixels;
    const elem *lines[DW_HIGH];
    size_t left, pixel; /* elements of a pixel of the input */
} dw_window;

/* Takes a pointer as one that nothing is known of, or the compiler would keep one for every pixel
 * of a window, on the stack, instead of one for every line. */
DPLI_INLINE const elem *opaque(const elem *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* What is rare behind the sums, for every number of pixels: unrolled it would be most of the code.
 */
static __attribute__((noinline)) void dw_block_finish_any(const int rows, const int cols,
                                                          const target *t, size_t out_line,
                                                          size_t c, size_t n,
                                                          const vf (*sums)[DW_COLS])
{
    for (int r = 0; r < rows; r++)
        for (int q = 0; q < cols; q++) {
            const size_t at = (size_t)r * out_line + (size_t)q * t->ldo + c;

            store_result(t, at, dw_finish(t, at, c, sums[r][q], n), n);
        }
}

DPLI_INLINE void dw_block_finish(const dpli_act_kind kind, const int rows, const int cols,
                                 const target *t, size_t out_line, size_t c, vf (*acc)[DW_COLS])
{
    const vf slope = kind == DPLI_ACT_PRELU ? vf_load(t->slope + c) : vf_set(0);

    DPLI_UNROLL
    for (int r = 0; r < rows; r++) {
        elem *out = (elem *)(uintptr_t)opaque(t->out + (size_t)r * out_line + c);

        DPLI_UNROLL
        for (int q = 0; q < cols; q++) {
            vf y =
                act_vec(kind, dw_product(t, c, DPLI_LANES, acc[r][q]), slope, t->act->a, t->act->b);

#if defined(DPLI_BYTE)
            y = to_whole(t->scales->out, y);
#endif
            ve_store(out + (size_t)q * t->ldo, y);
        }
    }
}

/* n channels (a whole vector, or, where few says so, the last few) of rows x cols output pixels,
 * whose window is [(rows - 1) * stride + side][(cols - 1) * stride + side] pixels. */
DPLI_INLINE void dw_block_vector(const int side, const int stride, const int rows, const int cols,
                                 const bool whole, const dw_window *window, const float *weights,
                                 const target *t, size_t out_line, size_t c, size_t n,
                                 const bool few)
{
    const int high = (rows - 1) * stride + side, wide = (cols - 1) * stride + side;
    const float *w = weights + c / DPLI_PANEL * (size_t)(side * side) * DPLI_PANEL + c % DPLI_PANEL;
    const vf start = dw_start(t, c, n);
    vf acc[DW_ROWS][DW_COLS], tap[5][5];

    DPLI_UNROLL
    for (int r = 0; r < rows; r++) {
        DPLI_UNROLL
        for (int q = 0; q < cols; q++)
            acc[r][q] = start;
    }
    DPLI_UNROLL
    for (int i = 0; i < high; i++) {
        const elem *line = whole ? opaque(window->lines[i] + window->left + c) : NULL;

        DPLI_UNROLL
        for (int kx = 0; i < side && kx < side; kx++)
            tap[i][kx] = vf_load(w + (i * side + kx) * DPLI_PANEL);
        DPLI_UNROLL
        for (int j = 0; j < wide; j++) {
            const elem *p =
                whole ? line + (size_t)j * window->pixel : window->pixels[i * wide + j] + c;
            const vf x = few ? ve_load_n(p, n) : ve_load(p);

            DPLI_UNROLL
            for (int r = 0; r < rows; r++) {
                DPLI_UNROLL
                for (int q = 0; q < cols; q++) {
                    const int ky = i - r * stride, kx = j - q * stride;

                    if (ky >= 0 && ky < side && kx >= 0 && kx < side)
                        acc[r][q] += x * tap[ky][kx];
                }
            }
        }
    }
    /* The last few are finished in one way: in each way of its own they were a third of the code.
     */
    switch (few ? RARE : kind_of(t)) {
    case DPLI_ACT_NONE: dw_block_finish(DPLI_ACT_NONE, rows, cols, t, out_line, c, acc); break;
    case DPLI_ACT_RELU: dw_block_finish(DPLI_ACT_RELU, rows, cols, t, out_line, c, acc); break;
    case DPLI_ACT_PRELU: dw_block_finish(DPLI_ACT_PRELU, rows, cols, t, out_line, c, acc); break;
    case DPLI_ACT_CLIP: dw_block_finish(DPLI_ACT_CLIP, rows, cols, t, out_line, c, acc); break;
    default: {
        vf sums[DW_ROWS][DW_COLS];

        DPLI_UNROLL
        for (int r = 0; r < rows; r++) {
            DPLI_UNROLL
            for (int q = 0; q < cols; q++)
                sums[r][q] = acc[r][q];
        }
        dw_block_finish_any(rows, cols, t, out_line, c, n, sums);
        break;
    }
    }
}

/* rows x cols output pixels, and as many again beside them, n_times. */
DPLI_INLINE void dw_block(const int side, const int stride, const int rows, const int cols,
                          const bool whole, size_t n_times, const dw_window *from,
                          const float *weights, const target *to, size_t out_line)
{
    dw_window window = *from;
    target t = *to;

    for (size_t i = 0; i < n_times; i++) {
        size_t c = 0;

        for (; c + DPLI_LANES <= t.ldo; c += DPLI_LANES)
            dw_block_vector(side, stride, rows, cols, whole, &window, weights, &t, out_line, c,
                            DPLI_LANES, 0);
        if (c < t.ldo)
            dw_block_vector(side, stride, rows, cols, whole, &window, weights, &t, out_line, c,
                            t.ldo - c, 1);
        window.left += (size_t)(stride * cols) * window.pixel;
        advance(&t, (size_t)cols * t.ldo);
    }
}

typedef void dw_block_fn(size_t n_times, const dw_window *window, const float *weights,
                         const target *t, size_t out_line);

#define DW_BLOCK(side, stride, rows, cols, whole, name)                                            \
    static void dw_##side##_##stride##_##rows##x##name(size_t n_times, const dw_window *window,    \
                                                       const float *weights, const target *t,      \
                                                       size_t out_line)                            \
    {                                                                                              \
        dw_block(side, stride, rows, cols, whole, n_times, window, weights, t, out_line);          \
    }
#define DW_BLOCKS(side, stride, rows)                                                              \
    DW_BLOCK(side, stride, rows, 1, 0, 1)                                                          \
    DW_BLOCK(side, stride, rows, 2, 0, 2)                                                          \
    DW_BLOCK(side, stride, rows, 3, 0, 3)                                                          \
    DW_BLOCK(side, stride, rows, 4, 0, 4)                                                          \
    DW_BLOCK(side, stride, rows, 4, 1, whole)
#define DW_NAMES(side, stride, rows)                                                               \
    {                                                                                              \
        dw_##side##_##stride##_##rows##x1, dw_##side##_##stride##_##rows##x2,                      \
            dw_##side##_##stride##_##rows##x3, dw_##side##_##stride##_##rows##x4,                  \
            dw_##side##_##stride##_##rows##xwhole                                                  \
    }

DW_BLOCKS(3, 1, 1)
DW_BLOCKS(3, 2, 1)
DW_BLOCKS(5, 1, 1)
DW_BLOCKS(5, 2, 1)
#if DW_ROWS == 2
DW_BLOCKS(3, 1, 2)
DW_BLOCKS(3, 2, 2)
DW_BLOCKS(5, 1, 2)
DW_BLOCKS(5, 2, 2)
#define DW_HEIGHTS(side, stride)                                                                   \
    {                                                                                              \
        DW_NAMES(side, stride, 1), DW_NAMES(side, stride, 2)                                       \
    }
#else
#define DW_HEIGHTS(side, stride)                                                                   \
    {                                                                                              \
        DW_NAMES(side, stride, 1)                                                                  \
    }
#endif

/* By side (3, 5), stride, rows, and columns with pixels of their own, the last for whole windows.
 */
static dw_block_fn *const dw_blocks[2][2][DW_ROWS][DW_COLS + 1] = {
    {DW_HEIGHTS(3, 1), DW_HEIGHTS(3, 2)},
    {DW_HEIGHTS(5, 1), DW_HEIGHTS(5, 2)},
};

/* Output lines oy .. oy + rows - 1 of one picture. */
static void dw_block_rows(const dpli_conv *c, const lines *in, const lines *out,
                          const float *packed, const target *all, const elem *zeros, int32_t oy,
                          int32_t rows)
{
    const int32_t side = c->kernel_h, stride = c->stride_h, high = (rows - 1) * stride + side;
    dw_block_fn *const *const blocks_of = dw_blocks[side / 2 - 1][stride - 1][rows - 1];
    const int32_t top = oy * stride - c->pad_top;
    const bool inside = top >= 0 && top + high <= c->in_h;
    const target line = target_line(all, out, oy);
    const size_t out_line = is_wide(all) ? out->line / (sizeof(float) / sizeof(elem)) : out->line;
    const elem *pixels[DW_HIGH * DW_WIDE];
    dw_window window = {.pixels = pixels, .pixel = (size_t)c->in_c};
    int32_t many;

    for (int32_t y = 0; y < high; y++)
        window.lines[y] = top + y >= 0 && top + y < c->in_h ? line_at(in, top + y) : NULL;
    for (int32_t ox = 0; ox < c->out_w; ox += many) {
        const int32_t left = ox * stride - c->pad_left;
        const target t = target_at(&line, (size_t)ox, 0, line.ldo);
        int32_t wide;

        /* Whole windows from here on: as far as the last one still lies in the picture. */
        many = 0;
        if (inside && left >= 0 && c->in_w >= left + side)
            many = (c->in_w - left - side) / stride + 1;
        many = many < c->out_w - ox ? many : c->out_w - ox;
        many -= many % DW_COLS;
        if (many > 0) {
            window.left = (size_t)left * window.pixel;
            blocks_of[DW_COLS]((size_t)(many / DW_COLS), &window, packed, &t, out_line);
            continue;
        }
        many = c->out_w - ox < DW_COLS ? c->out_w - ox : DW_COLS;
        wide = (many - 1) * stride + side;
        for (int32_t y = 0; y < high; y++) {
            for (int32_t x = 0; x < wide; x++) {
                const int32_t ix = left + x;

                pixels[y * wide + x] = !window.lines[y] || ix < 0 || ix >= c->in_w
                                           ? zeros
                                           : window.lines[y] + (size_t)ix * window.pixel;
            }
        }
        blocks_of[many - 1](1, &window, packed, &t, out_line);
    }
}

/* Channels c .. c + n - 1 of one output pixel, any kernel. Taps span[0] .. span[1] - 1 by span[2]
 * .. span[3] - 1 lie in the picture; tap (0, 0) would be pixel left of line top. */
DPLI_INLINE void dw_vector(const dpli_conv *cv, const lines *in, ptrdiff_t top, ptrdiff_t left,
                           const float *weights, const target *t, const int32_t *span, size_t c,
                           size_t n)
{
    const size_t taps = (size_t)cv->kernel_h * (size_t)cv->kernel_w;
    const float *w = weights + c / DPLI_PANEL * taps * DPLI_PANEL + c % DPLI_PANEL;
#if defined(DPLI_BYTE)
    /* Taps outside are left out, so that what stands for zero is taken off one by one. */
    const vf outside = vf_set(cv->outside);
    vf acc = vf_set(0);
#else
    const vf outside = vf_set(0);
    vf acc = dw_start(t, c, n);
#endif

    for (int32_t ky = span[0]; ky < span[1]; ky++) {
        const elem *line = line_at(in, (int32_t)top + ky * cv->dilation_h) + c;

        for (int32_t kx = span[2]; kx < span[3]; kx++) {
            const elem *p = line + (left + (ptrdiff_t)kx * cv->dilation_w) * cv->in_c;

            acc += ((n == DPLI_LANES ? ve_load(p) : ve_load_n(p, n)) - outside) *
                   vf_load(w + ((size_t)ky * (size_t)cv->kernel_w + (size_t)kx) * DPLI_PANEL);
        }
    }
    store_result(t, c, dw_finish(t, c, c, acc, n), n);
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

static bool in_blocks(const dpli_conv *c)
{
    return (c->kernel_h == 3 || c->kernel_h == 5) && c->kernel_w == c->kernel_h &&
           c->stride_h == c->stride_w && c->stride_h <= 2 && c->dilation_h == 1 &&
           c->dilation_w == 1;
}

/* Output lines from .. end - 1 of one picture; zeros [in_c]. Where out is a ring, its size and from
 * are even: lines are made two at a time. */
static void conv_depthwise_rows(const dpli_conv *c, const lines *in, const lines *out,
                                const float *packed, const target *all, const elem *zeros,
                                int32_t from, int32_t end)
{
    if (in_blocks(c)) {
        for (int32_t oy = from; oy < end; oy += DW_ROWS)
            dw_block_rows(c, in, out, packed, all, zeros, oy,
                          end - oy < DW_ROWS ? end - oy : DW_ROWS);
        return;
    }
    for (int32_t oy = from; oy < end; oy++) {
        const target line = target_line(all, out, oy);
        const ptrdiff_t top = (ptrdiff_t)oy * c->stride_h - c->pad_top;
        int32_t span[4];

        clip_taps(span, span + 1, top, c->kernel_h, c->dilation_h, c->in_h);
        for (int32_t ox = 0; ox < c->out_w; ox++) {
            const ptrdiff_t left = (ptrdiff_t)ox * c->stride_w - c->pad_left;
            const target t = target_at(&line, (size_t)ox, 0, line.ldo);
            size_t channel = 0;

            clip_taps(span + 2, span + 3, left, c->kernel_w, c->dilation_w, c->in_w);
            for (; channel + DPLI_LANES <= t.ldo; channel += DPLI_LANES)
                dw_vector(c, in, top, left, packed, &t, span, channel, DPLI_LANES);
            if (channel < t.ldo)
                dw_vector(c, in, top, left, packed, &t, span, channel, t.ldo - channel);
        }
    }
}
