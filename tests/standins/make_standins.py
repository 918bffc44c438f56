"""Tiny encoders that stand in for real ones in tests: python3 make_standins.py (needs onnx, numpy).

image.onnx      an image encoder: 8x8 means of a 32x32 RGB picture, 48 numbers
koch.onnx       grey 105x105, no template, head l1-sigmoid with weights of both signs, vectors not of unit length
nhwc.onnx       input [1, 16, 16, 3], as TensorFlow converters leave it: batch fixed at 1, channels last
large.onnx      some hundred bytes whose run takes 2 GB
slow.onnx       some hundred bytes whose run takes minutes
nan.onnx        a face encoder whose vectors are not finite for dark chips
sentences.onnx  a text encoder: the mean of its words' vectors, where words of one meaning have one
masked.onnx     the same of one length, with a mask and lengths, and with padding that counts where it is not masked
colours.onnx    a text encoder into the space of image.onnx: red, green, blue, bright and dark pictures
"""
import base64
import os

import numpy as np
import onnx
from onnx import TensorProto, helper

HERE = os.path.dirname(os.path.abspath(__file__))
ARCFACE = "38.2946,51.6963 73.5318,51.5014 56.0252,71.7366 41.5493,92.3655 70.7299,92.2041"


def save(name, nodes, in_shape, out_shape, facts, initializers=()):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, in_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out_shape)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in facts.items():
        model.metadata_props.add(key="doppel." + key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(HERE, name + ".onnx"))


save("image",
     [helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
      helper.make_node("Flatten", ["p"], ["y"])],
     ["n", 3, 32, 32], ["n", 48],
     {"kind": "image-encoder", "name": "stand-in image", "mean": "127.5", "std": "127.5"})

weights = np.linspace(-0.5, -3, 49).astype("<f4")
weights[::7] = 0.25
save("koch",
     [helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[15, 15], strides=[15, 15]),
      helper.make_node("Flatten", ["p"], ["f"]),
      helper.make_node("Sigmoid", ["f"], ["y"])],
     ["n", 1, 105, 105], ["n", 49],
     {"kind": "face-encoder", "name": "stand-in koch", "mean": "127.5", "std": "32",
      "normalize": "none", "head": "l1-sigmoid",
      "head.weights": base64.b64encode(weights.tobytes()).decode(), "head.bias": "2"})

save("nhwc",
     [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
      helper.make_node("AveragePool", ["t"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
      helper.make_node("Flatten", ["p"], ["y"])],
     [1, 16, 16, 3], [1, 12],
     {"kind": "face-encoder", "name": "stand-in nhwc", "mean": "10,20,30", "std": "2",
      "color": "bgr", "template": " ".join(f"{float(v.split(',')[0]) / 7:.3f},"
                                           f"{float(v.split(',')[1]) / 7:.3f}"
                                           for v in ARCFACE.split())})

save("nan",
     [helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
      helper.make_node("Flatten", ["p"], ["f"]),
      helper.make_node("Sqrt", ["f"], ["y"])],
     ["n", 3, 16, 16], ["n", 12],
     {"kind": "face-encoder", "name": "stand-in nan", "mean": "60", "std": "1"})

FACE = {"kind": "face-encoder", "template": ARCFACE}
MEAN = [helper.make_node("GlobalAveragePool", ["b"], ["m"]), helper.make_node("Flatten", ["m"], ["y"])]


def scales(by):
    return helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, by, by])


save("large",
     [helper.make_node("Resize", ["x", "", "s"], ["b"])] + MEAN,
     ["n", 3, 112, 112], ["n", 3], FACE, [scales(120.0)])
save("slow",
     [helper.make_node("Resize", ["x", "", "s"], ["a"]),
      helper.make_node("AveragePool", ["a"], ["b"], kernel_shape=[255, 255])] + MEAN,
     ["n", 3, 112, 112], ["n", 3], FACE, [scales(16.0)])


def save_text(name, words, table, facts, masked=False):
    """words: a row of the table each, behind padding and unknown; a text is the mean of its rows."""
    rows = np.concatenate([np.zeros((2, table.shape[1])), table]).astype(np.float32)
    rows[1, 0] = 1e-3
    constants = [onnx.numpy_helper.from_array(rows, "table")]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 12 if masked else "steps"])]
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"]),
             helper.make_node("ReduceMean", ["rows"], ["y"], axes=[1], keepdims=0)]
    if masked:
        rows[0] = 1
        constants = [onnx.numpy_helper.from_array(rows, "table"),
                     onnx.numpy_helper.from_array(np.array([1], np.int64), "one"),
                     onnx.numpy_helper.from_array(np.array([2], np.int64), "two")]
        inputs += [helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["n", 12]),
                   helper.make_tensor_value_info("lengths", TensorProto.INT64, ["n"])]
        nodes = [nodes[0],
                 helper.make_node("Cast", ["attention_mask"], ["m"], to=TensorProto.FLOAT),
                 helper.make_node("Unsqueeze", ["m", "two"], ["m1"]),
                 helper.make_node("Mul", ["rows", "m1"], ["masked"]),
                 helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
                 helper.make_node("Cast", ["lengths"], ["l"], to=TensorProto.FLOAT),
                 helper.make_node("Unsqueeze", ["l", "one"], ["l1"]),
                 helper.make_node("Div", ["sum", "l1"], ["y"])]
    graph = helper.make_graph(
        nodes, name, inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", table.shape[1]])],
        constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    facts = {"kind": "text-encoder", "name": f"stand-in {name}", "tokens": "words", "tokens.lower": "1",
             "tokens.length": "12", "tokens.padding": "0", "tokens.unknown": "1",
             "tokens.list": "\n".join(["", ""] + words), **facts}
    for key, value in facts.items():
        model.metadata_props.add(key="doppel." + key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(HERE, name + ".onnx"))


MEANINGS = [["dog", "dogs", "puppy", "hund"], ["beach", "sea", "sand", "shore"], ["cat", "kitten"],
            ["run", "runs", "running"], ["woman", "lady"], ["red"], ["two", "2"], ["portrait", "photo"]]
WORDS = [w for group in MEANINGS for w in group] + ["a", "an", "the", "on", "at", "in", "of", "and", "."]
TABLE = np.zeros((len(WORDS), len(MEANINGS) + 1))
for i, w in enumerate(WORDS):
    meaning = next((k for k, group in enumerate(MEANINGS) if w in group), len(MEANINGS))
    TABLE[i, meaning] = 1.0 if meaning < len(MEANINGS) else 0.05
save_text("sentences", WORDS, TABLE, {"head": "cosine"})
save_text("masked", WORDS, TABLE, {"normalize": "none"}, masked=True)

PICTURES = {"red": [1, -1, -1], "green": [-1, 1, -1], "blue": [-1, -1, 1], "bright": [1, 1, 1],
            "dark": [-1, -1, -1], "a": [0, 0, 0], "picture": [0, 0, 0]}
save_text("colours", list(PICTURES), np.repeat(np.array(list(PICTURES.values()), float), 16, axis=1),
          {"head": "cosine"})
