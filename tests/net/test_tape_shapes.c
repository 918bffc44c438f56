/*
 * test_tape_shapes.c - nets as exporters leave them, on a tape: sides of a Reshape that follow from
 * shapes, states to begin with, parts of a Split, lengths and masks as a second input. What they
 * give is what the engine gives, and their gradients are those of central differences.
 *
 * Tolerance: values 2e-6 of the largest, sums of some ten terms in float32. Differences over 2 h
 * with h = 2^-6 have an error of h^2 / 6 times a third derivative of about the gradient's size,
 * 4e-5, and rounding of 2^-24 / h = 4e-6 of the loss: 1e-3 of the largest gradient.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/load.h"
#include "net/tape.h"
#include "tests/net/net_case.h"
#include "tests/net/onnx_writer.h"

enum { N = 3, T = 4 };

static float number(size_t i, size_t seed)
{
    return (float)((i * 37 + seed * 101) % 53) / 40.0f - 0.6f;
}

static void add_weight(writer *w, const char *name, size_t seed, int rank, const int64_t *dims)
{
    float values[256];
    size_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    assert_true(n <= 256);
    for (size_t i = 0; i < n; i++)
        values[i] = number(i, seed);
    add_tensor(w, name, 1, rank, dims, values);
}

static void add_ints(writer *w, const char *name, int n, const int64_t *values)
{
    add_tensor(w, name, 7, 1, (int64_t[]){n}, values);
}

/* ------------------------------------------------------------------ what is checked */

static const int64_t own[N] = {2, T, 1}; /* ids of each row */

static int64_t id_at(size_t i)
{
    return (int64_t)(i % T) < own[i / T] ? 1 + (int64_t)(i * 5 % 6) : 0;
}

static void fill_ids(int64_t *ids, const dpl_shape *shape, bool second)
{
    for (size_t i = 0; i < n_elements(shape); i++)
        ids[i] = !second ? id_at(i) : shape->rank < 2 ? own[i] : (int64_t)(i % T) < own[i / T];
}

static void fill_floats(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = number(i, 9);
}

static void by_the_engine(float *y, size_t n_y, const dpli_buf *bytes, const dpl_shape *in)
{
    dpl_shape shapes[2] = {*in, *in};
    dpl_net *net;
    dpl_plan *plan;
    dpl_error err;

    if (dpl_net_load(&net, bytes->data, bytes->len, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    if (dpl_net_n_inputs(net) > 1 && dpl_net_input_shape(net, 1).rank == 1)
        shapes[1].rank = 1;
    if (dpl_plan_new(&plan, net, shapes, DPL_LAYOUT_NCHW, &err) != DPL_OK)
        fail_msg("%s", err.message);
    for (int32_t i = 0; i < dpl_net_n_inputs(net); i++) {
        if (dpl_net_input_type(net, i) == DPL_TYPE_INT64)
            fill_ids(dpl_plan_input_int64(plan, i), &shapes[i], i > 0);
        else
            fill_floats(dpl_plan_input(plan, i), n_elements(&shapes[i]));
    }
    assert_int_equal(dpl_plan_run(plan, &err), DPL_OK);
    const dpl_shape out = dpl_plan_output_shape(plan, 0);
    assert_int_equal(n_elements(&out), n_y);
    memcpy(y, dpl_plan_output(plan, 0), n_y * sizeof *y);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static double loss_of(dpli_tape *tape)
{
    const dpli_tensor *y = dpli_tape_output(tape);
    double sum = 0;

    dpli_tape_forward(tape, N, true, 1);
    for (size_t i = 0; i < dpli_tensor_floats(y); i++)
        sum += (double)y->value[i] * (double)number(i, 5);
    return sum;
}

static void check_gradient(dpli_tape *tape, dpli_param *p, const float *got)
{
    const float h = 0x1p-6f;
    float want[256];
    size_t at;

    for (size_t i = 0; i < p->n; i++) {
        const float x = p->value[i];
        double ends[2];

        for (int side = 0; side < 2; side++) {
            p->value[i] = side ? x - h : x + h;
            ends[side] = loss_of(tape);
        }
        p->value[i] = x;
        want[i] = (float)((ends[0] - ends[1]) / (2 * (double)h));
    }
    const double worst = worst_difference(got, want, p->n, 1e-3, &at);
    if (!(worst <= 1e-3))
        fail_msg("%s: gradient %zu is %g, by differences %g", p->name, at, (double)got[at],
                 (double)want[at]);
}

/* The tape's values and gradients, on one thread and on two; how many parameters have one. */
static int check(writer *w, int opset, const dpl_shape *in)
{
    dpli_buf bytes = finish(w, opset);
    int n_trained = 0;

    for (int threads = 1; threads <= 2; threads++) {
        float y[64], grads[8][256];
        dpli_graph g;
        dpli_team *team;
        dpli_tape *tape;
        dpl_error err;
        size_t at;

        if (dpli_graph_for_training(&g, bytes.data, bytes.len, &err) != DPL_OK ||
            dpli_team_new(&team, threads, &err) != DPL_OK ||
            dpli_tape_new(&tape, &g, team, in, &(dpli_tape_options){.max_bytes = 1 << 24}, &err) !=
                DPL_OK)
            fail_msg("%s", err.message);
        const dpli_tensor *out = dpli_tape_output(tape);
        dpli_tensor *x = dpli_tape_input(tape), *second = dpli_tape_second_input(tape);
        if (x->ids)
            fill_ids(x->ids, &x->shape, false);
        else
            fill_floats(x->value, dpli_tensor_floats(x));
        if (second)
            fill_ids(second->ids, &second->shape, true);
        by_the_engine(y, dpli_tensor_floats(out), &bytes, in);
        loss_of(tape);
        assert_int_equal(dpli_tape_fault(tape, &err), DPL_OK);
        const double worst = worst_difference(out->value, y, dpli_tensor_floats(out), 1e-3, &at);
        if (!(worst <= 2e-6))
            fail_msg("value %zu is %g, the engine's %g", at, (double)out->value[at], (double)y[at]);
        for (size_t i = 0; i < dpli_tensor_floats(out); i++)
            out->grad[i] = number(i, 5);
        dpli_tape_backward(tape);
        n_trained = 0;
        for (int32_t i = 0; i < dpli_tape_n_params(tape); i++) {
            const dpli_param *p = dpli_tape_param(tape, i);

            if (p->grad) {
                assert_true(n_trained < 8 && p->n <= 256);
                memcpy(grads[n_trained++], p->grad, p->n * sizeof *p->grad);
            }
        }
        for (int32_t i = 0, k = 0; i < dpli_tape_n_params(tape); i++)
            if (dpli_tape_param(tape, i)->grad)
                check_gradient(tape, dpli_tape_param(tape, i), grads[k++]);
        dpli_tape_free(tape);
        dpli_team_free(team);
        dpli_graph_clear(&g);
    }
    dpli_buf_clear(&bytes);
    return n_trained;
}

static void refused(writer *w, int opset, const dpl_shape *in, const char *words)
{
    dpli_buf bytes = finish(w, opset);
    dpli_graph g;
    dpli_team *team;
    dpli_tape *tape;
    dpl_error err = {0};

    assert_int_equal(dpli_graph_for_training(&g, bytes.data, bytes.len, &err), DPL_OK);
    assert_int_equal(dpli_team_new(&team, 1, &err), DPL_OK);
    assert_int_equal(
        dpli_tape_new(&tape, &g, team, in, &(dpli_tape_options){.max_bytes = 1 << 24}, &err),
        DPL_E_MODEL);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    dpli_team_free(team);
    dpli_graph_clear(&g);
    dpli_buf_clear(&bytes);
}

/* ------------------------------------------------------------------ nets */

/* x [n, 6] to h [n, width]. */
static void begin(writer *w, int64_t width)
{
    add_input(w, "x", 2, (int64_t[]){0, 6});
    add_weight(w, "w1", 1, 2, (int64_t[]){6, width});
    add_node(w, "MatMul", "x w1", "h");
}

/* The last [n, width] to y [n, 2]. */
static void end(writer *w, const char *from, int64_t width)
{
    add_weight(w, "w2", 2, 2, (int64_t[]){width, 2});
    add_node(w, "Tanh", from, "squashed");
    add_node(w, "MatMul", "squashed w2", "y");
    add_output(w, "y");
}

/* Shape "from" as [its batch, others...]. */
static void sides(writer *w, const char *from, const char *others, const char *to)
{
    char names[5][32];

    for (int i = 0; i < 5; i++)
        snprintf(names[i], sizeof names[i], "%s/%d", to, i);
    add_node(w, "Shape", from, names[0]);
    char in[96];
    snprintf(in, sizeof in, "%s zero", names[0]);
    attr_int(w, "axis", 0);
    add_node(w, "Gather", in, names[1]);
    snprintf(in, sizeof in, "%s zero_axis", names[1]);
    add_node(w, "Unsqueeze", in, names[2]);
    snprintf(in, sizeof in, "%s %s", names[2], others);
    attr_int(w, "axis", 0);
    add_node(w, "Concat", in, to);
}

static void add_zero(writer *w)
{
    static const int64_t zero = 0;

    add_tensor(w, "zero", 7, 0, NULL, &zero);
    add_ints(w, "zero_axis", 1, &zero);
}

static void sides_that_follow_from_shapes_are_trained_through(void **state)
{
    writer w = {0};

    (void)state;
    begin(&w, 8);
    add_zero(&w);
    add_ints(&w, "two_four", 2, (int64_t[]){2, 4});
    add_ints(&w, "rest", 1, (int64_t[]){-1});
    sides(&w, "h", "two_four", "cut");
    add_node(&w, "Reshape", "h cut", "matrix");
    attr_ints(&w, "perm", 3, (int64_t[]){0, 2, 1});
    add_node(&w, "Transpose", "matrix", "turned");
    sides(&w, "turned", "rest", "flat");
    add_node(&w, "Reshape", "turned flat", "f");
    end(&w, "f", 8);
    assert_int_equal(check(&w, 13, &(dpl_shape){2, {N, 6}}), 2);
}

static void parts_of_a_split_are_trained_through(void **state)
{
    static const char *const outputs[] = {"a b c", "a b c", "a b"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        writer w = {0};

        begin(&w, 9);
        if (i == 0)
            add_ints(&w, "sizes", 3, (int64_t[]){2, 3, 4});
        if (i == 2)
            attr_int(&w, "num_outputs", 2); /* of 5 and of 4 */
        attr_int(&w, "axis", i == 1 ? -1 : 1);
        add_node(&w, "Split", i == 0 ? "h sizes" : "h", outputs[i]);
        attr_int(&w, "axis", 1);
        /* Where there are three, the second is read by nobody. */
        add_node(&w, "Concat", i == 2 ? "b a" : "c a", "joined");
        end(&w, "joined", i == 2 ? 9 : 6);
        assert_int_equal(check(&w, i == 2 ? 18 : 13, &(dpl_shape){2, {N, 6}}), 2);
    }
}

/* All parts of what somebody else reads too: gradients are added. */
static void a_split_adds_to_the_gradient_of_what_others_read(void **state)
{
    writer w = {0};

    (void)state;
    begin(&w, 6);
    attr_int(&w, "axis", 1);
    add_node(&w, "Split", "h", "a b");
    add_node(&w, "Tanh", "h", "t");
    attr_int(&w, "axis", 1);
    add_node(&w, "Concat", "t b a", "joined");
    end(&w, "joined", 12);
    assert_int_equal(check(&w, 13, &(dpl_shape){2, {N, 6}}), 2);
}

static void a_split_of_the_batch_is_refused(void **state)
{
    writer w = {0};

    (void)state;
    begin(&w, 6);
    add_ints(&w, "sizes", 2, (int64_t[]){1, 2});
    attr_int(&w, "axis", 0);
    add_node(&w, "Split", "h sizes", "a b");
    end(&w, "a", 6);
    refused(&w, 13, &(dpl_shape){2, {N, 6}}, "Split");
}

/* ids [n, 4] to words [4, n, 3]. */
static void begin_words(writer *w)
{
    add_ids(w, "ids", 2, (int64_t[]){0, T});
    add_weight(w, "table", 3, 2, (int64_t[]){7, 3});
    add_node(w, "Gather", "table ids", "words");
    attr_ints(w, "perm", 3, (int64_t[]){1, 0, 2});
    add_node(w, "Transpose", "words", "steps");
}

/* A layer of 2 in both directions by these inputs, its last states [2, n, 2] to y. */
static void recurrent(writer *w, const char *op, const char *inputs)
{
    const int64_t gates = strcmp(op, "LSTM") == 0 ? 8 : 6;

    add_weight(w, "weight", 4, 3, (int64_t[]){2, gates, 3});
    add_weight(w, "state", 6, 3, (int64_t[]){2, gates, 2});
    attr_int(w, "hidden_size", 2);
    attr_string(w, "direction", "bidirectional");
    add_node(w, op, inputs, "all last");
    attr_ints(w, "perm", 3, (int64_t[]){1, 0, 2});
    add_node(w, "Transpose", "last", "turned");
    add_ints(w, "flat", 2, (int64_t[]){0, 4});
    add_node(w, "Reshape", "turned flat", "f");
    end(w, "f", 4);
}

/* States [2, n, 2] to begin with, n from the ids' shape: zeros, as PyTorch writes them, or others.
 */
static void initial_states_that_are_constants_are_begun_with(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const bool gru = i % 2, zeros = i < 2;
        writer w = {0};

        begin_words(&w);
        add_zero(&w);
        add_ints(&w, "two", 1, (int64_t[]){2});
        add_node(&w, "Shape", "ids", "shape");
        attr_int(&w, "axis", 0);
        add_node(&w, "Gather", "shape zero", "n");
        add_node(&w, "Unsqueeze", "n zero_axis", "ns");
        attr_int(&w, "axis", 0);
        add_node(&w, "Concat", "two ns two", "sides");
        if (zeros) {
            add_node(&w, "ConstantOfShape", "sides", "first");
        } else {
            add_weight(&w, "each", 8, 3, (int64_t[]){2, 1, 2});
            add_node(&w, "Expand", "each sides", "first");
        }
        recurrent(&w, gru ? "GRU" : "LSTM",
                  gru ? "steps weight state   first" : "steps weight state   first first");
        assert_int_equal(check(&w, 14, &(dpl_shape){2, {N, T}}), 4);
    }
}

/* Of a batch that the file fixes. */
static void initial_states_may_be_in_the_file(void **state)
{
    writer w = {0};

    (void)state;
    begin_words(&w);
    add_weight(&w, "h0", 8, 3, (int64_t[]){2, N, 2});
    add_weight(&w, "c0", 7, 3, (int64_t[]){2, N, 2});
    recurrent(&w, "LSTM", "steps weight state   h0 c0");
    assert_int_equal(check(&w, 14, &(dpl_shape){2, {N, T}}), 4);
}

static void lengths_are_a_second_input(void **state)
{
    writer w = {0};

    (void)state;
    begin_words(&w);
    add_value(&w, 11, "lengths", 6, 1, (int64_t[]){0}); /* int32, as ONNX has them */
    recurrent(&w, "LSTM", "steps weight state  lengths");
    assert_int_equal(check(&w, 14, &(dpl_shape){2, {N, T}}), 4);
}

static void a_mask_is_a_second_input(void **state)
{
    writer w = {0};

    (void)state;
    add_ids(&w, "ids", 2, (int64_t[]){0, 0});
    add_ids(&w, "attention_mask", 2, (int64_t[]){0, 0});
    add_weight(&w, "table", 3, 2, (int64_t[]){7, 3});
    add_ints(&w, "last", 1, (int64_t[]){-1});
    add_ints(&w, "steps", 1, (int64_t[]){1});
    add_node(&w, "Gather", "table ids", "words");
    attr_int(&w, "to", 1);
    add_node(&w, "Cast", "attention_mask", "there");
    add_node(&w, "Unsqueeze", "there last", "column");
    add_node(&w, "Mul", "words column", "some");
    attr_int(&w, "keepdims", 0);
    add_node(&w, "ReduceSum", "some steps", "sum");
    end(&w, "sum", 3);
    assert_int_equal(check(&w, 13, &(dpl_shape){2, {N, T}}), 2);
}

static void other_second_inputs_are_refused(void **state)
{
    writer w = {0};

    (void)state;
    begin(&w, 6);
    add_input(&w, "z", 2, (int64_t[]){0, 6});
    add_node(&w, "Add", "h z", "sum");
    end(&w, "sum", 6);
    refused(&w, 13, &(dpl_shape){2, {N, 6}}, "a mask [n, steps]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sides_that_follow_from_shapes_are_trained_through),
        cmocka_unit_test(parts_of_a_split_are_trained_through),
        cmocka_unit_test(a_split_adds_to_the_gradient_of_what_others_read),
        cmocka_unit_test(a_split_of_the_batch_is_refused),
        cmocka_unit_test(initial_states_that_are_constants_are_begun_with),
        cmocka_unit_test(initial_states_may_be_in_the_file),
        cmocka_unit_test(lengths_are_a_second_input),
        cmocka_unit_test(a_mask_is_a_second_input),
        cmocka_unit_test(other_second_inputs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
