#!/usr/bin/env python3
"""Refine a face encoder by what three say together, by small steps, on a GPU.

    python models/make/pack.py faces DATA faces.npz
    python models/make/make_encoder.py --side 112 MobileFaceNet.tflite v1-112.onnx
    python models/make/train_face.py faces.npz --v1 v1-112.onnx --foamliu foamliu-mobilefacenet-112.onnx \\
        --dlib package/model --init version-2.onnx --out run

--dlib is the folder model of the npm package @vladmandic/face-api 1.7.15, --init version 2 (refine_face.py).

Teachers: version 1 at 112, foamliu's MobileFaceNet at 112, dlib's ResNet at 150. Each sees a clean chip
and its mirror image; their unit vectors (dlib's less their mean) are weighted, joined, brought onto their
first principal axes, and turned as near to version 1's own vectors as they go. The target lies on the way
from version 1's own vector to that joined one, and is the same for all views of a chip. A person's targets are
drawn towards their mean. Beside the faces there are made ones: parts of one in another, bent and tinted,
which the teachers have seen as such.

Each leg (how much of the way: rate of a step in shares of the weights' size: minutes) begins at --init and
ends at the mean of its last steps, which is written with some on its way to run/NAME.pt. At the end all
mixtures of the start and an end are looked at, and some of all ends; run/last.onnx lies --way of the way of the
first leg. Looks are at packed pictures: their loss costs figures, the same of all.
"""
import argparse
import math
import os
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import augment as A
import networks
from pack import read
from refine_face import SIDE, save, views
from replay import captured
from steps import Steps


def cut(x, side, zoom=1.0, middle=(56.0, 56.0), at=None, **more):
    """A side x side crop of 128x128 chips, whose pixel p is p - 8 of the 112 template: middle, in that
    template, comes to lie at `at` of the crop (its middle when absent)."""
    n = len(x)
    at = at or ((side - 1) / 2, (side - 1) / 2)
    # Shift from the chip's middle (63.5) to what lies in the crop's middle.
    dx = middle[0] + 8 - 63.5 + ((side - 1) / 2 - at[0]) / zoom
    dy = middle[1] + 8 - 63.5 + ((side - 1) / 2 - at[1]) / zoom
    shift = torch.tensor([dx, dy], device=x.device).expand(n, 2)
    one = torch.ones(n, device=x.device)
    return A.sample(x, side, one * zoom, one * 0, shift, **more)


class Teachers(nn.Module):
    """Unit vectors of the three, each of a picture and its mirror image."""

    def __init__(self, v1, foamliu, dlib):
        super().__init__()
        self.nets = nn.ModuleList([networks.from_onnx(v1), networks.from_onnx(foamliu),
                                   networks.from_dlib(dlib)])
        self.to("cuda" if torch.cuda.is_available() else "cpu")
        for net in self.nets:
            net.quick()
        for p in self.parameters():
            p.requires_grad_(False)
        self.eval()

    def views(self, x):
        def mean(*values):
            return A.table(values, x.device).view(1, 3, 1, 1)

        plain = x[:, :, 8:120, 8:120]
        yield (plain - 127.5) / 128
        yield (plain / 255 - mean(.485, .456, .406)) / mean(.229, .224, .225)
        yield (cut(x, 150, 1.509, (56.0, 51.6), (75.0, 46.0), mode="bilinear")
               - mean(122.782, 117.001, 104.298)) / 255

    def forward(self, x):
        out = []
        for net, a, b in zip(self.nets, self.views(x), self.views(x.flip(3))):
            y = F.normalize(net(torch.cat([a, b])).float())
            out.append(y[:len(x)] + y[len(x):])
        return out


def teach(teachers, make, n, half):
    """The teachers' vectors of the pictures make(a, b), of n."""
    size = 512 if torch.cuda.is_available() else 32
    with torch.no_grad(), half():
        rows = [teachers(make(k, min(n, k + size))) for k in range(0, n, size)]
    return [torch.cat(column) for column in zip(*rows)]


def made_of(pictures, count):
    """[count, 3, 128, 128] uint8: faces that nobody has, made of pairs: a part of one, or all of it in part,
    put into another, and its shape and colours changed."""
    out = torch.empty(count, *pictures.shape[1:], dtype=torch.uint8, device=pictures.device)
    for k in range(0, count, 2048):
        n = min(2048, count - k)
        first, second = (pictures[torch.randint(len(pictures), (n,), device=pictures.device)].float()
                         for _ in range(2))
        kind = torch.rand(n, device=pictures.device)
        mask = A.pick(kind < 0.3, A.uniform(n, 0.15, 0.5, first).view(-1, 1, 1, 1).expand(n, 1, 128, 128),
                      A.parts(n, 128, first))
        mask = mask * (kind < 0.85).view(-1, 1, 1, 1)
        colours = A.uniform(n, 0, 1, first) * (kind >= 0.3)
        x = torch.lerp(first, torch.lerp(second, A.tinted(second, first), colours.view(-1, 1, 1, 1)), mask)
        x = A.warp(x, 0.75, 4.0)
        x = A.light(A.mirror(x), 0.3, gain=(0.7, 1.3), gamma=(0.8, 1.25), contrast=(0.8, 1.2))
        out[k:k + n] = x.round().clamp(0, 255).byte()
    return out


class Joined:
    """The teachers' vectors joined, on their principal axes, turned to lie near version 1's own."""

    def __init__(self, vectors, weights, dim):
        self.mean = vectors[2].mean(0)
        # Weights are of z-scores: each teacher's cosines of strangers have their own spread.
        pick = torch.randperm(len(vectors[0]), device=vectors[0].device)[:4000]
        share = torch.stack([w / (p[pick] @ p[pick].T).std() for w, p in zip(weights, self.parts(vectors))])
        self.scale = (share / share.sum()).sqrt()
        joined = self.join(vectors)
        values, axes = torch.linalg.eigh(joined.T.double() @ joined.double() / len(joined))
        self.axes = axes.flip(1)[:, :dim].float()
        self.kept = (values.flip(0)[:dim].sum() / values.sum()).item()
        # Procrustes
        u, _, v = torch.linalg.svd(self(vectors).T.double() @ F.normalize(vectors[0]).double())
        self.axes = self.axes @ (u @ v).float()

    def parts(self, vectors):
        return [F.normalize(v) for v in (vectors[0], vectors[1], vectors[2] - self.mean)]

    def join(self, vectors):
        return torch.cat([s * p for s, p in zip(self.scale, self.parts(vectors))], 1)

    def __call__(self, vectors):
        return F.normalize(self.join(vectors) @ self.axes)


def drawn_together(targets, person, share):
    """Each target drawn by a share towards the mean of its person's others, where they agree: some labels
    are wrong. And how many are."""
    number = {p: k for k, p in enumerate(sorted({p for p in person if p >= 0 and (person == p).sum() > 1}))}
    label = torch.tensor([number.get(p, -1) for p in person], device=targets.device)
    known = (label >= 0)[:, None]
    centres = targets.new_zeros(max(1, len(number)), targets.shape[1])
    centres.index_add_(0, label.clamp_min(0), targets * known)
    others = F.normalize(centres[label.clamp_min(0)] - targets * known)
    agree = known & ((others * targets).sum(1, keepdim=True) > 0.3)
    return F.normalize(targets + share * others * agree), int(agree.sum())


def rates(scores, same):
    genuine = np.sort(scores[same == 1])
    impostor = np.sort(scores[same == 0])[::-1]
    both = np.concatenate([genuine, impostor])
    right = [((genuine >= t).sum() + (impostor < t).sum()) / len(both) for t in np.unique(both)[::3]]
    tar = [float((genuine > impostor[int(far * len(impostor))]).mean()) for far in (1e-2, 1e-3)]
    deviation = math.sqrt((genuine.var() + impostor.var()) / 2)
    return (max(right), *tar, (genuine.mean() - impostor.mean()) / deviation)


def covered(x, *boxes):
    """With grey boxes: left, top, right, bottom, as shares of the side."""
    x, side = x.clone(), x.shape[-1]
    for left, top, right, bottom in boxes:
        x[:, :, int(top * side):int(bottom * side), int(left * side):int(right * side)] = 90.0
    return x


def narrowed(x):
    one = torch.ones(len(x), device=x.device)
    return A.sample(x, SIDE, one, one * 0, x.new_zeros(len(x), 2), one / 0.75)


SPOILT = {
    "clean": lambda x: x,
    "24 px": lambda x: A.coarse(x, 1, 24, 24),
    "blur": lambda x: A.blur(x, 1, 2.5, 2.51, 1),
    "dark": lambda x: (x * 0.12).round(),
    "grey": lambda x: A.grey(x, 1),
    "jpeg 30": lambda x: A.jpeg(x, 1, 30, 30.01),
    "half": lambda x: covered(x, (0, 0.6, 1, 1)), "side": lambda x: covered(x, (0.5, 0, 1, 1)),
    "glasses": lambda x: covered(x, (.2, .36, .46, .56), (.54, .36, .8, .56), (.4, .42, .6, .46)),
    "narrowed": narrowed,
}


def encode(net, pictures, half, change=lambda x: x):
    """The network's unit vectors of chips, changed."""
    rows = []
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False):
        for k in range(0, len(pictures), 512):
            x = change(cut(pictures[k:k + 512].float(), SIDE))
            with half():
                y = net((x - 127.5) / 128)
            rows.append(F.normalize(y.float()))
    return torch.cat(rows)


def evaluate(net, pictures, pairs, half):
    """{kind: (accuracy, TAR at FAR 1e-2, at 1e-3, d')}: one side clean, the other spoilt."""
    out, vectors = {}, {}
    state = torch.get_rng_state(), torch.cuda.get_rng_state() if pictures.is_cuda else None
    torch.manual_seed(7)
    for kind, change in SPOILT.items():
        vectors[kind] = encode(net, pictures, half, change).cpu().numpy()
        scores = (vectors["clean"][pairs[:, 0]] * vectors[kind][pairs[:, 1]]).sum(1)
        out[kind] = rates(scores, pairs[:, 2])
    torch.set_rng_state(state[0])
    if pictures.is_cuda:
        torch.cuda.set_rng_state(state[1])
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces")
    parser.add_argument("--v1", required=True, help="version 1 at 112")
    parser.add_argument("--foamliu", required=True)
    parser.add_argument("--dlib", required=True)
    parser.add_argument("--init", required=True, help="version 2")
    parser.add_argument("--out", required=True)
    parser.add_argument("--legs", nargs="+", default=["1:1.5e-3:5.2"],
                        help="share of the way to what the teachers say together : rate : minutes")
    parser.add_argument("--steps", type=int, help="of each leg, instead of its minutes")
    parser.add_argument("--weights", type=float, nargs=3, default=[1, 1, 0.75],
                        help="of the teachers' z-scores")
    parser.add_argument("--made", type=int, default=200000, help="made faces, beside the faces themselves")
    parser.add_argument("--made-share", type=float, default=0.5, help="of the batch")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--clean", type=float, default=0.4, help="share of the views")
    parser.add_argument("--weight", type=float, default=2.0, help="of a clean view beside a spoilt one")
    parser.add_argument("--alike", type=float, default=10.0, help="weight of the batch's similarities")
    parser.add_argument("--centre", type=float, default=0.25,
                        help="weight of a person's mean target beside a photo's own")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--way", type=float, default=0.5, help="from the start to the first leg's end, that is kept")
    parser.add_argument("--looks", type=int, default=4, help="at the held people, in each leg")
    parser.add_argument("--limit", type=float, default=1e9, help="minutes after which what is left is cut short")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.time()

    def say(*words):
        print(f"[{time.time() - started:6.1f}]", *words, flush=True)

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cuda = device.type == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    def half():
        return torch.autocast(device.type, torch.bfloat16, enabled=cuda, cache_enabled=False)

    os.makedirs(args.out, exist_ok=True)
    pictures, pack = read(args.faces, 128, 8 if cuda else 2)
    train, pairs = pack["train"], pack["pairs"].copy()
    pictures = torch.as_tensor(pictures).permute(0, 3, 1, 2).contiguous()
    pairs[:, :2] = np.searchsorted(np.nonzero(~train)[0], pairs[:, :2])
    dev = pictures[~train].to(device)
    pictures, person = pictures[train].to(device), pack["person"][train]
    n = len(pictures)
    say(n, "faces to train on,", len(dev), "of held people")

    everything = torch.cat([pictures, made_of(pictures, args.made)])
    say(args.made, "faces made")
    teachers = Teachers(args.v1, args.foamliu, args.dlib)
    held = teach(teachers, lambda a, b: dev[a:b].float(), len(dev), half)
    vectors = teach(teachers, lambda a, b: everything[a:b].float(), len(everything), half)
    del teachers
    own, own_held = F.normalize(vectors[0]), F.normalize(held[0])
    joined = Joined([v[:n] for v in vectors], args.weights, own.shape[1])
    together, together_held = joined(vectors), joined(held)
    say(f"targets: {own.shape[1]} axes keep {joined.kept:.4f}; cosine to version 1's own "
        f"{(own * together).sum(1).mean():.4f}")
    del vectors, held

    net = networks.from_onnx(args.init).to(device)
    say("parameters, multiply-adds", net.count(SIDE))
    net.quick()
    parameters = list(net.parameters())
    start = [p.detach().clone() for p in parameters]

    def put(values):
        with torch.no_grad():
            for p, value in zip(parameters, values):
                p.copy_(value)

    def show(what, kinds=SPOILT):
        found = evaluate(net, dev, pairs, half)
        say(what, " ".join(f"{k}: {v[0]:.4f} {v[1]:.3f} {v[2]:.3f} {v[3]:.2f};" for k, v in found.items()))

    def keep(name, values):
        torch.save([v.cpu() for v in values], os.path.join(args.out, name + ".pt"))

    show("start")
    # Faces of all ages are few.
    chance = torch.ones(len(everything), device=device)
    chance[:n][torch.tensor(person < 0, device=device)] = 1.5
    chance[:n] /= chance[:n].sum() / (1 - args.made_share)
    chance[n:] = args.made_share / max(1, args.made)
    chance = (chance / chance.sum()).double().cumsum(0).float()
    clean = round(args.batch * args.clean)
    share = torch.ones(args.batch, device=device)
    share[:clean] = args.weight
    share /= share.sum()
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 3
    targets = torch.empty_like(own)
    sums = torch.zeros(4, device=device)

    def one():
        with torch.no_grad():
            k = torch.searchsorted(chance, torch.rand(args.batch, device=device)).clamp_max(len(everything) - 1)
            x, goal = views(everything[k], clean), targets[k]
        with half():
            y = net(x)
        y = F.normalize(y.float())
        far = 1 - (y * goal).sum(1)
        alike = ((y @ y.T) - (goal @ goal.T)).square().mean()
        ((share * far).sum() + args.alike * alike).backward()
        sums.add_(torch.stack([far[:clean].mean(), far[clean:].mean(), alike, alike * 0 + 1]).detach())

    turn = captured(one, parameters, say)
    ends = {}
    for leg in args.legs:
        way, most, minutes = map(float, leg.split(":"))
        goal, agreed = drawn_together(F.normalize(own.lerp(together, way))[:n], person, args.centre)
        targets.copy_(F.normalize(own.lerp(together, way)))
        targets[:n] = goal
        there = F.normalize(own_held.lerp(together_held, way)).cpu().numpy()
        say(f"leg {leg}: {agreed} targets drawn to their person's mean; of held people %.4f %.4f %.4f %.3f"
            % rates((there[pairs[:, 0]] * there[pairs[:, 1]]).sum(1), pairs[:, 2]))
        put(start)
        steps = Steps(parameters, decay=args.ema)
        begun = told = time.time()
        length, looks, seen, step = minutes * 60, 0, 0, 0
        while True:
            t = step / args.steps if args.steps else (time.time() - begun) / length
            if t >= 1 or time.time() - started > args.limit * 60:
                break
            turn()
            step += 1
            rate = most * min(1, step / 100) * (0.5 + 0.5 * math.cos(math.pi * t))
            steps.step([p.grad for p in parameters], rate)
            seen += args.batch
            if cuda and step % 4 == 0:  # the rate follows the clock: not to run ahead of the GPU
                torch.cuda.synchronize()
            if time.time() - told > 10:
                mean = (sums[:3] / sums[3]).tolist()
                say(f"step {step}, {t:.0%}, rate {rate:.1e}: clean {mean[0]:.4f}, spoilt {mean[1]:.4f}, alike "
                    f"{mean[2]:.5f}; {seen / (time.time() - told):.0f} pictures/s")
                sums.zero_()
                seen, told = 0, time.time()
            if t > (looks + 1) / args.looks:
                looks += 1
                keep(f"leg-{len(ends)}-{looks}", steps.mean)
                with steps.at(1):
                    show(f"look {looks} of leg {leg}")
        end = ends[leg] = [m.clone() for m in steps.mean]
        keep(f"leg-{len(ends) - 1}-end", end)
        moved = torch.stack([(a - b).norm() / b.norm() for a, b in zip(end, start) if b.dim() == 4]).mean()
        say(f"end of leg {leg} at step {step}; the weights moved by {moved:.3f} of their size")
        if len(ends) == 1:
            put([torch.lerp(a, b, args.way) for a, b in zip(start, end)])
            save(net, args.init, os.path.join(args.out, "last.onnx"), "3",
                 "models/make/refine_face.py and train_face.py")
        for part in (1, 0.75, 0.5, 0.25):
            put([torch.lerp(a, b, part) for a, b in zip(start, end)])
            show(f"{part} of the way of leg {leg}")
    if len(ends) > 1:
        middle = [sum(v) / len(v) for v in zip(*ends.values())]
        for part in (1, 0.75, 0.5):
            put([torch.lerp(a, b, part) for a, b in zip(start, middle)])
            show(f"{part} of the way to the mean of all ends")
    say("done")


if __name__ == "__main__":
    main()
