/*
 * What a product reads and where it goes: rows of a matrix as segments, and results with all that
 * is done to them on the way out. Included by each level for its own numbers (simd.h, act.h).
 */
#ifndef DOPPEL_NET_KERNELS_TARGET_H
#define DOPPEL_NET_KERNELS_TARGET_H

#define PANEL_VECS (DPLI_PANEL / DPLI_LANES)

#if defined(DPLI_BYTE)
typedef int8_t weight;
typedef vi vsum; /* of products */
#elif defined(DPLI_NARROW)
typedef uint16_t weight;
typedef vf vsum;
#else
typedef float weight;
typedef vf vsum;
#endif

/* Where rows come from. */
typedef struct source {
    const elem *const *segments; /* [n_segments]; the first row is offset elements on */
    size_t n_segments, length;   /* elements of a segment */
    size_t offset, lda;
} source;

/* Where results go: rows of ldo elements, of which n_columns are written. All pointers stand at the
 * first row and column. Where a narrow level writes float32 (wide), out, before and after count in
 * floats. */
typedef struct target {
    elem *out;
    const float *bias, *slope; /* or NULL */
    const elem *before, *after;
    size_t ldo, n_columns;
    const dpli_act *act;
#if defined(DPLI_NARROW)
    bool wide;
#else
    void *three; /* where rows are split, of a product by three (three.h); else NULL */
#endif
#if defined(DPLI_BYTE)
    const float *factor;  /* what a sum counts in, by column */
    const int32_t *start; /* that sums begin with */
    const dpli_epilogue *scales;
#endif
} target;

DPLI_INLINE bool is_wide(const target *t)
{
#if defined(DPLI_NARROW)
    return t->wide;
#else
    (void)t;
    return false;
#endif
}

/* n elements of the output on. */
DPLI_INLINE const elem *further(const target *t, const elem *p, size_t n)
{
    return p ? p + (is_wide(t) ? n * (sizeof(float) / sizeof *p) : n) : NULL;
}

DPLI_INLINE void advance(target *t, size_t n)
{
    t->out = (elem *)(uintptr_t)further(t, t->out, n);
    t->before = further(t, t->before, n);
    t->after = further(t, t->after, n);
}

#if defined(DPLI_BYTE)
/* What whole numbers stand for, and back: store rounds. */
DPLI_INLINE vf from_whole(dpli_scale s, vf q)
{
    return (q - s.zero) * s.scale;
}

DPLI_INLINE vf to_whole(dpli_scale s, vf y)
{
    return y * s.inverse + s.zero;
}
#endif

/* n values of before or after, `at` from where it stands. */
DPLI_INLINE vf load_added(const target *t, const elem *p, size_t at, size_t n)
{
#if defined(DPLI_NARROW)
    if (t->wide) {
        const float *wide = (const float *)(const void *)p + at;

        return n == DPLI_LANES ? vf_load(wide) : vf_load_n(wide, n);
    }
#else
    (void)t;
#endif
#if defined(DPLI_BYTE)
    return from_whole(t->scales->added, n == DPLI_LANES ? ve_load(p + at) : ve_load_n(p + at, n));
#else
    return n == DPLI_LANES ? ve_load(p + at) : ve_load_n(p + at, n);
#endif
}

DPLI_INLINE void store_result(const target *t, size_t at, vf y, size_t n)
{
#if defined(DPLI_NARROW)
    if (t->wide) {
        float *wide = (float *)(void *)t->out + at;

        if (n == DPLI_LANES)
            vf_store(wide, y);
        else
            vf_store_n(wide, y, n);
        return;
    }
#endif
#if defined(DPLI_BYTE)
    y = to_whole(t->scales->out, y);
#endif
    if (n == DPLI_LANES)
        ve_store(t->out + at, y);
    else
        ve_store_n(t->out + at, y, n);
}

/* What has code of its own behind a product of whole columns: the usual activations, by their kind,
 * and something that is added where there is none. Else RARE. */
#define ADDED (-1)
#define RARE  (-2)

DPLI_INLINE int kind_of(const target *t)
{
    if (t->after || is_wide(t))
        return RARE;
    if (t->before)
        return t->act->kind == DPLI_ACT_NONE ? ADDED : RARE;
    return (int)t->act->kind;
}

/* Of the n columns from a panel's start on, those in vector v. */
DPLI_INLINE size_t columns_in(int v, size_t n)
{
    const size_t from = (size_t)v * DPLI_LANES;

    return n >= from + DPLI_LANES ? DPLI_LANES : n > from ? n - from : 0;
}

/* Vector v of the n columns from p on; past them zeros, nothing is read. */
DPLI_INLINE vf load_columns(const float *p, int v, size_t n)
{
    const size_t many = columns_in(v, n);

    p += (size_t)v * DPLI_LANES;
    return many == DPLI_LANES ? vf_load(p) : many > 0 ? vf_load_n(p, many) : vf_set(0);
}

/* Vector v of what the sums of n columns begin with. */
DPLI_INLINE vsum load_start(const target *t, int v, size_t n)
{
#if defined(DPLI_BYTE)
    return (vi)load_columns((const float *)(const void *)t->start, v, n);
#else
    return t->bias ? load_columns(t->bias, v, n) : vf_set(0);
#endif
}

#if defined(DPLI_BYTE)
/* What a product is made of when its sum is there: vector v of n columns. */
typedef struct byte_columns {
    vf factor, bias;
} byte_columns;

DPLI_INLINE byte_columns load_byte_columns(const target *t, int v, size_t n)
{
    return (byte_columns){load_columns(t->factor, v, n), load_columns(t->bias, v, n)};
}

DPLI_INLINE vf round_first(const dpli_epilogue *e, vf y)
{
    vf q = vf_max(vf_min(to_whole(e->first, y), vf_set(255)), vf_set(0));

    /* To the nearest by adding 1.5 * 2^23, as vf_exp does. */
    q = q + 12582912.0f;
    return from_whole(e->first, q - 12582912.0f);
}

DPLI_INLINE vf product(const target *t, byte_columns of, vf sum)
{
    const vf y = sum * of.factor + of.bias;

    return t->scales->rounded ? round_first(t->scales, y) : y;
}

DPLI_INLINE vf vi_to_vf(vi x)
{
    return __builtin_convertvector(x, vf);
}
#endif

static target target_at(const target *all, size_t row, size_t column, size_t n_columns)
{
    const size_t at = row * all->ldo + column;
    target t = *all;

    advance(&t, at);
    t.bias = all->bias ? all->bias + column : NULL;
    t.slope = all->slope ? all->slope + column : NULL;
#if defined(DPLI_BYTE)
    t.factor += column;
    t.start += column;
#endif
    t.n_columns = n_columns;
    return t;
}

#endif
