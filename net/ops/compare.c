/*
 * compare.c - what masks are made of: Equal, Less, LessOrEqual, Greater, GreaterOrEqual and IsNaN
 * of floats or integers, And, Or, Xor and Not of their results, Where.
 *
 * True and false are the integers 1 and 0; an integer other than 0 is taken for true.
 * Source: ONNX Equal-13, Less-13, LessOrEqual-16, Greater-13, GreaterOrEqual-16, IsNaN-13, And-7,
 * Or-7, Xor-7, Not-1, Where-16.
 */
#include "net/ops/compare.h"

#include <string.h>

#include "net/ops/binary.h"
#include "net/ops/train.h"
#include "net/planner.h"

/* In the order of the table of operators below. */
typedef enum compare_kind {
    EQUAL,
    LESS,
    LESS_EQUAL,
    GREATER,
    GREATER_EQUAL,
    IS_NAN,
    AND,
    OR,
    XOR,
    NOT
} compare_kind;

typedef struct compare_step {
    dpli_walk walk; /* the result, and behind it what it is made of */
    compare_kind kind;
    dpli_type type; /* of the operands; of Where's result */
} compare_step;

#define ROW(expression)                                                                            \
    for (int64_t i = 0; i < n; i++)                                                                \
    y[i * to] = (expression)

/* A row of a result that says whether. */
#define COMPARE(type)                                                                              \
    static void compare_##type(compare_kind kind, int64_t *y, int64_t to, const type *a,           \
                               int64_t sa, const type *b, int64_t sb, int64_t n)                   \
    {                                                                                              \
        switch (kind) {                                                                            \
        case EQUAL: ROW(a[i * sa] == b[i * sb]); break;                                            \
        case LESS: ROW(a[i * sa] < b[i * sb]); break;                                              \
        case LESS_EQUAL: ROW(a[i * sa] <= b[i * sb]); break;                                       \
        case GREATER: ROW(a[i * sa] > b[i * sb]); break;                                           \
        case GREATER_EQUAL: ROW(a[i * sa] >= b[i * sb]); break;                                    \
        case IS_NAN: ROW(a[i * sa] != a[i * sa]); break;                                           \
        case AND: ROW(a[i * sa] != 0 && b[i * sb] != 0); break;                                    \
        case OR: ROW(a[i * sa] != 0 || b[i * sb] != 0); break;                                     \
        case XOR: ROW((a[i * sa] != 0) != (b[i * sb] != 0)); break;                                \
        case NOT: ROW(a[i * sa] == 0); break;                                                      \
        }                                                                                          \
    }

COMPARE(float)
COMPARE(int64_t)

static void compare(const compare_step *s, int64_t *out, const void *a, const void *b)
{
    const dpli_walk *w = &s->walk;
    const int64_t n = dpli_walk_row(w), to = dpli_walk_step(w, 0), sa = dpli_walk_step(w, 1);
    const int64_t sb = w->n_values > 2 ? dpli_walk_step(w, 2) : 0;
    dpli_place at = {0};

    do {
        if (s->type == DPLI_F32)
            compare_float(s->kind, out + at.at[0], to, (const float *)a + at.at[1], sa,
                          (const float *)(b ? b : a) + at.at[2], sb, n);
        else
            compare_int64_t(s->kind, out + at.at[0], to, (const int64_t *)a + at.at[1], sa,
                            (const int64_t *)(b ? b : a) + at.at[2], sb, n);
    } while (dpli_walk_next(w, &at));
}

static void choose(const compare_step *s, void *out, const int64_t *condition, const void *a,
                   const void *b)
{
    const dpli_walk *w = &s->walk;
    const int64_t n = dpli_walk_row(w), to = dpli_walk_step(w, 0), sc = dpli_walk_step(w, 1);
    const int64_t sa = dpli_walk_step(w, 2), sb = dpli_walk_step(w, 3);
    dpli_place at = {0};

    do {
        const int64_t *c = condition + at.at[1];

        if (s->type == DPLI_F32) {
            const float *x = (const float *)a + at.at[2], *z = (const float *)b + at.at[3];
            float *y = (float *)out + at.at[0];

            ROW(c[i * sc] != 0 ? x[i * sa] : z[i * sb]);
        } else {
            const int64_t *x = (const int64_t *)a + at.at[2], *z = (const int64_t *)b + at.at[3];
            int64_t *y = (int64_t *)out + at.at[0];

            ROW(c[i * sc] != 0 ? x[i * sa] : z[i * sb]);
        }
    } while (dpli_walk_next(w, &at));
}

static void run_compare(const dpli_step *step)
{
    compare(step->params, step->out, step->in[0], step->in[1]);
}

static void run_where(const dpli_step *step)
{
    choose(step->params, step->out, step->in[0], step->in[1], step->in[2]);
}

/* A result of n inputs: computed now when all are known and few, else by a step. */
static dpl_status plan_inputs(dpli_planner *p, const dpli_node *node, int32_t n, compare_step *s,
                              dpli_type out_type, void (*run)(const dpli_step *), dpl_error *err)
{
    dpl_shape shape = dpli_plan_in(p, node, 0)->shape;
    const dpl_shape *shapes[DPLI_WALK_VALUES] = {&shape};
    dpli_order order = DPLI_PLAIN;
    dpli_ref in[3], out;
    bool known = true;
    dpl_status status = DPL_OK;
    dpli_step *step;

    for (int32_t i = 0; i < n && status == DPL_OK; i++) {
        dpli_planned *v = dpli_plan_in(p, node, i);
        dpl_shape both;

        shapes[i + 1] = &v->shape;
        if (dpli_shape_elements(&v->shape) < 1)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err, "input %d is empty",
                                  (int)i);
        status = dpli_broadcast(p, node, &shape, &v->shape, &both, err);
        shape = both;
        order = dpli_plan_order(v) == DPLI_NHWC ? DPLI_NHWC : order;
    }
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < n; i++)
        known = known && dpli_plan_foldable(dpli_plan_in(p, node, i), dpli_shape_elements(&shape));
    order = known || shape.rank != 4 ? DPLI_PLAIN : order;
    dpli_walk_over(&s->walk, &shape, order, n + 1, shapes);
    if (known) {
        const void *from[3] = {NULL};
        void *data;

        for (int32_t i = 0; i < n; i++)
            from[i] = dpli_plan_in(p, node, i)->known;
        status = dpli_plan_known(p, node, 0, out_type, &shape, &data, err);
        if (status == DPL_OK && run == run_where)
            choose(s, data, from[0], from[1], from[2]);
        else if (status == DPL_OK)
            compare(s, data, from[0], from[1]);
        return status;
    }
    for (int32_t i = 0; i < n && status == DPL_OK; i++)
        status = dpli_plan_use(p, node, dpli_plan_in(p, node, i), order, &in[i], err);
    if (status == DPL_OK)
        status = dpli_plan_out_of(p, node, 0, out_type, &shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run, sizeof *s, &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(compare_step *)step->params = *s;
    for (int32_t i = 0; i < n; i++)
        step->in_ref[i] = in[i];
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_compare(dpli_planner *p, const dpli_node *node, compare_kind kind,
                               bool of_logic, dpl_error *err)
{
    const dpli_planned *a = dpli_plan_in(p, node, 0), *b = dpli_plan_in(p, node, 1);
    compare_step s = {.kind = kind, .type = a->type};

    if ((b && a->type != b->type) || (of_logic && a->type != DPLI_I64))
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              of_logic ? "operands are not true or false"
                                       : "operands are of different types");
    return plan_inputs(p, node, b ? 2 : 1, &s, DPLI_I64, run_compare, err);
}

static dpl_status plan_where(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_planned *a = dpli_plan_in(p, node, 1), *b = dpli_plan_in(p, node, 2);
    compare_step s = {.type = a->type};

    if (dpli_plan_in(p, node, 0)->type != DPLI_I64 || a->type != b->type)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "condition is not true or false, or operands are of different types");
    return plan_inputs(p, node, 3, &s, a->type, run_where, err);
}

/* ------------------------------------------------------------------ training */

/* The table is in the order of the kinds. */
static compare_kind kind_of(const dpli_op *op)
{
    return (compare_kind)(op - dpli_ops_compare);
}

typedef struct trained_state {
    compare_step step;
    dpli_items items;
    const void *constant[3]; /* by the node's input; NULL where that is computed */
} trained_state;

/* A result of all inputs; true and false have no gradient. */
static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    trained_state *state = s->state;
    dpli_view views[3];
    dpl_status status;

    for (int32_t i = 0; i < s->n_in; i++) {
        if (!dpli_train_view(g, s, i, &views[i]))
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "input %d is left out", (int)i);
        if (!s->in[i])
            state->constant[i] = dpli_train_elements(s, g, i);
    }
    status = dpli_train_broadcast(g, s, s->n_in, views, s->out, err);
    if (status != DPL_OK)
        return status;
    dpli_items_over(&state->items, s->out, s->n_in, views);
    state->step = (compare_step){.walk = state->items.walk, .type = views[s->n_in == 3].type};
    return DPL_OK;
}

static dpl_status plan_trained_compare(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    trained_state *state = s->state;
    dpl_status status = plan_trained(g, s, err);
    dpli_view b;

    if (status != DPL_OK)
        return status;
    s->out->type = DPLI_I64;
    state->step.kind = kind_of(s->node->op);
    if ((s->n_in == 2 && dpli_train_view(g, s, 1, &b) && b.type != state->step.type) ||
        (s->node->op->role == DPLI_ROLE_LOGIC && state->step.type != DPLI_I64))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "operands are not of one type");
    return DPL_OK;
}

static dpl_status plan_trained_where(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const trained_state *state = s->state;
    dpl_status status = plan_trained(g, s, err);
    dpli_view condition, b;

    if (status != DPL_OK)
        return status;
    dpli_train_view(g, s, 0, &condition);
    dpli_train_view(g, s, 2, &b);
    s->out->type = state->step.type;
    if (condition.type != DPLI_I64 || b.type != state->step.type)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "condition is not true or false, or operands are of different types");
    return DPL_OK;
}

/* Where item k of input i begins. */
static const void *item_of(const dpli_tape_step *s, int32_t i, size_t k)
{
    const trained_state *state = s->state;
    const int64_t at = (int64_t)k * state->items.batch[i + 1];

    if (!s->in[i])
        return state->constant[i];
    return s->in[i]->type == DPLI_I64 ? (const void *)(s->in[i]->ids + at) : s->in[i]->value + at;
}

static void forward_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const trained_state *state = s->state;

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const int64_t at = (int64_t)k * state->items.batch[0];

        if (s->n_in == 3)
            choose(&state->step,
                   s->out->type == DPLI_I64 ? (void *)(s->out->ids + at) : s->out->value + at,
                   item_of(s, 0, k), item_of(s, 1, k), item_of(s, 2, k));
        else
            compare(&state->step, s->out->ids + at, item_of(s, 0, k),
                    s->n_in == 2 ? item_of(s, 1, k) : NULL);
    }
}

static void forward_trained(dpli_tape_step *s)
{
    dpli_team_run(s->team, (size_t)s->out->n, forward_range, s);
}

/* The gradient goes where the value came from. */
static void where_back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const trained_state *state = s->state;
    const dpli_walk *w = &state->items.walk;
    const int64_t n = dpli_walk_row(w), sy = dpli_walk_step(w, 0), sc = dpli_walk_step(w, 1);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const int64_t *condition = item_of(s, 0, k);
        const float *dy = s->out->grad + (int64_t)k * state->items.batch[0];

        for (int32_t i = 1; i < 3; i++) {
            const int64_t sx = dpli_walk_step(w, i + 1);
            float *dx = s->in[i] && s->in[i]->grad
                            ? s->in[i]->grad + (int64_t)k * state->items.batch[i + 1]
                            : NULL;
            dpli_place at = {0};

            if (!dx)
                continue;
            if (!s->add[i])
                memset(dx, 0, dpli_tensor_item(s->in[i]) * sizeof *dx);
            do {
                for (int64_t e = 0; e < n; e++) {
                    if ((condition[at.at[1] + e * sc] != 0) == (i == 1))
                        dx[at.at[i + 1] + e * sx] += dy[at.at[0] + e * sy];
                }
            } while (dpli_walk_next(w, &at));
        }
    }
}

static void backward_where(dpli_tape_step *s)
{
    dpli_team_run(s->team, (size_t)s->out->n, where_back_range, s);
}

static const dpli_trained trained_compare = {sizeof(trained_state), plan_trained_compare,
                                             forward_trained, NULL};
static const dpli_trained trained_where = {sizeof(trained_state), plan_trained_where,
                                           forward_trained, backward_where};

#define PLAN(name, kind, of_logic)                                                                 \
    static dpl_status plan_##name(dpli_planner *p, const dpli_node *node, dpl_error *err)          \
    {                                                                                              \
        return plan_compare(p, node, kind, of_logic, err);                                         \
    }

PLAN(equal, EQUAL, false)
PLAN(less, LESS, false)
PLAN(less_equal, LESS_EQUAL, false)
PLAN(greater, GREATER, false)
PLAN(greater_equal, GREATER_EQUAL, false)
PLAN(is_nan, IS_NAN, false)
PLAN(and, AND, true)
PLAN(or, OR, true)
PLAN(xor, XOR, true)
PLAN(not, NOT, true)

const dpli_op dpli_ops_compare[] = {
    {"Equal", DPLI_ROLE_OTHER, 2, 2, 1, false, NULL, NULL, plan_equal, &trained_compare},
    {"Less", DPLI_ROLE_OTHER, 2, 2, 1, false, NULL, NULL, plan_less, &trained_compare},
    {"LessOrEqual", DPLI_ROLE_OTHER, 2, 2, 1, false, NULL, NULL, plan_less_equal, &trained_compare},
    {"Greater", DPLI_ROLE_OTHER, 2, 2, 1, false, NULL, NULL, plan_greater, &trained_compare},
    {"GreaterOrEqual", DPLI_ROLE_OTHER, 2, 2, 1, false, NULL, NULL, plan_greater_equal,
     &trained_compare},
    {"IsNaN", DPLI_ROLE_OTHER, 1, 1, 1, false, NULL, NULL, plan_is_nan, &trained_compare},
    {"And", DPLI_ROLE_LOGIC, 2, 2, 1, false, NULL, NULL, plan_and, &trained_compare},
    {"Or", DPLI_ROLE_LOGIC, 2, 2, 1, false, NULL, NULL, plan_or, &trained_compare},
    {"Xor", DPLI_ROLE_LOGIC, 2, 2, 1, false, NULL, NULL, plan_xor, &trained_compare},
    {"Not", DPLI_ROLE_LOGIC, 1, 1, 1, false, NULL, NULL, plan_not, &trained_compare},
    {"Where", DPLI_ROLE_WHERE, 3, 3, 1, false, NULL, NULL, plan_where, &trained_where},
    {0},
};
