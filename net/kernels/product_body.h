/*
 * c [m, n] = op(a) op(b), or added to what is there, for training: float32 in memory, rounded to
 * bfloat16 on the way into cache, sums in float32.
 *
 * Both are packed as pairs of k, a pair a 32-bit word: a in blocks [16 rows, 16 pairs], b in blocks
 * [16 pairs, 16 columns], which is what a tile of AMX and a vector of AVX512-BF16 read. One is the
 * other transposed, and either may lie in memory with k or with rows and columns innermost. What is
 * past an edge is zero.
 *
 * The including file defines DPLI_PRODUCT, the function's name, and DPLI_AMX where it has tiles.
 *
 * Each sum runs over k in order, 32 at a time: a row's results do not depend on its neighbours.
 */

#define DPLI_LANES 16
#include "net/kernels/product.h"
#include "net/kernels/simd.h"

#define PRODUCT_K       ((size_t)512)
#define PRODUCT_COLUMNS ((size_t)512)
#define PRODUCT_ROWS    ((size_t)32)
#define PAIR_BLOCK      ((size_t)256) /* words */

/* What a packed block is made of: n lines, rows of a or columns of b, of which so many are there; k
 * elements of each. */
typedef struct lines_of {
    const float *from;
    size_t ld, n, k;
    bool k_inner; /* from[line ld + k], else from[k ld + line] */
} lines_of;

/* 16x16 words, transposed: by words, by pairs of them, by quarters of a register. */
DPLI_INLINE void transpose_words(__m512i r[16])
{
    __m512i t[16];

    DPLI_UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    DPLI_UNROLL
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    DPLI_UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    DPLI_UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

DPLI_INLINE __mmask16 first(size_t n)
{
    return n >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
}

/* A block from line `line` and element k on; by_pair: pairs are its rows, else lines are. */
DPLI_INLINE void pack_block(uint32_t *to, const lines_of *l, size_t line, size_t k, bool by_pair)
{
    const size_t n_lines = l->n - line < 16 ? l->n - line : 16, n_k = l->k - k;
    __m512i r[16];

    if (l->k_inner) {
        const __mmask16 low = first(n_k), high = first(n_k > 16 ? n_k - 16 : 0);
        const float *from = l->from + line * l->ld + k;

        DPLI_UNROLL
        for (size_t i = 0; i < 16; i++) {
            if (i >= n_lines) {
                r[i] = _mm512_setzero_si512();
                continue;
            }
            r[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, from + i * l->ld + 16),
                                                _mm512_maskz_loadu_ps(low, from + i * l->ld));
        }
    } else {
        const __mmask16 wide = first(n_lines);
        const float *from = l->from + k * l->ld + line;

        DPLI_UNROLL
        for (size_t i = 0; i < 16; i++) {
            const __m512 even = 2 * i < n_k ? _mm512_maskz_loadu_ps(wide, from + 2 * i * l->ld)
                                            : _mm512_setzero_ps();
            const __m512 odd = 2 * i + 1 < n_k
                                   ? _mm512_maskz_loadu_ps(wide, from + (2 * i + 1) * l->ld)
                                   : _mm512_setzero_ps();

            r[i] = _mm512_or_si512(
                _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(even)),
                _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(odd)), 16));
        }
    }
    if (l->k_inner == by_pair)
        transpose_words(r);
    DPLI_UNROLL
    for (int i = 0; i < 16; i++)
        _mm512_store_si512(to + 16 * i, r[i]);
}

static void pack_rows(uint32_t *to, const lines_of *l, size_t line)
{
    for (size_t k = 0; k < l->k; k += 32, to += PAIR_BLOCK)
        pack_block(to, l, line, k, false);
}

static void pack_columns(uint32_t *to, const lines_of *l, size_t line)
{
    for (size_t k = 0; k < l->k; k += 32, to += PAIR_BLOCK)
        pack_block(to, l, line, k, true);
}

#if defined(DPLI_AMX)

static void product_begin(void)
{
    static const struct {
        uint8_t palette, start_row, zeros[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1,
                .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

    _tile_loadconfig(&config);
}

static void product_end(void)
{
    _tile_release();
}

/* A tile of c at (row, column) that is not whole, from or to 16x16 floats. */
static void edge(const dpli_product *p, size_t row, size_t column, float *tile, bool out)
{
    const __mmask16 wide = first(p->n - column);

    for (size_t r = 0; r < 16; r++) {
        float *c = p->c + (row + r) * p->ldc + column;

        if (row + r >= p->m) {
            if (!out)
                _mm512_store_ps(tile + 16 * r, _mm512_setzero_ps());
        } else if (out) {
            _mm512_mask_storeu_ps(c, wide, _mm512_load_ps(tile + 16 * r));
        } else {
            _mm512_store_ps(tile + 16 * r, _mm512_maskz_loadu_ps(wide, c));
        }
    }
}

/* Where a tile is read from and written to: c itself, or, at an edge, 16x16 floats beside it. */
typedef struct tile_place {
    float *at;
    size_t stride;
    bool is_edge;
} tile_place;

DPLI_INLINE tile_place place_of(const dpli_product *p, size_t row, size_t column, float *beside,
                                bool add)
{
    if (row + 16 <= p->m && column + 16 <= p->n)
        return (tile_place){p->c + row * p->ldc + column, p->ldc * sizeof(float), false};
    if (add)
        edge(p, row, column, beside, false);
    return (tile_place){beside, 64, true};
}

/* 32x32 of c at (row, column), as far as there are, over n_blocks blocks of k. */
static void product_block(const dpli_product *p, size_t row, size_t column, const uint32_t *a,
                          const uint32_t *b, size_t n_blocks, size_t a_size, size_t b_size,
                          bool add, float *beside)
{
    const bool low = row + 16 < p->m, right = column + 16 < p->n;
    tile_place c[4];

    c[0] = place_of(p, row, column, beside, add);
    c[1] = right ? place_of(p, row, column + 16, beside + 256, add) : c[0];
    c[2] = low ? place_of(p, row + 16, column, beside + 512, add) : c[0];
    c[3] = low && right ? place_of(p, row + 16, column + 16, beside + 768, add) : c[0];
    if (add) {
        _tile_loadd(0, c[0].at, c[0].stride);
        _tile_loadd(1, c[1].at, c[1].stride);
        _tile_loadd(2, c[2].at, c[2].stride);
        _tile_loadd(3, c[3].at, c[3].stride);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (size_t k = 0; k < n_blocks; k++, a += PAIR_BLOCK, b += PAIR_BLOCK) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (low) {
            _tile_loadd(5, a + a_size, 64);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (right) {
            _tile_loadd(7, b + b_size, 64);
            _tile_dpbf16ps(1, 4, 7);
            if (low)
                _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c[0].at, c[0].stride);
    if (right)
        _tile_stored(1, c[1].at, c[1].stride);
    if (low)
        _tile_stored(2, c[2].at, c[2].stride);
    if (low && right)
        _tile_stored(3, c[3].at, c[3].stride);
    for (size_t i = 0; i < 4; i++)
        if (c[i].is_edge && ((i & 1) == 0 || right) && ((i & 2) == 0 || low))
            edge(p, row + 8 * (i & 2), column + 16 * (i & 1), c[i].at, true);
}

#else

static void product_begin(void)
{
}

static void product_end(void)
{
}

/* Eight rows by sixteen or, with right, thirty-two columns. */
DPLI_INLINE void eight_rows(const dpli_product *p, size_t row, size_t column, const bool right,
                            const uint32_t *a, const uint32_t *b, size_t n_blocks, size_t b_size,
                            bool add)
{
    const __mmask16 wide[2] = {first(p->n - column), right ? first(p->n - column - 16) : 0};
    const size_t n_rows = p->m - row < 8 ? p->m - row : 8;
    const int vecs = right ? 2 : 1;
    __m512 acc[8][2];

    DPLI_UNROLL
    for (size_t r = 0; r < 8; r++)
        DPLI_UNROLL
    for (int v = 0; v < vecs; v++)
        acc[r][v] =
            add && r < n_rows
                ? _mm512_maskz_loadu_ps(wide[v], p->c + (row + r) * p->ldc + column + 16 * v)
                : _mm512_setzero_ps();
    for (size_t k = 0; k < n_blocks; k++, a += PAIR_BLOCK, b += PAIR_BLOCK) {
        for (size_t j = 0; j < 16; j++) {
            __m512bh w[2];

            DPLI_UNROLL
            for (int v = 0; v < vecs; v++)
                w[v] = (__m512bh)_mm512_load_si512(b + (size_t)v * b_size + 16 * j);
            DPLI_UNROLL
            for (size_t r = 0; r < 8; r++) {
                const __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[16 * r + j]);

                DPLI_UNROLL
                for (int v = 0; v < vecs; v++)
                    acc[r][v] = _mm512_dpbf16_ps(acc[r][v], x, w[v]);
            }
        }
    }
    DPLI_UNROLL
    for (size_t r = 0; r < 8; r++) {
        if (r >= n_rows)
            continue;
        DPLI_UNROLL
        for (int v = 0; v < vecs; v++)
            _mm512_mask_storeu_ps(p->c + (row + r) * p->ldc + column + 16 * v, wide[v], acc[r][v]);
    }
}

static void product_block(const dpli_product *p, size_t row, size_t column, const uint32_t *a,
                          const uint32_t *b, size_t n_blocks, size_t a_size, size_t b_size,
                          bool add, float *beside)
{
    (void)beside;
    for (size_t r = 0; r < PRODUCT_ROWS && row + r < p->m; r += 8) {
        const uint32_t *rows = a + r / 16 * a_size + r % 16 * 16;

        if (column + 16 < p->n)
            eight_rows(p, row + r, column, true, rows, b, n_blocks, b_size, add);
        else
            eight_rows(p, row + r, column, false, rows, b, n_blocks, b_size, add);
    }
}

#endif

void DPLI_PRODUCT(const dpli_product *p, void *scratch)
{
    uint32_t *rows = scratch, *columns = rows + PRODUCT_ROWS * PRODUCT_K / 2;
    float *beside = (float *)(void *)(columns + PRODUCT_COLUMNS * PRODUCT_K / 2);

    product_begin();
    for (size_t k = 0; k < p->k; k += PRODUCT_K) {
        const size_t n_k = p->k - k < PRODUCT_K ? p->k - k : PRODUCT_K;
        const size_t n_blocks = (n_k + 31) / 32, size = n_blocks * PAIR_BLOCK;
        const bool add = p->add || k > 0;

        for (size_t from = 0; from < p->n; from += PRODUCT_COLUMNS) {
            const size_t end = p->n - from < PRODUCT_COLUMNS ? p->n : from + PRODUCT_COLUMNS;
            const lines_of b = {p->b + (p->trans_b ? k : k * p->ldb), p->ldb, p->n, n_k,
                                p->trans_b};
            const lines_of a = {p->a + (p->trans_a ? k * p->lda : k), p->lda, p->m, n_k,
                                !p->trans_a};

            for (size_t column = from; column < end; column += 16)
                pack_columns(columns + (column - from) / 16 * size, &b, column);
            for (size_t row = 0; row < p->m; row += PRODUCT_ROWS) {
                pack_rows(rows, &a, row);
                if (row + 16 < p->m)
                    pack_rows(rows + size, &a, row + 16);
                for (size_t column = from; column < end; column += 32)
                    product_block(p, row, column, rows, columns + (column - from) / 16 * size,
                                  n_blocks, size, size, add, beside);
            }
        }
    }
    product_end();
}
