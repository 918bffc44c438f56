#!/usr/bin/env python3
"""Spoil photos of faces as archives and cameras spoil them, for calibration.

    python models/make/spoil.py CSV OUT_DIR COUNT [--split NAME] [--seed N]

CSV has the columns chip (path below the CSV's folder) and identity, and perhaps split. COUNT of its
photos, drawn at random, are each shrunk or blurred, cut off by a black half plane as by a picture's edge,
covered by a patch, or darkened, and written as OUT_DIR/IDENTITY/NAME.jpg.
"""
import argparse
import csv
import os
import random

import numpy as np
from PIL import Image, ImageFilter


def blurred(im, r):
    if r.random() < .5:
        side = r.choice([12, 14, 16, 18, 20, 24, 28, 32, 40, 48])
        small = im.resize((side, side), Image.BOX if r.random() < .5 else Image.BICUBIC)
        return small.resize(im.size, Image.BICUBIC)
    return im.filter(ImageFilter.GaussianBlur(r.uniform(1, 6)))


def cut(im, r):
    """Black on one side of a line from 5 px before the middle to 38 px behind it."""
    pixels = np.asarray(im).copy()
    turn = np.deg2rad(r.choice([0, 90, 180, 270]) + r.gauss(0, 7))
    y, x = np.mgrid[0:im.height, 0:im.width]
    side = (x - im.width / 2) * np.cos(turn) + (y - im.height / 2) * np.sin(turn)
    pixels[side > r.uniform(-5, 38)] = 0
    return Image.fromarray(pixels)


def covered(im, r):
    pixels = np.asarray(im).copy()
    w, h = r.randint(30, 80), r.randint(20, 60)
    x, y = r.randint(10, 110 - w // 2), r.randint(20, 110 - h // 2)
    color = [r.randint(0, 255)] * 3 if r.random() < .5 else [r.randint(0, 255) for _ in range(3)]
    pixels[y:y + h, x:x + w] = color
    return Image.fromarray(pixels)


def darkened(im, r):
    factor = r.uniform(.08, .5)
    return im.point(lambda v: int(v * factor))


def spoilt(im, r):
    kind = r.random()
    if kind < .35:
        return blurred(im, r)
    if kind < .60:
        return cut(im, r)
    if kind < .75:
        return cut(blurred(im, r), r)
    if kind < .90:
        return covered(blurred(im, r) if r.random() < .4 else im, r)
    return darkened(blurred(im, r), r)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("out")
    parser.add_argument("count", type=int)
    parser.add_argument("--split", help="only photos of this split")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    r = random.Random(args.seed)
    with open(args.csv, encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if args.split in (None, row.get("split"))]
    for row in r.sample(rows, min(args.count, len(rows))):
        im = Image.open(os.path.join(os.path.dirname(args.csv), row["chip"])).convert("RGB")
        folder = os.path.join(args.out, row["identity"])
        os.makedirs(folder, exist_ok=True)
        name = os.path.splitext(os.path.basename(row["chip"]))[0] + ".jpg"
        spoilt(im, r).save(os.path.join(folder, name), quality=90)


if __name__ == "__main__":
    main()
