#!/usr/bin/env python3
"""Measure how often strangers score high, and write the table into the encoder's metadata.

    doppel enroll CHIPS_DIR --faces largest --min-quality 0 --gallery G
    doppel export EXPORT --gallery G
    python models/make/calibrate.py models/face-105.onnx EXPORT CHIPS_DIR/../celeba.csv

CHIPS_DIR holds 128x128 chips of faces, celeba.csv their identities (columns chip and identity). The program
itself finds, aligns and encodes the faces, so the table speaks of the scores that it gives. Every pair of
chips of two identities is scored.

Labels are not taken on trust, nor dropped in silence: the highest impostor pairs were looked at one
by one (--sheet writes them as a picture), and celeba-reviewed.txt beside this script says what was
found. Identities it calls the same person count as one; all others stay two, also where it is unsure.

The table: for a false match rate r of n pairs the score is the floor(r n)-th highest, down to rates
with at least 10 pairs above. Each point carries bounds: 95 % by bootstrap over identities (a person's
pairs are not independent, so pairs cannot be resampled), and never narrower than Clopper and Pearson's
for independent pairs. "genuine" holds the false non-match rate at the same scores.

No photo of Labeled Faces in the Wild takes part.
"""
import argparse
import base64
import csv
import io
import json
import os

import numpy as np
import onnx
from onnx import helper
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
RATES = [0.5] + [digit * 10.0 ** -power for power in range(1, 7) for digit in (2, 1, 0.5)
                 if digit * 10.0 ** -power >= 1e-6]


def read_export(path, identity):
    """(unit vectors, chip names, thumbnails as JPEG) of the chips that a face was found in."""
    photos, vectors, found, thumbs = {}, [], [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row.get("type") == "photo":
                photos[row["id"]] = os.path.join(*row["path"].split("/")[-2:])
            elif row.get("type") == "template" and photos[row["photo"]] in identity:
                found.append(photos[row["photo"]])
                vectors.append(np.frombuffer(base64.b64decode(row["vector"]), "<f4"))
                thumbs.append(base64.b64decode(row["thumb"]))
    return np.stack(vectors), found, thumbs


def read_review(path):
    """{identity: the one it is merged into}; see the file's head."""
    same = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.split("#")[0].split()
            if not fields:
                continue
            word, first, second = fields
            assert word in ("same", "unsure", "alike") and second not in same, line
            if word == "same":
                same[second] = same.get(first, first)
    return same


def pair_scores(vectors, person, genuine):
    """Scores of all pairs i < j of the same person, or of two."""
    out = []
    for at in range(0, len(vectors), 1000):
        block = vectors[at:at + 1000] @ vectors.T
        upper = np.arange(len(vectors)) > np.arange(at, at + len(block))[:, None]
        match = person[at:at + 1000, None] == person
        out.append(block[upper & (match == genuine)])
    return np.concatenate(out)


def bootstrap_bounds(vectors, person, scores, repeats, rng):
    """95 % bounds of the rate of impostor pairs at or above each score, resampling people."""
    n = person.max() + 1
    weight = rng.multinomial(n, np.full(n, 1 / n), repeats).T.astype(np.float32)
    photos = np.bincount(person).astype(np.float32)
    total = (photos[:, None] * weight).sum(0) ** 2 - (photos[:, None] ** 2 * weight ** 2).sum(0)
    chip_weight = weight[person]
    low, high = [], []
    for score in scores:
        hits = np.zeros(repeats)
        for at in range(0, len(vectors), 1000):
            above = vectors[at:at + 1000] @ vectors.T >= score
            above &= person[at:at + 1000, None] != person
            hits += (above.astype(np.float32) @ chip_weight
                     * chip_weight[at:at + 1000]).sum(0, dtype=np.float64)
        rate = hits / total
        low.append(float(np.quantile(rate, 0.025)))
        high.append(float(np.quantile(rate, 0.975)))
    return low, high


def wilson_bounds(rate, n, z=1.96):
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def make_table(vectors, person, source, repeats, seed):
    impostor = np.sort(pair_scores(vectors, person, genuine=False))[::-1]
    genuine = np.sort(pair_scores(vectors, person, genuine=True))
    n = len(impostor)
    # Rounded up to what is written, so that a rate never holds more pairs than it says.
    scores, rates = [], []
    for rate in RATES:
        if rate * n >= 10:
            score = float(np.ceil(impostor[int(rate * n) - 1] * 1e5) / 1e5)
            scores.append(score)
            rates.append(float((impostor >= score).sum()) / n)
    low, high = bootstrap_bounds(vectors, person, scores, repeats, np.random.default_rng(seed))
    for i, rate in enumerate(rates):
        wilson = wilson_bounds(rate, n)
        low[i], high[i] = min(low[i], wilson[0], rate), max(high[i], wilson[1], rate)
        if i:  # a higher score is not more common, nor are its bounds
            low[i], high[i] = min(low[i], low[i - 1]), min(high[i], high[i - 1])

    def digits(x):
        return float(f"{x:.4g}")

    return {
        "version": 1, "metric": "cosine", "pairs": n, "source": source,
        "points": [[s, digits(r), digits(a), digits(b)]
                   for s, r, a, b in zip(scores, rates, low, high)],
        "genuine": {"pairs": len(genuine), "points": [
            [s, digits(float(np.searchsorted(genuine, s) / len(genuine)))] for s in scores]},
    }, impostor


def write_sheet(path, vectors, person, names, found, thumbs, n_pairs):
    """The n highest impostor pairs side by side, 8 pairs a row, and their list on stdout."""
    pairs = []
    for at in range(0, len(vectors), 1000):
        block = vectors[at:at + 1000] @ vectors.T
        block[person[at:at + 1000, None] == person] = -1
        block[np.arange(len(vectors)) <= np.arange(at, at + len(block))[:, None]] = -1
        best = np.argpartition(block.ravel(), -n_pairs)[-n_pairs:]
        pairs += [(float(block.flat[k]), at + k // len(vectors), k % len(vectors)) for k in best]
    pairs = sorted(pairs, reverse=True)[:n_pairs]
    side = 105
    sheet = Image.new("RGB", (8 * (2 * side + 8), -(-len(pairs) // 8) * (side + 8)))
    for k, (score, i, j) in enumerate(pairs):
        print(f"{k // 8}.{k % 8} {score:.4f} {found[i]} ({names[i]}) {found[j]} ({names[j]})")
        for side_by_side, chip in enumerate((i, j)):
            sheet.paste(Image.open(io.BytesIO(thumbs[chip])),
                        (k % 8 * (2 * side + 8) + side_by_side * side, k // 8 * (side + 8)))
    sheet.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder")
    parser.add_argument("export")
    parser.add_argument("identities", metavar="CSV")
    parser.add_argument("--review", default=os.path.join(HERE, "celeba-reviewed.txt"))
    parser.add_argument("--sheet", metavar="PNG", help="write the highest impostor pairs, and stop")
    parser.add_argument("--pairs", type=int, default=160, help="pairs on the sheet")
    parser.add_argument("--repeats", type=int, default=1000)
    args = parser.parse_args()

    with open(args.identities, encoding="utf-8") as file:
        identity = {row["chip"]: row["identity"] for row in csv.DictReader(file)}
    same = read_review(args.review)
    vectors, found, thumbs = read_export(args.export, identity)
    print(f"a face in {len(found)} of {len(identity)} chips")

    names = [same.get(identity[chip], identity[chip]) for chip in found]
    person = np.unique(names, return_inverse=True)[1]
    if args.sheet:
        write_sheet(args.sheet, vectors, person, names, found, thumbs, args.pairs)
        return
    source = (f"CelebA chips: {len(found)} faces of {person.max() + 1} people, all pairs of "
              "different people, labels reviewed at the tail; bounds 95 % by bootstrap over people")
    table, impostor = make_table(vectors, person, source, args.repeats, 1)
    print(f"{len(impostor)} impostor pairs, highest {impostor[:5]}; genuine "
          f"{table['genuine']['pairs']}")
    for point, (_, fnmr) in zip(table["points"], table["genuine"]["points"]):
        print("score {:.5f}  FMR {:.4g}  ({:.4g} to {:.4g})".format(*point) + f"  FNMR {fnmr:.4g}")
    model = onnx.load(args.encoder)
    props = {p.key: p.value for p in model.metadata_props}
    props["doppel.calibration"] = json.dumps(table, separators=(",", ":"))
    del model.metadata_props[:]
    helper.set_model_props(model, props)
    onnx.save(model, args.encoder)


if __name__ == "__main__":
    main()
