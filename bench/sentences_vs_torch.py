#!/usr/bin/env python3
"""A layer of a network of sentences in doppel and in PyTorch, in turns.

    PYTHON bench/sentences_vs_torch.py build/release [--rounds 7] [--runs 5] [--cell GRU] [--least 1]
           [--threads 2]
       PYTHON bench/sentences_vs_torch.py build/release --arch malstm [--pairs 512] [--length 32]

Needs numpy, onnx and torch (bench/requirements.txt, bench/requirements-torch.txt) and a built bench/bench_sentences. Words of a table
of 1,000 x 300, which is not trained, through one layer of 128 in both directions; the mean over its
steps. 512 sentences of 32 words, or, with --least, of that many to 32: then PyTorch packs them.
Measured are the forward alone, without gradients, and forward and backward. Each has a process of its
own; a round is some runs of one, then of the other, and who begins alternates. By the clock, and by the
time of all processors, which others on the machine stretch less. The columns: bench/figures.py.

With --arch a whole training step of that network on pairs of full sentences (bench/bench_pairs): both
sides forward, loss, backward, optimizer; PyTorch has both sides in one batch where they share a layer.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata

from figures import Figures, Side

WORDS, IN, HIDDEN, BATCH, LENGTH = 1000, 300, 128, 512, 32
CLOCKS = ("clock", 0), ("all processors", 1)


def torch_side(options):
    import resource

    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    table = torch.nn.Embedding(WORDS, IN)
    table.weight.requires_grad_(False)
    layer = getattr(torch.nn, options.cell)(IN, HIDDEN, batch_first=True, bidirectional=True)
    words = [options.least + b * 7919 % (LENGTH - options.least + 1) for b in range(BATCH)]
    ids = torch.zeros(BATCH, LENGTH, dtype=torch.int64)
    for b, n in enumerate(words):
        ids[b, :n] = 1 + (b * LENGTH + torch.arange(n)) * 7907 % 999

    def run():
        x = table(ids)
        if options.least < LENGTH:
            x = torch.nn.utils.rnn.pack_padded_sequence(x, words, batch_first=True,
                                                        enforce_sorted=False)
            y, _ = layer(x)
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True,
                                                          total_length=LENGTH)
        else:
            y, _ = layer(x)
        return y.mean(1)

    def now():
        return time.perf_counter(), time.process_time()

    def note(times, start):
        for k, end in enumerate(now()):
            times[k].append(1e3 * (end - start[k]))

    for line in sys.stdin:
        forward, both = [[], []], [[], []]
        for _ in range(int(line)):
            with torch.no_grad():
                start = now()
                run()
                note(forward, start)
        for _ in range(int(line)):
            start = now()
            layer.zero_grad(set_to_none=True)
            y = run()
            y.backward(torch.ones_like(y))
            note(both, start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(*(statistics.median(x[k]) for k in (0, 1) for x in (forward, both)), peak, flush=True)


def torch_steps(options):
    """The steps that bench_pairs takes."""
    import resource

    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, embedding

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    pairs, length, shared = options.pairs, options.length, options.arch == "malstm"
    ids = 1 + torch.arange(2 * pairs * length).reshape(2 * pairs, length) * 7919 % 4999
    same = torch.arange(pairs).remainder(2).float()
    if shared:
        table = torch.empty(5000, 300).uniform_(-.05, .05)
        layers = [torch.nn.LSTM(300, 128, batch_first=True, bidirectional=True),
                  torch.nn.LSTM(256, 32, batch_first=True, bidirectional=True)]
        parameters = [p for layer in layers for p in layer.parameters()]
        optimizer = torch.optim.NAdam(parameters)

        def loss():
            states, _ = layers[0](embedding(ids, table))
            _, (last, _) = layers[1](torch.nn.functional.dropout(states, .5))
            a, b = torch.cat([last[0], last[1]], 1).chunk(2)
            d = (a - b).abs().sum(1).clamp_min(6e-8)
            return (same * d - (1 - same) * torch.log(-torch.expm1(-d))).mean()
    else:
        tables = [torch.empty(30000, 128).uniform_(-.05, .05).requires_grad_() for _ in range(2)]
        layer = torch.nn.LSTM(128, 256, batch_first=True, bidirectional=True)
        head = torch.nn.Linear(512, 1)
        optimizer = torch.optim.Adam([*tables, *layer.parameters(), *head.parameters()])

        def loss():
            x = torch.cat([embedding(half, table) for half, table in zip(ids.chunk(2), tables)])
            _, (last, _) = layer(x)
            a, b = torch.cat([last[0], last[1]], 1).chunk(2)
            return binary_cross_entropy_with_logits(head(1 - (a - b).abs()).squeeze(1), same)

    for line in sys.stdin:
        times = [[], []]
        for _ in range(int(line)):
            start = time.perf_counter(), time.process_time()
            optimizer.zero_grad(set_to_none=True)
            loss().backward()
            optimizer.step()
            times[0].append(1e3 * (time.perf_counter() - start[0]))
            times[1].append(1e3 * (time.process_time() - start[1]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(*(statistics.median(x) for x in times), peak, flush=True)


def compare_steps(options):
    sizes = [options.arch, str(options.pairs), str(options.length), str(options.threads)]
    ours = Runs([str(options.build / "bench" / "bench_pairs"), *sizes])
    theirs = Runs([sys.executable, __file__, "--torch", "--arch", options.arch, "--pairs",
                   str(options.pairs), "--length", str(options.length), "--threads",
                   str(options.threads)], OMP_NUM_THREADS=str(options.threads))
    rows = []
    for i in range(-1, options.rounds):
        both = [None, None]
        for k in ((0, 1) if i % 2 else (1, 0)):
            both[k] = (ours, theirs)[k].run(options.runs)
        if i >= 0:
            rows.append(both)
    ours.close()
    theirs.close()
    figures = Figures("sentences")
    for clock, k in CLOCKS:
        figures.row(f"a step of {options.arch}, {options.pairs} pairs of {options.length}, {clock}", options.threads,
                    [o[k] for o, _ in rows], theirs.name, [t[k] for _, t in rows],
                    note=f"peak {max(o[2] for o, _ in rows):.0f} and {max(t[2] for _, t in rows):.0f} MB")


def model(path, options):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(1)
    gates = 4 if options.cell == "LSTM" else 3
    constants = {"words": rng.normal(size=(WORDS, IN)),
                 "w": rng.uniform(-.09, .09, (2, gates * HIDDEN, IN)),
                 "r": rng.uniform(-.09, .09, (2, gates * HIDDEN, HIDDEN)),
                 "b": rng.uniform(-.09, .09, (2, 2 * gates * HIDDEN))}
    tensors = [numpy_helper.from_array(x.astype(np.float32), n) for n, x in constants.items()]
    tensors += [numpy_helper.from_array(np.array(x, np.int64), n)
                for n, x in (("zero", 0), ("one", [1]), ("flat", [0, 0, 2 * HIDDEN]))]
    node = helper.make_node
    own = options.least < LENGTH
    attrs = {} if options.cell == "LSTM" else {"linear_before_reset": 1}
    nodes = [node("Gather", ["words", "ids"], ["x"], "table"),
             node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
             *([node("Equal", ["ids", "zero"], ["none"]), node("Not", ["none"], ["some"]),
                node("Cast", ["some"], ["some32"], to=TensorProto.INT32),
                node("ReduceSum", ["some32", "one"], ["lengths"], keepdims=0)] if own else []),
             node(options.cell, ["steps", "w", "r", "b"] + ["lengths"] * own, ["y"], "layer",
                  hidden_size=HIDDEN, direction="bidirectional", **attrs),
             node("Transpose", ["y"], ["yt"], perm=[0, 2, 1, 3]),
             node("Reshape", ["yt", "flat"], ["yr"]),
             node("Transpose", ["yr"], ["ys"], perm=[1, 0, 2]),
             node("ReduceMean", ["ys"], ["mean"], axes=[1], keepdims=0)]
    graph = helper.make_graph(
        nodes, "layer", [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", LENGTH])],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 2 * HIDDEN])], tensors)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), path)


class Runs(Side):
    def __init__(self, words, **environment):
        super().__init__(words, **environment)
        self.name = "PyTorch " + metadata.version("torch")

    def run(self, runs):
        """The first run after a pause finds nothing of its own in the caches."""
        self.ask("1")
        return self.ask(str(runs))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cell", default="LSTM", choices=("LSTM", "GRU"))
    parser.add_argument("--least", type=int, default=LENGTH)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--arch", choices=("malstm", "bilstm-l1"))
    parser.add_argument("--pairs", type=int, default=BATCH)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        (torch_steps if options.arch else torch_side)(options)
        return
    if options.arch:
        compare_steps(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "layer.onnx")
        model(path, options)
        ours = Runs([str(options.build / "bench" / "bench_sentences"), path, str(BATCH), str(LENGTH),
                     str(options.threads), str(options.least)])
        theirs = Runs([sys.executable, __file__, "--torch", "--cell", options.cell, "--least",
                       str(options.least), "--threads", str(options.threads)],
                      OMP_NUM_THREADS=str(options.threads))
        rows = []
        for i in range(-1, options.rounds):
            both = [None, None]
            for k in ((0, 1) if i % 2 else (1, 0)):
                both[k] = (ours, theirs)[k].run(options.runs)
            if i >= 0:
                rows.append(both)
        ours.close()
        theirs.close()
    figures = Figures("sentences")
    for name, a, b in (("forward", 0, 0), ("forward by a tape", 1, 0), ("forward and backward", 2, 1)):
        for clock, k in CLOCKS:
            figures.row(f"{options.cell} {name}, {clock}", options.threads, [o[a + 3 * k] for o, _ in rows],
                        theirs.name, [t[b + 2 * k] for _, t in rows],
                        note=f"peak {max(o[6] for o, _ in rows):.0f} and {max(t[4] for _, t in rows):.0f} MB")


if __name__ == "__main__":
    main()
