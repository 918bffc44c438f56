#!/usr/bin/env python3
"""`doppel dupes` beside perceptual hashes: what each finds of edited copies among other pictures.

    python bench/dupes.py make DATA SET [--pictures 10000] [--copies 2000]
    python bench/dupes.py run SET --doppel build/release/bin/doppel

DATA holds the folders flickr8k (pictures) and caltech101 (a folder per class). make copies pictures of
both into SET/files and adds edited copies, each with one of twelve edits, of those that image-105.onnx
was not trained on: every eighth of Flickr8k and every third class of Caltech-101. SET/truth.csv says
which is whose. run looks for copies with doppel, with PyPI imagededup (its hashes at its default
distance of 10; its CNN where its weights can be had) and with PyPI imagehash (phash and dhash at 10 and
at 4), one after the other, each in a process of its own, and prints a table: copies found of each edit
(recall), pairs reported that are none of ours (the data holds some copies of its own: they are listed in
SET/NAME.others.csv, to be looked at), seconds and peak memory.
"""
import argparse
import csv
import itertools
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time

CHANCE = 5


# ---------------------------------------------------------------------------- the set

def edits():
    import io

    import numpy as np
    from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

    def crop(side):
        def change(image, chance):
            w, h = image.size
            cw, ch = round(w * side), round(h * side)
            x, y = chance.randint(0, w - cw), chance.randint(0, h - ch)
            return image.crop((x, y, x + cw, y + ch))
        return change

    def scale(image, chance):
        return image.resize([max(1, round(0.3 * v)) for v in image.size], Image.LANCZOS)

    def tilt(image, chance):
        w, h = image.size
        cw, ch = round(w / 1.1), round(h / 1.1)
        x, y = (w - cw) // 2, (h - ch) // 2
        return image.rotate(7, Image.BICUBIC).crop((x, y, x + cw, y + ch))

    def jpeg(image, chance):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=20)
        return Image.open(out).convert("RGB")

    def colour(image, chance):
        image = ImageEnhance.Color(image).enhance(chance.choice([0.3, 1.7]))
        x = np.asarray(image) * np.array([chance.uniform(0.8, 1.2) for _ in range(3)]) / 255
        x = np.clip(x, 0, 1) ** chance.choice([0.75, 1.35])
        return Image.fromarray((255 * x).astype("uint8"))

    def border(image, chance):
        w, h = image.size
        b = round(max(w, h) * chance.uniform(0.03, 0.15))
        fill = chance.choice([(0, 0, 0), (255, 255, 255), tuple(chance.randint(0, 255) for _ in range(3))])
        out = Image.new("RGB", (w + 2 * b, h + 2 * b), fill)
        out.paste(image, (b, b))
        return out

    def caption(image, chance):
        w, h = image.size
        out = image.copy()
        draw = ImageDraw.Draw(out)
        band = max(8, round(h * chance.uniform(0.08, 0.2)))
        y = chance.choice([0, h - band])
        draw.rectangle((0, y, w, y + band), fill=chance.choice([(0, 0, 0), (255, 255, 255)]))
        for x in range(0, w - 6, 5):
            if chance.random() < 0.7:
                draw.rectangle((x, y + band // 3, x + 3, y + 2 * band // 3), fill=(128, 128, 128))
        return out

    return {"crop .8": crop(0.8), "crop .6": crop(0.6), "scale .3": scale,
            "turn": lambda i, c: i.rotate(90, expand=True), "turn 180": lambda i, c: i.rotate(180),
            "mirror": lambda i, c: i.transpose(Image.FLIP_LEFT_RIGHT), "tilt": tilt, "jpeg 20": jpeg,
            "colour": colour, "blur": lambda i, c: i.filter(ImageFilter.GaussianBlur(2)),
            "border": border, "caption": caption}


def make(args):
    from PIL import Image

    held, others = [], []
    for number, name in enumerate(sorted(os.listdir(os.path.join(args.data, "caltech101")))):
        folder = os.path.join(args.data, "caltech101", name)
        part = [(os.path.join(folder, f), f"{name}-{f}") for f in sorted(os.listdir(folder))]
        (held if number % 3 == 1 else others).extend(part)
    folder = os.path.join(args.data, "flickr8k")
    for number, f in enumerate(sorted(os.listdir(folder)), 1):
        (held if number % 8 == 0 else others).append((os.path.join(folder, f), f))
    chance = random.Random(CHANCE)
    chance.shuffle(held)
    chance.shuffle(others)
    rest = held[args.copies:] + others
    chance.shuffle(rest)
    pictures = (held[:args.copies] + rest)[:args.pictures]
    files = os.path.join(args.set, "files")
    os.makedirs(files)
    for path, name in pictures:
        shutil.copyfile(path, os.path.join(files, name))
    changes = edits()
    with open(os.path.join(args.set, "truth.csv"), "w", newline="") as f:
        truth = csv.writer(f)
        truth.writerow(["copy", "original", "edit"])
        for number, (path, name) in enumerate(held[:args.copies]):
            edit = list(changes)[number % len(changes)]
            copy = f"copy-{number:05d}.jpg"
            changes[edit](Image.open(path).convert("RGB"), chance).save(os.path.join(files, copy),
                                                                       quality=90)
            truth.writerow([copy, name, edit])


# ---------------------------------------------------------------------------- finders: pairs of names

def by_doppel(args):
    """Of a group, those who are with the one to keep; and all pairs of it, which count as found."""
    out = subprocess.run([args.doppel, "dupes", os.path.join(args.set, "files"), "--json", "--quiet",
                          "--burst", "0"], stdout=subprocess.PIPE, check=False).stdout
    told, found = [], []
    for line in out.splitlines():
        group = json.loads(line)
        if "group" not in group:
            continue
        names = [os.path.basename(p["photo"]) for p in [group["keep"]] + group["photos"]]
        told += [(names[0], other) for other in names[1:]]
        found += itertools.combinations(names, 2)
    return told, found


def by_imagededup(args, method):
    import logging

    from imagededup import methods

    logging.disable(logging.INFO)
    finder = getattr(methods, method)(verbose=False)
    found = finder.find_duplicates(image_dir=os.path.join(args.set, "files"))
    pairs = {tuple(sorted((a, b))) for a, others in found.items() for b in others}
    return list(pairs), list(pairs)


def by_imagehash(args, method, most):
    import imagehash
    import numpy as np
    from PIL import Image

    folder = os.path.join(args.set, "files")
    names = sorted(os.listdir(folder))
    bits = np.array([getattr(imagehash, method)(Image.open(os.path.join(folder, n))).hash.ravel()
                     for n in names]).astype(np.float32)
    pairs = []
    for k in range(0, len(names), 1000):
        part = bits[k:k + 1000]
        distance = part.sum(1)[:, None] + bits.sum(1)[None] - 2 * part @ bits.T
        for i, j in zip(*np.nonzero(distance <= most + 0.5)):
            if k + i < j:
                pairs.append((names[k + i], names[j]))
    return pairs, pairs


FINDERS = {"doppel": by_doppel}
for _method in ("PHash", "DHash", "AHash", "WHash", "CNN"):
    FINDERS["imagededup " + _method] = lambda a, m=_method: by_imagededup(a, m)
for _method, _most in itertools.product(("phash", "dhash"), (10, 4)):
    FINDERS[f"imagehash {_method} <= {_most}"] = lambda a, m=_method, k=_most: by_imagehash(a, m, k)


def one(args):
    started = time.time()
    told, found = FINDERS[args.finder](args)
    used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
               if who == (resource.RUSAGE_CHILDREN if args.finder == "doppel" else resource.RUSAGE_SELF))
    with open(args.out, "w") as f:
        json.dump({"seconds": time.time() - started, "peak_mb": used / 1024, "told": told,
                   "found": found}, f)


# ---------------------------------------------------------------------------- the table

def run(args):
    with open(os.path.join(args.set, "truth.csv"), newline="") as f:
        truth = list(csv.DictReader(f))
    ours = {tuple(sorted((t["copy"], t["original"]))): t["edit"] for t in truth}
    names = list(dict.fromkeys(t["edit"] for t in truth))
    print("| | recall |", " | ".join(names), "| precision | pairs that are none of ours | seconds | peak MB |")
    print("|---" * (6 + len(names)) + "|")
    for finder in args.only or FINDERS:
        out = os.path.join(args.set, finder.replace(" ", "-").replace("<=", "") + ".json")
        ended = subprocess.run([sys.executable, __file__, "one", args.set, finder, out, "--doppel",
                                args.doppel], stderr=subprocess.PIPE, check=False)
        if ended.returncode != 0:
            lines = ended.stderr.decode(errors="replace").strip().splitlines() or [""]
            print(f"| {finder} | failed: {lines[-1][:120]} |", flush=True)
            continue
        with open(out) as f:
            answer = json.load(f)
        found = {tuple(sorted(p)) for p in answer["found"]}
        told = {tuple(sorted(p)) for p in answer["told"]}
        hits = {e: [p in found for p, edit in ours.items() if edit == e] for e in names}
        others = sorted(told - set(ours))
        with open(out[:-5] + ".others.csv", "w", newline="") as f:
            csv.writer(f).writerows(others)
        n_hits = sum(map(sum, hits.values()))
        print(f"| {finder} | {n_hits / len(ours):.4f} |",
              " | ".join(f"{sum(h) / len(h):.3f}" for h in hits.values()),
              f"| {n_hits / max(1, n_hits + len(others)):.4f} | {len(others)} "
              f"| {answer['seconds']:.0f} | {answer['peak_mb']:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("make")
    task.add_argument("data")
    task.add_argument("set")
    task.add_argument("--pictures", type=int, default=10000)
    task.add_argument("--copies", type=int, default=2000)
    task = tasks.add_parser("run")
    task.add_argument("set")
    task.add_argument("--doppel", default="doppel")
    task.add_argument("--only", nargs="*", choices=list(FINDERS))
    task = tasks.add_parser("one")
    task.add_argument("set")
    task.add_argument("finder")
    task.add_argument("out")
    task.add_argument("--doppel", default="doppel")
    args = parser.parse_args()
    {"make": make, "run": run, "one": one}[args.task](args)


if __name__ == "__main__":
    main()
