#!/usr/bin/env python3
"""Photos of 12 megapixels as cameras make them, from the demo's: to measure with.

    PYTHON bench/make_large_photos.py FOLDER [N] [--seed 1] [--from demo]

Needs Pillow and numpy. N (default 24) photos of 4000x3000 or 3000x4000 pixels. Every other one is a single
photo, cut at random and enlarged (faces of 400 to 1,500 pixels); the others are six of them on one sheet
(100 to 500 pixels). All get grain, without which an enlarged JPEG is small and quickly decoded: some 0.38
bytes a pixel at quality 90. The same seed makes the same photos by the same Pillow.
"""
import argparse
import pathlib

import numpy
from PIL import Image

LONG, SHORT, GRAIN, QUALITY = 4000, 3000, 6, 90


def cut(photo, width, height, rng):
    """A part of the photo with these proportions, as large as they allow, at width x height."""
    scale = min(photo.width / width, photo.height / height)
    w, h = int(width * scale), int(height * scale)
    # Faces are in the upper half of most, so what is taken begins there.
    left = int(rng.integers(0, photo.width - w + 1))
    top = int(rng.integers(0, (photo.height - h) // 3 + 1))
    return photo.crop((left, top, left + w, top + h)).resize((width, height), Image.Resampling.LANCZOS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("n", type=int, nargs="?", default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="demo", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "demo")
    a = parser.parse_args()
    rng = numpy.random.default_rng(a.seed)
    paths = sorted(p for p in a.demo.rglob("*") if p.suffix in (".jpg", ".png"))
    photos = [Image.open(p).convert("RGB") for p in paths]
    a.folder.mkdir(parents=True)
    for i in range(a.n):
        w, h = (LONG, SHORT) if i % 4 < 2 else (SHORT, LONG)
        if i % 2 == 0:
            sheet = cut(photos[rng.integers(len(photos))], w, h, rng)
        else:
            sheet = Image.new("RGB", (w, h))
            columns, rows = (3, 2) if w > h else (2, 3)
            for k in range(columns * rows):
                x0, x1 = (k % columns) * w // columns, (k % columns + 1) * w // columns
                y0, y1 = (k // columns) * h // rows, (k // columns + 1) * h // rows
                sheet.paste(cut(photos[rng.integers(len(photos))], x1 - x0, y1 - y0, rng), (x0, y0))
        grain = rng.normal(0, GRAIN, (h, w, 1)).astype(numpy.float32)
        pixels = numpy.clip(numpy.asarray(sheet, numpy.float32) + grain, 0, 255).astype(numpy.uint8)
        Image.fromarray(pixels).save(a.folder / ("%03d.jpg" % i), quality=QUALITY)


if __name__ == "__main__":
    main()
