#!/usr/bin/env python3
"""Two face encoders as one file: models/face-105.onnx, and foamliu's MobileFaceNet brought to 105x105.

    python models/make/join_faces.py models/face-105.onnx foamliu-mobilefacenet-112.onnx OUT

The second network takes the first one's input: mean and deviation go into its first convolution. Its grid lies
at 105 as it lay at 112 beside the face when the first two convolutions of stride 2 begin a pixel earlier each. The
vector is the first one's at unit length, and behind it the second one's at a share of its own length: that
is shorter where the face is small, dark or covered, and there the second network knows less. Large weights are
kept as bytes (narrow.py). What comes of it: docs/accuracy-log.md.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

import networks
from narrow import narrow

SIDE = 105
PADS = (2, 2, 1, 1)  # before the four convolutions of stride 2
MEAN, DEVIATION = np.array([.485, .456, .406]), np.array([.229, .224, .225])
LENGTH = 16.0  # of the second network's vector of a good chip


def second(path):
    """foamliu's network for 105x105 and (pixel - 127.5) / 128."""
    net, size, pads = networks.from_onnx(path).eval(), SIDE, list(PADS)
    convs = [net.mods[name] for kind, _, name, _ in net.steps if kind == "conv"]
    weight = convs[0].weight.detach().double().numpy()
    per_channel = weight * ((.5 - MEAN) / DEVIATION)[None, :, None, None]
    convs[0].bias.data += convs[0].bias.new_tensor(per_channel.sum((1, 2, 3)))
    convs[0].weight.data = convs[0].weight.new_tensor(weight * (128 / (255 * DEVIATION))[None, :, None, None])
    for conv in convs:
        if conv.stride == 2:
            count, before = -(-size // 2), pads.pop(0)
            after = max(0, (count - 1) * 2 + conv.weight.shape[2] - size - before)
            conv.pads, size = (before, before, after, after), count
    return networks.to_onnx(net, SIDE, "second")


def scale_last(model, factor):
    last = [n for n in model.graph.node if n.op_type == "Conv"][-1]
    for tensor in model.graph.initializer:
        if tensor.name in last.input[1:]:
            value = numpy_helper.to_array(tensor) * np.float32(factor)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def join(first, other, share):
    facts = {p.key: p.value for p in first.metadata_props
             if p.key not in ("doppel.calibration", "doppel.cohort")}
    scale_last(other, share / LENGTH)
    nodes, tensors, dim = [], [], 0
    for prefix, model in (("a/", first), ("b/", other)):
        model = compose.add_prefix(model, prefix)
        for node in model.graph.node:
            node.input[:] = ["input" if name == prefix + "input" else name for name in node.input]
        nodes += model.graph.node
        tensors += model.graph.initializer
        dim += model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    nodes += [helper.make_node("LpNormalization", ["a/embedding"], ["first"], name="first", axis=1, p=2),
              helper.make_node("Concat", ["first", "b/embedding"], ["embedding"], name="embedding", axis=1)]
    graph = helper.make_graph(
        nodes, "two-mobilefacenets", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", dim])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)],
                              producer_name="doppel models/make/join_faces.py")
    model.ir_version = 7
    facts.update({"doppel.name": "two-mobilefacenets-105", "doppel.version": "1", "doppel.dim": str(dim),
                  "doppel.licence": facts["doppel.licence"].replace("face-105.LICENSE", "face-105-large.LICENSE") +
                  "; and Apache-2.0 (github foamliu/MobileFaceNet)",
                  "doppel.origin": facts["doppel.origin"] + "; and github foamliu/MobileFaceNet"})
    helper.set_model_props(model, facts)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first")
    parser.add_argument("foamliu")
    parser.add_argument("out")
    parser.add_argument("--share", type=float, default=0.6, help="of the second network beside the first")
    args = parser.parse_args()
    model = join(onnx.load(args.first), second(args.foamliu), args.share)
    narrow(model, as_bytes=True)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, args.out)


if __name__ == "__main__":
    main()
