#!/usr/bin/env python3
"""Keep a model's large weights as float16, cast when they are used: half the file, the same network.

    python models/make/half.py MODEL OUT

Initializers of 1,024 numbers and more become float16 with a Cast before their use; metadata and all else stay.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def halve(model):
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.size < 1024:
            continue
        half = value.astype(np.float16)
        if not np.isfinite(half).all():
            raise SystemExit(f"{tensor.name} does not fit float16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, name + "_16"))
        casts.append(helper.make_node("Cast", [name + "_16"], [name], name=name, to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out")
    args = parser.parse_args()
    model = onnx.load(args.model)
    halve(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, args.out)


if __name__ == "__main__":
    main()
