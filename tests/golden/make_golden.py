#!/usr/bin/env python3
"""Write the golden data beside this script: see README.md for the format and how to run it."""
import argparse
import os
import struct
import sys
import zlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "..", "models")
F32, F16, I64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


class Formula:
    """An input whose values the reader computes from their index: see README.md."""

    def __init__(self, shape, offset, scale):
        self.shape, self.offset, self.scale = shape, np.float32(offset), np.float32(scale)

    def array(self):
        h = np.arange(int(np.prod(self.shape)), dtype=np.uint32) * np.uint32(2654435761)
        h ^= h >> np.uint32(15)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
        u = (h >> np.uint32(8)).astype(np.float32) / np.float32(16777216)
        return (self.offset + self.scale * u).astype(np.float32).reshape(self.shape)


def value_of(x):
    if isinstance(x, Formula):
        return x.array()
    return x if isinstance(x, np.ndarray) and x.dtype.kind == "i" else np.asarray(x, np.float32)


def tensor_bytes(name, x):
    shape = x.shape
    ids = not isinstance(x, Formula) and x.dtype.kind == "i"
    mark = 0x80000000 if isinstance(x, Formula) else 0x40000000 if ids else 0
    head = struct.pack("<I", len(name)) + name.encode() + struct.pack(
        f"<I{len(shape)}I", len(shape) | mark, *shape)
    if isinstance(x, Formula):
        return head + struct.pack("<ff", x.offset, x.scale)
    if ids:
        return head + np.ascontiguousarray(x, "<i8").tobytes()
    return head + np.ascontiguousarray(x, "<f4").tobytes()


def record_bytes(inputs, outputs):
    out = b"DPLG"
    for tensors in (inputs, outputs):
        out += struct.pack("<I", len(tensors))
        out += b"".join(tensor_bytes(name, x) for name, x in tensors.items())
    return out


def run_onnxruntime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    source = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(None, {k: value_of(v) for k, v in inputs.items()})))


def run_reference(model, inputs):
    from onnx.reference import ReferenceEvaluator
    with np.errstate(all="ignore"):
        values = ReferenceEvaluator(model).run(None, {k: value_of(v) for k, v in inputs.items()})
    return dict(zip([o.name for o in model.graph.output], values))


def write_case(folder, name, model, runs, unlike_reference=None):
    """Save the model and its records; unlike_reference says why onnx.reference is not asked."""
    results = [run_onnxruntime(model, inputs) for inputs in runs]
    for output in model.graph.output:
        shapes = [result[output.name].shape for result in results]
        free = any(d.dim_param for x in model.graph.input for d in x.type.tensor_type.shape.dim)
        dims = [f"{output.name}_{i}" if free else d for i, d in enumerate(shapes[0])]
        output.CopyFrom(helper.make_tensor_value_info(output.name, F32, dims))
    onnx.checker.check_model(model, full_check=unlike_reference is None)
    data = b""
    for inputs, outputs in zip(runs, results):
        assert all(np.isfinite(v).all() and v.dtype == np.float32 for v in outputs.values()), name
        if unlike_reference is None:
            for key, value in run_reference(model, inputs).items():
                assert value.shape == outputs[key].shape, (name, value.shape, outputs[key].shape)
                scale = max(1e-30, float(np.abs(value).max(initial=0)))
                worst = float(np.abs(value - outputs[key]).max(initial=0)) / scale
                assert worst < 1e-5, f"{name}: onnx.reference differs by {worst:.1e}"
        data += record_bytes(inputs, outputs)
    onnx.save(model, os.path.join(folder, name + ".onnx"))
    with open(os.path.join(folder, name + ".bin"), "wb") as file:
        file.write(data)
    return len(data) + model.ByteSize()


class Graph:
    """A graph in the making. Tensors are names; arrays given as a node's inputs are constants."""

    def __init__(self, name, opset=13):
        self.name, self.opset = name, opset
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.inputs, self.outputs, self.initializers, self.runs = [], [], [], [], [{}]

    def input(self, shape, *more_shapes, free=(), formula=None, low=None, high=None):
        """One input; with more_shapes, one more record for each. free: axes without a size."""
        name = f"x{len(self.inputs)}"
        for i, s in enumerate((shape, *more_shapes)):
            while len(self.runs) <= i:
                self.runs.append({})
            if formula:
                self.runs[i][name] = Formula(s, *formula)
            elif low is not None:
                self.runs[i][name] = self.rng.uniform(low, high, s).astype(np.float32)
            else:
                self.runs[i][name] = (self.rng.normal(0.1, 1, s)).astype(np.float32)
        dims = [f"d{i}" if i in free else d for i, d in enumerate(shape)]
        self.inputs.append(helper.make_tensor_value_info(name, F32, dims))
        return name

    def ids(self, n_rows, shape, *more_shapes, free=(), dtype=np.int64):
        """One input of ids into a table of n_rows, a third of them counted from its end."""
        name = f"x{len(self.inputs)}"
        for i, s in enumerate((shape, *more_shapes)):
            while len(self.runs) <= i:
                self.runs.append({})
            x = self.rng.integers(0, n_rows, s)
            x = np.where(self.rng.integers(0, 3, s) == 0, x - n_rows, x)
            self.runs[i][name] = np.asarray(x, dtype)
        dims = [f"d{i}" if i in free else d for i, d in enumerate(shape)]
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.inputs.append(helper.make_tensor_value_info(name, kind, dims))
        return name

    def given(self, *values, free=()):
        """One input of integers, a record each."""
        name = f"x{len(self.inputs)}"
        for i, value in enumerate(values):
            while len(self.runs) <= i:
                self.runs.append({})
            self.runs[i][name] = value
        dims = [f"d{i}" if i in free else d for i, d in enumerate(values[0].shape)]
        kind = helper.np_dtype_to_tensor_dtype(values[0].dtype)
        self.inputs.append(helper.make_tensor_value_info(name, kind, dims))
        return name

    def rand(self, *shape, scale=None, offset=0.0):
        """Normal weights of a size that keeps a convolution's output near one."""
        if scale is None:
            scale = 1 / np.sqrt(max(1, int(np.prod(shape[1:]))))
        return (self.rng.normal(0, 1, shape) * scale + offset).astype(np.float32)

    def const(self, value, name=None, raw=True):
        name = name or f"c{len(self.initializers)}"
        value = np.asarray(value)
        if value.dtype == np.int32 or value.dtype == np.int64:
            value = value.astype(np.int64)
        tensor = numpy_helper.from_array(value, name)
        if not raw:  # the typed fields instead of raw_data
            data_type = tensor.data_type
            values = value.view(np.uint16) if value.dtype == np.float16 else value
            tensor = TensorProto(name=name, data_type=data_type, dims=value.shape)
            {F32: tensor.float_data, I64: tensor.int64_data, F16: tensor.int32_data}[
                data_type].extend(values.ravel().tolist())
        self.initializers.append(tensor)
        return name

    def node(self, op, inputs, n_outputs=1, **attrs):
        names = ["" if x is None else x if isinstance(x, str) else self.const(x) for x in inputs]
        outs = [f"t{len(self.nodes)}" + (f"_{i}" if n_outputs > 1 else "")
                for i in range(n_outputs)]
        self.nodes.append(helper.make_node(op, names, outs, name=f"{op.lower()}_{len(self.nodes)}",
                                           **attrs))
        return outs[0] if n_outputs == 1 else outs

    def output(self, *names):
        self.outputs += [helper.make_tensor_value_info(n, F32, None) for n in names]
        return self

    def whether(self, x):
        """A result that is true or false, as floats, which an output has to be."""
        self.output(self.node("Cast", [x], to=F32))

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs,
                                  self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  producer_name="doppel tests/golden/make_golden.py")
        model.ir_version = 8
        return model


CASES = []


def case(name, op, inputs, opset=13, n_outputs=1, unlike_reference=None, **attrs):
    """One node. A tuple in inputs is the shape of an input, an array a constant, None left out."""
    g = Graph(name, opset)
    args = [g.input(x) if isinstance(x, tuple) else x(g) if callable(x) else x for x in inputs]
    out = g.node(op, args, n_outputs, **attrs)
    g.output(*(out if n_outputs > 1 else [out]))
    CASES.append((g, unlike_reference))
    return g


def build(name, opset=13, unlike_reference=None):
    """Decorator: the function fills a Graph."""
    def add(function):
        g = Graph(name, opset)
        function(g)
        CASES.append((g, unlike_reference))
        return function
    return add


def w(*shape, **keywords):
    """Weights made from the case's own generator."""
    return lambda g: g.const(g.rand(*shape, **keywords))


def between(shape, low, high):
    return lambda g: g.input(shape, low=low, high=high)


def ints(*values):
    return np.array(values, np.int64)


def add_conv():
    case("conv_plain", "Conv", [(1, 3, 5, 7), w(4, 3, 3, 3)], opset=11)
    case("conv_bias", "Conv", [(2, 3, 6, 5), w(5, 3, 3, 3), w(5)], pads=[1, 1, 1, 1])
    case("conv_group2_dilated_asymmetric", "Conv", [(1, 6, 11, 9), w(4, 3, 3, 2), w(4)], group=2,
         dilations=[2, 3], pads=[0, 3, 2, 1], strides=[2, 1], kernel_shape=[3, 2])
    case("conv_1x1", "Conv", [(3, 17, 5, 3), w(33, 17, 1, 1), w(33)])
    case("conv_1x1_stride2", "Conv", [(2, 5, 7, 8), w(3, 5, 1, 1), w(3)], strides=[2, 2])
    case("conv_1x1_padded", "Conv", [(1, 5, 4, 3), w(3, 5, 1, 1), w(3)], pads=[1, 0, 0, 2])
    case("conv_5x1", "Conv", [(1, 2, 9, 4), w(3, 2, 5, 1), w(3)], pads=[2, 0, 2, 0])
    case("conv_1x5_stride13", "Conv", [(1, 2, 3, 23), w(3, 2, 1, 5), w(3)], strides=[1, 3],
         pads=[0, 1, 0, 4])
    case("conv_kernel_is_picture", "Conv", [(2, 3, 4, 5), w(7, 3, 4, 5), w(7)])
    case("conv_kernel_beyond_picture", "Conv", [(1, 2, 3, 2), w(3, 2, 5, 5)], pads=[2, 2, 2, 2])
    case("conv_stride_over_kernel", "Conv", [(1, 3, 10, 11), w(2, 3, 2, 2), w(2)], strides=[3, 4])
    case("conv_10x10", "Conv", [(1, 1, 23, 21), w(6, 1, 10, 10), w(6)])
    case("conv_large", "Conv", [lambda g: g.input((2, 5, 47, 61), formula=(-1, 2)),
                                w(3, 5, 3, 3), w(3)], pads=[1, 1, 1, 1], strides=[3, 3])
    case("conv_many_channels", "Conv", [(1, 70, 4, 3), w(35, 70, 3, 3), w(35)],
         pads=[1, 1, 1, 1])
    case("conv_group3_wide", "Conv", [(2, 12, 5, 6), w(21, 4, 3, 3), w(21)], group=3,
         pads=[1, 1, 1, 1])
    for side in (8, 9):
        for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            case(f"conv_{pad.lower()}_{side}", "Conv", [(1, 2, side, side + 1), w(3, 2, 3, 3)],
                 auto_pad=pad, strides=[2, 2])
    case("depthwise_3x3", "Conv", [(2, 19, 9, 7), w(19, 1, 3, 3), w(19)], group=19,
         pads=[1, 1, 1, 1])
    case("depthwise_3x3_stride2", "Conv", [(1, 16, 8, 9), w(16, 1, 3, 3), w(16)], group=16,
         pads=[0, 1, 1, 0], strides=[2, 2])
    case("depthwise_5x5_dilated", "Conv", [(1, 5, 11, 12), w(5, 1, 5, 5)], group=5,
         dilations=[2, 1], pads=[4, 2, 4, 2])
    case("depthwise_multiplier2", "Conv", [(1, 4, 6, 5), w(8, 1, 3, 3), w(8)], group=4,
         pads=[1, 1, 1, 1])
    case("depthwise_global", "Conv", [(2, 23, 7, 7), w(23, 1, 7, 7), w(23)], group=23)
    case("depthwise_wider_than_picture", "Conv", [(1, 3, 2, 1), w(3, 1, 3, 3), w(3)], group=3,
         pads=[1, 1, 1, 1])

    @build("conv_two_readers")
    def _(g):
        """A result that an activation and something else read: the activation must not fuse."""
        x = g.input((1, 3, 5, 4))
        y = g.node("Conv", [x, g.rand(3, 3, 3, 3), g.rand(3)], pads=[1] * 4)
        r = g.node("Relu", [y])
        g.output(g.node("Add", [r, y]))

    @build("conv_is_output_too")
    def _(g):
        x = g.input((1, 3, 5, 4))
        y = g.node("Conv", [x, g.rand(2, 3, 3, 3)], pads=[1] * 4)
        g.output(y, g.node("Relu", [y]))

    for act in ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "PRelu", "Clip", "HardSwish", "HardSigmoid"):
        @build(f"conv_then_{act.lower()}", opset=14)
        def _(g, act=act):
            x = g.input((2, 3, 6, 5))
            y = g.node("Conv", [x, g.rand(10, 3, 3, 3, scale=0.5), g.rand(10)], pads=[1] * 4)
            more = [g.rand(10, 1, 1, scale=0.3)] if act == "PRelu" else \
                [np.float32(-0.3), np.float32(1.1)] if act == "Clip" else []
            g.output(g.node(act, [y, *more]))

    @build("conv_batchnorm_add_relu", opset=15)
    def _(g):
        x = g.input((2, 4, 6, 5))
        y = g.node("Conv", [x, g.rand(4, 4, 3, 3)], pads=[1] * 4)
        y = g.node("BatchNormalization", [y, g.rand(4, scale=1), g.rand(4), g.rand(4),
                                          np.abs(g.rand(4, scale=1)) + np.float32(0.1)],
                   epsilon=1e-3)
        g.output(g.node("Relu", [g.node("Add", [y, x])]))

    @build("batchnorm_before_padded_conv", opset=15)
    def _(g):
        """The padding is of zeros behind the norm: folding it into the weights alone is wrong."""
        x = g.input((1, 3, 5, 6))
        y = g.node("BatchNormalization", [x, g.rand(3, scale=1), g.rand(3, offset=2.0), g.rand(3),
                                          np.abs(g.rand(3, scale=1)) + np.float32(0.1)])
        g.output(g.node("Conv", [y, g.rand(4, 3, 3, 3), g.rand(4)], pads=[1] * 4))

    @build("pad_before_padded_conv")
    def _(g):
        x = g.input((1, 3, 5, 6))
        y = g.node("Pad", [x, ints(0, 0, 1, 2, 0, 0, 0, 1)])
        g.output(g.node("Conv", [y, g.rand(4, 3, 3, 3), g.rand(4)], pads=[1, 0, 1, 0]))

    @build("pad_of_one_before_conv")
    def _(g):
        """Padding with ones cannot become the convolution's own padding."""
        x = g.input((1, 3, 5, 6))
        y = g.node("Pad", [x, ints(0, 0, 1, 1, 0, 0, 1, 1), np.float32(1)])
        g.output(g.node("Conv", [y, g.rand(4, 3, 3, 3), g.rand(4)]))

    @build("conv_mul_add_constants")
    def _(g):
        """A batch norm written out as Mul and Add, as some exporters leave it."""
        x = g.input((1, 3, 5, 6))
        y = g.node("Conv", [x, g.rand(4, 3, 3, 3), g.rand(4)])
        y = g.node("Mul", [y, g.rand(4, 1, 1, scale=1)])
        y = g.node("Add", [g.rand(1, 4, 1, 1, scale=1), y])
        g.output(g.node("Relu", [y]))


def add_dense():
    case("gemm_plain", "Gemm", [(3, 5), w(5, 7)])
    case("gemm_trans_b", "Gemm", [(4, 9), w(6, 9), w(6)], transB=1)
    case("gemm_alpha_beta", "Gemm", [(2, 3), w(5, 3), w(5)], transB=1, alpha=0.7, beta=-1.3)
    case("gemm_trans_a", "Gemm", [(5, 3), w(5, 4), w(4)], transA=1)
    case("gemm_c_column", "Gemm", [(3, 4), w(4, 5), w(3, 1)])
    case("gemm_c_scalar", "Gemm", [(3, 4), w(4, 5), np.float32(0.7)])
    case("gemm_c_full", "Gemm", [(3, 4), w(4, 5), w(3, 5)], opset=9)
    case("gemm_of_inputs", "Gemm", [(3, 4), (4, 5), (5,)])
    case("gemm_one_row", "Gemm", [(1, 300), w(300, 33), w(33)])
    case("matmul_2d", "MatMul", [(3, 5), w(5, 4)])
    case("matmul_batched", "MatMul", [(2, 3, 5), (2, 5, 4)])
    case("matmul_batch_by_constant", "MatMul", [(2, 3, 5), w(5, 4)])
    case("matmul_broadcast", "MatMul", [(2, 1, 3, 4), (3, 4, 5)])
    case("matmul_constant_left", "MatMul", [w(3, 4), (2, 4, 5)])
    case("matmul_vector_right", "MatMul", [(3, 5), (5,)])
    case("matmul_vector_left", "MatMul", [(5,), (5, 4)])
    case("matmul_vectors", "MatMul", [(7,), (7,)])

    @build("matmul_add_relu")
    def _(g):
        x = g.input((3, 5))
        y = g.node("Add", [g.node("MatMul", [x, g.rand(5, 4)]), g.rand(4)])
        g.output(g.node("Relu", [y]))

    @build("matmul_add_gelu_of_sentences")
    def _(g):
        x = g.input((2, 3, 5))
        y = g.node("Add", [g.node("MatMul", [x, g.rand(5, 4)]), g.rand(4)])
        g.output(g.node("Erf", [y]), g.node("Add", [g.rand(6), g.node("MatMul", [x, g.rand(5, 6)])]))

    @build("flatten_gemm_order")
    def _(g):
        """NCHW order must reach the weights, whatever layout the engine uses."""
        x = g.input((2, 3, 4, 5))
        y = g.node("Relu", [x])
        g.output(g.node("Gemm", [g.node("Flatten", [y], axis=1), g.rand(6, 60), g.rand(6)],
                        transB=1))


def norm_constants(n):
    return [w(n, scale=1), w(n), w(n),
            lambda g: g.const(np.abs(g.rand(n, scale=1)) + np.float32(0.2))]


def add_pointwise():
    case("batchnorm_9", "BatchNormalization", [(2, 5, 3, 4), *norm_constants(5)], opset=9,
         unlike_reference="its BatchNormalization below 14 takes the batch's statistics")
    case("batchnorm_14", "BatchNormalization", [(2, 5, 3, 4), *norm_constants(5)], opset=14,
         epsilon=0.01)
    case("batchnorm_15", "BatchNormalization", [(1, 3, 2, 2), *norm_constants(3)], opset=15,
         momentum=0.5)
    case("batchnorm_2d", "BatchNormalization", [(4, 6), *norm_constants(6)], opset=15)
    case("relu", "Relu", [(2, 3, 5, 7)])
    case("relu_1d", "Relu", [(13,)])
    case("prelu_channels", "PRelu", [(2, 5, 4, 3), w(5, 1, 1, scale=0.5)])
    case("prelu_channels_9", "PRelu", [(2, 19, 4, 3), w(19, 1, 1, scale=0.5)], opset=9)
    case("prelu_one", "PRelu", [(2, 5, 4, 3), w(1, scale=0.5)], opset=16)
    case("prelu_2d", "PRelu", [(3, 9), w(9, scale=0.5)])
    case("prelu_full", "PRelu", [(1, 2, 3, 4), w(2, 3, 4, scale=0.5)])
    case("leakyrelu_default", "LeakyRelu", [(2, 3, 5, 3)])
    case("leakyrelu_negative_slope", "LeakyRelu", [(2, 3, 5, 3)], alpha=-0.4, opset=16)
    case("clip_9", "Clip", [(3, 4, 5)], opset=9, min=-0.5, max=0.25)
    case("clip_9_min_only", "Clip", [(3, 4, 5)], opset=9, min=0.1)
    case("clip_11", "Clip", [(2, 3, 4, 5), np.float32(-0.2), np.float32(0.6)], opset=11)
    case("clip_13_max_only", "Clip", [(2, 3, 4, 5), None, np.float32(0.3)])
    case("clip_13_none", "Clip", [(2, 3, 4)])
    case("clip_relu6", "Clip", [between((2, 9, 3, 3), -4, 9), np.float32(0), np.float32(6)])
    case("sigmoid", "Sigmoid", [between((2, 3, 5, 5), -90, 90)])
    case("hardsigmoid_default", "HardSigmoid", [between((2, 3, 5), -5, 5)])
    case("hardsigmoid", "HardSigmoid", [between((2, 3, 4, 5), -5, 5)], alpha=0.16, beta=0.4)
    case("hardswish", "HardSwish", [between((2, 3, 4, 5), -5, 5)], opset=14)
    case("tanh", "Tanh", [between((2, 3, 5, 5), -12, 12)])
    case("sqrt", "Sqrt", [between((2, 3, 5), 0, 9)])
    case("exp", "Exp", [between((2, 3, 5), -20, 12)])
    case("abs", "Abs", [(2, 3, 5)])
    case("pow_square", "Pow", [(2, 3, 4, 5), np.float32(2)])
    case("pow_half", "Pow", [between((2, 3, 5), 0, 4), np.float32(0.5)])
    case("pow_cube_of_negatives", "Pow", [(2, 3, 5), np.float32(3)], opset=12)
    case("pow_tensors", "Pow", [between((2, 3, 5), 0.1, 3), (3, 1)], opset=9)
    newer = "its Softmax has the meaning of opset 13 at every opset"
    for axis in (0, 1, 2):
        case(f"softmax_9_axis{axis}", "Softmax", [(2, 3, 4)], opset=9, axis=axis,
             unlike_reference=newer)
    case("softmax_11_default", "Softmax", [(2, 3, 2, 2)], opset=11, unlike_reference=newer)
    case("softmax_12_negative_axis", "Softmax", [(2, 3, 2, 2)], opset=12, axis=-2,
         unlike_reference=newer)
    case("softmax_13_default", "Softmax", [(2, 3, 2, 5)])
    case("softmax_13_channels", "Softmax", [between((2, 7, 3, 2), -80, 80)], axis=1)
    case("softmax_13_axis0", "Softmax", [(3, 2, 4)], axis=0)
    for op in ("Add", "Sub", "Mul", "Div"):
        low, high = (0.5, 2) if op == "Div" else (-2, 2)
        name = op.lower()
        case(f"{name}_same", op, [(2, 3, 4, 5), between((2, 3, 4, 5), low, high)])
        case(f"{name}_channels", op, [(2, 5, 3, 4), w(5, 1, 1, scale=0.2, offset=1.5)])
        case(f"{name}_constant_left", op, [w(5, 1, 1), between((2, 5, 3, 4), low, high)])
        case(f"{name}_scalar", op, [(2, 3, 4, 5), np.float32(1.7)], opset=9)
        case(f"{name}_one_left", op, [np.array([0.3], np.float32), between((2, 3, 4), low, high)])
        case(f"{name}_row", op, [(2, 3, 4, 5), between((5,), low, high)])
        case(f"{name}_plane", op, [(2, 3, 4, 5), between((1, 1, 4, 5), low, high)])
        case(f"{name}_both_spread", op, [(2, 1, 4, 1), between((1, 3, 1, 5), low, high)])
        case(f"{name}_rank_grows", op, [(4, 1), between((2, 3, 1, 5), low, high)])
        case(f"{name}_channel_gate", op, [(2, 6, 3, 4), between((2, 6, 1, 1), low, high)])

    @build("x_times_x")
    def _(g):
        x = g.input((2, 3, 4))
        g.output(g.node("Mul", [x, x]))

    @build("swish_and_gate")
    def _(g):
        """x sigmoid(x), then a squeeze-and-excite gate."""
        x = g.input((2, 6, 5, 4))
        y = g.node("Mul", [x, g.node("Sigmoid", [x])])
        s = g.node("GlobalAveragePool", [y])
        s = g.node("Relu", [g.node("Conv", [s, g.rand(3, 6, 1, 1), g.rand(3)])])
        s = g.node("HardSigmoid", [g.node("Conv", [s, g.rand(6, 3, 1, 1), g.rand(6)])])
        g.output(g.node("Mul", [y, s]))


def add_pooling():
    case("maxpool_3x3_stride2", "MaxPool", [(2, 5, 7, 8)], kernel_shape=[3, 3], strides=[2, 2],
         pads=[1, 1, 1, 1])
    case("maxpool_2x2", "MaxPool", [(1, 19, 7, 5)], kernel_shape=[2, 2], strides=[2, 2], opset=9)
    case("maxpool_stride_default", "MaxPool", [(1, 3, 5, 6)], kernel_shape=[2, 3])
    case("maxpool_negative", "MaxPool", [between((1, 3, 5, 5), -9, -1)], kernel_shape=[3, 3],
         pads=[1, 1, 1, 1])
    case("maxpool_asymmetric", "MaxPool", [(1, 3, 6, 7)], kernel_shape=[3, 2], strides=[2, 3],
         pads=[0, 1, 2, 0])
    case("maxpool_ceil", "MaxPool", [(1, 3, 6, 7)], kernel_shape=[3, 2], strides=[2, 2],
         ceil_mode=1, opset=10)
    case("maxpool_ceil_padded", "MaxPool", [(1, 2, 7, 10)], kernel_shape=[2, 3], strides=[3, 3],
         pads=[1, 1, 0, 1], ceil_mode=1)
    case("maxpool_dilated", "MaxPool", [(1, 2, 9, 8)], kernel_shape=[3, 2], dilations=[2, 3],
         opset=12)
    case("avgpool_2x2", "AveragePool", [(2, 5, 6, 5)], kernel_shape=[2, 2], strides=[2, 2], opset=9)
    case("avgpool_padded", "AveragePool", [(1, 3, 5, 6)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    case("avgpool_padded_counted", "AveragePool", [(1, 3, 5, 6)], kernel_shape=[3, 3],
         pads=[1, 0, 2, 1], count_include_pad=1)
    case("avgpool_asymmetric", "AveragePool", [(1, 3, 6, 7)], kernel_shape=[3, 2], strides=[2, 3],
         pads=[0, 1, 2, 0])
    case("avgpool_ceil", "AveragePool", [(1, 3, 6, 7)], kernel_shape=[3, 2], strides=[2, 2],
         ceil_mode=1, opset=11)
    case("avgpool_ceil_padded_counted", "AveragePool", [(1, 2, 6, 8)], kernel_shape=[3, 3],
         strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)
    for op, short in (("MaxPool", "maxpool"), ("AveragePool", "avgpool")):
        for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            case(f"{short}_{pad.lower()}", op, [(1, 3, 6, 7)], kernel_shape=[3, 2], strides=[2, 2],
                 auto_pad=pad, unlike_reference="its MaxPool loses the last column"
                 if short + pad == "maxpoolSAME_LOWER" else None)
    case("globalavgpool", "GlobalAveragePool", [(2, 5, 7, 3)])
    case("globalavgpool_1x1", "GlobalAveragePool", [(1, 5, 1, 1)])


def add_shaping():
    case("pad_9", "Pad", [(1, 2, 3, 4)], opset=9, pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.5)
    case("pad_11", "Pad", [(1, 2, 3, 4), ints(0, 0, 1, 0, 0, 0, 0, 2), np.float32(-1.5)], opset=11)
    case("pad_13_channels", "Pad", [(2, 3, 3, 4), ints(0, 1, 0, 0, 0, 2, 0, 0)])
    case("pad_batch", "Pad", [(2, 3, 2), ints(1, 0, 0, 0, 0, 1)])
    case("pad_negative", "Pad", [(1, 2, 5, 6), ints(0, 0, -1, 2, 0, 0, -2, -1)],
         unlike_reference="its Pad refuses negative pads")
    case("pad_18_axes", "Pad", [(2, 3, 4, 5), ints(1, 2, 0, 1), None, ints(3, -2)], opset=18)
    case("pad_reflect", "Pad", [(1, 2, 5, 4), ints(0, 0, 2, 1, 0, 0, 1, 3)], mode="reflect")
    case("pad_edge", "Pad", [(1, 2, 3, 4), ints(0, 0, 2, 1, 0, 0, 1, 3)], mode="edge")
    case("pad_2d", "Pad", [(3, 4), ints(0, 1, 2, 0)])

    case("concat_channels", "Concat", [(2, 3, 4, 5), (2, 1, 4, 5), (2, 5, 4, 5)], axis=1)
    case("concat_width", "Concat", [(2, 3, 4, 1), (2, 3, 4, 2)], axis=-1)
    case("concat_height", "Concat", [(2, 3, 1, 4), (2, 3, 2, 4)], axis=2)
    case("concat_batch", "Concat", [(2, 3), (1, 3)], axis=0, opset=9)
    case("concat_constant", "Concat", [(1, 3, 2, 2), w(1, 2, 2, 2)], axis=1)
    case("concat_one", "Concat", [(1, 3, 2, 2)], axis=1)
    case("split_equal", "Split", [(2, 6, 3, 4)], n_outputs=3, axis=1, opset=11)
    case("split_11_sizes", "Split", [(2, 6, 3, 4)], n_outputs=2, axis=1, split=[2, 4], opset=11)
    case("split_13_sizes", "Split", [(2, 3, 4, 7), ints(1, 4, 2)], n_outputs=3, axis=-1)
    case("split_18_num_outputs", "Split", [(2, 7, 3)], n_outputs=3, axis=1, num_outputs=3, opset=18)
    case("split_axis0", "Split", [(4, 3)], n_outputs=2, axis=0)
    case("slice_9", "Slice", [(2, 5, 6, 7)], opset=9, axes=[1, 3], starts=[1, -4], ends=[4, 1000])
    case("slice_10", "Slice", [(2, 5, 6, 7), ints(1, 0), ints(2, -1), ints(0, 2)], opset=10)
    case("slice_no_axes", "Slice", [(4, 5, 6), ints(1, 2), ints(4, 2**62)], opset=13)
    case("slice_steps", "Slice", [(1, 3, 9, 10), ints(0, 1), ints(9, 10), ints(2, 3), ints(2, 3)])
    case("slice_backwards", "Slice", [(1, 3, 5, 4), ints(-1, 2), ints(-(2**62), -5), ints(2, 1),
                                      ints(-2, -1)])
    case("transpose_default", "Transpose", [(2, 3, 4)])
    case("transpose_nhwc", "Transpose", [(2, 3, 4, 5)], perm=[0, 2, 3, 1])
    case("transpose_nchw", "Transpose", [(2, 3, 4, 5)], perm=[0, 3, 1, 2])
    case("transpose_swap", "Transpose", [(2, 3, 4, 5)], perm=[1, 0, 3, 2])
    case("transpose_2d", "Transpose", [(3, 7)], perm=[1, 0])
    case("reshape_minus_one", "Reshape", [(2, 3, 4, 5), ints(0, -1)])
    case("reshape_zero", "Reshape", [(2, 3, 4, 5), ints(0, 0, 20)])
    case("reshape_4d", "Reshape", [(2, 12), ints(2, 3, -1, 2)], opset=9)
    case("reshape_5d", "Reshape", [(2, 6, 4, 2), ints(2, 2, 3, 4, 2)])
    for axis in (0, 1, 2, 3, -1):
        case(f"flatten_axis{axis}".replace("-", "minus"), "Flatten", [(2, 3, 4, 5)], axis=axis)
    case("squeeze_11", "Squeeze", [(2, 1, 3, 1)], opset=11, axes=[1, 3])
    case("squeeze_13", "Squeeze", [(2, 1, 3, 1), ints(-1)])
    case("squeeze_all", "Squeeze", [(1, 3, 1, 2)])
    case("unsqueeze_11", "Unsqueeze", [(2, 3)], opset=11, axes=[0, 3])
    case("unsqueeze_13", "Unsqueeze", [(2, 3), ints(-1, 1)])

    @build("shuffle_channels")
    def _(g):
        """ShuffleNet's: through five dimensions and back, between convolutions."""
        x = g.input((2, 6, 3, 4))
        y = g.node("Conv", [x, g.rand(6, 3, 1, 1)], group=2)
        y = g.node("Reshape", [y, ints(0, 2, 3, 3, 4)])
        y = g.node("Transpose", [y], perm=[0, 2, 1, 3, 4])
        y = g.node("Reshape", [y, ints(0, 6, 3, 4)])
        g.output(g.node("Conv", [y, g.rand(4, 6, 3, 3)], pads=[1] * 4))

    @build("input_nhwc")
    def _(g):
        """As TensorFlow exporters leave it: NHWC in, Transpose, Conv, Transpose, NHWC out."""
        x = g.input((2, 5, 6, 3))
        y = g.node("Transpose", [x], perm=[0, 3, 1, 2])
        y = g.node("Relu", [g.node("Conv", [y, g.rand(4, 3, 3, 3), g.rand(4)], pads=[1] * 4)])
        g.output(g.node("Transpose", [y], perm=[0, 2, 3, 1]))

    @build("split_slice_concat")
    def _(g):
        x = g.input((1, 8, 5, 4))
        a, b = g.node("Split", [x, ints(3, 5)], 2, axis=1)
        c = g.node("Slice", [x, ints(2), ints(7), ints(1), ints(2)])
        y = g.node("Concat", [b, c, a, b], axis=1)
        g.output(g.node("Conv", [y, g.rand(3, 16, 3, 3), g.rand(3)]))

    @build("shape_gather_concat_reshape")
    def _(g):
        """What PyTorch writes for x.view(x.size(0), -1): constants once the batch is known."""
        x = g.input((2, 3, 4, 5), (5, 3, 4, 5), free=(0,))
        n = g.node("Gather", [g.node("Shape", [x]), np.int64(0)], axis=0)
        shape = g.node("Concat", [g.node("Unsqueeze", [n, ints(0)]), ints(-1)], axis=0)
        g.output(g.node("Reshape", [x, shape]))

    @build("shape_slice_concat_reshape", opset=15)
    def _(g):
        x = g.input((2, 6, 4, 5))
        front = g.node("Shape", [x], end=1)
        back = g.node("Slice", [g.node("Shape", [x]), ints(2), ints(4)])
        shape = g.node("Concat", [front, ints(3, 2), back], axis=0)
        g.output(g.node("Relu", [g.node("Reshape", [x, shape])]))

    @build("shape_arithmetic_resize")
    def _(g):
        """Upsampling to twice the size found in the graph, as PyTorch exports it."""
        x = g.input((1, 3, 4, 5), (2, 3, 7, 2), free=(0, 2, 3))
        hw = g.node("Slice", [g.node("Shape", [x]), ints(2), ints(4), ints(0)])
        hw = g.node("Cast", [g.node("Mul", [g.node("Cast", [hw], to=F32), np.float32([2, 2])])],
                    to=I64)
        nc = g.node("Slice", [g.node("Shape", [x]), ints(0), ints(2)])
        sizes = g.node("Concat", [nc, hw], axis=0)
        g.output(g.node("Resize", [x, None, None, sizes], mode="nearest",
                        coordinate_transformation_mode="asymmetric", nearest_mode="floor"))

    @build("gather_ids")
    def _(g):
        """An embedding, as PyTorch writes it: rows of a table by ids of the run."""
        x = g.ids(7, (3, 4), (1, 4), (5, 9), free=(0, 1))
        g.output(g.node("Gather", [g.rand(7, 5), x]))

    @build("gather_ids_int32")
    def _(g):
        x = g.ids(3, (11,), dtype=np.int32)
        g.output(g.node("Gather", [g.rand(3, 2, 3), x], axis=0))

    @build("gather_one_id")
    def _(g):
        x = g.ids(5, ())
        g.output(g.node("Relu", [g.node("Gather", [g.rand(5, 6), x])]))

    @build("gather_ids_from_input")
    def _(g):
        """Both come with the run; along an axis between others, of pictures too."""
        x, ids = g.input((2, 5, 3)), g.ids(5, (2, 2))
        picture, columns = g.input((2, 3, 4, 5)), g.ids(5, (3,))
        g.output(g.node("Gather", [x, ids], axis=1),
                 g.node("Gather", [picture, columns], axis=-1))

    @build("gather_ids_of_rank_4")
    def _(g):
        x = g.ids(6, (2, 3, 4, 5))
        g.output(g.node("Gather", [g.rand(6, 3), x]), g.node("Gather", [g.rand(6), x]))

    @build("ids_moved")
    def _(g):
        """Ids pass through all that only moves elements, joined by ids that are constants."""
        x = g.ids(9, (2, 3, 4))
        y = g.node("Transpose", [x], perm=[2, 0, 1])
        y = g.node("Slice", [y, ints(3), ints(-9), ints(0), ints(-1)])
        a, b = g.node("Split", [y, ints(1, 2)], 2, axis=2)
        y = g.node("Concat", [b, np.full((4, 2, 1), -9), a], axis=2)
        y = g.node("Expand", [g.node("Unsqueeze", [y, ints(0)]), ints(2, 1, 1, 1)])
        y = g.node("Cast", [g.node("Reshape", [y, ints(2, -1, 1)])], to=I64)
        y = g.node("Squeeze", [y, ints(2)])
        g.output(g.node("Gather", [g.rand(9, 3), y]))

    @build("embedding_mean")
    def _(g):
        """A tower for sentences at its simplest: embed, mean, dense layer, unit length."""
        x = g.ids(12, (3, 6), (1, 6), free=(0,))
        y = g.node("ReduceMean", [g.node("Gather", [g.rand(12, 8), x])], axes=[1], keepdims=0)
        y = g.node("Tanh", [g.node("Gemm", [y, g.rand(5, 8), g.rand(5)], transB=1)])
        g.output(g.node("LpNormalization", [y], axis=1))

    @build("gather_constant_weights")
    def _(g):
        x = g.input((2, 4))
        weights = g.node("Gather", [g.rand(6, 4), np.array([5, -6, 2], np.int64)], axis=0)
        g.output(g.node("MatMul", [x, g.node("Transpose", [weights], perm=[1, 0])]))

    @build("constants", opset=12)
    def _(g):
        x = g.input((2, 3))
        a = g.node("Constant", [], value=numpy_helper.from_array(g.rand(2, 3)))
        b = g.node("Constant", [], value_float=0.75)
        c = g.node("Constant", [], value_ints=[3, 2])
        y = g.node("Mul", [g.node("Add", [x, a]), b])
        g.output(g.node("Reshape", [y, c]))

    @build("identity_dropout", opset=9)
    def _(g):
        x = g.input((2, 3, 4))
        g.output(g.node("Relu", [g.node("Dropout", [g.node("Identity", [x])], ratio=0.6)]))

    @build("dropout_12", opset=12)
    def _(g):
        x = g.input((2, 3, 4))
        y, _ = g.node("Dropout", [x, np.float32(0.4)], 2)
        g.output(g.node("Abs", [y]))

    @build("identity_of_input")
    def _(g):
        g.output(g.node("Identity", [g.input((2, 3, 2))]))

    @build("two_inputs_two_outputs")
    def _(g):
        a, b = g.input((2, 3, 4, 5)), g.input((2, 3, 4, 5))
        s = g.node("Add", [a, b])
        g.output(g.node("Conv", [s, g.rand(2, 3, 3, 3)]), g.node("GlobalAveragePool", [s]), s)


def add_resize():
    case("resize_10_nearest", "Resize", [(1, 2, 3, 4), np.float32([1, 1, 2, 3])], opset=10,
         unlike_reference="its Resize refuses opset 10")
    case("resize_10_linear", "Resize", [(1, 2, 3, 4), np.float32([1, 1, 2, 1.5])], opset=10,
         mode="linear", unlike_reference="its Resize refuses opset 10")
    none = np.array([], np.float32)
    for mode in ("nearest", "linear"):
        for transform in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
            # align_corners with lengths that need no rounding: readings of the text differ there.
            up, down = ([1, 1, 2.5, 1.75], [1, 1, 0.5, 0.375]) if transform == "align_corners" \
                else ([1, 1, 2.6, 1.7], [1, 1, 0.6, 0.45])
            for opset, label, scales in ((11, "up", up), (13, "down", down)):
                case(f"resize_{mode}_{transform}_{label}", "Resize",
                     [(2, 3, 6, 8), none, np.float32(scales)], opset=opset, mode=mode,
                     coordinate_transformation_mode=transform)
    case("resize_align_corners_rounded", "Resize", [(1, 2, 5, 7), None, np.float32([1, 1, 1.3, 0.7])],
         mode="linear", coordinate_transformation_mode="align_corners",
         unlike_reference="it takes the new length before rounding, onnxruntime after")
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        case(f"resize_{nearest}", "Resize", [(1, 2, 4, 5), None, np.float32([1, 1, 2, 1.5])],
             mode="nearest", nearest_mode=nearest, coordinate_transformation_mode="half_pixel")
        case(f"resize_asymmetric_{nearest}", "Resize", [(1, 2, 4, 5), None, np.float32([1, 1, 2, 2])],
             mode="nearest", nearest_mode=nearest, coordinate_transformation_mode="asymmetric")
    case("resize_sizes_linear", "Resize", [(1, 3, 5, 4), None, None, ints(1, 3, 9, 3)],
         mode="linear", coordinate_transformation_mode="half_pixel")
    case("resize_sizes_nearest", "Resize", [(1, 3, 5, 4), None, None, ints(1, 3, 7, 10)],
         mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    case("resize_to_one", "Resize", [(1, 3, 5, 4), None, None, ints(1, 3, 1, 1)], mode="linear",
         coordinate_transformation_mode="pytorch_half_pixel")
    case("resize_18", "Resize", [(1, 2, 4, 5), None, np.float32([1, 1, 2, 2])], opset=18,
         mode="linear")
    case("resize_18_axes", "Resize", [(1, 2, 4, 5), None, np.float32([2, 3])], opset=18,
         mode="nearest", axes=[2, 3])


def add_reduce():
    case("reducemean_hw", "ReduceMean", [(2, 5, 4, 3)], axes=[2, 3])
    case("reducemean_hw_flat", "ReduceMean", [(2, 5, 4, 3)], axes=[-2, -1], keepdims=0)
    case("reducemean_all", "ReduceMean", [(2, 3, 4)], opset=11)
    case("reducemean_channels", "ReduceMean", [(2, 5, 4, 3)], axes=[1], opset=9)
    case("reducemean_18", "ReduceMean", [(2, 5, 4, 3), ints(2, 3)], opset=18)
    case("reducesum_11", "ReduceSum", [(2, 5, 4, 3)], axes=[1, 3], keepdims=0, opset=11)
    case("reducesum_13", "ReduceSum", [(2, 5, 4, 3), ints(-1)])
    case("reducesum_13_all", "ReduceSum", [(2, 3, 4)], keepdims=0)
    case("reducesum_batch", "ReduceSum", [(3, 4, 2), ints(0)], keepdims=0)
    case("reducel2_11", "ReduceL2", [(2, 7)], axes=[1], opset=11)
    case("reducel2_hw", "ReduceL2", [(2, 3, 4, 5)], axes=[2, 3], keepdims=0)
    case("reducel2_18", "ReduceL2", [(2, 3, 4), ints(1)], opset=18)
    case("lpnormalization", "LpNormalization", [(3, 9)])
    case("lpnormalization_l1", "LpNormalization", [(3, 9)], p=1, axis=1,
         unlike_reference="its L1 norm leaves out the absolute value")
    case("lpnormalization_channels", "LpNormalization", [(2, 5, 3, 4)], p=2, axis=1)

    @build("unit_length_written_out")
    def _(g):
        """x / (ReduceL2(x) clipped from below), as PyTorch's normalize is exported."""
        x = g.input((3, 9))
        n = g.node("Clip", [g.node("ReduceL2", [x], axes=[1], keepdims=1), np.float32(1e-12)])
        g.output(g.node("Div", [x, n]))

    @build("layer_norm_written_out")
    def _(g):
        x = g.input((2, 4, 10))
        d = g.node("Sub", [x, g.node("ReduceMean", [x], axes=[-1])])
        v = g.node("ReduceMean", [g.node("Pow", [d, np.float32(2)])], axes=[-1])
        y = g.node("Div", [d, g.node("Sqrt", [g.node("Add", [v, np.float32(1e-5)])])])
        g.output(g.node("Add", [g.node("Mul", [y, g.rand(10, scale=1)]), g.rand(10, scale=1)]))


def recurrent(g, op, n_in, hidden, dirs=1, bias=True, scale=0.6):
    gates = 4 if op == "LSTM" else 3
    return [g.rand(dirs, gates * hidden, n_in, scale=scale),
            g.rand(dirs, gates * hidden, hidden, scale=scale),
            g.rand(dirs, 2 * gates * hidden, scale=scale) if bias else None]


def lengths(*values):
    return np.array(values, np.int32)


def add_sentences():
    for op in ("LSTM", "GRU"):
        n_out = 3 if op == "LSTM" else 2
        name = op.lower()
        state = 2 if op == "LSTM" else 1
        variants = [("", {})] if op == "LSTM" else [("", {}), ("_after", {"linear_before_reset": 1})]
        for more, attrs in variants:
            for direction in ("forward", "reverse", "bidirectional"):
                dirs = 2 if direction == "bidirectional" else 1

                @build(f"{name}_{direction}{more}", opset=14, unlike_reference="it knows no reverse")
                def _(g):
                    """Of its own lengths: empty, full, equal and odd ones; from states that come with it."""
                    x = g.input((7, 5, 3), (1, 5, 3), (4, 5, 3), free=(0,))
                    n = g.given(lengths(0, 7, 3, 7, 1), lengths(1, 0, 1, 1, 0), lengths(0, 0, 0, 0, 0))
                    first = [g.input((dirs, 5, 9), (dirs, 5, 9), (dirs, 5, 9)) for _ in range(state)]
                    g.output(*g.node(op, [x, *recurrent(g, op, 3, 9, dirs), n, *first], n_out,
                                     direction=direction, hidden_size=9, **attrs))

            @build(f"{name}_plain{more}", opset=11, unlike_reference="it knows no two directions")
            def _(g):
                """All steps of all, batch and length free; no bias, no states."""
                x = g.input((6, 1, 5), (3, 7, 5), (1, 2, 5), free=(0, 1))
                weights = recurrent(g, op, 5, 17, 2, bias=False)
                y, *last = g.node(op, [x, *weights], n_out, direction="bidirectional",
                                  hidden_size=17, **attrs)
                g.output(y, *last)

            @build(f"{name}_batch_first{more}", opset=14,
                   unlike_reference="it knows no two directions")
            def _(g):
                """As PyTorch writes batch_first: transposed on the way in and out."""
                x = g.ids(11, (3, 6), (1, 6), free=(0,))
                x = g.node("Transpose", [g.node("Gather", [g.rand(11, 4), x])], perm=[1, 0, 2])
                y, *last = g.node(op, [x, *recurrent(g, op, 4, 8, 2)], n_out,
                                  direction="bidirectional", hidden_size=8, **attrs)
                y = g.node("Reshape", [g.node("Transpose", [y], perm=[0, 2, 1, 3]), ints(0, 0, -1)])
                y = g.node("Transpose", [y], perm=[1, 0, 2])
                a, b = g.node("Split", [last[0]], 2, axis=0)
                last = g.node("Concat", [g.node("Squeeze", [a, ints(0)]),
                                         g.node("Squeeze", [b, ints(0)])], axis=-1)
                g.output(y, last)

        @build(f"{name}_last_state_only", opset=14, unlike_reference="it takes no lengths")
        def _(g):
            """Lengths from a mask of the ids; usual activations by name; only the last state is read."""
            ids = g.given(np.array([[3, 1, 4, 0, 0], [5, 0, 0, 0, 0], [1, 2, 3, 4, 5], [0] * 5]),
                          np.array([[1, 1, 0, 0, 0], [2, 2, 2, 0, 0], [0] * 5, [5, 5, 5, 5, 0]]))
            mask = g.node("Not", [g.node("Equal", [ids, np.int64(0)])])
            n = g.node("ReduceSum", [g.node("Cast", [mask], to=TensorProto.INT32), ints(1)],
                       keepdims=0)
            x = g.node("Transpose", [g.node("Gather", [g.rand(6, 4, scale=1), ids])], perm=[1, 0, 2])
            usual = ["Sigmoid", "Tanh", "Tanh"][:n_out]
            outs = g.node(op, [x, *recurrent(g, op, 4, 33), n], n_out, hidden_size=33,
                          activations=usual)
            g.output(g.node("Squeeze", [outs[1], ints(0)]))

    @build("mean_under_mask")
    def _(g):
        """The mean of the words that are there, of a sentence without any too."""
        ids = g.given(np.array([[3, 1, 0], [5, 0, 0], [0, 0, 0]]), np.array([[1, 2, 3]]), free=(0,))
        mask = g.node("Cast", [g.node("Not", [g.node("Equal", [ids, np.int64(0)])])], to=F32)
        wide = g.node("Unsqueeze", [mask, ints(2)])
        x = g.node("Mul", [g.node("Gather", [g.rand(6, 5, scale=1), ids]), wide])
        n = g.node("Clip", [g.node("ReduceSum", [wide, ints(1)], keepdims=0), np.float32(1)])
        g.output(g.node("Div", [g.node("ReduceSum", [x, ints(1)], keepdims=0), n]))

    @build("comparisons", opset=16)
    def _(g):
        a = g.given(np.array([[1, 2, 3], [4, 4, -4]]))
        b = g.given(np.array([[1], [4]]))
        x, y = g.input((2, 1, 3)), g.input((4, 1))
        for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
            g.whether(g.node(op, [a, b]))
            g.whether(g.node(op, [x, y]))
            g.whether(g.node(op, [x, x]))

    @build("logic")
    def _(g):
        """On pictures too, whose order in memory may be another."""
        x, y = g.input((2, 3, 4, 5)), g.input((1, 3, 1, 5))
        a = g.node("Less", [g.node("Conv", [x, g.rand(3, 3, 1, 1)]), np.float32(0.2)])
        b = g.node("Greater", [y, np.float32(0)])
        for op in ("And", "Or", "Xor"):
            g.whether(g.node(op, [a, b]))
        g.whether(g.node("Not", [a]))
        g.output(g.node("Where", [a, x, y]))

    @build("is_nan")
    def _(g):
        x = g.input((2, 7))
        g.whether(g.node("IsNaN", [g.node("Sqrt", [x])]))

    @build("where_broadcast", opset=16)
    def _(g):
        a, b, c = g.given(np.array([[0], [5], [-1]])), g.given(np.array([7, 0])), g.input((4, 1, 2))
        whether = g.node("Cast", [a], to=TensorProto.BOOL)
        g.output(g.node("Where", [whether, c, np.float32(-2)]),
                 g.node("Gather", [g.rand(8, 3), g.node("Where", [whether, b, ints(1)])]))
        never = np.array([[True], [False], [True]])
        g.output(g.node("Where", [g.const(never), np.float32(3), c]))

    @build("integers_of_a_run")
    def _(g):
        a, b = g.given(np.array([[2, 3, 1]])), g.given(np.array([[1], [0]]))
        y = g.node("Mul", [g.node("Sub", [g.node("Add", [a, b]), ints(1)]), b])
        g.output(g.node("Gather", [g.rand(8, 3), y]), g.node("Cast", [y], to=F32))

    @build("casts_of_a_run")
    def _(g):
        x, n = g.input((3, 5)), g.given(np.array([[-300, 0, 7], [1, 1 << 40, 2]]))
        g.output(g.node("Cast", [g.node("Cast", [x], to=I64)], to=F32), g.node("Cast", [n], to=F32))
        g.whether(g.node("Cast", [x], to=TensorProto.BOOL))
        g.whether(g.node("Cast", [n], to=TensorProto.BOOL))

    @build("erf_gelu")
    def _(g):
        x = g.input((3, 21), low=-5, high=5)
        erf = g.node("Erf", [g.node("Div", [x, np.float32(np.sqrt(2))])])
        y = g.node("Mul", [g.node("Mul", [x, g.node("Add", [erf, np.float32(1)])]), np.float32(0.5)])
        g.output(erf, y)

    for how in ("none", "tanh"):
        case(f"gelu_20_{how}", "Gelu", [between((3, 21), -5, 5)], opset=20, approximate=how)
    case("erf_tiny", "Erf", [between((5, 7), -0.01, 0.01)])
    case("tanh_wide", "Tanh", [between((5, 17), -12, 12)])
    for axis in (-1, 1):
        case(f"layernorm_axis_{axis}", "LayerNormalization",
             [(2, 3, 11)] + [w(*((3, 11)[-1 - (axis == 1):]), scale=1) for _ in range(2)],
             opset=17, axis=axis, epsilon=1e-3)
    case("layernorm_no_shift", "LayerNormalization", [(4, 33), w(33, scale=1)], opset=17)

    @build("softmax_masked")
    def _(g):
        """Scores that a mask takes out: by minus infinity, added or put there."""
        x = g.input((2, 3, 4, 4))
        causal = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
        ids = g.given(np.array([[1, 2, 0, 0], [3, 0, 4, 5]]))
        there = g.node("Unsqueeze", [g.node("Greater", [ids, np.int64(0)]), ints(1, 2)])
        g.output(g.node("Softmax", [g.node("Add", [x, causal])], axis=-1),
                 g.node("Softmax", [g.node("Where", [there, x, np.float32(-np.inf)])], axis=-1),
                 g.node("Softmax", [g.node("Add", [x, causal])], axis=2))

    @build("argmax")
    def _(g):
        """Where a sentence ends, as CLIP's towers find it; of floats, first and last of equals."""
        ids = g.given(np.array([[3, 9, 1], [9, 2, 9]]), np.array([[1, 1, 1]]), free=(0,))
        x = g.input((2, 3, 5), (1, 3, 5), free=(0,))
        end = g.node("ArgMax", [ids], axis=-1, keepdims=0)
        last = g.node("ArgMax", [ids], axis=1, select_last_index=1)
        g.output(g.node("Cast", [end], to=F32), g.node("Cast", [last], to=F32),
                 g.node("Cast", [g.node("ArgMax", [x], axis=1, keepdims=0)], to=F32))

    @build("range_mod")
    def _(g):
        """Rows and columns from a shape: x[i, end of i]."""
        x, ids = g.input((2, 3, 4), (5, 3, 4), free=(0,)), g.given(
            np.array([[3, 9, 1], [1, 2, 9]]), np.arange(15).reshape(5, 3) * 7 % 11, free=(0,))
        n = g.node("Squeeze", [g.node("Slice", [g.node("Shape", [x]), ints(0), ints(1)])])
        rows = g.node("Range", [np.int64(0), n, np.int64(1)])
        rows = g.node("Mul", [g.node("Mod", [rows, n]), np.int64(3)])
        at = g.node("Add", [rows, g.node("ArgMax", [ids], axis=-1, keepdims=0)])
        back = g.node("Mod", [g.node("Range", [np.int64(7), np.int64(-9), np.int64(-3)]),
                              np.int64(4)])
        g.output(g.node("Gather", [g.node("Flatten", [x], axis=2), at]),
                 g.node("Gather", [g.rand(4, 3), back]))

    @build("gather_nd")
    def _(g):
        """The state at the end of each text, as newer exports take it; a slice of each batch by
        places of its own, from behind too; of integers; of what is known."""
        ids = g.given(np.array([[3, 9, 1], [1, 2, 9]]), np.arange(15).reshape(5, 3) * 7 % 11, free=(0,))
        x = g.input((2, 3, 4), (5, 3, 4), free=(0,))
        n = g.node("Squeeze", [g.node("Slice", [g.node("Shape", [x]), ints(0), ints(1)])])
        rows = g.node("Range", [np.int64(0), n, np.int64(1)])
        end = g.node("ArgMax", [ids], axis=-1, keepdims=0)
        places = g.node("Concat", [g.node("Unsqueeze", [rows, ints(-1)]),
                                   g.node("Unsqueeze", [end, ints(-1)])], axis=-1)
        own = g.node("Unsqueeze", [g.node("Sub", [end, np.int64(3)]), ints(-1)])
        known = g.node("GatherND", [g.rand(3, 2, 2), np.int64([[[2, -1], [0, 1]], [[1, 0], [-3, -2]]])])
        g.output(g.node("GatherND", [x, places]), g.node("GatherND", [x, own], batch_dims=1),
                 g.node("Cast", [g.node("GatherND", [ids, places])], to=F32),
                 g.node("MatMul", [x, g.node("Reshape", [known, ints(4, 2)])]))

    @build("trilu", opset=14)
    def _(g):
        """Halves of matrices that are no squares, from any diagonal; of integers; of a mask that is
        known from a shape."""
        x = g.input((2, 3, 5), (4, 3, 5), free=(0,))
        ids = g.given(np.arange(1, 13).reshape(1, 4, 3), np.arange(24).reshape(2, 4, 3) + 5, free=(0,))
        t = g.node("Transpose", [x], perm=[0, 2, 1])
        last = g.node("Slice", [g.node("Shape", [x]), ints(1), ints(2)])
        mask = g.node("Trilu", [g.node("ConstantOfShape", [g.node("Concat", [last, last], axis=0)],
                                       value=numpy_helper.from_array(np.float32([-3])))], upper=1)
        g.output(g.node("Trilu", [x]), g.node("Trilu", [t, np.int64(-2)], upper=0),
                 g.node("Trilu", [x, np.int64(3)]), g.node("Trilu", [x, np.int64(-9)], upper=0),
                 g.node("Trilu", [x, np.int64(9)], upper=0),
                 g.node("Cast", [g.node("Trilu", [ids, np.int64(1)], upper=0)], to=F32),
                 g.node("MatMul", [mask, x]))

    @build("max_min")
    def _(g):
        """Of floats and integers, spread either way, of what a shape says."""
        x, y = g.input((2, 3, 7), (5, 3, 7), free=(0,)), g.input((3, 1), (3, 1))
        ids = g.given(np.array([[3, 9, 1], [1, 2, 9]]), np.arange(15).reshape(5, 3) * 7 % 11, free=(0,))
        n = g.node("Slice", [g.node("Shape", [x]), ints(0), ints(1)])
        for op in ("Max", "Min"):
            g.output(g.node(op, [x, y]), g.node(op, [np.float32(0.25), x]),
                     g.node("Cast", [g.node(op, [ids, ints(4, 3, 2)])], to=F32),
                     g.node("Slice", [x, ints(0), g.node(op, [n, ints(3)]), ints(2)]))

    @build("transformer_layer", opset=17)
    def _(g):
        """A small encoder of sentences: attention under a mask, two layer norms, Gelu, mean."""
        ids = g.given(np.array([[4, 2, 9, 1, 0], [7, 3, 0, 0, 0]]), np.array([[5, 5]]),
                      np.array([[1, 2, 3], [4, 5, 6], [7, 8, 0]]), free=(0, 1))
        mask = g.node("Cast", [g.node("Greater", [ids, np.int64(0)])], to=F32)
        dark = g.node("Mul", [g.node("Sub", [np.float32(1), g.node("Unsqueeze", [mask, ints(1, 2)])]),
                              np.float32(-1e9)])
        n = g.node("Gather", [g.node("Shape", [ids]), np.int64(1)])
        places = g.node("Slice", [g.rand(8, 12, scale=1), ints(0), g.node("Unsqueeze", [n, ints(0)]),
                                  ints(0)])
        x = g.node("Add", [g.node("Gather", [g.rand(10, 12, scale=1), ids]), places])

        def norm(x):
            return g.node("LayerNormalization", [x, g.rand(12, scale=1), g.rand(12, scale=1)])

        def dense(x, n_in, n_out):
            return g.node("Add", [g.node("MatMul", [x, g.rand(n_in, n_out)]), g.rand(n_out)])

        def heads(x, perm):
            return g.node("Transpose", [g.node("Reshape", [dense(x, 12, 12), ints(0, 0, 3, 4)])],
                          perm=perm)

        y = norm(x)
        scores = g.node("MatMul", [heads(y, [0, 2, 1, 3]), heads(y, [0, 2, 3, 1])])
        scores = g.node("Add", [g.node("Div", [scores, np.float32(2)]), dark])
        y = g.node("MatMul", [g.node("Softmax", [scores], axis=-1), heads(y, [0, 2, 1, 3])])
        y = g.node("Reshape", [g.node("Transpose", [y], perm=[0, 2, 1, 3]), ints(0, 0, 12)])
        x = g.node("Add", [x, dense(y, 12, 12)])
        y = dense(norm(x), 12, 20)
        erf = g.node("Erf", [g.node("Div", [y, np.float32(np.sqrt(2))])])
        y = g.node("Mul", [g.node("Mul", [y, g.node("Add", [erf, np.float32(1)])]), np.float32(0.5)])
        x = g.node("Add", [x, dense(y, 20, 12)])
        g.output(x, g.node("ReduceMean", [x], axes=[1], keepdims=0))


def add_types():
    @build("weights_float16")
    def _(g):
        """float16 weights behind Cast, one in raw_data, one in int32_data."""
        x = g.input((1, 3, 6, 5))
        weight = g.const(g.rand(4, 3, 3, 3).astype(np.float16))
        bias = g.const(g.rand(4).astype(np.float16), raw=False)
        g.output(g.node("Conv", [x, g.node("Cast", [weight], to=F32),
                                 g.node("Cast", [bias], to=F32)]))

    @build("weights_float16_tiny")
    def _(g):
        """float16's subnormal numbers, which are ordinary ones in float32."""
        x = g.input((2, 8))
        tiny = (g.rand(8, 4, scale=1) * np.float32(2e-6)).astype(np.float16)
        y = g.node("MatMul", [x, g.node("Cast", [g.const(tiny)], to=F32)])
        g.output(g.node("Mul", [y, np.float32(1e6)]))

    @build("weights_typed_fields")
    def _(g):
        x = g.input((1, 3, 4, 5))
        y = g.node("Conv", [x, g.const(g.rand(2, 3, 3, 3), raw=False)])
        g.output(g.node("Reshape", [y, g.const(ints(1, -1), raw=False)]))

    @build("cast_of_float")
    def _(g):
        x = g.input((2, 3))
        g.output(g.node("Relu", [g.node("Cast", [x], to=F32)]))

    @build("initializer_also_an_input")
    def _(g):
        """IR version 3 lists initializers among the inputs: they are not inputs to give."""
        x = g.input((2, 3))
        y = g.node("MatMul", [x, g.const(g.rand(3, 4), "weight")])
        g.inputs.append(helper.make_tensor_value_info("weight", F32, [3, 4]))
        g.output(y)

    @build("nodes_unnamed_graph_free")
    def _(g):
        """Free batch and spatial size: one net, four shapes in a row."""
        x = g.input((1, 3, 16, 12), (2, 3, 32, 8), (1, 3, 16, 12), (3, 3, 8, 8), free=(0, 2, 3))
        y = g.node("Relu", [g.node("Conv", [x, g.rand(6, 3, 3, 3), g.rand(6)], strides=[2, 2],
                                   pads=[1] * 4)])
        z = g.node("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2])
        z = g.node("Conv", [z, g.rand(6, 1, 3, 3), g.rand(6)], group=6, pads=[1] * 4)
        up = g.node("Resize", [z, None, np.float32([1, 1, 2, 2])], mode="nearest",
                    coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        g.output(g.node("Add", [up, y]), g.node("GlobalAveragePool", [z]))
        for node in g.nodes:
            node.name = ""


# ------------------------------------------------------------------ whole nets

def koch(g, channels, widths=(64, 128, 128, 256), units=4096):
    """Koch, Zemel, Salakhutdinov 2015, figure 4: one of the two twins, up to the sigmoid layer."""
    x = g.input((2, channels, 105, 105), formula=(0, 1), free=(0,))
    n = channels
    for i, (width, kernel) in enumerate(zip(widths, (10, 7, 4, 4))):
        x = g.node("Conv", [x, g.rand(width, n, kernel, kernel, scale=1 / np.sqrt(
            n * kernel * kernel / 2)), g.rand(width, scale=0.1)])
        x = g.node("Relu", [x])
        if i < 3:
            x = g.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        n = width
    x = g.node("Flatten", [x], axis=1)
    x = g.node("Gemm", [x, g.rand(units, n * 36), g.rand(units, scale=0.1)], transB=1)
    g.output(g.node("Sigmoid", [x]))
    return g


def batchnorm(g, x, n):
    return g.node("BatchNormalization", [x, g.rand(n, scale=0.1, offset=1.0), g.rand(n, scale=0.1),
                                         g.rand(n, scale=0.1),
                                         np.abs(g.rand(n, scale=0.2)) + np.float32(0.7)])


def resnet_prelu(g):
    """An ArcFace-style ResNet: norm, conv, norm, PReLU, conv, norm, shortcut; 28 px, 18 layers less."""
    x = g.input((2, 3, 28, 28), (1, 3, 28, 28), formula=(-1, 2), free=(0,))
    x = g.node("Conv", [x, g.rand(8, 3, 3, 3)], pads=[1] * 4)
    x = g.node("PRelu", [batchnorm(g, x, 8), g.rand(8, 1, 1, scale=0.1, offset=0.25)])
    n = 8
    for width, stride in ((8, 2), (8, 1), (16, 2), (16, 1)):
        y = g.node("Conv", [batchnorm(g, x, n), g.rand(width, n, 3, 3)], pads=[1] * 4)
        y = g.node("PRelu", [batchnorm(g, y, width), g.rand(width, 1, 1, scale=0.1, offset=0.25)])
        y = g.node("Conv", [y, g.rand(width, width, 3, 3)], pads=[1] * 4, strides=[stride] * 2)
        y = batchnorm(g, y, width)
        if stride != 1 or width != n:
            x = g.node("Conv", [x, g.rand(width, n, 1, 1)], strides=[stride] * 2)
            x = batchnorm(g, x, width)
        x, n = g.node("Add", [y, x]), width
    x = g.node("Dropout", [batchnorm(g, x, n)])
    x = g.node("Flatten", [x], axis=1)
    x = g.node("Gemm", [x, g.rand(32, n * 49), g.rand(32)], transB=1)
    g.output(batchnorm(g, x, 32))


def mobilefacenet(g):
    """MobileFaceNet's blocks, narrow, at 35 px (35, 18, 9, 5 px), ending in a unit vector."""
    def conv_block(x, n, width, kernel, stride=1, group=1, act=True, pads=None):
        x = g.node("Conv", [x, g.rand(width, n // group, kernel, kernel)], group=group,
                   strides=[stride] * 2, pads=pads or [kernel // 2] * 4)
        x = batchnorm(g, x, width)
        return g.node("PRelu", [x, g.rand(width, 1, 1, scale=0.1, offset=0.25)]) if act else x

    x = g.input((2, 3, 35, 35), formula=(-1, 2), free=(0,))
    x = conv_block(x, 3, 16, 3, 2)
    x = conv_block(x, 16, 16, 3, 1, 16)
    n = 16
    for wide, width, stride in ((32, 16, 2), (32, 16, 1), (64, 24, 2), (48, 24, 1)):
        y = conv_block(x, n, wide, 1)
        y = conv_block(y, wide, wide, 3, stride, wide)
        y = conv_block(y, wide, width, 1, act=False)
        x, n = g.node("Add", [x, y]) if stride == 1 else y, width
    x = conv_block(x, n, 64, 1)
    x = conv_block(x, 64, 64, 5, 1, 64, act=False, pads=[0] * 4)
    x = conv_block(x, 64, 32, 1, act=False)
    x = g.node("Flatten", [x], axis=1)
    g.output(g.node("Div", [x, g.node("ReduceL2", [x], axes=[1], keepdims=1)]))


def koch_full(folder):
    for channels in (1, 3):
        g = koch(Graph(f"koch-105x{channels}"), channels)
        size = write_case(folder, g.name, g.model(), g.runs,
                          "too slow; the narrow one is compared")
        print(f"{g.name}: {size} bytes")


# ------------------------------------------------------------------ the shipped models

def photo_crop():
    """The middle of a photo that comes with the demo, 192x256, with a face in it, RGB."""
    from PIL import Image
    path = os.path.join(HERE, "..", "..", "demo", "people", "Eileen Collins", "nasa-portrait.jpg")
    image = Image.open(path).convert("RGB")
    scale = 192 / image.width
    image = image.resize((192, round(image.height * scale)), Image.BILINEAR)
    return np.array(image)[:256 // 32 * 32]


def shipped(folder):
    sys.path.insert(0, os.path.join(MODELS, "make"))
    from pipeline import align, detect, open_session
    detector = os.path.join(MODELS, "face-detect.onnx")
    encoder = os.path.join(MODELS, "face-105.onnx")
    photo = photo_crop()
    photo = photo[:photo.shape[0] // 32 * 32, :photo.shape[1] // 32 * 32]
    faces = detect(open_session(detector), photo)
    assert len(faces) == 1 and faces[0, 0] > 0.8
    template = {p.key: p.value for p in onnx.load(encoder).metadata_props}["doppel.template"]
    template = np.array([point.split(",") for point in template.split()], float)
    chip = align(photo, faces[0, 5:].reshape(5, 2), template, 105)

    def nchw(rgb):
        return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32)

    bgr = nchw(photo[:, :, ::-1])
    half = np.ascontiguousarray(bgr[:, :, ::2, ::2])[:, :, :96, :96]
    total = 0
    for name, path, runs in (
            ("face-detect", detector, [half, Formula((2, 3, 64, 96), 0, 255)]),
            ("face-105", encoder, [(nchw(chip) - np.float32(127.5)) / np.float32(128),
                                   Formula((3, 3, 105, 105), -1, 2)]),
            ("drawing-64", os.path.join(MODELS, "drawing-64.onnx"),
             [Formula((1, 1, 64, 64), -1, 1), Formula((3, 1, 64, 64), -1, 1)])):
        data = b""
        for x in runs:
            data += record_bytes({"input": x}, run_onnxruntime(path, {"input": x}))
        with open(os.path.join(folder, name + ".bin"), "wb") as file:
            file.write(data)
        total += len(data)
    return total


# ------------------------------------------------------------------ what must be refused

def write_bad(folder):
    expect = []

    def put(name, data, *fragments):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.SerializeToString())
        expect.extend(f"{name}\t{fragment}" for fragment in fragments)

    def one(name, op, inputs, node="culprit", opset=13, n_outputs=1, fragments=None, domain=None,
            x_shape=(1, 3, 8, 8), **attrs):
        """A graph of one node named culprit, which is at fault; not checked by anybody."""
        g = Graph(name, opset)
        g.input(x_shape)
        g.node(op, inputs(g) if callable(inputs) else inputs, n_outputs, **attrs)
        g.nodes[0].name = node
        if domain:
            g.nodes[0].domain = domain
        g.output(g.nodes[0].output[0])
        put(name + ".onnx", g.model(), *(fragments or (op, node)))

    def plain():
        g = Graph("plain")
        x = g.input((1, 3, 8, 8))
        weight = g.const(g.rand(4, 3, 3, 3), "weight")
        g.nodes.append(helper.make_node("Conv", [x, weight], ["y"], name="first"))
        g.nodes.append(helper.make_node("Relu", ["y"], ["z"], name="second"))
        g.output("z")
        return g.model()

    whole = plain().SerializeToString()
    # Cuts at places where what is left cannot be read as a shorter message.
    put("empty.onnx", b"", "empty.onnx")
    put("truncated-half.onnx", whole[:len(whole) // 2], "truncated-half.onnx")
    put("truncated-last.onnx", whole[:-1], "truncated-last.onnx")
    put("garbage.onnx", bytes(np.random.default_rng(1).integers(0, 256, 500, np.uint8)),
        "garbage.onnx")
    put("text.onnx", b"This is not a network.\n" * 9, "text.onnx")
    put("no-graph.onnx", onnx.ModelProto(ir_version=8), "no-graph.onnx")

    # A message inside a message, 20,000 deep: If nodes with a branch each. Lengths from the inside.
    def varint(n):
        out = b""
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])

    pieces, length = [], 0  # from the innermost outwards, so written in linear time
    for _ in range(20000):
        for tag in (0x32, 0x2A, 0x0A):  # attribute.g, node.attribute, graph.node
            head = bytes([tag]) + varint(length)
            pieces.append(head)
            length += len(head)
    put("nested-deep.onnx", b"\x08\x08\x3a" + varint(length) + b"".join(reversed(pieces)),
        "nested-deep.onnx")

    m = plain()
    m.opset_import[0].version = 8
    put("opset-8.onnx", m, "opset")
    m = plain()
    m.opset_import[0].version = 1000
    put("opset-1000.onnx", m, "opset")
    m = plain()
    del m.opset_import[:]
    put("opset-none.onnx", m, "opset")

    # Names.
    m = plain()
    m.graph.node[0].input[1] = "nowhere"
    put("missing-initializer.onnx", m, "nowhere")
    m = plain()
    m.graph.output[0].name = "nothing"
    put("missing-output.onnx", m, "nothing")
    m = plain()
    m.graph.node[1].output[0] = "y"
    m.graph.output[0].name = "y"
    put("defined-twice.onnx", m, "y")
    m = plain()
    m.graph.node[0].input[0] = "z"
    put("cycle.onnx", m, "cycle.onnx")
    m = plain()
    m.graph.node[1].input[0] = "z"
    put("cycle-of-one.onnx", m, "cycle-of-one.onnx")
    m = plain()
    del m.graph.output[:]
    put("no-output.onnx", m, "no-output.onnx")

    # Initializers.
    m = plain()
    m.graph.initializer[0].data_location = TensorProto.EXTERNAL
    m.graph.initializer[0].raw_data = b""
    m.graph.initializer[0].external_data.add(key="location", value="../../../etc/passwd")
    put("external-data.onnx", m, "weight")
    m = plain()
    m.graph.initializer[0].raw_data = m.graph.initializer[0].raw_data[:-4]
    put("initializer-short.onnx", m, "weight")
    m = plain()
    m.graph.initializer[0].raw_data = b""
    put("initializer-without-data.onnx", m, "weight")
    for name, dims in (("huge", [1 << 20, 1 << 20, 3, 3]), ("overflow", [1 << 33, 1 << 33, 3, 3]),
                       ("overflow-to-right-size", [4, 3, 3, 3 + (1 << 62)]),
                       ("negative", [-4, -3, 3, 3]), ("rank-20", [1] * 20)):
        m = plain()
        del m.graph.initializer[0].dims[:]
        m.graph.initializer[0].dims.extend(dims)
        put(f"initializer-{name}.onnx", m, "weight")
    m = plain()
    values = np.frombuffer(m.graph.initializer[0].raw_data, np.float32).copy()
    values[17] = np.nan
    m.graph.initializer[0].raw_data = values.tobytes()
    put("initializer-nan.onnx", m, "weight")
    m = plain()
    m.graph.initializer[0].data_type = TensorProto.STRING
    put("initializer-string.onnx", m, "weight")
    m = plain()
    m.graph.initializer[0].data_type = 99
    put("initializer-unknown-type.onnx", m, "weight")
    m = plain()
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    put("input-string.onnx", m, "x0")
    m = plain()
    for dim in m.graph.input[0].type.tensor_type.shape.dim:
        dim.dim_value = 1 << 30
    put("input-huge.onnx", m, "1073741824")

    # Operators: the message names operator and node.
    one("operator-unknown", "Frobnicate", ["x0"])
    one("operator-rnn", "RNN", lambda g: ["x0", g.rand(1, 2, 3), g.rand(1, 2, 2)], hidden_size=2,
        x_shape=(4, 1, 3))
    one("operator-einsum", "Einsum", ["x0"], equation="nchw->nhwc")
    one("operator-other-domain", "FusedConv", ["x0"], domain="com.microsoft")
    one("conv-no-weight", "Conv", ["x0"])
    one("conv-channels", "Conv", lambda g: ["x0", g.rand(4, 5, 3, 3)])
    one("conv-group-0", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], group=0)
    one("conv-group-odd", "Conv", lambda g: ["x0", g.rand(4, 1, 3, 3)], group=3)
    one("conv-bias-length", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3), g.rand(5)])
    one("conv-stride-0", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], strides=[0, 1])
    one("conv-stride-negative", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], strides=[-1, 1])
    one("conv-pads-huge", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], pads=[1 << 40] * 4)
    one("conv-pads-negative", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], pads=[-1] * 4)
    one("conv-dilation-huge", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)],
        dilations=[1 << 62, 1 << 62])
    one("conv-kernel-shape-lies", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], kernel_shape=[5, 5])
    one("conv-kernel-too-large", "Conv", lambda g: ["x0", g.rand(4, 3, 9, 9)])
    one("conv-auto-pad-word", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], auto_pad="SOMEHOW")
    one("conv-strides-float", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], strides=[1.5, 1.0])
    one("conv-strides-three", "Conv", lambda g: ["x0", g.rand(4, 3, 3, 3)], strides=[1, 1, 1])
    one("relu-two-inputs", "Relu", ["x0", "x0"])
    one("maxpool-kernel-0", "MaxPool", ["x0"], kernel_shape=[0, 2])
    one("maxpool-no-kernel", "MaxPool", ["x0"])
    one("maxpool-kernel-huge", "MaxPool", ["x0"], kernel_shape=[1 << 31, 1 << 31],
        pads=[1 << 31] * 4)
    one("batchnorm-training", "BatchNormalization",
        lambda g: ["x0", *(g.rand(3, scale=1) for _ in range(3)), np.float32([1, 1, 1])], opset=14,
        training_mode=1)
    one("batchnorm-length", "BatchNormalization",
        lambda g: ["x0", *(g.rand(4) for _ in range(3)), np.float32([1, 1, 1, 1])])
    one("add-shapes", "Add", lambda g: ["x0", g.rand(5, 1, 1)])
    one("matmul-shapes", "MatMul", lambda g: ["x0", g.rand(9, 4)])
    one("gemm-4d", "Gemm", lambda g: ["x0", g.rand(8, 4)])
    one("reshape-count", "Reshape", ["x0", ints(1, 5, 7)])
    one("reshape-two-unknown", "Reshape", ["x0", ints(-1, -1)])
    one("reshape-overflow", "Reshape", ["x0", ints(1 << 32, 1 << 32, 192)])
    one("reshape-by-input", "Reshape", ["x0", "x0"])
    one("transpose-perm", "Transpose", ["x0"], perm=[0, 1, 1, 3])
    one("transpose-perm-range", "Transpose", ["x0"], perm=[0, 1, 2, 9])
    one("concat-shapes", "Concat", lambda g: ["x0", g.rand(1, 3, 8, 7)], axis=1)
    one("concat-axis", "Concat", ["x0", "x0"], axis=4)
    one("split-sum", "Split", ["x0", ints(1, 1)], n_outputs=2, axis=1)
    one("split-negative", "Split", ["x0", ints(4, -1)], n_outputs=2, axis=1)
    one("slice-step-0", "Slice", ["x0", ints(0), ints(4), ints(2), ints(0)])
    one("slice-axis", "Slice", ["x0", ints(0), ints(4), ints(7)])
    one("squeeze-not-one", "Squeeze", ["x0", ints(1)])
    one("unsqueeze-twice", "Unsqueeze", ["x0", ints(1, 1)])
    one("softmax-axis", "Softmax", ["x0"], axis=-5)
    one("reducemean-axis", "ReduceMean", ["x0"], axes=[4])
    one("lpnormalization-p3", "LpNormalization", ["x0"], p=3)
    one("pad-count", "Pad", ["x0", ints(1, 1)])
    one("pad-huge", "Pad", ["x0", ints(0, 0, 1 << 40, 1 << 40, 0, 0, 0, 0)])
    one("pad-past-empty", "Pad", ["x0", ints(0, 0, -5, 0, 0, 0, -5, 0)])
    one("pad-reflect-too-far", "Pad", ["x0", ints(0, 0, 9, 0, 0, 0, 0, 0)], mode="reflect")
    one("resize-cubic", "Resize", ["x0", None, np.float32([1, 1, 2, 2])], mode="cubic")
    one("resize-crop", "Resize", ["x0", np.float32([0] * 4 + [1] * 4), np.float32([1, 1, 2, 2])],
        coordinate_transformation_mode="tf_crop_and_resize")
    one("resize-scale-0", "Resize", ["x0", None, np.float32([1, 1, 0, 2])])
    one("resize-scale-huge", "Resize", ["x0", None, np.float32([1, 1, 1e9, 1e9])])
    one("resize-nothing", "Resize", ["x0"])
    one("gather-range", "Gather", lambda g: [g.rand(3, 2), np.array([3], np.int64)])
    one("gather-float-ids", "Gather", lambda g: [g.rand(3, 2), g.input((2,))])
    one("gather-rank-9", "Gather", lambda g: [g.rand(2, *[1] * 4), g.ids(2, (1,) * 5)])
    one("div-ids", "Div", lambda g: [g.ids(3, (2, 3)), g.ids(3, (2, 3))])
    one("equal-types", "Equal", lambda g: [g.ids(3, (2, 3)), g.input((2, 3))])
    one("and-floats", "And", ["x0", "x0"])
    one("where-floats", "Where", ["x0", "x0", "x0"])
    one("where-shapes", "Where", lambda g: [g.ids(3, (2, 3)), g.input((2, 4)), np.float32(1)])
    one("range-of-the-run", "Range", lambda g: [g.given(np.array(1)), np.int64(3), np.int64(1)])
    one("range-step-0", "Range", [np.int64(0), np.int64(3), np.int64(0)])
    one("range-huge", "Range", [np.int64(0), np.int64(1 << 50), np.int64(1)])
    one("mod-by-0", "Mod", [ints(4, 5), np.int64(0)])
    one("mod-floats", "Mod", ["x0", np.float32(2)], fmod=1)
    one("argmax-axis", "ArgMax", ["x0"], axis=4)
    one("gathernd-range", "GatherND", [np.zeros((2, 3), np.float32), np.int64([[1, 3]])])
    one("gathernd-depth", "GatherND", lambda g: ["x0", g.given(np.zeros((1, 5), np.int64))])
    one("gathernd-batch", "GatherND", lambda g: ["x0", g.given(np.zeros((9, 1), np.int64))], batch_dims=1)
    one("gathernd-batch-dims", "GatherND", lambda g: ["x0", g.given(np.zeros((1, 1), np.int64))],
        batch_dims=-1)
    one("gathernd-floats", "GatherND", ["x0", "x0"])
    one("trilu-vector", "Trilu", lambda g: [g.input((3,))], opset=14)
    one("trilu-two", "Trilu", ["x0", ints(1, 2)], opset=14)
    one("max-types", "Max", lambda g: [g.ids(3, (2, 3)), g.input((2, 3))])
    one("erf-ids", "Erf", lambda g: [g.ids(3, (2, 3))])
    one("gelu-word", "Gelu", ["x0"], opset=20, approximate="sigmoid")
    one("layernorm-scale", "LayerNormalization", lambda g: ["x0", g.rand(5)], opset=17)
    one("layernorm-mean", "LayerNormalization", lambda g: ["x0", g.rand(7)], opset=17, n_outputs=2)
    one("layernorm-axis", "LayerNormalization", lambda g: ["x0", g.rand(7)], opset=17, axis=4)
    one("mul-infinite", "Mul", ["x0", np.float32(-np.inf)])

    def cell(name, op="LSTM", x=(4, 2, 3), drop=(), extra=(), n_out=1, **attrs):
        def inputs(g):
            weights = recurrent(g, op, 3, 5)
            for i, value in drop:
                weights[i] = value(g)
            return [g.input(x), *weights, *(e(g) if callable(e) else e for e in extra)]
        one(name, op, inputs, opset=14, n_outputs=n_out, **attrs)

    cell("lstm-clip", clip=1.0)
    cell("lstm-activations", activations=["Sigmoid", "Relu", "Tanh"])
    cell("lstm-coupled", input_forget=1)
    cell("lstm-direction", direction="sideways")
    cell("lstm-hidden", hidden_size=6)
    cell("lstm-layout", layout=2)
    cell("lstm-rank", x=(4, 3))
    cell("lstm-input", x=(4, 2, 4))
    cell("lstm-one-of-two-directions", direction="bidirectional")
    cell("lstm-gates", drop=[(0, lambda g: g.rand(1, 19, 3))])
    cell("lstm-recurrence", drop=[(1, lambda g: g.rand(1, 20, 4))])
    cell("lstm-bias", drop=[(2, lambda g: g.rand(1, 20))])
    cell("lstm-weights-of-the-run", drop=[(0, lambda g: g.input((1, 20, 3)))])
    cell("lstm-lengths", extra=[lambda g: g.given(lengths(1, 2, 3))])
    cell("lstm-float-lengths", extra=[lambda g: g.input((2,))])
    cell("lstm-state", extra=[None, lambda g: g.input((1, 3, 5))])
    cell("lstm-peepholes", extra=[None, None, None, lambda g: g.rand(1, 15)])
    cell("lstm-ids", drop=[(1, lambda g: np.zeros((1, 20, 5), np.int64))])
    cell("gru-activations", op="GRU", activations=["Tanh", "Tanh"])
    cell("gru-gates", op="GRU", drop=[(0, lambda g: g.rand(1, 20, 3))])
    one("cast-to-string", "Cast", ["x0"], to=TensorProto.STRING)

    # Constants that would grow without end when folded: 1024 + 1024 values in, 2^40 out.
    g = Graph("fold-bomb")
    x = g.input((1,))
    row = g.node("Add", [g.rand(1, 1024), g.rand(1024, 1)])
    wide = g.node("Reshape", [row, ints(1, -1)])
    tall = g.node("Reshape", [row, ints(-1, 1)])
    g.output(g.node("Add", [x, g.node("Add", [wide, tall])]))
    put("fold-bomb.onnx", g.model(), "Add")
    g = Graph("fold-bomb-resize")
    x = g.input((1,))
    big = g.node("Resize", [g.rand(1, 1, 2, 2), None, np.float32([1, 1, 1 << 20, 1 << 20])])
    g.output(g.node("Add", [x, big]))
    put("fold-bomb-resize.onnx", g.model(), "Resize")

    with open(os.path.join(folder, "expect.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(expect) + "\n")
    return len(expect)


def clear(folder):
    os.makedirs(folder, exist_ok=True)
    for entry in os.listdir(folder):
        os.remove(os.path.join(folder, entry))
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--koch", metavar="DIR", help="write only Koch's full networks, here")
    args = parser.parse_args()
    if args.koch:
        os.makedirs(args.koch, exist_ok=True)
        koch_full(args.koch)
        return
    for add in (add_conv, add_dense, add_pointwise, add_pooling, add_shaping, add_resize,
                add_reduce, add_sentences, add_types):
        add()
    op = clear(os.path.join(HERE, "op"))
    total = sum(write_case(op, g.name, g.model(), g.runs, why) for g, why in CASES)
    print(f"op: {len(CASES)} cases, {total} bytes; "
          f"not compared with onnx.reference: {[g.name for g, why in CASES if why]}")
    net = clear(os.path.join(HERE, "net"))
    nets = [koch(Graph("koch_narrow_1"), 1, (4, 8, 8, 12), 32),
            koch(Graph("koch_narrow_3"), 3, (4, 8, 8, 12), 32)]
    for name, fill in (("resnet_prelu", resnet_prelu), ("mobilefacenet", mobilefacenet)):
        nets.append(Graph(name, opset=15))
        fill(nets[-1])
    total = sum(write_case(net, g.name, g.model(), g.runs) for g in nets)
    print(f"net: {len(nets)} nets, {total} bytes")
    print(f"model: {shipped(clear(os.path.join(HERE, 'model')))} bytes")
    print(f"bad: {write_bad(clear(os.path.join(HERE, 'bad')))} expectations")


if __name__ == "__main__":
    main()
