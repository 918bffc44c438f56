/* Just enough of ONNX's wire format to write the nets that a test needs (onnx/onnx.proto). */
#ifndef DOPPEL_TESTS_NET_ONNX_WRITER_H
#define DOPPEL_TESTS_NET_ONNX_WRITER_H

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"

typedef struct writer {
    dpli_buf graph;
    dpli_buf attrs; /* of the next node */
} writer;

static inline void put_varint(dpli_buf *b, uint64_t x)
{
    do {
        uint8_t byte = (uint8_t)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));

        dpli_buf_add(b, &byte, 1);
        x >>= 7;
    } while (x);
}

static inline void put_int(dpli_buf *b, int field, int64_t x)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, (uint64_t)x);
}

static inline void put_bytes(dpli_buf *b, int field, const void *bytes, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    dpli_buf_add(b, bytes, n);
}

static inline void put_string(dpli_buf *b, int field, const char *s)
{
    put_bytes(b, field, s, strlen(s));
}

static inline void put_message(dpli_buf *b, int field, dpli_buf *message)
{
    put_bytes(b, field, message->data, message->len);
    dpli_buf_clear(message);
}

static inline void put_float(dpli_buf *b, int field, float x)
{
    put_varint(b, (uint64_t)field << 3 | 5);
    dpli_buf_add(b, &x, sizeof x);
}

/* ValueInfoProto; rank -1 leaves the shape out. */
static inline void add_value(writer *w, int field, const char *name, int type_of_elements, int rank,
                             const int64_t *dims)
{
    dpli_buf shape = {0}, proto = {0}, type = {0}, info = {0};

    dpli_buf_str(&shape, "");
    for (int i = 0; i < rank; i++) {
        dpli_buf dim = {0};

        dpli_buf_str(&dim, "");
        if (dims[i] > 0)
            put_int(&dim, 1, dims[i]);
        put_message(&shape, 1, &dim);
    }
    put_int(&proto, 1, type_of_elements);
    if (rank >= 0)
        put_message(&proto, 2, &shape);
    dpli_buf_clear(&shape);
    put_message(&type, 1, &proto);
    put_string(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(&w->graph, field, &info);
}

static inline void add_input(writer *w, const char *name, int rank, const int64_t *dims)
{
    add_value(w, 11, name, 1, rank, dims);
}

static inline void add_ids(writer *w, const char *name, int rank, const int64_t *dims)
{
    add_value(w, 11, name, 7, rank, dims);
}

static inline void add_output(writer *w, const char *name)
{
    add_value(w, 12, name, 1, -1, NULL);
}

/* type 1: float, 7: int64 */
static inline void add_tensor(writer *w, const char *name, int type, int rank, const int64_t *dims,
                              const void *values)
{
    dpli_buf proto = {0};
    size_t n = 1;

    for (int i = 0; i < rank; i++) {
        put_int(&proto, 1, dims[i]);
        n *= (size_t)dims[i];
    }
    put_int(&proto, 2, type);
    put_string(&proto, 8, name);
    put_bytes(&proto, 9, values, n * (type == 1 ? 4 : 8));
    put_message(&w->graph, 5, &proto);
}

static inline void add_attr(writer *w, dpli_buf *attr, const char *name, int type)
{
    put_string(attr, 1, name);
    put_int(attr, 20, type);
    put_message(&w->attrs, 5, attr);
}

static inline void attr_int(writer *w, const char *name, int64_t x)
{
    dpli_buf attr = {0};

    put_int(&attr, 3, x);
    add_attr(w, &attr, name, 2);
}

static inline void attr_float(writer *w, const char *name, float x)
{
    dpli_buf attr = {0};

    put_float(&attr, 2, x);
    add_attr(w, &attr, name, 1);
}

static inline void attr_string(writer *w, const char *name, const char *s)
{
    dpli_buf attr = {0};

    put_string(&attr, 4, s);
    add_attr(w, &attr, name, 3);
}

static inline void attr_ints(writer *w, const char *name, int n, const int64_t *x)
{
    dpli_buf attr = {0};

    for (int i = 0; i < n; i++)
        put_int(&attr, 8, x[i]);
    add_attr(w, &attr, name, 7);
}

/* Inputs and outputs are names between spaces; the attributes are those added since the last node.
 */
static inline void add_node(writer *w, const char *op, const char *inputs, const char *outputs)
{
    const char *lists[2] = {inputs, outputs};
    dpli_buf node = {0};

    for (int k = 0; k < 2; k++) {
        for (const char *at = lists[k]; *at;) {
            size_t n = strcspn(at, " ");

            put_bytes(&node, k + 1, at, n);
            at += n;
            at += *at == ' ';
        }
    }
    put_string(&node, 4, op);
    if (w->attrs.len > 0)
        dpli_buf_add(&node, w->attrs.data, w->attrs.len);
    dpli_buf_clear(&w->attrs);
    put_message(&w->graph, 1, &node);
}

static inline dpli_buf finish(writer *w, int opset)
{
    dpli_buf model = {0}, import = {0};

    put_int(&model, 1, 7);
    put_int(&import, 2, opset);
    put_message(&model, 8, &import);
    put_message(&model, 7, &w->graph);
    return model;
}

#endif
