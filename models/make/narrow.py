#!/usr/bin/env python3
"""Keep a model's large weights as float16, or as bytes with a scale each output channel: half the file, or a quarter.

    python models/make/narrow.py [--bytes] MODEL OUT

Initializers of 1,024 numbers and more become narrow, with a Cast or a DequantizeLinear before their use; metadata
and all else stay. Bytes are those of the weights as float16, so that they are the same of a file that keeps such.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def halved(tensor):
    half = numpy_helper.to_array(tensor).astype(np.float16)
    if not np.isfinite(half).all():
        raise SystemExit(f"{tensor.name} does not fit float16")
    return half


def to_half(tensor):
    """The node that gives the tensor's name again what it now holds as float16."""
    half, name = halved(tensor), tensor.name
    tensor.CopyFrom(numpy_helper.from_array(half, name + "_16"))
    return helper.make_node("Cast", [name + "_16"], [name], name=name, to=TensorProto.FLOAT)


def to_bytes(tensor, graph):
    """The same as bytes."""
    value, name = halved(tensor).astype(np.float32), tensor.name
    axes = tuple(range(1, value.ndim))
    scale = np.maximum(np.abs(value).max(axes), 1e-30) / np.float32(127)
    whole = np.round(value / scale.reshape([-1] + [1] * len(axes))).astype(np.int8)
    tensor.CopyFrom(numpy_helper.from_array(whole, name + "_8"))
    graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), name + "_scale"))
    return helper.make_node("DequantizeLinear", [name + "_8", name + "_scale"], [name], name=name, axis=0)


def widen(graph):
    """What is kept as float16 is float32 again."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Cast" and node.input[0] in tensors]:
        tensor = tensors[node.input[0]]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), node.output[0]))
        graph.node.remove(node)


def narrow(model, as_bytes=False):
    graph, nodes = model.graph, []
    widen(graph)
    for tensor in list(graph.initializer):
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.size >= 1024 and (value.ndim > 1 or not as_bytes):
            nodes.append(to_bytes(tensor, graph) if as_bytes else to_half(tensor))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--bytes", action="store_true", help="as bytes, not as float16")
    args = parser.parse_args()
    model = onnx.load(args.model)
    narrow(model, args.bytes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, args.out)


if __name__ == "__main__":
    main()
