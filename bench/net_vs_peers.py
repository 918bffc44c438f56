#!/usr/bin/env python3
"""The bundled networks in doppel, onnxruntime and OpenVINO, alternating in one process.

    PYTHON bench/net_vs_peers.py build/release [--repeats 20] [--case TEXT] [--threads 1,2] > figures.csv

Needs numpy, onnx, onnxruntime and openvino (bench/requirements.txt) and a built lib/libdoppel.so. Each case
runs in float32, in bfloat16 where doppel has kernels for it (onnxruntime has not), and in eight bits: a file
that onnxruntime's quantize_static makes for this run (QDQ, uint8 activations, int8 weights a channel), the
same for all: int8 as it does by itself, int8-less without a rounding between a convolution and what follows
it (OpTypesToExcludeOutputQuantization). Two threads:
doppel gives each its own plan and half of the pictures, and runs a single picture on a team of two; the
others get two threads. All get the same numbers; the outputs are compared with onnxruntime's first, and a
difference above 1e-3 of the output's scale (bfloat16: .1; eight bits: .4, as fifty roundings to 255 steps
make of noise what they like: onnxruntime's own results move by .15 when the input is changed by 1e-5 of
itself) ends the run. Times in milliseconds a batch; the columns: bench/figures.py.
"""
import argparse
import ctypes
import itertools
import os
import pathlib
import sys
import tempfile
import threading
import time

import numpy
import onnxruntime
import openvino

from figures import Figures

ROOT = pathlib.Path(__file__).resolve().parent.parent
NHWC = 1


def load(build):
    """The library, and how its structs lie, as the Python package has it from the headers."""
    global Options, Shape
    sys.path.insert(0, str(ROOT / "python"))
    os.environ["DOPPEL_LIBRARY"] = str(build / "lib" / "libdoppel.so")
    from doppel._abi import dpl_net_options as Options, dpl_shape as Shape
    lib = ctypes.CDLL(str(build / "lib" / "libdoppel.so"))
    pointer, status = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("dpl_net_open", status, (pointer, ctypes.c_char_p, pointer, pointer)),
        ("dpl_net_close", None, (pointer,)),
        ("dpl_net_options_init", None, (pointer, ctypes.c_size_t)),
        ("dpl_net_n_outputs", ctypes.c_int32, (pointer,)),
        ("dpl_net_output_name", ctypes.c_char_p, (pointer, ctypes.c_int32)),
        ("dpl_plan_new_on", status,
         (pointer, pointer, pointer, ctypes.c_int, ctypes.c_int32, pointer)),
        ("dpl_plan_free", None, (pointer,)),
        ("dpl_plan_input", pointer, (pointer, ctypes.c_int32)),
        ("dpl_plan_output", pointer, (pointer, ctypes.c_int32)),
        ("dpl_plan_output_shape", Shape, (pointer, ctypes.c_int32)),
        ("dpl_plan_run", None, (pointer,)),
        ("dpl_cpu_level", ctypes.c_char_p, ()),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Plan:
    """One plan of a net for [n, h, w, 3] pictures."""

    def __init__(self, lib, net, n, h, w, threads):
        self.lib, self.net, self.plan = lib, net, ctypes.c_void_p()
        shape = Shape(4, (ctypes.c_int64 * 8)(n, 3, h, w))
        if lib.dpl_plan_new_on(ctypes.byref(self.plan), net, ctypes.byref(shape), NHWC, threads, None):
            sys.exit("dpl_plan_new failed")
        self.n_bytes = n * h * w * 3 * 4

    def run(self, pictures):
        # The input is written anew each time: a run leaves it undefined.
        ctypes.memmove(self.lib.dpl_plan_input(self.plan, 0), pictures.ctypes.data, self.n_bytes)
        self.lib.dpl_plan_run(self.plan)

    def output(self, i):
        shape = self.lib.dpl_plan_output_shape(self.plan, i)
        dims = list(shape.dims[: shape.rank])
        at = ctypes.cast(self.lib.dpl_plan_output(self.plan, i), ctypes.POINTER(ctypes.c_float))
        flat = numpy.ctypeslib.as_array(at, (int(numpy.prod(dims)),)).copy()
        if len(dims) == 4:
            return flat.reshape(dims[0], dims[2], dims[3], dims[1]).transpose(0, 3, 1, 2)
        return flat.reshape(dims)


class Ours:
    """A batch over as many threads as asked, each with a plan of its own and waiting between runs; a
    picture by itself on a team of them."""

    def __init__(self, lib, net, batch, h, w, threads):
        n = min(threads, batch)
        parts = [batch // n + (i < batch % n) for i in range(n)]
        self.plans = [Plan(lib, net, part, h, w, threads // n) for part in parts]
        self.starts = numpy.cumsum([0] + parts)
        self.pictures = None
        self.barrier = threading.Barrier(n)
        for i in range(1, n):
            threading.Thread(target=self._work, args=(i,), daemon=True).start()

    def _part(self, i):
        self.plans[i].run(self.pictures[self.starts[i] : self.starts[i + 1]])

    def _work(self, i):
        while True:
            self.barrier.wait()
            self._part(i)
            self.barrier.wait()

    def run(self, pictures):
        self.pictures = pictures
        if len(self.plans) == 1:
            self._part(0)
            return
        self.barrier.wait()
        self._part(0)
        self.barrier.wait()


class OnnxRuntime:
    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.names = [o.name for o in self.session.get_outputs()]

    def run(self, pictures):
        return self.session.run(None, {self.input: pictures})


class OpenVino:
    def __init__(self, path, threads, precision, shape):
        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape(list(shape))
        self.request = core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}).create_infer_request()

    def run(self, pictures):
        self.request.infer([pictures], share_inputs=True)


def milliseconds(run, pictures, clock):
    start = clock()
    run(pictures)
    return 1e3 * (clock() - start)


def same(ours, theirs, names):
    """The worst difference of any output, in parts of its scale."""
    worst = 0
    for i, name in enumerate(names):
        got = numpy.concatenate([plan.output(i) for plan in ours.plans])
        want = theirs[i]
        worst = max(worst, numpy.abs(got.reshape(want.shape) - want).max() / numpy.abs(want).max())
    return worst


CASES = [("face-105", 105, 105, 1), ("face-105", 105, 105, 16), ("face-detect", 640, 640, 1),
         ("face-detect", 960, 1280, 1), ("face-detect", 640, 640, 16), ("image-105", 105, 105, 1)]


PRECISIONS = {"f32": 0, "bf16x3": 4, "bf16": 1, "int8": 3, "int8-less": 3}
LIMITS = {"f32": 1e-3, "bf16x3": 1e-3, "bf16": 0.1, "int8": 0.4, "int8-less": 0.4}


def picture(random, name, batch, h, w):
    """Numbers as the net gets them of pictures."""
    top = 255 if name == "face-detect" else 1
    return ((random.random((batch, h, w, 3), dtype=numpy.float32) * 2 - (top == 1)) * top / 2).astype(
        numpy.float32)


def with_plain_weights(path, out):
    """The model with float32 weights where it keeps them in float16 and casts them: what is cast counts as
    computed, and is not quantised as a weight."""
    import onnx
    model = onnx.load(str(path))
    kept = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type == "Cast" and n.input[0] in kept]:
        weights = onnx.numpy_helper.to_array(kept[node.input[0]]).astype(numpy.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights, node.output[0]))
        model.graph.node.remove(node)
    onnx.save(model, str(out))
    return out


def quantised(path, name, how, folder):
    """The model quantised by onnxruntime, kept in the folder for this run."""
    from onnxruntime import quantization
    out = pathlib.Path(folder) / f"{name}-{how}.onnx"

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            random, side = numpy.random.default_rng(7), 640 if name == "face-detect" else 105
            self.left = [{"input": numpy.ascontiguousarray(
                picture(random, name, 1, side, side).transpose(0, 3, 1, 2))} for _ in range(4)]

        def get_next(self):
            return self.left.pop() if self.left else None

    if not out.exists():
        more = {} if how == "int8" else {"OpTypesToExcludeOutputQuantization": ["Conv"]}
        quantization.quantize_static(
            str(with_plain_weights(path, out)), str(out), Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            extra_options=more)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build tree, for example build/release")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--case", default="", help="only models whose name contains this")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--precisions", default="f32,bf16x3,bf16,int8,int8-less")
    parser.add_argument("--processor-time", action="store_true",
                        help="the process's, not the clock's: for one thread on a busy machine")
    parser.add_argument("--openvino", action="store_true", help="leave out onnxruntime's times")
    options = parser.parse_args()
    clock = time.process_time if options.processor_time else time.perf_counter
    if options.repeats < 10:
        parser.error("at least 10 repeats")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    lib = load(options.build)
    figures = Figures("net")
    level = lib.dpl_cpu_level().decode()
    versions = {"onnxruntime": onnxruntime.__version__, "openvino": openvino.__version__.split("-")[0]}
    folder = tempfile.TemporaryDirectory()
    for (name, h, w, batch), threads, precision in itertools.product(
            CASES, [int(n) for n in options.threads.split(",")], options.precisions.split(",")):
        if options.case not in f"{name}-{h}-{batch}":
            continue
        path, net, wanted = options.models / (name + ".onnx"), ctypes.c_void_p(), Options()
        if precision.startswith("int8"):
            path = quantised(path, name, precision, folder.name)
        lib.dpl_net_options_init(ctypes.byref(wanted), ctypes.sizeof(wanted))
        wanted.precision = PRECISIONS[precision]
        if lib.dpl_net_open(ctypes.byref(net), str(path).encode(), ctypes.byref(wanted), None):
            sys.exit(f"cannot open {path}")
        nhwc = picture(numpy.random.default_rng(105), name, batch, h, w)
        nchw = numpy.ascontiguousarray(nhwc.transpose(0, 3, 1, 2))
        ours = Ours(lib, net, batch, h, w, threads)
        reference = OnnxRuntime(path, threads)
        peers = {} if precision == "bf16" or options.openvino else {"onnxruntime": reference}
        # Between what is quantised OpenVINO may use bfloat16, as it does by itself.
        peers["openvino"] = OpenVino(path, threads, "f32" if precision in ("f32", "bf16x3") else "bf16",
                                     nchw.shape)
        for _ in range(3):
            ours.run(nhwc)
            for peer in peers.values():
                peer.run(nchw)
        difference = same(ours, reference.run(nchw), reference.names)
        if not difference < LIMITS[precision]:
            sys.exit(f"{name}: outputs differ by {difference:.3g} of their scale")
        runs = {"doppel": (ours, nhwc), **{who: (peer, nchw) for who, peer in peers.items()}}
        times = {who: [] for who in runs}
        for i in range(options.repeats):
            # Who goes first alternates too: the first finds the caches of the other's run.
            order = list(runs) if i % 2 else list(runs)[::-1]
            for who in order:
                times[who].append(milliseconds(runs[who][0].run, runs[who][1], clock))
        for who in peers:
            figures.row(f"{name} {batch}x{h}x{w} {precision} {level}", threads, times["doppel"],
                        f"{who} {versions[who]}", times[who], note=f"worst difference {difference:.1e}")


main()
