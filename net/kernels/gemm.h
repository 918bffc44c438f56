/*
 * Matrix products with packed weights, and the convolutions made of them.
 *
 *     out[m, n] = epilogue(sum over k of a[m, k] * w[k, n])
 *
 * w is packed in panels of DPLI_PANEL columns, each [k, DPLI_PANEL], or of bfloat16 [k / 2,
 * DPLI_PANEL, 2] (DPLI_NARROW), of bytes [k / 4, DPLI_PANEL, 4] (DPLI_BYTE). A block of BLOCK_ROWS
 * rows by one or two panels is summed up in registers, its epilogue applied there, and written
 * once. The matrix a is not copied where its rows can be read in place: a row is a list of segments
 * (the lines of a convolution's window), each segment's next row lda floats further on.
 *
 * Each sum runs over k in order, whatever the block: a batch of n is n batches of one to the bit.
 */

/* As many accumulators as registers hold beside a panel's line and a broadcast. */
#if DPLI_LANES == 16
#define BLOCK_ROWS   14
#define BLOCK_PANELS 2
#elif DPLI_LANES == 8 && defined(DPLI_BYTE) && !defined(DPLI_VNNI)
#define BLOCK_ROWS   4
#define BLOCK_PANELS 1
#elif DPLI_LANES == 8
#define BLOCK_ROWS   6
#define BLOCK_PANELS 1
#elif defined(DPLI_NEON) && defined(DPLI_BYTE) && !defined(DPLI_DOTPROD) && !defined(DPLI_I8MM)
#define BLOCK_ROWS   4
#define BLOCK_PANELS 1
#elif defined(DPLI_NEON)
#define BLOCK_ROWS   6
#define BLOCK_PANELS 1
#else
#define BLOCK_ROWS   3
#define BLOCK_PANELS 1
#endif

#include "net/kernels/target.h"
#if defined(DPLI_CAN_THREE)
#include "net/kernels/three.h"
#endif

#if defined(DPLI_AMX)
#include "net/kernels/amx.h"
#else

/* What follows the sums of whole panels: something to add where adds says so, and the activation.
 */
DPLI_INLINE void finish(const target *t, const dpli_act_kind kind, const bool adds, const size_t n,
                        const int rows, const int vecs, vsum (*acc)[BLOCK_PANELS * PANEL_VECS])
{
    vf slope[BLOCK_PANELS * PANEL_VECS];
#if defined(DPLI_BYTE)
    byte_columns columns[BLOCK_PANELS * PANEL_VECS];
#endif

    DPLI_UNROLL
    for (int v = 0; v < vecs; v++) {
        slope[v] = kind == DPLI_ACT_PRELU ? load_columns(t->slope, v, n) : vf_set(0);
#if defined(DPLI_BYTE)
        columns[v] = load_byte_columns(t, v, n);
#endif
    }
    DPLI_UNROLL
    for (int r = 0; r < rows; r++) {
        DPLI_UNROLL
        for (int v = 0; v < vecs; v++) {
            const size_t at = (size_t)r * t->ldo + (size_t)v * DPLI_LANES;
#if defined(DPLI_BYTE)
            vf y = product(t, columns[v], vi_to_vf(acc[r][v]));
#else
            vf y = acc[r][v];
#endif

            if (adds)
                y += load_added(t, t->before, at, DPLI_LANES);
            y = act_vec(kind, y, slope[v], t->act->a, t->act->b);
#if defined(DPLI_BYTE)
            y = to_whole(t->scales->out, y);
#endif
            ve_store(t->out + at, y);
        }
    }
}

/* All that may be to do, for every number of rows: unrolled it would be most of the code. */
static __attribute__((noinline)) void finish_any(const target *t, size_t n, int rows, int vecs,
                                                 const vsum (*sums)[BLOCK_PANELS * PANEL_VECS])
{
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vecs; v++) {
            const size_t at = (size_t)r * t->ldo + (size_t)v * DPLI_LANES;
            const size_t many = columns_in(v, n);
#if defined(DPLI_BYTE)
            vf y;
#else
            vf y = sums[r][v];
#endif

            if (many == 0)
                break;
#if defined(DPLI_BYTE)
            y = product(t, load_byte_columns(t, v, n), vi_to_vf(sums[r][v]));
#endif
            if (t->before)
                y += load_added(t, t->before, at, many);
            y = act_any(t->act, y, t->slope ? load_columns(t->slope, v, n) : vf_set(0));
            if (t->after)
                y += load_added(t, t->after, at, many);
            store_result(t, at, y, many);
        }
    }
}

#if defined(DPLI_NEON)
#include "net/kernels/neon.h"
#elif defined(DPLI_BYTE)
#define DOT_K 4 /* of k at once */
#if defined(DPLI_VNNI) && DPLI_LANES == 16
typedef __m512i dot_weight;

DPLI_INLINE dot_weight load_weight(const weight *p)
{
    return _mm512_loadu_si512(p);
}
#elif DPLI_LANES == 8
#if defined(DPLI_VNNI)
typedef __m256i dot_weight;

DPLI_INLINE dot_weight load_weight(const weight *p)
{
    return _mm256_loadu_si256((const __m256i_u *)p);
}
#else
/* Numbers 0 and 2 of each four, and 1 and 3, as words: products of bytes would have to fit into a
 * word by twos, which those of 255 by 127 do not. */
typedef struct dot_weight {
    __m256i even, odd;
} dot_weight;

DPLI_INLINE dot_weight load_weight(const weight *p)
{
    const __m256i w = _mm256_loadu_si256((const __m256i_u *)p);

    return (dot_weight){_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), _mm256_srai_epi16(w, 8)};
}
#endif
#else
typedef const weight *dot_weight;

DPLI_INLINE dot_weight load_weight(const weight *p)
{
    return p;
}
#endif

DPLI_INLINE vsum dot(vsum acc, const elem *x, dot_weight w)
{
#if DPLI_LANES == 4
    for (int i = 0; i < DPLI_LANES; i++)
        acc[i] += x[0] * w[4 * i] + x[1] * w[4 * i + 1] + x[2] * w[4 * i + 2] + x[3] * w[4 * i + 3];
    return acc;
#else
    int32_t four;

    memcpy(&four, x, sizeof four);
#if DPLI_LANES == 16
    return (vi)_mm512_dpbusd_epi32((__m512i)acc, _mm512_set1_epi32(four), w);
#elif defined(DPLI_VNNI)
    return (vi)_mm256_dpbusd_avx_epi32((__m256i)acc, _mm256_set1_epi32(four), w);
#else
    const __m256i all = _mm256_set1_epi32(four), low = _mm256_set1_epi16(0xff);

    return acc + (vi)_mm256_madd_epi16(_mm256_and_si256(all, low), w.even) +
           (vi)_mm256_madd_epi16(_mm256_srli_epi16(all, 8), w.odd);
#endif
#endif
}
#elif defined(DPLI_NARROW)
#define DOT_K 2 /* of k at once */
typedef __m512bh dot_weight;

DPLI_INLINE dot_weight load_weight(const weight *p)
{
    return (__m512bh)_mm512_loadu_si512(p);
}

DPLI_INLINE vf dot(vf acc, const elem *x, dot_weight w)
{
    int32_t pair;

    memcpy(&pair, x, sizeof pair);
    return (vf)_mm512_dpbf16_ps((__m512)acc, (__m512bh)_mm512_set1_epi32(pair), w);
}
#else
#define DOT_K 1
typedef vf dot_weight;

DPLI_INLINE dot_weight load_weight(const weight *p)
{
    return vf_load(p);
}

DPLI_INLINE vf dot(vf acc, const elem *x, dot_weight w)
{
    return acc + *x * w;
}
#endif

/* n_blocks times rows x panels of a product, its epilogue, and out. */
DPLI_INLINE void block(const int rows, const int panels, size_t n_blocks, const source *from,
                       const weight *packed, size_t panel_size, const target *to)
{
    const int vecs = panels * PANEL_VECS;
    const source s = *from;
    target t = *to;
    /* A panel that is not all there comes alone. */
    const size_t whole = (size_t)panels * DPLI_PANEL, n = panels == 1 ? t.n_columns : whole;
    const int kind = n < whole ? RARE : kind_of(&t);
    size_t offset = s.offset;
#if defined(DPLI_DOTPROD)
    vsum more[PANEL_VECS];

    neon_start(s.n_segments * s.length, packed, more);
#endif
#if defined(DPLI_NEON)
    (void)panel_size; /* a panel at a time */
#else
    const bool prefetch = s.n_segments == 1;
#endif

    for (size_t b = 0; b < n_blocks; b++) {
        const weight *panel = packed;
        vsum acc[BLOCK_ROWS][BLOCK_PANELS * PANEL_VECS];

        DPLI_UNROLL
        for (int v = 0; v < vecs; v++) {
#if defined(DPLI_DOTPROD)
            const vsum start = load_start(&t, v, n) + more[v];
#else
            const vsum start = load_start(&t, v, n);
#endif

            DPLI_UNROLL
            for (int r = 0; r < rows; r++)
                acc[r][v] = start;
        }
#if defined(DPLI_NEON)
        neon_fold(rows, false, acc);
        for (size_t i = 0; i < s.n_segments; i++)
            panel = neon_products(rows, s.segments[i] + offset, s.lda, s.length, panel, acc);
        neon_fold(rows, true, acc);
#else
        for (size_t i = 0; i < s.n_segments; i++) {
            /* A pointer every third row: three strides are an address each, 14 would not fit. */
            const elem *a[(BLOCK_ROWS + 2) / 3];

            DPLI_UNROLL
            for (int r = 0; r < rows; r += 3)
                a[r / 3] = s.segments[i] + offset + (size_t)r * s.lda;
            for (size_t k = 0; k < s.length; k += DOT_K) {
                /* The next block's rows, when they lie behind these: a line of 16 floats for each
                 * k is a little more than BLOCK_ROWS rows of k floats. */
                if (prefetch)
                    __builtin_prefetch(s.segments[i] + offset + (size_t)rows * s.lda + k * 16);
                dot_weight w[BLOCK_PANELS * PANEL_VECS];

                DPLI_UNROLL
                for (int v = 0; v < vecs; v++)
                    w[v] = load_weight(panel + (size_t)(v / PANEL_VECS) * panel_size +
                                       (size_t)(v % PANEL_VECS) * DPLI_LANES * DOT_K);
                panel += DPLI_PANEL * DOT_K;
                DPLI_UNROLL
                for (int r = 0; r < rows; r++) {
                    const elem *x = a[r / 3] + (size_t)(r % 3) * s.lda + k;

                    DPLI_UNROLL
                    for (int v = 0; v < vecs; v++)
                        acc[r][v] = dot(acc[r][v], x, w[v]);
                }
            }
        }
#endif
        switch (kind) {
        case ADDED: finish(&t, DPLI_ACT_NONE, 1, whole, rows, vecs, acc); break;
        case DPLI_ACT_NONE: finish(&t, DPLI_ACT_NONE, 0, whole, rows, vecs, acc); break;
        case DPLI_ACT_RELU: finish(&t, DPLI_ACT_RELU, 0, whole, rows, vecs, acc); break;
        case DPLI_ACT_PRELU: finish(&t, DPLI_ACT_PRELU, 0, whole, rows, vecs, acc); break;
        case DPLI_ACT_CLIP: finish(&t, DPLI_ACT_CLIP, 0, whole, rows, vecs, acc); break;
        default: {
            vsum sums[BLOCK_ROWS][BLOCK_PANELS * PANEL_VECS];

            DPLI_UNROLL
            for (int r = 0; r < rows; r++) {
                DPLI_UNROLL
                for (int v = 0; v < vecs; v++)
                    sums[r][v] = acc[r][v];
            }
            finish_any(&t, n, rows, vecs, sums);
            break;
        }
        }
        offset += (size_t)rows * s.lda;
        advance(&t, (size_t)rows * t.ldo);
    }
}

typedef void block_fn(size_t n_blocks, const source *s, const weight *packed, size_t panel_size,
                      const target *t);

#define BLOCK(rows, panels)                                                                        \
    static void block_##rows##x##panels(size_t n_blocks, const source *s, const weight *packed,    \
                                        size_t panel_size, const target *t)                        \
    {                                                                                              \
        block(rows, panels, n_blocks, s, packed, panel_size, t);                                   \
    }
#if BLOCK_PANELS == 2
#define BLOCKS(rows) BLOCK(rows, 1) BLOCK(rows, 2)
#define NAMES(rows)                                                                                \
    {                                                                                              \
        block_##rows##x1, block_##rows##x2                                                         \
    }
#else
#define BLOCKS(rows) BLOCK(rows, 1)
#define NAMES(rows)                                                                                \
    {                                                                                              \
        block_##rows##x1                                                                           \
    }
#endif

BLOCKS(1)
BLOCKS(2)
BLOCKS(3)
#if BLOCK_ROWS > 3
BLOCKS(4)
#endif
#if BLOCK_ROWS > 4
BLOCKS(5)
BLOCKS(6)
#endif
#if BLOCK_ROWS > 6
BLOCKS(7)
BLOCKS(8)
BLOCKS(9)
BLOCKS(10)
BLOCKS(11)
BLOCKS(12)
BLOCKS(13)
BLOCKS(14)
#endif

static block_fn *const blocks[BLOCK_ROWS][BLOCK_PANELS] = {
    NAMES(1), NAMES(2), NAMES(3),
#if BLOCK_ROWS > 3
    NAMES(4),
#endif
#if BLOCK_ROWS > 4
    NAMES(5), NAMES(6),
#endif
#if BLOCK_ROWS > 6
    NAMES(7), NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14),
#endif
};

/*
 * n_rows rows times all panels. The panels are the outer loop: one or two of them stay in the first
 * cache while the rows, which the caller keeps few enough for the second, pass.
 */
static void tile(size_t n_rows, const source *s, size_t k, const weight *packed, const target *t)
{
#if defined(DPLI_CAN_THREE)
    if (t->three) {
        dpli_three_tile(n_rows, s, k, packed, t);
        return;
    }
#endif
    /* Blocks as even as can be, some of rows + 1, the others of rows: a last one of few rows would
     * leave the processor waiting. */
    const size_t n_blocks = (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const size_t rows = n_rows / n_blocks, n_more = n_rows % n_blocks;
    size_t n = 0;

    for (size_t column = 0; column < t->n_columns; column += n) {
        const size_t left = t->n_columns - column;
        const size_t panels = left >= BLOCK_PANELS * DPLI_PANEL ? BLOCK_PANELS : 1;

        n = left < panels * DPLI_PANEL ? left : panels * DPLI_PANEL;
        for (int more = 1; more >= 0; more--) {
            const size_t high = rows + (size_t)more, many = more ? n_more : n_blocks - n_more;
            const size_t row = more ? 0 : n_more * (rows + 1);
            const target to = target_at(t, row, column, n);
            source from = *s;

            from.offset += row * s->lda;
            if (many > 0)
                blocks[high - 1][panels - 1](many, &from, packed + column * k, DPLI_PANEL * k, &to);
        }
    }
}

/* Around a run; three: there are products by three in it. */
static void products_begin(bool three)
{
#if defined(DPLI_CAN_THREE)
    if (three)
        dpli_three_begin();
#else
    (void)three;
#endif
}

static void products_end(bool three)
{
#if defined(DPLI_CAN_THREE)
    if (three)
        dpli_three_end();
#else
    (void)three;
#endif
}

#endif /* DPLI_AMX */

/* Rows of a tile: of AMX whole pairs of tiles. */
static size_t rows_of_tile(const dpli_conv *c)
{
    const size_t rows = dpli_conv_tile_rows(c);

#if defined(DPLI_AMX)
    return rows - rows % 32;
#else
    return c->three ? rows - rows % 32 : rows;
#endif
}

static void conv_flat(const dpli_conv *c, const elem *in, const weight *packed, const target *all,
                      size_t from, size_t end)
{
    const size_t k = (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)c->in_c;
    const size_t m = (size_t)c->n * (size_t)c->out_h * (size_t)c->out_w;
    const size_t step = rows_of_tile(c);
    size_t column = 0, n_columns = all->n_columns;

    if (dpli_conv_cut_by_columns(c)) {
        column = from * DPLI_UNIT_COLUMNS;
        if (column >= n_columns)
            return;
        if (end * DPLI_UNIT_COLUMNS < n_columns)
            n_columns = end * DPLI_UNIT_COLUMNS;
        n_columns -= column;
        from = 0;
        end = m;
    }
    for (size_t row = from; row < end; row += step) {
        const elem *start = in + row * k;
        const source s = {&start, 1, k, 0, k};
        const target t = target_at(all, row, column, n_columns);

        tile(end - row < step ? end - row : step, &s, k, packed + column * k, &t);
    }
}

/* The lines of one picture, of which the last n_ring are kept, each in the place of the one n_ring
 * before it; all of them are when n_ring is the picture's height. */
typedef struct lines {
    elem *first;
    size_t line; /* elements; of float32 in a narrow level, two of them each */
    int32_t n_ring;
} lines;

static inline elem *line_at(const lines *l, int32_t y)
{
    return l->first + (size_t)(y % l->n_ring) * l->line;
}

/* Where output line y goes. t stands at the picture's start; only a picture that is kept whole has
 * something to add to it. */
static target target_line(const target *t, const lines *out, int32_t y)
{
    target to = *t;
    const size_t at = (size_t)y * out->line;

    to.out = line_at(out, y);
    to.before = t->before ? t->before + at : NULL;
    to.after = t->after ? t->after + at : NULL;
    return to;
}

/* 1x1, line by line. */
static void conv_flat_rows(const dpli_conv *c, const lines *in, const lines *out,
                           const weight *packed, const target *all, int32_t from, int32_t end)
{
    const size_t k = (size_t)c->in_c;

    for (int32_t y = from; y < end; y++) {
        const elem *start = line_at(in, y);
        const source s = {&start, 1, k, 0, k};
        const target t = target_line(all, out, y);

        tile((size_t)c->out_w, &s, k, packed, &t);
    }
}

/*
 * A tile is a line of the output. Its windows are read straight from the input's lines, or, where
 * the picture is padded at its sides, from copies with zeros at both ends; the copies form a ring,
 * so that each input line is copied once. scratch: [kernel_h] pointers, a line of zeros, the ring;
 * conv_lines_begin is called once for it. copied: input lines of this picture that have been
 * copied.
 */
typedef struct line_copies {
    const elem **segments;
    elem *zeros, *ring;
    ptrdiff_t width, left, kept;
    int32_t n_ring, copied;
    bool needed;
} line_copies;

static line_copies conv_lines_begin(const dpli_conv *c, void *scratch)
{
    const ptrdiff_t line = (ptrdiff_t)c->in_w * c->in_c;
    line_copies l = {.segments = scratch,
                     .zeros = (elem *)scratch + ((size_t)c->kernel_h * sizeof(elem *) + 63) / 64 *
                                                    (64 / sizeof(elem)),
                     .width = ((ptrdiff_t)(c->out_w - 1) * c->stride_w + c->kernel_w) * c->in_c,
                     .left = (ptrdiff_t)c->pad_left * c->in_c,
                     .n_ring = (c->kernel_h - 1) * c->dilation_h + 1};
    const ptrdiff_t room = l.width > l.left ? l.width - l.left : 0;

    l.ring = l.zeros + l.width;
    l.kept = room < line ? room : line;
    l.needed = l.left > 0 || l.width > line;
    memset(l.zeros, c->outside,
           (size_t)l.width * (l.needed ? (size_t)l.n_ring + 1 : 1) * sizeof *l.zeros);
    return l;
}

static void conv_lines_rows(const dpli_conv *c, const lines *in, const lines *out,
                            const weight *packed, const target *all, line_copies *l, int32_t from,
                            int32_t end)
{
    const size_t k = (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)c->in_c;
    const source s = {l->segments, (size_t)c->kernel_h, (size_t)c->kernel_w * (size_t)c->in_c, 0,
                      (size_t)c->stride_w * (size_t)c->in_c};

    for (int32_t oy = from; oy < end; oy++) {
        const int32_t top = oy * c->stride_h - c->pad_top;
        const target t = target_line(all, out, oy);

        l->copied = l->copied > top ? l->copied : top;
        for (; l->needed && l->copied < top + l->n_ring && l->copied < c->in_h; l->copied++)
            memcpy(l->ring + l->copied % l->n_ring * l->width + l->left, line_at(in, l->copied),
                   (size_t)l->kept * sizeof *l->ring);
        for (int32_t ky = 0; ky < c->kernel_h; ky++) {
            const int32_t y = top + ky * c->dilation_h;

            l->segments[ky] = y < 0 || y >= c->in_h ? l->zeros
                              : l->needed           ? l->ring + y % l->n_ring * l->width
                                                    : line_at(in, y);
        }
        tile((size_t)c->out_w, &s, k, packed, &t);
    }
}

/* One row of patches: [kernel_h, kernel_w, channels] of the window at output pixel (oy, ox). */
static void patch(const dpli_conv *c, elem *to, const elem *image, int32_t oy, int32_t ox,
                  int32_t first, size_t channels)
{
    for (int32_t ky = 0; ky < c->kernel_h; ky++) {
        const ptrdiff_t y =
            (ptrdiff_t)oy * c->stride_h - c->pad_top + (ptrdiff_t)ky * c->dilation_h;

        for (int32_t kx = 0; kx < c->kernel_w; kx++, to += channels) {
            const ptrdiff_t x =
                (ptrdiff_t)ox * c->stride_w - c->pad_left + (ptrdiff_t)kx * c->dilation_w;

            if (y < 0 || y >= c->in_h || x < 0 || x >= c->in_w)
                memset(to, c->outside, channels * sizeof *to);
            else
                memcpy(to, image + (y * c->in_w + x) * c->in_c + first, channels * sizeof *to);
        }
    }
}

static void conv_patches(const dpli_conv *c, const elem *in, const weight *packed,
                         const target *all, void *scratch, size_t from, size_t end)
{
    const size_t group_in = (size_t)(c->in_c / c->groups);
    const size_t group_out = (size_t)(c->out_c / c->groups);
    const size_t k = (size_t)c->kernel_h * (size_t)c->kernel_w * group_in;
    const size_t group_floats = (group_out + DPLI_PANEL - 1) / DPLI_PANEL * DPLI_PANEL * k;
    const size_t picture = (size_t)c->out_h * (size_t)c->out_w;
    const size_t step = rows_of_tile(c);
    elem *patches = scratch;
    const elem *const start = patches;
    const source s = {&start, 1, k, 0, k};

    for (size_t row = from; row < end; row += step) {
        const size_t n_rows = end - row < step ? end - row : step;

        for (size_t g = 0; g < (size_t)c->groups; g++) {
            /* Without groups as many as there are to write, of a narrow result fewer. */
            const target t =
                target_at(all, row, g * group_out, c->groups == 1 ? all->n_columns : group_out);

            for (size_t i = 0; i < n_rows; i++) {
                const size_t at = (row + i) % picture;

                patch(c, patches + i * k,
                      in +
                          (row + i) / picture * (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c,
                      (int32_t)(at / (size_t)c->out_w), (int32_t)(at % (size_t)c->out_w),
                      (int32_t)(g * group_in), group_in);
            }
            tile(n_rows, &s, k, packed + g * group_floats, &t);
        }
    }
}
