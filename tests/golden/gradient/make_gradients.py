#!/usr/bin/env python3
"""Gradients of small networks of sentences, by PyTorch in double precision.

Each NAME.onnx is run by the operators of PyTorch (LSTM and GRU by torch.nn's own over packed
sequences), its output multiplied by a cotangent and summed, and what that gives for each trained
constant is written to NAME.bin in the format of ../README.md: inputs the ids and the cotangent,
outputs "y" and a tensor a constant. Central differences in double have to agree, or the script stops.

    python3 -m venv v && v/bin/pip install torch onnx==1.23.2 onnxruntime==1.31.1 numpy pillow
    v/bin/python tests/golden/gradient/make_gradients.py
"""

import os
import sys

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from make_golden import Graph, I64, ints, record_bytes, recurrent, run_onnxruntime  # noqa: E402

F32 = TensorProto.FLOAT


def cell(op, x, w, r, b, lengths, first, reverse, after):
    """One direction by torch.nn; x [steps, batch, in]. GRU with the reset first is no torch.nn's."""
    steps, batch, _ = x.shape
    hidden = r.shape[1]
    gates = 4 if op == "LSTM" else 3
    order = [0, 2, 3, 1] if op == "LSTM" else [1, 0, 2]  # torch's, in ONNX's gates

    def sort(m):
        return torch.cat([m.reshape(gates, hidden, -1)[k] for k in order])

    wb, rb = b[:gates * hidden], b[gates * hidden:]
    zeros = torch.zeros(batch, hidden, dtype=x.dtype)
    first = [zeros if f is None else f for f in first]
    rows = [k for k in range(batch) if lengths[k] > 0]
    y = torch.zeros(steps, batch, hidden, dtype=x.dtype)
    last = [torch.zeros(batch, hidden, dtype=x.dtype) for _ in first]
    if not rows:
        return y, last
    if reverse:
        x = torch.stack([torch.cat([x[:n, k].flip(0), x[n:, k]]) for k, n in enumerate(lengths)], 1)
    if op == "GRU" and not after:
        outs = []
        for k in rows:
            h, line = first[0][k], []
            for t in range(lengths[k]):
                zr = torch.sigmoid(w[:2 * hidden] @ x[t, k] + wb[:2 * hidden] + rb[:2 * hidden]
                                   + r[:2 * hidden] @ h)
                z, reset = zr[:hidden], zr[hidden:]
                n = torch.tanh(w[2 * hidden:] @ x[t, k] + wb[2 * hidden:] + rb[2 * hidden:]
                               + r[2 * hidden:] @ (reset * h))
                h = (1 - z) * n + z * h
                line.append(h)
            outs.append((torch.stack(line), [h]))
    else:
        packed = torch.nn.utils.rnn.pack_sequence([x[:lengths[k], k] for k in rows],
                                                  enforce_sorted=False)
        net = getattr(torch.nn, op)(x.shape[2], hidden).double()
        states = [f[rows][None] for f in first]
        values = {"weight_ih_l0": sort(w), "weight_hh_l0": sort(r), "bias_ih_l0": sort(wb)[:, 0],
                  "bias_hh_l0": sort(rb)[:, 0]}
        out, state = torch.func.functional_call(
            net, values, (packed, tuple(states) if op == "LSTM" else states[0]))
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(out)
        state = state if op == "LSTM" else (state,)
        outs = [(out[:lengths[k], i], [s[0, i] for s in state]) for i, k in enumerate(rows)]
    y, lasts = y.clone(), [list(l.unbind(0)) for l in last]
    columns = list(y.unbind(1))
    for k, (line, state) in zip(rows, outs):
        line = line.flip(0) if reverse else line
        columns[k] = torch.cat([line, y[lengths[k]:, k]])
        for i, s in enumerate(state):
            lasts[i][k] = s
    return torch.stack(columns, 1), [torch.stack(l) for l in lasts]


def layer(node, attrs, inputs):
    op = node.op_type
    inputs = inputs + [None] * 7
    x, w, r, b, lengths = inputs[:5]
    first = inputs[5:7] if op == "LSTM" else inputs[5:6]
    direction = attrs.get("direction", b"forward").decode()
    lengths = [x.shape[0]] * x.shape[1] if lengths is None else lengths.tolist()
    b = torch.zeros(w.shape[0], 2 * w.shape[1], dtype=x.dtype) if b is None else b
    outs = [cell(op, x, w[d], r[d], b[d], lengths, [f if f is None else f[d] for f in first],
                 direction == "reverse" or d == 1, attrs.get("linear_before_reset", 0))
            for d in range(w.shape[0])]
    return [torch.stack([y for y, _ in outs], 1)] + [
        torch.stack([last[i] for _, last in outs]) for i in range(len(first))]


def shape_of(x, target):
    return [x.shape[i] if d == 0 else int(d) for i, d in enumerate(target.tolist())]


def take_slice(x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes.tolist()
    for i, axis in enumerate(axes):
        at = list(range(x.shape[axis]))[int(starts[i]):int(ends[i]):int(1 if steps is None else steps[i])]
        x = x.index_select(axis, torch.tensor(at))
    return x


TYPES = {F32: torch.float64, I64: torch.int64, TensorProto.INT32: torch.int64,
         TensorProto.BOOL: torch.bool}
OPS = {
    "Gather": lambda a, t, i: t[i],
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Reshape": lambda a, x, s: x.reshape(shape_of(x, s)),
    "Squeeze": lambda a, x, i: x.squeeze(tuple(i.tolist())),
    "Unsqueeze": lambda a, x, i: x[(None,) * len(i)].movedim(
        tuple(range(len(i))), tuple(i.tolist())),
    "Slice": lambda a, *x: take_slice(*x),
    "Expand": lambda a, x, s: x.expand(torch.broadcast_shapes(x.shape, tuple(s.tolist()))),
    "Concat": lambda a, *x: torch.cat(x, a["axis"]),
    "Where": lambda a, *x: torch.where(*x),
    "Equal": lambda a, x, y: x == y,
    "Greater": lambda a, x, y: x > y,
    "Less": lambda a, x, y: x < y,
    "Not": lambda a, x: ~x,
    "And": lambda a, x, y: x & y,
    "Cast": lambda a, x: x.to(TYPES[a["to"]]),
    "ReduceSum": lambda a, x, i: x.sum(tuple(i.tolist()), keepdim=bool(a.get("keepdims", 1))),
    "ReduceMean": lambda a, x: x.mean(tuple(a["axes"]), keepdim=bool(a.get("keepdims", 1))),
    "Add": lambda a, x, y: x + y,
    "Sub": lambda a, x, y: x - y,
    "Mul": lambda a, x, y: x * y,
    "Div": lambda a, x, y: x / y,
    "Pow": lambda a, x, y: x ** y,
    "Sqrt": lambda a, x: x.sqrt(),
    "Tanh": lambda a, x: x.tanh(),
    "Sigmoid": lambda a, x: x.sigmoid(),
    "Erf": lambda a, x: torch.erf(x),
    "Gelu": lambda a, x: torch.nn.functional.gelu(x, approximate=a.get(
        "approximate", b"none").decode()),
    "Clip": lambda a, x, low: x.clamp(min=float(low)),
    "MatMul": lambda a, x, y: x @ y,
    "Softmax": lambda a, x: torch.softmax(x, a["axis"]),
    "LayerNormalization": lambda a, x, *w: torch.nn.functional.layer_norm(
        x, w[0].shape, *w, eps=a.get("epsilon", 1e-5)),
}


def run(model, values):
    for node in model.graph.node:
        attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [values[n] if n else None for n in node.input]
        outs = (layer(node, attrs, inputs) if node.op_type in ("LSTM", "GRU")
                else [OPS[node.op_type](attrs, *inputs)])
        values.update(zip(node.output, outs))
    return values[model.graph.output[0].name]


def constants(model):
    out = {}
    for t in model.graph.initializer:
        x = numpy_helper.to_array(t)
        out[t.name] = torch.tensor(x, dtype=torch.float64 if x.dtype == np.float32 else None)
    return out


def write(name, model, ids, trained, rng):
    def loss(values, cotangent):
        return (run(model, {**values, "x0": torch.tensor(ids)}) * cotangent).sum()

    values = constants(model)
    for key in trained:
        values[key].requires_grad_()
    y = run(model, {**values, "x0": torch.tensor(ids)})
    other = list(run_onnxruntime(model, {"x0": ids}).values())[0]
    assert y.shape == other.shape, (name, y.shape, other.shape)
    worst = float(np.abs(y.detach().numpy() - other).max())
    assert worst < 2e-5, f"{name}: onnxruntime differs by {worst}"
    cotangent = rng.normal(size=y.shape).astype(np.float32)
    (y * torch.tensor(cotangent.astype(np.float64))).sum().backward()
    # Central differences, at up to eight places of each.
    with torch.no_grad():
        for key in trained:
            flat = values[key].view(-1)
            for at in rng.choice(flat.numel(), min(8, flat.numel()), replace=False):
                h, was = 1e-6, float(flat[at])
                c = torch.tensor(cotangent.astype(np.float64))
                flat[at] = was + h
                up = float(loss(values, c))
                flat[at] = was - h
                down = float(loss(values, c))
                flat[at] = was
                want = float(values[key].grad.view(-1)[at])
                assert abs((up - down) / (2 * h) - want) < 1e-6 * (1 + abs(want)), (name, key, at)
    data = record_bytes({"x0": ids, "cotangent": cotangent},
                        {"y": y.detach().numpy().astype(np.float32),
                         **{k: values[k].grad.numpy().astype(np.float32) for k in trained}})
    with open(os.path.join(HERE, name + ".bin"), "wb") as file:
        file.write(data)
    with open(os.path.join(HERE, name + ".onnx"), "wb") as file:
        file.write(model.SerializeToString())
    return len(data) + model.ByteSize()


CASES = []


class Net(Graph):
    """A graph whose constants are trained, those apart that weight() has not made."""

    def __init__(self, name, ids, opset=13):
        super().__init__(name, opset)
        self.ids_given, self.trained = np.asarray(ids, np.int64), []
        self.x = self.given(self.ids_given, free=(0,))

    def weight(self, *shape, scale=0.5):
        name = self.const(self.rand(*shape, scale=scale))
        self.trained.append(name)
        return name

    def embed(self, dim, rows=11, ids=None):
        return self.node("Gather", [self.weight(rows, dim), ids or self.x])

    def cell(self, op, x, hidden, n_in, dirs=1, bias=True, extra=(), **attrs):
        gates = 4 if op == "LSTM" else 3
        weights = [self.weight(dirs, gates * hidden, n_in), self.weight(dirs, gates * hidden, hidden)]
        weights.append(self.weight(dirs, 2 * gates * hidden) if bias else None)
        return self.node(op, [x, *weights, *extra], 3 if op == "LSTM" else 2, hidden_size=hidden,
                         **({"direction": "bidirectional"} if dirs == 2 else {}), **attrs)

    def lengths(self):
        there = self.node("Not", [self.node("Equal", [self.x, np.int64(0)])])
        return self.node("ReduceSum", [self.node("Cast", [there], to=TensorProto.INT32), ints(1)],
                         keepdims=0)

    def time_first(self, x):
        return self.node("Transpose", [x], perm=[1, 0, 2])

    def joined(self, y, width):
        """[steps, directions, batch, hidden] to [batch, steps, width]."""
        y = self.node("Reshape", [self.node("Transpose", [y], perm=[0, 2, 1, 3]), ints(0, 0, width)])
        return self.time_first(y)

    def last(self, y, width):
        """[directions, batch, hidden] to [batch, width]."""
        return self.node("Reshape", [self.time_first(y), ints(0, width)])


def net(name, ids, opset=14):
    def add(function):
        g = Net(name, ids, opset)
        g.output(function(g))
        CASES.append(g)
    return add


SENTENCES = [[3, 1, 4, 1, 5], [9, 2, 0, 0, 0], [0, 0, 0, 0, 0], [6, 5, 3, 5, 0], [8, 0, 0, 0, 0],
             [9, 7, 9, 3, 2], [10, 10, 4, 0, 0]]


def build():
    for op in ("LSTM", "GRU"):
        variants = [("", {})] if op == "LSTM" else [("", {}), ("_after", {"linear_before_reset": 1})]
        for more, attrs in variants:
            for direction in ("forward", "reverse", "bidirectional"):
                dirs = 2 if direction == "bidirectional" else 1

                @net(f"{op.lower()}_{direction}{more}", SENTENCES)
                def _(g):
                    """All outputs, of own lengths, from states that are computed."""
                    begin = g.node("Slice", [g.x, ints(0), ints(1), ints(1)])
                    first = [g.time_first(g.node("Reshape", [g.embed(dirs * 6, ids=begin),
                                                             ints(0, dirs, 6)]))
                             for _ in range(2 if op == "LSTM" else 1)]
                    own = {"direction": direction} if dirs == 1 else {}
                    y, *last = g.cell(op, g.time_first(g.embed(3)), 6, 3, dirs,
                                      extra=[g.lengths(), *first], **own, **attrs)
                    y = g.node("ReduceMean", [g.joined(y, dirs * 6)], axes=[1], keepdims=0)
                    for z in last:
                        y = g.node("Concat", [y, g.last(z, dirs * 6)], axis=1)
                    return y

            @net(f"{op.lower()}_all_steps{more}", [[1, 2, 3], [4, 5, 6]])
            def _(g):
                """No bias, no lengths, no states; Y only."""
                y = g.cell(op, g.time_first(g.embed(17)), 5, 17, bias=False, **attrs)[0]
                return g.node("Reshape", [g.joined(y, 5), ints(0, 15)])

        @net(f"{op.lower()}_last_state_of_one", [[7]])
        def _(g):
            return g.last(g.cell(op, g.time_first(g.embed(4)), 19, 4, 2)[1], 38)

    @net("bilstm_twice", [[3, 1, 4, 0], [2, 0, 0, 0], [5, 6, 7, 8]])
    def _(g):
        """Two layers over masked words, the mean of what is there; a dense layer behind."""
        n = g.lengths()
        y = g.cell("LSTM", g.time_first(g.embed(5)), 4, 5, 2, extra=[n])[0]
        y = g.joined(y, 8)
        z = g.cell("LSTM", g.time_first(y), 3, 8, 2, extra=[n])[1]
        return g.node("MatMul", [g.last(z, 6), g.weight(6, 4)])

    @net("mean_under_mask", [[3, 1, 0], [5, 0, 0], [0, 0, 0], [1, 2, 3]])
    def _(g):
        mask = g.node("Cast", [g.node("Greater", [g.x, np.int64(0)])], to=F32)
        wide = g.node("Unsqueeze", [mask, ints(2)])
        x = g.node("Mul", [g.embed(5), wide])
        n = g.node("Clip", [g.node("ReduceSum", [wide, ints(1)], keepdims=0), np.float32(1)])
        return g.node("Div", [g.node("ReduceSum", [x, ints(1)], keepdims=0), n])

    @net("transformer", [[4, 2, 9, 1, 0], [7, 3, 0, 0, 0], [1, 0, 0, 0, 0]], opset=17)
    def _(g):
        mask = g.node("Unsqueeze", [g.node("Equal", [g.x, np.int64(0)]), ints(1, 2)])
        x = g.node("Add", [g.embed(12), g.rand(5, 12, scale=1)])

        def norm(x):
            return g.node("LayerNormalization", [x, g.weight(12), g.weight(12)])

        def dense(x, n_in, n_out):
            return g.node("Add", [g.node("MatMul", [x, g.weight(n_in, n_out)]), g.weight(n_out)])

        def heads(x, perm):
            return g.node("Transpose", [g.node("Reshape", [dense(x, 12, 12), ints(0, 0, 3, 4)])],
                          perm=perm)

        y = norm(x)
        scores = g.node("MatMul", [heads(y, [0, 2, 1, 3]), heads(y, [0, 2, 3, 1])])
        scores = g.node("Where", [mask, np.float32(-np.inf), g.node("Div", [scores, np.float32(2)])])
        y = g.node("MatMul", [g.node("Softmax", [scores], axis=-1), heads(y, [0, 2, 1, 3])])
        y = g.node("Reshape", [g.node("Transpose", [y], perm=[0, 2, 1, 3]), ints(0, 0, 12)])
        x = g.node("Add", [x, dense(y, 12, 12)])
        y = dense(norm(x), 12, 20)
        erf = g.node("Erf", [g.node("Div", [y, np.float32(np.sqrt(2))])])
        y = g.node("Mul", [g.node("Mul", [y, g.node("Add", [erf, np.float32(1)])]), np.float32(0.5)])
        x = g.node("Add", [x, dense(y, 20, 12)])
        return g.node("ReduceMean", [x], axes=[1], keepdims=0)

    @net("layer_norm_written_out", [[1, 2, 3], [4, 5, 6]])
    def _(g):
        x = g.embed(7)
        d = g.node("Sub", [x, g.node("ReduceMean", [x], axes=[-1])])
        v = g.node("ReduceMean", [g.node("Pow", [d, np.float32(2)])], axes=[-1])
        y = g.node("Div", [d, g.node("Sqrt", [g.node("Add", [v, np.float32(1e-5)])])])
        y = g.node("MatMul", [g.node("Tanh", [y]), g.weight(7, 2)])
        return g.node("Reshape", [y, ints(0, 6)])

    @net("shapes", [[1, 2, 3, 4], [5, 6, 7, 8], [9, 0, 1, 2]])
    def _(g):
        """Softmax between other axes, broadcasts on both sides, slices, joins, another Transpose."""
        x = g.embed(6)
        wide = g.node("Expand", [g.node("Slice", [x, ints(1), ints(2), ints(1)]), ints(1, 4, 1)])
        y = g.node("Mul", [x, g.node("Softmax", [g.node("Add", [x, wide])], axis=1)])
        z = g.node("Sub", [g.node("Unsqueeze", [x, ints(1)]), g.node("Unsqueeze", [y, ints(2)])])
        z = g.node("Sigmoid", [g.node("ReduceSum", [z, ints(3)], keepdims=0)])
        z = g.node("MatMul", [g.node("Transpose", [z], perm=[0, 2, 1]), y])
        z = g.node("Pow", [z, np.float32(3)])
        z = g.node("Concat", [z, g.node("Slice", [x, ints(-1), ints(-5), ints(1), ints(-2)])], axis=1)
        y = g.node("Where", [g.node("Greater", [g.x, np.int64(4)]), np.float32(0.5),
                             g.node("Squeeze", [g.node("Slice", [y, ints(2), ints(3), ints(2)]),
                                                ints(2)])])
        return g.node("Concat", [g.node("Reshape", [z, ints(0, 36)]), y], axis=1)

    for how in ("none", "tanh"):
        @net(f"gelu_{how}", [[1, 2], [3, 4]], opset=20)
        def _(g):
            y = g.node("Gelu", [g.node("Mul", [g.embed(9), np.float32(4)])], approximate=how)
            return g.node("Reshape", [y, ints(0, 18)])


def main():
    for entry in os.listdir(HERE):
        if entry.endswith((".bin", ".onnx")):
            os.remove(os.path.join(HERE, entry))
    build()
    total = sum(write(g.name, g.model(), g.ids_given, g.trained, np.random.default_rng(1))
                for g in CASES)
    print(f"{len(CASES)} nets, {total} bytes")


if __name__ == "__main__":
    main()
