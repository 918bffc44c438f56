/*
 * test_three.c - float32 products by three of bfloat16 against sums in double precision.
 *
 * The bound follows from the arithmetic. A high part is off by 2^-8 of its number at most, and what
 * is left is at most half a unit of bfloat16 there, so that its own rounding is off by 2^-17. So
 * are both operands of a product; left out is the product of what is left, 2^-16: together 2^-15 of
 * the product's size. All else is exact but for sums, of three times as many terms as float32's.
 *
 * Exits 77 where there is no AMX.
 */
#include "base/cpu.h"
#include "tests/net/kernel_case.h"

#define SPLIT_EPS 0x1p-15

static void run_three(const dpli_conv *c, float *out, const float *in, const float *packed,
                      const dpli_epilogue *e)
{
    void *scratch = aligned(dpli_conv_scratch_bytes(c));
    const size_t units = dpli_conv_units(c), cut = units / 2;

    /* In two pieces, the second first: what one makes is no matter of the other's. */
    dpli_conv_run_part(c, out, in, packed, e, scratch, cut, units);
    memset(scratch, 0xff, dpli_conv_scratch_bytes(c));
    dpli_conv_run_part(c, out, in, packed, e, scratch, 0, cut);
    free(scratch);
}

/* The sum of the sizes of what each result is made of. */
static double *sizes(const conv_case *k, const float *in, const float *weight, const float *bias,
                     const float *before)
{
    const dpli_conv *c = &k->c;
    const size_t n_out = out_size(c);
    float *x = floats(in_size(c)), *w = floats(weight_size(c)), *b = floats((size_t)c->out_c);
    float *r = floats(n_out);
    double *size = calloc(n_out, sizeof *size), *tolerance = calloc(n_out, sizeof *tolerance);
    const dpli_epilogue e = {.bias = bias ? b : NULL, .before = before ? r : NULL};

    assert_non_null(size);
    assert_non_null(tolerance);
    for (size_t i = 0; i < in_size(c); i++)
        x[i] = fabsf(in[i]);
    for (size_t i = 0; i < weight_size(c); i++)
        w[i] = fabsf(weight[i]);
    for (size_t i = 0; bias && i < (size_t)c->out_c; i++)
        b[i] = fabsf(bias[i]);
    for (size_t i = 0; before && i < n_out; i++)
        r[i] = fabsf(before[i]);
    conv_double(c, size, tolerance, x, w, &e);
    free(x);
    free(w);
    free(b);
    free(r);
    free(tolerance);
    return size;
}

static void check_three(const conv_case *k)
{
    dpli_conv c = k->c;
    const size_t n_out = out_size(&c), per_in = in_size(&c) / (size_t)c.n;
    const size_t per_out = n_out / (size_t)c.n, terms = weight_size(&c) / (size_t)c.out_c;
    float *in = floats(in_size(&c)), *weight = floats(weight_size(&c));
    float *bias = floats((size_t)c.out_c), *slope = floats((size_t)c.out_c);
    float *before = floats(n_out), *after = floats(n_out), *out = floats(n_out);
    float *other = floats(n_out), *packed = aligned(dpli_three_floats(&c) * sizeof *packed);
    double *want = calloc(n_out, sizeof *want), *tolerance = calloc(n_out, sizeof *tolerance);
    const dpli_epilogue e = {.bias = k->bias ? bias : NULL,
                             .before = k->before ? before : NULL,
                             .act = make_act(k->act, slope),
                             .after = k->after ? after : NULL};
    double *size;
    char name[300];

    c.three = true;
    conv_name(name, sizeof name, k);
    dpli_three_pack(packed, &c, weight);
    conv_double(&c, want, tolerance, in, weight, &e);
    size = sizes(k, in, weight, e.bias, e.before);
    for (size_t i = 0; i < n_out; i++) /* 2: the most that an activation makes of an error */
        tolerance[i] += 2 * size[i] * (SPLIT_EPS + 3 * (double)terms * EPS);
    run_three(&c, out, in, packed, &e);
    check(name, out, want, tolerance, n_out);

    /* A batch of n is n batches of one, to the bit. */
    for (int32_t i = 0; c.n > 1 && i < k->c.n; i++) {
        dpli_conv one = c;
        dpli_epilogue part = e;

        one.n = 1;
        part.before = e.before ? before + (size_t)i * per_out : NULL;
        part.after = e.after ? after + (size_t)i * per_out : NULL;
        run_three(&one, other, in + (size_t)i * per_in, packed, &part);
        if (memcmp(out + (size_t)i * per_out, other, per_out * sizeof *out) != 0)
            fail_msg("%s: picture %d of a batch is not what it is alone", name, (int)i);
    }
    /* Onto its own residual. */
    if (e.before || e.after) {
        dpli_epilogue own = e;
        const float **of = e.after ? &own.after : &own.before;

        memcpy(other, *of, n_out * sizeof *other);
        *of = other;
        run_three(&c, other, in, packed, &own);
        if (memcmp(out, other, n_out * sizeof *out) != 0)
            fail_msg("%s: onto its own residual the result differs", name);
    }
    free(in);
    free(weight);
    free(bias);
    free(slope);
    free(before);
    free(after);
    free(out);
    free(other);
    free(packed);
    free(want);
    free(tolerance);
    free(size);
}

static void convolution_is_within_the_bound_of_its_parts(void **state)
{
    const char *seed = getenv("DOPPEL_TEST_SEED");

    (void)state;
    rng_state = seed ? strtoull(seed, NULL, 10) | 1 : 20261127;
    print_message("seed %llu\n", (unsigned long long)rng_state);
    for (int i = 0; i < 500;) {
        conv_case k;

        if (!draw_narrow_conv(&k, 1e6) || k.c.groups > 1)
            continue;
        k.c.in_c += k.c.in_c % 2;
        if (i % 8 == 0 && k.c.out_c % 2 == 0) { /* two groups */
            k.c.in_c *= 2;
            k.c.groups = 2;
        }
        check_three(&k);
        i++;
    }
}

/* Every number of rows, of columns and of k around a tile's, and what is left of several. */
static void convolution_is_within_its_bound_around_its_tiles(void **state)
{
    const conv_case base = {{.n = 1,
                             .in_h = 1,
                             .in_c = 20,
                             .out_h = 1,
                             .kernel_h = 1,
                             .kernel_w = 1,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1},
                            DPLI_ACT_PRELU,
                            1,
                            0,
                            0};

    (void)state;
    rng_state = 5;
    for (int32_t n = 1; n <= 70; n++) {
        conv_case k = base;

        k.c.in_w = k.c.out_w = n;
        k.c.out_c = n;
        k.before = n % 2;
        check_three(&k);
        k.c.in_c = 2 * n;
        k.c.out_c = 33;
        k.act = (dpli_act_kind)PICK(DPLI_ACT_NONE, DPLI_ACT_RELU, DPLI_ACT_CLIP);
        check_three(&k);
        k.c.in_w = n + 2; /* its windows read from lines, and from padded copies */
        k.c.kernel_w = 3;
        check_three(&k);
        k.c.in_w = n;
        k.c.pad_left = 1;
        check_three(&k);
    }
    /* More rows than a stretch, more than one that is read at once, and a last one of one row. */
    for (int32_t rows = 543; rows < 547; rows++) {
        conv_case k = base;

        k.c.in_w = k.c.out_w = rows;
        k.c.in_c = 128;
        k.c.out_c = 40;
        k.before = 1;
        k.act = DPLI_ACT_NONE;
        check_three(&k);
    }
}

/* What is off is that of the product's size, however large or small the numbers are; none is lost
 * to infinity. */
static void parts_are_right_at_the_ends_of_the_range(void **state)
{
    static const float numbers[] = {0,           1,         -1,     1 + 0x1p-23f, 1.99999988f,
                                    0x1.ff8p0f,  3e38f,     -3e38f, 0x1p-100f,    1.5e-38f,
                                    0x1.808p-3f, 0x1.7fp3f, 255.0f, 1e-20f,       0x1.fep127f};
    enum { N = sizeof numbers / sizeof *numbers };
    const dpli_conv c = {.n = 1,
                         .in_h = 1,
                         .in_w = 1,
                         .in_c = 2,
                         .out_h = 1,
                         .out_w = 1,
                         .out_c = N,
                         .kernel_h = 1,
                         .kernel_w = 1,
                         .stride_h = 1,
                         .stride_w = 1,
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .groups = 1,
                         .three = true};
    const float factors[] = {1, -0.3f, 0x1p-20f, 1.0f / 3};
    const dpli_epilogue e = {0};
    float weight[2 * N] = {0}, out[N];
    float *packed = aligned(dpli_three_floats(&c) * sizeof *packed);

    (void)state;
    for (int i = 0; i < N; i++)
        weight[2 * i] = numbers[i];
    dpli_three_pack(packed, &c, weight);
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        const float in[] = {factors[f], 3e38f};

        run_three(&c, out, in, packed, &e);
        for (int i = 0; i < N; i++) {
            const double want = (double)numbers[i] * (double)factors[f];

            /* What a part has below the smallest number that is not denormal is lost. */
            if (!(fabs((double)out[i] - want) <= SPLIT_EPS * fabs(want) + 4 * (double)FLT_MIN))
                fail_msg("%g by %g is %g", (double)numbers[i], (double)factors[f], (double)out[i]);
        }
    }
    /* The largest weight is nearest to infinity in bfloat16. */
    weight[0] = FLT_MAX;
    dpli_three_pack(packed, &c, weight);
    run_three(&c, out, (const float[]){0.5f, 0}, packed, &e);
    assert_true(fabs((double)out[0] / (double)FLT_MAX - 0.5) <= SPLIT_EPS);
    free(packed);
}

static void chain_is_its_links_one_by_one_to_the_bit(void **state)
{
    int chained = 0;

    (void)state;
    rng_state = 99;
    for (int i = 0; i < 100; i++) {
        dpli_conv convs[4] = {0};
        dpli_link links[4] = {0};
        float *packed[4];
        const int32_t batch = PICK(1, 2);
        int32_t h = PICK(5, 16, 23), w = PICK(14, 15, 31), c = PICK(16, 20, 32), length;
        float *in = floats((size_t)(batch * h * w * c)), *x = in;

        for (int n = 0; n < 4; n++) {
            const int32_t kernel = PICK(1, 1, 3), stride = kernel == 1 ? 1 : PICK(1, 2);
            const int32_t out_c = PICK(8, 16, 34, 64), pad = kernel / 2;

            convs[n] = (dpli_conv){.n = batch,
                                   .in_h = h,
                                   .in_w = w,
                                   .in_c = c,
                                   .out_h = fit(h, 2 * pad, kernel, stride, 1),
                                   .out_w = fit(w, 2 * pad, kernel, stride, 1),
                                   .out_c = out_c,
                                   .kernel_h = kernel,
                                   .kernel_w = kernel,
                                   .stride_h = stride,
                                   .stride_w = stride,
                                   .dilation_h = 1,
                                   .dilation_w = 1,
                                   .pad_top = pad,
                                   .pad_left = pad,
                                   .groups = 1,
                                   .three = rng() >> 62 != 0};
            {
                float *weight = floats(weight_size(&convs[n]));

                packed[n] = aligned(dpli_three_floats(&convs[n]) * sizeof(float));
                if (convs[n].three)
                    dpli_three_pack(packed[n], &convs[n], weight);
                else
                    dpli_conv_pack(packed[n], &convs[n], weight);
                free(weight);
            }
            links[n] = (dpli_link){.conv = &convs[n],
                                   .packed = packed[n],
                                   .epilogue.act = make_act((dpli_act_kind)PICK(0, 1, 4), NULL)};
            h = convs[n].out_h;
            w = convs[n].out_w;
            c = out_c;
        }
        length = dpli_chain_length(links, 4, 0);
        if (length > 1) {
            const size_t n_out = out_size(&convs[length - 1]);
            const size_t units = dpli_chain_units(links, length), cut = units / 2;
            void *scratch = aligned(dpli_chain_scratch_bytes(links, length));
            float *got = floats(n_out);

            dpli_chain_run_part(links, length, got, in, scratch, cut, units);
            dpli_chain_run_part(links, length, got, in, scratch, 0, cut);
            free(scratch);
            for (int32_t l = 0; l < length; l++) {
                float *y = floats(out_size(&convs[l]));

                run_three(&convs[l], y, x, packed[l], &links[l].epilogue);
                free(x);
                x = y;
            }
            if (memcmp(got, x, n_out * sizeof *got) != 0)
                fail_msg("chain %d of %d differs", i, (int)length);
            free(got);
            chained++;
        }
        free(x);
        for (int n = 0; n < 4; n++)
            free(packed[n]);
    }
    assert_in_range(chained, 30, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_is_within_the_bound_of_its_parts),
        cmocka_unit_test(convolution_is_within_its_bound_around_its_tiles),
        cmocka_unit_test(parts_are_right_at_the_ends_of_the_range),
        cmocka_unit_test(chain_is_its_links_one_by_one_to_the_bit),
    };
    unsigned state;
    int failed;

    if (dpli_cpu_narrow() != DPLI_NARROW_AMX)
        return 77;
    state = dpli_fpu_enter();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    dpli_fpu_restore(state);
    return failed;
}
