/*
 * What a kernel is told of its work, and what follows from that whatever the processor: how a
 * convolution is computed, how its weight is packed, how much scratch it needs, which layers run as
 * a chain.
 */
#ifndef DOPPEL_NET_KERNELS_GEOMETRY_H
#define DOPPEL_NET_KERNELS_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ------------------------------------------------------------------ epilogue */

typedef enum dpli_act_kind {
    DPLI_ACT_NONE,
    DPLI_ACT_RELU,
    DPLI_ACT_PRELU,       /* x < 0 ? slope[c] * x : x; slope [channels] */
    DPLI_ACT_LEAKY,       /* x < 0 ? a * x : x */
    DPLI_ACT_CLIP,        /* min(max(x, a), b) */
    DPLI_ACT_SIGMOID,     /* 1 / (1 + exp(-x)) */
    DPLI_ACT_HARDSIGMOID, /* min(max(a * x + b, 0), 1) */
    DPLI_ACT_HARDSWISH,   /* x * min(max(x / 6 + 1/2, 0), 1) */
    DPLI_ACT_TANH,
    DPLI_ACT_EXP,
    DPLI_ACT_SQRT,
    DPLI_ACT_ABS,
    DPLI_ACT_ERF,
    DPLI_ACT_GELU,     /* x / 2 * (1 + erf(x / sqrt(2))) */
    DPLI_ACT_GELU_TANH /* x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) */
} dpli_act_kind;

typedef struct dpli_act {
    dpli_act_kind kind;
    float a, b;
    const float *slope; /* [channels], DPLI_ACT_PRELU */
} dpli_act;

/* The numbers of eight bits that a value is rounded to: x = scale (q - zero), q from 0 to 255. */
typedef struct dpli_scale {
    float scale, inverse; /* 1 / scale */
    float zero;           /* whole */
} dpli_scale;

/* What is done to a result while it is still in cache: y = act(y + bias + before) + after. */
typedef struct dpli_epilogue {
    const float *bias;   /* [channels] or NULL */
    const float *before; /* as the output, or NULL: residual added before the activation */
    dpli_act act;
    const float *after; /* as the output, or NULL: residual added after it */
    /* Of a narrow kernel only: 0 where the output is narrow; else it is float32, of so many
     * channels. Bias and slope come with the weight, before and after are as the output. */
    int32_t wide_channels;
    /* Of a kernel of bytes only: of the output, of before or after, and, with rounded set, to which
     * y + bias is rounded before anything else is done. */
    dpli_scale out, added, first;
    bool rounded;
} dpli_epilogue;

/* ------------------------------------------------------------------ convolution */

/* Columns of a packed panel, the same at every level, so that packed weights do not depend on it.
 */
#define DPLI_PANEL 16

typedef struct dpli_conv {
    int32_t n, in_h, in_w, in_c; /* input [n, in_h, in_w, in_c] */
    int32_t out_h, out_w, out_c; /* output [n, out_h, out_w, out_c] */
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left; /* below and right follow from out_h, out_w; zeros outside */
    int32_t groups;            /* in_c and out_c are multiples of it */
    uint8_t outside;           /* of bytes: what stands for zero outside the picture */
    bool three;                /* of float32: by three products of bfloat16 */
} dpli_conv;

/** Floats of a packed weight, and packing from ONNX's [out_c, in_c / groups, kernel_h, kernel_w].
 * Packing depends on the kernel, channels and groups only, not on the picture's size. */
size_t dpli_conv_packed_floats(const dpli_conv *c);
void dpli_conv_pack(float *packed, const dpli_conv *c, const float *weight);

/** Bytes of scratch (64-byte aligned) that a run needs. */
size_t dpli_conv_scratch_bytes(const dpli_conv *c);

typedef enum dpli_conv_path {
    DPLI_CONV_DEPTHWISE, /* one channel in, one out */
    DPLI_CONV_FLAT,   /* the input itself is the matrix: 1x1, or a kernel as large as the picture */
    DPLI_CONV_LINES,  /* rows of the matrix are windows of input lines, padded where need be */
    DPLI_CONV_PATCHES /* im2col */
} dpli_conv_path;

dpli_conv_path dpli_conv_choose(const dpli_conv *c);

/* Rows of a tile of patches. */
size_t dpli_conv_tile_rows(const dpli_conv *c);

/** Pieces that a run can be cut into, each with a scratch of its own: whatever the cut, the numbers
 * are the same. Rows of a product, or lines of the output, are cut anywhere, so that two threads
 * have as much each. */
size_t dpli_conv_units(const dpli_conv *c);

/* Whether a product is cut by columns, so many of them a piece, and not by rows: where there are
 * few rows, all of them want all weights. */
#define DPLI_UNIT_COLUMNS ((size_t)32)
bool dpli_conv_cut_by_columns(const dpli_conv *c);

/* ------------------------------------------------------------------ narrow numbers */

/* In what a kernel computes, and how its activations lie. */
typedef enum dpli_numbers {
    DPLI_FLOATS,
    DPLI_HALVES, /* bfloat16 */
    DPLI_BYTES   /* numbers of eight bits, each value with a dpli_scale */
} dpli_numbers;

static inline size_t dpli_number_bytes(dpli_numbers numbers)
{
    return numbers == DPLI_BYTES ? 1 : numbers == DPLI_HALVES ? 2 : 4;
}

/*
 * A narrow value is bfloat16 or bytes, NHWC (of rank 2: rows), its channels padded to
 * dpli_narrow_channels with numbers that are finite and that every weight multiplies by 0. So no
 * kernel has a rest of channels, pairs of them are whole, and tiles read rows where they lie.
 */
int32_t dpli_narrow_channels(int32_t channels);

/** Whether there is a narrow kernel for it: not for groups of more than one channel. */
bool dpli_conv_can_narrow(const dpli_conv *c);

/** The same convolution as the narrow kernels see it, over padded channels. */
dpli_conv dpli_conv_narrowed(const dpli_conv *c);

/*
 * What the narrow kernels read of a node, in one block: bias and slope, float32, zeros where there
 * is none, [out_c up to a multiple of DPLI_PANEL] each; then the weight. Of a depthwise convolution
 * it is float32, packed as dpli_conv_pack does; of any other bfloat16, in panels [k / 2,
 * DPLI_PANEL, 2] for k over window lines, pixels, padded channels.
 */
size_t dpli_narrow_bytes(const dpli_conv *c);
void dpli_narrow_pack(void *packed, const dpli_conv *c, const float *weight, const float *bias,
                      const float *slope);

/** Whether there is a kernel of bytes for it: also none for more products than a sum can hold. */
bool dpli_conv_can_bytes(const dpli_conv *c);

/*
 * As dpli_narrow_pack, of bytes: a product with whole numbers q_w, w = scale q_w, whose input is x
 * = in.scale (q - in.zero):
 *
 *     sum x w = in.scale scale (sum q q_w - in.zero sum q_w)
 *
 * In front of the weight lie bias, slope, in.scale scale as floats, and - in.zero sum q_w as
 * int32_t. The weight is int8_t, in panels [k / 4, DPLI_PANEL, 4]; of a depthwise convolution whole
 * numbers in float32, whose sums are exact. False when the weight is not made of such numbers.
 *
 * @param scales  [out_c], or one for all
 */
size_t dpli_bytes_size(const dpli_conv *c);
bool dpli_bytes_pack(void *packed, const dpli_conv *c, const float *weight, const float *scales,
                     int32_t n_scales, dpli_scale in, const float *bias, const float *slope);

/*
 * Float32 by three products of bfloat16, for processors with AMX. Each operand is the sum of a high
 * part, it rounded to bfloat16, and a low one, what that leaves rounded to bfloat16:
 *
 *     a b = (a_h + a_l) (b_h + b_l) ~ a_l b_h + a_h b_h + a_h b_l
 *
 * A high part leaves 2^-8 of its operand at most, whose rounding is off by 2^-17 of it; and what is
 * left out, a_l b_l, is 2^-16 of the product. Together that is 2^-15 of |a b| at most, before sums
 * in float32.
 *
 * The weight is packed in panels of as many bytes as float32's, each [k / 2, DPLI_PANEL, 2] of high
 * parts, then of low ones. A step reads past the end of a panel what it multiplies by 0; behind the
 * last one are zeros for that.
 */

/** Whether there is such a kernel for it, and it is faster: depends on what packing depends on. */
bool dpli_conv_wants_three(const dpli_conv *c);
size_t dpli_three_floats(const dpli_conv *c);
void dpli_three_pack(float *packed, const dpli_conv *c, const float *weight);

/* Of k a step, what a row of a tile holds; rows that are split at a time, of a depth in whole
 * steps. */
#define DPLI_THREE_K 32
size_t dpli_three_rows(size_t depth);
/** Bytes at the end of dpli_conv_scratch_bytes for the rows. */
size_t dpli_three_scratch_bytes(const dpli_conv *c);

/** To bfloat16: the nearest, of two the even one; NaN stays. */
static inline uint16_t dpli_bf16_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float dpli_bf16_to_float(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* From float32 [n, h, w, channels] to narrow. */
typedef struct dpli_cast {
    int32_t n, h, w, channels;
    dpli_scale to; /* bytes */
} dpli_cast;

/* out = act(a + b), of bytes; an activation without slope. */
typedef struct dpli_byte_sum {
    dpli_scale out, a, b;
    dpli_act act;
} dpli_byte_sum;

/* ------------------------------------------------------------------ pooling */

typedef enum dpli_pool_kind { DPLI_POOL_MAX, DPLI_POOL_AVERAGE } dpli_pool_kind;

typedef struct dpli_pool {
    dpli_pool_kind kind;
    int32_t n, in_h, in_w, channels, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t count_include_pad; /* average: divide by what lies within the padded picture, else by
                                  what is real */
} dpli_pool;

/* ------------------------------------------------------------------ chains */

/* Lines of float32 pictures [n, h, w, channels] that are made when they are read; by several
 * threads, and a line more than once. */
typedef struct dpli_supply {
    int32_t n, h, w, channels;
    void (*line)(const void *ctx, float *out, int32_t picture, int32_t y);
    const void *ctx;
} dpli_supply;

/* One layer of a chain: a convolution, a pooling, a cast or a supply, the others being NULL.
 * The last two are the first of their chain; the links of a chain are of the same numbers. */
typedef struct dpli_link {
    const dpli_conv *conv;
    const void *packed;
    dpli_epilogue epilogue; /* before and after in the last link only */
    const dpli_pool *pool;
    const dpli_cast *cast;
    const dpli_supply *supply;
    dpli_numbers numbers;
} dpli_link;

#define DPLI_MAX_CHAIN 8

/**
 * How many of these layers, each reading what the one before it makes and nothing else reading
 * that, are best run as one chain: 1 when the first is better off alone. A result of fewer than
 * min_bytes a picture ends the chain: it stays in cache by itself.
 *
 * A chain makes a few lines of each layer at a time, which the next one reads while they are in
 * cache; only the last layer's result is written whole. The numbers are the same to the bit.
 */
int32_t dpli_chain_length(const dpli_link *links, int32_t n_links, size_t min_bytes);

size_t dpli_chain_scratch_bytes(const dpli_link *links, int32_t n_links);

/** Pieces that a run can be cut into, as of dpli_conv_units, lines of the last link: where one
 * begins, lines that the one before it has made are made again. */
size_t dpli_chain_units(const dpli_link *links, int32_t n_links);

typedef struct dpli_chain_plan {
    int32_t step;                   /* lines of the last link a round, even */
    int32_t n_ring[DPLI_MAX_CHAIN]; /* lines of link i's output that are kept; all, of the last */
    size_t ring_floats[DPLI_MAX_CHAIN]; /* elements, whatever they are; 0 of the last */
} dpli_chain_plan;

void dpli_chain_lay_out(dpli_chain_plan *plan, const dpli_link *links, int32_t n_links);

/* Up to which line each link has to be for the last one to have made n_lines. */
void dpli_chain_round(const dpli_link *links, int32_t n_links, int32_t n_lines, int32_t *want);

/* From which line on each link has to be for the last one to begin with line `from`; even, but for
 * the last one's. */
void dpli_chain_begin(const dpli_link *links, int32_t n_links, int32_t from, int32_t *done);

int32_t dpli_link_out_h(const dpli_link *link);

/** Elements of a line of its output. */
size_t dpli_link_line(const dpli_link *link);

/* ------------------------------------------------------------------ recurrent cells */

/* A step of n_rows sequences; all rows are dense, one behind another. What comes before the first
 * step (h_prev, c_prev) may be NULL for zeros. */
typedef struct dpli_cell_step {
    size_t n_rows, hidden;
    /* Products with the input, and for LSTM with h_prev too: before the activations, then after.
     * LSTM [n_rows, 4 hidden]: i, o, f, g. GRU [n_rows, 3 hidden]: z, r, h. */
    float *gates;
    /* GRU with the reset after the product: h_prev R^T [n_rows, 3 hidden], whose last third becomes
     * what is reset, bias included; NULL for zeros. With the reset before it: r h_prev
     * [n_rows, hidden]. */
    float *side;
    const float *bias_w, *bias_r; /* of a step's gates; NULL for none */
    const float *h_prev, *c_prev;
    float *h, *c; /* may be h_prev, c_prev */
} dpli_cell_step;

/* The way back through such a step: the gates become the gradients of what they were before their
 * activation. */
typedef struct dpli_cell_back {
    size_t n_rows, hidden;
    float *gates;
    float *side;                  /* as in the step; GRU with the reset behind: gradients as well */
    const float *c;               /* LSTM */
    const float *h_prev, *c_prev; /* NULL for zeros */
    float *dh, *dc; /* of h and c; then of c_prev, and of h_prev but for the products */
    float *ds;      /* GRU with the reset before the product: d side, [n_rows, hidden] */
} dpli_cell_back;

/* ------------------------------------------------------------------ elementwise */

typedef enum dpli_binary_kind {
    DPLI_ADD,
    DPLI_SUB,
    DPLI_MUL,
    DPLI_DIV,
    DPLI_POW,
    DPLI_MAX,
    DPLI_MIN
} dpli_binary_kind;

#endif
