/*
 * Activations and the epilogue: y = act(y + bias + before) + after.
 *
 * NaN goes through every activation, as in onnxruntime.
 */
#include <math.h>

/* act_vec with a constant kind, so that its switch is gone after inlining. */
DPLI_INLINE vf act_vec(dpli_act_kind kind, vf x, vf slope, float a, float b)
{
    switch (kind) {
    case DPLI_ACT_NONE: return x;
    case DPLI_ACT_RELU: return vf_max(vf_set(0), x);
    case DPLI_ACT_PRELU: return vf_prelu(x, slope);
    case DPLI_ACT_LEAKY: return vf_prelu(x, vf_set(a));
    case DPLI_ACT_CLIP: return vf_min(vf_set(b), vf_max(vf_set(a), x));
    case DPLI_ACT_SIGMOID: return 1.0f / (1.0f + vf_exp(-x));
    case DPLI_ACT_HARDSIGMOID: return vf_min(vf_set(1), vf_max(vf_set(0), a * x + b));
    case DPLI_ACT_HARDSWISH: return x * vf_min(vf_set(1), vf_max(vf_set(0), x * (1.0f / 6) + 0.5f));
    case DPLI_ACT_EXP: return vf_exp(x);
    case DPLI_ACT_ABS: return vf_abs(x);
    case DPLI_ACT_TANH: return vf_tanh(x);
    case DPLI_ACT_ERF: return vf_erf(x);
    case DPLI_ACT_GELU: return 0.5f * x * (1.0f + vf_erf(x * 0.70710678118654752f));
    case DPLI_ACT_GELU_TANH:
        return 0.5f * x * (1.0f + vf_tanh(0.79788456080286536f * (x + 0.044715f * (x * x * x))));
    case DPLI_ACT_SQRT: break;
    }
    for (int i = 0; i < DPLI_LANES; i++)
        x[i] = sqrtf(x[i]);
    return x;
}

#if !defined(DPLI_NARROW) && !defined(DPLI_PRODUCTS_ONLY)
/* n values of one row; slope [n] or NULL. */
DPLI_INLINE void act_span(dpli_act_kind kind, const dpli_act *act, float *y, const float *x,
                          const float *slope, size_t n)
{
    const float a = act->a, b = act->b;
    size_t i = 0;

    for (; i + DPLI_LANES <= n; i += DPLI_LANES)
        vf_store(y + i,
                 act_vec(kind, vf_load(x + i), slope ? vf_load(slope + i) : vf_set(0), a, b));
    if (i < n)
        vf_store_n(y + i,
                   act_vec(kind, vf_load_n(x + i, n - i),
                           slope ? vf_load_n(slope + i, n - i) : vf_set(0), a, b),
                   n - i);
}

static void act_row(const dpli_act *act, float *y, const float *x, const float *slope, size_t n)
{
    switch (act->kind) {
    case DPLI_ACT_NONE:
        if (y != x)
            memmove(y, x, n * sizeof *y);
        break;
    case DPLI_ACT_RELU: act_span(DPLI_ACT_RELU, act, y, x, NULL, n); break;
    case DPLI_ACT_PRELU: act_span(DPLI_ACT_PRELU, act, y, x, slope, n); break;
    case DPLI_ACT_LEAKY: act_span(DPLI_ACT_LEAKY, act, y, x, NULL, n); break;
    case DPLI_ACT_CLIP: act_span(DPLI_ACT_CLIP, act, y, x, NULL, n); break;
    case DPLI_ACT_SIGMOID: act_span(DPLI_ACT_SIGMOID, act, y, x, NULL, n); break;
    case DPLI_ACT_HARDSIGMOID: act_span(DPLI_ACT_HARDSIGMOID, act, y, x, NULL, n); break;
    case DPLI_ACT_HARDSWISH: act_span(DPLI_ACT_HARDSWISH, act, y, x, NULL, n); break;
    case DPLI_ACT_TANH: act_span(DPLI_ACT_TANH, act, y, x, NULL, n); break;
    case DPLI_ACT_EXP: act_span(DPLI_ACT_EXP, act, y, x, NULL, n); break;
    case DPLI_ACT_SQRT: act_span(DPLI_ACT_SQRT, act, y, x, NULL, n); break;
    case DPLI_ACT_ABS: act_span(DPLI_ACT_ABS, act, y, x, NULL, n); break;
    case DPLI_ACT_ERF: act_span(DPLI_ACT_ERF, act, y, x, NULL, n); break;
    case DPLI_ACT_GELU: act_span(DPLI_ACT_GELU, act, y, x, NULL, n); break;
    case DPLI_ACT_GELU_TANH: act_span(DPLI_ACT_GELU_TANH, act, y, x, NULL, n); break;
    }
}

static void act_run(const dpli_act *act, float *y, const float *x, size_t n_rows, size_t channels)
{
    if (act->kind != DPLI_ACT_PRELU) { /* the same for every channel: one long row */
        channels *= n_rows;
        n_rows = channels > 0;
    }
    for (size_t i = 0; i < n_rows; i++)
        act_row(act, y + i * channels, x + i * channels, act->slope, channels);
}

/* y[i] += x[i] */
static void add_row(float *y, const float *x, size_t n)
{
    size_t i = 0;

    for (; i + DPLI_LANES <= n; i += DPLI_LANES)
        vf_store(y + i, vf_load(y + i) + vf_load(x + i));
    for (; i < n; i++)
        y[i] += x[i];
}

static void epilogue_run(const dpli_epilogue *e, float *y, size_t n_rows, size_t channels)
{
    for (size_t i = 0; i < n_rows; i++) {
        float *row = y + i * channels;

        if (e->bias)
            add_row(row, e->bias, channels);
        if (e->before)
            add_row(row, e->before + i * channels, channels);
        act_row(&e->act, row, row, e->act.slope, channels);
        if (e->after)
            add_row(row, e->after + i * channels, channels);
    }
}
#endif

/* act_vec for a kind known only at run time: for those that the convolutions have no code of their
 * own for. */
static __attribute__((noinline)) vf act_any(const dpli_act *act, vf x, vf slope)
{
    switch (act->kind) {
    case DPLI_ACT_NONE: break;
    case DPLI_ACT_RELU: return act_vec(DPLI_ACT_RELU, x, slope, act->a, act->b);
    case DPLI_ACT_PRELU: return act_vec(DPLI_ACT_PRELU, x, slope, act->a, act->b);
    case DPLI_ACT_LEAKY: return act_vec(DPLI_ACT_LEAKY, x, slope, act->a, act->b);
    case DPLI_ACT_CLIP: return act_vec(DPLI_ACT_CLIP, x, slope, act->a, act->b);
    case DPLI_ACT_SIGMOID: return act_vec(DPLI_ACT_SIGMOID, x, slope, act->a, act->b);
    case DPLI_ACT_HARDSIGMOID: return act_vec(DPLI_ACT_HARDSIGMOID, x, slope, act->a, act->b);
    case DPLI_ACT_HARDSWISH: return act_vec(DPLI_ACT_HARDSWISH, x, slope, act->a, act->b);
    case DPLI_ACT_TANH: return act_vec(DPLI_ACT_TANH, x, slope, act->a, act->b);
    case DPLI_ACT_EXP: return act_vec(DPLI_ACT_EXP, x, slope, act->a, act->b);
    case DPLI_ACT_SQRT: return act_vec(DPLI_ACT_SQRT, x, slope, act->a, act->b);
    case DPLI_ACT_ABS: return act_vec(DPLI_ACT_ABS, x, slope, act->a, act->b);
    case DPLI_ACT_ERF: return act_vec(DPLI_ACT_ERF, x, slope, act->a, act->b);
    case DPLI_ACT_GELU: return act_vec(DPLI_ACT_GELU, x, slope, act->a, act->b);
    case DPLI_ACT_GELU_TANH: return act_vec(DPLI_ACT_GELU_TANH, x, slope, act->a, act->b);
    }
    return x;
}
