#!/usr/bin/env python3
"""Say in an encoder of pictures how often two different photos are as alike.

    python models/make/calibrate_image.py models/image-105.onnx DATA

All pairs of the pictures of DATA/flickr8k that were not trained on (every eighth) are compared; none of
the most alike were found to be the same picture by eye. The table (doppel.calibration, version 1, see
models/README.md) goes into the model's file: `doppel query` tells a copy by it. Rates have the 95 %
bounds of a Poisson distribution, as if pairs were independent.
"""
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from scipy.stats import chi2

path, data = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(path, options)
folder = os.path.join(data, "flickr8k")
vectors = []
for number, name in enumerate(sorted(os.listdir(folder)), 1):
    if number % 8 == 0:
        picture = Image.open(os.path.join(folder, name)).convert("RGB").resize((105, 105), Image.BILINEAR)
        x = (np.asarray(picture, np.float32).transpose(2, 0, 1)[None] - 127) / 128
        y = session.run(None, {"input": x})[0][0]
        vectors.append(y / np.linalg.norm(y))
vectors = np.stack(vectors)
scores = np.sort((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)])
n = len(scores)
points = []
for t in [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]:
    count = n - int(np.searchsorted(scores, t))
    # Where no pair is, it counts as if one were.
    points.append([t, max(count, 1) / n, float(chi2.ppf(0.025, 2 * count)) / 2 / n if count else 0.0,
                   min(1.0, float(chi2.ppf(0.975, 2 * (count + 1))) / 2 / n)])
table = {"version": 1, "metric": "cosine", "pairs": n,
         "source": f"{len(vectors)} everyday photos of Flickr8k that were not trained on, all pairs",
         "points": [[round(t, 4)] + [float(f"{v:.4g}") for v in rest] for t, *rest in points]}
print(json.dumps(table))
model = onnx.load(path)
props = {p.key: p.value for p in model.metadata_props}
props["doppel.calibration"] = json.dumps(table)
onnx.helper.set_model_props(model, props)
onnx.save(model, path)
