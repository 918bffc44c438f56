/* kernels.c - the kernels' front: picks the processor's level. */
#include "net/kernels.h"

#include <string.h>

#include "base/cpu.h"
#include "net/kernels/level.h"

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

#if defined(__x86_64__)
#define HAS_NARROW 1

static const dpli_narrow_kernels *narrow_kernels(void)
{
    return dpli_cpu_narrow() == DPLI_NARROW_AMX ? &dpli_narrow_amx : &dpli_narrow_avx512;
}
#elif defined(__AARCH64EL__)
#define HAS_NARROW 1

static const dpli_narrow_kernels *narrow_kernels(void)
{
    return &dpli_narrow_bf16;
}
#endif

static const dpli_byte_kernels *byte_kernels(void)
{
#if defined(__x86_64__)
    switch (dpli_cpu_bytes()) {
    case DPLI_BYTES_AMX: return &dpli_bytes_amx;
    case DPLI_BYTES_AVX512: return &dpli_bytes_avx512;
    case DPLI_BYTES_AVXVNNI: return &dpli_bytes_avxvnni;
    case DPLI_BYTES_AVX2: return &dpli_bytes_avx2;
    default: break;
    }
#elif defined(__AARCH64EL__)
    switch (dpli_cpu_bytes()) {
    case DPLI_BYTES_I8MM: return &dpli_bytes_i8mm;
    case DPLI_BYTES_DOTPROD: return &dpli_bytes_dotprod;
    default: break;
    }
#endif
    return &dpli_bytes_baseline;
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
    kernels()->conv(c, out, in, packed, epilogue, scratch, 0, dpli_conv_units(c));
}

void dpli_conv_run_part(const dpli_conv *c, float *out, const float *in, const float *packed,
                        const dpli_epilogue *epilogue, void *scratch, size_t from, size_t end)
{
    kernels()->conv(c, out, in, packed, epilogue, scratch, from, end);
}

void dpli_pool2d_run(const dpli_pool *p, float *out, const float *in)
{
    const dpli_link link = {.pool = p};

    dpli_chain_run(&link, 1, out, in, NULL);
}

void dpli_chain_run(const dpli_link *links, int32_t n_links, void *out, const void *in,
                    void *scratch)
{
    dpli_chain_run_part(links, n_links, out, in, scratch, 0, dpli_chain_units(links, n_links));
}

void dpli_chain_run_part(const dpli_link *links, int32_t n_links, void *out, const void *in,
                         void *scratch, size_t from, size_t end)
{
    if (links[0].numbers == DPLI_BYTES) {
        byte_kernels()->chain(links, n_links, out, in, scratch, from, end);
        return;
    }
#if defined(HAS_NARROW)
    if (links[0].numbers == DPLI_HALVES) {
        narrow_kernels()->chain(links, n_links, out, in, scratch, from, end);
        return;
    }
#endif
    kernels()->chain(links, n_links, out, in, scratch, from, end);
}

void dpli_binary_run(dpli_binary_kind kind, float *y, const float *a, const float *b, int32_t rank,
                     const int64_t *dims, const int64_t *strides_a, const int64_t *strides_b)
{
    kernels()->binary(kind, y, a, b, rank, dims, strides_a, strides_b);
}

void dpli_lstm_run(const dpli_cell_step *step)
{
    kernels()->lstm(step);
}

void dpli_gru_run(const dpli_cell_step *step)
{
    kernels()->gru(step);
}

void dpli_gru_reset_run(const dpli_cell_step *step)
{
    kernels()->gru_reset(step);
}

void dpli_gru_finish_run(const dpli_cell_step *step)
{
    kernels()->gru_finish(step);
}

void dpli_lstm_back_run(const dpli_cell_back *back)
{
    kernels()->lstm_back(back);
}

void dpli_gru_back_run(const dpli_cell_back *back)
{
    kernels()->gru_back(back);
}

void dpli_gru_finish_back_run(const dpli_cell_back *back)
{
    kernels()->gru_finish_back(back);
}

void dpli_gru_reset_back_run(const dpli_cell_back *back)
{
    kernels()->gru_reset_back(back);
}

/* ------------------------------------------------------------------ narrow numbers */

bool dpli_narrow_there(void)
{
    return dpli_cpu_narrow() != DPLI_NARROW_NONE;
}

void dpli_narrow_pool2d_run(const dpli_pool *p, dpli_numbers numbers, void *out, const void *in)
{
    const dpli_link link = {.pool = p, .numbers = numbers};

    dpli_chain_run(&link, 1, out, in, NULL);
}

void dpli_narrow_run(const dpli_cast *cast, dpli_numbers to, void *out, const float *in)
{
    const dpli_link link = {.cast = cast, .numbers = to};

    dpli_chain_run(&link, 1, out, in, NULL);
}

void dpli_bytes_conv_run_part(const dpli_conv *c, void *out, const void *in, const void *packed,
                              const dpli_epilogue *epilogue, void *scratch, size_t from, size_t end)
{
    byte_kernels()->conv(c, out, in, packed, epilogue, scratch, from, end);
}

void dpli_bytes_add_run(const dpli_byte_sum *sum, void *y, const void *a, const void *b, size_t n)
{
    byte_kernels()->add(sum, y, a, b, n);
}

void dpli_bytes_widen_run(const dpli_scale *of, float *out, const void *in, size_t n_rows,
                          size_t channels)
{
    byte_kernels()->widen(of, out, in, n_rows, channels);
}

#if defined(HAS_NARROW)

void dpli_narrow_conv_run(const dpli_conv *c, void *out, const void *in, const void *packed,
                          const dpli_epilogue *epilogue, void *scratch)
{
    narrow_kernels()->conv(c, out, in, packed, epilogue, scratch, 0, dpli_conv_units(c));
}

void dpli_narrow_conv_run_part(const dpli_conv *c, void *out, const void *in, const void *packed,
                               const dpli_epilogue *epilogue, void *scratch, size_t from,
                               size_t end)
{
    narrow_kernels()->conv(c, out, in, packed, epilogue, scratch, from, end);
}

void dpli_narrow_add_run(const dpli_act *act, void *y, const void *a, const void *b, size_t n)
{
    narrow_kernels()->add(act, y, a, b, n);
}

void dpli_widen_run(float *out, const void *in, size_t n_rows, size_t channels)
{
    narrow_kernels()->widen(out, in, n_rows, channels);
}

#else

/* There are none: dpli_narrow_there says so, and nobody calls these. */

void dpli_narrow_conv_run(const dpli_conv *c, void *out, const void *in, const void *packed,
                          const dpli_epilogue *epilogue, void *scratch)
{
    (void)c, (void)out, (void)in, (void)packed, (void)epilogue, (void)scratch;
}

void dpli_narrow_conv_run_part(const dpli_conv *c, void *out, const void *in, const void *packed,
                               const dpli_epilogue *epilogue, void *scratch, size_t from,
                               size_t end)
{
    (void)c, (void)out, (void)in, (void)packed, (void)epilogue, (void)scratch, (void)from,
        (void)end;
}

void dpli_narrow_add_run(const dpli_act *act, void *y, const void *a, const void *b, size_t n)
{
    (void)act, (void)y, (void)a, (void)b, (void)n;
}

void dpli_widen_run(float *out, const void *in, size_t n_rows, size_t channels)
{
    (void)out, (void)in, (void)n_rows, (void)channels;
}

#endif

/* Of products there are kernels for x86-64 alone. */

bool dpli_narrow_product_there(void)
{
#if defined(__x86_64__)
    return dpli_narrow_there();
#else
    return false;
#endif
}

void dpli_narrow_product_run(const dpli_product *p, void *scratch)
{
#if defined(__x86_64__)
    if (dpli_cpu_narrow() == DPLI_NARROW_AMX)
        dpli_product_amx(p, scratch);
    else
        dpli_product_avx512(p, scratch);
#else
    (void)p, (void)scratch;
#endif
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
