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

/* Each direction's columns, as many as there are states, at right angles to each other and of
 * length 1: Saxe, McClelland, Ganguli 2014. By Gram and Schmidt, in the order of the columns. */
static void fill_orthogonal(const dpli_param *p, dpli_rng *rng)
{
    const size_t hidden = (size_t)p->shape.dims[2], gates = (size_t)p->shape.dims[1];

    fill_normal(p, rng, 0.0, 1.0);
    for (size_t d = 0; d < (size_t)p->shape.dims[0]; d++) {
        float *m = p->value + d * gates * hidden;

        for (size_t j = 0; j < hidden; j++) {
            double length = 0;

            for (size_t i = 0; i < j; i++) {
                double along = 0;

                for (size_t k = 0; k < gates; k++)
                    along += (double)m[k * hidden + i] * (double)m[k * hidden + j];
                for (size_t k = 0; k < gates; k++)
                    m[k * hidden + j] -= (float)(along * (double)m[k * hidden + i]);
            }
            for (size_t k = 0; k < gates; k++)
                length += (double)m[k * hidden + j] * (double)m[k * hidden + j];
            for (size_t k = 0; k < gates; k++)
                m[k * hidden + j] = (float)((double)m[k * hidden + j] / sqrt(length));
        }
    }
}

/* Koch, Zemel, Salakhutdinov 2015, section 3.2; what one published form of it writes instead. He et
 * al. 2015, equation 10: N(0, 2 / fan_in). Glorot and Bengio 2010, equation 16: uniform within
 * sqrt(6 / (fan_in + fan_out)). */
static void fill_weight(const dpli_param *p, dpli_rng *rng, dpli_init init)
{
    const double in = p->fan_in ? (double)p->fan_in : 1.0;

    switch (init) {
    case DPLI_INIT_KOCH: fill_normal(p, rng, 0.0, p->kind == DPLI_PARAM_CONV ? 1e-2 : 2e-1); break;
    case DPLI_INIT_KOCH_WIDE:
        fill_normal(p, rng, 0.0, p->kind == DPLI_PARAM_CONV ? 1e-1 : 2.0);
        break;
    case DPLI_INIT_HE: fill_normal(p, rng, 0.0, sqrt(2.0 / in)); break;
    case DPLI_INIT_GLOROT: fill_uniform(p, rng, sqrt(6.0 / (in + (double)p->fan_out))); break;
    }
}

static void fill_gates(const dpli_param *p)
{
    const size_t row = (size_t)p->shape.dims[1], hidden = row / 8;

    fill(p, 0.0f);
    for (size_t d = 0; d < (size_t)p->shape.dims[0]; d++)
        for (size_t i = 2 * hidden; i < 3 * hidden; i++)
            p->value[d * row + i] = 1.0f;
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
        case DPLI_PARAM_STATE:
            if (init == DPLI_INIT_GLOROT)
                fill_orthogonal(p, &rng);
            else
                fill_weight(p, &rng, init);
            break;
        /* As Keras' Embedding starts, and as PyTorch's. */
        case DPLI_PARAM_TABLE:
            if (init == DPLI_INIT_GLOROT)
                fill_uniform(p, &rng, 0.05);
            else
                fill_normal(p, &rng, 0.0, 1.0);
            break;
        case DPLI_PARAM_BIAS:
            if (init == DPLI_INIT_KOCH || init == DPLI_INIT_KOCH_WIDE)
                fill_normal(p, &rng, 0.5, init == DPLI_INIT_KOCH ? 1e-2 : 1e-1);
            else
                fill(p, 0.0f);
            break;
        case DPLI_PARAM_GATES: fill_gates(p); break;
        case DPLI_PARAM_SCALE: fill(p, 1.0f); break;
        case DPLI_PARAM_SHIFT: fill(p, 0.0f); break;
        case DPLI_PARAM_SLOPE: fill(p, 0.25f); break;
        case DPLI_PARAM_RUNNING:
        case DPLI_PARAM_OTHER: break;
        }
    }
}
