/*
 * rng.c - xoshiro256** 1.0 (Blackman and Vigna 2018, "Scrambled linear pseudorandom number
 * generators"), seeded by splitmix64 as they advise.
 */
#include "base/rng.h"

#include <math.h>

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void dpli_rng_seed(dpli_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;

        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        rng->s[i] = z ^ z >> 31;
    }
}

uint64_t dpli_rng_u64(dpli_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t dpli_rng_below(dpli_rng *rng, uint64_t n)
{
    /* 2^64 mod n values are too many for an even share; the lowest are drawn again. */
    uint64_t surplus = -n % n;
    uint64_t x;

    do
        x = dpli_rng_u64(rng);
    while (x < surplus);
    return x % n;
}

double dpli_rng_unit(dpli_rng *rng)
{
    return (double)(dpli_rng_u64(rng) >> 11) * 0x1p-53;
}

double dpli_rng_normal(dpli_rng *rng)
{
    /* 1 - u lies in (0, 1], where the logarithm is finite. */
    double radius = sqrt(-2.0 * log(1.0 - dpli_rng_unit(rng)));

    return radius * cos(6.283185307179586 * dpli_rng_unit(rng));
}
