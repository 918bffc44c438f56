#!/usr/bin/env python3
"""Write quantised/ beside this script: operators on eight-bit numbers, each form of small nets that
onnxruntime's quantize_static makes, and what onnxruntime computes from them. See README.md.

    v/bin/python tests/golden/make_quantised.py
"""
import os
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime import quantization as q

import make_golden as golden

CASES = []


class Graph(golden.Graph):
    def const(self, value, name=None, raw=True):
        """As it is: the types are the point here."""
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, inputs, n_outputs=1, domain=None, **attrs):
        out = super().node(op, inputs, n_outputs, **attrs)
        if domain:
            self.nodes[-1].domain = domain
        return out

    def model(self):
        model = super().model()
        if any(node.domain for node in self.nodes):
            model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        return model

    def to(self, x, scale, zero):
        return self.node("QuantizeLinear", [x, np.float32(scale), zero])

    def back(self, x, scale, zero):
        return self.node("DequantizeLinear", [x, np.float32(scale), zero])

    def pair(self, x, scale, zero):
        return self.back(self.to(x, scale, zero), scale, zero)

    def weight(self, shape, axis=None):
        """Whole numbers and their scales, one or one a channel of the axis."""
        w = self.rng.integers(-127, 128, shape).astype(np.int8)
        n = 1 if axis is None else shape[axis]
        size = 1 / (60 * np.sqrt(np.prod(shape[1:])))
        scale = (size * self.rng.uniform(0.5, 2, n)).astype(np.float32)
        return w, scale if axis is not None else scale[0]


def case(name, opset=13):
    def add(fill):
        g = Graph(name, opset)
        fill(g)
        CASES.append(g)
        return fill
    return add


def conv(g, x, width, scale_x, axis=0, **attrs):
    """A convolution with its weight and bias as quantize_static writes them."""
    w, s = g.weight((width, *attrs.pop("of")), axis)
    b = g.rng.integers(-4000, 4000, width).astype(np.int32)
    zeros = np.zeros(np.shape(s), np.int8)
    weight = g.node("DequantizeLinear", [w, s, zeros], axis=0)
    bias = g.node("DequantizeLinear", [b, np.asarray(s * np.float32(scale_x), np.float32)], axis=0)
    return g.node("Conv", [x, weight, bias], **attrs)


@case("to_uint8_and_back", opset=10)
def _(g):
    g.output(g.pair(g.input((2, 3, 5, 7)), 0.021, np.uint8(101)))


@case("to_int8_and_back")
def _(g):
    g.output(g.pair(g.input((2, 19)), 0.013, np.int8(-7)))


@case("to_uint8_without_zero")
def _(g):
    x = g.node("QuantizeLinear", [g.input((2, 5, 3)), np.float32(0.02)])
    g.output(g.node("DequantizeLinear", [x, np.float32(0.02)]))


@case("a_scale_a_channel")
def _(g):
    s, z = np.float32([0.01, 0.02, 0.015]), np.uint8([100, 128, 140])
    x = g.node("QuantizeLinear", [g.input((2, 3, 5, 4)), s, z], axis=1)
    g.output(g.node("DequantizeLinear", [x, s, z], axis=-3))


@case("two_scales_in_one_pair")
def _(g):
    """What comes back is another number: the two are not one rounding."""
    g.output(g.back(g.to(g.input((3, 17)), 0.02, np.uint8(128)), 0.04, np.uint8(120)))


@case("two_readers_of_one")
def _(g):
    x = g.to(g.input((1, 4, 6, 5)), 0.02, np.uint8(128))
    a, b = (g.back(x, 0.02, np.uint8(128)) for _ in range(2))
    g.output(g.node("Mul", [a, b]), b)


for stride, of, group, pads in ((1, (3, 3, 3), 1, 1), (2, (20, 3, 3), 1, 1), (1, (33, 1, 1), 1, 0),
                                (1, (1, 3, 3), 24, 1), (2, (1, 5, 5), 7, 2), (1, (5, 2, 3), 2, 0)):
    @case(f"conv_{of[0] * group}x{of[1]}_stride{stride}_groups{group}")
    def _(g, stride=stride, of=of, group=group, pads=pads):
        x = g.pair(g.input((2, of[0] * group, 9, 8)), 0.02, np.uint8(117))
        y = conv(g, x, 24 if group == 24 else 7 if group == 7 else 10, 0.02, of=of, group=group,
                 strides=[stride] * 2, pads=[pads] * 4)
        g.output(g.pair(y, 0.05, np.uint8(120)))


@case("conv_of_int8")
def _(g):
    x = g.pair(g.input((1, 6, 7, 9)), 0.02, np.int8(-11))
    y = conv(g, x, 18, 0.02, axis=None, of=(6, 3, 3), pads=[1] * 4)
    g.output(g.pair(g.node("Relu", [y]), 0.03, np.int8(-128)))


@case("conv_of_uint8_weights")
def _(g):
    """Weights whose zero is in the middle: not numbers of int8 once it is taken off."""
    x = g.pair(g.input((1, 6, 7, 9)), 0.02, np.uint8(130))
    w = g.rng.integers(0, 256, (8, 6, 3, 3)).astype(np.uint8)
    g.output(g.node("Conv", [x, g.back(w, 0.004, np.uint8(99))], pads=[1] * 4))


@case("conv_prelu_between_pairs")
def _(g):
    """Rounded before the activation and behind it, as quantize_static does by default."""
    x = g.pair(g.input((1, 8, 7, 9)), 0.02, np.uint8(130))
    y = g.pair(conv(g, x, 20, 0.02, of=(8, 1, 1)), 0.04, np.uint8(128))
    y = g.pair(g.node("PRelu", [y, g.rand(20, 1, 1, scale=0.2)]), 0.03, np.uint8(60))
    g.output(conv(g, y, 5, 0.03, of=(20, 1, 1)))


@case("conv_prelu_in_one")
def _(g):
    x = g.pair(g.input((1, 8, 7, 9)), 0.02, np.uint8(130))
    y = conv(g, x, 20, 0.02, of=(8, 1, 1))
    y = g.pair(g.node("PRelu", [y, g.rand(20, 1, 1, scale=0.2)]), 0.03, np.uint8(60))
    y = conv(g, y, 20, 0.03, of=(1, 3, 3), group=20, pads=[1] * 4)
    y = g.pair(g.node("Sigmoid", [y]), 1 / 255, np.uint8(0))
    g.output(conv(g, y, 5, 1 / 255, of=(20, 1, 1)))


@case("conv_add_relu")
def _(g):
    """A residual block, whose sum's operands are quantised too."""
    x = g.pair(g.input((2, 16, 7, 9)), 0.02, np.uint8(130))
    y = g.pair(conv(g, x, 16, 0.02, of=(16, 3, 3), pads=[1] * 4), 0.04, np.uint8(128))
    y = g.pair(g.node("Relu", [g.node("Add", [y, x])]), 0.03, np.uint8(0))
    y = conv(g, y, 16, 0.03, of=(16, 1, 1))
    g.output(g.node("Add", [y, x]))


@case("conv_add_of_floats")
def _(g):
    x = g.pair(g.input((2, 16, 7, 9)), 0.02, np.uint8(130))
    y = g.node("Add", [x, conv(g, x, 16, 0.02, of=(16, 3, 3), pads=[1] * 4)])
    y = g.pair(y, 0.03, np.uint8(100))
    g.output(conv(g, y, 4, 0.03, of=(16, 2, 2)))


@case("conv_maxpool_resize_conv")
def _(g):
    x = g.pair(g.input((1, 3, 12, 8)), 0.02, np.uint8(130))
    y = g.pair(g.node("Relu", [conv(g, x, 17, 0.02, of=(3, 3, 3), pads=[1] * 4)]), 0.03,
               np.uint8(0))
    y = g.pair(g.node("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2]), 0.03, np.uint8(0))
    z = g.node("Resize", [y, None, np.float32([1, 1, 2, 2])], mode="nearest",
               coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    z = g.pair(z, 0.03, np.uint8(0))
    g.output(conv(g, z, 4, 0.03, of=(17, 3, 3)), conv(g, y, 4, 0.03, of=(17, 3, 3)))


@case("conv_averagepool_gemm")
def _(g):
    x = g.pair(g.input((2, 5, 6, 6)), 0.02, np.uint8(130))
    y = g.pair(g.node("Relu", [conv(g, x, 12, 0.02, of=(5, 3, 3))]), 0.03, np.uint8(0))
    y = g.pair(g.node("GlobalAveragePool", [y]), 0.01, np.uint8(0))
    y = g.node("Flatten", [y])
    w, s = g.weight((9, 12))
    g.output(g.node("Gemm", [y, g.back(w, s, np.int8(0)), g.rand(9)], transB=1))


def integer(g, name, inputs, out=(0.05, np.uint8(120)), domain=None, **attrs):
    """An operator among quantised values, and its result as float32."""
    y = g.node(name, [*inputs, np.float32(out[0]), out[1]], domain=domain, **attrs)
    return y, g.back(y, *out)


@case("qlinearconv")
def _(g):
    x = g.to(g.input((2, 5, 9, 8)), 0.02, np.uint8(117))
    w, s = g.weight((18, 5, 3, 3), 0)
    y, _ = integer(g, "QLinearConv", [x, np.float32(0.02), np.uint8(117), w, s,
                                      np.zeros(18, np.int8)], pads=[1] * 4)
    y = g.node("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2])
    w, s = g.weight((6, 18, 1, 1))
    g.output(integer(g, "QLinearConv", [y, np.float32(0.05), np.uint8(120), w, s, np.int8(0)],
                     out=(0.03, np.uint8(128)))[1])


@case("qlinearconv_bias")
def _(g):
    x = g.to(g.input((1, 5, 9, 8)), 0.02, np.int8(3))
    w, s = g.weight((18, 5, 3, 3), 0)
    b = g.rng.integers(-9000, 9000, 18).astype(np.int32)
    y = g.node("QLinearConv", [x, np.float32(0.02), np.int8(3), w, s, np.zeros(18, np.int8),
                               np.float32(0.05), np.int8(-9), b], strides=[2, 1])
    g.output(g.back(y, 0.05, np.int8(-9)))


@case("qlinearmatmul")
def _(g):
    x = g.to(g.input((3, 14)), 0.02, np.uint8(117))
    w, s = g.weight((14, 9))
    g.output(integer(g, "QLinearMatMul", [x, np.float32(0.02), np.uint8(117), w, s, np.int8(0)])[1])


@case("qlinearmatmul_scale_a_column")
def _(g):
    x = g.to(g.input((3, 14)), 0.02, np.uint8(117))
    w, s = g.weight((14, 9), 1)
    g.output(integer(g, "QLinearMatMul", [x, np.float32(0.02), np.uint8(117), w, s,
                                          np.zeros(9, np.int8)])[1])


@case("qlinear_of_onnxruntime")
def _(g):
    """Its own: sum, product, activations, mean, dense layer."""
    own, s0, z0 = "com.microsoft", np.float32(0.02), np.uint8(117)
    x = g.to(g.input((2, 6, 5, 4)), s0, z0)
    a, _ = integer(g, "QLinearSigmoid", [x, s0, z0], (1 / 255, np.uint8(0)), own)
    b, _ = integer(g, "QLinearLeakyRelu", [x, s0, z0], (0.015, np.uint8(40)), own, alpha=0.2)
    c, c_out = integer(g, "QLinearMul", [a, np.float32(1 / 255), np.uint8(0), b, np.float32(0.015),
                                         np.uint8(40)], (0.015, np.uint8(40)), own)
    d, d_out = integer(g, "QLinearAdd", [c, np.float32(0.015), np.uint8(40), x, s0, z0],
                       (0.03, np.uint8(100)), own)
    e, _ = integer(g, "QLinearGlobalAveragePool", [d, np.float32(0.03), np.uint8(100)],
                   (0.012, np.uint8(120)), own, channels_last=0)
    f = g.node("Flatten", [e])
    w, s = g.weight((9, 6))
    b = g.rng.integers(-900, 900, 9).astype(np.int32)
    y, y_out = integer(g, "QGemm", [f, np.float32(0.012), np.uint8(120), w, s, np.int8(0), b],
                       (0.02, np.uint8(128)), own, transB=1)
    g.output(c_out, d_out, y_out)


class Pictures(q.CalibrationDataReader):
    def __init__(self, g):
        self.left = [{"x0": g.rng.uniform(-1, 1, (2, 3, 35, 35)).astype(np.float32)}
                     for _ in range(4)]

    def get_next(self):
        return self.left.pop() if self.left else None


def static(name, form, **options):
    """The small MobileFaceNet of net/, quantised by onnxruntime."""
    g = golden.Graph(name, opset=15)
    golden.mobilefacenet(g)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, n) for n in ("float.onnx", "ready.onnx", "quantised.onnx")]
        onnx.save(g.model(), paths[0])
        q.quant_pre_process(paths[0], paths[1], skip_symbolic_shape=True)
        q.quantize_static(paths[1], paths[2], Pictures(g), quant_format=form, **options)
        return g, onnx.load(paths[2])


def by_ranges():
    """The same net in float32, with the ranges of its values as a fact."""
    g = golden.Graph("net_ranges", opset=15)
    golden.mobilefacenet(g)
    model, every = g.model(), g.model()
    names = [n for node in model.graph.node for n in node.output]
    every.graph.output.extend(helper.make_tensor_value_info(n, golden.F32, None) for n in names
                              if n != model.graph.output[0].name)
    names, ends = [*names, "x0"], {}
    for x in Pictures(g).left:
        values = {**golden.run_onnxruntime(every, x), **x}
        for n in names:
            low, high = ends.get(n, (0.0, 0.0))
            ends[n] = (min(low, float(values[n].min())), max(high, float(values[n].max())))
    lines = [f"{low:.6g} {high:.6g} {n}" for n, (low, high) in ends.items() if high > low]
    helper.set_model_props(model, {"doppel.ranges": "\n".join(lines)})
    return g, model


def main():
    folder = golden.clear(os.path.join(golden.HERE, "quantised"))
    why = "compared in float32 there"
    total = sum(golden.write_case(folder, g.name, g.model(), g.runs, why) for g in CASES)
    for name, form, options in (
            ("net_qdq", q.QuantFormat.QDQ, dict(activation_type=q.QuantType.QUInt8,
                                                per_channel=True)),
            ("net_qdq_int8", q.QuantFormat.QDQ, {}),
            ("net_qdq_products_only", q.QuantFormat.QDQ, dict(
                activation_type=q.QuantType.QUInt8, per_channel=True,
                extra_options={"OpTypesToExcludeOutputQuantization": ["Conv", "Add"]})),
            ("net_qoperator", q.QuantFormat.QOperator, dict(activation_type=q.QuantType.QUInt8))):
        g, model = static(name, form, **options)
        total += golden.write_case(folder, name, model, g.runs, why)
    g, model = by_ranges()
    total += golden.write_case(folder, g.name, model, g.runs, why)
    print(f"quantised: {len(CASES) + 5} nets, {total} bytes")


if __name__ == "__main__":
    main()
