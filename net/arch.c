/*
 * arch.c - networks by name, built as graphs just as onnx.c would read them.
 *
 * Layers are named as they are counted ("conv1", "conv1/bn", "fc"), so that rules for a layer can
 * be patterns ("conv*"). Parameters are zero but for running variances, which start at 1: an
 * initialisation fills them. Weights of a Gemm are [out, in], as most exporters leave them.
 */
#include "net/arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/load.h"
#include "net/ops/table.h"

#define OPSET 13
/* protobuf, and with it an ONNX file, ends at 2 GiB. */
#define MAX_PARAMETERS ((int64_t)500000000)

/* What is being built: the value that the next layer reads, and its shape [c, h, w]. The first
 * failure stays, and makes all later layers do nothing. */
typedef struct builder {
    dpli_graph *g;
    dpl_status status;
    dpl_error *err;
    int32_t x;
    int64_t c, h, w;
    int64_t n_parameters;
    bool norm; /* asked for: batch norm where the network has none */
} builder;

/* ------------------------------------------------------------------ pieces */

typedef struct label {
    char text[64];
} label;

static label named(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lives as long as the expression that it is in. */
static label named(const char *format, ...)
{
    label name;
    va_list args;

    va_start(args, format);
    vsnprintf(name.text, sizeof name.text, format, args);
    va_end(args);
    return name;
}

static dpli_attr *add_attr(builder *b, dpli_node *node, const char *name, int kind)
{
    dpli_attr *grown = NULL;
    char *copy;

    if (b->status != DPL_OK)
        return NULL;
    copy = dpli_strdup(name, b->err);
    if (copy)
        grown = dpli_realloc(node->attrs, (size_t)node->n_attrs + 1, sizeof *grown, b->err);
    if (!grown) {
        free(copy);
        b->status = DPL_E_MEMORY;
        return NULL;
    }
    node->attrs = grown;
    grown += node->n_attrs++;
    *grown = (dpli_attr){.name = copy, .kind = kind};
    return grown;
}

static void add_int(builder *b, dpli_node *node, const char *name, int64_t value)
{
    dpli_attr *attr = add_attr(b, node, name, DPLI_ATTR_INT);

    if (attr)
        attr->i = value;
}

static void add_ints(builder *b, dpli_node *node, const char *name, const int64_t *values, size_t n)
{
    dpli_attr *attr = add_attr(b, node, name, DPLI_ATTR_INTS);

    if (!attr)
        return;
    attr->ints = dpli_alloc(n, sizeof *values, b->err);
    if (!attr->ints) {
        b->status = DPL_E_MEMORY;
        return;
    }
    memcpy(attr->ints, values, n * sizeof *values);
    attr->n = n;
}

/* A node that reads the current value as its input 0; its output, of the same name, becomes the
 * current value. NULL after a failure. */
static dpli_node *add_node(builder *b, const char *op, const char *name, int32_t n_inputs)
{
    dpli_node *node;
    int32_t out;

    if (b->status != DPL_OK)
        return NULL;
    b->status = DPL_E_MEMORY;
    out = dpli_graph_value(b->g, name, b->err);
    node = out < 0 ? NULL : dpli_graph_node(b->g, dpli_op_find(op), n_inputs, 1, b->err);
    if (!node)
        return NULL;
    node->inputs[0] = b->x;
    node->outputs[0] = out;
    node->name = dpli_strdup(name, b->err);
    if (!node->name)
        return NULL;
    b->status = DPL_OK;
    b->x = out;
    return node;
}

/* A parameter "layer.what" as the node's input i, of n dimensions, each value the same. */
static void add_param(builder *b, dpli_node *node, int32_t i, const char *what, int32_t rank,
                      const int64_t *dims, float start)
{
    dpl_shape shape = {.rank = rank};
    int64_t n;
    char *name;

    if (b->status != DPL_OK)
        return;
    memcpy(shape.dims, dims, (size_t)rank * sizeof *dims);
    n = dpli_shape_elements(&shape);
    if (n < 0 || n > MAX_PARAMETERS - b->n_parameters) {
        b->status = dpli_fail(b->err, DPL_E_ARGUMENT,
                              "layer \"%s\" would bring the network over %lld parameters",
                              node->name, (long long)MAX_PARAMETERS);
        return;
    }
    b->n_parameters += n;
    name = dpli_asprintf(b->err, "%s.%s", node->name, what);
    node->inputs[i] = name ? dpli_graph_constant(b->g, name, DPLI_F32, &shape, b->err) : -1;
    free(name);
    if (node->inputs[i] < 0) {
        b->status = DPL_E_MEMORY;
        return;
    }
    for (int64_t k = 0; k < n && start != 0.0f; k++)
        ((float *)b->g->values[node->inputs[i]].data)[k] = start;
}

/* The side that a window leaves; 0 and an error when it does not fit. */
static int64_t fit(builder *b, const char *name, int64_t side, int64_t kernel, int64_t stride,
                   int64_t pad)
{
    if (b->status == DPL_OK && side + 2 * pad < kernel)
        b->status = dpli_fail(b->err, DPL_E_ARGUMENT,
                              "input is too small: at \"%s\" %lld pixels are left, %lld are needed",
                              name, (long long)side, (long long)kernel);
    return b->status == DPL_OK ? (side + 2 * pad - kernel) / stride + 1 : 0;
}

/* ------------------------------------------------------------------ layers */

typedef struct conv_shape {
    int64_t out_c, kernel, stride, pad;
    bool depthwise, bias;
} conv_shape;

static void conv(builder *b, const char *name, conv_shape s)
{
    const int64_t groups = s.depthwise ? b->c : 1;
    const int64_t dims[] = {s.out_c, b->c / groups, s.kernel, s.kernel};
    const int64_t kernel[] = {s.kernel, s.kernel}, stride[] = {s.stride, s.stride};
    const int64_t pads[] = {s.pad, s.pad, s.pad, s.pad};
    dpli_node *node = add_node(b, "Conv", name, s.bias ? 3 : 2);

    b->h = fit(b, name, b->h, s.kernel, s.stride, s.pad);
    b->w = fit(b, name, b->w, s.kernel, s.stride, s.pad);
    add_param(b, node, 1, "weight", 4, dims, 0);
    if (s.bias)
        add_param(b, node, 2, "bias", 1, dims, 0);
    add_ints(b, node, "kernel_shape", kernel, 2);
    add_ints(b, node, "strides", stride, 2);
    add_ints(b, node, "pads", pads, 4);
    add_int(b, node, "group", groups);
    b->c = s.out_c;
}

/* A layer that has no constants and leaves the shape as it is, named "layer/suffix". */
static void plain(builder *b, const char *op, const char *layer, const char *suffix)
{
    add_node(b, op, named("%s/%s", layer, suffix).text, 1);
}

static void batchnorm(builder *b, const char *layer)
{
    static const char *const what[] = {"scale", "shift", "mean", "variance"};
    dpli_node *node = add_node(b, "BatchNormalization", named("%s/bn", layer).text, 5);

    for (int32_t i = 0; i < 4; i++)
        add_param(b, node, i + 1, what[i], 1, &b->c, i == 3 ? 1.0f : 0.0f);
}

static void prelu(builder *b, const char *layer)
{
    const int64_t dims[] = {b->c, 1, 1};
    dpli_node *node = add_node(b, "PRelu", named("%s/prelu", layer).text, 2);

    add_param(b, node, 1, "slope", 3, dims, 0);
}

static void max_pool(builder *b, const char *name)
{
    static const int64_t two[] = {2, 2};
    dpli_node *node = add_node(b, "MaxPool", name, 1);

    b->h = fit(b, name, b->h, 2, 2, 0);
    b->w = fit(b, name, b->w, 2, 2, 0);
    add_ints(b, node, "kernel_shape", two, 2);
    add_ints(b, node, "strides", two, 2);
}

static void flatten(builder *b)
{
    add_node(b, "Flatten", "flatten", 1);
    b->c *= b->h * b->w;
    b->h = b->w = 1;
}

static void dense(builder *b, const char *name, int64_t out_c, bool bias)
{
    const int64_t dims[] = {out_c, b->c};
    dpli_node *node = add_node(b, "Gemm", name, bias ? 3 : 2);

    add_param(b, node, 1, "weight", 2, dims, 0);
    if (bias)
        add_param(b, node, 2, "bias", 1, dims, 0);
    add_int(b, node, "transB", 1);
    b->c = out_c;
}

static void fact(builder *b, const char *name, const char *text)
{
    if (b->status == DPL_OK)
        b->status = dpli_graph_set_meta(b->g, name, text, b->err);
}

/* ------------------------------------------------------------------ networks */

/* Koch 2015, figure 4. With batch norm, instead of biases, behind every layer; and, where the
 * embedding is to be small, no sigmoid. */
static void koch(builder *b, int64_t dim, bool norm, bool sigmoid)
{
    static const struct {
        int64_t out_c, kernel;
        bool pool;
    } layers[] = {{64, 10, true}, {128, 7, true}, {128, 4, true}, {256, 4, false}};

    for (int i = 0; i < 4; i++) {
        const label name = named("conv%d", i + 1);

        conv(b, name.text,
             (conv_shape){
                 .out_c = layers[i].out_c, .kernel = layers[i].kernel, .stride = 1, .bias = !norm});
        if (norm)
            batchnorm(b, name.text);
        plain(b, "Relu", name.text, "relu");
        if (layers[i].pool)
            max_pool(b, named("pool%d", i + 1).text);
    }
    flatten(b);
    dense(b, "fc", dim, !norm);
    if (norm)
        batchnorm(b, "fc");
    if (sigmoid)
        plain(b, "Sigmoid", "fc", "sigmoid");
}

static void build_koch(builder *b, int64_t dim)
{
    koch(b, dim, b->norm, true);
}

static void build_koch_bn(builder *b, int64_t dim)
{
    koch(b, dim, true, false);
}

/* y = relu(x' + bn(conv(relu(bn(conv(x)))))), x' being x, or bn(conv 1x1(x)) where the shape
 * changes. He et al. 2016, figure 2. */
static void residual_block(builder *b, const char *name, int64_t out_c, int64_t stride)
{
    const label first = named("%s/conv1", name), second = named("%s/conv2", name),
                third = named("%s/side", name);
    builder side = *b;
    dpli_node *sum;

    conv(b, first.text, (conv_shape){.out_c = out_c, .kernel = 3, .stride = stride, .pad = 1});
    batchnorm(b, first.text);
    plain(b, "Relu", first.text, "relu");
    conv(b, second.text, (conv_shape){.out_c = out_c, .kernel = 3, .stride = 1, .pad = 1});
    batchnorm(b, second.text);
    if (stride != 1 || side.c != out_c) {
        side.status = b->status;
        side.n_parameters = b->n_parameters;
        conv(&side, third.text, (conv_shape){.out_c = out_c, .kernel = 1, .stride = stride});
        batchnorm(&side, third.text);
        b->status = side.status;
        b->n_parameters = side.n_parameters;
    }
    sum = add_node(b, "Add", named("%s/add", name).text, 2);
    if (sum)
        sum->inputs[1] = side.x;
    plain(b, "Relu", name, "relu");
}

/* For drawings, one channel: 53, 27, 14 and 7 pixels wide at a side of 105. */
static void build_resnet(builder *b, int64_t dim)
{
    static const struct {
        int64_t width;
        int blocks;
    } stages[] = {{32, 1}, {64, 1}, {128, 2}, {256, 1}};

    conv(b, "stem", (conv_shape){.out_c = stages[0].width, .kernel = 5, .stride = 2, .pad = 2});
    batchnorm(b, "stem");
    plain(b, "Relu", "stem", "relu");
    for (int i = 0; i < (int)(sizeof stages / sizeof stages[0]); i++) {
        for (int k = 0; k < stages[i].blocks; k++) {
            residual_block(b, named("stage%d/block%d", i + 1, k + 1).text, stages[i].width,
                           i > 0 && k == 0 ? 2 : 1);
        }
    }
    flatten(b);
    dense(b, "fc", dim, false);
    batchnorm(b, "fc");
}

static void conv_prelu(builder *b, const char *name, conv_shape s)
{
    conv(b, name, s);
    batchnorm(b, name);
    prelu(b, name);
}

/* Inverted residual: widen by 1x1, depthwise 3x3, narrow by a linear 1x1. */
static void bottleneck(builder *b, const char *name, int64_t widen, int64_t out_c, int64_t stride)
{
    const label narrow = named("%s/narrow", name);
    const int64_t from_c = b->c, inside = widen * b->c;
    const int32_t from = b->x;
    dpli_node *sum;

    conv_prelu(b, named("%s/widen", name).text,
               (conv_shape){.out_c = inside, .kernel = 1, .stride = 1});
    conv_prelu(
        b, named("%s/depthwise", name).text,
        (conv_shape){.out_c = inside, .kernel = 3, .stride = stride, .pad = 1, .depthwise = true});
    conv(b, narrow.text, (conv_shape){.out_c = out_c, .kernel = 1, .stride = 1});
    batchnorm(b, narrow.text);
    if (stride != 1 || from_c != out_c)
        return;
    sum = add_node(b, "Add", named("%s/add", name).text, 2);
    if (sum)
        sum->inputs[1] = from;
}

/* Chen, Liu, Gao, Han 2018, table 1. */
static void build_mobilefacenet(builder *b, int64_t dim)
{
    static const struct {
        int64_t widen, out_c;
        int n;
        int64_t stride;
    } rows[] = {{2, 64, 5, 2}, {4, 128, 1, 2}, {2, 128, 6, 1}, {4, 128, 1, 2}, {2, 128, 2, 1}};

    conv_prelu(b, "conv1", (conv_shape){.out_c = 64, .kernel = 3, .stride = 2, .pad = 1});
    conv_prelu(b, "conv2",
               (conv_shape){.out_c = 64, .kernel = 3, .stride = 1, .pad = 1, .depthwise = true});
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
        for (int k = 0; k < rows[i].n; k++) {
            bottleneck(b, named("stage%d/block%d", i + 1, k + 1).text, rows[i].widen, rows[i].out_c,
                       k == 0 ? rows[i].stride : 1);
        }
    }
    conv_prelu(b, "conv3", (conv_shape){.out_c = 512, .kernel = 1, .stride = 1});
    /* The mean over places, each with a weight of its own. */
    conv(b, "global", (conv_shape){.out_c = 512, .kernel = b->h, .stride = 1, .depthwise = true});
    batchnorm(b, "global");
    conv(b, "fc", (conv_shape){.out_c = dim, .kernel = 1, .stride = 1});
    batchnorm(b, "fc");
    flatten(b);
}

/* ------------------------------------------------------------------ by name */

static const struct arch {
    dpli_arch is;
    void (*build)(builder *b, int64_t dim);
    int32_t dim;
    /* Facts; the input is (pixel - mean) / std. Where the mean is that of paper, the border that
     * convolutions pad with is paper. */
    const char *kind, *mean, *std, *normalize, *head;
    bool face; /* wants aligned faces */
} archs[] = {
    {{"koch2015", "Koch, Zemel, Salakhutdinov 2015: 4 convolutions, 4096 sigmoids"},
     build_koch,
     4096,
     "image-encoder",
     "255",
     "255",
     "none",
     "l1-sigmoid",
     false},
    {{"koch2015-bn", "the same convolutions with batch norm, and a small embedding"},
     build_koch_bn,
     256,
     "image-encoder",
     "255",
     "255",
     "l2",
     "cosine",
     false},
    {{"resnet-drawing", "compact residual network for drawings"},
     build_resnet,
     256,
     "image-encoder",
     "255",
     "255",
     "l2",
     "cosine",
     false},
    {{"mobilefacenet", "Chen, Liu, Gao, Han 2018: compact network for aligned faces"},
     build_mobilefacenet,
     128,
     "face-encoder",
     "127.5",
     "128",
     "l2",
     "cosine",
     true},
};
#define N_ARCHS ((int32_t)(sizeof archs / sizeof archs[0]))

const dpli_arch *dpli_arch_at(int32_t i)
{
    return i >= 0 && i < N_ARCHS ? &archs[i].is : NULL;
}

static void add_facts(builder *b, const struct arch *a, int side, int channels)
{
    /* ArcFace's points at 112 less 3.5, as in models/face-105.onnx: pixel indices at 105. */
    static const double points[5][2] = {{34.7946, 48.1963},
                                        {70.0318, 48.0014},
                                        {52.5252, 68.2366},
                                        {38.0493, 88.8655},
                                        {67.2299, 88.7041}};
    char text[160];
    size_t len = 0;

    fact(b, "kind", a->kind);
    fact(b, "name", a->is.name);
    snprintf(text, sizeof text, "%dx%dx%d", side, side, channels);
    fact(b, "input", text);
    fact(b, "color", channels == 1 ? "grey" : "rgb");
    fact(b, "mean", a->mean);
    fact(b, "std", a->std);
    fact(b, "normalize", a->normalize);
    fact(b, "head", a->head);
    if (!a->face)
        return;
    for (int i = 0; i < 5; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.4f,%.4f", i ? " " : "",
                                (points[i][0] + 0.5) * side / 105 - 0.5,
                                (points[i][1] + 0.5) * side / 105 - 0.5);
    fact(b, "template", text);
}

static void start(builder *b, int64_t side, int64_t channels)
{
    if (b->status != DPL_OK)
        return;
    b->g->opset = OPSET;
    b->g->constant_bytes_left = SIZE_MAX;
    b->g->inputs = dpli_alloc(1, sizeof *b->g->inputs, b->err);
    b->g->outputs = dpli_alloc(1, sizeof *b->g->outputs, b->err);
    b->x = dpli_graph_value(b->g, "input", b->err);
    if (!b->g->inputs || !b->g->outputs || b->x < 0) {
        b->status = DPL_E_MEMORY;
        return;
    }
    b->g->inputs[b->g->n_inputs++] = b->x;
    b->g->values[b->x].shape = (dpl_shape){4, {-1, channels, side, side}};
    b->c = channels;
    b->h = b->w = side;
}

/* The last value becomes the output; then what dpli_graph_for_training does behind reading. */
static void finish(builder *b)
{
    char *name = b->status == DPL_OK ? dpli_strdup("embedding", b->err) : NULL;

    if (!name) {
        b->status = b->status == DPL_OK ? DPL_E_MEMORY : b->status;
        return;
    }
    free(b->g->values[b->x].name);
    b->g->values[b->x].name = name;
    b->g->values[b->x].shape = (dpl_shape){2, {-1, b->c}};
    b->g->outputs[b->g->n_outputs++] = b->x;
    b->status = dpli_graph_load(b->g, b->err);
    dpli_graph_sweep(b->g);
}

dpl_status dpli_arch_build(dpli_graph *g, const char *name, const dpli_arch_options *options,
                           dpl_error *err)
{
    const struct arch *a = NULL;
    const int32_t side = options->side_px ? options->side_px : 105;
    builder b = {.g = g, .err = err, .status = DPL_OK, .norm = options->batch_norm};

    memset(g, 0, sizeof *g);
    for (int32_t i = 0; i < N_ARCHS; i++) {
        if (strcmp(archs[i].is.name, name) == 0)
            a = &archs[i];
    }
    if (!a)
        return dpli_fail(err, DPL_E_ARGUMENT, "no architecture is named \"%.60s\"", name);
    if (options->channels != 1 && options->channels != 3)
        return dpli_fail(err, DPL_E_ARGUMENT, "%d channels are not 1 or 3", (int)options->channels);
    if (side < 8 || side > 1024)
        return dpli_fail(err, DPL_E_ARGUMENT, "a side of %d pixels is not within 8..1024",
                         (int)side);
    if (options->dim < 0 || options->dim > DPL_MAX_DIM)
        return dpli_fail(err, DPL_E_ARGUMENT, "an embedding of %d numbers is not within 1..%d",
                         (int)options->dim, DPL_MAX_DIM);
    if (options->batch_norm && a->build != build_koch)
        return dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" takes no batch norm on top", name);
    start(&b, side, options->channels);
    a->build(&b, options->dim ? options->dim : a->dim);
    add_facts(&b, a, side, options->channels);
    finish(&b);
    if (b.status != DPL_OK)
        dpli_graph_clear(g);
    return b.status;
}
