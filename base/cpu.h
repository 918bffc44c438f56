/* The processor: which instructions the kernels may use, and its denormal switch. */
#ifndef DOPPEL_BASE_CPU_H
#define DOPPEL_BASE_CPU_H

typedef enum dpli_cpu { DPLI_CPU_BASELINE = 0, DPLI_CPU_AVX2 = 1, DPLI_CPU_AVX512 = 2 } dpli_cpu;

/** The level in use: the processor's, or the lower one that DOPPEL_CPU ("baseline", "avx2",
 * "avx512") asks for. */
dpli_cpu dpli_cpu_level(void);

/** Flush denormals to zero in this thread's floating-point unit; returns the state for
 * dpli_fpu_restore. */
unsigned dpli_fpu_enter(void);
void dpli_fpu_restore(unsigned state);

#endif
