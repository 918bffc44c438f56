/*
 * The network engine: an ONNX file to a graph that runs on the CPU.
 *
 * A dpl_net is loaded, checked, folded and fused once, then immutable and shared between threads. A
 * dpl_plan is that net laid out in memory for one set of input shapes, with its scratch: one call
 * at a time, one plan a thread. Running a plan does not allocate.
 *
 * Source: ONNX operator specifications, opset 9 to 20, float32 (weights may be float16), and
 * integers as int64: ids, lengths of sequences, and masks, which are 0 or 1.
 */
#ifndef DOPPEL_NET_H
#define DOPPEL_NET_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DPL_MAX_RANK 8

/* The longest embedding: more than any encoder has, and so short that no sum of products of float32
 * overflows. */
#define DPL_MAX_DIM 65536

typedef struct dpl_net dpl_net;
typedef struct dpl_plan dpl_plan;

/* A tensor's dimensions in ONNX's order; -1 is a dimension left free. */
typedef struct dpl_shape {
    int32_t rank;
    int64_t dims[DPL_MAX_RANK];
} dpl_shape;

/* How rank-4 tensors lie in memory at the border of a plan; other ranks are always row-major. */
typedef enum dpl_layout {
    DPL_LAYOUT_NCHW = 0, /* ONNX's own order */
    DPL_LAYOUT_NHWC = 1  /* as pictures are stored: no transposition on the way in */
} dpl_layout;

/* What a tensor's elements are. */
typedef enum dpl_type {
    DPL_TYPE_FLOAT32 = 0,
    DPL_TYPE_INT64 =
        1 /* ids, lengths; inputs only. A model's int32 inputs are given as int64 too */
} dpl_type;

/* In which numbers a net computes. Its inputs and outputs are float32 in any. */
typedef enum dpl_precision {
    DPL_PRECISION_FLOAT32 = 0,
    /* bfloat16, sums in float32, where the processor multiplies it (AVX512-BF16, AMX); elsewhere
     * float32 */
    DPL_PRECISION_BF16 = 1,
    /* The fastest in which the net was measured to keep its accuracy: bfloat16 on processors with
     * AMX when the model's fact "doppel.precision" is "bf16", eight bits when it is "int8" or the
     * file is quantised, else float32 */
    DPL_PRECISION_AUTO = 2,
    /* Numbers of eight bits, sums in int32: of a file that is quantised, or has a fact
     * "doppel.ranges" (docs/speed.md); any other net computes in float32 */
    DPL_PRECISION_INT8 = 3,
    /* float32, in which products are made of three of bfloat16 each where the processor has AMX and
     * that is faster: off by some 2^-16 of what they are made of (docs/speed.md); elsewhere, and
     * all else, float32 */
    DPL_PRECISION_BF16X3 = 4
} dpl_precision;

typedef struct dpl_net_options {
    size_t struct_size;
    size_t max_file_bytes;   /* default 1 GiB */
    size_t max_arena_bytes;  /* memory of one plan; default 256 MiB */
    double max_operations;   /* of one run, see dpl_plan_new; default 1e11 */
    dpl_precision precision; /* default float32, within 1e-4 of a reference */
} dpl_net_options;

#define DPL_NET_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(dpl_net_options), (size_t)1 << 30, (size_t)256 << 20, 1e11, DPL_PRECISION_FLOAT32   \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_net_options_init(dpl_net_options *options, size_t struct_size);

/**
 * Load an ONNX model.
 *
 * A sidecar file (PATH.json, a flat JSON object) adds to or replaces the metadata: its key "mean"
 * stands for "doppel.mean".
 *
 * @retval DPL_E_MODEL   missing, not ONNX, damaged, with an operator, attribute or type that is not
 *                       supported, or with constants that take more memory or work than a file of
 *                       its size can need; err names the file, the operator and the node
 * @retval DPL_E_LIMIT   over max_file_bytes
 * @retval DPL_E_MEMORY  none left
 * Threads: the result is read only and may be shared.
 */
DPL_API dpl_status dpl_net_open(dpl_net **out, const char *path, const dpl_net_options *options,
                                dpl_error *err);

/** As dpl_net_open, from memory; the bytes are not kept, and there is no sidecar. */
DPL_API dpl_status dpl_net_load(dpl_net **out, const void *bytes, size_t n_bytes,
                                const dpl_net_options *options, dpl_error *err);

DPL_API void dpl_net_close(dpl_net *net);

/** A metadata_props value ("doppel.kind", …) or NULL; borrowed from the net. */
DPL_API const char *dpl_net_meta(const dpl_net *net, const char *key);

/** What the net computes in: DPL_PRECISION_FLOAT32, _BF16, _INT8 or _BF16X3. */
DPL_API dpl_precision dpl_net_precision(const dpl_net *net);

/** SHA-256 of the file without its metadata, 64 lower-case hex digits: the net's name, which a new
 *  calibration or a sidecar does not change; borrowed from the net. */
DPL_API const char *dpl_net_hash(const dpl_net *net);
/** SHA-256 of the whole file, as sha256sum gives it. */
DPL_API const char *dpl_net_file_hash(const dpl_net *net);

DPL_API int32_t dpl_net_n_inputs(const dpl_net *net);
DPL_API int32_t dpl_net_n_outputs(const dpl_net *net);
/** Name of input or output i, borrowed; NULL when i is out of range. */
DPL_API const char *dpl_net_input_name(const dpl_net *net, int32_t i);
DPL_API const char *dpl_net_output_name(const dpl_net *net, int32_t i);
/** Declared shape of input or output i, with -1 for free dimensions (rank -1: not declared). */
DPL_API dpl_shape dpl_net_input_shape(const dpl_net *net, int32_t i);
DPL_API dpl_shape dpl_net_output_shape(const dpl_net *net, int32_t i);
/** What input i is made of; float32 when i is out of range. Outputs are float32. */
DPL_API dpl_type dpl_net_input_type(const dpl_net *net, int32_t i);

/**
 * Lay the net out for these input shapes. Where the model leaves dimensions free (the batch, the
 * length of sentences), each set of shapes has a plan of its own.
 *
 * @param[in] input_shapes  one a net input, all dimensions positive
 * @param     layout        of rank-4 inputs and outputs
 * @retval DPL_E_ARGUMENT   the shapes do not fit the net; err names the node
 * @retval DPL_E_LIMIT      over max_arena_bytes or max_operations: multiply-adds, and for each
 *                          element written what 16 of them take
 * @retval DPL_E_MEMORY     none left
 * The plan borrows the net, which must outlive it.
 */
DPL_API dpl_status dpl_plan_new(dpl_plan **out, const dpl_net *net, const dpl_shape *input_shapes,
                                dpl_layout layout, dpl_error *err);

/**
 * As dpl_plan_new; a run is shared out among n_threads, the caller's and others that the plan
 * keeps. The results are the same to the bit.
 *
 * @param n_threads  0: one a core
 */
DPL_API dpl_status dpl_plan_new_on(dpl_plan **out, const dpl_net *net,
                                   const dpl_shape *input_shapes, dpl_layout layout,
                                   int32_t n_threads, dpl_error *err);

DPL_API void dpl_plan_free(dpl_plan *plan);

/** Where to write input i before a run: float32 in the plan's layout, 64-byte aligned, borrowed.
 *  NULL when i is out of range or the input is of integers. */
DPL_API float *dpl_plan_input(dpl_plan *plan, int32_t i);

/** As dpl_plan_input, for an input of integers (DPL_TYPE_INT64); NULL for any other. */
DPL_API int64_t *dpl_plan_input_int64(dpl_plan *plan, int32_t i);

/** Output i of the last run: float32 in the plan's layout, borrowed, valid until the next run. */
DPL_API const float *dpl_plan_output(const dpl_plan *plan, int32_t i);

/** Actual shape of output i, in ONNX's order whatever the layout. */
DPL_API dpl_shape dpl_plan_output_shape(const dpl_plan *plan, int32_t i);

/** Bytes of scratch that the plan holds. */
DPL_API size_t dpl_plan_bytes(const dpl_plan *plan);

/**
 * Run. Does not allocate, and leaves the inputs undefined.
 *
 * An id counts from its table's first row, or when negative from behind its last one, as ONNX has
 * it: -n .. n - 1 are in a table of n rows. The lengths that a recurrent layer is given are 0 to
 * the number of its input's steps; of an empty sequence the last states are 0.
 *
 * @retval DPL_E_INPUT  an id is not in its table, or a length is none: the outputs are not to be
 *                      used, the plan is; err names the node, the number, its input, and the
 *                      table's or the sequences' size. A net without inputs of integers does not
 *                      fail.
 * Threads: one call at a time per plan.
 * Numerics: within 1e-4 of the output's scale of a float32 reference; in bfloat16 every product is
 * of numbers rounded to 8 bits, and what that makes of an output is the net's matter
 * (docs/speed.md has it for the bundled ones). The same to the bit for any batch.
 */
DPL_API dpl_status dpl_plan_run(dpl_plan *plan, dpl_error *err);

/** Text, a line a step: operator, fused parts, shapes, multiply-adds, and (when timed) ms of each.
 */
DPL_API dpl_status dpl_plan_describe(char **out, dpl_plan *plan, int32_t timed_runs,
                                     dpl_error *err);

/* Scratch of one thread: the plans of the nets it has run, kept by shape, and the memory that all
 * of them work in, as much as the largest needs. It may outlive a net; a plan of one that was
 * closed is not used again. */
typedef struct dpl_scratch dpl_scratch;

/** @param max_bytes  memory kept when a plan has taken more; 0 for the default, 512 MiB */
DPL_API dpl_status dpl_scratch_new(dpl_scratch **out, size_t max_bytes, dpl_error *err);
DPL_API void dpl_scratch_free(dpl_scratch *scratch);

/**
 * Share what runs with this scratch out among n_threads, the caller's and others that it keeps: for
 * one photo that somebody waits for. Many photos are faster with a scratch and a thread each.
 *
 * @param n_threads  0: one a core
 */
DPL_API dpl_status dpl_scratch_set_threads(dpl_scratch *scratch, int32_t n_threads, dpl_error *err);

/** The processor level that the kernels run at ("baseline", "avx2", "avx512"), borrowed. */
DPL_API const char *dpl_cpu_level(void);

/** The BLAS library and how it was built, in its own words ("OpenBLAS 0.3.21 …"), borrowed. */
DPL_API const char *dpl_blas_words(void);

/** The processor that BLAS took this one for ("SkylakeX"; "Prescott" for one it does not know,
 * which is several times slower than need be), borrowed. */
DPL_API const char *dpl_blas_core(void);

/** Let BLAS use n threads a call. A program's to set, once, before it makes threads of its own. */
DPL_API void dpl_blas_set_threads(int32_t n);

#ifdef __cplusplus
}
#endif

#endif
