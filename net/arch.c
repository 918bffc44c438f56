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

/* What is being built: the value that the next layer reads, and its shape: [c, h, w] of a picture,
 * c numbers a word or a sentence. The first failure stays, and makes all later layers do nothing.
 */
typedef struct builder {
    dpli_graph *g;
    dpl_status status;
    dpl_error *err;
    int32_t x;
    int64_t c, h, w;
    int64_t n_parameters;
    dpli_arch_options o; /* 0: the network's own */
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

static void add_word(builder *b, dpli_node *node, const char *name, const char *word)
{
    dpli_attr *attr = add_attr(b, node, name, DPLI_ATTR_STRING);

    if (!attr)
        return;
    attr->s = dpli_strdup(word, b->err);
    if (!attr->s)
        b->status = DPL_E_MEMORY;
}

/* A node that reads the current value as its input 0; its output number `which`, of the same name,
 * becomes the current value, those before it are not read. NULL after a failure. */
static dpli_node *add_node_to(builder *b, const char *op, const char *name, int32_t n_inputs,
                              int32_t which)
{
    dpli_node *node;
    int32_t out;

    if (b->status != DPL_OK)
        return NULL;
    b->status = DPL_E_MEMORY;
    out = dpli_graph_value(b->g, name, b->err);
    node = out < 0 ? NULL : dpli_graph_node(b->g, dpli_op_find(op), n_inputs, which + 1, b->err);
    if (!node)
        return NULL;
    node->inputs[0] = b->x;
    for (int32_t i = 0; i < which; i++) {
        node->outputs[i] = dpli_graph_value(b->g, named("%s/unread%d", name, (int)i).text, b->err);
        if (node->outputs[i] < 0)
            return NULL;
    }
    node->outputs[which] = out;
    node->name = dpli_strdup(name, b->err);
    if (!node->name)
        return NULL;
    b->status = DPL_OK;
    b->x = out;
    return node;
}

static dpli_node *add_node(builder *b, const char *op, const char *name, int32_t n_inputs)
{
    return add_node_to(b, op, name, n_inputs, 0);
}

/* Integers "layer.what" as the node's input i: a list, or with n 0 the one number as a scalar. */
static void add_integers(builder *b, dpli_node *node, int32_t i, const char *what,
                         const int64_t *values, size_t n)
{
    const dpl_shape shape = {.rank = n > 0, .dims = {(int64_t)n}};
    char *name;

    if (b->status != DPL_OK)
        return;
    name = dpli_asprintf(b->err, "%s.%s", node->name, what);
    node->inputs[i] = name ? dpli_graph_constant(b->g, name, DPLI_I64, &shape, b->err) : -1;
    free(name);
    if (node->inputs[i] < 0) {
        b->status = DPL_E_MEMORY;
        return;
    }
    memcpy(b->g->values[node->inputs[i]].data, values, (n ? n : 1) * sizeof *values);
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
    koch(b, dim, b->o.batch_norm, true);
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

/* ------------------------------------------------------------------ networks of sentences
 *
 * ids [n, steps], 0 behind a sentence's end, to one vector each. The batch is where recurrent
 * layers of ONNX want it, second, from the table on to the last of them.
 */

static void transpose(builder *b, const char *name, const int64_t *perm, size_t n)
{
    add_ints(b, add_node(b, "Transpose", name, 1), "perm", perm, n);
}

static void reshape(builder *b, const char *name, const int64_t *dims, size_t n)
{
    add_integers(b, add_node(b, "Reshape", name, 2), 1, "dims", dims, n);
}

/* [n, steps] to [n, steps, width]. */
static void embedding(builder *b, const char *name, int64_t words, int64_t width)
{
    const int64_t dims[] = {b->o.words ? b->o.words : words, b->o.width ? b->o.width : width};
    const int32_t ids = b->x;
    dpli_node *node = add_node(b, "Gather", name, 2);

    if (node)
        node->inputs[1] = ids;
    add_param(b, node, 0, "weight", 2, dims, 0);
    b->c = dims[1];
}

/* How many ids of each sentence are not 0: [n]. The current value stays the ids. */
static int32_t lengths_of(builder *b)
{
    static const int64_t zero = 0, one = 1;
    const int32_t ids = b->x;
    int32_t lengths;
    dpli_node *node = add_node(b, "Equal", "length/none", 2);

    add_integers(b, node, 1, "padding", &zero, 0);
    plain(b, "Not", "length", "some");
    add_int(b, add_node(b, "Cast", "length/count", 1), "to", 7); /* int64, */
    node = add_node(b, "ReduceSum", "length/sum", 2);
    add_integers(b, node, 1, "axes", &one, 1);
    add_int(b, node, "keepdims", 0);
    add_int(b, add_node(b, "Cast", "length", 1), "to", 6); /* int32, as ONNX has lengths */
    lengths = b->x;
    b->x = ids;
    return lengths;
}

/* A layer in both directions over what there is of each sentence, [steps, n, c]: to all its states,
 * [steps, n, 2 hidden], or to the last of each direction, [n, 2 hidden]. */
static void bilstm(builder *b, const char *name, int64_t hidden, int32_t lengths, bool all_states)
{
    static const int64_t states[] = {0, 2, 1, 3}, last[] = {1, 0, 2};
    const int64_t dims[] = {0, 0, 2 * hidden};
    const int64_t w[] = {2, 4 * hidden, b->c}, r[] = {2, 4 * hidden, hidden};
    const int64_t bias[] = {2, 8 * hidden};
    dpli_node *node = add_node_to(b, "LSTM", name, 5, all_states ? 0 : 1);

    add_param(b, node, 1, "weight", 3, w, 0);
    add_param(b, node, 2, "state", 3, r, 0);
    add_param(b, node, 3, "bias", 2, bias, 0);
    if (node)
        node->inputs[4] = lengths;
    add_int(b, node, "hidden_size", hidden);
    add_word(b, node, "direction", "bidirectional");
    b->c = 2 * hidden;
    if (all_states) {
        transpose(b, named("%s/states", name).text, states, 4);
        reshape(b, named("%s/both", name).text, dims, 3);
    } else {
        transpose(b, named("%s/last", name).text, last, 3);
        reshape(b, named("%s/both", name).text, dims + 1, 2);
    }
}

/* Without a constant ONNX's own ratio, a half. */
static void dropout(builder *b, const char *layer)
{
    plain(b, "Dropout", layer, "dropout");
}

/* The first output of the node of that name. */
static int32_t output_of(const builder *b, const char *name)
{
    for (int32_t k = 0; b->status == DPL_OK && k < b->g->n_nodes; k++)
        if (strcmp(b->g->nodes[k].name, name) == 0)
            return b->g->nodes[k].outputs[0];
    return b->x;
}

/* The mean of all states that there are, and the last of each direction: [n, 4 hidden]. Behind a
 * sentence's end states are 0, so that their sum is that of those before it. */
static void bilstm_pooled(builder *b, const char *name, int64_t hidden, int32_t lengths)
{
    static const int64_t states[] = {0, 2, 1, 3}, turn[] = {1, 0, 2}, zero = 0, one = 1;
    const int64_t dims[] = {0, 0, 2 * hidden};
    const float least = 1.0f;
    int32_t last, mean, count;
    dpli_node *node;

    bilstm(b, name, hidden, lengths, false);
    last = b->x;
    b->x = output_of(b, name); /* which its last states come with */
    transpose(b, named("%s/states", name).text, states, 4);
    reshape(b, named("%s/all", name).text, dims, 3);
    transpose(b, named("%s/turn", name).text, turn, 3);
    node = add_node(b, "ReduceSum", named("%s/sum", name).text, 2);
    add_integers(b, node, 1, "axes", &one, 1);
    add_int(b, node, "keepdims", 0);
    mean = b->x;
    b->x = output_of(b, "length/sum");
    add_int(b, add_node(b, "Cast", named("%s/n", name).text, 1), "to", 1); /* float */
    node = add_node(b, "Unsqueeze", named("%s/column", name).text, 2);
    add_integers(b, node, 1, "axes", &one, 1);
    node = add_node(b, "Clip", named("%s/some", name).text, 2);
    add_param(b, node, 1, "least", 0, &zero, least);
    count = b->x;
    b->x = mean;
    node = add_node(b, "Div", named("%s/mean", name).text, 2);
    if (node)
        node->inputs[1] = count;
    node = add_node(b, "Concat", named("%s/pooled", name).text, 2);
    add_int(b, node, "axis", 1);
    if (node)
        node->inputs[1] = last;
    b->c = 4 * hidden;
}

/* One layer, whose states count on their way and in the end. */
static void build_bilstm_mean(builder *b, int64_t dim)
{
    static const int64_t steps_first[] = {1, 0, 2};
    const int32_t lengths = lengths_of(b);

    embedding(b, "words", 5000, 300);
    dropout(b, "words");
    transpose(b, "words/steps", steps_first, 3);
    bilstm_pooled(b, "bilstm", dim / 4, lengths);
}

/* Two inputs with a table of words each, and one layer in both directions for both. */
static void build_bilstm_l1(builder *b, int64_t dim)
{
    static const int64_t steps_first[] = {1, 0, 2};
    const int32_t lengths = lengths_of(b);

    embedding(b, "words", 30000, 128);
    transpose(b, "words/steps", steps_first, 3);
    bilstm(b, "bilstm", dim / 2, lengths, false);
}

/* After Mueller and Thyagarajan 2016. The dropout is that between the layers: of all states of the
 * first, each number by itself; what stays is doubled. What comes out is not dropped: two sides
 * would lose different numbers, and training see distances that no answer has. Nor is what goes in.
 */
static void build_malstm(builder *b, int64_t dim)
{
    static const int64_t steps_first[] = {1, 0, 2};
    const int32_t lengths = lengths_of(b);

    embedding(b, "words", 5000, 300);
    transpose(b, "words/steps", steps_first, 3);
    bilstm(b, "bilstm1", 128, lengths, true);
    dropout(b, "bilstm1");
    bilstm(b, "bilstm2", dim / 2, lengths, false);
}

/* The mean over all steps, padding's rows of the table included. */
static void mean_of_words(builder *b)
{
    static const int64_t one = 1;
    dpli_node *node;

    embedding(b, "words", 100, 32);
    node = add_node(b, "ReduceMean", "mean", 1);
    add_ints(b, node, "axes", &one, 1);
    add_int(b, node, "keepdims", 0);
}

static void dense_relu(builder *b, const char *name, int64_t out_c)
{
    dense(b, name, out_c, true);
    plain(b, "Relu", name, "relu");
}

static void build_mean_embedding(builder *b, int64_t dim)
{
    mean_of_words(b);
    dense_relu(b, "fc1", 32);
    dense_relu(b, "fc2", dim);
}

/* Where there is a word, as numbers: [n, steps, 1]. The current value stays the ids. */
static int32_t words_there(builder *b)
{
    static const int64_t zero = 0, two = 2;
    const int32_t ids = b->x;
    int32_t there;

    add_integers(b, add_node(b, "Equal", "there/none", 2), 1, "padding", &zero, 0);
    plain(b, "Not", "there", "some");
    add_int(b, add_node(b, "Cast", "there/number", 1), "to", 1); /* FLOAT */
    add_integers(b, add_node(b, "Unsqueeze", "there", 2), 1, "axes", &two, 1);
    there = b->x;
    b->x = ids;
    return there;
}

static void sum_of_steps(builder *b, const char *name)
{
    static const int64_t one = 1;
    dpli_node *node = add_node(b, "ReduceSum", name, 2);

    add_integers(b, node, 1, "axes", &one, 1);
    add_int(b, node, "keepdims", 0);
}

/* The mean of the words that there are, and a layer that turns it into where their pictures lie. */
static void build_mean_words(builder *b, int64_t dim)
{
    const int32_t there = words_there(b), ids = b->x;
    dpli_node *node;
    int32_t count;

    b->x = there;
    sum_of_steps(b, "count");
    count = b->x;
    b->x = ids;
    embedding(b, "words", 30000, 256);
    node = add_node(b, "Mul", "words/there", 2);
    if (node)
        node->inputs[1] = there;
    sum_of_steps(b, "words/sum");
    node = add_node(b, "Div", "mean", 2);
    if (node)
        node->inputs[1] = count;
    dense(b, "fc", dim, true);
}

static void build_two_inputs(builder *b, int64_t dim)
{
    mean_of_words(b);
    dense_relu(b, "fc", dim);
}

/* ------------------------------------------------------------------ networks of vectors */

/* Each number less the mean of its column, by the deviation of it: constants, which who trains
 * takes from the data (DPLI_ARCH_MEAN), so that no column counts more for its unit. */
static void standardized(builder *b)
{
    dpli_node *node = add_node(b, "Sub", "standard/centred", 2);

    add_param(b, node, 1, "mean", 1, &b->c, 0.0f);
    node = add_node(b, "Div", "standard", 2);
    add_param(b, node, 1, "deviation", 1, &b->c, 1.0f);
}

static void dropout_of(builder *b, const char *layer, float ratio)
{
    const int64_t none = 0;

    add_param(b, add_node(b, "Dropout", named("%s/dropout", layer).text, 2), 1, "ratio", 0, &none,
              ratio);
}

/* As Keras' example of a Siamese network has it, for its 784 numbers; its last layer's ReLU is left
 * out, which would keep distances of half the directions. */
static void build_mlp(builder *b, int64_t dim)
{
    standardized(b);
    dense_relu(b, "fc1", 128);
    dropout_of(b, "fc1", 0.1f);
    dense_relu(b, "fc2", 128);
    dropout_of(b, "fc2", 0.1f);
    dense(b, "fc3", dim, true);
}

/* ------------------------------------------------------------------ by name */

static const struct arch {
    dpli_arch is;
    void (*build)(builder *b, int64_t dim);
    int32_t dim;
    /* Facts of pictures; the input is (pixel - mean) / std. Where the mean is that of paper, the
     * border that convolutions pad with is paper. */
    const char *kind, *mean, *std, *normalize, *head;
    bool face; /* wants aligned faces */
    /* Of sentences: steps of each side's input, 0 for any number. */
    int32_t steps[2];
} archs[] = {
    {{"koch2015", "Koch, Zemel, Salakhutdinov 2015: 4 convolutions, 4096 sigmoids",
      DPLI_TAKES_PICTURES, 1, NULL, "l1-sigmoid", "koch"},
     build_koch,
     4096,
     "image-encoder",
     "255",
     "255",
     "none",
     "l1-sigmoid",
     false,
     {0}},
    {{"koch2015-bn", "the same convolutions with batch norm, and a small embedding",
      DPLI_TAKES_PICTURES, 1, NULL, "contrastive", "he"},
     build_koch_bn,
     256,
     "image-encoder",
     "255",
     "255",
     "l2",
     "cosine",
     false,
     {0}},
    {{"resnet-drawing", "compact residual network for drawings", DPLI_TAKES_PICTURES, 1, NULL,
      "contrastive", "he"},
     build_resnet,
     256,
     "image-encoder",
     "255",
     "255",
     "l2",
     "cosine",
     false,
     {0}},
    {{"mobilefacenet", "Chen, Liu, Gao, Han 2018: compact network for aligned faces",
      DPLI_TAKES_PICTURES, 1, NULL, "contrastive", "he"},
     build_mobilefacenet,
     128,
     "face-encoder",
     "127.5",
     "128",
     "l2",
     "cosine",
     true,
     {0}},
    {{"bilstm-l1",
      "sentences: a table of words for each side of a pair, one LSTM in both directions for both",
      DPLI_TAKES_IDS, 2, "bilstm", "l1-similarity", "glorot"},
     build_bilstm_l1,
     512,
     "text-encoder",
     NULL,
     NULL,
     "none",
     "l1-sigmoid",
     false,
     {0}},
    {{"malstm", "sentences, after Mueller, Thyagarajan 2016: two LSTMs in both directions",
      DPLI_TAKES_IDS, 1, NULL, "manhattan-ce", "glorot"},
     build_malstm,
     64,
     "text-encoder",
     NULL,
     NULL,
     "none",
     "exp-manhattan",
     false,
     {0}},
    {{"bilstm-mean", "sentences: one LSTM in both directions, the mean of its states and the last",
      DPLI_TAKES_IDS, 1, NULL, "l1-similarity", "glorot"},
     build_bilstm_mean,
     512,
     "text-encoder",
     NULL,
     NULL,
     "none",
     "l1-sigmoid",
     false,
     {0}},
    {{"mean-embedding",
      "short lists of words or codes: the mean of their vectors, two dense layers", DPLI_TAKES_IDS,
      1, NULL, "contrastive", "glorot"},
     build_mean_embedding,
     16,
     "text-encoder",
     NULL,
     NULL,
     "none",
     "euclidean",
     false,
     {15, 15}},
    {{"mean-words", "sentences: the mean of their words' vectors, one dense layer", DPLI_TAKES_IDS,
      1, NULL, "contrastive", "glorot"},
     build_mean_words,
     256,
     "text-encoder",
     NULL,
     NULL,
     "l2",
     "cosine",
     false,
     {0}},
    {{"two-inputs", "lists of 15 and of 3 words or codes: a network for each side of a pair",
      DPLI_TAKES_IDS, 2, NULL, "contrastive", "glorot"},
     build_two_inputs,
     32,
     "text-encoder",
     NULL,
     NULL,
     "none",
     "euclidean",
     false,
     {15, 3}},
    {{"mlp", "vectors: each number by its column's mean and deviation, three dense layers",
      DPLI_TAKES_VECTORS, 1, NULL, "contrastive", "glorot"},
     build_mlp,
     128,
     "vector-encoder",
     NULL,
     NULL,
     "none",
     "euclidean",
     false,
     {0}},
};
#define N_ARCHS ((int32_t)(sizeof archs / sizeof archs[0]))

static const struct arch *find(const char *name)
{
    for (int32_t i = 0; i < N_ARCHS; i++) {
        if (strcmp(archs[i].is.name, name) == 0)
            return &archs[i];
    }
    return NULL;
}

const dpli_arch *dpli_arch_find(const char *name)
{
    const struct arch *a = find(name);

    return a ? &a->is : NULL;
}

const dpli_arch *dpli_arch_at(int32_t i)
{
    return i >= 0 && i < N_ARCHS ? &archs[i].is : NULL;
}

int32_t dpli_arch_steps(const char *name, bool second)
{
    const struct arch *a = find(name);

    return a ? a->steps[second] : 0;
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
    fact(b, "normalize", a->normalize);
    fact(b, "head", a->head);
    if (a->is.takes == DPLI_TAKES_PICTURES) {
        snprintf(text, sizeof text, "%dx%dx%d", side, side, channels);
        fact(b, "input", text);
        fact(b, "color", channels == 1 ? "grey" : "rgb");
        fact(b, "mean", a->mean);
        fact(b, "std", a->std);
    }
    if (!a->face)
        return;
    for (int i = 0; i < 5; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.4f,%.4f", i ? " " : "",
                                (points[i][0] + 0.5) * side / 105 - 0.5,
                                (points[i][1] + 0.5) * side / 105 - 0.5);
    fact(b, "template", text);
}

static void start(builder *b, const char *name, dpli_type type, const dpl_shape *shape)
{
    if (b->status != DPL_OK)
        return;
    b->g->opset = OPSET;
    b->g->constant_bytes_left = SIZE_MAX;
    b->g->inputs = dpli_alloc(1, sizeof *b->g->inputs, b->err);
    b->g->outputs = dpli_alloc(1, sizeof *b->g->outputs, b->err);
    b->x = dpli_graph_value(b->g, name, b->err);
    if (!b->g->inputs || !b->g->outputs || b->x < 0) {
        b->status = DPL_E_MEMORY;
        return;
    }
    b->g->inputs[b->g->n_inputs++] = b->x;
    b->g->values[b->x].shape = *shape;
    b->g->values[b->x].type = type;
    b->c = shape->dims[1];
    b->h = b->w = shape->rank == 4 ? shape->dims[2] : 1;
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

static dpl_status check(const struct arch *a, const dpli_arch_options *o, int32_t side,
                        dpl_error *err)
{
    if (o->dim < 0 || o->dim > DPL_MAX_DIM)
        return dpli_fail(err, DPL_E_ARGUMENT, "an embedding of %d numbers is not within 1..%d",
                         (int)o->dim, DPL_MAX_DIM);
    if (o->batch_norm && a->build != build_koch)
        return dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" takes no batch norm on top", a->is.name);
    if (a->is.takes == DPLI_TAKES_IDS) {
        if ((o->dim % 2 && (a->build == build_malstm || a->build == build_bilstm_l1)) ||
            (o->dim % 4 && a->build == build_bilstm_mean))
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "an embedding of %d numbers is not the same in both directions",
                             (int)o->dim);
        if (o->words < 0 || o->width < 0 || o->width > DPL_MAX_DIM)
            return dpli_fail(err, DPL_E_ARGUMENT, "a table of %d words of %d numbers, limit is %d",
                             (int)o->words, (int)o->width, DPL_MAX_DIM);
        return DPL_OK;
    }
    if (a->is.takes == DPLI_TAKES_VECTORS)
        return o->width >= 0 && o->width <= DPL_MAX_DIM
                   ? DPL_OK
                   : dpli_fail(err, DPL_E_ARGUMENT, "vectors of %d numbers, limit is %d",
                               (int)o->width, DPL_MAX_DIM);
    if (o->channels != 1 && o->channels != 3)
        return dpli_fail(err, DPL_E_ARGUMENT, "%d channels are not 1 or 3", (int)o->channels);
    if (side < 8 || side > 1024)
        return dpli_fail(err, DPL_E_ARGUMENT, "a side of %d pixels is not within 8..1024",
                         (int)side);
    return DPL_OK;
}

dpl_status dpli_arch_build(dpli_graph *g, const char *name, const dpli_arch_options *options,
                           dpl_error *err)
{
    const struct arch *a = find(name);
    const int32_t side = options->side_px ? options->side_px : 105;
    builder b = {.g = g, .err = err, .status = DPL_OK, .o = *options};

    memset(g, 0, sizeof *g);
    if (!a)
        return dpli_fail(err, DPL_E_ARGUMENT, "no architecture is named \"%.60s\"", name);
    b.status = check(a, options, side, err);
    if (b.status != DPL_OK)
        return b.status;
    if (a->is.takes == DPLI_TAKES_IDS) {
        const int32_t steps = a->steps[options->second];
        start(&b, "ids", DPLI_I64, &(dpl_shape){2, {-1, steps ? steps : -1}});
    } else if (a->is.takes == DPLI_TAKES_VECTORS) {
        start(&b, "vector", DPLI_F32, &(dpl_shape){2, {-1, options->width ? options->width : 784}});
    } else {
        start(&b, "input", DPLI_F32, &(dpl_shape){4, {-1, options->channels, side, side}});
    }
    a->build(&b, options->dim ? options->dim : a->dim);
    add_facts(&b, a, side, options->channels);
    finish(&b);
    if (b.status != DPL_OK)
        dpli_graph_clear(g);
    return b.status;
}
