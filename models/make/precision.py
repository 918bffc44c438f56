#!/usr/bin/env python3
"""Says in a model's facts in which numbers it keeps its accuracy.

    PYTHON models/make/precision.py bf16|int8|f32 MODEL.onnx…

What `--precision auto` goes by, once bench/bench_precision has shown it. Nothing else of the file changes.
"""
import sys

import onnx

if len(sys.argv) < 3 or sys.argv[1] not in ("bf16", "f32", "int8"):
    sys.exit(__doc__)
for path in sys.argv[2:]:
    model = onnx.load(path)
    facts = {p.key: p.value for p in model.metadata_props}
    facts["doppel.precision"] = sys.argv[1]
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, path)
