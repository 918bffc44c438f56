/*
 * geometry.c - what is the same at every level of the processor: how a convolution is computed, its
 * packing, its scratch, and chains of layers.
 */
#include "net/kernels/geometry.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

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
    const bool padded = c->pad_top || c->pad_left;

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

bool dpli_conv_cut_by_columns(const dpli_conv *c)
{
    return dpli_conv_choose(c) == DPLI_CONV_FLAT &&
           (size_t)c->n * (size_t)c->out_h * (size_t)c->out_w < 128;
}

size_t dpli_conv_units(const dpli_conv *c)
{
    const dpli_link link = {.conv = c};
    const size_t m = (size_t)c->n * (size_t)c->out_h * (size_t)c->out_w;

    switch (dpli_conv_choose(c)) {
    case DPLI_CONV_FLAT:
    case DPLI_CONV_PATCHES:
        return dpli_conv_cut_by_columns(c)
                   ? ((size_t)c->out_c + DPLI_UNIT_COLUMNS - 1) / DPLI_UNIT_COLUMNS
                   : m;
    default: return dpli_chain_units(&link, 1);
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
    return round_up(floats * sizeof(float), 64) + (c->three ? dpli_three_scratch_bytes(c) : 0);
}

/* ------------------------------------------------------------------ narrow numbers */

int32_t dpli_narrow_channels(int32_t channels)
{
    return channels <= 4 ? 4 : channels <= INT32_MAX - 15 ? (channels + 15) / 16 * 16 : channels;
}

bool dpli_conv_can_narrow(const dpli_conv *c)
{
    return (c->groups == 1 || is_depthwise(c)) && c->in_c <= INT32_MAX - 15 &&
           c->out_c <= INT32_MAX - 15;
}

dpli_conv dpli_conv_narrowed(const dpli_conv *c)
{
    dpli_conv narrow = *c;

    narrow.in_c = dpli_narrow_channels(c->in_c);
    narrow.out_c = dpli_narrow_channels(c->out_c);
    narrow.groups = is_depthwise(c) ? narrow.in_c : 1;
    return narrow;
}

/* Floats of each, bias and slope. */
static size_t columns_of(const dpli_conv *c)
{
    return round_up((size_t)c->out_c, DPLI_PANEL);
}

size_t dpli_narrow_bytes(const dpli_conv *c)
{
    const dpli_conv narrow = dpli_conv_narrowed(c);
    const size_t floats = 2 * columns_of(c) * sizeof(float);

    if (is_depthwise(c))
        return floats + dpli_conv_packed_floats(&narrow) * sizeof(float);
    return floats + columns_of(c) * depth(&narrow) * sizeof(uint16_t);
}

void dpli_narrow_pack(void *packed, const dpli_conv *c, const float *weight, const float *bias,
                      const float *slope)
{
    const dpli_conv narrow = dpli_conv_narrowed(c);
    const size_t n_taps = taps(c), channels = (size_t)c->in_c, out_c = (size_t)c->out_c;
    const size_t padded = (size_t)narrow.in_c;
    float *floats = packed;
    uint16_t *to;

    memset(packed, 0, dpli_narrow_bytes(c));
    if (bias)
        memcpy(floats, bias, out_c * sizeof *floats);
    if (slope)
        memcpy(floats + columns_of(c), slope, out_c * sizeof *floats);
    floats += 2 * columns_of(c);
    if (is_depthwise(c)) {
        dpli_conv_pack(floats, c, weight);
        return;
    }
    to = (uint16_t *)(void *)floats;
    for (size_t n = 0; n < out_c; n++) {
        uint16_t *column = to + n / DPLI_PANEL * DPLI_PANEL * n_taps * padded;

        for (size_t i = 0; i < channels; i++)
            for (size_t tap = 0; tap < n_taps; tap++) {
                const size_t k = tap * padded + i;

                column[(k / 2 * DPLI_PANEL + n % DPLI_PANEL) * 2 + k % 2] = dpli_bf16_of(*weight++);
            }
    }
}

/* ------------------------------------------------------------------ three products */

bool dpli_conv_wants_three(const dpli_conv *c)
{
    const size_t columns = (size_t)(c->out_c / c->groups);

    return !is_depthwise(c) && c->in_c / c->groups % 2 == 0 && depth(c) >= 24 && columns > 16;
}

size_t dpli_three_floats(const dpli_conv *c)
{
    return dpli_conv_packed_floats(c) + DPLI_THREE_K * DPLI_PANEL / 2;
}

void dpli_three_pack(float *packed, const dpli_conv *c, const float *weight)
{
    const size_t n_taps = taps(c), channels = (size_t)(c->in_c / c->groups), k = depth(c);
    const size_t columns = (size_t)(c->out_c / c->groups);
    uint16_t *to = (uint16_t *)(void *)packed;

    memset(packed, 0, dpli_three_floats(c) * sizeof *packed);
    for (int32_t g = 0; g < c->groups; g++) {
        for (size_t n = 0; n < columns; n++) {
            uint16_t *high = to + n / DPLI_PANEL * DPLI_PANEL * 2 * k, *low = high + DPLI_PANEL * k;

            for (size_t i = 0; i < channels; i++)
                for (size_t tap = 0; tap < n_taps; tap++) {
                    const size_t row = tap * channels + i;
                    const size_t at = (row / 2 * DPLI_PANEL + n % DPLI_PANEL) * 2 + row % 2;

                    high[at] = dpli_bf16_of(*weight);
                    /* The largest numbers are nearest to infinity, which is no part of a sum. */
                    if ((high[at] & 0x7fff) == 0x7f80)
                        high[at]--;
                    low[at] = dpli_bf16_of(*weight - dpli_bf16_to_float(high[at]));
                    weight++;
                }
        }
        to += 2 * k * round_up(columns, DPLI_PANEL);
    }
}

/* Depth of what a tile reads, each segment in whole steps. */
static size_t three_depth(const dpli_conv *c)
{
    const size_t n = dpli_conv_choose(c) == DPLI_CONV_LINES ? (size_t)c->kernel_h : 1;

    return n * round_up(depth(c) / n, DPLI_THREE_K);
}

/* A stretch of rows, of which there are two in the first cache. */
#define THREE_BYTES ((size_t)16 << 10)

size_t dpli_three_rows(size_t depth)
{
    const size_t fit = THREE_BYTES / (depth * 2 * sizeof(uint16_t)) / 32 * 32;

    return fit > 32 ? fit : 32;
}

size_t dpli_three_scratch_bytes(const dpli_conv *c)
{
    const size_t k = three_depth(c);

    return 2 * dpli_three_rows(k) * k * 2 * sizeof(uint16_t);
}

/* ------------------------------------------------------------------ bytes */

/* Products of 255 by 127 and less: what an int32_t holds of them twice over, and a float to the
 * unit. */
#define MAX_BYTE_DEPTH ((size_t)1 << 15)
#define MAX_BYTE_TAPS  ((size_t)256)

bool dpli_conv_can_bytes(const dpli_conv *c)
{
    const dpli_conv narrow = dpli_conv_narrowed(c);

    return dpli_conv_can_narrow(c) &&
           (is_depthwise(c) ? taps(c) <= MAX_BYTE_TAPS : depth(&narrow) <= MAX_BYTE_DEPTH);
}

size_t dpli_bytes_size(const dpli_conv *c)
{
    const dpli_conv narrow = dpli_conv_narrowed(c);
    const size_t floats = 4 * columns_of(c) * sizeof(float);

    if (is_depthwise(c))
        return floats + dpli_conv_packed_floats(&narrow) * sizeof(float);
    return floats + columns_of(c) * depth(&narrow);
}

bool dpli_bytes_pack(void *packed, const dpli_conv *c, const float *weight, const float *scales,
                     int32_t n_scales, dpli_scale in, const float *bias, const float *slope)
{
    const dpli_conv narrow = dpli_conv_narrowed(c);
    const bool depthwise = is_depthwise(c);
    const size_t n_taps = taps(c), channels = (size_t)(c->in_c / c->groups);
    const size_t padded = (size_t)narrow.in_c, columns = columns_of(c);
    float *floats = packed, *factor = floats + 2 * columns;
    int32_t *start = (int32_t *)(void *)(floats + 3 * columns);
    int8_t *bytes = (int8_t *)(void *)(floats + 4 * columns);

    memset(packed, 0, dpli_bytes_size(c));
    if (bias)
        memcpy(floats, bias, (size_t)c->out_c * sizeof *floats);
    if (slope)
        memcpy(floats + columns, slope, (size_t)c->out_c * sizeof *floats);
    for (size_t n = 0; n < (size_t)c->out_c; n++) {
        const float scale = scales[n_scales == 1 ? 0 : n];
        const size_t panel = n / DPLI_PANEL * DPLI_PANEL * n_taps;
        int32_t sum = 0;

        factor[n] = in.scale * scale;
        for (size_t i = 0; i < channels; i++)
            for (size_t tap = 0; tap < n_taps; tap++) {
                const float q = rintf(*weight / scale);
                const size_t k = tap * padded + i;

                if (!(q >= -128.0f && q <= 127.0f))
                    return false;
                weight++;
                sum += (int32_t)q;
                if (depthwise)
                    floats[4 * columns + panel + tap * DPLI_PANEL + n % DPLI_PANEL] = q;
                else
                    bytes[panel * padded + (k / 4 * DPLI_PANEL + n % DPLI_PANEL) * 4 + k % 4] =
                        (int8_t)q;
            }
        start[n] = -(int32_t)in.zero * sum;
    }
    return true;
}

/* ------------------------------------------------------------------ chains */

/* Lines between the links of a chain: 1.25 MiB. A second-level cache of 2 MiB has room for them
 * beside weights and the first input; with a smaller one what ends a chain costs more still, as it
 * goes through memory whole. */
#define MAX_RING_FLOATS ((size_t)320 << 10)

int32_t dpli_link_out_h(const dpli_link *link)
{
    return link->conv   ? link->conv->out_h
           : link->pool ? link->pool->out_h
           : link->cast ? link->cast->h
                        : link->supply->h;
}

size_t dpli_link_line(const dpli_link *link)
{
    return link->conv   ? (size_t)link->conv->out_w * (size_t)link->conv->out_c
           : link->pool ? (size_t)link->pool->out_w * (size_t)link->pool->channels
           : link->cast ? (size_t)link->cast->w * (size_t)dpli_narrow_channels(link->cast->channels)
                        : (size_t)link->supply->w * (size_t)link->supply->channels;
}

/* Input lines from which, and up to which, output lines from .. end - 1 are made. */
static void reads(const dpli_link *link, int32_t from, int32_t end, int32_t *first, int32_t *last)
{
    const dpli_conv *c = link->conv;
    const dpli_pool *p = link->pool;
    /* A cast and a supply are no link's successors: they are never asked what they read. */
    const int64_t stride = c ? c->stride_h : p->stride_h, pad = c ? c->pad_top : p->pad_top;
    const int64_t covers = c ? (int64_t)(c->kernel_h - 1) * c->dilation_h + 1
                             : (int64_t)(p->kernel_h - 1) * p->dilation_h + 1;
    const int64_t low = from * stride - pad, high = (end - 1) * stride - pad + covers;
    const int64_t in_h = c ? c->in_h : p->in_h;

    *first = (int32_t)(low < 0 ? 0 : low < in_h ? low : in_h);
    *last = (int32_t)(high < 0 ? 0 : high < in_h ? high : in_h);
}

void dpli_chain_round(const dpli_link *links, int32_t n_links, int32_t n_lines, int32_t *want)
{
    want[n_links - 1] = n_lines;
    for (int32_t i = n_links - 1; i > 0; i--) {
        const int32_t all = dpli_link_out_h(links + i - 1);
        int32_t first;

        reads(links + i, 0, want[i], &first, want + i - 1);
        /* Two lines at a time is how depthwise works. */
        want[i - 1] += want[i - 1] % 2;
        want[i - 1] = want[i - 1] < all ? want[i - 1] : all;
    }
}

void dpli_chain_begin(const dpli_link *links, int32_t n_links, int32_t from, int32_t *done)
{
    done[n_links - 1] = from;
    for (int32_t i = n_links - 1; i > 0; i--) {
        int32_t last;

        reads(links + i, done[i], done[i] + 1, done + i - 1, &last);
        done[i - 1] -= done[i - 1] % 2;
    }
}

/* The rings that `step` lines of the last link a round need, by going through the rounds, whichever
 * line of it a piece begins with; the sum of their sizes. */
static size_t rings(dpli_chain_plan *plan, const dpli_link *links, int32_t n_links, int32_t step)
{
    const int32_t out_h = dpli_link_out_h(links + n_links - 1);
    size_t sum = 0;

    memset(plan, 0, sizeof *plan);
    plan->step = step;
    plan->n_ring[n_links - 1] = out_h;
    for (int32_t begin = 0; begin < step && begin < out_h && n_links > 1; begin++) {
        int32_t done[DPLI_MAX_CHAIN];

        dpli_chain_begin(links, n_links, begin, done);
        for (int32_t y = begin; y < out_h;) {
            int32_t want[DPLI_MAX_CHAIN], start[DPLI_MAX_CHAIN];

            dpli_chain_begin(links, n_links, y, start);
            y = out_h - y > step ? y + step : out_h;
            dpli_chain_round(links, n_links, y, want);
            for (int32_t i = 0; i + 1 < n_links; i++) {
                int32_t first, last;

                /* When link i is done with its round, link i + 1 has yet to begin; and so when a
                 * piece starts with this round. */
                reads(links + i + 1, done[i + 1], done[i + 1] + 1, &first, &last);
                first = first < start[i] ? first : start[i];
                done[i] = done[i] > want[i] ? done[i] : want[i];
                if (done[i] - first > plan->n_ring[i])
                    plan->n_ring[i] = done[i] - first;
            }
            done[n_links - 1] = y;
        }
    }
    for (int32_t i = 0; i + 1 < n_links; i++) {
        plan->n_ring[i] += plan->n_ring[i] % 2;
        plan->n_ring[i] = plan->n_ring[i] > 0 ? plan->n_ring[i] : 2;
        plan->ring_floats[i] = round_up((size_t)plan->n_ring[i] * dpli_link_line(links + i), 32);
        sum += plan->ring_floats[i];
    }
    return sum;
}

void dpli_chain_lay_out(dpli_chain_plan *plan, const dpli_link *links, int32_t n_links)
{
    /* As many lines a round as fit, so that less is read twice and weights stay longer. */
    for (int32_t step = n_links > 1 ? 4 : INT32_MAX; step > 2; step /= 2)
        if (rings(plan, links, n_links, step) <= MAX_RING_FLOATS)
            return;
    rings(plan, links, n_links, 2);
}

size_t dpli_chain_units(const dpli_link *links, int32_t n_links)
{
    const size_t n = (size_t)(links->conv   ? links->conv->n
                              : links->pool ? links->pool->n
                              : links->cast ? links->cast->n
                                            : links->supply->n);

    return n * (size_t)dpli_link_out_h(links + n_links - 1);
}

int32_t dpli_chain_length(const dpli_link *links, int32_t n_links, size_t min_bytes)
{
    dpli_chain_plan plan;
    int32_t n = 0;

    for (; n < n_links && n < DPLI_MAX_CHAIN; n++) {
        const dpli_conv *c = links[n].conv;

        /* What a cast makes is as large as the chain's input, and not read again; what a supply
         * makes need never be there. */
        if (n > 0 && !links[n - 1].cast && !links[n - 1].supply &&
            dpli_link_line(links + n - 1) * (size_t)dpli_link_out_h(links + n - 1) <
                min_bytes / dpli_number_bytes(links[n].numbers))
            break;
        if (n > 0 && (links[n].cast || links[n].supply || links[n].numbers != links[0].numbers))
            break;
        if (c && (dpli_conv_choose(c) == DPLI_CONV_PATCHES ||
                  (dpli_conv_choose(c) == DPLI_CONV_FLAT && taps(c) > 1)))
            break;
    }
    for (; n > 1; n--)
        if (rings(&plan, links, n, 2) <= MAX_RING_FLOATS)
            return n;
    return 1;
}

size_t dpli_chain_scratch_bytes(const dpli_link *links, int32_t n_links)
{
    dpli_chain_plan plan;
    size_t bytes = 0;

    dpli_chain_lay_out(&plan, links, n_links);
    for (int32_t i = 0; i < n_links; i++) {
        bytes += plan.ring_floats[i] * sizeof(float);
        bytes += links[i].conv ? dpli_conv_scratch_bytes(links[i].conv) : 0;
    }
    return bytes;
}
