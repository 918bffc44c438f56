/*
 * Planning in narrow numbers: values that lie as bfloat16 or bytes between the operators that take
 * them so.
 *
 * As bfloat16 lies a value that only such operators read; as bytes one that is rounded to them
 * (FakeQuantize) and that one such operator reads. Any other reader, and whoever asks by
 * dpli_plan_use, gets float32. What a graph gives out is always float32.
 */
#ifndef DOPPEL_NET_PLACE_H
#define DOPPEL_NET_PLACE_H

#include "net/planner.h"

/** Before the first node is planned: count who reads what. */
void dpli_narrow_count(dpli_planner *p);

/** Whether the node's result i is best made narrow. */
bool dpli_narrow_wanted(const dpli_planner *p, const dpli_node *node, int32_t i);

/** Whether the node, one that is no product, is best computed narrow: its operands, of one shape,
 * lie so, and its result is wanted so. */
bool dpli_narrow_suits(const dpli_planner *p, const dpli_node *node, int32_t n_operands);

/** The node that rounds the result of this one to bytes, being all that reads it, where the bytes
 * are wanted; else NULL. */
const dpli_node *dpli_bytes_rounding(const dpli_planner *p, const dpli_node *node);

/** The value narrow, with a step that makes it so when needed. Its rank is 4 or 2. */
dpl_status dpli_narrow_use(dpli_planner *p, const dpli_node *node, dpli_planned *v, dpli_ref *ref,
                           dpl_error *err);

/** Define output 0 of a FakeQuantize as bytes, made from x. Its rank is 4 or 2. */
dpl_status dpli_bytes_round(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                            dpl_error *err);

/** Define output i, narrow, with a buffer of its own. */
dpl_status dpli_narrow_out(dpli_planner *p, const dpli_node *node, int32_t i,
                           const dpl_shape *shape, dpli_ref *ref, dpl_error *err);

/** As dpli_narrow_out, in the place of v when nobody else reads it again. */
dpl_status dpli_narrow_out_over(dpli_planner *p, const dpli_node *node, int32_t i,
                                const dpli_planned *v, const dpl_shape *shape, dpli_ref *ref,
                                dpl_error *err);

/** For dpli_plan_use: float32, NHWC, of a value that lies narrow only. */
dpl_status dpli_narrow_widen(dpli_planner *p, const dpli_node *node, dpli_planned *v,
                             dpl_error *err);

/** Elements of a narrow value of this shape, padding included. */
size_t dpli_narrow_elements(const dpl_shape *shape);

#endif
