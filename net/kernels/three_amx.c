/*
 * three_amx.c - float32 products by three of bfloat16 (geometry.h), by tiles: 16 rows by 16 columns
 * of sums in a register, four of them at once.
 *
 * Rows are split into their parts first, as many as the caches hold, into tiles that lie one behind
 * another, and then multiplied by all panels: 12 products of tiles for 8 loads of them. What is
 * past the end of a segment, or of the last row, is zero there.
 */
#include "net/kernels/geometry.h"

#define DPLI_LANES         16
#define DPLI_PRODUCTS_ONLY 1
#include "net/kernels/simd.h"

#include "net/kernels/act.h"
#include "net/kernels/three.h"

#define STEP ((size_t)DPLI_THREE_K)
#define TILE ((size_t)16 * DPLI_THREE_K) /* elements of a tile, of rows or of weights */

typedef struct tile_config {
    uint8_t palette, start_row, zeros[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* All tiles are whole. 0 to 3: sums, by rows then columns; 4, 5: rows; 6, 7: weights. */
static const tile_config whole_tiles = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

void dpli_three_begin(void)
{
    _tile_loadconfig(&whole_tiles);
}

void dpli_three_end(void)
{
    _tile_release();
}

/* Rows of a stretch, split: in blocks of 16, [n_steps][2: high, low][16][STEP]. */
typedef struct split_rows {
    uint16_t *at;
    size_t n_steps, block; /* steps of a row; elements of a block */
} split_rows;

/* To bfloat16, still as float32: the nearest, of two the one further from zero. */
DPLI_INLINE vf high_of(vf x)
{
    return (vf)(((vi)x + 0x8000) & (int32_t)0xffff0000);
}

/* 32 numbers: two vectors. */
DPLI_INLINE void split_step(uint16_t *to, vf a, vf b)
{
    const vf high_a = high_of(a), high_b = high_of(b);

    _mm512_store_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)high_b, (__m512)high_a));
    _mm512_store_si512(to + TILE,
                       (__m512i)_mm512_cvtne2ps_pbh((__m512)(b - high_b), (__m512)(a - high_a)));
}

static void split_row(uint16_t *to, const source *s, size_t row)
{
    const size_t length = s->length, whole = length / STEP * STEP, left = length - whole;

    for (size_t i = 0; i < s->n_segments; i++) {
        const float *x = s->segments[i] + s->offset + row * s->lda;

        for (size_t k = 0; k < whole; k += STEP, to += 2 * TILE)
            split_step(to, vf_load(x + k), vf_load(x + k + 16));
        if (left > 0) {
            x += whole;
            split_step(to, left >= 16 ? vf_load(x) : vf_load_n(x, left),
                       left > 16 ? vf_load_n(x + 16, left - 16) : vf_set(0));
            to += 2 * TILE;
        }
    }
}

/* Rows that are being split: so many of n are done; the first is the source's row `first`. */
typedef struct splitting {
    split_rows to;
    const source *s;
    size_t first, n, done;
} splitting;

/* Some more of them, and with the last one zeros to the end of its block. */
static void split_more(splitting *p, size_t many)
{
    const split_rows to = p->to;
    const size_t end = p->n - p->done < many ? p->n : p->done + many;

    if (p->done == p->n)
        return;
    for (size_t i = p->done; i < end; i++)
        split_row(to.at + i / 16 * to.block + i % 16 * STEP, p->s, p->first + i);
    p->done = end;
    if (end < p->n)
        return;
    for (size_t i = end; i % 16 != 0; i++)
        for (size_t step = 0; step < 2 * to.n_steps; step++)
            memset(to.at + i / 16 * to.block + step * TILE + i % 16 * STEP, 0,
                   STEP * sizeof *to.at);
}

/* Rows 0 .. n_rows - 1 of a tile of sums, or of two side by side, epilogue and out. t stands at the
 * tile's first row. any: columns may be missing, and all may be to do; else the activation is kind,
 * and something is to be added where adds says so. */
DPLI_INLINE void finish(const target *t, const dpli_act_kind kind, const bool any, const bool adds,
                        const int panels, size_t n, size_t n_rows, const float *sums)
{
    const float a = t->act->a, b = t->act->b;
    vf bias[2], slope[2];

    for (int v = 0; v < panels; v++) {
        bias[v] = t->bias ? load_columns(t->bias, v, n) : vf_set(0);
        slope[v] =
            kind == DPLI_ACT_PRELU || (any && t->slope) ? load_columns(t->slope, v, n) : vf_set(0);
    }
    for (size_t r = 0; r < n_rows; r++) {
        for (int v = 0; v < panels; v++) {
            const size_t at = r * t->ldo + 16 * (size_t)v;
            const size_t many = columns_in(v, n);
            vf y = vf_load(sums + 256 * v + 16 * r) + bias[v];

            if (!any) {
                if (adds)
                    y += vf_load(t->before + at);
                vf_store(t->out + at, act_vec(kind, y, slope[v], a, b));
                continue;
            }
            if (many == 0)
                continue;
            if (t->before)
                y += load_added(t, t->before, at, many);
            y = act_any(t->act, y, slope[v]);
            if (t->after)
                y += load_added(t, t->after, at, many);
            store_result(t, at, y, many);
        }
    }
}

DPLI_INLINE void finish_rows(const target *t, const int panels, size_t n_rows, const float *sums)
{
    const size_t n = t->n_columns;

    switch (n == 16 * (size_t)panels ? kind_of(t) : RARE) {
    case ADDED: finish(t, DPLI_ACT_NONE, 0, 1, panels, n, n_rows, sums); break;
    case DPLI_ACT_NONE: finish(t, DPLI_ACT_NONE, 0, 0, panels, n, n_rows, sums); break;
    case DPLI_ACT_RELU: finish(t, DPLI_ACT_RELU, 0, 0, panels, n, n_rows, sums); break;
    case DPLI_ACT_PRELU: finish(t, DPLI_ACT_PRELU, 0, 0, panels, n, n_rows, sums); break;
    case DPLI_ACT_CLIP: finish(t, DPLI_ACT_CLIP, 0, 0, panels, n, n_rows, sums); break;
    default: finish(t, DPLI_ACT_NONE, 1, 0, panels, n, n_rows, sums); break;
    }
}

/* Rows of one or two blocks. t stands at the first one's first row. */
DPLI_INLINE void finish_blocks(const target *t, const int panels, size_t n_rows, const float *sums)
{
    target to = *t;

    finish_rows(t, panels, n_rows < 16 ? n_rows : 16, sums);
    if (n_rows <= 16)
        return;
    advance(&to, 16 * t->ldo);
    finish_rows(&to, panels, n_rows - 16, sums + 512);
}

/* One or two blocks of rows by one or two panels, small products first. */
DPLI_INLINE void sum_blocks(const int tiles, const int panels, const source *s,
                            const uint16_t *rows, size_t block, const uint16_t *panel,
                            size_t panel_size, float *sums)
{
    const size_t low = panel_size / 2;

    _tile_zero(0);
    if (panels == 2)
        _tile_zero(1);
    if (tiles == 2)
        _tile_zero(2);
    if (tiles == 2 && panels == 2)
        _tile_zero(3);
#define PRODUCTS                                                                                   \
    do {                                                                                           \
        _tile_dpbf16ps(0, 4, 6);                                                                   \
        if (panels == 2)                                                                           \
            _tile_dpbf16ps(1, 4, 7);                                                               \
        if (tiles == 2)                                                                            \
            _tile_dpbf16ps(2, 5, 6);                                                               \
        if (tiles == 2 && panels == 2)                                                             \
            _tile_dpbf16ps(3, 5, 7);                                                               \
    } while (0)
    for (size_t i = 0; i < s->n_segments; i++) {
        const uint16_t *weights = panel + i * s->length * DPLI_PANEL;

        for (size_t k = 0; k < s->length; k += STEP, rows += 2 * TILE, weights += TILE) {
            _tile_loadd(4, rows + TILE, 64);
            _tile_loadd(6, weights, 64);
            if (tiles == 2)
                _tile_loadd(5, rows + block + TILE, 64);
            if (panels == 2)
                _tile_loadd(7, weights + panel_size, 64);
            PRODUCTS;
            _tile_loadd(4, rows, 64);
            if (tiles == 2)
                _tile_loadd(5, rows + block, 64);
            PRODUCTS;
            _tile_loadd(6, weights + low, 64);
            if (panels == 2)
                _tile_loadd(7, weights + low + panel_size, 64);
            PRODUCTS;
        }
    }
#undef PRODUCTS
    _tile_stored(0, sums, 64);
    if (panels == 2)
        _tile_stored(1, sums + 256, 64);
    if (tiles == 2)
        _tile_stored(2, sums + 512, 64);
    if (tiles == 2 && panels == 2)
        _tile_stored(3, sums + 768, 64);
}

/* A stretch of n_rows split rows by one or two panels. Each block's sums are finished, and `share`
 * of the next stretch's rows split, while the next one's are made: those wait for the vector units,
 * this for the tiles'. */
DPLI_INLINE void stretch_columns(const int panels, size_t n_rows, const source *s,
                                 const split_rows *rows, splitting *next, size_t share,
                                 const uint16_t *panel, size_t panel_size, const target *t)
{
    float sums[2][1024] __attribute__((aligned(64)));
    target before = *t, to = *t;
    size_t n_before = 0;
    int turn = 0;

    for (size_t row = 0; row < n_rows; row += 32, turn ^= 1) {
        const uint16_t *at = rows->at + row / 16 * rows->block;
        const size_t n = n_rows - row < 32 ? n_rows - row : 32;

        if (n > 16)
            sum_blocks(2, panels, s, at, rows->block, panel, panel_size, sums[turn]);
        else
            sum_blocks(1, panels, s, at, rows->block, panel, panel_size, sums[turn]);
        split_more(next, share);
        if (n_before > 0)
            finish_blocks(&before, panels, n_before, sums[turn ^ 1]);
        before = to;
        n_before = n;
        advance(&to, 32 * t->ldo);
    }
    finish_blocks(&before, panels, n_before, sums[turn ^ 1]);
}

void dpli_three_tile(size_t n_rows, const source *s, size_t k, const float *packed, const target *t)
{
    const size_t n_steps = s->n_segments * ((s->length + STEP - 1) / STEP);
    const size_t stretch = dpli_three_rows(n_steps * STEP), panel_size = 2 * DPLI_PANEL * k;
    const uint16_t *weights = (const uint16_t *)(const void *)packed;
    const split_rows first = {t->three, n_steps, n_steps * 2 * TILE};
    split_rows second = first;
    splitting now = {first, s, 0, n_rows < stretch ? n_rows : stretch, 0};

    if (t->n_columns == 0) /* of a piece of nothing */
        return;
    second.at += stretch / 16 * first.block;
    split_more(&now, now.n);
    for (size_t row = 0, turn = 1; row < n_rows; row += stretch, turn ^= 1) {
        const size_t blocks = (now.n + 31) / 32 * ((t->n_columns + 31) / 32);
        const size_t left = n_rows - row - now.n;
        splitting next = {turn ? second : first, s, row + now.n, left < stretch ? left : stretch,
                          0};
        const size_t share = (next.n + blocks - 1) / blocks;

        for (size_t column = 0; column < t->n_columns; column += 32) {
            const size_t wide = t->n_columns - column < 32 ? t->n_columns - column : 32;
            const target to = target_at(t, row, column, wide);
            const uint16_t *panel = weights + column * 2 * k;

            if (wide > 16)
                stretch_columns(2, now.n, s, &now.to, &next, share, panel, panel_size, &to);
            else
                stretch_columns(1, now.n, s, &now.to, &next, share, panel, panel_size, &to);
        }
        now = next;
    }
}
