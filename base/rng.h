/* Random numbers that repeat: xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64. */
#ifndef DOPPEL_BASE_RNG_H
#define DOPPEL_BASE_RNG_H

#include <stdint.h>

typedef struct dpli_rng {
    uint64_t s[4];
} dpli_rng;

void dpli_rng_seed(dpli_rng *rng, uint64_t seed);
uint64_t dpli_rng_u64(dpli_rng *rng);
/** Uniform in [0, n), n > 0, without bias. */
uint64_t dpli_rng_below(dpli_rng *rng, uint64_t n);
/** Uniform in [0, 1). */
double dpli_rng_unit(dpli_rng *rng);
/** Standard normal (Box and Muller, one value a call). */
double dpli_rng_normal(dpli_rng *rng);

#endif
