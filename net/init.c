/*
 * init.c - where parameters start.
 *
 * Each parameter is drawn from a generator of its own, seeded by the run's seed and the parameter's
 * name: another layer before it changes nothing.
 */
#include "net/init.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

static void fill(const dpli_param *p, float value)
{
    for (size_t i = 0; i < p->n; i++)
        p->value[i] = value;
}

static void fill_normal(const dpli_param *p, dpli_rng *rng, double mean, double deviation)
{
    for (size_t i = 0; i < p->n; i++)
        p->value[i] = (float)(mean + deviation * dpli_rng_normal(rng));
}

static void fill_uniform(const dpli_param *p, dpli_rng *rng, double bound)
{
    for (size_t i = 0; i < p->n; i++)
        p->value[i] = (float)(bound * (2.0 * dpli_rng_unit(rng) - 1.0));
}

/* Koch, Zemel, Salakhutdinov 2015, section 3.2. He et al. 2015, equation 10: N(0, 2 / fan_in).
 * Glorot and Bengio 2010, equation 16: uniform within sqrt(6 / (fan_in + fan_out)). */
static void fill_weight(const dpli_param *p, dpli_rng *rng, dpli_init init)
{
    const double in = p->fan_in ? (double)p->fan_in : 1.0;

    switch (init) {
    case DPLI_INIT_KOCH: fill_normal(p, rng, 0.0, p->kind == DPLI_PARAM_CONV ? 1e-2 : 2e-1); break;
    case DPLI_INIT_HE: fill_normal(p, rng, 0.0, sqrt(2.0 / in)); break;
    case DPLI_INIT_GLOROT: fill_uniform(p, rng, sqrt(6.0 / (in + (double)p->fan_out))); break;
    }
}

void dpli_init_run(dpli_param *const *params, int32_t n, dpli_init init, uint64_t seed)
{
    for (int32_t i = 0; i < n; i++) {
        const dpli_param *p = params[i];
        dpli_rng rng;

        if (p->frozen)
            continue;
        dpli_rng_seed(&rng, dpli_sum64(seed, p->name, strlen(p->name)));
        switch (p->kind) {
        case DPLI_PARAM_CONV:
        case DPLI_PARAM_DENSE: fill_weight(p, &rng, init); break;
        /* As PyTorch's Embedding starts. */
        case DPLI_PARAM_TABLE: fill_normal(p, &rng, 0.0, 1.0); break;
        case DPLI_PARAM_BIAS:
            if (init == DPLI_INIT_KOCH)
                fill_normal(p, &rng, 0.5, 1e-2);
            else
                fill(p, 0.0f);
            break;
        case DPLI_PARAM_SCALE: fill(p, 1.0f); break;
        case DPLI_PARAM_SHIFT: fill(p, 0.0f); break;
        case DPLI_PARAM_SLOPE: fill(p, 0.25f); break;
        case DPLI_PARAM_RUNNING:
        case DPLI_PARAM_OTHER: break;
        }
    }
}
