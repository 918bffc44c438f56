/*
 * One processor level of the kernels. The same bodies (act.h, gemm.h, depthwise.h, pool.h,
 * binary.h, recurrent.h) are compiled once a level, with vectors of that level's width and that
 * level's compiler flags, and reach the rest through this table only; net/kernels.c picks the
 * table.
 */
#ifndef DOPPEL_NET_KERNELS_LEVEL_H
#define DOPPEL_NET_KERNELS_LEVEL_H

#include "net/kernels/geometry.h"

/* from .. end - 1: the pieces to run, of dpli_conv_units or dpli_chain_units. */
typedef struct dpli_kernels {
    void (*act)(const dpli_act *act, float *y, const float *x, size_t n_rows, size_t channels);
    void (*epilogue)(const dpli_epilogue *epilogue, float *y, size_t n_rows, size_t channels);
    void (*conv)(const dpli_conv *c, void *out, const void *in, const void *packed,
                 const dpli_epilogue *epilogue, void *scratch, size_t from, size_t end);
    void (*chain)(const dpli_link *links, int32_t n_links, void *out, const void *in, void *scratch,
                  size_t from, size_t end);
    void (*binary)(dpli_binary_kind kind, float *y, const float *a, const float *b, int32_t rank,
                   const int64_t *dims, const int64_t *strides_a, const int64_t *strides_b);
    void (*lstm)(const dpli_cell_step *step);
    void (*gru)(const dpli_cell_step *step);
    void (*gru_reset)(const dpli_cell_step *step);
    void (*gru_finish)(const dpli_cell_step *step);
    void (*lstm_back)(const dpli_cell_back *back);
    void (*gru_back)(const dpli_cell_back *back);
    void (*gru_finish_back)(const dpli_cell_back *back);
    void (*gru_reset_back)(const dpli_cell_back *back);
} dpli_kernels;

/* The same over bfloat16 (geometry.h, narrow numbers), for processors that multiply it. */
typedef struct dpli_narrow_kernels {
    void (*conv)(const dpli_conv *c, void *out, const void *in, const void *packed,
                 const dpli_epilogue *epilogue, void *scratch, size_t from, size_t end);
    void (*chain)(const dpli_link *links, int32_t n_links, void *out, const void *in, void *scratch,
                  size_t from, size_t end);
    void (*add)(const dpli_act *act, uint16_t *y, const uint16_t *a, const uint16_t *b, size_t n);
    void (*widen)(float *y, const uint16_t *x, size_t n_rows, size_t channels);
} dpli_narrow_kernels;

/* The same over bytes, for any processor. */
typedef struct dpli_byte_kernels {
    void (*conv)(const dpli_conv *c, void *out, const void *in, const void *packed,
                 const dpli_epilogue *epilogue, void *scratch, size_t from, size_t end);
    void (*chain)(const dpli_link *links, int32_t n_links, void *out, const void *in, void *scratch,
                  size_t from, size_t end);
    void (*add)(const dpli_byte_sum *sum, uint8_t *y, const uint8_t *a, const uint8_t *b, size_t n);
    void (*widen)(const dpli_scale *of, float *y, const uint8_t *x, size_t n_rows, size_t channels);
} dpli_byte_kernels;

extern const dpli_kernels dpli_kernels_baseline;
extern const dpli_byte_kernels dpli_bytes_baseline;
#if defined(__x86_64__)
extern const dpli_kernels dpli_kernels_avx2;
extern const dpli_kernels dpli_kernels_avx512;
extern const dpli_narrow_kernels dpli_narrow_avx512;
extern const dpli_narrow_kernels dpli_narrow_amx;
extern const dpli_byte_kernels dpli_bytes_avx2;
extern const dpli_byte_kernels dpli_bytes_avxvnni;
extern const dpli_byte_kernels dpli_bytes_avx512;
extern const dpli_byte_kernels dpli_bytes_amx;
#elif defined(__aarch64__)
extern const dpli_narrow_kernels dpli_narrow_bf16;
extern const dpli_byte_kernels dpli_bytes_dotprod;
extern const dpli_byte_kernels dpli_bytes_i8mm;
#endif

#endif
