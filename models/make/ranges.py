#!/usr/bin/env python3
"""Measures on pictures between what its values lie, and keeps that in a model's facts.

    PYTHON models/make/ranges.py MODEL.onnx --pictures DIR [--limit 200] [--cut 1e-5] [--about TEXT]
                                 [--detector models/face-detect.onnx] [--out FILE]

What `--precision int8` goes by: a value that a convolution reads is rounded to 255 steps of its range,
of which a share, --cut, is left out at either end. The facts are "doppel.ranges", a line a value (lowest,
highest, name), and "doppel.ranges_from", which pictures these were. An encoder of faces gets the chip of
the largest face of each picture, one of whole pictures the picture squeezed, a detector the picture.
Nothing else of the file changes.
"""
import argparse
import pathlib
import zlib

import numpy as np
import onnx
import onnxruntime
from PIL import Image

import pipeline

SAMPLES = 20000  # kept of a value a picture, beside its lowest and highest


def chips(facts, paths, detector):
    """The model's input for each picture, where it has one."""
    mean, std = float(facts["doppel.mean"]), float(facts["doppel.std"])
    side = 0 if facts["doppel.kind"] == "face-detector" else int(facts["doppel.input"].split("x")[0])
    session = pipeline.open_session(detector) if facts["doppel.kind"] == "face-encoder" else None
    for path in paths:
        rgb = np.array(Image.open(path).convert("RGB"))
        if session:
            template = np.array([[float(x) for x in p.split(",")]
                                 for p in facts["doppel.template"].split()])
            faces = pipeline.detect(session, rgb)
            if len(faces) == 0:
                continue
            face = max(faces, key=lambda f: f[3] * f[4])
            rgb = pipeline.align(rgb, face[5:].reshape(5, 2), template, side)
        elif side:
            rgb = np.array(Image.fromarray(rgb).resize((side, side), Image.BILINEAR))
        else:
            h, w = (-(-n // 32) * 32 for n in rgb.shape[:2])
            rgb = np.pad(rgb, ((0, h - rgb.shape[0]), (0, w - rgb.shape[1]), (0, 0)))
        x = (np.asarray(rgb, np.float32) - mean) / std
        if facts["doppel.color"] == "bgr":
            x = x[:, :, ::-1]
        yield np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--pictures", required=True)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--cut", type=float, default=1e-5)
    parser.add_argument("--about", help="which pictures these are, as the fact says it")
    parser.add_argument("--detector", default="models/face-detect.onnx")
    parser.add_argument("--out")
    options = parser.parse_args()
    model = onnx.load(options.model)
    facts = {p.key: p.value for p in model.metadata_props}
    known = {i.name for i in model.graph.initializer}
    wanted = sorted({name for node in model.graph.node for name in node.input
                     if node.op_type in ("Conv", "MaxPool", "Resize", "Add") and name not in known
                     and name})
    inputs = [i.name for i in model.graph.input]
    open_all = onnx.ModelProto()
    open_all.CopyFrom(model)
    del open_all.graph.output[:]
    open_all.graph.output.extend(onnx.helper.make_tensor_value_info(
        n, onnx.TensorProto.FLOAT, None) for n in wanted if n not in inputs)
    session = onnxruntime.InferenceSession(open_all.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    # In an order that is the same everywhere and goes by nothing.
    paths = sorted((p for p in pathlib.Path(options.pictures).rglob("*")
                    if p.suffix.lower() in (".jpg", ".jpeg", ".png")),
                   key=lambda p: (zlib.crc32(p.name.encode()), str(p)))
    ends, kept, n = {}, {name: [] for name in wanted}, 0
    random = np.random.default_rng(1)
    for x in chips(facts, paths, options.detector):
        values = dict(zip(names, session.run(None, {inputs[0]: x})), **{inputs[0]: x})
        for name in wanted:
            v = values[name].ravel()
            low, high = ends.get(name, (np.inf, -np.inf))
            ends[name] = (min(low, v.min()), max(high, v.max()))
            kept[name].append(random.choice(v, SAMPLES) if v.size > SAMPLES else v)
        n += 1
        if n == options.limit:
            break
    lines = []
    for name in wanted:
        all_ = np.concatenate(kept[name])
        low, high = np.quantile(all_, [options.cut, 1 - options.cut]) if options.cut else ends[name]
        if high > low:
            lines.append(f"{low:.6g} {high:.6g} {name}")
    facts["doppel.ranges"] = "\n".join(lines)
    facts["doppel.ranges_from"] = f"{n} pictures of {options.about or options.pictures}" + (
        f", {options.cut:g} left out at either end" if options.cut else "")
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, options.out or options.model)
    print(f"{len(lines)} values, {n} pictures")


main()
