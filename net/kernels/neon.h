/*
 * The products of gemm.h by NEON (aarch64): rows of a segment by a panel, added to sums in
 * registers.
 *
 * A vector holds several k of a row, and an instruction takes one of its lanes: broadcasts would be
 * loads of their own. A step is as many k as a vector of a row has. Sums run over k in order,
 * whatever the block: a batch of n is n batches of one to the bit.
 *
 *     float32   fmla by lane, 4 k a vector
 *     bytes     smlal by lane, 4 k a vector of words: NEON alone has no product of bytes with and
 *               without a sign
 *     bytes     sdot by lane (DPLI_DOTPROD), 16 k; rows as q - 128, and sums begin with 128 sum q_w
 * more bytes     usmmla (DPLI_I8MM), bfloat16 bfmmla: two rows by two columns, 8 bytes of k each
 */

/* Loads stay behind it: hoisted they would take registers that sums are in. */
#define NEON_WAIT() __asm__ volatile("" ::: "memory")

#if defined(DPLI_I8MM) || (defined(DPLI_NARROW) && !defined(DPLI_BYTE))

/*
 * Sums of rows r and r + 1, r even, lie as such an instruction has them: columns 0, 1 of r, then of
 * r + 1, in the vector of r; columns 2, 3 in that of r + 1. There and back is the same exchange. A
 * last row that has none below it is computed twice.
 */
DPLI_INLINE void neon_fold(const int rows, const bool back, vsum (*acc)[PANEL_VECS])
{
    DPLI_UNROLL
    for (int r = 0; r < rows; r += 2) {
        DPLI_UNROLL
        for (int v = 0; v < PANEL_VECS; v++) {
            const int64x2_t a = (int64x2_t)acc[r][v];
            const int64x2_t b = r + 1 < rows || back ? (int64x2_t)acc[r + 1][v] : a;

            acc[r][v] = (vsum)vzip1q_s64(a, b);
            acc[r + 1][v] = (vsum)vzip2q_s64(a, b);
        }
    }
}

DPLI_INLINE vsum neon_tile(vsum acc, int64x2_t x, int32x4_t w)
{
#if defined(DPLI_BYTE)
    return (vsum)vusmmlaq_s32((int32x4_t)acc, (uint8x16_t)x, (int8x16_t)w);
#else
    return (vsum)vbfmmlaq_f32((float32x4_t)acc, (bfloat16x8_t)x, (bfloat16x8_t)w);
#endif
}

/* Eight bytes of two rows; of the last k of bytes four, and zeros. */
DPLI_INLINE int64x2_t neon_pair(const elem *a, const elem *b, const size_t bytes)
{
    int64_t x = 0, y = 0;

    memcpy(&x, a, bytes);
    memcpy(&y, b, bytes);
    return vcombine_s64(vcreate_s64((uint64_t)x), vcreate_s64((uint64_t)y));
}

DPLI_INLINE void neon_step(const int rows, const elem *a, size_t lda, const size_t bytes,
                           const weight *panel, vsum (*acc)[PANEL_VECS])
{
    const int32_t *near = (const int32_t *)(const void *)panel, *far = near + DPLI_PANEL;
    int64x2_t x[BLOCK_ROWS / 2];

    DPLI_UNROLL
    for (int r = 0; r < rows; r += 2)
        x[r / 2] =
            neon_pair(a + (size_t)r * lda, a + (size_t)(r + 1 < rows ? r + 1 : r) * lda, bytes);
    DPLI_UNROLL
    for (int v = 0; v < PANEL_VECS; v++) {
        const int32x4_t first = vld1q_s32(near + 4 * v);
        const int32x4_t second = bytes == 8 ? vld1q_s32(far + 4 * v) : vdupq_n_s32(0);
        const int32x4_t low = vzip1q_s32(first, second), high = vzip2q_s32(first, second);

        DPLI_UNROLL
        for (int r = 0; r < rows; r += 2) {
            acc[r][v] = neon_tile(acc[r][v], x[r / 2], low);
            acc[r + 1][v] = neon_tile(acc[r + 1][v], x[r / 2], high);
        }
        NEON_WAIT();
    }
}

DPLI_INLINE const weight *neon_products(const int rows, const elem *a, size_t lda, size_t length,
                                        const weight *panel, vsum (*acc)[PANEL_VECS])
{
    const size_t step = 8 / sizeof *a;
    size_t k = 0;

    for (; k + step <= length; k += step, panel += step * DPLI_PANEL)
        neon_step(rows, a + k, lda, 8, panel, acc);
    /* Lengths are multiples of four. */
    if (k < length) {
        neon_step(rows, a + k, lda, 4, panel, acc);
        panel += step / 2 * DPLI_PANEL;
    }
    return panel;
}

#elif defined(DPLI_BYTE) && !defined(DPLI_DOTPROD)

/* Of 16 columns number j of each four of k, as words: by each row's. */
#define NEON_BYTES(j)                                                                              \
    do {                                                                                           \
        const int16x8_t low = vmovl_s8(vget_low_s8(w.val[j])), high = vmovl_high_s8(w.val[j]);     \
                                                                                                   \
        DPLI_UNROLL                                                                                \
        for (int r = 0; r < rows; r++) {                                                           \
            acc[r][0] = (vi)vmlal_lane_s16((int32x4_t)acc[r][0], vget_low_s16(low), x[r], j);      \
            acc[r][1] = (vi)vmlal_high_lane_s16((int32x4_t)acc[r][1], low, x[r], j);               \
            acc[r][2] = (vi)vmlal_lane_s16((int32x4_t)acc[r][2], vget_low_s16(high), x[r], j);     \
            acc[r][3] = (vi)vmlal_high_lane_s16((int32x4_t)acc[r][3], high, x[r], j);              \
        }                                                                                          \
    } while (0)

DPLI_INLINE const weight *neon_products(const int rows, const elem *a, size_t lda, size_t length,
                                        const weight *panel, vsum (*acc)[PANEL_VECS])
{
    for (size_t k = 0; k < length; k += 4, panel += 4 * DPLI_PANEL) {
        const int8x16x4_t w = vld4q_s8(panel);
        int16x4_t x[BLOCK_ROWS];

        DPLI_UNROLL
        for (int r = 0; r < rows; r++) {
            uint32_t four;

            memcpy(&four, a + (size_t)r * lda + k, sizeof four);
            x[r] = vreinterpret_s16_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
        }
        NEON_BYTES(0);
        NEON_BYTES(1);
        NEON_BYTES(2);
        NEON_BYTES(3);
    }
    return panel;
}

#else

#if defined(DPLI_BYTE)
#define NEON_DOT 4 /* of k by a lane */
typedef int8x16_t neon_row;

/* q - 128 */
DPLI_INLINE neon_row neon_load(const elem *p)
{
    return (neon_row)(vld1q_u8(p) ^ vdupq_n_u8(0x80));
}

DPLI_INLINE vsum neon_one(vsum acc, const elem *x, const weight *w)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return (vi)vdotq_s32((int32x4_t)acc, vld1q_s8(w),
                         (int8x16_t)(vdupq_n_s32(four) ^ vdupq_n_s32((int32_t)0x80808080)));
}

#define NEON_LANE(acc, w, x, j) (vi) vdotq_laneq_s32((int32x4_t)(acc), vld1q_s8(w), x, j)

/* 128 sum q_w of a panel. */
DPLI_INLINE void neon_start(size_t length, const weight *panel, vsum start[PANEL_VECS])
{
    int32x4_t sums[PANEL_VECS] = {vdupq_n_s32(0)};

    for (size_t k = 0; k < length; k += NEON_DOT, panel += NEON_DOT * DPLI_PANEL) {
        DPLI_UNROLL
        for (int v = 0; v < PANEL_VECS; v++)
            sums[v] = vdotq_s32(sums[v], vld1q_s8(panel + 16 * v), vdupq_n_s8(1));
    }
    for (int v = 0; v < PANEL_VECS; v++)
        start[v] = (vi)(sums[v] << 7);
}
#else
#define NEON_DOT 1
typedef float32x4_t neon_row;

DPLI_INLINE neon_row neon_load(const elem *p)
{
    return vld1q_f32(p);
}

DPLI_INLINE vsum neon_one(vsum acc, const elem *x, const weight *w)
{
    return (vf)vfmaq_n_f32((float32x4_t)acc, vld1q_f32(w), *x);
}

/* By hand: GCC makes a vector of the lane first, for which there is no register. */
DPLI_INLINE vsum neon_lane(vsum acc, float32x4_t w, neon_row x, const int lane)
{
    __asm__("fmla %0.4s, %1.4s, %2.s[%3]" : "+w"(acc) : "w"(w), "w"(x), "i"(lane));
    return acc;
}

#define NEON_LANE(acc, w, x, j) neon_lane(acc, vld1q_f32(w), x, j)
#endif

/* A vector of weights is loaded when it is due: 24 sums and 6 vectors of rows leave two registers.
 */
#define NEON_LINE(j)                                                                               \
    do {                                                                                           \
        DPLI_UNROLL                                                                                \
        for (int v = 0; v < PANEL_VECS; v++) {                                                     \
            const weight *w = panel + ((j)*DPLI_PANEL + 4 * v) * NEON_DOT;                         \
                                                                                                   \
            DPLI_UNROLL                                                                            \
            for (int r = 0; r < rows; r++)                                                         \
                acc[r][v] = NEON_LANE(acc[r][v], w, x[r], j);                                      \
            NEON_WAIT();                                                                           \
        }                                                                                          \
    } while (0)

DPLI_INLINE const weight *neon_products(const int rows, const elem *a, size_t lda, size_t length,
                                        const weight *panel, vsum (*acc)[PANEL_VECS])
{
    const size_t step = 4 * NEON_DOT;
    size_t k = 0;

    for (; k + step <= length; k += step, panel += step * DPLI_PANEL) {
        neon_row x[BLOCK_ROWS];

        DPLI_UNROLL
        for (int r = 0; r < rows; r++)
            x[r] = neon_load(a + (size_t)r * lda + k);
        NEON_LINE(0);
        NEON_LINE(1);
        NEON_LINE(2);
        NEON_LINE(3);
    }
    for (; k < length; k += NEON_DOT, panel += NEON_DOT * DPLI_PANEL) {
        DPLI_UNROLL
        for (int v = 0; v < PANEL_VECS; v++) {
            DPLI_UNROLL
            for (int r = 0; r < rows; r++)
                acc[r][v] = neon_one(acc[r][v], a + (size_t)r * lda + k, panel + 4 * v * NEON_DOT);
        }
    }
    return panel;
}

#endif

#if !defined(DPLI_I8MM) && (!defined(DPLI_NARROW) || defined(DPLI_BYTE))
DPLI_INLINE void neon_fold(const int rows, const bool back, vsum (*acc)[PANEL_VECS])
{
    (void)rows, (void)back, (void)acc;
}
#endif
