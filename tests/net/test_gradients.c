/*
 * test_gradients.c - each operator's training half against a naive reference in double precision:
 * forward against its values, backward against its central differences.
 *
 * A row of the table is an operator with its attributes, inputs and the shape it has to give; the
 * step is laid out by hand, without a tape. References know ONNX's order only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/kernels.h"
#include "net/load.h"
#include "net/ops/table.h"
#include "net/tape.h"
#include "tests/net/net_case.h"
#include "tests/net/onnx_writer.h"

/* Step of the central differences: what they leave out is of the order h^2, and what rounding of a
 * loss of some hundreds puts in, 2^-53 100 / h, is 1e-9. */
#define H 1e-5
/* As a share of the largest value: float32 sums of up to some thousand terms of either sign, each
 * rounded by at most 2^-24, stay within sqrt(4000) 2^-24 = 4e-6. */
#define TOLERANCE 1e-5

#define MAX_IN 5

/* ------------------------------------------------------------------ rows */

typedef enum input_kind {
    NONE,
    TENSOR,
    TRAINED,  /* a constant with a gradient */
    CONSTANT, /* one without */
    INTEGERS,
    IDS /* computed, as a net's input is: from low to high - 1 */
} input_kind;

typedef struct input {
    input_kind kind;
    dpl_shape shape;
    float low, high; /* 0, 0: from -1 to 1; equal: that value */
    int64_t ints[4];
} input;

typedef struct attr {
    const char *name;
    int kind; /* as in dpli_attr */
    size_t n;
    int64_t ints[3];
    float f;
} attr;

typedef struct window {
    int64_t kernel[2], stride[2], dilation[2], pads[4], group, ceil_mode, include_pad;
} window;

typedef struct row {
    const char *what, *op;
    attr attrs[4];
    window window;
    input in[MAX_IN];
    dpl_shape out;
    double a, b;  /* the reference's numbers: slope, bounds, alpha and beta */
    bool running; /* not training */
    bool frozen;  /* parameters are */
    bool narrow;  /* products of bfloat16 */
} row;

#define SHAPE(...)                                                                                 \
    {                                                                                              \
        (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                             \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define X(...)                                                                                     \
    {                                                                                              \
        TENSOR, SHAPE(__VA_ARGS__), 0, 0,                                                          \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define X_FROM(low, high, ...)                                                                     \
    {                                                                                              \
        TENSOR, SHAPE(__VA_ARGS__), low, high,                                                     \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define W(...)                                                                                     \
    {                                                                                              \
        TRAINED, SHAPE(__VA_ARGS__), 0, 0,                                                         \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define K(low, high, ...)                                                                          \
    {                                                                                              \
        CONSTANT, SHAPE(__VA_ARGS__), low, high,                                                   \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define ONE(value)                                                                                 \
    {                                                                                              \
        CONSTANT, {0, {0}}, value, value,                                                          \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define I(n_rows, ...)                                                                             \
    {                                                                                              \
        IDS, SHAPE(__VA_ARGS__), -(n_rows), n_rows,                                                \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define INTS(n, ...)                                                                               \
    {                                                                                              \
        INTEGERS, SHAPE(n), 0, 0,                                                                  \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define OUT(...) .out = SHAPE(__VA_ARGS__)
#define INT(name, value)                                                                           \
    {                                                                                              \
        name, DPLI_ATTR_INT, 1, {value}, 0                                                         \
    }
#define INT2(name, a, b)                                                                           \
    {                                                                                              \
        name, DPLI_ATTR_INTS, 2, {a, b}, 0                                                         \
    }
#define INT3(name, a, b, c)                                                                        \
    {                                                                                              \
        name, DPLI_ATTR_INTS, 3, {a, b, c}, 0                                                      \
    }
#define FLOAT(name, value)                                                                         \
    {                                                                                              \
        name, DPLI_ATTR_FLOAT, 1, {0}, value                                                       \
    }
#define PLAIN                                                                                      \
    {                                                                                              \
        {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, 0, 0                                              \
    }

static const row rows[] = {
    {"relu", "Relu", .in = {X(2, 5, 3, 7)}, OUT(2, 5, 3, 7)},
    {"relu of rank 2", "Relu", .in = {X(3, 37)}, OUT(3, 37)},
    {"prelu a channel", "PRelu", .in = {X(3, 5, 3, 7), W(5, 1, 1)}, OUT(3, 5, 3, 7)},
    {"prelu, many channels", "PRelu", .in = {X(2, 35, 3, 3), W(1, 35, 1, 1)}, OUT(2, 35, 3, 3)},
    {"prelu of rank 2", "PRelu", .in = {X(7, 19), W(19)}, OUT(7, 19)},
    {"prelu of one slope", "PRelu", .in = {X(3, 5, 3, 7), W(1)}, OUT(3, 5, 3, 7)},
    {"prelu of one channel", "PRelu", .in = {X(3, 1, 5, 7), W(1, 1, 1)}, OUT(3, 1, 5, 7)},
    {"prelu, frozen", "PRelu", .in = {X(3, 5, 3, 7), W(5, 1, 1)}, OUT(3, 5, 3, 7), .frozen = true},
    {"leaky",
     "LeakyRelu",
     {FLOAT("alpha", 0.25f)},
     .in = {X(2, 3, 5, 3)},
     OUT(2, 3, 5, 3),
     .a = 0.25},
    {"clip", "Clip", .in = {X_FROM(-4, 9, 2, 3, 5, 3), ONE(0), ONE(6)}, OUT(2, 3, 5, 3), .a = 0,
     .b = 6},
    {"clip from below", "Clip", .in = {X(2, 33), ONE(0.25f)}, OUT(2, 33), .a = 0.25, .b = 1e30},
    {"sigmoid", "Sigmoid", .in = {X_FROM(-5, 5, 3, 41)}, OUT(3, 41)},
    {"tanh", "Tanh", .in = {X_FROM(-3, 3, 2, 3, 5, 3)}, OUT(2, 3, 5, 3)},
    {"hard sigmoid", "HardSigmoid", .in = {X_FROM(-4, 4, 3, 41)}, OUT(3, 41), .a = 0.2f, .b = 0.5},
    {"hard swish", "HardSwish", .in = {X_FROM(-5, 5, 2, 3, 5, 5)}, OUT(2, 3, 5, 5)},
    {"exp", "Exp", .in = {X(3, 17)}, OUT(3, 17)},
    {"sqrt", "Sqrt", .in = {X_FROM(0.5f, 2, 3, 17)}, OUT(3, 17)},
    {"abs", "Abs", .in = {X(3, 17)}, OUT(3, 17)},

    {"batch norm",
     "BatchNormalization",
     {FLOAT("epsilon", 1e-3f)},
     .in = {X(3, 5, 3, 7), W(5), W(5), K(-1, 1, 5), K(0.5f, 2, 5)},
     OUT(3, 5, 3, 7),
     .a = 1e-3f},
    {"batch norm far from zero", "BatchNormalization",
     .in = {X_FROM(50, 51, 4, 19, 3, 3), W(19), W(19), K(-1, 1, 19), K(0.5f, 2, 19)},
     OUT(4, 19, 3, 3), .a = 1e-5f},
    {"batch norm of rank 2", "BatchNormalization",
     .in = {X(7, 17), W(17), W(17), K(-1, 1, 17), K(0.5f, 2, 17)}, OUT(7, 17), .a = 1e-5f},
    {"batch norm by running averages", "BatchNormalization",
     .in = {X(3, 5, 3, 7), W(5), W(5), K(-1, 1, 5), K(0.5f, 2, 5)}, OUT(3, 5, 3, 7), .a = 1e-5f,
     .running = true},
    {"batch norm, frozen", "BatchNormalization",
     .in = {X(3, 5, 3, 7), W(5), W(5), K(-1, 1, 5), K(0.5f, 2, 5)}, OUT(3, 5, 3, 7), .a = 1e-5f,
     .frozen = true},

    {"max 2x2", "MaxPool", .window = {{2, 2}, {2, 2}, {1, 1}, {0}, 1, 0, 0}, .in = {X(3, 5, 6, 8)},
     OUT(3, 5, 3, 4)},
    {"max 2x2, odd sides", "MaxPool", .window = {{2, 2}, {2, 2}, {1, 1}, {0}, 1, 0, 0},
     .in = {X(2, 17, 7, 5)}, OUT(2, 17, 3, 2)},
    {"max 2x2, rounded up", "MaxPool", .window = {{2, 2}, {2, 2}, {1, 1}, {0}, 1, 1, 0},
     .in = {X(2, 3, 7, 5)}, OUT(2, 3, 4, 3)},
    {"max 3x3, overlapping", "MaxPool", .window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0},
     .in = {X(2, 3, 7, 8)}, OUT(2, 3, 4, 4)},
    {"max 3x2, dilated", "MaxPool", .window = {{3, 2}, {1, 2}, {2, 3}, {1, 0, 2, 1}, 1, 0, 0},
     .in = {X(2, 3, 8, 9)}, OUT(2, 3, 7, 4)},
    {"mean 2x2", "AveragePool", .window = {{2, 2}, {2, 2}, {1, 1}, {0}, 1, 0, 0},
     .in = {X(3, 5, 6, 4)}, OUT(3, 5, 3, 2)},
    {"mean 3x3, padded", "AveragePool", .window = {{3, 3}, {2, 1}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0},
     .in = {X(2, 3, 5, 4)}, OUT(2, 3, 3, 4)},
    {"mean 3x3, padding counts", "AveragePool",
     .window = {{3, 3}, {2, 1}, {1, 1}, {1, 0, 1, 2}, 1, 0, 1}, .in = {X(2, 3, 5, 4)},
     OUT(2, 3, 3, 4)},
    {"mean of all", "GlobalAveragePool", .in = {X(3, 5, 7, 3)}, OUT(3, 5, 1, 1)},
    {"reduced mean", "ReduceMean", {INT2("axes", 2, 3)}, .in = {X(3, 5, 7, 3)}, OUT(3, 5, 1, 1)},
    {"reduced mean to rank 2",
     "ReduceMean",
     {INT("keepdims", 0)},
     .in = {X(3, 5, 4, 3), INTS(2, -1, -2)},
     OUT(3, 5)},

    {"add", "Add", .in = {X(2, 5, 3, 7), X(2, 5, 3, 7)}, OUT(2, 5, 3, 7)},
    {"sub", "Sub", .in = {X(3, 37), X(3, 37)}, OUT(3, 37)},
    {"mul", "Mul", .in = {X(2, 5, 3, 7), X(2, 5, 3, 7)}, OUT(2, 5, 3, 7)},
    {"div", "Div", .in = {X(2, 5, 3, 7), X_FROM(0.5f, 2, 2, 5, 3, 7)}, OUT(2, 5, 3, 7)},
    {"squeeze and excite", "Mul", .in = {X(3, 17, 3, 5), X(3, 17, 1, 1)}, OUT(3, 17, 3, 5)},
    {"excite first", "Mul", .in = {X(3, 17, 1, 1), X(3, 17, 3, 5)}, OUT(3, 17, 3, 5)},
    {"add a channel's", "Add", .in = {X(3, 5, 1, 1), X(3, 5, 3, 5)}, OUT(3, 5, 3, 5)},
    {"sub a pixel's", "Sub", .in = {X(3, 5, 3, 5), X(3, 1, 3, 5)}, OUT(3, 5, 3, 5)},
    {"div by a picture's", "Div", .in = {X(4, 17), X_FROM(0.5f, 2, 4, 1)}, OUT(4, 17)},
    {"mul by a picture's", "Mul", .in = {X(3, 5, 2, 3), X(3, 1, 1, 1)}, OUT(3, 5, 2, 3)},
    {"div of a channel's", "Div", .in = {X(2, 5, 1, 1), X_FROM(0.5f, 2, 2, 5, 3, 2)},
     OUT(2, 5, 3, 2)},
    {"mul of a pixel's and a channel's", "Mul", .in = {X(2, 1, 3, 4), X(2, 5, 1, 1)},
     OUT(2, 5, 3, 4)},
    {"add a constant a channel", "Add", .in = {X(2, 5, 3, 2), K(-1, 1, 1, 5, 1, 1)},
     OUT(2, 5, 3, 2)},
    {"one less", "Sub", .in = {ONE(1), X(2, 9)}, OUT(2, 9)},
    {"mul by constants", "Mul", .in = {X(4, 9), K(-1, 1, 9)}, OUT(4, 9)},
    {"div by constants", "Div", .in = {X(2, 3, 4, 2), K(0.5f, 2, 3, 1, 1)}, OUT(2, 3, 4, 2)},
    {"constant by", "Div", .in = {ONE(2), X_FROM(0.5f, 2, 2, 3, 4, 2)}, OUT(2, 3, 4, 2)},

    {"concat",
     "Concat",
     {INT("axis", 1)},
     .in = {X(2, 3, 3, 2), X(2, 1, 3, 2), X(2, 17, 3, 2)},
     OUT(2, 21, 3, 2)},
    {"concat of rank 2", "Concat", {INT("axis", -1)}, .in = {X(3, 4), X(3, 5)}, OUT(3, 9)},
    {"flatten", "Flatten", .in = {X(3, 5, 4, 7)}, OUT(3, 140)},
    {"flatten, large", "Flatten", .in = {X(2, 37, 5, 8)}, OUT(2, 1480)},
    {"flatten of rank 2", "Flatten", {INT("axis", -1)}, .in = {X(3, 5)}, OUT(3, 5)},
    {"reshape", "Reshape", .in = {X(3, 5, 4, 2), INTS(2, 0, -1)}, OUT(3, 40)},
    {"reshape to a size", "Reshape", .in = {X(3, 5, 4, 2), INTS(2, -1, 40)}, OUT(3, 40)},
    {"reshape to pictures", "Reshape", .in = {X(3, 5), INTS(4, 0, 5, 1, 1)}, OUT(3, 5, 1, 1)},
    {"identity", "Identity", .in = {X(3, 5, 3, 2)}, OUT(3, 5, 3, 2)},
    {"dropout, not training", "Dropout", .in = {X(3, 50)}, OUT(3, 50), .running = true},
    {"unit length", "LpNormalization", {INT("axis", 1)}, .in = {X(5, 33)}, OUT(5, 33)},
    {"unit length a pixel",
     "LpNormalization",
     {INT("axis", 1)},
     .in = {X(2, 5, 3, 2)},
     OUT(2, 5, 3, 2)},

    {"conv 1x1", "Conv", .window = PLAIN, .in = {X(3, 5, 3, 4), W(7, 5, 1, 1), W(7)},
     OUT(3, 7, 3, 4)},
    {"conv 3x3", "Conv", .window = {{3, 3}, {1, 1}, {1, 1}, {0}, 1, 0, 0},
     .in = {X(2, 3, 6, 7), W(5, 3, 3, 3), W(5)}, OUT(2, 5, 4, 5)},
    {"conv 3x3, padded, without bias", "Conv",
     .window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0},
     .in = {X(3, 2, 5, 4), W(3, 2, 3, 3)}, OUT(3, 3, 5, 4)},
    {"conv 3x3, stride 2", "Conv", .window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0},
     .in = {X(2, 3, 7, 8), W(4, 3, 3, 3), W(4)}, OUT(2, 4, 4, 4)},
    {"conv 3x2, uneven, dilated", "Conv", .window = {{3, 2}, {2, 1}, {2, 3}, {2, 0, 1, 3}, 1, 0, 0},
     .in = {X(2, 3, 8, 6), W(4, 3, 3, 2), W(4)}, OUT(2, 4, 4, 6)},
    {"conv in groups", "Conv", .window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 3, 0, 0},
     .in = {X(2, 6, 5, 4), W(9, 2, 3, 3), W(9)}, OUT(2, 9, 5, 4)},
    {"conv in groups, stride 2", "Conv", .window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 2, 0, 0},
     .in = {X(2, 4, 5, 6), W(6, 2, 3, 3)}, OUT(2, 6, 3, 3)},
    {"depthwise", "Conv", .window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 17, 0, 0},
     .in = {X(2, 17, 4, 5), W(17, 1, 3, 3), W(17)}, OUT(2, 17, 4, 5)},
    {"depthwise, stride 2", "Conv", .window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 5, 0, 0},
     .in = {X(3, 5, 7, 6), W(5, 1, 3, 3)}, OUT(3, 5, 4, 3)},
    {"depthwise over all", "Conv", .window = {{4, 3}, {1, 1}, {1, 1}, {0}, 5, 0, 0},
     .in = {X(3, 5, 4, 3), W(5, 1, 4, 3), W(5)}, OUT(3, 5, 1, 1)},
    {"depthwise, two each", "Conv", .window = {{3, 3}, {1, 1}, {1, 1}, {0}, 3, 0, 0},
     .in = {X(2, 3, 5, 5), W(6, 1, 3, 3), W(6)}, OUT(2, 6, 3, 3)},
    {"conv, frozen", "Conv", .window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0},
     .in = {X(3, 2, 5, 4), W(3, 2, 3, 3), W(3)}, OUT(3, 3, 5, 4), .frozen = true},
    {"conv 10x10", "Conv", .window = {{10, 10}, {1, 1}, {1, 1}, {0}, 1, 0, 0},
     .in = {X(2, 1, 14, 15), W(3, 1, 10, 10), W(3)}, OUT(2, 3, 5, 6)},
    {"conv 7x7", "Conv", .window = {{7, 7}, {1, 1}, {1, 1}, {0}, 1, 0, 0},
     .in = {X(2, 2, 9, 10), W(3, 2, 7, 7), W(3)}, OUT(2, 3, 3, 4)},

    {"gemm",
     "Gemm",
     {INT("transB", 1)},
     .in = {X(5, 19), W(7, 19), W(7)},
     OUT(5, 7),
     .a = 1,
     .b = 1},
    {"gemm, scaled",
     "Gemm",
     {FLOAT("alpha", 0.5f), FLOAT("beta", -2)},
     .in = {X(5, 19), W(19, 7), W(7)},
     OUT(5, 7),
     .a = 0.5,
     .b = -2},
    {"gemm without bias", "Gemm", .in = {X(3, 8), W(8, 6)}, OUT(3, 6), .a = 1, .b = 1},
    {"gemm, one row",
     "Gemm",
     {INT("transB", 1)},
     .in = {X(1, 33), W(5, 33), W(1, 5)},
     OUT(1, 5),
     .a = 1,
     .b = 1},
    {"gemm, frozen",
     "Gemm",
     {INT("transB", 1)},
     .in = {X(5, 19), W(7, 19), W(7)},
     OUT(5, 7),
     .a = 1,
     .b = 1,
     .frozen = true},
    {"matmul", "MatMul", .in = {X(5, 19), W(19, 7)}, OUT(5, 7), .a = 1},

    {"embedding", "Gather", .in = {W(7, 5), I(7, 3, 11)}, OUT(3, 11, 5)},
    {"embedding of one id each",
     "Gather",
     {INT("axis", -2)},
     .in = {W(3, 17), I(3, 9)},
     OUT(9, 17)},
    {"embedding of a few ids of many", "Gather", .in = {W(101, 3), I(101, 2, 3)}, OUT(2, 3, 3)},
    {"embedding, frozen", "Gather", .in = {W(7, 5), I(7, 3, 4)}, OUT(3, 4, 5), .frozen = true},
    {"embedding of grids", "Gather", .in = {W(5, 2, 3), I(5, 2, 3, 2)}, OUT(2, 3, 2, 2, 3)},
    {"sigmoid of rank 3", "Sigmoid", .in = {X_FROM(-5, 5, 3, 7, 5)}, OUT(3, 7, 5)},
    {"prelu of rank 3", "PRelu", .in = {X(3, 7, 5), W(5)}, OUT(3, 7, 5)},
    {"add of rank 3", "Add", .in = {X(3, 7, 5), X(3, 1, 5)}, OUT(3, 7, 5)},
    {"mul of rank 5", "Mul", .in = {X(2, 3, 2, 5, 4), X(2, 1, 1, 1, 4)}, OUT(2, 3, 2, 5, 4)},
    {"div by constants, rank 3", "Div", .in = {X(2, 7, 5), K(0.5f, 2, 5)}, OUT(2, 7, 5)},
    {"add of rank 1", "Add", .in = {X(5), X(5)}, OUT(5)},
    {"concat of rank 3",
     "Concat",
     {INT("axis", 2)},
     .in = {X(2, 7, 3), X(2, 7, 1), X(2, 7, 17)},
     OUT(2, 7, 21)},
    {"flatten of rank 3", "Flatten", .in = {X(3, 7, 5)}, OUT(3, 35)},
    {"reshape to rank 3", "Reshape", .in = {X(3, 35), INTS(3, 0, 7, -1)}, OUT(3, 7, 5)},
    {"reshape of pictures to rank 3", "Reshape", .in = {X(3, 5, 2, 7), INTS(3, 0, 0, -1)},
     OUT(3, 5, 14)},
    {"reshape of rank 5 to 1", "Reshape", .in = {X(4, 1, 1, 1, 1), INTS(1, -1)}, OUT(4)},
    {"unit length of rank 3",
     "LpNormalization",
     {INT("axis", -1)},
     .in = {X(3, 7, 5)},
     OUT(3, 7, 5)},
    {"mean of a sentence",
     "ReduceMean",
     {INT("keepdims", 0)},
     .in = {X(3, 11, 5), INTS(1, 1)},
     OUT(3, 5)},
    {"mean of a sentence, kept", "ReduceMean", .in = {X(3, 11, 5), INTS(1, -2)}, OUT(3, 1, 5)},
    {"dropout of rank 3, not training", "Dropout", .in = {X(3, 7, 5)}, OUT(3, 7, 5),
     .running = true},
    {"matmul of rank 3", "MatMul", .in = {X(3, 7, 19), W(19, 5)}, OUT(3, 7, 5), .a = 1},
    {"mean over channels",
     "ReduceMean",
     {INT2("axes", 1, 2)},
     .in = {X(3, 5, 4, 3)},
     OUT(3, 1, 1, 3)},
    {"sum of a sentence",
     "ReduceSum",
     {INT("keepdims", 0)},
     .in = {X(3, 11, 5), INTS(1, 1)},
     OUT(3, 5)},
    {"sum of all words", "ReduceSum", .in = {X(3, 11, 5), INTS(2, -1, 1)}, OUT(3, 1, 1)},
    {"add of other sides", "Add", .in = {X(3, 5, 2, 4), X(3, 5, 2, 1)}, OUT(3, 5, 2, 4)},
    {"div of both repeated", "Div", .in = {X(3, 7, 1), X_FROM(0.5f, 2, 3, 1, 5)}, OUT(3, 7, 5)},
    {"sub by a constant a word", "Sub", .in = {X(3, 7, 5), K(-1, 1, 7, 1)}, OUT(3, 7, 5)},
    {"mul from a constant a word", "Mul", .in = {K(-1, 1, 7, 5), X(3, 7, 5)}, OUT(3, 7, 5)},
    {"add of a constant of higher rank", "Add", .in = {X(3, 5), K(-1, 1, 1, 1, 5)}, OUT(1, 3, 5)},
    {"mul of rank 5 both ways", "Mul", .in = {X(2, 3, 1, 2, 5), X(2, 1, 3, 2, 5)},
     OUT(2, 3, 3, 2, 5)},
    {"square", "Pow", .in = {X(3, 37), ONE(2)}, OUT(3, 37)},
    {"pow", "Pow", .in = {X_FROM(0.2f, 2, 3, 7, 5), ONE(-1.5f)}, OUT(3, 7, 5)},
    {"erf", "Erf", .in = {X_FROM(-3, 3, 3, 37)}, OUT(3, 37)},
    {"gelu", "Gelu", .in = {X_FROM(-4, 4, 3, 7, 5)}, OUT(3, 7, 5)},
    {"softmax", "Softmax", {INT("axis", -1)}, .in = {X_FROM(-3, 3, 3, 7, 5)}, OUT(3, 7, 5)},
    {"softmax over words",
     "Softmax",
     {INT("axis", 1)},
     .in = {X_FROM(-3, 3, 3, 7, 5)},
     OUT(3, 7, 5)},
    {"layer norm", "LayerNormalization", .in = {X(3, 7, 19), W(19), W(19)}, OUT(3, 7, 19),
     .a = 1e-5},
    {"layer norm over both",
     "LayerNormalization",
     {INT("axis", 1), FLOAT("epsilon", 0.125f)},
     .in = {X(3, 7, 5), W(7, 5)},
     OUT(3, 7, 5),
     .a = 0.125},
    {"transpose", "Transpose", {INT3("perm", 0, 2, 1)}, .in = {X(3, 7, 5)}, OUT(3, 5, 7)},
    {"slice of words", "Slice",
     .in = {X(3, 9, 5), INTS(2, -2, 4), INTS(2, 0, 1), INTS(2, 1, 2), INTS(2, -3, -1)},
     OUT(3, 3, 3)},
    {"expand", "Expand", .in = {X(3, 1, 5), INTS(3, 1, 7, 1)}, OUT(3, 7, 5)},
    {"squeeze", "Squeeze", .in = {X(3, 1, 5), INTS(1, -2)}, OUT(3, 5)},
    {"unsqueeze", "Unsqueeze", .in = {X(3, 5), INTS(2, -1, 1)}, OUT(3, 1, 5, 1)},
    {"where", "Where", .in = {I(1, 3, 7, 1), X(3, 7, 5), X(3, 1, 5)}, OUT(3, 7, 5)},
    {"where, one constant", "Where", .in = {I(1, 3, 7, 5), X(3, 1, 1), K(-1, 1, 5)}, OUT(3, 7, 5)},
    {"products of pairs", "MatMul", .in = {X(3, 7, 4), X(3, 4, 5)}, OUT(3, 7, 5), .a = 1},
    {"matmul of rank 5", "MatMul", .in = {X(2, 3, 1, 2, 9), W(9, 5)}, OUT(2, 3, 1, 2, 5), .a = 1},
};

#define N_ROWS (sizeof rows / sizeof *rows)

/* ------------------------------------------------------------------ references */

typedef struct problem {
    const row *row;
    double *x[MAX_IN], *y, *cotangent;
    size_t n[MAX_IN], n_y;
} problem;

static int64_t dim(const dpl_shape *s, int32_t i)
{
    return i < s->rank ? s->dims[i] : 1;
}

/* Element [n, c, h, w] of a shape of rank 4 or 2. */
static size_t at(const dpl_shape *s, int64_t n, int64_t c, int64_t h, int64_t w)
{
    return (size_t)(((n * dim(s, 1) + c) * dim(s, 2) + h) * dim(s, 3) + w);
}

/* Of pictures the second dimension is the channels, else the last. */
static int32_t channel_axis(const dpl_shape *s)
{
    return s->rank == 4 ? 1 : s->rank - 1;
}

/* Elements of one index along an axis lie inner apart; inner of it are inside, outer outside. */
static void split_at(const dpl_shape *s, int32_t axis, int64_t *outer, int64_t *n, int64_t *inner)
{
    *outer = *inner = 1;
    for (int32_t i = 0; i < s->rank; i++) {
        *outer *= i < axis ? s->dims[i] : 1;
        *inner *= i > axis ? s->dims[i] : 1;
    }
    *n = s->dims[axis];
}

#define FOR(i, n)    for (int64_t i = 0; i < (n); i++)
#define FOR_OUT(out) FOR(n, dim(out, 0)) FOR(c, dim(out, 1)) FOR(h, dim(out, 2)) FOR(w, dim(out, 3))

static double activation(const row *r, double x, double slope)
{
    const double mid = fmin(1, fmax(0, x / 6 + 0.5));

    switch (r->op[0]) {
    case 'R': return fmax(0, x);
    case 'P': return x < 0 ? slope * x : x;
    case 'L': return x < 0 ? r->a * x : x;
    case 'C': return fmin(r->b, fmax(r->a, x));
    case 'T': return tanh(x);
    case 'E': return r->op[1] == 'r' ? erf(x) : exp(x);
    case 'G': return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case 'A': return fabs(x);
    case 'H': return r->op[5] == 'w' ? x * mid : fmin(1, fmax(0, r->a * x + r->b));
    default: return r->op[1] == 'i' ? 1 / (1 + exp(-x)) : sqrt(x);
    }
}

static void ref_activation(const problem *p)
{
    int64_t outer, n, inner;

    split_at(&p->row->out, channel_axis(&p->row->out), &outer, &n, &inner);
    FOR(o, outer) FOR(c, n) FOR(k, inner)
    {
        const int64_t i = (o * n + c) * inner + k;
        double slope = p->x[1] ? p->x[1][p->n[1] == 1 ? 0 : c] : 0;

        p->y[i] = activation(p->row, p->x[0][i], slope);
    }
}

static void ref_batchnorm(const problem *p)
{
    const dpl_shape *s = &p->row->out;
    const double count = (double)(dim(s, 0) * dim(s, 2) * dim(s, 3));

    FOR(c, dim(s, 1))
    {
        double mean = 0, variance = 0;

        FOR(n, dim(s, 0))
        FOR(h, dim(s, 2)) FOR(w, dim(s, 3)) mean += p->x[0][at(s, n, c, h, w)] / count;
        FOR(n, dim(s, 0))
        FOR(h, dim(s, 2))
        FOR(w, dim(s, 3)) variance += pow(p->x[0][at(s, n, c, h, w)] - mean, 2) / count;
        if (p->row->running || p->row->frozen) {
            mean = p->x[3][c];
            variance = p->x[4][c];
        }
        FOR(n, dim(s, 0)) FOR(h, dim(s, 2)) FOR(w, dim(s, 3))
        {
            size_t i = at(s, n, c, h, w);

            p->y[i] = (p->x[0][i] - mean) / sqrt(variance + p->row->a) * p->x[1][c] + p->x[2][c];
        }
    }
}

static void ref_pool(const problem *p)
{
    const dpl_shape *in = &p->row->in[0].shape, *out = &p->row->out;
    const bool max = p->row->op[0] == 'M';
    window v = p->row->window;

    if (!v.kernel[0]) /* of all */
        v = (window){{in->dims[2], in->dims[3]}, {1, 1}, {1, 1}, {0}, 1, 0, 0};
    FOR_OUT(out)
    {
        double best = -INFINITY, sum = 0;
        int64_t inside = 0, padded = 0;

        FOR(ky, v.kernel[0]) FOR(kx, v.kernel[1])
        {
            int64_t iy = h * v.stride[0] + ky * v.dilation[0] - v.pads[0];
            int64_t ix = w * v.stride[1] + kx * v.dilation[1] - v.pads[1];

            padded += iy < in->dims[2] + v.pads[2] && ix < in->dims[3] + v.pads[3];
            if (iy < 0 || iy >= in->dims[2] || ix < 0 || ix >= in->dims[3])
                continue;
            inside++;
            best = fmax(best, p->x[0][at(in, n, c, iy, ix)]);
            sum += p->x[0][at(in, n, c, iy, ix)];
        }
        p->y[at(out, n, c, h, w)] = max ? best : sum / (double)(v.include_pad ? padded : inside);
    }
}

static void ref_binary(const problem *p)
{
    const dpl_shape *out = &p->row->out;

    for (size_t e = 0; e < p->n_y; e++) {
        int64_t index[DPL_MAX_RANK], left = (int64_t)e;
        double x[2], *y = &p->y[e];

        for (int32_t d = out->rank - 1; d >= 0; d--) {
            index[d] = left % out->dims[d];
            left /= out->dims[d];
        }
        for (int32_t i = 0; i < 2; i++) {
            const dpl_shape *s = &p->row->in[i].shape;
            size_t k = 0;

            for (int32_t d = 0; d < s->rank; d++) {
                int64_t of = index[d + out->rank - s->rank];

                k = k * (size_t)s->dims[d] + (size_t)(s->dims[d] == 1 ? 0 : of);
            }
            x[i] = p->x[i][k];
        }
        *y = p->row->op[0] == 'A'   ? x[0] + x[1]
             : p->row->op[0] == 'S' ? x[0] - x[1]
             : p->row->op[0] == 'M' ? x[0] * x[1]
             : p->row->op[0] == 'D' ? x[0] / x[1]
                                    : pow(x[0], x[1]);
    }
}

static void ref_concat(const problem *p)
{
    const int32_t axis = channel_axis(&p->row->out);
    int64_t outer, n, inner;

    split_at(&p->row->out, axis, &outer, &n, &inner);
    FOR(o, outer) FOR(c, n) FOR(k, inner)
    {
        int32_t i = 0;
        int64_t from = c;

        while (from >= p->row->in[i].shape.dims[axis])
            from -= p->row->in[i++].shape.dims[axis];
        p->y[(o * n + c) * inner + k] =
            p->x[i][(o * p->row->in[i].shape.dims[axis] + from) * inner + k];
    }
}

static void ref_same(const problem *p)
{
    memcpy(p->y, p->x[0], p->n_y * sizeof *p->y);
}

static void ref_unit(const problem *p)
{
    int64_t outer, n, inner;

    split_at(&p->row->out, channel_axis(&p->row->out), &outer, &n, &inner);
    FOR(o, outer) FOR(k, inner)
    {
        double sum = 0;

        FOR(c, n) sum += pow(p->x[0][(o * n + c) * inner + k], 2);
        FOR(c, n)
        p->y[(o * n + c) * inner + k] = p->x[0][(o * n + c) * inner + k] / sqrt(sum);
    }
}

static void ref_gather(const problem *p)
{
    const int64_t n_rows = p->row->in[0].shape.dims[0], inner = (int64_t)p->n[0] / n_rows;

    FOR(k, (int64_t)p->n[1])
    {
        const int64_t id = (int64_t)p->x[1][k];

        FOR(i, inner) p->y[k * inner + i] = p->x[0][(id < 0 ? id + n_rows : id) * inner + i];
    }
}

static void ref_conv(const problem *p)
{
    const dpl_shape *in = &p->row->in[0].shape, *weight = &p->row->in[1].shape;
    const dpl_shape *out = &p->row->out;
    const window *v = &p->row->window;

    FOR_OUT(out)
    {
        double sum = p->x[2] ? p->x[2][c] : 0;

        FOR(i, weight->dims[1]) FOR(ky, v->kernel[0]) FOR(kx, v->kernel[1])
        {
            int64_t iy = h * v->stride[0] + ky * v->dilation[0] - v->pads[0];
            int64_t ix = w * v->stride[1] + kx * v->dilation[1] - v->pads[1];
            int64_t channel = c / (out->dims[1] / v->group) * weight->dims[1] + i;

            if (iy >= 0 && iy < in->dims[2] && ix >= 0 && ix < in->dims[3])
                sum += p->x[0][at(in, n, channel, iy, ix)] * p->x[1][at(weight, c, i, ky, kx)];
        }
        p->y[at(out, n, c, h, w)] = sum;
    }
}

static void ref_pairs(const problem *p)
{
    const dpl_shape *a = &p->row->in[0].shape, *out = &p->row->out;
    const int64_t n_rows = out->dims[1], columns = out->dims[2], inner = a->dims[2];

    FOR(n, out->dims[0]) FOR(r, n_rows) FOR(c, columns)
    {
        double sum = 0;

        FOR(k, inner)
        sum += p->x[0][(n * n_rows + r) * inner + k] * p->x[1][(n * inner + k) * columns + c];
        p->y[(n * n_rows + r) * columns + c] = sum;
    }
}

static void ref_gemm(const problem *p)
{
    const dpl_shape *a = &p->row->in[0].shape, *b = &p->row->in[1].shape, *out = &p->row->out;
    const int64_t inner = a->dims[a->rank - 1], columns = out->dims[out->rank - 1];
    const bool trans = b->dims[0] != inner;

    if (p->row->in[1].kind == TENSOR) {
        ref_pairs(p);
        return;
    }

    FOR(n, (int64_t)p->n_y / columns) FOR(c, columns)
    {
        double sum = 0;

        FOR(k, inner)
        sum += p->x[0][n * inner + k] * p->x[1][trans ? c * inner + k : k * columns + c];
        p->y[n * columns + c] = p->row->a * sum + (p->x[2] ? p->row->b * p->x[2][c] : 0);
    }
}

/* Index into an operand that is broadcast to out, of out's element e. */
static int64_t broadcast_at(const dpl_shape *in, const dpl_shape *out, int64_t e)
{
    int64_t at = 0, step = 1;

    for (int32_t d = out->rank - 1; d >= 0; d--) {
        const int32_t own = d - (out->rank - in->rank);

        if (own >= 0) {
            at += in->dims[own] == 1 ? 0 : e % out->dims[d] * step;
            step *= in->dims[own];
        }
        e /= out->dims[d];
    }
    return at;
}

static void ref_where(const problem *p)
{
    FOR(e, (int64_t)p->n_y)
    {
        const int i = p->x[0][broadcast_at(&p->row->in[0].shape, &p->row->out, e)] != 0 ? 1 : 2;

        p->y[e] = p->x[i][broadcast_at(&p->row->in[i].shape, &p->row->out, e)];
    }
}

static void ref_expand(const problem *p)
{
    FOR(e, (int64_t)p->n_y)
    p->y[e] = p->x[0][broadcast_at(&p->row->in[0].shape, &p->row->out, e)];
}

/* Of the axes that the attribute or input 1 names. */
static void ref_sum(const problem *p)
{
    const row *r = p->row;
    const bool given = r->in[1].kind == INTEGERS, mean = strcmp(r->op, "ReduceMean") == 0;
    const int64_t n_axes = given ? r->in[1].shape.dims[0] : (int64_t)r->attrs[0].n;
    dpl_shape kept = r->in[0].shape;

    FOR(i, n_axes)
    {
        int64_t axis = given ? r->in[1].ints[i] : r->attrs[0].ints[i];

        kept.dims[axis < 0 ? axis + kept.rank : axis] = 1;
    }
    memset(p->y, 0, p->n_y * sizeof *p->y);
    FOR(e, (int64_t)p->n[0])
    p->y[broadcast_at(&kept, &r->in[0].shape, e)] +=
        p->x[0][e] / (mean ? (double)p->n[0] / (double)p->n_y : 1);
}

static void ref_softmax(const problem *p)
{
    const int32_t axis = p->row->attrs[0].ints[0] < 0 ? p->row->out.rank - 1 : 1;
    int64_t outer, n, inner;

    split_at(&p->row->out, axis, &outer, &n, &inner);
    FOR(o, outer) FOR(k, inner)
    {
        double sum = 0;

        FOR(c, n) sum += exp(p->x[0][(o * n + c) * inner + k]);
        FOR(c, n)
        p->y[(o * n + c) * inner + k] = exp(p->x[0][(o * n + c) * inner + k]) / sum;
    }
}

static void ref_layer_norm(const problem *p)
{
    const int64_t n = (int64_t)p->n[1];

    FOR(o, (int64_t)p->n_y / n)
    {
        const double *x = p->x[0] + o * n;
        double mean = 0, variance = 0;

        FOR(i, n) mean += x[i] / (double)n;
        FOR(i, n) variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        FOR(i, n)
        p->y[o * n + i] =
            (x[i] - mean) / sqrt(variance + p->row->a) * p->x[1][i] + (p->x[2] ? p->x[2][i] : 0);
    }
}

static void ref_transpose(const problem *p)
{
    const dpl_shape *in = &p->row->in[0].shape;

    FOR(n, in->dims[0])
    FOR(t, in->dims[1])
    FOR(c, in->dims[2])
    p->y[(n * in->dims[2] + c) * in->dims[1] + t] =
        p->x[0][(n * in->dims[1] + t) * in->dims[2] + c];
}

/* Words 7, 4, 1 and columns 4, 3, 2, as the row says. */
static void ref_slice(const problem *p)
{
    const dpl_shape *in = &p->row->in[0].shape;

    FOR(n, 3)
    FOR(t, 3)
    FOR(c, 3)
    p->y[(n * 3 + t) * 3 + c] = p->x[0][(n * in->dims[1] + 7 - 3 * t) * in->dims[2] + 4 - c];
}

static void run_reference(const problem *p)
{
    static const struct {
        const char *op;
        void (*run)(const problem *);
    } list[] = {{"BatchNormalization", ref_batchnorm},
                {"MaxPool", ref_pool},
                {"AveragePool", ref_pool},
                {"GlobalAveragePool", ref_pool},
                {"ReduceMean", ref_sum},
                {"ReduceSum", ref_sum},
                {"Add", ref_binary},
                {"Sub", ref_binary},
                {"Mul", ref_binary},
                {"Div", ref_binary},
                {"Pow", ref_binary},
                {"Where", ref_where},
                {"Expand", ref_expand},
                {"Softmax", ref_softmax},
                {"LayerNormalization", ref_layer_norm},
                {"Transpose", ref_transpose},
                {"Slice", ref_slice},
                {"Squeeze", ref_same},
                {"Unsqueeze", ref_same},
                {"Concat", ref_concat},
                {"Flatten", ref_same},
                {"Reshape", ref_same},
                {"Identity", ref_same},
                {"Dropout", ref_same},
                {"LpNormalization", ref_unit},
                {"Conv", ref_conv},
                {"Gemm", ref_gemm},
                {"MatMul", ref_gemm},
                {"Gather", ref_gather}};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (strcmp(list[i].op, p->row->op) == 0) {
            list[i].run(p);
            return;
        }
    }
    ref_activation(p);
}

static double loss(const problem *p)
{
    double sum = 0;

    run_reference(p);
    for (size_t i = 0; i < p->n_y; i++)
        sum += p->y[i] * p->cotangent[i];
    return sum;
}

static void differences(const problem *p, int32_t i, float *gradient)
{
    for (size_t k = 0; k < p->n[i]; k++) {
        double x = p->x[i][k], up, down;

        p->x[i][k] = x + H;
        up = loss(p);
        p->x[i][k] = x - H;
        down = loss(p);
        p->x[i][k] = x;
        gradient[k] = (float)((up - down) / (2 * H));
    }
}

static void *must(void *p)
{
    assert_non_null(p);
    return p;
}

static double uniform(dpli_rng *rng, float low, float high)
{
    /* A float, so that the double and the float computation see the same number. */
    return (double)(low + (float)dpli_rng_unit(rng) * (high - low));
}

static void open_problem(problem *p, const row *r)
{
    dpli_rng rng;

    memset(p, 0, sizeof *p);
    dpli_rng_seed(&rng, 1);
    p->row = r;
    for (int32_t i = 0; i < MAX_IN; i++) {
        const input *in = &r->in[i];
        const bool wide = in->low == 0 && in->high == 0 && in->shape.rank > 0;

        if (in->kind == NONE)
            continue;
        p->n[i] = n_elements(&in->shape);
        p->x[i] = must(malloc(p->n[i] * sizeof(double)));
        for (size_t k = 0; k < p->n[i]; k++)
            p->x[i][k] = in->kind == INTEGERS ? (double)in->ints[k]
                         : in->kind == IDS    ? floor(uniform(&rng, in->low, in->high))
                         : wide               ? uniform(&rng, -1, 1)
                                              : uniform(&rng, in->low, in->high);
    }
    p->n_y = n_elements(&r->out);
    p->y = must(malloc(p->n_y * sizeof(double)));
    p->cotangent = must(malloc(p->n_y * sizeof(double)));
    for (size_t k = 0; k < p->n_y; k++)
        p->cotangent[k] = uniform(&rng, -1, 1);
}

static void close_problem(problem *p)
{
    for (int32_t i = 0; i < MAX_IN; i++)
        free(p->x[i]);
    free(p->y);
    free(p->cotangent);
}

/* ------------------------------------------------------------------ steps by hand */

typedef struct rig {
    dpli_graph g;
    dpli_team *team;
    dpli_tensor in[MAX_IN], out;
    dpli_param param[MAX_IN];
    dpli_tape_step s;
} rig;

static float *floats(size_t n)
{
    float *p = must(aligned_alloc(64, (n * sizeof *p + 127) / 64 * 64));

    memset(p, 0xff, n * sizeof *p); /* NaN: what is read before it is written shows */
    return p;
}

static void set_attr(dpli_node *node, const attr *a)
{
    dpli_attr *to = &node->attrs[node->n_attrs++];

    *to = (dpli_attr){.name = must(strdup(a->name)), .kind = a->kind, .i = a->ints[0], .f = a->f};
    if (a->kind != DPLI_ATTR_INTS)
        return;
    to->n = a->n;
    to->ints = must(malloc(a->n * sizeof *to->ints));
    memcpy(to->ints, a->ints, a->n * sizeof *to->ints);
}

static void set_window(dpli_node *node, const row *r)
{
    const window *v = &r->window;
    dpli_attr *pads;

    set_attr(node, &(attr)INT2("kernel_shape", v->kernel[0], v->kernel[1]));
    set_attr(node, &(attr)INT2("strides", v->stride[0], v->stride[1]));
    set_attr(node, &(attr)INT2("dilations", v->dilation[0], v->dilation[1]));
    if (strcmp(r->op, "Conv") == 0)
        set_attr(node, &(attr)INT("group", v->group));
    if (v->ceil_mode)
        set_attr(node, &(attr)INT("ceil_mode", 1));
    if (v->include_pad)
        set_attr(node, &(attr)INT("count_include_pad", 1));
    pads = &node->attrs[node->n_attrs];
    set_attr(node, &(attr)INT2("pads", 0, 0));
    free(pads->ints);
    pads->n = 4;
    pads->ints = must(malloc(sizeof v->pads));
    memcpy(pads->ints, v->pads, sizeof v->pads);
}

static void set_tensor(dpli_tensor *t, const dpl_shape *s)
{
    memset(t, 0, sizeof *t);
    assert_true(dpli_tensor_shape(t, s));
    t->value = floats(dpli_tensor_floats(t));
    t->grad = floats(dpli_tensor_floats(t));
}

/* The graph of one node, and its step as far as plan; its status. */
static dpl_status try_rig(rig *k, const problem *p, int n_threads, dpl_error *err)
{
    const row *r = p->row;
    int32_t n_in = 0;
    dpli_node *node;
    const struct dpli_trained *trained = dpli_op_find(r->op)->trained;

    memset(k, 0, sizeof *k);
    k->g.opset = 13;
    k->g.constant_bytes_left = (size_t)1 << 30;
    while (n_in < MAX_IN && r->in[n_in].kind != NONE)
        n_in++;
    node = must(dpli_graph_node(&k->g, dpli_op_find(r->op), n_in, 1, err));
    node->name = must(strdup("node"));
    node->attrs = must(calloc(12, sizeof *node->attrs));
    for (int32_t i = 0; i < 4 && r->attrs[i].name; i++)
        set_attr(node, &r->attrs[i]);
    if (r->window.kernel[0])
        set_window(node, r);
    assert_int_equal(dpli_team_new(&k->team, n_threads, err), DPL_OK);
    assert_int_equal(dpli_team_size(k->team), n_threads);
    k->s = (dpli_tape_step){.op = trained,
                            .narrow = p->row->narrow,
                            .node = node,
                            .team = k->team,
                            .n_in = n_in,
                            .out = &k->out,
                            .training = !r->running,
                            .state = must(calloc(1, trained->state_bytes + 1))};
    for (int32_t i = 0; i < n_in; i++) {
        const input *in = &r->in[i];

        if (in->kind == IDS) {
            node->inputs[i] = dpli_graph_value(&k->g, "ids", err);
            assert_true(dpli_tensor_shape(&k->in[i], &in->shape));
            k->in[i].type = DPLI_I64;
            k->in[i].ids = must(malloc(p->n[i] * sizeof *k->in[i].ids));
            k->s.in[i] = &k->in[i];
            for (size_t e = 0; e < p->n[i]; e++)
                k->in[i].ids[nhwc_index(&in->shape, e)] = (int64_t)p->x[i][e];
            continue;
        }
        if (in->kind == TENSOR) {
            node->inputs[i] = dpli_graph_value(&k->g, "x", err);
            set_tensor(&k->in[i], &in->shape);
            k->s.in[i] = &k->in[i];
            for (size_t e = 0; e < p->n[i]; e++)
                k->in[i].value[nhwc_index(&in->shape, e)] = (float)p->x[i][e];
            continue;
        }
        node->inputs[i] = dpli_graph_constant(
            &k->g, "constant", in->kind == INTEGERS ? DPLI_I64 : DPLI_F32, &in->shape, err);
        assert_true(node->inputs[i] >= 0);
        for (size_t e = 0; e < p->n[i]; e++) {
            if (in->kind == INTEGERS)
                ((int64_t *)k->g.values[node->inputs[i]].data)[e] = in->ints[e];
            else
                ((float *)k->g.values[node->inputs[i]].data)[e] = (float)p->x[i][e];
        }
        if (in->kind == INTEGERS)
            continue;
        k->param[i] = (dpli_param){.name = "constant",
                                   .layer = "",
                                   .value_id = node->inputs[i],
                                   .kind = DPLI_PARAM_OTHER,
                                   .shape = in->shape,
                                   .n = p->n[i],
                                   .frozen = r->frozen,
                                   .value = k->g.values[node->inputs[i]].data};
        if (in->kind == TRAINED && !r->frozen)
            k->param[i].grad = floats(p->n[i]);
        k->s.param[i] = &k->param[i];
    }
    if (node->op->load) {
        dpl_status status = node->op->load(&k->g, node, err);

        if (status != DPL_OK)
            return status;
    }
    return trained->plan(&k->g, &k->s, err);
}

static void open_rig(rig *k, const problem *p, int n_threads)
{
    dpl_error err = {0};
    dpl_status status = try_rig(k, p, n_threads, &err);
    dpl_shape shape;

    if (status != DPL_OK)
        fail_msg("%s: %s", p->row->what, err.message);
    shape = k->out.shape;
    assert_int_equal(dpli_tensor_floats(&k->out), dpli_shape_elements(&shape));
    if (!dpli_shape_equal(&shape, &p->row->out)) {
        char words[2][DPLI_SHAPE_TEXT];

        fail_msg("%s: result of %s, not %s", p->row->what, dpli_shape_text(&shape, words[0]),
                 dpli_shape_text(&p->row->out, words[1]));
    }
    k->out.value = floats(p->n_y);
    k->out.grad = floats(p->n_y);
    k->s.kept = floats(k->s.kept_floats);
    k->s.scratch = floats(k->s.scratch_floats);
    dpli_rng_seed(&k->s.rng, 1);
}

static void close_rig(rig *k)
{
    for (int32_t i = 0; i < MAX_IN; i++) {
        free(k->in[i].value);
        free(k->in[i].grad);
        free(k->in[i].ids);
        free(k->param[i].grad);
    }
    free(k->out.value);
    free(k->out.grad);
    free(k->s.kept);
    free(k->s.scratch);
    free(k->s.state);
    dpli_graph_clear(&k->g);
    dpli_team_free(k->team);
}

static void run(rig *k, const problem *p)
{
    k->s.op->forward(&k->s);
    for (size_t e = 0; e < p->n_y; e++)
        k->out.grad[nhwc_index(&p->row->out, e)] = (float)p->cotangent[e];
    k->s.op->backward(&k->s);
}

/* The gradient of input i, n[i] floats, in the memory's own order; NULL for none. */
static float *gradient(rig *k, int32_t i)
{
    return k->s.in[i] ? k->in[i].grad : k->s.param[i] ? k->param[i].grad : NULL;
}

/* got, which lies as the engine has it, against want in ONNX's order. */
static void compare(const row *r, const char *which, int32_t i, int n_threads, const float *got,
                    const float *want, const dpl_shape *shape, bool is_tensor)
{
    size_t n = n_elements(shape), place;
    float *plain = must(malloc(n * sizeof *plain));
    double worst;

    for (size_t e = 0; e < n; e++)
        plain[e] = got[is_tensor ? nhwc_index(shape, e) : e];
    worst = worst_difference(plain, want, n, 1e-3, &place);
    if (worst > TOLERANCE)
        fail_msg("%s, %d threads: %s %d differs by %g of the largest at %zu: %g, not %g", r->what,
                 n_threads, which, (int)i, worst, place, (double)plain[place], (double)want[place]);
    free(plain);
}

/* ------------------------------------------------------------------ tests */

static const int teams[] = {1, 3};

static void values_and_gradients_match_the_reference(void **state)
{
    (void)state;
    for (size_t q = 0; q < N_ROWS; q++) {
        problem p;
        rig k[2];
        float *want;

        open_problem(&p, &rows[q]);
        for (int t = 0; t < 2; t++) {
            open_rig(&k[t], &p, teams[t]);
            run(&k[t], &p);
        }
        want = must(malloc(p.n_y * sizeof *want));
        run_reference(&p);
        for (size_t e = 0; e < p.n_y; e++)
            want[e] = (float)p.y[e];
        for (int t = 0; t < 2; t++)
            compare(&rows[q], "output", 0, teams[t], k[t].out.value, want, &rows[q].out, true);
        free(want);
        for (int32_t i = 0; i < MAX_IN; i++) {
            const input *in = &rows[q].in[i];

            if (in->kind != TENSOR && in->kind != TRAINED)
                continue;
            want = must(malloc(p.n[i] * sizeof *want));
            differences(&p, i, want);
            for (int t = 0; t < 2; t++) {
                if (in->kind == TRAINED)
                    assert_int_not_equal(k[t].param[i].kind, DPLI_PARAM_OTHER);
                if (gradient(&k[t], i))
                    compare(&rows[q], "gradient", i, teams[t], gradient(&k[t], i), want, &in->shape,
                            in->kind == TENSOR);
            }
            free(want);
        }
        close_rig(&k[0]);
        close_rig(&k[1]);
        close_problem(&p);
    }
}

static void same_team_repeats_to_the_bit(void **state)
{
    (void)state;
    for (size_t q = 0; q < N_ROWS; q++) {
        problem p;
        rig k[2];

        open_problem(&p, &rows[q]);
        for (int t = 0; t < 2; t++) {
            open_rig(&k[t], &p, 3);
            run(&k[t], &p);
        }
        assert_memory_equal(k[0].out.value, k[1].out.value, p.n_y * sizeof(float));
        for (int32_t i = 0; i < MAX_IN; i++) {
            if (gradient(&k[0], i))
                assert_memory_equal(gradient(&k[0], i), gradient(&k[1], i), p.n[i] * sizeof(float));
        }
        close_rig(&k[0]);
        close_rig(&k[1]);
        close_problem(&p);
    }
}

static void round_all(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = dpli_bf16_to_float(dpli_bf16_of(x[i]));
}

/* Of numbers that bfloat16 has, products are the same in it: what is left to differ is the order of
 * sums in float32, as from the reference. */
static void products_of_bfloat16_are_those_of_rounded_numbers(void **state)
{
    int n_differ = 0;

    (void)state;
    if (!dpli_narrow_product_there())
        skip();
    for (size_t q = 0; q < N_ROWS; q++) {
        row of_bits = rows[q];
        problem p;
        rig k[2];
        size_t place;

        if (strcmp(rows[q].op, "Conv") != 0 && strcmp(rows[q].op, "Gemm") != 0 &&
            strcmp(rows[q].op, "MatMul") != 0)
            continue;
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            open_problem(&p, &of_bits);
            for (size_t e = 0; e < p.n_y; e++)
                p.cotangent[e] = (double)dpli_bf16_to_float(dpli_bf16_of((float)p.cotangent[e]));
            for (int t = 0; t < 2; t++) {
                of_bits.narrow = t;
                open_rig(&k[t], &p, n_threads);
                for (int32_t i = 0; i < MAX_IN; i++) {
                    if (k[t].s.in[i])
                        round_all(k[t].in[i].value, p.n[i]);
                    else if (k[t].s.param[i])
                        round_all(k[t].param[i].value, p.n[i]);
                }
                run(&k[t], &p);
            }
            n_differ += memcmp(k[0].out.value, k[1].out.value, p.n_y * sizeof(float)) != 0;
            if (worst_difference(k[1].out.value, k[0].out.value, p.n_y, 1e-3, &place) > TOLERANCE)
                fail_msg("%s, %d threads: value", rows[q].what, n_threads);
            for (int32_t i = 0; i < MAX_IN; i++)
                if (gradient(&k[0], i) && worst_difference(gradient(&k[1], i), gradient(&k[0], i),
                                                           p.n[i], 1e-3, &place) > TOLERANCE)
                    fail_msg("%s, %d threads: gradient %d at %zu", rows[q].what, n_threads, (int)i,
                             place);
            close_rig(&k[0]);
            close_rig(&k[1]);
            close_problem(&p);
        }
    }
    assert_true(n_differ > 0);
}

static void gradients_are_added_where_asked(void **state)
{
    (void)state;
    for (size_t q = 0; q < N_ROWS; q++) {
        for (int32_t i = 0; i < MAX_IN && rows[q].in[i].kind != NONE; i++) {
            problem p;
            rig k[2];

            if (rows[q].in[i].kind != TENSOR)
                continue;
            open_problem(&p, &rows[q]);
            for (int t = 0; t < 2; t++) {
                open_rig(&k[t], &p, 3);
                k[t].s.add[i] = t == 1;
                for (size_t e = 0; e < p.n[i]; e++)
                    k[t].in[i].grad[e] = (float)(e % 7) - 3.0f;
                run(&k[t], &p);
            }
            for (size_t e = 0; e < p.n[i]; e++) {
                double before = (double)(e % 7) - 3.0, g = (double)k[0].in[i].grad[e];
                double sum = (double)k[1].in[i].grad[e], scale = 4.0 + fabs(g);

                /* A few roundings of sums no larger than scale. */
                if (!(fabs(before + g - sum) <= scale * 0x1p-20))
                    fail_msg("%s: gradient %d at %zu: %g + %g gave %g", rows[q].what, (int)i, e,
                             before, g, sum);
            }
            close_rig(&k[0]);
            close_rig(&k[1]);
            close_problem(&p);
        }
    }
}

/* Nobody wants one of the gradients: the others are as they were. */
static void gradients_nobody_wants_are_left_out(void **state)
{
    (void)state;
    for (size_t q = 0; q < N_ROWS; q++) {
        for (int32_t left_out = 0; left_out < MAX_IN; left_out++) {
            problem p;
            rig k[2];

            if (rows[q].in[left_out].kind != TENSOR && rows[q].in[left_out].kind != TRAINED)
                continue;
            open_problem(&p, &rows[q]);
            for (int t = 0; t < 2; t++) {
                open_rig(&k[t], &p, 3);
                if (t == 1) {
                    float **grad =
                        k[t].s.in[left_out] ? &k[t].in[left_out].grad : &k[t].param[left_out].grad;

                    free(*grad);
                    *grad = NULL;
                }
                run(&k[t], &p);
            }
            for (int32_t i = 0; i < MAX_IN; i++) {
                if (gradient(&k[0], i) && i != left_out)
                    assert_memory_equal(gradient(&k[0], i), gradient(&k[1], i),
                                        p.n[i] * sizeof(float));
            }
            close_rig(&k[0]);
            close_rig(&k[1]);
            close_problem(&p);
        }
    }
}

static void batch_norm_moves_its_running_averages(void **state)
{
    static const row r = {"running averages",
                          "BatchNormalization",
                          {FLOAT("momentum", 0.75f)},
                          .in = {X(3, 5, 3, 7), W(5), W(5), K(-1, 1, 5), K(0.5f, 2, 5)},
                          OUT(3, 5, 3, 7)};
    const double count = 3 * 3 * 7;

    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        row of_mode = r;
        problem p;
        rig k;

        of_mode.running = mode == 1;
        of_mode.frozen = mode == 2;
        open_problem(&p, &of_mode);
        open_rig(&k, &p, 3);
        run(&k, &p);
        assert_int_equal(k.param[3].kind, DPLI_PARAM_RUNNING);
        assert_int_equal(k.param[4].kind, DPLI_PARAM_RUNNING);
        for (int64_t c = 0; c < 5; c++) {
            double mean = p.x[3][c], variance = p.x[4][c], sum = 0, square = 0;

            FOR(n, 3) FOR(i, 21)
            {
                double x = p.x[0][(n * 5 + c) * 21 + i];

                sum += x;
                square += x * x;
            }
            if (mode == 0) {
                mean += 0.25 * (sum / count - mean);
                variance += 0.25 * ((square - sum * sum / count) / (count - 1) - variance);
            }
            assert_true(fabs((double)k.param[3].value[c] - mean) < (mode == 0 ? 1e-6 : 1e-30));
            assert_true(fabs((double)k.param[4].value[c] - variance) < (mode == 0 ? 1e-6 : 1e-30));
        }
        close_rig(&k);
        close_problem(&p);
    }
}

static void first_of_equal_pixels_gets_the_gradient(void **state)
{
    static const row list[] = {
        {"side by side", "MaxPool", .window = {{2, 2}, {2, 2}, {1, 1}, {0}, 1, 0, 0},
         .in = {X_FROM(1, 1, 1, 3, 4, 4)}, OUT(1, 3, 2, 2)},
        {"windows", "MaxPool", .window = {{2, 2}, {2, 2}, {1, 1}, {0}, 1, 1, 0},
         .in = {X_FROM(1, 1, 1, 3, 3, 3)}, OUT(1, 3, 2, 2)}};

    (void)state;
    /* In each window all pixels from this one on are equal, and those before it are less. */
    for (int64_t first = 0; first < 8; first++) {
        const row *r = &list[first / 4];
        const int64_t side = r->in[0].shape.dims[2];
        problem p;
        rig k;

        open_problem(&p, r);
        open_rig(&k, &p, 1);
        FOR(i, side * side * 3)
        k.in[0].value[i] = i / 3 / side % 2 * 2 + i / 3 % side % 2 < first % 4 ? 0.0f : 1.0f;
        run(&k, &p);
        FOR(c, 3) FOR(h, 2) FOR(w, 2)
        {
            bool cut = 2 * h + 1 >= side || 2 * w + 1 >= side, given = false;

            FOR(tap, 4)
            {
                int64_t y = 2 * h + tap / 2, x = 2 * w + tap % 2;
                float got;
                bool own;

                if (y >= side || x >= side)
                    continue;
                got = k.in[0].grad[(y * side + x) * 3 + c];
                /* A window that is cut off may have none of the larger ones. */
                own = cut ? !given && got != 0.0f : tap == first % 4;
                given = given || own;
                assert_true((double)got == (own ? p.cotangent[(c * 2 + h) * 2 + w] : 0.0));
            }
            assert_true(given);
        }
        close_rig(&k);
        close_problem(&p);
    }
}

static void unit_length_of_nothing_is_nothing(void **state)
{
    static const row r = {
        "zero", "LpNormalization", {INT("axis", 1)}, .in = {X_FROM(1, 1, 2, 9)}, OUT(2, 9)};
    problem p;
    rig k;

    (void)state;
    open_problem(&p, &r);
    open_rig(&k, &p, 1);
    memset(k.in[0].value, 0, p.n[0] * sizeof(float));
    run(&k, &p);
    for (size_t e = 0; e < p.n_y; e++) {
        assert_true(k.out.value[e] == 0.0f);
        assert_true(k.in[0].grad[e] == 0.0f);
    }
    close_rig(&k);
    close_problem(&p);
}

static void dropout_drops_its_share_and_scales_the_rest(void **state)
{
    static const row r = {"dropout", "Dropout", .in = {X_FROM(1, 2, 5, 4001), ONE(0.25f)},
                          OUT(5, 4001)};
    problem p;
    rig k[2];
    size_t n_dropped = 0;
    float scale = 1.0f / 0.75f;

    (void)state;
    open_problem(&p, &r);
    for (int t = 0; t < 2; t++) {
        open_rig(&k[t], &p, teams[t]);
        run(&k[t], &p);
    }
    /* The same elements with any number of threads, and on the way back. */
    assert_memory_equal(k[0].out.value, k[1].out.value, p.n_y * sizeof(float));
    assert_memory_equal(k[0].in[0].grad, k[1].in[0].grad, p.n_y * sizeof(float));
    for (size_t e = 0; e < p.n_y; e++) {
        bool dropped = k[0].out.value[e] == 0.0f;

        n_dropped += dropped;
        assert_true(k[0].out.value[e] == (dropped ? 0.0f : (float)p.x[0][e] * scale));
        assert_true(k[0].in[0].grad[e] == (dropped ? 0.0f : (float)p.cotangent[e] * scale));
    }
    /* Five standard deviations of a binomial: sqrt(20005 1/4 3/4) = 61. */
    assert_true(fabs((double)n_dropped - 20005 * 0.25) < 5 * 61);
    k[1].s.add[0] = true;
    k[1].s.op->backward(&k[1].s);
    for (size_t e = 0; e < p.n_y; e++)
        assert_true(k[1].in[0].grad[e] == 2 * k[0].in[0].grad[e]);
    /* The next step drops others. */
    dpli_rng_seed(&k[1].s.rng, 2);
    k[1].s.op->forward(&k[1].s);
    assert_memory_not_equal(k[0].out.value, k[1].out.value, p.n_y * sizeof(float));
    close_rig(&k[0]);
    close_rig(&k[1]);
    close_problem(&p);
}

static void what_cannot_be_trained_is_refused_by_name(void **state)
{
    static const row list[] = {
        {"slope of another size", "PRelu", .in = {X(2, 5, 3, 3), W(3)}},
        {"slope a pixel", "PRelu", .in = {X(2, 5, 3, 3), W(1, 3, 3)}},
        {"bounds a channel", "Clip", .in = {X(2, 5), K(0, 1, 5)}},
        {"scale of another size", "BatchNormalization",
         .in = {X(3, 5, 3, 7), W(4), W(5), W(5), W(5)}},
        {"scale of rank 2", "BatchNormalization", .in = {X(3, 5, 3, 7), W(1, 5), W(5), W(5), W(5)}},
        {"momentum above 1",
         "BatchNormalization",
         {FLOAT("momentum", 1.5f)},
         .in = {X(3, 5, 3, 7), W(5), W(5), W(5), W(5)}},
        {"pooling of rank 2", "GlobalAveragePool", .in = {X(3, 5)}},
        {"mean over the batch", "ReduceMean", {INT2("axes", 0, 2)}, .in = {X(3, 5, 4, 4)}},
        {"mean twice", "ReduceMean", {INT2("axes", 2, -2)}, .in = {X(3, 5, 4, 4)}},
        {"add of rank 2 and 4", "Add", .in = {X(3, 5, 2, 2), X(2, 2)}},
        {"add of other channels", "Add", .in = {X(3, 5, 2, 2), X(3, 2, 2, 2)}},
        {"add of a picture to all", "Add", .in = {X(3, 5, 2, 2), X(1, 5, 2, 2)}},
        {"constant an item", "Add", .in = {X(3, 5, 2), K(0, 1, 3, 1, 1)}},
        {"softmax over the batch", "Softmax", {INT("axis", 0)}, .in = {X(3, 5)}},
        {"slice of the batch", "Slice", .in = {X(3, 5), INTS(1, 1), INTS(1, 3), INTS(1, 0)}},
        {"squeeze of the batch", "Squeeze", .in = {X(1, 5), INTS(1, 0)}},
        {"sum over the batch", "ReduceSum", .in = {X(3, 5), INTS(1, 0)}},
        {"pow of two", "Pow", .in = {X(3, 5), X(3, 5)}},
        {"layer norm over the batch",
         "LayerNormalization",
         {INT("axis", 0)},
         .in = {X(3, 5), W(3, 5)}},
        {"products of other pairs", "MatMul", .in = {X(3, 2, 4, 5), X(3, 1, 5, 4)}},
        {"one step as the batch", "LSTM", .in = {X(3, 2, 5), W(1, 8, 5), W(1, 8, 2)}},
        {"concat of pictures", "Concat", {INT("axis", 0)}, .in = {X(3, 5), X(3, 5)}},
        {"concat of other sides", "Concat", {INT("axis", 1)}, .in = {X(3, 5, 2, 2), X(3, 5, 2, 3)}},
        {"flatten of all", "Flatten", {INT("axis", 0)}, .in = {X(3, 5, 2, 2)}},
        {"reshape across pictures", "Reshape", .in = {X(3, 5, 2, 2), INTS(2, 1, -1)}},
        {"reshape to another size", "Reshape", .in = {X(3, 5, 2, 2), INTS(2, 3, 21)}},
        {"reshape by nothing", "Reshape", .in = {X(3, 20), INTS(2, -2, INT64_MAX)}},
        {"dropout of all", "Dropout", .in = {X(3, 20), ONE(1)}},
        {"dropout of less than nothing", "Dropout", .in = {X(3, 20), ONE(-0.5f)}},
        {"length along pixels", "LpNormalization", {INT("axis", 3)}, .in = {X(3, 5, 2, 2)}},
        {"length of kind 1", "LpNormalization", {INT("axis", 1), INT("p", 1)}, .in = {X(3, 5)}},
        {"embedding along columns", "Gather", {INT("axis", 1)}, .in = {W(7, 5), I(5, 3, 2)}},
        {"embedding by numbers", "Gather", .in = {W(7, 5), X(3, 2)}},
        {"rows of what is computed", "Gather", .in = {X(7, 5), I(7, 3, 2)}},
        {"sum with ids", "Add", .in = {X(7, 5), I(7, 7, 5)}},
        {"ids alone", "Sigmoid", .in = {I(7, 3, 2)}},
        {"batch norm of rank 3", "BatchNormalization", .in = {X(3, 7, 5), W(5), W(5), W(5), W(5)}},
        {"mean over words' numbers", "ReduceMean", {INT("axes", 2)}, .in = {X(3, 7, 5)}},
        {"gemm of rank 3", "Gemm", .in = {X(3, 7, 19), W(19, 5)}},
        {"matmul of pictures", "MatMul", .in = {X(3, 7, 2, 19), W(19, 5)}}};

    (void)state;
    for (size_t q = 0; q < sizeof list / sizeof *list; q++) {
        dpl_error err = {0};
        problem p;
        rig k;
        dpl_status status;

        open_problem(&p, &list[q]);
        status = try_rig(&k, &p, 1, &err);
        if (status != DPL_E_MODEL || !strstr(err.message, "\"node\""))
            fail_msg("%s: status %d, \"%s\"", list[q].what, (int)status, err.message);
        close_rig(&k);
        close_problem(&p);
    }
}

/* x / expand(max(|x|, least), shape(x)), as PyTorch writes F.normalize, or nearly so. */
static dpli_buf normalizing_net(int opset, float least, int64_t axis, const char *length_of,
                                bool with_expand, bool with_bound)
{
    static const float bound = 9;
    writer w = {0};

    add_input(&w, "x", 2, (int64_t[]){2, 5});
    add_tensor(&w, "least", 1, 0, NULL, &least);
    add_tensor(&w, "bound", 1, 0, NULL, &bound);
    add_tensor(&w, "axes", 7, 1, (int64_t[]){1}, &axis);
    add_node(&w, "Sigmoid", "x", "s");
    if (opset < 18)
        attr_ints(&w, "axes", 1, &axis);
    attr_int(&w, "keepdims", 1);
    add_node(&w, "ReduceL2", opset < 18 ? length_of : "s axes", "length");
    add_node(&w, "Clip", with_bound ? "length least bound" : "length least", "clipped");
    add_node(&w, "Shape", "s", "shape");
    add_node(&w, "Expand", "clipped shape", "expanded");
    add_node(&w, "Div", with_expand ? "s expanded" : "s clipped", "y");
    add_output(&w, "y");
    return finish(&w, opset);
}

static void what_pytorch_writes_for_unit_length_is_trained_as_that(void **state)
{
    static const struct {
        int opset;
        float least;
        int64_t axis;
        const char *length_of;
        bool with_expand, with_bound, taken;
    } cases[] = {
        {13, 1e-12f, 1, "s", true, false, true},  {13, 1e-12f, -1, "s", false, false, true},
        {18, 1e-12f, 1, "s", true, false, true},  {13, 0.1f, 1, "s", true, false, false},
        {13, 1e-12f, 1, "x", true, false, false}, {13, 1e-12f, 1, "s", true, true, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpli_buf bytes =
            normalizing_net(cases[i].opset, cases[i].least, cases[i].axis, cases[i].length_of,
                            cases[i].with_expand, cases[i].with_bound);
        dpli_graph g;
        dpl_error err = {0};
        const dpli_node *last;

        if (dpli_graph_for_training(&g, bytes.data, bytes.len, &err) != DPL_OK)
            fail_msg("net %zu: %s", i, err.message);
        last = &g.nodes[g.n_nodes - 1];
        assert_int_equal(g.n_nodes == 2, cases[i].taken);
        assert_string_equal(last->op->name, cases[i].taken ? "LpNormalization" : "Div");
        dpli_graph_clear(&g);
        dpli_buf_clear(&bytes);
    }
}

/* Add behind MatMul is its bias, as some exporters write a dense layer; elsewhere it is no
 * parameter. */
static void constant_added_to_a_product_is_a_bias(void **state)
{
    static const float weight[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, bias[3] = {1, 2, 3};

    (void)state;
    for (int behind = 0; behind < 2; behind++) {
        writer w = {0};
        dpli_buf bytes;
        dpli_graph g;
        dpli_team *team;
        dpli_tape *tape;
        dpl_error err = {0};
        dpli_tensor *out;
        int n_found = 0;

        add_input(&w, "x", 4, (int64_t[]){-1, 1, 2, 2});
        add_tensor(&w, "weight", 1, 2, (int64_t[]){4, 3}, weight);
        add_tensor(&w, "bias", 1, 1, (int64_t[]){3}, bias);
        attr_int(&w, "axis", 1);
        add_node(&w, "Flatten", "x", "flat");
        add_node(&w, "MatMul", "flat weight", "product");
        add_node(&w, "Sigmoid", "product", "sigmoid");
        add_node(&w, "Add", behind ? "product bias" : "sigmoid bias", "sum");
        add_output(&w, "sum");
        bytes = finish(&w, 13);
        if (dpli_graph_for_training(&g, bytes.data, bytes.len, &err) != DPL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(dpli_team_new(&team, 3, &err), DPL_OK);
        if (dpli_tape_new(&tape, &g, team, &(dpl_shape){4, {5, 1, 2, 2}},
                          &(dpli_tape_options){.max_bytes = 1 << 20}, &err) != DPL_OK)
            fail_msg("%s", err.message);
        /* Twice: the second step finds what the first left in the scratch. */
        for (uint64_t step = 0; step < 2; step++) {
            dpli_tape_forward(tape, 5, true, step);
            out = dpli_tape_output(tape);
            for (int32_t i = 0; i < 15; i++)
                out->grad[i] = (float)i;
            dpli_tape_backward(tape);
        }
        for (int32_t i = 0; i < dpli_tape_n_params(tape); i++) {
            const dpli_param *p = dpli_tape_param(tape, i);

            if (strcmp(p->name, "bias") != 0)
                continue;
            n_found++;
            assert_int_equal(p->kind, behind ? DPLI_PARAM_BIAS : DPLI_PARAM_OTHER);
            assert_int_equal(p->grad != NULL, behind);
            /* The sums of columns of 0 .. 14 in rows of three. */
            for (int32_t c = 0; c < 3 && behind; c++)
                assert_true(p->grad[c] == (float)(30 + 5 * c));
        }
        assert_int_equal(n_found, 1);
        dpli_tape_free(tape);
        dpli_team_free(team);
        dpli_graph_clear(&g);
        dpli_buf_clear(&bytes);
    }
}

/* Ids to embeddings to their mean, through a whole tape: a batch that is not full, an id that the
 * table does not have. */
static void a_tape_takes_ids_and_tells_those_that_its_table_lacks(void **state)
{
    enum { N = 3, T = 4, ROWS = 5, DIM = 2 };
    static const float table[ROWS * DIM] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const int64_t ids[N * T] = {0, 1, 2, 3, 4, -1, -5, 0, 1, 1, 1, 1};
    writer w = {0};
    dpli_buf bytes;
    dpli_graph g;
    dpli_team *team;
    dpli_tape *tape;
    dpli_tensor *in, *out;
    const dpli_param *param = NULL;
    dpl_error err = {0};

    (void)state;
    add_ids(&w, "ids", 2, (int64_t[]){-1, T});
    add_tensor(&w, "table", 1, 2, (int64_t[]){ROWS, DIM}, table);
    add_node(&w, "Gather", "table ids", "words");
    attr_ints(&w, "axes", 1, &(int64_t){1});
    attr_int(&w, "keepdims", 0);
    add_node(&w, "ReduceMean", "words", "y");
    add_output(&w, "y");
    bytes = finish(&w, 13);
    if (dpli_graph_for_training(&g, bytes.data, bytes.len, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(dpli_team_new(&team, 3, &err), DPL_OK);
    if (dpli_tape_new(&tape, &g, team, &(dpl_shape){2, {N, T}},
                      &(dpli_tape_options){.max_bytes = 1 << 20}, &err) != DPL_OK)
        fail_msg("%s", err.message);
    in = dpli_tape_input(tape);
    out = dpli_tape_output(tape);
    assert_true(in->ids && !in->value && !in->grad && out->grad);
    for (int32_t i = 0; i < dpli_tape_n_params(tape); i++) {
        if (dpli_tape_param(tape, i)->kind == DPLI_PARAM_TABLE)
            param = dpli_tape_param(tape, i);
    }
    assert_non_null(param);
    for (int32_t n = N; n >= N - 1; n--) {
        float want[ROWS * DIM] = {0};

        memcpy(in->ids, ids, sizeof ids);
        dpli_tape_forward(tape, n, true, 1);
        assert_int_equal(dpli_tape_fault(tape, &err), DPL_OK);
        for (int32_t i = 0; i < n * DIM; i++) {
            float sum = 0;

            out->grad[i] = (float)(i + 1);
            for (int32_t t = 0; t < T; t++) {
                const int64_t id = ids[i / DIM * T + t], at_row = id < 0 ? id + ROWS : id;

                sum += table[at_row * DIM + i % DIM];
                want[at_row * DIM + i % DIM] += (float)(i + 1) / T;
            }
            assert_true(out->value[i] == sum / T);
        }
        dpli_tape_backward(tape);
        assert_memory_equal(param->grad, want, sizeof want);
    }
    in->ids[T] = ROWS;
    dpli_tape_forward(tape, N, true, 1);
    assert_int_equal(dpli_tape_fault(tape, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "is not in its table of 5 rows"));
    assert_true(isnan(out->value[DIM]) && !isnan(out->value[0]) && !isnan(out->value[2 * DIM]));
    dpli_tape_free(tape);
    dpli_team_free(team);
    dpli_graph_clear(&g);
    dpli_buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients_match_the_reference),
        cmocka_unit_test(same_team_repeats_to_the_bit),
        cmocka_unit_test(products_of_bfloat16_are_those_of_rounded_numbers),
        cmocka_unit_test(gradients_are_added_where_asked),
        cmocka_unit_test(gradients_nobody_wants_are_left_out),
        cmocka_unit_test(batch_norm_moves_its_running_averages),
        cmocka_unit_test(first_of_equal_pixels_gets_the_gradient),
        cmocka_unit_test(unit_length_of_nothing_is_nothing),
        cmocka_unit_test(dropout_drops_its_share_and_scales_the_rest),
        cmocka_unit_test(what_cannot_be_trained_is_refused_by_name),
        cmocka_unit_test(what_pytorch_writes_for_unit_length_is_trained_as_that),
        cmocka_unit_test(constant_added_to_a_product_is_a_bias),
        cmocka_unit_test(a_tape_takes_ids_and_tells_those_that_its_table_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
