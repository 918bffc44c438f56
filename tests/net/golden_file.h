/* Reading tests/golden's .bin files (tests/golden/README.md); after cmocka.h. */
#ifndef DOPPEL_TESTS_NET_GOLDEN_FILE_H
#define DOPPEL_TESTS_NET_GOLDEN_FILE_H

#include "tests/net/net_case.h"

typedef struct tensor {
    char name[128];
    dpl_shape shape;
    float *values;
    int64_t *ids; /* instead of values, or NULL */
} tensor;

typedef struct reader {
    const uint8_t *at;
    size_t left;
} reader;

static inline void take(reader *r, void *out, size_t n)
{
    assert_true(n <= r->left);
    memcpy(out, r->at, n);
    r->at += n;
    r->left -= n;
}

static inline uint32_t take_u32(reader *r)
{
    uint32_t x;

    take(r, &x, sizeof x);
    return x;
}

static inline void fill(float *values, size_t n, float offset, float scale)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)i * 2654435761u;

        h ^= h >> 15;
        h *= 2246822519u;
        h ^= h >> 13;
        values[i] = offset + scale * ((float)(h >> 8) / 16777216.0f);
    }
}

static inline void take_tensor(reader *r, tensor *t)
{
    uint32_t n_name = take_u32(r), n_dim;
    size_t n;

    assert_true(n_name < sizeof t->name);
    take(r, t->name, n_name);
    t->name[n_name] = '\0';
    n_dim = take_u32(r);
    t->shape.rank = (int32_t)(n_dim & 0x3fffffffu);
    assert_in_range(t->shape.rank, 0, DPL_MAX_RANK);
    for (int32_t i = 0; i < t->shape.rank; i++)
        t->shape.dims[i] = take_u32(r);
    n = n_elements(&t->shape);
    t->ids = NULL;
    t->values = malloc(n * sizeof(float));
    assert_non_null(t->values);
    if (n_dim >> 30 & 1) {
        t->ids = malloc(n * sizeof *t->ids);
        assert_non_null(t->ids);
        take(r, t->ids, n * sizeof *t->ids);
    } else if (n_dim >> 31) {
        float formula[2];

        take(r, formula, sizeof formula);
        fill(t->values, n, formula[0], formula[1]);
    } else {
        take(r, t->values, n * sizeof(float));
    }
}

/* The tensors of a record's inputs, or of its outputs. */
static inline uint32_t take_tensors(reader *r, tensor *t, uint32_t most)
{
    const uint32_t n = take_u32(r);

    assert_in_range(n, 0, most);
    for (uint32_t i = 0; i < n; i++)
        take_tensor(r, &t[i]);
    return n;
}

static inline void free_tensors(tensor *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(t[i].values);
        free(t[i].ids);
    }
}

#endif
