/*
 * y = a op b with broadcasting: a loop over all but the innermost dimension, in which a and b
 * either advance by one or stay.
 */

/* NaN where either is. */
DPLI_INLINE float binary_one(dpli_binary_kind kind, float a, float b)
{
    switch (kind) {
    case DPLI_MAX: return a > b || isnan(a) ? a : b;
    case DPLI_MIN: return a < b || isnan(a) ? a : b;
    default: return powf(a, b);
    }
}

DPLI_INLINE vf binary_vec(dpli_binary_kind kind, vf a, vf b)
{
    switch (kind) {
    case DPLI_ADD: return a + b;
    case DPLI_SUB: return a - b;
    case DPLI_MUL: return a * b;
    case DPLI_DIV: return a / b;
    case DPLI_POW:
    case DPLI_MAX:
    case DPLI_MIN: break;
    }
    for (int i = 0; i < DPLI_LANES; i++)
        a[i] = binary_one(kind, a[i], b[i]);
    return a;
}

DPLI_INLINE void binary_span(dpli_binary_kind kind, float *y, const float *a, const float *b,
                             size_t n, int64_t step_a, int64_t step_b)
{
    size_t i = 0;

    for (; i + DPLI_LANES <= n; i += DPLI_LANES)
        vf_store(y + i, binary_vec(kind, step_a ? vf_load(a + i) : vf_set(*a),
                                   step_b ? vf_load(b + i) : vf_set(*b)));
    if (i < n)
        vf_store_n(y + i,
                   binary_vec(kind, step_a ? vf_load_n(a + i, n - i) : vf_set(*a),
                              step_b ? vf_load_n(b + i, n - i) : vf_set(*b)),
                   n - i);
}

static void binary_row(dpli_binary_kind kind, float *y, const float *a, const float *b, size_t n,
                       int64_t step_a, int64_t step_b)
{
    switch (kind) {
    case DPLI_ADD: binary_span(DPLI_ADD, y, a, b, n, step_a, step_b); break;
    case DPLI_SUB: binary_span(DPLI_SUB, y, a, b, n, step_a, step_b); break;
    case DPLI_MUL: binary_span(DPLI_MUL, y, a, b, n, step_a, step_b); break;
    case DPLI_DIV: binary_span(DPLI_DIV, y, a, b, n, step_a, step_b); break;
    case DPLI_POW: binary_span(DPLI_POW, y, a, b, n, step_a, step_b); break;
    case DPLI_MAX: binary_span(DPLI_MAX, y, a, b, n, step_a, step_b); break;
    case DPLI_MIN: binary_span(DPLI_MIN, y, a, b, n, step_a, step_b); break;
    }
}

#define BINARY_MAX_RANK 16

static void binary_run(dpli_binary_kind kind, float *y, const float *a, const float *b,
                       int32_t rank, const int64_t *dims, const int64_t *strides_a,
                       const int64_t *strides_b)
{
    int64_t at[BINARY_MAX_RANK] = {0};
    int64_t inner = rank > 0 ? dims[rank - 1] : 1, rows = 1;
    const int64_t step_a = rank > 0 ? strides_a[rank - 1] : 0;
    const int64_t step_b = rank > 0 ? strides_b[rank - 1] : 0;
    int32_t outer = rank > 0 ? rank - 1 : 0;

    /* Dimensions that go on where the inner one ends are one dimension. */
    while (outer > 0 && strides_a[outer - 1] == step_a * inner &&
           strides_b[outer - 1] == step_b * inner) {
        inner *= dims[outer - 1];
        outer--;
    }
    for (int32_t d = 0; d < outer; d++)
        rows *= dims[d];
    for (int64_t row = 0; row < rows; row++, y += inner) {
        if ((step_a | step_b) >> 1 == 0) {
            binary_row(kind, y, a, b, (size_t)inner, step_a, step_b);
        } else {
            for (int64_t i = 0; i < inner; i++)
                binary_row(kind, y + i, a + i * step_a, b + i * step_b, 1, 0, 0);
        }
        for (int32_t d = outer; d-- > 0;) {
            a += strides_a[d];
            b += strides_b[d];
            if (++at[d] < dims[d])
                break;
            a -= strides_a[d] * dims[d];
            b -= strides_b[d] * dims[d];
            at[d] = 0;
        }
    }
}
