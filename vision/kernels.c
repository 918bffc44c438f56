/*
 * kernels.c - the kernels' front: picks the processor's level, and does what is the same at every
 * level: how a convolution is computed, its packing, its scratch, float16.
 */
#include "vision/kernels.h"

#include <string.h>

#include "vision/kernels/level.h"

static const dpli_kernels *kernels(void)
{
#if defined(__x86_64__)
    switch (dpli_cpu_level()) {
    case DPLI_CPU_AVX512: return &dpli_kernels_avx512;
    case DPLI_CPU_AVX2: return &dpli_kernels_avx2;
    case DPLI_CPU_BASELINE: break;
    }
#endif
    return &dpli_kernels_baseline;
}

void dpli_act_run(const dpli_act *act, float *y, const float *x, size_t n_rows, size_t channels)
{
    kernels()->act(act, y, x, n_rows, channels);
}

void dpli_epilogue_run(const dpli_epilogue *epilogue, float *y, size_t n_rows, size_t channels)
{
    kernels()->epilogue(epilogue, y, n_rows, channels);
}

void dpli_conv_run(const dpli_conv *c, float *out, const float *in, const float *packed,
                   const dpli_epilogue *epilogue, void *scratch)
{
    kernels()->conv(c, out, in, packed, epilogue, scratch);
}

void dpli_pool2d_run(const dpli_pool *p, float *out, const float *in)
{
    kernels()->pool2d(p, out, in);
}

void dpli_binary_run(dpli_binary_kind kind, float *y, const float *a, const float *b, int32_t rank,
                     const int64_t *dims, const int64_t *strides_a, const int64_t *strides_b)
{
    kernels()->binary(kind, y, a, b, rank, dims, strides_a, strides_b);
}

/* ------------------------------------------------------------------ convolution */

static size_t taps(const dpli_conv *c)
{
    return (size_t)c->kernel_h * (size_t)c->kernel_w;
}

/* Rows of one group's weight matrix: [depth, out_c / groups]. */
static size_t depth(const dpli_conv *c)
{
    return taps(c) * (size_t)(c->in_c / c->groups);
}

static int is_depthwise(const dpli_conv *c)
{
    return c->in_c == c->groups && c->out_c == c->groups;
}

dpli_conv_path dpli_conv_choose(const dpli_conv *c)
{
    const int padded = c->pad_top || c->pad_left;

    if (is_depthwise(c))
        return DPLI_CONV_DEPTHWISE;
    if (c->groups > 1)
        return DPLI_CONV_PATCHES;
    if (taps(c) == 1 && c->stride_h == 1 && c->stride_w == 1 && !padded && c->out_h == c->in_h &&
        c->out_w == c->in_w)
        return DPLI_CONV_FLAT;
    if (c->out_h == 1 && c->out_w == 1 && c->kernel_h == c->in_h && c->kernel_w == c->in_w &&
        c->dilation_h == 1 && c->dilation_w == 1 && !padded)
        return DPLI_CONV_FLAT;
    /* A line of the output has to fill a block, and reads all weights anew. */
    if (c->dilation_w == 1 &&
        (c->out_w >= 14 || (c->out_w >= 6 && depth(c) * (size_t)c->out_c <= (size_t)1 << 16)))
        return DPLI_CONV_LINES;
    return DPLI_CONV_PATCHES;
}

size_t dpli_conv_tile_rows(const dpli_conv *c)
{
    /* 256 KiB: with two panels and the output they share a second-level cache of 512 KiB or more.
     */
    const size_t rows = ((size_t)1 << 16) / depth(c);

    return rows < 56 ? 56 : rows > 560 ? 560 : rows / 14 * 14;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

size_t dpli_conv_packed_floats(const dpli_conv *c)
{
    const size_t columns = (size_t)(c->out_c / c->groups);

    if (is_depthwise(c))
        return taps(c) * round_up((size_t)c->out_c, DPLI_PANEL);
    return (size_t)c->groups * depth(c) * round_up(columns, DPLI_PANEL);
}

void dpli_conv_pack(float *packed, const dpli_conv *c, const float *weight)
{
    const size_t n_taps = taps(c), channels = (size_t)(c->in_c / c->groups);
    /* Depthwise is one group of out_c columns with a depth of one window of one channel. */
    const size_t groups = is_depthwise(c) ? 1 : (size_t)c->groups;
    const size_t columns = (size_t)c->out_c / groups;

    memset(packed, 0, dpli_conv_packed_floats(c) * sizeof *packed);
    for (size_t g = 0; g < groups; g++) {
        for (size_t n = 0; n < columns; n++) {
            float *column =
                packed + n / DPLI_PANEL * DPLI_PANEL * n_taps * channels + n % DPLI_PANEL;

            for (size_t i = 0; i < channels; i++)
                for (size_t tap = 0; tap < n_taps; tap++)
                    column[(tap * channels + i) * DPLI_PANEL] = *weight++;
        }
        packed += n_taps * channels * round_up(columns, DPLI_PANEL);
    }
}

size_t dpli_conv_scratch_bytes(const dpli_conv *c)
{
    size_t floats = 0;

    switch (dpli_conv_choose(c)) {
    case DPLI_CONV_DEPTHWISE: floats = round_up((size_t)c->in_c, DPLI_PANEL); break;
    case DPLI_CONV_FLAT: break;
    case DPLI_CONV_LINES: {
        const size_t width =
            ((size_t)(c->out_w - 1) * (size_t)c->stride_w + (size_t)c->kernel_w) * (size_t)c->in_c;
        const size_t ring = (size_t)(c->kernel_h - 1) * (size_t)c->dilation_h + 1;

        floats = round_up((size_t)c->kernel_h * sizeof(float *), 64) / sizeof(float) +
                 width * (ring + 1);
        break;
    }
    case DPLI_CONV_PATCHES: {
        const size_t m = (size_t)c->n * (size_t)c->out_h * (size_t)c->out_w;
        const size_t rows = dpli_conv_tile_rows(c);

        floats = depth(c) * (rows < m ? rows : m);
        break;
    }
    }
    return round_up(floats * sizeof(float), 64);
}

/* ------------------------------------------------------------------ float16 */

void dpli_half_to_float(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t sign = (uint32_t)(in[i] & 0x8000) << 16, rest = in[i] & 0x7fff;
        uint32_t bits;

        if (rest >= 0x7c00) { /* infinity, NaN */
            bits = 0x7f800000 | rest << 13;
        } else if (rest >= 0x0400) {
            bits = (rest << 13) + ((127 - 15) << 23);
        } else { /* zero, denormal: rest * 2^-24, exact in a float */
            const float value = (float)rest * 0x1p-24f;

            memcpy(&bits, &value, sizeof bits);
        }
        bits |= sign;
        memcpy(out + i, &bits, sizeof bits);
    }
}
