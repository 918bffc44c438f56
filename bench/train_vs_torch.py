#!/usr/bin/env python3
"""A training step in doppel and in PyTorch, in turns: pictures a second and peak memory.

    PYTHON bench/train_vs_torch.py build/release [--rounds 5] [--steps 3] [--case TEXT] > figures.csv

Needs numpy and torch (bench/requirements.txt, bench/requirements-torch.txt) and a built bench/bench_train. Both take batches of 64
random pictures of 105 x 105 as 32 pairs, with two threads: forward, cross-entropy of the weighted L1
head, backward, Adam, in float32. Each has a process of its own, so that each has a peak of its own; the
one that does not measure sleeps. A round is some steps of one, then of the other, after steps that are
not timed, and who begins alternates. A process's time is its median step, the result the ratio of the
medians over the rounds, PyTorch's time over doppel's: above 1 where doppel is faster.

PyTorch gets what it was fastest with (docs/speed-log.md): --layout, --mode and --foreach try others.
Compiling takes place before the first round.
Its peak counts the library itself, which is told beside it.
"""
import argparse
import csv
import ctypes
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

from figures import Figures

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIDE, BATCH, THREADS = 105, 64, 2
# The networks, and whether PyTorch was faster compiled.
CASES = {"koch2015": False, "mobilefacenet": True}


# ---------------------------------------------------------------- PyTorch, in a process of its own


def koch(nn):
    layers, channels = [], 1
    for out, kernel, pool in ((64, 10, True), (128, 7, True), (128, 4, True), (256, 4, False)):
        layers += [nn.Conv2d(channels, out, kernel), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(2)] if pool else []
        channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(9216, 4096), nn.Sigmoid()), 1, 4096


def mobilefacenet(nn):
    def layer(in_c, out_c, kernel, stride=1, pad=0, groups=1, act=True):
        pieces = [nn.Conv2d(in_c, out_c, kernel, stride, pad, groups=groups, bias=False),
                  nn.BatchNorm2d(out_c)]
        return nn.Sequential(*pieces, *([nn.PReLU(out_c)] if act else []))

    class Bottleneck(nn.Module):
        def __init__(self, in_c, inside, out_c, stride):
            super().__init__()
            self.adds = stride == 1 and in_c == out_c
            self.layers = nn.Sequential(layer(in_c, inside, 1),
                                        layer(inside, inside, 3, stride, 1, inside),
                                        layer(inside, out_c, 1, act=False))

        def forward(self, x):
            return self.layers(x) + x if self.adds else self.layers(x)

    layers, channels = [layer(3, 64, 3, 2, 1), layer(64, 64, 3, 1, 1, 64)], 64
    for widen, out, n, first in ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2),
                                 (2, 128, 2, 1)):
        for k in range(n):
            layers.append(Bottleneck(channels, widen * channels, out, 1 if k else first))
            channels = out
    layers += [layer(channels, 512, 1), layer(512, 512, 7, groups=512, act=False),
               layer(512, 128, 1, act=False), nn.Flatten()]
    return nn.Sequential(*layers), 3, 128


def torch_side(options):
    """Print the library's own peak; then for each line of stdin take that many steps and print the
    median in milliseconds and the peak."""
    import torch

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

    print(torch.__version__, peak(), flush=True)
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    net, channels, dim = {"koch2015": koch, "mobilefacenet": mobilefacenet}[options.torch](torch.nn)
    head = torch.nn.Linear(dim, 1)
    x = torch.rand(BATCH, channels, SIDE, SIDE)
    same = (torch.arange(BATCH // 2) % 2).float()
    if options.layout == "channels_last":
        net, x = (v.to(memory_format=torch.channels_last) for v in (net, x))
    how = dict(foreach=True) if options.foreach else dict(fused=True)
    adam = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=1e-4, **how)

    def loss_of(pictures):
        e = net(pictures)
        return torch.nn.functional.binary_cross_entropy_with_logits(
            head((e[0::2] - e[1::2]).abs()).squeeze(1), same)

    run = torch.compile(loss_of) if options.mode == "compiled" else loss_of
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            adam.zero_grad(set_to_none=True)
            run(x).backward()
            adam.step()
            times.append(1e3 * (time.perf_counter() - start))
        print(statistics.median(times), peak(), flush=True)


class Theirs:
    def __init__(self, arch, options):
        words = [sys.executable, __file__, "--torch", arch, "--layout", options.layout]
        self.compiled = CASES[arch] if options.mode == "best" else options.mode == "compiled"
        words += ["--mode", "compiled"] * self.compiled + ["--foreach"] * options.foreach
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.version, base = self.process.stdout.readline().split()
        self.base, self.peak = float(base), 0
        self.run(2)

    def run(self, steps):
        """The first step after a pause finds nothing of its own in the caches."""
        for n in (1, steps):
            self.process.stdin.write(f"{n}\n")
            self.process.stdin.flush()
            median, self.peak = map(float, self.process.stdout.readline().split())
        return median

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---------------------------------------------------------------- doppel


class Ours:
    """bench_train, started anew for every round, in the environment that the program makes for itself
    (settle_blas in app/main.c): one BLAS thread, and a BLAS core that fits the processor."""

    def __init__(self, build):
        self.program = build / "bench" / "bench_train"
        lib = ctypes.CDLL(str(build / "lib" / "libdoppel.so"))
        lib.dpl_blas_core.restype = lib.dpl_cpu_level.restype = ctypes.c_char_p
        self.level, core = lib.dpl_cpu_level().decode(), lib.dpl_blas_core().decode()
        self.environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        if core == "Prescott" and self.level != "baseline":
            self.environment.setdefault("OPENBLAS_CORETYPE",
                                        "SkylakeX" if self.level == "avx512" else "Haswell")
        self.core = self.peak = None

    def run(self, arch, steps):
        words = [str(self.program), arch, str(BATCH), str(THREADS), str(steps)]
        out = subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True)
        row = next(csv.DictReader(out.stdout.splitlines()[:2]))
        self.core, self.peak = row["blas_core"], float(row["peak_mb"])
        return float(row["median_ms"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, nargs="?", default=ROOT / "build" / "release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="timed, of each in a round")
    parser.add_argument("--case", default="", help="only networks whose name contains this")
    parser.add_argument("--layout", choices=("channels_last", "contiguous"), default="channels_last")
    parser.add_argument("--mode", choices=("best", "eager", "compiled"), default="best")
    parser.add_argument("--foreach", action="store_true", help="Adam by foreach, not fused")
    parser.add_argument("--torch", metavar="ARCH", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        torch_side(options)
        return
    ours, figures = Ours(options.build), Figures("train")
    for arch in CASES:
        if options.case not in arch:
            continue
        theirs, a, b = Theirs(arch, options), [], []
        for i in range(options.rounds):
            for who in (0, 1) if i % 2 else (1, 0):
                if who:
                    a.append(ours.run(arch, options.steps))
                else:
                    b.append(theirs.run(options.steps))
        theirs.close()
        figures.row(f"a step of {arch}, {BATCH} pictures", THREADS, a, f"PyTorch {theirs.version}", b,
                    note=f"peak {ours.peak:.0f} and {theirs.peak:.0f} MB, the library itself {theirs.base:.0f}; "
                         f"{ours.level}, BLAS {ours.core}; PyTorch {options.layout}, "
                         f"{'compiled' if theirs.compiled else 'eager'}, "
                         f"Adam {'foreach' if options.foreach else 'fused'}")


main()
