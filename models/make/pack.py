#!/usr/bin/env python3
"""Gather the pictures to train on in one file: smaller, and read at once.

    python models/make/pack.py faces DATA faces.npz
    python models/make/pack.py pictures DATA pictures.npz

DATA/faces-train holds the folders celeba-test and utkface of aligned 128x128 chips, their .csv
(chip, identity, split) and celeba-dev-pairs.csv (a, b, same). Of utkface only even file numbers are
taken; the rest, and celeba, are left to calibrate and to measure.
DATA/caltech101 holds a folder per class, DATA/flickr8k pictures.

Pictures are kept as WebP.
"""
import argparse
import csv
import io
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
from PIL import Image


def read_csv(path):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def squeeze(job):
    path, side, quality = job
    picture = Image.open(path).convert("RGB")
    if side:
        picture = picture.resize((side, side), Image.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()


def write(out, jobs, threads, **columns):
    with ThreadPoolExecutor(threads) as pool:
        blobs = list(pool.map(squeeze, jobs))
    np.savez(out, blob=np.frombuffer(b"".join(blobs), np.uint8),
             ends=np.cumsum([len(b) for b in blobs]), **{k: np.array(v) for k, v in columns.items()})
    print(f"{out}: {len(jobs)} pictures, {os.path.getsize(out)} bytes")


def decode(job):
    blobs, side = job
    out = np.empty((len(blobs), side, side, 3), np.uint8)
    for k, blob in enumerate(blobs):
        picture = Image.open(io.BytesIO(blob)).convert("RGB")
        out[k] = picture if picture.size == (side, side) else picture.resize((side, side), Image.BICUBIC)
    return out


def read(path, side, workers=8):
    """(pictures [n, side, side, 3] uint8, the other columns)."""
    pack = dict(np.load(path))
    blob, ends = pack.pop("blob").tobytes(), pack.pop("ends")
    blobs = [blob[a:b] for a, b in zip(np.concatenate([[0], ends[:-1]]), ends)]
    with ProcessPoolExecutor(workers) as pool:
        parts = pool.map(decode, [(blobs[k:k + 256], side) for k in range(0, len(blobs), 256)])
        return np.concatenate(list(parts)), pack


def faces(data, limit):
    folder = os.path.join(data, "faces-train")
    jobs, names, person, role = [], [], [], []
    for row in read_csv(os.path.join(folder, "celeba-test.csv")):
        jobs.append((os.path.join(folder, row["chip"]), 0, 70 if row["split"] == "train" else 86))
        names.append(row["chip"])
        person.append(int(row["identity"]))
        role.append(row["split"])
    for row in read_csv(os.path.join(folder, "utkface.csv")):
        if int(os.path.basename(row["chip"]).split(".")[0]) % 2 == 0:
            jobs.append((os.path.join(folder, row["chip"]), 0, 70))
            names.append(row["chip"])
            person.append(-1)
            role.append("train")
    pairs = read_csv(os.path.join(folder, "celeba-dev-pairs.csv"))[:limit or None]
    paired = {row[k] for row in pairs for k in "ab"}
    keep = [k for k, name in enumerate(names) if role[k] == "train" or name in paired]
    if limit:
        dev = [k for k in keep if role[k] != "train"]
        keep = [k for k in keep if role[k] == "train"][::max(1, len(keep) // limit)] + dev
    at = {names[k]: n for n, k in enumerate(keep)}
    pairs = [(at[r["a"]], at[r["b"]], int(r["same"])) for r in pairs if r["a"] in at and r["b"] in at]
    return [jobs[k] for k in keep], {"person": [person[k] for k in keep],
                                     "train": [role[k] == "train" for k in keep], "pairs": pairs}


def pictures(data, limit):
    jobs, label, classes = [], [], []
    root = os.path.join(data, "caltech101")
    for number, name in enumerate(sorted(os.listdir(root))):
        classes.append(name)
        for file in sorted(os.listdir(os.path.join(root, name))):
            jobs.append((os.path.join(root, name, file), 0, 82))
            label.append(number)
    root = os.path.join(data, "flickr8k")
    files = sorted(os.listdir(root))
    jobs += [(os.path.join(root, file), 0, 80) for file in files]
    label += [-1] * len(files)
    keep = range(0, len(jobs), max(1, len(jobs) // limit) if limit else 1)
    return [jobs[k] for k in keep], {"label": [label[k] for k in keep], "classes": classes,
                                     "names": [os.path.basename(jobs[k][0]) for k in keep]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["faces", "pictures"])
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--limit", type=int, default=0, help="about so many pictures, to try things out")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    jobs, columns = {"faces": faces, "pictures": pictures}[args.what](args.data, args.limit)
    write(args.out, jobs, args.threads, **columns)


if __name__ == "__main__":
    main()
