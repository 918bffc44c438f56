#!/usr/bin/env python3
"""Which padding and which crop suit a 112 network at 105: measured on LFW's development pairs.

    python models/make/measure_pads.py MobileFaceNet.tflite models/face-detect.onnx LFW_DIR

LFW_DIR holds pairsDevTrain.txt, pairsDevTest.txt and images/NAME/NAME_0001.jpg. Settings and the
threshold are chosen on pairsDevTrain, the row for pairsDevTest is only reported. Nothing is trained.

A variant is a side, the padding before each of the four stride-2 convolutions, and the offset that
is taken from the 112 template. Columns: accuracy at the best threshold of pairsDevTrain, TAR at a
FAR of 1e-2 (that threshold from the set itself), and d' (distance of the means over the pooled
standard deviation): the last is smooth, so it ranks variants that two thousand pairs cannot.
"""
import argparse
import itertools
import os

import numpy as np
from PIL import Image

from make_encoder import build
from pipeline import ARCFACE_112, align, detect, encode, open_session


def read_pairs(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        lines = [line.split() for line in file]
    for fields in lines[1:]:
        if len(fields) == 3:
            yield (fields[0], int(fields[1])), (fields[0], int(fields[2])), True
        else:
            yield (fields[0], int(fields[1])), (fields[2], int(fields[3])), False


def central_face(session, rgb):
    """LFW's subject is the face in the middle; None when there is none."""
    faces = detect(session, rgb)
    if not len(faces):
        return None
    h, w = rgb.shape[:2]
    away = np.hypot(faces[:, 1] + faces[:, 3] / 2 - w / 2, faces[:, 2] + faces[:, 4] / 2 - h / 2)
    return faces[away.argmin(), 5:].reshape(5, 2)


def accuracy(score, same, threshold):
    return float(((score >= threshold) == same).mean())


def best_threshold(score, same):
    candidates = np.unique(score)
    return candidates[np.argmax([accuracy(score, same, t) for t in candidates])]


def tar_at_far(score, same, far):
    threshold = np.quantile(score[~same], 1 - far)
    return float((score[same] > threshold).mean())


def d_prime(score, same):
    g, i = score[same], score[~same]
    return float((g.mean() - i.mean()) / np.sqrt((g.var() + i.var()) / 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tflite")
    parser.add_argument("detector")
    parser.add_argument("lfw")
    parser.add_argument("--offsets", type=float, nargs="+",
                        help="instead of 3.5 and the matched one")
    parser.add_argument("--pads", help="only these, as 110: before the first three convolutions")
    args = parser.parse_args()

    detector = open_session(args.detector)
    sets = {name: list(read_pairs(args.lfw, name))
            for name in ("pairsDevTrain.txt", "pairsDevTest.txt")}
    photos = sorted({key for pairs in sets.values() for a, b, _ in pairs for key in (a, b)})
    images, points = [], []
    for name, number in photos:
        path = os.path.join(args.lfw, "images", name, f"{name}_{number:04}.jpg")
        images.append(np.array(Image.open(path).convert("RGB")))
        points.append(central_face(detector, images[-1]))
    missing = [photo for photo, p in zip(photos, points) if p is None]
    print(f"{len(photos)} photos, no face in {len(missing)} {missing[:5]}: their pairs are left out")
    index = {photo: i for i, photo in enumerate(photos)}

    variants = [(112, (0, 0, 0, 0), 0.0)]
    for pads in [tuple(map(int, args.pads))] if args.pads else itertools.product((0, 1), repeat=3):
        # Pads of 0 move the sampling grid by half a step of their level; this offset undoes it.
        matched = float(np.dot(pads, (1, 2, 4)))
        variants += [(105, (*pads, 0), offset) for offset in args.offsets or (3.5, matched)]
    chips_of = {}
    for side, pads, offset in variants:
        if (side, offset) not in chips_of:
            chips_of = {(side, offset): np.stack(
                [align(image, p, ARCFACE_112 - offset, side) if p is not None
                 else np.zeros((side, side, 3), np.uint8) for image, p in zip(images, points)])}
        session = open_session(build(args.tflite, side, pads))
        vectors = encode(session, chips_of[side, offset])
        columns, threshold = [], None
        for pairs in sets.values():
            used = [(index[a], index[b], same) for a, b, same in pairs
                    if points[index[a]] is not None and points[index[b]] is not None]
            score = np.array([vectors[a] @ vectors[b] for a, b, _ in used])
            same = np.array([s for _, _, s in used])
            if threshold is None:
                threshold = best_threshold(score, same)
            columns.append(f"{accuracy(score, same, threshold):.4f} "
                           f"{tar_at_far(score, same, 0.01):.4f} {d_prime(score, same):.3f}")
        print(f"{side} pads {pads} offset {offset}: dev-train {columns[0]} | dev-test {columns[1]}",
              flush=True)


if __name__ == "__main__":
    main()
