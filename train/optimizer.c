/*
 * optimizer.c - gradients to new parameters.
 *
 * All parameters that change are one long row of numbers, in the order given, cut into blocks of
 * 4096: a worker takes a run of blocks, wherever one layer ends and the next begins. A step is
 * bound by memory: it reads the gradients once for their length and then passes over everything
 * once, the average included, a block being still in the first level of cache when its average is
 * taken.
 *
 * Numbers are float32, each element rounded on its own and nothing contracted, so that a step gives
 * the same bits with any number of threads and on every processor.
 *
 * Sources: SGD: Koch, Zemel, Salakhutdinov 2015, section 3.2, v = mu v - rate g, w = w + v. Their
 * penalty enters the rule as 2 lambda |w|; the gradient of lambda |w|^2 is meant, and our l2 is
 * their 2 lambda (as PyTorch's weight_decay), inside of g. Adam: Kingma and Ba 2015. Nadam: Dozat
 * 2016 as PyTorch has it, momentum decay 0.004. AdamW: Loshchilov and Hutter 2019, the penalty
 * scaled by the rate. Clipping: Pascanu, Mikolov, Bengio 2013. Average: Polyak's, decaying, with
 * a lower decay at first as in TensorFlow's ExponentialMovingAverage.
 */
#include "train/optimizer.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"

#define BLOCK 4096

typedef struct slot {
    dpli_param *param;
    size_t start; /* in the long row */
    double rate;  /* factor */
    double l2;
} slot;

struct dpli_optimizer {
    dpli_optimizer_options options;
    int32_t n_slots;
    slot *slots;
    size_t n, n_blocks;
    double *sums;    /* [n_blocks] of squares */
    float *momentum; /* [n]: v of SGD, m of the others */
    float *variance; /* [n]: not SGD */
    float *average;  /* [n]: with ema */
    int64_t steps;
    double nadam_product; /* of the momenta of all steps taken */
};

/* ------------------------------------------------------------------ one stretch of numbers */

typedef struct rule {
    float scale; /* of the gradient: clipping */
    float rate, l2, momentum;
    float beta1, beta2, rest1, rest2; /* 1 - beta */
    float epsilon;
    float root2;           /* of 1 - beta2^t */
    float step_g, step_m;  /* rates of the gradient and of the momentum, bias corrected */
    float shrink, ema_new; /* AdamW's factor on w; weight of the new value in the average */
} rule;

DPLI_EACH_CPU_TO_AVX2(static, void, step_sgd,
                      (float *restrict w, const float *restrict g, float *restrict v, size_t n,
                       const rule *restrict r),
                      (w, g, v, n, r))
{
    for (size_t i = 0; i < n; i++) {
        v[i] = r->momentum * v[i] - r->rate * (r->scale * g[i] + r->l2 * w[i]);
        w[i] += v[i];
    }
}

/* Adam, Nadam (step_g is not 0) and AdamW (shrink is not 1). */
DPLI_EACH_CPU_TO_AVX2(static, void, step_adam,
                      (float *restrict w, const float *restrict g, float *restrict m,
                       float *restrict v, size_t n, const rule *restrict r),
                      (w, g, m, v, n, r))
{
    for (size_t i = 0; i < n; i++) {
        float d = r->scale * g[i] + r->l2 * w[i];
        m[i] = r->beta1 * m[i] + r->rest1 * d;
        v[i] = r->beta2 * v[i] + r->rest2 * (d * d);
        w[i] = r->shrink * w[i] -
               (r->step_g * d + r->step_m * m[i]) / (sqrtf(v[i]) / r->root2 + r->epsilon);
    }
}

DPLI_EACH_CPU_TO_AVX2(static, void, take_average,
                      (float *restrict a, const float *restrict w, size_t n, float part),
                      (a, w, n, part))
{
    for (size_t i = 0; i < n; i++)
        a[i] += part * (w[i] - a[i]);
}

DPLI_EACH_CPU_TO_AVX2(static, void, exchange, (float *restrict a, float *restrict w, size_t n),
                      (a, w, n))
{
    for (size_t i = 0; i < n; i++) {
        float x = a[i];
        a[i] = w[i];
        w[i] = x;
    }
}

/* Eight sums, so that additions need not wait for each other. */
DPLI_EACH_CPU_TO_AVX2(static, double, squares, (const float *restrict g, size_t n), (g, n))
{
    double s[8] = {0}, sum = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            s[j] += (double)g[i + (size_t)j] * (double)g[i + (size_t)j];
    for (; i < n; i++)
        sum += (double)g[i] * (double)g[i];
    for (int j = 0; j < 8; j++)
        sum += s[j];
    return sum;
}

/* ------------------------------------------------------------------ the long row */

typedef struct walk {
    dpli_optimizer *o;
    rule common;
    double rate;
} walk;

/* The slot that holds position at of the row. */
static int32_t slot_at(const dpli_optimizer *o, size_t at)
{
    int32_t low = 0, high = o->n_slots - 1;

    while (low < high) {
        int32_t middle = low + (high - low + 1) / 2;
        if (o->slots[middle].start <= at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* fn for each stretch that is in one slot and in one block, of blocks from..to-1. */
static void each_stretch(const walk *k, size_t from, size_t to,
                         void (*fn)(const walk *k, const slot *s, size_t block, size_t at,
                                    size_t n))
{
    const dpli_optimizer *o = k->o;
    size_t at = from * BLOCK, end = to * BLOCK < o->n ? to * BLOCK : o->n;
    int32_t i = slot_at(o, at);

    while (at < end) {
        const slot *s = &o->slots[i];
        size_t block = at / BLOCK, stop = (block + 1) * BLOCK, slot_end = s->start + s->param->n;

        if (slot_end <= stop) {
            stop = slot_end;
            i++;
        }
        stop = stop < end ? stop : end;
        fn(k, s, block, at, stop - at);
        at = stop;
    }
}

static void norm_stretch(const walk *k, const slot *s, size_t block, size_t at, size_t n)
{
    if (s->param->grad)
        k->o->sums[block] += squares(s->param->grad + (at - s->start), n);
}

static void norm_blocks(void *ctx, int worker, size_t from, size_t to)
{
    const walk *k = ctx;

    (void)worker;
    memset(k->o->sums + from, 0, (to - from) * sizeof *k->o->sums);
    each_stretch(k, from, to, norm_stretch);
}

static void step_stretch(const walk *k, const slot *s, size_t block, size_t at, size_t n)
{
    dpli_optimizer *o = k->o;
    const dpli_param *p = s->param;
    size_t in = at - s->start;

    (void)block;
    if (p->grad) {
        rule r = k->common;

        if (o->options.kind == DPLI_ADAMW)
            r.shrink = (float)(1 - k->rate * s->rate * s->l2);
        else
            r.l2 = (float)s->l2;
        r.rate = (float)(k->rate * s->rate);
        r.step_g *= (float)s->rate;
        r.step_m *= (float)s->rate;
        if (o->options.kind == DPLI_SGD)
            step_sgd(p->value + in, p->grad + in, o->momentum + at, n, &r);
        else
            step_adam(p->value + in, p->grad + in, o->momentum + at, o->variance + at, n, &r);
    }
    if (o->average)
        take_average(o->average + at, p->value + in, n, k->common.ema_new);
}

static void step_blocks(void *ctx, int worker, size_t from, size_t to)
{
    (void)worker;
    each_stretch(ctx, from, to, step_stretch);
}

static void swap_stretch(const walk *k, const slot *s, size_t block, size_t at, size_t n)
{
    (void)block;
    exchange(k->o->average + at, s->param->value + (at - s->start), n);
}

static void swap_blocks(void *ctx, int worker, size_t from, size_t to)
{
    (void)worker;
    each_stretch(ctx, from, to, swap_stretch);
}

/* ------------------------------------------------------------------ schedules */

static double warmed(const dpli_optimizer *o, int64_t step)
{
    int64_t warm = o->options.warmup_steps;

    return step < warm ? ((double)step + 1) / (double)warm : 1;
}

static int64_t epoch_of(const dpli_progress *at, int64_t step)
{
    return at->steps_an_epoch > 0 ? step / at->steps_an_epoch : 0;
}

double dpli_optimizer_rate(const dpli_optimizer *o, const dpli_progress *at)
{
    const dpli_optimizer_options *p = &o->options;
    double rate = p->rate * warmed(o, at->step), left;

    switch (p->schedule) {
    case DPLI_SCHEDULE_CONSTANT: break;
    case DPLI_SCHEDULE_DECAY: rate *= pow(p->decay, (double)epoch_of(at, at->step)); break;
    case DPLI_SCHEDULE_COSINE:
        /* From the end of the warm-up to the last step. */
        left = (double)(at->step - p->warmup_steps) /
               fmax(1, (double)(at->n_steps - 1 - p->warmup_steps));
        left = fmin(fmax(left, 0), 1);
        rate *= p->floor + (1 - p->floor) * 0.5 * (1 + cos(3.14159265358979323846 * left));
        break;
    }
    return rate;
}

double dpli_optimizer_momentum(const dpli_optimizer *o, const dpli_progress *at)
{
    const dpli_optimizer_options *p = &o->options;
    int64_t last = at->n_steps > 0 ? epoch_of(at, at->n_steps - 1) : 0;
    double part = last > 0 ? (double)epoch_of(at, at->step) / (double)last : 0;

    return p->momentum + (p->momentum_end - p->momentum) * fmin(fmax(part, 0), 1);
}

/* PyTorch's momentum of Nadam's step t, counted from 1. */
static double nadam_momentum(const dpli_optimizer *o, int64_t t)
{
    return o->options.beta1 * (1 - 0.5 * pow(0.96, (double)t * 0.004));
}

/* ------------------------------------------------------------------ a step */

static rule make_rule(dpli_optimizer *o, const dpli_progress *at, double rate, double norm)
{
    const dpli_optimizer_options *p = &o->options;
    double t = (double)o->steps, rest1 = 1 - pow(p->beta1, t), rest2 = 1 - pow(p->beta2, t);
    double step_g = 0, step_m = rate / rest1;
    rule r = {.scale = 1, .shrink = 1};

    if (p->clip_norm > 0 && norm > p->clip_norm)
        r.scale = (float)(p->clip_norm / norm);
    if (p->kind == DPLI_NADAM) {
        double now = nadam_momentum(o, o->steps), next = nadam_momentum(o, o->steps + 1);

        o->nadam_product *= now;
        step_g = rate * (1 - now) / (1 - o->nadam_product);
        step_m = rate * next / (1 - o->nadam_product * next);
    }
    r.momentum = (float)dpli_optimizer_momentum(o, at);
    r.beta1 = (float)p->beta1;
    r.beta2 = (float)p->beta2;
    r.rest1 = (float)(1 - p->beta1);
    r.rest2 = (float)(1 - p->beta2);
    r.epsilon = (float)p->epsilon;
    r.root2 = (float)sqrt(rest2);
    r.step_g = (float)step_g;
    r.step_m = (float)step_m;
    /* The first values are of little worth: forget them faster at first. */
    r.ema_new = (float)(1 - fmin(p->ema, (1 + t) / (10 + t)));
    return r;
}

void dpli_optimizer_step(dpli_optimizer *o, const dpli_progress *at, dpli_team *team, double *norm)
{
    walk k = {.o = o, .rate = dpli_optimizer_rate(o, at)};
    double sum = 0;

    dpli_team_run(team, o->n_blocks, norm_blocks, &k);
    for (size_t i = 0; i < o->n_blocks; i++)
        sum += o->sums[i];
    *norm = sqrt(sum);
    if (!isfinite(*norm))
        return;
    o->steps++;
    k.common = make_rule(o, at, k.rate, *norm);
    dpli_team_run(team, o->n_blocks, step_blocks, &k);
}

void dpli_optimizer_swap_average(dpli_optimizer *o, dpli_team *team)
{
    walk k = {.o = o};

    if (o->average)
        dpli_team_run(team, o->n_blocks, swap_blocks, &k);
}

/* ------------------------------------------------------------------ state */

float *dpli_optimizer_state(dpli_optimizer *o, int32_t i, size_t *n, const char **name)
{
    const struct {
        float *values;
        const char *name;
    } all[] = {{o->momentum, "momentum"}, {o->variance, "variance"}, {o->average, "average"}};

    *n = o->n;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (all[k].values && i-- == 0) {
            *name = all[k].name;
            return all[k].values;
        }
    *n = 0;
    *name = NULL;
    return NULL;
}

int64_t dpli_optimizer_steps(const dpli_optimizer *o)
{
    return o->steps;
}

void dpli_optimizer_set_steps(dpli_optimizer *o, int64_t steps)
{
    o->steps = steps;
    o->nadam_product = 1;
    /* Factors are at most beta1: where the product no longer differs from 0, the rest is free. */
    if (o->options.kind == DPLI_NADAM)
        for (int64_t t = 1; t <= steps && o->nadam_product > 1e-30; t++)
            o->nadam_product *= nadam_momentum(o, t);
}

size_t dpli_optimizer_bytes(const dpli_optimizer *o)
{
    size_t arrays = (size_t)(o->momentum != NULL) + (o->variance != NULL) + (o->average != NULL);

    return arrays * o->n * sizeof(float) + o->n_blocks * sizeof *o->sums +
           (size_t)o->n_slots * sizeof *o->slots + sizeof *o;
}

/* ------------------------------------------------------------------ making one */

dpli_optimizer_options dpli_optimizer_defaults(dpli_optimizer_kind kind)
{
    static const double rates[] = {
        [DPLI_SGD] = 0.01, [DPLI_ADAM] = 0.001, [DPLI_NADAM] = 0.002, [DPLI_ADAMW] = 0.001};

    return (dpli_optimizer_options){.kind = kind,
                                    .rate = rates[kind],
                                    .schedule = DPLI_SCHEDULE_CONSTANT,
                                    .decay = 0.99,
                                    .momentum = 0.9,
                                    .momentum_end = 0.9,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .epsilon = 1e-8,
                                    .l2 = kind == DPLI_ADAMW ? 0.01 : 0};
}

static dpl_status check(const dpli_optimizer_options *p, const dpli_layer_rule *rules,
                        int32_t n_rules, dpl_error *err)
{
    const struct {
        const char *name;
        double value, low, high;
    } numbers[] = {
        {"rate", p->rate, 0, 1e6},
        {"decay", p->decay, 0, 1},
        {"floor", p->floor, 0, 1},
        {"momentum", p->momentum, 0, 1},
        {"momentum at the end", p->momentum_end, 0, 1},
        /* Below 1, and far enough that Nadam's product of them comes to 0. */
        {"beta1", p->beta1, 0, 0.9999},
        {"beta2", p->beta2, 0, 0.9999999},
        {"epsilon", p->epsilon, 1e-30, 1},
        {"L2 penalty", p->l2, 0, 1e6},
        {"norm to clip at", p->clip_norm, 0, 1e30},
        {"decay of the average", p->ema, 0, 0.9999999},
    };

    if ((int)p->kind < DPLI_SGD || (int)p->kind > DPLI_ADAMW)
        return dpli_fail(err, DPL_E_ARGUMENT, "no optimizer has the number %d", (int)p->kind);
    if ((int)p->schedule < DPLI_SCHEDULE_CONSTANT || (int)p->schedule > DPLI_SCHEDULE_COSINE)
        return dpli_fail(err, DPL_E_ARGUMENT, "no schedule has the number %d", (int)p->schedule);
    if (p->warmup_steps < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "warm-up of %lld steps", (long long)p->warmup_steps);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!(numbers[i].value >= numbers[i].low && numbers[i].value <= numbers[i].high))
            return dpli_fail(err, DPL_E_ARGUMENT, "the optimizer's %s is %g, wanted is %g to %g",
                             numbers[i].name, numbers[i].value, numbers[i].low, numbers[i].high);
    for (int32_t i = 0; i < n_rules; i++) {
        if (!(rules[i].rate >= 0 && rules[i].rate <= 1e6))
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "the rate of layers \"%s\" is %g, wanted is 0 to"
                             " 1e+06",
                             rules[i].pattern, rules[i].rate);
        if (!isnan(rules[i].l2) && !(rules[i].l2 >= 0 && rules[i].l2 <= 1e6))
            return dpli_fail(err, DPL_E_ARGUMENT,
                             "the L2 penalty of layers \"%s\" is %g, wanted is"
                             " 0 to 1e+06",
                             rules[i].pattern, rules[i].l2);
    }
    return DPL_OK;
}

static bool fits(const char *pattern, const dpli_param *p)
{
    return (p->layer && fnmatch(pattern, p->layer, 0) == 0) ||
           (p->name && fnmatch(pattern, p->name, 0) == 0);
}

static void fill_slot(slot *s, const dpli_optimizer_options *p, const dpli_layer_rule *rules,
                      int32_t n_rules)
{
    int32_t i = 0;

    s->rate = 1;
    s->l2 = p->l2;
    while (i < n_rules && !fits(rules[i].pattern, s->param))
        i++;
    if (i < n_rules) {
        s->rate = rules[i].rate;
        if (!isnan(rules[i].l2))
            s->l2 = rules[i].l2;
    }
    if (s->param->kind != DPLI_PARAM_CONV && s->param->kind != DPLI_PARAM_DENSE &&
        s->param->kind != DPLI_PARAM_STATE)
        s->l2 = 0;
}

dpl_status dpli_optimizer_new(dpli_optimizer **out, const dpli_optimizer_options *options,
                              const dpli_layer_rule *rules, int32_t n_rules,
                              dpli_param *const *params, int32_t n_params, dpl_error *err)
{
    dpli_optimizer *o = NULL;
    dpl_status status = check(options, rules, n_rules, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    status = DPL_E_MEMORY;
    o = dpli_calloc(1, sizeof *o, err);
    if (!o)
        goto done;
    o->options = *options;
    o->nadam_product = 1;
    o->slots = dpli_calloc((size_t)n_params, sizeof *o->slots, err);
    if (!o->slots)
        goto done;
    for (int32_t i = 0; i < n_params; i++) {
        dpli_param *p = params[i];
        slot *s = &o->slots[o->n_slots];
        bool averaged = p->kind == DPLI_PARAM_RUNNING && options->ema > 0;

        if (p->frozen || p->n == 0 || !(p->grad || averaged))
            continue;
        s->param = p;
        s->start = o->n;
        fill_slot(s, options, rules, n_rules);
        o->n_slots++;
        if (!dpli_add(&o->n, o->n, p->n)) {
            status = dpli_fail(err, DPL_E_MEMORY, "more parameters than can be counted");
            goto done;
        }
    }
    o->n_blocks = o->n / BLOCK + (o->n % BLOCK != 0);
    o->sums = dpli_calloc(o->n_blocks, sizeof *o->sums, err);
    if (!o->sums)
        goto done;
    o->momentum = dpli_calloc(o->n, sizeof *o->momentum, err);
    if (!o->momentum)
        goto done;
    if (options->kind != DPLI_SGD) {
        o->variance = dpli_calloc(o->n, sizeof *o->variance, err);
        if (!o->variance)
            goto done;
    }
    if (options->ema > 0) {
        o->average = dpli_alloc(o->n, sizeof *o->average, err);
        if (!o->average)
            goto done;
        for (int32_t i = 0; i < o->n_slots; i++)
            memcpy(o->average + o->slots[i].start, o->slots[i].param->value,
                   o->slots[i].param->n * sizeof *o->average);
    }
    *out = o;
    o = NULL;
    status = DPL_OK;
done:
    dpli_optimizer_free(o);
    return status;
}

void dpli_optimizer_free(dpli_optimizer *o)
{
    if (!o)
        return;
    free(o->slots);
    free(o->sums);
    free(o->momentum);
    free(o->variance);
    free(o->average);
    free(o);
}
