/*
 * The product of gemm.h by tiles (AMX): 16 rows by 16 columns in a register, of which four are
 * summed up at once, from two tiles of rows and two of weights.
 *
 * A tile of rows is read where it lies: 16 rows of `step` elements, lda apart. A segment is cut
 * into steps of one size, so that one configuration serves all of it; a product of fewer than 16
 * rows has tiles of so many, and the last tile of a larger one begins where it ends with the last
 * row, what it has in common with the one before it not being written again.
 *
 * Each sum runs over k in order, 32 at a time or fewer (64 bytes), whatever the block: a batch of n
 * is n batches of one to the bit.
 */

typedef struct tile_config {
    uint8_t palette, start_row, zeros[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Of k: as many as a row of a tile holds, and as many as one of weights. */
#define TILE_K   (64 / sizeof(elem))
#define TILE_DOT (4 / sizeof(elem))

#if defined(DPLI_BYTE)
#define TILE_PRODUCT _tile_dpbusd
typedef int32_t tile_sum;
#else
#define TILE_PRODUCT _tile_dpbf16ps
typedef float tile_sum;
#endif

/* Elements of k a tile: as many as there are in equal parts of whole dots. */
static size_t tile_step(size_t length)
{
    size_t parts = (length + TILE_K - 1) / TILE_K;

    while (length / TILE_DOT % parts != 0)
        parts++;
    return length / parts;
}

/* 0 to 3: sums, by rows then columns; 4, 5: rows; 6, 7: weights. */
static void tile_configure(size_t rows, size_t step)
{
    tile_config config = {.palette = 1};

    for (int i = 0; i < 8; i++) {
        config.rows[i] = (uint8_t)(i < 6 ? rows : step / TILE_DOT);
        config.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? step * sizeof(elem) : 64);
    }
    /* GCC's intrinsic says that the first eight bytes are read: the others might never be written.
     */
    __asm__ volatile("" : : "m"(config));
    _tile_loadconfig(&config);
}

static void products_begin(bool three)
{
    (void)three; /* each product has tiles of its own size */
}

/* Back to the state in which a switch of threads has no tiles to save. */
static void products_end(bool three)
{
    (void)three;
    _tile_release();
}

/* Rows from .. end - 1 of a tile of sums, or of two side by side, epilogue and out. t stands at the
 * tile's first row. any: columns may be missing, and all may be to do; else the activation is kind,
 * and something is to be added where adds says so. */
DPLI_INLINE void finish(const target *t, const dpli_act_kind kind, const bool any, const bool adds,
                        const int panels, size_t n, size_t from, size_t end, const tile_sum *sums)
{
    vf slope[2];
#if defined(DPLI_BYTE)
    byte_columns columns[2];
#endif

    for (int v = 0; v < panels; v++) {
        slope[v] =
            kind == DPLI_ACT_PRELU || (any && t->slope) ? vf_load(t->slope + 16 * v) : vf_set(0);
#if defined(DPLI_BYTE)
        columns[v] = (byte_columns){vf_load(t->factor + 16 * v), vf_load(t->bias + 16 * v)};
#endif
    }
    for (size_t r = from; r < end; r++) {
        vf y[2];

        for (int v = 0; v < panels; v++) {
            const size_t at = r * t->ldo + 16 * (size_t)v;
            const size_t many = columns_in(v, n);

#if defined(DPLI_BYTE)
            y[v] = product(t, columns[v],
                           (vf)_mm512_cvtepi32_ps(_mm512_load_si512(sums + 256 * v + 16 * r)));
#else
            y[v] = vf_load(sums + 256 * v + 16 * r);
#endif
            if (!any) {
                if (adds)
                    y[v] += load_added(t, t->before, at, 16);
                y[v] = act_vec(kind, y[v], slope[v], t->act->a, t->act->b);
                continue;
            }
            if (many == 0)
                continue;
            if (t->before)
                y[v] += load_added(t, t->before, at, many);
            y[v] = act_any(t->act, y[v], slope[v]);
            if (t->after)
                y[v] += load_added(t, t->after, at, many);
            store_result(t, at, y[v], many);
        }
        if (any)
            continue;
#if defined(DPLI_BYTE)
        for (int v = 0; v < panels; v++)
            ve_store(t->out + r * t->ldo + 16 * v, to_whole(t->scales->out, y[v]));
#else
        if (panels == 2)
            _mm512_storeu_si512(t->out + r * t->ldo,
                                (__m512i)_mm512_cvtne2ps_pbh((__m512)y[1], (__m512)y[0]));
        else
            ve_store(t->out + r * t->ldo, y[0]);
#endif
    }
}

DPLI_INLINE void finish_rows(const target *t, const int panels, size_t from, size_t end,
                             const tile_sum *sums)
{
    const size_t n = t->n_columns;

    switch (n == 16 * (size_t)panels ? kind_of(t) : RARE) {
    case ADDED: finish(t, DPLI_ACT_NONE, 0, 1, panels, n, from, end, sums); break;
    case DPLI_ACT_NONE: finish(t, DPLI_ACT_NONE, 0, 0, panels, n, from, end, sums); break;
    case DPLI_ACT_RELU: finish(t, DPLI_ACT_RELU, 0, 0, panels, n, from, end, sums); break;
    case DPLI_ACT_PRELU: finish(t, DPLI_ACT_PRELU, 0, 0, panels, n, from, end, sums); break;
    case DPLI_ACT_CLIP: finish(t, DPLI_ACT_CLIP, 0, 0, panels, n, from, end, sums); break;
    default: finish(t, DPLI_ACT_NONE, 1, 0, panels, n, from, end, sums); break;
    }
}

/* One or two tiles of rows, starting at rows a and b, by one or two panels. */
DPLI_INLINE void tile_sums(const int tiles, const int panels, const source *s, size_t step,
                           size_t a, size_t b, const weight *packed, size_t panel_size,
                           const tile_sum *start, tile_sum *sums)
{
    const size_t stride = s->lda * sizeof(elem);
    const weight *panel = packed;

    /* A stride of 0: each row is what sums begin with. */
    _tile_loadd(0, start, 0);
    if (panels == 2)
        _tile_loadd(1, start + 16, 0);
    if (tiles == 2)
        _tile_loadd(2, start, 0);
    if (tiles == 2 && panels == 2)
        _tile_loadd(3, start + 16, 0);
    for (size_t i = 0; i < s->n_segments; i++) {
        const elem *rows = s->segments[i] + s->offset;

        for (size_t k = 0; k < s->length; k += step) {
            _tile_loadd(4, rows + a * s->lda + k, stride);
            _tile_loadd(6, panel, 64);
            TILE_PRODUCT(0, 4, 6);
            if (tiles == 2) {
                _tile_loadd(5, rows + b * s->lda + k, stride);
                TILE_PRODUCT(2, 5, 6);
            }
            if (panels == 2) {
                _tile_loadd(7, panel + panel_size, 64);
                TILE_PRODUCT(1, 4, 7);
                if (tiles == 2)
                    TILE_PRODUCT(3, 5, 7);
            }
            panel += step * DPLI_PANEL;
        }
    }
    _tile_stored(0, sums, 64);
    if (panels == 2)
        _tile_stored(1, sums + 256, 64);
    if (tiles == 2)
        _tile_stored(2, sums + 512, 64);
    if (tiles == 2 && panels == 2)
        _tile_stored(3, sums + 768, 64);
}

/* Rows row .. row + 31 of n_rows, as far as there are, as one or two tiles: where they begin. The
 * last begins so that it ends with the last row. */
typedef struct tile_rows {
    size_t row, a, b;
    bool two;
} tile_rows;

DPLI_INLINE tile_rows rows_at(size_t row, size_t n_rows)
{
    const size_t high = n_rows < 16 ? n_rows : 16, left = n_rows - row;

    return (tile_rows){row, left < 16 ? n_rows - high : row, left < 32 ? n_rows - high : row + 16,
                       left > 16};
}

DPLI_INLINE void finish_tiles(const target *t, const int panels, const tile_rows *at, size_t high,
                              const tile_sum *sums)
{
    target to = *t;

    advance(&to, at->a * t->ldo);
    finish_rows(&to, panels, at->row - at->a, high, sums);
    if (!at->two)
        return;
    to = *t;
    advance(&to, at->b * t->ldo);
    finish_rows(&to, panels, at->row + 16 - at->b, high, sums + 512);
}

/* Each block's sums are finished while the next one's are made: the one waits for the vector units,
 * the other for the tiles'. */
DPLI_INLINE void tile_columns(const int panels, size_t from, size_t end, size_t n_rows,
                              const source *s, size_t step, const weight *packed, size_t panel_size,
                              const target *t)
{
    const size_t high = n_rows < 16 ? n_rows : 16;
    tile_sum sums[2][1024] __attribute__((aligned(64)));
#if defined(DPLI_BYTE)
    const tile_sum *start = t->start;
#else
    const tile_sum *start = t->bias;
#endif
    tile_rows before = {0};
    int turn = 0;

    for (size_t row = from; row < end; row += 32, turn ^= 1) {
        const tile_rows at = rows_at(row, n_rows);

        if (at.two)
            tile_sums(2, panels, s, step, at.a, at.b, packed, panel_size, start, sums[turn]);
        else
            tile_sums(1, panels, s, step, at.a, at.b, packed, panel_size, start, sums[turn]);
        if (row > from)
            finish_tiles(t, panels, &before, high, sums[turn ^ 1]);
        before = at;
    }
    finish_tiles(t, panels, &before, high, sums[turn ^ 1]);
}

/* Rows and a panel's columns that share the first cache with the sums. */
#define NEAR_BYTES ((size_t)24 << 10)

/*
 * n_rows rows times all panels: so many rows as stay in the first cache, by all panels, then the
 * next. Weights come from the second one, once for each such stretch of rows.
 */
static void tile(size_t n_rows, const source *s, size_t k, const weight *packed, const target *t)
{
    const size_t step = tile_step(s->length), fit = NEAR_BYTES / (k * sizeof(elem)) / 32 * 32;
    const size_t stretch = fit > 32 ? fit : 32;

    tile_configure(n_rows < 16 ? n_rows : 16, step);
    for (size_t row = 0; row < n_rows; row += stretch) {
        const size_t end = n_rows - row < stretch ? n_rows : row + stretch;

        for (size_t column = 0; column < t->n_columns; column += 32) {
            const size_t left = t->n_columns - column;
            const target to = target_at(t, 0, column, left < 32 ? left : 32);

            if (left > 16)
                tile_columns(2, row, end, n_rows, s, step, packed + column * k, DPLI_PANEL * k,
                             &to);
            else
                tile_columns(1, row, end, n_rows, s, step, packed + column * k, DPLI_PANEL * k,
                             &to);
        }
    }
}
